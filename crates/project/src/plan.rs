//! What a release means: every target resolved, nothing left to look up.

use std::fmt;
use std::path::PathBuf;

use packhouse_build::{BaseImage, Job, Revision};
use packhouse_package::assemble::Spec;
use packhouse_package::{Arch, Elements, Format, Timestamp};

use crate::channel::Reference;
use crate::{Retiring, SigningKey, Target};

/// What a plan depends on besides the project's files: gathered by the caller, who may look at the machine.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The commit that is checked out; `None` outside Git.
    pub revision: Option<Revision>,
    /// What CI says is being built, when it does.
    pub reference: Option<Reference>,
    /// The channel, when the user names it.
    pub channel: Option<String>,
    /// The time of the release: `SOURCE_DATE_EPOCH`, else the commit's time, else now.
    pub time: Timestamp,
    /// The architecture to build for.
    pub arch: Arch,
    /// The engine, when the user names it.
    pub engine: Option<EngineName>,
    /// Where the site is, when the user names it.
    pub publish_to: Option<String>,
}

/// Where builds run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EngineName {
    /// This machine.
    Host,
    /// Docker containers.
    Docker,
    /// Podman containers.
    Podman,
}

impl EngineName {
    /// Every engine a project may name.
    pub const ALL: [EngineName; 3] = [EngineName::Host, EngineName::Docker, EngineName::Podman];

    /// As the project file writes it.
    pub fn name(self) -> &'static str {
        match self {
            EngineName::Host => "host",
            EngineName::Docker => "docker",
            EngineName::Podman => "podman",
        }
    }

    /// Whether builds run in a container, made from the target's base image.
    pub fn is_container(self) -> bool {
        match self {
            EngineName::Host => false,
            EngineName::Docker | EngineName::Podman => true,
        }
    }

    /// The engine called `name`.
    pub fn parse(name: &str) -> Option<EngineName> {
        EngineName::ALL.into_iter().find(|engine| engine.name() == name)
    }
}

impl fmt::Display for EngineName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A release, resolved.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The project's root.
    pub root: PathBuf,
    /// The project's name.
    pub name: String,
    /// One line about it.
    pub summary: String,
    /// Its page.
    pub homepage: Option<String>,
    /// The project's version.
    pub version: String,
    /// Where the release goes.
    pub channel: String,
    /// Its time.
    pub time: Timestamp,
    /// Whether a later build of the same version sorts higher: the time comes before the revision in it.
    pub is_sorted_by_time: bool,
    /// The commit.
    pub revision: Option<Revision>,
    /// Who signs; `None` when the project does not say.
    pub signing_key: Option<SigningKey>,
    /// A file with the pass phrase.
    pub passphrase_file: Option<PathBuf>,
    /// The key that is being replaced and still signs.
    pub retiring: Option<Retiring>,
    /// The keyring of those who may sign, if the project has one.
    pub keyring: Option<PathBuf>,
    /// The file with the RSA key that signs packages of apk.
    pub apk_key: Option<PathBuf>,
    /// What customers have its public part as, below `/etc/apk/keys`.
    pub apk_key_name: Option<String>,
    /// Where the site is, as written; relative paths are relative to the root.
    pub publish_to: Option<String>,
    /// Where customers find the site.
    pub public_url: Option<String>,
    /// The id of the CloudFront distribution that serves the site. `None` for another site than the project's.
    pub cloudfront: Option<String>,
    /// What is built, sorted by target.
    pub targets: Vec<TargetPlan>,
}

/// One target of a release, resolved.
#[derive(Clone, Debug)]
pub struct TargetPlan {
    /// Its name.
    pub target: Target,
    /// The architecture it is built for; the package's own is in its metadata (`noarch`).
    pub arch: Arch,
    /// The format of its package.
    pub format: Format,
    /// Where it is built.
    pub engine: EngineName,
    /// The image that a container of it is made from, whether it is built in one or not.
    pub base_image: BaseImage,
    /// Which signatures its package manager reads.
    pub reads: SignaturesRead,
    /// What is run.
    pub job: Job,
    /// What goes into the package.
    pub spec: Spec,
    /// The name of the package's file.
    pub file_name: String,
    /// What the package is tagged with.
    pub tag: Elements,
}

/// Which signatures inside packages a target's package manager reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignaturesRead {
    /// Whether its rpm verifies those by an Ed25519 key. An older one takes them for bad ones, and refuses the package.
    pub eddsa: bool,
    /// Whether its apk reads those with SHA-256.
    pub rsa256: bool,
}

impl Default for SignaturesRead {
    /// Those of today.
    fn default() -> SignaturesRead {
        SignaturesRead { eddsa: true, rsa256: true }
    }
}

/// How the elements are ordered unless the project says otherwise.
pub const DEFAULT_FORMAT: &str = "{version}-{target}-{built}-{revision}";

/// The four elements that a package is tagged with in the order of `format`.
///
/// # Errors
/// A sentence and its fix, when the format names something else, or the revision outside Git.
pub fn render(tag: &Elements, format: &str, time: Timestamp) -> Result<String, (String, String)> {
    let mut text = String::new();
    let mut rest = format;
    while let Some(start) = rest.find('{') {
        text.push_str(&rest[..start]);
        let Some(length) = rest[start..].find('}') else {
            return Err(("a `{` is not closed".into(), format!("as in \"{DEFAULT_FORMAT}\"")));
        };
        let element = &rest[start + 1..start + length];
        rest = &rest[start + length + 1..];
        match element.split_once(':') {
            None if element == "version" => text.push_str(&tag.version),
            None if element == "target" => text.push_str(&tag.target),
            None if element == "built" => text.push_str(&tag.built),
            None if element == "revision" => match &tag.revision {
                Some(revision) => text.push_str(revision),
                None => {
                    let fix = "commit the project to Git, or leave `{revision}` out of [version] format";
                    return Err(("there is no Git revision: nothing is committed here".into(), fix.into()));
                }
            },
            Some(("built", strftime)) => match time.strftime(strftime) {
                Ok(built) => text.push_str(&built),
                Err(error) => {
                    return Err((
                        format!("`{strftime}` is no strftime format: {error}"),
                        "as in \"%Y%m%d%H%M\"".into(),
                    ));
                }
            },
            _ => {
                let fix = "the elements are {version}, {target}, {built} and {revision}; {built:%Y%m%d} takes a format";
                return Err((format!("`{{{element}}}` is not an element of a version"), fix.into()));
            }
        }
    }
    if rest.contains('}') {
        return Err(("a `}` was never opened".into(), format!("as in \"{DEFAULT_FORMAT}\"")));
    }
    text.push_str(rest);
    Ok(text)
}

/// Whether packages tagged in this order sort by the time they were built, within a version and a target.
pub(crate) fn is_sorted_by_time(format: &str) -> bool {
    match (format.find("{built"), format.find("{revision}")) {
        (Some(built), Some(revision)) => built < revision,
        (built, _) => built.is_some(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag() -> Elements {
        Elements {
            version: "0.1.0".into(),
            target: "ubuntu-22.04".into(),
            built: "2305191200".into(),
            revision: Some("611a16f".into()),
        }
    }

    fn time() -> Timestamp {
        Timestamp::from_unix(1_684_497_600).unwrap()
    }

    #[test]
    fn the_elements_come_in_the_order_of_the_format() {
        let render = |format: &str| super::render(&tag(), format, time());
        assert_eq!(render(DEFAULT_FORMAT).unwrap(), "0.1.0-ubuntu-22.04-2305191200-611a16f");
        assert_eq!(render("{version}-{target}-{revision}").unwrap(), "0.1.0-ubuntu-22.04-611a16f");
        assert_eq!(render("{version}+{built:%Y%m%d}").unwrap(), "0.1.0+20230519");
        for wrong in ["{versoin}", "{version", "version}", "{built:%!}"] {
            assert!(render(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_later_build_sorts_higher_when_its_time_comes_before_its_revision() {
        assert!(is_sorted_by_time(DEFAULT_FORMAT));
        assert!(is_sorted_by_time("{version}+{built:%s}"));
        assert!(!is_sorted_by_time("{version}-{target}-{revision}"));
        assert!(!is_sorted_by_time("{version}-{revision}-{built}"));
    }

    #[test]
    fn outside_git_only_a_format_with_the_revision_fails() {
        let tag = Elements { revision: None, ..tag() };
        assert!(super::render(&tag, DEFAULT_FORMAT, time()).is_err());
        assert_eq!(super::render(&tag, "{version}-{built}", time()).unwrap(), "0.1.0-2305191200");
    }
}

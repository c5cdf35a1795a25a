//! Base images: what the targets' containers are made from.
//!
//! A target's base image is built from its Dockerfile, with the target's directory as context, and has two tags: one
//! for the week it was built in, which stays, and one that is always the newest. The image carries the digest of the
//! Dockerfile that it was built from as a label, so that whoever pulls it can tell whether it is still that.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use fs_err as fs;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::client::Client;
use crate::{Error, Platform, Result, log};

/// The label of a base image that holds the SHA-256 digest of its Dockerfile.
pub const DOCKERFILE_LABEL: &str = "packhouse.dockerfile";
/// The label of a base image that names its target.
pub const TARGET_LABEL: &str = "packhouse.target";

/// The variables that `docker build` passes to a build without being asked for by the Dockerfile, and without
/// keeping them in the image (<https://docs.docker.com/build/building/variables/#pre-defined-build-arguments>).
const PROXIES: [&str; 10] = [
    "ALL_PROXY",
    "FTP_PROXY",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NO_PROXY",
    "all_proxy",
    "ftp_proxy",
    "http_proxy",
    "https_proxy",
    "no_proxy",
];

/// How often a push is tried.
const TRIES: u32 = 3;

/// A target's base image, by name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct BaseImage {
    /// Where its versions are kept, as in `registry.example.com/project/debian`.
    pub repository: String,
    /// No registry has the repository: it is never pulled and never pushed.
    pub is_local: bool,
    /// The target's version, as in `12`.
    pub version: String,
    /// It is for what is not released to customers yet.
    pub is_preview: bool,
    /// The target's directory: the Dockerfile's, and the context of its build. An absolute path.
    pub directory: PathBuf,
}

/// An image that the engine has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// The digest of its configuration: names exactly this image.
    pub id: String,
    /// The digests by which registries know it, as in `registry.example.com/base@sha256:…`.
    pub digests: Vec<String>,
    /// When it was made, in RFC 3339.
    pub created: String,
    /// Its processor, as in `amd64`.
    pub processor: String,
    /// The user that its commands run as; empty when it does not say.
    pub user: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
}

/// How an image is built.
#[derive(Clone, Debug)]
pub struct ImageBuild<'a> {
    /// Which one.
    pub image: &'a BaseImage,
    /// The target, for its label.
    pub target: &'a str,
    /// What it is called: each a reference with a tag.
    pub tags: &'a [String],
    /// For which platform, when the user names one.
    pub platform: Option<&'a Platform>,
    /// Runs every command anew, and looks for a newer image to start from.
    pub is_fresh: bool,
}

/// What `image inspect` prints, as far as it matters here.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Inspected {
    id: String,
    #[serde(default)]
    repo_digests: Option<Vec<String>>,
    created: String,
    architecture: String,
    #[serde(default)]
    config: Option<Config>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Config {
    #[serde(default)]
    user: String,
    #[serde(default)]
    labels: Option<BTreeMap<String, String>>,
}

impl BaseImage {
    /// The tag that always is the newest: `12-latest`.
    pub fn latest(&self) -> String {
        self.tagged("latest")
    }

    /// The tag of the week it was built in: `12-2026.47`.
    pub fn dated(&self, week: &str) -> String {
        self.tagged(week)
    }

    fn tagged(&self, tag: &str) -> String {
        let suffix = if self.is_preview { "-preview" } else { "" };
        format!("{}:{}-{tag}{suffix}", self.repository, self.version)
    }

    /// Its Dockerfile.
    pub fn dockerfile(&self) -> PathBuf {
        self.directory.join("Dockerfile")
    }

    /// The digest of its Dockerfile, in hexadecimal digits.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn dockerfile_digest(&self) -> Result<String> {
        let digest = Sha256::digest(fs::read(self.dockerfile())?);
        Ok(digest.iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

impl Image {
    /// Whether it was built from another Dockerfile than `digest` is of; false when it does not say.
    pub fn is_older_than(&self, digest: &str) -> bool {
        self.labels.get(DOCKERFILE_LABEL).is_some_and(|built_from| built_from != digest)
    }

    /// How many days ago it was made, `now` in Unix seconds; `None` when it does not say.
    pub fn days_old(&self, now: i64) -> Option<i64> {
        let created: jiff::Timestamp = self.created.parse().ok()?;
        Some((now - created.as_second()).max(0) / 86_400)
    }

    /// The digest by which the registry of `repository` knows it, once it was pushed to or pulled from there.
    pub fn digest_in(&self, repository: &str) -> Option<&str> {
        self.digests.iter().find_map(|digest| digest.strip_prefix(repository)?.strip_prefix('@'))
    }
}

impl Client {
    /// The image called `reference`; `None` when the engine does not have it.
    ///
    /// # Errors
    /// When the engine does not answer, or not as expected.
    pub async fn image(&self, reference: &str) -> Result<Option<Image>> {
        let arguments = ["image", "inspect", reference];
        let output = self.spawn(self.command(&arguments))?.wait_with_output().await?;
        if !output.status.success() {
            // Docker's words and Podman's: "No such image", "image not known", "failed to find image".
            let said = String::from_utf8_lossy(&output.stderr).to_lowercase();
            let is_missing = ["no such image", "image not known", "failed to find image"];
            if is_missing.iter().any(|words| said.contains(words)) {
                return Ok(None);
            }
        }
        self.succeeded(&arguments, output.status, &output.stderr)?;
        let inspected: Vec<Inspected> = serde_json::from_slice(&output.stdout).map_err(|error| {
            let (program, command) = (self.name(), "image inspect".to_owned());
            Error::Engine { program, command, message: format!("its answer is not understood: {error}") }
        })?;
        Ok(inspected.into_iter().next().map(|image| {
            let config = image.config.unwrap_or_default();
            Image {
                id: image.id,
                digests: image.repo_digests.unwrap_or_default(),
                created: image.created,
                processor: image.architecture,
                user: config.user,
                labels: config.labels.unwrap_or_default(),
            }
        }))
    }

    /// Pulls an image; what the engine says goes to `log`.
    ///
    /// # Errors
    /// [`Error::Image`] when the registry does not give it.
    pub async fn pull(&self, reference: &str, platform: Option<&Platform>, log: &Path) -> Result<()> {
        let mut arguments = vec!["pull".to_owned()];
        if let Some(platform) = platform {
            arguments.extend(["--platform".to_owned(), platform.name.clone()]);
        }
        arguments.push(reference.to_owned());
        self.about_image("pull", reference, &arguments, log, &|_| {}).await
    }

    /// Builds a base image from its Dockerfile. Proxies of the caller are passed on; neither they nor anything
    /// else of the caller's environment stays in the image.
    ///
    /// # Errors
    /// [`Error::Image`] when a command of the Dockerfile fails.
    pub async fn build_image(
        &self,
        build: &ImageBuild<'_>,
        log: &Path,
        on_line: &(dyn Fn(&str) + Sync),
    ) -> Result<Image> {
        let digest = build.image.dockerfile_digest()?;
        let mut arguments = vec!["build".to_owned(), "--force-rm".into()];
        let mut add = |flag: &str, value: String| arguments.extend([flag.to_owned(), value]);
        for tag in build.tags {
            add("--tag", tag.clone());
        }
        add("--label", format!("{DOCKERFILE_LABEL}={digest}"));
        add("--label", format!("{TARGET_LABEL}={}", build.target));
        if let Some(platform) = build.platform {
            add("--platform", platform.name.clone());
        }
        for name in PROXIES {
            if self.variable(name).is_some() {
                // Without a value: the program takes it from its environment, and no list of processes shows it.
                add("--build-arg", name.to_owned());
            }
        }
        add("--file", build.image.dockerfile().display().to_string());
        if build.is_fresh {
            arguments.extend(["--no-cache".into(), "--pull".into()]);
        }
        arguments.push(build.image.directory.display().to_string());
        let tag = build.tags.first().map_or("", String::as_str);
        self.about_image("build", tag, &arguments, log, on_line).await?;
        let not_loaded = || Error::NotLoaded { program: self.name(), reference: tag.to_owned() };
        self.image(tag).await?.ok_or_else(not_loaded)
    }

    /// Pushes an image to its registry, and again after `pause` where that can help. Returns the digest that the
    /// registry knows it by; `None` when the engine does not tell.
    ///
    /// # Errors
    /// [`Error::Image`] when the registry does not take it.
    pub async fn push(&self, reference: &str, pause: Duration, log: &Path) -> Result<Option<String>> {
        let mut arguments = vec!["push".to_owned()];
        let answer = tempfile::NamedTempFile::new()?;
        if self.writes_digest() {
            arguments.extend(["--digestfile".to_owned(), answer.path().display().to_string()]);
        }
        arguments.push(reference.to_owned());
        let printed = Mutex::new(None);
        let on_line = |line: &str| {
            if let Some(digest) = pushed_digest(line) {
                *printed.lock().unwrap_or_else(PoisonError::into_inner) = Some(digest.to_owned());
            }
        };
        let mut tries = 1;
        loop {
            match self.about_image("push", reference, &arguments, log, &on_line).await {
                Ok(()) => {
                    let written = fs::read_to_string(answer.path())?;
                    let printed = printed.into_inner().unwrap_or_else(PoisonError::into_inner);
                    return Ok(Some(written.trim().to_owned()).filter(|it| !it.is_empty()).or(printed));
                }
                Err(Error::Image { tail, .. }) if tries < TRIES && is_passing(&tail) => {
                    log::add(log, &format!("# tried {tries} of {TRIES} times; again after {pause:?}"))?;
                    tokio::time::sleep(pause * tries).await;
                    tries += 1;
                }
                Err(Error::Image { action, reference, tail, log, .. }) => {
                    return Err(Error::Image { action, reference, tries, tail, log });
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Removes a name of an image, and the image with its last name.
    ///
    /// # Errors
    /// When the engine does not answer.
    pub async fn remove_image(&self, reference: &str) -> Result<()> {
        if self.image(reference).await?.is_some() {
            self.output(&["image", "rm", "--force", reference]).await?;
        }
        Ok(())
    }

    /// The error that a pushed image has no digest.
    pub fn no_digest(&self, reference: &str) -> Error {
        let message = format!("it does not say what digest the registry gave {reference}");
        Error::Engine { program: self.name(), command: "push".into(), message }
    }

    pub(crate) fn gone(&self, reference: &str) -> Error {
        let message = format!("{reference} is not there, although it was made a moment ago");
        Error::Engine { program: self.name(), command: "image inspect".into(), message }
    }

    async fn about_image(
        &self,
        action: &'static str,
        reference: &str,
        arguments: &[String],
        log: &Path,
        on_line: &(dyn Fn(&str) + Sync),
    ) -> Result<()> {
        let status = self.logged(arguments, log, on_line).await?;
        if status.success() {
            return Ok(());
        }
        let mut tail = log::tail(log)?;
        // Of this command alone: the log has what was done before it, too.
        if let Some(last) = tail.iter().rposition(|line| line.starts_with("$ ")) {
            tail.drain(..=last);
        }
        Err(Error::Image { action, reference: reference.to_owned(), tries: 1, tail, log: log.to_owned() })
    }
}

/// The digest in the last line of `docker push`: `12-latest: digest: sha256:… size: 739`.
fn pushed_digest(line: &str) -> Option<&str> {
    let (_, after) = line.split_once(": digest: ")?;
    after.split(' ').next().filter(|digest| digest.starts_with("sha256:"))
}

/// Whether what a registry said may be another thing the next time: not when it knows the answer, and not when
/// the engine itself has tried for a minute (Docker does once a registry has taken the first part).
fn is_passing(said: &[String]) -> bool {
    if said.iter().any(|line| line.contains("Retrying in")) {
        return false;
    }
    // The registry's error codes (OCI Distribution Specification, "Error Codes") and Docker's words for them.
    const FINAL: [&str; 9] = [
        "denied",
        "unauthorized",
        "authentication required",
        "no basic auth credentials",
        "not found",
        "does not exist",
        "name unknown",
        "invalid reference",
        "http response to https client",
    ];
    let mut last = said.iter().rev().take(3).map(|line| line.to_lowercase());
    !last.any(|line| FINAL.iter().any(|words| line.contains(words)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(is_preview: bool) -> BaseImage {
        BaseImage {
            repository: "registry.example.com/hello/debian".into(),
            is_local: false,
            version: "12".into(),
            is_preview,
            directory: "/project/dist/debian/12".into(),
        }
    }

    #[test]
    fn an_image_has_a_tag_for_its_week_and_one_that_moves() {
        assert_eq!(base(false).dated("2026.47"), "registry.example.com/hello/debian:12-2026.47");
        assert_eq!(base(false).latest(), "registry.example.com/hello/debian:12-latest");
        assert_eq!(base(true).dated("2026.47"), "registry.example.com/hello/debian:12-2026.47-preview");
        assert_eq!(base(true).latest(), "registry.example.com/hello/debian:12-latest-preview");
    }

    #[test]
    fn a_push_tells_the_registrys_digest() {
        assert_eq!(pushed_digest("12-latest: digest: sha256:0f size: 739"), Some("sha256:0f"));
        assert_eq!(pushed_digest("a1b2c3: Pushed"), None);
    }

    #[test]
    fn only_what_can_pass_is_tried_again() {
        let passing = |line: &str| is_passing(&["pushing".to_owned(), line.to_owned()]);
        assert!(passing("dial tcp 127.0.0.1:5000: connect: connection refused"));
        assert!(passing("received unexpected HTTP status: 502 Bad Gateway"));
        assert!(passing("write: connection reset by peer"));
        assert!(!passing("unauthorized: authentication required"));
        assert!(!passing("denied: requested access to the resource is denied"));
        assert!(!passing("no basic auth credentials"));
    }
}

//! The output `freebsd`.

use std::path::Path;

use packhouse_package::{Kind, Moment, Options, Resources, freebsd};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::super::draft::Draft;
use super::super::log::Result;
use super::super::name::Tokens;
use super::{Context, Output};

pub(super) struct FreeBsd {
    draft: Draft,
    /// In the file's name, with the iteration behind `_`.
    full_version: String,
    /// In the manifest.
    version: String,
    abi: String,
}

impl FreeBsd {
    pub(super) fn new(draft: Draft, context: &Context<'_>) -> Result<FreeBsd> {
        let iteration = draft.iteration.as_deref().filter(|text| {
            let digits = text.bytes().take_while(u8::is_ascii_digit).count();
            text[..digits].parse::<u64>().is_ok_and(|number| number > 0)
        });
        let (full_version, version) = match iteration {
            Some(iteration) => {
                (format!("{}_{iteration}", draft.version()), format!("{}-{iteration}", draft.version()))
            }
            None => (draft.version().to_owned(), draft.version().to_owned()),
        };
        let machine = context.environment.machine.as_str();
        let word =
            if matches!(draft.architecture.as_str(), "native" | "") { machine } else { &draft.architecture };
        // FreeBSD's own words (its `MACHINE_ARCH`); fpm has those of the first two lines, and the width of a pointer
        // for others.
        let arch = match word {
            "amd64" | "x86_64" => "amd64",
            "arm64" | "aarch64" => "aarch64",
            "i386" | "i686" => "i386",
            "all" | "any" | "noarch" => "*",
            "armhf" | "armv7l" | "armv7hl" => "armv7",
            "ppc64le" | "ppc64el" => "powerpc64le",
            other => other,
        };
        // pkg reads `arm64` for an alias; it is what fpm writes.
        let arch = if arch == "aarch64" { "arm64" } else { arch };
        let abi = format!("FreeBSD:{}:{arch}", context.line.one("freebsd-osversion").unwrap_or("13"));
        Ok(FreeBsd { draft, full_version, version, abi })
    }
}

impl Output for FreeBsd {
    fn tokens(&self) -> Tokens<'_> {
        let tokens = super::tokens(&self.draft, "freebsd", &self.full_version);
        Tokens { extension: "txz", architecture: &self.abi, ..tokens }
    }

    fn default_name(&self) -> &str {
        "NAME-FULLVERSION.EXTENSION"
    }

    fn write(mut self: Box<Self>, path: &Path, _shown: &str, context: &Context<'_>) -> Result<()> {
        let mut files = std::mem::take(&mut self.draft.files);
        files.complete();
        super::forget_owners(&mut files);
        let origin = match context.line.one("freebsd-origin") {
            None | Some("fpm/<name>") => format!("fpm/{}", self.draft.name()),
            Some(origin) => origin.to_owned(),
        };
        let draft = &self.draft;
        let mut manifest = Map::new();
        for (key, value) in [
            ("arch", self.abi.as_str()),
            ("name", draft.name()),
            ("version", &self.version),
            ("comment", &draft.description),
            ("desc", &draft.description),
            ("origin", &origin),
            ("maintainer", &draft.maintainer),
            ("www", draft.url.as_deref().unwrap_or_default()),
            ("prefix", "/"),
        ] {
            manifest.insert(key.into(), Value::from(value));
        }
        let compact = line(&manifest);
        let mut sums = Map::new();
        for (path, entry) in files.iter() {
            // pkg takes `%` for the start of an escape.
            let name = format!("/{}", String::from_utf8_lossy(path.as_bytes()).replace('%', "%25"));
            match &entry.kind {
                Kind::File { .. } => {
                    let sum = Sha256::digest(super::bytes(entry)?);
                    let sum: String = sum.iter().map(|byte| format!("{byte:02x}")).collect();
                    sums.insert(name, sum.into());
                }
                Kind::Symlink { .. } => {
                    sums.insert(name, "-".into());
                }
                Kind::Directory | Kind::Ghost => {}
            }
        }
        manifest.insert("files".into(), sums.into());
        manifest.insert("scripts".into(), self.scripts(context).into());
        let manifests = [("+COMPACT_MANIFEST", compact), ("+MANIFEST", line(&manifest))];
        // The level of tar's `-J`.
        let compression = Some(packhouse_package::archive::compress::Compression::Xz(6));
        let package =
            super::package(draft, files, Options { compression, ..Options::default() }, context.time);
        super::write_beside(path, |out| Ok(freebsd::write(&package, &manifests, Resources::all(), out)?))
    }
}

impl FreeBsd {
    fn scripts(&self, context: &Context<'_>) -> Map<String, Value> {
        let mut scripts = Map::new();
        for (moment, script) in &self.draft.scripts {
            let name = match moment {
                Moment::BeforeInstall => "pre-install",
                Moment::AfterInstall => "post-install",
                Moment::BeforeRemove => "pre-deinstall",
                Moment::AfterRemove => "post-deinstall",
                Moment::BeforeUpgrade | Moment::AfterUpgrade => {
                    context
                        .log
                        .warn(format!("FreeBSD's packages have no script {}; it is left out", moment.name()));
                    continue;
                }
            };
            scripts.insert(name.into(), Value::from(script.as_str()));
        }
        scripts
    }
}

fn line(manifest: &Map<String, Value>) -> Vec<u8> {
    let mut text = Value::Object(manifest.clone()).to_string().into_bytes();
    text.push(b'\n');
    text
}

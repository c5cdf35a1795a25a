//! What is to be built, with nothing left to look up.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::PathBuf;

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::BaseImage;

/// A build: commands and their environment. Equal jobs give equal results and run once.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Job {
    /// The project's name; part of the path it is built at.
    pub project: String,
    /// Shell commands, run in order until one fails.
    pub commands: Vec<String>,
    /// Added to the few variables every build gets.
    pub environment: BTreeMap<String, String>,
    /// What its container is like; `None` for a job of this machine.
    pub container: Option<ContainerJob>,
}

/// What an engine needs to know besides the commands when they run in a container.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct ContainerJob {
    /// The target, as in `debian-12`; names the container and its caches.
    pub target: String,
    /// What the container is made from.
    pub image: BaseImage,
    /// The platform that the image must have.
    pub platform: Platform,
    /// What is taken out of the container, relative to the source: files, or directories with all below them.
    pub outputs: BTreeSet<PathBuf>,
    /// Directories that may be kept between builds, relative to the source.
    pub caches: BTreeSet<PathBuf>,
    /// The secrets that the commands may read, by the name of their file.
    pub secrets: BTreeMap<String, SecretSource>,
}

/// An operating system and a processor, as container engines write them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Platform {
    /// As in `linux/arm64`, or `linux/arm/v7`.
    pub name: String,
    /// The user asked for it; otherwise it is the engine's own.
    pub is_named: bool,
}

/// Where a secret of `[build] secrets` comes from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SecretSource {
    /// A variable of the caller's environment.
    Variable(String),
    /// A file of the caller's, an absolute path.
    File(PathBuf),
}

impl Job {
    /// A short name for the directory the job runs in: the same for equal jobs, on every machine.
    pub fn directory_name(&self) -> String {
        let mut hash = Sha256::new();
        let target = self.container.iter().flat_map(|it| [&it.target, &it.platform.name]);
        for part in std::iter::once(&self.project).chain(&self.commands).chain(target) {
            hash.update(part);
            hash.update([0]);
        }
        for (name, value) in &self.environment {
            hash.update(name);
            hash.update(b"=");
            hash.update(value);
            hash.update([0]);
        }
        let mut name = format!("{}-", self.project);
        for byte in &hash.finalize()[..6] {
            let _ = write!(name, "{byte:02x}");
        }
        name
    }
}

impl Platform {
    /// The processor, as the engines' images name it: `arm64`.
    pub fn processor(&self) -> &str {
        self.name.split('/').nth(1).unwrap_or(&self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_that_differ_have_directories_of_their_own() {
        let job = Job {
            project: "hello".into(),
            commands: vec!["make".into()],
            environment: BTreeMap::new(),
            container: None,
        };
        let other = Job { commands: vec!["make all".into()], ..job.clone() };
        assert_eq!(job.directory_name(), job.clone().directory_name());
        assert_ne!(job.directory_name(), other.directory_name());
        assert!(job.directory_name().starts_with("hello-"));
    }
}

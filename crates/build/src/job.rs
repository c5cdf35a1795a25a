//! What is to be built, with nothing left to look up.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;
use sha2::{Digest as _, Sha256};

/// A build: commands and their environment. Equal jobs give equal results and run once.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Job {
    /// The project's name; part of the path it is built at.
    pub project: String,
    /// Shell commands, run in order until one fails.
    pub commands: Vec<String>,
    /// Added to the few variables every build gets.
    pub environment: BTreeMap<String, String>,
}

impl Job {
    /// A short name for the directory the job runs in: the same for equal jobs, on every machine.
    pub fn directory_name(&self) -> String {
        let mut hash = Sha256::new();
        for part in std::iter::once(&self.project).chain(&self.commands) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_that_differ_have_directories_of_their_own() {
        let job =
            Job { project: "hello".into(), commands: vec!["make".into()], environment: BTreeMap::new() };
        let other = Job { commands: vec!["make all".into()], ..job.clone() };
        assert_eq!(job.directory_name(), job.clone().directory_name());
        assert_ne!(job.directory_name(), other.directory_name());
        assert!(job.directory_name().starts_with("hello-"));
    }
}

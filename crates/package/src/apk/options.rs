//! What only an apk can say.

use crate::{Relation, Script};

/// What only an apk can say; each is a field of APKBUILD(5).
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Which of the packages that provide a name without a version apk takes by itself; the highest.
    pub provider_priority: Option<u32>,
    /// Whose file stays when two packages that replace each other have it; the highest.
    pub replaces_priority: Option<u32>,
    /// apk installs the package by itself once all of these are; at least two, one of them with `=`.
    pub install_if: Vec<Relation>,
    /// Runs after changes in directories.
    pub trigger: Option<Trigger>,
}

/// A script that runs when a transaction changed something in a directory, or the package itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trigger {
    /// Absolute paths with `*` and `?`; with a `+` in front, only passed on when they changed.
    pub directories: Vec<String>,
    /// Gets the directories as arguments.
    pub script: Script,
}

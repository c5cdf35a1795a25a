//! A package's version as the project gives it; each format spells it by its own rules.

/// Epoch, version and release, before a format has had its say.
///
/// deb writes `[epoch:]version[-release]`; rpm has a tag for each, turns `-` into `_`, and needs a release
/// (`1` unless given).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// Sorts before everything else; for a numbering that was started anew.
    pub epoch: Option<u32>,
    /// The version, as in `0.1.0-ubuntu-22.04-2305191200-01fd6b4`.
    pub version: String,
    /// Debian's revision, rpm's release; fpm's `--iteration`.
    pub release: Option<String>,
    /// What `version` was put together from, for a format whose grammar has no room for all of it (apk).
    pub elements: Option<Elements>,
}

/// The four elements that a package is tagged with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Elements {
    /// The project's own version, as in `0.1.0`.
    pub version: String,
    /// The target, as in `alpine-3.20`.
    pub target: String,
    /// When it was built: UTC, as in `2305191200`.
    pub built: String,
    /// The short Git revision, as in `01fd6b4`; `None` outside Git.
    pub revision: Option<String>,
}

impl Version {
    /// A version without epoch and release.
    pub fn new(version: impl Into<String>) -> Version {
        Version { epoch: None, version: version.into(), release: None, elements: None }
    }
}

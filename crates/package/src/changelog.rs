//! What changed from version to version, for the formats that tell customers.

use crate::Timestamp;

/// What one version brought; a package's list has the newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangelogEntry {
    /// The version, as the project calls it.
    pub version: String,
    /// When it was released.
    pub time: Timestamp,
    /// Who released it: `Name <address>`.
    pub author: String,
    /// The changes, a line or paragraph each, without bullets.
    pub changes: Vec<String>,
}

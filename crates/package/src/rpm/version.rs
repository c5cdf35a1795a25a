//! rpm's spelling of versions: epoch, version and release, each in its own tag.

use std::fmt;

use crate::{Error, Metadata, Options, Result};

/// A package's version as rpm has it; its `Display` is `[epoch:]version-release`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Evr {
    pub(super) epoch: Option<u32>,
    pub(super) version: String,
    pub(super) release: String,
}

impl Evr {
    /// The version of a package: `-` becomes `_`, the release is 1 unless given, with the `dist` behind it.
    ///
    /// # Errors
    /// When a character is left that rpm does not allow.
    pub(super) fn new(metadata: &Metadata, options: &Options) -> Result<Evr> {
        let given = &metadata.version;
        let mut release = given.release.clone().unwrap_or_else(|| "1".into());
        if let Some(dist) = &options.rpm.dist {
            release = format!("{release}.{}", dist.trim_start_matches('.'));
        }
        Ok(Evr { epoch: given.epoch, version: spelled(&given.version)?, release: spelled(&release)? })
    }

    /// As in file names: without the epoch.
    pub(super) fn without_epoch(&self) -> String {
        format!("{}-{}", self.version, self.release)
    }
}

/// `-` separates version and release; everything else must be rpm's (`ALLOWED_CHARS_VERREL` in
/// `build/rpmbuild_internal.h`, less the characters of macros).
fn spelled(version: &str) -> Result<String> {
    let spelled = version.replace('-', "_");
    let reason = if spelled.is_empty() {
        "it is empty"
    } else if !spelled.chars().all(|c| c.is_ascii_alphanumeric() || "._+~^".contains(c)) {
        "only letters, digits and `.`, `_`, `+`, `~`, `^` are allowed (`-` becomes `_`)"
    } else {
        return Ok(spelled);
    };
    Err(Error::Version { version: version.into(), format: "rpm", reason })
}

impl fmt::Display for Evr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(epoch) = self.epoch {
            write!(f, "{epoch}:")?;
        }
        write!(f, "{}-{}", self.version, self.release)
    }
}

//! What only a deb can say.

use std::collections::BTreeMap;

use crate::{Owner, Script};

/// What only a deb can say; fpm's `--deb-…` flags.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Debian Policy 2.5; `optional` when `None`.
    pub priority: Option<String>,
    /// Further control fields, after the others, as `(name, value)`.
    pub fields: Vec<(String, String)>,
    /// Overrides the computed `Installed-Size`, in KiB.
    pub installed_size: Option<u64>,
    /// Owns every entry that has no owner of its own.
    pub owner: Option<Owner>,
    /// The suite in the changelog entry; `unstable` when `None`.
    pub distribution: Option<String>,
    /// The text of `changelog.Debian.gz`; one entry is generated when `None`.
    pub changelog: Option<String>,
    /// The text of upstream's `changelog.gz`.
    pub upstream_changelog: Option<String>,
    /// Further members of the control archive, as `(name, bytes)`, mode 0644.
    pub control_members: Vec<(String, Vec<u8>)>,
    /// debconf's `config`.
    pub config: Option<Script>,
    /// debconf's `templates`.
    pub templates: Option<String>,
    /// The `shlibs` member.
    pub shlibs: Option<String>,
    /// The `triggers` member.
    pub triggers: Vec<Trigger>,
    /// Runs on `postrm purge`, when the configuration files are deleted.
    pub after_purge: Option<Script>,
    /// Generated maintainer scripts stop at the first failing command (`set -e`).
    pub check_errors: bool,
    /// `foo = 1.2.3` becomes `foo (>= 1.2.3), foo (<< 1.2.4)`.
    pub ignore_release_in_dependencies: bool,
    /// The control archive is gzip where the data archive is xz: dpkg before 1.17.6 reads no other (deb(5)).
    pub gzip_control: bool,
    /// The control archive as it stands, instead of what Packhouse makes of everything else.
    pub verbatim: Option<Verbatim>,
}

/// A control archive that somebody else put together (`packhouse fpm`): the writer adds `md5sums`, and nothing to the
/// files.
#[derive(Clone, Debug, Default)]
pub struct Verbatim {
    /// Its members by name, each with its mode; at least `control`.
    pub members: BTreeMap<String, (u16, Vec<u8>)>,
    /// Owners without one of their own are written by number alone, as `tar --numeric-owner` does.
    pub is_numeric: bool,
}

/// A line of the `triggers` member (deb-triggers(5)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trigger {
    /// `interest`, `interest-noawait`, `activate` or `activate-noawait`.
    pub directive: &'static str,
    /// A file path or a trigger's name.
    pub name: String,
}

//! The names of a distribution site's objects (see *The distribution site* in the product's contract).
//!
//! ```text
//! <distribution>/<package file>
//! <distribution>/<package file>.asc                           detached, armored signature
//! <distribution>/<package file>.sig                           pacman's: the same, binary
//! <distribution>/<distribution>-<version>.<arch>.latest.txt   pointer: a file name and a newline
//! releases.json                                               the head
//! releases.asc keyring.gpg keyring.asc index.html install.sh  derived from the head
//! .packhouse/                                                 locks and unfinished files of a directory site
//! ```

use crate::ObjectPath;

/// The head file: every release of every target.
pub const HEAD: &str = "releases.json";
/// The head, cleartext-signed.
pub const RELEASES: &str = "releases.asc";
/// The trusted keys as a binary OpenPGP keyring.
pub const KEYRING: &str = "keyring.gpg";
/// The trusted keys, armored.
pub const ARMORED_KEYRING: &str = "keyring.asc";
/// The install script.
pub const INSTALL_SCRIPT: &str = "install.sh";
/// The download page.
pub const DOWNLOAD_PAGE: &str = "index.html";

/// The objects that are derived from the head, in the order they are written; pointers follow.
///
/// Keys come before the script that pins them, and the page that shows everything comes last.
pub const DERIVED: [&str; 5] = [KEYRING, ARMORED_KEYRING, RELEASES, INSTALL_SCRIPT, DOWNLOAD_PAGE];

/// The directory of a directory site in which locks and unfinished files lie; no object's name has it.
pub(crate) const PRIVATE_DIRECTORY: &str = ".packhouse";

/// The architecture of packages that run on every machine.
pub(crate) const ANY_MACHINE: &str = "noarch";

/// What `uname -m` says on the machines that packages are made for.
pub(crate) const MACHINES: [&str; 7] = ["aarch64", "armv7l", "i686", "ppc64le", "riscv64", "s390x", "x86_64"];

/// The channel whose pointer has no suffix.
pub const STABLE: &str = "stable";

pub(crate) fn derived_paths() -> impl Iterator<Item = ObjectPath> {
    DERIVED.into_iter().map(|name| ObjectPath::new(name).expect("the layout's own names are valid"))
}

pub(crate) fn head_path() -> ObjectPath {
    ObjectPath::new(HEAD).expect("the layout's own names are valid")
}

/// The name of a pointer: `ubuntu-22.04.x86_64.latest.txt`, or `….latest-preview.txt` for a channel other
/// than `stable`.
pub fn pointer_name(distribution: &str, version: &str, arch: &str, channel: &str) -> String {
    match channel {
        STABLE => format!("{distribution}-{version}.{arch}.latest.txt"),
        other => format!("{distribution}-{version}.{arch}.latest-{other}.txt"),
    }
}

//! Native Linux packages, written from one description, and read.
//!
//! A [`Package`] is metadata, a tree of files, maintainer scripts and a time. A [`Format`] turns it into a
//! file that the distribution's own tools accept: [`deb`] for dpkg and apt, [`rpm`] for rpm, dnf and zypper, [`apk`]
//! for apk, [`pacman`] for pacman; [`tar`] and [`zip`] for people.
//! Writing streams: memory does not depend on the payload's size. Nothing of the machine leaks into the
//! bytes: no clock, umask, locale, user, directory order or file time; the same package is the same file.
//!
//! | module | holds |
//! |---|---|
//! | [`metadata`], [`version`], [`arch`], [`relation`] | what the package says about itself |
//! | [`script`] | maintainer scripts, named by the moment they run at |
//! | [`file_tree`], [`path`] | the files, their modes, owners and marks |
//! | [`assemble`] | puts a package together from what a build left and the project's rules |
//! | [`format`](mod@format) | the trait every format implements, and the list of formats |
//! | [`deb`], [`rpm`] | what only one of them can say |
//! | [`pattern`], [`timestamp`] | what paths and times are given as |
//! | [`together`] | packages that share reading, hashing and compressing |
//! | [`unpack`] | the files of a package, taken out |
//! | [`archive`] | compressed streams |
//!
//! A package file, ours or another's, is read by [`inspect_file`]: what it says, and what is in it. See [`inspect`].
//!
//! The crate does not build, sign or publish.

pub mod apk;
pub mod arch;
pub mod archive;
pub mod assemble;
pub mod capabilities;
pub mod changelog;
mod content;
pub mod deb;
mod error;
pub mod file_tree;
pub mod format;
pub mod freebsd;
#[cfg(any(fuzzing, test))]
pub mod fuzz;
mod glue;
mod identify;
pub mod inspect;
pub mod metadata;
mod openpgp;
pub mod pacman;
pub mod path;
pub mod pattern;
pub mod relation;
pub mod rpm;
mod scan;
pub mod script;
pub mod setup;
pub mod signing;
mod sysusers;
pub mod tar;
pub mod timestamp;
pub mod together;
pub mod unpack;
pub mod version;
pub mod zip;

pub use arch::Arch;
pub use capabilities::Capabilities;
pub use changelog::ChangelogEntry;
pub use error::{Change, Error};
pub use file_tree::{Content, Entry, FileTree, Inherited, Kind, LinkId, Mark, Owner};
pub use format::{Format, Options, Package, PackageFormat, Resources};
pub use identify::inspect as inspect_file;
pub use inspect::{Depth, Inspection, Named};
pub use metadata::{Metadata, PackageName, Relations};
pub use path::PackagePath;
pub use relation::Relation;
pub use script::{Moment, Script, Scripts};
pub use setup::{Account, AccountKind, Services, Setup};
pub use signing::Signing;
pub use timestamp::Timestamp;
pub use version::{Elements, Version};

/// What this crate's functions return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

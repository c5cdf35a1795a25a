//! Debian's package format (deb(5)), for dpkg and apt.
//!
//! A deb is an ar archive of two tar archives: what the package says about itself, and
//! its files. The writer streams, needs no temporary file and reads every file once.
//!
//! | module | what it writes |
//! |---|---|
//! | `write` | the archive |
//! | `members` | what control.tar holds |
//! | `control` | the `control` member |
//! | `relation` | Depends and its like |
//! | `scripts`, `systemd`, `accounts` | maintainer scripts |
//! | `documents` | the changelog and the copyright file |
//!
//! `inspect` reads a deb, `paragraph` its `control` member. Source packages and `.changes` files are neither
//! written nor read.

mod accounts;
mod control;
mod documents;
mod inspect;
mod members;
mod options;
pub(crate) mod paragraph;
mod relation;
mod scripts;
mod systemd;
mod write;

pub(crate) use inspect::with_data;
pub use options::{Options, Trigger, Verbatim};

use crate::archive::compress::Compression;
use crate::format::Output;
use crate::inspect::{Depth, Input, Inspection};
use crate::together::{self, Parts};
use crate::{Arch, Metadata, Package, PackageFormat, Resources, Result};

/// The deb format.
pub struct Deb;

impl PackageFormat for Deb {
    fn name(&self) -> &'static str {
        "deb"
    }

    fn arch(&self, arch: Arch) -> &'static str {
        arch.deb()
    }

    fn file_name(&self, metadata: &Metadata, _options: &crate::Options) -> Result<String> {
        control::file_name(metadata)
    }

    fn write(&self, package: &Package, resources: Resources, out: &mut dyn Output) -> Result<()> {
        together::write_one(write::parts(package)?, resources, out)
    }

    fn parts<'a>(&self, package: &'a Package) -> Result<Option<Box<dyn Parts + 'a>>> {
        write::parts(package).map(Some)
    }

    fn endings(&self) -> &'static [&'static str] {
        &[".deb"]
    }

    /// `NAME_VERSION_ARCH` without the epoch (dpkg-name(1)); apt's cache has it, as `%3a`.
    fn stems(&self, package: &Inspection) -> Vec<String> {
        let Inspection { name, version, arch, .. } = package;
        let stem = |version: &str| format!("{name}_{version}_{arch}");
        match version.split_once(':') {
            Some((epoch, rest)) => vec![stem(rest), stem(&format!("{epoch}%3a{rest}"))],
            None => vec![stem(version)],
        }
    }

    fn compressions(&self) -> &'static [Compression] {
        &[Compression::XZ, Compression::ZSTD, Compression::GZIP, Compression::None]
    }

    fn inspect(&self, file: &mut dyn Input, depth: Depth) -> Result<Inspection> {
        inspect::inspect(file, depth)
    }
}

//! rpm's package format: version 4, read by every rpm from 4.6 (RHEL 6) to 6, and version 6 as an option.
//!
//! Specification: rpm's `docs/manual/format_v4.md`, `format_v6.md`, `format_header.md`, `tags.md`; where they are silent, its
//! source. `write.rs` shows the layout of a file and argues the choice of digests, `scriptlets.rs` what runs
//! when, `directories.rs` what is owned.
//!
//! rpm 4.11 (CentOS 7, Amazon Linux 2) reads these packages, with its own limits: 16 MiB of header, which is
//! some 100,000 files; no file of 4 GiB or more; no zstd; no rich or weak dependencies. The first three make
//! it refuse a package with a clear message, weak dependencies it passes over.
//!
//! Not written: the numbers of file(1)'s classes and per-file dependencies (`FILECLASS`, `FILEDEPENDSX`),
//! links by build id, source packages.

mod changelog;
mod dependency;
mod directories;
mod files;
mod header;
mod inspect;
mod options;
mod payload;
mod read;
mod rich;
mod scriptlets;
mod setup;
mod signature;
mod tag;
mod verbatim;
mod version;
mod write;

pub(crate) use inspect::unpack::take_files;
pub use options::{
    Dependency, DependencyKind, FileDigest, FileTrigger, FileTriggerMoment, FormatVersion, Options, Trigger,
    TriggerMoment,
};
pub use verbatim::{Scriptlet, Verbatim};

/// Whether the distribution has the directory at `path`, so that no package of others owns it.
pub fn is_distributions(path: &crate::PackagePath) -> bool {
    directories::is_distributions(path.as_bytes())
}

use crate::archive::compress::Compression;
use crate::format::Output;
use crate::inspect::{Depth, Input, Inspection};
use crate::signing::{Embedded, Signing};
use crate::together::{self, Parts};
use crate::{Arch, Metadata, Package, PackageFormat, Resources, Result};

/// The rpm format.
pub struct Rpm;

impl PackageFormat for Rpm {
    fn name(&self) -> &'static str {
        "rpm"
    }

    fn arch(&self, arch: Arch) -> &'static str {
        arch.rpm()
    }

    fn file_name(&self, metadata: &Metadata, options: &crate::Options) -> Result<String> {
        let version = version::Evr::new(metadata, options)?.without_epoch();
        Ok(format!("{}-{version}.{}.rpm", metadata.name, metadata.arch.rpm()))
    }

    fn write(&self, package: &Package, resources: Resources, out: &mut dyn Output) -> Result<()> {
        together::write_one(write::parts(package)?, resources, out)
    }

    fn parts<'a>(&self, package: &'a Package) -> Result<Option<Box<dyn Parts + 'a>>> {
        write::parts(package).map(Some)
    }

    fn endings(&self) -> &'static [&'static str] {
        &[".rpm"]
    }

    /// `NAME-VERSION-RELEASE.ARCH`, without the epoch (rpm's macro `_build_name_fmt`).
    fn stems(&self, package: &Inspection) -> Vec<String> {
        let version = package.version.split_once(':').map_or(&*package.version, |(_, rest)| rest);
        vec![format!("{}-{version}.{}", package.name, package.arch)]
    }

    fn compressions(&self) -> &'static [Compression] {
        &[Compression::GZIP, Compression::XZ, Compression::ZSTD, Compression::None]
    }

    fn without_release<'a>(&self, version: &'a str) -> &'a str {
        version.strip_suffix("-1").unwrap_or(version)
    }

    /// What rpm's own writer puts in: features of rpm, a package's configuration files, interpreters of scripts.
    fn is_implied(&self, relation: &str) -> bool {
        ["rpmlib(", "config(", "/"].iter().any(|start| relation.starts_with(start))
    }

    fn signing(&self) -> Signing {
        Signing::Inside(&signature::InHeader)
    }

    fn signatures(&self, file: &mut dyn Input) -> Result<Vec<Embedded>> {
        signature::read(file)
    }

    fn inspect(&self, file: &mut dyn Input, depth: Depth) -> Result<Inspection> {
        inspect::inspect(file, depth)
    }
}

//! Alpine's package format, version 2 (apk-v2(5)), for apk of Alpine Linux and Wolfi.
//!
//! An apk is one tar archive in two gzip members, with a third in front once it is signed: what the package says
//! about itself, and its files. apk 2 and apk 3 install it.
//!
//! | module | what it writes |
//! |---|---|
//! | `write` | the archive |
//! | `info` | `.PKGINFO` |
//! | `version`, `relation` | versions and dependencies in Alpine's grammar |
//! | `scripts`, `setup` | scripts; accounts, services and ghost files in them |
//! | `protected` | which configuration files outside `/etc` apk keeps |
//! | `signature` | the member in front |
//! | `inspect`, `segments`, `pkginfo` | nothing: they read, as strictly as apk does |
//!
//! The specification is apk-tools' `doc/apk-v2.5.scd` and `doc/apk-package.5.scd`, its sources and abuild's. It does
//! not write apk version 3 (adb), and it does not compute signatures.

mod info;
mod inspect;
mod options;
mod pkginfo;
mod protected;
mod read;
mod relation;
mod scripts;
mod segments;
mod setup;
mod signature;
mod tar;
mod version;
mod write;

pub use options::{Options, Trigger};

use crate::archive::compress::Compression;
use crate::format::Output;
use crate::inspect::{Depth, Input, Inspection};
use crate::signing::{Embedded, Signing};
use crate::{Arch, Metadata, Package, PackageFormat, Resources, Result};

/// The apk format.
pub struct Apk;

impl PackageFormat for Apk {
    fn name(&self) -> &'static str {
        "apk"
    }

    fn arch(&self, arch: Arch) -> &'static str {
        arch.apk()
    }

    fn file_name(&self, metadata: &Metadata, _options: &crate::Options) -> Result<String> {
        version::file_name(metadata)
    }

    fn write(&self, package: &Package, resources: Resources, out: &mut dyn Output) -> Result<()> {
        write::write(package, resources, out)
    }

    fn endings(&self) -> &'static [&'static str] {
        &[".apk"]
    }

    /// `NAME-VERSION`, as abuild names files; `NAME_VERSION_ARCH` as nfpm and fpm do.
    fn stems(&self, package: &Inspection) -> Vec<String> {
        let Inspection { name, version, arch, .. } = package;
        vec![format!("{name}-{version}"), format!("{name}_{version}_{arch}")]
    }

    fn compressions(&self) -> &'static [Compression] {
        &[Compression::GZIP]
    }

    fn without_release<'a>(&self, version: &'a str) -> &'a str {
        ["-r0", "-r1"].iter().find_map(|release| version.strip_suffix(release)).unwrap_or(version)
    }

    fn signing(&self) -> Signing {
        Signing::Inside(&signature::InFront)
    }

    fn signatures(&self, file: &mut dyn Input) -> Result<Vec<Embedded>> {
        signature::read(file)
    }

    fn inspect(&self, file: &mut dyn Input, depth: Depth) -> Result<Inspection> {
        inspect::inspect(file, depth)
    }
}

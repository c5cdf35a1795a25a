//! The pacman format, for Arch Linux and its relatives: written by makepkg(8), read by libalpm.
//!
//! A package is a compressed tar archive, named `NAME-[EPOCH:]VERSION-RELEASE-ARCH.pkg.tar.zst`:
//!
//! | member | content |
//! |---|---|
//! | `.BUILDINFO` | how it was built (BUILDINFO(5)); the same for every build with Packhouse |
//! | `.CHANGELOG` | free text that `pacman -Qc` shows; only with changelog entries |
//! | `.INSTALL` | shell functions that pacman calls (PKGBUILD(5), "Install/Upgrade/Remove Scripting"); only when needed |
//! | `.MTREE` | every file with mode, time, size and digests (mtree(5)), compressed by gzip |
//! | `.PKGINFO` | what the package says about itself: lines of `key = value` |
//! | the files | sorted, without `./` in front |
//!
//! The members' order is makepkg's: the sorted names. libalpm takes its list of files from `.MTREE`, and extracts only
//! what that names.
//!
//! Main types: [`Pacman`] and [`Options`]. What pacman cannot do is refused with the reason, or, where it only says
//! less, documented in `docs/reference/formats/pacman.md`: it does not abort when a script fails, it ignores the names
//! of owners in the archive (see `owners`), and it knows one level of wish, `optdepend`.

mod info;
mod inspect;
mod install;
mod mtree;
mod owners;
mod relation;
mod version;
mod write;

use crate::archive::compress::Compression;
use crate::format::Output;
use crate::inspect::{Depth, Input, Inspection};
use crate::signing::Signing;
use crate::together::{self, Parts};
use crate::{Arch, Metadata, Owner, Package, PackageFormat, Relation, Resources, Result};

/// What only this format can say.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Packages that add to what this one can do, each with the reason: `name: reason`.
    pub optional_depends: Vec<Relation>,
    /// Whom everything belongs to that has no owner of its own; root unless given.
    pub owner: Option<Owner>,
    /// The texts as they stand, instead of what Packhouse makes of everything else.
    pub verbatim: Option<Verbatim>,
}

/// A description that somebody else wrote (`packhouse fpm`); the writer adds `.MTREE`, and nothing to the files.
#[derive(Clone, Debug, Default)]
pub struct Verbatim {
    /// `.PKGINFO`.
    pub info: String,
    /// `.INSTALL`.
    pub install: Option<String>,
}

/// The pacman format.
pub struct Pacman;

impl PackageFormat for Pacman {
    fn name(&self) -> &'static str {
        "pacman"
    }

    /// As `CARCH` in the makepkg.conf(5) of the distribution that has the architecture: Arch Linux, Arch Linux 32,
    /// Arch Linux ARM, ArchPOWER, Arch Linux RISC-V. Nobody has s390x; it keeps the kernel's word.
    fn arch(&self, arch: Arch) -> &'static str {
        match arch {
            Arch::Noarch => "any",
            Arch::Armv7 => "armv7h",
            Arch::Ppc64le => "powerpc64le",
            others => others.uname(),
        }
    }

    fn file_name(&self, metadata: &Metadata, options: &crate::Options) -> Result<String> {
        let version = version::full(&metadata.version)?;
        let suffix = options.compression.unwrap_or(Compression::ZSTD).suffix();
        Ok(format!("{}-{version}-{}.pkg.tar{suffix}", metadata.name, self.arch(metadata.arch)))
    }

    fn write(&self, package: &Package, resources: Resources, out: &mut dyn Output) -> Result<()> {
        together::write_one(write::parts(package)?, resources, out)
    }

    fn parts<'a>(&self, package: &'a Package) -> Result<Option<Box<dyn Parts + 'a>>> {
        write::parts(package).map(Some)
    }

    fn endings(&self) -> &'static [&'static str] {
        &[".pkg.tar.zst", ".pkg.tar.xz", ".pkg.tar.gz", ".pkg.tar"]
    }

    /// `NAME-[EPOCH:]VERSION-RELEASE-ARCH` (makepkg's `create_package`).
    fn stems(&self, package: &Inspection) -> Vec<String> {
        vec![format!("{}-{}-{}", package.name, package.version, package.arch)]
    }

    fn compressions(&self) -> &'static [Compression] {
        &[Compression::ZSTD, Compression::XZ, Compression::GZIP, Compression::None]
    }

    fn without_release<'a>(&self, version: &'a str) -> &'a str {
        version.strip_suffix("-1").unwrap_or(version)
    }

    /// One packet, no armor, and no second signature: pacman refuses a file with two of which it trusts one
    /// (`_alpm_check_pgp_helper` in pacman's `lib/libalpm/signing.c` looks at each).
    fn signing(&self) -> Signing {
        Signing::Beside(".sig")
    }

    fn inspect(&self, file: &mut dyn Input, depth: Depth) -> Result<Inspection> {
        inspect::inspect(file, depth)
    }
}

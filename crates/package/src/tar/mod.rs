//! A plain tar archive of the files, for people without a package manager: `tar -C / -xzf hello-1.0.x86_64.tar.gz`.
//!
//! It holds what the package holds, sorted by name, without `./` in front: files, directories, symbolic and hard
//! links, with modes, owners by name, and capabilities as extended attributes. Nothing of the metadata is in it but
//! name, version and architecture in the file's name; scripts do not run, and ghosts are left out.
//!
//! The archive is GNU tar's (its manual, "Basic Tar Format"), with a pax header (pax(1)) where a file has
//! capabilities: GNU tar, bsdtar and busybox read it.

pub(crate) mod inspect;
mod write;

use crate::archive::compress::Compression;
use crate::format::Output;
use crate::inspect::{Depth, Input, Inspection};
use crate::{Arch, Error, Metadata, Package, PackageFormat, Resources, Result};

/// What only this format can say.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Names start with `./`, the root itself comes first, and the name and version of the package, which are not in the
    /// archive, can be anything: as `tar -C TREE -c .` has it.
    pub is_rooted: bool,
}

/// The tar format.
pub struct Tar;

impl PackageFormat for Tar {
    fn name(&self) -> &'static str {
        "tar"
    }

    fn arch(&self, arch: Arch) -> &'static str {
        arch.uname()
    }

    fn file_name(&self, metadata: &Metadata, options: &crate::Options) -> Result<String> {
        let compression = options.compression.unwrap_or(Compression::GZIP);
        Ok(format!("{}.tar{}", stem("tar", metadata)?, compression.suffix()))
    }

    fn write(&self, package: &Package, resources: Resources, out: &mut dyn Output) -> Result<()> {
        write::write(package, resources, out)
    }

    fn has_metadata(&self) -> bool {
        false
    }

    fn endings(&self) -> &'static [&'static str] {
        &[".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar.zst", ".tar"]
    }

    fn compressions(&self) -> &'static [Compression] {
        &[Compression::GZIP, Compression::XZ, Compression::ZSTD, Compression::None]
    }

    fn inspect(&self, file: &mut dyn Input, depth: Depth) -> Result<Inspection> {
        inspect::inspect(file, depth)
    }
}

/// What the name of a plain archive starts with: `NAME-VERSION[-RELEASE].ARCH`, as in `hello-1.0.x86_64`.
///
/// # Errors
/// When the version has a character that a file's name should not have.
pub(crate) fn stem(format: &'static str, metadata: &Metadata) -> Result<String> {
    let version = &metadata.version;
    let release = version.release.as_ref().map(|release| format!("-{release}")).unwrap_or_default();
    let spelled = format!("{}{release}", version.version);
    let is_known = |c: char| c.is_ascii_alphanumeric() || "._+~^-".contains(c);
    if !spelled.starts_with(|c: char| c.is_ascii_alphanumeric()) || !spelled.chars().all(is_known) {
        let reason = "it starts with a letter or digit, and has only these and `.`, `_`, `+`, `~`, `^`, `-`";
        return Err(Error::Version { version: spelled, format, reason });
    }
    Ok(format!("{}-{spelled}.{}", metadata.name, metadata.arch.uname()))
}

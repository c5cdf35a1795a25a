//! The tar format: a room that is furnished next.

use crate::archive::compress::Compression;
use crate::format::Output;
use crate::inspect::{Depth, Input, Inspection};
use crate::{Arch, Metadata, Package, PackageFormat, Resources, Result};

/// The tar format.
pub struct Tar;

impl PackageFormat for Tar {
    fn name(&self) -> &'static str {
        "tar"
    }

    fn arch(&self, arch: Arch) -> &'static str {
        arch.uname()
    }

    fn file_name(&self, _metadata: &Metadata, _options: &crate::Options) -> Result<String> {
        unfurnished()
    }

    fn write(&self, _package: &Package, _resources: Resources, _out: &mut dyn Output) -> Result<()> {
        unfurnished()
    }

    fn endings(&self) -> &'static [&'static str] {
        &[".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar.zst", ".tar"]
    }

    fn compressions(&self) -> &'static [Compression] {
        &[Compression::GZIP, Compression::XZ, Compression::ZSTD, Compression::None]
    }

    fn inspect(&self, _file: &mut dyn Input, _depth: Depth) -> Result<Inspection> {
        unfurnished()
    }
}

fn unfurnished<T>() -> Result<T> {
    Err(std::io::Error::from(std::io::ErrorKind::Unsupported).into())
}

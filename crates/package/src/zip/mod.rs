//! A plain zip archive of the files, for people without a package manager, and for other systems.
//!
//! The specification is PKWARE's APPNOTE.TXT (<https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT>), with
//! Info-ZIP's conventions for Unix (its `proginfo/extrafld.txt`):
//!
//! | part | content |
//! |---|---|
//! | local header and bytes, a file each | deflated (RFC 1951), or stored where that is no longer |
//! | central directory | the same headers again, with mode and type of each |
//! | end | how many there are, and where the directory starts; 64-bit where 32 are not enough |
//!
//! Names are sorted and UTF-8, which is said where it matters; modes and symbolic links are there as Info-ZIP has them.
//! A zip has no owners (unpacked files belong to whoever unpacks), no hard links (each name has its bytes), and no
//! capabilities (which are refused). As in a tar, metadata and scripts are left out, and ghosts.
//!
//! Why not the `zip` crate: it compresses with one thread, takes seven crates for what is 250 lines here, and decides
//! about zip64 and times by itself.

mod inspect;
mod record;
mod write;

use crate::archive::compress::Compression;
use crate::format::Output;
use crate::inspect::{Depth, Input, Inspection};
use crate::tar::stem;
use crate::{Arch, Metadata, Package, PackageFormat, Resources, Result};

pub(crate) use inspect::take_files;

/// The zip format.
pub struct Zip;

impl PackageFormat for Zip {
    fn name(&self) -> &'static str {
        "zip"
    }

    fn arch(&self, arch: Arch) -> &'static str {
        arch.uname()
    }

    fn file_name(&self, metadata: &Metadata, _options: &crate::Options) -> Result<String> {
        Ok(format!("{}.zip", stem("zip", metadata)?))
    }

    fn write(&self, package: &Package, resources: Resources, out: &mut dyn Output) -> Result<()> {
        write::write(package, resources, out)
    }

    fn has_metadata(&self) -> bool {
        false
    }

    fn endings(&self) -> &'static [&'static str] {
        &[".zip"]
    }

    /// Deflate is gzip's: what is called gzip here is one file's worth of it without gzip's header.
    fn compressions(&self) -> &'static [Compression] {
        &[Compression::GZIP, Compression::None]
    }

    fn inspect(&self, file: &mut dyn Input, depth: Depth) -> Result<Inspection> {
        inspect::inspect(file, depth)
    }
}

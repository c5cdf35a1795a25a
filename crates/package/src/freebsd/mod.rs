//! FreeBSD's packages (pkg-create(8), pkg's `libpkg/pkg_create.c`): a tar archive compressed by xz.
//!
//! | member | content |
//! |---|---|
//! | `+COMPACT_MANIFEST` | what the package says about itself, as JSON |
//! | `+MANIFEST` | the same, with files, their SHA-256 sums, and scripts |
//! | the files | names start with `/`; directories only where they are empty |
//!
//! It is written for `packhouse fpm` alone, which writes the manifests, too: no target is built for FreeBSD, so that it is
//! not among the [formats](crate::Format), and nothing reads it.

use std::io::Write as _;

use crate::archive::compress::{Compression, Encoder};
use crate::archive::tar::{self, Member, MemberKind};
use crate::file_tree::Kind;
use crate::format::Output;
use crate::{Owner, Package, Resources, Result, content};

/// Writes the manifests, by name, and the files of `package`; everything is root's unless it has an owner.
///
/// # Errors
/// When a file cannot be read or changes while it is read, and when `out` fails.
pub fn write(
    package: &Package,
    manifests: &[(&str, Vec<u8>)],
    resources: Resources,
    out: &mut dyn Output,
) -> Result<()> {
    let compression = package.options.compression.unwrap_or(Compression::XZ);
    let links = package.files.hard_links();
    let absolute = |path: &[u8]| [b"/", path].concat();
    let mut tar = tar::Writer::new(Encoder::new(compression, resources, &mut *out)?, package.timestamp);
    for (name, bytes) in manifests {
        let kind = MemberKind::File { size: bytes.len() as u64 };
        tar.member(&Member { path: name.as_bytes(), kind, mode: 0o644, owner: &Owner::default() })?;
        tar.write_all(bytes)?;
    }
    for (path, entry) in package.files.iter() {
        let first = links.get(path).map(|first| absolute(first.as_bytes()));
        let mut name = absolute(path.as_bytes());
        let kind = match (&entry.kind, &first) {
            (Kind::File { .. }, Some(target)) => MemberKind::HardLink { target },
            (Kind::File { size, .. }, None) => MemberKind::File { size: *size },
            (Kind::Directory, _) if package.files.has_entries_below(path) => continue,
            (Kind::Directory, _) => {
                name.push(b'/');
                MemberKind::Directory
            }
            (Kind::Symlink { target }, _) => MemberKind::Symlink { target },
            (Kind::Ghost, _) => continue,
        };
        tar.inherit(entry.inherited);
        tar.member(&Member { path: &name, kind, mode: entry.mode, owner: &entry.owner })?;
        if let (Kind::File { content, size, .. }, None) = (&entry.kind, &first) {
            content::read(content, *size, |bytes| Ok(tar.write_all(bytes)?))?;
        }
    }
    tar.finish()?.finish()?;
    Ok(out.flush()?)
}

//! Writes the archive in one pass; compressing runs in threads of its own meanwhile.

use std::io::Write as _;

use crate::archive::compress::{Compression, Encoder};
use crate::archive::tar::{self, LONGEST_OWNER, Member, MemberKind};
use crate::file_tree::Kind;
use crate::format::Output;
use crate::{Error, Owner, Package, PackagePath, Resources, Result, content};

/// Writes the files of `package` to `out`.
pub(super) fn write(package: &Package, resources: Resources, out: &mut dyn Output) -> Result<()> {
    let is_rooted = package.options.tar.is_rooted;
    if !is_rooted {
        package.check()?;
        super::stem("tar", &package.metadata)?;
    }
    let compression = package.options.compression.unwrap_or(Compression::GZIP);
    let links = package.files.hard_links();
    for (_, entry) in package.files.iter() {
        check_owner(&entry.owner)?;
    }
    let mut tar = tar::Writer::new(Encoder::new(compression, resources, &mut *out)?, package.timestamp);
    let named = |path: &PackagePath| match is_rooted {
        true => [b"./", path.as_bytes()].concat(),
        false => path.as_bytes().to_vec(),
    };
    if is_rooted {
        let owner = &Owner::default();
        tar.member(&Member { path: b"./", kind: MemberKind::Directory, mode: 0o755, owner })?;
    }
    for (path, entry) in package.files.iter() {
        let mut name = named(path);
        let first = links.get(path).map(|first| named(first));
        let kind = match &entry.kind {
            Kind::File { size, .. } => match &first {
                Some(first) => MemberKind::HardLink { target: first },
                None => MemberKind::File { size: *size },
            },
            Kind::Directory => {
                name.push(b'/');
                MemberKind::Directory
            }
            Kind::Symlink { target } => MemberKind::Symlink { target },
            Kind::Ghost => continue,
        };
        tar.inherit(entry.inherited);
        if let (MemberKind::File { .. }, Some(capabilities)) = (&kind, entry.capabilities) {
            tar.attribute("security.capability", &capabilities.to_attribute())?;
        }
        tar.member(&Member { path: &name, kind, mode: entry.mode, owner: &entry.owner })?;
        if let (Kind::File { content, size, .. }, None) = (&entry.kind, &first) {
            content::read(content, *size, |bytes| Ok(tar.write_all(bytes)?))?;
        }
    }
    tar.finish()?.finish()?;
    Ok(out.flush()?)
}

/// An owner's names go into fields of fixed size, and to getpwnam(3) where they are unpacked.
fn check_owner(owner: &Owner) -> Result<()> {
    for name in [&owner.user, &owner.group] {
        let is_odd = |c: char| c.is_control() || c == ':' || c == '/';
        if name.is_empty() || name.len() > LONGEST_OWNER || name.contains(is_odd) {
            let reason =
                "a user's or group's name has 1 to 31 bytes, no `:`, no `/` and no control character";
            return Err(Error::Option {
                format: "tar",
                option: "the owner",
                value: name.to_string(),
                reason,
            });
        }
    }
    Ok(())
}

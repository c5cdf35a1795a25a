//! Takes the files out of an rpm that was read and found good.

use std::io::BufReader;

use super::files::Files as List;
use super::{Headers, payload};
use crate::archive::cpio_reader::{Member, Reader as Cpio};
use crate::archive::decompress::{DEFAULT_OUTPUT, Decoder};
use crate::inspect::{Input, InspectedKind};
use crate::rpm::read::PAYLOAD;
use crate::unpack::{Attributes, Files, package_path};
use crate::{Error, Kind, Result};

/// Takes the files out; the payload's members are in the order of the header, but for files with several names.
pub(crate) fn take_files(file: &mut dyn Input, files: &mut Files<'_>) -> Result<()> {
    let headers = Headers::read(file)?;
    let list = List::read(&headers)?;
    let from = BufReader::with_capacity(64 << 10, headers.payload(file)?);
    let decoder = match payload::method(&headers)? {
        Some(method) => Decoder::new(method, from, PAYLOAD, DEFAULT_OUTPUT)?,
        None => Decoder::detect(from, PAYLOAD, DEFAULT_OUTPUT)?,
    };
    let mut cpio = Cpio::new(decoder, PAYLOAD);
    let mut contents: Vec<Option<Kind>> = vec![None; list.expected.len()];
    let by_path: std::collections::BTreeMap<&[u8], usize> =
        list.expected.iter().enumerate().map(|(index, file)| (&file.path[1..], index)).collect();
    while let Some(member) = cpio.next()? {
        let index = match &member {
            Member::Indexed(index) => Some(*index as usize),
            Member::Named(named) => {
                let name = &named.name;
                let name = name.strip_prefix(b"./").or_else(|| name.strip_prefix(b"/")).unwrap_or(name);
                by_path.get(name).copied()
            }
        };
        let found = index.and_then(|index| Some((index, list.expected.get(index)?)));
        let (index, expected) = found.ok_or_else(|| PAYLOAD.malformed("a file is not in the header"))?;
        let is_content = expected.is_regular() && expected.content_at == index;
        if let Member::Indexed(_) = member {
            let is_link = expected.mode & 0o170_000 == 0o120_000;
            cpio.set_size(if is_content || is_link { expected.size } else { 0 });
        }
        if is_content {
            contents[index] = Some(files.contents(&mut cpio, expected.size)?);
        }
    }
    let content_at: Vec<(usize, bool)> =
        list.expected.iter().map(|file| (file.content_at, file.is_ghost)).collect();
    for (index, file) in list.in_order().iter().enumerate() {
        let (content, is_ghost) = content_at[index];
        if is_ghost || file.path == b"/" {
            continue;
        }
        let path = package_path(&file.path)?;
        let kind = match &file.kind {
            InspectedKind::File | InspectedKind::HardLink(_) => contents
                .get(content)
                .cloned()
                .flatten()
                .ok_or_else(|| PAYLOAD.malformed(format!("`{path}` has no contents")))?,
            InspectedKind::Directory => Kind::Directory,
            InspectedKind::Symlink(target) => Kind::Symlink { target: target.clone() },
            InspectedKind::Special(what) => {
                return Err(Error::SpecialFile { path: path.to_string().into(), what });
            }
        };
        let attributes = Attributes {
            mode: file.mode,
            user: file.user.clone(),
            group: file.group.clone(),
            modified: file.modified,
        };
        files.put(path, kind, attributes)?;
    }
    Ok(())
}

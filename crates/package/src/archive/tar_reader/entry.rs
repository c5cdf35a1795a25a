//! One entry, put together from its header and what came before it.

use std::collections::BTreeMap;

use super::LONGEST_NAME;
use super::header::Header;
use super::pax::Records;
use crate::archive::part::{Part, shown};
use crate::inspect::{InspectedFile, InspectedKind};
use crate::{Capabilities, Result};

/// A file, directory or link of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Its path: relative, without `.`, `..`, empty components or a slash at its end; empty for the root.
    pub(crate) path: Vec<u8>,
    /// What it is.
    pub(crate) kind: EntryKind,
    /// Permission bits.
    pub(crate) mode: u16,
    /// The user's name; empty when only the number is there.
    pub(crate) user: String,
    /// The group's name; empty when only the number is there.
    pub(crate) group: String,
    /// The user's number.
    pub(crate) user_number: u64,
    /// The group's number.
    pub(crate) group_number: u64,
    /// How many bytes follow; 0 for everything but files.
    pub(crate) size: u64,
    /// In Unix seconds.
    pub(crate) modified: i64,
    /// From the record `SCHILY.xattr.security.capability`.
    pub(crate) capabilities: Option<Capabilities>,
    /// The pax records that are not said above, as in `APK-TOOLS.checksum.SHA1`.
    pub(crate) records: BTreeMap<String, Vec<u8>>,
}

/// What an entry is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum EntryKind {
    File,
    Directory,
    /// To these bytes.
    Symlink(Vec<u8>),
    /// Another name of the file at this path, which came before; written as [`Entry::path`] is.
    HardLink(Vec<u8>),
    /// A device or named pipe.
    Special(&'static str),
}

impl Entry {
    /// The user's name, or number.
    pub(crate) fn user(&self) -> String {
        if self.user.is_empty() { self.user_number.to_string() } else { self.user.clone() }
    }

    /// The group's name, or number.
    pub(crate) fn group(&self) -> String {
        if self.group.is_empty() { self.group_number.to_string() } else { self.group.clone() }
    }

    /// As an inspection lists it, without marks: paths are absolute there. `digest` is a file's.
    pub(crate) fn to_inspected(&self, digest: Option<String>) -> InspectedFile {
        let absolute = |path: &[u8]| [b"/", path].concat();
        InspectedFile {
            path: absolute(&self.path),
            kind: match &self.kind {
                EntryKind::File => InspectedKind::File,
                EntryKind::Directory => InspectedKind::Directory,
                EntryKind::Symlink(target) => InspectedKind::Symlink(target.clone()),
                EntryKind::HardLink(target) => InspectedKind::HardLink(absolute(target)),
                EntryKind::Special(what) => InspectedKind::Special(what),
            },
            mode: self.mode,
            user: self.user(),
            group: self.group(),
            size: self.size,
            modified: self.modified,
            digest,
            marks: Vec::new(),
            capabilities: self.capabilities,
        }
    }
}

pub(super) fn entry(
    part: Part,
    header: &Header,
    mut records: Records,
    long_name: Option<Vec<u8>>,
    long_target: Option<Vec<u8>>,
) -> Result<Entry> {
    let name = records.take("path").or(long_name).unwrap_or_else(|| header.name());
    let path = path(&name, part)?;
    let refuse = |reason: &str| part.malformed(format!("`{}` {reason}", shown(&name)));
    let given_target = records.take("linkpath").or(long_target);
    let is_link = matches!(header.kind(), b'1' | b'2');
    if given_target.is_some() && !is_link {
        return Err(refuse("has a link's target and is none"));
    }
    let target = given_target.unwrap_or_else(|| header.target().to_vec());
    if is_link && (target.is_empty() || target.len() as u64 >= LONGEST_NAME) {
        return Err(refuse("is a link to nothing, or to a name that is too long"));
    }
    let kind = match header.kind() {
        b'0' | 0 => EntryKind::File,
        b'1' => EntryKind::HardLink(self::path(&target, part)?),
        b'2' => EntryKind::Symlink(target),
        b'3' => EntryKind::Special("a character device"),
        b'4' => EntryKind::Special("a block device"),
        b'5' => EntryKind::Directory,
        b'6' => EntryKind::Special("a named pipe"),
        b'S' => return Err(refuse("is a sparse file, which packages do not have")),
        kind => return Err(refuse(&format!("is of the type `{}`", shown(&[kind])))),
    };
    let is_directory = kind == EntryKind::Directory;
    // Since V7, readers take a file whose name ends with a slash for a directory, some of them.
    if !is_directory && (name.ends_with(b"/") || name.ends_with(b"/.")) {
        return Err(refuse("is named as a directory, and is none"));
    }
    if path.is_empty() && !is_directory {
        return Err(refuse("is the root, and no directory"));
    }
    let size = size(part, header, &mut records)?;
    if size != 0 && kind != EntryKind::File {
        return Err(refuse("has contents, and is no file"));
    }
    let capabilities = match records.take("SCHILY.xattr.security.capability") {
        None => None,
        Some(attribute) => match Capabilities::from_attribute(&attribute) {
            None => return Err(refuse("has file capabilities of an unknown form")),
            known => known,
        },
    };
    let modified = match records.take_time("mtime", part)? {
        Some(time) => time,
        None => header.modified(part)?,
    };
    let user_number = match records.take_number("uid", part)? {
        Some(number) => number,
        None => header.user_number(part)?,
    };
    let group_number = match records.take_number("gid", part)? {
        Some(number) => number,
        None => header.group_number(part)?,
    };
    let user = records.take("uname").unwrap_or_else(|| header.user().to_vec());
    let group = records.take("gname").unwrap_or_else(|| header.group().to_vec());
    if user.len().max(group.len()) as u64 > LONGEST_OWNER {
        return Err(part.beyond("bytes of an owner's name", LONGEST_OWNER));
    }
    records.take("hdrcharset");
    Ok(Entry {
        path,
        kind,
        mode: header.mode(part)?,
        user: String::from_utf8_lossy(&user).into_owned(),
        group: String::from_utf8_lossy(&group).into_owned(),
        user_number,
        group_number,
        size,
        modified,
        capabilities,
        records: records.into_inner(),
    })
}

/// `LOGIN_NAME_MAX` (limits.h(0p) on Linux): a pax record could say a megabyte, for each entry.
const LONGEST_OWNER: u64 = 256;

/// A pax header's size counts, but one that contradicts the header's is how to smuggle entries past a reader that
/// looks at the other. Writers leave the header's at 0 or at what fits where they need the record.
fn size(part: Part, header: &Header, records: &mut Records) -> Result<u64> {
    const LARGEST_OCTAL: u64 = 0o77_777_777_777;
    let in_header = header.size(part)?;
    match records.take_number("size", part)? {
        Some(size) if size != in_header && size <= LARGEST_OCTAL => {
            Err(part.malformed(format!("a size is {in_header} in the header and {size} in the pax record")))
        }
        Some(size) => Ok(size),
        None => Ok(in_header),
    }
}

/// Makes a path of an archive relative and plain.
fn path(name: &[u8], part: Part) -> Result<Vec<u8>> {
    let refuse = |reason: &str| part.malformed(format!("`{}` {reason}", shown(name)));
    if name.is_empty() {
        return Err(part.malformed("an entry has no name"));
    }
    if name.len() as u64 > LONGEST_NAME {
        return Err(part.beyond("bytes of a name", LONGEST_NAME));
    }
    if name.starts_with(b"/") {
        return Err(refuse("is absolute"));
    }
    let mut path = Vec::with_capacity(name.len());
    for component in name.split(|byte| *byte == b'/') {
        match component {
            b"" | b"." => continue,
            b".." => return Err(refuse("has a `..` component")),
            _ => {}
        }
        if !path.is_empty() {
            path.push(b'/');
        }
        path.extend_from_slice(component);
    }
    Ok(path)
}

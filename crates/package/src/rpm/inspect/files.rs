//! The list of files of a header: parallel arrays, one element a file.

use std::collections::BTreeMap;

use super::super::read::header::same_length;
use super::super::read::payload::{Expected, file_digest_name};
use super::super::read::{HEADER, Headers};
use super::super::tag::header as tag;
use crate::archive::listed::check_tree;
use crate::archive::part::shown;
use crate::inspect::{InspectedFile, InspectedKind};
use crate::{Capabilities, Result};

const OLD_FILE_NAMES: u32 = 1027;
const FILE_CAPS: u32 = 5010;
const GHOST: u64 = 1 << 6;

/// `RPMFILE_…` (`include/rpm/rpmfiles.h`), sorted by name.
const MARKS: [(u64, &str); 10] = [
    (1 << 12, "artifact"),
    (1 << 0, "config"),
    (1 << 1, "documentation"),
    (GHOST, "ghost"),
    (1 << 2, "icon"),
    (1 << 7, "license"),
    (1 << 3, "missingok"),
    (1 << 4, "noreplace"),
    (1 << 11, "pubkey"),
    (1 << 8, "readme"),
];

/// The files, in the order of the header.
pub(super) struct Files {
    /// What the payload is compared with.
    pub(super) expected: Vec<Expected>,
    inspected: Vec<InspectedFile>,
    digest_name: &'static str,
}

impl Files {
    /// Reads the list.
    ///
    /// # Errors
    /// When arrays differ in length, a path is not one, comes twice or lies below a file, and when a file is
    /// of a type that does not exist.
    pub(super) fn read(headers: &Headers) -> Result<Files> {
        let header = &headers.header;
        if header.has(OLD_FILE_NAMES) {
            return Err(HEADER.malformed("its file list is that of rpm 3"));
        }
        let paths = paths(headers)?;
        let count = paths.len();
        if count > 0 && !header.has(tag::LONG_FILE_SIZES) && !header.has(tag::FILE_SIZES) {
            return Err(HEADER.malformed("its files have no sizes"));
        }
        let sizes = match header.has(tag::LONG_FILE_SIZES) {
            true => header.numbers_for(tag::LONG_FILE_SIZES, count, 0)?,
            false => header.numbers_for(tag::FILE_SIZES, count, 0)?,
        };
        let modes = header.numbers_for(tag::FILE_MODES, count, 0)?;
        let times = header.numbers_for(tag::FILE_MTIMES, count, 0)?;
        let flags = header.numbers_for(tag::FILE_FLAGS, count, 0)?;
        let users = header.texts_for(tag::FILE_USER_NAME, count)?;
        let groups = header.texts_for(tag::FILE_GROUP_NAME, count)?;
        let digests = header.texts_for(tag::FILE_DIGESTS, count)?;
        let capabilities = header.texts_for(FILE_CAPS, count)?;
        let targets = header.byte_texts(tag::FILE_LINK_TOS)?;
        if !targets.is_empty() {
            same_length(tag::FILE_LINK_TOS, targets.len(), count)?;
        }
        let links = links(headers, &modes, &flags)?;
        let mut expected = Vec::with_capacity(count);
        let mut inspected = Vec::with_capacity(count);
        for (index, path) in paths.iter().enumerate() {
            let refuse = |reason: &str| HEADER.malformed(format!("`{}` {reason}", shown(path)));
            let mode = u16::try_from(modes[index]).map_err(|_| refuse("has no such mode"))?;
            let target = targets.get(index).copied().unwrap_or_default();
            let set = links.get(&index);
            let first = set.map_or(index, |set| set[0]);
            let kind = match mode & 0o170_000 {
                0o100_000 if first != index => InspectedKind::HardLink(paths[first].clone()),
                0o100_000 => InspectedKind::File,
                0o040_000 => InspectedKind::Directory,
                0o120_000 if target.is_empty() => return Err(refuse("is a link to nothing")),
                0o120_000 => InspectedKind::Symlink(target.to_vec()),
                0o020_000 => InspectedKind::Special("a character device"),
                0o060_000 => InspectedKind::Special("a block device"),
                0o010_000 => InspectedKind::Special("a named pipe"),
                0o140_000 => InspectedKind::Special("a socket"),
                _ => return Err(refuse("is of no type")),
            };
            if !digests[index].bytes().all(|byte| byte.is_ascii_hexdigit()) {
                return Err(refuse("has a digest that is none"));
            }
            let capabilities = match capabilities[index].as_str() {
                // `getcap` writes an empty set so (rpm's `build/files.cc`).
                "" | "=" => None,
                text => match Capabilities::parse(text.trim_start_matches("= ")) {
                    None => {
                        return Err(refuse(&format!(
                            "has the file capabilities `{}`",
                            shown(text.as_bytes())
                        )));
                    }
                    known => known,
                },
            };
            let marks =
                MARKS.iter().filter(|(bit, _)| flags[index] & bit != 0).map(|(_, name)| *name).collect();
            let is_file = kind == InspectedKind::File;
            inspected.push(InspectedFile {
                path: path.clone(),
                mode: mode & 0o7777,
                user: users[index].clone(),
                group: groups[index].clone(),
                size: if is_file { sizes[index] } else { 0 },
                modified: times[index] as i64,
                digest: None,
                marks,
                capabilities,
                kind,
            });
            expected.push(Expected {
                path: path.clone(),
                mode,
                size: sizes[index],
                digest: digests[index].clone(),
                target: target.to_vec(),
                is_ghost: flags[index] & GHOST != 0,
                content_at: set.and_then(|set| set.last()).copied().unwrap_or(index),
            });
        }
        let is_directory = |file: &InspectedFile| file.kind == InspectedKind::Directory;
        check_tree(HEADER, inspected.iter().map(|file| (&file.path[..], is_directory(file))))?;
        Ok(Files { expected, inspected, digest_name: file_digest_name(headers)? })
    }

    /// The list, in the order of the header, without digests.
    pub(super) fn in_order(&self) -> &[InspectedFile] {
        &self.inspected
    }

    /// The list, sorted by path, with digests that the payload showed or the header says.
    pub(super) fn inspected(mut self, found: &BTreeMap<usize, String>) -> Vec<InspectedFile> {
        for (index, file) in self.inspected.iter_mut().enumerate() {
            if file.kind != InspectedKind::File {
                continue;
            }
            let expected = &self.expected[index];
            file.digest = match found.get(&expected.content_at) {
                Some(found) => Some(found.clone()),
                None if expected.digest.is_empty() => None,
                None if self.digest_name == "sha256" => Some(expected.digest.to_ascii_lowercase()),
                None => Some(format!("{}:{}", self.digest_name, expected.digest.to_ascii_lowercase())),
            };
        }
        self.inspected.sort_by(|a, b| a.path.cmp(&b.path));
        self.inspected
    }
}

/// Absolute paths, put together from base names and directories.
fn paths(headers: &Headers) -> Result<Vec<Vec<u8>>> {
    let header = &headers.header;
    let names = header.byte_texts(tag::BASE_NAMES)?;
    let directories = header.byte_texts(tag::DIR_NAMES)?;
    let indexes = header.numbers(tag::DIR_INDEXES)?;
    same_length(tag::DIR_INDEXES, indexes.len(), names.len())?;
    for directory in &directories {
        let components = directory.strip_prefix(b"/").and_then(|rest| match rest {
            b"" => Some(&b""[..]),
            rest => rest.strip_suffix(b"/").filter(|components| !components.is_empty()),
        });
        let is_plain = |components: &[u8]| {
            components.is_empty()
                || components.split(|byte| *byte == b'/').all(|it| !matches!(it, b"" | b"." | b".."))
        };
        if !components.is_some_and(is_plain) {
            return Err(HEADER.malformed(format!("`{}` is no directory's path", shown(directory))));
        }
    }
    let mut total = 0_u64;
    let mut paths = Vec::with_capacity(names.len());
    for (name, index) in names.iter().zip(indexes) {
        let directory = usize::try_from(index)
            .ok()
            .and_then(|index| directories.get(index))
            .ok_or_else(|| HEADER.malformed(format!("`{}` is in no directory", shown(name))))?;
        // Only the root itself has no name.
        let is_name = match *name {
            b"" => *directory == b"/",
            b"." | b".." => false,
            name => !name.contains(&b'/'),
        };
        if !is_name {
            return Err(HEADER.malformed(format!("`{}` is no file's name", shown(name))));
        }
        let path = [directory, *name].concat();
        if path.len() > LONGEST_PATH {
            return Err(HEADER.beyond("bytes of a path", LONGEST_PATH as u64));
        }
        // One long directory, said once and used by a million files, would take gigabytes.
        total += path.len() as u64;
        if total > MOST_NAMES {
            return Err(HEADER.beyond("bytes of paths", MOST_NAMES));
        }
        paths.push(path);
    }
    Ok(paths)
}

const LONGEST_PATH: usize = 4095;
/// All paths together.
const MOST_NAMES: u64 = 128 << 20;

/// Sets of names of one file, by each of their indexes: regular files with the same device and inode, as rpm has
/// it (`rpmfilesBuildNLink` in its `lib/rpmfi.cc`).
fn links(
    headers: &Headers,
    modes: &[u64],
    flags: &[u64],
) -> Result<BTreeMap<usize, std::rc::Rc<Vec<usize>>>> {
    let count = modes.len();
    let devices = headers.header.numbers_for(tag::FILE_DEVICES, count, 0)?;
    let inodes = headers.header.numbers_for(tag::FILE_INODES, count, 0)?;
    let mut sets: BTreeMap<(u64, u64), Vec<usize>> = BTreeMap::new();
    for index in 0..count {
        let is_file = modes[index] & 0o170_000 == 0o100_000 && flags[index] & GHOST == 0;
        if is_file && inodes[index] != 0 {
            sets.entry((devices[index], inodes[index])).or_default().push(index);
        }
    }
    let mut links = BTreeMap::new();
    for set in sets.into_values().filter(|set| set.len() > 1) {
        let set = std::rc::Rc::new(set);
        for index in set.iter() {
            links.insert(*index, set.clone());
        }
    }
    Ok(links)
}

//! Reads an archive, as hostile input: where two readers might see different files, it refuses.
//!
//! Some readers believe the central directory, some the local headers, some search for either; an attacker chooses
//! among them. So the archive is taken apart completely: the end record is the file's last bytes, the directory ends
//! where it starts, entries lie one behind the other from the file's first byte to the directory's, and both headers
//! of an entry say the same. That refuses archives with a program in front, with a comment or with lengths behind the
//! bytes (bit 3), which streaming writers make and Packhouse does not.

use std::io::{Read, SeekFrom};

use flate2::Crc;
use sha2::{Digest as _, Sha256};

use super::record::{
    CENTRAL, ELSEWHERE, END, END_64, END_64_LOCATOR, IS_UTF8, LOCAL, TIMES, ZIP64, unix_time,
};
use crate::archive::listed::check_tree;
use crate::archive::part::{Part, hexadecimal, shown};
use crate::inspect::{Depth, Input, InspectedFile, InspectedKind, Inspection};
use crate::tar::inspect::nameless;
use crate::unpack::{Attributes, Files};
use crate::{Format, Kind, PackagePath, Result};

const ARCHIVE: Part = Part { format: "zip", name: "archive" };
const DIRECTORY: Part = Part { format: "zip", name: "central directory" };
const ENTRY: Part = Part { format: "zip", name: "entry" };

/// A million entries with names of 200 bytes.
const LARGEST_DIRECTORY: u64 = 256 << 20;
const MOST_ENTRIES: u64 = 1 << 20;
const LONGEST_TARGET: u64 = 4096;

pub(super) fn inspect(file: &mut dyn Input, depth: Depth) -> Result<Inspection> {
    let end = End::read(file)?;
    let bytes = end.directory(file)?;
    let entries = entries(&bytes, &end)?;
    let is_deflated = entries.iter().any(|entry| entry.is_deflated);
    let mut inspection = nameless(Format::Zip, if is_deflated { "gzip" } else { "none" });
    if depth == Depth::Contents {
        inspection.files = Some(files(file, &entries, end.start)?);
    }
    Ok(inspection)
}

/// Takes the files out of an archive that was read and found good.
pub(crate) fn take_files(file: &mut dyn Input, files: &mut Files<'_>) -> Result<()> {
    let end = End::read(file)?;
    let bytes = end.directory(file)?;
    for entry in entries(&bytes, &end)? {
        let header: [u8; 30] = at(file, entry.offset)?;
        let mut fields = Fields(&header[26..]);
        let lengths = fields.number(2).zip(fields.number(2));
        let (name, extra) = lengths.ok_or_else(|| ENTRY.malformed("it has a broken header"))?;
        file.seek(SeekFrom::Start(entry.offset + 30 + name + extra))?;
        let from = (&mut *file).take(entry.compressed);
        let mut from: Box<dyn Read> = match entry.is_deflated {
            true => Box::new(flate2::read::DeflateDecoder::new(from)),
            false => Box::new(from),
        };
        let kind = match entry.mode & TYPE {
            DIRECTORY_TYPE => Kind::Directory,
            SYMLINK_TYPE => {
                Kind::Symlink { target: ENTRY.read_all(&mut from, "bytes of a link", LONGEST_TARGET)? }
            }
            _ => files.contents(&mut from, entry.size)?,
        };
        let attributes = Attributes {
            mode: (entry.mode & 0o7777) as u16,
            user: String::new(),
            group: String::new(),
            modified: entry.modified,
        };
        files.put(entry.path, kind, attributes)?;
    }
    Ok(())
}

/// Little-endian numbers, one behind the other.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(bytes)
    }

    fn number(&mut self, count: usize) -> Option<u64> {
        Some(self.bytes(count)?.iter().rev().fold(0, |number, byte| (number << 8) | u64::from(*byte)))
    }
}

/// Where the directory is.
struct End {
    count: u64,
    size: u64,
    start: u64,
}

impl End {
    fn read(file: &mut dyn Input) -> Result<End> {
        let wrong = |what: &str| ARCHIVE.malformed(what);
        let length = file.seek(SeekFrom::End(0))?;
        let place = length.checked_sub(22).ok_or_else(|| wrong("it is shorter than its end record"))?;
        let record: [u8; 22] = at(file, place)?;
        if !record.starts_with(&END) {
            return Err(wrong("its last bytes are no end record (a comment or something else follows)"));
        }
        let mut fields = Fields(&record[4..]);
        let mut number = |count| fields.number(count).unwrap_or(u64::MAX);
        let disks = number(2) + number(2);
        let (here, count, size, start, comment) = (number(2), number(2), number(4), number(4), number(2));
        if disks != 0 || here != count || comment != 0 {
            return Err(wrong("it is a part of an archive, or has a comment"));
        }
        let elsewhere = u64::from(ELSEWHERE);
        let mut end = End { count, size, start };
        let mut behind = place;
        let locator = place.checked_sub(20).map(|at| self::at::<20>(file, at)).transpose()?;
        if let Some(locator) = locator.filter(|locator| locator.starts_with(&END_64_LOCATOR)) {
            behind = place.checked_sub(20 + 56).ok_or_else(|| wrong("its 64-bit end record is missing"))?;
            let mut expected = END_64_LOCATOR.to_vec();
            expected.extend(0_u32.to_le_bytes());
            expected.extend(behind.to_le_bytes());
            expected.extend(1_u32.to_le_bytes());
            let record: [u8; 56] = at(file, behind)?;
            if locator[..] != expected[..] || !record.starts_with(&END_64) {
                return Err(wrong("its 64-bit end record is not where it belongs"));
            }
            let mut fields = Fields(&record[4..]);
            let mut number = |count| fields.number(count).unwrap_or(u64::MAX);
            let (length, _versions, disks, here, count, size, start) =
                (number(8), number(4), number(8), number(8), number(8), number(8), number(8));
            let agrees = |large: u64, small: u64, limit: u64| small == large || small == limit;
            if length != 44
                || disks != 0
                || here != count
                || !agrees(count, end.count, u64::from(u16::MAX))
                || !agrees(size, end.size, elsewhere)
                || !agrees(start, end.start, elsewhere)
            {
                return Err(wrong("its two end records contradict each other"));
            }
            end = End { count, size, start };
        }
        if end.start.checked_add(end.size) != Some(behind) {
            return Err(wrong("its directory does not end where its end record starts"));
        }
        if end.count > MOST_ENTRIES {
            return Err(ARCHIVE.beyond("entries", MOST_ENTRIES));
        }
        if end.size > LARGEST_DIRECTORY {
            return Err(ARCHIVE.beyond("bytes of its directory", LARGEST_DIRECTORY));
        }
        Ok(end)
    }

    fn directory(&self, file: &mut dyn Input) -> Result<Vec<u8>> {
        file.seek(SeekFrom::Start(self.start))?;
        exactly(file, self.size)
    }
}

/// Reads so many bytes without believing the number beforehand.
fn exactly(file: &mut dyn Input, count: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(count).read_to_end(&mut bytes)?;
    if bytes.len() as u64 == count { Ok(bytes) } else { Err(ARCHIVE.malformed("it ends too early")) }
}

fn at<const N: usize>(file: &mut dyn Input, place: u64) -> Result<[u8; N]> {
    file.seek(SeekFrom::Start(place))?;
    let mut bytes = [0; N];
    ARCHIVE.read_exact(file, &mut bytes)?;
    Ok(bytes)
}

/// What the directory says of an entry.
struct Entry<'a> {
    /// From the version needed to the checksum, which the local header must repeat.
    common: &'a [u8],
    is_deflated: bool,
    crc: u32,
    compressed: u64,
    size: u64,
    raw_name: &'a [u8],
    path: PackagePath,
    mode: u32,
    offset: u64,
    modified: i64,
}

fn entries<'a>(bytes: &'a [u8], end: &End) -> Result<Vec<Entry<'a>>> {
    let mut fields = Fields(bytes);
    let mut entries: Vec<Entry<'_>> = Vec::new();
    for _ in 0..end.count {
        let entry = entry(&mut fields).ok_or_else(|| DIRECTORY.malformed("an entry ends too early"))??;
        entries.push(entry);
    }
    if !fields.0.is_empty() {
        return Err(DIRECTORY.malformed("something follows its last entry"));
    }
    // Nothing below a file or a link, through which it would be unpacked.
    let is_directory = |entry: &Entry<'_>| entry.mode & TYPE == DIRECTORY_TYPE;
    check_tree(DIRECTORY, entries.iter().map(|entry| (entry.path.as_bytes(), is_directory(entry))))?;
    Ok(entries)
}

const TYPE: u32 = 0o170_000;
const FILE_TYPE: u32 = 0o100_000;
const DIRECTORY_TYPE: u32 = 0o040_000;
const SYMLINK_TYPE: u32 = 0o120_000;

/// `None` when the directory ends inside it.
fn entry<'a>(fields: &mut Fields<'a>) -> Option<Result<Entry<'a>>> {
    let wrong =
        |reason: &str, name: &[u8]| Some(Err(DIRECTORY.malformed(format!("`{}` {reason}", shown(name)))));
    if fields.bytes(4)? != CENTRAL {
        return Some(Err(DIRECTORY.malformed("something is no entry")));
    }
    let made_by = fields.number(2)?;
    let common = fields.0.get(..14)?;
    let (_needed, flags, method, time) =
        (fields.number(2)?, fields.number(2)?, fields.number(2)?, fields.number(4)?);
    let crc = fields.number(4)? as u32;
    let (compressed, size) = (fields.number(4)?, fields.number(4)?);
    let (name, extra, comment) =
        (fields.number(2)? as usize, fields.number(2)? as usize, fields.number(2)? as usize);
    let (disk, _internal, external, offset) =
        (fields.number(2)?, fields.number(2)?, fields.number(4)? as u32, fields.number(4)?);
    let raw_name = fields.bytes(name)?;
    let extra = fields.bytes(extra)?;
    fields.bytes(comment)?;
    if flags & !u64::from(IS_UTF8) & !0b110 != 0 || disk != 0 || !matches!(method, 0 | 8) {
        return wrong(
            "is encrypted, streamed, in another part, or compressed in a way that is not read",
            raw_name,
        );
    }
    let Some(mut extra) = Extra::parse(extra) else { return wrong("has broken extra fields", raw_name) };
    let mut large = |value: u64| {
        if value == u64::from(ELSEWHERE) { extra.large.number(8) } else { Some(value) }
    };
    let (Some(size), Some(compressed), Some(offset)) = (large(size), large(compressed), large(offset)) else {
        return wrong("has no 64-bit numbers", raw_name);
    };
    if !extra.large.0.is_empty() {
        return wrong("has 64-bit numbers that it does not need", raw_name);
    }
    let is_named_directory = raw_name.ends_with(b"/");
    const UNIX: u64 = 3;
    let mode = match made_by >> 8 {
        UNIX if external >> 16 != 0 => external >> 16,
        _ if is_named_directory => DIRECTORY_TYPE | 0o755,
        _ => FILE_TYPE | 0o644,
    };
    let is_known = matches!(mode & TYPE, FILE_TYPE | DIRECTORY_TYPE | SYMLINK_TYPE);
    if !is_known || is_named_directory != (mode & TYPE == DIRECTORY_TYPE) {
        return wrong("is of a type that its name contradicts, or that a package does not hold", raw_name);
    }
    let is_deflated = method == 8;
    if (!is_deflated && compressed != size) || (is_named_directory && size != 0) {
        return wrong("has lengths that contradict each other", raw_name);
    }
    let name = raw_name.strip_suffix(b"/").unwrap_or(raw_name);
    let path = match PackagePath::new(name) {
        Ok(path)
            if path.as_bytes() == name && !name.contains(&b'\\') && std::str::from_utf8(name).is_ok() =>
        {
            path
        }
        _ => return wrong("is no plain relative path", raw_name),
    };
    let modified = extra.modified.unwrap_or_else(|| unix_time(time as u32));
    Some(Ok(Entry { common, is_deflated, crc, compressed, size, raw_name, path, mode, offset, modified }))
}

/// The extra fields that say something about the bytes.
struct Extra<'a> {
    large: Fields<'a>,
    modified: Option<i64>,
}

impl<'a> Extra<'a> {
    fn parse(bytes: &'a [u8]) -> Option<Extra<'a>> {
        let mut extra = Extra { large: Fields(&[]), modified: None };
        let mut fields = Fields(bytes);
        let mut has_large = false;
        while !fields.0.is_empty() {
            let (id, length) = (fields.number(2)? as u16, fields.number(2)? as usize);
            let mut field = Fields(fields.bytes(length)?);
            if id == ZIP64 {
                if std::mem::replace(&mut has_large, true) {
                    return None;
                }
                extra.large = field;
            } else if id == TIMES && field.number(1)? & 1 != 0 {
                extra.modified = Some(i64::from(field.number(4)? as u32 as i32));
            }
        }
        Some(extra)
    }
}

/// Reads every entry's local header and bytes, which must fill the archive up to `directory`.
fn files(file: &mut dyn Input, entries: &[Entry<'_>], directory: u64) -> Result<Vec<InspectedFile>> {
    let mut in_order: Vec<&Entry<'_>> = entries.iter().collect();
    in_order.sort_by_key(|entry| entry.offset);
    // All of it together is bounded by the archive's length: no bytes are of two entries, and deflate says at most
    // 1,032 in one (zlib's technical notes).
    let mut place = 0_u64;
    let mut files = Vec::with_capacity(entries.len());
    for entry in in_order {
        let wrong = |reason: &str| ENTRY.malformed(format!("`{}` {reason}", entry.path));
        if entry.offset != place {
            return Err(wrong("does not start where the one before ends"));
        }
        let header: [u8; 30] = at(file, place)?;
        let mut fields = Fields(&header);
        let starts_well = fields.bytes(4) == Some(&LOCAL[..]) && fields.bytes(14) == Some(entry.common);
        let sums = [fields.number(4), fields.number(4)];
        let lengths = [fields.number(2), fields.number(2)];
        let ([Some(compressed), Some(size)], [Some(name), Some(extra)]) = (sums, lengths) else {
            return Err(wrong("has a broken header"));
        };
        let bytes = exactly(file, name + extra)?;
        let (raw_name, raw_extra) = bytes.split_at(name as usize);
        let extra_fields = Extra::parse(raw_extra).ok_or_else(|| wrong("has broken extra fields"))?;
        let mut large = extra_fields.large;
        let mut number = |value: u64| {
            if value == u64::from(ELSEWHERE) { large.number(8) } else { Some(value) }
        };
        let agrees = starts_well
            && raw_name == entry.raw_name
            && number(size) == Some(entry.size)
            && number(compressed) == Some(entry.compressed);
        if !agrees {
            return Err(wrong("is something else in its own header than in the directory"));
        }
        // The compressed length is anything up to 64 bits, which the directory says.
        place = (place + 30 + name + extra)
            .checked_add(entry.compressed)
            .filter(|end| *end <= directory)
            .ok_or_else(|| wrong("reaches into the directory"))?;
        files.push(read(file, entry)?);
    }
    if place != directory {
        return Err(ARCHIVE.malformed("something lies between its last entry and its directory"));
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

/// Unpacks an entry, whose bytes come next.
fn read(file: &mut dyn Input, entry: &Entry<'_>) -> Result<InspectedFile> {
    let wrong = |reason: &str| ENTRY.malformed(format!("`{}` {reason}", entry.path));
    let (mut crc, mut sha256) = (Crc::new(), Sha256::new());
    let (mut target, mut size) = (Vec::new(), 0_u64);
    let is_link = entry.mode & TYPE == SYMLINK_TYPE;
    if is_link && entry.size >= LONGEST_TARGET {
        return Err(ENTRY.beyond("bytes of a link's target", LONGEST_TARGET));
    }
    let mut stored = file.take(entry.compressed);
    let mut take = |from: &mut dyn Read| -> Result<()> {
        let mut piece = vec![0; 64 << 10];
        loop {
            let count = ENTRY.read_up_to(from, &mut piece).map_err(|error| match error {
                crate::Error::Io(_) => wrong("does not unpack"),
                error => error,
            })?;
            if count == 0 {
                return Ok(());
            }
            size += count as u64;
            if size > entry.size {
                return Err(wrong("is longer than it says"));
            }
            crc.update(&piece[..count]);
            sha256.update(&piece[..count]);
            if is_link {
                target.extend_from_slice(&piece[..count]);
            }
        }
    };
    if entry.is_deflated {
        let mut decoder = flate2::read::DeflateDecoder::new(stored);
        take(&mut decoder)?;
        if decoder.total_in() != entry.compressed {
            return Err(wrong("has bytes behind its end"));
        }
    } else {
        take(&mut stored)?;
    }
    if size != entry.size || crc.sum() != entry.crc {
        return Err(wrong("has other bytes than its length and checksum say"));
    }
    let kind = match entry.mode & TYPE {
        DIRECTORY_TYPE => InspectedKind::Directory,
        SYMLINK_TYPE if target.is_empty() || target.contains(&0) => return Err(wrong("links to no path")),
        SYMLINK_TYPE => InspectedKind::Symlink(target),
        _ => InspectedKind::File,
    };
    let is_file = kind == InspectedKind::File;
    Ok(InspectedFile {
        path: [b"/", entry.path.as_bytes()].concat(),
        kind,
        mode: (entry.mode & 0o7777) as u16,
        // A zip has no owners.
        user: String::new(),
        group: String::new(),
        size: if is_file { size } else { 0 },
        modified: entry.modified,
        digest: is_file.then(|| hexadecimal(&sha256.finalize())),
        marks: Vec::new(),
        capabilities: None,
    })
}

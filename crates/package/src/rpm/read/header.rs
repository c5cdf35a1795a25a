//! Reads rpm's header structure, with rpm's own checks (its `lib/header.cc`: `hdrblobVerifyLengths`,
//! `hdrblobVerifyRegion`, `hdrblobVerifyInfo`), and then some: no tag comes twice, the index is in the order of
//! the data, and the region of a package file is the whole header.
//!
//! The layout is in [`super::super::header`], which writes it. Values are looked at where they lie; a value of
//! another type than its tag has is refused when it is asked for.

use std::collections::BTreeMap;
use std::io::Read;

use super::HEADER;
use crate::Result;
use crate::archive::part::Part;

/// `rpm_header_magic`, and four zeros.
const MAGIC: [u8; 8] = [0x8e, 0xad, 0xe8, 0x01, 0, 0, 0, 0];
const INDEX_ENTRY: usize = 16;
/// `HEADER_I18NTABLE`: lower numbers are regions.
const LOWEST_TAG: u32 = 100;
/// `HEADER_ARRAY_MAX`.
const MOST_ELEMENTS: u32 = 0x000f_ffff;
/// `RPMTAG_HEADERIMAGE`, which old packages have in their signature's trailer.
const IMAGE: u32 = 61;

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Signatures,
    Header,
}

impl Kind {
    fn region(self) -> u32 {
        match self {
            Kind::Signatures => 62,
            Kind::Header => 63,
        }
    }

    /// The most tags, and the most bytes of data.
    fn limits(self) -> (u32, u32) {
        match self {
            Kind::Signatures => (32, 64 << 20),
            Kind::Header => (0xffff, 0x0fff_ffff),
        }
    }
}

/// A header's values by tag.
pub(crate) struct Values {
    part: Part,
    /// All of it, with magic.
    bytes: Vec<u8>,
    index: BTreeMap<u32, Place>,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    kind: u32,
    count: u32,
    start: usize,
    end: usize,
}

const INT8: u32 = 2;
const INT16: u32 = 3;
const INT32: u32 = 4;
const INT64: u32 = 5;
const TEXT: u32 = 6;
const BINARY: u32 = 7;
const TEXTS: u32 = 8;
const TRANSLATED: u32 = 9;

/// The size of a value, which is its alignment; `None` for a type that does not exist. Strings have 0.
fn size(kind: u32) -> Option<usize> {
    Some(match kind {
        1 | INT8 | BINARY => 1,
        INT16 => 2,
        INT32 => 4,
        INT64 => 8,
        TEXT | TEXTS | TRANSLATED => 0,
        _ => return None,
    })
}

/// An index entry as it stands.
struct Entry {
    tag: u32,
    kind: u32,
    offset: u32,
    count: u32,
}

impl Entry {
    fn parse(bytes: &[u8]) -> Entry {
        let word = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
        Entry { tag: word(0), kind: word(4), offset: word(8), count: word(12) }
    }
}

impl Values {
    /// Reads a header of a file that has `available` bytes.
    ///
    /// # Errors
    /// When it is not well formed.
    pub(crate) fn read(from: &mut dyn Read, part: Part, kind: Kind, available: u64) -> Result<Values> {
        let mut start = [0; 16];
        part.read_exact(from, &mut start)?;
        if start[..8] != MAGIC {
            return Err(part.malformed("it does not start as a header does"));
        }
        let word = |at: usize| u32::from_be_bytes(start[at..at + 4].try_into().expect("four bytes"));
        let (tags, data) = (word(8), word(12));
        let (most_tags, most_data) = kind.limits();
        if tags > most_tags {
            return Err(part.beyond("tags", u64::from(most_tags)));
        }
        if data > most_data {
            return Err(part.beyond("bytes", u64::from(most_data)));
        }
        let length = tags as usize * INDEX_ENTRY + data as usize;
        // Memory is taken for what the file has, not for what it says.
        if length as u64 > available {
            return Err(part.malformed("it is longer than the file"));
        }
        let mut bytes = start.to_vec();
        bytes.resize(start.len() + length, 0);
        part.read_exact(from, &mut bytes[start.len()..])?;
        let mut values = Values { part, bytes, index: BTreeMap::new() };
        values.check(kind, tags as usize)?;
        Ok(values)
    }

    fn check(&mut self, kind: Kind, tags: usize) -> Result<()> {
        let part = self.part;
        let data_start = MAGIC.len() + 8 + tags * INDEX_ENTRY;
        let (head, data) = self.bytes.split_at(data_start);
        let mut entries = head[16..].chunks_exact(INDEX_ENTRY).map(Entry::parse);
        let region = match entries.next() {
            Some(region) if region.tag == kind.region() => region,
            _ => return Err(part.malformed("it has no region, as rpm 3 wrote it, or none of its kind")),
        };
        let is_region = |entry: &Entry| entry.kind == BINARY && entry.count == INDEX_ENTRY as u32;
        let trailer_start = region.offset as usize;
        let trailer = trailer_start.checked_add(INDEX_ENTRY).and_then(|end| data.get(trailer_start..end));
        let (true, Some(trailer)) = (is_region(&region), trailer.map(Entry::parse)) else {
            return Err(part.malformed("its region is broken"));
        };
        let is_of_kind = trailer.tag == kind.region() || (kind == Kind::Signatures && trailer.tag == IMAGE);
        // Minus the length of the region's index.
        let covered = trailer.offset.wrapping_neg() as usize;
        if !is_region(&trailer) || !is_of_kind || !covered.is_multiple_of(INDEX_ENTRY) {
            return Err(part.malformed("its region's trailer is broken"));
        }
        let region_end = trailer_start + INDEX_ENTRY;
        let is_whole = covered == tags * INDEX_ENTRY && region_end == data.len();
        // Signing tools may leave tags behind the region of the signature header.
        let fits = covered <= tags * INDEX_ENTRY && covered > 0;
        if !fits || (kind == Kind::Header && !is_whole) {
            return Err(part.malformed("its region is not as long as the header"));
        }
        let mut last_end = 0;
        for entry in entries {
            let broken = |what: &str| {
                let Entry { tag, kind, offset, count } = entry;
                let reason = format!("tag {tag}: {what} (type {kind}, offset {offset}, count {count})");
                Err(part.malformed(reason))
            };
            let start = entry.offset as usize;
            let Some(size) = size(entry.kind) else { return broken("there is no such type") };
            if entry.tag < LOWEST_TAG || entry.tag > i32::MAX as u32 {
                return broken("no tag has this number");
            }
            if start > data.len() || start < last_end {
                return broken("it overlaps another or lies outside");
            }
            if entry.count == 0
                || entry.count as usize > data.len()
                || (entry.kind != BINARY && entry.count > MOST_ELEMENTS)
            {
                return broken("it cannot have as many elements");
            }
            if size > 1 && !start.is_multiple_of(size) {
                return broken("it is not aligned");
            }
            let length = match size {
                0 if entry.kind == TEXT && entry.count != 1 => None,
                0 => strings_length(&data[start..], entry.count),
                size => Some(size * entry.count as usize),
            };
            let Some(end) = length.map(|length| start + length).filter(|end| *end <= data.len()) else {
                return broken("it does not end inside the header");
            };
            if end > trailer_start && start < region_end {
                return broken("it overlaps the region's trailer");
            }
            last_end = end;
            let place = Place {
                kind: entry.kind,
                count: entry.count,
                start: data_start + start,
                end: data_start + end,
            };
            if self.index.insert(entry.tag, place).is_some() {
                return broken("it comes twice");
            }
        }
        Ok(())
    }

    /// All of it, which digests and signatures cover.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Its length in the file.
    pub(crate) fn length(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// Every value by its tag, as it stands: type, count and bytes.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, u32, u32, &[u8])> {
        self.index
            .iter()
            .map(|(tag, place)| (*tag, place.kind, place.count, &self.bytes[place.start..place.end]))
    }

    /// Whether there is a value.
    pub(crate) fn has(&self, tag: u32) -> bool {
        self.index.contains_key(&tag)
    }

    fn value(&self, tag: u32, kinds: &[u32]) -> Result<Option<(&[u8], Place)>> {
        let Some(place) = self.index.get(&tag) else { return Ok(None) };
        if !kinds.contains(&place.kind) {
            return Err(self.part.malformed(format!("tag {tag} is of the type {}", place.kind)));
        }
        Ok(Some((&self.bytes[place.start..place.end], *place)))
    }

    /// One text, the first of a translated one; UTF-8 without control characters but line breaks and tabs.
    ///
    /// # Errors
    /// When it is of another type, or no such text.
    pub(crate) fn text(&self, tag: u32) -> Result<Option<String>> {
        let Some((bytes, _)) = self.value(tag, &[TEXT, TRANSLATED, TEXTS])? else { return Ok(None) };
        let text = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
        self.checked(tag, text).map(Some)
    }

    /// A text of a single line.
    ///
    /// # Errors
    /// As [`Values::text`], and when it has several.
    pub(crate) fn line(&self, tag: u32) -> Result<Option<String>> {
        match self.text(tag)? {
            Some(text) if text.contains(['\n', '\t']) => {
                Err(self.part.malformed(format!("tag {tag} has a line break or a tab")))
            }
            line => Ok(line),
        }
    }

    /// All texts of an array, as bytes: file names may have any.
    ///
    /// # Errors
    /// When it is of another type.
    pub(crate) fn byte_texts(&self, tag: u32) -> Result<Vec<&[u8]>> {
        let Some((bytes, place)) = self.value(tag, &[TEXTS, TEXT])? else { return Ok(Vec::new()) };
        Ok(bytes.split(|byte| *byte == 0).take(place.count as usize).collect())
    }

    /// All texts of an array.
    ///
    /// # Errors
    /// As [`Values::text`].
    pub(crate) fn texts(&self, tag: u32) -> Result<Vec<String>> {
        self.byte_texts(tag)?.into_iter().map(|text| self.checked(tag, text)).collect()
    }

    fn checked(&self, tag: u32, text: &[u8]) -> Result<String> {
        let text =
            std::str::from_utf8(text).map_err(|_| self.part.malformed(format!("tag {tag} is not UTF-8")))?;
        if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\t')) {
            return Err(self.part.malformed(format!("tag {tag} has a control character")));
        }
        Ok(text.to_owned())
    }

    /// Bytes.
    ///
    /// # Errors
    /// When it is of another type.
    pub(crate) fn binary(&self, tag: u32) -> Result<Option<&[u8]>> {
        Ok(self.value(tag, &[BINARY])?.map(|(bytes, _)| bytes))
    }

    /// An array of numbers.
    ///
    /// # Errors
    /// When it is of another type.
    pub(crate) fn numbers(&self, tag: u32) -> Result<Vec<u64>> {
        let Some((bytes, place)) = self.value(tag, &[INT8, INT16, INT32, INT64])? else {
            return Ok(Vec::new());
        };
        let size = size(place.kind).expect("the type was checked");
        let number = |bytes: &[u8]| bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
        Ok(bytes.chunks_exact(size).map(number).collect())
    }

    /// One number.
    ///
    /// # Errors
    /// When it is of another type, or an array.
    pub(crate) fn number(&self, tag: u32) -> Result<Option<u64>> {
        match self.numbers(tag)?[..] {
            [] => Ok(None),
            [number] => Ok(Some(number)),
            _ => Err(self.part.malformed(format!("tag {tag} is several numbers"))),
        }
    }

    /// An array that has an element for each of `count` others; all of them `missing` when there is none.
    ///
    /// # Errors
    /// When it has another number of them.
    pub(crate) fn numbers_for(&self, tag: u32, count: usize, missing: u64) -> Result<Vec<u64>> {
        let numbers = self.numbers(tag)?;
        if numbers.is_empty() {
            return Ok(vec![missing; count]);
        }
        same_length(tag, numbers.len(), count)?;
        Ok(numbers)
    }

    /// As [`Values::numbers_for`], for texts; empty ones when there is none.
    ///
    /// # Errors
    /// As [`Values::numbers_for`], and as [`Values::texts`].
    pub(crate) fn texts_for(&self, tag: u32, count: usize) -> Result<Vec<String>> {
        let texts = self.texts(tag)?;
        if texts.is_empty() {
            return Ok(vec![String::new(); count]);
        }
        same_length(tag, texts.len(), count)?;
        Ok(texts)
    }
}

pub(crate) fn same_length(tag: u32, found: usize, expected: usize) -> Result<()> {
    if found == expected {
        return Ok(());
    }
    Err(HEADER.malformed(format!("tag {tag} has {found} elements where {expected} belong")))
}

/// The length of `count` strings, each with a NUL behind it.
fn strings_length(data: &[u8], count: u32) -> Option<usize> {
    let mut ends = data.iter().enumerate().filter(|(_, byte)| **byte == 0);
    ends.nth(count as usize - 1).map(|(end, _)| end + 1)
}

//! rpm's header structure: tagged values, used for the package header and for the signatures.
//!
//! | part | bytes |
//! |---|---|
//! | magic | `8e ad e8 01`, four zeros |
//! | lengths | number of index entries, bytes of data (big-endian, 32 bits, as everything) |
//! | index | 16 bytes an entry: tag, type, offset into the data, count; sorted by tag |
//! | data | values, integers aligned to their size; at the end the *region trailer* |
//!
//! The first index entry is the region's (62 in the signature, 63 in the package header) and points to the
//! trailer, which looks like an index entry and whose offset is minus the length of the index: this is how
//! rpm finds again, in its database, exactly the bytes that were signed.
//! Specification: rpm's `docs/manual/format_header.md`, `docs/manual/hregions.md`.

use std::collections::BTreeMap;

use crate::{Error, Result};

/// `HEADER_DATA_MAX`, the most that rpm reads (`lib/header.c`); rpm 4.11 takes 16 MiB.
const LONGEST: usize = 0x0fff_ffff;
/// `HEADER_ARRAY_MAX`: the most elements that a value has, and so the most files that a package has.
const MOST_ELEMENTS: usize = 0x000f_ffff;

/// A header under construction.
#[derive(Clone, Debug, Default)]
pub(super) struct Header(BTreeMap<u32, Value>);

#[derive(Clone, Debug)]
enum Value {
    Int16(Vec<u16>),
    Int32(Vec<u32>),
    Int64(Vec<u64>),
    /// One string.
    Text(Texts),
    Binary(Vec<u8>),
    Texts(Texts),
    /// One string in the only locale of the table, `C`.
    Translated(Texts),
    /// As it stood in another header.
    Kept {
        kind: u32,
        count: u32,
        bytes: Vec<u8>,
    },
}

/// Strings as the header has them, each with a NUL behind it: one allocation for those of 20,000 files.
#[derive(Clone, Debug, Default)]
struct Texts {
    bytes: Vec<u8>,
    count: usize,
}

/// Which of the two headers of a package.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Region {
    /// The signature header.
    Signatures = 62,
    /// The package header.
    Immutable = 63,
}

impl Header {
    pub(super) fn put_text(&mut self, tag: u32, text: impl AsRef<[u8]>) {
        self.0.insert(tag, Value::Text(Texts::new([text])));
    }

    /// A text that could be translated, but is not.
    pub(super) fn put_translated(&mut self, tag: u32, text: &str) {
        self.0.insert(tag, Value::Translated(Texts::new([text])));
    }

    /// An array of texts; an empty one cannot be said and is left out, like all arrays.
    pub(super) fn put_texts<T: AsRef<[u8]>>(&mut self, tag: u32, texts: impl IntoIterator<Item = T>) {
        let texts = Texts::new(texts);
        if texts.count > 0 {
            self.0.insert(tag, Value::Texts(texts));
        }
    }

    pub(super) fn put_binary(&mut self, tag: u32, bytes: Vec<u8>) {
        if !bytes.is_empty() {
            self.0.insert(tag, Value::Binary(bytes));
        }
    }

    pub(super) fn put_int16s(&mut self, tag: u32, values: impl IntoIterator<Item = u16>) {
        let values: Vec<u16> = values.into_iter().collect();
        if !values.is_empty() {
            self.0.insert(tag, Value::Int16(values));
        }
    }

    pub(super) fn put_int32(&mut self, tag: u32, value: u32) {
        self.put_int32s(tag, [value]);
    }

    pub(super) fn put_int32s(&mut self, tag: u32, values: impl IntoIterator<Item = u32>) {
        let values: Vec<u32> = values.into_iter().collect();
        if !values.is_empty() {
            self.0.insert(tag, Value::Int32(values));
        }
    }

    pub(super) fn put_int64s(&mut self, tag: u32, values: impl IntoIterator<Item = u64>) {
        let values: Vec<u64> = values.into_iter().collect();
        if !values.is_empty() {
            self.0.insert(tag, Value::Int64(values));
        }
    }

    /// A value of another header, its bytes as they stood there.
    pub(super) fn put_kept(&mut self, tag: u32, kind: u32, count: u32, bytes: &[u8]) {
        self.0.insert(tag, Value::Kept { kind, count, bytes: bytes.to_vec() });
    }

    /// Whether every text in it is UTF-8.
    pub(super) fn is_utf8(&self) -> bool {
        self.0.values().filter_map(Value::texts).all(|texts| std::str::from_utf8(&texts.bytes).is_ok())
    }

    /// The header as it stands in the file, from its magic on.
    ///
    /// # Errors
    /// When it is larger than rpm reads, and when a text holds a NUL: texts end with one, so that the rest of
    /// it, and every text behind it, would be taken for something else.
    pub(super) fn to_bytes(&self, region: Region) -> Result<Vec<u8>> {
        let index_length = (self.0.len() + 1) * 16;
        let (mut index, mut data) = (Vec::with_capacity(index_length), Vec::new());
        for (tag, value) in &self.0 {
            if value.count() > MOST_ELEMENTS && value.kind() != BINARY {
                let (count, limit) = (value.count() as u64, MOST_ELEMENTS as u64);
                return Err(Error::TooMany { what: "files", count, format: "rpm", limit });
            }
            if value.texts().is_some_and(Texts::has_stray_nul) {
                return Err(Error::ControlCharacter { field: "header" });
            }
            data.resize(data.len().next_multiple_of(value.alignment()), 0);
            index.extend(entry(*tag, value.kind(), data.len() as u32, value.count() as u32));
            value.append_to(&mut data);
            if index_length + data.len() + 16 > LONGEST {
                let (size, limit) = ((index_length + data.len()) as u64, LONGEST as u64);
                return Err(Error::TooLarge { what: "the header".into(), size, format: "rpm", limit });
            }
        }
        let trailer = data.len() as u32;
        data.extend(entry(region as u32, BINARY, (index_length as u32).wrapping_neg(), 16));

        let mut bytes = Vec::with_capacity(16 + index_length + data.len());
        bytes.extend(MAGIC);
        bytes.extend(((index_length / 16) as u32).to_be_bytes());
        bytes.extend((data.len() as u32).to_be_bytes());
        bytes.extend(entry(region as u32, BINARY, trailer, 16));
        bytes.extend(index);
        bytes.extend(data);
        Ok(bytes)
    }
}

const MAGIC: [u8; 8] = [0x8e, 0xad, 0xe8, 0x01, 0, 0, 0, 0];
const BINARY: u32 = 7;

fn entry(tag: u32, kind: u32, offset: u32, count: u32) -> impl Iterator<Item = u8> {
    [tag, kind, offset, count].into_iter().flat_map(u32::to_be_bytes)
}

impl Value {
    fn kind(&self) -> u32 {
        match self {
            Value::Int16(_) => 3,
            Value::Int32(_) => 4,
            Value::Int64(_) => 5,
            Value::Text(_) => 6,
            Value::Binary(_) => BINARY,
            Value::Texts(_) => 8,
            Value::Translated(_) => 9,
            Value::Kept { kind, .. } => *kind,
        }
    }

    fn alignment(&self) -> usize {
        match self.kind() {
            3 => 2,
            4 => 4,
            5 => 8,
            _ => 1,
        }
    }

    fn count(&self) -> usize {
        match self {
            Value::Int16(values) => values.len(),
            Value::Int32(values) => values.len(),
            Value::Int64(values) => values.len(),
            Value::Binary(bytes) => bytes.len(),
            Value::Text(texts) | Value::Texts(texts) | Value::Translated(texts) => texts.count,
            Value::Kept { count, .. } => *count as usize,
        }
    }

    fn texts(&self) -> Option<&Texts> {
        match self {
            Value::Text(texts) | Value::Texts(texts) | Value::Translated(texts) => Some(texts),
            _ => None,
        }
    }

    fn append_to(&self, data: &mut Vec<u8>) {
        match self {
            Value::Int16(values) => data.extend(values.iter().flat_map(|value| value.to_be_bytes())),
            Value::Int32(values) => data.extend(values.iter().flat_map(|value| value.to_be_bytes())),
            Value::Int64(values) => data.extend(values.iter().flat_map(|value| value.to_be_bytes())),
            Value::Binary(bytes) | Value::Kept { bytes, .. } => data.extend(bytes),
            Value::Text(texts) | Value::Texts(texts) | Value::Translated(texts) => data.extend(&texts.bytes),
        }
    }
}

impl Texts {
    fn new<T: AsRef<[u8]>>(texts: impl IntoIterator<Item = T>) -> Texts {
        let mut all = Texts::default();
        for text in texts {
            all.bytes.extend(text.as_ref());
            all.bytes.push(0);
            all.count += 1;
        }
        all
    }

    fn has_stray_nul(&self) -> bool {
        self.bytes.iter().filter(|byte| **byte == 0).count() != self.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_what_rpm_writes() {
        let mut header = Header::default();
        header.put_int32(1003, 2);
        header.put_text(1000, "hello");
        header.put_texts(100, ["C"]);
        header.put_texts(1117, Vec::<&str>::new());
        let bytes = header.to_bytes(Region::Immutable).unwrap();
        #[rustfmt::skip]
        let expected: &[u8] = &[
            0x8e, 0xad, 0xe8, 1, 0, 0, 0, 0,  0, 0, 0, 4,  0, 0, 0, 28,
            0, 0, 0, 63,      0, 0, 0, 7,  0, 0, 0, 12,  0, 0, 0, 16,
            0, 0, 0, 100,     0, 0, 0, 8,  0, 0, 0, 0,   0, 0, 0, 1,
            0, 0, 3, 232,     0, 0, 0, 6,  0, 0, 0, 2,   0, 0, 0, 1,
            0, 0, 3, 235,     0, 0, 0, 4,  0, 0, 0, 8,   0, 0, 0, 1,
            b'C', 0, b'h', b'e', b'l', b'l', b'o', 0,  0, 0, 0, 2,
            0, 0, 0, 63,      0, 0, 0, 7,  0xff, 0xff, 0xff, 0xc0,  0, 0, 0, 16,
        ];
        assert_eq!(bytes, expected);
    }

    #[test]
    fn what_rpm_would_refuse_to_read_is_an_error() {
        let mut header = Header::default();
        header.put_int32s(1028, vec![0; MOST_ELEMENTS + 1]);
        let error = header.to_bytes(Region::Immutable).unwrap_err();
        assert_eq!(error.to_string(), "1048576 files are more than rpm can count (1048575)");
        let mut header = Header::default();
        header.put_texts(1039, ["root", "ro\0ot"]);
        assert!(matches!(header.to_bytes(Region::Immutable), Err(Error::ControlCharacter { .. })));
        let mut header = Header::default();
        header.put_binary(1, vec![0; LONGEST]);
        assert!(matches!(header.to_bytes(Region::Immutable), Err(Error::TooLarge { .. })));
    }
}

//! Reads the headers of an rpm, independently of the code that writes them.
#![expect(clippy::unwrap_used, reason = "a package that cannot be read is a failed test")]

use std::collections::BTreeMap;

/// What a package file consists of.
pub struct Dump {
    pub signatures: BTreeMap<u32, String>,
    pub header: BTreeMap<u32, String>,
    /// Where the package header starts.
    pub header_at: usize,
    /// Where the payload starts.
    pub payload_at: usize,
}

pub fn dump(package: &[u8]) -> Dump {
    let (signatures, end) = header(package, 96);
    let header_at = end.next_multiple_of(8);
    let (header, payload_at) = header(package, header_at);
    Dump { signatures, header, header_at, payload_at }
}

/// The values of the header at `start` by tag, and where it ends.
fn header(package: &[u8], start: usize) -> (BTreeMap<u32, String>, usize) {
    assert_eq!(package[start..start + 8], [0x8e, 0xad, 0xe8, 1, 0, 0, 0, 0]);
    let (count, length) = (int(&package[start + 8..]), int(&package[start + 12..]));
    let index = &package[start + 16..];
    let data = &index[count * 16..][..length];
    let mut values = BTreeMap::new();
    for entry in index[..count * 16].chunks(16) {
        let (tag, kind, offset, count) = (int(entry), int(&entry[4..]), int(&entry[8..]), int(&entry[12..]));
        values.insert(tag as u32, value(kind, &data[offset..], count));
    }
    (values, start + 16 + count * 16 + length)
}

fn int(bytes: &[u8]) -> usize {
    u32::from_be_bytes(bytes[..4].try_into().unwrap()) as usize
}

fn value(kind: usize, data: &[u8], count: usize) -> String {
    let ints = |size: usize, name: &str| {
        let value = |bytes: &[u8]| bytes.iter().fold(0u64, |value, byte| value << 8 | u64::from(*byte));
        let values: Vec<String> =
            data[..count * size].chunks(size).map(|int| format!("{:#x}", value(int))).collect();
        format!("{name} {}", values.join(" "))
    };
    let texts = |name: &str| {
        let texts: Vec<String> = data
            .split(|byte| *byte == 0)
            .take(count)
            .map(|text| format!("{:?}", String::from_utf8_lossy(text)))
            .collect();
        format!("{name} {}", texts.join(" "))
    };
    match kind {
        3 => ints(2, "int16"),
        4 => ints(4, "int32"),
        5 => ints(8, "int64"),
        6 => texts("text"),
        7 if data[..count].iter().all(|byte| *byte == 0) => format!("binary of {count} zeros"),
        7 => format!("binary {:02x?}", &data[..count]),
        8 => texts("texts"),
        9 => texts("translated"),
        _ => panic!("unknown type {kind}"),
    }
}

/// A header as lines of tag and value.
pub fn listing(header: &BTreeMap<u32, String>) -> String {
    header.iter().map(|(tag, value)| format!("{tag} {value}\n")).collect()
}

//! The records of a zip archive (APPNOTE.TXT, 4.3), as bytes.

use crate::Timestamp;

pub(super) const LOCAL: [u8; 4] = *b"PK\x03\x04";
pub(super) const CENTRAL: [u8; 4] = *b"PK\x01\x02";
pub(super) const END: [u8; 4] = *b"PK\x05\x06";
pub(super) const END_64: [u8; 4] = *b"PK\x06\x06";
pub(super) const END_64_LOCATOR: [u8; 4] = *b"PK\x06\x07";

/// General purpose bit 11: the name is UTF-8.
pub(super) const IS_UTF8: u16 = 1 << 11;

/// Header ids of extra fields (APPNOTE.TXT, 4.5.2; Info-ZIP's "Extended Timestamp").
pub(super) const ZIP64: u16 = 0x0001;
pub(super) const TIMES: u16 = 0x5455;

/// What a field of 32 bits says when the value is in the zip64 field.
pub(super) const ELSEWHERE: u32 = u32::MAX;

/// How a file's bytes are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    Stored,
    Deflated,
}

/// A file, directory or link: both of its headers.
#[derive(Clone, Debug)]
pub(super) struct Record {
    /// With a slash behind a directory's.
    pub(super) name: Vec<u8>,
    pub(super) method: Method,
    pub(super) crc: u32,
    pub(super) compressed: u64,
    pub(super) size: u64,
    /// When it was changed.
    pub(super) modified: Timestamp,
    /// `st_mode`: type and permissions.
    pub(super) mode: u32,
    pub(super) is_directory: bool,
    /// Where the local header is.
    pub(super) offset: u64,
    /// Whether the local header has room for sizes of 64 bits.
    pub(super) is_large: bool,
}

/// The 32 bits of `value`, or that it is elsewhere.
fn word(value: u64) -> [u8; 4] {
    u32::try_from(value).unwrap_or(ELSEWHERE).to_le_bytes()
}

impl Record {
    /// The header before the bytes. Its length depends on the name and `is_large` only, so that it can be written
    /// again when sizes and checksum are known.
    pub(super) fn local(&self) -> Vec<u8> {
        let sizes = [self.size, self.compressed];
        let sizes = if self.is_large { &sizes[..] } else { &[] };
        let extra = [zip64(sizes), times(self.modified)].concat();
        let (compressed, size) =
            if self.is_large { (u64::MAX, u64::MAX) } else { (self.compressed, self.size) };
        let mut header = LOCAL.to_vec();
        header.extend(self.common(compressed, size, extra.len()));
        header.extend_from_slice(&self.name);
        header.extend(extra);
        header
    }

    /// The header in the central directory.
    pub(super) fn central(&self) -> Vec<u8> {
        // Only what does not fit its field, in this order (APPNOTE.TXT, 4.5.3).
        let large: Vec<u64> = [self.size, self.compressed, self.offset]
            .into_iter()
            .filter(|value| *value >= u64::from(ELSEWHERE))
            .collect();
        let extra = [zip64(&large), times(self.modified)].concat();
        let mut header = CENTRAL.to_vec();
        // Made by a program of version 4.5 of the specification on Unix, which is what makes modes be believed.
        header.extend([45, 3]);
        header.extend(self.common(self.compressed, self.size, extra.len()));
        // No comment, on disk 0, not text.
        header.extend([0; 6]);
        let dos_directory = if self.is_directory { 0x10 } else { 0 };
        header.extend(((self.mode << 16) | dos_directory).to_le_bytes());
        header.extend(word(self.offset));
        header.extend_from_slice(&self.name);
        header.extend(extra);
        header
    }

    /// What both headers have, from the version needed to the length of the extra fields.
    fn common(&self, compressed: u64, size: u64, extra: usize) -> Vec<u8> {
        let needed = if self.is_large || self.offset >= u64::from(ELSEWHERE) { 45_u16 } else { 20 };
        let flags = if self.name.is_ascii() { 0 } else { IS_UTF8 };
        let method = match self.method {
            Method::Stored => 0_u16,
            Method::Deflated => 8,
        };
        let mut bytes = Vec::new();
        for half in [needed, flags, method] {
            bytes.extend(half.to_le_bytes());
        }
        bytes.extend(dos_time(self.modified).to_le_bytes());
        bytes.extend(self.crc.to_le_bytes());
        bytes.extend(word(compressed));
        bytes.extend(word(size));
        bytes.extend((self.name.len() as u16).to_le_bytes());
        bytes.extend((extra as u16).to_le_bytes());
        bytes
    }
}

/// The records behind the directory: `count` entries in `size` bytes at `start`.
pub(super) fn end(count: u64, size: u64, start: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    let limit = u64::from(ELSEWHERE);
    if count >= u64::from(u16::MAX) || size >= limit || start >= limit {
        let place = start + size;
        bytes.extend(END_64);
        // The length of what follows, version made by and needed, two disk numbers.
        bytes.extend(44_u64.to_le_bytes());
        bytes.extend([45, 3, 45, 0]);
        bytes.extend([0; 8]);
        for value in [count, count, size, start] {
            bytes.extend(value.to_le_bytes());
        }
        bytes.extend(END_64_LOCATOR);
        bytes.extend(0_u32.to_le_bytes());
        bytes.extend(place.to_le_bytes());
        bytes.extend(1_u32.to_le_bytes());
    }
    bytes.extend(END);
    bytes.extend([0; 4]);
    let short = u16::try_from(count).unwrap_or(u16::MAX).to_le_bytes();
    bytes.extend([short, short].concat());
    bytes.extend(word(size));
    bytes.extend(word(start));
    bytes.extend([0; 2]);
    bytes
}

fn zip64(values: &[u64]) -> Vec<u8> {
    if values.is_empty() {
        return Vec::new();
    }
    let values: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    [&ZIP64.to_le_bytes()[..], &(values.len() as u16).to_le_bytes(), &values].concat()
}

/// The time in UTC to the second, where 31 bits can say it (until 2038): readers otherwise take the DOS time for their
/// own zone's.
fn times(time: Timestamp) -> Vec<u8> {
    const MODIFIED: u8 = 1;
    match i32::try_from(time.as_unix()) {
        Ok(seconds) => {
            [&TIMES.to_le_bytes()[..], &5_u16.to_le_bytes(), &[MODIFIED], &seconds.to_le_bytes()].concat()
        }
        Err(_) => Vec::new(),
    }
}

/// MS-DOS's time and date in one word: two seconds' resolution, and no years before 1980, which is what an earlier
/// time becomes. In UTC, because the archive does not know where it will be unpacked, and must be the same everywhere.
pub(super) fn dos_time(time: Timestamp) -> u32 {
    const START_OF_1980: u32 = 315_532_800;
    let time = Timestamp::from_unix(i64::from(time.as_unix().max(START_OF_1980))).expect("a 32-bit time");
    let text = time.strftime("%Y %m %d %H %M %S").expect("the directives are strftime's");
    let numbers: Vec<u32> = text.split(' ').filter_map(|number| number.parse().ok()).collect();
    let [year, month, day, hour, minute, second] = numbers[..] else { return 0x0021_0000 };
    ((year - 1980) << 25) | (month << 21) | (day << 16) | (hour << 11) | (minute << 5) | (second / 2)
}

/// The Unix time that a DOS time is in UTC; 0 for one that does not exist.
pub(super) fn unix_time(dos: u32) -> i64 {
    let bits = |shift: u32, count: u32| ((dos >> shift) & ((1 << count) - 1)) as i8;
    let year = 1980 + (dos >> 25) as i16;
    let time = jiff::civil::DateTime::new(
        year,
        bits(21, 4),
        bits(16, 5),
        bits(11, 5),
        bits(5, 6),
        2 * bits(0, 5),
        0,
    );
    time.ok()
        .and_then(|time| time.to_zoned(jiff::tz::TimeZone::UTC).ok())
        .map_or(0, |time| time.timestamp().as_second())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(seconds: i64) -> Timestamp {
        Timestamp::from_unix(seconds).unwrap()
    }

    #[test]
    fn dos_times_are_utc_and_not_before_1980() {
        // 2023-05-19 12:00:00
        assert_eq!(dos_time(time(1_684_497_600)), (43 << 25) | (5 << 21) | (19 << 16) | (12 << 11));
        assert_eq!(dos_time(time(0)), (1 << 21) | (1 << 16));
        assert_eq!(times(time(i64::from(u32::MAX))), b"");
        assert_eq!(unix_time(dos_time(time(1_684_497_602))), 1_684_497_602);
        assert_eq!(unix_time(0), 0);
    }

    #[test]
    fn what_needs_64_bits_has_them() {
        let mut record = Record {
            name: b"x".to_vec(),
            method: Method::Stored,
            crc: 0,
            compressed: 5 << 30,
            size: 5 << 30,
            modified: time(0),
            mode: 0o100_644,
            is_directory: false,
            offset: 6 << 30,
            is_large: true,
        };
        let central = record.central();
        assert_eq!(central[6], 45, "the version needed");
        assert_eq!(central[20..28], [0xff; 8]);
        assert_eq!(central[42..46], [0xff; 4]);
        assert_eq!(central[47..51], [1, 0, 24, 0]);
        let length = record.local().len();
        (record.size, record.compressed) = (0, 0);
        assert_eq!(record.local().len(), length);
        record.is_large = false;
        assert_eq!(record.local().len(), length - 20);
        assert_eq!(end(65_534, 0, 0).len(), 22);
        assert_eq!(end(65_535, 0, 0).len(), 22 + 56 + 20);
        assert_eq!(end(1, 100, 5 << 30).len(), 22 + 56 + 20);
    }
}

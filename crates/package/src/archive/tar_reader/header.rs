//! A tar header block: fields at fixed places, numbers in octal or in base 256.

use crate::Result;
use crate::archive::part::{Part, shown};

/// Everything in an archive is a multiple of it.
pub(super) const BLOCK: usize = 512;

/// The largest number that any reader keeps in a signed 64-bit integer.
const LARGEST: u64 = i64::MAX as u64;

/// A block whose checksum and magic are right.
pub(super) struct Header {
    block: [u8; BLOCK],
    is_ustar: bool,
}

impl Header {
    pub(super) fn parse(block: [u8; BLOCK], part: Part) -> Result<Header> {
        // The sum of all bytes, with blanks where it stands itself.
        let sum: u64 = block[..148].iter().chain(&block[156..]).map(|byte| u64::from(*byte)).sum();
        if octal(&block[148..156]) != Some(sum + 8 * u64::from(b' ')) {
            return Err(part.malformed("a header's checksum is wrong"));
        }
        let is_ustar = match &block[257..265] {
            b"ustar\x0000" => true,
            b"ustar  \0" => false,
            magic => return Err(part.malformed(format!("a header's magic is `{}`", shown(magic)))),
        };
        let header = Header { block, is_ustar };
        // Of extended headers too, whose numbers mean nothing: bsdtar takes none with a broken one.
        header.mode(part)?;
        header.user_number(part)?;
        header.group_number(part)?;
        header.size(part)?;
        header.modified(part)?;
        Ok(header)
    }

    /// The type's letter.
    pub(super) fn kind(&self) -> u8 {
        self.block[156]
    }

    /// The name that fits into the header.
    pub(super) fn name(&self) -> Vec<u8> {
        let name = text(&self.block[..100]);
        // GNU keeps times and the map of sparse files where ustar has the start of a long name.
        let prefix = if self.is_ustar { text(&self.block[345..500]) } else { &[] };
        if prefix.is_empty() { name.to_vec() } else { [prefix, b"/", name].concat() }
    }

    pub(super) fn target(&self) -> &[u8] {
        text(&self.block[157..257])
    }

    pub(super) fn user(&self) -> &[u8] {
        text(&self.block[265..297])
    }

    pub(super) fn group(&self) -> &[u8] {
        text(&self.block[297..329])
    }

    pub(super) fn mode(&self, part: Part) -> Result<u16> {
        let mode = self.number("mode", 100..108, part)?;
        // Some writers leave the type's bits in.
        if mode > 0o177_777 {
            return Err(part.malformed(format!("a mode is {mode:o}")));
        }
        Ok((mode & 0o7777) as u16)
    }

    pub(super) fn user_number(&self, part: Part) -> Result<u64> {
        self.number("user", 108..116, part)
    }

    pub(super) fn group_number(&self, part: Part) -> Result<u64> {
        self.number("group", 116..124, part)
    }

    pub(super) fn size(&self, part: Part) -> Result<u64> {
        self.number("size", 124..136, part)
    }

    pub(super) fn modified(&self, part: Part) -> Result<i64> {
        let field = &self.block[136..148];
        if field[0] == 0xff {
            // Before 1970: two's complement, of which the last eight bytes are all that a clock has.
            if field[..4] == [0xff; 4] && field[4] & 0x80 != 0 {
                return Ok(i64::from_be_bytes(field[4..].try_into().expect("eight of twelve bytes")));
            }
            return Err(part.malformed("a time is out of range"));
        }
        self.number("time", 136..148, part).map(|time| time as i64)
    }

    fn number(&self, what: &str, place: std::ops::Range<usize>, part: Part) -> Result<u64> {
        let field = &self.block[place];
        let number = if field[0] == 0x80 { base_256(&field[1..]) } else { octal(field) };
        number
            .filter(|number| *number <= LARGEST)
            .ok_or_else(|| part.malformed(format!("a {what} is no number: `{}`", shown(field))))
    }
}

/// Bytes up to the first NUL.
fn text(field: &[u8]) -> &[u8] {
    field.split(|byte| *byte == 0).next().unwrap_or_default()
}

/// Blanks, digits, at least one, then blanks or NULs to the end.
fn octal(field: &[u8]) -> Option<u64> {
    let start = field.iter().position(|byte| *byte != b' ')?;
    let digits = field[start..].iter().take_while(|byte| matches!(byte, b'0'..=b'7')).count();
    let (digits, rest) = field[start..].split_at(digits);
    if digits.is_empty() || !rest.iter().all(|byte| matches!(byte, b' ' | 0)) {
        return None;
    }
    Some(digits.iter().fold(0, |number, digit| number << 3 | u64::from(digit - b'0')))
}

fn base_256(bytes: &[u8]) -> Option<u64> {
    bytes.iter().try_fold(0_u64, |number, byte| number.checked_mul(256)?.checked_add(u64::from(*byte)))
}

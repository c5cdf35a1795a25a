//! The name of a key that nobody can imitate.

use std::fmt;
use std::str::FromStr;

use crate::error::Error;

/// The fingerprint of a key: SHA-1 over a version 4 key, 20 bytes (RFC 9580, section 5.5.4.2).
///
/// Keys are compared by whole fingerprints only. The shorter key ids of other tools (`0x1A2B3C4D`) can be made
/// to collide at will; a fingerprint needs a second preimage of SHA-1, which nobody has.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint([u8; 20]);

impl Fingerprint {
    /// The 20 bytes.
    pub fn as_bytes(&self) -> &[u8; 20] {
        &self.0
    }

    /// In groups of four, as gpg prints it for people: `1A2B 3C4D …`, two spaces in the middle.
    pub fn grouped(&self) -> String {
        let mut text = String::new();
        for (index, pair) in self.0.chunks(2).enumerate() {
            match index {
                0 => {}
                5 => text.push_str("  "),
                _ => text.push(' '),
            }
            pair.iter().for_each(|byte| text.push_str(&format!("{byte:02X}")));
        }
        text
    }

    /// From rPGP's type; `None` for the fingerprints of other key versions.
    pub(crate) fn of(fingerprint: &pgp::types::Fingerprint) -> Option<Self> {
        match fingerprint {
            pgp::types::Fingerprint::V4(bytes) => Some(Fingerprint(*bytes)),
            _ => None,
        }
    }
}

/// Forty digits in upper case, as in `packhouse.toml` and in gpg's machine-readable output.
impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02X}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Reads forty hexadecimal digits, in any case, with or without spaces and a leading `0x`.
///
/// A key id, a user id or anything else that could name two keys is refused.
impl FromStr for Fingerprint {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let refuse = || Error::NotAFingerprint { given: text.chars().take(100).collect() };
        let digits: String = text.chars().filter(|character| !character.is_ascii_whitespace()).collect();
        let digits = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")).unwrap_or(&digits);
        if digits.len() != 40 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(refuse());
        }
        let mut bytes = [0; 20];
        for (byte, pair) in bytes.iter_mut().zip(digits.as_bytes().chunks(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| refuse())?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| refuse())?;
        }
        Ok(Fingerprint(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGITS: &str = "E698D0ED7D277D6ABFB11652B8F88B7FE81FF41C";

    #[test]
    fn a_fingerprint_is_read_as_people_paste_it() {
        for text in [
            DIGITS,
            "0xe698d0ed7d277d6abfb11652b8f88b7fe81ff41c",
            "E698 D0ED 7D27 7D6A BFB1  1652 B8F8 8B7F E81F F41C",
        ] {
            assert_eq!(text.parse::<Fingerprint>().unwrap().to_string(), DIGITS, "{text}");
        }
    }

    #[test]
    fn a_fingerprint_is_grouped_as_gpg_does() {
        let fingerprint: Fingerprint = DIGITS.parse().unwrap();
        assert_eq!(fingerprint.grouped(), "E698 D0ED 7D27 7D6A BFB1  1652 B8F8 8B7F E81F F41C");
    }

    #[test]
    fn a_key_id_or_a_name_is_not_a_fingerprint() {
        for text in [
            "",
            "B8F88B7FE81FF41C",
            "E81FF41C",
            "release@example.org",
            "Release <r@x>",
            &DIGITS[1..],
            "é".repeat(20).as_str(),
        ] {
            assert!(matches!(text.parse::<Fingerprint>(), Err(Error::NotAFingerprint { .. })), "{text}");
        }
    }
}

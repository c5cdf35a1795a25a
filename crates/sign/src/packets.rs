//! OpenPGP packets, told apart but not yet parsed.
//!
//! Specification: RFC 9580, section 4.2 (the framing), section 5 (the types).
//!
//! Everything that comes from outside is split here first: types that have no business in a file (compressed
//! data, messages, secret keys) are refused by their number, before anything tries to understand them.

use pgp::packet::{Packet, PacketParser};

/// Types, by their numbers in RFC 9580, section 5.
pub(crate) mod tag {
    pub(crate) const SIGNATURE: u8 = 2;
    pub(crate) const SECRET_KEY: u8 = 5;
    pub(crate) const PUBLIC_KEY: u8 = 6;
    pub(crate) const SECRET_SUBKEY: u8 = 7;
    pub(crate) const COMPRESSED: u8 = 8;
    pub(crate) const MARKER: u8 = 10;
    pub(crate) const LITERAL: u8 = 11;
    pub(crate) const TRUST: u8 = 12;
    pub(crate) const USER_ID: u8 = 13;
    pub(crate) const PUBLIC_SUBKEY: u8 = 14;
    pub(crate) const USER_ATTRIBUTE: u8 = 17;
    pub(crate) const ONE_PASS_SIGNATURE: u8 = 4;
}

/// A packet as it stands in the file.
#[derive(Clone, Copy)]
pub(crate) struct RawPacket<'a> {
    pub(crate) tag: u8,
    /// Header and body.
    pub(crate) bytes: &'a [u8],
}

impl RawPacket<'_> {
    /// What rPGP understands of it; `None` when it is damaged or of a kind rPGP does not know.
    pub(crate) fn parse(&self) -> Option<Packet> {
        PacketParser::new(self.bytes).next()?.ok()
    }
}

/// The reason given for a packet of unknown length, which only messages have (RFC 9580, section 4.2.1.4).
pub(crate) const PARTIAL: &str = "a packet does not say how long it is";

/// Splits bytes into packets; ends after the first error.
pub(crate) fn split(bytes: &[u8]) -> impl Iterator<Item = Result<RawPacket<'_>, &'static str>> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        Some(match frame(rest) {
            Ok((tag, length)) => {
                let (bytes, after) = rest.split_at(length);
                rest = after;
                Ok(RawPacket { tag, bytes })
            }
            Err(reason) => {
                rest = &[];
                Err(reason)
            }
        })
    })
}

/// Type and whole length of the first packet.
///
/// Lengths that are not known in advance (old format type 3, partial lengths) are refused as [`PARTIAL`].
fn frame(bytes: &[u8]) -> Result<(u8, usize), &'static str> {
    const SHORT: &str = "it ends in the middle of a packet";
    let at = |index: usize| bytes.get(index).map(|byte| usize::from(*byte)).ok_or(SHORT);
    let first = at(0)?;
    if first & 0x80 == 0 {
        return Err("it holds something that is not an OpenPGP packet");
    }
    let (tag, header, body) = if first & 0x40 != 0 {
        let (header, body) = match at(1)? {
            length @ 0..=191 => (2, length),
            high @ 192..=223 => (3, ((high - 192) << 8) + at(2)? + 192),
            224..=254 => return Err(PARTIAL),
            _ => (6, at(2)? << 24 | at(3)? << 16 | at(4)? << 8 | at(5)?),
        };
        (first & 0x3F, header, body)
    } else {
        let (header, body) = match first & 3 {
            0 => (2, at(1)?),
            1 => (3, at(1)? << 8 | at(2)?),
            2 => (5, at(1)? << 24 | at(2)? << 16 | at(3)? << 8 | at(4)?),
            _ => return Err(PARTIAL),
        };
        (first >> 2 & 0x0F, header, body)
    };
    let length = header + body;
    if length > bytes.len() {
        return Err(SHORT);
    }
    Ok((tag as u8, length))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(bytes: &[u8]) -> Result<Vec<u8>, &'static str> {
        split(bytes).map(|packet| packet.map(|packet| packet.tag)).collect()
    }

    #[test]
    fn both_header_formats_are_split() {
        assert_eq!(tags(&[]), Ok(vec![]));
        assert_eq!(tags(&[0x88, 1, 0, 0xC6, 0, 0x99, 0, 2, 1, 1]), Ok(vec![2, 6, 6]));
        let mut long = vec![0xC2, 192, 8];
        long.extend([0; 200]);
        assert_eq!(tags(&long), Ok(vec![2]));
        assert_eq!(tags(&[0xC2, 255, 0, 0, 0, 1, 7]), Ok(vec![2]));
    }

    #[test]
    fn lengths_that_lie_or_are_unknown_are_refused() {
        for bytes in [
            &[0x88][..],
            &[0x88, 2, 0],
            &[0x8B, 0],
            &[0xC2, 224, 0],
            &[0xC2, 255, 255, 255, 255, 255],
            &[0x41, 0],
            &[0x88, 1, 0, 0x20],
        ] {
            assert!(tags(bytes).is_err(), "{bytes:?}");
        }
    }
}

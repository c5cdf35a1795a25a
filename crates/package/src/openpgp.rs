//! What an OpenPGP signature says about itself (RFC 9580, 5.2): whose it is, and made how.
//!
//! Only the first packet is looked at, and nothing is verified: that needs keys, and is done elsewhere.

/// What a signature says, unverified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Signature {
    /// As in `RSA/SHA-256`.
    pub(crate) algorithm: String,
    /// The issuer's fingerprint, or its key id where the signature has only that; hexadecimal. Empty without.
    pub(crate) issuer: String,
    /// The key's algorithm (RFC 9580, 9.1).
    pub(crate) key_algorithm: u8,
}

const FINGERPRINT: u8 = 33;
const KEY_ID: u8 = 16;

/// Reads the first packet; `None` when that is no signature.
pub(crate) fn describe(bytes: &[u8]) -> Option<Signature> {
    let body = signature_packet(bytes)?;
    let (key, hash, issuer) = match *body.first()? {
        // Version 3: length 5, type, time, key id, algorithms.
        3 => (*body.get(15)?, *body.get(16)?, hexadecimal(body.get(7..15)?)),
        version @ (4 | 6) => {
            let (hashed, rest) = subpackets(body.get(4..)?, version)?;
            let (unhashed, _) = subpackets(rest, version)?;
            let find = |kind| subpacket(hashed, kind).or_else(|| subpacket(unhashed, kind));
            // A fingerprint is preceded by the key's version.
            let issuer = find(FINGERPRINT).and_then(|value| value.get(1..)).or_else(|| find(KEY_ID));
            (*body.get(2)?, *body.get(3)?, issuer.map(hexadecimal).unwrap_or_default())
        }
        _ => return None,
    };
    let algorithm = format!("{}/{}", key_algorithm(key), hash_algorithm(hash));
    Some(Signature { algorithm, issuer, key_algorithm: key })
}

/// The body of the first packet (RFC 9580, 4.2), when it is a signature (2).
fn signature_packet(bytes: &[u8]) -> Option<&[u8]> {
    let first = *bytes.first()?;
    let (start, length) = match first {
        // The older form: the type in four bits, the length's length in two.
        0x88 => (2, usize::from(*bytes.get(1)?)),
        0x89 => (3, usize::from(u16::from_be_bytes(bytes.get(1..3)?.try_into().ok()?))),
        0x8a => (5, u32::from_be_bytes(bytes.get(1..5)?.try_into().ok()?) as usize),
        0xc2 => {
            let (length, size) = length(bytes.get(1..)?)?;
            (1 + size, length)
        }
        _ => return None,
    };
    bytes.get(start..start.checked_add(length)?)
}

/// A length of one, two or five bytes, and how many it took.
fn length(bytes: &[u8]) -> Option<(usize, usize)> {
    let first = *bytes.first()?;
    Some(match first {
        0..=191 => (usize::from(first), 1),
        192..=223 => ((usize::from(first) - 192) * 256 + usize::from(*bytes.get(1)?) + 192, 2),
        255 => (u32::from_be_bytes(bytes.get(1..5)?.try_into().ok()?) as usize, 5),
        // Partial lengths are for data only.
        _ => return None,
    })
}

/// An area of subpackets, and what follows it.
fn subpackets(bytes: &[u8], version: u8) -> Option<(&[u8], &[u8])> {
    let (start, size) = match version {
        6 => (4, u32::from_be_bytes(bytes.get(..4)?.try_into().ok()?) as usize),
        _ => (2, usize::from(u16::from_be_bytes(bytes.get(..2)?.try_into().ok()?))),
    };
    let rest = &bytes[start..];
    (size <= rest.len()).then(|| rest.split_at(size))
}

fn subpacket(mut area: &[u8], wanted: u8) -> Option<&[u8]> {
    while !area.is_empty() {
        let (length, size) = length(area)?;
        let packet = area.get(size..size.checked_add(length)?)?;
        let (kind, value) = packet.split_first()?;
        // The highest bit says that it is critical.
        if kind & 0x7f == wanted {
            return Some(value);
        }
        area = &area[size + length..];
    }
    None
}

/// Reads base 64 (RFC 4648, 4), with line breaks; `None` when it is not that.
pub(crate) fn base64(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() * 3 / 4);
    let (mut bits, mut count) = (0_u32, 0);
    for byte in text.bytes().filter(|byte| !byte.is_ascii_whitespace() && *byte != b'=') {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    Some(bytes)
}

/// Writes base 64 (RFC 4648, 4), without line breaks.
pub(crate) fn to_base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let bits =
            group.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
        for place in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * place) & 63) as usize];
            text.push(if place <= group.len() { char::from(letter) } else { '=' });
        }
    }
    text
}

fn key_algorithm(number: u8) -> String {
    let name = match number {
        1..=3 => "RSA",
        17 => "DSA",
        19 => "ECDSA",
        22 => "EdDSA",
        27 => "Ed25519",
        28 => "Ed448",
        _ => return format!("algorithm {number}"),
    };
    name.into()
}

fn hash_algorithm(number: u8) -> String {
    let name = match number {
        1 => "MD5",
        2 => "SHA-1",
        3 => "RIPEMD-160",
        8 => "SHA-256",
        9 => "SHA-384",
        10 => "SHA-512",
        11 => "SHA-224",
        12 => "SHA3-256",
        14 => "SHA3-512",
        _ => return format!("hash {number}"),
    };
    name.into()
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_4_signature_names_its_key() {
        // Hashed: fingerprint of a version 4 key; unhashed: key id.
        let fingerprint = [0xab; 20];
        let mut body = vec![4, 0, 22, 8, 0, 23, 22, 33, 4];
        body.extend_from_slice(&fingerprint);
        body.extend_from_slice(&[0, 10, 9, 16, 1, 2, 3, 4, 5, 6, 7, 8, 0xff, 0xff]);
        let packet = [&[0xc2, body.len() as u8][..], &body].concat();
        let signature = describe(&packet).unwrap();
        assert_eq!(signature.algorithm, "EdDSA/SHA-256");
        assert_eq!(signature.issuer, "AB".repeat(20));
        for length in 0..packet.len() {
            assert_eq!(describe(&packet[..length]), None, "{length}");
        }
    }

    #[test]
    fn base64_is_read() {
        assert_eq!(base64("aGVs\nbG8=").unwrap(), b"hello");
        assert_eq!(base64("a!"), None);
        for (bytes, text) in
            [(&b""[..], ""), (b"f", "Zg=="), (b"fo", "Zm8="), (b"foo", "Zm9v"), (b"foob", "Zm9vYg==")]
        {
            assert_eq!(to_base64(bytes), text);
            assert_eq!(base64(text).unwrap(), bytes);
        }
    }

    #[test]
    fn a_version_3_signature_has_a_key_id() {
        let body = [3, 5, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 0, 0];
        let packet = [&[0x88, body.len() as u8][..], &body].concat();
        let expected =
            Signature { algorithm: "RSA/SHA-1".into(), issuer: "0102030405060708".into(), key_algorithm: 1 };
        assert_eq!(describe(&packet), Some(expected));
    }
}

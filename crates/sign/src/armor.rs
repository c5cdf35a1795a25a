//! ASCII armor: OpenPGP data as text that survives mail and copying.
//!
//! Specification: RFC 9580, section 6.
//!
//! | line | what |
//! |---|---|
//! | `-----BEGIN PGP SIGNATURE-----` | the label says what kind of data follows |
//! | `Comment: …` | headers, without meaning; then an empty line |
//! | `iHUEARYKAB0WIQ…` | base64 |
//! | `=347D` | CRC-24 of the data, optional since RFC 9580; a wrong one is refused, as gpg does |
//! | `-----END PGP SIGNATURE-----` | the same label |
//!
//! This reader is strict where rPGP's is lenient (it skips text before a block and may leave text after it
//! unread): what a person sees in a file and what is verified must be the same. Writing is rPGP's.

use pgp::armor::BlockType;
use pgp::ser::Serialize;
use zeroize::Zeroizing;

/// What a file of armored blocks holds.
pub(crate) struct Armored {
    pub(crate) blocks: Vec<Block>,
    /// Whether anything but white space stands outside the blocks.
    pub(crate) has_text_outside: bool,
}

/// One block, decoded.
pub(crate) struct Block {
    /// Between `-----BEGIN ` and the dashes: `PGP SIGNATURE`.
    pub(crate) label: String,
    /// Wiped when dropped: it may be a secret key.
    pub(crate) body: Zeroizing<Vec<u8>>,
}

pub(crate) const SIGNATURE: &str = "PGP SIGNATURE";
pub(crate) const PUBLIC_KEY: &str = "PGP PUBLIC KEY BLOCK";
pub(crate) const PRIVATE_KEY: &str = "PGP PRIVATE KEY BLOCK";

/// Whether these bytes are binary OpenPGP: every packet opens with a byte whose highest bit is set
/// (RFC 9580, section 4.2), which no text in ASCII has.
pub(crate) fn is_binary(bytes: &[u8]) -> bool {
    bytes.first().is_some_and(|first| first & 0x80 != 0)
}

/// Reads every block of a text.
pub(crate) fn read(text: &str) -> Result<Armored, &'static str> {
    let mut armored = Armored { blocks: Vec::new(), has_text_outside: false };
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        match label(line, "-----BEGIN ") {
            Some(label) => armored.blocks.push(read_block(label, &mut lines)?),
            None if line.trim().is_empty() => {}
            None => armored.has_text_outside = true,
        }
    }
    Ok(armored)
}

fn read_block<'a>(begin: &str, lines: &mut impl Iterator<Item = &'a str>) -> Result<Block, &'static str> {
    // Headers end at the first empty line; that line is what tells them from base64.
    for line in lines.by_ref() {
        if line.trim().is_empty() {
            break;
        }
        if !line.contains(": ") && !line.trim_end().ends_with(':') {
            return Err("an armored block has no empty line before its data");
        }
    }
    let mut base64 = Zeroizing::new(String::new());
    let mut checksum = None;
    let end = loop {
        let line = lines.next().ok_or("an armored block has no end")?.trim();
        if let Some(label) = label(line, "-----END ") {
            break label;
        }
        if checksum.is_some() {
            return Err("an armored block goes on after its checksum");
        }
        match line.strip_prefix('=') {
            Some(digits) if digits.len() == 4 => checksum = Some(decode(digits)?),
            _ if line.starts_with('-') => return Err("an armored block has no end"),
            _ => {
                if base64.capacity() - base64.len() < line.len() {
                    // Grown by hand so that the old buffer, which may be a secret key, is wiped.
                    let mut larger = Zeroizing::new(String::with_capacity((base64.len() + line.len()) * 2));
                    larger.push_str(&base64);
                    base64 = larger;
                }
                base64.push_str(line);
            }
        }
    };
    if end != begin {
        return Err("an armored block ends with another label than it began");
    }
    let body = decode(&base64)?;
    if let Some(checksum) = checksum
        && crc24(&body).to_be_bytes()[1..] != checksum[..]
    {
        return Err("an armored block does not match its checksum");
    }
    Ok(Block { label: begin.to_owned(), body })
}

/// The label of a line that begins or ends a block.
fn label<'a>(line: &'a str, start: &str) -> Option<&'a str> {
    line.trim_end().strip_prefix(start)?.strip_suffix("-----")
}

/// Base64 (RFC 4648, section 4): padded, nothing else between.
fn decode(base64: &str) -> Result<Zeroizing<Vec<u8>>, &'static str> {
    const REASON: &str = "an armored block holds something that is not base64";
    let digits = base64.trim_end_matches('=');
    if !base64.len().is_multiple_of(4) || base64.len() - digits.len() > 2 {
        return Err(REASON);
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(base64.len() / 4 * 3));
    let (mut bits, mut count) = (0u32, 0);
    for digit in digits.bytes() {
        let value = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return Err(REASON),
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
            bits &= (1 << count) - 1;
        }
    }
    // Bits that fall off the end must be zero, or two texts would stand for the same bytes.
    if bits == 0 { Ok(bytes) } else { Err(REASON) }
}

/// What a text in base64 stands for, whatever white space and line ends are in it; `None` for anything else.
pub(crate) fn base64(text: &[u8]) -> Option<Vec<u8>> {
    let text: String = std::str::from_utf8(text).ok()?.split_ascii_whitespace().collect();
    Some(decode(&text).ok()?.to_vec())
}

/// RFC 9580, section 6.1.1.
fn crc24(bytes: &[u8]) -> u32 {
    let mut crc = 0x00B7_04CE_u32;
    for byte in bytes {
        crc ^= u32::from(*byte) << 16;
        for _ in 0..8 {
            crc <<= 1;
            if crc & 0x0100_0000 != 0 {
                crc ^= 0x0186_4CFB;
            }
        }
    }
    crc & 0x00FF_FFFF
}

/// Writes a block, with the checksum that `rpm --import` and old gpg want.
pub(crate) fn write(content: &impl Serialize, label: BlockType) -> Zeroizing<Vec<u8>> {
    // Base64 is 4/3, plus line breaks and labels: room at once, since a secret key may be written.
    let mut text = Zeroizing::new(Vec::with_capacity(content.write_len() * 3 / 2 + 256));
    pgp::armor::write(content, label, &mut *text, None, true).expect("writing into memory does not fail");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_decoded_and_nothing_else_is() {
        for (text, bytes) in
            [("", &b""[..]), ("Zg==", b"f"), ("Zm8=", b"fo"), ("Zm9v", b"foo"), ("Zm9vYg==", b"foob")]
        {
            assert_eq!(decode(text).unwrap()[..], *bytes);
        }
        for text in ["Z", "Zg", "Zg=", "Zh==", "Z===", "====", "Zm9v!", "Zm 9", "=Zm9"] {
            assert!(decode(text).is_err(), "{text}");
        }
    }

    #[test]
    fn every_damage_to_a_block_is_named() {
        let good = "-----BEGIN PGP SIGNATURE-----\nComment: x\n\nZm9v\n=T31i\n-----END PGP SIGNATURE-----\n";
        let crc = crc24(b"foo");
        let armored = read(&good.replace("=T31i\n", "")).unwrap();
        assert_eq!((armored.blocks.len(), armored.has_text_outside), (1, false));
        assert_eq!(armored.blocks[0].body[..], *b"foo");
        assert_ne!(crc, 0);
        for bad in [
            good.to_owned(), // a checksum of something else
            good.replace("Comment: x\n\n", "Comment: x\n"),
            good.replace("-----END PGP SIGNATURE-----", "-----END PGP MESSAGE-----"),
            good.replace("-----END PGP SIGNATURE-----", ""),
            good.replace("=T31i\n", "-----BEGIN PGP SIGNATURE-----\n"),
            good.replace("=T31i\n", "=T31i\nZm9v\n"),
        ] {
            assert!(read(&bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn text_outside_a_block_is_noticed() {
        let block = "-----BEGIN PGP SIGNATURE-----\n\nZm9v\n-----END PGP SIGNATURE-----\n";
        assert!(!read(&format!("\n \n{block}\n")).unwrap().has_text_outside);
        assert!(read(&format!("note\n{block}")).unwrap().has_text_outside);
        assert!(read(&format!("{block}note")).unwrap().has_text_outside);
        assert_eq!(read(&format!("{block}{block}")).unwrap().blocks.len(), 2);
    }
}

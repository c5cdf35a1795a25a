//! GnuPG's keybox: the file in which gpg 2.1 and later keeps public keys (`pubring.kbx`).
//!
//! Specification: GnuPG's source, `kbx/keybox-blob.c` (the comment at its top). All numbers are big-endian.
//!
//! | offset in a blob | what |
//! |---|---|
//! | 0, u32 | length of the blob, this field included |
//! | 4, u8 | type: 0 deleted, 1 header, 2 OpenPGP, 3 X.509 |
//! | 5, u8 | version |
//! | 6, u16 | flags; bit 1: ephemeral |
//! | 8, u32 | OpenPGP: offset of the key's packets in the blob. Header: the magic `KBXf` |
//! | 12, u32 | OpenPGP: their length |
//!
//! Not read: signatures' cached states, trust, X.509. The blob's own checksum is not checked: the keys inside
//! are signed. Nothing writes a keybox here, since sqv, rpm and apt of Debian 13 do not read one.

const OPENPGP: u8 = 2;
const EPHEMERAL: u16 = 2;

/// Whether a file is a keybox: its first blob is the header.
pub(super) fn is_keybox(bytes: &[u8]) -> bool {
    bytes.get(8..12) == Some(b"KBXf") && bytes.get(4) == Some(&1)
}

/// The OpenPGP keys of a keybox, each as packets.
pub(super) fn key_blocks(bytes: &[u8]) -> Result<Vec<&[u8]>, &'static str> {
    let mut blocks = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let length = number(rest, 0).filter(|length| (5..=rest.len()).contains(length));
        let (blob, after) = rest.split_at(length.ok_or("the keybox is cut off or damaged")?);
        rest = after;
        let flags = u16::from_be_bytes([*blob.get(6).unwrap_or(&0), *blob.get(7).unwrap_or(&0)]);
        if blob[4] == OPENPGP && flags & EPHEMERAL == 0 {
            let block = number(blob, 8).zip(number(blob, 12)).and_then(|(offset, length)| {
                // An offset inside the fixed fields would read them as packets.
                blob.get(offset..offset.checked_add(length)?).filter(|_| offset >= 16)
            });
            blocks.push(block.ok_or("the keybox is damaged")?);
        }
    }
    Ok(blocks)
}

fn number(bytes: &[u8], offset: usize) -> Option<usize> {
    let field = bytes.get(offset..offset + 4)?;
    usize::try_from(u32::from_be_bytes(field.try_into().ok()?)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blob(kind: u8, fields: &[u32], tail: &[u8]) -> Vec<u8> {
        let mut rest = vec![kind, 1, 0, 0];
        fields.iter().for_each(|field| rest.extend(field.to_be_bytes()));
        rest.extend(tail);
        let mut blob = (rest.len() as u32 + 4).to_be_bytes().to_vec();
        blob.extend(rest);
        blob
    }

    #[test]
    fn only_living_openpgp_blobs_are_read() {
        let header = blob(1, &[u32::from_be_bytes(*b"KBXf"), 0], &[]);
        assert!(is_keybox(&header));
        assert_eq!(key_blocks(&header), Ok(vec![]));
        let whole = [
            header,
            blob(0, &[16, 2], b"no"),
            blob(2, &[16, 3], b"one"),
            blob(3, &[16, 2], b"no"),
            blob(2, &[17, 3], b".two."),
        ]
        .concat();
        assert_eq!(key_blocks(&whole), Ok(vec![&b"one"[..], b"two"]));
    }

    #[test]
    fn offsets_and_lengths_that_lie_are_refused() {
        for bad in [
            blob(2, &[16, 4], b"one"),
            blob(2, &[u32::MAX, 3], b"one"),
            blob(2, &[16, u32::MAX], b"one"),
            blob(2, &[0, 3], b"one"),
            blob(2, &[], b""),
            vec![0, 0, 0, 0, 2],
            vec![0, 0, 0, 4],
            vec![0, 0, 0],
            vec![255, 255, 255, 255, 2, 1],
        ] {
            assert!(key_blocks(&bad).is_err(), "{bad:?}");
        }
    }
}

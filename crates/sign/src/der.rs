//! DER, as far as public keys and signature values need it.
//!
//! Specification: ITU-T X.690, section 8.1 (tag, length, content) and section 10 (definite lengths).

/// The content of the element that `der` begins with, which must have that tag, and what follows the element.
/// Lengths of up to two bytes: nothing that is read here is longer than 64 KiB.
pub(crate) fn element(tag: u8, der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&found, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7F => (usize::from(first), rest),
        0x81 => (usize::from(*rest.first()?), &rest[1..]),
        0x82 => (usize::from(u16::from_be_bytes(rest.get(..2)?.try_into().ok()?)), &rest[2..]),
        _ => return None,
    };
    if found == tag { rest.split_at_checked(length) } else { None }
}

#[cfg(test)]
mod tests {
    use super::element;

    #[test]
    fn an_element_is_read_whole_or_not_at_all() {
        assert_eq!(element(2, &[2, 1, 7, 9]), Some((&[7][..], &[9][..])));
        assert_eq!(element(2, &[2, 0x81, 1, 7]), Some((&[7][..], &[][..])));
        assert_eq!(element(2, &[2, 0x82, 0, 1, 7]), Some((&[7][..], &[][..])));
        for bad in [&[][..], &[2], &[2, 2, 7], &[3, 1, 7], &[2, 0x81], &[2, 0x82, 0], &[2, 0x80, 0, 0]] {
            assert_eq!(element(2, bad), None, "{bad:?}");
        }
    }
}

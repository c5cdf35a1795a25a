use super::*;
use crate::Error;

const PART: Part = Part { format: "deb", name: "data.tar" };

#[test]
fn an_empty_archive_is_two_blocks_or_nothing_where_that_is_agreed() {
    assert!(Reader::new(&[0; 1024][..], PART, End::Blocks).next().unwrap().is_none());
    assert!(Reader::new(&[][..], PART, End::BlocksOrStream).next().unwrap().is_none());
    for (bytes, end) in [(&[][..], End::Blocks), (&[0; 512], End::Blocks), (&[0; 100], End::BlocksOrStream)] {
        let error = Reader::new(bytes, PART, end).next().unwrap_err();
        assert!(matches!(error, Error::Malformed { .. }), "{error}");
    }
}

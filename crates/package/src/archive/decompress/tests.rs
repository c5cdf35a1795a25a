//! Streams that are what they say, and streams that are not.

use std::io::{BufReader, Write as _};
use std::num::NonZeroUsize;

use super::*;
use crate::archive::compress::{Compression, Encoder};
use crate::{Error, Resources};

const PART: Part = Part { format: "deb", name: "data.tar" };

fn compress(compression: Compression, bytes: &[u8]) -> Vec<u8> {
    let mut encoder =
        Encoder::new(compression, Resources { threads: NonZeroUsize::MIN }, Vec::new()).unwrap();
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn unpack(method: Method, bytes: &[u8], limit: u64) -> Result<Vec<u8>> {
    // Buffers of one byte at times: a member's border may be anywhere in one.
    let mut results = [1 << 16, 7].map(|capacity| {
        let mut decoder = Decoder::new(method, BufReader::with_capacity(capacity, bytes), PART, limit)?;
        let mut unpacked = Vec::new();
        decoder.read_to_end(&mut unpacked)?;
        Ok(unpacked)
    });
    let [large, small] = &mut results;
    match (large, small) {
        (Ok(large), Ok(small)) => assert!(large == small),
        (Err(_), Err(_)) => {}
        (large, small) => panic!("{large:?} and {small:?}"),
    }
    let [large, _] = results;
    large
}

const METHODS: [(Method, Compression); 3] =
    [(Method::Gzip, Compression::GZIP), (Method::Xz, Compression::XZ), (Method::Zstd, Compression::ZSTD)];

#[test]
fn what_is_compressed_is_unpacked_and_two_streams_are_one() {
    for (method, compression) in METHODS {
        let one = compress(compression, b"one ");
        let both = [&one[..], &compress(compression, b"two")].concat();
        assert_eq!(unpack(method, &both, 7).unwrap(), b"one two", "{method:?}");
        assert_eq!(Method::of_magic(&one), method);
    }
    assert_eq!(unpack(Method::None, b"as it is", 8).unwrap(), b"as it is");
}

#[test]
fn more_than_the_limit_is_refused() {
    for (method, compression) in METHODS {
        let error = unpack(method, &compress(compression, b"12345678"), 7).unwrap_err();
        assert!(matches!(error, Error::BeyondLimit { limit: 7, .. }), "{error}");
    }
}

#[test]
fn what_is_cut_off_changed_or_followed_by_something_is_malformed() {
    for (method, compression) in METHODS {
        let plain: Vec<u8> = (0..2000_u32).flat_map(|n| (n * n).to_le_bytes()).collect();
        let whole = compress(compression, &plain);
        for length in (0..whole.len()).step_by(7) {
            let error = unpack(method, &whole[..length], 1 << 20).unwrap_err();
            assert!(matches!(error, Error::Malformed { .. }), "{method:?} cut at {length}: {error:?}");
        }
        let mut changed = whole.clone();
        changed[whole.len() / 2] ^= 1;
        assert!(matches!(unpack(method, &changed, 1 << 20).unwrap_err(), Error::Malformed { .. }));
        for garbage in [&b"x"[..], b"garbage behind it"] {
            let error = unpack(method, &[&whole[..], garbage].concat(), 1 << 20).unwrap_err();
            assert!(matches!(error, Error::Malformed { .. }), "{method:?} {error:?}");
        }
        let error = unpack(method, b"something else", 1 << 20).unwrap_err();
        assert!(error.to_string().contains("as its name says"), "{error}");
    }
    let error = unpack(Method::Bzip2, b"BZh91AY&SY", 1 << 20).unwrap_err();
    assert!(error.to_string().contains("bzip2"), "{error}");
}

#[test]
fn a_window_or_dictionary_beyond_128_mib_is_refused() {
    // xz(1)'s lzma form: properties, dictionary of 4 GiB - 1, unknown length.
    let mut lzma = vec![0x5d];
    lzma.extend_from_slice(&[0xff; 4]);
    lzma.extend_from_slice(&[0xff; 8]);
    lzma.extend_from_slice(&[0; 16]);
    let error = unpack_lzma(&lzma);
    assert!(matches!(error, Error::BeyondLimit { .. }), "{error:?}");

    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder.window_log(28).unwrap();
    encoder.write_all(&[7; 4096]).unwrap();
    let error = unpack(Method::Zstd, &encoder.finish().unwrap(), 1 << 20).unwrap_err();
    assert!(matches!(error, Error::BeyondLimit { .. }), "{error:?}");

    let mut options = liblzma::stream::LzmaOptions::new_preset(0).unwrap();
    options.dict_size(256 << 20);
    let mut filters = liblzma::stream::Filters::new();
    filters.lzma2(&options);
    let stream =
        Stream::new_stream_encoder(&filters, liblzma::stream::Check::Crc32).expect("256 MiB are allowed");
    let mut encoder = liblzma::write::XzEncoder::new_stream(Vec::new(), stream);
    encoder.write_all(b"small").unwrap();
    let error = unpack(Method::Xz, &encoder.finish().unwrap(), 1 << 20).unwrap_err();
    assert!(matches!(error, Error::BeyondLimit { .. }), "{error:?}");
}

fn unpack_lzma(bytes: &[u8]) -> Error {
    // Its first three bytes are no magic then, so that it comes in by name only, byte by byte.
    let from = BufReader::with_capacity(5, bytes);
    let mut decoder = Decoder::new(Method::Lzma, from, PART, 1 << 20).unwrap();
    let error = decoder.read_to_end(&mut Vec::new()).unwrap_err();
    error.into()
}

#[test]
fn a_thousand_empty_members_are_refused_and_one_is_not() {
    let empty = compress(Compression::GZIP, b"");
    let full = compress(Compression::GZIP, b"x");
    assert_eq!(unpack(Method::Gzip, &[&full[..], &empty, &full].concat(), 9).unwrap(), b"xx");
    let error = unpack(Method::Gzip, &empty.repeat(1000), 9).unwrap_err();
    assert!(matches!(error, Error::BeyondLimit { .. }), "{error:?}");
}

#[test]
fn members_have_borders_and_hashes() {
    let parts = [compress(Compression::GZIP, b"signature"), compress(Compression::GZIP, b"control")];
    let files = [compress(Compression::GZIP, b"files, "), compress(Compression::GZIP, b"in two")];
    let whole = [&parts[0][..], &parts[1], &files[0], &files[1]].concat();
    for capacity in [1 << 16, 1, 13] {
        let mut members = Members::new(BufReader::with_capacity(capacity, &whole[..]), PART);
        let mut offset = 0;
        for (part, plain) in parts.iter().zip(["signature", "control"]) {
            assert!(members.next().unwrap());
            let mut text = String::new();
            members.read_to_string(&mut text).unwrap();
            assert_eq!(text, plain);
            let member = members.end().unwrap();
            assert_eq!((member.offset, member.length), (offset, part.len() as u64));
            use sha2::Digest as _;
            assert_eq!(member.sha256[..], sha2::Sha256::digest(part)[..]);
            assert_eq!(member.sha1[..], sha1::Sha1::digest(part)[..]);
            offset += part.len() as u64;
        }
        // The reader ends with each member.
        for part in &files {
            assert!(members.next().unwrap());
            assert!(members.read_to_end(&mut Vec::new()).unwrap() > 0);
            assert_eq!(members.end().unwrap().length, part.len() as u64);
        }
        assert!(!members.next().unwrap());
    }
}

#[test]
fn a_member_must_be_read_to_its_end() {
    let whole = compress(Compression::GZIP, b"signature");
    let mut members = Members::new(&whole[..], PART);
    assert!(members.next().unwrap());
    assert!(members.end().is_err());
}

/// IN-13: a gibibyte in 32 KiB, again and again, as a file that is all holes would be. Eight are unpacked in seconds.
#[test]
fn ten_gibibytes_out_of_some_kilobytes_are_taken_for_a_bomb() {
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    io::copy(&mut io::repeat(0).take(1 << 30), &mut encoder).unwrap();
    let frame = encoder.finish().unwrap();
    let unpacked = |frames: usize| {
        let bomb = frame.repeat(frames);
        assert!(bomb.len() < 1 << 20, "{}", bomb.len());
        let mut decoder = Decoder::new(Method::Zstd, &bomb[..], PART, u64::MAX).unwrap();
        io::copy(&mut decoder, &mut io::sink())
    };
    assert_eq!(unpacked(8).unwrap(), 8 << 30);
    let error: Error = unpacked(10).unwrap_err().into();
    assert!(matches!(error, Error::BeyondLimit { limit: RATIO, .. }), "{error}");
}

#[test]
fn what_a_stream_may_unpack_to_grows_with_its_length() {
    let mut budget = Budget { limit: 100 << 30, produced: 0 };
    for gib in 1..=100 {
        // A ratio of 1,000, as gzip has of zeros.
        budget.take(1 << 30, (gib << 30) / 1000, PART).unwrap();
    }
    let error = budget.take(1, 1 << 30, PART).unwrap_err();
    assert!(matches!(error, Error::BeyondLimit { limit, .. } if limit == 100 << 30), "{error}");
}

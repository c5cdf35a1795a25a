//! Readers by name, for `fuzz/`: each takes any bytes, and must neither panic, hang nor take much memory.
//!
//! Hardly a change that a fuzzer makes gets past a checksum. So there is a second reader of what has any, `…-sealed`,
//! which first makes them right, as an attacker would.
//!
//! Compiled with `--cfg fuzzing`, which cargo-fuzz sets, and for the test that runs every reader on what fuzzing
//! found. A new reader is a row.

use std::io::{BufReader, Cursor, Read, Write as _, sink};

use sha2::{Digest as _, Sha256};

use crate::archive::ar_reader::Reader as Ar;
use crate::archive::cpio_reader::{Member, Reader as Cpio};
use crate::archive::decompress::{Decoder, Method};
use crate::archive::part::{Part, hexadecimal};
use crate::archive::tar_reader::{End, Reader as Tar};
use crate::deb::paragraph::Paragraph;
use crate::{Depth, Format, Signing, inspect_file};

const PART: Part = Part { format: "fuzz", name: "input" };
/// What a decompressor may give, so that a run is quick.
const LIMIT: u64 = 4 << 20;

/// A name, and a reader.
pub type Reader = (&'static str, fn(&[u8]));

/// All of them.
pub const READERS: &[Reader] = &[
    ("deb", |bytes| inspect(Format::Deb, bytes)),
    ("rpm", |bytes| inspect(Format::Rpm, bytes)),
    ("apk", |bytes| inspect(Format::Apk, bytes)),
    ("pacman", |bytes| inspect(Format::Pacman, bytes)),
    ("zip", |bytes| inspect(Format::Zip, bytes)),
    ("inspect", |bytes| {
        for depth in [Depth::Metadata, Depth::Contents] {
            let _ = inspect_file(&mut Cursor::new(bytes), "", depth);
        }
    }),
    ("tar", tar),
    ("ar", ar),
    ("cpio", cpio),
    ("control", |bytes| {
        let _ = Paragraph::parse(bytes);
    }),
    ("gzip", |bytes| unpack(Method::Gzip, bytes)),
    ("tar-sealed", |bytes| tar(&sealed_tar(bytes))),
    ("deb-sealed", |bytes| inspect(Format::Deb, &sealed_tar(bytes))),
    ("pacman-sealed", |bytes| inspect(Format::Pacman, &sealed_tar(bytes))),
    ("apk-sealed", |bytes| inspect(Format::Apk, &sealed_apk(bytes))),
    ("rpm-sealed", |bytes| inspect(Format::Rpm, &sealed_rpm(bytes))),
    ("xz", |bytes| unpack(Method::Xz, bytes)),
    ("zstd", |bytes| unpack(Method::Zstd, bytes)),
];

/// Both depths of a format, and what is signed in it; what can be signed, can be signed again.
fn inspect(format: Format, bytes: &[u8]) {
    if let Ok(signatures) = format.get().signatures(&mut Cursor::new(bytes)) {
        for embedded in signatures {
            assert!(embedded.range.end <= bytes.len() as u64, "it covers bytes of the file");
        }
    }
    if let Signing::Inside(signing) = format.get().signing() {
        let mut out = Vec::new();
        let written = signing.write(&mut Cursor::new(bytes), &[], &mut out);
        if let (Ok(()), Ok(before)) = (written, signing.to_sign(&mut Cursor::new(bytes))) {
            assert!(signing.to_sign(&mut Cursor::new(out)).is_ok_and(|after| after == before));
        }
    }
    for depth in [Depth::Metadata, Depth::Contents] {
        let _ = format.get().inspect(&mut Cursor::new(bytes), depth);
    }
}

fn tar(bytes: &[u8]) {
    for end in [End::Blocks, End::BlocksOrStream] {
        let mut tar = Tar::new(bytes, PART, end);
        while let Ok(Some(_)) = tar.next() {
            if std::io::copy(&mut tar, &mut sink()).is_err() {
                break;
            }
        }
    }
}

fn ar(bytes: &[u8]) {
    let mut file = Cursor::new(bytes);
    let Ok(mut ar) = Ar::new(&mut file, PART) else { return };
    while let Ok(Some(member)) = ar.next() {
        assert!(member.offset + member.size <= bytes.len() as u64, "a member lies inside the file");
        let _ = ar.open(&member).map(|mut content| std::io::copy(&mut content, &mut sink()));
    }
}

fn cpio(bytes: &[u8]) {
    let mut cpio = Cpio::new(bytes, PART);
    while let Ok(Some(member)) = cpio.next() {
        if let Member::Indexed(index) = member {
            cpio.set_size(u64::from(index % 64));
        }
        if std::io::copy(&mut cpio, &mut sink()).is_err() {
            break;
        }
    }
}

fn unpack(method: Method, bytes: &[u8]) {
    // A small buffer, so that borders fall everywhere.
    let from = BufReader::with_capacity(13, bytes);
    let Ok(mut decoder) = Decoder::new(method, from, PART, LIMIT) else { return };
    let mut piece = [0; 4096];
    while matches!(decoder.read(&mut piece), Ok(1..)) {}
}

/// With the checksum right in everything that could be a tar header, wherever it is: in a deb, too.
fn sealed_tar(bytes: &[u8]) -> Vec<u8> {
    let mut sealed = bytes.to_vec();
    for block in 0..sealed.len().saturating_sub(511) {
        if sealed[block + 257..].starts_with(b"ustar") {
            let header = &mut sealed[block..block + 512];
            header[148..156].fill(b' ');
            let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
            header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        }
    }
    sealed
}

/// Archives with this word between them, as the gzip members of an apk.
const SEGMENT: &[u8] = b"SEGMENT\n";

fn sealed_apk(bytes: &[u8]) -> Vec<u8> {
    let mut sealed = Vec::new();
    let mut rest = bytes;
    loop {
        let end = rest.windows(SEGMENT.len()).position(|window| window == SEGMENT);
        let mut member = flate2::write::GzEncoder::new(sealed, flate2::Compression::none());
        member.write_all(&sealed_tar(&rest[..end.unwrap_or(rest.len())])).expect("a Vec takes all bytes");
        sealed = member.finish().expect("a Vec takes all bytes");
        match end {
            Some(end) => rest = &rest[end + SEGMENT.len()..],
            None => return sealed,
        }
    }
}

/// A package of the last header in `bytes` and what follows it, signed as rpm signs: with its SHA-256.
fn sealed_rpm(bytes: &[u8]) -> Vec<u8> {
    let start = bytes.windows(4).rposition(|window| window == [0x8e, 0xad, 0xe8, 1]).unwrap_or_default();
    let rest = &bytes[start..];
    let word = |at: usize| {
        rest.get(at..at + 4).map_or(0, |word| u32::from_be_bytes([word[0], word[1], word[2], word[3]]))
    };
    let length = 16 + 16 * u64::from(word(8)) + u64::from(word(12));
    let header = &rest[..rest.len().min(usize::try_from(length).unwrap_or(usize::MAX))];
    let mut sealed = [&b"\xed\xab\xee\xdb"[..], &[0; 92], b"\x8e\xad\xe8\x01\0\0\0\0"].concat();
    // Two entries, 81 bytes; the region with its trailer behind the digest; the digest (see `rpm/header.rs`).
    for word in [2, 81, 62, 7, 65, 16, 273, 6, 0, 1] {
        sealed.extend(u32::to_be_bytes(word));
    }
    sealed.extend(format!("{}\0", hexadecimal(&Sha256::digest(header))).as_bytes());
    for word in [62, 7, 32_u32.wrapping_neg(), 16] {
        sealed.extend(word.to_be_bytes());
    }
    sealed.resize(sealed.len().next_multiple_of(8), 0);
    sealed.extend_from_slice(rest);
    sealed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(format: Format) -> Vec<u8> {
        let mut package = crate::Package {
            metadata: crate::Metadata {
                name: crate::PackageName::new("hello").unwrap(),
                version: crate::Version::new("1"),
                arch: crate::Arch::X86_64,
                summary: "Says hello".into(),
                description: "Hello.".into(),
                homepage: None,
                vendor: None,
                maintainer: "A <a@example.org>".into(),
                license: None,
                category: None,
                relations: crate::Relations::default(),
                changelog: Vec::new(),
            },
            files: crate::FileTree::new(),
            scripts: crate::Scripts::new(),
            setup: crate::Setup::default(),
            timestamp: crate::Timestamp::from_unix(7).unwrap(),
            options: crate::Options::default(),
        };
        package.options.compression = format.get().compressions().last().copied();
        let mut out = Cursor::new(Vec::new());
        format.get().write(&package, crate::Resources::all(), &mut out).unwrap();
        out.into_inner()
    }

    /// Otherwise everything would be refused at its first byte, and nobody would notice.
    #[test]
    fn what_was_changed_is_read_once_it_is_sealed() {
        let read = |format: Format, bytes: &[u8]| {
            format.get().inspect(&mut Cursor::new(bytes), Depth::Contents).map_err(|error| error.to_string())
        };
        for (format, seal, from, to, reason) in [
            (Format::Deb, sealed_tar as fn(&[u8]) -> Vec<u8>, "0000644", "0000600", "checksum"),
            (Format::Pacman, sealed_tar, "0000644", "0000600", "checksum"),
            (Format::Rpm, sealed_rpm, "Says hello", "Says mello", "its SHA"),
        ] {
            let mut bytes = package(format);
            read(format, &bytes).unwrap();
            let place = bytes.windows(from.len()).position(|window| window == from.as_bytes()).unwrap();
            bytes[place..place + from.len()].copy_from_slice(to.as_bytes());
            let error = read(format, &bytes).unwrap_err();
            assert!(error.contains(reason), "{error}");
            if let Err(error) = read(format, &seal(&bytes)) {
                assert!(error.contains(".MTREE"), "{format}: {error}");
            }
        }
        let info =
            "pkgname = a\npkgver = 1-r0\narch = noarch\ndatahash = ".to_owned() + &"0".repeat(64) + "\n";
        let mut header = tar::Header::new_ustar();
        header.set_path(".PKGINFO").unwrap();
        header.set_size(info.len() as u64);
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        let mut apk = [header.as_bytes(), info.as_bytes()].concat();
        apk.resize(1024, 0);
        apk.extend_from_slice(&[SEGMENT, &[0; 1024]].concat());
        let error = read(Format::Apk, &sealed_apk(&apk)).unwrap_err();
        assert!(error.contains("`datahash`"), "{error}");
    }

    #[test]
    fn readers_take_anything() {
        for (name, reader) in READERS {
            for bytes in [&b""[..], b"!<arch>\n", b"x", &[0; 1024], &[0xff; 300]] {
                reader(bytes);
            }
            assert!(!name.is_empty());
        }
    }
}

//! Readers by name, for `fuzz/`: each takes any bytes, and must neither panic, hang nor take much memory.
//!
//! Compiled with `--cfg fuzzing`, which cargo-fuzz sets, and for the test that runs every reader on what fuzzing
//! found. A new reader is a row.

use std::io::{BufReader, Cursor, Read, sink};

use crate::archive::ar_reader::Reader as Ar;
use crate::archive::cpio_reader::{Member, Reader as Cpio};
use crate::archive::decompress::{Decoder, Method};
use crate::archive::part::Part;
use crate::archive::tar_reader::{End, Reader as Tar};
use crate::deb::paragraph::Paragraph;
use crate::{Depth, Format, inspect_file};

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
    ("xz", |bytes| unpack(Method::Xz, bytes)),
    ("zstd", |bytes| unpack(Method::Zstd, bytes)),
];

/// Both depths of a format.
fn inspect(format: Format, bytes: &[u8]) {
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

#[cfg(test)]
mod tests {
    use super::*;

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

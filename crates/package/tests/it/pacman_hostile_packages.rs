//! Packages and archives that lie, read as input: each is refused for its own reason, and its good twin is read.
#![expect(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

use std::io::Cursor;

use packhouse_package::archive::compress::Compression;
use packhouse_package::{Depth, Format, Moment, Script, inspect_file};

use crate::pacman_fixture::{bytes, files, package, path};

/// The members of an uncompressed package, in order.
#[derive(Clone)]
struct Members(Vec<(tar::Header, Vec<u8>, Vec<u8>)>);

impl Members {
    fn good() -> Members {
        let mut package = package("1.0", &files());
        package.scripts.insert(Moment::AfterInstall, Script::shell("echo\n"));
        package.options.compression = Some(Compression::None);
        let bytes = bytes(&package, 1).unwrap();
        let mut archive = tar::Archive::new(&bytes[..]);
        let entries = archive.entries().unwrap().map(|entry| {
            let mut entry = entry.unwrap();
            let mut bytes = Vec::new();
            std::io::Read::read_to_end(&mut entry, &mut bytes).unwrap();
            (entry.header().clone(), entry.path_bytes().into_owned(), bytes)
        });
        Members(entries.collect())
    }

    fn position(&self, name: &str) -> usize {
        self.0.iter().position(|(_, path, _)| path == name.as_bytes()).unwrap()
    }

    /// With other bytes in a member.
    fn with(mut self, name: &str, change: impl FnOnce(&[u8]) -> Vec<u8>) -> Members {
        let position = self.position(name);
        let (header, _, bytes) = &mut self.0[position];
        *bytes = change(bytes);
        header.set_size(bytes.len() as u64);
        self
    }

    /// With another list of files.
    fn with_mtree(self, change: impl FnOnce(String) -> String) -> Members {
        self.with(".MTREE", |packed| {
            let mut text = String::new();
            std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(packed), &mut text).unwrap();
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            std::io::Write::write_all(&mut encoder, change(text).as_bytes()).unwrap();
            encoder.finish().unwrap()
        })
    }

    fn into_bytes(self) -> Vec<u8> {
        let mut archive = Vec::new();
        for (mut header, _, bytes) in self.0 {
            header.set_cksum();
            archive.extend_from_slice(header.as_bytes());
            archive.extend_from_slice(&bytes);
            archive.resize(archive.len().next_multiple_of(512), 0);
        }
        archive.resize(archive.len() + 1024, 0);
        archive
    }
}

#[track_caller]
fn refused(bytes: Vec<u8>, reason: &str) {
    let mut file = Cursor::new(bytes);
    let error = Format::Pacman.get().inspect(&mut file, Depth::Contents).unwrap_err().to_string();
    assert!(error.contains(reason), "{error}");
}

#[test]
fn the_good_twin_is_read() {
    let inspection =
        inspect_file(&mut Cursor::new(Members::good().into_bytes()), "", Depth::Contents).unwrap();
    assert_eq!((inspection.format, &inspection.version[..]), (Format::Pacman, "1.0-1"));
    let same = Members::good().with_mtree(|text| text).into_bytes();
    assert!(Format::Pacman.get().inspect(&mut Cursor::new(same), Depth::Contents).is_ok());
}

#[test]
fn members_that_are_missing_twice_or_no_files_are_refused() {
    let mut missing = Members::good();
    missing.0.remove(missing.position(".PKGINFO"));
    refused(missing.into_bytes(), "it has no `.PKGINFO`");

    let mut twice = Members::good();
    let again = twice.0[twice.position(".PKGINFO")].clone();
    twice.0.insert(0, again);
    refused(twice.into_bytes(), "twice");

    let mut late = Members::good();
    let info = late.0.remove(late.position(".PKGINFO"));
    late.0.push(info);
    refused(late.into_bytes(), "it has no `.PKGINFO` before its files");

    let mut link = Members::good();
    let position = link.position(".INSTALL");
    let (header, _, bytes) = &mut link.0[position];
    header.set_entry_type(tar::EntryType::Symlink);
    header.set_link_name("/etc/shadow").unwrap();
    header.set_size(0);
    bytes.clear();
    refused(link.into_bytes(), "`.INSTALL` is no file");

    let mut unknown = Members::good();
    let mut other = unknown.0[0].clone();
    other.0.set_path(".hidden").unwrap();
    unknown.0.insert(0, other);
    refused(unknown.into_bytes(), "there is no member `.hidden`");
}

#[test]
fn a_list_of_files_that_lies_is_refused() {
    for (from, to, reason) in [
        ("./usr/bin/orc time", "./usr/bin/other time", "does not list `usr/bin/orc`"),
        ("size=23", "size=24", "it says something else of `usr/bin/orchestrator`"),
        ("size=23 md5digest=", "size=23 md5digest=0000000000000000000000000000000", "a line is wrong"),
        ("mode=755 size=23", "mode=4755 size=23", "it says something else of `usr/bin/orchestrator`"),
        ("link=orchestrator", "link=/bin/sh", "it says something else of `usr/bin/orc`"),
        (
            "./var/lib/orchestrator time=1684497600.0 mode=755 type=dir\n",
            "",
            "does not list `var/lib/orchestrator`",
        ),
        (
            "./usr time",
            "./opt time=1.0 mode=755 type=dir\n./usr time",
            "lists `opt`, which is not in the package",
        ),
        ("#mtree", "# tree", "does not start with `#mtree`"),
    ] {
        let lying = Members::good().with_mtree(|text| {
            assert!(text.contains(from), "{text}");
            text.replace(from, to)
        });
        refused(lying.into_bytes(), reason);
    }
    // IN-13: a bomb within the package, which is not in what the package itself unpacks to.
    let bomb = Members::good().with_mtree(|_| "\n".repeat(129 << 20));
    refused(bomb.into_bytes(), "unpacked bytes beyond 134217728");
    let script = Members::good().with(".INSTALL", |text| [text, b"post_remove() { reboot; }\n"].concat());
    refused(script.into_bytes(), "it says something else of `.INSTALL`");
    let file = Members::good().with("usr/bin/orchestrator", |text| text.to_ascii_uppercase());
    refused(file.into_bytes(), "it says something else of `usr/bin/orchestrator`");
}

#[test]
fn metadata_that_misleads_is_refused() {
    let changed = |from: &'static str, to: &'static str| {
        Members::good()
            .with(".PKGINFO", |text| {
                let text = String::from_utf8(text.to_vec()).unwrap();
                assert!(text.contains(from), "{text}");
                text.replace(from, to).into_bytes()
            })
            .into_bytes()
    };
    refused(changed("pkgname = orchestrator\n", "pkgname = a\npkgname = b\n"), "`pkgname` comes twice");
    refused(changed("pkgname = orchestrator\n", "pkgname = ../x\n"), "`pkgname` is `../x`");
    refused(changed("pkgver = 1.0-1\n", "pkgver = 1.0;reboot-1\n"), "`pkgver` is");
    refused(changed("pkgver = 1.0-1\n", "pkgver = 1.0\n"), "`pkgver` has no release");
    refused(changed("arch = any\n", ""), "it has no `arch`");
    refused(changed("size = ", "size = x"), "`size` is no number");
    refused(changed("arch = any\n", "arch = any\nhidden\n"), "a line is no `key = value`");
    // Some bytes of a compressed archive say the same line a million times, each of which is remembered.
    let many =
        Members::good().with(".BUILDINFO", |text| [text, &b"installed = a\n".repeat(1 << 17)].concat());
    refused(many.into_bytes(), "lines beyond 131072");
}

#[test]
fn what_follows_the_archive_is_refused() {
    refused([Members::good().into_bytes(), b"more".to_vec()].concat(), "something follows its end");
    for compression in [Compression::GZIP, Compression::XZ, Compression::ZSTD] {
        let mut package = package("1.0", &files());
        package.options.compression = Some(compression);
        let good = bytes(&package, 1).unwrap();
        assert!(Format::Pacman.get().inspect(&mut Cursor::new(good.clone()), Depth::Contents).is_ok());
        for cut in [good.len() / 2, good.len() - 3] {
            let mut file = Cursor::new(good[..cut].to_vec());
            assert!(
                Format::Pacman.get().inspect(&mut file, Depth::Contents).is_err(),
                "{compression:?} {cut}"
            );
        }
        let mut file = Cursor::new([&good[..], b"garbage!"].concat());
        assert!(Format::Pacman.get().inspect(&mut file, Depth::Contents).is_err(), "{compression:?}");
    }
}

fn zip() -> Vec<u8> {
    let mut package = package("1.0", &files());
    let text: Vec<u8> = b"the same again and again ".repeat(1000);
    package.files.insert(path("usr/share/text"), packhouse_package::Entry::bytes(text, 0o644)).unwrap();
    package.options.compression = None;
    package.files.complete();
    let mut out = Cursor::new(Vec::new());
    Format::Zip.get().write(&package, packhouse_package::Resources::all(), &mut out).unwrap();
    out.into_inner()
}

/// Every byte of a zip means something: whichever is changed, the archive is refused, or says of its own what
/// changed.
#[test]
fn a_zip_with_any_byte_changed_is_refused_or_reads_otherwise() {
    let good = zip();
    let read = |bytes: &[u8]| Format::Zip.get().inspect(&mut Cursor::new(bytes), Depth::Contents);
    let original = read(&good).unwrap();
    let mut unnoticed = Vec::new();
    for place in 0..good.len() {
        let mut changed = good.clone();
        changed[place] ^= 0x41;
        if read(&changed).is_ok_and(|inspection| inspection == original) {
            unnoticed.push(place);
        }
    }
    // Version and attributes that only other systems read: made by, internal, DOS's own; and times that the extra
    // field says better. Both headers repeat the last, so that one of them alone is refused.
    let directory = good.windows(4).position(|window| window == b"PK\x01\x02").unwrap();
    let local_extra = |place: &usize| *place < directory;
    let (local, central): (Vec<usize>, Vec<usize>) = unnoticed.into_iter().partition(local_extra);
    assert!(local.len() <= 10 * original.files.as_ref().unwrap().len(), "{local:?}");
    assert!(central.len() <= 20 * original.files.as_ref().unwrap().len(), "{central:?}");
}

#[test]
fn a_zip_that_two_readers_would_take_for_two_archives_is_refused() {
    let good = zip();
    let refused = |bytes: Vec<u8>, reason: &str| {
        let error =
            Format::Zip.get().inspect(&mut Cursor::new(bytes), Depth::Contents).unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    };
    refused([&good[..], b"more"].concat(), "its last bytes are no end record");
    refused([b"#!/bin/sh\n", &good[..]].concat(), "does not end where its end record starts");
    refused([&good[..], &good[..]].concat(), "does not end where its end record starts");
    refused(good[..good.len() - 30].to_vec(), "its last bytes are no end record");
    let mut named = good.clone();
    // The name in the local header only.
    let place = named.windows(12).position(|window| window == b"etc/default/").unwrap();
    named[place] = b'x';
    refused(named, "something else in its own header");
    let replaced = |from: &[u8], to: &[u8]| {
        let mut bytes = good.clone();
        let places: Vec<usize> =
            (0..bytes.len() - from.len()).filter(|place| bytes[*place..].starts_with(from)).collect();
        for place in places {
            bytes[place..place + to.len()].copy_from_slice(to);
        }
        bytes
    };
    refused(replaced(b"usr/bin/orc", b"../../x/orc"), "is no plain relative path");
    refused(replaced(b"usr/bin/orc", b"/etc/passwd"), "is no plain relative path");
    refused(
        replaced(b"usr/bin/orchestrator", b"usr/bin/orc/estrator"),
        "lies below `usr/bin/orc`, which is no directory",
    );
}

/// One deflated entry that says that its bytes are so many, in 64 bits.
fn zip_of_length(compressed: u64) -> Vec<u8> {
    let bytes = [3, 0]; // nothing, deflated
    let common = [&[45, 0, 0, 0, 8, 0, 0, 0, 0, 0][..], &[0; 4]].concat();
    let lengths = [0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 1, 0, 12, 0];
    let name_and_extra = [&b"f\x01\0\x08\0"[..], &compressed.to_le_bytes()].concat();
    let local = [&b"PK\x03\x04"[..], &common, &lengths, &name_and_extra, &bytes].concat();
    let central = [&b"PK\x01\x02\x2d\x03"[..], &common, &lengths, &[0; 14], &name_and_extra].concat();
    let (size, start) = ((central.len() as u32).to_le_bytes(), (local.len() as u32).to_le_bytes());
    [&local[..], &central, b"PK\x05\x06\0\0\0\0\x01\0\x01\0", &size, &start, &[0, 0]].concat()
}

#[test]
fn a_zip_whose_entry_is_longer_than_any_file_is_refused() {
    let read = |length| Format::Zip.get().inspect(&mut Cursor::new(zip_of_length(length)), Depth::Contents);
    read(2).unwrap();
    for length in [3, 1 << 40, u64::MAX - 43, u64::MAX - 42, u64::MAX] {
        let error = read(length).unwrap_err().to_string();
        assert!(error.contains("reaches into the directory"), "{length}: {error}");
    }
}

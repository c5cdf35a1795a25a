//! Format 6: rpm 4.18 queries, checks, installs and verifies it, and its headers have what rpm's
//! `docs/manual/format_v6.md` says.
#![expect(clippy::unwrap_used, reason = "a package that cannot be made is a failed test")]

use std::collections::BTreeMap;

use fs_err as fs;
use packhouse_package::archive::compress::Compression;
use packhouse_package::rpm::FormatVersion;
use packhouse_package::{Entry, Package};

use crate::rpm_fixture::{Root, add, bytes, package, path, try_bytes, write};

fn v6(compression: Compression) -> Package {
    let mut package = package("1");
    package.metadata.version.epoch = Some(2);
    add(&mut package, "/usr/bin/hello", "echo hello\n");
    add(&mut package, "/etc/hello.conf", "A=1\n");
    package.files.insert(path("/usr/bin/hi"), Entry::symlink("hello")).unwrap();
    package.files.insert(path("/opt/hello/empty"), Entry::bytes(*b"", 0o600)).unwrap();
    package.files.complete();
    package.options.compression = Some(compression);
    package.options.rpm.version = FormatVersion::V6;
    package
}

/// A header's values as bytes, by tag, with their type and count; and where it ends.
fn header(bytes: &[u8], start: usize) -> (BTreeMap<u32, (u32, Vec<u8>)>, usize) {
    let number = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
    assert_eq!(bytes[start..start + 8], [0x8e, 0xad, 0xe8, 1, 0, 0, 0, 0]);
    let (entries, length) = (number(start + 8) as usize, number(start + 12) as usize);
    let store = start + 16 + 16 * entries;
    let mut values = BTreeMap::new();
    let mut last = 0;
    for index in 0..entries {
        let at = start + 16 + 16 * index;
        let (tag, kind, offset, count) =
            (number(at), number(at + 4), number(at + 8) as usize, number(at + 12) as usize);
        assert!(tag > last, "strictly sorted");
        last = tag;
        let width = [1, 1, 1, 2, 4, 8, 0, 1, 0, 0][kind as usize];
        let at = store + offset;
        let value = match width {
            0 => {
                let mut end = at;
                for _ in 0..count {
                    end += bytes[end..].iter().position(|byte| *byte == 0).unwrap() + 1;
                }
                bytes[at..end - 1].to_vec()
            }
            width => bytes[at..at + width * count].to_vec(),
        };
        assert!(values.insert(tag, (kind, value)).is_none());
    }
    (values, store + length)
}

#[test]
fn the_headers_are_what_the_specification_says() {
    let Some([sha512sum, openssl]) = packhouse_clients::find(["sha512sum", "openssl"]) else { return };
    let bytes = bytes(&v6(Compression::None));
    assert_eq!(bytes[..8], [0xed, 0xab, 0xee, 0xdb, 4, 0, 0, 0]);
    assert_eq!(bytes[8..10], [0, 0], "no architecture");
    assert_eq!(bytes[76..80], [0, 0, 0, 5], "no system, signatures in a header");
    let (signatures, end) = header(&bytes, 96);
    // Region, SHA-256, SHA3-256, reserved: nothing of the payload, and no tag above 999.
    assert_eq!(signatures.keys().copied().collect::<Vec<_>>(), [62, 273, 279, 999]);
    assert!(signatures[&999].1.iter().all(|byte| *byte == 0) && signatures[&999].1.len() > 4000);
    let start = end.next_multiple_of(8);
    let (tags, end) = header(&bytes, start);
    let payload = &bytes[end..];

    let directory = tempfile::tempdir().unwrap();
    let digest = |bytes: &[u8], name: &str| {
        let file = directory.path().join("bytes");
        fs::write(&file, bytes).unwrap();
        let text = match name {
            "sha512" => sha512sum.run([file.as_os_str()]),
            name => openssl.run(["dgst".as_ref(), "-r".as_ref(), name.as_ref(), file.as_os_str()]),
        };
        text.split_whitespace().next().unwrap().to_owned().into_bytes()
    };
    assert_eq!(signatures[&273].1, digest(&bytes[start..end], "-sha256"));
    assert_eq!(signatures[&279].1, digest(&bytes[start..end], "-sha3-256"));
    for (tags_of, name) in [([5092, 5097], "-sha256"), ([5121, 5122], "sha512"), ([5123, 5124], "-sha3-256")]
    {
        for tag in tags_of {
            assert_eq!(tags[&tag].1, digest(payload, name), "{tag}");
        }
    }
    let size = (payload.len() as u64).to_be_bytes();
    for (tag, kind, value) in [
        (5114, 4, &6_u32.to_be_bytes()[..]),
        (5112, 5, &size),
        (5113, 5, &size),
        (5120, 6, b"hello-2:1-1"),
        (5062, 6, b"utf-8"),
        (5011, 4, &8_u32.to_be_bytes()),
    ] {
        assert_eq!(tags[&tag], (kind, value.to_vec()), "{tag}");
    }
    assert_eq!((tags[&5008].0, tags[&5009].0), (5, 5), "64-bit sizes");
    // SIZE, FILESIZES, the algorithm of the payload's digest, cookie.
    for old in [1009, 1028, 5093, 1094] {
        assert!(!tags.contains_key(&old), "{old}");
    }
    let requires = String::from_utf8_lossy(&tags[&1049].1).replace('\0', "\n");
    assert!(requires.contains("rpmlib(LargeFiles)"), "{requires}");
    for known in ["FileDigests", "CompressedFileNames", "PayloadFilesHavePrefix"] {
        assert!(!requires.contains(known), "{requires}");
    }
    assert_eq!(payload[..6], *b"07070X");
}

#[test]
fn rpm_4_checks_installs_and_verifies_it() {
    let Some([rpm, rpmkeys]) = packhouse_clients::find(["rpm", "rpmkeys"]) else { return };
    for compression in [Compression::None, Compression::Gzip(6), Compression::Xz(1), Compression::Zstd(3)] {
        let root = Root::new(&rpm);
        let directory = tempfile::tempdir().unwrap();
        let file = write(&v6(compression), directory.path());
        let checked = rpmkeys.run(["-Kv".as_ref(), "--nosignature".as_ref(), file.as_os_str()]);
        assert!(checked.contains("Header SHA256 digest: OK"), "{checked}");
        assert!(checked.contains("Payload SHA256 digest: OK"), "{checked}");
        assert!(!checked.contains("BAD"), "{checked}");
        root.run(["-i".as_ref(), "--nodeps".as_ref(), file.as_os_str()]);
        assert_eq!(root.run(["-V", "hello", "--nodeps"]), "");
        assert_eq!(root.read("/usr/bin/hello"), "echo hello\n");
        assert_eq!(root.run(["-q", "hello", "--qf", "%{EVR} %{LONGSIZE}"]), "2:1-1 20");
        root.run(["-e", "hello"]);
        assert!(!root.exists("/opt/hello"));
    }
}

#[test]
fn a_changed_byte_is_found() {
    let Some([rpmkeys]) = packhouse_clients::find(["rpmkeys"]) else { return };
    let good = bytes(&v6(Compression::None));
    let directory = tempfile::tempdir().unwrap();
    let check = |bytes: &[u8], name: &str| {
        let file = directory.path().join(name);
        fs::write(&file, bytes).unwrap();
        let mut command = rpmkeys.command();
        command.args(["-Kv".as_ref(), "--nosignature".as_ref(), file.as_os_str()]).output().unwrap()
    };
    assert!(check(&good, "good.rpm").status.success());
    let (_, end) = header(&good, 96);
    let mut bad = good.clone();
    bad[end.next_multiple_of(8) + 2000] ^= 1;
    assert!(!check(&bad, "header.rpm").status.success(), "in the header");
    let mut bad = good.clone();
    let last = bad.len() - 200;
    bad[last] ^= 1;
    let output = check(&bad, "payload.rpm");
    assert!(packhouse_clients::text(&output).contains("Payload SHA256 digest: BAD"), "{output:?}");
}

#[test]
fn a_name_that_is_not_utf_8_is_refused_by_format_6_only() {
    let mut package = v6(Compression::None);
    let path = packhouse_package::PackagePath::new(b"/opt/hello/\xff").unwrap();
    package.files.insert(path, Entry::bytes(*b"", 0o644)).unwrap();
    let error = try_bytes(&package).unwrap_err();
    assert!(error.to_string().contains("format 6 takes only UTF-8"), "{error}");
    package.options.rpm.version = FormatVersion::V4;
    try_bytes(&package).unwrap();
}

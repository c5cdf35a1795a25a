//! Packages that are not what they seem are refused, each for its reason, beside a good one that is read.
//!
//! The reader checks what apk checks, and refuses where two versions of apk would see different packages.
#![expect(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

use std::io::{Cursor, Write as _};

use packhouse_package::inspect::InspectedKind;
use packhouse_package::{Depth, Entry, Error, Format, Inspection};
use sha1::Digest as _;

use crate::apk_fixture::{bytes, everything, package};

fn inspect(apk: &[u8], depth: Depth) -> Result<Inspection, Error> {
    Format::Apk.get().inspect(&mut Cursor::new(apk), depth)
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

/// A header and what follows it.
fn entry(name: &str, kind: tar::EntryType, target: &str, content: &[u8]) -> Vec<u8> {
    let mut header = tar::Header::new_ustar();
    header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
    header.as_mut_bytes()[157..157 + target.len()].copy_from_slice(target.as_bytes());
    header.set_entry_type(kind);
    header.set_mode(0o644);
    header.set_size(content.len() as u64);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header.set_cksum();
    let mut bytes = header.as_bytes().to_vec();
    bytes.extend_from_slice(content);
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

fn file(name: &str, content: &[u8]) -> Vec<u8> {
    entry(name, tar::EntryType::Regular, "", content)
}

fn directory(name: &str) -> Vec<u8> {
    entry(name, tar::EntryType::Directory, "", b"")
}

fn with_sum(sum: &str, entry: Vec<u8>) -> Vec<u8> {
    let record = format!("{} APK-TOOLS.checksum.SHA1={sum}\n", 25 + 2 + sum.len() + 1);
    [self::entry("PaxHeader", tar::EntryType::XHeader, "", record.as_bytes()), entry].concat()
}

/// A file that carries its sum.
fn summed(name: &str, content: &[u8]) -> Vec<u8> {
    with_sum(&hexadecimal(&sha1::Sha1::digest(content)), file(name, content))
}

/// The parts of a package, to be put together wrongly.
#[derive(Clone)]
struct Parts {
    info: String,
    behind_info: Vec<u8>,
    files: Vec<Vec<u8>>,
}

const END: [u8; 1024] = [0; 1024];

impl Parts {
    fn new() -> Parts {
        Parts {
            info: "# a comment\npkgname = x\npkgver = 1.0-r0\npkgdesc = X\narch = noarch\nsize = 3\n".into(),
            behind_info: file(".post-install", b"#!/bin/sh\ntrue\n"),
            files: vec![directory("usr/"), summed("usr/x", b"abc")],
        }
    }

    fn data_segment(&self) -> Vec<u8> {
        gzip(&[self.files.concat(), END.to_vec()].concat())
    }

    fn control(&self) -> Vec<u8> {
        let hash = hexadecimal(&sha2::Sha256::digest(self.data_segment()));
        [file(".PKGINFO", format!("{}datahash = {hash}\n", self.info).as_bytes()), self.behind_info.clone()]
            .concat()
    }

    fn whole(&self) -> Vec<u8> {
        [gzip(&self.control()), self.data_segment()].concat()
    }
}

#[track_caller]
fn assert_refused(what: &str, apk: &[u8], reason: &str) {
    let error = inspect(apk, Depth::Contents).expect_err(what);
    let text = error.to_string();
    assert!(matches!(error, Error::Malformed { .. } | Error::BeyondLimit { .. }), "{what}: {error:?}");
    assert!(text.contains(reason), "{what}: {text}");
}

#[test]
fn a_good_package_is_read_signed_or_not() {
    let parts = Parts::new();
    let read = inspect(&parts.whole(), Depth::Contents).unwrap();
    assert_eq!((read.name.as_str(), read.version.as_str(), read.installed_size), ("x", "1.0-r0", Some(3)));
    assert_eq!(read.files.unwrap().len(), 2);
    assert_eq!(read.scripts["post-install"].text, "true\n");
    let signature = gzip(&[file(".SIGN.RSA256.a.rsa.pub", b"s"), file(".SIGN.RSA.b.rsa.pub", b"s")].concat());
    let signed = [signature, parts.whole()].concat();
    let signatures = inspect(&signed, Depth::Contents).unwrap().signatures;
    assert_eq!(signatures[0].algorithm, "RSA/SHA-256");
    assert_eq!(signatures[1].key, "b.rsa.pub");
}

#[test]
fn pax_headers_stand_before_everything_in_abuilds_packages_and_that_is_fine() {
    // `tar --format=posix --pax-option=exthdr.name=%d/PaxHeaders/%f,atime:=0,ctime:=0`, as abuild's `apk_tar` does.
    let times = |entry: Vec<u8>| {
        [self::entry("./PaxHeaders/x", tar::EntryType::XHeader, "", b"11 atime=0\n11 ctime=0\n"), entry]
            .concat()
    };
    let parts = Parts::new();
    let control = [times(parts.control()[..1024].to_vec()), parts.control()[1024..].to_vec()].concat();
    let signature = times(file(".SIGN.RSA.k.rsa.pub", b"s"));
    let signed = [gzip(&signature), gzip(&control), parts.data_segment()].concat();
    let read = inspect(&signed, Depth::Contents).unwrap();
    assert_eq!((read.name.as_str(), read.signatures[0].key.as_str()), ("x", "k.rsa.pub"));
}

#[test]
fn members_must_be_two_or_three_and_nothing_may_follow() {
    let parts = Parts::new();
    let (control, data, whole) = (gzip(&parts.control()), parts.data_segment(), parts.whole());
    let signature = gzip(&file(".SIGN.RSA256.k.rsa.pub", b"s"));
    for (what, apk, reason) in [
        ("trailing garbage", [&whole[..], b"garbage"].concat(), "something follows"),
        ("a zero behind the end", [&whole[..], b"\0"].concat(), "something follows"),
        ("a fourth member", [&whole[..], &gzip(b"")].concat(), "something follows"),
        ("a second data member", [&whole[..], &data].concat(), "something follows"),
        ("a signature behind", [&whole[..], &signature].concat(), "something follows"),
        ("two signature members", [&signature[..], &signature, &whole].concat(), "`.SIGN.RSA256.k.rsa.pub`"),
        ("no data", control.clone(), "no data member"),
        ("only a signature", signature.clone(), "no control member"),
        ("data before control", [&data[..], &control].concat(), "does not belong there"),
        ("version 3", b"ADB.........".to_vec(), "version 3"),
        ("a deb", b"!<arch>\n".to_vec(), "gzip"),
        ("nothing", Vec::new(), "gzip"),
        ("truncated", whole[..whole.len() - 9].to_vec(), "too early"),
    ] {
        assert_refused(what, &apk, reason);
    }
}

/// `KEY-21`: whoever verifies looks the key up by this name.
#[test]
fn a_signature_by_a_key_of_an_odd_name_is_none() {
    let parts = Parts::new();
    let signatures = |name: &str| {
        let apk = [gzip(&file(name, b"s")), parts.whole()].concat();
        Format::Apk.get().signatures(&mut Cursor::new(apk)).map(|found| found.len())
    };
    assert_eq!(signatures(".SIGN.RSA256.release@example.org-1.rsa.pub").unwrap(), 1);
    let long = format!(".SIGN.RSA256.{}", "k".repeat(300));
    for name in [
        ".SIGN.RSA256...",
        ".SIGN.RSA256..ssh",
        ".SIGN.RSA256.a;b",
        ".SIGN.RSA.a%2fb",
        ".SIGN.RSA512.~",
        &*long,
    ] {
        assert!(signatures(name).is_err(), "{name}");
    }
}

#[test]
fn a_segment_must_not_end_its_archive_or_hold_what_is_not_its_own() {
    let parts = Parts::new();
    let twice = [file(".SIGN.RSA.k", b"s"), file(".SIGN.RSA.k", b"s")].concat();
    let with_signature = |segment: Vec<u8>| [gzip(&segment), parts.whole()].concat();
    let with_control = |segment: Vec<u8>| [gzip(&segment), parts.data_segment()].concat();
    let control = parts.control();
    let link = entry(".PKGINFO", tar::EntryType::Symlink, "/etc/passwd", b"");
    for (what, apk, reason) in [
        ("the same signature twice", with_signature(twice), "twice"),
        ("a signature without a key", with_signature(file(".SIGN.RSA", b"s")), "no signature"),
        ("a key elsewhere", with_signature(file(".SIGN.RSA./../k", b"s")), ""),
        (
            "more than signatures",
            with_signature([file(".SIGN.RSA.k", b"s"), file("x", b"")].concat()),
            "belong",
        ),
        (
            "a signature segment with an end",
            with_signature([file(".SIGN.RSA.k", b"s"), END.to_vec()].concat()),
            "its archive ends",
        ),
        (
            "a control segment with an end",
            with_control([control.clone(), END.to_vec()].concat()),
            "its archive ends",
        ),
        ("no .PKGINFO", with_control(file(".post-install", b"")), "no `.PKGINFO`"),
        (".PKGINFO twice", with_control([control.clone(), control.clone()].concat()), "twice"),
        (".PKGINFO as a link", with_control(link), "does not belong"),
        (
            "a file among the control files",
            with_control([control.clone(), file("x", b"")].concat()),
            "belong",
        ),
        (
            "a signature among them",
            with_control([control.clone(), file(".SIGN.RSA.k", b"")].concat()),
            "belong",
        ),
        (".INSTALL", with_control([control.clone(), file(".INSTALL", b"")].concat()), "belong"),
        (
            "a script beyond apk's limit",
            with_control([control, file(".pre-install", &[b'x'; (256 << 10) + 1])].concat()),
            "262144",
        ),
    ] {
        assert_refused(what, &apk, reason);
    }
}

#[test]
fn the_control_file_must_be_clear() {
    let good = Parts::new();
    for (what, change, reason) in [
        ("a field twice", "pkgver = 2.0-r0\n", "comes twice"),
        ("a second datahash", "datahash = 00\n", "comes twice"),
        ("no field at all", "pkgname\n", "no `key = value`"),
        ("a control character", "url = a\rb\n", "control character"),
        ("a number that is none", "builddate = soon\n", "no number"),
    ] {
        let mut parts = good.clone();
        parts.info.push_str(change);
        assert_refused(what, &parts.whole(), reason);
    }
    for (what, from, to, reason) in [
        ("no name", "pkgname = x\n", "", "no `pkgname`"),
        ("an empty version", "1.0-r0", "", "no `pkgver`"),
        ("a name that leads elsewhere", "pkgname = x", "pkgname = ../x", "cannot be"),
        ("a version with a blank", "1.0-r0", "1.0 -r0", "cannot be"),
    ] {
        let mut parts = good.clone();
        parts.info = parts.info.replace(from, to);
        assert_refused(what, &parts.whole(), reason);
    }
    let mut control = good.control();
    let hash = control.windows(8).position(|window| window == b"datahash").unwrap() + 11;
    let with = |control: &[u8]| [gzip(control), good.data_segment()].concat();
    control[hash] = if control[hash] == b'0' { b'1' } else { b'0' };
    assert_refused("another sum", &with(&control), "`datahash`");
    // What is not read is not checked.
    inspect(&with(&control), Depth::Metadata).unwrap();
    control[hash] = b'x';
    assert_refused("no sum", &with(&control), "no SHA-256");
    let without = [file(".PKGINFO", good.info.as_bytes()), good.behind_info.clone()].concat();
    assert_refused("without a sum", &with(&without), "no `datahash`");
}

#[test]
fn files_that_apk_would_not_install_as_they_seem_are_refused() {
    let link = |name: &str, sum: &[u8], target: &str| {
        let sum = hexadecimal(&sha1::Sha1::digest(sum));
        with_sum(&sum, entry(name, tar::EntryType::Symlink, target, b""))
    };
    for (what, files, reason) in [
        ("a wrong sum", vec![with_sum(&"0".repeat(40), file("x", b"abc"))], "another checksum"),
        ("no sum", vec![file("x", b"abc")], "no checksum"),
        ("half a sum", vec![with_sum("00", file("x", b"abc"))], "no SHA-1"),
        (
            "a link's half sum",
            vec![with_sum("00", entry("x", tar::EntryType::Symlink, "z", b""))],
            "no SHA-1",
        ),
        ("a link without a sum", vec![entry("x", tar::EntryType::Symlink, "z", b"")], "no checksum"),
        ("no directory", vec![summed("usr/x", b"")], "before its directory"),
        (
            "a directory that comes late",
            vec![summed("usr/x", b""), directory("usr/")],
            "before its directory",
        ),
        ("a file twice", vec![summed("x", b"a"), summed("x", b"b")], "twice"),
        ("a name of apk's", vec![summed(".PKGINFO", b"")], "full stop"),
        ("a hidden file in the root", vec![summed(".x", b"")], "full stop"),
        ("the root itself", vec![directory("./")], "full stop"),
        ("a line break", vec![summed("a\nF:etc", b"")], "control character"),
        ("a way out", vec![summed("../x", b"")], ".."),
        ("an absolute path", vec![summed("/x", b"")], "absolute"),
        ("a hard link to nothing", vec![entry("x", tar::EntryType::Link, "y", b"")], ""),
        ("a file below a link", vec![link("usr", b"etc", "etc"), summed("usr/x", b"")], ""),
    ] {
        let parts = Parts { files, ..Parts::new() };
        assert_refused(what, &parts.whole(), reason);
    }
    let good =
        Parts { files: vec![link("x", b"z", "z"), summed("y..z", b"a"), summed("z", b"b")], ..Parts::new() };
    inspect(&good.whole(), Depth::Contents).unwrap();
}

/// What is remembered of each line is more than the line, and a gzip stream says the same line a thousand times in
/// a byte.
#[test]
fn more_lines_than_a_package_needs_are_given_up() {
    let mut parts = Parts::new();
    parts.info.push_str(&format!("depend = {}\n", "a ".repeat(1 << 21)));
    assert_refused("two million dependencies", &parts.whole(), "bytes of `.PKGINFO` beyond");

    let mut files = ["etc/", "etc/apk/", "etc/apk/protected_paths.d/"].map(directory).to_vec();
    let list =
        |range: std::ops::Range<u32>| range.fold(String::new(), |list, line| format!("{list}+{line}\n"));
    for (name, range) in [("a", 0..9_000), ("b", 9_000..18_000)] {
        files.push(summed(&format!("etc/apk/protected_paths.d/{name}.list"), list(range).as_bytes()));
    }
    let read = inspect(&Parts { files: files.clone(), ..Parts::new() }.whole(), Depth::Contents).unwrap();
    assert!(read.files.unwrap().iter().filter(|file| file.marks == ["config"]).count() == 2);
    for (number, from) in (18_000..66_000).step_by(6_000).enumerate() {
        let list = list(from..from + 6_000);
        files.push(summed(&format!("etc/apk/protected_paths.d/{number}.list"), list.as_bytes()));
    }
    let parts = Parts { files, ..Parts::new() };
    assert_refused("66,000 protected directories", &parts.whole(), "protected directories beyond 65536");
}

#[test]
fn no_byte_can_be_changed_without_notice() {
    let whole = Parts::new().whole();
    let good = inspect(&whole, Depth::Contents).unwrap();
    // Nothing but a signature covers how the control member is compressed: its time, or a code that is not used.
    for at in 0..whole.len() {
        let mut tampered = whole.clone();
        tampered[at] ^= 0x10;
        if let Ok(read) = inspect(&tampered, Depth::Contents) {
            assert_eq!(read, good, "byte {at}");
        }
    }
    for length in 0..whole.len() {
        assert!(inspect(&whole[..length], Depth::Contents).is_err(), "{length} bytes");
    }
}

#[test]
fn metadata_is_read_without_the_files() {
    let package = package("1.0", &[("opt/f", Entry::bytes(vec![7; 1 << 20], 0o644))]);
    let whole = bytes(&package, 1).unwrap();
    // Cut in the middle of the data member.
    let cut = &whole[..whole.len() - 600];
    let read = inspect(cut, Depth::Metadata).unwrap();
    assert_eq!((read.name.as_str(), read.files), ("orchestrator", None));
    assert!(inspect(cut, Depth::Contents).is_err());
}

#[test]
fn our_packages_are_read_as_they_were_meant() {
    let read = inspect(&bytes(&everything(), 2).unwrap(), Depth::Contents).unwrap();
    let files = read.files.clone().unwrap();
    let file = |path: &str| files.iter().find(|file| file.path == path.as_bytes()).unwrap();
    assert_eq!(
        file("/usr/bin/orchestratord").kind,
        InspectedKind::HardLink(b"/usr/bin/orchestrator".to_vec())
    );
    assert_eq!(file("/usr/bin/ping").capabilities.unwrap().to_string(), "cap_net_raw=ep");
    assert_eq!(file("/var/lib/orchestrator").user, "orc");
    let configs: Vec<String> = files
        .iter()
        .filter(|file| file.marks == ["config"])
        .map(|file| String::from_utf8_lossy(&file.path).into_owned())
        .collect();
    assert_eq!(
        configs,
        [
            "/etc/apk/protected_paths.d/orchestrator.list",
            "/etc/init.d/orchestrator",
            "/etc/orchestrator.conf",
            "/opt/orchestrator/conf/settings.toml"
        ]
    );
    let mut without_files = Inspection { files: None, ..read };
    without_files.fields.insert("datahash".into(), "(a sum)".into());
    insta::assert_debug_snapshot!(without_files);
}

//! IN-09 and IN-13: debs that lie are refused, each for its own reason, and a good twin is read.
#![expect(clippy::unwrap_used, reason = "a test that panics is a failed test")]

use std::io::{self, Cursor, Read, Seek, SeekFrom, Write as _};

use packhouse_package::archive::compress::{Compression, Encoder};
use packhouse_package::inspect::Depth;
use packhouse_package::{Error, Format, Inspection, Resources, inspect_file};

use crate::deb_fixture::{bytes, files, package};

const CONTROL: &str =
    "Package: hello\nVersion: 1.0\nArchitecture: all\nMaintainer: A <a@example.org>\nDescription: greets\n";

/// A tar entry, in ustar.
fn entry(kind: u8, name: &str, content: &[u8]) -> Vec<u8> {
    let mut block = [0; 512];
    let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, name.as_bytes());
    for at in [100, 108, 116] {
        put(at, b"0000644\0");
    }
    put(124, format!("{:011o}\0", content.len()).as_bytes());
    put(136, b"00000000007\0");
    put(148, b"        ");
    put(156, &[kind]);
    put(157, if kind == b'2' { b"target" } else { b"" });
    put(257, b"ustar\x0000");
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let mut bytes = [&block[..], content].concat();
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

fn tar(entries: &[Vec<u8>]) -> Vec<u8> {
    [&entries.concat()[..], &[0; 1024]].concat()
}

fn control(text: &str) -> Vec<u8> {
    tar(&[entry(b'0', "./control", text.as_bytes())])
}

/// An ar archive of these members.
fn ar(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut bytes = b"!<arch>\n".to_vec();
    for (name, content) in members {
        writeln!(bytes, "{name:<16}0           0     0     100644  {:<10}`", content.len()).unwrap();
        bytes.extend_from_slice(content);
        if content.len() % 2 == 1 {
            bytes.push(b'\n');
        }
    }
    bytes
}

fn deb(control: &[u8], data: &[u8]) -> Vec<u8> {
    ar(&[("debian-binary", b"2.0\n"), ("control.tar", control), ("data.tar", data)])
}

fn read(bytes: &[u8]) -> Result<(), Error> {
    inspect_file(&mut Cursor::new(bytes), "", Depth::Contents).map(|_| ())
}

#[track_caller]
fn assert_refused(bytes: &[u8], reason: &str) {
    match read(bytes) {
        Ok(()) => panic!("it was read, and is {reason}"),
        Err(error @ (Error::Malformed { .. } | Error::BeyondLimit { .. })) => {
            assert!(error.to_string().contains(reason), "{error} is not {reason}");
        }
        Err(error) => panic!("{error:?} is not {reason}"),
    }
}

#[test]
fn a_deb_that_lies_is_refused_for_the_right_reason() {
    let (good, empty) = (control(CONTROL), tar(&[]));
    let with = |lines: &str| deb(&control(&format!("{CONTROL}{lines}")), &empty);
    read(&deb(&good, &empty)).unwrap();
    read(&with("X-Own: field\n")).unwrap();

    // The control file.
    assert_refused(&with("\nPackage: other\nVersion: 1\nArchitecture: all\n"), "empty line");
    for preset in ["Filename: x", "SHA256: 00", "Size: 1", "MD5sum: 00", "Status: install ok installed"] {
        assert_refused(&with(&format!("{preset}\n")), "belongs to an index");
    }
    assert_refused(&with("PACKAGE: other\n"), "comes twice");
    assert_refused(&deb(&control(""), &empty), "no end");
    for field in ["Package", "Version", "Architecture"] {
        let without: String =
            CONTROL.lines().filter(|line| !line.starts_with(field)).map(|l| format!("{l}\n")).collect();
        assert_refused(&deb(&control(&without), &empty), &format!("has no field `{field}`"));
    }
    for (from, to) in [
        ("hello", "../hello"),
        ("hello", "a b"),
        ("1.0", "1/0"),
        ("1.0", "x:1"),
        ("1.0", "1-"),
        ("all", "a/l"),
    ] {
        let lying = CONTROL.replacen(&format!(": {from}\n"), &format!(": {to}\n"), 1);
        assert_refused(&deb(&control(&lying), &empty), "control:");
    }
    // What it is.
    assert_refused(&deb(&tar(&[entry(b'2', "./control", b"")]), &empty), "no file of its root");
    assert_refused(&deb(&tar(&[entry(b'5', "./control/", b"")]), &empty), "no file of its root");
    assert_refused(
        &deb(&tar(&[entry(b'0', "./a/control", CONTROL.as_bytes())]), &empty),
        "no file of its root",
    );
    assert_refused(&deb(&tar(&[]), &empty), "no file `control`");
    assert_refused(&deb(&control(&"x".repeat((4 << 20) + 1)), &empty), "bytes of `control`");
    let twice = tar(&[entry(b'0', "./control", CONTROL.as_bytes()), entry(b'0', "control", b"")]);
    assert_refused(&deb(&twice, &empty), "comes twice");
    // Members.
    let binary: (&str, &[u8]) = ("debian-binary", b"2.0\n");
    let it: (&str, &[u8]) = ("control.tar", &good);
    let data: (&str, &[u8]) = ("data.tar", &empty);
    read(&ar(&[binary, ("_note", b"x"), it, ("_more", b"y"), data, ("_last", b"z")])).unwrap();
    assert_refused(&ar(&[binary, it, it, data]), "comes twice");
    assert_refused(&ar(&[binary, it, ("control.tar.gz", b""), data]), "not where the only one belongs");
    assert_refused(&ar(&[binary, it, data, ("data.tar.gz", b"")]), "not where the only one belongs");
    assert_refused(&ar(&[binary, data, it]), "not where the only one belongs");
    assert_refused(&ar(&[it, binary, data]), "first member");
    assert_refused(&ar(&[("_note", b"x"), binary, it, data]), "first member");
    assert_refused(&ar(&[binary, it]), "no `data.tar`");
    assert_refused(&ar(&[binary]), "no `control.tar`");
    for name in ["readme", "control.tar.$(x)", "control.tar.", "data.tar.gz.gz", "control.tar.bz2"] {
        assert_refused(&ar(&[binary, (name, b""), it, data]), "there is no member");
    }
    for version in ["3.0\n", "2.0", "2.\n", "2.x\n", "", "2.0\n2.0\n"] {
        assert_refused(&ar(&[("debian-binary", version.as_bytes()), it, data]), "and not 2.0");
    }
    let many: Vec<String> = (0..100).map(|number| format!("_{number}")).collect();
    let mut members = vec![binary];
    members.extend(many.iter().map(|name| (name.as_str(), &b""[..])));
    assert_refused(&ar(&members), "members beyond");
    // What the archive's headers say is tested beside their reader; here, that nothing else reads them.
    assert_refused(&ar(&[binary, ("/12", b""), it, data]), "GNU's or BSD's");
    let mut overlapping = deb(&good, &empty);
    let size = 8 + 60 + 4 + 48;
    overlapping[size..size + 10].copy_from_slice(b"9999999999");
    assert_refused(&overlapping, "longer than the file");
    // A name that does not say how it is compressed.
    assert_refused(&ar(&[binary, ("control.tar.gz", &good), data]), "is not gzip, as its name says");
}

#[test]
fn what_the_metadata_says_of_files_must_be_true() {
    let with = |name: &str, text: &str| {
        tar(&[entry(b'0', "./control", CONTROL.as_bytes()), entry(b'0', name, text.as_bytes())])
    };
    let data = tar(&[entry(b'0', "./etc/hello", b"hello\n"), entry(b'0', "./usr/x", b"x")]);
    let sum = "b1946ac92492d2347c6235b4d2611184  etc/hello\n";
    read(&deb(&with("md5sums", sum), &data)).unwrap();
    read(&deb(&with("conffiles", "/etc/hello\nremove-on-upgrade /etc/gone\n"), &data)).unwrap();
    assert_refused(&deb(&with("md5sums", &sum.replace("b1", "b2")), &data), "`/etc/hello` has another sum");
    assert_refused(
        &deb(&with("md5sums", &sum.replace("hello", "other")), &data),
        "`/etc/other` is not in the package",
    );
    assert_refused(&deb(&with("md5sums", &sum.repeat(2)), &data), "comes twice");
    // A hard link is its file, whichever of the two is listed, or both.
    let linked = |target: &str| {
        let mut link = entry(b'1', "./usr/y", b"");
        link[157..163].fill(0);
        link[157..157 + target.len()].copy_from_slice(target.as_bytes());
        link[148..156].fill(b' ');
        let sum: u32 = link.iter().map(|byte| u32::from(*byte)).sum();
        link[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        tar(&[entry(b'0', "./etc/hello", b"hello\n"), entry(b'0', "./usr/x", b"x"), link])
    };
    let of_link = sum.replace("etc/hello", "usr/y");
    for sums in [&sum.to_owned(), &of_link, &format!("{sum}{of_link}")] {
        read(&deb(&with("md5sums", sums), &linked("etc/hello"))).unwrap();
    }
    for sums in [&of_link, &format!("{sum}{of_link}")] {
        assert_refused(&deb(&with("md5sums", sums), &linked("usr/x")), "`/usr/y` has another sum");
        assert_refused(&deb(&with("md5sums", sums), &data), "`/usr/y` is not in the package");
    }
    assert_refused(&deb(&with("md5sums", "short\n"), &data), "is no sum");
    assert_refused(&deb(&with("conffiles", "etc/hello\n"), &data), "no absolute path");
    // data.tar is read by the same reader as everything: one case of IN-12 will do.
    assert_refused(&deb(&control(CONTROL), &tar(&[entry(b'0', "../x", b"")])), "`..` component");
}

fn compressed(compression: Compression, length: u64) -> Vec<u8> {
    let resources = Resources { threads: std::num::NonZeroUsize::MIN };
    let mut encoder = Encoder::new(compression, resources, Vec::new()).unwrap();
    io::copy(&mut io::repeat(0).take(length), &mut encoder).unwrap();
    encoder.finish().unwrap()
}

/// IN-13. The whole bombs are expensive to make: what is in front of the limits is tested with small ones beside
/// the decompressors, and this is the limit of a control archive, 128 MiB.
#[test]
fn a_bomb_is_given_up_at_its_limit() {
    let empty = tar(&[]);
    for (name, compression) in [
        ("control.tar.gz", Compression::Gzip(1)),
        ("control.tar.xz", Compression::Xz(0)),
        ("control.tar.zst", Compression::Zstd(1)),
    ] {
        let bomb = compressed(compression, 129 << 20);
        assert!(bomb.len() < 4 << 20, "{}", bomb.len());
        let members: [(&str, &[u8]); 3] = [("debian-binary", b"2.0\n"), (name, &bomb), ("data.tar", &empty)];
        assert_refused(&ar(&members), "unpacked bytes beyond 134217728");
    }
    // Each below its own limit, all together are not.
    let script = vec![0xff; 9 << 20];
    let with = |names: &[&str]| {
        let mut entries = vec![entry(b'0', "./control", CONTROL.as_bytes())];
        entries.extend(names.iter().map(|name| entry(b'0', name, &script)));
        deb(&tar(&entries), &empty)
    };
    read(&with(&["postinst"])).unwrap();
    assert_refused(&with(&["postinst", "prerm"]), "bytes of scripts beyond 16777216");
    let lines = entry(b'0', "conffiles", &b"/\n".repeat(1 << 20));
    let lines = tar(&[entry(b'0', "./control", CONTROL.as_bytes()), lines]);
    assert_refused(&deb(&lines, &empty), "bytes of `conffiles` beyond 1048576");
}

/// Counts what is read of a file.
struct Counting<R> {
    file: R,
    read: u64,
}

impl<R: Read> Read for Counting<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(bytes)?;
        self.read += count as u64;
        Ok(count)
    }
}

impl<R: Seek> Seek for Counting<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

#[test]
fn metadata_is_read_without_the_payload() {
    let mut big = package("1.0", &files());
    big.options.compression = Some(Compression::None);
    let content = vec![7; 8 << 20];
    let entry = packhouse_package::Entry::bytes(content, 0o644);
    big.files.insert(crate::deb_fixture::path("usr/lib/big"), entry).unwrap();
    big.files.complete();
    let deb = bytes(&big, 1).unwrap();
    let rpm = {
        let mut out = Cursor::new(Vec::new());
        let resources = Resources { threads: std::num::NonZeroUsize::MIN };
        Format::Rpm.get().write(&big, resources, &mut out).unwrap();
        out.into_inner()
    };
    for package in [deb, rpm] {
        assert!(package.len() > 8 << 20);
        let mut file = Counting { file: Cursor::new(package), read: 0 };
        let inspection = inspect_file(&mut file, "", Depth::Metadata).unwrap();
        assert_eq!(inspection.name, "orchestrator");
        assert!(file.read < 64 << 10, "{} bytes of a {} were read", file.read, inspection.format);
    }
}

#[test]
fn no_damage_makes_the_reader_panic() {
    for compression in [Compression::None, Compression::Gzip(6), Compression::Zstd(3)] {
        let mut package = package("1.0", &files());
        package.options.compression = Some(compression);
        let whole = bytes(&package, 1).unwrap();
        for place in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[place] ^= 1 << (place % 8);
            let _ = read(&damaged);
        }
        for length in (0..whole.len()).step_by(13) {
            assert!(read(&whole[..length]).is_err(), "{length} of {}", whole.len());
        }
    }
}

#[test]
fn what_is_no_package_is_said_to_be_none() {
    for bytes in [&b""[..], b"hello", b"%PDF-1.7", &[0; 1024], &[0x1f, 0x8b, 8, 0]] {
        let error = read(bytes).unwrap_err();
        assert!(matches!(error, Error::NoPackage), "{error}");
    }
}

#[test]
fn a_wrong_name_does_not_matter() {
    let deb = deb(&control(CONTROL), &tar(&[]));
    for name in ["hello.rpm", "hello", "hello.pkg.tar.zst"] {
        assert_eq!(Format::identify(&mut Cursor::new(&deb), name).unwrap(), Some(Format::Deb));
    }
}

/// Numbers that are the same each time, below a limit.
pub fn numbers() -> impl FnMut(usize) -> usize {
    let mut state = 1_u64;
    move |below| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    }
}

/// IN-22: a deb that is read here is the same to dpkg-deb, which may refuse what is read.
#[test]
fn a_damaged_deb_is_refused_or_dpkg_deb_reads_the_same() {
    let Some([dpkg_deb]) = packhouse_clients::find(["dpkg-deb"]) else { return };
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("x.deb");
    let text = format!("{CONTROL}Section: net\nHomepage: https://example.org\n");
    let data =
        tar(&[entry(b'5', "./etc/", b""), entry(b'0', "./etc/hello", b"hello\n"), entry(b'2', "./l", b"")]);
    let good = deb(&control(&text), &data);
    let mut random = numbers();
    let (mut accepted, mut refused) = (0, 0);
    for round in 0..400 {
        let mut bytes = good.clone();
        for _ in 0..1 + random(2) {
            // Headers of members and of entries, and the control file.
            let place =
                [random(2 * 68), 132 + random(600), 132 + 512 + random(text.len()), random(good.len())]
                    [random(4)];
            bytes[place] = b"07 /\0.ax:\x80\n-~A"[random(14)];
        }
        // As an attacker would, with checksums that are right.
        for at in 0..bytes.len() - 511 {
            if bytes[at + 257..].starts_with(b"ustar") {
                bytes[at + 148..at + 156].fill(b' ');
                let sum: u32 = bytes[at..at + 512].iter().map(|byte| u32::from(*byte)).sum();
                bytes[at + 148..at + 156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
            }
        }
        let Ok(inspection) = inspect_file(&mut Cursor::new(&bytes), "", Depth::Contents) else {
            refused += 1;
            continue;
        };
        fs_err::write(&file, &bytes).unwrap();
        let show = |arguments: &[&str]| {
            let output = dpkg_deb.command().args(arguments).arg(&file).output().unwrap();
            output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
        };
        // dpkg knows more of versions and architectures, and refuses some.
        let Some(read) =
            show(&["-W", "--showformat=${Package}\\n${Version}\\n${Architecture}\\n${Section}\\n"])
        else {
            continue;
        };
        let of = |value: &Option<String>| value.clone().unwrap_or_default();
        let Inspection { name, version, arch, category, .. } = &inspection;
        // dpkg makes small letters of a name's capitals, which no archive has (Policy 5.6.7).
        let name = name.to_ascii_lowercase();
        assert_eq!(read, format!("{name}\n{version}\n{arch}\n{}\n", of(category)), "round {round}");
        let Some(list) = show(&["-c"]) else { continue };
        let files = inspection.files.unwrap();
        assert_eq!(list.lines().count(), files.len(), "round {round}: {list}");
        let by_size = |line: &str| line.split_whitespace().nth(2).map(str::to_owned);
        let mut sizes: Vec<_> =
            list.lines().filter(|line| line.starts_with('-')).filter_map(by_size).collect();
        let is_file = |file: &&packhouse_package::inspect::InspectedFile| {
            file.kind == packhouse_package::inspect::InspectedKind::File
        };
        let mut ours: Vec<_> = files.iter().filter(is_file).map(|file| file.size.to_string()).collect();
        sizes.sort();
        ours.sort();
        assert_eq!(sizes, ours, "round {round}: {list}");
        accepted += 1;
    }
    assert!(accepted > 40 && refused > 40, "{accepted} accepted, {refused} refused");
}

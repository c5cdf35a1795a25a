//! What would mean something else in an apk is refused when it is written, for the right reason.
#![expect(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

use packhouse_package::apk::Trigger;
use packhouse_package::{Change, Entry, Error, Format, Package, PackagePath, Relation, Resources, Script};

use crate::apk_fixture::{bytes, control, members, package, unpacked};
use crate::changed_files::Meddling;
use crate::memory::noise;

fn with_file(path: &[u8]) -> Package {
    let mut package = package("1.0", &[]);
    package.files.insert(PackagePath::new(path).unwrap(), Entry::bytes(*b"x", 0o644)).unwrap();
    package.files.complete();
    package
}

#[test]
fn names_that_apk_ignores_or_takes_for_its_own_are_refused() {
    let long = [b"d/".repeat(2042), b"f".to_vec()].concat();
    for (path, reason) in [
        (&b"usr/a\nF:etc\nR:shadow"[..], "control character"),
        (b"usr/a\x7f", "control character"),
        (b"usr/a\tb", "control character"),
        (b".PKGINFO", "full stop"),
        (b".SIGN.RSA.key", "full stop"),
        (b".hidden/x", "full stop"),
        (b"usr/.keep_usr", ".keep_"),
        (&long, "4,084"),
    ] {
        let error = bytes(&with_file(path), 1).unwrap_err();
        let Error::FileName { format: "apk", reason: found, .. } = &error else { panic!("{error:?}") };
        assert!(found.contains(reason), "{found}");
    }
    for path in [&b"usr/.hidden"[..], b"usr/a b\\n", b"usr/\xff\xfe", b"usr/..x", b"usr/.keep", &long[2..]] {
        bytes(&with_file(path), 1).unwrap();
    }
}

#[test]
fn every_other_byte_of_a_name_arrives() {
    for byte in (0x20..0x7f).chain(0x80..=0xff).filter(|byte| *byte != b'/') {
        let path = [b"usr/x".as_slice(), &[byte], b"y"].concat();
        let files = unpacked(members(&bytes(&with_file(&path), 1).unwrap())[1]);
        let mut archive = tar::Archive::new(&files[..]);
        let names: Vec<Vec<u8>> =
            archive.entries().unwrap().map(|entry| entry.unwrap().path_bytes().into_owned()).collect();
        assert_eq!(names, [b"usr/".to_vec(), path]);
    }
}

#[test]
fn no_field_starts_a_line_of_its_own() {
    let evil = "x\ndepend = evil";
    type Change = fn(&mut Package, &str);
    let fields: [(&str, Change); 7] = [
        ("summary", |package, text| package.metadata.summary = text.into()),
        ("maintainer", |package, text| package.metadata.maintainer = text.into()),
        ("vendor", |package, text| package.metadata.vendor = Some(text.into())),
        ("homepage", |package, text| package.metadata.homepage = Some(text.into())),
        ("license", |package, text| package.metadata.license = Some(text.into())),
        ("category", |package, text| package.metadata.category = Some(text.into())),
        ("release", |package, text| package.metadata.version.release = Some(text.into())),
    ];
    for (name, change) in fields {
        let mut package = package("1.0", &[]);
        change(&mut package, evil);
        let error = bytes(&package, 1).unwrap_err();
        assert!(matches!(error, Error::ControlCharacter { field } if field == name), "{error:?}");
    }
    // What is written is what was given, and nothing else.
    for given in ["a = b", "# no comment", "$(id)", "`id`", "%(id)", "\u{202e}", "'\"<&;\\"] {
        let mut package = package("1.0", &[]);
        package.metadata.summary = given.into();
        let info = control(&bytes(&package, 1).unwrap()).remove(".PKGINFO").unwrap();
        assert!(info.lines().any(|line| line == format!("pkgdesc = {given}")), "{given}");
        assert_eq!(info.lines().filter(|line| line.starts_with("pkgdesc")).count(), 1);
    }
    assert!(Relation::parse(evil).is_none());
    let mut versioned = package("1.0\npkgver = 2", &[]);
    assert!(matches!(bytes(&versioned, 1), Err(Error::ControlCharacter { field: "version" })));
    versioned.metadata.version.version = "1.0".into();
    bytes(&versioned, 1).unwrap();
}

#[test]
fn a_revision_that_is_no_hexadecimal_number_is_left_out() {
    for (revision, is_written) in [("01fd6b4", true), ("x\ndepend = evil", false), ("", false)] {
        let mut package = package("1.0", &[]);
        package.metadata.version = crate::apk_fixture::tagged("1.0", "alpine-3.20", "2305191200", revision);
        package.metadata.version.version = "1.0".into();
        let info = control(&bytes(&package, 1).unwrap()).remove(".PKGINFO").unwrap();
        assert_eq!(info.contains("commit = "), is_written && !revision.is_empty(), "{revision}");
        assert!(!info.contains("evil"));
    }
}

#[test]
fn options_that_apk_would_misread_are_refused() {
    let relation = |text| Relation::parse(text).unwrap();
    let trigger = |directories: &[&str]| Trigger {
        directories: directories.iter().map(|directory| (*directory).to_owned()).collect(),
        script: Script::shell("true\n"),
    };
    for directories in [&["usr/share"][..], &["/usr/a b"], &["/usr\ndepend = evil"], &[]] {
        let mut package = package("1.0", &[]);
        package.options.apk.trigger = Some(trigger(directories));
        assert!(matches!(bytes(&package, 1), Err(Error::Option { .. })), "{directories:?}");
    }
    for install_if in [&["a=1-r0"][..], &["a", "b"]] {
        let mut package = package("1.0", &[]);
        package.options.apk.install_if = install_if.iter().map(|text| relation(text)).collect();
        assert!(matches!(bytes(&package, 1), Err(Error::Option { .. })), "{install_if:?}");
    }
    let mut package = package("1.0", &[]);
    package.options.apk.trigger = Some(trigger(&["/usr/share/fonts/*", "+/usr/lib"]));
    package.options.apk.install_if = vec![relation("a=1-r0"), relation("docs")];
    package.options.apk.provider_priority = Some(10);
    package.options.apk.replaces_priority = Some(20);
    let control = control(&bytes(&package, 1).unwrap());
    for line in [
        "triggers = /usr/share/fonts/* +/usr/lib",
        "install_if = a=1-r0 docs",
        "provider_priority = 10",
        "replaces_priority = 20",
    ] {
        assert!(control[".PKGINFO"].lines().any(|found| found == line), "{line}");
    }
    assert_eq!(control[".trigger"], "#!/bin/sh\ntrue\n");
}

#[test]
fn more_text_than_apk_keeps_is_refused() {
    let mut package = package("1.0", &[]);
    package.metadata.summary = "s".repeat(1500);
    bytes(&package, 1).unwrap();
    package.metadata.summary = "s".repeat(1800);
    assert!(matches!(bytes(&package, 1), Err(Error::TooLarge { format: "apk", .. })));
}

#[test]
fn a_file_beyond_64_gib_is_refused_and_owners_are_checked() {
    let mut huge = package("1.0", &[("opt/f", Entry::bytes(*b"", 0o644))]);
    let path = PackagePath::new("opt/f").unwrap();
    if let packhouse_package::Kind::File { size, .. } = &mut huge.files.entry_mut(&path).unwrap().kind {
        *size = 64 << 30;
    }
    assert!(matches!(bytes(&huge, 1), Err(Error::TooLarge { format: "apk", .. })));
    for name in ["", "a:b", "a\nb", &"a".repeat(32)] {
        let mut package = package("1.0", &[("opt/f", Entry::bytes(*b"", 0o644))]);
        package.files.entry_mut(&path).unwrap().owner.user = name.to_owned().into();
        assert!(matches!(bytes(&package, 1), Err(Error::Option { option: "the owner", .. })), "{name:?}");
    }
}

#[test]
fn a_file_that_changes_between_its_sum_and_its_bytes_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    // The first file fills what waits between reader and compressor, the second has been summed and not sent.
    let file = directory.path().join("f");
    fs_err::write(&file, noise(6 << 20)).unwrap();
    let package = package("1.0", &[("opt/f", Entry::from_disk(&file).unwrap())]);
    for (after, is_error) in [(None, false), (Some(300_000), true)] {
        let mut out = Meddling::new(&file, after);
        let resources = Resources { threads: std::num::NonZeroUsize::MIN };
        let result = Format::Apk.get().write(&package, resources, &mut out);
        match result {
            Err(Error::Changed { change: Change::Written, .. }) => assert!(is_error),
            other => assert!(other.is_ok() && !is_error, "{other:?}"),
        }
    }
}

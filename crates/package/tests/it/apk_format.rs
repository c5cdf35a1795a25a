//! What is in an apk, byte for byte, as GNU tar, gzip and coreutils see it.
//!
//! These judge everywhere. A real apk judges as well where there is one (`apk_client.rs`), and our own reader, which
//! checks what apk checks, in `apk_hostile_packages.rs`.
#![expect(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

use std::fmt::Write as _;

use packhouse_clients::find;
use packhouse_package::archive::compress::Compression;
use packhouse_package::{Arch, Entry, Error, Format};
use sha1::Digest as _;

use crate::apk_fixture::{bytes, control, everything, members, package, tagged, unpacked, write};

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

/// The sum depends on the compressor's version.
fn without_sum(info: &str) -> String {
    info.lines().filter(|line| !line.starts_with("datahash = ")).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_package_with_everything_is_as_expected() {
    let Some([tar]) = find(["tar"]) else { return };
    let directory = tempfile::tempdir().unwrap();
    let apk = write(&everything(), directory.path());
    let listing = tar.run([
        "--warning=no-unknown-keyword".as_ref(),
        "--utc".as_ref(),
        "--full-time".as_ref(),
        "-tvzf".as_ref(),
        apk.as_os_str(),
    ]);
    let control = control(&fs_err::read(&apk).unwrap());
    let scripts: Vec<&str> = control.keys().map(String::as_str).collect();
    insta::assert_snapshot!(format!(
        "{}\n\n{listing}\n{}\n\n{}",
        apk.file_name().unwrap().to_str().unwrap(),
        without_sum(&control[".PKGINFO"]),
        scripts.join(" ")
    ));
}

#[test]
fn two_members_are_one_archive_and_the_first_names_the_sum_of_the_second() {
    let apk = bytes(&everything(), 2).unwrap();
    let [control_member, files] = members(&apk)[..] else { panic!("a member a segment") };
    let info = &control(&apk)[".PKGINFO"];
    let sum = hexadecimal(&sha2::Sha256::digest(files));
    assert_eq!(info.lines().last().unwrap(), format!("datahash = {sum}"));
    // The control segment has no end, the files' has one.
    let (control_member, files) = (unpacked(control_member), unpacked(files));
    assert!(control_member.starts_with(b".PKGINFO\0"));
    assert_ne!(control_member[control_member.len() - 512..], [0; 512]);
    assert_eq!(files[files.len() - 1024..], [0; 1024]);
    assert_eq!(files.len() % 512, 0);
}

#[test]
fn every_file_and_link_carries_its_sha1_and_hard_links_do_not() {
    let apk = bytes(&everything(), 2).unwrap();
    let files = unpacked(members(&apk)[1]);
    let mut archive = tar::Archive::new(&files[..]);
    let mut kinds = Vec::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let kind = entry.header().entry_type();
        let target = entry.link_name_bytes().map(|target| target.into_owned());
        let mut sum = None;
        for record in entry.pax_extensions().unwrap().into_iter().flatten() {
            let record = record.unwrap();
            if record.key() == Ok("APK-TOOLS.checksum.SHA1") {
                sum = Some(record.value().unwrap().to_owned());
            }
        }
        let mut content = Vec::new();
        std::io::copy(&mut entry, &mut content).unwrap();
        let expected = match kind {
            tar::EntryType::Regular => Some(hexadecimal(&sha1::Sha1::digest(&content))),
            tar::EntryType::Symlink => Some(hexadecimal(&sha1::Sha1::digest(target.unwrap()))),
            _ => None,
        };
        assert_eq!(sum, expected);
        kinds.push(kind);
    }
    for kind in
        [tar::EntryType::Regular, tar::EntryType::Symlink, tar::EntryType::Link, tar::EntryType::Directory]
    {
        assert!(kinds.contains(&kind), "{kind:?}");
    }
}

#[test]
fn gnu_tar_unpacks_it_with_capabilities_and_long_names() {
    let Some([tar, gzip]) = find(["tar", "gzip"]) else { return };
    let directory = tempfile::tempdir().unwrap();
    let apk = write(&everything(), directory.path());
    gzip.run(["-t".as_ref(), apk.as_os_str()]);
    let root = directory.path().join("root");
    fs_err::create_dir(&root).unwrap();
    let mut arguments = vec!["--warning=no-unknown-keyword".as_ref(), "-xzf".as_ref(), apk.as_os_str()];
    arguments.extend(["--no-same-owner".as_ref(), "-C".as_ref(), root.as_os_str()]);
    tar.run(arguments);
    let long = format!("usr/share/orchestrator/{}/{}", "d".repeat(60), "e".repeat(60));
    assert_eq!(fs_err::read(root.join(&long)).unwrap(), b"long\n");
    assert_eq!(fs_err::read_link(root.join(format!("{long}-link"))).unwrap().as_os_str().len(), 300);
    let files = unpacked(members(&fs_err::read(&apk).unwrap())[1]);
    let attribute = b"SCHILY.xattr.security.capability=\x01\x00\x00\x02\x00\x20\x00\x00";
    assert!(files.windows(attribute.len()).any(|window| window == attribute));
}

#[test]
fn configuration_outside_etc_gets_a_list_of_protected_directories() {
    let apk = bytes(&everything(), 1).unwrap();
    let files = unpacked(members(&apk)[1]);
    let mut archive = tar::Archive::new(&files[..]);
    let list = archive.entries().unwrap().map(Result::unwrap).find_map(|mut entry| {
        let is_list = &*entry.path_bytes() == b"etc/apk/protected_paths.d/orchestrator.list";
        is_list.then(|| std::io::read_to_string(&mut entry).unwrap())
    });
    assert_eq!(list.unwrap(), "+opt/orchestrator/conf\n-opt/orchestrator/conf/bin\n");
}

#[test]
fn large_files_are_read_twice_and_small_ones_once_with_the_same_result() {
    let directory = tempfile::tempdir().unwrap();
    // Around the size from which on a file is not kept in memory.
    for size in [0, 1, (256 << 10) - 1, 256 << 10, (256 << 10) + 1, 3_000_000] {
        let content: Vec<u8> = (0..size).map(|n: u32| (n % 251) as u8).collect();
        let path = directory.path().join("f");
        fs_err::write(&path, &content).unwrap();
        let entry = Entry::from_disk(&path).unwrap();
        let apk = bytes(&package("1", &[("opt/f", entry)]), 2).unwrap();
        let from_memory = bytes(&package("1", &[("opt/f", Entry::bytes(content, 0o644))]), 1).unwrap();
        assert!(apk == from_memory, "{size} bytes");
    }
}

#[test]
fn bytes_do_not_depend_on_threads_or_on_the_build() {
    let mut package = everything();
    let text = "a line that is repeated with differences ".repeat(200_000);
    let path = packhouse_package::PackagePath::new("opt/text").unwrap();
    package.files.insert(path, Entry::bytes(text.into_bytes(), 0o644)).unwrap();
    for compression in [None, Some(Compression::Gzip(1))] {
        package.options.compression = compression;
        let once = bytes(&package, 1).unwrap();
        for threads in [2, 16] {
            assert!(once == bytes(&package, threads).unwrap(), "{compression:?} with {threads} threads");
        }
    }
}

#[test]
fn other_compressions_are_refused() {
    let mut package = package("1", &[]);
    for compression in [Compression::None, Compression::XZ, Compression::ZSTD] {
        package.options.compression = Some(compression);
        let error = bytes(&package, 1).unwrap_err();
        assert!(matches!(error, Error::Option { option: "the compression", .. }), "{error}");
    }
}

#[test]
fn a_package_without_files_is_0_bytes_and_with_a_script_1() {
    let size = |package: &packhouse_package::Package| {
        let info = control(&bytes(package, 1).unwrap()).remove(".PKGINFO").unwrap();
        info.lines().find_map(|line| line.strip_prefix("size = ").map(str::to_owned)).unwrap()
    };
    let mut package = package("1", &[]);
    assert_eq!(size(&package), "0");
    let script = packhouse_package::Script::shell("true\n");
    package.scripts.insert(packhouse_package::Moment::AfterInstall, script);
    assert_eq!(size(&package), "1");
    // A file with two names is counted once.
    let expected =
        23 + 10 + 1 + 7 + 19 + 10 + 5 + 2 + 5 + "+opt/orchestrator/conf\n-opt/orchestrator/conf/bin\n".len();
    assert_eq!(size(&everything()), expected.to_string());
}

#[test]
fn architectures_are_spelled_as_alpine_does() {
    for (arch, expected) in [
        (Arch::Noarch, "noarch"),
        (Arch::X86_64, "x86_64"),
        (Arch::I686, "x86"),
        (Arch::Aarch64, "aarch64"),
        (Arch::Armv7, "armv7"),
        (Arch::Ppc64le, "ppc64le"),
        (Arch::Riscv64, "riscv64"),
        (Arch::S390x, "s390x"),
    ] {
        assert_eq!(Format::Apk.get().arch(arch), expected);
        assert_eq!(Arch::parse(expected), Some(arch));
    }
}

#[test]
fn the_file_is_called_as_a_repository_expects_it() {
    let mut metadata = everything().metadata;
    metadata.version = tagged("0.1.0", "alpine-3.20", "2305191200", "01fd6b4");
    let name = Format::Apk.get().file_name(&metadata, &Default::default()).unwrap();
    assert_eq!(name, "orchestrator-0.1.0_p2305191200_p320-r0.apk");
}

//! Memory does not depend on the payload's size.

use std::num::NonZeroUsize;
use std::process::Command;

use fs_err as fs;
use packhouse_package::archive::compress::Compression;
use packhouse_package::{Format, Resources};

use crate::rpm_fixture::package;

/// Not a test by itself: what the test below measures, in a process of its own.
#[test]
#[ignore = "run by memory_is_bounded_whatever_the_payloads_size"]
fn writes_a_large_package() {
    let directory = tempfile::tempdir().unwrap();
    let tree = directory.path().join("tree");
    fs::create_dir_all(tree.join("opt/hello")).unwrap();
    fs::File::create(tree.join("opt/hello/large")).unwrap().file().set_len(256 << 20).unwrap();
    let mut package = package("1");
    package.files.add_directory(&tree, None, &[]).unwrap();
    package.files.complete();
    package.options.compression = Some(Compression::ZSTD);
    let mut out = fs::File::create(directory.path().join("out")).unwrap();
    let resources = Resources { threads: NonZeroUsize::new(2).unwrap() };
    Format::Rpm.get().write(&package, resources, &mut out).unwrap();
    let status = fs::read_to_string("/proc/self/status").unwrap();
    println!("{}", status.lines().find(|line| line.starts_with("VmHWM:")).unwrap());
}

#[test]
fn memory_is_bounded_whatever_the_payloads_size() {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "rpm_memory::writes_a_large_package", "--ignored", "--nocapture"])
        .output()
        .unwrap();
    let printed = packhouse_clients::text(&output);
    let peak = printed.split("VmHWM:").nth(1).expect(&printed);
    let kibibytes: u64 = peak.split_whitespace().next().unwrap().parse().unwrap();
    assert!(kibibytes < 100 << 10, "{kibibytes} KiB");
}

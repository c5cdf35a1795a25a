//! Memory does not depend on the payload: at the default levels less than 100 MiB, whatever its size, the number
//! of its files and the number of threads.
#![expect(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]
#![expect(clippy::print_stdout, reason = "the measurements, with --nocapture")]

use std::num::NonZeroUsize;
use std::path::Path;
use std::process::Command;

use fs_err as fs;
use packhouse_package::archive::compress::Compression;
use packhouse_package::{Format, Resources};

use crate::rpm_fixture::package;

/// The customer's limit, in KiB.
const LIMIT: u64 = 100 << 10;

fn setting(name: &str) -> String {
    std::env::var(format!("PACKHOUSE_TEST_{name}")).unwrap()
}

/// Not a test by itself: writes the tree in the current directory as a package, in a process of its own, and
/// prints the peak of its resident memory.
#[test]
fn writes_a_package() {
    if std::env::var_os("PACKHOUSE_TEST_FORMAT").is_none() {
        return;
    }
    let mut package = package("1");
    package.files.add_directory(Path::new("tree"), None, &[]).unwrap();
    package.files.complete();
    package.options.compression = Compression::parse(&setting("COMPRESSION"));
    let resources = Resources { threads: NonZeroUsize::new(setting("THREADS").parse().unwrap()).unwrap() };
    let format = Format::parse(&setting("FORMAT")).unwrap();
    let mut options = fs::File::options();
    let options = options.read(true).write(true).create(true).truncate(true);
    let mut out = options.open(format!("out.{format}")).unwrap();
    format.get().write(&package, resources, &mut out).unwrap();
    let status = fs::read_to_string("/proc/self/status").unwrap();
    println!("{}", status.lines().find(|line| line.starts_with("VmHWM:")).unwrap());
}

/// The peak of resident memory in KiB when `directory`/tree is packaged.
fn peak(directory: &Path, format: Format, compression: Compression, threads: usize) -> u64 {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "memory::writes_a_package", "--nocapture"])
        .env("PACKHOUSE_TEST_FORMAT", format.to_string())
        .env("PACKHOUSE_TEST_COMPRESSION", compression.name())
        .env("PACKHOUSE_TEST_THREADS", threads.to_string())
        .current_dir(directory)
        .output()
        .unwrap();
    let printed = packhouse_clients::text(&output);
    let peak = printed.split("VmHWM:").nth(1).expect(&printed);
    peak.split_whitespace().next().unwrap().parse().unwrap()
}

/// Packages `directory`/tree in every way that a project gets without asking for it, or with `all` by every compressor.
fn assert_small(directory: &Path, formats: &[Format], thread_counts: &[usize], all: bool) {
    let mut too_large = Vec::new();
    for format in formats.iter().copied() {
        let compressions = format.get().compressions().iter().filter(|one| **one != Compression::None);
        for compression in compressions.copied().take(if all { usize::MAX } else { 1 }) {
            for threads in thread_counts {
                let peak = peak(directory, format, compression, *threads);
                let line = format!("{format}, {}, {threads} threads: {peak} KiB", compression.name());
                println!("{line}");
                too_large.extend((peak >= LIMIT).then_some(line));
            }
        }
    }
    assert!(too_large.is_empty(), "{too_large:#?}");
}

/// Bytes that do not compress, which is when the compressors need the most.
pub fn noise(length: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let words = std::iter::repeat_with(move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    words.take(length / 8).flatten().collect()
}

/// 20,000 files: what a package knows of each is in memory.
fn many_files(directory: &Path) {
    let noise = noise(16 << 20);
    for (number, part) in noise.chunks(noise.len() / 20_000).take(20_000).enumerate() {
        let at = directory.join(format!("tree/usr/lib/hello/directory-{:03}/sub-directory", number / 100));
        fs::create_dir_all(&at).unwrap();
        fs::write(at.join(format!("a-file-with-a-long-name-{number:05}.beam")), part).unwrap();
    }
}

fn large_files(directory: &Path, size: u64) {
    let tree = directory.join("tree/opt/hello");
    fs::create_dir_all(&tree).unwrap();
    fs::File::create(tree.join("sparse")).unwrap().set_len(size).unwrap();
    fs::write(tree.join("noise"), noise(32 << 20)).unwrap();
}

#[test]
fn packages_of_20_000_files_take_less_than_100_mib() {
    let directory = tempfile::tempdir().unwrap();
    many_files(directory.path());
    // More threads need more memory, until no more of them are used.
    assert_small(directory.path(), &Format::ALL, &[16], true);
}

/// deb and rpm; the other formats share their streams, and have half a GiB below.
const OF_2_GIB: [Format; 2] = [Format::Deb, Format::Rpm];

#[test]
fn packages_of_2_gib_take_less_than_100_mib() {
    let directory = tempfile::tempdir().unwrap();
    large_files(directory.path(), 2 << 30);
    match is_thorough() {
        true => assert_small(directory.path(), &Format::ALL, &[1, 2, 16], true),
        false => assert_small(directory.path(), &OF_2_GIB, &[2], true),
    }
}

#[test]
fn packages_of_half_a_gib_in_other_formats_take_less_than_100_mib() {
    let directory = tempfile::tempdir().unwrap();
    large_files(directory.path(), 512 << 20);
    let others: Vec<Format> = Format::ALL.into_iter().filter(|format| !OF_2_GIB.contains(format)).collect();
    assert_small(directory.path(), &others, &[2], false);
}

#[test]
fn packages_of_2_gib_and_20_000_files_take_less_than_100_mib() {
    if !is_thorough() {
        return; // each by itself is tested above
    }
    let directory = tempfile::tempdir().unwrap();
    large_files(directory.path(), 2 << 30);
    many_files(directory.path());
    assert_small(directory.path(), &Format::ALL, &[16], true);
}

/// Whether `cargo xtask memory` runs these, which takes minutes.
fn is_thorough() -> bool {
    std::env::var_os("PACKHOUSE_TEST_THOROUGH").is_some()
}

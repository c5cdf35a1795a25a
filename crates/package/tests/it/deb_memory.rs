//! A large payload does not need large memory.
#![expect(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::deb_fixture::example;

/// Packages a tree in a process of its own and returns its peak of resident memory in KiB, as getrusage(2)
/// counts it; Python asks, because Rust's standard library does not.
fn peak(tree: &Path, out: &Path, compression: &str) -> u64 {
    let measure = "import resource, subprocess, sys\n\
                   subprocess.run(sys.argv[1:], check=True)\n\
                   print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)";
    let output = Command::new("python3")
        .args(["-c", measure])
        .arg(example())
        .args(["deb".as_ref(), tree.as_os_str(), out.as_os_str(), compression.as_ref()])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
}

/// A tree with a sparse file of `sparse` bytes and `noise` bytes that do not compress.
fn tree(directory: &Path, sparse: u64, noise: usize) -> PathBuf {
    let tree = directory.join("tree");
    fs_err::create_dir_all(&tree).unwrap();
    fs_err::File::create(tree.join("sparse")).unwrap().set_len(sparse).unwrap();
    let mut state = 1_u64;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    })
    .take(noise / 8)
    .flatten()
    .collect();
    fs_err::write(tree.join("noise"), noise).unwrap();
    tree
}

const LIMIT: u64 = 100 << 10;

#[test]
fn a_payload_of_200_mib_stays_below_100_mib_with_zstd() {
    let Some([_]) = packhouse_clients::find(["python3"]) else { return };
    let directory = tempfile::tempdir().unwrap();
    let tree = tree(directory.path(), 100 << 20, 100 << 20);
    let peak = peak(&tree, &directory.path().join("x.deb"), "zstd");
    assert!(peak < LIMIT, "{peak} KiB");
}

#[test]
#[ignore = "minutes in the dev profile: 2 GiB, three times"]
fn a_payload_of_2_gib_stays_below_100_mib_at_the_default_levels() {
    let Some([_]) = packhouse_clients::find(["python3"]) else { return };
    let directory = tempfile::tempdir().unwrap();
    let tree = tree(directory.path(), 2 << 30, 64 << 20);
    for compression in ["none", "gzip", "zstd", "xz"] {
        let peak = peak(&tree, &directory.path().join("x.deb"), compression);
        println!("{compression}: {peak} KiB");
        assert!(peak < LIMIT, "{compression}: {peak} KiB");
    }
}

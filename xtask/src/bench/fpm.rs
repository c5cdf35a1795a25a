//! `packhouse fpm` beside fpm: the same command lines, one after the other in one run on this machine. What counts is CPU
//! time, because fpm spends most of its own in Ruby and in programs that it starts one after the other.
//!
//! fpm is the program of that name on `PATH`; without it the figures that were measured with fpm 1.17.0 stand in
//! (2 processors at 2.4 GHz, Debian 12, ruby 3.1, rpm 4.18), and the table says so.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use fs_err as fs;
use wait4::Wait4 as _;

use super::trees::{Limits, copy};
use crate::{root, say};

/// A command line: what is packaged, the flags, and fpm's CPU time in milliseconds where it was measured.
const ROWS: [(&str, &[&str], u64); 10] = [
    ("tiny", &["-t", "deb"], 203),
    ("tiny", &["-t", "rpm"], 196),
    ("tiny", &["-t", "pacman"], 166),
    ("tiny", &["-t", "tar"], 142),
    ("200 MB", &["-t", "deb"], 34_179),
    ("200 MB", &["-t", "rpm"], 33_120),
    ("200 MB", &["-t", "deb", "--deb-compression", "none"], 1_772),
    ("200 MB", &["-t", "deb", "--deb-compression", "xz"], 42_226),
    ("200 MB", &["-t", "pacman"], 3_048),
    ("200 MB", &["-t", "tar"], 1_185),
];

/// Wall and CPU time, medians.
type Times = (Duration, Duration);

/// Measures every row; `--built` takes our program as it is, `tiny` leaves the large tree out.
pub(super) fn run(words: &[String]) -> Result<()> {
    if let Some(word) = words.iter().find(|word| !["--built", "tiny"].contains(&word.as_str())) {
        bail!("`{word}` is neither `--built` nor `tiny`");
    }
    if !words.iter().any(|word| word == "--built") {
        crate::run("cargo", &["build", "--release", "-p", "packhouse"])?;
    }
    let directory = super::tools::directory().join("fpm");
    let tiny = directory.join("tiny/usr/bin");
    fs::create_dir_all(&tiny)?;
    fs::write(tiny.join("hello"), "hello\n")?;
    let has_fpm = Command::new("fpm").arg("--version").output().is_ok_and(|output| output.status.success());
    let source = if has_fpm { "fpm" } else { "fpm 1.17.0, as recorded" };
    say(&format!("| | ours, wall | ours, CPU | {source}, CPU | CPU ÷ ours |\n|---|---:|---:|---:|---:|"));
    for (case, flags, recorded) in ROWS {
        let is_tiny = case == "tiny";
        if !is_tiny && words.iter().any(|word| word == "tiny") {
            continue;
        }
        let tree = if is_tiny { directory.join("tiny") } else { tree_of_200_mb(&directory)? };
        let ours = root().join("target/release/packhouse");
        let (wall, cpu) =
            measure(&[&ours.display().to_string(), "fpm"], flags, &tree, if is_tiny { 21 } else { 3 })?;
        let theirs = match has_fpm {
            true => measure(&["fpm"], flags, &tree, if is_tiny { 5 } else { 1 })?.1,
            false => Duration::from_millis(recorded),
        };
        say(&format!(
            "| {case}, `{}` | {:.1} ms | {:.1} ms | {:.0} ms | {:.1} |",
            flags.join(" "),
            wall.as_secs_f64() * 1000.0,
            cpu.as_secs_f64() * 1000.0,
            theirs.as_secs_f64() * 1000.0,
            theirs.as_secs_f64() / cpu.as_secs_f64(),
        ));
    }
    Ok(())
}

/// Real files of this machine, 200 MB of them.
fn tree_of_200_mb(directory: &Path) -> Result<PathBuf> {
    let tree = directory.join("tree");
    if !directory.join("tree.complete").exists() {
        let _ = fs::remove_dir_all(&tree);
        fs::create_dir_all(&tree)?;
        copy(&tree, &Limits { files: 4_000, bytes: 200_000_000, largest: 8 << 20 })?;
        fs::write(directory.join("tree.complete"), "")?;
    }
    Ok(tree)
}

fn measure(program: &[&str], flags: &[&str], tree: &Path, runs: usize) -> Result<Times> {
    let output: PathBuf = super::tools::directory().join("fpm/out");
    let (mut walls, mut cpus) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        let _ = fs::remove_dir_all(&output);
        fs::create_dir_all(&output)?;
        let mut command = Command::new(program[0]);
        command
            .args(&program[1..])
            .args(["-s", "dir", "-n", "bench", "-v", "1.0", "--log", "error"])
            .args(flags);
        command.arg("-C").arg(tree).arg(".").current_dir(&output);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let started = Instant::now();
        let mut child = command.spawn().with_context(|| format!("{program:?} cannot be run"))?;
        let used = child.wait4()?;
        if !used.status.success() {
            bail!("{command:?} failed");
        }
        walls.push(started.elapsed());
        // With that of the programs that it waited for.
        cpus.push(used.rusage.utime + used.rusage.stime);
    }
    Ok((super::median(walls.into_iter()), super::median(cpus.into_iter())))
}

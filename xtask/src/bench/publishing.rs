//! Publishing to a bucket beside `aws s3 cp` and `rclone copy`: twelve packages of 30 MB to two servers on this machine;
//! and one package to a site of ten thousand beside one of forty. docs/performance.md has the numbers.
//!
//! Moto's server is Python and takes most of the time, for every program the same; s3s-fs is quick.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use fs_err as fs;
use packhouse_clients::{S3Server, moto, s3s_fs};
use wait4::Wait4 as _;

use crate::{root, say};

/// What opens the servers.
const KEY: &str = "a";
const SECRET: &str = "b";

const PACKAGES: u32 = 12;
const SIZE: usize = 30_000_000;
/// What the packages of the large site are spread over.
const TARGETS: u32 = 40;

/// Runs everything, `--built` with the program as it is.
pub(crate) fn run(is_built: bool) -> Result<()> {
    if !is_built {
        let example = ["build", "--release", "-p", "packhouse-publish", "--example", "publish_directory"];
        crate::run("cargo", &example)?;
    }
    let directory = root().join("target/bench/publishing");
    fs::create_dir_all(&directory)?;
    let packages = packages(&directory)?;
    let missing = "scripts/clients.sh installs it";
    say("| | program | wall | CPU |\n|---|---|---:|---:|");
    for (name, server) in [("s3s-fs", s3s_fs(KEY, SECRET)), ("Moto", moto())] {
        let server = server.context(missing)?;
        for round in 0..3 {
            for (program, mut command) in programs(&server, &packages, round)? {
                let (wall, cpu) = measure(&mut command)?;
                let (wall, cpu) = (wall.as_secs_f64(), cpu.as_secs_f64());
                say(&format!("| 12 × 30 MB to {name} | {program} | {wall:.2} s | {cpu:.2} s |"));
            }
        }
    }
    let server = s3s_fs(KEY, SECRET).context(missing)?;
    large_site(&server, &directory)
}

/// Bytes that nothing compresses, the same each time: xorshift.
fn packages(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    for number in 0..PACKAGES {
        let path = directory.join("packages").join(format!("hello_{number}.deb"));
        fs::create_dir_all(directory.join("packages"))?;
        let mut bytes = Vec::with_capacity(SIZE);
        while bytes.len() < SIZE {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            bytes.extend(state.to_le_bytes());
        }
        fs::write(&path, bytes)?;
        fs::write(path.with_extension("deb.asc"), "signature\n")?;
        paths.push(path);
    }
    Ok(paths)
}

fn ours(server: &S3Server, site: &str) -> Command {
    let mut command = Command::new(root().join("target/release/examples/publish_directory"));
    reach(server, &mut command);
    command.args([&format!("s3://bucket/{site}"), "1700000000", "stable"]);
    command
}

fn programs(server: &S3Server, packages: &[PathBuf], round: u32) -> Result<Vec<(&'static str, Command)>> {
    let directory = packages[0].parent().context("packages lie in a directory")?;
    let publish = || {
        let mut command = ours(server, &format!("ours-{round}"));
        for (number, path) in packages.iter().enumerate() {
            command.args(["ubuntu", &number.to_string()]).arg(path);
        }
        command
    };
    let mut aws = Command::new("aws");
    reach(server, &mut aws);
    // AWS_ENDPOINT_URL is not known to all that are about.
    aws.args(["--endpoint-url", &server.endpoint(), "s3", "cp", "--recursive", "--only-show-errors"]);
    aws.arg(directory);
    aws.arg(format!("s3://bucket/aws-{round}/"));
    let mut rclone = Command::new("rclone");
    reach(server, &mut rclone);
    // It cannot use such a bundle with its own transport.
    rclone.env_remove("AWS_CA_BUNDLE").args(["copy", "-q", "--config", "/dev/null"]).arg(directory);
    rclone.arg(format!(
        ":s3,provider=Other,env_auth=true,endpoint='{}':bucket/rclone-{round}",
        server.endpoint()
    ));
    let all = [
        ("packhouse", publish()),
        ("packhouse, again", publish()),
        ("aws s3 cp", aws),
        ("rclone copy", rclone),
    ];
    let is_there = |command: &Command| {
        let program = command.get_program();
        program.to_string_lossy().contains('/')
            || std::env::var_os("PATH").is_some_and(|path| {
                std::env::split_paths(&path).any(|directory| directory.join(program).is_file())
            })
    };
    let (there, missing): (Vec<_>, Vec<_>) = all.into_iter().partition(|(_, command)| is_there(command));
    missing.iter().for_each(|(name, _)| say(&format!("skipped: {name} is not installed")));
    Ok(there)
}

/// One small package to a site of ten thousand and to one of a package for each target.
fn large_site(server: &S3Server, directory: &Path) -> Result<()> {
    for (name, packages) in [("a site of 40", TARGETS), ("a site of 10,000", 10_000)] {
        let site = format!("site-{packages}");
        let head = directory.join("releases.json");
        fs::write(&head, head_of(packages))?;
        let mut seed = Command::new("aws");
        reach(server, &mut seed);
        seed.args(["--endpoint-url", &server.endpoint(), "s3", "cp", "--quiet"])
            .arg(&head)
            .arg(format!("s3://bucket/{site}/releases.json"));
        measure(&mut seed)?;
        for number in 0..4 {
            let path = directory.join(format!("small-{packages}_{number}.deb"));
            fs::write(&path, format!("{site} {number}"))?;
            fs::write(path.with_extension("deb.asc"), "signature\n")?;
            let mut command = ours(server, &site);
            command.args(["debian", "1"]).arg(&path);
            let (wall, cpu) = measure(&mut command)?;
            // The first makes the site's pointers.
            if number > 0 {
                let (wall, cpu) = (wall.as_secs_f64(), cpu.as_secs_f64());
                say(&format!("| 1 package to {name} | packhouse | {wall:.2} s | {cpu:.2} s |"));
            }
        }
    }
    Ok(())
}

fn head_of(count: u32) -> String {
    let package = |number: u32| {
        let (name, version) = (format!("hello_{number:05}.deb"), number % TARGETS);
        serde_json::json!({
            "path": format!("debian/{name}"), "file_name": name, "size": 1000, "sha256": "ab".repeat(32),
            "target": format!("debian-{version}"), "distribution": "debian",
            "distribution_version": version.to_string(), "arch": "x86_64", "format": "deb", "version": "1.0",
            "built": 1_600_000_000 + number, "revision": "611a16f", "channels": ["stable"],
            "signature": {"path": format!("debian/{name}.asc"), "fingerprint": "A".repeat(40)},
        })
    };
    let latest = |version: u32| {
        serde_json::json!({
            "target": format!("debian-{version}"), "distribution": "debian",
            "distribution_version": version.to_string(), "arch": "x86_64", "channel": "stable",
            "path": format!("debian/hello_{:05}.deb", count - TARGETS + version),
        })
    };
    let mut newest: Vec<_> = (0..TARGETS).map(latest).collect();
    newest.sort_by_key(|latest| latest["target"].to_string());
    serde_json::json!({
        "format": 1, "generation": count, "name": "hello", "updated": 1_600_010_000,
        "packages": (0..count).map(package).collect::<Vec<_>>(), "latest": newest,
    })
    .to_string()
}

fn measure(command: &mut Command) -> Result<(Duration, Duration)> {
    // What the program before left to be written would be this one's to wait for.
    Command::new("sync").status()?;
    let begun = Instant::now();
    let mut child = command.stdout(Stdio::null()).spawn().with_context(|| format!("{command:?}"))?;
    let usage = child.wait4()?;
    if !usage.status.success() {
        bail!("{command:?} failed");
    }
    Ok((begun.elapsed(), usage.rusage.utime + usage.rusage.stime))
}

/// What programs need to find the server.
fn reach(server: &S3Server, command: &mut Command) {
    command.env("AWS_ENDPOINT_URL", server.endpoint()).env("AWS_DEFAULT_REGION", "us-east-1");
    command.env("AWS_ACCESS_KEY_ID", KEY).env("AWS_SECRET_ACCESS_KEY", SECRET);
}

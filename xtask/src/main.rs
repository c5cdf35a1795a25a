//! The project's own chores: `cargo xtask <chore>`.

mod bench;
mod lint;
mod test;
mod tidy;

use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result, bail};

const USAGE: &str = "usage: cargo xtask <chore>

  test [ARGUMENT…]   install the clients the tests need, run every test, count (arguments go to cargo test)
  clients            install the clients the tests need
  lint               formatting, clippy, documentation, shell scripts, tidy
  bench [WORD…]      speed, memory and size beside dpkg-deb, rpmbuild and nfpm: all cases, or only these: small tree many
                     large, deb rpm, gzip xz zstd zstd-19; --quick, --write (into docs/performance.md);
                     `bench publishing`: to a bucket, beside aws s3 cp and rclone
  memory             the memory of large packages, with few and many threads: minutes
  tidy               the rules of the house: dependencies between crates, sizes of files, names
  ci                 test and lint
";

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let chore = arguments.next().unwrap_or_default();
    let rest: Vec<String> = arguments.collect();
    let done = match (chore.as_str(), rest.is_empty()) {
        ("test", _) => test::run(&rest),
        ("bench", _) => bench::run(&rest),
        ("clients", true) => test::install_clients(),
        ("lint", true) => lint::run(),
        ("memory", true) => memory(),
        ("tidy", true) => tidy::run(),
        ("ci", true) => test::run(&[]).and_then(|()| lint::run()),
        _ => {
            say(USAGE);
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("xtask {chore}: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Packages 2 GiB in every format, by every compressor, with few and many threads, and fails when that takes
/// 100 MiB of memory. The tests do it with two threads.
fn memory() -> Result<()> {
    let arguments = ["test", "-p", "packhouse-package", "--test", "it", "--", "--nocapture", "memory::"];
    say("$ PACKHOUSE_TEST_THOROUGH=1 cargo test -p packhouse-package --test it -- memory::");
    let status = Command::new("cargo")
        .args(arguments)
        .env("PACKHOUSE_TEST_THOROUGH", "1")
        .current_dir(root())
        .status()
        .context("`cargo` cannot be run")?;
    match status.success() {
        true => Ok(()),
        false => bail!("packages take too much memory"),
    }
}

/// The directory of the workspace.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the workspace")
}

fn say(line: &str) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Runs a program in the workspace and fails when it does.
fn run(program: &str, arguments: &[&str]) -> Result<()> {
    say(&format!("$ {program} {}", arguments.join(" ")));
    let status = Command::new(program).args(arguments).current_dir(root()).status();
    let status = status.with_context(|| format!("`{program}` cannot be run"))?;
    if !status.success() {
        bail!("`{program} {}` failed: {status}", arguments.join(" "));
    }
    Ok(())
}

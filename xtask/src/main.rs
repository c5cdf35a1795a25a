//! The project's own chores: `cargo xtask <chore>`.

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
  memory             the packages of 2 GiB that `test` leaves out: minutes
  tidy               the rules of the house: dependencies between crates, sizes of files, names
  ci                 test, memory and lint
";

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let chore = arguments.next().unwrap_or_default();
    let rest: Vec<String> = arguments.collect();
    let done = match (chore.as_str(), rest.is_empty()) {
        ("test", _) => test::run(&rest),
        ("clients", true) => test::install_clients(),
        ("lint", true) => lint::run(),
        ("memory", true) => memory(),
        ("tidy", true) => tidy::run(),
        ("ci", true) => test::run(&[]).and_then(|()| memory()).and_then(|()| lint::run()),
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

/// Packages 2 GiB in every format and by every compressor, and fails when that takes 100 MiB of memory.
fn memory() -> Result<()> {
    let tests = ["--ignored", "--nocapture", "memory::packages_of_2_gib"];
    run("cargo", &[&["test", "-p", "packhouse-package", "--test", "it", "--"][..], &tests].concat())
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

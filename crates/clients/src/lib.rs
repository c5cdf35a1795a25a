//! For tests only: the real programs that judge what Packhouse makes (dpkg, rpm, gpg, …).
//!
//! A test asks for a client with [`find`]. A missing client is never silent: the test prints
//! `skipped: …` and adds a line to `target/skipped-tests.txt`, which `cargo xtask test` counts; under
//! `PACKHOUSE_REQUIRE_CLIENTS=1` (set by `cargo xtask test` and so by `.ci/run`) it fails instead.

mod engine;
mod s3_server;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

pub use engine::{ContainerEngine, container_engine};
pub use s3_server::{S3Server, moto, s3s_fs};

/// A program found on this machine.
#[derive(Clone, Debug)]
pub struct Client {
    path: PathBuf,
}

/// Finds the programs, or says loudly that the calling test is skipped and returns `None`.
///
/// # Panics
/// When one is missing and `PACKHOUSE_REQUIRE_CLIENTS` is set.
#[track_caller]
pub fn find<const N: usize>(names: [&str; N]) -> Option<[Client; N]> {
    let mut found = Vec::with_capacity(N);
    for name in names {
        match on_path(name) {
            Some(path) => found.push(Client { path }),
            None => {
                skip(name);
                return None;
            }
        }
    }
    found.try_into().ok()
}

#[track_caller]
fn skip(name: &str) {
    let caller = std::panic::Location::caller();
    assert!(
        std::env::var_os("PACKHOUSE_REQUIRE_CLIENTS").is_none(),
        "{name} is not installed, and PACKHOUSE_REQUIRE_CLIENTS forbids skipping; run `cargo xtask clients`"
    );
    let line = format!("skipped: {caller} needs {name}\n");
    // Written past libtest's capture, so that it shows for passing tests too.
    let _ = std::io::stderr().write_all(line.as_bytes());
    let record = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/skipped-tests.txt");
    if let Ok(mut file) = std::fs::OpenOptions::new().create(true).append(true).open(record) {
        let _ = file.write_all(line.as_bytes());
    }
}

fn on_path(name: &str) -> Option<PathBuf> {
    // What comes from PyPI lies in a directory of its own (`scripts/clients.sh`).
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/clients/bin");
    std::env::split_paths(&std::env::var_os("PATH")?)
        .chain(["/usr/sbin".into(), "/sbin".into(), python])
        .map(|directory| directory.join(name))
        .find(|path| path.is_file())
}

impl Client {
    /// A command that runs the client in the C locale and UTC.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.path);
        command.env("LC_ALL", "C").env("TZ", "UTC");
        command
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Runs the client with `arguments` and returns its standard output.
    ///
    /// # Panics
    /// When it cannot be run or does not exit with 0; the message holds what it printed.
    #[track_caller]
    pub fn run<A: AsRef<std::ffi::OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> String {
        let mut command = self.command();
        command.args(arguments);
        let output = command.output().expect("the client was found on PATH");
        assert!(output.status.success(), "{command:?} failed: {}\n{}", output.status, text(&output));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

/// What a program printed: standard output, then standard error.
pub fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

//! Container engines for tests: one that answers, with the image `debian:12` in it.

use std::path::Path;
use std::process::Command;

use crate::{Client, find, skip, text};

/// A container engine that can be used, with Debian 12 in it.
pub struct ContainerEngine {
    /// Its program.
    pub client: Client,
    /// Its name: `docker` or `podman`.
    pub name: &'static str,
    /// Variables that its program needs here.
    pub variables: Vec<(String, String)>,
}

/// Finds an engine and makes the image `debian:12` in it, or says loudly that the calling test is skipped and
/// returns `None`.
///
/// # Panics
/// When there is none and `PACKHOUSE_REQUIRE_CLIENTS` is set, or the image cannot be made.
#[track_caller]
pub fn container_engine(name: &'static str) -> Option<ContainerEngine> {
    let [client] = find([name])?;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut variables = Vec::new();
    // One test at a time makes the image; the rest find it.
    let images = root.join("target/base-images");
    fs_err::create_dir_all(&images).expect("target/ can be written to");
    let lock = fs_err::OpenOptions::new().create(true).append(true).open(images.join(".lock"));
    let lock = lock.expect("target/ can be written to");
    lock.file().lock().expect("a file of target/ can be locked");
    if name == "podman" {
        // Podman raises the limits of containers, which takes more than root where tests run in a sandbox.
        let settings = "[containers]\ndefault_ulimits = [\"nofile=1024:1024\", \"nproc=4096:4096\"]\n\
                        [engine]\nruntime = \"runc\"\n";
        let path = images.join("containers.conf");
        fs_err::write(&path, settings).expect("target/ can be written to");
        variables.push(("CONTAINERS_CONF".to_owned(), path.display().to_string()));
    }
    let mut info = client.command();
    info.arg("info").envs(variables.iter().cloned());
    if !info.output().is_ok_and(|output| output.status.success()) {
        skip(&format!("{name} with an engine that answers"));
        return None;
    }
    let script = root.join("scripts/base-image.sh");
    let mut make = Command::new(script);
    let made = make.args(["debian", "12"]).env("ENGINE", name).envs(variables.iter().cloned()).output();
    let made = made.expect("scripts/base-image.sh can be run");
    assert!(made.status.success(), "debian:12 cannot be made: {}", text(&made));
    drop(lock);
    Some(ContainerEngine { client, name, variables })
}

impl ContainerEngine {
    /// Runs the engine's program and returns what it printed.
    #[track_caller]
    pub fn run(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().expect("the client was found on PATH");
        assert!(output.status.success(), "{} {arguments:?}: {}", self.name, text(&output));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// A command that runs the engine's program.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.client.command();
        command.args(arguments).envs(self.variables.iter().cloned());
        command
    }

    /// The caller's environment and what the program needs: what Packhouse is given.
    pub fn environment(&self) -> Vec<(String, String)> {
        let mut environment: Vec<(String, String)> = std::env::vars().collect();
        environment.extend(self.variables.iter().cloned());
        environment
    }

    /// The containers that carry this label, whatever their state: their ids.
    pub fn containers(&self, label: &str) -> Vec<String> {
        let filter = format!("label={label}");
        let listed = self.run(&["ps", "--all", "--quiet", "--no-trunc", "--filter", &filter]);
        listed.split_whitespace().map(str::to_owned).collect()
    }
}

//! The program of a container engine, `docker` or `podman`, run as its user has set it up.
//!
//! The programs are driven rather than their interfaces linked: contexts, `DOCKER_HOST`, credential helpers, `ssh://`
//! hosts and BuildKit then work as they do on the command line, and credentials stay where they are. References:
//! <https://docs.docker.com/reference/cli/docker/> and <https://docs.podman.io/en/latest/Commands.html>.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::process::{Child, Command};

use crate::leftovers::{RUN_LABEL, Run};
use crate::{Error, Result, log};

/// Variables that an engine's program is not given: keys and pass phrases of what signs are no business of its
/// (packhouse's `environment.rs` names them). It gets all others, since only its user knows what its contexts, plugins and
/// credential helpers (which may need the keys of a cloud) look at; nothing of it reaches a container.
const OURS: &str = "PACKHOUSE_";

/// A line that is longer is cut before it is shown.
const LONGEST_LINE: usize = 4096;

/// How long something that was told to end may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Runs `"$@"` until it ends or standard input does: whoever holds the other end of that pipe may be killed at any
/// moment, and takes the program along. (A background command's own standard input would be `/dev/null`:
/// POSIX, Shell Command Language, 2.9.3.)
const TIED: &str = r#"exec 3<&0
"$@" </dev/null 2>&1 3<&- &
program=$!
{ cat <&3 >/dev/null; kill "$program"; } 2>/dev/null &
watch=$!
exec 3<&-
wait "$program"
status=$?
kill "$watch" 2>/dev/null
exit "$status""#;

/// Where the two programs differ.
#[derive(Debug)]
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    /// `info --format`: version, operating system and processor of the engine.
    info: &'static str,
    /// `push` writes the registry's digest to a file rather than printing it. What the engine itself calls the
    /// image's digest is of layers that are not compressed yet.
    writes_digest: bool,
}

const DOCKER: Kind =
    Kind { name: "docker", info: "{{.ServerVersion}} {{.OSType}}/{{.Architecture}}", writes_digest: false };
const PODMAN: Kind =
    Kind { name: "podman", info: "{{.Version.Version}} {{.Host.OS}}/{{.Host.Arch}}", writes_digest: true };

/// A container engine, through its program. Not `Debug`: the caller's environment holds secrets.
#[derive(Clone)]
pub struct Client {
    kind: &'static Kind,
    environment: Vec<(String, String)>,
}

/// What an engine says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineInfo {
    /// Its version.
    pub version: String,
    /// Its platform, as in `linux/amd64`.
    pub platform: String,
}

impl Client {
    /// Docker, with the caller's environment: it says which engine is meant.
    pub fn docker(environment: Vec<(String, String)>) -> Client {
        Client { kind: &DOCKER, environment }
    }

    /// Podman, with the caller's environment.
    pub fn podman(environment: Vec<(String, String)>) -> Client {
        Client { kind: &PODMAN, environment }
    }

    /// The program's name.
    pub fn name(&self) -> &'static str {
        self.kind.name
    }

    pub(crate) fn writes_digest(&self) -> bool {
        self.kind.writes_digest
    }

    /// Asks the engine what it is.
    ///
    /// # Errors
    /// When the program is not there, or the engine does not answer.
    pub async fn info(&self) -> Result<EngineInfo> {
        let text = self.output(&["info", "--format", self.kind.info]).await.map_err(|error| match error {
            Error::Engine { program, message, .. } => Error::EngineAway { program, message },
            other => other,
        })?;
        let (version, platform) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
        // A client whose engine is away may print an empty form and succeed.
        if version.is_empty() || platform.is_empty() {
            return Err(Error::EngineAway { program: self.name(), message: "it tells no version".into() });
        }
        let (system, processor) = platform.split_once('/').unwrap_or(("linux", platform));
        let platform = format!("{system}/{}", go_processor(processor));
        Ok(EngineInfo { version: version.into(), platform })
    }

    /// How many bytes are free where the engine keeps its containers, as one made from `image` sees it: the engine
    /// may be another machine.
    ///
    /// # Errors
    /// When the container does not run, or its `df` cannot be understood.
    pub async fn free_space(&self, image: &str) -> Result<u64> {
        let run = format!("{RUN_LABEL}={}", Run::this().label());
        let arguments =
            ["run", "--rm", "--pull=never", "--network=none", "--no-healthcheck", "--label", &run];
        let arguments = [&arguments[..], &["--entrypoint", "df", image, "-P", "-k", "/"]].concat();
        let said = self.output(&arguments).await?;
        // POSIX, df, "Portable Format": name, blocks, used, free, percentage, root.
        let free = said.lines().nth(1).and_then(|line| line.split_whitespace().nth(3)?.parse::<u64>().ok());
        let message = || format!("its `df` is not understood: {}", said.trim());
        free.map(|blocks| blocks.saturating_mul(1024)).ok_or_else(|| Error::Engine {
            program: self.name(),
            command: "run".into(),
            message: message(),
        })
    }

    /// The variable of the caller's environment.
    pub(crate) fn variable(&self, name: &str) -> Option<&str> {
        let found = self.environment.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// A command that runs the program, in a process group of its own: Ctrl-C on a terminal is not for it, its
    /// end is decided here.
    pub(crate) fn command<A: AsRef<OsStr>>(&self, arguments: &[A]) -> Command {
        let mut command = Command::new(self.kind.name);
        command.args(arguments);
        self.prepare(&mut command);
        command
    }

    fn prepare(&self, command: &mut Command) {
        let known = self.environment.iter().filter(|(name, _)| !name.starts_with(OURS));
        command
            .env_clear()
            .envs(known.map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
    }

    pub(crate) fn spawn(&self, mut command: Command) -> Result<Child> {
        command.spawn().map_err(|source| Error::EngineProgram { program: self.kind.name, source })
    }

    /// Runs the program and returns what it printed.
    pub(crate) async fn output<A: AsRef<OsStr>>(&self, arguments: &[A]) -> Result<String> {
        let output = self.spawn(self.command(arguments))?.wait_with_output().await?;
        self.succeeded(arguments, output.status, &output.stderr)?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// An error unless the program succeeded.
    pub(crate) fn succeeded<A: AsRef<OsStr>>(
        &self,
        arguments: &[A],
        status: ExitStatus,
        said: &[u8],
    ) -> Result<()> {
        if status.success() {
            return Ok(());
        }
        let verbs = arguments.iter().map(|argument| argument.as_ref().to_string_lossy());
        let command = verbs.take_while(|word| !word.starts_with('-')).take(2).collect::<Vec<_>>().join(" ");
        let message = message(said).unwrap_or_else(|| format!("it ended with {status}"));
        Err(Error::Engine { program: self.name(), command, message })
    }

    /// Runs the program with everything it prints going to `log`, line by line to `on_line`, too. It is ended when
    /// the future is dropped, and when this process is killed.
    pub(crate) async fn logged(
        &self,
        arguments: &[String],
        log: &Path,
        on_line: &(dyn Fn(&str) + Sync),
    ) -> Result<ExitStatus> {
        log::add(log, &format!("$ {} {}", self.name(), arguments.join(" ")))?;
        let mut command = Command::new("/bin/sh");
        command.args(["-c", TIED, "sh", self.kind.name]).args(arguments);
        self.prepare(&mut command);
        // Not killed but told by its standard input: the shell alone would die, and the program go on.
        command.stdin(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(false);
        let mut child = self.spawn(command)?;
        let held = child.stdin.take();
        let mut output = child.stdout.take().ok_or_else(|| std::io::Error::other("no pipe"))?;
        let mut file = tokio::fs::OpenOptions::new().append(true).open(log).await?;
        let mut buffer = vec![0; 16 * 1024];
        let mut lines = Lines::default();
        loop {
            let length = output.read(&mut buffer).await?;
            if length == 0 {
                break;
            }
            tokio::io::AsyncWriteExt::write_all(&mut file, &buffer[..length]).await?;
            lines.add(&buffer[..length], on_line);
        }
        tokio::io::AsyncWriteExt::flush(&mut file).await?;
        let status = child.wait().await?;
        drop(held);
        Ok(status)
    }
}

/// Splits what arrives into lines.
#[derive(Default)]
struct Lines(Vec<u8>);

impl Lines {
    fn add(&mut self, bytes: &[u8], on_line: &(dyn Fn(&str) + Sync)) {
        for byte in bytes {
            if *byte == b'\n' {
                on_line(&log::readable(&String::from_utf8_lossy(&self.0)));
                self.0.clear();
            } else if self.0.len() < LONGEST_LINE {
                self.0.push(*byte);
            }
        }
    }
}

/// Waits for a child that was told to end, by asking whether it has; false when it does not within ten seconds.
///
/// Blocks: it is for `drop`, when a run is given up and the process is about to end.
pub(crate) fn ended(mut status: impl FnMut() -> std::io::Result<Option<ExitStatus>>) -> bool {
    let started = std::time::Instant::now();
    while started.elapsed() < PATIENCE {
        match status() {
            Ok(None) => std::thread::sleep(Duration::from_millis(20)),
            Ok(Some(_)) | Err(_) => return true,
        }
    }
    false
}

/// What a program said when it failed: its last lines that are not empty.
pub(crate) fn message(said: &[u8]) -> Option<String> {
    const LINES: usize = 4;
    let text = String::from_utf8_lossy(said);
    let lines: Vec<String> = text
        .lines()
        .map(|line| log::readable(line).trim().to_owned())
        .filter(|line| !line.is_empty() && !line.ends_with("--help'"))
        .collect();
    let last = &lines[lines.len().saturating_sub(LINES)..];
    (!last.is_empty()).then(|| last.join("\n"))
}

/// Go's name of a processor, which images carry, for the kernel's, which `docker info` prints.
fn go_processor(name: &str) -> &str {
    match name {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "i386" | "i686" => "386",
        "armv7l" => "arm/v7",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_fails_is_quoted_by_its_last_lines() {
        assert_eq!(message(b"\n\n"), None);
        assert_eq!(
            message(b"docker: no.\n\nRun 'docker run --help' for more\nSee 'docker run --help'\n").unwrap(),
            "docker: no.\nRun 'docker run --help' for more"
        );
    }
}

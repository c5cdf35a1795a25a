//! The host engine: runs a job's commands on this machine, in a private copy of the source.
//!
//! Commands get a small environment, not the caller's: credentials of the release (`AWS_…`, pass phrases,
//! agent sockets) are not the build's business. What a job asks for is added.
//!
//! Each command leads a process group of its own, which is killed when the run is given up, so that no
//! compiler goes on behind the user's back.

use std::fs::TryLockError;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use fs_err as fs;
use rustix::process::{Pid, Signal, kill_process_group};

use crate::{Error, Event, Job, Result, Source};

/// Variables of the caller that a build gets: where tools are and keep their caches, proxies.
const PASSED_ON: &[&str] = &[
    "ALL_PROXY",
    "ASDF_DATA_DIR",
    "ASDF_DIR",
    "CARGO_HOME",
    "CCACHE_DIR",
    "CURL_CA_BUNDLE",
    "GIT_SSL_CAINFO",
    "GOCACHE",
    "GOMODCACHE",
    "GOPATH",
    "GOPROXY",
    "GOROOT",
    "GRADLE_USER_HOME",
    "HEX_HOME",
    "HEX_MIRROR",
    "HOME",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "JAVA_HOME",
    "LOGNAME",
    "MISE_DATA_DIR",
    "MIX_HOME",
    "NIX_SSL_CERT_FILE",
    "NODE_EXTRA_CA_CERTS",
    "NO_PROXY",
    "NPM_CONFIG_CACHE",
    "NVM_DIR",
    "PATH",
    "PIP_CACHE_DIR",
    "PNPM_HOME",
    "PYENV_ROOT",
    "PYENV_VERSION",
    "RBENV_ROOT",
    "REBAR_CACHE_DIR",
    "REQUESTS_CA_BUNDLE",
    "RUSTUP_HOME",
    "RUSTUP_TOOLCHAIN",
    "SCCACHE_DIR",
    "SDKMAN_DIR",
    "SHELL",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "TMPDIR",
    "USER",
    "UV_CACHE_DIR",
    "VOLTA_HOME",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "YARN_CACHE_FOLDER",
    "all_proxy",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "npm_config_cache",
];

/// What a build gets instead of the caller's, so that `sort`, `date` and their like give everybody the same bytes.
/// UTF-8, since Erlang and Python read source files in the locale's encoding. A job may set others.
const FIXED: [(&str, &str); 2] = [("LC_ALL", "C.UTF-8"), ("TZ", "UTC")];

/// How many lines of a failed command are shown.
const TAIL_LINES: usize = 20;

/// How often a run looks whether another one has finished the same job.
const LOCK_INTERVAL: Duration = Duration::from_millis(200);

/// Runs jobs on this machine. Not `Debug`: the caller's environment holds secrets.
pub struct Host {
    /// Where private copies go: an absolute path, a directory of this user's, created when missing.
    pub scratch: PathBuf,
    /// The time that packages carry, in Unix seconds: commands get it as `SOURCE_DATE_EPOCH`, unless the job
    /// sets another (<https://reproducible-builds.org/specs/source-date-epoch/>).
    pub time: u32,
    /// The caller's environment; only what `PASSED_ON` lists reaches a build.
    pub environment: Vec<(String, String)>,
    /// Leaves the private copy of a failed job in place.
    pub keep_failed: bool,
}

/// The result of a job: the private copy with everything its commands made. Removed when dropped.
#[derive(Debug)]
pub struct Workspace {
    path: PathBuf,
    keep: bool,
    /// Held, and so locked, as long as the copy is in use.
    _lock: fs::File,
}

impl Workspace {
    /// The private copy.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Workspace {
    fn drop(&mut self) {
        if !self.keep {
            // Best effort: what is left is removed when the same job runs next.
            let _ = remove_tree(&self.path);
        }
    }
}

impl Host {
    /// Runs `job` on `source` and returns the directory that holds its results.
    ///
    /// Everything the commands print goes to `log`, which is replaced.
    ///
    /// # Errors
    /// [`Error::Command`] when a command fails; others when it could not be run at all.
    pub async fn run(
        &self,
        job: &Job,
        source: &Source,
        log: &Path,
        on_event: &(dyn Fn(Event) + Sync),
    ) -> Result<Workspace> {
        let mut workspace = self.workspace(job, on_event).await?;
        on_event(Event::Copying);
        let (from, to) = (source.clone(), workspace.path.clone());
        tokio::task::spawn_blocking(move || from.copy_to(&to)).await.map_err(std::io::Error::other)??;
        if let Some(parent) = log.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::File::create(log)?;
        for (index, command) in job.commands.iter().enumerate() {
            let (number, total) = (index + 1, job.commands.len());
            on_event(Event::Command { number, total, command: command.clone() });
            let status = self.command(job, command, workspace.path(), log).await?;
            if !status.success() {
                workspace.keep = self.keep_failed;
                return Err(Error::Command {
                    number,
                    total,
                    command: command.clone(),
                    status,
                    tail: tail(log)?,
                    log: log.into(),
                    kept: self.keep_failed.then(|| workspace.path.clone()),
                });
            }
        }
        Ok(workspace)
    }

    async fn command(
        &self,
        job: &Job,
        command: &str,
        workspace: &Path,
        log: &Path,
    ) -> Result<std::process::ExitStatus> {
        use std::io::Write as _;
        if !workspace.is_dir() {
            return Err(Error::WorkspaceGone { command: command.into() });
        }
        let mut output = fs::OpenOptions::new().append(true).open(log)?;
        writeln!(output, "$ {command}")?;
        let output = output.into_parts().0;
        let mut shell = tokio::process::Command::new("/bin/sh");
        shell
            .args(["-c", command])
            .current_dir(workspace)
            .env_clear()
            .envs(
                self.environment
                    .iter()
                    .filter(|(name, _)| PASSED_ON.contains(&name.as_str()))
                    .map(|(name, value)| (name, value)),
            )
            .env("SOURCE_DATE_EPOCH", self.time.to_string())
            .envs(FIXED)
            .envs(&job.environment)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .process_group(0)
            .kill_on_drop(true);
        let mut child =
            shell.spawn().map_err(|source| Error::Program { program: "/bin/sh".into(), source })?;
        let group = Group(child.id().and_then(|id| Pid::from_raw(id.cast_signed())));
        let status = child.wait().await?;
        drop(group); // daemons that the command left behind
        Ok(status)
    }

    /// An empty directory for the job, locked against other runs.
    async fn workspace(&self, job: &Job, on_event: &(dyn Fn(Event) + Sync)) -> Result<Workspace> {
        own_directory(&self.scratch)?;
        let path = self.scratch.join(job.directory_name());
        // Not `with_extension`: a project's name may have a dot, and its jobs would share one lock.
        let lock = fs::File::create(self.scratch.join(format!("{}.lock", job.directory_name())))?;
        let mut is_waiting = false;
        // Asked again and again instead of waited for: a thread that waits cannot be given up.
        loop {
            match lock.file().try_lock() {
                Ok(()) => break,
                Err(TryLockError::Error(error)) => return Err(error.into()),
                Err(TryLockError::WouldBlock) => {
                    if !std::mem::replace(&mut is_waiting, true) {
                        on_event(Event::Waiting);
                    }
                    tokio::time::sleep(LOCK_INTERVAL).await;
                }
            }
        }
        remove_tree(&path)?;
        fs::create_dir_all(&path)?;
        Ok(Workspace { path, keep: false, _lock: lock })
    }
}

/// Kills a process group when dropped.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // Fails when everybody has gone already, which is what is wanted.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

/// Makes sure that `path` is a directory that nobody else can put things into: its name can be guessed.
fn own_directory(path: &Path) -> Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    match std::fs::DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => return Err(error.into()),
        _ => {}
    }
    let metadata = fs::symlink_metadata(path)?;
    let ours = metadata.uid() == rustix::process::geteuid().as_raw();
    if metadata.is_dir() && ours && metadata.mode() & 0o022 == 0 {
        Ok(())
    } else {
        Err(Error::UnsafeScratch { path: path.into() })
    }
}

/// Removes a directory, also one whose build made parts of it read-only (Go's module cache does).
fn remove_tree(path: &Path) -> std::io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            make_writable(path)?;
            fs::remove_dir_all(path)
        }
        other => other,
    }
}

fn make_writable(directory: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(directory, std::fs::Permissions::from_mode(0o700))?;
    for item in fs::read_dir(directory)? {
        let item = item?;
        if item.file_type()?.is_dir() {
            make_writable(&item.path())?;
        }
    }
    Ok(())
}

/// The last lines of a log, read from its end.
fn tail(log: &Path) -> Result<Vec<String>> {
    const ENOUGH: u64 = 16 * 1024;
    let mut file = fs::File::open(log)?;
    let start = file.metadata()?.len().saturating_sub(ENOUGH);
    file.seek(SeekFrom::Start(start))?;
    let mut end = Vec::new();
    file.read_to_end(&mut end)?;
    let text = String::from_utf8_lossy(&end);
    let lines: Vec<&str> = text.lines().skip(usize::from(start > 0 && text.contains('\n'))).collect();
    let shown = &lines[lines.len().saturating_sub(TAIL_LINES)..];
    Ok(shown.iter().map(|line| readable(line)).collect())
}

/// A line as a terminal would have left it: a build's output may hold escape sequences, which a terminal must not
/// act on, and progress that overwrites itself. Cut where it is too long to be read.
fn readable(line: &str) -> String {
    const LONGEST: usize = 400;
    let last = line.trim_end_matches('\r').rsplit('\r').next().unwrap_or_default();
    let mut shown = String::new();
    let mut characters = last.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            // ECMA-48, 5.4: a control sequence is ESC [, parameters, and one final byte from @ to ~.
            '\u{1b}' if characters.next_if_eq(&'[').is_some() => {
                while characters.next_if(|c| !('@'..='~').contains(c)).is_some() {}
                characters.next();
            }
            '\t' => shown.push(c),
            _ if c.is_control() => shown.push('·'),
            _ => shown.push(c),
        }
    }
    match shown.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &shown[..end]),
        None => shown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_reads_as_a_terminal_would_have_left_it() {
        assert_eq!(readable("\u{1b}[31;1merror\u{1b}[0m: no"), "error: no");
        assert_eq!(readable("10%\r50%\r100%\r"), "100%");
        assert_eq!(readable("a\u{1b}]0;title\u{7}b"), "a·]0;title·b");
        assert_eq!(readable(&"x".repeat(1000)).chars().count(), 401);
    }
}

//! The host engine: runs a job's commands on this machine, in a private copy of the source.
//!
//! Commands get a small environment, not the caller's: credentials of the release (`AWS_…`, pass phrases,
//! agent sockets) are not the build's business. What a job asks for is added.
//!
//! Each command leads a process group of its own, which is killed when the run is given up, so that no
//! compiler goes on behind the user's back.

use std::path::Path;
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process_group};

use super::{Engine, EngineOptions, FIXED, Working, Workspace};
use crate::{Error, Event, Job, Kept, OnEvent, Result, Source, log};

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

/// Runs jobs on this machine. Not `Debug`: the caller's environment holds secrets.
pub struct Host {
    /// What holds for every job.
    pub options: EngineOptions,
    /// The caller's environment; only what `PASSED_ON` lists reaches a build.
    pub environment: Vec<(String, String)>,
}

impl Engine for Host {
    fn name(&self) -> &'static str {
        "host"
    }

    fn check(&self) -> Working<'_, ()> {
        Box::pin(async { Ok(()) })
    }

    fn run<'a>(
        &'a self,
        job: &'a Job,
        source: &'a Source,
        log: &'a Path,
        on_event: OnEvent<'a>,
    ) -> Working<'a, Workspace> {
        Box::pin(self.run_here(job, source, log, on_event))
    }
}

impl Host {
    async fn run_here(
        &self,
        job: &Job,
        source: &Source,
        log: &Path,
        on_event: OnEvent<'_>,
    ) -> Result<Workspace> {
        let mut workspace = Workspace::new(&self.options.scratch, job, on_event).await?;
        on_event(Event::Copying);
        let (from, to) = (source.clone(), workspace.path().to_owned());
        tokio::task::spawn_blocking(move || from.copy_to(&to)).await.map_err(std::io::Error::other)??;
        log::create(log)?;
        for (index, command) in job.commands.iter().enumerate() {
            let (number, total) = (index + 1, job.commands.len());
            on_event(Event::Command { number, total, command: command.clone() });
            let status = self.command(job, command, workspace.path(), log).await?;
            if !status.success() {
                if self.options.keep_failed {
                    workspace.keep();
                }
                return Err(Error::Command {
                    number,
                    total,
                    command: command.clone(),
                    status,
                    tail: log::tail(log)?,
                    log: log.into(),
                    kept: self
                        .options
                        .keep_failed
                        .then(|| Box::new(Kept::Directory(workspace.path().to_owned()))),
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
        if !workspace.is_dir() {
            return Err(Error::WorkspaceGone { command: command.into() });
        }
        let (stdout, stderr) = log::for_command(log, command)?;
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
            .env("SOURCE_DATE_EPOCH", self.options.time.to_string())
            .envs(FIXED)
            .envs(&job.environment)
            .stdin(Stdio::null())
            .stdout(stdout)
            .stderr(stderr)
            .process_group(0)
            .kill_on_drop(true);
        let mut child =
            shell.spawn().map_err(|source| Error::Program { program: "/bin/sh".into(), source })?;
        let group = Group(child.id().and_then(|id| Pid::from_raw(id.cast_signed())));
        let status = child.wait().await?;
        drop(group); // daemons that the command left behind
        Ok(status)
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

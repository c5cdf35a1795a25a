//! Engines: where a job runs.
//!
//! An [`Engine`] takes a job and a source, and gives a directory with the results: [`host`] runs the commands on
//! this machine, [`container`] in a container of Docker's or Podman's, wherever that is. Source and results move
//! as copies; no engine assumes that what runs the commands sees this machine's files.

pub mod container;
pub mod host;
mod running;
mod workspace;

use std::path::{Path, PathBuf};
use std::pin::Pin;

use crate::{Job, OnEvent, Result, Source};

pub use workspace::Workspace;

/// What an engine's functions return: an engine is chosen at run time, and so are its futures.
pub type Working<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>>;

/// What a build gets instead of the caller's, so that `sort`, `date` and their like give everybody the same bytes.
/// UTF-8, since Erlang and Python read source files in the locale's encoding. A job may set others.
pub(crate) const FIXED: [(&str, &str); 2] = [("LC_ALL", "C.UTF-8"), ("TZ", "UTC")];

/// What holds for every job of an engine, whichever it is.
#[derive(Clone, Debug)]
pub struct EngineOptions {
    /// Where private copies and results go: an absolute path, a directory of this user's, created when missing.
    pub scratch: PathBuf,
    /// The time that packages carry, in Unix seconds: commands get it as `SOURCE_DATE_EPOCH`, unless the job
    /// sets another (<https://reproducible-builds.org/specs/source-date-epoch/>).
    pub time: u32,
    /// Keeps what a failed job left: its private copy, or its container as an image.
    pub keep_failed: bool,
}

/// Runs jobs.
pub trait Engine: Send + Sync {
    /// Its name, for messages only.
    fn name(&self) -> &'static str;

    /// Fails early, saying the fix, when the engine cannot run anything; removes what killed runs left behind.
    fn check(&self) -> Working<'_, ()>;

    /// Runs `job` on `source` and returns the directory that holds its results.
    ///
    /// Everything the commands print goes to `log`, which is replaced. What was started is ended when the future
    /// is dropped.
    ///
    /// # Errors
    /// [`Error::Command`](crate::Error::Command) when a command fails; others when it could not be run at all.
    fn run<'a>(
        &'a self,
        job: &'a Job,
        source: &'a Source,
        log: &'a Path,
        on_event: OnEvent<'a>,
    ) -> Working<'a, Workspace>;
}

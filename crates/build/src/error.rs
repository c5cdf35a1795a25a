//! Why a build did not happen.

use std::path::PathBuf;
use std::process::ExitStatus;

/// Why a build failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file could not be read or written; the source names it.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// A program could not be started.
    #[error("cannot run `{program}`")]
    Program {
        /// The program.
        program: String,
        /// Why.
        source: std::io::Error,
    },
    /// Git refused.
    #[error("`git {command}` failed: {message}")]
    Git {
        /// Its arguments.
        command: String,
        /// What it said.
        message: String,
    },
    /// The directory for builds belongs to somebody else.
    #[error("`{}` is not a directory that only this user can write to", .path.display())]
    UnsafeScratch {
        /// The directory.
        path: PathBuf,
    },
    /// A command of the build removed the directory that the build runs in.
    #[error("the build removed the directory it runs in; not run: {command}")]
    WorkspaceGone {
        /// The command that came next.
        command: String,
    },
    /// A command of the build failed.
    #[error("command {number} of {total} failed with {}: {command}", describe(.status))]
    Command {
        /// Which one, from 1.
        number: usize,
        /// Of how many.
        total: usize,
        /// As the project wrote it.
        command: String,
        /// How it ended.
        status: ExitStatus,
        /// The last lines it printed.
        tail: Vec<String>,
        /// Everything it printed.
        log: PathBuf,
        /// The private copy, when it was kept.
        kept: Option<PathBuf>,
    },
}

impl Error {
    /// How to fix it, where that is known.
    pub fn help(&self) -> Option<String> {
        match self {
            Error::Program { program, .. } => Some(format!("install `{program}`, or put it on PATH")),
            Error::UnsafeScratch { path } => {
                Some(format!("remove {}, or set TMPDIR to a directory of your own", path.display()))
            }
            _ => None,
        }
    }
}

fn describe(status: &ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt as _;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "an unknown status".into(),
    }
}

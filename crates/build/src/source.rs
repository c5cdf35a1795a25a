//! A project's source: which files belong to it, and what Git knows of them.
//!
//! Git is asked by running `git` with the user's and the system's configuration switched off where it could
//! run programs (`core.fsmonitor`, hooks): a checked-out tree is input, not code.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use fs_err as fs;
use serde::Serialize;

use crate::{Error, Result};

/// The directory that holds what earlier builds left; never part of the source.
const OUTPUT: &str = "pkg";

/// The working tree of a project.
#[derive(Clone, Debug)]
pub struct Source {
    root: PathBuf,
    in_git: bool,
}

/// The commit a source was checked out from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Revision {
    /// The whole object name.
    pub commit: String,
    /// As `git rev-parse --short` writes it.
    pub short: String,
    /// When it was committed, in Unix seconds.
    pub time: i64,
    /// The checked-out branch; `None` on a detached HEAD.
    pub branch: Option<String>,
    /// The newest tag that the commit holds.
    pub tag: Option<String>,
    /// The project's files differ from the commit's.
    pub is_dirty: bool,
}

impl Source {
    /// The working tree below `root`, an absolute path.
    ///
    /// # Errors
    /// When Git is there and refuses to look at a repository (`safe.directory`).
    pub fn open(root: &Path) -> Result<Source> {
        let mut source = Source { root: root.into(), in_git: false };
        let inside = root.ancestors().any(|directory| directory.join(".git").exists());
        if inside {
            // Fails where `root` is itself ignored, as a scratch directory inside a checkout is.
            source.git(&["rev-parse", "--git-dir"])?;
            source.in_git =
                source.git_succeeds(&["check-ignore", "--quiet", "."]).is_ok_and(|ignored| !ignored);
        }
        Ok(source)
    }

    /// The commit that is checked out; `None` outside Git and before the first commit.
    ///
    /// # Errors
    /// When Git fails for another reason.
    pub fn revision(&self) -> Result<Option<Revision>> {
        if !self.in_git || !self.git_succeeds(&["rev-parse", "--verify", "--quiet", "HEAD"])? {
            return Ok(None);
        }
        let head = self.git_line(&["log", "-1", "--format=%H %ct", "HEAD"])?;
        let (commit, time) = head.split_once(' ').unwrap_or((&head, "0"));
        let branch = self.git_line(&["symbolic-ref", "--short", "--quiet", "HEAD"]).ok();
        let tag = self.git_line(&["describe", "--tags", "--abbrev=0"]).ok();
        let changed = self.git(&["status", "--porcelain", "-z", "--", ".", ":(exclude)pkg"])?;
        Ok(Some(Revision {
            commit: commit.into(),
            short: self.git_line(&["rev-parse", "--short=7", "HEAD"])?,
            time: time.parse().unwrap_or(0),
            branch,
            tag,
            is_dirty: !changed.is_empty(),
        }))
    }

    /// Copies the source to `destination`, a directory that exists: files with modes and times, symbolic
    /// links as links.
    ///
    /// # Errors
    /// When a file cannot be read or written.
    pub fn copy_to(&self, destination: &Path) -> Result<()> {
        if self.in_git {
            for path in self.git_files(&self.root)? {
                copy(&self.root.join(&path), &destination.join(&path))?;
            }
        } else {
            for item in fs::read_dir(&self.root)? {
                let item = item?;
                if item.file_name() != OUTPUT {
                    copy_all(&item.path(), &destination.join(item.file_name()))?;
                }
            }
        }
        Ok(())
    }

    /// What Git tracks below `directory` plus what it does not ignore, relative to it; submodules too.
    fn git_files(&self, directory: &Path) -> Result<Vec<PathBuf>> {
        let list =
            ["ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate", "--", "."];
        let listing = run_git(directory, &list)?;
        let mut files = Vec::new();
        for name in listing.split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
            let path = PathBuf::from(OsStr::from_bytes(name));
            if path.starts_with(OUTPUT) {
                continue;
            }
            let Ok(metadata) = fs::symlink_metadata(directory.join(&path)) else {
                continue; // deleted in the working tree, not yet in the index
            };
            if metadata.is_dir() {
                let below = self.git_files(&directory.join(&path))?;
                files.extend(below.into_iter().map(|file| path.join(file)));
            } else {
                files.push(path);
            }
        }
        Ok(files)
    }

    fn git(&self, arguments: &[&str]) -> Result<Vec<u8>> {
        run_git(&self.root, arguments)
    }

    fn git_line(&self, arguments: &[&str]) -> Result<String> {
        Ok(String::from_utf8_lossy(&self.git(arguments)?).trim_end().to_owned())
    }

    fn git_succeeds(&self, arguments: &[&str]) -> Result<bool> {
        let output = git_command(&self.root, arguments).output().map_err(no_git)?;
        Ok(output.status.success())
    }
}

fn git_command(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("git");
    command
        .current_dir(directory)
        .args(["-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null"])
        .args(arguments)
        .env("LC_ALL", "C")
        .env("GIT_OPTIONAL_LOCKS", "0")
        // What signs is no business of Git's (packhouse's `environment.rs` names them).
        .env_remove("PACKHOUSE_SIGNING_KEY")
        .env_remove("PACKHOUSE_SIGNING_PASSPHRASE")
        // Set inside hooks and `git rebase --exec`; they would point us at another repository.
        .env_remove("GIT_DIR")
        .env_remove("GIT_WORK_TREE")
        .env_remove("GIT_INDEX_FILE");
    command
}

fn run_git(directory: &Path, arguments: &[&str]) -> Result<Vec<u8>> {
    let output = git_command(directory, arguments).output().map_err(no_git)?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let message = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(Error::Git { command: arguments.join(" "), message })
}

fn no_git(source: io::Error) -> Error {
    Error::Program { program: "git".into(), source }
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    if let Some(parent) = to.parent() {
        fs::create_dir_all(parent)?;
    }
    let metadata = fs::symlink_metadata(from)?;
    if metadata.is_symlink() {
        fs::os::unix::fs::symlink(fs::read_link(from)?, to)?;
    } else if metadata.is_file() {
        fs::copy(from, to)?;
        // Compilers that compare times (cargo, make) then see a copy as old as the original.
        let file = fs::OpenOptions::new().write(true).open(to).or_else(|_| fs::File::open(to))?;
        file.set_modified(metadata.modified()?)?;
    }
    Ok(())
}

fn copy_all(from: &Path, to: &Path) -> Result<()> {
    if !fs::symlink_metadata(from)?.is_dir() {
        return copy(from, to);
    }
    fs::create_dir_all(to)?;
    for item in fs::read_dir(from)? {
        let item = item?;
        copy_all(&item.path(), &to.join(item.file_name()))?;
    }
    Ok(())
}

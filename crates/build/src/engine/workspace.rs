//! The directory that a job's results lie in: locked against other runs of the same job, removed when dropped.

use std::fs::TryLockError;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use fs_err as fs;

use crate::{Error, Event, Job, OnEvent, Result};

/// How often a run looks whether another one has finished the same job.
const LOCK_INTERVAL: Duration = Duration::from_millis(200);

/// The result of a job: a directory with what its commands made. Removed when dropped.
#[derive(Debug)]
pub struct Workspace {
    path: PathBuf,
    keep: bool,
    /// Held, and so locked, as long as the directory is in use.
    _lock: fs::File,
}

impl Workspace {
    /// An empty directory for the job below `scratch`, locked against other runs.
    pub(crate) async fn new(scratch: &Path, job: &Job, on_event: OnEvent<'_>) -> Result<Workspace> {
        own_directory(scratch)?;
        let path = scratch.join(job.directory_name());
        // Not `with_extension`: a project's name may have a dot, and its jobs would share one lock.
        let lock = fs::File::create(scratch.join(format!("{}.lock", job.directory_name())))?;
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

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Leaves the directory in place.
    pub(crate) fn keep(&mut self) {
        self.keep = true;
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

//! Files that are not finished yet.
//!
//! They lie in the site's private directory, on the same file system as what they will become, and each is
//! locked (`flock(2)`) by its writer as long as that lives. So an unlocked one is a dead publisher's and may
//! be removed: no ages to guess, no process numbers to compare, which mean nothing on a shared disk.

use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use fs_err::File;
use fs_err::os::unix::fs::OpenOptionsExt as _;
use rustix::fs::{FlockOperation, OFlags};

const SUFFIX: &str = ".unfinished";

/// An unfinished file; removed when dropped, unless it was moved away.
pub(super) struct Temporary {
    file: File,
    path: PathBuf,
    moved: bool,
}

impl Temporary {
    /// Makes an empty file in `directory`, which must exist.
    pub(super) fn new(directory: &Path) -> io::Result<Temporary> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        loop {
            let count = COUNT.fetch_add(1, Ordering::Relaxed);
            let path = directory.join(format!("{}-{count}{SUFFIX}", std::process::id()));
            let mut options = fs_err::OpenOptions::new();
            options.write(true).create_new(true).mode(0o600);
            let file = match options.open(&path) {
                // Another machine's process with the same number, or a dead one's leftover.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                other => other?,
            };
            rustix::fs::flock(file.file(), FlockOperation::LockExclusive)?;
            // Between the two calls `remove_leftovers` may have taken it for a dead publisher's.
            if file.metadata()?.nlink() == 0 {
                continue;
            }
            return Ok(Temporary { file, path, moved: false });
        }
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)
    }

    /// Makes the bytes durable and the file readable by everyone, whatever the umask is.
    fn finish(&mut self) -> io::Result<()> {
        self.file.set_permissions(PermissionsExt::from_mode(0o644))?;
        self.file.sync_all()
    }

    /// Gives the file the name `to`, if nothing has it; else the error's kind is `AlreadyExists`.
    ///
    /// `link(2)` and not `rename(2)`, because a rename would replace what another publisher made meanwhile.
    pub(super) fn link(mut self, to: &Path) -> io::Result<()> {
        self.finish()?;
        fs_err::hard_link(&self.path, to)
        // Dropping removes the first name.
    }

    /// Gives the file the name `to`, replacing what has it.
    pub(super) fn rename(mut self, to: &Path) -> io::Result<()> {
        self.finish()?;
        fs_err::rename(&self.path, to)?;
        self.moved = true;
        Ok(())
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.moved {
            // If this fails, the next publisher removes it.
            let _ = fs_err::remove_file(&self.path);
        }
    }
}

/// Removes the unfinished files in `directory` that no live publisher is writing, and returns how many.
pub(super) fn remove_leftovers(directory: &Path) -> io::Result<usize> {
    let entries = match fs_err::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        other => other?,
    };
    let mut removed = 0;
    for entry in entries {
        let path = entry?.path();
        if !path.as_os_str().as_encoded_bytes().ends_with(SUFFIX.as_bytes()) {
            continue;
        }
        let mut options = fs_err::OpenOptions::new();
        // Locking over NFS needs a file that is open for writing.
        options.write(true).custom_flags(OFlags::NOFOLLOW.union(OFlags::NONBLOCK).bits().cast_signed());
        let file = match options.open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            other => other?,
        };
        match rustix::fs::flock(file.file(), FlockOperation::NonBlockingLockExclusive) {
            Err(rustix::io::Errno::WOULDBLOCK) => continue,
            other => other?,
        }
        match fs_err::remove_file(&path) {
            Ok(()) => removed += 1,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(removed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_live_publishers_unfinished_file_is_left_alone_and_a_dead_ones_removed() {
        let directory = tempfile::tempdir().unwrap();
        let live = Temporary::new(directory.path()).unwrap();
        let dead = directory.path().join(format!("1-0{SUFFIX}"));
        fs_err::write(&dead, "half").unwrap();
        fs_err::write(directory.path().join("lock"), "").unwrap();
        remove_leftovers(directory.path()).unwrap();
        assert!(live.path.exists());
        assert!(!dead.exists());
        assert!(directory.path().join("lock").exists());
        drop(live);
        assert_eq!(fs_err::read_dir(directory.path()).unwrap().count(), 1);
    }
}

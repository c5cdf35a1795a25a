//! Bytes that must not be shown, and files that hold them.

use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use fs_err::os::unix::fs::OpenOptionsExt as _;

use zeroize::Zeroizing;

use crate::error::{Error, KeyFileProblem};
use crate::policy;

/// A pass phrase or a secret key: wiped from memory when dropped, never shown.
///
/// It has neither `Debug` nor `Display`, so that no log line and no error can hold one by accident.
#[derive(Clone)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes over a `String` or a `Vec<u8>` without copying it.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Secret(Zeroizing::new(bytes.into()))
    }

    pub(crate) fn from_zeroizing(bytes: Zeroizing<Vec<u8>>) -> Self {
        Secret(bytes)
    }

    /// An empty one that holds up to `length` bytes, and never moves them.
    pub fn with_room(length: usize) -> Self {
        Secret(Zeroizing::new(Vec::with_capacity(length)))
    }

    /// Adds a byte; false when there is no room for it.
    pub fn push(&mut self, byte: u8) -> bool {
        let has_room = self.0.len() < self.0.capacity();
        if has_room {
            self.0.push(byte);
        }
        has_room
    }

    /// Takes off the last character, as a backspace does.
    pub fn pop_character(&mut self) {
        while self.0.pop().is_some_and(|byte| byte & 0xC0 == 0x80) {}
    }

    /// Takes off everything.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// The bytes themselves, for the one place that needs them.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// Reads a secret from a file that only its owner can read, for a secret key as it is.
    ///
    /// Asked of the file, as ssh asks it of its keys: a regular file of the user we run as, not readable or
    /// writable by anyone else, in a directory where nobody else can replace it. A symbolic link is followed
    /// (Kubernetes mounts secrets behind links) when it is the user's or root's own.
    ///
    /// # Errors
    /// [`Error::KeyFile`] when the file breaks one of these, [`Error::Io`] when it cannot be read.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let refuse = |problem| Error::KeyFile { path: path.to_owned(), problem };
        let user = rustix::process::geteuid().as_raw();

        let link = fs_err::symlink_metadata(path)?;
        if link.is_symlink() && link.uid() != user && link.uid() != 0 {
            return Err(refuse(KeyFileProblem::OtherOwner));
        }
        let directory = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        // World-writable without the sticky bit of /tmp: anyone may put another file in its place.
        if fs_err::metadata(directory)?.mode() & 0o1002 == 0o002 {
            return Err(refuse(KeyFileProblem::OpenDirectory));
        }

        // O_NONBLOCK: opening a named pipe must not wait for its writer. What was opened is what is asked,
        // never the path again, which may have been replaced meanwhile.
        let nonblocking = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
        let file = fs_err::OpenOptions::new().read(true).custom_flags(nonblocking).open(path)?;
        let status = file.metadata()?;
        if !status.is_file() {
            return Err(refuse(KeyFileProblem::NotAFile));
        }
        if status.uid() != user && status.uid() != 0 {
            return Err(refuse(KeyFileProblem::OtherOwner));
        }
        if status.mode() & 0o077 != 0 {
            return Err(refuse(KeyFileProblem::OpenToOthers { mode: status.mode() & 0o7777 }));
        }
        // Room for the whole file at once: a growing Vec would leave copies behind that nobody wipes.
        let limit = policy::MAX_KEY_BYTES;
        let mut bytes =
            Zeroizing::new(Vec::with_capacity(usize::try_from(status.len()).unwrap_or(limit).min(limit) + 1));
        file.take(limit as u64 + 1).read_to_end(&mut bytes)?;
        if bytes.len() > limit {
            return Err(refuse(KeyFileProblem::TooLarge));
        }
        Ok(Secret(bytes))
    }

    /// Reads a pass phrase from a file: as [`Secret::read`], without the line break at its end.
    ///
    /// # Errors
    /// As [`Secret::read`].
    pub fn read_passphrase(path: &Path) -> Result<Self, Error> {
        let mut secret = Secret::read(path)?;
        if secret.0.ends_with(b"\n") {
            secret.0.pop();
        }
        if secret.0.ends_with(b"\r") {
            secret.0.pop();
        }
        Ok(secret)
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Secret::new(text)
    }
}

impl From<Vec<u8>> for Secret {
    fn from(bytes: Vec<u8>) -> Self {
        Secret::new(bytes)
    }
}

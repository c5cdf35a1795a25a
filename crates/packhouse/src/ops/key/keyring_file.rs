//! The keyring's file: found, read, and written anew as a whole.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use fs_err as fs;
use fs_err::os::unix::fs::OpenOptionsExt as _;
use packhouse_project::{PROJECT_FILE, Project};
use packhouse_sign::{Keyring, KeyringForm};

use crate::environment::Environment;
use crate::ops::{Event, OnEvent, UsageError, find_project, manifest};

/// The keyring that a command is about.
#[derive(Clone, Debug, Default)]
pub struct Ring {
    /// The project, or a directory in it.
    pub project: Option<PathBuf>,
    /// Another file than the project's keyring.
    pub named: Option<PathBuf>,
}

impl Ring {
    /// Where the keyring is, or will be.
    ///
    /// # Errors
    /// When no file is named and there is no project here.
    pub fn path(&self, environment: &Environment) -> Result<PathBuf> {
        if let Some(path) = &self.named {
            return Ok(environment.current_directory.join(path));
        }
        let root = find_project(self.project.as_deref(), environment)?;
        if !root.join(PROJECT_FILE).is_file() {
            let message = format!("there is no project in {}", root.display());
            return Err(
                UsageError::new(message, "name a keyring with --keyring, or a project with -C").into()
            );
        }
        Ok(Project::open(&root)?.keyring_path())
    }

    /// The keyring and its file, which must be there.
    pub(super) fn read(&self, environment: &Environment, on_event: OnEvent<'_>) -> Result<RingFile> {
        let path = self.path(environment)?;
        if !path.exists() {
            let message = format!("there is no keyring: {} is not there", path.display());
            return Err(UsageError::new(message, "`packhouse key add FILE` makes it").into());
        }
        RingFile::read(path, on_event)
    }

    /// As [`Ring::read`], or an empty one where there is none.
    pub(super) fn read_or_new(&self, environment: &Environment, on_event: OnEvent<'_>) -> Result<RingFile> {
        let path = self.path(environment)?;
        if path.exists() {
            return RingFile::read(path, on_event);
        }
        let form = form_of_name(&path);
        Ok(RingFile { path, form, keyring: Keyring::default() })
    }
}

/// A keyring that was read from a file.
pub(super) struct RingFile {
    pub(super) path: PathBuf,
    /// As it was found.
    pub(super) form: KeyringForm,
    pub(super) keyring: Keyring,
}

/// apt takes an armored keyring only under a name that ends with `.asc`, and a binary one only under another.
fn form_of_name(path: &Path) -> KeyringForm {
    match path.extension() {
        Some(extension) if extension == "asc" => KeyringForm::Armored,
        _ => KeyringForm::Binary,
    }
}

impl RingFile {
    fn read(path: PathBuf, on_event: OnEvent<'_>) -> Result<RingFile> {
        let keyring = super::super::signer::read_keyring(&path, on_event)?;
        let mut start = Vec::new();
        fs::File::open(&path)?.take(64).read_to_end(&mut start)?;
        Ok(RingFile { form: KeyringForm::of(&start), path, keyring })
    }

    /// Writes the keyring in the place of what is there, whole or not at all, readable by all: apt reads it as
    /// another user (`_apt`).
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn write(&self, on_event: OnEvent<'_>) -> Result<()> {
        let form = form_of_name(&self.path);
        let bytes = match form {
            KeyringForm::Armored => self.keyring.to_armored().into_bytes(),
            _ => self.keyring.to_binary(),
        };
        let words = |form| match form {
            KeyringForm::Keybox => "a GnuPG keybox, which sqv, rpm and newer apt cannot read",
            KeyringForm::Armored => "ASCII-armored",
            KeyringForm::Binary => "binary",
        };
        if self.form != form {
            let message =
                format!("{} was {}; it is {} now", self.path.display(), words(self.form), words(form));
            on_event(Event::Notice { message });
        }
        if !self.keyring.passed_over().is_empty() {
            let left_out = self.keyring.passed_over().join("; ");
            on_event(Event::Notice { message: format!("{}: left out {left_out}", self.path.display()) });
        }
        replace(&self.path, &bytes)
    }
}

/// Puts a file for everybody to read in the place of what is there. A link is followed to what it names.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    let path = &fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    let unfinished = manifest::unfinished(path);
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o644).open(&unfinished)?;
    let written = file
        .write_all(bytes)
        .and_then(|()| file.set_permissions(std::fs::Permissions::from_mode(0o644)))
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::rename(&unfinished, path));
    if written.is_err() {
        let _ = fs::remove_file(&unfinished);
    }
    written.with_context(|| format!("{} was not changed", path.display()))
}

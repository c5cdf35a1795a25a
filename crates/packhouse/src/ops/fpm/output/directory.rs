//! The output `dir`: the files as they would be installed, below a directory.

use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, SystemTime};

use fs_err as fs;
use packhouse_package::{Content, Entry, Kind, PackagePath};

use super::super::draft::Draft;
use super::super::log::Result;
use super::super::name::Tokens;
use super::{Context, Output};

pub(super) struct Directory {
    draft: Draft,
    full_version: String,
}

impl Directory {
    pub(super) fn new(draft: Draft) -> Directory {
        Directory { full_version: draft.full_version(), draft }
    }
}

impl Output for Directory {
    fn tokens(&self) -> Tokens<'_> {
        super::tokens(&self.draft, "dir", &self.full_version)
    }

    fn write(mut self: Box<Self>, path: &Path, _shown: &str, _context: &Context<'_>) -> Result<()> {
        let mut files = std::mem::take(&mut self.draft.files);
        super::archive::put_scripts(&mut files, &self.draft)?;
        files.complete();
        fs::create_dir_all(path)?;
        let mut directories: Vec<(&PackagePath, &Entry)> = Vec::new();
        for (relative, entry) in files.iter() {
            let to = path.join(std::ffi::OsStr::from_bytes(relative.as_bytes()));
            match &entry.kind {
                Kind::Directory => {
                    fs::create_dir_all(&to)?;
                    directories.push((relative, entry));
                }
                Kind::Symlink { target } => {
                    let _ = fs::remove_file(&to);
                    fs::os::unix::fs::symlink(std::ffi::OsStr::from_bytes(target), &to)?;
                }
                Kind::File { content, .. } => {
                    // A link in the file's place is not followed.
                    let _ = fs::remove_file(&to);
                    match content {
                        Content::Path(from) => drop(fs::copy(from, &to)?),
                        Content::Bytes(bytes) => fs::write(&to, bytes)?,
                    }
                    if let Some(modified) = entry.inherited.modified {
                        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(modified.as_unix().into());
                        fs::OpenOptions::new().write(true).open(&to)?.file().set_modified(time)?;
                    }
                    set_mode(&to, entry.mode)?;
                }
                Kind::Ghost => {}
            }
        }
        // Last, so that one that nobody may write to can be filled.
        for (relative, entry) in directories.into_iter().rev() {
            set_mode(&path.join(std::ffi::OsStr::from_bytes(relative.as_bytes())), entry.mode)?;
        }
        Ok(())
    }
}

fn set_mode(path: &Path, mode: u16) -> Result<()> {
    Ok(fs::set_permissions(path, std::fs::Permissions::from_mode(mode.into()))?)
}

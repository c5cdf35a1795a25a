//! The input `dir`: files and directories of this machine, put where the arguments say.
//!
//! fpm copies everything into a directory of its own, following rsync's rules for what a slash at the end means, and
//! packages that. Here the copying is done on a [`FileTree`] alone; a file's bytes are read when the package is written.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::Metadata;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use fs_err as fs;
use packhouse_package::path::PathError;
use packhouse_package::{Content, Entry, FileTree, Inherited, Kind, LinkId, PackagePath, Timestamp, pattern};

use super::log::{Detail, Failure, Level, Log, Result};

/// What everything is put below, and from where.
pub(super) struct Staging<'a> {
    pub(super) tree: FileTree,
    /// Where the command runs.
    pub(super) current: &'a Path,
    /// `-C`, as given.
    pub(super) chdir: Option<&'a str>,
    pub(super) prefix: Option<&'a str>,
    pub(super) user: u32,
    pub(super) log: &'a Log<'a>,
}

impl Staging<'_> {
    /// Puts in one argument: `path`, or `source=destination`.
    pub(super) fn input(&mut self, argument: &OsStr) -> Result<()> {
        let base = self.chdir.unwrap_or(".");
        let whole = argument.as_bytes();
        let at = whole.iter().skip(1).position(|byte| *byte == b'=').map(|at| at + 1);
        // A mapping has something on both sides, unless there is a file of that very name.
        let mapping =
            at.filter(|at| at + 1 < whole.len() && !self.current.join(base).join(argument).exists());
        let (directory, source, destination) = match mapping {
            Some(at) => {
                let (origin, destination) = (&whole[..at], &whole[at + 1..]);
                let (below, source) = self.split(origin);
                let directory = if base == "." { below } else { join(base.as_bytes(), &below) };
                (directory, source, destination.to_vec())
            }
            None => (base.as_bytes().to_vec(), whole.to_vec(), b"/".to_vec()),
        };
        let destination = match self.prefix {
            Some(prefix) => join(prefix.as_bytes(), &destination),
            None => destination,
        };
        self.copy(&directory, &source, &destination)
    }

    /// Where a mapping's source is looked for, and what is taken from there: `.` for what a directory with a slash at
    /// the end holds. fpm looks from where it was called, not below `-C`, whether it is a directory.
    fn split(&self, origin: &[u8]) -> (Vec<u8>, Vec<u8>) {
        if origin.ends_with(b"/") && self.current.join(OsStr::from_bytes(origin)).is_dir() {
            return (origin.to_vec(), b".".to_vec());
        }
        let trimmed = match origin.iter().rposition(|byte| *byte != b'/') {
            Some(last) => &origin[..=last],
            None => return (b"/".to_vec(), b".".to_vec()),
        };
        match trimmed.iter().rposition(|byte| *byte == b'/') {
            Some(0) => (b"/".to_vec(), trimmed[1..].to_vec()),
            Some(slash) => (trimmed[..slash].to_vec(), trimmed[slash + 1..].to_vec()),
            None => (b".".to_vec(), trimmed.to_vec()),
        }
    }

    fn copy(&mut self, directory: &[u8], source: &[u8], destination: &[u8]) -> Result<()> {
        let shown = |path: &[u8]| String::from_utf8_lossy(path).into_owned();
        let from = self.current.join(OsStr::from_bytes(directory));
        if !from.is_dir() {
            let message = format!("Cannot chdir to '{}'. Does it exist?", shown(directory));
            return Err(Failure::Configuration(message));
        }
        let path = from.join(OsStr::from_bytes(source));
        let Ok(metadata) = fs::symlink_metadata(&path) else {
            let message =
                format!("Cannot package the path '{}', does it exist?", shown(&join(directory, source)));
            return Err(Failure::Configuration(message));
        };
        if metadata.is_dir() {
            return self.walk(&path, &metadata, &join(destination, source));
        }
        let is_into = destination.ends_with(b"/")
            || PackagePath::new(destination).map_or(true, |path| {
                self.tree.entry(&path).is_some_and(Entry::is_directory) || self.tree.has_entries_below(&path)
            });
        let target = if is_into { join(destination, source) } else { destination.to_vec() };
        self.put(&path, &metadata, &target)
    }

    /// A directory and everything below it; symbolic links are not followed.
    fn walk(&mut self, path: &Path, metadata: &Metadata, target: &[u8]) -> Result<()> {
        let at = destination(path, target)?;
        let user = self.user;
        let describe = |path: &Path, metadata: &Metadata| entry(path, metadata, user);
        let found = FileTree::described(path, at.as_ref(), &describe).map_err(|error| match error {
            packhouse_package::Error::Path { on_disk, source } => unpackaged(&on_disk, &source),
            error => error.into(),
        })?;
        if self.tree.is_empty() {
            self.tree = found;
            return at.map_or(Ok(()), |at| self.insert(at, entry(path, metadata, user)?));
        }
        if let Some(at) = at {
            self.insert(at, entry(path, metadata, user)?)?;
        }
        found.into_iter().try_for_each(|(path, entry)| self.insert(path, entry))
    }

    fn below_file(&self, file: &PackagePath) -> Failure {
        let text = "You wanted to copy a file into a directory, but that's not a directory, it's a file!";
        self.log.say(Level::Error, text, vec![("path", Detail::Text(file.to_string()))]);
        Failure::Configuration(format!("Tried to treat {file} like a directory, but it's a file!"))
    }

    fn put(&mut self, path: &Path, metadata: &Metadata, target: &[u8]) -> Result<()> {
        match destination(path, target)? {
            Some(to) => self.insert(to, entry(path, metadata, self.user)?),
            None => Ok(()),
        }
    }

    fn insert(&mut self, to: PackagePath, entry: Entry) -> Result<()> {
        if entry.is_directory() && self.tree.entry(&to).is_some_and(|there| !there.is_directory()) {
            return Err(self.below_file(&to));
        }
        self.tree.insert(to, entry).map_err(|error| match error {
            packhouse_package::Error::BelowFile { file, .. } => self.below_file(&file),
            error => Failure::Other(error.into()),
        })
    }
}

/// Where `target` is; `None` for the root itself.
fn destination(path: &Path, target: &[u8]) -> Result<Option<PackagePath>> {
    match PackagePath::new(target) {
        Ok(to) => Ok(Some(to)),
        Err(PathError::Empty) => Ok(None),
        Err(error) => Err(unpackaged(path, &error)),
    }
}

fn unpackaged(path: &Path, error: &PathError) -> Failure {
    Failure::Configuration(format!("{} cannot be packaged: {error}", path.display()))
}

/// What is at `path`, with its own mode, time and owner's numbers.
pub(super) fn entry(
    path: &Path,
    metadata: &Metadata,
    user: u32,
) -> std::result::Result<Entry, packhouse_package::Error> {
    let kind = metadata.file_type();
    let is_root = user == 0;
    let inherited = Inherited {
        modified: None,
        user: if is_root { metadata.uid() } else { user },
        group: if is_root { metadata.gid() } else { 0 },
    };
    if kind.is_symlink() {
        // Its owner is not copied.
        return Ok(Entry::symlink(fs::read_link(path)?.into_os_string().into_vec()));
    }
    // Who may not give a file away loses its set-user-id bit by copying.
    let bits = if is_root || metadata.uid() == user { 0o7777 } else { 0o1777 };
    let mode = (metadata.mode() & bits) as u16;
    if kind.is_dir() {
        return Ok(Entry { mode, inherited, ..Entry::directory() });
    }
    if !kind.is_file() {
        let what = match () {
            () if kind.is_fifo() => "a named pipe",
            () if kind.is_socket() => "a socket",
            () => "a device",
        };
        return Err(packhouse_package::Error::SpecialFile { path: path.into(), what });
    }
    let modified = Timestamp::from_unix(metadata.mtime().clamp(0, i64::from(u32::MAX)));
    let link = (metadata.nlink() > 1).then(|| LinkId { device: metadata.dev(), inode: metadata.ino() });
    let kind = Kind::File { content: Content::Path(path.into()), size: metadata.len(), link };
    Ok(Entry { kind, mode, inherited: Inherited { modified, ..inherited }, ..Entry::directory() })
}

/// Two paths with one slash between them, as Ruby's `File.join`: an absolute second one is below the first.
pub(super) fn join(a: &[u8], b: &[u8]) -> Vec<u8> {
    let end = a.iter().rposition(|byte| *byte != b'/').map_or(0, |last| last + 1);
    let start = b.iter().position(|byte| *byte != b'/').unwrap_or(b.len());
    [&a[..end], b"/", &b[start..]].concat()
}

/// Takes out what matches a pattern, with all below it: relative to the root, or to the prefix.
pub(super) fn exclude(tree: &mut FileTree, patterns: &[String], prefix: Option<&str>, log: &Log<'_>) {
    if patterns.is_empty() {
        return;
    }
    let prefix = prefix.and_then(|prefix| PackagePath::new(prefix).ok());
    let is_plain = |pattern: &&String| !pattern.contains(['*', '?', '[', '\\']);
    // Lists of thousands of files are in real use.
    let plain: BTreeSet<&[u8]> = patterns.iter().filter(is_plain).map(|pattern| pattern.as_bytes()).collect();
    let globs: Vec<&[u8]> =
        patterns.iter().filter(|pattern| !is_plain(pattern)).map(|pattern| pattern.as_bytes()).collect();
    tree.remove_matching(|path| {
        let relative = match &prefix {
            None => path.as_bytes(),
            Some(prefix) => {
                let rest = path.as_bytes().strip_prefix(prefix.as_bytes());
                match rest.and_then(|rest| rest.strip_prefix(b"/")) {
                    Some(rest) => rest,
                    None => return false,
                }
            }
        };
        let is_out = plain.contains(relative) || globs.iter().any(|glob| pattern::matches(glob, relative));
        if is_out {
            log.info(format!("Removing excluded path {path}"));
        }
        is_out
    });
}

/// The path of a directory for scratch files, checked as fpm checks it.
pub(super) fn check_workdir(given: &str, current: &Path, log: &Log<'_>) -> Result<PathBuf> {
    let path = current.join(given);
    if !path.exists() {
        log.fatal(format!("Given --workdir={given} is not a path that exists."));
        return Err(Failure::Argument(format!("The given workdir '{given}' does not exist.")));
    }
    if !path.is_dir() {
        log.fatal(format!("Given --workdir={given} must be a directory"));
        return Err(Failure::Argument(format!("The given workdir '{given}' must be a directory.")));
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_joined_as_ruby_joins_them() {
        for (a, b, joined) in
            [("/", "x", "/x"), ("a/", "/b", "a/b"), ("a", ".", "a/."), ("/", "/", "/"), ("a", "", "a/")]
        {
            assert_eq!(join(a.as_bytes(), b.as_bytes()), joined.as_bytes(), "{a} {b}");
        }
    }

    #[test]
    fn sources_are_split_as_rsync_splits_them() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("a/b")).unwrap();
        let log = Log { level: Level::Fatal, on_message: &|_| {} };
        let current = root.path();
        let staging =
            Staging { tree: FileTree::new(), current, chdir: None, prefix: None, user: 0, log: &log };
        for (origin, directory, source) in [
            ("a/", "a/", "."),
            ("a", ".", "a"),
            ("a/b", "a", "b"),
            ("a/b/", "a/b/", "."),
            ("a/nothing/", "a", "nothing"),
            ("/x", "/", "x"),
        ] {
            let split = staging.split(origin.as_bytes());
            assert_eq!(split, (directory.as_bytes().to_vec(), source.as_bytes().to_vec()), "{origin}");
        }
    }
}

//! A site in a directory of this machine.
//!
//! | promise | kept by |
//! |---|---|
//! | a name never holds half a file | written elsewhere on the file system, `fsync`, then `link(2)` or `rename(2)` |
//! | an immutable object is never replaced | `link(2)` fails when the name exists |
//! | compare-and-swap | `flock(2)` on one lock file, compare, `rename(2)`; the lock dies with its holder |
//! | what a pointer names survives a power cut if the pointer does | directories are synced before the next step |
//! | readable by the web server | files 0644, directories 0755, whatever the umask |
//!
//! A version is the digest of the bytes. That is safe because the head's generation grows, so that it never
//! has the same bytes twice.

use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use fs_err::File;
use fs_err::os::unix::fs::OpenOptionsExt as _;
use rustix::fs::{FlockOperation, OFlags};

use super::temporary::{Temporary, remove_leftovers};
use super::{Created, LIMIT, Listed, Swapped, Version};
use crate::digest::Hasher;
use crate::{Body, Error, ObjectPath, Result, Sha256, layout};

#[derive(Debug)]
pub(super) struct Directory {
    root: PathBuf,
}

impl Directory {
    pub(super) fn new(root: PathBuf) -> Directory {
        Directory { root }
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn location(&self, path: &ObjectPath) -> PathBuf {
        self.root.join(path.as_str())
    }

    fn private(&self) -> PathBuf {
        self.root.join(layout::PRIVATE_DIRECTORY)
    }

    pub(super) fn read(&self, path: &ObjectPath) -> Result<Option<(Vec<u8>, Version)>> {
        let location = self.location(path);
        let Some(file) = open(&location)? else { return Ok(None) };
        let mut bytes = Vec::new();
        file.take(LIMIT + 1).read_to_end(&mut bytes).map_err(reading(&location))?;
        if bytes.len() as u64 > LIMIT {
            return Err(Error::TooLarge { path: location, limit: LIMIT });
        }
        let version = version_of(Sha256::of(&bytes));
        Ok(Some((bytes, version)))
    }

    pub(super) fn digest(&self, path: &ObjectPath) -> Result<Option<(Sha256, u64)>> {
        let location = self.location(path);
        match open(&location)? {
            None => Ok(None),
            Some(file) => Sha256::of_reader(file).map(Some).map_err(reading(&location)),
        }
    }

    pub(super) fn create(&self, path: &ObjectPath, body: &Body, on_bytes: &dyn Fn(u64)) -> Result<Created> {
        let location = self.location(path);
        if let Some((there, _)) = self.digest(path)? {
            return self.settle(path, there, body.sha256());
        }
        self.make_parents(path)?;
        let mut unfinished = self.unfinished()?;
        let here = fill(&mut unfinished, body, on_bytes).map_err(|fault| fault.at(&location))?;
        match unfinished.link(&location) {
            Ok(()) => {}
            // Another publisher was faster; its bytes may be the same.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let there = self.digest(path)?.map_or(here, |(there, _)| there);
                return self.settle(path, there, here);
            }
            Err(error) => return Err(writing(&location)(error)),
        }
        self.sync_parents(path)?;
        Ok(Created::New)
    }

    /// Decides about an object that is there already.
    fn settle(&self, path: &ObjectPath, there: Sha256, here: Sha256) -> Result<Created> {
        if there != here {
            return Err(Error::Conflict { path: path.clone(), there, here });
        }
        // Whoever made it may have died before its name was durable, and what is published next may name it.
        self.sync_parents(path)?;
        Ok(Created::Identical)
    }

    pub(super) fn swap(&self, path: &ObjectPath, body: &Body, expected: Option<&Version>) -> Result<Swapped> {
        let location = self.location(path);
        self.make_parents(path)?;
        let _lock = self.lock()?;
        let current = self.digest(path)?.map(|(digest, _)| digest);
        if current.map(version_of).as_ref() != expected {
            return Err(Error::Changed { path: path.clone() });
        }
        if current == Some(body.sha256()) {
            self.sync_parents(path)?;
            return Ok(Swapped::Identical);
        }
        let mut unfinished = self.unfinished()?;
        let digest = fill(&mut unfinished, body, &|_| {}).map_err(|fault| fault.at(&location))?;
        unfinished.rename(&location).map_err(writing(&location))?;
        self.sync_parents(path)?;
        Ok(Swapped::Written(version_of(digest)))
    }

    pub(super) fn list(&self, prefix: &str) -> Result<Vec<Listed>> {
        let mut found = Vec::new();
        // Only the last component of a prefix may be part of a name.
        let start = prefix.rsplit_once('/').map_or("", |(directory, _)| directory);
        if start.is_empty() || ObjectPath::new(start).is_ok() {
            self.list_below(start, &mut found)?;
        }
        found.retain(|listed| listed.path.as_str().starts_with(prefix));
        found.sort();
        Ok(found)
    }

    fn list_below(&self, directory: &str, found: &mut Vec<Listed>) -> Result<()> {
        let location = self.root.join(directory);
        let entries = match fs_err::read_dir(&location) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            other => other.map_err(reading(&location))?,
        };
        for entry in entries {
            let entry = entry.map_err(reading(&location))?;
            let Some(name) = entry.file_name().to_str().map(str::to_owned) else { continue };
            let name = if directory.is_empty() { name } else { format!("{directory}/{name}") };
            // What no object can be called is somebody else's; the private directory is among it.
            let Ok(path) = ObjectPath::new(name) else { continue };
            let kind = entry.file_type().map_err(reading(&location))?;
            if kind.is_dir() {
                self.list_below(path.as_str(), found)?;
            } else if kind.is_file() {
                let size = match entry.metadata() {
                    Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                    other => other.map_err(reading(&location))?.len(),
                };
                found.push(Listed { path, size });
            }
        }
        Ok(())
    }

    pub(super) fn delete(&self, path: &ObjectPath) -> Result<()> {
        let location = self.location(path);
        match fs_err::remove_file(&location) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other.map_err(writing(&location)),
        }
    }

    /// Reads what was just written.
    pub(super) fn read_back(&self, path: &ObjectPath, expected: Sha256) -> Result<()> {
        let found = self.digest(path)?.map_or(Sha256::of(b""), |(found, _)| found);
        match found == expected {
            true => Ok(()),
            false => Err(Error::ReadBack { path: path.clone(), expected, found }),
        }
    }

    pub(super) fn clean_up(&self) -> Result<usize> {
        let private = self.private();
        remove_leftovers(&private).map_err(writing(&private))
    }

    fn unfinished(&self) -> Result<Temporary> {
        let private = self.private();
        self.make_directory(&private)?;
        Temporary::new(&private).map_err(writing(&private))
    }

    /// Waits for the site's lock, which is held until the file is closed.
    fn lock(&self) -> Result<File> {
        let private = self.private();
        self.make_directory(&private)?;
        let path = private.join("lock");
        let mut options = fs_err::OpenOptions::new();
        // Not truncated, and open for writing because locking over NFS needs it.
        options.write(true).create(true).truncate(false).mode(0o644);
        options.custom_flags(OFlags::NOFOLLOW.bits().cast_signed());
        let file = options.open(&path).map_err(writing(&path))?;
        loop {
            match rustix::fs::flock(file.file(), FlockOperation::LockExclusive) {
                Err(rustix::io::Errno::INTR) => {}
                other => {
                    other.map_err(io::Error::from).map_err(writing(&path))?;
                    return Ok(file);
                }
            }
        }
    }

    fn make_parents(&self, path: &ObjectPath) -> Result<()> {
        let location = self.location(path);
        self.make_directory(location.parent().unwrap_or(&self.root))
    }

    /// Makes `directory` and what is missing above it.
    fn make_directory(&self, directory: &Path) -> Result<()> {
        if directory.is_dir() {
            return Ok(());
        }
        if let Some(parent) = directory.parent() {
            self.make_directory(parent)?;
        }
        match fs_err::create_dir(directory) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
            Err(error) => return Err(writing(directory)(error)),
        }
        if directory.starts_with(&self.root) {
            fs_err::set_permissions(directory, PermissionsExt::from_mode(0o755))
                .map_err(writing(directory))?;
        }
        if directory == self.root {
            sync(directory.parent().unwrap_or(directory))?;
        }
        Ok(())
    }

    /// Makes the names that lead to an object durable.
    fn sync_parents(&self, path: &ObjectPath) -> Result<()> {
        let location = self.location(path);
        let parents = location.ancestors().skip(1);
        parents.take_while(|directory| directory.starts_with(&self.root)).try_for_each(sync)
    }
}

/// Why a file could not be filled.
enum Fault {
    Source(Error),
    Destination(io::Error),
}

impl Fault {
    fn at(self, location: &Path) -> Error {
        match self {
            Fault::Source(error) => error,
            Fault::Destination(error) => writing(location)(error),
        }
    }
}

/// Copies `body` into `unfinished` and returns the digest of what was copied.
fn fill(unfinished: &mut Temporary, body: &Body, on_bytes: &dyn Fn(u64)) -> Result<Sha256, Fault> {
    let (path, expected) = match body {
        Body::Bytes(bytes) => {
            unfinished.write(bytes).map_err(Fault::Destination)?;
            on_bytes(bytes.len() as u64);
            return Ok(Sha256::of(bytes));
        }
        Body::File { path, sha256 } => (path, *sha256),
    };
    let unreadable = |error| Fault::Source(reading(path)(error));
    let mut source = File::open(path).map_err(unreadable)?;
    let mut hasher = Hasher::default();
    let mut buffer = vec![0; 256 * 1024];
    loop {
        match source.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => {
                hasher.update(&buffer[..count]);
                unfinished.write(&buffer[..count]).map_err(Fault::Destination)?;
                on_bytes(count as u64);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(unreadable(error)),
        }
    }
    let (found, _) = hasher.finish();
    if found != expected {
        return Err(Fault::Source(Error::SourceChanged { path: path.clone(), expected, found }));
    }
    Ok(found)
}

/// Opens a regular file; `None` when there is none. Never waits for the writer of a pipe.
fn open(location: &Path) -> Result<Option<File>> {
    let mut options = fs_err::OpenOptions::new();
    options.read(true).custom_flags(OFlags::NONBLOCK.bits().cast_signed());
    let file = match options.open(location) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other.map_err(reading(location))?,
    };
    if !file.metadata().map_err(reading(location))?.is_file() {
        return Err(Error::NotAFile { path: location.to_path_buf() });
    }
    Ok(Some(file))
}

/// `fsync(2)` of a directory; some network file systems know no such thing and say `EINVAL`.
fn sync(directory: &Path) -> Result<()> {
    let file = File::open(directory).map_err(writing(directory))?;
    match file.sync_all() {
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
        other => other.map_err(writing(directory)),
    }
}

fn version_of(digest: Sha256) -> Version {
    Version { e_tag: Some(digest.to_string()), version: None }
}

fn reading(path: &Path) -> impl FnOnce(io::Error) -> Error + use<> {
    let path = path.to_path_buf();
    move |source| Error::Read { path, source }
}

fn writing(path: &Path) -> impl FnOnce(io::Error) -> Error + use<> {
    let path = path.to_path_buf();
    move |source| Error::Write { path, source }
}

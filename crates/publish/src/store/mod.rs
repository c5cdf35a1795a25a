//! Where a site is kept.
//!
//! [`Store`] offers what every publisher needs and every good bucket can do: read with a version, create
//! what is not there, and replace what has not changed since it was read. Today it is a [directory]; other
//! kinds of site become further backends here, and nothing above learns of them.

mod directory;
mod temporary;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::{Error, Lifetime, Object, ObjectPath, Result, Sha256};
use directory::Directory;

/// A distribution site's storage. Cloning gives another handle to the same one.
#[derive(Clone, Debug)]
pub struct Store {
    backend: Backend,
}

#[derive(Clone, Debug)]
enum Backend {
    Directory(Arc<Directory>),
}

/// Which contents a mutable object had when it was read; only good for [`Store::swap`] in the same store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version(String);

/// What [`Store::create`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Created {
    /// The object was not there and now is.
    New,
    /// The same bytes were there already; nothing was written.
    Identical,
}

/// What [`Store::swap`] did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Swapped {
    /// The object was replaced, and now has this version.
    Written(Version),
    /// It had these bytes already; nothing was written.
    Identical,
}

/// One object in a listing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Listed {
    /// Its name.
    pub path: ObjectPath,
    /// Its size in bytes.
    pub size: u64,
}

impl Store {
    /// Opens the site at `to`: a path, relative to `base`, or a `file://` URL. Nothing is read or written yet;
    /// the directory is made by the first write.
    ///
    /// # Errors
    /// [`Error::Scheme`] for a kind of site that is not supported, [`Error::FileUrl`] for a `file://` URL that
    /// names another machine or no absolute path.
    pub fn open(to: &str, base: &Path) -> Result<Store> {
        let root = match to.split_once("://") {
            // Joined to `base`, nothing would be all of it.
            None if to.is_empty() => return Err(Error::FileUrl { url: String::new() }),
            None => base.join(to),
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("file") => file_url(to, rest)?,
            Some((scheme, _)) => return Err(Error::Scheme { scheme: scheme.escape_debug().to_string() }),
        };
        Ok(Store { backend: Backend::Directory(Arc::new(Directory::new(root))) })
    }

    /// Where the site lies on this machine, if it does.
    pub fn directory(&self) -> Option<&Path> {
        match &self.backend {
            Backend::Directory(directory) => Some(directory.root()),
        }
    }

    /// Reads a small object (at most 64 MiB) and its version; `None` when it is not there.
    ///
    /// # Errors
    /// When it cannot be read or is larger.
    pub async fn read(&self, path: &ObjectPath) -> Result<Option<(Vec<u8>, Version)>> {
        let path = path.clone();
        self.blocking(move |directory| directory.read(&path)).await
    }

    /// The digest and size of an object of any size; `None` when it is not there.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn digest(&self, path: &ObjectPath) -> Result<Option<(Sha256, u64)>> {
        let path = path.clone();
        self.blocking(move |directory| directory.digest(&path)).await
    }

    /// Creates an immutable object. A reader sees all of it or nothing, also after a crash.
    ///
    /// # Errors
    /// [`Error::Conflict`] when other bytes have the name, [`Error::SourceChanged`] when the file to be copied
    /// is not what it should be. Nothing is written then.
    ///
    /// # Panics
    /// When the object is mutable.
    pub async fn create(&self, object: &Object) -> Result<Created> {
        self.create_telling(object, |_| {}).await
    }

    /// As [`Store::create`]; `on_bytes` is called with the number of bytes of every piece that was copied.
    ///
    /// # Errors
    /// As [`Store::create`].
    ///
    /// # Panics
    /// When the object is mutable.
    pub async fn create_telling(
        &self,
        object: &Object,
        on_bytes: impl Fn(u64) + Send + 'static,
    ) -> Result<Created> {
        assert_eq!(object.lifetime, Lifetime::Immutable, "{} is mutable: swap it", object.path);
        let object = object.clone();
        self.blocking(move |directory| directory.create(&object.path, &object.body, &on_bytes)).await
    }

    /// Replaces a mutable object that still has the version `expected` (`None`: is still missing). A reader
    /// sees the old or the new bytes, also after a crash.
    ///
    /// # Errors
    /// [`Error::Changed`] when it has another version by now. Nothing is written then.
    ///
    /// # Panics
    /// When the object is immutable.
    pub async fn swap(&self, object: &Object, expected: Option<&Version>) -> Result<Swapped> {
        assert_eq!(object.lifetime, Lifetime::Mutable, "{} is immutable: create it", object.path);
        let (object, expected) = (object.clone(), expected.cloned());
        self.blocking(move |directory| directory.swap(&object.path, &object.body, expected.as_ref())).await
    }

    /// Every object whose name starts with `prefix`, sorted by name.
    ///
    /// # Errors
    /// When a directory cannot be read.
    pub async fn list(&self, prefix: &str) -> Result<Vec<Listed>> {
        let prefix = prefix.to_owned();
        self.blocking(move |directory| directory.list(&prefix)).await
    }

    /// Deletes an object; one that is not there is fine. Whoever calls this has made sure that nothing names
    /// it any more.
    ///
    /// # Errors
    /// When it cannot be deleted.
    pub async fn delete(&self, path: &ObjectPath) -> Result<()> {
        let path = path.clone();
        self.blocking(move |directory| directory.delete(&path)).await
    }

    /// Removes what killed publishers left unfinished; what a live one is writing is left alone.
    ///
    /// # Errors
    /// When the leftovers cannot be read or removed.
    pub async fn clean_up(&self) -> Result<()> {
        self.blocking(|directory| directory.clean_up()).await
    }

    /// A local file that holds the object, for programs and libraries that verify files.
    pub(crate) fn local_file(&self, path: &ObjectPath) -> PathBuf {
        match &self.backend {
            Backend::Directory(directory) => directory.location(path),
        }
    }

    /// Runs file work on a thread where it may block.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Directory) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let Backend::Directory(directory) = &self.backend;
        let directory = Arc::clone(directory);
        match tokio::task::spawn_blocking(move || work(&directory)).await {
            Ok(result) => result,
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => Err(Error::Stopped),
        }
    }
}

/// The path of a `file://` URL (RFC 8089): no host or `localhost`, percent-encoded.
fn file_url(url: &str, rest: &str) -> Result<PathBuf> {
    use std::os::unix::ffi::OsStringExt as _;
    let wrong = || Error::FileUrl { url: url.escape_debug().to_string() };
    let path = rest.strip_prefix("localhost").unwrap_or(rest);
    if !path.starts_with('/') {
        return Err(wrong());
    }
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let mut digit =
                    || rest.next().and_then(|digit| char::from(digit).to_digit(16)).ok_or_else(wrong);
                let (high, low) = (digit()?, digit()?);
                u8::try_from(high << 4 | low).map_err(|_| wrong())?
            }
            other => other,
        });
    }
    if bytes.contains(&0) {
        return Err(wrong());
    }
    Ok(PathBuf::from(std::ffi::OsString::from_vec(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(to: &str) -> Result<PathBuf> {
        Store::open(to, Path::new("/project"))
            .map(|store| store.directory().expect("a directory").to_path_buf())
    }

    #[test]
    fn a_site_is_a_path_or_a_file_url() {
        assert_eq!(open("site").unwrap(), Path::new("/project/site"));
        assert_eq!(open("/srv/site").unwrap(), Path::new("/srv/site"));
        assert_eq!(open("file:///srv/my%20site").unwrap(), Path::new("/srv/my site"));
        assert_eq!(open("FILE://localhost/srv").unwrap(), Path::new("/srv"));
    }

    #[test]
    fn other_kinds_of_site_are_named_without_the_rest_of_the_url() {
        let error = open("s3://key:secret@bucket/x").unwrap_err();
        assert_eq!(error.to_string(), "`s3://` sites cannot be published to yet");
        assert!(error.help().unwrap().contains("file:///"));
        for bad in
            ["", "file://other-host/srv", "file://relative", "file:///%zz", "file:///a%00b", "file:///%4"]
        {
            assert!(matches!(open(bad), Err(Error::FileUrl { .. })), "{bad}");
        }
    }
}

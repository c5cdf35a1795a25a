//! Where a site is kept.
//!
//! [`Store`] offers what every publisher needs and every good bucket can do: read with a version, create
//! what is not there, and replace what has not changed since it was read. It is a [directory] or a [bucket];
//! nothing above learns which. [`Access`] says how a bucket is reached.

mod access;
mod bucket;
mod cloudfront;
mod directory;
mod location;
mod temporary;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::{Body, Error, Lifetime, Object, ObjectPath, Result, Sha256};
use directory::Directory;
use location::Location;

pub use access::Access;
pub(crate) use access::install_tls;
pub use bucket::{ObjectStorage, StorageError, StorageErrorKind};
pub use cloudfront::CloudFront;

/// The most that is read into memory; a head with 80,000 packages fits.
const LIMIT: u64 = 64 << 20;

/// A distribution site's storage. Cloning gives another handle to the same one.
#[derive(Clone)]
pub struct Store {
    backend: Backend,
}

#[derive(Clone)]
enum Backend {
    Directory(Arc<Directory>),
    Bucket(Arc<bucket::Bucket>),
}

/// Which contents a mutable object had when it was read; only good for [`Store::swap`] in the same store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    e_tag: Option<String>,
    /// A generation, where storage counts.
    version: Option<String>,
}

/// What is there, compared with what should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nothing has the name.
    Missing,
    /// The same bytes.
    Identical,
    /// Other bytes, with this digest.
    Different(Sha256),
}

/// What storage makes of the conditions of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConditionalWrites {
    /// It keeps them: any number of publishers may work at once.
    Honoured,
    /// It does not.
    Ignored {
        /// What was seen.
        what: &'static str,
    },
}

/// What reading again came to.
pub(crate) enum Newer {
    /// It has the version that is known.
    Same,
    /// It is not there.
    Gone,
    /// It has this contents and version.
    Other(Vec<u8>, Version),
}

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
    /// Opens the site at `to`: a path, relative to `base`, a `file://` URL, or `s3://`, `gs://` or `az://` with a
    /// bucket and a prefix. Nothing is read or written yet; a directory is made by the first write.
    ///
    /// # Errors
    /// [`Error::Scheme`] for a kind of site that is not supported, [`Error::FileUrl`] and [`Error::BucketUrl`] for a
    /// URL that names no place, [`Error::Credentials`] and [`Error::Profile`] for access that cannot work.
    pub fn open(to: &str, base: &Path, access: &Access) -> Result<Store> {
        let backend = match Location::parse(to, base)? {
            Location::Directory(root) => Backend::Directory(Arc::new(Directory::new(root))),
            Location::Bucket(place) => Backend::Bucket(Arc::new(access.bucket(&place)?)),
        };
        Ok(Store { backend })
    }

    /// A site below `prefix` in any storage that `object_store` has: one that lives in memory, one that this crate
    /// does not know, one that a test makes fail. `name` is what it is called when something goes wrong.
    pub fn over(storage: Arc<dyn ObjectStorage>, name: &str, prefix: &str) -> Store {
        let bucket = bucket::Bucket::new(name.to_owned(), prefix.to_owned(), storage);
        Store { backend: Backend::Bucket(Arc::new(bucket)) }
    }

    /// An empty site that lives in memory and is gone with its last handle.
    pub fn in_memory() -> Store {
        Store::over(Arc::new(object_store::memory::InMemory::new()), "memory", "")
    }

    /// Where the site lies on this machine, if it does.
    pub fn directory(&self) -> Option<&Path> {
        match &self.backend {
            Backend::Directory(directory) => Some(directory.root()),
            Backend::Bucket(_) => None,
        }
    }

    /// Where it is, for people: a path, or a URL without secrets.
    pub fn name(&self) -> String {
        match &self.backend {
            Backend::Directory(directory) => directory.root().display().to_string(),
            Backend::Bucket(bucket) => bucket.url.clone(),
        }
    }

    /// Makes sure that several publishers may work here at once: that conditions of writes are honoured. A bucket
    /// is asked once and remembers.
    ///
    /// # Errors
    /// [`Error::Unconditional`] when they are not and the caller did not promise to be the [only
    /// writer](Access::single_writer); [`Error::Storage`] when the storage does not answer.
    pub async fn require_conditions(&self) -> Result<()> {
        match &self.backend {
            Backend::Directory(_) => Ok(()),
            Backend::Bucket(bucket) => bucket.require_conditions().await,
        }
    }

    /// As [`Store::require_conditions`], for whoever only wants to know. Writes to the private directory of a
    /// bucket that was not asked yet.
    ///
    /// # Errors
    /// [`Error::Storage`] when the storage does not answer.
    pub async fn conditional_writes(&self) -> Result<ConditionalWrites> {
        match &self.backend {
            Backend::Directory(_) => Ok(ConditionalWrites::Honoured),
            Backend::Bucket(bucket) => bucket.conditional_writes().await,
        }
    }

    /// Reads a small object (at most 64 MiB) and its version; `None` when it is not there.
    ///
    /// # Errors
    /// When it cannot be read or is larger.
    pub async fn read(&self, path: &ObjectPath) -> Result<Option<(Vec<u8>, Version)>> {
        match &self.backend {
            Backend::Directory(directory) => {
                let path = path.clone();
                blocking(directory, move |directory| directory.read(&path)).await
            }
            Backend::Bucket(bucket) => bucket.read(path).await,
        }
    }

    /// As [`Store::read`], without the contents when they have the version `known`.
    pub(crate) async fn read_newer(&self, path: &ObjectPath, known: Option<&Version>) -> Result<Newer> {
        if let Backend::Bucket(bucket) = &self.backend
            && let Some(known) = known
            && bucket.is_unchanged(path, known).await?
        {
            return Ok(Newer::Same);
        }
        Ok(match self.read(path).await? {
            None => Newer::Gone,
            Some((_, version)) if known == Some(&version) => Newer::Same,
            Some((bytes, version)) => Newer::Other(bytes, version),
        })
    }

    /// The digest and size of an object of any size; `None` when it is not there.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn digest(&self, path: &ObjectPath) -> Result<Option<(Sha256, u64)>> {
        match &self.backend {
            Backend::Directory(directory) => {
                let path = path.clone();
                blocking(directory, move |directory| directory.digest(&path)).await
            }
            Backend::Bucket(bucket) => bucket.digest(path).await,
        }
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
        on_bytes: impl Fn(u64) + Send + Sync + 'static,
    ) -> Result<Created> {
        assert_eq!(object.lifetime, Lifetime::Immutable, "{} is mutable: swap it", object.path);
        match &self.backend {
            Backend::Directory(directory) => {
                let object = object.clone();
                let create = move |directory: &Directory| {
                    let created = directory.create(&object.path, &object.body, &on_bytes)?;
                    if created == Created::New {
                        directory.read_back(&object.path, object.body.sha256())?;
                    }
                    Ok(created)
                };
                blocking(directory, create).await
            }
            Backend::Bucket(bucket) => bucket.create(object, &on_bytes).await,
        }
    }

    /// Replaces a mutable object that still has the version `expected` (`None`: is still missing). A reader
    /// sees the old or the new bytes, also after a crash. That it holds just these bytes already, whoever wrote them,
    /// is a success, too: an answer may have got lost.
    ///
    /// # Errors
    /// [`Error::Changed`] when it has another version by now. Nothing is written then.
    ///
    /// # Panics
    /// When the object is immutable.
    pub async fn swap(&self, object: &Object, expected: Option<&Version>) -> Result<Swapped> {
        assert_eq!(object.lifetime, Lifetime::Mutable, "{} is immutable: create it", object.path);
        match &self.backend {
            Backend::Directory(directory) => {
                let (object, expected) = (object.clone(), expected.cloned());
                let swap = move |directory: &Directory| {
                    directory.swap(&object.path, &object.body, expected.as_ref())
                };
                blocking(directory, swap).await
            }
            Backend::Bucket(bucket) => bucket.swap(object, expected).await,
        }
    }

    /// Every object whose name starts with `prefix`, sorted by name.
    ///
    /// # Errors
    /// When a directory cannot be read.
    pub async fn list(&self, prefix: &str) -> Result<Vec<Listed>> {
        match &self.backend {
            Backend::Directory(directory) => {
                let prefix = prefix.to_owned();
                blocking(directory, move |directory| directory.list(&prefix)).await
            }
            Backend::Bucket(bucket) => bucket.list(prefix).await,
        }
    }

    /// Deletes an object; one that is not there is fine. Whoever calls this has made sure that nothing names
    /// it any more.
    ///
    /// # Errors
    /// When it cannot be deleted.
    pub async fn delete(&self, path: &ObjectPath) -> Result<()> {
        match &self.backend {
            Backend::Directory(directory) => {
                let path = path.clone();
                blocking(directory, move |directory| directory.delete(&path)).await
            }
            Backend::Bucket(bucket) => bucket.delete(path).await,
        }
    }

    /// Removes what killed publishers left unfinished, and returns how many things that were; what a live one is
    /// writing is left alone. In a bucket a live one's looks like a dead one's: what is older than a day counts.
    ///
    /// # Errors
    /// When the leftovers cannot be listed or removed.
    pub async fn clean_up(&self) -> Result<usize> {
        match &self.backend {
            Backend::Directory(directory) => blocking(directory, Directory::clean_up).await,
            Backend::Bucket(bucket) => bucket.clean_up().await,
        }
    }

    /// Begins to make what [`Store::compare`] and [`Store::create`] need of files, all at once, which is quicker than
    /// one by one. Returns at once.
    pub(crate) fn announce<'a>(&self, bodies: impl IntoIterator<Item = &'a Body>) {
        if let Backend::Bucket(bucket) = &self.backend {
            bucket.announce(bodies);
        }
    }

    /// Compares what is there with `body`, without writing.
    ///
    /// # Errors
    /// When one of the two cannot be read.
    pub async fn compare(&self, path: &ObjectPath, body: &Body) -> Result<Standing> {
        match &self.backend {
            Backend::Directory(_) => Ok(match self.digest(path).await? {
                None => Standing::Missing,
                Some((there, _)) if there == body.sha256() => Standing::Identical,
                Some((there, _)) => Standing::Different(there),
            }),
            Backend::Bucket(bucket) => bucket.compare(path, body).await,
        }
    }

    /// A local file that holds the object, for programs and libraries that verify files, with its digest and size:
    /// the object itself, or a copy of it in `scratch`, an existing directory, under the object's last name.
    ///
    /// # Errors
    /// When it cannot be read, or not be copied.
    pub async fn local_file(&self, path: &ObjectPath, scratch: &Path) -> Result<Option<LocalFile>> {
        let bucket = match &self.backend {
            Backend::Directory(directory) => {
                let file = directory.location(path);
                let found = self.digest(path).await?;
                return Ok(found.map(|(sha256, size)| LocalFile { file, sha256, size, is_copy: false }));
            }
            Backend::Bucket(bucket) => bucket,
        };
        let file = scratch.join(path.file_name());
        let writing = |source| Error::Write { path: file.clone(), source };
        let mut copy = fs_err::File::create(&file).map_err(writing)?;
        let mut write = |piece: &[u8]| {
            use std::io::{Seek as _, Write as _};
            if piece.is_empty() {
                copy.set_len(0)?;
                copy.rewind()?;
            }
            copy.write_all(piece)
        };
        let found = bucket.copy_out(path, &mut write).await;
        let local = |(sha256, size)| LocalFile { file: file.clone(), sha256, size, is_copy: true };
        match found {
            Ok(Some(found)) => Ok(Some(local(found))),
            other => {
                let _ = fs_err::remove_file(&file);
                other.map(|found| found.map(local))
            }
        }
    }
}

/// An object as a file of this machine.
#[derive(Debug)]
pub struct LocalFile {
    /// The file.
    pub file: PathBuf,
    /// Its digest.
    pub sha256: Sha256,
    /// Its size in bytes.
    pub size: u64,
    is_copy: bool,
}

impl LocalFile {
    /// A copy that is being made.
    pub(crate) fn copy(file: PathBuf) -> LocalFile {
        LocalFile { file, sha256: Sha256::of(b""), size: 0, is_copy: true }
    }
}

impl Drop for LocalFile {
    fn drop(&mut self) {
        if self.is_copy {
            let _ = fs_err::remove_file(&self.file);
        }
    }
}

impl fmt::Debug for Store {
    /// Only where it is: what a bucket is reached with is nobody's business.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Store({})", self.name())
    }
}

/// Runs file work on a thread where it may block.
async fn blocking<T: Send + 'static>(
    directory: &Arc<Directory>,
    work: impl FnOnce(&Directory) -> Result<T> + Send + 'static,
) -> Result<T> {
    let directory = Arc::clone(directory);
    match tokio::task::spawn_blocking(move || work(&directory)).await {
        Ok(result) => result,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(_) => Err(Error::Stopped),
    }
}

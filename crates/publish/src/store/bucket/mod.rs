//! A site in a bucket: S3 and what speaks like it, Google Cloud Storage, Azure Blob Storage.
//!
//! | promise | kept by |
//! |---|---|
//! | a name never holds half a file | one request, or a multipart upload that shows nothing until it is completed |
//! | an immutable object is never replaced | `If-None-Match: *` (Google: generation 0) on the request that shows it |
//! | compare-and-swap | `If-Match` with the ETag that was read (Google: its generation) |
//! | what arrived is what was sent | a checksum with every S3 request, and [the ETag or the bytes](upload) afterwards |
//! | conditions are not just accepted | [a probe](probe), once for each bucket |
//!
//! Keys are checked, never re-encoded (`Path::parse`, not `Path::from`): package names hold `~` and `^`.

mod buffers;
pub(super) mod fault;
mod leftovers;
mod probe;
mod tags;
mod upload;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::{StreamExt as _, TryStreamExt as _};
use object_store::multipart::MultipartStore;
use object_store::path::Path as Key;
use object_store::{
    Attribute, Attributes, Error as Refusal, ObjectMeta, ObjectStore, ObjectStoreExt as _, PutMode,
    PutOptions, PutPayload, UpdateVersion,
};
use tokio::sync::Semaphore;

use super::{Created, LIMIT, Listed, Standing, Swapped, Version};
use crate::digest::Hasher;
use crate::{Body, Error, Lifetime, Object, ObjectPath, Result, Sha256, layout};

pub use fault::{StorageError, StorageErrorKind};
pub(super) use leftovers::S3Uploads;

/// Storage that `object_store` can speak to, including large uploads in parts.
pub trait ObjectStorage: ObjectStore + MultipartStore {}

impl<T: ObjectStore + MultipartStore> ObjectStorage for T {}

/// Makes a request that may be repeated, as often as it is worth it: `Ok(None)` when there is no such object. A
/// macro, because the request is made anew each time, and closures that are `async` do not make futures that
/// may move between threads.
macro_rules! repeating {
    ($bucket:expr, $operation:expr, $name:expr, $request:expr) => {{
        let mut attempt = 1;
        loop {
            let answer = $request.await;
            if let Some(done) = $bucket.judge($operation, $name, answer, &mut attempt).await {
                break done;
            }
        }
    }};
}
use repeating;

/// How much is under way at once, over all files, in MiB: it is held in memory.
const MEMORY: u32 = 64;

pub(super) struct Bucket {
    /// `s3://bucket/prefix`: what is shown.
    pub(super) url: String,
    /// What the keys of the site begin with, without slashes at the ends.
    pub(super) prefix: String,
    pub(super) storage: Arc<dyn ObjectStorage>,
    /// The same storage, completing a multipart upload only where no object is. Without one, large files are
    /// uploaded under another name and copied.
    pub(super) completes_if_absent: Option<Arc<dyn MultipartStore>>,
    /// The same storage, for files in one request; it wants their [`Digests`] and does not make them again.
    pub(super) files: Option<Arc<dyn ObjectStorage>>,
    /// How to find unfinished uploads, where that can be asked.
    pub(super) uploads: Option<S3Uploads>,
    /// Which server it is, for the probe's record.
    pub(super) endpoint: String,
    /// The user promises that nobody else publishes meanwhile.
    pub(super) single_writer: bool,
    /// Whether writes carry conditions; false only for a single writer on storage that ignores them.
    pub(super) conditions: AtomicBool,
    /// What must never be shown.
    pub(super) secrets: Vec<String>,
    pub(super) memory: Arc<Semaphore>,
    tags: tags::Tags,
    buffers: buffers::Buffers,
}

/// A request's extension: the digests of its body.
#[derive(Clone, Copy, Debug)]
pub(super) struct Digests {
    pub(super) sha256: Sha256,
    pub(super) md5: [u8; 16],
}

impl Bucket {
    pub(super) fn new(url: String, prefix: String, storage: Arc<dyn ObjectStorage>) -> Bucket {
        Bucket {
            endpoint: url.clone(),
            url,
            prefix,
            storage,
            completes_if_absent: None,
            files: None,
            uploads: None,
            single_writer: false,
            conditions: AtomicBool::new(true),
            secrets: Vec::new(),
            memory: Arc::new(Semaphore::new(MEMORY as usize)),
            tags: tags::Tags::default(),
            buffers: buffers::Buffers::default(),
        }
    }

    fn key(&self, name: &str) -> Result<Key> {
        let key = if self.prefix.is_empty() { name.to_owned() } else { format!("{}/{name}", self.prefix) };
        Key::parse(&key).map_err(|_| {
            let path = key.clone();
            Error::Path(crate::PathError { path, reason: "it cannot be a key in a bucket" })
        })
    }

    /// The error of an operation; `name` is what it was about.
    fn failed(&self, operation: &'static str, name: &str, refusal: &Refusal) -> Error {
        Error::Storage {
            operation,
            path: name.to_owned(),
            site: self.url.clone(),
            source: fault::explain(refusal, &self.secrets),
        }
    }

    /// Judges the answer to a request that may be repeated: what it comes to, or nothing when it is to be made
    /// once more. `attempt` counts from 1.
    async fn judge<T>(
        &self,
        operation: &'static str,
        name: &str,
        answer: Result<T, Refusal>,
        attempt: &mut u32,
    ) -> Option<Result<Option<T>>> {
        match answer {
            Ok(value) => Some(Ok(Some(value))),
            // A missing bucket is answered like a missing object, except for its name.
            Err(refusal @ Refusal::NotFound { .. })
                if fault::explain(&refusal, &[]).kind() != StorageErrorKind::NoBucket =>
            {
                Some(Ok(None))
            }
            Err(refusal) if fault::is_passing(&refusal) && *attempt < fault::TRIES => {
                fault::back_off(*attempt).await;
                *attempt += 1;
                None
            }
            Err(refusal) => Some(Err(self.failed(operation, name, &refusal))),
        }
    }

    pub(super) async fn read(&self, path: &ObjectPath) -> Result<Option<(Vec<u8>, Version)>> {
        self.read_named(path.as_str()).await
    }

    /// Whether an object still has a version. A question, and not a conditional read: of those not all servers tell
    /// "unchanged" and "gone" apart alike.
    pub(super) async fn is_unchanged(&self, path: &ObjectPath, known: &Version) -> Result<bool> {
        let meta = self.head(path.as_str()).await?;
        Ok(meta.is_some_and(|meta| version_of(&meta) == *known))
    }

    async fn read_named(&self, name: &str) -> Result<Option<(Vec<u8>, Version)>> {
        let key = self.key(name)?;
        let found = repeating!(self, "read", name, async {
            let found = self.storage.get(&key).await?;
            let meta = found.meta.clone();
            match meta.size > LIMIT {
                true => Ok((meta, None)),
                false => found.bytes().await.map(|bytes| (meta, Some(bytes))),
            }
        })?;
        let Some((meta, bytes)) = found else { return Ok(None) };
        let Some(bytes) = bytes else {
            return Err(Error::TooLarge { path: PathBuf::from(name), limit: LIMIT });
        };
        if bytes.len() as u64 != meta.size {
            return Err(self.truncated(name, meta.size, bytes.len() as u64));
        }
        Ok(Some((bytes.to_vec(), version_of(&meta))))
    }

    fn truncated(&self, name: &str, expected: u64, found: u64) -> Error {
        let refusal =
            Refusal::Generic { store: "storage", source: format!("{found} of {expected} bytes came").into() };
        self.failed("read", name, &refusal)
    }

    async fn head(&self, name: &str) -> Result<Option<ObjectMeta>> {
        let key = self.key(name)?;
        repeating!(self, "look at", name, self.storage.head(&key))
    }

    pub(super) async fn digest(&self, path: &ObjectPath) -> Result<Option<(Sha256, u64)>> {
        self.copy_out(path, &mut |_| Ok(())).await
    }

    /// Reads an object of any size and gives its bytes to `sink`, piece by piece; a connection that breaks means
    /// that it all comes again, after an empty piece.
    pub(super) async fn copy_out(
        &self,
        path: &ObjectPath,
        sink: &mut (dyn FnMut(&[u8]) -> std::io::Result<()> + Send),
    ) -> Result<Option<(Sha256, u64)>> {
        let key = self.key(path.as_str())?;
        let mut fault = None;
        let found = repeating!(self, "read", path.as_str(), async {
            if let Err(error) = sink(&[]) {
                fault = Some(error);
                return Ok(None);
            }
            let found = self.storage.get(&key).await?;
            let size = found.meta.size;
            let mut hasher = Hasher::default();
            let mut pieces = found.into_stream();
            while let Some(piece) = pieces.next().await {
                let piece = piece?;
                hasher.update(&piece);
                if let Err(error) = sink(&piece) {
                    fault = Some(error);
                    return Ok(None);
                }
            }
            Ok(Some((size, hasher.finish())))
        })?;
        if let Some(source) = fault {
            return Err(Error::Write { path: PathBuf::from(path.as_str()), source });
        }
        match found.flatten() {
            None => Ok(None),
            Some((size, (_, length))) if size != length => Err(self.truncated(path.as_str(), size, length)),
            Some((_, found)) => Ok(Some(found)),
        }
    }

    /// Compares what is there with what should be there. An ETag that is the MD5 digest of what should be there
    /// (S3's, for what it encrypts with its own keys or not at all) saves reading it; any other says nothing.
    pub(super) async fn compare(&self, path: &ObjectPath, body: &Body) -> Result<Standing> {
        let Some(meta) = self.head(path.as_str()).await? else { return Ok(Standing::Missing) };
        let expected = self.expected_tag(body).await?;
        if expected.size == meta.size && expected.is(meta.e_tag.as_deref()) {
            return Ok(Standing::Identical);
        }
        Ok(match self.digest(path).await? {
            None => Standing::Missing,
            Some((there, _)) if there == body.sha256() => Standing::Identical,
            Some((there, _)) => Standing::Different(there),
        })
    }

    /// Settles a creation that found something there, or may have been applied although the answer got lost.
    async fn settle(&self, path: &ObjectPath, body: &Body) -> Result<Option<Created>> {
        match self.compare(path, body).await? {
            Standing::Missing => Ok(None),
            Standing::Identical => Ok(Some(Created::Identical)),
            Standing::Different(there) => {
                Err(Error::Conflict { path: path.clone(), there, here: body.sha256() })
            }
        }
    }

    pub(super) async fn swap(&self, object: &Object, expected: Option<&Version>) -> Result<Swapped> {
        let path = &object.path;
        let key = self.key(path.as_str())?;
        let bytes = match &object.body {
            Body::Bytes(bytes) => bytes.clone(),
            Body::File { path, .. } => {
                fs_err::read(path).map_err(|source| Error::Read { path: path.clone(), source })?
            }
        };
        if !self.conditions.load(Ordering::Relaxed) {
            let there = self.read(path).await?;
            if there.as_ref().map(|(_, version)| version) != expected {
                return Err(Error::Changed { path: path.clone() });
            }
        }
        let mut attempt = 1;
        loop {
            let options = PutOptions { mode: self.mode(expected), ..attributes(object).into() };
            let put = self.storage.put_opts(&key, PutPayload::from(bytes.clone()), options).await;
            match put {
                Ok(done) => match (done.e_tag, done.version) {
                    (None, None) => {
                        let meta = self.head(path.as_str()).await?;
                        return Ok(Swapped::Written(version_of(
                            &meta.ok_or(Error::Changed { path: path.clone() })?,
                        )));
                    }
                    (e_tag, version) => return Ok(Swapped::Written(Version { e_tag, version })),
                },
                Err(refusal) if is_condition(&refusal) || is_gone(&refusal, expected) => {
                    // Ours, when the first answer got lost and the storage or the network made us ask again.
                    match self.read(path).await? {
                        Some((there, version)) if there == bytes => return Ok(Swapped::Written(version)),
                        None if expected.is_none() && attempt < fault::TRIES => {
                            fault::back_off(attempt).await
                        }
                        _ => return Err(Error::Changed { path: path.clone() }),
                    }
                }
                // Safe to repeat: if it was applied, the condition does not hold any more.
                Err(refusal) if fault::is_passing(&refusal) && attempt < fault::TRIES => {
                    fault::back_off(attempt).await;
                }
                Err(refusal) => return Err(self.failed("write", path.as_str(), &refusal)),
            }
            attempt += 1;
        }
    }

    fn mode(&self, expected: Option<&Version>) -> PutMode {
        match expected {
            _ if !self.conditions.load(Ordering::Relaxed) => PutMode::Overwrite,
            None => PutMode::Create,
            Some(Version { e_tag, version }) => {
                PutMode::Update(UpdateVersion { e_tag: e_tag.clone(), version: version.clone() })
            }
        }
    }

    pub(super) async fn list(&self, prefix: &str) -> Result<Vec<Listed>> {
        // Storage lists by whole components; the last one may be the beginning of a name.
        let directory = prefix.rsplit_once('/').map_or("", |(directory, _)| directory);
        if !directory.is_empty() && ObjectPath::new(directory).is_err() {
            return Ok(Vec::new());
        }
        let mut found: Vec<Listed> = Vec::new();
        for meta in self.list_named(directory).await? {
            let name = self.name(&meta);
            // What no object can be called is somebody else's; the private directory is among it.
            if let Ok(path) = ObjectPath::new(name)
                && path.as_str().starts_with(prefix)
            {
                found.push(Listed { path, size: meta.size });
            }
        }
        found.sort();
        Ok(found)
    }

    async fn list_named(&self, directory: &str) -> Result<Vec<ObjectMeta>> {
        let whole = match (self.prefix.as_str(), directory) {
            ("", "") => None,
            ("", directory) => Some(directory.to_owned()),
            (prefix, "") => Some(prefix.to_owned()),
            (prefix, directory) => Some(format!("{prefix}/{directory}")),
        };
        let whole = whole.map(Key::parse).transpose().map_err(|_| {
            Error::Path(crate::PathError { path: directory.to_owned(), reason: "it cannot be listed" })
        })?;
        let list = || self.storage.list(whole.as_ref()).try_collect::<Vec<_>>();
        Ok(repeating!(self, "list", directory, list())?.unwrap_or_default())
    }

    /// An object's name on the site.
    fn name<'a>(&self, meta: &'a ObjectMeta) -> &'a str {
        let key = meta.location.as_ref();
        match self.prefix.as_str() {
            "" => key,
            prefix => key.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('/')).unwrap_or(key),
        }
    }

    pub(super) async fn delete(&self, path: &ObjectPath) -> Result<()> {
        self.delete_named(path.as_str()).await
    }

    async fn delete_named(&self, name: &str) -> Result<()> {
        let key = self.key(name)?;
        repeating!(self, "delete", name, self.storage.delete(&key))?;
        Ok(())
    }

    /// A name in the private directory that nobody else uses.
    fn private_name(what: &str) -> String {
        let chance = crate::chance(u64::MAX);
        format!("{}/{what}-{}-{chance:016x}", layout::PRIVATE_DIRECTORY, std::process::id())
    }
}

/// What an object is stored with besides its bytes.
fn attributes(object: &Object) -> Attributes {
    // RFC 9111 and RFC 8246. A pointer may be a minute old, which is why `prune` waits longer than that.
    let caching = match object.lifetime {
        Lifetime::Immutable => "public, max-age=31536000, immutable",
        Lifetime::Mutable => "public, max-age=60, must-revalidate",
    };
    Attributes::from_iter([(Attribute::ContentType, object.media_type), (Attribute::CacheControl, caching)])
}

fn version_of(meta: &ObjectMeta) -> Version {
    Version { e_tag: meta.e_tag.clone(), version: meta.version.clone() }
}

/// Whether a condition did not hold. Google and R2 answer in other words than S3 does.
fn is_condition(refusal: &Refusal) -> bool {
    matches!(
        refusal,
        Refusal::AlreadyExists { .. } | Refusal::Precondition { .. } | Refusal::NotModified { .. }
    )
}

/// Whether what should be replaced is not there.
fn is_gone(refusal: &Refusal, expected: Option<&Version>) -> bool {
    let no_bucket = fault::explain(refusal, &[]).kind() == StorageErrorKind::NoBucket;
    expected.is_some() && matches!(refusal, Refusal::NotFound { .. }) && !no_bucket
}

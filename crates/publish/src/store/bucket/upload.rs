//! Putting an immutable object into a bucket, and making sure that it arrived.
//!
//! A small one takes one request; a large one goes in parts, some at a time, and shows when it is completed. Nothing
//! shows that does not have the digest that the object should have: the bytes that are sent are hashed while they are
//! read, and S3 is given [the digests](Digests) of a file in one request, to compare them with what arrives.
//! Afterwards the storage's ETag is compared with [the one it should give](super::tags). Where the ETag is something
//! else (encryption with a customer's key, Azure, Google's multipart uploads) the object is read back.

use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures_util::future::{BoxFuture, FutureExt as _, TryFutureExt as _};
use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path as Key;
use object_store::{
    CopyMode, CopyOptions, Error as Refusal, MultipartUpload, ObjectStore as _, PutMultipartOptions,
    PutOptions, PutPayload,
};
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::JoinSet;

use super::buffers::Buffers;
use super::tags::{SINGLE, part_size};
use super::{Bucket, Digests, attributes, fault, is_condition, repeating};
use crate::digest::Hasher;
use crate::store::Created;
use crate::{Body, Error, Object, Result, Sha256};

impl Bucket {
    pub(in crate::store) async fn create(
        &self,
        object: &Object,
        on_bytes: &(dyn Fn(u64) + Send + Sync),
    ) -> Result<Created> {
        let mut pieces = Pieces::of(&object.body, &self.buffers).await?;
        let is_large = pieces.size > SINGLE;
        // A small one is just tried. Without conditions, looking first is all there is.
        if (is_large || !self.conditions.load(Ordering::Relaxed))
            && let Some(created) = self.settle(&object.path, &object.body).await?
        {
            return Ok(created);
        }
        let put = match is_large {
            false => {
                let _permit = self.memory(pieces.size).await?;
                let Piece { payload, length } = pieces.whole().await?;
                pieces.check(object)?;
                let put = self.create_small(object, payload).await?;
                if matches!(put, Put::Written(_)) {
                    on_bytes(length);
                }
                put
            }
            true => self.create_large(object, pieces, on_bytes).await?,
        };
        let tag = match put {
            Put::Found(created) => return Ok(created),
            Put::Written(tag) => tag,
        };
        // A file that is gone by now cannot say what the tag should be.
        if !self.expected_tag(&object.body).await.is_ok_and(|expected| expected.is(tag.as_deref())) {
            self.read_back(object).await?;
        }
        Ok(Created::New)
    }

    async fn read_back(&self, object: &Object) -> Result<()> {
        let expected = object.body.sha256();
        let found = self.digest(&object.path).await?.map_or(Sha256::of(b""), |(found, _)| found);
        match found == expected {
            true => Ok(()),
            false => Err(Error::ReadBack { path: object.path.clone(), expected, found }),
        }
    }

    /// Waits until that many bytes may be held.
    async fn memory(&self, bytes: u64) -> Result<OwnedSemaphorePermit> {
        let permits = u32::try_from(bytes.div_ceil(1 << 20)).unwrap_or(u32::MAX).clamp(1, super::MEMORY);
        Arc::clone(&self.memory).acquire_many_owned(permits).await.map_err(|_| Error::Stopped)
    }

    async fn create_small(&self, object: &Object, payload: PutPayload) -> Result<Put> {
        let key = self.key(object.path.as_str())?;
        let mut storage = &self.storage;
        let mut extensions = http::Extensions::new();
        if let (Some(files), Body::File { sha256, .. }) = (&self.files, &object.body)
            && let Some(md5) = self.expected_tag(&object.body).await?.whole
        {
            extensions.insert(Digests { sha256: *sha256, md5 });
            storage = files;
        }
        let mut attempt = 1;
        loop {
            let extensions = extensions.clone();
            let options = PutOptions { mode: self.mode(None), extensions, ..attributes(object).into() };
            match storage.put_opts(&key, payload.clone(), options).await {
                Ok(done) => return Ok(Put::Written(done.e_tag)),
                Err(refusal) if is_condition(&refusal) => {
                    if let Some(created) = self.settle(&object.path, &object.body).await? {
                        return Ok(Put::Found(created));
                    }
                    // S3's 409: another one is being created at this moment, and may yet fail.
                    if attempt >= fault::TRIES {
                        return Err(self.failed("write", object.path.as_str(), &refusal));
                    }
                }
                // Safe to repeat: if it was applied, the next one finds it.
                Err(refusal) if fault::is_passing(&refusal) && attempt < fault::TRIES => {}
                Err(refusal) => return Err(self.failed("write", object.path.as_str(), &refusal)),
            }
            fault::back_off(attempt).await;
            attempt += 1;
        }
    }

    async fn create_large(
        &self,
        object: &Object,
        pieces: Pieces,
        on_bytes: &(dyn Fn(u64) + Send + Sync),
    ) -> Result<Put> {
        let conditions = self.conditions.load(Ordering::Relaxed);
        let name = object.path.as_str();
        // Without a conditional completion the upload goes to a name of its own, and is copied if absent.
        let goes_elsewhere = self.completes_if_absent.is_none() && conditions;
        let target = if goes_elsewhere { Bucket::private_name("upload") } else { name.to_owned() };
        let key = self.key(&target)?;
        let options = PutMultipartOptions::from(attributes(object));
        let way = match self.completes_if_absent.is_some() {
            true => {
                let begin = || self.storage.create_multipart_opts(&key, options.clone());
                repeating!(self, "upload", name, begin())?.map(Way::Numbered)
            }
            // Azure takes content types only at the end, which this remembers.
            false => {
                let begin = || self.storage.put_multipart_opts(&key, options.clone());
                repeating!(self, "upload", name, begin())?.map(Way::Remembered)
            }
        };
        let mut upload = Upload { key, way: way.ok_or_else(|| self.no_upload(name))? };
        let result = async {
            let parts = self.upload_parts(&mut upload, object, pieces, on_bytes).await?;
            match goes_elsewhere {
                false => self.complete(&mut upload, object, parts, conditions).await,
                true => self.complete_elsewhere(&mut upload, &target, object, parts).await,
            }
        }
        .await;
        if !matches!(result, Ok(Put::Written(_))) {
            // Best effort: what cannot be given up now is given up by a later clean-up.
            let _ = match &mut upload.way {
                Way::Numbered(id) => self.storage.abort_multipart(&upload.key, id).await,
                Way::Remembered(upload) => upload.abort().await,
            };
        }
        result
    }

    fn no_upload(&self, name: &str) -> Error {
        let refusal = Refusal::Generic { store: "storage", source: "the upload is not known there".into() };
        self.failed("upload", name, &refusal)
    }

    /// Sends the parts, [a few](super::MEMORY) at a time, and checks that they are what was announced.
    async fn upload_parts(
        &self,
        upload: &mut Upload,
        object: &Object,
        mut pieces: Pieces,
        on_bytes: &(dyn Fn(u64) + Send + Sync),
    ) -> Result<Vec<PartId>> {
        let mut running = JoinSet::new();
        let mut done = Vec::new();
        let mut count = 0;
        loop {
            let permit = self.memory(pieces.part).await?;
            let Some(Piece { payload, length }) = pieces.next().await? else { break };
            let sent = self.send(upload, count, payload);
            let index = count;
            running.spawn(async move {
                let sent = sent.await;
                drop(permit);
                sent.map(|part| (index, part, length))
            });
            count += 1;
            while let Some(finished) = running.try_join_next() {
                done.push(self.part(finished, object, on_bytes)?);
            }
        }
        pieces.check(object)?;
        while let Some(finished) = running.join_next().await {
            done.push(self.part(finished, object, on_bytes)?);
        }
        done.sort_by_key(|(index, _)| *index);
        Ok(done.into_iter().filter_map(|(_, part)| part).collect())
    }

    /// Sends a part; the future needs nothing of `self` any more.
    fn send(
        &self,
        upload: &mut Upload,
        index: usize,
        payload: PutPayload,
    ) -> BoxFuture<'static, Result<Option<PartId>, Refusal>> {
        let id = match &mut upload.way {
            Way::Numbered(id) => id.clone(),
            Way::Remembered(upload) => return upload.put_part(payload).map_ok(|()| None).boxed(),
        };
        let (storage, key) = (Arc::clone(&self.storage), upload.key.clone());
        async move {
            let mut attempt = 1;
            // A part may always be sent again: the same number replaces it.
            loop {
                match storage.put_part(&key, &id, index, payload.clone()).await {
                    Err(refusal) if fault::is_passing(&refusal) && attempt < fault::TRIES => {
                        fault::back_off(attempt).await;
                        attempt += 1;
                    }
                    sent => return sent.map(Some),
                }
            }
        }
        .boxed()
    }

    fn part(
        &self,
        finished: Result<Result<SentPart, Refusal>, tokio::task::JoinError>,
        object: &Object,
        on_bytes: &(dyn Fn(u64) + Send + Sync),
    ) -> Result<(usize, Option<PartId>)> {
        match finished {
            Ok(Ok((index, part, length))) => {
                on_bytes(length);
                Ok((index, part))
            }
            Ok(Err(refusal)) => Err(self.failed("upload", object.path.as_str(), &refusal)),
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => Err(Error::Stopped),
        }
    }

    async fn complete(
        &self,
        upload: &mut Upload,
        object: &Object,
        parts: Vec<PartId>,
        conditions: bool,
    ) -> Result<Put> {
        let completed = match (&self.completes_if_absent, conditions) {
            (Some(conditional), true) => self.complete_by(&**conditional, upload, parts).await,
            _ => self.complete_by(&*self.storage, upload, parts).await,
        };
        match completed {
            Ok(tag) => Ok(Put::Written(tag)),
            // The answer of a first try that succeeded may have got lost: then the upload is gone, and it is there.
            Err(refusal) => match self.settle(&object.path, &object.body).await? {
                Some(created) => Ok(Put::Found(created)),
                None => Err(self.failed("upload", object.path.as_str(), &refusal)),
            },
        }
    }

    async fn complete_by<S: MultipartStore + ?Sized>(
        &self,
        storage: &S,
        upload: &mut Upload,
        parts: Vec<PartId>,
    ) -> Result<Option<String>, Refusal> {
        let mut attempt = 1;
        loop {
            let completed = match &mut upload.way {
                Way::Numbered(id) => storage.complete_multipart(&upload.key, id, parts.clone()).await,
                Way::Remembered(upload) => return upload.complete().await.map(|done| done.e_tag),
            };
            match completed {
                Err(refusal) if fault::is_passing(&refusal) && attempt < fault::TRIES => {
                    fault::back_off(attempt).await;
                    attempt += 1;
                }
                done => return done.map(|done| done.e_tag),
            }
        }
    }

    /// Completes an upload under its own name, and copies it to the object's if nothing is there.
    async fn complete_elsewhere(
        &self,
        upload: &mut Upload,
        target: &str,
        object: &Object,
        parts: Vec<PartId>,
    ) -> Result<Put> {
        let name = object.path.as_str();
        let key = self.key(name)?;
        let copied = async {
            if let Err(refusal) = self.complete_by(&*self.storage, upload, parts).await
                && self.head(target).await?.is_none()
            {
                return Err(self.failed("upload", name, &refusal));
            }
            let mut attempt = 1;
            loop {
                let options = CopyOptions::new().with_mode(CopyMode::Create);
                match self.storage.copy_opts(&upload.key, &key, options).await {
                    Ok(()) => return Ok(Put::Written(None)),
                    Err(refusal) if is_condition(&refusal) => {
                        let created = self.settle(&object.path, &object.body).await?;
                        return created.map(Put::Found).ok_or_else(|| self.failed("copy", name, &refusal));
                    }
                    Err(refusal) if fault::is_passing(&refusal) && attempt < fault::TRIES => {
                        fault::back_off(attempt).await;
                        attempt += 1;
                    }
                    Err(refusal) => return Err(self.failed("copy", name, &refusal)),
                }
            }
        }
        .await;
        let _ = self.delete_named(target).await;
        copied
    }
}

/// Index, identity and length of a part that was sent.
type SentPart = (usize, Option<PartId>, u64);

/// What became of an attempt to create an object.
enum Put {
    /// It is there now, with this ETag.
    Written(Option<String>),
    /// It was there.
    Found(Created),
}

/// A multipart upload under way.
struct Upload {
    key: Key,
    way: Way,
}

enum Way {
    /// By its identity, and parts by their numbers.
    Numbered(String),
    /// By a value that remembers its parts.
    Remembered(Box<dyn MultipartUpload>),
}

/// The parts of a body, read one after the other and hashed.
struct Pieces {
    source: Source,
    size: u64,
    part: u64,
    hasher: Hasher,
    buffers: Buffers,
}

/// A part.
struct Piece {
    payload: PutPayload,
    length: u64,
}

enum Source {
    Bytes(Option<Vec<u8>>),
    File(PathBuf, Arc<fs_err::File>),
}

impl Pieces {
    async fn of(body: &Body, buffers: &Buffers) -> Result<Pieces> {
        let (source, size) = match body {
            Body::Bytes(bytes) => (Source::Bytes(Some(bytes.clone())), bytes.len() as u64),
            Body::File { path, .. } => {
                let wanted = path.clone();
                let opened = blocking(move || {
                    let file = fs_err::File::open(&wanted)?;
                    let size = file.metadata()?.len();
                    Ok((file, size))
                });
                let reading = |source| Error::Read { path: path.clone(), source };
                let (file, size) = opened.await?.map_err(reading)?;
                (Source::File(path.clone(), Arc::new(file)), size)
            }
        };
        // Bytes are small by what they are for; a part of them would have no use.
        let part = if matches!(source, Source::Bytes(_)) { u64::MAX } else { part_size(size) };
        Ok(Pieces { source, size, part, hasher: Hasher::default(), buffers: buffers.clone() })
    }

    /// The next part. Hashing takes as long as sending on a good line, so that it is done where it holds nobody up, and
    /// chunk by chunk while these are in the processor's cache.
    async fn next(&mut self) -> Result<Option<Piece>> {
        let piece = match &mut self.source {
            Source::Bytes(bytes) => {
                let Some(bytes) = bytes.take() else { return Ok(None) };
                Piece { length: bytes.len() as u64, payload: PutPayload::from(bytes) }
            }
            Source::File(path, file) => {
                let (file, part, buffers) = (Arc::clone(file), self.part, self.buffers.clone());
                let mut hasher = std::mem::take(&mut self.hasher);
                let read = blocking(move || {
                    let mut rest = (&*file).take(part);
                    let (mut chunks, mut length) = (Vec::new(), 0);
                    loop {
                        let chunk = buffers.fill(&mut rest)?;
                        if chunk.is_empty() {
                            break;
                        }
                        hasher.update(&chunk);
                        length += chunk.len() as u64;
                        chunks.push(chunk);
                    }
                    Ok((Piece { payload: PutPayload::from_iter(chunks), length }, hasher))
                });
                let (piece, hasher) =
                    read.await?.map_err(|source| Error::Read { path: path.clone(), source })?;
                self.hasher = hasher;
                piece
            }
        };
        Ok(Some(piece).filter(|piece| piece.length > 0))
    }

    /// All of it at once.
    async fn whole(&mut self) -> Result<Piece> {
        let empty = Piece { payload: PutPayload::default(), length: 0 };
        Ok(self.next().await?.unwrap_or(empty))
    }

    /// Whether what was read is what the object should be.
    fn check(&mut self, object: &Object) -> Result<()> {
        let (found, _) = std::mem::take(&mut self.hasher).finish();
        match &object.body {
            Body::File { path, sha256 } if found != *sha256 => {
                Err(Error::SourceChanged { path: path.clone(), expected: *sha256, found })
            }
            _ => Ok(()),
        }
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<io::Result<T>> {
    tokio::task::spawn_blocking(work).await.map_err(|_| Error::Stopped)
}

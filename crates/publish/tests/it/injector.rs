//! Storage in memory of which every operation can wait, fail, succeed without saying so, or be the last one.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use futures_util::stream::{BoxStream, StreamExt as _};
use object_store::MultipartId;
use object_store::memory::InMemory;
use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

/// What may happen around an operation, in percent; `kill` is in per mille.
#[derive(Clone, Copy, Debug, Default)]
pub struct Weather {
    /// How often another task goes first.
    pub yields: u64,
    /// The connection breaks before the operation.
    pub breaks: u64,
    /// It breaks after the operation was done.
    pub loses_answers: u64,
    /// The publisher dies.
    pub kills: u64,
}

/// One publisher's view of shared storage.
pub struct Injector {
    storage: Arc<InMemory>,
    weather: Weather,
    random: AtomicU64,
    /// Which operation is the last, and whether it is still done.
    last: Option<(u32, bool)>,
    count: AtomicU32,
    dead: AtomicBool,
}

impl Injector {
    pub fn new(storage: Arc<InMemory>, weather: Weather, seed: u64) -> Injector {
        let random = AtomicU64::new(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        Injector {
            storage,
            weather,
            random,
            last: None,
            count: AtomicU32::new(0),
            dead: AtomicBool::new(false),
        }
    }

    /// Dies at operation number `at`, counted from 1: before it, or after it was `done`.
    pub fn dying(storage: Arc<InMemory>, at: u32, done: bool) -> Injector {
        Injector { last: Some((at, done)), ..Injector::new(storage, Weather::default(), 1) }
    }

    pub fn is_dead(&self) -> bool {
        self.dead.load(Ordering::Relaxed)
    }

    /// Xorshift: reproducible, and nobody's secrets depend on it.
    fn chance(&self, of: u64) -> u64 {
        let mut x = self.random.load(Ordering::Relaxed);
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        self.random.store(x, Ordering::Relaxed);
        x % of
    }

    async fn before(&self) -> Result<()> {
        if self.is_dead() {
            return Err(died());
        }
        while self.chance(100) < self.weather.yields {
            tokio::task::yield_now().await;
        }
        let number = self.count.fetch_add(1, Ordering::Relaxed) + 1;
        if self.last == Some((number, false)) || self.chance(1000) < self.weather.kills {
            self.dead.store(true, Ordering::Relaxed);
            return Err(died());
        }
        if self.chance(100) < self.weather.breaks { Err(broken()) } else { Ok(()) }
    }

    async fn after(&self) -> Result<()> {
        if self.last == Some((self.count.load(Ordering::Relaxed), true))
            || self.chance(1000) < self.weather.kills
        {
            self.dead.store(true, Ordering::Relaxed);
            return Err(died());
        }
        while self.chance(100) < self.weather.yields {
            tokio::task::yield_now().await;
        }
        if self.chance(100) < self.weather.loses_answers { Err(broken()) } else { Ok(()) }
    }
}

fn broken() -> Error {
    Error::Generic { store: "memory", source: io::Error::from(io::ErrorKind::ConnectionReset).into() }
}

fn died() -> Error {
    Error::Generic { store: "memory", source: "the publisher was killed".into() }
}

impl fmt::Debug for Injector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Injector")
    }
}

impl fmt::Display for Injector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Injector")
    }
}

#[async_trait::async_trait]
impl ObjectStore for Injector {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.before().await?;
        let done = self.storage.put_opts(location, payload, options).await;
        self.after().await?;
        done
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.before().await?;
        self.storage.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.before().await?;
        let done = self.storage.get_opts(location, options).await;
        self.after().await?;
        done
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        // The trait's stream outlives `self`: what happens is decided before it.
        if self.is_dead() || self.chance(1000) < self.weather.kills {
            self.dead.store(true, Ordering::Relaxed);
            return futures_util::stream::once(async { Err(died()) }).boxed();
        }
        let number = self.count.fetch_add(1, Ordering::Relaxed) + 1;
        if self.last.is_some_and(|(last, _)| last == number) {
            self.dead.store(true, Ordering::Relaxed);
        }
        if self.last == Some((number, false)) {
            return futures_util::stream::once(async { Err(died()) }).boxed();
        }
        if self.chance(100) < self.weather.breaks {
            return futures_util::stream::once(async { Err(broken()) }).boxed();
        }
        self.storage.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.is_dead() {
            true => futures_util::stream::once(async { Err(died()) }).boxed(),
            false => self.storage.list(prefix),
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.before().await?;
        self.storage.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.before().await?;
        let done = self.storage.copy_opts(from, to, options).await;
        self.after().await?;
        done
    }
}

#[async_trait::async_trait]
impl MultipartStore for Injector {
    async fn create_multipart(&self, path: &Path) -> Result<MultipartId> {
        self.storage.create_multipart(path).await
    }

    async fn put_part(
        &self,
        path: &Path,
        id: &MultipartId,
        index: usize,
        payload: PutPayload,
    ) -> Result<PartId> {
        self.storage.put_part(path, id, index, payload).await
    }

    async fn complete_multipart(
        &self,
        path: &Path,
        id: &MultipartId,
        parts: Vec<PartId>,
    ) -> Result<PutResult> {
        self.storage.complete_multipart(path, id, parts).await
    }

    async fn abort_multipart(&self, path: &Path, id: &MultipartId) -> Result<()> {
        self.storage.abort_multipart(path, id).await
    }
}

//! Reads each file once, into batches that everybody who wants them looks at.
//!
//! A batch holds many small files or a part of a large one, and is used again once nobody looks at it any more:
//! memory is a handful of batches, whatever the files.

use std::ops::Range;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, Scope, ScopedJoinHandle};

use super::{Archive, Contents, Digest, Fact, Report, Written, digest};
use crate::content::{self, Opened, Opener};
use crate::{Content, Error, Result};

/// How much a batch holds, and how many may wait for each who wants them: 2 MiB. The slowest keeps the others
/// waiting, and it alone has so many before it.
pub(super) const BATCH: usize = 256 << 10;
const WAITING: usize = 8;

/// Parts of files, one behind the other.
#[derive(Debug, Default)]
pub(super) struct Batch {
    bytes: Vec<u8>,
    filled: usize,
    parts: Vec<Part>,
}

/// The next bytes of a file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    /// Whose; sources are numbered in the order of reading.
    pub(super) source: usize,
    start: usize,
    end: usize,
    /// Whether they are the file's first, and its last.
    pub(super) is_first: bool,
    pub(super) is_last: bool,
    /// The file could not be read; [`Consumer::failure`] says why.
    pub(super) has_failed: bool,
}

/// A file that somebody wants.
struct Source<'a> {
    contents: Contents<'a>,
    /// Which digests.
    digests: Vec<Digest>,
}

/// A member and its source.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    pub(super) member: usize,
    pub(super) source: usize,
}

/// Files that could not be read, and why.
type Failures = Mutex<Vec<(usize, Error)>>;

/// What is read for one archive.
pub(super) struct Consumer<'s> {
    queue: Queue,
    /// Members with content, and what is read for them.
    pub(super) wanted: &'s [Wanted],
    failures: &'s Failures,
}

/// Batches to be looked at.
pub(super) struct Queue {
    batches: Receiver<Arc<Batch>>,
    /// Where batches go to be used again.
    spare: Sender<Batch>,
}

impl Batch {
    pub(super) fn parts(&self) -> impl Iterator<Item = (Part, &[u8])> {
        self.parts.iter().map(|part| (*part, self.get(part.bytes())))
    }

    pub(super) fn get(&self, bytes: Range<usize>) -> &[u8] {
        &self.bytes[bytes]
    }
}

impl Queue {
    /// Shows every batch, until there are no more or `look` has seen enough.
    pub(super) fn each<E>(self, mut look: impl FnMut(&Batch) -> Result<(), E>) -> Result<(), E> {
        for batch in self.batches() {
            look(&batch)?;
            self.give_back(batch);
        }
        Ok(())
    }

    /// Every batch; to be given back.
    pub(super) fn batches(&self) -> impl Iterator<Item = Arc<Batch>> {
        self.batches.iter()
    }

    /// Whoever is the last to look at a batch has it used again.
    pub(super) fn give_back(&self, batch: Arc<Batch>) {
        if let Some(batch) = Arc::into_inner(batch) {
            // When reading has ended nobody needs it.
            let _ = self.spare.send(batch);
        }
    }
}

impl<'s> Consumer<'s> {
    /// What is to be looked at, and the rest.
    pub(super) fn open(self) -> (Queue, &'s [Wanted], impl Fn(usize) -> Error) {
        let failure = |source| {
            let failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
            match failures.iter().find(|(failed, _)| *failed == source) {
                Some((_, error)) => content::again(error),
                None => std::io::Error::other("a file was read without an end").into(),
            }
        };
        (self.queue, self.wanted, failure)
    }
}

/// Runs `consume` with a consumer for each archive, while threads read and hash what they want. The facts of
/// what could be written are filled in. `keep` bytes may be kept for what is quicker with many.
///
/// What fits into a batch is read and hashed before `consume` runs: that takes less than starting threads.
pub(super) fn with_reader(
    archives: &[(&dyn Archive, &[Digest])],
    keep: usize,
    consume: impl FnOnce(Vec<Consumer<'_>>) -> Vec<Result<Written>>,
) -> (Vec<Result<Written>>, Report) {
    let (sources, wanted) = merge(archives);
    let failures = Failures::default();
    let mut digests: Vec<Digest> = archives.iter().flat_map(|(_, digests)| *digests).copied().collect();
    digests.sort_unstable();
    digests.dedup();

    thread::scope(|scope| {
        let (spare, spares) = channel();
        let queue = || {
            let (sender, batches) = sync_channel(WAITING);
            (sender, Queue { batches, spare: spare.clone() })
        };
        let (mut senders, mut consumers) = (Vec::new(), Vec::new());
        for wanted in &wanted {
            let (sender, queue) = queue();
            senders.push(Some(sender));
            consumers.push(Consumer { queue, wanted, failures: &failures });
        }
        let (mut hashers, mut hashed) = (Vec::new(), Vec::new());
        for digest in digests {
            let (sender, queue) = queue();
            let sources = &sources;
            hashed.push(sender);
            let hash = move || {
                let is_wanted = |source: usize| sources[source].digests.contains(&digest);
                digest::hash(digest, queue, keep, sources.len(), is_wanted)
            };
            hashers.push((digest, hash));
        }
        drop(spare);
        let reader = Reader { batch: Batch::default(), archives: senders, hashers: hashed, spares };
        let (sources, failures) = (&sources, &failures);
        let read = move || reader.read_all(sources, failures);

        let is_small = sources.iter().map(|source| source.contents.size).sum::<u64>() <= BATCH as u64;
        let reader = begin(scope, is_small, read);
        let hashers: Vec<_> =
            hashers.into_iter().map(|(digest, hash)| (digest, begin(scope, is_small, hash))).collect();
        let mut written = consume(consumers);
        let report = reader.result();
        for (digest, hasher) in hashers {
            let mut facts: Vec<Option<Fact>> = hasher.result();
            for (((archive, of), wanted), written) in archives.iter().zip(&wanted).zip(&mut written) {
                if let (true, Ok(written)) = (of.contains(&digest), written) {
                    written.facts.resize(archive.members(), None);
                    for Wanted { member, source } in wanted {
                        add(&mut written.facts[*member], facts[*source].as_ref());
                    }
                }
            }
            facts.clear();
        }
        (written, report)
    })
}

/// Adds a digest to those before it.
fn add(fact: &mut Option<Fact>, next: Option<&Fact>) {
    match (fact, next) {
        (Some(fact), Some(next)) => fact.digest = [&fact.digest[..], &next.digest].concat().into(),
        (fact, next) => *fact = next.cloned(),
    }
}

/// Work that was done at once, or that a thread does.
enum Work<'scope, T> {
    Done(T),
    Running(ScopedJoinHandle<'scope, T>),
}

fn begin<'scope, T: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    at_once: bool,
    work: impl FnOnce() -> T + Send + 'scope,
) -> Work<'scope, T> {
    if at_once { Work::Done(work()) } else { Work::Running(scope.spawn(work)) }
}

impl<T> Work<'_, T> {
    fn result(self) -> T {
        match self {
            Work::Done(result) => result,
            Work::Running(thread) => thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
        }
    }
}

/// What has to be read, in an order that suits every archive, and which member wants which.
///
/// Archives are gone through side by side, the smallest path first; what has the same path and content is read
/// for all. Archives that are not sorted by path are served, too, but may have files read twice.
fn merge<'a>(archives: &[(&'a dyn Archive, &[Digest])]) -> (Vec<Source<'a>>, Vec<Vec<Wanted>>) {
    let mut members: Vec<_> = archives
        .iter()
        .map(|(archive, _)| {
            let contents = move |member| archive.content(member).map(|contents| (member, contents));
            (0..archive.members()).filter_map(contents).peekable()
        })
        .collect();
    let mut sources: Vec<Source<'a>> = Vec::new();
    let mut wanted = vec![Vec::new(); archives.len()];
    loop {
        let heads = members.iter_mut().filter_map(|members| members.peek().map(|(_, contents)| *contents));
        let Some(contents) = heads.min_by_key(|contents| contents.path) else { break };
        let mut source = Source { contents, digests: Vec::new() };
        for ((members, wanted), (_, digests)) in members.iter_mut().zip(&mut wanted).zip(archives) {
            let is_it = |(_, other): &(usize, Contents<'_>)| {
                other.path == contents.path
                    && other.size == contents.size
                    && content::is_same(&contents, other)
            };
            if let Some((member, _)) = members.next_if(is_it) {
                wanted.push(Wanted { member, source: sources.len() });
                source.digests.extend(*digests);
            }
        }
        sources.push(source);
    }
    (sources, wanted)
}

struct Reader {
    batch: Batch,
    /// `None` for an archive that failed.
    archives: Vec<Option<SyncSender<Arc<Batch>>>>,
    hashers: Vec<SyncSender<Arc<Batch>>>,
    spares: Receiver<Batch>,
}

impl Reader {
    fn read_all(mut self, sources: &[Source<'_>], failures: &Failures) -> Report {
        let mut report = Report::default();
        let mut opener = Opener::default();
        for (number, Source { contents, .. }) in sources.iter().enumerate() {
            if matches!(contents.content, Content::Path(_)) {
                report.files_read += 1;
                report.bytes_read += contents.size;
            }
            match self.read(number, contents, &mut opener) {
                Ok(true) => {}
                Ok(false) => return report,
                Err(error) => {
                    failures.lock().unwrap_or_else(PoisonError::into_inner).push((number, error));
                    self.put(Part { has_failed: true, ..Part::of(number) }, 0);
                }
            }
        }
        self.pass_on();
        report
    }

    /// Reads a file; false when nobody wants any more.
    fn read<'a>(&mut self, number: usize, contents: &Contents<'a>, opener: &mut Opener<'a>) -> Result<bool> {
        let size = contents.size;
        // A small file stays in one piece.
        if size <= BATCH as u64 && size > self.room() as u64 && !self.pass_on() {
            return Ok(false);
        }
        let mut source = match contents.content {
            Content::Bytes(bytes) => From::Bytes(bytes),
            Content::Path(path) => From::File(Box::new(opener.open(path)?)),
        };
        let mut done = 0;
        loop {
            if self.room() == 0 && !self.pass_on() {
                return Ok(false);
            }
            self.ready();
            let Batch { bytes, filled, .. } = &mut self.batch;
            let most = usize::try_from(size - done).unwrap_or(usize::MAX).min(BATCH - *filled);
            let count = source.read(&mut bytes[*filled..][..most], size, done)?;
            let part = Part { is_first: done == 0, ..Part::of(number) };
            done += count as u64;
            if done == size {
                source.check(size)?;
            }
            self.put(Part { is_last: done == size, ..part }, count);
            if done == size {
                return Ok(true);
            }
        }
    }

    fn room(&self) -> usize {
        BATCH - self.batch.filled
    }

    fn ready(&mut self) {
        if self.batch.bytes.is_empty() {
            self.batch.bytes = vec![0; BATCH];
        }
    }

    fn put(&mut self, part: Part, count: usize) {
        let start = self.batch.filled;
        self.batch.filled += count;
        self.batch.parts.push(Part { start, end: start + count, ..part });
    }

    /// Passes the batch on; false when no archive wants it.
    fn pass_on(&mut self) -> bool {
        let mut next = self.spares.try_recv().unwrap_or_default();
        next.filled = 0;
        next.parts.clear();
        let batch = Arc::new(std::mem::replace(&mut self.batch, next));
        for hasher in &self.hashers {
            // A hasher that is gone has panicked, which shows when it is joined.
            let _ = hasher.send(Arc::clone(&batch));
        }
        for archive in &mut self.archives {
            if archive.as_ref().is_some_and(|archive| archive.send(Arc::clone(&batch)).is_err()) {
                *archive = None;
            }
        }
        self.archives.iter().any(Option::is_some)
    }
}

impl Part {
    /// Where they are in the batch.
    pub(super) fn bytes(&self) -> Range<usize> {
        self.start..self.end
    }

    fn of(source: usize) -> Part {
        Part { source, start: 0, end: 0, is_first: false, is_last: false, has_failed: false }
    }
}

/// Where bytes come from.
enum From<'a> {
    Bytes(&'a [u8]),
    File(Box<Opened<'a>>),
}

impl From<'_> {
    fn read(&mut self, into: &mut [u8], size: u64, done: u64) -> Result<usize> {
        match self {
            From::Bytes(bytes) => {
                let (now, later) = bytes.split_at(into.len().min(bytes.len()));
                into[..now.len()].copy_from_slice(now);
                *bytes = later;
                Ok(now.len())
            }
            From::File(file) => file.read(into, size, done),
        }
    }

    fn check(&mut self, size: u64) -> Result<()> {
        match self {
            From::Bytes(_) => Ok(()),
            From::File(file) => file.check(size),
        }
    }
}

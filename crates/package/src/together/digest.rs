//! Hashes batches, each digest in a thread of its own.

use std::convert::Infallible;
use std::sync::Arc;

use packhouse_md5::{self as lanes, Message};
use sha1::Sha1;
use sha2::{Sha256, Sha384, Sha512};

use super::reader::{BATCH, Batch, Queue};
use super::{Fact, START};

/// What a format keeps of each file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Digest {
    /// RFC 1321; for a deb's `md5sums`.
    Md5,
    /// FIPS 180-4.
    Sha1,
    /// FIPS 180-4.
    Sha256,
    /// FIPS 180-4.
    Sha384,
    /// FIPS 180-4.
    Sha512,
}

/// The facts of every source that `is_wanted`, by its number, of `count`. `keep` bytes may be kept to hash them
/// side by side.
pub(super) fn hash(
    digest: Digest,
    queue: Queue,
    keep: usize,
    count: usize,
    is_wanted: impl Fn(usize) -> bool,
) -> Vec<Option<Fact>> {
    let mut facts = vec![None; count];
    let done: Result<(), Infallible> = match digest {
        Digest::Md5 => {
            md5(&queue, keep, is_wanted, &mut facts);
            Ok(())
        }
        Digest::Sha1 => each::<Sha1>(queue, &is_wanted, &mut facts),
        Digest::Sha256 => each::<Sha256>(queue, &is_wanted, &mut facts),
        Digest::Sha384 => each::<Sha384>(queue, &is_wanted, &mut facts),
        Digest::Sha512 => each::<Sha512>(queue, &is_wanted, &mut facts),
    };
    match done {
        Ok(()) => facts,
    }
}

/// A file whose end has not come yet.
type Begun<D> = Option<(D, Vec<u8>)>;

fn each<D: sha2::Digest>(
    queue: Queue,
    is_wanted: &impl Fn(usize) -> bool,
    facts: &mut [Option<Fact>],
) -> Result<(), Infallible> {
    let mut begun = None;
    queue.each(|batch| {
        for (part, bytes) in batch.parts().filter(|(part, _)| is_wanted(part.source)) {
            if let Some(fact) = go_on::<D>(&mut begun, part.is_first, part.is_last, bytes) {
                facts[part.source] = Some(fact);
            }
        }
        Ok(())
    })
}

/// Hashes the next bytes of a file.
fn go_on<D: sha2::Digest>(begun: &mut Begun<D>, is_first: bool, is_last: bool, bytes: &[u8]) -> Option<Fact> {
    if is_first || begun.is_none() {
        *begun = Some((D::new(), Vec::with_capacity(START)));
    }
    let (hash, start) = begun.as_mut()?;
    hash.update(bytes);
    start.extend(bytes.iter().take(START - start.len()));
    if !is_last {
        return None;
    }
    let (hash, start) = begun.take()?;
    Some(Fact { digest: hash.finalize().as_slice().into(), start })
}

/// A file that MD5 is made of, as far as it has come.
struct File {
    source: usize,
    length: u64,
    start: Vec<u8>,
}

/// One whose end has not come yet.
struct Unfinished {
    file: File,
    state: lanes::State,
    /// Its last bytes, which are no whole block.
    rest: Vec<u8>,
}

/// Files are hashed side by side, which takes a third of the time; `keep` bytes of batches are kept for it.
fn md5(queue: &Queue, keep: usize, is_wanted: impl Fn(usize) -> bool, facts: &mut [Option<Fact>]) {
    let mut kept: Vec<Arc<Batch>> = Vec::new();
    let mut unfinished = None;
    for batch in queue.batches() {
        kept.push(batch);
        if kept.len() * BATCH >= keep {
            unfinished = md5_of(&kept, unfinished, &is_wanted, facts);
            kept.drain(..).for_each(|batch| queue.give_back(batch));
        }
    }
    md5_of(&kept, unfinished, &is_wanted, facts);
}

/// Hashes what is in the batches, and returns what goes on in the next.
fn md5_of(
    batches: &[Arc<Batch>],
    begun: Option<Unfinished>,
    is_wanted: &impl Fn(usize) -> bool,
    facts: &mut [Option<Fact>],
) -> Option<Unfinished> {
    let (mut files, mut messages) = (Vec::new(), Vec::new());
    let rest;
    if let Some(begun) = begun {
        rest = begun.rest;
        files.push(begun.file);
        messages.push(Message { state: begun.state, parts: vec![&rest[..]], length: None });
    }
    let parts = batches.iter().flat_map(|batch| batch.parts());
    for (part, bytes) in parts.filter(|(part, _)| is_wanted(part.source) && !part.has_failed) {
        if part.is_first {
            // What could not be read to its end has no digest.
            files.truncate(finished(&messages));
            messages.truncate(files.len());
            files.push(File { source: part.source, length: 0, start: Vec::with_capacity(START) });
            messages.push(Message { state: lanes::START, parts: Vec::new(), length: None });
        }
        let (Some(file), Some(message)) = (files.last_mut(), messages.last_mut()) else { continue };
        file.length += bytes.len() as u64;
        file.start.extend(bytes.iter().take(START - file.start.len()));
        message.parts.push(bytes);
        message.length = part.is_last.then_some(file.length);
    }
    let mut rest = Vec::new();
    if let (Some(file), Some(message @ Message { length: None, .. })) = (files.last(), messages.last_mut()) {
        rest = cut(&mut message.parts, (file.length % lanes::BLOCK as u64) as usize);
    }
    lanes::go_on(&mut messages);
    for (file, message) in files.drain(..finished(&messages)).zip(&messages) {
        let digest = lanes::digest(message.state).as_slice().into();
        facts[file.source] = Some(Fact { digest, start: file.start });
    }
    let state = messages.last()?.state;
    Some(Unfinished { file: files.pop()?, state, rest })
}

/// How many messages have come to their ends: all, or all but the last.
fn finished(messages: &[Message<'_>]) -> usize {
    messages.len() - usize::from(messages.last().is_some_and(|message| message.length.is_none()))
}

/// Cuts `count` bytes off the end of `parts`.
fn cut(parts: &mut Vec<&[u8]>, mut count: usize) -> Vec<u8> {
    let mut rest = Vec::new();
    while count > 0
        && let Some(part) = parts.pop()
    {
        let (kept, end) = part.split_at(part.len().saturating_sub(count));
        count -= end.len();
        rest.splice(..0, end.iter().copied());
        if !kept.is_empty() {
            parts.push(kept);
        }
    }
    rest
}

//! Hashes batches, each digest in a thread of its own.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;

use packhouse_md5::{self as md5, Message};
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

/// Files are hashed side by side, which takes a third of the time or less; `keep` bytes of batches are kept for it.
fn md5(queue: &Queue, keep: usize, is_wanted: impl Fn(usize) -> bool, facts: &mut [Option<Fact>]) {
    let mut files = Files { queue, held: 0, begun: VecDeque::new(), facts };
    for batch in queue.batches() {
        files.add(batch, &is_wanted);
        if files.held * BATCH >= keep || files.are_even() {
            files.hash(keep - keep / STEPS);
        }
    }
    files.hash(0);
}

/// While more is read, at least so many files are hashed side by side; the longest is hashed alone until one of so
/// many parts of what may be kept is free.
const ENOUGH: usize = 8;
const STEPS: usize = 32;

/// Files that MD5 is made of, as far as they have come.
struct Files<'a> {
    queue: &'a Queue,
    /// How many batches their pieces are in.
    held: usize,
    begun: VecDeque<File>,
    facts: &'a mut [Option<Fact>],
}

struct File {
    source: usize,
    /// How long it is, as far as it has been read.
    length: u64,
    is_read: bool,
    start: Vec<u8>,
    state: md5::State,
    /// What is not hashed yet.
    pieces: VecDeque<Piece>,
}

/// Bytes of a batch.
struct Piece {
    batch: Rc<Held>,
    bytes: Range<usize>,
}

/// A batch that others look at, too.
struct Held(Arc<Batch>);

impl Files<'_> {
    fn add(&mut self, batch: Arc<Batch>, is_wanted: &impl Fn(usize) -> bool) {
        let batch = Rc::new(Held(batch));
        self.held += 1;
        for (part, _) in batch.0.parts().filter(|(part, _)| is_wanted(part.source)) {
            if part.has_failed {
                // What could not be read to its end has no digest.
                if let Some(failed) = self.begun.pop_back_if(|file| file.source == part.source) {
                    failed.pieces.into_iter().for_each(|piece| self.give_back(piece.batch));
                }
                continue;
            }
            if part.is_first {
                self.begun.push_back(File::new(part.source));
            }
            let Some(file) = self.begun.back_mut() else { continue };
            file.add(Piece { batch: Rc::clone(&batch), bytes: part.bytes() }, part.is_last);
        }
        self.give_back(batch);
    }

    /// Whether all lanes would be busy to the end.
    fn are_even(&self) -> bool {
        let left = || self.begun.iter().map(File::left);
        left().max().is_some_and(|longest| left().sum::<usize>() >= longest * md5::LANES)
    }

    /// Hashes until at most `keep` bytes are held. What is left are files that are longer than the others: they go
    /// on beside the next ones.
    fn hash(&mut self, keep: usize) {
        self.go_on(0..self.begun.len(), |messages| match keep {
            0 => md5::go_on(messages),
            _ => md5::side_by_side(messages, ENOUGH),
        });
        let mut held = usize::MAX;
        while self.held * BATCH > keep && self.held < held {
            held = self.held;
            let longest = (0..self.begun.len()).max_by_key(|number| self.begun[*number].left());
            let Some(longest) = longest else { break };
            let most = (held * BATCH - keep) as u64;
            self.go_on(longest..longest + 1, |messages| md5::alone(&mut messages[0], most));
        }
    }

    /// Has `hash` take messages as far as they are at hand.
    fn go_on(&mut self, which: Range<usize>, hash: impl FnOnce(&mut [Message<'_>])) {
        let files = self.begun.range(which.clone());
        let mut messages: Vec<Message<'_>> = files.map(File::message).collect();
        hash(&mut messages);
        let done = messages.into_iter().map(|message| (message.state, message.hashed, message.is_complete));
        let done: Vec<(md5::State, u64, bool)> = done.collect();
        let mut number = which.start;
        for (state, mut hashed, is_complete) in done {
            if is_complete {
                let Some(file) = self.begun.remove(number) else { continue };
                let digest = md5::digest(state).as_slice().into();
                self.facts[file.source] = Some(Fact { digest, start: file.start });
                file.pieces.into_iter().for_each(|piece| self.give_back(piece.batch));
                continue;
            }
            let file = &mut self.begun[number];
            number += 1;
            file.state = state;
            let mut read = Vec::new();
            while let Some(mut piece) = file.pieces.pop_front() {
                let count = piece.bytes.len().min(hashed as usize);
                piece.bytes.start += count;
                hashed -= count as u64;
                if piece.bytes.is_empty() {
                    read.push(piece.batch);
                } else {
                    file.pieces.push_front(piece);
                    break;
                }
            }
            read.into_iter().for_each(|batch| self.give_back(batch));
        }
    }

    fn give_back(&mut self, batch: Rc<Held>) {
        if let Some(Held(batch)) = Rc::into_inner(batch) {
            self.held -= 1;
            self.queue.give_back(batch);
        }
    }
}

impl File {
    fn new(source: usize) -> File {
        File {
            source,
            length: 0,
            is_read: false,
            start: Vec::with_capacity(START),
            state: md5::START,
            pieces: VecDeque::new(),
        }
    }

    fn add(&mut self, piece: Piece, is_last: bool) {
        let bytes = piece.get();
        self.start.extend(bytes.iter().take(START - self.start.len()));
        self.length += bytes.len() as u64;
        self.is_read = is_last;
        if !bytes.is_empty() {
            self.pieces.push_back(piece);
        }
    }

    fn left(&self) -> usize {
        self.pieces.iter().map(|piece| piece.bytes.len()).sum()
    }

    fn message(&self) -> Message<'_> {
        let parts = self.pieces.iter().map(Piece::get).collect();
        Message::new(self.state, parts, self.is_read.then_some(self.length))
    }
}

impl Piece {
    fn get(&self) -> &[u8] {
        self.batch.0.get(self.bytes.clone())
    }
}

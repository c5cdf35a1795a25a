//! One gzip member (RFC 1952), compressed by several threads.
//!
//! The input is cut into chunks of [`CHUNK`] bytes. Each is compressed by itself, with the last 32 KiB before
//! it (deflate's window) as dictionary, so that hardly any match is lost, and ends on a byte boundary by an
//! empty stored block (RFC 1951, 3.2.4); the last one ends the stream. Chunk borders, and so all bytes, do
//! not depend on who compresses which chunk.
//!
//! A stream of one chunk needs no thread: it is compressed where it ends.
//!
//! Buffers come back with the results and are used again: with new ones for every chunk, 16 threads took 106 MB,
//! most of it holes in glibc's heaps, and now 70.
//!
//! A fresh compressor is made for every chunk: zlib-rs's `reset` keeps match-finder state, and with it the
//! output changed from run to run.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use flate2::{Compress, Compression, Crc, FlushCompress, Status};

/// Small enough that a package of a megabyte keeps four threads busy, large enough that the five bytes at a
/// chunk's end and the cost of a fresh compressor do not show.
const CHUNK: usize = 256 << 10;

/// Deflate's window.
const WINDOW: usize = 32 << 10;

/// A compressed chunk: deflate stores what does not compress, and adds five bytes a block to it (RFC 1951,
/// 3.2.4).
const COMPRESSED: usize = CHUNK + CHUNK / 256;

/// A thread takes 1.5 MB: the chunks that it works on and those that wait, and the compressor; but the fresh
/// compressors leave holes in glibc's heaps, and measured it is up to 5 MB.
const MAX_THREADS: usize = 8;

/// Identification, deflate, no flags, no time, how hard, unknown operating system: nothing about the machine
/// (RFC 1952, 2.3; the same as `gzip -n` but for the last byte). lintian reads from the ninth byte whether a
/// changelog is compressed as well as can be.
pub(crate) fn header(level: u8) -> [u8; 10] {
    let how_hard = match level {
        9 => 2,
        1 => 4,
        _ => 0,
    };
    [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, how_hard, 255]
}

/// Compresses into one gzip member.
pub struct Encoder<W: Write> {
    level: u8,
    out: W,
    chunk: Vec<u8>,
    dictionary: Arc<[u8]>,
    crc: Crc,
    length: u64,
    /// How many threads there will be, once there is a chunk and more.
    count: usize,
    jobs: Option<Sender<(Job, Answer)>>,
    results: VecDeque<Receiver<io::Result<Compressed>>>,
    /// Empty buffers: for a chunk, and for a compressed one.
    spare: Vec<(Vec<u8>, Vec<u8>)>,
    /// For what the current chunk is compressed to.
    compressed: Vec<u8>,
    threads: Vec<JoinHandle<()>>,
}

/// Where a member goes on.
#[derive(Debug)]
pub(super) struct Seam {
    level: u8,
    dictionary: Arc<[u8]>,
    crc: Crc,
    length: u64,
}

impl Seam {
    /// What holds `tail`, and the end of the member.
    pub(super) fn tail(&self, tail: &[u8]) -> io::Result<Vec<u8>> {
        let job = Job {
            chunk: tail.to_vec(),
            compressed: Vec::with_capacity(tail.len() / 2 + 1024),
            dictionary: Arc::clone(&self.dictionary),
            is_last: true,
        };
        let Compressed { mut bytes, crc: crc_of_tail, .. } = compress(self.level, job)?;
        let mut crc = Crc::new();
        crc.combine(&self.crc);
        crc.combine(&crc_of_tail);
        bytes.extend(trailer(&crc, self.length + tail.len() as u64));
        Ok(bytes)
    }
}

/// Checksum and length modulo 2^32 of the content (RFC 1952, 2.3.1).
fn trailer(crc: &Crc, length: u64) -> [u8; 8] {
    let mut trailer = [0; 8];
    trailer[..4].copy_from_slice(&crc.sum().to_le_bytes());
    trailer[4..].copy_from_slice(&(length as u32).to_le_bytes());
    trailer
}

/// What `threads` take, in bytes.
pub(super) fn memory(threads: NonZeroUsize) -> u64 {
    threads.get().min(MAX_THREADS) as u64 * (5 << 20)
}

struct Job {
    chunk: Vec<u8>,
    compressed: Vec<u8>,
    dictionary: Arc<[u8]>,
    is_last: bool,
}

/// Where what became of a job goes.
type Answer = SyncSender<io::Result<Compressed>>;

struct Compressed {
    bytes: Vec<u8>,
    chunk: Vec<u8>,
    crc: Crc,
}

impl<W: Write> Encoder<W> {
    /// Writes the header to `out`.
    pub fn new(level: u8, threads: NonZeroUsize, mut out: W) -> io::Result<Encoder<W>> {
        out.write_all(&header(level))?;
        Ok(Encoder {
            level,
            out,
            chunk: Vec::new(),
            dictionary: Arc::default(),
            crc: Crc::new(),
            length: 0,
            count: threads.get().min(MAX_THREADS),
            jobs: None,
            results: VecDeque::new(),
            spare: Vec::new(),
            compressed: Vec::new(),
            threads: Vec::new(),
        })
    }

    /// Compresses the last chunk, writes the trailer and returns `out`.
    pub fn finish(mut self) -> io::Result<W> {
        self.end(true)?;
        let trailer = trailer(&self.crc, self.length);
        self.out.write_all(&trailer)?;
        Ok(self.out)
    }

    /// Compresses what there is and leaves the member open.
    pub(super) fn seam(mut self) -> io::Result<(W, Seam)> {
        self.end(false)?;
        let Encoder { level, out, dictionary, crc, length, .. } = self;
        Ok((out, Seam { level, dictionary, crc, length }))
    }

    /// Compresses the rest: a single chunk here.
    fn end(&mut self, is_last: bool) -> io::Result<()> {
        if is_last || !self.chunk.is_empty() {
            match self.jobs {
                None => {
                    let length = self.chunk.len();
                    self.compressed.reserve(length + length / 256 + 64);
                    let job = self.take(is_last, Default::default());
                    let compressed = compress(self.level, job)?;
                    self.put(compressed)?;
                }
                Some(_) => self.send(is_last)?,
            }
        }
        while !self.results.is_empty() {
            self.receive()?;
        }
        self.jobs = None;
        for thread in self.threads.drain(..) {
            thread.join().map_err(|_| io::Error::other("a compressing thread panicked"))?;
        }
        Ok(())
    }

    /// Has the chunk compressed by the threads.
    fn send(&mut self, is_last: bool) -> io::Result<()> {
        let fresh = || (Vec::with_capacity(CHUNK), Vec::with_capacity(COMPRESSED));
        let next = self.spare.pop().unwrap_or_else(fresh);
        let job = self.take(is_last, next);
        let (result, receiver) = sync_channel(1);
        self.jobs()?.send((job, result)).map_err(|_| io::Error::other("the compressing threads are gone"))?;
        self.results.push_back(receiver);
        while self.results.len() >= 2 * self.count {
            self.receive()?;
        }
        Ok(())
    }

    /// What was gathered. `next` are the buffers for what follows.
    fn take(&mut self, is_last: bool, next: (Vec<u8>, Vec<u8>)) -> Job {
        let chunk = std::mem::replace(&mut self.chunk, next.0);
        let compressed = std::mem::replace(&mut self.compressed, next.1);
        self.length += chunk.len() as u64;
        let window: Arc<[u8]> = Arc::from(&chunk[chunk.len().saturating_sub(WINDOW)..]);
        let dictionary = std::mem::replace(&mut self.dictionary, window);
        Job { chunk, compressed, dictionary, is_last }
    }

    /// Where jobs go; starts the threads.
    fn jobs(&mut self) -> io::Result<&Sender<(Job, Answer)>> {
        if self.jobs.is_none() {
            let (jobs, queue) = channel();
            let queue = Arc::new(Mutex::new(queue));
            let level = self.level;
            for _ in 0..self.count {
                let queue = Arc::clone(&queue);
                let thread = thread::Builder::new().name("gzip".into());
                self.threads.push(thread.spawn(move || work(level, &queue))?);
            }
            self.jobs = Some(jobs);
        }
        Ok(self.jobs.as_ref().expect("they have been made"))
    }

    fn receive(&mut self) -> io::Result<()> {
        let Some(result) = self.results.pop_front() else { return Ok(()) };
        let compressed = result.recv().map_err(|_| io::Error::other("a compressing thread panicked"))??;
        self.put(compressed)
    }

    fn put(&mut self, compressed: Compressed) -> io::Result<()> {
        let Compressed { mut bytes, mut chunk, crc } = compressed;
        self.crc.combine(&crc);
        self.out.write_all(&bytes)?;
        bytes.clear();
        chunk.clear();
        self.spare.push((chunk, bytes));
        Ok(())
    }
}

impl<W: Write> Write for Encoder<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A full chunk waits for the next byte: the last chunk must be known as such, and must not be empty
        // unless everything is.
        if self.chunk.len() == CHUNK {
            self.send(false)?;
        }
        let taken = bytes.len().min(CHUNK - self.chunk.len());
        self.chunk.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn work(level: u8, queue: &Mutex<Receiver<(Job, Answer)>>) {
    loop {
        let Ok(queue) = queue.lock() else { return };
        let Ok((job, answer)) = queue.recv() else { return };
        drop(queue);
        // Nobody waits for it when the encoder was dropped after an error.
        let _ = answer.send(compress(level, job));
    }
}

fn compress(level: u8, job: Job) -> io::Result<Compressed> {
    let (chunk, mut bytes) = (job.chunk, job.compressed);
    let mut crc = Crc::new();
    crc.update(&chunk);
    let mut compress = Compress::new(Compression::new(u32::from(level)), false);
    if !job.dictionary.is_empty() {
        compress.set_dictionary(&job.dictionary)?;
    }
    let flush = if job.is_last { FlushCompress::Finish } else { FlushCompress::Sync };
    loop {
        let consumed = compress.total_in() as usize;
        let status = compress.compress_vec(&chunk[consumed..], &mut bytes, flush)?;
        let is_done = match flush {
            FlushCompress::Finish => status == Status::StreamEnd,
            // zlib's manual on deflate(): a flush is complete when output space is left over.
            _ => compress.total_in() as usize == chunk.len() && bytes.len() < bytes.capacity(),
        };
        if is_done {
            return Ok(Compressed { bytes, chunk, crc });
        }
        bytes.reserve(64 << 10);
    }
}

/// A gzip member that stores `bytes` as they are, in blocks of 65,535 (RFC 1951, 3.2.4): its length depends on
/// theirs only, so that it can be written before their values are known.
pub(crate) fn store(bytes: &[u8]) -> Vec<u8> {
    const BLOCK: usize = 65_535;
    let mut stored = header(0).to_vec();
    stored.reserve(bytes.len() + 5 * bytes.len().div_ceil(BLOCK) + 13);
    let count = bytes.len().div_ceil(BLOCK).max(1);
    for number in 0..count {
        let block = &bytes[number * BLOCK..bytes.len().min((number + 1) * BLOCK)];
        stored.push(u8::from(number + 1 == count));
        let length = block.len() as u16;
        stored.extend_from_slice(&length.to_le_bytes());
        stored.extend_from_slice(&(!length).to_le_bytes());
        stored.extend_from_slice(block);
    }
    let mut crc = Crc::new();
    crc.update(bytes);
    stored.extend_from_slice(&crc.sum().to_le_bytes());
    stored.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
    stored
}

/// How hard [`padded`] compresses: hexadecimal digits are most of what it is meant for, and they take half their
/// bytes at every level.
const PADDED_LEVEL: u8 = 6;

/// The length to give to [`padded`] for bytes that are not known yet: `bytes` are like them, with a
/// [`placeholder`] for each digest.
///
/// Other digests compress to other lengths. These are distributed normally: measured, with a deviation of 8 bytes
/// for 100 files with SHA-256 and MD5, 75 bytes for 10,000. The margin is at least eight times that of a difference.
pub(crate) fn reserve(bytes: &[u8]) -> usize {
    let length = member(bytes).len();
    length + 64 + length.isqrt()
}

/// A gzip member of exactly `length` bytes that holds `bytes`; `None` when it takes more. It depends on nothing
/// else.
///
/// A package's list of digests precedes the files that the digests are of. With this, its place can be kept while
/// the files are compressed and hashed, in a single pass. The rest of the place is filled by empty stored blocks
/// of five bytes, which deflate allows anywhere (RFC 1951, 3.2.4), and by a comment of at most three blanks (RFC
/// 1952, 2.3): every reader skips both.
pub(crate) fn padded(bytes: &[u8], length: usize) -> Option<Vec<u8>> {
    let plain = member(bytes);
    let padding = length.checked_sub(plain.len())?;
    let mut padded = Vec::with_capacity(length);
    padded.extend_from_slice(&plain[..HEADER]);
    let comment = &b"   \0"[4 - padding % 5..];
    if !comment.is_empty() {
        padded[3] |= HAS_COMMENT;
    }
    padded.extend_from_slice(comment);
    padded.extend(EMPTY_BLOCK.repeat(padding / 5));
    padded.extend_from_slice(&plain[HEADER..]);
    Some(padded)
}

/// Stands for a digest that is not known yet: bytes as random as a digest's, and always the same for the same
/// `number` (Steele, Lea and Flood's SplitMix64).
pub(crate) fn placeholder<const N: usize>(number: u64) -> [u8; N] {
    let mut bytes = [0; N];
    for (part, chunk) in (0_u64..).zip(bytes.chunks_mut(8)) {
        let mut word = (number << 8 | part).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let word = (word ^ (word >> 31)).to_le_bytes();
        chunk.copy_from_slice(&word[..chunk.len()]);
    }
    bytes
}

/// An empty stored block that is not the last.
const EMPTY_BLOCK: [u8; 5] = [0, 0, 0, 0xff, 0xff];

/// The length of a header without a comment.
const HEADER: usize = 10;

/// FCOMMENT (RFC 1952, 2.3.1).
const HAS_COMMENT: u8 = 1 << 4;

/// One member, compressed at [`PADDED_LEVEL`].
fn member(bytes: &[u8]) -> Vec<u8> {
    let mut member = header(PADDED_LEVEL).to_vec();
    let mut compress = Compress::new(Compression::new(u32::from(PADDED_LEVEL)), false);
    loop {
        member.reserve(64 << 10);
        let consumed = compress.total_in() as usize;
        let status = compress.compress_vec(&bytes[consumed..], &mut member, FlushCompress::Finish);
        match status.expect("memory suffices, and no parameter is wrong") {
            Status::StreamEnd => break,
            Status::Ok | Status::BufError => {}
        }
    }
    let mut crc = Crc::new();
    crc.update(bytes);
    member.extend_from_slice(&crc.sum().to_le_bytes());
    member.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
    member
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;
    use crate::archive::part::hexadecimal;

    #[test]
    fn stored_bytes_come_back() {
        for length in [0, 1, 65_535, 65_536, 200_000] {
            let bytes: Vec<u8> = (0..length).map(|n: u32| (n % 251) as u8).collect();
            let stored = store(&bytes);
            let mut read = Vec::new();
            flate2::read::GzDecoder::new(&stored[..]).read_to_end(&mut read).unwrap();
            assert!(read == bytes, "{length} bytes");
        }
    }

    fn decoded(member: &[u8]) -> Vec<u8> {
        let mut read = Vec::new();
        let mut decoder = flate2::bufread::GzDecoder::new(member);
        decoder.read_to_end(&mut read).unwrap();
        assert!(decoder.into_inner().is_empty(), "bytes behind the member");
        read
    }

    fn list(count: u64, first_digest: u64) -> Vec<u8> {
        let line = |number| {
            let digest: [u8; 32] = placeholder(first_digest + number);
            format!("{}  usr/lib/example/lib/module-{}.so\n", hexadecimal(&digest), number * 7)
        };
        (0..count).map(line).collect::<String>().into_bytes()
    }

    #[test]
    fn a_padded_member_has_every_length_from_its_own() {
        for bytes in [&b""[..], b"x", &list(50, 0)] {
            let shortest = member(bytes).len();
            for length in (shortest..shortest + 24).chain([shortest + 70_000]) {
                let padded = padded(bytes, length).unwrap();
                assert_eq!(padded.len(), length);
                assert!(decoded(&padded) == bytes);
            }
            assert_eq!(padded(bytes, shortest), Some(member(bytes)));
            assert_eq!(padded(bytes, shortest - 1), None);
        }
    }

    #[test]
    fn what_is_reserved_suffices_for_other_digests() {
        for (count, rounds) in [(1, 40), (2, 40), (10, 40), (100, 40), (1_000, 20), (5_000, 3)] {
            let reserved = reserve(&list(count, 0));
            for round in 1..=rounds {
                let bytes = list(count, round * 100_000);
                assert!(padded(&bytes, reserved).is_some(), "{count} digests, round {round}");
            }
        }
    }

    #[test]
    fn placeholders_do_not_repeat() {
        let digests: std::collections::BTreeSet<[u8; 16]> = (0..1_000).map(placeholder).collect();
        assert_eq!(digests.len(), 1_000);
        assert_ne!(placeholder::<20>(7)[..8], placeholder::<20>(7)[8..16]);
    }
}

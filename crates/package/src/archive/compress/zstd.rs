//! One zstd frame (RFC 8878), compressed by several threads.
//!
//! zstd's multi-threaded encoder, whose jobs have a fixed size: its output differs from that of the single-threaded one,
//! and does not depend on the number of threads. Only what is known to be short goes to the single-threaded one. A frame that goes on behind a seam is
//! flushed there, which ends a block; the tail follows in blocks that need no compressor (section 3.1.1.2.2): as
//! they are, or a byte and how often it comes. A tail is a few tar headers, which are mostly zeros, and documents
//! that are compressed already.

use std::hash::Hasher as _;
use std::io::{self, Write};
use std::num::NonZeroUsize;

use twox_hash::XxHash64;
use zstd::stream::raw;
use zstd::stream::zio::Writer;
use zstd::zstd_safe::{CParameter, Strategy};

/// Up to this long, two blocks, the single-threaded encoder with the same tables writes the same frame: what tells the
/// two apart is where they cut blocks. It needs neither threads nor room for their jobs.
pub(super) const ALIKE: usize = 2 * LARGEST - 1;

/// Compresses into one frame.
pub(super) struct Encoder<W: Write> {
    writer: Writer<Checked<W>, raw::Encoder<'static>>,
    /// Of the content; the frame ends with it. zstd does not make it, so that it is made once: what comes behind a
    /// seam is hashed here.
    hash: XxHash64,
    is_empty: bool,
}

/// Where a frame goes on.
#[derive(Debug)]
pub(super) struct Seam {
    hash: XxHash64,
    /// Nothing was written, not even a header.
    is_empty: bool,
}

impl<W: Write> Encoder<W> {
    pub(super) fn new(level: u8, threads: NonZeroUsize, budget: u64, out: W) -> io::Result<Encoder<W>> {
        let mut encoder = raw::Encoder::new(i32::from(level))?;
        encoder.set_parameter(CParameter::JobSize(job(level) << 20))?;
        // Never 0: that is the single-threaded encoder, whose output differs.
        encoder.set_parameter(CParameter::NbWorkers(threads_within(level, threads, budget)))?;
        let hash = XxHash64::with_seed(0);
        Ok(Encoder { writer: Writer::new(Checked { out, position: 0 }, encoder), hash, is_empty: true })
    }

    /// For `size` bytes in all.
    pub(super) fn small(level: u8, size: usize, out: W) -> io::Result<Encoder<W>> {
        let mut encoder = raw::Encoder::new(i32::from(level))?;
        // The tables of lower levels are small anyway, and what zstd would take instead compresses 1 % less at level 3.
        if level >= 5 {
            // At least a block, so that a tail's blocks fit into the window.
            encoder.set_parameter(CParameter::SrcSizeHint(size.max(LARGEST) as u32))?;
        }
        if level >= 18 {
            // btultra2 compresses the first block twice, to know what is frequent, and that is most of a small stream.
            // Without that it takes 17 % to 42 % less time, for 1.1 % less to 1.4 % more bytes (measured on streams
            // of 40 to 900 kB).
            encoder.set_parameter(CParameter::Strategy(Strategy::ZSTD_btultra))?;
        }
        let hash = XxHash64::with_seed(0);
        Ok(Encoder { writer: Writer::new(Checked { out, position: 0 }, encoder), hash, is_empty: true })
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.is_empty &= bytes.is_empty();
        self.hash.write(bytes);
        self.writer.write_all(bytes)
    }

    pub(super) fn finish(mut self) -> io::Result<W> {
        self.writer.finish()?;
        let mut out = self.writer.into_inner().0.out;
        out.write_all(&checksum(&self.hash))?;
        Ok(out)
    }

    /// Ends the block and leaves the frame open.
    pub(super) fn seam(mut self) -> io::Result<(W, Seam)> {
        if !self.is_empty {
            self.writer.flush()?;
        }
        Ok((self.writer.into_inner().0.out, Seam { hash: self.hash, is_empty: self.is_empty }))
    }
}

impl Seam {
    /// The blocks that hold `tail`, and the end of the frame.
    pub(super) fn tail(&self, tail: &[u8]) -> Vec<u8> {
        let mut end = Vec::new();
        if self.is_empty {
            // Magic, a checksum at the end, a window of 1 MiB (section 3.1.1.1).
            end.extend([0x28, 0xb5, 0x2f, 0xfd, HAS_CHECKSUM, 10 << 3]);
        }
        put(&blocks(tail), &mut end);
        let mut hash = self.hash.clone();
        hash.write(tail);
        end.extend(checksum(&hash));
        end
    }
}

/// The level of [`padded`] beside one of the package. Most of a list of digests does not compress: up to 4, level 1 makes as
/// little of it (1.3 % less than 3) in two thirds of the time.
fn padded_level(level: u8) -> u8 {
    if level <= 4 { 1 } else { level }
}

/// How much place [`padded`] needs for bytes like these, whose digests are others: of 20,000 random ones, lengths
/// deviate by a quarter to a half of the root of the length (measured, at levels 1 to 9).
///
/// # Errors
/// When memory is short.
pub(crate) fn reserve(level: u8, bytes: &[u8]) -> io::Result<usize> {
    let (frame, _) = opened(level, bytes)?;
    Ok(frame.len() + END + 64 + 4 * frame.len().isqrt())
}

/// A frame of exactly `length` bytes that holds `bytes`, which end with zeros as a tar archive does; `None` when it
/// takes more. It depends on nothing else.
///
/// What [`gzip::padded`](super::gzip::padded) is for. The place is filled by empty raw blocks of three bytes
/// (section 3.1.1.2), and made to come out even by how the last zeros are written.
///
/// # Errors
/// When memory is short.
pub(crate) fn padded(level: u8, bytes: &[u8], length: usize) -> io::Result<Option<Vec<u8>>> {
    let (mut frame, mut seam) = opened(level, bytes)?;
    let Some(room) = length.checked_sub(frame.len() + END) else { return Ok(None) };
    let mut blocks: Vec<Block<'_>> = Vec::new();
    blocks.resize_with(room / 3, || Block::Raw(b""));
    // With the six bytes of END these take six, seven or eight.
    match room % 3 {
        0 => blocks.push(Block::Raw(ZEROS)),
        1 => blocks.extend([Block::Repeated(0, ZEROS.len()), Block::Raw(b"")]),
        _ => blocks.extend([Block::Raw(&ZEROS[..1]), Block::Repeated(0, ZEROS.len() - 1)]),
    }
    put(&blocks, &mut frame);
    seam.hash.write(ZEROS);
    frame.extend(checksum(&seam.hash));
    Ok(Some(frame))
}

/// What is left to the blocks that fill [`padded`].
const ZEROS: &[u8] = &[0; 3];

/// What the last zeros and the checksum take at least.
const END: usize = 6 + 4;

/// A frame of all but the last zeros, open.
fn opened(level: u8, bytes: &[u8]) -> io::Result<(Vec<u8>, Seam)> {
    let head = bytes.strip_suffix(ZEROS).ok_or(io::ErrorKind::InvalidInput)?;
    let mut encoder = Encoder::small(padded_level(level), bytes.len(), Vec::new())?;
    encoder.write(head)?;
    encoder.seam()
}

/// The lower half of XXH64 (section 3.1.1).
fn checksum(hash: &XxHash64) -> [u8; 4] {
    (hash.finish() as u32).to_le_bytes()
}

/// Says in the frame's header that a checksum of the content ends it, as the `zstd` program writes it: damage shows
/// on unpacking.
struct Checked<W> {
    out: W,
    position: usize,
}

/// Where the descriptor is in a frame, and its flag (section 3.1.1.1.1).
const DESCRIPTOR: usize = 4;
const HAS_CHECKSUM: u8 = 1 << 2;

impl<W: Write> Write for Checked<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = match DESCRIPTOR.checked_sub(self.position).and_then(|at| Some((at, bytes.get(at)?))) {
            None => self.out.write(bytes)?,
            Some((0, descriptor)) => self.out.write(&[descriptor | HAS_CHECKSUM])?,
            Some((before, _)) => self.out.write(&bytes[..before])?,
        };
        self.position += written;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Numbers of section 3.1.1.2.2.
const RAW: u32 = 0;
const RLE: u32 = 1;

enum Block<'a> {
    Raw(&'a [u8]),
    Repeated(u8, usize),
}

/// Appends blocks, the last ones of their frame.
fn put(blocks: &[Block<'_>], out: &mut Vec<u8>) {
    for (number, block) in blocks.iter().enumerate() {
        let is_last = u32::from(number + 1 == blocks.len());
        let (kind, size, bytes) = match block {
            Block::Raw(bytes) => (RAW, bytes.len(), *bytes),
            Block::Repeated(byte, count) => (RLE, *count, std::slice::from_ref(byte)),
        };
        let header = is_last | kind << 1 | (size as u32) << 3;
        out.extend(&header.to_le_bytes()[..3]);
        out.extend(bytes);
    }
}

/// A block's size, at most 128 KiB (section 3.1.1.2.4); every level's window is larger.
const LARGEST: usize = 128 << 10;

/// Runs from here on are blocks of their own: such a block takes four bytes, and another one's header three.
const RUN: usize = 10;

/// At least one block.
fn blocks(bytes: &[u8]) -> Vec<Block<'_>> {
    let mut blocks = Vec::new();
    let mut plain = 0;
    let mut at = 0;
    while at < bytes.len() {
        let run = bytes[at..].iter().take_while(|byte| **byte == bytes[at]).count();
        if run >= RUN {
            blocks.extend(bytes[plain..at].chunks(LARGEST).map(Block::Raw));
            blocks.extend(bytes[at..at + run].chunks(LARGEST).map(|run| Block::Repeated(run[0], run.len())));
            plain = at + run;
        }
        at += run;
    }
    blocks.extend(bytes[plain..].chunks(LARGEST).map(Block::Raw));
    if blocks.is_empty() {
        blocks.push(Block::Raw(b""));
    }
    blocks
}

/// What `threads` take, in bytes.
pub(super) fn memory(level: u8, threads: NonZeroUsize) -> u64 {
    let (fixed, each) = fixed_and_each(level);
    (fixed + each * threads.get() as u64) << 20
}

/// As many threads as fit into `budget` bytes, at least one.
fn threads_within(level: u8, threads: NonZeroUsize, budget: u64) -> u32 {
    let (fixed, each) = fixed_and_each(level);
    let fitting = ((budget >> 20).saturating_sub(fixed) / each).max(1);
    u32::try_from(threads.get()).unwrap_or(u32::MAX).min(fitting as u32)
}

/// In MiB. A thread holds a job's input and, at worst, as much output; zstd keeps three more to be filled.
fn fixed_and_each(level: u8) -> (u64, u64) {
    let job = u64::from(job(level));
    (3 * job, u64::from(tables(level)) + 2 * job)
}

/// The match finder's tables of one thread, in MiB (zstd's `clevels.h`, hash and chain logarithms).
fn tables(level: u8) -> u32 {
    match level {
        0..=4 => 2,
        5..=6 => 4,
        7..=8 => 7,
        9 => 13,
        10..=11 => 25,
        12..=15 => 65,
        16 => 49,
        _ => 90,
    }
}

/// The size of a job, in MiB. zstd would take jobs of four windows: 8 MiB at level 3, 16 at 9. At level 3 that is
/// 0.4 % smaller than 4 MiB, and takes 117 MB instead of 80 for two threads and what does not compress.
fn job(level: u8) -> u32 {
    match level {
        0..=4 => 4,
        5..=9 => 3,
        10..=16 => 16,
        _ => 32,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damage_shows() {
        let content: Vec<u8> = (0..100_000_u32).map(|number| (number * 7 % 251) as u8).collect();
        let mut encoder = Encoder::new(3, NonZeroUsize::MIN, 0, Vec::new()).unwrap();
        encoder.write(&content).unwrap();
        let mut frame = encoder.finish().unwrap();
        assert!(zstd::decode_all(&frame[..]).unwrap() == content);
        *frame.last_mut().unwrap() ^= 1;
        assert!(zstd::decode_all(&frame[..]).unwrap_err().to_string().contains("checksum"));
    }

    #[test]
    fn a_padded_frame_is_as_long_as_it_should_be() {
        for size in [4, 1_024, 400_000] {
            let mut content: Vec<u8> = (0..size - 3_u32).map(|number| (number * 7 % 251) as u8).collect();
            content.extend(ZEROS);
            for level in [1, 3, 9, 19] {
                let reserved = reserve(level, &content).unwrap();
                let least = opened(level, &content).unwrap().0.len() + END;
                assert_eq!(padded(level, &content, least - 1).unwrap(), None);
                for length in (least..least + 7).chain([reserved]) {
                    let frame = padded(level, &content, length).unwrap().unwrap();
                    assert_eq!(frame.len(), length);
                    assert!(zstd::decode_all(&frame[..]).unwrap() == content, "{size} at {level}");
                }
            }
        }
    }

    #[test]
    fn a_short_stream_is_the_same_from_both_encoders() {
        let content: Vec<u8> =
            (0..ALIKE as u32).map(|n| (n.wrapping_mul(n / 77) >> 7) as u8 & 0x3f).collect();
        for level in [1, 3, 4] {
            for length in [0, 1, 5_000, 130_560, LARGEST - 1, LARGEST + 1, 200_000, ALIKE] {
                let mut several = Encoder::new(level, NonZeroUsize::MIN, 0, Vec::new()).unwrap();
                let mut single = Encoder::small(level, length, Vec::new()).unwrap();
                several.write(&content[..length]).unwrap();
                single.write(&content[..length]).unwrap();
                assert!(several.finish().unwrap() == single.finish().unwrap(), "{level}, {length}");
            }
        }
    }

    #[test]
    fn a_tail_of_runs_and_others_comes_back() {
        let mut tail = b"a header".to_vec();
        tail.resize(300_000, 0);
        tail.extend(b"and more".repeat(30_000));
        tail.resize(tail.len() + RUN - 1, 0);
        for (head, tail) in [(&b""[..], &tail[..]), (b"head", &tail), (b"", b""), (b"head", b"")] {
            let mut encoder = Encoder::new(3, NonZeroUsize::MIN, 0, Vec::new()).unwrap();
            encoder.write(head).unwrap();
            let (mut frame, seam) = encoder.seam().unwrap();
            frame.extend(seam.tail(tail));
            assert!(zstd::decode_all(&frame[..]).unwrap() == [head, tail].concat());
        }
    }
}

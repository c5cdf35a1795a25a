//! Compressed streams whose bytes do not depend on the number of threads.
//!
//! A package built twice must be the same file, on a laptop and on a build server with 64 processors. None of
//! the three compressors promises that by itself:
//!
//! | stream | specification | how it is made independent of threads |
//! |---|---|---|
//! | gzip | RFC 1952, RFC 1951 | our own: chunks of fixed size, each with the 32 KiB before it as dictionary |
//! | xz | <https://tukaani.org/xz/xz-file-format.txt> | always liblzma's multi-threaded encoder: blocks of fixed size |
//! | zstd | RFC 8878 | always zstd's multi-threaded encoder, whose output differs from the single-threaded one |
//!
//! [`Encoder`] gathers what is written into large pieces, and never flushes a compressor before the end: a
//! flush per file makes the stream several percent longer and keeps the threads from working side by side.
//!
//! **Memory** is bounded whatever the length of the stream: as many threads as fit into 60 MiB at the default
//! levels and below, into 512 MiB at harder levels, which are asked for explicitly; always at least one. At a
//! default level a process that writes one package at a time stays below 100 MiB.
//!
//! The module does not decompress.

pub(crate) mod gzip;
pub(crate) mod stored;

use std::io::{self, Write};
use std::num::NonZeroUsize;

use liblzma::stream::{Check, Filters, LzmaOptions, MtStreamBuilder, Stream};
use zstd::zstd_safe::CParameter;

use crate::Resources;

/// How a payload is compressed, and how hard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    None,
    /// RFC 1952, level 1 to 9.
    Gzip(u8),
    /// xz, level 0 to 9.
    Xz(u8),
    /// RFC 8878, level 1 to 19.
    Zstd(u8),
}

impl Compression {
    /// gzip's default level here, 9: zlib-rs needs half the time that gzip needs for it, and customers
    /// download more often than a vendor builds.
    pub const GZIP: Compression = Compression::Gzip(9);

    /// xz's default level here, 2: the hardest at which two threads (57 MiB) leave room in 100 MiB for a tree of
    /// 20,000 files, and the level that rpm has used since CentOS 7. Level 3 is 3 % smaller and needs twice as
    /// much.
    pub const XZ: Compression = Compression::Xz(2);

    /// zstd's default level here, 9: 11 % smaller than zstd's own default, 3, at 45 MB/s a thread, and the
    /// hardest at which two threads stay below 100 MiB.
    pub const ZSTD: Compression = Compression::Zstd(9);

    /// Reads a compressor's name, as in `gzip` or `gz`, `xz`, `zstd` or `zst`, `none`; with the default level.
    ///
    /// ```
    /// use packhouse_package::archive::compress::Compression;
    /// assert_eq!(Compression::parse("zst"), Some(Compression::ZSTD));
    /// assert_eq!(Compression::parse("bzip2"), None);
    /// ```
    pub fn parse(word: &str) -> Option<Compression> {
        Some(match word {
            "none" => Compression::None,
            "gzip" | "gz" => Compression::GZIP,
            "xz" => Compression::XZ,
            "zstd" | "zst" => Compression::ZSTD,
            _ => return None,
        })
    }

    /// The same compressor at another level; `None` for a level it does not have, and for no compression.
    pub fn with_level(self, level: u8) -> Option<Compression> {
        let compression = match self {
            Compression::None => return None,
            Compression::Gzip(_) => Compression::Gzip(level),
            Compression::Xz(_) => Compression::Xz(level),
            Compression::Zstd(_) => Compression::Zstd(level),
        };
        compression.has_level().then_some(compression)
    }

    /// Its name, as in `zstd`.
    pub fn name(self) -> &'static str {
        match self {
            Compression::None => "none",
            Compression::Gzip(_) => "gzip",
            Compression::Xz(_) => "xz",
            Compression::Zstd(_) => "zstd",
        }
    }

    /// How the names of files that it compressed end, as in `.zst`; empty for no compression.
    pub fn suffix(self) -> &'static str {
        match self {
            Compression::None => "",
            Compression::Gzip(_) => ".gz",
            Compression::Xz(_) => ".xz",
            Compression::Zstd(_) => ".zst",
        }
    }

    fn has_level(self) -> bool {
        match self {
            Compression::None => true,
            Compression::Gzip(level) => (1..=9).contains(&level),
            Compression::Xz(level) => level <= 9,
            Compression::Zstd(level) => (1..=19).contains(&level),
        }
    }

    fn memory_budget(self) -> u64 {
        let is_harder = match self {
            Compression::None | Compression::Gzip(_) => false,
            Compression::Xz(level) => level > 2,
            Compression::Zstd(level) => level > 9,
        };
        if is_harder { 512 << 20 } else { DEFAULT_BUDGET }
    }
}

/// For the compressor, in bytes. What is left of 100 MiB is for the program and the tree: 27 MiB in an rpm of
/// 20,000 files, measured.
const DEFAULT_BUDGET: u64 = 60 << 20;

/// How much is gathered before a compressor sees it: callers write tar headers of 512 bytes.
const PIECE: usize = 256 << 10;

/// Compresses what is written to it into `W`.
///
/// [`Encoder::finish`] must be called: a dropped encoder leaves an incomplete stream. `flush` passes nothing
/// on, because output would depend on when it is called.
pub struct Encoder<W: Write> {
    gathered: Vec<u8>,
    stream: Inner<W>,
}

enum Inner<W: Write> {
    None(W),
    Gzip(gzip::Encoder<W>),
    Xz(liblzma::write::XzEncoder<W>),
    Zstd(zstd::Encoder<'static, W>),
}

impl<W: Write> Encoder<W> {
    /// Starts a stream in `out`, on at most `resources.threads` threads.
    ///
    /// # Errors
    /// When the compressor does not have that level, or memory is short.
    pub fn new(compression: Compression, resources: Resources, out: W) -> io::Result<Encoder<W>> {
        if !compression.has_level() {
            let message = format!("{} has no such level: {compression:?}", compression.name());
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        let threads = resources.threads;
        let budget = compression.memory_budget();
        let stream = match compression {
            Compression::None => Inner::None(out),
            Compression::Gzip(level) => Inner::Gzip(gzip::Encoder::new(level, threads, out)?),
            Compression::Xz(level) => {
                let stream = xz_stream(level, threads, budget)?;
                Inner::Xz(liblzma::write::XzEncoder::new_stream(out, stream))
            }
            Compression::Zstd(level) => Inner::Zstd(zstd_encoder(level, threads, budget, out)?),
        };
        Ok(Encoder { gathered: Vec::with_capacity(PIECE), stream })
    }

    /// Ends the stream and returns `out`, which is not flushed.
    ///
    /// # Errors
    /// When `out` fails.
    pub fn finish(mut self) -> io::Result<W> {
        self.pass_on()?;
        match self.stream {
            Inner::None(out) => Ok(out),
            Inner::Gzip(encoder) => encoder.finish(),
            Inner::Xz(encoder) => encoder.finish(),
            Inner::Zstd(encoder) => encoder.finish(),
        }
    }

    fn pass_on(&mut self) -> io::Result<()> {
        let piece = &self.gathered;
        match &mut self.stream {
            Inner::None(out) => out.write_all(piece)?,
            Inner::Gzip(encoder) => encoder.write_all(piece)?,
            Inner::Xz(encoder) => encoder.write_all(piece)?,
            Inner::Zstd(encoder) => encoder.write_all(piece)?,
        }
        self.gathered.clear();
        Ok(())
    }
}

impl<W: Write> Write for Encoder<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.gathered.len() == PIECE {
            self.pass_on()?;
        }
        let taken = bytes.len().min(PIECE - self.gathered.len());
        self.gathered.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// liblzma's multi-threaded encoder with as many threads as fit into `budget` bytes, at least one.
fn xz_stream(level: u8, threads: NonZeroUsize, budget: u64) -> io::Result<Stream> {
    let mut filters = Filters::new();
    filters.lzma2(&LzmaOptions::new_preset(u32::from(level))?);
    let mut builder = MtStreamBuilder::new();
    // CRC64 is xz's default check, and dpkg and rpm verify it.
    builder.filters(filters).check(Check::Crc64).block_size(xz_block(level));
    let mut count = u32::try_from(threads.get()).unwrap_or(u32::MAX).clamp(1, 64);
    while count > 1 && builder.threads(count).memusage() > budget {
        count -= 1;
    }
    Ok(builder.threads(count).encoder()?)
}

/// Blocks of twice the dictionary, at least 1 MiB. liblzma would take three times (xz(1), `--block-size`), which
/// is 0.4 % smaller at level 2 and takes 12 MiB more for two threads. The dictionaries are those of xz(1).
fn xz_block(level: u8) -> u64 {
    let dictionary: u64 = match level {
        0 => 256 << 10,
        1 => 1 << 20,
        2 => 2 << 20,
        3..=4 => 4 << 20,
        5..=6 => 8 << 20,
        7 => 16 << 20,
        8 => 32 << 20,
        _ => 64 << 20,
    };
    (2 * dictionary).max(1 << 20)
}

/// zstd's multi-threaded encoder with as many threads as fit into `budget` bytes, at least one.
fn zstd_encoder<W: Write>(
    level: u8,
    threads: NonZeroUsize,
    budget: u64,
    out: W,
) -> io::Result<zstd::Encoder<'static, W>> {
    let (tables, job) = zstd_memory(level);
    let mut encoder = zstd::Encoder::new(out, i32::from(level))?;
    // A checksum of the content, as the `zstd` program writes it: damage shows on unpacking.
    encoder.include_checksum(true)?;
    encoder.set_parameter(CParameter::JobSize(job << 20))?;
    let fixed = 3 * u64::from(job);
    let each = u64::from(tables + 2 * job);
    let fitting = ((budget >> 20).saturating_sub(fixed) / each).max(1);
    // Never 0: that is the single-threaded encoder, whose output differs.
    let count = u32::try_from(threads.get()).unwrap_or(u32::MAX).min(fitting as u32);
    encoder.multithread(count)?;
    Ok(encoder)
}

/// What a level takes, in MiB: the match finder's tables of one thread (zstd's `clevels.h`, hash and chain
/// logarithms), and the size of a job.
///
/// A thread holds a job's input and, at worst, as much output; zstd keeps three more to be filled. zstd would
/// take jobs of four windows (16 MiB at level 9, 106 MB for two threads); 2 MiB cost 1.7 % in size there, and
/// 63 MB less.
fn zstd_memory(level: u8) -> (u32, u32) {
    match level {
        0..=4 => (2, 2),
        5..=6 => (4, 2),
        7..=8 => (7, 2),
        9 => (13, 2),
        10..=11 => (25, 16),
        12..=15 => (65, 16),
        16 => (49, 16),
        _ => (90, 32),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Text-like bytes from a linear congruential generator: compressible, but not everywhere alike.
    fn sample(length: usize) -> Vec<u8> {
        let mut state = 1_u64;
        let mut bytes = Vec::with_capacity(length + 8);
        while bytes.len() < length {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            let word = (state >> 33) as usize;
            bytes.extend_from_slice(&b"the quick brown fox jumps over a lazy dog "[word % 30..][..word % 12]);
        }
        bytes.truncate(length);
        bytes
    }

    fn compress(compression: Compression, threads: usize, pieces: &[&[u8]]) -> Vec<u8> {
        let resources = Resources { threads: NonZeroUsize::new(threads).unwrap() };
        let mut encoder = Encoder::new(compression, resources, Vec::new()).unwrap();
        for piece in pieces {
            encoder.write_all(piece).unwrap();
            encoder.flush().unwrap();
        }
        encoder.finish().unwrap()
    }

    #[test]
    fn bytes_do_not_depend_on_threads_or_on_how_they_are_written() {
        let plain = sample(9 << 20);
        for compression in
            [Compression::Gzip(1), Compression::Gzip(6), Compression::Xz(0), Compression::Zstd(1)]
        {
            let once = compress(compression, 1, &[&plain]);
            assert!(once.len() < plain.len() / 2, "{compression:?}");
            for threads in [2, 16] {
                let again =
                    compress(compression, threads, &[&plain[..7], &plain[7..70_000], &plain[70_000..]]);
                assert!(once == again, "{compression:?} with {threads} threads");
            }
        }
    }

    #[test]
    fn gzip_ends_well_at_every_length() {
        for length in [0, 1, (256 << 10) - 1, 256 << 10, (256 << 10) + 1, 512 << 10] {
            let plain = sample(length);
            let compressed = compress(Compression::GZIP, 3, &[&plain]);
            let mut decoded = Vec::new();
            io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&compressed[..]), &mut decoded).unwrap();
            assert!(decoded == plain, "{length} bytes");
        }
    }

    #[test]
    fn the_gzip_header_says_nothing_about_the_machine() {
        let compressed = compress(Compression::GZIP, 1, &[b"x"]);
        assert_eq!(compressed[..10], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 255]);
    }

    #[test]
    fn a_level_that_does_not_exist_is_refused() {
        for compression in
            [Compression::Gzip(0), Compression::Gzip(10), Compression::Xz(10), Compression::Zstd(20)]
        {
            let resources = Resources { threads: NonZeroUsize::MIN };
            assert!(Encoder::new(compression, resources, Vec::new()).is_err(), "{compression:?}");
        }
        assert_eq!(Compression::GZIP.with_level(10), None);
    }

    #[test]
    fn two_threads_fit_into_the_memory_of_the_default_levels() {
        let mut filters = Filters::new();
        filters.lzma2(&LzmaOptions::new_preset(2).unwrap());
        let mut builder = MtStreamBuilder::new();
        builder.filters(filters).check(Check::Crc64).block_size(xz_block(2)).threads(2);
        assert!(builder.memusage() <= DEFAULT_BUDGET, "{}", builder.memusage());
        let (tables, job) = zstd_memory(9);
        assert!(u64::from(3 * job + 2 * (tables + 2 * job)) << 20 <= DEFAULT_BUDGET);
    }
}

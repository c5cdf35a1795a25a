//! Compressed streams whose bytes do not depend on the number of threads.
//!
//! A package built twice must be the same file, on a laptop and on a build server with 64 processors. None of
//! the first three compressors promises that by itself:
//!
//! | stream | specification | how it is made independent of threads |
//! |---|---|---|
//! | gzip | RFC 1952, RFC 1951 | our own: chunks of fixed size, each with the 32 KiB before it as dictionary |
//! | xz | <https://tukaani.org/xz/xz-file-format.txt> | always liblzma's multi-threaded encoder: blocks of fixed size |
//! | zstd | RFC 8878 | zstd's multi-threaded encoder, whose output differs from the single-threaded one; that one for what is short |
//! | bzip2 | – | always on one thread |
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
mod xz;
pub(crate) mod zstd;

use std::io::{self, Write};
use std::num::NonZeroUsize;

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
    /// bzip2, level 1 to 9, on one thread; for `packhouse fpm`, whose users name it, and for nothing else.
    Bzip2(u8),
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
            Compression::Bzip2(_) => Compression::Bzip2(level),
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
            Compression::Bzip2(_) => "bzip2",
        }
    }

    /// How the names of files that it compressed end, as in `.zst`; empty for no compression.
    pub fn suffix(self) -> &'static str {
        match self {
            Compression::None => "",
            Compression::Gzip(_) => ".gz",
            Compression::Xz(_) => ".xz",
            Compression::Zstd(_) => ".zst",
            Compression::Bzip2(_) => ".bz2",
        }
    }

    fn has_level(self) -> bool {
        match self {
            Compression::None => true,
            Compression::Gzip(level) | Compression::Bzip2(level) => (1..=9).contains(&level),
            Compression::Xz(level) => level <= 9,
            Compression::Zstd(level) => (1..=19).contains(&level),
        }
    }

    /// A whole stream that holds `bytes`, compressed on this thread.
    ///
    /// # Errors
    /// As [`Encoder::new`].
    pub fn whole(self, bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut encoder = Encoder::new(self, Resources { threads: NonZeroUsize::MIN }, Vec::new())?;
        encoder.write_all(bytes)?;
        encoder.finish()
    }

    /// What a compressor with that many threads takes, in bytes.
    pub(crate) fn memory(self, threads: NonZeroUsize) -> u64 {
        match self {
            Compression::None => 0,
            Compression::Gzip(_) => gzip::memory(threads),
            Compression::Xz(level) => xz::memory(level, threads).unwrap_or(u64::MAX),
            Compression::Zstd(level) => zstd::memory(level, threads),
            Compression::Bzip2(_) => 8 << 20,
        }
    }

    /// What compressors may take together, in bytes.
    pub(crate) fn memory_budget(self) -> u64 {
        let is_harder = match self {
            Compression::None | Compression::Gzip(_) | Compression::Bzip2(_) => false,
            Compression::Xz(level) => level > 2,
            Compression::Zstd(level) => level > 9,
        };
        if is_harder { 512 << 20 } else { DEFAULT_BUDGET }
    }

    /// A stream up to this long is compressed as one whose length is known; 0 where that is no gain.
    fn small(self) -> usize {
        match self {
            Compression::None | Compression::Gzip(_) | Compression::Bzip2(_) => 0,
            Compression::Zstd(..5) => zstd::ALIKE,
            // The tables for that length are taken and not the level's, which take longer to fill (85 MiB at zstd 19)
            // than a small package to compress.
            Compression::Xz(_) | Compression::Zstd(_) => 1 << 20,
        }
    }
}

/// For the compressor, in bytes. What is left of 100 MiB is for the program and the tree: 27 MiB in an rpm of
/// 20,000 files, measured.
pub(crate) const DEFAULT_BUDGET: u64 = 60 << 20;

/// How much is gathered before a compressor sees it: callers write tar headers of 512 bytes.
const PIECE: usize = 256 << 10;

/// What is this large goes to the compressor as it is.
const DIRECT: usize = 64 << 10;

/// What one of several streams may take of the machine. Has no influence on the bytes written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Share {
    /// How many threads compress, if memory suffices for as many.
    pub(crate) threads: NonZeroUsize,
    /// For the compressor, in bytes.
    pub(crate) memory: u64,
}

/// Compresses what is written to it into `W`.
///
/// [`Encoder::finish`] must be called: a dropped encoder leaves an incomplete stream. `flush` passes nothing
/// on, because output would depend on when it is called.
pub struct Encoder<W: Write> {
    compression: Compression,
    share: Share,
    gathered: Vec<u8>,
    stream: Inner<W>,
}

enum Inner<W: Write> {
    /// Not begun: what is written is gathered, because a compressor that knows how little will come takes less.
    Waiting(Option<W>),
    None(W),
    Gzip(gzip::Encoder<W>),
    Xz(xz::Encoder<W>),
    Zstd(zstd::Encoder<W>),
    Bzip2(Box<bzip2::write::BzEncoder<W>>),
}

impl<W: Write> Encoder<W> {
    /// Starts a stream in `out`, on at most `resources.threads` threads.
    ///
    /// # Errors
    /// When the compressor does not have that level, or memory is short.
    pub fn new(compression: Compression, resources: Resources, out: W) -> io::Result<Encoder<W>> {
        let share = Share { threads: resources.threads, memory: compression.memory_budget() };
        Encoder::with_share(compression, share, out)
    }

    /// Starts a stream with a share of what several streams may take.
    ///
    /// # Errors
    /// As [`Encoder::new`].
    pub(crate) fn with_share(compression: Compression, share: Share, out: W) -> io::Result<Encoder<W>> {
        if !compression.has_level() {
            let message = format!("{} has no such level: {compression:?}", compression.name());
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        let stream = match compression.small() {
            0 => Inner::begin(compression, share, None, out)?,
            _ => Inner::Waiting(Some(out)),
        };
        Ok(Encoder { compression, share, gathered: Vec::new(), stream })
    }

    /// Ends the stream and returns `out`, which is not flushed.
    ///
    /// # Errors
    /// When `out` fails.
    pub fn finish(mut self) -> io::Result<W> {
        self.begin(Some(self.gathered.len()))?;
        self.pass_on()?;
        match self.stream {
            Inner::Waiting(_) => unreachable!("it has begun"),
            Inner::None(out) => Ok(out),
            Inner::Gzip(encoder) => encoder.finish(),
            Inner::Xz(encoder) => encoder.finish(),
            Inner::Zstd(encoder) => encoder.finish(),
            Inner::Bzip2(encoder) => encoder.finish(),
        }
    }

    /// Ends the head of the stream and returns `out`, which is not flushed, and how the stream goes on.
    ///
    /// # Errors
    /// When `out` fails.
    pub(crate) fn seam(mut self) -> io::Result<(W, Seam)> {
        self.begin(Some(self.gathered.len()))?;
        self.pass_on()?;
        let (out, seam) = match self.stream {
            Inner::Waiting(_) => unreachable!("it has begun"),
            Inner::None(out) => (out, Kind::None),
            Inner::Gzip(encoder) => encoder.seam().map(|(out, seam)| (out, Kind::Gzip(seam)))?,
            Inner::Xz(encoder) => {
                let Compression::Xz(level) = self.compression else { unreachable!("it is an encoder of xz") };
                encoder.seam(level).map(|(out, seam)| (out, Kind::Xz(seam)))?
            }
            Inner::Zstd(encoder) => encoder.seam().map(|(out, seam)| (out, Kind::Zstd(seam)))?,
            // A stream of bzip2's has no place to go on at; nobody asks for one.
            Inner::Bzip2(_) => return Err(io::Error::other("a stream of bzip2's is written in one go")),
        };
        Ok((out, Seam(seam)))
    }

    /// Begins the stream if it has not begun. `size` is how much will come, if that is known.
    fn begin(&mut self, size: Option<usize>) -> io::Result<()> {
        if let Inner::Waiting(out) = &mut self.stream
            && let Some(out) = out.take()
        {
            self.stream = Inner::begin(self.compression, self.share, size, out)?;
        }
        Ok(())
    }

    fn pass_on(&mut self) -> io::Result<()> {
        compress(&mut self.stream, &self.gathered)?;
        self.gathered.clear();
        Ok(())
    }
}

impl<W: Write> Inner<W> {
    fn begin(compression: Compression, share: Share, size: Option<usize>, out: W) -> io::Result<Inner<W>> {
        let Share { threads, memory } = share;
        Ok(match compression {
            Compression::None => Inner::None(out),
            Compression::Gzip(level) => Inner::Gzip(gzip::Encoder::new(level, threads, out)?),
            Compression::Xz(level) => Inner::Xz(match size {
                Some(size) => xz::Encoder::small(level, size, out)?,
                None => xz::Encoder::new(level, threads, memory, out)?,
            }),
            Compression::Zstd(level) => Inner::Zstd(match size {
                Some(size) => zstd::Encoder::small(level, size, out)?,
                None => zstd::Encoder::new(level, threads, memory, out)?,
            }),
            Compression::Bzip2(level) => {
                let level = bzip2::Compression::new(u32::from(level));
                Inner::Bzip2(Box::new(bzip2::write::BzEncoder::new(out, level)))
            }
        })
    }
}

fn compress<W: Write>(stream: &mut Inner<W>, bytes: &[u8]) -> io::Result<()> {
    match stream {
        Inner::Waiting(_) => Err(io::Error::other("the stream could not be begun")),
        Inner::None(out) => out.write_all(bytes),
        Inner::Gzip(encoder) => encoder.write_all(bytes),
        Inner::Xz(encoder) => encoder.write(bytes),
        Inner::Zstd(encoder) => encoder.write(bytes),
        Inner::Bzip2(encoder) => encoder.write_all(bytes),
    }
}

impl<W: Write> Write for Encoder<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if matches!(self.stream, Inner::Waiting(_)) {
            if self.gathered.len() + bytes.len() <= self.compression.small() {
                self.gathered.extend_from_slice(bytes);
                return Ok(bytes.len());
            }
            self.begin(None)?;
            self.pass_on()?;
        }
        // What is large already need not be copied once more.
        if bytes.len() >= DIRECT {
            self.pass_on()?;
            compress(&mut self.stream, bytes)?;
            return Ok(bytes.len());
        }
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

/// Where a stream goes on: what has been written is its head, which several streams may share, each with a tail
/// of its own.
#[derive(Debug)]
pub(crate) struct Seam(Kind);

#[derive(Debug)]
enum Kind {
    None,
    Gzip(gzip::Seam),
    Xz(xz::Seam),
    Zstd(zstd::Seam),
}

impl Seam {
    /// The rest of the stream: what holds `tail`, and the end. Behind the head it makes one gzip member, one xz
    /// stream, one zstd frame.
    pub(crate) fn tail(&self, tail: &[u8]) -> io::Result<Vec<u8>> {
        match &self.0 {
            Kind::None => Ok(tail.to_vec()),
            Kind::Gzip(seam) => seam.tail(tail),
            Kind::Xz(seam) => seam.tail(tail),
            Kind::Zstd(seam) => Ok(seam.tail(tail)),
        }
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
    fn bzip2_is_one_stream_and_has_no_seam() {
        let bytes = sample(2_000_000);
        let resources = Resources { threads: NonZeroUsize::new(2).unwrap() };
        let mut encoder = Encoder::new(Compression::Bzip2(9), resources, Vec::new()).unwrap();
        encoder.write_all(&bytes).unwrap();
        let stream = encoder.finish().unwrap();
        let mut read = Vec::new();
        std::io::Read::read_to_end(&mut bzip2::read::BzDecoder::new(&stream[..]), &mut read).unwrap();
        assert!(read == bytes);
        let encoder = Encoder::new(Compression::Bzip2(9), resources, Vec::new()).unwrap();
        assert!(encoder.seam().is_err());
    }

    #[test]
    fn a_tail_makes_one_stream_of_a_shared_head() {
        let (head, tail) = (sample(3 << 20), sample(5_000));
        for compression in [Compression::None, Compression::GZIP, Compression::XZ, Compression::ZSTD] {
            let resources = Resources { threads: NonZeroUsize::new(2).unwrap() };
            let mut encoder = Encoder::new(compression, resources, Vec::new()).unwrap();
            encoder.write_all(&head).unwrap();
            let (compressed, seam) = encoder.seam().unwrap();
            for tail in [&tail[..], b"another", b""] {
                let stream = [compressed.clone(), seam.tail(tail).unwrap()].concat();
                let mut read = Vec::new();
                match compression {
                    Compression::None => read = stream,
                    Compression::Gzip(_) => {
                        let mut decoder = flate2::read::GzDecoder::new(&stream[..]);
                        std::io::Read::read_to_end(&mut decoder, &mut read).unwrap();
                    }
                    Compression::Xz(_) => liblzma::copy_decode(&stream[..], &mut read).unwrap(),
                    Compression::Zstd(_) => ::zstd::stream::copy_decode(&stream[..], &mut read).unwrap(),
                    Compression::Bzip2(_) => unreachable!("it has no seam"),
                }
                assert!(read == [&head, tail].concat(), "{compression:?}");
            }
        }
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
        let two = NonZeroUsize::new(2).unwrap();
        for compression in [Compression::XZ, Compression::ZSTD, Compression::GZIP] {
            assert!(
                compression.memory(two) <= DEFAULT_BUDGET,
                "{compression:?}: {}",
                compression.memory(two)
            );
        }
    }
}

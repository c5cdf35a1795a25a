//! Compressed streams, read as hostile input: what they unpack to is bounded, and so is the memory it takes.
//!
//! | stream | recognized by | bounded by |
//! |---|---|---|
//! | gzip (RFC 1952), any number of members | `1f 8b` | the count of empty members |
//! | xz (<https://tukaani.org/xz/xz-file-format.txt>), any number of streams | `fd 37 7a 58 5a 00` | liblzma's limit of memory |
//! | lzma, the older form | `5d 00 00` | the same |
//! | zstd (RFC 8878), any number of frames | `28 b5 2f fd`, or a skippable frame | the largest window |
//!
//! [`Decoder`] reads all of them. [`Members`] reads gzip member by member and says where each lies and what its
//! compressed bytes hash to, which is what apk signs. Anything behind the stream is refused: another reader
//! might unpack it. bzip2 is recognized and refused by name.

mod members;

use std::io::{self, BufRead, Read};

use liblzma::stream::{CONCATENATED, Stream};

pub(crate) use members::{Member, Members};

use super::part::Part;
use crate::Result;

/// Unpacked bytes of a payload, whatever its package says that it unpacks to.
pub(crate) const DEFAULT_OUTPUT: u64 = 4 << 30;

/// For a decompressor's window or dictionary. zstd's and dpkg's own limit; xz -9 takes 65 MiB.
const MEMORY: u64 = 128 << 20;
const ZSTD_WINDOW_LOG: u32 = 27;

/// Up to here any ratio is believed: a sparse file of gigabytes is some kilobytes of zstd or xz, and nothing of it
/// stays in memory. It costs time only, some 20 seconds of a processor at most (`docs/contributing/fuzzing.md`).
const UNSUSPICIOUS: u64 = 8 << 30;
/// Beyond it, a stream that unpacks to more than this many times its length is taken for a bomb, so that the time it
/// takes is that of its length. gzip cannot say more than 1,032 in one byte (zlib's technical notes), real payloads
/// stay below 100.
const RATIO: u64 = 1100;

/// How a stream is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    /// Not at all.
    None,
    /// RFC 1952.
    Gzip,
    /// xz.
    Xz,
    /// The form before xz, without check and index.
    Lzma,
    /// RFC 8878.
    Zstd,
    /// bzip2, which is not read.
    Bzip2,
}

impl Method {
    /// Its name, as in `gzip`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Method::None => "none",
            Method::Gzip => "gzip",
            Method::Xz => "xz",
            Method::Lzma => "lzma",
            Method::Zstd => "zstd",
            Method::Bzip2 => "bzip2",
        }
    }

    /// By a name's last ending, as in `.gz`; `None` for one that says nothing.
    pub(crate) fn of_name(name: &str) -> Option<Method> {
        Some(match name.rsplit_once('.')?.1 {
            "tar" => Method::None,
            "gz" | "tgz" => Method::Gzip,
            "xz" | "txz" => Method::Xz,
            "lzma" => Method::Lzma,
            "zst" | "tzst" => Method::Zstd,
            "bz2" => Method::Bzip2,
            _ => return None,
        })
    }

    /// By the first bytes, of which there should be 6; [`Method::None`] for anything else.
    pub(crate) fn of_magic(bytes: &[u8]) -> Method {
        match bytes {
            [0x1f, 0x8b, ..] => Method::Gzip,
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Method::Xz,
            [0x5d, 0, 0, ..] => Method::Lzma,
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Method::Zstd,
            [b'B', b'Z', b'h', ..] => Method::Bzip2,
            _ => Method::None,
        }
    }
}

/// Unpacks what it reads from `R`; an error of [`crate::Error`]'s is inside each [`io::Error`].
pub(crate) struct Decoder<R: BufRead> {
    method: Method,
    part: Part,
    budget: Budget,
    inner: Inner<R>,
}

/// What a stream may still unpack to.
struct Budget {
    limit: u64,
    produced: u64,
}

impl Budget {
    /// Takes `count` bytes more, of a stream of which `consumed` bytes were read.
    fn take(&mut self, count: u64, consumed: u64, part: Part) -> Result<()> {
        self.produced += count;
        if self.produced > self.limit {
            return Err(part.beyond("unpacked bytes", self.limit));
        }
        if self.produced > UNSUSPICIOUS && self.produced / RATIO > consumed {
            return Err(part.beyond("times its own length, unpacked,", RATIO));
        }
        Ok(())
    }
}

enum Inner<R: BufRead> {
    None(Counted<R>),
    Gzip(Members<Counted<R>>),
    Lzma(Box<liblzma::bufread::XzDecoder<Counted<R>>>),
    Zstd(Box<zstd::Decoder<'static, Counted<R>>>),
}

impl<R: BufRead> Decoder<R> {
    /// Unpacks a stream of this method, to at most `limit` bytes.
    ///
    /// # Errors
    /// When it does not start as the method's streams do.
    pub(crate) fn new(method: Method, mut from: R, part: Part, limit: u64) -> Result<Decoder<R>> {
        // A buffer shorter than a magic ends the stream, or comes from a reader that gives single bytes; then
        // the decompressor says what is wrong.
        let start = from.fill_buf().map_err(|error| part.failed(error))?;
        let found = Method::of_magic(start);
        if start.is_empty() && method != Method::None {
            return Err(part.malformed(format!("it is empty, and not {}", method.name())));
        }
        if method != Method::None && found != method && start.len() >= 6 {
            return Err(part.malformed(format!("it is not {}, as its name says", method.name())));
        }
        let from = Counted { from, consumed: 0 };
        let inner = match method {
            Method::None => Inner::None(from),
            Method::Gzip => Inner::Gzip(Members::joined(from, part)),
            Method::Xz | Method::Lzma => {
                let stream = match method {
                    Method::Xz => Stream::new_stream_decoder(MEMORY, CONCATENATED),
                    _ => Stream::new_lzma_decoder(MEMORY),
                };
                let stream = stream.map_err(|error| part.failed(error.into()))?;
                Inner::Lzma(Box::new(liblzma::bufread::XzDecoder::new_stream(from, stream)))
            }
            Method::Zstd => {
                let mut decoder = zstd::Decoder::with_buffer(from).map_err(|error| part.failed(error))?;
                decoder.window_log_max(ZSTD_WINDOW_LOG).map_err(|error| part.failed(error))?;
                Inner::Zstd(Box::new(decoder))
            }
            Method::Bzip2 => {
                return Err(part.malformed("it is compressed with bzip2, which Packhouse does not read"));
            }
        };
        Ok(Decoder { method, part, budget: Budget { limit, produced: 0 }, inner })
    }

    /// As [`Decoder::new`], with the method that the first bytes show.
    ///
    /// # Errors
    /// As [`Decoder::new`].
    pub(crate) fn detect(mut from: R, part: Part, limit: u64) -> Result<Decoder<R>> {
        let start = from.fill_buf().map_err(|error| part.failed(error))?;
        let method = Method::of_magic(start);
        Decoder::new(method, from, part, limit)
    }

    /// How the stream is compressed.
    pub(crate) fn method(&self) -> Method {
        self.method
    }

    fn consumed(&self) -> u64 {
        match &self.inner {
            Inner::None(from) => from.consumed,
            Inner::Gzip(members) => members.get_ref().consumed,
            Inner::Lzma(decoder) => decoder.get_ref().consumed,
            Inner::Zstd(decoder) => decoder.get_ref().consumed,
        }
    }

    /// A failed read of a compressed stream is a fault of the stream, unless what is below it failed.
    fn explain(&self, error: io::Error) -> io::Error {
        let is_below = error.get_ref().is_some_and(|inner| inner.is::<crate::Error>());
        if is_below || error.raw_os_error().is_some() || error.kind() == io::ErrorKind::Interrupted {
            return error;
        }
        let is_memory = error
            .get_ref()
            .and_then(|inner| inner.downcast_ref::<liblzma::stream::Error>())
            .is_some_and(|error| matches!(error, liblzma::stream::Error::MemLimit))
            || error.to_string().contains("requires too much memory");
        io::Error::other(if is_memory {
            self.part.beyond("bytes of memory to unpack it", MEMORY)
        } else if error.kind() == io::ErrorKind::UnexpectedEof {
            self.part.malformed("it ends too early")
        } else {
            self.part.malformed(format!("its {} stream is broken: {error}", self.method.name()))
        })
    }
}

impl<R: BufRead> Read for Decoder<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        if bytes.is_empty() {
            return Ok(0);
        }
        let result = match &mut self.inner {
            Inner::None(from) => from.read(bytes),
            Inner::Gzip(members) => members.read(bytes),
            Inner::Lzma(decoder) => decoder.read(bytes),
            Inner::Zstd(decoder) => decoder.read(bytes),
        };
        let count = result.map_err(|error| self.explain(error))?;
        if count == 0 {
            // xz and lzma stop at their end, whatever follows.
            if let Inner::Lzma(decoder) = &mut self.inner
                && !decoder.get_mut().fill_buf()?.is_empty()
            {
                return Err(io::Error::other(self.part.malformed("something follows its compressed stream")));
            }
            return Ok(0);
        }
        let consumed = self.consumed();
        self.budget.take(count as u64, consumed, self.part).map_err(io::Error::other)?;
        Ok(count)
    }
}

/// Counts what is taken from a reader.
struct Counted<R> {
    from: R,
    consumed: u64,
}

impl<R: BufRead> BufRead for Counted<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.from.fill_buf()
    }

    fn consume(&mut self, count: usize) {
        self.consumed += count as u64;
        self.from.consume(count);
    }
}

impl<R: BufRead> Read for Counted<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let count = self.from.read(bytes)?;
        self.consumed += count as u64;
        Ok(count)
    }
}

#[cfg(test)]
mod tests;

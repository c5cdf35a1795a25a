//! gzip, member by member (RFC 1952, 2.2: a file is a series of members).
//!
//! An apk is up to three members, each signed or hashed by its compressed bytes: the signature, what the package
//! says about itself, and its files. [`Members::next`] stops at each border.

use std::io::{self, BufRead, Read};

use flate2::bufread::GzDecoder;
use sha1::Sha1;
use sha2::{Digest as _, Sha256};

use super::super::part::Part;
use crate::{Error, Result};

/// Members that unpack to nothing, in a row: some writers end with one, nobody writes many.
const MOST_EMPTY: u32 = 16;

/// Reads the members of a gzip file; as a reader it gives the current one, and nothing after it.
pub(crate) struct Members<R: BufRead> {
    part: Part,
    state: State<R>,
    is_joined: bool,
    has_output: bool,
    empty: u32,
}

enum State<R: BufRead> {
    /// Before the first member or between two.
    Between(Hashed<R>),
    Inside(Box<GzDecoder<Hashed<R>>>),
    /// Something failed; what is left is not to be believed.
    Broken,
}

/// A member that was read to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    /// Where it starts in the file.
    pub(crate) offset: u64,
    /// How long it is, compressed.
    pub(crate) length: u64,
    /// SHA-1 of its compressed bytes.
    pub(crate) sha1: [u8; 20],
    /// SHA-256 of its compressed bytes.
    pub(crate) sha256: [u8; 32],
}

impl<R: BufRead> Members<R> {
    /// Starts before the first member: [`Members::next`] opens it.
    pub(crate) fn new(from: R, part: Part) -> Members<R> {
        let state = State::Between(Hashed::new(from, true));
        Members { part, state, is_joined: false, has_output: false, empty: 0 }
    }

    /// Reads all members as one stream, and hashes nothing.
    pub(super) fn joined(from: R, part: Part) -> Members<R> {
        let state = State::Between(Hashed::new(from, false));
        Members { part, state, is_joined: true, has_output: false, empty: 0 }
    }

    /// What is below.
    pub(super) fn get_ref(&self) -> &R {
        match &self.state {
            State::Between(from) => &from.from,
            State::Inside(decoder) => &decoder.get_ref().from,
            State::Broken => unreachable!("a broken stream is not read any more"),
        }
    }

    /// Opens the next member, whose bytes are then read from `self`; `false` when there is none.
    ///
    /// # Errors
    /// When the one before was not read to its end, and when what follows it is no member.
    pub(crate) fn next(&mut self) -> Result<bool> {
        match std::mem::replace(&mut self.state, State::Broken) {
            State::Between(mut from) => {
                if from.fill_buf().map_err(|error| self.part.failed(error))?.is_empty() {
                    self.state = State::Between(from);
                    return Ok(false);
                }
                from.start();
                self.has_output = false;
                self.state = State::Inside(Box::new(GzDecoder::new(from)));
                Ok(true)
            }
            _ => Err(self.part.malformed("a gzip member was not read to its end")),
        }
    }

    /// Ends the member, which must have been read to its end, and says what it was.
    ///
    /// # Errors
    /// When more of it follows.
    pub(crate) fn end(&mut self) -> Result<Member> {
        let mut more = [0];
        if self.part.read_up_to(self, &mut more)? != 0 {
            return Err(self.part.malformed("more follows in its gzip member"));
        }
        match &mut self.state {
            State::Between(from) => Ok(from.end()),
            _ => Err(self.part.malformed("its gzip stream is broken")),
        }
    }

    fn read_member(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let State::Inside(decoder) = &mut self.state else { return Ok(0) };
        let count = match decoder.read(bytes) {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Err(error),
            Err(error) => return Err(self.broken(error)),
        };
        if count > 0 {
            self.has_output = true;
            self.empty = 0;
            return Ok(count);
        }
        if let State::Inside(decoder) = std::mem::replace(&mut self.state, State::Broken) {
            self.state = State::Between(decoder.into_inner());
        }
        if !self.has_output {
            self.empty += 1;
            if self.empty > MOST_EMPTY {
                let error = self.part.beyond("empty gzip members in a row", u64::from(MOST_EMPTY));
                return Err(self.broken(io::Error::other(error)));
            }
        }
        Ok(0)
    }

    fn broken(&mut self, error: io::Error) -> io::Error {
        let is_ours = error.get_ref().is_some_and(|inner| inner.is::<Error>());
        if is_ours || error.raw_os_error().is_some() {
            return error;
        }
        io::Error::other(match error.kind() {
            io::ErrorKind::UnexpectedEof => self.part.malformed("it ends too early"),
            _ => self.part.malformed(format!("its gzip stream is broken: {error}")),
        })
    }
}

impl<R: BufRead> Read for Members<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        if bytes.is_empty() {
            return Ok(0);
        }
        loop {
            if matches!(self.state, State::Inside(_)) {
                let count = self.read_member(bytes)?;
                if count > 0 {
                    return Ok(count);
                }
            }
            // Between two members: a joined stream goes on, others wait for `next`.
            if !self.is_joined {
                return Ok(0);
            }
            let State::Between(from) = &mut self.state else {
                return Err(io::Error::other(self.part.malformed("its gzip stream is broken")));
            };
            if from.fill_buf()?.is_empty() {
                return Ok(0);
            }
            let State::Between(from) = std::mem::replace(&mut self.state, State::Broken) else {
                unreachable!("it was looked at just now")
            };
            self.has_output = false;
            self.state = State::Inside(Box::new(GzDecoder::new(from)));
        }
    }
}

/// Counts and hashes what is taken from a reader.
struct Hashed<R> {
    from: R,
    /// `None` when nobody asks for hashes.
    hashes: Option<Box<(Sha1, Sha256)>>,
    start: u64,
    position: u64,
}

impl<R: BufRead> Hashed<R> {
    fn new(from: R, is_hashed: bool) -> Hashed<R> {
        Hashed { from, hashes: is_hashed.then(Default::default), start: 0, position: 0 }
    }

    fn start(&mut self) {
        self.start = self.position;
        if let Some(hashes) = &mut self.hashes {
            **hashes = Default::default();
        }
    }

    fn end(&mut self) -> Member {
        let (sha1, sha256) = *self.hashes.take().unwrap_or_default();
        self.hashes = Some(Default::default());
        Member {
            offset: self.start,
            length: self.position - self.start,
            sha1: sha1.finalize().into(),
            sha256: sha256.finalize().into(),
        }
    }
}

impl<R: BufRead> BufRead for Hashed<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.from.fill_buf()
    }

    fn consume(&mut self, count: usize) {
        if count == 0 {
            return;
        }
        if let Some(hashes) = &mut self.hashes {
            let (sha1, sha256) = &mut **hashes;
            // What is consumed lies in the buffer, so that nothing is read here.
            if let Ok(buffer) = self.from.fill_buf() {
                sha1.update(&buffer[..count]);
                sha256.update(&buffer[..count]);
            }
        }
        self.position += count as u64;
        self.from.consume(count);
    }
}

impl<R: BufRead> Read for Hashed<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(bytes)?;
        self.consume(count);
        Ok(count)
    }
}

//! An archive's bytes, of which a reader passes on those of one entry at a time.

use std::io::{self, Read};

use super::part::Part;
use crate::Result;

/// As a reader it gives the bytes of the current entry, and nothing behind them; that there are fewer is an error.
pub(super) struct Entries<R: Read> {
    from: R,
    part: Part,
    position: u64,
    remaining: u64,
}

impl<R: Read> Entries<R> {
    pub(super) fn new(from: R, part: Part) -> Entries<R> {
        Entries { from, part, position: 0, remaining: 0 }
    }

    /// How far the archive was read.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// The next `size` bytes are an entry's.
    pub(super) fn start(&mut self, size: u64) {
        self.remaining = size;
    }

    /// Skips what was left of the entry.
    ///
    /// # Errors
    /// When the archive ends before.
    pub(super) fn skip(&mut self) -> Result<()> {
        let part = self.part;
        io::copy(self, &mut io::sink()).map_err(|error| part.failed(error))?;
        Ok(())
    }

    /// Fills `bytes` with what is no entry's.
    ///
    /// # Errors
    /// When there are fewer.
    pub(super) fn read_exact(&mut self, bytes: &mut [u8]) -> Result<()> {
        self.part.read_exact(&mut self.from, bytes)?;
        self.position += bytes.len() as u64;
        Ok(())
    }

    /// Fills as much of `bytes` as there is, with what is no entry's, and says how much that was.
    ///
    /// # Errors
    /// When the archive cannot be read.
    pub(super) fn read_up_to(&mut self, bytes: &mut [u8]) -> Result<usize> {
        let count = self.part.read_up_to(&mut self.from, bytes)?;
        self.position += count as u64;
        Ok(count)
    }

    /// Reads to the end. Writers fill up with zeros to their record's length; anything else is something hidden.
    ///
    /// # Errors
    /// When something else follows.
    pub(super) fn finish(&mut self) -> Result<()> {
        let mut rest = [0; 8192];
        loop {
            match self.read_up_to(&mut rest)? {
                0 => return Ok(()),
                count if rest[..count] == [0; 8192][..count] => {}
                _ => return Err(self.part.malformed("something follows its end")),
            }
        }
    }
}

impl<R: Read> Read for Entries<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let wanted = bytes.len().min(usize::try_from(self.remaining).unwrap_or(usize::MAX));
        if wanted == 0 {
            return Ok(0);
        }
        let count = self.from.read(&mut bytes[..wanted])?;
        if count == 0 {
            return Err(io::Error::other(self.part.malformed("it ends inside an entry")));
        }
        self.remaining -= count as u64;
        self.position += count as u64;
        Ok(count)
    }
}

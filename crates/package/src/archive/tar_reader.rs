//! Reads tar as hostile input: where two readers might see different files, it refuses.
//!
//! | read | as |
//! |---|---|
//! | POSIX ustar and pax headers | POSIX.1-2017, pax, "ustar Interchange Format" and "pax Extended Header" |
//! | GNU's headers, `L` and `K` members, sizes in base 256 | GNU tar's manual, "Basic Tar Format" |
//!
//! dpkg, apk, pacman, GNU tar and bsdtar each believe something else where headers contradict each other, and
//! an attacker chooses among them (dpkg's CVE-2020-27350, the `tar` crate's CVE-2025-62518). So this reader takes
//! one header of each kind before an entry, one name, one size, and no entry twice; nothing lies below a link or
//! a file, a hard link names a file that came before. Paths are relative, without `..`; none is followed.
//! Sparse files, volumes, V7 headers (no magic) and global pax headers other than a comment are refused.
//!
//! [`Reader::next`] gives the entries, and the reader itself an entry's bytes.

mod entry;
mod header;
mod pax;
mod tree;

#[cfg(test)]
mod tests;

use std::io::{self, Read};

pub(crate) use entry::{Entry, EntryKind};

use super::entries::Entries;
use super::part::Part;
use crate::Result;
use header::{BLOCK, Header};
use pax::Records;
use tree::Tree;

/// A pax header's length; GNU tar's own limit is memory.
const LONGEST_PAX: u64 = 1 << 20;
/// A path or link target of 4095 bytes, with `./` in front, a directory's slash and a NUL behind.
const LONGEST_NAME: u64 = 4095 + 4;

/// How an archive ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// With two blocks of zeros, and nothing but zeros behind them.
    Blocks,
    /// So, or where the stream ends: the segments of an apk have no end of their own.
    BlocksOrStream,
}

/// Reads an archive.
pub(crate) struct Reader<R: Read> {
    entries: Entries<R>,
    part: Part,
    end: End,
    /// Behind the current entry.
    padding: usize,
    tree: Tree,
    is_over: bool,
}

impl<R: Read> Reader<R> {
    /// Starts at the first header.
    pub(crate) fn new(from: R, part: Part, end: End) -> Reader<R> {
        Reader {
            entries: Entries::new(from, part),
            part,
            end,
            padding: 0,
            tree: Tree::new(part),
            is_over: false,
        }
    }

    /// The next entry, whose bytes are then read from `self`; what was left of the one before is skipped.
    /// `None` at the end, when everything behind it was read, too.
    ///
    /// # Errors
    /// When the archive is malformed or ambiguous; nothing more can be read then.
    pub(crate) fn next(&mut self) -> Result<Option<Entry>> {
        if self.is_over {
            return Ok(None);
        }
        self.skip()?;
        let mut extended: Option<Records> = None;
        let mut long_name = None;
        let mut long_target = None;
        loop {
            let is_first = extended.is_none() && long_name.is_none() && long_target.is_none();
            let Some(header) = self.header()? else {
                if !is_first {
                    return Err(self.part.malformed("it ends behind an extended header"));
                }
                self.is_over = true;
                self.entries.finish()?;
                return Ok(None);
            };
            match header.kind() {
                b'x' => {
                    let records = Records::parse(&self.body(&header, "pax header", LONGEST_PAX)?, self.part)?;
                    if extended.replace(records).is_some() {
                        return Err(self.part.malformed("two pax headers come before one entry"));
                    }
                }
                b'g' => {
                    let records = Records::parse(&self.body(&header, "pax header", LONGEST_PAX)?, self.part)?;
                    // git-archive(1) leaves the commit in one.
                    if !is_first || records.iter().any(|(key, _)| key != "comment") {
                        return Err(self.part.malformed("a global pax header changes what follows"));
                    }
                }
                kind @ (b'L' | b'K') => {
                    let name = self.long_name(&header)?;
                    let place = if kind == b'L' { &mut long_name } else { &mut long_target };
                    if place.replace(name).is_some() {
                        return Err(self.part.malformed("two long names come before one entry"));
                    }
                }
                _ => {
                    if extended.is_some() && (long_name.is_some() || long_target.is_some()) {
                        let reason = "an entry has both a pax header and a long name of GNU's";
                        return Err(self.part.malformed(reason));
                    }
                    let records = extended.unwrap_or_default();
                    let entry = entry::entry(self.part, &header, records, long_name, long_target)?;
                    self.tree.add(&entry)?;
                    self.entries.start(entry.size);
                    self.padding = padding(entry.size) as usize;
                    return Ok(Some(entry));
                }
            }
        }
    }

    /// The bytes of the whole entry.
    ///
    /// # Errors
    /// When there are more than `limit`.
    pub(crate) fn read_entry(&mut self, what: &'static str, limit: u64) -> Result<Vec<u8>> {
        let part = self.part;
        part.read_all(self, what, limit)
    }

    /// Passes the rest of the entry's bytes to `take`, in pieces.
    ///
    /// # Errors
    /// When the archive ends inside the entry.
    pub(crate) fn feed(&mut self, mut take: impl FnMut(&[u8])) -> Result<()> {
        let mut piece = [0; 16 << 10];
        loop {
            match self.read(&mut piece) {
                Ok(0) => return Ok(()),
                Ok(count) => take(&piece[..count]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.part.failed(error)),
            }
        }
    }

    /// A header, its checksum verified; `None` at the end.
    fn header(&mut self) -> Result<Option<Header>> {
        let mut block = [0; BLOCK];
        match self.entries.read_up_to(&mut block)? {
            0 if self.end == End::BlocksOrStream => return Ok(None),
            0 => return Err(self.part.malformed("it ends without blocks that say so")),
            BLOCK => {}
            _ => return Err(self.part.malformed("it ends inside a header")),
        }
        if block == [0; BLOCK] {
            let filled = self.entries.read_up_to(&mut block)?;
            let is_end = block == [0; BLOCK] && (filled == BLOCK || self.end == End::BlocksOrStream);
            return if is_end {
                Ok(None)
            } else {
                Err(self.part.malformed("a single block of zeros is no end"))
            };
        }
        Header::parse(block, self.part).map(Some)
    }

    fn skip(&mut self) -> Result<()> {
        self.entries.skip()?;
        let padding = std::mem::take(&mut self.padding);
        if self.entries.read_up_to(&mut [0; BLOCK][..padding])? != padding {
            return Err(self.part.malformed("it ends inside an entry"));
        }
        Ok(())
    }

    /// The contents of an extended header.
    fn body(&mut self, header: &Header, what: &'static str, limit: u64) -> Result<Vec<u8>> {
        let size = header.size(self.part)?;
        if size > limit {
            return Err(self.part.beyond(what, limit));
        }
        let mut body = vec![0; (size + padding(size)) as usize];
        self.entries.read_exact(&mut body)?;
        body.truncate(size as usize);
        Ok(body)
    }

    /// GNU tar writes one NUL behind the name, others none.
    fn long_name(&mut self, header: &Header) -> Result<Vec<u8>> {
        let mut name = self.body(header, "bytes of a long name", LONGEST_NAME)?;
        if name.last() == Some(&0) {
            name.pop();
        }
        if name.is_empty() || name.contains(&0) {
            return Err(self.part.malformed("a long name is empty or has a NUL inside"));
        }
        Ok(name)
    }
}

impl<R: Read> Read for Reader<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.entries.read(bytes)
    }
}

fn padding(size: u64) -> u64 {
    (BLOCK as u64 - size % BLOCK as u64) % BLOCK as u64
}

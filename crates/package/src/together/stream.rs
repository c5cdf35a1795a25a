//! Makes an archive of what is read, and compresses it into a file.

use std::io::{self, Write};

use super::hashes::Hasher;
use super::reader::{Consumer, Wanted};
use super::{Archive, Stream, Written};
use crate::archive::compress::{Encoder, Share};
use crate::format::Output;
use crate::{Error, Result};

/// Writes `archive` to `out` from where it stands. The facts are left out.
pub(super) fn write(
    archive: &dyn Archive,
    stream: Stream,
    share: Share,
    consumer: Consumer<'_>,
    out: &mut dyn Output,
) -> Result<Written> {
    let hash = Hasher::new(stream.hashing);
    let counted = Counted { out, hash: hash.clone(), size: 0, limit: stream.limit };
    let encoder = Encoder::with_share(stream.compression, share, counted).map_err(unwrap)?;
    let mut archiver = Archiver { archive, encoder, hash, position: 0, next: 0, front: Vec::new() };

    let (queue, wanted, failure) = consumer.open();
    let mut wanted = wanted.iter();
    let mut current: Option<&Wanted> = wanted.next();
    queue.each(|batch| {
        for (part, bytes) in batch.parts() {
            let Some(Wanted { member, source }) = current else { break };
            if part.source != *source {
                continue;
            }
            if part.has_failed {
                return Err(failure(part.source));
            }
            archiver.up_to(member + 1)?;
            archiver.put(bytes)?;
            if part.is_last {
                current = wanted.next();
            }
        }
        Ok(())
    })?;
    if current.is_some() {
        return Err(io::Error::other("reading ended before its time").into());
    }
    archiver.finish(stream.has_tail)
}

struct Archiver<'a, W: Write> {
    archive: &'a dyn Archive,
    encoder: Encoder<W>,
    hash: Hasher,
    position: u64,
    /// The member whose front has not been written.
    next: usize,
    front: Vec<u8>,
}

impl Archiver<'_, Counted<'_>> {
    /// Writes the fronts of the members before `member`.
    fn up_to(&mut self, member: usize) -> Result<()> {
        while self.next < member {
            let mut front = std::mem::take(&mut self.front);
            front.clear();
            self.archive.front(self.next, self.position, &mut front)?;
            self.put(&front)?;
            self.front = front;
            self.next += 1;
        }
        Ok(())
    }

    fn put(&mut self, bytes: &[u8]) -> Result<()> {
        self.hash.update(bytes);
        self.position += bytes.len() as u64;
        self.encoder.write_all(bytes).map_err(unwrap)
    }

    fn finish(mut self, has_tail: bool) -> Result<Written> {
        self.up_to(self.archive.members())?;
        let mut end = Vec::new();
        self.archive.end(self.position, &mut end)?;
        self.put(&end)?;
        let (counted, seam) = match has_tail {
            true => self.encoder.seam().map(|(counted, seam)| (counted, Some(seam))),
            false => self.encoder.finish().map(|counted| (counted, None)),
        }
        .map_err(unwrap)?;
        Ok(Written {
            facts: Vec::new(),
            size: counted.size,
            archive_size: self.position,
            hashes: counted.hash.finish(),
            archive_hashes: self.hash.finish(),
            seam,
        })
    }
}

/// Counts and hashes what it passes on, and does not let more through than the format can say.
struct Counted<'a> {
    out: &'a mut dyn Output,
    hash: Hasher,
    size: u64,
    limit: Option<(&'static str, u64)>,
}

impl Write for Counted<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.size += written as u64;
        // Said at the first byte too many, not after a disk was filled.
        if let Some((format, limit)) = self.limit
            && self.size > limit
        {
            let error = Error::TooLarge { what: "the payload".into(), size: self.size, format, limit };
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, error));
        }
        self.hash.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// An error of ours that came back through a compressor.
fn unwrap(error: io::Error) -> Error {
    error.downcast::<Error>().unwrap_or_else(Error::Io)
}

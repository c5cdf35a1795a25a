//! Reads the files of a package in order, by [`content::with_reader`], their SHA-1 sums before their bytes.
//!
//! A small file is read once, into memory. A larger one is read twice, first for its sum: what comes before it in
//! the stream is compressed by then, so that a header cannot be filled in later, and memory must not depend on a
//! file's size. The second reading comes out of the page cache, and hashing is some thirty times faster than gzip,
//! so the reader stays ahead. A file that is not the same both times is an error, as is one that is written to in
//! between.

use sha1::{Digest as _, Sha1};

use crate::content::{self, PIECE, Reading};
use crate::error::Change;
use crate::{Content, Error, Result};

/// A part of a file.
pub(super) enum Piece {
    /// The SHA-1 sum of its bytes, which follow.
    Sum([u8; 20]),
    /// Its next bytes.
    Bytes(Vec<u8>),
    /// There are no more.
    End,
}

/// Sends a file's sum, its bytes and its end.
pub(super) fn read(content: &Content, size: u64, reading: &Reading<Piece>) -> Result<()> {
    // Up to this size a file is read once.
    if size <= PIECE as u64 {
        let mut bytes = Vec::with_capacity(size as usize);
        content::read(content, size, |piece| {
            bytes.extend_from_slice(piece);
            Ok(())
        })?;
        reading.send(Piece::Sum(Sha1::digest(&bytes).into()))?;
        reading.send(Piece::Bytes(bytes))?;
    } else {
        let mut first = Sha1::new();
        content::read(content, size, |piece| {
            first.update(piece);
            Ok(())
        })?;
        let first = first.finalize();
        reading.send(Piece::Sum(first.into()))?;
        let mut second = Sha1::new();
        content::read(content, size, |bytes| {
            second.update(bytes);
            for piece in bytes.chunks(PIECE) {
                reading.send(Piece::Bytes(piece.to_vec()))?;
            }
            Ok(())
        })?;
        if let Content::Path(path) = content
            && second.finalize() != first
        {
            return Err(Error::Changed { path: path.clone(), change: Change::Written });
        }
    }
    reading.send(Piece::End)
}

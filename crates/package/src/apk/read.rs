//! Reads the files of a package in order, in a thread of its own, their SHA-1 sums before their bytes.
//!
//! A small file is read once, into memory. A larger one is read twice, first for its sum: what comes before it in
//! the stream is compressed by then, so that a header cannot be filled in later, and memory must not depend on a
//! file's size. The second reading comes out of the page cache, and hashing is some thirty times faster than gzip,
//! so the reader stays ahead. A file that is not the same both times is an error, as is one that is written to in
//! between.

use std::io;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use sha1::{Digest as _, Sha1};

use crate::error::Change;
use crate::{Content, Error, Result, content};

/// Up to this size a file is read once. Also how much is handed over at a time.
const PIECE: usize = 256 << 10;

/// How many pieces may wait: 2 MiB.
const WAITING: usize = 8;

/// A part of a file.
pub(super) enum Piece {
    /// The SHA-1 sum of its bytes, which follow.
    Sum([u8; 20]),
    /// Its next bytes.
    Bytes(Vec<u8>),
    /// There are no more.
    End,
}

/// Where the pieces come from.
pub(super) struct Pieces(Receiver<Result<Piece>>);

impl Pieces {
    /// The next piece of the current file.
    pub(super) fn next(&self) -> Result<Piece> {
        self.0.recv().expect("the reader sends an end for every file, or an error")
    }
}

/// Runs `consume` while a thread reads `files` (with the sizes that they must have), one after the other.
pub(super) fn with_reader<T>(
    files: Vec<(&Content, u64)>,
    consume: impl FnOnce(&Pieces) -> Result<T>,
) -> Result<T> {
    thread::scope(|scope| {
        let (sender, receiver) = sync_channel(WAITING);
        let reader = thread::Builder::new().name("read".into());
        reader.spawn_scoped(scope, move || {
            for (content, size) in files {
                if let Err(error) = read(content, size, &sender) {
                    // Nobody listens any more when writing failed first.
                    let _ = sender.send(Err(error));
                    return;
                }
            }
        })?;
        consume(&Pieces(receiver))
    })
}

fn read(content: &Content, size: u64, sender: &SyncSender<Result<Piece>>) -> Result<()> {
    // When nobody listens, writing has failed and says why.
    let send = |piece| sender.send(Ok(piece)).map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe));
    if size <= PIECE as u64 {
        let mut bytes = Vec::with_capacity(size as usize);
        content::read(content, size, |piece| {
            bytes.extend_from_slice(piece);
            Ok(())
        })?;
        send(Piece::Sum(Sha1::digest(&bytes).into()))?;
        send(Piece::Bytes(bytes))?;
    } else {
        let mut first = Sha1::new();
        content::read(content, size, |piece| {
            first.update(piece);
            Ok(())
        })?;
        let first = first.finalize();
        send(Piece::Sum(first.into()))?;
        let mut second = Sha1::new();
        content::read(content, size, |bytes| {
            second.update(bytes);
            for piece in bytes.chunks(PIECE) {
                send(Piece::Bytes(piece.to_vec()))?;
            }
            Ok(())
        })?;
        if let Content::Path(path) = content
            && second.finalize() != first
        {
            return Err(Error::Changed { path: path.clone(), change: Change::Written });
        }
    }
    send(Piece::End)?;
    Ok(())
}

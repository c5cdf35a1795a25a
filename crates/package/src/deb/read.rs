//! Reads the files of a package once, in order, hashing them, in a thread of its own.

use std::io;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use md5::{Digest as _, Md5};

use crate::{Content, Result, content};

/// How much is handed over at a time, and how many pieces may wait: 2 MiB.
const PIECE: usize = 256 << 10;
const WAITING: usize = 8;

/// A part of a file.
pub(super) enum Piece {
    /// Its next bytes.
    Bytes(Vec<u8>),
    /// There are no more; the MD5 sum of all of them.
    End([u8; 16]),
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

/// Sends the pieces of a file and its end. When nobody listens, writing has failed and says why.
fn read(content: &Content, size: u64, sender: &SyncSender<Result<Piece>>) -> Result<()> {
    let mut hash = Md5::new();
    content::read(content, size, |bytes| {
        hash.update(bytes);
        for piece in bytes.chunks(PIECE) {
            sender
                .send(Ok(Piece::Bytes(piece.to_vec())))
                .map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
        }
        Ok(())
    })?;
    let _ = sender.send(Ok(Piece::End(hash.finalize().into())));
    Ok(())
}

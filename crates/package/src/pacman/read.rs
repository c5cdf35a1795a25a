//! Reads the files of a package once, in order, hashing them, in a thread of its own.

use std::io;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use md5::Md5;
use sha2::{Digest as _, Sha256};

use crate::{Content, Result, content};

/// What `.MTREE` says of a file's bytes. pacman 6.0 compares both, later ones only the second (`check_pkg_full` in
/// `src/pacman/check.c`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Digests {
    pub(super) md5: [u8; 16],
    pub(super) sha256: [u8; 32],
}

impl Digests {
    pub(super) fn of(bytes: &[u8]) -> Digests {
        Digests { md5: Md5::digest(bytes).into(), sha256: Sha256::digest(bytes).into() }
    }
}

/// How much is handed over at a time, and how many pieces may wait: 2 MiB.
const PIECE: usize = 256 << 10;
const WAITING: usize = 8;

/// A part of a file.
pub(super) enum Piece {
    /// Its next bytes.
    Bytes(Vec<u8>),
    /// There are no more; the digests of all of them.
    End(Digests),
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
        thread::Builder::new().name("read".into()).spawn_scoped(scope, move || {
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
    let (mut md5, mut sha256) = (Md5::new(), Sha256::new());
    content::read(content, size, |bytes| {
        md5.update(bytes);
        sha256.update(bytes);
        for piece in bytes.chunks(PIECE) {
            sender
                .send(Ok(Piece::Bytes(piece.to_vec())))
                .map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
        }
        Ok(())
    })?;
    let digests = Digests { md5: md5.finalize().into(), sha256: sha256.finalize().into() };
    let _ = sender.send(Ok(Piece::End(digests)));
    Ok(())
}

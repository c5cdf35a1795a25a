//! Reads the files of a package once, in order, hashing them, in a thread of its own.

use std::io::Read as _;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use fs_err as fs;
use fs_err::os::unix::fs::OpenOptionsExt as _;
use md5::{Digest as _, Md5};
use rustix::fs::OFlags;

use crate::{Content, Error, Result};

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

/// Sends the pieces of a file and its end. When nobody listens, the rest is left unread.
fn read(content: &Content, size: u64, sender: &SyncSender<Result<Piece>>) -> Result<()> {
    let mut hash = Md5::new();
    let mut send = |bytes: Vec<u8>| {
        hash.update(&bytes);
        sender.send(Ok(Piece::Bytes(bytes))).is_ok()
    };
    match content {
        Content::Bytes(bytes) => {
            if !bytes.chunks(PIECE).all(|piece| send(piece.to_vec())) {
                return Ok(());
            }
        }
        Content::Path(path) => {
            let mut file = open(path)?;
            let mut left = size;
            while left > 0 {
                let length = left.min(PIECE as u64);
                let mut bytes = Vec::with_capacity(length as usize);
                let read = (&mut file).take(length).read_to_end(&mut bytes)? as u64;
                left -= read;
                if read < length {
                    return Err(Error::Changed { path: path.clone(), expected: size, found: size - left });
                }
                if !send(bytes) {
                    return Ok(());
                }
            }
            if file.read(&mut [0])? > 0 {
                let found = file.metadata()?.len();
                return Err(Error::Changed { path: path.clone(), expected: size, found });
            }
        }
    }
    let _ = sender.send(Ok(Piece::End(hash.finalize().into())));
    Ok(())
}

/// Opens a regular file. What was put in its place meanwhile is neither followed nor waited for: a link would
/// lead elsewhere, and a named pipe would make `open` wait for ever.
fn open(path: &Path) -> Result<fs::File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = fs::OpenOptions::new().read(true).custom_flags(flags.bits() as i32).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(Error::SpecialFile { path: path.into(), what: "no longer a regular file" });
    }
    Ok(file)
}

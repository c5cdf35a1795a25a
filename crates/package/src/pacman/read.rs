//! Reads the files of a package once, in order, by `content::with_reader`, hashing them.

use md5::Md5;
use sha2::{Digest as _, Sha256};

use crate::content::{self, PIECE, Reading};
use crate::{Content, Result};

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

/// A part of a file.
pub(super) enum Piece {
    /// Its next bytes.
    Bytes(Vec<u8>),
    /// There are no more; the digests of all of them.
    End(Digests),
}

/// Sends the pieces of a file and its end.
pub(super) fn read(content: &Content, size: u64, reading: &Reading<Piece>) -> Result<()> {
    let (mut md5, mut sha256) = (Md5::new(), Sha256::new());
    content::read(content, size, |bytes| {
        md5.update(bytes);
        sha256.update(bytes);
        for piece in bytes.chunks(PIECE) {
            reading.send(Piece::Bytes(piece.to_vec()))?;
        }
        Ok(())
    })?;
    reading.send(Piece::End(Digests { md5: md5.finalize().into(), sha256: sha256.finalize().into() }))
}

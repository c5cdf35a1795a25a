//! The payload: read once, hashed, packed and compressed while it streams by.
//!
//! ```text
//! reader thread: file → its digest, its color → cpio ─┐
//! this thread:   └─ pieces       → SHA-256 → compressor → SHA-256 → out
//! ```
//!
//! Memory is a handful of pieces and what the compressor needs, whatever the payload's size.

use std::io::{self, Write};
use std::sync::mpsc::{self, Receiver, SyncSender};

use sha2::{Digest as _, Sha256, Sha384, Sha512};

use super::files::{Facts, File, Files};
use super::options::FileDigest;
use crate::archive::compress::{Compression, Encoder};
use crate::archive::cpio;
use crate::{Package, Resources, Result, content};

/// What is known of a payload once it has been written.
#[derive(Debug)]
pub(super) struct Payload {
    /// Of each file.
    pub(super) facts: Vec<Facts>,
    /// SHA-256 of the bytes in the package.
    pub(super) digest: String,
    /// SHA-256 of the archive before compression.
    pub(super) archive_digest: String,
    /// Bytes in the package.
    pub(super) size: u64,
    /// Bytes before compression.
    pub(super) archive_size: u64,
}

/// How much goes from thread to thread at once, and how many such pieces may wait.
const PIECE: usize = 256 << 10;
const WAITING: usize = 8;

/// Writes the payload to `out`.
///
/// # Errors
/// When a file cannot be read or changes while it is read, and when `out` fails.
pub(super) fn write(
    package: &Package,
    files: &Files<'_>,
    compression: Compression,
    resources: Resources,
    out: &mut dyn Write,
) -> Result<Payload> {
    let (sender, receiver) = mpsc::sync_channel(WAITING);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| archive(package, files, Pieces::new(sender)));
        let compressed = compress(receiver, compression, resources, out);
        let archived = reader.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        // When compressing fails the reader fails too, because nobody takes its pieces; and a reader that
        // fails ends the pieces early, which does not disturb compressing.
        let (digest, size, archive_digest) = compressed?;
        let (facts, archive_size) = archived?;
        Ok(Payload { facts, digest, archive_digest, size, archive_size })
    })
}

fn compress(
    pieces: Receiver<Vec<u8>>,
    compression: Compression,
    resources: Resources,
    out: &mut dyn Write,
) -> io::Result<(String, u64, String)> {
    let mut archive_digest = Sha256::new();
    let out = Hashing { out: io::BufWriter::with_capacity(PIECE, out), digest: Sha256::new(), size: 0 };
    let mut encoder = Encoder::new(compression, resources, out)?;
    for piece in pieces {
        archive_digest.update(&piece);
        encoder.write_all(&piece)?;
    }
    let mut hashing = encoder.finish()?;
    hashing.out.flush()?;
    Ok((hexadecimal(&hashing.digest.finalize()), hashing.size, hexadecimal(&archive_digest.finalize())))
}

fn archive(package: &Package, files: &Files<'_>, pieces: Pieces) -> Result<(Vec<Facts>, u64)> {
    let is_stripped = files.has_large();
    let modified = package.timestamp.as_unix();
    let mut archive = cpio::Writer::new(pieces);
    let (mut facts, mut name) = (Vec::new(), Vec::new());
    for (index, file) in files.iter().enumerate() {
        if file.is_ghost() {
            facts.push(Facts::default());
            continue;
        }
        if is_stripped {
            archive.start_stripped(index as u32, file.size())?;
        } else {
            archive.start(file.member(&mut name, index, modified))?;
        }
        archive.write_all(file.target())?;
        facts.push(match package.options.rpm.file_digest {
            FileDigest::Sha256 => read::<Sha256>(file, &mut archive)?,
            FileDigest::Sha384 => read::<Sha384>(file, &mut archive)?,
            FileDigest::Sha512 => read::<Sha512>(file, &mut archive)?,
        });
    }
    let (mut pieces, size) = archive.finish()?;
    pieces.pass_on()?;
    Ok((facts, size))
}

fn read<D: sha2::Digest>(file: &File<'_>, out: &mut impl Write) -> Result<Facts> {
    let Some(content) = file.content() else { return Ok(Facts::default()) };
    let (mut digest, mut start) = (D::new(), Vec::new());
    content::read(content, file.size(), |bytes| {
        if start.len() < ELF_IDENT {
            start.extend(bytes.iter().take(ELF_IDENT - start.len()));
        }
        digest.update(bytes);
        Ok(out.write_all(bytes)?)
    })?;
    let color = if file.is_executable() { color(&start) } else { 0 };
    Ok(Facts { digest: hexadecimal(&digest.finalize()), color })
}

const ELF_IDENT: usize = 5;

/// `EI_CLASS` of an ELF file (elf(5)), for those that are executable, as in `build/rpmfc.c`. rpm's colors have
/// the same numbers (`RPMFC_ELF32`, `RPMFC_ELF64`).
fn color(start: &[u8]) -> u32 {
    match start {
        [0x7f, b'E', b'L', b'F', class @ (1 | 2)] => u32::from(*class),
        _ => 0,
    }
}

/// Bytes as lower-case hexadecimal digits.
pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Gathers what is written to it into pieces and sends them.
#[derive(Debug)]
struct Pieces {
    piece: Vec<u8>,
    sender: SyncSender<Vec<u8>>,
}

impl Pieces {
    fn new(sender: SyncSender<Vec<u8>>) -> Pieces {
        Pieces { piece: Vec::with_capacity(PIECE), sender }
    }

    fn pass_on(&mut self) -> io::Result<()> {
        let piece = std::mem::replace(&mut self.piece, Vec::with_capacity(PIECE));
        self.sender.send(piece).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(PIECE - self.piece.len());
        self.piece.extend_from_slice(&bytes[..taken]);
        if self.piece.len() == PIECE {
            self.pass_on()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Hashes and counts what it passes on.
struct Hashing<W> {
    out: W,
    digest: Sha256,
    size: u64,
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.digest.update(&bytes[..written]);
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

//! Two keys that sign together, while one takes the place of the other.
//!
//! Specification: RFC 9580, section 10.4 (a detached signature is one or more signature packets), 7 (so is that of a
//! text signed in the clear).
//!
//! | client's keyring has | detached, cleartext | one packet |
//! |---|---|---|
//! | the old key only | good by the second signature | good: it is the old key's |
//! | both | good | good |
//! | the new key only | good by the first | unknown key: such a client came after the window, or came too early |
//!
//! The new key's signature comes first, since it is the one to be shown; the old key's last, because zypper looks at the
//! last one only (measured, zypper 1.14.42). Where there is room for one signature (rpm's header before rpm 6,
//! pacman's `.sig`, of which two are refused), the old key signs until the window ends: every client has it.

use std::io::Read;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::SystemTime;

use pgp::armor::BlockType;
use pgp::ser::Serialize;

use super::Signer;
use crate::{Certificate, Error, Fingerprint, armor, cleartext, policy};

/// A signer that makes two signatures.
struct Both {
    new: Box<dyn Signer>,
    old: Box<dyn Signer>,
}

/// Both keys sign, the new one first; where there is room for one signature, the old one's.
///
/// To others the signer is the new key: [`Signer::certificate`] and [`Signer::signing_key`] are its, but
/// [`Signer::packet_certificate`] and [`Signer::packet_key`] the old one's.
pub fn both(new: Box<dyn Signer>, old: Box<dyn Signer>) -> Box<dyn Signer> {
    Box::new(Both { new, old })
}

impl Signer for Both {
    fn certificate(&self) -> &Certificate {
        self.new.certificate()
    }

    fn signing_key(&self) -> Fingerprint {
        self.new.signing_key()
    }

    fn packet_certificate(&self) -> &Certificate {
        self.old.packet_certificate()
    }

    fn packet_key(&self) -> Fingerprint {
        self.old.packet_key()
    }

    fn detached(&self, data: &mut dyn Read, at: SystemTime) -> Result<String, Error> {
        let (new, old) = twice(data, |data| self.new.detached(data, at), |data| self.old.detached(data, at))?;
        join(&new, &old)
    }

    fn packet(&self, data: &mut dyn Read, at: SystemTime) -> Result<Vec<u8>, Error> {
        self.old.packet(data, at)
    }

    fn cleartext(&self, text: &str, at: SystemTime) -> Result<String, Error> {
        let (new, old) = (self.new.cleartext(text, at)?, self.old.cleartext(text, at)?);
        let (lines, first) = cleartext::parse(&new)?;
        let (_, second) = cleartext::parse(&old)?;
        Ok(lines.to_message(&policy::SIGNING_HASH.to_string(), &join(first, second)?))
    }
}

/// Packets, to be armored.
struct Packets(Vec<u8>);

impl Serialize for Packets {
    fn to_writer<W: std::io::Write>(&self, writer: &mut W) -> pgp::errors::Result<()> {
        Ok(writer.write_all(&self.0)?)
    }

    fn write_len(&self) -> usize {
        self.0.len()
    }
}

/// One armored block with the packets of two.
fn join(first: &str, second: &str) -> Result<String, Error> {
    let mut packets = Vec::new();
    for text in [first, second] {
        let armored = armor::read(text).map_err(|reason| Error::MalformedSignature { reason })?;
        armored.blocks.iter().for_each(|block| packets.extend_from_slice(&block.body));
    }
    let text = armor::write(&Packets(packets), BlockType::Signature);
    Ok(String::from_utf8(text.to_vec()).expect("armor is ASCII"))
}

/// How many pieces of data may wait for the slower of the two.
const WAITING: usize = 4;

/// Gives the same data to two readers, read once and never held: the second is on a thread of its own.
fn twice<T: Send>(
    data: &mut dyn Read,
    first: impl FnOnce(&mut dyn Read) -> Result<T, Error>,
    second: impl FnOnce(&mut dyn Read) -> Result<T, Error> + Send,
) -> Result<(T, T), Error> {
    std::thread::scope(|scope| {
        let (send, receive) = sync_channel(WAITING);
        let second = scope.spawn(move || second(&mut Pieces { receive, piece: Vec::new(), read: 0 }));
        let mut tee = Tee { data, send };
        let first = first(&mut tee);
        // The end of the data for the second; also when the first failed, whose error is returned then.
        drop(tee);
        let second = second.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        Ok((first?, second?))
    })
}

/// Reads, and passes on what it read.
struct Tee<'a> {
    data: &'a mut dyn Read,
    send: SyncSender<Vec<u8>>,
}

impl Read for Tee<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let length = self.data.read(buffer)?;
        if length > 0 {
            // A second reader that has given up has its reason, which is returned in the end.
            let _ = self.send.send(buffer[..length].to_vec());
        }
        Ok(length)
    }
}

/// What was passed on.
struct Pieces {
    receive: Receiver<Vec<u8>>,
    piece: Vec<u8>,
    read: usize,
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.read == self.piece.len() {
            let Ok(piece) = self.receive.recv() else { return Ok(0) };
            (self.piece, self.read) = (piece, 0);
        }
        let length = buffer.len().min(self.piece.len() - self.read);
        buffer[..length].copy_from_slice(&self.piece[self.read..self.read + length]);
        self.read += length;
        Ok(length)
    }
}

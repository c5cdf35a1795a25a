//! Which part of which package a reader is in: what its errors say, and how it reads bytes that may not be there.

use std::io::{self, Read};

use crate::Error;

/// A part of a package file, for the errors of whatever reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    /// The format's name, as in `deb`.
    pub(crate) format: &'static str,
    /// The part, as in `data.tar`.
    pub(crate) name: &'static str,
}

impl Part {
    /// It is not what its format says.
    pub(crate) fn malformed(self, reason: impl Into<String>) -> Error {
        Error::Malformed { format: self.format, part: self.name, reason: reason.into() }
    }

    /// It asks for more than a reader gives.
    pub(crate) fn beyond(self, what: &'static str, limit: u64) -> Error {
        Error::BeyondLimit { format: self.format, part: self.name, what, limit }
    }

    /// What a failed read means here: bytes that end too early or do not unpack are a fault of the file.
    pub(crate) fn failed(self, error: io::Error) -> Error {
        match Error::from(error) {
            Error::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                self.malformed("it ends too early")
            }
            error => error,
        }
    }

    /// Fills `bytes`.
    ///
    /// # Errors
    /// When there are fewer.
    pub(crate) fn read_exact(self, from: &mut (impl Read + ?Sized), bytes: &mut [u8]) -> Result<(), Error> {
        from.read_exact(bytes).map_err(|error| self.failed(error))
    }

    /// Fills as much of `bytes` as there is, and says how much that was.
    pub(crate) fn read_up_to(
        self,
        from: &mut (impl Read + ?Sized),
        bytes: &mut [u8],
    ) -> Result<usize, Error> {
        let mut filled = 0;
        while filled < bytes.len() {
            match from.read(&mut bytes[filled..]) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.failed(error)),
            }
        }
        Ok(filled)
    }

    /// Reads to the end, which must come within `limit` bytes.
    ///
    /// # Errors
    /// When it does not, `what` saying what is too long.
    pub(crate) fn read_all(
        self,
        from: &mut (impl Read + ?Sized),
        what: &'static str,
        limit: u64,
    ) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        from.take(limit + 1).read_to_end(&mut bytes).map_err(|error| self.failed(error))?;
        if bytes.len() as u64 > limit {
            return Err(self.beyond(what, limit));
        }
        Ok(bytes)
    }
}

/// Bytes as text for a message: short, without control characters.
pub(crate) fn shown(bytes: &[u8]) -> String {
    const LONGEST: usize = 80;
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(LONGEST)]);
    let mut shown: String = text.escape_debug().collect();
    if bytes.len() > LONGEST {
        shown.push('…');
    }
    shown
}

/// A digest in hexadecimal.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().flat_map(|byte| digits(*byte).map(char::from)).collect()
}

/// The digits of a byte in [`hexadecimal`], for what writes many digests into one text.
pub(crate) fn digits(byte: u8) -> [u8; 2] {
    [byte >> 4, byte & 0xf].map(|half| b"0123456789abcdef"[usize::from(half)])
}

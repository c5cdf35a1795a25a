//! Reads an rpm's lead and headers, as hostile input; the payload is left for [`payload`].
//!
//! | part | refused unless |
//! |---|---|
//! | lead | its magic is right; the rest, only `file` reads |
//! | signature header | it is what [`header`] takes, of at most 32 tags and 64 MiB |
//! | header | it is what [`header`] takes, and has the digests that the signature header says, one at least |
//!
//! rpm verifies a header before it looks at what it says (`rpmpkgRead` in its `lib/package.cc`), and so does this.

pub(super) mod header;
pub(super) mod payload;

use std::io::{BufReader, Read, Seek, SeekFrom};

use sha1::Sha1;
use sha2::{Digest as _, Sha256};

use crate::Result;
use crate::archive::part::{Part, hexadecimal};
use crate::inspect::Input;
use header::{Kind, Values};

pub(super) const LEAD: Part = Part { format: "rpm", name: "lead" };
pub(super) const SIGNATURES: Part = Part { format: "rpm", name: "signature header" };
pub(super) const HEADER: Part = Part { format: "rpm", name: "header" };
pub(super) const PAYLOAD: Part = Part { format: "rpm", name: "payload" };

const LEAD_SIZE: usize = 96;
/// The first bytes of every rpm.
pub(super) const MAGIC: [u8; 4] = [0xed, 0xab, 0xee, 0xdb];

/// Tags of the signature header (`include/rpm/rpmtag.h`, `rpmSigTag_e`).
const SIG_SIZE: u32 = 1000;
const SIG_LONG_SIZE: u32 = 270;
/// A digest, written out.
type Hexadecimal = fn(&[u8]) -> String;

/// Digests of the header, any of which a package may have and one of which it must: tag, name, and what it is.
const SIG_DIGESTS: [(u32, &str, Hexadecimal); 3] = [
    (269, "SHA-1", |bytes| hexadecimal(&Sha1::digest(bytes))),
    (273, "SHA-256", |bytes| hexadecimal(&Sha256::digest(bytes))),
    (279, "SHA3-256", |bytes| hexadecimal(&<sha3::Sha3_256 as sha3::Digest>::digest(bytes))),
];

/// Both headers, verified as far as they can be without the payload.
pub(super) struct Headers {
    pub(super) signatures: Values,
    pub(super) header: Values,
    /// Where the header starts, which signatures over header and payload cover.
    pub(super) header_start: u64,
    /// Where the payload starts.
    pub(super) payload_start: u64,
    /// Where the file ends.
    pub(super) end: u64,
}

impl Headers {
    /// Reads both from the start of `file`.
    ///
    /// # Errors
    /// When they are not well formed, and when a digest is wrong or missing.
    pub(super) fn read(file: &mut dyn Input) -> Result<Headers> {
        let end = file.seek(SeekFrom::End(0))?;
        file.seek(SeekFrom::Start(0))?;
        // Small, so that reading a header does not read much of the payload.
        let mut from = BufReader::with_capacity(4096, file);
        let mut lead = [0; LEAD_SIZE];
        LEAD.read_exact(&mut from, &mut lead)?;
        if lead[..4] != MAGIC {
            return Err(LEAD.malformed("it does not start as an rpm does"));
        }
        let signatures = Values::read(&mut from, SIGNATURES, Kind::Signatures, end)?;
        let length = signatures.length();
        // The header starts at a multiple of 8; what is between is not looked at by rpm.
        let mut padding = [0; 8];
        SIGNATURES.read_exact(&mut from, &mut padding[..(8 - length % 8) as usize % 8])?;
        if padding != [0; 8] {
            return Err(SIGNATURES.malformed("its padding is not zero"));
        }
        let header_start = from.stream_position()?;
        let header = Values::read(&mut from, HEADER, Kind::Header, end)?;
        let payload_start = header_start + header.length();
        let headers = Headers { signatures, header, header_start, payload_start, end };
        headers.verify()?;
        Ok(headers)
    }

    /// Digests of the header, and the length of the file.
    fn verify(&self) -> Result<()> {
        let bytes = self.header.bytes();
        let mut has_digest = false;
        for (tag, name, digest) in SIG_DIGESTS {
            let Some(said) = self.signatures.text(tag)? else { continue };
            if !said.eq_ignore_ascii_case(&digest(bytes)) {
                return Err(HEADER.malformed(format!("its {name} is not what the signature header says")));
            }
            has_digest = true;
        }
        if !has_digest {
            return Err(SIGNATURES.malformed("it has no digest of the header"));
        }
        let said = match self.signatures.number(SIG_LONG_SIZE)? {
            None => self.signatures.number(SIG_SIZE)?,
            long => long,
        };
        let found = self.end - self.header_start;
        if let Some(said) = said
            && said != found
        {
            let reason = format!("header and payload have {found} bytes, and it says {said}");
            return Err(SIGNATURES.malformed(reason));
        }
        Ok(())
    }

    /// The payload's bytes, compressed.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(super) fn payload<'a>(&self, file: &'a mut dyn Input) -> Result<impl Read + use<'a>> {
        file.seek(SeekFrom::Start(self.payload_start))?;
        Ok(file.take(self.end - self.payload_start))
    }
}

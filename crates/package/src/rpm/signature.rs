//! Signatures of an rpm: OpenPGP signatures of its header, in the signature header.
//!
//! | tag | what | read by |
//! |---|---|---|
//! | 267 `DSA`, 268 `RSA` | one packet, binary; EdDSA goes where DSA was | rpm 4, of packages of format 4 and 6 |
//! | 278 `OPENPGP` | any number, in base 64 | rpm 6 |
//! | 1002 `PGP`, 1005 `GPG` | one packet over header and payload, of rpm 3 | rpm before 4.14 where there is no other |
//!
//! Which tag is whose: `putSignature` and `deleteSigs` in rpm's `sign/rpmgensig.cc`, and `docs/manual/format_v6.md`. A package
//! of format 6 gets both tags, and one of format 4 the old one, as `rpmsign --rpmv4` does it; rpm 6 passes over the old tag
//! where the new one is. Signatures of rpm 3 are not written: a header that has the payload's sum covers the whole package.
//!
//! **In place.** The signature takes its bytes from the reserved space, so that the headers and the payload stay where they
//! are and everything but the signature header stays byte for byte. A package without (enough) space, as other tools make
//! them, grows. What else the signature header says is kept: its digests and sizes are of what follows it.

use std::io::{self, SeekFrom, Write};

use super::header::{Header, Region};
use super::read::header::Values;
use super::read::{Headers, SIGNATURES};
use super::tag::{header as tag, signature as sig};
use crate::inspect::Input;
use crate::signing::{Embedded, NativeSignature, Scheme, SignedInside};
use crate::{Error, Result, openpgp};

/// More than anybody's keys.
const MOST_SIGNATURES: u64 = 64;
/// A signature by RSA-4096 has some 600 bytes. `sign` reads no more than 64 KiB of one.
const LARGEST_SIGNATURE: usize = 16 << 10;
/// In the older tags: what it covers.
const HEADER: &str = "header";
const HEADER_AND_PAYLOAD: &str = "header and payload";
/// RFC 9580, 9.1.
const RSA: [u8; 2] = [1, 3];
const EDDSA: u8 = 22;
/// `rpmSigTag_e` (`include/rpm/rpmtag.h`), from the broken SHA-1 of rpm 4.0 to the reserved space.
const KNOWN_TAGS: [std::ops::RangeInclusive<u32>; 2] = [264..=279, 999..=1008];

/// Signatures in the signature header.
pub(super) struct InHeader;

impl SignedInside for InHeader {
    fn scheme(&self) -> Scheme {
        Scheme::OpenPgp
    }

    fn refuses_key(&self, algorithm: u8) -> Option<&'static str> {
        match algorithm {
            EDDSA => None,
            algorithm if RSA.contains(&algorithm) => None,
            // rpm's own OpenPGP, which 4.18 of Debian and 4.14 to 4.16 of RHEL have (`pgpSignatureNew` in
            // `rpmio/digest_openssl.c` and `digest_libgcrypt.c`).
            _ => Some("many an rpm verifies RSA and EdDSA only, and takes any other signature for a bad one"),
        }
    }

    fn to_sign(&self, package: &mut dyn Input) -> Result<Vec<u8>> {
        let headers = Headers::read(package)?;
        check_tags(&headers)?;
        check_coverage(&headers)?;
        Ok(headers.header.bytes().to_vec())
    }

    fn write(
        &self,
        package: &mut dyn Input,
        signatures: &[NativeSignature],
        out: &mut dyn Write,
    ) -> Result<()> {
        let headers = Headers::read(package)?;
        check_tags(&headers)?;
        check_coverage(&headers)?;
        let with_signatures = signature_header(&headers, signatures)?;
        let mut lead = [0; 96];
        package.seek(SeekFrom::Start(0))?;
        package.read_exact(&mut lead)?;
        out.write_all(&lead)?;
        out.write_all(&with_signatures)?;
        // The header starts at a multiple of 8.
        out.write_all(&[0; 8][..with_signatures.len().wrapping_neg() % 8])?;
        package.seek(SeekFrom::Start(headers.header_start))?;
        io::copy(package, out)?;
        Ok(())
    }
}

/// As [`embedded`], of a package that is to be believed.
pub(super) fn read(package: &mut dyn Input) -> Result<Vec<Embedded>> {
    let headers = Headers::read(package)?;
    check_tags(&headers)?;
    embedded(&headers)
}

/// Nobody signs the signature header, and rpm before 4.16.1.3 put what it found there into its database
/// (CVE-2021-3421, CVE-2021-20271): what does not belong there is not passed on.
fn check_tags(headers: &Headers) -> Result<()> {
    let is_known = |tag: u32| KNOWN_TAGS.iter().any(|known| known.contains(&tag));
    match headers.signatures.iter().find(|(tag, ..)| !is_known(*tag)) {
        Some((tag, ..)) => Err(SIGNATURES.malformed(format!("tag {tag} does not belong there"))),
        None => Ok(()),
    }
}

/// The signatures that the package has, the newer tag first.
pub(super) fn embedded(headers: &Headers) -> Result<Vec<Embedded>> {
    let values = &headers.signatures;
    let texts = values.texts(sig::OPENPGP)?;
    if texts.len() as u64 > MOST_SIGNATURES {
        return Err(SIGNATURES.beyond("signatures", MOST_SIGNATURES));
    }
    let of_header = headers.header_start..headers.payload_start;
    let mut found = Vec::new();
    for text in texts {
        let packet = openpgp::base64(&text)
            .ok_or_else(|| SIGNATURES.malformed(format!("tag {} is not base 64", sig::OPENPGP)))?;
        let signature = NativeSignature::OpenPgp(packet);
        found.push(Embedded { signature, covers: HEADER, range: of_header.clone() });
    }
    let of_all = headers.header_start..headers.end;
    for (tag, covers, range) in [
        (sig::DSA, HEADER, &of_header),
        (sig::RSA, HEADER, &of_header),
        (sig::PGP, HEADER_AND_PAYLOAD, &of_all),
        (sig::GPG, HEADER_AND_PAYLOAD, &of_all),
    ] {
        if let Some(packet) = values.binary(tag)? {
            let signature = NativeSignature::OpenPgp(packet.to_vec());
            found.push(Embedded { signature, covers, range: range.clone() });
        }
    }
    Ok(found)
}

/// A signature of the header covers the payload only by a sum in the header, which rpmbuild writes since 4.14.
fn check_coverage(headers: &Headers) -> Result<()> {
    let header = &headers.header;
    if header.has(tag::PAYLOAD_DIGEST) || header.has(tag::PAYLOAD_DIGEST_ALT) {
        return Ok(());
    }
    Err(Error::Unsignable {
        format: "rpm",
        reason: "its header has no sum of its payload, so that a signature of the header would not cover it"
            .into(),
        fix: "build it anew with rpmbuild 4.14 or later, or with Packhouse; or sign it with rpmsign, which signs header and \
              payload",
    })
}

fn is_format_6(header: &Values) -> Result<bool> {
    Ok(header.number(tag::RPM_FORMAT)?.is_some_and(|format| format >= 6))
}

/// The signature header with other signatures, as long as it was if they fit into it.
fn signature_header(headers: &Headers, signatures: &[NativeSignature]) -> Result<Vec<u8>> {
    let is_format_6 = is_format_6(&headers.header)?;
    let reserved = if is_format_6 { sig::RESERVED } else { sig::RESERVED_SPACE };
    let replaced =
        [sig::DSA, sig::RSA, sig::OPENPGP, sig::PGP, sig::GPG, sig::PGP5, sig::RESERVED, sig::RESERVED_SPACE];
    let mut header = Header::default();
    for (tag, kind, count, bytes) in headers.signatures.iter().filter(|(tag, ..)| !replaced.contains(tag)) {
        header.put_kept(tag, kind, count, bytes);
    }
    if signatures.len() as u64 > MOST_SIGNATURES {
        return Err(SIGNATURES.beyond("signatures", MOST_SIGNATURES));
    }
    let mut texts = Vec::new();
    for signature in signatures {
        let (tag, packet) = place(signature)?;
        if is_format_6 {
            texts.push(openpgp::to_base64(packet));
        } else if signatures.len() > 1 {
            return Err(Error::Unsignable {
                format: "rpm",
                reason: "format 4 has room for one signature".into(),
                fix: "sign with one key, or write packages of format 6",
            });
        }
        // Of several, rpm 4 sees the last of each kind.
        header.put_binary(tag, packet.to_vec());
    }
    header.put_texts(sig::OPENPGP, &texts);

    let length = headers.signatures.bytes().len();
    let bytes = header.to_bytes(Region::Signatures)?;
    if bytes.len() == length {
        return Ok(bytes);
    }
    // The reserved space comes last and is not aligned: each of its bytes makes the header one longer.
    header.put_binary(reserved, vec![0]);
    let least = header.to_bytes(Region::Signatures)?.len();
    if least > length {
        return Ok(bytes);
    }
    header.put_binary(reserved, vec![0; 1 + length - least]);
    header.to_bytes(Region::Signatures)
}

/// The tag of a signature in the form of rpm 4, and its packet.
fn place(signature: &NativeSignature) -> Result<(u32, &[u8])> {
    let refuse = |reason: String, fix| Err(Error::Unsignable { format: "rpm", reason, fix });
    let NativeSignature::OpenPgp(packet) = signature else {
        return refuse("rpm reads OpenPGP signatures".into(), "sign with an OpenPGP key");
    };
    let Some(described) = openpgp::describe(packet).filter(|_| packet.len() <= LARGEST_SIGNATURE) else {
        return refuse("what signed it gave no OpenPGP signature".into(), "sign with an OpenPGP key");
    };
    if let Some(reason) = InHeader.refuses_key(described.key_algorithm) {
        let reason = format!("the key makes {} signatures, and {reason}", described.algorithm);
        return refuse(reason, "sign with an RSA or Ed25519 key");
    }
    Ok((if RSA.contains(&described.key_algorithm) { sig::RSA } else { sig::DSA }, packet))
}

//! Signatures of an apk: a gzip member in front of the control member (apk-v2(5), "THE SIGNATURES").
//!
//! It holds a file for each signature, `.SIGN.RSA256.KEY`, in a tar archive without its end, as abuild's `abuild-sign` makes
//! it. `KEY` is the public key's file in the customer's `/etc/apk/keys`. The signature is RSA PKCS #1 v1.5 over the bytes of
//! the control member, compressed; the control member names the sum of the data member, and so covers all.
//!
//! | file | hash | read by |
//! |---|---|---|
//! | `.SIGN.RSA256.KEY` | SHA-256 | apk since 2.7 (697c505 of apk-tools, 2017; Alpine 3.6) |
//! | `.SIGN.RSA512.KEY` | SHA-512 | the same |
//! | `.SIGN.RSA.KEY` | SHA-1 | every apk |
//!
//! apk takes the first whose key it has and whose kind it knows (`apk_sign_ctx_process_file`), so that a package may have
//! one for old clients behind one for those of today.

use std::io::{self, SeekFrom, Write};

use super::segments::{CONTROL, Front, SIGNATURE};
use super::tar::{self, Member, MemberKind};
use crate::archive::compress::gzip::store;
use crate::inspect::Input;
use crate::signing::{Embedded, NativeSignature, RsaHash, Scheme, SignedInside};
use crate::{Error, Owner, Result, Timestamp};

/// More than an RSA key of 32,768 bits needs; apk refuses signatures beyond 64 KiB.
const LARGEST_SIGNATURE: usize = 4096;

/// Signatures in a member in front.
pub(super) struct InFront;

impl SignedInside for InFront {
    fn scheme(&self) -> Scheme {
        Scheme::Rsa
    }

    fn refuses_key(&self, _algorithm: u8) -> Option<&'static str> {
        Some("apk knows no OpenPGP")
    }

    fn to_sign(&self, package: &mut dyn Input) -> Result<Vec<u8>> {
        let (_, at) = front(package)?;
        let mut control = vec![0; usize::try_from(at.end - at.start).unwrap_or_default()];
        package.seek(SeekFrom::Start(at.start))?;
        package.read_exact(&mut control)?;
        Ok(control)
    }

    fn write(
        &self,
        package: &mut dyn Input,
        signatures: &[NativeSignature],
        out: &mut dyn Write,
    ) -> Result<()> {
        let (front, control) = front(package)?;
        if !signatures.is_empty() {
            out.write_all(&member(signatures, &front.segment)?)?;
        }
        package.seek(SeekFrom::Start(control.start))?;
        io::copy(package, out)?;
        Ok(())
    }
}

/// The signatures of a package that is to be believed.
pub(super) fn read(package: &mut dyn Input) -> Result<Vec<Embedded>> {
    let (front, range) = front(package)?;
    let embedded = |signature| Embedded { signature, covers: "control", range: range.clone() };
    front
        .signatures
        .into_iter()
        .map(|signature| match &signature {
            NativeSignature::Rsa { key, .. } | NativeSignature::Unknown { key, .. } if !is_key_name(key) => {
                Err(SIGNATURE.malformed(format!("`{key}` is no key's name")))
            }
            _ => Ok(embedded(signature)),
        })
        .collect()
}

/// The front of a package, and where its control member is.
fn front(package: &mut dyn Input) -> Result<(Front, std::ops::Range<u64>)> {
    package.seek(SeekFrom::Start(0))?;
    let (front, mut members) = Front::read(package)?;
    if !front.segment.starts_with(b".PKGINFO\0") {
        return Err(CONTROL.malformed("it does not start with `.PKGINFO`"));
    }
    if !members.next()? {
        return Err(CONTROL.malformed("no data member follows it"));
    }
    let range = front.control.offset..front.control.offset + front.control.length;
    Ok((front, range))
}

/// The member in front. Its files are dated as the first of the control segment is.
fn member(signatures: &[NativeSignature], control: &[u8]) -> Result<Vec<u8>> {
    let time = time(control).ok_or_else(|| CONTROL.malformed("its first entry has no time"))?;
    let mut tar = tar::Writer::new(Vec::new(), time);
    for signature in signatures {
        let NativeSignature::Rsa { key, hash, bytes } = signature else {
            return Err(Error::Unsignable {
                format: "apk",
                reason: "apk reads signatures by an RSA key of its own".into(),
                fix: "name one as `apk-key` in [sign] of dist/packhouse.toml",
            });
        };
        if bytes.is_empty() || bytes.len() > LARGEST_SIGNATURE {
            let (size, limit) = (bytes.len() as u64, LARGEST_SIGNATURE as u64);
            return Err(Error::TooLarge { what: "a signature".to_owned(), size, format: "apk", limit });
        }
        let name = file_name(key, *hash)?;
        let kind = MemberKind::File { size: bytes.len() as u64 };
        let (path, owner) = (name.as_bytes(), &Owner::default());
        tar.member(&Member {
            path,
            kind,
            mode: 0o644,
            owner,
            sha1: None,
            capabilities: None,
            modified: None,
        })?;
        tar.write_all(bytes)?;
    }
    Ok(store(&tar.cut()?))
}

/// The name of a signature's file.
fn file_name(key: &str, hash: RsaHash) -> Result<String> {
    let kind = match hash {
        RsaHash::Sha1 => "RSA",
        RsaHash::Sha256 => "RSA256",
        RsaHash::Sha512 => "RSA512",
    };
    let name = format!(".SIGN.{kind}.{key}");
    if !is_key_name(key) {
        let reason =
            "it is a plain file name of letters, digits and `@._+-`, as in `release@example.org.rsa.pub`";
        return Err(Error::Option { format: "apk", option: "the key", value: key.into(), reason });
    }
    Ok(name)
}

/// Whether it stays in the directory of keys, and is what a key's file is called.
fn is_key_name(key: &str) -> bool {
    let is_known = |c: char| c.is_ascii_alphanumeric() || "@._+-".contains(c);
    (1..=80).contains(&key.len()) && !key.starts_with('.') && key.chars().all(is_known)
}

/// The time in a tar header: 12 octal digits, or fewer with an end.
fn time(header: &[u8]) -> Option<Timestamp> {
    let digits = std::str::from_utf8(header.get(136..148)?).ok()?;
    Timestamp::from_unix(i64::from_str_radix(digits.trim_matches(['\0', ' ']), 8).ok()?)
}

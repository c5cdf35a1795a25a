//! Signatures of an apk: a gzip member in front of the control member (apk-v2(5), "THE SIGNATURES").
//!
//! It holds one file, `.SIGN.RSA256.KEY`, in a tar archive without its end, as abuild's `abuild-sign` makes it. `KEY`
//! is the public key's file in the customer's `/etc/apk/keys`. The signature is RSA PKCS #1 v1.5 over the bytes of the
//! control member, compressed; the control member names the sum of the data member, and so covers all.
//!
//! This module does not compute signatures: give [`to_sign`]'s bytes to whoever holds the key, then call
//! [`with_signature`].

use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};

use flate2::bufread::GzDecoder;

use super::tar::{self, Member, MemberKind};
use crate::archive::compress::gzip::store;
use crate::inspect::Input;
use crate::{Error, Owner, Result, Timestamp};

/// With which hash the control member is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// RSA with SHA-256, which apk reads since 2.7.
    Rsa256,
    /// RSA with SHA-512, which apk reads since 2.7.
    Rsa512,
}

impl Algorithm {
    fn name(self) -> &'static str {
        match self {
            Algorithm::Rsa256 => "RSA256",
            Algorithm::Rsa512 => "RSA512",
        }
    }
}

/// A control segment holds a few lines and scripts; apk itself refuses scripts beyond 256 KiB.
const LARGEST_CONTROL: u64 = 16 << 20;

/// More than an RSA key of 32,768 bits needs; apk refuses signatures beyond 64 KiB.
const LARGEST_SIGNATURE: usize = 4096;

/// What is signed: the control member of an unsigned package, as it is in the file. Leaves `package` at the data
/// member.
///
/// # Errors
/// When `package` is signed already, is no apk, or cannot be read.
pub fn to_sign(package: &mut dyn Input) -> Result<Vec<u8>> {
    package.seek(SeekFrom::Start(0))?;
    let length = control_length(package)?;
    package.seek(SeekFrom::Start(0))?;
    let mut control = vec![0; length];
    package.read_exact(&mut control)?;
    Ok(control)
}

/// Copies an unsigned package to `out` with a signature in front. `key` is the public key's file name, as in
/// `packager@example.org-5f0e1c2d.rsa.pub`.
///
/// # Errors
/// When `unsigned` is signed already or no apk, `key` is no plain file name, or something cannot be read or written.
pub fn with_signature(
    unsigned: &mut dyn Input,
    key: &Key<'_>,
    signature: &[u8],
    out: &mut dyn Write,
) -> Result<()> {
    let name = key.member()?;
    if signature.is_empty() || signature.len() > LARGEST_SIGNATURE {
        let what = "a signature".to_owned();
        let (size, limit) = (signature.len() as u64, LARGEST_SIGNATURE as u64);
        return Err(Error::TooLarge { what, size, format: "apk", limit });
    }
    let control = to_sign(unsigned)?;
    let mut first = Vec::new();
    GzDecoder::new(&control[..]).take(512).read_to_end(&mut first)?;
    let mut tar =
        tar::Writer::new(Vec::new(), time(&first).ok_or_else(|| malformed("its first entry has no time"))?);
    let kind = MemberKind::File { size: signature.len() as u64 };
    let (path, owner) = (name.as_bytes(), &Owner::default());
    tar.member(&Member { path, kind, mode: 0o644, owner, sha1: None, capabilities: None, modified: None })?;
    tar.write_all(signature)?;
    out.write_all(&store(&tar.cut()?))?;
    unsigned.seek(SeekFrom::Start(0))?;
    std::io::copy(unsigned, out)?;
    Ok(())
}

/// Whose signature it is.
#[derive(Clone, Copy, Debug)]
pub struct Key<'a> {
    /// The public key's file name in `/etc/apk/keys`.
    pub name: &'a str,
    /// What it signs with.
    pub algorithm: Algorithm,
}

impl Key<'_> {
    /// The name of the signature's file.
    fn member(&self) -> Result<String> {
        let is_known = |c: char| c.is_ascii_alphanumeric() || "@._+-".contains(c);
        let member = format!(".SIGN.{}.{}", self.algorithm.name(), self.name);
        if self.name.is_empty()
            || self.name.starts_with('.')
            || !self.name.chars().all(is_known)
            || member.len() > 100
        {
            let reason =
                "it is a plain file name of letters, digits and `@._+-`, as in `release@example.org.rsa.pub`";
            return Err(Error::Option { format: "apk", option: "the key", value: self.name.into(), reason });
        }
        Ok(member)
    }
}

/// The length in bytes of the first gzip member, which must be a control member.
fn control_length(package: &mut dyn Input) -> Result<usize> {
    let mut reader = BufReader::new(package);
    let is_gzip = reader.fill_buf()?.starts_with(&[0x1f, 0x8b]);
    if !is_gzip {
        return Err(malformed("it does not start with a gzip member"));
    }
    let mut decoder = GzDecoder::new(&mut reader);
    let mut name = [0; 100];
    decoder.read_exact(&mut name).map_err(|error| malformed(&error.to_string()))?;
    if name.starts_with(b".SIGN.") {
        return Err(malformed("it is signed already"));
    }
    if !name.starts_with(b".PKGINFO\0") {
        return Err(malformed("it does not start with `.PKGINFO`"));
    }
    let read = std::io::copy(&mut (&mut decoder).take(LARGEST_CONTROL), &mut std::io::sink());
    let read = read.map_err(|error| malformed(&error.to_string()))?;
    if read == LARGEST_CONTROL {
        let what = "the control segment".to_owned();
        return Err(Error::TooLarge { what, size: read, format: "apk", limit: LARGEST_CONTROL });
    }
    drop(decoder);
    let position = reader.stream_position()?;
    usize::try_from(position).map_err(|_| malformed("its control member is too long"))
}

fn malformed(reason: &str) -> Error {
    Error::Malformed { format: "apk", part: "the control member", reason: reason.to_owned() }
}

/// The time in a tar header: 12 octal digits, or fewer with an end.
fn time(header: &[u8]) -> Option<Timestamp> {
    let digits = std::str::from_utf8(header.get(136..148)?).ok()?;
    Timestamp::from_unix(i64::from_str_radix(digits.trim_matches(['\0', ' ']), 8).ok()?)
}

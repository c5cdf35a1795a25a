//! RSA keys without a certificate around them: what apk signs packages with.
//!
//! Specification: RFC 8017, sections 8.2 (RSASSA-PKCS1-v1_5) and A.1 (keys); RFC 5208 (PKCS #8), RFC 7468 (PEM). The keys
//! are those of abuild's `abuild-keygen`, which calls openssl: the secret one in PEM, PKCS #1 (`BEGIN RSA PRIVATE KEY`,
//! openssl before 3) or PKCS #8 (`BEGIN PRIVATE KEY`), the public one as `BEGIN PUBLIC KEY`.
//!
//! The `rsa` crate is the one that rPGP uses. Its private operation does not take the same time for every number
//! (RUSTSEC-2023-0071), so that every signature is blinded with fresh randomness; PKCS #1 v1.5 has no salt, and the same
//! content and key give the same bytes all the same. The result is checked against the public key before it is given out.
//!
//! Not here: pass phrases of PEM files (an encrypted key is refused with the command that opens it), PSS, encryption.

use std::fmt;
use std::io::Read;
use std::path::Path;

use pgp::crypto::hash::HashAlgorithm;
use rsa::pkcs1::DecodeRsaPrivateKey as _;
use rsa::pkcs8::{DecodePrivateKey as _, DecodePublicKey as _, EncodePrivateKey as _, EncodePublicKey as _};
use rsa::traits::PublicKeyParts as _;
use rsa::{Pkcs1v15Sign, RsaPrivateKey};

use crate::error::RsaKeyDefect;
use crate::{Error, Secret, hasher, policy};

/// With which hash an RSA key signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RsaHash {
    /// Broken for everything new: only for programs that know no other, beside a signature with SHA-256.
    Sha1,
    /// What to sign with.
    Sha256,
}

impl RsaHash {
    fn algorithm(self) -> HashAlgorithm {
        match self {
            RsaHash::Sha1 => HashAlgorithm::Sha1,
            RsaHash::Sha256 => HashAlgorithm::Sha256,
        }
    }

    /// The padding, whose `DigestInfo` in front of the digest is given in RFC 8017, section 9.2, note 1.
    fn padding(self) -> Pkcs1v15Sign {
        let (length, prefix): (usize, &[u8]) = match self {
            RsaHash::Sha1 => (20, b"\x30\x21\x30\x09\x06\x05\x2b\x0e\x03\x02\x1a\x05\x00\x04\x14"),
            RsaHash::Sha256 => {
                (32, b"\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20")
            }
        };
        Pkcs1v15Sign { hash_len: Some(length), prefix: prefix.into() }
    }

    fn digest(self, data: &mut dyn Read) -> Result<Box<[u8]>, Error> {
        let mut hasher = self.algorithm().new_hasher().expect("SHA-1 and SHA-256 are compiled in");
        hasher::feed(data, |bytes| {
            hasher.update(bytes);
            Ok(())
        })?;
        Ok(hasher.finalize())
    }
}

/// A secret RSA key, wiped from memory when dropped and never shown.
///
/// ```
/// use packhouse_sign::{RsaHash, RsaKey};
///
/// let key = RsaKey::generate(2048)?;
/// let signature = key.sign(RsaHash::Sha256, &mut &b"a control member"[..])?;
/// key.public_key().verify(RsaHash::Sha256, &mut &b"a control member"[..], &signature)?;
/// # Ok::<(), packhouse_sign::Error>(())
/// ```
pub struct RsaKey(RsaPrivateKey);

impl RsaKey {
    /// Makes a key of that many bits: 4096, as `abuild-keygen` does, takes some seconds.
    ///
    /// # Errors
    /// [`Error::RsaKey`] for fewer than 2048 or more than 4096 bits.
    pub fn generate(bits: usize) -> Result<RsaKey, Error> {
        check_bits(bits)?;
        let key = RsaPrivateKey::new(&mut rand::rngs::OsRng, bits);
        Ok(RsaKey(key.expect("primes of these sizes can be found")))
    }

    /// Reads a key from a file that only its owner can read (see [`Secret::read`]).
    ///
    /// # Errors
    /// As [`Secret::read`] and [`RsaKey::parse`].
    pub fn read(path: &Path) -> Result<RsaKey, Error> {
        RsaKey::parse(&Secret::read(path)?)
    }

    /// Reads a key in PEM, PKCS #1 or PKCS #8.
    ///
    /// # Errors
    /// [`Error::RsaKey`] when it is something else, encrypted, damaged or too short.
    pub fn parse(pem: &Secret) -> Result<RsaKey, Error> {
        let text = std::str::from_utf8(pem.expose()).map_err(|_| refuse(RsaKeyDefect::NotPem))?;
        // Whoever exports from openssl may have its attributes in front ("Bag Attributes …").
        let start = text.find("-----BEGIN ").ok_or_else(|| refuse(RsaKeyDefect::NotPem))?;
        let text = text[start..].trim_end();
        let label = text["-----BEGIN ".len()..].split("-----").next().unwrap_or_default();
        let key = match label {
            // Encrypted as openssl did before PKCS #8.
            "RSA PRIVATE KEY" if text.contains("Proc-Type: 4,ENCRYPTED") => {
                return Err(refuse(RsaKeyDefect::Encrypted));
            }
            "RSA PRIVATE KEY" => RsaPrivateKey::from_pkcs1_pem(text).ok(),
            "PRIVATE KEY" => RsaPrivateKey::from_pkcs8_pem(text).ok(),
            "ENCRYPTED PRIVATE KEY" => return Err(refuse(RsaKeyDefect::Encrypted)),
            "PUBLIC KEY" | "RSA PUBLIC KEY" => return Err(refuse(RsaKeyDefect::Public)),
            "PGP PRIVATE KEY BLOCK" => return Err(refuse(RsaKeyDefect::OpenPgp)),
            _ => return Err(refuse(RsaKeyDefect::OtherKind)),
        };
        // The library's own errors may quote what it could not read.
        let key = key.ok_or_else(|| refuse(RsaKeyDefect::Damaged))?;
        check_bits(key.n().bits())?;
        Ok(RsaKey(key))
    }

    /// The PKCS #1 v1.5 signature of everything that `data` yields.
    ///
    /// # Errors
    /// When the data cannot be read; [`Error::WrongRsaSignature`] when a fault of the machine spoilt it.
    pub fn sign(&self, hash: RsaHash, data: &mut dyn Read) -> Result<Vec<u8>, Error> {
        let digest = hash.digest(data)?;
        let signature = self.0.sign_with_rng(&mut rand::rngs::OsRng, hash.padding(), &digest);
        let signature = signature.map_err(|_| Error::WrongRsaSignature)?;
        let is_good = self.0.to_public_key().verify(hash.padding(), &digest, &signature).is_ok();
        if is_good { Ok(signature) } else { Err(Error::WrongRsaSignature) }
    }

    /// The public part.
    pub fn public_key(&self) -> RsaPublicKey {
        RsaPublicKey(self.0.to_public_key())
    }

    /// The key in PEM, PKCS #8: for a file with mode 0600.
    pub fn to_pem(&self) -> Secret {
        let pem = self.0.to_pkcs8_pem(rsa::pkcs8::LineEnding::LF);
        Secret::new(pem.expect("a valid key can be written").as_bytes())
    }
}

/// A public RSA key: what lies in a customer's `/etc/apk/keys`.
#[derive(Clone, PartialEq, Eq)]
pub struct RsaPublicKey(rsa::RsaPublicKey);

impl RsaPublicKey {
    /// Reads `BEGIN PUBLIC KEY` in PEM.
    ///
    /// # Errors
    /// [`Error::RsaKey`] when it is something else, damaged, too short or too long.
    pub fn parse(pem: &str) -> Result<RsaPublicKey, Error> {
        let start = pem.find("-----BEGIN ").ok_or_else(|| refuse(RsaKeyDefect::NotPem))?;
        let text = pem[start..].trim_end();
        if !text.starts_with("-----BEGIN PUBLIC KEY-----") {
            return Err(refuse(RsaKeyDefect::OtherKind));
        }
        let bytes = rsa::pkcs8::Document::from_pem(text).map_err(|_| refuse(RsaKeyDefect::Damaged))?.1;
        let key = rsa::RsaPublicKey::from_public_key_der(bytes.as_bytes());
        let key = key.map_err(|_| refuse(RsaKeyDefect::Damaged))?;
        check_bits(key.n().bits())?;
        Ok(RsaPublicKey(key))
    }

    /// Whether the secret key made this signature over everything that `data` yields.
    ///
    /// # Errors
    /// When the data cannot be read; [`Error::BadRsaSignature`] when it did not.
    pub fn verify(&self, hash: RsaHash, data: &mut dyn Read, signature: &[u8]) -> Result<(), Error> {
        let digest = hash.digest(data)?;
        self.0.verify(hash.padding(), &digest, signature).map_err(|_| Error::BadRsaSignature)
    }

    /// The length of the modulus.
    pub fn bits(&self) -> usize {
        self.0.n().bits()
    }

    /// The key in PEM: what openssl's `rsa -pubout` writes.
    pub fn to_pem(&self) -> String {
        let pem = self.0.to_public_key_pem(rsa::pkcs8::LineEnding::LF);
        pem.expect("a valid key can be written")
    }

    /// SHA-256 of the key in DER, in hexadecimal digits: what people compare, by `openssl pkey -pubin -outform DER`.
    pub fn fingerprint(&self) -> String {
        let der = self.0.to_public_key_der().expect("a valid key can be written");
        let digest = RsaHash::Sha256.digest(&mut der.as_bytes()).expect("memory can be read");
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl fmt::Debug for RsaPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RsaPublicKey").field("fingerprint", &self.fingerprint()).finish_non_exhaustive()
    }
}

fn refuse(defect: RsaKeyDefect) -> Error {
    Error::RsaKey { defect }
}

/// RSA of the lengths that [`policy`] takes.
fn check_bits(bits: usize) -> Result<(), Error> {
    match bits {
        bits if bits < usize::from(policy::MIN_RSA_BITS) => Err(refuse(RsaKeyDefect::TooShort { bits })),
        bits if bits > policy::MAX_RSA_BITS => Err(refuse(RsaKeyDefect::TooLong { bits })),
        _ => Ok(()),
    }
}

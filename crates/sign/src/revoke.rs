//! Revocations: how the owner of a key says that it is not to be believed any more.
//!
//! Specification: RFC 9580, sections 5.2.1.11 and 5.2.1.12 (the signatures), 5.2.3.31 (reasons).
//!
//! A *revocation certificate* is one signature of type 0x20 by the key about itself, alone in a file, armored as a
//! public key (GnuPG, `g10/revoke.c`). It is made with the key and kept apart from it: when the key is stolen or
//! lost, it is what remains. A revocation is *hard* (compromised, or no reason given: nothing that the key ever signed
//! counts) or *soft* (superseded, retired: what it signed before still counts). Subkeys are revoked by the primary
//! key; such a signature means nothing without the subkey beside it, so that it comes as a certificate.

use std::fmt;
use std::time::SystemTime;

use pgp::armor::BlockType;
use pgp::packet::{Packet, RevocationCode, SecretKey, Signature, SignatureType, SubpacketData};
use pgp::types::{KeyDetails as _, Password, Timestamp};

use crate::generate::config;
use crate::packets::{self, tag};
use crate::signer::built_in;
use crate::{Certificate, Error, Fingerprint, Secret, armor, policy};

/// Why a key is revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Nothing is said, which means the worst.
    Unspecified,
    /// Somebody else may have the secret key: nothing that it ever signed counts.
    Compromised,
    /// Another key takes its place; what it signed before still counts.
    Superseded,
    /// It is no longer used; what it signed before still counts.
    Retired,
}

impl Reason {
    fn code(self) -> RevocationCode {
        match self {
            Reason::Unspecified => RevocationCode::NoReason,
            Reason::Compromised => RevocationCode::KeyCompromised,
            Reason::Superseded => RevocationCode::KeySuperseded,
            Reason::Retired => RevocationCode::KeyRetired,
        }
    }
}

/// A signature by which a key revokes itself.
#[derive(Clone)]
pub struct RevocationCertificate {
    pub(crate) signature: Signature,
}

impl RevocationCertificate {
    /// Reads a file with one revocation certificate, armored (with text around it) or binary.
    ///
    /// # Errors
    /// [`Error::NotARevocation`]: nothing of the kind is in it, or more.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let refuse = |reason| Error::NotARevocation { reason };
        if bytes.len() > policy::MAX_KEY_BYTES {
            return Err(refuse("it is larger than a revocation"));
        }
        let body;
        let packets = if armor::is_binary(bytes) {
            bytes
        } else {
            let text = std::str::from_utf8(bytes).map_err(|_| refuse("it is neither OpenPGP nor text"))?;
            // gpg puts a colon before the dashes of the one that it makes with every key, against accidents.
            if text.lines().any(|line| line.starts_with(":-----BEGIN")) {
                return Err(refuse(
                    "the colon before its first dashes guards it against being used by mistake",
                ));
            }
            let mut armored = armor::read(text).map_err(refuse)?;
            match armored.blocks.len() {
                1 => body = armored.blocks.remove(0).body,
                0 => return Err(refuse("there is nothing of OpenPGP in it")),
                _ => return Err(refuse("there is more than one armored block in it")),
            }
            &body
        };
        let mut found = packets::split(packets);
        match (found.next(), found.next()) {
            (Some(Ok(packet)), None) if packet.tag == tag::SIGNATURE => match packet.parse() {
                Some(Packet::Signature(signature))
                    if signature.typ() == Some(SignatureType::KeyRevocation) =>
                {
                    Ok(RevocationCertificate { signature })
                }
                _ => Err(refuse("the signature in it revokes no key")),
            },
            (Some(Err(reason)), _) => Err(refuse(reason)),
            _ => Err(refuse("it holds something else than one signature")),
        }
    }

    /// Makes one with the secret of the primary key.
    ///
    /// # Errors
    /// When the secret key cannot be read or opened, or is not in the file.
    pub fn make(
        key: &Secret,
        passphrase: Option<&Secret>,
        reason: Reason,
        text: &str,
        at: SystemTime,
    ) -> Result<Self, Error> {
        let (primary, certificate) = open_primary(key, passphrase)?;
        let wrong = || Error::WrongSignatureMade { fingerprint: certificate.fingerprint() };
        certificate_of(&primary, &certificate, reason, text, timestamp(at)?).map_err(|_| wrong())
    }

    /// The text of a file for it: what it is, then the armored signature.
    pub fn to_armored(&self) -> String {
        let signature = pgp::composed::DetachedSignature::new(self.signature.clone());
        let block = armor::write(&signature, BlockType::PublicKey);
        let block = String::from_utf8(block.to_vec()).expect("armor is ASCII");
        let key = self.signature.issuer_fingerprint().first().map(ToString::to_string).unwrap_or_default();
        format!(
            "This is a revocation certificate for the OpenPGP key\n\n    {}\n\nWhoever publishes it ends the key for good. \
             Keep it apart from the key.\nTo use it: packhouse key revoke FILE, or gpg --import FILE\n\n{block}",
            key.to_uppercase()
        )
    }
}

/// Nothing of it is secret, and the packet would fill lines.
impl fmt::Debug for RevocationCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RevocationCertificate").finish_non_exhaustive()
    }
}

/// The certificate of a secret key with one of its subkeys revoked.
///
/// # Errors
/// When the secret of the primary key cannot be read or opened, is not in the file, or there is no such subkey.
pub fn revoke_subkey(
    key: &Secret,
    passphrase: Option<&Secret>,
    subkey: &Fingerprint,
    reason: Reason,
    text: &str,
    at: SystemTime,
) -> Result<Certificate, Error> {
    let (primary, certificate) = open_primary(key, passphrase)?;
    let fingerprint = certificate.fingerprint();
    let mut key = certificate.key.clone();
    let own = key
        .public_subkeys
        .iter_mut()
        .find(|own| Fingerprint::of(&own.key.fingerprint()).as_ref() == Some(subkey))
        .ok_or(Error::NoSuchSubkey { fingerprint, subkey: *subkey })?;
    let statement = SubpacketData::RevocationReason(reason.code(), text.as_bytes().to_vec().into());
    let signature = config(SignatureType::SubkeyRevocation, &primary, timestamp(at)?, vec![statement])
        .and_then(|config| {
            config.sign_subkey_binding(&primary, primary.public_key(), &Password::empty(), &own.key)
        })
        .map_err(|_| Error::WrongSignatureMade { fingerprint })?;
    own.signatures.push(signature);
    Certificate::new(key).ok_or(Error::WrongSignatureMade { fingerprint })
}

/// The revocation of a key by its open primary key.
pub(crate) fn certificate_of(
    primary: &SecretKey,
    certificate: &Certificate,
    reason: Reason,
    text: &str,
    at: Timestamp,
) -> pgp::errors::Result<RevocationCertificate> {
    let statement = SubpacketData::RevocationReason(reason.code(), text.as_bytes().to_vec().into());
    let signature = config(SignatureType::KeyRevocation, primary, at, vec![statement])?.sign_key(
        primary,
        &Password::empty(),
        primary.public_key(),
    )?;
    signature.verify_key(&certificate.key.primary_key)?;
    Ok(RevocationCertificate { signature })
}

/// The primary key of a file, open, and its certificate.
fn open_primary(key: &Secret, passphrase: Option<&Secret>) -> Result<(SecretKey, Certificate), Error> {
    let key = built_in::read(key)?;
    let unreadable = Error::KeyUnreadable { reason: "it is of another version than 4" };
    let certificate = Certificate::new(key.to_public_key()).ok_or(unreadable)?;
    let fingerprint = certificate.fingerprint();
    let mut primary = key.primary_key.clone();
    if !built_in::is_present(primary.secret_params()) {
        return Err(Error::NoPrimarySecret { fingerprint });
    }
    if primary.secret_params().is_encrypted() {
        let passphrase = passphrase.ok_or(Error::PassphraseNeeded { fingerprint })?;
        primary
            .remove_password(&Password::from(passphrase.expose()))
            .map_err(|_| Error::WrongPassphrase { fingerprint })?;
    }
    Ok((primary, certificate))
}

fn timestamp(at: SystemTime) -> Result<Timestamp, Error> {
    let seconds = u32::try_from(policy::seconds(at));
    Ok(Timestamp::from_secs(seconds.map_err(|_| Error::Time { what: "the time of the revocation" })?))
}

//! Signing in this process, with a secret key that was exported.
//!
//! Specification: RFC 9580, sections 5.5.3 (secret keys), 10.2 (transferable secret keys).
//!
//! gpg's `--export-secret-subkeys` writes a primary key without its secret ("gnu-dummy"); with such a file the
//! signing subkey signs, and the primary secret can stay offline.

use std::io::Read;
use std::time::SystemTime;

use pgp::composed::{Deserializable as _, SignedSecretKey};
use pgp::packet::{Packet, SecretKey, SecretSubkey, Signature, SignatureType};
use pgp::types::{KeyDetails as _, Password, S2kParams, SecretParams, SigningKey, StringToKey};
use zeroize::Zeroizing;

use super::{Make, packet};
use crate::error::KeyDefect;
use crate::hasher;
use crate::packets::{self, tag};
use crate::{Certificate, Error, Fingerprint, Secret, armor, policy};

/// An unlocked key. rPGP wipes it when it is dropped.
pub(super) struct BuiltIn {
    certificate: Certificate,
    signing_key: Fingerprint,
    secret: Unlocked,
}

enum Unlocked {
    Primary(SecretKey),
    Subkey(SecretSubkey),
}

/// Reads a secret key and unlocks the part that signs.
pub(super) fn open(key: &Secret, passphrase: Option<&Secret>, at: SystemTime) -> Result<BuiltIn, Error> {
    let key = read(key)?;
    let unreadable =
        Error::KeyUnreadable { reason: "it is of another version than 4, which few programs read" };
    let certificate = Certificate::new(key.to_public_key()).ok_or(unreadable)?;
    let fingerprint = certificate.fingerprint();

    let wanted: Vec<Fingerprint> = certificate
        .signing_components(at)?
        .into_iter()
        .filter_map(|component| certificate.component_fingerprint(component))
        .collect();
    let (signing_key, mut secret) = wanted
        .into_iter()
        .find_map(|wanted| Some((wanted, secret_of(&key, wanted)?)))
        .ok_or(Error::NotASigningKey { fingerprint, defect: KeyDefect::NoSecret })?;

    if secret.is_locked() {
        let passphrase = passphrase.ok_or(Error::PassphraseNeeded { fingerprint })?;
        secret
            .unlock(&Password::from(passphrase.expose()))
            .map_err(|()| Error::WrongPassphrase { fingerprint })?;
    }
    let signer = BuiltIn { certificate, signing_key, secret };
    // A file whose secret and public parts do not belong together is found here and not at the first package.
    signer.make(SignatureType::Binary, &mut std::io::empty(), 0)?;
    Ok(signer)
}

/// The one secret key of a file.
pub(crate) fn read(key: &Secret) -> Result<SignedSecretKey, Error> {
    // rPGP's own errors may quote what they could not read, so none of them is passed on.
    let refuse = |reason| Error::KeyUnreadable { reason };
    let bytes = key.expose();
    if bytes.len() > policy::MAX_KEY_BYTES {
        return Err(refuse("it is larger than a key"));
    }
    let packets = if armor::is_binary(bytes) {
        Zeroizing::new(bytes.to_vec())
    } else {
        let text = std::str::from_utf8(bytes).map_err(|_| refuse("it is neither OpenPGP nor text"))?;
        let mut armored = armor::read(text).map_err(refuse)?;
        let block = match armored.blocks.len() {
            0 => return Err(refuse("there is no OpenPGP key in it")),
            1 => armored.blocks.remove(0),
            count => return Err(Error::SeveralSecretKeys { count }),
        };
        match &*block.label {
            armor::PRIVATE_KEY => block.body,
            armor::PUBLIC_KEY => return Err(refuse("it is a public key, which cannot sign")),
            _ => return Err(refuse("it is not an OpenPGP secret key")),
        }
    };
    let mut count = 0;
    for packet in packets::split(&packets) {
        let packet = packet.map_err(refuse)?;
        match packet.tag {
            tag::SECRET_KEY => count += 1,
            tag::PUBLIC_KEY => return Err(refuse("it is a public key, which cannot sign")),
            _ => {}
        }
        if packet.tag == tag::SECRET_KEY && !matches!(packet.parse(), Some(Packet::SecretKey(_))) {
            return Err(refuse("it is damaged, or of an unknown kind"));
        }
    }
    match count {
        0 => return Err(refuse("there is no secret key in it")),
        1 => {}
        count => return Err(Error::SeveralSecretKeys { count }),
    }
    SignedSecretKey::from_bytes(&packets[..]).map_err(|_| refuse("it is damaged, or of an unknown kind"))
}

/// The secret of a component, unless the file holds only a place for it.
fn secret_of(key: &SignedSecretKey, wanted: Fingerprint) -> Option<Unlocked> {
    let is_wanted = |fingerprint| Fingerprint::of(&fingerprint) == Some(wanted);
    if is_wanted(key.primary_key.fingerprint()) {
        return is_present(key.primary_key.secret_params())
            .then(|| Unlocked::Primary(key.primary_key.clone()));
    }
    let subkey = key.secret_subkeys.iter().find(|subkey| is_wanted(subkey.key.fingerprint()))?;
    is_present(subkey.key.secret_params()).then(|| Unlocked::Subkey(subkey.key.clone()))
}

/// gpg marks a missing secret, and one on a smart card, by the private S2K type 101 (GnuPG, doc/DETAILS).
pub(crate) fn is_present(secret: &SecretParams) -> bool {
    let SecretParams::Encrypted(encrypted) = secret else { return true };
    let s2k = match encrypted.string_to_key_params() {
        S2kParams::Cfb { s2k, .. } | S2kParams::MalleableCfb { s2k, .. } | S2kParams::Aead { s2k, .. } => s2k,
        _ => return true,
    };
    !matches!(s2k, StringToKey::Private { .. } | StringToKey::Other { .. })
}

impl Unlocked {
    fn is_locked(&self) -> bool {
        match self {
            Unlocked::Primary(key) => key.secret_params().is_encrypted(),
            Unlocked::Subkey(key) => key.secret_params().is_encrypted(),
        }
    }

    fn unlock(&mut self, passphrase: &Password) -> Result<(), ()> {
        match self {
            Unlocked::Primary(key) => key.remove_password(passphrase),
            Unlocked::Subkey(key) => key.remove_password(passphrase),
        }
        .map_err(drop)
    }

    fn key(&self) -> &dyn SigningKey {
        match self {
            Unlocked::Primary(key) => key,
            Unlocked::Subkey(key) => key,
        }
    }
}

impl Make for BuiltIn {
    fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    fn signing_key(&self) -> Fingerprint {
        self.signing_key
    }

    fn make(&self, kind: SignatureType, data: &mut dyn Read, at: u32) -> Result<Signature, Error> {
        let wrong = || Error::WrongSignatureMade { fingerprint: self.certificate.fingerprint() };
        let key = self.secret.key();
        let config = packet::statements(kind, key, at).ok_or_else(wrong)?;
        let digest = hasher::digest(&config, data)?.ok_or_else(wrong)?;
        let bytes = key.sign(&Password::empty(), policy::SIGNING_HASH, &digest).map_err(|_| wrong())?;
        let signature = packet::with_old_header(config, [digest[0], digest[1]], bytes).ok_or_else(wrong)?;

        let component = self.certificate.find_component(&self.signing_key).ok_or_else(wrong)?;
        let is_good = self.certificate.component_made(component, &signature, &digest);
        if is_good { Ok(signature) } else { Err(wrong()) }
    }
}

//! New signing keys.
//!
//! Specification: RFC 9580, sections 5.5.2 (keys), 5.2.3 (self-signatures), 5.2.1.10 (back-signatures).
//!
//! | part | may | why |
//! |---|---|---|
//! | primary key | certify | it can go offline: it is needed again only to extend or revoke |
//! | user id | | whose key it is; carries purpose and expiry of the primary key |
//! | subkey | sign | it can be replaced without customers having to trust another fingerprint |
//!
//! Version 4, Ed25519 with the curve as RFC 4880bis named it, which gpg since 2.1, gpgv, apt, rpm and sqv read; keys
//! of version 6 are read by none of the first four. RSA is for clients that know no other: rpm of the Red Hat family
//! up to 9 and of Amazon Linux. [`Shape::Single`] is for those that know no subkeys: rpm before 4.13 (CentOS 7,
//! Amazon Linux 2; <https://github.com/rpm-software-management/rpm/issues/1955>).

use std::time::{Duration, SystemTime};

use pgp::armor::BlockType;
use pgp::composed::{KeyType, SignedKeyDetails, SignedSecretKey, SignedSecretSubKey};
use pgp::crypto::hash::HashAlgorithm;
use pgp::crypto::sym::SymmetricKeyAlgorithm;
use pgp::packet::{
    Features, KeyFlags, PubKeyInner, PublicKey, PublicSubkey, SecretKey, SecretSubkey, SignatureConfig,
    SignatureType, Subpacket, SubpacketData, UserId,
};
use pgp::types::{
    EncryptedSecretParams, KeyDetails, KeyVersion, PacketHeaderVersion, Password, S2kParams, SecretParams,
    SignedUser, StringToKey, Tag, Timestamp,
};
use rand::RngCore as _;
use rand::rngs::OsRng;

use crate::revoke::{self, Reason};
use crate::{Certificate, Error, Secret, armor, policy};

/// What a new key is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NewAlgorithm {
    /// Small, quick, read by everything but the oldest clients.
    Ed25519,
    /// RSA with 3072 bits, as strong as Ed25519.
    Rsa3072,
    /// RSA with 4096 bits.
    Rsa4096,
}

impl NewAlgorithm {
    fn key_type(self) -> KeyType {
        match self {
            NewAlgorithm::Ed25519 => KeyType::Ed25519Legacy,
            NewAlgorithm::Rsa3072 => KeyType::Rsa(3072),
            NewAlgorithm::Rsa4096 => KeyType::Rsa(4096),
        }
    }
}

/// Which part of a new key signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A subkey, bound by a primary key that only certifies.
    SigningSubkey,
    /// The primary key, which is all there is.
    Single,
}

/// A key that is to be made.
pub struct NewKey<'a> {
    /// What people see, by custom `Name <address>`.
    pub user_id: &'a str,
    /// The algorithm of all of its parts.
    pub algorithm: NewAlgorithm,
    /// Which part signs.
    pub shape: Shape,
    /// Its time.
    pub created: SystemTime,
    /// How long the part that signs is valid; `None` for ever.
    pub signs_for: Option<Duration>,
    /// How long the primary key is valid; `None` for ever. Of a [`Shape::Single`] it is the shorter of the two.
    pub primary_for: Option<Duration>,
    /// What protects the secret keys; `None` leaves them open to everybody who can read the file.
    pub passphrase: Option<&'a Secret>,
}

/// A key that did not exist before.
pub struct Generated {
    /// The whole secret key, armored: for a file with mode 0600, and then for a place that is not connected.
    pub secret: Secret,
    /// The same without the secret of the primary key ("gnu-dummy", as `gpg --export-secret-subkeys` writes it): for
    /// the machine that signs. `None` for a [`Shape::Single`].
    pub signing_subkey: Option<Secret>,
    /// What others may know.
    pub certificate: Certificate,
    /// A revocation of the whole key that gives no reason, armored, as `gpg --gen-revoke` makes it. Whoever has it
    /// can end the key, and nothing else.
    pub revocation: Secret,
}

/// Makes an Ed25519 key without a pass phrase: a primary key that certifies and a subkey that signs.
///
/// With `valid_for`, both parts expire that long after `created`.
///
/// # Errors
/// As [`NewKey::generate`].
pub fn generate(user_id: &str, created: SystemTime, valid_for: Option<Duration>) -> Result<Generated, Error> {
    NewKey {
        user_id,
        algorithm: NewAlgorithm::Ed25519,
        shape: Shape::SigningSubkey,
        created,
        signs_for: valid_for,
        primary_for: valid_for,
        passphrase: None,
    }
    .generate()
}

/// The time and the life of a key in OpenPGP's unit, once its user id and these can be expressed.
pub(crate) fn check(
    user_id: &str,
    created: SystemTime,
    valid_for: Option<Duration>,
) -> Result<(Timestamp, Option<u32>), Error> {
    if user_id.trim().is_empty() || user_id.len() > 1024 || user_id.chars().any(char::is_control) {
        return Err(Error::UserId { given: user_id.chars().take(100).collect() });
    }
    let before = SystemTime::UNIX_EPOCH > created;
    let created = u32::try_from(policy::seconds(created)).ok().filter(|_| !before);
    let created = created.ok_or(Error::Time { what: "the time of the key" })?;
    let lifetime = valid_for.map(|lifetime| u32::try_from(lifetime.as_secs().max(1))).transpose();
    // gpg and others add in 32 bits: an end after 2106 would come back as one after 1970.
    let lifetime = lifetime
        .ok()
        .filter(|lifetime| lifetime.is_none_or(|seconds| created.checked_add(seconds).is_some()))
        .ok_or(Error::Time { what: "the end of the key" })?;
    Ok((Timestamp::from_secs(created), lifetime))
}

impl NewKey<'_> {
    /// Makes the key.
    ///
    /// # Errors
    /// [`Error::UserId`] for an empty text or one with control characters, [`Error::Time`] outside 1970 to 2106.
    pub fn generate(&self) -> Result<Generated, Error> {
        let (created, signs_for) = check(self.user_id, self.created, self.signs_for)?;
        let (_, primary_for) = check(self.user_id, self.created, self.primary_for)?;

        let mut key =
            self.assemble(created, signs_for, primary_for).expect("a key of valid parts can be made");
        let certificate = Certificate::new(key.to_public_key()).expect("the key has version 4");
        let revocation =
            revoke::certificate_of(&key.primary_key, &certificate, Reason::Unspecified, "", created)
                .expect("a key can revoke itself");
        if let Some(passphrase) = self.passphrase {
            protect(&mut key, passphrase).expect("a key that was just made is open");
        }
        let signing_subkey = (self.shape == Shape::SigningSubkey).then(|| {
            let without = without_primary_secret(&key).expect("a place for a secret can be written");
            Secret::from_zeroizing(armor::write(&without, BlockType::PrivateKey))
        });
        let secret = Secret::from_zeroizing(armor::write(&key, BlockType::PrivateKey));
        let revocation = Secret::new(revocation.to_armored());
        Ok(Generated { secret, signing_subkey, certificate, revocation })
    }

    fn assemble(
        &self,
        created: Timestamp,
        signs_for: Option<u32>,
        primary_for: Option<u32>,
    ) -> pgp::errors::Result<SignedSecretKey> {
        let none = Password::empty();
        let kind = self.algorithm.key_type();
        let inner = |parts| PubKeyInner::new(KeyVersion::V4, kind.to_alg(), created, None, parts);
        let (public, secret) = kind.generate(OsRng)?;
        let primary = SecretKey::new(PublicKey::from_inner(inner(public)?)?, secret)?;

        let mut certifies = KeyFlags::default();
        certifies.set_certify(true);
        let primary_for = match self.shape {
            Shape::SigningSubkey => primary_for,
            Shape::Single => {
                certifies.set_sign(true);
                signs_for.into_iter().chain(primary_for).min()
            }
        };
        let mut features = Features::new();
        features.set_seipd_v1(true);
        let statements = [
            SubpacketData::KeyFlags(certifies),
            SubpacketData::IsPrimary(true),
            SubpacketData::Features(features),
            SubpacketData::PreferredHashAlgorithms(
                [HashAlgorithm::Sha512, HashAlgorithm::Sha256].into_iter().collect(),
            ),
        ];
        let id = UserId::from_str(PacketHeaderVersion::New, self.user_id)?;
        let statements = statements.into_iter().chain(primary_for.map(expiry)).collect();
        let confirmation = config(SignatureType::CertPositive, &primary, created, statements)?
            .sign_certification(&primary, primary.public_key(), &none, Tag::UserId, &id)?;
        let users = vec![SignedUser::new(id, vec![confirmation])];
        let details = SignedKeyDetails::new(vec![], vec![], users, vec![]);
        if self.shape == Shape::Single {
            return Ok(SignedSecretKey::new(primary, details, vec![], vec![]));
        }

        let (public, secret) = kind.generate(OsRng)?;
        let subkey = SecretSubkey::new(PublicSubkey::from_inner(inner(public)?)?, secret)?;
        let back = config(SignatureType::KeyBinding, &subkey, created, vec![])?.sign_primary_key_binding(
            &subkey,
            subkey.public_key(),
            &none,
            primary.public_key(),
        )?;
        let mut signs = KeyFlags::default();
        signs.set_sign(true);
        let statements = [SubpacketData::KeyFlags(signs), SubpacketData::EmbeddedSignature(Box::new(back))];
        let statements = statements.into_iter().chain(signs_for.map(expiry)).collect();
        let binding = config(SignatureType::SubkeyBinding, &primary, created, statements)?
            .sign_subkey_binding(&primary, primary.public_key(), &none, subkey.public_key())?;
        let subkeys = vec![SignedSecretSubKey::new(subkey, vec![binding])];
        Ok(SignedSecretKey::new(primary, details, vec![], subkeys))
    }
}

fn expiry(seconds: u32) -> SubpacketData {
    SubpacketData::KeyExpirationTime(pgp::types::Duration::from_secs(seconds))
}

/// A signature about keys that says who made it and when, and these statements.
pub(crate) fn config(
    kind: SignatureType,
    maker: &dyn KeyDetails,
    created: Timestamp,
    statements: Vec<SubpacketData>,
) -> pgp::errors::Result<SignatureConfig> {
    let mut config = SignatureConfig::v4(kind, maker.algorithm(), policy::SIGNING_HASH);
    let always = [
        SubpacketData::IssuerFingerprint(maker.fingerprint()),
        SubpacketData::SignatureCreationTime(created),
    ];
    config.hashed_subpackets =
        always.into_iter().chain(statements).map(Subpacket::regular).collect::<pgp::errors::Result<_>>()?;
    config.unhashed_subpackets = vec![Subpacket::regular(SubpacketData::IssuerKeyId(maker.legacy_key_id()))?];
    Ok(config)
}

/// Locks every secret of the key with the pass phrase.
///
/// AES-256 in CFB mode with an iterated and salted S2K of SHA-256: the strongest that gpg 2.2 opens, which knows
/// neither Argon2 nor AEAD there (GnuPG, `agent/protect.c`, `g10/parse-packet.c`).
fn protect(key: &mut SignedSecretKey, passphrase: &Secret) -> pgp::errors::Result<()> {
    // 65,011,712 bytes are hashed, the most that one byte can say (RFC 9580, section 3.7.1.3).
    const MOST: u8 = 255;
    let lock = || {
        let mut iv = vec![0; SymmetricKeyAlgorithm::AES256.block_size()];
        OsRng.fill_bytes(&mut iv);
        S2kParams::Cfb {
            sym_alg: SymmetricKeyAlgorithm::AES256,
            s2k: StringToKey::new_iterated(OsRng, HashAlgorithm::Sha256, MOST),
            iv: iv.into(),
        }
    };
    let password = Password::from(passphrase.expose());
    key.primary_key.set_password_with_s2k(&password, lock())?;
    key.secret_subkeys.iter_mut().try_for_each(|subkey| subkey.key.set_password_with_s2k(&password, lock()))
}

/// The key with a place where the secret of its primary key would be.
///
/// GnuPG's mark for that: S2K usage 255, no cipher, the private S2K type 101, no hash, `GNU`, mode 1 (doc/DETAILS,
/// "GNU extensions to the S2K algorithm"; the bytes are those that gpg 2.2 writes).
fn without_primary_secret(key: &SignedSecretKey) -> pgp::errors::Result<SignedSecretKey> {
    let nothing = S2kParams::MalleableCfb {
        sym_alg: SymmetricKeyAlgorithm::Plaintext,
        s2k: StringToKey::Private { typ: 101, unknown: b"\0GNU\x01".to_vec().into() },
        iv: Vec::new().into(),
    };
    let dummy = SecretParams::Encrypted(EncryptedSecretParams::new(Vec::new().into(), nothing));
    let primary = SecretKey::new(key.primary_key.public_key().clone(), dummy)?;
    Ok(SignedSecretKey::new(primary, key.details.clone(), vec![], key.secret_subkeys.clone()))
}

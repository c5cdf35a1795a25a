//! New signing keys.
//!
//! Specification: RFC 9580, sections 5.5.2 (keys), 5.2.3 (self-signatures), 5.2.1.10 (back-signatures).
//!
//! | part | may | why |
//! |---|---|---|
//! | Ed25519 primary key | certify | it can go offline: it is needed again only to extend or revoke |
//! | user id | | whose key it is; carries purpose and expiry of the primary key |
//! | Ed25519 subkey | sign | it can be replaced without customers having to trust another fingerprint |
//!
//! Version 4 with the curve as RFC 4880bis named it, which gpg since 2.1, gpgv, apt, rpm 4.16 and sqv read; keys
//! of version 6 are read by none of the first four. CentOS 7 and Amazon Linux 2 read RSA only: for packages
//! whose *rpm header* they must check, sign with an RSA key made by gpg.

use std::time::{Duration, SystemTime};

use pgp::armor::BlockType;
use pgp::composed::{KeyType, SignedKeyDetails, SignedSecretKey, SignedSecretSubKey};
use pgp::crypto::hash::HashAlgorithm;
use pgp::packet::{
    Features, KeyFlags, PubKeyInner, PublicKey, PublicSubkey, SecretKey, SecretSubkey, SignatureConfig,
    SignatureType, Subpacket, SubpacketData, UserId,
};
use pgp::types::{KeyVersion, PacketHeaderVersion, Password, SignedUser, Tag, Timestamp};

use crate::{Certificate, Error, Secret, armor, policy};

/// A key that did not exist before.
pub struct Generated {
    /// The secret key, armored and without a pass phrase: for a file with mode 0600.
    pub secret: Secret,
    /// What others may know.
    pub certificate: Certificate,
}

/// Makes an Ed25519 key: a primary key that certifies and a subkey that signs.
///
/// `user_id` is what people see, by custom `Name <address>`. With `valid_for`, both parts expire that long
/// after `created`.
///
/// # Errors
/// [`Error::UserId`] for an empty text or one with control characters, [`Error::Time`] outside 1970 to 2106.
pub fn generate(user_id: &str, created: SystemTime, valid_for: Option<Duration>) -> Result<Generated, Error> {
    let (created, lifetime) = check(user_id, created, valid_for)?;
    let key = assemble(user_id, created, lifetime).expect("an Ed25519 key of valid parts can be made");
    let certificate = Certificate::new(key.to_public_key()).expect("the key has version 4");
    let secret = Secret::from_zeroizing(armor::write(&key, BlockType::PrivateKey));
    Ok(Generated { secret, certificate })
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
    let created = Timestamp::from_secs(created.ok_or(Error::Time { what: "the time of the key" })?);
    let lifetime = valid_for.map(|lifetime| u32::try_from(lifetime.as_secs().max(1))).transpose();
    let lifetime = lifetime.map_err(|_| Error::Time { what: "the end of the key" })?;
    Ok((created, lifetime))
}

fn assemble(
    user_id: &str,
    created: Timestamp,
    lifetime: Option<u32>,
) -> pgp::errors::Result<SignedSecretKey> {
    let none = Password::empty();
    let inner =
        |parts| PubKeyInner::new(KeyVersion::V4, KeyType::Ed25519Legacy.to_alg(), created, None, parts);
    let (public, secret) = KeyType::Ed25519Legacy.generate(rand::rngs::OsRng)?;
    let primary = SecretKey::new(PublicKey::from_inner(inner(public)?)?, secret)?;
    let (public, secret) = KeyType::Ed25519Legacy.generate(rand::rngs::OsRng)?;
    let subkey = SecretSubkey::new(PublicSubkey::from_inner(inner(public)?)?, secret)?;

    let config =
        |kind, maker: &dyn pgp::types::KeyDetails, more: Vec<SubpacketData>| -> pgp::errors::Result<_> {
            let mut config = SignatureConfig::v4(kind, maker.algorithm(), policy::SIGNING_HASH);
            let always = [
                SubpacketData::IssuerFingerprint(maker.fingerprint()),
                SubpacketData::SignatureCreationTime(created),
            ];
            config.hashed_subpackets =
                always.into_iter().chain(more).map(Subpacket::regular).collect::<pgp::errors::Result<_>>()?;
            config.unhashed_subpackets =
                vec![Subpacket::regular(SubpacketData::IssuerKeyId(maker.legacy_key_id()))?];
            Ok(config)
        };
    let expiry =
        lifetime.map(|seconds| SubpacketData::KeyExpirationTime(pgp::types::Duration::from_secs(seconds)));

    let mut certifies = KeyFlags::default();
    certifies.set_certify(true);
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
    let id = UserId::from_str(PacketHeaderVersion::New, user_id)?;
    let confirmation = config(
        SignatureType::CertPositive,
        &primary,
        statements.into_iter().chain(expiry.clone()).collect(),
    )?
    .sign_certification(&primary, primary.public_key(), &none, Tag::UserId, &id)?;

    let back = config(SignatureType::KeyBinding, &subkey, vec![])?.sign_primary_key_binding(
        &subkey,
        subkey.public_key(),
        &none,
        primary.public_key(),
    )?;
    let mut signs = KeyFlags::default();
    signs.set_sign(true);
    let statements = [SubpacketData::KeyFlags(signs), SubpacketData::EmbeddedSignature(Box::new(back))];
    let binding =
        config(SignatureType::SubkeyBinding, &primary, statements.into_iter().chain(expiry).collect())?
            .sign_subkey_binding(&primary, primary.public_key(), &none, subkey.public_key())?;

    let details =
        SignedKeyDetails::new(vec![], vec![], vec![SignedUser::new(id, vec![confirmation])], vec![]);
    Ok(SignedSecretKey::new(primary, details, vec![], vec![SignedSecretSubKey::new(subkey, vec![binding])]))
}

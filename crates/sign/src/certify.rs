//! A certificate for a key that only a program has: a key service's or an HSM's.
//!
//! Specifications: RFC 5280, section 4.1 (`SubjectPublicKeyInfo`, which services and openssl export), RFC 8017,
//! appendix A.1.1 (RSA), RFC 8410 (Ed25519), RFC 5480 (NIST curves); RFC 9580, section 5.2.3.10 (self-signatures).
//!
//! | part | may | why |
//! |---|---|---|
//! | the service's key as the primary key | certify, sign | it does not leave the service, so that it need not be kept apart |
//! | user id | | whose key it is; carries purpose and expiry |

use std::cell::RefCell;
use std::time::{Duration, SystemTime};

use pgp::composed::{SignedKeyDetails, SignedPublicKey};
use pgp::crypto::hash::HashAlgorithm;
use pgp::crypto::public_key::PublicKeyAlgorithm;
use pgp::packet::{
    Features, KeyFlags, PubKeyInner, PublicKey, SignatureType, Subpacket, SubpacketData, UserId,
};
use pgp::ser::Serialize as _;
use pgp::types::{
    KeyDetails, KeyId, KeyVersion, Mpi, PacketHeaderVersion, Password, PublicParams, SignatureBytes,
    SignedUser, SigningKey, Tag, Timestamp,
};

use crate::CommandProblem;
use crate::generate;
use crate::signer::{About, SignCommand, statements};
use crate::{Certificate, Error, Fingerprint, armor, der, policy};

/// Makes a certificate of a public key, signed by the program that has its secret key. The program gets digests,
/// whatever its `input` says.
///
/// `public_key` is a `SubjectPublicKeyInfo` in PEM, in DER, or in base64: what `openssl pkey -pubout` and key services
/// give. The certificate depends on `created`: made twice with another, it is another one.
///
/// # Errors
/// [`Error::PublicKeyUnreadable`], [`Error::WeakKey`] for one that may not sign, those of
/// [`generate()`](crate::generate()), and those of the program.
pub fn certify(
    public_key: &[u8],
    user_id: &str,
    created: SystemTime,
    valid_for: Option<Duration>,
    command: &SignCommand,
) -> Result<Certificate, Error> {
    let (created, lifetime) = generate::check(user_id, created, valid_for)?;
    let damaged = || Error::PublicKeyUnreadable { reason: "it is damaged, or of an unknown kind" };
    let (algorithm, parameters) = read(public_key)?;
    let key = PubKeyInner::new(KeyVersion::V4, algorithm, created, None, parameters)
        .and_then(PublicKey::from_inner)
        .map_err(|_| damaged())?;
    let fingerprint = Fingerprint::of(&key.fingerprint()).ok_or_else(damaged)?;
    if !policy::is_strong_key(key.public_params()) {
        let algorithm = policy::algorithm_name(key.public_params());
        return Err(Error::WeakKey { fingerprint, algorithm });
    }

    let id = UserId::from_str(PacketHeaderVersion::New, user_id).map_err(|_| damaged())?;
    let mut config = statements(SignatureType::CertPositive, &key, created.as_secs()).ok_or_else(damaged)?;
    let mut flags = KeyFlags::default();
    flags.set_certify(true);
    flags.set_sign(true);
    let mut features = Features::new();
    features.set_seipd_v1(true);
    let preferred = [HashAlgorithm::Sha512, HashAlgorithm::Sha256].into_iter().collect();
    let more = [
        SubpacketData::KeyFlags(flags),
        SubpacketData::IsPrimary(true),
        SubpacketData::Features(features),
        SubpacketData::PreferredHashAlgorithms(preferred),
    ];
    let expiry =
        lifetime.map(|seconds| SubpacketData::KeyExpirationTime(pgp::types::Duration::from_secs(seconds)));
    for data in more.into_iter().chain(expiry) {
        config.hashed_subpackets.push(Subpacket::regular(data).map_err(|_| damaged())?);
    }
    let about = About {
        key: fingerprint,
        algorithm: policy::algorithm_name(key.public_params()),
        kind: SignatureType::Binary,
        time: created.as_secs(),
    };
    let remote = Remote { key: &key, command, about, refusal: RefCell::default() };
    let confirmation = config
        .sign_certification(&remote, &key, &Password::empty(), Tag::UserId, &id)
        .map_err(|_| remote.refusal.take().unwrap_or_else(damaged))?;

    let details =
        SignedKeyDetails::new(vec![], vec![], vec![SignedUser::new(id, vec![confirmation])], vec![]);
    let certificate = Certificate::new(SignedPublicKey::new(key, details, vec![])).ok_or_else(damaged)?;
    // What the program returned is judged as everybody's self-signature is.
    match certificate.check_can_sign(policy::moment(created.as_secs().into())) {
        Ok(()) => Ok(certificate),
        Err(_) => Err(command.refuse_unheard(CommandProblem::DoesNotVerify { key: fingerprint })),
    }
}

/// The secret key that is elsewhere.
struct Remote<'a> {
    key: &'a PublicKey,
    command: &'a SignCommand,
    about: About,
    /// Why the program did not sign: rPGP's errors cannot carry ours.
    refusal: RefCell<Option<Error>>,
}

impl SigningKey for Remote<'_> {
    fn sign(
        &self,
        _password: &Password,
        _hash: HashAlgorithm,
        digest: &[u8],
    ) -> pgp::errors::Result<SignatureBytes> {
        let made = self.command.value(&self.about, self.key.public_params(), digest);
        made.map(|(value, _)| value).map_err(|error| {
            *self.refusal.borrow_mut() = Some(error);
            pgp::errors::Error::from(std::io::Error::other("the sign command made no signature"))
        })
    }

    fn hash_alg(&self) -> HashAlgorithm {
        policy::SIGNING_HASH
    }
}

impl std::fmt::Debug for Remote<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Remote").finish_non_exhaustive()
    }
}

impl KeyDetails for Remote<'_> {
    fn version(&self) -> KeyVersion {
        self.key.version()
    }

    fn legacy_key_id(&self) -> KeyId {
        self.key.legacy_key_id()
    }

    fn fingerprint(&self) -> pgp::types::Fingerprint {
        self.key.fingerprint()
    }

    fn algorithm(&self) -> PublicKeyAlgorithm {
        self.key.algorithm()
    }

    fn created_at(&self) -> Timestamp {
        self.key.created_at()
    }

    fn legacy_v3_expiration_days(&self) -> Option<u16> {
        None
    }

    fn public_params(&self) -> &PublicParams {
        self.key.public_params()
    }
}

/// Object identifiers as they stand in DER: of algorithms (RFC 8017, RFC 8410, RFC 5480) …
const RSA: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x01];
const ED25519: &[u8] = &[0x2B, 0x65, 0x70];
const EC: &[u8] = &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01];
/// … and of the curve that RFC 9580, section 9.2, calls Ed25519Legacy.
const ED25519_LEGACY: &[u8] = &[0x2B, 0x06, 0x01, 0x04, 0x01, 0xDA, 0x47, 0x0F, 0x01];

/// The largest public key: RSA-16384 takes 3 KiB in PEM.
const MAX_BYTES: usize = 16 * 1024;

/// Reads a `SubjectPublicKeyInfo` into OpenPGP's parameters.
fn read(text: &[u8]) -> Result<(PublicKeyAlgorithm, PublicParams), Error> {
    let refuse = |reason| Error::PublicKeyUnreadable { reason };
    if text.len() > MAX_BYTES {
        return Err(refuse("it is larger than a public key"));
    }
    let decoded = match text.first() {
        Some(0x30) => text.to_vec(),
        _ => decode(text).ok_or_else(|| refuse("it is neither PEM nor DER nor base64"))?,
    };
    let (algorithm, bytes) =
        parameters(&decoded).ok_or_else(|| refuse("it is no public key of RSA, Ed25519 or ECDSA"))?;
    let parameters = PublicParams::try_from_reader(algorithm, None, &bytes[..]);
    Ok((algorithm, parameters.map_err(|_| refuse("it is damaged, or of an unknown curve"))?))
}

fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(text).ok()?.trim();
    match text.strip_prefix("-----BEGIN PUBLIC KEY-----") {
        Some(rest) => armor::base64(rest.strip_suffix("-----END PUBLIC KEY-----")?.as_bytes()),
        None => armor::base64(text.as_bytes()),
    }
}

/// The algorithm, and its parameters as OpenPGP writes them (RFC 9580, section 5.5.5).
fn parameters(der: &[u8]) -> Option<(PublicKeyAlgorithm, Vec<u8>)> {
    let (whole, after) = der::element(0x30, der)?;
    let (algorithm, rest) = der::element(0x30, whole)?;
    let (bits, end) = der::element(0x03, rest)?;
    let (&unused, key) = bits.split_first()?;
    let (oid, more) = der::element(0x06, algorithm)?;
    if !after.is_empty() || !end.is_empty() || unused != 0 {
        return None;
    }
    let with_oid = |oid: &[u8], point: &[u8]| {
        let mut bytes = vec![u8::try_from(oid.len()).ok()?];
        bytes.extend_from_slice(oid);
        bytes.extend(mpi(point)?);
        Some(bytes)
    };
    match oid {
        RSA => {
            let (numbers, after) = der::element(0x30, key)?;
            let (modulus, rest) = der::element(0x02, numbers)?;
            let (exponent, end) = der::element(0x02, rest)?;
            let is_whole = after.is_empty() && end.is_empty();
            is_whole.then(|| Some((PublicKeyAlgorithm::RSA, [mpi(modulus)?, mpi(exponent)?].concat())))?
        }
        // The prefix says: a point in the form of its own specification (RFC 9580, section 11.2).
        ED25519 if key.len() == 32 => {
            Some((PublicKeyAlgorithm::EdDSALegacy, with_oid(ED25519_LEGACY, &[&[0x40], key].concat())?))
        }
        EC => {
            let (curve, _) = der::element(0x06, more)?;
            Some((PublicKeyAlgorithm::ECDSA, with_oid(curve, key)?))
        }
        _ => None,
    }
}

fn mpi(bytes: &[u8]) -> Option<Vec<u8>> {
    Mpi::from_slice(bytes).to_bytes().ok()
}

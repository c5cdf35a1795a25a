//! What Packhouse accepts of a signature and of a key: every limit, with its argument.
//!
//! OpenPGP is a format, not a policy: gpg and gpgv exit with 0 for a SHA-1 signature, for RSA-1024, for a key
//! that has expired or has been revoked, and for a signature made next year. rPGP, the library below us,
//! applies no policy either. A package is installed as root on machines that nobody looks at, so ours is the
//! stricter choice where tools differ; whatever passes here is accepted by gpgv, sqv, apt and rpm of today.
//!
//! What a key must be is asked in `standing.rs`, what a signature must be in `verify.rs`.

use std::time::{Duration, SystemTime};

use pgp::crypto::hash::HashAlgorithm;
use pgp::packet::{Signature, Subpacket, SubpacketData};

use pgp::types::PublicParams;

pub(crate) use crate::algorithm::rsa_bits;

use crate::Algorithm;

/// The hash of every signature we make.
///
/// SHA-512 is what GnuPG and Sequoia take today, is long enough for P-521 (RFC 9580, section 5.2.3.2, wants a
/// digest at least as long as the curve), and gpg 2.0 of CentOS 7 reads it.
pub(crate) const SIGNING_HASH: HashAlgorithm = HashAlgorithm::Sha512;

/// How far ahead of our clock a signature may be dated: two machines kept by NTP differ by much less, and a
/// signature from tomorrow is a mistake or an attempt to outlive a revocation.
pub(crate) const CLOCK_SKEW: Duration = Duration::from_secs(5 * 60);

/// Which algorithms are accepted of a key that signs and of a signature: one value, so that there is one place to
/// argue about it.
///
/// Its arguments, for users, are in `docs/concepts/signing.md`.
pub struct Policy {
    min_rsa_bits: u16,
    curves: &'static [Algorithm],
    hashes: &'static [HashAlgorithm],
}

/// The policy of every signature that is made or believed here.
///
/// - **RSA from 2048 bits**: the least that NIST SP 800-131A allows and that sqv accepts. RSA of 1024 bits is
///   accepted by gpg, gpgv and apt of Debian 12, and has been within reach of a rich attacker for years.
/// - **Ed25519, NIST P-256, P-384, P-521**. DSA and Elgamal are refused, and so is what customers' clients do not
///   know (Ed448, secp256k1, post-quantum).
/// - **SHA-256, SHA-384, SHA-512**: collisions are made for MD5 and SHA-1 (RFC 9580, section 9.5, deprecates them
///   and RIPEMD-160); SHA-224 and SHA-3 are sound, but rpm and older gpg of customers do not read them, so that a
///   signature of ours never has them.
pub const POLICY: Policy = Policy {
    min_rsa_bits: 2048,
    curves: &[Algorithm::Ed25519, Algorithm::NistP256, Algorithm::NistP384, Algorithm::NistP521],
    hashes: &[HashAlgorithm::Sha256, HashAlgorithm::Sha384, HashAlgorithm::Sha512],
};

impl Policy {
    /// Whether a key of this algorithm may sign.
    pub fn accepts(&self, algorithm: Algorithm) -> bool {
        match algorithm {
            Algorithm::Rsa { bits } => bits >= self.min_rsa_bits,
            other => self.curves.contains(&other),
        }
    }

    /// The keys that may sign, in words: `RSA of at least 2048 bits, Ed25519, …`.
    pub fn keys(&self) -> String {
        let curves = self.curves.iter().map(|curve| format!(", {curve}")).collect::<String>();
        format!("RSA of at least {} bits{curves}", self.min_rsa_bits)
    }

    /// The hashes that count, in words: `SHA-256, SHA-384, SHA-512`.
    pub fn hashes(&self) -> String {
        self.hashes.iter().map(|hash| hash_name(*hash)).collect::<Vec<_>>().join(", ")
    }
}

/// The shortest RSA key.
pub(crate) const MIN_RSA_BITS: u16 = POLICY.min_rsa_bits;

/// The longest RSA key that signs packages by itself (apk): what `abuild-keygen` makes, and the `rsa` crate verifies.
pub(crate) const MAX_RSA_BITS: usize = 4096;

/// The most signatures one `.asc` may hold. A key rotation needs two.
pub(crate) const MAX_SIGNATURES: usize = 16;

/// The largest `.asc` that is read: sixteen RSA-4096 signatures take 16 KiB.
pub(crate) const MAX_SIGNATURE_BYTES: usize = 64 * 1024;

/// The largest cleartext-signed text: the InRelease of Debian's main archive is below 1 MiB.
pub(crate) const MAX_CLEARTEXT_BYTES: usize = 32 * 1024 * 1024;

/// The largest keyring: the key that was flooded with 150,000 certifications in 2019 takes about this.
pub(crate) const MAX_KEYRING_BYTES: usize = 64 * 1024 * 1024;

/// The most certificates in a keyring. `debian-keyring.gpg`, the largest in daily use, has about 1,000.
pub(crate) const MAX_CERTIFICATES: usize = 20_000;

/// The most signatures of one certificate that claim to be its own. A key of twenty years that was extended
/// every year and has ten user ids and subkeys has a few hundred; each costs a verification.
pub(crate) const MAX_OWN_SIGNATURES: usize = 1_000;

/// The largest secret key file.
pub(crate) const MAX_KEY_BYTES: usize = 1024 * 1024;

/// Whether a signature of this hash counts.
pub(crate) fn is_strong_hash(hash: HashAlgorithm) -> bool {
    POLICY.hashes.contains(&hash)
}

/// Whether a key of these parameters may sign.
pub(crate) fn is_strong_key(parameters: &PublicParams) -> bool {
    POLICY.accepts(Algorithm::of(parameters))
}

/// The algorithm as people write it: `RSA-3072`, `Ed25519`, `NIST P-256`.
pub(crate) fn algorithm_name(parameters: &PublicParams) -> String {
    Algorithm::of(parameters).to_string()
}

/// The hash as people write it: `SHA-1`, `RIPEMD-160`.
pub(crate) fn hash_name(hash: HashAlgorithm) -> String {
    match hash {
        HashAlgorithm::Md5 => "MD5".into(),
        HashAlgorithm::Sha1 => "SHA-1".into(),
        HashAlgorithm::Ripemd160 => "RIPEMD-160".into(),
        HashAlgorithm::Sha256 => "SHA-256".into(),
        HashAlgorithm::Sha384 => "SHA-384".into(),
        HashAlgorithm::Sha224 => "SHA-224".into(),
        HashAlgorithm::Sha512 => "SHA-512".into(),
        HashAlgorithm::Sha3_256 => "SHA3-256".into(),
        HashAlgorithm::Sha3_512 => "SHA3-512".into(),
        other => format!("hash algorithm {}", u8::from(other)),
    }
}

/// Whether everything the signer marked *critical* is something we act upon.
///
/// RFC 9580, section 5.2.3.7: a critical subpacket that the reader does not know makes the signature an error.
/// A critical notation is the same one level down, and we know none. Only the hashed area counts; anybody may
/// write into the other one.
pub(crate) fn knows_every_critical_subpacket(signature: &Signature) -> bool {
    let Some(config) = signature.config() else { return false };
    config.hashed_subpackets().filter(|subpacket| subpacket.is_critical).all(is_understood)
}

fn is_understood(subpacket: &Subpacket) -> bool {
    use SubpacketData as Data;
    match &subpacket.data {
        Data::SignatureCreationTime(_)
        | Data::SignatureExpirationTime(_)
        | Data::KeyExpirationTime(_)
        | Data::KeyFlags(_)
        | Data::IsPrimary(_)
        | Data::EmbeddedSignature(_)
        | Data::RevocationReason(..)
        | Data::IssuerKeyId(_)
        | Data::IssuerFingerprint(_)
        // Hints for writing to the key's owner, or for programs that pass keys on: nothing to act upon here.
        | Data::SignersUserID(_)
        | Data::Features(_)
        | Data::PreferredSymmetricAlgorithms(_)
        | Data::PreferredHashAlgorithms(_)
        | Data::PreferredCompressionAlgorithms(_)
        | Data::PreferredAeadAlgorithms(_)
        | Data::PreferredEncryptionModes(_)
        | Data::KeyServerPreferences(_)
        | Data::PreferredKeyServer(_)
        | Data::PolicyURI(_)
        | Data::Revocable(_)
        | Data::ExportableCertification(_) => true,
        // RevocationKey: we do not follow designated revokers, so a key that insists on one is not ours to judge.
        _ => false,
    }
}

/// Seconds since 1970, the unit of every time in OpenPGP (RFC 9580, section 3.5). Times before are 0.
pub(crate) fn seconds(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// The moment that many seconds after 1970 began.
pub(crate) fn moment(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

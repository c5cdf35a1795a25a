//! What a key computes with, as people write it.
//!
//! Specification: RFC 9580, section 9.1 (algorithms), 9.2 (curves), 5.5.5 (how each key stands in its packet).

use std::fmt;

use pgp::ser::Serialize as _;
use pgp::types::{EcdsaPublicParams, EddsaLegacyPublicParams, PublicParams};

/// The algorithm of a key, with its size where there are several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Algorithm {
    /// RSA, with a modulus of so many bits.
    Rsa {
        /// The length of the modulus.
        bits: u16,
    },
    /// EdDSA over Curve25519, in either of its two encodings.
    Ed25519,
    /// ECDSA over NIST P-256.
    NistP256,
    /// ECDSA over NIST P-384.
    NistP384,
    /// ECDSA over NIST P-521.
    NistP521,
    /// DSA.
    Dsa,
    /// One that only encrypts: its keys stand in certificates and never sign.
    Encryption,
    /// Any other that is known by name: `Ed448`, `secp256k1`.
    Other(&'static str),
}

impl Algorithm {
    pub(crate) fn of(parameters: &PublicParams) -> Self {
        match parameters {
            PublicParams::RSA(_) => Algorithm::Rsa { bits: rsa_bits(parameters) },
            PublicParams::DSA(_) => Algorithm::Dsa,
            PublicParams::EdDSALegacy(EddsaLegacyPublicParams::Ed25519 { .. }) | PublicParams::Ed25519(_) => {
                Algorithm::Ed25519
            }
            PublicParams::Ed448(_) => Algorithm::Other("Ed448"),
            PublicParams::ECDSA(EcdsaPublicParams::P256 { .. }) => Algorithm::NistP256,
            PublicParams::ECDSA(EcdsaPublicParams::P384 { .. }) => Algorithm::NistP384,
            PublicParams::ECDSA(EcdsaPublicParams::P521 { .. }) => Algorithm::NistP521,
            PublicParams::ECDSA(EcdsaPublicParams::Secp256k1 { .. }) => Algorithm::Other("secp256k1"),
            PublicParams::Elgamal(_)
            | PublicParams::ECDH(_)
            | PublicParams::X25519(_)
            | PublicParams::X448(_) => Algorithm::Encryption,
            _ => Algorithm::Other("an unknown algorithm"),
        }
    }
}

/// As people write it: `RSA-3072`, `Ed25519`, `NIST P-256`.
impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Algorithm::Rsa { bits } => write!(f, "RSA-{bits}"),
            Algorithm::Ed25519 => f.write_str("Ed25519"),
            Algorithm::NistP256 => f.write_str("NIST P-256"),
            Algorithm::NistP384 => f.write_str("NIST P-384"),
            Algorithm::NistP521 => f.write_str("NIST P-521"),
            Algorithm::Dsa => f.write_str("DSA"),
            Algorithm::Encryption => f.write_str("an encryption algorithm"),
            Algorithm::Other(name) => f.write_str(name),
        }
    }
}

/// The length of an RSA modulus: the bit count that opens its MPI, the first field of the key
/// (RFC 9580, sections 3.2 and 5.5.5.1).
pub(crate) fn rsa_bits(parameters: &PublicParams) -> u16 {
    let mut bytes = Vec::new();
    match parameters.to_writer(&mut bytes) {
        Ok(()) if bytes.len() >= 2 => u16::from_be_bytes([bytes[0], bytes[1]]),
        _ => 0,
    }
}

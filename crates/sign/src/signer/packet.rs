//! The signature packet around a signature value: what a signature says besides the mathematics.
//!
//! Specification: RFC 9580, sections 5.2.3 (version 4 signatures) and 4.2.2 (headers of the old format).

use pgp::packet::{PacketHeader, Signature, SignatureConfig, SignatureType, Subpacket, SubpacketData};
use pgp::ser::Serialize as _;
use pgp::types::{KeyDetails, PacketHeaderVersion, PacketLength, SignatureBytes, Tag, Timestamp};

use crate::policy;

/// What our signatures state, as gpg writes it, for readers that know only the one or only the other: who made it
/// as a fingerprint (hashed) and as a key id (not hashed), and when.
pub(crate) fn statements(kind: SignatureType, key: &dyn KeyDetails, at: u32) -> Option<SignatureConfig> {
    let mut config = SignatureConfig::v4(kind, key.algorithm(), policy::SIGNING_HASH);
    let subpacket = |data| Subpacket::regular(data).ok();
    config.hashed_subpackets = vec![
        subpacket(SubpacketData::IssuerFingerprint(key.fingerprint()))?,
        subpacket(SubpacketData::SignatureCreationTime(Timestamp::from_secs(at)))?,
    ];
    config.unhashed_subpackets = vec![subpacket(SubpacketData::IssuerKeyId(key.legacy_key_id()))?];
    Some(config)
}

/// The packet with a header of the old format, which is what gpg writes: so every kind of signer makes the same
/// bytes, and old readers see what they have always seen. `start` is the first two bytes of the digest.
pub(super) fn with_old_header(
    config: SignatureConfig,
    start: [u8; 2],
    bytes: SignatureBytes,
) -> Option<Signature> {
    let length = Signature::from_config(config.clone(), start, bytes.clone()).ok()?.write_len();
    let length = PacketLength::Fixed(u32::try_from(length).ok()?);
    let header = PacketHeader::from_parts(PacketHeaderVersion::Old, Tag::Signature, length).ok()?;
    let SignatureConfig { typ, pub_alg, hash_alg, unhashed_subpackets, hashed_subpackets, .. } = config;
    Some(Signature::v4(header, typ, pub_alg, hash_alg, start, bytes, hashed_subpackets, unhashed_subpackets))
}

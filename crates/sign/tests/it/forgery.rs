//! Keys and signatures that no honest program makes, put together from packets.

use packhouse_sign::{Keyring, Secret};
use pgp::armor::BlockType;
use pgp::composed::{
    Deserializable as _, DetachedSignature, KeyType, SignedKeyDetails, SignedPublicSubKey, SignedSecretKey,
    SignedSecretSubKey,
};
use pgp::crypto::hash::HashAlgorithm;
use pgp::packet::{
    KeyFlags, PacketHeader, PubKeyInner, PublicKey, PublicSubkey, RevocationCode, SecretKey, SecretSubkey,
    Signature, SignatureConfig, SignatureType, Subpacket, SubpacketData, UserId,
};
use pgp::ser::Serialize as _;
use pgp::types::{
    Duration, KeyVersion, PacketHeaderVersion, Password, SignedUser, SigningKey, Tag, Timestamp,
};

use crate::gnupg::NOW;

/// What is unusual about a key. The default is a good one.
pub struct Recipe {
    pub algorithm: KeyType,
    pub subkey: KeyType,
    pub self_hash: HashAlgorithm,
    pub binding_hash: HashAlgorithm,
    pub back: Back,
    pub primary_signs: bool,
    pub subkey_signs: bool,
    /// Seconds from its creation.
    pub primary_lifetime: Option<u32>,
    pub subkey_lifetime: Option<u32>,
    pub created: u32,
    pub more_in_self_signature: Vec<Subpacket>,
}

/// The back-signature of the subkey.
pub enum Back {
    Good,
    Hash(HashAlgorithm),
    None,
    /// By another subkey than the one that is bound.
    ByAnother,
}

impl Default for Recipe {
    fn default() -> Self {
        Recipe {
            algorithm: KeyType::Ed25519Legacy,
            subkey: KeyType::Ed25519Legacy,
            self_hash: HashAlgorithm::Sha512,
            binding_hash: HashAlgorithm::Sha512,
            back: Back::Good,
            primary_signs: false,
            subkey_signs: true,
            primary_lifetime: None,
            subkey_lifetime: None,
            created: NOW - 1000,
            more_in_self_signature: vec![],
        }
    }
}

/// A key whose secret the test has.
pub struct Forged(pub SignedSecretKey);

pub fn regular(data: SubpacketData) -> Subpacket {
    Subpacket::regular(data).unwrap()
}

pub fn critical(data: SubpacketData) -> Subpacket {
    Subpacket::critical(data).unwrap()
}

/// A configuration with issuer and creation time.
pub fn config(
    kind: SignatureType,
    maker: &dyn SigningKey,
    hash: HashAlgorithm,
    created: u32,
    more: Vec<Subpacket>,
) -> SignatureConfig {
    let mut config = SignatureConfig::v4(kind, maker.algorithm(), hash);
    config.hashed_subpackets = vec![
        regular(SubpacketData::IssuerFingerprint(maker.fingerprint())),
        regular(SubpacketData::SignatureCreationTime(Timestamp::from_secs(created))),
    ];
    config.hashed_subpackets.extend(more);
    config.unhashed_subpackets = vec![regular(SubpacketData::IssuerKeyId(maker.legacy_key_id()))];
    config
}

fn secret_subkey(kind: &KeyType, created: u32) -> SecretSubkey {
    let (public, secret) = kind.generate(rand::rngs::OsRng).unwrap();
    let inner = PubKeyInner::new(KeyVersion::V4, kind.to_alg(), Timestamp::from_secs(created), None, public);
    SecretSubkey::new(PublicSubkey::from_inner(inner.unwrap()).unwrap(), secret).unwrap()
}

fn flags(certify: bool, sign: bool) -> Subpacket {
    let mut flags = KeyFlags::default();
    flags.set_certify(certify);
    flags.set_sign(sign);
    flags.set_encrypt_comms(!certify && !sign);
    regular(SubpacketData::KeyFlags(flags))
}

fn lifetime(seconds: Option<u32>) -> Option<Subpacket> {
    seconds.map(|seconds| regular(SubpacketData::KeyExpirationTime(Duration::from_secs(seconds))))
}

impl Recipe {
    pub fn make(self) -> Forged {
        let (public, secret) = self.algorithm.generate(rand::rngs::OsRng).unwrap();
        let created = Timestamp::from_secs(self.created);
        let inner = PubKeyInner::new(KeyVersion::V4, self.algorithm.to_alg(), created, None, public).unwrap();
        let primary = SecretKey::new(PublicKey::from_inner(inner).unwrap(), secret).unwrap();
        self.make_with(primary)
    }

    /// With an existing primary key.
    pub fn make_with(self, primary: SecretKey) -> Forged {
        let none = Password::empty();
        let mut more = vec![flags(true, self.primary_signs)];
        more.extend(lifetime(self.primary_lifetime));
        more.extend(self.more_in_self_signature);
        let id = UserId::from_str(PacketHeaderVersion::New, "Forged <forged@example.org>").unwrap();
        let confirmation = config(SignatureType::CertPositive, &primary, self.self_hash, self.created, more)
            .sign_certification(&primary, primary.public_key(), &none, Tag::UserId, &id)
            .unwrap();

        let subkey = secret_subkey(&self.subkey, self.created);
        let mut more = vec![flags(false, self.subkey_signs)];
        more.extend(lifetime(self.subkey_lifetime));
        let back = |maker: &SecretSubkey, hash| {
            config(SignatureType::KeyBinding, maker, hash, self.created, vec![])
                .sign_primary_key_binding(maker, subkey.public_key(), &none, primary.public_key())
                .unwrap()
        };
        let back = match self.back {
            Back::None => None,
            Back::Good => Some(back(&subkey, HashAlgorithm::Sha512)),
            Back::Hash(hash) => Some(back(&subkey, hash)),
            Back::ByAnother => {
                Some(back(&secret_subkey(&KeyType::Ed25519Legacy, self.created), HashAlgorithm::Sha512))
            }
        };
        more.extend(back.map(|back| regular(SubpacketData::EmbeddedSignature(Box::new(back)))));
        let binding = config(SignatureType::SubkeyBinding, &primary, self.binding_hash, self.created, more)
            .sign_subkey_binding(&primary, primary.public_key(), &none, subkey.public_key())
            .unwrap();

        let details =
            SignedKeyDetails::new(vec![], vec![], vec![SignedUser::new(id, vec![confirmation])], vec![]);
        let subkeys = vec![SignedSecretSubKey::new(subkey, vec![binding])];
        Forged(SignedSecretKey::new(primary, details, vec![], subkeys))
    }
}

impl Forged {
    /// A key that gpg exported.
    pub fn import(armored: &[u8]) -> Self {
        Forged(SignedSecretKey::from_armor_single(armored).unwrap().0)
    }

    pub fn armored(&self) -> Secret {
        let mut text = Vec::new();
        pgp::armor::write(&self.0, BlockType::PrivateKey, &mut text, None, true).unwrap();
        Secret::new(text)
    }

    pub fn public(&self) -> Vec<u8> {
        self.0.to_public_key().to_bytes().unwrap()
    }

    pub fn keyring(&self) -> Keyring {
        Keyring::parse(&self.public()).unwrap()
    }

    pub fn subkey(&self) -> &SecretSubkey {
        &self.0.secret_subkeys[0].key
    }

    /// A document signature by the subkey, with everything as it should be unless said otherwise.
    pub fn signature(&self) -> Maker<'_> {
        Maker::new(self.subkey())
    }

    /// The same by the primary key.
    pub fn primary_signature(&self) -> Maker<'_> {
        Maker::new(&self.0.primary_key)
    }

    pub fn revoke(&mut self, reason: Option<RevocationCode>, created: u32) {
        let primary = &self.0.primary_key;
        let more = reason.map(|code| regular(SubpacketData::RevocationReason(code, Default::default())));
        let revocation = config(
            SignatureType::KeyRevocation,
            primary,
            HashAlgorithm::Sha512,
            created,
            more.into_iter().collect(),
        )
        .sign_key(primary, &Password::empty(), primary.public_key())
        .unwrap();
        self.0.details.revocation_signatures.push(revocation);
    }

    pub fn revoke_subkey(&mut self, reason: RevocationCode, created: u32) {
        let (primary, subkey) = (&self.0.primary_key, self.0.secret_subkeys[0].key.public_key());
        let more = vec![regular(SubpacketData::RevocationReason(reason, Default::default()))];
        let revocation =
            config(SignatureType::SubkeyRevocation, primary, HashAlgorithm::Sha512, created, more)
                .sign_subkey_binding(primary, primary.public_key(), &Password::empty(), subkey)
                .unwrap();
        self.0.secret_subkeys[0].signatures.push(revocation);
    }

    pub fn revoke_user(&mut self, created: u32) {
        let primary = &self.0.primary_key;
        let user = &mut self.0.details.users[0];
        let revocation =
            config(SignatureType::CertRevocation, primary, HashAlgorithm::Sha512, created, vec![])
                .sign_certification(primary, primary.public_key(), &Password::empty(), Tag::UserId, &user.id)
                .unwrap();
        user.signatures.push(revocation);
    }

    /// Takes the other key's signing subkey as its own, with its honest binding but without its consent.
    pub fn adopt(&mut self, victim: &Forged) {
        let primary = &self.0.primary_key;
        let stolen = victim.subkey().public_key().clone();
        // The victim's own back-signature, which is about the victim's primary key.
        let back = victim.0.secret_subkeys[0].signatures[0].embedded_signature().unwrap().clone();
        let more = vec![flags(false, true), regular(SubpacketData::EmbeddedSignature(Box::new(back)))];
        let binding = config(SignatureType::SubkeyBinding, primary, HashAlgorithm::Sha512, NOW - 500, more)
            .sign_subkey_binding(primary, primary.public_key(), &Password::empty(), &stolen)
            .unwrap();
        self.0.public_subkeys = vec![SignedPublicSubKey::new(stolen, vec![binding])];
        self.0.secret_subkeys.clear();
    }
}

/// One document signature in the making.
pub struct Maker<'a> {
    key: &'a dyn SigningKey,
    pub hash: HashAlgorithm,
    pub kind: SignatureType,
    pub created: u32,
    pub more: Vec<Subpacket>,
}

impl<'a> Maker<'a> {
    fn new(key: &'a dyn SigningKey) -> Self {
        Maker { key, hash: HashAlgorithm::Sha512, kind: SignatureType::Binary, created: NOW, more: vec![] }
    }

    pub fn hash(mut self, hash: HashAlgorithm) -> Self {
        self.hash = hash;
        self
    }

    pub fn kind(mut self, kind: SignatureType) -> Self {
        self.kind = kind;
        self
    }

    pub fn created(mut self, created: u32) -> Self {
        self.created = created;
        self
    }

    pub fn with(mut self, subpacket: Subpacket) -> Self {
        self.more.push(subpacket);
        self
    }

    /// The signature packet over `data`, binary.
    pub fn over(self, data: &[u8]) -> Vec<u8> {
        self.over_with(data, |_| {})
    }

    /// With a configuration that was changed by hand.
    pub fn over_with(mut self, data: &[u8], change: impl FnOnce(&mut SignatureConfig)) -> Vec<u8> {
        let more = std::mem::take(&mut self.more);
        let mut config = config(self.kind, self.key, self.hash, self.created, more);
        change(&mut config);
        self.finish(config, data)
    }

    fn finish(self, config: SignatureConfig, data: &[u8]) -> Vec<u8> {
        // By hand, since rPGP will not hash a document for a signature about keys.
        let mut hasher = config.hash_alg.new_hasher().unwrap();
        hasher.update(data);
        let length = config.hash_signature_data(&mut hasher).unwrap();
        hasher.update(&config.trailer(length).unwrap());
        let digest = hasher.finalize();
        let bytes = self.key.sign(&Password::empty(), config.hash_alg, &digest).unwrap();
        packet(&Signature::from_config(config, [digest[0], digest[1]], bytes).unwrap())
    }
}

/// A signature with its packet header.
pub fn packet(signature: &Signature) -> Vec<u8> {
    DetachedSignature::new(signature.clone()).to_bytes().unwrap()
}

/// Any packet.
pub fn raw_packet(tag: Tag, body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    PacketHeader::new_fixed(tag, body.len() as u32).to_writer(&mut bytes).unwrap();
    bytes.extend(body);
    bytes
}

/// In armor, under any label.
pub fn armored(label: &str, bytes: &[u8]) -> String {
    let mut text = Vec::new();
    pgp::armor::write(&Raw(bytes), BlockType::Signature, &mut text, None, true).unwrap();
    String::from_utf8(text).unwrap().replace("PGP SIGNATURE", label)
}

struct Raw<'a>(&'a [u8]);

impl pgp::ser::Serialize for Raw<'_> {
    fn to_writer<W: std::io::Write>(&self, writer: &mut W) -> pgp::errors::Result<()> {
        Ok(writer.write_all(self.0)?)
    }

    fn write_len(&self) -> usize {
        self.0.len()
    }
}

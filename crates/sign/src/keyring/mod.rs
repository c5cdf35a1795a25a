//! Keyrings: the public keys whose signatures are believed.
//!
//! A keyring has no format of its own; it is certificates one after the other. Three shapes are in use, and
//! all are read:
//!
//! | shape | made by | read by |
//! |---|---|---|
//! | binary packets | `gpg --export`, `Keyring::to_binary` | apt's `Signed-By: ….gpg`, gpgv, sqv, gpg, dpkg |
//! | ASCII armor, one block or several | `gpg --armor --export`, `cat a.asc b.asc` | apt's `Signed-By: ….asc`, rpm, gpg |
//! | GnuPG keybox | `gpg --no-default-keyring --keyring x.gpg --import` | gpg and gpgv only (sqv and rpm refuse it) |
//!
//! What is written is always one of the first two. Trust and third-party certifications are not kept.

mod keybox;

use std::collections::{BTreeMap, HashMap};
use std::io::Read as _;
use std::path::Path;

use pgp::armor::BlockType;
use pgp::composed::{Deserializable as _, SignedPublicKey};
use pgp::packet::{Packet, Signature, SignatureType};
use pgp::ser::Serialize;
use pgp::types::{KeyDetails as _, KeyId, KeyVersion};
use zeroize::Zeroizing;

use crate::error::KeyringDefect;
use crate::packets::{self, RawPacket, tag};
use crate::{Certificate, Error, Fingerprint, RevocationCertificate, armor, policy};

/// The certificates whose signatures are believed, in the order of the file, each once.
#[derive(Clone, Debug, Default)]
pub struct Keyring {
    certificates: Vec<Certificate>,
    passed_over: Vec<String>,
}

/// In which of the three shapes a keyring file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyringForm {
    /// Packets, one after the other: what everything reads.
    Binary,
    /// Text.
    Armored,
    /// GnuPG's own, which sqv, rpm and apt of Debian 13 do not read.
    Keybox,
}

impl KeyringForm {
    /// The form that the first bytes of a file say it has.
    pub fn of(bytes: &[u8]) -> Self {
        if keybox::is_keybox(bytes) {
            KeyringForm::Keybox
        } else if armor::is_binary(bytes) {
            KeyringForm::Binary
        } else {
            KeyringForm::Armored
        }
    }
}

/// What adding a certificate changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Added {
    /// The key was not there.
    New,
    /// The key was there, and something new about it was added.
    Update,
    /// All of it was there.
    Nothing,
}

impl Keyring {
    /// Reads a keyring file of any of the three shapes.
    ///
    /// # Errors
    /// [`Error::Io`], or [`Error::KeyringUnreadable`] with the path and the reason.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let mut bytes = Vec::new();
        let file = fs_err::File::open(path)?;
        file.take(policy::MAX_KEYRING_BYTES as u64 + 1).read_to_end(&mut bytes)?;
        Keyring::parse(&bytes).map_err(|error| match error {
            Error::KeyringUnreadable { reason, .. } => {
                Error::KeyringUnreadable { path: Some(path.to_owned()), reason }
            }
            error => error,
        })
    }

    /// Reads a keyring of any of the three shapes.
    ///
    /// A certificate that occurs twice counts once, with all revocations of both; a revocation that stands
    /// alone (the `.rev` file of gpg, armored and appended) counts for the key it revokes. A key that cannot be
    /// used (unknown algorithm, version 3 or 6) is passed over and named by [`Keyring::passed_over`].
    ///
    /// # Errors
    /// [`Error::KeyringUnreadable`]: empty, damaged, too large, a web page, no usable key, or a **secret** key.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        Keyring::parse_any(bytes).map_err(|reason| Error::KeyringUnreadable { path: None, reason })
    }

    fn parse_any(bytes: &[u8]) -> Result<Self, KeyringDefect> {
        if bytes.len() > policy::MAX_KEYRING_BYTES {
            return Err(KeyringDefect::TooLarge);
        }
        // Windows editors put a byte order mark before a text.
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let mut reader = Reader::default();
        if bytes.trim_ascii().is_empty() {
            return Err(KeyringDefect::Empty);
        } else if keybox::is_keybox(bytes) {
            let blocks = keybox::key_blocks(bytes).map_err(malformed)?;
            if blocks.is_empty() {
                return Err(KeyringDefect::Empty);
            }
            blocks.into_iter().try_for_each(|block| reader.add(block))?;
        } else if armor::is_binary(bytes) {
            reader.add(bytes)?;
        } else {
            for body in dearmor(bytes)? {
                reader.add(&body)?;
            }
        }
        reader.finish()
    }

    /// A keyring of these certificates; one that occurs twice is merged.
    pub fn from_certificates(certificates: impl IntoIterator<Item = Certificate>) -> Self {
        let mut reader = Reader::default();
        certificates.into_iter().for_each(|certificate| reader.insert(certificate));
        Keyring { certificates: reader.certificates, passed_over: Vec::new() }
    }

    /// Adds a certificate, or to the copy that is there what this one has in addition: a revocation or an extension
    /// in one copy counts for all, and nothing is ever taken away (KEY-08).
    pub fn add(&mut self, certificate: Certificate) -> Added {
        let fingerprint = certificate.fingerprint();
        match self.certificates.iter_mut().find(|known| known.fingerprint() == fingerprint) {
            Some(known) => {
                let before = known.to_binary();
                known.merge(certificate.key);
                if known.to_binary() == before { Added::Nothing } else { Added::Update }
            }
            None => {
                self.certificates.push(certificate);
                Added::New
            }
        }
    }

    /// Takes out the certificate with this primary key.
    pub fn remove(&mut self, fingerprint: &Fingerprint) -> Option<Certificate> {
        let position = self.certificates.iter().position(|known| known.fingerprint() == *fingerprint)?;
        Some(self.certificates.remove(position))
    }

    /// Adds a revocation to the key that made it, and returns its fingerprint.
    ///
    /// # Errors
    /// [`Error::RevokesAnotherKey`] when no key of the keyring made it.
    pub fn revoke(&mut self, revocation: &RevocationCertificate) -> Result<Fingerprint, Error> {
        let signature = &revocation.signature;
        for certificate in &mut self.certificates {
            let primary = &certificate.key.primary_key;
            if claims_to_be_by(signature, primary) && signature.verify_key(primary).is_ok() {
                let known = &mut certificate.key.details.revocation_signatures;
                if !known.contains(signature) {
                    known.push(signature.clone());
                }
                return Ok(certificate.fingerprint());
            }
        }
        let fingerprint =
            signature.issuer_fingerprint().first().map(|fingerprint| format!("{fingerprint:X}"));
        let key_id = || signature.issuer_key_id().first().map(|id| id.to_string().to_uppercase());
        let issuer = fingerprint.or_else(key_id).unwrap_or_else(|| "nobody".into());
        Err(Error::RevokesAnotherKey { issuer })
    }

    /// The certificates, in the order of the file.
    pub fn certificates(&self) -> &[Certificate] {
        &self.certificates
    }

    /// Keys of the file that cannot be used, each as a phrase that says which and why.
    pub fn passed_over(&self) -> &[String] {
        &self.passed_over
    }

    /// The certificate with this primary key or subkey.
    pub fn find(&self, fingerprint: &Fingerprint) -> Option<&Certificate> {
        self.certificates.iter().find(|certificate| certificate.fingerprints().contains(fingerprint))
    }

    /// The keyring as binary packets, for apt's `Signed-By`, gpgv and sqv.
    pub fn to_binary(&self) -> Vec<u8> {
        self.to_bytes().expect("writing into memory does not fail")
    }

    /// The keyring as one armored block, for `rpm --import` and apt's `Signed-By: ….asc`.
    pub fn to_armored(&self) -> String {
        let text = armor::write(self, BlockType::PublicKey);
        String::from_utf8(text.to_vec()).expect("armor is ASCII")
    }
}

impl Serialize for Keyring {
    fn to_writer<W: std::io::Write>(&self, writer: &mut W) -> pgp::errors::Result<()> {
        self.certificates.iter().try_for_each(|certificate| certificate.key.to_writer(writer))
    }

    fn write_len(&self) -> usize {
        self.certificates.iter().map(|certificate| certificate.key.write_len()).sum()
    }
}

fn malformed(reason: &'static str) -> KeyringDefect {
    KeyringDefect::Malformed { reason }
}

/// The packets of every armored block. Text around the blocks is what people write into key files.
fn dearmor(bytes: &[u8]) -> Result<Vec<Zeroizing<Vec<u8>>>, KeyringDefect> {
    let text = std::str::from_utf8(bytes).map_err(|_| malformed("it is neither OpenPGP nor text"))?;
    if text.trim_start().starts_with('<') {
        return Err(KeyringDefect::WebPage);
    }
    let armored = armor::read(text).map_err(malformed)?;
    if armored.blocks.iter().any(|block| block.label == armor::PRIVATE_KEY) {
        return Err(KeyringDefect::SecretKey);
    }
    armored
        .blocks
        .into_iter()
        .map(|block| match &*block.label {
            armor::PUBLIC_KEY => Ok(block.body),
            armor::SIGNATURE => Err(malformed("it is a signature")),
            _ => Err(malformed("it holds an armored block that is not a public key")),
        })
        .collect()
}

/// Puts certificates together out of packets.
#[derive(Default)]
struct Reader {
    certificates: Vec<Certificate>,
    positions: BTreeMap<Fingerprint, usize>,
    /// Each with the key that it stands behind in the file, if any.
    revocations: Vec<(Option<Fingerprint>, Signature)>,
    passed_over: Vec<String>,
}

/// The packets of one certificate while they are collected.
struct Collected<'a> {
    primary: pgp::packet::PublicKey,
    packets: Vec<RawPacket<'a>>,
    /// Signatures kept so far.
    signatures: usize,
}

impl Reader {
    /// Takes the packets of a file, a block or a keybox entry.
    fn add(&mut self, bytes: &[u8]) -> Result<(), KeyringDefect> {
        let mut current: Option<Collected<'_>> = None;
        for packet in packets::split(bytes) {
            let packet = packet.map_err(malformed)?;
            match packet.tag {
                tag::SECRET_KEY | tag::SECRET_SUBKEY => return Err(KeyringDefect::SecretKey),
                tag::PUBLIC_KEY => {
                    self.close(current.take())?;
                    current = self.open(packet);
                }
                tag::SIGNATURE => self.add_signature(packet, current.as_mut()),
                tag::USER_ID | tag::USER_ATTRIBUTE | tag::PUBLIC_SUBKEY => {
                    if let Some(collected) = &mut current {
                        collected.packets.push(packet);
                    }
                }
                // GnuPG writes trust packets into its own keyrings; markers say nothing (RFC 9580, 5.8, 5.10).
                tag::TRUST | tag::MARKER => {}
                _ => return Err(malformed("it holds packets that have no place in a keyring")),
            }
        }
        self.close(current)
    }

    fn open<'a>(&mut self, packet: RawPacket<'a>) -> Option<Collected<'a>> {
        match packet.parse() {
            Some(Packet::PublicKey(key)) if key.version() == KeyVersion::V4 => {
                Some(Collected { primary: key, packets: vec![packet], signatures: 0 })
            }
            Some(Packet::PublicKey(key)) => {
                let version = u8::from(key.version());
                self.passed_over.push(format!("a key of version {version}, {}", key.legacy_key_id()));
                None
            }
            _ => {
                self.passed_over.push("a damaged key, or one of an unknown kind".into());
                None
            }
        }
    }

    /// Keeps a signature that the certificate's own key claims to have made.
    ///
    /// Third-party certifications mean nothing here and are what keys get flooded with; they are dropped one by
    /// one, so that a hundred thousand of them take no memory. Revocations of keys are kept aside, because one
    /// counts wherever in the file it stands.
    fn add_signature<'a>(&mut self, packet: RawPacket<'a>, current: Option<&mut Collected<'a>>) {
        let Some(Packet::Signature(signature)) = packet.parse() else { return };
        if signature.typ() == Some(SignatureType::KeyRevocation) {
            if self.revocations.len() < policy::MAX_CERTIFICATES {
                let owner = current.and_then(|collected| Fingerprint::of(&collected.primary.fingerprint()));
                self.revocations.push((owner, signature));
            }
        } else if let Some(collected) = current
            && claims_to_be_by(&signature, &collected.primary)
        {
            collected.signatures += 1;
            if collected.signatures <= policy::MAX_OWN_SIGNATURES {
                collected.packets.push(packet);
            }
        }
    }

    fn close(&mut self, collected: Option<Collected<'_>>) -> Result<(), KeyringDefect> {
        let Some(Collected { primary, packets, signatures }) = collected else { return Ok(()) };
        let name = primary.fingerprint().to_string().to_uppercase();
        if signatures > policy::MAX_OWN_SIGNATURES {
            self.passed_over.push(format!("{name}, which is flooded with signatures"));
            return Ok(());
        }
        let bytes: Vec<u8> = packets.iter().flat_map(|packet| packet.bytes).copied().collect();
        match SignedPublicKey::from_bytes(&bytes[..]).ok().and_then(Certificate::new) {
            Some(certificate) if self.certificates.len() < policy::MAX_CERTIFICATES => {
                self.insert(certificate)
            }
            Some(_) => return Err(KeyringDefect::TooLarge),
            None => self.passed_over.push(format!("{name}, which is damaged")),
        }
        Ok(())
    }

    fn insert(&mut self, certificate: Certificate) {
        match self.positions.get(&certificate.fingerprint()) {
            Some(position) => self.certificates[*position].merge(certificate.key),
            None => {
                self.positions.insert(certificate.fingerprint(), self.certificates.len());
                self.certificates.push(certificate);
            }
        }
    }

    fn finish(mut self) -> Result<Keyring, KeyringDefect> {
        let mut by_key_id: HashMap<KeyId, Vec<usize>> = HashMap::new();
        for (position, certificate) in self.certificates.iter().enumerate() {
            by_key_id.entry(certificate.key.primary_key.legacy_key_id()).or_default().push(position);
        }
        for (owner, revocation) in std::mem::take(&mut self.revocations) {
            // Those that it names as its maker. One that names none is of the key that it stands behind: tried on
            // every key, a file of such revocations would take hours.
            let mut positions: Vec<usize> = match owner.filter(|_| names_nobody(&revocation)) {
                Some(owner) => self.positions.get(&owner).copied().into_iter().collect(),
                None => {
                    let fingerprints = revocation.issuer_fingerprint().into_iter();
                    let named = fingerprints.filter_map(|named| self.positions.get(&Fingerprint::of(named)?));
                    let ids = revocation.issuer_key_id().into_iter();
                    named.chain(ids.filter_map(|id| by_key_id.get(id)).flatten()).copied().collect()
                }
            };
            positions.sort_unstable();
            positions.dedup();
            for position in positions {
                let key = &mut self.certificates[position].key;
                let known = &mut key.details.revocation_signatures;
                if !known.contains(&revocation) && revocation.verify_key(&key.primary_key).is_ok() {
                    known.push(revocation.clone());
                }
            }
        }
        if self.certificates.is_empty() {
            return Err(KeyringDefect::NoKey { passed_over: self.passed_over });
        }
        Ok(Keyring { certificates: self.certificates, passed_over: self.passed_over })
    }
}

/// Whether the signature names this key as its maker, or names none.
fn claims_to_be_by(signature: &Signature, key: &pgp::packet::PublicKey) -> bool {
    names_nobody(signature)
        || signature.issuer_key_id().contains(&&key.legacy_key_id())
        || signature.issuer_fingerprint().contains(&&key.fingerprint())
}

fn names_nobody(signature: &Signature) -> bool {
    signature.issuer_key_id().is_empty() && signature.issuer_fingerprint().is_empty()
}

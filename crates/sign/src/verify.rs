//! Whether a signature is good: made by a key of the keyring, over exactly these bytes, in a way that counts.
//!
//! Specification: RFC 9580, sections 5.2 (signatures) and 10.4 (detached signatures); what is asked beyond it is
//! in `policy.rs` and `standing.rs`.
//!
//! The order of the questions decides what a user is told: first what kind of file it is, then whose signature,
//! then whether the content matches, and last whether the key may vouch for it. So a changed package is called
//! changed even when the key has expired too.

use std::io::Read;
use std::time::SystemTime;

use pgp::packet::{Packet, Signature, SignatureConfig, SignatureType, SignatureVersion, SubpacketData};

use crate::armor;
use crate::cleartext;
use crate::hasher::{self, Hasher};
use crate::packets::{self, tag};
use crate::standing::Component;
use crate::{Certificate, Error, Fingerprint, Keyring, policy};

/// Who vouches for the content.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verified {
    /// The primary key's fingerprint: what a user compares.
    pub fingerprint: Fingerprint,
    /// The key that made the signature: the same, or a subkey.
    pub signing_key: Fingerprint,
    /// The primary user id, safe to print.
    pub user_id: String,
    /// When the signature was made.
    pub created: SystemTime,
    /// When the key that signed, or the whole key, expires; `None` for never.
    pub expires: Option<SystemTime>,
}

/// Verifies a detached signature, armored (`.asc`) or binary (`.sig`), over everything that `data` yields.
///
/// The data is read once and never held. With several signatures in the file at least one must be good and
/// none may contradict the content.
///
/// # Errors
/// Which of the many things is wrong: see [`Error`].
pub fn verify_detached(
    signature: &[u8],
    data: &mut dyn Read,
    keyring: &Keyring,
    at: SystemTime,
) -> Result<Verified, Error> {
    let signatures = read_signatures(signature)?;
    verify(signatures, SignatureType::Binary, data, keyring, at)
}

/// Verifies a text signed in the clear (apt's `InRelease`, our `releases.asc`) and returns what was signed.
///
/// Go on with the returned text, never with the message: it has LF line ends and no blanks at the ends of
/// lines, as the signature sees it. The message must be the only thing in `text`.
///
/// # Errors
/// Which of the many things is wrong: see [`Error`].
pub fn verify_cleartext(text: &str, keyring: &Keyring, at: SystemTime) -> Result<(String, Verified), Error> {
    let (lines, signature) = cleartext::parse(text)?;
    let signatures = read_signatures(signature.as_bytes())?;
    let verified = verify(signatures, SignatureType::Text, &mut &lines.signed_bytes()[..], keyring, at)?;
    Ok((lines.to_text(), verified))
}

/// The signatures of a file that holds nothing else.
fn read_signatures(bytes: &[u8]) -> Result<Vec<Signature>, Error> {
    if bytes.trim_ascii().is_empty() {
        return Err(Error::NoSignature);
    }
    if bytes.len() > policy::MAX_SIGNATURE_BYTES {
        return Err(Error::TooLarge {
            what: "the signature file",
            limit: format!("{} KiB", policy::MAX_SIGNATURE_BYTES / 1024),
        });
    }
    if armor::is_binary(bytes) {
        return parse_signatures(bytes);
    }
    let malformed = |reason| Error::MalformedSignature { reason };
    let text = std::str::from_utf8(bytes).map_err(|_| Error::NoSignature)?;
    if text.trim_start().starts_with("-----BEGIN PGP SIGNED MESSAGE-----") {
        return Err(Error::NotDetached { found: "a cleartext-signed message".into() });
    }
    let armored = armor::read(text).map_err(malformed)?;
    let [block] = &armored.blocks[..] else {
        return Err(if armored.blocks.is_empty() {
            Error::NoSignature
        } else {
            malformed("more than one armored block is in it")
        });
    };
    match &*block.label {
        armor::SIGNATURE if armored.has_text_outside => Err(malformed("there is text around it")),
        armor::SIGNATURE => parse_signatures(&block.body),
        "PGP MESSAGE" => Err(Error::NotDetached { found: "a message that contains its own content".into() }),
        label if label.contains("KEY") => Err(Error::NotDetached { found: "a key".into() }),
        _ => Err(Error::NotDetached { found: "something else in armor".into() }),
    }
}

fn parse_signatures(bytes: &[u8]) -> Result<Vec<Signature>, Error> {
    let mut signatures = Vec::new();
    for packet in packets::split(bytes) {
        let packet = packet.map_err(|reason| match reason {
            packets::PARTIAL => Error::NotDetached { found: "a message".into() },
            reason => Error::MalformedSignature { reason },
        })?;
        let found = match packet.tag {
            tag::SIGNATURE => {
                let Some(Packet::Signature(signature)) = packet.parse() else {
                    return Err(Error::MalformedSignature { reason: "a signature packet cannot be read" });
                };
                if signatures.len() == policy::MAX_SIGNATURES {
                    return Err(Error::TooLarge {
                        what: "the number of signatures",
                        limit: policy::MAX_SIGNATURES.to_string(),
                    });
                }
                signatures.push(signature);
                continue;
            }
            tag::COMPRESSED => "compressed data",
            tag::LITERAL | tag::ONE_PASS_SIGNATURE => "a message that contains its own content",
            tag::PUBLIC_KEY | tag::PUBLIC_SUBKEY | tag::SECRET_KEY | tag::SECRET_SUBKEY => "a key",
            _ => "something else",
        };
        return Err(Error::NotDetached { found: found.into() });
    }
    if signatures.is_empty() { Err(Error::NoSignature) } else { Ok(signatures) }
}

/// A signature that a key of the keyring may have made, while the data passes by.
struct Candidate<'a> {
    signature: &'a Signature,
    keys: Vec<(&'a Certificate, Component<'a>)>,
    hasher: Hasher,
}

fn verify(
    signatures: Vec<Signature>,
    kind: SignatureType,
    data: &mut dyn Read,
    keyring: &Keyring,
    at: SystemTime,
) -> Result<Verified, Error> {
    let mut refused = Vec::new();
    let mut candidates = Vec::new();
    for signature in &signatures {
        match candidate(signature, kind, keyring) {
            Ok(candidate) => candidates.push(candidate),
            Err(error) => refused.push(error),
        }
    }
    if !candidates.is_empty() {
        hasher::feed(data, |bytes| {
            candidates.iter_mut().for_each(|candidate: &mut Candidate<'_>| candidate.hasher.update(bytes));
            Ok(())
        })?;
    }
    let mut good = None;
    for candidate in candidates {
        match candidate.judge(policy::seconds(at)) {
            Ok(verified) => good = good.or(Some(verified)),
            // Content that one of our own keys contradicts is not saved by another signature (KEY-12).
            Err(error @ Error::BadSignature { .. }) => return Err(error),
            Err(error) => refused.push(error),
        }
    }
    match good {
        Some(verified) => Ok(verified),
        // What is wrong with a signature of a known key says more than that another key is unknown.
        None => {
            let telling =
                refused.iter().position(|error| !matches!(error, Error::UnknownKey { .. })).unwrap_or(0);
            Err(if refused.is_empty() { Error::NoSignature } else { refused.swap_remove(telling) })
        }
    }
}

/// Asks everything that can be asked before the data is read.
fn candidate<'a>(
    signature: &'a Signature,
    kind: SignatureType,
    keyring: &'a Keyring,
) -> Result<Candidate<'a>, Error> {
    let malformed = |reason| Error::MalformedSignature { reason };
    let config = match (signature.version(), signature.config()) {
        (SignatureVersion::V4, Some(config)) => config,
        (version, _) => return Err(Error::UnsupportedSignature { version: version.into() }),
    };
    if config.typ != kind {
        return Err(Error::NotDetached { found: describe(config.typ) });
    }
    let count = |wanted: fn(&SubpacketData) -> bool| {
        config.hashed_subpackets().filter(|subpacket| wanted(&subpacket.data)).count()
    };
    // The first of two would count here and perhaps the last elsewhere.
    if count(|data| matches!(data, SubpacketData::SignatureCreationTime(_))) != 1 {
        return Err(malformed("it does not say once when it was made"));
    }
    if count(|data| matches!(data, SubpacketData::SignatureExpirationTime(_))) > 1 {
        return Err(malformed("it says more than once until when it is valid"));
    }
    let issuer = Issuer::of(config)?;
    let keys: Vec<_> = keyring
        .certificates()
        .iter()
        .flat_map(|certificate| certificate.components().map(move |component| (certificate, component)))
        .filter(|(certificate, component)| issuer.may_be(certificate, *component))
        .collect();
    if keys.is_empty() {
        return Err(Error::UnknownKey { issuer: issuer.to_string() });
    }
    if !policy::is_strong_hash(config.hash_alg) {
        return Err(Error::WeakHash { algorithm: policy::hash_name(config.hash_alg) });
    }
    if !policy::knows_every_critical_subpacket(signature) {
        return Err(Error::UnknownCritical);
    }
    let hasher = Hasher::new(config)
        .ok_or_else(|| Error::WeakHash { algorithm: policy::hash_name(config.hash_alg) })?;
    Ok(Candidate { signature, keys, hasher })
}

impl Candidate<'_> {
    /// Asks the rest, once the data has passed.
    fn judge(self, at: u64) -> Result<Verified, Error> {
        let Candidate { signature, keys, hasher } = self;
        let config = signature.config().ok_or(Error::NoSignature)?;
        let digest = hasher.finish(config).ok_or(Error::UnknownCritical)?;
        let mut makers = keys
            .iter()
            .filter(|(certificate, component)| certificate.component_made(*component, signature, &digest))
            .peekable();
        if makers.peek().is_none() {
            let (certificate, _) = keys[0];
            return Err(Error::BadSignature {
                fingerprint: certificate.fingerprint(),
                user_id: certificate.user_id(),
            });
        }
        let created = u64::from(config.created().map_or(0, |time| time.as_secs()));
        if created > at + policy::CLOCK_SKEW.as_secs() {
            return Err(Error::SignatureFromTheFuture {
                created: policy::moment(created),
                at: policy::moment(at),
            });
        }
        let lifetime = signature.signature_expiration_time().map_or(0, |time| u64::from(time.as_secs()));
        if lifetime > 0 && created + lifetime <= at {
            return Err(Error::SignatureExpired { on: policy::moment(created + lifetime) });
        }
        // Two certificates may claim the same subkey; the one that it does not consent to is passed over.
        let mut refusal = Error::NoSignature;
        for (certificate, component) in makers {
            match certificate.check_signing(*component, created, at) {
                Ok(()) => return Ok(certificate.vouch(*component, created, at)),
                Err(error) => refusal = error,
            }
        }
        Err(refusal)
    }
}

impl Certificate {
    fn vouch(&self, component: Component<'_>, created: u64, at: u64) -> Verified {
        let fingerprint = self.fingerprint();
        Verified {
            fingerprint,
            signing_key: self.component_fingerprint(component).unwrap_or(fingerprint),
            user_id: self.user_id(),
            created: policy::moment(created),
            expires: self.end(component, at).map(policy::moment),
        }
    }
}

/// Who a signature says has made it: fingerprints where it gives any, else 64-bit key ids.
///
/// Only a way to find the key. Key ids can be made to collide, so every key that fits is tried.
enum Issuer {
    Fingerprints(Vec<pgp::types::Fingerprint>),
    KeyIds(Vec<pgp::types::KeyId>),
}

impl Issuer {
    fn of(config: &SignatureConfig) -> Result<Self, Error> {
        let fingerprints: Vec<_> = config.issuer_fingerprint().into_iter().cloned().collect();
        if !fingerprints.is_empty() {
            return Ok(Issuer::Fingerprints(fingerprints));
        }
        let ids: Vec<_> = config.issuer_key_id().into_iter().copied().collect();
        if ids.is_empty() {
            return Err(Error::MalformedSignature { reason: "it does not say which key made it" });
        }
        Ok(Issuer::KeyIds(ids))
    }

    fn may_be(&self, certificate: &Certificate, component: Component<'_>) -> bool {
        match self {
            Issuer::Fingerprints(fingerprints) => {
                let own = certificate.component_fingerprint(component);
                own.is_some() && fingerprints.iter().any(|fingerprint| Fingerprint::of(fingerprint) == own)
            }
            Issuer::KeyIds(ids) => ids.contains(&certificate.component_key_id(component)),
        }
    }
}

impl std::fmt::Display for Issuer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Issuer::Fingerprints(fingerprints) => {
                fingerprints.iter().take(1).try_for_each(|first| write!(f, "{first:X}"))
            }
            Issuer::KeyIds(ids) => {
                ids.iter().take(1).try_for_each(|first| f.write_str(&first.to_string().to_uppercase()))
            }
        }
    }
}

fn describe(kind: SignatureType) -> String {
    match kind {
        SignatureType::Binary => "a signature of a file, not of a text".into(),
        SignatureType::Text => "a signature of a text, which ignores line ends".into(),
        SignatureType::Standalone => "a signature of nothing".into(),
        SignatureType::Timestamp => "a timestamp".into(),
        kind => format!("a signature of type 0x{:02X}, which is about keys", u8::from(kind)),
    }
}

//! What a certificate's own signatures make of it: whose it is, until when, and which part may sign.
//!
//! Specification: RFC 9580, sections 5.2.3 (what self-signatures say), 5.2.3.31 (reasons for revocation) and
//! 10.1.5 (subkeys and back-signatures). Where the RFC leaves a choice we do as GnuPG (`g10/getkey.c`,
//! `merge_selfsigs_main`), because that is what `gpg --list-keys` shows the key's owner.
//!
//! Not followed: designated revokers (deprecated by RFC 9580), third-party certifications, trust.

use pgp::composed::SignedPublicSubKey;
use pgp::packet::{KeyFlags, RevocationCode, Signature, SignatureType, SignatureVersion, SubpacketData};
use pgp::types::{KeyDetails as _, KeyId, PublicParams, SignedUser, Tag, VerifyingKey as _};
use std::time::SystemTime;

use crate::error::KeyDefect;
use crate::policy::POLICY;
use crate::{Algorithm, Certificate, Error, Fingerprint, policy, printable};

/// A key within a certificate.
#[derive(Clone, Copy)]
pub(crate) enum Component<'a> {
    Primary,
    Subkey(&'a SignedPublicSubKey),
}

/// What the valid self-signatures say about the primary key.
pub(crate) struct Standing {
    /// `None`: no self-signature is valid.
    pub(crate) flags: Option<KeyFlags>,
    /// Seconds since 1970; `None` for never.
    pub(crate) expires: Option<u64>,
    /// The primary one first.
    pub(crate) user_ids: Vec<String>,
    /// The hash of a self-signature that was passed over for it.
    weak_hash: Option<String>,
}

/// A revocation by the key's owner.
pub(crate) struct Revocation {
    pub(crate) on: u64,
    /// Whether the key may have been in other hands: then nothing it ever signed counts.
    pub(crate) is_hard: bool,
    pub(crate) reason: String,
}

impl Certificate {
    pub(crate) fn component_fingerprint(&self, component: Component<'_>) -> Option<Fingerprint> {
        match component {
            Component::Primary => Some(self.fingerprint()),
            Component::Subkey(subkey) => Fingerprint::of(&subkey.key.fingerprint()),
        }
    }

    pub(crate) fn find_component(&self, fingerprint: &Fingerprint) -> Option<Component<'_>> {
        self.components()
            .find(|component| self.component_fingerprint(*component).as_ref() == Some(fingerprint))
    }

    /// What the component is, for the statements of a signature.
    pub(crate) fn component_key<'a>(&'a self, component: Component<'a>) -> &'a dyn pgp::types::KeyDetails {
        match component {
            Component::Primary => &self.key.primary_key,
            Component::Subkey(subkey) => &subkey.key,
        }
    }

    pub(crate) fn component_key_id(&self, component: Component<'_>) -> KeyId {
        match component {
            Component::Primary => self.key.primary_key.legacy_key_id(),
            Component::Subkey(subkey) => subkey.key.legacy_key_id(),
        }
    }

    /// Whether the component made this signature over this digest.
    pub(crate) fn component_made(
        &self,
        component: Component<'_>,
        signature: &Signature,
        digest: &[u8],
    ) -> bool {
        let (Some(config), Some(bytes)) = (signature.config(), signature.signature()) else { return false };
        // The two octets in the clear are a check against the wrong file; gpg refuses when they differ.
        if signature.signed_hash_value().is_none_or(|start| digest.get(..2) != Some(&start)) {
            return false;
        }
        match component {
            Component::Primary => {
                let key = &self.key.primary_key;
                config.pub_alg == key.algorithm() && key.verify(config.hash_alg, digest, bytes).is_ok()
            }
            Component::Subkey(subkey) => {
                let key = &subkey.key;
                config.pub_alg == key.algorithm() && key.verify(config.hash_alg, digest, bytes).is_ok()
            }
        }
    }

    pub(crate) fn parameters<'a>(&'a self, component: Component<'a>) -> &'a PublicParams {
        match component {
            Component::Primary => self.key.primary_key.public_params(),
            Component::Subkey(subkey) => subkey.key.public_params(),
        }
    }

    pub(crate) fn component_algorithm(&self, component: Component<'_>) -> Algorithm {
        Algorithm::of(self.parameters(component))
    }

    /// The components that may sign at that time, subkeys before the primary key, the newest first.
    pub(crate) fn signing_components(&self, at: SystemTime) -> Result<Vec<Component<'_>>, Error> {
        let now = policy::seconds(at);
        let mut usable = Vec::new();
        let mut refusals = Vec::new();
        for component in self.components() {
            match self.check_signing(component, now, now) {
                Ok(()) => usable.push(component),
                Err(error) => refusals.push(error),
            }
        }
        usable.sort_by_key(|component| match component {
            Component::Primary => (1, std::cmp::Reverse(0)),
            Component::Subkey(subkey) => (0, std::cmp::Reverse(subkey.key.created_at().as_secs())),
        });
        if usable.is_empty() {
            // A primary key that only certifies is the rule, so what a signing subkey lacks says more.
            let is_other_purpose = |error: &Error| {
                matches!(error, Error::NotASigningKey { defect: KeyDefect::OtherPurpose, .. })
            };
            let telling = refusals.iter().position(|error| !is_other_purpose(error)).unwrap_or(0);
            return Err(refusals.swap_remove(telling));
        }
        Ok(usable)
    }

    /// Whether a signature that the component made at `signed_at` is acceptable at `at` (seconds since 1970).
    pub(crate) fn check_signing(
        &self,
        component: Component<'_>,
        signed_at: u64,
        at: u64,
    ) -> Result<(), Error> {
        let fingerprint = self.fingerprint();
        let refuse = |defect| Error::NotASigningKey { fingerprint, defect };

        self.check_revocation(Component::Primary, signed_at)?;
        self.check_revocation(component, signed_at)?;

        let standing = self.standing(Some(at));
        let Some(primary_flags) = &standing.flags else {
            return Err(refuse(match standing.weak_hash {
                Some(algorithm) => KeyDefect::WeakSelfSignature { algorithm },
                None => KeyDefect::NoSelfSignature,
            }));
        };
        self.check_expiry(standing.expires, at)?;
        self.check_strength(Component::Primary)?;
        let mut born = self.key.primary_key.created_at().as_secs();

        match component {
            Component::Primary if !primary_flags.sign() => return Err(refuse(KeyDefect::OtherPurpose)),
            Component::Primary => {}
            Component::Subkey(subkey) => {
                let binding = self.binding(subkey, at).map_err(refuse)?;
                if !binding.key_flags().sign() {
                    return Err(refuse(KeyDefect::OtherPurpose));
                }
                if !self.has_back_signature(subkey, binding, at) {
                    return Err(refuse(KeyDefect::NoBackSignature));
                }
                self.check_expiry(subkey_end(subkey, binding), at)?;
                self.check_strength(component)?;
                born = born.max(subkey.key.created_at().as_secs());
            }
        }
        if signed_at < u64::from(born) {
            return Err(Error::SignatureBeforeKey { fingerprint, created: policy::moment(signed_at) });
        }
        Ok(())
    }

    /// When the component ends, by its own expiry or by the primary key's. `None` for never.
    pub(crate) fn end(&self, component: Component<'_>, at: u64) -> Option<u64> {
        let own = match component {
            Component::Primary => None,
            Component::Subkey(subkey) => {
                self.binding(subkey, at).ok().and_then(|binding| subkey_end(subkey, binding))
            }
        };
        own.into_iter().chain(self.standing(Some(at)).expires).min()
    }

    /// Reads the self-signatures; with a time, only those that count then.
    pub(crate) fn standing(&self, at: Option<u64>) -> Standing {
        let primary = &self.key.primary_key;
        let details = &self.key.details;
        let mut weak_hash = None;

        let direct = newest(
            details.direct_signatures.iter(),
            &[SignatureType::Key],
            at,
            &mut weak_hash,
            |signature| signature.verify_key(primary).is_ok(),
        );
        let mut users: Vec<(&SignedUser, &Signature)> = Vec::new();
        for user in &details.users {
            let confirmed = newest(user.signatures.iter(), CERTIFICATIONS, at, &mut weak_hash, |signature| {
                signature.verify_certification(primary, Tag::UserId, &user.id).is_ok()
            });
            if let Some(signature) = confirmed
                && !self.is_user_revoked(user, signature)
            {
                users.push((user, signature));
            }
        }
        users.sort_by_key(|(_, signature)| (!signature.is_primary(), std::cmp::Reverse(created(signature))));

        // GnuPG: a statement about the key itself wins; else the newest user id that gives one.
        let by_age = || {
            let mut signatures: Vec<_> = users.iter().map(|(_, signature)| *signature).collect();
            signatures.sort_by_key(|signature| std::cmp::Reverse(created(signature)));
            direct.into_iter().chain(signatures)
        };
        let lifetime =
            by_age().find_map(|signature| signature.key_expiration_time()).map_or(0, |time| time.as_secs());
        let flags = by_age()
            .find(|signature| states_flags(signature))
            .map(Signature::key_flags)
            .or_else(|| by_age().next().map(|_| no_flags()));

        Standing {
            flags,
            expires: (lifetime > 0).then(|| u64::from(primary.created_at().as_secs()) + u64::from(lifetime)),
            user_ids: users
                .iter()
                .map(|(user, _)| printable(&String::from_utf8_lossy(user.id.id())))
                .collect(),
            weak_hash,
        }
    }

    /// Whether the owner took the user id back after confirming it. Any hash will do for saying no.
    fn is_user_revoked(&self, user: &SignedUser, confirmation: &Signature) -> bool {
        user.signatures.iter().any(|signature| {
            signature.typ() == Some(SignatureType::CertRevocation)
                && created(signature) >= created(confirmation)
                && signature.verify_certification(&self.key.primary_key, Tag::UserId, &user.id).is_ok()
        })
    }

    /// The newest signature that binds the subkey.
    pub(crate) fn binding<'a>(
        &self,
        subkey: &'a SignedPublicSubKey,
        at: u64,
    ) -> Result<&'a Signature, KeyDefect> {
        let mut weak_hash = None;
        newest(
            subkey.signatures.iter(),
            &[SignatureType::SubkeyBinding],
            Some(at),
            &mut weak_hash,
            |signature| signature.verify_subkey_binding(&self.key.primary_key, &subkey.key).is_ok(),
        )
        .ok_or(match weak_hash {
            Some(algorithm) => KeyDefect::WeakBinding { algorithm },
            None => KeyDefect::NotBound,
        })
    }

    /// Whether the subkey confirms the binding. Without this anyone could adopt another's signing key as a
    /// subkey and claim its signatures (CVE-2021-3521 is rpm not asking).
    fn has_back_signature(&self, subkey: &SignedPublicSubKey, binding: &Signature, at: u64) -> bool {
        let Some(config) = binding.config() else { return false };
        // Either area: it is signed by itself, and GnuPG writes it into the hashed one, older ones did not.
        let embedded =
            config.hashed_subpackets().chain(config.unhashed_subpackets()).filter_map(|subpacket| {
                match &subpacket.data {
                    SubpacketData::EmbeddedSignature(signature) => Some(&**signature),
                    _ => None,
                }
            });
        newest(embedded, &[SignatureType::KeyBinding], Some(at), &mut None, |signature| {
            signature.verify_primary_key_binding(&subkey.key, &self.key.primary_key).is_ok()
        })
        .is_some()
    }

    /// The revocation of the component that says most: a hard one, else the earliest.
    ///
    /// Neither hash nor date is asked: what is signed by the key itself and says "do not trust me" is believed.
    pub(crate) fn revocation(&self, component: Component<'_>) -> Option<Revocation> {
        let primary = &self.key.primary_key;
        let (signatures, kind) = match component {
            Component::Primary => (&self.key.details.revocation_signatures, SignatureType::KeyRevocation),
            Component::Subkey(subkey) => (&subkey.signatures, SignatureType::SubkeyRevocation),
        };
        signatures
            .iter()
            .filter(|signature| signature.typ() == Some(kind))
            .filter(|signature| match component {
                Component::Primary => signature.verify_key(primary).is_ok(),
                Component::Subkey(subkey) => signature.verify_subkey_binding(primary, &subkey.key).is_ok(),
            })
            .map(Revocation::of)
            .min_by_key(|revocation| (!revocation.is_hard, revocation.on))
    }

    fn check_revocation(&self, component: Component<'_>, signed_at: u64) -> Result<(), Error> {
        match self.revocation(component) {
            Some(Revocation { on, is_hard, reason }) if is_hard || on <= signed_at => {
                Err(Error::KeyRevoked {
                    fingerprint: self.fingerprint(),
                    user_id: self.user_id(),
                    on: policy::moment(on),
                    reason,
                })
            }
            _ => Ok(()),
        }
    }

    fn check_expiry(&self, end: Option<u64>, at: u64) -> Result<(), Error> {
        match end {
            Some(end) if end <= at => Err(Error::KeyExpired {
                fingerprint: self.fingerprint(),
                user_id: self.user_id(),
                on: policy::moment(end),
            }),
            _ => Ok(()),
        }
    }

    fn check_strength(&self, component: Component<'_>) -> Result<(), Error> {
        let algorithm = self.component_algorithm(component);
        if POLICY.accepts(algorithm) {
            return Ok(());
        }
        Err(Error::WeakKey { fingerprint: self.fingerprint(), algorithm: algorithm.to_string() })
    }
}

impl Revocation {
    fn of(signature: &Signature) -> Self {
        let code = signature.revocation_reason_code().copied();
        let text = signature.revocation_reason_string().map(|text| printable(&String::from_utf8_lossy(text)));
        let (meaning, is_hard) = match code {
            Some(RevocationCode::KeySuperseded) => ("superseded", false),
            Some(RevocationCode::KeyRetired) => ("no longer used", false),
            Some(RevocationCode::KeyCompromised) => ("compromised", true),
            // Nothing said means the worst (RFC 9580, section 5.2.3.31).
            _ => ("no reason given", true),
        };
        let reason = match text {
            Some(text) if !text.is_empty() => format!("{meaning} ({text})"),
            _ => meaning.to_owned(),
        };
        Revocation { on: created(signature), is_hard, reason }
    }
}

const CERTIFICATIONS: &[SignatureType] = pgp::packet::CERTIFICATION_SIGNATURE_TYPES;

/// The newest signature of these types that counts at that time and whose mathematics hold.
fn newest<'a>(
    signatures: impl Iterator<Item = &'a Signature>,
    types: &[SignatureType],
    at: Option<u64>,
    weak_hash: &mut Option<String>,
    verify: impl Fn(&Signature) -> bool,
) -> Option<&'a Signature> {
    let mut candidates: Vec<&Signature> = signatures
        .filter(|signature| signature.typ().is_some_and(|kind| types.contains(&kind)))
        .filter(|signature| signature.version() == SignatureVersion::V4)
        .filter(|signature| policy::knows_every_critical_subpacket(signature))
        .filter(|signature| at.is_none_or(|at| counts_at(signature, at)))
        .filter(|signature| {
            let hash = signature.hash_alg().unwrap_or_default();
            let is_strong = policy::is_strong_hash(hash);
            if !is_strong {
                *weak_hash = Some(policy::hash_name(hash));
            }
            is_strong
        })
        .collect();
    candidates.sort_by_key(|signature| std::cmp::Reverse(created(signature)));
    candidates.into_iter().find(|signature| verify(signature))
}

/// Whether it has been made by then and has not ended.
fn counts_at(signature: &Signature, at: u64) -> bool {
    let Some(made) = signature.created() else { return false };
    let made = u64::from(made.as_secs());
    let lifetime = signature.signature_expiration_time().map_or(0, |time| u64::from(time.as_secs()));
    made <= at + policy::CLOCK_SKEW.as_secs() && (lifetime == 0 || made + lifetime > at)
}

pub(crate) fn subkey_end(subkey: &SignedPublicSubKey, binding: &Signature) -> Option<u64> {
    let lifetime = binding.key_expiration_time().map_or(0, |time| time.as_secs());
    (lifetime > 0).then(|| u64::from(subkey.key.created_at().as_secs()) + u64::from(lifetime))
}

fn created(signature: &Signature) -> u64 {
    signature.created().map_or(0, |time| u64::from(time.as_secs()))
}

fn states_flags(signature: &Signature) -> bool {
    signature.config().is_some_and(|config| {
        config.hashed_subpackets().any(|subpacket| matches!(subpacket.data, SubpacketData::KeyFlags(_)))
    })
}

/// A key that does not say what it is for is for nothing: gpg has always written flags (since 1.2, 2002).
fn no_flags() -> KeyFlags {
    KeyFlags::default()
}

//! The keys of a certificate, one by one, as people list them.

use std::collections::BTreeSet;
use std::time::SystemTime;

use pgp::packet::{KeyFlags, Signature, SignatureType};
use pgp::types::KeyDetails as _;

use crate::standing::{Component, Revocation, subkey_end};
use crate::{Algorithm, Certificate, Error, Fingerprint, policy};

/// The primary key of a certificate, or one of its subkeys.
#[derive(Debug)]
#[non_exhaustive]
pub struct Part {
    /// Its own fingerprint.
    pub fingerprint: Fingerprint,
    /// Whether it is the primary key.
    pub is_primary: bool,
    /// Its algorithm.
    pub algorithm: Algorithm,
    /// When it was made.
    pub created: SystemTime,
    /// When it ends, with the primary key or before; `None` for never.
    pub expires: Option<SystemTime>,
    /// Whether and why its owner revoked it, or the primary key with all of its parts.
    pub revoked: Option<Revoked>,
    /// Whether it was made to certify other keys, which a primary key always does with its own subkeys.
    pub is_for_certifying: bool,
    /// Whether it was made to sign.
    pub is_for_signing: bool,
    /// Whether it may sign now, or the reason why not.
    pub may_sign: Result<(), Error>,
}

/// What its owner says of a key that is revoked.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Revoked {
    /// When.
    pub on: SystemTime,
    /// Why, safe to print.
    pub reason: String,
    /// Whether nothing that the key ever signed counts: it was compromised, or no reason is given.
    pub is_hard: bool,
}

impl Certificate {
    /// The primary key, then the subkeys, as they stand at that time.
    pub fn parts(&self, at: SystemTime) -> Vec<Part> {
        let now = policy::seconds(at);
        let standing = self.standing(Some(now));
        let parts = self.components().filter_map(|component| {
            let (created, flags, end) = match component {
                Component::Primary => (
                    self.key.primary_key.created_at(),
                    standing.flags.clone().unwrap_or_default(),
                    standing.expires,
                ),
                Component::Subkey(subkey) => {
                    let binding = self.binding(subkey, now).ok();
                    let end = binding.and_then(|binding| subkey_end(subkey, binding));
                    let flags: KeyFlags = binding.map(Signature::key_flags).unwrap_or_default();
                    (subkey.key.created_at(), flags, end.into_iter().chain(standing.expires).min())
                }
            };
            let revocation = self.revocation(Component::Primary).or_else(|| self.revocation(component));
            Some(Part {
                fingerprint: self.component_fingerprint(component)?,
                is_primary: matches!(component, Component::Primary),
                algorithm: self.component_algorithm(component),
                created: created.into(),
                expires: end.map(policy::moment),
                revoked: revocation.map(Revoked::from),
                is_for_certifying: flags.certify(),
                is_for_signing: flags.sign(),
                may_sign: self.check_signing(component, now, now),
            })
        });
        parts.collect()
    }

    /// The part that signs at that time: a subkey before the primary key, the newest first, which is the one that
    /// every signer here takes when it has its secret.
    ///
    /// # Errors
    /// As [`Certificate::check_can_sign`].
    pub fn signing_part(&self, at: SystemTime) -> Result<Part, Error> {
        let first = self.signing_components(at)?.into_iter().next();
        let fingerprint = first.and_then(|component| self.component_fingerprint(component));
        let mut parts = self.parts(at);
        let position = parts.iter().position(|part| Some(part.fingerprint) == fingerprint).unwrap_or(0);
        Ok(parts.swap_remove(position))
    }

    /// Why its owner revoked the whole key; `None` when it is not revoked.
    pub fn revoked(&self) -> Option<Revoked> {
        self.revocation(Component::Primary).map(Revoked::from)
    }

    /// The hashes that are not accepted and that its own statements about itself rely on, by name.
    ///
    /// Such a statement counts for nothing here, even beside a newer and better one. rpm of RHEL 9 refuses to import a
    /// key for one of them (<https://github.com/rpm-software-management/rpm/issues/1977>), and sqv does not see it.
    pub fn weak_hashes(&self) -> BTreeSet<String> {
        let details = &self.key.details;
        let signatures = details
            .direct_signatures
            .iter()
            .chain(details.users.iter().flat_map(|user| &user.signatures))
            .chain(self.key.public_subkeys.iter().flat_map(|subkey| &subkey.signatures));
        signatures
            .filter(|signature| !is_accepted(signature))
            .map(|signature| policy::hash_name(signature.hash_alg().unwrap_or_default()))
            .collect()
    }

    /// The certificate for customers' package managers: nothing that they do not need and some choke on.
    ///
    /// Without statements that rely on hashes which are not accepted, without the user ids and subkeys that only those
    /// confirm, without subkeys that do not sign, without photographs. Every revocation stays.
    #[must_use]
    pub fn for_clients(&self, at: SystemTime) -> Certificate {
        let now = policy::seconds(at);
        let mut slim = self.clone();
        let details = &mut slim.key.details;
        details.direct_signatures.retain(is_accepted);
        details.user_attributes.clear();
        for user in &mut details.users {
            user.signatures.retain(is_accepted);
        }
        details.users.retain(|user| !user.signatures.is_empty());
        slim.key
            .public_subkeys
            .retain(|subkey| self.binding(subkey, now).is_ok_and(|binding| binding.key_flags().sign()));
        for subkey in &mut slim.key.public_subkeys {
            subkey.signatures.retain(is_accepted);
        }
        slim
    }
}

/// Whether the hash of a signature is accepted, or it takes something back, for which any hash will do.
fn is_accepted(signature: &Signature) -> bool {
    let takes_back = matches!(
        signature.typ(),
        Some(SignatureType::KeyRevocation | SignatureType::SubkeyRevocation | SignatureType::CertRevocation)
    );
    takes_back || policy::is_strong_hash(signature.hash_alg().unwrap_or_default())
}

impl From<Revocation> for Revoked {
    fn from(revocation: Revocation) -> Self {
        let Revocation { on, is_hard, reason } = revocation;
        Revoked { on: policy::moment(on), reason, is_hard }
    }
}

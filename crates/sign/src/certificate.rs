//! A public key with what its owner says about it.
//!
//! Specification: RFC 9580, section 10.1 (RFC 4880, section 11.1). OpenPGP calls it a *certificate* or
//! *transferable public key*:
//!
//! | packets | what |
//! |---|---|
//! | public key | the *primary* key; its fingerprint names the whole |
//! | signatures | revocations, statements about the key itself |
//! | user id, signatures | who owns it; the self-signature carries purpose and expiry |
//! | public subkey, signatures | another key for one purpose, *bound* by the primary key |
//!
//! Nothing of this is true because it is in the file: every statement counts only after its signature by the
//! primary key has been checked. That is `standing.rs`; this file is what callers see.

use std::fmt;
use std::time::SystemTime;

use pgp::composed::SignedPublicKey;
use pgp::packet::Signature;
use pgp::ser::Serialize as _;
use pgp::types::KeyDetails as _;

use crate::policy;
use crate::signer::built_in;
use crate::standing::Component;
use crate::{Algorithm, Error, Fingerprint, Secret};

/// One public key of version 4 with its user ids, subkeys and the signatures that hold them together.
#[derive(Clone)]
pub struct Certificate {
    pub(crate) key: SignedPublicKey,
    fingerprint: Fingerprint,
}

impl Certificate {
    /// `None` for a key of another version than 4: gpg 2.2, rpm 4.18 and apt's gpgv read no other.
    pub(crate) fn new(key: SignedPublicKey) -> Option<Self> {
        let fingerprint = Fingerprint::of(&key.primary_key.fingerprint())?;
        Some(Certificate { key, fingerprint })
    }

    /// The public certificate that a secret key file holds beside the secret, which is not opened.
    ///
    /// # Errors
    /// [`Error::KeyUnreadable`], [`Error::SeveralSecretKeys`].
    pub fn of_secret_key(key: &Secret) -> Result<Certificate, Error> {
        let unreadable = Error::KeyUnreadable { reason: "it is of another version than 4" };
        Certificate::new(built_in::read(key)?.to_public_key()).ok_or(unreadable)
    }

    /// The primary key's fingerprint: the name of the whole.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// The primary key's fingerprint, then those of the subkeys, whatever they are for.
    pub fn fingerprints(&self) -> Vec<Fingerprint> {
        self.components().filter_map(|component| self.component_fingerprint(component)).collect()
    }

    /// The user ids that the key itself confirms and has not revoked, the primary one first.
    ///
    /// Control characters are replaced: these texts are printed.
    pub fn user_ids(&self) -> Vec<String> {
        self.standing(None).user_ids
    }

    /// The primary user id, for messages; the fingerprint when there is none.
    pub fn user_id(&self) -> String {
        self.user_ids().into_iter().next().unwrap_or_else(|| self.fingerprint.to_string())
    }

    /// When the primary key was made.
    pub fn created(&self) -> SystemTime {
        self.key.primary_key.created_at().into()
    }

    /// When the whole key expires; `None` for never. The signing subkey may end earlier:
    /// [`Certificate::signs_until`]. Also `None` when no self-signature is accepted, which
    /// [`Certificate::check_can_sign`] tells.
    pub fn expires(&self) -> Option<SystemTime> {
        self.standing(None).expires.map(policy::moment)
    }

    /// Whether its owner has revoked it, for whatever reason.
    pub fn is_revoked(&self) -> bool {
        self.revocation(Component::Primary).is_some()
    }

    /// The primary key's algorithm.
    pub fn algorithm(&self) -> Algorithm {
        self.component_algorithm(Component::Primary)
    }

    /// Whether some part of it may sign at that time, under the policy of this crate.
    ///
    /// # Errors
    /// The reason why not, of the part that comes nearest to it.
    pub fn check_can_sign(&self, at: SystemTime) -> Result<(), Error> {
        self.signing_components(at).map(|_| ())
    }

    /// Until when a signature made now stays acceptable: the latest end among the parts that may sign at that
    /// time. `Ok(None)` for ever.
    ///
    /// # Errors
    /// As [`Certificate::check_can_sign`].
    pub fn signs_until(&self, at: SystemTime) -> Result<Option<SystemTime>, Error> {
        let ends = self
            .signing_components(at)?
            .into_iter()
            .map(|component| self.end(component, policy::seconds(at)));
        let latest = ends.max_by_key(|end| end.unwrap_or(u64::MAX)).flatten();
        Ok(latest.map(policy::moment))
    }

    /// The certificate as binary packets.
    pub fn to_binary(&self) -> Vec<u8> {
        self.key.to_bytes().expect("writing into memory does not fail")
    }

    pub(crate) fn components(&self) -> impl Iterator<Item = Component<'_>> {
        std::iter::once(Component::Primary).chain(self.key.public_subkeys.iter().map(Component::Subkey))
    }

    /// Takes over what another copy of the same certificate has in addition (KEY-08: a revocation in one copy
    /// counts for all).
    pub(crate) fn merge(&mut self, other: SignedPublicKey) {
        // By their bytes without the header, which programs write in two ways.
        fn add(to: &mut Vec<Signature>, from: Vec<Signature>) {
            for signature in from {
                let bytes = signature.to_bytes().ok();
                if !to.iter().any(|known| known.to_bytes().ok() == bytes) {
                    to.push(signature);
                }
            }
        }
        let details = &mut self.key.details;
        add(&mut details.revocation_signatures, other.details.revocation_signatures);
        add(&mut details.direct_signatures, other.details.direct_signatures);
        for user in other.details.users {
            match details.users.iter_mut().find(|known| known.id.id() == user.id.id()) {
                Some(known) => add(&mut known.signatures, user.signatures),
                None => details.users.push(user),
            }
        }
        for subkey in other.public_subkeys {
            match self
                .key
                .public_subkeys
                .iter_mut()
                .find(|known| known.key.fingerprint() == subkey.key.fingerprint())
            {
                Some(known) => add(&mut known.signatures, subkey.signatures),
                None => self.key.public_subkeys.push(subkey),
            }
        }
    }
}

/// Fingerprint and user ids; the packets would fill pages.
impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate")
            .field("fingerprint", &self.fingerprint)
            .field("user_ids", &self.user_ids())
            .finish()
    }
}

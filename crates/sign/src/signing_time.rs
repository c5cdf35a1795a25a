//! When a key may sign for the first time: for signatures that are dated by what they sign and not by the clock.
//!
//! A signature inside a package makes its bytes, so that the same package signed twice is the same file only if the date is
//! the package's. But a key cannot have signed before it existed, and Sequoia (rpm of Fedora and RHEL 10, sqv) judges it by
//! the self-signatures that it had then: one that was extended since has only newer ones, because GnuPG replaces them.

use std::time::SystemTime;

use pgp::types::KeyDetails as _;

use crate::{Certificate, Fingerprint, policy};

impl Certificate {
    /// The first moment from `from` to `until` at which this key of it, the primary key or a subkey, may sign; `None` when
    /// there is none. The same for the same certificate, whatever the time.
    pub fn signs_first(&self, key: &Fingerprint, from: SystemTime, until: SystemTime) -> Option<SystemTime> {
        let component = self.find_component(key)?;
        let range = policy::seconds(from)..=policy::seconds(until);
        let details = &self.key.details;
        let statements = (details.direct_signatures.iter())
            .chain(details.users.iter().flat_map(|user| &user.signatures))
            .chain(self.key.public_subkeys.iter().flat_map(|subkey| &subkey.signatures));
        let made = statements.filter_map(|signature| Some(u64::from(signature.created()?.as_secs())));
        let born = self.key.public_subkeys.iter().map(|subkey| u64::from(subkey.key.created_at().as_secs()));
        let mut moments: Vec<u64> = std::iter::once(*range.start())
            .chain([policy::seconds(self.created())])
            .chain(born)
            .chain(made)
            .filter(|moment| range.contains(moment))
            .collect();
        moments.sort_unstable();
        moments.dedup();
        let first =
            moments.into_iter().find(|moment| self.check_signing(component, *moment, *moment).is_ok())?;
        Some(policy::moment(first))
    }

    /// The algorithm of this key of it, by its number (RFC 9580, 9.1).
    pub fn algorithm_number(&self, key: &Fingerprint) -> Option<u8> {
        use crate::standing::Component;
        Some(u8::from(match self.find_component(key)? {
            Component::Primary => self.key.primary_key.algorithm(),
            Component::Subkey(subkey) => subkey.key.algorithm(),
        }))
    }
}

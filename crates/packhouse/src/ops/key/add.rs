//! Adds keys to the keyring: new ones, and what is new about those that are there.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use packhouse_sign::{Added, Error as SignError, POLICY};

use super::Ring;
use crate::environment::Environment;
use crate::ops::signer::read_keyring;
use crate::ops::{Event, OnEvent, UsageError};

/// A key that was added.
#[derive(Clone, Debug)]
pub struct AddedKey {
    /// Its fingerprint.
    pub fingerprint: String,
    /// The same in groups, for people.
    pub grouped: String,
    /// Whose it is.
    pub user_id: String,
    /// What that changed.
    pub added: Added,
}

/// Adds the certificates of key files to the keyring, which is made when there is none: all, or none of them.
///
/// A new key must be able to sign now. Of one that is there everything new is taken over, a revocation, too.
///
/// # Errors
/// A file with secret keys, one that cannot be read, a key that is too weak or cannot sign.
pub fn add_keys(
    ring: &Ring,
    files: &[PathBuf],
    environment: &Environment,
    on_event: OnEvent<'_>,
) -> Result<(PathBuf, Vec<AddedKey>)> {
    let mut file = ring.read_or_new(environment, on_event)?;
    let mut added = Vec::new();
    for path in files {
        let path = environment.current_directory.join(path);
        let keys = read_keyring(&path, on_event)?;
        for certificate in keys.certificates() {
            let fingerprint = certificate.fingerprint();
            let refuse = || format!("{} of {} is not added", fingerprint.grouped(), path.display());
            if !POLICY.accepts(certificate.algorithm()) {
                let algorithm = certificate.algorithm().to_string();
                return Err(SignError::WeakKey { fingerprint, algorithm }).with_context(refuse);
            }
            let is_known = file.keyring.find(&fingerprint).is_some();
            if !is_known {
                certificate.check_can_sign(environment.now.into()).with_context(refuse)?;
            }
            let user_id = certificate.user_id();
            let result = file.keyring.add(certificate.clone());
            if let Some(now) = file.keyring.find(&fingerprint)
                && let Err(error) = now.check_can_sign(environment.now.into())
            {
                let message = format!("{} is in the keyring and cannot sign: {error}", fingerprint.grouped());
                on_event(Event::Notice { message });
            }
            added.push(AddedKey {
                fingerprint: fingerprint.to_string(),
                grouped: fingerprint.grouped(),
                user_id,
                added: result,
            });
        }
    }
    if added.is_empty() {
        return Err(UsageError::new("no key is named", "name files with public keys").into());
    }
    if added.iter().any(|key| key.added != Added::Nothing) {
        file.write(on_event)?;
    }
    Ok((file.path, added))
}

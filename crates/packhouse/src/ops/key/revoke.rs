//! Revokes a key of the keyring, by a certificate that was made before or by its secret key.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use fs_err as fs;
use packhouse_sign::{Fingerprint, Reason, RevocationCertificate, Secret, revoke_subkey};

use super::Ring;
use crate::environment::Environment;
use crate::ops::signer::source::passphrase;
use crate::ops::{OnEvent, UsageError};

/// How a key is to be revoked.
#[derive(Clone, Debug)]
pub enum RevokeOptions {
    /// By a revocation certificate.
    Certificate(PathBuf),
    /// By the secret of its primary key.
    Key {
        /// The file with the whole secret key.
        file: PathBuf,
        /// Why.
        reason: Reason,
        /// The same in words, for whoever looks at the key.
        text: String,
        /// Only this subkey.
        subkey: Option<String>,
    },
}

/// A key that was revoked.
#[derive(Clone, Debug)]
pub struct RevokedKey {
    /// The keyring.
    pub path: PathBuf,
    /// The primary key's fingerprint.
    pub fingerprint: Fingerprint,
    /// Whose it is.
    pub user_id: String,
    /// The subkey, when only that was revoked.
    pub subkey: Option<Fingerprint>,
    /// The reason that counts now.
    pub reason: String,
    /// Whether nothing that it ever signed counts.
    pub is_hard: bool,
}

/// Adds the revocation to the keyring.
///
/// # Errors
/// When the file is no revocation, is of a key that the keyring does not have, or the secret key cannot be used.
pub fn revoke_key(
    ring: &Ring,
    options: &RevokeOptions,
    environment: &Environment,
    on_event: OnEvent<'_>,
) -> Result<RevokedKey> {
    let mut file = ring.read(environment, on_event)?;
    let at = environment.now.into();
    let (fingerprint, subkey) = match options {
        RevokeOptions::Certificate(path) => {
            let path = environment.current_directory.join(path);
            let revocation = RevocationCertificate::parse(&fs::read(&path)?);
            let revocation = revocation.with_context(|| format!("{} revokes nothing", path.display()))?;
            (file.keyring.revoke(&revocation)?, None)
        }
        RevokeOptions::Key { file: key, reason, text, subkey } => {
            let path = environment.current_directory.join(key);
            let secret = Secret::read(&path)?;
            let passphrase = passphrase(None, environment)?;
            let context = || format!("{} cannot revoke", path.display());
            match subkey {
                None => {
                    let made = RevocationCertificate::make(&secret, passphrase.as_ref(), *reason, text, at);
                    (file.keyring.revoke(&made.with_context(context)?)?, None)
                }
                Some(subkey) => {
                    let subkey: Fingerprint = subkey.parse()?;
                    let made = revoke_subkey(&secret, passphrase.as_ref(), &subkey, *reason, text, at);
                    let certificate = made.with_context(context)?;
                    let fingerprint = certificate.fingerprint();
                    if file.keyring.find(&fingerprint).is_none() {
                        let message = format!("{} is not in {}", fingerprint.grouped(), file.path.display());
                        return Err(UsageError::new(message, "revoke it in the keyring that has it").into());
                    }
                    file.keyring.add(certificate);
                    (fingerprint, Some(subkey))
                }
            }
        }
    };
    file.write(on_event)?;
    let certificate = file.keyring.find(&fingerprint).context("the key was just revoked")?;
    let revoked = match subkey {
        None => certificate.revoked(),
        Some(subkey) => {
            let parts = certificate.parts(at);
            parts.into_iter().find(|part| part.fingerprint == subkey).and_then(|part| part.revoked)
        }
    };
    let revoked = revoked.context("the key was just revoked")?;
    Ok(RevokedKey {
        user_id: certificate.user_id(),
        path: file.path,
        fingerprint,
        subkey,
        reason: revoked.reason,
        is_hard: revoked.is_hard,
    })
}

//! Takes a key out of the keyring.

use std::path::PathBuf;

use anyhow::Result;
use packhouse_sign::{Certificate, Fingerprint};

use super::Ring;
use crate::environment::Environment;
use crate::ops::signer::{retiring_fingerprints, signing_fingerprints};
use crate::ops::{OnEvent, UsageError};

/// Removes the key with this fingerprint, of its primary key.
///
/// # Errors
/// When it is not there; without `force` when it is the last one, or the one that signs.
pub fn remove_key(
    ring: &Ring,
    fingerprint: &str,
    force: bool,
    environment: &Environment,
    on_event: OnEvent<'_>,
) -> Result<(PathBuf, Certificate)> {
    let wanted: Fingerprint = fingerprint.parse()?;
    let mut file = ring.read(environment, on_event)?;
    let Some(found) = file.keyring.find(&wanted).cloned() else {
        let message = format!("{} is not in {}", wanted.grouped(), file.path.display());
        return Err(UsageError::new(message, "`packhouse key list` shows which keys are").into());
    };
    let fingerprint = found.fingerprint();
    if wanted != fingerprint {
        let message = format!("{} is a subkey of {}", wanted.grouped(), fingerprint.grouped());
        let help = format!("a key is removed as a whole: packhouse key remove {fingerprint}");
        return Err(UsageError::new(message, help).into());
    }
    let is_last = file.keyring.certificates().len() == 1;
    if is_last && !force {
        let message = format!("{} is the only key of {}", fingerprint.grouped(), file.path.display());
        let help = "add the key that takes its place first; --force removes it, and the file with it";
        return Err(UsageError::new(message, help).into());
    }
    if !force {
        let mut signs = signing_fingerprints(ring.project.as_deref(), environment)?;
        signs.extend(retiring_fingerprints(ring.project.as_deref(), environment)?);
        if found.fingerprints().iter().any(|part| signs.contains(part)) {
            let message = format!("{} is a key that signs", fingerprint.grouped());
            let help = "`packhouse key rotate` replaces it in steps that customers can follow; --force removes it at \
                        once, and what it signed no longer verifies";
            return Err(UsageError::new(message, help).into());
        }
    }
    file.keyring.remove(&fingerprint);
    if is_last {
        // An empty file is no keyring for any client.
        fs_err::remove_file(&file.path)?;
    } else {
        file.write(on_event)?;
    }
    Ok((file.path, found))
}

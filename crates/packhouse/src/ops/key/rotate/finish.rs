//! The last step: the window is over, and the new key signs alone.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use fs_err as fs;
use packhouse_project::{PROJECT_FILE, with_sign_keys};
use packhouse_sign::RevocationCertificate;

use super::begin::breaks;
use super::{Rotation, RotationStage, State, retire_later, rotation};
use crate::environment::{Environment, RETIRING_KEY};
use crate::ops::key::Ring;
use crate::ops::key::list::head;
use crate::ops::{OnEvent, UsageError, manifest};

/// Ends the window: the old key signs no more. Its public part stays in the keyring for what it signed.
///
/// # Errors
/// When none goes on; without `force`, when customers have not had the new key for the whole window.
pub async fn finish_rotation(
    ring: &Ring,
    revocation: Option<&Path>,
    force: bool,
    apply: bool,
    environment: &Environment,
    on_event: OnEvent<'_>,
) -> Result<Rotation> {
    let before = rotation(ring, environment, on_event).await?;
    let mut state = State::read(ring, environment, on_event)?;
    let refuse = |message: String, help: &str| Err(UsageError::new(message, help.to_owned()).into());
    let forced = "wait, or say --force: customers without the new key are cut off then";
    match before.stage {
        RotationStage::None | RotationStage::Finished => {
            return refuse("no key is being replaced".into(), "`packhouse key rotate` says how one is");
        }
        RotationStage::Begun if !force => {
            let message =
                "no package by the new key is known to be published: no customer can have it".into();
            return refuse(message, "release first, so that the site has the new keyring; or say --force");
        }
        RotationStage::Window if !force => {
            let message = format!(
                "the new key was first published on {}, and the window of {} days is over on {}",
                before.published.as_deref().unwrap_or_default(),
                state.days,
                before.over.as_deref().unwrap_or_default()
            );
            return refuse(message, forced);
        }
        _ => {}
    }
    let text = fs::read_to_string(state.root.join(PROJECT_FILE))?;
    let is_in_project = state.project.retiring()?.is_some();
    let remove = ["retiring-key", "retiring-key-file", "retiring-passphrase-file", "retiring-days"];
    let edited = match is_in_project {
        true => Some(with_sign_keys(&text, &remove, &[]).ok_or_else(|| {
            let help = format!("take {} out by hand", remove.join(", "));
            UsageError::new("[sign] of dist/packhouse.toml cannot be changed line by line", help)
        })?),
        false => None,
    };
    let revoked = match revocation {
        Some(path) => {
            let path = environment.current_directory.join(path);
            let revocation = RevocationCertificate::parse(&fs::read(&path)?);
            let revocation = revocation.with_context(|| format!("{} revokes nothing", path.display()))?;
            let fingerprint = state.file.keyring.revoke(&revocation)?;
            if state.old.as_ref().is_some_and(|old| old.fingerprint() != fingerprint) {
                let message = format!("{} revokes another key than the retiring one", path.display());
                return refuse(message, "`packhouse key revoke` revokes any key of the keyring");
            }
            true
        }
        None => false,
    };
    let mut files: Vec<PathBuf> = edited.iter().map(|_| state.root.join(PROJECT_FILE)).collect();
    if revoked {
        files.push(state.file.path.clone());
    }
    if apply {
        if revoked {
            state.file.write(on_event)?;
        }
        if let Some(text) = &edited {
            manifest::write_whole(&state.root.join(PROJECT_FILE), text.as_bytes())?;
        }
    }
    let mut next = Vec::new();
    if !apply {
        next.push("the same command with --yes does it".into());
    }
    if environment.get(RETIRING_KEY).is_some() {
        next.push(format!("where releases are made: take the old key out of ${RETIRING_KEY}"));
    }
    if apply {
        next.push("commit: git add dist && git commit -m 'sign with the new key alone'".into());
        next.push("release: the list of releases is signed by the new key alone".into());
        if let Some(old) = &state.old
            && !revoked
        {
            let head = head(ring, environment).await.ok();
            next.push(retire_later(old, head.as_ref().map(|(_, head)| head)));
        }
    }
    let follows = breaks(
        &state.targets(),
        state.new.as_ref().unwrap_or(&state.file.keyring.certificates()[0]),
        0,
        environment,
    );
    Ok(Rotation {
        stage: if apply { RotationStage::Finished } else { before.stage },
        files,
        applied: apply,
        breaks: follows.into_iter().skip(2).collect(),
        next,
        ..before
    })
}

//! Signs packages: a detached, armored signature beside each.
//!
//! A package is signed once. A signature that is there and good stays as it is; it is checked against the
//! keyring like a new one.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context as _, Result};
use fs_err as fs;
use packhouse_project::Plan;
use packhouse_publish::{Digesting, Sha256};
use packhouse_sign::{Fingerprint, verify_detached};

use super::manifest::{self, BuiltSignature, Manifest};
use super::{Event, Keys, OnEvent, Stage, UsageError};

/// Signs the packages of the plan's targets that `pkg/manifest.json` lists.
///
/// # Errors
/// When nothing was built, or a package cannot be signed.
pub fn sign_manifest(plan: &Plan, keys: &Keys, now: SystemTime, on_event: OnEvent<'_>) -> Result<Manifest> {
    let mut manifest = selected(plan)?;
    let directory = manifest::directory(&plan.root);
    for built in &mut manifest.packages {
        let path = directory.join(&built.file);
        let expected: Sha256 = built
            .sha256
            .parse()
            .with_context(|| format!("the digest of {} in pkg/manifest.json", built.file))?;
        let fingerprint = sign(&path, Some(expected), keys, now)?;
        let signature =
            BuiltSignature { file: format!("{}.asc", built.file), fingerprint: fingerprint.to_string() };
        on_event(Event::Target {
            target: built.target.clone(),
            stage: Stage::Signed { fingerprint: signature.fingerprint.clone() },
        });
        built.signature = Some(signature);
    }
    Manifest::update(&plan.root, &plan.name, |whole| {
        for signed in &manifest.packages {
            // One that was built again meanwhile is another package, which is not signed.
            let same = whole
                .packages
                .iter_mut()
                .find(|built| built.sha256 == signed.sha256 && built.file == signed.file);
            if let Some(built) = same {
                built.signature.clone_from(&signed.signature);
            }
        }
    })?;
    Ok(manifest)
}

/// Signs single files.
///
/// # Errors
/// When one cannot be read or signed.
pub fn sign_files(files: &[PathBuf], keys: &Keys, now: SystemTime) -> Result<Vec<(PathBuf, Fingerprint)>> {
    files.iter().map(|file| Ok((signature_path(file), sign(file, None, keys, now)?))).collect()
}

/// The manifest, narrowed to the plan's targets.
pub(super) fn selected(plan: &Plan) -> Result<Manifest> {
    let build_first = |message: String| UsageError::new(message, "run `packhouse build` first");
    let mut manifest = Manifest::read(&plan.root)?
        .ok_or_else(|| build_first("nothing is built: there is no pkg/manifest.json".into()))?;
    if manifest.name != plan.name {
        let message = format!("pkg/ holds packages of `{}`, not of `{}`", manifest.name, plan.name);
        return Err(build_first(message).into());
    }
    manifest
        .packages
        .retain(|built| plan.targets.iter().any(|target| target.target.to_string() == built.target));
    if manifest.packages.is_empty() {
        let targets: Vec<String> = plan.targets.iter().map(|target| target.target.to_string()).collect();
        let message = format!("nothing is built for {}", targets.join(", "));
        return Err(build_first(message).into());
    }
    if let Some(gone) =
        manifest.packages.iter().find(|built| !manifest::directory(&plan.root).join(&built.file).is_file())
    {
        let message = format!("{} is listed in pkg/manifest.json and is not there", gone.file);
        return Err(UsageError::new(message, "build its target again").into());
    }
    Ok(manifest)
}

/// The signature of a file is beside it.
pub(super) fn signature_path(file: &Path) -> PathBuf {
    PathBuf::from(format!("{}.asc", file.display()))
}

/// Signs a file unless it has a good signature, and returns the fingerprint of the primary key. Nothing is said of
/// a file that is not what it is `expected` to be.
fn sign(file: &Path, expected: Option<Sha256>, keys: &Keys, now: SystemTime) -> Result<Fingerprint> {
    let path = signature_path(file);
    let good = |signature: &[u8]| -> Result<Fingerprint> {
        let mut data = Digesting::new(fs::File::open(file)?);
        let fingerprint = verify_detached(signature, &mut data, &keys.keyring, now)?.fingerprint;
        match expected {
            Some(expected) if data.finish().0 != expected => Err(UsageError::new(
                format!(
                    "{} is not the file that pkg/manifest.json lists: its digest is another",
                    file.display()
                ),
                "build its target again",
            )
            .into()),
            _ => Ok(fingerprint),
        }
    };
    if let Ok(signature) = fs::read(&path)
        && let Ok(fingerprint) = good(&signature)
    {
        return Ok(fingerprint);
    }
    let context = || format!("{} cannot be signed", file.display());
    let signature = keys.signer.detached(&mut fs::File::open(file)?, now).with_context(context)?;
    let fingerprint = good(signature.as_bytes()).with_context(context)?;
    manifest::write_whole(&path, signature.as_bytes())?;
    Ok(fingerprint)
}

//! Signs packages: in the form that their own tools read, and by a detached, armored signature beside each.
//!
//! | module | what it signs |
//! |---|---|
//! | [`native`] | inside the package (rpm, apk) or beside it (pacman), if its format has that |
//! | here | the finished file: `.asc` |
//!
//! A signature inside changes the package, so it comes first. What is signed already stays as it is, if it is good and by
//! the key that would sign; everything is checked against the keyring like a new one.
//!
//! **Killed in between.** The manifest gets the signed package's digest first, beside that of the unsigned one, and then the
//! signed package takes its place. So a file is one of the two, or it is refused; the same command again signs what is not
//! signed yet, with the same result.

pub(super) mod native;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context as _, Result};
use fs_err as fs;
use packhouse_package::{Format, Signing};
use packhouse_project::{Plan, SignaturesRead};
use packhouse_publish::{Digesting, Sha256};
use packhouse_sign::{Fingerprint, verify_detached};

use super::manifest::{self, Built, BuiltSignature, Manifest};
use super::{Event, Keys, OnEvent, Stage, UsageError};
use native::{Outcome, SignedCopy, Without};

/// Signs the packages of the plan's targets that `pkg/manifest.json` lists.
///
/// # Errors
/// When nothing was built, or a package cannot be signed.
pub fn sign_manifest(plan: &Plan, keys: &Keys, now: SystemTime, on_event: OnEvent<'_>) -> Result<Manifest> {
    check_targets(plan, keys)?;
    let mut manifest = selected(plan)?;
    let directory = manifest::directory(&plan.root);
    let mut unsigned = BTreeMap::<(String, String), Vec<String>>::new();
    for built in &mut manifest.packages {
        let (path, format) = (directory.join(&built.file), built.format()?);
        let target = plan.targets.iter().find(|target| target.target.to_string() == built.target);
        let reads = target.map(|target| target.reads).unwrap_or_default();
        let context = || format!("{} cannot be signed", path.display());
        if let Some(Without { reason, fix }) =
            sign_inside(plan, built, &path, format, reads, keys, now).with_context(context)?
        {
            unsigned.entry((reason, fix)).or_default().push(built.target.clone());
        }
        let beside = native::sign_beside(&path, format, keys, now).with_context(context)?;
        let fingerprint = sign(&path, Some(built.digest()?), keys, now)?;
        let signature =
            BuiltSignature { file: format!("{}.asc", built.file), fingerprint: fingerprint.to_string() };
        on_event(Event::Target {
            target: built.target.clone(),
            stage: Stage::Signed { fingerprint: signature.fingerprint.clone() },
        });
        built.signature = Some(signature);
        built.native_signature = beside.map(|(path, fingerprint)| BuiltSignature {
            file: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            fingerprint: fingerprint.to_string(),
        });
    }
    Manifest::update(&plan.root, &plan.name, |whole| {
        for signed in &manifest.packages {
            // One that was built again meanwhile is another package, which is not signed.
            if let Some(built) = whole.find_mut(&signed.file, &signed.sha256) {
                built.signature.clone_from(&signed.signature);
                built.native_signature.clone_from(&signed.native_signature);
            }
        }
    })?;
    for ((reason, fix), targets) in unsigned {
        on_event(Event::Notice { message: format!("{}: {reason}; {fix}", targets.join(", ")) });
    }
    Ok(manifest)
}

/// Refuses keys with which the plan's packages could never be signed: before anything is built.
///
/// # Errors
/// Which, and why.
pub fn check_targets(plan: &Plan, keys: &Keys) -> Result<()> {
    native::check_key(plan.targets.iter().map(|target| target.format), keys)
}

/// Signs single files, packages also in the form of their format. Returns the signatures' files; of one that a package
/// holds, the package.
///
/// # Errors
/// When one cannot be read or signed.
pub fn sign_files(
    files: &[PathBuf],
    keys: &Keys,
    now: SystemTime,
    on_event: OnEvent<'_>,
) -> Result<Vec<(PathBuf, Fingerprint)>> {
    let mut signatures = Vec::new();
    for file in files {
        let context = || format!("{} cannot be signed", file.display());
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        if let Some(format) = Format::identify(&mut fs::File::open(file)?, &name)? {
            let reads = SignaturesRead::default();
            match native::sign(file, format, reads, keys, now).with_context(context)? {
                Outcome::AsItWas => {}
                Outcome::Copy(copy) => copy.put_in_place(file)?,
                Outcome::Without(Without { reason, fix }) => {
                    on_event(Event::Notice { message: format!("{name}: {reason}; {fix}") });
                }
            }
            signatures.extend(native::sign_beside(file, format, keys, now).with_context(context)?);
        }
        signatures.push((signature_path(file), sign(file, None, keys, now)?));
    }
    Ok(signatures)
}

/// Refuses what [`sign_package`] could not sign, before the file is there.
///
/// # Errors
/// When the key is none for the format, and when the file would be none that can be read again.
pub(super) fn check_file(path: &Path, format: Format, keys: &Keys) -> Result<()> {
    if fs::metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
        let message = format!("what is written to {} cannot be signed inside", path.display());
        return Err(UsageError::new(message, "write it to a file").into());
    }
    native::check_key([format], keys)
}

/// Signs a package inside, in its place.
///
/// # Errors
/// When it cannot be signed.
pub(super) fn sign_package(path: &Path, format: Format, keys: &Keys, now: SystemTime) -> Result<()> {
    let context = || format!("{} cannot be signed", path.display());
    match native::sign(path, format, SignaturesRead::default(), keys, now).with_context(context)? {
        Outcome::Copy(copy) => copy.put_in_place(path),
        Outcome::AsItWas => Ok(()),
        Outcome::Without(Without { reason, fix }) => Err(UsageError::new(reason, fix).into()),
    }
}

/// Signs a package of the manifest inside, if its format has that. Returns why it stays without.
fn sign_inside(
    plan: &Plan,
    built: &mut Built,
    path: &Path,
    format: Format,
    reads: SignaturesRead,
    keys: &Keys,
    now: SystemTime,
) -> Result<Option<Without>> {
    if !matches!(format.get().signing(), Signing::Inside(_)) {
        return Ok(None);
    }
    let found = Sha256::of_reader(fs::File::open(path)?)?.0.to_string();
    // Signed or, after a run that was killed, not yet.
    if found != built.sha256 && built.unsigned_sha256.as_ref() != Some(&found) {
        return Err(not_listed(path).into());
    }
    match native::sign(path, format, reads, keys, now)? {
        Outcome::Copy(copy) => replace(plan, built, path, copy).map(|()| None),
        Outcome::AsItWas => Ok(None),
        Outcome::Without(without) if found == built.sha256 => Ok(Some(without)),
        Outcome::Without(without) => {
            // A run with another key was killed before it put what it signed in place.
            let mut unsigned = Built { sha256: found, size: fs::metadata(path)?.len(), ..built.clone() };
            unsigned.forget_signatures();
            unsigned.unsigned_sha256 = None;
            enter(plan, built, unsigned, || Ok(()))?;
            Ok(Some(without))
        }
    }
}

/// Enters a signed package into the manifest, and puts it in the unsigned one's place.
fn replace(plan: &Plan, built: &mut Built, path: &Path, copy: SignedCopy) -> Result<()> {
    let mut signed = Built { sha256: copy.sha256.to_string(), size: copy.size, ..built.clone() };
    signed.forget_signatures();
    signed.unsigned_sha256.get_or_insert_with(|| built.sha256.clone());
    enter(plan, built, signed, || copy.put_in_place(path))
}

/// Puts `after` in the place of `built` in the manifest, and then does the rest, while no other run changes it.
fn enter(plan: &Plan, built: &mut Built, after: Built, rest: impl FnOnce() -> Result<()>) -> Result<()> {
    let change = |whole: &mut Manifest| match whole.find_mut(&built.file, &built.sha256) {
        Some(known) => {
            known.clone_from(&after);
            Ok(())
        }
        None => {
            let message = format!("{} was built again while it was signed", built.file);
            Err(UsageError::new(message, "sign again"))
        }
    };
    Manifest::update_then(&plan.root, &plan.name, change, |entered| {
        entered?;
        rest()
    })?;
    *built = after;
    Ok(())
}

pub(super) fn not_listed(file: &Path) -> UsageError {
    UsageError::new(
        format!("{} is not the file that pkg/manifest.json lists: its digest is another", file.display()),
        "build its target again",
    )
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
            Some(expected) if data.finish().0 != expected => Err(not_listed(file).into()),
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

#[cfg(test)]
mod tests;

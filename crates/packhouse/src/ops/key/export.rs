//! Writes keys for others: the key that signs, some of the keyring, or the files that a package manager wants.

use std::path::{Path, PathBuf};

use anyhow::Result;
use packhouse_project::{PROJECT_FILE, Project};
use packhouse_sign::{Certificate, Fingerprint, Keyring};

use super::Ring;
use super::keyring_file::replace;
use crate::environment::Environment;
use crate::ops::{ApkKey, Event, OnEvent, PlanOptions, UsageError, find_project, plan, signing_certificate};

/// Which keys.
#[derive(Clone, Debug)]
pub struct ExportOptions {
    /// The keyring they are in.
    pub ring: Ring,
    /// These.
    pub fingerprints: Vec<String>,
    /// The whole keyring, when none is named.
    pub all: bool,
}

/// Who is to read the keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportFor {
    /// apt: one keyring, whose suffix says its form.
    Apt,
    /// rpm, dnf, yum and zypper: a file for each key.
    Rpm,
    /// apk: the public part of its RSA key, under the name that signatures call it by.
    Apk,
    /// `pacman-key --populate`: the keys, which of them are trusted, which are revoked.
    Pacman,
}

/// The keys as a keyring: those named, else all, else the one that signs.
///
/// # Errors
/// When one is not there, or there is no key that signs.
pub fn export_keys(
    options: &ExportOptions,
    environment: &Environment,
    on_event: OnEvent<'_>,
) -> Result<Keyring> {
    if options.fingerprints.is_empty() && !options.all {
        let whole = PlanOptions::whole(options.ring.project.clone());
        let plan = plan(&whole, environment)?.plan;
        let certificate = signing_certificate(&plan, environment, on_event)?;
        return Ok(Keyring::from_certificates([certificate]));
    }
    let file = options.ring.read(environment, on_event)?;
    if options.fingerprints.is_empty() {
        return Ok(file.keyring);
    }
    let mut chosen = Vec::new();
    for name in &options.fingerprints {
        let fingerprint: Fingerprint = name.parse()?;
        let Some(found) = file.keyring.find(&fingerprint) else {
            let message = format!("{} is not in {}", fingerprint.grouped(), file.path.display());
            return Err(UsageError::new(message, "`packhouse key list` shows which keys are").into());
        };
        chosen.push(found.clone());
    }
    Ok(Keyring::from_certificates(chosen))
}

/// Writes the files that a package manager wants into a directory, and returns their paths.
///
/// The keys are [reduced](Certificate::for_clients) to what it needs.
///
/// # Errors
/// When there is no key for it, or a file cannot be written.
pub fn export_for(
    who: ExportFor,
    options: &ExportOptions,
    directory: &Path,
    armor: bool,
    environment: &Environment,
    on_event: OnEvent<'_>,
) -> Result<Vec<PathBuf>> {
    if who == ExportFor::Apk {
        return Ok(vec![export_apk_key(options, directory, environment)?]);
    }
    let named = !options.fingerprints.is_empty();
    let options = ExportOptions { all: !named || options.all, ..options.clone() };
    let keyring = export_keys(&options, environment, on_event)?;
    let name = name(&options.ring, environment)?;
    let now = environment.now.into();
    let slim = keyring.certificates().iter().map(|certificate| certificate.for_clients(now));
    let (good, revoked): (Vec<Certificate>, Vec<Certificate>) =
        slim.partition(|certificate| certificate.revoked().is_none());
    if good.is_empty() {
        let help = "add one that is not revoked: `packhouse key add FILE`";
        return Err(UsageError::new("no key that is not revoked is there to export", help).into());
    }
    let both = || Keyring::from_certificates(good.iter().chain(&revoked).cloned());
    let files: Vec<(String, Vec<u8>)> = match who {
        // The suffix is not taste: apt-secure(8) reads `.asc` as armored and everything else as binary.
        ExportFor::Apt if armor => {
            vec![(format!("{name}-archive-keyring.asc"), both().to_armored().into_bytes())]
        }
        ExportFor::Apt => vec![(format!("{name}-archive-keyring.gpg"), both().to_binary())],
        ExportFor::Rpm => {
            // rpm before 4.19 heeds no revocation: what it must not trust it must not get.
            for certificate in &revoked {
                let message = format!("{} is revoked and not for rpm", certificate.fingerprint().grouped());
                on_event(Event::Notice { message });
            }
            good.iter()
                .map(|certificate| (rpm_name(&name, certificate, good.len()), one(certificate)))
                .collect()
        }
        ExportFor::Apk => Vec::new(), // is no OpenPGP key, and was written above
        ExportFor::Pacman => {
            // The form of `gpg --export-ownertrust`; 4 is marginal trust of a key (pacman-key(8)).
            let trusted: String = good.iter().map(|key| format!("{}:4:\n", key.fingerprint())).collect();
            let revoked: String = revoked.iter().map(|key| format!("{}\n", key.fingerprint())).collect();
            vec![
                (format!("{name}.gpg"), both().to_binary()),
                (format!("{name}-trusted"), trusted.into_bytes()),
                (format!("{name}-revoked"), revoked.into_bytes()),
            ]
        }
    };
    let directory = environment.current_directory.join(directory);
    let mut paths = Vec::new();
    for (name, bytes) in files {
        let path = directory.join(name);
        replace(&path, &bytes)?;
        paths.push(path);
    }
    Ok(paths)
}

/// The public part of apk's key, which is not in the keyring.
fn export_apk_key(options: &ExportOptions, directory: &Path, environment: &Environment) -> Result<PathBuf> {
    let plan = plan(&PlanOptions::whole(options.ring.project.clone()), environment)?.plan;
    let Some(key) = ApkKey::open(&plan, environment)? else {
        let help = "make one with `packhouse key generate --apk NAME`, and name it as apk-key in [sign]";
        return Err(UsageError::new("the project has no key for apk", help).into());
    };
    let path = environment.current_directory.join(directory).join(key.name());
    replace(&path, key.public_pem().as_bytes())?;
    Ok(path)
}

/// One key, armored: `rpm --import` reads the first of a block only.
fn one(certificate: &Certificate) -> Vec<u8> {
    Keyring::from_certificates([certificate.clone()]).to_armored().into_bytes()
}

/// As in /etc/pki/rpm-gpg; with the end of the fingerprint where there are several.
fn rpm_name(name: &str, certificate: &Certificate, count: usize) -> String {
    match count {
        1 => format!("RPM-GPG-KEY-{name}"),
        _ => format!("RPM-GPG-KEY-{name}-{}", &certificate.fingerprint().to_string()[24..]),
    }
}

/// What the files are called after: the project, else the keyring's file.
fn name(ring: &Ring, environment: &Environment) -> Result<String> {
    let root = find_project(ring.project.as_deref(), environment)?;
    if ring.named.is_none() && root.join(PROJECT_FILE).is_file() {
        let project = Project::open(&root)?;
        if let Some(name) = project.name() {
            return Ok(name.to_owned());
        }
    }
    let path = ring.path(environment)?;
    Ok(path.file_stem().unwrap_or_default().to_string_lossy().into_owned())
}

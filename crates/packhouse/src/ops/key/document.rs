//! What a vendor says about its signatures: the facts of the `SIGNING.md`, from the keyring and the project.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::SystemTime;

use anyhow::Result;
use packhouse_project::file::Located;
use packhouse_project::{PROJECT_FILE, Project};
use packhouse_sign::{Certificate, POLICY};
use serde::Serialize;

use super::list::listed;
use super::{ListedKey, Ring};
use crate::environment::Environment;
use crate::ops::signer::{retiring_fingerprints, signing_fingerprints};
use crate::ops::{OnEvent, UsageError, find_project};

/// The facts of a `SIGNING.md`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct SigningFacts {
    /// The project.
    pub name: String,
    /// Who makes it, as far as the project says.
    pub maintainer: Option<String>,
    /// The keys, in the order of the keyring.
    pub keys: Vec<DocumentedKey>,
    /// The keyring's file, relative to the project where it is in it.
    pub keyring: String,
    /// Where customers find the site.
    pub public_url: Option<String>,
    /// The formats of the targets' packages.
    pub formats: BTreeSet<String>,
    /// What customers have apk's key as.
    pub apk_key: Option<String>,
    /// The keys that are accepted, in words.
    pub accepted_keys: String,
    /// The hashes that are accepted, in words.
    pub accepted_hashes: String,
}

/// A key of the document.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct DocumentedKey {
    /// What it does.
    pub role: KeyRole,
    /// What it is.
    #[serde(flatten)]
    pub key: ListedKey,
}

/// What a key of the keyring does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyRole {
    /// It signs, or may.
    Signs,
    /// It signs until another has taken its place.
    Retiring,
    /// It signs no more, and what it signed counts.
    Former,
    /// Its owner has revoked it.
    Revoked,
    /// It has expired, or cannot sign for another reason.
    Ended,
}

/// Gathers the facts.
///
/// # Errors
/// When there is no project or no keyring.
pub fn signing_facts(ring: &Ring, environment: &Environment, on_event: OnEvent<'_>) -> Result<SigningFacts> {
    let file = ring.read(environment, on_event)?;
    let root = find_project(ring.project.as_deref(), environment)?;
    if !root.join(PROJECT_FILE).is_file() {
        let message = format!("there is no project in {}", root.display());
        return Err(UsageError::new(message, "name one with -C").into());
    }
    let project = Project::open(&root)?;
    let settings = project.settings();
    let text = |value: &Option<Located<String>>| value.as_ref().map(|value| value.value.clone());
    let now: SystemTime = environment.now.into();
    let signing = signing_fingerprints(ring.project.as_deref(), environment)?;
    let retiring = retiring_fingerprints(ring.project.as_deref(), environment)?;
    let role = |certificate: &Certificate| {
        let is_one_of = |names: &[packhouse_sign::Fingerprint]| {
            certificate.fingerprints().iter().any(|fingerprint| names.contains(fingerprint))
        };
        if certificate.revoked().is_some() {
            KeyRole::Revoked
        } else if certificate.check_can_sign(now).is_err() {
            KeyRole::Ended
        } else if is_one_of(&retiring) {
            KeyRole::Retiring
        } else if is_one_of(&signing) || signing.is_empty() {
            KeyRole::Signs
        } else {
            KeyRole::Former
        }
    };
    let keys = file
        .keyring
        .certificates()
        .iter()
        .map(|certificate| DocumentedKey { role: role(certificate), key: listed(certificate, None, now) });
    let relative = file.path.strip_prefix(&root).unwrap_or(&file.path);
    let formats = project.targets().filter_map(|(_, format)| format);
    Ok(SigningFacts {
        keys: keys.collect(),
        keyring: relative.display().to_string(),
        maintainer: text(&settings.texts.maintainer),
        formats: formats.map(|format| format.get().name().to_owned()).collect(),
        apk_key: apk_key_name(&project),
        public_url: text(&settings.publish.public_url),
        name: project.name().unwrap_or("this project").to_owned(),
        accepted_keys: POLICY.keys(),
        accepted_hashes: POLICY.hashes(),
    })
}

/// What customers have apk's key as: its own name, unless the project says another.
fn apk_key_name(project: &Project) -> Option<String> {
    let sign = project.sign();
    let named = sign.apk_key_name.as_ref().map(|name| name.value.clone());
    named.or_else(|| {
        let path = Path::new(&sign.apk_key.as_ref()?.value);
        Some(format!("{}.pub", path.file_name()?.to_string_lossy()))
    })
}

/// Writes the document in the place of what is there.
///
/// # Errors
/// When it cannot be written.
pub fn write_document(path: &Path, text: &str, environment: &Environment) -> Result<()> {
    super::keyring_file::replace(&environment.current_directory.join(path), text.as_bytes())
}

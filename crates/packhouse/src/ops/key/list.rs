//! Lists the keys of a keyring: whose they are, until when, and what they last signed on the site.

use std::path::PathBuf;
use std::time::SystemTime;

use anyhow::Result;
use packhouse_publish::Head;
use packhouse_sign::{Certificate, Fingerprint, Keyring, Part};
use serde::Serialize;

use super::Ring;
use crate::environment::Environment;
use crate::ops::{OnEvent, PlanOptions, day, plan, site_head};

/// The keys of a keyring.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct KeyList {
    /// The keyring's file.
    pub keyring: PathBuf,
    /// Where the site is, when one was asked; `None` when not.
    pub site: Option<String>,
    /// Why the site could not say what was last signed.
    pub site_problem: Option<String>,
    /// The keys, in the order of the file.
    pub keys: Vec<ListedKey>,
    /// Keys that cannot be used, each as a phrase.
    pub passed_over: Vec<String>,
}

/// A key of the list.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ListedKey {
    /// The primary key's.
    pub fingerprint: String,
    /// Whose it is, the primary user id first.
    pub user_ids: Vec<String>,
    /// As in `Ed25519`.
    pub algorithm: String,
    /// The day it was made.
    pub created: String,
    /// The day the whole key ends.
    pub expires: Option<String>,
    /// The day it was revoked.
    pub revoked: Option<String>,
    /// Why.
    pub revoked_because: Option<String>,
    /// Whether it may sign now.
    pub can_sign: bool,
    /// Why it may not.
    pub why_not: Option<String>,
    /// The part that signs now.
    pub signing_key: Option<String>,
    /// The day on which that part ends.
    pub signs_until: Option<String>,
    /// The primary key and the subkeys.
    pub parts: Vec<ListedPart>,
    /// The newest package on the site that it signed.
    pub last_used: Option<LastUse>,
}

/// A part of a key.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ListedPart {
    /// Its own fingerprint.
    pub fingerprint: String,
    /// Whether it is the primary key.
    pub primary: bool,
    /// As in `Ed25519`.
    pub algorithm: String,
    /// What it was made for: `certify`, `sign`.
    pub purposes: Vec<&'static str>,
    /// The day it was made.
    pub created: String,
    /// The day it ends.
    pub expires: Option<String>,
    /// The day it was revoked.
    pub revoked: Option<String>,
}

/// What a key last signed.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct LastUse {
    /// The package.
    pub package: String,
    /// The day it was published; built, where the list does not say.
    pub on: String,
    /// How many packages on the site it signed.
    pub packages: usize,
}

/// Lists a keyring. The site is asked when it is the project's keyring and `ask_site` says so.
///
/// # Errors
/// When the keyring cannot be read. That the site cannot be is in the list.
pub async fn list_keys(
    ring: &Ring,
    ask_site: bool,
    environment: &Environment,
    on_event: OnEvent<'_>,
) -> Result<KeyList> {
    let file = ring.read(environment, on_event)?;
    let asks = ask_site && ring.named.is_none();
    let site = if asks { Some(head(ring, environment).await) } else { None };
    let head = site.as_ref().and_then(|site| site.as_ref().ok());
    Ok(KeyList {
        keys: keys(&file.keyring, head.map(|(_, head)| head), environment.now.into()),
        passed_over: file.keyring.passed_over().to_vec(),
        keyring: file.path,
        site: head.map(|(to, _)| to.clone()),
        site_problem: site.as_ref().and_then(|site| site.as_ref().err()).map(|error| format!("{error:#}")),
    })
}

/// The project's site and its list of releases.
pub(super) async fn head(ring: &Ring, environment: &Environment) -> Result<(String, Head)> {
    let plan = plan(&PlanOptions::whole(ring.project.clone()), environment)?.plan;
    site_head(Some(&plan), None, environment).await
}

fn keys(keyring: &Keyring, head: Option<&Head>, now: SystemTime) -> Vec<ListedKey> {
    keyring.certificates().iter().map(|certificate| listed(certificate, head, now)).collect()
}

pub(super) fn listed(certificate: &Certificate, head: Option<&Head>, now: SystemTime) -> ListedKey {
    let signing = certificate.signing_part(now);
    let revoked = certificate.revoked();
    ListedKey {
        fingerprint: certificate.fingerprint().to_string(),
        user_ids: certificate.user_ids(),
        algorithm: certificate.algorithm().to_string(),
        created: day(certificate.created()),
        expires: certificate.expires().map(day),
        revoked: revoked.as_ref().map(|revoked| day(revoked.on)),
        revoked_because: revoked.map(|revoked| revoked.reason),
        can_sign: signing.is_ok(),
        why_not: signing.as_ref().err().map(ToString::to_string),
        signing_key: signing.as_ref().ok().map(|part| part.fingerprint.to_string()),
        signs_until: signing.ok().and_then(|part| part.expires).map(day),
        parts: certificate.parts(now).into_iter().map(listed_part).collect(),
        last_used: head.and_then(|head| last_use(&certificate.fingerprint(), head)),
    }
}

fn listed_part(part: Part) -> ListedPart {
    let purposes = [(part.is_for_certifying, "certify"), (part.is_for_signing, "sign")];
    ListedPart {
        fingerprint: part.fingerprint.to_string(),
        primary: part.is_primary,
        algorithm: part.algorithm.to_string(),
        purposes: purposes.into_iter().filter(|(is, _)| *is).map(|(_, purpose)| purpose).collect(),
        created: day(part.created),
        expires: part.expires.map(day),
        revoked: part.revoked.map(|revoked| day(revoked.on)),
    }
}

/// The newest package of the site that the key signed.
fn last_use(fingerprint: &Fingerprint, head: &Head) -> Option<LastUse> {
    let name = fingerprint.to_string();
    let signed = || head.packages.iter().filter(|package| package.signature.fingerprint == name);
    let newest = signed().max_by_key(|package| package.published.unwrap_or(package.built))?;
    let seconds = newest.published.unwrap_or(newest.built);
    Some(LastUse {
        package: newest.file_name.clone(),
        on: day(SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(seconds.unsigned_abs())),
        packages: signed().count(),
    })
}

//! Finds what customers would find: keys that end soon, are too weak, or that a target's client cannot use.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use anyhow::Result;
use packhouse_project::distribution::Distribution;
use packhouse_project::{Client, PROJECT_FILE, Project, Refused};
use packhouse_sign::{Algorithm, Certificate, Error as SignError, Fingerprint, KeyringForm, Part};
use serde::Serialize;

use super::Ring;
use super::keyring_file::RingFile;
use crate::environment::{APK_KEY, Environment};
use crate::ops::signer::{retiring_fingerprints, signing_fingerprints};
use crate::ops::{OnEvent, day, find_project};

const DAY: u64 = 86_400;

/// A key that ends within so many days is an error, unless the user says otherwise: a week is what it takes to make
/// another and to bring it to customers in a hurry.
const TOO_LATE: u64 = 7;

/// Within so many days the end is worth a warning: a quarter of a year is a rotation without hurry.
const SOON: u64 = 90;

/// What was found about a keyring.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct KeyReport {
    /// The keyring's file.
    pub keyring: PathBuf,
    /// The keys that sign, by their primary keys' fingerprints.
    pub signing: Vec<String>,
    /// The targets whose clients were asked about.
    pub targets: Vec<String>,
    /// What is wrong, errors first.
    pub findings: Vec<Finding>,
}

/// Something that is wrong with a key.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// The primary key's fingerprint; `None` when it is about the keyring.
    pub key: Option<String>,
    /// Whose key it is.
    pub user_id: Option<String>,
    /// The targets it is about; empty when it is about all.
    pub targets: Vec<String>,
    /// What is wrong, and why.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
    /// Where the fact about the client is from.
    pub source: Option<String>,
}

/// How bad something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Customers cannot verify, or soon will not: exit status 1.
    Error,
    /// Something to do in time.
    Warning,
}

/// Checks the keyring, and with a project its targets' clients.
///
/// `within` is the number of days before its end from which a key that signs is an error.
///
/// # Errors
/// When the keyring cannot be read; what is wrong with its keys is in the report.
pub fn check_keyring(
    ring: &Ring,
    within: Option<u64>,
    environment: &Environment,
    on_event: OnEvent<'_>,
) -> Result<KeyReport> {
    let file = ring.read(environment, on_event)?;
    let now: SystemTime = environment.now.into();
    let root = find_project(ring.project.as_deref(), environment)?;
    let project = match root.join(PROJECT_FILE).is_file() {
        true => Some(Project::open(&root)?),
        false => None,
    };
    let targets: Vec<_> =
        project.iter().flat_map(Project::targets).map(|(target, _)| target.clone()).collect();
    let mut findings = Vec::new();

    let named = match ring.named {
        // Another keyring is asked about for its own sake.
        Some(_) => Vec::new(),
        None => {
            let mut named = signing_fingerprints(ring.project.as_deref(), environment)?;
            named.extend(retiring_fingerprints(ring.project.as_deref(), environment)?);
            named
        }
    };
    let signing = signing(&file, &named, now, &mut findings);
    for certificate in &signing {
        findings.extend(of_signing_key(certificate, within, now));
    }
    for certificate in file.keyring.certificates() {
        if !signing.iter().any(|signing| signing.fingerprint() == certificate.fingerprint()) {
            findings.extend(of_other_key(certificate, now));
        }
    }
    for passed_over in file.keyring.passed_over() {
        let help = "take it out: `packhouse key add` of any key writes the keyring without it";
        findings.push(Finding::of_keyring(
            format!("the keyring holds {passed_over}, which no client reads"),
            help,
        ));
    }
    findings.extend(of_clients(file.form, &signing, &targets, now));
    if let Some(project) = project.as_ref().filter(|_| environment.get(APK_KEY).is_none()) {
        findings.extend(of_apk_key(project, &targets));
    }
    findings.sort_by_key(|finding| finding.severity);
    Ok(KeyReport {
        keyring: file.path.clone(),
        signing: signing.iter().map(|certificate| certificate.fingerprint().to_string()).collect(),
        targets: targets.iter().map(ToString::to_string).collect(),
        findings,
    })
}

impl Finding {
    fn new(severity: Severity, certificate: &Certificate, message: String, help: Option<String>) -> Finding {
        Finding {
            severity,
            key: Some(certificate.fingerprint().to_string()),
            user_id: Some(certificate.user_id()),
            targets: Vec::new(),
            message,
            help,
            source: None,
        }
    }

    fn of_keyring(message: String, help: impl Into<String>) -> Finding {
        let help = Some(help.into());
        let severity = Severity::Warning;
        Finding { severity, key: None, user_id: None, targets: Vec::new(), message, help, source: None }
    }
}

/// The keys that sign: those that are named, else, where the secret is on another machine and nothing names it, every
/// key that may.
fn signing<'a>(
    file: &'a RingFile,
    named: &[Fingerprint],
    now: SystemTime,
    findings: &mut Vec<Finding>,
) -> Vec<&'a Certificate> {
    let mut signing: Vec<&Certificate> = Vec::new();
    for fingerprint in named {
        match file.keyring.find(fingerprint) {
            Some(found) if signing.iter().any(|known| known.fingerprint() == found.fingerprint()) => {}
            Some(found) => signing.push(found),
            None => {}
        }
    }
    if let (Some(first), true) = (named.first(), signing.is_empty()) {
        let message = format!("the key that signs, {}, is not in the keyring", first.grouped());
        let help = "add its public key: `packhouse key add FILE`";
        findings.push(Finding { severity: Severity::Error, ..Finding::of_keyring(message, help) });
    }
    if named.is_empty() {
        let certificates = file.keyring.certificates().iter();
        signing.extend(certificates.filter(|certificate| certificate.check_can_sign(now).is_ok()));
        if signing.is_empty() {
            let help = "make one with `packhouse key generate`, and add it with `packhouse key add`";
            let finding = Finding::of_keyring("no key of the keyring can sign".into(), help);
            findings.push(Finding { severity: Severity::Error, ..finding });
        }
    }
    signing
}

/// Whether the key can sign, and how long it still will.
fn of_signing_key(certificate: &Certificate, within: Option<u64>, now: SystemTime) -> Vec<Finding> {
    let part = match certificate.signing_part(now) {
        Ok(part) => part,
        Err(error) => {
            let help = error.help();
            return vec![Finding::new(Severity::Error, certificate, error.to_string(), help)];
        }
    };
    let mut findings = Vec::new();
    if let Some(end) = part.expires {
        let left = end.duration_since(now).unwrap_or(Duration::ZERO).as_secs() / DAY;
        let error = within.unwrap_or(TOO_LATE);
        let severity = match left {
            left if left <= error => Some(Severity::Error),
            left if left <= SOON.max(error) => Some(Severity::Warning),
            _ => None,
        };
        if let Some(severity) = severity {
            let days = if left == 1 { "1 day".to_owned() } else { format!("{left} days") };
            let what = if part.is_primary { "the key" } else { "its signing subkey" };
            let message = format!("{what} expires in {days}, on {}", day(end));
            let help = extend(certificate, &part);
            findings.push(Finding::new(severity, certificate, message, Some(help)));
        }
    }
    findings
}

fn extend(certificate: &Certificate, part: &Part) -> String {
    let fingerprint = certificate.fingerprint();
    let subkey = if part.is_primary { String::new() } else { format!(" {}", part.fingerprint) };
    format!(
        "extend it where its primary key is, `gpg --quick-set-expire {fingerprint} 2y{subkey}`, and bring the public \
         key here with `packhouse key add`; or replace it with `packhouse key rotate`"
    )
}

/// A key that is trusted and does not sign for this project.
fn of_other_key(certificate: &Certificate, now: SystemTime) -> Vec<Finding> {
    let remove = format!(
        "it signs nothing any more: when the site has no package of it, `packhouse key remove {}`",
        certificate.fingerprint()
    );
    match certificate.check_can_sign(now) {
        // That it is revoked is what a keyring is to say.
        Ok(()) | Err(SignError::KeyRevoked { .. }) => Vec::new(),
        Err(error) => vec![Finding::new(Severity::Warning, certificate, error.to_string(), Some(remove))],
    }
}

/// Whether targets whose client checks no OpenPGP have a key of their own.
fn of_apk_key(project: &Project, targets: &[packhouse_project::Target]) -> Option<Finding> {
    let refusals = targets.iter().filter_map(|target| {
        let client = Distribution::find(&target.distribution)?.client(&target.version)?;
        Some((target.to_string(), client, client.refusal(Refused::Openpgp)?))
    });
    let (names, found): (Vec<String>, Vec<_>) =
        refusals.map(|(name, client, refusal)| (name, (client, refusal))).unzip();
    let (client, refusal) = found.first().filter(|_| project.sign().apk_key.is_none())?;
    let message = format!(
        "there is no RSA key for {}, whose customers need --allow-untrusted: {}",
        client.title, refusal.reason
    );
    let help = "make one with `packhouse key generate --apk NAME`, and name it as apk-key in [sign]";
    let source = Some(refusal.source.clone());
    Some(Finding { targets: names, source, ..Finding::of_keyring(message, help) })
}

/// What the clients of the targets refuse.
pub(super) fn of_clients(
    form: KeyringForm,
    signing: &[&Certificate],
    targets: &[packhouse_project::Target],
    now: SystemTime,
) -> Vec<Finding> {
    let mut by_client: BTreeMap<&str, (&'static Client, Vec<String>)> = BTreeMap::new();
    for target in targets {
        let distribution = Distribution::find(&target.distribution);
        if let Some(client) = distribution.and_then(|distribution| distribution.client(&target.version)) {
            let (_, names) = by_client.entry(&client.title).or_insert((client, Vec::new()));
            names.push(target.to_string());
        }
    }
    let mut findings = Vec::new();
    for (client, targets) in by_client.values() {
        // Who checks no OpenPGP does not mind what else the keys are.
        if client.refusal(Refused::Openpgp).is_some() {
            continue;
        }
        for certificate in signing {
            let Ok(part) = certificate.signing_part(now) else { continue };
            for what in traits(certificate, &part) {
                let Some(refusal) = client.refusal(what) else { continue };
                let key = match what {
                    Refused::WeakHashes => {
                        let hashes = certificate.weak_hashes().into_iter().collect::<Vec<_>>().join(", ");
                        format!("the key carries statements that rely on {hashes}")
                    }
                    Refused::Subkeys => format!("a subkey signs ({})", part.algorithm),
                    _ => format!("the key signs with {}", part.algorithm),
                };
                let (severity, word) = match refusal.is_certain {
                    true => (Severity::Error, "refuses"),
                    false => (Severity::Warning, "may refuse"),
                };
                let message = format!("{key}, which {} {word}: {}", client.title, refusal.reason);
                findings.push(Finding {
                    targets: targets.clone(),
                    source: Some(refusal.source.clone()),
                    ..Finding::new(severity, certificate, message, fix(what).map(str::to_owned))
                });
            }
        }
        if form == KeyringForm::Keybox
            && let Some(refusal) = client.refusal(Refused::Keybox)
        {
            let message = format!(
                "the keyring is a GnuPG keybox, which {} refuses: {}; what is published is plain OpenPGP all the same",
                client.title, refusal.reason
            );
            findings.push(Finding {
                targets: targets.clone(),
                source: Some(refusal.source.clone()),
                ..Finding::of_keyring(message, fix(Refused::Keybox).unwrap_or_default())
            });
        }
    }
    findings
}

/// What of a key some client refuses.
fn traits(certificate: &Certificate, part: &Part) -> BTreeSet<Refused> {
    let mut traits = BTreeSet::new();
    match part.algorithm {
        Algorithm::Ed25519 => {
            traits.insert(Refused::Ed25519);
        }
        Algorithm::NistP256 | Algorithm::NistP384 | Algorithm::NistP521 => {
            traits.insert(Refused::NistCurves);
        }
        _ => {}
    }
    if !part.is_primary {
        traits.insert(Refused::Subkeys);
    }
    if !certificate.weak_hashes().is_empty() {
        traits.insert(Refused::WeakHashes);
    }
    traits
}

fn fix(what: Refused) -> Option<&'static str> {
    Some(match what {
        Refused::Ed25519 | Refused::NistCurves => {
            "sign with RSA, which every client reads: `packhouse key generate --algorithm rsa4096`, then `packhouse key \
             rotate`; or drop the target"
        }
        Refused::Subkeys => {
            "let the primary key sign: `packhouse key generate --algorithm rsa4096 --single`, then `packhouse key rotate`; \
             or drop the target"
        }
        Refused::WeakHashes => {
            "give customers `packhouse key export --for rpm`, which leaves them out, or remove them from the key with \
             `gpg --edit-key FINGERPRINT minimize`"
        }
        Refused::Keybox => {
            "`packhouse key add` of any key writes it anew in the form that every client reads"
        }
        Refused::Openpgp => return None,
    })
}

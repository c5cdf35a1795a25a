//! Who signs, and whom to trust.
//!
//! The key is the environment's, else the one the project names. A project that names none, and whose site is a
//! directory, gets a *development key*: generated once, kept with mode 0600 outside the tree, and named loudly
//! each time. Nothing ever signs with "whichever key is the default".
//!
//! While a key is being replaced (`[sign] retiring-…`, or the environment's), both sign.

mod apk;
pub(super) mod source;

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result};
use fs_err as fs;
use packhouse_project::{Plan, Project, Retiring, SigningKey};
use packhouse_sign::{Certificate, Fingerprint, KeySource, Keyring, Secret, Signer, both, generate};

use super::{Event, OnEvent, UsageError};
use crate::environment::{
    Environment, RETIRING_KEY, RETIRING_PASSPHRASE, RETIRING_PASSPHRASE_FILE, SIGNING_KEY,
};
pub use apk::ApkKey;

/// How long a development key lasts: long enough to forget, short enough not to outlive the machine.
const DEVELOPMENT_KEY_LIFE: Duration = Duration::from_secs(3 * 365 * 24 * 60 * 60);

/// A signer and the keyring of those who may sign.
pub struct Keys {
    /// Who signs.
    pub signer: Box<dyn Signer>,
    /// Who may.
    pub keyring: Keyring,
    /// What signs packages of apk, if the project has it.
    pub apk: Option<ApkKey>,
}

/// The key for machines that have no other.
pub struct DevelopmentKey {
    path: PathBuf,
}

impl Keys {
    /// Opens the key and checks it against the keyring of those who may sign.
    ///
    /// # Errors
    /// When there is no key or no keyring, or the key is not in it, expired, revoked or cannot be opened.
    pub fn open(
        plan: &Plan,
        is_local: bool,
        environment: &Environment,
        on_event: OnEvent<'_>,
    ) -> Result<Keys> {
        let now = environment.now.into();
        let signer = match source::open(plan, environment)? {
            Some(signer) => signer,
            None if is_local => return Keys::development(plan, environment, on_event),
            None => return Err(no_key().into()),
        };
        let Some(path) = &plan.keyring else {
            let help =
                "write the public key to it, and commit it: packhouse key export -o dist/trustedkeys.gpg";
            let message = "nothing says which keys may sign: there is no dist/trustedkeys.gpg";
            return Err(UsageError::new(message, help).into());
        };
        let keyring = read_keyring(path, on_event)?;
        check_member(signer.as_ref(), &keyring, path, now)?;
        let signer = match retiring(plan, environment)? {
            Some(old) => {
                check_retiring(signer.as_ref(), old.as_ref(), &keyring, path, now)?;
                both(signer, old)
            }
            None => signer,
        };
        Ok(Keys { signer, keyring, apk: ApkKey::open(plan, environment)? })
    }

    fn development(plan: &Plan, environment: &Environment, on_event: OnEvent<'_>) -> Result<Keys> {
        let now: SystemTime = environment.now.into();
        let key = DevelopmentKey::new(environment)?;
        let is_new = key.generate(now)?;
        let signer = KeySource::File { path: key.path.clone(), passphrase: None }.open(now)?;
        let certificate = signer.certificate();
        on_event(Event::Notice {
            message: format!(
                "signing with {} development key of this machine, {}, kept in {}; \
                 name your own in [sign] of dist/packhouse.toml before customers trust it",
                if is_new { "a new" } else { "the" },
                certificate.fingerprint().grouped(),
                key.path.display()
            ),
        });
        let keyring = match &plan.keyring {
            Some(path) => {
                let keyring = read_keyring(path, on_event)?;
                check_member(signer.as_ref(), &keyring, path, now)?;
                keyring
            }
            None => Keyring::from_certificates([certificate.clone()]),
        };
        Ok(Keys { signer, keyring, apk: ApkKey::open(plan, environment)? })
    }
}

/// The key that is being replaced, open; `None` when none is.
fn retiring(plan: &Plan, environment: &Environment) -> Result<Option<Box<dyn Signer>>> {
    let source = match (environment.secret(RETIRING_KEY), plan.retiring.as_ref()) {
        (Some(armored), project) => {
            let passphrase = retiring_passphrase(project, environment)?;
            KeySource::Text { armored, passphrase }
        }
        (None, Some(project)) => {
            let passphrase = retiring_passphrase(Some(project), environment)?;
            match &project.key {
                SigningKey::Fingerprint(fingerprint) => {
                    KeySource::GnuPg { fingerprint: fingerprint.clone(), passphrase }
                }
                SigningKey::File(path) => KeySource::File { path: path.clone(), passphrase },
                SigningKey::Command(_) => return Ok(None), // `[sign] retiring-…` names none
            }
        }
        (None, None) => return Ok(None),
    };
    let opened = source::open_source(source, environment);
    opened
        .map(Some)
        .context("the retiring key cannot be used; `packhouse key rotate` shows where the rotation stands")
}

fn retiring_passphrase(project: Option<&Retiring>, environment: &Environment) -> Result<Option<Secret>> {
    let file = project.and_then(|project| project.passphrase_file.as_deref());
    source::passphrase_of([RETIRING_PASSPHRASE, RETIRING_PASSPHRASE_FILE], file, environment)
}

/// Refuses a retiring key that is the new one, or that the keyring does not have.
fn check_retiring(
    new: &dyn Signer,
    old: &dyn Signer,
    keyring: &Keyring,
    path: &Path,
    now: SystemTime,
) -> Result<()> {
    if new.certificate().fingerprint() == old.certificate().fingerprint() {
        let message = "the retiring key is the one that signs";
        let help = "name the new key in [sign], or end the rotation: `packhouse key rotate --finish --force`";
        return Err(UsageError::new(message, help).into());
    }
    check_member(old, keyring, path, now)
}

/// The public certificate of the key that signs, whether the keyring has it or not.
///
/// # Errors
/// When there is no key, or it cannot be opened.
pub fn signing_certificate(
    plan: &Plan,
    environment: &Environment,
    on_event: OnEvent<'_>,
) -> Result<Certificate> {
    match source::certificate(plan, environment)? {
        Some(certificate) => Ok(certificate),
        None => Ok(Keys::development(plan, environment, on_event)?.signer.certificate().clone()),
    }
}

/// The fingerprints of the keys that sign for the project, of all of their parts, as far as this machine knows: the
/// environment's, else the project's. No key is opened.
///
/// # Errors
/// When the project or a key file cannot be read.
pub(super) fn signing_fingerprints(
    project: Option<&Path>,
    environment: &Environment,
) -> Result<Vec<Fingerprint>> {
    fingerprints(SIGNING_KEY, |project| Ok(project.signing_key()?), project, environment)
}

/// As [`signing_fingerprints`], of the key that is being replaced.
///
/// # Errors
/// As [`signing_fingerprints`].
pub(super) fn retiring_fingerprints(
    project: Option<&Path>,
    environment: &Environment,
) -> Result<Vec<Fingerprint>> {
    let of_project = |project: &Project| Ok(project.retiring()?.map(|retiring| retiring.key));
    fingerprints(RETIRING_KEY, of_project, project, environment)
}

/// Those of the key in a variable, else of the one that the project has.
fn fingerprints(
    variable: &str,
    of_project: impl FnOnce(&Project) -> Result<Option<SigningKey>>,
    project: Option<&Path>,
    environment: &Environment,
) -> Result<Vec<Fingerprint>> {
    if let Some(armored) = environment.secret(variable) {
        return Ok(Certificate::of_secret_key(&armored)?.fingerprints());
    }
    let root = super::find_project(project, environment)?;
    if !root.join(packhouse_project::PROJECT_FILE).is_file() {
        return Ok(Vec::new());
    }
    match of_project(&Project::open(&root)?)? {
        Some(key) => fingerprints_of(&key),
        None => Ok(Vec::new()),
    }
}

/// The fingerprints of a key, of all of its parts where they are known; none where its file is on another machine.
pub(super) fn fingerprints_of(key: &SigningKey) -> Result<Vec<Fingerprint>> {
    Ok(match key {
        SigningKey::Fingerprint(fingerprint) => vec![fingerprint.parse()?],
        SigningKey::Command(command) => vec![command.fingerprint.parse()?],
        SigningKey::File(path) if path.exists() => {
            Certificate::of_secret_key(&Secret::read(path)?)?.fingerprints()
        }
        SigningKey::File(_) => Vec::new(),
    })
}

fn no_key() -> UsageError {
    let help = format!("name one in [sign] of dist/packhouse.toml, or put it into ${SIGNING_KEY}");
    UsageError::new("no key signs the packages", help)
}

/// Reads a keyring and says which keys of it cannot be used.
pub(super) fn read_keyring(path: &Path, on_event: OnEvent<'_>) -> Result<Keyring> {
    let keyring = Keyring::read(path)?;
    for passed_over in keyring.passed_over() {
        on_event(Event::Notice { message: format!("{}: passed over {passed_over}", path.display()) });
    }
    Ok(keyring)
}

/// Refuses a signer whose key the keyring does not have, or has as revoked or expired.
fn check_member(signer: &dyn Signer, keyring: &Keyring, path: &Path, now: SystemTime) -> Result<()> {
    let fingerprint = signer.certificate().fingerprint();
    let Some(trusted) = keyring.find(&fingerprint) else {
        let message = format!("the signing key {} is not in {}", fingerprint.grouped(), path.display());
        let help =
            "sign with a key of the keyring, or add this one to it if it may sign: packhouse key export";
        return Err(anyhow::Error::new(UsageError::new(message, help)));
    };
    // The keyring's copy may know of a revocation that the secret key's does not.
    trusted.check_can_sign(now).context("the keyring does not let this key sign")
}

impl DevelopmentKey {
    /// Where the development key is kept, whether it is there or not.
    ///
    /// # Errors
    /// When this user has no directory.
    pub fn new(environment: &Environment) -> Result<DevelopmentKey> {
        let directory = environment.data_directory().ok_or_else(|| {
            UsageError::new("there is no place for a development key", "set HOME, or name a key in [sign]")
        })?;
        Ok(DevelopmentKey { path: directory.join("development-key.asc") })
    }

    /// The keyring with the public part of the key; `None` when none was generated yet.
    ///
    /// # Errors
    /// When it is there and cannot be used.
    pub fn keyring(&self, now: SystemTime) -> Result<Option<Keyring>> {
        if !self.path.is_file() {
            return Ok(None);
        }
        let signer = KeySource::File { path: self.path.clone(), passphrase: None }.open(now)?;
        Ok(Some(Keyring::from_certificates([signer.certificate().clone()])))
    }

    /// Generates the key unless it is there; tells whether it is new.
    fn generate(&self, now: SystemTime) -> Result<bool> {
        use std::io::Write as _;
        use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
        if self.path.exists() {
            return Ok(false);
        }
        let generated =
            generate("Packhouse development key (not for customers)", now, Some(DEVELOPMENT_KEY_LIFE))?;
        let directory = self.path.parent().context("the key's path has a directory")?;
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        // Complete before it has its name, and never replacing one: two first runs end with one key.
        let unfinished = super::manifest::unfinished(&self.path);
        let mut file =
            std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
        file.write_all(generated.secret.expose())?;
        file.sync_all()?;
        let linked = fs::hard_link(&unfinished, &self.path);
        fs::remove_file(&unfinished)?;
        match linked {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(error.into()),
            result => Ok(result.is_ok()),
        }
    }
}

//! Where the signing key is, and what opens it.
//!
//! The key is the environment's, else the one that the project names: in GnuPG, in a file, or where a program signs
//! with it. Its pass phrase comes from the environment, from a file, or is asked for on the terminal. There is no
//! third place and no default: nothing signs with a key that the user did not name.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use packhouse_project::{Plan, SigningCommand, SigningKey};
use packhouse_sign::{
    Certificate, CommandInput, Error, Fingerprint, KeySource, Keyring, Secret, SignCommand, Signer,
};

use super::super::UsageError;
use crate::environment::{Environment, SIGNING_KEY, SIGNING_PASSPHRASE, SIGNING_PASSPHRASE_FILE};

/// How often a pass phrase is asked for, as by gpg and ssh.
const TRIES: usize = 3;

const CONTEXT: &str = "the signing key cannot be used";

/// Opens the key that the user named; `None` when there is none.
///
/// # Errors
/// When it cannot be opened, or is not one that may sign now.
pub(super) fn open(plan: &Plan, environment: &Environment) -> Result<Option<Box<dyn Signer>>> {
    match configured(plan, environment)? {
        Some(source) => Ok(Some(open_source(source, environment)?)),
        None => Ok(None),
    }
}

/// The public certificate of the key that the user named; `None` when there is none.
///
/// # Errors
/// As [`open`].
pub(super) fn certificate(plan: &Plan, environment: &Environment) -> Result<Option<Certificate>> {
    match configured(plan, environment)? {
        // The keyring's: a program is not asked to sign for it.
        Some(KeySource::Command { certificate, .. }) => Ok(Some(*certificate)),
        Some(source) => Ok(Some(open_source(source, environment)?.certificate().clone())),
        None => Ok(None),
    }
}

/// The key of the environment alone, ready to sign: for what is signed without a project.
///
/// # Errors
/// When there is none, or it cannot be used.
pub(in crate::ops) fn of_environment(environment: &Environment) -> Result<Box<dyn Signer>> {
    let Some(armored) = environment.secret(SIGNING_KEY) else {
        let help = format!("put an armored secret key into ${SIGNING_KEY}");
        return Err(UsageError::new("no key signs the package", help).into());
    };
    let passphrase = passphrase(None, environment)?;
    open_source(KeySource::Text { armored, passphrase }, environment)
}

/// The key of the environment, else the project's.
fn configured(plan: &Plan, environment: &Environment) -> Result<Option<KeySource>> {
    let passphrase = || passphrase(plan.passphrase_file.as_deref(), environment);
    Ok(match (environment.secret(SIGNING_KEY), &plan.signing_key) {
        (Some(armored), _) => Some(KeySource::Text { armored, passphrase: passphrase()? }),
        (None, Some(SigningKey::Fingerprint(fingerprint))) => {
            Some(KeySource::GnuPg { fingerprint: fingerprint.clone(), passphrase: passphrase()? })
        }
        (None, Some(SigningKey::File(path))) => {
            Some(KeySource::File { path: path.clone(), passphrase: passphrase()? })
        }
        (None, Some(SigningKey::Command(command))) => Some(external(command, plan, environment)?),
        (None, None) => None,
    })
}

/// The key of a program, with its public part from the keyring.
fn external(command: &SigningCommand, plan: &Plan, environment: &Environment) -> Result<KeySource> {
    let fingerprint: Fingerprint = command.fingerprint.parse().context(CONTEXT)?;
    let Some(path) = &plan.keyring else {
        let message = "the public part of the key that [sign] command signs with is nowhere: there is no \
                       dist/trustedkeys.gpg";
        let help = "write the public key to it, and commit it";
        return Err(UsageError::new(message, help).into());
    };
    let keyring = Keyring::read(path)?;
    let Some(certificate) = keyring.find(&fingerprint) else {
        let message = format!("the key {} of [sign] is not in {}", fingerprint.grouped(), path.display());
        let help =
            "a sign command's public key is taken from there: add it, or name the key that the command has";
        return Err(UsageError::new(message, help).into());
    };
    let command = SignCommand {
        words: command.words.clone(),
        input: if command.wants_data { CommandInput::Data } else { CommandInput::Digest },
        limit: Duration::from_secs(command.timeout.into()),
        environment: environment.for_sign_command(&command.environment),
        directory: plan.root.clone(),
    };
    Ok(KeySource::Command { certificate: Box::new(certificate.clone()), fingerprint, command })
}

/// Opens a key, and asks for its pass phrase where somebody can answer.
pub(super) fn open_source(source: KeySource, environment: &Environment) -> Result<Box<dyn Signer>> {
    let now = environment.now.into();
    let Some(ask) = &environment.ask else { return source.open(now).context(CONTEXT) };
    let mut opened = source.clone().open(now);
    for tries_left in (0..TRIES).rev() {
        let question = match &opened {
            Err(Error::PassphraseNeeded { fingerprint }) => {
                format!("Pass phrase of the signing key {}: ", fingerprint.grouped())
            }
            // One that was given and is wrong is somebody's to correct, not to be guessed at.
            Err(Error::WrongPassphrase { .. }) if tries_left < TRIES - 1 => {
                "That does not open it. Pass phrase: ".to_owned()
            }
            _ => break,
        };
        let passphrase = ask(&question).context("no pass phrase was entered")?;
        opened = source.clone().with_passphrase(passphrase).open(now);
    }
    opened.context(CONTEXT)
}

/// The pass phrase of the environment, else of a file.
pub(in crate::ops) fn passphrase(file: Option<&Path>, environment: &Environment) -> Result<Option<Secret>> {
    passphrase_of([SIGNING_PASSPHRASE, SIGNING_PASSPHRASE_FILE], file, environment)
}

/// The same of these variables: one with the pass phrase, and one that names its file.
pub(super) fn passphrase_of(
    [itself, its_file]: [&str; 2],
    file: Option<&Path>,
    environment: &Environment,
) -> Result<Option<Secret>> {
    if let Some(passphrase) = environment.secret(itself) {
        return Ok(Some(passphrase));
    }
    let from_environment = environment.get(its_file).map(|path| environment.current_directory.join(path));
    match from_environment.as_deref().or(file) {
        Some(path) => Ok(Some(Secret::read_passphrase(path)?)),
        None => Ok(None),
    }
}

//! The first step: the new key joins the keyring and `[sign]`, and the old one retires.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use fs_err as fs;
use packhouse_project::distribution::Distribution;
use packhouse_project::{PROJECT_FILE, RETIRING_DAYS, SigningKey, Target, with_sign_keys};
use packhouse_sign::{Certificate, KeySource, KeyringForm, POLICY, Secret};

use super::{Rotation, RotationStage, State, named};
use crate::environment::{Environment, RETIRING_KEY, SIGNING_KEY};
use crate::ops::key::Ring;
use crate::ops::key::check::of_clients;
use crate::ops::signer::source::passphrase;
use crate::ops::{OnEvent, UsageError, manifest};

/// The key that is to sign.
#[derive(Clone, Debug)]
pub enum NewSigner {
    /// A file with the secret key or its signing subkey.
    File(PathBuf),
    /// A key that GnuPG holds, by its fingerprint.
    GnuPg(String),
    /// A file with the public key: the secret one comes in the environment of another machine.
    Public(PathBuf),
}

/// What a user can say about a rotation that begins.
#[derive(Clone, Debug)]
pub struct BeginOptions {
    /// The project.
    pub ring: Ring,
    /// The new key.
    pub new: NewSigner,
    /// A file with its pass phrase, as it is to stand in the project file.
    pub passphrase_file: Option<String>,
    /// For how many days both sign.
    pub days: Option<u32>,
    /// Change the files; otherwise only say what would be done.
    pub apply: bool,
}

/// Begins to replace the key that signs: the new one joins the keyring and `[sign]`, the old one retires.
///
/// # Errors
/// When a rotation goes on already, the new key cannot sign, or the project file must be changed by hand.
pub fn begin_rotation(
    options: &BeginOptions,
    environment: &Environment,
    on_event: OnEvent<'_>,
) -> Result<Rotation> {
    let mut state = State::read(&options.ring, environment, on_event)?;
    if state.is_rotating {
        let help = "`packhouse key rotate` shows where it stands";
        return Err(UsageError::new("a key is being replaced already", help).into());
    }
    let Some(old) = state.new.clone() else {
        let message = "the key that signs is not known, or not in the keyring";
        let help = format!(
            "name it in [sign], or put it into ${SIGNING_KEY}; add it with `packhouse key add`; a project without a key \
             begins with `packhouse key generate`"
        );
        return Err(UsageError::new(message, help).into());
    };
    let new = certificate_of(&options.new, environment)?;
    let fingerprint = new.fingerprint();
    if fingerprint == old.fingerprint() {
        let help = "a new subkey of the same key needs no rotation: bring it with `packhouse key add`, and sign with it";
        return Err(UsageError::new("the new key is the one that signs", help).into());
    }
    let refuse = || format!("{} cannot take its place", fingerprint.grouped());
    if !POLICY.accepts(new.algorithm()) {
        let algorithm = new.algorithm().to_string();
        return Err(packhouse_sign::Error::WeakKey { fingerprint, algorithm }).with_context(refuse);
    }
    new.check_can_sign(environment.now.into()).with_context(refuse)?;

    let days = options.days.unwrap_or(RETIRING_DAYS);
    let edited = edited(&state, options, environment)?;
    let mut files = vec![state.file.path.clone()];
    files.extend(edited.as_ref().map(|_| state.root.join(PROJECT_FILE)));
    if options.apply {
        state.file.keyring.add(new.clone());
        state.file.write(on_event)?;
        if let Some(text) = &edited {
            manifest::write_whole(&state.root.join(PROJECT_FILE), text.as_bytes())?;
        }
    }
    let mut next = Vec::new();
    if edited.is_none() {
        next.push(format!(
            "where releases are made: the new secret key in ${SIGNING_KEY}, the old one in ${RETIRING_KEY}"
        ));
    }
    if options.apply {
        next.push("commit: git add dist && git commit -m 'sign with a new key, too'".into());
        next.push(format!("release: the {days} days begin with the first package that both keys signed"));
        next.push("packhouse key rotate shows how far it is".into());
    } else {
        next.insert(0, "the same command with --yes does it".into());
    }
    Ok(Rotation {
        stage: if options.apply { RotationStage::Begun } else { RotationStage::None },
        new: Some(named(&new)),
        old: Some(named(&old)),
        days: Some(days),
        published: None,
        over: None,
        old_packages: None,
        files,
        applied: options.apply,
        breaks: breaks(&state.targets(), &new, days, environment),
        next,
    })
}

/// The public part of the new key.
fn certificate_of(new: &NewSigner, environment: &Environment) -> Result<Certificate> {
    match new {
        NewSigner::File(path) => {
            let path = environment.current_directory.join(path);
            let secret = Secret::read(&path)?;
            Certificate::of_secret_key(&secret).with_context(|| format!("{} cannot sign", path.display()))
        }
        NewSigner::GnuPg(fingerprint) => {
            let source = KeySource::GnuPg {
                fingerprint: fingerprint.clone(),
                passphrase: passphrase(None, environment)?,
            };
            Ok(source.open(environment.now.into())?.certificate().clone())
        }
        NewSigner::Public(path) => {
            let path = environment.current_directory.join(path);
            let keyring = packhouse_sign::Keyring::read(&path)?;
            match keyring.certificates() {
                [one] => Ok(one.clone()),
                several => {
                    let message = format!("{} holds {} keys", path.display(), several.len());
                    Err(UsageError::new(message, "name a file with the new key alone").into())
                }
            }
        }
    }
}

/// The project file that names the new key, and the old one as retiring; `None` when the keys are not the project's.
fn edited(state: &State, options: &BeginOptions, environment: &Environment) -> Result<Option<String>> {
    let sign = state.project.sign();
    let text = |value: &Option<packhouse_project::file::Located<String>>| {
        value.as_ref().map(|value| value.value.clone())
    };
    let old = match state.project.signing_key()? {
        _ if environment.get(SIGNING_KEY).is_some() => return from_environment(options),
        None => return from_environment(options),
        Some(SigningKey::Command(_)) => {
            let message =
                "the key of [sign] command cannot retire by itself: only a key in GnuPG or in a file can";
            let help = "have the command sign with both keys during the window, and add the new key with `packhouse key add`";
            return Err(UsageError::new(message, help).into());
        }
        Some(SigningKey::Fingerprint(_)) => ("retiring-key", text(&sign.key)),
        Some(SigningKey::File(_)) => ("retiring-key-file", text(&sign.key_file)),
    };
    let mut add: Vec<(&str, String)> = Vec::new();
    match &options.new {
        NewSigner::File(path) => add.push(("key-file", as_written(path, &state.root, environment))),
        NewSigner::GnuPg(fingerprint) => {
            let fingerprint: packhouse_sign::Fingerprint = fingerprint.parse()?;
            add.push(("key", fingerprint.to_string()));
        }
        NewSigner::Public(_) => {
            let message =
                "the project names the key that signs, and of the new one only the public part is given";
            let help = "name the new secret key: --key-file FILE, or --key FINGERPRINT for one of GnuPG";
            return Err(UsageError::new(message, help).into());
        }
    }
    add.extend(options.passphrase_file.iter().map(|file| ("passphrase-file", file.clone())));
    add.push((old.0, old.1.unwrap_or_default()));
    add.extend(text(&sign.passphrase_file).map(|file| ("retiring-passphrase-file", file)));
    let source = fs::read_to_string(state.root.join(PROJECT_FILE))?;
    let remove = ["key", "key-file", "passphrase-file"];
    let mut edited = with_sign_keys(&source, &remove, &add);
    if let (Some(text), Some(days)) = (&mut edited, options.days) {
        // After the strings, which are what is checked: a number needs no quotes.
        let header = text.find("\nretiring-").map_or(0, |at| at + 1);
        text.insert_str(header, &format!("retiring-days = {days}\n"));
    }
    let by_hand = || {
        let lines: Vec<String> = add.iter().map(|(key, value)| format!("{key} = \"{value}\"")).collect();
        let help =
            format!("write into it instead of key, key-file and passphrase-file: {}", lines.join(", "));
        UsageError::new("[sign] of dist/packhouse.toml cannot be changed line by line", help)
    };
    Ok(Some(edited.ok_or_else(by_hand)?))
}

fn from_environment(options: &BeginOptions) -> Result<Option<String>> {
    if options.days.is_some() {
        let help = "leave --days out: 90 days are the window of keys that come in the environment";
        return Err(UsageError::new(
            "no key of the project retires, so that no number of days can be kept",
            help,
        )
        .into());
    }
    Ok(None)
}

/// A path for the project file: as it was given where that means the same there.
fn as_written(path: &Path, root: &Path, environment: &Environment) -> String {
    let is_same = fs::canonicalize(&environment.current_directory).is_ok_and(|here| here == *root);
    if path.is_absolute() || is_same {
        return path.display().to_string();
    }
    environment.current_directory.join(path).display().to_string()
}

/// What customers who keep the old keyring will meet, by the clients of the targets.
pub(super) fn breaks(
    targets: &[Target],
    new: &Certificate,
    days: u32,
    environment: &Environment,
) -> Vec<String> {
    let mut breaks = vec![
        format!("for {days} days nothing breaks for those who check packages or the site with either key"),
        "gpg and gpgv of those who have one of the two keys end with status 2 meanwhile, although one signature is good"
            .into(),
    ];
    let mut followed: Vec<(&str, Vec<String>)> = Vec::new();
    for target in targets {
        let distribution = Distribution::find(&target.distribution);
        if let Some(client) = distribution.and_then(|distribution| distribution.client(&target.version)) {
            match followed.iter_mut().find(|(follows, _)| *follows == client.follows) {
                Some((_, names)) => names.push(target.to_string()),
                None => followed.push((&client.follows, vec![target.to_string()])),
            }
        }
    }
    for (follows, names) in followed {
        breaks.push(format!("afterwards, {}: {follows}", names.join(", ")));
    }
    for finding in of_clients(KeyringForm::Binary, &[new], targets, environment.now.into()) {
        breaks.push(format!("{}: {}", finding.targets.join(", "), finding.message));
    }
    breaks
}

//! Replaces the key that signs, in steps that customers can follow.
//!
//! | step | who signs | what is published | what may be forgotten |
//! |---|---|---|---|
//! | before | the old key | its keyring | |
//! | the new key is in the keyring and in `[sign]`, the old one retiring | both | both keys, with the next release | nothing: old keyrings go on |
//! | the window is over, `--finish` | the new key | both keys | old keyrings stop |
//! | later | the new key | the new key | packages that only the old key signed |
//!
//! The state is the project's `[sign]`, and the proof that customers could follow is on the site: the first package that
//! the new key signed says since when its keyring has been there.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result};
use fs_err as fs;
use packhouse_project::distribution::Distribution;
use packhouse_project::{PROJECT_FILE, Project, RETIRING_DAYS, SigningKey, Target, with_sign_keys};
use packhouse_publish::Head;
use packhouse_sign::{Certificate, KeySource, KeyringForm, POLICY, RevocationCertificate, Secret};
use serde::Serialize;

use super::Ring;
use super::check::of_clients;
use super::keyring_file::RingFile;
use super::list::head;
use crate::environment::{Environment, RETIRING_KEY, SIGNING_KEY};
use crate::ops::key_source::passphrase;
use crate::ops::keys::{retiring_fingerprints, signing_fingerprints};
use crate::ops::{OnEvent, UsageError, day, find_project, manifest};

const DAY: u64 = 86_400;

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

/// A key of a rotation.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct RotatedKey {
    /// The primary key's fingerprint.
    pub fingerprint: String,
    /// Whose it is.
    pub user_id: String,
}

/// How far a rotation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RotationStage {
    /// None goes on.
    None,
    /// Both sign, and no package by the new key is published yet.
    Begun,
    /// Both sign, and customers are getting the new key.
    Window,
    /// The window is over: the old key can go.
    Over,
    /// The new key signs alone.
    Finished,
}

/// Where a rotation stands, or what a step of it did.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Rotation {
    /// How far it is.
    pub stage: RotationStage,
    /// The key that signs, or will.
    pub new: Option<RotatedKey>,
    /// The key that is being replaced.
    pub old: Option<RotatedKey>,
    /// For how many days both sign.
    pub days: Option<u32>,
    /// The day on which the first package by the new key was published.
    pub published: Option<String>,
    /// The day on which the window is over.
    pub over: Option<String>,
    /// Packages on the site that the old key signed and the new one did not.
    pub old_packages: Option<usize>,
    /// Files that were changed, or would be.
    pub files: Vec<PathBuf>,
    /// Whether they were.
    pub applied: bool,
    /// What customers who do not follow will meet.
    pub breaks: Vec<String>,
    /// What to do next, in order.
    pub next: Vec<String>,
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

/// What a project knows of its rotation.
struct State {
    project: Project,
    root: PathBuf,
    file: RingFile,
    new: Option<Certificate>,
    old: Option<Certificate>,
    is_rotating: bool,
    days: u32,
}

impl State {
    fn read(ring: &Ring, environment: &Environment, on_event: OnEvent<'_>) -> Result<State> {
        let root = find_project(ring.project.as_deref(), environment)?;
        if !root.join(PROJECT_FILE).is_file() {
            let message = format!("there is no project in {}", root.display());
            return Err(UsageError::new(message, "name one with -C").into());
        }
        let project = Project::open(&root)?;
        let file = ring.read(environment, on_event)?;
        let retiring = project.retiring()?;
        let find = |names: Vec<packhouse_sign::Fingerprint>| {
            names.iter().find_map(|name| file.keyring.find(name)).cloned()
        };
        Ok(State {
            new: find(signing_fingerprints(ring.project.as_deref(), environment)?),
            old: find(retiring_fingerprints(ring.project.as_deref(), environment)?),
            is_rotating: retiring.is_some() || environment.get(RETIRING_KEY).is_some(),
            days: retiring.map_or(RETIRING_DAYS, |retiring| retiring.days),
            project,
            root,
            file,
        })
    }

    fn targets(&self) -> Vec<Target> {
        self.project.targets().map(|(target, _)| target.clone()).collect()
    }
}

fn named(certificate: &Certificate) -> RotatedKey {
    RotatedKey { fingerprint: certificate.fingerprint().to_string(), user_id: certificate.user_id() }
}

/// When the first package was published that the key signed.
fn first_published(head: &Head, key: &Certificate) -> Option<SystemTime> {
    let name = key.fingerprint().to_string();
    let signed = head.packages.iter().filter(|package| package.signature.fingerprint == name);
    let seconds = signed.filter_map(|package| package.published).min()?;
    Some(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds.unsigned_abs()))
}

fn packages_of(head: &Head, key: &Certificate) -> usize {
    let name = key.fingerprint().to_string();
    head.packages.iter().filter(|package| package.signature.fingerprint == name).count()
}

/// Says where the project's rotation stands, and what is next.
///
/// # Errors
/// When the project or its keyring cannot be read; that the site cannot be is part of the answer.
pub async fn rotation(ring: &Ring, environment: &Environment, on_event: OnEvent<'_>) -> Result<Rotation> {
    let state = State::read(ring, environment, on_event)?;
    let now: SystemTime = environment.now.into();
    let site = head(ring, environment).await;
    let head = site.as_ref().ok().map(|(_, head)| head);
    let mut rotation = Rotation {
        stage: RotationStage::None,
        new: state.new.as_ref().map(named),
        old: state.old.as_ref().map(named),
        days: state.is_rotating.then_some(state.days),
        published: None,
        over: None,
        old_packages: None,
        files: Vec::new(),
        applied: false,
        breaks: Vec::new(),
        next: Vec::new(),
    };
    if !state.is_rotating {
        rotation.next = vec![
            "make a key: packhouse key generate 'NAME <ADDRESS>' -o ../new-key".into(),
            "see what replacing it would do: packhouse key rotate --key-file ../new-key/signing-subkey.asc"
                .into(),
        ];
        let others = state.file.keyring.certificates().iter().filter(|key| {
            let is_signing = state.new.as_ref().map(Certificate::fingerprint) == Some(key.fingerprint());
            !is_signing && state.new.is_some() && key.check_can_sign(now).is_ok()
        });
        for key in others {
            rotation.next.push(retire_later(key, head));
        }
        return Ok(rotation);
    }
    rotation.old_packages = head.zip(state.old.as_ref()).map(|(head, old)| packages_of(head, old));
    let published = head.zip(state.new.as_ref()).and_then(|(head, new)| first_published(head, new));
    let Some(published) = published else {
        rotation.stage = RotationStage::Begun;
        rotation.next = vec![
            "commit the keyring and dist/packhouse.toml".into(),
            format!("release: the {} days begin with the first package that both keys signed", state.days),
        ];
        return Ok(rotation);
    };
    let over = published + Duration::from_secs(u64::from(state.days) * DAY);
    rotation.published = Some(day(published));
    rotation.over = Some(day(over));
    if now < over {
        rotation.stage = RotationStage::Window;
        rotation.next = vec![
            "release as always: both keys sign".into(),
            "tell customers to get the new keyring; `packhouse key document` writes how".into(),
            format!("from {} on: packhouse key rotate --finish", day(over)),
        ];
    } else {
        rotation.stage = RotationStage::Over;
        rotation.next = vec!["packhouse key rotate --finish".into()];
    }
    Ok(rotation)
}

/// What becomes of a key that signs no more and is still trusted.
fn retire_later(key: &Certificate, head: Option<&Head>) -> String {
    let fingerprint = key.fingerprint();
    match head.map(|head| packages_of(head, key)) {
        Some(0) => format!(
            "{} signed nothing that is on the site: packhouse key remove {fingerprint}",
            fingerprint.grouped()
        ),
        Some(count) => format!(
            "{} is trusted for the {count} packages on the site that it signed; once they are gone: packhouse key remove \
             {fingerprint}",
            fingerprint.grouped()
        ),
        None => format!(
            "{} is trusted and signs no more; once the site has no package by it: packhouse key remove {fingerprint}",
            fingerprint.grouped()
        ),
    }
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
fn breaks(targets: &[Target], new: &Certificate, days: u32, environment: &Environment) -> Vec<String> {
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

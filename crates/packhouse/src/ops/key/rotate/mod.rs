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

mod begin;
mod finish;

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use anyhow::Result;
use packhouse_project::{PROJECT_FILE, Project, RETIRING_DAYS, Target};
use packhouse_publish::Head;
use packhouse_sign::Certificate;
use serde::Serialize;

use super::Ring;
use super::keyring_file::RingFile;
use super::list::head;
use crate::environment::{Environment, RETIRING_KEY};
use crate::ops::signer::{retiring_fingerprints, signing_fingerprints};
use crate::ops::{OnEvent, UsageError, day, find_project};

pub use begin::{BeginOptions, NewSigner, begin_rotation};
pub use finish::finish_rotation;

const DAY: u64 = 86_400;

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

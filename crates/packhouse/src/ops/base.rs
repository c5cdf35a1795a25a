//! Builds the targets' base images, and pushes them.
//!
//! The week in a tag is today's, in UTC, and not the release's: the packages in an image are those of the day it is
//! built on, whatever commit is checked out.

use std::num::NonZeroUsize;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use fs_err as fs;
use futures_util::future::join_all;
use packhouse_build::{BaseImage, Client, Image, ImageBuild};
use packhouse_project::{Plan, TargetPlan};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

use super::{Event, OnEvent, Stage, UsageError, engine, manifest};
use crate::environment::Environment;

/// The version of the record's format.
const FORMAT: u32 = 1;

/// What a user can say about base images.
#[derive(Clone, Debug)]
pub struct BaseOptions {
    /// Pushes both tags to the registry.
    pub is_pushed: bool,
    /// Builds without the engine's cache, from the newest image.
    pub is_fresh: bool,
    /// How many images are built at a time.
    pub at_a_time: Option<NonZeroUsize>,
    /// How long to wait before a push is tried again.
    pub pause: Duration,
}

impl Default for BaseOptions {
    fn default() -> BaseOptions {
        BaseOptions { is_pushed: false, is_fresh: false, at_a_time: None, pause: Duration::from_secs(2) }
    }
}

/// A base image that was built: an entry of `pkg/base-images.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuiltImage {
    /// The target, as in `debian-12`.
    pub target: String,
    /// Where its versions are kept.
    pub repository: String,
    /// What it is called: the tag of its week, and the one that is always the newest.
    pub tags: Vec<String>,
    /// Its processor, as in `amd64`.
    pub processor: String,
    /// The digest of its configuration: names it in the engine.
    pub id: String,
    /// The digest by which the registry knows it; nothing until it was pushed.
    pub digest: Option<String>,
    /// When it was made, in RFC 3339. An image that came out of the engine's cache is as old as that.
    pub created: String,
    /// When it was recorded, in Unix seconds.
    pub time: i64,
    /// The SHA-256 digest of its Dockerfile.
    pub dockerfile: String,
}

/// What `pkg/base-images.json` holds.
#[derive(Debug, Serialize, Deserialize)]
struct Record {
    format: u32,
    /// Sorted by target, repository and processor.
    images: Vec<BuiltImage>,
}

/// A base image that could not be built or pushed.
#[derive(Debug)]
pub struct BaseFailure {
    /// Its target.
    pub target: String,
    /// Why.
    pub error: packhouse_build::Error,
}

/// What was done.
#[derive(Debug)]
pub struct BaseReport {
    /// The images, by target.
    pub built: Vec<BuiltImage>,
    /// The targets whose images failed.
    pub failures: Vec<BaseFailure>,
}

/// Builds the plan's base images, pushes them if that is wanted, and records them in `pkg/base-images.json`.
///
/// # Errors
/// When nothing can be built at all; a failure of single targets is in the report.
pub async fn base(
    plan: &Plan,
    options: &BaseOptions,
    environment: &Environment,
    on_event: OnEvent<'_>,
) -> Result<BaseReport> {
    if let Some(target) = plan.targets.iter().find(|target| options.is_pushed && target.base_image.is_local) {
        let message = format!("nothing says where the base image of {} is pushed to", target.target);
        let help = "in dist/packhouse.toml: [base-image] repository = \"registry.example.com/project/dist-{distribution}\"";
        return Err(UsageError::new(message, help).into());
    }
    let output = manifest::prepare(&plan.root)?;
    let permits = Semaphore::new(options.at_a_time.map_or(1, NonZeroUsize::get));
    let week = environment.now.strftime("%Y.%W").to_string();
    let results = join_all(plan.targets.iter().map(|target| {
        let (permits, week, output) = (&permits, &week, &output);
        async move {
            let _permit = permits.acquire().await.expect("nobody closes the semaphore");
            let started = Instant::now();
            let result = one(target, options, (week, output), environment, on_event).await;
            result.map_err(|error| {
                let stage = Stage::Failed { error: error.to_string(), took: Some(started.elapsed()) };
                on_event(Event::Target { target: target.target.to_string(), stage });
                BaseFailure { target: target.target.to_string(), error }
            })
        }
    }))
    .await;
    let mut report = BaseReport { built: Vec::new(), failures: Vec::new() };
    for result in results {
        match result {
            Ok(built) => report.built.push(built),
            Err(failure) => report.failures.push(failure),
        }
    }
    record(&output, &report.built)?;
    Ok(report)
}

async fn one(
    target: &TargetPlan,
    options: &BaseOptions,
    (week, output): (&str, &Path),
    environment: &Environment,
    on_event: OnEvent<'_>,
) -> packhouse_build::Result<BuiltImage> {
    let started = Instant::now();
    let tell = |stage| on_event(Event::Target { target: target.target.to_string(), stage });
    let host = || packhouse_build::Error::NoContainer { engine: "the host" };
    let client = engine::client(target.engine, environment).ok_or_else(host)?;
    let base = &target.base_image;
    let log = manifest::log(output, &format!("base-{}", target.target))?;
    fs::write(&log, "")?;
    let name = target.target.to_string();
    let tags = [base.dated(week), base.latest()];
    let platform = target.job.container.as_ref().map(|it| &it.platform).filter(|it| it.is_named);
    let build = ImageBuild { image: base, target: &name, tags: &tags, platform, is_fresh: options.is_fresh };
    tell(Stage::Building { activity: base.dockerfile().display().to_string() });
    let on_line = |line: &str| {
        if is_step(line) {
            tell(Stage::Building { activity: line.to_owned() });
        }
    };
    let image = client.build_image(&build, &log, &on_line).await?;
    tell(Stage::Built { took: Some(started.elapsed()) });
    let digest = match options.is_pushed {
        true => Some(push(&client, base, &tags, options, &log, &tell).await?),
        false => None,
    };
    let Image { id, created, processor, .. } = image;
    Ok(BuiltImage {
        target: name,
        repository: base.repository.clone(),
        tags: tags.into(),
        processor,
        id,
        digest,
        created,
        time: environment.now.as_second(),
        dockerfile: base.dockerfile_digest()?,
    })
}

/// Pushes both tags, the one that moves last, and returns the registry's digest.
async fn push(
    client: &Client,
    base: &BaseImage,
    tags: &[String],
    options: &BaseOptions,
    log: &Path,
    tell: &(dyn Fn(Stage) + Sync),
) -> packhouse_build::Result<String> {
    let mut digest = None;
    for tag in tags {
        tell(Stage::Pushing { reference: tag.clone() });
        digest = client.push(tag, options.pause, log).await?;
    }
    let digest = match digest {
        Some(digest) => digest,
        None => {
            let image = client.image(&tags[0]).await?;
            let known = image.as_ref().and_then(|image| image.digest_in(&base.repository));
            known.ok_or_else(|| client.no_digest(&tags[0]))?.to_owned()
        }
    };
    tell(Stage::Pushed { reference: tags[0].clone(), digest: digest.clone() });
    Ok(digest)
}

/// Whether a line of a build says which of its steps begins: Docker's classic builder and Podman ("Step 2/3",
/// "STEP 2/3:"), BuildKit ("#5 [2/3] RUN …").
fn is_step(line: &str) -> bool {
    let lower = line.to_lowercase();
    lower.starts_with("step ") || (lower.starts_with('#') && line.contains(" [") && line.contains('/'))
}

/// Enters the images into `pkg/base-images.json`, each in place of the one before it.
fn record(output: &Path, built: &[BuiltImage]) -> Result<()> {
    if built.is_empty() {
        return Ok(());
    }
    // The lock goes with the file's last descriptor, so also with a process that is killed.
    let lock = fs::File::create(output.join(".manifest.lock"))?;
    lock.file().lock()?;
    let path = output.join("base-images.json");
    let known = fs::read(&path).ok().and_then(|bytes| serde_json::from_slice::<Record>(&bytes).ok());
    // What another version wrote is no more than a record of what was done.
    let mut record = known
        .filter(|record| record.format == FORMAT)
        .unwrap_or(Record { format: FORMAT, images: Vec::new() });
    for image in built {
        let key =
            |image: &BuiltImage| (image.target.clone(), image.tags.last().cloned(), image.processor.clone());
        record.images.retain(|other| key(other) != key(image));
        record.images.push(image.clone());
        record.images.sort_by_key(key);
    }
    let mut text =
        serde_json::to_string_pretty(&record).context("a record is made of strings and numbers")?;
    text.push('\n');
    manifest::write_whole(&path, text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_week_is_the_one_of_date() {
        let week = |time: &str| {
            let time: jiff::Timestamp = time.parse().unwrap();
            time.strftime("%Y.%W").to_string()
        };
        // date -u -d … +%Y.%W
        assert_eq!(week("2026-11-26T23:00:00Z"), "2026.47");
        assert_eq!(week("2026-01-01T00:00:00Z"), "2026.00");
        assert_eq!(week("2024-01-01T00:00:00Z"), "2024.01");
        assert_eq!(week("2024-12-31T23:59:59Z"), "2024.53");
    }

    #[test]
    fn steps_of_every_builder_are_known() {
        for step in ["Step 2/3 : RUN make", "STEP 2/3: RUN make", "#5 [2/3] RUN make"] {
            assert!(is_step(step), "{step}");
        }
        assert!(!is_step("#5 0.312 compiling"));
        assert!(!is_step("make: entering"));
    }

    #[test]
    fn an_image_is_recorded_in_place_of_the_one_before() {
        let output = tempfile::tempdir().unwrap();
        let image = |target: &str, id: &str| BuiltImage {
            target: target.into(),
            repository: "r".into(),
            tags: vec![format!("r:{id}"), "r:12-latest".into()],
            processor: "amd64".into(),
            id: id.into(),
            digest: None,
            created: String::new(),
            time: 0,
            dockerfile: String::new(),
        };
        record(output.path(), &[image("debian-12", "a"), image("alpine-3", "b")]).unwrap();
        record(output.path(), &[image("debian-12", "c")]).unwrap();
        let text = fs::read_to_string(output.path().join("base-images.json")).unwrap();
        let read: Record = serde_json::from_str(&text).unwrap();
        let ids: Vec<&str> = read.images.iter().map(|image| image.id.as_str()).collect();
        assert_eq!(ids, ["b", "c"]);
    }
}

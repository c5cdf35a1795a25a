//! Builds targets and packages them into `pkg/`.
//!
//! Targets whose jobs are equal share one build. A target that fails does not stop the others: what is
//! finished is kept.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use fs_err as fs;
use futures_util::future::join_all;
use packhouse_build::engine::Workspace;
use packhouse_build::{AskedChanges, Job, Source};
use packhouse_package::assemble::{Payload, Spec};
use packhouse_package::together::{self, write_all};
use packhouse_package::{Format, Package, Resources};
use packhouse_project::{Plan, TargetPlan};
use packhouse_publish::Sha256;
use tokio::sync::Semaphore;

use super::engine::Engines;
use super::manifest::{self, Built, Manifest};
use super::{Event, OnEvent, Stage, UsageError};
use crate::environment::Environment;

/// What a user can say about a build.
#[derive(Clone, Debug, Default)]
pub struct BuildOptions {
    /// A staged tree to package instead of building.
    pub payload: Option<PathBuf>,
    /// How many targets are worked on at a time.
    pub at_a_time: Option<NonZeroUsize>,
    /// Leaves the private copy of a failed build in place, or keeps its container as an image.
    pub keep_failed: bool,
    /// Keeps the directories that the project calls caches between builds in containers.
    pub keep_caches: bool,
    /// Builds base images that the engine does not have.
    pub build_base: bool,
}

/// A target that could not be built or packaged.
#[derive(Debug)]
pub struct Failure {
    /// Which one.
    pub target: String,
    /// Why.
    pub error: Arc<anyhow::Error>,
}

/// What a build did.
#[derive(Debug)]
pub struct BuildReport {
    /// The packages of this build.
    pub built: Vec<Built>,
    /// The targets that failed.
    pub failures: Vec<Failure>,
}

impl BuildOptions {
    /// How many targets are worked on at a time: as the user says, else one for each processor.
    pub fn at_a_time(&self, plan: &Plan) -> usize {
        let processors = || std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        match plan.targets.len() {
            0 | 1 => 1,
            count => self.at_a_time.map_or_else(processors, NonZeroUsize::get).min(count),
        }
    }
}

/// Builds and packages the plan's targets.
///
/// # Errors
/// When nothing can be built at all; a failure of single targets is in the report.
pub async fn build(
    plan: &Plan,
    source: &Source,
    options: &BuildOptions,
    environment: &Environment,
    on_event: OnEvent<'_>,
) -> Result<BuildReport> {
    check(options)?;
    check_manifest(plan)?;
    let mut changes = Changes::ask(plan, source)?;
    if options.payload.is_none() {
        changes.tell(on_event)?;
    }
    let output = manifest::prepare(&plan.root)?;
    let at_a_time = options.at_a_time(plan);
    let workers = Workers {
        plan,
        source,
        options,
        output: &output,
        engines: Engines::open(plan, options, environment, on_event).await?,
        permits: Semaphore::new(at_a_time),
        writer: Semaphore::new(1),
        on_event,
    };
    let mut groups: BTreeMap<&Job, Vec<&TargetPlan>> = BTreeMap::new();
    for target in &plan.targets {
        groups.entry(&target.job).or_default().push(target);
    }
    let groups = match options.payload {
        // Whatever their jobs are, nothing is built.
        Some(_) => vec![plan.targets.iter().collect()],
        None => groups.into_values().collect(),
    };
    let results = join_all(groups.into_iter().map(|targets: Vec<_>| workers.group(targets))).await;

    let mut report = BuildReport { built: Vec::new(), failures: Vec::new() };
    for result in results.into_iter().flatten() {
        match result {
            Ok(built) => report.built.push(built),
            Err(failure) => report.failures.push(failure),
        }
    }
    // Beside the writing of a small package, Git has had the time that it takes.
    let is_dirty = changes.tell(on_event)?;
    report.built.iter_mut().for_each(|built| built.dirty = is_dirty);
    report.built.sort_by(|a, b| a.target.cmp(&b.target));
    report.failures.sort_by(|a, b| a.target.cmp(&b.target));
    record(plan, &report.built)?;
    Ok(report)
}

/// Whether the working tree has changes, told once.
enum Changes {
    Asked(AskedChanges),
    Told(bool),
}

impl Changes {
    fn ask(plan: &Plan, source: &Source) -> Result<Changes> {
        Ok(match plan.revision {
            Some(_) => Changes::Asked(source.ask_changes()?),
            None => Changes::Told(false),
        })
    }

    fn tell(&mut self, on_event: OnEvent<'_>) -> Result<bool> {
        let is_dirty = match std::mem::replace(self, Changes::Told(false)) {
            Changes::Told(is_dirty) => is_dirty,
            Changes::Asked(asked) => {
                let is_dirty = asked.answer()?;
                if is_dirty {
                    let message = "the working tree has changes that are in no commit; the packages are tagged with \
                                   the commit all the same, and a site refuses other bytes under a published name";
                    on_event(Event::Notice { message: message.into() });
                }
                is_dirty
            }
        };
        *self = Changes::Told(is_dirty);
        Ok(is_dirty)
    }
}

fn check(options: &BuildOptions) -> Result<()> {
    match &options.payload {
        Some(payload) if !payload.is_dir() => {
            let message = format!("--payload {} is not a directory", payload.display());
            Err(UsageError::new(message, "name a tree that is laid out as it will be installed").into())
        }
        _ => Ok(()),
    }
}

/// Refuses to write a package over that of another target or architecture, as those built one after the other could.
fn check_manifest(plan: &Plan) -> Result<()> {
    let Some(manifest) = Manifest::read(&plan.root)? else { return Ok(()) };
    for target in &plan.targets {
        let (name, arch) = (target.target.to_string(), target.spec.metadata.arch.uname());
        // One that this run builds anew gets another file.
        let is_planned = |other: &Built| {
            let is_other = |target: &TargetPlan| {
                target.target.to_string() == other.target && target.spec.metadata.arch.uname() == other.arch
            };
            plan.targets.iter().any(is_other)
        };
        let has_name = |built: &&Built| built.file == target.file_name && !is_planned(built);
        let Some(other) = manifest.packages.iter().find(has_name) else { continue };
        let error = if other.target == name {
            UsageError::new(
                format!(
                    "the package of {name} for {arch} would replace that for {}: both are `{}`",
                    other.arch, other.file
                ),
                format!(
                    "file names of {} carry no architecture: release one, remove pkg/, and release the other to a \
                     site of its own with --to",
                    other.format
                ),
            )
        } else {
            UsageError::new(
                format!(
                    "the package of {name} would replace that of {}: both are `{}`",
                    other.target, other.file
                ),
                "put {target} into [version] format of dist/packhouse.toml",
            )
        };
        return Err(error.into());
    }
    Ok(())
}

/// Enters the packages into the manifest and removes those that they replace.
fn record(plan: &Plan, built: &[Built]) -> Result<()> {
    let replaced = Manifest::update(&plan.root, &plan.name, |manifest| {
        let mut replaced = Vec::new();
        for package in built {
            let old = manifest.put(package.clone());
            replaced.extend(old.filter(|old| old.file != package.file));
        }
        replaced
    })?;
    for old in replaced {
        let directory = manifest::directory(&plan.root);
        // A signature may be there that a run which was killed did not enter.
        for name in
            old.files().map(str::to_owned).chain([format!("{}.asc", old.file), format!("{}.sig", old.file)])
        {
            match fs::remove_file(directory.join(name)) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
                _ => {}
            }
        }
    }
    Ok(())
}

struct Workers<'a> {
    plan: &'a Plan,
    source: &'a Source,
    options: &'a BuildOptions,
    output: &'a Path,
    engines: Engines,
    permits: Semaphore,
    /// One package is written at a time: a compressor uses every processor by itself, and two of them would
    /// need twice the memory (see [`Resources`]).
    writer: Semaphore,
    on_event: OnEvent<'a>,
}

impl Workers<'_> {
    /// Builds targets that share a job, and packages each.
    async fn group(&self, targets: Vec<&TargetPlan>) -> Vec<Result<Built, Failure>> {
        let workspace = match &self.options.payload {
            Some(_) => Ok(None),
            None => self.run(&targets).await.map(Some),
        };
        match workspace {
            Ok(workspace) => {
                let took = workspace.as_ref().map(|(_, took)| *took);
                for target in &targets {
                    self.tell(target, Stage::Built { took });
                }
                let root = match (&workspace, &self.options.payload) {
                    (Some((workspace, _)), _) => Payload::Build(workspace.path().into()),
                    (None, Some(tree)) => Payload::Staged(tree.clone()),
                    (None, None) => unreachable!("either a workspace or a staged tree is there"),
                };
                self.package(&targets, &root).await
            }
            Err((error, took)) => {
                let error = Arc::new(error);
                let fail = |target: &&TargetPlan| {
                    let message = format!("{error:#}");
                    self.tell(target, Stage::Failed { error: message, took: Some(took) });
                    Err(Failure { target: target.target.to_string(), error: error.clone() })
                };
                targets.iter().map(fail).collect()
            }
        }
    }

    /// Runs the targets' job, and tells how long it took.
    async fn run(&self, targets: &[&TargetPlan]) -> Result<(Workspace, Duration), (anyhow::Error, Duration)> {
        let _permit = self.permits.acquire().await.expect("nobody closes the semaphore");
        let started = Instant::now(); // waiting for one's turn is not building
        let result = self.run_now(targets).await;
        let took = started.elapsed();
        result.map(|workspace| (workspace, took)).map_err(|error| (error, took))
    }

    async fn run_now(&self, targets: &[&TargetPlan]) -> Result<Workspace> {
        let log = |target: &TargetPlan| manifest::log(self.output, &target.target.to_string());
        let first = targets[0];
        let on_event = |event: packhouse_build::Event| {
            let activity = match event {
                packhouse_build::Event::Waiting => "waiting for another build of the same".to_owned(),
                packhouse_build::Event::Copying => "copying the source".to_owned(),
                packhouse_build::Event::Image { activity } => activity,
                packhouse_build::Event::Command { command, .. } => command,
                packhouse_build::Event::Collecting => "collecting the results".to_owned(),
                packhouse_build::Event::Notice { message } => {
                    return (self.on_event)(Event::Notice { message });
                }
                _ => return,
            };
            self.tell(first, Stage::Building { activity });
        };
        for target in &targets[1..] {
            // One build, told once.
            self.tell(target, Stage::Building { activity: format!("with {}", first.target) });
        }
        let result =
            self.engines.of(first.engine).run(&first.job, self.source, &log(first)?, &on_event).await;
        if matches!(result, Ok(_) | Err(packhouse_build::Error::Command { .. })) {
            for target in &targets[1..] {
                // The same build is each target's: its log is found under each name.
                fs::copy(log(first)?, log(target)?)?;
            }
        }
        Ok(result?)
    }

    /// Packages what one build left, for all its targets together: they share reading and compressing.
    async fn package(&self, targets: &[&TargetPlan], payload: &Payload) -> Vec<Result<Built, Failure>> {
        let _permit = self.writer.acquire().await.expect("nobody closes the semaphore");
        let started = Instant::now();
        for target in targets {
            self.tell(target, Stage::Packaging { format: target.format.get().name() });
        }
        let orders = targets.iter().map(|target| Order {
            format: target.format,
            spec: target.spec.clone(),
            path: self.output.join(&target.file_name),
        });
        let (orders, payload): (Vec<Order>, _) = (orders.collect(), payload.clone());
        let written = tokio::task::spawn_blocking(move || write_packages(&orders, &payload)).await;
        let written = written.unwrap_or_else(|_| {
            targets.iter().map(|_| Err(anyhow::anyhow!("packaging was given up"))).collect()
        });
        let tell = |(target, written): (&&TargetPlan, Result<(Sha256, u64)>)| match written {
            Ok((sha256, size)) => {
                let compression = target.spec.options.compression;
                self.tell(
                    target,
                    Stage::Packaged {
                        format: target.format.get().name(),
                        file: target.file_name.clone(),
                        size,
                        compression: compression.map_or("none", |compression| compression.name()).to_owned(),
                    },
                );
                Ok(self.built(target, size, sha256))
            }
            Err(error) => {
                let message = format!("{error:#}");
                self.tell(target, Stage::Failed { error: message, took: Some(started.elapsed()) });
                Err(Failure { target: target.target.to_string(), error: Arc::new(error) })
            }
        };
        targets.iter().zip(written).map(tell).collect()
    }

    fn built(&self, target: &TargetPlan, size: u64, sha256: Sha256) -> Built {
        let plan = self.plan;
        Built {
            target: target.target.to_string(),
            distribution: target.target.distribution.clone(),
            distribution_version: target.target.version.clone(),
            arch: target.spec.metadata.arch.uname().to_owned(),
            format: target.format.get().name().to_owned(),
            version: target.tag.version.clone(),
            package_version: target.spec.metadata.version.version.clone(),
            built: target.tag.built.clone(),
            time: plan.time.as_unix(),
            revision: target.tag.revision.clone().unwrap_or_default(),
            dirty: false, // `build` knows
            channel: plan.channel.clone(),
            file: target.file_name.clone(),
            size,
            sha256: sha256.to_string(),
            unsigned_sha256: None,
            signature: None,
            native_signature: None,
        }
    }

    fn tell(&self, target: &TargetPlan, stage: Stage) {
        (self.on_event)(Event::Target { target: target.target.to_string(), stage });
    }
}

/// A package that is to be written.
struct Order {
    format: Format,
    spec: Spec,
    path: PathBuf,
}

/// Writes packages beside their places, then puts each there, so that `pkg/` never holds half of one.
fn write_packages(orders: &[Order], payload: &Payload) -> Vec<Result<(Sha256, u64)>> {
    let begin = |order: &Order| -> Result<(Package, fs::File)> {
        let package = Package::assemble(&order.spec, payload)?;
        let mut options = fs::OpenOptions::new();
        options.read(true).write(true).create(true).truncate(true);
        Ok((package, options.open(manifest::unfinished(&order.path))?))
    };
    let mut begun: Vec<Result<(Package, fs::File)>> = orders.iter().map(begin).collect();
    let jobs = orders.iter().zip(&mut begun).filter_map(|(order, begun)| {
        let (package, out) = begun.as_mut().ok()?;
        Some(together::Job { format: order.format, package, out })
    });
    let mut written = write_all(jobs.collect(), Resources::all()).0.into_iter();
    let end = |(order, begun): (&Order, Result<(Package, fs::File)>)| {
        let result = begun.and_then(|_| {
            written.next().unwrap_or(Ok(()))?;
            put_in_place(&order.path)
        });
        if result.is_err() {
            let _ = fs::remove_file(manifest::unfinished(&order.path));
        }
        result
    };
    orders.iter().zip(begun).map(end).collect()
}

/// Its bytes are read once more, from the page cache: what precedes the payload is written last, so that the
/// digest of all cannot be had in passing.
///
/// Nobody waits for the disk. What a power failure leaves of a package is not what the manifest has the digest of,
/// which shows when it is signed and when it is published.
fn put_in_place(path: &Path) -> Result<(Sha256, u64)> {
    let unfinished = manifest::unfinished(path);
    let written = Sha256::of_reader(fs::File::open(&unfinished)?)?;
    // The same package again is left alone, times and all: nothing has to be signed or uploaded anew.
    if path.is_file() && Sha256::of_reader(fs::File::open(path)?)? == written {
        fs::remove_file(&unfinished)?;
    } else {
        fs::rename(&unfinished, path)?;
    }
    Ok(written)
}

//! Which engine builds what, and what it needs from this machine before it can.

use std::collections::BTreeMap;
use std::io::Read as _;

use anyhow::{Context as _, Result};
use fs_err as fs;
use packhouse_build::engine::container::Containers;
use packhouse_build::engine::host::Host;
use packhouse_build::engine::{Engine, EngineOptions};
use packhouse_build::{Client, Secret, SecretSource};
use packhouse_package::Arch;
use packhouse_project::{EngineName, Plan};

use super::base::{self, BaseOptions};
use super::{BuildOptions, OnEvent, PlanOptions, Planned, UsageError};
use crate::environment::Environment;

/// The largest secret: what is larger is another file by mistake.
const LARGEST_SECRET: u64 = 1024 * 1024;

/// The engines of a plan's targets, ready to build.
pub(super) struct Engines(Vec<(EngineName, Box<dyn Engine>)>);

/// The program that drives a container engine; `None` for this machine.
pub(super) fn client(engine: EngineName, environment: &Environment) -> Option<Client> {
    let variables = || environment.variables().to_vec();
    match engine {
        EngineName::Host => None,
        EngineName::Docker => Some(Client::docker(variables())),
        EngineName::Podman => Some(Client::podman(variables())),
    }
}

impl Engines {
    /// Opens the engine of each target, and looks whether it can build.
    pub(super) async fn open(
        plan: &Plan,
        options: &BuildOptions,
        environment: &Environment,
        on_event: OnEvent<'_>,
    ) -> Result<Engines> {
        let mut engines: Vec<(EngineName, Box<dyn Engine>)> = Vec::new();
        if options.payload.is_some() {
            return Ok(Engines(engines));
        }
        let secrets = secrets(plan, environment)?;
        let engine_options = EngineOptions {
            scratch: environment.scratch(),
            time: plan.time.as_unix(),
            keep_failed: options.keep_failed,
        };
        for name in plan.targets.iter().map(|target| target.engine) {
            if engines.iter().any(|(known, _)| *known == name) {
                continue;
            }
            let engine: Box<dyn Engine> = match client(name, environment) {
                None if options.keep_caches => {
                    let help = "build in a container with --engine docker, or leave --cache out";
                    return Err(UsageError::new(format!("builds on the {name} have no caches"), help).into());
                }
                None => Box::new(Host {
                    options: engine_options.clone(),
                    environment: environment.variables().to_vec(),
                }),
                Some(client) => Box::new(Containers {
                    client,
                    options: engine_options.clone(),
                    now: environment.now.as_second(),
                    keep_caches: options.keep_caches,
                    secrets: secrets.clone(),
                }),
            };
            engine.check().await?;
            engines.push((name, engine));
        }
        if options.build_base {
            build_missing(plan, options, environment, on_event).await?;
        }
        Ok(Engines(engines))
    }

    /// The engine called `name`.
    pub(super) fn of(&self, name: EngineName) -> &dyn Engine {
        let found = self.0.iter().find(|(known, _)| *known == name);
        found.expect("every target's engine was opened").1.as_ref()
    }
}

/// Resolves a release that is going to be built: without `--arch` it is for what the base image is for, or the
/// engine where no image is there yet.
///
/// # Errors
/// As [`plan`](super::plan), and when an engine does not answer.
pub async fn plan_build(
    options: &PlanOptions,
    build: &BuildOptions,
    environment: &Environment,
) -> Result<Planned> {
    let mut planned = super::plan(options, environment)?;
    if build.payload.is_some() {
        return Ok(planned);
    }
    let is_container = |plan: &Plan| plan.targets.iter().find(|it| it.engine.is_container()).cloned();
    let Some(target) = is_container(&planned.plan) else { return Ok(planned) };
    let Some(client) = client(target.engine, environment) else { return Ok(planned) };
    let named = options.arch.filter(|arch| *arch != Arch::Noarch);
    if named.is_none() {
        let own = match client.image(&target.base_image.latest()).await {
            Ok(Some(image)) => image.processor,
            // Asked anew: an engine that is away is told of in its own words.
            _ => client.info().await?.platform.split('/').nth(1).unwrap_or_default().to_owned(),
        };
        let arch = arch(&own).with_context(|| format!("the engine's processor `{own}` is unknown"))?;
        if options.arch.is_none() && arch != target.arch {
            planned = super::plan(&PlanOptions { arch: Some(arch), ..options.clone() }, environment)?;
        }
        for target in &mut planned.plan.targets {
            if let Some(container) = &mut target.job.container {
                container.platform.name = format!("linux/{own}");
            }
        }
    } else {
        for target in &mut planned.plan.targets {
            if let Some(container) = &mut target.job.container {
                container.platform.is_named = true;
            }
        }
    }
    Ok(planned)
}

/// The architecture that Go's word for a processor means.
fn arch(processor: &str) -> Option<Arch> {
    match processor {
        "386" => Some(Arch::I686),
        "arm" => Some(Arch::Armv7),
        other => Arch::parse(other),
    }
}

/// The values of all secrets that the plan's builds may read.
fn secrets(plan: &Plan, environment: &Environment) -> Result<BTreeMap<SecretSource, Secret>> {
    let mut values = BTreeMap::new();
    let containers = plan.targets.iter().filter_map(|target| target.job.container.as_ref());
    for (name, source) in containers.flat_map(|container| &container.secrets) {
        let missing = |reason: String, help: String| {
            UsageError::new(format!("the secret `{name}` has no value: {reason}"), help)
        };
        let value = match source {
            SecretSource::Variable(variable) => environment
                .get(variable)
                .map(|value| value.as_bytes().to_vec())
                .ok_or_else(|| missing(format!("{variable} is not set"), format!("set {variable}")))?,
            SecretSource::File(path) => {
                let read = || {
                    let mut value = Vec::new();
                    // Its size is what can be read, whatever it is: a pipe has none.
                    fs::File::open(path)?.take(LARGEST_SECRET + 1).read_to_end(&mut value)?;
                    match value.len() as u64 > LARGEST_SECRET {
                        true => Err(std::io::Error::other(format!("{} is too large", path.display()))),
                        false => Ok(value),
                    }
                };
                let help = "put it there, or change `secrets` in [build] of dist/packhouse.toml";
                read().map_err(|error| missing(error.to_string(), help.into()))?
            }
        };
        values.insert(source.clone(), Secret::new(value));
    }
    Ok(values)
}

/// Builds the base images that the engine does not have.
async fn build_missing(
    plan: &Plan,
    options: &BuildOptions,
    environment: &Environment,
    on_event: OnEvent<'_>,
) -> Result<()> {
    let mut missing = plan.clone();
    missing.targets.clear();
    for target in &plan.targets {
        let Some(client) = client(target.engine, environment) else { continue };
        if client.image(&target.base_image.latest()).await?.is_none() {
            missing.targets.push(target.clone());
        }
    }
    if missing.targets.is_empty() {
        return Ok(());
    }
    let options = BaseOptions { at_a_time: options.at_a_time, ..BaseOptions::default() };
    let report = base::base(&missing, &options, environment, on_event).await?;
    match report.failures.into_iter().next() {
        // The rest would fail in the same way; each has its log.
        Some(failure) => Err(anyhow::Error::new(failure.error).context("no base image, no build")),
        None => Ok(()),
    }
}

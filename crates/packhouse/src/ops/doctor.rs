//! What this machine has and lacks for a release.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::Result;
use packhouse_build::{registry, source};
use packhouse_project::{EngineName, Plan};
use packhouse_publish::{ConditionalWrites, Store};
use serde::Serialize;

use super::{Keys, PlanOptions, engine, find_project, plan};
use crate::environment::{Environment, SIGNING_KEY};

/// With less, a build is likely to fail half-way.
const LITTLE_SPACE: u64 = 2 * 1000 * 1000 * 1000;

/// A day in seconds.
const DAY: i64 = 24 * 60 * 60;

/// Something that was looked at.
#[derive(Clone, Debug, Serialize)]
pub struct Check {
    /// What, as in `engine`.
    pub name: String,
    /// How it is.
    pub state: State,
    /// What was found.
    pub found: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// As it should be.
    Ok,
    /// A release may go through all the same.
    Warning,
    /// A release fails without it.
    Missing,
}

impl Check {
    fn ok(name: &str, found: impl Into<String>) -> Check {
        Check { name: name.into(), state: State::Ok, found: found.into(), help: None }
    }

    fn warning(name: &str, found: impl Into<String>, help: impl Into<String>) -> Check {
        Check { name: name.into(), state: State::Warning, found: found.into(), help: Some(help.into()) }
    }

    fn missing(name: &str, error: &anyhow::Error) -> Check {
        let help = crate::output::help(error);
        Check { name: name.into(), state: State::Missing, found: format!("{error:#}"), help }
    }
}

/// Looks at everything that a release of the project needs; without a project at what any would.
///
/// # Errors
/// When not even the project's directory can be found.
pub async fn doctor(options: &PlanOptions, environment: &Environment) -> Result<Vec<Check>> {
    let root = find_project(options.project.as_deref(), environment)?;
    let mut checks = vec![git()];
    let planned = match root.join(packhouse_project::PROJECT_FILE).is_file() {
        true => plan(options, environment).map(|planned| Some(planned.plan)),
        false => Ok(None),
    };
    let plan = match planned {
        Ok(Some(plan)) => {
            let targets = match plan.targets.len() {
                1 => "1 target".to_owned(),
                count => format!("{count} targets"),
            };
            checks.push(Check::ok("project", format!("{} {}, {targets}", plan.name, plan.version)));
            Some(plan)
        }
        Ok(None) => {
            let help = "`packhouse init` writes one, -C names one";
            checks.push(Check::warning("project", format!("there is none in {}", root.display()), help));
            None
        }
        Err(error) => {
            let mut check = Check::missing("project", &error);
            check.help = check.help.or(Some("`packhouse build --all` shows each with its line".into()));
            checks.push(check);
            None
        }
    };
    engines(plan.as_ref(), environment, &mut checks).await;
    if let Some(plan) = &plan {
        registries(plan, &mut checks).await;
        checks.push(key(plan, environment));
        checks.extend(bucket(plan, environment).await);
    }
    checks.push(disk("disk for builds", &environment.scratch()));
    if plan.is_some() {
        checks.push(disk("disk for packages", &root));
    }
    checks.push(clock(plan.as_ref(), environment));
    Ok(checks)
}

fn git() -> Check {
    match source::git_version() {
        Ok(version) => Check::ok("git", version),
        Err(error) => Check::missing("git", &error.into()),
    }
}

/// The engines that the project builds with, and the base images that they have; without a project Docker, which
/// nothing needs then.
async fn engines(plan: Option<&Plan>, environment: &Environment, checks: &mut Vec<Check>) {
    let named: BTreeMap<&str, EngineName> = match plan {
        Some(plan) => plan.targets.iter().map(|it| (it.engine.name(), it.engine)).collect(),
        None => BTreeMap::from([("docker", EngineName::Docker)]),
    };
    for (name, engine) in named {
        let Some(client) = engine::client(engine, environment) else {
            checks.push(Check::ok("engine", "host: this machine"));
            continue;
        };
        match client.info().await {
            Ok(info) => {
                checks.push(Check::ok("engine", format!("{name} {}, {}", info.version, info.platform)));
                let targets = plan.iter().flat_map(|plan| &plan.targets);
                let mut images = Vec::new();
                for target in targets.filter(|target| target.engine == engine) {
                    checks.push(base_image(&client, target, environment).await);
                    images.push(target.base_image.latest());
                }
                checks.extend(engine_disk(&client, &images).await);
            }
            Err(error) => {
                let mut check = Check::missing("engine", &error.into());
                if plan.is_none() {
                    check.state = State::Warning;
                }
                checks.push(check);
            }
        }
    }
}

async fn base_image(
    client: &packhouse_build::Client,
    target: &packhouse_project::TargetPlan,
    environment: &Environment,
) -> Check {
    let (name, reference) = (format!("base image of {}", target.target), target.base_image.latest());
    let image = client.image(&reference).await;
    let digest = target.base_image.dockerfile_digest();
    let target = &target.target;
    match (image, digest) {
        (Ok(Some(image)), Ok(digest)) if image.is_older_than(&digest) => {
            let help = format!("`packhouse base {target}` builds it anew");
            Check::warning(&name, format!("{reference} was built from another Dockerfile"), help)
        }
        (Ok(Some(image)), Ok(_)) => {
            let days = image.days_old(environment.now.as_second()).unwrap_or(0);
            let found = format!("{reference}, {days} days old");
            match days {
                0..=7 => Check::ok(&name, found),
                _ => Check::warning(
                    &name,
                    found,
                    format!("`packhouse base {target} --refresh` builds it with today's packages"),
                ),
            }
        }
        (Ok(None), Ok(_)) => {
            let help = format!("a build pulls it; `packhouse base {target}` builds it");
            Check::warning(&name, format!("{reference} is not in the engine"), help)
        }
        (Err(error), _) | (_, Err(error)) => Check::missing(&name, &error.into()),
    }
}

/// The space that the engine has for containers: asked of one, made from the first of `images` that is there.
async fn engine_disk(client: &packhouse_build::Client, images: &[String]) -> Option<Check> {
    let name = format!("disk of {}", client.name());
    for reference in images {
        let Ok(Some(image)) = client.image(reference).await else { continue };
        return Some(match client.free_space(&image.id).await {
            Ok(free) => {
                space(&name, free, "for containers", "make room: `docker system df` shows what takes it")
            }
            Err(error) => Check::warning(&name, error.to_string(), "look at it where the engine runs"),
        });
    }
    None
}

/// How much is free somewhere, and what to do when that is little.
fn space(name: &str, free: u64, place: &str, fix: &str) -> Check {
    let found = format!("{} free {place}", crate::output::size(free));
    match free < LITTLE_SPACE {
        true => Check::warning(name, found, fix),
        false => Check::ok(name, found),
    }
}

async fn registries(plan: &Plan, checks: &mut Vec<Check>) {
    let used = plan.targets.iter().filter(|it| it.engine.is_container() && !it.base_image.is_local);
    let hosts: BTreeSet<String> = used.map(|it| registry::host(&it.base_image.repository)).collect();
    for host in hosts {
        checks.push(match registry::reach(&host).await {
            Ok(()) => Check::ok("registry", format!("{host} answers this machine")),
            Err(error) => Check::warning(
                "registry",
                format!("{host} does not answer this machine: {error}"),
                "base images can be pulled and pushed only if the engine reaches it",
            ),
        });
    }
}

fn key(plan: &Plan, environment: &Environment) -> Check {
    if plan.signing_key.is_none() && environment.get(SIGNING_KEY).is_none() {
        let to = plan.publish_to.as_deref().unwrap_or_default();
        return match to.contains("://") && !to.starts_with("file://") {
            true => Check {
                name: "key".into(),
                state: State::Missing,
                found: "no key signs the packages".into(),
                help: Some(format!(
                    "name one in [sign] of dist/packhouse.toml, or put it into ${SIGNING_KEY}"
                )),
            },
            false => Check::warning(
                "key",
                "this machine's development key signs",
                "name your own in [sign] of dist/packhouse.toml before customers trust it",
            ),
        };
    }
    match Keys::open(plan, false, environment, &|_| {}) {
        Ok(keys) => Check::ok("key", keys.signer.certificate().fingerprint().grouped()),
        Err(error) => Check::missing("key", &error),
    }
}

/// The bucket that the project publishes to: whether it answers, and keeps the conditions of writes. A bucket that
/// was not asked before is written to, below `.packhouse/`.
async fn bucket(plan: &Plan, environment: &Environment) -> Option<Check> {
    let to = plan.publish_to.as_deref()?;
    let is_bucket = to.contains("://") && !to.to_ascii_lowercase().starts_with("file://");
    if !is_bucket {
        return None;
    }
    let asked = async {
        let store = Store::open(to, &plan.root, &environment.access())?;
        Ok::<_, packhouse_publish::Error>((store.name(), store.conditional_writes().await?))
    };
    Some(match asked.await {
        Ok((name, ConditionalWrites::Honoured)) => {
            Check::ok("bucket", format!("{name}, with conditional writes"))
        }
        Ok((name, ConditionalWrites::Ignored { what })) => Check::warning(
            "bucket",
            format!("{name} has no conditional writes: {what}"),
            "publish with --single-writer, and never from two places at once",
        ),
        Err(error) => Check::missing("bucket", &error.into()),
    })
}

/// The space where `path` is, or will be.
fn disk(name: &str, path: &Path) -> Check {
    let there = path.ancestors().find(|path| path.is_dir()).unwrap_or(Path::new("/"));
    match rustix::fs::statvfs(there) {
        Ok(found) => {
            let free = found.f_bavail.saturating_mul(found.f_frsize);
            let place = format!("in {}", there.display());
            space(name, free, &place, "make room, or set TMPDIR to another disk")
        }
        Err(error) => Check::warning(name, format!("{}: {error}", there.display()), "look at it with `df`"),
    }
}

fn clock(plan: Option<&Plan>, environment: &Environment) -> Check {
    let now = environment.now.as_second();
    let shown = environment.now.strftime("%Y-%m-%d %H:%M UTC").to_string();
    let commit = plan.and_then(|plan| plan.revision.as_ref()).map(|revision| revision.time);
    match commit {
        // Signatures of a clock that is behind are refused by whoever has the right time.
        Some(commit) if commit > now + DAY => Check::warning(
            "clock",
            format!("it is {shown}, and the last commit is of a later day"),
            "set the clock: signatures carry its time",
        ),
        _ => Check::ok("clock", shown),
    }
}

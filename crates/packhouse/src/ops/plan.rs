//! Finds a project, looks at its source, and resolves a release.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use packhouse_build::Source;
use packhouse_package::{Arch, Timestamp};
use packhouse_project::channel::Reference;
use packhouse_project::{EngineName, Facts, Plan, Project, Selection};

use super::UsageError;
use crate::environment::{Environment, GITHUB_REF, SOURCE_DATE_EPOCH};

/// What a user can say about a plan.
#[derive(Clone, Debug)]
pub struct PlanOptions {
    /// The project, or a directory in it.
    pub project: Option<PathBuf>,
    /// Which targets.
    pub selection: Selection,
    /// The channel, instead of the branch's.
    pub channel: Option<String>,
    /// The engine, instead of the project's.
    pub engine: Option<EngineName>,
    /// The architecture, instead of this machine's.
    pub arch: Option<Arch>,
    /// The site, instead of the project's.
    pub to: Option<String>,
}

impl PlanOptions {
    /// Every target of a project, as the project says.
    pub fn whole(project: Option<PathBuf>) -> PlanOptions {
        let selection = Selection::All;
        PlanOptions { project, selection, channel: None, engine: None, arch: None, to: None }
    }
}

/// A plan and the source it is about.
pub struct Planned {
    /// What will be done.
    pub plan: Plan,
    /// What it will be done with.
    pub source: Source,
}

/// The project that `directory` (or the current one) is in: the nearest that has a `dist/packhouse.toml`; the
/// directory itself when none has.
///
/// # Errors
/// When the directory does not exist.
pub fn find_project(directory: Option<&Path>, environment: &Environment) -> Result<PathBuf> {
    let start = environment.current_directory.join(directory.unwrap_or(Path::new("")));
    let start = fs_err::canonicalize(&start)
        .map_err(|error| UsageError::new(error.to_string(), "name the project's directory with -C"))?;
    let is_project = |directory: &&Path| directory.join(packhouse_project::PROJECT_FILE).is_file();
    // Named with -C it is meant as it is.
    let found =
        if directory.is_some() { None } else { start.ancestors().find(is_project).map(Path::to_owned) };
    Ok(found.unwrap_or(start))
}

/// Resolves a release.
///
/// # Errors
/// [`packhouse_project::Problems`] of the project's tree, and Git's.
pub fn plan(options: &PlanOptions, environment: &Environment) -> Result<Planned> {
    let root = find_project(options.project.as_deref(), environment)?;
    let source = Source::open(&root)?;
    // Git takes about as long as reading does.
    let asked = source.ask_revision()?;
    let project = Project::read(&root);
    let mut revision = asked.answer()?;
    if let Some(revision) = revision.as_mut().filter(|_| project.wants_tag()) {
        revision.tag = source.tag();
    }
    let facts = Facts {
        time: time(environment, revision.as_ref().map(|revision| revision.time))?,
        revision,
        reference: environment.get(GITHUB_REF).map(Reference::parse),
        channel: options.channel.clone(),
        arch: match options.arch {
            Some(arch) => arch,
            None => machine()?,
        },
        engine: options.engine,
        publish_to: options.to.clone(),
    };
    let plan = project.plan(&options.selection, &facts)?;
    Ok(Planned { plan, source })
}

/// `SOURCE_DATE_EPOCH`, else the commit's time, so that the same commit gives the same bytes; outside Git now.
fn time(environment: &Environment, commit: Option<i64>) -> Result<Timestamp> {
    let (seconds, from) = match (environment.get(SOURCE_DATE_EPOCH), commit) {
        (Some(text), _) => (text.parse().ok(), SOURCE_DATE_EPOCH),
        (None, Some(commit)) => (Some(commit), "the commit's time"),
        (None, None) => (Some(environment.now.as_second()), "the clock"),
    };
    let time = seconds.and_then(Timestamp::from_unix).ok_or_else(|| {
        let help = "set it to Unix seconds between 1970 and 2106, as `git log -1 --format=%ct` prints them";
        UsageError::new(format!("{from} is not a time that packages can carry"), help)
    })?;
    Ok(time)
}

fn machine() -> Result<Arch> {
    let name = rustix::system::uname();
    let machine = name.machine().to_str().context("uname is not UTF-8")?;
    let known = Arch::parse(machine);
    known.ok_or_else(|| {
        let help = "name the architecture to build for with --arch";
        UsageError::new(
            format!("this machine's architecture `{machine}` is not one that Packhouse knows"),
            help,
        )
        .into()
    })
}

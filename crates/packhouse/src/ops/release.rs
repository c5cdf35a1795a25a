//! The whole job: build, package, sign, publish.

use anyhow::Result;
use packhouse_build::Source;
use packhouse_project::Plan;

use super::build::Failure;
use super::publish::{self, Site};
use super::{
    BuildOptions, BuildReport, Keys, OnEvent, PublishOptions, PublishReport, build, check_targets,
    sign_manifest,
};
use crate::environment::Environment;

/// What a user can say about a release.
#[derive(Clone, Debug)]
pub struct ReleaseOptions {
    /// How it is built.
    pub build: BuildOptions,
    /// How it is published.
    pub publish: PublishOptions,
    /// Publishes what succeeded although a target failed.
    pub keep_going: bool,
}

/// What a release did.
#[derive(Debug)]
pub struct ReleaseReport {
    /// The targets that failed; with any, nothing was published unless the user said to keep going.
    pub failures: Vec<Failure>,
    /// What was published.
    pub published: Option<PublishReport>,
}

/// Why a release was not published: targets failed.
#[derive(Debug, thiserror::Error)]
#[error("nothing was published: {failed} of {count} targets failed")]
pub struct Unpublished {
    /// How many failed.
    pub failed: usize,
    /// Of how many.
    pub count: usize,
    /// How to go on.
    pub help: String,
}

/// Builds, packages, signs and publishes the plan's targets, which become visible together.
///
/// The site and the keys are opened first: a release does not build for an hour to learn that it cannot sign.
///
/// # Errors
/// When the release cannot begin, signing fails or publishing fails. Failed targets are in the report.
pub async fn release(
    plan: &Plan,
    source: &Source,
    options: &ReleaseOptions,
    environment: &Environment,
    on_event: OnEvent<'_>,
) -> Result<ReleaseReport> {
    let access = environment.access().single_writer(options.publish.single_writer);
    let site = Site::open(plan, &access)?;
    let keys = Keys::open(plan, site.is_local(), environment, on_event)?;
    check_targets(plan, &keys)?;
    let BuildReport { built, failures } = build(plan, source, &options.build, environment, on_event).await?;
    if built.is_empty() || (!failures.is_empty() && !options.keep_going) {
        return Ok(ReleaseReport { failures, published: None });
    }
    let finished = Plan {
        targets: plan
            .targets
            .iter()
            .filter(|target| built.iter().any(|built| built.target == target.target.to_string()))
            .cloned()
            .collect(),
        ..plan.clone()
    };
    let manifest = sign_manifest(&finished, &keys, environment.now.into(), on_event)?;
    let published =
        publish::manifest(&finished, &manifest, &site, &keys, &options.publish, environment, on_event)
            .await?;
    Ok(ReleaseReport { failures, published: Some(published) })
}

//! Applies retention, and keeps releases from it.

use anyhow::Result;
use packhouse_project::Plan;
use packhouse_publish::{PrunePlan, Retention, plan_prune, prune as prune_site};

use super::OnEvent;
use super::amend::{AmendOptions, Amended, OpenSite};
use super::publish::Site;
use crate::environment::Environment;

/// What is kept.
#[derive(Clone, Debug)]
pub struct PruneOptions {
    /// Which packages may go at all.
    pub what: AmendOptions,
    /// How many of each target, architecture and channel stay.
    pub keep: usize,
    /// For how many seconds after its publication a package stays.
    pub keep_for: i64,
    /// For how many seconds an object still lies there that nothing names any more.
    pub grace: i64,
}

impl PruneOptions {
    fn retention(&self) -> Retention {
        Retention {
            keep: self.keep,
            keep_for: self.keep_for,
            grace: self.grace,
            selection: self.what.selection(),
        }
    }
}

/// What [`prune`] would do; changes nothing.
///
/// # Errors
/// When the site cannot be read.
pub async fn prune_plan(plan: &Plan, options: &PruneOptions, environment: &Environment) -> Result<PrunePlan> {
    let site = Site::open(plan, &environment.access())?;
    Ok(plan_prune(site.store(), &options.retention(), environment.now.as_second()).await?)
}

/// Takes what is not kept out of the list of releases, and deletes what left it long enough ago.
///
/// # Errors
/// When the site cannot be read or changed; the same call again goes on.
pub async fn prune(
    plan: &Plan,
    options: &PruneOptions,
    environment: &Environment,
    on_event: OnEvent<'_>,
) -> Result<PrunePlan> {
    let site = OpenSite::new(plan, options.what.single_writer, environment, on_event)?;
    let renderer = site.renderer();
    let pruned = prune_site(
        site.site.store(),
        &plan.name,
        &options.retention(),
        site.now,
        |head, current| renderer.rendered(head, current),
        &|event| site.note(event),
    )
    .await;
    site.tell_cdn().await;
    Ok(pruned?.plan)
}

/// Keeps the packages of a release whatever the rules say, or no longer.
///
/// # Errors
/// When the site has no such release, or refuses.
pub async fn pin(
    plan: &Plan,
    options: &AmendOptions,
    pinned: bool,
    environment: &Environment,
    on_event: OnEvent<'_>,
) -> Result<Amended> {
    let site = OpenSite::new(plan, options.single_writer, environment, on_event)?;
    let selection = options.selection();
    site.amend(|head| head.pin(&selection, pinned)).await
}

//! Goes back to an earlier release.

use anyhow::Result;
use packhouse_project::Plan;

use super::OnEvent;
use super::amend::{AmendOptions, Amended, OpenSite};
use crate::environment::Environment;

/// Lets a channel's pointers name the packages of an earlier release; what is published later moves them on.
///
/// # Errors
/// When the channel has no such release, or the site refuses.
pub async fn roll_back(
    plan: &Plan,
    options: &AmendOptions,
    channel: &str,
    environment: &Environment,
    on_event: OnEvent<'_>,
) -> Result<Amended> {
    let site = OpenSite::new(plan, options.single_writer, environment, on_event)?;
    let selection = options.selection();
    site.amend(|head| head.roll_back(&selection, channel)).await
}

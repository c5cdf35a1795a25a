//! Withdraws a release, or offers a withdrawn one again.

use anyhow::Result;
use packhouse_project::Plan;

use super::OnEvent;
use super::amend::{AmendOptions, Amended, OpenSite};
use crate::environment::Environment;

/// Withdraws the packages of a release for a reason: no pointer names them, they are not published again, and the
/// list says why. Without a reason they are offered again.
///
/// # Errors
/// When the site has no such release, or refuses.
pub async fn yank(
    plan: &Plan,
    options: &AmendOptions,
    reason: Option<&str>,
    environment: &Environment,
    on_event: OnEvent<'_>,
) -> Result<Amended> {
    let site = OpenSite::new(plan, options.single_writer, environment, on_event)?;
    let selection = options.selection();
    let change = |head: &mut packhouse_publish::Head| match reason {
        Some(reason) => head.yank(&selection, reason, site.now),
        None => head.restore(&selection),
    };
    site.amend(change).await
}

//! Puts what one channel offers into another: the same bytes, new pointers.

use anyhow::Result;
use packhouse_project::Plan;

use super::OnEvent;
use super::amend::{AmendOptions, Amended, OpenSite};
use crate::environment::Environment;

/// Promotes the newest packages of the channel `from`, or those of a release, to the channel `to`.
///
/// # Errors
/// When there is nothing to promote, or the site refuses.
pub async fn promote(
    plan: &Plan,
    options: &AmendOptions,
    from: &str,
    to: &str,
    environment: &Environment,
    on_event: OnEvent<'_>,
) -> Result<Amended> {
    let site = OpenSite::new(plan, options.single_writer, environment, on_event)?;
    let selection = options.selection();
    site.amend(|head| head.promote(&selection, from, to)).await
}

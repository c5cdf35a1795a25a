//! Finishes what a publisher or a prune left that died, and renders everything anew that is derived from the list
//! of releases; tells the site's CDN to forget all that can change.

use anyhow::Result;
use packhouse_project::Plan;
use packhouse_publish::{ObjectPath, repair as repair_site};

use super::OnEvent;
use super::amend::OpenSite;
use crate::environment::Environment;

/// What was repaired.
#[derive(Clone, Debug)]
pub struct Repaired {
    /// Where the site is.
    pub to: String,
    /// Its generation.
    pub generation: u64,
    /// The objects that were written or removed.
    pub written: Vec<ObjectPath>,
    /// How many unfinished things of dead publishers were removed.
    pub leftovers: usize,
}

/// Repairs the plan's site.
///
/// # Errors
/// When the site cannot be read or written, nothing was published there, or its CDN cannot be told.
pub async fn repair(
    plan: &Plan,
    single_writer: bool,
    environment: &Environment,
    on_event: OnEvent<'_>,
) -> Result<Repaired> {
    let site = OpenSite::new(plan, single_writer, environment, on_event)?;
    let renderer = site.renderer();
    let repaired = repair_site(
        site.site.store(),
        &plan.name,
        site.now,
        |head, current| renderer.rendered(head, current),
        &|event| site.note(event),
    )
    .await;
    let (published, leftovers) = match repaired {
        Ok(repaired) => repaired,
        Err(error) => {
            site.tell_cdn().await;
            return Err(error.into());
        }
    };
    // Also what others changed and did not come to telling.
    site.changes.add_all(&published.head);
    site.changes.tell(site.site.cdn(), site.now).await?;
    Ok(Repaired {
        to: site.site.to().to_owned(),
        generation: published.head.generation,
        written: published.written,
        leftovers,
    })
}

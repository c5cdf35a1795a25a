//! Telling the CDN that serves a site what changed there.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use packhouse_publish::{CloudFront, Event as PublishEvent, Head, ObjectPath, Result, layout};

use super::{Event, OnEvent};

/// What an operation changed on a site under names that somebody may have asked for before. What is new under a name
/// that never changes is not among it.
#[derive(Default)]
pub(super) struct Changes(Mutex<Changed>);

#[derive(Clone, Default)]
struct Changed {
    paths: BTreeSet<ObjectPath>,
    generation: u64,
}

impl Changes {
    fn lock(&self) -> MutexGuard<'_, Changed> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers what `event` says was changed.
    pub(super) fn note(&self, event: &PublishEvent) {
        match event {
            PublishEvent::Committed { generation } => {
                let mut changed = self.lock();
                changed.generation = *generation;
                changed.paths.extend(ObjectPath::new(layout::HEAD));
            }
            PublishEvent::Replaced { path }
            | PublishEvent::PointerMoved { path, .. }
            | PublishEvent::PointerRemoved { path }
            | PublishEvent::Deleted { path } => {
                self.lock().paths.insert(path.clone());
            }
            _ => {}
        }
    }

    /// Adds everything that can change on a site: what an operation changed that died before it came to telling is
    /// not known any more.
    pub(super) fn add_all(&self, head: &Head) {
        let mut changed = self.lock();
        changed.generation = head.generation;
        let derived = [layout::HEAD].into_iter().chain(layout::DERIVED);
        changed.paths.extend(derived.filter_map(|name| ObjectPath::new(name).ok()));
        changed.paths.extend(head.pointers().into_iter().map(|pointer| pointer.path));
    }

    /// Tells the CDN, if there is one. `now`, in Unix seconds, tells apart operations that change the same without
    /// a new generation.
    ///
    /// # Errors
    /// When it cannot be told.
    pub(super) async fn tell(&self, cdn: Option<&CloudFront>, now: i64) -> Result<()> {
        let Some(cdn) = cdn else { return Ok(()) };
        let Changed { paths, generation } = self.lock().clone();
        cdn.forget(&paths, &format!("{generation}-{now}")).await
    }

    /// As [`Changes::tell`], for operations whose work is done by then: that the CDN could not be told is a
    /// warning.
    pub(super) async fn tell_or_warn(&self, cdn: Option<&CloudFront>, now: i64, on_event: OnEvent<'_>) {
        let Err(error) = self.tell(cdn, now).await else { return };
        let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
        let message = format!("the site has the new state, but {error}{cause}");
        on_event(Event::Warning { message, help: error.help() });
    }
}

//! What the operations have in common that change what a site offers, without building anything: the site is
//! opened, its head changed, and everything that is derived from it signed and rendered anew.

use std::collections::BTreeSet;
use std::sync::Mutex;

use anyhow::Result;
use packhouse_project::Plan;
use packhouse_publish::{Event as PublishEvent, Head, ObjectPath, Pointer, Selection, amend};

use super::cdn::Changes;
use super::publish::{Renderer, Site};
use super::{Keys, OnEvent};
use crate::environment::Environment;

/// Which packages of a site a change is about, and how.
#[derive(Clone, Debug, Default)]
pub struct AmendOptions {
    /// Targets as in `ubuntu-22.04`; all when `None`. They need not be the project's any more.
    pub targets: Option<BTreeSet<String>>,
    /// A version, a revision, or the name of a package's file.
    pub release: Option<String>,
    /// Nobody else publishes meanwhile.
    pub single_writer: bool,
}

impl AmendOptions {
    pub(super) fn selection(&self) -> Selection {
        Selection { targets: self.targets.clone(), release: self.release.clone() }
    }
}

/// What a change did.
#[derive(Clone, Debug)]
pub struct Amended {
    /// Where the site is.
    pub to: String,
    /// Its generation now.
    pub generation: u64,
    /// Whether the list of releases changed.
    pub changed: bool,
    /// The packages that were meant.
    pub packages: Vec<ObjectPath>,
    /// Pointers that name another package now.
    pub moved: Vec<Pointer>,
    /// Pointers that are gone.
    pub removed: Vec<ObjectPath>,
}

/// A site that is open for changes.
pub(super) struct OpenSite<'a> {
    pub(super) plan: &'a Plan,
    pub(super) site: Site,
    pub(super) keys: Keys,
    pub(super) now: i64,
    removed: Mutex<Vec<ObjectPath>>,
    pub(super) changes: Changes,
    on_event: OnEvent<'a>,
}

impl<'a> OpenSite<'a> {
    pub(super) fn new(
        plan: &'a Plan,
        single_writer: bool,
        environment: &Environment,
        on_event: OnEvent<'a>,
    ) -> Result<OpenSite<'a>> {
        let site = Site::open(plan, &environment.access().single_writer(single_writer))?;
        let keys = Keys::open(plan, site.is_local(), environment, on_event)?;
        Ok(OpenSite {
            plan,
            site,
            keys,
            now: environment.now.as_second(),
            removed: Mutex::default(),
            changes: Changes::default(),
            on_event,
        })
    }

    pub(super) fn renderer(&self) -> Renderer<'_> {
        Renderer { plan: self.plan, site: &self.site, keys: &self.keys, now: self.now }
    }

    /// Remembers what changed, and which pointers went.
    pub(super) fn note(&self, event: PublishEvent) {
        self.changes.note(&event);
        if let PublishEvent::PointerRemoved { path } = event {
            self.removed.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(path);
        }
    }

    /// Tells the site's CDN what changed, also after a failure: the same command again does not change again what was
    /// changed.
    pub(super) async fn tell_cdn(&self) {
        self.changes.tell_or_warn(self.site.cdn(), self.now, self.on_event).await;
    }

    pub(super) fn removed(&self) -> Vec<ObjectPath> {
        self.removed.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    /// Changes what the site offers; `change` returns the packages that it is about.
    pub(super) async fn amend(
        &self,
        change: impl Fn(&mut Head) -> packhouse_publish::Result<Vec<ObjectPath>>,
    ) -> Result<Amended> {
        let meant = Mutex::new(Vec::new());
        let renderer = self.renderer();
        let published = amend(
            self.site.store(),
            &self.plan.name,
            self.now,
            |head| {
                *meant.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = change(head)?;
                Ok(())
            },
            |head, current| renderer.rendered(head, current),
            &|event| self.note(event),
        )
        .await;
        self.tell_cdn().await;
        let published = published?;
        Ok(Amended {
            to: self.site.to().to_owned(),
            generation: published.head.generation,
            changed: published.committed,
            packages: meant.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner),
            moved: published.moved,
            removed: self.removed(),
        })
    }
}

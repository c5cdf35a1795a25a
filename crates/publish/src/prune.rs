//! Retention: old packages leave the list first, and the storage [a while later](Retention::grace).
//!
//! Deleting is where a site can lose something, so the head says what is happening to whom:
//!
//! 1. packages that the rules do not keep, and objects that no release names, become *retired*: the head names
//!    them no more, and says since when. Whoever has read the old list still finds them;
//! 2. what has been retired for long enough is marked *deleting*. A publisher that wants to publish such a name
//!    stops; until then publishing takes it out of the list of the retired, and the mark fails;
//! 3. marked objects are deleted, and leave the head, which remembers the generation in `pruned`. A publisher that
//!    looked whether its packages are there before that generation looks again before it commits.
//!
//! Each step is a compare-and-swap of the head. One that was cut short is finished by the next, and by `repair`.

use std::collections::{BTreeMap, BTreeSet};

use crate::amend::{amend, remove_stray_pointers};
use crate::{
    BoxError, Current, Error, Event, Head, Object, ObjectPath, Package, Published, Result, Retired,
    Selection, Store,
};

/// What is kept.
#[derive(Clone, Debug)]
pub struct Retention {
    /// Of each target, architecture and channel the newest so many packages.
    pub keep: usize,
    /// Every package that was published less than so many seconds ago.
    pub keep_for: i64,
    /// For how many seconds a retired object still lies there.
    pub grace: i64,
    /// About which packages; objects that no release names are only looked for when that is all.
    pub selection: Selection,
}

/// What retention comes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PrunePlan {
    /// Packages that leave the list.
    pub retire: Vec<ObjectPath>,
    /// Objects beside the packages that no release names.
    pub orphans: Vec<ObjectPath>,
    /// Objects that are deleted now: they have been retired for long enough.
    pub delete: Vec<ObjectPath>,
    /// Objects that were retired and are deleted later.
    pub waiting: Vec<Retired>,
}

impl PrunePlan {
    /// Whether nothing is to be done now.
    pub fn is_empty(&self) -> bool {
        self.retire.is_empty() && self.orphans.is_empty() && self.delete.is_empty()
    }
}

/// What pruning did.
#[derive(Clone, Debug)]
pub struct Pruned {
    /// The plan that was carried out.
    pub plan: PrunePlan,
    /// The head that the site has now.
    pub head: Head,
}

/// Works out what [`prune`] would do, and changes nothing.
///
/// # Errors
/// When the site cannot be read.
pub async fn plan_prune(store: &Store, retention: &Retention, now: i64) -> Result<PrunePlan> {
    let (head, _) = Head::read(store).await?.ok_or(Error::NoHead)?;
    let orphans = orphans(store, &head, retention).await?;
    let mut after = head.clone();
    Ok(after.retire(retention, &orphans, now))
}

/// Applies retention; see the module.
///
/// # Errors
/// As [`publish`](crate::publish()) for the list; [`Error::Storage`], [`Error::Write`] when an object cannot be
/// deleted, which the next run does.
pub async fn prune<R>(
    store: &Store,
    name: &str,
    retention: &Retention,
    now: i64,
    render: R,
    on_event: &(dyn Fn(Event) + Sync),
) -> Result<Pruned>
where
    R: Fn(&Head, &Current) -> Result<Vec<Object>, BoxError>,
{
    let (head, _) = Head::read(store).await?.ok_or(Error::NoHead)?;
    let orphans = orphans(store, &head, retention).await?;
    let planned = std::sync::Mutex::new(PrunePlan::default());
    let change = |head: &mut Head| {
        let plan = head.retire(retention, &orphans, now);
        *planned.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = plan;
        Ok(())
    };
    let published = amend(store, name, now, change, &render, on_event).await?;
    let plan = planned.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    let head = match finish_deleting(store, &published.head, now, &render, on_event).await? {
        Some(published) => published.head,
        None => published.head,
    };
    Ok(Pruned { plan, head })
}

/// Deletes what `head` marks as being deleted, and takes it out of the head. `None` when there is nothing.
///
/// # Errors
/// As [`prune`].
pub async fn finish_deleting<R>(
    store: &Store,
    head: &Head,
    now: i64,
    render: R,
    on_event: &(dyn Fn(Event) + Sync),
) -> Result<Option<Published>>
where
    R: Fn(&Head, &Current) -> Result<Vec<Object>, BoxError>,
{
    let marked: BTreeSet<ObjectPath> =
        head.retired.iter().filter(|retired| retired.deleting).map(|retired| retired.path.clone()).collect();
    if marked.is_empty() {
        return Ok(None);
    }
    // Nothing may be led to what is deleted now.
    remove_stray_pointers(store, on_event).await?;
    for path in &marked {
        store.delete(path).await?;
        on_event(Event::Deleted { path: path.clone() });
    }
    let change = |head: &mut Head| {
        // What was marked after `head` was read is not deleted yet.
        let before = head.retired.len();
        head.retired.retain(|retired| !(retired.deleting && marked.contains(&retired.path)));
        if head.retired.len() != before {
            head.pruned = head.generation + 1;
        }
        Ok(())
    };
    amend(store, &head.name, now, change, render, on_event).await.map(Some)
}

/// Objects beside packages that the head does not know. Pointers are the refresh's business.
async fn orphans(store: &Store, head: &Head, retention: &Retention) -> Result<Vec<ObjectPath>> {
    let is_all = retention.selection.targets.is_none() && retention.selection.release.is_none();
    match is_all {
        true => Ok(crate::check::unlisted(head, &store.list("").await?)),
        false => Ok(Vec::new()),
    }
}

impl Head {
    /// Steps 1 and 2.
    fn retire(&mut self, retention: &Retention, orphans: &[ObjectPath], now: i64) -> PrunePlan {
        let retire = self.not_kept(retention, now);
        let retired_names: BTreeSet<ObjectPath> = self.retired.iter().map(|it| it.path.clone()).collect();
        let orphans: Vec<ObjectPath> = orphans
            .iter()
            .filter(|path| !self.names(path) && !retired_names.contains(path))
            .cloned()
            .collect();
        let leaving = self.packages.iter().filter(|package| retire.contains(&package.path));
        let leaving: Vec<ObjectPath> = leaving.flat_map(Package::paths).cloned().collect();
        self.packages.retain(|package| !retire.contains(&package.path));
        for path in leaving.iter().chain(&orphans) {
            let (path, others) = (path.clone(), BTreeMap::new());
            self.retired.push(Retired { path, since: now.max(self.updated), deleting: false, others });
        }
        self.retired.sort_by(|a, b| a.path.cmp(&b.path));
        for retired in &mut self.retired {
            // A clock that was ahead when it was retired only makes it wait longer.
            retired.deleting |= retired.since + retention.grace <= now;
        }
        let (delete, waiting): (Vec<_>, Vec<_>) =
            self.retired.iter().cloned().partition(|retired| retired.deleting);
        PrunePlan {
            retire: retire.into_iter().collect(),
            orphans,
            delete: delete.into_iter().map(|retired| retired.path).collect(),
            waiting,
        }
    }

    /// The packages that no rule keeps.
    fn not_kept(&self, retention: &Retention, now: i64) -> BTreeSet<ObjectPath> {
        let mut kept: BTreeSet<&ObjectPath> = self.latest.iter().map(|latest| &latest.path).collect();
        let mut groups = BTreeMap::<_, Vec<&Package>>::new();
        for package in &self.packages {
            let is_young = now - package.published.unwrap_or(package.built) < retention.keep_for;
            if package.pinned || is_young {
                kept.insert(&package.path);
            }
            for channel in package.channels.iter().filter(|channel| package.is_offered_in(channel)) {
                groups.entry((&package.target, &package.arch, channel)).or_default().push(package);
            }
        }
        for packages in groups.values_mut() {
            packages.sort_by_key(|package| std::cmp::Reverse(package.age_key()));
            kept.extend(packages.iter().take(retention.keep).map(|package| &package.path));
        }
        let selected = self.packages.iter().filter(|package| retention.selection.takes(package));
        selected.map(|package| &package.path).filter(|path| !kept.contains(path)).cloned().collect()
    }
}

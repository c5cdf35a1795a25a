//! Committing a change of the head and bringing the site up to it: steps 2 and 3 of publishing.

use crate::head::HeadReader;
use crate::refresh::refresh;
use crate::transaction::{ATTEMPTS, pause, read_head};
use crate::{BoxError, Current, Error, Event, Head, Object, ObjectPath, Published, Result, Store, layout};

/// Applies `change` to the head of `name`'s site by compare-and-swap, as often as another publisher is quicker,
/// and brings what is derived from it up to it. A change that changes nothing commits nothing.
///
/// `now` is in Unix seconds; `render` is as for [`publish`](crate::publish()).
///
/// # Errors
/// What `change` returns, [`Error::NoHead`], [`Error::OtherProject`], [`Error::Unconditional`], and what storage
/// does. The same call again finishes what is left.
pub async fn amend<R>(
    store: &Store,
    name: &str,
    now: i64,
    change: impl Fn(&mut Head) -> Result<()>,
    render: R,
    on_event: &(dyn Fn(Event) + Sync),
) -> Result<Published>
where
    R: Fn(&Head, &Current) -> Result<Vec<Object>, BoxError>,
{
    store.require_conditions().await?;
    let mut heads = HeadReader::new(store);
    let committed = commit(&mut heads, name, now, change, on_event).await?;
    let (head, written, moved) = refresh(&mut heads, &render, on_event).await?;
    Ok(Published { head, committed, written, moved })
}

/// Brings what is derived from the head up to the head, finishes what a prune left, and gives up what dead
/// publishers left unfinished. Returns also how many such things there were.
///
/// # Errors
/// As [`amend`].
pub async fn repair<R>(
    store: &Store,
    name: &str,
    now: i64,
    render: R,
    on_event: &(dyn Fn(Event) + Sync),
) -> Result<(Published, usize)>
where
    R: Fn(&Head, &Current) -> Result<Vec<Object>, BoxError>,
{
    let removed = store.clean_up().await?;
    store.require_conditions().await?;
    let strays = remove_stray_pointers(store, on_event).await?;
    let mut published = amend(store, name, now, |_| Ok(()), &render, on_event).await?;
    published.written.extend(strays);
    if let Some(finished) =
        crate::prune::finish_deleting(store, &published.head, now, &render, on_event).await?
    {
        published.head = finished.head;
        published.committed |= finished.committed;
        published.written.extend(finished.written);
        published.moved = finished.moved;
    }
    Ok((published, removed))
}

/// Removes pointers that the head does not have: a publisher that slept while their packages were withdrawn and
/// pruned, and died after it awoke, leaves such. Whoever calls this brings the site up to the head afterwards, which
/// writes again what another publisher needs by then.
pub(crate) async fn remove_stray_pointers(
    store: &Store,
    on_event: &(dyn Fn(Event) + Sync),
) -> Result<Vec<ObjectPath>> {
    // The list first: a pointer that appears later is not in it.
    let listed = store.list("").await?;
    let (head, _) = Head::read(store).await?.ok_or(Error::NoHead)?;
    let strays = crate::check::stray_pointers(&head, &listed);
    for path in &strays {
        store.delete(path).await?;
        on_event(Event::PointerRemoved { path: path.clone() });
    }
    Ok(strays)
}

async fn commit(
    heads: &mut HeadReader<'_>,
    name: &str,
    now: i64,
    change: impl Fn(&mut Head) -> Result<()>,
    on_event: &(dyn Fn(Event) + Sync),
) -> Result<bool> {
    for attempt in 1..=ATTEMPTS {
        let (old, version) = read_head(heads, name).await?;
        if version.is_none() {
            return Err(Error::NoHead);
        }
        let mut head = old.clone();
        change(&mut head)?;
        if head == old {
            return Ok(false);
        }
        head.generation = old.generation + 1;
        // A clock that is behind another publisher's does not turn the time back.
        head.updated = now.max(old.updated);
        match heads.swap(&head, version.as_ref()).await {
            Ok(()) => {
                on_event(Event::Committed { generation: head.generation });
                return Ok(true);
            }
            Err(Error::Changed { .. }) => {
                on_event(Event::Superseded { generation: old.generation });
                pause(attempt).await;
            }
            Err(error) => return Err(error),
        }
    }
    Err(Error::Busy { path: layout::head_path(), attempts: ATTEMPTS })
}

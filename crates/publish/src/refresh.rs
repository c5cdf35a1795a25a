//! Bringing everything that is derived from the head up to the head.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use crate::head::HeadReader;
use crate::transaction::{ATTEMPTS, pause};
use crate::{
    Body, BoxError, Error, Event, Head, Object, ObjectPath, Pointer, Result, Store, Swapped, Version, layout,
};

/// What the site had among [`layout::DERIVED`] when rendering began.
///
/// A renderer whose output differs each time (a signature holds its time) returns what is there when that
/// still says the right thing, so that publishing the same again changes nothing.
#[derive(Clone, Debug, Default)]
pub struct Current(BTreeMap<ObjectPath, (Vec<u8>, Version)>);

impl Current {
    /// The bytes of an object, named as in [`layout`].
    pub fn bytes(&self, name: &str) -> Option<&[u8]> {
        let found = self.0.iter().find(|(path, _)| path.as_str() == name)?;
        Some(&found.1.0)
    }

    fn version(&self, path: &ObjectPath) -> Option<&Version> {
        self.0.get(path).map(|(_, version)| version)
    }
}

/// Brings everything that is derived from the head up to the head, until that does not move any more.
///
/// The versions of the derived objects are read *before* the head they are rendered from. So a publisher that
/// slept meanwhile cannot put old contents over new ones: either its version is outdated and the swap fails,
/// or its head is the newer one.
pub(crate) async fn refresh<R>(
    heads: &mut HeadReader<'_>,
    render: &R,
    on_event: &(dyn Fn(Event) + Sync),
) -> Result<(Head, Vec<ObjectPath>, Vec<Pointer>)>
where
    R: Fn(&Head, &Current) -> Result<Vec<Object>, BoxError>,
{
    let store = heads.store();
    let mut replaced = BTreeSet::new();
    let mut moved = BTreeSet::new();
    for attempt in 1..=ATTEMPTS {
        let (before, _) = heads.read().await?.ok_or(Error::NoHead)?;
        let pointers = before.pointers().into_iter().map(|pointer| pointer.path);
        let paths = layout::derived_paths().chain(pointers).chain(heads.former_pointers(&before));
        let current = read_all(store, paths.collect()).await?;
        let (head, version) = heads.read().await?.ok_or(Error::NoHead)?;
        let derived = render(&head, &current).map_err(|source| Error::Render { source })?;
        if let Some(wrong) = derived.iter().find(|object| !layout::DERIVED.contains(&object.path.as_str())) {
            return Err(Error::NotDerived { path: wrong.path.clone() });
        }

        let mut settled = true;
        for object in &derived {
            match replace(store, object, &current).await? {
                Replaced::No => {}
                Replaced::Yes => {
                    on_event(Event::Replaced { path: object.path.clone() });
                    replaced.insert(object.path.clone());
                }
                Replaced::Overtaken => settled = false,
            }
        }
        if settled {
            for (pointer, done) in replace_pointers(store, head.pointers(), &current).await? {
                match done {
                    Replaced::No => {}
                    Replaced::Yes => {
                        let Pointer { path, file_name } = pointer.clone();
                        on_event(Event::PointerMoved { path, file_name });
                        replaced.insert(pointer.path.clone());
                        moved.insert(pointer);
                    }
                    Replaced::Overtaken => settled = false,
                }
            }
        }
        if settled {
            // A pointer that another publisher needs again by now is written again: its head is another one.
            for path in heads.former_pointers(&head).into_iter().filter(|path| current.0.contains_key(path)) {
                store.delete(&path).await?;
                on_event(Event::PointerRemoved { path: path.clone() });
                replaced.insert(path);
            }
        }
        match heads.read().await? {
            Some((_, now)) if settled && now == version => {
                // Of a pointer that moved twice the last move counts.
                moved.retain(|pointer| head.pointers().contains(pointer));
                return Ok((head, replaced.into_iter().collect(), moved.into_iter().collect()));
            }
            _ => pause(attempt).await,
        }
    }
    Err(Error::Busy { path: layout::head_path(), attempts: ATTEMPTS })
}

/// How many small objects are read or written at once: a bucket answers each after a while.
const AT_ONCE: usize = 8;

async fn read_all(store: &Store, paths: Vec<ObjectPath>) -> Result<Current> {
    let read = |path: ObjectPath| async move {
        let found = store.read(&path).await?;
        Ok::<_, Error>(found.map(|found| (path, found)))
    };
    let found: Vec<_> = stream::iter(paths).map(read).buffered(AT_ONCE).try_collect().await?;
    Ok(Current(found.into_iter().flatten().collect()))
}

/// Pointers do not name each other: their order does not matter.
async fn replace_pointers(
    store: &Store,
    pointers: Vec<Pointer>,
    current: &Current,
) -> Result<Vec<(Pointer, Replaced)>> {
    let write = |pointer: Pointer| async move {
        let done = replace(store, &pointer_object(&pointer), current).await?;
        Ok::<_, Error>((pointer, done))
    };
    stream::iter(pointers).map(write).buffered(AT_ONCE).try_collect().await
}

enum Replaced {
    No,
    Yes,
    Overtaken,
}

async fn replace(store: &Store, object: &Object, current: &Current) -> Result<Replaced> {
    if let (Some((there, _)), Body::Bytes(here)) = (current.0.get(&object.path), &object.body)
        && there == here
    {
        return Ok(Replaced::No);
    }
    match store.swap(object, current.version(&object.path)).await {
        Ok(Swapped::Written(_)) => Ok(Replaced::Yes),
        Ok(Swapped::Identical) => Ok(Replaced::No),
        Err(Error::Changed { .. }) => Ok(Replaced::Overtaken),
        Err(error) => Err(error),
    }
}

fn pointer_object(pointer: &Pointer) -> Object {
    Object::mutable(pointer.path.clone(), "text/plain; charset=utf-8", format!("{}\n", pointer.file_name))
}

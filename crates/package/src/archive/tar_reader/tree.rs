//! What an archive held so far: no entry comes twice, none lies below a link or a file.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry as Place;

use super::entry::{Entry, EntryKind};
use crate::Result;
use crate::archive::part::{Part, shown};

/// A package of a million files is planned on paper; this is where a reader stops.
const MOST_ENTRIES: u64 = 1 << 20;
/// All paths, link targets and owners' names together.
const MOST_NAMES: u64 = 128 << 20;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Seen {
    /// Something lies below it, and it had no entry of its own yet.
    Implied,
    Directory,
    File,
    Other,
}

pub(super) struct Tree {
    part: Part,
    seen: BTreeMap<Box<[u8]>, Seen>,
    names: u64,
}

impl Tree {
    pub(super) fn new(part: Part) -> Tree {
        Tree { part, seen: BTreeMap::new(), names: 0 }
    }

    /// Adds an entry.
    ///
    /// # Errors
    /// When its path or its link's target contradicts an entry before it, and when there are too many.
    pub(super) fn add(&mut self, entry: &Entry) -> Result<()> {
        let path = entry.path.as_slice();
        let refuse = |reason: &str| self.part.malformed(format!("`{}` {reason}", shown(path)));
        let seen = match &entry.kind {
            EntryKind::Directory => Seen::Directory,
            EntryKind::File => Seen::File,
            EntryKind::HardLink(target) => match self.seen.get(target.as_slice()) {
                Some(Seen::File) => {
                    self.names += target.len() as u64;
                    Seen::File
                }
                _ => return Err(refuse("is a hard link to what is no file before it")),
            },
            EntryKind::Symlink(target) => {
                self.names += target.len() as u64;
                Seen::Other
            }
            EntryKind::Special(_) => Seen::Other,
        };
        // From the nearest one up: what is above a directory that was seen was looked at when that one came.
        for (slash, _) in path.iter().enumerate().rev().filter(|(_, byte)| **byte == b'/') {
            let above = &path[..slash];
            match self.seen.get(above) {
                None => {
                    self.names += above.len() as u64;
                    self.seen.insert(above.into(), Seen::Implied);
                    // A path of 4 KiB has 2,000 directories: they count as what they take.
                    self.check()?;
                }
                Some(Seen::Implied | Seen::Directory) => break,
                Some(Seen::File | Seen::Other) => {
                    let reason = format!("lies below `{}`, which is no directory", shown(above));
                    return Err(refuse(&reason));
                }
            }
        }
        match self.seen.entry(path.into()) {
            Place::Vacant(place) => {
                place.insert(seen);
            }
            Place::Occupied(mut place) if *place.get() == Seen::Implied && seen == Seen::Directory => {
                place.insert(seen);
            }
            Place::Occupied(place) if *place.get() == Seen::Implied => {
                return Err(refuse("has entries below it, and is no directory"));
            }
            Place::Occupied(_) => return Err(refuse("comes twice")),
        }
        self.names += (path.len() + entry.user.len() + entry.group.len()) as u64;
        self.check()
    }

    fn check(&self) -> Result<()> {
        if self.seen.len() as u64 > MOST_ENTRIES {
            return Err(self.part.beyond("entries", MOST_ENTRIES));
        }
        if self.names > MOST_NAMES {
            return Err(self.part.beyond("bytes of names", MOST_NAMES));
        }
        Ok(())
    }
}

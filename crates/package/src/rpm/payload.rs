//! The payload: a cpio archive of the files in the order of the header, but for those with several names.
//!
//! These come last, the names of each behind one another: so rpmbuild writes them (`iterWriteArchiveNextFile` in
//! rpm's `lib/rpmfi.c`), and rpm 4.18 takes any other file between two names for a third (`fsmMkfile` in
//! `lib/fsm.c`). Ghosts are in the header only.

use super::files::Files;
use crate::archive::cpio;
use crate::together::{Archive, Contents};
use crate::{Result, Timestamp};

/// The payload before it is compressed.
#[derive(Debug)]
pub(super) struct Payload<'a> {
    files: Files<'a>,
    /// The members' indexes in the header, which has ghosts, too.
    packed: Vec<usize>,
    timestamp: Timestamp,
}

impl<'a> Payload<'a> {
    pub(super) fn new(files: Files<'a>, timestamp: Timestamp) -> Payload<'a> {
        let packed = files.iter().enumerate().filter(|(_, file)| file.is_packed()).map(|(index, _)| index);
        let mut packed: Vec<usize> = packed.collect();
        packed.sort_by_key(|index| files.get(*index).first_of_names());
        Payload { packed, files, timestamp }
    }

    pub(super) fn files(&self) -> &Files<'a> {
        &self.files
    }

    /// What is known of members, by their files' indexes in the header.
    pub(super) fn by_index<T: Clone>(&self, facts: &[Option<T>]) -> Vec<Option<T>> {
        let mut by_index = vec![None; self.files.iter().len()];
        for (index, fact) in self.packed.iter().zip(facts) {
            by_index[*index].clone_from(fact);
        }
        by_index
    }
}

impl Archive for Payload<'_> {
    fn members(&self) -> usize {
        self.packed.len()
    }

    fn content(&self, member: usize) -> Option<Contents<'_>> {
        let index = self.packed[member];
        self.files.get(index).contents(index)
    }

    fn front(&self, member: usize, position: u64, out: &mut Vec<u8>) -> Result<()> {
        let index = self.packed[member];
        let file = self.files.get(index);
        let mut archive = cpio::Writer::at(&mut *out, position);
        if self.files.has_large() {
            archive.start_stripped(index as u32, file.packed_size(index))?;
        } else {
            let mut name = Vec::new();
            archive.start(file.member(&mut name, index, self.timestamp.as_unix()))?;
        }
        out.extend_from_slice(file.target());
        Ok(())
    }

    fn end(&self, position: u64, out: &mut Vec<u8>) -> Result<()> {
        cpio::Writer::at(out, position).finish()?;
        Ok(())
    }
}

//! Buffers for bytes that are sent. They are used again: finding, clearing and giving back memory takes as long as
//! copying it.

use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

/// How much is read, and hashed, at a time.
pub(super) const SIZE: usize = 256 << 10;

/// Those that nobody uses.
#[derive(Clone, Default)]
pub(super) struct Buffers(Arc<Mutex<Vec<Vec<u8>>>>);

impl Buffers {
    /// The next bytes of `from`: as many as a buffer holds, or less at the end; none after it. The buffer comes back
    /// when they are dropped.
    pub(super) fn fill(&self, from: &mut impl Read) -> io::Result<Bytes> {
        let free = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut lent = Lent { bytes: free.unwrap_or_else(|| vec![0; SIZE]), length: 0, home: self.clone() };
        while lent.length < SIZE {
            match from.read(&mut lent.bytes[lent.length..]) {
                Ok(0) => break,
                Ok(count) => lent.length += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Bytes::from_owner(lent))
    }
}

struct Lent {
    bytes: Vec<u8>,
    length: usize,
    home: Buffers,
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let mut free = self.home.0.lock().unwrap_or_else(PoisonError::into_inner);
        free.push(std::mem::take(&mut self.bytes));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_comes_back_when_nobody_reads_it_any_more() {
        let buffers = Buffers::default();
        let free = || buffers.0.lock().unwrap().len();
        let bytes = vec![7; SIZE + 5];
        let mut from = &bytes[..];
        let first = buffers.fill(&mut from).unwrap();
        let (second, clone) = (buffers.fill(&mut from).unwrap(), first.clone());
        assert_eq!((first.len(), second.len(), free()), (SIZE, 5, 0));
        drop(first);
        assert_eq!(free(), 0);
        drop(clone);
        assert_eq!(free(), 1);
        let end = buffers.fill(&mut from).unwrap();
        assert!(end.is_empty() && free() == 0);
        drop((second, end));
        assert_eq!(free(), 2);
    }
}

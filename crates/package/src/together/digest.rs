//! Hashes batches, each digest in a thread of its own.

use std::convert::Infallible;

use md5::Md5;
use sha1::Sha1;
use sha2::{Sha256, Sha384, Sha512};

use super::lanes;
use super::reader::{Batch, Queue};
use super::{Fact, START};

/// What a format keeps of each file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Digest {
    /// RFC 1321; for a deb's `md5sums`.
    Md5,
    /// FIPS 180-4.
    Sha1,
    /// FIPS 180-4.
    Sha256,
    /// FIPS 180-4.
    Sha384,
    /// FIPS 180-4.
    Sha512,
}

/// The facts of every source that `is_wanted`, by its number, of `count`.
pub(super) fn hash(
    digest: Digest,
    queue: Queue,
    count: usize,
    is_wanted: impl Fn(usize) -> bool,
) -> Vec<Option<Fact>> {
    let mut facts = vec![None; count];
    let done: Result<(), Infallible> = match digest {
        Digest::Md5 => {
            let mut begun = None;
            queue.each(|batch| {
                md5(batch, &is_wanted, &mut begun, &mut facts);
                Ok(())
            })
        }
        Digest::Sha1 => each::<Sha1>(queue, &is_wanted, &mut facts),
        Digest::Sha256 => each::<Sha256>(queue, &is_wanted, &mut facts),
        Digest::Sha384 => each::<Sha384>(queue, &is_wanted, &mut facts),
        Digest::Sha512 => each::<Sha512>(queue, &is_wanted, &mut facts),
    };
    match done {
        Ok(()) => facts,
    }
}

/// A file whose end has not come yet.
type Begun<D> = Option<(D, Vec<u8>)>;

fn each<D: sha2::Digest>(
    queue: Queue,
    is_wanted: &impl Fn(usize) -> bool,
    facts: &mut [Option<Fact>],
) -> Result<(), Infallible> {
    let mut begun = None;
    queue.each(|batch| {
        for (part, bytes) in batch.parts().filter(|(part, _)| is_wanted(part.source)) {
            if let Some(fact) = go_on::<D>(&mut begun, part.is_first, part.is_last, bytes) {
                facts[part.source] = Some(fact);
            }
        }
        Ok(())
    })
}

/// Hashes the next bytes of a file.
fn go_on<D: sha2::Digest>(begun: &mut Begun<D>, is_first: bool, is_last: bool, bytes: &[u8]) -> Option<Fact> {
    if is_first || begun.is_none() {
        *begun = Some((D::new(), Vec::with_capacity(START)));
    }
    let (hash, start) = begun.as_mut()?;
    hash.update(bytes);
    start.extend(bytes.iter().take(START - start.len()));
    if !is_last {
        return None;
    }
    let (hash, start) = begun.take()?;
    Some(Fact { digest: hash.finalize().as_slice().into(), start })
}

/// Files that are wholly in the batch are hashed side by side, which takes a third of the time.
fn md5(
    batch: &Batch,
    is_wanted: &impl Fn(usize) -> bool,
    begun: &mut Begun<Md5>,
    facts: &mut [Option<Fact>],
) {
    let (mut whole, mut sources) = (Vec::new(), Vec::new());
    for (part, bytes) in batch.parts().filter(|(part, _)| is_wanted(part.source)) {
        if part.is_first && part.is_last {
            whole.push(bytes);
            sources.push(part.source);
        } else if let Some(fact) = go_on(begun, part.is_first, part.is_last, bytes) {
            facts[part.source] = Some(fact);
        }
    }
    for ((source, bytes), digest) in sources.into_iter().zip(&whole).zip(lanes::md5(&whole)) {
        let start = bytes[..bytes.len().min(START)].to_vec();
        facts[source] = Some(Fact { digest: digest.as_slice().into(), start });
    }
}

//! Which streams are written at a time, and with how many threads each.

use std::num::NonZeroUsize;

use crate::Resources;
use crate::archive::compress::{Compression, DEFAULT_BUDGET, Share};

/// Streams, by their numbers, in groups that are written at a time.
///
/// Together they take what the one that may take most takes by itself. Where that does not suffice for all
/// threads, the quickest compressors get fewer. But the slowest keeps as many threads as it would have alone, or
/// shares them with its equals: else all would wait for it, and it is quicker to read the files again.
pub(super) fn waves(compressions: &[Compression], resources: Resources) -> Vec<Vec<(usize, Share)>> {
    let mut left: Vec<usize> = (0..compressions.len()).collect();
    left.sort_by_key(|number| std::cmp::Reverse(slowness(compressions[*number])));
    let mut waves = Vec::new();
    while !left.is_empty() {
        let mut wave = vec![left.remove(0)];
        let mut threads =
            distribute(&wave, compressions, resources).unwrap_or_else(|| vec![resources.threads]);
        left.retain(|candidate| {
            let larger = [&wave[..], &[*candidate]].concat();
            match distribute(&larger, compressions, resources) {
                Some(distributed) => {
                    (wave, threads) = (larger, distributed);
                    false
                }
                None => true,
            }
        });
        let is_alone = wave.len() == 1;
        let share = |(number, threads): (usize, NonZeroUsize)| {
            let compression: Compression = compressions[number];
            let memory = if is_alone { compression.memory_budget() } else { compression.memory(threads) };
            (number, Share { threads, memory })
        };
        waves.push(wave.into_iter().zip(threads).map(share).collect());
    }
    waves
}

/// How many threads each gets; `None` when they had better not be written at a time.
fn distribute(
    wave: &[usize],
    compressions: &[Compression],
    resources: Resources,
) -> Option<Vec<NonZeroUsize>> {
    let of = |number: &usize| compressions[*number];
    let budget = wave.iter().map(|number| of(number).memory_budget()).max()?;
    let slowest = wave.iter().map(|number| slowness(of(number))).max()?;
    let mut threads = vec![resources.threads; wave.len()];
    let memory = |threads: &[NonZeroUsize]| {
        let each = wave.iter().zip(threads).map(|(number, threads)| of(number).memory(*threads));
        each.fold(0, u64::saturating_add)
    };
    while memory(&threads) > budget {
        // The quickest of those that have more than one; of these the one that has most.
        let (_, fewer) = wave
            .iter()
            .zip(&mut threads)
            .filter(|(_, threads)| threads.get() > 1)
            .min_by_key(|(number, threads)| (slowness(of(number)), std::cmp::Reverse(threads.get())))?;
        *fewer = NonZeroUsize::new(fewer.get() - 1)?;
    }
    let of_slowest = |is_alone: bool| -> usize {
        let counts = wave.iter().zip(&threads).filter(|(number, _)| slowness(of(number)) == slowest);
        let counts = counts.map(|(number, threads)| match is_alone {
            true => alone(of(number), resources).get(),
            false => threads.get(),
        });
        if is_alone { counts.max().unwrap_or(0) } else { counts.sum() }
    };
    (of_slowest(false) >= of_slowest(true)).then_some(threads)
}

/// How many bytes are left of what compressors may take at the default levels, at most [`LEFT`].
pub(super) fn left(shares: &[(Compression, Share)]) -> usize {
    let taken = shares.iter().map(|(compression, share)| compression.memory(threads(*compression, *share)));
    let left = DEFAULT_BUDGET.saturating_sub(taken.fold(0, u64::saturating_add));
    left.min(LEFT) as usize
}

/// With that many bytes nearly all files are hashed side by side. Of a tree of 335 MB, a fifth of it files of more
/// than 4 MB, 14 MB are hashed alone; 30 with 16 MiB, 11 with 24.
const LEFT: u64 = 20 << 20;

/// How many threads a stream has when it is the only one.
fn alone(compression: Compression, resources: Resources) -> NonZeroUsize {
    threads(compression, Share { threads: resources.threads, memory: compression.memory_budget() })
}

/// How many threads a stream has with its share.
fn threads(compression: Compression, share: Share) -> NonZeroUsize {
    let fits = |threads: &NonZeroUsize| compression.memory(*threads) <= share.memory;
    let counts = (1..=share.threads.get()).filter_map(NonZeroUsize::new);
    counts.take_while(fits).last().unwrap_or(NonZeroUsize::MIN)
}

/// In which order compressors take time; equal ones take about as much.
fn slowness(compression: Compression) -> u8 {
    match compression {
        Compression::None => 0,
        Compression::Zstd(1..=9) => 1,
        Compression::Gzip(_) => 2,
        Compression::Zstd(_) | Compression::Bzip2(_) => 3,
        Compression::Xz(_) => 4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(compressions: &[Compression], threads: usize) -> Vec<Vec<(usize, usize)>> {
        let resources = Resources { threads: NonZeroUsize::new(threads).unwrap() };
        let waves = waves(compressions, resources);
        for wave in &waves {
            let memory: u64 = wave.iter().map(|(_, share)| share.memory).sum();
            let budget = wave.iter().map(|(number, _)| compressions[*number].memory_budget()).max().unwrap();
            assert!(memory <= budget, "{memory} of {budget}");
        }
        let told = |wave: &Vec<(usize, Share)>| {
            wave.iter().map(|(number, share)| (*number, share.threads.get())).collect()
        };
        waves.iter().map(told).collect()
    }

    #[test]
    fn a_deb_and_an_rpm_are_written_at_a_time() {
        use Compression as C;
        assert_eq!(told(&[C::ZSTD, C::ZSTD], 2), [[(0, 1), (1, 1)]]);
        assert_eq!(told(&[C::XZ, C::XZ], 2), [[(0, 1), (1, 1)]]);
        assert_eq!(told(&[C::GZIP, C::GZIP], 2), [[(0, 2), (1, 2)]]);
        assert_eq!(told(&[C::ZSTD], 8)[0].len(), 1);
    }

    #[test]
    fn a_slow_stream_does_not_give_its_threads_to_a_quick_one() {
        use Compression as C;
        assert_eq!(told(&[C::ZSTD, C::XZ], 2), [[(1, 2)], [(0, 2)]]);
    }
}

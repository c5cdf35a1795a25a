//! MD5 (RFC 1321) of several messages side by side.
//!
//! Each step of MD5 needs the one before, so that a processor mostly waits. Messages do not need each other: as many
//! as its vector registers hold words are hashed at a time. Which registers it has (SSE2, AVX2, AVX-512, NEON) is
//! looked up when the program runs.
//!
//! The formats and storages that still speak MD5 use it against accidents; nobody's trust rests on it.
//!
//! ```
//! use packhouse_md5::{Message, START, digest, go_on};
//! // RFC 1321's examples.
//! let message = |text: &'static [u8]| Message::new(START, vec![text], Some(text.len() as u64));
//! let mut messages = [message(b"abc"), message(b"message digest"), message(b"")];
//! go_on(&mut messages);
//! assert_eq!(digest(messages[0].state)[..4], [0x90, 0x01, 0x50, 0x98]);
//! assert_eq!(digest(messages[1].state)[..4], [0xf9, 0x6b, 0x69, 0x7d]);
//! ```

use std::hint::black_box;
use std::num::Wrapping;
use std::ops::{Add, BitAnd, BitOr, BitXor, Not};

use fearless_simd::{Level, Simd, SimdBase as _, SimdFrom as _, dispatch, u32x16};

/// How many messages at a time: one vector of AVX-512, two of AVX2, four of SSE2 and NEON.
pub const LANES: usize = 16;

/// The states of all lanes, word by word.
type States = [[u32; LANES]; 4];

/// From how many on that is quicker than one by one.
const LEAST: usize = 3;

const BLOCK: usize = 64;

type Block = [u8; BLOCK];

/// How far a digest has come.
pub type State = [u32; 4];

/// A message, or as much of it as is at hand.
#[derive(Debug)]
pub struct Message<'a> {
    /// [`START`] at first.
    pub state: State,
    /// The next bytes, one part behind the other. They are taken.
    parts: Vec<&'a [u8]>,
    /// How many bytes the whole message has, if these are its last.
    length: Option<u64>,
    /// How many of the parts' bytes the state includes, always whole blocks of them until it is complete.
    pub hashed: u64,
    /// Whether the state is the whole message's.
    pub is_complete: bool,
}

impl<'a> Message<'a> {
    /// `length` says how many bytes the whole message has, if `parts` are its last.
    pub fn new(state: State, parts: Vec<&'a [u8]>, length: Option<u64>) -> Message<'a> {
        Message { state, parts, length, hashed: 0, is_complete: false }
    }

    fn size(&self) -> usize {
        self.parts.iter().map(|part| part.len()).sum()
    }
}

/// Takes every message as far as it is at hand.
pub fn go_on(messages: &mut [Message<'_>]) {
    for (mut lane, mut state) in with_registers(Level::new(), messages, LEAST) {
        lane.go_on(&mut state, u64::MAX);
        lane.leave(state, messages);
    }
}

/// Takes messages as far as they are at hand, and stops when fewer than `least` of them go on: the longest.
pub fn side_by_side(messages: &mut [Message<'_>], least: usize) {
    for (lane, state) in with_registers(Level::new(), messages, least) {
        lane.leave(state, messages);
    }
}

/// Returns what goes on.
fn with_registers<'a>(level: Level, messages: &mut [Message<'a>], least: usize) -> Vec<(Lane<'a>, State)> {
    // The longest first, so that the lanes end at about the same time.
    let mut order: Vec<usize> = (0..messages.len()).collect();
    order.sort_by_cached_key(|number| messages[*number].size());
    let mut lanes: [Option<Lane<'_>>; LANES] = [const { None }; LANES];
    let mut states: States = START.map(|word| [word; LANES]);
    loop {
        for (number, lane) in lanes.iter_mut().enumerate() {
            if let Some(ended) = lane.take_if(|lane| lane.ready() == 0) {
                ended.leave(states.map(|words| words[number]), messages);
            }
            while lane.is_none()
                && let Some(message) = order.pop()
            {
                for (words, begun) in states.iter_mut().zip(messages[message].state) {
                    words[number] = begun;
                }
                let mut new = Lane::new(message, &mut messages[message]);
                *lane = (new.ready() > 0).then_some(new);
            }
        }
        if lanes.iter().flatten().count() < least {
            break;
        }
        let turns = lanes.iter_mut().flatten().map(Lane::ready).min().unwrap_or(0);
        let runs = lanes.each_mut().map(|lane| lane.as_mut().map_or(&[][..], |lane| lane.take(turns)));
        dispatch!(level, simd => compress(simd, &mut states, &runs, turns));
    }
    let left = lanes.into_iter().enumerate();
    left.filter_map(|(number, lane)| Some((lane?, states.map(|words| words[number])))).collect()
}

/// Takes one message as far as it is at hand, or somewhat more than `most` bytes of it.
pub fn alone(message: &mut Message<'_>, most: u64) {
    let mut lane = Lane::new(0, message);
    let mut state = message.state;
    lane.go_on(&mut state, most / BLOCK as u64 + 1);
    lane.leave(state, std::slice::from_mut(message));
}

/// What the last state of a message says (RFC 1321, 3.5).
pub fn digest(state: State) -> [u8; 16] {
    let mut digest = [0; 16];
    for (bytes, word) in digest.chunks_mut(4).zip(state) {
        bytes.copy_from_slice(&word.to_le_bytes());
    }
    digest
}

/// A message in a lane, cut into blocks.
struct Lane<'a> {
    message: usize,
    parts: std::vec::IntoIter<&'a [u8]>,
    length: Option<u64>,
    /// How many blocks were taken.
    taken: u64,
    /// What there is of a block that begins in one part and ends in another.
    split: Vec<u8>,
    /// The last `made_left` of these come next,
    made: [Block; 2],
    made_left: usize,
    /// then the whole blocks of the current part.
    whole: &'a [Block],
}

impl<'a> Lane<'a> {
    fn new(message: usize, of: &mut Message<'a>) -> Lane<'a> {
        Lane {
            message,
            parts: std::mem::take(&mut of.parts).into_iter(),
            length: of.length,
            taken: 0,
            split: Vec::with_capacity(BLOCK),
            made: [[0; BLOCK]; 2],
            made_left: 0,
            whole: &[],
        }
    }

    /// How many blocks lie side by side; none at the end.
    fn ready(&mut self) -> usize {
        while self.made_left == 0 && self.whole.is_empty() {
            if !self.advance() {
                return 0;
            }
        }
        if self.made_left > 0 { self.made_left } else { self.whole.len() }
    }

    /// The next of those that are ready.
    fn take(&mut self, count: usize) -> &[Block] {
        self.taken += count as u64;
        if self.made_left > 0 {
            let start = self.made.len() - self.made_left;
            self.made_left -= count;
            return &self.made[start..][..count];
        }
        let (now, later) = self.whole.split_at(count);
        self.whole = later;
        now
    }

    /// Goes on by itself, for at most `blocks`.
    fn go_on(&mut self, state: &mut State, mut blocks: u64) {
        while blocks > 0 && self.ready() > 0 {
            let count = self.ready().min(usize::try_from(blocks).unwrap_or(usize::MAX));
            compress_alone(state, self.take(count));
            blocks -= count as u64;
        }
    }

    /// Its message goes on later, if it does.
    fn leave(mut self, mut state: State, messages: &mut [Message<'_>]) {
        let message = &mut messages[self.message];
        // Behind its last whole block a message is no longer made of its parts.
        if self.length.is_none() && message.length.is_some() {
            self.go_on(&mut state, u64::MAX);
            message.is_complete = true;
        } else {
            message.hashed += self.taken * BLOCK as u64;
        }
        message.state = state;
    }

    /// Goes on to the next part, then to the end; false when that is over, too.
    fn advance(&mut self) -> bool {
        let Some(part) = self.parts.next() else {
            return match self.length.take() {
                Some(length) => {
                    self.end(length);
                    true
                }
                None => false,
            };
        };
        let missing = if self.split.is_empty() { 0 } else { BLOCK - self.split.len() };
        let (end, part) = part.split_at(missing.min(part.len()));
        self.split.extend_from_slice(end);
        if let Ok(block) = self.split[..].try_into() {
            self.made[1] = block;
            self.made_left = 1;
            self.split.clear();
        }
        let (whole, rest) = part.as_chunks();
        self.whole = whole;
        self.split.extend_from_slice(rest);
        true
    }

    /// The rest of the message, a bit, zeros and the length (RFC 1321, 3.1 and 3.2): one or two blocks.
    fn end(&mut self, length: u64) {
        let rest = self.split.len();
        self.made = [[0; BLOCK]; 2];
        self.made_left = if rest < BLOCK - 8 { 1 } else { 2 };
        let first = &mut self.made[2 - self.made_left];
        first[..rest].copy_from_slice(&self.split);
        first[rest] = 0x80;
        self.made[1][BLOCK - 8..].copy_from_slice(&length.wrapping_mul(8).to_le_bytes());
    }
}

/// RFC 1321, 3.3.
pub const START: State = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];

/// How far each step rotates (3.4), by round.
const ROTATE: [[u32; 4]; 4] = [[7, 12, 17, 22], [5, 9, 14, 20], [4, 11, 16, 23], [6, 10, 15, 21]];

/// The integer part of 2^32 times |sin(step)| (3.4).
#[rustfmt::skip]
const SINE: [u32; 64] = [
    0xd76a_a478, 0xe8c7_b756, 0x2420_70db, 0xc1bd_ceee, 0xf57c_0faf, 0x4787_c62a, 0xa830_4613, 0xfd46_9501,
    0x6980_98d8, 0x8b44_f7af, 0xffff_5bb1, 0x895c_d7be, 0x6b90_1122, 0xfd98_7193, 0xa679_438e, 0x49b4_0821,
    0xf61e_2562, 0xc040_b340, 0x265e_5a51, 0xe9b6_c7aa, 0xd62f_105d, 0x0244_1453, 0xd8a1_e681, 0xe7d3_fbc8,
    0x21e1_cde6, 0xc337_07d6, 0xf4d5_0d87, 0x455a_14ed, 0xa9e3_e905, 0xfcef_a3f8, 0x676f_02d9, 0x8d2a_4c8a,
    0xfffa_3942, 0x8771_f681, 0x6d9d_6122, 0xfde5_380c, 0xa4be_ea44, 0x4bde_cfa9, 0xf6bb_4b60, 0xbebf_bc70,
    0x289b_7ec6, 0xeaa1_27fa, 0xd4ef_3085, 0x0488_1d05, 0xd9d4_d039, 0xe6db_99e5, 0x1fa2_7cf8, 0xc4ac_5665,
    0xf429_2244, 0x432a_ff97, 0xab94_23a7, 0xfc93_a039, 0x655b_59c3, 0x8f0c_cc92, 0xffef_f47d, 0x8584_5dd1,
    0x6fa8_7e4f, 0xfe2c_e6e0, 0xa301_4314, 0x4e08_11a1, 0xf753_7e82, 0xbd3a_f235, 0x2ad7_d2bb, 0xeb86_d391,
];

/// `turns` blocks of each lane. Inlined, all of it, where the processor's registers are known.
#[inline(always)]
fn compress<S: Simd>(simd: S, states: &mut States, runs: &[&[Block]; LANES], turns: usize) {
    let sine = black_box(&SINE);
    let mut state = states.map(|words| u32x16::simd_from(simd, words));
    for turn in 0..turns {
        let rows = runs.map(|run| {
            let block = run.get(turn).unwrap_or(&[0; BLOCK]).as_chunks::<4>().0;
            u32x16::from_fn(simd, |word| u32::from_le_bytes(block[word]))
        });
        let message = transpose(rows);
        let word = |number: usize| message[number];
        state = block(state, word, |step: usize| u32x16::splat(simd, sine[step]));
    }
    *states = state.map(|words| *words);
}

/// The words of blocks, each lane's, become those of all lanes, each number's.
#[inline(always)]
fn transpose<S: Simd>(mut rows: [u32x16<S>; LANES]) -> [u32x16<S>; 16] {
    // Each turn interleaves the halves, which rotates the eight bits of a word's place by one.
    for _ in 0..LANES.ilog2() {
        let halves = rows;
        for (number, pair) in rows.chunks_exact_mut(2).enumerate() {
            let (low, high) = (halves[number], halves[number + LANES / 2]);
            pair[0] = low.zip_low(high);
            pair[1] = low.zip_high(high);
        }
    }
    rows
}

/// Blocks of one message.
fn compress_alone(state: &mut State, blocks: &[Block]) {
    let sine = black_box(&SINE);
    let mut words = state.map(Wrapping);
    for bytes in blocks {
        let message = bytes.as_chunks::<4>().0;
        let word = |number: usize| Wrapping(u32::from_le_bytes(message[number]));
        words = block(words, word, |step: usize| Wrapping(sine[step]));
    }
    *state = words.map(|word| word.0);
}

/// A word of one message, or of each lane's.
trait Word:
    Copy
    + Add<Output = Self>
    + BitAnd<Output = Self>
    + BitOr<Output = Self>
    + BitXor<Output = Self>
    + Not<Output = Self>
{
    fn rotate(self, left: u32) -> Self;

    /// The sum of `self` and RFC 1321's `G`: `x` where `z` has ones, `y` elsewhere.
    fn plus_g(self, x: Self, y: Self, z: Self) -> Self;
}

impl Word for Wrapping<u32> {
    #[inline(always)]
    fn rotate(self, left: u32) -> Self {
        Wrapping(self.0.rotate_left(left))
    }

    /// `x` is known last: two sums, the first of which need not wait for it.
    #[inline(always)]
    fn plus_g(self, x: Self, y: Self, z: Self) -> Self {
        self + (!z & y) + (z & x)
    }
}

impl<S: Simd> Word for u32x16<S> {
    #[inline(always)]
    fn rotate(self, left: u32) -> Self {
        self << left | self >> (32 - left)
    }

    /// AVX-512 has an instruction for any function of three bits.
    #[inline(always)]
    fn plus_g(self, x: Self, y: Self, z: Self) -> Self {
        self + (y ^ (z & (x ^ y)))
    }
}

/// The state after a block (RFC 1321, 3.4).
///
/// Each step waits for the one before it, so that the order in which it adds decides. Compilers add constants last, after
/// what the step waits for. `sine` is therefore looked up in a table that they cannot see through: measured, a quarter
/// more bytes in a second.
#[inline(always)]
fn block<W: Word>(state: [W; 4], message: impl Fn(usize) -> W, sine: impl Fn(usize) -> W) -> [W; 4] {
    let [mut a, mut b, mut c, mut d] = state;
    macro_rules! mix {
        (0, $sum:ident, $x:ident, $y:ident, $z:ident) => {
            $sum + ($z ^ ($x & ($y ^ $z)))
        };
        (1, $sum:ident, $x:ident, $y:ident, $z:ident) => {
            $sum.plus_g($x, $y, $z)
        };
        (2, $sum:ident, $x:ident, $y:ident, $z:ident) => {
            $sum + ($y ^ $z ^ $x)
        };
        (3, $sum:ident, $x:ident, $y:ident, $z:ident) => {
            $sum + ($y ^ ($x | !$z))
        };
    }
    macro_rules! step {
        ($round:tt, $step:expr, $word:expr, $a:ident, $b:ident, $c:ident, $d:ident) => {
            let sum = $a + message($word % 16) + sine(16 * $round + $step);
            let sum = mix!($round, sum, $b, $c, $d);
            $a = $b + sum.rotate(const { ROTATE[$round][$step % 4] });
        };
    }
    macro_rules! round {
        ($round:tt, $factor:literal, $offset:literal) => {
            round!($round, $factor, $offset, 0);
            round!($round, $factor, $offset, 4);
            round!($round, $factor, $offset, 8);
            round!($round, $factor, $offset, 12);
        };
        ($round:tt, $factor:literal, $offset:literal, $first:literal) => {
            step!($round, $first, $factor * $first + $offset, a, b, c, d);
            step!($round, $first + 1, $factor * ($first + 1) + $offset, d, a, b, c);
            step!($round, $first + 2, $factor * ($first + 2) + $offset, c, d, a, b);
            step!($round, $first + 3, $factor * ($first + 3) + $offset, b, c, d, a);
        };
    }
    round!(0, 1, 0);
    round!(1, 5, 1);
    round!(2, 3, 5);
    round!(3, 7, 0);
    [a + state[0], b + state[1], c + state[2], d + state[3]]
}

#[cfg(test)]
mod tests {
    use md5::{Digest as _, Md5};

    use super::*;

    const LENGTHS: [usize; 18] =
        [0, 1, 55, 56, 63, 64, 65, 119, 120, 128, 5_000, 64, 63, 62, 70_000, 300, 300, 0];

    fn bytes(count: usize) -> Vec<u8> {
        (0..count).map(|number| (number * 7 % 251) as u8).collect()
    }

    /// The processor's registers, and narrower ones.
    fn levels() -> Vec<Level> {
        let level = Level::new();
        let mut levels = vec![level, Level::baseline()];
        #[cfg(target_arch = "x86_64")]
        levels.extend(level.as_avx2().map(Level::Avx2));
        levels
    }

    #[test]
    fn messages_side_by_side_have_their_own_digests() {
        let bytes = bytes(70_000);
        for count in 0..=LENGTHS.len() {
            for largest in [1, 7, 63, 64, 65, 4_096, 100_000] {
                let message = |length: &usize| {
                    let parts = bytes[..*length].chunks(largest).collect();
                    Message::new(START, parts, Some(*length as u64))
                };
                let expected: Vec<[u8; 16]> =
                    LENGTHS[..count].iter().map(|length| Md5::digest(&bytes[..*length]).into()).collect();
                for level in levels() {
                    let mut messages: Vec<Message<'_>> = LENGTHS[..count].iter().map(message).collect();
                    assert!(with_registers(level, &mut messages, 1).is_empty());
                    assert!(messages.iter().all(|message| message.is_complete));
                    let digests: Vec<[u8; 16]> =
                        messages.iter().map(|message| digest(message.state)).collect();
                    assert_eq!(digests, expected, "{count} messages in parts of {largest}, {level:?}");
                }
            }
        }
    }

    #[test]
    fn a_message_goes_on_where_it_was_left() {
        let bytes = bytes(10_000);
        for others in [0, 1, 5, 12, 20] {
            for least in [1, 2, LEAST, 8, LANES] {
                for at_hand in [0, 1, 64, 6_399, 6_400, 10_000] {
                    let other = || Message::new(START, vec![&bytes[..777]], Some(777));
                    let length = (at_hand == bytes.len()).then_some(10_000);
                    let mut messages = vec![Message::new(START, vec![&bytes[..at_hand]], length)];
                    messages.extend((0..others).map(|_| other()));
                    side_by_side(&mut messages, least);
                    let left = messages.iter().filter(|message| !message.is_complete).count();
                    assert!(left <= least, "{left} of {others}, {least}");
                    for (number, message) in messages.into_iter().enumerate() {
                        let all = if number == 0 { &bytes[..] } else { &bytes[..777] };
                        let mut state = message.state;
                        if !message.is_complete {
                            let rest = vec![&all[message.hashed as usize..]];
                            let mut rest = Message::new(state, rest, Some(all.len() as u64));
                            alone(&mut rest, all.len() as u64);
                            assert!(rest.is_complete);
                            state = rest.state;
                        }
                        assert_eq!(digest(state), *Md5::digest(all), "{others} others, {least}, {at_hand}");
                    }
                }
            }
        }
    }
}

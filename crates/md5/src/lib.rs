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
//! let message = |text: &'static [u8]| Message { state: START, parts: vec![text], length: Some(text.len() as u64) };
//! let mut messages = [message(b"abc"), message(b"message digest"), message(b"")];
//! go_on(&mut messages);
//! assert_eq!(digest(messages[0].state)[..4], [0x90, 0x01, 0x50, 0x98]);
//! assert_eq!(digest(messages[1].state)[..4], [0xf9, 0x6b, 0x69, 0x7d]);
//! ```

use fearless_simd::{Level, Simd, SimdFrom as _, dispatch, u32x16};

/// How many messages at a time: one vector of AVX-512, two of AVX2, four of SSE2 and NEON.
pub const LANES: usize = 16;

/// The states of all lanes, word by word.
type States = [[u32; LANES]; 4];

/// From how many on that is quicker than one by one.
const LEAST: usize = 3;

/// The bytes of a block: a message that is to go on later has as many, or a multiple.
pub const BLOCK: usize = 64;

type Block = [u8; BLOCK];

/// How far a digest has come.
pub type State = [u32; 4];

/// A message, or as much of it as is at hand.
#[derive(Debug)]
pub struct Message<'a> {
    /// [`START`] at first.
    pub state: State,
    /// The next bytes, one part behind the other. They are taken.
    pub parts: Vec<&'a [u8]>,
    /// How many bytes the whole message has, if these are its last. If not, they are whole blocks together.
    pub length: Option<u64>,
}

/// Takes every message as far as it is at hand.
pub fn go_on(messages: &mut [Message<'_>]) {
    // The longest first, so that the lanes end at about the same time.
    let mut order: Vec<usize> = (0..messages.len()).collect();
    order.sort_by_cached_key(|number| messages[*number].parts.iter().map(|part| part.len()).sum::<usize>());
    let mut lanes: [Option<Lane<'_>>; LANES] = [const { None }; LANES];
    let mut states: States = START.map(|word| [word; LANES]);
    let level = Level::new();
    loop {
        for (number, lane) in lanes.iter_mut().enumerate() {
            if let Some(ended) = lane.take_if(|lane| lane.ready() == 0) {
                messages[ended.message].state = states.map(|words| words[number]);
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
        if lanes.iter().flatten().count() < LEAST {
            break;
        }
        let turns = lanes.iter_mut().flatten().map(Lane::ready).min().unwrap_or(0);
        let runs = lanes.each_mut().map(|lane| lane.as_mut().map_or(&[][..], |lane| lane.take(turns)));
        dispatch!(level, simd => compress(simd, &mut states, &runs, turns));
    }
    for (number, mut lane) in lanes.into_iter().enumerate().filter_map(|(number, lane)| Some((number, lane?)))
    {
        let mut state = states.map(|words| words[number]);
        while lane.ready() > 0 {
            let count = lane.ready();
            md5::block_api::compress(&mut state, lane.take(count));
        }
        messages[lane.message].state = state;
    }
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
        if self.made_left > 0 {
            let start = self.made.len() - self.made_left;
            self.made_left -= count;
            return &self.made[start..][..count];
        }
        let (now, later) = self.whole.split_at(count);
        self.whole = later;
        now
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

/// The state that every message begins with (RFC 1321, 3.3).
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

/// `turns` blocks of each lane (RFC 1321, 3.4). Inlined, all of it, where the processor's registers are known.
#[inline(always)]
fn compress<S: Simd>(simd: S, states: &mut States, runs: &[&[Block]; LANES], turns: usize) {
    let [a, b, c, d] = *states;
    let mut a = u32x16::simd_from(simd, a);
    let mut b = u32x16::simd_from(simd, b);
    let mut c = u32x16::simd_from(simd, c);
    let mut d = u32x16::simd_from(simd, d);
    let mut message = [[0; LANES]; 16];
    for turn in 0..turns {
        for (lane, run) in runs.iter().enumerate() {
            let block = run.get(turn).unwrap_or(&[0; BLOCK]);
            for (word, bytes) in message.iter_mut().zip(block.as_chunks::<4>().0) {
                word[lane] = u32::from_le_bytes(*bytes);
            }
        }
        let before = (a, b, c, d);
        macro_rules! mix {
            (0, $x:ident, $y:ident, $z:ident) => {
                $z ^ ($x & ($y ^ $z))
            };
            (1, $x:ident, $y:ident, $z:ident) => {
                $y ^ ($z & ($x ^ $y))
            };
            (2, $x:ident, $y:ident, $z:ident) => {
                $x ^ $y ^ $z
            };
            (3, $x:ident, $y:ident, $z:ident) => {
                $y ^ ($x | !$z)
            };
        }
        macro_rules! step {
            ($round:tt, $step:expr, $word:expr, $a:ident, $b:ident, $c:ident, $d:ident) => {
                let word = u32x16::simd_from(simd, message[$word % 16]);
                let sum = $a + word + SINE[16 * $round + $step] + mix!($round, $b, $c, $d);
                let left = const { ROTATE[$round][$step % 4] };
                $a = $b + (sum << left | sum >> (32 - left));
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
        a += before.0;
        b += before.1;
        c += before.2;
        d += before.3;
    }
    *states = [*a, *b, *c, *d];
}

#[cfg(test)]
mod tests {
    use md5::{Digest as _, Md5};

    use super::*;

    const LENGTHS: [usize; 18] =
        [0, 1, 55, 56, 63, 64, 65, 119, 120, 128, 5_000, 64, 63, 62, 70_000, 300, 300, 0];

    #[test]
    fn messages_side_by_side_have_their_own_digests() {
        let bytes: Vec<u8> = (0..70_000_u32).map(|number| (number * 7 % 251) as u8).collect();
        for count in 0..=LENGTHS.len() {
            for largest in [1, 7, 63, 64, 65, 4_096, 100_000] {
                let messages = LENGTHS[..count].iter().map(|length| Message {
                    state: START,
                    parts: bytes[..*length].chunks(largest).collect(),
                    length: Some(*length as u64),
                });
                let mut messages: Vec<Message<'_>> = messages.collect();
                go_on(&mut messages);
                let digests: Vec<[u8; 16]> = messages.iter().map(|message| digest(message.state)).collect();
                let expected: Vec<[u8; 16]> =
                    LENGTHS[..count].iter().map(|length| Md5::digest(&bytes[..*length]).into()).collect();
                assert_eq!(digests, expected, "{count} messages in parts of {largest}");
            }
        }
    }

    #[test]
    fn a_message_goes_on_where_it_was_left() {
        let bytes: Vec<u8> = (0..10_000_u32).map(|number| (number * 7 % 251) as u8).collect();
        for others in [0, 1, 5, 12] {
            for middle in [0, 64, 6_400] {
                let (head, tail) = bytes.split_at(middle);
                let other = || Message { state: START, parts: vec![&bytes[..777]], length: Some(777) };
                let mut messages = vec![Message { state: START, parts: vec![head], length: None }];
                messages.extend((0..others).map(|_| other()));
                go_on(&mut messages);
                messages[0] = Message { state: messages[0].state, parts: vec![tail], length: Some(10_000) };
                for message in &mut messages[1..] {
                    assert_eq!(digest(message.state), *Md5::digest(&bytes[..777]));
                    *message = other();
                }
                go_on(&mut messages);
                assert_eq!(digest(messages[0].state), *Md5::digest(&bytes), "{others} others, {middle}");
            }
        }
    }
}

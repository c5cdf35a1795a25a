//! MD5 (RFC 1321) of several messages side by side.
//!
//! Each step of MD5 needs the one before, so that a processor mostly waits. Messages do not need each other:
//! eight at a time fill its vector registers, and take a quarter of the time. (Written with arrays, the compiler
//! makes no vectors of it; hence `wide`.)

use md5::{Digest as _, Md5};
use wide::u32x8;

/// How many messages at a time: two vectors of four words, which every x86-64 and AArch64 has.
const LANES: usize = 8;

/// From how many on that is quicker than one by one.
const LEAST: usize = 3;

const BLOCK: usize = 64;

/// The digest of each message.
pub(super) fn md5(messages: &[&[u8]]) -> Vec<[u8; 16]> {
    if messages.len() < LEAST {
        return messages.iter().map(|message| Md5::digest(message).into()).collect();
    }
    let mut digests = vec![[0; 16]; messages.len()];
    // The longest first, so that the lanes end at about the same time.
    let mut order: Vec<usize> = (0..messages.len()).collect();
    order.sort_by_key(|number| messages[*number].len());
    let mut lanes: [Option<Lane<'_>>; LANES] = [const { None }; LANES];
    let mut state = START.map(u32x8::splat);
    loop {
        for (number, lane) in lanes.iter_mut().enumerate().filter(|(_, lane)| lane.is_none()) {
            if let Some(message) = order.pop() {
                *lane = Some(Lane::new(message, messages[message]));
                for (words, start) in state.iter_mut().zip(START) {
                    words.as_mut_array()[number] = start;
                }
            }
        }
        match lanes.iter().flatten().count() {
            0 => return digests,
            _ => {
                let turns = lanes.iter().flatten().map(Lane::left).min().unwrap_or(0);
                for _ in 0..turns {
                    let blocks = lanes.each_mut().map(|lane| lane.as_mut().map_or(&[0; BLOCK], Lane::next));
                    compress(&mut state, blocks);
                }
                for (number, lane) in lanes.iter_mut().enumerate() {
                    if let Some(ended) = lane.take_if(|lane| lane.left() == 0) {
                        digests[ended.message] = digest(state.map(|words| words.to_array()[number]));
                    }
                }
            }
        }
    }
}

/// A message and how far it has come.
struct Lane<'a> {
    message: usize,
    whole: std::slice::Iter<'a, [u8; BLOCK]>,
    /// The rest of the message, a bit, zeros and the length (RFC 1321, 3.1 and 3.2): one or two blocks.
    end: [[u8; BLOCK]; 2],
    next_end: usize,
}

impl<'a> Lane<'a> {
    fn new(message: usize, bytes: &'a [u8]) -> Lane<'a> {
        let (whole, rest) = bytes.as_chunks();
        let mut end = [[0; BLOCK]; 2];
        let bits = (bytes.len() as u64).wrapping_mul(8).to_le_bytes();
        end[0][..rest.len()].copy_from_slice(rest);
        end[0][rest.len()] = 0x80;
        let next_end = usize::from(rest.len() < BLOCK - 8);
        if next_end == 1 {
            end.swap(0, 1);
        }
        end[1][BLOCK - 8..].copy_from_slice(&bits);
        Lane { message, whole: whole.iter(), end, next_end }
    }

    fn left(&self) -> usize {
        self.whole.len() + 2 - self.next_end
    }

    /// There is one.
    fn next(&mut self) -> &[u8; BLOCK] {
        match self.whole.next() {
            Some(block) => block,
            None => {
                self.next_end += 1;
                &self.end[self.next_end - 1]
            }
        }
    }
}

fn digest(words: [u32; 4]) -> [u8; 16] {
    let mut digest = [0; 16];
    for (bytes, word) in digest.chunks_mut(4).zip(words) {
        bytes.copy_from_slice(&word.to_le_bytes());
    }
    digest
}

/// RFC 1321, 3.3.
const START: [u32; 4] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];

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

#[inline(always)]
fn rotate<const LEFT: u32>(words: u32x8) -> u32x8 {
    words << LEFT | words >> (32 - LEFT)
}

/// One block of each lane (RFC 1321, 3.4).
fn compress(state: &mut [u32x8; 4], blocks: [&[u8; BLOCK]; LANES]) {
    let mut message = [[0; LANES]; 16];
    for (lane, block) in blocks.iter().enumerate() {
        for (word, bytes) in message.iter_mut().zip(block.as_chunks::<4>().0) {
            word[lane] = u32::from_le_bytes(*bytes);
        }
    }
    let message = message.map(u32x8::new);
    let [mut a, mut b, mut c, mut d] = *state;
    macro_rules! step {
        ($mix:expr, $round:literal, $step:literal, $word:expr, $a:ident, $b:ident, $c:ident, $d:ident) => {
            $a = $a + message[$word] + u32x8::splat(SINE[16 * $round + $step]) + $mix($b, $c, $d);
            $a = $b + rotate::<{ ROTATE[$round][$step % 4] }>($a);
        };
    }
    macro_rules! round {
        ($round:literal, $factor:literal, $offset:literal, $mix:expr) => {
            round!($round, $factor, $offset, $mix, 0, 1, 2, 3);
            round!($round, $factor, $offset, $mix, 4, 5, 6, 7);
            round!($round, $factor, $offset, $mix, 8, 9, 10, 11);
            round!($round, $factor, $offset, $mix, 12, 13, 14, 15);
        };
        ($round:literal, $factor:literal, $offset:literal, $mix:expr, $p:literal, $q:literal, $r:literal, $s:literal) => {
            step!($mix, $round, $p, ($factor * $p + $offset) % 16, a, b, c, d);
            step!($mix, $round, $q, ($factor * $q + $offset) % 16, d, a, b, c);
            step!($mix, $round, $r, ($factor * $r + $offset) % 16, c, d, a, b);
            step!($mix, $round, $s, ($factor * $s + $offset) % 16, b, c, d, a);
        };
    }
    round!(0, 1, 0, |b: u32x8, c: u32x8, d: u32x8| d ^ (b & (c ^ d)));
    round!(1, 5, 1, |b: u32x8, c: u32x8, d: u32x8| c ^ (d & (b ^ c)));
    round!(2, 3, 5, |b: u32x8, c: u32x8, d: u32x8| b ^ c ^ d);
    round!(3, 7, 0, |b: u32x8, c: u32x8, d: u32x8| c ^ (b | !d));
    *state = [state[0] + a, state[1] + b, state[2] + c, state[3] + d];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_side_by_side_have_their_own_digests() {
        let bytes: Vec<u8> = (0..70_000_u32).map(|number| (number * 7 % 251) as u8).collect();
        let lengths = [0, 1, 55, 56, 63, 64, 65, 119, 120, 128, 5_000, 64, 63, 62, 70_000, 300, 300, 0];
        for count in 0..=lengths.len() {
            let messages: Vec<&[u8]> = lengths[..count].iter().map(|length| &bytes[..*length]).collect();
            let expected: Vec<[u8; 16]> = messages.iter().map(|bytes| Md5::digest(bytes).into()).collect();
            assert_eq!(md5(&messages), expected);
        }
    }
}

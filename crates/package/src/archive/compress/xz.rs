//! One xz stream (<https://tukaani.org/xz/xz-file-format.txt>), compressed by several threads.
//!
//! liblzma's multi-threaded encoder cuts the input into blocks of fixed size, so that the bytes do not depend on
//! the number of threads. A stream that goes on behind a seam is put together here: header and blocks of the
//! head, blocks of the tail, and an index of both (section 4).

use std::io::{self, Write};
use std::num::NonZeroUsize;

use flate2::Crc;
use liblzma::stream::{Action, Check, Filters, LzmaOptions, MtStreamBuilder, Status, Stream};

/// How much compressed output is passed on at a time.
const OUTPUT: usize = 64 << 10;

/// Of a stream header, and of a footer (section 2.1).
const HEADER: usize = 12;

/// Compresses into one stream.
pub(super) struct Encoder<W> {
    out: W,
    stream: Stream,
    buffer: Vec<u8>,
}

/// Where a stream goes on: the index of the blocks written.
#[derive(Debug)]
pub(super) struct Seam {
    level: u8,
    records: Vec<Record>,
}

/// What the index says of a block: its size without padding, and that of its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Record {
    unpadded: u64,
    uncompressed: u64,
}

impl<W: Write> Encoder<W> {
    pub(super) fn new(level: u8, threads: NonZeroUsize, budget: u64, out: W) -> io::Result<Encoder<W>> {
        let mut builder = builder(level, dictionary(level))?;
        let stream = builder.threads(threads_within(level, threads, budget)?).encoder()?;
        Ok(Encoder { out, stream, buffer: Vec::with_capacity(OUTPUT) })
    }

    /// For `size` bytes in all.
    pub(super) fn small(level: u8, size: usize, out: W) -> io::Result<Encoder<W>> {
        let stream = builder(level, dictionary_for(size, level))?.threads(1).encoder()?;
        Ok(Encoder { out, stream, buffer: Vec::with_capacity(OUTPUT) })
    }

    pub(super) fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let before = self.stream.total_in();
            self.stream.process_vec(bytes, &mut self.buffer, Action::Run)?;
            bytes = &bytes[(self.stream.total_in() - before) as usize..];
            if self.buffer.len() == self.buffer.capacity() || !bytes.is_empty() {
                self.pass_on()?;
            }
        }
        Ok(())
    }

    pub(super) fn finish(mut self) -> io::Result<W> {
        self.end(Action::Finish)?;
        Ok(self.out)
    }

    /// Ends the block and leaves the stream open; nothing of the index is in `out`.
    pub(super) fn seam(mut self, level: u8) -> io::Result<(W, Seam)> {
        self.end(Action::FullFlush)?;
        let mut end = Encoder { out: Vec::new(), stream: self.stream, buffer: self.buffer };
        end.end(Action::Finish)?;
        Ok((self.out, Seam { level, records: records(&end.out)? }))
    }

    fn end(&mut self, action: Action) -> io::Result<()> {
        loop {
            let status = self.stream.process_vec(&[], &mut self.buffer, action)?;
            self.pass_on()?;
            if status == Status::StreamEnd {
                return Ok(());
            }
        }
    }

    fn pass_on(&mut self) -> io::Result<()> {
        self.out.write_all(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }
}

impl Seam {
    /// The blocks that hold `tail`, and the end of the stream.
    pub(super) fn tail(&self, tail: &[u8]) -> io::Result<Vec<u8>> {
        let filters = filters(self.level, dictionary_for(tail.len(), self.level))?;
        let stream = Stream::new_stream_encoder(&filters, Check::Crc64)?;
        let mut encoder = Encoder { out: Vec::new(), stream, buffer: Vec::with_capacity(OUTPUT) };
        encoder.write(tail)?;
        let whole = encoder.finish()?;

        let index = index_of(&whole)?;
        let mut records = self.records.clone();
        records.extend(self::records(index)?);
        let mut end = whole[HEADER..whole.len() - index.len()].to_vec();
        end.extend(index_and_footer(&records, &whole[6..8]));
        Ok(end)
    }
}

/// Index and footer at the end of a complete stream.
fn index_of(stream: &[u8]) -> io::Result<&[u8]> {
    let footer = stream.len().checked_sub(HEADER).ok_or_else(malformed)?;
    let stored = <[u8; 4]>::try_from(&stream[footer + 4..footer + 8]).map_err(|_| malformed())?;
    let length = (u32::from_le_bytes(stored) as usize + 1) * 4;
    footer.checked_sub(length).map(|start| &stream[start..]).ok_or_else(malformed)
}

/// The records of an index (section 4.3).
fn records(index: &[u8]) -> io::Result<Vec<Record>> {
    let [0, rest @ ..] = index else { return Err(malformed()) };
    let mut rest = rest;
    let count = number(&mut rest)?;
    (0..count)
        .map(|_| Ok(Record { unpadded: number(&mut rest)?, uncompressed: number(&mut rest)? }))
        .collect()
}

/// A number of seven bits a byte, the lowest first (section 1.2).
fn number(bytes: &mut &[u8]) -> io::Result<u64> {
    let mut number = 0;
    for shift in (0..63).step_by(7) {
        let [byte, rest @ ..] = bytes else { return Err(malformed()) };
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(number);
        }
    }
    Err(malformed())
}

fn put_number(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Sections 4 and 2.1.2; `flags` are the two bytes of the stream header that the footer repeats.
fn index_and_footer(records: &[Record], flags: &[u8]) -> Vec<u8> {
    let mut index = vec![0];
    put_number(records.len() as u64, &mut index);
    for record in records {
        put_number(record.unpadded, &mut index);
        put_number(record.uncompressed, &mut index);
    }
    index.resize(index.len().next_multiple_of(4), 0);
    index.extend(crc32(&index));
    let mut footer = (index.len() as u32 / 4 - 1).to_le_bytes().to_vec();
    footer.extend(flags);
    index.extend(crc32(&footer));
    index.extend(footer);
    index.extend(b"YZ");
    index
}

fn crc32(bytes: &[u8]) -> [u8; 4] {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc.sum().to_le_bytes()
}

fn malformed() -> io::Error {
    io::Error::other("liblzma wrote an index that is none")
}

/// What `threads` take, in bytes.
pub(super) fn memory(level: u8, threads: NonZeroUsize) -> io::Result<u64> {
    Ok(builder(level, dictionary(level))?.threads(count(threads)).memusage())
}

/// As many threads as fit into `budget` bytes, at least one.
fn threads_within(level: u8, threads: NonZeroUsize, budget: u64) -> io::Result<u32> {
    let mut builder = builder(level, dictionary(level))?;
    let mut count = count(threads);
    while count > 1 && builder.threads(count).memusage() > budget {
        count -= 1;
    }
    Ok(count)
}

fn count(threads: NonZeroUsize) -> u32 {
    u32::try_from(threads.get()).unwrap_or(u32::MAX).clamp(1, 64)
}

fn builder(level: u8, dictionary: u64) -> io::Result<MtStreamBuilder> {
    let mut builder = MtStreamBuilder::new();
    // CRC64 is xz's default check, and dpkg and rpm verify it.
    builder.filters(filters(level, dictionary)?).check(Check::Crc64).block_size(block(level));
    Ok(builder)
}

fn filters(level: u8, dictionary: u64) -> io::Result<Filters> {
    let mut options = LzmaOptions::new_preset(u32::from(level))?;
    options.dict_size(dictionary as u32);
    let mut filters = Filters::new();
    filters.lzma2(&options);
    Ok(filters)
}

/// What `size` bytes need of a level's dictionary; the least is 4 KiB (lzma(3)).
fn dictionary_for(size: usize, level: u8) -> u64 {
    (size.next_power_of_two() as u64).clamp(4 << 10, dictionary(level))
}

/// Blocks of twice the dictionary, at least 1 MiB. liblzma would take three times (xz(1), `--block-size`), which
/// is 0.4 % smaller at level 2 and takes 12 MiB more for two threads.
fn block(level: u8) -> u64 {
    (2 * dictionary(level)).max(1 << 20)
}

/// The dictionaries are those of xz(1).
fn dictionary(level: u8) -> u64 {
    match level {
        0 => 256 << 10,
        1 => 1 << 20,
        2 => 2 << 20,
        3..=4 => 4 << 20,
        5..=6 => 8 << 20,
        7 => 16 << 20,
        8 => 32 << 20,
        _ => 64 << 20,
    }
}

//! Streams that hold bytes as they are, so that their length depends on the bytes' number alone.
//!
//! What such a stream holds can be filled in when it is known, while what is behind it is written already. All
//! four kinds may stand between others of their kind, and a reader goes on from one to the next:
//!
//! | stream | how bytes are stored | concatenation |
//! |---|---|---|
//! | none | as they are | – |
//! | gzip | stored blocks (RFC 1951, 3.2.4) | RFC 1952, 2.2 |
//! | xz | uncompressed LZMA2 chunks (xz's file format, 5.3.1; LZMA SDK) | xz's file format, 2 |
//! | zstd | raw blocks (RFC 8878, 3.1.1.2.2) | RFC 8878, 3.1 |

use flate2::Crc;

use super::{Compression, gzip};

/// A whole stream of the compression's kind that holds `bytes`.
pub(crate) fn stored(compression: Compression, bytes: &[u8]) -> Vec<u8> {
    match compression {
        Compression::None => bytes.to_vec(),
        Compression::Gzip(_) => gzip::store(bytes),
        Compression::Xz(_) => xz(bytes),
        Compression::Zstd(_) => zstd(bytes),
        // It can store nothing; its user stores by gzip.
        Compression::Bzip2(_) => gzip::store(bytes),
    }
}

/// A frame of raw blocks, without a checksum: what it holds has one of its own.
fn zstd(bytes: &[u8]) -> Vec<u8> {
    // The largest block, and a window of as much: a larger window would allow no larger block (RFC 8878, 3.1.1.2.4).
    const BLOCK: usize = 128 << 10;
    const WINDOW_OF_128_KIB: u8 = (17 - 10) << 3;
    const HAS_SIZE_OF_4_BYTES: u8 = 2 << 6;
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, HAS_SIZE_OF_4_BYTES, WINDOW_OF_128_KIB];
    frame.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
    let count = bytes.len().div_ceil(BLOCK).max(1);
    for number in 0..count {
        let block = &bytes[number * BLOCK..bytes.len().min((number + 1) * BLOCK)];
        // Three bytes: whether it is the last, its type (0 is raw), its size.
        let header = ((block.len() as u32) << 3) | u32::from(number + 1 == count);
        frame.extend_from_slice(&header.to_le_bytes()[..3]);
        frame.extend_from_slice(block);
    }
    frame
}

/// A stream of one block of uncompressed chunks.
fn xz(bytes: &[u8]) -> Vec<u8> {
    const CHUNK: usize = 64 << 10;
    const CRC32: [u8; 2] = [0, 1];
    let mut stream = vec![0xfd, b'7', b'z', b'X', b'Z', 0];
    stream.extend_from_slice(&CRC32);
    stream.extend_from_slice(&crc32(&CRC32));

    let block_start = stream.len();
    // Of twelve bytes (two times four beyond the first four): LZMA2 with one byte of properties, a dictionary of 4
    // KiB, which is the smallest.
    let header = [2, 0, 0x21, 1, 0, 0, 0, 0];
    stream.extend_from_slice(&header);
    stream.extend_from_slice(&crc32(&header));
    for (number, chunk) in bytes.chunks(CHUNK).enumerate() {
        // The first chunk resets the dictionary.
        stream.push(if number == 0 { 1 } else { 2 });
        stream.extend_from_slice(&((chunk.len() - 1) as u16).to_be_bytes());
        stream.extend_from_slice(chunk);
    }
    stream.push(0);
    let padding = (stream.len() - block_start).next_multiple_of(4) - (stream.len() - block_start);
    let unpadded = stream.len() - block_start + 4;
    stream.resize(stream.len() + padding, 0);
    stream.extend_from_slice(&crc32(bytes));

    let mut index = vec![0, 1];
    push_number(&mut index, unpadded as u64);
    push_number(&mut index, bytes.len() as u64);
    index.resize(index.len().next_multiple_of(4), 0);
    stream.extend_from_slice(&index);
    stream.extend_from_slice(&crc32(&index));

    let mut footer = ((index.len() + 4) as u32 / 4 - 1).to_le_bytes().to_vec();
    footer.extend_from_slice(&CRC32);
    stream.extend_from_slice(&crc32(&footer));
    stream.extend_from_slice(&footer);
    stream.extend_from_slice(b"YZ");
    stream
}

/// Seven bits a byte, the lowest first, the highest bit set in all but the last (xz's file format, 1.2).
fn push_number(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn crc32(bytes: &[u8]) -> [u8; 4] {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc.sum().to_le_bytes()
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn what_is_stored_between_two_streams_comes_back_in_its_place() {
        let resources = crate::Resources { threads: std::num::NonZeroUsize::MIN };
        let compressed = |compression| {
            let mut encoder = super::super::Encoder::new(compression, resources, Vec::new()).unwrap();
            std::io::Write::write_all(&mut encoder, b"around").unwrap();
            encoder.finish().unwrap()
        };
        for length in [0, 1, 65_536, 131_072, 131_073, 300_001] {
            let bytes: Vec<u8> = (0..length).map(|n: u32| (n % 251) as u8).collect();
            for compression in [Compression::GZIP, Compression::XZ, Compression::ZSTD] {
                let around = compressed(compression);
                let stored = stored(compression, &bytes);
                assert_eq!(stored.len(), super::stored(compression, &vec![0; bytes.len()]).len());
                let streams = [&around[..], &stored, &around].concat();
                let mut read = Vec::new();
                match compression {
                    Compression::Gzip(_) => {
                        flate2::read::MultiGzDecoder::new(&streams[..]).read_to_end(&mut read)
                    }
                    Compression::Xz(_) => {
                        liblzma::read::XzDecoder::new_multi_decoder(&streams[..]).read_to_end(&mut read)
                    }
                    _ => zstd::Decoder::new(&streams[..]).unwrap().read_to_end(&mut read),
                }
                .unwrap();
                assert!(
                    read == [b"around", &bytes[..], b"around"].concat(),
                    "{compression:?}, {length} bytes"
                );
            }
        }
    }

    #[test]
    fn nothing_is_added_without_compression() {
        assert_eq!(stored(Compression::None, b"as it is"), b"as it is");
    }
}

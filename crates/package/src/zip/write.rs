//! Writes the archive: each file is read once and compressed into its place; its header, whose length is known
//! beforehand, is filled in when checksum and length are.
//!
//! A file beyond one chunk is compressed by the threads that compress gzip: a gzip member is a header of ten bytes,
//! deflate, checksum and length, so that all a zip needs is in it (RFC 1952, 2.3). A smaller one is compressed in
//! memory, and stored when that is no longer.

use std::io::{self, SeekFrom, Write};

use flate2::{Compress, Crc, FlushCompress, Status};

use super::record::{self, Method, Record};
use crate::archive::compress::{Compression, gzip};
use crate::file_tree::Kind;
use crate::format::Output;
use crate::{Content, Entry, Error, Package, PackagePath, Resources, Result, Timestamp, content};

/// Compressed in memory up to here: what gzip's threads take as one chunk.
const SMALL: u64 = 256 << 10;

/// Deflate adds five bytes to 65,535 of what it cannot compress (RFC 1951, 3.2.4); from here on the compressed length
/// might not fit 32 bits.
const LARGE: u64 = (4 << 30) - (16 << 20);

/// Writes the files of `package` to `out`.
pub(super) fn write(package: &Package, resources: Resources, out: &mut dyn Output) -> Result<()> {
    package.check()?;
    crate::tar::stem("zip", &package.metadata)?;
    let level = match package.options.compression.unwrap_or(Compression::GZIP) {
        Compression::None => None,
        Compression::Gzip(level) if (1..=9).contains(&level) => Some(level),
        other => {
            let value = other.name().to_owned();
            let reason = "readers of zip know gzip's deflate, and none";
            return Err(Error::Option { format: "zip", option: "the compression", value, reason });
        }
    };
    let mut archive =
        Archive { out, offset: 0, level, resources, time: package.timestamp, records: Vec::new() };
    for (path, entry) in package.files.iter() {
        check(path, entry)?;
        archive.add(path, entry)?;
    }
    archive.finish()
}

/// What a zip cannot hold, or readers take for different things.
fn check(path: &PackagePath, entry: &Entry) -> Result<()> {
    let refuse = |reason| Err(Error::FileName { path: path.clone(), format: "zip", reason });
    if std::str::from_utf8(path.as_bytes()).is_err() {
        return refuse("its names are UTF-8; readers take other bytes for characters of IBM's code page 437");
    }
    if path.as_bytes().contains(&b'\\') {
        return refuse("some readers take `\\` for `/`");
    }
    if entry.capabilities.is_some() {
        return refuse("it has no place for capabilities");
    }
    Ok(())
}

struct Archive<'a> {
    out: &'a mut dyn Output,
    /// Bytes written.
    offset: u64,
    /// deflate's; `None` to store.
    level: Option<u8>,
    resources: Resources,
    time: Timestamp,
    records: Vec<Record>,
}

impl Archive<'_> {
    fn add(&mut self, path: &PackagePath, entry: &Entry) -> Result<()> {
        const FILE: u32 = 0o100_000;
        const DIRECTORY: u32 = 0o040_000;
        const SYMLINK: u32 = 0o120_000;
        let mut record = Record {
            name: path.as_bytes().to_vec(),
            method: Method::Stored,
            crc: 0,
            compressed: 0,
            size: 0,
            modified: entry.inherited.modified.unwrap_or(self.time),
            mode: FILE | u32::from(entry.mode),
            is_directory: false,
            offset: self.offset,
            is_large: false,
        };
        match &entry.kind {
            Kind::File { content, size, .. } => self.add_file(record, content, *size),
            Kind::Ghost => Ok(()),
            Kind::Directory => {
                record.name.push(b'/');
                record.is_directory = true;
                record.mode = DIRECTORY | u32::from(entry.mode);
                self.put(record, b"")
            }
            Kind::Symlink { target } => {
                record.mode = SYMLINK | 0o777;
                record.crc = crc(target);
                self.put(record, target)
            }
        }
    }

    fn add_file(&mut self, mut record: Record, content: &Content, size: u64) -> Result<()> {
        record.size = size;
        if size <= SMALL {
            let mut bytes = Vec::with_capacity(size as usize);
            content::read(content, size, |piece| {
                bytes.extend_from_slice(piece);
                Ok(())
            })?;
            record.crc = crc(&bytes);
            if let Some(level) = self.level {
                let deflated = deflate(level, &bytes)?;
                if deflated.len() < bytes.len() {
                    record.method = Method::Deflated;
                    bytes = deflated;
                }
            }
            return self.put(record, &bytes);
        }
        record.is_large = size >= LARGE;
        record.method = if self.level.is_some() { Method::Deflated } else { Method::Stored };
        let header = record.local();
        self.out.write_all(&header)?;
        (record.compressed, record.crc) = match self.level {
            Some(level) => {
                let body = Body {
                    out: &mut *self.out,
                    skip: gzip::header(level).len(),
                    held: Vec::new(),
                    written: 0,
                };
                let mut encoder = gzip::Encoder::new(level, self.resources.threads, body)?;
                content::read(content, size, |piece| Ok(encoder.write_all(piece)?))?;
                let body = encoder.finish()?;
                let trailer: [u8; 4] = body.held[..4].try_into().expect("a member ends with eight bytes");
                (body.written, u32::from_le_bytes(trailer))
            }
            None => {
                let mut crc = Crc::new();
                let out = &mut *self.out;
                content::read(content, size, |piece| {
                    crc.update(piece);
                    Ok(out.write_all(piece)?)
                })?;
                (size, crc.sum())
            }
        };
        let end = self.offset + header.len() as u64 + record.compressed;
        self.out.seek(SeekFrom::Start(self.offset))?;
        self.out.write_all(&record.local())?;
        self.out.seek(SeekFrom::Start(end))?;
        self.offset = end;
        self.records.push(record);
        Ok(())
    }

    /// Adds an entry that is in memory.
    fn put(&mut self, mut record: Record, bytes: &[u8]) -> Result<()> {
        record.compressed = bytes.len() as u64;
        if record.method == Method::Stored {
            record.size = record.compressed;
        }
        let header = record.local();
        self.out.write_all(&header)?;
        self.out.write_all(bytes)?;
        self.offset += (header.len() + bytes.len()) as u64;
        self.records.push(record);
        Ok(())
    }

    fn finish(self) -> Result<()> {
        let mut directory = Vec::new();
        for record in &self.records {
            directory.extend(record.central());
        }
        self.out.write_all(&directory)?;
        let count = self.records.len() as u64;
        self.out.write_all(&record::end(count, directory.len() as u64, self.offset))?;
        Ok(self.out.flush()?)
    }
}

/// A gzip member's deflate: without the header, and with the last eight bytes held back.
struct Body<'a> {
    out: &'a mut dyn Output,
    /// Bytes of the header that are to come.
    skip: usize,
    held: Vec<u8>,
    written: u64,
}

impl Write for Body<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        const TRAILER: usize = 8;
        let skipped = self.skip.min(bytes.len());
        self.skip -= skipped;
        self.held.extend_from_slice(&bytes[skipped..]);
        let ready = self.held.len().saturating_sub(TRAILER);
        self.out.write_all(&self.held[..ready])?;
        self.written += ready as u64;
        self.held.drain(..ready);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn crc(bytes: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc.sum()
}

fn deflate(level: u8, bytes: &[u8]) -> Result<Vec<u8>> {
    let mut compress = Compress::new(flate2::Compression::new(u32::from(level)), false);
    let mut deflated = Vec::with_capacity(bytes.len() / 2 + 64);
    loop {
        let consumed = compress.total_in() as usize;
        let status = compress
            .compress_vec(&bytes[consumed..], &mut deflated, FlushCompress::Finish)
            .map_err(io::Error::from)?;
        if status == Status::StreamEnd {
            return Ok(deflated);
        }
        deflated.reserve(bytes.len() / 4 + 64);
    }
}

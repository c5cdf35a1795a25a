//! Packages written together: what they have in common is read, hashed and compressed once.
//!
//! A package file is an archive of the files, compressed, between parts that only this package has. [`Parts`] is
//! how a format says so, and [`write_all`] does the rest:
//!
//! ```text
//!             ┌─ MD5 ──────────────────────────────┐ digests of the files
//! reader ─────┼─ SHA-256 ──────────────────────────┤
//! each file   ├─ tar  → xz   → first deb ── copied ─┼→ other debs with the same files
//! once        └─ cpio → gzip → first rpm ── copied ─┴→ other rpms with the same files
//! ```
//!
//! **Equal archives** are those whose members have equal headers and equal contents: the same file, or small files
//! of the same bytes. Compressed alike they are compressed once, and copied (by the file system, where it can)
//! into the others. What names the version or the target, such as a deb's changelog, comes behind the seam: each
//! package's tail ends the compressed stream. The bytes of a package do not depend on what it is written with.
//!
//! What fits into one batch is read, hashed and compressed one after the other: threads take longer to start.
//!
//! **Memory.** Streams that are written at a time share what one may take by itself, so that a process stays
//! below 100 MiB at the default levels; where that would take threads from the slowest, streams wait for each
//! other and files are read again (`share.rs`). Each package's tree is in memory: some 10 MB for 20,000 files.
//!
//! | module | holds |
//! |---|---|
//! | `reader` | reads files into batches, for all who want them |
//! | `digest`, `hashes` | hash batches, and whole archives |
//! | `stream` | makes an archive of batches and compresses it |
//! | `share` | who is written at a time, with how many threads |

mod digest;
mod hashes;
mod reader;
mod share;
mod stream;

use std::io::{self, SeekFrom};

use fs_err as fs;

pub use digest::Digest;
pub use hashes::{Hashes, Hashing};

use crate::archive::compress::{Compression, Seam, Share};
use crate::format::Output;
use crate::{Content, Error, Format, Package, PackagePath, Resources, Result, content};

/// The archive of a package's files: what is compressed, and what packages have in common.
pub trait Archive: Send + Sync {
    /// How many members there are.
    fn members(&self) -> usize;

    /// What a member holds, for those that are read from somewhere, and its place in the order of reading:
    /// archives whose contents are sorted by path are read together.
    fn content(&self, member: usize) -> Option<Contents<'_>>;

    /// Appends to `out` what comes between the content before it and this member's own, when the archive is
    /// `position` bytes long.
    ///
    /// # Errors
    /// When the format cannot say what the member is.
    fn front(&self, member: usize, position: u64, out: &mut Vec<u8>) -> Result<()>;

    /// Appends what comes behind the last member, when the archive is `position` bytes long.
    ///
    /// # Errors
    /// When memory is short.
    fn end(&self, position: u64, out: &mut Vec<u8>) -> Result<()>;
}

/// What a member holds.
#[derive(Clone, Copy, Debug)]
pub struct Contents<'a> {
    /// Its path in the package.
    pub path: &'a PackagePath,
    /// Where its bytes come from.
    pub content: &'a Content,
    /// How many there must be.
    pub size: u64,
}

/// How an archive is to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stream {
    /// How it is compressed.
    pub compression: Compression,
    /// Of each file, sorted.
    pub digests: &'static [Digest],
    /// Which digests of the archive are wanted, compressed and not.
    pub hashing: Hashing,
    /// Whether a tail follows: the compressed stream is left open.
    pub has_tail: bool,
    /// Which format's, and how many compressed bytes it can say.
    pub limit: Option<(&'static str, u64)>,
}

/// A package as it is written: its archive, and what only it has.
pub trait Parts: Send {
    /// The archive.
    fn archive(&self) -> &dyn Archive;

    /// How the archive is to be written.
    fn stream(&self) -> Stream;

    /// Where in the file the archive starts.
    fn start(&self) -> u64;

    /// Writes everything else, once the archive is in its place.
    ///
    /// # Errors
    /// When `out` fails, and when the format cannot say how large something has become.
    fn finish(self: Box<Self>, archive: &Written, out: &mut dyn Output) -> Result<()>;
}

/// An archive that has been written.
#[derive(Debug)]
pub struct Written {
    /// Of each member, by its number; `None` for those without content.
    pub facts: Vec<Option<Fact>>,
    /// How many bytes it takes in the package, up to the seam if it has a tail.
    pub size: u64,
    /// How many bytes were compressed.
    pub archive_size: u64,
    /// The digests of its bytes in the package.
    pub hashes: Hashes,
    /// The digests of its bytes before compression.
    pub archive_hashes: Hashes,
    seam: Option<Seam>,
}

/// What is known of a file once it has been read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// Its digests, as the stream wants them, one behind the other.
    pub digest: Box<[u8]>,
    /// Its first bytes, at most [`START`].
    pub start: Vec<u8>,
}

/// How much of a file's start is kept: enough to tell ELF files apart.
pub const START: usize = 5;

impl Written {
    /// The rest of a stream with a tail: what holds `tail`, and the end.
    ///
    /// # Errors
    /// When memory is short.
    pub fn tail(&self, tail: &[u8]) -> io::Result<Vec<u8>> {
        self.seam.as_ref().map_or(Ok(Vec::new()), |seam| seam.tail(tail))
    }
}

/// A package to be written.
#[derive(Debug)]
pub struct Job<'a> {
    /// As what.
    pub format: Format,
    /// The package.
    pub package: &'a Package,
    /// An empty file that can be read, too.
    pub out: &'a mut fs::File,
}

/// What was done to write packages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// How many files were opened and read.
    pub files_read: u64,
    /// How many bytes were read from them.
    pub bytes_read: u64,
    /// How many archives were compressed.
    pub streams_compressed: u64,
}

/// A package that shares its archive: the number of its job, its parts and its file.
type Member<'a> = (usize, Box<dyn Parts + 'a>, &'a mut fs::File);

/// Packages with the same archive, which is written into the file of the first.
type Group<'a> = Vec<Member<'a>>;

/// Writes packages together. Each has its own result, in the order of `jobs`: one that cannot be written does
/// not keep the others from it, unless what failed is what they have in common.
///
/// Formats that do not say which [`Parts`] they have are written one after the other.
pub fn write_all(jobs: Vec<Job<'_>>, resources: Resources) -> (Vec<Result<()>>, Report) {
    let mut results: Vec<Result<()>> = Vec::new();
    let mut report = Report::default();
    let mut shared: Vec<Member<'_>> = Vec::new();
    for (number, Job { format, package, out }) in jobs.into_iter().enumerate() {
        results.push(match format.get().parts(package) {
            Ok(Some(parts)) => {
                shared.push((number, parts, out));
                Ok(())
            }
            Ok(None) => format.get().write(package, resources, out),
            Err(error) => Err(error),
        });
    }

    let mut groups: Vec<Group<'_>> = Vec::new();
    for one in shared {
        match groups.iter_mut().find(|group| is_same(&*group[0].1, &*one.1)) {
            Some(group) => group.push(one),
            None => groups.push(vec![one]),
        }
    }
    let compressions: Vec<Compression> = groups.iter().map(|group| group[0].1.stream().compression).collect();
    let mut groups: Vec<Option<Vec<_>>> = groups.into_iter().map(Some).collect();
    for wave in share::waves(&compressions, resources) {
        let mut together: Vec<Group<'_>> =
            wave.iter().filter_map(|(group, _)| groups[*group].take()).collect();
        let written = write_wave(&mut together, &wave, &mut report);
        for (group, written) in together.into_iter().zip(written) {
            finish_group(group, written, &mut results);
        }
    }
    (results, report)
}

/// Writes one package by itself.
pub(crate) fn write_one(
    parts: Box<dyn Parts + '_>,
    resources: Resources,
    out: &mut dyn Output,
) -> Result<()> {
    out.seek(SeekFrom::Start(parts.start()))?;
    let stream = parts.stream();
    let share = Share { threads: resources.threads, memory: stream.compression.memory_budget() };
    let keep = share::left(&[(stream.compression, share)]);
    let written = reader::with_reader(&[(parts.archive(), stream.digests)], keep, |mut consumers| {
        let consumer = consumers.pop().expect("there is one archive");
        vec![stream::write(parts.archive(), stream, share, consumer, out)]
    })
    .0
    .pop()
    .expect("there is one archive")?;
    parts.finish(&written, out)?;
    out.flush()?;
    Ok(())
}

fn write_wave(
    groups: &mut [Group<'_>],
    wave: &[(usize, Share)],
    report: &mut Report,
) -> Vec<Result<Written>> {
    // Parts are only looked at while their archives are written; the file is written to.
    let mut archives: Vec<(&dyn Archive, Stream, u64)> = Vec::new();
    let mut outs = Vec::new();
    for group in groups.iter_mut() {
        let (_, parts, out) = &mut group[0];
        archives.push((parts.archive(), parts.stream(), parts.start()));
        outs.push(&mut **out);
    }
    let wanted: Vec<(&dyn Archive, &[Digest])> =
        archives.iter().map(|(archive, stream, _)| (*archive, stream.digests)).collect();
    let shares: Vec<(Compression, Share)> =
        archives.iter().zip(wave).map(|((_, stream, _), (_, share))| (stream.compression, *share)).collect();
    let (written, counted) = reader::with_reader(&wanted, share::left(&shares), |consumers| {
        std::thread::scope(|scope| {
            let shares = wave.iter().map(|(_, share)| *share);
            let each = archives.iter().zip(outs).zip(consumers).zip(shares);
            let mut writers = each.map(|(((&(archive, stream, start), out), consumer), share)| {
                let out: &mut fs::File = out;
                move || {
                    io::Seek::seek(out, SeekFrom::Start(start))?;
                    stream::write(archive, stream, share, consumer, out)
                }
            });
            // One is written by this thread, which has nothing else to do.
            let here = writers.next();
            let spawn = |write| std::thread::Builder::new().name("archive".into()).spawn_scoped(scope, write);
            let threads: Vec<_> = writers.map(spawn).collect();
            let here = here.map(|write| write());
            let joined = threads.into_iter().map(|thread| match thread {
                Ok(thread) => thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
                Err(error) => Err(error.into()),
            });
            here.into_iter().chain(joined).collect()
        })
    });
    report.files_read += counted.files_read;
    report.bytes_read += counted.bytes_read;
    report.streams_compressed += written.len() as u64;
    written
}

/// Completes packages whose archive is in the file of the first.
fn finish_group(group: Group<'_>, written: Result<Written>, results: &mut [Result<()>]) {
    let written = match written {
        Ok(written) => written,
        Err(error) => {
            for (number, ..) in &group[1..] {
                results[*number] = Err(content::again(&error));
            }
            results[group[0].0] = Err(error);
            return;
        }
    };
    let mut group = group.into_iter();
    let Some((number, parts, first)) = group.next() else { return };
    let start = parts.start();
    for (number, parts, out) in group {
        results[number] = copy(first, start, written.size, out, parts.start())
            .map_err(Error::from)
            .and_then(|()| parts.finish(&written, out));
    }
    results[number] = parts.finish(&written, first);
}

/// Copies within the file system where it can (`std::io::copy` between files calls copy_file_range(2)).
fn copy(from: &mut fs::File, start: u64, size: u64, to: &mut fs::File, position: u64) -> io::Result<()> {
    io::Seek::seek(from, SeekFrom::Start(start))?;
    io::Seek::seek(to, SeekFrom::Start(position))?;
    let mut part = io::Read::take(from.file(), size);
    match io::copy(&mut part, to.file_mut())? == size {
        true => Ok(()),
        false => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the package to copy from was cut short")),
    }
}

/// Whether the archives of two packages are the same bytes.
fn is_same(a: &dyn Parts, b: &dyn Parts) -> bool {
    let (one, other) = (a.archive(), b.archive());
    if a.stream() != b.stream() || one.members() != other.members() {
        return false;
    }
    let (mut front, mut other_front, mut position) = (Vec::new(), Vec::new(), 0);
    (0..one.members()).all(|member| {
        front.clear();
        other_front.clear();
        let fronts =
            (one.front(member, position, &mut front), other.front(member, position, &mut other_front));
        let contents = (one.content(member), other.content(member));
        position += front.len() as u64 + contents.0.map_or(0, |content| content.size);
        matches!(fronts, (Ok(()), Ok(())))
            && front == other_front
            && match contents {
                (None, None) => true,
                (Some(a), Some(b)) => a.size == b.size && a.path == b.path && content::is_same(&a, &b),
                _ => false,
            }
    })
}

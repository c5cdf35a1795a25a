//! The ETags that S3, and what speaks like it, gives: the MD5 digest of what it received; of an upload in parts, that
//! of the digests of the parts.
//!
//! MD5 takes longer than all else that is done with a package, unless several messages are hashed side by side. So the
//! files of a publication are [announced](Bucket::announce), and hashed together while requests are under way.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use md5::{Digest as _, Md5};
use packhouse_md5::{LANES, Message, START, State, digest, go_on};

use super::Bucket;
use crate::{Body, Error, Result, Sha256};

/// The size of a part. S3 wants at least 5 MiB, R2 the same for all but the last.
const PART: u64 = 8 << 20;
/// What is not longer goes in a single request: parts are for lines that break and for what is too long to be sent
/// twice, and cost two requests more and, at the server, putting them together.
pub(super) const SINGLE: u64 = 32 << 20;
/// S3's limit; a larger file has larger parts.
const MOST_PARTS: u64 = 10_000;
/// How much of a part is hashed at a time: a multiple of a block, and of all parts together what a cache holds.
const CHUNK: usize = 64 << 10;

/// How large the parts of a file are; of one that goes in a single request, the whole.
pub(super) fn part_size(size: u64) -> u64 {
    if size <= SINGLE {
        return SINGLE;
    }
    PART.max(size.div_ceil(MOST_PARTS).next_multiple_of(1 << 20))
}

/// The ETag that S3 gives, and the size.
#[derive(Clone)]
pub(super) struct Expected {
    pub(super) size: u64,
    /// The digest of what goes in one request.
    pub(super) whole: Option<[u8; 16]>,
    tag: String,
}

impl Expected {
    fn new(parts: &[[u8; 16]], size: u64) -> Expected {
        let (whole, tag) = match parts {
            [whole] if size <= SINGLE => (Some(*whole), hex(whole)),
            parts => (None, format!("{}-{}", hex(&Md5::digest(parts.concat()).into()), parts.len())),
        };
        Expected { size, whole, tag }
    }

    /// Whether the storage's ETag shows that it holds just these bytes.
    pub(super) fn is(&self, e_tag: Option<&str>) -> bool {
        e_tag.is_some_and(|e_tag| e_tag.trim_matches('"').eq_ignore_ascii_case(&self.tag))
    }
}

fn hex(digest: &[u8; 16]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The ETags of files, by what these hold. Whoever holds the lock is hashing.
pub(super) type Tags = Arc<tokio::sync::Mutex<BTreeMap<Sha256, Expected>>>;

impl Bucket {
    /// Begins to hash files that are going to be compared or sent in one request; whoever asks for an ETag waits until
    /// all are hashed. What cannot be read now is said by whoever asks. A large file is hashed when its ETag is asked
    /// for, its parts side by side, so that nobody waits for it.
    pub(in crate::store) fn announce<'a>(&self, bodies: impl IntoIterator<Item = &'a Body>) {
        let files = bodies.into_iter().filter_map(|body| match body {
            Body::File { path, sha256 } => Some((*sha256, path.clone())),
            Body::Bytes(_) => None,
        });
        let files: Vec<(Sha256, PathBuf)> = files.collect();
        // Another publication of the same site is hashing; these are hashed one by one.
        let Ok(mut known) = Arc::clone(&self.tags).try_lock_owned() else { return };
        tokio::task::spawn_blocking(move || {
            let is_small = |path: &Path| fs_err::metadata(path).is_ok_and(|meta| meta.len() <= SINGLE);
            let small = files.into_iter().filter(|(_, path)| is_small(path));
            let (digests, paths): (Vec<Sha256>, Vec<PathBuf>) = small.unzip();
            let found = digests.into_iter().zip(tags_of(&paths));
            known.extend(found.filter_map(|(sha256, tag)| Some((sha256, tag.ok()?))));
        });
    }

    /// What the ETag of an object with this body would be.
    pub(super) async fn expected_tag(&self, body: &Body) -> Result<Expected> {
        let (path, sha256) = match body {
            Body::Bytes(bytes) => return Ok(Expected::new(&[Md5::digest(bytes).into()], bytes.len() as u64)),
            Body::File { path, sha256 } => (path.clone(), sha256),
        };
        if let Some(known) = self.tags.lock().await.get(sha256) {
            return Ok(known.clone());
        }
        let file = path.clone();
        let hashing = tokio::task::spawn_blocking(move || tags_of(&[file]).remove(0));
        hashing.await.map_err(|_| Error::Stopped)?.map_err(|source| Error::Read { path, source })
    }
}

/// The ETag of each file.
fn tags_of(paths: &[PathBuf]) -> Vec<io::Result<Expected>> {
    let mut files: Vec<io::Result<Hashed>> = paths.iter().map(|path| Hashed::open(path)).collect();
    let mut waiting: VecDeque<Lane> = VecDeque::new();
    for (number, file) in files.iter().enumerate() {
        waiting.extend(file.iter().flat_map(|file| file.lanes(number)));
    }
    let mut lanes: Vec<Lane> = Vec::new();
    loop {
        lanes.extend(waiting.drain(..waiting.len().min(LANES - lanes.len())));
        lanes.retain_mut(|lane| match &files[lane.file] {
            Ok(file) => lane.read(&file.file).map_err(|error| files[lane.file] = Err(error)).is_ok(),
            Err(_) => false,
        });
        if lanes.is_empty() && waiting.is_empty() {
            break;
        }
        let mut messages: Vec<Message<'_>> = lanes.iter().map(Lane::message).collect();
        go_on(&mut messages);
        let mut states = messages.into_iter().map(|message| message.state).collect::<Vec<_>>().into_iter();
        lanes.retain_mut(|lane| {
            lane.state = states.next().unwrap_or(START);
            lane.done += lane.chunk.len() as u64;
            if let Ok(file) = &mut files[lane.file] {
                file.parts[lane.part] = digest(lane.state);
            }
            lane.done < lane.length
        });
    }
    files.into_iter().map(|file| file.map(|file| Expected::new(&file.parts, file.size))).collect()
}

/// A file under way.
struct Hashed {
    file: fs_err::File,
    size: u64,
    /// The digests of its parts; an empty file has one.
    parts: Vec<[u8; 16]>,
}

impl Hashed {
    fn open(path: &Path) -> io::Result<Hashed> {
        let file = fs_err::File::open(path)?;
        let size = file.metadata()?.len();
        let parts = usize::try_from(size.div_ceil(part_size(size)).max(1)).map_err(io::Error::other)?;
        Ok(Hashed { file, size, parts: vec![[0; 16]; parts] })
    }

    fn lanes(&self, file: usize) -> impl Iterator<Item = Lane> {
        let (size, part_size) = (self.size, part_size(self.size));
        (0..self.parts.len()).map(move |part| {
            let begin = part as u64 * part_size;
            let length = part_size.min(size - begin);
            Lane { file, part, begin, length, done: 0, state: START, chunk: Vec::new() }
        })
    }
}

/// A part of a file, as far as it is hashed.
struct Lane {
    file: usize,
    part: usize,
    begin: u64,
    length: u64,
    done: u64,
    state: State,
    /// What is hashed next.
    chunk: Vec<u8>,
}

impl Lane {
    fn read(&mut self, file: &fs_err::File) -> io::Result<()> {
        let next = usize::try_from(self.length - self.done).unwrap_or(CHUNK).min(CHUNK);
        self.chunk.resize(next, 0);
        file.file().read_exact_at(&mut self.chunk, self.begin + self.done)
    }

    fn message(&self) -> Message<'_> {
        let is_last = self.done + self.chunk.len() as u64 == self.length;
        Message::new(self.state, vec![&self.chunk], is_last.then_some(self.length))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_grow_with_the_file_so_that_there_are_never_too_many() {
        for size in [SINGLE + 1, 80 << 30, 5 << 40] {
            let part = part_size(size);
            assert!(size.div_ceil(part) <= MOST_PARTS, "{size}");
            assert_eq!(part % (1 << 20), 0);
        }
        assert_eq!(part_size(SINGLE + 1), PART);
        assert_eq!(part_size(30_000_000), SINGLE);
    }

    #[test]
    fn files_are_hashed_side_by_side_each_in_its_parts() {
        let directory = tempfile::tempdir().unwrap();
        let large = usize::try_from(SINGLE).unwrap() + 5;
        let sizes = [0, 1, 64, CHUNK, CHUNK + 1, 3 * CHUNK, large, 777, large + 100];
        let contents = sizes.map(|size| (0..size).map(|at| (at * 7 % 251) as u8).collect::<Vec<u8>>());
        let mut paths: Vec<PathBuf> = Vec::new();
        for (number, bytes) in contents.iter().enumerate() {
            paths.push(directory.path().join(number.to_string()));
            fs_err::write(&paths[number], bytes).unwrap();
        }
        paths.insert(3, directory.path().join("missing"));
        let mut tags = tags_of(&paths);
        assert_eq!(tags.remove(3).err().map(|error| error.kind()), Some(io::ErrorKind::NotFound));
        for (bytes, tag) in contents.iter().zip(tags) {
            let part = usize::try_from(part_size(bytes.len() as u64)).unwrap();
            let digests: Vec<[u8; 16]> = match bytes[..] {
                [] => vec![Md5::digest([]).into()],
                _ => bytes.chunks(part).map(|part| Md5::digest(part).into()).collect(),
            };
            let (tag, expected) = (tag.unwrap(), Expected::new(&digests, bytes.len() as u64));
            assert_eq!((tag.size, tag.tag), (expected.size, expected.tag));
        }
    }

    #[test]
    fn an_etag_is_compared_as_s3_makes_it() {
        let small = Expected::new(&[Md5::digest(b"abc").into()], 3);
        // RFC 1321's example.
        assert!(small.is(Some("\"900150983cd24fb0d6963f7d28e17f72\"")));
        assert!(!small.is(None) && !small.is(Some("\"1\"")));
    }
}

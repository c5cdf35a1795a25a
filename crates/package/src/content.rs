//! Reading the files of a package, once, while it is written; by a thread of its own for the formats that write
//! by themselves ([`with_reader`]; the others read [together](crate::together)).

use std::io::{self, Read};
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use fs_err as fs;
use fs_err::os::unix::fs::OpenOptionsExt as _;
use rustix::fs::{FileType, Mode, OFlags, Stat};

use crate::error::Change;
use crate::together::Contents;
use crate::{Content, Error, Result};

/// Passes the bytes of `content` on in order, and checks that they are `size` bytes.
///
/// Between the moment the tree was put together and now, somebody may have put a link or a named pipe in the
/// file's place: links are not followed (else a build could smuggle `/etc/shadow` into a package), and a pipe
/// is not waited for. Whoever writes to the file while it is read changes its times, by which half an old and
/// half a new file is told from a whole one.
///
/// # Errors
/// [`Error::Changed`] when the file has grown or shrunk, or was written to, [`Error::SpecialFile`] when it is no file any more,
/// whatever `sink` returns.
pub(crate) fn read(content: &Content, size: u64, mut sink: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
    match content {
        Content::Bytes(bytes) => sink(bytes),
        Content::Path(path) => {
            let (file, before) = open(path)?;
            let mut file_and_more = (&file).take(size.saturating_add(1));
            let mut buffer = vec![0; size.clamp(1, 256 << 10) as usize];
            let mut found = 0;
            loop {
                let count = match file_and_more.read(&mut buffer) {
                    Ok(count) => count as u64,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    Err(error) => return Err(error.into()),
                };
                found += count;
                if found > size || (count == 0 && found < size) {
                    let change = Change::Size { expected: size, found };
                    return Err(Error::Changed { path: path.clone(), change });
                }
                if count == 0 {
                    return match times(&stat(&file)?) == times(&before) {
                        true => Ok(()),
                        false => Err(Error::Changed { path: path.clone(), change: Change::Written }),
                    };
                }
                sink(&buffer[..count as usize])?;
            }
        }
    }
}

/// A file that is read, as [`read`] does it, by somebody who has a place for the bytes.
pub(crate) struct Opened<'a> {
    path: &'a Path,
    file: fs::File,
    before: Stat,
}

/// Opens files, most of them in the directory of the one before: that is kept open, and the kernel need not walk there
/// again.
#[derive(Default)]
pub(crate) struct Opener<'a> {
    /// That of the last file.
    directory: Option<&'a Path>,
    /// Open when a second file was in it.
    descriptor: Option<OwnedFd>,
}

impl<'a> Opener<'a> {
    /// Opens the file at `path`.
    pub(crate) fn open(&mut self, path: &'a Path) -> Result<Opened<'a>> {
        let (file, before) = match self.in_directory(path) {
            Some(file) => checked(file, path)?,
            None => open(path)?,
        };
        Ok(Opened { path, file, before })
    }

    /// The file, if its directory is that of the last one and has it; if not, `open` says why.
    fn in_directory(&mut self, path: &'a Path) -> Option<fs::File> {
        let directory = path.parent();
        if directory.map(Path::as_os_str) != self.directory.map(Path::as_os_str) {
            *self = Opener { directory, descriptor: None };
            return None;
        }
        let descriptor = match self.descriptor.take() {
            Some(descriptor) => descriptor,
            None => {
                let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
                rustix::fs::open(directory?, flags, Mode::empty()).ok()?
            }
        };
        let file = rustix::fs::openat(&descriptor, path.file_name()?, OPEN, Mode::empty()).ok()?;
        self.descriptor = Some(descriptor);
        Some(fs::File::from_parts(file.into(), path))
    }
}

impl Opened<'_> {
    /// Reads into `into`, which is not longer than what is missing of `size` bytes when `done` have been read.
    pub(crate) fn read(&mut self, into: &mut [u8], size: u64, done: u64) -> Result<usize> {
        while !into.is_empty() {
            match self.file.read(into) {
                Ok(0) => {
                    let change = Change::Size { expected: size, found: done };
                    return Err(Error::Changed { path: self.path.into(), change });
                }
                Ok(count) => return Ok(count),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(0)
    }

    /// Checks, when `size` bytes have been read, that they are all, and that nobody wrote to the file meanwhile.
    pub(crate) fn check(&mut self, size: u64) -> Result<()> {
        let after = stat(&self.file)?;
        let mut found = after.st_size as u64;
        if size == 0 && found == 0 {
            // What the kernel makes up (`/proc`) has bytes, but no length.
            found = self.file.read(&mut [0])? as u64;
        }
        let change = if found != size {
            Change::Size { expected: size, found }
        } else if times(&after) != times(&self.before) {
            Change::Written
        } else {
            return Ok(());
        };
        Err(Error::Changed { path: self.path.into(), change })
    }
}

/// Up to here files on different paths are compared by their bytes; from here on they count as different.
const COMPARED: u64 = 1 << 20;

/// Whether two contents of one size are the same bytes, as far as that is to be had for little.
pub(crate) fn is_same(a: &Contents<'_>, b: &Contents<'_>) -> bool {
    let all = |of: &Contents<'_>| -> Option<Vec<u8>> {
        let mut all = Vec::new();
        let gathered = read(of.content, of.size, |bytes| {
            all.extend_from_slice(bytes);
            Ok(())
        });
        gathered.ok().map(|()| all)
    };
    match (a.content, b.content) {
        (Content::Path(a), Content::Path(b)) if a == b => true,
        (Content::Bytes(a), Content::Bytes(b)) => a == b,
        _ if a.size > COMPARED => false,
        _ => all(a).is_some_and(|bytes| all(b) == Some(bytes)),
    }
}

/// The same error once more, for each package that a file is in.
pub(crate) fn again(error: &Error) -> Error {
    match error {
        Error::Io(error) => io::Error::new(error.kind(), error.to_string()).into(),
        Error::Changed { path, change } => Error::Changed { path: path.clone(), change: *change },
        Error::SpecialFile { path, what } => Error::SpecialFile { path: path.clone(), what },
        Error::TooLarge { what, size, format, limit } => {
            Error::TooLarge { what: what.clone(), size: *size, format, limit: *limit }
        }
        error => io::Error::other(error.to_string()).into(),
    }
}

/// When the bytes were written, and when anything about the file was changed. The first can be set back, the
/// second cannot.
fn times(stat: &Stat) -> impl PartialEq {
    [(stat.st_mtime, stat.st_mtime_nsec), (stat.st_ctime, stat.st_ctime_nsec)]
}

/// fstat(2), which costs half of the statx(2) of the standard library.
fn stat(file: &fs::File) -> io::Result<Stat> {
    Ok(rustix::fs::fstat(file.file().as_fd())?)
}

const OPEN: OFlags = OFlags::NOFOLLOW.union(OFlags::NONBLOCK).union(OFlags::CLOEXEC);

fn open(path: &Path) -> Result<(fs::File, Stat)> {
    let mut options = fs::OpenOptions::new();
    options.read(true).custom_flags(OPEN.bits().cast_signed());
    checked(options.open(path)?, path)
}

fn checked(file: fs::File, path: &Path) -> Result<(fs::File, Stat)> {
    let stat = stat(&file)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(Error::SpecialFile { path: path.into(), what: "no longer a file" });
    }
    Ok((file, stat))
}

/// How much is handed over at a time.
pub(crate) const PIECE: usize = 256 << 10;

/// How many pieces may wait: 2 MiB.
const WAITING: usize = 8;

/// Where the pieces of the files come from.
pub(crate) struct Pieces<P>(Receiver<Result<P>>);

/// Where a reader puts them.
pub(crate) struct Reading<P>(SyncSender<Result<P>>);

impl<P> Pieces<P> {
    /// The next piece of the current file.
    pub(crate) fn next(&self) -> Result<P> {
        self.0.recv().expect("the reader sends an end for every file, or an error")
    }
}

impl<P> Reading<P> {
    /// Hands a piece over. When nobody takes it, writing has failed and says why.
    pub(crate) fn send(&self, piece: P) -> Result<()> {
        Ok(self.0.send(Ok(piece)).map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?)
    }
}

/// Runs `consume` while a thread reads `files` (with the sizes that they must have) by `read`, one after the other.
pub(crate) fn with_reader<P: Send, T>(
    files: Vec<(&Content, u64)>,
    read: impl Fn(&Content, u64, &Reading<P>) -> Result<()> + Send,
    consume: impl FnOnce(&Pieces<P>) -> Result<T>,
) -> Result<T> {
    thread::scope(|scope| {
        let (sender, receiver) = sync_channel(WAITING);
        thread::Builder::new().name("read".into()).spawn_scoped(scope, move || {
            let reading = Reading(sender);
            for (content, size) in files {
                if let Err(error) = read(content, size, &reading) {
                    // Nobody listens any more when writing failed first.
                    let _ = reading.0.send(Err(error));
                    return;
                }
            }
        })?;
        consume(&Pieces(receiver))
    })
}

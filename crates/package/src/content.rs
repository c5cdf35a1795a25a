//! Reading the files of a package, once, while it is written.

use std::fs::Metadata;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use fs_err as fs;
use fs_err::os::unix::fs::OpenOptionsExt as _;
use rustix::fs::OFlags;

use crate::error::Change;
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
                    return match times(&file.metadata()?) == times(&before) {
                        true => Ok(()),
                        false => Err(Error::Changed { path: path.clone(), change: Change::Written }),
                    };
                }
                sink(&buffer[..count as usize])?;
            }
        }
    }
}

/// When the bytes were written, and when anything about the file was changed. The first can be set back, the
/// second cannot.
fn times(metadata: &Metadata) -> [(i64, i64); 2] {
    [(metadata.mtime(), metadata.mtime_nsec()), (metadata.ctime(), metadata.ctime_nsec())]
}

fn open(path: &Path) -> Result<(fs::File, Metadata)> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let mut options = fs::OpenOptions::new();
    options.read(true).custom_flags(flags.bits().cast_signed());
    let file = options.open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(Error::SpecialFile { path: path.into(), what: "no longer a file" });
    }
    Ok((file, metadata))
}

//! Reading the files of a package, once, while it is written.

use std::io::{self, Read};
use std::path::Path;

use fs_err as fs;
use fs_err::os::unix::fs::OpenOptionsExt as _;
use rustix::fs::OFlags;

use crate::{Content, Error, Result};

/// Passes the bytes of `content` on in order, and checks that they are `size` bytes.
///
/// Between the moment the tree was put together and now, somebody may have put a link or a named pipe in the
/// file's place: links are not followed (else a build could smuggle `/etc/shadow` into a package), and a pipe
/// is not waited for.
///
/// # Errors
/// [`Error::Changed`] when the file has grown or shrunk, [`Error::SpecialFile`] when it is no file any more,
/// whatever `sink` returns.
pub(crate) fn read(content: &Content, size: u64, mut sink: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
    match content {
        Content::Bytes(bytes) => sink(bytes),
        Content::Path(path) => {
            let file = open(path)?;
            let mut file_and_more = file.take(size.saturating_add(1));
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
                    return Err(Error::Changed { path: path.clone(), expected: size, found });
                }
                if count == 0 {
                    return Ok(());
                }
                sink(&buffer[..count as usize])?;
            }
        }
    }
}

fn open(path: &Path) -> Result<fs::File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let mut options = fs::OpenOptions::new();
    options.read(true).custom_flags(flags.bits().cast_signed());
    let file = options.open(path)?;
    if !file.metadata()?.is_file() {
        return Err(Error::SpecialFile { path: path.into(), what: "no longer a file" });
    }
    Ok(file)
}

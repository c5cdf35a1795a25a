//! A file that is written to while it is packaged is an error, even when its size stays.
#![expect(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

use std::io::{self, Cursor, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use fs_err as fs;
use packhouse_package::{Change, Error, Format};

use crate::memory::noise;
use crate::rpm_fixture::{one_thread, package};

/// Takes a package, and writes to a file once the first part of it has come by.
pub struct Meddling {
    out: Cursor<Vec<u8>>,
    file: PathBuf,
    /// How many bytes must have come by; `None` when it has written, or shall not.
    after: Option<u64>,
}

impl Meddling {
    pub fn new(file: &Path, after: Option<u64>) -> Meddling {
        Meddling { out: Cursor::default(), file: file.into(), after }
    }
}

impl Write for Meddling {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.after.is_some_and(|after| self.out.position() > after) {
            self.after = None;
            let file = fs::OpenOptions::new().write(true).open(&self.file)?;
            file.file().write_all_at(b"y", 0)?;
        }
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for Meddling {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.out.read(bytes)
    }
}

impl Seek for Meddling {
    fn seek(&mut self, position: SeekFrom) -> io::Result<u64> {
        self.out.seek(position)
    }
}

fn write(format: Format, directory: &Path, meddles: bool) -> Result<(), Error> {
    let file = directory.join("opt/hello/large");
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    // Much more than what waits between reader and compressor.
    fs::write(&file, noise(16 << 20)).unwrap();
    fs::File::options().write(true).open(&file).unwrap().file().set_modified(UNIX_EPOCH).unwrap();
    let mut package = package("1");
    package.files.add_directory(directory, None, &[]).unwrap();
    package.files.complete();
    package.options.compression = format.get().compressions().last().copied();
    let mut out = Meddling::new(&file, meddles.then_some(300_000));
    format.get().write(&package, one_thread(), &mut out)
}

#[test]
fn a_file_that_is_written_to_while_it_is_packaged_is_an_error() {
    for format in Format::ALL {
        let directory = tempfile::tempdir().unwrap();
        write(format, directory.path(), false).unwrap();
        let error = write(format, directory.path(), true).unwrap_err();
        let is_large = |path: &Path| path.ends_with("large");
        assert!(
            matches!(&error, Error::Changed { path, change: Change::Written } if is_large(path)),
            "{format}: {error:?}"
        );
    }
}

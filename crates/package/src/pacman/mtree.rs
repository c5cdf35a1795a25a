//! `.MTREE`: the list of files in mtree(5)'s format, version 2, as bsdtar writes it for makepkg.
//!
//! libalpm reads it by libarchive. A name is `./` and its path with every byte that is not plain as `\ooo`; words that
//! are the same for most files are said once, by `/set`.

use std::fmt::Write as _;

use md5::Md5;
use sha2::{Digest as _, Sha256};

use crate::archive::part::digits;
use crate::{PackagePath, Timestamp};

/// The first lines: what a line does not say.
const START: &str = "#mtree\n/set type=file uid=0 gid=0 mode=644\n";

/// What a list says of a file's bytes. pacman 6.0 compares both, later ones only the second (`check_pkg_full` in
/// `src/pacman/check.c`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Digests {
    pub(super) md5: [u8; 16],
    pub(super) sha256: [u8; 32],
}

impl Digests {
    pub(super) fn of(bytes: &[u8]) -> Digests {
        Digests { md5: Md5::digest(bytes).into(), sha256: Sha256::digest(bytes).into() }
    }

    /// From both, one behind the other.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Digests> {
        let (md5, sha256) = bytes.split_first_chunk()?;
        Some(Digests { md5: *md5, sha256: sha256.try_into().ok()? })
    }
}

/// A list while it is written.
pub(super) struct Mtree {
    text: String,
    timestamp: u32,
}

impl Mtree {
    pub(super) fn new(timestamp: Timestamp) -> Mtree {
        Mtree { text: START.into(), timestamp: timestamp.as_unix() }
    }

    /// When what follows was changed.
    pub(super) fn modified(&mut self, timestamp: Timestamp) {
        self.timestamp = timestamp.as_unix();
    }

    pub(super) fn file(&mut self, path: &[u8], mode: u16, size: u64, digests: &Digests) {
        self.start(path, mode);
        self.push(format_args!(" size={size} md5digest="));
        self.hexadecimal(&digests.md5);
        self.push(format_args!(" sha256digest="));
        self.hexadecimal(&digests.sha256);
        self.text.push('\n');
    }

    pub(super) fn directory(&mut self, path: &PackagePath, mode: u16) {
        self.start(path.as_bytes(), mode);
        self.push(format_args!(" type=dir\n"));
    }

    /// `mode` is what Linux shows of any link.
    pub(super) fn symlink(&mut self, path: &PackagePath, target: &[u8]) {
        self.start(path.as_bytes(), 0o777);
        self.push(format_args!(" type=link link="));
        self.escaped(target);
        self.text.push('\n');
    }

    pub(super) fn finish(self) -> Vec<u8> {
        self.text.into_bytes()
    }

    fn start(&mut self, path: &[u8], mode: u16) {
        self.text.push_str("./");
        self.escaped(path);
        let timestamp = self.timestamp;
        self.push(format_args!(" time={timestamp}.0"));
        if mode != 0o644 {
            self.push(format_args!(" mode={mode:o}"));
        }
    }

    /// The bytes that libarchive's writer leaves as they are (`safe_char` in
    /// `archive_write_set_format_mtree.c`) are those that no reader takes for something else.
    fn escaped(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            if byte.is_ascii_graphic() && !b"#*=?[\\".contains(&byte) {
                self.text.push(char::from(byte));
            } else {
                self.push(format_args!("\\{byte:03o}"));
            }
        }
    }

    fn hexadecimal(&mut self, bytes: &[u8]) {
        self.text.extend(bytes.iter().flat_map(|byte| digits(*byte).map(char::from)));
    }

    fn push(&mut self, text: std::fmt::Arguments<'_>) {
        self.text.write_fmt(text).expect("a String takes any text");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_those_of_bsdtar() {
        let path = |path: &str| PackagePath::new(path).unwrap();
        let mut mtree = Mtree::new(Timestamp::from_unix(1_684_497_600).unwrap());
        mtree.directory(&path("usr/bin"), 0o755);
        mtree.file(b"usr/bin/a b", 0o644, 0, &Digests::of(b""));
        mtree.symlink(&path("usr/bin/hellö"), b"#x");
        let expected = concat!(
            "#mtree\n/set type=file uid=0 gid=0 mode=644\n",
            "./usr/bin time=1684497600.0 mode=755 type=dir\n",
            "./usr/bin/a\\040b time=1684497600.0 size=0 md5digest=d41d8cd98f00b204e9800998ecf8427e ",
            "sha256digest=e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n",
            "./usr/bin/hell\\303\\266 time=1684497600.0 mode=777 type=link link=\\043x\n",
        );
        assert_eq!(String::from_utf8(mtree.finish()).unwrap(), expected);
    }
}

//! Which format a file has: by what is in it; its name only breaks a tie.
//!
//! | format | recognized by |
//! |---|---|
//! | deb | `!<arch>` |
//! | rpm | `ed ab ee db` |
//! | zip | `PK`, and a local header or an empty directory |
//! | apk | a gzip member whose first file is `.SIGN.…`, or a `.PKGINFO` with `datahash` |
//! | pacman | a tar archive, compressed or not, with `.BUILDINFO`, `.MTREE` or another `.PKGINFO` in front |
//! | tar | any other tar archive |

use std::io::{BufReader, SeekFrom};

use crate::archive::decompress::{Decoder, Method};
use crate::archive::part::Part;
use crate::archive::tar_reader::{End, Reader as Tar};
use crate::inspect::{Depth, Input, Inspection};
use crate::{Error, Format, Result};

const PART: Part = Part { format: "tar", name: "archive" };

/// How far into an archive is looked.
const FAR: u64 = 16 << 20;
/// Files in front that say what it is.
const MOST_ENTRIES: usize = 8;

impl Format {
    /// The format of a package file; `None` when it is no package. `name` is the file's, and may be empty.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn identify(file: &mut dyn Input, name: &str) -> Result<Option<Format>> {
        file.seek(SeekFrom::Start(0))?;
        let mut start = [0; 512];
        let filled = PART.read_up_to(file, &mut start)?;
        let start = &start[..filled];
        file.seek(SeekFrom::Start(0))?;
        let method = Method::of_magic(start);
        let format = match start {
            [b'!', b'<', b'a', b'r', b'c', b'h', b'>', b'\n', ..] => Some(Format::Deb),
            [0xed, 0xab, 0xee, 0xdb, ..] => Some(Format::Rpm),
            [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] => Some(Format::Zip),
            _ if method == Method::None && start.get(257..262) != Some(b"ustar") => None,
            _ => in_tar(file, method, name),
        };
        file.seek(SeekFrom::Start(0))?;
        Ok(format)
    }
}

/// Looks at the first files of a tar archive. What is wrong with it, its format's reader says.
fn in_tar(file: &mut dyn Input, method: Method, name: &str) -> Option<Format> {
    let decoder = Decoder::new(method, BufReader::new(file), PART, FAR).ok()?;
    let mut tar = Tar::new(decoder, PART, End::BlocksOrStream);
    let mut found = None;
    for _ in 0..MOST_ENTRIES {
        // An archive that is broken from its start is none.
        let entry = match tar.next() {
            Ok(Some(entry)) => entry,
            Ok(None) => return found.or(Some(Format::Tar)),
            Err(_) => return found,
        };
        match entry.path.as_slice() {
            path if path.starts_with(b".SIGN.") && method == Method::Gzip => return Some(Format::Apk),
            b".BUILDINFO" | b".MTREE" => return Some(Format::Pacman),
            b".PKGINFO" => {
                let text = tar.read_entry("bytes", 1 << 20).unwrap_or_default();
                let says = |key: &[u8]| text.split(|b| *b == b'\n').any(|line| line.starts_with(key));
                return Some(match method {
                    Method::Gzip if says(b"datahash ") => Format::Apk,
                    Method::Gzip if !says(b"pkgbase ") && name.ends_with(".apk") => Format::Apk,
                    _ => Format::Pacman,
                });
            }
            path if path.starts_with(b".") || path.is_empty() => found = Some(Format::Tar),
            _ => return Some(Format::Tar),
        }
    }
    found
}

/// Reads a package of any format. `name` is the file's, and may be empty.
///
/// # Errors
/// When it is no package, and as [`crate::PackageFormat::inspect`].
pub fn inspect(file: &mut dyn Input, name: &str, depth: Depth) -> Result<Inspection> {
    match Format::identify(file, name)? {
        Some(format) => format.get().inspect(file, depth),
        None => Err(Error::NoPackage),
    }
}

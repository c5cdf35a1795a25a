//! Results of a build, out of the tar stream in which an engine hands them over.
//!
//! What a build made is hostile: names that climb out, links that lead elsewhere, entries without end. Everything is
//! put below one directory that only this user can write to; every directory in it was made here, and every other
//! entry is created and never opened, so no link is ever followed. Only the one file or directory that was asked
//! for is taken. Format: POSIX pax, as `docker cp` writes it
//! (<https://pubs.opengroup.org/onlinepubs/9799919799/utilities/pax.html>).

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use fs_err as fs;
use tar::EntryType;

use crate::{Error, Result};

/// How much a build may hand over.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// How many files, directories and links.
    pub(crate) entries: u64,
    /// How many bytes of files.
    pub(crate) bytes: u64,
}

/// More than any package holds: a stream that is larger never ends.
pub(crate) const LIMITS: Limits = Limits { entries: 4_000_000, bytes: 256 << 30 };

/// More than any record: what comes after it is left unread.
const PADDING: u64 = 1024 * 1024;

/// What was made at a path.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Made {
    Directory,
    File,
    Link,
}

/// Unpacks a stream that holds one file or directory called `name`, with all below it, as `destination` below
/// `root`. Modes lose nothing but gain what this user needs to read them; owners and extended attributes are
/// left behind.
///
/// # Errors
/// [`Error::Output`] for whatever else the stream holds.
pub(crate) fn unpack(
    stream: impl Read,
    name: &OsStr,
    root: &Path,
    destination: &Path,
    limits: Limits,
) -> Result<()> {
    let mut tree = Tree { root, made: BTreeMap::from([(PathBuf::new(), Made::Directory)]) };
    let mut archive = tar::Archive::new(stream);
    let (mut entries, mut bytes) = (0, 0);
    for entry in archive.entries()? {
        let mut entry = entry?;
        let written = entry.path_bytes().into_owned();
        let refuse = |reason: &'static str| Error::Output {
            path: String::from_utf8_lossy(&written).escape_debug().to_string(),
            reason,
        };
        entries += 1;
        // The header of a sparse file may say any size.
        bytes = u64::saturating_add(bytes, entry.size());
        if entries > limits.entries {
            return Err(refuse("the build made more files than any package holds"));
        }
        if bytes > limits.bytes {
            return Err(refuse("the build made more than any package holds"));
        }
        let path = place(&written, name, destination).ok_or_else(|| refuse("it was not asked for"))?;
        tree.make_parents(&path)?;
        let is_free = |tree: &Tree<'_>| !tree.made.contains_key(&path);
        match entry.header().entry_type() {
            // A directory above the destination was made, and comes again when the whole source is taken.
            EntryType::Directory => match tree.made.get(&path) {
                None => tree.make_directory(&path)?,
                Some(Made::Directory) => {}
                Some(_) => return Err(refuse("it comes twice")),
            },
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse if is_free(&tree) => {
                tree.make_file(&path, &mut entry)?;
            }
            EntryType::Symlink if is_free(&tree) => {
                let target = entry.link_name_bytes().ok_or_else(|| refuse("it points nowhere"))?;
                fs::os::unix::fs::symlink(OsStr::from_bytes(&target), root.join(&path))?;
                tree.made.insert(path, Made::Link);
            }
            EntryType::Link if is_free(&tree) => {
                let target = entry.link_name_bytes().and_then(|target| place(&target, name, destination));
                let target = target.filter(|target| tree.made.get(target) == Some(&Made::File));
                let target =
                    target.ok_or_else(|| refuse("it is another name of a file that is not there"))?;
                fs::hard_link(root.join(target), root.join(&path))?;
                tree.made.insert(path, Made::File);
            }
            EntryType::Regular
            | EntryType::Continuous
            | EntryType::GNUSparse
            | EntryType::Symlink
            | EntryType::Link => return Err(refuse("it comes twice")),
            EntryType::Char | EntryType::Block | EntryType::Fifo => {
                return Err(refuse("a package cannot hold a device or a pipe"));
            }
            _ => return Err(refuse("it is no file, directory or link")),
        }
    }
    // The end is followed by zeros up to a whole record (pax, "ustar Interchange Format"): whoever writes them would
    // be told that nobody reads any more.
    io::copy(&mut archive.into_inner().take(PADDING), &mut io::sink())?;
    Ok(())
}

/// Where an entry goes; `None` when it is not `name` or below it.
fn place(written: &[u8], name: &OsStr, destination: &Path) -> Option<PathBuf> {
    let mut parts =
        Path::new(OsStr::from_bytes(written)).components().filter(|part| *part != Component::CurDir);
    if parts.next() != Some(Component::Normal(name)) {
        return None;
    }
    let mut path = destination.to_owned();
    for part in parts {
        let Component::Normal(part) = part else { return None };
        path.push(part);
    }
    Some(path)
}

struct Tree<'a> {
    root: &'a Path,
    made: BTreeMap<PathBuf, Made>,
}

impl Tree<'_> {
    /// Makes the directories above `path`; a link or file in their place is an error.
    fn make_parents(&mut self, path: &Path) -> Result<()> {
        let Some(parent) = path.parent() else { return Ok(()) };
        match self.made.get(parent) {
            Some(Made::Directory) => Ok(()),
            Some(Made::File | Made::Link) => Err(Error::Output {
                path: path.display().to_string(),
                reason: "it lies below something that is no directory",
            }),
            None => {
                self.make_parents(parent)?;
                self.make_directory(parent)
            }
        }
    }

    fn make_directory(&mut self, path: &Path) -> Result<()> {
        // Another result may have been unpacked beside this one before.
        match fs::create_dir(self.root.join(path)) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                if !fs::symlink_metadata(self.root.join(path))?.is_dir() {
                    return Err(error.into());
                }
            }
            other => other?,
        }
        self.made.insert(path.to_owned(), Made::Directory);
        Ok(())
    }

    fn make_file(&mut self, path: &Path, entry: &mut tar::Entry<'_, impl Read>) -> Result<()> {
        let mode = entry.header().mode()?;
        let modified = UNIX_EPOCH + Duration::from_secs(entry.header().mtime()?);
        let mut options = fs::OpenOptions::new();
        // `create_new` does not follow links (open(2), O_EXCL).
        options.write(true).create_new(true).options_mut().mode(0o600);
        let mut file = options.open(self.root.join(path))?;
        let copied = io::copy(entry, &mut file)?;
        if copied != entry.size() {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        file.set_modified(modified)?;
        file.set_permissions(std::fs::Permissions::from_mode(mode & 0o7777 | 0o400))?;
        self.made.insert(path.to_owned(), Made::File);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A stream of entries: type, name, link or contents.
    fn stream(entries: &[(EntryType, &str, &str)]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (kind, name, text) in entries {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(*kind);
            header.set_mode(0o755);
            let is_link = matches!(kind, EntryType::Symlink | EntryType::Link);
            header.set_size(if is_link { 0 } else { text.len() as u64 });
            // Written as it stands: the library itself would refuse a name that climbs out.
            header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
            if is_link {
                header.as_old_mut().linkname[..text.len()].copy_from_slice(text.as_bytes());
            }
            header.set_cksum();
            let body = if is_link { "" } else { text };
            builder.append(&header, body.as_bytes()).unwrap();
        }
        builder.into_inner().unwrap()
    }

    fn take(entries: &[(EntryType, &str, &str)]) -> (tempfile::TempDir, Result<()>) {
        let place = tempfile::tempdir().unwrap();
        fs::create_dir(place.path().join("root")).unwrap();
        let limits = Limits { entries: 10, bytes: 100 };
        let root = place.path().join("root");
        let result = unpack(&stream(entries)[..], OsStr::new("rel"), &root, Path::new("_build/rel"), limits);
        (place, result)
    }

    #[track_caller]
    fn refused(entries: &[(EntryType, &str, &str)], why: &str) {
        let (place, result) = take(entries);
        let error = result.expect_err("it is refused");
        assert!(error.to_string().contains(why), "{error}");
        let outside: Vec<_> = fs::read_dir(place.path()).unwrap().map(|it| it.unwrap().file_name()).collect();
        assert_eq!(outside, ["root"], "nothing was written outside");
    }

    use EntryType::{Directory, Fifo, Link, Regular, Symlink};

    #[test]
    fn a_directory_comes_out_with_files_links_and_modes() {
        let (place, result) = take(&[
            (Directory, "rel/", ""),
            (Directory, "rel/bin/", ""),
            (Regular, "rel/bin/a", "text"),
            (Link, "rel/bin/b", "rel/bin/a"),
            (Symlink, "rel/c", "/etc/passwd"),
            (Regular, "./rel/implied/d", ""),
        ]);
        result.unwrap();
        let rel = place.path().join("root/_build/rel");
        assert_eq!(fs::read_to_string(rel.join("bin/b")).unwrap(), "text");
        assert_eq!(fs::metadata(rel.join("bin/a")).unwrap().permissions().mode() & 0o7777, 0o755);
        assert_eq!(fs::read_link(rel.join("c")).unwrap(), Path::new("/etc/passwd"));
        assert!(rel.join("implied/d").is_file());
    }

    #[test]
    fn a_single_file_comes_out_as_itself() {
        let (place, result) = take(&[(Regular, "rel", "text")]);
        result.unwrap();
        assert_eq!(fs::read_to_string(place.path().join("root/_build/rel")).unwrap(), "text");
    }

    #[test]
    fn names_that_climb_out_or_were_not_asked_for_are_refused() {
        for name in ["../x", "rel/../../x", "/rel/x", "/etc/x", "other", "rel2/x", ".."] {
            refused(&[(Directory, "rel/", ""), (Regular, name, "bad")], "it was not asked for");
        }
    }

    #[test]
    fn nothing_is_written_through_a_link() {
        let outside = "../../outside";
        refused(
            &[(Symlink, "rel", ".."), (Regular, "rel/x", "bad")],
            "it lies below something that is no directory",
        );
        refused(
            &[(Directory, "rel/", ""), (Symlink, "rel/l", ".."), (Directory, "rel/l/x", "")],
            "it lies below something that is no directory",
        );
        refused(
            &[(Directory, "rel/", ""), (Symlink, "rel/l", outside), (Regular, "rel/l", "bad")],
            "it comes twice",
        );
        refused(
            &[(Directory, "rel/", ""), (Symlink, "rel/l", ".."), (Directory, "rel/l", "")],
            "it comes twice",
        );
    }

    #[test]
    fn a_hard_link_is_to_a_file_of_the_same_stream() {
        let why = "it is another name of a file that is not there";
        refused(&[(Directory, "rel/", ""), (Link, "rel/p", "/etc/passwd")], why);
        refused(&[(Directory, "rel/", ""), (Link, "rel/p", "../../../etc/passwd")], why);
        refused(&[(Symlink, "rel", "/etc/passwd"), (Link, "rel/p", "rel")], "no directory");
        refused(&[(Directory, "rel/", ""), (Symlink, "rel/l", "x"), (Link, "rel/p", "rel/l")], why);
    }

    #[test]
    fn devices_and_what_has_no_end_are_refused() {
        refused(&[(Directory, "rel/", ""), (Fifo, "rel/f", "")], "device or a pipe");
        refused(&[(Directory, "rel/", ""), (EntryType::Char, "rel/f", "")], "device or a pipe");
        let large = "x".repeat(60);
        refused(&[(Regular, "rel/a", &large), (Regular, "rel/b", &large)], "more than any package");
        let names: Vec<String> = (0..11).map(|number| format!("rel/{number}")).collect();
        let many: Vec<_> = names.iter().map(|name| (Regular, name.as_str(), "")).collect();
        refused(&many, "more files");
        take(&many[..10]).1.unwrap();
    }

    /// A sparse file may claim any size, its holes need no bytes (GNU tar, "Storing Sparse Files").
    #[test]
    fn sizes_that_add_up_to_nothing_are_refused() {
        let mut header = tar::Header::new_gnu();
        header.set_path("rel/b").unwrap();
        header.set_entry_type(EntryType::GNUSparse);
        header.set_mode(0o644);
        header.set_size(0);
        let huge = [&[0x80, 0, 0, 0][..], &(u64::MAX - 1).to_be_bytes()].concat();
        let gnu = header.as_gnu_mut().unwrap();
        gnu.sparse[0].offset.copy_from_slice(&huge);
        gnu.sparse[0].numbytes.copy_from_slice(b"00000000000\0");
        gnu.realsize.copy_from_slice(&huge);
        header.set_cksum();
        let mut bytes = stream(&[(Regular, "rel/a", "text")]);
        bytes.splice(1024.., header.as_bytes().iter().copied().chain([0; 1024]));
        let place = tempfile::tempdir().unwrap();
        let limits = Limits { entries: 10, bytes: 100 };
        let error =
            unpack(&bytes[..], OsStr::new("rel"), place.path(), Path::new("rel"), limits).unwrap_err();
        assert!(error.to_string().contains("more than any package holds"), "{error}");
    }

    #[test]
    fn a_stream_that_breaks_off_is_an_error() {
        let whole = stream(&[(Regular, "rel", &"x".repeat(90))]);
        let place = tempfile::tempdir().unwrap();
        let half = &whole[..550];
        let limits = Limits { entries: 10, bytes: 100 };
        unpack(half, OsStr::new("rel"), place.path(), Path::new("rel"), limits).unwrap_err();
    }
}

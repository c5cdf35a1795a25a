//! Takes the files out of a package, whoever made it, so that they can be packaged again.
//!
//! A package is first read as [`inspect_file`] reads it, which finds out whatever is wrong with it;
//! only then are its files taken out, each into a file of a directory of the caller's, called by a number: nothing that
//! the package says becomes a path on this machine.

use std::io::{self, BufReader, Read, Write as _};
use std::path::{Path, PathBuf};

use fs_err as fs;

use crate::archive::decompress::{DEFAULT_OUTPUT, Decoder};
use crate::archive::part::Part;
use crate::archive::tar_reader::{End, Entry as Member, EntryKind, Reader as Tar};
use crate::inspect::{Depth, Input, Inspection};
use crate::{
    Content, Entry, Error, FileTree, Format, Inherited, Kind, LinkId, Owner, PackagePath, Result, Timestamp,
    deb, inspect_file, rpm, zip,
};

/// What was in a package.
#[derive(Debug)]
pub struct Unpacked {
    /// What it says.
    pub inspection: Inspection,
    /// Its files, with their modes, times and owners.
    pub files: FileTree,
}

/// Up to here the bytes of a file stay in memory.
const SMALL: u64 = 16 << 10;
/// Of all that stay in memory.
const MOST_IN_MEMORY: u64 = 16 << 20;

/// Reads a package and takes its files out. `name` is the file's; larger files go to `directory`, which the caller
/// removes when it has packaged them.
///
/// # Errors
/// As [`inspect_file`]; when it holds devices or named pipes; and when `directory` cannot be written to.
pub fn unpack(file: &mut dyn Input, name: &str, directory: &Path) -> Result<Unpacked> {
    let inspection = inspect_file(file, name, Depth::Contents)?;
    file.seek(io::SeekFrom::Start(0))?;
    let mut files = Files::new(directory);
    match inspection.format {
        Format::Deb => deb::with_data(file, &mut |data| files.take_tar(data, &|_| false))?,
        Format::Rpm => rpm::take_files(file, &mut files)?,
        Format::Zip => zip::take_files(file, &mut files)?,
        Format::Tar => files.take_tar(&mut decoder(file)?, &|_| false)?,
        // What starts with a full stop in the root is the package's own.
        Format::Pacman | Format::Apk => {
            files.take_tar(&mut decoder(file)?, &|path| path.starts_with(b"."))?
        }
    }
    Ok(Unpacked { inspection, files: files.tree })
}

const PART: Part = Part { format: "tar", name: "archive" };

fn decoder(file: &mut dyn Input) -> Result<Decoder<BufReader<&mut dyn Input>>> {
    Decoder::detect(BufReader::with_capacity(64 << 10, file), PART, DEFAULT_OUTPUT)
}

/// Files on their way out.
pub(crate) struct Files<'a> {
    directory: &'a Path,
    tree: FileTree,
    count: u64,
    in_memory: u64,
}

/// What a file has beside its bytes.
pub(crate) struct Attributes {
    pub(crate) mode: u16,
    pub(crate) user: String,
    pub(crate) group: String,
    pub(crate) modified: i64,
}

impl<'a> Files<'a> {
    fn new(directory: &'a Path) -> Files<'a> {
        Files { directory, tree: FileTree::new(), count: 0, in_memory: 0 }
    }

    /// The contents of a regular file, `size` bytes of `from`.
    pub(crate) fn contents(&mut self, from: &mut dyn Read, size: u64) -> Result<Kind> {
        self.count += 1;
        let link = Some(LinkId { device: u64::MAX, inode: self.count });
        if size <= SMALL && self.in_memory + size <= MOST_IN_MEMORY {
            self.in_memory += size;
            let mut bytes = Vec::new();
            from.take(size).read_to_end(&mut bytes)?;
            let size = bytes.len() as u64;
            return Ok(Kind::File { content: Content::Bytes(bytes.into()), size, link });
        }
        let path: PathBuf = self.directory.join(self.count.to_string());
        let mut to = fs::OpenOptions::new().write(true).create_new(true).open(&path)?;
        let size = io::copy(&mut from.take(size), &mut to)?;
        to.flush()?;
        Ok(Kind::File { content: Content::Path(path), size, link })
    }

    /// Another name of the file at `first`.
    pub(crate) fn link(&self, first: &PackagePath) -> Option<Kind> {
        Some(self.tree.entry(first)?.kind.clone())
    }

    /// Puts an entry into the tree.
    pub(crate) fn put(&mut self, path: PackagePath, kind: Kind, attributes: Attributes) -> Result<()> {
        let Attributes { mode, user, group, modified } = attributes;
        // The number of root has no name in some archives.
        let name = |name: String| if name == "0" || name.is_empty() { "root".to_owned() } else { name };
        let owner = Owner::new(name(user), name(group));
        let modified = matches!(kind, Kind::File { .. }).then(|| Timestamp::from_unix(modified)).flatten();
        let inherited = Inherited { modified, ..Inherited::default() };
        let entry = Entry { kind, mode, owner, inherited, ..Entry::directory() };
        self.tree.insert(path, entry)
    }

    fn take_tar(&mut self, from: &mut dyn Read, is_own: &dyn Fn(&[u8]) -> bool) -> Result<()> {
        let mut tar = Tar::new(from, PART, End::BlocksOrStream);
        while let Some(member) = tar.next()? {
            if member.path.is_empty() || is_own(&member.path) {
                continue;
            }
            let path = package_path(&member.path)?;
            let Member { mode, modified, size, .. } = member;
            let attributes = Attributes { mode, user: member.user(), group: member.group(), modified };
            let kind = match member.kind {
                EntryKind::File => self.contents(&mut tar, size)?,
                EntryKind::Directory => Kind::Directory,
                EntryKind::Symlink(target) => Kind::Symlink { target },
                EntryKind::HardLink(first) => {
                    let first = package_path(&first)?;
                    self.link(&first).ok_or_else(|| PART.malformed(format!("{path} is a link to nothing")))?
                }
                EntryKind::Special(what) => {
                    return Err(Error::SpecialFile { path: path.to_string().into(), what });
                }
            };
            self.put(path, kind, attributes)?;
        }
        Ok(())
    }
}

/// A path of the package's.
pub(crate) fn package_path(path: &[u8]) -> Result<PackagePath> {
    PackagePath::new(path)
        .map_err(|source| Error::Path { on_disk: String::from_utf8_lossy(path).into_owned().into(), source })
}

//! The files of a package: a sorted tree with modes, owners and marks.
//!
//! A tree is put together from directories on disk ([`FileTree::add_directory`]) and single entries, then
//! completed with the directories that lead to them. Modes follow the *type* of an entry, never the umask of
//! whoever checked it out: directories 0755, files 0755 when their owner may execute them, else 0644; a rule
//! of the project overrides.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::Metadata;
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fs_err as fs;

use crate::{Capabilities, Error, PackagePath, Timestamp, scan};

/// The entries of a package, sorted by the bytes of their paths.
#[derive(Clone, Debug, Default)]
pub struct FileTree(BTreeMap<PackagePath, Entry>);

/// One file, directory or link.
#[derive(Clone, Debug)]
pub struct Entry {
    /// What it is.
    pub kind: Kind,
    /// Permission bits, as in `0o755`.
    pub mode: u16,
    /// Whom it belongs to on the customer's machine.
    pub owner: Owner,
    /// What it is for.
    pub mark: Mark,
    /// What a program may do although root did not start it; files only.
    pub capabilities: Option<Capabilities>,
    /// What it keeps of the file it was made from; nothing of it unless somebody wants that.
    pub inherited: Inherited,
}

/// What an entry keeps of the file it was made from. A release keeps nothing, so that the same commit is the same
/// package; what packages a tree as it stands (`packhouse fpm`) keeps times, and numbers of owners when asked to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Inherited {
    /// Changed at; the package's time when `None`.
    pub modified: Option<Timestamp>,
    /// The user's number, for a format that writes numbers.
    pub user: u32,
    /// The group's number, for a format that writes numbers.
    pub group: u32,
}

/// What an entry is.
#[derive(Clone, Debug)]
pub enum Kind {
    /// A regular file.
    File {
        /// Where its bytes come from.
        content: Content,
        /// Its length in bytes; a file that changes while it is packaged is an error.
        size: u64,
        /// Which file it is, when it has several names (see [`FileTree::hard_links`]).
        link: Option<LinkId>,
    },
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink {
        /// What it points to, as it stands.
        target: Vec<u8>,
    },
    /// A file that the program makes on the customer's machine and that goes with the package: rpm's `%ghost`.
    Ghost,
}

/// Names of one file have equal ids; what they are is of no importance, and never written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId {
    /// The file system it was found on.
    pub device: u64,
    /// Its inode there.
    pub inode: u64,
}

/// Where a file's bytes come from.
#[derive(Clone, Debug)]
pub enum Content {
    /// A file on disk, read once while the package is written.
    Path(PathBuf),
    /// Bytes made by Packhouse.
    Bytes(Arc<[u8]>),
}

/// User and group by name. The names of most, `root`, take no memory of their own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Owner {
    /// The user's name.
    pub user: Cow<'static, str>,
    /// The group's name.
    pub group: Cow<'static, str>,
}

impl Owner {
    /// The user and the group of these names.
    pub fn new(user: impl Into<Cow<'static, str>>, group: impl Into<Cow<'static, str>>) -> Owner {
        Owner { user: user.into(), group: group.into() }
    }
}

impl Default for Owner {
    fn default() -> Owner {
        Owner::new("root", "root")
    }
}

/// What an entry is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mark {
    /// Nothing special.
    #[default]
    Plain,
    /// A configuration file: an upgrade never loses the customer's edits.
    Config,
    /// Below `/etc`, and yet not a configuration file.
    NotConfig,
    /// Documentation.
    Documentation,
    /// A licence text.
    License,
}

impl Entry {
    /// A directory of root's with mode 0755.
    pub fn directory() -> Entry {
        Entry {
            kind: Kind::Directory,
            mode: 0o755,
            owner: Owner::default(),
            mark: Mark::Plain,
            capabilities: None,
            inherited: Inherited::default(),
        }
    }

    /// A file of root's with these bytes.
    pub fn bytes(bytes: impl Into<Arc<[u8]>>, mode: u16) -> Entry {
        let bytes = bytes.into();
        let size = bytes.len() as u64;
        let kind = Kind::File { content: Content::Bytes(bytes), size, link: None };
        Entry { kind, mode, ..Entry::directory() }
    }

    /// A symbolic link to `target`.
    pub fn symlink(target: impl Into<Vec<u8>>) -> Entry {
        let kind = Kind::Symlink { target: target.into() };
        Entry { kind, mode: 0o777, ..Entry::directory() }
    }

    /// The file, directory or symbolic link at `path`, not followed, with the mode of its type.
    ///
    /// # Errors
    /// When it cannot be read, is a device, socket or named pipe, or is set-user-id or set-group-id or has
    /// capabilities (which a package must say in so many words, not inherit from a build).
    pub fn from_disk(path: &Path) -> Result<Entry, Error> {
        Entry::described(path, &fs::symlink_metadata(path)?)
    }

    /// What is at `path`, whose metadata these are.
    pub(crate) fn described(path: &Path, metadata: &Metadata) -> Result<Entry, Error> {
        let kind = metadata.file_type();
        if kind.is_symlink() {
            return Ok(Entry::symlink(fs::read_link(path)?.into_os_string().into_vec()));
        }
        if kind.is_dir() {
            return Ok(Entry::directory());
        }
        if !kind.is_file() {
            let what = if kind.is_fifo() {
                "a named pipe"
            } else if kind.is_socket() {
                "a socket"
            } else {
                "a device"
            };
            return Err(Error::SpecialFile { path: path.into(), what });
        }
        if metadata.mode() & 0o6000 != 0 {
            return Err(Error::SetId { path: path.into() });
        }
        let is_executable = metadata.mode() & 0o111 != 0;
        // A file that nobody can execute has no use for them, and asking costs a system call.
        if is_executable && has_capabilities(path) {
            return Err(Error::CapabilitiesOnDisk { path: path.into() });
        }
        let mode = if metadata.mode() & 0o100 != 0 { 0o755 } else { 0o644 };
        let link = (metadata.nlink() > 1).then(|| LinkId { device: metadata.dev(), inode: metadata.ino() });
        let kind = Kind::File { content: Content::Path(path.into()), size: metadata.len(), link };
        Ok(Entry { kind, mode, ..Entry::directory() })
    }

    /// Whether it is a configuration file at `path`: marked as one, or below `/etc` and not marked otherwise.
    /// Only regular files are; dpkg and rpm do not keep a customer's changes of links and directories.
    pub fn is_config(&self, path: &PackagePath) -> bool {
        self.is_file()
            && (self.mark == Mark::Config || (self.mark != Mark::NotConfig && path.is_within("/etc")))
    }

    /// Whether it is a regular file.
    pub fn is_file(&self) -> bool {
        matches!(self.kind, Kind::File { .. })
    }

    /// Whether it is a directory.
    pub fn is_directory(&self) -> bool {
        matches!(self.kind, Kind::Directory)
    }
}

/// Whether the kernel would give whoever executes the file something (capabilities(7), "File capabilities"). A file
/// system that has no attributes has none of them.
fn has_capabilities(path: &Path) -> bool {
    rustix::fs::lgetxattr(path, "security.capability", &mut [0_u8; 64]).is_ok()
}

impl FileTree {
    /// An empty tree.
    pub fn new() -> FileTree {
        FileTree::default()
    }

    /// Puts `entry` at `path`. What was there is replaced, except that a directory stays when a directory is
    /// put over it with nothing new to say.
    ///
    /// # Errors
    /// When a file would replace a directory that holds something, or something would lie below a file.
    pub fn insert(&mut self, path: PackagePath, entry: Entry) -> Result<(), Error> {
        let above = path.directories().find_map(|directory| self.0.get_key_value(directory));
        // What leads to a directory was looked at when that was put in.
        if let Some((file, _)) = above.filter(|(_, entry)| !entry.is_directory()) {
            return Err(Error::BelowFile { file: file.clone(), path });
        }
        if !entry.is_directory() && self.is_occupied_directory(&path) {
            return Err(Error::ReplacesDirectory { path });
        }
        self.0.insert(path, entry);
        Ok(())
    }

    /// Puts in every entry of `other`.
    ///
    /// # Errors
    /// As [`FileTree::insert`].
    pub fn extend(&mut self, other: FileTree) -> Result<(), Error> {
        other.0.into_iter().try_for_each(|(path, entry)| self.insert(path, entry))
    }

    fn is_occupied_directory(&self, path: &PackagePath) -> bool {
        let after = (std::ops::Bound::Excluded(path), std::ops::Bound::Unbounded);
        let mut alike = self.0.range::<PackagePath, _>(after).map(|(other, _)| other.as_bytes());
        // `a.b` sorts between `a` and `a/b`.
        alike
            .by_ref()
            .map_while(|other| other.strip_prefix(path.as_bytes()))
            .any(|rest| rest.starts_with(b"/"))
    }

    /// Copies the tree below `directory` to `at` (the root for `None`): every file, link and directory, not
    /// following links; a directory that is already there keeps its mode and owner. Files called `skip` are
    /// left out (`.gitkeep`).
    ///
    /// # Errors
    /// As [`Entry::from_disk`] and [`FileTree::insert`]; a name that no package can hold.
    pub fn add_directory(
        &mut self,
        directory: &Path,
        at: Option<&PackagePath>,
        skip: &[&str],
    ) -> Result<(), Error> {
        let found = scan::below(directory, at, skip, &Entry::described)?;
        if self.0.is_empty() {
            // They do not contradict each other.
            self.0 = found.into_iter().collect();
            return Ok(());
        }
        for (path, entry) in found {
            if !(entry.is_directory() && self.0.get(&path).is_some_and(Entry::is_directory)) {
                self.insert(path, entry)?;
            }
        }
        Ok(())
    }

    /// The tree below `directory`, at `at` (the root for `None`): every file, link and directory as `describe` makes it of
    /// a path, which is not followed, and its metadata. Several threads look at a large tree.
    ///
    /// # Errors
    /// As `describe`, and a name that no package can hold; of several, that in the directory whose path comes first.
    pub fn described(
        directory: &Path,
        at: Option<&PackagePath>,
        describe: &(dyn Fn(&Path, &Metadata) -> Result<Entry, Error> + Sync),
    ) -> Result<FileTree, Error> {
        Ok(FileTree(scan::below(directory, at, &[], describe)?.into_iter().collect()))
    }

    /// Adds the directories that lead to entries and are not named themselves.
    pub fn complete(&mut self) {
        let missing = self.leading_directories(&[]);
        self.0.extend(missing.into_iter().map(|directory| (directory, Entry::directory())));
    }

    /// The directories that lead to entries and are neither in the tree nor in one of `others`.
    pub(crate) fn leading_directories(&self, others: &[&FileTree]) -> BTreeSet<PackagePath> {
        let is_known = |directory: &[u8]| {
            self.0.contains_key(directory) || others.iter().any(|tree| tree.0.contains_key(directory))
        };
        let mut missing = BTreeSet::new();
        let mut last = None;
        for path in self.0.keys() {
            // Most paths are in the directory of the one before.
            let mut directories = path.directories().peekable();
            if directories.peek() == last.as_ref() {
                continue;
            }
            last = directories.peek().copied();
            for directory in directories.take_while(|directory| !is_known(directory)) {
                missing.insert(PackagePath::of_directory(directory));
            }
        }
        missing
    }

    /// Removes what `is_meant` names, and everything below it.
    pub fn remove_matching(&mut self, is_meant: impl Fn(&PackagePath) -> bool) {
        let mut removed: Vec<String> = Vec::new();
        self.0.retain(|path, entry| {
            if removed.iter().any(|directory| path.is_within(directory)) {
                return false;
            }
            let is_removed = is_meant(path);
            if is_removed && entry.is_directory() {
                removed.push(path.to_string());
            }
            !is_removed
        });
    }

    /// The same tree with every path below `prefix`.
    ///
    /// # Errors
    /// When a path becomes too long.
    pub fn below(self, prefix: &PackagePath) -> Result<FileTree, Error> {
        let moved = self.0.into_iter().map(|(path, entry)| match prefix.join(path.as_bytes()) {
            Ok(path) => Ok((path, entry)),
            Err(source) => Err(Error::Path { on_disk: path.to_string().into(), source }),
        });
        Ok(FileTree(moved.collect::<Result<_, _>>()?))
    }

    /// The entry at `path`.
    pub fn entry(&self, path: &PackagePath) -> Option<&Entry> {
        self.0.get(path)
    }

    /// Whether something lies below `path`.
    pub fn has_entries_below(&self, path: &PackagePath) -> bool {
        self.is_occupied_directory(path)
    }

    /// The entry at `path`, to change its mode, owner or mark.
    pub fn entry_mut(&mut self, path: &PackagePath) -> Option<&mut Entry> {
        self.0.get_mut(path)
    }

    /// Every entry, sorted by path.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&PackagePath, &Entry)> {
        self.0.iter()
    }

    /// Every entry, sorted by path, to change modes, owners or marks.
    pub fn iter_mut(&mut self) -> impl ExactSizeIterator<Item = (&PackagePath, &mut Entry)> {
        self.0.iter_mut()
    }

    /// The later names of files that have several, each with the first: what a format writes as a hard link.
    ///
    /// Names are one file only where everything said of them is the same. A configuration file stands alone: its
    /// customer edits one name, and an upgrade of the other would lose that.
    pub fn hard_links(&self) -> BTreeMap<&PackagePath, &PackagePath> {
        let mut first: BTreeMap<(LinkId, u16, &Owner, Option<Capabilities>), &PackagePath> = BTreeMap::new();
        let mut links = BTreeMap::new();
        for (path, entry) in &self.0 {
            let Kind::File { link: Some(link), .. } = entry.kind else { continue };
            if entry.is_config(path) {
                continue;
            }
            match first.entry((link, entry.mode, &entry.owner, entry.capabilities)) {
                std::collections::btree_map::Entry::Vacant(vacant) => {
                    vacant.insert(path);
                }
                std::collections::btree_map::Entry::Occupied(occupied) => {
                    links.insert(path, *occupied.get());
                }
            }
        }
        links
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl IntoIterator for FileTree {
    type Item = (PackagePath, Entry);
    type IntoIter = std::collections::btree_map::IntoIter<PackagePath, Entry>;

    /// Every entry, sorted by path.
    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

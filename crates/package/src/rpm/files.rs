//! The list of files: a dozen parallel arrays in the package header, one element a file.
//!
//! Paths are split into base names and a table of directories. Digests and colors are known only when the
//! payload has been written; both have a fixed width, so that the header's length is known before.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::header::Header;
use super::options::FileDigest;
use super::tag::{file as flag, header as tag, verify};
use super::{FormatVersion, directories, setup};
use crate::archive::cpio::{Member, NEWC_LIMIT};
use crate::archive::part::hexadecimal;
use crate::together::{Contents, Fact};
use crate::{Capabilities, Entry, Kind, Mark, Owner, Package, PackagePath, Result, Timestamp};

/// The files that a package owns, sorted by path.
#[derive(Debug)]
pub(super) struct Files<'a> {
    files: Vec<File<'a>>,
    /// The length of a digest in hexadecimal digits.
    digest_length: usize,
    has_large: bool,
    version: FormatVersion,
}

/// One file, directory or link.
#[derive(Debug)]
pub(super) struct File<'a> {
    path: Cow<'a, PackagePath>,
    entry: Cow<'a, Entry>,
    /// Whose it is by the options, when it has no owner of its own.
    owner: Option<&'a Owner>,
    names: Option<Names>,
}

/// The names of a file that has several, by their indexes.
#[derive(Clone, Copy, Debug)]
struct Names {
    first: usize,
    /// The one that has the contents in the payload, as rpm wants it (`RPMFI_ITER_READ_ARCHIVE_CONTENT_FIRST` in
    /// its `lib/rpmfi.c`).
    last: usize,
    count: u32,
}

/// What is known of a file once it has been read.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts {
    /// In hexadecimal digits; empty for anything but a regular file.
    pub(super) digest: String,
    /// 1 for 32-bit, 2 for 64-bit ELF, else 0: which of two equal paths wins on a multilib system.
    pub(super) color: u32,
}

const REGULAR: u16 = 0o100000;
const DIRECTORY: u16 = 0o040000;
const SYMLINK: u16 = 0o120000;

impl<'a> Files<'a> {
    /// The entries of the package's tree, without the directories that belong to the distribution.
    ///
    /// # Errors
    /// When something that is no directory is in the way of what Packhouse adds.
    pub(super) fn new(package: &'a Package) -> Result<Files<'a>> {
        let options = &package.options.rpm;
        let is_packaged = |path: &PackagePath, entry: &Entry| {
            !entry.is_directory() || options.verbatim.is_some() || directories::is_owned(path, options)
        };
        let owner = |entry: &Entry| match &options.owner {
            Some(owner) if entry.owner == Owner::default() => Some(owner),
            _ => None,
        };
        let mut files: Vec<File<'_>> = package
            .files
            .iter()
            .filter(|(path, entry)| is_packaged(path, entry))
            .map(|(path, entry)| {
                let owner = owner(entry);
                File { path: Cow::Borrowed(path), entry: Cow::Borrowed(entry), owner, names: None }
            })
            .collect();
        let added = setup::missing(package)?;
        let is_new = |path: &PackagePath| package.files.entry(path).is_none();
        for (path, entry) in added.iter().filter(|(path, entry)| is_new(path) && is_packaged(path, entry)) {
            let owner = owner(entry);
            let (path, entry) = (Cow::Owned(path.clone()), Cow::Owned(entry.clone()));
            files.push(File { path, entry, owner, names: None });
        }
        if !added.is_empty() {
            files.sort_by(|a, b| a.path.cmp(&b.path));
        }
        name_links(package, &mut files);
        let digest_length = match options.file_digest {
            FileDigest::Sha256 => 64,
            FileDigest::Sha384 => 96,
            FileDigest::Sha512 => 128,
            FileDigest::Md5 => 32,
            FileDigest::Sha1 => 40,
        };
        let is_large = options.version == FormatVersion::V6 && !files.is_empty();
        let has_large = is_large || files.iter().any(|file| file.size() >= NEWC_LIMIT);
        Ok(Files { files, digest_length, has_large, version: options.version })
    }

    pub(super) fn iter(&self) -> std::slice::Iter<'_, File<'a>> {
        self.files.iter()
    }

    pub(super) fn get(&self, index: usize) -> &File<'a> {
        &self.files[index]
    }

    /// Whether one is too large for the newc form and for 32-bit sizes, or the format has neither. rpmbuild draws the line at the same
    /// size (`build/files.c`, `addFile`).
    pub(super) fn has_large(&self) -> bool {
        self.has_large
    }

    pub(super) fn has_configuration(&self) -> bool {
        self.iter().any(|file| file.flags() & flag::CONFIG != 0)
    }

    pub(super) fn has_hard_links(&self) -> bool {
        self.iter().any(|file| file.names.is_some())
    }

    pub(super) fn has_capabilities(&self) -> bool {
        self.iter().any(|file| file.capabilities().is_some())
    }

    /// Facts of the right width for files that have not been read.
    pub(super) fn unknown_facts(&self) -> Vec<Facts> {
        let digest =
            |file: &File<'_>| if file.is_regular() { "0".repeat(self.digest_length) } else { "".into() };
        self.iter().map(|file| Facts { digest: digest(file), color: 0 }).collect()
    }

    /// Facts of each file, from those of the members that have contents.
    pub(super) fn facts(&self, read: &[Option<Fact>]) -> Vec<Facts> {
        let facts = |(index, file): (usize, &File<'_>)| {
            let has_contents = file.names.map_or(index, |names| names.last);
            let Some(fact) = read.get(has_contents).and_then(Option::as_ref) else { return Facts::default() };
            let color = if file.is_executable() { color(&fact.start) } else { 0 };
            Facts { digest: hexadecimal(&fact.digest), color }
        };
        self.iter().enumerate().map(facts).collect()
    }

    /// Puts what reading the files tells.
    pub(super) fn put_facts(&self, facts: &[Facts], header: &mut Header) {
        header.put_texts(tag::FILE_DIGESTS, facts.iter().map(|file| &file.digest));
        header.put_int32s(tag::FILE_COLORS, facts.iter().map(|file| file.color));
    }

    /// Puts everything else.
    pub(super) fn put(&self, modified: u32, header: &mut Header) {
        // Each file once, whatever its names (`genCpioListAndHeader` in rpm's `build/files.c`).
        let files = self.iter().enumerate();
        let once = files.filter(|(index, file)| file.names.is_none_or(|names| names.first == *index));
        let total: u64 = once.map(|(_, file)| file.size()).sum();
        match u32::try_from(total) {
            Ok(total) if total < u32::MAX && self.version == FormatVersion::V4 => {
                header.put_int32(tag::SIZE, total)
            }
            _ => header.put_int64s(tag::LONG_SIZE, [total]),
        }
        if self.has_large() {
            header.put_int64s(tag::LONG_FILE_SIZES, self.iter().map(File::size));
        } else {
            header.put_int32s(tag::FILE_SIZES, self.iter().map(|file| file.size() as u32));
        }
        let count = self.files.len();
        header.put_int16s(tag::FILE_MODES, self.iter().map(File::mode));
        header.put_int16s(tag::FILE_RDEVS, vec![0; count]);
        header.put_int32s(tag::FILE_MTIMES, self.iter().map(|file| file.modified(modified)));
        header.put_texts(tag::FILE_LINK_TOS, self.iter().map(File::target));
        header.put_int32s(tag::FILE_FLAGS, self.iter().map(File::flags));
        header.put_texts(tag::FILE_USER_NAME, self.iter().map(|file| file.owner().user.as_bytes()));
        header.put_texts(tag::FILE_GROUP_NAME, self.iter().map(|file| file.owner().group.as_bytes()));
        header.put_int32s(tag::FILE_VERIFY_FLAGS, self.iter().map(File::verify_flags));
        if self.has_capabilities() {
            let text = |file: &File<'_>| file.capabilities().map(|it| it.to_string()).unwrap_or_default();
            header.put_texts(tag::FILE_CAPS, self.iter().map(text));
        }
        header.put_int32s(tag::FILE_DEVICES, vec![1; count]);
        header.put_int32s(tag::FILE_INODES, (0..count).map(|index| self.files[index].inode(index)));
        header.put_texts(tag::FILE_LANGS, vec![""; count]);
        self.put_paths(header);
    }

    fn put_paths(&self, header: &mut Header) {
        let mut directories: BTreeMap<Vec<u8>, u32> = BTreeMap::new();
        let mut in_order = Vec::new();
        let mut indexes = Vec::with_capacity(self.files.len());
        for file in self.iter() {
            let path = file.path.as_bytes();
            let directory = [b"/", &path[..path.len() - file.path.file_name().len()]].concat();
            let index = *directories.entry(directory).or_insert_with_key(|directory| {
                in_order.push(directory.clone());
                in_order.len() as u32 - 1
            });
            indexes.push(index);
        }
        header.put_int32s(tag::DIR_INDEXES, indexes);
        header.put_texts(tag::BASE_NAMES, self.iter().map(|file| file.path.file_name()));
        header.put_texts(tag::DIR_NAMES, in_order);
    }
}

/// Notes which files are names of one.
fn name_links(package: &Package, files: &mut [File<'_>]) {
    let first_of = package.files.hard_links();
    if first_of.is_empty() {
        return;
    }
    let mut names: BTreeMap<PackagePath, Names> = BTreeMap::new();
    let first = |path: &PackagePath| first_of.get(path).copied().unwrap_or(path).clone();
    for (index, file) in files.iter().enumerate().filter(|(_, file)| file.is_regular()) {
        let names = names.entry(first(&file.path)).or_insert(Names { first: index, last: index, count: 0 });
        names.last = index;
        names.count += 1;
    }
    for file in files.iter_mut() {
        file.names = names.get(&first(&file.path)).copied().filter(|names| names.count > 1);
    }
}

/// `EI_CLASS` of an ELF file (elf(5)), for those that are executable, as in `build/rpmfc.c`. rpm's colors have
/// the same numbers (`RPMFC_ELF32`, `RPMFC_ELF64`).
fn color(start: &[u8]) -> u32 {
    match start {
        [0x7f, b'E', b'L', b'F', class @ (1 | 2)] => u32::from(*class),
        _ => 0,
    }
}

impl File<'_> {
    /// When it was changed, `package` unless it keeps a time of its own.
    fn modified(&self, package: u32) -> u32 {
        self.entry.inherited.modified.map_or(package, Timestamp::as_unix)
    }

    fn owner(&self) -> &Owner {
        self.owner.unwrap_or(&self.entry.owner)
    }

    pub(super) fn is_regular(&self) -> bool {
        self.entry.is_file()
    }

    pub(super) fn is_executable(&self) -> bool {
        self.is_regular() && self.entry.mode & 0o111 != 0
    }

    /// Whether it is only listed, and made by the program.
    fn is_ghost(&self) -> bool {
        matches!(self.entry.kind, Kind::Ghost)
    }

    fn capabilities(&self) -> Option<Capabilities> {
        self.entry.capabilities.filter(|_| self.is_regular())
    }

    /// `rpm --verify` compares everything that it can; of a ghost what the program does not change
    /// (`build/files.c`, `genCpioListAndHeader`).
    fn verify_flags(&self) -> u32 {
        const CONTENT: u32 = verify::FILE_DIGEST | verify::FILE_SIZE | verify::LINK_TO | verify::MTIME;
        if self.is_ghost() { !CONTENT } else { u32::MAX }
    }

    /// The contents of a regular file, and for its last name only.
    pub(super) fn contents(&self, index: usize) -> Option<Contents<'_>> {
        match &self.entry.kind {
            Kind::File { content, size, .. } if self.names.is_none_or(|names| names.last == index) => {
                Some(Contents { path: &self.path, content, size: *size })
            }
            Kind::File { .. } | Kind::Directory | Kind::Symlink { .. } | Kind::Ghost => None,
        }
    }

    /// Whether it is in the payload; a ghost is only in the header.
    pub(super) fn is_packed(&self) -> bool {
        !self.is_ghost()
    }

    /// The index of the first name of a file that has several; `None` sorts before.
    pub(super) fn first_of_names(&self) -> Option<usize> {
        self.names.map(|names| names.first)
    }

    fn inode(&self, index: usize) -> u32 {
        self.names.map_or(index, |names| names.first) as u32 + 1
    }

    /// What it points to, for a symbolic link; empty for everything else.
    pub(super) fn target(&self) -> &[u8] {
        match &self.entry.kind {
            Kind::Symlink { target } => target,
            Kind::File { .. } | Kind::Directory | Kind::Ghost => b"",
        }
    }

    pub(super) fn size(&self) -> u64 {
        match &self.entry.kind {
            Kind::File { size, .. } => *size,
            Kind::Symlink { target } => target.len() as u64,
            Kind::Directory | Kind::Ghost => 0,
        }
    }

    /// How many bytes of it are in the payload: those of a file with several names come with the last.
    pub(super) fn packed_size(&self, index: usize) -> u64 {
        match self.names {
            Some(names) if names.last != index => 0,
            _ => self.size(),
        }
    }

    /// Its header in a newc payload.
    pub(super) fn member<'b>(&self, name: &'b mut Vec<u8>, index: usize, package: u32) -> Member<'b> {
        let modified = self.modified(package);
        name.clear();
        name.extend(b"./");
        name.extend(self.path.as_bytes());
        let size = self.packed_size(index) as u32;
        let links = self.names.map_or(1, |names| names.count);
        Member { name, inode: self.inode(index), mode: self.mode(), modified, links, size }
    }

    fn mode(&self) -> u16 {
        let kind = match &self.entry.kind {
            Kind::File { .. } | Kind::Ghost => REGULAR,
            Kind::Directory => DIRECTORY,
            Kind::Symlink { .. } => SYMLINK,
        };
        kind | (self.entry.mode & 0o7777)
    }

    /// Every file below /etc is a configuration file that an upgrade leaves as the customer has it: rpm puts
    /// its own beside it as `.rpmnew`. Documentation goes by place, as in rpmbuild (`%__docdir_path`).
    fn flags(&self) -> u32 {
        const DOCUMENTATION: [&str; 9] = [
            "usr/share/doc",
            "usr/share/man",
            "usr/share/info",
            "usr/share/gtk-doc/html",
            "usr/share/gnome/help",
            "usr/share/javadoc",
            "usr/doc",
            "usr/man",
            "usr/info",
        ];
        if self.entry.is_directory() {
            return 0;
        }
        let mut flags = match self.entry.mark {
            Mark::Plain | Mark::Config | Mark::NotConfig => 0,
            Mark::Documentation => flag::DOCUMENTATION,
            Mark::License => flag::LICENSE,
        };
        if self.entry.is_config(&self.path) {
            flags |= flag::CONFIG | flag::NO_REPLACE;
        }
        if self.is_ghost() {
            flags |= flag::GHOST;
        }
        if DOCUMENTATION.iter().any(|directory| self.path.is_within(directory)) {
            flags |= flag::DOCUMENTATION;
        }
        flags
    }
}

//! Writes a deb in one pass.
//!
//! | member | content |
//! |---|---|
//! | `debian-binary` | `2.0` |
//! | `control.tar.gz`, `.xz` or `.zst` | `control`, `md5sums`, `conffiles`, maintainer scripts … |
//! | `data.tar`, `.gz`, `.xz` or `.zst` | the files, names starting with `./` |
//!
//! `control.tar` comes first and holds the MD5 sum of every file, so the files would have to be read twice, or
//! the compressed files kept somewhere. But the sums' *length* is known, and nearly what they compress to: its
//! place is kept for placeholders and filled when the sums are known (see `gzip::padded`). That keeps packaging
//! free of temporary files. Where compressing placeholders takes longer than moving `data.tar` in the end, that is done.
//!
//! `data.tar` has the project's files first; what Packhouse adds, which names the version, comes last, so that
//! packages with the same files share all but the end (see [`crate::together`]). dpkg takes them in any order, as
//! long as directories precede what is in them.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{SeekFrom, Write as _};

use md5::{Digest as _, Md5};

use super::members::{self, Members};
use super::{control, documents};
use crate::archive::ar::{self, SIZE_LIMIT};
use crate::archive::compress::{Compression, gzip, zstd};
use crate::archive::part::digits;
use crate::archive::tar::{self, Member, MemberKind};
use crate::file_tree::Kind;
use crate::format::Output;
use crate::together::{Archive, Contents, Digest, Hashing, Parts, Stream, Written};
use crate::{Content, Entry, Error, FileTree, Owner, Package, PackagePath, Result, Timestamp, sysusers};

/// A package in parts.
pub(super) fn parts(package: &Package) -> Result<Box<dyn Parts + '_>> {
    let verbatim = package.options.deb.verbatim.as_ref();
    let mut added = FileTree::new();
    if verbatim.is_none() {
        package.check()?;
        added = documents::missing(package)?;
        added.extend(sysusers::missing(package)?)?;
    }
    // dpkg makes no directory that the package does not name.
    let leading = package.files.leading_directories(&[]);
    for directory in added.leading_directories(&[&package.files]) {
        if !leading.contains(&directory) {
            added.insert(directory, Entry::directory())?;
        }
    }
    // In order: a directory that nobody named precedes what is in it.
    let mut head: Vec<Item<'_>> = Vec::with_capacity(package.files.len() + leading.len());
    let links = package.files.hard_links();
    for (path, entry) in package.files.iter() {
        if !matches!(entry.kind, Kind::Ghost) {
            let link = links.get(path).copied();
            head.push(Item { path: Cow::Borrowed(path), entry: Cow::Borrowed(entry), link });
        }
    }
    let is_complete = leading.is_empty();
    for path in leading {
        head.push(Item { path: Cow::Owned(path), entry: Cow::Owned(Entry::directory()), link: None });
    }
    if !is_complete {
        head.sort_by(|a, b| a.path.cmp(&b.path));
    }

    let mut entries: Vec<(&PackagePath, &Entry)> =
        head.iter().map(|item| (&*item.path, &*item.entry)).collect();
    put_in(&mut entries, added.iter());
    if let Some((path, _)) = entries.iter().find(|(path, _)| path.as_bytes().contains(&b'\n')) {
        // `tarobject` in dpkg's src/main/archives.c; and `md5sums` is made of lines.
        let reason = "dpkg installs no file with a line break in its name";
        return Err(Error::FileName { path: (**path).clone(), format: "deb", reason });
    }
    let default_owner = match verbatim {
        Some(verbatim) if verbatim.is_numeric => Owner::new("", ""),
        _ => package.options.deb.owner.clone().unwrap_or_default(),
    };
    for (_, entry) in &entries {
        match owner(entry, &default_owner) {
            by_number if *by_number == default_owner && verbatim.is_some_and(|it| it.is_numeric) => {}
            owner => tar::check_owner(owner, "deb")?,
        }
    }
    let (conffiles, control) = match verbatim {
        // Whoever wrote the list of configuration files says which these are.
        Some(verbatim) => (BTreeSet::new(), verbatim.members.clone()),
        None => {
            let conffiles: BTreeSet<PackagePath> =
                members::conffiles(&entries)?.into_iter().cloned().collect();
            let once = entries.iter().filter(|(path, _)| !links.contains_key(path)).map(|(_, entry)| *entry);
            let control = members::of(package, &entries, control::installed_size(once), &conffiles)?;
            (conffiles, control)
        }
    };
    drop(entries);

    let mut deb = Deb {
        timestamp: package.timestamp,
        // xz is what every dpkg since 1.15.6 reads; zstd only those since 1.21.18 and Ubuntu's since 18.04.
        compression: package.options.compression.unwrap_or(Compression::XZ),
        data: Data { items: head, timestamp: package.timestamp, default_owner, is_whole: verbatim.is_some() },
        added,
        conffiles,
        control,
        is_verbatim: verbatim.is_some(),
        has_gzip_control: package.options.deb.gzip_control,
        reserved: None,
        start: 0,
    };
    if !is_slow(deb.control_compression()) {
        let placeholders: Vec<[u8; 16]> = (0..deb.data.items.len() as u64).map(gzip::placeholder).collect();
        let tar = deb.control_tar(&placeholders)?;
        deb.reserved = Some(deb.reserve(&tar)?);
    }
    deb.start = deb.front(&vec![0; deb.reserved.unwrap_or(0)], 0)?.len() as u64;
    Ok(Box::new(deb))
}

struct Deb<'a> {
    timestamp: Timestamp,
    compression: Compression,
    data: Data<'a>,
    /// What Packhouse adds: the tail of data.tar.
    added: FileTree,
    conffiles: BTreeSet<PackagePath>,
    /// Without `md5sums`.
    control: Members,
    is_verbatim: bool,
    has_gzip_control: bool,
    /// The length that is kept for control.tar, compressed; `None` where data.tar is moved behind it.
    reserved: Option<usize>,
    start: u64,
}

/// What is not Packhouse's own of data.tar.
struct Data<'a> {
    items: Vec<Item<'a>>,
    timestamp: Timestamp,
    default_owner: Owner,
    /// Nothing of Packhouse's follows: the archive ends here.
    is_whole: bool,
}

struct Item<'a> {
    path: Cow<'a, PackagePath>,
    entry: Cow<'a, Entry>,
    /// The path of the same file, for its later names.
    link: Option<&'a PackagePath>,
}

impl Parts for Deb<'_> {
    fn archive(&self) -> &dyn Archive {
        &self.data
    }

    fn stream(&self) -> Stream {
        Stream {
            compression: self.compression,
            digests: &[Digest::Md5],
            hashing: Hashing::No,
            has_tail: !self.is_verbatim,
            limit: Some(("deb", SIZE_LIMIT)),
        }
    }

    fn start(&self) -> u64 {
        self.start
    }

    fn finish(self: Box<Self>, archive: &Written, out: &mut dyn Output) -> Result<()> {
        let tail = match self.is_verbatim {
            true => Vec::new(),
            false => archive.tail(&self.tail(archive.archive_size)?)?,
        };
        let size = archive.size + tail.len() as u64;
        let sums: Vec<[u8; 16]> = (0..self.data.items.len())
            .map(|member| {
                let fact = archive.facts.get(member).and_then(Option::as_ref);
                fact.and_then(|fact| fact.digest[..].try_into().ok()).unwrap_or_default()
            })
            .collect();
        let tar = self.control_tar(&sums)?;
        // Sums that compress eight deviations worse than the placeholders would not fit. That does not come about,
        // and making it come about takes a search among 10^15 packages of one's own.
        let control = self.compress_control(&tar)?.ok_or_else(|| {
            std::io::Error::other("control.tar takes more than was reserved for it; please report this")
        })?;
        let front = self.front(&control, size)?;
        let start = front.len() as u64;
        make_room(out, self.start, archive.size, start)?;
        out.seek(SeekFrom::Start(start + archive.size))?;
        out.write_all(&tail)?;
        out.write_all(ar::padding(size))?;
        out.seek(SeekFrom::Start(0))?;
        out.write_all(&front)?;
        out.seek(SeekFrom::Start(start + size + ar::padding(size).len() as u64))?;
        Ok(())
    }
}

/// Whether it takes longer to compress a list of digests twice than to move what is compressed alike.
fn is_slow(compression: Compression) -> bool {
    matches!(compression, Compression::Xz(_) | Compression::Zstd(10..))
}

/// Moves `size` bytes at `from` to `to`, which does not come before it.
fn make_room(out: &mut dyn Output, from: u64, size: u64, to: u64) -> Result<()> {
    if from == to {
        return Ok(());
    }
    let mut buffer = vec![0; size.min(1 << 20) as usize];
    let mut left = size;
    while left > 0 {
        let count = left.min(buffer.len() as u64);
        left -= count;
        let piece = &mut buffer[..count as usize];
        out.seek(SeekFrom::Start(from + left))?;
        out.read_exact(piece)?;
        out.seek(SeekFrom::Start(to + left))?;
        out.write_all(piece)?;
    }
    Ok(())
}

impl Deb<'_> {
    /// Of control.tar: as its data.tar, as dpkg-deb does it.
    fn control_compression(&self) -> Compression {
        match self.compression {
            // No dpkg reads a control.tar in bzip2 (deb(5)).
            Compression::Bzip2(_) => Compression::GZIP,
            Compression::Xz(_) if self.has_gzip_control => Compression::GZIP,
            Compression::None if !self.is_verbatim => Compression::GZIP,
            compression => compression,
        }
    }

    /// The length that control.tar takes, whatever the sums in it are.
    fn reserve(&self, tar: &[u8]) -> Result<usize> {
        Ok(match self.control_compression() {
            Compression::Gzip(_) => gzip::reserve(tar),
            Compression::Zstd(level) => zstd::reserve(level, tar)?,
            _ => tar.len(),
        })
    }

    /// control.tar, at exactly that length where a place is kept; `None` when it does not fit.
    fn compress_control(&self, tar: &[u8]) -> Result<Option<Vec<u8>>> {
        Ok(match (self.control_compression(), self.reserved) {
            (Compression::Gzip(_), Some(length)) => gzip::padded(tar, length),
            (Compression::Zstd(level), Some(length)) => zstd::padded(level, tar, length)?,
            (other, _) => Some(other.whole(tar)?),
        })
    }

    /// Everything before the bytes of data.tar.
    fn front(&self, control: &[u8], size: u64) -> Result<Vec<u8>> {
        let mut ar = ar::Writer::new(Vec::new(), self.timestamp)?;
        ar.add("debian-binary", b"2.0\n")?;
        ar.add(&format!("control.tar{}", self.control_compression().suffix()), control)?;
        ar.last(&format!("data.tar{}", self.compression.suffix()), size)
    }

    /// control.tar with the MD5 sums of the members of the head; those of the tail are at hand.
    fn control_tar(&self, sums: &[[u8; 16]]) -> Result<Vec<u8>> {
        let items = &self.data.items;
        let mut lines: Vec<(&PackagePath, [u8; 16])> = Vec::with_capacity(items.len() + self.added.len());
        for (item, sum) in items.iter().zip(sums).filter(|(item, _)| item.entry.is_file()) {
            // Items are sorted by path.
            let first =
                item.link.and_then(|first| items.binary_search_by(|other| (*other.path).cmp(first)).ok());
            let sum = first.and_then(|first| sums.get(first)).unwrap_or(sum);
            lines.push((&item.path, *sum));
        }
        let added = self.added.iter().filter_map(|(path, entry)| match &entry.kind {
            Kind::File { content: Content::Bytes(bytes), .. } => Some((path, Md5::digest(bytes).into())),
            _ => None,
        });
        put_in(&mut lines, added);
        lines.retain(|(path, _)| !self.conffiles.contains(*path));

        let md5sums = (0o644, md5sums(&lines));
        let mut members: BTreeMap<&str, &(u16, Vec<u8>)> =
            self.control.iter().map(|(name, member)| (&**name, member)).collect();
        if !md5sums.1.is_empty() || !self.is_verbatim {
            members.insert("md5sums", &md5sums);
        }
        let owner = match self.is_verbatim {
            true => Owner::new("", ""),
            false => Owner::default(),
        };
        let mut tar = tar::Writer::new(Vec::new(), self.timestamp);
        tar.member(&Member { path: b"./", kind: MemberKind::Directory, mode: 0o755, owner: &owner })?;
        for (name, (mode, bytes)) in members {
            let path = format!("./{name}");
            let kind = MemberKind::File { size: bytes.len() as u64 };
            tar.member(&Member { path: path.as_bytes(), kind, mode: *mode, owner: &owner })?;
            tar.write_all(bytes)?;
        }
        Ok(tar.finish()?)
    }

    /// The end of data.tar, of which there are `position` bytes already.
    fn tail(&self, position: u64) -> Result<Vec<u8>> {
        let mut tar = tar::Writer::new(vec![0; tar::padding(position)], self.timestamp);
        for (path, entry) in self.added.iter() {
            member(&mut tar, path, entry, None, &self.data.default_owner)?;
            if let Kind::File { content: Content::Bytes(bytes), .. } = &entry.kind {
                tar.write_all(bytes)?;
            }
        }
        Ok(tar.finish()?)
    }
}

impl Archive for Data<'_> {
    fn members(&self) -> usize {
        self.items.len()
    }

    fn content(&self, member: usize) -> Option<Contents<'_>> {
        let Item { path, entry, link } = &self.items[member];
        match &entry.kind {
            Kind::File { content, size, .. } if link.is_none() => {
                Some(Contents { path, content, size: *size })
            }
            _ => None,
        }
    }

    fn front(&self, member: usize, position: u64, out: &mut Vec<u8>) -> Result<()> {
        out.resize(out.len() + tar::padding(position), 0);
        let mut tar = tar::Writer::new(out, self.timestamp);
        if member == 0 {
            root(&mut tar, &self.default_owner)?;
        }
        let Item { path, entry, link } = &self.items[member];
        self::member(&mut tar, path, entry, *link, &self.default_owner)
    }

    fn end(&self, position: u64, out: &mut Vec<u8>) -> Result<()> {
        if self.is_whole {
            out.resize(out.len() + tar::padding(position), 0);
        }
        if self.items.is_empty() {
            root(&mut tar::Writer::new(&mut *out, self.timestamp), &self.default_owner)?;
        }
        if self.is_whole {
            tar::Writer::new(out, self.timestamp).finish()?;
        }
        Ok(())
    }
}

/// The member that is the root itself.
fn root(tar: &mut tar::Writer<&mut Vec<u8>>, default_owner: &Owner) -> Result<()> {
    let root = Owner::default();
    let owner = if default_owner.user.is_empty() { default_owner } else { &root };
    let kind = MemberKind::Directory;
    Ok(tar.member(&Member { path: b"./", kind, mode: 0o755, owner })?)
}

/// The header of an entry; a file's bytes follow.
fn member<W: std::io::Write>(
    tar: &mut tar::Writer<W>,
    path: &PackagePath,
    entry: &Entry,
    link: Option<&PackagePath>,
    default_owner: &Owner,
) -> Result<()> {
    let mut name = [b"./", path.as_bytes()].concat();
    tar.inherit(entry.inherited);
    let first = link.map(|first| [b"./", first.as_bytes()].concat());
    let kind = match (&entry.kind, &first) {
        (Kind::File { .. }, Some(target)) => MemberKind::HardLink { target },
        (Kind::File { size, .. }, None) => MemberKind::File { size: *size },
        (Kind::Symlink { target }, _) => MemberKind::Symlink { target },
        (Kind::Directory, _) => {
            name.push(b'/');
            MemberKind::Directory
        }
        (Kind::Ghost, _) => return Ok(()),
    };
    let owner = owner(entry, default_owner);
    Ok(tar.member(&Member { path: &name, kind, mode: entry.mode, owner })?)
}

/// Puts a few into what is sorted by path.
fn put_in<'a, T>(sorted: &mut Vec<(&'a PackagePath, T)>, few: impl Iterator<Item = (&'a PackagePath, T)>) {
    for one in few {
        sorted.insert(sorted.partition_point(|(path, _)| *path < one.0), one);
    }
}

/// Lines of `MD5  path`, without `./` (deb-md5sums(5)). Configuration files are left out, as dh_md5sums does:
/// the customer may change them, and dpkg keeps their sums itself.
fn md5sums(sums: &[(&PackagePath, [u8; 16])]) -> Vec<u8> {
    let mut text = Vec::with_capacity(sums.iter().map(|(path, _)| path.as_bytes().len() + 35).sum());
    for (path, sum) in sums {
        for byte in sum {
            text.extend(digits(*byte));
        }
        text.extend_from_slice(b"  ");
        text.extend_from_slice(path.as_bytes());
        text.push(b'\n');
    }
    text
}

/// Who owns `entry`: root stands for "nobody was named".
fn owner<'a>(entry: &'a Entry, default: &'a Owner) -> &'a Owner {
    if entry.owner == Owner::default() { default } else { &entry.owner }
}

//! Writes a package in one pass.
//!
//! `.MTREE` precedes the files and holds their digests, so the files would have to be read twice, or the compressed
//! files kept somewhere. But its length can be kept free: the list is compressed with [`placeholder`]s, the length
//! that this gives is reserved, and the real one is made exactly as long ([`padded`]). For its bytes to have a place of
//! their own in a compressed archive, they are a stream of their own that only stores (see [`stored`]):
//!
//! ```text
//! stream 1, compressed   .BUILDINFO, .CHANGELOG, .INSTALL, the header of .MTREE
//! stream 2, stored       .MTREE, which is compressed by itself
//! stream 3, compressed   the rest of the archive
//! ```
//!
//! Every reader goes on from one stream to the next (libarchive's filters, zstd(1), xz(1), gzip(1)). When the list
//! does not fit, which for digests that are not made for it does not happen, everything is written once more.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{SeekFrom, Write};
use std::num::NonZeroUsize;

use super::mtree::{Digests, Mtree};
use super::{Pacman, info, install, owners};
use crate::archive::compress::gzip::{padded, placeholder, reserve};
use crate::archive::compress::stored::stored;
use crate::archive::compress::{Compression, Encoder};
use crate::archive::tar::{self, Member, MemberKind, padding};
use crate::file_tree::Kind;
use crate::format::Output;
use crate::together::{self, Archive, Contents, Digest, Hashing, Parts, Stream, Written};
use crate::{
    Entry, Error, FileTree, Owner, Package, PackageFormat as _, PackagePath, Resources, Result, Timestamp,
    sysusers,
};

/// A package in parts.
pub(super) fn parts(package: &Package) -> Result<Box<dyn Parts + '_>> {
    let draft = Draft::new(package)?;
    let placeholders: Vec<Digests> = (0..draft.items.len() as u64)
        .map(|number| Digests { md5: placeholder(2 * number), sha256: placeholder(2 * number + 1) })
        .collect();
    let reserved = reserve(&draft.mtree(&placeholders));
    Ok(Box::new(Streams::new(draft, reserved, MOST_TRIES)?))
}

/// Once is enough; twice when the list did not fit; more only when files change all the time.
const MOST_TRIES: u8 = 4;

/// The files of the package with those that pacman's format adds: accounts and owners.
fn files(package: &Package) -> Result<Cow<'_, FileTree>> {
    if package.options.pacman.verbatim.is_some() {
        return Ok(Cow::Borrowed(&package.files));
    }
    package.check()?;
    let mut added = sysusers::missing(package)?;
    let owners = owners::tmpfiles(&package.files, package.options.pacman.owner.as_ref())?;
    if !owners.is_empty() {
        let path = PackagePath::new(tmpfiles_path(package)).expect("a package's name can be in a path");
        added.insert(path, Entry::bytes(owners.into_bytes(), 0o644))?;
    }
    if added.is_empty() {
        return Ok(Cow::Borrowed(&package.files));
    }
    let mut files = package.files.clone();
    files.extend(added)?;
    files.complete();
    Ok(Cow::Owned(files))
}

fn tmpfiles_path(package: &Package) -> String {
    format!("/usr/lib/tmpfiles.d/{}-owners.conf", package.metadata.name)
}

/// What is known of a package before its files are read.
struct Draft<'a> {
    timestamp: Timestamp,
    compression: Compression,
    /// Members before `.MTREE`, sorted.
    before: Vec<(&'static str, Vec<u8>)>,
    pkginfo: Vec<u8>,
    items: Vec<Item<'a>>,
}

struct Item<'a> {
    path: Cow<'a, PackagePath>,
    entry: Cow<'a, Entry>,
    /// The number of the first name of the same file, for its later names.
    link: Option<usize>,
}

impl<'a> Draft<'a> {
    fn new(package: &'a Package) -> Result<Draft<'a>> {
        let files = files(package)?;
        let first_names = files.hard_links();
        let (mut links, mut ghosts, mut backup) = (Vec::new(), Vec::new(), Vec::new());
        let mut numbers = BTreeMap::new();
        let mut size = 0_u64;
        for (path, entry) in files.iter() {
            check_name(path, entry)?;
            let link: Option<usize> = first_names.get(path).map(|first| numbers[*first]);
            match &entry.kind {
                Kind::File { size: length, .. } if link.is_none() => {
                    numbers.insert(path, links.len());
                    size = size.saturating_add(*length);
                }
                Kind::Ghost => {
                    ghosts.push(path);
                    continue;
                }
                Kind::File { .. } | Kind::Directory | Kind::Symlink { .. } => {}
            }
            if entry.is_config(path) {
                backup.push(path);
            }
            links.push(link);
        }
        let compression = package.options.compression.unwrap_or(Compression::ZSTD);
        if let Compression::Bzip2(_) = compression {
            let reason = "it has no way to store the list of files, whose place is kept";
            let value = compression.name().to_owned();
            return Err(Error::Option { format: "pacman", option: "the compression", value, reason });
        }
        let (before, pkginfo) = match &package.options.pacman.verbatim {
            Some(verbatim) => {
                let install = verbatim.install.iter().map(|text| (".INSTALL", text.clone().into_bytes()));
                (install.collect(), verbatim.info.clone().into_bytes())
            }
            None => {
                let arch = Pacman.arch(package.metadata.arch);
                let before = before(package, &files, ghosts, arch)?;
                (before, info::pkginfo(package, arch, size, &backup)?)
            }
        };
        let items = match &files {
            Cow::Borrowed(files) => {
                let entries = stored_entries(files).zip(links);
                let item = |((path, entry), link)| Item {
                    path: Cow::Borrowed(path),
                    entry: Cow::Borrowed(entry),
                    link,
                };
                entries.map(item).collect()
            }
            Cow::Owned(files) => {
                let entries = stored_entries(files).zip(links);
                let item = |((path, entry), link): ((&PackagePath, &Entry), _)| Item {
                    path: Cow::Owned(path.clone()),
                    entry: Cow::Owned(entry.clone()),
                    link,
                };
                entries.map(item).collect()
            }
        };
        Ok(Draft { timestamp: package.timestamp, compression, before, pkginfo, items })
    }

    /// The list of files, given the digests of the items, by their numbers.
    fn mtree(&self, digests: &[Digests]) -> Vec<u8> {
        let mut mtree = Mtree::new(self.timestamp);
        let before = self.before.iter().map(|(name, bytes)| (*name, bytes));
        for (name, bytes) in before.chain([(".PKGINFO", &self.pkginfo)]) {
            mtree.file(name.as_bytes(), 0o644, bytes.len() as u64, &Digests::of(bytes));
        }
        for (number, Item { path, entry, link }) in self.items.iter().enumerate() {
            mtree.modified(entry.inherited.modified.unwrap_or(self.timestamp));
            match &entry.kind {
                Kind::File { size, .. } => {
                    mtree.file(path.as_bytes(), entry.mode, *size, &digests[link.unwrap_or(number)]);
                }
                Kind::Directory => mtree.directory(path, entry.mode),
                Kind::Symlink { target } => mtree.symlink(path, target),
                Kind::Ghost => {}
            }
        }
        mtree.finish()
    }
}

fn stored_entries(files: &FileTree) -> impl Iterator<Item = (&PackagePath, &Entry)> {
    files.iter().filter(|(_, entry)| !matches!(entry.kind, Kind::Ghost))
}

/// Members before `.MTREE`, sorted.
fn before(
    package: &Package,
    files: &FileTree,
    ghosts: Vec<&PackagePath>,
    arch: &str,
) -> Result<Vec<(&'static str, Vec<u8>)>> {
    let has = |path: &str| PackagePath::new(path).is_ok_and(|path| files.entry(&path).is_some());
    let sysusers = format!("/usr/lib/sysusers.d/{}.conf", package.metadata.name);
    let tmpfiles = tmpfiles_path(package);
    let parts = install::Parts {
        sysusers: (!package.setup.accounts.is_empty()).then_some(sysusers),
        tmpfiles: has(&tmpfiles).then_some(tmpfiles),
        ghosts,
    };
    let mut before = vec![(".BUILDINFO", info::buildinfo(package, arch)?)];
    if !package.metadata.changelog.is_empty() {
        before.push((".CHANGELOG", info::changelog(&package.metadata.changelog)));
    }
    before.extend(install::generate(package, &parts)?.map(|text| (".INSTALL", text)));
    Ok(before)
}

/// The three streams of a package.
struct Streams<'a> {
    /// Up to the bytes of `.MTREE`.
    first: Vec<u8>,
    /// Where the third starts.
    start: u64,
    third: Third<'a>,
    /// How often all may be written.
    tries: u8,
}

/// The archive behind `.MTREE`.
struct Third<'a> {
    draft: Draft<'a>,
    /// The length of `.MTREE`.
    reserved: usize,
}

impl<'a> Streams<'a> {
    fn new(draft: Draft<'a>, reserved: usize, tries: u8) -> Result<Streams<'a>> {
        let resources = Resources { threads: NonZeroUsize::MIN };
        let encoder = Encoder::new(draft.compression, resources, Vec::new())?;
        let mut tar = tar::Writer::new(encoder, draft.timestamp);
        for (name, bytes) in &draft.before {
            add(&mut tar, name, bytes)?;
        }
        tar.member(&member(b".MTREE", MemberKind::File { size: reserved as u64 }, 0o644, &Owner::default()))?;
        let first = tar.suspend().finish()?;
        let second = stored(draft.compression, &vec![0; reserved]);
        let start = (first.len() + second.len()) as u64;
        Ok(Streams { first, start, third: Third { draft, reserved }, tries })
    }
}

impl Parts for Streams<'_> {
    fn archive(&self) -> &dyn Archive {
        &self.third
    }

    fn stream(&self) -> Stream {
        Stream {
            compression: self.third.draft.compression,
            digests: &[Digest::Md5, Digest::Sha256],
            hashing: Hashing::No,
            has_tail: false,
            limit: None,
        }
    }

    fn start(&self) -> u64 {
        self.start
    }

    fn finish(self: Box<Self>, archive: &Written, out: &mut dyn Output) -> Result<()> {
        let Streams { first, third: Third { draft, reserved }, tries, .. } = *self;
        let digests = archive.facts.iter().map(|fact| {
            let digest = fact.as_ref().map_or(&[][..], |fact| &fact.digest);
            Digests::from_bytes(digest).unwrap_or_default()
        });
        let mtree = draft.mtree(&digests.collect::<Vec<_>>());
        if let Some(list) = padded(&mtree, reserved) {
            out.seek(SeekFrom::Start(0))?;
            out.write_all(&first)?;
            out.write_all(&stored(draft.compression, &list))?;
            out.seek(SeekFrom::End(0))?;
            return Ok(());
        }
        if tries == 1 {
            return Err(std::io::Error::other("the files change while they are packaged").into());
        }
        let again = Streams::new(draft, reserve(&mtree).max(reserved), tries - 1)?;
        together::write_one(Box::new(again), Resources { threads: NonZeroUsize::MIN }, out)
    }
}

impl Third<'_> {
    /// An archive to go on with at `position`. It begins in the middle of a member, before its padding.
    fn writer<'o>(&self, position: u64, out: &'o mut Vec<u8>) -> Result<tar::Writer<&'o mut Vec<u8>>> {
        out.resize(out.len() + padding(self.reserved as u64 + position), 0);
        let mut tar = tar::Writer::new(out, self.draft.timestamp);
        if position == 0 {
            add(&mut tar, ".PKGINFO", &self.draft.pkginfo)?;
        }
        Ok(tar)
    }
}

impl Archive for Third<'_> {
    fn members(&self) -> usize {
        self.draft.items.len()
    }

    fn content(&self, member: usize) -> Option<Contents<'_>> {
        let Item { path, entry, link } = &self.draft.items[member];
        match &entry.kind {
            Kind::File { content, size, .. } if link.is_none() => {
                Some(Contents { path, content, size: *size })
            }
            _ => None,
        }
    }

    fn front(&self, member: usize, position: u64, out: &mut Vec<u8>) -> Result<()> {
        let mut tar = self.writer(position, out)?;
        let Item { path, entry, link } = &self.draft.items[member];
        let mut name = Cow::Borrowed(path.as_bytes());
        let kind = match (&entry.kind, link) {
            (Kind::File { .. }, Some(first)) => {
                MemberKind::HardLink { target: self.draft.items[*first].path.as_bytes() }
            }
            (Kind::File { size, .. }, None) => MemberKind::File { size: *size },
            (Kind::Symlink { target }, _) => MemberKind::Symlink { target },
            (Kind::Directory, _) => {
                name.to_mut().push(b'/');
                MemberKind::Directory
            }
            (Kind::Ghost, _) => return Ok(()),
        };
        tar.inherit(entry.inherited);
        if let (MemberKind::File { .. }, Some(capabilities)) = (&kind, entry.capabilities) {
            tar.attribute("security.capability", &capabilities.to_attribute())?;
        }
        tar.member(&self::member(&name, kind, entry.mode, &Owner::default()))?;
        Ok(())
    }

    fn end(&self, position: u64, out: &mut Vec<u8>) -> Result<()> {
        self.writer(position, out)?.finish()?;
        Ok(())
    }
}

fn member<'a>(path: &'a [u8], kind: MemberKind<'a>, mode: u16, owner: &'a Owner) -> Member<'a> {
    Member { path, kind, mode, owner }
}

fn add<W: Write>(tar: &mut tar::Writer<W>, name: &str, bytes: &[u8]) -> Result<()> {
    let owner = Owner::default();
    tar.member(&member(name.as_bytes(), MemberKind::File { size: bytes.len() as u64 }, 0o644, &owner))?;
    Ok(tar.write_all(bytes)?)
}

/// What pacman's own files, made of lines, cannot hold, and what it would leave out.
fn check_name(path: &PackagePath, entry: &Entry) -> Result<()> {
    let refuse = |reason| Err(Error::FileName { path: path.clone(), format: "pacman", reason });
    let bytes = path.as_bytes();
    // The longest path with a root, `.pacnew` and a NUL (PATH_MAX in `extract_single_file`).
    let longest = 4096 - 2 - if entry.is_config(path) { ".pacnew".len() } else { 0 };
    if bytes.contains(&b'\n') {
        return refuse("its list of files is made of lines");
    }
    if bytes.starts_with(b".") {
        return refuse("it does not extract a file of the root that starts with a full stop");
    }
    if entry.is_config(path) && bytes.contains(&b'\t') {
        return refuse("a tab ends the name of a configuration file in its database");
    }
    if bytes.len() > longest {
        return refuse(
            "it adds the root and, for a configuration file, `.pacnew`, and Linux allows 4095 bytes",
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Arch, FileTree, Metadata, Options, PackageName, Relations, Scripts, Setup, Timestamp, Version,
    };

    #[test]
    fn a_list_that_does_not_fit_is_written_again() {
        let mut files = FileTree::new();
        files.insert(PackagePath::new("usr/bin/x").unwrap(), Entry::bytes(&b"x"[..], 0o755)).unwrap();
        files.complete();
        let package = Package {
            metadata: Metadata {
                name: PackageName::new("x").unwrap(),
                version: Version::new("1"),
                arch: Arch::Noarch,
                summary: "x".into(),
                description: String::new(),
                homepage: None,
                vendor: None,
                maintainer: "x".into(),
                license: None,
                category: None,
                relations: Relations::default(),
                changelog: Vec::new(),
            },
            files,
            scripts: Scripts::new(),
            setup: Setup::default(),
            timestamp: Timestamp::from_unix(7).unwrap(),
            options: Options::default(),
        };
        let written = |reserved| {
            let draft = Draft::new(&package).unwrap();
            let streams = Streams::new(draft, reserved, MOST_TRIES).unwrap();
            let mut out = std::io::Cursor::new(Vec::new());
            let resources = Resources { threads: NonZeroUsize::MIN };
            together::write_one(Box::new(streams), resources, &mut out).unwrap();
            out.into_inner()
        };
        let digests = vec![Digests::of(b"x"); package.files.len()];
        let real = Draft::new(&package).unwrap().mtree(&digests);
        assert!(written(20) == written(reserve(&real)));
    }
}

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
use std::io::{SeekFrom, Write};
use std::num::NonZeroUsize;

use super::install::Parts;
use super::mtree::Mtree;
use super::read::{Digests, Piece, read};
use super::{Pacman, info, install, owners};
use crate::archive::compress::gzip::{padded, placeholder, reserve};
use crate::archive::compress::stored::stored;
use crate::archive::compress::{Compression, Encoder};
use crate::archive::tar::{self, Member, MemberKind, padding};
use crate::content::with_reader;
use crate::file_tree::Kind;
use crate::format::Output;
use crate::{
    Content, Entry, Error, Owner, Package, PackageFormat as _, PackagePath, Resources, Result, sysusers,
};

/// Writes `package` to `out`.
pub(super) fn write(package: &Package, resources: Resources, out: &mut dyn Output) -> Result<()> {
    let package = &*prepared(package)?;
    let archive = Archive::new(package)?;
    let placeholders =
        (0..).map(|number| Digests { md5: placeholder(2 * number), sha256: placeholder(2 * number + 1) });
    let placeholders: Vec<Digests> = placeholders.take(archive.files.len()).collect();
    let reserved = reserve(&archive.mtree(&placeholders));
    write_reserving(&archive, resources, reserved, out)
}

fn write_reserving(
    archive: &Archive<'_>,
    resources: Resources,
    mut reserved: usize,
    out: &mut dyn Output,
) -> Result<()> {
    // Once is enough; twice when the list did not fit; more only when files change all the time.
    for _ in 0..4 {
        let start = archive.start(reserved)?;
        out.seek(SeekFrom::Start(0))?;
        out.write_all(&start)?;
        out.write_all(&stored(archive.compression, &vec![0; reserved]))?;
        let digests = archive.write_rest(reserved, resources, out)?;
        let mtree = archive.mtree(&digests);
        match padded(&mtree, reserved) {
            Some(member) => {
                out.seek(SeekFrom::Start(start.len() as u64))?;
                out.write_all(&stored(archive.compression, &member))?;
                out.seek(SeekFrom::End(0))?;
                out.flush()?;
                return Ok(());
            }
            None => reserved = reserve(&mtree).max(reserved),
        }
    }
    Err(std::io::Error::other("the files change while they are packaged").into())
}

/// The package with the files that pacman's format adds: accounts and owners.
fn prepared(package: &Package) -> Result<Cow<'_, Package>> {
    if package.options.pacman.verbatim.is_some() {
        return Ok(Cow::Borrowed(package));
    }
    package.check()?;
    let mut added = sysusers::missing(package)?;
    let owners = owners::tmpfiles(&package.files, package.options.pacman.owner.as_ref())?;
    if !owners.is_empty() {
        let path = PackagePath::new(tmpfiles_path(package)).expect("a package's name can be in a path");
        added.insert(path, Entry::bytes(owners.into_bytes(), 0o644))?;
    }
    if added.is_empty() {
        return Ok(Cow::Borrowed(package));
    }
    let mut package = package.clone();
    package.files.extend(added)?;
    package.files.complete();
    Ok(Cow::Owned(package))
}

fn tmpfiles_path(package: &Package) -> String {
    format!("/usr/lib/tmpfiles.d/{}-owners.conf", package.metadata.name)
}

/// What is known of a package before its files are read.
struct Archive<'a> {
    package: &'a Package,
    compression: Compression,
    /// Members before `.MTREE`, sorted.
    before: Vec<(&'static str, Vec<u8>)>,
    pkginfo: Vec<u8>,
    entries: Vec<(&'a PackagePath, &'a Entry, Stored<'a>)>,
    /// What is read, with its size.
    files: Vec<(&'a Content, u64)>,
}

/// How an entry is in the archive.
#[derive(Clone, Copy)]
enum Stored<'a> {
    /// A file with its number among [`Archive::files`].
    File(usize),
    /// Another name of a file.
    Link(usize, &'a PackagePath),
    Directory,
    Symlink(&'a [u8]),
}

impl<'a> Archive<'a> {
    fn new(package: &'a Package) -> Result<Archive<'a>> {
        let links = package.files.hard_links();
        let (mut entries, mut files, mut ghosts, mut backup) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut numbers = std::collections::BTreeMap::new();
        let mut size = 0_u64;
        for (path, entry) in package.files.iter() {
            check_name(path, entry)?;
            let stored = match &entry.kind {
                Kind::File { content, size: length, .. } => match links.get(path) {
                    Some(first) => Stored::Link(numbers[*first], first),
                    None => {
                        numbers.insert(path, files.len());
                        files.push((content, *length));
                        size = size.saturating_add(*length);
                        Stored::File(files.len() - 1)
                    }
                },
                Kind::Directory => Stored::Directory,
                Kind::Symlink { target } => Stored::Symlink(target),
                Kind::Ghost => {
                    ghosts.push(path);
                    continue;
                }
            };
            if entry.is_config(path) {
                backup.push(path);
            }
            entries.push((path, entry, stored));
        }
        let compression = package.options.compression.unwrap_or(Compression::ZSTD);
        if let Compression::Bzip2(_) = compression {
            let reason = "it has no way to store the list of files, whose place is kept";
            let value = compression.name().to_owned();
            return Err(Error::Option { format: "pacman", option: "the compression", value, reason });
        }
        if let Some(verbatim) = &package.options.pacman.verbatim {
            let install = verbatim.install.iter().map(|text| (".INSTALL", text.clone().into_bytes()));
            let (before, pkginfo) = (install.collect(), verbatim.info.clone().into_bytes());
            return Ok(Archive { package, compression, before, pkginfo, entries, files });
        }
        let arch = Pacman.arch(package.metadata.arch);
        let has = |path: &str| PackagePath::new(path).is_ok_and(|path| package.files.entry(&path).is_some());
        let sysusers = format!("/usr/lib/sysusers.d/{}.conf", package.metadata.name);
        let tmpfiles = tmpfiles_path(package);
        let parts = Parts {
            sysusers: (!package.setup.accounts.is_empty()).then_some(sysusers),
            tmpfiles: has(&tmpfiles).then_some(tmpfiles),
            ghosts,
        };
        let mut before = vec![(".BUILDINFO", info::buildinfo(package, arch)?)];
        if !package.metadata.changelog.is_empty() {
            before.push((".CHANGELOG", info::changelog(&package.metadata.changelog)));
        }
        before.extend(install::generate(package, &parts)?.map(|text| (".INSTALL", text)));
        let pkginfo = info::pkginfo(package, arch, size, &backup)?;
        Ok(Archive { package, compression, before, pkginfo, entries, files })
    }

    /// The list of files, given the digests of [`Archive::files`].
    fn mtree(&self, digests: &[Digests]) -> Vec<u8> {
        let mut mtree = Mtree::new(self.package.timestamp);
        let before = self.before.iter().map(|(name, bytes)| (*name, bytes));
        for (name, bytes) in before.chain([(".PKGINFO", &self.pkginfo)]) {
            mtree.file(name.as_bytes(), 0o644, bytes.len() as u64, &Digests::of(bytes));
        }
        for (path, entry, stored) in &self.entries {
            mtree.modified(entry.inherited.modified.unwrap_or(self.package.timestamp));
            match stored {
                Stored::File(number) | Stored::Link(number, _) => {
                    mtree.file(path.as_bytes(), entry.mode, self.files[*number].1, &digests[*number]);
                }
                Stored::Directory => mtree.directory(path, entry.mode),
                Stored::Symlink(target) => mtree.symlink(path, target),
            }
        }
        mtree.finish()
    }

    /// The first stream: up to the bytes of `.MTREE`.
    fn start(&self, reserved: usize) -> Result<Vec<u8>> {
        let resources = Resources { threads: NonZeroUsize::MIN };
        let encoder = Encoder::new(self.compression, resources, Vec::new())?;
        let mut tar = tar::Writer::new(encoder, self.package.timestamp);
        for (name, bytes) in &self.before {
            add(&mut tar, name, bytes)?;
        }
        tar.member(&member(b".MTREE", MemberKind::File { size: reserved as u64 }, 0o644, &Owner::default()))?;
        Ok(tar.suspend().finish()?)
    }

    /// The third stream; returns the digests of the files.
    fn write_rest(
        &self,
        reserved: usize,
        resources: Resources,
        out: &mut dyn Output,
    ) -> Result<Vec<Digests>> {
        let root = Owner::default();
        let mut encoder = Encoder::new(self.compression, resources, out)?;
        encoder.write_all(&vec![0; padding(reserved as u64)])?;
        let mut tar = tar::Writer::new(encoder, self.package.timestamp);
        add(&mut tar, ".PKGINFO", &self.pkginfo)?;
        with_reader(self.files.clone(), read, |pieces| {
            let mut digests = Vec::with_capacity(self.files.len());
            for (path, entry, stored) in &self.entries {
                let mut name = Cow::Borrowed(path.as_bytes());
                let kind = match stored {
                    Stored::File(number) => MemberKind::File { size: self.files[*number].1 },
                    Stored::Link(_, first) => MemberKind::HardLink { target: first.as_bytes() },
                    Stored::Symlink(target) => MemberKind::Symlink { target },
                    Stored::Directory => {
                        name.to_mut().push(b'/');
                        MemberKind::Directory
                    }
                };
                tar.inherit(entry.inherited);
                if let (Stored::File(_), Some(capabilities)) = (stored, entry.capabilities) {
                    tar.attribute("security.capability", &capabilities.to_attribute())?;
                }
                tar.member(&member(&name, kind, entry.mode, &root))?;
                if let Stored::File(_) = stored {
                    loop {
                        match pieces.next()? {
                            Piece::Bytes(bytes) => tar.write_all(&bytes)?,
                            Piece::End(sums) => break digests.push(sums),
                        }
                    }
                }
            }
            tar.finish()?.finish()?;
            Ok(digests)
        })
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
        let archive = Archive::new(&package).unwrap();
        let resources = Resources { threads: NonZeroUsize::MIN };
        let written = |reserved| {
            let mut out = std::io::Cursor::new(Vec::new());
            write_reserving(&archive, resources, reserved, &mut out).unwrap();
            out.into_inner()
        };
        let real = archive.mtree(&[Digests::of(b"x")]);
        assert!(written(20) == written(reserve(&real)));
    }
}

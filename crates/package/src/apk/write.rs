//! Writes an apk in one pass.
//!
//! | gzip member | content |
//! |---|---|
//! | signature | added later (see [`signature`](super::signature)) |
//! | control | `.PKGINFO`, then scripts; a tar archive without its end |
//! | data | the files; a tar archive with its end |
//!
//! Together the members are one tar archive. Each segment is one member: apk 3 refuses more (`apk_sign_ctx_mpart_cb`
//! in apk-tools' `src/extract_v2.c`).
//!
//! The control member comes first and holds the SHA-256 sum of the data member, compressed. Its length does not
//! depend on the sum: it is written in a gzip stream that only stores, and written again over itself when the sum is
//! known, so that packaging needs no temporary file. A control segment is a few kilobytes, and apk reads any gzip.
//!
//! Files are checked against what apk can hold before anything is written: it skips what starts with a full stop in
//! the root, and calls names with control characters malicious.

use std::collections::BTreeMap;
use std::io::{self, SeekFrom, Write};

use sha1::Sha1;
use sha2::{Digest as _, Sha256};

use super::info::{self, Facts, NO_HASH};
use super::read::{Piece, read};
use super::scripts::ScriptFiles;
use super::tar::{self, LARGEST, LONGEST_PATH, Member, MemberKind};
use super::{protected, scripts, setup};
use crate::archive::compress::gzip::store;
use crate::archive::compress::{Compression, Encoder};
use crate::archive::part::hexadecimal;
use crate::content::with_reader;
use crate::file_tree::Kind;
use crate::format::Output;
use crate::{Entry, Error, FileTree, Owner, Package, PackagePath, Resources, Result};

/// Every entry of the package, by path, without ghosts.
type Entries<'a> = BTreeMap<&'a PackagePath, &'a Entry>;

/// The later names of files, each with the first.
type Links<'a> = BTreeMap<&'a PackagePath, &'a PackagePath>;

/// Writes `package` to `out`.
pub(super) fn write(package: &Package, resources: Resources, out: &mut dyn Output) -> Result<()> {
    package.check()?;
    let compression = compression(package)?;
    let lines = setup::lines(&package.setup, &package.files)?;
    let scripts = scripts::generate(package, &lines)?;
    let added = added(package)?;
    let entries: Entries<'_> = added
        .iter()
        .chain(package.files.iter())
        .filter(|(_, entry)| !matches!(entry.kind, Kind::Ghost))
        .collect();
    let mut links = package.files.hard_links();
    // apk 2 does not find a hard link's target in the root (`apk_db_install_archive_entry`).
    links.retain(|_, first| first.parent().is_some());
    for (path, entry) in &entries {
        check(path, entry)?;
    }
    let facts = Facts { size: size(&entries, &links, &scripts), interpreters: scripts.interpreters.clone() };
    let info = info::info(package, &facts)?;

    let placeholder = control(package, &info, NO_HASH, &scripts)?;
    out.write_all(&placeholder)?;
    let member = Encoder::new(compression, resources, Hashing { out: &mut *out, hash: Sha256::new() })?;
    let hash = write_files(package, &entries, &links, member)?;
    let control = control(package, &info, &hexadecimal(&hash), &scripts)?;
    assert_eq!(control.len(), placeholder.len(), "a stored stream is as long as its bytes say");
    out.seek(SeekFrom::Start(0))?;
    out.write_all(&control)?;
    out.seek(SeekFrom::End(0))?;
    out.flush()?;
    Ok(())
}

/// gzip is all that apk reads in a package of version 2.
fn compression(package: &Package) -> Result<Compression> {
    match package.options.compression {
        None => Ok(Compression::GZIP),
        Some(gzip @ Compression::Gzip(_)) => Ok(gzip),
        Some(other) => Err(Error::Option {
            format: "apk",
            option: "the compression",
            value: other.name().into(),
            reason: "apk reads gzip only",
        }),
    }
}

/// What Packhouse adds to the files, with the directories that lead to it and to them.
fn added(package: &Package) -> Result<FileTree> {
    let mut tree = protected::missing(package)?;
    let mut leading = package.files.leading_directories(&[&tree]);
    leading.extend(tree.leading_directories(&[&package.files]));
    for directory in leading {
        tree.insert(directory, Entry::directory())?;
    }
    Ok(tree)
}

/// What apk cannot hold, or would leave out without a word.
fn check(path: &PackagePath, entry: &Entry) -> Result<()> {
    let refuse = |reason| Err(Error::FileName { path: path.clone(), format: "apk", reason });
    let bytes = path.as_bytes();
    if path.control_character().is_some() {
        return refuse("apk ignores names with a control character as malicious");
    }
    if bytes.starts_with(b".") {
        return refuse("apk takes what starts with a full stop in the root for its own, and leaves it out");
    }
    if path.file_name().starts_with(b".keep_") && !entry.is_directory() {
        return refuse("apk 2 leaves out files whose names start with `.keep_`");
    }
    if bytes.len() > LONGEST_PATH {
        return refuse("apk takes paths of at most 4,084 bytes");
    }
    match &entry.kind {
        Kind::Symlink { target } if target.len() > LONGEST_PATH => {
            return refuse("apk takes links to at most 4,084 bytes");
        }
        Kind::Symlink { target } if target.contains(&0) => {
            return refuse("a link's target cannot hold a NUL");
        }
        Kind::File { size, .. } if *size > LARGEST => {
            let what = format!("`{path}`");
            return Err(Error::TooLarge { what, size: *size, format: "apk", limit: LARGEST });
        }
        _ => {}
    }
    crate::archive::tar::check_owner(&entry.owner, "apk")
}

/// As abuild counts (`prepare_metafiles`): the bytes of all files, a file with several names once. A package of 0
/// bytes has nothing to unpack and no script to run for apk, so that one with any of these has at least 1.
fn size(entries: &Entries<'_>, links: &Links<'_>, scripts: &ScriptFiles) -> u64 {
    let sizes = entries.iter().map(|(path, entry)| match &entry.kind {
        Kind::File { size, .. } if !links.contains_key(path) => *size,
        _ => 0,
    });
    let has_something = !entries.is_empty() || !scripts.files.is_empty();
    sizes.sum::<u64>().max(u64::from(has_something))
}

/// The control member: a tar archive without its end.
fn control(package: &Package, info: &str, hash: &str, scripts: &ScriptFiles) -> Result<Vec<u8>> {
    let owner = Owner::default();
    let info = format!("{info}datahash = {hash}\n");
    let mut tar = tar::Writer::new(Vec::new(), package.timestamp);
    let files = scripts.files.iter().map(|(name, text)| (*name, 0o755, text.as_str()));
    for (name, mode, text) in std::iter::once((".PKGINFO", 0o644, info.as_str())).chain(files) {
        let kind = MemberKind::File { size: text.len() as u64 };
        let path = name.as_bytes();
        tar.member(&Member {
            path,
            kind,
            mode,
            owner: &owner,
            sha1: None,
            capabilities: None,
            modified: None,
        })?;
        tar.write_all(text.as_bytes())?;
    }
    Ok(store(&tar.cut()?))
}

/// Writes the data member and returns its SHA-256 sum.
fn write_files(
    package: &Package,
    entries: &Entries<'_>,
    links: &Links<'_>,
    out: Encoder<Hashing<'_>>,
) -> Result<[u8; 32]> {
    let files = entries.iter().filter_map(|(path, entry)| match &entry.kind {
        Kind::File { content, size, .. } if !links.contains_key(path) => Some((content, *size)),
        _ => None,
    });
    with_reader(files.collect(), read, |pieces| {
        let mut tar = tar::Writer::new(out, package.timestamp);
        for (path, entry) in entries {
            let mut name = path.as_bytes().to_vec();
            let link = links.get(path).map(|first| first.as_bytes());
            let (kind, sha1) = match &entry.kind {
                Kind::File { .. } if let Some(target) = link => (MemberKind::HardLink { target }, None),
                Kind::File { size, .. } => match pieces.next()? {
                    Piece::Sum(sum) => (MemberKind::File { size: *size }, Some(sum)),
                    _ => unreachable!("the reader sends a file's sum first"),
                },
                Kind::Symlink { target } => {
                    (MemberKind::Symlink { target }, Some(<[u8; 20]>::from(Sha1::digest(target))))
                }
                Kind::Directory => {
                    name.push(b'/');
                    (MemberKind::Directory, None)
                }
                Kind::Ghost => continue,
            };
            let has_bytes = matches!(kind, MemberKind::File { .. });
            let Entry { mode, owner, .. } = entry;
            // Of two names of a file, the first has the attributes.
            let capabilities = entry.capabilities.filter(|_| has_bytes);
            let member = Member {
                path: &name,
                kind,
                mode: *mode,
                owner,
                sha1,
                capabilities,
                modified: entry.inherited.modified,
            };
            tar.member(&member).map_err(unwrap)?;
            if has_bytes {
                while let Piece::Bytes(bytes) = pieces.next()? {
                    tar.write_all(&bytes).map_err(unwrap)?;
                }
            }
        }
        let hashing = tar.finish().and_then(Encoder::finish).map_err(unwrap)?;
        Ok(hashing.hash.finalize().into())
    })
}

/// Hashes what passes through.
struct Hashing<'a> {
    out: &'a mut dyn Output,
    hash: Sha256,
}

impl Write for Hashing<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.hash.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// An error of ours that came back through a compressor.
fn unwrap(error: io::Error) -> Error {
    error.downcast::<Error>().unwrap_or_else(Error::Io)
}

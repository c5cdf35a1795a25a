//! Reads an apk of version 2, as hostile input and as strictly as apk itself.
//!
//! | gzip member | holds |
//! |---|---|
//! | signature, if signed | `.SIGN.ALGORITHM.KEY`, one for each key |
//! | control | `.PKGINFO` and scripts, in the root, starting with a full stop |
//! | data | the files, none of which apk would pass over |
//!
//! A segment that ends its archive hides what follows from tar, and apk 2 and 3 differ in what a second data member is:
//! both are refused, like anything behind the data. What apk checks is checked: `datahash`, every file's SHA-1 sum, a
//! directory before what it holds (apk-tools' `src/extract_v2.c` and `src/database.c`). Signatures are listed and not
//! verified.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};

use sha1::Sha1;
use sha2::{Digest as _, Sha256};

use super::pkginfo::{PackageInfo, sum};
use super::segments::{ARCHIVE, CONTROL, Front, Source, each_file};
use crate::archive::decompress::DEFAULT_OUTPUT;
use crate::archive::part::{Part, hexadecimal, shown};
use crate::archive::tar_reader::{End, Entry, EntryKind, Reader as Tar};
use crate::inspect::{Depth, Input, InspectedFile, InspectedScript, InspectedSignature, Inspection};
use crate::signing::{NativeSignature, RsaHash};
use crate::{Format, Result};

const FILES: Part = Part { format: "apk", name: "data segment" };

/// Of `.PKGINFO`, each word of which is remembered.
const LARGEST_INFO: u64 = 4 << 20;
/// apk's own limit (`APK_MAX_SCRIPT_SIZE`).
const LARGEST_SCRIPT: u64 = 256 << 10;
/// A list of protected directories has some lines.
const LARGEST_LIST: u64 = 64 << 10;

const SCRIPTS: [&str; 7] = [
    ".pre-install",
    ".post-install",
    ".pre-upgrade",
    ".post-upgrade",
    ".pre-deinstall",
    ".post-deinstall",
    ".trigger",
];

/// Reads an apk from its start.
pub(super) fn inspect(file: &mut dyn Input, depth: Depth) -> Result<Inspection> {
    let (front, mut members) = Front::read(file)?;
    let signatures = front.signatures.iter().filter_map(inspected).collect();
    let control = Control::read(&front.segment)?;
    if !members.next()? {
        return Err(ARCHIVE.malformed("it has no data member"));
    }
    let data_hash = control.info.data_hash;
    let mut inspection = inspection(control, signatures)?;
    if depth == Depth::Contents {
        let limit = inspection.installed_size.unwrap_or(0).saturating_mul(5) / 4 + (64 << 20);
        inspection.files = Some(read_files(&mut members, limit.max(DEFAULT_OUTPUT))?);
        if members.end()?.sha256 != data_hash {
            return Err(FILES.malformed("its sum is not the `datahash` of .PKGINFO"));
        }
        if members.next()? {
            return Err(ARCHIVE.malformed("something follows its data member"));
        }
    }
    Ok(inspection)
}

fn inspected(signature: &NativeSignature) -> Option<InspectedSignature> {
    let (algorithm, key) = match signature {
        NativeSignature::Rsa { hash: RsaHash::Sha1, key, .. } => ("RSA/SHA-1", key),
        NativeSignature::Rsa { hash: RsaHash::Sha256, key, .. } => ("RSA/SHA-256", key),
        NativeSignature::Rsa { hash: RsaHash::Sha512, key, .. } => ("RSA/SHA-512", key),
        NativeSignature::Unknown { kind, key } if kind == "DSA" => ("DSA/SHA-1", key),
        NativeSignature::Unknown { kind, key } => (kind.as_str(), key),
        NativeSignature::OpenPgp(_) => return None,
    };
    Some(InspectedSignature {
        covers: "control".to_owned(),
        algorithm: algorithm.to_owned(),
        key: key.clone(),
    })
}

struct Control {
    info: PackageInfo,
    scripts: BTreeMap<String, InspectedScript>,
}

impl Control {
    fn read(segment: &[u8]) -> Result<Control> {
        let (mut info, mut scripts) = (None, BTreeMap::new());
        each_file(segment, CONTROL, |name, tar| {
            match name {
                ".PKGINFO" => {
                    let bytes = tar.read_entry("bytes of `.PKGINFO`", LARGEST_INFO)?;
                    info = Some(PackageInfo::parse(&bytes)?);
                }
                name if SCRIPTS.contains(&name) => {
                    let bytes = tar.read_entry("bytes of a script", LARGEST_SCRIPT)?;
                    scripts.insert(name[1..].to_owned(), InspectedScript::of_file(&bytes));
                }
                // apk refuses the first, and takes the second for nothing.
                name if name == ".INSTALL" || name.starts_with(".SIGN") => {
                    return Err(CONTROL.malformed(format!("`{name}` does not belong there")));
                }
                _ => {}
            }
            Ok(())
        })?;
        let info = info.ok_or_else(|| CONTROL.malformed("it has no `.PKGINFO`"))?;
        Ok(Control { info, scripts })
    }
}

fn inspection(control: Control, signatures: Vec<InspectedSignature>) -> Result<Inspection> {
    let Control { mut info, scripts } = control;
    let mut relations = BTreeMap::new();
    let (conflicts, depends): (Vec<String>, Vec<String>) =
        info.take_list("depend").into_iter().partition(|word| word.starts_with('!'));
    let conflicts = conflicts.iter().map(|word| word[1..].to_owned()).collect();
    for (name, list) in [
        ("depends", depends),
        ("conflicts", conflicts),
        ("provides", info.take_list("provides")),
        ("replaces", info.take_list("replaces")),
    ] {
        if !list.is_empty() {
            relations.insert(name, list);
        }
    }
    Ok(Inspection {
        format: Format::Apk,
        format_version: "2".into(),
        name: info.take("pkgname").unwrap_or_default(),
        version: info.take("pkgver").unwrap_or_default(),
        arch: info.take("arch").unwrap_or_default(),
        summary: info.take("pkgdesc").unwrap_or_default(),
        description: String::new(),
        homepage: info.take("url"),
        vendor: info.take("packager"),
        maintainer: info.take("maintainer"),
        license: info.take("license"),
        category: None,
        built: info.take_number("builddate")?,
        installed_size: info.take_number("size")?,
        relations,
        fields: info.rest(),
        scripts,
        compression: "gzip".into(),
        signatures,
        files: None,
    })
}

/// Ends a stream that unpacks to more than `limit` bytes.
struct Limited<'a, 'b> {
    from: &'a mut Source<'b>,
    left: u64,
    limit: u64,
}

impl Read for Limited<'_, '_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let count = self.from.read(bytes)?;
        self.left = self
            .left
            .checked_sub(count as u64)
            .ok_or_else(|| io::Error::other(FILES.beyond("unpacked bytes", self.limit)))?;
        Ok(count)
    }
}

fn read_files(members: &mut Source<'_>, limit: u64) -> Result<Vec<InspectedFile>> {
    let mut tar = Tar::new(Limited { from: members, left: limit, limit }, FILES, End::BlocksOrStream);
    let mut files = Vec::new();
    let mut directories = BTreeSet::new();
    let mut protection = Protection(BTreeMap::from([(b"etc".to_vec(), true)]));
    while let Some(entry) = tar.next()? {
        check(&entry, &mut directories)?;
        let mut digest = None;
        match &entry.kind {
            EntryKind::File => {
                let is_list =
                    entry.path.starts_with(b"etc/apk/protected_paths.d/") && entry.size <= LARGEST_LIST;
                let (mut sha1, mut sha256, mut list) = (Sha1::new(), Sha256::new(), Vec::new());
                tar.feed(|bytes| {
                    sha1.update(bytes);
                    sha256.update(bytes);
                    if is_list {
                        list.extend_from_slice(bytes);
                    }
                })?;
                if checksum(&entry)? != *sha1.finalize() {
                    return Err(FILES.malformed(format!(
                        "`{}` has another checksum than its contents",
                        shown(&entry.path)
                    )));
                }
                digest = Some(hexadecimal(&sha256.finalize()));
                protection.add(&list)?;
            }
            // Of its target, but nfpm and fpm write others, and apk looks at it in an audit only.
            EntryKind::Symlink(_) => {
                checksum(&entry)?;
            }
            _ => {}
        }
        files.push(entry.to_inspected(digest));
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    for file in files.iter_mut().filter(|file| file.digest.is_some() && protection.covers(&file.path[1..])) {
        file.marks.push("config");
    }
    Ok(files)
}

/// What apk would call malicious, leave out, or not know where to put.
fn check(entry: &Entry, directories: &mut BTreeSet<Vec<u8>>) -> Result<()> {
    let refuse = |reason: &str| Err(FILES.malformed(format!("`{}` {reason}", shown(&entry.path))));
    if entry.path.iter().any(u8::is_ascii_control) {
        return refuse("has a control character in its name");
    }
    if entry.path.is_empty() || entry.path.starts_with(b".") {
        return refuse("is left out by apk: what starts with a full stop in the root is its own");
    }
    if entry.kind == EntryKind::Directory {
        directories.insert(entry.path.clone());
    } else if let Some(slash) = entry.path.iter().rposition(|byte| *byte == b'/')
        && !directories.contains(&entry.path[..slash])
    {
        return refuse("comes before its directory");
    }
    Ok(())
}

/// What an entry's record says; apk 2 calls a package without them broken.
fn checksum(entry: &Entry) -> Result<[u8; 20]> {
    let refuse = |reason: &str| FILES.malformed(format!("`{}` {reason}", shown(&entry.path)));
    let record = entry.records.get("APK-TOOLS.checksum.SHA1").ok_or_else(|| refuse("has no checksum"))?;
    sum(record).ok_or_else(|| refuse("has a checksum that is no SHA-1 sum"))
}

/// Which directories apk protects: theirs are configuration files (apk-protected_paths(5)). Patterns are passed over.
struct Protection(BTreeMap<Vec<u8>, bool>);

/// Lines of all lists together.
const MOST_PROTECTED: u64 = 1 << 16;

impl Protection {
    fn add(&mut self, list: &[u8]) -> Result<()> {
        for line in list.split(|byte| *byte == b'\n') {
            let (sign, path) = line.split_first().unwrap_or((&b'#', &[]));
            let path = path.strip_prefix(b"/").unwrap_or(path);
            let path = path.strip_suffix(b"/").unwrap_or(path);
            if matches!(sign, b'+' | b'-') && !path.iter().any(|byte| b"*?[\\".contains(byte)) {
                self.0.insert(path.to_vec(), *sign == b'+');
                if self.0.len() as u64 > MOST_PROTECTED {
                    return Err(FILES.beyond("protected directories", MOST_PROTECTED));
                }
            }
        }
        Ok(())
    }

    /// The rule of the nearest directory holds.
    fn covers(&self, path: &[u8]) -> bool {
        let mut slashes = path.iter().enumerate().rev().filter(|(_, byte)| **byte == b'/');
        slashes.find_map(|(slash, _)| self.0.get(&path[..slash])).copied().unwrap_or_default()
    }
}

//! Reads a package, as hostile input.
//!
//! libalpm takes the list of files from `.MTREE` and their bytes from the archive; what the two disagree about, it
//! installs in silence or leaves out. So they are compared: each names the other's entries, and no type, mode, size,
//! digest or link's target differs. Owners are not compared: fpm's packages name the builder's, which libalpm ignores.
//!
//! makepkg puts its own members, whose names start with a full stop, before the files, and so they are found without
//! reading these.

mod mtree;

use std::collections::BTreeMap;
use std::io::{BufReader, SeekFrom};

use md5::{Digest as _, Md5};
use sha2::Sha256;

use self::mtree::{Listed, ListedKind};
use crate::archive::decompress::{DEFAULT_OUTPUT, Decoder, Method};
use crate::archive::part::{Part, hexadecimal, shown};
use crate::archive::tar_reader::{End, Entry, EntryKind, Reader};
use crate::inspect::{Depth, Input, InspectedFile, InspectedScript, Inspection};
use crate::{Format, Result};

const ARCHIVE: Part = Part { format: "pacman", name: "archive" };
const PKGINFO: Part = Part { format: "pacman", name: ".PKGINFO" };
const BUILDINFO: Part = Part { format: "pacman", name: ".BUILDINFO" };
const MTREE: Part = Part { format: "pacman", name: ".MTREE" };

/// `.PKGINFO`, `.BUILDINFO` (which lists the packages installed where it was built), and `.INSTALL`, `.CHANGELOG`.
const LARGEST_TEXT: u64 = 16 << 20;
/// Lines of `.PKGINFO` and of `.BUILDINFO`, each of which takes more memory than it is long.
const MOST_PAIRS: u64 = 1 << 17;
/// `.MTREE`, unpacked: 200 bytes for each of some 600,000 files.
const LARGEST_MTREE: u64 = 128 << 20;

pub(super) fn inspect(file: &mut dyn Input, depth: Depth) -> Result<Inspection> {
    let (mut tar, method) = open(file, DEFAULT_OUTPUT)?;
    let mut inspection = Head::read(&mut tar)?.0.inspection(method)?;
    if depth == Depth::Contents {
        // Again, now that it is known how much it says it is.
        let size = inspection.installed_size.unwrap_or(0);
        let (mut tar, _) = open(file, (size.saturating_mul(5) / 4).saturating_add(DEFAULT_OUTPUT))?;
        let (head, first) = Head::read(&mut tar)?;
        inspection.files = Some(files(&mut tar, head, first)?);
    }
    Ok(inspection)
}

type Tar<'a> = Reader<Decoder<BufReader<&'a mut dyn Input>>>;

fn open(file: &mut dyn Input, limit: u64) -> Result<(Tar<'_>, Method)> {
    file.seek(SeekFrom::Start(0))?;
    let decoder = Decoder::detect(BufReader::with_capacity(64 << 10, file), ARCHIVE, limit)?;
    let method = decoder.method();
    Ok((Reader::new(decoder, ARCHIVE, End::Blocks), method))
}

/// The members before the files.
#[derive(Default)]
struct Head {
    pkginfo: Vec<(String, String)>,
    buildinfo: Vec<(String, String)>,
    install: Option<Vec<u8>>,
    changelog: Option<Vec<u8>>,
    mtree: Option<BTreeMap<Vec<u8>, Listed>>,
    /// What `.MTREE` should say of the members themselves.
    members: BTreeMap<Vec<u8>, (u64, Sums)>,
}

struct Sums {
    sha256: [u8; 32],
    md5: [u8; 16],
}

impl Sums {
    fn of(bytes: &[u8]) -> Sums {
        Sums { sha256: Sha256::digest(bytes).into(), md5: Md5::digest(bytes).into() }
    }
}

impl Head {
    /// Reads them, and the entry behind them.
    fn read(tar: &mut Tar<'_>) -> Result<(Head, Option<Entry>)> {
        let mut head = Head::default();
        let mut has_pkginfo = false;
        let first = loop {
            let Some(entry) = tar.next()? else { break None };
            if !is_member(&entry) {
                break Some(entry);
            }
            if entry.kind != EntryKind::File {
                return Err(ARCHIVE.malformed(format!("`{}` is no file", shown(&entry.path))));
            }
            let bytes = tar.read_entry("bytes of one of its own members", LARGEST_TEXT)?;
            match entry.path.as_slice() {
                b".PKGINFO" => {
                    has_pkginfo = true;
                    head.pkginfo = pairs(&bytes, PKGINFO)?;
                }
                b".BUILDINFO" => head.buildinfo = pairs(&bytes, BUILDINFO)?,
                b".INSTALL" => head.install = Some(bytes.clone()),
                b".CHANGELOG" => head.changelog = Some(bytes.clone()),
                b".MTREE" => {
                    let mut decoder = Decoder::detect(&bytes[..], MTREE, LARGEST_MTREE)?;
                    let text = MTREE.read_all(&mut decoder, "unpacked bytes", LARGEST_MTREE)?;
                    head.mtree = Some(mtree::parse(&text, MTREE)?);
                    continue;
                }
                // libalpm does not extract it, and nobody would see it.
                path => return Err(ARCHIVE.malformed(format!("there is no member `{}`", shown(path)))),
            }
            head.members.insert(entry.path, (bytes.len() as u64, Sums::of(&bytes)));
        };
        if !has_pkginfo {
            return Err(ARCHIVE.malformed("it has no `.PKGINFO` before its files"));
        }
        Ok((head, first))
    }

    fn inspection(&self, method: Method) -> Result<Inspection> {
        let mut values: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for (key, value) in &self.pkginfo {
            values.entry(key).or_default().push(value.clone());
        }
        for (key, list) in &values {
            if SINGLE.contains(key) && list.len() > 1 {
                return Err(PKGINFO.malformed(format!("`{key}` comes twice")));
            }
        }
        let mut take = |key: &str| values.remove(key).unwrap_or_default();
        let mut require = |key: &str| {
            let value = take(key).pop().filter(|value| !value.is_empty());
            value.ok_or_else(|| PKGINFO.malformed(format!("it has no `{key}`")))
        };
        let (name, version, arch) = (require("pkgname")?, require("pkgver")?, require("arch")?);
        let is_name = |text: &str, signs: &str| {
            text.len() <= 255
                && text.starts_with(|c: char| {
                    c.is_ascii_alphanumeric() || (c != '-' && c != '.' && signs.contains(c))
                })
                && text.chars().all(|c| c.is_ascii_alphanumeric() || signs.contains(c))
        };
        // lint_pkgbuild/pkgname.sh, arch.sh; of versions only what no shell takes for something else, because
        // libalpm passes them to one.
        for (key, value, signs) in
            [("pkgname", &name, "@._+-"), ("pkgver", &version, "._+~^:-"), ("arch", &arch, "_")]
        {
            if !is_name(value, signs) {
                return Err(PKGINFO.malformed(format!("`{key}` is `{}`", shown(value.as_bytes()))));
            }
        }
        if !version.contains('-') {
            return Err(PKGINFO.malformed("`pkgver` has no release"));
        }
        let number = |key: &str, list: Vec<String>| match list.first() {
            None => Ok(None),
            Some(text) => match text.parse::<u64>() {
                Ok(number) => Ok(Some(number)),
                Err(_) => Err(PKGINFO.malformed(format!("`{key}` is no number"))),
            },
        };
        let (built, installed_size) =
            (number("builddate", take("builddate"))?, number("size", take("size"))?);
        let relations = [
            ("depends", "depend"),
            ("suggests", "optdepend"),
            ("provides", "provides"),
            ("conflicts", "conflict"),
            ("replaces", "replaces"),
        ]
        .map(|(field, key)| (field, take(key)));
        let joined = |list: Vec<String>| (!list.is_empty()).then(|| list.join(", "));
        let mut inspection = Inspection {
            format: Format::Pacman,
            format_version: self.buildinfo_value("format").unwrap_or_default(),
            name,
            version,
            arch,
            summary: take("pkgdesc").pop().unwrap_or_default(),
            description: String::new(),
            homepage: take("url").pop().filter(|url| !url.is_empty()),
            vendor: None,
            maintainer: take("packager").pop(),
            license: joined(take("license")),
            category: joined(take("group")),
            built,
            installed_size,
            relations: relations.into_iter().filter(|(_, list)| !list.is_empty()).collect(),
            fields: BTreeMap::new(),
            scripts: BTreeMap::new(),
            compression: method.name().to_owned(),
            signatures: Vec::new(),
            files: None,
        };
        take("backup");
        for (key, list) in values {
            inspection.fields.insert(key.to_owned(), list.join(", "));
        }
        for key in ["buildtool", "buildtoolver", "builddir", "startdir", "pkgbuild_sha256sum"] {
            inspection.fields.extend(self.buildinfo_value(key).map(|value| (key.to_owned(), value)));
        }
        if let Some(changelog) = &self.changelog {
            let text = String::from_utf8_lossy(changelog).into_owned();
            inspection.fields.insert(".CHANGELOG".into(), text);
        }
        if let Some(install) = &self.install {
            let mut script = InspectedScript::of_file(install);
            // It is sourced by pacman's shell, whatever its first line says.
            script.interpreter = "bash".into();
            inspection.scripts.insert(".INSTALL".into(), script);
        }
        Ok(inspection)
    }

    fn buildinfo_value(&self, key: &str) -> Option<String> {
        self.buildinfo.iter().find(|(found, _)| found == key).map(|(_, value)| value.clone())
    }

    /// Absolute, as an inspection has paths.
    fn backup(&self) -> Vec<Vec<u8>> {
        let backup = self.pkginfo.iter().filter(|(key, _)| key == "backup");
        let mut paths: Vec<Vec<u8>> =
            backup.map(|(_, path)| format!("/{}", path.trim_start_matches('/')).into_bytes()).collect();
        paths.sort();
        paths
    }
}

/// Keys of `.PKGINFO` of which libalpm would believe the last.
const SINGLE: [&str; 9] =
    ["pkgname", "pkgbase", "pkgver", "pkgdesc", "url", "builddate", "packager", "size", "arch"];

/// libalpm extracts nothing of the root whose name starts with a full stop.
fn is_member(entry: &Entry) -> bool {
    entry.path.starts_with(b".")
}

/// `key = value` lines. libalpm skips what is none, which is how something hides.
fn pairs(bytes: &[u8], part: Part) -> Result<Vec<(String, String)>> {
    let text = std::str::from_utf8(bytes).map_err(|_| part.malformed("it is not UTF-8"))?;
    let mut pairs = Vec::new();
    for line in text.split('\n').filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let pair = line.split_once(" = ").or_else(|| Some((line.strip_suffix(" =")?, "")));
        let is_key =
            |key: &str| !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        match pair {
            Some((key, value)) if is_key(key) && !value.chars().any(char::is_control) => {
                pairs.push((key.to_owned(), value.to_owned()));
                if pairs.len() as u64 > MOST_PAIRS {
                    return Err(part.beyond("lines", MOST_PAIRS));
                }
            }
            _ => {
                return Err(
                    part.malformed(format!("a line is no `key = value`: `{}`", shown(line.as_bytes())))
                );
            }
        }
    }
    Ok(pairs)
}

/// Lists the files, hashes them, and compares them with `.MTREE`.
fn files(tar: &mut Tar<'_>, mut head: Head, first: Option<Entry>) -> Result<Vec<InspectedFile>> {
    let mut listed = head.mtree.take();
    let mut compare = |path: &[u8], entry: &dyn Fn(&Listed) -> bool| {
        let Some(listed) = &mut listed else { return Ok(()) };
        match listed.remove(path) {
            None => Err(MTREE.malformed(format!("it does not list `{}`", shown(path)))),
            Some(found) if entry(&found) => Ok(()),
            Some(_) => Err(MTREE.malformed(format!("it says something else of `{}`", shown(path)))),
        }
    };
    for (path, (size, sums)) in &head.members {
        compare(path, &|listed| listed.is_file(None, *size, &sums.sha256, &sums.md5))?;
    }
    let backup = head.backup();
    let mut files = Vec::new();
    let mut sums: BTreeMap<Vec<u8>, (u64, Sums)> = BTreeMap::new();
    let mut next = first;
    while let Some(entry) = next {
        if is_member(&entry) {
            return Err(ARCHIVE.malformed(format!("`{}` comes behind a file", shown(&entry.path))));
        }
        let mut digest = None;
        let mode = Some(entry.mode);
        match &entry.kind {
            EntryKind::File => {
                let (mut sha256, mut md5) = (Sha256::new(), Md5::new());
                tar.feed(|piece| {
                    sha256.update(piece);
                    md5.update(piece);
                })?;
                let found = Sums { sha256: sha256.finalize().into(), md5: md5.finalize().into() };
                digest = Some(hexadecimal(&found.sha256));
                compare(&entry.path, &|listed| listed.is_file(mode, entry.size, &found.sha256, &found.md5))?;
                sums.insert(entry.path.clone(), (entry.size, found));
            }
            EntryKind::HardLink(target) => {
                if let Some((size, found)) = sums.get(target) {
                    compare(&entry.path, &|listed| listed.is_file(mode, *size, &found.sha256, &found.md5))?;
                }
            }
            EntryKind::Directory => {
                compare(&entry.path, &|listed| {
                    listed.kind == ListedKind::Directory && listed.mode == entry.mode
                })?;
            }
            EntryKind::Symlink(target) => {
                compare(&entry.path, &|listed| listed.kind == ListedKind::Symlink(target.clone()))?;
            }
            EntryKind::Special(_) => compare(&entry.path, &|listed| listed.kind == ListedKind::Other)?,
        }
        let mut file = entry.to_inspected(digest);
        if backup.binary_search(&file.path).is_ok() {
            file.marks.push("config");
        }
        files.push(file);
        next = tar.next()?;
    }
    if let Some(path) = listed.unwrap_or_default().keys().next() {
        return Err(MTREE.malformed(format!("it lists `{}`, which is not in the package", shown(path))));
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

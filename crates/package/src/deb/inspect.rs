//! Reads a deb, as hostile input.
//!
//! | member | holds |
//! |---|---|
//! | `debian-binary` | `2.0`, or a later minor version |
//! | `control.tar`, `.gz`, `.xz`, `.zst` | what the package says about itself; files only, without directories |
//! | `data.tar`, `.gz`, `.xz`, `.zst`, `.lzma` | the files |
//! | `_…`, anywhere behind the first | whatever their maker wants; `_gpg…` are debsigs' signatures |
//!
//! The order is deb(5)'s; any other member and any member twice is refused, because dpkg and apt each look for
//! the one they need in their own way.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufReader, Read};

use md5::{Digest as _, Md5};
use sha2::Sha256;

use super::paragraph::Paragraph;
use crate::archive::ar_reader::{Member, Reader as Ar};
use crate::archive::decompress::{DEFAULT_OUTPUT, Decoder, Method};
use crate::archive::part::{Part, hexadecimal, shown};
use crate::archive::tar_reader::{End, EntryKind, Reader as Tar};
use crate::inspect::{Depth, Input, InspectedFile, InspectedScript, InspectedSignature, Inspection};
use crate::{Format, Result, openpgp};

const ARCHIVE: Part = Part { format: "deb", name: "archive" };
const BINARY: Part = Part { format: "deb", name: "debian-binary" };
const CONTROL_TAR: Part = Part { format: "deb", name: "control.tar" };
const CONTROL: Part = Part { format: "deb", name: "control" };
const DATA_TAR: Part = Part { format: "deb", name: "data.tar" };
const MD5SUMS: Part = Part { format: "deb", name: "md5sums" };
const CONFFILES: Part = Part { format: "deb", name: "conffiles" };

/// All of control.tar, unpacked: `md5sums` of a million files has some 100 MB.
const LARGEST_CONTROL_TAR: u64 = 128 << 20;
/// Sums in `md5sums`.
const MOST_SUMS: u64 = 1 << 20;
/// The control file itself: 65,536 relations, and a description of a mebibyte.
const LARGEST_CONTROL: u64 = 4 << 20;
/// Each line of which is remembered.
const LARGEST_CONFFILES: u64 = 1 << 20;
/// All other files but `md5sums` together.
const LARGEST_SCRIPTS: u64 = 16 << 20;
/// Two are needed, debsigs adds one a signature.
const MOST_MEMBERS: u64 = 64;
const LARGEST_SIGNATURE: u64 = 1 << 20;

/// Reads a deb from its start.
pub(super) fn inspect(file: &mut dyn Input, depth: Depth) -> Result<Inspection> {
    let mut ar = Ar::new(file, ARCHIVE)?;
    let members = Members::find(&mut ar)?;
    let control = ControlTar::read(&mut ar, &members.control)?;
    let mut inspection = inspection(&control, members.version, members.data_method)?;
    for member in &members.signatures {
        let bytes = ARCHIVE.read_all(&mut ar.open(member)?, "bytes of a signature", LARGEST_SIGNATURE)?;
        let described = openpgp::describe(&bytes);
        let (algorithm, key) = described.map(|it| (it.algorithm, it.issuer)).unwrap_or_default();
        let covers = format!("the archive, by {}", member.name);
        inspection.signatures.push(InspectedSignature { covers, algorithm, key });
    }
    if depth == Depth::Contents {
        let limit = inspection.installed_size.unwrap_or(0).saturating_mul(5) / 4 + (64 << 20);
        let from = BufReader::with_capacity(64 << 10, ar.open(&members.data)?);
        let decoder = Decoder::new(members.data_method, from, DATA_TAR, limit.max(DEFAULT_OUTPUT))?;
        inspection.files = Some(files(decoder, control)?);
    }
    Ok(inspection)
}

/// Passes the unpacked data.tar of a deb that was read and found good.
pub(crate) fn with_data(
    file: &mut dyn Input,
    take: &mut dyn FnMut(&mut dyn Read) -> Result<()>,
) -> Result<()> {
    let mut ar = Ar::new(file, ARCHIVE)?;
    let members = Members::find(&mut ar)?;
    let from = BufReader::with_capacity(64 << 10, ar.open(&members.data)?);
    take(&mut Decoder::new(members.data_method, from, DATA_TAR, DEFAULT_OUTPUT)?)
}

/// Where everything is.
struct Members {
    version: String,
    control: Member,
    data: Member,
    data_method: Method,
    signatures: Vec<Member>,
}

impl Members {
    fn find(ar: &mut Ar<'_>) -> Result<Members> {
        let version = match ar.next()? {
            Some(member) if member.name == "debian-binary" => version(ar, &member)?,
            _ => return Err(ARCHIVE.malformed("its first member is not `debian-binary`")),
        };
        let (mut control, mut data) = (None, None);
        let mut signatures = Vec::new();
        let mut seen = BTreeSet::new();
        while let Some(member) = ar.next()? {
            let name = member.name.clone();
            if !seen.insert(name.clone()) {
                return Err(ARCHIVE.malformed(format!("the member `{name}` comes twice")));
            }
            if seen.len() as u64 > MOST_MEMBERS {
                return Err(ARCHIVE.beyond("members", MOST_MEMBERS));
            }
            if name.starts_with('_') {
                if name.starts_with("_gpg") {
                    signatures.push(member);
                }
            } else if let Some(method) = method(&name, "control.tar", &CONTROL_METHODS) {
                if control.is_some() || data.is_some() {
                    return Err(ARCHIVE.malformed(format!("`{name}` is not where the only one belongs")));
                }
                control = Some((member, method));
            } else if let Some(method) = method(&name, "data.tar", &DATA_METHODS) {
                if control.is_none() || data.is_some() {
                    return Err(ARCHIVE.malformed(format!("`{name}` is not where the only one belongs")));
                }
                data = Some((member, method));
            } else {
                return Err(ARCHIVE.malformed(format!("there is no member `{name}` in a deb")));
            }
        }
        let (Some((control, _)), Some((data, data_method))) = (control, data) else {
            return Err(ARCHIVE.malformed("it has no `control.tar` or no `data.tar`"));
        };
        Ok(Members { version, control, data, data_method, signatures })
    }
}

const CONTROL_METHODS: [Method; 4] = [Method::None, Method::Gzip, Method::Xz, Method::Zstd];
const DATA_METHODS: [Method; 6] =
    [Method::None, Method::Gzip, Method::Xz, Method::Zstd, Method::Lzma, Method::Bzip2];

/// The compression that a member's name says; `None` when it is not one of `allowed`, or another member.
fn method(name: &str, stem: &str, allowed: &[Method]) -> Option<Method> {
    let ending = name.strip_prefix(stem)?;
    let is_one = matches!(ending, "" | ".gz" | ".xz" | ".zst" | ".lzma" | ".bz2");
    is_one.then(|| Method::of_name(name)).flatten().filter(|method| allowed.contains(method))
}

/// `2.` and a number: later minor versions are compatible (deb(5)).
fn version(ar: &mut Ar<'_>, member: &Member) -> Result<String> {
    let bytes = BINARY.read_all(&mut ar.open(member)?, "bytes", 16)?;
    let text = String::from_utf8(bytes).unwrap_or_default();
    let version = text.strip_suffix('\n').unwrap_or_default();
    let minor = version.strip_prefix("2.").unwrap_or_default();
    if minor.is_empty() || minor.len() > 3 || !minor.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(BINARY.malformed(format!("it is `{}` and not 2.0", shown(text.as_bytes()))));
    }
    Ok(version.to_owned())
}

/// What control.tar holds.
struct ControlTar {
    control: Paragraph,
    md5sums: BTreeMap<Vec<u8>, [u8; 16]>,
    conffiles: Vec<Vec<u8>>,
    /// Everything else, scripts above all.
    scripts: BTreeMap<String, InspectedScript>,
}

impl ControlTar {
    fn read(ar: &mut Ar<'_>, member: &Member) -> Result<ControlTar> {
        let from = BufReader::new(ar.open(member)?);
        let method = Method::of_name(&member.name).unwrap_or(Method::None);
        let decoder = Decoder::new(method, from, CONTROL_TAR, LARGEST_CONTROL_TAR)?;
        let mut tar = Tar::new(decoder, CONTROL_TAR, End::Blocks);
        let mut control = None;
        let mut scripts_left = LARGEST_SCRIPTS;
        let (mut md5sums, mut conffiles, mut scripts) = (BTreeMap::new(), Vec::new(), BTreeMap::new());
        while let Some(entry) = tar.next()? {
            if entry.path.is_empty() {
                continue;
            }
            let name = std::str::from_utf8(&entry.path)
                .ok()
                .filter(|name| entry.kind == EntryKind::File && name.bytes().all(|b| b.is_ascii_graphic()))
                .filter(|name| !name.contains('/'))
                .ok_or_else(|| {
                    CONTROL_TAR.malformed(format!("`{}` is no file of its root", shown(&entry.path)))
                })?;
            match name {
                "control" => {
                    let bytes = tar.read_entry("bytes of `control`", LARGEST_CONTROL)?;
                    control = Some(Paragraph::parse(&bytes)?);
                }
                "md5sums" => md5sums = parse_md5sums(&tar.read_entry("bytes", LARGEST_CONTROL_TAR)?)?,
                "conffiles" => {
                    let bytes = tar.read_entry("bytes of `conffiles`", LARGEST_CONFFILES)?;
                    conffiles = parse_conffiles(&bytes)?;
                    scripts.insert(name.to_owned(), InspectedScript::of_file(&bytes));
                }
                _ => {
                    // So that the limit that is told is the one that there is.
                    if entry.size > scripts_left {
                        return Err(CONTROL_TAR.beyond("bytes of scripts", LARGEST_SCRIPTS));
                    }
                    scripts_left -= entry.size;
                    let bytes = tar.read_entry("bytes of a script", LARGEST_SCRIPTS)?;
                    scripts.insert(name.to_owned(), InspectedScript::of_file(&bytes));
                }
            }
        }
        let control = control.ok_or_else(|| CONTROL_TAR.malformed("it has no file `control`"))?;
        Ok(ControlTar { control, md5sums, conffiles, scripts })
    }
}

/// `HASH  PATH` lines, the path without a slash in front (deb-md5sums(5)).
fn parse_md5sums(bytes: &[u8]) -> Result<BTreeMap<Vec<u8>, [u8; 16]>> {
    let mut sums = BTreeMap::new();
    for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let parsed = (|| {
            let (hash, rest) = line.split_at_checked(32)?;
            let path = rest.strip_prefix(b"  ").or_else(|| rest.strip_prefix(b" *"))?;
            let path = path.strip_prefix(b"./").unwrap_or(path);
            let mut sum = [0; 16];
            for (byte, digits) in sum.iter_mut().zip(hash.chunks(2)) {
                *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
            }
            (!path.is_empty()).then_some((path.to_vec(), sum))
        })();
        let (path, sum) =
            parsed.ok_or_else(|| MD5SUMS.malformed(format!("a line is no sum: `{}`", shown(line))))?;
        if sums.insert(path, sum).is_some() {
            return Err(MD5SUMS.malformed(format!("a file comes twice: `{}`", shown(line))));
        }
        if sums.len() as u64 > MOST_SUMS {
            return Err(MD5SUMS.beyond("sums", MOST_SUMS));
        }
    }
    Ok(sums)
}

/// Absolute paths, a line each; `remove-on-upgrade` in front means that the file is not in the package
/// (deb-conffiles(5)).
fn parse_conffiles(bytes: &[u8]) -> Result<Vec<Vec<u8>>> {
    let mut paths = Vec::new();
    for line in bytes.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii_end) {
        if line.is_empty() || line.starts_with(b"remove-on-upgrade ") {
            continue;
        }
        if !line.starts_with(b"/") || line.iter().any(u8::is_ascii_control) {
            return Err(CONFFILES.malformed(format!("a line is no absolute path: `{}`", shown(line))));
        }
        paths.push(line.to_vec());
    }
    paths.sort();
    Ok(paths)
}

fn inspection(control: &ControlTar, format_version: String, compression: Method) -> Result<Inspection> {
    let mut fields = control.control.clone();
    let name = fields.require("Package")?;
    check(&name, "Package", "+-._")?;
    let version = fields.require("Version")?;
    check_version(&version)?;
    let arch = fields.require("Architecture")?;
    check(&arch, "Architecture", "-")?;
    let (summary, description) = description(&fields.take("Description").unwrap_or_default());
    let relations = [
        ("depends", "Depends"),
        ("pre-depends", "Pre-Depends"),
        ("recommends", "Recommends"),
        ("suggests", "Suggests"),
        ("enhances", "Enhances"),
        ("provides", "Provides"),
        ("conflicts", "Conflicts"),
        ("breaks", "Breaks"),
        ("replaces", "Replaces"),
    ];
    let relations = relations
        .into_iter()
        .map(|(name, field)| (name, fields.take_relations(field)))
        .filter(|(_, list)| !list.is_empty())
        .collect();
    let installed_size = match fields.take("Installed-Size") {
        None => None,
        Some(size) => match size.parse::<u64>().ok().and_then(|size| size.checked_mul(1024)) {
            None => return Err(CONTROL.malformed("`Installed-Size` is no number")),
            size => size,
        },
    };
    Ok(Inspection {
        format: Format::Deb,
        format_version,
        name,
        version,
        arch,
        summary,
        description,
        homepage: fields.take("Homepage"),
        vendor: fields.take("Vendor"),
        maintainer: fields.take("Maintainer"),
        license: fields.take("License"),
        category: fields.take("Section"),
        built: None,
        installed_size,
        relations,
        fields: fields.into_rest().into_iter().filter(|(_, value)| !value.is_empty()).collect(),
        scripts: control.scripts.clone(),
        compression: compression.name().to_owned(),
        signatures: Vec::new(),
        files: None,
    })
}

/// Letters, digits and `signs`, a letter or digit first: what can be part of a file's name and of a line.
fn check(value: &str, field: &str, signs: &str) -> Result<()> {
    let is_good = value.len() <= 255
        && value.starts_with(|c: char| c.is_ascii_alphanumeric())
        && value.chars().all(|c| c.is_ascii_alphanumeric() || signs.contains(c));
    if is_good {
        Ok(())
    } else {
        Err(CONTROL.malformed(format!("`{field}` is `{}`", shown(value.as_bytes()))))
    }
}

/// deb-version(7): an epoch of digits, a version, and nothing empty around the last `-`. That it starts with a
/// digit is a warning of dpkg's only.
fn check_version(version: &str) -> Result<()> {
    let rest = match version.split_once(':') {
        Some((epoch, rest)) if epoch.parse::<u32>().is_ok() && !epoch.starts_with('+') => rest,
        Some(_) => return Err(CONTROL.malformed("the epoch of `Version` is no number")),
        None => version,
    };
    check(rest, "Version", ".+-~:")?;
    if rest.ends_with('-') {
        return Err(CONTROL.malformed("`Version` has an empty revision"));
    }
    Ok(())
}

/// The first line, and the others without the blank that continues the field; ` .` is an empty line.
fn description(value: &str) -> (String, String) {
    let (summary, rest) = value.split_once('\n').unwrap_or((value, ""));
    let lines: Vec<&str> = rest
        .lines()
        .map(|line| line.strip_prefix([' ', '\t']).unwrap_or(line))
        .map(|line| if line == "." { "" } else { line })
        .collect();
    (summary.to_owned(), lines.join("\n"))
}

/// Lists data.tar, hashes its files, and compares them with `md5sums`.
fn files(decoder: impl Read, control: ControlTar) -> Result<Vec<InspectedFile>> {
    let mut tar = Tar::new(decoder, DATA_TAR, End::Blocks);
    let mut files = Vec::new();
    let is_summed = !control.md5sums.is_empty();
    // With whether the file has come by.
    let mut expected: BTreeMap<Vec<u8>, ([u8; 16], bool)> =
        control.md5sums.into_iter().map(|(path, sum)| (path, (sum, false))).collect();
    // Of files that `md5sums` does not list, but may list a hard link to.
    let mut unlisted = BTreeMap::new();
    while let Some(entry) = tar.next()? {
        let mut digest = None;
        let sum = match &entry.kind {
            EntryKind::File => {
                let (mut sha256, mut md5) = (Sha256::new(), Md5::new());
                tar.feed(|piece| {
                    sha256.update(piece);
                    if is_summed {
                        md5.update(piece);
                    }
                })?;
                digest = Some(hexadecimal(&sha256.finalize()));
                let sum: [u8; 16] = md5.finalize().into();
                if is_summed && !expected.contains_key(&entry.path) {
                    unlisted.insert(entry.path.clone(), sum);
                }
                Some(sum)
            }
            EntryKind::HardLink(target) => match expected.get(target) {
                Some((sum, true)) => Some(*sum),
                _ => unlisted.get(target).copied(),
            },
            _ => None,
        };
        if let (Some(sum), Some((expected, has_come))) = (sum, expected.get_mut(&entry.path)) {
            if *expected != sum {
                let path = shown(&entry.path);
                return Err(MD5SUMS.malformed(format!("`/{path}` has another sum than it says")));
            }
            *has_come = true;
        }
        let mut file = entry.to_inspected(digest);
        if control.conffiles.binary_search(&file.path).is_ok() {
            file.marks.push("config");
        }
        files.push(file);
    }
    if let Some((path, _)) = expected.iter().find(|(_, (_, has_come))| !has_come) {
        return Err(MD5SUMS.malformed(format!("`/{}` is not in the package", shown(path))));
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

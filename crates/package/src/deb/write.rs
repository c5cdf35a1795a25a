//! Writes a deb in one pass.
//!
//! | member | content |
//! |---|---|
//! | `debian-binary` | `2.0` |
//! | `control.tar.gz` | `control`, `md5sums`, `conffiles`, maintainer scripts … |
//! | `data.tar`, `.gz`, `.xz` or `.zst` | the files, names starting with `./` |
//!
//! `control.tar` comes first and holds the MD5 sum of every file, so the files would have to be read twice, or
//! the compressed files kept somewhere. But the sums' *length* is known: `control.tar` is written with zeros
//! for the sums, in a gzip stream that only stores, whose length depends on nothing else, and written again
//! over itself when the sums are known. That costs the compression of `control.tar`, some 60 bytes a file, and
//! keeps packaging free of temporary files. Every dpkg reads gzip.
//!
//! A thread reads each file once and hashes it, while this one hands the archive to the compressor. Memory
//! holds the tree, one line per file of `md5sums`, and what is between the two threads.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use super::accounts::Accounts;
use super::read::{Piece, with_reader};
use super::{control, documents, scripts};
use crate::archive::ar;
use crate::archive::compress::gzip::store;
use crate::archive::compress::{Compression, Encoder};
use crate::archive::tar::{self, LONGEST_OWNER, Member, MemberKind};
use crate::file_tree::Kind;
use crate::format::Output;
use crate::{Entry, Error, FileTree, Owner, Package, PackagePath, Resources, Result, deb, sysusers};

/// Every entry of the package, by path.
type Entries<'a> = BTreeMap<&'a PackagePath, &'a Entry>;

/// Members of control.tar, by name: mode and bytes.
type Control = BTreeMap<String, (u16, Vec<u8>)>;

/// Writes `package` to `out`.
pub(super) fn write(package: &Package, resources: Resources, out: &mut dyn Output) -> Result<()> {
    package.check()?;
    let package = &*sysusers::packaged(package)?;
    let mut added = documents::missing(package)?;
    add_directories(&package.files, &mut added)?;
    let entries: Entries<'_> = added
        .iter()
        .chain(package.files.iter())
        .filter(|(_, entry)| !matches!(entry.kind, Kind::Ghost))
        .collect();
    if let Some(path) = entries.keys().find(|path| path.as_bytes().contains(&b'\n')) {
        // `tarobject` in dpkg's src/main/archives.c; and `md5sums` is made of lines.
        let reason = "dpkg installs no file with a line break in its name";
        return Err(Error::FileName { path: (**path).clone(), format: "deb", reason });
    }
    let conffiles = conffiles(&entries)?;
    let mut control = control_members(package, &entries, &conffiles)?;

    let summed = |path: &PackagePath, entry: &Entry| entry.is_file() && !conffiles.contains(path);
    let lines = || entries.iter().filter(|(path, entry)| summed(path, entry)).map(|(path, _)| *path);
    control.insert("md5sums".into(), (0o644, md5sums(lines().map(|path| (path, [0; 16])))));

    let mut ar = ar::Writer::new(out, package.timestamp)?;
    ar.add("debian-binary", b"2.0\n")?;
    let member = ar.add("control.tar.gz", &control_tar(&control, package)?)?;
    // xz is what every dpkg since 1.15.6 reads; zstd only those since 1.21.18 and Ubuntu's since 18.04.
    let compression = package.options.compression.unwrap_or(Compression::XZ);
    ar.begin(&format!("data.tar{}", compression.suffix()))?;
    let sums = write_data(package, &entries, Encoder::new(compression, resources, &mut ar)?)?;
    ar.end()?;

    let sums = entries.iter().filter(|(_, entry)| entry.is_file()).map(|(path, _)| *path).zip(sums);
    let sums = sums.filter(|(path, _)| !conffiles.contains(path));
    control.insert("md5sums".into(), (0o644, md5sums(sums)));
    ar.replace(&member, &control_tar(&control, package)?)?;
    ar.flush()?;
    Ok(())
}

/// Adds to `added` the directories that lead to an entry and are in neither tree: dpkg makes no directory
/// that the package does not name.
fn add_directories(files: &FileTree, added: &mut FileTree) -> Result<()> {
    let mut missing = BTreeSet::new();
    for path in files.iter().chain(added.iter()).map(|(path, _)| path) {
        let mut above = path.parent();
        while let Some(directory) = above {
            above = directory.parent();
            if files.entry(&directory).is_some() || !missing.insert(directory) {
                break;
            }
        }
    }
    for directory in missing {
        added.insert(directory, Entry::directory())?;
    }
    Ok(())
}

/// The configuration files (see [`Entry::is_config`]). Never a link, which dpkg cannot handle as one
/// (deb-conffiles(5)).
fn conffiles<'a>(entries: &Entries<'a>) -> Result<BTreeSet<&'a PackagePath>> {
    let conffiles: BTreeSet<&PackagePath> =
        entries.iter().filter(|(path, entry)| entry.is_config(path)).map(|(path, _)| *path).collect();
    for path in &conffiles {
        if path.as_bytes().ends_with(b" ") {
            return Err(Error::Option {
                format: "deb",
                option: "the configuration file",
                value: path.to_string(),
                reason: "dpkg drops the blank at the end of its name",
            });
        }
    }
    Ok(conffiles)
}

/// Lines of `MD5  path`, without `./` (deb-md5sums(5)). Configuration files are left out, as dh_md5sums does:
/// the customer may change them, and dpkg keeps their sums itself.
fn md5sums<'a>(sums: impl Iterator<Item = (&'a PackagePath, [u8; 16])>) -> Vec<u8> {
    let mut text = Vec::new();
    for (path, sum) in sums {
        text.extend(sum.iter().flat_map(|byte| format!("{byte:02x}").into_bytes()));
        text.extend_from_slice(b"  ");
        text.extend_from_slice(path.as_bytes());
        text.push(b'\n');
    }
    text
}

/// Everything in control.tar but `md5sums`.
fn control_members(
    package: &Package,
    entries: &Entries<'_>,
    conffiles: &BTreeSet<&PackagePath>,
) -> Result<Control> {
    let options = &package.options.deb;
    let name = control::package_name(&package.metadata.name);
    let mut members = Control::new();
    let mut add = |name: &str, mode, bytes: Vec<u8>| members.insert(name.to_owned(), (mode, bytes));
    let size = control::installed_size(entries);
    if !conffiles.is_empty() {
        let lines = conffiles.iter().flat_map(|path| [b"/", path.as_bytes(), b"\n"].concat());
        add("conffiles", 0o644, lines.collect());
    }
    let ghosts = package.files.iter().filter(|(_, entry)| matches!(entry.kind, Kind::Ghost));
    let parts = scripts::Parts {
        package: &name,
        sysusers: &format!("{}.conf", package.metadata.name),
        scripts: &package.scripts,
        options,
        services: &package.setup.services,
        accounts: accounts(package, entries)?,
        ghosts: ghosts.map(|(path, _)| in_script(path)).collect::<Result<_>>()?,
    };
    let needs = needs(&parts.accounts);
    add("control", 0o644, control::control(&package.metadata, options, size, &needs)?.into_bytes());
    for (script, text) in scripts::generate(parts)? {
        add(script, 0o755, text.into_bytes());
    }
    if let Some(config) = &options.config {
        add("config", 0o755, scripts::to_file(config)?.into_bytes());
    }
    for (name, text) in [("templates", &options.templates), ("shlibs", &options.shlibs)] {
        if let Some(text) = text {
            add(name, 0o644, format!("{}\n", text.trim_end()).into_bytes());
        }
    }
    let triggers = triggers(options)?;
    if !triggers.is_empty() {
        add("triggers", 0o644, triggers.into_bytes());
    }
    for (name, bytes) in &options.control_members {
        let refuse = |reason| {
            Err(Error::Option { format: "deb", option: "the control member", value: name.clone(), reason })
        };
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.+".contains(c);
        if name.is_empty() || name.len() > 100 || name.starts_with('.') || !name.chars().all(is_plain) {
            return refuse("its name has letters, digits and `-_.+`");
        }
        if ["preinst", "postinst", "prerm", "postrm", "config"].contains(&name.as_str()) {
            return refuse("it is a script; give it as one");
        }
        if members.contains_key(name) || name == "md5sums" || name == "conffiles" {
            return refuse("Packhouse writes it");
        }
        members.insert(name.clone(), (0o644, bytes.clone()));
    }
    Ok(members)
}

/// What `postinst` sets right: the accounts, and which files are theirs or have capabilities.
fn accounts<'a>(package: &'a Package, entries: &Entries<'a>) -> Result<Accounts<'a>> {
    let accounts = &package.setup.accounts;
    let default = &package.options.deb.owner;
    let is_made = |name: &str| accounts.iter().any(|account| account.name == name);
    let mut found = Accounts { accounts, ..Accounts::default() };
    for (path, entry) in entries {
        let owner = match default {
            Some(default) if entry.owner == Owner::default() => default,
            _ => &entry.owner,
        };
        if is_made(&owner.user) || is_made(&owner.group) {
            found.owned.push((owner, entry.mode, in_script(path)?));
        }
        if let Some(capabilities) = entry.capabilities.filter(|_| entry.is_file()) {
            found.capable.push((capabilities, in_script(path)?));
        }
    }
    Ok(found)
}

/// A path that a maintainer script names.
fn in_script(path: &PackagePath) -> Result<&PackagePath> {
    match std::str::from_utf8(path.as_bytes()) {
        Ok(_) => Ok(path),
        Err(_) => {
            let reason = "an account's, a ghost's and a capable file's name must be UTF-8";
            Err(Error::FileName { path: path.clone(), format: "deb", reason })
        }
    }
}

/// The packages whose programs `postinst` runs.
fn needs(accounts: &Accounts<'_>) -> Vec<&'static str> {
    let all = [("passwd", !accounts.accounts.is_empty()), ("libcap2-bin", !accounts.capable.is_empty())];
    all.into_iter().filter(|(_, is_needed)| *is_needed).map(|(package, _)| package).collect()
}

/// The `triggers` member (deb-triggers(5)). A package with shared libraries asks for ldconfig, as
/// dh_makeshlibs does.
fn triggers(options: &deb::Options) -> Result<String> {
    let mut text = String::new();
    for deb::Trigger { directive, name } in &options.triggers {
        let known = ["interest", "interest-noawait", "activate", "activate-noawait"];
        let is_name = |c: char| c.is_ascii_graphic() && c != '#';
        if !known.contains(directive) || name.is_empty() || !name.chars().all(is_name) {
            return Err(Error::Option {
                format: "deb",
                option: "the trigger",
                value: format!("{directive} {name}"),
                reason: "it is `interest`, `activate` or one of these with `-noawait`, then a name without blanks",
            });
        }
        text.push_str(&format!("{directive} {name}\n"));
    }
    if options.shlibs.is_some() && !options.triggers.iter().any(|trigger| trigger.name == "ldconfig") {
        text.push_str("activate-noawait ldconfig\n");
    }
    Ok(text)
}

fn control_tar(members: &Control, package: &Package) -> Result<Vec<u8>> {
    let owner = Owner::default();
    let mut tar = tar::Writer::new(Vec::new(), package.timestamp);
    tar.member(&Member { path: b"./", kind: MemberKind::Directory, mode: 0o755, owner: &owner })?;
    for (name, (mode, bytes)) in members {
        let path = format!("./{name}");
        let kind = MemberKind::File { size: bytes.len() as u64 };
        tar.member(&Member { path: path.as_bytes(), kind, mode: *mode, owner: &owner })?;
        tar.write_all(bytes)?;
    }
    Ok(store(&tar.finish()?))
}

/// Writes data.tar and returns the MD5 sum of every file, in order.
fn write_data<W: Write>(package: &Package, entries: &Entries<'_>, out: Encoder<W>) -> Result<Vec<[u8; 16]>> {
    let files = entries.values().filter_map(|entry| match &entry.kind {
        Kind::File { content, size, .. } => Some((content, *size)),
        _ => None,
    });
    let default_owner = package.options.deb.owner.clone().unwrap_or_default();
    let root = Owner::default();
    for entry in entries.values() {
        check_owner(owner(entry, &default_owner))?;
    }
    with_reader(files.collect(), |pieces| {
        let mut sums = Vec::new();
        let mut tar = tar::Writer::new(out, package.timestamp);
        tar.member(&Member { path: b"./", kind: MemberKind::Directory, mode: 0o755, owner: &root })?;
        for (path, entry) in entries {
            let mut name = [b"./", path.as_bytes()].concat();
            let kind = match &entry.kind {
                Kind::File { size, .. } => MemberKind::File { size: *size },
                Kind::Symlink { target } => MemberKind::Symlink { target },
                Kind::Directory => {
                    name.push(b'/');
                    MemberKind::Directory
                }
                Kind::Ghost => continue,
            };
            let owner = owner(entry, &default_owner);
            tar.member(&Member { path: &name, kind, mode: entry.mode, owner }).map_err(unwrap)?;
            if entry.is_file() {
                loop {
                    match pieces.next()? {
                        Piece::Bytes(bytes) => tar.write_all(&bytes).map_err(unwrap)?,
                        Piece::End(sum) => break sums.push(sum),
                    }
                }
            }
        }
        tar.finish().and_then(Encoder::finish).map_err(unwrap)?;
        Ok(sums)
    })
}

/// Who owns `entry`: root stands for "nobody was named".
fn owner<'a>(entry: &'a Entry, default: &'a Owner) -> &'a Owner {
    if entry.owner == Owner::default() { default } else { &entry.owner }
}

/// An owner's names go into fields of fixed size, and to getpwnam(3) on the customer's machine.
fn check_owner(owner: &Owner) -> Result<()> {
    for name in [&owner.user, &owner.group] {
        if name.is_empty()
            || name.len() > LONGEST_OWNER
            || name.contains(|c: char| c.is_control() || c == ':')
        {
            let reason = "a user's or group's name has 1 to 31 bytes, no `:` and no control character";
            return Err(Error::Option { format: "deb", option: "the owner", value: name.clone(), reason });
        }
    }
    Ok(())
}

/// An error of ours that came back through a compressor.
fn unwrap(error: io::Error) -> Error {
    error.downcast::<Error>().unwrap_or_else(Error::Io)
}

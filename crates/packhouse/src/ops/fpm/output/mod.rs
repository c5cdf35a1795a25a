//! The outputs: one file a type. Each takes the draft and the flags, cleans up what its format cannot say, names its file,
//! and writes it.

mod apk;
mod archive;
mod deb;
mod deb_relation;
mod deb_scripts;
mod directory;
mod freebsd;
mod pacman;
mod rpm;
mod rpm_tags;
mod shell;
mod wrapper;

use std::io::Write as _;
use std::path::Path;

use fs_err as fs;
use packhouse_package::archive::compress::Compression;
use packhouse_package::{
    Arch, Content, Entry, FileTree, Format, Kind, Metadata, Options, Owner, Package, PackageName,
    PackagePath, Relations, Resources, Scripts, Setup, Timestamp, Version,
};
use packhouse_project::fpm::CommandLine;

use super::draft::Draft;
use super::log::{Failure, Log, Result};
use super::name::Tokens;
use crate::environment::Environment;

/// What outputs look at besides the draft.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    pub(super) line: &'a CommandLine,
    pub(super) environment: &'a Environment,
    pub(super) log: &'a Log<'a>,
    /// The time of what is made and of what has no time of its own.
    pub(super) time: Timestamp,
    /// The input's type.
    pub(super) from: &'a str,
}

/// A type of output.
pub(super) trait Output {
    /// What the tokens of a file's name stand for.
    fn tokens(&self) -> Tokens<'_>;

    /// The file's name when none is given, with tokens.
    fn default_name(&self) -> &str {
        "NAME.EXTENSION"
    }

    /// Whether a file that is there already, and a directory that is not, stop it.
    fn is_checked(&self) -> bool {
        true
    }

    /// Writes the package to `path`; `shown` is the path as the user gave it.
    fn write(self: Box<Self>, path: &Path, shown: &str, context: &Context<'_>) -> Result<()>;
}

/// The output of a type of fpm's.
pub(super) fn of(kind: &str, draft: Draft, context: &Context<'_>) -> Result<Box<dyn Output>> {
    Ok(match kind {
        "deb" => Box::new(deb::Deb::new(draft, context)?),
        "rpm" => Box::new(rpm::Rpm::new(draft, context)?),
        "pacman" => Box::new(pacman::Pacman::new(draft, context)?),
        "apk" => Box::new(apk::Apk::new(draft, context)?),
        "freebsd" => Box::new(freebsd::FreeBsd::new(draft, context)?),
        "tar" | "zip" => Box::new(archive::Archive::new(kind, draft)),
        "sh" => Box::new(shell::Shell::new(draft)),
        "dir" => Box::new(directory::Directory::new(draft)),
        "empty" => Box::new(Nothing(draft)),
        other => {
            return Err(anyhow::anyhow!(
                "Packhouse does not write {other} packages; it writes deb, rpm, pacman, apk, freebsd, tar, zip, sh and dir"
            )
            .into());
        }
    })
}

/// `-t empty`: checks the rest, and writes nothing.
struct Nothing(Draft);

impl Output for Nothing {
    fn tokens(&self) -> Tokens<'_> {
        tokens(&self.0, "empty", "")
    }

    fn default_name(&self) -> &str {
        ""
    }

    fn is_checked(&self) -> bool {
        false
    }

    fn write(self: Box<Self>, _path: &Path, _shown: &str, context: &Context<'_>) -> Result<()> {
        context.log.warn("Your package has gone into the void.");
        Ok(())
    }
}

/// The tokens of a draft as it stands.
fn tokens<'a>(draft: &'a Draft, kind: &'a str, full_version: &'a str) -> Tokens<'a> {
    Tokens {
        architecture: &draft.architecture,
        name: draft.name(),
        full_version,
        version: draft.version(),
        iteration: draft.iteration.as_deref().unwrap_or_default(),
        epoch: draft.epoch.as_deref().unwrap_or_default(),
        kind,
        extension: kind,
        dist: None,
    }
}

/// A package of a draft's name and version: what a writer wants to have even if it does not write it.
fn package(draft: &Draft, files: FileTree, options: Options, time: Timestamp) -> Package {
    let name = PackageName::new(draft.name()).or_else(|_| PackageName::new("package"));
    Package {
        metadata: Metadata {
            name: name.expect("`package` is a name"),
            version: Version::new(draft.version()),
            arch: Arch::Noarch,
            summary: summary(&draft.description),
            description: String::new(),
            homepage: draft.url.clone().filter(|url| !url.is_empty()),
            vendor: draft.vendor.clone().filter(|vendor| !vendor.is_empty()),
            maintainer: draft.maintainer.clone(),
            license: Some(draft.license.replace('\n', " ")),
            category: Some(draft.category.clone()),
            relations: Relations::default(),
            changelog: Vec::new(),
        },
        files,
        scripts: Scripts::new(),
        setup: Setup::default(),
        timestamp: time,
        options,
    }
}

/// The first line that is not blank.
fn summary(description: &str) -> String {
    description.lines().find(|line| !line.trim().is_empty()).unwrap_or("_").trim_end().to_owned()
}

/// Writes a package beside its place, and puts it there when it is whole.
fn write_package(format: Format, package: &Package, path: &Path) -> Result<()> {
    write_beside(path, |file| Ok(format.get().write(package, Resources::all(), file)?))
}

/// Writes a file beside its place, and puts it there when it is whole. What is no file (`/dev/stdout`) is written as it
/// is.
fn write_beside(path: &Path, write: impl FnOnce(&mut fs::File) -> Result<()>) -> Result<()> {
    let is_special = fs::metadata(path).is_ok_and(|metadata| !metadata.is_file());
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.part", std::process::id()));
    let part = match is_special {
        true => Path::new("/tmp").join(&name),
        false => path.with_file_name(&name),
    };
    let written = fs::OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&part);
    let written = written.map_err(Failure::from).and_then(|mut file| {
        write(&mut file)?;
        file.flush()?;
        if is_special {
            use std::io::{Seek as _, SeekFrom};
            file.seek(SeekFrom::Start(0))?;
            let mut out = fs::OpenOptions::new().write(true).open(path)?;
            std::io::copy(&mut file, &mut out)?;
        }
        Ok(())
    });
    match written {
        Ok(()) if is_special => Ok(fs::remove_file(&part)?),
        Ok(()) => Ok(fs::rename(&part, path)?),
        Err(error) => {
            let _ = fs::remove_file(&part);
            Err(error)
        }
    }
}

/// A path in the package.
fn path(path: impl AsRef<[u8]>) -> Result<PackagePath> {
    PackagePath::new(path).map_err(|error| Failure::Configuration(error.to_string()))
}

/// Puts a file in that a flag names, under its own name without `suffix`; returns where.
fn put_file(
    files: &mut FileTree,
    named: &str,
    (directory, suffix): (&str, &str),
    mode: u16,
    context: &Context<'_>,
) -> Result<PackagePath> {
    let source = super::draft::named(context.environment, named);
    let name = base_name(named);
    let name = name.strip_suffix(suffix).filter(|name| !name.is_empty()).unwrap_or(&name);
    let to = path(format!("{directory}/{name}"))?;
    let bytes = fs::read(&source)?;
    files.insert(to.clone(), Entry::bytes(bytes, mode))?;
    Ok(to)
}

fn base_name(path: &str) -> String {
    Path::new(path).file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Forgets whom the files belonged to on this machine: they are root's.
fn forget_owners(files: &mut FileTree) {
    for (_, entry) in files.iter_mut() {
        (entry.inherited.user, entry.inherited.group) = (0, 0);
    }
}

/// Keeps whom the files belong to, by number and, where this machine has one, by name.
fn keep_owners(files: &mut FileTree) {
    let names = |file: &str| -> std::collections::BTreeMap<u32, String> {
        let text = fs::read_to_string(file).unwrap_or_default();
        let rows = text.lines().filter_map(|line| {
            let mut fields = line.split(':');
            let name = fields.next()?.to_owned();
            Some((fields.nth(1)?.parse().ok()?, name))
        });
        rows.collect::<Vec<_>>().into_iter().rev().collect()
    };
    let (users, groups) = (names("/etc/passwd"), names("/etc/group"));
    for (_, entry) in files.iter_mut() {
        let name = |names: &std::collections::BTreeMap<u32, String>, number: u32| {
            names.get(&number).cloned().unwrap_or_else(|| number.to_string())
        };
        entry.owner = Owner::new(name(&users, entry.inherited.user), name(&groups, entry.inherited.group));
    }
}

/// The failure of formats that say in no words of their own that a configuration file is missing.
fn nowhere(given: &str) -> Failure {
    Failure::Other(anyhow::anyhow!("--config-files '{given}' is neither in the package nor on this machine"))
}

/// Takes the files and directories of a list as configuration files, those of this machine where the package does not
/// have them; returns every path.
fn config_files(
    files: &mut FileTree,
    listed: &[String],
    context: &Context<'_>,
    missing: impl Fn(&str) -> Failure,
) -> Result<Vec<PackagePath>> {
    let mut found = Vec::new();
    for given in listed {
        let Ok(root) = PackagePath::new(given) else { return Err(missing(given)) };
        let is_there =
            |files: &FileTree| files.iter().any(|(path, _)| path == &root || is_below(path, &root));
        if !is_there(files) {
            let source = super::draft::named(context.environment, given);
            if !source.exists() {
                return Err(missing(given));
            }
            let mut staging = super::staging::Staging {
                tree: std::mem::take(files),
                current: &context.environment.current_directory,
                chdir: None,
                prefix: None,
                user: context.environment.user,
                log: context.log,
            };
            let mut mapping = std::ffi::OsString::from(source.as_os_str());
            if source.is_dir() {
                mapping.push("/");
            }
            mapping.push(format!("=/{}", String::from_utf8_lossy(root.as_bytes())));
            staging.input(&mapping)?;
            *files = staging.tree;
            files.complete();
        }
        let below =
            files.iter().filter(|(path, entry)| entry.is_file() && (*path == &root || is_below(path, &root)));
        found.extend(below.map(|(path, _)| path.clone()));
    }
    found.sort();
    found.dedup();
    Ok(found)
}

fn is_below(path: &PackagePath, directory: &PackagePath) -> bool {
    path.as_bytes().strip_prefix(directory.as_bytes()).is_some_and(|rest| rest.starts_with(b"/"))
}

/// The length of an entry: a link's is that of its target.
fn size(entry: &Entry) -> u64 {
    match &entry.kind {
        Kind::File { size, .. } => *size,
        Kind::Symlink { target } => target.len() as u64,
        Kind::Directory | Kind::Ghost => 0,
    }
}

/// The bytes of a file of the tree.
fn bytes(entry: &Entry) -> Result<Vec<u8>> {
    match &entry.kind {
        Kind::File { content: Content::Bytes(bytes), .. } => Ok(bytes.to_vec()),
        Kind::File { content: Content::Path(path), .. } => Ok(fs::read(path)?),
        _ => Ok(Vec::new()),
    }
}

/// A compression of fpm's name and level.
fn compression(name: &str, level: Option<u8>, default: u8) -> Result<Compression> {
    let level = level.unwrap_or(default);
    Ok(match name {
        "none" => Compression::None,
        // Level 0 of gzip stores, which no level here does; the least is the next to it.
        "gz" | "gzip" => Compression::Gzip(level.max(1)),
        "xz" | "xzmt" => Compression::Xz(level),
        "zst" | "zstd" => Compression::Zstd(level.max(1)),
        "bzip2" => Compression::Bzip2(level.clamp(1, 9)),
        other => return Err(anyhow::anyhow!("Packhouse does not write `{other}`").into()),
    })
}

/// A level of compression, as fpm takes it: one digit.
fn level(flag: &str, line: &CommandLine) -> Result<Option<u8>> {
    let Some(text) = line.one(flag) else { return Ok(None) };
    match text.parse::<u8>() {
        Ok(level @ 0..=9) if text.len() == 1 => Ok(Some(level)),
        // Beyond fpm: zstd has more.
        Ok(level @ 10..=19) => Ok(Some(level)),
        _ => Err(anyhow::anyhow!(
            "Invalid compression level '{text}'. Valid values are integers between 0 and 9 inclusive."
        )
        .into()),
    }
}

/// The words that a machine's kernel and other formats use for an architecture, in one format's spelling.
fn native(machine: &str, format: Format) -> String {
    Arch::parse(machine).map_or_else(|| machine.to_owned(), |arch| format.get().arch(arch).to_owned())
}

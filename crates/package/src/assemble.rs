//! Puts a package together: what a build left, the project's own files, and the rules about both.
//!
//! The order is fixed, and later wins: the build's output (or a staged tree), then the trees that are copied as
//! they stand (`inc/`), then modes, owners and marks. Everything below `/etc` is a configuration file.

use std::path::{Path, PathBuf};

use fs_err as fs;

use crate::{
    Capabilities, Entry, Error, FileTree, Kind, Mark, Metadata, Options, Package, PackagePath, Result,
    Scripts, Services, Setup, Timestamp, pattern,
};

/// Files that only keep a directory in Git; never packaged.
const KEEPERS: &[&str] = &[".gitkeep"];

/// A package before it is built: everything that is known without the files.
#[derive(Clone, Debug)]
pub struct Spec {
    /// What it says about itself.
    pub metadata: Metadata,
    /// Which files it holds.
    pub rules: FileRules,
    /// What runs when.
    pub scripts: Scripts,
    /// Services and accounts.
    pub setup: Setup,
    /// The time of everything in it.
    pub timestamp: Timestamp,
    /// What only some formats can say.
    pub options: Options,
}

/// Which files a package holds, and what is special about them.
#[derive(Clone, Debug, Default)]
pub struct FileRules {
    /// Single files and directories, in order.
    pub files: Vec<FileRule>,
    /// Directories whose contents are copied to the root as they stand.
    pub trees: Vec<PathBuf>,
    /// Files made by Packhouse, put in last.
    pub extra: Vec<(PackagePath, Entry)>,
    /// Put before every destination, except those of `extra`.
    pub prefix: Option<PackagePath>,
    /// Patterns (see [`pattern`]) of what is left out; of `extra` nothing is.
    pub excludes: Vec<String>,
    /// Files, or directories with all below them, that are configuration files although not below `/etc`.
    pub config_files: Vec<PackagePath>,
    /// Files below `/etc` are configuration files only when `config_files` names them.
    pub etc_is_plain: bool,
    /// Overrides by path.
    pub attributes: Vec<(PackagePath, Attributes)>,
    /// For every file without attributes of its own.
    pub file_mode: Option<u16>,
    /// For every directory without attributes of its own.
    pub directory_mode: Option<u16>,
}

/// A rule that puts something into the package, or changes what is there.
#[derive(Clone, Debug)]
pub struct FileRule {
    /// What is put there; with [`Source::Present`] nothing, and only the attributes apply.
    pub source: Source,
    /// Where it goes.
    pub destination: PackagePath,
    /// What is special about it.
    pub attributes: Attributes,
}

/// Where a rule's file comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A file or directory that the build made, relative to the project.
    Build(PathBuf),
    /// An empty directory.
    Directory,
    /// A symbolic link to this.
    Symlink(Vec<u8>),
    /// A file that the program makes, and that goes with the package.
    Ghost,
    /// Something else puts it there.
    Present,
}

/// Mode, owner and mark, where they are not the type's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    /// Permission bits.
    pub mode: Option<u16>,
    /// The user's name.
    pub user: Option<String>,
    /// The group's name.
    pub group: Option<String>,
    /// What it is for.
    pub mark: Option<Mark>,
    /// What a program may do although root did not start it; never for what is below a directory.
    pub capabilities: Option<Capabilities>,
}

/// What the package is made from.
#[derive(Clone, Debug)]
pub enum Payload {
    /// The directory the project was built in; rules with a source pick from it.
    Build(PathBuf),
    /// A tree laid out as it will be installed; it stands for what those rules would have put there.
    Staged(PathBuf),
}

impl Package {
    /// Puts the package together.
    ///
    /// # Errors
    /// When a rule's source is not there, a configuration file or a rule's destination is not in the package,
    /// or a file cannot be packaged.
    pub fn assemble(spec: &Spec, payload: &Payload) -> Result<Package> {
        let rules = &spec.rules;
        let mut files = FileTree::new();
        if let Payload::Staged(tree) = payload {
            files.add_directory(tree, None, KEEPERS)?;
        }
        for rule in &rules.files {
            match (&rule.source, payload) {
                (Source::Build(source), Payload::Build(build)) => {
                    put(&mut files, &build.join(source), source, &rule.destination)?;
                }
                (Source::Directory, _) => files.insert(rule.destination.clone(), Entry::directory())?,
                (Source::Ghost, _) => {
                    let ghost = Entry { kind: Kind::Ghost, mode: 0o644, ..Entry::directory() };
                    files.insert(rule.destination.clone(), ghost)?;
                }
                (Source::Symlink(target), _) => {
                    files.insert(rule.destination.clone(), Entry::symlink(target.clone()))?;
                }
                (Source::Build(_), Payload::Staged(_)) | (Source::Present, _) => {}
            }
        }
        for tree in &rules.trees {
            files.add_directory(tree, None, KEEPERS)?;
        }
        // fpm, too, excludes from a tree that has its directories: `usr/share/doc` is one although only a file
        // below it was named.
        files.complete();
        for excluded in &rules.excludes {
            files.remove_matching(|path| pattern::matches(excluded.as_bytes(), path.as_bytes()));
        }
        if let Some(prefix) = &rules.prefix {
            files = files.below(prefix)?;
        }
        for (path, entry) in &rules.extra {
            files.insert(path.clone(), entry.clone())?;
        }
        files.complete();
        rules.apply(&mut files, payload)?;
        find_units(&spec.setup.services, &files)?;
        Ok(Package {
            metadata: spec.metadata.clone(),
            files,
            scripts: spec.scripts.clone(),
            setup: spec.setup.clone(),
            timestamp: spec.timestamp,
            options: spec.options.clone(),
        })
    }
}

/// A unit that is named and not packaged would fail on the customer's machine, where nobody looks.
fn find_units(services: &Services, files: &FileTree) -> Result<()> {
    for unit in &services.units {
        let template = match (unit.split_once('@'), unit.rsplit_once('.')) {
            (Some((name, _)), Some((_, kind))) => format!("{name}@.{kind}"),
            _ => unit.clone(),
        };
        let is_unit = |name: &[u8]| name == unit.as_bytes() || name == template.as_bytes();
        if !files.iter().any(|(path, entry)| !entry.is_directory() && is_unit(path.file_name())) {
            let path = PackagePath::new(format!("usr/lib/systemd/system/{unit}"));
            let path = path.map_err(|source| Error::Path { on_disk: unit.into(), source })?;
            return Err(Error::NotInPackage { path, rule: "[services]" });
        }
    }
    Ok(())
}

impl FileRules {
    fn apply(&self, files: &mut FileTree, payload: &Payload) -> Result<()> {
        for (path, entry) in files.iter_mut() {
            match &entry.kind {
                Kind::File { .. } => {
                    entry.mode = self.file_mode.unwrap_or(entry.mode);
                    if self.etc_is_plain && path.is_within("/etc") {
                        entry.mark = Mark::NotConfig;
                    }
                }
                Kind::Directory => entry.mode = self.directory_mode.unwrap_or(entry.mode),
                Kind::Symlink { .. } | Kind::Ghost => {}
            }
        }
        for path in &self.config_files {
            let mut found = false;
            for (other, entry) in files.iter_mut() {
                if entry.is_file() && other.is_within(&String::from_utf8_lossy(path.as_bytes())) {
                    entry.mark = Mark::Config;
                    found = true;
                }
            }
            if !found {
                return Err(Error::NotInPackage { path: path.clone(), rule: "config-files" });
            }
        }
        for rule in &self.files {
            let path = self.below_prefix(&rule.destination)?;
            let from_build = matches!(rule.source, Source::Build(_));
            if rule.attributes.apply(files, &path, from_build)? || self.is_excluded(&rule.destination) {
                continue;
            }
            // A staged tree may have been laid out without some of what a build makes.
            if !(from_build && matches!(payload, Payload::Staged(_))) {
                return Err(Error::NotInPackage { path, rule: "[[files]]" });
            }
        }
        for (path, attributes) in &self.attributes {
            if !attributes.apply(files, path, false)? {
                return Err(Error::NotInPackage { path: path.clone(), rule: "--rpm-attr" });
            }
        }
        Ok(())
    }

    fn is_excluded(&self, path: &PackagePath) -> bool {
        let upwards = std::iter::successors(Some(path.clone()), PackagePath::parent);
        upwards.into_iter().any(|path| {
            self.excludes.iter().any(|pattern| pattern::matches(pattern.as_bytes(), path.as_bytes()))
        })
    }

    fn below_prefix(&self, path: &PackagePath) -> Result<PackagePath> {
        match &self.prefix {
            Some(prefix) => prefix
                .join(path.as_bytes())
                .map_err(|source| Error::Path { on_disk: path.to_string().into(), source }),
            None => Ok(path.clone()),
        }
    }
}

impl Attributes {
    /// Applies to `path`, and with `recursive` to the files below it; tells whether there was anything.
    ///
    /// A mode is meant for the files of a directory, not for the directories among them.
    fn apply(&self, files: &mut FileTree, path: &PackagePath, recursive: bool) -> Result<bool> {
        let Some(root) = files.entry(path) else { return Ok(false) };
        let is_tree = root.is_directory() && recursive;
        let within = path.to_string();
        for (other, entry) in files.iter_mut() {
            let is_meant = other == path || (is_tree && other.is_within(&within));
            if !is_meant {
                continue;
            }
            if let Some(mode) = self.mode
                && !(matches!(entry.kind, Kind::Symlink { .. }) || entry.is_directory() && is_tree)
            {
                entry.mode = mode;
            }
            if let Some(mark) = self.mark
                && entry.is_file()
            {
                entry.mark = mark;
            }
            if let Some(capabilities) = self.capabilities {
                if !entry.is_file() || is_tree {
                    return Err(Error::NoProgram { path: other.clone() });
                }
                entry.capabilities = Some(capabilities);
            }
            if let Some(user) = &self.user {
                entry.owner.user = user.clone().into();
            }
            if let Some(group) = &self.group {
                entry.owner.group = group.clone().into();
            }
        }
        Ok(true)
    }
}

/// Puts the file, link or directory tree at `path` to `destination`.
fn put(files: &mut FileTree, path: &Path, source: &Path, destination: &PackagePath) -> Result<()> {
    if fs::symlink_metadata(path).is_err() {
        return Err(Error::NotBuilt { source_path: source.into() });
    }
    let entry = Entry::from_disk(path)?;
    if entry.is_directory() {
        if !files.entry(destination).is_some_and(Entry::is_directory) {
            files.insert(destination.clone(), entry)?;
        }
        files.add_directory(path, Some(destination), KEEPERS)
    } else {
        files.insert(destination.clone(), entry)
    }
}

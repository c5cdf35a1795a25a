//! Packages as inputs: what they say goes on in another format, and what cannot is named.

mod relation;
mod scripts;

use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use fs_err as fs;
use packhouse_package::unpack::{Unpacked, unpack};
use packhouse_package::{FileTree, Format, Inspection, PackagePath};
use packhouse_project::fpm::CommandLine;

use super::draft::Draft;
use super::log::{Failure, Log, Result};
use crate::environment::{Environment, TMPDIR};

/// A directory for what is unpacked; gone when it is dropped.
pub(super) struct Scratch {
    below: PathBuf,
    path: std::cell::OnceCell<PathBuf>,
}

impl Scratch {
    pub(super) fn new(line: &CommandLine, environment: &Environment) -> Scratch {
        let below = line.one("workdir").or(environment.get(TMPDIR)).unwrap_or("/tmp");
        Scratch { below: environment.current_directory.join(below), path: std::cell::OnceCell::new() }
    }

    /// Makes it when it is asked for.
    fn path(&self) -> Result<&Path> {
        if let Some(path) = self.path.get() {
            return Ok(path);
        }
        let mut attempt = 0;
        let made = loop {
            let path = self.below.join(format!("packhouse-fpm-{}-{attempt}", std::process::id()));
            // Others must neither see nor replace what is unpacked.
            match std::fs::DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => break path,
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists && attempt < 100 => {
                    attempt += 1
                }
                Err(error) => {
                    return Err(anyhow::anyhow!(
                        "no directory can be made in {}: {error}",
                        self.below.display()
                    )
                    .into());
                }
            }
        };
        Ok(self.path.get_or_init(|| made))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Some(path) = self.path.get() {
            let _ = fs::remove_dir_all(path);
        }
    }
}

/// Reads the package at `path` into the draft.
pub(super) fn read(
    path: &Path,
    from: &str,
    draft: &mut Draft,
    line: &CommandLine,
    environment: &Environment,
    scratch: &Scratch,
    log: &Log<'_>,
) -> Result<()> {
    let file = environment.current_directory.join(path);
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    if !file.is_file() {
        let message = format!("Cannot package the path '{}', does it exist?", path.display());
        return Err(Failure::Configuration(message));
    }
    let Unpacked { inspection, mut files } = {
        let mut opened = fs::File::open(&file)?;
        let directory = scratch.path()?;
        // Each package's files are numbered from 1.
        let own = directory.join(draft.files.len().to_string());
        fs::create_dir_all(&own)?;
        unpack(&mut opened, &name, &own).map_err(|error| {
            anyhow::Error::from(error).context(format!("`{}` cannot be read", path.display()))
        })?
    };
    if inspection.format.get().name() != from {
        return Err(anyhow::anyhow!(
            "`{}` is a package of type {}, and not {from}; say -s {}",
            path.display(),
            inspection.format,
            inspection.format
        )
        .into());
    }
    if matches!(inspection.format, Format::Tar | Format::Zip) {
        files = placed(files, line)?;
        let stem = name.split('.').next().unwrap_or_default();
        draft.name = Some(stem.to_owned()).filter(|stem| !stem.is_empty());
    } else {
        describe(&inspection, draft, line, log);
        scripts::read(&inspection, draft, log);
        let listed = inspection.files.iter().flatten();
        let config = listed.filter(|file| file.marks.contains(&"config"));
        draft.config_files.extend(config.map(|file| String::from_utf8_lossy(&file.path).into_owned()));
    }
    draft.files.extend(files)?;
    Ok(())
}

/// What an archive holds, from the directory that `-C` names, below the prefix.
fn placed(files: FileTree, line: &CommandLine) -> Result<FileTree> {
    let mut placed = files;
    if let Some(chdir) = line.one("chdir").filter(|chdir| !matches!(*chdir, "." | "./" | "/")) {
        let root = PackagePath::new(chdir)?;
        let mut below = FileTree::new();
        for (path, entry) in placed.iter() {
            let rest = path.as_bytes().strip_prefix(root.as_bytes()).and_then(|rest| rest.strip_prefix(b"/"));
            if let Some(rest) = rest {
                below.insert(PackagePath::new(rest)?, entry.clone())?;
            }
        }
        if below.is_empty() {
            return Err(Failure::Configuration(format!("Cannot chdir to '{chdir}'. Does it exist?")));
        }
        placed = below;
    }
    match line.one("prefix").map(PackagePath::new) {
        Some(Ok(prefix)) => Ok(placed.below(&prefix)?),
        _ => Ok(placed),
    }
}

/// What the package says about itself.
fn describe(inspection: &Inspection, draft: &mut Draft, line: &CommandLine, log: &Log<'_>) {
    draft.name = Some(inspection.name.clone());
    let (epoch, version, iteration) = version(inspection);
    (draft.epoch, draft.version, draft.iteration) = (epoch, Some(version), iteration);
    draft.architecture = inspection.arch.clone();
    let text = |value: &Option<String>, place: &mut String| {
        if let Some(value) = value {
            place.clone_from(value);
        }
    };
    text(&inspection.category, &mut draft.category);
    text(&inspection.license, &mut draft.license);
    text(&inspection.maintainer, &mut draft.maintainer);
    draft.url = inspection.homepage.clone().or(draft.url.take());
    draft.vendor = inspection.vendor.clone().or(draft.vendor.take());
    draft.description = match (inspection.description.is_empty(), inspection.format) {
        (true, _) => inspection.summary.clone(),
        // rpm's description stands for itself.
        (false, Format::Rpm) => inspection.description.clone(),
        (false, _) => format!("{}\n{}", inspection.summary, inspection.description),
    };
    relation::read(inspection, draft, line.is_on("no-auto-depends"));
    if inspection.format == Format::Deb {
        let fields =
            inspection.fields.iter().filter(|(name, _)| !["Priority", "Source"].contains(&name.as_str()));
        let fields: Vec<String> = fields.map(|(name, value)| format!("{name}: {value}")).collect();
        draft.extra.insert("deb-field", fields);
    }
    if !inspection.signatures.is_empty() {
        log.warn("The package's signature covers the package that it is in; the new one is not signed");
    }
}

/// Epoch, version and iteration, taken apart as each format puts them together.
fn version(inspection: &Inspection) -> (Option<String>, String, Option<String>) {
    let whole = inspection.version.as_str();
    let (epoch, rest) = match whole.split_once(':') {
        Some((epoch, rest)) if epoch.bytes().all(|byte| byte.is_ascii_digit()) => {
            (Some(epoch.to_owned()), rest)
        }
        _ => (None, whole),
    };
    let split = match inspection.format {
        // Where fpm takes it apart: at the first.
        Format::Deb => rest.split_once('-'),
        Format::Apk => rest.rsplit_once("-r"),
        _ => rest.rsplit_once('-'),
    };
    match split {
        Some((version, iteration)) => (epoch, version.to_owned(), Some(iteration.to_owned())),
        None => (epoch, rest.to_owned(), None),
    }
}

/// What one format says otherwise than another, before the output has its say.
pub(super) fn translate(draft: &mut Draft, from: &str, to: &str, log: &Log<'_>) {
    relation::translate(draft, from, to, log);
    scripts::translate(draft, from, to, log);
    // apk and pacman have words of their own for some.
    if let Some(arch) = packhouse_package::Arch::parse(&draft.architecture).filter(|_| from != to) {
        draft.architecture = match arch {
            packhouse_package::Arch::Noarch => "all".into(),
            arch => match Format::parse(to) {
                Some(format) if !matches!(format, Format::Tar | Format::Zip) => {
                    format.get().arch(arch).to_owned()
                }
                _ => draft.architecture.clone(),
            },
        };
    }
    if (from, to) == ("deb", "deb") {
        return;
    }
    if let Some(fields) = draft.extra.remove("deb-field").filter(|fields| !fields.is_empty()) {
        let names: Vec<&str> = fields.iter().filter_map(|field| Some(field.split_once(':')?.0)).collect();
        log.warn(format!("Left out, because only a deb has such fields: {}", names.join(", ")));
    }
}

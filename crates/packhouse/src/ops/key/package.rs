//! Packages that hold the keyring, as distributions have: `debian-archive-keyring`, `archlinux-keyring`.
//!
//! A customer who has one gets new keys with the updates that the old key signed, and misses no rotation.
//!
//! | format | where | what reads it |
//! |---|---|---|
//! | deb | `/usr/share/keyrings/` | apt, by `Signed-By:` |
//! | rpm | `/etc/pki/rpm-gpg/` | dnf, yum and zypper, by `gpgkey=file://…` |
//! | pacman | `/usr/share/pacman/keyrings/` | `pacman-key --populate`, which the package runs |

use std::collections::BTreeSet;
use std::io::Cursor;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use fs_err as fs;
use packhouse_package::{
    Arch, Entry, FileTree, Format, Metadata, Moment, Options, Package, PackageName, PackagePath, Relations,
    Resources, Script, Scripts, Setup, Version,
};
use packhouse_project::Plan;

use super::export::files_for;
use super::{ExportFor, ExportOptions, Ring};
use crate::environment::Environment;
use crate::ops::{OnEvent, PlanOptions, UsageError, manifest, plan};

/// A format whose clients take keys from files, and the directory for them.
const PLACES: [(&str, ExportFor, &str); 3] = [
    ("deb", ExportFor::Apt, "usr/share/keyrings"),
    ("rpm", ExportFor::Rpm, "etc/pki/rpm-gpg"),
    ("pacman", ExportFor::Pacman, "usr/share/pacman/keyrings"),
];

/// Writes a package with the keyring into `pkg/` for each format of the targets, and returns their paths.
///
/// The version is the day of the project's commit, so that the next one is newer, and the same commit makes the same bytes.
///
/// # Errors
/// When no target has such a format, or a package cannot be written.
pub fn package_keyring(
    project: Option<PathBuf>,
    environment: &Environment,
    on_event: OnEvent<'_>,
) -> Result<Vec<PathBuf>> {
    let plan = plan(&PlanOptions::whole(project.clone()), environment)?.plan;
    let formats: BTreeSet<&str> = plan.targets.iter().map(|target| target.format.get().name()).collect();
    let ring = Ring { project, named: None };
    let options = ExportOptions { ring, fingerprints: Vec::new(), all: true };
    let directory = manifest::directory(&plan.root);
    let mut paths = Vec::new();
    for (format, who, place) in PLACES.into_iter().filter(|(format, ..)| formats.contains(format)) {
        let files = files_for(who, &options, false, environment, on_event)?;
        let format = Format::parse(format).context("the format is one of the list")?;
        let package = assemble(&plan, who, place, files)?;
        let mut out = Cursor::new(Vec::new());
        format.get().write(&package, Resources { threads: NonZeroUsize::MIN }, &mut out)?;
        fs::create_dir_all(&directory)?;
        let path = directory.join(format.get().file_name(&package.metadata, &package.options)?);
        manifest::write_whole(&path, &out.into_inner())?;
        paths.push(path);
    }
    if paths.is_empty() {
        let help = "packages with a keyring are made for deb, rpm and pacman";
        return Err(UsageError::new("no target takes its keys from a package", help).into());
    }
    Ok(paths)
}

fn assemble(plan: &Plan, who: ExportFor, place: &str, files: Vec<(String, Vec<u8>)>) -> Result<Package> {
    let mut tree = FileTree::new();
    for (name, bytes) in files {
        tree.insert(PackagePath::new(format!("{place}/{name}"))?, Entry::bytes(bytes, 0o644))?;
    }
    let mut scripts = Scripts::new();
    if who == ExportFor::Pacman {
        // As archlinux-keyring does: where there is no keyring yet, `pacman-key --init` comes first and is root's to do.
        let text =
            format!("pacman-key --list-keys >/dev/null 2>&1 && pacman-key --populate {} || :\n", plan.name);
        for moment in [Moment::AfterInstall, Moment::AfterUpgrade] {
            scripts.insert(moment, Script::shell(text.clone()));
        }
    }
    let maintainer = plan.targets.first().map(|target| target.spec.metadata.maintainer.clone());
    let first = plan.targets.first().map(|target| &target.spec.metadata);
    Ok(Package {
        metadata: Metadata {
            name: PackageName::new(&format!("{}-keyring", plan.name))?,
            version: Version::new(plan.time.strftime("%Y.%m.%d")?),
            arch: Arch::Noarch,
            summary: format!("The keys that sign packages of {}", plan.name),
            description: String::new(),
            homepage: plan.homepage.clone(),
            vendor: first.and_then(|metadata| metadata.vendor.clone()),
            maintainer: maintainer.unwrap_or_default(),
            license: first.and_then(|metadata| metadata.license.clone()),
            category: None,
            relations: Relations::default(),
            changelog: Vec::new(),
        },
        files: tree,
        scripts,
        setup: Setup::default(),
        timestamp: plan.time,
        options: Options::default(),
    })
}

//! The rules of the house that are not the compiler's: who may depend on whom, how long a file may be, how
//! nothing is called. ARCHITECTURE.md gives the reasons.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use fs_err as fs;
use serde_json::Value;

use crate::{root, say};

/// Which crates of the workspace a crate may use (ARCHITECTURE.md, "Who may depend on whom").
const MAY_USE: &[(&str, &[&str])] = &[
    ("packhouse-sign", &[]),
    ("packhouse-md5", &[]),
    ("packhouse-package", &["packhouse-md5"]),
    ("packhouse-build", &[]),
    ("packhouse-project", &["packhouse-build", "packhouse-package"]),
    ("packhouse-publish", &["packhouse-md5"]),
    ("packhouse-site", &["packhouse-publish"]),
    (
        "packhouse",
        &[
            "packhouse-build",
            "packhouse-package",
            "packhouse-project",
            "packhouse-publish",
            "packhouse-sign",
            "packhouse-site",
        ],
    ),
    ("packhouse-clients", &[]),
    ("xtask", &["packhouse-clients"]),
];

/// Used by tests only.
const FOR_TESTS: &str = "packhouse-clients";

/// External crates that only some crates may use: they bring a network, processes or a terminal with them.
const ONLY_IN: &[(&str, &[&str])] = &[
    ("tokio", &["packhouse-build", "packhouse-publish", "packhouse"]),
    ("clap", &["packhouse"]),
    ("indicatif", &["packhouse"]),
    ("pgp", &["packhouse-sign"]),
    ("miette", &["packhouse-project", "packhouse"]),
    ("object_store", &["packhouse-publish"]),
    ("reqwest", &["packhouse-publish"]),
    ("rustls", &["packhouse-publish"]),
];

/// Beyond this nobody reads a file in one go.
const LONGEST_FILE: usize = 800;

/// Names that say nothing (docs/contributing/names.md).
const FORBIDDEN_NAMES: &[&str] =
    &["core", "common", "utils", "util", "helpers", "misc", "manager", "handler", "data"];

pub(crate) fn run() -> Result<()> {
    let mut complaints = dependencies()?;
    for file in source_files(root())? {
        complaints.extend(about_file(&file)?);
    }
    for complaint in &complaints {
        say(&format!("tidy: {complaint}"));
    }
    match complaints.len() {
        0 => {
            say("tidy: the house is in order");
            Ok(())
        }
        count => bail!("{count} things are not as ARCHITECTURE.md says"),
    }
}

fn dependencies() -> Result<Vec<String>> {
    let output = Command::new("cargo")
        .args(["metadata", "--format-version", "1", "--no-deps", "--locked"])
        .current_dir(root())
        .output()
        .context("cargo metadata cannot be run")?;
    let metadata: Value = serde_json::from_slice(&output.stdout).context("cargo metadata prints JSON")?;
    let packages = metadata["packages"].as_array().context("cargo metadata lists packages")?;
    let mut complaints = Vec::new();
    for package in packages {
        let name = package["name"].as_str().unwrap_or_default();
        let Some((_, allowed)) = MAY_USE.iter().find(|(known, _)| *known == name) else {
            complaints
                .push(format!("{name} has no row in xtask's table of dependencies and in ARCHITECTURE.md"));
            continue;
        };
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let used = dependency["name"].as_str().unwrap_or_default();
            let is_for_tests = dependency["kind"].as_str() == Some("dev");
            let is_ours = MAY_USE.iter().any(|(known, _)| *known == used);
            if is_ours && !allowed.contains(&used) && !(is_for_tests && used == FOR_TESTS) {
                complaints.push(format!("{name} must not depend on {used}"));
            }
            let restricted = ONLY_IN.iter().find(|(restricted, _)| *restricted == used);
            if let Some((_, users)) = restricted
                && !is_for_tests
                && !users.contains(&name)
            {
                complaints.push(format!("{name} must not depend on {used}; only {} may", users.join(", ")));
            }
        }
    }
    for (name, _) in MAY_USE {
        if !packages.iter().any(|package| package["name"] == *name) {
            complaints.push(format!("{name} is in the table of dependencies and not in the workspace"));
        }
    }
    Ok(complaints)
}

fn source_files(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for item in fs::read_dir(directory)? {
        let path = item?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() && !["target", "pkg"].contains(&name.as_str()) && !name.starts_with('.') {
            files.extend(source_files(&path)?);
        } else if name.ends_with(".rs") {
            files.push(path);
        }
    }
    Ok(files)
}

fn about_file(path: &Path) -> Result<Vec<String>> {
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let shown = path.strip_prefix(root()).unwrap_or(path).display().to_string();
    let mut complaints = Vec::new();
    let lines = text.lines().count();
    if lines > LONGEST_FILE {
        complaints.push(format!("{shown} has {lines} lines; {LONGEST_FILE} are the most: split it by idea"));
    }
    if !text.starts_with("//!") && !text.starts_with("#!") {
        complaints.push(format!("{shown} does not open with what it is (`//!`)"));
    }
    let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let folder = path.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy().into_owned();
    for name in [stem, folder] {
        if FORBIDDEN_NAMES.contains(&name.as_str()) {
            complaints.push(format!("{shown}: `{name}` names nothing; say what is in it"));
        }
    }
    Ok(complaints)
}

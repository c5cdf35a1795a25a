//! Configuration files outside `/etc` (apk-protected_paths(5)).
//!
//! apk keeps a customer's changes of files below directories that it is told to protect, and lays the new file beside
//! as `NAME.apk-new`; removal keeps a changed file. `/etc` is protected from the start; other directories are named in
//! `/etc/apk/protected_paths.d/*.list`, of which the package brings its own. apk reads these when it starts, so that
//! the first upgrade finds it in force.
//!
//! apk decides by directory, not by file (`apk_db_dir_get` in apk-tools' `src/database.c`): a program beside a
//! configuration file is kept as well by an upgrade, if somebody changed it. Directories below that hold no
//! configuration are taken out again.

use std::collections::{BTreeMap, BTreeSet};

use crate::{Entry, Error, FileTree, Package, PackagePath, Result};

/// The list of the directories that need protection, unless there is none or the project packages it itself.
///
/// # Errors
/// When apk cannot protect such a directory.
pub(super) fn missing(package: &Package) -> Result<FileTree> {
    let mut protected = BTreeSet::new();
    let mut plain = BTreeSet::new();
    for (path, entry) in package.files.iter().filter(|(_, entry)| entry.is_file()) {
        let is_config = entry.is_config(path);
        if path.is_within("/etc") {
            continue;
        }
        match path.parent() {
            Some(directory) if is_config => {
                check(&directory, path)?;
                protected.insert(directory);
            }
            Some(directory) => {
                plain.insert(directory);
            }
            None if is_config => {
                let reason =
                    "apk protects directories, not files of the root; put the configuration below /etc";
                return Err(Error::FileName { path: path.clone(), format: "apk", reason });
            }
            None => {}
        }
    }
    let mut rules: BTreeMap<&PackagePath, char> =
        protected.iter().map(|directory| (directory, '+')).collect();
    for directory in plain.difference(&protected) {
        let mut above = directory.parent();
        while let Some(directory_above) = above {
            if protected.contains(&directory_above) {
                check(directory, directory)?;
                rules.insert(directory, '-');
                break;
            }
            above = directory_above.parent();
        }
    }
    let mut tree = FileTree::new();
    let list = format!("etc/apk/protected_paths.d/{}.list", package.metadata.name);
    let list = PackagePath::new(list).expect("a package's name has no character that a path cannot have");
    if !rules.is_empty() && package.files.entry(&list).is_none() {
        let lines = rules.iter().map(|(directory, sign)| format!("{sign}{}\n", &directory.to_string()[1..]));
        tree.insert(list, Entry::bytes(lines.collect::<String>().into_bytes(), 0o644))?;
    }
    Ok(tree)
}

/// The list is made of lines, and its names are patterns (fnmatch(3)).
fn check(directory: &PackagePath, path: &PackagePath) -> Result<()> {
    let is_plain = |byte: &u8| byte.is_ascii_graphic() && !b"*?[]\\".contains(byte);
    if directory.as_bytes().iter().all(is_plain) {
        return Ok(());
    }
    let reason =
        "apk's list of protected directories takes their names as patterns; use letters, digits and `-_.`";
    Err(Error::FileName { path: path.clone(), format: "apk", reason })
}

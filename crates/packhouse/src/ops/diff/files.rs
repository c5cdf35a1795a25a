//! Which files came, went and changed.

use std::collections::{BTreeMap, BTreeSet};

use packhouse_package::Inspection;
use packhouse_package::inspect::{InspectedFile, InspectedKind};

use super::Change;

/// A file that both packages have.
#[derive(Debug)]
pub struct ChangedFile {
    /// Its absolute path.
    pub path: Vec<u8>,
    /// What differs, by name: `type`, `content`, `size`, `mode`, `user`, `group`, `marks`, `capabilities`, …
    pub changes: BTreeMap<&'static str, Change>,
}

/// Files added, removed and changed.
pub(super) fn compare(
    before: &Inspection,
    after: &Inspection,
    is_across_formats: bool,
) -> (Vec<InspectedFile>, Vec<InspectedFile>, Vec<ChangedFile>) {
    let (before, after) = (by_path(before), by_path(after));
    // Which directories a package lists is a custom of its format: an rpm leaves out the distribution's.
    let is_counted = |file: &InspectedFile| !is_across_formats || file.kind != InspectedKind::Directory;
    let only = |here: &BTreeMap<&[u8], InspectedFile>, there: &BTreeMap<&[u8], InspectedFile>| {
        let missing = here.iter().filter(|(path, file)| !there.contains_key(*path) && is_counted(file));
        missing.map(|(_, file)| file.clone()).collect()
    };
    let changed = before
        .iter()
        .filter_map(|(path, file)| {
            let changes = changes(file, after.get(path)?, is_across_formats);
            (!changes.is_empty()).then(|| ChangedFile { path: path.to_vec(), changes })
        })
        .collect();
    (only(&after, &before), only(&before, &after), changed)
}

/// The files, a hard link with what the file has that it is another name of.
fn by_path(inspection: &Inspection) -> BTreeMap<&[u8], InspectedFile> {
    let files = inspection.files.as_deref().unwrap_or_default();
    let targets: BTreeMap<&[u8], &InspectedFile> = files.iter().map(|file| (&*file.path, file)).collect();
    files
        .iter()
        .map(|file| {
            let mut file = (*file).clone();
            if let InspectedKind::HardLink(target) = &file.kind
                && let Some(target) = targets.get(target.as_slice())
            {
                file.size = target.size;
                file.digest.clone_from(&target.digest);
            }
            file
        })
        .map(|file| (targets[file.path.as_slice()].path.as_slice(), file))
        .collect()
}

fn changes(
    before: &InspectedFile,
    after: &InspectedFile,
    is_across_formats: bool,
) -> BTreeMap<&'static str, Change> {
    let mut changes = BTreeMap::new();
    let mut compare = |name, before: Option<String>, after: Option<String>| {
        if before != after {
            changes.insert(name, Change { before, after });
        }
    };
    compare("type", Some(kind(before, is_across_formats)), Some(kind(after, is_across_formats)));
    compare("target", target(before), target(after));
    if !is_across_formats {
        compare("link", link(before), link(after));
    }
    let is_comparable = |digest: &Option<String>| digest.as_ref().is_some_and(|digest| !digest.contains(':'));
    if !is_across_formats || (is_comparable(&before.digest) && is_comparable(&after.digest)) {
        compare("content", before.digest.clone(), after.digest.clone());
    }
    compare("size", Some(before.size.to_string()), Some(after.size.to_string()));
    // What a symbolic link's mode is, nobody looks at; formats differ in it.
    if !matches!(before.kind, InspectedKind::Symlink(_)) {
        compare("mode", Some(format!("{:04o}", before.mode)), Some(format!("{:04o}", after.mode)));
    }
    compare("user", Some(before.user.clone()), Some(after.user.clone()));
    compare("group", Some(before.group.clone()), Some(after.group.clone()));
    let marks = |file: &InspectedFile| {
        // The only mark that every format has.
        let marks = file.marks.iter().filter(|mark| !is_across_formats || **mark == "config");
        let marks: BTreeSet<&str> = marks.copied().collect();
        Some(marks.into_iter().collect::<Vec<_>>().join(", ")).filter(|marks| !marks.is_empty())
    };
    compare("marks", marks(before), marks(after));
    let capabilities = |file: &InspectedFile| file.capabilities.map(|it| it.to_string());
    compare("capabilities", capabilities(before), capabilities(after));
    changes
}

fn kind(file: &InspectedFile, is_across_formats: bool) -> String {
    match &file.kind {
        InspectedKind::File => "file",
        InspectedKind::HardLink(_) if is_across_formats => "file",
        InspectedKind::HardLink(_) => "hard link",
        InspectedKind::Directory => "directory",
        InspectedKind::Symlink(_) => "symbolic link",
        InspectedKind::Special(what) => what,
    }
    .to_owned()
}

fn target(file: &InspectedFile) -> Option<String> {
    match &file.kind {
        InspectedKind::Symlink(target) => Some(String::from_utf8_lossy(target).into_owned()),
        _ => None,
    }
}

fn link(file: &InspectedFile) -> Option<String> {
    match &file.kind {
        InspectedKind::HardLink(target) => Some(String::from_utf8_lossy(target).into_owned()),
        _ => None,
    }
}

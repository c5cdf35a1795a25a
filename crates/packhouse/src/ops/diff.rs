//! Compares two packages: what they say, what they run, what they hold.
//!
//! Across formats only what both can say is compared, in one spelling (`spelling`): names, versions and
//! architectures as Packhouse itself would write them, relations in the neutral form, files by what is installed.
//! Scripts are not: each format calls its own, at other moments and with other arguments.
//!
//! Times of files are never compared: they are those of the build, and every file would differ.

mod files;
mod spelling;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::Result;
use packhouse_package::inspect::{InspectedFile, InspectedScript};
use packhouse_package::{Depth, Inspection};
use similar::TextDiff;

use super::inspect::{Inspected, inspect};

pub use files::ChangedFile;

/// What differs between two packages.
#[derive(Debug)]
pub struct Difference {
    /// The first.
    pub before: PathBuf,
    /// The second.
    pub after: PathBuf,
    /// They are of different formats.
    pub is_across_formats: bool,
    /// Values that differ, by name.
    pub fields: BTreeMap<String, Change>,
    /// Relations by their list.
    pub relations: BTreeMap<String, Lists>,
    /// Scripts by name.
    pub scripts: BTreeMap<String, ScriptChange>,
    /// Only in the second.
    pub added: Vec<InspectedFile>,
    /// Only in the first.
    pub removed: Vec<InspectedFile>,
    /// In both, and different.
    pub changed: Vec<ChangedFile>,
}

/// A value before and after; `None` when there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// In the first package.
    pub before: Option<String>,
    /// In the second.
    pub after: Option<String>,
}

/// What a list has more and less.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lists {
    /// Only in the first.
    pub removed: Vec<String>,
    /// Only in the second.
    pub added: Vec<String>,
}

/// What became of a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScriptChange {
    /// It is only in the second package.
    Added,
    /// It is only in the first.
    Removed,
    /// Both have it: their difference as `diff -u` shows it, or a sentence when they are too long for that.
    Changed(String),
}

impl Difference {
    /// Whether nothing differs.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
            && self.relations.is_empty()
            && self.scripts.is_empty()
            && self.added.is_empty()
            && self.removed.is_empty()
            && self.changed.is_empty()
    }
}

/// Compares two packages.
///
/// # Errors
/// When one of them cannot be read; see [`inspect`].
pub fn diff(before: &Path, after: &Path) -> Result<Difference> {
    let (before, after) = (inspect(before, Depth::Contents)?, inspect(after, Depth::Contents)?);
    let is_across_formats = before.inspection.format != after.inspection.format;
    let (first, second) = (&before.inspection, &after.inspection);
    let (added, removed, changed) = files::compare(first, second, is_across_formats);
    Ok(Difference {
        is_across_formats,
        fields: fields(&before, &after, is_across_formats),
        relations: relations(first, second, is_across_formats),
        scripts: if is_across_formats { BTreeMap::new() } else { scripts(&first.scripts, &second.scripts) },
        added,
        removed,
        changed,
        before: before.file,
        after: after.file,
    })
}

fn fields(before: &Inspected, after: &Inspected, is_across_formats: bool) -> BTreeMap<String, Change> {
    let values = |inspected: &Inspected| {
        if is_across_formats { spelling::fields(&inspected.inspection) } else { own_fields(inspected) }
    };
    let (before, after) = (values(before), values(after));
    // A tar archive has no name and a deb no time: what one format cannot say is no difference.
    let is_compared =
        |name: &String| !is_across_formats || (before.contains_key(name) && after.contains_key(name));
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    names
        .into_iter()
        .filter(|name| is_compared(name) && before.get(*name) != after.get(*name))
        .map(|name| {
            let change = Change { before: before.get(name).cloned(), after: after.get(name).cloned() };
            (name.clone(), change)
        })
        .collect()
}

/// Everything that a package says in a word or text, in its format's own spelling.
fn own_fields(inspected: &Inspected) -> BTreeMap<String, String> {
    let it = &inspected.inspection;
    let signatures: Vec<String> = it
        .signatures
        .iter()
        .map(|signature| format!("{} by {} over {}", signature.algorithm, signature.key, signature.covers))
        .collect();
    let values = [
        ("format-version", Some(it.format_version.clone())),
        ("name", Some(it.name.clone())),
        ("version", Some(it.version.clone())),
        ("arch", Some(it.arch.clone())),
        ("summary", Some(it.summary.clone())),
        ("description", Some(it.description.clone())),
        ("homepage", it.homepage.clone()),
        ("vendor", it.vendor.clone()),
        ("maintainer", it.maintainer.clone()),
        ("license", it.license.clone()),
        ("category", it.category.clone()),
        ("built", it.built.map(|time| time.to_string())),
        ("size", Some(inspected.size.to_string())),
        ("installed-size", it.installed_size.map(|size| size.to_string())),
        ("compression", Some(it.compression.clone())),
        ("signatures", Some(signatures.join("\n"))),
    ];
    let own = it.fields.iter().map(|(name, value)| (name.clone(), value.clone()));
    values
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value.filter(|value| !value.is_empty())?)))
        .chain(own)
        .collect()
}

fn relations(before: &Inspection, after: &Inspection, is_across_formats: bool) -> BTreeMap<String, Lists> {
    let lists = |inspection: &Inspection| {
        if is_across_formats {
            return spelling::relations(inspection);
        }
        let lists = inspection.relations.iter();
        lists.map(|(name, list)| ((*name).to_owned(), list.iter().cloned().collect())).collect()
    };
    let (before, after): (BTreeMap<String, BTreeSet<String>>, BTreeMap<String, BTreeSet<String>>) =
        (lists(before), lists(after));
    let none = BTreeSet::new();
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    names
        .into_iter()
        .filter_map(|name| {
            let (before, after) = (before.get(name).unwrap_or(&none), after.get(name).unwrap_or(&none));
            let removed: Vec<String> = before.difference(after).cloned().collect();
            let added: Vec<String> = after.difference(before).cloned().collect();
            let differs = !removed.is_empty() || !added.is_empty();
            differs.then(|| (name.clone(), Lists { removed, added }))
        })
        .collect()
}

fn scripts(
    before: &BTreeMap<String, InspectedScript>,
    after: &BTreeMap<String, InspectedScript>,
) -> BTreeMap<String, ScriptChange> {
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    names
        .into_iter()
        .filter_map(|name| {
            let change = match (before.get(name), after.get(name)) {
                (None, _) => ScriptChange::Added,
                (_, None) => ScriptChange::Removed,
                (Some(before), Some(after)) if before == after => return None,
                (Some(before), Some(after)) => ScriptChange::Changed(unified(&whole(before), &whole(after))),
            };
            Some((name.clone(), change))
        })
        .collect()
}

/// A script with the line that says what runs it.
fn whole(script: &InspectedScript) -> String {
    match script.interpreter.as_str() {
        "" => script.text.clone(),
        interpreter => format!("#!{interpreter}\n{}", script.text),
    }
}

/// The difference of longer texts takes too long, when they are made for that.
const MOST_LINES: usize = 5_000;
const LONGEST: usize = 1 << 20;

/// As `diff -u` shows it.
fn unified(before: &str, after: &str) -> String {
    let is_long = |text: &str| text.len() > LONGEST || text.lines().count() > MOST_LINES;
    if is_long(before) || is_long(after) {
        return format!("(too long to compare: {} and {} bytes)\n", before.len(), after.len());
    }
    TextDiff::from_lines(before, after).unified_diff().missing_newline_hint(false).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_differ_as_in_diff_u() {
        let script = |text: &str| InspectedScript { interpreter: "/bin/sh".into(), text: text.into() };
        let before = BTreeMap::from([("post".to_owned(), script("a\nb\n")), ("pre".into(), script("x\n"))]);
        let after = BTreeMap::from([("post".to_owned(), script("a\nc\n")), ("preun".into(), script("y\n"))]);
        let changes = scripts(&before, &after);
        assert_eq!(changes["pre"], ScriptChange::Removed);
        assert_eq!(changes["preun"], ScriptChange::Added);
        let text = "@@ -1,3 +1,3 @@\n #!/bin/sh\n a\n-b\n+c\n";
        assert_eq!(changes["post"], ScriptChange::Changed(text.into()));
    }

    #[test]
    fn texts_made_to_be_slow_are_not_compared() {
        let long = "x\n".repeat(MOST_LINES + 1);
        assert!(unified(&long, "y\n").starts_with("(too long"));
    }
}

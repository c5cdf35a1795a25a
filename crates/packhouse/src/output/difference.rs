//! How two packages differ, for people and for programs.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::{escape, inspection, size};
use crate::ops::{Change, Difference, ScriptChange};

const WIDTH: usize = 15;

/// As `diff -u` is read: `-` is before, `+` is after.
pub fn text(difference: &Difference) -> String {
    let mut text = String::new();
    for (sign, file) in [("---", &difference.before), ("+++", &difference.after)] {
        let _ = writeln!(text, "{sign} {}", escape::line(&file.to_string_lossy()));
    }
    for (name, change) in &difference.fields {
        let name = escape::line(name);
        let is_size = matches!(name.as_str(), "size" | "installed-size");
        let is_short =
            |value: &Option<String>| value.as_ref().is_none_or(|it| it.len() < 40 && !it.contains('\n'));
        if is_short(&change.before) && is_short(&change.after) {
            let _ = writeln!(text, "{name:WIDTH$} {}", arrow(change, is_size));
        } else {
            let _ = writeln!(text, "{name}");
            for (sign, value) in [("-", &change.before), ("+", &change.after)] {
                text.push_str(&escape::lines(value.as_deref().unwrap_or_default(), &format!("  {sign} ")));
            }
        }
    }
    for (list, lists) in &difference.relations {
        let mut name = escape::line(list);
        for (sign, relations) in [("-", &lists.removed), ("+", &lists.added)] {
            for relation in relations {
                let _ = writeln!(text, "{name:WIDTH$} {sign} {}", escape::line(relation));
                name.clear();
            }
        }
    }
    for (name, change) in &difference.scripts {
        let name = escape::line(name);
        match change {
            ScriptChange::Added => {
                let _ = writeln!(text, "\n+ script {name}");
            }
            ScriptChange::Removed => {
                let _ = writeln!(text, "\n- script {name}");
            }
            ScriptChange::Changed(unified) => {
                let _ = writeln!(text, "\nscript {name}");
                text.push_str(&escape::lines(unified, "  "));
            }
        }
    }
    if !(difference.added.is_empty() && difference.removed.is_empty() && difference.changed.is_empty()) {
        text.push_str("\nfiles\n");
    }
    for (sign, files) in [("-", &difference.removed), ("+", &difference.added)] {
        for file in files {
            let _ = writeln!(text, "  {sign} {}  {}", escape::path(&file.path), size(file.size));
        }
    }
    for file in &difference.changed {
        let _ = writeln!(text, "  ~ {}  {}", escape::path(&file.path), changes(&file.changes));
    }
    text
}

/// `content, size 10 B → 12 B, mode 0644 → 0755`
fn changes(changes: &BTreeMap<&'static str, Change>) -> String {
    let changes: Vec<String> = changes
        .iter()
        .map(|(name, change)| match *name {
            "content" => "content".to_owned(),
            name => format!("{name} {}", arrow(change, name == "size")),
        })
        .collect();
    changes.join(", ")
}

fn arrow(change: &Change, is_size: bool) -> String {
    let shown = |value: &Option<String>| match value {
        None => "none".to_owned(),
        Some(bytes) if is_size => bytes.parse().map(size).unwrap_or_else(|_| escape::line(bytes)),
        Some(value) => escape::line(value),
    };
    // Two sizes that round to the same are told apart by their bytes.
    let (before, after) = (shown(&change.before), shown(&change.after));
    if before == after
        && let (Some(before), Some(after)) = (&change.before, &change.after)
    {
        return format!("{} → {} bytes", escape::line(before), escape::line(after));
    }
    format!("{before} → {after}")
}

/// The same for `--json`.
pub fn document(difference: &Difference) -> Value {
    let change = |change: &Change| json!({ "before": change.before, "after": change.after });
    let fields: Map<String, Value> =
        difference.fields.iter().map(|(name, it)| (name.clone(), change(it))).collect();
    let relations: Map<String, Value> = difference
        .relations
        .iter()
        .map(|(list, it)| (list.clone(), json!({ "removed": it.removed, "added": it.added })))
        .collect();
    let scripts: Map<String, Value> = difference
        .scripts
        .iter()
        .map(|(name, it)| {
            let document = match it {
                ScriptChange::Added => json!({ "change": "added" }),
                ScriptChange::Removed => json!({ "change": "removed" }),
                ScriptChange::Changed(diff) => json!({ "change": "changed", "diff": diff }),
            };
            (name.clone(), document)
        })
        .collect();
    let changed: Vec<Value> = difference
        .changed
        .iter()
        .map(|file| {
            let changes: Map<String, Value> =
                file.changes.iter().map(|(name, it)| ((*name).to_owned(), change(it))).collect();
            json!({ "path": String::from_utf8_lossy(&file.path), "changes": changes })
        })
        .collect();
    json!({
        "equal": difference.is_empty(),
        "before": difference.before,
        "after": difference.after,
        "fields": fields,
        "relations": relations,
        "scripts": scripts,
        "files": {
            "added": difference.added.iter().map(inspection::file).collect::<Vec<_>>(),
            "removed": difference.removed.iter().map(inspection::file).collect::<Vec<_>>(),
            "changed": changed,
        },
    })
}

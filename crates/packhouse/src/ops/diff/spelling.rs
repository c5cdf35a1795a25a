//! One spelling for what formats spell differently.

use std::collections::{BTreeMap, BTreeSet};

use packhouse_package::{Arch, Inspection};

/// What every format says, spelled alike.
pub(super) fn fields(inspection: &Inspection) -> BTreeMap<String, String> {
    let fields = [
        // A deb's name has no capitals and no `_` (Policy 5.6.7).
        ("name", Some(inspection.name.to_ascii_lowercase().replace('_', "-"))),
        ("version", Some(version(inspection))),
        ("arch", Some(arch(&inspection.arch))),
        ("summary", Some(inspection.summary.clone())),
        ("homepage", inspection.homepage.clone()),
        ("license", inspection.license.clone()),
        ("maintainer", inspection.maintainer.clone()),
    ];
    let fields = fields.into_iter();
    fields
        .filter_map(|(name, value)| Some((name.to_owned(), value.filter(|value| !value.is_empty())?)))
        .collect()
}

fn arch(spelled: &str) -> String {
    Arch::parse(spelled).map_or_else(|| spelled.to_owned(), |arch| arch.uname().to_owned())
}

/// Without the release that a format adds when the project gives none, and with `-` where formats that end a
/// version with `-RELEASE` need `_`.
fn version(inspection: &Inspection) -> String {
    inspection.format.get().without_release(&inspection.version).replace('_', "-")
}

/// Lists in the neutral form, without what a format or its tools add by themselves.
pub(super) fn relations(inspection: &Inspection) -> BTreeMap<String, BTreeSet<String>> {
    let mut relations: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (list, entries) in &inspection.relations {
        let list = match *list {
            "pre-depends" => "depends",
            // deb needs both to take over from another package.
            "breaks" => continue,
            list => list,
        };
        let neutral = entries.iter().filter(|entry| !is_added(inspection, list, entry)).map(|it| neutral(it));
        relations.entry(list.to_owned()).or_default().extend(neutral);
    }
    relations
}

/// What a format says of itself and its scripts, and every package of itself.
fn is_added(inspection: &Inspection, list: &str, relation: &str) -> bool {
    let name = relation.split([' ', '=', '<', '>', '(']).next().unwrap_or_default();
    inspection.format.get().is_implied(relation) || (list == "provides" && name == inspection.name)
}

/// `name`, or `name operator version` with one blank between them; anything else as it is.
fn neutral(relation: &str) -> String {
    // rpm's purposes: `shadow-utils (pre)`; deb's versions: `libc6 (>= 2.31)`.
    let is_one = !relation.starts_with('(') && !relation.contains('|');
    let text = match relation.strip_suffix(')').and_then(|rest| rest.split_once(" (")) {
        Some((name, version)) if is_one && version.starts_with(['<', '>', '=']) => {
            format!("{name} {version}")
        }
        Some((name, _)) if is_one => name.to_owned(),
        _ => relation.to_owned(),
    };
    let is_sign = |c: char| matches!(c, '<' | '>' | '=' | '~' | '!');
    let is_simple = !text.contains(['(', ')', '|', ',']);
    let (Some(start), true) = (text.find(is_sign), is_simple) else { return text };
    let end = text[start..].find(|c| !is_sign(c)).map_or(text.len(), |length| start + length);
    let operator = match &text[start..end] {
        "<<" => "<",
        ">>" => ">",
        operator => operator,
    };
    format!("{} {operator} {}", text[..start].trim(), text[end..].trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relation_is_the_same_in_every_format() {
        for spelled in ["libfoo (>= 2)", "libfoo >= 2", "libfoo>=2", "libfoo >= 2 (pre, post)"] {
            assert_eq!(neutral(spelled), "libfoo >= 2", "{spelled}");
        }
        assert_eq!(neutral("libfoo (<< 2)"), "libfoo < 2");
        assert_eq!(neutral("libfoo"), "libfoo");
        for kept in ["(a or b)", "a | b", "a (>= 1) | b (>= 2)"] {
            assert_eq!(neutral(kept), kept);
        }
    }

    #[test]
    fn architectures_have_one_name() {
        assert_eq!(arch("amd64"), arch("x86_64"));
        assert_eq!(arch("all"), arch("any"));
        assert_eq!(arch("vax"), "vax");
    }
}

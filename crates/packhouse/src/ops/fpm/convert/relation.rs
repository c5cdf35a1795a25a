//! Relations of one format in the words of another.

use packhouse_package::{Format, Inspection};

use super::super::draft::Draft;
use super::super::log::Log;

/// Takes over every list, each relation as `name op version` where it is that simple.
pub(super) fn read(inspection: &Inspection, draft: &mut Draft, without_depends: bool) {
    let list = |name: &str| -> Vec<String> {
        let found = inspection.relations.get(name).into_iter().flatten();
        found.filter_map(|relation| neutral(relation, inspection.format)).collect()
    };
    let relations = &mut draft.relations;
    if !without_depends {
        relations.depends.extend(list("depends"));
        relations.pre_depends.extend(list("pre-depends"));
    }
    relations.recommends.extend(list("recommends"));
    relations.suggests.extend(list("suggests"));
    relations.enhances.extend(list("enhances"));
    relations.provides.extend(list("provides"));
    relations.conflicts.extend(list("conflicts"));
    relations.conflicts.extend(list("breaks"));
    relations.replaces.extend(list("replaces"));
    if inspection.format == Format::Pacman {
        draft.extra.insert("pacman-optional-depends", list("optional-depends"));
    }
    for relations in [
        &mut draft.relations.depends,
        &mut draft.relations.provides,
        &mut draft.relations.conflicts,
        &mut draft.relations.recommends,
    ] {
        let mut seen = std::collections::BTreeSet::new();
        relations.retain(|relation| seen.insert(relation.clone()));
    }
}

/// `None` for what the format's tools add anew to every package.
fn neutral(relation: &str, format: Format) -> Option<String> {
    match format {
        Format::Deb if relation.contains('|') => Some(relation.to_owned()),
        Format::Deb => {
            let Some((name, rest)) = relation.split_once(" (") else { return Some(relation.to_owned()) };
            let (operator, version) = rest.trim_end_matches(')').split_once(' ')?;
            let operator = match operator {
                "<<" => "<",
                ">>" => ">",
                other => other,
            };
            Some(format!("{name} {operator} {version}"))
        }
        Format::Rpm => {
            // When it must hold is said behind it: `(post, interp)`.
            let (bare, when) = match relation.rsplit_once(" (") {
                Some((bare, when)) if !relation.starts_with('(') => (bare, when),
                _ => (relation, ""),
            };
            let is_own =
                when.contains("interp") || bare.starts_with("rpmlib(") || bare.starts_with("config(");
            (!is_own).then(|| bare.to_owned())
        }
        _ => {
            let end = relation.find(['<', '>', '=', '~']).unwrap_or(relation.len());
            let (name, rest) = relation.split_at(end);
            let name = name.trim();
            let version = rest.trim_start_matches(['<', '>', '=', '~']);
            let operator = &rest[..rest.len() - version.len()];
            Some(match operator {
                "" => name.to_owned(),
                operator => format!("{name} {operator} {}", version.trim()),
            })
        }
    }
}

/// Says what the output's format cannot.
pub(super) fn translate(draft: &mut Draft, from: &str, to: &str, log: &Log<'_>) {
    if from == to {
        return;
    }
    let mut lost: Vec<String> = Vec::new();
    let relations = &mut draft.relations;
    if to != "deb" {
        let pre_depends = std::mem::take(&mut relations.pre_depends);
        relations.depends.extend(pre_depends);
    }
    // The package itself in rpm's words; the other formats know it by its name.
    let name = draft.name.clone().unwrap_or_default();
    relations.provides.retain(|provides| provides.split([' ', '(']).next() != Some(&name));
    let lists = [
        &mut relations.depends,
        &mut relations.recommends,
        &mut relations.suggests,
        &mut relations.enhances,
        &mut relations.provides,
        &mut relations.conflicts,
        &mut relations.replaces,
    ];
    for list in lists {
        let all = std::mem::take(list);
        for relation in all {
            match spelled(&relation, to) {
                Some(spelled) => list.push(spelled),
                None => lost.push(relation),
            }
        }
    }
    if !matches!(to, "deb" | "rpm") {
        let weak = relations.recommends.drain(..).chain(relations.suggests.drain(..));
        match to {
            "pacman" => draft.extra.entry("pacman-optional-depends").or_default().extend(weak),
            _ => lost.extend(weak),
        }
        lost.append(&mut relations.enhances);
    }
    if from == "pacman" && to != "pacman" {
        let optional = draft.extra.remove("pacman-optional-depends").unwrap_or_default();
        let names = optional.iter().map(|it| it.split(':').next().unwrap_or_default().trim().to_owned());
        match to {
            "deb" | "rpm" => relations.suggests.extend(names),
            _ => lost.extend(names),
        }
    }
    if !lost.is_empty() {
        log.warn(format!(
            "Left out, because {to} cannot say it or names it differently: {}",
            lost.join(", ")
        ));
    }
}

/// A relation as the output takes it; `None` when only the input's format knows such names.
fn spelled(relation: &str, to: &str) -> Option<String> {
    let plain = |name: &str| !name.is_empty() && !name.contains(['(', ')', '/', ':', ',', '!', '*']);
    if relation.contains('|') {
        return match to {
            "deb" => Some(relation.to_owned()),
            "rpm" => {
                let each: Vec<String> = relation
                    .split('|')
                    .map(|part| part.replace("(", "").replace(")", "").replace("<<", "<").replace(">>", ">"))
                    .map(|part| part.split_whitespace().map(unqualified).collect::<Vec<_>>().join(" "))
                    .collect();
                Some(format!("({})", each.join(" or ")))
            }
            _ => None,
        };
    }
    let (name, rest) = relation.split_once(' ').map_or((relation, ""), |(name, rest)| (name, rest));
    let name = unqualified(name);
    if !plain(name) {
        return None;
    }
    Some(if rest.is_empty() { name.to_owned() } else { format!("{name} {rest}") })
}

/// Without the architecture of a deb's relation, as in `python3:any`.
fn unqualified(name: &str) -> &str {
    name.strip_suffix(":any").or_else(|| name.strip_suffix(":native")).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relations_are_read_in_every_formats_words() {
        for (relation, format, wanted) in [
            ("foo (>= 1)", Format::Deb, Some("foo >= 1")),
            ("foo (<< 1)", Format::Deb, Some("foo < 1")),
            ("a | b (>= 2)", Format::Deb, Some("a | b (>= 2)")),
            ("bar >= 1", Format::Rpm, Some("bar >= 1")),
            ("/bin/sh (post, interp)", Format::Rpm, None),
            ("rpmlib(X) <= 1", Format::Rpm, None),
            ("libc.so.6(GLIBC_2.34)(64bit)", Format::Rpm, Some("libc.so.6(GLIBC_2.34)(64bit)")),
            ("foo>=1", Format::Pacman, Some("foo >= 1")),
            ("foo~2", Format::Apk, Some("foo ~ 2")),
        ] {
            assert_eq!(neutral(relation, format).as_deref(), wanted, "{relation}");
        }
    }

    #[test]
    fn what_another_format_can_say_is_spelled_its_way() {
        for (relation, to, wanted) in [
            ("a | b (>= 2)", "rpm", Some("(a or b >= 2)")),
            ("a | b", "pacman", None),
            ("python3:any >= 3", "rpm", Some("python3 >= 3")),
            ("libc.so.6()(64bit)", "deb", None),
            ("/bin/sh", "deb", None),
            ("foo >= 1", "apk", Some("foo >= 1")),
        ] {
            assert_eq!(spelled(relation, to).as_deref(), wanted, "{relation} {to}");
        }
    }
}

//! Relations in Debian's syntax (Debian Policy 7.1, deb-control(5)).
//!
//! | as written | in the control file |
//! |---|---|
//! | `foo > 1`, `foo < 1` | `foo (>> 1)`, `foo (<< 1)`: Debian's `>` and `<` once meant `>=` and `<=` |
//! | `foo ~> 1.2.3` | `foo (>= 1.2.3), foo (<< 1.3.0)` |
//! | `foo != 1` in depends | `Breaks: foo (= 1)`, and nothing in Depends, as fpm does |
//! | `foo != 1` in conflicts | `foo (<< 1), foo (>> 1)` |
//! | `Foo_Bar` | `foo-bar`: a deb's name has neither upper case nor `_` |
//! | `a (>= 1) | b:any` | itself, checked |
//!
//! What Debian cannot say is an error, never dropped: a dependency on a file, `~>` between alternatives or in
//! conflicts (whose parts are joined by "or"), a range in provides.

use crate::relation::{Operator, Relation, Simple};
use crate::{Error, Result};

/// The relation fields of a control file, in dpkg-gencontrol's order, each as text or empty.
#[derive(Debug, Default)]
pub(super) struct Fields {
    pub(super) pre_depends: String,
    pub(super) depends: String,
    pub(super) recommends: String,
    pub(super) suggests: String,
    pub(super) enhances: String,
    pub(super) conflicts: String,
    pub(super) breaks: String,
    pub(super) replaces: String,
    pub(super) provides: String,
}

/// What a list of relations means, which decides how an operator can be said.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Meaning {
    /// Every part must hold, and what must not be installed goes to Breaks.
    Depends,
    /// Every part should hold.
    Wishes,
    /// None may hold.
    Conflicts,
    /// An exact version or none.
    Provides,
}

/// Translates a package's relations.
pub(super) fn translate(relations: &crate::Relations, ignore_release: bool) -> Result<Fields> {
    let mut breaks = Vec::new();
    let mut field = |list: &[Relation], meaning| -> Result<String> {
        let mut parts = Vec::new();
        for relation in list {
            translate_one(relation, meaning, ignore_release, &mut parts, &mut breaks)?;
        }
        Ok(join(parts))
    };
    let mut fields = Fields {
        pre_depends: field(&relations.pre_depends, Meaning::Depends)?,
        depends: field(&relations.depends, Meaning::Depends)?,
        recommends: field(&relations.recommends, Meaning::Wishes)?,
        suggests: field(&relations.suggests, Meaning::Wishes)?,
        enhances: field(&relations.enhances, Meaning::Wishes)?,
        conflicts: field(&relations.conflicts, Meaning::Conflicts)?,
        breaks: String::new(),
        replaces: field(&relations.replaces, Meaning::Conflicts)?,
        provides: field(&relations.provides, Meaning::Provides)?,
    };
    fields.breaks = join(breaks);
    Ok(fields)
}

/// In the user's order, each once.
fn join(parts: Vec<String>) -> String {
    let mut once: Vec<String> = Vec::with_capacity(parts.len());
    for part in parts {
        if !once.contains(&part) {
            once.push(part);
        }
    }
    once.join(", ")
}

fn translate_one(
    relation: &Relation,
    meaning: Meaning,
    ignore_release: bool,
    parts: &mut Vec<String>,
    breaks: &mut Vec<String>,
) -> Result<()> {
    let refuse = |reason| Error::Relation { relation: relation.to_string(), format: "deb", reason };
    if let Some(simple) = relation.as_simple() {
        let name = package_name(simple.name).map_err(refuse)?;
        return single(&name, &simple, meaning, ignore_release, parts, breaks).map_err(refuse);
    }
    for conjunct in relation.as_str().split(',') {
        let alternatives: Vec<&str> = conjunct.split('|').collect();
        if let [alone] = alternatives[..] {
            let native = Native::parse(alone).map_err(refuse)?;
            if native.restriction.is_empty() {
                let simple = Simple { name: "", constraint: native.constraint };
                single(&native.name, &simple, meaning, ignore_release, parts, breaks).map_err(refuse)?;
                continue;
            }
        }
        if alternatives.len() > 1 && matches!(meaning, Meaning::Conflicts | Meaning::Provides) {
            return Err(refuse("alternatives can only be depended on"));
        }
        let alternatives: Result<Vec<String>, _> =
            alternatives.into_iter().map(|text| Native::parse(text)?.to_text()).collect();
        parts.push(alternatives.map_err(refuse)?.join(" | "));
    }
    Ok(())
}

fn single(
    name: &str,
    simple: &Simple<'_>,
    meaning: Meaning,
    ignore_release: bool,
    parts: &mut Vec<String>,
    breaks: &mut Vec<String>,
) -> Result<(), &'static str> {
    let Some((operator, given)) = simple.constraint else {
        parts.push(name.to_owned());
        return Ok(());
    };
    let version = &version(given)?;
    if meaning == Meaning::Provides && operator != Operator::Equal {
        return Err("a package can provide an exact version only");
    }
    let is_positive = matches!(meaning, Meaning::Depends | Meaning::Wishes);
    match operator {
        Operator::Compatible if is_positive => {
            let end = after_compatible(version).ok_or("`~>` needs a version of numbers and dots")?;
            parts.push(format!("{name} (>= {version})"));
            parts.push(format!("{name} (<< {end})"));
        }
        Operator::Compatible => return Err("`~>` has no counterpart here; write two versions"),
        Operator::NotEqual if meaning == Meaning::Depends => breaks.push(format!("{name} (= {version})")),
        Operator::NotEqual if meaning == Meaning::Conflicts => {
            parts.push(format!("{name} (<< {version})"));
            parts.push(format!("{name} (>> {version})"));
        }
        Operator::NotEqual => return Err("`!=` has no counterpart here"),
        Operator::Equal if is_positive && ignore_release => match next(version) {
            Some(end) => {
                parts.push(format!("{name} (>= {version})"));
                parts.push(format!("{name} (<< {end})"));
            }
            None => parts.push(format!("{name} (= {version})")),
        },
        _ => parts.push(format!("{name} ({} {version})", spelling(operator)?)),
    }
    Ok(())
}

/// One package in Debian's own syntax: `name[:arch] [(op version)] [[arch …]]`.
struct Native<'a> {
    name: String,
    constraint: Option<(Operator, &'a str)>,
    restriction: &'a str,
}

impl Native<'_> {
    fn parse(text: &str) -> Result<Native<'_>, &'static str> {
        let text = text.trim();
        let end = text.find([' ', '(', '[', '<']).unwrap_or(text.len());
        let name = package_name(&text[..end])?;
        let mut rest = text[end..].trim_start();
        let mut constraint = None;
        if let Some(open) = rest.strip_prefix('(') {
            let (inside, behind) = open.split_once(')').ok_or("a `(` is not closed")?;
            let inside = inside.trim();
            let start = inside.find(|c| !"<>=!~".contains(c)).ok_or("a version is missing")?;
            let operator = match &inside[..start] {
                "<" | "<<" => Operator::Less,
                "<=" => Operator::LessOrEqual,
                "=" => Operator::Equal,
                ">=" => Operator::GreaterOrEqual,
                ">" | ">>" => Operator::Greater,
                "!=" => Operator::NotEqual,
                "~>" => Operator::Compatible,
                _ => return Err("in parentheses stands `<<`, `<=`, `=`, `>=` or `>>`, then a version"),
            };
            constraint = Some((operator, inside[start..].trim()));
            rest = behind.trim_start();
        }
        let is_restriction = rest.starts_with('[') && rest.find(']') == Some(rest.len() - 1);
        if !rest.is_empty() && !is_restriction {
            return Err("it is neither `name`, `name operator version` nor Debian's own syntax");
        }
        Ok(Native { name, constraint, restriction: rest })
    }

    fn to_text(&self) -> Result<String, &'static str> {
        let mut text = self.name.clone();
        if let Some((operator, given)) = self.constraint {
            text.push_str(&format!(" ({} {})", spelling(operator)?, version(given)?));
        }
        if !self.restriction.is_empty() {
            text.push(' ');
            text.push_str(self.restriction);
        }
        Ok(text)
    }
}

fn spelling(operator: Operator) -> Result<&'static str, &'static str> {
    Ok(match operator {
        Operator::Less => "<<",
        Operator::LessOrEqual => "<=",
        Operator::Equal => "=",
        Operator::GreaterOrEqual => ">=",
        Operator::Greater => ">>",
        Operator::NotEqual | Operator::Compatible => {
            return Err("between alternatives stand `<<`, `<=`, `=`, `>=` and `>>` only");
        }
    })
}

/// A package's name by Debian's rules (Policy 5.6.1), lower-cased and with `-` for `_`, as fpm does; with an
/// optional `:arch`.
fn package_name(given: &str) -> Result<String, &'static str> {
    if given.starts_with('/') {
        return Err("deb has no dependencies on files; name the package that holds it");
    }
    let name = given.to_ascii_lowercase().replace('_', "-");
    let (plain, arch) = name.split_once(':').unwrap_or((&name, "any"));
    let is_name = |text: &str| {
        text.starts_with(|c: char| c.is_ascii_alphanumeric())
            && text.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
    };
    if is_name(plain) && is_name(arch) { Ok(name) } else { Err("a package's name is missing or wrong") }
}

/// A version's characters (deb-version(7)), with `-` for `_`, as fpm does.
fn version(given: &str) -> Result<String, &'static str> {
    let version = given.replace('_', "-");
    let is_known = |c: char| c.is_ascii_alphanumeric() || ".+-:~".contains(c);
    if !version.starts_with(|c: char| c.is_ascii_digit()) {
        return Err("a version starts with a digit");
    }
    if version.chars().all(is_known) { Ok(version) } else { Err("a version has letters, digits and `.+-:~`") }
}

/// `1.2.3` is compatible below `1.3.0`, `1` below `2`.
fn after_compatible(version: &str) -> Option<String> {
    match version.rsplit_once('.') {
        Some((before, last)) if last.parse::<u64>().is_ok() => Some(format!("{}.0", next(before)?)),
        Some(_) => None,
        None => next(version),
    }
}

/// The version whose last number is one more.
fn next(version: &str) -> Option<String> {
    let start = version.rfind('.').map_or(0, |dot| dot + 1);
    let last: u64 = version[start..].parse().ok()?;
    Some(format!("{}{}", &version[..start], last.checked_add(1)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Relations;

    fn list(relations: &[&str]) -> Vec<Relation> {
        relations.iter().map(|text| Relation::parse(text).unwrap()).collect()
    }

    fn depends(relations: &[&str]) -> String {
        let relations = Relations { depends: list(relations), ..Relations::default() };
        let fields = translate(&relations, false).unwrap();
        let breaks = if fields.breaks.is_empty() { String::new() } else { format!(" / {}", fields.breaks) };
        fields.depends + &breaks
    }

    #[test]
    fn neutral_relations_become_debians() {
        for (neutral, debian) in [
            ("openssl", "openssl"),
            ("openssl >= 1.1", "openssl (>= 1.1)"),
            ("openssl > 1.1", "openssl (>> 1.1)"),
            ("openssl < 1.1", "openssl (<< 1.1)"),
            ("openssl = 1:1.1-2", "openssl (= 1:1.1-2)"),
            ("openssl ~> 1.2.3", "openssl (>= 1.2.3), openssl (<< 1.3.0)"),
            ("openssl ~> 1.9", "openssl (>= 1.9), openssl (<< 2.0)"),
            ("openssl ~> 1", "openssl (>= 1), openssl (<< 2)"),
            ("openssl != 1.1", " / openssl (= 1.1)"),
            ("Foo_Bar >= 1_2", "foo-bar (>= 1-2)"),
            ("libssl3 | libssl1.1 (>= 1.1.1)", "libssl3 | libssl1.1 (>= 1.1.1)"),
            ("a (>1), b(<2)", "a (>> 1), b (<< 2)"),
            ("a (~> 1.2)", "a (>= 1.2), a (<< 2.0)"),
            ("a (!= 1.2)", " / a (= 1.2)"),
            ("python3:any (>= 3.9) [amd64 arm64]", "python3:any (>= 3.9) [amd64 arm64]"),
        ] {
            assert_eq!(depends(&[neutral]), debian, "{neutral}");
        }
        assert_eq!(depends(&["a", "b", "a"]), "a, b");
    }

    #[test]
    fn what_debian_cannot_say_is_refused() {
        for wrong in [
            "/bin/sh",
            "a (~> 1) | b",
            "a b",
            "a (1)",
            "a (>= )",
            "(a or b)",
            "a >= x",
            "a | ",
            "a ~> x",
            "a>=1",
        ] {
            let relations = Relations { depends: list(&[wrong]), ..Relations::default() };
            assert!(translate(&relations, false).is_err(), "{wrong}");
        }
        for wrong in ["a ~> 1.2", "a | b"] {
            let relations = Relations { conflicts: list(&[wrong]), ..Relations::default() };
            assert!(translate(&relations, false).is_err(), "{wrong}");
        }
        let relations = Relations { provides: list(&["a >= 1"]), ..Relations::default() };
        assert!(translate(&relations, false).is_err());
    }

    #[test]
    fn conflicts_and_provides_have_their_own_rules() {
        let relations = Relations {
            conflicts: list(&["a != 2", "b < 1"]),
            provides: list(&["mail_agent", "p = 3"]),
            ..Relations::default()
        };
        let fields = translate(&relations, false).unwrap();
        assert_eq!(fields.conflicts, "a (<< 2), a (>> 2), b (<< 1)");
        assert_eq!(fields.provides, "mail-agent, p (= 3)");
    }

    #[test]
    fn releases_in_dependencies_can_be_ignored() {
        let relations = Relations { depends: list(&["foo = 1.2.3", "bar = 1.2b"]), ..Relations::default() };
        let fields = translate(&relations, true).unwrap();
        assert_eq!(fields.depends, "foo (>= 1.2.3), foo (<< 1.2.4), bar (= 1.2b)");
    }
}

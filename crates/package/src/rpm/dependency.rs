//! Dependencies: name, version, and flags that say how versions compare and when the dependency must hold.
//!
//! | here | tags | from |
//! |---|---|---|
//! | requires | 1048–1050 | depends, pre-depends, interpreters, `rpmlib(…)` features, `config(NAME)` |
//! | provides | 1047, 1112, 1113 | the package itself, `NAME(ISA)`, `config(NAME)`, provides |
//! | conflicts | 1053–1055 | conflicts, and every `!=` among the depends |
//! | obsoletes | 1090, 1114, 1115 | replaces |
//! | order | 5035–5037 | services: `OrderWithRequires: systemd` |
//! | recommends, suggests, supplements, enhances | 5046–5057 | the same; rpm 4.11 does not know them |
//!
//! Each list is sorted and holds nothing twice, as rpmbuild has it (`rpmdsMerge`). Versions of *other*
//! packages are written as given: their `-` separates version and release.
//! Specification: rpm's `docs/manual/dependencies.md`, `more_dependencies.md`, `boolean_dependencies.md`.

use std::collections::BTreeSet;

use super::DependencyKind;
use super::header::Header;
use super::rich;
use super::tag::sense;
use crate::relation::Operator;
use crate::{Error, Relation, Result};

/// One dependency, as the header has it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) flags: u32,
}

/// All dependencies of a package.
#[derive(Clone, Debug, Default)]
pub(super) struct Dependencies {
    pub(super) requires: List,
    pub(super) provides: List,
    pub(super) conflicts: List,
    pub(super) obsoletes: List,
    pub(super) recommends: List,
    pub(super) suggests: List,
    pub(super) supplements: List,
    pub(super) enhances: List,
    /// What is installed before and removed after this package where both are in one transaction.
    pub(super) order: List,
}

pub(super) type List = BTreeSet<Entry>;

type Choose = fn(&Dependencies) -> &List;

/// Name, flags and version tags of each list.
const TAGS: [(Choose, u32, u32, u32); 9] = [
    (|all| &all.requires, 1049, 1048, 1050),
    (|all| &all.provides, 1047, 1112, 1113),
    (|all| &all.conflicts, 1054, 1053, 1055),
    (|all| &all.obsoletes, 1090, 1114, 1115),
    (|all| &all.recommends, 5046, 5048, 5047),
    (|all| &all.suggests, 5049, 5051, 5050),
    (|all| &all.supplements, 5052, 5054, 5053),
    (|all| &all.enhances, 5055, 5057, 5056),
    (|all| &all.order, 5035, 5037, 5036),
];

/// What a list can say beyond names and versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Allowed {
    /// Rich dependencies, ranges, and `!=`: what a package requires.
    All,
    /// Rich dependencies and ranges. All of a list hold together, so that a range is two entries.
    RichAndRanges,
    /// Rich dependencies: any single entry counts, so that a range cannot be said.
    Rich,
    /// One name and version.
    Simple,
}

impl Entry {
    /// A dependency on any version.
    pub(super) fn any(name: impl Into<String>, flags: u32) -> Entry {
        Entry { name: name.into(), version: String::new(), flags }
    }

    /// A dependency that compares versions.
    pub(super) fn versioned(name: impl Into<String>, flags: u32, version: impl Into<String>) -> Entry {
        Entry { name: name.into(), version: version.into(), flags }
    }
}

impl Dependencies {
    /// Requires a feature of rpm itself, as in `rpmlib(CompressedFileNames) <= 3.0.4-1`.
    pub(super) fn require_rpmlib(&mut self, feature: &str, version: &str) {
        let flags = sense::RPMLIB | sense::LESS | sense::EQUAL;
        self.requires.insert(Entry::versioned(format!("rpmlib({feature})"), flags, version));
    }

    /// Adds what a package requires at the time that `when` says (0 for always).
    ///
    /// # Errors
    /// When rpm has no way to say it.
    pub(super) fn require(&mut self, relation: &Relation, when: u32, any_release: bool) -> Result<()> {
        for entry in parse(relation, Allowed::All)? {
            match entry {
                Parsed::Entry(entry) if any_release && entry.flags == sense::EQUAL => {
                    let version = entry.version.split_once('-').map_or(&*entry.version, |(v, _)| v);
                    let next = successor(version, 0).ok_or_else(|| not_numeric(relation))?;
                    let least = sense::GREATER | sense::EQUAL | when;
                    self.requires.insert(Entry::versioned(&entry.name, least, version));
                    self.requires.insert(Entry::versioned(&entry.name, sense::LESS | when, next));
                }
                Parsed::Entry(entry) => {
                    self.requires.insert(Entry { flags: entry.flags | when, ..entry });
                }
                Parsed::Not(name, version) => {
                    self.conflicts.insert(Entry::versioned(name, sense::EQUAL, version));
                }
            }
        }
        Ok(())
    }

    /// The list of a kind that is no requirement, and what it can say.
    pub(super) fn list_of(&mut self, kind: DependencyKind) -> (&mut List, Allowed) {
        match kind {
            DependencyKind::Recommends => (&mut self.recommends, Allowed::RichAndRanges),
            DependencyKind::Suggests => (&mut self.suggests, Allowed::RichAndRanges),
            DependencyKind::Supplements => (&mut self.supplements, Allowed::Rich),
            DependencyKind::Enhances => (&mut self.enhances, Allowed::Rich),
            DependencyKind::Conflicts => (&mut self.conflicts, Allowed::Rich),
            DependencyKind::Obsoletes => (&mut self.obsoletes, Allowed::Simple),
            DependencyKind::Provides => (&mut self.provides, Allowed::Simple),
            _ => (&mut self.requires, Allowed::All),
        }
    }

    /// Requires the `rpmlib(…)` features that the versions in the lists need, and writes the lists.
    pub(super) fn put(mut self, header: &mut Header) {
        let entries = || TAGS.iter().flat_map(|(list, ..)| list(&self));
        let has = |c: char| {
            entries().any(|entry| match rich::is_rich(&entry.name) {
                true => entry.name.contains(c),
                false => entry.version.contains(c),
            })
        };
        let features = [
            (has('~'), "TildeInVersions", "4.10.0-1"),
            (has('^'), "CaretInVersions", "4.15.0-1"),
            (entries().any(|entry| rich::is_rich(&entry.name)), "RichDependencies", "4.12.0-1"),
        ];
        for (_, feature, version) in features.into_iter().filter(|(is_needed, ..)| *is_needed) {
            self.require_rpmlib(feature, version);
        }
        for (list, names, flags, versions) in TAGS {
            let list = list(&self);
            header.put_texts(names, list.iter().map(|entry| &entry.name));
            header.put_int32s(flags, list.iter().map(|entry| entry.flags));
            header.put_texts(versions, list.iter().map(|entry| &entry.version));
        }
    }
}

/// Adds `relations` to a list that is not `requires`.
///
/// # Errors
/// When rpm has no way to say one.
pub(super) fn add(list: &mut List, relations: &[Relation], allowed: Allowed) -> Result<()> {
    for relation in relations {
        for entry in parse(relation, allowed)? {
            match entry {
                Parsed::Entry(entry) => list.insert(entry),
                Parsed::Not(..) => return Err(wrong(relation, "`!=` can only be among the depends")),
            };
        }
    }
    Ok(())
}

/// The single name and version that a trigger waits for.
///
/// # Errors
/// When it is anything else.
pub(super) fn single(relation: &Relation) -> Result<Entry> {
    match <[Parsed; 1]>::try_from(parse(relation, Allowed::Simple)?) {
        Ok([Parsed::Entry(entry)]) => Ok(entry),
        _ => Err(wrong(relation, "a trigger waits for one package")),
    }
}

enum Parsed {
    Entry(Entry),
    /// Any version but this.
    Not(String, String),
}

fn parse(relation: &Relation, allowed: Allowed) -> Result<Vec<Parsed>> {
    let text = relation.as_str().trim();
    if rich::is_rich(text) {
        if allowed == Allowed::Simple {
            return Err(wrong(relation, "only one name and version is allowed here"));
        }
        let name = rich::normalize(text).map_err(|reason| wrong(relation, reason))?;
        return Ok(vec![Parsed::Entry(Entry::any(name, 0))]);
    }
    if text.contains('|') {
        return Err(wrong(relation, "alternatives are written `(a or b)`"));
    }
    let mut parsed = Vec::new();
    for part in text.split(',') {
        let words: Vec<&str> = part.split_whitespace().collect();
        match words[..] {
            [name] => parsed.push(Parsed::Entry(Entry::any(checked_name(name, relation)?, 0))),
            [name, operator, version] => {
                let name = checked_name(name, relation)?;
                if name.starts_with('/') {
                    return Err(wrong(relation, "a file has no version"));
                }
                let comparison = flags(operator).ok_or_else(|| {
                    wrong(relation, "it is not written as `name >= version`, without parentheses")
                })?;
                check_version(version).map_err(|reason| wrong(relation, reason))?;
                match comparison {
                    Comparison::Flags(flags) => {
                        parsed.push(Parsed::Entry(Entry::versioned(name, flags, version)));
                    }
                    Comparison::Not => parsed.push(Parsed::Not(name.into(), version.into())),
                    Comparison::Compatible if matches!(allowed, Allowed::All | Allowed::RichAndRanges) => {
                        let next = successor(version, 1).ok_or_else(|| not_numeric(relation))?;
                        let least = sense::GREATER | sense::EQUAL;
                        parsed.push(Parsed::Entry(Entry::versioned(name, least, version)));
                        parsed.push(Parsed::Entry(Entry::versioned(name, sense::LESS, next)));
                    }
                    Comparison::Compatible => {
                        return Err(wrong(relation, "a range of versions can only be among the depends"));
                    }
                }
            }
            _ => return Err(wrong(relation, "it is neither `name` nor `name operator version`")),
        }
    }
    Ok(parsed)
}

enum Comparison {
    Flags(u32),
    Not,
    Compatible,
}

fn flags(operator: &str) -> Option<Comparison> {
    Some(Comparison::Flags(match Operator::parse(operator)? {
        Operator::Less => sense::LESS,
        Operator::LessOrEqual => sense::LESS | sense::EQUAL,
        Operator::Equal => sense::EQUAL,
        Operator::GreaterOrEqual => sense::GREATER | sense::EQUAL,
        Operator::Greater => sense::GREATER,
        Operator::NotEqual => return Some(Comparison::Not),
        Operator::Compatible => return Some(Comparison::Compatible),
    }))
}

/// rpmbuild's rule (`checkDep` in `build/parseReqs.c`), and no operator that lacks its spaces: rpm would take
/// `foo>=1` for a name that nothing provides.
fn checked_name<'a>(name: &'a str, relation: &Relation) -> Result<&'a str> {
    if name.contains(['<', '>', '=', '!']) {
        return Err(wrong(relation, "the operator needs spaces around it"));
    }
    if name.starts_with(|c: char| c.is_ascii() && !c.is_ascii_alphanumeric() && c != '_' && c != '/') {
        return Err(wrong(relation, "a name starts with a letter, a digit, `_` or `/`"));
    }
    Ok(name)
}

/// `[epoch:]version[-release]`, checked as by `checkDep` in `build/parseReqs.c`.
pub(super) fn check_version(version: &str) -> Result<(), &'static str> {
    let (epoch, rest) = version.split_once(':').unwrap_or(("0", version));
    if !epoch.chars().all(|c| c.is_ascii_digit()) {
        return Err("the epoch of its version is not a number");
    }
    if rest.matches('-').count() > 1 {
        return Err("a version has at most one `-`, which separates the release");
    }
    if rest.is_empty() || !rest.chars().all(|c| c.is_ascii_alphanumeric() || "._+~^-".contains(c)) {
        return Err("its version has a character that rpm does not allow");
    }
    Ok(())
}

/// The version after every version that shares all but the last `drop` components; the last component of a
/// version that has no more.
fn successor(version: &str, drop: usize) -> Option<String> {
    let (epoch, version) = match version.split_once(':') {
        Some((epoch, version)) => (format!("{epoch}:"), version),
        None => (String::new(), version),
    };
    let version = version.split_once('-').map_or(version, |(version, _)| version);
    let mut components: Vec<&str> = version.split('.').collect();
    components.truncate(components.len().saturating_sub(drop).max(1));
    let last: u64 = components.pop()?.parse().ok()?;
    let next = last.checked_add(1)?.to_string();
    components.push(&next);
    Some(format!("{epoch}{}", components.join(".")))
}

fn not_numeric(relation: &Relation) -> Error {
    wrong(relation, "the next version after it is unknown, because its component is not a number")
}

fn wrong(relation: &Relation, reason: &'static str) -> Error {
    Error::Relation { relation: relation.to_string(), format: "rpm", reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn required(text: &str) -> Result<Vec<String>> {
        let mut all = Dependencies::default();
        all.require(&Relation::parse(text).unwrap(), 0, false)?;
        let shown = |kind: &str, list: &List| -> Vec<String> {
            list.iter().map(|e| format!("{kind} {} {:#x} {}", e.name, e.flags, e.version)).collect()
        };
        Ok([shown("R", &all.requires), shown("C", &all.conflicts)].concat())
    }

    #[test]
    fn relations_become_names_flags_and_versions() {
        let tests: &[(&str, &[&str])] = &[
            ("foo", &["R foo 0x0 "]),
            ("foo >= 1.0-2", &["R foo 0xc 1.0-2"]),
            ("foo = 2:1", &["R foo 0x8 2:1"]),
            ("foo ~> 1.2.3", &["R foo 0xc 1.2.3", "R foo 0x2 1.3"]),
            ("foo ~> 1", &["R foo 0xc 1", "R foo 0x2 2"]),
            ("foo != 3", &["C foo 0x8 3"]),
            ("a, b < 1", &["R a 0x0 ", "R b 0x2 1"]),
            ("libc.so.6(GLIBC_2.34)(64bit)", &["R libc.so.6(GLIBC_2.34)(64bit) 0x0 "]),
            ("perl(Foo::Bar) >= 1.1", &["R perl(Foo::Bar) 0xc 1.1"]),
            ("/usr/bin/env", &["R /usr/bin/env 0x0 "]),
            ("( a  or (b >= 1 and libc()(64bit)) )", &["R (a or (b >= 1 and libc()(64bit))) 0x0 "]),
        ];
        for (text, expected) in tests {
            assert_eq!(required(text).unwrap(), *expected, "{text}");
        }
    }

    #[test]
    fn what_rpm_would_misread_is_an_error() {
        let tests = [
            ("foo>=1", "spaces around"),
            ("a | b", "(a or b)"),
            ("foo (>= 1)", "without parentheses"),
            ("a b", "neither"),
            ("/bin/sh >= 1", "no version"),
            ("foo = 1-2-3", "at most one `-`"),
            ("foo = x:1", "epoch"),
            ("foo = 1%2", "does not allow"),
            ("foo ~> 1.x.3", "not a number"),
            ("-foo", "starts with"),
            ("(a or b", "parenthesis"),
            ("(a b)", "operator"),
        ];
        for (text, reason) in tests {
            let error = required(text).unwrap_err().to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }

    #[test]
    fn a_range_cannot_be_a_conflict() {
        let relation = [Relation::parse("foo ~> 1.2").unwrap()];
        let error = add(&mut List::new(), &relation, Allowed::Rich).unwrap_err();
        assert!(error.to_string().contains("range"), "{error}");
    }

    #[test]
    fn an_ignored_release_becomes_a_range() {
        let mut all = Dependencies::default();
        all.require(&Relation::parse("foo = 1.2.3-4").unwrap(), 0, true).unwrap();
        let expected = [
            Entry::versioned("foo", sense::GREATER | sense::EQUAL, "1.2.3"),
            Entry::versioned("foo", sense::LESS, "1.2.4"),
        ];
        assert_eq!(all.requires.into_iter().collect::<Vec<_>>(), expected);
    }
}

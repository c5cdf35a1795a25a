//! Relations in apk's syntax: `[!]name[operator version]`, one word each (apk-tools' `apk_dep_parse`).
//!
//! | here | field | what apk does |
//! |---|---|---|
//! | depends, pre-depends | `depend` | installs it first, always |
//! | conflicts, and `!=` among the depends | `depend = !…` | never beside it |
//! | provides | `provides` | answers to the name; with a version, as if it were that package |
//! | replaces | `replaces` | may overwrite its files |
//! | recommends, suggests, enhances | – | nothing: apk 2 has no such field, and apk 3 only keeps it |
//!
//! **Versions.** apk compares whole versions, and every version of Alpine's ends in a build number: `1.2-r0` is
//! greater than `1.2`. A neutral relation means the version, whatever its build, as it does for rpm. It is written
//! with the least version that comes after all builds of `1.2`, which is `1.2_cvs` (`src/version.c`): `a = 1.2`
//! becomes `a>=1.2 a<1.2_cvs`. Who names a build number (`a = 1.2-r0`), or writes apk's own syntax without blanks
//! (`a=1.2`, `a~1.2`, `so:libssl.so.3`), is taken literally.

use super::version;
use crate::relation::Operator;
use crate::{Error, Relation, Relations, Result};

/// Lists of `.PKGINFO`, each value once, in the user's order.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Fields {
    pub(super) depend: Vec<String>,
    pub(super) provides: Vec<String>,
    pub(super) replaces: Vec<String>,
}

/// apk writes a dependency through a buffer of 256 bytes (`apk_deps_write`), with a blank in front.
const LONGEST: usize = 250;

/// The least suffix behind a release.
const AFTER_ALL_BUILDS: &str = "_cvs";

/// Translates a package's relations.
///
/// # Errors
/// When apk cannot say one.
pub(super) fn translate(relations: &Relations) -> Result<Fields> {
    let mut fields = Fields::default();
    for relation in relations.pre_depends.iter().chain(&relations.depends) {
        add(&mut fields.depend, depend(relation), relation)?;
    }
    for relation in &relations.conflicts {
        add(&mut fields.depend, conflict(relation), relation)?;
    }
    for relation in &relations.provides {
        add(&mut fields.provides, provide(relation), relation)?;
    }
    for relation in &relations.replaces {
        add(&mut fields.replaces, positive(relation), relation)?;
    }
    Ok(fields)
}

/// A list of its own, as `install_if` is: nothing but what a depends could say.
pub(super) fn list(relations: &[Relation]) -> Result<Vec<String>> {
    let mut words = Vec::new();
    for relation in relations {
        add(&mut words, depend(relation), relation)?;
    }
    Ok(words)
}

type Words = Result<Vec<String>, &'static str>;

fn add(list: &mut Vec<String>, words: Words, relation: &Relation) -> Result<()> {
    let refuse = |reason| Error::Relation { relation: relation.as_str().to_owned(), format: "apk", reason };
    for word in words.map_err(refuse)? {
        if word.len() > LONGEST {
            return Err(refuse("apk takes at most 250 bytes"));
        }
        if !list.contains(&word) {
            list.push(word);
        }
    }
    Ok(())
}

const NATIVE: &str = "it is neither `name`, `name operator version` nor apk's own `name>=version`";
const WITHOUT_RELEASE: &str =
    "apk compares whole versions; name the build, as in `= 1.2-r0`, or write `!name~1.2`";

fn depend(relation: &Relation) -> Words {
    match parse(relation)? {
        Parsed::Native { is_conflict, word } => Ok(vec![if is_conflict { format!("!{word}") } else { word }]),
        Parsed::Neutral(name, None) => Ok(vec![name.into()]),
        Parsed::Neutral(name, Some((Operator::NotEqual, version))) => {
            if !version::has_release(version) {
                return Err(WITHOUT_RELEASE);
            }
            Ok(vec![format!("!{name}={}", checked(version)?)])
        }
        Parsed::Neutral(name, Some((operator, version))) => range(name, operator, version),
    }
}

fn positive(relation: &Relation) -> Words {
    if let Parsed::Native { is_conflict: true, .. } = parse(relation)? {
        return Err("a `!` can only be among the depends");
    }
    match depend(relation)? {
        words if words.iter().any(|word| word.starts_with('!')) => Err("`!=` can only be among the depends"),
        words if words.len() == 1 => Ok(words),
        _ => Err("a range of versions can only be among the depends"),
    }
}

fn conflict(relation: &Relation) -> Words {
    match parse(relation)? {
        Parsed::Native { word, .. } => Ok(vec![format!("!{word}")]),
        Parsed::Neutral(name, None) => Ok(vec![format!("!{name}")]),
        Parsed::Neutral(_, Some((Operator::NotEqual | Operator::Compatible, _))) => {
            Err("a conflict is with one version, or with all below or above it")
        }
        Parsed::Neutral(_, Some((Operator::Equal, version))) if !version::has_release(version) => {
            Err(WITHOUT_RELEASE)
        }
        Parsed::Neutral(name, Some((operator, version))) => {
            Ok(range(name, operator, version)?.into_iter().map(|word| format!("!{word}")).collect())
        }
    }
}

fn provide(relation: &Relation) -> Words {
    match parse(relation)? {
        Parsed::Native { is_conflict: false, word } if !word.contains(['<', '>', '~']) => Ok(vec![word]),
        Parsed::Neutral(name, None) => Ok(vec![name.into()]),
        Parsed::Neutral(name, Some((Operator::Equal, version))) => {
            Ok(vec![format!("{name}={}", checked(version)?)])
        }
        _ => Err("what a package provides is `name` or `name = version`"),
    }
}

/// A range of versions as apk compares them.
fn range(name: &str, operator: Operator, given: &str) -> Words {
    let version = checked(given)?;
    let is_literal = version::has_release(&version);
    let after = format!("{version}{AFTER_ALL_BUILDS}");
    Ok(match operator {
        Operator::Less => vec![format!("{name}<{version}")],
        Operator::GreaterOrEqual => vec![format!("{name}>={version}")],
        Operator::LessOrEqual if is_literal => vec![format!("{name}<={version}")],
        Operator::LessOrEqual => vec![format!("{name}<{after}")],
        Operator::Greater if is_literal => vec![format!("{name}>{version}")],
        Operator::Greater => vec![format!("{name}>={after}")],
        Operator::Equal if is_literal => vec![format!("{name}={version}")],
        Operator::Equal => vec![format!("{name}>={version}"), format!("{name}<{after}")],
        // apk's own `~` compares as much as is written.
        Operator::Compatible => {
            let is_plain = version.chars().all(|c| c.is_ascii_digit() || c == '.');
            match version.rsplit_once('.') {
                _ if !is_plain => return Err("behind `~>` stands a version of numbers only"),
                Some((before, _)) => vec![format!("{name}~{before}"), format!("{name}>={version}")],
                None => vec![format!("{name}~{version}")],
            }
        }
        Operator::NotEqual => return Err(WITHOUT_RELEASE),
    })
}

/// A version in Alpine's grammar, with its release if it has one.
fn checked(given: &str) -> Result<String, &'static str> {
    match given.rsplit_once("-r") {
        Some((version, release)) if version::has_release(given) => {
            Ok(format!("{}-r{release}", version::normalize(version)?))
        }
        _ => version::normalize(given),
    }
}

enum Parsed<'a> {
    /// apk's own syntax, checked.
    Native { is_conflict: bool, word: String },
    /// Name, operator and version.
    Neutral(&'a str, Option<(Operator, &'a str)>),
}

fn parse(relation: &Relation) -> Result<Parsed<'_>, &'static str> {
    let text = relation.as_str();
    if text.contains('|') {
        return Err("apk has no alternatives; depend on a name that each of them provides");
    }
    let has_operator = |word: &str| word.contains(['<', '>', '=', '~', '!']);
    match relation.as_simple() {
        Some(simple) if !has_operator(simple.name) => {
            check_name(simple.name)?;
            Ok(Parsed::Neutral(simple.name, simple.constraint))
        }
        Some(simple) if simple.constraint.is_none() => native(simple.name),
        _ => Err(NATIVE),
    }
}

fn native(text: &str) -> Result<Parsed<'_>, &'static str> {
    let (is_conflict, word) = match text.strip_prefix('!') {
        Some(word) => (true, word),
        None => (false, text),
    };
    let name = word.find(['<', '>', '=', '~']).unwrap_or(word.len());
    let (name, comparison) = word.split_at(name);
    check_name(name)?;
    if !comparison.is_empty() {
        let version = comparison.trim_start_matches(['<', '>', '=', '~']);
        let operator = &comparison[..comparison.len() - version.len()];
        // What apk 2 and apk 3 both read and write back; apk 2 has no `<~` and `>~`.
        if !["<", "<=", "=", ">=", ">", "~", "=~"].contains(&operator) {
            return Err("apk compares with `<`, `<=`, `=`, `>=`, `>` and `~`");
        }
        if !version::is_valid(version) {
            return Err("its version is not in Alpine's grammar, as in `1.2.3_rc1-r0`");
        }
    }
    Ok(Parsed::Native { is_conflict, word: word.to_owned() })
}

/// The characters of names that packages have and provide (apk-tools' `src/ctype.c`, `DEPNAME`).
fn check_name(name: &str) -> Result<(), &'static str> {
    let is_known = |c: char| c.is_ascii_alphanumeric() || "+,-.:/[]_".contains(c);
    if name.is_empty() || !name.chars().all(is_known) {
        return Err(NATIVE);
    }
    if name.starts_with('-') {
        return Err("a name does not start with `-`");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn relations(texts: &[&str]) -> Vec<Relation> {
        texts.iter().map(|text| Relation::parse(text).unwrap()).collect()
    }

    fn depends(text: &str) -> Result<String> {
        let relations = Relations { depends: relations(&[text]), ..Relations::default() };
        Ok(translate(&relations)?.depend.join(" "))
    }

    #[test]
    fn neutral_relations_become_apks() {
        for (neutral, apk) in [
            ("openssl", "openssl"),
            ("openssl >= 1.1", "openssl>=1.1"),
            ("openssl < 1.1", "openssl<1.1"),
            ("openssl > 1.1", "openssl>=1.1_cvs"),
            ("openssl <= 1.1", "openssl<1.1_cvs"),
            ("openssl = 1.1", "openssl>=1.1 openssl<1.1_cvs"),
            ("openssl = 1.1-r2", "openssl=1.1-r2"),
            ("openssl > 1.1-r2", "openssl>1.1-r2"),
            ("openssl <= 1.1-r2", "openssl<=1.1-r2"),
            ("openssl ~> 1.2.3", "openssl~1.2 openssl>=1.2.3"),
            ("openssl ~> 1.2", "openssl~1 openssl>=1.2"),
            ("openssl ~> 1", "openssl~1"),
            ("openssl >= 1.0.0-rc.1", "openssl>=1.0.0_rc1"),
            ("openssl != 1.1-r0", "!openssl=1.1-r0"),
        ] {
            assert_eq!(depends(neutral).unwrap(), apk, "{neutral}");
        }
    }

    #[test]
    fn apks_own_syntax_passes_when_well_formed() {
        for native in [
            "so:libssl.so.3",
            "cmd:bash",
            "cmd:bash=5.2-r0",
            "pc:zlib>=1.2",
            "/bin/sh",
            "a=1-r0",
            "a~1.2",
            "!a",
            "!a<1.0",
            "py3.11:requests",
            "so:libfoo.so[1]",
        ] {
            assert_eq!(depends(native).unwrap(), native);
        }
    }

    #[test]
    fn what_apk_cannot_say_is_refused() {
        for wrong in [
            "a | b",
            "a (>= 1)",
            "(a or b)",
            "a >= x",
            "a != 1.1",
            "a ~> 1.0_rc1",
            "a>=",
            ">=1",
            "a>~1.2",
            "a=<1",
            "a@edge",
            "a, b",
            "ä",
            "!",
            "-a",
            "a >= 1.0 b",
        ] {
            assert!(matches!(depends(wrong), Err(Error::Relation { .. })), "{wrong}");
        }
        let long = "a".repeat(251);
        assert!(depends(&long).is_err());
        assert!(depends(&long[1..]).is_ok());
    }

    #[test]
    fn conflicts_provides_and_replaces_have_their_own_rules() {
        let fields = translate(&Relations {
            depends: relations(&["b", "a"]),
            pre_depends: relations(&["c", "b"]),
            conflicts: relations(&["d", "e < 2", "f <= 2", "g = 1-r0"]),
            provides: relations(&["mail", "p = 3", "cmd:x=1-r0"]),
            replaces: relations(&["old < 2", "older"]),
            ..Relations::default()
        })
        .unwrap();
        assert_eq!(fields.depend, ["c", "b", "a", "!d", "!e<2", "!f<2_cvs", "!g=1-r0"]);
        assert_eq!(fields.provides, ["mail", "p=3", "cmd:x=1-r0"]);
        assert_eq!(fields.replaces, ["old<2", "older"]);
        for wrong in ["p >= 3", "!p", "p~3"] {
            let relations = Relations { provides: relations(&[wrong]), ..Relations::default() };
            assert!(translate(&relations).is_err(), "{wrong}");
        }
        for wrong in ["a ~> 1.2", "a != 1-r0", "a = 1"] {
            let relations = Relations { conflicts: relations(&[wrong]), ..Relations::default() };
            assert!(translate(&relations).is_err(), "{wrong}");
        }
        for wrong in ["!a", "a = 1", "a != 1-r0"] {
            let relations = Relations { replaces: relations(&[wrong]), ..Relations::default() };
            assert!(translate(&relations).is_err(), "{wrong}");
        }
    }
}

//! Relations in pacman's syntax (PKGBUILD(5), `depends`, `optdepends`, `provides`, `conflicts`, `replaces`).
//!
//! | as written | in `.PKGINFO` |
//! |---|---|
//! | `foo >= 1`, `foo>=1` | `foo>=1` |
//! | `foo ~> 1.2.3` | `foo>=1.2.3` and `foo<1.3`: to pacman, 1.3 is older than 1.3.0 |
//! | `foo != 1` in depends | `conflict = foo=1`, and no dependency, as in the other formats |
//! | `foo != 1` in conflicts | `foo<1` and `foo>1` |
//! | recommends and suggests | `optdepend`: pacman has one level of wish, and installs none by itself |
//! | `foo: reason` in recommends and suggests | itself |
//! | enhances | nothing: no client asks |
//!
//! pacman has no alternatives and no dependencies on files: both are refused.

use super::version;
use crate::relation::{Operator, Relation};
use crate::{Error, Metadata, Options, Result};

/// The lists of `.PKGINFO`, each in the user's order and without repetition.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Fields {
    pub(super) replaces: Vec<String>,
    pub(super) conflict: Vec<String>,
    pub(super) provides: Vec<String>,
    pub(super) depend: Vec<String>,
    pub(super) optdepend: Vec<String>,
}

/// What a list means, which decides how an operator can be said.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Meaning {
    Depends,
    Wishes,
    Conflicts,
    Provides,
}

/// Translates a package's relations.
pub(super) fn translate(metadata: &Metadata, options: &Options) -> Result<Fields> {
    let mut fields = Fields::default();
    let relations = &metadata.relations;
    let lists = [
        (&relations.pre_depends, Meaning::Depends),
        (&relations.depends, Meaning::Depends),
        (&relations.recommends, Meaning::Wishes),
        (&relations.suggests, Meaning::Wishes),
        (&options.pacman.optional_depends, Meaning::Wishes),
        (&relations.provides, Meaning::Provides),
        (&relations.conflicts, Meaning::Conflicts),
    ];
    for (list, meaning) in lists {
        for relation in list {
            fields.add(relation, meaning)?;
        }
    }
    // Replaces has conflicts' operators, and a list of its own.
    let mut replaces = Fields::default();
    for relation in &relations.replaces {
        replaces.add(relation, Meaning::Conflicts)?;
    }
    fields.replaces = replaces.conflict;
    Ok(fields)
}

impl Fields {
    fn add(&mut self, relation: &Relation, meaning: Meaning) -> Result<()> {
        let refuse = |reason| Error::Relation { relation: relation.to_string(), format: "pacman", reason };
        self.add_text(relation.as_str(), meaning).map_err(refuse)
    }

    fn add_text(&mut self, text: &str, meaning: Meaning) -> Result<(), &'static str> {
        let (text, reason) = match text.split_once(": ") {
            Some((text, reason)) if meaning == Meaning::Wishes => (text, format!(": {}", reason.trim())),
            _ => (text, String::new()),
        };
        let end = text.find(|c| "<>=!~".contains(c)).unwrap_or(text.len());
        let name = text[..end].trim();
        check_name(name)?;
        let behind = &text[end..];
        let start = behind.find(|c| !"<>=!~".contains(c)).unwrap_or(behind.len());
        let (operator, version) = (&behind[..start], behind[start..].trim());
        let list = match meaning {
            Meaning::Depends => &mut self.depend,
            Meaning::Wishes => &mut self.optdepend,
            Meaning::Conflicts => &mut self.conflict,
            Meaning::Provides => &mut self.provides,
        };
        let mut push = |text: String| {
            if !list.contains(&text) {
                list.push(text);
            }
        };
        if operator.is_empty() {
            push(format!("{name}{reason}"));
            return Ok(());
        }
        let operator =
            Operator::parse(operator).ok_or("an operator is `<`, `<=`, `=`, `>=`, `>`, `!=` or `~>`")?;
        if !version::is_full(version) {
            return Err("a version is written as in `1:2.0-1`");
        }
        if meaning == Meaning::Provides && operator != Operator::Equal {
            return Err("a package can provide an exact version only");
        }
        let sign = match operator {
            Operator::Less => "<",
            Operator::LessOrEqual => "<=",
            Operator::Equal => "=",
            Operator::GreaterOrEqual => ">=",
            Operator::Greater => ">",
            Operator::Compatible if meaning == Meaning::Depends => {
                let end = after_compatible(version).ok_or("`~>` needs a version of numbers and dots")?;
                push(format!("{name}>={version}"));
                push(format!("{name}<{end}"));
                return Ok(());
            }
            Operator::Compatible => return Err("`~>` has no counterpart here; write two versions"),
            Operator::NotEqual if meaning == Meaning::Depends => {
                return self.add_text(&format!("{name}={version}"), Meaning::Conflicts);
            }
            Operator::NotEqual if meaning == Meaning::Conflicts => {
                push(format!("{name}<{version}"));
                push(format!("{name}>{version}"));
                return Ok(());
            }
            Operator::NotEqual => return Err("`!=` has no counterpart here"),
        };
        push(format!("{name}{sign}{version}{reason}"));
        Ok(())
    }
}

/// `lint_pkgbuild/pkgname.sh`.
fn check_name(name: &str) -> Result<(), &'static str> {
    if name.contains('|') {
        return Err("pacman has no alternatives; name what both packages provide");
    }
    if name.contains('/') {
        return Err("pacman has no dependencies on files; name the package that holds it");
    }
    let is_known = |c: char| c.is_ascii_alphanumeric() || "@._+-".contains(c);
    let is_name = !name.is_empty() && !name.starts_with(['-', '.']) && name.chars().all(is_known);
    if is_name { Ok(()) } else { Err("a package's name is missing or wrong") }
}

/// `1.2.3` is compatible below `1.3`, `1` below `2`.
fn after_compatible(version: &str) -> Option<String> {
    let stem = version.rsplit_once('.').map_or(version, |(stem, last)| {
        if last.bytes().all(|byte| byte.is_ascii_digit()) { stem } else { "" }
    });
    let (before, last) = match stem.rsplit_once('.') {
        Some((before, last)) => (format!("{before}."), last),
        None => (String::new(), stem),
    };
    let next = last.parse::<u64>().ok()?.checked_add(1)?;
    Some(format!("{before}{next}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(meaning: Meaning, texts: &[&str]) -> Result<Fields, &'static str> {
        let mut fields = Fields::default();
        texts.iter().try_for_each(|text| fields.add_text(text, meaning))?;
        Ok(fields)
    }

    #[test]
    fn neutral_relations_become_pacmans() {
        for (written, depend) in [
            ("glibc", &["glibc"][..]),
            ("glibc >= 2.36", &["glibc>=2.36"]),
            ("glibc>=2.36-1", &["glibc>=2.36-1"]),
            ("openssl ~> 1.2.3", &["openssl>=1.2.3", "openssl<1.3"]),
            ("openssl ~> 3", &["openssl>=3", "openssl<4"]),
            ("libreadline.so=8-64", &["libreadline.so=8-64"]),
        ] {
            assert_eq!(field(Meaning::Depends, &[written]).unwrap().depend, depend, "{written}");
        }
        let not = field(Meaning::Depends, &["foo != 1"]).unwrap();
        assert_eq!((not.depend.len(), &not.conflict[..]), (0, &["foo=1".to_owned()][..]));
        assert_eq!(field(Meaning::Conflicts, &["foo != 1"]).unwrap().conflict, ["foo<1", "foo>1"]);
        let wishes = field(
            Meaning::Wishes,
            &["vim: to edit > 1 file", "emacs >= 29: the same", "vim: to edit > 1 file"],
        );
        assert_eq!(wishes.unwrap().optdepend, ["vim: to edit > 1 file", "emacs>=29: the same"]);
    }

    #[test]
    fn what_pacman_cannot_say_is_refused() {
        for wrong in [
            "a | b", "/bin/sh", "(a or b)", "a b", "-a", "a >=", "a => 1", "a >= x y", "", "a: why",
            "a ~> 1.x",
        ] {
            assert!(field(Meaning::Depends, &[wrong]).is_err(), "{wrong}");
        }
        assert!(field(Meaning::Provides, &["a >= 1"]).is_err());
        assert!(field(Meaning::Conflicts, &["a ~> 1"]).is_err());
        assert!(field(Meaning::Wishes, &["a != 1"]).is_err());
    }

    #[test]
    fn vercmp_agrees_with_what_is_compatible() {
        let Some([vercmp]) = packhouse_clients::find(["vercmp"]) else { return };
        let compare = |a: &str, b: &str| vercmp.run([a, b]).trim().to_owned();
        let end = after_compatible("1.2.3").unwrap();
        assert_eq!(compare("1.2.9", &end), "-1");
        assert_eq!(compare("1.3", &end), "0");
        assert_eq!(compare("1.3.0", &end), "1");
    }
}

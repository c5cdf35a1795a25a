//! Relations between packages: depends, provides, conflicts and their like.
//!
//! A relation is written once and must serve every format. The neutral form is fpm's: `name`, or
//! `name op version` with `<`, `<=`, `=`, `>=`, `>`, `!=` (not this version) or `~>` (this version, up to the
//! next of its last but one component). Anything else is the format's native syntax (`a | b`, `a (>= 1)`,
//! `(a or b)`), which that format checks and writes as it stands.

use std::fmt;

/// A relation as the user wrote it; formats translate it with [`Relation::as_simple`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Relation(String);

/// The neutral form of a relation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Simple<'a> {
    /// The other package, or what it provides.
    pub name: &'a str,
    /// How its version is compared, and with what.
    pub constraint: Option<(Operator, &'a str)>,
}

/// How versions are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `=`
    Equal,
    /// `>=`
    GreaterOrEqual,
    /// `>`
    Greater,
    /// `!=`: any other version
    NotEqual,
    /// `~>`: at least this, below the next of its last but one component
    Compatible,
}

impl Relation {
    /// Takes a relation as written; `None` when it is blank or holds a control character (a line break in a
    /// relation would start a new field of a control file).
    pub fn parse(text: &str) -> Option<Relation> {
        let text = text.trim();
        (!text.is_empty() && !text.chars().any(char::is_control)).then(|| Relation(text.to_owned()))
    }

    /// The relation as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The neutral form, when it is written in it: one word, or name, operator and version.
    ///
    /// ```
    /// use packhouse_package::relation::{Operator, Relation};
    /// let relation = Relation::parse("openssl >= 1.1").unwrap();
    /// assert_eq!(relation.as_simple().unwrap().constraint, Some((Operator::GreaterOrEqual, "1.1")));
    /// assert!(Relation::parse("libssl3 | libssl1.1").unwrap().as_simple().is_none());
    /// ```
    pub fn as_simple(&self) -> Option<Simple<'_>> {
        if self.0.contains(['(', ')', ',', '|']) {
            return None;
        }
        let words: Vec<&str> = self.0.split_whitespace().collect();
        match words[..] {
            [name] => Some(Simple { name, constraint: None }),
            [name, operator, version] => {
                Some(Simple { name, constraint: Some((Operator::parse(operator)?, version)) })
            }
            _ => None,
        }
    }
}

impl Operator {
    pub(crate) fn parse(word: &str) -> Option<Operator> {
        Some(match word {
            "<" | "<<" => Operator::Less,
            "<=" => Operator::LessOrEqual,
            "=" | "==" => Operator::Equal,
            ">=" => Operator::GreaterOrEqual,
            ">" | ">>" => Operator::Greater,
            "!=" => Operator::NotEqual,
            "~>" => Operator::Compatible,
            _ => return None,
        })
    }
}

impl fmt::Display for Relation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

//! What a package says about itself, the same for every format.

use std::fmt;

use crate::{Arch, ChangelogEntry, Error, Relation, Version};

/// A package's name, checked once: letters, digits, `+`, `-`, `.`, `_`, starting with a letter or digit.
///
/// deb allows only lower case and no `_` (Debian Policy 5.6.1); its writer lower-cases and replaces, as fpm
/// does. rpm takes the name as it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PackageName(String);

impl PackageName {
    /// Checks a name.
    ///
    /// # Errors
    /// When it is empty, longer than 128 bytes, starts with a sign, or holds another character.
    pub fn new(name: &str) -> Result<PackageName, Error> {
        let starts_well = name.starts_with(|c: char| c.is_ascii_alphanumeric());
        let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.' | '_');
        if starts_well && name.len() <= 128 && name.chars().all(known) {
            Ok(PackageName(name.to_owned()))
        } else {
            Err(Error::Name { name: name.to_owned() })
        }
    }

    /// The name as given.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PackageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a package says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// The package's name.
    pub name: PackageName,
    /// Epoch, version and release.
    pub version: Version,
    /// What it runs on.
    pub arch: Arch,
    /// One line, without a final period.
    pub summary: String,
    /// Paragraphs that go on where the summary ends; may be empty.
    pub description: String,
    /// The project's page.
    pub homepage: Option<String>,
    /// Who distributes it.
    pub vendor: Option<String>,
    /// Who answers for the package: `Name <address>`.
    pub maintainer: String,
    /// An SPDX expression or the format's own word.
    pub license: Option<String>,
    /// deb's Section, rpm's Group.
    pub category: Option<String>,
    /// How it relates to other packages.
    pub relations: Relations,
    /// What changed from version to version, newest first.
    pub changelog: Vec<ChangelogEntry>,
}

/// How a package relates to others; each list in the user's order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Relations {
    /// Must be installed.
    pub depends: Vec<Relation>,
    /// Must be configured before this package is unpacked (deb), or before its scripts run (rpm).
    pub pre_depends: Vec<Relation>,
    /// Installed too unless the administrator says no.
    pub recommends: Vec<Relation>,
    /// Worth a look.
    pub suggests: Vec<Relation>,
    /// The reverse of suggests.
    pub enhances: Vec<Relation>,
    /// Other names it answers to.
    pub provides: Vec<Relation>,
    /// Cannot be installed beside it.
    pub conflicts: Vec<Relation>,
    /// It takes over from: deb Replaces, rpm Obsoletes.
    pub replaces: Vec<Relation>,
}

/// For version and release each, in bytes: with a name of 128 a file's name stays below 255, which is Linux's limit.
const LONGEST_VERSION: usize = 100;
/// Of a text: more than anybody reads, and less than what package managers and readers of indexes choke on.
const LONGEST_TEXT: usize = 1 << 20;

impl Metadata {
    /// Checks what no format could write: control characters in one-line fields (a line break in any of them
    /// would start a new field of a control file), empty ones that every format needs, and
    /// versions that are too long for a file's name.
    ///
    /// # Errors
    /// Naming the first field that is wrong.
    pub fn check(&self) -> Result<(), Error> {
        let mut lines = vec![
            ("version", self.version.version.as_str()),
            ("summary", &self.summary),
            ("maintainer", &self.maintainer),
        ];
        for (field, value) in &lines {
            if value.trim().is_empty() {
                return Err(Error::EmptyField { field });
            }
        }
        lines.extend(
            [
                ("release", &self.version.release),
                ("homepage", &self.homepage),
                ("vendor", &self.vendor),
                ("license", &self.license),
                ("category", &self.category),
            ]
            .into_iter()
            .filter_map(|(field, value)| Some((field, value.as_deref()?))),
        );
        for (field, value) in &lines {
            if matches!(*field, "version" | "release") && value.len() > LONGEST_VERSION {
                return Err(Error::TooLarge {
                    what: format!("the package's {field}"),
                    size: value.len() as u64,
                    format: "a file's name",
                    limit: LONGEST_VERSION as u64,
                });
            }
        }
        for (field, value) in lines.iter().chain(&[("description", self.description.as_str())]) {
            if value.len() > LONGEST_TEXT {
                return Err(Error::TooLarge {
                    what: format!("the package's {field}"),
                    size: value.len() as u64,
                    format: "a package",
                    limit: LONGEST_TEXT as u64,
                });
            }
        }
        for (field, value) in lines {
            if value.chars().any(char::is_control) {
                return Err(Error::ControlCharacter { field });
            }
        }
        if self.description.chars().any(|c| c.is_control() && c != '\n' && c != '\t') {
            return Err(Error::ControlCharacter { field: "description" });
        }
        Ok(())
    }
}

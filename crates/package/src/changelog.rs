//! What changed from version to version, for the formats that tell customers.
//!
//! Two forms are read ([`parse`]): Debian's, which has everything that packages say,
//!
//! ```text
//! hello (1.2.0) stable; urgency=medium
//!
//!   * Says hello more politely.
//!
//!  -- Jane Doe <jane@example.com>  Wed, 01 May 2024 12:00:00 +0000
//! ```
//!
//! (deb-changelog(5)), and the Markdown of <https://keepachangelog.com>, whose entries are by the package's
//! maintainer, at noon UTC as rpm counts days:
//!
//! ```text
//! ## [1.2.0] - 2024-05-01
//!
//! ### Changed
//! - Says hello more politely.
//! ```

use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::{Metadata, Timestamp};

/// What one version brought; a package's list has the newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangelogEntry {
    /// The version, as the project calls it.
    pub version: String,
    /// When it was released.
    pub time: Timestamp,
    /// Who released it: `Name <address>`.
    pub author: String,
    /// The changes, a line or paragraph each, without bullets.
    pub changes: Vec<String>,
}

/// A line of a changelog that is not written as it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct LineError {
    /// Its number, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub reason: &'static str,
}

/// Reads a changelog in either form: it is Markdown when its first line is a heading.
///
/// # Errors
/// Every line that is wrong; also when an entry is later than the one above it.
///
/// ```
/// use packhouse_package::changelog;
/// let text = "# Changelog\n\n## [1.0.0] - 2024-05-01\n### Added\n- Greetings.\n";
/// let entries = changelog::parse(text, "Jane Doe <jane@example.com>").unwrap();
/// assert_eq!(entries[0].changes, ["Added: Greetings."]);
/// ```
pub fn parse(text: &str, maintainer: &str) -> Result<Vec<ChangelogEntry>, Vec<LineError>> {
    let is_markdown =
        text.lines().find(|line| !line.trim().is_empty()).is_some_and(|line| line.starts_with('#'));
    let mut reader = Reader::default();
    for (index, line) in text.lines().enumerate() {
        reader.line = index + 1;
        match is_markdown {
            true => reader.markdown(line.trim_end(), maintainer),
            false => reader.debian(line.trim_end()),
        }
    }
    reader.finish(is_markdown)
}

#[derive(Debug, Default)]
struct Reader {
    line: usize,
    entries: Vec<ChangelogEntry>,
    errors: Vec<LineError>,
    /// Debian: the entry whose trailer has not come yet. Markdown: whether entries have begun.
    is_open: bool,
    /// Markdown: entries are skipped until the next, as below `Unreleased`.
    is_skipping: bool,
    /// Markdown: the heading that changes stand below.
    section: String,
    /// Whether the next line belongs to the last change.
    continues: bool,
}

impl Reader {
    fn wrong(&mut self, reason: &'static str) {
        self.errors.push(LineError { line: self.line, reason });
    }

    fn open(&mut self, version: &str, author: &str) {
        let time = Timestamp::from_unix(0).expect("1970 is a timestamp");
        let (version, author) = (version.to_owned(), author.to_owned());
        self.entries.push(ChangelogEntry { version, time, author, changes: Vec::new() });
        self.is_open = true;
        self.continues = false;
    }

    fn close(&mut self, time: Option<Timestamp>) {
        let Some(time) = time else { return self.wrong("it has no date between 1970 and 2106") };
        let above = self.entries.len().checked_sub(2).and_then(|index| self.entries.get(index));
        if above.is_some_and(|above| above.time < time) {
            self.wrong("it is later than the entry above it");
        }
        if let Some(entry) = self.entries.last_mut() {
            entry.time = time;
        }
    }

    /// A change, or a further line of the last one.
    fn change(&mut self, text: &str, is_new: bool) {
        let Some(entry) = self.entries.last_mut() else { return };
        match entry.changes.last_mut().filter(|_| !is_new && self.continues) {
            Some(last) => {
                last.push('\n');
                last.push_str(text);
            }
            None => entry.changes.push(text.trim_start().to_owned()),
        }
        self.continues = true;
    }

    fn debian(&mut self, line: &str) {
        if line.is_empty() {
            self.continues = false;
        } else if let Some(trailer) = line.strip_prefix(" -- ") {
            if !self.is_open {
                return self.wrong("a signature (` -- `) without an entry above it");
            }
            self.is_open = false;
            let Some((author, date)) = trailer.split_once("  ").filter(|(author, _)| is_author(author))
            else {
                return self.wrong(
                    "a signature is written as ` -- Name <address>  Wed, 01 May 2024 12:00:00 +0000`",
                );
            };
            if let Some(entry) = self.entries.last_mut() {
                entry.author = author.to_owned();
            }
            let parsed = jiff::fmt::rfc2822::parse(date.trim()).ok();
            self.close(parsed.and_then(|date| Timestamp::from_unix(date.timestamp().as_second())));
        } else if let Some(change) = line.strip_prefix("  ") {
            if !self.is_open {
                return self.wrong("a change without an entry above it");
            }
            match change.strip_prefix("* ") {
                Some(change) => self.change(change, true),
                None => self.change(change.strip_prefix("  ").unwrap_or(change), false),
            }
        } else if line.starts_with([' ', '\t']) {
            self.wrong("a change is indented by two blanks, a signature starts with ` -- `");
        } else {
            if self.is_open {
                self.wrong("the entry above has no signature: ` -- Name <address>  date`");
            }
            let heading = line.split_once(" (").and_then(|(name, rest)| {
                let (version, rest) = rest.split_once(") ")?;
                let (distributions, urgency) = rest.split_once(';')?;
                let is_word = |text: &str| !text.is_empty() && !text.contains([' ', '\t', '(', ')']);
                (is_word(name)
                    && is_version(version)
                    && !distributions.trim().is_empty()
                    && urgency.contains('='))
                .then_some(version)
            });
            match heading {
                Some(version) => self.open(version, ""),
                None => self.wrong("an entry starts with `name (version) distribution; urgency=medium`"),
            }
        }
    }

    fn markdown(&mut self, line: &str, maintainer: &str) {
        if let Some(heading) = line.strip_prefix("## ") {
            self.section.clear();
            self.continues = false;
            let heading = heading.trim();
            self.is_skipping = heading.trim_matches(['[', ']']).eq_ignore_ascii_case("unreleased");
            if self.is_skipping {
                return;
            }
            let heading = heading.strip_suffix("[YANKED]").unwrap_or(heading).trim();
            let parts = heading.rsplit_once(" - ").or_else(|| heading.rsplit_once(" \u{2013} "));
            let parsed = parts.and_then(|(version, date)| {
                let version = version.trim().trim_start_matches('[');
                // `[1.2.0](https://…)` is a version, too.
                let version = version.split(']').next()?;
                Some((version.to_owned(), date.trim().parse::<Date>().ok()?))
            });
            match parsed {
                Some((version, date)) if is_version(&version) => {
                    self.open(&version, maintainer);
                    let noon = date.at(12, 0, 0, 0).to_zoned(TimeZone::UTC).ok();
                    self.close(noon.and_then(|noon| Timestamp::from_unix(noon.timestamp().as_second())));
                }
                _ => {
                    self.is_skipping = true;
                    self.wrong("a version's heading is written as `## [1.2.0] - 2024-05-01`");
                }
            }
        } else if let Some(section) = line.strip_prefix("### ") {
            self.section = format!("{}: ", section.trim());
            self.continues = false;
        } else if !self.is_open || self.is_skipping || is_link_definition(line) {
        } else if line.trim().is_empty() {
            self.continues = false;
        } else if let Some(change) = line.strip_prefix("- ").or_else(|| line.strip_prefix("* ")) {
            let change = format!("{}{}", self.section, change.trim());
            self.change(&change, true);
        } else {
            self.change(line.strip_prefix("  ").unwrap_or(line), false);
        }
    }

    fn finish(mut self, is_markdown: bool) -> Result<Vec<ChangelogEntry>, Vec<LineError>> {
        if self.is_open && !is_markdown {
            self.wrong("the last entry has no signature: ` -- Name <address>  date`");
        }
        if self.entries.is_empty() && self.errors.is_empty() {
            self.line = 1;
            self.wrong("there is no entry: neither `## [1.2.0] - 2024-05-01` nor one in Debian's form");
        }
        let is_bad = |c: char| c.is_control() && c != '\n' && c != '\t';
        if self.entries.iter().flat_map(|entry| &entry.changes).any(|change| change.contains(is_bad)) {
            self.line = 1;
            self.wrong("a change holds a control character");
        }
        if self.errors.is_empty() { Ok(self.entries) } else { Err(self.errors) }
    }
}

fn is_version(version: &str) -> bool {
    let is_known = |c: char| c.is_ascii_alphanumeric() || ".+-~:^_".contains(c);
    !version.is_empty() && version.chars().all(is_known)
}

fn is_author(author: &str) -> bool {
    let address = author.split_once(" <").and_then(|(name, rest)| Some((name, rest.strip_suffix('>')?)));
    address.is_some_and(|(name, address)| {
        !name.trim().is_empty() && address.contains('@') && !address.contains(['<', '>', ' '])
    })
}

/// `[1.2.0]: https://…`, which Markdown does not show.
fn is_link_definition(line: &str) -> bool {
    line.starts_with('[') && line.split_once("]: ").is_some_and(|(_, link)| !link.contains(' '))
}

/// The entries of a package, the first for its own version: the project's newest entry, when that is what is
/// packaged, else one that only names the version. `version` is the format's spelling.
pub(crate) fn of_package(metadata: &Metadata, version: &str, built: Timestamp) -> Vec<ChangelogEntry> {
    let mut entries = metadata.changelog.clone();
    let project = metadata.version.elements.as_ref().map(|elements| elements.version.as_str());
    match entries.first_mut() {
        Some(newest) if newest.version == version => {}
        Some(newest)
            if newest.version == metadata.version.version || Some(newest.version.as_str()) == project =>
        {
            version.clone_into(&mut newest.version);
        }
        newest => {
            let time = newest.map_or(built, |newest| built.max(newest.time));
            let author = metadata.maintainer.trim().to_owned();
            let changes = vec![format!("Release {version}.")];
            entries.insert(0, ChangelogEntry { version: version.into(), time, author, changes });
        }
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::*;

    const BY: &str = "Jane Doe <jane@example.com>";

    fn shown(text: &str) -> String {
        match parse(text, BY) {
            Ok(entries) => entries
                .iter()
                .map(|entry| {
                    format!("{} {} {}: {:?}\n", entry.version, entry.time, entry.author, entry.changes)
                })
                .collect(),
            Err(errors) => errors.iter().map(|error| format!("{error}\n")).collect(),
        }
    }

    #[test]
    fn debians_form_is_read() {
        let text = "\
hello (1:1.2.0-1) stable testing; urgency=medium

  [ Ann ]
  * Says hello
    more politely:
    - to everyone
  * Is faster.

 -- Jane Doe <jane@example.com>  Wed, 01 May 2024 14:00:00 +0200

hello (1.1) stable; urgency=low, binary-only=yes

  * First.

 -- A B <a@example.com>  Mon, 01 Jan 2024 00:00:00 +0000
";
        insta::assert_snapshot!(shown(text), @r#"
        1:1.2.0-1 2024-05-01T12:00:00Z Jane Doe <jane@example.com>: ["[ Ann ]", "Says hello\nmore politely:\n- to everyone", "Is faster."]
        1.1 2024-01-01T00:00:00Z A B <a@example.com>: ["First."]
        "#);
    }

    #[test]
    fn every_wrong_line_of_debians_form_is_named() {
        let text = "  * Too early.
hello 1.2 stable; urgency=low
hello (1.2) stable; urgency=low
 * One blank.
 -- Jane Doe <jane@example.com> Wed, 01 May 2024 14:00:00 +0200
hello (1.1) stable; urgency=low
  * x
hello (1.0) stable; urgency=low
 -- Jane Doe <jane@example.com>  Wed, 31 Feb 2024 14:00:00 +0200
hello (0.9) stable; urgency=low
 -- Jane <jane>  Wed, 01 May 2024 14:00:00 +0200
";
        insta::assert_snapshot!(shown(text), @r"
        line 1: a change without an entry above it
        line 2: an entry starts with `name (version) distribution; urgency=medium`
        line 4: a change is indented by two blanks, a signature starts with ` -- `
        line 5: a signature is written as ` -- Name <address>  Wed, 01 May 2024 12:00:00 +0000`
        line 8: the entry above has no signature: ` -- Name <address>  date`
        line 9: it has no date between 1970 and 2106
        line 11: a signature is written as ` -- Name <address>  Wed, 01 May 2024 12:00:00 +0000`
        ");
        assert_eq!(
            shown("a (1) b; urgency=low\n"),
            "line 1: the last entry has no signature: ` -- Name <address>  date`\n"
        );
    }

    #[test]
    fn keep_a_changelog_is_read() {
        let text = "\
# Changelog

All notable changes.

## [Unreleased]
- Not yet.

## [1.2.0] - 2024-05-01
A word in advance.

### Added
- Politeness,
  of a kind.
* More.

### Removed

- Nothing.

## 1.1.0 - 2024-01-01 [YANKED]

[1.2.0]: https://example.com/1.2.0
";
        insta::assert_snapshot!(shown(text), @r#"
        1.2.0 2024-05-01T12:00:00Z Jane Doe <jane@example.com>: ["A word in advance.", "Added: Politeness,\nof a kind.", "Added: More.", "Removed: Nothing."]
        1.1.0 2024-01-01T12:00:00Z Jane Doe <jane@example.com>: []
        "#);
    }

    #[test]
    fn every_wrong_line_of_keep_a_changelog_is_named() {
        let text = "# C\n## 1.2\n- x\n## [1.1] - May 2024\n## [1.0] - 2023-01-01\n## [0.9] - 2024-01-01\n";
        insta::assert_snapshot!(shown(text), @r"
        line 2: a version's heading is written as `## [1.2.0] - 2024-05-01`
        line 4: a version's heading is written as `## [1.2.0] - 2024-05-01`
        line 6: it is later than the entry above it
        ");
        assert!(shown("# C\n").starts_with("line 1: there is no entry"));
        assert!(shown("").starts_with("line 1: there is no entry"));
    }
}

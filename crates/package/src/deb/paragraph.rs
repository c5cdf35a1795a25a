//! Reads the `control` member: one paragraph of deb822(5), strictly.
//!
//! A package index is many such paragraphs, put together from packages of others: a second paragraph, a field
//! twice, or a field that only an index has, would speak for a package that it does not come with. dpkg and apt
//! differ in what they make of them (which of two fields counts), so that they are refused.

use std::collections::BTreeSet;

use crate::Result;
use crate::archive::part::{Part, shown};

const PART: Part = Part { format: "deb", name: "control" };

/// Fields that a package index adds (deb-control(5) has none of them), and dpkg's own of its database.
const FORBIDDEN: [&str; 11] = [
    "Filename",
    "Size",
    "MD5sum",
    "SHA1",
    "SHA256",
    "SHA512",
    "Description-md5",
    "Status",
    "Config-Version",
    "Conffiles",
    "MSDOS-Filename",
];

/// Names and values, in their order; names are told apart without case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Paragraph(Vec<(String, String)>);

impl Paragraph {
    /// Reads the only paragraph of `bytes`. A value's further lines keep their first blank.
    ///
    /// # Errors
    /// When there is another, when it breaks deb822(5), and when it has a field that no package has.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Paragraph> {
        let text = std::str::from_utf8(bytes).map_err(|_| PART.malformed("it is not UTF-8"))?;
        if text.chars().any(|c| c.is_control() && c != '\n' && c != '\t') {
            return Err(PART.malformed("it has a control character"));
        }
        // dpkg asks for it, too (`lib/dpkg/parse.c`): "missing final newline".
        let Some(text) = text.strip_suffix('\n') else {
            return Err(PART.malformed("its last line has no end"));
        };
        let mut fields: Vec<(String, String)> = Vec::new();
        let mut names = BTreeSet::new();
        for line in text.trim_end_matches('\n').split('\n') {
            if line.trim().is_empty() {
                return Err(PART.malformed("it has an empty line, which would end the paragraph"));
            }
            if line.starts_with([' ', '\t']) {
                let Some((_, value)) = fields.last_mut() else {
                    return Err(PART.malformed("it starts with a line that continues another"));
                };
                value.push('\n');
                value.push_str(line.trim_end());
                continue;
            }
            let shown = || shown(line.as_bytes());
            let Some((name, value)) = line.split_once(':') else {
                return Err(PART.malformed(format!("a line is no field: `{}`", shown())));
            };
            let is_name = !name.is_empty()
                && !name.starts_with(['#', '-'])
                && name.bytes().all(|byte| byte.is_ascii_graphic());
            if !is_name {
                return Err(PART.malformed(format!("a line is no field: `{}`", shown())));
            }
            if !names.insert(name.to_ascii_lowercase()) {
                return Err(PART.malformed(format!("the field `{name}` comes twice")));
            }
            if FORBIDDEN.iter().any(|forbidden| forbidden.eq_ignore_ascii_case(name)) {
                return Err(
                    PART.malformed(format!("the field `{name}` belongs to an index, not to a package"))
                );
            }
            fields.push((name.to_owned(), value.trim().to_owned()));
        }
        Ok(Paragraph(fields))
    }

    /// Removes a field and returns its value; `None` when it is missing or empty.
    pub(crate) fn take(&mut self, name: &str) -> Option<String> {
        let place = self.0.iter().position(|(known, _)| known.eq_ignore_ascii_case(name))?;
        Some(self.0.remove(place).1).filter(|value| !value.is_empty())
    }

    /// As [`Paragraph::take`], for a field that must be there.
    ///
    /// # Errors
    /// When it is not.
    pub(crate) fn require(&mut self, name: &str) -> Result<String> {
        self.take(name).ok_or_else(|| PART.malformed(format!("it has no field `{name}`")))
    }

    /// Removes a list of relations, each on one line.
    pub(crate) fn take_relations(&mut self, name: &str) -> Vec<String> {
        let list = self.take(name).unwrap_or_default();
        let relations = list.split(',').map(|relation| {
            let words: Vec<&str> = relation.split_whitespace().collect();
            words.join(" ")
        });
        relations.filter(|relation| !relation.is_empty()).collect()
    }

    /// The fields that were not taken.
    pub(crate) fn into_rest(self) -> Vec<(String, String)> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_continue_on_lines_that_start_with_a_blank() {
        let mut paragraph = Paragraph::parse(
            b"Package: hello\nDepends: a (>= 1),\n b |\n  c,\nDescription: d\n e\n .\n  f\nEmpty:\n",
        )
        .unwrap();
        assert_eq!(paragraph.take("package").unwrap(), "hello");
        assert_eq!(paragraph.take_relations("Depends"), ["a (>= 1)", "b | c"]);
        assert_eq!(paragraph.take("Description").unwrap(), "d\n e\n .\n  f");
        assert_eq!(paragraph.take("Empty"), None);
        assert!(paragraph.require("Version").is_err());
    }

    #[test]
    fn what_deb822_does_not_have_is_refused() {
        let cases: [(&[u8], &str); 14] = [
            (b"", "no end"),
            (b"\n", "empty line"),
            (b"\nPackage: a\n", "empty line"),
            (b"Package: a", "no end"),
            (b"Package: a\n\nPackage: b\n", "empty line"),
            (b"Package: a\n \nDepends: b\n", "empty line"),
            (b"Package: a\npackage: b\n", "twice"),
            (b" Package: a\n", "continues another"),
            (b"Package\n", "no field"),
            (b"# comment: a\n", "no field"),
            (b"Pack age: a\n", "no field"),
            (b"Package: a\r\n", "control character"),
            (b"Package: \xff\n", "UTF-8"),
            (b"Package: a\nsha256: 00\n", "belongs to an index"),
        ];
        for (text, reason) in cases {
            let error = Paragraph::parse(text).unwrap_err().to_string();
            assert!(error.contains(reason), "{error} is not {reason}");
        }
    }
}

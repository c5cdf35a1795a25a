//! `[sign] retiring-…`: the key that is being replaced and still signs, and how a project file comes to name it.
//!
//! A rotation is a state of the project, in the file that everybody sees and reviews: while `[sign]` names a retiring
//! key, both sign.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::file::{ProjectFile, SignSettings};
use crate::{Problem, Problems, SigningKey, SourceFile};

/// A key that still signs, beside the one that takes its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retiring {
    /// The key.
    pub key: SigningKey,
    /// A file with its pass phrase.
    pub passphrase_file: Option<PathBuf>,
    /// For how many days both sign, from the first package that the new key signed.
    pub days: u32,
}

/// A quarter of a year: customers who update once a month have three occasions to get the new key.
pub const RETIRING_DAYS: u32 = 90;

/// The longest window: after ten years nobody remembers why two keys sign.
const MOST_DAYS: i64 = 3650;

/// The retiring key, as the project says.
pub(crate) fn retiring(sign: &SignSettings, root: &Path) -> Result<Option<Retiring>, Problems> {
    let mut problems = Problems::default();
    let key = match (&sign.retiring_key, &sign.retiring_key_file) {
        (Some(_), Some(file)) => {
            let message = "[sign] names two retiring keys: `retiring-key` and `retiring-key-file`";
            problems.push(Problem::at(&file.place, message).help("keep the one that signed until now"));
            None
        }
        (Some(key), None) => Some(SigningKey::Fingerprint(key.value.clone())),
        (None, Some(file)) => Some(SigningKey::File(root.join(&file.value))),
        (None, None) => None,
    };
    if key.is_none() && problems.is_empty() {
        let places = [
            ("retiring-passphrase-file", sign.retiring_passphrase_file.as_ref().map(|it| &it.place)),
            ("retiring-days", sign.retiring_days.as_ref().map(|it| &it.place)),
        ];
        for (name, place) in places {
            if let Some(place) = place {
                let message = format!("[sign] has `{name}` and no retiring key");
                let help = "name it with retiring-key or retiring-key-file, or take this out";
                problems.push(Problem::at(place, message).help(help));
            }
        }
    }
    let days = match &sign.retiring_days {
        None => RETIRING_DAYS,
        Some(days) => match u32::try_from(days.value) {
            Ok(number) if (1..=MOST_DAYS).contains(&days.value) => number,
            _ => {
                let problem = Problem::at(&days.place, format!("{} is no number of days", days.value));
                problems.push(problem.help(format!("from 1 to {MOST_DAYS}")));
                RETIRING_DAYS
            }
        },
    };
    let passphrase_file = sign.retiring_passphrase_file.as_ref().map(|file| root.join(&file.value));
    problems.or(key.map(|key| Retiring { key, passphrase_file, days }))
}

/// The text of a project file whose `[sign]` has other keys: those named in `remove` are taken out, and the pairs of
/// `add` come first in the section. Everything else stays as it is, comments, too.
///
/// `None` when that cannot be done line by line, as in `sign = { key = "…" }`; then somebody must do it by hand.
pub fn with_sign_keys(text: &str, remove: &[&str], add: &[(&str, String)]) -> Option<String> {
    let mut lines: Vec<String> = text.split_inclusive('\n').map(str::to_owned).collect();
    let is_header = |line: &String| line.split('#').next().unwrap_or_default().trim() == "[sign]";
    let start = match lines.iter().position(is_header) {
        Some(start) => start + 1,
        None => {
            if lines.last().is_some_and(|line| !line.ends_with('\n')) {
                lines.push("\n".into());
            }
            lines.push("\n[sign]\n".into());
            lines.len()
        }
    };
    let length = lines[start..].iter().position(|line| line.trim_start().starts_with('['));
    let end = length.map_or(lines.len(), |length| start + length);
    let key_of = |line: &str| line.split_once('=').map(|(key, _)| key.trim().to_owned());
    let mut section: Vec<String> = lines.drain(start..end).collect();
    section.retain(|line| key_of(line).is_none_or(|key| !remove.contains(&&*key)));
    let added = add.iter().map(|(key, value)| format!("{key} = {}\n", toml_string(value)));
    let section: Vec<String> = added.chain(section).collect();
    lines.splice(start..start, section);
    let edited: String = lines.concat();

    // What was meant is what is read.
    let source = SourceFile { path: PathBuf::from("dist/packhouse.toml"), text: Arc::from(&*edited) };
    let (file, problems) = ProjectFile::parse(source);
    let value = |key: &str| -> Option<String> {
        let sign = &file.sign;
        let values = [
            ("key", &sign.key),
            ("key-file", &sign.key_file),
            ("passphrase-file", &sign.passphrase_file),
            ("retiring-key", &sign.retiring_key),
            ("retiring-key-file", &sign.retiring_key_file),
            ("retiring-passphrase-file", &sign.retiring_passphrase_file),
        ];
        let (_, value) = values.into_iter().find(|(name, _)| *name == key)?;
        value.as_ref().map(|value| value.value.clone())
    };
    let is_added = add.iter().all(|(key, wanted)| value(key).as_ref() == Some(wanted));
    let is_gone = |key: &&str| add.iter().any(|(added, _)| added == key) || value(key).is_none();
    (problems.is_empty() && is_added && remove.iter().all(is_gone)).then_some(edited)
}

/// A basic string of TOML.
fn toml_string(value: &str) -> String {
    let mut text = String::from("\"");
    for character in value.chars() {
        match character {
            '"' | '\\' => text.extend(['\\', character]),
            character if character.is_control() => {
                text.push_str(&format!("\\u{:04X}", u32::from(character)));
            }
            character => text.push(character),
        }
    }
    text.push('"');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "name = \"hello\"\n\n[sign]   # who\nkey = \"OLD\" # the old one\nkeyring = \"k\"\n\n[publish]\nto = \"s\"\n";

    #[test]
    fn keys_of_the_section_are_exchanged_and_the_rest_stays() {
        let add = [("key-file", "../new \"x\"".to_owned()), ("retiring-key", "OLD".to_owned())];
        let edited = with_sign_keys(TEXT, &["key"], &add).unwrap();
        assert_eq!(
            edited,
            "name = \"hello\"\n\n[sign]   # who\nkey-file = \"../new \\\"x\\\"\"\nretiring-key = \"OLD\"\nkeyring = \"k\"\n\n\
             [publish]\nto = \"s\"\n"
        );
        let back = with_sign_keys(&edited, &["retiring-key"], &[]).unwrap();
        assert!(!back.contains("OLD") && back.contains("keyring = \"k\""));
    }

    #[test]
    fn a_file_without_the_section_gets_one() {
        let edited = with_sign_keys("name = \"x\"", &[], &[("key", "A".to_owned())]).unwrap();
        assert_eq!(edited, "name = \"x\"\n\n[sign]\nkey = \"A\"\n");
    }

    #[test]
    fn what_cannot_be_edited_by_lines_is_left_to_people() {
        for text in
            ["sign = { key = \"OLD\" }\n", "sign.key = \"OLD\"\n", "[sign]\n\"key\" = \"OLD\"\n", "[sign\n"]
        {
            assert_eq!(with_sign_keys(text, &["key"], &[("key-file", "f".to_owned())]), None, "{text}");
        }
    }
}

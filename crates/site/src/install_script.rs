//! `install.sh`: downloads, verifies and installs the newest package on a customer's machine.
//!
//! A POSIX shell script, run as root by strangers, often straight from `curl`. What differs between sites is a
//! block of assignments at its top, made by [`Assignments`]: each value was checked against a list of
//! characters and is single-quoted (POSIX.1-2017, *Shell Command Language*, 2.2.2), so that it is data whatever
//! it holds. All else is the fixed text of `templates/install.sh`, which explains itself.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use packhouse_publish::{Head, layout};

use crate::{Error, Location, Result, SiteInfo};

const TEMPLATE: &str = include_str!("../templates/install.sh");
const MARKER: &str = "@values@\n";

/// What os-release(5) calls distributions whose directories have another name; each line is an `ID` and names
/// that directories have for it. A directory that has the `ID`'s own name needs no line.
const OTHER_NAMES: [(&str, &[&str]); 8] = [
    ("almalinux", &["alma", "alma-linux"]),
    ("amzn", &["amazon-linux", "amazonlinux", "amazon"]),
    ("arch", &["archlinux", "arch-linux"]),
    ("ol", &["oracle-linux", "oraclelinux", "oracle"]),
    ("opensuse-leap", &["opensuse", "leap"]),
    ("rhel", &["redhat", "red-hat", "redhat-enterprise-linux"]),
    ("rocky", &["rockylinux", "rocky-linux"]),
    ("sles", &["suse", "suse-linux-enterprise"]),
];

/// The text of `install.sh`.
///
/// # Errors
/// When the site's address has characters that do not belong into one. The head was checked when it was read.
pub fn install_script(head: &Head, info: &SiteInfo) -> Result<String> {
    let mut targets = BTreeSet::new();
    let mut offers = BTreeSet::new();
    for latest in &head.latest {
        let (distribution, version) = (&latest.distribution, &latest.distribution_version);
        offers.insert(format!("{} {} {}", latest.target, latest.arch, latest.channel));
        targets.insert(format!("target:{} {distribution} {version}", latest.target));
        targets.insert(format!("{distribution}:{version} {distribution} {version}"));
        for (id, _) in OTHER_NAMES.iter().filter(|(_, names)| names.contains(&distribution.as_str())) {
            targets.insert(format!("{id}:{version} {distribution} {version}"));
        }
    }
    let mut values = Assignments::default();
    values.assign("name", &head.name, is_word)?;
    values.assign("site", info.location.checked()?, |_| true)?;
    values.assign("keyring_sha256", &info.keyring_sha256.to_string(), |digit| digit.is_ascii_hexdigit())?;
    let mut expiries = BTreeSet::new();
    for key in &info.keys {
        if key.fingerprint.is_empty() || !key.fingerprint.chars().all(|digit| digit.is_ascii_hexdigit()) {
            let (value, reason) = (key.fingerprint.clone(), "it is not hexadecimal digits");
            return Err(Error::Value { field: "key fingerprint", value, reason });
        }
        expiries.extend(key.expires.map(|end| format!("{} {end}", key.fingerprint.to_ascii_uppercase())));
    }
    values.comment("until when keys are valid");
    values.assign_lines("expiries", &expiries)?;
    values.comment("what an os-release ID and version mean here, and what there is");
    values.assign_lines("targets", &targets)?;
    values.assign_lines("offers", &offers)?;

    let (before, after) = TEMPLATE.split_once(MARKER).expect("the template has its marker");
    Ok(format!("{before}{}{after}", values.0))
}

/// What customers type to install from a channel: one line for a POSIX shell.
///
/// # Errors
/// As [`install_script`], or when the channel is not a word.
pub fn install_command(info: &SiteInfo, channel: &str) -> Result<String> {
    let site = info.location.checked()?;
    if channel.is_empty() || !channel.chars().all(is_word) {
        let reason = "it has a character that does not belong there";
        return Err(Error::Value { field: "channel", value: channel.to_owned(), reason });
    }
    let script = format!("{site}/install.sh");
    let is_plain = |character: char| is_word(character) || "/~@:".contains(character);
    let script = if script.chars().all(is_plain) { script } else { quote(&script) };
    Ok(match (&info.location, channel) {
        (Location::Url(_), layout::STABLE) => format!("curl -fsSL {script} | sh"),
        (Location::Url(_), _) => format!("curl -fsSL {script} | sh -s -- --channel {channel}"),
        (Location::Directory(_), layout::STABLE) => format!("sh {script}"),
        (Location::Directory(_), _) => format!("sh {script} --channel {channel}"),
    })
}

fn is_word(character: char) -> bool {
    character.is_ascii_alphanumeric() || "._+-".contains(character)
}

/// Shell assignments of single-quoted text.
#[derive(Default)]
struct Assignments(String);

impl Assignments {
    fn assign(&mut self, name: &'static str, value: &str, is_allowed: impl Fn(char) -> bool) -> Result<()> {
        let reason = match value {
            "" => "it is empty",
            _ if !value.chars().all(is_allowed) => "it has a character that does not belong there",
            _ => {
                writeln!(self.0, "{name}={}", quote(value)).expect("text takes text");
                return Ok(());
            }
        };
        Err(Error::Value { field: name, value: value.to_owned(), reason })
    }

    /// A list, each line of it between line breaks, so that `*"$newline$line$newline"*` finds one.
    fn assign_lines(&mut self, name: &'static str, lines: &BTreeSet<String>) -> Result<()> {
        let text: String = lines.iter().flat_map(|line| ["\n", line]).collect::<String>() + "\n";
        self.assign(name, &text, |character| is_word(character) || " :_\n".contains(character))
    }

    fn comment(&mut self, text: &'static str) {
        writeln!(self.0, "# {text}").expect("text takes text");
    }
}

fn quote(value: &str) -> String {
    format!("'{}'", value.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_text_is_one_word_whatever_it_holds() {
        assert_eq!(quote("a b"), "'a b'");
        assert_eq!(quote("it's $(id)"), r"'it'\''s $(id)'");
    }

    #[test]
    fn an_assignment_with_other_characters_is_refused() {
        let mut values = Assignments::default();
        for bad in ["", "a b", "a'b", "$(id)", "a\nb", "`id`", "é"] {
            assert!(values.assign("name", bad, is_word).is_err(), "{bad:?}");
        }
        assert_eq!(values.0, "");
    }
}

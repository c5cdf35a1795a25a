//! `[sign]`: which key signs, and by what.
//!
//! docs/reference/packhouse-toml.md is the reference. Exactly one of three: a key that GnuPG holds (`key`), a file
//! (`key-file`), or a program (`command`) that signs with the key that `key` names.

use std::path::{Path, PathBuf};

use crate::file::SignSettings;
use crate::reader::{Located, nearest};
use crate::{Problem, Problems};

/// Who signs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SigningKey {
    /// A key that GnuPG holds, by its fingerprint.
    Fingerprint(String),
    /// A file with the secret key.
    File(PathBuf),
    /// A program that signs.
    Command(SigningCommand),
}

/// A program that signs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SigningCommand {
    /// The fingerprint of the key that it signs with.
    pub fingerprint: String,
    /// The program and its arguments.
    pub words: Vec<String>,
    /// Whether it gets the content instead of the digest.
    pub wants_data: bool,
    /// How many seconds one signature may take.
    pub timeout: u32,
    /// The variables of the caller's environment that it gets besides those that every program does.
    pub environment: Vec<String>,
}

/// Two minutes: a key service answers within seconds, and somebody who has to touch a token within one.
const DEFAULT_TIMEOUT: u32 = 120;

/// An hour: who approves by hand has to be at hand.
const LONGEST_TIMEOUT: i64 = 3600;

/// How variables begin that are no other program's business: keys and pass phrases.
const OURS: &str = "PACKHOUSE_";

/// Who signs, as the project says.
pub(crate) fn signing_key(sign: &SignSettings, root: &Path) -> Result<Option<SigningKey>, Problems> {
    if let Some(words) = &sign.command {
        return command(sign, words).map(|command| Some(SigningKey::Command(command)));
    }
    let mut problems = Problems::default();
    if let (Some(_), Some(file)) = (&sign.key, &sign.key_file) {
        let problem = Problem::at(&file.place, "[sign] names two keys: `key` and `key-file`");
        problems.push(problem.help("keep the one that signs"));
    }
    let without = [
        ("command-input", sign.command_input.as_ref().map(|input| &input.place)),
        ("command-timeout", sign.command_timeout.as_ref().map(|timeout| &timeout.place)),
        (
            "command-environment",
            sign.command_environment.as_ref().and_then(|names| Some(&names.first()?.place)),
        ),
    ];
    for (key, place) in without {
        if let Some(place) = place {
            let problem = Problem::at(place, format!("[sign] has `{key}` and no `command`"));
            problems.push(problem.help("name the program that signs: command = [\"program\", \"argument\"]"));
        }
    }
    problems.or(match (&sign.key, &sign.key_file) {
        (Some(key), _) => Some(SigningKey::Fingerprint(key.value.clone())),
        (None, Some(file)) => Some(SigningKey::File(root.join(&file.value))),
        (None, None) => None,
    })
}

fn command(sign: &SignSettings, words: &[Located<String>]) -> Result<SigningCommand, Problems> {
    let mut problems = Problems::default();
    let place = words.first().map(|word| &word.place);
    if let (None, Some(place)) = (&sign.key, place) {
        let problem = Problem::at(place, "[sign] has a `command` and does not say whose key it signs with");
        problems.push(
            problem.help("add key = \"…\", its fingerprint; its public part is taken from the keyring"),
        );
    }
    for (key, other) in [("key-file", &sign.key_file), ("passphrase-file", &sign.passphrase_file)] {
        if let Some(other) = other {
            let problem = Problem::at(&other.place, format!("[sign] has both `command` and `{key}`"));
            problems.push(
                problem.help("a program that signs gets no key and no pass phrase; keep one of the two"),
            );
        }
    }
    let wants_data = match sign.command_input.as_ref().map(|input| (&*input.value, &input.place)) {
        None | Some(("digest", _)) => false,
        Some(("data", _)) => true,
        Some((other, place)) => {
            let problem = Problem::at(place, format!("`{}` is no input of a command", other.escape_debug()));
            let near = nearest(other, ["digest", "data"]);
            problems.push(problem.help(near.map_or_else(
                || "`digest`, for a program that answers with a value; `data`, for one as gpg".to_owned(),
                |near| format!("did you mean `{near}`?"),
            )));
            false
        }
    };
    let timeout = match &sign.command_timeout {
        None => DEFAULT_TIMEOUT,
        Some(timeout) if (1..=LONGEST_TIMEOUT).contains(&timeout.value) => {
            u32::try_from(timeout.value).unwrap_or(DEFAULT_TIMEOUT)
        }
        Some(timeout) => {
            let problem =
                Problem::at(&timeout.place, format!("{} is no time limit for a signature", timeout.value));
            problems.push(problem.help(format!("seconds, from 1 to {LONGEST_TIMEOUT}")));
            DEFAULT_TIMEOUT
        }
    };
    for name in sign.command_environment.iter().flatten() {
        if name.value.starts_with(OURS) {
            let problem =
                Problem::at(&name.place, format!("`{}` is not handed to other programs", name.value));
            problems.push(problem.help("keep what the command needs in a variable of its own"));
        } else if name.value.is_empty() || name.value.contains(['=', '\0']) {
            let problem = Problem::at(&name.place, "this is not the name of a variable");
            problems.push(problem.help("name it alone, as in \"AWS_PROFILE\"; its value is the caller's"));
        }
    }
    problems.or(SigningCommand {
        fingerprint: sign.key.as_ref().map(|key| key.value.clone()).unwrap_or_default(),
        words: words.iter().map(|word| word.value.clone()).collect(),
        wants_data,
        timeout,
        environment: sign.command_environment.iter().flatten().map(|name| name.value.clone()).collect(),
    })
}

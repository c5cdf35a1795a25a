//! Shell text that embeds the project's scripts in a generated scriptlet or maintainer script.
//!
//! dpkg and rpm call one script for several moments, so a generated `/bin/sh` text decides which of the
//! project's scripts runs. [`Functions`] is the part of that text that holds the scripts, one shell function
//! each; the format adds the part that decides. Each function runs its script as a process of its own, by the
//! script's own interpreter with the argument of its `#!` line, passes `"$@"` on and returns its exit status.
//!
//! | interpreter | form of the function |
//! |---|---|
//! | a POSIX shell | `/bin/sh -eu -c 'text' name "$@"` |
//! | anything else, or a text beyond 100 kB | a here-document into a temporary file, `interpreter argument file "$@"` |
//!
//! Why not paste the text into the function's body, as fpm does? The text could break what is around it: a
//! here-document or quote left open swallows the rest, and a line that is not shell (behind `exit 0`, or a
//! plain mistake) makes the *whole* scriptlet unparsable, so that a package could neither be upgraded nor
//! removed; and no check short of a shell's parser can tell. Quoted, a text is opaque. `sh -c` then reads it
//! command by command as it would read the file, errors stay the script's own, and `set -e` cannot be switched
//! off by the context that the caller runs it in (POSIX, `set -e`, "the command being in a condition").
//! It needs no tool, no writable directory and leaves standard input alone. The price is `'\''` for a quote.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::Script;

/// The longest text passed as an argument. Linux allows 128 KiB (`MAX_ARG_STRLEN`, execve(2)).
const LONGEST_ARGUMENT: usize = 100_000;

/// Shell functions that run scripts.
#[derive(Debug)]
pub(crate) struct Functions {
    interpreter: String,
    text: String,
    programs: BTreeSet<String>,
    uses_files: bool,
}

impl Functions {
    /// A function for each pair of name and script, in the order given. Names are shell identifiers, as in
    /// `before_install`; error messages of a shell show them with dashes.
    pub(crate) fn new<'a>(scripts: impl IntoIterator<Item = (&'a str, &'a Script)>) -> Functions {
        let mut shells = BTreeSet::new();
        let mut functions = Functions {
            interpreter: "/bin/sh".into(),
            // The text is what the project wrote: its quotes, `$` and backslashes are as meant.
            text: "# shellcheck disable=SC1003,SC1004,SC1078,SC1079,SC2016,SC2026\n".into(),
            programs: BTreeSet::new(),
            uses_files: false,
        };
        for (name, script) in scripts {
            let interpreter = script.interpreter();
            functions.programs.insert(interpreter.to_owned());
            shells.insert(is_shell(interpreter).then_some(interpreter));
            match shell_flags(script) {
                Some(flags) if script.text().len() <= LONGEST_ARGUMENT => {
                    functions.push_argument(name, script, flags);
                }
                _ => functions.push_file(name, script),
            }
        }
        // One shell for the scripts and for what decides between them: one dependency, not two.
        if let [Some(shell)] = shells.into_iter().collect::<Vec<_>>()[..] {
            functions.interpreter = shell.to_owned();
        }
        functions
    }

    /// Interprets the text: the scripts' own shell when they share one, else `/bin/sh`.
    pub(crate) fn interpreter(&self) -> &str {
        &self.interpreter
    }

    /// The functions, ending in a line break.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Every program that runs a script, sorted; the package depends on them.
    pub(crate) fn programs(&self) -> impl Iterator<Item = &str> {
        self.programs.iter().map(String::as_str)
    }

    /// Whether `cat`, `mktemp` and `rm` are needed.
    pub(crate) fn uses_files(&self) -> bool {
        self.uses_files
    }

    fn push_argument(&mut self, name: &str, script: &Script, flags: &str) {
        let (interpreter, label) = (script.interpreter(), name.replace('_', "-"));
        let space = if flags.is_empty() { "" } else { " " };
        // The line break stands for the `#!` line, so that a shell's error messages name the script's lines.
        let text = quote(&format!("\n{}", script.text()));
        self.push(format_args!("{name}() {{\n{interpreter}{space}{flags} -c {text} {label} \"$@\"\n}}\n"));
    }

    fn push_file(&mut self, name: &str, script: &Script) {
        self.uses_files = true;
        let interpreter = quote(script.interpreter());
        let argument = script.argument().map(|argument| format!(" {}", quote(argument))).unwrap_or_default();
        let text = script.text();
        let end = delimiter(text);
        let line_break = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
        // A subshell, so that its trap is its own. `trap` keeps the exit status of what ran last.
        self.push(format_args!(
            "{name}() (\nfile=$(mktemp) || exit\ntrap 'rm -f \"$file\"' EXIT\ncat >\"$file\" <<'{end}' || exit\n\
             {text}{line_break}{end}\n{interpreter}{argument} \"$file\" \"$@\"\n)\n"
        ));
    }

    fn push(&mut self, text: std::fmt::Arguments<'_>) {
        self.text.write_fmt(text).expect("a String takes any text");
    }
}

/// `text` as one word of a POSIX shell.
pub(crate) fn quote(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:,@%".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

fn is_shell(interpreter: &str) -> bool {
    let Some((directory, name)) = interpreter.rsplit_once('/') else { return false };
    ["/bin", "/usr/bin", "/usr/local/bin"].contains(&directory)
        && ["sh", "bash", "dash", "ksh"].contains(&name)
}

/// The flags that a shell takes in front of `-c`; `None` when it is no shell or its argument is no plain flag.
fn shell_flags(script: &Script) -> Option<&str> {
    if !is_shell(script.interpreter()) {
        return None;
    }
    match script.argument() {
        // The end of options, which protects a script whose own name starts with `-`.
        None | Some("-" | "--") => Some(""),
        Some(argument) => {
            let letters = argument.strip_prefix('-')?;
            // `c`, `o` and `s` say themselves what follows.
            let is_flag = |c: char| c.is_ascii_alphabetic() && !"cosO".contains(c);
            letters.chars().all(is_flag).then_some(argument)
        }
    }
}

/// A line that `text` does not hold.
fn delimiter(text: &str) -> String {
    let mut delimiter = String::from("PACKHOUSE_SCRIPT_ENDS");
    while text.lines().any(|line| line == delimiter) {
        delimiter.push('_');
    }
    delimiter
}

#[cfg(test)]
mod tests;

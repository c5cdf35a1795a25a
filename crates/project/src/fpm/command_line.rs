//! Arguments of the command `packhouse fpm`, read as fpm reads its own (it uses the library clamp).
//!
//! Flags come first: `--flag value`, `--flag=value`, `-f value`, `-fvalue`; switches combine, as in `-fnhello`. The first
//! word that is no flag, or `--`, ends them; everything behind is an input. Of several values of a flag with one, the
//! last counts.
//!
//! Defaults come from the variable `FPMOPTS` and the files `.fpm` in the current and the home directory: flags from there
//! stand in front of the command line, other words behind it.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fs_err as fs;

use super::flags::{self, Flag, Value};
use super::words;
use crate::SourceFile;

/// fpm gives up beyond this size of an options file.
const LARGEST_FILE: u64 = 100 * 1024;

/// Flags and inputs, as given.
#[derive(Clone, Debug, Default)]
pub struct CommandLine {
    given: Vec<(&'static Flag, Given)>,
    /// What is to be packaged.
    pub inputs: Vec<OsString>,
    read: Vec<OptionsFile>,
}

/// A file of flags that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptionsFile {
    /// Its path, as given.
    pub path: PathBuf,
    /// Its lines.
    pub lines: Vec<String>,
}

#[derive(Clone, Debug)]
enum Given {
    Switch(bool),
    Value(String),
}

/// Why a command line cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No flag of fpm's is called that.
    #[error("Unrecognised option '{0}'")]
    Unrecognised(String),
    /// The command line ends where a value should be.
    #[error("option '{0}': no value provided")]
    NoValue(String),
    /// A flag's name or value that is not UTF-8.
    #[error("option '{0}': the value is not UTF-8")]
    NotText(String),
    /// An options file that was read already.
    #[error(
        "Options file already loaded once. Refusing to load a second time. Maybe a file tries to load itself? Path: {}",
        .0.display()
    )]
    ReadTwice(PathBuf),
    /// An options file that is too large to be one.
    #[error(
        "Options file given to --fpm-options-file is seems too large. For safety, fpm is refusing to load this. Path: {} - Size: {size}, maximum allowed size {LARGEST_FILE}.",
        .path.display()
    )]
    TooLarge {
        /// Its path.
        path: PathBuf,
        /// Its size in bytes.
        size: u64,
    },
    /// An options file that cannot be read.
    #[error(transparent)]
    Unreadable(#[from] std::io::Error),
    /// What cannot be split into words as a shell does.
    #[error("{origin}: {reason}")]
    Words {
        /// The file or variable.
        origin: String,
        /// What is wrong.
        reason: String,
    },
    /// An input where only flags belong.
    #[error("{origin}: `{word}` is no flag")]
    NoFlag {
        /// The file.
        origin: String,
        /// The word.
        word: String,
    },
}

impl Error {
    /// Whether it is about the command line itself, and not about what that names.
    pub fn is_usage(&self) -> bool {
        matches!(self, Error::Unrecognised(_) | Error::NoValue(_) | Error::NotText(_))
    }
}

impl CommandLine {
    /// Reads the arguments.
    ///
    /// # Errors
    /// When a flag is unknown or has no value, and when an options file cannot be read.
    pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<CommandLine, Error> {
        let mut line = CommandLine::default();
        let mut rest: VecDeque<OsString> = arguments.into_iter().collect();
        while let Some(word) = rest.pop_front() {
            if word == "--" {
                break;
            }
            let text = word.to_str().filter(|text| text.starts_with('-'));
            let Some(text) = text else {
                rest.push_front(word);
                break;
            };
            let text = text.to_owned();
            line.flag(&text, &mut rest)?;
        }
        line.inputs = rest.into();
        Ok(line)
    }

    fn flag(&mut self, word: &str, rest: &mut VecDeque<OsString>) -> Result<(), Error> {
        let unknown = |name: &str| Error::Unrecognised(name.to_owned());
        let end = word.char_indices().nth(2).map_or(word.len(), |(end, _)| end);
        let (name, glued) = match word.split_once('=') {
            Some((name, value)) if word.starts_with("--") => (name, Some(value)),
            _ if word.starts_with("--") || end == word.len() => (word, None),
            _ => (&word[..end], Some(&word[end..])),
        };
        let (flag, is_off) = flags::find_of_any_type(name).ok_or_else(|| unknown(name))?;
        if flag.value == Value::Switch {
            self.given.push((flag, Given::Switch(!is_off)));
            if let Some(more) = glued {
                // `-fv1`: what follows a switch is another flag; a long one takes no value.
                let next = if name.starts_with("--") { more.to_owned() } else { format!("-{more}") };
                rest.push_front(next.into());
            }
            return Ok(());
        }
        let value = match glued {
            Some(value) => value.to_owned(),
            None => {
                let value = rest.pop_front().ok_or_else(|| Error::NoValue(name.to_owned()))?;
                value.into_string().map_err(|_| Error::NotText(name.to_owned()))?
            }
        };
        if flag.long == "fpm-options-file" {
            self.file(Path::new(&value))?;
        }
        self.given.push((flag, Given::Value(value)));
        Ok(())
    }

    /// The flags of a file, as if they stood here.
    fn file(&mut self, path: &Path) -> Result<(), Error> {
        if self.read.iter().any(|read| read.path == path) {
            return Err(Error::ReadTwice(path.into()));
        }
        let size = fs::metadata(path)?.len();
        if size > LARGEST_FILE {
            return Err(Error::TooLarge { path: path.into(), size });
        }
        let text = fs::read_to_string(path)?;
        let lines = text.lines().map(str::to_owned).collect();
        self.read.push(OptionsFile { path: path.into(), lines });
        let mut rest: VecDeque<OsString> = split(&path.display().to_string(), &text)?.into();
        while let Some(word) = rest.pop_front() {
            let word = word.to_string_lossy().into_owned();
            if !word.starts_with('-') {
                return Err(Error::NoFlag { origin: path.display().to_string(), word });
            }
            self.flag(&word, &mut rest)?;
        }
        Ok(())
    }

    /// The last value of a flag.
    pub fn one(&self, long: &str) -> Option<&str> {
        self.many(long).last()
    }

    /// Every value of a flag, in order.
    pub fn many(&self, long: &str) -> impl Iterator<Item = &str> {
        let long = row(long);
        self.given.iter().filter_map(move |(flag, given)| match given {
            Given::Value(value) if flag.long == long => Some(value.as_str()),
            _ => None,
        })
    }

    /// Every value of a flag, in order, as texts of their own.
    pub fn list(&self, long: &str) -> Vec<String> {
        self.many(long).map(str::to_owned).collect()
    }

    /// Whether a switch was turned on or off; `None` when it was not given.
    pub fn switch(&self, long: &str) -> Option<bool> {
        let long = row(long);
        self.given.iter().rev().find_map(|(flag, given)| match given {
            Given::Switch(is_on) if flag.long == long => Some(*is_on),
            _ => None,
        })
    }

    /// Whether a switch is on.
    pub fn is_on(&self, long: &str) -> bool {
        self.switch(long) == Some(true)
    }

    /// Whether a flag was given at all.
    pub fn has(&self, long: &str) -> bool {
        let long = row(long);
        self.given.iter().any(|(flag, _)| flag.long == long)
    }

    /// The options files that were read, in order.
    pub fn files(&self) -> &[OptionsFile] {
        &self.read
    }

    /// Every flag that has a value, with it, in order.
    pub fn values(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.given.iter().filter_map(|(flag, given)| match given {
            Given::Value(value) => Some((flag.long, value.as_str())),
            Given::Switch(_) => None,
        })
    }
}

fn row(long: &str) -> &str {
    debug_assert!(flags::find_of_any_type(&format!("--{long}")).is_some(), "{long} has no row");
    long
}

/// Splits the text of `FPMOPTS` or of a file into words, as a shell does.
///
/// # Errors
/// When a quote is not closed.
pub fn split(origin: &str, text: &str) -> Result<Vec<OsString>, Error> {
    let file = Arc::new(SourceFile { path: origin.into(), text: text.into() });
    let (words, problem) = words::split(&file);
    match problem {
        None => Ok(words.into_iter().map(|word| word.text.into()).collect()),
        Some(problem) => Err(Error::Words { origin: origin.into(), reason: problem.to_string() }),
    }
}

/// Tells flags, with their values, from other words: those of `FPMOPTS` and `.fpm`.
pub fn sort_defaults(words: Vec<OsString>) -> (Vec<OsString>, Vec<OsString>) {
    let (mut flags, mut inputs) = (Vec::new(), Vec::new());
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        let text = word.to_string_lossy().into_owned();
        match flags::find_of_any_type(&text) {
            Some((flag, _)) if flag.value != Value::Switch => {
                flags.push(word);
                flags.extend(words.next());
            }
            Some(_) => flags.push(word),
            None if text.starts_with('-') => flags.push(word),
            None => inputs.push(word),
        }
    }
    (flags, inputs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Result<CommandLine, Error> {
        CommandLine::parse(words.iter().map(OsString::from))
    }

    #[test]
    fn flags_are_read_as_clamp_reads_them() {
        let line = parse(&[
            "-sdir",
            "-t",
            "deb",
            "-fnhello",
            "--depends=a",
            "-d",
            "b",
            "--no-deb-auto-config-files",
            "-v1",
            "-v",
            "2",
            "--gem-gem",
            "x",
            "in",
            "--verbose",
        ])
        .unwrap();
        assert_eq!(line.one("input-type"), Some("dir"));
        assert_eq!(line.one("name"), Some("hello"));
        assert!(line.is_on("force") && !line.is_on("verbose"));
        assert_eq!(line.list("depends"), ["a", "b"]);
        assert_eq!(line.one("version"), Some("2"));
        assert_eq!(line.switch("deb-auto-config-files"), Some(false));
        assert_eq!(line.inputs, ["in", "--verbose"]);
        assert_eq!(parse(&["--", "-x"]).unwrap().inputs, ["-x"]);
    }

    #[test]
    fn what_is_wrong_is_said_in_clamps_words() {
        assert_eq!(parse(&["--nope"]).unwrap_err().to_string(), "Unrecognised option '--nope'");
        assert_eq!(parse(&["-n"]).unwrap_err().to_string(), "option '-n': no value provided");
        assert_eq!(parse(&["-ö"]).unwrap_err().to_string(), "Unrecognised option '-ö'");
        assert_eq!(parse(&["-"]).unwrap_err().to_string(), "Unrecognised option '-'");
    }

    #[test]
    fn options_files_stand_where_they_are_named() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("options");
        fs::write(&path, "-n inner\n--description 'a b'\n-d x\n").unwrap();
        let name = path.to_str().unwrap();
        let line = parse(&["-n", "a", "-d", "w", "--fpm-options-file", name, "-d", "y"]).unwrap();
        assert_eq!((line.one("name"), line.one("description")), (Some("inner"), Some("a b")));
        assert_eq!(line.list("depends"), ["w", "x", "y"]);
        let twice = parse(&["--fpm-options-file", name, "--fpm-options-file", name]);
        assert!(twice.unwrap_err().to_string().starts_with("Options file already loaded once."));
        assert!(parse(&["--fpm-options-file", "/nonexistent"]).is_err());
    }

    #[test]
    fn defaults_are_sorted_into_flags_and_inputs() {
        let words = split("FPMOPTS", "-n 'a b' --verbose in=out -d x").unwrap();
        let (flags, inputs) = sort_defaults(words);
        assert_eq!(flags, ["-n", "a b", "--verbose", "-d", "x"]);
        assert_eq!(inputs, ["in=out"]);
        assert!(split("FPMOPTS", "'").is_err());
    }
}

//! What fpm says: lines with a level, and how it ends.

use std::fmt;

/// How much a line matters; those beyond the log's level are not said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Ends the run.
    Fatal,
    /// Something failed.
    Error,
    /// The package may not be what was meant.
    Warn,
    /// Progress.
    Info,
    /// Every step.
    Debug,
}

/// A line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// `None` for a result, which is said at every level.
    pub level: Option<Level>,
    /// The text.
    pub text: String,
    /// More about it, in order.
    pub details: Vec<(&'static str, Detail)>,
    /// A bare line: the text alone.
    pub is_bare: bool,
}

/// The value of a detail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Detail {
    /// A text.
    Text(String),
    /// A list of texts.
    List(Vec<String>),
}

/// Where lines go.
pub(super) struct Log<'a> {
    pub(super) level: Level,
    pub(super) on_message: &'a dyn Fn(Message),
}

impl Log<'_> {
    pub(super) fn fatal(&self, text: impl Into<String>) {
        self.say(Level::Fatal, text, Vec::new());
    }

    pub(super) fn error(&self, text: impl Into<String>) {
        self.say(Level::Error, text, Vec::new());
    }

    pub(super) fn warn(&self, text: impl Into<String>) {
        self.say(Level::Warn, text, Vec::new());
    }

    pub(super) fn info(&self, text: impl Into<String>) {
        self.say(Level::Info, text, Vec::new());
    }

    /// A line with details.
    pub(super) fn say(&self, level: Level, text: impl Into<String>, details: Vec<(&'static str, Detail)>) {
        if level <= self.level {
            (self.on_message)(Message { level: Some(level), text: text.into(), details, is_bare: false });
        }
    }

    /// A result with the path it is at.
    pub(super) fn result(&self, text: &str, path: &str) {
        let details = vec![("path", Detail::Text(path.into()))];
        (self.on_message)(Message { level: None, text: text.into(), details, is_bare: false });
    }

    /// A line without anything around it.
    pub(super) fn bare(&self, text: &str) {
        (self.on_message)(Message { level: None, text: text.into(), details: Vec::new(), is_bare: true });
    }
}

/// Why there is no package. The exit status is 1, always.
#[derive(Debug)]
pub enum Failure {
    /// What had to be said was said.
    Said,
    /// The package cannot be what was asked for.
    Configuration(String),
    /// A flag's value cannot be.
    Argument(String),
    /// The command line cannot be read.
    Usage(String),
    /// Anything else.
    Other(anyhow::Error),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Said => f.write_str("failed"),
            Failure::Configuration(text) | Failure::Argument(text) | Failure::Usage(text) => {
                f.write_str(text)
            }
            Failure::Other(error) => write!(f, "{error:#}"),
        }
    }
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Failure {
        Failure::Other(error.into())
    }
}

/// What the functions below return.
pub(super) type Result<T, E = Failure> = std::result::Result<T, E>;

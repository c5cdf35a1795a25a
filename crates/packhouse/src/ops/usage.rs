//! Errors of usage and configuration, which end the program with exit status 2.

use std::fmt;

/// Something about the call or the configuration that must be changed before any work can be done.
#[derive(Debug)]
pub struct UsageError {
    message: String,
    help: String,
}

impl UsageError {
    /// An error with its fix.
    pub fn new(message: impl Into<String>, help: impl Into<String>) -> UsageError {
        UsageError { message: message.into(), help: help.into() }
    }

    /// How to fix it.
    pub fn help(&self) -> &str {
        &self.help
    }
}

impl fmt::Display for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for UsageError {}

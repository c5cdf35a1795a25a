//! The only code that prints: results to standard output, everything else to standard error.
//!
//! [`Output`] is made once from the global flags. Progress goes through [`Output::event`], whichever form it
//! has: a line for each target redrawn in place on a terminal, plain lines with the same words elsewhere, one
//! JSON document a line with `--json`.

pub mod difference;
mod error;
pub mod escape;
pub mod fpm;
mod human;
pub mod inspection;
mod json;
pub mod keys;
mod prompt;
pub mod signing_document;

use std::io::{IsTerminal as _, Write as _};

use serde::Serialize;

use crate::environment::{Ask, Environment, NO_COLOR};
use crate::ops::Event;

pub use error::{exit_status, help};
pub use human::{duration, size};

/// How to print.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// JSON instead of words.
    pub json: bool,
    /// Only errors and results.
    pub quiet: bool,
    /// Everything that happens.
    pub verbose: bool,
    /// Colours.
    pub color: bool,
    /// Lines may be redrawn.
    pub terminal: bool,
}

/// When to use colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum ColorChoice {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Prints.
pub struct Output {
    style: Style,
    progress: human::Progress,
}

impl Style {
    /// The style for this terminal.
    pub fn new(
        json: bool,
        quiet: bool,
        verbose: bool,
        color: ColorChoice,
        environment: &Environment,
    ) -> Style {
        let terminal = std::io::stderr().is_terminal();
        let color = match color {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => terminal && environment.get(NO_COLOR).is_none(),
        };
        Style { json, quiet, verbose, color, terminal: terminal && !json && !quiet }
    }
}

impl Output {
    /// Output in a style.
    pub fn new(style: Style) -> Output {
        Output { style, progress: human::Progress::new(style) }
    }

    /// The style.
    pub fn style(&self) -> Style {
        self.style
    }

    /// How to ask for a secret; `None` where nobody would see the question or could answer it.
    pub fn prompt(&self) -> Option<Ask> {
        let is_possible = !self.style.json && !self.style.quiet && prompt::is_possible();
        let screen = self.progress.screen();
        is_possible.then(|| -> Ask { Box::new(move |question| screen.suspend(|| prompt::ask(question))) })
    }

    /// Something happened.
    pub fn event(&self, event: Event) {
        if self.style.json {
            json::line(&event);
        } else if !self.style.quiet || matches!(event, Event::Warning { .. }) {
            self.progress.event(&event);
        }
    }

    /// A line of the result.
    pub fn result(&self, line: &str) {
        self.progress.suspend(|| {
            // A reader that has gone (`| head`) is no reason to fail.
            let _ = writeln!(std::io::stdout(), "{line}");
        });
    }

    /// A result for `--json`; nothing otherwise.
    pub fn json(&self, document: &impl Serialize) {
        if self.style.json {
            json::line(document);
        }
    }

    /// A line that explains, unless the user wants quiet.
    pub fn note(&self, line: &str) {
        if !self.style.quiet && !self.style.json {
            self.progress.line(line);
        }
    }

    /// Clears what is redrawn in place.
    pub fn finish(&self) {
        self.progress.finish();
    }

    /// Targets that failed, with the end of what their build printed.
    pub fn failure(&self, targets: &[&str], error: &anyhow::Error) {
        self.progress.finish();
        error::failure(targets, error, self.style);
    }

    /// An error, its causes and its fix.
    pub fn error(&self, error: &anyhow::Error) {
        self.progress.finish();
        if self.style.json {
            json::error(error);
        }
        error::print(error, self.style);
    }
}

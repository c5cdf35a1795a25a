//! `packhouse fpm`: everything behind the word is fpm's, so that it is read by another grammar than the other commands'.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Args;

use crate::environment::Environment;
use crate::ops;
use crate::output::fpm as output;

/// What the help and the completions show.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  packhouse fpm -s dir -t deb -n hello -v 1.0 -C root\n  packhouse fpm -s empty -t rpm -n meta -d hello\n\nWith `alias fpm='packhouse fpm'` scripts need not change. https://fpm.readthedocs.io explains the flags."
)]
pub(super) struct Fpm {
    /// fpm's flags, then what is to be packaged
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENTS")]
    pub(super) arguments: Vec<OsString>,
}

/// The arguments, when the program was called for this command: before anything else looks at them, because fpm's flags
/// are not the program's own, and because a small package should take no longer than it needs.
pub(super) fn arguments() -> Option<Vec<OsString>> {
    let mut all = std::env::args_os().skip(1);
    (all.next()? == "fpm").then(|| all.collect())
}

/// Runs it; the exit status is 1 for every failure, as fpm's.
pub(super) fn run(arguments: Vec<OsString>, environment: &Environment) -> ExitCode {
    let is_one = |word: &str| arguments.len() == 1 && arguments[0] == word;
    if is_one("-v") || is_one("--version") {
        output::text(ops::FPM_VERSION);
        return ExitCode::SUCCESS;
    }
    // A flag like any other: in front of the inputs, and never a flag's value.
    if ops::fpm_asks_for_help(&arguments) {
        output::text(&help());
        return ExitCode::SUCCESS;
    }
    match ops::fpm(arguments, environment, &|message| output::message(&message)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output::failure(&failure);
            ExitCode::FAILURE
        }
    }
}

fn help() -> String {
    let mut command = super::command_line();
    let command = command.find_subcommand_mut("fpm").map(|command| command.clone().bin_name("packhouse fpm"));
    let mut text = command.map(|mut command| command.render_long_help().to_string()).unwrap_or_default();
    text.push_str(&packhouse_project::fpm::flags::list());
    text
}

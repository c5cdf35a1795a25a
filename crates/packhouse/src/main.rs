//! `packhouse`: arguments → command → exit status.

use std::process::ExitCode;

fn main() -> ExitCode {
    packhouse::commands::run()
}

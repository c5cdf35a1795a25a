//! `packhouse completions`

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use clap_complete::Shell;

#[derive(Args)]
#[command(
    after_help = "Example:\n  packhouse completions bash > /usr/share/bash-completion/completions/packhouse"
)]
pub(super) struct Completions {
    /// The shell
    shell: Shell,
}

impl Completions {
    pub(super) fn run(self) -> Result<ExitCode> {
        // Rendered first: the generator panics where a reader has gone.
        let mut text = Vec::new();
        clap_complete::generate(self.shell, &mut super::command_line(), "packhouse", &mut text);
        std::io::stdout().write_all(&text)?;
        Ok(ExitCode::SUCCESS)
    }
}

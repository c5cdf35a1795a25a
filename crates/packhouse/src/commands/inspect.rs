//! `packhouse inspect`

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use packhouse_package::Depth;

use super::Context;
use crate::ops;
use crate::output::inspection;

#[derive(Args)]
#[command(
    after_help = "Examples:\n  packhouse inspect app_1.0_amd64.deb\n  packhouse inspect --metadata pkg/*.rpm\n  packhouse --json inspect app.apk | jq .relations.depends"
)]
pub(super) struct Inspect {
    /// A package: deb, rpm, apk, pacman, tar or zip
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Read only what the package says about itself, not its files
    #[arg(long)]
    metadata: bool,
}

impl Inspect {
    pub(super) fn run(self, context: &Context) -> Result<ExitCode> {
        let depth = if self.metadata { Depth::Metadata } else { Depth::Contents };
        let mut status = ExitCode::SUCCESS;
        for (index, file) in self.files.iter().enumerate() {
            let path = context.environment.current_directory.join(file);
            match ops::inspect(&path, depth) {
                Ok(inspected) if context.output.style().json => {
                    context.output.json(&inspection::document(&inspected));
                }
                Ok(inspected) => {
                    let separator = if index > 0 { "\n" } else { "" };
                    let text = inspection::text(&inspected, context.output.style().verbose);
                    context.output.result(&format!("{separator}{}", text.trim_end()));
                }
                // One broken package is no reason not to show the others.
                Err(error) => {
                    context.output.error(&error);
                    status = ExitCode::FAILURE;
                }
            }
        }
        Ok(status)
    }
}

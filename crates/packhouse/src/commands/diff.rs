//! `packhouse diff`

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use super::Context;
use crate::ops;
use crate::output::difference;

#[derive(Args)]
#[command(
    after_help = "Exit status is 0 when the packages are equal, 1 when they differ, 2 when one cannot be read.\n\nExamples:\n  packhouse diff app_1.0_amd64.deb app_1.1_amd64.deb\n  packhouse diff pkg/app-1.0-1.x86_64.rpm pkg/app_1.0_amd64.deb"
)]
pub(super) struct Diff {
    /// A package: deb, rpm, apk, pacman, tar or zip
    #[arg(value_name = "BEFORE")]
    before: PathBuf,
    /// Another, of the same format or of another
    #[arg(value_name = "AFTER")]
    after: PathBuf,
}

impl Diff {
    pub(super) fn run(self, context: &Context) -> Result<ExitCode> {
        let directory = &context.environment.current_directory;
        let difference = match ops::diff(&directory.join(&self.before), &directory.join(&self.after)) {
            Ok(difference) => difference,
            // As diff(1): 1 says that they differ, so that trouble needs another.
            Err(error) => {
                context.output.error(&error);
                return Ok(ExitCode::from(2));
            }
        };
        context.output.json(&difference::document(&difference));
        if !context.output.style().json && !difference.is_empty() {
            context.output.result(difference::text(&difference).trim_end());
        }
        if difference.is_across_formats {
            context.output.note("note: the formats differ; what only one of them says was not compared");
        }
        Ok(ExitCode::from(u8::from(!difference.is_empty())))
    }
}

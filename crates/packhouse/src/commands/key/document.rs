//! `packhouse key document`

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use super::{Context, Which};
use crate::ops::{self, UsageError};
use crate::output;

#[derive(Args)]
pub(in crate::commands) struct Document {
    /// The file to write [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Write nothing; fail when this file says something else
    #[arg(long, value_name = "FILE", conflicts_with = "output")]
    check: Option<PathBuf>,
    #[command(flatten)]
    which: Which,
}

impl Document {
    pub(super) fn run(self, context: &Context) -> Result<ExitCode> {
        let environment = &context.environment;
        let on_event = |event| context.output.event(event);
        let facts = ops::signing_facts(&self.which.ring(context), environment, &on_event)?;
        context.output.json(&facts);
        let text = output::signing_document::text(&facts);
        if let Some(path) = self.check {
            let there = fs_err::read_to_string(environment.current_directory.join(&path));
            if !there.is_ok_and(|there| there == text) {
                let message = format!("{} does not say what the keyring says", path.display());
                let help = format!("write it anew: packhouse key document -o {}", path.display());
                context.output.error(&UsageError::new(message, help).into());
                return Ok(ExitCode::FAILURE);
            }
        } else if let Some(path) = self.output {
            ops::write_document(&path, &text, environment)?;
        } else if !context.output.style().json {
            context.output.result(text.trim_end());
        }
        Ok(ExitCode::SUCCESS)
    }
}

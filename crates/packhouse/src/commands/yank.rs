//! `packhouse yank`

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use super::Context;
use super::amend::{AmendArguments, show};
use crate::ops::{self, UsageError};

#[derive(Args)]
#[command(
    after_help = "Examples:\n  packhouse yank --release 1.2.0 --reason broken\n  packhouse yank ubuntu 22.04 --release 1.2.0 --undo"
)]
pub(super) struct Yank {
    #[command(flatten)]
    what: AmendArguments,
    /// The release: a version, a revision or the name of a package's file
    #[arg(long, value_name = "RELEASE")]
    release: String,
    /// Why, for whoever looks for it
    #[arg(long, value_name = "TEXT", conflicts_with = "undo")]
    reason: Option<String>,
    /// Offer the release again
    #[arg(long)]
    undo: bool,
}

impl Yank {
    pub(super) fn run(self, context: &Context) -> Result<ExitCode> {
        let reason = self.reason.as_deref().map(str::trim).filter(|reason| !reason.is_empty());
        if reason.is_none() && !self.undo {
            let help = "say it in a sentence, as in --reason \"loses data on ext4\"";
            return Err(UsageError::new("a release is withdrawn for a reason", help).into());
        }
        let plan = self.what.plan(context)?;
        let options = self.what.options(Some(self.release));
        let on_event = |event| context.output.event(event);
        let yanked = ops::yank(&plan, &options, reason, &context.environment, &on_event);
        let yanked = context.block_on(yanked)?;
        match self.undo {
            true => show(context, &yanked, "restored", "Offered again:"),
            false => show(context, &yanked, "yanked", "Withdrew"),
        }
        Ok(ExitCode::SUCCESS)
    }
}

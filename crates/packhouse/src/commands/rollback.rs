//! `packhouse rollback`

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use super::Context;
use super::amend::{AmendArguments, show};
use crate::ops;

#[derive(Args)]
#[command(
    after_help = "Examples:\n  packhouse rollback --release 1.1.0\n  packhouse rollback ubuntu 22.04 --release 1.1.0 --channel preview"
)]
pub(super) struct Rollback {
    #[command(flatten)]
    what: AmendArguments,
    /// The release to go back to: a version, a revision or the name of a package's file
    #[arg(long, value_name = "RELEASE")]
    release: String,
    /// The channel whose pointers go back
    #[arg(long, value_name = "CHANNEL", default_value = "stable")]
    channel: String,
}

impl Rollback {
    pub(super) fn run(self, context: &Context) -> Result<ExitCode> {
        let plan = self.what.plan(context)?;
        let options = self.what.options(Some(self.release));
        let on_event = |event| context.output.event(event);
        let back = ops::roll_back(&plan, &options, &self.channel, &context.environment, &on_event);
        let back = context.block_on(back)?;
        show(context, &back, "rolled-back", &format!("{} names again", self.channel));
        Ok(ExitCode::SUCCESS)
    }
}

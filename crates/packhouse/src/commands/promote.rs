//! `packhouse promote`

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use super::Context;
use super::amend::{AmendArguments, show};
use crate::ops;

#[derive(Args)]
#[command(
    after_help = "Examples:\n  packhouse promote --all\n  packhouse promote ubuntu 22.04 --from preview --channel stable"
)]
pub(super) struct Promote {
    #[command(flatten)]
    what: AmendArguments,
    /// The channel whose packages are promoted
    #[arg(long, value_name = "CHANNEL", default_value = "preview")]
    from: String,
    /// The channel they are promoted to
    #[arg(long, value_name = "CHANNEL", default_value = "stable")]
    channel: String,
    /// This release instead of the newest: a version, a revision or the name of a package's file
    #[arg(long, value_name = "RELEASE")]
    release: Option<String>,
}

impl Promote {
    pub(super) fn run(self, context: &Context) -> Result<ExitCode> {
        let plan = self.what.plan(context)?;
        let options = self.what.options(self.release);
        let on_event = |event| context.output.event(event);
        let environment = &context.environment;
        let promoted = ops::promote(&plan, &options, &self.from, &self.channel, environment, &on_event);
        let promoted = context.block_on(promoted)?;
        show(context, &promoted, "promoted", &format!("Promoted to {}:", self.channel));
        Ok(ExitCode::SUCCESS)
    }
}

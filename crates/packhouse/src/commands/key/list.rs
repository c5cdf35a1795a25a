//! `packhouse key list`

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use super::{Context, Which};
use crate::{ops, output};

#[derive(Args)]
pub(in crate::commands) struct List {
    #[command(flatten)]
    which: Which,
    /// Do not ask the site what the keys last signed
    #[arg(long)]
    offline: bool,
}

impl List {
    pub(super) fn run(self, context: &Context) -> Result<ExitCode> {
        let ring = self.which.ring(context);
        let on_event = |event| context.output.event(event);
        let list = ops::list_keys(&ring, !self.offline, &context.environment, &on_event);
        let list = context.block_on(list)?;
        context.output.json(&list);
        if !context.output.style().json {
            context.output.result(output::keys::list(&list).trim_end());
            if let Some(problem) = &list.site_problem {
                context.output.note(&format!("note: what was last signed is not known: {problem}"));
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

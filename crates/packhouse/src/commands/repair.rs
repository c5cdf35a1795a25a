//! `packhouse repair`

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use serde_json::json;

use super::Context;
use super::amend::AmendArguments;
use crate::ops;

#[derive(Args)]
#[command(after_help = "Examples:\n  packhouse repair\n  packhouse repair --to s3://dist.example.com/app")]
pub(super) struct Repair {
    #[command(flatten)]
    what: AmendArguments,
}

impl Repair {
    pub(super) fn run(self, context: &Context) -> Result<ExitCode> {
        let plan = self.what.plan(context)?;
        let on_event = |event| context.output.event(event);
        let repair = ops::repair(&plan, self.what.single_writer(), &context.environment, &on_event);
        let repaired = context.block_on(repair)?;
        context.output.json(&json!({
            "event": "repaired",
            "to": repaired.to,
            "generation": repaired.generation,
            "written": repaired.written,
            "leftovers": repaired.leftovers,
        }));
        if !context.output.style().json {
            match repaired.written.len() + repaired.leftovers {
                0 => context.output.result(&format!("Nothing to repair on {}", repaired.to)),
                _ => context.output.result(&format!("Repaired {}", repaired.to)),
            }
            for path in &repaired.written {
                context.output.result(&format!("  {path}"));
            }
            if repaired.leftovers > 0 {
                context.output.result(&format!("  {} unfinished leftovers removed", repaired.leftovers));
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

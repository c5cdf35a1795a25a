//! `packhouse doctor`

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use super::{Context, engine};
use crate::ops::{self, PlanOptions, State};

#[derive(Args)]
#[command(
    after_help = "Examples:\n  packhouse doctor\n  packhouse doctor --engine docker\n\nThe exit status is 1 when something is missing that a release of this project needs."
)]
pub(super) struct Doctor {
    /// The engine to look at, instead of the project's: docker, podman or host
    #[arg(long, value_name = "ENGINE")]
    engine: Option<String>,
}

impl Doctor {
    pub(super) fn run(self, context: &Context) -> Result<ExitCode> {
        let options = PlanOptions {
            engine: self.engine.as_deref().map(engine).transpose()?,
            ..PlanOptions::whole(context.directory.clone())
        };
        let checks = context.block_on(ops::doctor(&options, &context.environment))?;
        context.output.json(&serde_json::json!({ "event": "doctor", "checks": checks }));
        if !context.output.style().json {
            let width = checks.iter().map(|check| check.name.len()).max().unwrap_or(0);
            for check in &checks {
                let mark = match check.state {
                    State::Ok => "✓",
                    State::Warning => "!",
                    State::Missing => "✗",
                };
                let found = check.found.replace('\n', " ");
                context.output.result(&format!("{mark} {:width$}  {found}", check.name));
                if let Some(help) = &check.help {
                    context.output.result(&format!("  {:width$}  help: {help}", ""));
                }
            }
        }
        let is_missing = checks.iter().any(|check| check.state == State::Missing);
        Ok(if is_missing { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }
}

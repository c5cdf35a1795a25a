//! `packhouse key check`

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use serde_json::json;

use super::{Context, Which};
use crate::ops::Severity;
use crate::{ops, output};

#[derive(Args)]
pub(in crate::commands) struct Check {
    /// A key that ends within so many days is an error [default: 7; within 90 it is a warning]
    #[arg(long, value_name = "DAYS")]
    within: Option<u64>,
    #[command(flatten)]
    which: Which,
}

impl Check {
    pub(super) fn run(self, context: &Context) -> Result<ExitCode> {
        let on_event = |event| context.output.event(event);
        let ring = self.which.ring(context);
        let report = ops::check_keyring(&ring, self.within, &context.environment, &on_event)?;
        let is_good = report.findings.iter().all(|finding| finding.severity != Severity::Error);
        context.output.json(&json!({
            "event": "keys-checked", "ok": is_good, "keyring": report.keyring, "signing": report.signing,
            "targets": report.targets, "findings": report.findings,
        }));
        if !context.output.style().json {
            for finding in &report.findings {
                context.output.result(output::keys::finding(finding, context.output.style()).trim_end());
            }
            if report.findings.is_empty() {
                context.output.result(&output::keys::all_is_well(&report));
            }
        }
        Ok(if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

//! `packhouse prune`

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use serde_json::json;

use super::Context;
use super::amend::{AmendArguments, show};
use crate::ops::{self, PruneOptions};

#[derive(Args)]
#[command(
    after_help = "Examples:\n  packhouse prune\n  packhouse prune --keep 5 --keep-for 90d --yes\n  packhouse prune --pin 1.0.0"
)]
pub(super) struct Prune {
    #[command(flatten)]
    what: AmendArguments,
    /// How many of each target, architecture and channel stay, newest first
    #[arg(long, value_name = "N", default_value_t = 3)]
    keep: usize,
    /// How long a package stays after it was published: 90d, 12h
    #[arg(long, value_name = "TIME", default_value = "90d", value_parser = seconds)]
    keep_for: i64,
    /// How long an object stays after it left the list, for those who have read the old one
    #[arg(long, value_name = "TIME", default_value = "1d", value_parser = seconds)]
    grace: i64,
    /// Do it; without this only what would be done is shown
    #[arg(long)]
    yes: bool,
    /// Keep this release whatever the rules say
    #[arg(long, value_name = "RELEASE", conflicts_with_all = ["yes", "unpin"])]
    pin: Option<String>,
    /// No longer
    #[arg(long, value_name = "RELEASE", conflicts_with = "yes")]
    unpin: Option<String>,
}

/// `90d` in seconds.
fn seconds(text: &str) -> Result<i64, String> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let factor = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 60 * 60,
        "d" => 24 * 60 * 60,
        "w" => 7 * 24 * 60 * 60,
        _ => return Err("a number and s, m, h, d or w, as in 90d".into()),
    };
    number.parse::<i64>().ok().and_then(|number| number.checked_mul(factor)).ok_or("not a number".into())
}

impl Prune {
    pub(super) fn run(self, context: &Context) -> Result<ExitCode> {
        let plan = self.what.plan(context)?;
        let on_event = |event| context.output.event(event);
        if let Some(release) = self.pin.clone().or(self.unpin) {
            let pinned = self.pin.is_some();
            let options = self.what.options(Some(release));
            let done = ops::pin(&plan, &options, pinned, &context.environment, &on_event);
            let (event, verb) = if pinned { ("pinned", "Keeps") } else { ("unpinned", "No longer keeps") };
            show(context, &context.block_on(done)?, event, verb);
            return Ok(ExitCode::SUCCESS);
        }
        let options = PruneOptions {
            what: self.what.options(None),
            keep: self.keep,
            keep_for: self.keep_for,
            grace: self.grace,
        };
        let done = match self.yes {
            true => context.block_on(ops::prune(&plan, &options, &context.environment, &on_event))?,
            false => context.block_on(ops::prune_plan(&plan, &options, &context.environment))?,
        };
        context.output.json(&json!({
            "event": if self.yes { "pruned" } else { "prune-plan" },
            "retire": done.retire,
            "orphans": done.orphans,
            "delete": done.delete,
            "waiting": done.waiting,
        }));
        if context.output.style().json {
            return Ok(ExitCode::SUCCESS);
        }
        let lists = [
            ("leaves the list of releases", &done.retire),
            ("is named by no release", &done.orphans),
            (if self.yes { "deleted" } else { "would be deleted" }, &done.delete),
        ];
        for (what, paths) in lists {
            for path in paths {
                context.output.result(&format!("{path}: {what}"));
            }
        }
        if done.is_empty() {
            context.output.result("Nothing to prune");
        }
        if !done.waiting.is_empty() {
            let count = done.waiting.len();
            context
                .output
                .note(&format!("note: {count} objects are deleted by a later prune, --grace from now"));
        }
        if !self.yes && !done.is_empty() {
            context.output.note("note: nothing was changed; --yes does it");
        }
        Ok(ExitCode::SUCCESS)
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn times_are_numbers_with_a_unit() {
        assert_eq!(super::seconds("90d"), Ok(7_776_000));
        assert_eq!(super::seconds("0s"), Ok(0));
        for bad in ["", "d", "90", "-1d", "1y", "99999999999999999999d"] {
            assert!(super::seconds(bad).is_err(), "{bad}");
        }
    }
}

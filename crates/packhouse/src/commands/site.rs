//! `packhouse site`

use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand};
use packhouse_project::Plan;
use serde_json::json;

use super::Context;
use crate::ops::{self, PlanOptions, find_project};

#[derive(Subcommand)]
pub(super) enum Site {
    /// List what the site offers
    #[command(
        after_help = "Examples:\n  packhouse site list\n  packhouse site list s3://dist.example.com/app"
    )]
    List(Which),
    /// Check that everything is there that releases and pointers name, and nothing else
    #[command(after_help = "Examples:\n  packhouse site check\n  packhouse site check /srv/dist")]
    Check(Which),
}

#[derive(Args)]
pub(super) struct Which {
    /// The site: a path, file://, s3://, gs:// or az:// [default: the project's, else pkg/site]
    #[arg(value_name = "SITE")]
    site: Option<String>,
}

impl Which {
    /// The project's plan, when the site is not named.
    fn plan(&self, context: &Context) -> Result<Option<Plan>> {
        let root = find_project(context.directory.as_deref(), &context.environment)?;
        if self.site.is_some() || !root.join(packhouse_project::PROJECT_FILE).is_file() {
            return Ok(None);
        }
        let options = PlanOptions::whole(context.directory.clone());
        Ok(Some(ops::plan(&options, &context.environment)?.plan))
    }
}

impl Site {
    pub(super) fn run(self, context: &Context) -> Result<ExitCode> {
        match self {
            Site::List(which) => list(&which, context),
            Site::Check(which) => check(&which, context),
        }
    }
}

fn list(which: &Which, context: &Context) -> Result<ExitCode> {
    let plan = which.plan(context)?;
    let head = ops::site_head(plan.as_ref(), which.site.as_deref(), &context.environment);
    let (to, head) = context.block_on(head)?;
    context.output.json(&json!({ "to": to, "releases": head }));
    if context.output.style().json {
        return Ok(ExitCode::SUCCESS);
    }
    for package in &head.packages {
        let mut words: Vec<String> = package
            .channels
            .iter()
            .map(|channel| {
                let latest = head.latest(&package.target, &package.arch, channel);
                let is_latest = latest.is_some_and(|latest| latest.path == package.path);
                format!("{channel}{}", if is_latest { " (latest)" } else { "" })
            })
            .collect();
        words.extend(package.rolled_back.iter().map(|channel| format!("rolled back in {channel}")));
        if package.pinned {
            words.push("pinned".into());
        }
        if let Some(yanked) = &package.yanked {
            words.push(format!("withdrawn: {}", yanked.reason.escape_debug()));
        }
        context.output.result(&format!("{}  {}  {}", package.target, package.file_name, words.join(", ")));
    }
    let count = head.packages.len();
    context.output.note(&format!("{count} packages on {to}, generation {}", head.generation));
    Ok(ExitCode::SUCCESS)
}

fn check(which: &Which, context: &Context) -> Result<ExitCode> {
    let plan = which.plan(context)?;
    let report = ops::site_check(plan.as_ref(), which.site.as_deref(), &context.environment);
    let (to, report) = context.block_on(report)?;
    let is_good = report.problems.is_empty() && report.unlisted.is_empty();
    context.output.json(&json!({
        "event": "site-checked",
        "to": to,
        "generation": report.head.generation,
        "packages": report.head.packages.len(),
        "problems": report.problems.iter().map(|problem| json!({
            "message": problem.to_string(), "help": problem.help(),
        })).collect::<Vec<_>>(),
        "orphans": report.unlisted,
    }));
    if !context.output.style().json {
        for problem in &report.problems {
            context.output.result(&problem.to_string());
            if let Some(help) = problem.help() {
                context.output.note(&format!("  help: {help}"));
            }
        }
        for path in &report.unlisted {
            context.output.result(&format!("`{path}` is there and no release names it"));
            context.output.note("  help: `packhouse prune --yes` removes it after a while");
        }
        if is_good {
            let count = report.head.packages.len();
            context.output.result(&format!(
                "{to}: {count} {} and every pointer are as published; nothing else is there",
                if count == 1 { "package" } else { "packages" }
            ));
        }
    }
    Ok(if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

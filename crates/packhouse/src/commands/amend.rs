//! Arguments and output of the commands that change what a site offers without building anything.

use anyhow::Result;
use clap::Args;
use packhouse_project::Plan;
use serde_json::json;

use super::Context;
use crate::ops::{self, AmendOptions, Amended, PlanOptions};

/// Which site and which of its targets.
#[derive(Args)]
pub(super) struct AmendArguments {
    /// A target: `ubuntu 22.04`, `ubuntu/22.04` or `ubuntu-22.04` [default: every target of the site]
    #[arg(value_name = "TARGET", num_args = 0..=2)]
    target: Vec<String>,
    /// Every target
    #[arg(long, conflicts_with = "target")]
    all: bool,
    /// The site: a path, file://, s3://, gs:// or az:// [default: the project's, else pkg/site]
    #[arg(long, value_name = "URL")]
    to: Option<String>,
    /// Nobody else publishes meanwhile: also storage without conditional writes will do
    #[arg(long)]
    single_writer: bool,
}

impl AmendArguments {
    /// The plan, of which only the project and its site matter here.
    pub(super) fn plan(&self, context: &Context) -> Result<Plan> {
        let site = super::publish::SiteArguments { to: self.to.clone(), channel: None, single_writer: false };
        let options = PlanOptions { to: site.to(context), ..PlanOptions::whole(context.directory.clone()) };
        Ok(ops::plan(&options, &context.environment)?.plan)
    }

    pub(super) fn options(&self, release: Option<String>) -> AmendOptions {
        let words = self.target.join("-").replace('/', "-");
        let targets = if self.target.is_empty() { None } else { Some([words].into()) };
        AmendOptions { targets, release, single_writer: self.single_writer }
    }

    pub(super) fn single_writer(&self) -> bool {
        self.single_writer
    }
}

/// Says what changed. `done` is a verb: `Promoted`.
pub(super) fn show(context: &Context, amended: &Amended, event: &str, done: &str) {
    let output = &context.output;
    output.json(&json!({
        "event": event,
        "to": amended.to,
        "generation": amended.generation,
        "changed": amended.changed,
        "packages": amended.packages,
        "pointers": amended.moved.iter().map(|it| json!({"path": it.path, "file": it.file_name})).collect::<Vec<_>>(),
        "removed": amended.removed,
    }));
    if output.style().json {
        return;
    }
    let count = match amended.packages.len() {
        1 => "1 package".to_owned(),
        count => format!("{count} packages"),
    };
    match amended.changed {
        true => {
            output.result(&format!("{done} {count} on {} (generation {})", amended.to, amended.generation))
        }
        false => output.result(&format!("Nothing new: {count} on {} are so already", amended.to)),
    }
    for path in &amended.packages {
        output.result(&format!("  {path}"));
    }
    for pointer in &amended.moved {
        output.result(&format!("  {} → {}", pointer.path.file_name(), pointer.file_name));
    }
    for path in &amended.removed {
        output.result(&format!("  {} is gone: nothing is offered there", path.file_name()));
    }
}

//! `packhouse build`

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use super::{BuildArguments, Context, Targets};
use crate::ops::{self, BuildOptions, Event, Failure, PlanOptions, Planned};

#[derive(Args)]
#[command(
    after_help = "Examples:\n  packhouse build ubuntu 22.04\n  packhouse build --all -j 2\n  packhouse build rocky 9 --payload staged/\n  packhouse build debian 12 --engine docker --build-base"
)]
pub(super) struct Build {
    #[command(flatten)]
    targets: Targets,
    #[command(flatten)]
    build: BuildArguments,
    /// The channel it is for [default: the branch's]
    #[arg(long, value_name = "NAME")]
    channel: Option<String>,
}

impl Build {
    pub(super) fn run(self, context: &Context) -> Result<ExitCode> {
        let options = self.build.options(context);
        let what = PlanOptions {
            project: context.directory.clone(),
            selection: self.targets.selection()?,
            channel: self.channel.clone(),
            engine: self.build.engine()?,
            arch: self.build.arch()?,
            to: None,
        };
        let report = context.block_on_here(async {
            let planned = ops::plan_build(&what, &options, &context.environment).await?;
            announce(context, &planned, &options, None);
            let Planned { plan, source } = planned;
            let on_event = |event| context.output.event(event);
            ops::build(&plan, &source, &options, &context.environment, &on_event).await
        })?;
        context.output.finish();
        context.output.json(&serde_json::json!({ "event": "built", "packages": report.built }));
        if !context.output.style().json {
            for built in &report.built {
                context.output.result(&format!("pkg/{}", built.file));
            }
        }
        Ok(show_failures(context, &report.failures))
    }
}

/// Says what is going to be done.
pub(super) fn announce(context: &Context, planned: &Planned, options: &BuildOptions, to: Option<String>) {
    let plan = &planned.plan;
    context.output.event(Event::Planned {
        name: plan.name.clone(),
        version: plan.version.clone(),
        revision: plan.revision.as_ref().map(|revision| revision.short.clone()),
        to,
        channel: plan.channel.clone(),
        targets: plan.targets.iter().map(|target| target.target.to_string()).collect(),
        at_a_time: options.at_a_time(plan),
    });
    if !plan.is_sorted_by_time {
        let message = "[version] format has no {built} before {revision}: customers' package managers do not take a \
                       later build of the same version for an upgrade";
        context.output.event(Event::Notice { message: message.into() });
    }
}

/// Shows each failed target with the end of its output, and gives the exit status.
pub(super) fn show_failures(context: &Context, failures: &[Failure]) -> ExitCode {
    let mut shown: Vec<&std::sync::Arc<anyhow::Error>> = Vec::new();
    for failure in failures {
        // Targets that share a build share its failure, too.
        if shown.iter().any(|error| std::sync::Arc::ptr_eq(error, &failure.error)) {
            continue;
        }
        shown.push(&failure.error);
        let of = |other: &&Failure| std::sync::Arc::ptr_eq(&other.error, &failure.error);
        let targets: Vec<&str> = failures.iter().filter(of).map(|other| other.target.as_str()).collect();
        context.output.failure(&targets, &failure.error);
    }
    if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

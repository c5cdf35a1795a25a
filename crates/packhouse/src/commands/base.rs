//! `packhouse base`

use std::num::NonZeroUsize;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use packhouse_project::EngineName;

use super::{Context, Targets, arch, engine};
use crate::ops::{self, BaseOptions, BuildOptions, Event, PlanOptions};

#[derive(Args)]
#[command(
    after_help = "Examples:\n  packhouse base debian 12\n  packhouse base --all --push\n  packhouse base ubuntu 22.04 --refresh --push\n\nAn image is built from the target's Dockerfile, with the target's directory as context, and tagged\n<repository>:<version>-<year>.<week> and <repository>:<version>-latest, with -preview behind that off\nthe stable channel. pkg/base-images.json records it."
)]
pub(super) struct Base {
    #[command(flatten)]
    targets: Targets,
    /// Push both tags to the registry of [base-image] repository
    #[arg(long)]
    push: bool,
    /// Build without the engine's cache, from the newest image that the Dockerfile names
    #[arg(long)]
    refresh: bool,
    /// The engine, instead of the project's: docker or podman
    #[arg(long, value_name = "ENGINE")]
    engine: Option<String>,
    /// The architecture the image is for [default: the engine's]
    #[arg(long, value_name = "ARCH")]
    arch: Option<String>,
    /// The channel it is for [default: the branch's]
    #[arg(long, value_name = "NAME")]
    channel: Option<String>,
    /// How many images to build at a time [default: 1]
    #[arg(short = 'j', long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
}

impl Base {
    pub(super) fn run(self, context: &Context) -> Result<ExitCode> {
        let mut what = PlanOptions {
            project: context.directory.clone(),
            selection: self.targets.selection()?,
            channel: self.channel.clone(),
            engine: self.engine.as_deref().map(engine).transpose()?,
            arch: self.arch.as_deref().map(arch).transpose()?,
            to: None,
        };
        let planned = ops::plan(&what, &context.environment)?;
        if planned.plan.targets.iter().any(|target| !target.engine.is_container()) {
            // A project that builds on the host may have base images all the same.
            what.engine = Some(EngineName::Docker);
        }
        let options = BaseOptions {
            is_pushed: self.push,
            is_fresh: self.refresh,
            at_a_time: self.jobs,
            ..BaseOptions::default()
        };
        let planned =
            context.block_on(ops::plan_build(&what, &BuildOptions::default(), &context.environment))?;
        let plan = &planned.plan;
        context.output.event(Event::Planned {
            name: plan.name.clone(),
            version: plan.version.clone(),
            revision: plan.revision.as_ref().map(|revision| revision.short.clone()),
            to: None,
            channel: plan.channel.clone(),
            targets: plan.targets.iter().map(|target| target.target.to_string()).collect(),
            at_a_time: self.jobs.map_or(1, NonZeroUsize::get).min(plan.targets.len()),
        });
        let report = context.block_on(async {
            let on_event = |event| context.output.event(event);
            ops::base(plan, &options, &context.environment, &on_event).await
        })?;
        context.output.finish();
        context.output.json(&serde_json::json!({ "event": "base-images", "images": report.built }));
        for built in report.built.iter().filter(|_| !context.output.style().json) {
            for tag in &built.tags {
                let digest = built.digest.as_deref().unwrap_or(&built.id);
                context.output.result(&format!("{tag}  {digest}"));
            }
        }
        let status = if report.failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
        for failure in report.failures {
            context.output.failure(&[&failure.target], &anyhow::Error::new(failure.error));
        }
        Ok(status)
    }
}

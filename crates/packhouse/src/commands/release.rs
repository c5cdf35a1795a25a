//! `packhouse release`

use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Result, anyhow};
use clap::Args;

use super::build::{announce, show_failures};
use super::publish::{SiteArguments, show};
use super::{BuildArguments, Context, Targets};
use crate::ops::{self, PlanOptions, PublishOptions, ReleaseOptions, Site};
use crate::output;

#[derive(Args)]
#[command(
    after_help = "Examples:\n  packhouse release --all\n  packhouse release ubuntu 22.04 --to /srv/dist --channel preview"
)]
pub(super) struct Release {
    #[command(flatten)]
    targets: Targets,
    #[command(flatten)]
    build: BuildArguments,
    #[command(flatten)]
    site: SiteArguments,
    /// Publish what succeeded although a target failed
    #[arg(long)]
    keep_going: bool,
}

impl Release {
    pub(super) fn run(self, context: &Context) -> Result<ExitCode> {
        let started = Instant::now();
        let options = ReleaseOptions {
            build: self.build.options(context),
            publish: PublishOptions {
                channel: self.site.channel.clone(),
                single_writer: self.site.single_writer,
            },
            keep_going: self.keep_going,
        };
        let what = PlanOptions {
            project: context.directory.clone(),
            selection: self.targets.selection()?,
            channel: self.site.channel.clone(),
            engine: self.build.engine()?,
            arch: self.build.arch()?,
            to: self.site.to(context),
        };
        let planned = context.block_on(ops::plan_build(&what, &options.build, &context.environment))?;
        let to = Site::open(&planned.plan, &context.environment.access())?.to().to_owned();
        announce(context, &planned, &options.build, Some(to));
        let count = planned.plan.targets.len();
        let report = context.block_on(async {
            let on_event = |event| context.output.event(event);
            ops::release(&planned.plan, &planned.source, &options, &context.environment, &on_event).await
        })?;
        context.output.finish();
        let status = show_failures(context, &report.failures);
        let failed = report.failures.len();
        match report.published {
            Some(published) => show(context, &published, Some(output::duration(started.elapsed()))),
            None => {
                let help = match count - failed {
                    0 => "fix it and run the same command again".to_owned(),
                    kept => format!(
                        "fix it and run the same command again; {kept} finished {} kept in pkg/, and --keep-going publishes what succeeded",
                        if kept == 1 { "target is" } else { "targets are" }
                    ),
                };
                context.output.error(&anyhow!(ops::Unpublished { failed, count, help }));
            }
        }
        Ok(status)
    }
}

//! `packhouse plan`

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use super::publish::SiteArguments;
use super::{Context, Targets};
use crate::ops::{self, PlanOptions};

#[derive(Args)]
#[command(after_help = "Examples:\n  packhouse plan\n  packhouse plan ubuntu 22.04 --channel preview")]
pub(super) struct Plan {
    #[command(flatten)]
    targets: Targets,
    #[command(flatten)]
    site: SiteArguments,
    /// The architecture the packages are for [default: this machine's]
    #[arg(long, value_name = "ARCH")]
    arch: Option<String>,
}

impl Plan {
    pub(super) fn run(self, context: &Context) -> Result<ExitCode> {
        let options = PlanOptions {
            project: context.directory.clone(),
            selection: self.targets.selection_or_all(),
            channel: self.site.channel.clone(),
            engine: None,
            arch: self.arch.as_deref().map(super::arch).transpose()?,
            to: self.site.to(context),
        };
        let plan = ops::plan(&options, &context.environment)?.plan;
        let site = context.block_on(ops::plan_site(&plan, &context.environment))?;
        let revision = plan.revision.as_ref().map(|revision| revision.short.as_str());
        let mut document = serde_json::to_value(&site)?;
        document["event"] = "plan".into();
        document["name"] = plan.name.clone().into();
        document["version"] = plan.version.clone().into();
        document["revision"] = revision.into();
        document["channel"] = plan.channel.clone().into();
        context.output.json(&document);
        if context.output.style().json {
            return Ok(ExitCode::SUCCESS);
        }
        let revision = revision.map(|revision| format!(" ({revision})")).unwrap_or_default();
        let output = &context.output;
        output.result(&format!(
            "{} {}{revision} → {} · channel {} · generation {}",
            plan.name, plan.version, site.to, plan.channel, site.generation
        ));
        for package in &site.packages {
            let state = match (package.published, package.built) {
                (true, _) => "published",
                (false, true) => "built, to be published",
                (false, false) => "to be built and published",
            };
            output.result(&format!("  {}  {}  {state}", package.target, package.path.file_name()));
        }
        for (sign, paths) in [("add", &site.added), ("replace", &site.replaced), ("remove", &site.removed)] {
            for path in paths {
                output.result(&format!("  {sign} {path}"));
            }
        }
        for pointer in &site.moved {
            let from = pointer.from.as_deref().unwrap_or("nothing");
            output.result(&format!("  {}: {from} → {}", pointer.path.file_name(), pointer.to));
        }
        if site.added.is_empty() && site.replaced.is_empty() {
            output.result("Nothing would change");
        }
        Ok(ExitCode::SUCCESS)
    }
}

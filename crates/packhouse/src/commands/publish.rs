//! `packhouse publish`

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use packhouse_publish::layout;
use serde_json::json;

use super::{Context, Targets};
use crate::ops::{self, PlanOptions, PublishOptions, PublishReport, day};

#[derive(Args)]
#[command(
    after_help = "Examples:\n  packhouse publish --all\n  packhouse publish debian 12 --to /srv/dist --channel preview"
)]
pub(super) struct Publish {
    #[command(flatten)]
    targets: Targets,
    #[command(flatten)]
    site: SiteArguments,
}

/// Where to publish.
#[derive(Args)]
pub(super) struct SiteArguments {
    /// The site: a path, file://, s3://, gs:// or az:// [default: the project's, else pkg/site]
    #[arg(long, value_name = "URL")]
    pub(super) to: Option<String>,
    /// The channel [default: the branch's]
    #[arg(long, value_name = "NAME")]
    pub(super) channel: Option<String>,
    /// Nobody else publishes meanwhile: publish also to storage without conditional writes
    #[arg(long)]
    pub(super) single_writer: bool,
}

impl SiteArguments {
    /// The site as an absolute place: a path on the command line is relative to the current directory, one in
    /// the project file to the project.
    pub(super) fn to(&self, context: &Context) -> Option<String> {
        let to = self.to.as_ref()?;
        let is_path = !to.contains("://");
        Some(if is_path {
            // By components, so that `./site` is not shown as it stands.
            let path = context.environment.current_directory.join(to);
            path.components().collect::<PathBuf>().to_string_lossy().into_owned()
        } else {
            to.clone()
        })
    }
}

impl Publish {
    pub(super) fn run(self, context: &Context) -> Result<ExitCode> {
        let options = PlanOptions {
            project: context.directory.clone(),
            selection: self.targets.selection_or_all(),
            channel: self.site.channel.clone(),
            engine: None,
            arch: None,
            to: self.site.to(context),
        };
        let plan = ops::plan(&options, &context.environment)?.plan;
        let options = PublishOptions { channel: self.site.channel, single_writer: self.site.single_writer };
        let on_event = |event| context.output.event(event);
        let report = context.block_on(ops::publish(&plan, &options, &context.environment, &on_event))?;
        context.output.finish();
        show(context, &report, None);
        Ok(ExitCode::SUCCESS)
    }
}

/// Says what was published, by whom it is signed, and how a customer installs it.
pub(super) fn show(context: &Context, report: &PublishReport, took: Option<String>) {
    let output = &context.output;
    let signed_by = &report.signed_by;
    output.json(&json!({
        "event": "published",
        "to": report.to,
        "new": report.is_new,
        "channels": report.channels,
        "packages": report.packages,
        "pointers": report.pointers.iter().map(|pointer| json!({"path": pointer.path, "file": pointer.file_name})).collect::<Vec<_>>(),
        "signed-by": signed_by.fingerprint.to_string(),
        "install": report.install,
    }));
    if output.style().json {
        return;
    }
    let count = match report.packages.len() {
        1 => "1 package".to_owned(),
        count => format!("{count} packages"),
    };
    let took = took.map(|took| format!(" in {took}")).unwrap_or_default();
    let until =
        signed_by.expires.map(|expires| format!(", valid until {}", day(expires))).unwrap_or_default();
    let done = if report.is_new { "Published" } else { "Nothing new: already published are" };
    output.result(&format!(
        "\n{done} {count}{took} to {}. Signed by {} ({}{until})",
        report.to,
        signed_by.fingerprint.grouped(),
        signed_by.user_id
    ));
    for pointer in &report.pointers {
        let name = pointer.path.file_name();
        output.result(&format!("  {name} → {}", pointer.file_name));
    }
    output.result(&format!("Customers install it with:  {}", report.install));
    output.note(&format!(
        "(the page for people: {}/{})",
        report.to.trim_end_matches('/'),
        layout::DOWNLOAD_PAGE
    ));
}

//! `packhouse sign`

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use super::Context;
use crate::ops::{self, Keys, PlanOptions, Site};

#[derive(Args)]
#[command(after_help = "Examples:\n  packhouse sign\n  packhouse sign program.tar.gz")]
pub(super) struct Sign {
    /// Files to sign [default: what is in pkg/]
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
}

impl Sign {
    pub(super) fn run(self, context: &Context) -> Result<ExitCode> {
        let environment = &context.environment;
        let options = PlanOptions::whole(context.directory.clone());
        let plan = ops::plan(&options, environment)?.plan;
        let on_event = |event| context.output.event(event);
        // A site that this version cannot publish to is no reason not to sign for it.
        let is_local = Site::open(&plan, &context.environment.access()).is_ok_and(|site| site.is_local());
        let keys = Keys::open(&plan, is_local, environment, &on_event)?;
        let now = environment.now.into();
        let signed: Vec<(PathBuf, String)> = if self.files.is_empty() {
            let manifest = ops::sign_manifest(&plan, &keys, now, &on_event)?;
            let signatures = (manifest.packages.into_iter())
                .flat_map(|built| built.native_signature.into_iter().chain(built.signature));
            signatures
                .map(|signature| (PathBuf::from("pkg").join(signature.file), signature.fingerprint))
                .collect()
        } else {
            let files: Vec<PathBuf> =
                self.files.iter().map(|file| environment.current_directory.join(file)).collect();
            let signed = ops::sign_files(&files, &keys, now, &on_event)?;
            signed.into_iter().map(|(path, fingerprint)| (path, fingerprint.to_string())).collect()
        };
        context.output.json(&serde_json::json!({ "event": "signed", "signatures": signed }));
        if !context.output.style().json {
            for (path, _) in &signed {
                context.output.result(&path.display().to_string());
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

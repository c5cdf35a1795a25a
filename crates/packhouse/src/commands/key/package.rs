//! `packhouse key package`

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use serde_json::json;

use super::Context;
use crate::ops;

#[derive(Args)]
pub(in crate::commands) struct Package {}

impl Package {
    pub(super) fn run(self, context: &Context) -> Result<ExitCode> {
        let Package {} = self;
        let on_event = |event| context.output.event(event);
        let paths = ops::package_keyring(context.directory.clone(), &context.environment, &on_event)?;
        context.output.json(&json!({ "event": "keyring-packaged", "packages": paths }));
        if !context.output.style().json {
            for path in &paths {
                context.output.result(&path.display().to_string());
            }
            context.output.note("sign them with `packhouse sign FILE`; they go into no list of releases");
        }
        Ok(ExitCode::SUCCESS)
    }
}

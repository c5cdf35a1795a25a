//! `packhouse init`

use std::process::ExitCode;

use anyhow::Result;
use packhouse_project::{PROJECT_FILE, scaffold};

use super::Context;
use crate::ops::UsageError;

pub(super) fn run(context: &Context) -> Result<ExitCode> {
    let current = &context.environment.current_directory;
    let root =
        context.directory.as_ref().map_or_else(|| current.clone(), |directory| current.join(directory));
    let root = fs_err::canonicalize(root)
        .map_err(|error| UsageError::new(error.to_string(), "name the project's directory with -C"))?;
    let files = scaffold::init(&root)?;
    scaffold::write(&root, &files)?;
    context
        .output
        .json(&serde_json::json!({ "written": files.iter().map(|file| &file.path).collect::<Vec<_>>() }));
    for file in &files {
        if !context.output.style().json {
            context.output.result(&format!("wrote {}", file.path.display()));
        }
    }
    context.output.note(&format!("\nNext: complete {PROJECT_FILE}, then  packhouse release --all"));
    Ok(ExitCode::SUCCESS)
}

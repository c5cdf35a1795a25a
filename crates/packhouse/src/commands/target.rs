//! `packhouse target list` and `packhouse target add`

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;
use packhouse_project::{Project, distribution::Distribution, scaffold};

use super::Context;
use crate::ops::find_project;

#[derive(Subcommand)]
pub(super) enum Target {
    /// List the targets; with --json as a CI matrix: {"include": [{"target": …}]}
    List,
    /// Write the three elements of a new target
    #[command(after_help = "Example:\n  packhouse target add debian 12")]
    Add {
        /// The distribution, as in `debian`
        distribution: String,
        /// Its version, as in `12`
        // `version` is the id of the flag that every command has.
        #[arg(id = "distribution-version", value_name = "VERSION")]
        version: String,
    },
}

impl Target {
    pub(super) fn run(self, context: &Context) -> Result<ExitCode> {
        let root = find_project(context.directory.as_deref(), &context.environment)?;
        match self {
            Target::List => list(context, &Project::open(&root)?),
            Target::Add { distribution, version } => {
                let target = packhouse_project::Target { distribution, version };
                let files = scaffold::add_target(&root, &target)?;
                scaffold::write(&root, &files)?;
                context.output.json(&serde_json::json!({ "written": files.iter().map(|file| &file.path).collect::<Vec<_>>() }));
                for file in files.iter().filter(|_| !context.output.style().json) {
                    context.output.result(&format!("wrote {}", file.path.display()));
                }
                if Distribution::find(&target.distribution).is_none() {
                    let known: Vec<&str> = Distribution::all().keys().map(String::as_str).collect();
                    context.output.note(&format!(
                        "Packhouse does not know {}: complete the Dockerfile and fpm.cmd (it knows {})",
                        target.distribution,
                        known.join(", ")
                    ));
                }
                Ok(ExitCode::SUCCESS)
            }
        }
    }
}

fn list(context: &Context, project: &Project) -> Result<ExitCode> {
    if context.output.style().json {
        let include: Vec<_> = project
            .targets()
            .map(|(target, format)| {
                serde_json::json!({
                    "target": target.to_string(),
                    "distribution": target.distribution,
                    "version": target.version,
                    "format": format.map(|format| format.to_string()),
                })
            })
            .collect();
        context.output.json(&serde_json::json!({ "include": include }));
    } else {
        let width = project.targets().map(|(target, _)| target.to_string().len()).max().unwrap_or(0);
        for (target, format) in project.targets() {
            let format = format.map(|format| format.to_string()).unwrap_or_default();
            context.output.result(&format!("{:width$}  {format}", target.to_string()));
        }
    }
    Ok(ExitCode::SUCCESS)
}

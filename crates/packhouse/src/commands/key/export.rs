//! `packhouse key export`

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, ValueEnum};
use serde_json::json;

use super::{Context, Which};
use crate::ops::{self, ExportFor, ExportOptions};

#[derive(Args)]
pub(in crate::commands) struct Export {
    /// Keys of the keyring [default: the key that signs; with --for all]
    #[arg(value_name = "FINGERPRINT")]
    fingerprints: Vec<String>,
    /// Every key of the keyring
    #[arg(long, conflicts_with = "fingerprints")]
    all: bool,
    /// The files that this package manager wants, without what it does not need
    #[arg(long = "for", value_name = "FORMAT", value_enum)]
    who: Option<Who>,
    /// ASCII-armored instead of binary
    #[arg(long)]
    armor: bool,
    /// The file to write [default: standard output]; with --for the directory [default: the current one]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    which: Which,
}

#[derive(Clone, Copy, ValueEnum)]
enum Who {
    /// A keyring for `Signed-By:`
    Apt,
    /// A file for each key, for `gpgkey=` and `rpm --import`
    Rpm,
    /// The public part of apk's RSA key, for /etc/apk/keys
    Apk,
    /// A keyring for `pacman-key --populate`, with its lists
    Pacman,
}

impl Export {
    pub(super) fn run(self, context: &Context) -> Result<ExitCode> {
        let environment = &context.environment;
        let on_event = |event| context.output.event(event);
        let options = ExportOptions {
            ring: self.which.ring(context),
            fingerprints: self.fingerprints,
            // Another keyring than the project's is asked for its own keys.
            all: self.all || self.which.keyring.is_some(),
        };
        if let Some(who) = self.who {
            let who = match who {
                Who::Apt => ExportFor::Apt,
                Who::Rpm => ExportFor::Rpm,
                Who::Apk => ExportFor::Apk,
                Who::Pacman => ExportFor::Pacman,
            };
            let directory = self.output.unwrap_or_default();
            let files = ops::export_for(who, &options, &directory, self.armor, environment, &on_event)?;
            context.output.json(&json!({ "event": "keys-exported", "files": files }));
            if !context.output.style().json {
                for file in files {
                    context.output.result(&file.display().to_string());
                }
            }
            return Ok(ExitCode::SUCCESS);
        }
        let keyring = ops::export_keys(&options, environment, &on_event)?;
        let bytes = if self.armor { keyring.to_armored().into_bytes() } else { keyring.to_binary() };
        match self.output {
            Some(path) => {
                let path = environment.current_directory.join(path);
                let mut file = fs_err::OpenOptions::new().write(true).create_new(true).open(path)?;
                file.write_all(&bytes)?;
            }
            None => std::io::stdout().write_all(&bytes)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

//! `packhouse key`

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;
use packhouse_sign::Keyring;

use super::Context;
use crate::ops::{self, PlanOptions};

#[derive(Subcommand)]
pub(super) enum Key {
    /// Write the public part of the key that signs, as a keyring
    #[command(after_help = "Example:\n  packhouse key export -o dist/trustedkeys.gpg")]
    Export {
        /// ASCII-armored instead of binary
        #[arg(long)]
        armor: bool,
        /// The file to write [default: standard output]
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
}

impl Key {
    pub(super) fn run(self, context: &Context) -> Result<ExitCode> {
        let Key::Export { armor, output } = self;
        let options = PlanOptions::whole(context.directory.clone());
        let plan = ops::plan(&options, &context.environment)?.plan;
        let certificate =
            ops::signing_certificate(&plan, &context.environment, &|event| context.output.event(event))?;
        let keyring = Keyring::from_certificates([certificate]);
        let bytes = if armor { keyring.to_armored().into_bytes() } else { keyring.to_binary() };
        match output {
            Some(path) => {
                let path = context.environment.current_directory.join(path);
                let mut file = fs_err::OpenOptions::new().write(true).create_new(true).open(path)?;
                file.write_all(&bytes)?;
            }
            None => std::io::stdout().write_all(&bytes)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

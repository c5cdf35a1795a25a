//! `packhouse key rotate`

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{ArgGroup, Args};

use super::Context;
use crate::ops::{self, BeginOptions, NewSigner, Ring};
use crate::output;

#[derive(Args)]
#[command(group = ArgGroup::new("new").args(["key_file", "key", "public"]))]
pub(in crate::commands) struct Rotate {
    /// The new key: a file with its secret part, or that of its signing subkey
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// The new key: one that GnuPG has
    #[arg(long, value_name = "FINGERPRINT")]
    key: Option<String>,
    /// The new key: its public part, where the secret ones come in the environment
    #[arg(long, value_name = "FILE")]
    public: Option<PathBuf>,
    /// A file with the new key's pass phrase, as it is to stand in [sign]
    #[arg(long, value_name = "FILE", requires = "new")]
    passphrase_file: Option<String>,
    /// For how many days both keys sign [default: 90]
    #[arg(long, value_name = "DAYS", requires = "new", value_parser = clap::value_parser!(u32).range(1..=3650))]
    days: Option<u32>,
    /// End it: the old key signs no more
    #[arg(long, conflicts_with = "new")]
    finish: bool,
    /// With --finish: revoke the old key, too, by this certificate
    #[arg(long, value_name = "FILE", requires = "finish")]
    revocation: Option<PathBuf>,
    /// With --finish: also before customers have had the new key for the whole time
    #[arg(long, requires = "finish")]
    force: bool,
    /// Do it, after it was shown what would be done
    #[arg(long)]
    yes: bool,
}

impl Rotate {
    pub(super) fn run(self, context: &Context) -> Result<ExitCode> {
        let environment = &context.environment;
        let on_event = |event| context.output.event(event);
        let ring = Ring { project: context.directory.clone(), named: None };
        let new = match (self.key_file, self.key, self.public) {
            (Some(file), ..) => Some(NewSigner::File(file)),
            (_, Some(fingerprint), _) => Some(NewSigner::GnuPg(fingerprint)),
            (.., Some(file)) => Some(NewSigner::Public(file)),
            _ => None,
        };
        let rotation = if let Some(new) = new {
            let options = BeginOptions {
                ring,
                new,
                passphrase_file: self.passphrase_file,
                days: self.days,
                apply: self.yes,
            };
            ops::begin_rotation(&options, environment, &on_event)?
        } else if self.finish {
            let revocation = self.revocation.as_deref();
            let finish =
                ops::finish_rotation(&ring, revocation, self.force, self.yes, environment, &on_event);
            context.block_on(finish)?
        } else {
            context.block_on(ops::rotation(&ring, environment, &on_event))?
        };
        context.output.json(&rotation);
        if !context.output.style().json {
            context.output.result(output::keys::rotation(&rotation).trim_end());
        }
        Ok(ExitCode::SUCCESS)
    }
}

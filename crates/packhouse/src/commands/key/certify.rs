//! `packhouse key certify`

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use serde_json::json;

use super::Context;
use crate::ops::{self, CertifyOptions, Validity};

#[derive(Args)]
pub(in crate::commands) struct Certify {
    /// The public key that the service or HSM gives: PEM, DER or base64
    #[arg(value_name = "FILE")]
    public_key: PathBuf,
    /// Whose key it is, as in `Release <release@example.com>`
    #[arg(long, value_name = "NAME")]
    user_id: String,
    /// How long it is valid: 2y, 18m, 90d or never
    #[arg(long, value_name = "TIME", default_value = "2y")]
    expires: Validity,
    /// A variable of the environment that the command gets, too; may be repeated
    #[arg(long = "variable", value_name = "NAME")]
    variables: Vec<String>,
    /// The keyring to write
    #[arg(short, long, value_name = "FILE", default_value = "dist/trustedkeys.gpg")]
    output: PathBuf,
    /// The program that signs digests with the key, and its arguments
    #[arg(value_name = "COMMAND", last = true, required = true)]
    command: Vec<String>,
}

impl Certify {
    pub(super) fn run(self, context: &Context) -> Result<ExitCode> {
        let options = CertifyOptions {
            public_key: self.public_key,
            user_id: self.user_id,
            expires: self.expires,
            command: self.command,
            variables: self.variables,
            output: self.output,
        };
        let certificate = ops::certify_key(&options, &context.environment)?;
        let fingerprint = certificate.fingerprint();
        context.output.json(&json!({
            "event": "key-certified", "fingerprint": fingerprint.to_string(), "public": options.output,
        }));
        if !context.output.style().json {
            context.output.result(&fingerprint.to_string());
            context.output.note(&format!("written to {}; name it in [sign] key", options.output.display()));
        }
        Ok(ExitCode::SUCCESS)
    }
}

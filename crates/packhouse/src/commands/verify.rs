//! `packhouse verify`

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use packhouse_sign::Verified;
use serde_json::json;

use super::Context;
use crate::ops::{self, UsageError, day};

#[derive(Args)]
#[command(
    after_help = "Examples:\n  packhouse verify app_1.0_amd64.deb --keyring trustedkeys.gpg\n  packhouse verify pkg/site"
)]
pub(super) struct Verify {
    /// A package or any other signed file, or a site: its directory, s3://, gs:// or az://
    #[arg(value_name = "FILE|SITE")]
    subject: String,
    /// Whom to trust [default: the project's keyring]
    #[arg(long, value_name = "KEYRING")]
    keyring: Option<PathBuf>,
    /// The file's signature [default: the file's name and .asc]
    #[arg(long, value_name = "FILE")]
    signature: Option<PathBuf>,
}

impl Verify {
    pub(super) fn run(self, context: &Context) -> Result<ExitCode> {
        let environment = &context.environment;
        let root = ops::find_project(context.directory.as_deref(), environment)?;
        let path = self.subject.strip_prefix("file://").unwrap_or(&self.subject);
        let is_bucket = ["s3://", "gs://", "az://"].iter().any(|scheme| path.starts_with(scheme));
        if let Some((scheme, _)) = path.split_once("://").filter(|_| !is_bucket) {
            let help = "download it and verify the file, or verify the site's directory or bucket";
            return Err(
                UsageError::new(format!("this version does not verify over {scheme}://"), help).into()
            );
        }
        let keyring = ops::trusted_keyring(self.keyring.as_deref(), &root, environment, &|event| {
            context.output.event(event)
        })?;
        let path = match is_bucket {
            true => PathBuf::from(path),
            false => environment.current_directory.join(path),
        };
        if is_bucket || path.is_dir() {
            let site = path.to_string_lossy().into_owned();
            let proof = context.block_on(ops::verify_site(&site, &keyring, environment))?;
            context.output.json(&json!({
                "verified": path, "generation": proof.head.generation, "packages": proof.head.packages.len(),
                "expires": proof.expires, "unlisted": proof.unlisted, "key": key(&proof.verified),
            }));
            if !context.output.style().json {
                let count = proof.head.packages.len();
                context.output.result(&format!(
                    "{}: {count} {} and {} are as published; {}",
                    path.display(),
                    if count == 1 { "package" } else { "packages" },
                    "every pointer",
                    sentence(&proof.verified, "the list of releases")
                ));
            }
            for name in &proof.unlisted {
                context.output.note(&format!("note: {name} is there and no release names it"));
            }
        } else {
            let signature = self.signature.as_deref().map(|path| environment.current_directory.join(path));
            let proof = ops::verify_file(&path, signature.as_deref(), &keyring, environment.now.into())?;
            context.output.json(&json!({ "verified": proof.file, "key": key(&proof.verified) }));
            if !context.output.style().json {
                let name =
                    Path::new(&self.subject).file_name().unwrap_or_default().to_string_lossy().into_owned();
                context.output.result(&format!("{name}: {}", sentence(&proof.verified, "it")));
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn sentence(verified: &Verified, what: &str) -> String {
    let until = verified.expires.map(|expires| format!(", valid until {}", day(expires))).unwrap_or_default();
    format!(
        "{what} was signed on {} by {} ({}{until})",
        day(verified.created),
        verified.fingerprint.grouped(),
        verified.user_id
    )
}

fn key(verified: &Verified) -> serde_json::Value {
    json!({
        "fingerprint": verified.fingerprint.to_string(),
        "signing-key": verified.signing_key.to_string(),
        "user-id": verified.user_id,
        "signed": day(verified.created),
        "expires": verified.expires.map(day),
    })
}

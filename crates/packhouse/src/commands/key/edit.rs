//! `packhouse key add`, `remove`, `revoke`

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, ValueEnum};
use packhouse_sign::{Added, Reason as SignReason};
use serde_json::json;

use super::{Context, Which};
use crate::ops::{self, RevokeOptions};

#[derive(Args)]
pub(in crate::commands) struct Add {
    /// Files with public keys: binary, armored or a GnuPG keybox
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    which: Which,
}

#[derive(Args)]
pub(in crate::commands) struct Remove {
    /// The primary key's fingerprint, all 40 digits
    #[arg(value_name = "FINGERPRINT")]
    fingerprint: String,
    /// Also the last key, or the one that signs
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    which: Which,
}

#[derive(Args)]
pub(in crate::commands) struct Revoke {
    /// A revocation certificate
    #[arg(value_name = "FILE", required_unless_present = "key_file", conflicts_with = "key_file")]
    certificate: Option<PathBuf>,
    /// The whole secret key, to make the revocation with
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// Why: of a key that is compromised nothing counts that it ever signed
    #[arg(long, value_enum, requires = "key_file", required_unless_present = "certificate")]
    reason: Option<Reason>,
    /// The same in words, for whoever looks at the key
    #[arg(long, value_name = "TEXT", requires = "key_file", default_value = "")]
    text: String,
    /// Only this subkey
    #[arg(long, value_name = "FINGERPRINT", requires = "key_file")]
    subkey: Option<String>,
    #[command(flatten)]
    which: Which,
}

#[derive(Clone, Copy, ValueEnum)]
enum Reason {
    /// Somebody else may have it
    Compromised,
    /// Another key takes its place
    Superseded,
    /// It is no longer used
    Retired,
}

impl Add {
    pub(super) fn run(self, context: &Context) -> Result<ExitCode> {
        let on_event = |event| context.output.event(event);
        let ring = self.which.ring(context);
        let (path, keys) = ops::add_keys(&ring, &self.files, &context.environment, &on_event)?;
        let word = |added| match added {
            Added::New => "added",
            Added::Update => "updated",
            Added::Nothing => "known",
        };
        context.output.json(&json!({
            "event": "keys-added",
            "keyring": path,
            "keys": keys.iter().map(|key| json!({
                "fingerprint": key.fingerprint, "user-id": key.user_id, "change": word(key.added),
            })).collect::<Vec<_>>(),
        }));
        if !context.output.style().json {
            for key in keys {
                context.output.result(&format!("{}  {}  {}", word(key.added), key.grouped, key.user_id));
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Remove {
    pub(super) fn run(self, context: &Context) -> Result<ExitCode> {
        let on_event = |event| context.output.event(event);
        let ring = self.which.ring(context);
        let removed = ops::remove_key(&ring, &self.fingerprint, self.force, &context.environment, &on_event);
        let (path, key) = removed?;
        context.output.json(&json!({
            "event": "key-removed", "keyring": path, "fingerprint": key.fingerprint().to_string(),
        }));
        if !context.output.style().json {
            let line = format!("removed  {}  {}", key.fingerprint().grouped(), key.user_id());
            context.output.result(&line);
            context.output.note(
                "customers who have the old keyring trust it as before; a revocation tells them not to",
            );
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Revoke {
    pub(super) fn run(self, context: &Context) -> Result<ExitCode> {
        let on_event = |event| context.output.event(event);
        let ring = self.which.ring(context);
        let options = match (self.certificate, self.key_file) {
            (Some(certificate), _) => RevokeOptions::Certificate(certificate),
            (None, file) => RevokeOptions::Key {
                file: file.unwrap_or_default(),
                reason: match self.reason {
                    Some(Reason::Compromised) => SignReason::Compromised,
                    Some(Reason::Superseded) => SignReason::Superseded,
                    Some(Reason::Retired) => SignReason::Retired,
                    None => SignReason::Unspecified,
                },
                text: self.text,
                subkey: self.subkey,
            },
        };
        let revoked = ops::revoke_key(&ring, &options, &context.environment, &on_event)?;
        let fingerprint = revoked.subkey.unwrap_or(revoked.fingerprint);
        context.output.json(&json!({
            "event": "key-revoked",
            "keyring": revoked.path,
            "fingerprint": revoked.fingerprint.to_string(),
            "subkey": revoked.subkey.map(|subkey| subkey.to_string()),
            "reason": revoked.reason,
            "hard": revoked.is_hard,
        }));
        if !context.output.style().json {
            let what = if revoked.subkey.is_some() { "the subkey" } else { "the key" };
            let then = match revoked.is_hard {
                true => "nothing that it ever signed counts",
                false => "what it signed before still counts",
            };
            context.output.result(&format!(
                "revoked  {what} {} of {}: {}; {then}",
                fingerprint.grouped(),
                revoked.user_id,
                revoked.reason
            ));
            context
                .output
                .note("commit the keyring and publish: customers learn it with the keyring they fetch next");
        }
        Ok(ExitCode::SUCCESS)
    }
}

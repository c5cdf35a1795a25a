//! `packhouse key generate`

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, ValueEnum};
use packhouse_sign::{NewAlgorithm, Shape};
use serde_json::json;

use super::Context;
use crate::ops::{self, GenerateOptions, Validity, day};

#[derive(Args)]
pub(in crate::commands) struct Generate {
    /// Whose key it is, as in `Release <release@example.com>`; with --apk the key's name
    #[arg(value_name = "NAME")]
    name: String,
    /// The algorithm
    #[arg(long, value_enum, default_value = "ed25519", conflicts_with = "apk")]
    algorithm: Algorithm,
    /// How long the key that signs is valid: 2y, 18m, 90d or never
    #[arg(long, value_name = "TIME", default_value = "2y", conflicts_with = "apk")]
    expires: Validity,
    /// How long the primary key is valid
    #[arg(long, value_name = "TIME", default_value = "never", conflicts_with_all = ["apk", "single"])]
    primary_expires: Validity,
    /// One key that certifies and signs, for clients that know no subkeys (CentOS 7, Amazon Linux 2)
    #[arg(long, conflicts_with = "apk")]
    single: bool,
    /// An RSA key for apk, which knows no OpenPGP
    #[arg(long)]
    apk: bool,
    /// Do not protect the secret key with a pass phrase
    #[arg(long)]
    no_passphrase: bool,
    /// The directory for the key's files, outside of projects
    #[arg(short, long, value_name = "DIR", default_value = "../signing-key")]
    output: PathBuf,
}

#[derive(Clone, Copy, ValueEnum)]
enum Algorithm {
    Ed25519,
    Rsa3072,
    Rsa4096,
}

impl Generate {
    pub(super) fn run(self, context: &Context) -> Result<ExitCode> {
        let (environment, output) = (&context.environment, &context.output);
        if self.apk {
            let key = ops::generate_apk_key(&self.name, &self.output, environment)?;
            output.json(&json!({ "event": "key-generated", "secret": key.secret, "public": key.public }));
            if !output.style().json {
                output.result(&format!("secret  {}", key.secret.display()));
                output.result(&format!("public  {}", key.public.display()));
                output.note("apk knows no pass phrases: nothing but its mode protects the secret key");
                output.note(&format!(
                    "next: in [sign] of dist/packhouse.toml: apk-key = \"{}\"",
                    key.secret.display()
                ));
            }
            return Ok(ExitCode::SUCCESS);
        }
        let options = GenerateOptions {
            user_id: self.name,
            algorithm: match self.algorithm {
                Algorithm::Ed25519 => NewAlgorithm::Ed25519,
                Algorithm::Rsa3072 => NewAlgorithm::Rsa3072,
                Algorithm::Rsa4096 => NewAlgorithm::Rsa4096,
            },
            shape: if self.single { Shape::Single } else { Shape::SigningSubkey },
            expires: self.expires,
            primary_expires: self.primary_expires,
            directory: self.output,
            is_unprotected: self.no_passphrase,
        };
        let key = ops::generate_key(&options, environment)?;
        let part = key.certificate.signing_part(environment.now.into())?;
        let expires = part.expires.map(day);
        output.json(&json!({
            "event": "key-generated",
            "fingerprint": key.certificate.fingerprint().to_string(),
            "signing-key": part.fingerprint.to_string(),
            "algorithm": part.algorithm.to_string(),
            "expires": expires,
            "secret": key.secret,
            "signing-subkey": key.subkey,
            "revocation": key.revocation,
            "public": key.public,
        }));
        if output.style().json {
            return Ok(ExitCode::SUCCESS);
        }
        output.result(&format!(
            "{}  {}, {}",
            key.certificate.fingerprint().grouped(),
            part.algorithm,
            expires.map_or_else(|| "never expires".into(), |day| format!("signs until {day}"))
        ));
        let lines = [
            (Some(&key.secret), "the whole secret key: keep it offline"),
            (key.subkey.as_ref(), "the subkey that signs: for the machine that makes releases"),
            (Some(&key.revocation), "ends the key when it is lost or stolen: print it, keep it apart"),
            (Some(&key.public[0]), "the public key"),
            (Some(&key.public[1]), "the same, binary"),
        ];
        for (path, what) in lines {
            if let Some(path) = path {
                output.result(&format!("{}  {what}", path.display()));
            }
        }
        let secret = key.subkey.as_ref().unwrap_or(&key.secret);
        output.note(&format!(
            "next: packhouse key add {}, and in [sign] of dist/packhouse.toml: key-file = \"{}\"",
            key.public[0].display(),
            secret.display()
        ));
        Ok(ExitCode::SUCCESS)
    }
}

//! `packhouse key`

mod certify;
mod check;
mod document;
mod edit;
mod export;
mod generate;
mod list;
mod rotate;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand};

use super::Context;
use crate::ops::Ring;

#[derive(Subcommand)]
pub(super) enum Key {
    /// List who may sign, until when, and what they last signed
    #[command(after_help = "Examples:\n  packhouse key list\n  packhouse key list --keyring trustedkeys.gpg")]
    List(list::List),
    /// Make a signing key, and files of it for different places
    #[command(after_help = "Examples:\n  packhouse key generate release@example.com -o ../signing-key\n  \
                            packhouse key generate release@example.com --algorithm rsa4096 --single\n  \
                            packhouse key generate --apk release@example.com")]
    Generate(generate::Generate),
    /// Make the certificate of a key in a key service or an HSM
    #[command(
        after_help = "Example:\n  packhouse key certify kms.pem --user-id 'Release <release@example.com>' -- \
                            aws kms sign --key-id alias/release --message fileb:///dev/stdin --message-type DIGEST \
                            --signing-algorithm RSASSA_PKCS1_V1_5_SHA_512 --output text --query Signature"
    )]
    Certify(certify::Certify),
    /// Add public keys to the keyring, or what is new about those in it
    #[command(after_help = "Example:\n  packhouse key add ../signing-key/public-key.asc")]
    Add(edit::Add),
    /// Take a key out of the keyring
    #[command(after_help = "Example:\n  packhouse key remove 57CA1E683C2C5DF6CDA9B65688251EC9C532315A")]
    Remove(edit::Remove),
    /// Revoke a key of the keyring
    #[command(after_help = "Examples:\n  packhouse key revoke ../signing-key/revocation.asc\n  \
                            packhouse key revoke --key-file ../signing-key/secret-key.asc --reason superseded")]
    Revoke(edit::Revoke),
    /// Write public keys, also as a package manager wants them
    #[command(after_help = "Examples:\n  packhouse key export -o dist/trustedkeys.gpg\n  \
                            packhouse key export --all --armor\n  packhouse key export --for rpm -o keys")]
    Export(export::Export),
    /// Check that keys last and that every target's client can use them
    #[command(after_help = "Examples:\n  packhouse key check\n  packhouse key check --within 30 --json")]
    Check(check::Check),
    /// Replace the key that signs, in steps that customers can follow
    #[command(after_help = "Examples:\n  packhouse key rotate\n  packhouse key rotate --key-file \
                            ../new-key/signing-subkey.asc\n  packhouse key rotate --finish --yes")]
    Rotate(rotate::Rotate),
    /// Write the vendor's SIGNING.md: who may sign, and how to verify
    #[command(
        after_help = "Examples:\n  packhouse key document -o SIGNING.md\n  packhouse key document --check SIGNING.md"
    )]
    Document(document::Document),
}

/// Which keyring.
#[derive(Args)]
struct Which {
    /// The keyring [default: the project's, dist/trustedkeys.gpg]
    #[arg(long, value_name = "FILE")]
    keyring: Option<PathBuf>,
}

impl Which {
    fn ring(&self, context: &Context) -> Ring {
        Ring { project: context.directory.clone(), named: self.keyring.clone() }
    }
}

impl Key {
    pub(super) fn run(self, context: &Context) -> Result<ExitCode> {
        match self {
            Key::List(command) => command.run(context),
            Key::Generate(command) => command.run(context),
            Key::Certify(command) => command.run(context),
            Key::Add(command) => command.run(context),
            Key::Remove(command) => command.run(context),
            Key::Revoke(command) => command.run(context),
            Key::Export(command) => command.run(context),
            Key::Check(command) => command.run(context),
            Key::Rotate(command) => command.run(context),
            Key::Document(command) => command.run(context),
        }
    }
}

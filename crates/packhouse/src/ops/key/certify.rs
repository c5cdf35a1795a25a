//! Makes the certificate of a key that a program signs with: a key service's or an HSM's.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result};
use packhouse_sign::{Certificate, CommandInput, Keyring, SignCommand, certify};

use super::Validity;
use crate::environment::Environment;

/// How long the program may take, as for [`[sign] command`](packhouse_project::SigningCommand).
const LIMIT: Duration = Duration::from_secs(120);

/// What to certify.
pub struct CertifyOptions {
    /// A file with the public key, in PEM, DER or base64.
    pub public_key: PathBuf,
    /// Whose key it is.
    pub user_id: String,
    /// How long it is valid.
    pub expires: Validity,
    /// The program that signs digests with it, and its arguments.
    pub command: Vec<String>,
    /// Variables that it gets besides those that every sign command does.
    pub variables: Vec<String>,
    /// The keyring to write; must not be there.
    pub output: PathBuf,
}

/// Makes the certificate and writes it as a keyring.
///
/// # Errors
/// When the public key cannot be read or may not sign, the program does not sign with it, or the output is there.
pub fn certify_key(options: &CertifyOptions, environment: &Environment) -> Result<Certificate> {
    use std::io::Write as _;
    let here = &environment.current_directory;
    let path = here.join(&options.public_key);
    let public_key = fs_err::read(&path)?;
    let command = SignCommand {
        words: options.command.clone(),
        input: CommandInput::Digest,
        limit: LIMIT,
        environment: environment.for_sign_command(&options.variables),
        directory: here.clone(),
    };
    let certificate =
        certify(&public_key, &options.user_id, environment.now.into(), options.expires.0, &command)
            .with_context(|| format!("{} gets no certificate", path.display()))?;
    let mut file =
        fs_err::OpenOptions::new().write(true).create_new(true).open(here.join(&options.output))?;
    file.write_all(&Keyring::from_certificates([certificate.clone()]).to_binary())?;
    Ok(certificate)
}

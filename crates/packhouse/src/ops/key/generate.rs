//! Makes a signing key and writes its files, each for another place.

use std::io::Write as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use fs_err::os::unix::fs::OpenOptionsExt as _;
use packhouse_project::PROJECT_FILE;
use packhouse_sign::{Certificate, Keyring, NewAlgorithm, NewKey, RsaKey, Secret, Shape};

use super::Validity;
use crate::environment::{Environment, SIGNING_PASSPHRASE, SIGNING_PASSPHRASE_FILE};
use crate::ops::UsageError;
use crate::ops::signer::source::passphrase;

/// The length of apk's keys: what `abuild-keygen` makes.
const APK_KEY_BITS: usize = 4096;

/// What a user can say about a new key.
#[derive(Clone, Debug)]
pub struct GenerateOptions {
    /// `Name <address>`.
    pub user_id: String,
    /// The algorithm.
    pub algorithm: NewAlgorithm,
    /// Which part signs.
    pub shape: Shape,
    /// How long the part that signs is valid.
    pub expires: Validity,
    /// How long the primary key is.
    pub primary_expires: Validity,
    /// The directory for its files.
    pub directory: PathBuf,
    /// Leave the secret keys open: nothing asks for a pass phrase.
    pub is_unprotected: bool,
}

/// A new key and its files.
#[derive(Clone, Debug)]
pub struct GeneratedFiles {
    /// The key.
    pub certificate: Certificate,
    /// The whole secret key.
    pub secret: PathBuf,
    /// The signing subkey without the primary secret; `None` when there are no subkeys.
    pub subkey: Option<PathBuf>,
    /// The revocation certificate.
    pub revocation: PathBuf,
    /// The public key, armored and binary.
    pub public: [PathBuf; 2],
}

/// A new key for apk.
#[derive(Clone, Debug)]
pub struct NewApkKey {
    /// The secret key.
    pub secret: PathBuf,
    /// The public key, under the name that signatures call it by.
    pub public: PathBuf,
}

/// Makes an OpenPGP key.
///
/// # Errors
/// When nothing protects it and that was not said, a file is there already, or a directory is not a safe place.
pub fn generate_key(options: &GenerateOptions, environment: &Environment) -> Result<GeneratedFiles> {
    let directory = outside_of_projects(&environment.current_directory.join(&options.directory))?;
    let passphrase = match options.is_unprotected {
        true => None,
        false => Some(new_passphrase(environment)?),
    };
    if passphrase.as_ref().is_some_and(|passphrase| passphrase.expose().is_empty()) {
        return Err(no_passphrase().into());
    }
    let generated = NewKey {
        user_id: &options.user_id,
        algorithm: options.algorithm,
        shape: options.shape,
        created: environment.now.into(),
        signs_for: options.expires.0,
        primary_for: options.primary_expires.0,
        passphrase: passphrase.as_ref(),
    }
    .generate()?;

    let keyring = Keyring::from_certificates([generated.certificate.clone()]);
    let path = |name: &str| directory.join(name);
    let files = GeneratedFiles {
        certificate: generated.certificate,
        secret: path("secret-key.asc"),
        subkey: generated.signing_subkey.is_some().then(|| path("signing-subkey.asc")),
        revocation: path("revocation.asc"),
        public: [path("public-key.asc"), path("public-key.gpg")],
    };
    let mut new = vec![
        (&files.secret, SECRET, generated.secret.clone()),
        (&files.revocation, SECRET, generated.revocation.clone()),
        (&files.public[0], PUBLIC, Secret::new(keyring.to_armored())),
        (&files.public[1], PUBLIC, Secret::new(keyring.to_binary())),
    ];
    if let (Some(path), Some(secret)) = (&files.subkey, &generated.signing_subkey) {
        new.push((path, SECRET, secret.clone()));
    }
    write_new(&directory, &new)?;
    Ok(files)
}

/// Makes an RSA key for apk: `<name>.rsa` and `<name>.rsa.pub`. apk-tools and abuild know no protected keys.
///
/// # Errors
/// When the name cannot be that of a key, a file is there already, or the directory is not a safe place.
pub fn generate_apk_key(name: &str, directory: &Path, environment: &Environment) -> Result<NewApkKey> {
    let directory = outside_of_projects(&environment.current_directory.join(directory))?;
    // The name becomes one of a member of an archive, and of a file in /etc/apk/keys (KEY-21).
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"@._+-".contains(&byte);
    if name.is_empty() || name.len() > 60 || name.starts_with(['.', '-']) || !name.bytes().all(is_plain) {
        let message = format!("`{}` cannot be the name of an apk key", name.escape_debug());
        return Err(
            UsageError::new(message, "letters, digits and @ . _ + -, as in release@example.org").into()
        );
    }
    let key = RsaKey::generate(APK_KEY_BITS)?;
    // As `abuild-keygen` does: two keys of one owner have different names.
    let stem = format!("{name}-{:x}.rsa", environment.now.as_second());
    let files = NewApkKey { secret: directory.join(&stem), public: directory.join(format!("{stem}.pub")) };
    let secret = key.to_pem();
    let public = Secret::new(key.public_key().to_pem());
    write_new(&directory, &[(&files.secret, SECRET, secret), (&files.public, PUBLIC, public)])?;
    Ok(files)
}

/// The pass phrase for a new key: the environment's, a file's, or what is typed twice where somebody can answer.
fn new_passphrase(environment: &Environment) -> Result<Secret> {
    if let Some(given) = passphrase(None, environment)? {
        return Ok(given);
    }
    let ask = environment.ask.as_ref().ok_or_else(no_passphrase)?;
    let typed = |question| ask(question).context("no pass phrase was entered");
    let first = typed("Pass phrase for the new key: ")?;
    if first.expose().is_empty() {
        return Err(no_passphrase().into());
    }
    if typed("The same once more: ")?.expose() != first.expose() {
        let message = "the two pass phrases are not the same, and no key was made";
        return Err(UsageError::new(message, "run the same command again").into());
    }
    Ok(first)
}

fn no_passphrase() -> UsageError {
    let help = format!(
        "put one into a file with mode 0600 and name that in ${SIGNING_PASSPHRASE_FILE}, or into \
         ${SIGNING_PASSPHRASE}; --no-passphrase leaves the key to whoever can read its file"
    );
    UsageError::new("no pass phrase protects the new key", help)
}

/// The directory without links and steps up, refused in a project: builds copy what Git does not ignore, and Git keeps
/// what was once added.
fn outside_of_projects(directory: &Path) -> Result<PathBuf> {
    let there = directory.ancestors().find(|it| it.exists()).unwrap_or(Path::new("/"));
    let rest = directory.strip_prefix(there).unwrap_or(Path::new(""));
    let directory = if rest.as_os_str().is_empty() {
        fs_err::canonicalize(there)?
    } else {
        fs_err::canonicalize(there)?.join(rest)
    };
    let is_project = |it: &&Path| it.join(PROJECT_FILE).is_file() || it.join(".git").exists();
    let Some(project) = directory.ancestors().find(is_project) else { return Ok(directory) };
    let message =
        format!("{} is in {}, where builds and Git would find it", directory.display(), project.display());
    Err(UsageError::new(message, "name a directory elsewhere: -o ../signing-key").into())
}

const SECRET: u32 = 0o600;
const PUBLIC: u32 = 0o644;

/// Writes new files, all or none, in a directory that is made for its owner alone.
fn write_new(directory: &Path, files: &[(&PathBuf, u32, Secret)]) -> Result<()> {
    if let Some((there, ..)) = files.iter().find(|(path, ..)| path.symlink_metadata().is_ok()) {
        let message = format!("{} is there already, and a key is never replaced", there.display());
        return Err(UsageError::new(message, "name another directory with -o").into());
    }
    if !directory.is_dir() {
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true).mode(0o700);
        builder.create(directory).with_context(|| format!("{} cannot be made", directory.display()))?;
    }
    let mut written: Vec<&PathBuf> = Vec::new();
    for (path, mode, bytes) in files {
        // The mode is the file's from its first moment, whatever the umask: it can only take bits away.
        let mut options = fs_err::OpenOptions::new();
        let result = options.write(true).create_new(true).mode(*mode).open(path).and_then(|mut file| {
            written.push(*path);
            file.write_all(bytes.expose())?;
            file.sync_all()
        });
        if let Err(error) = result {
            for path in written {
                let _ = fs_err::remove_file(path);
            }
            return Err(error.into());
        }
    }
    Ok(())
}

//! Checks what a customer would: a package, its signature and its key; or a whole site.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context as _, Result, bail};
use fs_err as fs;
use packhouse_project::Project;
use packhouse_publish::{Head, Store, check_site, layout};
use packhouse_sign::{Error as SignError, Keyring, Verified, verify_cleartext, verify_detached};

use super::keys::read_keyring;
use super::{DevelopmentKey, OnEvent, UsageError};
use crate::environment::Environment;

/// Signatures are a few hundred bytes; anything much larger is something else.
const LARGEST_SIGNATURE: u64 = 1024 * 1024;

/// What was shown about a file.
#[derive(Debug)]
pub struct Proof {
    /// The file.
    pub file: PathBuf,
    /// Who signed it.
    pub verified: Verified,
}

/// What was shown about a site.
#[derive(Debug)]
pub struct SiteProof {
    /// What the site holds.
    pub head: Head,
    /// Who signed the list of releases.
    pub verified: Verified,
    /// Until when the list is to be believed, in Unix seconds.
    pub expires: i64,
    /// Objects that no release names.
    pub unlisted: Vec<String>,
}

/// The keyring to check with: the one named, else the project's, else the development key's.
///
/// # Errors
/// When nothing says whom to trust.
pub fn trusted_keyring(
    named: Option<&Path>,
    root: &Path,
    environment: &Environment,
    on_event: OnEvent<'_>,
) -> Result<Keyring> {
    if let Some(path) = named {
        return read_keyring(&environment.current_directory.join(path), on_event);
    }
    let is_project = root.join(packhouse_project::PROJECT_FILE).is_file();
    if is_project {
        let project = Project::open(root)?;
        if let Some(path) = project.keyring() {
            return read_keyring(&path, on_event);
        }
        if let Some(keyring) = DevelopmentKey::new(environment)?.keyring(environment.now.into())? {
            return Ok(keyring);
        }
    }
    let help = "name the keyring of those who may sign with --keyring";
    Err(UsageError::new("nothing says whose signatures to trust", help).into())
}

/// Checks a file against its detached signature.
///
/// # Errors
/// What is wrong with the signature, in a sentence.
pub fn verify_file(
    file: &Path,
    signature: Option<&Path>,
    keyring: &Keyring,
    now: SystemTime,
) -> Result<Proof> {
    let signature = signature.map_or_else(|| super::sign::signature_path(file), Path::to_owned);
    let mut data = fs::File::open(file)?;
    let length = match fs::metadata(&signature) {
        Ok(metadata) => metadata.len(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            bail!("{} is not signed: there is no {}", file.display(), signature.display())
        }
        Err(error) => return Err(error.into()),
    };
    if length > LARGEST_SIGNATURE {
        bail!("{} is not a signature: it has {length} bytes", signature.display());
    }
    let context = || format!("{} does not verify", file.display());
    let verified = verify_detached(&fs::read(&signature)?, &mut data, keyring, now).with_context(context)?;
    Ok(Proof { file: file.into(), verified })
}

/// Checks a whole site: the signed list of releases, every package and signature it names, every pointer.
///
/// # Errors
/// Everything that is wrong, in one error.
pub async fn verify_site(to: &str, keyring: &Keyring, environment: &Environment) -> Result<SiteProof> {
    let store = Store::open(to, &environment.current_directory, &environment.access())?;
    let scratch = Scratch::new(environment)?;
    let now: SystemTime = environment.now.into();
    let check = |_: &packhouse_publish::Package, file: &Path, signature: &[u8]| {
        let mut data = fs::File::open(file)?;
        let verified = verify_detached(signature, &mut data, keyring, now).map(|_| ());
        verified.map_err(|error| with_causes(&error).into())
    };
    let report = check_site(&store, scratch.path(), &check, &|_| {}).await?;
    let mut problems: Vec<String> = report.problems.iter().map(ToString::to_string).collect();
    let list = check_list(&store, &report.head, keyring, now).await;
    let list = list.map_err(|error| problems.push(format!("{error:#}"))).ok();
    if let Err(error) = check_keyrings(&store).await {
        problems.push(format!("{error:#}"));
    }
    match list {
        Some((verified, expires)) if problems.is_empty() => Ok(SiteProof {
            head: report.head,
            verified,
            expires,
            unlisted: report.unlisted.iter().map(ToString::to_string).collect(),
        }),
        _ => bail!("the site does not verify:\n  {}", problems.join("\n  ")),
    }
}

/// A private directory for copies of what lies in a bucket; removed when dropped.
pub(super) struct Scratch(PathBuf);

impl Scratch {
    /// Makes one.
    pub(super) fn new(environment: &Environment) -> Result<Scratch> {
        let directory = environment.scratch().join(format!("check-{}", std::process::id()));
        fs::create_dir_all(&directory)?;
        Ok(Scratch(directory))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What is left of it is in the directory for what is left.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The signed list says the same as the head, and has not expired.
async fn check_list(
    store: &Store,
    head: &Head,
    keyring: &Keyring,
    now: SystemTime,
) -> Result<(Verified, i64)> {
    let text = read_text(store, layout::RELEASES).await?;
    let (list, verified) = super::publish::SignedList::verify(&text, keyring, now)?;
    if *list.head() != *head {
        bail!("`{}` does not say the same as `{}`", layout::RELEASES, layout::HEAD);
    }
    Ok((verified, list.expires))
}

/// Both forms of the published keyring hold the same keys, and can be read.
async fn check_keyrings(store: &Store) -> Result<()> {
    let mut fingerprints = Vec::new();
    for name in [layout::KEYRING, layout::ARMORED_KEYRING] {
        let bytes = read(store, name).await?;
        let keyring = Keyring::parse(&bytes).with_context(|| format!("`{name}` is not a keyring"))?;
        let keys: Vec<_> =
            keyring.certificates().iter().map(|certificate| certificate.fingerprint()).collect();
        fingerprints.push(keys);
    }
    if fingerprints[0] != fingerprints[1] {
        bail!("`{}` and `{}` hold different keys", layout::KEYRING, layout::ARMORED_KEYRING);
    }
    Ok(())
}

async fn read_text(store: &Store, name: &str) -> Result<String> {
    String::from_utf8(read(store, name).await?).with_context(|| format!("`{name}` is not text"))
}

async fn read(store: &Store, name: &str) -> Result<Vec<u8>> {
    let path = packhouse_publish::ObjectPath::new(name)?;
    let found = store.read(&path).await?;
    found.map(|(bytes, _)| bytes).with_context(|| format!("`{name}` is not there"))
}

fn with_causes(error: &SignError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

/// For [`super::publish::SignedList`].
pub(super) fn open_list(text: &str, keyring: &Keyring, now: SystemTime) -> Result<(String, Verified)> {
    verify_cleartext(text, keyring, now).with_context(|| format!("`{}` does not verify", layout::RELEASES))
}

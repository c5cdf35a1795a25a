//! Checks what a customer would: a package, its signature, its key and its name; or a whole site.
//!
//! | module | question |
//! |---|---|
//! | `file` | is this the package that its name says, signed by whom I trust? |
//! | `list` | is the list of releases to be believed, and what does it say of a package? |
//! | `native` | do the signatures of the package's own format hold? |
//! | `seen` | is it older than what I saw before? |
//! | `site` | does everything on a site hold together? |

mod file;
mod list;
mod native;
mod seen;
mod site;

use std::fmt;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::Result;
use fs_err as fs;
use packhouse_package::Format;
use packhouse_project::Project;
use packhouse_publish::{Source, is_web};
use packhouse_sign::{Keyring, RsaPublicKey};

use super::signer::read_keyring;
use super::{DevelopmentKey, OnEvent, UsageError};
use crate::environment::Environment;

pub use file::{FileProof, Identity};
pub use list::ListProof;
pub(super) use list::open_list;
pub use native::Native;
pub use seen::Memory;
pub use site::SiteProof;

/// What a user can ask.
#[derive(Clone, Debug, Default)]
pub struct VerifyOptions {
    /// A file, its address, or a site.
    pub subject: String,
    /// Whom to trust, instead of the project's keyring.
    pub keyring: Option<PathBuf>,
    /// The file's signature, where it is not beside it.
    pub signature: Option<PathBuf>,
    /// The RSA key that apks are signed with.
    pub apk_key: Option<PathBuf>,
    /// The list of releases: a file, or its address.
    pub releases: Option<String>,
    /// The project that the list must be of.
    pub name: Option<String>,
    /// The target that the package must be for, as in `ubuntu-22.04`.
    pub target: Option<String>,
    /// The channel that must offer it.
    pub channel: Option<String>,
    /// The list must be at least this generation.
    pub min_generation: Option<u64>,
    /// Judge as of this time, instead of now.
    pub at: Option<SystemTime>,
    /// Of a site, only what pointers name.
    pub quick: bool,
}

/// What was shown.
#[derive(Debug)]
pub enum Proof {
    /// About a file.
    File(Box<FileProof>),
    /// About a site.
    Site(Box<SiteProof>),
}

/// A check that did not hold.
#[derive(Debug)]
pub struct Refused {
    message: String,
    help: String,
}

impl Refused {
    pub(super) fn new(message: impl Into<String>, help: impl Into<String>) -> Refused {
        Refused { message: message.into(), help: help.into() }
    }

    /// What to do.
    pub fn help(&self) -> &str {
        &self.help
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Refused {}

/// Whom and when to believe.
pub(super) struct Trust {
    pub(super) keyring: Keyring,
    pub(super) at: SystemTime,
    /// Who signs apks, where that is known.
    pub(super) apk_key: Option<RsaPublicKey>,
    /// The project that lists must be of, where that is known.
    pub(super) name: Option<String>,
}

/// Verifies what the options name.
///
/// # Errors
/// The first thing about a file that does not hold; everything about a site that does not, in one error.
pub async fn verify(
    options: &VerifyOptions,
    root: &Path,
    environment: &Environment,
    on_event: OnEvent<'_>,
) -> Result<Proof> {
    let subject = subject(options, environment)?;
    let trust = trust(options, root, environment, on_event)?;
    Ok(match subject {
        Subject::Site(source) => {
            Proof::Site(Box::new(site::verify(&source, options, &trust, environment, on_event).await?))
        }
        Subject::File(path) => {
            Proof::File(Box::new(file::verify(&path, options, &trust, environment, on_event).await?))
        }
        Subject::Address(url) => {
            Proof::File(Box::new(file::verify_address(&url, options, &trust, environment, on_event).await?))
        }
    })
}

enum Subject {
    File(PathBuf),
    Address(String),
    Site(Source),
}

/// An address is a package's when it ends as package files do, a list's when that is what it names, and else a site's.
fn subject(options: &VerifyOptions, environment: &Environment) -> Result<Subject> {
    let text = &options.subject;
    let path = text.strip_prefix("file://").unwrap_or(text);
    let is_package = |name: &str| {
        let endings = Format::ALL.into_iter().flat_map(|format| format.get().endings());
        endings.into_iter().any(|ending| name.ends_with(ending))
    };
    let found = if is_web(text) {
        match is_package(text) {
            true => Subject::Address(text.clone()),
            false => {
                let site = text.strip_suffix("/releases.asc").unwrap_or(text);
                Subject::Site(Source::open(site, &environment.current_directory, &environment.access())?)
            }
        }
    } else if path.contains("://") || environment.current_directory.join(path).is_dir() {
        Subject::Site(Source::open(text, &environment.current_directory, &environment.access())?)
    } else {
        Subject::File(environment.current_directory.join(path))
    };
    let refuse =
        |flag: &str, of: &str| Err(UsageError::new(format!("{flag} is about {of}"), "leave it out").into());
    match &found {
        Subject::Site(_) if options.signature.is_some() => refuse("--signature", "a file"),
        Subject::Site(_) if options.releases.is_some() => {
            refuse("--releases", "a file; a site has its own list")
        }
        Subject::Site(_) if options.target.is_some() => refuse("--target", "a file"),
        Subject::Site(_) if options.channel.is_some() => refuse("--channel", "a file"),
        Subject::File(_) | Subject::Address(_) if options.quick => refuse("--quick", "a site"),
        _ => Ok(found),
    }
}

/// Whom to trust: the keyring that is named, else the project's, else the development key's. A keyring of the project's
/// is for the project's own releases.
fn trust(
    options: &VerifyOptions,
    root: &Path,
    environment: &Environment,
    on_event: OnEvent<'_>,
) -> Result<Trust> {
    let at = options.at.unwrap_or_else(|| environment.now.into());
    let name = options.name.clone();
    let apk_key = options.apk_key.as_ref().map(|path| environment.current_directory.join(path));
    let apk_key = apk_key.map(|path| native::apk_key(&path)).transpose()?;
    if let Some(path) = &options.keyring {
        let keyring = read_keyring(&environment.current_directory.join(path), on_event)?;
        return Ok(Trust { keyring, at, apk_key, name });
    }
    if root.join(packhouse_project::PROJECT_FILE).is_file() {
        let project = Project::open(root)?;
        let name = name.or_else(|| project.name().map(str::to_owned));
        if let Some(path) = project.keyring() {
            return Ok(Trust { keyring: read_keyring(&path, on_event)?, at, apk_key, name });
        }
        if let Some(keyring) = DevelopmentKey::new(environment)?.keyring(environment.now.into())? {
            return Ok(Trust { keyring, at, apk_key, name });
        }
    }
    let help = "name the keyring of those who may sign with --keyring";
    Err(UsageError::new("nothing says whose signatures to trust", help).into())
}

/// A path in an error: one line, whatever its name holds (CVE-2018-12020).
fn shown(path: &Path) -> String {
    let escape = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
    path.display().to_string().chars().map(escape).collect()
}

/// A private directory for copies of what lies elsewhere; removed when dropped.
pub(super) struct Scratch(PathBuf);

impl Scratch {
    /// Makes one. What is verified there must not be replaced before it is used: nobody else may write to it or to the
    /// directory it is in.
    pub(super) fn new(environment: &Environment) -> Result<Scratch> {
        let above = environment.scratch();
        fs::create_dir_all(above.parent().unwrap_or(&above))?;
        let make = |path: &Path| std::fs::DirBuilder::new().mode(0o700).create(path);
        if let Err(error) = make(&above)
            && error.kind() != std::io::ErrorKind::AlreadyExists
        {
            return Err(anyhow::Error::new(error).context(format!("cannot make {}", above.display())));
        }
        let metadata = fs::symlink_metadata(&above)?;
        if !metadata.is_dir() || metadata.uid() != environment.user {
            let message = format!("{} is not a directory of yours", above.display());
            return Err(
                UsageError::new(message, "remove it, or set TMPDIR to a directory of your own").into()
            );
        }
        if metadata.mode() & 0o022 != 0 {
            // A build made it, under an umask of 002.
            fs::set_permissions(&above, std::fs::Permissions::from_mode(metadata.mode() & 0o7755))?;
        }
        let directory = above.join(format!("check-{}", std::process::id()));
        // Of one that was killed and had the same number.
        let _ = fs::remove_dir_all(&directory);
        make(&directory).map_err(|error| {
            anyhow::Error::new(error).context(format!("cannot make {}", directory.display()))
        })?;
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

//! One package: is it what its name says, by whom we trust, and what was published?
//!
//! A detached signature covers a file's bytes. It does not cover the file's name, so that an old package, one of
//! another product, or one for another distribution verifies as well under the name of the one that is wanted, for
//! gpg, gpgv and sqv alike. So the name is compared with what the signed bytes say the package is; and where there
//! is a list of releases, with what that says of the name.

use std::io::Seek as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use fs_err as fs;
use packhouse_package::inspect::Input;
use packhouse_package::{Depth, Format, Inspection, Named};
use packhouse_publish::{Digesting, ObjectPath, Package, Sha256, Web, layout};
use packhouse_sign::{Verified, verify_detached};

use super::list::{self, ListProof, Opened};
use super::native::{self, Native};
use super::{Refused, Scratch, Trust, VerifyOptions, shown};
use crate::environment::Environment;
use crate::ops::{Event, OnEvent, UsageError};

/// Signatures are a few hundred bytes; anything much larger is something else.
const LARGEST_SIGNATURE: u64 = 1024 * 1024;

/// What was shown about a file.
#[derive(Debug)]
pub struct FileProof {
    /// The file's name.
    pub name: String,
    /// Who signed it.
    pub verified: Verified,
    /// What it says it is, which is also what its name says; `None` for a file that says nothing of itself.
    pub identity: Option<Identity>,
    /// The signatures that its format has.
    pub native: Vec<Native>,
    /// The list of releases, and what it says of the file.
    pub listed: Option<(ListProof, Package)>,
    /// The target that its version says it is for, where that was asked and no list says it.
    pub target: Option<String>,
}

impl FileProof {
    /// Whether the signature is bound to the file's name: by the package itself, or by a list.
    pub fn is_bound(&self) -> bool {
        self.identity.is_some() || self.listed.is_some()
    }

    /// What nothing showed, for people.
    pub fn unproven(&self) -> Vec<&'static str> {
        if self.listed.is_some() {
            return Vec::new();
        }
        let mut unproven = Vec::new();
        if self.identity.is_none() {
            unproven.extend(["name", "version", "architecture"]);
        }
        if self.target.is_none() {
            unproven.push("target");
        }
        unproven.extend(["channel", "not withdrawn"]);
        unproven
    }
}

/// What a package says it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Its format.
    pub format: Format,
    /// Its name.
    pub name: String,
    /// Its whole version, as the format writes it.
    pub version: String,
    /// Its architecture, in the format's spelling.
    pub arch: String,
}

/// A file of this machine.
pub(super) async fn verify(
    path: &Path,
    options: &VerifyOptions,
    trust: &Trust,
    environment: &Environment,
    on_event: OnEvent<'_>,
) -> Result<FileProof> {
    let opened = match &options.releases {
        Some(at) => Some(list::named(at, trust, environment).await?),
        None => match list::near(path) {
            Some(near) => Some(Opened::new(list::read_file(&near)?, None, trust)?),
            None => None,
        },
    };
    let signature = read_signature(path, options, environment)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let subject = Subject { file: path, shown: shown(path), name: &name, beside: Some(path), at: None };
    prove(&subject, &signature, opened.as_ref(), options, trust, environment, on_event)
}

/// A file on the web. How much of it may come is said by the list of its site.
pub(super) async fn verify_address(
    url: &str,
    options: &VerifyOptions,
    trust: &Trust,
    environment: &Environment,
    on_event: OnEvent<'_>,
) -> Result<FileProof> {
    // `<site>/<distribution>/<file>`; a list that is named may lie elsewhere.
    let (web, path) = match Web::open_at(url, 2) {
        Err(_) if options.releases.is_some() => Web::open_at(url, 1)?,
        opened => opened?,
    };
    let opened = match &options.releases {
        Some(at) => list::named(at, trust, environment).await?,
        None => match web.read(&ObjectPath::new(layout::RELEASES)?, list::LIMIT).await? {
            Some(bytes) => Opened::new(bytes, Some(web.url().to_owned()), trust)?,
            None => {
                let message = format!("there is no {} at {}", layout::RELEASES, web.url());
                let help = "name the signed list that says how large the package is with --releases, or download \
                            package and signature and verify the file";
                return Err(Refused::new(message, help).into());
            }
        },
    };
    let name = path.file_name().to_owned();
    let package = opened.package(&name, Some(&path), None, options)?;
    // What is wrong with it according to the list is said before it is fetched.
    opened.check(options, trust, environment)?;
    list::check_package(package, options)?;
    let signature = match &options.signature {
        Some(named) => read_file_of(&environment.current_directory.join(named))?,
        None => {
            let path = ObjectPath::new(format!("{path}.asc"))?;
            let found = web.read(&path, LARGEST_SIGNATURE).await?;
            found.with_context(|| format!("{url} is not signed: there is no {url}.asc"))?
        }
    };
    let scratch = Scratch::new(environment)?;
    let local = web.download(&path, package.size, scratch.path()).await?;
    let local = local.with_context(|| format!("{url} is not there"))?;
    // What the format's own tools read beside it, where the list says that there is such a thing.
    if let Some(native) = &package.native_signature {
        let ending = native.path.as_str().strip_prefix(package.path.as_str()).unwrap_or_default();
        let found = web.read(&ObjectPath::new(format!("{path}{ending}"))?, LARGEST_SIGNATURE).await?;
        let bytes = found.with_context(|| format!("{url}{ending} is not there"))?;
        fs::write(format!("{}{ending}", local.file.display()), bytes)?;
    }
    let (file, shown) = (local.file.as_path(), url.to_owned());
    let subject = Subject { file, shown, name: &name, beside: Some(file), at: Some(&path) };
    prove(&subject, &signature, Some(&opened), options, trust, environment, on_event)
}

/// What is judged.
struct Subject<'a> {
    file: &'a Path,
    /// What it is called in errors.
    shown: String,
    name: &'a str,
    /// Where it lies, if files beside it belong to it.
    beside: Option<&'a Path>,
    /// Where it lies on its site, if that is known.
    at: Option<&'a ObjectPath>,
}

fn prove(
    subject: &Subject<'_>,
    signature: &[u8],
    opened: Option<&Opened>,
    options: &VerifyOptions,
    trust: &Trust,
    environment: &Environment,
    on_event: OnEvent<'_>,
) -> Result<FileProof> {
    let context = || format!("{} does not verify", subject.shown);
    let read = read(subject.file, subject.name, signature, subject.beside, trust).with_context(context)?;
    let Some(opened) = opened else {
        let target = unlisted(&read, options).with_context(context)?;
        let Read { verified, identity, native, .. } = read;
        return Ok(FileProof {
            name: subject.name.to_owned(),
            verified,
            identity,
            native,
            listed: None,
            target,
        });
    };
    let proven = || -> Result<(ListProof, Package)> {
        let proof = opened.check(options, trust, environment)?;
        let package = opened.package(subject.name, subject.at, Some(read.sha256), options)?;
        list::check_package(package, options)?;
        list::check_bytes(package, read.size, read.sha256)?;
        if let Some(identity) = &read.identity {
            list::check_identity(package, identity)?;
        }
        Ok((proof, package.clone()))
    };
    let listed = proven().with_context(context)?;
    if let Some(message) = opened.remember(options, environment) {
        on_event(Event::Notice { message });
    }
    let Read { verified, identity, native, .. } = read;
    Ok(FileProof {
        name: subject.name.to_owned(),
        verified,
        identity,
        native,
        listed: Some(listed),
        target: None,
    })
}

/// Without a list only the version can tell what a package is for.
fn unlisted(read: &Read, options: &VerifyOptions) -> Result<Option<String>> {
    let help = "name the list of releases with --releases";
    for (flag, is_given) in [
        ("--channel", options.channel.is_some()),
        ("--min-generation", options.min_generation.is_some()),
        ("--name", options.name.is_some()),
    ] {
        if is_given {
            return Err(UsageError::new(format!("{flag} needs a list of releases"), help).into());
        }
    }
    let Some(target) = &options.target else { return Ok(None) };
    let version = read.identity.as_ref().map(|identity| identity.version.as_str());
    // rpm and pacman write `_` for `-`.
    let words = |text: &str| format!("-{}-", text.replace(['_', ':'], "-"));
    match version {
        Some(version) if words(version).contains(&words(target)) => Ok(Some(target.clone())),
        Some(version) => {
            let message = format!("nothing says that it is for {target}: its version is {version}");
            Err(Refused::new(message, format!("{help}; else it may be another target's package")).into())
        }
        None => Err(UsageError::new("--target needs a list of releases", help).into()),
    }
}

/// What a file's bytes show.
pub(super) struct Read {
    pub(super) verified: Verified,
    pub(super) identity: Option<Identity>,
    native: Vec<Native>,
    size: u64,
    sha256: Sha256,
}

/// Verifies a file's signature, and then what the signed bytes say the package is.
/// `beside` is where it lies, if files beside it belong to it.
pub(super) fn read(
    file: &Path,
    name: &str,
    signature: &[u8],
    beside: Option<&Path>,
    trust: &Trust,
) -> Result<Read> {
    let mut data = fs::File::open(file)?;
    let stamp = |data: &fs::File| -> Result<_> {
        let metadata = data.metadata()?;
        Ok((metadata.len(), metadata.mtime(), metadata.mtime_nsec(), metadata.ctime(), metadata.ctime_nsec()))
    };
    let before = stamp(&data)?;
    let mut digesting = Digesting::new(&mut data);
    let verified = verify_detached(signature, &mut digesting, &trust.keyring, trust.at)?;
    let (sha256, size) = digesting.finish();
    data.rewind()?;
    let identity = identify(&mut data, name)?;
    let native = match &identity {
        Some(identity) => native::check(identity.format, &mut data, beside, trust)?,
        None => Vec::new(),
    };
    // The signature was over bytes that may be others by now.
    if stamp(&data)? != before {
        let message = format!("{} changed while it was verified", shown(file));
        return Err(Refused::new(message, "let whoever writes it finish, and verify it again").into());
    }
    Ok(Read { verified, identity, native, size, sha256 })
}

/// What the package says it is, which its name must say too; `None` for a file that says nothing of itself.
fn identify(file: &mut dyn Input, name: &str) -> Result<Option<Identity>> {
    let claims = Format::ALL
        .into_iter()
        .find(|format| format.get().endings().iter().any(|ending| name.ends_with(ending)))
        .filter(|format| format.get().has_metadata());
    let found = Format::identify(file, name)?.filter(|format| format.get().has_metadata());
    let Some(format) = found else {
        let Some(claimed) = claims else { return Ok(None) };
        let message = format!("`{}` is signed, and is no {}", name.escape_debug(), claimed.get().name());
        return Err(Refused::new(message, "do not install it; it is another file under this name").into());
    };
    let package = format.get().inspect(file, Depth::Metadata).with_context(|| {
        format!("it is signed, and cannot be read as the {} that it is", format.get().name())
    })?;
    if let Named::Wrongly { expected } = package.named(name) {
        let Inspection { name: own, version, arch, .. } = &package;
        let message = format!("it is signed, and is not what its name says: it is {own} {version} ({arch})");
        let help = format!(
            "do not install it in place of what you wanted; if {own} {version} is what you wanted, its name is {expected}"
        );
        return Err(Refused::new(message, help).into());
    }
    let Inspection { name, version, arch, .. } = package;
    Ok(Some(Identity { format, name, version, arch }))
}

fn read_signature(file: &Path, options: &VerifyOptions, environment: &Environment) -> Result<Vec<u8>> {
    let path = match &options.signature {
        Some(named) => environment.current_directory.join(named),
        None => crate::ops::sign::signature_path(file),
    };
    // That there is no file says more than that it has no signature.
    fs::metadata(file)?;
    if let Err(error) = fs::metadata(&path)
        && error.kind() == std::io::ErrorKind::NotFound
    {
        bail!("{} is not signed: there is no {}", shown(file), shown(&path));
    }
    read_file_of(&path)
}

fn read_file_of(path: &Path) -> Result<Vec<u8>> {
    let length = fs::metadata(path)?.len();
    if length > LARGEST_SIGNATURE {
        bail!("{} is not a signature: it has {length} bytes", shown(path));
    }
    Ok(fs::read(path)?)
}

/// An error of a signature and its causes, on one line.
pub(super) fn with_causes(error: &anyhow::Error) -> String {
    format!("{error:#}")
}

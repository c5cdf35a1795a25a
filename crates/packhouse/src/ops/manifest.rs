//! `pkg/manifest.json`: what builds left, and how stages hand over to each other.
//!
//! Build, sign and publish may run apart, on other machines or in other CI jobs: `pkg/` is all they share. One
//! entry a target and architecture; building a target again replaces its entry and removes the old package.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use fs_err as fs;
use packhouse_package::Format;
use packhouse_publish::Sha256;
use serde::{Deserialize, Serialize};

use super::UsageError;

/// The version of the manifest's format.
const FORMAT: u32 = 1;

/// What `pkg/` holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    format: u32,
    /// The project.
    pub name: String,
    /// Every package, sorted by target and architecture.
    pub packages: Vec<Built>,
}

/// A package in `pkg/`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Built {
    /// As in `ubuntu-22.04`.
    pub target: String,
    /// As in `ubuntu`.
    pub distribution: String,
    /// As in `22.04`.
    pub distribution_version: String,
    /// `uname -m`'s word.
    pub arch: String,
    /// The package's format.
    pub format: String,
    /// The project's version.
    pub version: String,
    /// The package's version: the four elements in the project's order.
    pub package_version: String,
    /// When it was built, UTC, `yymmddhhmm`.
    pub built: String,
    /// The same in Unix seconds.
    pub time: u32,
    /// The short Git revision; empty outside Git.
    pub revision: String,
    /// The working tree had changes that are in no commit.
    pub dirty: bool,
    /// The channel it was built for.
    pub channel: String,
    /// The package's file in `pkg/`.
    pub file: String,
    /// Its size in bytes.
    pub size: u64,
    /// Its digest, in hexadecimal digits.
    pub sha256: String,
    /// Of a package that holds its signature, the digest of the same without: as it was built.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unsigned_sha256: Option<String>,
    /// Its signature, once it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<BuiltSignature>,
    /// Its signature in the form of its format, where that is a file beside it (pacman).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub native_signature: Option<BuiltSignature>,
}

/// A signature beside a package in `pkg/`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuiltSignature {
    /// Its file.
    pub file: String,
    /// The primary key's fingerprint.
    pub fingerprint: String,
}

/// The directory that builds leave their results in.
pub fn directory(root: &Path) -> PathBuf {
    root.join("pkg")
}

impl Built {
    /// The package's format.
    ///
    /// # Errors
    /// When this version does not know it.
    pub(super) fn format(&self) -> Result<Format> {
        Format::parse(&self.format).ok_or_else(|| {
            let message = format!("pkg/manifest.json: `{}` is no format of a package", self.format);
            UsageError::new(message, "build its target again").into()
        })
    }

    /// Its digest.
    ///
    /// # Errors
    /// When it is none.
    pub(super) fn digest(&self) -> Result<Sha256> {
        self.sha256.parse().with_context(|| format!("the digest of {} in pkg/manifest.json", self.file))
    }

    /// The package's file, and those of its signatures.
    pub(super) fn files(&self) -> impl Iterator<Item = &str> {
        let signatures = self.signature.iter().chain(&self.native_signature);
        std::iter::once(&*self.file).chain(signatures.map(|signature| &*signature.file))
    }

    /// It has other bytes now, which those beside it are not of.
    pub(super) fn forget_signatures(&mut self) {
        self.signature = None;
        self.native_signature = None;
    }
}

impl Manifest {
    /// A manifest without packages.
    pub fn new(name: &str) -> Manifest {
        Manifest { format: FORMAT, name: name.to_owned(), packages: Vec::new() }
    }

    /// Reads the manifest of the project at `root`; `None` when nothing was built.
    ///
    /// # Errors
    /// When it cannot be read or is another version's.
    pub fn read(root: &Path) -> Result<Option<Manifest>> {
        let path = directory(root).join("manifest.json");
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let unreadable = |reason: String| {
            UsageError::new(
                format!("{} is not a manifest: {reason}", path.display()),
                "remove it, and build the targets again",
            )
        };
        let manifest: Manifest =
            serde_json::from_str(&text).map_err(|error| unreadable(error.to_string()))?;
        if manifest.format != FORMAT {
            return Err(unreadable(format!("its format is {}, not {FORMAT}", manifest.format)).into());
        }
        // File names of a manifest are joined to paths: they must be names.
        for built in &manifest.packages {
            for name in built.files() {
                if name.is_empty() || name.starts_with('.') || name.contains('/') {
                    return Err(unreadable(format!("`{name}` is not a file name")).into());
                }
            }
        }
        Ok(Some(manifest))
    }

    /// Puts a package in place of the one that was there for its target and architecture, and returns that.
    pub(super) fn put(&mut self, built: Built) -> Option<Built> {
        let key = |built: &Built| (built.target.clone(), built.arch.clone());
        match self.packages.binary_search_by_key(&key(&built), key) {
            Ok(index) => Some(std::mem::replace(&mut self.packages[index], built)),
            Err(index) => {
                self.packages.insert(index, built);
                None
            }
        }
    }

    /// The package in that file with that digest.
    pub(super) fn find_mut(&mut self, file: &str, sha256: &str) -> Option<&mut Built> {
        self.packages.iter_mut().find(|built| built.file == file && built.sha256 == sha256)
    }

    /// Changes the manifest of the project at `root`: read, changed and written while no other run does.
    ///
    /// A manifest of another project is replaced.
    ///
    /// # Errors
    /// When `pkg/` cannot be read or written to.
    pub fn update<T>(root: &Path, name: &str, change: impl FnOnce(&mut Manifest) -> T) -> Result<T> {
        Manifest::update_then(root, name, change, Ok)
    }

    /// As [`Manifest::update`], and then `rest` with what `change` gave, before another run may change it.
    ///
    /// # Errors
    /// As [`Manifest::update`], and what `rest` gives.
    pub fn update_then<T, U>(
        root: &Path,
        name: &str,
        change: impl FnOnce(&mut Manifest) -> T,
        rest: impl FnOnce(T) -> Result<U>,
    ) -> Result<U> {
        // The lock goes with the file's last descriptor, so also with a process that is killed.
        let lock = fs::File::create(directory(root).join(".manifest.lock"))?;
        lock.file().lock()?;
        let known = Manifest::read(root)?.filter(|manifest| manifest.name == name);
        let mut manifest = known.unwrap_or_else(|| Manifest::new(name));
        let result = change(&mut manifest);
        manifest.write(root)?;
        rest(result)
    }

    /// Writes the manifest whole.
    ///
    /// # Errors
    /// When `pkg/` cannot be written to.
    fn write(&self, root: &Path) -> Result<()> {
        let mut text = serde_json::to_string_pretty(self).expect("a manifest holds only strings and numbers");
        text.push('\n');
        write_whole(&directory(root).join("manifest.json"), text.as_bytes())
    }
}

/// Makes `pkg/`, ignored by Git.
pub fn prepare(root: &Path) -> Result<PathBuf> {
    let directory = directory(root);
    fs::create_dir_all(&directory)?;
    let ignore = directory.join(".gitignore");
    if !ignore.exists() {
        fs::write(ignore, "*\n")?;
    }
    remove_unfinished(&directory)?;
    Ok(directory)
}

/// Where the log `name` goes in `pkg/`.
pub(super) fn log(directory: &Path, name: &str) -> std::io::Result<PathBuf> {
    let logs = directory.join("logs");
    fs::create_dir_all(&logs)?;
    Ok(logs.join(format!("{name}.log")))
}

/// Removes what a run that was killed did not finish.
fn remove_unfinished(directory: &Path) -> Result<()> {
    for item in fs::read_dir(directory)? {
        let item = item?;
        let name = item.file_name();
        let process = name.to_str().and_then(|name| name.strip_prefix('.')?.strip_suffix(".unfinished"));
        let process = process.and_then(|name| name.rsplit_once('.')?.1.parse().ok());
        let process = process.and_then(rustix::process::Pid::from_raw);
        if process.is_some_and(|process| {
            rustix::process::test_kill_process(process) == Err(rustix::io::Errno::SRCH)
        }) {
            fs::remove_file(item.path())?;
        }
    }
    Ok(())
}

/// Replaces a file by one that is written completely: a reader sees the old or the new one, also when this process
/// is killed. Everything in `pkg/` can be made again, so that nobody waits for the disk.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let unfinished = unfinished(path);
    fs::write(&unfinished, bytes)?;
    fs::rename(&unfinished, path).context("the file was written but not put in place")
}

/// Where a file is written before it is put in place.
pub fn unfinished(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{}.unfinished", std::process::id()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn built(target: &str) -> Built {
        Built {
            target: target.into(),
            distribution: "debian".into(),
            distribution_version: "12".into(),
            arch: "x86_64".into(),
            format: "deb".into(),
            version: "1".into(),
            package_version: "1".into(),
            built: "2305191200".into(),
            time: 0,
            revision: String::new(),
            dirty: false,
            channel: "stable".into(),
            file: format!("{target}.deb"),
            size: 0,
            sha256: String::new(),
            unsigned_sha256: None,
            signature: None,
            native_signature: None,
        }
    }

    #[test]
    fn sixteen_builds_at_once_lose_no_package() {
        let root = tempfile::tempdir().unwrap();
        prepare(root.path()).unwrap();
        std::thread::scope(|scope| {
            for number in 0..16 {
                let root = root.path();
                scope.spawn(move || {
                    Manifest::update(root, "hello", |manifest| {
                        manifest.put(built(&format!("debian-{number}")))
                    })
                    .unwrap();
                });
            }
        });
        assert_eq!(Manifest::read(root.path()).unwrap().unwrap().packages.len(), 16);
    }
}

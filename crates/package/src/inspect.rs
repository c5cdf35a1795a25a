//! What a package file says, whatever its format: read from the file alone, which may be hostile.
//!
//! [`PackageFormat::inspect`](crate::PackageFormat::inspect) fills an [`Inspection`]; readers bound every size
//! before they believe it, never follow a path, and never panic. What only one format has (an rpm's build host)
//! is in [`Inspection::fields`] under the format's own name for it.

use std::collections::BTreeMap;
use std::io::{Read, Seek};

use crate::{Capabilities, Format};

/// Where a package is read from.
pub trait Input: Read + Seek {}

impl<T: Read + Seek> Input for T {}

/// How far to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Depth {
    /// What the package says about itself; the payload is not read, not even skipped through.
    Metadata,
    /// And its files. The payload is read once, and what the metadata says about it is checked.
    Contents,
}

/// A package, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// Its format.
    pub format: Format,
    /// The format's own version, as in `2.0` for deb, `4` or `6` for rpm.
    pub format_version: String,
    /// The package's name; empty for an archive that has none (tar, zip).
    pub name: String,
    /// The whole version, as the format writes it, with epoch and release.
    pub version: String,
    /// The architecture in the format's spelling.
    pub arch: String,
    /// One line.
    pub summary: String,
    /// What follows the summary.
    pub description: String,
    /// The project's page.
    pub homepage: Option<String>,
    /// Who distributes it.
    pub vendor: Option<String>,
    /// Who answers for it.
    pub maintainer: Option<String>,
    /// Its licence.
    pub license: Option<String>,
    /// deb's Section, rpm's and pacman's group.
    pub category: Option<String>,
    /// When it was built, in Unix seconds, where the format tells.
    pub built: Option<u64>,
    /// What its files take when installed, in bytes, as the package says.
    pub installed_size: Option<u64>,
    /// Lists of relations by the names of [`crate::Relations`]' fields in kebab case, as in `pre-depends`; each
    /// relation in the format's own syntax.
    pub relations: BTreeMap<&'static str, Vec<String>>,
    /// What only this format says, as name and value in the format's words, sorted by name.
    pub fields: BTreeMap<String, String>,
    /// Maintainer scripts and triggers, by the format's own names, as in `postinst` or `%post`.
    pub scripts: BTreeMap<String, InspectedScript>,
    /// How the payload is compressed, as in `zstd`.
    pub compression: String,
    /// What is signed, in the file itself.
    pub signatures: Vec<InspectedSignature>,
    /// The files, sorted by path; `None` where only the metadata was read and does not list them.
    pub files: Option<Vec<InspectedFile>>,
}

/// What a file's name says about the package in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named {
    /// The package's own name, version and architecture, as far as the format's names have them.
    Rightly,
    /// Something else.
    Wrongly {
        /// What it should be.
        expected: String,
    },
    /// That cannot be told: the package does not say what it is.
    Unsaid,
}

impl Inspection {
    /// Compares the name of the package's file with what the package says of itself.
    ///
    /// A signature covers a file's bytes and not its name, so that an older package, or another one, verifies under
    /// any name; only this tells.
    pub fn named(&self, file_name: &str) -> Named {
        let format = self.format.get();
        let stems = format.stems(self);
        let Some(first) = stems.first() else { return Named::Unsaid };
        let ending = format.endings().iter().find(|ending| file_name.ends_with(*ending));
        let stem = ending.and_then(|ending| file_name.strip_suffix(ending));
        if stem.is_some_and(|stem| stems.iter().any(|expected| expected == stem)) {
            return Named::Rightly;
        }
        let ending = ending.or(format.endings().first()).copied().unwrap_or_default();
        Named::Wrongly { expected: format!("{first}{ending}") }
    }
}

/// A script of a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InspectedScript {
    /// What runs it, with its arguments.
    pub interpreter: String,
    /// Its text, without the `#!` line; bytes that are no UTF-8 are replaced.
    pub text: String,
}

impl InspectedScript {
    /// A script as a file has it: the first line says what runs it, if it starts with `#!`.
    pub(crate) fn of_file(bytes: &[u8]) -> InspectedScript {
        if bytes.starts_with(b"\x7fELF") {
            return InspectedScript {
                interpreter: String::new(),
                text: format!("(an ELF program of {} bytes)\n", bytes.len()),
            };
        }
        let text = String::from_utf8_lossy(bytes);
        match text.strip_prefix("#!") {
            Some(rest) => {
                let (interpreter, text) = rest.split_once('\n').unwrap_or((rest, ""));
                InspectedScript { interpreter: interpreter.trim().to_owned(), text: text.to_owned() }
            }
            None => InspectedScript { interpreter: String::new(), text: text.into_owned() },
        }
    }
}

/// A signature inside a package file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InspectedSignature {
    /// What it covers, as in `header` or `control`.
    pub covers: String,
    /// The algorithm, as in `RSA/SHA-256`, as far as the format tells.
    pub algorithm: String,
    /// Whose it is, as the format names it: a key id, or a key file's name.
    pub key: String,
}

/// A file of a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InspectedFile {
    /// Its absolute path, as bytes.
    pub path: Vec<u8>,
    /// What it is.
    pub kind: InspectedKind,
    /// Permission bits.
    pub mode: u16,
    /// The user's name, or number where there is no name.
    pub user: String,
    /// The group's name, or number where there is no name.
    pub group: String,
    /// Length in bytes; 0 for everything but files.
    pub size: u64,
    /// Changed at, in Unix seconds.
    pub modified: i64,
    /// SHA-256 of the contents in hexadecimal, or what the format has, with its name in front: `md5:…`.
    pub digest: Option<String>,
    /// What the format marks it as: `config`, `documentation`, `license`, `ghost`, …; sorted.
    pub marks: Vec<&'static str>,
    /// File capabilities.
    pub capabilities: Option<Capabilities>,
}

/// What an entry of a package is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InspectedKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link to these bytes.
    Symlink(Vec<u8>),
    /// Another name of the file at this absolute path.
    HardLink(Vec<u8>),
    /// A device, socket or named pipe, which Packhouse itself does not write.
    Special(&'static str),
}

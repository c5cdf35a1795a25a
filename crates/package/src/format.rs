//! The formats: one trait, one list.

use std::fmt;
use std::io::{Read, Seek, Write};
use std::num::NonZeroUsize;

use crate::archive::compress::Compression;
use crate::inspect::{Depth, Input, Inspection};
use crate::signing::{Embedded, Signing};
use crate::together::Parts;
use crate::{
    Arch, Error, FileTree, Metadata, Result, Scripts, Setup, Timestamp, apk, deb, pacman, rpm, tar, zip,
};

/// Everything that goes into a package file.
#[derive(Clone, Debug)]
pub struct Package {
    /// What it says about itself.
    pub metadata: Metadata,
    /// Its files, complete (see [`FileTree::complete`]).
    pub files: FileTree,
    /// What runs when.
    pub scripts: Scripts,
    /// Services and accounts.
    pub setup: Setup,
    /// The time of everything in it: built at, changed at.
    pub timestamp: Timestamp,
    /// What only some formats can say.
    pub options: Options,
}

/// What only some formats can say, and how to compress.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// How the payload is compressed; the format's default when `None`.
    pub compression: Option<Compression>,
    /// For deb only.
    pub deb: deb::Options,
    /// For rpm only.
    pub rpm: rpm::Options,
    /// For apk only.
    pub apk: apk::Options,
    /// For pacman only.
    pub pacman: pacman::Options,
    /// For tar only.
    pub tar: tar::Options,
}

/// What a writer may use of the machine. Has no influence on the bytes written.
///
/// Memory is not the caller's to say: writing one package takes at most 100 MiB at the default levels, so that a
/// process writes one package at a time, with all threads, rather than several with a share of them each.
#[derive(Clone, Copy, Debug)]
pub struct Resources {
    /// How many threads compress, if memory suffices for as many.
    pub threads: NonZeroUsize,
}

impl Resources {
    /// All processors of this machine.
    pub fn all() -> Resources {
        Resources { threads: std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN) }
    }
}

/// Where a package is written to: streamed, then a few places of fixed size filled in. What was written may be read
/// again, and moved.
pub trait Output: Read + Write + Seek {}

impl<T: Read + Write + Seek> Output for T {}

/// A package format. Everything known about it is behind this trait, in its own folder.
pub trait PackageFormat: Send + Sync {
    /// Its name, as in `deb`; for messages, flags and file endings.
    fn name(&self) -> &'static str;

    /// How the format spells the architecture.
    fn arch(&self, arch: Arch) -> &'static str;

    /// The conventional name of the package's file.
    ///
    /// # Errors
    /// When the format cannot spell the name or version.
    fn file_name(&self, metadata: &Metadata, options: &Options) -> Result<String>;

    /// Writes the package to `out`, which must be empty and positioned at its start; a file is opened for reading, too.
    ///
    /// # Errors
    /// When a file cannot be read or changes while it is read, when `out` fails, and when the format cannot
    /// say what the package holds.
    fn write(&self, package: &Package, resources: Resources, out: &mut dyn Output) -> Result<()>;

    /// The package in parts, for a format that writes packages together (see [`crate::together`]); `None` for one that
    /// writes each by itself.
    ///
    /// # Errors
    /// When the format cannot say what the package holds.
    fn parts<'a>(&self, package: &'a Package) -> Result<Option<Box<dyn Parts + 'a>>> {
        let _ = package;
        Ok(None)
    }

    /// How the names of its files end, as in `.deb`.
    fn endings(&self) -> &'static [&'static str];

    /// Whether its packages say what they are: name, version and architecture. A plain archive does not.
    fn has_metadata(&self) -> bool {
        true
    }

    /// What comes before the ending in the names that a file with this package may have, the writer's own first; none
    /// where the package does not say what it is. Each has the name and the whole version, but for the epoch where
    /// the format's names leave that out.
    fn stems(&self, package: &Inspection) -> Vec<String> {
        let _ = package;
        Vec::new()
    }

    /// Which compressions its clients read, the format's default first.
    fn compressions(&self) -> &'static [Compression];

    /// A version of this format's without the release that stands for none, as in `1.0` for an rpm's `1.0-1`: what
    /// packages of one project have in common.
    fn without_release<'a>(&self, version: &'a str) -> &'a str {
        version
    }

    /// Whether packages of this format have the relation, as it is inspected, without anybody having asked for it.
    fn is_implied(&self, relation: &str) -> bool {
        let _ = relation;
        false
    }

    /// The way in which packages of this format are signed.
    fn signing(&self) -> Signing {
        Signing::Detached
    }

    /// The signatures in a package of this format, and what each covers; none of them is verified.
    ///
    /// # Errors
    /// When it cannot be read and when what holds them is not well formed.
    fn signatures(&self, file: &mut dyn Input) -> Result<Vec<Embedded>> {
        let _ = file;
        Ok(Vec::new())
    }

    /// Reads a package of this format from its start.
    ///
    /// # Errors
    /// When it cannot be read, when it is not well formed, and when it asks for more than a reader gives.
    fn inspect(&self, file: &mut dyn Input, depth: Depth) -> Result<Inspection>;
}

/// The formats, each written and read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Format {
    /// Debian's, for dpkg and apt.
    Deb,
    /// rpm version 4 or 6, for rpm, yum, dnf and zypper.
    Rpm,
    /// Alpine's, version 2, for apk.
    Apk,
    /// Arch Linux's, for pacman.
    Pacman,
    /// A plain tar archive of the files.
    Tar,
    /// A plain zip archive of the files.
    Zip,
}

impl Format {
    /// Every format.
    pub const ALL: [Format; 6] =
        [Format::Deb, Format::Rpm, Format::Apk, Format::Pacman, Format::Tar, Format::Zip];

    /// What is known about the format.
    pub fn get(self) -> &'static dyn PackageFormat {
        match self {
            Format::Deb => &deb::Deb,
            Format::Rpm => &rpm::Rpm,
            Format::Apk => &apk::Apk,
            Format::Pacman => &pacman::Pacman,
            Format::Tar => &tar::Tar,
            Format::Zip => &zip::Zip,
        }
    }

    /// The format called `name`, as fpm's `-t` names it.
    pub fn parse(name: &str) -> Option<Format> {
        Format::ALL.into_iter().find(|format| format.get().name() == name)
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.get().name())
    }
}

impl Package {
    /// Checks what no format could write.
    ///
    /// # Errors
    /// See [`Metadata::check`] and [`Setup::check`].
    pub fn check(&self) -> Result<(), Error> {
        self.metadata.check()?;
        self.setup.check()
    }
}

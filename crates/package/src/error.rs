//! What can go wrong while a package is put together and written.

use std::fmt;
use std::path::PathBuf;

use crate::PackagePath;
use crate::path::PathError;

/// Why a package could not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file could not be read or written; the source names it.
    #[error(transparent)]
    Io(std::io::Error),
    /// A package name with a character that no format allows.
    #[error("`{name}` cannot be a package's name")]
    Name {
        /// The name as given.
        name: String,
    },
    /// A field that must not be empty.
    #[error("the package's {field} is empty")]
    EmptyField {
        /// Its name in `packhouse.toml`.
        field: &'static str,
    },
    /// A line break or another control character in a field.
    #[error("the package's {field} holds a line break or another control character")]
    ControlCharacter {
        /// Its name in `packhouse.toml`.
        field: &'static str,
    },
    /// A version the format's tools would refuse.
    #[error("`{version}` cannot be a version of {format}: {reason}")]
    Version {
        /// The version as given.
        version: String,
        /// The format's name.
        format: &'static str,
        /// What its rules say.
        reason: &'static str,
    },
    /// A relation the format cannot express.
    #[error("{format} cannot express the relation `{relation}`: {reason}")]
    Relation {
        /// The relation as given.
        relation: String,
        /// The format's name.
        format: &'static str,
        /// What its syntax lacks.
        reason: &'static str,
    },
    /// A file name that cannot be in a package.
    #[error("`{}` cannot be packaged", .on_disk.display())]
    Path {
        /// Where it was found.
        on_disk: PathBuf,
        /// Why.
        source: PathError,
    },
    /// A file name that the format cannot hold.
    #[error("{format} cannot hold `{path}`: {reason}")]
    FileName {
        /// The file in the package.
        path: PackagePath,
        /// The format's name.
        format: &'static str,
        /// Which rule it breaks.
        reason: &'static str,
    },
    /// A package file that is not what its format says.
    #[error("this is not a well-formed {format}: {part}: {reason}")]
    Malformed {
        /// The format's name.
        format: &'static str,
        /// The part of it, as in `control.tar` or `header`.
        part: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// A file that is no package of any known format.
    #[error("this is no package: neither deb, rpm, apk, pacman, tar nor zip")]
    NoPackage,
    /// A package file that asks for more memory, time or output than a reader gives.
    #[error("this {format} asks for more than a reader gives: {part}: {what} beyond {limit}")]
    BeyondLimit {
        /// The format's name.
        format: &'static str,
        /// The part of it, as in `data.tar`.
        part: &'static str,
        /// What there is too much of, with its unit.
        what: &'static str,
        /// The most that is given.
        limit: u64,
    },
    /// A file that the project says the build makes, and it did not.
    #[error("the build made no `{}`", .source_path.display())]
    NotBuilt {
        /// As the project names it.
        source_path: PathBuf,
    },
    /// A rule about something that is not in the package.
    #[error("`{path}` is not in the package, but {rule} names it")]
    NotInPackage {
        /// What the rule names.
        path: PackagePath,
        /// Where the rule is.
        rule: &'static str,
    },
    /// Capabilities of something that nobody can run.
    #[error("`{path}` is not one regular file, and only such have capabilities")]
    NoProgram {
        /// What the rule names.
        path: PackagePath,
    },
    /// A device, socket or named pipe.
    #[error("`{}` is {what}, which a package does not hold", .path.display())]
    SpecialFile {
        /// Where it was found.
        path: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// A set-user-id or set-group-id file that no rule of the project names.
    #[error("`{}` is set-user-id or set-group-id", .path.display())]
    SetId {
        /// Where it was found.
        path: PathBuf,
    },
    /// A program with capabilities that no rule of the project names.
    #[error("`{}` has file capabilities", .path.display())]
    CapabilitiesOnDisk {
        /// Where it was found.
        path: PathBuf,
    },
    /// An entry below something that is not a directory.
    #[error("`{path}` cannot lie below `{file}`, which is not a directory")]
    BelowFile {
        /// The entry.
        path: PackagePath,
        /// What is in its way.
        file: PackagePath,
    },
    /// A file where a directory with contents is.
    #[error("`{path}` is a directory with contents already")]
    ReplacesDirectory {
        /// Where.
        path: PackagePath,
    },
    /// A file that was written to while it was packaged.
    #[error("`{}` changed while it was packaged: {change}", .path.display())]
    Changed {
        /// The file on disk.
        path: PathBuf,
        /// By what it shows.
        change: Change,
    },
    /// Something larger than the format can say.
    #[error("{what} of {size} bytes is more than {format} can hold ({limit} bytes)")]
    TooLarge {
        /// What is too large.
        what: String,
        /// Its size.
        size: u64,
        /// The format's name.
        format: &'static str,
        /// The most it can say.
        limit: u64,
    },
    /// More of something than the format can count.
    #[error("{count} {what} are more than {format} can count ({limit})")]
    TooMany {
        /// What there is too much of, in the plural.
        what: &'static str,
        /// How many there are.
        count: u64,
        /// The format's name.
        format: &'static str,
        /// The most it can count.
        limit: u64,
    },
    /// The name of a unit that systemd would not know.
    #[error("`{unit}` cannot be the name of a unit")]
    Unit {
        /// The name as given.
        unit: String,
    },
    /// An account that cannot be made.
    #[error("the account `{account}` cannot be made: its {what} is wrong: {reason}")]
    Account {
        /// Its name.
        account: String,
        /// Its key in `packhouse.toml`.
        what: &'static str,
        /// The rule it breaks.
        reason: &'static str,
    },
    /// A package that cannot be signed in its format's own way.
    #[error("this {format} cannot be signed: {reason}")]
    Unsignable {
        /// The format's name.
        format: &'static str,
        /// Why not.
        reason: String,
        /// What to do.
        fix: &'static str,
    },
    /// An option whose value the format does not know or cannot honour.
    #[error("{format} cannot take {option} `{value}`: {reason}")]
    Option {
        /// The format's name.
        format: &'static str,
        /// What the option is about.
        option: &'static str,
        /// Its value.
        value: String,
        /// Why not.
        reason: &'static str,
    },
}

/// An error of this crate that came through a reader or writer is itself again.
impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Error {
        error.downcast::<Error>().unwrap_or_else(Error::Io)
    }
}

/// By what it shows that a file changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It has another size.
    Size {
        /// When the tree was put together.
        expected: u64,
        /// What could be read.
        found: u64,
    },
    /// Its times changed between the first and the last byte read.
    Written,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Change::Size { expected, found } => write!(f, "{expected} bytes expected, {found} read"),
            Change::Written => f.write_str("it was written to while it was read"),
        }
    }
}

impl Error {
    /// How to fix it, where that is known.
    pub fn help(&self) -> Option<String> {
        Some(match self {
            Error::Name { .. } => {
                "a name has letters, digits, `+`, `-`, `.` and `_`, and starts with a letter or digit".into()
            }
            Error::EmptyField { field } => format!("set `{field}` in dist/packhouse.toml"),
            Error::ControlCharacter { field } => format!("write the {field} on one line"),
            Error::NotBuilt { .. } => {
                "correct `source` in [[files]] of dist/packhouse.toml, or the commands of [build]".into()
            }
            Error::NotInPackage { .. } => "correct the path, or have the build put the file there".into(),
            Error::SpecialFile { .. } => "leave it out; let a script or systemd-tmpfiles create it".into(),
            Error::SetId { .. } => {
                "say so in [[files]]: its destination and `mode = \"4755\"`; or clear the bit in the build"
                    .into()
            }
            Error::CapabilitiesOnDisk { .. } => {
                "say so in [[files]]: its destination and `capabilities = \"cap_net_bind_service=ep\"`; and clear \
                 them in the build with setcap -r"
                    .into()
            }
            Error::NoProgram { .. } => "name the program itself as `destination`, in a rule of its own".into(),
            Error::Unit { .. } => {
                "a unit is called as in `hello.service`: its name, and its type behind the last full stop"
                    .into()
            }
            Error::Unsignable { fix, .. } => (*fix).into(),
            Error::Changed { .. } => "let the build finish before packaging".into(),
            _ => return None,
        })
    }
}

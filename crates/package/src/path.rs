//! Where a file of a package goes, checked once.

use std::borrow::Borrow;
use std::fmt;

/// The path of a file in a package: relative to the root, without `.`, `..` or empty components.
///
/// Paths are bytes, as file systems have them, and sort by bytes, so that a directory comes before what it
/// holds. Any byte that a file system allows may be in them; a format that cannot hold one (a line break in a
/// deb) refuses it when it writes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PackagePath(Box<[u8]>);

/// Why a path cannot be a package's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// Nothing is left after the root.
    #[error("the path is empty")]
    Empty,
    /// A `..` would lead out of the package.
    #[error("`{path}` has a `..` component")]
    Parent {
        /// The path as given.
        path: String,
    },
    /// A NUL byte, which no file system and no package format can hold.
    #[error("`{path}` has a NUL byte")]
    Nul {
        /// The path as given.
        path: String,
    },
    /// Linux allows at most 4095 bytes (PATH_MAX, less the NUL), the slash of the root among them.
    #[error("a path of {length} bytes is longer than the 4094 that Linux allows below the root")]
    TooLong {
        /// Its length in bytes.
        length: usize,
    },
}

impl PackagePath {
    /// Takes an absolute (`/usr/bin/x`) or relative (`usr/bin/x`, `./usr/bin/x`) path.
    ///
    /// # Errors
    /// When it is empty, leads outside, is too long, or holds a NUL.
    ///
    /// ```
    /// use packhouse_package::PackagePath;
    /// assert_eq!(PackagePath::new("/usr//bin/x").unwrap().to_string(), "/usr/bin/x");
    /// assert!(PackagePath::new("../etc/shadow").is_err());
    /// ```
    pub fn new(path: impl AsRef<[u8]>) -> Result<PackagePath, PathError> {
        let given = path.as_ref();
        let shown = || String::from_utf8_lossy(given).escape_debug().to_string();
        if given.contains(&0) {
            return Err(PathError::Nul { path: shown() });
        }
        let mut path = Vec::with_capacity(given.len());
        for component in given.split(|byte| *byte == b'/') {
            match component {
                b"" | b"." => continue,
                b".." => return Err(PathError::Parent { path: shown() }),
                _ => {}
            }
            if !path.is_empty() {
                path.push(b'/');
            }
            path.extend_from_slice(component);
        }
        match path.len() {
            0 => Err(PathError::Empty),
            length @ 4095.. => Err(PathError::TooLong { length }),
            _ => Ok(PackagePath(path.into())),
        }
    }

    /// The first byte that is an ASCII control character, which formats made of lines cannot hold.
    pub fn control_character(&self) -> Option<u8> {
        self.0.iter().copied().find(u8::is_ascii_control)
    }

    /// The path below the root, without a leading slash.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The directory that holds it; `None` for an entry of the root.
    pub fn parent(&self) -> Option<PackagePath> {
        directory(&self.0).map(PackagePath::of_directory)
    }

    /// The directories that lead to it, the nearest first. They are parts of this path, so that a tree can be asked for
    /// each without a copy.
    pub(crate) fn directories(&self) -> impl Iterator<Item = &[u8]> {
        std::iter::successors(directory(&self.0), |path| directory(path))
    }

    /// One of the [`directories`](PackagePath::directories) of a path.
    pub(crate) fn of_directory(path: &[u8]) -> PackagePath {
        PackagePath(path.into())
    }

    /// Its last component.
    pub fn file_name(&self) -> &[u8] {
        let start = self.0.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1);
        &self.0[start..]
    }

    /// The path `name` (one or more components) below this directory.
    ///
    /// # Errors
    /// As [`PackagePath::new`].
    pub fn join(&self, name: impl AsRef<[u8]>) -> Result<PackagePath, PathError> {
        PackagePath::new([self.as_bytes(), b"/", name.as_ref()].concat())
    }

    /// Whether it is `directory` itself or below it.
    pub fn is_within(&self, directory: &str) -> bool {
        let directory = directory.trim_matches('/').as_bytes();
        match self.0.strip_prefix(directory) {
            Some(rest) => directory.is_empty() || rest.is_empty() || rest[0] == b'/',
            None => false,
        }
    }
}

fn directory(path: &[u8]) -> Option<&[u8]> {
    let slash = path.iter().rposition(|byte| *byte == b'/')?;
    Some(&path[..slash])
}

impl Borrow<[u8]> for PackagePath {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for PackagePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("/")?;
        // Control characters would act on the terminal that shows the path.
        for c in String::from_utf8_lossy(&self.0).chars() {
            if c.is_control() { write!(f, "{}", c.escape_default())? } else { write!(f, "{c}")? }
        }
        Ok(())
    }
}

impl fmt::Debug for PackagePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

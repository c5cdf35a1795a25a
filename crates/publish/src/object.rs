//! What a site consists of: objects with checked names.

use std::fmt;
use std::path::PathBuf;

use crate::{Sha256, layout};

/// The name of an object on a site: relative, with `/` between components, checked once.
///
/// No component is empty, `.`, `..`, or starts with `-` (which a program would take for an option), and there
/// are no control characters or backslashes. At most 1,024 bytes, which is S3's limit for a key, and 255 a
/// component, which is Linux's for a file name.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct ObjectPath(String);

/// Why text cannot be the name of an object.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{}` cannot be the name of an object: {reason}", .path.escape_debug())]
pub struct PathError {
    /// The text as given.
    pub path: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

impl ObjectPath {
    /// Checks `path`.
    ///
    /// # Errors
    /// When it breaks one of the rules above.
    ///
    /// ```
    /// use packhouse_publish::ObjectPath;
    /// assert_eq!(ObjectPath::new("ubuntu/a_1.deb").unwrap().file_name(), "a_1.deb");
    /// assert!(ObjectPath::new("ubuntu/../../etc/shadow").is_err());
    /// ```
    pub fn new(path: impl Into<String>) -> Result<ObjectPath, PathError> {
        let path = path.into();
        match fault(&path) {
            Some(reason) => Err(PathError { path, reason }),
            None => Ok(ObjectPath(path)),
        }
    }

    /// The whole name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its last component.
    pub fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }
}

fn fault(path: &str) -> Option<&'static str> {
    if path.is_empty() {
        return Some("it is empty");
    }
    if path.len() > 1024 {
        return Some("it is longer than 1,024 bytes");
    }
    if path.chars().any(|character| character.is_control() || character == '\\') {
        return Some("it has a control character or a backslash");
    }
    path.split('/').find_map(|component| match component {
        "" => Some("it is absolute or has an empty component"),
        "." | ".." => Some("it has a `.` or `..` component"),
        _ if component.starts_with('-') => Some("a component starts with `-`"),
        _ if component.starts_with(layout::PRIVATE_DIRECTORY) => Some("`.packhouse` is for locks"),
        _ if component.len() > 255 => Some("a component is longer than 255 bytes"),
        _ => None,
    })
}

impl fmt::Display for ObjectPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ObjectPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl TryFrom<String> for ObjectPath {
    type Error = PathError;

    fn try_from(path: String) -> Result<ObjectPath, PathError> {
        ObjectPath::new(path)
    }
}

impl From<ObjectPath> for String {
    fn from(path: ObjectPath) -> String {
        path.0
    }
}

/// Something to be put on a site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// Where.
    pub path: ObjectPath,
    /// What.
    pub body: Body,
    /// Its `Content-Type`; a directory site has no place for it.
    pub media_type: &'static str,
    /// Whether it may ever be replaced.
    pub lifetime: Lifetime,
}

/// An object's bytes, or where they are.
#[derive(Clone, PartialEq, Eq)]
pub enum Body {
    /// Small, in memory.
    Bytes(Vec<u8>),
    /// A file, copied in pieces; one whose digest turns out to be another is refused.
    File {
        /// The file.
        path: PathBuf,
        /// What it must hold.
        sha256: Sha256,
    },
}

impl Body {
    /// The digest that the object will have.
    pub fn sha256(&self) -> Sha256 {
        match self {
            Body::Bytes(bytes) => Sha256::of(bytes),
            Body::File { sha256, .. } => *sha256,
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Body::Bytes(bytes) => write!(f, "{} bytes", bytes.len()),
            Body::File { path, .. } => write!(f, "{path:?}"),
        }
    }
}

/// How an object is written and cached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifetime {
    /// Created once; may be cached for ever.
    Immutable,
    /// Replaced by compare-and-swap; must be revalidated.
    Mutable,
}

impl Object {
    /// A small object that may be replaced.
    pub fn mutable(path: ObjectPath, media_type: &'static str, bytes: impl Into<Vec<u8>>) -> Object {
        Object { path, body: Body::Bytes(bytes.into()), media_type, lifetime: Lifetime::Mutable }
    }

    /// A small object that never changes.
    pub fn immutable(path: ObjectPath, media_type: &'static str, bytes: impl Into<Vec<u8>>) -> Object {
        Object { path, body: Body::Bytes(bytes.into()), media_type, lifetime: Lifetime::Immutable }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_could_lead_outside_or_be_taken_for_an_option_is_refused() {
        for good in ["a", "ubuntu/a_1~rc1+b^c_amd64.deb", "ubuntu/.hidden", "a b/ü"] {
            assert!(ObjectPath::new(good).is_ok(), "{good}");
        }
        let long = "x".repeat(256);
        let longer = "x/".repeat(600) + "x";
        for bad in [
            "",
            "/",
            "/etc/shadow",
            "a//b",
            "a/",
            ".",
            "..",
            "a/../b",
            "a/.",
            "-rf",
            "a/-rf",
            "a\nb",
            "a\0b",
            "a\\b",
            "a\u{7f}",
            "a\u{85}b",
            ".packhouse/lock",
            ".packhouse",
            "a/.packhouse-x",
            &long,
            &longer,
        ] {
            assert!(ObjectPath::new(bad).is_err(), "{bad:?}");
        }
        let error = ObjectPath::new("a\n/../b").unwrap_err().to_string();
        assert_eq!(
            error,
            r"`a\n/../b` cannot be the name of an object: it has a control character or a backslash"
        );
    }
}

//! The list of releases that clients trust, `releases.asc`: the head with what makes it safe to believe.
//!
//! ```text
//! …            every field of the head
//! expires      when it is no longer to be believed, in Unix seconds
//! site         where the public finds the site, without a slash at its end; left out when nobody does
//! derived[]    what else is rendered from the head, sorted by `path`
//!   path, sha256
//! ```
//!
//! `site` keeps the list of one site from passing for another's of the same project and key; `derived` lets whoever
//! has the keyring check the install script and the page, which nothing else covers. Pointers follow from `latest`.
//!
//! This is the text inside the cleartext signature; the caller makes and verifies that.

use serde::{Deserialize, Serialize};

use crate::{Error, Head, ObjectPath, Result, Sha256, layout};

/// What `releases.asc` says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleaseList {
    /// When it is no longer to be believed, in Unix seconds.
    pub expires: i64,
    /// Where the public finds the site.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<String>,
    /// The objects that are derived from the head, sorted by path: keyrings, install script, page. Empty in lists of
    /// Packhouse 0.1, which say nothing of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub derived: Vec<Derived>,
    #[serde(flatten)]
    head: Head,
}

/// An object that is derived from the head.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Derived {
    /// Its name, one of [`layout::DERIVED`].
    pub path: ObjectPath,
    /// Its digest.
    pub sha256: Sha256,
}

impl ReleaseList {
    /// A list of what the head offers.
    pub fn new(head: Head, expires: i64, site: Option<String>, mut derived: Vec<Derived>) -> ReleaseList {
        derived.sort_by(|a, b| a.path.cmp(&b.path));
        ReleaseList { expires, site, derived, head }
    }

    /// Reads the text that was signed.
    ///
    /// # Errors
    /// [`Error::List`] when it is no such list, is of a newer format, or contradicts itself.
    pub fn parse(text: &str) -> Result<ReleaseList> {
        let refuse = |source| Error::List { source };
        // The head's own checks, its format first. What is not the head's it keeps as a newer version's.
        Head::parse(text.as_bytes()).map_err(|error| refuse(error.into()))?;
        let list: ReleaseList = serde_json::from_str(text).map_err(|error| refuse(error.into()))?;
        if !list.derived.is_sorted_by(|a, b| a.path < b.path) {
            return Err(refuse("`derived` is not sorted by `path`, or names one twice".into()));
        }
        let is_known = |derived: &Derived| {
            let path = derived.path.as_str();
            path != layout::RELEASES && layout::DERIVED.contains(&path)
        };
        match list.derived.iter().find(|derived| !is_known(derived)) {
            Some(odd) => {
                Err(refuse(format!("`derived` names `{}`, which is no such object", odd.path).into()))
            }
            None => Ok(list),
        }
    }

    /// The text to be signed: indented JSON and a newline, the same for the same list.
    pub fn to_text(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("a list holds only strings and numbers");
        text.push('\n');
        text
    }

    /// The releases.
    pub fn head(&self) -> &Head {
        &self.head
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list() -> ReleaseList {
        let derived = |path: &str| Derived { path: ObjectPath::new(path).unwrap(), sha256: Sha256::of(b"x") };
        let site = Some("https://dist.example.org/hello".to_owned());
        ReleaseList::new(Head::new("hello"), 5, site, vec![derived("keyring.gpg"), derived("install.sh")])
    }

    #[test]
    fn what_is_written_is_read() {
        assert_eq!(ReleaseList::parse(&list().to_text()).unwrap(), list());
        let bare = ReleaseList::new(Head::new("hello"), 5, None, Vec::new());
        assert_eq!(ReleaseList::parse(&bare.to_text()).unwrap(), bare);
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        let text = list().to_text();
        for (from, to) in [
            ("\"format\": 1", "\"format\": 2"),
            ("\"install.sh\"", "\"keyring.gpg\""),
            ("\"install.sh\"", "\"releases.asc\""),
            ("\"install.sh\"", "\"../install.sh\""),
            ("\"expires\": 5", "\"expires\": 5, \"expires\": 6"),
            ("\"expires\": 5", "\"expires\": 5e0"),
            ("\"expires\": 5", "\"expires\": 05"),
            ("\"expires\": 5,", ""),
            ("\"generation\": 0", "\"generation\": 0, \"generation\": 1"),
            ("\"generation\": 0", "\"generation\": -0"),
            ("\"generation\": 0", "\"generation\": 18446744073709551616"),
        ] {
            assert!(text.contains(from), "{from}");
            let changed = text.replacen(from, to, 1);
            assert!(matches!(ReleaseList::parse(&changed), Err(Error::List { .. })), "{to}");
        }
        assert!(ReleaseList::parse(&format!("{text}{text}")).is_err());
    }
}

//! What the script and the page say that the head does not.

use packhouse_publish::Sha256;

use crate::{Error, Result};

/// What is to be said about a site.
#[derive(Clone, Debug)]
pub struct SiteInfo {
    /// One line about the project.
    pub summary: String,
    /// The project's home page.
    pub homepage: Option<String>,
    /// Where customers find the site.
    pub location: Location,
    /// The keys that sign, as they are in `keyring.gpg`.
    pub keys: Vec<KeyInfo>,
    /// The digest of `keyring.gpg`, which the install script pins.
    pub keyring_sha256: Sha256,
}

/// Where customers find a site.
#[derive(Clone, Debug)]
pub enum Location {
    /// On the web, `https://…`.
    Url(String),
    /// In a directory of their machine, as an absolute path.
    Directory(String),
}

/// A key that signs packages.
#[derive(Clone, Debug)]
pub struct KeyInfo {
    /// The primary key's fingerprint, in hexadecimal digits.
    pub fingerprint: String,
    /// Whose key it says it is.
    pub user_id: String,
    /// Until when it is valid, in Unix seconds; `None` for a key without an end.
    pub expires: Option<i64>,
}

impl Location {
    /// The address without a slash at its end, of few characters.
    pub(crate) fn checked(&self) -> Result<&str> {
        match self {
            Location::Url(url) => {
                check_url("public URL", url, &["https://"])?;
                Ok(url.trim_end_matches('/'))
            }
            Location::Directory(path) => {
                let wrong = |reason| Err(Error::Value { field: "directory", value: path.clone(), reason });
                if !path.starts_with('/') {
                    return wrong("it is not an absolute path");
                }
                if path.chars().any(is_invisible) {
                    return wrong("it has a control or direction character");
                }
                Ok(path.trim_end_matches('/'))
            }
        }
    }
}

/// Refuses a URL with anything but a host, a port and a path of plain characters (RFC 3986's *unreserved*, `+`,
/// `@` and percent signs): nothing that a shell, HTML or a reader could take for something else.
pub(crate) fn check_url(field: &'static str, url: &str, schemes: &[&str]) -> Result<()> {
    let wrong = |reason| Err(Error::Value { field, value: url.to_owned(), reason });
    let Some(rest) = schemes.iter().find_map(|scheme| url.strip_prefix(scheme)) else {
        return wrong(match schemes {
            [_] => "it does not start with `https://`",
            _ => "it does not start with `https://` or `http://`",
        });
    };
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let plain = |text: &str, others: &str| {
        text.chars().all(|character| character.is_ascii_alphanumeric() || others.contains(character))
    };
    if !host.starts_with(|first: char| first.is_ascii_alphanumeric()) || !plain(host, ".-:") {
        return wrong("its host is not a plain one");
    }
    if !plain(path, "/._~%+@-") || path.split('/').any(|component| component == "..") {
        return wrong("its path has characters that could mean something else");
    }
    Ok(())
}

/// Control characters, and those that change the direction of the text around them (Unicode's *Bidi_Control*)
/// or cannot be seen.
pub(crate) fn is_invisible(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

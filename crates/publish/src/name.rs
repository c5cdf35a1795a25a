//! Which text may become part of a name on the site, or of a line in its install script.

use crate::{Error, Result};

/// Refuses a `value` that is empty, too long, or has other characters than `[A-Za-z0-9]` and `others`. It must
/// start with a letter or digit, so that no name hides, climbs or reads as an option.
pub(crate) fn check(field: &'static str, value: &str, others: &str) -> Result<()> {
    // A file name has at most 255 bytes: a package's with `.asc`, or a pointer's of four words.
    let limit = if others == FILE_NAME { 240 } else { 56 };
    let allowed = |character: char| character.is_ascii_alphanumeric() || others.contains(character);
    let reason = if value.is_empty() {
        "it is empty"
    } else if value.len() > limit {
        "it is too long"
    } else if !value.starts_with(|first: char| first.is_ascii_alphanumeric()) {
        "it does not start with a letter or digit"
    } else if !value.chars().all(allowed) {
        "it has a character that names on a site do not have"
    } else {
        return Ok(());
    };
    Err(Error::Name { field, value: value.to_owned(), reason, others: others.to_owned() })
}

/// What file names may have besides letters and digits: what package formats use, and nothing that means
/// something to a shell, a URL's path or HTML. The colon ends an epoch (pacman).
pub(crate) const FILE_NAME: &str = "._+~^:-";
/// The same for the words that file names are made of.
pub(crate) const WORD: &str = "._+-";

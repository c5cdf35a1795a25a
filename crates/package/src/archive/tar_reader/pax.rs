//! pax extended headers: `LENGTH KEY=VALUE\n`, the length counting itself and the line break.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry as Place;

use crate::Result;
use crate::archive::part::{Part, shown};

/// What an extended header says, by key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Records(BTreeMap<String, Vec<u8>>);

/// Keys whose value is text for sure, so that it has no NUL, and is not empty: an empty one would undo what the
/// header says (POSIX), which nobody needs and readers disagree on.
const TEXTS: [&str; 10] =
    ["path", "linkpath", "size", "uid", "gid", "uname", "gname", "mtime", "atime", "ctime"];

impl Records {
    pub(super) fn parse(mut body: &[u8], part: Part) -> Result<Records> {
        let mut records = BTreeMap::new();
        while !body.is_empty() {
            let (key, value, rest) =
                record(body).ok_or_else(|| part.malformed("a pax header has a broken record"))?;
            body = rest;
            if TEXTS.contains(&key) && (value.is_empty() || value.contains(&0)) {
                return Err(part.malformed(format!("the pax record `{key}` is empty or has a NUL inside")));
            }
            if key.starts_with("GNU.sparse") || key == "SCHILY.realsize" {
                return Err(part.malformed("it has a sparse file, which packages do not"));
            }
            // Names that are no UTF-8 come with `BINARY` (POSIX); bytes are bytes here.
            if key == "hdrcharset" && !matches!(value, b"BINARY" | b"ISO-IR 10646 2000 UTF-8") {
                return Err(part.malformed(format!("names are in `{}`", shown(value))));
            }
            match records.entry(key.to_owned()) {
                Place::Vacant(place) => place.insert(value.to_vec()),
                Place::Occupied(_) => {
                    return Err(
                        part.malformed(format!("the pax record `{}` comes twice", shown(key.as_bytes())))
                    );
                }
            };
        }
        Ok(Records(records))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_slice()))
    }

    /// Removes and returns a record.
    pub(super) fn take(&mut self, key: &str) -> Option<Vec<u8>> {
        self.0.remove(key)
    }

    /// Removes and returns a record that is a number.
    pub(super) fn take_number(&mut self, key: &str, part: Part) -> Result<Option<u64>> {
        let Some(value) = self.take(key) else { return Ok(None) };
        let number = std::str::from_utf8(&value)
            .ok()
            .filter(|digits| digits.len() <= 19 && digits.bytes().all(|byte| byte.is_ascii_digit()))
            .and_then(|digits| digits.parse().ok())
            .filter(|number| *number <= i64::MAX as u64);
        match number {
            Some(number) => Ok(Some(number)),
            None => Err(part.malformed(format!("the pax record `{key}` is no number: `{}`", shown(&value)))),
        }
    }

    /// Removes and returns a record that is a time; a fraction of a second is cut off.
    pub(super) fn take_time(&mut self, key: &str, part: Part) -> Result<Option<i64>> {
        let Some(value) = self.take(key) else { return Ok(None) };
        let text = std::str::from_utf8(&value).unwrap_or_default();
        let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
        let is_number = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
        let digits = seconds.strip_prefix('-').unwrap_or(seconds);
        let time = seconds.parse().ok().filter(|_| is_number(digits) && is_number(fraction));
        match time {
            Some(time) => Ok(Some(time)),
            None => Err(part.malformed(format!("the pax record `{key}` is no time: `{}`", shown(&value)))),
        }
    }

    pub(super) fn into_inner(self) -> BTreeMap<String, Vec<u8>> {
        self.0
    }
}

/// The first record, and what follows it.
fn record(body: &[u8]) -> Option<(&str, &[u8], &[u8])> {
    let blank = body.iter().take(8).position(|byte| *byte == b' ')?;
    let digits = &body[..blank];
    if digits.first().is_none_or(|digit| *digit == b'0') || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let length: usize = std::str::from_utf8(digits).ok()?.parse().ok()?;
    if length <= blank + 1 || length > body.len() || body[length - 1] != b'\n' {
        return None;
    }
    let text = &body[blank + 1..length - 1];
    let sign = text.iter().position(|byte| *byte == b'=')?;
    let key = std::str::from_utf8(&text[..sign]).ok().filter(|key| !key.is_empty() && !key.contains('\0'))?;
    Some((key, &text[sign + 1..], &body[length..]))
}

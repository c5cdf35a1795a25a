//! Reads `.PKGINFO`: `key = value` lines and comments (apk-package(5)).
//!
//! apk takes the last of two values and passes over lines that it does not understand; a reader that shows one of two
//! could show the wrong one. So what can be there once must be, and a line is one thing or the other.

use std::collections::BTreeMap;

use crate::Result;
use crate::archive::part::{Part, shown};

const INFO: Part = Part { format: "apk", name: ".PKGINFO" };

/// What can be said more than once.
const LISTS: [&str; 4] = ["depend", "provides", "replaces", "triggers"];

/// What a package cannot do without.
const REQUIRED: [&str; 4] = ["pkgname", "pkgver", "arch", "datahash"];

/// `.PKGINFO`, read.
#[derive(Debug)]
pub(super) struct PackageInfo {
    values: BTreeMap<String, Vec<String>>,
    /// SHA-256 of the data member.
    pub(super) data_hash: [u8; 32],
}

impl PackageInfo {
    /// Reads the file.
    ///
    /// # Errors
    /// When it is not text, says something twice, or lacks what every package has.
    pub(super) fn parse(bytes: &[u8]) -> Result<PackageInfo> {
        let text = std::str::from_utf8(bytes).map_err(|_| INFO.malformed("it is not UTF-8"))?;
        let mut values: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for line in text.split('\n').filter(|line| !line.is_empty() && !line.starts_with('#')) {
            if line.chars().any(char::is_control) {
                return Err(INFO.malformed(format!("`{}` has a control character", shown(line.as_bytes()))));
            }
            let Some((key, value)) = line.split_once(" =") else {
                return Err(INFO.malformed(format!("`{}` is no `key = value`", shown(line.as_bytes()))));
            };
            let list = values.entry(key.to_owned()).or_default();
            if !list.is_empty() && !LISTS.contains(&key) {
                return Err(INFO.malformed(format!("`{}` comes twice", shown(key.as_bytes()))));
            }
            list.push(value.trim().to_owned());
        }
        let one = |key: &str| values.get(key).map(|list| list[0].as_str()).filter(|value| !value.is_empty());
        for key in REQUIRED {
            if one(key).is_none() {
                return Err(INFO.malformed(format!("it has no `{key}`")));
            }
        }
        for key in ["pkgname", "pkgver", "arch"] {
            let value = one(key).unwrap_or_default();
            let is_known = |c: char| c.is_ascii_alphanumeric() || "._+~-".contains(c);
            if !value.starts_with(|c: char| c.is_ascii_alphanumeric()) || !value.chars().all(is_known) {
                let value = shown(value.as_bytes());
                return Err(INFO.malformed(format!("`{value}` cannot be a package's `{key}`")));
            }
        }
        let data_hash = sum(one("datahash").unwrap_or_default().as_bytes())
            .ok_or_else(|| INFO.malformed("its `datahash` is no SHA-256 sum"))?;
        Ok(PackageInfo { values, data_hash })
    }

    /// The single value of `key`, removed; empty values are none.
    pub(super) fn take(&mut self, key: &str) -> Option<String> {
        self.values.remove(key)?.pop().filter(|value| !value.is_empty())
    }

    /// A number, removed.
    pub(super) fn take_number(&mut self, key: &str) -> Result<Option<u64>> {
        let Some(value) = self.take(key) else { return Ok(None) };
        let number = value.parse().map_err(|_| {
            INFO.malformed(format!("its `{key}` is `{}`, and no number", shown(value.as_bytes())))
        })?;
        Ok(Some(number))
    }

    /// The values of a list, removed; apk separates several on a line by blanks.
    pub(super) fn take_list(&mut self, key: &str) -> Vec<String> {
        let lines = self.values.remove(key).unwrap_or_default();
        lines.iter().flat_map(|line| line.split_whitespace()).map(str::to_owned).collect()
    }

    /// What is left, by key.
    pub(super) fn rest(self) -> BTreeMap<String, String> {
        let with_value = self.values.into_iter().map(|(key, list)| (key, list.join(" ")));
        with_value.filter(|(_, value)| !value.is_empty()).collect()
    }
}

/// A sum of `N` bytes in hexadecimal.
pub(super) fn sum<const N: usize>(digits: &[u8]) -> Option<[u8; N]> {
    let mut sum = [0; N];
    if digits.len() != 2 * N || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    for (byte, digits) in sum.iter_mut().zip(digits.chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(sum)
}

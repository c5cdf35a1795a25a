//! `index.html`: what there is, how to install it, and how to check it, for people.
//!
//! One self-contained file without scripts. Its content security policy allows its own style sheet, by digest,
//! and nothing else, so that even markup that slipped in could load and run nothing. Text is escaped by the
//! template engine; characters that cannot be seen or turn text around are shown as their numbers.

use askama::Template;
use packhouse_publish::{Head, Latest, Package, Sha256, layout};

use crate::info::{check_url, is_invisible};
use crate::{Result, SiteInfo, install_command};

const STYLE: &str = include_str!("../templates/style.css");

/// The text of `index.html`.
///
/// # Errors
/// When the site's or the project's address has characters that do not belong into one.
pub fn download_page(head: &Head, info: &SiteInfo) -> Result<String> {
    if let Some(homepage) = &info.homepage {
        check_url("homepage", homepage, &["https://", "http://"])?;
    }
    let command = main_channel(head).map(|channel| install_command(info, channel)).transpose()?;
    let mut groups: Vec<Group> = Vec::new();
    for latest in &head.latest {
        let Some(package) = head.package(&latest.path) else { continue };
        let mut release = Release::new(package, &latest.channel, info)?;
        release.command = release.command.filter(|own| Some(own) != command.as_ref());
        match groups.last_mut() {
            Some(group) if group.target == latest.target => group.releases.push(release),
            _ => groups.push(Group { target: visible(&latest.target), releases: vec![release] }),
        }
    }
    let page = Page {
        style: STYLE,
        style_digest: base64(Sha256::of(STYLE.as_bytes()).as_bytes()),
        name: visible(&head.name),
        summary: visible(&info.summary),
        homepage: info.homepage.as_deref(),
        command,
        site: info.location.checked()?,
        groups,
        keys: info.keys.iter().map(Key::new).collect(),
        keyring_sha256: info.keyring_sha256.to_string(),
        generation: head.generation,
        updated: date(head.updated),
        count: head.packages.len(),
    };
    Ok(page.render()?)
}

/// The channel that the page's first command installs from: a site that has only previews has no stable package
/// for it to find, and one that has only archives has none at all.
fn main_channel(head: &Head) -> Option<&str> {
    if head.latest.is_empty() {
        return Some(layout::STABLE);
    }
    let is_installed =
        |latest: &&Latest| head.package(&latest.path).is_none_or(|package| !is_archive(&package.format));
    let installed = || head.latest.iter().filter(is_installed);
    let stable = installed().find(|latest| latest.channel == layout::STABLE);
    stable.or(installed().next()).map(|latest| latest.channel.as_str())
}

/// Whether a format is one that no package manager installs.
fn is_archive(format: &str) -> bool {
    matches!(format, "tar" | "zip")
}

/// What a format is for, and what installs a file of it that was checked; `FILE` stands for it.
fn of_format(format: &str) -> Option<(&'static str, &'static str)> {
    Some(match format {
        "deb" => ("deb, for apt", "apt-get install ./FILE"),
        "rpm" => ("rpm, for dnf, yum and zypper", "dnf install ./FILE"),
        "apk" => ("apk, for Alpine Linux and Wolfi", "apk add --allow-untrusted ./FILE"),
        "pacman" => ("pacman package, for Arch Linux", "pacman -U ./FILE"),
        "tar" => ("tar archive", "tar -xf ./FILE"),
        "zip" => ("zip archive", "unzip ./FILE"),
        _ => return None,
    })
}

#[derive(Template)]
#[template(path = "index.html")]
struct Page<'a> {
    style: &'static str,
    style_digest: String,
    name: String,
    summary: String,
    homepage: Option<&'a str>,
    command: Option<String>,
    site: &'a str,
    groups: Vec<Group>,
    keys: Vec<Key>,
    keyring_sha256: String,
    generation: u64,
    updated: String,
    count: usize,
}

/// One target and its newest packages.
struct Group {
    target: String,
    releases: Vec<Release>,
}

struct Release {
    /// How to install it with the script, where that is not the page's first command.
    command: Option<String>,
    /// What kind of package it is.
    format: String,
    /// What installs the file itself, where that is known.
    by_hand: Option<String>,
    channel: String,
    arch: String,
    version: String,
    file_name: String,
    href: String,
    size: String,
    sha256: String,
    built: String,
    revision: String,
}

impl Release {
    fn new(package: &Package, channel: &str, info: &SiteInfo) -> Result<Release> {
        let known = of_format(&package.format);
        Ok(Release {
            command: match is_archive(&package.format) {
                true => None,
                false => Some(install_command(info, channel)?),
            },
            format: known.map_or_else(|| visible(&package.format), |(label, _)| label.to_owned()),
            by_hand: known.map(|(_, command)| command.replace("FILE", &visible(&package.file_name))),
            channel: visible(channel),
            arch: visible(&package.arch),
            version: visible(&package.version),
            file_name: visible(&package.file_name),
            href: href(package.path.as_str()),
            size: size(package.size),
            sha256: package.sha256.to_string(),
            built: date(package.built),
            revision: visible(&package.revision),
        })
    }
}

struct Key {
    fingerprint: String,
    user_id: String,
    expires: Option<String>,
}

impl Key {
    fn new(key: &crate::KeyInfo) -> Key {
        // In groups of four digits, as people compare them.
        let digits: Vec<char> = visible(&key.fingerprint).chars().collect();
        let groups: Vec<String> = digits.chunks(4).map(|group| group.iter().collect()).collect();
        Key { fingerprint: groups.join(" "), user_id: visible(&key.user_id), expires: key.expires.map(date) }
    }
}

/// A relative reference (RFC 3986) to an object; `+` is a space to some stores.
fn href(path: &str) -> String {
    let mut href = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'/' | b'.' | b'_' | b'~' | b'-' => {
                href.push(byte.into())
            }
            other => href.push_str(&format!("%{other:02X}")),
        }
    }
    href
}

/// The text with characters that cannot be seen, or that turn text around, as `U+202E`.
fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match is_invisible(character) {
            true => shown.push_str(&format!("U+{:04X}", u32::from(character))),
            false => shown.push(character),
        }
    }
    shown
}

/// A size in decimal units, with three digits.
#[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
fn size(bytes: u64) -> String {
    let mut value = bytes as f64;
    for unit in ["bytes", "kB", "MB", "GB"] {
        if value < 1000.0 {
            return if unit == "bytes" { format!("{bytes} bytes") } else { format!("{value:.1} {unit}") };
        }
        value /= 1000.0;
    }
    format!("{value:.1} TB")
}

/// A time in UTC, to the minute.
fn date(seconds: i64) -> String {
    match jiff::Timestamp::from_second(seconds) {
        Ok(time) => time.strftime("%Y-%m-%d %H:%M UTC").to_string(),
        Err(_) => format!("{seconds} s"),
    }
}

/// RFC 4648, section 4, which content security policies want.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let bits = group.iter().fold(0, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
        for digit in 0..4 {
            match digit <= group.len() {
                true => text.push(DIGITS[(bits >> (18 - 6 * digit) & 63) as usize].into()),
                false => text.push('='),
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_rfc_4648s() {
        for (text, encoded) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")]
        {
            assert_eq!(base64(text.as_bytes()), encoded);
        }
    }

    #[test]
    fn numbers_are_for_people() {
        assert_eq!([size(1), size(1500), size(38_100_000)], ["1 bytes", "1.5 kB", "38.1 MB"]);
        assert_eq!(date(1_700_000_000), "2023-11-14 22:13 UTC");
        assert_eq!(href("ubuntu/a+b^c~1_amd64.deb"), "ubuntu/a%2Bb%5Ec~1_amd64.deb");
        assert_eq!(visible("a\u{202e}b\n"), "aU+202EbU+000A");
    }
}

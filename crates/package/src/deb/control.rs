//! The `control` member: what a package says about itself (deb-control(5), Debian Policy 5).
//!
//! A paragraph of `Field: value` lines. The order is dpkg-gencontrol's; `License` and `Vendor`, which Debian
//! does not define and dpkg keeps, stand before `Description`; the user's own fields come last. A value's
//! further lines start with a space, an empty one is ` .`.

use super::{Options, relation};
use crate::file_tree::Kind;
use crate::{Entry, Error, Metadata, PackageName, Result, Version};

/// A package's name in a deb: lower-cased, `_` replaced by `-` (Policy 5.6.7 allows neither).
pub(super) fn package_name(name: &PackageName) -> String {
    name.as_str().to_ascii_lowercase().replace('_', "-")
}

/// `[epoch:]version[-release]`, checked by deb-version(7). A `v` in front of a digit is dropped, as fpm does.
pub(super) fn version(version: &Version) -> Result<String> {
    let given = version.version.as_str();
    let behind_v = given.strip_prefix('v').filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    let mut text = behind_v.unwrap_or(given).to_owned();
    if let Some(release) = &version.release {
        text = format!("{text}-{release}");
    }
    let refuse = |reason| Error::Version { version: text.clone(), format: "deb", reason };
    let (upstream, revision) = match text.rsplit_once('-') {
        Some((upstream, revision)) => (upstream, Some(revision)),
        None => (text.as_str(), None),
    };
    let has_only =
        |text: &str, signs: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || signs.contains(c));
    if !upstream.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(refuse("it does not start with a digit"));
    }
    // deb-version(7) would allow a colon behind an epoch; apt writes it as `%3a` in file names.
    if !has_only(upstream, ".+-~") {
        return Err(refuse("it has other characters than letters, digits and `.+-~`"));
    }
    if revision.is_some_and(|revision| revision.is_empty() || !has_only(revision, ".+~")) {
        return Err(refuse("behind the last `-` are letters, digits and `.+~`, at least one"));
    }
    Ok(match version.epoch {
        Some(epoch) => format!("{epoch}:{text}"),
        None => text,
    })
}

/// `NAME_VERSION_ARCH.deb`; the epoch is left out, as dpkg-name does.
pub(super) fn file_name(metadata: &Metadata) -> Result<String> {
    let version = version(&Version { epoch: None, ..metadata.version.clone() })?;
    Ok(format!("{}_{version}_{}.deb", package_name(&metadata.name), metadata.arch.deb()))
}

/// What the package takes when installed, in KiB: every file and link rounded up, 1 for anything else and
/// for the root (dpkg-gencontrol, `$scan_installed_size`; deb-substvars(5), `Installed-Size`).
pub(super) fn installed_size<'a>(entries: impl Iterator<Item = &'a Entry>) -> u64 {
    let sizes = entries.map(|entry| match &entry.kind {
        Kind::File { size, .. } => size.div_ceil(1024),
        Kind::Symlink { target } => (target.len() as u64).div_ceil(1024),
        Kind::Directory => 1,
        Kind::Ghost => 0,
    });
    1 + sizes.sum::<u64>()
}

/// The text of the `control` member; `needs` are packages that the maintainer scripts need.
///
/// # Errors
/// When Debian has no way to say something of it.
pub(super) fn control(
    metadata: &Metadata,
    options: &Options,
    installed_size: u64,
    needs: &[&str],
) -> Result<String> {
    let mut relations = relation::translate(&metadata.relations, options.ignore_release_in_dependencies)?;
    for need in needs {
        let depends = &mut relations.depends;
        let is_named = depends
            .split(',')
            .any(|part| !part.contains('|') && part.split_whitespace().next() == Some(need));
        if !is_named {
            let comma = if depends.is_empty() { "" } else { ", " };
            depends.push_str(&format!("{comma}{need}"));
        }
    }
    let mut fields: Vec<(&str, String)> = vec![
        ("Package", package_name(&metadata.name)),
        ("Version", version(&metadata.version)?),
        ("Architecture", metadata.arch.deb().into()),
        ("Maintainer", metadata.maintainer.trim().into()),
        ("Installed-Size", options.installed_size.unwrap_or(installed_size).to_string()),
        ("Pre-Depends", relations.pre_depends),
        ("Depends", relations.depends),
        ("Recommends", relations.recommends),
        ("Suggests", relations.suggests),
        ("Enhances", relations.enhances),
        ("Conflicts", relations.conflicts),
        ("Breaks", relations.breaks),
        ("Replaces", relations.replaces),
        ("Provides", relations.provides),
        // Policy 2.4 and 2.5 want both; `misc` and `optional` are what fits a vendor's package.
        ("Section", metadata.category.clone().unwrap_or_else(|| "misc".into())),
        ("Priority", priority(options)?.into()),
        ("Homepage", metadata.homepage.clone().unwrap_or_default()),
        ("License", metadata.license.clone().unwrap_or_default()),
        ("Vendor", metadata.vendor.clone().unwrap_or_default()),
        ("Description", description(&metadata.summary, &metadata.description)),
    ];
    for (name, value) in &options.fields {
        let value = fold(check_field(name, value)?);
        match fields.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(name)) {
            Some(field) => field.1 = value,
            None => fields.push((name, value)),
        }
    }
    let mut text = String::new();
    for (name, value) in fields {
        if !value.trim().is_empty() {
            text.push_str(&format!("{name}: {}\n", value.trim()));
        }
    }
    Ok(text)
}

/// Policy 2.5, and what other tools still write.
fn priority(options: &Options) -> Result<&str> {
    let priority = options.priority.as_deref().unwrap_or("optional");
    if ["required", "important", "standard", "optional", "extra"].contains(&priority) {
        return Ok(priority);
    }
    let reason = "it is `required`, `important`, `standard`, `optional` or `extra`";
    Err(Error::Option { format: "deb", option: "the priority", value: priority.into(), reason })
}

/// Checks a field of the user's and returns its value without blanks around it.
fn check_field<'a>(name: &str, value: &'a str) -> Result<&'a str> {
    let refuse =
        |reason| Error::Option { format: "deb", option: "the control field", value: name.into(), reason };
    // deb822(5): printable ASCII without a colon, not starting with `#` or `-`.
    let is_name = name.chars().all(|c| c.is_ascii_graphic() && c != ':') && !name.starts_with(['#', '-']);
    if name.is_empty() || !is_name {
        return Err(refuse(
            "a field's name has printable ASCII without `:` and does not start with `#` or `-`",
        ));
    }
    if ["Package", "Version", "Architecture"].iter().any(|fixed| fixed.eq_ignore_ascii_case(name)) {
        return Err(refuse("it is part of the file's name; set the package's own value"));
    }
    let value = value.trim();
    if value.is_empty() {
        return Err(refuse("its value is empty"));
    }
    if value.chars().any(|c| c.is_control() && c != '\n' && c != '\t') {
        return Err(refuse("its value holds a control character"));
    }
    Ok(value)
}

/// Makes a value's further lines continuation lines; those that are already, stay as they are.
fn fold(value: &str) -> String {
    let mut lines = value.lines();
    let mut folded = lines.next().unwrap_or_default().trim_end().to_owned();
    for line in lines.map(str::trim_end) {
        folded.push_str(match line {
            "" => "\n .",
            _ if line.starts_with([' ', '\t']) => "\n",
            _ => "\n ",
        });
        folded.push_str(line);
    }
    folded
}

/// Where lines of a paragraph are broken: frontends wrap them anyway (Policy 5.6.13), and lintian asks for
/// less than 80 columns.
const WIDTH: usize = 79;

/// The synopsis and the extended description (Policy 5.6.13): lines of a paragraph start with one space,
/// lines to be shown as they are with two, an empty line is ` .`.
fn description(summary: &str, extended: &str) -> String {
    let summary = summary.trim();
    let mut text = summary.to_owned();
    let extended = extended.replace('\t', "        ");
    let mut lines: Vec<&str> = extended.lines().map(str::trim_end).collect();
    if lines.first() == Some(&summary) {
        lines.remove(0);
    }
    let is_blank = |line: &&&str| line.is_empty();
    let (start, end) =
        (lines.iter().take_while(is_blank).count(), lines.iter().rev().take_while(is_blank).count());
    for line in lines.get(start..lines.len() - end).unwrap_or_default() {
        match line.chars().next() {
            None => text.push_str("\n ."),
            Some(' ') => text.push_str(&format!("\n {line}")),
            // ` .text` is reserved (Policy 5.6.13); a line shown as it is may start with a full stop.
            Some('.') => text.push_str(&format!("\n  {line}")),
            Some(_) => wrap(line, &mut text),
        }
    }
    text
}

/// Adds a line, broken between words so that none is longer than [`WIDTH`], if that is possible.
fn wrap(line: &str, text: &mut String) {
    let mut width = WIDTH;
    for word in line.split(' ').filter(|word| !word.is_empty()) {
        let length = word.chars().count();
        // A word that starts with a full stop must not start a line.
        if width + 1 + length > WIDTH && !(word.starts_with('.') && width < WIDTH) {
            text.push('\n');
            width = 0;
        }
        text.push(' ');
        text.push_str(word);
        width += 1 + length;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spell(epoch: Option<u32>, text: &str, release: Option<&str>) -> Result<String> {
        version(&Version { epoch, version: text.into(), release: release.map(str::to_owned), elements: None })
    }

    #[test]
    fn versions_follow_deb_version_7() {
        assert_eq!(spell(None, "0.1.0-ubuntu-22.04-01fd6b4", None).unwrap(), "0.1.0-ubuntu-22.04-01fd6b4");
        assert_eq!(spell(Some(1), "v1.2~rc1", Some("2")).unwrap(), "1:1.2~rc1-2");
        for wrong in ["", "v", "abc", "1.0_1", "1.0-", "1:2", "1/2", "1.0^1", "1 2", "ä1", "-1", "1.0-a_b"] {
            assert!(spell(None, wrong, None).is_err(), "{wrong}");
        }
    }

    #[test]
    fn descriptions_are_folded() {
        let extended = "\nFirst paragraph.\n\n  * shown\tas it is\n.NET starts with a full stop.\n\n\n";
        insta::assert_snapshot!(description("Does a thing", extended), @r"
        Does a thing
         First paragraph.
         .
           * shown        as it is
          .NET starts with a full stop.
        ");
        assert_eq!(description("Does a thing", ""), "Does a thing");
        assert_eq!(description("Does a thing", "\n\n"), "Does a thing");
        assert_eq!(description("Does a thing", "Does a thing"), "Does a thing");
        let long = "word ".repeat(40);
        assert!(description("s", &long).lines().all(|line| line.len() <= 80));
    }

    #[test]
    fn fields_of_the_user_are_folded_and_checked() {
        assert_eq!(fold("a\nb\n\n c"), "a\n b\n .\n c");
        for (name, value) in
            [("", "x"), ("A:", "x"), ("#A", "x"), ("A", " "), ("A", "x\ry"), ("version", "1")]
        {
            assert!(check_field(name, value).is_err(), "{name}: {value}");
        }
    }
}

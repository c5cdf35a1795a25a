//! The changelog and the copyright file that every deb has (Debian Policy 12.5, 12.7).
//!
//! | file below /usr/share/doc/NAME | text |
//! |---|---|
//! | `changelog.Debian.gz` | [`Options::changelog`], else the metadata's entries |
//! | `changelog.gz` | [`Options::upstream_changelog`], if given |
//! | `copyright` | who distributes the package, and its licence; names the packaged licence texts |
//!
//! A file that the project packages itself is left alone. The copyright file does not name a copyright holder:
//! the metadata does not say who that is.

use super::{Options, control};
use crate::archive::compress::Compression;
use crate::{Entry, Error, FileTree, Mark, Metadata, Package, PackagePath, Result, changelog};

/// The documents that `package` lacks.
pub(super) fn missing(package: &Package) -> Result<FileTree> {
    let (metadata, options) = (&package.metadata, &package.options.deb);
    let name = control::package_name(&metadata.name);
    let directory = format!("usr/share/doc/{name}");
    let mut tree = FileTree::new();
    // A project that packages its documentation directory as a link to another package's keeps the link.
    if !is_directory_or_absent(&package.files, &directory) {
        return Ok(tree);
    }
    let mut add = |file: &str, text: Vec<u8>| -> Result<()> {
        let path = path(&format!("{directory}/{file}"));
        if package.files.entry(&path).is_none() {
            let entry = Entry { mark: Mark::Documentation, ..Entry::bytes(text, 0o644) };
            tree.insert(path, entry)?;
        }
        Ok(())
    };
    let changelog = match &options.changelog {
        Some(text) => ending_in_line_break(text),
        None => self::changelog(package, options)?,
    };
    add("changelog.Debian.gz", gzip(&changelog)?)?;
    if let Some(text) = &options.upstream_changelog {
        add("changelog.gz", gzip(&ending_in_line_break(text))?)?;
    }
    add("copyright", copyright(metadata, &package.files).into_bytes())?;
    Ok(tree)
}

fn is_directory_or_absent(files: &FileTree, directory: &str) -> bool {
    let mut above = Some(path(directory));
    while let Some(path) = above {
        if files.entry(&path).is_some_and(|entry| !entry.is_directory()) {
            return false;
        }
        above = path.parent();
    }
    true
}

fn path(text: &str) -> PackagePath {
    PackagePath::new(text).expect("a package's name has no character that a path cannot have")
}

/// The entries of the metadata in the form of deb-changelog(5), the newest for this version.
fn changelog(package: &Package, options: &Options) -> Result<String> {
    let name = control::package_name(&package.metadata.name);
    let version = control::version(&package.metadata.version)?;
    let distribution = options.distribution.as_deref().unwrap_or("unstable");
    if distribution.is_empty() || !distribution.chars().all(|c| c.is_ascii_graphic() && c != ';') {
        let reason = "a distribution's name is one word";
        let value = distribution.into();
        return Err(Error::Option { format: "deb", option: "the distribution", value, reason });
    }
    let entries = changelog::of_package(&package.metadata, &version, package.timestamp);
    let texts = entries.iter().map(|entry| {
        let changes: String = entry.changes.iter().map(|change| change_lines(change)).collect();
        let (version, author, date) = (&entry.version, entry.author.trim(), entry.time.to_rfc2822());
        format!("{name} ({version}) {distribution}; urgency=medium\n\n{changes}\n -- {author}  {date}\n")
    });
    Ok(texts.collect::<Vec<_>>().join("\n"))
}

/// A change as an item; `[ Name ]`, by which several authors are told apart, stands for itself.
fn change_lines(change: &str) -> String {
    let bullet = if change.starts_with("[ ") { "  " } else { "  * " };
    let mut lines = change.lines();
    let mut text = format!("{bullet}{}\n", lines.next().unwrap_or_default());
    // An empty line within an item would end it for some readers.
    for line in lines.filter(|line| !line.trim().is_empty()) {
        text.push_str(&format!("    {line}\n"));
    }
    text
}

fn copyright(metadata: &Metadata, files: &FileTree) -> String {
    let maintainer = metadata.maintainer.trim();
    let mut text = format!(
        "{} is distributed by {}.\n",
        metadata.name,
        metadata.vendor.as_deref().unwrap_or(maintainer)
    );
    if let Some(homepage) = &metadata.homepage {
        text.push_str(&format!("\nHomepage: {homepage}\n"));
    }
    match &metadata.license {
        Some(license) => {
            text.push_str(&format!("\nLicense: {license}\n"));
            for file in common_licenses(license) {
                text.push_str(&format!(
                    "On Debian systems its text is in /usr/share/common-licenses/{file}.\n"
                ));
            }
        }
        None => text.push_str(&format!("\nFor the terms of use ask {maintainer}.\n")),
    }
    let licenses: Vec<String> = files
        .iter()
        .filter(|(_, entry)| entry.mark == Mark::License)
        .map(|(path, _)| format!("  {path}\n"))
        .collect();
    if !licenses.is_empty() {
        text.push_str("\nThe texts of the licenses are in this package:\n");
        text.extend(licenses);
    }
    text
}

/// The files of /usr/share/common-licenses, which Policy 12.5 wants named, for the licences of an SPDX
/// expression.
fn common_licenses(expression: &str) -> Vec<String> {
    let words = expression.split(|c: char| !(c.is_ascii_alphanumeric() || "-.+".contains(c)));
    let mut files = Vec::new();
    for word in words {
        let name = ["-or-later", "-only", "+"].iter().find_map(|end| word.strip_suffix(end)).unwrap_or(word);
        let file = match name {
            "GPL-1.0" | "GPL-2.0" | "GPL-3.0" | "LGPL-2.0" | "LGPL-3.0" => name.trim_end_matches(".0"),
            "Apache-2.0" | "CC0-1.0" | "GFDL-1.2" | "GFDL-1.3" | "LGPL-2.1" | "MPL-1.1" | "MPL-2.0" => name,
            _ => continue,
        };
        if !files.iter().any(|known| known == file) {
            files.push(file.to_owned());
        }
    }
    files
}

fn ending_in_line_break(text: &str) -> String {
    if text.ends_with('\n') { text.to_owned() } else { format!("{text}\n") }
}

fn gzip(text: &str) -> Result<Vec<u8>> {
    Ok(Compression::Gzip(9).whole(text.as_bytes())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn licenses_that_debian_has_are_named() {
        assert_eq!(common_licenses("(MIT OR Apache-2.0) AND GPL-2.0-or-later"), ["Apache-2.0", "GPL-2"]);
        assert!(common_licenses("Proprietary").is_empty());
    }
}

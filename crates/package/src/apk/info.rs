//! `.PKGINFO`: what a package says about itself (apk-package(5), apk-v2(5)).
//!
//! Lines of `key = value` in the order of abuild's `prepare_metafiles`; a list is a line a value. Anything that
//! holds a line break would start a line of its own, so nothing does: [`Metadata::check`] and the checks here.
//!
//! `datahash` is known last and written first: the caller writes the text twice, at the same length.

use super::{Options, relation, version};
use crate::{Error, Package, Relation, Result};

/// As many digits as a SHA-256 sum has, until it is known.
pub(super) const NO_HASH: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// What apk keeps of a package passes through a buffer of 2,048 bytes (`apk_pkg_write_index_header`); 300 are for
/// the letters, sums and numbers beside the texts.
const LONGEST_TEXTS: usize = 1748;

/// What `.PKGINFO` needs to know beyond the metadata.
pub(super) struct Facts {
    /// What the files take, in bytes.
    pub(super) size: u64,
    /// Programs that run its scripts, as dependencies.
    pub(super) interpreters: Vec<String>,
}

/// The text of `.PKGINFO` up to the value of `datahash`, which is its last line.
pub(super) fn info(package: &Package, facts: &Facts) -> Result<String> {
    let (metadata, options) = (&package.metadata, &package.options.apk);
    let name = metadata.name.as_str();
    let relations = relation::translate(&metadata.relations)?;
    let maintainer = metadata.maintainer.trim();
    let mut lines: Vec<(&str, String)> = vec![
        ("pkgname", name.into()),
        ("pkgver", version::spell(&metadata.version)?),
        ("pkgdesc", metadata.summary.trim().into()),
        ("url", metadata.homepage.clone().unwrap_or_default()),
        ("builddate", package.timestamp.as_unix().to_string()),
        ("packager", metadata.vendor.as_deref().unwrap_or(maintainer).trim().into()),
        ("size", facts.size.to_string()),
        ("arch", metadata.arch.apk().into()),
        ("origin", name.into()),
        ("commit", commit(package).unwrap_or_default()),
        ("maintainer", maintainer.into()),
        ("replaces_priority", number(options.replaces_priority)),
        ("provider_priority", number(options.provider_priority)),
        ("license", metadata.license.clone().unwrap_or_default()),
    ];
    check_length(&lines)?;
    let mut depend = facts.interpreters.clone();
    depend.retain(|program| !relations.depend.contains(program));
    depend.extend(relations.depend);
    lines.extend(relations.replaces.into_iter().map(|word| ("replaces", word)));
    // A dependency on itself would never be met (abuild leaves it out as well).
    lines.extend(depend.into_iter().filter(|word| word != name).map(|word| ("depend", word)));
    lines.extend(relations.provides.into_iter().map(|word| ("provides", word)));
    lines.push(("triggers", triggers(options)?));
    lines.push(("install_if", install_if(&options.install_if)?));
    let mut text = String::new();
    for (key, value) in lines {
        let value = value.trim();
        if !value.is_empty() {
            text.push_str(&format!("{key} = {value}\n"));
        }
    }
    Ok(text)
}

fn number(priority: Option<u32>) -> String {
    priority.map(|priority| priority.to_string()).unwrap_or_default()
}

/// The Git revision, which `apk mkndx` reads as hexadecimal digits, two a byte.
fn commit(package: &Package) -> Option<String> {
    let revision = package.metadata.version.elements.as_ref()?.revision.as_deref()?;
    revision.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| revision.to_ascii_lowercase())
}

fn check_length(lines: &[(&str, String)]) -> Result<()> {
    let size: usize = lines.iter().map(|(_, value)| value.trim().len()).sum();
    if size <= LONGEST_TEXTS {
        return Ok(());
    }
    Err(Error::TooLarge {
        what: "the summary, homepage, maintainer and license together,".into(),
        size: size as u64,
        format: "apk",
        limit: LONGEST_TEXTS as u64,
    })
}

fn triggers(options: &Options) -> Result<String> {
    let Some(trigger) = &options.trigger else { return Ok(String::new()) };
    for directory in &trigger.directories {
        let path = directory.strip_prefix('+').unwrap_or(directory);
        let is_path = path.starts_with('/') && !path.contains(|c: char| c.is_whitespace() || c.is_control());
        if !is_path {
            let reason = "a trigger waits for absolute paths without blanks, as in `/usr/share/fonts/*`";
            let value = directory.clone();
            return Err(Error::Option { format: "apk", option: "the trigger on", value, reason });
        }
    }
    if trigger.directories.is_empty() {
        let reason = "it names no directory to wait for";
        return Err(Error::Option { format: "apk", option: "a trigger", value: String::new(), reason });
    }
    Ok(trigger.directories.join(" "))
}

fn install_if(relations: &[Relation]) -> Result<String> {
    let words = relation::list(relations)?;
    // apk-package(5), `install-if`.
    if !words.is_empty() && (words.len() < 2 || !words.iter().any(|word| word.contains('='))) {
        let reason = "it names at least two packages, one of them with `=` and a version";
        let value = words.join(" ");
        return Err(Error::Option { format: "apk", option: "install-if", value, reason });
    }
    Ok(words.join(" "))
}

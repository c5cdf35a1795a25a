//! `--rpm-tag`: lines of a spec file's preamble.

use packhouse_package::rpm::{Dependency, DependencyKind, Options};
use packhouse_package::{Metadata, Relation};

use super::super::log::{Log, Result};

/// What a line changes.
pub(super) fn apply(line: &str, metadata: &mut Metadata, options: &mut Options, log: &Log<'_>) -> Result<()> {
    let line = line.trim();
    if line.starts_with('%') || line.starts_with('#') || line.is_empty() {
        // `%define`, `%global`: they change what rpmbuild does, which is not used.
        log.warn(format!(
            "--rpm-tag '{line}' is for rpmbuild, which Packhouse does not use; it has no effect"
        ));
        return Ok(());
    }
    let (tag, value) = line.split_once(':').unwrap_or((line, ""));
    let (tag, value) = (tag.trim().to_lowercase(), value.trim());
    if let Some(kind) = DependencyKind::parse(&tag) {
        let relation =
            Relation::parse(value).ok_or_else(|| anyhow::anyhow!("--rpm-tag '{line}' names nothing"))?;
        options.dependencies.push(Dependency { kind, relation });
        return Ok(());
    }
    let value = match tag.as_str() {
        "autoreq" | "autoprov" | "autoreqprov" | "buildarch" | "buildarchitectures" | "buildroot"
        | "source" | "source0" | "buildrequires" => {
            log.warn(format!(
                "--rpm-tag '{line}' is for rpmbuild, which Packhouse does not use; it has no effect"
            ));
            return Ok(());
        }
        _ => Some(value.to_owned()).filter(|value| !value.is_empty()),
    };
    match tag.as_str() {
        "distribution" => options.distribution = value,
        "bugurl" => options.bug_url = value,
        "prefix" | "prefixes" => options.prefixes.extend(value),
        "summary" => options.summary = value,
        "vendor" => metadata.vendor = value,
        "url" => metadata.homepage = value,
        "license" => metadata.license = value,
        "group" => metadata.category = value,
        "packager" => metadata.maintainer = value.unwrap_or_default(),
        _ => {
            return Err(anyhow::anyhow!(
                "--rpm-tag '{line}' is not a tag that Packhouse writes; it writes Requires, Requires(pre), (post), \
                 (preun), (postun), Recommends, Suggests, Supplements, Enhances, Provides, Conflicts, Obsoletes, \
                 Distribution, BugURL, Prefix, Summary, Vendor, URL, License, Group and Packager"
            )
            .into());
        }
    }
    Ok(())
}

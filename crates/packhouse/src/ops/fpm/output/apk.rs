//! The output `apk`: a package of version 2 that apk installs, where fpm's cannot be unpacked.
//!
//! The file's name is fpm's; version and architecture inside are spelled as apk wants them.

use std::path::Path;

use packhouse_package::{Arch, Format, Mark, Options, PackageName, Relation, Script, Version};

use super::super::draft::Draft;
use super::super::log::{Log, Result};
use super::super::name::Tokens;
use super::{Context, Output};

pub(super) struct Apk {
    draft: Draft,
    full_version: String,
}

impl Apk {
    pub(super) fn new(mut draft: Draft, context: &Context<'_>) -> Result<Apk> {
        draft.name = Some(name(draft.name(), context.log));
        if draft.architecture == "native" || draft.architecture.is_empty() {
            draft.architecture = "noarch".into();
        }
        Ok(Apk { full_version: draft.full_version(), draft })
    }
}

fn name(given: &str, log: &Log<'_>) -> String {
    if given.chars().any(char::is_uppercase) {
        log.warn("apk packages should not have uppercase characters in their names");
    }
    for (sign, text) in [
        ('_', "apk packages should not include underscores"),
        (' ', "apk packages should not contain spaces"),
    ] {
        if given.contains(sign) {
            log.warn(text);
        }
    }
    given.to_lowercase().replace(['_', ' '], "-")
}

impl Output for Apk {
    fn tokens(&self) -> Tokens<'_> {
        super::tokens(&self.draft, "apk", &self.full_version)
    }

    fn default_name(&self) -> &str {
        "NAME_FULLVERSION_ARCH.EXTENSION"
    }

    fn write(mut self: Box<Self>, path: &Path, _shown: &str, context: &Context<'_>) -> Result<()> {
        let mut files = std::mem::take(&mut self.draft.files);
        files.complete();
        for path in super::config_files(&mut files, &self.draft.config_files, context, super::nowhere)? {
            if let Some(entry) = files.entry_mut(&path) {
                entry.mark = Mark::Config;
            }
        }
        super::forget_owners(&mut files);
        let draft = &self.draft;
        let mut package = super::package(draft, files, Options::default(), context.time);
        let metadata = &mut package.metadata;
        metadata.name = PackageName::new(draft.name())?;
        metadata.arch = Arch::parse(&draft.architecture).ok_or_else(|| {
            anyhow::anyhow!(
                "apk has no architecture `{}`; x86_64, aarch64, x86, armv7, noarch, …",
                draft.architecture
            )
        })?;
        metadata.version = Version {
            release: draft.iteration.clone(),
            // apk knows no epoch.
            ..Version::new(draft.version())
        };
        let read = |list: &[String]| list.iter().filter_map(|given| Relation::parse(given)).collect();
        if !context.line.is_on("no-depends") {
            let (lost, depends): (Vec<String>, Vec<String>) =
                draft.relations.depends.iter().cloned().partition(|relation| relation.contains("!="));
            if !lost.is_empty() {
                context.log.warn(format!("Left out, because apk cannot say it: {}", lost.join(", ")));
            }
            metadata.relations.depends = read(&depends);
        }
        metadata.relations.provides = read(&draft.relations.provides);
        metadata.relations.conflicts = read(&draft.relations.conflicts);
        metadata.relations.replaces = read(&draft.relations.replaces);
        for (moment, text) in &draft.scripts {
            let script = Script::parse(text.as_bytes())
                .map_err(|error| anyhow::anyhow!("the script {}: {error}", moment.name()))?;
            package.scripts.insert(*moment, script);
        }
        super::write_package(Format::Apk, &package, path)?;
        context.log.warn("apk output does not currently sign packages.");
        context.log.warn("It's recommended that your package be installed with '--allow-untrusted'");
        Ok(())
    }
}

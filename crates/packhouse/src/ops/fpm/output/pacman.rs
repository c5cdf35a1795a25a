//! The output `pacman`.

use std::path::Path;

use packhouse_package::{FileTree, Format, Mark, Moment, Options, pacman};

use super::super::draft::Draft;
use super::super::log::{Detail, Level, Result};
use super::super::name::Tokens;
use super::wrapper::function;
use super::{Context, Output};

pub(super) struct Pacman {
    draft: Draft,
    full_version: String,
    extension: String,
    compression: packhouse_package::archive::compress::Compression,
}

impl Pacman {
    pub(super) fn new(mut draft: Draft, context: &Context<'_>) -> Result<Pacman> {
        draft.architecture = match draft.architecture.as_str() {
            "native" | "" => context.environment.machine.clone(),
            "amd64" => "x86_64".into(),
            "arm64" => "aarch64".into(),
            // As fpm spells it; Arch Linux ARM's own word is armv7h.
            "armhf" => "arm7hf".into(),
            "all" | "any" | "noarch" => "any".into(),
            other => other.into(),
        };
        draft.iteration = Some(draft.iteration.take().unwrap_or_else(|| "1".into()));
        // pacman would take the blank in `foo >= 1` for a part of the name.
        for list in [
            &mut draft.relations.depends,
            &mut draft.relations.provides,
            &mut draft.relations.conflicts,
            &mut draft.relations.replaces,
        ] {
            for relation in list.iter_mut().filter(|relation| relation.contains(['<', '>', '='])) {
                relation.retain(|c| c != ' ');
            }
        }
        let is_odd = |relation: &&String| {
            relation
                .chars()
                .any(|c| !(c.is_ascii_alphanumeric() || c.is_whitespace() || "><=+._@-".contains(c)))
        };
        let removed: Vec<String> = draft.relations.depends.iter().filter(is_odd).cloned().collect();
        if !removed.is_empty() {
            draft.relations.depends.retain(|relation| !is_odd(&relation));
            let details = vec![
                ("removed_dependencies", Detail::List(removed)),
                ("fixed_dependencies", Detail::List(draft.relations.depends.clone())),
            ];
            let text = "Some of the dependencies looked like they weren't package names. Such dependency entries only serve to confuse arch. I am removing them.";
            context.log.say(Level::Warn, text, details);
        }
        // The levels of tar's `-z`, `-J` and `--zstd`.
        let kind = context.line.one("pacman-compression").unwrap_or("zstd");
        let default = match kind {
            "zstd" => 3,
            _ => 6,
        };
        let compression = super::compression(kind, None, default)?;
        let extension = format!("pkg.tar{}", compression.suffix());
        let full_version = draft.full_version();
        Ok(Pacman { draft, full_version, extension, compression })
    }
}

impl Output for Pacman {
    fn tokens(&self) -> Tokens<'_> {
        let tokens = super::tokens(&self.draft, "pacman", &self.full_version);
        Tokens { extension: &self.extension, ..tokens }
    }

    fn default_name(&self) -> &str {
        "NAME-FULLVERSION-ARCH.EXTENSION"
    }

    fn write(mut self: Box<Self>, path: &Path, _shown: &str, context: &Context<'_>) -> Result<()> {
        let mut files = std::mem::take(&mut self.draft.files);
        files.complete();
        let config = super::config_files(&mut files, &self.draft.config_files, context, super::nowhere)?;
        for (path, entry) in files.iter_mut() {
            entry.mark = if config.binary_search(path).is_ok() { Mark::Config } else { Mark::NotConfig };
        }
        match context.line.is_on("pacman-use-file-permissions") {
            true => super::keep_owners(&mut files),
            false => super::forget_owners(&mut files),
        }
        let info = self.info(&files, &config, context);
        let pacman = pacman::Options {
            verbatim: Some(pacman::Verbatim { info, install: self.install() }),
            ..pacman::Options::default()
        };
        let options = Options { compression: Some(self.compression), pacman, ..Options::default() };
        let package = super::package(&self.draft, files, options, context.time);
        super::write_package(Format::Pacman, &package, path)
    }
}

impl Pacman {
    /// `.PKGINFO`, the keys in fpm's order.
    fn info(
        &self,
        files: &FileTree,
        config: &[packhouse_package::PackagePath],
        context: &Context<'_>,
    ) -> String {
        let draft = &self.draft;
        let epoch = draft.epoch.as_deref().map(|epoch| format!("{epoch}:")).unwrap_or_default();
        let url = draft.url.clone().filter(|url| !url.is_empty());
        let size: u64 =
            files.iter().map(|(_, entry)| if entry.is_file() { super::size(entry) } else { 0 }).sum();
        let mut lines: Vec<(&str, String)> = vec![
            ("pkgname", draft.name().into()),
            ("pkgver", format!("{epoch}{}", self.full_version)),
            ("pkgdesc", draft.description.clone()),
            ("url", url.unwrap_or_else(|| "http://nourlgiven.example.com/".into())),
            ("builddate", context.time.as_unix().to_string()),
            ("packager", draft.maintainer.clone()),
            ("size", size.to_string()),
            ("arch", draft.architecture.clone()),
            ("license", draft.license.clone()),
        ];
        let mut add = |key, list: &[String]| lines.extend(list.iter().map(|value| (key, value.clone())));
        add("replaces", &draft.relations.replaces);
        add("group", std::slice::from_ref(&draft.category));
        add("conflict", &draft.relations.conflicts);
        add("provides", &draft.relations.provides);
        // Without a slash in front: pacman compares them with the archive's names.
        let backup: Vec<String> =
            config.iter().map(|path| String::from_utf8_lossy(path.as_bytes()).into_owned()).collect();
        add("backup", &backup);
        if !context.line.is_on("no-depends") {
            add("depend", &draft.relations.depends);
        }
        let kept = draft.extra.get("pacman-optional-depends").cloned().unwrap_or_default();
        add("optdepend", &kept);
        add("optdepend", &context.line.list("pacman-optional-depends"));
        let mut text = String::from("# Generated by packhouse fpm\n");
        for (key, value) in lines {
            // A line break would start a line of its own.
            let value: Vec<&str> = value.split('\n').filter(|line| !line.trim().is_empty()).collect();
            text.push_str(&format!("{key} = {}\n", value.join(" ")));
        }
        text
    }

    /// `.INSTALL`: each script is the body of the function that pacman calls.
    fn install(&self) -> Option<String> {
        let functions = [
            (Moment::BeforeInstall, "pre_install"),
            (Moment::AfterInstall, "post_install"),
            (Moment::BeforeUpgrade, "pre_upgrade"),
            (Moment::AfterUpgrade, "post_upgrade"),
            (Moment::BeforeRemove, "pre_remove"),
            (Moment::AfterRemove, "post_remove"),
        ];
        let texts = functions
            .into_iter()
            .filter_map(|(moment, name)| Some(function(name, self.draft.scripts.get(&moment)?)));
        Some(texts.collect::<String>()).filter(|text| !text.is_empty())
    }
}

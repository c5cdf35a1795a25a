//! The output `rpm`.

use std::collections::BTreeMap;
use std::path::Path;

use packhouse_package::rpm::{FileDigest, Options, Scriptlet, Trigger, TriggerMoment, Verbatim};
use packhouse_package::{
    Entry, FileTree, Format, Mark, Metadata, Moment, Package, PackagePath, Relation, Script, Version, rpm,
};
use packhouse_project::fpm::CommandLine;

use super::super::draft::{Draft, named, read_text};
use super::super::log::{Detail, Failure, Level, Log, Result};
use super::super::name::Tokens;
use super::deb_relation::next_of_last;
use super::wrapper::function;
use super::{Context, Output, rpm_tags};

pub(super) struct Rpm {
    draft: Draft,
    full_version: String,
    dist: Option<String>,
}

impl Rpm {
    pub(super) fn new(mut draft: Draft, context: &Context<'_>) -> Result<Rpm> {
        let log = context.log;
        let dist = context.line.one("rpm-dist").filter(|dist| !dist.is_empty()).map(str::to_owned);
        let iteration = draft.iteration.take().unwrap_or_else(|| "1".into());
        if iteration.contains('-') {
            log.warn(format!(
                "Package iteration '{iteration}' includes dashes, converting to underscores. rpmbuild does not allow the dashes in the package iteration (called 'Release' in rpm)"
            ));
        }
        if draft.version().contains('-') {
            log.warn(format!(
                "Package version '{}' includes dashes, converting to underscores",
                draft.version()
            ));
        }
        draft.version = Some(draft.version().replace('-', "_"));
        draft.iteration = Some(iteration.replace('-', "_"));
        draft.architecture = match draft.architecture.as_str() {
            "native" | "" => context.environment.machine.clone(),
            "amd64" => "x86_64".into(),
            "arm64" => "aarch64".into(),
            "all" => "noarch".into(),
            other => other.into(),
        };
        fix_depends(&mut draft, context);
        let full_version = draft.full_version();
        Ok(Rpm { draft, full_version, dist })
    }
}

/// `!=` becomes a conflict, and `=` a range where any iteration will do.
fn fix_depends(draft: &mut Draft, context: &Context<'_>) {
    let is_loose = context.line.is_on("rpm-ignore-iteration-in-dependencies");
    let mut depends = Vec::new();
    for relation in std::mem::take(&mut draft.relations.depends) {
        let words: Vec<&str> = relation.split_whitespace().collect();
        match words[..] {
            [name, "!=", version] => draft.relations.conflicts.push(format!("{name} = {version}")),
            [name, "=", version] if is_loose => {
                let next = next_of_last(version);
                context.log.warn(format!(
                    "Converting dependency {relation} to {name} >= {version}, {name} < {next}"
                ));
                depends.extend([format!("{name} >= {version}"), format!("{name} < {next}")]);
            }
            // rpmbuild would read `~>` as a name.
            [name, "~>", version] => {
                let mut components: Vec<&str> = version.split('.').collect();
                components.truncate(components.len().saturating_sub(1).max(1));
                let next = next_of_last(&components.join("."));
                depends.extend([format!("{name} >= {version}"), format!("{name} < {next}")]);
            }
            _ => depends.push(relation),
        }
    }
    draft.relations.depends = depends;
}

impl Output for Rpm {
    fn tokens(&self) -> Tokens<'_> {
        Tokens { dist: self.dist.as_deref(), ..super::tokens(&self.draft, "rpm", &self.full_version) }
    }

    fn default_name(&self) -> &str {
        match self.dist {
            Some(_) => "NAME-VERSION-ITERATION.DIST.ARCH.EXTENSION",
            None => "NAME-VERSION-ITERATION.ARCH.EXTENSION",
        }
    }

    fn write(mut self: Box<Self>, path: &Path, _shown: &str, context: &Context<'_>) -> Result<()> {
        refuse(context.line)?;
        let files = self.files(context)?;
        let mut options = self.options(context)?;
        let mut package =
            super::package(&self.draft, files, packhouse_package::Options::default(), context.time);
        self.describe(&mut package.metadata, &mut options, context)?;
        package.options.compression = Some(compression(context.line)?);
        package.options.rpm = options;
        write(&package, path)
    }
}

fn write(package: &Package, path: &Path) -> Result<()> {
    super::write_package(Format::Rpm, package, path)
}

/// What would need rpmbuild.
fn refuse(line: &CommandLine) -> Result<()> {
    for flag in ["rpm-autoreqprov", "rpm-autoreq", "rpm-autoprov"] {
        if line.is_on(flag) {
            return Err(anyhow::anyhow!(
                "Packhouse has no dependency generators as rpmbuild has; leave out --{flag}, and name what the \
                 package needs with -d and what it provides with --provides"
            )
            .into());
        }
    }
    Ok(())
}

impl Rpm {
    /// What the package owns: files, links, empty directories, and the directories that flags name.
    fn files(&mut self, context: &Context<'_>) -> Result<FileTree> {
        let line = context.line;
        let mut tree = std::mem::take(&mut self.draft.files);
        tree.complete();
        let missing = |given: &str| -> Failure {
            let path = vec![("path", Detail::Text(given.into()))];
            context.log.say(Level::Error, "Failed to find given --config-file", path);
            anyhow::anyhow!(
                "Could not find config file '{given}' in staging area or on host. This can happen if you specify \
                 `--config-file '{given}'` but this file does not exist in the source package and also does not exist \
                 in filesystem."
            )
            .into()
        };
        let config = super::config_files(&mut tree, &self.draft.config_files, context, missing)?;
        for init in line.many("rpm-init") {
            super::put_file(&mut tree, init, ("etc/init.d", ".init"), 0o755, context)?;
        }
        tree.complete();
        let owned = self.directories(&tree, context)?;
        if line.is_on("rpm-use-file-permissions") {
            super::keep_owners(&mut tree);
        }
        for (path, entry) in tree.iter_mut() {
            entry.mark = if config.binary_search(path).is_ok() { Mark::Config } else { Mark::NotConfig };
        }
        set_modes(&mut tree, line)?;
        set_attributes(&mut tree, line)?;
        let mut files = FileTree::new();
        for (path, entry) in tree.iter() {
            // Sorted by bytes, `a.b` stands between `a` and `a/b`, so that the next entry does not tell.
            let is_leaf = !entry.is_directory() || !has_contents(&tree, path);
            if is_leaf || owned.contains(path) {
                files.insert(path.clone(), entry.clone())?;
            }
        }
        Ok(files)
    }

    /// Directories that the package owns although something is in them.
    fn directories(&self, tree: &FileTree, context: &Context<'_>) -> Result<Vec<PackagePath>> {
        let line = context.line;
        let directories = || tree.iter().filter(|(_, entry)| entry.is_directory()).map(|(path, _)| path);
        if line.is_on("rpm-auto-add-directories") {
            let excluded = line.list("rpm-auto-add-exclude-directories");
            let is_excluded = |path: &PackagePath| excluded.iter().any(|other| *other == path.to_string());
            let own = directories().filter(|path| !rpm::is_distributions(path) && !is_excluded(path));
            return Ok(own.cloned().collect());
        }
        let mut owned = Vec::new();
        for given in &self.draft.directories {
            let below = match given.starts_with('/') {
                true => given.clone(),
                false => format!("{}/{given}", line.one("prefix").unwrap_or_default()),
            };
            let root = super::path(&below)?;
            if tree.entry(&root).is_none() {
                return Err(
                    anyhow::anyhow!("--directories '{given}': there is no {root} in the package").into()
                );
            }
            let within = directories().filter(|path| **path == root || super::is_below(path, &root));
            owned.extend(within.cloned());
        }
        Ok(owned)
    }

    fn options(&self, context: &Context<'_>) -> Result<Options> {
        let (line, environment) = (context.line, context.environment);
        let mut options = Options {
            dist: self.dist.clone(),
            summary: Some(
                line.one("rpm-summary")
                    .map_or_else(|| super::summary(&self.draft.description), str::to_owned),
            ),
            file_digest: digest(line)?,
            prefixes: vec![prefix(line)],
            changelog: Some(self.changelog(context)?),
            verbatim: Some(Verbatim {
                arch: self.draft.architecture.clone(),
                os: line.one("rpm-os").unwrap_or_default().to_owned(),
                scriptlets: self.scriptlets(context)?,
                expands: line.is_on("rpm-macro-expansion"),
            }),
            ..Options::default()
        };
        let owner = |flag: &str| line.one(flag).unwrap_or("root").to_owned();
        options.owner = Some(packhouse_package::Owner::new(owner("rpm-user"), owner("rpm-group")));
        for (flag, moment) in [
            ("rpm-trigger-before-install", TriggerMoment::BeforeInstall),
            ("rpm-trigger-after-install", TriggerMoment::AfterInstall),
            ("rpm-trigger-before-uninstall", TriggerMoment::BeforeUninstall),
            ("rpm-trigger-after-target-uninstall", TriggerMoment::AfterUninstall),
        ] {
            for given in line.many(flag) {
                triggers(flag, given, moment, &mut options, environment)?;
            }
        }
        check_defines(line, context.log);
        Ok(options)
    }

    /// Texts of every scriptlet: literal, unless there is one for upgrades.
    fn scriptlets(&self, context: &Context<'_>) -> Result<Vec<(Scriptlet, String)>> {
        let scripts = &self.draft.scripts;
        let get = |moment: Moment| scripts.get(&moment).map(String::as_str);
        let mut scriptlets = Vec::new();
        let is_generated =
            scripts.contains_key(&Moment::BeforeUpgrade) || scripts.contains_key(&Moment::AfterUpgrade);
        for (scriptlet, moment, upgrade) in [
            (Scriptlet::Pre, Moment::BeforeInstall, Some(Moment::BeforeUpgrade)),
            (Scriptlet::Post, Moment::AfterInstall, Some(Moment::AfterUpgrade)),
            (Scriptlet::Preun, Moment::BeforeRemove, None),
            (Scriptlet::Postun, Moment::AfterRemove, None),
        ] {
            let (script, upgrade) = (get(moment), upgrade.and_then(get));
            let text = match (is_generated, script, upgrade) {
                (_, None, None) => continue,
                (false, Some(script), _) => script.to_owned(),
                (false, None, _) => continue,
                (true, script, upgrade) if matches!(scriptlet, Scriptlet::Pre | Scriptlet::Post) => {
                    install_or_upgrade(script.unwrap_or_default(), upgrade.unwrap_or_default())
                }
                (true, script, _) => on_removal(script.unwrap_or_default()),
            };
            scriptlets.push((scriptlet, text));
        }
        for (flag, scriptlet) in [
            ("rpm-verifyscript", Scriptlet::Verify),
            ("rpm-posttrans", Scriptlet::Posttrans),
            ("rpm-pretrans", Scriptlet::Pretrans),
        ] {
            let kept = self.draft.extra.get(flag).and_then(|texts| texts.first()).cloned();
            let given = line_script(flag, context)?;
            scriptlets.extend(given.or(kept).map(|text| (scriptlet, text)));
        }
        Ok(scriptlets)
    }

    /// With rpm's form of a date.
    fn changelog(&self, context: &Context<'_>) -> Result<String> {
        if let Some(file) = context.line.one("rpm-changelog") {
            return read_text(&named(context.environment, file));
        }
        let date = context.time.strftime("%a %b %e %Y")?;
        let dist = self.dist.as_deref().map(|dist| format!(".{dist}")).unwrap_or_default();
        let maintainer = &self.draft.maintainer;
        Ok(format!("* {date}  {maintainer} - {}{dist}\n- Package created with FPM\n", self.full_version))
    }

    fn describe(&self, metadata: &mut Metadata, options: &mut Options, context: &Context<'_>) -> Result<()> {
        let (line, draft) = (context.line, &self.draft);
        metadata.name = packhouse_package::PackageName::new(draft.name())?;
        let epoch = draft.epoch.as_deref().map(|epoch| {
            epoch.parse::<u32>().map_err(|_| anyhow::anyhow!("--epoch '{epoch}' is not a whole number"))
        });
        metadata.version = Version {
            epoch: epoch.transpose()?,
            version: draft.version().to_owned(),
            release: draft.iteration.clone(),
            elements: None,
        };
        if !draft.description.trim().is_empty() {
            metadata.description = description(&draft.description);
        }
        if metadata.homepage.is_none() {
            metadata.homepage = Some("http://nourlgiven.example.com/".into());
        }
        let read = |list: &[String]| list.iter().filter_map(|given| Relation::parse(given)).collect();
        let relations = &mut metadata.relations;
        if !line.is_on("no-depends") {
            relations.depends = read(&draft.relations.depends);
        }
        relations.provides = read(&draft.relations.provides);
        relations.conflicts = read(&draft.relations.conflicts);
        relations.replaces = read(&draft.relations.replaces);
        relations.recommends = read(&draft.relations.recommends);
        relations.suggests = read(&draft.relations.suggests);
        relations.enhances = read(&draft.relations.enhances);
        for tag in line.many("rpm-tag") {
            rpm_tags::apply(tag, metadata, options, context.log)?;
        }
        Ok(())
    }
}

fn has_contents(tree: &FileTree, directory: &PackagePath) -> bool {
    tree.has_entries_below(directory)
}

/// `%pre` and `%post`, called with the number of versions that will be installed; the functions have fpm's names.
fn install_or_upgrade(install: &str, upgrade: &str) -> String {
    function("upgrade", upgrade)
        + &function("_install", install)
        + "if [ \"${1}\" -eq 1 ]\nthen\n    _install\nelif [ \"${1}\" -gt 1 ]\nthen\n    upgrade\nfi\n"
}

/// `%preun` and `%postun`, for the last version only.
fn on_removal(script: &str) -> String {
    format!("if [ \"${{1}}\" -eq 0 ]\nthen\n    :\n{}\nfi\n", script.trim_end_matches('\n'))
}

fn line_script(flag: &str, context: &Context<'_>) -> Result<Option<String>> {
    let Some(file) = context.line.one(flag) else { return Ok(None) };
    let path = named(context.environment, file);
    if !path.exists() {
        context.log.error(format!(
            "No such file (for {}): {:?}",
            flag.replace('-', "_"),
            path.display().to_string()
        ));
        return Err(Failure::Said);
    }
    Ok(Some(read_text(&path)?))
}

/// Blank lines become ` .`, several of them one.
fn description(text: &str) -> String {
    let mut lines: Vec<&str> = Vec::new();
    for line in text.trim_end_matches('\n').split('\n') {
        match line.trim().is_empty() {
            true if lines.last() == Some(&" .") => {}
            true => lines.push(" ."),
            false => lines.push(line),
        }
    }
    lines.join("\n")
}

fn prefix(line: &CommandLine) -> String {
    match line.one("prefix") {
        Some(prefix) if prefix.starts_with('/') && prefix.len() > 1 => {
            prefix.strip_suffix('/').unwrap_or(prefix).to_owned()
        }
        _ => "/".into(),
    }
}

fn digest(line: &CommandLine) -> Result<FileDigest> {
    Ok(match line.one("rpm-digest").unwrap_or("md5").to_lowercase().as_str() {
        "md5" => FileDigest::Md5,
        "sha1" => FileDigest::Sha1,
        "sha256" => FileDigest::Sha256,
        "sha384" => FileDigest::Sha384,
        "sha512" => FileDigest::Sha512,
        other => {
            return Err(anyhow::anyhow!(
                "Unknown digest algorithm '{other}'. Valid options include: md5, sha1, sha256, sha384, sha512"
            )
            .into());
        }
    })
}

fn compression(line: &CommandLine) -> Result<packhouse_package::archive::compress::Compression> {
    let kind = line.one("rpm-compression").unwrap_or("gzip").to_lowercase();
    super::compression(&kind, super::level("rpm-compression-level", line)?, 9)
}

/// Definitions are rpmbuild's; in practice nearly all switch off what Packhouse never does.
fn check_defines(line: &CommandLine, log: &Log<'_>) {
    const HARMLESS: [&str; 10] = [
        "_build_id_links",
        "_use_internal_dependency_generator",
        "__os_install_post",
        "debug_package",
        "__strip",
        "_missing_build_ids_terminate_build",
        "_enable_debug_packages",
        "__jar_repack",
        "__brp_mangle_shebangs",
        "_buildhost",
    ];
    for define in line.many("rpm-rpmbuild-define") {
        let name = define.split_whitespace().next().unwrap_or_default();
        if !HARMLESS.contains(&name) {
            log.warn(format!(
                "--rpm-rpmbuild-define '{define}' is for rpmbuild, which Packhouse does not use; it has no effect"
            ));
        }
    }
}

fn set_modes(tree: &mut FileTree, line: &CommandLine) -> Result<()> {
    let mode = |flag: &str| match line.one(flag).filter(|mode| *mode != "-") {
        None => Ok(None),
        Some(text) => u16::from_str_radix(text, 8)
            .map(Some)
            .map_err(|_| anyhow::anyhow!("--{flag} '{text}' is no mode")),
    };
    let (files, directories) = (mode("rpm-defattrfile")?, mode("rpm-defattrdir")?);
    for (_, entry) in tree.iter_mut() {
        let given = match &entry.kind {
            packhouse_package::Kind::File { .. } => files,
            packhouse_package::Kind::Directory => directories,
            _ => None,
        };
        entry.mode = given.unwrap_or(entry.mode);
    }
    if let (true, given) = (line.is_on("rpm-use-file-permissions"), ["rpm-user", "rpm-group"]) {
        for (flag, is_user) in given.into_iter().zip([true, false]) {
            let Some(name) = line.one(flag) else { continue };
            for (_, entry) in tree.iter_mut() {
                *(if is_user { &mut entry.owner.user } else { &mut entry.owner.group }) =
                    name.to_owned().into();
            }
        }
    }
    Ok(())
}

/// `--rpm-attr MODE,USER,GROUP:PATH`.
fn set_attributes(tree: &mut FileTree, line: &CommandLine) -> Result<()> {
    let mut attributes: BTreeMap<&str, &str> = BTreeMap::new();
    for given in line.many("rpm-attr") {
        let (attribute, path) = given.split_once(':').unwrap_or(("", given));
        attributes.insert(path, attribute);
    }
    for (given, attribute) in attributes {
        let words: Vec<&str> = attribute.split(',').map(str::trim).collect();
        let [mode, user, group] = words[..] else {
            return Err(
                anyhow::anyhow!("--rpm-attr '{attribute}:{given}' is not MODE,USER,GROUP:PATH").into()
            );
        };
        let path = super::path(given)?;
        let Some(entry) = tree.entry_mut(&path) else { continue };
        if mode != "-" {
            entry.mode = u16::from_str_radix(mode, 8)
                .map_err(|_| anyhow::anyhow!("--rpm-attr '{attribute}:{given}': `{mode}` is no mode"))?;
        }
        let Entry { owner, .. } = entry;
        for (name, place) in [(user, &mut owner.user), (group, &mut owner.group)] {
            if name != "-" {
                *place = name.to_owned().into();
            }
        }
    }
    Ok(())
}

/// `[OPTIONS]PACKAGE, PACKAGE: FILE`; the only option is `-p INTERPRETER`.
fn triggers(
    flag: &str,
    given: &str,
    moment: TriggerMoment,
    options: &mut Options,
    environment: &crate::environment::Environment,
) -> Result<()> {
    let (option, rest) = match given.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((option, rest)) => (option.trim(), rest),
        None => ("", given),
    };
    let (packages, file) = rest
        .rsplit_once(": ")
        .ok_or_else(|| anyhow::anyhow!("Trigger '{flag}' definition can't be parsed ('{given}')"))?;
    let path = named(environment, file.trim());
    if !path.exists() {
        return Err(anyhow::anyhow!("File given for --{flag} does not exist ({file})").into());
    }
    let mut script = Script::shell(read_text(&path)?);
    if let Some(interpreter) = option.strip_prefix("-p ") {
        script = script.interpreted_by(interpreter.trim());
    }
    for package in packages.split(',') {
        let package = Relation::parse(package)
            .ok_or_else(|| anyhow::anyhow!("Trigger '{flag}' definition can't be parsed ('{given}')"))?;
        options.triggers.push(Trigger { moment, package, script: script.clone() });
    }
    Ok(())
}

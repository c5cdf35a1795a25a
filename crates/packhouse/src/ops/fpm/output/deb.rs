//! The output `deb`.

use std::collections::BTreeMap;
use std::path::Path;

use fs_err as fs;
use packhouse_package::archive::compress::Compression;
use packhouse_package::{Entry, Format, Mark, Options, Owner, PackagePath, Timestamp, deb};

use super::super::draft::{Draft, named, read_text};
use super::super::log::{Detail, Failure, Level, Log, Result};
use super::super::name::Tokens;
use super::deb_relation::{Fixed, fix_all, fix_provides, is_valid_provides};
use super::deb_scripts::Parts;
use super::{Context, Output};

pub(super) struct Deb {
    draft: Draft,
    full_version: String,
    /// What `!=` became.
    breaks: Vec<String>,
}

impl Deb {
    pub(super) fn new(mut draft: Draft, context: &Context<'_>) -> Result<Deb> {
        let log = context.log;
        let is_loose = context.line.is_on("deb-ignore-iteration-in-dependencies");
        let Fixed { relations, breaks } = fix_all(&draft.relations.depends, is_loose, log);
        draft.relations.depends = relations;
        draft.relations.provides =
            draft.relations.provides.iter().filter_map(|given| fix_provides(given, log)).collect();
        draft.name = Some(name(draft.name(), log));
        draft.version = Some(version(draft.version(), log)?);
        draft.architecture = architecture(&draft.architecture, context);
        let full_version = draft.full_version();
        Ok(Deb { draft, full_version, breaks })
    }
}

/// In lower case, without `_` and blanks.
fn name(given: &str, log: &Log<'_>) -> String {
    let lower = given.to_lowercase();
    if lower != given {
        let text = "Debian tools (dpkg/apt) don't do well with packages that use capital letters in the name. In some \
                    cases it will automatically downcase them, in others it will not. It is confusing. Best to not use \
                    any capital letters at all. I have downcased the package name for you just to be safe.";
        let details =
            vec![("oldname", Detail::Text(given.into())), ("fixedname", Detail::Text(lower.clone()))];
        log.say(Level::Warn, text, details);
    }
    if lower.contains('_') {
        log.info("Debian package names cannot include underscores; automatically converting to dashes");
    }
    if lower.contains(' ') {
        log.info("Debian package names cannot include spaces; automatically converting to dashes");
    }
    lower.replace(['_', ' '], "-")
}

/// Without a `v` in front of an otherwise good version.
fn version(given: &str, log: &Log<'_>) -> Result<String> {
    let is_good = |version: &str| {
        let rest = match version.split_once(':') {
            Some((epoch, rest)) if !epoch.is_empty() && epoch.bytes().all(|byte| byte.is_ascii_digit()) => {
                rest
            }
            _ => version,
        };
        !rest.is_empty() && rest.chars().all(|c| c.is_ascii_alphanumeric() || "+~.-".contains(c))
    };
    let mut version = given;
    if let Some(rest) = given.strip_prefix('v').filter(|rest| is_good(rest)) {
        log.warn(format!(
            "Debian 'Version' field needs to start with a digit. I was provided '{given}' which seems like it just has a 'v' prefix to an otherwise-valid Debian version, I'll remove the 'v' for you."
        ));
        version = rest;
    }
    if !is_good(version) {
        return Err(Failure::Configuration(format!(
            "The version looks invalid for Debian packages. Debian version field must contain only alphanumerics and . (period), + (plus), - (hyphen) or ~ (tilde). I have '{version}' which which isn't valid."
        )));
    }
    Ok(version.to_owned())
}

fn architecture(given: &str, context: &Context<'_>) -> String {
    match given {
        "native" | "" => super::native(&context.environment.machine, Format::Deb),
        "x86_64" => "amd64".into(),
        "aarch64" => "arm64".into(),
        "noarch" => "all".into(),
        "ppc64le" => "ppc64el".into(),
        other => other.into(),
    }
}

impl Output for Deb {
    fn tokens(&self) -> Tokens<'_> {
        super::tokens(&self.draft, "deb", &self.full_version)
    }

    fn default_name(&self) -> &str {
        "NAME_FULLVERSION_ARCH.EXTENSION"
    }

    fn write(mut self: Box<Self>, path: &Path, shown: &str, context: &Context<'_>) -> Result<()> {
        let (line, log) = (context.line, context.log);
        self.check_provides(log)?;
        self.put_units(context)?;
        let after_purge =
            line.one("deb-after-purge").map(|script| read_text(&named(context.environment, script)));
        let after_purge = after_purge.transpose()?;
        let units: Vec<String> = self.units(context)?;
        let parts = Parts {
            scripts: &self.draft.scripts,
            after_purge: after_purge.as_deref(),
            units: &units,
            enables: line.is_on("deb-systemd-enable"),
            starts: line.is_on("deb-systemd-auto-start"),
            restarts: line.switch("deb-systemd-restart-after-upgrade").unwrap_or(true),
            checks_errors: line.is_on("deb-maintainerscripts-force-errorchecks"),
            has_shlibs: line.has("deb-shlibs"),
        };
        if parts.is_generated() {
            log.bare("Adding action files");
        }
        let mut members: BTreeMap<String, (u16, Vec<u8>)> = parts
            .generate()
            .into_iter()
            .map(|(name, text)| (name.to_owned(), (0o755, text.into_bytes())))
            .collect();
        self.put_changelogs(context)?;
        let services = self.put_services(context)?;
        self.draft.files.complete();
        let size = match line.one("deb-installed-size") {
            // As Ruby's `to_i`.
            Some(size) => size.trim().parse().unwrap_or(0),
            None => self.draft.files.iter().map(|(_, entry)| super::size(entry)).sum::<u64>() / 1024,
        };
        members.insert("control".into(), (0o644, self.control(size, context)?.into_bytes()));
        if let Some(text) = line.one("deb-shlibs") {
            members.insert("shlibs".into(), (0o644, text.into()));
        }
        let conffiles = self.conffiles(services, context)?;
        if !conffiles.is_empty() {
            let lines = conffiles.iter().flat_map(|path| [b"/", path.as_bytes(), b"\n"].concat());
            members.insert("conffiles".into(), (0o644, lines.collect()));
        }
        for (flag, member, mode) in [("deb-config", "config", 0o755), ("deb-templates", "templates", 0o644)] {
            if let Some(file) = line.one(flag) {
                members.insert(member.into(), (mode, fs::read(named(context.environment, file))?));
            }
        }
        for file in line.many("deb-meta-file") {
            let bytes = fs::read(named(context.environment, file))?;
            members.insert(super::base_name(file), (0o644, bytes));
        }
        put_triggers(&mut members, context);

        if line.is_on("deb-use-file-permissions") {
            super::keep_owners(&mut self.draft.files);
        } else {
            super::forget_owners(&mut self.draft.files);
        }
        let options = self.options(members, context)?;
        let files = std::mem::take(&mut self.draft.files);
        let package = super::package(&self.draft, files, options, context.time);
        super::write_package(Format::Deb, &package, path)?;
        if line.is_on("deb-generate-changes") {
            super::super::changes::write(&self.control_values(context), shown, path, context)?;
        }
        Ok(())
    }
}

impl Deb {
    fn check_provides(&self, log: &Log<'_>) -> Result<()> {
        match self.draft.relations.provides.iter().find(|provides| !is_valid_provides(provides)) {
            None => Ok(()),
            Some(wrong) => {
                log.error(format!("Invalid relationship field for debian package: {wrong}"));
                Err(Failure::Configuration(format!(
                    "Found invalid Provides field values ({wrong:?}). This is not valid in a Debian package."
                )))
            }
        }
    }

    /// The names of `--deb-systemd`'s units.
    fn units(&self, context: &Context<'_>) -> Result<Vec<String>> {
        let unit = |file: &str| {
            let name = super::base_name(file);
            match name.rfind('.').filter(|at| *at > 0) {
                None => Ok(format!("{name}.service")),
                // Every kind of unit that systemd installs; fpm 1.17.0 knows the first two.
                Some(at) => match &name[at..] {
                    ".service" | ".timer" | ".socket" | ".path" | ".mount" | ".automount" | ".target"
                    | ".swap" | ".slice" => Ok(name),
                    other => Err(Failure::Configuration(format!(
                        "Invalid systemd unit file extension: {other}. Expected .service or .timer, or no extension."
                    ))),
                },
            }
        };
        context.line.many("deb-systemd").map(unit).collect()
    }

    fn put_units(&mut self, context: &Context<'_>) -> Result<()> {
        let directory = context.line.one("deb-systemd-path").unwrap_or("lib/systemd/system");
        let units = self.units(context)?;
        for (file, unit) in context.line.many("deb-systemd").zip(units) {
            let bytes = fs::read(named(context.environment, file))?;
            self.draft
                .files
                .insert(super::path(format!("{directory}/{unit}"))?, Entry::bytes(bytes, 0o644))?;
        }
        Ok(())
    }

    /// `changelog.Debian.gz`, and upstream's `changelog.gz`; without one of upstream's, the first has its name.
    fn put_changelogs(&mut self, context: &Context<'_>) -> Result<()> {
        let read = |flag: &str| context.line.one(flag).map(|file| fs::read(named(context.environment, file)));
        let directory = format!("usr/share/doc/{}", self.draft.name());
        let (debian, upstream) =
            (format!("{directory}/changelog.Debian.gz"), format!("{directory}/changelog.gz"));
        let own = read("deb-changelog").transpose()?;
        let upstreams = read("deb-upstream-changelog").transpose()?;
        let has = |path: &str| super::path(path).is_ok_and(|path| self.draft.files.entry(&path).is_some());
        if context.from == "deb" && own.is_none() && upstreams.is_none() && (has(&debian) || has(&upstream)) {
            // The package that came in has its own.
            return Ok(());
        }
        let own = own.unwrap_or_else(|| self.changelog(context).into_bytes());
        let mut put = |path: &str, text: &[u8]| -> Result<()> {
            let entry = Entry { mark: Mark::NotConfig, ..Entry::bytes(gzip(text)?, 0o644) };
            Ok(self.draft.files.insert(super::path(path)?, entry)?)
        };
        match upstreams {
            Some(upstreams) => {
                put(&debian, &own)?;
                put(&upstream, &upstreams)
            }
            None => put(&upstream, &own),
        }
    }

    fn changelog(&self, context: &Context<'_>) -> String {
        let distribution = context.line.one("deb-dist").unwrap_or("unstable");
        format!(
            "{} ({}) {distribution}; urgency=medium\n\n  * Package created with FPM.\n\n -- {}  {}\n",
            self.draft.name(),
            self.whole_version(),
            self.draft.maintainer,
            context.time.to_rfc2822(),
        )
    }

    /// With the epoch.
    fn whole_version(&self) -> String {
        match &self.draft.epoch {
            Some(epoch) => format!("{epoch}:{}", self.full_version),
            None => self.full_version.clone(),
        }
    }

    /// `--deb-init`, `--deb-default`, `--deb-upstart`: their paths.
    fn put_services(&mut self, context: &Context<'_>) -> Result<Vec<PackagePath>> {
        let files = &mut self.draft.files;
        let mut paths = Vec::new();
        for init in context.line.many("deb-init") {
            paths.push(super::put_file(files, init, ("etc/init.d", ".init"), 0o755, context)?);
        }
        for default in context.line.many("deb-default") {
            paths.push(super::put_file(files, default, ("etc/default", ".default"), 0o644, context)?);
        }
        for upstart in context.line.many("deb-upstart") {
            let base = super::base_name(upstart);
            let name = base.strip_suffix(".upstart").unwrap_or(&base);
            let name = name.strip_suffix(".conf").unwrap_or(name);
            let to = super::path(format!("etc/init/{name}.conf"))?;
            let bytes = fs::read(named(context.environment, upstart))?;
            files.insert(to.clone(), Entry::bytes(bytes, 0o644))?;
            files.insert(
                super::path(format!("etc/init.d/{name}"))?,
                Entry::symlink("/lib/init/upstart-job"),
            )?;
            paths.push(to);
        }
        Ok(paths)
    }

    /// The regular files below `/etc`, those that flags name, and services' own.
    fn conffiles(&mut self, services: Vec<PackagePath>, context: &Context<'_>) -> Result<Vec<PackagePath>> {
        let has_etc = self.draft.files.iter().any(|(path, _)| path.is_within("/etc"));
        let mut found = Vec::new();
        if has_etc && !context.line.is_on("deb-no-default-config-files") {
            context.log.warn(
                "Debian packaging tools generally labels all files in /etc as config files, as mandated by policy, so fpm defaults to this behavior for deb packages. You can disable this default behavior with --deb-no-default-config-files flag",
            );
            let etc =
                self.draft.files.iter().filter(|(path, entry)| entry.is_file() && path.is_within("/etc"));
            found.extend(etc.map(|(path, _)| path.clone()));
        }
        let missing = |given: &str| {
            Failure::Configuration(format!(
                "Error trying to use '{given}' as a config file in the package. Does it exist?"
            ))
        };
        found.extend(super::config_files(&mut self.draft.files, &self.draft.config_files, context, missing)?);
        if context.line.switch("deb-auto-config-files").unwrap_or(true) {
            found.extend(services);
        }
        found.sort();
        found.dedup();
        Ok(found)
    }

    fn control(&self, installed_size: u64, context: &Context<'_>) -> Result<String> {
        let (line, draft) = (context.line, &self.draft);
        if draft.epoch.is_some() {
            let epoch = Detail::Text(draft.epoch.clone().unwrap_or_default());
            context.log.say(Level::Warn, "epoch in Version is set", vec![("epoch", epoch)]);
        }
        if let Some(file) = line.one("deb-custom-control") {
            return read_text(&named(context.environment, file));
        }
        let is_loose = line.is_on("deb-ignore-iteration-in-dependencies");
        let fixed = |list: &[String]| {
            // What cannot be said was warned of when the depends were translated.
            fix_all(list, is_loose, context.log).relations.join(", ")
        };
        let flags = |flag: &str, list: &[String]| {
            let all: Vec<String> = list.iter().cloned().chain(line.list(flag)).collect();
            fixed(&all)
        };
        let relations = &draft.relations;
        let depends = match line.is_on("no-depends") {
            true => String::new(),
            false => relations.depends.join(", "),
        };
        let mut fields: Vec<(&str, String)> = vec![
            ("Package", draft.name().into()),
            ("Version", self.whole_version()),
            ("License", draft.license.replace('\n', " ")),
        ];
        fields.extend(
            draft.vendor.clone().filter(|vendor| !vendor.is_empty()).map(|vendor| ("Vendor", vendor)),
        );
        fields.extend([
            ("Architecture", draft.architecture.clone()),
            ("Maintainer", draft.maintainer.clone()),
            ("Installed-Size", installed_size.to_string()),
        ]);
        let lists = [
            ("Depends", depends),
            ("Conflicts", fixed(&relations.conflicts)),
            ("Breaks", self.breaks.join(", ")),
            ("Pre-Depends", flags("deb-pre-depends", &relations.pre_depends)),
            ("Build-Depends", flags("deb-build-depends", &[])),
            ("Provides", relations.provides.join(", ")),
            ("Replaces", fixed(&relations.replaces)),
            ("Recommends", flags("deb-recommends", &relations.recommends)),
            ("Suggests", flags("deb-suggests", &relations.suggests)),
            ("Enhances", fixed(&relations.enhances)),
        ];
        fields.extend(lists.into_iter().filter(|(_, list)| !list.is_empty()));
        fields.extend([
            ("Section", draft.category.clone()),
            ("Priority", line.one("deb-priority").unwrap_or("optional").into()),
            ("Homepage", draft.url.clone().unwrap_or_default()),
            ("Description", description(&draft.description)),
        ]);
        let mut extra: Vec<(String, String)> = Vec::new();
        let kept = draft.extra.get("deb-field").into_iter().flatten().map(String::as_str);
        for field in kept.chain(line.many("deb-field")) {
            let (name, value) = field.split_once(':').unwrap_or((field, ""));
            let value = value.trim_start().to_owned();
            match extra.iter_mut().find(|(known, _)| known == name) {
                Some(known) => known.1 = value,
                None => extra.push((name.to_owned(), value)),
            }
        }
        let mut text = String::new();
        let all = fields.iter().map(|(name, value)| (*name, value));
        for (name, value) in all.chain(extra.iter().map(|(name, value)| (name.as_str(), value))) {
            // Any other line break would start a field of its own.
            let value = if name == "Description" { value.clone() } else { value.replace('\n', "\n ") };
            text.push_str(&format!("{name}: {value}\n"));
        }
        Ok(text)
    }

    fn options(&self, members: BTreeMap<String, (u16, Vec<u8>)>, context: &Context<'_>) -> Result<Options> {
        let line = context.line;
        let kind = line.one("deb-compression").unwrap_or("gz");
        let default = if matches!(kind, "gz" | "bzip2") { 9 } else { 3 };
        let compression = super::compression(kind, super::level("deb-compression-level", line)?, default)?;
        let named = |flag: &str| line.one(flag).filter(|name| *name != "root");
        let (user, group) = (named("deb-user"), named("deb-group"));
        let keeps = line.is_on("deb-use-file-permissions");
        let owner = Owner::new(user.unwrap_or("root").to_owned(), group.unwrap_or("root").to_owned());
        let is_numeric = !keeps && user.is_none() && group.is_none();
        let deb = deb::Options {
            owner: (!keeps).then_some(owner),
            verbatim: Some(deb::Verbatim { members, is_numeric }),
            ..deb::Options::default()
        };
        Ok(Options { compression: Some(compression), deb, ..Options::default() })
    }

    fn control_values(&self, context: &Context<'_>) -> super::super::changes::Values {
        super::super::changes::Values {
            name: self.draft.name().to_owned(),
            version: self.whole_version(),
            architecture: self.draft.architecture.clone(),
            maintainer: self.draft.maintainer.clone(),
            distribution: context.line.one("deb-dist").unwrap_or("unstable").to_owned(),
            description: description(&self.draft.description),
            priority: context.line.one("deb-priority").unwrap_or("optional").to_owned(),
            date: Timestamp::to_rfc2822(context.time),
        }
    }
}

/// The first line, and the others as its continuation.
fn description(text: &str) -> String {
    let trimmed = text.trim_end_matches('\n');
    let mut lines = trimmed.split('\n');
    let mut folded = lines.next().unwrap_or_default().to_owned();
    for line in lines {
        match line.bytes().all(|byte| byte == b' ') {
            true => folded.push_str("\n ."),
            false => folded.push_str(&format!("\n {line}")),
        }
    }
    folded
}

/// `triggers`, behind what a file of `--deb-meta-file` says.
fn put_triggers(members: &mut BTreeMap<String, (u16, Vec<u8>)>, context: &Context<'_>) {
    let mut lines = String::new();
    for directive in ["interest", "activate", "interest-noawait", "activate-noawait"] {
        for event in context.line.many(&format!("deb-{directive}")) {
            lines.push_str(&format!("{directive} {event}\n"));
        }
    }
    if !lines.is_empty() {
        let (_, text) = members.entry("triggers".into()).or_insert_with(|| (0o644, Vec::new()));
        if !text.is_empty() && !text.ends_with(b"\n") {
            text.push(b'\n');
        }
        text.extend(lines.into_bytes());
    }
}

/// At the hardest level, on one thread.
fn gzip(text: &[u8]) -> Result<Vec<u8>> {
    Ok(Compression::Gzip(9).whole(text)?)
}

//! A package before it has a format: what fpm calls a package, filled by an input and by flags.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use fs_err as fs;
use packhouse_package::{FileTree, Moment, Timestamp};
use packhouse_project::fpm::{CommandLine, template};

use super::log::{Failure, Log, Result};
use crate::environment::{DEBEMAIL, DEBFULLNAME, Environment, USER};

/// A package without a format.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    pub(super) name: Option<String>,
    pub(super) version: Option<String>,
    pub(super) epoch: Option<String>,
    pub(super) iteration: Option<String>,
    /// Any word; `native` for this machine's.
    pub(super) architecture: String,
    pub(super) maintainer: String,
    pub(super) vendor: Option<String>,
    pub(super) url: Option<String>,
    pub(super) category: String,
    pub(super) license: String,
    /// Its first line is the summary.
    pub(super) description: String,
    pub(super) relations: Relations,
    /// Configuration files and directories of them.
    pub(super) config_files: Vec<String>,
    /// Directories that an rpm owns.
    pub(super) directories: Vec<String>,
    pub(super) scripts: BTreeMap<Moment, String>,
    pub(super) files: FileTree,
    /// Texts that only the input's own format had a place for, by the flag that gives them.
    pub(super) extra: BTreeMap<&'static str, Vec<String>>,
}

/// Relations in fpm's form, `name op version`, or in the output's own.
#[derive(Clone, Debug, Default)]
pub(super) struct Relations {
    pub(super) depends: Vec<String>,
    pub(super) pre_depends: Vec<String>,
    pub(super) recommends: Vec<String>,
    pub(super) suggests: Vec<String>,
    pub(super) enhances: Vec<String>,
    pub(super) provides: Vec<String>,
    pub(super) conflicts: Vec<String>,
    pub(super) replaces: Vec<String>,
}

/// fpm's default; a flag with this value is as good as none.
const NO_DESCRIPTION: &str = "no description";
const NO_URL: &str = "http://example.com/no-uri-given";

/// The flags of scripts, with their old names.
const SCRIPTS: [(Moment, &str, Option<&str>); 6] = [
    (Moment::BeforeInstall, "before-install", Some("pre-install")),
    (Moment::AfterInstall, "after-install", Some("post-install")),
    (Moment::BeforeRemove, "before-remove", Some("pre-uninstall")),
    (Moment::AfterRemove, "after-remove", Some("post-uninstall")),
    (Moment::BeforeUpgrade, "before-upgrade", None),
    (Moment::AfterUpgrade, "after-upgrade", None),
];

impl Draft {
    /// A package that nothing is said of yet.
    pub(super) fn new(environment: &Environment) -> Draft {
        Draft {
            name: None,
            version: None,
            epoch: None,
            iteration: None,
            architecture: "native".into(),
            maintainer: maintainer(environment),
            vendor: Some("none".into()),
            url: None,
            category: "default".into(),
            license: "unknown".into(),
            description: "no description given".into(),
            relations: Relations::default(),
            config_files: Vec::new(),
            directories: Vec::new(),
            scripts: BTreeMap::new(),
            files: FileTree::new(),
            extra: BTreeMap::new(),
        }
    }

    /// What the flags say wins over what the input says.
    pub(super) fn apply(
        &mut self,
        line: &CommandLine,
        environment: &Environment,
        log: &Log<'_>,
    ) -> Result<()> {
        let given = |flag: &str| line.one(flag).map(str::to_owned);
        let filled = |flag: &str| given(flag).filter(|value| !value.is_empty());
        self.name = given("name").or(self.name.take());
        self.version = given("version").or(self.version.take());
        // Empty ones stand for none: scripts write `--iteration "$ITERATION"`.
        self.epoch = filled("epoch").or(self.epoch.take());
        self.iteration = filled("iteration").or(self.iteration.take());
        self.url = given("url").or(self.url.take()).or(Some(NO_URL.into()));
        self.vendor = given("vendor").or(self.vendor.take());
        for (flag, value, default) in [
            ("architecture", &mut self.architecture, None),
            ("maintainer", &mut self.maintainer, None),
            ("license", &mut self.license, None),
            // fpm takes a flag with its default value for one that was not given.
            ("category", &mut self.category, Some("none")),
            ("description", &mut self.description, Some(NO_DESCRIPTION)),
        ] {
            if let Some(text) = line.one(flag).filter(|text| Some(*text) != default) {
                *value = text.to_owned();
            }
        }
        for (flag, list) in [
            ("depends", &mut self.relations.depends),
            ("provides", &mut self.relations.provides),
            ("conflicts", &mut self.relations.conflicts),
            ("replaces", &mut self.relations.replaces),
            ("config-files", &mut self.config_files),
            ("directories", &mut self.directories),
        ] {
            list.extend(line.list(flag));
        }
        self.read_scripts(line, environment, log)?;
        if self.name.as_deref().unwrap_or_default().is_empty() {
            log.fatal("No name given for this package (set name with '-n', for example, '-n packagename')");
            return Err(Failure::Said);
        }
        Ok(())
    }

    fn read_scripts(&mut self, line: &CommandLine, environment: &Environment, log: &Log<'_>) -> Result<()> {
        let mut is_missing = false;
        for (moment, flag, old_name) in SCRIPTS {
            let Some(path) = line.one(flag).or_else(|| line.one(old_name?)) else { continue };
            let path = environment.current_directory.join(path);
            if !path.exists() {
                let what = flag.replace('-', "_");
                log.error(format!("No such file (for {what}): {:?}", path.display().to_string()));
                is_missing = true;
                continue;
            }
            self.scripts.insert(moment, read_text(&path)?);
        }
        if is_missing { Err(Failure::Said) } else { Ok(()) }
    }

    /// The version; every package has one by now.
    pub(super) fn version(&self) -> &str {
        self.version.as_deref().unwrap_or("1.0")
    }

    pub(super) fn name(&self) -> &str {
        self.name.as_deref().unwrap_or_default()
    }

    /// `version[-iteration]`.
    pub(super) fn full_version(&self) -> String {
        match &self.iteration {
            Some(iteration) => format!("{}-{iteration}", self.version()),
            None => self.version().to_owned(),
        }
    }

    /// Fills in `<%= name %>` and its like, where that is asked for.
    pub(super) fn fill_in_scripts(&mut self, line: &CommandLine) -> Result<()> {
        if !line.is_on("template-scripts") && !line.has("template-value") {
            return Ok(());
        }
        let mut values: BTreeMap<String, String> = [
            ("name", self.name().to_owned()),
            ("version", self.version().to_owned()),
            ("iteration", self.iteration.clone().unwrap_or_default()),
            ("epoch", self.epoch.clone().unwrap_or_default()),
            ("architecture", self.architecture.clone()),
            ("maintainer", self.maintainer.clone()),
            ("vendor", self.vendor.clone().unwrap_or_default()),
            ("license", self.license.clone()),
            ("category", self.category.clone()),
            ("url", self.url.clone().unwrap_or_default()),
            ("description", self.description.clone()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        // `attributes[:prefix]`: every flag with a value, by its name in Ruby.
        for (flag, value) in line.values() {
            values.entry(flag.replace('-', "_")).or_insert_with(|| value.to_owned());
        }
        for given in line.many("template-value") {
            let (name, value) = given.split_once('=').unwrap_or((given, ""));
            values.insert(name.to_owned(), value.to_owned());
        }
        for (moment, script) in &mut self.scripts {
            let rendered = template::render(script, &values).map_err(|(expression, at)| {
                let number = script[..at].matches('\n').count() + 1;
                let known: Vec<&str> = values.keys().map(String::as_str).collect();
                anyhow::anyhow!(
                    "the script {} has a template that Packhouse does not fill in, in line {number}: `{expression}`; \
                     it fills in `<%= name %>` and `<%= attributes[:name] %>` with one of {}; give others by \
                     --template-value NAME=VALUE",
                    moment.name(),
                    known.join(", ")
                )
            })?;
            *script = rendered;
        }
        Ok(())
    }

    /// The newest time of a file.
    pub(super) fn newest(&self) -> Option<Timestamp> {
        self.files.iter().filter_map(|(_, entry)| entry.inherited.modified).max()
    }
}

/// `DEBFULLNAME <DEBEMAIL>`, else the user at this host.
fn maintainer(environment: &Environment) -> String {
    match (environment.get(DEBFULLNAME), environment.get(DEBEMAIL)) {
        (Some(name), Some(address)) => format!("{name} <{address}>"),
        _ => format!("<{}@{}>", environment.get(USER).unwrap_or_default(), environment.host),
    }
}

/// A text file.
pub(super) fn read_text(path: &Path) -> Result<String> {
    let bytes = fs::read(path)?;
    String::from_utf8(bytes).map_err(|_| anyhow::anyhow!("{} is not UTF-8 text", path.display()).into())
}

/// The path of a file that a flag names.
pub(super) fn named(environment: &Environment, path: &str) -> PathBuf {
    environment.current_directory.join(path)
}

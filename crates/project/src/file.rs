//! What the user wrote in `dist/packhouse.toml`, and in a target's `target.toml` that overrides it.
//!
//! Every value keeps its place, so that whatever is found wrong with it later can be shown in the file.

use std::collections::BTreeMap;

use crate::reader::{Document, Section};
use crate::{Place, Problem, Problems, SourceFile};

pub use crate::reader::Located;

/// The settings of a project file. All are optional here: what must be there is known only when a target's
/// own settings have been laid over the shared ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProjectFile {
    /// One-line texts and the description.
    pub texts: Texts,
    /// Lists of relations and paths.
    pub lists: Lists,
    /// `[version]`
    pub version: VersionSettings,
    /// `[build]`
    pub build: BuildSettings,
    /// `[[files]]`
    pub files: Option<Vec<FileSettings>>,
    /// `[package]`
    pub package: PackageSettings,
    /// `[services]`
    pub services: ServiceSettings,
    /// `[[accounts]]`
    pub accounts: Option<Vec<AccountSettings>>,
    /// `[deb]`
    pub deb: DebSettings,
    /// `[rpm]`
    pub rpm: RpmSettings,
    /// `[base-image] repository`
    pub base_image: Option<Located<String>>,
    /// `[sign]`
    pub sign: SignSettings,
    /// `[publish]`
    pub publish: PublishSettings,
    /// `[channels]`
    pub channels: Option<BTreeMap<String, ChannelSettings>>,
    /// `[apk]`
    pub apk: ApkSettings,
}

macro_rules! settings {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty = $read:ident($key:literal)),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        #[expect(missing_docs, reason = "the fields are the keys, documented in docs/reference/packhouse-toml.md")]
        pub struct $name { $($(#[$field_doc])* pub $field: Option<$type>),* }

        impl $name {
            fn read(section: &mut Section<'_>) -> $name {
                $name { $($field: section.$read($key)),* }
            }

            fn over(self, base: $name) -> $name {
                $name { $($field: self.$field.or(base.$field)),* }
            }
        }
    };
}

settings! {
    /// One-line texts and the description.
    Texts {
        name: Located<String> = string("name"),
        summary: Located<String> = string("summary"),
        description: Located<String> = string("description"),
        homepage: Located<String> = string("homepage"),
        vendor: Located<String> = string("vendor"),
        maintainer: Located<String> = string("maintainer"),
        license: Located<String> = string("license"),
        category: Located<String> = string("category"),
        architecture: Located<String> = string("architecture"),
    }
}

settings! {
    /// Lists of relations and paths.
    Lists {
        depends: Vec<Located<String>> = strings("depends"),
        pre_depends: Vec<Located<String>> = strings("pre-depends"),
        recommends: Vec<Located<String>> = strings("recommends"),
        suggests: Vec<Located<String>> = strings("suggests"),
        enhances: Vec<Located<String>> = strings("enhances"),
        provides: Vec<Located<String>> = strings("provides"),
        conflicts: Vec<Located<String>> = strings("conflicts"),
        replaces: Vec<Located<String>> = strings("replaces"),
        config_files: Vec<Located<String>> = strings("config-files"),
        exclude: Vec<Located<String>> = strings("exclude"),
    }
}

settings! {
    /// `[version]`: where the version comes from and how a package is tagged.
    VersionSettings {
        from: Located<String> = string("from"),
        literal: Located<String> = string("literal"),
        format: Located<String> = string("format"),
        epoch: Located<i64> = integer("epoch"),
        release: Located<String> = string("release"),
    }
}

settings! {
    /// `[build]`: how the project is built.
    BuildSettings {
        engine: Located<String> = string("engine"),
        commands: Vec<Located<String>> = strings("commands"),
        environment: BTreeMap<String, Located<String>> = string_map("environment"),
        caches: Vec<Located<String>> = strings("caches"),
        secrets: BTreeMap<String, Located<String>> = string_map("secrets"),
    }
}

settings! {
    /// `[package]`: how packages are written.
    PackageSettings {
        compression: Located<String> = string("compression"),
        compression_level: Located<i64> = integer("compression-level"),
        changelog: Located<String> = string("changelog"),
    }
}

settings! {
    /// `[services]`: the package's units, and what becomes of them.
    ServiceSettings {
        units: Vec<Located<String>> = strings("units"),
        enable: Located<bool> = boolean("enable"),
        start: Located<bool> = boolean("start"),
        restart_after_upgrade: Located<bool> = boolean("restart-after-upgrade"),
    }
}

settings! {
    /// `[deb]`: what only a deb can say.
    DebSettings {
        triggers: Vec<Located<String>> = strings("triggers"),
    }
}

settings! {
    /// `[rpm]`: what only an rpm can say.
    RpmSettings {
        format: Located<i64> = integer("format"),
        triggers: Vec<TriggerSettings> = triggers("triggers"),
    }
}

settings! {
    /// `[sign]`: who signs, and who may.
    SignSettings {
        key: Located<String> = string("key"),
        key_file: Located<String> = string("key-file"),
        passphrase_file: Located<String> = string("passphrase-file"),
        keyring: Located<String> = string("keyring"),
        apk_key: Located<String> = string("apk-key"),
        apk_key_name: Located<String> = string("apk-key-name"),
        command: Vec<Located<String>> = words("command"),
        command_input: Located<String> = string("command-input"),
        command_timeout: Located<i64> = integer("command-timeout"),
        command_environment: Vec<Located<String>> = strings("command-environment"),
        retiring_key: Located<String> = string("retiring-key"),
        retiring_key_file: Located<String> = string("retiring-key-file"),
        retiring_passphrase_file: Located<String> = string("retiring-passphrase-file"),
        retiring_days: Located<i64> = integer("retiring-days"),
    }
}

settings! {
    /// `[publish]`: where the distribution site is.
    PublishSettings {
        to: Located<String> = string("to"),
        public_url: Located<String> = string("public-url"),
        cloudfront: Located<String> = string("cloudfront"),
    }
}

settings! {
    /// A channel of `[channels]`: what is published to it.
    ChannelSettings {
        branches: Vec<Located<String>> = strings("branches"),
        tags: Vec<Located<String>> = strings("tags"),
    }
}

settings! {
    /// `[apk]`: what only an apk can say.
    ApkSettings {
        provider_priority: Located<i64> = integer("provider-priority"),
        replaces_priority: Located<i64> = integer("replaces-priority"),
        install_if: Vec<Located<String>> = strings("install-if"),
        trigger: Located<String> = string("trigger"),
        trigger_directories: Vec<Located<String>> = strings("trigger-directories"),
    }
}

impl Lists {
    /// Every relation and path.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Located<String>> {
        let lists = [
            &self.depends,
            &self.pre_depends,
            &self.recommends,
            &self.suggests,
            &self.enhances,
            &self.provides,
            &self.conflicts,
            &self.replaces,
            &self.config_files,
            &self.exclude,
        ];
        lists.into_iter().flatten().flatten()
    }
}

/// One of `[[files]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the keys, documented in docs/reference/packhouse-toml.md")]
pub struct FileSettings {
    pub place: Place,
    pub source: Option<Located<String>>,
    pub destination: Option<Located<String>>,
    pub mode: Option<Located<String>>,
    pub kind: Option<Located<String>>,
    pub owner: Option<Located<String>>,
    pub group: Option<Located<String>>,
    pub capabilities: Option<Located<String>>,
}

/// One of `[[accounts]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the keys, documented in docs/reference/packhouse-toml.md")]
pub struct AccountSettings {
    pub place: Place,
    pub name: Option<Located<String>>,
    pub kind: Option<Located<String>>,
    pub comment: Option<Located<String>>,
    pub home: Option<Located<String>>,
    pub shell: Option<Located<String>>,
    pub groups: Option<Vec<Located<String>>>,
}

/// One of `[[rpm.triggers]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the keys, documented in docs/reference/packhouse-toml.md")]
pub struct TriggerSettings {
    pub place: Place,
    pub when: Option<Located<String>>,
    pub package: Option<Located<String>>,
    pub paths: Option<Vec<Located<String>>>,
    pub script: Option<Located<String>>,
    pub priority: Option<Located<i64>>,
    pub once: Option<Located<bool>>,
}

impl ProjectFile {
    /// Reads a file's text; a part that is wrong is reported and left out.
    pub fn parse(file: SourceFile) -> (ProjectFile, Problems) {
        Document::new(file).read(ProjectFile::read)
    }

    fn read(section: &mut Section<'_>) -> ProjectFile {
        ProjectFile {
            texts: Texts::read(section),
            lists: Lists::read(section),
            version: section.table("version", VersionSettings::read).unwrap_or_default(),
            build: section.table("build", BuildSettings::read).unwrap_or_default(),
            files: section.tables("files", FileSettings::read),
            package: section.table("package", PackageSettings::read).unwrap_or_default(),
            services: section.table("services", ServiceSettings::read).unwrap_or_default(),
            accounts: section.tables("accounts", AccountSettings::read),
            deb: section.table("deb", DebSettings::read).unwrap_or_default(),
            rpm: section.table("rpm", RpmSettings::read).unwrap_or_default(),
            base_image: section.table("base-image", |image| image.string("repository")).flatten(),
            sign: section.table("sign", SignSettings::read).unwrap_or_default(),
            publish: section.table("publish", PublishSettings::read).unwrap_or_default(),
            channels: section.table("channels", |channels| channels.named_tables(ChannelSettings::read)),
            apk: section.table("apk", ApkSettings::read).unwrap_or_default(),
        }
    }

    /// These settings laid over `base`: a key that is set here hides the same key there.
    #[must_use]
    pub fn over(self, mut base: ProjectFile) -> ProjectFile {
        if self.version.from.is_some() || self.version.literal.is_some() {
            // A version comes from one place: either key hides both.
            base.version.from = None;
            base.version.literal = None;
        }
        ProjectFile {
            texts: self.texts.over(base.texts),
            lists: self.lists.over(base.lists),
            version: self.version.over(base.version),
            build: self.build.over(base.build),
            files: self.files.or(base.files),
            package: self.package.over(base.package),
            services: self.services.over(base.services),
            accounts: self.accounts.or(base.accounts),
            deb: self.deb.over(base.deb),
            rpm: self.rpm.over(base.rpm),
            base_image: self.base_image.or(base.base_image),
            sign: self.sign.over(base.sign),
            publish: self.publish.over(base.publish),
            channels: channels_over(self.channels, base.channels),
            apk: self.apk.over(base.apk),
        }
    }
}

impl ProjectFile {
    /// The keys that are the whole project's, where they are set: a site, its keys and its channels cannot
    /// differ by target.
    pub(crate) fn keys_of_the_project(&self) -> Vec<(String, &Place)> {
        let (sign, publish) = (&self.sign, &self.publish);
        let singles = [
            ("sign.key", &sign.key),
            ("sign.key-file", &sign.key_file),
            ("sign.passphrase-file", &sign.passphrase_file),
            ("sign.keyring", &sign.keyring),
            ("sign.apk-key", &sign.apk_key),
            ("sign.apk-key-name", &sign.apk_key_name),
            ("sign.command-input", &sign.command_input),
            ("sign.retiring-key", &sign.retiring_key),
            ("sign.retiring-key-file", &sign.retiring_key_file),
            ("sign.retiring-passphrase-file", &sign.retiring_passphrase_file),
            ("publish.to", &publish.to),
            ("publish.public-url", &publish.public_url),
            ("publish.cloudfront", &publish.cloudfront),
        ];
        let singles =
            singles.into_iter().filter_map(|(key, value)| Some((key.to_owned(), &value.as_ref()?.place)));
        let timeout =
            sign.command_timeout.iter().map(|limit| ("sign.command-timeout".to_owned(), &limit.place));
        let days = sign.retiring_days.iter().map(|days| ("sign.retiring-days".to_owned(), &days.place));
        let words =
            [("sign.command", &sign.command), ("sign.command-environment", &sign.command_environment)];
        let words = words
            .into_iter()
            .filter_map(|(key, words)| Some((key.to_owned(), &words.as_ref()?.first()?.place)));
        let lists = self.channels.iter().flatten().flat_map(|(name, channel)| {
            let lists = [("branches", &channel.branches), ("tags", &channel.tags)];
            lists.into_iter().filter_map(move |(list, values)| {
                Some((format!("channels.{name}.{list}"), &values.as_ref()?.first()?.place))
            })
        });
        singles.chain(timeout).chain(days).chain(words).chain(lists).collect()
    }
}

fn channels_over(
    own: Option<BTreeMap<String, ChannelSettings>>,
    base: Option<BTreeMap<String, ChannelSettings>>,
) -> Option<BTreeMap<String, ChannelSettings>> {
    let (Some(own), Some(mut merged)) = (own.clone(), base.clone()) else { return own.or(base) };
    for (name, channel) in own {
        let below = merged.remove(&name).unwrap_or_default();
        merged.insert(name, channel.over(below));
    }
    Some(merged)
}

impl FileSettings {
    fn read(section: &mut Section<'_>, place: Place) -> FileSettings {
        let settings = FileSettings {
            place,
            source: section.string("source"),
            destination: section.string("destination"),
            mode: section.string("mode"),
            kind: section.string("type"),
            owner: section.string("owner"),
            group: section.string("group"),
            capabilities: section.string("capabilities"),
        };
        if settings.destination.is_none() && section.place("destination").is_none() {
            let problem = Problem::at(&settings.place, "one of `[[files]]` has no `destination`");
            section.report(problem.help("say where it goes in the package: destination = \"/usr/bin/…\""));
        }
        settings
    }
}

impl AccountSettings {
    fn read(section: &mut Section<'_>, place: Place) -> AccountSettings {
        let settings = AccountSettings {
            place,
            name: section.string("name"),
            kind: section.string("kind"),
            comment: section.string("comment"),
            home: section.string("home"),
            shell: section.string("shell"),
            groups: section.strings("groups"),
        };
        if settings.name.is_none() && section.place("name").is_none() {
            let problem = Problem::at(&settings.place, "one of `[[accounts]]` has no `name`");
            section.report(problem.help("say how it is called: name = \"hello\""));
        }
        settings
    }
}

impl TriggerSettings {
    fn read(section: &mut Section<'_>, place: Place) -> TriggerSettings {
        TriggerSettings {
            place,
            when: section.string("when"),
            package: section.string("package"),
            paths: section.strings("paths"),
            script: section.string("script"),
            priority: section.integer("priority"),
            once: section.boolean("once"),
        }
    }
}

impl Section<'_> {
    fn triggers(&mut self, key: &'static str) -> Option<Vec<TriggerSettings>> {
        self.tables(key, TriggerSettings::read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> (ProjectFile, Vec<String>) {
        let file = SourceFile { path: "dist/packhouse.toml".into(), text: text.into() };
        let (settings, problems) = ProjectFile::parse(file);
        let shown =
            problems.iter().map(|p| format!("{}: {p} ({})", p.line().unwrap(), p.fix().unwrap_or("-")));
        (settings, shown.collect())
    }

    #[test]
    fn every_problem_is_reported_with_its_line() {
        let (_, problems) =
            parse("nmae = \"x\"\nsummary = 3\n[build]\ncomands = []\n[[files]]\nsource = \"a\"\n");
        assert_eq!(
            problems,
            [
                "2: `summary` must be a string (-)",
                "4: unknown key `build.comands` (did you mean `commands`?)",
                "5: one of `[[files]]` has no `destination` (say where it goes in the package: destination = \"/usr/bin/…\")",
                "1: unknown key `nmae` (did you mean `name`?)",
            ]
        );
    }

    #[test]
    fn a_syntax_error_does_not_hide_the_rest() {
        let (settings, problems) = parse("name = \nsummary = \"s\"\n");
        assert_eq!(settings.texts.summary.unwrap().value, "s");
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].starts_with("1: not valid TOML"), "{problems:?}");
    }

    #[test]
    fn a_target_overrides_key_by_key() {
        let (base, _) = parse(
            "name = \"base\"\nsummary = \"s\"\ndepends = [\"a\"]\n[build]\nengine = \"host\"\ncommands = [\"make\"]",
        );
        let (target, problems) = parse("depends = [\"b\"]\n[build]\nengine = \"docker\"");
        assert!(problems.is_empty());
        let merged = target.over(base);
        assert_eq!(merged.texts.name.unwrap().value, "base");
        assert_eq!(merged.lists.depends.unwrap()[0].value, "b");
        assert_eq!(merged.build.engine.unwrap().value, "docker");
        assert_eq!(merged.build.commands.unwrap()[0].value, "make");
    }
}

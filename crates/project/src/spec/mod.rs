//! From settings and arguments to a package's spec.
//!
//! Shared settings come first, `fpm.cmd` adds to lists and overrides single values of `packhouse.toml`. What
//! only one format can say is gathered for both; the other format's writer does not look at it.

mod apk;
mod deb;
mod files;
mod metadata;
mod pacman;
mod rpm;
mod setup;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use fs_err as fs;
use packhouse_package::archive::compress::Compression;
use packhouse_package::assemble::{Attributes, FileRules, Spec};
use packhouse_package::{
    Arch, Elements, Entry, Format, Moment, Options, PackagePath, Resources, Script, Scripts, Timestamp,
};

use crate::file::{Located, ProjectFile};
use crate::fpm::{Arguments, resolve as resolve_file, template};
use crate::{Problem, Problems, SourceFile, Target, distribution};

/// What a spec is made of.
pub struct Inputs<'a> {
    pub root: &'a Path,
    pub target: &'a Target,
    pub format: Format,
    pub settings: &'a ProjectFile,
    pub arguments: &'a Arguments,
    pub scripts: &'a BTreeMap<Moment, (PathBuf, Script)>,
    pub version: &'a str,
    pub elements: &'a Elements,
    pub arch: Arch,
    pub time: Timestamp,
}

/// What flags of one format add to its packages.
#[derive(Default)]
struct Additions {
    files: Vec<(PackagePath, Entry)>,
    etc_is_plain: bool,
    attributes: Vec<(PackagePath, Attributes)>,
    file_mode: Option<u16>,
    directory_mode: Option<u16>,
    services: setup::Flags,
}

impl Additions {
    /// Adds them; services are returned, for others have a say in them.
    fn add_to(self, rules: &mut FileRules) -> setup::Flags {
        rules.extra.extend(self.files);
        rules.attributes.extend(self.attributes);
        rules.etc_is_plain = self.etc_is_plain;
        rules.file_mode = self.file_mode;
        rules.directory_mode = self.directory_mode;
        self.services
    }
}

/// Resolves a target's spec; `None` when problems stand in the way.
pub fn resolve(inputs: &Inputs<'_>, problems: &mut Problems) -> Option<Spec> {
    let metadata = metadata::resolve(inputs, problems);
    let mut rules = files::resolve(inputs, problems);
    let (deb, of_deb) = deb::resolve(inputs, problems);
    let (rpm, of_rpm) = rpm::resolve(inputs, problems);
    // What flags of the other format add was checked, and is left out.
    let mut additions = BTreeMap::from([(Format::Deb, of_deb), (Format::Rpm, of_rpm)]);
    let additions = additions.remove(&inputs.format).unwrap_or_default();
    let setup = setup::resolve(inputs, additions.add_to(&mut rules), problems);
    let apk = apk::resolve(inputs, problems);
    let metadata = metadata?;
    let values = template_values(inputs, &metadata);
    let scripts = scripts(inputs, &values, problems);
    let pacman = pacman::resolve(inputs, problems);
    let compression = compression(inputs, problems);
    let options = Options { compression, deb, rpm, apk, pacman, ..Options::default() };
    Some(Spec { metadata, rules, scripts, setup, timestamp: inputs.time, options })
}

/// Checks what only the format's writer knows (its syntax of relations, its own fields) before anything is
/// built: it lays the package out without its files, or writes it so, to nowhere, uncompressed where the format can.
///
/// # Errors
/// The writer's.
pub fn check_writable(spec: &Spec, format: Format) -> packhouse_package::Result<()> {
    let is_readable = format.get().compressions().contains(&Compression::None);
    let compression = if is_readable { Some(Compression::None) } else { spec.options.compression };
    let options = Options { compression, ..spec.options.clone() };
    let package = packhouse_package::Package {
        metadata: spec.metadata.clone(),
        files: packhouse_package::FileTree::new(),
        scripts: spec.scripts.clone(),
        setup: spec.setup.clone(),
        timestamp: spec.timestamp,
        options,
    };
    if format.get().parts(&package)?.is_some() {
        return Ok(());
    }
    let resources = Resources { threads: std::num::NonZeroUsize::MIN };
    format.get().write(&package, resources, &mut std::io::Cursor::new(Vec::new()))
}

impl<'a> Inputs<'a> {
    fn directory(&self) -> PathBuf {
        self.target.directory()
    }

    /// Debian's revision, rpm's release, where one is given.
    pub fn release(&self) -> Option<&'a Located<String>> {
        let release = self.arguments.one("iteration").or(self.settings.version.release.as_ref());
        release.filter(|release| !release.value.is_empty())
    }

    /// What is wrong with the package as a problem, at what the user wrote where that can be told.
    pub fn problem(&self, error: &packhouse_package::Error) -> Problem {
        use packhouse_package::Error;
        let texts = &self.settings.texts;
        let written =
            |flag: &str, setting: &'a Option<Located<String>>| self.arguments.one(flag).or(setting.as_ref());
        let place = match error {
            Error::EmptyField { field } | Error::ControlCharacter { field } => match *field {
                "summary" => written("description", &texts.summary),
                "description" => written("description", &texts.description),
                "homepage" => written("url", &texts.homepage),
                "vendor" => written("vendor", &texts.vendor),
                "maintainer" => written("maintainer", &texts.maintainer),
                "license" => written("license", &texts.license),
                "category" => written("category", &texts.category),
                "release" => self.release(),
                _ => None,
            },
            Error::Relation { relation, .. } => self.value(relation),
            Error::Option { value, .. } => self.value(value),
            _ => None,
        };
        let problem = match place {
            Some(place) => Problem::at(&place.place, error.to_string()),
            None => Problem::with(self.directory().join("fpm.cmd"), error.to_string()),
        };
        problem.maybe_help(error.help())
    }

    /// Where a value of a flag or a list was written.
    fn value(&self, value: &str) -> Option<&'a Located<String>> {
        let apk = &self.settings.apk;
        let of_apk = apk.install_if.iter().chain(&apk.trigger_directories).flatten();
        let of_deb = self.settings.deb.triggers.iter().flatten();
        let mut lists = self.settings.lists.all().chain(self.arguments.values()).chain(of_apk).chain(of_deb);
        lists.find(|written| written.value.trim() == value)
    }

    /// The file an argument names, relative to the project.
    fn file(&self, named: &Located<String>, problems: &mut Problems) -> Option<PathBuf> {
        match resolve_file(self.root, &self.directory(), &named.value) {
            Ok(path) => Some(path),
            Err(reason) => {
                problems.push(
                    Problem::at(&named.place, reason)
                        .help("a path is relative to the target's directory or to the project"),
                );
                None
            }
        }
    }

    fn bytes(&self, named: &Located<String>, problems: &mut Problems) -> Option<Vec<u8>> {
        let path = self.file(named, problems)?;
        match fs::read(self.root.join(&path)) {
            Ok(bytes) => Some(bytes),
            Err(error) => {
                problems
                    .push(Problem::at(&named.place, format!("`{}` cannot be read: {error}", named.value)));
                None
            }
        }
    }

    fn text(&self, named: &Located<String>, problems: &mut Problems) -> Option<String> {
        match String::from_utf8(self.bytes(named, problems)?) {
            Ok(text) => Some(text),
            Err(_) => {
                problems.push(Problem::at(&named.place, format!("`{}` is not UTF-8 text", named.value)));
                None
            }
        }
    }

    fn script(&self, named: &Located<String>, problems: &mut Problems) -> Option<Script> {
        let path = self.file(named, problems)?;
        crate::project::read_script(self.root, &path, problems)
    }

    /// The script of a flag with a single value.
    fn script_of(&self, flag: &str, problems: &mut Problems) -> Option<Script> {
        self.arguments.one(flag).and_then(|named| self.script(named, problems))
    }

    fn text_of(&self, flag: &str, problems: &mut Problems) -> Option<String> {
        self.arguments.one(flag).and_then(|named| self.text(named, problems))
    }
}

/// Reads a number, as in `--epoch 1`.
fn number<T: std::str::FromStr>(written: &Located<String>, what: &str, problems: &mut Problems) -> Option<T> {
    let number = written.value.trim().parse().ok();
    if number.is_none() {
        problems.push(Problem::at(
            &written.place,
            format!("{what} must be a whole number, not `{}`", written.value),
        ));
    }
    number
}

/// Reads permission bits, as in `0755`; `-` leaves them as they are.
fn mode(written: &Located<String>, problems: &mut Problems) -> Option<u16> {
    if written.value == "-" {
        return None;
    }
    let mode = u16::from_str_radix(&written.value, 8).ok().filter(|mode| *mode <= 0o7777);
    if mode.is_none() {
        let problem = Problem::at(&written.place, format!("`{}` is no mode", written.value));
        problems.push(problem.help("permission bits in octal, as in \"0755\""));
    }
    mode
}

/// What each script is packaged for: its own file, or the one a flag names.
const SCRIPT_FLAGS: [(Moment, &str, Option<&str>); 6] = [
    (Moment::BeforeInstall, "before-install", Some("pre-install")),
    (Moment::AfterInstall, "after-install", Some("post-install")),
    (Moment::BeforeUpgrade, "before-upgrade", None),
    (Moment::AfterUpgrade, "after-upgrade", None),
    (Moment::BeforeRemove, "before-remove", Some("pre-uninstall")),
    (Moment::AfterRemove, "after-remove", Some("post-uninstall")),
];

fn scripts(inputs: &Inputs<'_>, values: &BTreeMap<String, String>, problems: &mut Problems) -> Scripts {
    let arguments = inputs.arguments;
    let is_templated = arguments.switch("template-scripts").unwrap_or(false)
        || arguments.many("template-value").next().is_some();
    let mut scripts = Scripts::new();
    for (moment, flag, old_name) in SCRIPT_FLAGS {
        let named = arguments.one(flag).or_else(|| arguments.one(old_name?));
        let found = match named {
            Some(named) => inputs.file(named, problems).and_then(|path| {
                Some((path.clone(), crate::project::read_script(inputs.root, &path, problems)?))
            }),
            None => inputs.scripts.get(&moment).cloned(),
        };
        let Some((path, mut script)) = found else { continue };
        if is_templated {
            match render(inputs.root, &path, values) {
                Ok(rendered) => script = rendered,
                Err(problem) => problems.push(*problem),
            }
        }
        scripts.insert(moment, script);
    }
    scripts
}

fn render(root: &Path, path: &Path, values: &BTreeMap<String, String>) -> Result<Script, Box<Problem>> {
    let unreadable = |error: String| Box::new(Problem::with(path, error));
    let text = fs::read_to_string(root.join(path)).map_err(|error| unreadable(error.to_string()))?;
    let rendered = template::render(&text, values).map_err(|(expression, at)| {
        let file = std::sync::Arc::new(SourceFile { path: path.into(), text: text.as_str().into() });
        let place = crate::Place { file, span: at..at + expression.len() };
        let known: Vec<&str> = values.keys().map(String::as_str).collect();
        let problem = Problem::at(&place, format!("`{expression}` is not a template Packhouse renders"));
        Box::new(
            problem
                .help(format!("`<%= name %>` with one of {}; others by --template-value", known.join(", "))),
        )
    })?;
    Script::parse(rendered.as_bytes()).map_err(|error| unreadable(error.to_string()))
}

/// What `<%= … %>` of a templated script can name.
fn template_values(inputs: &Inputs<'_>, metadata: &packhouse_package::Metadata) -> BTreeMap<String, String> {
    let optional = |value: &Option<String>| value.clone().unwrap_or_default();
    let mut values: BTreeMap<String, String> = [
        ("name", metadata.name.to_string()),
        ("version", metadata.version.version.clone()),
        ("iteration", optional(&metadata.version.release)),
        ("epoch", metadata.version.epoch.map(|epoch| epoch.to_string()).unwrap_or_default()),
        ("architecture", inputs.format.get().arch(metadata.arch).to_owned()),
        ("maintainer", metadata.maintainer.clone()),
        ("vendor", optional(&metadata.vendor)),
        ("license", optional(&metadata.license)),
        ("category", optional(&metadata.category)),
        ("url", optional(&metadata.homepage)),
        ("description", metadata.summary.clone()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    for given in inputs.arguments.many("template-value") {
        let (name, value) = given.value.split_once('=').unwrap_or((&given.value, ""));
        values.insert(name.to_owned(), value.to_owned());
    }
    values
}

/// `fpm.cmd`'s word, else the project's, else what the distribution's package manager reads best.
fn compression(inputs: &Inputs<'_>, problems: &mut Problems) -> Option<Compression> {
    let format = inputs.format.get().name();
    let readable = inputs.format.get().compressions();
    let is_readable = |wanted: Compression| readable.iter().any(|known| known.name() == wanted.name());
    let of_format = |what: &str| {
        let flag = format!("{format}-{what}");
        // fpm has such flags for some of its formats only.
        crate::fpm::flags::find(&format!("--{flag}")).and_then(|_| inputs.arguments.one(&flag))
    };
    let settings = &inputs.settings.package;
    let word = of_format("compression").or(settings.compression.as_ref());
    let preferred = distribution::compression(inputs.target);
    // What a distribution's package manager reads best says nothing of a plain archive.
    let is_its_own = !matches!(format, "tar" | "zip")
        && distribution::Distribution::find(&inputs.target.distribution)
            .is_none_or(|distribution| distribution.format() == inputs.format);
    let mut compression = if is_its_own && is_readable(preferred) { preferred } else { *readable.first()? };
    if let Some(word) = word {
        // rpm's multi-threaded variant of xz; every xz of ours is.
        let name = if word.value == "xzmt" { "xz" } else { &word.value };
        let words: Vec<&str> = readable.iter().map(|known| known.name()).collect();
        match Compression::parse(name) {
            Some(known) if is_readable(known) => compression = known,
            Some(_) => {
                let message = format!("the clients of {format} packages do not read `{}`", word.value);
                let fix = format!(
                    "for this target write `compression = \"{}\"` below [package] in {}",
                    words.join("\"` or `\""),
                    inputs.directory().join("target.toml").display()
                );
                problems.push(Problem::at(&word.place, message).help(fix));
            }
            None => {
                let problem =
                    Problem::at(&word.place, format!("`{}` is no compression Packhouse writes", word.value));
                problems.push(problem.help(format!("one of {}", words.join(", "))));
            }
        }
    }
    let flag = of_format("compression-level");
    let level = flag.and_then(|level| Some((number(level, "a compression level", problems)?, &level.place)));
    let level = level.or_else(|| {
        let level = settings.compression_level.as_ref()?;
        Some((u8::try_from(level.value).unwrap_or(u8::MAX), &level.place))
    });
    if let Some((level, place)) = level {
        match compression.with_level(level) {
            Some(levelled) => compression = levelled,
            None => {
                let message = format!("{} does not have this level", compression.name());
                problems.push(Problem::at(place, message));
            }
        }
    }
    Some(compression)
}

#[cfg(test)]
mod tests;

//! A project: its settings, its targets, and how a plan is made of them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use fs_err as fs;
use packhouse_build::Job;
use packhouse_package::assemble::Spec;
use packhouse_package::{Elements, Format, Moment, Script};

use crate::file::{Located, ProjectFile, SignSettings};
use crate::fpm::Arguments;
use crate::plan::{self, DEFAULT_FORMAT};
use crate::version::{self, VersionSource};
use crate::{
    EngineName, Facts, Plan, Problem, Problems, Retiring, SigningKey, SourceFile, Target, TargetPlan,
    channel, container, distribution, fpm, retiring, signing, spec,
};

/// Where the shared settings are, relative to the project.
pub const PROJECT_FILE: &str = "dist/packhouse.toml";

/// Nobody writes more by hand; what is larger is another file by mistake.
const LARGEST_SETTINGS: u64 = 1024 * 1024;

/// A keyring that is used without being named.
const DEFAULT_KEYRING: &str = "dist/trustedkeys.gpg";

/// A project and its targets, read from disk.
#[derive(Clone, Debug)]
pub struct Project {
    root: PathBuf,
    shared: ProjectFile,
    targets: Vec<TargetFiles>,
    /// What is wrong with its files, apart from each other; a plan reports it with what is wrong between them.
    problems: Problems,
}

/// What a target's directory holds.
#[derive(Clone, Debug)]
struct TargetFiles {
    target: Target,
    settings: ProjectFile,
    arguments: Arguments,
    scripts: BTreeMap<Moment, (PathBuf, Script)>,
    /// Problems of its own files; reported when the target is selected.
    format: Option<Format>,
}

/// Which targets are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// All of them.
    All,
    /// One, as the user named it.
    Named(Vec<String>),
}

impl Project {
    /// Reads the project at `root`: its settings and every target.
    ///
    /// # Errors
    /// Everything that is wrong with the tree.
    pub fn open(root: &Path) -> Result<Project, Problems> {
        let project = Project::read(root);
        project.problems.clone().or(project)
    }

    /// Reads the project at `root` whatever is wrong with it, for a [`plan`](Project::plan) that reports
    /// everything at once.
    pub fn read(root: &Path) -> Project {
        let mut problems = Problems::new();
        let shared = read_settings(root, Path::new(PROJECT_FILE), &mut problems);
        if shared.is_none() {
            let problem = Problem::with(PROJECT_FILE, "there is no such file");
            problems.push(problem.help("`packhouse init` writes it; -C names another project"));
        }
        let shared = shared.unwrap_or_default();
        let targets: Vec<TargetFiles> = Target::find_all(root, &mut problems)
            .into_iter()
            .map(|target| TargetFiles::read(root, target, &shared, &mut problems))
            .collect();
        if targets.is_empty() && root.join(PROJECT_FILE).is_file() {
            let problem = Problem::with("dist", "the project has no target");
            problems.push(problem.help("`packhouse target add debian 12` writes one: dist/debian/12/"));
        }
        Project { root: root.into(), shared, targets, problems }
    }

    /// The project's root.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Its targets with their package formats, sorted.
    pub fn targets(&self) -> impl Iterator<Item = (&Target, Option<Format>)> {
        self.targets.iter().map(|files| (&files.target, files.format))
    }

    /// The channel names the project knows, for messages.
    pub fn settings(&self) -> &ProjectFile {
        &self.shared
    }

    /// Whether a version comes from Git's newest tag, so that it has to be looked for.
    pub fn wants_tag(&self) -> bool {
        let settings = self.targets.iter().map(|target| &target.settings).chain([&self.shared]);
        let is_tag = |name: &str| VersionSource::parse(name) == Some(VersionSource::GitTag);
        settings.filter_map(|settings| settings.version.from.as_ref()).any(|from| is_tag(&from.value))
    }

    /// Resolves the selected targets.
    ///
    /// # Errors
    /// Everything that stands in the way of a release.
    pub fn plan(&self, selection: &Selection, facts: &Facts) -> Result<Plan, Problems> {
        let mut problems = Problems::new();
        let selected = match self.select(selection) {
            Ok(selected) => selected,
            Err(unknown) => {
                problems.extend(unknown);
                Vec::new()
            }
        };
        let settings = &self.shared;
        let name = required(&settings.texts.name, "name", "\"my-program\"", &mut problems);
        let version = self.version(settings, facts, &mut problems);
        let channel = self.channel(facts, &mut problems);
        let targets: Vec<TargetPlan> =
            selected.iter().filter_map(|files| self.plan_target(files, facts, &mut problems)).collect();
        self.check_file_names(&targets, &mut problems);
        container::check_apart(&targets, settings, &mut problems);
        let cloudfront = self.cloudfront(facts, &mut problems);
        let signing_key = self.signing_key().unwrap_or_else(|two| {
            problems.extend(two);
            None
        });
        let apk_key_name = self.apk_key_name(&mut problems);
        let retiring = self.retiring().unwrap_or_else(|two| {
            problems.extend(two);
            None
        });
        self.problems.clone().with_independent(problems).or(Plan {
            root: self.root.clone(),
            name: name.unwrap_or_default(),
            summary: text(&settings.texts.summary).unwrap_or_default(),
            homepage: text(&settings.texts.homepage),
            version: version.map(|version| version.value).unwrap_or_default(),
            channel: channel.unwrap_or_default(),
            time: facts.time,
            is_sorted_by_time: selected.iter().all(|files| {
                let format = files.settings.version.format.as_ref();
                plan::is_sorted_by_time(format.map_or(DEFAULT_FORMAT, |format| &format.value))
            }),
            revision: facts.revision.clone(),
            signing_key,
            passphrase_file: settings.sign.passphrase_file.as_ref().map(|file| self.root.join(&file.value)),
            retiring,
            keyring: self.keyring(),
            apk_key: settings.sign.apk_key.as_ref().map(|file| self.root.join(&file.value)),
            apk_key_name,
            publish_to: facts.publish_to.clone().or_else(|| text(&settings.publish.to)),
            public_url: text(&settings.publish.public_url),
            cloudfront,
            targets,
        })
    }

    /// The CloudFront distribution that serves the site that is meant: another one than the project's is not its
    /// business.
    fn cloudfront(&self, facts: &Facts, problems: &mut Problems) -> Option<String> {
        let publish = &self.shared.publish;
        let Located { value: id, place } = publish.cloudfront.as_ref()?;
        let is_id = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
        if !(5..=32).contains(&id.len()) || !id.bytes().all(is_id) {
            let message = format!("`{}` is no id of a CloudFront distribution", id.escape_debug());
            problems.push(
                Problem::at(place, message)
                    .help("capital letters and digits, as in E2QWRUHAPOMQZL; not its domain"),
            );
            return None;
        }
        let own = publish.to.as_ref().map(|to| &to.value);
        if own.is_none_or(|to| !to.contains("://") || to.starts_with("file:")) && facts.publish_to.is_none() {
            let message = "[publish] names a CloudFront distribution for a site on this machine";
            problems
                .push(Problem::at(place, message).help("publish to a bucket: to = \"s3://bucket/prefix\""));
            return None;
        }
        let is_own = own.is_none() || facts.publish_to.is_none() || facts.publish_to.as_ref() == own;
        is_own.then(|| id.clone())
    }

    /// Who signs, as the project says.
    ///
    /// # Errors
    /// When it names two, or a command that cannot sign.
    pub fn signing_key(&self) -> Result<Option<SigningKey>, Problems> {
        signing::signing_key(&self.shared.sign, &self.root)
    }

    /// The key that is being replaced and still signs, as the project says.
    ///
    /// # Errors
    /// When it names two, or none where it says something about one.
    pub fn retiring(&self) -> Result<Option<Retiring>, Problems> {
        retiring::retiring(&self.shared.sign, &self.root)
    }

    /// `[sign]`, as it is written.
    pub fn sign(&self) -> &SignSettings {
        &self.shared.sign
    }

    /// What it is called, if its file says so.
    pub fn name(&self) -> Option<&str> {
        self.shared.texts.name.as_ref().map(|name| &*name.value)
    }

    /// Where the keyring of those who may sign is, or will be.
    pub fn keyring_path(&self) -> PathBuf {
        self.keyring().unwrap_or_else(|| self.root.join(DEFAULT_KEYRING))
    }

    /// What customers have the RSA key of apk as: the named one, else the secret key's file and `.pub`.
    fn apk_key_name(&self, problems: &mut Problems) -> Option<String> {
        let sign = &self.shared.sign;
        let named = sign.apk_key_name.as_ref().map(|name| (name.value.clone(), &name.place));
        let of_file = sign.apk_key.as_ref().and_then(|file| {
            let name = std::path::Path::new(&file.value).file_name()?.to_str()?;
            Some((format!("{name}.pub"), &file.place))
        });
        let (name, place) = named.or(of_file)?;
        let is_known = |c: char| c.is_ascii_alphanumeric() || "@._+-".contains(c);
        if name.starts_with('.') || name.len() > 80 || !name.ends_with(".pub") || !name.chars().all(is_known)
        {
            let message = format!("`{}` cannot be the name of a public key of apk", name.escape_debug());
            let help =
                "apk-key-name = \"release@example.org.rsa.pub\": a file in /etc/apk/keys of your customers";
            problems.push(Problem::at(place, message).help(help));
        }
        Some(name)
    }

    /// The keyring of those who may sign: the named one, else `dist/trustedkeys.gpg` where it is there.
    pub fn keyring(&self) -> Option<PathBuf> {
        match &self.shared.sign.keyring {
            Some(keyring) => Some(self.root.join(&keyring.value)),
            None => Some(self.root.join(DEFAULT_KEYRING)).filter(|path| path.is_file()),
        }
    }

    #[cfg(test)]
    pub(crate) fn arguments_of(&self, target: usize) -> &Arguments {
        &self.targets[target].arguments
    }

    fn select(&self, selection: &Selection) -> Result<Vec<&TargetFiles>, Problems> {
        let Selection::Named(words) = selection else { return Ok(self.targets.iter().collect()) };
        let found: Vec<&TargetFiles> =
            self.targets.iter().filter(|files| files.target.is_named(words)).collect();
        if !found.is_empty() {
            return Ok(found);
        }
        let name = words.join("-");
        let known: Vec<String> = self.targets.iter().map(|files| files.target.to_string()).collect();
        let help = match crate::reader::nearest(&name, known.iter().map(String::as_str)) {
            Some(near) => format!("did you mean {near}? The targets are {}", known.join(", ")),
            None => format!("the targets are {}", known.join(", ")),
        };
        Err(Problem::with("dist", format!("there is no target {name}")).help(help).into())
    }

    /// Each package's file must have a name of its own: all lie in `pkg/`.
    fn check_file_names(&self, targets: &[TargetPlan], problems: &mut Problems) {
        let mut named: BTreeMap<&str, &Target> = BTreeMap::new();
        for target in targets {
            let Some(other) = named.insert(&target.file_name, &target.target) else { continue };
            let message =
                format!("the packages of {other} and {} would both be `{}`", target.target, target.file_name);
            let problem = match &self.shared.version.format {
                Some(format) => Problem::at(&format.place, message),
                None => Problem::with(PROJECT_FILE, message),
            };
            problems
                .push(problem.help(format!("put {{target}} into [version] format: \"{DEFAULT_FORMAT}\"")));
        }
    }

    /// The project's version as packages carry it, and where it is written.
    fn version(
        &self,
        settings: &ProjectFile,
        facts: &Facts,
        problems: &mut Problems,
    ) -> Option<Located<String>> {
        let version = self.written_version(settings, facts, problems)?;
        if version.value.is_empty() || version.value.chars().any(|c| c.is_control() || c.is_whitespace()) {
            let message = format!("`{}` is no version", version.value.escape_debug());
            problems.push(Problem::at(&version.place, message).help("as in 1.2.3"));
            return None;
        }
        Some(Located { value: version::for_packages(&version.value), place: version.place })
    }

    fn written_version(
        &self,
        settings: &ProjectFile,
        facts: &Facts,
        problems: &mut Problems,
    ) -> Option<Located<String>> {
        let settings = &settings.version;
        if let (Some(_), Some(from)) = (&settings.literal, &settings.from) {
            let problem = Problem::at(&from.place, "[version] says both `from` and `literal`");
            problems.push(problem.help("keep the one that tells the version"));
            return None;
        }
        let source = match (&settings.literal, &settings.from) {
            (Some(literal), _) => return Some(literal.clone()),
            (None, Some(from)) => match VersionSource::parse(&from.value) {
                Some(source) => source,
                None => {
                    let known: Vec<&str> = VersionSource::ALL.iter().map(|source| source.name()).collect();
                    let problem =
                        Problem::at(&from.place, format!("`{}` is no source of a version", from.value));
                    problems
                        .push(problem.help(format!("one of {}; or literal = \"1.2.3\"", known.join(", "))));
                    return None;
                }
            },
            (None, None) => match VersionSource::detect(&self.root) {
                Some(source) => source,
                None => {
                    let problem = Problem::with(PROJECT_FILE, "nothing tells the project's version");
                    problems.push(problem.help("[version] from = \"VERSION\" (mix.exs, Cargo.toml, git-tag, …), or literal = \"1.2.3\""));
                    return None;
                }
            },
        };
        let tag = facts.revision.as_ref().and_then(|revision| revision.tag.as_deref());
        source.read(&self.root, tag).map_err(|problem| problems.push(*problem)).ok()
    }

    fn channel(&self, facts: &Facts, problems: &mut Problems) -> Option<String> {
        if let Some(channel) = &facts.channel {
            if !channel::is_name(channel) {
                let problem = Problem::with("--channel", format!("`{channel}` cannot be a channel's name"));
                problems.push(problem.help("lower-case letters, digits and `-`, as in stable or preview"));
            }
            return Some(channel.clone());
        }
        for name in self.shared.channels.iter().flat_map(BTreeMap::keys) {
            if !channel::is_name(name) {
                let problem = Problem::with(PROJECT_FILE, format!("`{name}` cannot be a channel's name"));
                problems.push(problem.help("lower-case letters, digits and `-`, as in stable or preview"));
            }
        }
        let branch = facts.revision.as_ref().and_then(|revision| revision.branch.clone());
        let reference = facts.reference.clone().or(branch.map(channel::Reference::Branch));
        Some(channel::choose(self.shared.channels.as_ref(), reference.as_ref()))
    }

    fn plan_target(&self, files: &TargetFiles, facts: &Facts, problems: &mut Problems) -> Option<TargetPlan> {
        let format = files.format?;
        let (settings, target) = (&files.settings, &files.target);
        let version = self.version(settings, facts, problems);
        let tag = Elements {
            version: version.as_ref().map(|version| version.value.clone()).unwrap_or_default(),
            target: target.to_string(),
            built: facts.time.strftime("%y%m%d%H%M").expect("the directives are strftime's"),
            revision: facts.revision.as_ref().map(|revision| revision.short.clone()),
        };
        let tagged = tagged(&tag, settings, facts, problems);
        let inputs = spec::Inputs {
            root: &self.root,
            target,
            format,
            settings,
            arguments: &files.arguments,
            scripts: &files.scripts,
            // Without a version the rest is looked at all the same, for what is wrong with it.
            version: tagged.as_deref().unwrap_or("0"),
            elements: &tag,
            arch: facts.arch,
            time: facts.time,
        };
        let engine = engine(settings, facts, problems);
        let is_preview = self.channel(facts, problems).is_some_and(|channel| channel != channel::STABLE);
        let base_image = container::base_image(&self.root, target, settings, is_preview, problems);
        let spec = spec::resolve(&inputs, problems)?;
        let engine = engine?;
        let directory = match engine.is_container() {
            true => Path::new(packhouse_build::engine::container::BUILD_DIRECTORY),
            false => &self.root,
        };
        let mut job = job(directory, settings, &tag, spec.metadata.name.as_str(), problems);
        if engine.is_container() {
            let made_from = (&base_image, facts.arch);
            job.container = Some(container::job(&self.root, target, settings, &spec, made_from, problems));
        } else {
            container::check_host(engine, settings, problems);
        }
        let (version, tagged) = (version?, tagged.as_deref()?);
        let file_name = match format.get().file_name(&spec.metadata, &spec.options) {
            Ok(name) => name,
            Err(error) => {
                problems.push(blame(&error, &version, tagged, &spec, &inputs));
                return None;
            }
        };
        if let Err(error) = spec::check_writable(&spec, format) {
            problems.push(inputs.problem(&error));
            return None;
        }
        let (target, arch) = (target.clone(), facts.arch);
        let reads = distribution::signatures_read(&target);
        Some(TargetPlan { target, arch, format, engine, base_image, reads, job, spec, file_name, tag })
    }
}

/// The four elements in the project's order.
fn tagged(tag: &Elements, settings: &ProjectFile, facts: &Facts, problems: &mut Problems) -> Option<String> {
    let pattern = settings.version.format.as_ref().map_or(DEFAULT_FORMAT, |format| &format.value);
    match plan::render(tag, pattern, facts.time) {
        Ok(tagged) if tagged.is_empty() || tagged.chars().any(char::is_control) => {
            problems.push(of_format(settings, format!("`{}` is no version", tagged.escape_debug())));
            None
        }
        Ok(tagged) => Some(tagged),
        Err((reason, fix)) => {
            problems.push(of_format(settings, reason).help(fix));
            None
        }
    }
}

/// A problem with `[version] format`, written or not.
fn of_format(settings: &ProjectFile, message: String) -> Problem {
    match &settings.version.format {
        Some(format) => Problem::at(&format.place, message),
        None => Problem::with(PROJECT_FILE, message),
    }
}

/// Who is to blame for a file name that a format cannot spell: the version by itself, what `[version] format`
/// adds to it, or the release.
fn blame(
    error: &packhouse_package::Error,
    version: &Located<String>,
    tagged: &str,
    spec: &Spec,
    inputs: &spec::Inputs<'_>,
) -> Problem {
    let is_good = |version: &str| {
        let mut metadata = spec.metadata.clone();
        metadata.version.version = version.to_owned();
        metadata.version.release = None;
        inputs.format.get().file_name(&metadata, &spec.options).is_ok()
    };
    let problem = if !is_good(&version.value) {
        Problem::at(&version.place, error.to_string())
    } else if !is_good(tagged) {
        of_format(inputs.settings, error.to_string())
    } else if let Some(release) = inputs.release() {
        Problem::at(&release.place, error.to_string())
    } else {
        Problem::with(inputs.target.directory().join("fpm.cmd"), error.to_string())
    };
    problem.maybe_help(error.help())
}

impl TargetFiles {
    fn read(root: &Path, target: Target, shared: &ProjectFile, problems: &mut Problems) -> TargetFiles {
        let directory = target.directory();
        let own = read_settings(root, &directory.join("target.toml"), problems).unwrap_or_default();
        for (key, place) in own.keys_of_the_project() {
            let problem = Problem::at(place, format!("`{key}` is the whole project's, not one target's"));
            problems.push(problem.help("set it in dist/packhouse.toml"));
        }
        let arguments = fpm::parse(root, &directory, problems);
        let scripts = read_scripts(root, &directory, problems);
        let format = package_format(&directory, &arguments, root, problems);
        TargetFiles { target, settings: own.over(shared.clone()), arguments, scripts, format }
    }
}

/// `-t` of the target: which format its package has.
fn package_format(
    directory: &Path,
    arguments: &Arguments,
    root: &Path,
    problems: &mut Problems,
) -> Option<Format> {
    let known: Vec<&str> = Format::ALL.iter().map(|format| format.get().name()).collect();
    let known = known.join("` or `-t ");
    if let Some(input) = arguments.one("input-type").filter(|input| input.value != "dir") {
        let problem = Problem::at(&input.place, format!("`-s {}` cannot apply in a target", input.value));
        problems.push(problem.help("a target packages files: `-s dir`, or leave it out"));
    }
    match arguments.one("output-type") {
        Some(wanted) => {
            let format = Format::parse(&wanted.value);
            if format.is_none() {
                let problem =
                    Problem::at(&wanted.place, format!("`{}` packages are not made yet", wanted.value));
                problems.push(problem.help(format!("`-t {known}`")));
            }
            format
        }
        None => {
            let path = directory.join("fpm.cmd");
            // What is missing may be in the part that could not be read.
            if root.join(&path).is_file() && !problems.is_about(&path) {
                let problem = Problem::with(path, "does not say which format the package has");
                problems.push(problem.help(format!("add `-t {known}`")));
            }
            None
        }
    }
}

/// The scripts of a target: its own, and those of `dist/scripts` that it does not have.
fn read_scripts(
    root: &Path,
    directory: &Path,
    problems: &mut Problems,
) -> BTreeMap<Moment, (PathBuf, Script)> {
    let mut scripts = BTreeMap::new();
    for moment in Moment::ALL {
        let name = format!("{}.sh", moment.name());
        let places = [directory.join(&name), Path::new("dist/scripts").join(&name)];
        let Some(path) = places.into_iter().find(|path| root.join(path).is_file()) else { continue };
        if let Some(script) = read_script(root, &path, problems) {
            scripts.insert(moment, (path, script));
        }
    }
    scripts
}

/// Reads one script, relative to the project.
pub(crate) fn read_script(root: &Path, path: &Path, problems: &mut Problems) -> Option<Script> {
    let script = fs::read(root.join(path))
        .map_err(|error| Problem::with(path, format!("cannot be read: {error}")))
        .and_then(|bytes| Script::parse(&bytes).map_err(|error| Problem::with(path, error.to_string())));
    script.map_err(|problem| problems.push(problem)).ok()
}

fn read_settings(root: &Path, path: &Path, problems: &mut Problems) -> Option<ProjectFile> {
    let length = fs::metadata(root.join(path)).map_or(0, |metadata| metadata.len());
    if length > LARGEST_SETTINGS {
        let message = format!("{length} bytes are more than the {LARGEST_SETTINGS} that settings may have");
        problems.push(Problem::with(path, message));
        return Some(ProjectFile::default());
    }
    let text = match fs::read_to_string(root.join(path)) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
        Err(error) => {
            problems.push(Problem::with(path, format!("cannot be read as text: {error}")));
            return Some(ProjectFile::default());
        }
    };
    let (settings, found) = ProjectFile::parse(SourceFile { path: path.into(), text: text.into() });
    problems.extend(found);
    Some(settings)
}

fn engine(settings: &ProjectFile, facts: &Facts, problems: &mut Problems) -> Option<EngineName> {
    let written = settings.build.engine.as_ref().map(|engine| (engine, EngineName::parse(&engine.value)));
    match (facts.engine, written) {
        (Some(engine), _) | (None, Some((_, Some(engine)))) => Some(engine),
        (None, None) => Some(EngineName::Host),
        (None, Some((engine, None))) => {
            let known: Vec<&str> = EngineName::ALL.iter().map(|engine| engine.name()).collect();
            let problem = Problem::at(&engine.place, format!("there is no engine `{}`", engine.value));
            problems.push(problem.help(format!("one of {}", known.join(", "))));
            None
        }
    }
}

/// The build, in `directory`. In its environment `{version}`, `{revision}`, `{target}` and `{project}` are filled in; its
/// commands are a shell's, where braces have meanings of their own.
fn job(directory: &Path, settings: &ProjectFile, tag: &Elements, name: &str, problems: &mut Problems) -> Job {
    let values = [
        ("{version}", tag.version.as_str()),
        ("{revision}", tag.revision.as_deref().unwrap_or("")),
        ("{target}", &tag.target),
        ("{project}", directory.to_str().unwrap_or("")),
    ];
    let fill = |written: &Located<String>| {
        values.iter().fold(written.value.clone(), |text, (element, value)| text.replace(element, value))
    };
    let variables = settings.build.environment.iter().flatten();
    for written in settings.build.commands.iter().flatten().chain(variables.clone().map(|(_, value)| value)) {
        if written.value.contains('\0') {
            problems.push(Problem::at(&written.place, "a NUL byte cannot be part of a command or variable"));
        }
    }
    for (name, value) in variables.clone() {
        if name.is_empty() || name.contains(['=', '\0']) {
            let message = format!("`{}` cannot be the name of a variable", name.escape_debug());
            problems.push(Problem::at(&value.place, message));
        }
    }
    Job {
        project: name.to_owned(),
        commands: settings.build.commands.iter().flatten().map(|command| command.value.clone()).collect(),
        environment: variables.map(|(name, value)| (name.clone(), fill(value))).collect(),
        container: None,
    }
}

fn text(value: &Option<Located<String>>) -> Option<String> {
    value.as_ref().map(|text| text.value.clone())
}

fn required(
    value: &Option<Located<String>>,
    key: &'static str,
    example: &str,
    problems: &mut Problems,
) -> Option<String> {
    if value.is_none() {
        let problem = Problem::with(PROJECT_FILE, format!("`{key}` is missing"));
        problems.push(problem.help(format!("add `{key} = {example}`")));
    }
    text(value)
}

//! Writes the beginnings of a `dist/` tree: `init` and `target add`.
//!
//! Everything is decided first and written last, and nothing that exists is overwritten.

use std::path::{Path, PathBuf};

use fs_err as fs;

use crate::distribution::Distribution;
use crate::project::PROJECT_FILE;
use crate::version::VersionSource;
use crate::{Problem, Problems, Target};

/// A file to write, relative to the project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewFile {
    /// Where.
    pub path: PathBuf,
    /// What.
    pub text: String,
}

/// Targets that `init` starts with: the current long-term releases that most customers have.
const FIRST_TARGETS: &[(&str, &str)] = &[("debian", "12"), ("ubuntu", "24.04"), ("rocky", "9")];

/// The project file and first targets for the project at `root`.
///
/// # Errors
/// When it has a project file already.
pub fn init(root: &Path) -> Result<Vec<NewFile>, Problems> {
    if root.join(PROJECT_FILE).exists() {
        let problem = Problem::with(PROJECT_FILE, "the project has one already");
        return Err(problem.help("edit it; `packhouse target add` writes further targets").into());
    }
    let mut files = vec![NewFile { path: PROJECT_FILE.into(), text: project_file(root) }];
    let mut problems = Problems::new();
    if Target::find_all(root, &mut problems).is_empty() {
        for (distribution, version) in FIRST_TARGETS {
            let target = Target { distribution: (*distribution).into(), version: (*version).into() };
            if !root.join(target.directory()).exists() {
                files.extend(target_files(&target));
            }
        }
    }
    Ok(files)
}

/// The three elements of a new target.
///
/// # Errors
/// When its name cannot be a target's, or any of its elements exists.
pub fn add_target(root: &Path, target: &Target) -> Result<Vec<NewFile>, Problems> {
    for name in [&target.distribution, &target.version] {
        if !Target::is_name(name) {
            let problem = Problem::with("dist", format!("`{name}` cannot be part of a target's name"));
            return Err(problem.help("use letters, digits, `-`, `.` and `_`").into());
        }
    }
    let files = target_files(target);
    let mut problems = Problems::new();
    for file in &files {
        if root.join(&file.path).exists() {
            problems.push(
                Problem::with(&file.path, "exists already")
                    .help("nothing was written; edit the target as it is"),
            );
        }
    }
    problems.or(files)
}

/// Writes the files, creating directories.
///
/// # Errors
/// When one cannot be written; one that exists is never replaced.
pub fn write(root: &Path, files: &[NewFile]) -> std::io::Result<()> {
    use std::io::Write as _;
    for file in files {
        let path = root.join(&file.path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::OpenOptions::new().write(true).create_new(true).open(&path)?.write_all(file.text.as_bytes())?;
    }
    Ok(())
}

fn target_files(target: &Target) -> Vec<NewFile> {
    let directory = target.directory();
    let (dockerfile, arguments) = match Distribution::find(&target.distribution) {
        Some(known) => (
            format!("FROM {}\n\n{}\n", known.image(&target.version), known.prepare),
            format!("-t {}\n", known.format()),
        ),
        None => (
            format!(
                "# Packhouse does not know {}. Name the image this target is built in,\n\
                 # and install what the build needs.\n\
                 FROM {}:{}\n",
                target.distribution, target.distribution, target.version
            ),
            "# Packhouse does not know this distribution: does it have dpkg (deb), rpm, apk or pacman, or none (tar, zip)?\n-t deb\n".into(),
        ),
    };
    [("Dockerfile", dockerfile), ("fpm.cmd", arguments), ("inc/.gitkeep", String::new())]
        .map(|(name, text)| NewFile { path: directory.join(name), text })
        .into()
}

/// What is known of a project's ecosystem: how it is built, and what comes out.
fn ecosystem(source: Option<VersionSource>, name: &str) -> (Vec<String>, Option<String>) {
    match source {
        Some(VersionSource::CargoToml) => {
            (vec!["cargo build --release --locked".into()], Some(format!("target/release/{name}")))
        }
        Some(VersionSource::MixExs) => (
            vec!["mix deps.get --only prod".into(), "MIX_ENV=prod mix release".into()],
            Some(format!("_build/prod/rel/{name}")),
        ),
        Some(VersionSource::PackageJson) => {
            (vec!["npm ci".into(), "npm run build".into()], Some("dist".into()))
        }
        Some(VersionSource::PyprojectToml) => (vec!["python3 -m build --wheel".into()], None),
        _ => (vec!["make".into()], None),
    }
}

fn project_file(root: &Path) -> String {
    let source = VersionSource::detect(root);
    let name = project_name(root, source);
    let (commands, product) = ecosystem(source, &name);
    let commands: Vec<String> = commands.iter().map(|command| quoted(command)).collect();
    let version = match source {
        Some(source) => format!("from = {}", quoted(source.name())),
        None => "from = \"git-tag\"   # or a file that has it: mix.exs, Cargo.toml, package.json, VERSION …"
            .into(),
    };
    let is_tree = matches!(source, Some(VersionSource::MixExs));
    let destination = if is_tree { format!("/usr/lib/{name}") } else { format!("/usr/bin/{name}") };
    let product = product.unwrap_or_else(|| name.clone());
    let mode = if is_tree { "" } else { "mode = \"0755\"\n" };
    format!(
        "# What is the same for every target. Every key: docs/reference/packhouse-toml.md\n\
         name = {name}\n\
         summary = \"{summary}\"\n\
         maintainer = \"Your Name <you@example.com>\"\n\
         # license = \"Apache-2.0\"\n\
         # homepage = \"https://example.com\"\n\
         \n\
         [version]\n\
         {version}\n\
         \n\
         [build]\n\
         engine = \"host\"\n\
         commands = [{commands}]\n\
         \n\
         # What the build made, and where it goes in the package.\n\
         [[files]]\n\
         source = {product}\n\
         destination = {destination}\n\
         {mode}\
         \n\
         # Without [sign] and [publish] a development key signs, and the site is the directory pkg/site.\n\
         # [sign]\n\
         # key-file = \"/run/secrets/signing-key.asc\"\n\
         # keyring = \"dist/trustedkeys.gpg\"\n\
         #\n\
         # [publish]\n\
         # to = \"/srv/www/dist/{bare}\"\n\
         # public-url = \"https://dist.example.com/{bare}\"\n",
        name = quoted(&name),
        bare = name,
        summary = "What it does, in one line",
        commands = commands.join(", "),
        product = quoted(&product),
        destination = quoted(&destination),
    )
}

/// The project's name from its manifest, else from its directory.
fn project_name(root: &Path, source: Option<VersionSource>) -> String {
    let text =
        source.and_then(|source| fs::read_to_string(root.join(source.name())).ok()).unwrap_or_default();
    let found = match source {
        Some(VersionSource::CargoToml | VersionSource::PyprojectToml) => {
            text.parse::<toml::Table>().ok().and_then(|manifest| {
                let section = manifest.get("package").or_else(|| manifest.get("project"))?;
                Some(section.get("name")?.as_str()?.to_owned())
            })
        }
        Some(VersionSource::PackageJson) => serde_json::from_str::<serde_json::Value>(&text)
            .ok()
            .and_then(|manifest| Some(manifest.get("name")?.as_str()?.rsplit('/').next()?.to_owned())),
        Some(VersionSource::MixExs) => text.split_once("app: :").map(|(_, rest)| {
            rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect::<String>()
        }),
        _ => None,
    };
    let directory = || root.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let name = found.filter(|name| !name.is_empty()).unwrap_or_else(directory);
    let name: String = name
        .to_lowercase()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '+') { c } else { '-' })
        .collect();
    if name.starts_with(|c: char| c.is_ascii_alphanumeric()) { name } else { "my-program".into() }
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Project;

    fn target(distribution: &str, version: &str) -> Target {
        Target { distribution: distribution.into(), version: version.into() }
    }

    #[test]
    fn what_init_writes_is_a_project() {
        for (name, manifest) in [
            ("Cargo.toml", "[package]\nname = \"hello\"\nversion = \"1.0.0\""),
            ("mix.exs", "def project do\n [app: :hello, version: \"1.0.0\"]"),
            ("package.json", "{\"name\": \"@scope/hello\", \"version\": \"1.0.0\"}"),
        ] {
            let root = tempfile::tempdir().unwrap();
            fs::write(root.path().join(name), manifest).unwrap();
            write(root.path(), &init(root.path()).unwrap()).unwrap();
            let project = Project::open(root.path()).unwrap_or_else(|problems| panic!("{problems:#?}"));
            assert_eq!(project.targets().count(), FIRST_TARGETS.len());
            assert_eq!(project.settings().texts.name.as_ref().unwrap().value, "hello");
            assert!(init(root.path()).is_err(), "never overwrites");
        }
    }

    #[test]
    fn an_existing_tree_keeps_its_targets() {
        let root = tempfile::tempdir().unwrap();
        write(root.path(), &add_target(root.path(), &target("centos", "7")).unwrap()).unwrap();
        let files = init(root.path()).unwrap();
        assert_eq!(files.len(), 1, "only the project file is new: {files:?}");
    }

    #[test]
    fn a_target_is_never_overwritten() {
        let root = tempfile::tempdir().unwrap();
        let debian = target("debian", "12");
        let files = add_target(root.path(), &debian).unwrap();
        assert!(files[0].text.starts_with("FROM debian:12\n"));
        assert_eq!(files[1].text, "-t deb\n");
        fs::create_dir_all(root.path().join("dist/debian/12")).unwrap();
        fs::write(root.path().join("dist/debian/12/fpm.cmd"), "-t deb -d mine\n").unwrap();
        let problems = add_target(root.path(), &debian).unwrap_err();
        assert_eq!(problems.iter().next().unwrap().path(), Path::new("dist/debian/12/fpm.cmd"));
    }

    #[test]
    fn an_unknown_distribution_gets_a_commented_start() {
        let root = tempfile::tempdir().unwrap();
        let files = add_target(root.path(), &target("haiku", "1")).unwrap();
        assert!(files[0].text.starts_with("# Packhouse does not know haiku"));
        assert!(files[1].text.contains("-t deb"));
        assert!(add_target(root.path(), &target("../x", "1")).is_err());
    }
}

//! Where a project's version comes from.
//!
//! Each ecosystem keeps it in a file of its own; it is read, never executed. What cannot be known without
//! running the file (a version computed in `mix.exs`, `dynamic` in `pyproject.toml`) is a problem with a fix,
//! not a guess.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use fs_err as fs;
use toml::de::{DeTable, DeValue};

use crate::reader::Located;
use crate::{Place, Problem, SourceFile};

/// A place a version can come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VersionSource {
    /// `version:` of a Mix project.
    MixExs,
    /// `package.version` or the workspace's.
    CargoToml,
    /// `version` of npm's manifest.
    PackageJson,
    /// `project.version` (PEP 621) or Poetry's.
    PyprojectToml,
    /// The only line of a file.
    VersionFile,
    /// The newest Git tag.
    GitTag,
}

impl VersionSource {
    /// Every source, in the order in which they are looked for when the project does not say.
    pub const ALL: [VersionSource; 6] = [
        VersionSource::MixExs,
        VersionSource::CargoToml,
        VersionSource::PackageJson,
        VersionSource::PyprojectToml,
        VersionSource::VersionFile,
        VersionSource::GitTag,
    ];

    /// What `[version] from` calls it.
    pub fn name(self) -> &'static str {
        match self {
            VersionSource::MixExs => "mix.exs",
            VersionSource::CargoToml => "Cargo.toml",
            VersionSource::PackageJson => "package.json",
            VersionSource::PyprojectToml => "pyproject.toml",
            VersionSource::VersionFile => "VERSION",
            VersionSource::GitTag => "git-tag",
        }
    }

    /// The source called `name`.
    pub fn parse(name: &str) -> Option<VersionSource> {
        VersionSource::ALL.into_iter().find(|source| source.name() == name)
    }

    /// The first source whose file `root` has.
    pub fn detect(root: &Path) -> Option<VersionSource> {
        VersionSource::ALL.into_iter().find(|source| root.join(source.name()).is_file())
    }

    /// Reads the version of the project at `root`; `tag` is the newest Git tag.
    ///
    /// # Errors
    /// When the file is missing or does not hold a version that can be read.
    pub fn read(self, root: &Path, tag: Option<&str>) -> Result<Located<String>, Box<Problem>> {
        if self == VersionSource::GitTag {
            return git_tag(tag);
        }
        let file = open(root, self.name())?;
        match self {
            VersionSource::MixExs => mix(&file),
            VersionSource::CargoToml => cargo(root, &file),
            VersionSource::PackageJson => package_json(&file),
            VersionSource::PyprojectToml => pyproject(&file),
            VersionSource::VersionFile | VersionSource::GitTag => version_file(&file),
        }
    }
}

/// The version as packages carry it: a semantic version's pre-release part is set off with `~`, which sorts
/// before the release for dpkg and rpm (`1.0.0-rc.1` → `1.0.0~rc.1`), and a leading `v` of a tag is cut.
///
/// ```
/// assert_eq!(packhouse_project::version::for_packages("1.0.0-rc.1"), "1.0.0~rc.1");
/// assert_eq!(packhouse_project::version::for_packages("v2.1"), "2.1");
/// ```
pub fn for_packages(version: &str) -> String {
    let version = match version.strip_prefix('v') {
        Some(rest) if rest.starts_with(|c: char| c.is_ascii_digit()) => rest,
        _ => version,
    };
    match version.split_once('-') {
        Some((release, pre)) if release.split('.').count() == 3 && is_numeric(release) => {
            format!("{release}~{pre}")
        }
        _ => version.to_owned(),
    }
}

fn is_numeric(release: &str) -> bool {
    release.split('.').all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
}

type Found = Result<Located<String>, Box<Problem>>;

const LITERAL: &str = "or write it down: [version] literal = \"1.2.3\" in dist/packhouse.toml";

fn open(root: &Path, name: &str) -> Result<Arc<SourceFile>, Box<Problem>> {
    let text = fs::read_to_string(root.join(name)).map_err(|error| {
        let reason = match error.kind() {
            std::io::ErrorKind::NotFound => {
                "there is no such file, and the version should come from it".to_owned()
            }
            _ => format!("cannot be read: {error}"),
        };
        Problem::with(name, reason).help(format!("set [version] from to the file that has it, {LITERAL}"))
    })?;
    // A byte order mark, as Windows' editors write it, is not part of the text.
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    Ok(Arc::new(SourceFile { path: PathBuf::from(name), text: text.into() }))
}

fn located(file: &Arc<SourceFile>, span: std::ops::Range<usize>, value: &str) -> Found {
    Ok(Located { value: value.to_owned(), place: Place { file: file.clone(), span } })
}

fn missing(file: &Arc<SourceFile>, message: &str) -> Found {
    Err(Box::new(Problem::with(&file.path, message).help(format!("add it, {LITERAL}"))))
}

fn git_tag(tag: Option<&str>) -> Found {
    let Some(tag) = tag else {
        let problem = Problem::with("git-tag", "no tag is reachable from the checked-out commit");
        return Err(Box::new(
            problem.help("tag a commit (`git tag v1.0.0`), or fetch the tags (`git fetch --tags`)"),
        ));
    };
    let file = Arc::new(SourceFile { path: "git-tag".into(), text: tag.into() });
    match version_in_tag(tag) {
        Some(start) => located(&file, start..tag.len(), &tag[start..]),
        None => {
            let place = Place { file, span: 0..tag.len() };
            let problem = Problem::at(&place, format!("the newest tag, `{tag}`, does not name a version"));
            Err(Box::new(problem.help(format!("tag the commit as in v1.2.3 or release-1.2, {LITERAL}"))))
        }
    }
}

/// Where a tag's version starts: `v1.2`, `1.2`, `release-1.2`, `program/v1.2`.
fn version_in_tag(tag: &str) -> Option<usize> {
    tag.match_indices(|c: char| c.is_ascii_digit()).map(|(at, _)| at).find(|at| {
        let before = &tag[..*at];
        let before = before.strip_suffix(['v', 'V']).unwrap_or(before);
        before.is_empty() || before.ends_with(['-', '/', '_'])
    })
}

fn version_file(file: &Arc<SourceFile>) -> Found {
    let version = file.text.trim();
    if version.is_empty() || version.contains('\n') {
        return missing(file, "must hold the version and nothing else");
    }
    let start = file.text.find(version).unwrap_or(0);
    located(file, start..start + version.len(), version)
}

fn package_json(file: &Arc<SourceFile>) -> Found {
    let manifest: serde_json::Value = serde_json::from_str(&file.text)
        .map_err(|error| Problem::with(&file.path, format!("not valid JSON: {error}")))?;
    match manifest.get("version").and_then(serde_json::Value::as_str) {
        Some(version) => {
            /// Borrows the value where it stands, unless it has escapes.
            #[derive(serde::Deserialize)]
            struct Top<'a> {
                #[serde(borrow)]
                version: std::borrow::Cow<'a, str>,
            }
            let top = serde_json::from_str::<Top<'_>>(&file.text);
            let span = match &top {
                Ok(Top { version: std::borrow::Cow::Borrowed(text) }) => {
                    let start = text.as_ptr().addr() - file.text.as_ptr().addr();
                    start..start + text.len()
                }
                _ => 0..0,
            };
            located(file, span, version)
        }
        None => missing(file, "has no `version`"),
    }
}

fn parse_toml(file: &Arc<SourceFile>) -> Result<DeTable<'_>, Box<Problem>> {
    let table = DeTable::parse(&file.text).map_err(|error| {
        let place = Place { file: file.clone(), span: error.span().unwrap_or(0..0) };
        Problem::at(&place, format!("not valid TOML: {}", error.message()))
    })?;
    Ok(table.into_inner())
}

fn lookup<'a, 'b>(table: &'a DeTable<'b>, path: &[&str]) -> Option<&'a toml::Spanned<DeValue<'b>>> {
    let (first, rest) = path.split_first()?;
    let value = table.get(*first)?;
    if rest.is_empty() { Some(value) } else { lookup(value.get_ref().as_table()?, rest) }
}

fn cargo(root: &Path, file: &Arc<SourceFile>) -> Found {
    let table = parse_toml(file)?;
    match lookup(&table, &["package", "version"]) {
        Some(version) => match version.get_ref().as_str() {
            Some(text) => return located(file, version.span(), text),
            None if version.get_ref().get("workspace").is_some() => {}
            None => return missing(file, "`package.version` is neither a string nor the workspace's"),
        },
        None if lookup(&table, &["package"]).is_some() => {
            return missing(file, "`[package]` has no `version`");
        }
        None => {}
    }
    // A virtual manifest, or a member: the workspace root is here or in a directory above (Cargo's own rule).
    for (above, directory) in root.ancestors().enumerate() {
        let Ok(text) = fs::read_to_string(directory.join("Cargo.toml")) else { continue };
        let path = PathBuf::from("../".repeat(above)).join("Cargo.toml");
        let file = Arc::new(SourceFile { path, text: text.into() });
        let table = parse_toml(&file)?;
        if let Some(version) = lookup(&table, &["workspace", "package", "version"])
            && let Some(text) = version.get_ref().as_str()
        {
            return located(&file, version.span(), text);
        }
        if lookup(&table, &["workspace"]).is_some() {
            return missing(&file, "`[workspace.package]` has no `version`");
        }
    }
    missing(file, "takes its version from a workspace, but no `[workspace]` is here or above")
}

fn pyproject(file: &Arc<SourceFile>) -> Found {
    let table = parse_toml(file)?;
    for path in [["project", "version"].as_slice(), &["tool", "poetry", "version"]] {
        if let Some(version) = lookup(&table, path)
            && let Some(text) = version.get_ref().as_str()
        {
            return located(file, version.span(), text);
        }
    }
    let dynamic = lookup(&table, &["project", "dynamic"]);
    let is_dynamic = dynamic
        .and_then(|list| list.get_ref().as_array())
        .is_some_and(|names| names.iter().any(|name| name.get_ref().as_str() == Some("version")));
    match dynamic {
        Some(list) if is_dynamic => {
            let place = Place { file: file.clone(), span: list.span() };
            let problem =
                Problem::at(&place, "the version is dynamic: only the build backend can compute it");
            Err(Box::new(
                problem.help(format!("use [version] from = \"git-tag\" or a VERSION file, {LITERAL}")),
            ))
        }
        _ => missing(file, "has no `project.version`"),
    }
}

/// The first `version:` of `def project`, a literal or the attribute `@version` with a literal.
fn mix(file: &Arc<SourceFile>) -> Found {
    let code = without_comments(&file.text);
    let start = code.find("def project").unwrap_or(0);
    let code = &code[..start + body_length(&code[start..])];
    let Some(key) = find_key(code, start) else {
        return missing(file, "`def project` has no `version:`");
    };
    let value = key + code[key..].len() - code[key..].trim_start().len();
    if let Some(span) = string_at(code, value).filter(|span| is_last(&code[span.end + 1..])) {
        return located(file, span.clone(), &file.text[span]);
    }
    if let Some(name) = attribute_at(code, value).filter(|name| is_last(&code[value + name.len()..])) {
        // The last one before its use counts.
        let definition = code[..value].rmatch_indices(name).map(|(at, _)| at).find_map(|at| {
            let starts_line = code[..at].rsplit('\n').next().is_some_and(|before| before.trim().is_empty());
            let after = at + name.len();
            let rest = code[after..].trim_start();
            let spaced = rest.len() < code[after..].len();
            (starts_line && spaced).then(|| code.len() - rest.len())
        });
        let span = definition.and_then(|at| string_at(code, at));
        if let Some(span) = span.filter(|span| is_whole(&code[span.end + 1..])) {
            return located(file, span.clone(), &file.text[span]);
        }
    }
    let end = code[value..].find(['\n', ',']).map_or(code.len(), |end| value + end);
    let place = Place { file: file.clone(), span: value..end };
    let problem = Problem::at(&place, "the version is computed, and mix.exs is read, not run");
    Err(Box::new(problem.help(format!("make it a string or an attribute `@version \"1.2.3\"`, {LITERAL}"))))
}

/// How far a function goes: to the line that begins the next one.
fn body_length(code: &str) -> usize {
    let mut length = 0;
    for (index, line) in code.split_inclusive('\n').enumerate() {
        let is_next = ["def ", "defp "].iter().any(|word| line.trim_start().starts_with(word));
        if index > 0 && is_next {
            break;
        }
        length += line.len();
    }
    length
}

/// Whether a value of a keyword list ends here, and does not go on as in `"1.0" <> suffix()`.
fn is_last(rest: &str) -> bool {
    let rest = rest.trim_start();
    rest.is_empty() || rest.starts_with([',', ']', ')', '}'])
}

/// Whether an attribute's value ends with its line, and is not continued on the next.
fn is_whole(rest: &str) -> bool {
    let (line, below) = rest.split_once('\n').unwrap_or((rest, ""));
    let goes_on = ["<>", "|>", "||"].iter().any(|operator| below.trim_start().starts_with(operator));
    (line.trim().is_empty() || line.trim_start().starts_with(';')) && !goes_on
}

fn find_key(code: &str, from: usize) -> Option<usize> {
    code[from..].match_indices("version:").map(|(at, key)| (from + at, from + at + key.len())).find_map(
        |(at, end)| {
            let before = code[..at].chars().next_back();
            let is_word = before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '"' || c == ':');
            (!is_word).then_some(end)
        },
    )
}

fn string_at(code: &str, at: usize) -> Option<std::ops::Range<usize>> {
    let rest = code[at..].strip_prefix('"')?;
    let end = rest.find('"')?;
    // An empty one begins a heredoc.
    let is_literal = end > 0 && !rest[..end].contains(['\\', '#']);
    is_literal.then_some(at + 1..at + 1 + end)
}

fn attribute_at(code: &str, at: usize) -> Option<&str> {
    let rest = code[at..].strip_prefix('@')?;
    let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
    Some(&code[at..at + 1 + end])
}

/// The same text with every comment and heredoc blanked, so that places stay.
fn without_comments(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let (length, is_blank) = match c {
            '"' if rest.starts_with("\"\"\"") => {
                (rest[3..].find("\"\"\"").map_or(rest.len(), |end| end + 6), true)
            }
            '"' => (string_length(rest), false),
            '#' => (rest.find('\n').unwrap_or(rest.len()), true),
            // A character's code, as in `?"` or `?\"`.
            '?' => {
                let count = if rest[1..].starts_with('\\') { 3 } else { 2 };
                (rest.chars().take(count).map(char::len_utf8).sum(), false)
            }
            _ => (c.len_utf8(), false),
        };
        let (part, behind) = rest.split_at(length);
        let blanked = |c: char| if is_blank && c != '\n' && c.is_ascii() { ' ' } else { c };
        code.extend(part.chars().map(blanked));
        rest = behind;
    }
    code
}

/// The length of the string that `text` begins with, quotes included.
fn string_length(text: &str) -> usize {
    let mut is_escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            '"' if !is_escaped => return at + 1,
            _ => is_escaped = c == '\\' && !is_escaped,
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(source: VersionSource, text: &str) -> Result<String, String> {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join(source.name()), text).unwrap();
        let found = source.read(directory.path(), None);
        found.map(|found| found.value).map_err(|problem| format!("{problem} at line {:?}", problem.line()))
    }

    #[test]
    fn mix_exs_literal_and_attribute() {
        let literal =
            "defmodule M do\n  def project do\n    [app: :m, version: \"0.1.0\", elixir: \"~> 1.14\"]\n";
        assert_eq!(read(VersionSource::MixExs, literal).unwrap(), "0.1.0");
        let attribute = "  # @version \"9\"\n  @version \"1.2.3\" # the version\n  def project do\n    [\n      # version: \"8\"\n      version: @version,\n";
        assert_eq!(read(VersionSource::MixExs, attribute).unwrap(), "1.2.3");
    }

    #[test]
    fn a_computed_mix_version_is_a_problem_with_its_line() {
        let computed = "def project do\n  [\n    version: File.read!(\"VERSION\"),\n  ]\n";
        assert!(read(VersionSource::MixExs, computed).unwrap_err().ends_with("at line Some(3)"));
        let interpolated = "def project do\n  [version: \"1.#{minor()}\"]\n";
        assert!(read(VersionSource::MixExs, interpolated).unwrap_err().ends_with("at line Some(2)"));
    }

    #[test]
    fn what_looks_like_a_mix_version_and_is_not_one_is_no_guess() {
        for text in [
            "def project do\n  [version: \"1.0.0\" <> suffix()]\n",
            "@version \"1.0\" <> \"x\"\ndef project do\n  [version: @version]\n",
            "@version \"1.0\"\n  <> \"x\"\ndef project do\n  [version: @version]\n",
            "def project do\n  [version: @version <> \"-dev\"]\n",
            "def project do\n  [version: \"\"\"\n  1.0\n  \"\"\"]\n",
            "def project do\n  [apps_path: \"apps\"]\nend\ndefp deps do\n  [{:a, version: \"9.9\"}]\n",
        ] {
            assert!(read(VersionSource::MixExs, text).is_err(), "{text}");
        }
        for text in [
            "@moduledoc \"\"\"\nA \" and def project: version: \"9\"\n\"\"\"\n@version \"1.0\"\ndef project do\n  [version: @version]\n",
            "@quote ?\"\n@version \"0\"\n@version \"1.0\" # \"2\"\ndef project do\n  [a: \"# no\",\n version: @version,\n]\nend\n",
        ] {
            assert_eq!(read(VersionSource::MixExs, text).unwrap(), "1.0", "{text}");
        }
    }

    #[test]
    fn a_tag_may_have_a_word_in_front() {
        for (tag, wanted) in [
            ("v1.2.3", "1.2.3"),
            ("release-1.2", "1.2"),
            ("app2/v1.0-rc.1", "1.0-rc.1"),
            ("2026.1", "2026.1"),
        ] {
            assert_eq!(VersionSource::GitTag.read(Path::new("/"), Some(tag)).unwrap().value, wanted);
        }
        assert!(VersionSource::GitTag.read(Path::new("/"), Some("nightly")).is_err());
    }

    #[test]
    fn the_place_in_package_json_is_the_versions_own() {
        let directory = tempfile::tempdir().unwrap();
        let text = "\u{feff}{\n \"engines\": {\"version\": \"1.0.0\"},\n \"version\": \"1.0.0\"\n}\n";
        fs::write(directory.path().join("package.json"), text).unwrap();
        let found = VersionSource::PackageJson.read(directory.path(), None).unwrap();
        assert_eq!(Problem::at(&found.place, "x").line(), Some(3));
        assert_eq!(&found.place.file.text[found.place.span], "1.0.0");
    }

    #[test]
    fn a_version_file_may_come_from_windows() {
        assert_eq!(read(VersionSource::VersionFile, "\u{feff}1.2.3 \r\n\r\n").unwrap(), "1.2.3");
        assert!(read(VersionSource::VersionFile, "1.2\n3\n").is_err());
    }

    #[test]
    fn cargo_toml_package_and_workspace() {
        assert_eq!(read(VersionSource::CargoToml, "[package]\nversion = \"1.0.0\"").unwrap(), "1.0.0");
        let inherited = "[package]\nversion.workspace = true\n[workspace.package]\nversion = \"2.0.0\"";
        assert_eq!(read(VersionSource::CargoToml, inherited).unwrap(), "2.0.0");
        assert_eq!(
            read(VersionSource::CargoToml, "[workspace.package]\nversion = \"3.0.0\"").unwrap(),
            "3.0.0"
        );
        assert!(read(VersionSource::CargoToml, "[package]\nname = \"x\"").is_err());
    }

    #[test]
    fn a_member_takes_the_version_of_the_workspace_above() {
        let directory = tempfile::tempdir().unwrap();
        let member = directory.path().join("crates/member");
        fs::create_dir_all(&member).unwrap();
        fs::write(directory.path().join("Cargo.toml"), "[workspace.package]\nversion = \"4.0.0\"").unwrap();
        fs::write(member.join("Cargo.toml"), "[package]\nversion = { workspace = true }").unwrap();
        assert_eq!(VersionSource::CargoToml.read(&member, None).unwrap().value, "4.0.0");
    }

    #[test]
    fn package_json_and_version_file() {
        assert_eq!(
            read(VersionSource::PackageJson, "{\"name\": \"x\", \"version\": \"5.1.0\"}").unwrap(),
            "5.1.0"
        );
        assert!(read(VersionSource::PackageJson, "{\"name\": \"x\"}").is_err());
        assert_eq!(read(VersionSource::VersionFile, "6.0\n").unwrap(), "6.0");
        assert!(read(VersionSource::VersionFile, "6.0\n7.0\n").is_err());
    }

    #[test]
    fn pyproject_static_poetry_and_dynamic() {
        assert_eq!(read(VersionSource::PyprojectToml, "[project]\nversion = \"1.1\"").unwrap(), "1.1");
        assert_eq!(read(VersionSource::PyprojectToml, "[tool.poetry]\nversion = \"1.2\"").unwrap(), "1.2");
        let dynamic = read(VersionSource::PyprojectToml, "[project]\nname = \"x\"\ndynamic = [\"version\"]");
        assert!(dynamic.unwrap_err().contains("dynamic"));
    }

    #[test]
    fn a_missing_file_says_what_to_do() {
        let directory = tempfile::tempdir().unwrap();
        let problem = VersionSource::MixExs.read(directory.path(), None).unwrap_err();
        assert_eq!(problem.path(), Path::new("mix.exs"));
        assert!(problem.fix().unwrap().contains("literal"));
    }

    #[test]
    fn pre_releases_sort_before_their_release() {
        assert_eq!(for_packages("1.0.0-beta.2"), "1.0.0~beta.2");
        assert_eq!(for_packages("1.0-2"), "1.0-2");
        assert_eq!(for_packages("vendor-1"), "vendor-1");
    }
}

//! Which files the package holds.

use std::path::{Component, Path, PathBuf};

use packhouse_package::assemble::{Attributes, FileRule, FileRules, Source};
use packhouse_package::{Capabilities, Entry, Mark, PackagePath};

use super::{Inputs, mode};
use crate::file::{FileSettings, Located};
use crate::{Problem, Problems};

pub(super) fn resolve(inputs: &Inputs<'_>, problems: &mut Problems) -> FileRules {
    let (arguments, settings) = (inputs.arguments, inputs.settings);
    let files = settings.files.iter().flatten().filter_map(|file| rule(file, problems)).collect();
    let prefix = arguments.one("prefix").filter(|prefix| !prefix.value.trim_matches('/').is_empty());
    let config_files = settings.lists.config_files.iter().flatten().chain(arguments.many("config-files"));
    FileRules {
        files,
        trees: vec![inputs.root.join(inputs.directory()).join("inc")],
        extra: Vec::new(),
        prefix: prefix.and_then(|prefix| package_path(prefix, problems)),
        excludes: excludes(inputs, problems),
        config_files: config_files.filter_map(|path| package_path(path, problems)).collect(),
        etc_is_plain: false,
        attributes: Vec::new(),
        file_mode: None,
        directory_mode: None,
    }
}

/// Checks a path of the package.
pub(super) fn package_path(written: &Located<String>, problems: &mut Problems) -> Option<PackagePath> {
    PackagePath::new(&written.value)
        .map_err(|error| problems.push(Problem::at(&written.place, error.to_string())))
        .ok()
}

fn rule(file: &FileSettings, problems: &mut Problems) -> Option<FileRule> {
    let destination = file.destination.as_ref().and_then(|path| package_path(path, problems));
    let mut attributes = Attributes {
        mode: file.mode.as_ref().and_then(|written| mode(written, problems)),
        user: file.owner.as_ref().and_then(|owner| account(owner, problems)),
        group: file.group.as_ref().and_then(|group| account(group, problems)),
        mark: None,
        capabilities: file.capabilities.as_ref().and_then(|written| capabilities(written, problems)),
    };
    let kind = file.kind.as_ref().map(|kind| kind.value.as_str());
    let source = match (kind, &file.source) {
        (Some(what @ ("directory" | "symlink" | "ghost")), _) if file.capabilities.is_some() => {
            let place = file.capabilities.as_ref().map_or(&file.place, |written| &written.place);
            let problem = Problem::at(place, format!("a {what} has no capabilities"));
            problems.push(problem.help("name the program that has them"));
            return None;
        }
        (Some("directory"), None) => Source::Directory,
        (Some("ghost"), None) => Source::Ghost,
        (Some("ghost"), Some(source)) => {
            let problem = Problem::at(&source.place, "a ghost has no `source`");
            problems.push(problem.help("the program makes it on the customer's machine; leave `source` out"));
            return None;
        }
        (Some("symlink"), Some(target)) if !target.value.is_empty() => {
            Source::Symlink(target.value.clone().into())
        }
        (Some("symlink"), _) => {
            let problem = Problem::at(&file.place, "a symlink needs a `source`: what it points to");
            problems.push(problem.help("source = \"../lib/program/bin/program\""));
            return None;
        }
        (None | Some("file" | "config" | "doc" | "license"), source) => {
            attributes.mark = match kind {
                Some("config") => Some(Mark::Config),
                Some("doc") => Some(Mark::Documentation),
                Some("license") => Some(Mark::License),
                _ => None,
            };
            match source {
                Some(source) => Source::Build(source_path(source, problems)?),
                None => Source::Present,
            }
        }
        (Some("directory"), Some(source)) => {
            let problem = Problem::at(&source.place, "an empty directory has no `source`");
            problems.push(problem.help("leave `type` out to copy a directory with what it holds"));
            return None;
        }
        (Some(_), _) => {
            let written = file.kind.as_ref()?;
            let problem =
                Problem::at(&written.place, format!("there is no type `{}` of file", written.value));
            problems.push(problem.help("file, config, doc, license, directory, symlink or ghost"));
            return None;
        }
    };
    Some(FileRule { source, destination: destination?, attributes })
}

/// A path below the directory that the project is built in.
fn source_path(written: &Located<String>, problems: &mut Problems) -> Option<PathBuf> {
    let path = Path::new(&written.value);
    let is_below = path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    if !is_below || written.value.is_empty() {
        let problem =
            Problem::at(&written.place, format!("`{}` is not below the project's directory", written.value));
        problems.push(problem.help("name what the build made, as in \"_build/prod/rel/program\""));
        return None;
    }
    Some(path.into())
}

/// Capabilities as setcap(8) reads them.
fn capabilities(written: &Located<String>, problems: &mut Problems) -> Option<Capabilities> {
    let parsed = Capabilities::parse(&written.value);
    if parsed.is_none() {
        let problem = Problem::at(&written.place, format!("`{}` are no capabilities", written.value));
        problems.push(problem.help("as setcap(8) has them: \"cap_net_bind_service=ep\""));
    }
    parsed
}

/// A user's or group's name (useradd(8)).
fn account(written: &Located<String>, problems: &mut Problems) -> Option<String> {
    let name = &written.value;
    let known = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
    let is_name = name.len() <= 32
        && name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && name.bytes().all(known);
    if !is_name {
        problems.push(Problem::at(&written.place, format!("`{name}` cannot be a user's or group's name")));
        return None;
    }
    Some(name.clone())
}

fn excludes(inputs: &Inputs<'_>, problems: &mut Problems) -> Vec<String> {
    let listed = inputs.settings.lists.exclude.iter().flatten().chain(inputs.arguments.many("exclude"));
    let mut patterns: Vec<String> = listed.map(|pattern| pattern.value.clone()).collect();
    if let Some(text) = inputs.text_of("exclude-file", problems) {
        patterns.extend(text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned));
    }
    patterns
}

/// `MODE,USER,GROUP:PATH` of `--rpm-attr`, or without the path of a default.
pub(super) fn attribute(
    written: &Located<String>,
    problems: &mut Problems,
) -> Option<(PackagePath, Attributes)> {
    let parts = written.value.split_once(':').and_then(|(attributes, path)| {
        let words: Vec<&str> = attributes.split(',').map(str::trim).collect();
        <[&str; 3]>::try_from(words).ok().map(|words| (words, path))
    });
    let Some(([bits, user, group], path)) = parts else {
        let problem = Problem::at(&written.place, format!("`{}` is not MODE,USER,GROUP:PATH", written.value));
        problems.push(problem.help("as in 0750,root,adm:/var/log/program; `-` keeps what is there"));
        return None;
    };
    let part = |value: &str| Located { value: value.to_owned(), place: written.place.clone() };
    let name = |word: &str, problems: &mut Problems| {
        if word == "-" { None } else { account(&part(word), problems) }
    };
    let attributes = Attributes {
        mode: mode(&part(bits), problems),
        user: name(user, problems),
        group: name(group, problems),
        mark: None,
        capabilities: None,
    };
    Some((package_path(&part(path), problems)?, attributes))
}

/// `USER` and `GROUP` flags of a format, when at least one is given.
pub(super) fn owner(
    inputs: &Inputs<'_>,
    format: &str,
    problems: &mut Problems,
) -> Option<packhouse_package::Owner> {
    let user = inputs.arguments.one(&format!("{format}-user"));
    let group = inputs.arguments.one(&format!("{format}-group"));
    if user.is_none() && group.is_none() {
        return None;
    }
    let mut owner = packhouse_package::Owner::default();
    if let Some(user) = user.and_then(|user| account(user, problems)) {
        owner.user = user.into();
    }
    if let Some(group) = group.and_then(|group| account(group, problems)) {
        owner.group = group.into();
    }
    Some(owner)
}

pub(super) fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// A file that a flag names, put into `directory` without `suffix`.
pub(super) fn copy(
    inputs: &Inputs<'_>,
    named: &Located<String>,
    (directory, suffix): (&str, &str),
    mode: u16,
    mark: Mark,
    problems: &mut Problems,
) -> Option<(PackagePath, Entry)> {
    let path = inputs.file(named, problems)?;
    let name = file_name(&path);
    let name = name.strip_suffix(suffix).unwrap_or(&name);
    let destination = Located { value: format!("{directory}/{name}"), place: named.place.clone() };
    let mut entry = Entry::bytes(inputs.bytes(named, problems)?, mode);
    entry.mark = mark;
    Some((package_path(&destination, problems)?, entry))
}

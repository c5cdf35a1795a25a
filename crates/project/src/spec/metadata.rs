//! What the package says about itself.

use std::sync::Arc;

use packhouse_package::{
    Arch, ChangelogEntry, Metadata, PackageName, Relation, Relations, Version, changelog,
};

use super::{Inputs, number};
use crate::file::Located;
use crate::project::PROJECT_FILE;
use crate::{Place, Problem, Problems, SourceFile};

pub(super) fn resolve(inputs: &Inputs<'_>, problems: &mut Problems) -> Option<Metadata> {
    let (arguments, texts) = (inputs.arguments, &inputs.settings.texts);
    let text = |flag: &str, setting: &Option<Located<String>>| {
        arguments
            .one(flag)
            .or(setting.as_ref())
            .map(|text| text.value.clone())
            .filter(|text| !text.is_empty())
    };
    let name = name(arguments.one("name").or(texts.name.as_ref()), problems);
    let (summary, description) = description(inputs, problems);
    let maintainer = text("maintainer", &texts.maintainer);
    if maintainer.is_none() {
        let problem = Problem::with(PROJECT_FILE, "`maintainer` is missing");
        problems.push(problem.help("add `maintainer = \"Name <address>\"`, who answers for the package"));
    }
    let metadata = Metadata {
        name: name?,
        version: version(inputs, problems),
        arch: arch(inputs, problems),
        summary: summary?,
        description,
        homepage: text("url", &texts.homepage),
        vendor: text("vendor", &texts.vendor),
        maintainer: maintainer.clone()?,
        license: text("license", &texts.license),
        category: text("category", &texts.category),
        relations: relations(inputs, problems),
        changelog: changelog(inputs, maintainer.as_deref().unwrap_or_default(), problems),
    };
    if let Err(error) = metadata.check() {
        problems.push(inputs.problem(&error));
        return None;
    }
    Some(metadata)
}

/// Nobody reads more; what is larger is another file by mistake.
const LONGEST_CHANGELOG: u64 = 1024 * 1024;

/// `[package] changelog`: what is wrong with it is shown in it.
fn changelog(inputs: &Inputs<'_>, maintainer: &str, problems: &mut Problems) -> Vec<ChangelogEntry> {
    let Some(named) = &inputs.settings.package.changelog else { return Vec::new() };
    let Some(path) = inputs.file(named, problems) else { return Vec::new() };
    let length = fs_err::metadata(inputs.root.join(&path)).map_or(0, |metadata| metadata.len());
    if length > LONGEST_CHANGELOG {
        let message =
            format!("{length} bytes are more than the {LONGEST_CHANGELOG} that a changelog may have");
        problems.push(Problem::at(&named.place, message).help("keep the entries of the last years"));
        return Vec::new();
    }
    let Some(text) = inputs.text(named, problems) else { return Vec::new() };
    changelog::parse(&text, maintainer).unwrap_or_else(|errors| {
        let file = Arc::new(SourceFile { path, text: text.as_str().into() });
        for error in errors {
            let start: usize = text.split_inclusive('\n').take(error.line - 1).map(str::len).sum();
            let length = text[start..].lines().next().map_or(0, str::len);
            let place = Place { file: file.clone(), span: start..start + length };
            let problem = Problem::at(&place, error.reason);
            problems.push(problem.help("Debian's form and that of keepachangelog.com are read"));
        }
        Vec::new()
    })
}

fn name(written: Option<&Located<String>>, problems: &mut Problems) -> Option<PackageName> {
    let Some(written) = written else {
        let problem = Problem::with(PROJECT_FILE, "`name` is missing");
        problems.push(problem.help("add `name = \"my-program\"`"));
        return None;
    };
    PackageName::new(&written.value)
        .map_err(|error| {
            problems.push(Problem::at(&written.place, error.to_string()).maybe_help(error.help()))
        })
        .ok()
}

/// fpm's description is one text whose first line is the summary; the project file has both.
fn description(inputs: &Inputs<'_>, problems: &mut Problems) -> (Option<String>, String) {
    let texts = &inputs.settings.texts;
    let split = |text: &str| {
        let (first, rest) = text.trim().split_once('\n').unwrap_or((text.trim(), ""));
        (Some(first.trim().to_owned()).filter(|line| !line.is_empty()), rest.trim_matches('\n').to_owned())
    };
    let (summary, description) =
        match (inputs.arguments.one("description"), &texts.summary, &texts.description) {
            (Some(given), _, _) => split(&given.value),
            (None, Some(summary), description) => {
                let rest = description.as_ref().map(|text| text.value.trim().to_owned()).unwrap_or_default();
                (Some(summary.value.trim().to_owned()), rest)
            }
            (None, None, Some(description)) => split(&description.value),
            (None, None, None) => (None, String::new()),
        };
    if summary.is_none() {
        let problem = Problem::with(PROJECT_FILE, "`summary` is missing");
        problems.push(problem.help("add `summary = \"Does one thing well\"`, one line"));
    }
    (summary, description)
}

fn version(inputs: &Inputs<'_>, problems: &mut Problems) -> Version {
    let settings = &inputs.settings.version;
    // As in fpm, an empty value is none.
    let flag = inputs.arguments.one("epoch").filter(|epoch| !epoch.value.is_empty());
    let epoch = match (flag, &settings.epoch) {
        (Some(epoch), _) => number(epoch, "an epoch", problems),
        (None, Some(epoch)) => match u32::try_from(epoch.value) {
            Ok(epoch) => Some(epoch),
            Err(_) => {
                problems.push(Problem::at(&epoch.place, "an epoch must be a whole number from 0"));
                None
            }
        },
        (None, None) => None,
    };
    let release = inputs.release().map(|release| release.value.clone());
    Version { epoch, version: inputs.version.to_owned(), release, elements: Some(inputs.elements.clone()) }
}

fn arch(inputs: &Inputs<'_>, problems: &mut Problems) -> Arch {
    let written = inputs.arguments.one("architecture").or(inputs.settings.texts.architecture.as_ref());
    match written {
        None => inputs.arch,
        Some(written) if written.value == "native" => inputs.arch,
        Some(written) => Arch::parse(&written.value).unwrap_or_else(|| {
            let problem = Problem::at(
                &written.place,
                format!("`{}` is no architecture Packhouse knows", written.value),
            );
            problems
                .push(problem.help("native, all, x86_64, aarch64, i686, armv7l, ppc64le, riscv64 or s390x"));
            inputs.arch
        }),
    }
}

fn relations(inputs: &Inputs<'_>, problems: &mut Problems) -> Relations {
    let lists = &inputs.settings.lists;
    let mut read = |setting: &Option<Vec<Located<String>>>, flags: &[&str]| {
        let mut relations = Vec::new();
        let given = flags.iter().flat_map(|flag| inputs.arguments.many(flag));
        for written in setting.iter().flatten().chain(given) {
            match Relation::parse(&written.value) {
                Some(relation) if relations.contains(&relation) => {}
                Some(relation) => relations.push(relation),
                None => {
                    let message = format!("`{}` is no relation to a package", written.value.escape_debug());
                    problems.push(
                        Problem::at(&written.place, message).help("`name` or `name >= version`, on one line"),
                    );
                }
            }
        }
        relations
    };
    let depends = read(&lists.depends, &["depends"]);
    let is_without = inputs.arguments.switch("no-depends") == Some(true);
    // What only a deb's flags can say is meant for a deb; an rpm target does not have them.
    let format = inputs.format.get().name();
    let of_format = |flag: &'static str| if flag.starts_with(format) { vec![flag] } else { Vec::new() };
    Relations {
        depends: if is_without { Vec::new() } else { depends },
        pre_depends: read(&lists.pre_depends, &of_format("deb-pre-depends")),
        recommends: read(&lists.recommends, &of_format("deb-recommends")),
        suggests: read(&lists.suggests, &of_format("deb-suggests")),
        enhances: read(&lists.enhances, &[]),
        provides: read(&lists.provides, &["provides"]),
        conflicts: read(&lists.conflicts, &["conflicts"]),
        replaces: read(&lists.replaces, &["replaces"]),
    }
}

//! What only an rpm can say.

use packhouse_package::rpm::{
    Dependency, DependencyKind, FileDigest, FileTrigger, FileTriggerMoment, FormatVersion, Options, Trigger,
    TriggerMoment,
};
use packhouse_package::{Mark, Relation};

use super::{Additions, Inputs, files, mode};
use crate::file::{Located, TriggerSettings};
use crate::{Problem, Problems};

/// The options, and what flags add to the package.
pub(super) fn resolve(inputs: &Inputs<'_>, problems: &mut Problems) -> (Options, Additions) {
    let arguments = inputs.arguments;
    let mut additions = Additions {
        attributes: arguments.many("rpm-attr").filter_map(|it| files::attribute(it, problems)).collect(),
        file_mode: arguments.one("rpm-defattrfile").and_then(|bits| mode(bits, problems)),
        directory_mode: arguments.one("rpm-defattrdir").and_then(|bits| mode(bits, problems)),
        ..Additions::default()
    };
    for named in arguments.many("rpm-init") {
        let init = files::copy(inputs, named, ("/etc/init.d", ".init"), 0o755, Mark::Config, problems);
        additions.files.extend(init);
    }
    check_os(inputs, problems);
    check_defines(inputs, problems);
    let mut options = Options {
        dist: arguments.one("rpm-dist").map(|dist| dist.value.clone()).filter(|dist| !dist.is_empty()),
        summary: arguments.one("rpm-summary").map(|summary| summary.value.clone()),
        file_digest: digest(inputs, problems),
        owner: files::owner(inputs, "rpm", problems),
        changelog: inputs.text_of("rpm-changelog", problems),
        before_transaction: inputs.script_of("rpm-pretrans", problems),
        after_transaction: inputs.script_of("rpm-posttrans", problems),
        verify: inputs.script_of("rpm-verifyscript", problems),
        triggers: Vec::new(),
        own_directories: arguments
            .many("directories")
            .filter_map(|it| files::package_path(it, problems))
            .collect(),
        disown_directories: arguments
            .many("rpm-auto-add-exclude-directories")
            .filter_map(|it| files::package_path(it, problems))
            .collect(),
        ignore_release_in_dependencies: arguments
            .switch("rpm-ignore-iteration-in-dependencies")
            .unwrap_or(false),
        ..Options::default()
    };
    triggers(inputs, &mut options, problems);
    options.version = version(inputs, problems);
    for written in arguments.many("rpm-tag") {
        tag(written, &mut options, problems);
    }
    (options, additions)
}

fn digest(inputs: &Inputs<'_>, problems: &mut Problems) -> FileDigest {
    let Some(written) = inputs.arguments.one("rpm-digest") else { return FileDigest::default() };
    match written.value.as_str() {
        "sha256" => FileDigest::Sha256,
        "sha384" => FileDigest::Sha384,
        "sha512" => FileDigest::Sha512,
        other => {
            let problem = Problem::at(&written.place, format!("`{other}` cannot be the digest of files"));
            problems.push(problem.help("sha256, sha384 or sha512; FIPS systems refuse md5 and sha1"));
            FileDigest::default()
        }
    }
}

fn check_os(inputs: &Inputs<'_>, problems: &mut Problems) {
    if let Some(os) = inputs.arguments.one("rpm-os").filter(|os| os.value != "linux") {
        let problem =
            Problem::at(&os.place, format!("`{}` is not what a target's package runs on", os.value));
        problems.push(problem.help("`--rpm-os linux`, or leave it out"));
    }
}

/// Definitions are rpmbuild's; in practice they only switch off what Packhouse never does.
fn check_defines(inputs: &Inputs<'_>, problems: &mut Problems) {
    const HARMLESS: &[&str] = &["_build_id_links", "_use_internal_dependency_generator", "__os_install_post"];
    for define in inputs.arguments.many("rpm-rpmbuild-define") {
        let name = define.value.split_whitespace().next().unwrap_or_default();
        if !HARMLESS.contains(&name) {
            let problem =
                Problem::at(&define.place, format!("rpmbuild's macro `{name}` has no meaning here"));
            problems.push(
                problem.help("Packhouse writes the rpm itself; say what the package should have instead"),
            );
        }
    }
}

/// A line of a spec file's preamble, as in `Requires(post): systemd`.
fn tag(written: &Located<String>, options: &mut Options, problems: &mut Problems) {
    let line = written.value.split_once(':').map(|(name, value)| (name.trim().to_lowercase(), value.trim()));
    let (name, value) = line.unwrap_or_default();
    if value.is_empty() || value.chars().any(char::is_control) {
        let problem = Problem::at(&written.place, format!("`{}` is no tag", written.value.escape_debug()));
        problems.push(problem.help("`Tag: value` on one line, as in `Requires(post): systemd`"));
        return;
    }
    if let Some(kind) = DependencyKind::parse(&name) {
        // A spec's line may name several, separated by commas.
        for part in value.split(',') {
            match Relation::parse(part) {
                Some(relation) => options.dependencies.push(Dependency { kind, relation }),
                None => problems.push(Problem::at(&written.place, "an empty relation between commas")),
            }
        }
        return;
    }
    match name.as_str() {
        "distribution" => options.distribution = Some(value.to_owned()),
        "bugurl" => options.bug_url = Some(value.to_owned()),
        "prefix" => options.prefixes.push(value.to_owned()),
        "autoreqprov" | "autoreq" | "autoprov" if value == "no" => {}
        other => {
            let problem = Problem::at(&written.place, format!("the tag `{other}` cannot be set here"));
            problems.push(problem.help(
                "relations, Distribution, BugURL and Prefix can; what the package says of itself is in dist/packhouse.toml",
            ));
        }
    }
}

/// `[rpm] format`.
fn version(inputs: &Inputs<'_>, problems: &mut Problems) -> FormatVersion {
    let Some(written) = &inputs.settings.rpm.format else { return FormatVersion::default() };
    match written.value {
        4 => FormatVersion::V4,
        6 => FormatVersion::V6,
        other => {
            let problem = Problem::at(&written.place, format!("there is no rpm format {other}"));
            problems.push(problem.help("4, which every rpm reads, or 6, which rpm reads from 4.18 on"));
            FormatVersion::default()
        }
    }
}

fn triggers(inputs: &Inputs<'_>, options: &mut Options, problems: &mut Problems) {
    for (flag, moment) in [
        ("rpm-trigger-before-install", TriggerMoment::BeforeInstall),
        ("rpm-trigger-after-install", TriggerMoment::AfterInstall),
        ("rpm-trigger-before-uninstall", TriggerMoment::BeforeUninstall),
        ("rpm-trigger-after-target-uninstall", TriggerMoment::AfterUninstall),
    ] {
        for written in inputs.arguments.many(flag) {
            options.triggers.extend(trigger(inputs, written, moment, problems));
        }
    }
    for written in inputs.settings.rpm.triggers.iter().flatten() {
        of_table(inputs, written, options, problems);
    }
}

/// One of `[[rpm.triggers]]`: set off by a package, or by files.
fn of_table(
    inputs: &Inputs<'_>,
    written: &TriggerSettings,
    options: &mut Options,
    problems: &mut Problems,
) -> Option<()> {
    const WHEN: &str = "when = \"before-install\", \"after-install\", \"before-remove\" or \"after-remove\"";
    let missing = |what: &str, help: &str, problems: &mut Problems| {
        let message = format!("one of `[[rpm.triggers]]` has no `{what}`");
        problems.push(Problem::at(&written.place, message).help(help));
    };
    if written.script.is_none() {
        missing("script", "the file that runs: script = \"dist/scripts/refresh.sh\"", problems);
    }
    let script = written.script.as_ref().and_then(|script| inputs.script(script, problems));
    let Some(when) = &written.when else {
        missing("when", WHEN, problems);
        return None;
    };
    let moment = match when.value.as_str() {
        "before-install" => TriggerMoment::BeforeInstall,
        "after-install" => TriggerMoment::AfterInstall,
        "before-remove" => TriggerMoment::BeforeUninstall,
        "after-remove" => TriggerMoment::AfterUninstall,
        other => {
            problems.push(Problem::at(&when.place, format!("there is no moment `{other}`")).help(WHEN));
            return None;
        }
    };
    match (&written.package, &written.paths) {
        (Some(package), None) => {
            let of_files =
                [written.priority.as_ref().map(|it| &it.place), written.once.as_ref().map(|it| &it.place)];
            if let Some(place) = of_files.into_iter().flatten().next() {
                let problem = Problem::at(place, "only a trigger with `paths` has `priority` and `once`");
                problems.push(problem.help("leave it out"));
            }
            let Some(relation) = Relation::parse(&package.value) else {
                let problem = Problem::at(&package.place, format!("`{}` is no package", package.value));
                problems.push(problem.help("as in \"nginx\" or \"nginx >= 1.20\""));
                return None;
            };
            options.triggers.push(Trigger { moment, package: relation, script: script? });
        }
        (None, Some(paths)) if !paths.is_empty() => {
            let moment = match moment {
                TriggerMoment::AfterInstall => FileTriggerMoment::AfterInstall,
                TriggerMoment::BeforeUninstall => FileTriggerMoment::BeforeUninstall,
                TriggerMoment::AfterUninstall => FileTriggerMoment::AfterUninstall,
                TriggerMoment::BeforeInstall => {
                    let problem = Problem::at(&when.place, "files set nothing off before they are installed");
                    problems.push(problem.help("after-install, before-remove or after-remove"));
                    return None;
                }
            };
            let mut checked = Vec::new();
            for path in paths {
                if !path.value.starts_with('/') || path.value.contains(char::is_whitespace) {
                    let problem = Problem::at(&path.place, format!("`{}` is no absolute path", path.value));
                    problems.push(problem.help("as in \"/usr/lib/hello/plugins\", without blanks"));
                } else {
                    checked.push(path.value.clone());
                }
            }
            let priority = match &written.priority {
                None => FileTrigger::PRIORITY,
                Some(written) => u32::try_from(written.value).unwrap_or_else(|_| {
                    let problem = Problem::at(&written.place, "a priority is a whole number from 0");
                    problems.push(problem.help("rpm's own is 1000000; higher ones run first"));
                    FileTrigger::PRIORITY
                }),
            };
            let paths = checked;
            let once = written.once.as_ref().is_some_and(|once| once.value);
            options.file_triggers.push(FileTrigger { moment, paths, priority, once, script: script? });
        }
        _ => {
            let problem = Problem::at(&written.place, "a trigger waits for a package or for files");
            problems.push(problem.help("either package = \"nginx >= 1.20\" or paths = [\"/usr/lib/hello\"]"));
        }
    }
    Some(())
}

/// `[OPTIONS]PACKAGE: FILE`; the only option is `-p INTERPRETER`.
fn trigger(
    inputs: &Inputs<'_>,
    written: &Located<String>,
    moment: TriggerMoment,
    problems: &mut Problems,
) -> Option<Trigger> {
    let (options, rest) = match written.value.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((options, rest)) => (options.trim(), rest),
        None => ("", written.value.as_str()),
    };
    let parts =
        rest.split_once(": ").and_then(|(package, file)| Some((Relation::parse(package)?, file.trim())));
    let interpreter = options.strip_prefix("-p ").map(str::trim);
    let (Some((package, file)), true) = (parts, options.is_empty() || interpreter.is_some()) else {
        let problem =
            Problem::at(&written.place, format!("`{}` is no trigger", written.value.escape_debug()));
        problems.push(problem.help("`PACKAGE: FILE` or `[-p INTERPRETER]PACKAGE: FILE`"));
        return None;
    };
    let mut script =
        inputs.script(&Located { value: file.to_owned(), place: written.place.clone() }, problems)?;
    if let Some(interpreter) = interpreter {
        script = script.interpreted_by(interpreter);
    }
    Some(Trigger { moment, package, script })
}

//! What only a deb can say.

use packhouse_package::deb::{Options, Trigger};
use packhouse_package::{Entry, Mark, PackagePath};

use super::setup::Flags;
use super::{Additions, Inputs, files, number};
use crate::file::Located;
use crate::{Problem, Problems, distribution};

/// Where fpm puts units.
const UNIT_DIRECTORY: &str = "/lib/systemd/system";

/// The options, and what flags add to the package.
pub(super) fn resolve(inputs: &Inputs<'_>, problems: &mut Problems) -> (Options, Additions) {
    let arguments = inputs.arguments;
    let is_on = |flag: &str, default: bool| arguments.switch(flag).unwrap_or(default);
    let mut additions =
        Additions { etc_is_plain: is_on("deb-no-default-config-files", false), ..Additions::default() };
    let auto_config = is_on("deb-auto-config-files", true);
    for (flag, directory, mode) in
        [("deb-init", "/etc/init.d", 0o755), ("deb-default", "/etc/default", 0o644)]
    {
        for named in arguments.many(flag) {
            let suffix = if flag == "deb-init" { ".init" } else { ".default" };
            let mark = if auto_config { Mark::Config } else { Mark::NotConfig };
            let files = &mut additions.files;
            files.extend(files::copy(inputs, named, (directory, suffix), mode, mark, problems));
        }
    }
    additions.services = services(inputs, &mut additions.files, problems);
    let options = Options {
        priority: arguments.one("deb-priority").map(|priority| priority.value.clone()),
        fields: arguments.many("deb-field").filter_map(|field| self::field(field, problems)).collect(),
        installed_size: arguments
            .one("deb-installed-size")
            .and_then(|size| number(size, "an installed size", problems)),
        owner: files::owner(inputs, "deb", problems),
        distribution: arguments.one("deb-dist").map(|suite| suite.value.clone()),
        changelog: inputs.text_of("deb-changelog", problems),
        upstream_changelog: inputs.text_of("deb-upstream-changelog", problems),
        control_members: arguments
            .many("deb-meta-file")
            .filter_map(|named| member(inputs, named, problems))
            .collect(),
        config: inputs.script_of("deb-config", problems),
        templates: inputs.text_of("deb-templates", problems),
        shlibs: arguments.one("deb-shlibs").map(|text| text.value.clone()),
        triggers: triggers(inputs, problems),
        after_purge: inputs.script_of("deb-after-purge", problems),
        check_errors: is_on("deb-maintainerscripts-force-errorchecks", false),
        ignore_release_in_dependencies: is_on("deb-ignore-iteration-in-dependencies", false),
        gzip_control: !distribution::reads_xz_control(inputs.target),
        verbatim: None,
    };
    (options, additions)
}

fn field(written: &Located<String>, problems: &mut Problems) -> Option<(String, String)> {
    let parts = written.value.split_once(':').map(|(name, value)| (name.trim(), value.trim()));
    // Debian Policy 5.1: printable ASCII but space and colon, not starting with `#` or `-`.
    let is_name = |name: &str| {
        !name.is_empty() && !name.starts_with(['#', '-']) && name.bytes().all(|byte| byte.is_ascii_graphic())
    };
    match parts {
        Some((name, value)) if is_name(name) && !value.chars().any(char::is_control) => {
            Some((name.to_owned(), value.to_owned()))
        }
        _ => {
            let problem = Problem::at(
                &written.place,
                format!("`{}` is no control field", written.value.escape_debug()),
            );
            problems.push(problem.help("`Name: value` on one line"));
            None
        }
    }
}

fn services(inputs: &Inputs<'_>, extra: &mut Vec<(PackagePath, Entry)>, problems: &mut Problems) -> Flags {
    let arguments = inputs.arguments;
    let directory = arguments.one("deb-systemd-path").map_or(UNIT_DIRECTORY, |path| path.value.as_str());
    let mut units = Vec::new();
    for named in arguments.many("deb-systemd") {
        let Some(path) = inputs.file(named, problems) else { continue };
        let mut name = files::file_name(&path);
        if !name.contains('.') {
            name.push_str(".service");
        }
        let destination = Located { value: format!("{directory}/{name}"), place: named.place.clone() };
        let destination = files::package_path(&destination, problems);
        if let (Some(destination), Some(bytes)) = (destination, inputs.bytes(named, problems)) {
            extra.push((destination, Entry::bytes(bytes, 0o644)));
            units.push(name);
        }
    }
    // What fpm does where its flags do not say; a project that does, is heard where they are silent.
    let default = |value| (!units.is_empty() && inputs.settings.services.units.is_none()).then_some(value);
    Flags {
        enable: arguments.switch("deb-systemd-enable").or(default(false)),
        start: arguments.switch("deb-systemd-auto-start").or(default(false)),
        restart_after_upgrade: arguments.switch("deb-systemd-restart-after-upgrade").or(default(true)),
        units,
    }
}

fn member(
    inputs: &Inputs<'_>,
    named: &Located<String>,
    problems: &mut Problems,
) -> Option<(String, Vec<u8>)> {
    let path = inputs.file(named, problems)?;
    Some((files::file_name(&path), inputs.bytes(named, problems)?))
}

fn triggers(inputs: &Inputs<'_>, problems: &mut Problems) -> Vec<Trigger> {
    const DIRECTIVES: [&str; 4] = ["interest", "activate", "interest-noawait", "activate-noawait"];
    let mut triggers = Vec::new();
    for written in inputs.settings.deb.triggers.iter().flatten() {
        let words: Vec<&str> = written.value.split_whitespace().collect();
        let directive = words.first().and_then(|word| DIRECTIVES.iter().find(|known| *known == word));
        match (directive, &words[..]) {
            (Some(directive), [_, name]) => {
                triggers.push(Trigger { directive, name: (*name).to_owned() });
            }
            _ => {
                let message = format!("`{}` is no trigger", written.value.escape_debug());
                let help = format!("one of {}, then a path or a name", DIRECTIVES.join(", "));
                problems.push(Problem::at(&written.place, message).help(help));
            }
        }
    }
    for directive in DIRECTIVES {
        for written in inputs.arguments.many(&format!("deb-{directive}")) {
            if written.value.is_empty()
                || written.value.contains(|c: char| c.is_whitespace() || c.is_control())
            {
                problems.push(Problem::at(
                    &written.place,
                    format!("`{}` is no trigger's name", written.value.escape_debug()),
                ));
                continue;
            }
            triggers.push(Trigger { directive, name: written.value.clone() });
        }
    }
    triggers
}

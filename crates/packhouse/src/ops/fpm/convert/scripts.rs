//! Scripts of packages that are converted.

use std::collections::BTreeMap;

use packhouse_package::inspect::InspectedScript;
use packhouse_package::{Format, Inspection, Moment};

use super::super::draft::Draft;
use super::super::log::Log;

/// The moments of scripts, by each format's names.
const NAMES: [(Moment, &str, &str, &str, &str); 6] = [
    (Moment::BeforeInstall, "preinst", "%pre", "pre_install", "pre-install"),
    (Moment::AfterInstall, "postinst", "%post", "post_install", "post-install"),
    (Moment::BeforeUpgrade, "", "", "pre_upgrade", "pre-upgrade"),
    (Moment::AfterUpgrade, "", "", "post_upgrade", "post-upgrade"),
    (Moment::BeforeRemove, "prerm", "%preun", "pre_remove", "pre-deinstall"),
    (Moment::AfterRemove, "postrm", "%postun", "post_remove", "post-deinstall"),
];

/// rpm's further scriptlets, by the flags that give them.
const OF_RPM: [(&str, &str); 3] =
    [("rpm-pretrans", "%pretrans"), ("rpm-posttrans", "%posttrans"), ("rpm-verifyscript", "%verifyscript")];

/// Takes over every script that has a moment, and says which has none.
pub(super) fn read(inspection: &Inspection, draft: &mut Draft, log: &Log<'_>) {
    let functions = match inspection.scripts.get(".INSTALL") {
        Some(script) if inspection.format == Format::Pacman => functions(&script.text),
        _ => BTreeMap::new(),
    };
    let mut left: Vec<&str> = inspection.scripts.keys().map(String::as_str).collect();
    left.retain(|name| !["conffiles", "md5sums", ".INSTALL"].contains(name));
    for (moment, deb, rpm, pacman, apk) in NAMES {
        let name = match inspection.format {
            Format::Deb => deb,
            Format::Rpm => rpm,
            Format::Apk => apk,
            _ => {
                if let Some(body) = functions.get(pacman) {
                    draft.scripts.insert(moment, body.clone());
                }
                continue;
            }
        };
        let Some(script) = inspection.scripts.get(name) else { continue };
        left.retain(|known| *known != name);
        if script.interpreter == "<lua>" {
            log.warn(format!("{name} is left out: it is Lua, which only rpm runs"));
            continue;
        }
        draft.scripts.insert(moment, file(script));
    }
    for (flag, name) in OF_RPM {
        if let Some(script) = inspection.scripts.get(name).filter(|script| script.interpreter == "/bin/sh") {
            left.retain(|known| *known != name);
            draft.extra.insert(flag, vec![script.text.clone()]);
        }
    }
    if !left.is_empty() {
        log.warn(format!("Left out of the new package: {}", left.join(", ")));
    }
}

/// A script as a file, with the line that says what runs it.
fn file(script: &InspectedScript) -> String {
    let is_shell = matches!(script.interpreter.as_str(), "/bin/sh" | "");
    match script.text.starts_with("#!") || (is_shell && script.interpreter.is_empty()) {
        true => script.text.clone(),
        false => format!("#!{}\n{}", script.interpreter, script.text),
    }
}

/// What can be said of the scripts in another format.
pub(super) fn translate(draft: &mut Draft, from: &str, to: &str, log: &Log<'_>) {
    if from == to || draft.scripts.is_empty() {
        return;
    }
    let names: Vec<&str> = draft.scripts.keys().map(|moment| moment.name()).collect();
    if matches!((from, to), ("deb" | "rpm", "deb" | "rpm")) {
        log.warn(format!(
            "The scripts ({}) are carried over as they are; what they do with their arguments, which {from} and {to} give differently, is for you to check",
            names.join(", ")
        ));
    }
    if from == "rpm" && to != "rpm" {
        let lost: Vec<&str> = OF_RPM
            .iter()
            .filter(|(flag, _)| draft.extra.remove(flag).is_some())
            .map(|(_, name)| *name)
            .collect();
        if !lost.is_empty() {
            log.warn(format!("Left out, because only rpm has such scripts: {}", lost.join(", ")));
        }
    }
}

/// The bodies of the functions of a `.INSTALL`, by name, each with what stands outside of all: variables, and functions
/// of its own.
fn functions(text: &str) -> BTreeMap<String, String> {
    let known = NAMES.map(|(_, _, _, name, _)| name);
    let mut bodies: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    let mut outside: Vec<&str> = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let start = line.trim_start();
        let name = known.iter().find(|name| {
            let rest = start.strip_prefix("function ").unwrap_or(start).strip_prefix(**name);
            rest.is_some_and(|rest| {
                rest.trim_start().strip_prefix('(').is_some_and(|it| it.trim_start().starts_with(')'))
            })
        });
        let Some(name) = name else {
            outside.push(line);
            continue;
        };
        let body = bodies.entry((*name).to_owned()).or_default();
        // As fpm counts: a brace that stands alone in a string would be one too many.
        let mut depth = 0_i64;
        let mut rest = Some(line);
        let mut is_open = false;
        while let Some(line) = rest {
            let inside = match (is_open, line.find('{')) {
                (true, _) => line,
                (false, Some(brace)) => {
                    is_open = true;
                    depth = 1;
                    &line[brace + 1..]
                }
                (false, None) => {
                    rest = lines.next();
                    continue;
                }
            };
            for c in inside.chars() {
                match c {
                    '{' => depth += 1,
                    '}' => depth -= 1,
                    _ => {}
                }
            }
            if depth <= 0 {
                let last = inside.trim_end().strip_suffix('}').unwrap_or(inside).trim_end();
                if !last.trim().is_empty() {
                    body.push(last);
                }
                break;
            }
            if !inside.trim().is_empty() {
                body.push(inside.trim_end());
            }
            rest = lines.next();
        }
    }
    let outside: String =
        outside.iter().filter(|line| !line.trim().is_empty()).map(|line| format!("{line}\n")).collect();
    bodies.into_iter().map(|(name, body)| (name, format!("{outside}{}\n", body.join("\n")))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_of_an_install_script_are_found() {
        let text = "# comment\nx=1\npost_install() {\n    :\n  if [ a ]; then { echo; }; fi\n}\npre_remove () { echo hi; }\n";
        let functions = functions(text);
        assert_eq!(functions["post_install"], "# comment\nx=1\n    :\n  if [ a ]; then { echo; }; fi\n");
        assert_eq!(functions["pre_remove"], "# comment\nx=1\n echo hi;\n");
        assert_eq!(functions.len(), 2);
    }
}

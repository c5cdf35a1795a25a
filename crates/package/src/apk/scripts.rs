//! The scripts of the control segment (apk-package(5), "scripts").
//!
//! apk tells installation, upgrade and removal apart by itself (`apk_db_install_pkg` in apk-tools' `src/database.c`),
//! so that each [`Moment`] is a script of its own, run as it stands by the interpreter of its `#!` line:
//!
//! | moment | script | arguments |
//! |---|---|---|
//! | before install | `.pre-install` | new version |
//! | after install | `.post-install` | new version |
//! | before upgrade | `.pre-upgrade`, of the new package | new version, old version |
//! | after upgrade | `.post-upgrade`, of the new package | new version, old version |
//! | before remove | `.pre-deinstall` | version |
//! | after remove | `.post-deinstall` | version |
//!
//! A downgrade and `apk fix` are upgrades. A script that fails does not stop apk: it goes on, says so at the end and
//! exits with an error. With something to do beside the project's script (see [`setup`](super::setup)), the script is
//! one of ours that calls the project's, in the same order as in a deb: accounts, then the project's script, then
//! services. It stops at the first failure.
//!
//! **Interpreters** must be there when apk runs a script, and apk installs dependencies first: `/bin/sh` is a name
//! that busybox provides, and which abuild adds; another program of the usual directories is `cmd:NAME`, which abuild
//! makes every package provide for its programs. A program elsewhere is the project's own affair.

use std::collections::{BTreeMap, BTreeSet};

use super::setup::Lines;
use crate::glue::Functions;
use crate::{Error, Moment, Package, Result, Script};

/// apk refuses longer ones (`APK_MAX_SCRIPT_SIZE`).
const LONGEST: usize = 262_144;

/// The scripts of a package, and what it must depend on for them.
#[derive(Debug, Default)]
pub(super) struct ScriptFiles {
    /// By name, with the full stop in front.
    pub(super) files: BTreeMap<&'static str, String>,
    /// Interpreters, as apk's dependencies, sorted.
    pub(super) interpreters: Vec<String>,
}

/// Every script that the package needs.
///
/// # Errors
/// For one that apk could not run.
pub(super) fn generate(package: &Package, lines: &Lines) -> Result<ScriptFiles> {
    let mut files = BTreeMap::new();
    let mut interpreters = BTreeSet::new();
    for moment in Moment::ALL {
        let (name, before, behind): (_, &[String], &[String]) = match moment {
            Moment::BeforeInstall => (".pre-install", &lines.accounts, &[]),
            Moment::AfterInstall => (".post-install", &[], &lines.after_install),
            Moment::BeforeUpgrade => (".pre-upgrade", &lines.accounts, &[]),
            Moment::AfterUpgrade => (".post-upgrade", &[], &lines.after_upgrade),
            Moment::BeforeRemove => (".pre-deinstall", &[], &lines.before_remove),
            Moment::AfterRemove => (".post-deinstall", &[], &[]),
        };
        let script = package.scripts.get(&moment);
        let text = match script {
            None if before.is_empty() && behind.is_empty() => continue,
            Some(script) if before.is_empty() && behind.is_empty() => script.to_file("apk")?,
            script => {
                interpreters.extend(dependency("/bin/sh", None));
                around(moment, script, before, behind)?
            }
        };
        if let Some(script) = script {
            interpreters.extend(dependency(script.interpreter(), script.argument()));
        }
        files.insert(name, text);
    }
    if let Some(trigger) = &package.options.apk.trigger {
        interpreters.extend(dependency(trigger.script.interpreter(), trigger.script.argument()));
        files.insert(".trigger", trigger.script.to_file("apk")?);
    }
    for (name, text) in &files {
        if text.len() > LONGEST {
            let what = format!("the script `{}`", &name[1..]);
            return Err(Error::TooLarge {
                what,
                size: text.len() as u64,
                format: "apk",
                limit: LONGEST as u64,
            });
        }
    }
    Ok(ScriptFiles { files, interpreters: interpreters.into_iter().collect() })
}

/// A script of ours that does the lines `before`, the project's script, and the lines `behind`.
fn around(moment: Moment, script: Option<&Script>, before: &[String], behind: &[String]) -> Result<String> {
    let mut text = String::from("#!/bin/sh\n# Written by Packhouse.\nset -e\n");
    let name = moment.function();
    if let Some(script) = script {
        script.refuse_lua("apk")?;
        text.push_str(Functions::new([(name, script)]).text());
    }
    let call = script.map(|_| format!("{name} \"$@\""));
    for line in before.iter().chain(&call).chain(behind) {
        text.push_str(line);
        text.push('\n');
    }
    Ok(text)
}

/// What a package depends on so that `interpreter` is there.
fn dependency(interpreter: &str, argument: Option<&str>) -> Option<String> {
    let (directory, name) = interpreter.rsplit_once('/')?;
    if !["/bin", "/sbin", "/usr/bin", "/usr/sbin"].contains(&directory) {
        return None;
    }
    let is_plain = |name: &str| {
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "+-._".contains(c))
    };
    match name {
        "sh" => Some("/bin/sh".into()),
        // Links that busybox makes when it is installed, which no package provides.
        "ash" | "busybox" => Some("busybox".into()),
        // `#!/usr/bin/env python3`, and `env -S python3 -u`.
        "env" => {
            let mut words =
                argument?.split_whitespace().filter(|word| !word.starts_with('-') && !word.contains('='));
            let program = words.next().filter(|program| is_plain(program))?;
            dependency(&format!("/usr/bin/{program}"), None)
        }
        name if is_plain(name) => Some(format!("cmd:{name}")),
        _ => None,
    }
}

#[cfg(test)]
#[path = "scripts_tests.rs"]
mod tests;

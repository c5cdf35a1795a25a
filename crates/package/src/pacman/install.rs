//! `.INSTALL`: functions that pacman calls, by `bash -c '. .INSTALL; NAME VERSION…'` in a chroot to its root
//! (`_alpm_runscriptlet` in `lib/libalpm/trans.c`; PKGBUILD(5), "Install/Upgrade/Remove Scripting").
//!
//! | function, its arguments | runs |
//! |---|---|
//! | `pre_install NEW` | before-install |
//! | `post_install NEW` | accounts and owners, after-install, units are enabled and started |
//! | `pre_upgrade NEW OLD` | before-upgrade; also for a downgrade and an installation of the same version again |
//! | `post_upgrade NEW OLD` | accounts and owners, after-upgrade, units that run are restarted |
//! | `pre_remove OLD` | before-remove, units are stopped and disabled, ghosts are deleted |
//! | `post_remove OLD` | after-remove |
//!
//! The project's scripts get the same arguments. One that fails makes pacman print an error and go on: it ignores the
//! status of all of them. After a failed `after-install` no unit is started; before a removal they are stopped anyway.
//!
//! Arch Linux's hooks make accounts and reload systemd, but only after the whole transaction, which is after
//! `post_install`: services are started here, so accounts are made and systemd is reloaded here, too. Ghosts are
//! deleted before the files, so that pacman finds their directories empty and deletes them.

use std::fmt::Write as _;

use crate::glue::{Functions, quote};
use crate::setup::{Services, is_template, running};
use crate::{Error, Moment, Package, PackagePath, Result};

/// What a package has besides its scripts.
pub(super) struct Parts<'a> {
    /// Where the file with its accounts is.
    pub(super) sysusers: Option<String>,
    /// Where the file with its owners is.
    pub(super) tmpfiles: Option<String>,
    /// Files that the program makes.
    pub(super) ghosts: Vec<&'a PackagePath>,
}

/// Systemd runs (sd_booted(3)).
const RUNS: &str = "if [ -d /run/systemd/system ]; then";

/// The text, `None` when there is nothing to do.
///
/// # Errors
/// When a script can only be run by rpm itself, and when a ghost has a name that is no text.
pub(super) fn generate(package: &Package, parts: &Parts<'_>) -> Result<Option<Vec<u8>>> {
    let scripts = &package.scripts;
    if let Some(script) = scripts.values().find(|script| script.is_lua()) {
        let value = script.interpreter().to_owned();
        let reason = "that Lua is within rpm; name a program, as in `#!/bin/sh`";
        return Err(Error::Option { format: "pacman", option: "a script for", value, reason });
    }
    let functions = Functions::new(scripts.iter().map(|(moment, script)| (moment.function(), script)));
    let call = |moment: Moment, or: &str| {
        let call = format!("{} \"$@\"{or}", moment.function());
        scripts.contains_key(&moment).then_some(call).into_iter().collect::<Vec<_>>()
    };
    let units = Units(&package.setup.services);
    let bodies = [
        ("pre_install", call(Moment::BeforeInstall, "")),
        (
            "post_install",
            [accounts(parts), call(Moment::AfterInstall, " || return"), units.after_install()].concat(),
        ),
        ("pre_upgrade", call(Moment::BeforeUpgrade, "")),
        (
            "post_upgrade",
            [accounts(parts), call(Moment::AfterUpgrade, " || return"), units.after_upgrade()].concat(),
        ),
        ("pre_remove", before_remove(call(Moment::BeforeRemove, " || status=$?"), &units, &parts.ghosts)?),
        ("post_remove", call(Moment::AfterRemove, "")),
    ];
    if bodies.iter().all(|(_, lines)| lines.is_empty()) {
        return Ok(None);
    }
    let mut text = if scripts.is_empty() { String::new() } else { functions.text().to_owned() };
    for (name, lines) in bodies {
        // pacman calls what it finds the name of anywhere in the text, as in a script's comment.
        if !lines.is_empty() || text.contains(name) {
            let lines = if lines.is_empty() { vec![":".to_owned()] } else { lines };
            let lines: String = lines.iter().map(|line| format!("    {line}\n")).collect();
            write!(text, "{name}() {{\n{lines}}}\n").expect("a String takes any text");
        }
    }
    Ok(Some(text.into_bytes()))
}

/// Makes accounts, then gives them their files.
fn accounts(parts: &Parts<'_>) -> Vec<String> {
    let mut lines = Vec::new();
    for (program, flag, file) in
        [("systemd-sysusers", "", &parts.sysusers), ("systemd-tmpfiles", " --create", &parts.tmpfiles)]
    {
        if let Some(file) = file {
            let file = quote(file);
            lines.push(format!("if command -v {program} >/dev/null; then {program}{flag} {file}; fi"));
        }
    }
    lines
}

fn before_remove(call: Vec<String>, units: &Units<'_>, ghosts: &[&PackagePath]) -> Result<Vec<String>> {
    let has_script = !call.is_empty();
    let mut lines = if has_script { vec!["local status=0".to_owned()] } else { Vec::new() };
    lines.extend(call);
    lines.extend(units.before_remove());
    for ghost in ghosts {
        let path = std::str::from_utf8(ghost.as_bytes()).map_err(|_| Error::FileName {
            path: (*ghost).clone(),
            format: "pacman",
            reason: "a ghost is deleted by a script, which is UTF-8 text",
        })?;
        lines.push(format!("rm -f -- {}", quote(&format!("/{path}"))));
    }
    if has_script {
        lines.push("return \"$status\"".into());
    }
    Ok(lines)
}

/// What becomes of units. Their failure is never the package's: the administrator must be able to install a fix.
struct Units<'a>(&'a Services);

impl Units<'_> {
    fn names(&self) -> String {
        self.0.units.iter().map(|unit| quote(unit)).collect::<Vec<_>>().join(" ")
    }

    /// The units and, for a template, its instances that run (systemctl(1), "pattern").
    fn running(&self) -> String {
        self.0.units.iter().map(|unit| quote(&running(unit))).collect::<Vec<_>>().join(" ")
    }

    /// Only instances of a template can be started, and the package does not know which.
    fn startable(&self) -> String {
        let startable = self.0.units.iter().filter(|unit| !is_template(unit));
        startable.map(|unit| quote(unit)).collect::<Vec<_>>().join(" ")
    }

    fn after_install(&self) -> Vec<String> {
        let mut lines = self.reload();
        if self.0.enable && !self.0.units.is_empty() {
            // Works without a running systemd, as in an image that is being built.
            lines.push("if command -v systemctl >/dev/null; then".into());
            lines.push(format!("    systemctl --quiet enable {} || true", self.names()));
            lines.push("fi".into());
        }
        if self.0.start && !self.startable().is_empty() {
            lines.extend(when_running(format!("systemctl start {} || true", self.startable())));
        }
        lines
    }

    fn after_upgrade(&self) -> Vec<String> {
        let mut lines = self.reload();
        if self.0.restart_after_upgrade && !self.0.units.is_empty() {
            lines.extend(when_running(format!("systemctl try-restart {} || true", self.running())));
        }
        lines
    }

    fn before_remove(&self) -> Vec<String> {
        if self.0.units.is_empty() {
            return Vec::new();
        }
        vec![
            RUNS.into(),
            format!("    systemctl --quiet disable --now {} || true", self.running()),
            "elif command -v systemctl >/dev/null; then".into(),
            format!("    systemctl --quiet disable {} || true", self.names()),
            "fi".into(),
        ]
    }

    fn reload(&self) -> Vec<String> {
        if self.0.units.is_empty() {
            Vec::new()
        } else {
            when_running("systemctl daemon-reload || true".into())
        }
    }
}

fn when_running(line: String) -> Vec<String> {
    vec![RUNS.into(), format!("    {line}"), "fi".into()]
}

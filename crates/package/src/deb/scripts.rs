//! The maintainer scripts `preinst`, `postinst`, `prerm` and `postrm` (Debian Policy 6, deb-preinst(5) …).
//!
//! dpkg calls the four for many reasons and says which by arguments. The generated scripts call the project's
//! [`Moment`]s, and pass the arguments on, so that a script written for dpkg finds what it looks for:
//!
//! | dpkg calls | runs |
//! |---|---|
//! | `preinst install`, `preinst install OLD` | before-install |
//! | `preinst upgrade OLD` | before-upgrade |
//! | `postinst configure` | accounts, owners and capabilities (see `accounts.rs`), then one of these: |
//! | `postinst configure` without OLD, or after `preinst install OLD` | after-install, then units are enabled and started |
//! | `postinst configure OLD` | after-upgrade, then units are restarted |
//! | `postinst triggered NAMES` | after-install, in a package that is interested in a trigger |
//! | `prerm remove` | before-remove, then units are stopped |
//! | `postrm remove` | after-remove |
//! | `postrm purge` | after-purge, then ghosts, and what debconf and systemd remember, go |
//! | anything else: `upgrade`, `failed-upgrade`, `abort-…`, `deconfigure`, `disappear` | nothing of the project's |
//!
//! **Installed again after a removal.** While its configuration files are kept, dpkg remembers the version of
//! a removed package and passes it to `postinst configure`, as if this were an upgrade. Only `preinst` can
//! tell, so it leaves a marker below `/var/lib/misc`, which `postinst` removes when it has succeeded, and
//! `postrm` when the installation is given up.
//!
//! A script that fails fails the maintainer script with its exit status; what dpkg then does, Policy 6.5 to
//! 6.8 say. Everything works below `$DPKG_ROOT` (dpkg(1), `--force-script-chrootless`) and in a chroot.

use std::collections::BTreeMap;

use super::Options;
use super::accounts::{Accounts, shell_path};
use super::systemd::{INVOKE, Units};
use crate::glue::Functions;
use crate::{Error, Moment, PackagePath, Result, Script, Scripts, Services};

/// debconf's functions (debconf-devel(7)).
const CONFMODULE: &str = "/usr/share/debconf/confmodule";

/// What the maintainer scripts are made of.
#[derive(Debug)]
pub(super) struct Parts<'a> {
    /// The package's name, as the control file has it.
    pub(super) package: &'a str,
    /// The name of the file for systemd-sysusers.
    pub(super) sysusers: &'a str,
    pub(super) scripts: &'a Scripts,
    pub(super) options: &'a Options,
    pub(super) services: &'a Services,
    pub(super) accounts: Accounts<'a>,
    /// Files that go when the package is purged.
    pub(super) ghosts: Vec<&'a PackagePath>,
}

/// The maintainer scripts that a package needs, by name.
pub(super) fn generate(parts: Parts<'_>) -> Result<BTreeMap<&'static str, String>> {
    let options = parts.options;
    let generator = Generator {
        package: parts.package,
        sysusers: parts.sysusers,
        scripts: checking(parts.scripts, options.check_errors)?,
        after_purge: match &options.after_purge {
            Some(script) => Some(check_errors(script, options.check_errors)?),
            None => None,
        },
        units: Units(parts.services),
        accounts: parts.accounts,
        ghosts: parts.ghosts,
        uses_debconf: options.templates.is_some() || options.config.is_some(),
        is_interested: options.triggers.iter().any(|trigger| trigger.directive.starts_with("interest")),
    };
    let mut texts = BTreeMap::new();
    for (name, text) in [
        ("preinst", generator.preinst()),
        ("postinst", generator.postinst()),
        ("prerm", generator.prerm()),
        ("postrm", generator.postrm()),
    ] {
        texts.extend(text.map(|text| (name, text)));
    }
    Ok(texts)
}

fn checking(scripts: &Scripts, check: bool) -> Result<Scripts> {
    scripts.iter().map(|(moment, script)| Ok((*moment, check_errors(script, check)?))).collect()
}

/// A shell script that stops at the first failing command, when that is asked for; other languages have no
/// such switch.
fn check_errors(script: &Script, check: bool) -> Result<Script> {
    script.refuse_lua("deb")?;
    let shell = script.interpreter().rsplit('/').next().unwrap_or_default();
    if !check || !["sh", "bash", "dash", "ksh"].contains(&shell) {
        return Ok(script.clone());
    }
    let argument = script.argument().map(|argument| format!(" {argument}")).unwrap_or_default();
    let text = format!("#!{}{argument}\nset -e\n{}", script.interpreter(), script.text());
    Script::parse(text.as_bytes()).map_err(|_| Error::Option {
        format: "deb",
        option: "the script of",
        value: script.interpreter().into(),
        reason: "it cannot be made to stop at the first failing command",
    })
}

struct Generator<'a> {
    package: &'a str,
    sysusers: &'a str,
    scripts: Scripts,
    after_purge: Option<Script>,
    units: Units<'a>,
    accounts: Accounts<'a>,
    ghosts: Vec<&'a PackagePath>,
    uses_debconf: bool,
    is_interested: bool,
}

/// A maintainer script while it is put together.
struct Text<'a> {
    functions: Vec<(&'static str, &'a Script)>,
    cases: Vec<(&'static str, Vec<String>)>,
    /// When debconf is needed: always, or under a condition with `&&` behind it.
    debconf: Option<&'static str>,
    marker: Option<String>,
    /// Of Packhouse's own, before those of the project.
    own_functions: String,
}

impl Generator<'_> {
    /// Whether `postinst` must tell an installation from an upgrade.
    fn needs_marker(&self) -> bool {
        self.scripts.contains_key(&Moment::AfterInstall)
            || self.scripts.contains_key(&Moment::AfterUpgrade)
            || !self.units.is_empty()
    }

    fn text(&self, debconf: Option<&'static str>) -> Text<'_> {
        let marker = self.needs_marker().then(|| format!("{}.installs-again", self.package));
        let debconf = debconf.filter(|_| self.uses_debconf);
        Text { functions: Vec::new(), cases: Vec::new(), debconf, marker, own_functions: String::new() }
    }

    /// The call of a moment's script, if there is one.
    fn call<'a>(&'a self, moment: Moment, text: &mut Text<'a>) -> Vec<String> {
        match self.scripts.get(&moment) {
            Some(script) => text.call(moment.function(), script),
            None => Vec::new(),
        }
    }

    fn preinst(&self) -> Option<String> {
        let mut text = self.text(None);
        let mut install = Vec::new();
        if text.marker.is_some() {
            install.push("if [ -n \"$2\" ]; then".into());
            install.push("    mkdir -p \"${marker%/*}\"".into());
            install.push("    : >\"$marker\"".into());
            install.push("fi".into());
        }
        install.extend(self.call(Moment::BeforeInstall, &mut text));
        text.case("install", install);
        let upgrade = self.call(Moment::BeforeUpgrade, &mut text);
        text.case("upgrade", upgrade);
        text.finish()
    }

    fn postinst(&self) -> Option<String> {
        let mut text = self.text(Some(""));
        let mut install = self.call(Moment::AfterInstall, &mut text);
        let triggered = install.clone();
        install.extend(self.units.after_install());
        let mut upgrade = self.call(Moment::AfterUpgrade, &mut text);
        upgrade.extend(self.units.after_upgrade());
        let mut configure = self.accounts.configure(self.package, self.sysusers);
        text.own_functions = self.accounts.functions();
        if text.marker.is_some() {
            install.push("rm -f \"$marker\"".into());
            configure.push("if [ -z \"$2\" ] || [ -e \"$marker\" ]; then".into());
            configure.extend(indent(install));
            if !upgrade.is_empty() {
                configure.push("else".into());
                configure.extend(indent(upgrade));
            }
            configure.push("fi".into());
        }
        text.case("configure", configure);
        // `prerm remove` stopped them, and the package stays after all.
        text.case("abort-remove", self.units.after_abort());
        if self.is_interested {
            text.case("triggered", triggered);
        }
        if self.uses_debconf && text.cases.is_empty() {
            // Loading confmodule asks the questions that `config` was not asked for before.
            text.case("configure", vec![":".into()]);
        }
        text.finish()
    }

    fn prerm(&self) -> Option<String> {
        let mut text = self.text(None);
        let mut remove = self.call(Moment::BeforeRemove, &mut text);
        remove.extend(self.units.before_remove());
        text.case("remove", remove);
        text.marker = None;
        text.finish()
    }

    fn postrm(&self) -> Option<String> {
        let mut text = self.text(Some("[ \"$1\" = purge ] && "));
        let mut forget: Vec<String> = text.marker.iter().map(|_| "rm -f \"$marker\"".into()).collect();
        forget.extend(self.accounts.marker(self.package).map(|marker| format!("rm -f {marker}")));
        let mut remove = forget.clone();
        remove.extend(self.units.after_remove());
        remove.extend(self.call(Moment::AfterRemove, &mut text));
        text.case("remove", remove);
        let mut purge = forget.clone();
        purge.extend(self.after_purge.iter().flat_map(|script| text.call("after_purge", script)));
        purge.extend(self.units.after_purge());
        // A ghost is the program's, and stays with its configuration until the purge.
        purge.extend(self.ghosts.iter().map(|path| format!("rm -f -- \"$DPKG_ROOT\"{}", shell_path(path))));
        if self.uses_debconf {
            purge.push(format!("if [ -e {CONFMODULE} ]; then"));
            purge.push("    db_purge".into());
            purge.push("fi".into());
        }
        text.case("purge", purge);
        text.case("abort-install|disappear", forget);
        text.finish()
    }
}

impl<'a> Text<'a> {
    fn call(&mut self, function: &'static str, script: &'a Script) -> Vec<String> {
        self.functions.push((function, script));
        vec![format!("{function} \"$@\"")]
    }

    /// What runs when the first argument is one of `pattern`.
    fn case(&mut self, pattern: &'static str, lines: Vec<String>) {
        if !lines.is_empty() {
            self.cases.push((pattern, lines));
        }
    }

    /// The script, if it does anything.
    fn finish(self) -> Option<String> {
        if self.cases.is_empty() {
            return None;
        }
        let mut text = String::from("#!/bin/sh\n# Written by Packhouse.\nset -e\n");
        if let Some(condition) = self.debconf {
            // The first thing that happens: confmodule starts the script anew below debconf's frontend.
            text.push_str(&format!(
                "if {condition}[ -e {CONFMODULE} ]; then\n    # shellcheck source=/dev/null\n    . {CONFMODULE}\nfi\n"
            ));
        }
        if self.cases.iter().flat_map(|(_, lines)| lines).any(|line| line.trim_start().starts_with("invoke "))
        {
            text.push_str(INVOKE);
        }
        if let Some(marker) = &self.marker {
            text.push_str(&format!("marker=\"$DPKG_ROOT/var/lib/misc/{marker}\"\n"));
        }
        text.push_str(&self.own_functions);
        if !self.functions.is_empty() {
            text.push_str(Functions::new(self.functions).text());
        }
        text.push_str("case \"$1\" in\n");
        for (pattern, lines) in self.cases {
            text.push_str(&format!("{pattern})\n"));
            for line in indent(lines) {
                text.push_str(&line);
                text.push('\n');
            }
            text.push_str("    ;;\n");
        }
        text.push_str("esac\n");
        Some(text)
    }
}

fn indent(lines: Vec<String>) -> Vec<String> {
    lines.into_iter().map(|line| format!("    {line}")).collect()
}

#[cfg(test)]
#[path = "scripts_tests.rs"]
mod tests;

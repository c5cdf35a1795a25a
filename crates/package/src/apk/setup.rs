//! Accounts, services and ghost files, as lines of the scripts: Alpine's busybox and OpenRC.
//!
//! | when | what |
//! |---|---|
//! | before installation and upgrade | missing groups and users are made, with busybox' `addgroup` and `adduser` |
//! | installed | `rc-update add`, `rc-service … start`, as far as asked for |
//! | upgraded | restart of what runs |
//! | before removal | stop, `rc-update delete` from all runlevels; ghost files are removed |
//!
//! A unit is OpenRC's when the package has `/etc/init.d/NAME`; `orchestrator.service` stands for
//! `/etc/init.d/orchestrator`. Units of systemd alone are left out: Alpine has none. Services are started and
//! stopped only where OpenRC runs; their failure never fails the package, so that a fix can be installed.
//!
//! Ghost files go before apk removes the package's own, because apk removes the directories in the same step, and
//! only empty ones. An account stays when its package goes: files may be left that are its own.

use crate::glue::quote;
use crate::{Account, AccountKind, Error, FileTree, Kind, PackagePath, Result, Services, Setup};

/// Lines for each moment; empty where there is nothing to do.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Lines {
    pub(super) accounts: Vec<String>,
    pub(super) after_install: Vec<String>,
    pub(super) after_upgrade: Vec<String>,
    pub(super) before_remove: Vec<String>,
}

/// OpenRC makes it when it boots, and its programs look for it (`rc_runlevel`, openrc-run.sh).
const RUNS: &str = "if [ -e /run/openrc/softlevel ]; then";

/// Where a group or user is looked for; `getent` is not on every Alpine.
const GROUPS: &str = "/etc/group";
const USERS: &str = "/etc/passwd";

/// What the scripts do by themselves.
///
/// # Errors
/// For an account that busybox could not make.
pub(super) fn lines(setup: &Setup, files: &FileTree) -> Result<Lines> {
    let mut lines = Lines { accounts: accounts(&setup.accounts)?, ..Lines::default() };
    services(&setup.services, files, &mut lines);
    for (path, entry) in files.iter().filter(|(_, entry)| matches!(entry.kind, Kind::Ghost)) {
        debug_assert!(!entry.is_directory());
        let path = String::from_utf8(path.as_bytes().to_vec()).map_err(|_| Error::FileName {
            path: path.clone(),
            format: "apk",
            reason: "a ghost file's name goes into a script, and is not UTF-8",
        })?;
        lines.before_remove.push(format!("rm -f {}", quote(&format!("/{path}"))));
    }
    Ok(lines)
}

fn accounts(accounts: &[Account]) -> Result<Vec<String>> {
    let mut lines = Vec::new();
    for account in accounts {
        let name = checked(&account.name)?;
        add_group(name, &mut lines);
        if let AccountKind::User { comment, home, shell } = &account.kind {
            let comment = field(comment, "a user's comment has no `:` and no control character")?;
            let reason = "a home directory is an absolute path without `:`";
            let home = path(home, reason)?;
            let shell = path(shell.as_deref().unwrap_or("/sbin/nologin"), "a shell is an absolute path")?;
            lines.push(format!("if ! grep -q '^{name}:' {USERS}; then"));
            // busybox' adduser: -S system, -D no password, -H no home directory, -h where, -G its group, -g comment.
            let gecos = if comment.is_empty() { String::new() } else { format!(" -g {}", quote(comment)) };
            lines.push(format!(
                "    adduser -S -D -H -h {} -s {} -G {name}{gecos} {name}",
                quote(home),
                quote(shell)
            ));
            lines.push("fi".into());
        }
        for group in &account.groups {
            let group = checked(group)?;
            add_group(group, &mut lines);
            lines.push(format!("addgroup {name} {group}"));
        }
    }
    Ok(lines)
}

fn add_group(name: &str, lines: &mut Vec<String>) {
    lines.push(format!("grep -q '^{name}:' {GROUPS} || addgroup -S {name}"));
}

/// A name that busybox takes (`die_if_bad_username`) and that means nothing to a shell or a pattern.
fn checked(name: &str) -> Result<&str> {
    let is_known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.len() <= 31
        && name.chars().all(is_known)
    {
        return Ok(name);
    }
    let reason =
        "a user's or group's name has 1 to 31 letters, digits, `_` and `-`, and starts with a letter or `_`";
    Err(Error::Option { format: "apk", option: "the account", value: name.into(), reason })
}

fn field<'a>(text: &'a str, reason: &'static str) -> Result<&'a str> {
    if text.contains(|c: char| c == ':' || c.is_control()) {
        return Err(Error::Option { format: "apk", option: "an account with", value: text.into(), reason });
    }
    Ok(text)
}

fn path<'a>(text: &'a str, reason: &'static str) -> Result<&'a str> {
    if !text.starts_with('/') {
        return Err(Error::Option { format: "apk", option: "an account with", value: text.into(), reason });
    }
    field(text, reason)
}

fn services(services: &Services, files: &FileTree, lines: &mut Lines) {
    let names: Vec<String> = services.units.iter().filter_map(|unit| init_script(unit, files)).collect();
    let when_running = |commands: Vec<String>| {
        let mut all = vec![RUNS.to_owned()];
        all.extend(commands.into_iter().map(|command| format!("    {command} || true")));
        all.push("fi".into());
        all
    };
    if names.is_empty() {
        return;
    }
    if services.enable {
        for name in &names {
            lines.after_install.push(format!("rc-update --quiet add {name} default || true"));
        }
    }
    if services.start {
        let start = names.iter().map(|name| format!("rc-service --quiet {name} start")).collect();
        lines.after_install.extend(when_running(start));
    }
    if services.restart_after_upgrade {
        let restart =
            names.iter().map(|name| format!("rc-service --quiet --ifstarted {name} restart")).collect();
        lines.after_upgrade.extend(when_running(restart));
    }
    let stop = names.iter().map(|name| format!("rc-service --quiet --ifstarted {name} stop")).collect();
    lines.before_remove.extend(when_running(stop));
    for name in &names {
        // It fails where the service is in no runlevel.
        lines.before_remove.push(format!("rc-update --quiet --all delete {name} 2>/dev/null || true"));
    }
}

/// The name of the init script that `unit` stands for, if the package has one.
fn init_script(unit: &str, files: &FileTree) -> Option<String> {
    let name = unit.strip_suffix(".service").unwrap_or(unit);
    let is_known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '+');
    let is_name = !name.starts_with(['-', '.']) && !name.is_empty() && name.chars().all(is_known);
    let path = PackagePath::new(format!("etc/init.d/{name}")).ok()?;
    (is_name && files.entry(&path).is_some_and(|entry| !entry.is_directory())).then(|| name.to_owned())
}

//! What the scriptlets do for accounts and services.
//!
//! rpm's distributions write this with macros that their build systems expand; this is what they expand to
//! (systemd's `src/rpm/macros.systemd.in`, openSUSE's `macros.systemd`), in a form that decides on the customer's
//! machine which family it is on, because one package serves several.
//!
//! | when | what |
//! |---|---|
//! | `%pre` | accounts, before files are theirs |
//! | `%post`, installed | `preset`: enabled as the package's preset file says, unless the administrator's says otherwise |
//! | `%posttrans` | reload; start what was installed and is enabled; restart what was upgraded and runs |
//! | `%preun`, removed | disable and stop |
//! | `%postun`, removed | reload |
//!
//! **Preset, not enable.** Fedora's and openSUSE's own presets end in `disable *`, so that a unit of a vendor would
//! stay off although the vendor says `enable`. But `systemctl enable` would override what an administrator laid down
//! for all machines in `/etc/systemd/system-preset`. systemd.preset(5) has the answer: the package brings a preset
//! file of its own, `50-NAME.preset`, which ranks behind the administrator's `/etc` and before the distribution's
//! `90-default.preset` and `99-default-disable.preset`. It says `disable` when the project does not want its units
//! enabled: without any rule, systemd would. Only a first installation asks; what is decided later stands.
//!
//! **After the transaction, by the new package.** Fedora's `%systemd_postun_with_restart` runs in `%postun` of the
//! *old* package, which on an upgrade is the last to run: a mistake in it can never be corrected, and a service
//! that comes from another packager's rpm is restarted by that one's rules. `%posttrans` is the new package's, and
//! runs when every package of the transaction is in place, also under zypper, which gathers these scripts. Its `$1`
//! does not tell an upgrade (`rpmpsmRun` in rpm's `lib/psm.cc`: before rpm 6 it is the same for both), so `%post`
//! leaves a word in `/run`.
//!
//! Nothing is started, stopped or reloaded where systemd is not running (sd_booted(3)): in chroots, images that are
//! built, containers. Nothing is done at all where there is no `systemctl`. A failing unit fails no scriptlet.
//! openSUSE's administrators forbid restarts and stops in `/etc/sysconfig/services`.
//!
//! Accounts: rpm 4.19 and later make them from the package's `user(NAME)` provides (rpm-sysusers(7)) before `%pre`,
//! which then finds them; older ones need the script. Without them rpm would give the files to root, so that an
//! account that cannot be made stops the installation. Accounts are never deleted: a user id that is free again is
//! given to the next account, which would own what the last one left behind.

use super::dependency::{Dependencies, Entry};
use super::tag::sense;
use crate::glue::quote;
use crate::setup::{is_template, running};
use crate::{Account, AccountKind, FileTree, Package, PackagePath, Result, Services, sysusers};

const HELPER: &str = "/usr/lib/systemd/systemd-update-helper";
const RUNS: &str = "[ -d /run/systemd/system ] && command -v systemctl >/dev/null";
const SUSE: &str = "/etc/sysconfig/services";

/// Lines of the scriptlets.
#[derive(Debug)]
pub(super) struct Glue<'a> {
    services: &'a Services,
    accounts: &'a [Account],
    /// Where `%post` tells `%posttrans` what happened.
    word: String,
}

impl<'a> Glue<'a> {
    pub(super) fn new(package: &'a Package) -> Glue<'a> {
        let setup = &package.setup;
        // A name has no character that a path or a shell minds.
        let word = format!("/run/{}.packhouse-units", package.metadata.name);
        Glue { services: &setup.services, accounts: &setup.accounts, word }
    }

    /// In front of everything in `%pre`.
    pub(super) fn before(&self) -> Vec<String> {
        let group = |name: &str| format!("getent group {name} >/dev/null || groupadd -r {name} || exit");
        let mut lines = Vec::new();
        for account in self.accounts {
            lines.push(group(&account.name));
            lines.extend(account.groups.iter().map(|name| group(name)));
        }
        for account in self.accounts {
            let AccountKind::User { comment, home, shell } = &account.kind else { continue };
            let (name, home, comment) = (&account.name, quote(home), quote(comment.trim()));
            let shell = quote(shell.as_deref().unwrap_or("/usr/sbin/nologin"));
            lines.push(format!("getent passwd {name} >/dev/null ||"));
            lines.push(format!(
                "    useradd -r -M -g {name} -d {home} -s {shell} -c {comment} {name} || exit"
            ));
            lines.extend(account.groups.iter().map(|group| format!("usermod -a -G {group} {name} || exit")));
        }
        lines
    }

    pub(super) fn after_install(&self) -> Vec<String> {
        let Some(names) = self.names() else { return Vec::new() };
        let mut lines = vec![
            "if command -v systemctl >/dev/null; then".into(),
            format!("    if [ -x {HELPER} ]; then"),
            format!("        {HELPER} install-system-units {names} || :"),
            "    else".into(),
            format!("        systemctl --no-reload preset {names} >/dev/null 2>&1 || :"),
            "    fi".into(),
            "fi".into(),
        ];
        lines.extend(self.tell("installed"));
        lines
    }

    pub(super) fn after_upgrade(&self) -> Vec<String> {
        self.tell("upgraded")
    }

    fn tell(&self, word: &str) -> Vec<String> {
        if self.services.is_empty() {
            return Vec::new();
        }
        vec![
            "if [ -d /run/systemd/system ]; then".into(),
            format!("    echo {word} >{}", self.word),
            "fi".into(),
        ]
    }

    /// In `%posttrans`.
    pub(super) fn after_transaction(&self) -> Vec<String> {
        if self.services.is_empty() {
            return Vec::new();
        }
        let mut installed = Vec::new();
        for unit in self.services.units.iter().filter(|unit| self.services.start && !is_template(unit)) {
            let name = quote(unit);
            // Started only where nobody said that it is not to be enabled.
            let condition = match self.services.enable {
                true => format!("! systemctl --quiet is-enabled {name} 2>/dev/null || "),
                false => String::new(),
            };
            installed.push(format!("{condition}systemctl start {name} || :"));
        }
        let mut upgraded = Vec::new();
        if self.services.restart_after_upgrade {
            let names: Vec<String> = self.services.units.iter().map(|unit| quote(&running(unit))).collect();
            let restart = format!("systemctl try-restart {} || :", names.join(" "));
            upgraded.push(suse("DISABLE_RESTART_ON_UPDATE"));
            upgraded.push(format!("[ \"$DISABLE_RESTART_ON_UPDATE\" = yes ] || {restart}"));
        }
        let mut lines = vec![
            format!("if [ -s {} ] && {RUNS}; then", self.word),
            format!("    read -r word <{}", self.word),
            // Emptied, not removed: that needs no program.
            format!("    : >{}", self.word),
            "    systemctl daemon-reload || :".into(),
            "    case \"$word\" in".into(),
        ];
        for (word, then) in [("installed", installed), ("upgraded", upgraded)] {
            if !then.is_empty() {
                lines.push(format!("    {word})"));
                lines.extend(then.into_iter().map(|line| format!("        {line}")));
                lines.push("        ;;".into());
            }
        }
        lines.push("    esac".into());
        lines.push("fi".into());
        lines
    }

    /// In `%preun`, behind the project's script, when the package goes.
    pub(super) fn before_remove(&self) -> Vec<String> {
        let Some(names) = self.names() else { return Vec::new() };
        let stopped: Vec<String> = self.services.units.iter().map(|unit| quote(&running(unit))).collect();
        vec![
            "if command -v systemctl >/dev/null; then".into(),
            format!("    {}", suse("DISABLE_STOP_ON_REMOVAL")),
            format!("    systemctl --no-reload disable {names} >/dev/null 2>&1 || :"),
            "    if [ -d /run/systemd/system ] && [ \"$DISABLE_STOP_ON_REMOVAL\" != yes ]; then".into(),
            format!("        systemctl stop {} || :", stopped.join(" ")),
            "    fi".into(),
            "fi".into(),
        ]
    }

    /// In `%postun`, in front of the project's script, when the package has gone.
    pub(super) fn after_remove(&self) -> Vec<String> {
        if self.services.is_empty() {
            return Vec::new();
        }
        vec![format!("if {RUNS}; then"), "    systemctl daemon-reload || :".into(), "fi".into()]
    }

    fn names(&self) -> Option<String> {
        let names: Vec<String> = self.services.units.iter().map(|unit| quote(unit)).collect();
        (!names.is_empty()).then(|| names.join(" "))
    }

    /// What the scriptlets need, and what tells rpm 4.19 and later of the accounts.
    pub(super) fn relate(&self, dependencies: &mut Dependencies) {
        if !self.services.is_empty() {
            // Only the order: where there is no systemd, there is nothing to do (`%systemd_ordering`).
            for when in [sense::POST, sense::PREUN, sense::POSTUN] {
                dependencies.order.insert(Entry::any("systemd", when));
            }
        }
        let has_users = self.accounts.iter().any(|account| account.kind != AccountKind::Group);
        let has_members = self.accounts.iter().any(|account| !account.groups.is_empty());
        for (program, is_needed) in [
            ("/usr/bin/getent", !self.accounts.is_empty()),
            ("/usr/sbin/groupadd", !self.accounts.is_empty()),
            ("/usr/sbin/useradd", has_users),
            ("/usr/sbin/usermod", has_members),
        ] {
            if is_needed {
                dependencies.requires.insert(Entry::any(program, sense::PRE));
            }
        }
        for line in sysusers::text(self.accounts).lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            let (name, is_user) = match words[..] {
                ["u", name, ..] => (format!("user({name})"), true),
                ["g", name, ..] => (format!("group({name})"), false),
                ["m", user, group] => (format!("groupmember({user}/{group})"), false),
                _ => continue,
            };
            if is_user {
                dependencies.provides.insert(Entry::any(name.replacen("user", "group", 1), 0));
            }
            dependencies.provides.insert(Entry::versioned(name, sense::EQUAL, base64(line)));
        }
    }
}

/// openSUSE's settings, where they are.
fn suse(variable: &str) -> String {
    format!("{variable}=; if [ -r {SUSE} ]; then . {SUSE}; fi")
}

/// RFC 4648, section 4, without `=`, which a version cannot have: the text is filled up with NULs, as
/// `%add_sysuser` of rpm's macros does.
fn base64(text: &str) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut encoded = String::new();
    for three in text.as_bytes().chunks(3) {
        let byte = |index: usize| u32::from(three.get(index).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for shift in [18, 12, 6, 0] {
            encoded.push(DIGITS[(bits >> shift & 63) as usize].into());
        }
    }
    encoded
}

/// The files that this glue needs and the package lacks: the accounts', and the preset of its units.
///
/// # Errors
/// When something that is no directory is in the way.
pub(super) fn missing(package: &Package) -> Result<FileTree> {
    let mut files = sysusers::missing(package)?;
    let services = &package.setup.services;
    let verb = if services.enable { "enable" } else { "disable" };
    let lines: String = services.units.iter().map(|unit| format!("{verb} {unit}\n")).collect();
    let path = format!("usr/lib/systemd/system-preset/50-{}.preset", package.metadata.name);
    let path = PackagePath::new(path).expect("a package's name has no character that a path cannot have");
    if !services.is_empty() && package.files.entry(&path).is_none() {
        files.insert(path, crate::Entry::bytes(lines.into_bytes(), 0o644))?;
    }
    files.complete();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_for_rpm_is_base64_that_a_version_can_hold() {
        assert_eq!(base64("g hello -"), "ZyBoZWxsbyAt");
        assert_eq!(base64("g a -"), "ZyBhIC0A");
        assert_eq!(base64("g ab -"), "ZyBhYiAt");
    }
}

//! What a package sets up on the customer's machine beyond its files: services, and the accounts they run as.
//!
//! Each format generates the glue that its distributions use; a project says only what it wants. Units are
//! systemd's (systemd.unit(5)), accounts sysusers.d(5)'s.

use crate::{Error, Result};

/// What a package sets up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Setup {
    /// Services that are enabled, started, restarted.
    pub services: Services,
    /// Users and groups that must exist before files are theirs and services run as them.
    pub accounts: Vec<Account>,
}

/// Units of the init system, and what becomes of them when the package comes, is upgraded, and goes.
///
/// Whatever is asked for, an administrator's decision stands: what was disabled is not enabled by an upgrade,
/// and a service that does not run is not started by one. Removal stops and disables.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Services {
    /// The units, as in `orchestrator.service` or `orchestrator.timer`.
    pub units: Vec<String>,
    /// Enable them after a first installation.
    pub enable: bool,
    /// Start them after a first installation.
    pub start: bool,
    /// Restart after an upgrade those that run.
    pub restart_after_upgrade: bool,
}

/// A system user or group, as sysusers.d(5) has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The user's name, or the group's.
    pub name: String,
    /// Whether it is a user (with a group of the same name) or only a group.
    pub kind: AccountKind,
    /// Groups that the user is a member of besides its own.
    pub groups: Vec<String>,
}

/// What an account is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccountKind {
    /// A user and a group of the same name.
    User {
        /// Who it is, in words.
        comment: String,
        /// Its home directory; `/` when there is none.
        home: String,
        /// Its login shell; the distribution's nologin when `None`.
        shell: Option<String>,
    },
    /// A group without a user.
    Group,
}

impl Setup {
    /// Checks the names and values, which end up in shell scripts and in `/etc/passwd`.
    ///
    /// # Errors
    /// Naming the first unit or account that is none.
    pub fn check(&self) -> Result<()> {
        self.services.units.iter().try_for_each(|unit| check_unit(unit))?;
        self.accounts.iter().try_for_each(Account::check)
    }
}

impl Services {
    /// Whether there is no unit.
    pub fn is_empty(&self) -> bool {
        self.units.is_empty()
    }
}

impl Account {
    /// Checks its name, and every value that it has.
    ///
    /// # Errors
    /// Naming what is wrong.
    pub fn check(&self) -> Result<()> {
        let wrong = |what, reason| Err(Error::Account { account: self.name.clone(), what, reason });
        const NAME: &str =
            "it has 1 to 31 lower-case letters, digits, `-` and `_`, the first a letter or `_`";
        if !is_account_name(&self.name) {
            return wrong("name", NAME);
        }
        if self.groups.iter().any(|group| !is_account_name(group)) {
            return wrong("groups", NAME);
        }
        let AccountKind::User { comment, home, shell } = &self.kind else {
            return if self.groups.is_empty() { Ok(()) } else { wrong("groups", "a group is in no group") };
        };
        // The fields of passwd(5).
        let is_field = |text: &str| !text.contains(':') && !text.chars().any(char::is_control);
        let is_path = |text: &str| {
            let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@".contains(c);
            text.starts_with('/') && text.chars().all(is_plain) && !text.split('/').any(|part| part == "..")
        };
        if !is_field(comment) {
            return wrong("comment", "it is one line without `:`");
        }
        if !is_path(home) {
            return wrong("home", "it is an absolute path of letters, digits and `._-+@`");
        }
        match shell {
            Some(shell) if !is_path(shell) => {
                wrong("shell", "it is an absolute path of letters, digits and `._-+@`")
            }
            _ => Ok(()),
        }
    }
}

/// A user's or group's name that every distribution takes (useradd(8), `valid_user_group_name` of systemd).
fn is_account_name(name: &str) -> bool {
    name.len() <= 31
        && name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_".contains(c))
}

/// systemd.unit(5): the characters of a unit's name, and its type behind the last full stop.
fn check_unit(unit: &str) -> Result<()> {
    const KINDS: [&str; 8] = ["service", "socket", "timer", "path", "target", "mount", "automount", "swap"];
    let is_known = |c: char| c.is_ascii_alphanumeric() || ":-_.\\@".contains(c);
    let is_unit = unit.len() <= 255
        && unit.chars().all(is_known)
        && !unit.starts_with(['-', '.', '@'])
        && unit.rsplit_once('.').is_some_and(|(name, kind)| !name.is_empty() && KINDS.contains(&kind));
    if is_unit { Ok(()) } else { Err(Error::Unit { unit: unit.into() }) }
}

/// Whether `unit` is a template, which only its instances, as in `name@instance.service`, start.
pub(crate) fn is_template(unit: &str) -> bool {
    unit.contains("@.")
}

/// What names a unit where it is running: itself, or every instance of a template (systemctl(1), "pattern").
pub(crate) fn running(unit: &str) -> String {
    unit.replacen("@.", "@*.", 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_that_is_none_is_refused() {
        for name in ["a.service", "a-b@.service", "a@1.timer", "x.y.socket"] {
            assert!(check_unit(name).is_ok(), "{name}");
        }
        for name in ["", "x", "x y.service", "$(reboot).service", "../x.service", "x.", "@.service", "x.conf"]
        {
            assert!(check_unit(name).is_err(), "{name}");
        }
        assert_eq!(running("a@.service"), "a@*.service");
        assert_eq!(running("a@b.service"), "a@b.service");
    }

    #[test]
    fn an_account_that_passwd_cannot_hold_is_refused() {
        let user = |comment: &str, home: &str| AccountKind::User {
            comment: comment.into(),
            home: home.into(),
            shell: None,
        };
        let account = |name: &str, kind| Account { name: name.into(), kind, groups: Vec::new() };
        assert!(account("hello", user("Says hello", "/var/lib/hello")).check().is_ok());
        assert!(account("_hello-2", AccountKind::Group).check().is_ok());
        for wrong in ["", "Hello", "0x", "a b", "a$(reboot)", "a:b", "ä", &"a".repeat(32)] {
            assert!(account(wrong, AccountKind::Group).check().is_err(), "{wrong}");
        }
        for (comment, home) in [("a:b", "/"), ("a\nb", "/"), ("", "home"), ("", "/a/../b"), ("", "/a:b")] {
            assert!(account("a", user(comment, home)).check().is_err(), "{comment:?} {home}");
        }
        let groups = Account { groups: vec!["x".into()], ..account("a", AccountKind::Group) };
        assert!(groups.check().is_err());
    }
}

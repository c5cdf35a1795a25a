//! What `postinst` does for accounts, and for files that dpkg cannot unpack as they are meant.
//!
//! dpkg unpacks a package before any script of its dependencies or its own has run `configure`. A file of an
//! account that is not there yet becomes root's (`tarobject_extract`, which falls back to the archive's numeric
//! owner), and data.tar has no place for capabilities. So `postinst` goes over them, first of all:
//!
//! | step | by |
//! |---|---|
//! | accounts | `systemd-sysusers NAME.conf`, as dh_installsysusers(1) has it; without it `groupadd`, `useradd` |
//! | owners, when an account was missing | `chown`, unless dpkg-statoverride(1) has an entry of the administrator's |
//! | capabilities | `setcap`, on every upgrade too: dpkg has just put a new file there |
//!
//! The program that makes accounts is in `passwd`, whose priority is *required*: a dependency on systemd or one
//! of its stand-ins, which dh_installsysusers adds, would pull an init system into containers.
//!
//! Accounts are never deleted. A user id that is free again is given to the next account, which then owns whatever
//! the last one left behind; nobody can know where that is.
//!
//! A file system or container that refuses capabilities does not fail the installation: there the program says
//! itself what it may not do. Debian's packages fall back to set-user-id instead (iputils-ping), which gives a
//! program everything where little was asked for.

use crate::glue::quote;
use crate::{Account, AccountKind, Capabilities, Owner, PackagePath};

/// Accounts, their files, and the files with capabilities.
#[derive(Debug, Default)]
pub(super) struct Accounts<'a> {
    pub(super) accounts: &'a [Account],
    /// Owner, mode and path of what belongs to one of the accounts, directories before what is in them.
    pub(super) owned: Vec<(&'a Owner, u16, &'a PackagePath)>,
    pub(super) capable: Vec<(Capabilities, &'a PackagePath)>,
}

/// Whether a user or group is there, in the root that is worked on.
const KNOWS: &str = "knows() {
    if [ -n \"$DPKG_ROOT\" ]; then
        grep -q \"^$2:\" \"$DPKG_ROOT/etc/$1\" 2>/dev/null
    else
        getent \"$1\" \"$2\" >/dev/null
    fi
}
";

/// `own USER GROUP MODE FILE`. A change of owner clears set-user-id (chown(2)), hence the mode.
const OWN: &str = "id_of() {
    sed -n \"s/^$2:[^:]*:\\([0-9]*\\):.*/\\1/p\" \"$DPKG_ROOT/etc/$1\"
}
own() {
    if [ ! -e \"$DPKG_ROOT$4\" ] || dpkg-statoverride --list \"$4\" >/dev/null; then
        return 0
    fi
    if [ -n \"$DPKG_ROOT\" ]; then
        chown -h \"$(id_of passwd \"$1\"):$(id_of group \"$2\")\" \"$DPKG_ROOT$4\"
    else
        chown -h \"$1:$2\" \"$4\"
    fi
    [ -L \"$DPKG_ROOT$4\" ] || chmod \"$3\" \"$DPKG_ROOT$4\"
}
";

const IN_ROOT: &str = "${DPKG_ROOT:+--prefix \"$DPKG_ROOT\"}";

impl Accounts<'_> {
    /// The functions that [`Accounts::configure`] calls.
    pub(super) fn functions(&self) -> String {
        match (self.accounts.is_empty(), self.owned.is_empty()) {
            (true, _) => String::new(),
            (false, true) => KNOWS.into(),
            (false, false) => [KNOWS, OWN].concat(),
        }
    }

    /// A file below `$DPKG_ROOT` that says, from before the accounts are made until their files are theirs, that
    /// dpkg did not know them.
    pub(super) fn marker(&self, package: &str) -> Option<String> {
        (!self.owned.is_empty()).then(|| format!("\"$DPKG_ROOT/var/lib/misc/{package}.sets-owners\""))
    }

    /// What `postinst configure` does before anything else.
    pub(super) fn configure(&self, package: &str, file: &str) -> Vec<String> {
        let mut lines = Vec::new();
        let marker = self.marker(package);
        if let Some(marker) = &marker {
            let known: Vec<String> = self.accounts.iter().map(knows).collect();
            lines.push(format!("if ! {{ {}; }}; then", known.join(" && ")));
            lines.push("    mkdir -p \"$DPKG_ROOT/var/lib/misc\"".into());
            lines.push(format!("    : >{marker}"));
            lines.push("fi".into());
        }
        if !self.accounts.is_empty() {
            lines.push("if command -v systemd-sysusers >/dev/null; then".into());
            lines.push(format!("    systemd-sysusers ${{DPKG_ROOT:+--root=\"$DPKG_ROOT\"}} {file}"));
            lines.push("else".into());
            lines.extend(self.make().into_iter().map(|line| format!("    {line}")));
            lines.push("fi".into());
        }
        if let Some(marker) = &marker {
            lines.push(format!("if [ -e {marker} ]; then"));
            // What is in a directory comes before it: while root works in it, it is nobody else's.
            for (owner, mode, path) in self.owned.iter().rev() {
                let (user, group) = (quote(&owner.user), quote(&owner.group));
                lines.push(format!("    own {user} {group} {mode:04o} {}", shell_path(path)));
            }
            lines.push(format!("    rm -f {marker}"));
            lines.push("fi".into());
        }
        for (capabilities, path) in &self.capable {
            let file = format!("\"$DPKG_ROOT\"{}", shell_path(path));
            let capabilities = quote(&capabilities.to_string());
            lines.push(format!("if [ -e {file} ] && ! setcap {capabilities} {file}; then"));
            let warning = format!("warning: {path} runs without {capabilities}");
            lines.push(format!("    echo {} >&2", quote(&warning)));
            lines.push("fi".into());
        }
        lines
    }

    /// Makes them without systemd-sysusers, to the same effect.
    fn make(&self) -> Vec<String> {
        let group = |name: &str| format!("knows group {name} || groupadd {IN_ROOT} --system {name}");
        let mut lines: Vec<String> = Vec::new();
        for account in self.accounts {
            lines.push(group(&account.name));
            lines.extend(account.groups.iter().map(|name| group(name)));
        }
        for account in self.accounts {
            let AccountKind::User { comment, home, shell } = &account.kind else { continue };
            let name = &account.name;
            let (comment, home) = (quote(comment.trim()), quote(home));
            let shell = quote(shell.as_deref().unwrap_or("/usr/sbin/nologin"));
            lines.push(format!("knows passwd {name} || useradd {IN_ROOT} --system --gid {name} \\"));
            lines.push(format!(
                "    --no-create-home --home-dir {home} --shell {shell} --comment {comment} {name}"
            ));
            for group in &account.groups {
                lines.push(format!("usermod {IN_ROOT} --append --groups {group} {name}"));
            }
        }
        lines
    }
}

fn knows(account: &Account) -> String {
    match account.kind {
        AccountKind::User { .. } => format!("knows passwd {}", account.name),
        AccountKind::Group => format!("knows group {}", account.name),
    }
}

/// A path as a word of a shell.
pub(super) fn shell_path(path: &PackagePath) -> String {
    // Paths that are no text have been refused by then: a line of a script could not name them.
    quote(&format!("/{}", String::from_utf8_lossy(path.as_bytes())))
}

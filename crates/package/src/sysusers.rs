//! Accounts as systemd makes them: a file for systemd-sysusers (sysusers.d(5)).
//!
//! | line | makes |
//! |---|---|
//! | `u NAME - "COMMENT" HOME SHELL` | a system user, and a group of the same name |
//! | `g NAME -` | a system group |
//! | `m USER GROUP` | USER a member of GROUP, which is made when it is missing |
//!
//! Every format packages the file, below `/usr/lib/sysusers.d`: it says whose the accounts are, `systemd-sysusers`
//! makes them again in an image whose `/etc` is empty, and every distribution's own packages do the same. Ids are
//! the machine's to choose.

use std::fmt::Write as _;

use crate::{Account, AccountKind, Entry, FileTree, Package, PackagePath, Result};

/// The text of the file: groups before the users that are members of them.
pub(crate) fn text(accounts: &[Account]) -> String {
    let mut text = String::new();
    let mut line = |line: std::fmt::Arguments<'_>| {
        text.write_fmt(line).expect("a String takes any text");
    };
    for account in accounts.iter().filter(|account| account.kind == AccountKind::Group) {
        line(format_args!("g {} -\n", account.name));
    }
    for account in accounts {
        let AccountKind::User { comment, home, shell } = &account.kind else { continue };
        let home = if home == "/" { "-" } else { home };
        let words = [comment, home, shell.as_deref().unwrap_or("-")].map(word);
        line(format_args!("u {} - {}\n", account.name, words.join(" ")));
    }
    for account in accounts {
        for group in &account.groups {
            line(format_args!("m {} {group}\n", account.name));
        }
    }
    text
}

/// A word: `-` for nothing, quoted unless it is plain, with `%` doubled because it starts a specifier (sysusers.d(5),
/// "Specifiers").
fn word(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+,@".contains(c);
    match text.trim() {
        "" => "-".into(),
        text if text.chars().all(is_plain) => text.into(),
        text => format!("\"{}\"", text.replace('%', "%%").replace('\\', "\\\\").replace('"', "\\\"")),
    }
}

/// The file for the package's accounts, unless it has one of its own there, or no accounts.
///
/// # Errors
/// When something that is no directory is in the way.
pub(crate) fn missing(package: &Package) -> Result<FileTree> {
    let mut tree = FileTree::new();
    let path = format!("usr/lib/sysusers.d/{}.conf", package.metadata.name);
    let path = PackagePath::new(path).expect("a package's name has no character that a path cannot have");
    let accounts = &package.setup.accounts;
    if !accounts.is_empty() && package.files.entry(&path).is_none() {
        tree.insert(path, Entry::bytes(text(accounts).into_bytes(), 0o644))?;
    }
    Ok(tree)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(name: &str, comment: &str, home: &str, shell: Option<&str>, groups: &[&str]) -> Account {
        let kind =
            AccountKind::User { comment: comment.into(), home: home.into(), shell: shell.map(str::to_owned) };
        Account { name: name.into(), kind, groups: groups.iter().map(|group| (*group).into()).collect() }
    }

    #[test]
    fn accounts_are_lines_of_sysusers_d() {
        let accounts = [
            user("hello", "Says \"hi\", 100 % \\o/", "/var/lib/hello", None, &["video", "greeters"]),
            user("plain", "", "/", Some("/bin/sh"), &[]),
            Account { name: "greeters".into(), kind: AccountKind::Group, groups: Vec::new() },
        ];
        assert_eq!(
            text(&accounts),
            concat!(
                "g greeters -\n",
                "u hello - \"Says \\\"hi\\\", 100 %% \\\\o/\" /var/lib/hello -\n",
                "u plain - - - /bin/sh\n",
                "m hello video\n",
                "m hello greeters\n",
            )
        );
    }
}

//! Owners other than root.
//!
//! libalpm extracts with the *numbers* of user and group in the archive: it gives libarchive no function that looks
//! names up (`perform_extraction` in `lib/libalpm/add.c` has `ARCHIVE_EXTRACT_OWNER`, and no
//! `archive_write_disk_set_standard_lookup`). A number that a vendor chooses is somebody else's on the customer's
//! machine. So everything is root's in the archive, as in makepkg's packages, and a file for systemd-tmpfiles
//! (tmpfiles.d(5)) says whose it becomes. `.INSTALL` applies it as soon as the files are there, and so does
//! Arch Linux's own hook after every transaction.
//!
//! systemd-tmpfiles does what a `chown` in a script would not: it refuses to follow a link that an unprivileged owner
//! of a directory put in the way. The price is a moment between extraction and `.INSTALL` in which the files are
//! root's, and that `pacman -Qkk` tells that their owner is not the archive's.

use crate::{Entry, Error, FileTree, Owner, PackagePath, Result};

/// Whom `entry` belongs to: root stands for "nobody was named".
pub(super) fn owner<'a>(entry: &'a Entry, default: Option<&'a Owner>) -> &'a Owner {
    match default {
        Some(default) if entry.owner == Owner::default() => default,
        _ => &entry.owner,
    }
}

/// The text of the file, empty when everything is root's: type `z` sets owner and mode of what exists.
///
/// # Errors
/// When a name cannot be said there, or the owner would take a file's capabilities away.
pub(super) fn tmpfiles(files: &FileTree, default: Option<&Owner>) -> Result<String> {
    let mut text = String::new();
    for (path, entry) in files.iter() {
        let owner = owner(entry, default);
        if *owner == Owner::default() || matches!(entry.kind, crate::Kind::Ghost) {
            continue;
        }
        for name in [&owner.user, &owner.group] {
            let is_plain = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
            if name.is_empty() || name.len() > 31 || name.starts_with('-') || !name.chars().all(is_plain) {
                let reason = "a user's or group's name has 1 to 31 letters, digits, `_`, `.` and `-`";
                let value = name.to_string();
                return Err(Error::Option { format: "pacman", option: "the owner", value, reason });
            }
        }
        let refuse = |reason| Error::FileName { path: path.clone(), format: "pacman", reason };
        if entry.capabilities.is_some() {
            return Err(refuse("Linux takes capabilities away when the owner changes; leave it to root"));
        }
        let path =
            escaped(path).ok_or_else(|| refuse("tmpfiles.d(5) needs UTF-8 for a file that is not root's"))?;
        text.push_str(&format!("z \"{path}\" {:04o} {} {}\n", entry.mode, owner.user, owner.group));
    }
    Ok(text)
}

/// The path as a quoted word: `%` would start a specifier, `*`, `?`, `[` and `\` a pattern (glob(7)), and quotes take
/// C's escapes.
fn escaped(path: &PackagePath) -> Option<String> {
    let path = std::str::from_utf8(path.as_bytes()).ok()?;
    let mut escaped = String::from("/");
    for c in path.chars() {
        match c {
            '%' => escaped.push_str("%%"),
            '*' | '?' | '[' => escaped.extend(["\\\\", c.encode_utf8(&mut [0; 4])]),
            '\\' => escaped.push_str("\\\\\\\\"),
            '"' => escaped.push_str("\\\""),
            c if c.is_ascii_control() => escaped.push_str(&format!("\\x{:02x}", u32::from(c))),
            c => escaped.push(c),
        }
    }
    Some(escaped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_roots_is_a_line() {
        let mut files = FileTree::new();
        let mut add = |path: &str, mut entry: Entry, user: &str| {
            entry.owner.user = user.to_owned().into();
            files.insert(PackagePath::new(path).unwrap(), entry).unwrap();
        };
        add("/var/lib/hello", Entry::directory(), "hello");
        add("/var/lib/hello/100% [a]\\\"", Entry::bytes(&b""[..], 0o4711), "hello");
        add("/usr/bin/hello", Entry::bytes(&b""[..], 0o755), "root");
        assert_eq!(
            tmpfiles(&files, None).unwrap(),
            concat!(
                "z \"/var/lib/hello\" 0755 hello root\n",
                "z \"/var/lib/hello/100%% \\\\[a]\\\\\\\\\\\"\" 4711 hello root\n",
            )
        );
        let all = Owner::new("web", "web");
        assert_eq!(tmpfiles(&files, Some(&all)).unwrap().lines().count(), 3);
        let wrong = Owner::new("a b", "web");
        assert!(tmpfiles(&files, Some(&wrong)).is_err());
    }
}

//! The list of files as bsdtar writes it for makepkg (mtree(5), libarchive's `archive_read_support_format_mtree.c`).

use std::collections::BTreeMap;

use crate::archive::part::{Part, shown};
use crate::{PackagePath, Result};

/// As of an archive's entries: with `/set`, a line of six bytes is one.
const MOST_ENTRIES: u64 = 1 << 20;

/// What the list says of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) kind: ListedKind,
    pub(super) mode: u16,
    size: Option<u64>,
    sha256: Option<[u8; 32]>,
    md5: Option<[u8; 16]>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ListedKind {
    File,
    Directory,
    Symlink(Vec<u8>),
    Other,
}

impl Listed {
    /// Whether it says a file of this mode (not compared for `None`), size and digests; it need not say every
    /// digest, but one.
    pub(super) fn is_file(&self, mode: Option<u16>, size: u64, sha256: &[u8; 32], md5: &[u8; 16]) -> bool {
        self.kind == ListedKind::File
            && mode.is_none_or(|mode| mode == self.mode)
            && self.size == Some(size)
            && (self.sha256.is_some() || self.md5.is_some())
            && self.sha256.is_none_or(|digest| digest == *sha256)
            && self.md5.is_none_or(|digest| digest == *md5)
    }
}

/// The words that a line or `/set` says, as far as they are compared.
#[derive(Clone, Default)]
struct Words {
    kind: Option<String>,
    mode: Option<u16>,
    size: Option<u64>,
    link: Option<Vec<u8>>,
    sha256: Option<[u8; 32]>,
    md5: Option<[u8; 16]>,
}

impl Words {
    /// `None` for a word that is wrong.
    fn take(&mut self, word: &str) -> Option<()> {
        let (key, value) = word.split_once('=')?;
        match key {
            "type" => self.kind = Some(value.to_owned()),
            "mode" => self.mode = Some(u16::from_str_radix(value, 8).ok().filter(|mode| *mode <= 0o7777)?),
            "size" => self.size = Some(value.parse().ok()?),
            "link" => self.link = Some(unescaped(value)?),
            "sha256digest" | "sha256" => self.sha256 = Some(digest(value)?),
            "md5digest" | "md5" => self.md5 = Some(digest(value)?),
            // Owners, times and what other programs add.
            _ => {}
        }
        Some(())
    }
}

/// Reads the list: entries by their paths without `./`.
pub(super) fn parse(text: &[u8], part: Part) -> Result<BTreeMap<Vec<u8>, Listed>> {
    let text = std::str::from_utf8(text).map_err(|_| part.malformed("it is not text"))?;
    let mut lines = text.split('\n');
    if lines.next() != Some("#mtree") {
        return Err(part.malformed("it does not start with `#mtree`"));
    }
    let mut defaults = Words::default();
    let mut entries = BTreeMap::new();
    for line in lines.filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let wrong = || part.malformed(format!("a line is wrong: `{}`", shown(line.as_bytes())));
        let (first, rest) = line.split_once(' ').unwrap_or((line, ""));
        let rest = rest.split(' ').filter(|word| !word.is_empty());
        if first == "/set" {
            for word in rest {
                defaults.take(word).ok_or_else(wrong)?;
            }
            continue;
        }
        if first == "/unset" {
            for key in rest {
                match key {
                    "mode" => defaults.mode = None,
                    "type" => defaults.kind = None,
                    _ => {}
                }
            }
            continue;
        }
        let mut words = defaults.clone();
        for word in rest {
            words.take(word).ok_or_else(wrong)?;
        }
        let name = first.strip_prefix("./").and_then(unescaped).ok_or_else(wrong)?;
        // What is not spelled as an archive's entry is would be another file to another reader.
        let path = PackagePath::new(&name).ok().filter(|path| path.as_bytes() == name).ok_or_else(wrong)?;
        let kind = match (words.kind.as_deref(), words.link) {
            (Some("file"), None) => ListedKind::File,
            (Some("dir"), None) => ListedKind::Directory,
            (Some("link"), Some(target)) => ListedKind::Symlink(target),
            (Some("fifo" | "char" | "block" | "socket"), None) => ListedKind::Other,
            _ => return Err(wrong()),
        };
        let mode = words.mode.ok_or_else(wrong)?;
        let listed = Listed { kind, mode, size: words.size, sha256: words.sha256, md5: words.md5 };
        if entries.insert(path.as_bytes().to_vec(), listed).is_some() {
            return Err(part.malformed(format!("it lists `{}` twice", shown(&name))));
        }
        if entries.len() as u64 > MOST_ENTRIES {
            return Err(part.beyond("entries", MOST_ENTRIES));
        }
    }
    Ok(entries)
}

/// `\ooo` for any byte, as libarchive writes it, and the letters that it reads (`parse_escapes`).
fn unescaped(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, behind)) = rest.split_first() {
        rest = behind;
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        let (escaped, length) = match rest {
            [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', ..] => {
                (((a - b'0') << 6) | ((b - b'0') << 3) | (c - b'0'), 3)
            }
            [b's', ..] => (b' ', 1),
            [b't', ..] => (b'\t', 1),
            [b'\\', ..] => (b'\\', 1),
            _ => return None,
        };
        bytes.push(escaped);
        rest = &rest[length..];
    }
    Some(bytes)
}

fn digest<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut digest = [0; N];
    if text.len() != 2 * N || !text.is_ascii() {
        return None;
    }
    for (byte, digits) in digest.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PART: Part = Part { format: "pacman", name: ".MTREE" };

    #[test]
    fn a_list_of_bsdtar_is_read() {
        let text = "#mtree\n/set type=file uid=0 gid=0 mode=644\n\
                    ./usr time=1.0 mode=755 type=dir\n\
                    ./usr/a\\040\\303\\266 time=1.0 size=0 md5digest=d41d8cd98f00b204e9800998ecf8427e\n\
                    ./usr/l time=1.0 mode=777 type=link link=a\\040b\n";
        let entries = parse(text.as_bytes(), PART).unwrap();
        assert_eq!(entries.len(), 3);
        assert_eq!(entries[&b"usr/l"[..]].kind, ListedKind::Symlink(b"a b".to_vec()));
        let file = &entries["usr/a ö".as_bytes()];
        assert!(file.is_file(Some(0o644), 0, &[0; 32], &crate_md5()));
        assert!(!file.is_file(Some(0o755), 0, &[0; 32], &crate_md5()));
        assert!(!file.is_file(Some(0o644), 0, &[0; 32], &[0; 16]));
    }

    #[test]
    fn more_entries_than_a_package_has_are_given_up() {
        let mut text = "#mtree\n/set type=dir mode=0\n".to_owned();
        (0..=MOST_ENTRIES).for_each(|number| text.push_str(&format!("./{number:x}\n")));
        let error = parse(text.as_bytes(), PART).unwrap_err();
        assert!(matches!(error, crate::Error::BeyondLimit { limit: MOST_ENTRIES, .. }), "{error}");
    }

    fn crate_md5() -> [u8; 16] {
        digest("d41d8cd98f00b204e9800998ecf8427e").unwrap()
    }

    #[test]
    fn a_broken_list_is_refused() {
        for wrong in [
            "",
            "#mtree\n/etc type=dir mode=755\n",
            "#mtree\n./a\n",
            "#mtree\n./a type=dir\n",
            "#mtree\n./../a type=dir mode=755\n",
            "#mtree\n./a/ type=dir mode=755\n",
            "#mtree\n./a\\9 type=dir mode=755\n",
            "#mtree\n./a type=file mode=888\n",
            "#mtree\n./a type=link mode=777\n",
            "#mtree\n./a type=file mode=644 size=1 sha256digest=zz\n",
            "#mtree\n./a type=dir mode=755\n./a type=dir mode=755\n",
        ] {
            assert!(parse(wrong.as_bytes(), PART).is_err(), "{wrong:?}");
        }
    }
}

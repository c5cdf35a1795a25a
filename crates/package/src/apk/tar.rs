//! tar as apk reads it (apk-tools' `src/tar.c`): POSIX ustar headers with pax records in front.
//!
//! A size or time has 12 octal digits without an end, up to 64 GiB: apk reads neither base 256 nor the pax record
//! `size`. A path or link target of more than 100 bytes is in the records `path` and `linkpath`; `prefix` stays
//! empty. User and group are given by name, their numbers are 0, which apk falls back to.
//!
//! | record | holds |
//! |---|---|
//! | `APK-TOOLS.checksum.SHA1` | of a file's bytes, or of a link's target (abuild's `abuild-tar.c`) |
//! | `SCHILY.xattr.security.capability` | file capabilities, as the kernel keeps them |

use std::io::{self, Write};

use crate::{Capabilities, Owner, Timestamp};

/// The most that 12 octal digits say.
pub(super) const LARGEST: u64 = (1 << 36) - 1;

/// apk's own limit (`apk_tar_parse`), with room for a directory's slash.
pub(super) const LONGEST_PATH: usize = 4084;

/// The longest user or group name: 32 bytes with the NUL at the end.
pub(super) const LONGEST_OWNER: usize = 31;

/// What an entry's header says.
#[derive(Clone, Copy)]
pub(super) struct Member<'a> {
    /// Without a leading slash or `./`; with a slash behind a directory's.
    pub(super) path: &'a [u8],
    pub(super) kind: MemberKind<'a>,
    pub(super) mode: u16,
    pub(super) owner: &'a Owner,
    pub(super) sha1: Option<[u8; 20]>,
    pub(super) capabilities: Option<Capabilities>,
    /// The archive's time when `None`.
    pub(super) modified: Option<Timestamp>,
}

#[derive(Clone, Copy)]
pub(super) enum MemberKind<'a> {
    File { size: u64 },
    Directory,
    Symlink { target: &'a [u8] },
    HardLink { target: &'a [u8] },
}

/// The fields of a ustar header that are not always the same.
struct Header<'a> {
    path: &'a [u8],
    kind: u8,
    size: u64,
    target: &'a [u8],
    mode: u16,
    owner: &'a Owner,
    modified: Option<Timestamp>,
}

/// Writes an archive.
pub(super) struct Writer<W: Write> {
    out: W,
    timestamp: Timestamp,
    /// What is left of the current file.
    remaining: u64,
    padding: usize,
}

impl<W: Write> Writer<W> {
    /// Starts an archive whose entries all have this time.
    pub(super) fn new(out: W, timestamp: Timestamp) -> Writer<W> {
        Writer { out, timestamp, remaining: 0, padding: 0 }
    }

    /// Adds an entry; a file's bytes are then written to this writer.
    pub(super) fn member(&mut self, member: &Member<'_>) -> io::Result<()> {
        self.end_member()?;
        let (kind, size, target) = match member.kind {
            MemberKind::File { size } => (b'0', size, &b""[..]),
            MemberKind::HardLink { target } => (b'1', 0, target),
            MemberKind::Symlink { target } => (b'2', 0, target),
            MemberKind::Directory => (b'5', 0, &b""[..]),
        };
        let mut records = Vec::new();
        if member.path.len() > 100 {
            record(&mut records, "path", member.path);
        }
        if target.len() > 100 {
            record(&mut records, "linkpath", target);
        }
        if let Some(capabilities) = member.capabilities {
            record(&mut records, "SCHILY.xattr.security.capability", &capabilities.to_attribute());
        }
        if let Some(sha1) = member.sha1 {
            record(&mut records, "APK-TOOLS.checksum.SHA1", hexadecimal(&sha1).as_bytes());
        }
        if !records.is_empty() {
            let (path, owner) = (&b"././@PaxHeader"[..], &Owner::default());
            let size = records.len() as u64;
            self.header(&Header { path, kind: b'x', size, target: b"", mode: 0o644, owner, modified: None })?;
            records.resize(records.len().next_multiple_of(512), 0);
            self.out.write_all(&records)?;
        }
        let Member { path, mode, owner, modified, .. } = *member;
        self.header(&Header { path, kind, size, target, mode, owner, modified })?;
        self.remaining = size;
        self.padding = (size.next_multiple_of(512) - size) as usize;
        Ok(())
    }

    /// Ends the last entry, not the archive, and returns `out`: another segment follows.
    pub(super) fn cut(mut self) -> io::Result<W> {
        self.end_member()?;
        Ok(self.out)
    }

    /// Ends the archive with two empty blocks and returns `out`.
    pub(super) fn finish(mut self) -> io::Result<W> {
        self.end_member()?;
        self.out.write_all(&[0; 1024])?;
        Ok(self.out)
    }

    fn end_member(&mut self) -> io::Result<()> {
        assert_eq!(self.remaining, 0, "a file's bytes are as many as its header says");
        self.out.write_all(&[0; 512][..std::mem::take(&mut self.padding)])
    }

    /// A ustar header (POSIX pax, "ustar Interchange Format").
    fn header(&mut self, fields: &Header<'_>) -> io::Result<()> {
        let Header { path, kind, size, target, mode, owner, modified } = *fields;
        let modified = modified.unwrap_or(self.timestamp);
        let mut header = [0; 512];
        let mut put = |at: usize, bytes: &[u8]| header[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, &path[..path.len().min(100)]);
        put(100, format!("{mode:07o}").as_bytes());
        put(108, b"0000000");
        put(116, b"0000000");
        put(124, format!("{size:012o}").as_bytes());
        put(136, format!("{:012o}", modified.as_unix()).as_bytes());
        put(148, b"        ");
        put(156, &[kind]);
        put(157, &target[..target.len().min(100)]);
        put(257, b"ustar\x0000");
        put(265, owner.user.as_bytes());
        put(297, owner.group.as_bytes());
        put(329, b"0000000");
        put(337, b"0000000");
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        self.out.write_all(&header)
    }
}

impl<W: Write> Write for Writer<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.remaining = self.remaining.checked_sub(written as u64).expect("a file's bytes fit its header");
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// `LENGTH KEYWORD=VALUE\n`, where the length counts its own digits (POSIX pax, "pax Extended Header").
fn record(records: &mut Vec<u8>, keyword: &str, value: &[u8]) {
    let rest = keyword.len() + value.len() + 3;
    let mut length = rest + 1;
    while length != rest + length.to_string().len() {
        length = rest + length.to_string().len();
    }
    records.extend_from_slice(format!("{length} {keyword}=").as_bytes());
    records.extend_from_slice(value);
    records.push(b'\n');
}

/// Lower-case hexadecimal digits.
pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_counts_its_own_digits() {
        for (length, expected) in [(1, "6 a=x\n"), (92, "98 a="), (93, "99 a="), (94, "101 a=")] {
            let mut records = Vec::new();
            record(&mut records, "a", &vec![b'x'; length]);
            assert!(records.starts_with(expected.as_bytes()), "{length}");
            let text = String::from_utf8(records.clone()).unwrap();
            assert_eq!(text.split_once(' ').unwrap().0.parse(), Ok(records.len()));
        }
    }
}

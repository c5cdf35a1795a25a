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

use crate::archive::part::hexadecimal;
use crate::archive::tar::{Body, pax_record};
use crate::{Capabilities, Owner, Timestamp};

/// The most that 12 octal digits say.
pub(super) const LARGEST: u64 = (1 << 36) - 1;

/// apk's own limit (`apk_tar_parse`), with room for a directory's slash.
pub(super) const LONGEST_PATH: usize = 4084;

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
    out: Body<W>,
    timestamp: Timestamp,
}

impl<W: Write> Writer<W> {
    /// Starts an archive whose entries all have this time.
    pub(super) fn new(out: W, timestamp: Timestamp) -> Writer<W> {
        Writer { out: Body::new(out), timestamp }
    }

    /// Adds an entry; a file's bytes are then written to this writer.
    pub(super) fn member(&mut self, member: &Member<'_>) -> io::Result<()> {
        self.out.end()?;
        let (kind, size, target) = match member.kind {
            MemberKind::File { size } => (b'0', size, &b""[..]),
            MemberKind::HardLink { target } => (b'1', 0, target),
            MemberKind::Symlink { target } => (b'2', 0, target),
            MemberKind::Directory => (b'5', 0, &b""[..]),
        };
        let mut records = Vec::new();
        if member.path.len() > 100 {
            records.extend(pax_record("path", member.path));
        }
        if target.len() > 100 {
            records.extend(pax_record("linkpath", target));
        }
        if let Some(capabilities) = member.capabilities {
            records.extend(pax_record("SCHILY.xattr.security.capability", &capabilities.to_attribute()));
        }
        if let Some(sha1) = member.sha1 {
            records.extend(pax_record("APK-TOOLS.checksum.SHA1", hexadecimal(&sha1).as_bytes()));
        }
        if !records.is_empty() {
            let (path, owner) = (&b"././@PaxHeader"[..], &Owner::default());
            let size = records.len() as u64;
            self.header(&Header { path, kind: b'x', size, target: b"", mode: 0o644, owner, modified: None })?;
            records.resize(records.len().next_multiple_of(512), 0);
            self.out.get_mut().write_all(&records)?;
        }
        let Member { path, mode, owner, modified, .. } = *member;
        self.header(&Header { path, kind, size, target, mode, owner, modified })?;
        self.out.start(size);
        Ok(())
    }

    /// Ends the last entry, not the archive, and returns `out`: another segment follows.
    pub(super) fn cut(mut self) -> io::Result<W> {
        self.out.end()?;
        Ok(self.out.into_inner())
    }

    /// Ends the archive with two empty blocks and returns `out`.
    pub(super) fn finish(mut self) -> io::Result<W> {
        self.out.end()?;
        self.out.get_mut().write_all(&[0; 1024])?;
        Ok(self.out.into_inner())
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
        self.out.get_mut().write_all(&header)
    }
}

impl<W: Write> Write for Writer<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

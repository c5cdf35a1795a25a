//! tar as dpkg, libarchive and GNU tar read it: GNU's format, with what it needs and nothing of the machine.
//!
//! A name or link target of more than 100 bytes is preceded by a `././@LongLink` member that holds it; a size
//! of 8 GiB or more is written in base 256 (both: GNU tar's manual, "Basic Tar Format"; dpkg reads them since
//! 1.4.1.17 and 1.18.24, deb(5)). Everything else fits the header. User and group are given by name; their
//! numbers are 0, which dpkg falls back to for a name that the customer's machine does not have.
//!
//! The `tar` crate encodes the fields; its builder is not used because it writes names by `Path`, which drops
//! the leading `./`, and takes a reader where this crate pushes bytes.

use std::io::{self, Write};

use tar::{EntryType, Header};

use crate::{Error, Inherited, Owner, Timestamp};

/// Writes an archive.
pub(crate) struct Writer<W: Write> {
    out: Body<W>,
    timestamp: Timestamp,
    /// Of the next member.
    inherited: Inherited,
}

/// What an archive is written to: headers past it, members' bytes through it, which must be as many as was said.
pub(crate) struct Body<W: Write> {
    out: W,
    /// What is left of the current member, and its padding.
    remaining: u64,
    padding: usize,
}

impl<W: Write> Body<W> {
    pub(crate) fn new(out: W) -> Body<W> {
        Body { out, remaining: 0, padding: 0 }
    }

    /// What follows are the `size` bytes of a member.
    pub(crate) fn start(&mut self, size: u64) {
        self.remaining = size;
        self.padding = padding(size);
    }

    /// Fills the last block of the member.
    pub(crate) fn end(&mut self) -> io::Result<()> {
        assert_eq!(self.remaining, 0, "a file's bytes are as many as its header says");
        self.out.write_all(&[0; 512][..std::mem::take(&mut self.padding)])
    }

    /// For what is no member's.
    pub(crate) fn get_mut(&mut self) -> &mut W {
        &mut self.out
    }

    pub(crate) fn into_inner(self) -> W {
        self.out
    }
}

impl<W: Write> Write for Body<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.remaining = self.remaining.checked_sub(written as u64).expect("a file's bytes fit its header");
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// What a member's header says.
pub(crate) struct Member<'a> {
    /// With `./` in front, and a slash behind a directory's.
    pub(crate) path: &'a [u8],
    pub(crate) kind: MemberKind<'a>,
    pub(crate) mode: u16,
    pub(crate) owner: &'a Owner,
}

pub(crate) enum MemberKind<'a> {
    File {
        size: u64,
    },
    Directory,
    Symlink {
        target: &'a [u8],
    },
    /// Another name of an earlier member, named as that is.
    HardLink {
        target: &'a [u8],
    },
}

/// The longest user or group name: 32 bytes with the NUL at the end.
pub(crate) const LONGEST_OWNER: usize = 31;

/// An owner's names go into fields of fixed size, and to getpwnam(3) on the customer's machine.
pub(crate) fn check_owner(owner: &Owner, format: &'static str) -> Result<(), Error> {
    for name in [&owner.user, &owner.group] {
        let is_odd = |c: char| c.is_control() || c == ':';
        if name.is_empty() || name.len() > LONGEST_OWNER || name.contains(is_odd) {
            let reason = "a user's or group's name has 1 to 31 bytes, no `:` and no control character";
            return Err(Error::Option { format, option: "the owner", value: name.to_string(), reason });
        }
    }
    Ok(())
}

impl<W: Write> Writer<W> {
    /// Starts an archive whose members all have this time.
    pub(crate) fn new(out: W, timestamp: Timestamp) -> Writer<W> {
        Writer { out: Body::new(out), timestamp, inherited: Inherited::default() }
    }

    /// What the next member keeps of the file it was made from.
    pub(crate) fn inherit(&mut self, inherited: Inherited) {
        self.inherited = inherited;
    }

    /// Adds a member; a file's bytes are then written to this writer.
    pub(crate) fn member(&mut self, member: &Member<'_>) -> io::Result<()> {
        self.out.end()?;
        let mut header = self.header(member.mode);
        let (kind, size, target) = match member.kind {
            MemberKind::File { size } => (EntryType::Regular, size, &b""[..]),
            MemberKind::Directory => (EntryType::Directory, 0, &b""[..]),
            MemberKind::Symlink { target } => (EntryType::Symlink, 0, target),
            MemberKind::HardLink { target } => (EntryType::Link, 0, target),
        };
        if target.len() > 100 {
            self.long(EntryType::GNULongLink, target)?;
        }
        if member.path.len() > 100 {
            self.long(EntryType::GNULongName, member.path)?;
        }
        header.set_entry_type(kind);
        header.set_size(size);
        header.set_username(&member.owner.user)?;
        header.set_groupname(&member.owner.group)?;
        self.write_header(header, member.path, target)?;
        self.out.start(size);
        self.inherited = Inherited::default();
        Ok(())
    }

    /// Gives the next member an extended attribute, in a pax header of its own (pax(1), "pax Extended Header"; the
    /// keyword is star's, which GNU tar and libarchive read).
    pub(crate) fn attribute(&mut self, name: &str, value: &[u8]) -> io::Result<()> {
        self.out.end()?;
        let record = pax_record(&format!("SCHILY.xattr.{name}"), value);
        let mut header = self.header(0o644);
        header.set_entry_type(EntryType::XHeader);
        header.set_size(record.len() as u64);
        self.write_header(header, b"PaxHeaders/attributes", b"")?;
        self.out.get_mut().write_all(&record)?;
        self.out.get_mut().write_all(&vec![0; padding(record.len() as u64)])
    }

    /// Leaves an archive in the middle of a member, for someone else to go on after the member's bytes.
    pub(crate) fn suspend(self) -> W {
        self.out.into_inner()
    }

    /// Ends the archive with two empty blocks and returns `out`.
    pub(crate) fn finish(mut self) -> io::Result<W> {
        self.out.end()?;
        self.out.get_mut().write_all(&[0; 1024])?;
        Ok(self.out.into_inner())
    }

    fn header(&self, mode: u16) -> Header {
        let mut header = Header::new_gnu();
        header.set_mode(u32::from(mode));
        header.set_uid(self.inherited.user.into());
        header.set_gid(self.inherited.group.into());
        let modified = self.inherited.modified.unwrap_or(self.timestamp);
        header.set_mtime(u64::from(modified.as_unix()));
        header
    }

    /// The member that holds what does not fit into 100 bytes, with a NUL at its end.
    fn long(&mut self, kind: EntryType, text: &[u8]) -> io::Result<()> {
        let mut header = self.header(0o644);
        header.set_entry_type(kind);
        header.set_mtime(0);
        let size = text.len() as u64 + 1;
        header.set_size(size);
        self.write_header(header, b"././@LongLink", b"")?;
        self.out.get_mut().write_all(text)?;
        self.out.get_mut().write_all(&vec![0; 1 + padding(size)])
    }

    fn write_header(&mut self, mut header: Header, path: &[u8], target: &[u8]) -> io::Result<()> {
        let gnu = header.as_gnu_mut().expect("the header was made by `new_gnu`");
        let path = &path[..path.len().min(100)];
        gnu.name[..path.len()].copy_from_slice(path);
        let target = &target[..target.len().min(100)];
        gnu.linkname[..target.len()].copy_from_slice(target);
        header.set_cksum();
        self.out.get_mut().write_all(header.as_bytes())
    }
}

/// `LENGTH KEY=VALUE` and a line break, where the length counts itself (POSIX pax, "pax Extended Header").
pub(crate) fn pax_record(key: &str, value: &[u8]) -> Vec<u8> {
    let rest = [b" ", key.as_bytes(), b"=", value, b"\n"].concat();
    let mut length = rest.len();
    while length != rest.len() + length.to_string().len() {
        length = rest.len() + length.to_string().len();
    }
    [length.to_string().into_bytes(), rest].concat()
}

/// The zeros behind `size` bytes.
pub(crate) fn padding(size: u64) -> usize {
    (size.next_multiple_of(512) - size) as usize
}

impl<W: Write> Write for Writer<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archive(path: &[u8], kind: MemberKind<'_>) -> Vec<u8> {
        let mut tar = Writer::new(Vec::new(), Timestamp::from_unix(7).unwrap());
        tar.member(&Member { path, kind, mode: 0o644, owner: &Owner::default() }).unwrap();
        tar.out.start(0);
        tar.finish().unwrap()
    }

    #[test]
    fn a_size_of_8_gib_is_written_in_base_256() {
        let below = archive(b"./x", MemberKind::File { size: (8 << 30) - 1 });
        assert_eq!(&below[124..136], b"77777777777\0");
        let above = archive(b"./x", MemberKind::File { size: 9 << 30 });
        assert_eq!(above[124..136], [0x80, 0, 0, 0, 0, 0, 0, 2, 0x40, 0, 0, 0]);
        assert_eq!(Header::from_byte_slice(&above[..512]).entry_size().unwrap(), 9 << 30);
    }

    #[test]
    fn the_length_of_a_pax_record_counts_its_own_digits() {
        assert_eq!(pax_record("a", b"b"), b"6 a=b\n");
        assert_eq!(pax_record("a", b"12345"), b"11 a=12345\n");
        assert_eq!(pax_record("a", &[b'x'; 93]).len(), 99);
        assert_eq!(pax_record("a", &[b'x'; 94]).len(), 101);
    }

    #[test]
    fn names_of_up_to_100_bytes_need_no_second_header() {
        for (length, headers) in [(99, 1), (100, 1), (101, 3)] {
            let bytes = archive(&vec![b'n'; length], MemberKind::Directory);
            assert_eq!(bytes.len(), headers * 512 + 1024, "{length}");
            let mut archive = tar::Archive::new(&bytes[..]);
            let entry = archive.entries().unwrap().next().unwrap().unwrap();
            assert_eq!(entry.path_bytes().len(), length);
        }
    }

    #[test]
    fn long_link_targets_survive() {
        let target = [b't'; 300];
        let bytes = archive(b"./link", MemberKind::Symlink { target: &target });
        let mut archive = tar::Archive::new(&bytes[..]);
        let entry = archive.entries().unwrap().next().unwrap().unwrap();
        assert_eq!(entry.link_name_bytes().unwrap().as_ref(), target);
    }

    #[test]
    fn a_record_counts_its_own_digits() {
        for (length, expected) in [(1, "6 a=x\n"), (92, "98 a="), (93, "99 a="), (94, "101 a=")] {
            let record = pax_record("a", &vec![b'x'; length]);
            assert!(record.starts_with(expected.as_bytes()), "{length}");
            let text = String::from_utf8(record.clone()).unwrap();
            assert_eq!(text.split_once(' ').unwrap().0.parse(), Ok(record.len()));
        }
    }
}

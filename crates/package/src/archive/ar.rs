//! The ar archive that a deb is.
//!
//! | offset | length | field |
//! |---|---|---|
//! | 0 | 16 | name, padded with spaces, without a slash at its end |
//! | 16 | 12 | time in seconds, decimal |
//! | 28, 34 | 6, 6 | user and group, decimal: 0 |
//! | 40 | 8 | mode, octal: 100644 |
//! | 48 | 10 | size, decimal: less than 10,000,000,000 |
//! | 58 | 2 | `` ` `` and a line break |
//!
//! The magic `!<arch>\n` comes first; a member of odd size is followed by a line break (deb(5), ar(5)).
//!
//! [`Writer`] streams: a member's size is filled in when it is complete, and a member of known size can be
//! replaced later. It does not read archives.

use std::io::{self, Seek, SeekFrom, Write};

use crate::{Error, Result, Timestamp};

/// The largest member: ten decimal digits (deb(5): "approximately 9536.74 MiB").
pub const SIZE_LIMIT: u64 = 9_999_999_999;

const HEADER: u64 = 60;

/// Writes an archive.
pub struct Writer<W: Write + Seek> {
    out: W,
    timestamp: Timestamp,
    position: u64,
    open: Option<Open>,
}

struct Open {
    name: String,
    header: u64,
}

/// A complete member, to be replaced by [`Writer::replace`].
#[derive(Debug)]
pub struct Member {
    content: u64,
    size: u64,
}

impl<W: Write + Seek> Writer<W> {
    /// Starts an archive in `out`, whose members all have this time.
    ///
    /// # Errors
    /// When `out` fails.
    pub fn new(mut out: W, timestamp: Timestamp) -> Result<Writer<W>> {
        let magic = b"!<arch>\n";
        out.write_all(magic)?;
        Ok(Writer { out, timestamp, position: magic.len() as u64, open: None })
    }

    /// Adds a member with these bytes.
    ///
    /// # Errors
    /// As [`Writer::end`].
    pub fn add(&mut self, name: &str, bytes: &[u8]) -> Result<Member> {
        self.begin(name)?;
        self.write_all(bytes)?;
        self.end()
    }

    /// Begins a member; its bytes are then written to this writer, and [`Writer::end`] completes it.
    ///
    /// # Errors
    /// When `out` fails.
    pub fn begin(&mut self, name: &str) -> Result<()> {
        assert!(self.open.is_none(), "a member is still open");
        assert!((1..=15).contains(&name.len()), "deb(5) limits a member's name to 15 characters");
        let header = self.position;
        self.open = Some(Open { name: name.to_owned(), header });
        self.write_header(0)?;
        self.position = header + HEADER;
        Ok(())
    }

    /// Completes the member that [`Writer::begin`] began.
    ///
    /// # Errors
    /// When it is larger than [`SIZE_LIMIT`], and when `out` fails.
    pub fn end(&mut self) -> Result<Member> {
        let open = self.open.as_ref().expect("`begin` was called");
        let content = open.header + HEADER;
        let size = self.position - content;
        check_size(&open.name, size)?;
        self.out.seek(SeekFrom::Start(open.header))?;
        self.write_header(size)?;
        self.out.seek(SeekFrom::Start(self.position))?;
        if size % 2 == 1 {
            self.out.write_all(b"\n")?;
            self.position += 1;
        }
        self.open = None;
        Ok(Member { content, size })
    }

    /// Writes other bytes of the same number over a complete member.
    ///
    /// # Errors
    /// When `out` fails.
    pub fn replace(&mut self, member: &Member, bytes: &[u8]) -> Result<()> {
        assert_eq!(member.size, bytes.len() as u64, "a member is replaced by as many bytes");
        self.out.seek(SeekFrom::Start(member.content))?;
        self.out.write_all(bytes)?;
        self.out.seek(SeekFrom::Start(self.position))?;
        Ok(())
    }

    fn write_header(&mut self, size: u64) -> io::Result<()> {
        let name = &self.open.as_ref().expect("a header belongs to an open member").name;
        let header = format!("{name:<16}{:<12}0     0     100644  {size:<10}`\n", self.timestamp.as_unix());
        self.out.write_all(header.as_bytes())
    }
}

/// Refuses a size that ten digits cannot say.
fn check_size(name: &str, size: u64) -> Result<()> {
    if size <= SIZE_LIMIT {
        return Ok(());
    }
    Err(Error::TooLarge { what: format!("`{name}`"), size, format: "deb", limit: SIZE_LIMIT })
}

impl<W: Write + Seek> Write for Writer<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(open) = &self.open {
            // Said at the first byte too many, not after a disk was filled.
            let size = self.position + bytes.len() as u64 - open.header - HEADER;
            check_size(&open.name, size)
                .map_err(|error| io::Error::new(io::ErrorKind::FileTooLarge, error))?;
        }
        let written = self.out.write(bytes)?;
        self.position += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn writer() -> Writer<Cursor<Vec<u8>>> {
        Writer::new(Cursor::new(Vec::new()), Timestamp::from_unix(1_684_497_600).unwrap()).unwrap()
    }

    #[test]
    fn members_are_laid_out_as_deb_5_says() {
        let mut ar = writer();
        ar.add("debian-binary", b"2.0\n").unwrap();
        let control = ar.add("control.tar.gz", b"odd").unwrap();
        ar.begin("data.tar.xz").unwrap();
        ar.write_all(b"12345678").unwrap();
        ar.end().unwrap();
        ar.replace(&control, b"ODD").unwrap();
        let text = String::from_utf8(ar.out.into_inner()).unwrap();
        assert_eq!(
            text,
            "!<arch>\n\
             debian-binary   1684497600  0     0     100644  4         `\n2.0\n\
             control.tar.gz  1684497600  0     0     100644  3         `\nODD\n\
             data.tar.xz     1684497600  0     0     100644  8         `\n12345678"
        );
    }

    #[test]
    fn a_member_that_ten_digits_cannot_say_is_refused() {
        let mut ar = writer();
        ar.begin("data.tar").unwrap();
        ar.position += SIZE_LIMIT - 1;
        ar.write_all(b"x").unwrap();
        let error = ar.write_all(b"x").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
        assert!(matches!(error.downcast::<Error>(), Ok(Error::TooLarge { size: 10_000_000_000, .. })));
    }
}

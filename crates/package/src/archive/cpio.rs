//! The payload of an rpm: cpio, in the portable "newc" form and in rpm's stripped one.
//!
//! | part | bytes |
//! |---|---|
//! | newc header | `070701`, then 13 fields of 8 hexadecimal digits ([cpio(5)]), name with NUL, padded to 4 |
//! | stripped header | `07070X`, the file's index in the package header as 8 hexadecimal digits, padded to 4 |
//! | contents | padded to 4 |
//! | end | a newc header for the name `TRAILER!!!` with all else 0 (links 1), in both forms |
//!
//! newc cannot say sizes of 4 GiB and more. rpm 4.12 and later then takes everything but the contents from the
//! package header ([rpm's format]); one such file makes every member of the payload a stripped one.
//!
//! Names of one file are members with one inode and their number as link count; the last of them has the
//! contents, as rpm wants it.
//!
//! The module does not read archives.
//!
//! [cpio(5)]: https://man.freebsd.org/cgi/man.cgi?query=cpio&sektion=5
//! [rpm's format]: https://github.com/rpm-software-management/rpm/blob/master/docs/manual/format_v4.md#payload

use std::io::{self, Write};

/// Sizes from here on need the stripped form. rpm's own limit: `CPIO_FILESIZE_MAX` in its `lib/cpio.h`.
pub const NEWC_LIMIT: u64 = u32::MAX as u64;

const TRAILER: &[u8] = b"TRAILER!!!\0";

/// Writes an archive: a header, then exactly as many bytes as it announced, and so on.
#[derive(Debug)]
pub struct Writer<W> {
    out: W,
    position: u64,
    announced: u64,
}

/// What a newc header says of a file; owner and group are 0.
#[derive(Clone, Copy, Debug)]
pub struct Member<'a> {
    /// Its name, as in `./usr/bin/hello`.
    pub name: &'a [u8],
    /// Told apart by it; from 1.
    pub inode: u32,
    /// Type and permissions, as `stat` has them.
    pub mode: u16,
    /// Seconds since 1970.
    pub modified: u32,
    /// How many members have this inode.
    pub links: u32,
    /// Length of its contents: a file's bytes, a symbolic link's target, else 0.
    pub size: u32,
}

impl<W: Write> Writer<W> {
    /// Starts an archive.
    #[cfg(test)]
    pub fn new(out: W) -> Writer<W> {
        Writer::at(out, 0)
    }

    /// Goes on with an archive of which `position` bytes have been written elsewhere, with complete members.
    pub fn at(out: W, position: u64) -> Writer<W> {
        Writer { out, position, announced: 0 }
    }

    /// Starts a member in newc form; its contents follow by `write`.
    ///
    /// # Errors
    /// When the contents of the one before are incomplete, and when writing fails.
    pub fn start(&mut self, member: Member<'_>) -> io::Result<()> {
        self.pad()?;
        let name_size = member.name.len() + 1;
        write!(
            self.out,
            "070701{:08x}{:08x}{:08x}{:08x}{:08x}{:08x}{:08x}{:08x}{:08x}{:08x}{:08x}{name_size:08x}{:08x}",
            member.inode, member.mode, 0, 0, member.links, member.modified, member.size, 0, 0, 0, 0, 0,
        )?;
        self.out.write_all(member.name)?;
        self.out.write_all(b"\0")?;
        self.position += 110 + name_size as u64;
        self.pad()?;
        self.announced = u64::from(member.size);
        Ok(())
    }

    /// Starts a member in rpm's stripped form: the file at `index` of the package header, with `size` bytes.
    ///
    /// # Errors
    /// As [`Writer::start`].
    pub fn start_stripped(&mut self, index: u32, size: u64) -> io::Result<()> {
        self.pad()?;
        write!(self.out, "07070X{index:08x}")?;
        self.position += 14;
        self.pad()?;
        self.announced = size;
        Ok(())
    }

    /// Ends the archive; returns what it was written to and its length.
    ///
    /// # Errors
    /// As [`Writer::start`].
    pub fn finish(mut self) -> io::Result<(W, u64)> {
        self.pad()?;
        write!(self.out, "070701{:032}{:08x}{:048}{:08x}{:08x}", 0, 1, 0, TRAILER.len(), 0)?;
        self.out.write_all(TRAILER)?;
        self.position += 110 + TRAILER.len() as u64;
        self.pad()?;
        Ok((self.out, self.position))
    }

    /// Everything starts at a multiple of 4.
    fn pad(&mut self) -> io::Result<()> {
        if self.announced != 0 {
            let message = format!("{} bytes of a cpio member are missing", self.announced);
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        let padding = (4 - self.position % 4) % 4;
        self.position += padding;
        self.out.write_all(&[0; 3][..padding as usize])
    }
}

/// Contents of the member started last.
impl<W: Write> Write for Writer<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.len() as u64 > self.announced {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "more bytes than the cpio member announced",
            ));
        }
        let written = self.out.write(bytes)?;
        self.position += written as u64;
        self.announced -= written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(name: &[u8], size: u32) -> Member<'_> {
        Member { name, inode: 1, mode: 0o100644, modified: 0x6553_f100, links: 1, size }
    }

    #[test]
    fn an_archive_is_what_rpm_writes() {
        let mut archive = Writer::new(Vec::new());
        archive.start(member(b"./a", 5)).unwrap();
        archive.write_all(b"hello").unwrap();
        let (bytes, length) = archive.finish().unwrap();
        let text = "07070100000001000081a4000000000000000000000001\
                    6553f10000000005000000000000000000000000000000000000000400000000./a\0\0\0hello\0\0\0\
                    07070100000000000000000000000000000000000000010000000000000000\
                    000000000000000000000000000000000000000b00000000TRAILER!!!\0\0\0\0";
        assert_eq!(String::from_utf8_lossy(&bytes), text);
        assert_eq!(length, text.len() as u64);
    }

    #[test]
    fn a_stripped_member_is_only_its_index() {
        let mut archive = Writer::new(Vec::new());
        archive.start_stripped(0, 0).unwrap();
        archive.start_stripped(17, 1).unwrap();
        archive.write_all(b"x").unwrap();
        let (bytes, _) = archive.finish().unwrap();
        assert!(bytes.starts_with(b"07070X00000000\0\x0007070X00000011\0\0x\0\0\x00070701"), "{bytes:?}");
    }

    #[test]
    fn contents_must_be_as_long_as_announced() {
        let mut archive = Writer::new(Vec::new());
        archive.start(member(b"./a", 2)).unwrap();
        assert!(archive.write_all(b"xyz").is_err());
        archive.write_all(b"x").unwrap();
        assert!(archive.start(member(b"./b", 0)).is_err());
    }
}

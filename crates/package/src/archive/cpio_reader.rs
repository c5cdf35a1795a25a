//! Reads the payload of an rpm: cpio in the "newc" form (cpio(5)) and in rpm's stripped one (`lib/cpio.cc`).
//!
//! The layout is in [`super::cpio`], which writes it. A header's fields are eight hexadecimal digits each, and
//! nothing else; the end is a member named `TRAILER!!!`, behind which only zeros may follow.

use std::io::{self, Read};

use super::entries::Entries;
use super::part::Part;
use crate::Result;

/// A name with its NUL.
const LONGEST_NAME: u32 = 4097;

/// Reads an archive.
pub(crate) struct Reader<R: Read> {
    entries: Entries<R>,
    part: Part,
    is_over: bool,
}

/// What a member's header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Member {
    /// The newc form.
    Named(Named),
    /// rpm's stripped form: the index of the file in the package header, where everything else is said.
    /// [`Reader::set_size`] must be called before anything is read.
    Indexed(u32),
}

/// A member in newc form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Named {
    /// As it stands, without the NUL.
    pub(crate) name: Vec<u8>,
    /// Members with the same one are one file.
    pub(crate) inode: u32,
    /// Type and permissions.
    pub(crate) mode: u32,
    /// How many names the file has.
    pub(crate) links: u32,
    /// In Unix seconds.
    pub(crate) modified: u32,
    /// Length of the contents that follow.
    pub(crate) size: u32,
}

impl<R: Read> Reader<R> {
    /// Starts at the first member.
    pub(crate) fn new(from: R, part: Part) -> Reader<R> {
        Reader { entries: Entries::new(from, part), part, is_over: false }
    }

    /// The next member, whose contents are then read from `self`; what was left of the one before is skipped.
    /// `None` behind the last, when everything was read.
    ///
    /// # Errors
    /// When the archive is malformed.
    pub(crate) fn next(&mut self) -> Result<Option<Member>> {
        if self.is_over {
            return Ok(None);
        }
        self.entries.skip()?;
        self.pad()?;
        let mut magic = [0; 6];
        self.entries.read_exact(&mut magic)?;
        match &magic {
            b"070701" => self.named(),
            b"07070X" => {
                let index = self.number()?;
                self.pad()?;
                Ok(Some(Member::Indexed(index)))
            }
            _ => Err(self
                .part
                .malformed(format!("no member's header at byte {}", self.entries.position() - 6))),
        }
    }

    /// How many bytes the stripped member has that [`Reader::next`] gave.
    pub(crate) fn set_size(&mut self, size: u64) {
        self.entries.start(size);
    }

    fn named(&mut self) -> Result<Option<Member>> {
        // inode, mode, user, group, links, time, size, device (2), special device (2), length of name, checksum
        let mut fields = [0; 13];
        for field in &mut fields {
            *field = self.number()?;
        }
        let [inode, mode, _, _, links, modified, size, _, _, _, _, name_size, _] = fields;
        if !(2..=LONGEST_NAME).contains(&name_size) {
            return Err(self.part.malformed(format!("a member's name has {name_size} bytes")));
        }
        let mut name = vec![0; name_size as usize];
        self.entries.read_exact(&mut name)?;
        self.pad()?;
        if name.pop() != Some(0) || name.contains(&0) {
            return Err(self.part.malformed("a member's name does not end with its only NUL"));
        }
        if name == b"TRAILER!!!" {
            if size != 0 {
                return Err(self.part.malformed("its end has contents"));
            }
            self.is_over = true;
            self.entries.finish()?;
            return Ok(None);
        }
        self.entries.start(u64::from(size));
        Ok(Some(Member::Named(Named { name, inode, mode, links, modified, size })))
    }

    fn number(&mut self) -> Result<u32> {
        let mut digits = [0; 8];
        self.entries.read_exact(&mut digits)?;
        digits
            .iter()
            .try_fold(0, |number, digit| Some(number << 4 | char::from(*digit).to_digit(16)?))
            .ok_or_else(|| self.part.malformed("a header's field is no hexadecimal number"))
    }

    /// Everything starts at a multiple of 4; GNU cpio and rpm skip what fills the gap, and rpm writes zeros.
    fn pad(&mut self) -> Result<()> {
        let mut padding = [0; 3];
        let length = (4 - self.entries.position() % 4) % 4;
        self.entries.read_exact(&mut padding[..length as usize])?;
        if padding != [0; 3] {
            return Err(self.part.malformed("a padding is not zero"));
        }
        Ok(())
    }
}

impl<R: Read> Read for Reader<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.entries.read(bytes)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;
    use crate::Error;
    use crate::archive::cpio::{self, Writer};

    const PART: Part = Part { format: "rpm", name: "payload" };

    fn archive() -> Vec<u8> {
        let mut archive = Writer::new(Vec::new());
        let member = cpio::Member { name: b"./a", inode: 1, mode: 0o100644, modified: 7, size: 5, links: 1 };
        archive.start(member).unwrap();
        archive.write_all(b"hello").unwrap();
        archive.start_stripped(17, 1).unwrap();
        archive.write_all(b"x").unwrap();
        archive.finish().unwrap().0
    }

    fn list(bytes: &[u8]) -> Result<Vec<(Member, Vec<u8>)>> {
        let mut reader = Reader::new(bytes, PART);
        let mut members = Vec::new();
        while let Some(member) = reader.next()? {
            if member == Member::Indexed(17) {
                reader.set_size(1);
            }
            let mut content = Vec::new();
            reader.read_to_end(&mut content)?;
            members.push((member, content));
        }
        Ok(members)
    }

    #[test]
    fn what_the_writer_writes_is_read() {
        let members = list(&archive()).unwrap();
        let (Member::Named(named), content) = &members[0] else { panic!("{members:?}") };
        assert_eq!((named.name.as_slice(), named.size, content.as_slice()), (&b"./a"[..], 5, &b"hello"[..]));
        assert_eq!(members[1], (Member::Indexed(17), b"x".to_vec()));
        list(&[&archive()[..], &[0; 300]].concat()).unwrap();
    }

    #[test]
    fn what_is_no_archive_is_refused() {
        let whole = archive();
        for length in 0..whole.len() {
            // The last bytes are padding of the trailer, which is padded like everything else.
            assert!(matches!(list(&whole[..length]), Err(Error::Malformed { .. })), "{length}");
        }
        let cases: [(usize, &[u8], &str); 6] = [
            (0, b"070702", "no member's header"),
            (6, b"-0000001", "no hexadecimal number"),
            (94, b"00000000", "name has 0 bytes"),
            (94, b"ffffffff", "name has"),
            (111, b"\0", "only NUL"),
            (119, b"xxx", "padding is not zero"),
        ];
        for (at, wrong, reason) in cases {
            let mut bytes = archive();
            bytes[at..at + wrong.len()].copy_from_slice(wrong);
            let error = list(&bytes).unwrap_err();
            assert!(error.to_string().contains(reason), "{error} is not {reason}");
        }
        let error = list(&[&whole[..], b"more"].concat()).unwrap_err();
        assert!(error.to_string().contains("follows its end"), "{error}");
    }
}

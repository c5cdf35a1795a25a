//! Reads the ar archive that a deb is: strictly as deb(5) has it, which leaves nothing to interpret.
//!
//! Names are at most 16 bytes, padded with spaces, with one slash at their end or none (GNU ar writes it, dpkg
//! drops it: `dpkg_ar_normalize_name` in its `lib/dpkg/ar.c`). GNU's and BSD's long names, which dpkg does not
//! know, are refused; so are numbers with signs or inner blanks, and a padding that is no line break: what two
//! readers understand differently is how one shows the customer something else than the other installs
//! (apt's CVE-2020-27350).
//!
//! A member's bytes are not read, only found: [`Reader::next`] seeks, [`Reader::open`] reads.

use std::io::{Read, SeekFrom, Take};

use super::part::{Part, shown};
use crate::Result;
use crate::inspect::Input;

const HEADER: u64 = 60;
const MAGIC: &[u8; 8] = b"!<arch>\n";

/// Reads an archive.
pub(crate) struct Reader<'a> {
    file: &'a mut dyn Input,
    part: Part,
    length: u64,
    /// Where the next header is.
    position: u64,
}

/// A member, found but not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    /// Its name, without padding or slash; printable ASCII.
    pub(crate) name: String,
    /// Where its bytes start in the file.
    pub(crate) offset: u64,
    /// How many they are; all of them lie inside the file.
    pub(crate) size: u64,
}

impl<'a> Reader<'a> {
    /// Starts at the beginning of `file`.
    ///
    /// # Errors
    /// When it is not an archive.
    pub(crate) fn new(file: &'a mut dyn Input, part: Part) -> Result<Reader<'a>> {
        let length = file.seek(SeekFrom::End(0))?;
        file.seek(SeekFrom::Start(0))?;
        let mut magic = [0; 8];
        let filled = part.read_up_to(file, &mut magic)?;
        if magic[..filled] != MAGIC[..] {
            return Err(part.malformed("it does not start with `!<arch>`"));
        }
        Ok(Reader { file, part, length, position: MAGIC.len() as u64 })
    }

    /// Finds the next member; `None` at the end of the file.
    ///
    /// # Errors
    /// When its header is not one, or says more than the file has.
    pub(crate) fn next(&mut self) -> Result<Option<Member>> {
        let part = self.part;
        if self.position == self.length {
            return Ok(None);
        }
        self.file.seek(SeekFrom::Start(self.position))?;
        let mut header = [0; HEADER as usize];
        part.read_exact(self.file, &mut header)?;
        if &header[58..] != b"`\n" {
            return Err(part.malformed(format!("no member's header at byte {}", self.position)));
        }
        let name = self.name(&header[..16])?;
        for (field, digits, radix) in
            [("time", 16..28, 10), ("user", 28..34, 10), ("group", 34..40, 10), ("mode", 40..48, 8)]
        {
            self.number(&name, field, &header[digits], radix)?;
        }
        let size = self.number(&name, "size", &header[48..58], 10)?;
        let offset = self.position + HEADER;
        let end = offset + size;
        if end > self.length {
            return Err(part.malformed(format!("`{name}` is longer than the file")));
        }
        self.position = end;
        if size % 2 == 1 {
            let mut padding = [0];
            self.file.seek(SeekFrom::Start(end))?;
            part.read_exact(self.file, &mut padding)?;
            if padding != *b"\n" {
                return Err(part.malformed(format!("`{name}` is not followed by a line break")));
            }
            self.position += 1;
        }
        Ok(Some(Member { name, offset, size }))
    }

    /// The bytes of a member.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(crate) fn open(&mut self, member: &Member) -> Result<Take<&mut dyn Input>> {
        self.file.seek(SeekFrom::Start(member.offset))?;
        Ok((&mut *self.file as &mut dyn Input).take(member.size))
    }

    fn name(&self, field: &[u8]) -> Result<String> {
        let refuse = |reason: &str| self.part.malformed(format!("the name `{}` {reason}", shown(field)));
        let name = field.trim_ascii_end();
        if name.starts_with(b"/") || name.starts_with(b"#1/") {
            return Err(refuse("is a long one of GNU's or BSD's, which deb(5) does not have"));
        }
        let name = name.strip_suffix(b"/").unwrap_or(name);
        if name.is_empty() || !name.iter().all(u8::is_ascii_graphic) || name.contains(&b'/') {
            return Err(refuse("is no member's"));
        }
        Ok(String::from_utf8_lossy(name).into_owned())
    }

    /// Digits from the start of the field, then blanks to its end.
    fn number(&self, name: &str, field: &str, bytes: &[u8], radix: u32) -> Result<u64> {
        let text = std::str::from_utf8(bytes).unwrap_or_default().trim_end_matches(' ');
        if text.is_empty() || !text.bytes().all(|byte| char::from(byte).is_digit(radix)) {
            let reason = format!("the {field} of `{name}` is no number: `{}`", shown(bytes));
            return Err(self.part.malformed(reason));
        }
        Ok(u64::from_str_radix(text, radix).expect("at most 12 digits"))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::{Error, Timestamp};

    const PART: Part = Part { format: "deb", name: "archive" };

    fn list(bytes: &[u8]) -> Result<Vec<(String, Vec<u8>)>> {
        let mut file = Cursor::new(bytes);
        let mut reader = Reader::new(&mut file, PART)?;
        let mut members = Vec::new();
        while let Some(member) = reader.next()? {
            let mut content = Vec::new();
            reader.open(&member)?.read_to_end(&mut content)?;
            members.push((member.name, content));
        }
        Ok(members)
    }

    fn archive() -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        let mut writer = super::super::ar::Writer::new(&mut bytes, Timestamp::from_unix(7).unwrap()).unwrap();
        writer.add("debian-binary", b"2.0\n").unwrap();
        writer.add("control.tar", b"odd").unwrap();
        writer.add("data.tar", b"").unwrap();
        bytes.into_inner()
    }

    #[test]
    fn what_the_writer_writes_is_read() {
        let members = list(&archive()).unwrap();
        let expected =
            [("debian-binary", &b"2.0\n"[..]), ("control.tar", &b"odd"[..]), ("data.tar", &b""[..])];
        assert_eq!(members, expected.map(|(name, bytes)| (name.to_owned(), bytes.to_vec())));
    }

    #[test]
    fn the_slash_that_gnu_ar_writes_is_dropped_as_dpkg_does() {
        let mut bytes = archive();
        bytes[8..24].copy_from_slice(b"debian-binary/  ");
        assert_eq!(list(&bytes).unwrap()[0].0, "debian-binary");
    }

    #[test]
    fn what_deb_5_does_not_have_is_refused() {
        let second = 8 + 60 + 4;
        let cases: [(usize, &[u8], &str); 14] = [
            (0, b"!<ARCH>\n", "start with"),
            (0, b"!<thin>\n", "start with"),
            (8 + 58, b"xx", "no member's header"),
            (8, b"//              ", "GNU's or BSD's"),
            (8, b"/12             ", "GNU's or BSD's"),
            (8, b"#1/20           ", "GNU's or BSD's"),
            (8, b"                ", "no member's"),
            (8, b"a b             ", "no member's"),
            (8, b"\x1b[2J           ", "no member's"),
            (8 + 48, b"-4        ", "size of `debian-binary` is no number"),
            (8 + 48, b"+4        ", "size of `debian-binary` is no number"),
            (8 + 48, b" 4        ", "size of `debian-binary` is no number"),
            (8 + 48, b"9999999999", "longer than the file"),
            (second + 60 + 3, b"\0", "not followed by a line break"),
        ];
        for (at, wrong, reason) in cases {
            let mut bytes = archive();
            bytes[at..at + wrong.len()].copy_from_slice(wrong);
            let error = list(&bytes).unwrap_err();
            assert!(matches!(error, Error::Malformed { .. }), "{error}");
            assert!(error.to_string().contains(reason), "{error} is not {reason}");
        }
        for length in 0..archive().len() {
            let cut = &archive()[..length];
            match list(cut) {
                Ok(members) => assert!(members.len() < 3 && length >= 8, "{length}"),
                Err(error) => assert!(matches!(error, Error::Malformed { .. }), "{error}"),
            }
        }
    }
}

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
//! [`Writer`] does not read archives.

use std::io::Write;

use crate::{Error, Result, Timestamp};

/// The largest member: ten decimal digits (deb(5): "approximately 9536.74 MiB").
pub const SIZE_LIMIT: u64 = 9_999_999_999;

/// Writes an archive.
pub struct Writer<W: Write> {
    out: W,
    timestamp: Timestamp,
}

impl<W: Write> Writer<W> {
    /// Starts an archive in `out`, whose members all have this time.
    ///
    /// # Errors
    /// When `out` fails.
    pub fn new(mut out: W, timestamp: Timestamp) -> Result<Writer<W>> {
        out.write_all(b"!<arch>\n")?;
        Ok(Writer { out, timestamp })
    }

    /// Adds a member with these bytes.
    ///
    /// # Errors
    /// When it is larger than [`SIZE_LIMIT`], and when `out` fails.
    pub fn add(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        let size = bytes.len() as u64;
        self.write_header(name, size)?;
        self.out.write_all(bytes)?;
        self.out.write_all(padding(size))?;
        Ok(())
    }

    /// Ends with the header of a member whose `size` bytes, and then their [`padding`], are written to `out` by
    /// the caller.
    ///
    /// # Errors
    /// As [`Writer::add`].
    pub fn last(mut self, name: &str, size: u64) -> Result<W> {
        self.write_header(name, size)?;
        Ok(self.out)
    }

    fn write_header(&mut self, name: &str, size: u64) -> Result<()> {
        assert!((1..=15).contains(&name.len()), "deb(5) limits a member's name to 15 characters");
        if size > SIZE_LIMIT {
            return Err(Error::TooLarge {
                what: format!("`{name}`"),
                size,
                format: "deb",
                limit: SIZE_LIMIT,
            });
        }
        let header = format!("{name:<16}{:<12}0     0     100644  {size:<10}`\n", self.timestamp.as_unix());
        Ok(self.out.write_all(header.as_bytes())?)
    }
}

/// What follows a member of `size` bytes.
pub fn padding(size: u64) -> &'static [u8] {
    if size % 2 == 1 { b"\n" } else { b"" }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn writer() -> Writer<Vec<u8>> {
        Writer::new(Vec::new(), Timestamp::from_unix(1_684_497_600).unwrap()).unwrap()
    }

    #[test]
    fn members_are_laid_out_as_deb_5_says() {
        let mut ar = writer();
        ar.add("debian-binary", b"2.0\n").unwrap();
        ar.add("control.tar.gz", b"ODD").unwrap();
        let text = String::from_utf8(ar.last("data.tar.xz", 8).unwrap()).unwrap();
        assert_eq!(
            text,
            "!<arch>\n\
             debian-binary   1684497600  0     0     100644  4         `\n2.0\n\
             control.tar.gz  1684497600  0     0     100644  3         `\nODD\n\
             data.tar.xz     1684497600  0     0     100644  8         `\n"
        );
        assert_eq!((padding(8), padding(3)), (&b""[..], &b"\n"[..]));
    }

    #[test]
    fn a_member_that_ten_digits_cannot_say_is_refused() {
        assert!(writer().last("data.tar", SIZE_LIMIT).is_ok());
        let error = writer().last("data.tar", SIZE_LIMIT + 1).unwrap_err();
        assert!(matches!(error, Error::TooLarge { size: 10_000_000_000, .. }));
    }
}

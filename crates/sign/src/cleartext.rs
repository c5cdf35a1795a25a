//! Texts signed in the clear: readable by people and by programs that do not check.
//!
//! Specification: RFC 9580, section 7. apt's `InRelease` has this form.
//!
//! | line | what |
//! |---|---|
//! | `-----BEGIN PGP SIGNED MESSAGE-----` | |
//! | `Hash: SHA512` | for readers that hash while reading; then an empty line |
//! | `- -dash` | the text; lines that begin with a dash are escaped by `- ` |
//! | `-----BEGIN PGP SIGNATURE-----` | an armored signature of type 0x01 |
//!
//! What is signed is not the bytes but the lines: without blanks at their ends, joined by CR LF, without a line
//! break after the last. rPGP's writer leaves the blanks in the hash, which gpgv then calls a bad signature; so
//! the framing is done here, in both directions.
//!
//! Exactly one message is read and nothing around it: apt and others have been fooled by text before or after
//! the signed part (CVE-2013-1051), and gpg by unknown headers.

use crate::{Error, policy};

/// A text as its signature sees it: lines without blanks at their ends.
pub(crate) struct Lines<'a>(Vec<&'a str>);

impl<'a> Lines<'a> {
    /// The lines of a text to be signed. One line break at its end belongs to its last line.
    pub(crate) fn of(text: &'a str) -> Result<Self, Error> {
        let text = text.strip_suffix('\n').unwrap_or(text);
        let lines: Vec<&str> = text.split('\n').map(strip).collect();
        if text.len() > policy::MAX_CLEARTEXT_BYTES {
            return Err(Error::UnsignableText { reason: "it is larger than 32 MiB" });
        }
        if lines.iter().any(|line| line.contains(['\r', '\0'])) {
            return Err(Error::UnsignableText {
                reason: "it holds a NUL, or a carriage return in the middle of a line, which programs read differently",
            });
        }
        if lines.iter().any(|line| line.len() > MAX_LINE) {
            return Err(Error::UnsignableText {
                reason: "a line is longer than 19,990 bytes, where gpg cuts it off",
            });
        }
        Ok(Lines(lines))
    }

    /// What is hashed.
    pub(crate) fn signed_bytes(&self) -> Vec<u8> {
        self.0.join("\r\n").into_bytes()
    }

    /// The text for a program that goes on with it: LF, also after the last line.
    pub(crate) fn to_text(&self) -> String {
        let mut text = self.0.join("\n");
        if !text.is_empty() {
            text.push('\n');
        }
        text
    }

    /// The whole message, with its armored signature.
    pub(crate) fn to_message(&self, hash: &str, signature: &str) -> String {
        let mut message = format!("{BEGIN}\nHash: {hash}\n\n");
        for line in &self.0 {
            // `From ` at the start of a line is escaped as well, as gpg does: old mailers change it.
            if line.starts_with('-') || line.starts_with("From ") {
                message.push_str("- ");
            }
            message.push_str(line);
            message.push('\n');
        }
        message.push_str(signature);
        message
    }
}

/// GnuPG's `g10/textfilter.c` reads lines of 19,995 bytes, line break and escape included.
const MAX_LINE: usize = 19_990;

const BEGIN: &str = "-----BEGIN PGP SIGNED MESSAGE-----";
const BEGIN_SIGNATURE: &str = "-----BEGIN PGP SIGNATURE-----";
const END_SIGNATURE: &str = "-----END PGP SIGNATURE-----";

/// What a signature leaves out of a line: blanks at its end, and the CR of a CR LF.
fn strip(line: &str) -> &str {
    line.trim_end_matches([' ', '\t', '\r'])
}

/// A message taken apart: the signed lines and the armored signature.
pub(crate) fn parse(message: &str) -> Result<(Lines<'_>, &str), Error> {
    let refuse = |reason| Error::NotCleartext { reason };
    if message.len() > policy::MAX_CLEARTEXT_BYTES {
        return Err(refuse("it is larger than 32 MiB"));
    }
    let mut lines = message.split_inclusive('\n');
    if lines.next().map(str::trim_end) != Some(BEGIN) {
        return Err(refuse("it does not begin with -----BEGIN PGP SIGNED MESSAGE-----"));
    }
    let mut consumed = message.find('\n').map_or(message.len(), |end| end + 1);
    for header in lines.by_ref() {
        consumed += header.len();
        if header.trim().is_empty() {
            break;
        }
        // RFC 9580, section 7.1: any other header is malformed. gpg's `NotDashEscaped` changes what is signed.
        if !header.starts_with("Hash: ") {
            return Err(refuse("it has a header other than `Hash`"));
        }
    }
    let mut text = Vec::new();
    loop {
        let line = lines.next().ok_or(refuse("it has no signature"))?;
        let content = line.strip_suffix('\n').unwrap_or(line);
        if content.trim_end() == BEGIN_SIGNATURE {
            break;
        }
        consumed += line.len();
        let content = match content.strip_prefix("- ") {
            Some(escaped) => escaped,
            None if content.starts_with('-') => {
                return Err(refuse("a line begins with a dash and is not escaped"));
            }
            None => content,
        };
        let stripped = strip(content);
        if stripped.contains(['\r', '\0']) {
            return Err(refuse("a line holds a carriage return or a NUL, which programs read differently"));
        }
        text.push(stripped);
    }
    let signature = &message[consumed..];
    let mut after = signature.lines().skip_while(|line| line.trim_end() != END_SIGNATURE).skip(1);
    if after.any(|line| !line.trim().is_empty()) {
        return Err(refuse("something follows the signature"));
    }
    Ok((Lines(text), signature))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIGNATURE: &str = "-----BEGIN PGP SIGNATURE-----\n\nZm9v\n-----END PGP SIGNATURE-----\n";

    #[test]
    fn a_text_survives_the_framing() {
        for (text, signed) in [
            ("", ""),
            ("\n", ""),
            ("a", "a"),
            ("a\n", "a"),
            ("a\n\n", "a\r\n"),
            ("a \t\r\n  b\n", "a\r\n  b"),
            (
                "-\n- x\n-----BEGIN PGP SIGNATURE-----\nFrom me\n",
                "-\r\n- x\r\n-----BEGIN PGP SIGNATURE-----\r\nFrom me",
            ),
        ] {
            let lines = Lines::of(text).unwrap();
            assert_eq!(lines.signed_bytes(), signed.as_bytes(), "{text:?}");
            let message = lines.to_message("SHA512", SIGNATURE);
            let (read, signature) = parse(&message).unwrap();
            assert_eq!(read.signed_bytes(), signed.as_bytes(), "{message}");
            assert_eq!(signature, SIGNATURE);
        }
    }

    #[test]
    fn anything_around_or_beside_the_message_is_refused() {
        let good = Lines::of("text\n").unwrap().to_message("SHA512", SIGNATURE);
        assert!(parse(&good).is_ok());
        assert!(parse(&good.replace('\n', "\r\n")).is_ok());
        for bad in [
            String::new(),
            format!("before\n{good}"),
            format!("\n{good}"),
            format!("{good}after\n"),
            format!("{good}{good}"),
            good.replace("Hash: SHA512", "NotDashEscaped: yes"),
            good.replace("Hash: SHA512\n\n", "text\n\n"),
            good.replace("text\n", "-text\n"),
            good.replace("text\n", "te\rxt\n"),
            good.replace(SIGNATURE, ""),
            format!("{BEGIN}\nHash: SHA512\n"),
        ] {
            assert!(matches!(parse(&bad), Err(Error::NotCleartext { .. })), "{bad}");
        }
    }

    #[test]
    fn a_text_that_programs_read_differently_is_not_signed() {
        assert!(matches!(Lines::of("a\rb\n"), Err(Error::UnsignableText { .. })));
        assert!(matches!(Lines::of("a\0b\n"), Err(Error::UnsignableText { .. })));
    }
}

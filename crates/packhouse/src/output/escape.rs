//! Text of others on our terminal: nothing in it may act.
//!
//! Control characters could clear the screen, retitle the window or overwrite what was printed; characters that
//! turn the direction of writing show something else than is there (Unicode Standard Annex 9; CVE-2021-42574).

use std::fmt::Write as _;

/// One line: everything that is no visible character is written as an escape.
pub fn line(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if acts(c) {
            let _ = write!(shown, "{}", c.escape_default());
        } else {
            shown.push(c);
        }
    }
    shown
}

/// Several lines: as [`line()`], and each starts with `indent`. Tabs stay.
pub fn lines(text: &str, indent: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for piece in text.lines() {
        let piece: Vec<String> = piece.split('\t').map(line).collect();
        let _ = writeln!(shown, "{indent}{}", piece.join("\t"));
    }
    shown
}

/// Text of ours that repeats others': as [`line()`], but its line breaks stay.
pub fn text(text: &str) -> String {
    text.split('\n').map(line).collect::<Vec<_>>().join("\n")
}

/// A path: as [`line()`], and bytes that are no UTF-8 as `\xff`.
pub fn path(bytes: &[u8]) -> String {
    let mut shown = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        shown.push_str(&line(chunk.valid()));
        for byte in chunk.invalid() {
            let _ = write!(shown, "\\x{byte:02x}");
        }
    }
    shown
}

fn acts(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_acts_on_the_terminal() {
        assert_eq!(line("a\u{1b}[2Jb\rc\u{9b}d"), "a\\u{1b}[2Jb\\rc\\u{9b}d");
        assert_eq!(line("abc\u{202e}gnp.exe"), "abc\\u{202e}gnp.exe");
        assert_eq!(line("grüße, 世界"), "grüße, 世界");
        assert_eq!(lines("a\tb\n\u{7}c", "  "), "  a\tb\n  \\u{7}c\n");
        assert_eq!(text("a\u{7}\nb"), "a\\u{7}\nb");
        assert_eq!(path(b"/a\xffb\n"), "/a\\xffb\\n");
    }
}

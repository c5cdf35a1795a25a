//! A build's log: everything its commands printed, and how the end of it is shown.

use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::process::Stdio;

use fs_err as fs;

use crate::Result;

/// How many lines of a failed command are shown.
const TAIL_LINES: usize = 20;

/// Makes an empty log, with the directories above it.
pub(crate) fn create(log: &Path) -> Result<()> {
    if let Some(parent) = log.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::File::create(log)?;
    Ok(())
}

/// Opens the log for a command, named in it as `$ command`: its standard output and standard error.
pub(crate) fn for_command(log: &Path, command: &str) -> Result<(Stdio, Stdio)> {
    let mut output = fs::OpenOptions::new().append(true).open(log)?;
    writeln!(output, "$ {command}")?;
    let output = output.into_parts().0;
    Ok((output.try_clone()?.into(), output.into()))
}

/// Adds a line.
pub(crate) fn add(log: &Path, line: &str) -> Result<()> {
    let mut output = fs::OpenOptions::new().append(true).create(true).open(log)?;
    writeln!(output, "{line}")?;
    Ok(())
}

/// The last lines of a log, read from its end.
pub(crate) fn tail(log: &Path) -> Result<Vec<String>> {
    const ENOUGH: u64 = 16 * 1024;
    let mut file = fs::File::open(log)?;
    let start = file.metadata()?.len().saturating_sub(ENOUGH);
    file.seek(SeekFrom::Start(start))?;
    let mut end = Vec::new();
    file.read_to_end(&mut end)?;
    let text = String::from_utf8_lossy(&end);
    let lines: Vec<&str> = text.lines().skip(usize::from(start > 0 && text.contains('\n'))).collect();
    let shown = &lines[lines.len().saturating_sub(TAIL_LINES)..];
    Ok(shown.iter().map(|line| readable(line)).collect())
}

/// A line as a terminal would have left it: a build's output may hold escape sequences, which a terminal must not
/// act on, and progress that overwrites itself. Cut where it is too long to be read.
pub(crate) fn readable(line: &str) -> String {
    const LONGEST: usize = 400;
    let last = line.trim_end_matches('\r').rsplit('\r').next().unwrap_or_default();
    let mut shown = String::new();
    let mut characters = last.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            // ECMA-48, 5.4: a control sequence is ESC [, parameters, and one final byte from @ to ~.
            '\u{1b}' if characters.next_if_eq(&'[').is_some() => {
                while characters.next_if(|c| !('@'..='~').contains(c)).is_some() {}
                characters.next();
            }
            '\t' => shown.push(c),
            _ if c.is_control() => shown.push('·'),
            _ => shown.push(c),
        }
    }
    match shown.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &shown[..end]),
        None => shown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_reads_as_a_terminal_would_have_left_it() {
        assert_eq!(readable("\u{1b}[31;1merror\u{1b}[0m: no"), "error: no");
        assert_eq!(readable("10%\r50%\r100%\r"), "100%");
        assert_eq!(readable("a\u{1b}]0;title\u{7}b"), "a·]0;title·b");
        assert_eq!(readable(&"x".repeat(1000)).chars().count(), 401);
    }
}

//! Splits a text into words as a POSIX shell does (IEEE 1003.1-2024, Shell Command Language, 2.2 and 2.3).
//!
//! Quotes, backslashes and comments are honoured, line ends separate words like blanks, and a backslash before
//! a line end joins the lines. Nothing is expanded.

use std::ops::Range;
use std::sync::Arc;

use crate::{Place, Problem, SourceFile};

/// A word, without its quotes, and where it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// The word.
    pub text: String,
    /// Where it is, quotes included.
    pub place: Place,
}

/// Splits `file` into words, up to a quote that is not closed, a backslash at the end, or a NUL: the problem then.
pub fn split(file: &Arc<SourceFile>) -> (Vec<Word>, Option<Box<Problem>>) {
    let mut words = Vec::new();
    let problem = Splitter { file, text: &file.text, at: 0 }.words(&mut words);
    (words, problem.err())
}

struct Splitter<'a> {
    file: &'a Arc<SourceFile>,
    text: &'a str,
    at: usize,
}

impl Splitter<'_> {
    fn words(mut self, words: &mut Vec<Word>) -> Result<(), Box<Problem>> {
        while let Some(c) = self.peek() {
            match c {
                ' ' | '\t' | '\n' | '\r' => self.at += 1,
                '\\' if self.text[self.at + 1..].starts_with('\n') => self.at += 2,
                '#' => self.at += self.text[self.at..].find('\n').unwrap_or(self.text.len() - self.at),
                _ => words.push(self.word()?),
            }
        }
        Ok(())
    }

    fn word(&mut self) -> Result<Word, Box<Problem>> {
        let start = self.at;
        let mut text = String::new();
        while let Some(c) = self.peek() {
            self.at += c.len_utf8();
            match c {
                ' ' | '\t' | '\n' | '\r' => {
                    self.at -= 1;
                    break;
                }
                '\\' => match self.next() {
                    Some('\n') => {}
                    Some(escaped) => text.push(escaped),
                    None => {
                        return Err(self.problem(start, "a backslash at the end of the file escapes nothing"));
                    }
                },
                '\'' => {
                    let quoted = &self.text[self.at..];
                    let Some(end) = quoted.find('\'') else {
                        return Err(self.problem(start, "a single quote is not closed"));
                    };
                    text.push_str(&quoted[..end]);
                    self.at += end + 1;
                }
                '"' => self.double_quoted(start, &mut text)?,
                '\0' => return Err(self.problem(self.at - 1, "a NUL byte cannot be part of an argument")),
                _ => text.push(c),
            }
        }
        Ok(Word { text, place: self.place(start..self.at) })
    }

    fn double_quoted(&mut self, start: usize, text: &mut String) -> Result<(), Box<Problem>> {
        loop {
            match self.next() {
                None => return Err(self.problem(start, "a double quote is not closed")),
                Some('"') => return Ok(()),
                // 2.2.3: within double quotes a backslash escapes these only.
                Some('\\') => match self.next() {
                    Some('\n') => {}
                    Some(c @ ('$' | '`' | '"' | '\\')) => text.push(c),
                    Some(c) => text.extend(['\\', c]),
                    None => return Err(self.problem(start, "a double quote is not closed")),
                },
                Some(c) => text.push(c),
            }
        }
    }

    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    fn place(&self, span: Range<usize>) -> Place {
        Place { file: self.file.clone(), span }
    }

    fn problem(&self, start: usize, message: &str) -> Box<Problem> {
        let end = self.text[start..].find('\n').map_or(self.text.len(), |end| start + end);
        Box::new(Problem::at(&self.place(start..end), message).label("it starts here"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Result<Vec<String>, String> {
        let file = Arc::new(SourceFile { path: "fpm.cmd".into(), text: text.into() });
        match split(&file) {
            (words, None) => Ok(words.into_iter().map(|word| word.text).collect()),
            (_, Some(problem)) => Err(format!("{}: {problem}", problem.line().unwrap())),
        }
    }

    #[test]
    fn splits_as_a_shell_does() {
        for (text, wanted) in [
            ("-t deb -d a", vec!["-t", "deb", "-d", "a"]),
            ("-d 'a (>= 1)' -d \"b | c\"", vec!["-d", "a (>= 1)", "-d", "b | c"]),
            ("-t deb # a comment\n-d a#b", vec!["-t", "deb", "-d", "a#b"]),
            ("-t deb \\\n  -d a\\ b", vec!["-t", "deb", "-d", "a b"]),
            ("a'b'\"c\"d ''", vec!["abcd", ""]),
            ("\"a\\\"b\\n$(x)\" '$(y)'", vec!["a\"b\\n$(x)", "$(y)"]),
            ("\r\n-t deb\r\n", vec!["-t", "deb"]),
            ("", vec![]),
        ] {
            assert_eq!(words(text).unwrap(), wanted, "{text}");
        }
    }

    #[test]
    fn an_open_quote_is_a_problem_with_its_line() {
        assert_eq!(words("-t deb\n-d 'a").unwrap_err(), "2: a single quote is not closed");
        assert_eq!(words("-d \"a\n").unwrap_err(), "1: a double quote is not closed");
        assert_eq!(words("a\\").unwrap_err(), "1: a backslash at the end of the file escapes nothing");
    }

    #[test]
    fn agrees_with_dash_where_nothing_is_expanded() {
        for text in
            ["a b", "'a b' c", "a\\ b", "\"a \\\" b\"", "a'b c'd", "a\\\nb", "x # y", "\"a\\\\b\"", "'\\'"]
        {
            let script = format!("for w in {}\ndo printf '%s\\n' \"$w\"; done", text.replace('#', "\n#"));
            let Ok(output) = std::process::Command::new("dash").args(["-c", &script]).output() else {
                return;
            };
            if output.status.success() {
                let shell: Vec<String> =
                    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect();
                assert_eq!(words(text).unwrap(), shell, "{text}");
            }
        }
    }
}

//! Patterns of files to leave out, as fpm matches them: Ruby's `File.fnmatch` without flags.
//!
//! The path is relative to the package's root, without a leading slash. `*` and `?` match `/` too, `[a-z]`,
//! `[!a]`, `[^a]` and `\` work, braces do not; `*` and `?` do not match a dot at the very start.

/// Whether `path` matches `pattern`.
///
/// ```
/// use packhouse_package::pattern::matches;
/// assert!(matches(b"*.pyc", b"usr/lib/x.pyc"));
/// assert!(!matches(b"/usr/*", b"usr/lib"));
/// ```
pub fn matches(pattern: &[u8], path: &[u8]) -> bool {
    let hidden = path.first() == Some(&b'.');
    if hidden && !matches!(pattern.first(), Some(b'.' | b'\\' | b'[')) {
        return false;
    }
    wild(pattern, path)
}

/// Iterative matching with one point to go back to, so that no pattern takes more than quadratic time.
fn wild(pattern: &[u8], path: &[u8]) -> bool {
    let (mut p, mut s) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while s < path.len() {
        let step = match pattern.get(p) {
            Some(b'*') => {
                star = Some((p + 1, s));
                p += 1;
                continue;
            }
            Some(_) => one(&pattern[p..], path[s]),
            None => None,
        };
        match (step, star) {
            (Some(length), _) => (p, s) = (p + length, s + 1),
            (None, Some((after, from))) => {
                star = Some((after, from + 1));
                (p, s) = (after, from + 1);
            }
            (None, None) => return false,
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

/// Matches one byte against the first element of `pattern`; tells how long that element is.
fn one(pattern: &[u8], byte: u8) -> Option<usize> {
    match pattern {
        [b'?', ..] => Some(1),
        [b'\\', escaped, ..] => (*escaped == byte).then_some(2),
        [b'[', rest @ ..] => match class(rest, byte) {
            Some((is_match, length)) => is_match.then_some(length + 1),
            None => (byte == b'[').then_some(1),
        },
        [literal, ..] => (*literal == byte).then_some(1),
        [] => None,
    }
}

/// A bracket expression without its `[`: whether it holds `byte`, and its length; `None` if it never ends.
fn class(pattern: &[u8], byte: u8) -> Option<(bool, usize)> {
    let negated = matches!(pattern.first(), Some(b'!' | b'^'));
    let mut at = usize::from(negated);
    let start = at;
    let mut found = false;
    loop {
        let mut low = *pattern.get(at)?;
        if low == b']' && at > start {
            return Some((found != negated, at + 1));
        }
        if low == b'\\' {
            at += 1;
            low = *pattern.get(at)?;
        }
        at += 1;
        let is_range = pattern.get(at) == Some(&b'-') && pattern.get(at + 1).is_some_and(|end| *end != b']');
        if is_range {
            found |= (low..=pattern[at + 1]).contains(&byte);
            at += 2;
        } else {
            found |= low == byte;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn matches_as_fpm_does() {
        for (pattern, path, wanted) in [
            ("usr/*", "usr/bin/x", true),
            ("**/x", "a/b/x", true),
            ("**/x", "x", false),
            ("*", ".hidden", false),
            ("a/*", "a/.hidden", true),
            ("./a", "a", false),
            ("[a-c]?[!x]", "bzy", true),
            ("[a-c]?[^x]", "bzx", false),
            ("a\\*", "a*", true),
            ("a\\*", "ab", false),
            ("{a,b}", "a", false),
            ("[", "[", true),
            ("*.log", "var/log/x.log.gz", false),
        ] {
            assert_eq!(matches(pattern.as_bytes(), path.as_bytes()), wanted, "{pattern} {path}");
        }
    }
}

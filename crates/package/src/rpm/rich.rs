//! Rich (boolean) dependencies, as in `(nginx or httpd >= 2.4)`.
//!
//! rpm keeps one as text in the place of a name and parses it when it resolves dependencies; a mistake in it
//! would show on the customer's machine only. So the text is parsed here, by the grammar of rpm's
//! `docs/manual/boolean_dependencies.md`, and written with single spaces, as rpmbuild does.

use super::dependency::check_version;

/// Whether a dependency is a rich one.
pub(super) fn is_rich(text: &str) -> bool {
    text.starts_with('(')
}

/// The dependency with single spaces.
///
/// # Errors
/// What is wrong with it.
pub(super) fn normalize(text: &str) -> Result<String, &'static str> {
    let mut normalized = String::new();
    let rest = group(text, &mut normalized)?;
    match rest.trim_start() {
        "" => Ok(normalized),
        _ => Err("there is something behind its last closing parenthesis"),
    }
}

/// Reads `( operand operator operand … )`; returns what follows.
fn group<'a>(text: &'a str, normalized: &mut String) -> Result<&'a str, &'static str> {
    const OPERATORS: [&str; 7] = ["and", "or", "if", "unless", "else", "with", "without"];
    let mut rest = text.strip_prefix('(').ok_or("an opening parenthesis is missing")?;
    normalized.push('(');
    loop {
        rest = operand(rest.trim_start(), normalized)?.trim_start();
        if let Some(rest) = rest.strip_prefix(')') {
            normalized.push(')');
            return Ok(rest);
        }
        let (operator, after) = word(rest);
        if operator.is_empty() {
            return Err("a closing parenthesis is missing");
        }
        if !OPERATORS.contains(&operator) {
            return Err("its operators are `and`, `or`, `if`, `unless`, `else`, `with` and `without`");
        }
        *normalized += &format!(" {operator} ");
        rest = after;
    }
}

/// Reads a group, or a name with an optional comparison.
fn operand<'a>(text: &'a str, normalized: &mut String) -> Result<&'a str, &'static str> {
    if is_rich(text) {
        return group(text, normalized);
    }
    let (name, rest) = word(text);
    if !name.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_' || c == '/' || !c.is_ascii()) {
        return Err("a name is missing, or does not start with a letter, a digit, `_` or `/`");
    }
    if name.contains(['<', '>', '=', '!']) {
        return Err("the operator needs spaces around it");
    }
    *normalized += name;
    let (comparison, after) = word(rest.trim_start());
    if !["<", "<=", "=", ">=", ">"].contains(&comparison) {
        return Ok(rest);
    }
    let (version, rest) = word(after.trim_start());
    check_version(version)?;
    *normalized += &format!(" {comparison} {version}");
    Ok(rest)
}

/// Splits at the first blank or closing parenthesis that the word itself has not opened, as `libc()(64bit)`.
fn word(text: &str) -> (&str, &str) {
    let mut depth = 0;
    let end = text.find(|c: char| match c {
        '(' => {
            depth += 1;
            false
        }
        ')' if depth > 0 => {
            depth -= 1;
            false
        }
        _ => c == ')' || c.is_whitespace(),
    });
    text.split_at(end.unwrap_or(text.len()))
}

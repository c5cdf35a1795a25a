//! Shell text around the user's scripts.

/// A function that holds a script as it stands. Its first command is `:`, because a function of comments alone is an
/// error.
pub(super) fn function(name: &str, body: &str) -> String {
    let end = if body.is_empty() || body.ends_with('\n') { "" } else { "\n" };
    format!("{name}() {{\n    :\n{body}{end}}}\n")
}

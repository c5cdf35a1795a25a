//! Output for programs: one JSON document a line.

use std::io::Write as _;

use serde::Serialize;
use serde_json::json;

/// Prints a document on a line.
pub(super) fn line(document: &impl Serialize) {
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    // That nobody reads it any more is no error of ours.
    let _ = serde_json::to_writer(&mut out, document);
    let _ = writeln!(out);
}

/// Prints an error.
pub(super) fn error(error: &anyhow::Error) {
    let problems: Vec<_> = super::error::problems(error)
        .map(|problem| {
            json!({
                "file": problem.path(),
                "line": problem.line(),
                "message": problem.to_string(),
                "help": problem.fix(),
            })
        })
        .collect();
    let mut document = json!({
        "event": "error",
        "message": error.to_string(),
        "causes": error.chain().skip(1).map(ToString::to_string).collect::<Vec<_>>(),
        "help": super::error::help(error),
    });
    if !problems.is_empty() {
        document["problems"] = problems.into();
    }
    line(&document);
}

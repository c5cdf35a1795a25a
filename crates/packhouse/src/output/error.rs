//! Errors for people: what failed, why, and how to fix it.

use std::error::Error as StdError;
use std::io::Write as _;
use std::process::ExitCode;

use miette::{GraphicalReportHandler, GraphicalTheme};
use packhouse_build::Kept;
use packhouse_project::{Problem, Problems};

use super::{Style, escape};
use crate::ops::{Refused, Unpublished, UsageError};

/// 2 for usage and configuration, 1 for work that failed.
pub fn exit_status(error: &anyhow::Error) -> ExitCode {
    let is_usage = error.chain().any(|cause| {
        cause.is::<Problems>()
            || cause.is::<UsageError>()
            || cause.downcast_ref().is_some_and(packhouse_publish::Error::is_configuration)
    });
    ExitCode::from(if is_usage { 2 } else { 1 })
}

/// Prints an error to standard error.
pub(super) fn print(error: &anyhow::Error, style: Style) {
    let mut text = String::new();
    let mut any = false;
    for problem in problems(error) {
        any = true;
        render(problem, style, &mut text);
    }
    if any {
        text.push_str(&paint(style, "31;1", "error"));
        text.push_str(&format!(": {error}; nothing was done\n"));
    } else {
        text.push_str(&paint(style, "31;1", "error"));
        text.push_str(&format!(": {}\n", escape::text(&error.to_string())));
        for cause in error.chain().skip(1) {
            text.push_str(&format!("  cause: {}\n", indent(&escape::text(&cause.to_string()))));
        }
        for line in tail_of(error) {
            text.push_str(&format!("    {line}\n"));
        }
        if let Some(help) = help(error) {
            text.push_str(&format!("  {}: {}\n", paint(style, "36", "help"), indent(&escape::text(&help))));
        }
    }
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// Prints why targets failed: the command, the last lines it printed, where the rest is.
pub(super) fn failure(targets: &[&str], error: &anyhow::Error, style: Style) {
    let mut text = format!("  {}\n", paint(style, "1", &targets.join(", ")));
    let label = paint(style, "31;1", "error");
    if let Some(packhouse_build::Error::Command { tail, log, kept, .. }) = error.downcast_ref() {
        text.push_str(&format!("    {label}: {error}\n"));
        for line in tail {
            text.push_str(&format!("      {line}\n"));
        }
        let look = match kept.as_deref() {
            Some(Kept::Directory(kept)) => format!("the failed build was left in {}", kept.display()),
            Some(Kept::Image { enter, remove }) => {
                format!("look around in the failed build with `{enter}`, and remove it with `{remove}`")
            }
            None => {
                format!("look around in the failed build with `packhouse build {} --keep-failed`", targets[0])
            }
        };
        text.push_str(&format!(
            "    {}: the whole log is {}; {look}\n",
            paint(style, "36", "help"),
            log.display()
        ));
    } else {
        text.push_str(&format!("    {label}: {error}\n"));
        for line in tail_of(error) {
            text.push_str(&format!("      {line}\n"));
        }
        for cause in error.chain().skip(1) {
            text.push_str(&format!("      cause: {}\n", indent(&cause.to_string())));
        }
        if let Some(help) = help(error) {
            text.push_str(&format!("    {}: {}\n", paint(style, "36", "help"), indent(&help)));
        }
    }
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// The last lines that an engine printed about an image.
fn tail_of(error: &anyhow::Error) -> &[String] {
    let image = error.chain().find_map(|cause| cause.downcast_ref::<packhouse_build::Error>());
    match image {
        Some(packhouse_build::Error::Image { tail, .. }) => tail,
        _ => &[],
    }
}

/// The problems of a project's tree that an error is about.
pub(super) fn problems(error: &anyhow::Error) -> impl Iterator<Item = &Problem> {
    error.chain().filter_map(|cause| cause.downcast_ref::<Problems>()).flat_map(Problems::iter)
}

/// How to fix it: the help of the deepest cause that has one.
pub fn help(error: &anyhow::Error) -> Option<String> {
    error.chain().filter_map(help_of).last()
}

fn help_of(error: &(dyn StdError + 'static)) -> Option<String> {
    macro_rules! first {
        ($($kind:ty),*) => {
            $(if let Some(error) = error.downcast_ref::<$kind>() { return error.help(); })*
        };
    }
    if let Some(unpublished) = error.downcast_ref::<Unpublished>() {
        return Some(unpublished.help.clone());
    }
    if let Some(usage) = error.downcast_ref::<UsageError>() {
        return Some(usage.help().to_owned());
    }
    if let Some(refused) = error.downcast_ref::<Refused>() {
        return Some(refused.help().to_owned());
    }
    first!(
        packhouse_build::Error,
        packhouse_package::Error,
        packhouse_publish::Error,
        packhouse_sign::Error,
        packhouse_site::Error
    );
    None
}

fn render(problem: &Problem, style: Style, text: &mut String) {
    let theme = if style.color { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
    let handler = GraphicalReportHandler::new_themed(theme).with_width(100).with_links(false);
    if handler.render_report(text, problem).is_err() {
        text.push_str(&problem.to_string());
    }
    text.push('\n');
}

fn indent(text: &str) -> String {
    text.replace('\n', "\n  ")
}

pub(super) fn paint(style: Style, code: &str, text: &str) -> String {
    if style.color { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
}

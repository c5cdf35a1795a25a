//! What `packhouse fpm` says, in fpm's form: on a terminal `message {:key=>value}`, elsewhere one line of a Ruby hash.

use std::io::{IsTerminal as _, Write as _};

use crate::ops::{FpmDetail as Detail, FpmFailure as Failure, FpmLevel as Level, FpmMessage as Message};

/// Prints a line on standard output, where fpm's are.
pub fn message(message: &Message) {
    let mut out = std::io::stdout().lock();
    let line = match (message.is_bare, out.is_terminal()) {
        (true, _) => message.text.clone(),
        (false, true) => terminal(message),
        (false, false) => plain(message, &jiff::Zoned::now()),
    };
    let _ = writeln!(out, "{line}");
}

/// Prints why there is no package.
pub fn failure(failure: &Failure) {
    let error = |text: String| {
        message(&Message { level: Some(Level::Error), text, details: Vec::new(), is_bare: false });
    };
    let mut err = std::io::stderr().lock();
    let _ = match failure {
        Failure::Said => Ok(()),
        Failure::Configuration(text) => {
            error(format!("Invalid package configuration: {text}"));
            Ok(())
        }
        Failure::Argument(text) => {
            error(format!("Invalid package argument: {text}"));
            Ok(())
        }
        Failure::Usage(text) => writeln!(err, "ERROR: {text}\n\nSee: 'fpm --help'"),
        Failure::Other(error) => {
            let help = super::help(error).map(|help| format!("\n  help: {help}")).unwrap_or_default();
            writeln!(err, "error: {error:#}{help}")
        }
    };
}

/// Prints a result as it stands.
pub fn text(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

fn terminal(message: &Message) -> String {
    let details = details(message);
    let text =
        if details.is_empty() { message.text.clone() } else { format!("{} {{{details}}}", message.text) };
    let color = match message.level {
        None => return text,
        Some(Level::Fatal | Level::Error) => 31,
        Some(Level::Warn) => 33,
        Some(Level::Info) => 32,
        Some(Level::Debug) => 36,
    };
    format!("\x1b[{color}m{text}\x1b[0m")
}

fn plain(message: &Message, now: &jiff::Zoned) -> String {
    let details = details(message);
    let comma = if details.is_empty() { "" } else { ", " };
    let time = now.strftime("%Y-%m-%dT%H:%M:%S.%6f%z");
    format!("{{:timestamp=>\"{time}\", :message=>{}{comma}{details}}}", quoted(&message.text))
}

/// `:key=>value`, the level last.
fn details(message: &Message) -> String {
    let mut parts: Vec<String> = message
        .details
        .iter()
        .map(|(key, detail)| match detail {
            Detail::Text(text) => format!(":{key}=>{}", quoted(text)),
            Detail::List(list) => {
                let list: Vec<String> = list.iter().map(|text| quoted(text)).collect();
                format!(":{key}=>[{}]", list.join(", "))
            }
        })
        .collect();
    if let Some(level) = message.level {
        let level = match level {
            Level::Fatal => "fatal",
            Level::Error => "error",
            Level::Warn => "warn",
            Level::Info => "info",
            Level::Debug => "debug",
        };
        parts.push(format!(":level=>:{level}"));
    }
    parts.join(", ")
}

/// As Ruby's `String#inspect`.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\r' => quoted.push_str("\\r"),
            '\x1b' => quoted.push_str("\\e"),
            '#' if matches!(characters.peek(), Some('{' | '$' | '@')) => quoted.push_str("\\#"),
            c if c.is_ascii_control() => quoted.push_str(&format!("\\x{:02X}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_have_rubys_form() {
        let now: jiff::Timestamp = "2026-11-27T04:25:22.996147Z".parse().unwrap();
        let now = now.to_zoned(jiff::tz::TimeZone::UTC);
        let mut message = Message {
            level: None,
            text: "Created package".into(),
            details: vec![("path", Detail::Text("a \"b\"#{c}".into()))],
            is_bare: false,
        };
        assert_eq!(
            plain(&message, &now),
            r#"{:timestamp=>"2026-11-27T04:25:22.996147+0000", :message=>"Created package", :path=>"a \"b\"\#{c}"}"#
        );
        assert_eq!(terminal(&message), r#"Created package {:path=>"a \"b\"\#{c}"}"#);
        message.level = Some(Level::Warn);
        message.details = vec![("list", Detail::List(vec!["a".into(), "b".into()]))];
        assert_eq!(
            terminal(&message),
            "\x1b[33mCreated package {:list=>[\"a\", \"b\"], :level=>:warn}\x1b[0m"
        );
    }
}

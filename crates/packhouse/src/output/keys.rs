//! Keys for people.

use std::fmt::Write as _;

use super::Style;
use super::error::paint;
use crate::ops::{Finding, KeyList, KeyReport, ListedKey, Rotation, RotationStage, Severity};

/// A block of lines for each key, as gpg lists them.
pub fn list(list: &KeyList) -> String {
    let mut text = String::new();
    for key in &list.keys {
        block(key, list.site.is_some(), &mut text);
        text.push('\n');
    }
    text
}

fn block(key: &ListedKey, is_site_known: bool, text: &mut String) {
    let first = key.user_ids.first().map_or("a key without a user id", String::as_str);
    let _ = writeln!(text, "{first}");
    for other in key.user_ids.iter().skip(1) {
        let _ = writeln!(text, "  also         {other}");
    }
    let _ = writeln!(text, "  fingerprint  {}", grouped(&key.fingerprint));
    let _ = writeln!(
        text,
        "  key          {}, made {}, {}",
        key.algorithm,
        key.created,
        until(key.expires.as_ref())
    );
    if let Some(on) = &key.revoked {
        let because = key.revoked_because.as_deref().unwrap_or_default();
        let _ = writeln!(text, "  REVOKED      {on}: {because}");
    }
    match (&key.signing_key, &key.why_not) {
        (Some(part), _) if *part == key.fingerprint => {
            let _ = writeln!(text, "  signs        by itself, {}", until(key.signs_until.as_ref()));
        }
        (Some(part), _) => {
            let until = until(key.signs_until.as_ref());
            let _ = writeln!(text, "  signs        by its subkey {}, {until}", grouped(part));
        }
        (None, Some(why)) => {
            let _ = writeln!(text, "  CANNOT SIGN  {why}");
        }
        (None, None) => {}
    }
    match &key.last_used {
        Some(used) => {
            let count = match used.packages {
                1 => String::new(),
                count => format!(", the newest of {count} packages"),
            };
            let _ = writeln!(text, "  last used    {} on {}{count}", used.package, used.on);
        }
        None if is_site_known => text.push_str("  last used    for no package on the site\n"),
        None => {}
    }
}

fn until(day: Option<&String>) -> String {
    day.map_or_else(|| "never expires".into(), |day| format!("expires {day}"))
}

/// A fingerprint in groups of four, as it is compared.
pub(super) fn grouped(fingerprint: &str) -> String {
    let parsed = fingerprint.parse::<packhouse_sign::Fingerprint>();
    parsed.map_or_else(|_| fingerprint.to_owned(), |fingerprint| fingerprint.grouped())
}

/// What is wrong, whom it concerns, and what to do.
pub fn finding(finding: &Finding, style: Style) -> String {
    let word = match finding.severity {
        Severity::Error => paint(style, "31;1", "error"),
        Severity::Warning => paint(style, "33;1", "warning"),
    };
    let mut text = String::new();
    let who = finding.user_id.as_ref().map(|user_id| format!("{user_id}: ")).unwrap_or_default();
    let _ = writeln!(text, "{word}: {who}{}", finding.message);
    if let Some(key) = &finding.key {
        let _ = writeln!(text, "  key: {}", grouped(key));
    }
    if !finding.targets.is_empty() {
        let _ = writeln!(text, "  targets: {}", finding.targets.join(", "));
    }
    if let Some(help) = &finding.help {
        let _ = writeln!(text, "  {}: {help}", paint(style, "36", "help"));
    }
    if let Some(source) = finding.source.as_ref().filter(|source| source.starts_with("https:")) {
        let _ = writeln!(text, "  see: {source}");
    }
    text
}

/// When nothing is wrong.
pub fn all_is_well(report: &KeyReport) -> String {
    let keys = match report.signing.len() {
        1 => "the key that signs".to_owned(),
        count => format!("the {count} keys that sign"),
    };
    let targets = match report.targets.len() {
        0 => String::new(),
        1 => format!(" and can be used by the client of {}", report.targets[0]),
        count => format!(" and can be used by the clients of all {count} targets"),
    };
    let (last, are) = if report.signing.len() == 1 { ("lasts", "is") } else { ("last", "are") };
    format!("{keys} {last} for more than 90 days, {are} strong{targets}")
}

/// Where a rotation stands.
pub fn rotation(rotation: &Rotation) -> String {
    let mut text = String::new();
    let first = match (rotation.stage, rotation.applied, rotation.files.is_empty()) {
        (RotationStage::None, _, true) => "no key is being replaced",
        (RotationStage::Begun, true, _) => "both keys sign from now on",
        (RotationStage::Finished, ..) => "the new key signs alone",
        (_, false, false) => "nothing was changed yet",
        (RotationStage::Begun, ..) => "both keys sign, and nothing is published yet that both signed",
        (RotationStage::Window, ..) => "both keys sign, and customers are getting the new one",
        (RotationStage::Over, ..) => "both keys sign, and the window is over",
        (RotationStage::None, ..) => "no key is being replaced",
    };
    let _ = writeln!(text, "{first}");
    for (label, key) in [("new key", &rotation.new), ("old key", &rotation.old)] {
        if let Some(key) = key {
            let label = if rotation.old.is_none() { "key" } else { label };
            let _ = writeln!(text, "  {label:<9}  {}  {}", grouped(&key.fingerprint), key.user_id);
        }
    }
    if let (Some(published), Some(over)) = (&rotation.published, &rotation.over) {
        let days = rotation.days.unwrap_or_default();
        let _ = writeln!(text, "  published  {published}; the window of {days} days is over on {over}");
    }
    if let Some(count) = rotation.old_packages {
        let _ = writeln!(text, "  on site    {count} packages that the old key signed alone");
    }
    for path in &rotation.files {
        let word = if rotation.applied { "changed" } else { "changes" };
        let _ = writeln!(text, "  {word}    {}", path.display());
    }
    for (title, lines) in [("what customers meet", &rotation.breaks), ("next", &rotation.next)] {
        if !lines.is_empty() {
            let _ = writeln!(text, "{title}:");
            for line in lines {
                let _ = writeln!(text, "  - {line}");
            }
        }
    }
    text
}

//! The `%changelog` of a package, read as a spec file has it.
//!
//! ```text
//! * Tue Jan 02 2024 Jane Doe <jane@example.com> - 1.2.3-1
//! - Says hello more politely.
//! ```
//!
//! An entry counts as written at noon UTC, as rpmbuild has it (`build/parseChangelog.c`); entries are in
//! descending order.

use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::header::Header;
use super::tag::header as tag;
use super::version::Evr;
use crate::changelog::of_package;
use crate::{ChangelogEntry, Error, Package, Result, Timestamp};

/// Puts the metadata's entries, the newest for this version, as rpmbuild and rpmlint want it.
pub(super) fn put_entries(package: &Package, evr: &Evr, header: &mut Header) {
    const DAY: u32 = 86_400;
    let entries = of_package(&package.metadata, &evr.to_string(), package.timestamp);
    let noon = |time: Timestamp| (time.as_unix() / DAY * DAY).saturating_add(DAY / 2);
    let bullet = |change: &String| {
        if change.starts_with("[ ") { change.clone() } else { format!("- {}", change.replace('\n', "\n  ")) }
    };
    header.put_int32s(tag::CHANGELOG_TIME, entries.iter().map(|entry| noon(entry.time)));
    header.put_texts(
        tag::CHANGELOG_NAME,
        entries.iter().map(|entry| format!("{} - {}", entry.author.trim(), entry.version)),
    );
    let text = |entry: &ChangelogEntry| entry.changes.iter().map(bullet).collect::<Vec<_>>().join("\n");
    header.put_texts(tag::CHANGELOG_TEXT, entries.iter().map(text));
}

/// Puts the entries of `text` into `header`.
///
/// # Errors
/// When `text` is not written as above.
pub(super) fn put(text: &str, header: &mut Header) -> Result<()> {
    let (mut times, mut names, mut texts): (Vec<u32>, Vec<String>, Vec<String>) = Default::default();
    for line in text.lines() {
        let wrong =
            |reason| Error::Option { format: "rpm", option: "changelog line", value: line.into(), reason };
        if let Some(heading) = line.strip_prefix('*') {
            let (date, name) = date_and_name(heading).ok_or_else(|| {
                wrong("it is not written as `* Tue Jan 02 2024 Jane Doe <jane@example.com> - 1.2.3-1`")
            })?;
            let noon =
                date.at(12, 0, 0, 0).to_zoned(TimeZone::UTC).ok().map(|noon| noon.timestamp().as_second());
            let time = noon.and_then(|noon| u32::try_from(noon).ok());
            let time = time.ok_or_else(|| wrong("rpm's dates lie between 1970 and 2106"))?;
            if times.last().is_some_and(|last| *last < time) {
                return Err(wrong("it is later than the entry above it"));
            }
            times.push(time);
            names.push(name);
            texts.push(String::new());
        } else if let Some(entry) = texts.last_mut() {
            entry.push_str(line);
            entry.push('\n');
        } else if !line.trim().is_empty() {
            return Err(wrong("an entry starts with `* `, a date and a name"));
        }
    }
    header.put_int32s(tag::CHANGELOG_TIME, times);
    header.put_texts(tag::CHANGELOG_NAME, names);
    header.put_texts(tag::CHANGELOG_TEXT, texts.iter().map(|text| text.trim()));
    Ok(())
}

fn date_and_name(heading: &str) -> Option<(Date, String)> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let mut words = heading.split_whitespace();
    let _weekday = words.next()?;
    let month = words.next()?;
    let month = MONTHS.iter().position(|name| *name == month)? + 1;
    let day: i8 = words.next()?.parse().ok()?;
    let year: i16 = words.next()?.parse().ok()?;
    let name = words.collect::<Vec<_>>().join(" ");
    let date = Date::new(year, i8::try_from(month).ok()?, day).ok()?;
    (!name.is_empty()).then_some((date, name))
}

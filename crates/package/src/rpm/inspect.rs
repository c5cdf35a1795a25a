//! What an rpm says, read as hostile input.
//!
//! | module | reads |
//! |---|---|
//! | [`super::read`] | the structure, and verifies it |
//! | `files` | the list of files |
//! | `relations` | requires, provides and so on |
//! | `scripts` | scriptlets and triggers |
//!
//! Source packages are refused, and packages of rpm 3, which have no region.

mod files;
mod relations;
mod scripts;
pub(crate) mod unpack;

use std::collections::BTreeMap;

use super::read::header::Values;
use super::read::{HEADER, Headers, payload};
use super::signature;
use super::tag::header as tag;
use crate::archive::decompress::Method;
use crate::archive::part::shown;
use crate::inspect::{Depth, Input, InspectedSignature, Inspection};
use crate::signing::{Embedded, NativeSignature};
use crate::{Format, Result, Timestamp, openpgp};

/// `RPMTAG_RPMFORMAT`: 6 and later; version 4 has none.
const FORMAT: u32 = 5114;
const SOURCE_PACKAGE: u32 = 1106;
const MODULARITY_LABEL: u32 = 5096;

/// Values of one line, under rpm's own names (`rpm --querytags`).
const FIELDS: [(u32, &str); 15] = [
    (tag::BUILD_HOST, "BUILDHOST"),
    (tag::DISTRIBUTION, "DISTRIBUTION"),
    (tag::OS, "OS"),
    (tag::SOURCE_RPM, "SOURCERPM"),
    (tag::RPM_VERSION, "RPMVERSION"),
    (tag::PAYLOAD_FLAGS, "PAYLOADFLAGS"),
    (tag::PLATFORM, "PLATFORM"),
    (tag::BUG_URL, "BUGURL"),
    (tag::ENCODING, "ENCODING"),
    (1094, "COOKIE"),
    (1122, "OPTFLAGS"),
    (1123, "DISTURL"),
    (1155, "DISTTAG"),
    (5034, "VCS"),
    (MODULARITY_LABEL, "MODULARITYLABEL"),
];

/// Reads an rpm from its start.
pub(super) fn inspect(file: &mut dyn Input, depth: Depth) -> Result<Inspection> {
    let headers = Headers::read(file)?;
    let mut inspection = inspection(&headers)?;
    let list = files::Files::read(&headers)?;
    let digests = match depth {
        Depth::Metadata => BTreeMap::new(),
        Depth::Contents => payload::read(&headers, file, &list.expected)?,
    };
    inspection.files = Some(list.inspected(&digests));
    if let Some(method) = payload::method(&headers)? {
        inspection.compression = method.name().to_owned();
    } else {
        let mut start = [0; 6];
        let filled = HEADER.read_up_to(&mut headers.payload(file)?, &mut start)?;
        inspection.compression = Method::of_magic(&start[..filled]).name().to_owned();
    }
    Ok(inspection)
}

fn inspection(headers: &Headers) -> Result<Inspection> {
    let header = &headers.header;
    let require = |tag: u32, what: &str| match header.line(tag)?.filter(|text| !text.is_empty()) {
        Some(text) => Ok(text),
        None => Err(HEADER.malformed(format!("it has no {what}"))),
    };
    if header.has(SOURCE_PACKAGE) || (!header.has(tag::SOURCE_RPM) && header.has(1018)) {
        return Err(HEADER.malformed("it is a source package, which Packhouse does not read"));
    }
    let format_version = match header.number(FORMAT)? {
        None => "4".to_owned(),
        Some(version @ 4..=6) => version.to_string(),
        Some(version) => return Err(HEADER.malformed(format!("its format is {version}"))),
    };
    let name = require(tag::NAME, "name")?;
    check(&name, "name", "+-._", true)?;
    let mut version = require(tag::VERSION, "version")?;
    check(&version, "version", ".+_~^", false)?;
    let release = require(tag::RELEASE, "release")?;
    check(&release, "release", ".+_~^", false)?;
    version = format!("{version}-{release}");
    if let Some(epoch) = header.number(tag::EPOCH)? {
        version = format!("{epoch}:{version}");
    }
    let arch = require(tag::ARCH, "architecture")?;
    check(&arch, "architecture", "_-", true)?;
    let mut fields = BTreeMap::new();
    for (tag, name) in FIELDS {
        if let Some(value) = header.text(tag)?.filter(|value| !value.is_empty()) {
            fields.insert(name.to_owned(), value);
        }
    }
    let prefixes = header.texts(tag::PREFIXES)?;
    if !prefixes.is_empty() {
        fields.insert("PREFIXES".to_owned(), prefixes.join(" "));
    }
    if let Some(changelog) = changelog(header)? {
        fields.insert("CHANGELOG".to_owned(), changelog);
    }
    let size = match header.number(tag::LONG_SIZE)? {
        None => header.number(tag::SIZE)?,
        long => long,
    };
    let line = |tag: u32| -> Result<Option<String>> { Ok(header.line(tag)?.filter(|line| !line.is_empty())) };
    Ok(Inspection {
        format: Format::Rpm,
        format_version,
        name,
        version,
        arch,
        summary: header.line(tag::SUMMARY)?.unwrap_or_default(),
        description: header.text(tag::DESCRIPTION)?.unwrap_or_default(),
        homepage: line(tag::URL)?,
        vendor: line(tag::VENDOR)?,
        maintainer: line(tag::PACKAGER)?,
        license: line(tag::LICENSE)?,
        category: line(tag::GROUP)?,
        built: header.number(tag::BUILD_TIME)?,
        installed_size: size,
        relations: relations::read(header)?,
        fields,
        scripts: scripts::read(header)?,
        compression: String::new(),
        signatures: signatures(headers)?,
        files: None,
    })
}

/// Letters, digits and `signs`; names start with a letter, a digit or `_`, versions may start with any.
///
/// These are what rpmbuild allows (`ALLOWED_CHARS_…` in its `build/parsePreamble.cc`) but `%{}`, which only a
/// macro that was not expanded leaves behind.
fn check(value: &str, what: &str, signs: &str, is_name: bool) -> Result<()> {
    let is_good = value.len() <= 255
        && value.chars().all(|c| c.is_ascii_alphanumeric() || signs.contains(c))
        && (!is_name || value.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_'));
    if is_good {
        Ok(())
    } else {
        Err(HEADER.malformed(format!("its {what} is `{}`", shown(value.as_bytes()))))
    }
}

/// As a spec file has it: newest first, a line with day and author, then the changes.
fn changelog(header: &Values) -> Result<Option<String>> {
    let times = header.numbers(tag::CHANGELOG_TIME)?;
    let names = header.texts_for(tag::CHANGELOG_NAME, times.len())?;
    let texts = header.texts_for(tag::CHANGELOG_TEXT, times.len())?;
    let mut changelog = Vec::new();
    for ((time, name), text) in times.iter().zip(names).zip(texts) {
        let day = i64::try_from(*time).ok().and_then(Timestamp::from_unix);
        let day = day.and_then(|day| day.strftime("%a %b %d %Y").ok()).unwrap_or_else(|| time.to_string());
        changelog.push(format!("* {day} {name}\n{text}"));
    }
    Ok((!changelog.is_empty()).then(|| changelog.join("\n\n")))
}

fn signatures(headers: &Headers) -> Result<Vec<InspectedSignature>> {
    let mut signatures = Vec::new();
    for Embedded { signature, covers, .. } in signature::embedded(headers)? {
        let NativeSignature::OpenPgp(packet) = signature else { continue };
        let described = openpgp::describe(&packet);
        let (algorithm, key) = described.map(|it| (it.algorithm, it.issuer)).unwrap_or_default();
        let signature = InspectedSignature { covers: covers.to_owned(), algorithm, key };
        // Format 6 has one in the old tag and in the new one.
        if !signatures.contains(&signature) {
            signatures.push(signature);
        }
    }
    Ok(signatures)
}

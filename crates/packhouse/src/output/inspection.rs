//! A package that was read, for people and for programs.

use std::fmt::Write as _;

use packhouse_package::inspect::{InspectedFile, InspectedKind};
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use super::{escape, size};
use crate::ops::Inspected;

/// How many digits of a digest people compare.
const SHORT: usize = 12;

/// The width of names before values.
const WIDTH: usize = 15;

/// A listing. Digests are whole with `is_verbose`.
pub fn text(inspected: &Inspected, is_verbose: bool) -> String {
    let it = &inspected.inspection;
    let mut text = String::new();
    let name = inspected.file.file_name().unwrap_or_default().to_string_lossy();
    let version =
        if it.format_version.is_empty() { String::new() } else { format!(" {}", it.format_version) };
    let _ = writeln!(text, "{}: {}{version}, {}", escape::line(&name), it.format, size(inspected.size));
    let mut field = |name: &str, value: &str| {
        if !value.is_empty() {
            let value = escape::lines(value, &" ".repeat(WIDTH + 1));
            let _ = write!(text, "{:WIDTH$} {}", escape::line(name), value.trim_start_matches(' '));
        }
    };
    field("name", &it.name);
    field("version", &it.version);
    field("arch", &it.arch);
    field("summary", &it.summary);
    field("description", it.description.trim_end());
    for (name, value) in [
        ("homepage", &it.homepage),
        ("vendor", &it.vendor),
        ("maintainer", &it.maintainer),
        ("license", &it.license),
        ("category", &it.category),
    ] {
        field(name, value.as_deref().unwrap_or_default());
    }
    field("built", &it.built.map(|seconds| time(seconds as i64)).unwrap_or_default());
    field("installed size", &it.installed_size.map(size).unwrap_or_default());
    field("compression", &it.compression);
    for (list, relations) in &it.relations {
        field(list, &relations.join("\n"));
    }
    for (name, value) in &it.fields {
        field(name, value.trim_end());
    }
    for signature in &it.signatures {
        let or = |text: &str, other: &str| if text.is_empty() { other.to_owned() } else { text.to_owned() };
        let algorithm = or(&signature.algorithm, "unknown");
        let key = or(&signature.key, "a key it does not name");
        field("signature", &format!("{algorithm} by {key}, over {}; not verified", signature.covers));
    }
    for (name, script) in &it.scripts {
        let interpreter = match script.interpreter.as_str() {
            "" => String::new(),
            interpreter => format!(" ({})", escape::line(interpreter)),
        };
        let _ = writeln!(text, "\n{}{interpreter}", escape::line(name));
        text.push_str(&escape::lines(&script.text, "    "));
    }
    if let Some(files) = &it.files {
        text.push('\n');
        files_text(files, is_verbose, &mut text);
    }
    text
}

fn files_text(files: &[InspectedFile], is_verbose: bool, text: &mut String) {
    let owner = |file: &InspectedFile| escape::line(&format!("{}/{}", file.user, file.group));
    let owners = files.iter().map(|file| owner(file).chars().count()).max().unwrap_or(0);
    let sizes = files.iter().map(|file| file.size.to_string().len()).max().unwrap_or(0);
    let digests = files.iter().map(|file| digest(file, is_verbose).len()).max().unwrap_or(0);
    for file in files {
        let mut line = format!(
            "{} {:owners$} {:>sizes$} {} {:digests$} {}",
            mode(file),
            owner(file),
            file.size,
            time(file.modified),
            digest(file, is_verbose),
            escape::path(&file.path),
        );
        match &file.kind {
            InspectedKind::Symlink(target) => {
                let _ = write!(line, " -> {}", escape::path(target));
            }
            InspectedKind::HardLink(target) => {
                let _ = write!(line, " = {}", escape::path(target));
            }
            _ => {}
        }
        if !file.marks.is_empty() {
            let _ = write!(line, "  [{}]", file.marks.join(", "));
        }
        if let Some(capabilities) = file.capabilities {
            let _ = write!(line, "  [{capabilities}]");
        }
        text.push_str(&line);
        text.push('\n');
    }
}

/// As `ls -l` shows it.
fn mode(file: &InspectedFile) -> String {
    let mut mode = String::with_capacity(10);
    mode.push(match &file.kind {
        InspectedKind::File | InspectedKind::HardLink(_) => '-',
        InspectedKind::Directory => 'd',
        InspectedKind::Symlink(_) => 'l',
        InspectedKind::Special(_) => 's',
    });
    for (shift, special, set, unset) in [(6, 0o4000, 's', 'S'), (3, 0o2000, 's', 'S'), (0, 0o1000, 't', 'T')]
    {
        let bits = file.mode >> shift;
        mode.push(if bits & 4 != 0 { 'r' } else { '-' });
        mode.push(if bits & 2 != 0 { 'w' } else { '-' });
        mode.push(match (file.mode & special != 0, bits & 1 != 0) {
            (true, true) => set,
            (true, false) => unset,
            (false, true) => 'x',
            (false, false) => '-',
        });
    }
    mode
}

/// The start of it, behind the algorithm when that is not SHA-256.
fn digest(file: &InspectedFile, is_whole: bool) -> String {
    let Some(digest) = &file.digest else { return String::new() };
    let digest = escape::line(digest);
    if is_whole {
        return digest;
    }
    let start = digest.find(':').map_or(0, |colon| colon + 1);
    digest.chars().take(start + SHORT).collect()
}

/// In UTC, to the minute.
fn time(seconds: i64) -> String {
    match jiff::Timestamp::from_second(seconds) {
        Ok(time) => time.strftime("%Y-%m-%d %H:%M").to_string(),
        Err(_) => seconds.to_string(),
    }
}

/// The same for `--json`.
///
/// A million files are written one by one, and not put together before.
pub fn document(inspected: &Inspected) -> impl Serialize {
    let it = &inspected.inspection;
    let scripts: serde_json::Map<String, Value> = it
        .scripts
        .iter()
        .map(|(name, script)| {
            (name.clone(), json!({ "interpreter": script.interpreter, "text": script.text }))
        })
        .collect();
    let signatures: Vec<Value> = it
        .signatures
        .iter()
        .map(|it| json!({ "covers": it.covers, "algorithm": it.algorithm, "key": it.key }))
        .collect();
    let document = json!({
        "file": inspected.file,
        "size": inspected.size,
        "format": it.format.get().name(),
        "format-version": it.format_version,
        "name": it.name,
        "version": it.version,
        "arch": it.arch,
        "summary": it.summary,
        "description": it.description,
        "homepage": it.homepage,
        "vendor": it.vendor,
        "maintainer": it.maintainer,
        "license": it.license,
        "category": it.category,
        "built": it.built,
        "installed-size": it.installed_size,
        "compression": it.compression,
        "relations": it.relations,
        "fields": it.fields,
        "scripts": scripts,
        "signatures": signatures,
        "files": null,
    });
    Document { values: document, files: it.files.as_deref() }
}

/// What is said once, and the files, under the name that is left free for them.
struct Document<'a> {
    values: Value,
    files: Option<&'a [InspectedFile]>,
}

impl Serialize for Document<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let values = self.values.as_object().into_iter().flatten();
        serializer.collect_map(values.map(|(name, value)| match (name.as_str(), self.files) {
            ("files", Some(files)) => (name, Either::Files(Files(files))),
            _ => (name, Either::Value(value)),
        }))
    }
}

#[derive(Serialize)]
#[serde(untagged)]
enum Either<'a> {
    Value(&'a Value),
    Files(Files<'a>),
}

struct Files<'a>(&'a [InspectedFile]);

impl Serialize for Files<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(file))
    }
}

/// A file for `--json`. A path that is no UTF-8 has its bytes in `path-bytes`, too.
pub(super) fn file(file: &InspectedFile) -> Value {
    let (kind, target) = match &file.kind {
        InspectedKind::File => ("file", None),
        InspectedKind::Directory => ("directory", None),
        InspectedKind::Symlink(target) => ("symlink", Some(target)),
        InspectedKind::HardLink(target) => ("hard-link", Some(target)),
        InspectedKind::Special(what) => (*what, None),
    };
    let mut document = json!({
        "path": String::from_utf8_lossy(&file.path),
        "type": kind,
        "mode": format!("{:04o}", file.mode),
        "user": file.user,
        "group": file.group,
        "size": file.size,
        "modified": file.modified,
        "digest": file.digest,
        "marks": file.marks,
        "capabilities": file.capabilities.map(|capabilities| capabilities.to_string()),
    });
    if std::str::from_utf8(&file.path).is_err() {
        document["path-bytes"] = file.path.clone().into();
    }
    if let Some(target) = target {
        document["target"] = String::from_utf8_lossy(target).into();
    }
    document
}

//! Values that try to become something else: another field, a command, a macro, a path.

use std::collections::BTreeSet;

use packhouse_package::{
    Depth, Entry, Error, Inspection, Metadata, Package, PackageName, PackagePath, Relation, Version,
};

use super::{FORMATS, Facts};

/// A field: its name, how to set it, and what was read of it.
struct Field {
    name: &'static str,
    set: fn(&mut Metadata, &str) -> bool,
    read: fn(&Inspection) -> String,
}

fn joined(inspection: &Inspection, relation: &str) -> String {
    inspection.relations.get(relation).map(|list| list.join(" ")).unwrap_or_default()
}

fn optional(place: &mut Option<String>, value: &str) -> bool {
    *place = Some(value.to_owned());
    true
}

/// What must not be installed (`foo != 1`, apk's own `!foo`) may be another list of the same package.
fn related(list: &mut Vec<Relation>, value: &str) -> bool {
    list.extend(Relation::parse(value));
    !list.is_empty()
}

const FIELDS: [Field; 12] = [
    Field {
        name: "name",
        set: |metadata, value| match PackageName::new(value) {
            Ok(name) => {
                metadata.name = name;
                true
            }
            Err(_) => false,
        },
        read: |inspection| inspection.name.clone(),
    },
    Field {
        name: "version",
        set: |metadata, value| {
            metadata.version = Version::new(value);
            true
        },
        read: |inspection| inspection.version.clone(),
    },
    Field {
        name: "release",
        set: |metadata, value| optional(&mut metadata.version.release, value),
        read: |inspection| inspection.version.clone(),
    },
    Field {
        name: "summary",
        set: |metadata, value| {
            metadata.summary = value.to_owned();
            true
        },
        read: |inspection| inspection.summary.clone(),
    },
    Field {
        name: "description",
        set: |metadata, value| {
            metadata.description = value.to_owned();
            true
        },
        read: |inspection| inspection.description.clone(),
    },
    Field {
        name: "homepage",
        set: |metadata, value| optional(&mut metadata.homepage, value),
        read: |inspection| inspection.homepage.clone().unwrap_or_default(),
    },
    Field {
        name: "vendor",
        set: |metadata, value| optional(&mut metadata.vendor, value),
        read: |inspection| inspection.vendor.clone().unwrap_or_default(),
    },
    Field {
        name: "maintainer",
        set: |metadata, value| {
            metadata.maintainer = value.to_owned();
            true
        },
        read: |inspection| inspection.maintainer.clone().unwrap_or_default(),
    },
    Field {
        name: "license",
        set: |metadata, value| optional(&mut metadata.license, value),
        read: |inspection| inspection.license.clone().unwrap_or_default(),
    },
    Field {
        name: "category",
        set: |metadata, value| optional(&mut metadata.category, value),
        read: |inspection| inspection.category.clone().unwrap_or_default(),
    },
    Field {
        name: "depends",
        set: |metadata, value| related(&mut metadata.relations.depends, value),
        read: |inspection| ["depends", "conflicts", "breaks"].map(|list| joined(inspection, list)).concat(),
    },
    Field {
        name: "provides",
        set: |metadata, value| related(&mut metadata.relations.provides, value),
        read: |inspection| joined(inspection, "provides"),
    },
];

/// Some 400 strings that some tool takes for something else, each in the places where it might.
fn strings() -> BTreeSet<String> {
    let mut parts: Vec<String> = [
        "..",
        "/",
        "\\",
        "~",
        "-",
        ".",
        "$(touch PWNED)",
        "`touch PWNED`",
        "${IFS}",
        "%(touch PWNED)",
        "%{lua:os.execute('touch PWNED')}",
        "%include /etc/passwd",
        "%define x y",
        "%%",
        "%s%n",
        ";touch PWNED;",
        "&&touch PWNED",
        "|touch PWNED",
        "'",
        "\"",
        "<",
        ">",
        "&amp;",
        "<script>alert(1)</script>",
        "\u{202e}",
        "\u{feff}",
        "\u{a0}",
        "\u{85}",
        "\u{2028}",
        "e\u{301}",
        "\u{1f4a9}",
        "CON",
        " ",
        "#",
        "=",
        ":",
        ": x",
        ",",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        "*",
        "?",
        "!",
        "@",
        "^",
        "+",
        "-- ",
        "--help",
        "x=y",
        "a.service",
    ]
    .map(str::to_owned)
    .into();
    parts.extend((1..0x20_u8).map(|byte| char::from(byte).to_string()));
    let mut strings: BTreeSet<String> = parts
        .iter()
        .flat_map(|part| {
            [part.clone(), format!("1{part}"), format!("{part}1"), format!("1{part}2"), format!("a{part}b")]
        })
        .collect();
    strings.extend(
        ["", " ", "1.0\nPre-Depends: evil", "1\r\nevil: 1", "x\n\nPackage: evil", "1.0", "a", "A"]
            .map(str::to_owned),
    );
    strings.extend([256, 4096].map(|length| "a".repeat(length)));
    strings
}

fn base(facts: &Facts) -> Package {
    facts.cheap("1.0", &[("opt/file", Entry::bytes(*b"x", 0o644))])
}

/// The same text to every format: they spell `-` and `_`, cases and blanks by their own rules.
fn plain(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_whitespace() && !"(),!".contains(*c))
        .collect::<String>()
        .to_lowercase()
        .replace('_', "-")
}

/// Everything but the field: names of what there is.
fn shape(inspection: &Inspection) -> (BTreeSet<String>, BTreeSet<String>, usize) {
    let fields = inspection.fields.keys().cloned().collect();
    let scripts = inspection.scripts.keys().cloned().collect();
    (fields, scripts, inspection.files.as_ref().map(Vec::len).unwrap_or_default())
}

#[test]
fn the_strings_are_some_four_hundred() {
    assert!(strings().len() >= 400, "{}", strings().len());
}

/// IN-01 and IN-03: refused with the field named, or read back as it was written, and nothing besides.
#[test]
fn a_hostile_value_is_refused_or_data() {
    for facts in &FORMATS {
        let format = facts.format;
        let baseline = shape(&facts.written_and_read(&base(facts)));
        let (mut refused, mut kept) = (0, 0);
        for field in &FIELDS {
            for value in &strings() {
                let mut package = base(facts);
                if !(field.set)(&mut package.metadata, value) {
                    refused += 1;
                    continue;
                }
                let bytes = match facts.write(&package, 1) {
                    Ok(bytes) => bytes,
                    Err(error) => {
                        let text = error.to_string();
                        // A limit may be of several fields together.
                        let names_it = matches!(error, Error::TooLarge { .. })
                            || text.contains(field.name)
                            || text.contains(&*value.escape_debug().to_string())
                            || text.contains(value.trim());
                        assert!(names_it, "{format}: {} {value:?}: {text}", field.name);
                        refused += 1;
                        continue;
                    }
                };
                kept += 1;
                let inspection = facts.read(bytes, Depth::Contents);
                let mut found = shape(&inspection);
                // License texts and their like are files that some formats add.
                found.2 = found.2.min(baseline.2);
                assert_eq!(found.2, baseline.2, "{format}: {} {value:?}", field.name);
                assert!(found.1 == baseline.1, "{format}: {} {value:?} made a script", field.name);
                let new: Vec<_> = found.0.difference(&baseline.0).collect();
                assert!(new.is_empty(), "{format}: {} {value:?} made {new:?}", field.name);
                let is_kept = facts.has_metadata
                    && !facts.lacks.contains(&field.name)
                    && (field.name != "description" || facts.has_description);
                if is_kept {
                    let read = (field.read)(&inspection);
                    assert!(
                        plain(&read).contains(&plain(value)),
                        "{format}: {} {value:?}: {read:?}",
                        field.name
                    );
                }
            }
        }
        assert!(refused > 1_000 && kept > 500, "{format}: {refused} refused, {kept} kept");
    }
}

/// IN-02: a line break in a field of one line is refused, and the field is named.
#[test]
fn a_line_break_makes_no_field() {
    for facts in &FORMATS {
        for field in FIELDS.iter().filter(|field| field.name != "description") {
            let mut package = base(facts);
            if !(field.set)(&mut package.metadata, "1.0\nPre-Depends: evil") {
                continue;
            }
            let error = facts.write(&package, 1).unwrap_err().to_string();
            assert!(error.contains(field.name), "{}: {error}", facts.format);
        }
        let mut package = base(facts);
        package.metadata.description =
            "First.\n\nPackage: evil\nPre-Depends: evil\n%post\nDepends: evil".into();
        let inspection = facts.written_and_read(&package);
        let text = format!("{:?} {:?} {:?}", inspection.fields, inspection.relations, inspection.scripts);
        assert!(!text.contains("evil"), "{}: {text}", facts.format);
    }
}

/// The texts among the fields, as dpkg-deb and rpm call them.
const TEXTS: [(&str, &str, &str); 6] = [
    ("summary", "Description", "%{SUMMARY}"),
    ("homepage", "Homepage", "%{URL}"),
    ("vendor", "Vendor", "%{VENDOR}"),
    ("maintainer", "Maintainer", "%{PACKAGER}"),
    ("license", "License", "%{LICENSE}"),
    ("category", "Section", "%{GROUP}"),
];

/// IN-01 and IN-03 by those who decide: each string in every text of a package, and in a file's name, as the formats
/// take it. dpkg-deb and rpm give it back as it was, no field more, and nothing was run.
#[test]
fn dpkg_and_rpm_read_hostile_values_back_and_run_nothing() {
    let Some([dpkg_deb, rpm]) = packhouse_clients::find(["dpkg-deb", "rpm"]) else { return };
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("package");
    let run = |client: &packhouse_clients::Client, arguments: &[&str]| {
        let mut command = client.command();
        let output = command.env("LC_ALL", "C.UTF-8").args(arguments).arg(&file).current_dir(&directory);
        let output = output.output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", packhouse_clients::text(&output));
        String::from_utf8(output.stdout).unwrap()
    };
    let query: String = TEXTS.map(|(_, _, tag)| format!("{tag}\\n")).concat();
    let mut count = 0;
    for value in &strings() {
        for facts in &FORMATS[..2] {
            let mut package = base(facts);
            package.metadata.description = String::new();
            let mut taken = Vec::new();
            for text in TEXTS {
                let set = FIELDS.iter().find(|field| field.name == text.0).unwrap().set;
                let mut with = package.clone();
                if set(&mut with.metadata, value) && facts.write(&with, 1).is_ok() {
                    package = with;
                    taken.push(text);
                }
            }
            let name = PackagePath::new(format!("opt/{value}")).ok().filter(|path| {
                let mut with = package.clone();
                with.files.insert(path.clone(), Entry::bytes(*b"", 0o644)).is_ok()
                    && facts.write(&with, 1).is_ok()
            });
            if let Some(name) = &name {
                package.files.insert(name.clone(), Entry::bytes(*b"", 0o644)).unwrap();
            }
            fs_err::write(&file, facts.write(&package, 1).unwrap()).unwrap();
            count += taken.len();
            if facts.format.get().name() == "deb" {
                let control = run(&dpkg_deb, &["-f"]);
                for (field, name, _) in taken {
                    let found = control.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
                    assert_eq!(found.unwrap_or_default().trim(), value.trim(), "{field}");
                }
            } else {
                let found = run(&rpm, &["-qp", "--nosignature", "--qf", &query]);
                let lines: Vec<&str> = found.split('\n').collect();
                assert_eq!(lines.len(), TEXTS.len() + 1, "{value:?}: {found}");
                for (field, _, tag) in taken {
                    let place = TEXTS.iter().position(|text| text.2 == tag).unwrap();
                    let found = if lines[place] == "(none)" { "" } else { lines[place] };
                    assert_eq!(found.trim(), value.trim(), "{field}");
                }
                if let Some(name) = name {
                    let list = run(&rpm, &["-qpl", "--nosignature"]);
                    let path = format!("/{}\n", String::from_utf8_lossy(name.as_bytes()));
                    assert!(list.contains(&path), "{name}: {list:?}");
                }
            }
        }
    }
    assert!(count > 2_000, "{count} values were taken");
    let left: Vec<_> =
        fs_err::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["package"], "nothing was run that leaves a file");
}

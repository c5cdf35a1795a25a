//! Dependencies of a header, written as a spec file has them.
//!
//! What a dependency is for stands behind it in parentheses, as in `/bin/sh (pre, interp)`: a spec file says
//! `Requires(pre)`.

use std::collections::BTreeMap;

use super::super::read::HEADER;
use super::super::read::header::Values;
use super::super::tag::sense;
use crate::Result;

/// Name, flags and version tags of each list (rpm's `include/rpm/rpmtag.h`).
const LISTS: [(&str, u32, u32, u32); 9] = [
    ("depends", 1049, 1048, 1050),
    ("provides", 1047, 1112, 1113),
    ("conflicts", 1054, 1053, 1055),
    ("replaces", 1090, 1114, 1115),
    ("recommends", 5046, 5048, 5047),
    ("suggests", 5049, 5051, 5050),
    ("supplements", 5052, 5054, 5053),
    ("enhances", 5055, 5057, 5056),
    ("order", 5035, 5037, 5036),
];

/// `RPMSENSE_…` beyond comparison (`include/rpm/rpmds.h`), by the names of spec files and `rpm -q`.
const PURPOSES: [(u32, &str); 13] = [
    (sense::PRETRANS, "pretrans"),
    (sense::PRE, "pre"),
    (sense::POST, "post"),
    (sense::PREUN, "preun"),
    (sense::POSTUN, "postun"),
    (sense::POSTTRANS, "posttrans"),
    (1 << 20, "preuntrans"),
    (1 << 21, "postuntrans"),
    (sense::VERIFY, "verify"),
    (sense::INTERPRETER, "interp"),
    (sense::RPMLIB, "rpmlib"),
    (sense::CONFIG, "config"),
    (1 << 29, "meta"),
];

/// Of one list: more than anybody has, and less than what takes much memory.
const MOST_RELATIONS: u64 = 1 << 17;

/// All lists that are not empty. What must be there before the package's scripts run is under `pre-depends`.
pub(super) fn read(header: &Values) -> Result<BTreeMap<&'static str, Vec<String>>> {
    let mut relations: BTreeMap<&'static str, Vec<String>> = BTreeMap::new();
    for (list, names, flags, versions) in LISTS {
        if header.byte_texts(names)?.len() as u64 > MOST_RELATIONS {
            return Err(HEADER.beyond("relations of a kind", MOST_RELATIONS));
        }
        let names = header.texts(names)?;
        let flags = header.numbers_for(flags, names.len(), 0)?;
        let versions = header.texts_for(versions, names.len())?;
        for ((name, flags), version) in names.iter().zip(flags).zip(versions) {
            let flags = flags as u32;
            let is_pre = list == "depends" && flags & sense::PRE != 0 && flags & sense::INTERPRETER == 0;
            let (list, flags) = if is_pre { ("pre-depends", flags & !sense::PRE) } else { (list, flags) };
            relations.entry(list).or_default().push(spell(name, flags, &version));
        }
    }
    Ok(relations)
}

fn spell(name: &str, flags: u32, version: &str) -> String {
    let mut text = condition(name, flags, version);
    let purposes: Vec<&str> =
        PURPOSES.iter().filter(|(bit, _)| flags & bit != 0).map(|(_, name)| *name).collect();
    // These two say in their names what they are.
    let is_plain = purposes.is_empty() || purposes == ["rpmlib"] || purposes == ["config"];
    if !is_plain {
        text.push_str(&format!(" ({})", purposes.join(", ")));
    }
    text
}

/// Name, comparison and version.
pub(super) fn condition(name: &str, flags: u32, version: &str) -> String {
    let operator = match flags & (sense::LESS | sense::GREATER | sense::EQUAL) {
        sense::LESS => "<",
        sense::GREATER => ">",
        sense::EQUAL => "=",
        bits if bits == sense::LESS | sense::EQUAL => "<=",
        bits if bits == sense::GREATER | sense::EQUAL => ">=",
        bits if bits == sense::LESS | sense::GREATER => "<>",
        _ => return name.to_owned(),
    };
    format!("{name} {operator} {version}")
}

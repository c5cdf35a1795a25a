//! Scriptlets, triggers and file triggers of a header, by the names that spec files have for them.

use std::collections::BTreeMap;

use super::super::read::HEADER;
use super::super::read::header::Values;
use super::super::tag::sense;
use super::relations::condition;
use crate::Result;
use crate::inspect::InspectedScript;

/// Name, and tags of text and interpreter.
const SCRIPTLETS: [(&str, u32, u32); 9] = [
    ("%pre", 1023, 1085),
    ("%post", 1024, 1086),
    ("%preun", 1025, 1087),
    ("%postun", 1026, 1088),
    ("%pretrans", 1151, 1153),
    ("%posttrans", 1152, 1154),
    ("%preuntrans", 5103, 5105),
    ("%postuntrans", 5104, 5106),
    ("%verifyscript", 1079, 1091),
];

/// Tags of one kind of trigger.
struct Triggers {
    prefix: &'static str,
    text: u32,
    interpreter: u32,
    name: u32,
    version: u32,
    flags: u32,
    index: u32,
    priority: Option<u32>,
}

const TRIGGERS: [Triggers; 3] = [
    Triggers {
        prefix: "%trigger",
        text: 1065,
        interpreter: 1092,
        name: 1066,
        version: 1067,
        flags: 1068,
        index: 1069,
        priority: None,
    },
    Triggers {
        prefix: "%filetrigger",
        text: 5066,
        interpreter: 5067,
        name: 5069,
        version: 5071,
        flags: 5072,
        index: 5070,
        priority: Some(5084),
    },
    Triggers {
        prefix: "%transfiletrigger",
        text: 5076,
        interpreter: 5077,
        name: 5079,
        version: 5081,
        flags: 5082,
        index: 5080,
        priority: Some(5085),
    },
];

/// `RPMTRIGGER_DEFAULT_PRIORITY`, which is not said.
const DEFAULT_PRIORITY: u64 = 1_000_000;

/// Everything that runs.
pub(super) fn read(header: &Values) -> Result<BTreeMap<String, InspectedScript>> {
    let mut scripts = BTreeMap::new();
    for (name, text, interpreter) in SCRIPTLETS {
        if header.has(text) || header.has(interpreter) {
            let script = InspectedScript {
                interpreter: header.texts(interpreter)?.join(" "),
                text: header.text(text)?.unwrap_or_default(),
            };
            scripts.insert(name.to_owned(), script);
        }
    }
    for triggers in &TRIGGERS {
        read_triggers(header, triggers, &mut scripts)?;
    }
    Ok(scripts)
}

fn read_triggers(
    header: &Values,
    triggers: &Triggers,
    scripts: &mut BTreeMap<String, InspectedScript>,
) -> Result<()> {
    let texts = header.texts(triggers.text)?;
    let interpreters = header.texts_for(triggers.interpreter, texts.len())?;
    let priorities = match triggers.priority {
        Some(tag) => header.numbers_for(tag, texts.len(), DEFAULT_PRIORITY)?,
        None => vec![DEFAULT_PRIORITY; texts.len()],
    };
    let names = header.texts(triggers.name)?;
    let versions = header.texts_for(triggers.version, names.len())?;
    let flags = header.numbers_for(triggers.flags, names.len(), 0)?;
    let indexes = header.numbers_for(triggers.index, names.len(), 0)?;
    // The conditions of each script, and its moment, which the flags of any of them say.
    let mut conditions: Vec<(Vec<String>, &str)> = vec![(Vec::new(), ""); texts.len()];
    for (((name, version), flags), index) in names.iter().zip(versions).zip(flags).zip(indexes) {
        let flags = flags as u32;
        let place = usize::try_from(index).ok().and_then(|index| conditions.get_mut(index));
        let Some((of_script, moment)) = place else {
            return Err(HEADER.malformed(format!("a trigger has no script {index}")));
        };
        of_script.push(condition(name, flags, &version));
        *moment = match flags {
            flags if flags & sense::TRIGGER_PREIN != 0 => "prein",
            flags if flags & sense::TRIGGER_IN != 0 => "in",
            flags if flags & sense::TRIGGER_UN != 0 => "un",
            flags if flags & sense::TRIGGER_POSTUN != 0 => "postun",
            _ => return Err(HEADER.malformed("a trigger has no moment")),
        };
    }
    // Names that come again and again are counted, not searched for.
    let mut counts: BTreeMap<String, u32> = BTreeMap::new();
    for (index, text) in texts.into_iter().enumerate() {
        let (conditions, moment) = &conditions[index];
        let priority = match priorities[index] {
            DEFAULT_PRIORITY => String::new(),
            priority => format!(" -P {priority}"),
        };
        let name = format!("{}{moment}{priority} -- {}", triggers.prefix, conditions.join(", "));
        let count = counts.entry(name.clone()).or_default();
        let key = loop {
            *count += 1;
            let key = if *count == 1 { name.clone() } else { format!("{name} ({count})") };
            if !scripts.contains_key(&key) {
                break key;
            }
        };
        let interpreter = interpreters[index].clone();
        scripts.insert(key, InspectedScript { interpreter, text });
    }
    Ok(())
}

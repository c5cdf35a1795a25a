//! Scriptlets: the project's scripts, run at the moments that their names say.
//!
//! rpm calls each scriptlet with the number of versions of the package that will be installed when the
//! operation is over, and on an upgrade runs those of both versions (rpm's `docs/manual/scriptlet_expansion.md`
//! and `lib/psm.c`; this is why a script that ignores `$1` stops the service on every upgrade):
//!
//! | operation, in order | scriptlet | `$1` | script |
//! |---|---|---|---|
//! | install | `%pre`, `%post` | 1 | before install, after install |
//! | upgrade, downgrade | new `%pre`, `%post` | 2 | before upgrade, after upgrade |
//! | | old `%preun`, `%postun` | 1 | none |
//! | erase | `%preun`, `%postun` | 0 | before remove, after remove |
//!
//! Each scriptlet needs its interpreters *at that moment*, which the flags of the dependency say
//! (`build/parseScript.c`). A `/bin/sh` on an empty root is missing before the transaction, so that a
//! `%pretrans` should not be one, but one in the Lua that is within rpm (`#!<lua>`). It cannot be one of the
//! moments: those are called by a generated shell text.

use super::Options;
use super::dependency::{self, Dependencies, Entry, List};
use super::header::Header;
use super::options::TriggerMoment;
use super::tag::{header as tag, sense};
use crate::glue::Functions;
use crate::{Error, Moment, Result, Script, Scripts};

/// A scriptlet that decides between scripts by `$1`.
struct Counting {
    tags: Tags,
    /// The condition of the first script; the second runs otherwise.
    condition: &'static str,
    scripts: [Option<(Moment, &'static str)>; 2],
}

/// Tags of text and interpreter, and when the interpreter is needed.
struct Tags {
    text: u32,
    interpreter: u32,
    when: u32,
}

const COUNTING: [Counting; 4] = [
    Counting {
        tags: Tags { text: 1023, interpreter: 1085, when: sense::PRE },
        condition: r#""$1" -eq 1"#,
        scripts: [
            Some((Moment::BeforeInstall, "before_install")),
            Some((Moment::BeforeUpgrade, "before_upgrade")),
        ],
    },
    Counting {
        tags: Tags { text: 1024, interpreter: 1086, when: sense::POST },
        condition: r#""$1" -eq 1"#,
        scripts: [
            Some((Moment::AfterInstall, "after_install")),
            Some((Moment::AfterUpgrade, "after_upgrade")),
        ],
    },
    Counting {
        tags: Tags { text: 1025, interpreter: 1087, when: sense::PREUN },
        condition: r#""$1" -eq 0"#,
        scripts: [Some((Moment::BeforeRemove, "before_remove")), None],
    },
    Counting {
        tags: Tags { text: 1026, interpreter: 1088, when: sense::POSTUN },
        condition: r#""$1" -eq 0"#,
        scripts: [Some((Moment::AfterRemove, "after_remove")), None],
    },
];

const PRETRANS: Tags = Tags { text: 1151, interpreter: 1153, when: sense::PRETRANS };
const POSTTRANS: Tags = Tags { text: 1152, interpreter: 1154, when: sense::POSTTRANS };
const VERIFY: Tags = Tags { text: 1079, interpreter: 1091, when: sense::VERIFY };

/// Puts every scriptlet into `header`, and what it needs into `dependencies`.
///
/// # Errors
/// When a trigger waits for something that rpm cannot say.
pub(super) fn put(
    scripts: &Scripts,
    options: &Options,
    header: &mut Header,
    dependencies: &mut Dependencies,
) -> Result<()> {
    if let Some((moment, script)) = scripts.iter().find(|(_, script)| script.is_lua()) {
        let reason = "only a transaction's scripts, `verify` and triggers can be Lua";
        let value = script.interpreter().into();
        return Err(Error::Option { format: "rpm", option: moment.name(), value, reason });
    }
    for scriptlet in &COUNTING {
        let present = scriptlet.scripts.map(|script| {
            let (moment, function) = script?;
            Some((function, scripts.get(&moment)?))
        });
        let functions = Functions::new(present.iter().copied().flatten());
        let condition = scriptlet.condition;
        let decision = match present.map(|script| Some(script?.0)) {
            [None, None] => continue,
            [Some(first), None] => format!("if [ {condition} ]; then\n    {first} \"$@\"\nfi\n"),
            [None, Some(second)] => format!("if [ ! {condition} ]; then\n    {second} \"$@\"\nfi\n"),
            [Some(first), Some(second)] => {
                format!("if [ {condition} ]; then\n    {first} \"$@\"\nelse\n    {second} \"$@\"\nfi\n")
            }
        };
        let text = format!("{}{decision}", functions.text());
        put_scriptlet(&scriptlet.tags, functions.interpreter(), None, &text, header);
        require_programs(&functions, scriptlet.tags.when, &mut dependencies.requires);
    }
    let verbatim = [
        (PRETRANS, &options.before_transaction),
        (POSTTRANS, &options.after_transaction),
        (VERIFY, &options.verify),
    ];
    for (tags, script) in verbatim {
        let Some(script) = script else { continue };
        put_scriptlet(&tags, script.interpreter(), script.argument(), script.text(), header);
        require(script, tags.when, dependencies);
        if script.argument().is_some() {
            dependencies.require_rpmlib("ScriptletInterpreterArgs", "4.0.3-1");
        }
    }
    put_triggers(options, header, dependencies)
}

fn put_scriptlet(tags: &Tags, interpreter: &str, argument: Option<&str>, text: &str, header: &mut Header) {
    match argument {
        // rpm 4.4 and older know only this type, and rpmbuild writes it to this day.
        None => header.put_text(tags.interpreter, interpreter),
        Some(argument) => header.put_texts(tags.interpreter, [interpreter, argument]),
    }
    // Without a text the interpreter runs alone, as in `%post -p /sbin/ldconfig`. Final line
    // breaks are cut off, as by rpmbuild.
    let text = text.trim_end_matches('\n');
    if !text.is_empty() {
        header.put_text(tags.text, text);
    }
}

fn put_triggers(options: &Options, header: &mut Header, dependencies: &mut Dependencies) -> Result<()> {
    let (mut texts, mut interpreters, mut conditions) = (Vec::new(), Vec::new(), Vec::new());
    for (index, trigger) in options.triggers.iter().enumerate() {
        let (interpreter, text) = trigger_script(&trigger.script, dependencies);
        interpreters.push(interpreter);
        texts.push(text);
        let condition = dependency::single(&trigger.package)?;
        let flags = condition.flags
            | match trigger.moment {
                TriggerMoment::BeforeInstall => sense::TRIGGER_PREIN,
                TriggerMoment::AfterInstall => sense::TRIGGER_IN,
                TriggerMoment::BeforeUninstall => sense::TRIGGER_UN,
                TriggerMoment::AfterUninstall => sense::TRIGGER_POSTUN,
            };
        conditions.push((Entry { flags, ..condition }, index as u32));
    }
    conditions.sort();
    header.put_texts(tag::TRIGGER_SCRIPTS, texts);
    header.put_texts(tag::TRIGGER_SCRIPT_PROG, interpreters);
    header.put_texts(tag::TRIGGER_NAME, conditions.iter().map(|(condition, _)| &condition.name));
    header.put_texts(tag::TRIGGER_VERSION, conditions.iter().map(|(condition, _)| &condition.version));
    header.put_int32s(tag::TRIGGER_FLAGS, conditions.iter().map(|(condition, _)| condition.flags));
    header.put_int32s(tag::TRIGGER_INDEX, conditions.iter().map(|(_, index)| *index));
    Ok(())
}

/// A trigger's interpreter takes no argument, because there is one string a trigger for it: a script that has
/// one is embedded like those above.
fn trigger_script(script: &Script, dependencies: &mut Dependencies) -> (String, String) {
    if script.argument().is_none() {
        require(script, 0, dependencies);
        return (script.interpreter().into(), script.text().trim_end_matches('\n').into());
    }
    let functions = Functions::new([("trigger", script)]);
    require_programs(&functions, 0, &mut dependencies.requires);
    (functions.interpreter().into(), format!("{}trigger \"$@\"\n", functions.text()))
}

fn require_programs(functions: &Functions, when: u32, requires: &mut List) {
    require_interpreter(functions.interpreter(), when, requires);
    for program in functions.programs() {
        require_interpreter(program, when, requires);
    }
    if functions.uses_files() {
        requires.insert(Entry::any("coreutils", when));
    }
}

/// What runs a script: a program, or a feature of rpm (`build/parseScript.c`).
fn require(script: &Script, when: u32, dependencies: &mut Dependencies) {
    if script.is_lua() {
        dependencies.require_rpmlib("BuiltinLuaScripts", "4.2.2-1");
    } else {
        require_interpreter(script.interpreter(), when, &mut dependencies.requires);
    }
}

fn require_interpreter(program: &str, when: u32, requires: &mut List) {
    requires.insert(Entry::any(program, when | sense::INTERPRETER));
}

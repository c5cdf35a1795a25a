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
//! Around the scripts stands what accounts and services need (`setup.rs`).
//!
//! Each scriptlet needs its interpreters *at that moment*, which the flags of the dependency say
//! (`build/parseScript.c`). A `/bin/sh` on an empty root is missing before the transaction, so that a
//! `%pretrans` should not be one, but one in the Lua that is within rpm (`#!<lua>`). It cannot be one of the
//! moments: those are called by a generated shell text.

use super::Options;
use super::dependency::{self, Dependencies, Entry, List};
use super::header::Header;
use super::options::{FileTrigger, FileTriggerMoment, TriggerMoment};
use super::setup::Glue;
use super::tag::{header as tag, sense};
use crate::glue::Functions;
use crate::{Error, Moment, Package, Result, Script, Scripts};

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
pub(super) fn put(package: &Package, header: &mut Header, dependencies: &mut Dependencies) -> Result<()> {
    let (scripts, options) = (&package.scripts, &package.options.rpm);
    if let Some((moment, script)) = scripts.iter().find(|(_, script)| script.is_lua()) {
        let reason = "only a transaction's scripts, `verify` and triggers can be Lua";
        let value = script.interpreter().into();
        return Err(Error::Option { format: "rpm", option: moment.name(), value, reason });
    }
    let glue = Glue::new(package);
    glue.relate(dependencies);
    for scriptlet in &COUNTING {
        put_counting(scriptlet, scripts, &glue, header, dependencies);
    }
    let after_transaction = put_after_transaction(options, &glue, header, dependencies)?;
    let verbatim =
        [(PRETRANS, &options.before_transaction), (POSTTRANS, after_transaction), (VERIFY, &options.verify)];
    for (tags, script) in verbatim {
        let Some(script) = script else { continue };
        put_scriptlet(&tags, script.interpreter(), script.argument(), script.text(), header);
        require(script, tags.when, dependencies);
        if script.argument().is_some() {
            dependencies.require_rpmlib("ScriptletInterpreterArgs", "4.0.3-1");
        }
    }
    put_triggers(options, header, dependencies)?;
    put_file_triggers(options, header, dependencies)
}

/// The project's scripts between what Packhouse does itself; the first failing script ends the scriptlet with
/// its exit status.
fn put_counting(
    scriptlet: &Counting,
    scripts: &Scripts,
    glue: &Glue<'_>,
    header: &mut Header,
    dependencies: &mut Dependencies,
) {
    let present = scriptlet.scripts.map(|script| {
        let (moment, function) = script?;
        Some((function, scripts.get(&moment)?))
    });
    let functions = Functions::new(present.iter().copied().flatten());
    let [first, second] = [0, 1].map(|index| {
        let Some((moment, _)) = scriptlet.scripts[index] else { return Vec::new() };
        let (before, behind) = match moment {
            Moment::AfterInstall => (Vec::new(), glue.after_install()),
            Moment::AfterUpgrade => (Vec::new(), glue.after_upgrade()),
            Moment::BeforeRemove => (Vec::new(), glue.before_remove()),
            Moment::AfterRemove => (glue.after_remove(), Vec::new()),
            Moment::BeforeInstall | Moment::BeforeUpgrade => Default::default(),
        };
        let mut lines = before;
        if let Some((function, _)) = present[index] {
            let or_exit = if behind.is_empty() { "" } else { " || exit" };
            lines.push(format!("{function} \"$@\"{or_exit}"));
        }
        lines.extend(behind);
        lines
    });
    let mut text =
        if present.iter().any(Option::is_some) { functions.text().to_owned() } else { String::new() };
    let mut decision = Vec::new();
    if scriptlet.tags.when == sense::PRE {
        decision.extend(glue.before());
    }
    let condition = scriptlet.condition;
    let indented = |lines: Vec<String>| lines.into_iter().map(|line| format!("    {line}"));
    match (first.is_empty(), second.is_empty()) {
        (true, true) if decision.is_empty() => return,
        (true, true) => {}
        (false, _) => {
            decision.push(format!("if [ {condition} ]; then"));
            decision.extend(indented(first));
            if !second.is_empty() {
                decision.push("else".into());
                decision.extend(indented(second));
            }
            decision.push("fi".into());
        }
        (true, false) => {
            decision.push(format!("if [ ! {condition} ]; then"));
            decision.extend(indented(second));
            decision.push("fi".into());
        }
    }
    text.extend(decision.into_iter().map(|line| line + "\n"));
    put_scriptlet(&scriptlet.tags, functions.interpreter(), None, &text, header);
    require_programs(&functions, scriptlet.tags.when, &mut dependencies.requires);
}

/// `%posttrans` of a package with services: behind the project's script, if there is one. Returns the project's
/// script when it stands alone.
fn put_after_transaction<'a>(
    options: &'a Options,
    glue: &Glue<'_>,
    header: &mut Header,
    dependencies: &mut Dependencies,
) -> Result<&'a Option<Script>> {
    let lines = glue.after_transaction();
    if lines.is_empty() {
        return Ok(&options.after_transaction);
    }
    if let Some(script) = options.after_transaction.as_ref().filter(|script| script.is_lua()) {
        let reason = "a package with services needs a shell there";
        let value = script.interpreter().into();
        return Err(Error::Option {
            format: "rpm",
            option: "the script after the transaction in",
            value,
            reason,
        });
    }
    let script = options.after_transaction.as_ref().map(|script| ("after_transaction", script));
    let functions = Functions::new(script);
    let mut text = String::new();
    if script.is_some() {
        text.push_str(functions.text());
        text.push_str("after_transaction \"$@\"\nstatus=$?\n");
    }
    text.extend(lines.into_iter().map(|line| line + "\n"));
    if script.is_some() {
        text.push_str("exit $status\n");
    }
    put_scriptlet(&POSTTRANS, functions.interpreter(), None, &text, header);
    require_programs(&functions, POSTTRANS.when, &mut dependencies.requires);
    Ok(&None)
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

pub(super) fn put_triggers(
    options: &Options,
    header: &mut Header,
    dependencies: &mut Dependencies,
) -> Result<()> {
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

/// Tags of the two kinds of file triggers, beside [`FileTrigger::once`].
const FILE_TRIGGERS: [(bool, [u32; 7]); 2] =
    [(false, [5066, 5067, 5069, 5071, 5072, 5070, 5084]), (true, [5076, 5077, 5079, 5081, 5082, 5080, 5085])];

/// As rpmbuild does (`processScriptFiles` in `build/pack.c`): scripts, interpreters and priorities in the order
/// given, conditions with the index of their script.
fn put_file_triggers(options: &Options, header: &mut Header, dependencies: &mut Dependencies) -> Result<()> {
    for (once, [texts, programs, names, versions, flags, indexes, priorities]) in FILE_TRIGGERS {
        let triggers: Vec<&FileTrigger> =
            options.file_triggers.iter().filter(|trigger| trigger.once == once).collect();
        let mut scripts = Vec::new();
        let mut conditions = Vec::new();
        for (index, trigger) in triggers.iter().enumerate() {
            scripts.push(trigger_script(&trigger.script, dependencies));
            let moment = match trigger.moment {
                FileTriggerMoment::AfterInstall => sense::TRIGGER_IN,
                FileTriggerMoment::BeforeUninstall => sense::TRIGGER_UN,
                FileTriggerMoment::AfterUninstall => sense::TRIGGER_POSTUN,
            };
            for path in &trigger.paths {
                if !path.starts_with('/') || path.chars().any(|c| c.is_whitespace() || c.is_control()) {
                    let reason = "it is an absolute path without blanks";
                    let value = path.clone();
                    return Err(Error::Option {
                        format: "rpm",
                        option: "the file trigger's path",
                        value,
                        reason,
                    });
                }
                conditions.push((path.as_str(), moment, index as u32));
            }
        }
        conditions.sort_unstable();
        header.put_texts(texts, scripts.iter().map(|(_, text)| text));
        header.put_texts(programs, scripts.iter().map(|(program, _)| program));
        header.put_int32s(priorities, triggers.iter().map(|trigger| trigger.priority));
        header.put_texts(names, conditions.iter().map(|(path, ..)| path));
        header.put_texts(versions, conditions.iter().map(|_| ""));
        header.put_int32s(flags, conditions.iter().map(|(_, moment, _)| *moment));
        header.put_int32s(indexes, conditions.iter().map(|(.., index)| *index));
    }
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

//! What only an apk can say: `[apk]` of `dist/packhouse.toml`. fpm has no flags for it.

use packhouse_package::Relation;
use packhouse_package::apk::{Options, Trigger};

use super::Inputs;
use crate::file::Located;
use crate::{Problem, Problems};

pub(super) fn resolve(inputs: &Inputs<'_>, problems: &mut Problems) -> Options {
    let settings = &inputs.settings.apk;
    Options {
        provider_priority: priority(settings.provider_priority.as_ref(), problems),
        replaces_priority: priority(settings.replaces_priority.as_ref(), problems),
        install_if: settings
            .install_if
            .iter()
            .flatten()
            .filter_map(|written| relation(written, problems))
            .collect(),
        trigger: trigger(inputs, problems),
    }
}

fn priority(written: Option<&Located<i64>>, problems: &mut Problems) -> Option<u32> {
    let written = written?;
    let priority = u32::try_from(written.value).ok();
    if priority.is_none() {
        problems.push(Problem::at(&written.place, "a priority must be a whole number from 0"));
    }
    priority
}

fn relation(written: &Located<String>, problems: &mut Problems) -> Option<Relation> {
    let relation = Relation::parse(&written.value);
    if relation.is_none() {
        let message = format!("`{}` is no relation to a package", written.value.escape_debug());
        problems.push(Problem::at(&written.place, message).help("`name` or `name = version`, on one line"));
    }
    relation
}

fn trigger(inputs: &Inputs<'_>, problems: &mut Problems) -> Option<Trigger> {
    let settings = &inputs.settings.apk;
    let directories = settings.trigger_directories.iter().flatten();
    match (&settings.trigger, directories.clone().next()) {
        (Some(script), Some(_)) => {
            let script = inputs.script(script, problems)?;
            Some(Trigger { directories: directories.map(|written| written.value.clone()).collect(), script })
        }
        (Some(script), None) => {
            let problem = Problem::at(&script.place, "the trigger waits for nothing");
            problems.push(problem.help("name directories: trigger-directories = [\"/usr/share/fonts\"]"));
            None
        }
        (None, Some(directory)) => {
            let problem = Problem::at(&directory.place, "there is no script to run");
            problems.push(problem.help("name one: trigger = \"dist/scripts/trigger.sh\""));
            None
        }
        (None, None) => None,
    }
}

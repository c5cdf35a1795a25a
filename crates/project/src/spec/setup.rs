//! Services and accounts.

use std::collections::BTreeSet;

use packhouse_package::{Account, AccountKind, Error, Services, Setup};

use super::Inputs;
use crate::file::{AccountSettings, Located};
use crate::{Problem, Problems};

/// Services as flags of one format give them.
#[derive(Debug, Default)]
pub(super) struct Flags {
    pub(super) units: Vec<String>,
    pub(super) enable: Option<bool>,
    pub(super) start: Option<bool>,
    pub(super) restart_after_upgrade: Option<bool>,
}

pub(super) fn resolve(inputs: &Inputs<'_>, flags: Flags, problems: &mut Problems) -> Setup {
    Setup { services: services(inputs, flags, problems), accounts: accounts(inputs, problems) }
}

/// The project's units, and those of flags. A project that names units wants them to run, unless it says
/// otherwise; fpm's flags ask for each step.
fn services(inputs: &Inputs<'_>, flags: Flags, problems: &mut Problems) -> Services {
    let settings = &inputs.settings.services;
    let mut units: Vec<String> = Vec::new();
    for unit in settings.units.iter().flatten() {
        let one = Setup {
            services: Services { units: vec![unit.value.clone()], ..Services::default() },
            accounts: Vec::new(),
        };
        match one.check() {
            Ok(()) if units.contains(&unit.value) => {
                problems.push(Problem::at(&unit.place, format!("`{}` is named twice", unit.value)));
            }
            Ok(()) => units.push(unit.value.clone()),
            Err(error) => {
                problems.push(Problem::at(&unit.place, error.to_string()).maybe_help(error.help()));
            }
        }
    }
    let is_wanted = settings.units.as_ref().is_some_and(|units| !units.is_empty());
    if !is_wanted && flags.units.is_empty() {
        let steps = [&settings.enable, &settings.start, &settings.restart_after_upgrade];
        if let Some(step) = steps.into_iter().flatten().next() {
            let problem = Problem::at(&step.place, "[services] names no unit");
            problems.push(problem.help("units = [\"hello.service\"], as it is called in the package"));
        }
    }
    let choose = |flag: Option<bool>, setting: &Option<Located<bool>>, default| {
        flag.or(setting.as_ref().map(|setting| setting.value)).unwrap_or(default)
    };
    let services = Services {
        enable: choose(flags.enable, &settings.enable, is_wanted),
        start: choose(flags.start, &settings.start, is_wanted),
        restart_after_upgrade: choose(flags.restart_after_upgrade, &settings.restart_after_upgrade, true),
        units: Vec::new(),
    };
    units.extend(flags.units.into_iter().filter(|unit| !units.contains(unit)).collect::<Vec<_>>());
    Services { units, ..services }
}

fn accounts(inputs: &Inputs<'_>, problems: &mut Problems) -> Vec<Account> {
    let mut names = BTreeSet::new();
    let mut accounts = Vec::new();
    for written in inputs.settings.accounts.iter().flatten() {
        let Some(account) = account(written, problems) else { continue };
        if let Err(error) = account.check() {
            problems.push(Problem::at(&blamed(written, &error), error.to_string()));
        } else if !names.insert(account.name.clone()) {
            let problem = Problem::at(&written.place, format!("there are two accounts `{}`", account.name));
            problems.push(problem.help("a user has a group of the same name; leave the group out"));
        } else {
            accounts.push(account);
        }
    }
    accounts
}

fn account(written: &AccountSettings, problems: &mut Problems) -> Option<Account> {
    let text = |setting: &Option<Located<String>>| setting.as_ref().map(|text| text.value.clone());
    let kind = match written.kind.as_ref().map(|kind| kind.value.as_str()) {
        None | Some("user") => AccountKind::User {
            comment: text(&written.comment).unwrap_or_default(),
            home: text(&written.home).unwrap_or_else(|| "/".into()),
            shell: text(&written.shell),
        },
        Some("group") => {
            let of_users =
                [("comment", &written.comment), ("home", &written.home), ("shell", &written.shell)];
            for (key, setting) in of_users {
                if let Some(setting) = setting {
                    let problem = Problem::at(&setting.place, format!("a group has no `{key}`"));
                    problems.push(problem.help("leave it out, or make it a user: kind = \"user\""));
                }
            }
            AccountKind::Group
        }
        Some(other) => {
            let place = &written.kind.as_ref()?.place;
            let problem = Problem::at(place, format!("there is no kind `{other}` of account"));
            problems.push(problem.help("user, which comes with a group of the same name, or group"));
            return None;
        }
    };
    let groups = written.groups.iter().flatten().map(|group| group.value.clone()).collect();
    Some(Account { name: text(&written.name)?, kind, groups })
}

/// Where what the error names is written.
fn blamed(written: &AccountSettings, error: &Error) -> crate::Place {
    let Error::Account { what, .. } = error else { return written.place.clone() };
    let key = match *what {
        "name" => written.name.as_ref(),
        "comment" => written.comment.as_ref(),
        "home" => written.home.as_ref(),
        "shell" => written.shell.as_ref(),
        "groups" => written.groups.as_ref().and_then(|groups| groups.first()),
        _ => None,
    };
    key.map_or(&written.place, |key| &key.place).clone()
}

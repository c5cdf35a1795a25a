//! What maintainer scripts do with systemd units, with the programs of init-system-helpers where they are.
//!
//! `deb-systemd-helper` enables units on machines that do not run systemd at the time (an image being built),
//! remembers what it made, and leaves alone what the administrator disabled; `deb-systemd-invoke` asks
//! policy-rc.d, by which an administrator forbids starting services. Both are Debian's and Ubuntu's; elsewhere
//! `systemctl` does, as far as systemd runs. A unit's failure never fails the package: the administrator must
//! be able to install a fix. An upgrade stops and disables nothing.
//!
//! | when | what |
//! |---|---|
//! | installed | reload, enable, start, as far as asked for |
//! | upgraded | reload; new links of units that are enabled; restart of those that run |
//! | removed | stop; reload when the files are gone; links stay for the day it is installed again |
//! | purged | links and state are deleted |

use crate::Services;
use crate::glue::quote;
use crate::setup::{is_template, running};

/// The units of a package.
pub(super) struct Units<'a>(pub(super) &'a Services);

/// Nothing is started or stopped below another root, or when something else than systemd is PID 1
/// (sd_booted(3)).
const RUNS: &str = "if [ -z \"$DPKG_ROOT\" ] && [ -d /run/systemd/system ]; then";

/// The function that the scripts start and stop units with.
pub(super) const INVOKE: &str = "invoke() {
    if command -v deb-systemd-invoke >/dev/null; then
        deb-systemd-invoke \"$@\" >/dev/null || true
    else
        systemctl \"$@\" >/dev/null || true
    fi
}
";

const HELPER: &str = "if command -v deb-systemd-helper >/dev/null; then";

impl Units<'_> {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn after_install(&self) -> Vec<String> {
        let mut lines = self.enable(self.0.enable);
        let mut then = vec!["systemctl --system daemon-reload >/dev/null || true".to_owned()];
        if self.0.start {
            then.extend(self.start());
        }
        self.when_running(then, &mut lines);
        lines
    }

    pub(super) fn after_upgrade(&self) -> Vec<String> {
        // A predecessor that another tool made left no state; what is disabled then stays so.
        let mut lines = self.enable(false);
        let mut then = vec!["systemctl --system daemon-reload >/dev/null || true".to_owned()];
        if self.0.restart_after_upgrade {
            for unit in &self.0.units {
                // What does not run is not started by an upgrade; `deb-systemd-invoke` has no `try-restart`.
                let name = quote(&running(unit));
                then.push(format!("if systemctl --quiet is-active {name} 2>/dev/null; then"));
                then.push(format!("    invoke restart {name}"));
                then.push("fi".into());
            }
        }
        self.when_running(then, &mut lines);
        lines
    }

    pub(super) fn after_abort(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if self.0.start {
            self.when_running(self.start(), &mut lines);
        }
        lines
    }

    pub(super) fn before_remove(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let stop = |unit: &String| format!("invoke stop {}", quote(&running(unit)));
        self.when_running(self.0.units.iter().map(stop).collect(), &mut lines);
        lines
    }

    pub(super) fn after_remove(&self) -> Vec<String> {
        let mut lines = Vec::new();
        self.when_running(vec!["systemctl --system daemon-reload >/dev/null || true".into()], &mut lines);
        lines
    }

    pub(super) fn after_purge(&self) -> Vec<String> {
        if self.is_empty() {
            return Vec::new();
        }
        let names = self.names().collect::<Vec<_>>().join(" ");
        vec![
            HELPER.into(),
            format!("    deb-systemd-helper purge {names} >/dev/null || true"),
            format!("    deb-systemd-helper unmask {names} >/dev/null || true"),
            "fi".into(),
        ]
    }

    /// Enables the units, or, when they are not to be enabled by us, keeps those enabled that are: their file
    /// may ask for other links than the last version's.
    fn enable(&self, is_new: bool) -> Vec<String> {
        let mut lines = Vec::new();
        for name in self.names() {
            let condition = match is_new {
                // True as well when nothing is known of the unit, as on a first installation.
                true => format!("deb-systemd-helper --quiet was-enabled {name}"),
                false => format!(
                    "deb-systemd-helper --quiet debian-installed {name} \
                     && deb-systemd-helper --quiet was-enabled {name}"
                ),
            };
            lines.push(HELPER.into());
            // Takes back what older packages' `mask` did on removal, not what an administrator masked.
            lines.push(format!("    deb-systemd-helper unmask {name} >/dev/null || true"));
            lines.push(format!("    if {condition}; then"));
            lines.push(format!("        deb-systemd-helper enable {name} >/dev/null || true"));
            lines.push("    else".into());
            lines.push(format!("        deb-systemd-helper update-state {name} >/dev/null || true"));
            lines.push("    fi".into());
            if is_new {
                lines.push("elif [ -z \"$DPKG_ROOT\" ] && [ -d /run/systemd/system ]; then".into());
                lines.push(format!("    systemctl enable {name} >/dev/null || true"));
            }
            lines.push("fi".into());
        }
        lines
    }

    fn start(&self) -> Vec<String> {
        let start = |name: String| match self.0.enable {
            true => format!("invoke start {name}"),
            // deb-systemd-invoke does not start what is not enabled, which is right when the administrator
            // disabled it, and wrong when the project does not want it enabled.
            false => format!("systemctl start {name} >/dev/null || true"),
        };
        // A template has nothing to start until an administrator names an instance.
        self.0.units.iter().filter(|unit| !is_template(unit)).map(|unit| start(quote(unit))).collect()
    }

    fn names(&self) -> impl Iterator<Item = String> {
        self.0.units.iter().map(|unit| quote(unit))
    }

    /// Runs `then` where systemd runs.
    fn when_running(&self, then: Vec<String>, lines: &mut Vec<String>) {
        if self.is_empty() || then.is_empty() {
            return;
        }
        lines.push(RUNS.into());
        lines.extend(then.into_iter().map(|line| format!("    {line}")));
        lines.push("fi".into());
    }
}

//! The maintainer scripts of a deb.
//!
//! A script is stored as it stands, and dpkg calls it with whatever arguments it has, unless there is a script for
//! upgrades or a systemd unit: then each becomes a function of a `/bin/sh` script that looks at the arguments (Debian
//! Policy 6.5), with the names that fpm gives these functions:
//!
//! | dpkg calls | runs |
//! |---|---|
//! | `preinst install` | before_install |
//! | `preinst upgrade OLD`, `preinst install OLD` | before_upgrade OLD |
//! | `postinst configure`, `postinst abort-remove` | after_install |
//! | `postinst configure OLD` | after_upgrade OLD |
//! | `prerm remove` | before_remove |
//! | `postrm remove`, `postrm abort-install` | after_remove |
//! | `postrm purge` | after_purge |

use std::collections::BTreeMap;

use packhouse_package::Moment;

use super::wrapper::function;

/// What the scripts are made of.
pub(super) struct Parts<'a> {
    pub(super) scripts: &'a BTreeMap<Moment, String>,
    pub(super) after_purge: Option<&'a str>,
    /// Names of systemd units.
    pub(super) units: &'a [String],
    pub(super) enables: bool,
    pub(super) starts: bool,
    pub(super) restarts: bool,
    /// Generated scripts stop at the first failing command.
    pub(super) checks_errors: bool,
    pub(super) has_shlibs: bool,
}

const LDCONFIG: &str = "#!/bin/sh\n# A package with shared libraries brings the linker's cache up to date.\nset -e\n\n\
                        case $1 in\n  configure|remove) ldconfig ;;\nesac\n";

impl Parts<'_> {
    /// Whether the scripts tell an installation from an upgrade.
    pub(super) fn is_generated(&self) -> bool {
        let has = |moment| self.scripts.contains_key(&moment);
        has(Moment::BeforeUpgrade) || has(Moment::AfterUpgrade) || !self.units.is_empty()
    }

    /// Members of the control archive, by name.
    pub(super) fn generate(&self) -> BTreeMap<&'static str, String> {
        let mut scripts = self.scripts.clone();
        if self.has_shlibs {
            scripts.entry(Moment::AfterInstall).or_insert_with(|| LDCONFIG.into());
            scripts.entry(Moment::AfterRemove).or_insert_with(|| LDCONFIG.into());
        }
        let get = |moment: Moment| scripts.get(&moment).map(String::as_str);
        let mut members = BTreeMap::new();
        if self.is_generated() {
            let before_install = (get(Moment::BeforeInstall), get(Moment::BeforeUpgrade));
            if before_install.0.is_some() || before_install.1.is_some() {
                members.insert("preinst", self.preinst(before_install));
            }
            let after = (get(Moment::AfterInstall), get(Moment::AfterUpgrade));
            if after.0.is_some() || after.1.is_some() || !self.units.is_empty() {
                members.insert("postinst", self.postinst(after));
            }
            if get(Moment::BeforeRemove).is_some() || !self.units.is_empty() {
                members.insert("prerm", self.prerm(get(Moment::BeforeRemove)));
            }
            if get(Moment::AfterRemove).is_some() || self.after_purge.is_some() {
                members.insert("postrm", self.postrm(get(Moment::AfterRemove)));
            }
            return members;
        }
        for (moment, member) in [
            (Moment::BeforeInstall, "preinst"),
            (Moment::AfterInstall, "postinst"),
            (Moment::BeforeRemove, "prerm"),
            (Moment::AfterRemove, "postrm"),
        ] {
            members.extend(get(moment).map(|script| (member, script.to_owned())));
        }
        if let Some(purge) = self.after_purge {
            let postrm = literal_postrm(get(Moment::AfterRemove), purge);
            members.insert("postrm", postrm);
        }
        members
    }

    fn start(&self) -> String {
        let check = if self.checks_errors { "set -e\n\n" } else { "" };
        format!("#!/bin/sh\n\n{check}")
    }

    fn preinst(&self, (install, upgrade): (Option<&str>, Option<&str>)) -> String {
        let functions = [("before_upgrade", upgrade), ("before_install", install)]
            .map(|(name, body)| function(name, body.unwrap_or_default()));
        self.start()
            + &functions.concat()
            + "
if [ \"${1}\" = \"install\" ] && [ -z \"${2}\" ]
then
    before_install
elif { [ \"${1}\" = \"upgrade\" ] || [ \"${1}\" = \"install\" ]; } && [ -n \"${2}\" ]
then
    # `install` with a version: an earlier one was removed, and its configuration files are still there.
    upgradeFromVersion=\"${2}\"
    before_upgrade \"${upgradeFromVersion}\"
elif echo \"${1}\" | grep -E -q '(fail|abort)'
then
    echo \"Failed to install before the pre-installation script was run.\" >&2
    exit 1
fi
"
    }

    fn postinst(&self, (install, upgrade): (Option<&str>, Option<&str>)) -> String {
        let upgrade = format!("{}\n{}", upgrade.unwrap_or_default(), self.units_after_upgrade());
        let install = format!("{}\n{}", install.unwrap_or_default(), self.units_after_install());
        self.start()
            + &function("after_upgrade", &upgrade)
            + &function("after_install", &install)
            + "
if { [ \"${1}\" = \"configure\" ] && [ -z \"${2}\" ]; } || [ \"${1}\" = \"abort-remove\" ]
then
    # `abort-remove`: the script before the removal failed, and what it undid is done again.
    after_install
elif [ \"${1}\" = \"configure\" ] && [ -n \"${2}\" ]
then
    upgradeFromVersion=\"${2}\"
    after_upgrade \"${2}\"
elif echo \"${1}\" | grep -E -q \"(abort|fail)\"
then
    echo \"Failed to install before the post-installation script was run.\" >&2
    exit 1
fi
"
    }

    fn prerm(&self, remove: Option<&str>) -> String {
        let remove = format!("{}\n{}", remove.unwrap_or_default(), self.units_before_remove());
        self.start()
            + &function("before_remove", &remove)
            + "
if [ \"${1}\" = \"remove\" ] && [ -z \"${2}\" ]
then
    before_remove
elif [ \"${1}\" = \"upgrade\" ]
then
    # The newer package does what there is to do.
    :
elif echo \"${1}\" | grep -E -q \"(fail|abort)\"
then
    echo \"Failed to install before the pre-removal script was run.\" >&2
    exit 1
fi
"
    }

    fn postrm(&self, remove: Option<&str>) -> String {
        self.start()
            + &function("after_remove", remove.unwrap_or_default())
            + &function("after_purge", self.after_purge.unwrap_or_default())
            + "
if [ \"${1}\" = \"remove\" ] || [ \"${1}\" = \"abort-install\" ]
then
    # `abort-install`: the script before the installation failed.
    after_remove
elif [ \"${1}\" = \"purge\" ] && [ -z \"${2}\" ]
then
    after_purge
elif [ \"${1}\" = \"upgrade\" ]
then
    # The newer package does what there is to do.
    :
elif echo \"${1}\" | grep -E -q '(fail|abort)'
then
    echo \"Failed to install before the post-removal script was run.\" >&2
    exit 1
fi
"
    }

    fn units_after_install(&self) -> String {
        if self.units.is_empty() {
            return String::new();
        }
        let mut text = RELOAD.to_owned() + INVOKE;
        for unit in self.units {
            if self.enables {
                text.push_str(&format!("systemctl enable {unit} >/dev/null || true\n"));
            }
            if self.starts {
                text.push_str(&format!("$debsystemctl start {unit} >/dev/null || true\n"));
            }
        }
        text
    }

    fn units_after_upgrade(&self) -> String {
        if self.units.is_empty() {
            return String::new();
        }
        let mut text = RELOAD.to_owned() + INVOKE;
        for unit in self.units {
            text.push_str(&format!("if ! systemctl is-enabled {unit} >/dev/null\nthen\n    :\n"));
            if self.enables {
                text.push_str(&format!("    systemctl enable {unit} >/dev/null || true\n"));
            }
            if self.starts {
                text.push_str(&format!("    $debsystemctl start {unit} >/dev/null || true\n"));
            }
            if self.restarts {
                text.push_str(&format!("else\n    $debsystemctl restart {unit} >/dev/null || true\n"));
            }
            text.push_str("fi\n");
        }
        text
    }

    fn units_before_remove(&self) -> String {
        if self.units.is_empty() {
            return String::new();
        }
        let mut text = INVOKE.to_owned();
        for unit in self.units {
            text.push_str(&format!("$debsystemctl stop {unit} >/dev/null || true\n"));
            text.push_str(&format!("systemctl disable {unit} >/dev/null || true\n"));
        }
        text + RELOAD
    }
}

const RELOAD: &str = "systemctl --system daemon-reload >/dev/null || true\n";
const INVOKE: &str = "debsystemctl=$(command -v deb-systemd-invoke || echo systemctl)\n";

/// The script after a removal as it stands, for every call of dpkg's, and then the one for a purge. In a shell of its
/// own, so that an `exit` ends only the first.
fn literal_postrm(remove: Option<&str>, purge: &str) -> String {
    let mut text = String::from("#!/bin/sh\n\n");
    if let Some(remove) = remove {
        text.push_str(&function("after_remove", remove));
    }
    text.push_str(&function("after_purge", purge));
    text.push('\n');
    if remove.is_some() {
        text.push_str("( after_remove \"$@\" ) || exit\n");
    }
    text + "if [ \"${1}\" = \"purge\" ]\nthen\n    after_purge \"$@\"\nfi\n"
}

//! The scripts of an apk, run as apk runs them, with programs in the place of Alpine's that write down their calls.
//!
//! `apk_client.rs` has a real apk run them in a root of its own, where there is one.
#![expect(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use packhouse_package::{Moment, Package, Script};

use crate::apk_fixture::{bytes, control, everything};

/// A machine: Alpine's programs, `/etc/passwd` and `/etc/group`, and what was called.
struct Machine(tempfile::TempDir);

impl Machine {
    fn new() -> Machine {
        let machine = Machine(tempfile::tempdir().unwrap());
        let bin = machine.path().join("bin");
        fs_err::create_dir(&bin).unwrap();
        for (name, effect) in [
            ("addgroup", "[ \"$1\" != -S ] || echo \"$2:x:100:\" >>\"$ROOT/group\""),
            ("adduser", "for name; do :; done; echo \"$name:x:100:100::/:\" >>\"$ROOT/passwd\""),
            ("rc-update", ""),
            ("rc-service", "exit 1"),
        ] {
            let file = bin.join(name);
            fs_err::write(&file, format!("#!/bin/sh\necho \"{name} $*\" >>\"$ROOT/log\"\n{effect}\n"))
                .unwrap();
            fs_err::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        for file in ["passwd", "group", "log", "softlevel"] {
            fs_err::write(machine.path().join(file), "").unwrap();
        }
        machine
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Runs a script of the package, moved below the machine's root, and returns what was called since.
    fn run(&self, scripts: &BTreeMap<String, String>, name: &str, arguments: &[&str]) -> (bool, String) {
        let root = self.path().to_str().unwrap();
        let text = scripts[name]
            .replace("/etc/passwd", &format!("{root}/passwd"))
            .replace("/etc/group", &format!("{root}/group"))
            .replace("/run/openrc/softlevel", &format!("{root}/softlevel"))
            .replace("rm -f /", &format!("rm -f {root}/"))
            .replace("/log", &format!("{root}/log"));
        let file = self.path().join("script");
        fs_err::write(&file, text).unwrap();
        let path = format!("{root}/bin:/usr/bin:/bin");
        let status =
            Command::new("sh").arg(&file).args(arguments).env("PATH", path).env("ROOT", root).status();
        let log = fs_err::read_to_string(self.path().join("log")).unwrap();
        fs_err::write(self.path().join("log"), "").unwrap();
        (status.unwrap().success(), log)
    }
}

fn scripts(package: &Package) -> BTreeMap<String, String> {
    control(&bytes(package, 1).unwrap())
}

#[test]
fn each_moment_does_what_it_should_and_an_account_is_made_once() {
    let machine = Machine::new();
    let scripts = scripts(&everything());
    let made = "addgroup -S orc\n\
                adduser -S -D -H -h /var/lib/orchestrator -s /sbin/nologin -G orc -g Runs monitors orc\n";
    for (name, arguments, expected) in [
        (".pre-install", &["1.0"][..], format!("{made}before-install 1.0\n")),
        (
            ".post-install",
            &["1.0"],
            "after-install 1.0\nrc-update --quiet add orchestrator default\n\
             rc-service --quiet orchestrator start\n"
                .into(),
        ),
        (".pre-upgrade", &["2.0", "1.0"], "before-upgrade 2.0 1.0\n".into()),
        (
            ".post-upgrade",
            &["2.0", "1.0"],
            "after-upgrade 2.0 1.0\nrc-service --quiet --ifstarted orchestrator restart\n".into(),
        ),
        (
            ".pre-deinstall",
            &["2.0"],
            "before-remove 2.0\nrc-service --quiet --ifstarted orchestrator stop\n\
             rc-update --quiet --all delete orchestrator\n"
                .into(),
        ),
        (".post-deinstall", &["2.0"], "after-remove 2.0\n".into()),
    ] {
        // rc-service fails on this machine: a service never fails the package.
        assert_eq!(machine.run(&scripts, name, arguments), (true, expected), "{name}");
    }
}

#[test]
fn nothing_is_started_where_openrc_does_not_run() {
    let machine = Machine::new();
    fs_err::remove_file(machine.path().join("softlevel")).unwrap();
    let scripts = scripts(&everything());
    let (_, log) = machine.run(&scripts, ".post-install", &["1.0"]);
    assert_eq!(log, "after-install 1.0\nrc-update --quiet add orchestrator default\n");
    assert_eq!(machine.run(&scripts, ".post-upgrade", &["2.0", "1.0"]).1, "after-upgrade 2.0 1.0\n");
}

#[test]
fn a_ghost_file_goes_when_the_package_goes() {
    let machine = Machine::new();
    let ghost = machine.path().join("var/lib/orchestrator/state.db");
    fs_err::create_dir_all(ghost.parent().unwrap()).unwrap();
    fs_err::write(&ghost, "state").unwrap();
    let scripts = scripts(&everything());
    machine.run(&scripts, ".pre-upgrade", &["2.0", "1.0"]);
    machine.run(&scripts, ".post-upgrade", &["2.0", "1.0"]);
    assert!(ghost.exists());
    machine.run(&scripts, ".pre-deinstall", &["2.0"]);
    assert!(!ghost.exists());
}

#[test]
fn a_failing_script_fails_its_moment_and_nothing_is_started_then() {
    let machine = Machine::new();
    let mut package = everything();
    package.scripts.insert(Moment::AfterInstall, Script::shell("exit 3\n"));
    let (is_success, log) = machine.run(&scripts(&package), ".post-install", &["1.0"]);
    assert!(!is_success);
    assert_eq!(log, "");
}

#[test]
fn shellcheck_finds_nothing_in_our_scripts() {
    let Some([shellcheck]) = packhouse_clients::find(["shellcheck"]) else { return };
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in scripts(&everything()).into_iter().filter(|(name, _)| name != ".PKGINFO") {
        let file = directory.path().join(&name[1..]);
        fs_err::write(&file, text).unwrap();
        shellcheck.run(["--shell=sh".as_ref(), file.as_os_str()]);
    }
}

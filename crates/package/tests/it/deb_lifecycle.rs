//! dpkg installs, upgrades, removes and purges, and exactly the right scripts run.
//!
//! `dpkg --root` with `--force-script-chrootless` runs maintainer scripts on this machine with `$DPKG_ROOT`
//! set; the scripts of the tests write to `$DPKG_ROOT/log`.
#![expect(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

use std::path::Path;
use std::process::Output;

use packhouse_clients::Client;
use packhouse_package::{Entry, Moment, Package, Script};

use crate::deb_fixture::{files, package, write};

/// A root with an empty dpkg database.
struct Root {
    directory: tempfile::TempDir,
    dpkg: Client,
}

impl Root {
    fn new() -> Option<Root> {
        let [dpkg] = packhouse_clients::find(["dpkg"])?;
        let directory = tempfile::tempdir().unwrap();
        for name in ["info", "updates", "triggers"] {
            fs_err::create_dir_all(directory.path().join("root/var/lib/dpkg").join(name)).unwrap();
        }
        fs_err::write(directory.path().join("root/var/lib/dpkg/status"), "").unwrap();
        Some(Root { directory, dpkg })
    }

    fn path(&self, path: &str) -> std::path::PathBuf {
        self.directory.path().join("root").join(path)
    }

    fn dpkg(&self, arguments: &[&str]) -> Output {
        let mut command = self.dpkg.command();
        command.arg(format!("--root={}", self.path("").display()));
        command.args(["--force-not-root", "--force-script-chrootless", "--force-confold"]);
        // An update-alternatives or ldconfig that is not on the user's PATH is none of the test's business.
        command.args(["--force-bad-path", "--no-debsig"]);
        command.env("DEBIAN_FRONTEND", "noninteractive").args(arguments).output().unwrap()
    }

    #[track_caller]
    fn succeed(&self, arguments: &[&str]) -> String {
        let output = self.dpkg(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", packhouse_clients::text(&output));
        self.take_log()
    }

    #[track_caller]
    fn fail(&self, arguments: &[&str]) -> String {
        let output = self.dpkg(arguments);
        assert!(!output.status.success(), "{arguments:?}: {}", packhouse_clients::text(&output));
        self.take_log()
    }

    #[track_caller]
    fn install(&self, package: &Package) -> String {
        self.succeed(&["-i", write(package, self.directory.path()).to_str().unwrap()])
    }

    /// What the scripts wrote since the last look.
    fn take_log(&self) -> String {
        let text = fs_err::read_to_string(self.path("log")).unwrap_or_default();
        let _ = fs_err::remove_file(self.path("log"));
        text.lines().collect::<Vec<_>>().join("; ")
    }

    fn is_marked(&self) -> bool {
        self.path("var/lib/misc/orchestrator.installs-again").exists()
    }

    fn status(&self) -> String {
        let text = fs_err::read_to_string(self.path("var/lib/dpkg/status")).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix("Status: "));
        line.unwrap_or("unknown").to_owned()
    }
}

/// A package whose scripts write their moment, their package's version and dpkg's arguments to the log.
fn logging(version: &str) -> Package {
    let mut package = package(version, &files());
    for moment in Moment::ALL {
        package.scripts.insert(moment, log(moment.name(), version, ""));
    }
    package.options.deb.after_purge = Some(log("after-purge", version, ""));
    package
}

fn log(name: &str, version: &str, then: &str) -> Script {
    Script::shell(format!("echo \"{name} of {version}: $*\" >>\"$DPKG_ROOT/log\"\n{then}\n"))
}

#[test]
fn scripts_run_at_the_moments_that_their_names_say() {
    let Some(root) = Root::new() else { return };
    let (one, two) = (logging("1.0-1"), logging("2.0-1"));
    assert_eq!(root.install(&one), "before-install of 1.0-1: install; after-install of 1.0-1: configure ");
    assert_eq!(
        root.install(&two),
        "before-upgrade of 2.0-1: upgrade 1.0-1 2.0-1; after-upgrade of 2.0-1: configure 1.0-1"
    );
    // The same version again is an upgrade for dpkg.
    assert_eq!(
        root.install(&two),
        "before-upgrade of 2.0-1: upgrade 2.0-1 2.0-1; after-upgrade of 2.0-1: configure 2.0-1"
    );
    assert_eq!(
        root.succeed(&["-r", "orchestrator"]),
        "before-remove of 2.0-1: remove; after-remove of 2.0-1: remove"
    );
    assert_eq!(root.status(), "deinstall ok config-files");
    // dpkg passes the old version on, although nothing is installed.
    assert_eq!(
        root.install(&two),
        "before-install of 2.0-1: install 2.0-1 2.0-1; after-install of 2.0-1: configure 2.0-1"
    );
    assert!(!root.is_marked());
    assert_eq!(
        root.install(&one),
        "before-upgrade of 1.0-1: upgrade 2.0-1 1.0-1; after-upgrade of 1.0-1: configure 2.0-1"
    );
    assert_eq!(
        root.succeed(&["-P", "orchestrator"]),
        "before-remove of 1.0-1: remove; after-remove of 1.0-1: remove; after-purge of 1.0-1: purge"
    );
    assert_eq!(root.status(), "unknown");
    assert_eq!(root.install(&one), "before-install of 1.0-1: install; after-install of 1.0-1: configure ");
}

#[test]
fn an_upgrade_whose_first_script_fails_leaves_the_old_version_and_runs_nothing_else() {
    let Some(root) = Root::new() else { return };
    root.install(&logging("1.0-1"));
    let mut broken = logging("2.0-1");
    broken.scripts.insert(Moment::BeforeUpgrade, log("before-upgrade", "2.0-1", "exit 9"));
    let file = write(&broken, root.directory.path());
    let output = root.dpkg(&["-i", file.to_str().unwrap()]);
    assert!(packhouse_clients::text(&output).contains("exit status 9"), "{output:?}");
    assert_eq!(root.take_log(), "before-upgrade of 2.0-1: upgrade 1.0-1 2.0-1");
    assert_eq!(root.status(), "install ok installed");
    assert_eq!(
        root.succeed(&["-r", "orchestrator"]),
        "before-remove of 1.0-1: remove; after-remove of 1.0-1: remove"
    );
}

#[test]
fn an_installation_that_was_given_up_or_repeated_is_still_an_installation() {
    let Some(root) = Root::new() else { return };
    root.install(&logging("1.0-1"));
    root.succeed(&["-r", "orchestrator"]);

    let mut broken = logging("2.0-1");
    broken.scripts.insert(Moment::BeforeInstall, log("before-install", "2.0-1", "false"));
    let file = write(&broken, root.directory.path());
    assert_eq!(root.fail(&["-i", file.to_str().unwrap()]), "before-install of 2.0-1: install 1.0-1 2.0-1");
    assert!(!root.is_marked());

    let mut broken = logging("2.0-1");
    let twice = "[ -e \"$DPKG_ROOT/once\" ] || { : >\"$DPKG_ROOT/once\"; exit 3; }";
    broken.scripts.insert(Moment::AfterInstall, log("after-install", "2.0-1", twice));
    let file = write(&broken, root.directory.path());
    assert_eq!(
        root.fail(&["-i", file.to_str().unwrap()]),
        "before-install of 2.0-1: install 1.0-1 2.0-1; after-install of 2.0-1: configure 1.0-1"
    );
    assert_eq!(root.succeed(&["--configure", "orchestrator"]), "after-install of 2.0-1: configure 1.0-1");
    assert!(!root.is_marked());
}

#[test]
fn a_removal_that_fails_keeps_the_package() {
    let Some(root) = Root::new() else { return };
    let mut package = logging("1.0-1");
    package.scripts.insert(Moment::BeforeRemove, log("before-remove", "1.0-1", "exit 1"));
    root.install(&package);
    assert_eq!(root.fail(&["-r", "orchestrator"]), "before-remove of 1.0-1: remove");
    assert!(root.path("usr/bin/orchestrator").exists());
}

#[test]
fn scripts_keep_their_interpreter() {
    let Some(root) = Root::new() else { return };
    let mut package = package("1.0-1", &files());
    let python = "#!/usr/bin/python3 -B\nimport os, sys\nopen(os.environ['DPKG_ROOT'] + '/log', 'a').write(f'python {sys.argv[1:]}\\n')\n";
    let bash = "#!/bin/bash -eu\nwords=(bash \"$1\")\necho \"${words[@]}\" >>\"$DPKG_ROOT/log\"\nfalse\necho not reached >>\"$DPKG_ROOT/log\"\n";
    package.scripts.insert(Moment::BeforeInstall, Script::parse(python.as_bytes()).unwrap());
    package.scripts.insert(Moment::AfterInstall, Script::parse(bash.as_bytes()).unwrap());
    let file = write(&package, root.directory.path());
    assert_eq!(root.fail(&["-i", file.to_str().unwrap()]), "python ['install']; bash configure");
}

#[test]
fn what_the_customer_wrote_into_a_configuration_file_survives_until_the_purge() {
    let Some(root) = Root::new() else { return };
    root.install(&package("1.0-1", &files()));
    let config = root.path("etc/default/orchestrator");
    fs_err::write(&config, "TOKEN=customer\n").unwrap();

    let mut changed = files();
    changed.push(("etc/default/orchestrator", Entry::bytes(*b"TOKEN=\nNEW=1\n", 0o644)));
    root.install(&package("2.0-1", &changed));
    assert_eq!(fs_err::read_to_string(&config).unwrap(), "TOKEN=customer\n");

    root.succeed(&["-r", "orchestrator"]);
    assert_eq!(fs_err::read_to_string(&config).unwrap(), "TOKEN=customer\n");
    assert!(!root.path("usr/bin/orchestrator").exists());

    root.succeed(&["-P", "orchestrator"]);
    assert!(!config.exists());
    assert!(!root.path("etc/default").exists());
}

#[test]
fn dpkg_verifies_what_is_installed() {
    let Some(root) = Root::new() else { return };
    root.install(&package("1.0-1", &files()));
    let output = root.dpkg(&["--verify", "orchestrator"]);
    assert_eq!(packhouse_clients::text(&output), "");
    assert!(Path::new(&root.path("usr/bin/orc")).exists());
    fs_err::write(root.path("usr/bin/orchestrator"), "damaged").unwrap();
    let output = root.dpkg(&["--verify", "orchestrator"]);
    assert!(packhouse_clients::text(&output).contains("/usr/bin/orchestrator"), "{output:?}");
}

#[test]
fn debconf_asks_once_and_forgets_on_purge() {
    let Some([_]) = packhouse_clients::find(["debconf-show"]) else { return };
    let Some(root) = Root::new() else { return };
    fs_err::create_dir_all(root.path("etc")).unwrap();
    fs_err::create_dir_all(root.path("var/cache/debconf")).unwrap();
    let databases = ["config", "templates"].map(|name| {
        format!("\nName: {name}\nDriver: File\nMode: 644\nFilename: /var/cache/debconf/{name}.dat\n")
    });
    let debconf = format!("Config: config\nTemplates: templates\n{}", databases.concat());
    fs_err::write(root.path("etc/debconf.conf"), debconf).unwrap();

    let mut package = logging("1.0-1");
    let deb = &mut package.options.deb;
    deb.templates =
        Some("Template: orchestrator/token\nType: string\nDefault: 42\nDescription: Token".into());
    let config = "#!/bin/sh -e\n. /usr/share/debconf/confmodule\ndb_input low orchestrator/token || true\ndb_go || true\n";
    deb.config = Some(Script::parse(config.as_bytes()).unwrap());
    let ask = "set -e; . /usr/share/debconf/confmodule; db_get orchestrator/token; echo \"token $RET\" >>\"$DPKG_ROOT/log\"";
    package.scripts.insert(Moment::AfterInstall, log("after-install", "1.0-1", ask));
    assert_eq!(
        root.install(&package),
        "before-install of 1.0-1: install; after-install of 1.0-1: configure ; token 42"
    );
    let database = root.path("var/cache/debconf/config.dat");
    let known = || fs_err::read_to_string(&database).unwrap().contains("orchestrator/token");
    assert!(known());
    assert_eq!(
        root.succeed(&["-P", "orchestrator"]),
        "before-remove of 1.0-1: remove; after-remove of 1.0-1: remove; after-purge of 1.0-1: purge"
    );
    assert!(!known());
}

//! What happens on the customer's machine: the real rpm installs, upgrades, downgrades and erases.
#![expect(clippy::unwrap_used, reason = "a package that cannot be made is a failed test")]

use packhouse_package::rpm::{DependencyKind, Trigger, TriggerMoment};
use packhouse_package::{Entry, Moment, Owner, Package, Relation, Script};

use crate::rpm_fixture::{Root, add, logging, package, path, write};

/// A package with a service's usual files, whose every script logs.
fn service(version: &str) -> Package {
    let mut package = package(version);
    add(&mut package, "/usr/bin/hello", &format!("echo {version}\n"));
    add(&mut package, "/usr/lib/systemd/system/hello.service", "[Service]\n");
    add(&mut package, "/lib/hello/module", "module\n");
    add(&mut package, "/etc/default/hello", &format!("VERSION={version}\n"));
    add(&mut package, "/opt/hello/data/file", "data\n");
    package.files.insert(path("/var/lib/hello"), Entry::directory()).unwrap();
    package.files.insert(path("/usr/bin/hi"), Entry::symlink("hello")).unwrap();
    package.scripts = Moment::ALL.into_iter().map(|moment| (moment, logging(moment, version))).collect();
    package
}

#[test]
fn each_script_runs_at_its_moment_and_never_else() {
    let Some([rpm]) = packhouse_clients::find(["rpm"]) else { return };
    let root = Root::new(&rpm);
    assert_eq!(root.act("-i", &service("1")), "before-install of 1: 1\nafter-install of 1: 1\n");
    assert_eq!(root.run(["-V", "hello", "--nodeps"]), "");
    assert_eq!(root.act("-U", &service("2")), "before-upgrade of 2: 2\nafter-upgrade of 2: 2\n");
    assert_eq!(root.act("-U", &service("1")), "before-upgrade of 1: 2\nafter-upgrade of 1: 2\n");
    root.run(["-e", "hello"]);
    assert_eq!(root.take_log(), "before-remove of 1: 0\nafter-remove of 1: 0\n");
}

#[test]
fn a_package_with_some_scripts_runs_only_those() {
    let Some([rpm]) = packhouse_clients::find(["rpm"]) else { return };
    let root = Root::new(&rpm);
    let with = |version, moments: &[Moment]| {
        let mut package = service(version);
        package.scripts.retain(|moment, _| moments.contains(moment));
        package
    };
    let moments = [Moment::BeforeUpgrade, Moment::AfterInstall, Moment::AfterRemove];
    assert_eq!(root.act("-i", &with("1", &moments)), "after-install of 1: 1\n");
    assert_eq!(root.act("-U", &with("2", &moments)), "before-upgrade of 2: 2\n");
    root.run(["-e", "hello"]);
    assert_eq!(root.take_log(), "after-remove of 2: 0\n");
}

#[test]
fn a_script_of_another_language_runs_too() {
    let Some([rpm]) = packhouse_clients::find(["rpm"]) else { return };
    let root = Root::new(&rpm);
    // `cat` stands for python: it is not a shell, and prints the file that holds the script.
    let mut package = service("1");
    package.scripts.clear();
    package.scripts.insert(Moment::AfterInstall, Script::parse(b"#!/bin/cat\nprint('it''s')\n").unwrap());
    package.scripts.insert(Moment::AfterUpgrade, logging(Moment::AfterUpgrade, "1"));
    let directory = tempfile::tempdir().unwrap();
    let file = write(&package, directory.path());
    let printed = root.output(["-i".as_ref(), "--nodeps".as_ref(), file.as_os_str()]);
    let printed = packhouse_clients::text(&printed);
    assert!(printed.contains("print('it''s')\n"), "{printed}");
}

#[test]
fn a_failing_before_install_stops_the_installation() {
    let Some([rpm]) = packhouse_clients::find(["rpm"]) else { return };
    let root = Root::new(&rpm);
    let mut package = service("1");
    let script = Script::parse(b"#!/bin/sh -e\nfalse\nexit 0\n").unwrap();
    package.scripts.insert(Moment::BeforeInstall, script);
    let directory = tempfile::tempdir().unwrap();
    let file = write(&package, directory.path());
    assert!(!root.output(["-i".as_ref(), "--nodeps".as_ref(), file.as_os_str()]).status.success());
    assert!(!root.exists("/usr/bin/hello"));
}

#[test]
fn the_customers_configuration_survives() {
    let Some([rpm]) = packhouse_clients::find(["rpm"]) else { return };
    let root = Root::new(&rpm);
    root.act("-i", &service("1"));
    root.write("/etc/default/hello", "TOKEN=secret\n");
    root.act("-U", &service("2"));
    assert_eq!(root.read("/etc/default/hello"), "TOKEN=secret\n");
    assert_eq!(root.read("/etc/default/hello.rpmnew"), "VERSION=2\n");
    root.run(["-e", "hello"]);
    assert!(!root.exists("/etc/default/hello"));
    assert_eq!(root.read("/etc/default/hello.rpmsave"), "TOKEN=secret\n");
}

#[test]
fn an_untouched_configuration_is_updated() {
    let Some([rpm]) = packhouse_clients::find(["rpm"]) else { return };
    let root = Root::new(&rpm);
    root.act("-i", &service("1"));
    root.act("-U", &service("2"));
    assert_eq!(root.read("/etc/default/hello"), "VERSION=2\n");
    assert!(!root.exists("/etc/default/hello.rpmnew"));
}

#[test]
fn own_directories_go_and_the_distributions_stay() {
    let Some([rpm]) = packhouse_clients::find(["rpm"]) else { return };
    let root = Root::new(&rpm);
    root.act("-i", &service("1"));
    assert!(root.exists("/var/lib/hello") && root.exists("/usr/lib/hello/module"));
    root.run(["-e", "hello"]);
    for gone in ["/opt/hello", "/var/lib/hello", "/usr/lib/hello", "/usr/bin/hi"] {
        assert!(!root.exists(gone), "{gone}");
    }
    for stays in ["/opt", "/var/lib", "/usr/bin", "/usr/lib/systemd/system", "/etc/default", "/lib"] {
        assert!(root.exists(stays), "{stays}");
    }
}

#[test]
fn the_scriptlets_of_a_transaction_and_triggers_run() {
    let Some([rpm]) = packhouse_clients::find(["rpm"]) else { return };
    let root = Root::new(&rpm);
    let log = |text: &str| Script::parse(format!("#!/bin/sh -u\necho {text} >>/log\n").as_bytes()).unwrap();
    let mut other = package("1");
    other.metadata.name = packhouse_package::PackageName::new("other").unwrap();
    add(&mut other, "/opt/other/file", "");
    let mut watching = package("1");
    add(&mut watching, "/opt/hello/file", "");
    watching.options.rpm.before_transaction = Some(log("pretrans"));
    watching.options.rpm.after_transaction = Some(log("posttrans"));
    watching.options.rpm.verify = Some(log("verify"));
    let moments = [
        TriggerMoment::BeforeInstall,
        TriggerMoment::AfterInstall,
        TriggerMoment::BeforeUninstall,
        TriggerMoment::AfterUninstall,
    ];
    watching.options.rpm.triggers = moments
        .into_iter()
        .map(|moment| Trigger {
            moment,
            package: Relation::parse("other >= 1").unwrap(),
            script: log(&format!("{moment:?} $1 $2")),
        })
        .collect();
    assert_eq!(root.act("-i", &watching), "pretrans\nposttrans\n");
    root.run(["-V", "hello", "--nodeps"]);
    assert_eq!(root.take_log(), "verify\n");
    assert_eq!(root.act("-i", &other), "BeforeInstall 1 0\nAfterInstall 1 1\n");
    root.run(["-e", "other"]);
    assert_eq!(root.take_log(), "BeforeUninstall 1 0\nAfterUninstall 1 0\n");
}

#[test]
fn owners_and_modes_are_as_described() {
    let Some([rpm]) = packhouse_clients::find(["rpm"]) else { return };
    let mut package = service("1");
    package.options.rpm.owner = Some(Owner { user: "daemon".into(), group: "users".into() });
    let entry = package.files.entry_mut(&path("/usr/bin/hello")).unwrap();
    entry.owner = Owner { user: "root".into(), group: "wheel".into() };
    entry.mode = 0o4755;
    let directory = tempfile::tempdir().unwrap();
    let file = write(&package, directory.path());
    let format = "[%{FILENAMES} %{FILEMODES:perms} %{FILEUSERNAME} %{FILEGROUPNAME}\n]";
    let listing = rpm.run([
        "-qp".as_ref(),
        "--nosignature".as_ref(),
        "--qf".as_ref(),
        format.as_ref(),
        file.as_os_str(),
    ]);
    assert!(listing.contains("/usr/bin/hello -rwsr-xr-x root wheel\n"), "{listing}");
    assert!(listing.contains("/opt/hello drwxr-xr-x daemon users\n"), "{listing}");
}

#[test]
fn an_installation_needs_what_the_package_requires() {
    let Some([rpm]) = packhouse_clients::find(["rpm"]) else { return };
    let root = Root::new(&rpm);
    let mut package = service("1");
    package.scripts.clear();
    package.metadata.relations.depends = vec![Relation::parse("(absent or missing >= 2)").unwrap()];
    package.options.rpm.dependencies = vec![packhouse_package::rpm::Dependency {
        kind: DependencyKind::RequiresPost,
        relation: Relation::parse("nowhere").unwrap(),
    }];
    let directory = tempfile::tempdir().unwrap();
    let file = write(&package, directory.path());
    let printed = packhouse_clients::text(&root.output(["-i".as_ref(), file.as_os_str()]));
    assert!(printed.contains("(absent or missing >= 2) is needed by hello-1-1.x86_64"), "{printed}");
    assert!(printed.contains("nowhere is needed by"), "{printed}");
    assert!(!printed.contains("rpmlib") && !printed.contains("config("), "{printed}");
}

//! Scripts as text; `tests/it/apk_lifecycle.rs` runs them.

use super::*;
use crate::apk::setup;
use crate::{
    Account, AccountKind, Arch, Entry, FileTree, Metadata, Options, PackageName, PackagePath, Relations,
    Scripts, Services, Setup, Timestamp, Version,
};

fn package(scripts: &[(Moment, &str)], setup: Setup) -> Package {
    let mut files = FileTree::new();
    let mut ghost = Entry::bytes(*b"", 0o644);
    ghost.kind = crate::Kind::Ghost;
    for (path, entry) in [
        ("etc/init.d/orchestrator", Entry::bytes(*b"#!/sbin/openrc-run\n", 0o755)),
        ("usr/lib/systemd/system/other.service", Entry::bytes(*b"[Service]\n", 0o644)),
        ("var/lib/orchestrator/it's state", ghost),
    ] {
        files.insert(PackagePath::new(path).unwrap(), entry).unwrap();
    }
    files.complete();
    Package {
        metadata: Metadata {
            name: PackageName::new("orchestrator").unwrap(),
            version: Version::new("1.0"),
            arch: Arch::Noarch,
            summary: "s".into(),
            description: String::new(),
            homepage: None,
            vendor: None,
            maintainer: "m".into(),
            license: None,
            category: None,
            relations: Relations::default(),
            changelog: Vec::new(),
        },
        files,
        scripts: scripts
            .iter()
            .map(|(moment, text)| (*moment, Script::parse(text.as_bytes()).unwrap()))
            .collect::<Scripts>(),
        setup,
        timestamp: Timestamp::from_unix(0).unwrap(),
        options: Options::default(),
    }
}

fn generated(package: &Package) -> Result<ScriptFiles> {
    generate(package, &setup::lines(&package.setup, &package.files)?)
}

fn user(name: &str, comment: &str, home: &str) -> Account {
    let kind = AccountKind::User { comment: comment.into(), home: home.into(), shell: None };
    Account { name: name.into(), kind, groups: vec!["dialout".into()] }
}

#[test]
fn a_script_alone_is_packaged_as_it_stands() {
    let text = "#!/bin/sh -eu\necho \"$@\"\n";
    let mut package =
        package(&[(Moment::AfterInstall, text), (Moment::AfterRemove, "echo gone")], Setup::default());
    package.files = FileTree::new();
    let scripts = generated(&package).unwrap();
    assert_eq!(scripts.files[".post-install"], text);
    assert_eq!(scripts.files[".post-deinstall"], "#!/bin/sh\necho gone");
    assert_eq!(scripts.files.len(), 2);
    assert_eq!(scripts.interpreters, ["/bin/sh"]);
}

#[test]
fn accounts_services_and_ghosts_surround_the_projects_scripts() {
    let services = Services {
        units: vec!["orchestrator.service".into(), "other.service".into(), "orchestrator.timer".into()],
        enable: true,
        start: true,
        restart_after_upgrade: true,
    };
    let setup = Setup { services, accounts: vec![user("orc", "Runs it's monitors", "/var/lib/orc")] };
    let package = package(&[(Moment::BeforeRemove, "echo stopping")], setup);
    let scripts = generated(&package).unwrap();
    let all: String = scripts.files.iter().map(|(name, text)| format!("== {name}\n{text}")).collect();
    insta::assert_snapshot!(all);
}

#[test]
fn interpreters_become_dependencies() {
    for (line, expected) in [
        ("#!/bin/sh", Some("/bin/sh")),
        ("#!/bin/bash -e", Some("cmd:bash")),
        ("#!/usr/bin/python3", Some("cmd:python3")),
        ("#!/usr/bin/env python3", Some("cmd:python3")),
        ("#!/usr/bin/env -S FOO=1 perl -w", Some("cmd:perl")),
        ("#!/usr/bin/env sh", Some("/bin/sh")),
        ("#!/bin/busybox sh", Some("busybox")),
        ("#!/opt/orc/bin/orc", None),
    ] {
        let mut package = package(&[(Moment::AfterInstall, line)], Setup::default());
        package.files = FileTree::new();
        let found = generated(&package).unwrap().interpreters;
        assert_eq!(found.first().map(String::as_str), expected, "{line}");
    }
}

#[test]
fn accounts_that_mean_something_else_are_refused() {
    let good = user("orc", "Runs monitors", "/");
    assert!(setup::lines(&Setup { accounts: vec![good], ..Setup::default() }, &FileTree::new()).is_ok());
    for bad in [
        user("orc; rm -rf /", "c", "/"),
        user("", "c", "/"),
        user("-S", "c", "/"),
        user("orc", "a:0:0", "/"),
        user("orc", "a\nroot::0:0", "/"),
        user("orc", "c", "home"),
        user("orc", "c", "/:/bin/sh"),
        Account { groups: vec!["$(id)".into()], ..user("orc", "c", "/") },
    ] {
        let setup = Setup { accounts: vec![bad.clone()], ..Setup::default() };
        let error = setup::lines(&setup, &FileTree::new()).unwrap_err();
        assert!(matches!(error, Error::Option { format: "apk", .. }), "{bad:?}");
    }
}

#[test]
fn a_script_that_apk_could_not_run_is_refused() {
    let lua = package(&[(Moment::AfterInstall, "#!<lua>\nprint(1)\n")], Setup::default());
    assert!(matches!(generated(&lua), Err(Error::Option { option: "a script for", .. })));
    let long = "x".repeat(LONGEST);
    let long = package(&[(Moment::AfterInstall, &long)], Setup::default());
    assert!(matches!(generated(&long), Err(Error::TooLarge { .. })));
}

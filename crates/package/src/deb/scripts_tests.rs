//! The generated maintainer scripts, read and run.

use super::*;
use crate::deb::Trigger;
use crate::{Account, AccountKind, Capabilities, Owner};

fn scripts(moments: &[Moment]) -> Scripts {
    moments.iter().map(|moment| (*moment, Script::shell(format!("echo {}\n", moment.name())))).collect()
}

fn services(units: &[&str]) -> Services {
    let units = units.iter().map(|unit| (*unit).into()).collect();
    Services { units, enable: true, start: true, restart_after_upgrade: true }
}

fn generate_with(
    package: &str,
    scripts: &Scripts,
    options: &Options,
    services: &Services,
) -> Result<BTreeMap<&'static str, String>> {
    let accounts = Accounts::default();
    generate(Parts { package, sysusers: "x.conf", scripts, options, services, accounts, ghosts: Vec::new() })
}

#[test]
fn a_package_without_scripts_has_no_maintainer_scripts() {
    assert!(
        generate_with("x", &Scripts::new(), &Options::default(), &Services::default()).unwrap().is_empty()
    );
}

#[test]
fn only_the_needed_scripts_are_there() {
    let names = |moments: &[Moment], options: &Options| -> Vec<&str> {
        generate_with("x", &scripts(moments), options, &Services::default()).unwrap().into_keys().collect()
    };
    let none = Options::default();
    assert_eq!(names(&[Moment::BeforeInstall], &none), ["preinst"]);
    assert_eq!(names(&[Moment::BeforeRemove], &none), ["prerm"]);
    assert_eq!(names(&[Moment::AfterRemove], &none), ["postrm"]);
    // The marker needs `preinst` and `postrm`.
    assert_eq!(names(&[Moment::AfterInstall], &none), ["postinst", "postrm", "preinst"]);
    let templates = Options { templates: Some("Template: x/y".into()), ..Options::default() };
    assert_eq!(names(&[], &templates), ["postinst", "postrm"]);
}

#[test]
fn the_scripts_of_a_service_read_as_they_should() {
    let services = services(&["orchestrator.service", "tidy@daily.timer", "worker@.service"]);
    let texts =
        generate_with("orchestrator", &scripts(&Moment::ALL), &Options::default(), &services).unwrap();
    let all: String = texts.iter().map(|(name, text)| format!("--- {name}\n{text}")).collect();
    insta::assert_snapshot!(all);
}

#[test]
fn shellcheck_and_dash_accept_every_combination() {
    let Some([shellcheck, dash]) = packhouse_clients::find(["shellcheck", "dash"]) else { return };
    let everything = Options {
        templates: Some("Template: x/y".into()),
        after_purge: Some(Script::parse(b"#!/usr/bin/python3\nprint('$1')\n").unwrap()),
        check_errors: true,
        triggers: vec![Trigger { directive: "interest-noawait", name: "/usr/lib/x".into() }],
        ..Options::default()
    };
    let all_services = services(&["o.service", "o@.service", "o@1.timer"]);
    let started = Services { enable: false, ..all_services.clone() };
    let none = Services::default();
    let directory = tempfile::tempdir().unwrap();
    for (number, (moments, options, services)) in [
        (&Moment::ALL[..], &everything, &all_services),
        (&Moment::ALL[..], &Options::default(), &none),
        (&[][..], &Options::default(), &started),
        (&[][..], &everything, &all_services),
        (&[Moment::AfterInstall][..], &Options::default(), &none),
    ]
    .into_iter()
    .enumerate()
    {
        let scripts = scripts(moments);
        let (user, ghost) = (user(), PackagePath::new("var/log/it's.log").unwrap());
        let parts = Parts {
            package: "x",
            sysusers: "x.conf",
            scripts: &scripts,
            options,
            services,
            accounts: Accounts {
                accounts: std::slice::from_ref(&user),
                owned: vec![(&OWNER, 0o640, &ghost)],
                capable: vec![(Capabilities::parse("cap_net_raw,cap_chown=ep").unwrap(), &ghost)],
            },
            ghosts: vec![&ghost],
        };
        for (name, text) in generate(parts).unwrap() {
            let file = directory.path().join(format!("{number}.{name}"));
            fs_err::write(&file, text).unwrap();
            shellcheck.run(["-s".as_ref(), "sh".as_ref(), file.as_os_str()]);
            dash.run(["-n".as_ref(), file.as_os_str()]);
        }
    }
}

static OWNER: std::sync::LazyLock<Owner> =
    std::sync::LazyLock::new(|| Owner { user: "hello".into(), group: "hello".into() });

fn user() -> Account {
    let kind = AccountKind::User { comment: "It's".into(), home: "/var/lib/hello".into(), shell: None };
    Account { name: "hello".into(), kind, groups: vec!["video".into()] }
}

#[test]
fn checking_for_errors_reaches_the_shell_scripts_of_the_project() {
    let script = Script::parse(b"#!/bin/bash -u\nfalse\n").unwrap();
    assert_eq!(
        check_errors(&script, true).unwrap().to_file("deb").unwrap(),
        "#!/bin/bash -u\nset -e\nfalse\n"
    );
    let script = Script::parse(b"#!/usr/bin/python3\npass\n").unwrap();
    assert_eq!(check_errors(&script, true).unwrap(), script);
}

/// Runs a generated script with `arguments`, as if systemd ran, and returns the commands that reached it.
fn commands(text: &str, arguments: &[&str], helper: bool, enabled: bool) -> Vec<String> {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    let log = root.join("log");
    fs_err::create_dir(root.join("running")).unwrap();
    let mut stubs = vec!["systemctl", "echo"];
    if helper {
        stubs.extend(["deb-systemd-helper", "deb-systemd-invoke"]);
    }
    for stub in stubs {
        let is_question = "case \"$*\" in *is-active*|*was-enabled*|*debian-installed*)";
        let answer = if enabled { 0 } else { 1 };
        let text = format!(
            "#!/bin/sh\n{is_question} exit {answer};; esac\n/bin/echo \"{stub} $*\" >>{}\n",
            log.display()
        );
        let path = root.join(stub);
        fs_err::write(&path, text).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs_err::set_permissions(&path, mode).unwrap();
    }
    let text = text.replace("/run/systemd/system", root.join("running").to_str().unwrap());
    let script = root.join("script");
    // dash has its own `echo`; the project's scripts show up in the log by another name.
    fs_err::write(&script, text.replace("\necho ", "\n\"$STUBS/echo\" ")).unwrap();
    let path = format!("{}:/bin-without-systemd", root.display());
    for tool in ["rm", "mkdir"] {
        std::os::unix::fs::symlink(format!("/bin/{tool}"), root.join(tool)).unwrap();
    }
    let output = std::process::Command::new("/bin/dash")
        .arg(&script)
        .args(arguments)
        .env_clear()
        .env("PATH", path)
        .env("STUBS", root)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    fs_err::read_to_string(&log).unwrap_or_default().lines().map(str::to_owned).collect()
}

#[test]
fn an_upgrade_neither_stops_nor_disables_and_restarts_what_runs() {
    let texts = generate_with(
        "no-such-package",
        &scripts(&Moment::ALL),
        &Options::default(),
        &services(&["o.service"]),
    )
    .unwrap();
    let run = |script: &str, arguments: &[&str], helper, enabled| {
        commands(&texts[script], arguments, helper, enabled)
    };
    assert_eq!(run("prerm", &["upgrade", "2"], true, true), [""; 0]);
    assert_eq!(run("preinst", &["upgrade", "1", "2"], true, true), ["echo before-upgrade"]);
    assert_eq!(run("postrm", &["upgrade", "2"], true, true), [""; 0]);
    assert_eq!(
        run("postinst", &["configure", "1"], true, true),
        [
            "echo after-upgrade",
            "deb-systemd-helper unmask o.service",
            "deb-systemd-helper enable o.service",
            "systemctl --system daemon-reload",
            "deb-systemd-invoke restart o.service",
        ]
    );
    assert_eq!(
        run("postinst", &["configure", "1"], true, false),
        [
            "echo after-upgrade",
            "deb-systemd-helper unmask o.service",
            "deb-systemd-helper update-state o.service",
            "systemctl --system daemon-reload",
        ]
    );
    // Without init-system-helpers, systemctl does what is needed.
    assert_eq!(
        run("postinst", &["configure", "1"], false, true),
        ["echo after-upgrade", "systemctl --system daemon-reload", "systemctl restart o.service"]
    );
    assert_eq!(
        run("postinst", &["configure", ""], false, true),
        [
            "echo after-install",
            "systemctl enable o.service",
            "systemctl --system daemon-reload",
            "systemctl start o.service"
        ]
    );
    assert_eq!(
        run("prerm", &["remove"], true, true),
        ["echo before-remove", "deb-systemd-invoke stop o.service"]
    );
    assert_eq!(
        run("postrm", &["remove"], true, true),
        ["systemctl --system daemon-reload", "echo after-remove"]
    );
    assert_eq!(
        run("postrm", &["purge"], true, true),
        ["deb-systemd-helper purge o.service", "deb-systemd-helper unmask o.service"]
    );
    assert_eq!(run("postinst", &["abort-remove"], true, true), ["deb-systemd-invoke start o.service"]);
    for nothing in [["abort-upgrade", "1"], ["abort-deconfigure", "in-favour"], ["triggered", "x"]] {
        assert_eq!(run("postinst", &nothing, true, true), [""; 0], "{nothing:?}");
    }
}

#[test]
fn debconf_is_loaded_before_anything_happens() {
    // confmodule starts the script anew; what ran before it would run twice.
    let options = Options {
        templates: Some("Template: x/y".into()),
        after_purge: Some(Script::shell("true\n")),
        ..Options::default()
    };
    let texts = generate_with("x", &scripts(&Moment::ALL), &options, &Services::default()).unwrap();
    for (name, condition) in [("postinst", "if [ -e "), ("postrm", "if [ \"$1\" = purge ] && [ -e ")] {
        let head: Vec<&str> = texts[name].lines().skip(2).take(3).collect();
        assert_eq!(head[0], "set -e", "{name}");
        assert_eq!(head[1], format!("{condition}{CONFMODULE} ]; then"), "{name}");
    }
    assert!(texts["postrm"].contains("db_purge"));
    assert!(!texts["preinst"].contains("confmodule"));
}

//! pacman installs, checks, upgrades, downgrades and removes, and exactly the right scripts run.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use packhouse_package::archive::compress::Compression;
use packhouse_package::{
    Account, AccountKind, Capabilities, ChangelogEntry, Entry, Kind, LinkId, Mark, Moment, Owner, Package,
    Script,
};

use crate::pacman_fixture::{Root, files, package, path};

/// Each script logs its moment and its arguments.
fn with_scripts(version: &str) -> Package {
    let mut package = package(version, &files());
    for moment in Moment::ALL {
        let text = format!("echo \"{} $*\" >>/log\n", moment.name());
        package.scripts.insert(moment, Script::shell(text));
    }
    package
}

#[test]
fn pacman_finds_nothing_altered_for_any_compression() {
    let Some(root) = Root::new() else { return };
    for compression in [Compression::None, Compression::GZIP, Compression::XZ, Compression::ZSTD] {
        let mut package = with_scripts("1.0");
        package.options.compression = Some(compression);
        package.metadata.changelog.push(ChangelogEntry {
            version: "1.0".into(),
            time: package.timestamp,
            author: "Ada <ada@example.org>".into(),
            changes: vec!["It runs".into()],
        });
        let printed = root.install(&package);
        assert!(!printed.contains("warning: ") || printed.contains("is up to date"), "{printed}");
        let checked = root.succeed(&["-Qkk", "orchestrator"]);
        assert_eq!(checked.trim(), "orchestrator: 16 total files, 0 altered files", "{compression:?}");
        let changes = root.succeed(&["-Qc", "orchestrator"]);
        assert!(changes.contains("1.0 (2023-05-19) Ada <ada@example.org>\n\n  * It runs\n"), "{changes}");
    }
}

#[test]
fn scripts_run_at_their_moment_with_pacmans_arguments() {
    let Some(root) = Root::new() else { return };
    root.install(&with_scripts("1.0"));
    assert_eq!(root.take_log(), "before-install 1.0-1; after-install 1.0-1");
    root.install(&with_scripts("1.1"));
    assert_eq!(root.take_log(), "before-upgrade 1.1-1 1.0-1; after-upgrade 1.1-1 1.0-1");
    root.install(&with_scripts("1.1"));
    assert_eq!(root.take_log(), "before-upgrade 1.1-1 1.1-1; after-upgrade 1.1-1 1.1-1");
    let printed = root.install(&with_scripts("0.9"));
    assert!(printed.contains("downgrading package orchestrator (1.1-1 => 0.9-1)"), "{printed}");
    assert_eq!(root.take_log(), "before-upgrade 0.9-1 1.1-1; after-upgrade 0.9-1 1.1-1");
    root.succeed(&["-R", "orchestrator"]);
    assert_eq!(root.take_log(), "before-remove 0.9-1; after-remove 0.9-1");
    assert!(!root.path("usr/bin/orchestrator").exists());
    assert!(!root.path("var/lib/orchestrator").exists());
}

#[test]
fn a_script_is_opaque_and_its_failure_is_told() {
    let Some(root) = Root::new() else { return };
    let mut package = with_scripts("1.0");
    // Open quotes, another interpreter, a name that pacman looks for.
    let script = "echo 'post_remove' >>/log\nexit 3\nthis is 'no shell\n";
    package
        .scripts
        .insert(Moment::AfterInstall, Script::parse(format!("#!/bin/bash\n{script}").as_bytes()).unwrap());
    package.scripts.insert(Moment::BeforeRemove, Script::parse(b"#!/bin/cat\nout of cat\n").unwrap());
    package.scripts.remove(&Moment::AfterRemove);
    let printed = root.install(&package);
    assert!(printed.contains("command failed to execute correctly"), "{printed}");
    assert_eq!(root.take_log(), "before-install 1.0-1; post_remove");
    let printed = root.succeed(&["-R", "orchestrator"]);
    assert!(printed.contains("out of cat"), "{printed}");
    assert!(!printed.contains("not found"), "{printed}");
}

#[test]
fn edited_configuration_survives_upgrade_and_removal() {
    let Some(root) = Root::new() else { return };
    root.install(&package("1.0", &files()));
    let (config, new, saved) = (
        root.path("etc/default/orchestrator"),
        root.path("etc/default/orchestrator.pacnew"),
        root.path("etc/default/orchestrator.pacsave"),
    );
    fs_err::write(&config, "TOKEN=mine\n").unwrap();
    let mut second = package("1.1", &files());
    root.install(&second);
    assert!(!new.exists(), "the package's own file is the same");
    second.metadata.version.version = "1.2".into();
    let changed = Entry::bytes(*b"TOKEN=\nPORT=80\n", 0o644);
    second.files.insert(path("etc/default/orchestrator"), changed).unwrap();
    root.install(&second);
    assert_eq!(fs_err::read_to_string(&config).unwrap(), "TOKEN=mine\n");
    assert_eq!(fs_err::read_to_string(&new).unwrap(), "TOKEN=\nPORT=80\n");
    root.succeed(&["-R", "orchestrator"]);
    assert!(!config.exists());
    assert_eq!(fs_err::read_to_string(&saved).unwrap(), "TOKEN=mine\n");
}

#[test]
fn a_file_of_somebody_else_is_in_the_way() {
    let Some(root) = Root::new() else { return };
    fs_err::write(root.path("usr/bin/orc"), "mine").unwrap();
    let file = crate::pacman_fixture::write(&package("1.0", &files()), root.directory.path());
    let output = root.pacman(&["-U", file.to_str().unwrap()]);
    assert!(!output.status.success());
    assert!(packhouse_clients::text(&output).contains("usr/bin/orc exists in filesystem"));
    assert_eq!(fs_err::read_to_string(root.path("usr/bin/orc")).unwrap(), "mine");
}

#[test]
fn links_capabilities_modes_and_odd_names_arrive() {
    let Some(root) = Root::new() else { return };
    let mut package = package("1.0", &files());
    let mut linked = Entry::bytes(*b"twice\n", 0o755);
    if let Kind::File { link, .. } = &mut linked.kind {
        *link = Some(LinkId { device: 1, inode: 2 });
    }
    package.files.insert(path("usr/bin/one"), linked.clone()).unwrap();
    package.files.insert(path("usr/bin/two"), linked).unwrap();
    let mut ping = Entry::bytes(*b"ping\n", 0o755);
    ping.capabilities = Capabilities::parse("cap_net_raw=ep");
    package.files.insert(path("usr/bin/ping"), ping).unwrap();
    package.files.insert(path("usr/bin/su"), Entry::bytes(*b"su\n", 0o4755)).unwrap();
    let deep = format!("opt/{}/leaf", vec!["d".repeat(60); 16].join("/"));
    package.files.insert(path(&deep), Entry::bytes(*b"deep\n", 0o600)).unwrap();
    for byte in (1..=255_u8).filter(|byte| !b"/\n".contains(byte)) {
        let name = [b"opt/names/x", &[byte][..], b"y"].concat();
        let name = packhouse_package::PackagePath::new(name).unwrap();
        package.files.insert(name, Entry::bytes(vec![byte], 0o644)).unwrap();
    }
    package.files.insert(path("opt/to"), Entry::symlink(b"a b\\#\xff\ttarget".to_vec())).unwrap();
    package.files.complete();
    let printed = root.install(&package);
    assert!(!printed.contains("warning"), "{printed}");
    let checked = root.succeed(&["-Qkk", "orchestrator"]);
    assert!(checked.contains(" 0 altered files"), "{checked}");
    let inode = |path: &str| fs_err::metadata(root.path(path)).unwrap().ino();
    assert_eq!(inode("usr/bin/one"), inode("usr/bin/two"));
    assert_eq!(fs_err::metadata(root.path("usr/bin/su")).unwrap().permissions().mode() & 0o7777, 0o4755);
    assert_eq!(fs_err::read_to_string(root.path(&deep)).unwrap(), "deep\n");
    assert_eq!(fs_err::read_dir(root.path("opt/names")).unwrap().count(), 253);
    let mut attribute = [0; 64];
    let length =
        rustix::fs::lgetxattr(root.path("usr/bin/ping"), "security.capability", &mut attribute[..]).unwrap();
    assert_eq!(Capabilities::from_attribute(&attribute[..length]), Capabilities::parse("cap_net_raw=ep"));
}

#[test]
fn ghosts_go_with_the_package() {
    let Some(root) = Root::new() else { return };
    let mut package = package("1.0", &files());
    let mut ghost = Entry::bytes(*b"", 0o644);
    ghost.kind = Kind::Ghost;
    package.files.insert(path("var/lib/orchestrator/it's made"), ghost).unwrap();
    root.install(&package);
    fs_err::write(root.path("var/lib/orchestrator/it's made"), "by the program").unwrap();
    package.metadata.version.version = "2.0".into();
    root.install(&package);
    assert!(root.path("var/lib/orchestrator/it's made").exists(), "an upgrade keeps it");
    root.succeed(&["-R", "orchestrator"]);
    assert!(!root.path("var/lib/orchestrator").exists());
}

#[test]
fn services_and_accounts_are_set_up_where_systemd_is() {
    let Some(root) = Root::new() else { return };
    for program in ["systemctl", "systemd-sysusers", "systemd-tmpfiles"] {
        let program_path = root.path("usr/bin").join(program);
        fs_err::write(&program_path, format!("#!/bin/sh\necho \"{program} $*\" >>/log\n")).unwrap();
        fs_err::set_permissions(&program_path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let set_up = |version: &str| {
        let mut package = with_scripts(version);
        let services = &mut package.setup.services;
        services.units = vec!["orchestrator.service".into(), "monitor@.service".into()];
        (services.enable, services.start, services.restart_after_upgrade) = (true, true, true);
        let kind =
            AccountKind::User { comment: "Runs".into(), home: "/var/lib/orchestrator".into(), shell: None };
        package.setup.accounts = vec![Account { name: "orc".into(), kind, groups: Vec::new() }];
        let entry = package.files.entry_mut(&path("var/lib/orchestrator")).unwrap();
        entry.owner = Owner { user: "orc".into(), group: "orc".into() };
        package
    };
    let accounts = "systemd-sysusers /usr/lib/sysusers.d/orchestrator.conf; \
                    systemd-tmpfiles --create /usr/lib/tmpfiles.d/orchestrator-owners.conf";

    // In an image that is being built nothing runs.
    root.install(&set_up("1.0"));
    assert_eq!(
        root.take_log(),
        format!(
            "before-install 1.0-1; {accounts}; after-install 1.0-1; \
                 systemctl --quiet enable orchestrator.service monitor@.service"
        )
    );
    let owners = fs_err::read_to_string(root.path("usr/lib/tmpfiles.d/orchestrator-owners.conf")).unwrap();
    assert_eq!(owners, "z \"/var/lib/orchestrator\" 0755 orc orc\n");
    root.succeed(&["-R", "orchestrator"]);
    assert_eq!(
        root.take_log(),
        "before-remove 1.0-1; systemctl --quiet disable orchestrator.service monitor@.service; after-remove 1.0-1"
    );

    fs_err::create_dir_all(root.path("run/systemd/system")).unwrap();
    root.install(&set_up("1.0"));
    let log = root.take_log();
    assert!(log.ends_with(
        "after-install 1.0-1; systemctl daemon-reload; systemctl --quiet enable orchestrator.service monitor@.service; \
         systemctl start orchestrator.service"
    ), "{log}");
    root.install(&set_up("1.1"));
    assert_eq!(
        root.take_log(),
        format!(
            "before-upgrade 1.1-1 1.0-1; {accounts}; after-upgrade 1.1-1 1.0-1; systemctl daemon-reload; \
                 systemctl try-restart orchestrator.service monitor@*.service"
        )
    );
    root.succeed(&["-R", "orchestrator"]);
    assert_eq!(
        root.take_log(),
        "before-remove 1.1-1; systemctl --quiet disable --now orchestrator.service monitor@*.service; \
         after-remove 1.1-1"
    );
}

#[test]
fn what_pacman_would_lose_is_refused() {
    for (name, reason) in [
        ("opt/a\nb", "made of lines"),
        (".hidden", "full stop"),
        ("etc/a\tb", "a tab"),
        (&format!("etc/{}", vec!["d"; 2043].join("/")), ".pacnew"),
    ] {
        let mut package = package("1.0", &files());
        package.files.insert(path(name), Entry::bytes(*b"", 0o644)).unwrap();
        let error = crate::pacman_fixture::bytes(&package, 1).unwrap_err().to_string();
        assert!(error.starts_with("pacman cannot hold") && error.contains(reason), "{error}");
        package.files.entry_mut(&path(name)).unwrap().mark = Mark::NotConfig;
        let is_config_only = name.starts_with("etc");
        assert_eq!(crate::pacman_fixture::bytes(&package, 1).is_ok(), is_config_only, "{name:?}");
    }
}

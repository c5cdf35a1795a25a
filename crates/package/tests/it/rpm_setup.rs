//! Services, accounts, ghosts and capabilities of rpms, in scratch roots with a systemctl that writes down how it
//! is called.
#![expect(clippy::unwrap_used, reason = "a package that cannot be made is a failed test")]

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use fs_err as fs;
use packhouse_package::rpm::{FileTrigger, FileTriggerMoment};
use packhouse_package::{
    Account, AccountKind, Capabilities, Entry, Kind, Moment, Owner, Package, Script, Services,
};

use crate::rpm_fixture::{Root, add, copy_with_libraries, logging, package, path, write};

const UNITS: [&str; 3] = ["hello.service", "hello-tidy.timer", "hello-worker@.service"];

fn service(version: &str) -> Package {
    let mut package = package(version);
    add(&mut package, "/usr/bin/hello", &format!("echo {version}\n"));
    for unit in UNITS {
        add(&mut package, &format!("/usr/lib/systemd/system/{unit}"), "[Service]\n");
    }
    package.setup.services = Services {
        units: UNITS.map(str::to_owned).to_vec(),
        enable: true,
        start: true,
        restart_after_upgrade: true,
    };
    package
}

/// A root in which systemd seems to run; `/enabled` says whether units are.
fn root_with_systemd(rpm: &packhouse_clients::Client) -> Root {
    let root = Root::new(rpm);
    fs::create_dir_all(root.path().join("run/systemd/system")).unwrap();
    let stub = "#!/bin/sh\ncase \"$*\" in *is-enabled*) [ -e /enabled ]; exit;; esac\necho \"systemctl $*\" >>/log\n";
    program(&root, "usr/bin/systemctl", stub);
    root.write("/enabled", "");
    root
}

fn program(root: &Root, at: &str, text: &str) {
    let path = root.path().join(at);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

const INSTALLED: &str = "\
systemctl --no-reload preset hello.service hello-tidy.timer hello-worker@.service
systemctl daemon-reload
systemctl start hello.service
systemctl start hello-tidy.timer
";
const UPGRADED: &str = "\
systemctl daemon-reload
systemctl try-restart hello.service hello-tidy.timer hello-worker@*.service
";
const REMOVED: &str = "\
systemctl --no-reload disable hello.service hello-tidy.timer hello-worker@.service
systemctl stop hello.service hello-tidy.timer hello-worker@*.service
systemctl daemon-reload
";

#[test]
fn units_are_enabled_once_restarted_on_upgrades_and_stopped_at_the_end() {
    let Some([rpm]) = packhouse_clients::find(["rpm"]) else { return };
    let root = root_with_systemd(&rpm);
    assert_eq!(root.act("-i", &service("1")), INSTALLED);
    assert_eq!(
        root.read("/usr/lib/systemd/system-preset/50-hello.preset"),
        "enable hello.service\nenable hello-tidy.timer\nenable hello-worker@.service\n"
    );
    assert_eq!(root.act("-U", &service("2")), UPGRADED);
    assert_eq!(root.act("-U", &service("1")), UPGRADED, "a downgrade");
    let directory = tempfile::tempdir().unwrap();
    let file = write(&service("1"), directory.path());
    root.run(["-U".as_ref(), "--nodeps".as_ref(), "--replacepkgs".as_ref(), file.as_os_str()]);
    assert_eq!(root.take_log(), UPGRADED, "the same version again");
    root.run(["-e", "hello"]);
    assert_eq!(root.take_log(), REMOVED);
}

#[test]
fn what_an_administrators_preset_leaves_disabled_is_not_started() {
    let Some([rpm]) = packhouse_clients::find(["rpm"]) else { return };
    let root = root_with_systemd(&rpm);
    fs::remove_file(root.path().join("enabled")).unwrap();
    assert!(!root.act("-i", &service("1")).contains("start"));
    assert_eq!(root.act("-U", &service("2")), UPGRADED, "try-restart leaves alone what does not run");
}

#[test]
fn without_systemd_nothing_is_started_and_without_systemctl_nothing_is_done() {
    let Some([rpm]) = packhouse_clients::find(["rpm"]) else { return };
    let root = root_with_systemd(&rpm);
    fs::remove_dir(root.path().join("run/systemd/system")).unwrap();
    assert_eq!(root.act("-i", &service("1")), INSTALLED.lines().next().unwrap().to_owned() + "\n");
    assert_eq!(root.act("-U", &service("2")), "");
    root.run(["-e", "hello"]);
    assert_eq!(root.take_log(), REMOVED.lines().next().unwrap().to_owned() + "\n");

    fs::remove_file(root.path().join("usr/bin/systemctl")).unwrap();
    assert_eq!(root.act("-i", &service("1")), "");
    assert_eq!(root.act("-U", &service("2")), "");
    root.run(["-e", "hello"]);
    assert_eq!(root.take_log(), "");
}

#[test]
fn a_project_that_wants_nothing_started_gets_nothing_started() {
    let Some([rpm]) = packhouse_clients::find(["rpm"]) else { return };
    let root = root_with_systemd(&rpm);
    let quiet = |version| {
        let mut package = service(version);
        let units = vec!["hello.service".to_owned()];
        package.setup.services = Services { units, ..Services::default() };
        package
    };
    assert_eq!(
        root.act("-i", &quiet("1")),
        "systemctl --no-reload preset hello.service\nsystemctl daemon-reload\n"
    );
    assert_eq!(root.read("/usr/lib/systemd/system-preset/50-hello.preset"), "disable hello.service\n");
    assert_eq!(root.act("-U", &quiet("2")), "systemctl daemon-reload\n");
}

#[test]
fn fedoras_helper_enables_and_suses_settings_are_heard() {
    let Some([rpm]) = packhouse_clients::find(["rpm"]) else { return };
    let root = root_with_systemd(&rpm);
    program(&root, "usr/lib/systemd/systemd-update-helper", "#!/bin/sh\necho \"helper $*\" >>/log\n");
    assert_eq!(
        root.act("-i", &service("1")).lines().next(),
        Some("helper install-system-units hello.service hello-tidy.timer hello-worker@.service")
    );
    fs::create_dir_all(root.path().join("etc/sysconfig")).unwrap();
    root.write(
        "/etc/sysconfig/services",
        "DISABLE_RESTART_ON_UPDATE=\"yes\"\nDISABLE_STOP_ON_REMOVAL=\"yes\"\n",
    );
    assert_eq!(root.act("-U", &service("2")), "systemctl daemon-reload\n");
    root.run(["-e", "hello"]);
    assert!(!root.take_log().contains("stop"));
}

#[test]
fn the_projects_scripts_run_around_the_glue_and_a_failing_one_ends_it() {
    let Some([rpm]) = packhouse_clients::find(["rpm"]) else { return };
    let root = root_with_systemd(&rpm);
    let with_scripts = |version| {
        let mut package = service(version);
        package.scripts = Moment::ALL.into_iter().map(|moment| (moment, logging(moment, version))).collect();
        package.options.rpm.after_transaction = Some(Script::shell("echo posttrans >>/log\n"));
        package
    };
    let (first, rest) = INSTALLED.split_once('\n').unwrap();
    assert_eq!(
        root.act("-i", &with_scripts("1")),
        format!("before-install of 1: 1\nafter-install of 1: 1\n{first}\nposttrans\n{rest}")
    );
    assert_eq!(
        root.act("-U", &with_scripts("2")),
        format!("before-upgrade of 2: 2\nafter-upgrade of 2: 2\nposttrans\n{UPGRADED}")
    );
    let mut failing = with_scripts("3");
    failing.scripts.insert(Moment::AfterUpgrade, Script::shell("exit 7\n"));
    let directory = tempfile::tempdir().unwrap();
    let file = write(&failing, directory.path());
    let output = root.output(["-U".as_ref(), "--nodeps".as_ref(), file.as_os_str()]);
    assert!(packhouse_clients::text(&output).contains("exit status 7"), "{output:?}");
    assert_eq!(root.take_log(), "before-upgrade of 3: 2\nposttrans\n");
    root.run(["-e", "hello"]);
    let (last, reload) = REMOVED.rsplit_once("systemctl daemon-reload\n").unwrap();
    assert_eq!(
        root.take_log(),
        format!("before-remove of 3: 0\n{last}systemctl daemon-reload\nafter-remove of 3: 0\n{reload}")
    );
}

#[test]
fn the_scriptlets_are_clean_shell() {
    let Some([rpm, shellcheck]) = packhouse_clients::find(["rpm", "shellcheck"]) else { return };
    let mut package = service("1");
    package.setup.accounts = accounts();
    let directory = tempfile::tempdir().unwrap();
    let file = write(&package, directory.path());
    for tag in ["PREIN", "POSTIN", "PREUN", "POSTUN", "POSTTRANS"] {
        let format = format!("#!/bin/sh\n%{{{tag}}}\n");
        let text = query(&rpm, &file, &format);
        let script = directory.path().join(tag);
        fs::write(&script, text).unwrap();
        // /etc/sysconfig/services is on the customer's machine.
        shellcheck.run(["-e", "SC1091", "-s", "sh", script.to_str().unwrap()]);
    }
}

fn query(rpm: &packhouse_clients::Client, file: &Path, format: &str) -> String {
    let arguments = ["-qp", "--nosignature", "--qf", format, file.to_str().unwrap()];
    rpm.run(arguments)
}

fn accounts() -> Vec<Account> {
    let kind =
        AccountKind::User { comment: "Says \"hello\"".into(), home: "/var/lib/hello".into(), shell: None };
    vec![
        Account { name: "hello".into(), kind, groups: vec!["video".into(), "greeters".into()] },
        Account { name: "greeters".into(), kind: AccountKind::Group, groups: Vec::new() },
    ]
}

/// A package with files of its account's.
fn owning(version: &str) -> Package {
    let mut package = package(version);
    add(&mut package, "/usr/bin/hello", "echo\n");
    let owner = Owner { user: "hello".into(), group: "greeters".into() };
    let directory = Entry { owner: owner.clone(), mode: 0o2750, ..Entry::directory() };
    package.files.insert(path("/var/lib/hello"), directory).unwrap();
    let state = Entry { owner, ..Entry::bytes(*b"", 0o640) };
    package.files.insert(path("/var/lib/hello/state"), state).unwrap();
    package.setup.accounts = accounts();
    package
}

fn root_with_shadow(rpm: &packhouse_clients::Client) -> Root {
    let root = Root::new(rpm);
    for program in ["/usr/bin/getent", "/usr/sbin/groupadd", "/usr/sbin/useradd", "/usr/sbin/usermod"] {
        copy_with_libraries(Path::new(program), root.path());
    }
    root.write("/etc/shadow", "");
    root.write("/etc/gshadow", "");
    root.write("/etc/nsswitch.conf", "passwd: files\ngroup: files\n");
    root
}

#[test]
fn accounts_are_there_before_their_files_and_stay_behind() {
    let Some([rpm, _]) = packhouse_clients::find(["rpm", "useradd"]) else { return };
    let root = root_with_shadow(&rpm);
    root.act("-i", &owning("1"));
    let passwd = root.read("/etc/passwd");
    let line = passwd.lines().find(|line| line.starts_with("hello:")).unwrap();
    let fields: Vec<&str> = line.split(':').collect();
    assert_eq!(fields[4..], ["Says \"hello\"", "/var/lib/hello", "/usr/sbin/nologin"]);
    let group = root.read("/etc/group");
    let members = |name: &str| -> Option<String> {
        let line = group.lines().find(|line| line.split(':').next() == Some(name))?;
        Some(line.rsplit(':').next()?.to_owned())
    };
    assert_eq!(members("hello").as_deref(), Some(""));
    assert_eq!(members("video").as_deref(), Some("hello"));
    assert_eq!(members("greeters").as_deref(), Some("hello"));
    let metadata = fs::metadata(root.path().join("var/lib/hello/state")).unwrap();
    use std::os::unix::fs::MetadataExt as _;
    assert_eq!(metadata.uid().to_string(), fields[2]);
    assert_eq!(metadata.mode() & 0o7777, 0o640);
    assert!(root.read("/usr/lib/sysusers.d/hello.conf").contains("u hello - \"Says \\\"hello\\\"\""));

    // What the administrator made of it stays.
    root.write("/etc/passwd", &passwd.replace("/usr/sbin/nologin", "/bin/sh"));
    root.act("-U", &owning("2"));
    assert!(root.read("/etc/passwd").contains("/var/lib/hello:/bin/sh"));
    root.run(["-e", "hello"]);
    assert!(root.read("/etc/passwd").contains("hello:"));
}

#[test]
fn an_account_that_cannot_be_made_stops_the_installation() {
    let Some([rpm, _]) = packhouse_clients::find(["rpm", "useradd"]) else { return };
    let root = root_with_shadow(&rpm);
    program(&root, "usr/sbin/useradd", "#!/bin/sh\nexit 3\n");
    let directory = tempfile::tempdir().unwrap();
    let file = write(&owning("1"), directory.path());
    let output = root.output(["-i".as_ref(), "--nodeps".as_ref(), file.as_os_str()]);
    assert!(!output.status.success());
    assert!(!root.exists("/var/lib/hello"));
}

#[test]
fn rpm_is_told_of_the_accounts_in_its_own_words() {
    let Some([rpm]) = packhouse_clients::find(["rpm"]) else { return };
    let directory = tempfile::tempdir().unwrap();
    let file = write(&owning("1"), directory.path());
    let provides = query(&rpm, &file, "[%{PROVIDENAME} %{PROVIDEVERSION}\n]");
    // printf 'g greeters -' | base64
    assert!(provides.contains("group(greeters) ZyBncmVldGVycyAt\n"), "{provides}");
    assert!(provides.contains("group(hello) \n"), "{provides}");
    assert!(provides.contains("user(hello) dSBoZWxsbyAtICJTYXlz"), "{provides}");
    assert!(provides.contains("groupmember(hello/video) "), "{provides}");
    assert!(!provides.contains('='), "{provides}");
    let requires = query(&rpm, &file, "[%{REQUIRENAME} %{REQUIREFLAGS:deptype}\n]");
    for program in ["/usr/sbin/useradd", "/usr/sbin/groupadd", "/usr/sbin/usermod", "/usr/bin/getent"] {
        assert!(requires.contains(&format!("{program} pre\n")), "{requires}");
    }
}

#[test]
fn a_ghost_is_the_packages_though_the_program_makes_it() {
    let Some([rpm]) = packhouse_clients::find(["rpm"]) else { return };
    let root = Root::new(&rpm);
    let mut package = package("1");
    add(&mut package, "/usr/bin/hello", "echo\n");
    let ghost = Entry { kind: Kind::Ghost, mode: 0o640, ..Entry::directory() };
    package.files.insert(path("/var/lib/hello/cache"), ghost).unwrap();
    package.files.complete();
    root.act("-i", &package);
    assert!(root.exists("/var/lib/hello") && !root.exists("/var/lib/hello/cache"));
    root.write("/var/lib/hello/cache", "made\n");
    fs::set_permissions(root.path().join("var/lib/hello/cache"), std::fs::Permissions::from_mode(0o640))
        .unwrap();
    assert_eq!(root.run(["-V", "hello", "--nodeps"]), "");
    assert_eq!(root.run(["-qf", "--qf", "%{NAME}\n", "/var/lib/hello/cache"]), "hello\n");
    let listing =
        root.run(["-q", "hello", "--qf", "[%{FILENAMES} %{FILEFLAGS:fflags} %{FILEMODES:perms}\n]"]);
    assert!(listing.contains("/var/lib/hello/cache g -rw-r-----\n"), "{listing}");
    root.run(["-e", "hello"]);
    assert!(!root.exists("/var/lib/hello"));
}

#[test]
fn capabilities_are_what_the_package_says() {
    let Some([rpm, getcap]) = packhouse_clients::find(["rpm", "getcap"]) else { return };
    let root = Root::new(&rpm);
    let mut package = package("1");
    add(&mut package, "/usr/bin/hello", "echo\n");
    add(&mut package, "/usr/bin/other", "echo\n");
    let entry = package.files.entry_mut(&path("/usr/bin/hello")).unwrap();
    entry.mode = 0o755;
    entry.capabilities = Capabilities::parse("cap_net_bind_service,cap_net_raw=ep");
    root.act("-i", &package);
    let listing = root.run(["-q", "hello", "--qf", "[%{FILENAMES} %{FILECAPS}\n]"]);
    assert!(listing.contains("/usr/bin/hello cap_net_bind_service,cap_net_raw=ep\n"), "{listing}");
    let requires = root.run(["-q", "--requires", "hello"]);
    assert!(requires.contains("rpmlib(FileCaps) <= 4.6.1-1\n"), "{requires}");
    let file = root.path().join("usr/bin/hello");
    let set = getcap.run([file.as_os_str()]);
    assert!(set.contains("cap_net_bind_service,cap_net_raw=ep"), "{set}");
    assert_eq!(root.run(["-V", "hello", "--nodeps"]), "");
}

#[test]
fn file_triggers_run_for_other_packages_files() {
    let Some([rpm]) = packhouse_clients::find(["rpm"]) else { return };
    let root = Root::new(&rpm);
    let mut watching = package("1");
    add(&mut watching, "/opt/hello/file", "");
    let trigger = |moment, once| FileTrigger {
        moment,
        paths: vec!["/usr/share/plugins".into(), "/opt/plugins".into()],
        priority: FileTrigger::PRIORITY,
        once,
        script: Script::shell(format!("echo {moment:?} {once} >>/log\ncat >>/log\n")),
    };
    use FileTriggerMoment::{AfterInstall, AfterUninstall, BeforeUninstall};
    watching.options.rpm.file_triggers = [AfterInstall, BeforeUninstall, AfterUninstall]
        .into_iter()
        .flat_map(|moment| [trigger(moment, false), trigger(moment, true)])
        .collect();
    assert_eq!(root.act("-i", &watching), "");
    let mut plugin = package("1");
    plugin.metadata.name = packhouse_package::PackageName::new("plugin").unwrap();
    add(&mut plugin, "/usr/share/plugins/a", "");
    add(&mut plugin, "/opt/plugins/b", "");
    add(&mut plugin, "/opt/else", "");
    let installed = root.act("-i", &plugin);
    assert_eq!(
        installed,
        "AfterInstall false\n/opt/plugins\n/opt/plugins/b\n/usr/share/plugins\n/usr/share/plugins/a\n\
         AfterInstall true\n/opt/plugins\n/opt/plugins/b\n/usr/share/plugins\n/usr/share/plugins/a\n"
    );
    root.run(["-e", "plugin"]);
    let removed = root.take_log();
    assert!(removed.contains("BeforeUninstall false\n/opt/plugins\n"), "{removed}");
    assert!(removed.contains("BeforeUninstall true\n"), "{removed}");
    assert!(removed.contains("AfterUninstall false\n"), "{removed}");
    assert!(removed.contains("AfterUninstall true\n"), "{removed}");
}

#[test]
fn the_same_file_triggers_as_rpmbuild_writes() {
    let Some([rpm, rpmbuild]) = packhouse_clients::find(["rpm", "rpmbuild"]) else { return };
    let directory = tempfile::tempdir().unwrap();
    let spec = "\
Name: hello\nVersion: 1\nRelease: 1\nSummary: s\nLicense: MIT\nBuildArch: noarch\n%description\nd\n%files\n
%filetriggerin -P 2000000 -- /usr/lib/b /usr/lib/a\necho in\n
%filetriggerpostun -- /usr/lib/a\necho gone\n
%transfiletriggerun -- /usr/lib/c\necho once\n";
    let at = directory.path().join("hello.spec");
    fs::write(&at, spec).unwrap();
    let define = format!("_topdir {}", directory.path().display());
    rpmbuild.run(["-bb", "--define", &define, at.to_str().unwrap()]);
    let theirs = directory.path().join("RPMS/noarch/hello-1-1.noarch.rpm");

    let mut package = package("1");
    let trigger = |moment, paths: &[&str], priority, once, text: &str| FileTrigger {
        moment,
        paths: paths.iter().map(|path| (*path).to_owned()).collect(),
        priority,
        once,
        script: Script::shell(text),
    };
    package.options.rpm.file_triggers = vec![
        trigger(
            FileTriggerMoment::AfterInstall,
            &["/usr/lib/b", "/usr/lib/a"],
            2_000_000,
            false,
            "echo in\n",
        ),
        trigger(
            FileTriggerMoment::AfterUninstall,
            &["/usr/lib/a"],
            FileTrigger::PRIORITY,
            false,
            "echo gone\n",
        ),
        trigger(
            FileTriggerMoment::BeforeUninstall,
            &["/usr/lib/c"],
            FileTrigger::PRIORITY,
            true,
            "echo once\n",
        ),
    ];
    let ours = write(&package, directory.path());
    let listing = |file: &Path| {
        let tags = ["SCRIPTS", "SCRIPTPROG", "NAME", "VERSION", "FLAGS", "INDEX", "PRIORITIES"];
        let formats: Vec<String> = ["FILETRIGGER", "TRANSFILETRIGGER"]
            .iter()
            .flat_map(|kind| tags.map(|tag| format!("[{kind}{tag} %{{{kind}{tag}}}\n]")))
            .collect();
        query(&rpm, file, &formats.concat())
    };
    assert_eq!(listing(&ours), listing(&theirs));
}

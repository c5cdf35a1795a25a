//! Services, accounts, ghosts and capabilities of debs: dpkg runs the maintainer scripts in a scratch root, with a
//! systemctl that writes down how it is called.
#![expect(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use fs_err as fs;
use packhouse_clients::Client;
use packhouse_package::{
    Account, AccountKind, Capabilities, ChangelogEntry, Entry, Kind, Owner, Package, Services, Timestamp,
};

use crate::deb_fixture::{package, path, write};
use crate::rpm_fixture::copy_with_libraries;

/// A root that maintainer scripts are run in, by chroot(2).
struct Root {
    directory: tempfile::TempDir,
    dpkg: Client,
}

impl Root {
    fn new() -> Option<Root> {
        let [dpkg, ..] = packhouse_clients::find(["dpkg", "useradd", "getent", "setcap"])?;
        if fs::metadata("/proc/self").unwrap().uid() != 0 {
            // chroot(2) is root's alone.
            return None;
        }
        let root = Root { directory: tempfile::tempdir().unwrap(), dpkg };
        for name in ["info", "updates", "triggers"] {
            fs::create_dir_all(root.path("var/lib/dpkg").join(name)).unwrap();
        }
        fs::write(root.path("var/lib/dpkg/status"), "").unwrap();
        for name in ["usr/bin", "usr/sbin", "usr/lib", "usr/lib64", "etc", "dev", "tmp", "run/systemd/system"]
        {
            fs::create_dir_all(root.path(name)).unwrap();
        }
        for link in ["bin", "sbin", "lib", "lib64"] {
            fs::os::unix::fs::symlink(Path::new("usr").join(link), root.path(link)).unwrap();
        }
        for program in [
            "/bin/dash",
            "/bin/rm",
            "/bin/mkdir",
            "/bin/grep",
            "/bin/chown",
            "/bin/chmod",
            "/usr/bin/getent",
            "/usr/sbin/groupadd",
            "/usr/sbin/useradd",
            "/usr/sbin/usermod",
            "/sbin/setcap",
        ] {
            copy_with_libraries(Path::new(program), &root.path(""));
        }
        fs::os::unix::fs::symlink("dash", root.path("usr/bin/sh")).unwrap();
        fs::write(root.path("etc/passwd"), "root:x:0:0::/:/bin/sh\n").unwrap();
        fs::write(root.path("etc/group"), "root:x:0:\n").unwrap();
        for file in ["etc/shadow", "etc/gshadow", "dev/null", "active"] {
            fs::write(root.path(file), "").unwrap();
        }
        fs::write(root.path("etc/nsswitch.conf"), "passwd: files\ngroup: files\n").unwrap();
        // Answers by whether `/active` is there.
        root.program(
            "systemctl",
            "case \"$*\" in *is-active*) [ -e /active ]; exit;; esac\necho \"systemctl $*\" >>/log\n",
        );
        root.program("dpkg-statoverride", "grep -qx -- \"$2\" /overrides\n");
        fs::write(root.path("overrides"), "").unwrap();
        Some(root)
    }

    fn path(&self, path: &str) -> PathBuf {
        self.directory.path().join("root").join(path)
    }

    fn program(&self, name: &str, text: &str) {
        let path = self.path("usr/bin").join(name);
        fs::write(&path, format!("#!/bin/sh\n{text}")).unwrap();
        fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    #[track_caller]
    fn dpkg(&self, arguments: &[&str]) -> String {
        let mut command = self.dpkg.command();
        command.arg(format!("--root={}", self.path("").display()));
        command.args(["--force-bad-path", "--no-debsig", "--force-confold", "--force-depends"]);
        let output = command.args(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", packhouse_clients::text(&output));
        let log = fs::read_to_string(self.path("log")).unwrap_or_default();
        let _ = fs::remove_file(self.path("log"));
        log
    }

    #[track_caller]
    fn install(&self, package: &Package) -> String {
        self.dpkg(&["-i", write(package, self.directory.path()).to_str().unwrap()])
    }

    /// User, group and mode of a file, as numbers.
    fn owner(&self, path: &str) -> (u32, u32, u32) {
        let metadata = fs::symlink_metadata(self.path(path)).unwrap();
        (metadata.uid(), metadata.gid(), metadata.mode() & 0o7777)
    }

    fn id(&self, file: &str, name: &str) -> u32 {
        let text = fs::read_to_string(self.path(file)).unwrap();
        let line = text.lines().find(|line| line.split(':').next() == Some(name)).unwrap();
        line.split(':').nth(2).unwrap().parse().unwrap()
    }
}

fn service(version: &str) -> Package {
    let mut package = package(version, &[]);
    for unit in ["o.service", "o@.service"] {
        let at = path(&format!("lib/systemd/system/{unit}"));
        package.files.insert(at, Entry::bytes(*b"[Service]\n", 0o644)).unwrap();
    }
    package.files.complete();
    package.setup.services = Services {
        units: vec!["o.service".into(), "o@.service".into()],
        enable: true,
        start: true,
        restart_after_upgrade: true,
    };
    package
}

#[test]
fn a_service_lives_through_every_change_of_its_package() {
    let Some(root) = Root::new() else { return };
    let installed = "systemctl enable o.service\nsystemctl enable o@.service\n\
                     systemctl --system daemon-reload\nsystemctl start o.service\n";
    let upgraded =
        "systemctl --system daemon-reload\nsystemctl restart o.service\nsystemctl restart o@*.service\n";
    assert_eq!(root.install(&service("1.0-1")), installed);
    assert_eq!(root.install(&service("2.0-1")), upgraded);
    assert_eq!(root.install(&service("2.0-1")), upgraded, "the same version again");
    assert_eq!(root.install(&service("1.0-1")), upgraded, "a downgrade");
    fs::remove_file(root.path("active")).unwrap();
    assert_eq!(
        root.install(&service("2.0-1")),
        "systemctl --system daemon-reload\n",
        "stopped, and so it stays"
    );
    assert_eq!(
        root.dpkg(&["-r", "orchestrator"]),
        "systemctl stop o.service\nsystemctl stop o@*.service\nsystemctl --system daemon-reload\n"
    );
    assert_eq!(root.install(&service("2.0-1")), installed, "back after a removal");
    fs::remove_dir(root.path("run/systemd/system")).unwrap();
    assert_eq!(root.install(&service("1.0-1")), "");
    assert_eq!(root.dpkg(&["-P", "orchestrator"]), "");
}

fn owning(version: &str) -> Package {
    let mut package = package(version, &[]);
    let owner = Owner { user: "hello".into(), group: "greeters".into() };
    let mut add = |at: &str, entry: Entry| {
        package.files.insert(path(at), Entry { owner: owner.clone(), ..entry }).unwrap();
    };
    add("var/lib/hello", Entry { mode: 0o2750, ..Entry::directory() });
    add("var/lib/hello/state", Entry::bytes(*b"", 0o640));
    add("var/lib/hello/link", Entry::symlink("state"));
    add("usr/bin/hello-helper", Entry::bytes(*b"#!/bin/sh\n", 0o4750));
    package.files.complete();
    let kind =
        AccountKind::User { comment: "Says \"it's\"".into(), home: "/var/lib/hello".into(), shell: None };
    package.setup.accounts = vec![
        Account { name: "hello".into(), kind, groups: vec!["greeters".into(), "video".into()] },
        Account { name: "greeters".into(), kind: AccountKind::Group, groups: Vec::new() },
    ];
    package
}

#[test]
fn files_belong_to_accounts_that_the_package_makes() {
    let Some(root) = Root::new() else { return };
    fs::write(root.path("overrides"), "/usr/bin/hello-helper\n").unwrap();
    root.install(&owning("1.0-1"));
    let (user, group) = (root.id("etc/passwd", "hello"), root.id("etc/group", "greeters"));
    assert_eq!(root.owner("var/lib/hello"), (user, group, 0o2750));
    assert_eq!(root.owner("var/lib/hello/state"), (user, group, 0o640));
    assert_eq!(root.owner("var/lib/hello/link").0, user);
    assert_eq!(root.owner("usr/bin/hello-helper").0, 0, "dpkg-statoverride has the last word");
    let passwd = fs::read_to_string(root.path("etc/passwd")).unwrap();
    assert!(passwd.contains(":Says \"it's\":/var/lib/hello:/usr/sbin/nologin\n"), "{passwd}");
    let groups = fs::read_to_string(root.path("etc/group")).unwrap();
    assert!(groups.contains("video:") && groups.lines().filter(|line| line.ends_with(":hello")).count() == 2);
    assert!(!root.path("var/lib/misc/orchestrator.sets-owners").exists());

    // What the administrator changes afterwards stays, the account stays behind.
    std::os::unix::fs::chown(root.path("var/lib/hello"), Some(0), None).unwrap();
    root.install(&owning("2.0-1"));
    assert_eq!(root.owner("var/lib/hello").0, 0);
    root.dpkg(&["-P", "orchestrator"]);
    assert_eq!(root.id("etc/passwd", "hello"), user);
}

#[test]
fn set_user_id_survives_the_change_of_owner() {
    let Some(root) = Root::new() else { return };
    root.install(&owning("1.0-1"));
    let (user, group) = (root.id("etc/passwd", "hello"), root.id("etc/group", "greeters"));
    assert_eq!(root.owner("usr/bin/hello-helper"), (user, group, 0o4750));
}

#[test]
fn systemd_sysusers_makes_the_accounts_where_it_is() {
    let Some(root) = Root::new() else { return };
    let Some([_]) = packhouse_clients::find(["systemd-sysusers"]) else { return };
    copy_with_libraries(Path::new("/usr/bin/systemd-sysusers"), &root.path(""));
    for tool in ["groupadd", "useradd", "usermod"] {
        fs::remove_file(root.path("usr/sbin").join(tool)).unwrap();
    }
    root.install(&owning("1.0-1"));
    let user = root.id("etc/passwd", "hello");
    assert_eq!(root.owner("var/lib/hello/state").0, user);
    let passwd = fs::read_to_string(root.path("etc/passwd")).unwrap();
    assert!(passwd.contains(":Says \"it's\":/var/lib/hello:/usr/sbin/nologin\n"), "{passwd}");
}

#[test]
fn a_ghost_is_not_unpacked_and_goes_with_the_purge() {
    let Some(root) = Root::new() else { return };
    let mut package = package("1.0-1", &[]);
    let ghost = Entry { kind: Kind::Ghost, ..Entry::directory() };
    package.files.insert(path("var/lib/it's here/cache"), ghost).unwrap();
    package.files.complete();
    root.install(&package);
    let cache = root.path("var/lib/it's here/cache");
    assert!(!cache.exists());
    fs::write(&cache, "made\n").unwrap();
    root.dpkg(&["-r", "orchestrator"]);
    assert!(cache.exists());
    root.dpkg(&["-P", "orchestrator"]);
    assert!(!cache.exists() && !cache.parent().unwrap().exists());
}

#[test]
fn capabilities_are_set_after_each_unpacking_and_refusing_them_fails_nothing() {
    let Some(root) = Root::new() else { return };
    let Some([getcap]) = packhouse_clients::find(["getcap"]) else { return };
    let capable = |version| {
        let mut package = package(version, &[]);
        let capabilities = Capabilities::parse("cap_net_bind_service=ep");
        let program = Entry { capabilities, ..Entry::bytes(*b"#!/bin/sh\n", 0o755) };
        package.files.insert(path("usr/bin/hello"), program).unwrap();
        package.files.complete();
        package
    };
    for version in ["1.0-1", "2.0-1"] {
        root.install(&capable(version));
        let set = getcap.run([root.path("usr/bin/hello").as_os_str()]);
        assert!(set.contains("cap_net_bind_service=ep"), "{version}: {set}");
    }
    root.program("setcap", "exit 1\n");
    fs::remove_file(root.path("usr/sbin/setcap")).unwrap();
    root.install(&capable("3.0-1"));
    assert_eq!(getcap.run([root.path("usr/bin/hello").as_os_str()]), "");
}

#[test]
fn a_changelog_is_dpkgs_with_the_packages_version_on_top() {
    let Some([parse]) = packhouse_clients::find(["dpkg-parsechangelog"]) else { return };
    let entry = |version: &str, changes: &[&str]| ChangelogEntry {
        version: version.into(),
        time: Timestamp::from_unix(1_684_497_600).unwrap(),
        author: "A B <a@example.com>".into(),
        changes: changes.iter().map(|change| (*change).into()).collect(),
    };
    for (newest, on_top) in [("2.0-1", "Greets\n     more people."), ("1.9", "Release 2.0-1.")] {
        let mut package = package("2.0-1", &[]);
        package.metadata.changelog =
            vec![entry(newest, &["[ Ann ]", "Greets\nmore people."]), entry("1.0", &["First."])];
        let directory = tempfile::tempdir().unwrap();
        let file = write(&package, directory.path());
        let [dpkg_deb] = packhouse_clients::find(["dpkg-deb"]).unwrap();
        dpkg_deb.run(["-x".as_ref(), file.as_os_str(), directory.path().as_os_str()]);
        let changelog = directory.path().join("usr/share/doc/orchestrator/changelog.Debian.gz");
        let text = parse.run(["-l", changelog.to_str().unwrap()]);
        assert!(text.contains("Version: 2.0-1\n") && text.contains(on_top), "{text}");
        let all = parse.run(["--all", "--format", "rfc822", "-l", changelog.to_str().unwrap()]);
        assert!(!all.contains("warning") && all.contains("First."), "{all}");
    }
}

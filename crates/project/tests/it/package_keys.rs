//! What `packhouse.toml` says reaches the packages, as dpkg and rpm show them; and what is wrong with it is shown
//! with its line and its fix.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use packhouse_clients::Client;
use packhouse_package::assemble::Payload;
use packhouse_package::{Arch, Package, Resources, Timestamp};
use packhouse_project::{Facts, Plan, Problems, Project, Selection};

const SETTINGS: &str = r#"name = "hello"
summary = "Says hello"
maintainer = "Ann Example <ann@example.com>"

[version]
literal = "1.2.0"
format = "{version}-{target}"
"#;

/// A project with a target for each format, and what its build would leave in `build/`.
struct Tree(tempfile::TempDir);

impl Tree {
    fn new(settings: &str) -> Tree {
        let tree = Tree(tempfile::tempdir().unwrap());
        tree.write("dist/packhouse.toml", &format!("{SETTINGS}{settings}"));
        for (target, format) in [("debian/12", "deb"), ("fedora/43", "rpm")] {
            tree.write(&format!("dist/{target}/Dockerfile"), "FROM x\n");
            tree.write(&format!("dist/{target}/fpm.cmd"), &format!("-t {format}\n"));
            tree.write(&format!("dist/{target}/inc/.gitkeep"), "");
        }
        tree.write("build/hello", "#!/bin/sh\necho hello\n");
        tree.write("build/hello.service", "[Service]\nExecStart=/usr/bin/hello\n");
        tree
    }

    fn write(&self, path: &str, text: &str) -> &Tree {
        let path = self.0.path().join(path);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, text).unwrap();
        self
    }

    fn plan(&self) -> Result<Plan, Problems> {
        let facts = Facts {
            revision: None,
            reference: None,
            channel: None,
            time: Timestamp::from_unix(1_714_564_800).unwrap(),
            arch: Arch::X86_64,
            engine: None,
            publish_to: None,
        };
        Project::read(self.0.path()).plan(&Selection::All, &facts)
    }

    /// The deb and the rpm.
    fn packages(&self) -> (PathBuf, PathBuf) {
        let plan = self.plan().unwrap_or_else(|problems| panic!("{problems:#?}"));
        let files = plan.targets.iter().map(|target| {
            let payload = Payload::Build(self.0.path().join("build"));
            let package = Package::assemble(&target.spec, &payload).unwrap();
            let path = self.0.path().join(&target.file_name);
            let mut options = fs_err::File::options();
            let mut file = options.read(true).write(true).create_new(true).open(&path).unwrap();
            let resources = Resources { threads: NonZeroUsize::MIN };
            target.format.get().write(&package, resources, &mut file).unwrap();
            path
        });
        let files: Vec<PathBuf> = files.collect();
        (files[0].clone(), files[1].clone())
    }

    /// Every problem as `line: message (fix)`; a file other than the settings is named.
    fn problems(&self) -> Vec<String> {
        let problems = self.plan().expect_err("the tree has a problem");
        let mut shown: Vec<String> = problems
            .iter()
            .map(|problem| {
                let file = match problem.path().to_str().unwrap() {
                    "dist/packhouse.toml" => String::new(),
                    other => format!("{other}:"),
                };
                let line = problem.line().unwrap_or(0);
                format!("{file}{line}: {problem} ({})", problem.fix().unwrap_or("-"))
            })
            .collect();
        // Both targets have the same.
        shown.dedup();
        shown.sort();
        shown.dedup();
        shown
    }
}

fn query(rpm: &Client, file: &Path, format: &str) -> String {
    rpm.run(["-qp", "--nosignature", "--qf", format, file.to_str().unwrap()])
}

fn control(dpkg_deb: &Client, file: &Path, member: &str) -> String {
    let directory = tempfile::tempdir().unwrap();
    dpkg_deb.run(["-e".as_ref(), file.as_os_str(), directory.path().as_os_str()]);
    fs_err::read_to_string(directory.path().join(member)).unwrap_or_default()
}

const EVERYTHING: &str = r#"epoch = 3

[package]
compression = "xz"
compression-level = 1
changelog = "CHANGELOG.md"

[services]
units = ["hello.service"]
start = false

[[accounts]]
name = "hello"
comment = "Says hello"
home = "/var/lib/hello"
groups = ["greeters"]

[[accounts]]
name = "greeters"
kind = "group"

[[files]]
source = "hello"
destination = "/usr/bin/hello"
mode = "0755"
capabilities = "cap_net_bind_service=ep"

[[files]]
source = "hello.service"
destination = "/usr/lib/systemd/system/hello.service"

[[files]]
type = "directory"
destination = "/var/lib/hello"
mode = "2770"
owner = "hello"
group = "greeters"

[[files]]
type = "ghost"
destination = "/var/lib/hello/cache"
mode = "0600"
owner = "hello"

[[files]]
type = "symlink"
source = "hello"
destination = "/usr/bin/hi"

[[files]]
type = "doc"
source = "hello"
destination = "/usr/share/doc/hello/example"

[deb]
triggers = ["interest-noawait /usr/lib/hello/plugins", "activate other"]

[rpm]

[[rpm.triggers]]
when = "after-install"
package = "nginx >= 1.20"
script = "trigger.sh"

[[rpm.triggers]]
when = "after-remove"
paths = ["/usr/lib/hello/plugins"]
script = "trigger.sh"
priority = 5000
once = true
"#;

fn everything() -> Tree {
    let tree = Tree::new(EVERYTHING);
    tree.write("trigger.sh", "#!/bin/sh\n: triggered\n");
    tree.write(
        "CHANGELOG.md",
        "# Changelog\n\n## [1.2.0] - 2024-05-01\n### Added\n- Politeness.\n\n## [1.1.0] - 2024-01-01\n- First.\n",
    );
    tree
}

#[test]
fn every_key_reaches_the_deb() {
    let Some([dpkg_deb]) = packhouse_clients::find(["dpkg-deb"]) else { return };
    let tree = everything();
    let (deb, _) = tree.packages();
    let listing = dpkg_deb.run(["-c".as_ref(), deb.as_os_str()]);
    for line in [
        "drwxrws--- hello/greeters    0 2024-05-01 12:00 ./var/lib/hello/",
        "-rwxr-xr-x root/root        21 2024-05-01 12:00 ./usr/bin/hello",
        "lrwxrwxrwx root/root         0 2024-05-01 12:00 ./usr/bin/hi -> hello",
        "./usr/lib/sysusers.d/hello.conf",
        "./usr/share/doc/hello/example",
    ] {
        assert!(listing.contains(line), "{line}: {listing}");
    }
    assert!(!listing.contains("cache"), "{listing}");
    let postinst = control(&dpkg_deb, &deb, "postinst");
    for line in [
        "systemd-sysusers ${DPKG_ROOT:+--root=\"$DPKG_ROOT\"} hello.conf",
        "own hello greeters 2770 /var/lib/hello",
        "setcap cap_net_bind_service=ep \"$DPKG_ROOT\"/usr/bin/hello",
        "deb-systemd-helper enable hello.service",
    ] {
        assert!(postinst.contains(line), "{line}: {postinst}");
    }
    assert!(!postinst.contains("invoke start"), "{postinst}");
    assert!(control(&dpkg_deb, &deb, "postrm").contains("rm -f -- \"$DPKG_ROOT\"/var/lib/hello/cache"));
    let fields = control(&dpkg_deb, &deb, "control");
    assert!(fields.contains("Version: 3:1.2.0-debian-12\n"), "{fields}");
    assert!(fields.contains("Depends: passwd, libcap2-bin\n"), "{fields}");
    assert_eq!(
        control(&dpkg_deb, &deb, "triggers"),
        "interest-noawait /usr/lib/hello/plugins\nactivate other\n"
    );
    let extract = tempfile::tempdir().unwrap();
    dpkg_deb.run(["-x".as_ref(), deb.as_os_str(), extract.path().as_os_str()]);
    let changelog = extract.path().join("usr/share/doc/hello/changelog.Debian.gz");
    if let Some([parse]) = packhouse_clients::find(["dpkg-parsechangelog"]) {
        let text = parse.run(["--all", "-l", changelog.to_str().unwrap()]);
        for line in ["Version: 3:1.2.0-debian-12\n", "* Added: Politeness.", "hello (1.1.0)", "* First."] {
            assert!(text.contains(line), "{line}: {text}");
        }
    }
}

#[test]
fn every_key_reaches_the_rpm() {
    let Some([rpm]) = packhouse_clients::find(["rpm"]) else { return };
    let tree = everything();
    let own = "depends = [\"(nginx or httpd >= 2.4)\", \"openssl ~> 3.0.1\"]\nrecommends = [\"(logrotate if cronie)\"]\n[rpm]\nformat = 6\n";
    tree.write("dist/fedora/43/target.toml", own);
    let (_, file) = tree.packages();
    let requires = rpm.run(["-qp", "--nosignature", "--requires", "--recommends", file.to_str().unwrap()]);
    for line in ["(nginx or httpd >= 2.4)", "openssl >= 3.0.1", "openssl < 3.1", "(logrotate if cronie)"] {
        assert!(requires.lines().any(|found| found == line), "{line}: {requires}");
    }
    let listing = query(
        &rpm,
        &file,
        "[%{FILENAMES} %{FILEMODES:perms} %{FILEUSERNAME}:%{FILEGROUPNAME} %{FILEFLAGS:fflags} %{FILECAPS} %{FILELINKTOS}\n]",
    );
    for line in [
        "/usr/bin/hello -rwxr-xr-x root:root  cap_net_bind_service=ep \n",
        "/usr/bin/hi lrwxrwxrwx root:root   hello\n",
        "/var/lib/hello drwxrws--- hello:greeters   \n",
        "/var/lib/hello/cache -rw------- hello:root g  \n",
        "/usr/share/doc/hello/example -rw-r--r-- root:root d  \n",
        "/usr/lib/systemd/system-preset/50-hello.preset ",
        "/usr/lib/sysusers.d/hello.conf ",
    ] {
        assert!(listing.contains(line), "{line}: {listing}");
    }
    assert_eq!(query(&rpm, &file, "%{EPOCH} %{PAYLOADCOMPRESSOR} %{PAYLOADFLAGS}"), "3 xz 1");
    let changelog = query(&rpm, &file, "[%{CHANGELOGTIME:day} %{CHANGELOGNAME}: %{CHANGELOGTEXT}\n]");
    assert_eq!(
        changelog,
        "Wed May 01 2024 Ann Example <ann@example.com> - 3:1.2.0_fedora_43-1: - Added: Politeness.\n\
         Mon Jan 01 2024 Ann Example <ann@example.com> - 1.1.0: - First.\n"
    );
    let lead = fs_err::read(&file).unwrap()[4];
    assert_eq!(lead, 4, "format 6");
    let triggers = rpm.run(["-qp", "--nosignature", "--triggers", file.to_str().unwrap()]);
    assert!(
        triggers.contains("triggerin scriptlet (using /bin/sh) -- nginx >= 1.20\n: triggered"),
        "{triggers}"
    );
    let triggers = query(&rpm, &file, "[%{TRANSFILETRIGGERNAME} %{TRANSFILETRIGGERPRIORITIES}]");
    assert_eq!(triggers, "/usr/lib/hello/plugins 5000");
    let posttrans = query(&rpm, &file, "%{POSTTRANS}");
    assert!(posttrans.contains("try-restart") && !posttrans.contains("systemctl start"), "{posttrans}");
}

#[test]
fn a_target_has_services_accounts_and_triggers_of_its_own() {
    let tree = everything();
    tree.write(
        "dist/debian/12/target.toml",
        "[services]\nenable = false\n[[accounts]]\nname = \"other\"\n[deb]\ntriggers = []\n",
    );
    let plan = tree.plan().unwrap();
    let (deb, rpm) = (&plan.targets[0].spec, &plan.targets[1].spec);
    assert_eq!(deb.setup.services.units, ["hello.service"]);
    assert!(!deb.setup.services.enable && rpm.setup.services.enable);
    assert!(!deb.setup.services.start && deb.setup.services.restart_after_upgrade);
    assert_eq!(deb.setup.accounts.len(), 1);
    assert_eq!(deb.setup.accounts[0].name, "other");
    assert_eq!(rpm.setup.accounts.len(), 2);
    assert!(deb.options.deb.triggers.is_empty());
}

#[test]
fn fpms_flags_add_units_and_decide_for_debs() {
    let tree = everything();
    tree.write("dist/debian/12/more.service", "[Service]\n");
    tree.write(
        "dist/debian/12/fpm.cmd",
        "-t deb --deb-systemd more.service --no-deb-systemd-enable --deb-systemd-auto-start\n",
    );
    let plan = tree.plan().unwrap();
    let services = &plan.targets[0].spec.setup.services;
    assert_eq!(services.units, ["hello.service", "more.service"]);
    assert!(!services.enable && services.start && services.restart_after_upgrade);
}

#[test]
fn a_unit_that_the_package_lacks_is_an_error() {
    let tree = Tree::new("[services]\nunits = [\"hello.service\"]\n");
    let plan = tree.plan().unwrap();
    let payload = Payload::Build(tree.0.path().join("build"));
    let error = Package::assemble(&plan.targets[0].spec, &payload).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`/usr/lib/systemd/system/hello.service` is not in the package, but [services] names it"
    );
    tree.write("dist/debian/12/inc/etc/systemd/system/hello.service", "[Service]\n");
    Package::assemble(&plan.targets[0].spec, &payload).unwrap();
}

/// The line behind [`SETTINGS`].
const FIRST: usize = 8;

#[test]
fn every_wrong_value_has_its_line_and_its_fix() {
    let rows: &[(&str, &[&str])] = &[
        (
            "[services]\nunits = [\"hello\", \"a.service\", \"a.service\"]\n",
            &[
                "9: `a.service` is named twice (-)",
                "9: `hello` cannot be the name of a unit (a unit is called as in `hello.service`: its name, and its type behind the last full stop)",
            ],
        ),
        (
            "[services]\nenable = \"yes\"\nstart = true\n",
            &[
                "10: [services] names no unit (units = [\"hello.service\"], as it is called in the package)",
                "9: `services.enable` must be `true` or `false` (-)",
            ],
        ),
        ("[services]\nunit = []\n", &["9: unknown key `services.unit` (did you mean `units`?)"]),
        (
            "[[accounts]]\nkind = \"user\"\n",
            &["8: one of `[[accounts]]` has no `name` (say how it is called: name = \"hello\")"],
        ),
        (
            "[[accounts]]\nname = \"Hello\"\n[[accounts]]\nname = \"a\"\nkind = \"robot\"\n",
            &[
                "12: there is no kind `robot` of account (user, which comes with a group of the same name, or group)",
                "9: the account `Hello` cannot be made: its name is wrong: it has 1 to 31 lower-case letters, digits, `-` and `_`, the first a letter or `_` (-)",
            ],
        ),
        (
            "[[accounts]]\nname = \"a\"\nhome = \"var\"\n[[accounts]]\nname = \"b\"\nkind = \"group\"\nshell = \"/bin/sh\"\n[[accounts]]\nname = \"b\"\n",
            &[
                "10: the account `a` cannot be made: its home is wrong: it is an absolute path of letters, digits and `._-+@` (-)",
                "14: a group has no `shell` (leave it out, or make it a user: kind = \"user\")",
                "15: there are two accounts `b` (a user has a group of the same name; leave the group out)",
            ],
        ),
        (
            "[[files]]\ndestination = \"/usr/bin/hello\"\ncapabilities = \"cap_fly\"\n[[files]]\ntype = \"ghost\"\nsource = \"x\"\ndestination = \"/x\"\n[[files]]\ntype = \"symlink\"\nsource = \"x\"\ndestination = \"/y\"\ncapabilities = \"cap_net_raw=ep\"\n",
            &[
                "10: `cap_fly` are no capabilities (as setcap(8) has them: \"cap_net_bind_service=ep\")",
                "13: a ghost has no `source` (the program makes it on the customer's machine; leave `source` out)",
                "19: a symlink has no capabilities (name the program that has them)",
            ],
        ),
        (
            "[package]\nchangelog = \"missing.md\"\n",
            &[
                "9: there is no file `missing.md`, neither in dist/debian/12 nor in the project's directory (a path is relative to the target's directory or to the project)",
                "9: there is no file `missing.md`, neither in dist/fedora/43 nor in the project's directory (a path is relative to the target's directory or to the project)",
            ],
        ),
        (
            "[deb]\ntriggers = [\"interests /x\", \"interest\"]\n",
            &[
                "9: `interest` is no trigger (one of interest, activate, interest-noawait, activate-noawait, then a path or a name)",
                "9: `interests /x` is no trigger (one of interest, activate, interest-noawait, activate-noawait, then a path or a name)",
            ],
        ),
        (
            "[rpm]\nformat = 5\n",
            &["9: there is no rpm format 5 (4, which every rpm reads, or 6, which rpm reads from 4.18 on)"],
        ),
        (
            "[[rpm.triggers]]\nwhen = \"later\"\n[[rpm.triggers]]\nwhen = \"before-install\"\npaths = [\"/x\"]\nscript = \"trigger.sh\"\n[[rpm.triggers]]\nwhen = \"after-install\"\nscript = \"trigger.sh\"\n[[rpm.triggers]]\nwhen = \"after-install\"\npaths = [\"x\"]\npriority = -1\nscript = \"trigger.sh\"\n[[rpm.triggers]]\nwhen = \"after-install\"\npackage = \"x\"\nonce = true\nscript = \"trigger.sh\"\n",
            &[
                "11: files set nothing off before they are installed (after-install, before-remove or after-remove)",
                "14: a trigger waits for a package or for files (either package = \"nginx >= 1.20\" or paths = [\"/usr/lib/hello\"])",
                "19: `x` is no absolute path (as in \"/usr/lib/hello/plugins\", without blanks)",
                "20: a priority is a whole number from 0 (rpm's own is 1000000; higher ones run first)",
                "25: only a trigger with `paths` has `priority` and `once` (leave it out)",
                "8: one of `[[rpm.triggers]]` has no `script` (the file that runs: script = \"dist/scripts/refresh.sh\")",
                "9: there is no moment `later` (when = \"before-install\", \"after-install\", \"before-remove\" or \"after-remove\")",
            ],
        ),
    ];
    assert_eq!(SETTINGS.lines().count() + 1, FIRST);
    let mut wrong = Vec::new();
    for (settings, expected) in rows {
        let tree = Tree::new(settings);
        tree.write("trigger.sh", "true\n");
        let found = tree.problems();
        let mut expected: Vec<&str> = expected.to_vec();
        expected.sort_unstable();
        if found != expected {
            wrong.push(format!("{settings}\n{found:#?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_is_wrong_with_a_changelog_is_shown_in_it() {
    let tree = Tree::new("[package]\nchangelog = \"CHANGELOG.md\"\n");
    tree.write("CHANGELOG.md", "# Changelog\n\n## 1.2\n");
    assert_eq!(
        tree.problems(),
        [
            "CHANGELOG.md:3: a version's heading is written as `## [1.2.0] - 2024-05-01` (Debian's form and that of keepachangelog.com are read)"
        ]
    );
}

//! A real apk installs, upgrades, downgrades, verifies and removes packages of ours.
//!
//! apk-tools is in no package registry that our tests can use, so these tests are extra: they run with each program
//! that `PACKHOUSE_TEST_APK` names (separated by colons), else with `apk` on `PATH`, and are passed over without
//! either, even where `cargo xtask test` forbids skipping. They need root (they change roots) and a static busybox.
//! What judges everywhere is our strict reader, GNU tar, gzip and openssl (`apk_format.rs`, `apk_signature.rs`).
#![expect(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use packhouse_package::{Entry, Mark, Moment, Package, Script};

use crate::apk_fixture::{everything, package, tagged, write};
use crate::deb_fixture::relations;

fn apks() -> Vec<PathBuf> {
    let path =
        |name: &str| std::env::var_os(name).map(|value| std::env::split_paths(&value).collect::<Vec<_>>());
    if let Some(named) = path("PACKHOUSE_TEST_APK") {
        return named;
    }
    let on_path = path("PATH").into_iter().flatten().map(|directory| directory.join("apk"));
    on_path.filter(|program| program.is_file()).take(1).collect()
}

/// A root with apk's database and a busybox, in which scripts run.
struct Root {
    directory: tempfile::TempDir,
    apk: PathBuf,
}

impl Root {
    fn new(apk: &Path) -> Option<Root> {
        let busybox = Path::new("/bin/busybox");
        let is_root = Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout == b"0\n");
        if !is_root || !busybox.exists() {
            return None;
        }
        let root = Root { directory: tempfile::tempdir().unwrap(), apk: apk.into() };
        fs_err::create_dir(root.path().join("packages")).unwrap();
        let program = fs_err::read(busybox).unwrap();
        let mut shell = package(
            "1.0",
            &[
                ("bin/busybox", Entry::bytes(program, 0o755)),
                ("bin/sh", Entry::symlink("busybox")),
                ("bin/grep", Entry::symlink("busybox")),
                ("bin/rm", Entry::symlink("busybox")),
                // Debian's busybox has neither.
                (
                    "bin/addgroup",
                    Entry::bytes(*b"#!/bin/sh\n[ \"$1\" != -S ] || echo \"$2:x:77:\" >>/etc/group\n", 0o755),
                ),
                ("bin/adduser", Entry::bytes(*b"#!/bin/sh\necho orc:x:77:77::/: >>/etc/passwd\n", 0o755)),
                ("etc/passwd", Entry::bytes(*b"root:x:0:0::/:/bin/sh\n", 0o644)),
                ("etc/group", Entry::bytes(*b"root:x:0:\n", 0o644)),
            ],
        );
        shell.metadata.name = packhouse_package::PackageName::new("busybox").unwrap();
        shell.metadata.relations.provides = relations(&["/bin/sh", "openssl=3.0-r0", "so:libz.so.1=1.2"]);
        root.must(&["--initdb", "add"], Some(&shell));
        Some(root)
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn run(&self, arguments: &[&str], package: Option<&Package>) -> Output {
        let mut command = Command::new(&self.apk);
        command.arg("--root").arg(self.path());
        command.args([
            "--arch",
            "x86_64",
            "--allow-untrusted",
            "--no-network",
            "--repositories-file",
            "/dev/null",
        ]);
        command.args(arguments);
        if let Some(package) = package {
            command.arg(write(package, &self.path().join("packages")));
        }
        command.output().unwrap()
    }

    #[track_caller]
    fn must(&self, arguments: &[&str], package: Option<&Package>) -> String {
        let output = self.run(arguments, package);
        let text = packhouse_clients::text(&output);
        assert!(output.status.success(), "{:?} {arguments:?}: {text}", self.apk);
        assert!(!text.contains("ERROR") && !text.contains("WARNING"), "{text}");
        text
    }

    fn log(&self) -> String {
        let log = fs_err::read_to_string(self.path().join("log")).unwrap_or_default();
        let _ = fs_err::remove_file(self.path().join("log"));
        log
    }
}

fn each_root(test: impl Fn(&Root)) {
    for apk in apks() {
        if let Some(root) = Root::new(&apk) {
            test(&root);
        }
    }
}

fn built(time: &str) -> Package {
    let mut package = everything();
    package.metadata.version = tagged("1.0.0~rc.1", "alpine-3.20", time, "01fd6b4");
    package
}

#[test]
fn install_upgrade_downgrade_and_removal_run_the_scripts_that_they_should() {
    each_root(|root| {
        let versions = ["1.0.0_rc1_p2305191200_p320-r0", "1.0.0_rc1_p2305191300_p320-r0"];
        let [old, new] = versions;
        root.must(&["add"], Some(&built("2305191200")));
        assert_eq!(root.log(), format!("before-install {old}\nafter-install {old}\n"));
        root.must(&["audit", "--full"], None);
        let state = std::os::unix::fs::MetadataExt::uid(
            &fs_err::metadata(root.path().join("var/lib/orchestrator")).unwrap(),
        );
        assert_eq!(state, 77, "the account was there before the files");
        root.must(&["add"], Some(&built("2305191300")));
        assert_eq!(root.log(), format!("before-upgrade {new} {old}\nafter-upgrade {new} {old}\n"));
        root.must(&["add"], Some(&built("2305191200")));
        assert_eq!(root.log(), format!("before-upgrade {old} {new}\nafter-upgrade {old} {new}\n"));
        fs_err::write(root.path().join("var/lib/orchestrator/state.db"), "x").unwrap();
        root.must(&["del", "orchestrator"], None);
        assert_eq!(root.log(), format!("before-remove {old}\nafter-remove {old}\n"));
        for gone in ["usr/bin/orchestrator", "usr/bin/orc", "opt/orchestrator", "var/lib/orchestrator"] {
            assert!(!root.path().join(gone).exists(), "{gone}");
        }
    });
}

#[test]
fn what_is_installed_is_what_was_packaged() {
    use std::os::unix::fs::MetadataExt as _;
    each_root(|root| {
        root.must(&["add"], Some(&everything()));
        let at = |path: &str| root.path().join(path);
        let inode = |path: &str| fs_err::metadata(at(path)).unwrap().ino();
        assert_eq!(inode("usr/bin/orchestrator"), inode("usr/bin/orchestratord"));
        assert_eq!(fs_err::metadata(at("usr/bin/set-id")).unwrap().mode(), 0o104_755);
        assert_eq!(fs_err::metadata(at("etc/orchestrator.conf")).unwrap().mode(), 0o100_640);
        assert_eq!(fs_err::metadata(at("var/lib/orchestrator")).unwrap().mode(), 0o040_750);
        let long = format!("usr/share/orchestrator/{}/{}", "d".repeat(60), "e".repeat(60));
        assert_eq!(fs_err::read(at(&long)).unwrap(), b"long\n");
        assert_eq!(fs_err::read_link(at(&format!("{long}-link"))).unwrap().as_os_str().len(), 300);
        let changed = root.must(&["audit", "--full", "--check-permissions"], None);
        let ours = changed
            .lines()
            .filter(|line| ["usr/", "opt/", "var/lib/orc"].iter().any(|part| line.contains(part)));
        assert_eq!(ours.collect::<Vec<_>>(), Vec::<&str>::new(), "{changed}");
    });
}

#[test]
fn an_upgrade_keeps_the_customers_edits_below_etc_and_outside() {
    each_root(|root| {
        let with = |version: &str, text: &str| {
            let mut settings = Entry::bytes(text.as_bytes().to_vec(), 0o644);
            settings.mark = Mark::Config;
            let etc = Entry::bytes(text.as_bytes().to_vec(), 0o644);
            let program = Entry::bytes(text.as_bytes().to_vec(), 0o755);
            let files =
                [("opt/orc/conf/s.toml", settings), ("etc/orc.conf", etc), ("opt/orc/conf/bin/p", program)];
            package(version, &files)
        };
        let read = |path: &str| fs_err::read_to_string(root.path().join(path)).unwrap();
        root.must(&["add"], Some(&with("1.0", "first")));
        for path in ["opt/orc/conf/s.toml", "etc/orc.conf", "opt/orc/conf/bin/p"] {
            fs_err::write(root.path().join(path), "edited").unwrap();
        }
        root.must(&["add"], Some(&with("2.0", "second")));
        for path in ["opt/orc/conf/s.toml", "etc/orc.conf"] {
            assert_eq!(read(path), "edited", "{path}");
            assert_eq!(read(&format!("{path}.apk-new")), "second", "{path}");
        }
        assert_eq!(read("opt/orc/conf/bin/p"), "second", "a program is no configuration");
        root.must(&["del", "orchestrator"], None);
        assert_eq!(read("etc/orc.conf"), "edited");
        assert_eq!(read("opt/orc/conf/s.toml"), "edited");
    });
}

#[test]
fn a_signed_package_verifies_with_its_key_and_only_with_it() {
    let Some([openssl]) = packhouse_clients::find(["openssl"]) else { return };
    for apk in apks() {
        let directory = tempfile::tempdir().unwrap();
        crate::apk_signature::make_key(&openssl, directory.path());
        let keys = directory.path().join("keys");
        fs_err::create_dir(&keys).unwrap();
        let unsigned = crate::apk_fixture::bytes(&everything(), 1).unwrap();
        let signed = crate::apk_signature::sign(&openssl, directory.path(), &unsigned);
        let file = directory.path().join("signed.apk");
        let verify = |bytes: &[u8]| {
            fs_err::write(&file, bytes).unwrap();
            Command::new(&apk)
                .arg("--keys-dir")
                .arg(&keys)
                .arg("verify")
                .arg(&file)
                .output()
                .unwrap()
                .status
                .success()
        };
        assert!(!verify(&signed), "without the key");
        fs_err::copy(directory.path().join("key.rsa.pub"), keys.join("key.rsa.pub")).unwrap();
        assert!(verify(&signed));
        assert!(!verify(&unsigned));
        // A byte of what is signed, and of what its sum covers.
        for at in [signed.len() - unsigned.len() + 600, signed.len() - 20] {
            let mut tampered = signed.clone();
            tampered[at] ^= 1;
            assert!(!verify(&tampered), "{at}");
        }
    }
}

#[test]
fn apk_takes_a_later_build_for_newer_and_knows_every_version() {
    let in_order = [
        ("0.9.9", "2305191200"),
        ("0.10.0", "2305191200"),
        ("1.0.0~alpha", "2305191200"),
        ("1.0.0~alpha.1", "2305191200"),
        ("1.0.0~beta", "2305191200"),
        ("1.0.0~pre1", "2305191200"),
        ("1.0.0~rc.1", "2305191200"),
        ("1.0.0~rc.1", "2305191201"),
        ("1.0.0~rc.2", "2305191200"),
        ("1.0.0~rc.10", "2305191200"),
        ("1.0.0", "2305191200"),
        ("1.0.0", "2305191201"),
        ("1.0.0", "2312312359"),
        ("1.0.0", "2401010000"),
        ("1.0.0a", "2305191200"),
        ("1.0.1", "2305191200"),
        ("1.10.0", "2305191200"),
    ];
    for apk in apks() {
        let spelled = in_order.map(|(version, built)| {
            let mut package = package("1", &[]);
            package.metadata.version = tagged(version, "alpine-3.20", built, "01fd6b4");
            let name =
                packhouse_package::Format::Apk.get().file_name(&package.metadata, &package.options).unwrap();
            name.strip_prefix("orchestrator-").unwrap().strip_suffix(".apk").unwrap().to_owned()
        });
        for (index, old) in spelled.iter().enumerate() {
            let check = Command::new(&apk).args(["version", "--check", old]).output().unwrap();
            assert!(check.status.success() && check.stdout.is_empty(), "{old}");
            for new in &spelled[index + 1..] {
                let output = Command::new(&apk).args(["version", "--test", old, new]).output().unwrap();
                assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "<", "{apk:?} {old} {new}");
            }
        }
    }
}

#[test]
fn apk_understands_relations_as_they_were_meant() {
    each_root(|root| {
        let mut library = package("1.2", &[("usr/lib/library", Entry::bytes(*b"x", 0o644))]);
        library.metadata.name = packhouse_package::PackageName::new("library").unwrap();
        library.metadata.version.release = Some("7".into());
        root.must(&["add"], Some(&library));
        for (relation, is_met) in [
            ("library", true),
            ("library = 1.2", true),
            ("library = 1.2-r7", true),
            ("library = 1.2-r6", false),
            ("library = 1.1", false),
            ("library <= 1.2", true),
            ("library < 1.2", false),
            ("library > 1.2", false),
            ("library > 1.1", true),
            ("library >= 1.2", true),
            ("library >= 1.3", false),
            ("library ~> 1.1", true),
            ("library ~> 1.3", false),
            ("library ~> 1.2.0", false),
            ("library != 1.2-r7", false),
            ("library != 1.2-r6", true),
            ("library~1.2", true),
            ("!library", false),
            ("nowhere", false),
        ] {
            let mut package = package("1.0", &[("opt/f", Entry::bytes(*b"x", 0o644))]);
            package.metadata.relations.depends = relations(&[relation]);
            let output = root.run(&["add", "--simulate"], Some(&package));
            let text = packhouse_clients::text(&output);
            assert_eq!(output.status.success(), is_met, "{:?} {relation}: {text}", root.apk);
        }
    });
}

#[test]
fn a_failing_script_is_reported() {
    each_root(|root| {
        let mut package = package("1.0", &[("opt/f", Entry::bytes(*b"x", 0o644))]);
        package.scripts.insert(Moment::AfterInstall, Script::shell("exit 1\n"));
        assert!(!root.run(&["add"], Some(&package)).status.success());
    });
}

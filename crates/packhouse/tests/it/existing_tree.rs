//! A tree as Metrist's, seen for the first time: only `dist/packhouse.toml` is new.
//!
//! In the tree that this replaces every upgrade by rpm stopped and disabled the customer's service, since
//! `after-remove.sh` ran on upgrades too, and erased the settings in `/etc/default`, which were no `%config`
//! (`reference/peers.md` §0.2, M1 and M2). Here dpkg and rpm install, upgrade and remove what comes of it.

use std::path::{Path, PathBuf};
use std::process::Output;

use packhouse_clients::Client;

use crate::project::Project;

/// It asks nobody which moment it is: it stops, disables and erases.
const AFTER_REMOVE: &str = "#!/bin/bash
systemctl is-enabled --quiet metrist-orchestrator.service && systemctl stop metrist-orchestrator.service
systemctl disable metrist-orchestrator.service
systemctl reset-failed
rm -f /etc/default/metrist-orchestrator.bak
";

const TARGETS: [(&str, &str); 6] = [
    ("ubuntu/20.04", "-t deb -d openssl -d libtinfo5\n"),
    ("ubuntu/22.04", "-t deb -d openssl -d libtinfo6\n"),
    ("amazon-linux/2", "-t rpm -d openssl-libs -d ncurses-libs\n"),
    ("centos/7", "-t rpm -d openssl11-libs -d ncurses-libs\n"),
    ("rhel/7", "-t rpm -d openssl11-libs -d ncurses-libs\n"),
    ("rocky/8", "-t rpm -d openssl-libs -d ncurses-libs\n"),
];

fn tree() -> Project {
    let project = Project::empty();
    for (target, arguments) in TARGETS {
        project.write(&format!("dist/{target}/Dockerfile"), "FROM example\n");
        project.write(&format!("dist/{target}/fpm.cmd"), arguments);
        project.write(&format!("dist/{target}/after-remove.sh"), AFTER_REMOVE);
        let inc = format!("dist/{target}/inc/etc");
        project.write(&format!("{inc}/default/metrist-orchestrator"), "METRIST_LOGGING_LEVEL=info\n");
        project.write(
            &format!("{inc}/systemd/system/metrist-orchestrator.service"),
            "[Service]\nExecStart=/usr/bin/true\n",
        );
        project.write(&format!("dist/{target}/inc/.gitkeep"), "");
    }
    project.write("mix.exs", "defmodule Orchestrator.MixProject do\n  def project do\n    [app: :orchestrator, version: \"0.1.0\"]\n  end\nend\n");
    project.write(
        "dist/packhouse.toml",
        r#"name = "metrist-orchestrator"
summary = "Runs monitors and forwards what they measure"
description = "Runs monitors and forwards what they measure."
homepage = "https://metrist.io"
vendor = "Metrist Software, Inc."
maintainer = "Metrist Software, Inc. <support@metrist.io>"
license = "Apache-2.0"
provides = ["metrist-orchestrator"]

[version]
from = "mix.exs"
format = "{version}-{target}-{revision}"

[build]
engine = "docker"
commands = ["mkdir -p _build && echo binary > _build/orchestrator"]
environment = { MIX_ENV = "prod" }

[[files]]
source = "_build/orchestrator"
destination = "/usr/bin/metrist-orchestrator"
mode = "0755"

[base-image]
repository = "public.ecr.aws/metrist/dist-{distribution}"

[publish]
to = "../site"
public-url = "https://dist.metrist.io/orchestrator"

[channels]
stable.branches = ["main"]
"#,
    );
    project.commit("0.1.0");
    project
}

#[test]
fn it_is_packaged_with_the_host_engine_or_from_a_staged_tree() {
    let project = tree();
    // The engine that the file asks for is not to be had, and what to do instead is said.
    let nowhere = [("DOCKER_HOST", "tcp://127.0.0.1:1")];
    project.run_with(&nowhere, "release --all").exits(1).says("docker").says("--engine host");
    project.run("release --all --engine host").ok().prints("Published 6 packages");
    project.run("verify ../site").ok();
    let revision = project.revision();
    let packages = project.packages();
    assert!(packages.contains(&format!(
        "metrist-orchestrator-0.1.0_amazon_linux_2_{revision}-1.{}.rpm",
        crate::project::arch()
    )));
    assert_eq!(packages.len(), 6);

    let staged = project.beside("staged");
    fs_err::create_dir_all(staged.join("usr/bin")).unwrap();
    fs_err::write(staged.join("usr/bin/metrist-orchestrator"), "binary\n").unwrap();
    fs_err::remove_dir_all(project.site()).unwrap();
    project.run("release --all --payload ../staged").ok().prints("Published 6 packages");
}

#[test]
fn dpkg_sees_what_the_tree_says() {
    let Some([dpkg]) = packhouse_clients::find(["dpkg-deb"]) else { return };
    let project = tree();
    project.run("build ubuntu 22.04 --engine host").ok();
    let file = project.path("pkg").join(&project.packages()[0]);
    let depends = dpkg.run(["-f".as_ref(), file.as_os_str(), "Depends".as_ref()]);
    assert_eq!(depends, "openssl, libtinfo6\n");
    let contents = dpkg.run(["-c".as_ref(), file.as_os_str()]);
    for path in [
        "./etc/default/metrist-orchestrator\n",
        "./etc/systemd/system/metrist-orchestrator.service\n",
        "./usr/bin/metrist-orchestrator\n",
    ] {
        assert!(contents.contains(path), "{path} is not in\n{contents}");
    }
    assert!(!contents.contains(".gitkeep"), "{contents}");
}

/// A directory in which packages are installed, with a shell and a `systemctl` that writes down its calls.
struct Root {
    directory: tempfile::TempDir,
    client: Client,
}

impl Root {
    fn new(client: &str) -> Option<Root> {
        let [client, ldd] = packhouse_clients::find([client, "ldd"])?;
        let root = Root { directory: tempfile::tempdir().unwrap(), client };
        for below in
            ["usr/bin", "usr/sbin", "usr/lib", "usr/lib64", "etc", "tmp", "dev", "run/systemd/system"]
        {
            fs_err::create_dir_all(root.path(below)).unwrap();
        }
        for below in ["info", "updates"] {
            fs_err::create_dir_all(root.path("var/lib/dpkg").join(below)).unwrap();
        }
        fs_err::write(root.path("var/lib/dpkg/status"), "").unwrap();
        for link in ["bin", "sbin", "lib", "lib64"] {
            fs_err::os::unix::fs::symlink(Path::new("usr").join(link), root.path(link)).unwrap();
        }
        for program in ["bash", "cat", "chmod", "grep", "mkdir", "mv", "rm", "touch"] {
            root.copy_with_libraries(&Path::new("/bin").join(program), &ldd);
        }
        fs_err::os::unix::fs::symlink("bash", root.path("usr/bin/sh")).unwrap();
        fs_err::write(root.path("dev/null"), "").unwrap();
        root.program("usr/bin/systemctl", "#!/bin/sh\necho \"systemctl $*\" >>/calls\n");
        Some(root)
    }

    fn path(&self, path: &str) -> PathBuf {
        self.directory.path().join(path)
    }

    fn program(&self, path: &str, text: &str) {
        use std::os::unix::fs::PermissionsExt as _;
        fs_err::write(self.path(path), text).unwrap();
        fs_err::set_permissions(self.path(path), std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn copy_with_libraries(&self, program: &Path, ldd: &Client) {
        let program = fs_err::canonicalize(program).unwrap();
        let libraries = ldd.run([&program]);
        let libraries = libraries.split_whitespace().filter(|word| word.starts_with('/')).map(PathBuf::from);
        for file in libraries.chain([program.clone()]) {
            let to = self.path(file.to_str().unwrap().trim_start_matches('/'));
            fs_err::create_dir_all(to.parent().unwrap()).unwrap();
            fs_err::copy(&file, &to).unwrap();
        }
    }

    #[track_caller]
    fn dpkg(&self, arguments: &[&str]) -> Output {
        let mut command = self.client.command();
        command.arg(format!("--root={}", self.directory.path().display()));
        command.args([
            "--force-depends",
            "--force-confold",
            "--force-confdef",
            "--force-not-root",
            "--no-triggers",
        ]);
        self.succeeds(command.args(arguments))
    }

    #[track_caller]
    fn rpm(&self, arguments: &[&str]) -> Output {
        let mut command = self.client.command();
        command.arg("--root").arg(self.directory.path()).args(["--nosignature", "--nodeps"]);
        // sqlite would wait for the disk after every step; Debian's rpm asks for the other flag.
        command.args(["--define", "_flush_io 0"]).args(arguments);
        if arguments[0] != "-e" {
            command.arg("--force-debian");
        }
        self.succeeds(&mut command)
    }

    #[track_caller]
    fn succeeds(&self, command: &mut std::process::Command) -> Output {
        let output = command.output().unwrap();
        assert!(output.status.success(), "{command:?}: {}", packhouse_clients::text(&output));
        output
    }

    /// What the scripts called since the last look.
    fn calls(&self) -> String {
        let text = fs_err::read_to_string(self.path("calls")).unwrap_or_default();
        let _ = fs_err::remove_file(self.path("calls"));
        text
    }

    /// The customer writes their token down.
    fn edit(&self) {
        fs_err::write(self.path("etc/default/metrist-orchestrator"), "METRIST_API_TOKEN=the-customers\n")
            .unwrap();
    }

    fn keeps_the_edit(&self, name: &str) -> bool {
        let text = fs_err::read_to_string(self.path("etc/default").join(name)).unwrap_or_default();
        text.contains("METRIST_API_TOKEN=the-customers")
    }
}

const WHAT_THE_SCRIPT_DOES: [&str; 4] = [
    "systemctl is-enabled --quiet metrist-orchestrator.service",
    "systemctl stop metrist-orchestrator.service",
    "systemctl disable metrist-orchestrator.service",
    "systemctl reset-failed",
];

/// Packages of a target: the first version, and the next, whose defaults are others.
fn two_versions(target: &str) -> (Project, String, String) {
    let project = tree();
    let build = |version: &str| {
        project.run(&format!("build {target} --engine host")).ok();
        let [name] = &project.packages()[..] else { panic!("one package is built") };
        let kept = project.beside(&format!("{version}-{name}"));
        fs_err::copy(project.path("pkg").join(name), &kept).unwrap();
        kept.display().to_string()
    };
    let old = build("0.1.0");
    let defaults = format!("dist/{target}/inc/etc/default/metrist-orchestrator");
    project.write("mix.exs", &project.read("mix.exs").replace("0.1.0", "0.2.0"));
    project.write(&defaults, "METRIST_LOGGING_LEVEL=debug\n").commit("0.2.0");
    let new = build("0.2.0");
    (project, old, new)
}

/// Whether the script of the tree ran.
#[track_caller]
fn ran(calls: &str) -> bool {
    let lines: Vec<&str> = calls.lines().collect();
    let found = WHAT_THE_SCRIPT_DOES.iter().filter(|call| lines.contains(call)).count();
    assert!(found == 0 || found == WHAT_THE_SCRIPT_DOES.len(), "{calls}");
    found > 0
}

#[test]
fn an_upgrade_by_dpkg_leaves_the_service_and_the_settings_alone() {
    let Some(root) = Root::new("dpkg") else { return };
    let (_project, old, new) = two_versions("ubuntu/22.04");
    root.dpkg(&["-i", &old]);
    root.edit();
    root.calls();
    root.dpkg(&["-i", &new]);
    let calls = root.calls();
    assert!(!ran(&calls) && !calls.contains("stop") && !calls.contains("disable"), "{calls}");
    assert!(root.keeps_the_edit("metrist-orchestrator"));
    root.dpkg(&["-r", "metrist-orchestrator"]);
    assert!(ran(&root.calls()), "a removal stops and disables");
    assert!(root.keeps_the_edit("metrist-orchestrator"), "a removal keeps what the customer configured");
    root.dpkg(&["-P", "metrist-orchestrator"]);
    assert!(!root.path("etc/default/metrist-orchestrator").exists());
}

#[test]
fn an_upgrade_by_rpm_leaves_the_service_and_the_settings_alone() {
    for target in ["centos/7", "rocky/8"] {
        let Some(root) = Root::new("rpm") else { return };
        let (_project, old, new) = two_versions(target);
        root.rpm(&["-i", &old]);
        root.edit();
        root.calls();
        root.rpm(&["-U", &new]);
        let calls = root.calls();
        assert!(!ran(&calls) && !calls.contains("stop") && !calls.contains("disable"), "{target}: {calls}");
        assert!(root.keeps_the_edit("metrist-orchestrator"), "{target}: the customer's token is gone");
        assert!(root.path("etc/default/metrist-orchestrator.rpmnew").exists(), "{target}");
        root.rpm(&["-e", "metrist-orchestrator"]);
        assert!(ran(&root.calls()), "{target}: a removal stops and disables");
        assert!(root.keeps_the_edit("metrist-orchestrator.rpmsave"), "{target}");
    }
}

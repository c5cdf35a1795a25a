//! One project, a target for each kind of client and an archive: released, verified, upgraded, read, installed.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use packhouse_clients::{find, text};

use crate::project::{Project, Run, arch, names};

/// The targets, and the formats of their packages.
const TARGETS: [(&str, &str); 5] = [
    ("alpine/3.22", "apk"),
    ("arch/rolling", "pacman"),
    ("debian/12", "deb"),
    ("linux/any", "tar"),
    ("rocky/9", "rpm"),
];

/// What the pointers name after a release of `version`, by their place on the site.
fn pointers(project: &Project, version: &str) -> Vec<(String, String)> {
    let (arch, revision) = (arch(), project.revision());
    let deb_arch = if arch == "x86_64" { "amd64" } else { "arm64" };
    let tag = |target: &str| format!("{version}_{target}_2605191200_{revision}");
    let archive = format!("hello-{version}-linux-any-2605191200-{revision}.{arch}.tar.gz");
    let files = [
        format!("hello-{version}_p2605191200_p322-r0.apk"),
        format!("hello-{}-1-{arch}.pkg.tar.zst", tag("arch_rolling")),
        format!("hello_{version}-debian-12-2605191200-{revision}_{deb_arch}.deb"),
        archive,
        format!("hello-{}-1.{arch}.rpm", tag("rocky_9")),
    ];
    let place = |target: &str| {
        let directory = target.split('/').next().unwrap();
        format!("{directory}/{}.{arch}.latest.txt", target.replace('/', "-"))
    };
    TARGETS.iter().zip(files).map(|((target, _), file)| (place(target), file)).collect()
}

#[track_caller]
fn assert_points(project: &Project, version: &str) {
    for (pointer, file) in pointers(project, version) {
        let named = fs_err::read_to_string(project.site().join(&pointer)).unwrap();
        assert_eq!(named, format!("{file}\n"), "{pointer}");
    }
}

#[test]
fn a_release_of_every_format_is_published_verified_and_upgraded() {
    let project = Project::with_targets(&TARGETS.map(|(target, _)| target));
    let listed = project.run("target list").ok().stdout;
    let listed: Vec<&str> = listed.split_whitespace().skip(1).step_by(2).collect();
    assert_eq!(listed, TARGETS.map(|(_, format)| format));

    project.run("release --all --engine host").ok().prints("Published 5 packages");
    project.run("verify ../site").ok().prints("5 packages and every pointer are as published");
    assert_points(&project, "1.0.0");
    // Again: nothing is left to do.
    project.run("release --all --engine host").ok().prints("Nothing new: already published are 5 packages");

    project.edit("1.0.0", "1.1.0").commit("next");
    project.run("release --all --engine host").ok();
    project.run("verify ../site").ok().prints("10 packages and every pointer are as published");
    assert_points(&project, "1.1.0");

    for ((pointer, file), (target, format)) in pointers(&project, "1.1.0").into_iter().zip(TARGETS) {
        let path = project.site().join(pointer).with_file_name(file);
        project.run(&format!("verify {}", path.display())).ok().prints("it was signed on");
        let documents = project.run(&format!("--json inspect {}", path.display())).ok().documents();
        assert_eq!(documents[0]["format"], format, "{target}");
        let files = documents[0]["files"].as_array().unwrap();
        assert!(files.iter().any(|file| file["path"] == "/usr/bin/hello"), "{target}");
        if format != "tar" {
            assert_eq!(documents[0]["name"], "hello", "{target}");
        }
    }
}

#[test]
fn the_install_script_verifies_each_package_and_knows_its_package_manager() {
    let Some([_]) = find(["gpgv"]) else { return };
    let project = Project::with_targets(&TARGETS.map(|(target, _)| target));
    project.edit("license = \"MIT\"", "license = \"MIT\"\ndepends = [\"curl\"]").commit("depends");
    project.run("release --all").ok();
    let programs = project.beside("programs");
    fs_err::create_dir(&programs).unwrap();
    for name in ["apk", "apt-get", "dnf", "pacman"] {
        fs_err::write(programs.join(name), "#!/bin/sh\nexit 9\n").unwrap();
        fs_err::set_permissions(programs.join(name), std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    let install = |target: &str| {
        let mut command = Command::new("sh");
        project.prepare(&mut command).env("PATH", &path).arg(project.site().join("install.sh"));
        command.args(["--dry-run", "--target", target]).output().unwrap()
    };
    for (target, call) in [
        ("alpine-3.22", "apk add --virtual .hello-depends curl\n"),
        ("alpine-3.22", "apk add --allow-untrusted --no-network /"),
        ("arch-rolling", "pacman -U --noconfirm /"),
        ("debian-12", "apt-get install -y "),
        ("rocky-9", "dnf install -y /"),
    ] {
        let output = install(target);
        let said = text(&output);
        assert!(output.status.success(), "{target}: {said}");
        assert!(said.contains(" is signed by ") && said.contains(call), "{target}: {said}");
    }
    let run = Run::from(install("linux-any")).exits(1);
    run.says("is an archive, which no package manager installs").says("unpack it");
}

#[test]
fn two_architectures_of_an_apk_do_not_replace_each_other() {
    let project = Project::with_targets(&["alpine/3.22", "debian/12"]);
    project.run("release --all --arch x86_64").ok();
    let before = names(&project.site());
    project
        .run("release --all --arch aarch64")
        .exits(2)
        .says("the package of alpine-3.22 for aarch64 would replace that for x86_64")
        .says("file names of apk carry no architecture");
    fs_err::remove_dir_all(project.path("pkg")).unwrap();
    project
        .run("release --all --arch aarch64")
        .exits(1)
        .says("the packages of alpine-3.22 for x86_64 and for aarch64 would both be")
        .says("publish each architecture to a site of its own");
    assert_eq!(names(&project.site()), before);
    project.run("release --all --arch aarch64 --to ../arm").ok();
    project.run("verify ../arm").ok().prints("2 packages");
    // Formats whose names carry it share a site.
    fs_err::remove_dir_all(project.path("pkg")).unwrap();
    project.run("release debian 12 --arch aarch64").ok();
    // Another commit's has another name.
    project.edit("1.0.0", "1.1.0").commit("next");
    project.run("release --all --arch aarch64").ok();
    project.run("verify ../site").ok();
}

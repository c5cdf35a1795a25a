//! Targets of Alpine and Wolfi: added, planned, built.

use packhouse_package::{Depth, Format};

use crate::project::{Project, names};

#[test]
fn an_alpine_target_is_added_and_built() {
    let project = Project::with_targets(&["debian/12"]);
    project.run("target add alpine 3.22").ok();
    project.run("target add alpine 3.23").ok();
    project.run("target add wolfi 20230201").ok();
    assert_eq!(project.read("dist/alpine/3.22/fpm.cmd"), "-t apk\n");
    assert!(project.read("dist/alpine/3.22/Dockerfile").starts_with("FROM alpine:3.22\n"));
    assert!(
        project
            .read("dist/wolfi/20230201/Dockerfile")
            .starts_with("FROM cgr.dev/chainguard/wolfi-base:latest\n")
    );
    project.write("dist/alpine/3.22/after-install.sh", "#!/bin/sh\necho hello\n");
    project.commit("targets");
    project.run("build --all --engine host").ok();
    let built: Vec<String> =
        names(&project.path("pkg")).into_iter().filter(|name| name.ends_with(".apk")).collect();
    assert_eq!(
        built,
        [
            "hello-1.0.0_p2605191200_p322-r0.apk",
            "hello-1.0.0_p2605191200_p323-r0.apk",
            "hello-1.0.0_p2605191200_p9653420230201-r0.apk"
        ]
    );
    let mut file = fs_err::File::open(project.path("pkg").join(&built[0])).unwrap();
    let read = Format::Apk.get().inspect(&mut file, Depth::Contents).unwrap();
    assert_eq!((read.name.as_str(), read.version.as_str()), ("hello", "1.0.0_p2605191200_p322-r0"));
    assert_eq!(read.summary, "Says hello");
    assert_eq!(read.scripts["post-install"].text, "echo hello\n");
    assert!(read.files.unwrap().iter().any(|file| file.path == b"/usr/bin/hello"));
}

#[test]
fn a_compression_that_apk_does_not_read_is_a_problem_with_its_place() {
    let project = Project::with_targets(&["debian/12"]);
    project.run("target add alpine 3.22").ok();
    project.edit("[build]", "[package]\ncompression = \"zstd\"\n\n[build]");
    project
        .run("build --all")
        .exits(2)
        .says("dist/packhouse.toml")
        .says("do not read `zstd`")
        .says("target.toml");
    project.write("dist/alpine/3.22/target.toml", "[package]\ncompression = \"gzip\"\n");
    project.run("build --all").ok();
}

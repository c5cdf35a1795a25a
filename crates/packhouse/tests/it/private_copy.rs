//! Builds work in a private copy, once for every job.

use crate::project::{Project, files};

#[test]
fn the_callers_tree_is_never_touched() {
    let project = Project::new();
    project.build_with(&["echo changed >> README; rm -rf dist; mkdir out deps; echo hello > out/hello"]);
    project.write("README", "hello\n").write("deps/kept", "kept\n").commit("readme");
    let tree = |project: &Project| {
        let all = files(&project.path(""));
        all.into_iter().filter(|(name, _)| !name.starts_with("pkg/")).collect::<Vec<_>>()
    };
    let before = tree(&project);
    project.run("release --all").ok();
    assert!(tree(&project) == before, "the build changed the caller's tree");
    assert_eq!(project.git(&["status", "--porcelain"]), "");
    // Nor is anything left in the directory for builds but its locks.
    let left = files(&project.beside("tmp")).into_keys().filter(|name| !name.ends_with(".lock"));
    assert_eq!(left.collect::<Vec<_>>(), Vec::<String>::new());
}

#[test]
fn a_build_sees_what_git_tracks_and_what_it_does_not_ignore() {
    let project = Project::with_targets(&["debian/12"]);
    project.build_with(&["mkdir out && find . -type f | sort > out/hello"]);
    project.write(".gitignore", "ignored\n*.secret\n").write("tracked", "").commit("ignore");
    project.write("untracked", "").write("ignored/file", "").write("api.secret", "");
    project.write("with blank/and\u{e4}", "").write("deleted", "").git(&["add", "deleted"]);
    fs_err::remove_file(project.path("deleted")).unwrap();
    project.build_with(&["mkdir out; find . -type f | sort; touch out/hello"]);
    project.run("build --all").ok().says("changes that are in no commit");
    let log = project.read("pkg/logs/debian-12.log");
    for seen in ["./tracked\n", "./untracked\n", "./with blank/and\u{e4}\n", "./.gitignore\n"] {
        assert!(log.contains(seen), "{seen} is missing in {log}");
    }
    for unseen in ["./ignored", "api.secret", "./deleted", "./.git/", "./pkg/"] {
        assert!(!log.contains(unseen), "{unseen} is in {log}");
    }
}

#[test]
fn a_job_that_targets_share_runs_once_and_is_in_each_log() {
    let project = Project::with_targets(&["debian/12", "ubuntu/22.04", "rocky/8"]);
    let count = project.beside("count");
    project
        .build_with(&[&format!("echo built | tee -a {} && mkdir out && touch out/hello", count.display())]);
    project.commit("count").run("build --all -j 3").ok();
    assert_eq!(fs_err::read_to_string(&count).unwrap(), "built\n");
    for target in ["debian-12", "ubuntu-22.04", "rocky-8"] {
        assert!(project.read(&format!("pkg/logs/{target}.log")).contains("\nbuilt\n"), "{target}");
    }
}

#[test]
fn a_job_with_another_environment_runs_separately() {
    let project = Project::with_targets(&["debian/12", "ubuntu/22.04", "rocky/8"]);
    let count = project.beside("count");
    project.build_with(&[&format!("echo $FLAVOUR >> {}; mkdir out; touch out/hello", count.display())]);
    project.set("build", "environment = { FLAVOUR = \"plain\" }");
    project
        .write("dist/rocky/8/target.toml", "[build]\nenvironment = { FLAVOUR = \"rpm\" }\n")
        .commit("flavours");
    project.run("build --all -j 1").ok();
    let text = fs_err::read_to_string(&count).unwrap();
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["plain", "rpm"]);
}

#[test]
fn jobs_run_side_by_side_when_asked_to() {
    let project = Project::new();
    // Each waits for the other: one after the other they would never end.
    let (a, b) = (project.beside("a"), project.beside("b"));
    let made = std::process::Command::new("mkfifo").args([&a, &b]).status().unwrap();
    assert!(made.success());
    let (a, b) = (a.display(), b.display());
    let then = "mkdir out; touch out/hello";
    for (target, meet) in [
        ("debian/12", format!("echo here >{a}; read there <{b}; {then}")),
        ("rocky/8", format!("read there <{a}; echo here >{b}; {then}")),
    ] {
        let command = format!("timeout 30 sh -ec '{meet}'");
        project
            .write(&format!("dist/{target}/target.toml"), &format!("[build]\ncommands = [\"{command}\"]\n"));
    }
    project.commit("rendezvous").run("build --all -j 2").ok();
}

#[test]
fn two_runs_of_the_same_job_do_not_disturb_each_other() {
    let project = Project::with_targets(&["debian/12"]);
    let runs: Vec<_> = (0..4)
        .map(|_| project.command("build --all").stderr(std::process::Stdio::piped()).spawn().unwrap())
        .collect();
    for run in runs {
        crate::project::Run::from(run.wait_with_output().unwrap()).ok();
    }
    assert_eq!(project.packages().len(), 1);
}

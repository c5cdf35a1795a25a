//! Publishing from outside: immutable names, crashes, several publishers at once.

use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Stdio};

use crate::project::{Project, Run, arch, bytes, files, names};

#[test]
fn other_bytes_under_a_published_name_are_refused_and_the_site_stays() {
    let project = Project::new();
    project.run("release --all").ok();
    let site = files(&project.site());
    // Not committed: the names stay those of the commit.
    project.build_with(&["mkdir out && echo another > out/hello"]);
    let run = project.run("release --all").exits(1);
    run.says("is already published with other bytes").says("help:");
    assert!(files(&project.site()) == site);
    project.run("verify ../site").ok();
}

#[test]
fn a_package_that_changed_since_it_was_signed_is_not_published() {
    let project = Project::with_targets(&["debian/12"]);
    project.run("build --all").ok();
    project.run("sign").ok();
    let package = project.path("pkg").join(&project.packages()[0]);
    let mut bytes = fs_err::read(&package).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs_err::write(&package, bytes).unwrap();
    project.run("publish --all").exits(1).says("is not published");
    assert!(names(&project.site()).is_empty());
}

#[test]
fn a_site_of_another_project_is_not_taken_over() {
    let project = Project::with_targets(&["debian/12"]);
    project.run("release --all").ok();
    let site = files(&project.site());
    project.edit("name = \"hello\"", "name = \"other\"").commit("other");
    project.run("release --all").exits(1).says("the site holds the releases of `hello`, not of `other`");
    assert!(files(&project.site()) == site);
}

#[test]
fn releases_of_different_targets_at_once_end_with_both() {
    let targets = ["debian/12", "ubuntu/22.04", "rocky/8", "centos/7"];
    let first = Project::with_targets(&targets);
    first.run("build debian 12").ok();
    first.run("sign").ok(); // the key they share
    let projects: Vec<Project> = targets.iter().map(|_| first.clone_elsewhere()).collect();
    let runs: Vec<_> = projects
        .iter()
        .zip(targets)
        .map(|(project, target)| {
            let mut command = project.command(&format!("release {target} --to {}", first.site().display()));
            command.env("XDG_DATA_HOME", first.beside("home/.local/share"));
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    for run in runs {
        Run::from(run.wait_with_output().unwrap()).ok();
    }
    first.run("verify ../site").ok().prints("4 packages and every pointer");
}

#[test]
fn two_first_runs_on_a_machine_end_with_one_development_key() {
    let first = Project::with_targets(&["debian/12"]);
    let projects: Vec<Project> = (0..4).map(|_| first.clone_elsewhere()).collect();
    let runs: Vec<_> = projects
        .iter()
        .map(|project| {
            let mut command = project.command("build --all");
            command.env("XDG_DATA_HOME", first.beside("home/.local/share"));
            command.args(["-q"]).stdout(Stdio::null()).stderr(Stdio::piped());
            let built = Run::from(command.output().unwrap());
            built.ok();
            let mut command = project.command("sign");
            command.env("XDG_DATA_HOME", first.beside("home/.local/share"));
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    for run in runs {
        Run::from(run.wait_with_output().unwrap()).ok();
    }
    assert_eq!(names(&first.beside("home/.local/share/packhouse")), ["development-key.asc"]);
}

/// The calls by which a release changes the site. A kill comes before the call's effect, so that each call is
/// also the point after the one before it. The publish crate's own test kills at every single one.
const CALLS: [&str; 5] = ["fsync", "link,linkat", "rename,renameat", "unlink", "mkdir,mkdirat"];

#[test]
fn a_kill_at_any_step_leaves_the_old_or_the_new_state_and_the_same_command_finishes() {
    let Some([strace]) = packhouse_clients::find(["strace"]) else { return };
    let project = Project::new();
    project.run("release --all").ok();
    let old = copy_of(&project);
    project.edit("1.0.0", "1.1.0").commit("1.1.0");
    let mut points = 0;
    for calls in CALLS {
        // Every step of what is published; steps of what builds are between them.
        for at in 1.. {
            restore(&project, &old);
            let mut command = Command::new("strace");
            drop(strace.command());
            project.prepare(&mut command).args(["-f", "-qqq", "-o", "/dev/null"]);
            command.args(["-e", &format!("trace={calls}")]);
            command.args(["-e", &format!("inject={calls}:signal=SIGKILL:when={at}")]);
            command.arg(env!("CARGO_BIN_EXE_packhouse")).args(["release", "--all", "-j", "1"]);
            let output = command.output().unwrap();
            let killed = output.status.signal() == Some(9) || output.status.code() == Some(137);
            let point = format!("killed at {calls} {at}");
            assert!(killed || output.status.success(), "{point}: {}", packhouse_clients::text(&output));
            if !killed {
                break;
            }
            points += 1;
            check_as_a_customer(&project, &point);
            project.run("release --all").ok();
            project.run("verify ../site").ok();
        }
    }
    assert!(points >= 15, "strace saw only {points} steps");
}

fn copy_of(project: &Project) -> std::path::PathBuf {
    let copy = project.beside("old");
    let site = project.site();
    let status = Command::new("cp").arg("-a").arg(&site).arg(&copy).status().unwrap();
    assert!(status.success());
    copy
}

fn restore(project: &Project, old: &std::path::Path) {
    fs_err::remove_dir_all(project.site()).unwrap();
    let status = Command::new("cp").arg("-a").arg(old).arg(project.site()).status().unwrap();
    assert!(status.success());
    let _ = fs_err::remove_dir_all(project.path("pkg"));
}

/// Each pointer names a package that is there, whole, and signed by the key of the site.
#[track_caller]
fn check_as_a_customer(project: &Project, point: &str) {
    let site = bytes(&project.site());
    for directory in ["debian", "rocky"] {
        let version = if directory == "debian" { "12" } else { "8" };
        let pointer = &site[&format!("{directory}/{directory}-{version}.{}.latest.txt", arch())];
        let name =
            std::str::from_utf8(pointer).unwrap().strip_suffix('\n').expect("a pointer ends in a newline");
        assert!(name.contains("1.0.0") || name.contains("1.1.0"), "{point}: {name}");
        let file = project.site().join(directory).join(name);
        let run = project.run(&format!("verify {} --keyring ../site/keyring.gpg", file.display()));
        assert_eq!(run.status, Some(0), "{point}: {}", run.stderr);
    }
}

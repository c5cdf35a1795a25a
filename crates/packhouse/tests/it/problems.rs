//! What is wrong with a project is said all at once, before anything is done.

use crate::project::{Project, names};

/// A tree with a mistake of every kind.
fn broken() -> Project {
    let project = Project::with_targets(&["debian/12", "rocky/8"]);
    project.edit("summary = \"Says hello\"", "sumary = \"Says hello\"");
    project.edit("engine = \"host\"", "engine = \"hots\"");
    project.edit("mode = \"0755\"", "mode = \"rwxr-xr-x\"");
    project.set("version", "format = \"{version}-{tarjet}\"");
    project.write("dist/debian/12/fpm.cmd", "-t deb\n--depnds openssl\n-d 'unfinished\n");
    project.write("dist/rocky/8/fpm.cmd", "# nothing\n");
    project.write("dist/rocky/8/target.toml", "[build]\ncommands = \"make\"\n");
    project.write("dist/fedora/42/Dockerfile", "FROM fedora:42\n");
    project.commit("broken");
    project
}

#[test]
fn every_problem_of_a_tree_is_reported_at_once_with_its_place() {
    let project = broken();
    let run = project.run("release --all").exits(2);
    assert_eq!(run.stdout, "");
    insta::assert_snapshot!("every_problem", run.stderr);
    assert!(names(&project.path("pkg")).is_empty() && names(&project.site()).is_empty());
    assert!(!project.beside("home/.local").exists(), "a key was generated for nothing");
}

#[test]
fn the_same_problems_as_json() {
    let run = broken().run("--json release --all").exits(2);
    let documents = run.documents();
    let [document] = &documents[..] else { panic!("one document") };
    assert_eq!(document["event"], "error");
    let problems = document["problems"].as_array().unwrap();
    let place = |file: &str, line: u64| {
        problems.iter().any(|problem| problem["file"] == file && problem["line"] == line)
    };
    assert!(place("dist/packhouse.toml", 3), "{problems:?}");
    assert!(place("dist/debian/12/fpm.cmd", 2) || place("dist/debian/12/fpm.cmd", 3), "{problems:?}");
    assert!(problems.iter().all(|problem| problem["message"].is_string()));
    insta::assert_snapshot!("every_problem_as_json", serde_json::to_string_pretty(document).unwrap());
}

#[test]
fn what_the_command_line_asks_for_and_is_not_there() {
    let project = Project::new();
    project.run("release ubuntu 99.04").exits(2).says("no target ubuntu-99.04").says("debian-12, rocky-8");
    project.run("release").exits(2).says("no target is named").says("--all");
    project.run("release --all debian 12").exits(2);
    project.run("release --all --channel Preview!").exits(2).says("`Preview!` cannot be a channel's name");
    project.run("build --all --arch pdp11").exits(2).says("pdp11");
    project.run("build --all --engine qemu").exits(2).says("no engine `qemu`").says("host");
    project.run("build --all --payload missing").exits(2).says("--payload").says("is not a directory");
    project.run("build --all -j 0").exits(2);
    project.run("release --all --to s3://bucket/path").exits(2).says("s3://");
    project.run("relase").exits(2).says("release");
    assert!(names(&project.path("pkg")).is_empty());
}

#[test]
fn a_time_that_is_none_is_said_to_be_none() {
    let project = Project::new();
    for epoch in ["tomorrow", "-1", "99999999999", "1.5"] {
        let run = project.run_with(&[("SOURCE_DATE_EPOCH", epoch)], "build --all").exits(2);
        run.says("SOURCE_DATE_EPOCH is not a time that packages can carry");
    }
}

#[test]
fn a_directory_without_a_project_file_is_told_of_init() {
    let project = Project::empty();
    project.run("release --all").exits(2).says("dist/packhouse.toml").says("packhouse init");
    project.run("-C missing release --all").exits(2).says("missing").says("-C");
}

#[test]
fn the_project_is_found_from_a_directory_inside_it() {
    let project = Project::with_targets(&["debian/12"]);
    fs_err::create_dir_all(project.path("src/deep")).unwrap();
    let mut command = project.command("target list");
    let output = command.current_dir(project.path("src/deep")).output().unwrap();
    crate::project::Run::from(output).ok().prints("debian-12");
    let mut command = project.command("-C project target list");
    let output = command.current_dir(project.directory.path()).output().unwrap();
    crate::project::Run::from(output).ok().prints("debian-12");
}

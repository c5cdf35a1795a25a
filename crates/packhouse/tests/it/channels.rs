//! Which channel a release goes to.

use crate::project::{Project, Run, arch};

/// What kind of pointer a release of debian/12 moved.
#[track_caller]
fn pointer_after(project: &Project, run: Run) -> &'static str {
    run.ok();
    let exists = |name: &str| project.site().join(format!("debian/debian-12.{}.{name}.txt", arch())).exists();
    let kind = match (exists("latest"), exists("latest-preview")) {
        (true, false) => "latest",
        (false, true) => "latest-preview",
        other => panic!("pointers (latest, latest-preview): {other:?}"),
    };
    fs_err::remove_dir_all(project.site()).unwrap();
    kind
}

#[test]
fn the_branch_the_reference_and_the_argument_decide_in_turn() {
    let project = Project::with_targets(&["debian/12"]);
    project.set("channels", "stable.branches = [\"main\", \"release/*\"]").commit("channels");
    assert_eq!(pointer_after(&project, project.run("release --all")), "latest");

    project.git(&["checkout", "--quiet", "-b", "feature/new"]);
    assert_eq!(pointer_after(&project, project.run("release --all")), "latest-preview");

    let stable = [("GITHUB_REF", "refs/heads/main")];
    assert_eq!(pointer_after(&project, project.run_with(&stable, "release --all")), "latest");
    let forced = project.run_with(&stable, "release --all --channel preview");
    assert_eq!(pointer_after(&project, forced), "latest-preview");

    project.git(&["checkout", "--quiet", "-b", "release/1"]);
    assert_eq!(pointer_after(&project, project.run("release --all")), "latest");
    let pull_request = [("GITHUB_REF", "refs/pull/1/merge")];
    assert_eq!(pointer_after(&project, project.run_with(&pull_request, "release --all")), "latest-preview");
}

#[test]
fn a_detached_head_goes_to_preview_unless_ci_names_the_branch() {
    let project = Project::with_targets(&["debian/12"]);
    project.git(&["checkout", "--quiet", "--detach"]);
    assert_eq!(pointer_after(&project, project.run("release --all")), "latest-preview");
    let main = [("GITHUB_REF", "refs/heads/main")];
    assert_eq!(pointer_after(&project, project.run_with(&main, "release --all")), "latest");
    assert_eq!(pointer_after(&project, project.run("release --all --channel stable")), "latest");
}

#[test]
fn both_channels_have_pointers_of_their_own() {
    let project = Project::with_targets(&["debian/12"]);
    project.run("release --all").ok();
    project.edit("1.0.0", "1.1.0").commit("next");
    project.run("release --all --channel preview").ok();
    let read = |name: &str| {
        fs_err::read_to_string(project.site().join(format!("debian/debian-12.{}.{name}.txt", arch())))
            .unwrap()
    };
    assert!(read("latest").starts_with("hello_1.0.0-"));
    assert!(read("latest-preview").starts_with("hello_1.1.0-"));
    project.run("verify ../site").ok();
}

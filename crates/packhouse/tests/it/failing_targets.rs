//! What happens when a target does not build.

use crate::project::{Project, names};

/// rocky/8 fails, after forty lines; debian/12 builds.
fn failing() -> Project {
    let project = Project::new();
    project.write(
        "dist/rocky/8/target.toml",
        "[build]\ncommands = [\"true\", \"seq 1 40; echo the compiler says no; exit 7\"]\n",
    );
    project.commit("failing");
    project
}

#[test]
fn the_end_of_its_log_is_shown_and_nothing_is_published() {
    let project = failing();
    let run = project.run("release --all").exits(1);
    for sentence in [
        "command 2 of 2 failed with exit status 7: seq 1 40",
        "      40\n      the compiler says no\n",
        "the whole log is ",
        "pkg/logs/rocky-8.log",
        "--keep-failed",
        "error: nothing was published: 1 of 2 targets failed",
        "1 finished target is kept in pkg/",
    ] {
        assert!(run.stderr.contains(sentence), "{sentence} is not in\n{}", run.stderr);
    }
    // Only the end: a failed build of an hour does not fill the terminal.
    assert!(!run.stderr.contains("      5\n"), "{}", run.stderr);
    assert_eq!(run.stdout, "");
    assert!(names(&project.site()).is_empty());
    let packages = project.packages();
    assert!(packages.len() == 1 && packages[0].contains("debian-12"), "{packages:?}");
    assert!(project.read("pkg/logs/rocky-8.log").contains("\n5\n"));
}

#[test]
fn a_failed_target_moves_no_pointer_of_an_earlier_release() {
    let project = Project::new();
    project.run("release --all").ok();
    let site = crate::project::files(&project.site());
    project.edit("1.0.0", "1.1.0");
    project.write("dist/rocky/8/target.toml", "[build]\ncommands = [\"false\"]\n").commit("1.1.0");
    project.run("release --all").exits(1);
    assert!(crate::project::files(&project.site()) == site);
    // Once it is mended the same command does the rest.
    fs_err::remove_file(project.path("dist/rocky/8/target.toml")).unwrap();
    project.commit("mended").run("release --all").ok();
}

#[test]
fn keep_going_publishes_the_rest_and_still_fails() {
    let project = failing();
    let run = project.run("release --all --keep-going").exits(1).prints("Published 1 package ");
    run.says("command 2 of 2 failed");
    let site = names(&project.site());
    assert!(
        site.iter().any(|name| name.ends_with(".deb")) && !site.iter().any(|name| name.ends_with(".rpm"))
    );
    project.run("verify ../site").ok();
}

#[test]
fn when_all_fail_nothing_is_published_even_with_keep_going() {
    let project = Project::new();
    project.build_with(&["false"]).commit("false");
    project.run("release --all --keep-going").exits(1).says("2 of 2 targets failed");
    assert!(names(&project.site()).is_empty());
}

#[test]
fn the_private_copy_is_kept_when_asked_for_and_only_then() {
    let project = failing();
    let kept = |project: &Project| {
        let copies = fs_err::read_dir(project.beside("tmp")).unwrap();
        let below = copies.flat_map(|copy| fs_err::read_dir(copy.unwrap().path()).unwrap());
        below.map(|item| item.unwrap().path()).filter(|path| path.is_dir()).collect::<Vec<_>>()
    };
    project.run("build rocky 8").exits(1);
    assert!(kept(&project).is_empty());
    let run = project.run("build rocky 8 --keep-failed").exits(1).says("the failed build was left in");
    let [copy] = &kept(&project)[..] else { panic!("one copy is kept") };
    assert!(run.stderr.contains(&copy.display().to_string()));
    assert!(copy.join("dist/packhouse.toml").exists());
    // The next run starts afresh, and cleans up.
    project.run("build rocky 8").exits(1);
    assert!(kept(&project).is_empty());
}

#[test]
fn what_cannot_be_packaged_fails_its_target_alone() {
    let project = Project::new();
    project.write(
        "dist/rocky/8/target.toml",
        "[[files]]\nsource = \"out/missing\"\ndestination = \"/usr/bin/missing\"\n",
    );
    project.commit("missing");
    project.run("release --all").exits(1).says("out/missing").says("1 of 2 targets failed");
}

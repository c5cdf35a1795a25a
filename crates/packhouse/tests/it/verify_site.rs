//! `packhouse verify SITE`: the whole chain, and every way in which it can be broken.

use std::path::PathBuf;

use crate::project::{Project, arch, names};

/// A site with one release of debian/12 and rocky/8.
fn released() -> Project {
    let project = Project::new();
    project.run("release --all").ok();
    project.run("verify ../site").ok().prints("2 packages and every pointer are as published");
    project
}

/// The file of the site whose name ends like this.
fn find(project: &Project, end: &str) -> PathBuf {
    let found = names(&project.site()).into_iter().find(|name| name.ends_with(end)).unwrap();
    project.site().join(found)
}

#[test]
fn a_tampered_package_is_named() {
    let project = released();
    let path = find(&project, ".deb");
    let mut bytes = fs_err::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs_err::write(&path, bytes).unwrap();
    let name = path.file_name().unwrap().to_str().unwrap();
    project.run("verify ../site").exits(1).says("the site does not verify").says(name);
}

#[test]
fn a_missing_package_or_signature_is_named() {
    for end in [".deb", ".rpm.asc"] {
        let project = released();
        let path = find(&project, end);
        fs_err::remove_file(&path).unwrap();
        project.run("verify ../site").exits(1).says(path.file_name().unwrap().to_str().unwrap());
    }
}

#[test]
fn a_moved_pointer_is_named() {
    let project = released();
    let path = find(&project, "rocky-8.x86_64.latest.txt".replace("x86_64", arch()).as_str());
    fs_err::write(path, "hello-9.9.9-1.x86_64.rpm\n").unwrap();
    project.run("verify ../site").exits(1).says(&format!("rocky/rocky-8.{}.latest.txt", arch()));
}

#[test]
fn a_missing_pointer_is_named() {
    let project = released();
    fs_err::remove_file(find(&project, ".latest.txt")).unwrap();
    project.run("verify ../site").exits(1).says(".latest.txt");
}

#[test]
fn a_pointer_that_no_release_has_is_told_of() {
    let project = released();
    let stray = format!("debian/debian-11.{}.latest.txt", arch());
    fs_err::write(project.site().join(&stray), "hello_0.1_amd64.deb\n").unwrap();
    let run = project.run("verify ../site");
    assert!(run.stderr.contains(&stray) || run.stdout.contains(&stray), "{}{}", run.stdout, run.stderr);
    assert_eq!(run.status, Some(1), "customers of debian 11 would follow it");
}

#[test]
fn an_edited_list_of_releases_is_refused() {
    let project = released();
    let path = project.site().join("releases.json");
    let text = fs_err::read_to_string(&path).unwrap();
    fs_err::write(&path, text.replace("\"1.0.0\"", "\"1.0.1\"")).unwrap();
    project.run("verify ../site").exits(1).says("releases.asc").says("does not say the same");
}

#[test]
fn an_old_signed_list_is_refused() {
    let project = released();
    let list = project.site().join("releases.asc");
    let old = fs_err::read(&list).unwrap();
    project.edit("1.0.0", "1.1.0").commit("next");
    project.run("release --all").ok();
    fs_err::write(&list, old).unwrap();
    project.run("verify ../site").exits(1).says("`releases.asc` does not say the same as `releases.json`");
    // The next publication mends it.
    project.run("publish --all").ok();
    project.run("verify ../site").ok();
}

#[test]
fn a_list_signed_by_somebody_else_is_refused() {
    let (project, other) = (released(), released());
    let run = project.run(&format!("verify {}", other.site().display()));
    run.exits(1).says("a key that is not in the keyring");
}

#[test]
fn a_signature_of_another_package_is_named() {
    let project = released();
    fs_err::copy(find(&project, ".rpm.asc"), find(&project, ".deb.asc")).unwrap();
    project.run("verify ../site").exits(1).says(".deb").says("the content is not what");
}

#[test]
fn a_keyring_of_the_site_that_is_a_page_is_refused() {
    let project = released();
    fs_err::write(project.site().join("keyring.gpg"), "<!DOCTYPE html>").unwrap();
    project.run("verify ../site").exits(1).says("keyring.gpg");
}

#[test]
fn a_directory_that_is_no_site_is_said_to_be_none() {
    let project = released();
    project.run("verify .").exits(1).says("nothing was published there");
}

#[test]
fn json_says_what_was_shown() {
    let project = released();
    let documents = project.run("--json verify ../site").ok().documents();
    assert_eq!(documents.len(), 1);
    assert_eq!(documents[0]["packages"], 2);
    assert!(documents[0]["expires"].is_i64());
}

//! Which files a build gets, and what Git says of them.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use packhouse_build::Source;

fn git(directory: &Path, arguments: &[&str]) {
    let output = Command::new("git")
        .current_dir(directory)
        .args(["-c", "user.name=A", "-c", "user.email=a@example.com", "-c", "protocol.file.allow=always"])
        .args(arguments)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .output()
        .expect("git is installed");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn write(root: &Path, files: &[&str]) {
    for file in files {
        let path = root.join(file);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, file).unwrap();
    }
}

fn repository(files: &[&str]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    git(root.path(), &["init", "-q", "-b", "main"]);
    write(root.path(), files);
    git(root.path(), &["add", "-A"]);
    git(root.path(), &["commit", "-q", "-m", "x"]);
    root
}

/// The files of a copy.
fn copied(root: &Path) -> BTreeSet<String> {
    let copy = tempfile::tempdir().unwrap();
    Source::open(root).unwrap().copy_to(copy.path()).unwrap();
    let mut found = BTreeSet::new();
    let mut directories = vec![copy.path().to_owned()];
    while let Some(directory) = directories.pop() {
        for item in fs_err::read_dir(directory).unwrap() {
            let path = item.unwrap().path();
            if path.is_dir() && !path.is_symlink() {
                directories.push(path);
            } else {
                found.insert(path.strip_prefix(copy.path()).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    found
}

fn set(files: &[&str]) -> BTreeSet<String> {
    files.iter().map(|file| (*file).to_owned()).collect()
}

fn is_dirty(root: &Path) -> bool {
    Source::open(root).unwrap().ask_changes().unwrap().answer().unwrap()
}

#[test]
fn tracked_and_unignored_files_are_copied_and_earlier_builds_are_not() {
    let root = repository(&["a", "gone", "deep/pkg/x", ".gitignore"]);
    fs_err::write(root.path().join(".gitignore"), "ignored\n").unwrap();
    fs_err::remove_file(root.path().join("gone")).unwrap();
    write(root.path(), &["new", "ignored", "pkg/old.deb", "odd \n\"name"]);
    std::os::unix::fs::symlink("/etc/passwd", root.path().join("link")).unwrap();
    assert_eq!(copied(root.path()), set(&[".gitignore", "a", "deep/pkg/x", "link", "new", "odd \n\"name"]));
}

#[test]
fn source_that_git_tracks_in_pkg_is_the_projects() {
    let root = repository(&["main.go", "pkg/server/server.go"]);
    write(root.path(), &["pkg/hello.deb"]);
    assert_eq!(copied(root.path()), set(&["main.go", "pkg/server/server.go"]));
    assert!(!is_dirty(root.path()));
    fs_err::write(root.path().join("pkg/server/server.go"), "changed").unwrap();
    assert!(is_dirty(root.path()));
}

#[test]
fn submodules_and_nested_repositories_are_copied_where_they_are_checked_out() {
    let library = repository(&["lib.c"]);
    let root = repository(&["a"]);
    git(root.path(), &["submodule", "--quiet", "add", library.path().to_str().unwrap(), "lib"]);
    git(root.path(), &["commit", "-q", "-m", "lib"]);
    write(root.path(), &["nested/b"]);
    git(&root.path().join("nested"), &["init", "-q"]);
    let all = copied(root.path());
    assert!(all.contains("lib/lib.c") && all.contains("nested/b"), "{all:?}");

    let clone = tempfile::tempdir().unwrap();
    git(clone.path(), &["clone", "-q", root.path().to_str().unwrap(), "c"]);
    assert_eq!(
        copied(&clone.path().join("c")),
        set(&[".gitmodules", "a"]),
        "the submodule is not checked out"
    );
}

#[test]
fn a_worktree_and_a_directory_below_the_root_are_projects_too() {
    let root = repository(&["a", "sub/b"]);
    assert_eq!(copied(&root.path().join("sub")), set(&["b"]));
    let other = tempfile::tempdir().unwrap();
    git(root.path(), &["worktree", "add", "-q", other.path().join("w").to_str().unwrap()]);
    assert_eq!(copied(&other.path().join("w")), set(&["a", "sub/b"]));
}

#[test]
fn the_branch_is_what_head_says_in_every_form() {
    let branch = |root: &Path| Source::open(root).unwrap().revision().unwrap().unwrap().branch;
    let root = repository(&["a", "sub/b"]);
    assert_eq!(branch(root.path()).as_deref(), Some("main"));
    assert_eq!(branch(&root.path().join("sub")).as_deref(), Some("main"));

    git(root.path(), &["checkout", "-q", "-b", "feature/x"]);
    assert_eq!(branch(root.path()).as_deref(), Some("feature/x"));
    git(root.path(), &["tag", "main"]);
    git(root.path(), &["checkout", "-q", "refs/heads/main", "--"]);
    assert_eq!(branch(root.path()), None, "detached");
    git(root.path(), &["symbolic-ref", "HEAD", "refs/heads/main"]);
    assert_eq!(branch(root.path()).as_deref(), Some("main"), "beside a tag of that name");

    let other = tempfile::tempdir().unwrap();
    let linked = other.path().join("w");
    git(root.path(), &["worktree", "add", "-q", "-b", "w", linked.to_str().unwrap(), "refs/heads/main"]);
    assert_eq!(branch(&linked).as_deref(), Some("w"));

    // As Git wrote it once: the branch is known to Git only.
    let head = root.path().join(".git/HEAD");
    fs_err::remove_file(&head).unwrap();
    std::os::unix::fs::symlink("refs/heads/feature/x", &head).unwrap();
    assert_eq!(branch(root.path()).as_deref(), Some("feature/x"));
}

#[test]
fn the_revision_does_not_depend_on_the_users_configuration() {
    let root = repository(&["a"]);
    git(root.path(), &["config", "log.showSignature", "true"]);
    git(root.path(), &["config", "gpg.program", "/bin/false"]);
    git(root.path(), &["config", "status.showUntrackedFiles", "no"]);
    git(root.path(), &["config", "core.fsmonitor", "touch fsmonitor-ran; false"]);
    git(root.path(), &["tag", "v1.2.3"]);
    let revision = Source::open(root.path()).unwrap().revision().unwrap().unwrap();
    assert_eq!(revision.commit.len(), 40);
    assert!(revision.commit.starts_with(&revision.short) && revision.short.len() == 7);
    assert_eq!(revision.branch.as_deref(), Some("main"));
    assert_eq!(Source::open(root.path()).unwrap().tag().as_deref(), Some("v1.2.3"));
    assert!(revision.time > 1_600_000_000 && !is_dirty(root.path()));
    write(root.path(), &["new"]);
    assert!(is_dirty(root.path()));
    assert!(!root.path().join("fsmonitor-ran").exists());
}

#[test]
fn outside_git_everything_but_earlier_builds_is_copied() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), &["a", "pkg/old.deb", "deep/pkg/x"]);
    assert_eq!(copied(root.path()), set(&["a", "deep/pkg/x"]));
    assert_eq!(Source::open(root.path()).unwrap().revision().unwrap(), None);
}

#[test]
fn a_project_that_git_ignores_is_outside_git() {
    let root = repository(&["a"]);
    fs_err::write(root.path().join(".gitignore"), "scratch\n").unwrap();
    write(root.path(), &["scratch/p/x"]);
    let project = root.path().join("scratch/p");
    assert_eq!(copied(&project), set(&["x"]));
    assert_eq!(Source::open(&project).unwrap().revision().unwrap(), None);
}

#[test]
fn what_earlier_builds_left_makes_no_commit_dirty_wherever_the_project_lies() {
    let root = repository(&["sub/project/a", "b"]);
    let project = root.path().join("sub/project");
    write(&project, &["pkg/a.deb", "pkg/logs/x"]);
    write(root.path(), &["elsewhere"]);
    assert!(!is_dirty(&project));
    write(&project, &["sub/pkg/x"]);
    assert!(is_dirty(&project));
}

#[test]
fn nothing_is_committed_before_the_first_commit() {
    let root = tempfile::tempdir().unwrap();
    git(root.path(), &["init", "-q"]);
    write(root.path(), &["a"]);
    assert_eq!(Source::open(root.path()).unwrap().revision().unwrap(), None);
    assert_eq!(Source::open(root.path()).unwrap().tag(), None);
}

#[test]
fn a_repository_that_git_refuses_to_read_is_an_error() {
    let root = repository(&["a"]);
    fs_err::write(root.path().join(".git/config"), "[core\n").unwrap();
    let error = Source::open(root.path()).unwrap().revision().unwrap_err();
    assert!(error.to_string().contains("git"), "{error}");
}

//! The same commit gives the same bytes, whatever surrounds it.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::SystemTime;

use crate::project::{Project, Run, bytes};

/// A project with what varies elsewhere: the private copy's path, an order of files, links, modes, a time.
fn project() -> Project {
    let project = Project::with_targets(&["debian/12", "ubuntu/22.04", "rocky/8", "centos/7"]);
    project.build_with(&[
        "mkdir -p out/tree/b out/tree/a && pwd > out/hello && date -d @0 +%Z-%c > out/tree/locale && printf 'i\nI\nz\nA\nä\n' | sort > out/tree/sorted",
        "for n in z a Z A 10 9; do echo $n > out/tree/a/$n; done; ln -s ../a out/tree/b/link",
    ]);
    let text = project.read("dist/packhouse.toml");
    let tree = "\n[[files]]\nsource = \"out/tree\"\ndestination = \"/usr/share/hello\"\n";
    project.write("dist/packhouse.toml", &format!("{text}{tree}"));
    for target in ["debian/12", "rocky/8"] {
        project.write(&format!("dist/{target}/inc/etc/default/hello"), "A=1\n");
        project.write(&format!("dist/{target}/inc/usr/share/hello/doc"), "doc\n");
    }
    project.commit("tree");
    project
}

fn packages(project: &Project) -> BTreeMap<String, Vec<u8>> {
    let mut all = bytes(&project.path("pkg"));
    all.retain(|name, _| name.ends_with(".deb") || name.ends_with(".rpm"));
    assert_eq!(all.len(), 4);
    all
}

/// Builds with a umask, and everything else that is set on the command.
#[track_caller]
fn build(project: &Project, scratch: &Project, umask: &str, arguments: &str, variables: &[(&str, &str)]) {
    let mut command = Command::new("/bin/sh");
    let script = format!("umask {umask}; exec \"$0\" {arguments}");
    project.prepare(&mut command).args(["-c", &script, env!("CARGO_BIN_EXE_packhouse")]);
    // The directory for builds is the machine's: that it is the same is what makes the private copy's path so.
    command.env("TMPDIR", scratch.beside("tmp")).envs(variables.iter().copied());
    Run::from(command.output().unwrap()).ok();
}

#[test]
fn packages_are_bit_identical_whatever_surrounds_the_build() {
    let first = project();
    build(&first, &first, "022", "build --all -j 1", &[("TZ", "UTC"), ("LC_ALL", "C")]);
    let expected = packages(&first);

    let other = first.clone_elsewhere();
    let moved = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
    for name in crate::project::names(&other.path("dist")) {
        fs_err::OpenOptions::new()
            .append(true)
            .open(other.path("dist").join(name))
            .unwrap()
            .into_parts()
            .0
            .set_modified(moved)
            .unwrap();
    }
    let elsewhere = [
        ("TZ", "Pacific/Chatham"),
        ("LC_ALL", "tr_TR.UTF-8"),
        ("LANG", "tr_TR.UTF-8"),
        ("HOME", "/nonexistent"),
    ];
    build(&other, &first, "077", "build --all -j 4", &elsewhere);
    same(&expected, &packages(&other));
    // And once more where the packages are already.
    build(&other, &first, "002", "build --all -j 2", &[]);
    same(&expected, &packages(&other));
}

#[test]
fn a_staged_tree_gives_the_same_bytes_whatever_its_times_and_order() {
    let project = Project::with_targets(&["debian/12", "ubuntu/22.04", "rocky/8", "centos/7"]);
    for (tree, order) in [("one", ["b", "a", "c"]), ("two", ["c", "b", "a"])] {
        for name in order {
            let path = project.beside(tree).join("usr/share/hello").join(name);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, name).unwrap();
        }
    }
    project
        .edit("[[files]]\nsource = \"out/hello\"\ndestination = \"/usr/bin/hello\"\nmode = \"0755\"\n", "");
    project.commit("staged");
    project.run("build --all --payload ../one").ok();
    let expected = packages(&project);
    project.run("build --all --payload ../two").ok();
    same(&expected, &packages(&project));
}

#[track_caller]
fn same(expected: &BTreeMap<String, Vec<u8>>, found: &BTreeMap<String, Vec<u8>>) {
    assert!(expected.keys().eq(found.keys()), "{:?} and {:?}", expected.keys(), found.keys());
    for (name, bytes) in expected {
        assert!(found[name] == *bytes, "{name} differs");
    }
}

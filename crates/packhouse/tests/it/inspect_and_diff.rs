//! `packhouse inspect` and `packhouse diff` on packages that Packhouse built.

use std::process::Command;

use crate::project::{Project, Run};

/// A project whose packages are built, and their names: a deb and an rpm.
fn built() -> (Project, String, String) {
    let project = Project::new();
    project.run("build --all").ok();
    let packages = project.packages();
    let find = |ending: &str| packages.iter().find(|name| name.ends_with(ending)).unwrap().clone();
    let (deb, rpm) = (find(".deb"), find(".rpm"));
    (project, format!("pkg/{deb}"), format!("pkg/{rpm}"))
}

#[test]
fn inspect_shows_what_a_package_says_and_holds() {
    let (project, deb, rpm) = built();
    for package in [&deb, &rpm] {
        let run = project.run(&format!("inspect {package}")).ok();
        let line = run.stdout.lines().find(|line| line.ends_with(" /usr/bin/hello")).unwrap().to_owned();
        assert!(line.starts_with("-rwxr-xr-x root/root "), "{line}");
        run.prints("name            hello\n").prints("Says hello to everybody who asks.");
    }
    let run = project.run(&format!("inspect --metadata {deb} {rpm}")).ok();
    assert!(run.stdout.contains(": deb 2.0, ") && run.stdout.contains(": rpm 4, "), "{}", run.stdout);
    assert!(run.stdout.contains("license         MIT"), "{}", run.stdout);
}

#[test]
fn inspect_writes_a_document_for_each_package() {
    let (project, deb, rpm) = built();
    let run = project.run(&format!("--json inspect {deb} {rpm}")).ok();
    let documents = run.documents();
    assert_eq!(documents.len(), 2);
    assert_eq!(documents[0]["format"], "deb");
    assert_eq!(documents[1]["format"], "rpm");
    for document in &documents {
        assert_eq!(document["name"], "hello");
        let files = document["files"].as_array().unwrap();
        let program = files.iter().find(|file| file["path"] == "/usr/bin/hello").unwrap();
        assert_eq!(program["mode"], "0755");
        assert_eq!(program["type"], "file");
        assert_eq!(program["digest"].as_str().unwrap().len(), 64);
    }
    let documents = project.run(&format!("--json inspect --metadata {deb}")).ok().documents();
    assert!(documents[0]["files"].is_null());
}

#[test]
fn a_broken_package_does_not_keep_the_others_from_being_shown() {
    let (project, deb, rpm) = built();
    let whole = fs_err::read(project.path(&deb)).unwrap();
    fs_err::write(project.path("cut.deb"), &whole[..whole.len() - 1]).unwrap();
    fs_err::write(project.path("text.deb"), "hello").unwrap();
    let run = project.run(&format!("inspect --metadata cut.deb text.deb missing.deb {rpm}"));
    let run = run.exits(1).says("is longer than the file").says("this is no package").says("missing.deb");
    run.prints(": rpm 4, ");
}

#[test]
fn a_package_that_is_named_otherwise_is_read_by_what_it_is() {
    let (project, deb, _) = built();
    fs_err::copy(project.path(&deb), project.path("hello.rpm")).unwrap();
    project.run("inspect hello.rpm").ok().prints("hello.rpm: deb 2.0, ");
}

#[test]
fn nothing_of_a_package_acts_on_the_terminal() {
    let (project, ..) = built();
    let control = "Package: hello\nVersion: 1\nArchitecture: all\nDescription: turned \u{202e}gnp.exe\n";
    deb(&project, "evil.deb", control, "./a\u{1b}]0;owned\u{7}");
    let run = project.run("inspect evil.deb").ok();
    assert!(!run.stdout.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{:?}", run.stdout);
    run.prints("turned \\u{202e}gnp.exe").prints("/a\\u{1b}]0;owned\\u{7}");
}

/// A deb by hand, with one empty file of that name.
fn deb(project: &Project, name: &str, control: &str, file: &str) {
    let entry = |name: &str, content: &str| {
        let mut block = [0; 512];
        let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, name.as_bytes());
        for at in [100, 108, 116] {
            put(at, b"0000644\0");
        }
        put(124, format!("{:011o}\0", content.len()).as_bytes());
        put(136, b"00000000007\0");
        put(148, b"        ");
        put(156, b"0");
        put(257, b"ustar\x0000");
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        let mut bytes = [&block[..], content.as_bytes()].concat();
        bytes.resize(bytes.len().next_multiple_of(512) + 1024, 0);
        bytes
    };
    let mut bytes = b"!<arch>\n".to_vec();
    for (name, content) in [
        ("debian-binary", b"2.0\n".to_vec()),
        ("control.tar", entry("control", control)),
        ("data.tar", entry(file, "")),
    ] {
        let header = format!("{name:<16}0           0     0     100644  {:<10}`\n", content.len());
        bytes.extend(header.into_bytes());
        bytes.extend(content);
    }
    fs_err::write(project.path(name), bytes).unwrap();
}

#[test]
fn equal_packages_have_no_difference() {
    let (project, deb, rpm) = built();
    for package in [&deb, &rpm] {
        let run = project.run(&format!("diff {package} {package}")).ok();
        assert_eq!((run.stdout.as_str(), run.stderr.as_str()), ("", ""));
        let documents = project.run(&format!("--json diff {package} {package}")).ok().documents();
        assert_eq!(documents[0]["equal"], true);
    }
}

#[test]
fn diff_says_what_changed() {
    let (project, deb, rpm) = built();
    fs_err::rename(project.path("pkg"), project.path("before")).unwrap();
    let [deb_before, rpm_before] = [&deb, &rpm].map(|package| package.replace("pkg/", "before/"));
    project
        .edit("literal = \"1.0.0\"", "literal = \"1.1.0\"")
        .edit("mode = \"0755\"", "mode = \"0700\"")
        .edit("echo hello", "echo goodbye")
        .edit("license = \"MIT\"", "license = \"ISC\"")
        .edit("[[files]]", "[[files]]\nsource = \"dist/packhouse.toml\"\ndestination = \"/usr/share/hello/new\"\n\n[[files]]")
        .commit("changed");
    project.run("build --all").ok();
    let packages = project.packages();
    let find = |ending: &str| {
        let found = packages.iter().find(|name| name.ends_with(ending) && name.contains("1.1.0")).unwrap();
        format!("pkg/{found}")
    };
    for (before, after) in [(deb_before, find(".deb")), (rpm_before, find(".rpm"))] {
        let run = project.run(&format!("diff {before} {after}")).exits(1);
        let line = |start: &str| {
            let found = run.stdout.lines().find(|line| line.starts_with(start));
            found.unwrap_or_else(|| panic!("{start} in\n{}", run.stdout)).to_owned()
        };
        assert!(line("license ").ends_with("MIT → ISC"));
        assert!(line("version").contains("1.1.0") || run.stdout.contains("  + 1.1.0"), "{}", run.stdout);
        assert!(line("  + /usr/share/hello/new").ends_with('B'));
        assert_eq!(
            line("  ~ /usr/bin/hello"),
            "  ~ /usr/bin/hello  content, mode 0755 → 0700, size 21 B → 23 B"
        );
        let document = &project.run(&format!("--json diff {before} {after}")).exits(1).documents()[0];
        assert_eq!(document["equal"], false);
        assert_eq!(document["fields"]["license"]["after"], "ISC");
        assert_eq!(document["files"]["changed"][0]["changes"]["mode"]["before"], "0755");
    }
}

#[test]
fn a_deb_and_an_rpm_of_one_build_hold_the_same() {
    let project = Project::new();
    // One version for both: what targets put into it differs.
    project.run("build --all").ok();
    let packages = project.packages();
    let find = |ending: &str| packages.iter().find(|name| name.ends_with(ending)).unwrap().clone();
    let run = project.run(&format!("--json diff pkg/{} pkg/{}", find(".deb"), find(".rpm")));
    let document = &run.documents()[0];
    // Their targets' names are part of their versions.
    let fields: Vec<&String> = document["fields"].as_object().unwrap().keys().collect();
    assert_eq!(fields, ["version"], "{document}");
    assert_eq!(document["files"]["changed"].as_array().unwrap().len(), 0, "{document}");
    assert_eq!(run.status, Some(1));
}

#[test]
fn trouble_is_not_taken_for_a_difference() {
    let (project, deb, _) = built();
    project.run(&format!("diff {deb} missing.deb")).exits(2).says("missing.deb");
    project.run(&format!("diff {deb}")).exits(2);
}

#[test]
fn what_is_written_by_dpkg_deb_itself_is_compared() {
    let Some([dpkg_deb]) = packhouse_clients::find(["dpkg-deb"]) else { return };
    let (project, deb, _) = built();
    let unpack = |arguments: &[&str]| {
        let mut command: Command = dpkg_deb.command();
        let run = Run::from(command.current_dir(project.path("")).args(arguments).output().unwrap());
        run.ok();
    };
    unpack(&["--raw-extract", &deb, "tree"]);
    fs_err::write(project.path("tree/usr/bin/hello"), "changed\n").unwrap();
    fs_err::remove_file(project.path("tree/DEBIAN/md5sums")).unwrap();
    unpack(&["--root-owner-group", "--build", "tree", "again.deb"]);
    project.run(&format!("diff {deb} again.deb")).exits(1).prints("  ~ /usr/bin/hello  content");
}

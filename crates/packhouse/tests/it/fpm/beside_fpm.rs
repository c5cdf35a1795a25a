//! The same command lines by fpm itself, where `PACKHOUSE_FPM` names it (`gem install fpm`, or its source with Debian's
//! ruby-clamp, ruby-cabin, ruby-stud and ruby-backports): messages, exit status, names of files, what packages say and
//! hold. Not those of pacman: fpm's have their description anywhere in the archive, and are taken for plain ones.
//! Differences that docs/reference/fpm.md lists are passed over by name below.

use std::process::Command;

use fs_err as fs;
use serde_json::Value;

use super::Fpm;

const LINES: &[&str] = &[
    "-t deb -C root .",
    "-t deb -m A~<a@b.c> --vendor V --license MIT --url http://x --category net --iteration 3 --epoch 2 -C root .",
    "-t deb -d foo~>=~1 -d b~|~c -d Big_Name -d x~!=~2 -d y~~>~1.2 --provides p~=~1 --conflicts c --replaces r file1",
    "-t deb --deb-recommends r --deb-suggests s --deb-pre-depends p --deb-field Bugs:~x --deb-priority extra file1",
    "-t deb --after-install after.sh --before-remove before.sh file1",
    "-t deb --config-files /opt/app --deb-no-default-config-files -C root .",
    "-t deb --deb-interest i --deb-activate-noawait a file1",
    "-t deb --deb-compression xz -a x86_64 file1",
    "-t deb --deb-installed-size 7 --deb-shlibs libx~1~x --after-install after.sh --after-remove after.sh file1",
    "-t deb sub/=/opt/x file1=/usr/bin/renamed sub=/srv",
    "-t deb --prefix /p -C root usr/bin etc",
    "-t deb -x *.conf -x opt/* -x **/README -C root .",
    "-t deb --no-depends -d x file1",
    "-t deb -v 1_0 file1",
    "-t deb -n Upper_Case -v v1.2 file1",
    "-t deb --config-files /no/file file1",
    "-t deb no",
    "-t deb -C no",
    "-t nope file1",
    "-t rpm -C root .",
    "-t rpm -m A~<a@b.c> --vendor V --license MIT --url http://x --category net --iteration 3 --epoch 2 -C root .",
    "-t rpm -d foo~>=~1 -d b,~c -d Big_Name -d x~!=~2 -d (a~or~b) --provides p~=~1 --conflicts c --replaces r file1",
    // `%%` in a script would be a macro to rpmbuild.
    "-t rpm --after-install before.sh --before-remove before.sh file1",
    "-t rpm --config-files /etc/app --directories /opt/app -C root .",
    "-t rpm --rpm-user u --rpm-group g --rpm-attr 0750,daemon,adm:/usr/bin/app -C root .",
    "-t rpm --rpm-dist el9 -a amd64 -v 1-2 file1",
    "-t rpm --rpm-digest sha256 --rpm-compression xz --rpm-os linux file1",
    "-t rpm --rpm-tag Requires(post):~x --rpm-summary S --rpm-posttrans before.sh file1",
    "-t rpm -x usr/* -C root .",
    "-t tar -p out.tar.gz -C root .",
    "-s empty -t deb -d x",
    "-s empty -t rpm -d x",
];

#[test]
fn packages_are_as_fpm_makes_them() {
    let Some(program) = std::env::var_os("PACKHOUSE_FPM") else {
        eprintln!("skipped: PACKHOUSE_FPM does not name fpm");
        return;
    };
    for line in LINES {
        let words = if line.contains("-s empty") {
            format!("-n app {line}")
        } else {
            format!("-s dir -n app {line}")
        };
        // One directory each, of the same name for both.
        let (ours, theirs) = (Fpm::new(), Fpm::new());
        let said = ours.run_with(&words, &[]);
        let words: Vec<String> = words.split_whitespace().map(|word| word.replace('~', " ")).collect();
        let output = Command::new(&program)
            .args(&words)
            .current_dir(theirs.path(""))
            .env("HOME", theirs.path("nowhere"))
            .env("USER", "joe")
            .env_remove("SOURCE_DATE_EPOCH")
            .output()
            .unwrap();
        let messages: Vec<String> = String::from_utf8_lossy(&output.stdout)
            .lines()
            .map(|line| line.split_once("\", ").map_or(line.to_owned(), |(_, rest)| format!("{{{rest}")))
            .collect();
        let told: Vec<&str> = said.stdout.lines().collect();
        assert_eq!(told, messages, "{line}: {}", said.stderr);
        assert_eq!(said.status, output.status.code(), "{line}");
        let made = |fpm: &Fpm| -> Vec<String> {
            let names = fs::read_dir(fpm.path("")).unwrap().map(|item| item.unwrap().file_name());
            let is_package =
                |name: &String| [".deb", ".rpm", ".zst", ".xz", ".gz"].iter().any(|end| name.ends_with(end));
            names.map(|name| name.to_string_lossy().into_owned()).filter(is_package).collect()
        };
        assert_eq!(made(&ours), made(&theirs), "{line}");
        for file in made(&ours) {
            let (ours, theirs) = (facts(&ours, &file), facts(&theirs, &file));
            let apart: Vec<&String> = ours.iter().filter(|fact| !theirs.contains(fact)).collect();
            let missing: Vec<&String> = theirs.iter().filter(|fact| !ours.contains(fact)).collect();
            assert!(apart.is_empty() && missing.is_empty(), "{line}: {apart:#?} instead of {missing:#?}");
        }
    }
}

/// What a package says and holds, without what differs on purpose.
fn facts(fpm: &Fpm, file: &str) -> Vec<String> {
    let output = Command::new(env!("CARGO_BIN_EXE_packhouse"))
        .args(["--json", "inspect", file])
        .current_dir(fpm.path(""))
        .output()
        .unwrap();
    assert!(output.status.success(), "{file}: {}", String::from_utf8_lossy(&output.stderr));
    let mut document: Value = serde_json::from_slice(&output.stdout).unwrap();
    let object = document.as_object_mut().unwrap();
    for key in ["built", "fields", "file", "size"] {
        object.remove(key);
    }
    let is = |ending: &str| file.contains(ending);
    if is(".pkg.") || is(".rpm") {
        object.remove("installed-size");
    }
    let files = object.remove("files").unwrap_or_default();
    let mut facts: Vec<String> = object.iter().map(|(key, value)| format!("{key} {value}")).collect();
    for file in files.as_array().into_iter().flatten() {
        let path = file["path"].as_str().unwrap();
        // A release's owners are root's; rpmbuild adds links by build id; times of what is made are the newest file's.
        if path == "/" || path.contains("/.build-id") {
            continue;
        }
        let is_made = path.ends_with("changelog.gz");
        // Which of a file's names comes first is the file system's order there, and sorted here.
        let is_one_of_two = path.contains("/hard");
        let mode = if is(".rpm") && file["type"] == "directory" { &Value::Null } else { &file["mode"] };
        let size = if is_made || is_one_of_two { &Value::Null } else { &file["size"] };
        let owner = if is(".pkg.") || is(".tar") { "root".to_owned() } else { file["user"].to_string() };
        let kind = if is_one_of_two { "\"file\"".to_owned() } else { file["type"].to_string() };
        facts.push(format!("{path} {kind} {mode} {owner} {size} {}", file["marks"]));
    }
    facts
}

//! What each output makes.

use std::process::Command;

use fs_err as fs;

use super::Fpm;

const FULL: &str = "-s dir -n app -v 1.0 --iteration 3 --epoch 2 -m A~<a@b.c> --vendor V --license MIT --url http://x.y \
                    --category net --description Sum -d foo~>=~1.0 -d bar -d baz~!=~2 --provides pp \
                    --conflicts c1~>~1 --replaces r1~<~3 --after-install after.sh --before-remove before.sh -C root .";

fn full(kind: &str, more: &str) -> String {
    format!("-t {kind} {more} {FULL}")
}

#[test]
fn a_deb_is_fpms() {
    let fpm = Fpm::new();
    let listing = fpm.listing(
        &full("deb", "--deb-recommends r --deb-field Bugs:~x --deb-interest i1"),
        "app_1.0-3_amd64.deb",
    );
    insta::assert_snapshot!(listing);
}

#[test]
fn an_rpm_is_fpms_with_the_modes_of_directories() {
    let fpm = Fpm::new();
    let flags = "--config-files /etc/app --directories /opt/app --rpm-attr 0750,daemon,adm:/usr/bin/app --rpm-dist el9";
    insta::assert_snapshot!(fpm.listing(&full("rpm", flags), "app-1.0-3.el9.x86_64.rpm"));
}

#[test]
fn a_package_of_pacmans_is_fpms_and_can_be_installed() {
    let fpm = Fpm::new();
    let flags = "--config-files /etc/app/app.conf --pacman-optional-depends vim:~to~edit";
    insta::assert_snapshot!(fpm.listing(&full("pacman", flags), "app-1.0-3-x86_64.pkg.tar.zst"));
}

#[test]
fn an_apk_is_one_that_apk_installs() {
    let fpm = Fpm::new();
    insta::assert_snapshot!(fpm.listing(&full("apk", "-a x86_64"), "app_1.0-3_x86_64.apk"));
}

#[test]
fn archives_hold_the_files_and_the_scripts() {
    let fpm = Fpm::new();
    insta::assert_snapshot!("a_tar", fpm.listing(&full("tar", "-p x.tar.gz"), "x.tar.gz"));
    let run = fpm.run(&full("dir", "-p out"));
    assert_eq!(run.status, Some(0), "{}", run.stderr);
    assert_eq!(fpm.read("out/usr/bin/app"), b"hi\n");
    assert!(fpm.path("out/.scripts/after_install").is_file());
    let zip = fpm.listing(&full("zip", ""), "app.zip");
    assert!(zip.contains("/usr/bin/link -> app"), "{zip}");
}

#[test]
fn an_installer_installs() {
    let fpm = Fpm::new();
    fs::write(fpm.path("ok.sh"), "#!/bin/sh\necho \"$INSTALL_DIR\" >\"$INSTALL_ROOT/said\"\n").unwrap();
    fs::write(fpm.path("first.sh"), "#!/bin/sh\necho first\n").unwrap();
    let run = fpm.run("-s dir -t sh -n app --after-install ok.sh --before-install first.sh -C root .");
    assert_eq!(run.status, Some(0), "{}", run.stderr);
    let install = |arguments: &[&str]| {
        Command::new(fpm.path("app.sh")).args(arguments).current_dir(fpm.path("")).output().unwrap()
    };
    let output = install(&["-i", "here", "-v"]);
    assert!(output.status.success(), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("first\n"), "{output:?}");
    assert_eq!(fpm.read("here/current/usr/bin/app"), b"hi\n");
    assert!(String::from_utf8(fpm.read("here/said")).unwrap().starts_with("here/releases/"));
    let output = install(&["-r", "-i", "flat"]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(fpm.read("flat/etc/app/app.conf"), b"x=1\n");
    assert!(!fpm.path("flat/.installing").exists());
    assert!(install(&["-h"]).status.success() && !install(&["-Z"]).status.success());
}

#[test]
fn freebsds_links_point_where_they_should() {
    let fpm = Fpm::new();
    let run = fpm.run(&full("freebsd", "-a amd64"));
    assert_eq!(run.status, Some(0), "{}", run.stderr);
    assert!(run.stdout.contains("Created package\", :path=>\"app-1.0_3.txz\""), "{}", run.stdout);
    let listed =
        Command::new("tar").args(["-tvf", "app-1.0_3.txz"]).current_dir(fpm.path("")).output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    assert!(listed.contains("/usr/bin/link -> app"), "{listed}");
    let manifest = Command::new("tar")
        .args(["-xOf", "app-1.0_3.txz", "+MANIFEST"])
        .current_dir(fpm.path(""))
        .output()
        .unwrap();
    let manifest: serde_json::Value = serde_json::from_slice(&manifest.stdout).unwrap();
    assert_eq!(manifest["arch"], "FreeBSD:13:amd64");
    assert_eq!(manifest["version"], "1.0-3");
    assert_eq!(manifest["files"]["/usr/bin/link"], "-");
    assert!(manifest["scripts"]["post-install"].as_str().unwrap().contains("echo after"));
}

#[test]
fn upgrade_scripts_and_units_make_scripts_that_look_at_their_arguments() {
    let fpm = Fpm::new();
    let scripts =
        "--after-install after.sh --after-upgrade after.sh --before-remove before.sh --after-remove after.sh";
    let words = format!(
        "-s dir -t deb -n app {scripts} --deb-systemd app.service --deb-systemd-enable --deb-after-purge before.sh file1"
    );
    insta::assert_snapshot!("scripts_of_a_deb", fpm.listing(&words, "app_1.0_amd64.deb"));
    insta::assert_snapshot!(
        "scripts_of_an_rpm",
        fpm.listing(&format!("-s dir -t rpm -n app {scripts} file1"), "app-1.0-1.x86_64.rpm")
    );
}

#[test]
fn the_script_after_a_purge_runs_beside_the_literal_one_after_a_removal() {
    let fpm = Fpm::new();
    fs::write(fpm.path("removed.sh"), "#!/bin/sh\necho removed \"$@\"\nexit 0\n").unwrap();
    fs::write(fpm.path("purged.sh"), "#!/bin/sh\necho purged\n").unwrap();
    let run = fpm.run("-s dir -t deb -n app --after-remove removed.sh --deb-after-purge purged.sh file1");
    assert_eq!(run.status, Some(0), "{}", run.stderr);
    let extract = "dpkg-deb --ctrl-tarfile app_1.0_amd64.deb | tar -xO ./postrm >postrm";
    if !Command::new("sh").args(["-c", extract]).current_dir(fpm.path("")).status().unwrap().success() {
        return; // without dpkg the other tests read the script
    }
    let say = |argument: &str| {
        let output =
            Command::new("sh").args(["postrm", argument]).current_dir(fpm.path("")).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(say("remove"), "removed remove\n");
    assert_eq!(say("purge"), "removed purge\npurged\n");
}

#[test]
fn inputs_go_where_rsync_would_put_them() {
    let fpm = Fpm::new();
    for (words, paths) in [
        ("sub/=/opt/x file1=/usr/bin/renamed sub=/srv", "opt/x/a/f3 srv/sub/a/f3 usr/bin/renamed"),
        ("file1=usr/bin/ root/usr/bin/link=/opt/", "opt/link usr/bin/file1"),
        ("--prefix /p file1=rel/ sub/=/", "p/a/f3 p/rel/file1"),
        ("./file1 sub/a", "file1 sub/a/f3"),
        ("-C root usr/bin/app=/opt/tool etc/=/conf", "conf/etc/app/app.conf opt/tool"),
        ("-x usr/* -x **/su -x opt/app/[wh]* -x opt/app/private -C root .", "etc/app/app.conf"),
    ] {
        let run = fpm.run(&format!("-s dir -t tar -f -n m -p x.tar {words}"));
        assert_eq!(run.status, Some(0), "{words}: {}{}", run.stdout, run.stderr);
        let listed = Command::new("tar").args(["-tf", "x.tar"]).current_dir(fpm.path("")).output().unwrap();
        let listed = String::from_utf8(listed.stdout).unwrap();
        let found: Vec<&str> = listed
            .lines()
            .filter(|line| !line.ends_with('/'))
            .map(|line| line.trim_start_matches("./"))
            .collect();
        assert_eq!(found.join(" "), paths, "{words}");
    }
}

#[test]
fn the_same_tree_is_the_same_package_whenever_and_wherever() {
    for kind in ["deb", "rpm", "pacman", "apk", "tar", "zip", "freebsd", "sh"] {
        let fpm = Fpm::new();
        let words = format!("-s dir -t {kind} -f -n app -v 1 -m M -p out -C root .");
        let first = fpm.run_with(&words, &[("TZ", "UTC")]);
        assert_eq!(first.status, Some(0), "{kind}: {}{}", first.stdout, first.stderr);
        let bytes = fpm.read("out");
        std::thread::sleep(std::time::Duration::from_millis(1100));
        let variables = [("TZ", "Asia/Tokyo"), ("LC_ALL", "C.UTF-8"), ("USER", "other")];
        let second = fpm.run_with(&words, &variables);
        assert_eq!(second.status, Some(0), "{kind}: {}", second.stderr);
        assert!(fpm.read("out") == bytes, "{kind}");
    }
}

#[test]
fn every_compression_that_is_offered_can_be_read() {
    let fpm = Fpm::new();
    for (flag, file) in [
        ("-t deb --deb-compression xz", "app_1.0_amd64.deb"),
        ("-t deb --deb-compression zst --deb-compression-level 1", "app_1.0_amd64.deb"),
        ("-t deb --deb-compression none", "app_1.0_amd64.deb"),
        ("-t rpm --rpm-compression xzmt", "app-1.0-1.x86_64.rpm"),
        (
            "-t rpm --rpm-compression zstd --rpm-compression-level 19 --rpm-digest sha256",
            "app-1.0-1.x86_64.rpm",
        ),
        ("-t rpm --rpm-compression none --rpm-digest sha1", "app-1.0-1.x86_64.rpm"),
        ("-t pacman --pacman-compression gz", "app-1.0-1-x86_64.pkg.tar.gz"),
    ] {
        let listing = fpm.listing(&format!("-s dir -f -n app {flag} -C root ."), file);
        assert!(listing.contains("/usr/bin/app"), "{flag}: {listing}");
    }
    // Nothing here reads bzip2; tar does.
    let run = fpm.run("-s dir -t tar -f -n app -p x.tar.bz2 -C root .");
    assert_eq!(run.status, Some(0), "{}", run.stderr);
    let listed = Command::new("tar").args(["-tjf", "x.tar.bz2"]).current_dir(fpm.path("")).output().unwrap();
    assert!(String::from_utf8_lossy(&listed.stdout).contains("./usr/bin/app"), "{listed:?}");
    let run = fpm.run("-s dir -t pacman -f -n app --pacman-compression bzip2 file1");
    assert!(run.status == Some(1) && run.stderr.contains("bzip2"), "{}", run.stderr);
}

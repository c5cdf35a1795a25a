//! Packages as inputs.

use fs_err as fs;

use super::Fpm;

const FLAGS: &str = "-n app -v 1.0 --iteration 3 --epoch 2 -m A~<a@b.c> --description Sum -d foo~>=~1.0 --provides pp \
                     --conflicts c1 --replaces r1~<~3 --config-files /etc/app/app.conf --after-install after.sh \
                     --before-remove before.sh -C root .";

fn made(fpm: &Fpm, kind: &str, more: &str) {
    let run = fpm.run(&format!("-s dir -t {kind} -f -p in.{kind} {more} {FLAGS}"));
    assert_eq!(run.status, Some(0), "{kind}: {}{}", run.stdout, run.stderr);
}

#[test]
fn what_a_package_says_goes_on_in_every_other_format() {
    let fpm = Fpm::new();
    for from in ["deb", "rpm", "pacman", "apk"] {
        made(&fpm, from, "");
        for to in ["deb", "rpm", "pacman", "apk"] {
            let run = fpm.run(&format!("-s {from} -t {to} -f -p out.{to} in.{from}"));
            assert_eq!(run.status, Some(0), "{from} {to}: {}{}", run.stdout, run.stderr);
            let listing = fpm.inspect(&format!("out.{to}"));
            let shown = match to {
                "deb" => "foo (>= 1.0)",
                "rpm" => "foo >= 1.0",
                _ => "foo>=1.0",
            };
            for wanted in
                ["app", shown, "pp", "c1", "r1", "echo after ${x%%.*}", "echo before", "/usr/bin/link -> app"]
            {
                assert!(listing.contains(wanted), "{from} {to}: {wanted} is not in\n{listing}");
            }
            // apk keeps what is below /etc anyway, and says so nowhere.
            let is_config =
                listing.lines().any(|line| line.contains("/etc/app/app.conf") && line.contains("[config"));
            assert!(is_config || to == "apk" || from == "apk" && to != "deb", "{from} {to}: {listing}");
            assert!(
                listing.lines().any(|line| line.starts_with("-rwsr-xr-x") && line.contains("/opt/app/su")),
                "{listing}"
            );
        }
    }
}

#[test]
fn what_cannot_be_said_is_named() {
    let fpm = Fpm::new();
    made(&fpm, "deb", "-d a~|~b --deb-recommends rec --deb-interest x --deb-field Bugs:~u");
    let run = fpm.run("-s deb -t pacman -f -p out.pacman in.deb");
    for said in ["a | b", "triggers", "Bugs"] {
        assert!(run.stdout.contains(said), "{said}: {}", run.stdout);
    }
    assert!(fpm.inspect("out.pacman").contains("rec"), "what is recommended is optional");
    let run = fpm.run("-s deb -t rpm -f -p out.rpm in.deb");
    assert!(
        run.stdout.contains("The scripts (after-install, before-remove) are carried over as they are"),
        "{}",
        run.stdout
    );
    assert!(fpm.inspect("out.rpm").contains("(a or b)"));
}

#[test]
fn archives_are_named_by_their_file_and_laid_out_by_flags() {
    let fpm = Fpm::new();
    for kind in ["tar", "zip"] {
        made(&fpm, kind, "");
        fs::rename(fpm.path(&format!("in.{kind}")), fpm.path(&format!("tool.v1.{kind}"))).unwrap();
        let words = format!("-s {kind} -t deb -f -C usr --prefix /srv tool.v1.{kind}");
        let listing = fpm.listing(&words, "tool_1.0_amd64.deb");
        assert!(listing.contains(" /srv/bin/app") && !listing.contains("/etc"), "{listing}");
    }
}

#[test]
fn another_type_than_was_said_and_broken_packages_are_refused() {
    let fpm = Fpm::new();
    made(&fpm, "deb", "");
    let run = fpm.run("-s rpm -t deb -f in.deb");
    assert!(run.status == Some(1) && run.stderr.contains("say -s deb"), "{}", run.stderr);
    let mut bytes = fpm.read("in.deb");
    bytes.truncate(bytes.len() / 2);
    fs::write(fpm.path("in.deb"), bytes).unwrap();
    let run = fpm.run("-s deb -t rpm -f in.deb");
    assert!(run.status == Some(1) && run.stderr.contains("`in.deb` cannot be read"), "{}", run.stderr);
    assert!(fs::read_dir("/tmp").unwrap().all(|item| {
        let name = item.unwrap().file_name().to_string_lossy().into_owned();
        !name.starts_with(&format!("packhouse-fpm-{}", std::process::id()))
    }));
}

//! The install script run for real: with real verifiers, and stand-ins for package managers.

use packhouse_clients::text;
use packhouse_site::Location;

use crate::customer::{Customer, Key};

const APT: &str = "apt-get install -y -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold";

#[test]
fn a_verified_deb_is_handed_to_apt() {
    let Some(key) = Key::new() else { return };
    let customer = Customer::debian(&key);
    customer.add_stand_in("apt-get", "for last; do :; done; cat \"$last\" >installed");
    let output = customer.install(&[]);
    let said = text(&output);
    assert!(output.status.success(), "{said}");
    assert_eq!(customer.calls(), format!("{APT} TMP/hello_1.0_amd64.deb\n"));
    assert_eq!(fs_err::read_to_string(customer.path("installed")).unwrap(), "the package");
    assert!(said.contains("hello_1.0_amd64.deb is signed by "), "{said}");
}

#[test]
fn a_verified_rpm_is_handed_to_dnf_or_what_else_there_is() {
    let Some(key) = Key::new() else { return };
    let customer =
        Customer::new(&key, "ID=rocky\nVERSION_ID='9.3'\n", "rocky 9", "hello-1.0^git~1-1.x86_64.rpm");
    customer.add_stand_in("yum", "");
    customer.add_stand_in("zypper", "");
    customer.add_stand_in("rpm", "printf hello");
    for (manager, call) in [
        ("dnf", "dnf install -y TMP/hello-1.0^git~1-1.x86_64.rpm\n"),
        ("yum", "yum install -y TMP/hello-1.0^git~1-1.x86_64.rpm\n"),
        (
            "zypper",
            "rpm -qp --nosignature --queryformat %{NAME} TMP/hello-1.0^git~1-1.x86_64.rpm\n\
             zypper --non-interactive addrepo --no-gpgcheck dir:TMP/repository install-hello\n\
             zypper --non-interactive install install-hello:hello\n\
             zypper --non-interactive removerepo install-hello\n",
        ),
    ] {
        let output = customer.install(&[]);
        assert!(output.status.success(), "{}", text(&output));
        assert_eq!(customer.calls(), call);
        fs_err::remove_file(customer.path("calls")).unwrap();
        customer.remove_program(manager);
    }
    customer.refuses(&[], "none of dnf, yum and zypper is installed");
}

/// A repository that is gone would stop every later run of zypper.
#[test]
fn zyppers_repository_goes_also_when_the_package_is_not_installed() {
    let Some(key) = Key::new() else { return };
    let customer = Customer::new(&key, "ID=rocky\nVERSION_ID='9.3'\n", "rocky 9", "hello-1.0-1.x86_64.rpm");
    customer.remove_program("dnf");
    customer.add_stand_in("rpm", "printf hello");
    customer.add_stand_in("zypper", "case $* in *' install '*) exit 4 ;; esac");
    let output = customer.install(&[]);
    assert!(
        !output.status.success() && text(&output).contains("the package manager failed"),
        "{}",
        text(&output)
    );
    assert!(
        customer.calls().ends_with("zypper --non-interactive removerepo install-hello\n"),
        "{}",
        customer.calls()
    );
}

#[test]
fn a_verified_apk_is_installed_by_itself_after_what_it_depends_on() {
    let Some(key) = Key::new() else { return };
    let customer = Customer::alpine(&key, "depend = /bin/sh\ndepend = so:libssl.so.3\ndepend = !bye\n");
    let output = customer.install(&[]);
    assert!(output.status.success(), "{}", text(&output));
    // What comes from repositories is never taken untrusted.
    assert_eq!(
        customer.calls(),
        "apk add --virtual .hello-depends /bin/sh so:libssl.so.3\n\
         apk add --allow-untrusted --no-network TMP/hello-1.0-r0.apk\n\
         apk del --no-network .hello-depends\n"
    );
    let output = customer.install(&["--dry-run"]);
    assert_eq!(text(&output).matches("would run: ").count(), 3, "{}", text(&output));
    customer.remove_program("apk");
    fs_err::remove_file(customer.path("calls")).unwrap();
    customer.refuses(&[], "apk is not installed");

    let alone = Customer::alpine(&key, "");
    let output = alone.install(&[]);
    assert!(output.status.success(), "{}", text(&output));
    assert_eq!(alone.calls(), "apk add --allow-untrusted --no-network TMP/hello-1.0-r0.apk\n");
}

#[test]
fn an_apk_is_not_installed_when_what_it_depends_on_is_not() {
    let Some(key) = Key::new() else { return };
    let customer = Customer::alpine(&key, "depend = missing\n");
    customer.add_stand_in("apk", "exit 3");
    let output = customer.install(&[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output).contains("run apk update and try again"), "{}", text(&output));
    assert_eq!(customer.calls(), "apk add --virtual .hello-depends missing\n");
}

#[test]
fn a_verified_pacman_package_is_handed_to_pacman() {
    let Some(key) = Key::new() else { return };
    for name in
        ["hello-1.0-1-x86_64.pkg.tar.zst", "hello-1:1.0-1-any.pkg.tar.xz", "hello-1.0-1-any.pkg.tar.gz"]
    {
        let customer = Customer::new(&key, "ID=arch\nBUILD_ID=rolling\n", "arch rolling", name);
        let output = customer.install(&[]);
        assert!(output.status.success(), "{}", text(&output));
        assert_eq!(customer.calls(), format!("pacman -U --noconfirm TMP/{name}\n"));
        fs_err::remove_file(customer.path("calls")).unwrap();
        customer.remove_program("pacman");
        customer.refuses(&[], "pacman is not installed");
    }
}

#[test]
fn each_verifier_accepts_a_good_signature() {
    let Some(key) = Key::new() else { return };
    let customer = Customer::debian(&key);
    customer.remove_program("gpgv");
    for verifier in ["sqv", "gpg"] {
        if !customer.add_program(verifier) {
            continue;
        }
        let output = customer.install(&[]);
        assert!(output.status.success(), "{verifier}: {}", text(&output));
        assert!(customer.calls().starts_with(APT));
        customer.remove_program(verifier);
    }
}

#[test]
fn a_pointer_that_is_behind_the_signed_list_is_not_followed() {
    let Some(key) = Key::new() else { return };
    let customer = Customer::debian(&key);
    // An old package of ours, well signed, and a pointer that an attacker set back to it.
    let old = customer.package.with_file_name("hello_0.9_amd64.deb");
    fs_err::write(&old, "an old one").unwrap();
    key.sign(&old, &[]);
    customer.point("hello_0.9_amd64.deb\n");
    let output = customer.install(&[]);
    assert!(output.status.success(), "{}", text(&output));
    assert!(text(&output).contains("The newest package is hello_1.0_amd64.deb, not hello_0.9_amd64.deb"));
    assert!(customer.calls().ends_with("TMP/hello_1.0_amd64.deb\n"), "{}", customer.calls());
}

#[test]
fn a_dry_run_verifies_and_says_what_it_would_run() {
    let Some(key) = Key::new() else { return };
    let customer = Customer::debian(&key);
    let output = customer.install(&["--dry-run"]);
    let said = text(&output);
    assert!(output.status.success(), "{said}");
    assert_eq!(customer.calls(), "");
    assert!(said.contains("would run: ") && said.contains("hello_1.0_amd64.deb\n"), "{said}");
}

#[test]
fn a_user_installs_by_sudo_or_doas() {
    let Some(key) = Key::new() else { return };
    let customer = Customer::debian(&key);
    customer.remove_program("id");
    customer.add_stand_in("id", "echo 1000");
    for (program, expected) in [("sudo", "sudo env"), ("doas", "doas env")] {
        customer.add_stand_in(program, "");
        let output = customer.install(&[]);
        assert!(output.status.success(), "{}", text(&output));
        assert!(customer.calls().contains(expected), "{}", customer.calls());
        customer.remove_program(program);
    }
    let output = customer.install(&[]);
    assert!(!output.status.success());
    assert!(text(&output).contains("installing needs root"));
}

#[test]
fn a_site_on_the_web_is_read_with_curl_or_wget() {
    let Some(key) = Key::new() else { return };
    let mut customer =
        Customer::new(&key, "ID=fedora\nVERSION_ID=40\n", "fedora 40", "hello-1.0+git^1-1.x86_64.rpm");
    let Location::Directory(site) = customer.location.clone() else { panic!() };
    customer.location = Location::Url("https://dist.example.org/hello/".into());
    let serve = format!(
        "while [ $# -gt 1 ]; do case $1 in -o|-O) to=$2 ;; esac; shift; done
        from=$(printf %s \"${{1#https://dist.example.org/hello/}}\" | sed -e s/%2B/+/g -e s/%5E/^/g)
        exec cp '{site}/'\"$from\" \"$to\""
    );
    for (program, call) in [
        ("curl", "curl -fsSL --proto =https --max-redirs 5 -o TMP/hello-1.0+git^1-1.x86_64.rpm"),
        ("wget", "wget -q -O TMP/hello-1.0+git^1-1.x86_64.rpm"),
    ] {
        customer.add_stand_in(program, &serve);
        let output = customer.install(&[]);
        assert!(output.status.success(), "{}", text(&output));
        let calls = customer.calls();
        assert!(calls.contains(call), "{calls}");
        assert!(
            calls.contains(" https://dist.example.org/hello/fedora/hello-1.0%2Bgit%5E1-1.x86_64.rpm\n")
                || calls.contains("TMP/"),
            "{calls}"
        );
        assert!(calls.ends_with("dnf install -y TMP/hello-1.0+git^1-1.x86_64.rpm\n"), "{calls}");
        customer.remove_program(program);
        fs_err::remove_file(customer.path("calls")).unwrap();
    }
    customer.refuses(&[], "neither curl nor wget is installed");
    // A mirror is as good as the site: the keys are pinned.
    let output = customer.install(&["--site", &format!("file://{site}")]);
    assert!(output.status.success(), "{}", text(&output));
}

#[test]
fn the_target_comes_from_os_release() {
    let Some(key) = Key::new() else { return };
    for (target, os_release) in [
        ("ubuntu 22.04", "ID=ubuntu\nVERSION_ID=\"22.04\"\n"),
        (
            "ubuntu 22.04",
            "ID=linuxmint\nID_LIKE=\"ubuntu debian\"\nVERSION_ID=\"21.3\"\nUBUNTU_CODENAME=jammy",
        ),
        ("ubuntu 22.04", "ID=pop\nID_LIKE=\"ubuntu debian\"\nVERSION_ID=\"22.04\"\n"),
        ("debian 12", "ID=linuxmint\nID_LIKE=debian\nVERSION_ID=\"6\"\nDEBIAN_CODENAME=bookworm\n"),
        ("debian trixie", "ID=debian\nVERSION_CODENAME=trixie\n"),
        ("amazon-linux 2", "ID=\"amzn\"\nID_LIKE=\"centos rhel fedora\"\nVERSION_ID=\"2\"\n"),
        ("rhel 8", "ID=\"rhel\"\nID_LIKE=\"fedora\"\nVERSION_ID=\"8.9\"\n"),
        ("rhel 9", "ID=\"almalinux\"\nID_LIKE=\"rhel centos fedora\"\nVERSION_ID=\"9.3\"\n"),
        ("alpine 3.19", "ID=alpine\nVERSION_ID=3.19.1\n"),
        ("alpine edge", "ID=alpine\nVERSION_ID=3.23.0_alpha20250612\n"),
        ("wolfi 20230201", "ID=wolfi\nVERSION_ID=\"20230201\"\n"),
        ("arch rolling", "ID=arch\nBUILD_ID=rolling\n"),
        ("arch rolling", "ID=arch\nBUILD_ID=rolling\nVERSION_ID=20250601.0.357479\n"),
        ("arch rolling", "ID=manjaro\nID_LIKE=arch\nBUILD_ID=rolling\n"),
        ("archlinux rolling", "ID=archarm\nID_LIKE=arch\n"),
    ] {
        let customer = Customer::new(&key, os_release, target, "hello_1.0_amd64.deb");
        let output = customer.install(&[]);
        assert!(output.status.success(), "{target}: {}", text(&output));
        let installing = format!("Installing hello for {}", target.replace(' ', "-"));
        assert!(text(&output).contains(&installing), "{}", text(&output));
    }
}

#[test]
fn any_umask_option_and_directory_name_gives_the_same_result() {
    let Some(key) = Key::new() else { return };
    let customer = Customer::debian(&key);
    let script = customer.path("install.sh");
    fs_err::write(&script, customer.script()).unwrap();
    let odd = customer.path("tmp/$(touch PWNED) `touch PWNED`");
    fs_err::create_dir(&odd).unwrap();
    for shell in ["/bin/dash", "/bin/bash", "/bin/sh"] {
        for setting in ["umask 077", "umask 000", "set -C", "IFS=/"] {
            let run = format!("{setting}; . '{}'", script.display());
            let output = customer.command(shell).arg("-c").arg(run).env("TMPDIR", &odd).output().unwrap();
            assert!(output.status.success(), "{shell}, {setting}: {}", text(&output));
            assert_eq!(customer.calls().matches(APT).count(), 1);
            fs_err::remove_file(customer.path("calls")).unwrap();
        }
    }
    assert!(!customer.path("PWNED").exists());
}

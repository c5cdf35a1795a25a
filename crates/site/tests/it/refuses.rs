//! What the install script does not install.

use std::io::Write as _;
use std::process::Stdio;

use packhouse_clients::text;

use crate::customer::{Customer, Key};

#[test]
fn a_package_that_was_tampered_with() {
    let Some(key) = Key::new() else { return };
    let customer = Customer::debian(&key);
    fs_err::write(&customer.package, "the packagf").unwrap();
    customer.refuses(&[], "hello_1.0_amd64.deb is not what was signed");
    customer.remove_program("gpgv");
    if customer.add_program("sqv") {
        customer.refuses(&[], "the signature of hello_1.0_amd64.deb is not valid");
        customer.remove_program("sqv");
    }
    if customer.add_program("gpg") {
        customer.refuses(&[], "hello_1.0_amd64.deb is not what was signed");
    }
}

#[test]
fn a_keyring_that_is_not_the_pinned_one() {
    let (Some(key), Some(other)) = (Key::new(), Key::new()) else { return };
    let customer = Customer::debian(&key);
    other.sign(&customer.package, &[]);
    let site = customer.package.ancestors().nth(2).unwrap().to_owned();
    fs_err::write(site.join("keyring.gpg"), other.keyring()).unwrap();
    customer.refuses(&[], "the keys on the site are not the ones that this script was made for");
}

#[test]
fn a_package_signed_by_an_unknown_key_or_not_at_all() {
    let (Some(key), Some(other)) = (Key::new(), Key::new()) else { return };
    let customer = Customer::debian(&key);
    other.sign(&customer.package, &[]);
    customer.refuses(&[], "is signed by a key that this script does not know");
    let signature = format!("{}.asc", customer.package.display());
    for bad in ["", "-----BEGIN PGP SIGNATURE-----\n", "<html>"] {
        fs_err::write(&signature, bad).unwrap();
        customer.refuses(&[], "the signature of hello_1.0_amd64.deb cannot be verified");
    }
    fs_err::remove_file(&signature).unwrap();
    customer.refuses(&[], "cannot get the signature of hello_1.0_amd64.deb");
}

#[test]
fn a_package_signed_by_a_revoked_key() {
    let Some(key) = Key::new() else { return };
    let mut customer = Customer::debian(&key);
    key.revoke();
    customer.keyring = key.keyring();
    let site = customer.package.ancestors().nth(2).unwrap().to_owned();
    fs_err::write(site.join("keyring.gpg"), &customer.keyring).unwrap();
    customer.refuses(&[], "the key that signed the list of releases is revoked");
    customer.remove_program("gpgv");
    if customer.add_program("gpg") {
        customer.refuses(&[], "the key that signed the list of releases is revoked");
        customer.remove_program("gpg");
    }
    if customer.add_program("sqv") {
        customer.refuses(&[], "the signature of the list of releases is not valid");
    }
}

#[test]
fn a_package_signed_by_an_expired_key() {
    let Some(key) = Key::with(&["--faked-system-time", "20200101T000000!"], "1y") else { return };
    let customer = Customer::debian(&key);
    customer.refuses(&[], "the key that signed the list of releases is expired");
    customer.remove_program("gpgv");
    for verifier in ["sqv", "gpg"] {
        if customer.add_program(verifier) {
            customer.refuses(&[], "the key that signed the list of releases is expired");
            customer.remove_program(verifier);
        }
    }
}

#[test]
fn a_signature_that_is_expired_weak_or_of_a_text() {
    // Made in 2020, when the signatures are made too.
    let Some(key) = Key::with(&["--faked-system-time", "20200101T000000!"], "never") else { return };
    let customer = Customer::debian(&key);
    key.sign(&customer.package, &["--default-sig-expire", "1d"]);
    customer.refuses(&[], "the signature of hello_1.0_amd64.deb is expired");
    key.sign(&customer.package, &["--digest-algo", "SHA1"]);
    customer.refuses(&[], "the signature of hello_1.0_amd64.deb is too weak");
    key.sign(&customer.package, &["--textmode"]);
    customer.refuses(&[], "the signature of hello_1.0_amd64.deb is too weak");
}

#[test]
fn a_pointer_that_is_not_the_name_of_a_package() {
    let Some(key) = Key::new() else { return };
    let customer = Customer::debian(&key);
    let name = "hello_1.0_amd64.deb";
    for pointer in [
        "",
        "\n",
        "\n\n",
        name,
        &format!("{name}\n\n"),
        &format!("{name}\n{name}\n"),
        &format!("\n{name}\n"),
        &format!("{name}\r\n"),
        &format!("{name} \n"),
        &format!("../debian/{name}\n"),
        &format!("./{name}\n"),
        "../../etc/shadow\n",
        "/etc/passwd\n",
        "https://example.com/x.deb\n",
        "-rf.deb\n",
        "--help.deb\n",
        ".hidden.deb\n",
        "$(touch PWNED).deb\n",
        "`touch PWNED`.deb\n",
        "x;touch PWNED;.deb\n",
        "x'y.deb\n",
        "x\"y.deb\n",
        "x&y.deb\n",
        "x|y.deb\n",
        "x*.deb\n",
        "x?.deb\n",
        "x\\y.deb\n",
        "x%2f.deb\n",
        "x\ty.deb\n",
        "ü.deb\n",
        "hello.txt\n",
        "hello\n",
        "deb\n",
        "hello.deb.asc\n",
        "hello.pkg.tar.zst.asc\n",
        "hello.pkg.tar.bz2\n",
        "hello.apk.exe\n",
        "../hello.tar.gz\n",
        "-hello.apk\n",
        "\u{1b}[31m.deb\n",
    ] {
        customer.point(pointer);
        customer.refuses(&[], "does not hold the name of a package");
    }
    for pointer in [&b"hello\0_1.0_amd64.deb\n"[..], b"\xff.deb\n", b"hello_1.0_amd64.deb\0\n"] {
        customer.point(pointer);
        customer.refuses(&[], "does not hold the name of a package");
    }
    customer.point("x".repeat(1 << 20));
    customer.refuses(&[], "cannot get the name of the newest package");
    assert!(!customer.path("PWNED").exists());
}

#[test]
fn rpl_01_another_signed_package_under_the_name_of_this_one() {
    let Some(key) = Key::new() else { return };
    let customer = Customer::debian(&key);
    fs_err::write(&customer.package, "an old one").unwrap();
    key.sign(&customer.package, &[]);
    let why = "is signed, and is not the package of this name that was published";
    customer.refuses(&[], why);
    customer.remove_program("gpgv");
    for verifier in ["sqv", "gpg"] {
        if customer.add_program(verifier) {
            customer.refuses(&[], why);
            customer.remove_program(verifier);
        }
    }
    // More than was published is not even fetched.
    customer.add_program("gpgv");
    fs_err::write(&customer.package, vec![b'x'; 1 << 20]).unwrap();
    key.sign(&customer.package, &[]);
    customer.refuses(&[], "cannot get hello_1.0_amd64.deb");
}

#[test]
fn a_list_of_releases_that_is_not_the_makers_or_is_old() {
    let (Some(key), Some(other)) = (Key::new(), Key::new()) else { return };
    let customer = Customer::debian(&key);
    let far = i64::from(u32::MAX);
    let list = customer.list(far);
    let good = String::from_utf8(key.clearsign(&list, &[])).unwrap();
    let is_none = "releases.asc is not a signed list of releases";
    for bad in [
        String::new(),
        list.clone(),
        format!("note\n{good}"),
        format!("\n{good}"),
        format!("{good}note\n"),
        format!("{good}{good}"),
        good.replace('\n', "\r\n"),
        good.replacen("Hash: ", "NotDashEscaped: yes\nHash: ", 1),
        good.replacen("\n\n", "\nHash: SHA256\n\n", 1),
        good.replacen("\n\n", "\n \n", 1),
        good.replacen("{\n", "-{\n", 1),
        good.replace("-----END PGP SIGNATURE-----\n", ""),
    ] {
        customer.set_list(bad.as_bytes());
        customer.refuses(&[], is_none);
    }
    customer.set_list(good.replacen("\"generation\": 7", "\"generation\": 8", 1).as_bytes());
    customer.refuses(&[], "the list of releases is not what was signed");
    customer.set_list(&other.clearsign(&list, &[]));
    customer.refuses(&[], "the list of releases is signed by a key that this script does not know");
    customer.set_list(&key.clearsign(&customer.list(1_700_000_000), &[]));
    customer.refuses(&[], "the list of releases has expired");
    customer.set_list(&key.clearsign(&list.replace("\"name\": \"hello\"", "\"name\": \"other\""), &[]));
    customer.refuses(&[], "the list of releases is another project's");
    for (from, to) in [("debian-12", "debian-13"), ("x86_64", "aarch64"), ("stable", "preview")] {
        customer.set_list(&key.clearsign(&list.replace(from, to), &[]));
        customer
            .refuses(&[], "the list of releases has no package for debian-12 on x86_64 in channel stable");
    }
    customer.set_list(&key.clearsign(&list.replace("hello_1.0_amd64.deb", "$(touch PWNED).deb"), &[]));
    customer.refuses(&[], "does not hold the name of a package");
    fs_err::remove_file(customer.package.ancestors().nth(2).unwrap().join("releases.asc")).unwrap();
    customer.refuses(&[], "cannot get the list of releases");
    assert!(!customer.path("PWNED").exists());
}

#[test]
fn an_archive_which_no_package_manager_installs() {
    let Some(key) = Key::new() else { return };
    let customer = Customer::debian(&key);
    for name in ["hello-1.0.x86_64.tar.gz", "hello.tar.xz", "hello.tar.zst", "hello.tar", "hello.zip"] {
        customer.point(format!("{name}\n"));
        customer.refuses(&[], &format!("{name} is an archive, which no package manager installs"));
        assert!(text(&customer.install(&[])).contains("verify it"));
    }
}

#[test]
fn an_apk_that_is_none() {
    let Some(key) = Key::new() else { return };
    let customer = Customer::alpine(&key, "");
    for content in ["", "the package", "\u{1f}\u{8b}"] {
        fs_err::write(&customer.package, content).unwrap();
        customer.sign(&key);
        customer.refuses(&[], "cannot read what hello-1.0-r0.apk depends on");
    }
}

#[test]
fn a_distribution_machine_or_channel_without_a_package() {
    let Some(key) = Key::new() else { return };
    let customer = Customer::debian(&key);
    for os_release in [
        "ID=gentoo\n",
        "ID=debian\nVERSION_ID=11\n",
        "",
        "ID=debian",
        "\n\n=\n",
        "ID=fedora\nID_LIKE=\"a b\"\n",
    ] {
        customer.set_os_release(os_release);
        customer.refuses(&[], "there is no package for");
    }
    customer.set_os_release("ID=debian\nVERSION_ID=12");
    customer
        .refuses(&["--channel", "preview"], "there is no package for debian-12 on x86_64 in channel preview");
    customer.refuses(&["--target", "rocky-9"], "there is no package for rocky-9");
    customer.add_stand_in("uname", "echo riscv64");
    customer.refuses(&[], "there is no package for debian-12 on riscv64 in channel stable");
}

#[test]
fn an_os_release_that_would_run_something_if_it_were_sourced() {
    let Some(key) = Key::new() else { return };
    let customer = Customer::debian(&key);
    for value in [
        "'x; touch PWNED'",
        "$(touch PWNED)",
        "`touch PWNED`",
        "\"$(touch PWNED)\"",
        "debian;touch PWNED",
        "*",
        "de[b]ian",
    ] {
        customer.set_os_release(&format!("ID={value}\nVERSION_ID=12\ntouch PWNED\n"));
        customer.refuses(&[], "has a strange ID");
    }
    assert!(!customer.path("PWNED").exists());
}

#[test]
fn arguments_that_are_not_what_they_should_be() {
    let Some(key) = Key::new() else { return };
    let customer = Customer::debian(&key);
    for arguments in [
        &["--channel", "../x"][..],
        &["--channel", ""],
        &["--channel"],
        &["--frobnicate"],
        &["x"],
        &["--site", "http://example.org"],
        &["--site", "ftp://x"],
        &["--site", "relative"],
        &["--target", "*"],
        &["--target", "$(touch PWNED)"],
    ] {
        customer.refuses(arguments, "error: ");
    }
    assert!(!customer.path("PWNED").exists());
    let output = customer.install(&["--help"]);
    assert!(output.status.success());
    assert!(text(&output).contains("\ndebian-12 x86_64 stable\n"), "{}", text(&output));
}

#[test]
fn anything_on_a_machine_without_a_verifier() {
    let Some(key) = Key::new() else { return };
    let customer = Customer::debian(&key);
    customer.remove_program("gpgv");
    customer.refuses(&[], "there is no program to verify signatures, so nothing is installed");
    let said = text(&customer.install(&[]));
    assert!(said.contains("apt-get install gpgv") && said.contains("apk add gnupg"), "{said}");
}

#[test]
fn a_script_that_was_cut_short_anywhere() {
    let Some(key) = Key::new() else { return };
    let customer = Customer::debian(&key);
    let script = customer.script().into_bytes();
    let whole = script.len() - 1; // Without the last line break it is whole.
    let shebang = b"#!/bin/sh\n".len();
    let run = |length: usize| {
        let mut command = customer.command("/bin/dash");
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // A shell that stopped reading closes the pipe.
        let _ = stdin.write_all(&script[..length]);
        drop(stdin);
        child.wait().unwrap()
    };
    let lengths: Vec<usize> = (0..whole).collect();
    let run = &run;
    std::thread::scope(|scope| {
        for part in lengths.chunks(whole.div_ceil(4)) {
            scope.spawn(move || {
                for &length in part {
                    let status = run(length);
                    assert_eq!(status.success(), length <= shebang, "the first {length} bytes");
                }
            });
        }
    });
    assert_eq!(customer.calls(), "");
    assert!(run(whole).success());
    assert!(customer.calls().starts_with("apt-get "));
}

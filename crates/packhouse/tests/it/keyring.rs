//! `packhouse key`: who may sign, and the keys themselves.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use packhouse_clients::{find, text};
use packhouse_sign::{Keyring, KeyringForm, NewAlgorithm, NewKey, Shape};

use crate::project::{Project, Run};

const DAY: Duration = Duration::from_secs(86_400);
const USER: &str = "Release <release@example.org>";

fn mode(path: &Path) -> u32 {
    fs_err::metadata(path).unwrap().permissions().mode() & 0o7777
}

/// Runs the program with arguments that hold blanks.
fn run(project: &Project, variables: &[(&str, &str)], arguments: &[&str]) -> Run {
    let mut command = project.command("");
    Run::from(command.args(arguments).envs(variables.iter().copied()).output().unwrap())
}

/// `packhouse key generate` into `keys` beside the project, without a pass phrase.
#[track_caller]
fn generate(project: &Project, more: &[&str]) -> PathBuf {
    generate_as(project, USER, "keys", more)
}

#[track_caller]
fn generate_as(project: &Project, user: &str, directory: &str, more: &[&str]) -> PathBuf {
    let output = format!("../{directory}");
    let arguments = ["key", "generate", user, "--no-passphrase", "-o", &output];
    run(project, &[], &[&arguments[..], more].concat()).ok();
    project.beside(directory)
}

/// A private home for gpg.
fn gpg(home: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new("gpg");
    command.env("GNUPGHOME", home).env("LC_ALL", "C");
    command.args(["--batch", "--no-tty", "--quiet", "--pinentry-mode", "loopback"]).args(arguments);
    let output = command.output().unwrap();
    assert!(output.status.success(), "gpg {arguments:?}: {}", text(&output));
    String::from_utf8(output.stdout).unwrap()
}

fn trusted(project: &Project) -> Keyring {
    Keyring::read(&project.path("dist/trustedkeys.gpg")).unwrap()
}

fn only_fingerprint(project: &Project) -> String {
    trusted(project).certificates()[0].fingerprint().to_string()
}

/// A key of Packhouse's, made for a test.
fn key_of(
    user_id: &str,
    algorithm: NewAlgorithm,
    shape: Shape,
    days: Option<u32>,
) -> packhouse_sign::Generated {
    let signs_for = days.map(|days| DAY * (days + 10));
    NewKey {
        user_id,
        algorithm,
        shape,
        created: SystemTime::now() - DAY * 10,
        signs_for,
        primary_for: None,
        passphrase: None,
    }
    .generate()
    .unwrap()
}

#[test]
fn a_new_key_is_five_files_of_which_the_secret_ones_are_their_owners_alone() {
    let project = Project::with_targets(&["debian/12"]);
    let directory = generate(&project, &[]);
    assert_eq!(mode(&directory), 0o700);
    for (name, expected) in [
        ("secret-key.asc", 0o600),
        ("signing-subkey.asc", 0o600),
        ("revocation.asc", 0o600),
        ("public-key.asc", 0o644),
        ("public-key.gpg", 0o644),
    ] {
        assert_eq!(mode(&directory.join(name)), expected, "{name}");
    }
    // It signs a release, with the subkey alone, and the customer's check holds.
    project.run("key add ../keys/public-key.asc").ok().prints("added  ");
    project.set("sign", "key-file = \"../keys/signing-subkey.asc\"").commit("key");
    project.run("release --all").ok().prints(&format!("({USER}"));
    project.run("verify ../site").ok();
    // Nothing is ever replaced.
    let before = fs_err::read(directory.join("secret-key.asc")).unwrap();
    let again = run(&project, &[], &["key", "generate", USER, "--no-passphrase", "-o", "../keys"]);
    again.exits(2).says("is there already, and a key is never replaced");
    assert_eq!(fs_err::read(directory.join("secret-key.asc")).unwrap(), before);
}

#[test]
fn gpg_imports_every_file_of_a_new_key_and_signs_with_it() {
    if find(["gpg", "gpgconf", "gpgv", "sqv"]).is_none() {
        return;
    }
    let project = Project::with_targets(&["debian/12"]);
    let phrase = [("PACKHOUSE_SIGNING_PASSPHRASE", "correct horse")];
    run(&project, &phrase, &["key", "generate", USER, "-o", "../keys", "--expires", "1y"])
        .ok()
        .hides("horse");
    let directory = project.beside("keys");
    let file = |name: &str| directory.join(name).display().to_string();
    for secret in ["secret-key.asc", "signing-subkey.asc"] {
        let home = tempfile::Builder::new().prefix("ph-").tempdir_in("/tmp").unwrap();
        let data = home.path().join("data");
        let signature = home.path().join("data.sig");
        fs_err::write(&data, "data").unwrap();
        gpg(home.path(), &["--passphrase", "correct horse", "--import", &file(secret)]);
        let sign =
            ["--passphrase", "correct horse", "--output", signature.to_str().unwrap(), "--detach-sign"];
        gpg(home.path(), &[&sign[..], &[data.to_str().unwrap()]].concat());
        for (program, flag) in [("gpgv", "--keyring"), ("sqv", "--keyring")] {
            let [client] = find([program]).unwrap();
            let mut command = client.command();
            command.arg(flag).arg(directory.join("public-key.gpg")).arg(&signature).arg(&data);
            let output = command.output().unwrap();
            assert!(output.status.success(), "{program}: {}", text(&output));
        }
        gpg(home.path(), &["--import", &file("revocation.asc")]);
        assert!(gpg(home.path(), &["--with-colons", "--list-keys"]).contains("pub:r:"));
        let _ = Command::new("gpgconf").env("GNUPGHOME", home.path()).args(["--kill", "all"]).output();
    }
}

#[test]
fn a_key_without_protection_or_in_a_project_must_be_asked_for() {
    let project = Project::with_targets(&["debian/12"]);
    let unprotected = run(&project, &[], &["key", "generate", USER, "-o", "../keys"]);
    unprotected.exits(2).says("no pass phrase protects the new key").says("--no-passphrase");
    assert!(!project.beside("keys").exists());
    let inside = run(&project, &[], &["key", "generate", USER, "--no-passphrase", "-o", "keys"]);
    inside.exits(2).says("where builds and Git would find it");
    assert!(!project.path("keys").exists());
    for wrong in [["--expires", "soon"], ["--expires", "0d"]] {
        run(&project, &[], &[&["key", "generate", USER, "--no-passphrase"][..], &wrong].concat()).exits(2);
    }
    run(&project, &[], &["key", "generate", "a\nb", "--no-passphrase"])
        .exits(1)
        .says("cannot be a key's user id");
}

#[test]
fn an_apk_key_is_a_pair_of_pem_files_named_as_abuild_does() {
    let Some([openssl]) = find(["openssl"]) else { return };
    let project = Project::with_targets(&["debian/12"]);
    let made =
        run(&project, &[], &["--json", "key", "generate", "--apk", "release@example.org", "-o", "../apk"])
            .ok();
    let document = &made.documents()[0];
    let secret = PathBuf::from(document["secret"].as_str().unwrap());
    let public = PathBuf::from(document["public"].as_str().unwrap());
    assert_eq!((mode(&secret), mode(&public)), (0o600, 0o644));
    assert_eq!(public.display().to_string(), format!("{}.pub", secret.display()));
    assert!(secret.file_name().unwrap().to_str().unwrap().starts_with("release@example.org-"));
    openssl.run(["rsa", "-in", secret.to_str().unwrap(), "-check", "-noout"]);
    openssl.run(["rsa", "-pubin", "-in", public.to_str().unwrap(), "-noout"]);
    for name in ["", "../x", "a/b", "-x", ".x", "a b", "é"] {
        run(&project, &[], &["key", "generate", "--apk", "-o", "../apk", "--", name])
            .exits(2)
            .says("cannot be the name");
    }
}

#[test]
fn the_list_says_whose_keys_they_are_until_when_and_what_they_last_signed() {
    let project = Project::with_targets(&["debian/12"]);
    generate(&project, &[]);
    project.run("key add ../keys/public-key.gpg").ok();
    project.set("sign", "key-file = \"../keys/signing-subkey.asc\"").commit("key");
    let list =
        project.run("key list").ok().prints(USER).prints("Ed25519").prints("signs        by its subkey");
    list.says("what was last signed is not known");
    project.run("key list --offline").ok().hides("last used");
    project.run("release --all").ok();
    let package = project.packages().remove(0);
    project.run("key list").ok().prints(&format!("last used    {package}"));

    let document = project.run("--json key list").ok().documents().remove(0);
    let key = &document["keys"][0];
    assert_eq!(key["fingerprint"], only_fingerprint(&project));
    assert_eq!((&key["can-sign"], &key["last-used"]["package"]), (&true.into(), &package.into()));
    assert_eq!(key["parts"][0]["purposes"], serde_json::json!(["certify"]));
    assert_eq!(key["parts"][1]["purposes"], serde_json::json!(["sign"]));
    assert_eq!(key["signing-key"], key["parts"][1]["fingerprint"]);
    assert_eq!((&key["expires"], &key["revoked"]), (&serde_json::Value::Null, &serde_json::Value::Null));
    // The grouped form is what people compare.
    let grouped = trusted(&project).certificates()[0].fingerprint().grouped();
    project.run("key list").ok().prints(&grouped);
    // Any other keyring, without a project.
    let outside = project.beside("keys");
    let mut command = project.command("key list --keyring public-key.asc");
    Run::from(command.current_dir(&outside).output().unwrap()).ok().prints(USER);
}

#[test]
fn keys_are_added_to_a_plain_binary_keyring_that_all_may_read() {
    let project = Project::with_targets(&["debian/12"]);
    project.run("key list").exits(2).says("`packhouse key add FILE` makes it");
    generate_as(&project, "One <1@example.org>", "one", &[]);
    generate_as(&project, "Two <2@example.org>", "two", &[]);
    project.run("key add ../one/public-key.asc ../two/public-key.gpg").ok();
    let path = project.path("dist/trustedkeys.gpg");
    assert_eq!(mode(&path), 0o644);
    let bytes = fs_err::read(&path).unwrap();
    assert_eq!(KeyringForm::of(&bytes), KeyringForm::Binary);
    assert_eq!(trusted(&project).certificates().len(), 2);
    project.run("key add ../one/public-key.gpg").ok().prints("known  ");
    assert_eq!(fs_err::read(&path).unwrap(), bytes);
    if let Some([sqv, gpg]) = find(["sqv", "gpg"]) {
        let help = text(&sqv.command().arg("--help").output().unwrap());
        assert!(help.contains("keyring"));
        let shown = gpg.run(["--show-keys", path.to_str().unwrap()]);
        assert!(shown.contains("One <1@example.org>") && shown.contains("Two <2@example.org>"), "{shown}");
    }
    // Nothing unfinished is left beside it.
    let left: Vec<_> =
        fs_err::read_dir(project.path("dist")).unwrap().flatten().map(|it| it.file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().contains("unfinished")), "{left:?}");
}

#[test]
fn secret_keys_weak_keys_and_web_pages_are_not_added() {
    let project = Project::with_targets(&["debian/12"]);
    generate(&project, &[]);
    let refused = |file: &str, sentence: &str| {
        project.run(&format!("key add {file}")).exits(1).says(sentence);
        assert!(!project.path("dist/trustedkeys.gpg").exists());
    };
    refused("../keys/secret-key.asc", "SECRET key");
    refused("../keys/signing-subkey.asc", "SECRET key");
    refused("../keys/revocation.asc", "there is no public key in it");
    fs_err::write(project.beside("page"), "<html>").unwrap();
    refused("../page", "it is a web page");
    let expired = key_of("Old <old@example.org>", NewAlgorithm::Ed25519, Shape::SigningSubkey, Some(0));
    fs_err::write(project.beside("old"), expired.certificate.to_binary()).unwrap();
    refused("../old", "expired on");
    if find(["gpg", "gpgconf"]).is_some() {
        let home = tempfile::Builder::new().prefix("ph-").tempdir_in("/tmp").unwrap();
        gpg(
            home.path(),
            &["--passphrase", "", "--quick-gen-key", "Short <s@example.org>", "rsa1024", "sign", "0"],
        );
        let path = project.beside("short").display().to_string();
        gpg(home.path(), &["--output", &path, "--export"]);
        let _ = Command::new("gpgconf").env("GNUPGHOME", home.path()).args(["--kill", "all"]).output();
        refused("../short", "RSA-1024, which is not accepted");
    }
    // One that is bad keeps the good ones out, too: nothing is half done.
    refused("../keys/public-key.asc ../page", "it is a web page");
}

#[test]
fn key_08_an_update_brings_its_revocation_and_an_older_copy_does_not_take_it_away() {
    let project = Project::with_targets(&["debian/12"]);
    generate(&project, &[]);
    generate_as(&project, "Other <other@example.org>", "other", &[]);
    project.run("key add ../keys/public-key.asc ../other/public-key.asc").ok();
    // Somewhere else the key is revoked, and that copy comes here.
    let file = project.beside("elsewhere.gpg");
    fs_err::copy(project.path("dist/trustedkeys.gpg"), &file).unwrap();
    project.run("key revoke ../keys/revocation.asc --keyring ../elsewhere.gpg").ok();
    project.run("key add ../elsewhere.gpg").ok().prints("updated  ").says("cannot sign");
    assert!(trusted(&project).certificates()[0].is_revoked());
    project.run("key add ../keys/public-key.asc").ok().prints("known  ");
    assert!(trusted(&project).certificates()[0].is_revoked());
    project.run("key list").ok().prints("REVOKED").prints("CANNOT SIGN");
}

#[test]
fn a_keybox_is_written_anew_as_plain_openpgp_and_that_is_said() {
    let Some(key) = crate::gnupg::key("Keybox <keybox@example.org>") else { return };
    let project = Project::with_targets(&["debian/12"]);
    fs_err::write(project.path("dist/trustedkeys.gpg"), &key.keybox).unwrap();
    generate(&project, &[]);
    project.run("key add ../keys/public-key.asc").ok().says("was a GnuPG keybox").says("it is binary now");
    let bytes = fs_err::read(project.path("dist/trustedkeys.gpg")).unwrap();
    assert_eq!(KeyringForm::of(&bytes), KeyringForm::Binary);
    assert_eq!(trusted(&project).certificates().len(), 2);
    // Where the name says that it is armored it stays so: apt goes by the name.
    let armored = trusted(&project).to_armored();
    fs_err::write(project.beside("ring.asc"), armored).unwrap();
    let fingerprint = key.fingerprint.clone();
    project.run(&format!("key remove {fingerprint} --keyring ../ring.asc")).ok();
    assert_eq!(KeyringForm::of(&fs_err::read(project.beside("ring.asc")).unwrap()), KeyringForm::Armored);
}

#[test]
fn the_last_key_and_the_one_that_signs_are_removed_by_force_only() {
    let project = Project::with_targets(&["debian/12"]);
    generate(&project, &[]);
    generate_as(&project, "Other <other@example.org>", "other", &[]);
    project.run("key add ../keys/public-key.asc").ok();
    let first = only_fingerprint(&project);
    project.run(&format!("key remove {first}")).exits(2).says("is the only key");
    project.run("key add ../other/public-key.asc").ok();
    project.set("sign", "key-file = \"../keys/signing-subkey.asc\"").commit("key");
    project.run(&format!("key remove {first}")).exits(2).says("is a key that signs").says("key rotate");
    let other = trusted(&project).certificates()[1].clone();
    let subkey = other.fingerprints()[1].to_string();
    project.run(&format!("key remove {subkey}")).exits(2).says("is a subkey of");
    project.run(&format!("key remove {}", "A".repeat(40))).exits(2).says("is not in");
    project.run("key remove release@example.org").exits(1).says("is not the fingerprint of a key");
    project.run(&format!("key remove {}", other.fingerprint())).ok();
    assert_eq!(only_fingerprint(&project), first);
    project.run(&format!("key remove {first} --force")).ok();
    assert!(!project.path("dist/trustedkeys.gpg").exists());
}

#[test]
fn key_07_a_revoked_key_signs_nothing_and_its_reason_decides_about_what_it_signed() {
    for (reason, is_hard) in [("superseded", false), ("compromised", true)] {
        let project = Project::with_targets(&["debian/12"]);
        generate(&project, &[]);
        project.run("key add ../keys/public-key.asc").ok();
        project.set("sign", "key-file = \"../keys/signing-subkey.asc\"").commit("key");
        project.run("release --all").ok();
        std::thread::sleep(Duration::from_millis(1100)); // OpenPGP counts in seconds: the revocation must be later
        let subkey =
            project.run(&format!("key revoke --key-file ../keys/signing-subkey.asc --reason {reason}"));
        subkey.exits(1).says("the secret of the primary key");
        project
            .run(&format!("key revoke --key-file ../keys/secret-key.asc --reason {reason} --text replaced"))
            .ok()
            .prints(&format!("{reason} (replaced)"));
        project.commit("revoked");
        project.run("release --all").exits(1).says("was revoked on");
        let verified = project.run("verify ../site");
        assert_eq!(verified.status, Some(i32::from(is_hard)), "{reason}: {}", verified.stderr);
    }
}

#[test]
fn keys_are_exported_by_fingerprint_whole_and_for_each_package_manager() {
    let project = Project::with_targets(&["debian/12"]);
    for (user, directory) in [("One <1@example.org>", "one"), ("Two <2@example.org>", "two")] {
        generate_as(&project, user, directory, &["--algorithm", "rsa3072", "--single"]);
        project.run(&format!("key add ../{directory}/public-key.asc")).ok();
    }
    let keys: Vec<String> =
        trusted(&project).certificates().iter().map(|key| key.fingerprint().to_string()).collect();
    let count = |path: &str| Keyring::read(&project.path(path)).unwrap().certificates().len();
    project.run(&format!("key export {} -o one.gpg", keys[0])).ok();
    project.run("key export --all --armor -o all.asc").ok();
    assert_eq!((count("one.gpg"), count("all.asc")), (1, 2));
    project.run(&format!("key export {}", "A".repeat(40))).exits(2).says("is not in");

    let run = project.run("key export --for apt -o out").ok();
    assert_eq!(run.stdout.trim_end(), project.path("out/hello-archive-keyring.gpg").display().to_string());
    assert_eq!(mode(&project.path("out/hello-archive-keyring.gpg")), 0o644);
    project.run("key export --for apt --armor -o out").ok().prints("hello-archive-keyring.asc");
    let files = project.run("key export --for rpm -o out").ok();
    let names: Vec<&str> = files.stdout.lines().collect();
    assert_eq!(names.len(), 2, "{names:?}");
    for name in &names {
        assert_eq!(Keyring::read(Path::new(name)).unwrap().certificates().len(), 1);
    }
    if let Some([rpmkeys]) = find(["rpmkeys"]) {
        let database = project.beside("rpmdb").display().to_string();
        for name in &names {
            rpmkeys.run(["--dbpath", &database, "--import", name]);
        }
    }

    project.run("key revoke ../two/revocation.asc").ok();
    project.run("key export --for pacman -o out").ok();
    assert_eq!(project.read("out/hello-trusted"), format!("{}:4:\n", keys[0]));
    assert_eq!(project.read("out/hello-revoked"), format!("{}\n", keys[1]));
    assert_eq!(count("out/hello.gpg"), 2);
    let rpm = project.run("key export --for rpm -o only").ok().says("is revoked and not for rpm");
    assert!(rpm.stdout.trim_end().ends_with("RPM-GPG-KEY-hello"), "{}", rpm.stdout);
}

#[test]
fn key_06_a_key_that_ends_soon_is_a_warning_and_within_a_week_an_error() {
    for (days, status, word) in
        [(5, 1, "error"), (20, 0, "warning"), (80, 0, "warning"), (200, 0, "lasts for")]
    {
        let project = Project::with_targets(&["debian/12"]);
        let key = key_of(USER, NewAlgorithm::Ed25519, Shape::SigningSubkey, Some(days));
        fs_err::write(project.beside("key"), key.certificate.to_binary()).unwrap();
        project.run("key add ../key").ok();
        let check = project.run("key check").exits(status).prints(word);
        assert_eq!(check.stdout.contains("its signing subkey expires in"), days < 90, "{}", check.stdout);
        if days == 20 {
            project.run("key check --within 30").exits(1).prints("--quick-set-expire");
            let document = project.run("--json key check").ok().documents().remove(0);
            assert_eq!(
                (&document["ok"], &document["findings"][0]["severity"]),
                (&true.into(), &"warning".into())
            );
        }
    }
    // Expired meanwhile.
    let project = Project::with_targets(&["debian/12"]);
    let key = key_of(USER, NewAlgorithm::Ed25519, Shape::SigningSubkey, Some(0));
    fs_err::write(project.path("dist/trustedkeys.gpg"), key.certificate.to_binary()).unwrap();
    project.run("key check").exits(1).prints("no key of the keyring can sign").prints("expired on");
}

#[test]
fn the_clients_of_the_targets_are_asked_whether_they_can_use_the_key() {
    let targets =
        ["debian/12", "debian/13", "ubuntu/16.04", "centos/7", "rocky/8", "fedora/44", "alpine/3.22"];
    let project = Project::with_targets(&targets);
    let ring = |key: &packhouse_sign::Generated| {
        fs_err::write(project.path("dist/trustedkeys.gpg"), key.certificate.to_binary()).unwrap();
        let run = project.run("--json key check");
        let document = run.documents().remove(0);
        let findings = document["findings"].as_array().unwrap().clone();
        let of = |target: &str| -> Vec<String> {
            let about = findings
                .iter()
                .filter(|finding| finding["targets"].as_array().unwrap().iter().any(|name| name == target));
            about.map(|finding| finding["message"].as_str().unwrap().to_owned()).collect()
        };
        (run.status, targets.map(|target| of(&target.replace('/', "-"))))
    };
    let key = key_of(USER, NewAlgorithm::Ed25519, Shape::SigningSubkey, None);
    let (status, [debian_12, debian_13, xenial, centos, rocky, fedora, alpine]) = ring(&key);
    assert_eq!(status, Some(1));
    assert!(debian_12.is_empty() && debian_13.is_empty() && fedora.is_empty() && alpine.len() == 1);
    assert!(
        xenial.len() == 1 && xenial[0].contains("Ed25519, which apt with gpgv 1.4 refuses"),
        "{xenial:?}"
    );
    assert!(rocky.len() == 1 && rocky[0].contains("rpm 4.14"), "{rocky:?}");
    assert!(centos.len() == 2 && centos[1].contains("a subkey signs"), "{centos:?}");

    let key = key_of(USER, NewAlgorithm::Rsa3072, Shape::SigningSubkey, None);
    let (status, [.., centos, rocky, _, _]) = ring(&key);
    assert_eq!((status, centos.len(), rocky.len()), (Some(1), 1, 0));

    let key = key_of(USER, NewAlgorithm::Rsa3072, Shape::Single, None);
    let (status, findings) = ring(&key);
    assert!(status == Some(0) && findings[..6].iter().all(Vec::is_empty), "{findings:?}");
    // apk has a key of its own.
    project.run("key check").ok().prints("warning: there is no RSA key for apk");
    run(&project, &[], &["key", "generate", "--apk", "hello@example.org", "-o", "../apk"]).ok();
    let secret =
        crate::project::names(&project.beside("apk")).into_iter().find(|name| name.ends_with(".rsa"));
    project.set("sign", &format!("apk-key = \"../apk/{}\"", secret.unwrap()));
    project.run("key check").ok().prints("can be used by the clients of all 7 targets");
    let exported = project.run("key export --for apk -o out").ok();
    assert!(exported.stdout.trim_end().ends_with(".rsa.pub"), "{}", exported.stdout);
    let public = fs_err::read(exported.stdout.trim_end()).unwrap();
    assert_eq!(
        public,
        fs_err::read(project.beside("apk").join(Path::new(exported.stdout.trim_end()).file_name().unwrap()))
            .unwrap()
    );
    // Each finding has its reason, its fix and where it is from.
    let key = key_of(USER, NewAlgorithm::Ed25519, Shape::Single, None);
    fs_err::write(project.path("dist/trustedkeys.gpg"), key.certificate.to_binary()).unwrap();
    project
        .run("key check")
        .exits(1)
        .prints("help: sign with RSA")
        .prints("see: https://")
        .prints("targets: rocky-8");
}

#[test]
fn a_key_that_signs_and_is_not_trusted_is_an_error_and_a_keybox_a_warning() {
    let project = Project::with_targets(&["debian/13"]);
    generate(&project, &[]);
    generate_as(&project, "Other <other@example.org>", "other", &[]);
    project.run("key add ../keys/public-key.asc").ok();
    project.set("sign", "key-file = \"../other/signing-subkey.asc\"").commit("key");
    project.run("key check").exits(1).prints("is not in the keyring");

    let Some(key) = crate::gnupg::key("Keybox <keybox@example.org>") else { return };
    let project = Project::with_targets(&["debian/12", "debian/13"]);
    fs_err::write(project.path("dist/trustedkeys.gpg"), &key.keybox).unwrap();
    let check =
        project.run("key check").ok().prints("the keyring is a GnuPG keybox, which apt with sqv refuses");
    assert!(check.stdout.contains("targets: debian-13\n"), "{}", check.stdout);
}

#[test]
fn secrets_stay_out_of_what_is_printed() {
    let project = Project::with_targets(&["debian/12"]);
    let phrase = [("PACKHOUSE_SIGNING_PASSPHRASE", "open sesame")];
    let made = run(&project, &phrase, &["-v", "key", "generate", USER, "-o", "../keys"]).ok().hides("sesame");
    let secret = fs_err::read_to_string(project.beside("keys/secret-key.asc")).unwrap();
    let line = secret.lines().nth(4).unwrap().to_owned();
    made.hides(&line);
    let wrong = [("PACKHOUSE_SIGNING_PASSPHRASE", "open barley")];
    project.run("key add ../keys/public-key.asc").ok();
    let revoke = ["key", "revoke", "--key-file", "../keys/secret-key.asc", "--reason", "retired"];
    run(&project, &wrong, &revoke).exits(1).says("does not open").hides("barley").hides(&line);
    run(&project, &phrase, &revoke).ok().hides("sesame").hides(&line);
}

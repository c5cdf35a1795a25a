//! Which key signs, and who may.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, SystemTime};

use packhouse_sign::{Keyring, generate};

use crate::gnupg::Key;
use crate::project::{Project, Run, names};

fn secret_file(path: &Path, text: &str, mode: u32) {
    fs_err::write(path, text).unwrap();
    fs_err::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// A project that trusts a keyring.
fn trusting(keyring: &[u8]) -> Project {
    let project = Project::with_targets(&["debian/12"]);
    fs_err::write(project.path("dist/trustedkeys.gpg"), keyring).unwrap();
    project.commit("trust");
    project
}

/// Expects that the key is refused before anything is built or written.
#[track_caller]
fn refused(project: &Project, run: Run, sentence: &str) {
    assert!(matches!(run.status, Some(1 | 2)), "{:?}: {}", run.status, run.stderr);
    run.says(sentence);
    assert!(!project.path("pkg/logs/debian-12.log").exists(), "it was built all the same");
    assert!(!project.site().join("releases.json").exists(), "it was published all the same");
}

#[test]
fn without_a_key_one_is_generated_kept_safe_and_named_each_time() {
    let project = Project::with_targets(&["debian/12"]);
    let run = project.run("release --all").ok().says("signing with a new development key of this machine");
    let path = project.beside("home/.local/share/packhouse/development-key.asc");
    assert!(run.stderr.contains(&path.display().to_string()));
    assert_eq!(fs_err::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs_err::metadata(path.parent().unwrap()).unwrap().permissions().mode() & 0o777, 0o700);
    let key = fs_err::read(&path).unwrap();
    project.run("release --all").ok().says("signing with the development key of this machine");
    assert_eq!(fs_err::read(&path).unwrap(), key);
    // Neither the tree nor the site has the secret part.
    for directory in [project.path(""), project.site()] {
        for name in names(&directory) {
            let text = fs_err::read(directory.join(&name)).unwrap_or_default();
            assert!(!String::from_utf8_lossy(&text).contains("PRIVATE KEY"), "{name}");
        }
    }
}

#[test]
fn a_key_file_signs_and_one_that_others_can_read_does_not() {
    let Some(key) = crate::gnupg::key("File <file@example.org>") else { return };
    let project = trusting(&key.public);
    project.set("sign", "key-file = \"../key.asc\"").commit("key");
    secret_file(&project.beside("key.asc"), &key.secret(""), 0o644);
    refused(&project, project.run("release --all"), "key.asc");
    secret_file(&project.beside("key.asc"), &key.secret(""), 0o600);
    project.run("release --all").ok().prints("(File <file@example.org>");
    project.run("verify ../site").ok();
}

#[test]
fn the_environments_key_wins_over_the_projects() {
    let Some(key) = crate::gnupg::key("Variable <variable@example.org>") else { return };
    let project = trusting(&key.public);
    project.set("sign", "key-file = \"../missing.asc\"").commit("key");
    let run = project.run_with(&[("PACKHOUSE_SIGNING_KEY", &key.secret(""))], "release --all");
    run.ok().prints("(Variable <variable@example.org>");
}

#[test]
fn a_pass_phrase_comes_from_the_environment_or_a_file() {
    let Some(key) = crate::gnupg::protected_key("Phrase <phrase@example.org>", "open sesame") else { return };
    let project = trusting(&key.public);
    let secret = ("PACKHOUSE_SIGNING_KEY", &*key.secret("open sesame"));
    refused(&project, project.run_with(&[secret], "release --all"), "needs its pass phrase");
    let wrong = ("PACKHOUSE_SIGNING_PASSPHRASE", "open barley");
    refused(&project, project.run_with(&[secret, wrong], "release --all"), "does not open");

    project.run_with(&[secret, ("PACKHOUSE_SIGNING_PASSPHRASE", "open sesame")], "release --all").ok();
    fs_err::remove_dir_all(project.path("pkg")).unwrap();
    let file = project.beside("phrase");
    secret_file(&file, "open sesame\n", 0o600);
    let file = ("PACKHOUSE_SIGNING_PASSPHRASE_FILE", file.to_str().unwrap());
    project.run_with(&[secret, file], "release --all").ok();
}

#[test]
fn a_fingerprint_means_the_key_of_gnupg() {
    let Some(key) = crate::gnupg::key("GnuPG <gnupg@example.org>") else { return };
    let Some(_another) = crate::gnupg::key("Another <another@example.org>") else { return };
    let project = trusting(&key.public);
    project.set("sign", &format!("key = \"{}\"", key.fingerprint)).commit("key");
    let home = key.home().display().to_string();
    let gnupg = [("GNUPGHOME", &*home)];
    project.run_with(&gnupg, "release --all").ok().prints("(GnuPG <gnupg@example.org>");
    project.run("verify ../site").ok();
    // Nothing falls back to another key.
    let project = trusting(&key.public);
    project.set("sign", &format!("key = \"{}\"", "A".repeat(40))).commit("key");
    refused(&project, project.run_with(&gnupg, "release --all"), "GnuPG has no key");
}

#[test]
fn a_keybox_says_who_may_sign() {
    let Some(key) = crate::gnupg::key("Keybox <keybox@example.org>") else { return };
    let project = trusting(&key.keybox);
    project.run_with(&[("PACKHOUSE_SIGNING_KEY", &key.secret(""))], "release --all").ok();
    project.run("verify ../site").ok();
    // Customers get a form that every client reads.
    let published = fs_err::read(project.site().join("keyring.gpg")).unwrap();
    assert!(!published.windows(4).any(|bytes| bytes == b"KBXf"));
    assert_eq!(Keyring::parse(&published).unwrap().certificates().len(), 1);
}

#[test]
fn a_key_that_is_not_in_the_keyring_is_refused_before_anything_is_built() {
    let (Some(key), Some(other)) =
        (crate::gnupg::key("A <a@example.org>"), crate::gnupg::key("B <b@example.org>"))
    else {
        return;
    };
    let project = trusting(&other.public);
    let run = project.run_with(&[("PACKHOUSE_SIGNING_KEY", &key.secret(""))], "release --all");
    refused(&project, run, "is not in");
    // Nor does the development key of the machine sign what others are trusted with.
    refused(&project, project.run("release --all"), "is not in");
}

#[test]
fn an_expired_key_is_refused_before_anything_is_built() {
    let day = Duration::from_secs(86_400);
    let key = generate("Old <old@example.org>", SystemTime::now() - day * 20, Some(day * 10)).unwrap();
    let secret = String::from_utf8(key.secret.expose().to_vec()).unwrap();
    let project = trusting(&Keyring::from_certificates([key.certificate]).to_binary());
    let run = project.run_with(&[("PACKHOUSE_SIGNING_KEY", &secret)], "release --all");
    refused(&project, run, "expired on");
}

#[test]
fn a_key_that_the_keyring_knows_as_revoked_is_refused_before_anything_is_built() {
    let Some(key) = crate::gnupg::key("Revoked <revoked@example.org>") else { return };
    let project = trusting(&key.revoked);
    let run = project.run_with(&[("PACKHOUSE_SIGNING_KEY", &key.secret(""))], "release --all");
    refused(&project, run, "was revoked on");
}

#[test]
fn without_a_keyring_the_help_says_how_to_make_one_and_that_works() {
    let Some(key) = crate::gnupg::key("First <first@example.org>") else { return };
    let project = Project::with_targets(&["debian/12"]);
    let secret = [("PACKHOUSE_SIGNING_KEY", &*key.secret(""))];
    let command = "packhouse key export -o dist/trustedkeys.gpg";
    refused(&project, project.run_with(&secret, "release --all"), command);
    project.run_with(&secret, command.strip_prefix("packhouse ").unwrap()).ok();
    project.commit("trust");
    project.run_with(&secret, "release --all").ok();
    // An existing keyring is never replaced.
    project.run_with(&secret, command.strip_prefix("packhouse ").unwrap()).exits(1).says("trustedkeys.gpg");
}

#[test]
fn a_signature_by_somebody_else_is_not_published() {
    let (Some(key), Some(other)) =
        (crate::gnupg::key("A <a@example.org>"), crate::gnupg::key("B <b@example.org>"))
    else {
        return;
    };
    let project = trusting(&key.public);
    let secret = [("PACKHOUSE_SIGNING_KEY", &*key.secret(""))];
    project.run_with(&secret, "build --all").ok();
    let package = project.path("pkg").join(&project.packages()[0]);
    let forged = |by: &Key, content: &[u8]| {
        fs_err::write(format!("{}.asc", package.display()), by.sign(content)).unwrap();
        project.run_with(&secret, "publish --all").exits(1)
    };
    let bytes = fs_err::read(&package).unwrap();
    forged(&other, &bytes).says("is not published").says("a key that is not in the keyring");
    forged(&key, b"other content").says("is not published").says("the content is not what");
    assert!(!project.site().join("releases.json").exists());
}

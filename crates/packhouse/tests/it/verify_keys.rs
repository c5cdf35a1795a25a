//! `KEY`: whom `verify` believes, seen from outside; what single signatures are worth is in `crates/sign`.

use std::time::{Duration, SystemTime};

use packhouse_sign::{Generated, KeySource, Keyring, Secret, Signer, generate};

use crate::project::Project;

const DAY: Duration = Duration::from_secs(86_400);

fn key(created: SystemTime, life: Option<Duration>) -> (Box<dyn Signer>, Secret) {
    let Generated { secret, .. } = generate("Release <release@example.org>", created, life).unwrap();
    let armored = Secret::new(secret.expose());
    (KeySource::Text { armored, passphrase: None }.open(created + DAY).unwrap(), secret)
}

fn keyring(project: &Project, name: &str, signers: &[&dyn Signer]) {
    let keyring = Keyring::from_certificates(signers.iter().map(|signer| signer.certificate().clone()));
    fs_err::write(project.path(name), keyring.to_binary()).unwrap();
}

#[test]
fn key_02_a_key_of_the_users_own_gnupg_is_not_trusted() {
    let Some(key) = crate::gnupg::key("Mine <mine@example.org>") else { return };
    let Some(other) = crate::gnupg::key("Theirs <theirs@example.org>") else { return };
    let project = Project::empty();
    project.write("app.bin", "content").write("app.bin.asc", &key.sign(b"content"));
    fs_err::write(project.path("keyring.gpg"), &other.public).unwrap();
    let home = key.home().display().to_string();
    let run = project.run_with(&[("GNUPGHOME", &home)], "verify app.bin --keyring keyring.gpg");
    run.exits(1).says("not in the keyring");
}

#[test]
fn key_06_an_expired_key_is_good_as_of_then_only() {
    let made = SystemTime::now() - DAY * 30;
    let (signer, _) = key(made, Some(DAY * 10));
    let project = Project::empty();
    keyring(&project, "keyring.gpg", &[signer.as_ref()]);
    let signature = signer.detached(&mut &b"content"[..], made + DAY * 2).unwrap();
    project.write("app.bin", "content").write("app.bin.asc", &signature);
    project.run("verify app.bin --keyring keyring.gpg").exits(1).says("expired on");
    let then = jiff::Timestamp::try_from(made + DAY * 5).unwrap();
    project.run(&format!("verify app.bin --keyring keyring.gpg --at {then}")).ok();
    let before = jiff::Timestamp::try_from(made + DAY).unwrap();
    project.run(&format!("verify app.bin --keyring keyring.gpg --at {before}")).exits(1);
    project.run("verify app.bin --keyring keyring.gpg --at yesterday").exits(2).says("is no time");
}

#[test]
fn key_17_what_a_revoked_or_removed_key_signed_is_refused() {
    let Some(old) = crate::gnupg::key("Old <old@example.org>") else { return };
    let (new, _) = key(SystemTime::now() - DAY * 3, None);
    let project = Project::empty();
    project.write("app.bin", "content").write("app.bin.asc", &old.sign(b"content"));
    let next = Keyring::from_certificates([new.certificate().clone()]).to_binary();
    let verify = |keyring: &[u8]| {
        fs_err::write(project.path("keyring.gpg"), keyring).unwrap();
        project.run("verify app.bin --keyring keyring.gpg")
    };
    verify(&[&old.public[..], &next].concat()).ok();
    verify(&[&old.revoked[..], &next].concat()).exits(1).says("was revoked on");
    verify(&next).exits(1).says("not in the keyring");
    // Signed anew, it is good, whatever the old key is.
    let signature = new.detached(&mut &b"content"[..], SystemTime::now()).unwrap();
    project.write("app.bin.asc", &signature);
    verify(&[&old.revoked[..], &next].concat()).ok().prints("Release <release@example.org>");
}

#[test]
fn key_18_a_sites_own_keyring_is_not_trusted_but_compared() {
    let project = Project::new();
    project.run("release --all").ok();
    let (attacker, _) = key(SystemTime::now() - DAY * 3, None);
    let deb = crate::project::names(&project.site()).into_iter().find(|name| name.ends_with(".deb")).unwrap();
    let path = project.site().join(&deb);
    let good = fs_err::read(&path).unwrap();
    // The attacker's key in the site's keyring makes nothing of the attacker's good.
    let theirs = Keyring::from_certificates([attacker.certificate().clone()]);
    fs_err::write(project.site().join("keyring.gpg"), theirs.to_binary()).unwrap();
    fs_err::write(project.site().join("keyring.asc"), theirs.to_armored()).unwrap();
    let signature = attacker.detached(&mut &good[..], SystemTime::now()).unwrap();
    fs_err::write(format!("{}.asc", path.display()), signature).unwrap();
    project.run(&format!("verify {}", path.display())).exits(1).says("not in the keyring");
    let run = project.run("verify ../site").exits(1);
    run.says("`keyring.gpg` is not the one that was signed").says("not in the keyring");
}

#[test]
fn key_22_a_file_name_cannot_write_to_the_terminal() {
    let (signer, _) = key(SystemTime::now() - DAY * 3, None);
    let project = Project::empty();
    keyring(&project, "keyring.gpg", &[signer.as_ref()]);
    let signature = signer.detached(&mut &b"content"[..], SystemTime::now()).unwrap();
    let name = "a\u{1b}[2J\n[GNUPG:]_VALIDSIG_\u{202e}.bin";
    for (content, status) in [("content", 0), ("changed", 1)] {
        project.write(name, content).write(&format!("{name}.asc"), &signature);
        let mut command = project.command("verify --keyring keyring.gpg");
        let run = crate::project::Run::from(command.arg(name).output().unwrap()).exits(status);
        for text in [&run.stdout, &run.stderr] {
            assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'), "{text:?}");
            assert!(!text.contains("\n[GNUPG:]"), "{text:?}");
        }
    }
}

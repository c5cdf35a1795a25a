//! `packhouse verify FILE`: what a customer checks, and the sentence when it does not hold.

use std::time::{Duration, SystemTime};

use packhouse_sign::{Generated, KeySource, Keyring, Secret, generate};

use crate::project::{Project, Run};

const DAY: Duration = Duration::from_secs(86_400);

/// A directory with a file, signed by a key of the test's own.
struct Signed {
    project: Project,
}

impl Signed {
    /// By a key that was made `age` ago and is valid for `life`, back when it was valid.
    fn new(age: Duration, life: Option<Duration>) -> Signed {
        let then = SystemTime::now() - age;
        let Generated { secret, certificate, .. } =
            generate("Release <release@example.org>", then, life).unwrap();
        let armored = Secret::new(secret.expose());
        let signer =
            KeySource::Text { armored, passphrase: None }.open(then + Duration::from_secs(60)).unwrap();
        let signature = signer.detached(&mut &b"content"[..], then + Duration::from_secs(60)).unwrap();
        let project = Project::empty();
        project.write("app.bin", "content").write("app.bin.asc", &signature);
        let keyring = Keyring::from_certificates([certificate]);
        fs_err::write(project.path("keyring.gpg"), keyring.to_binary()).unwrap();
        Signed { project }
    }

    fn verify(&self) -> Run {
        self.project.run("verify app.bin --keyring keyring.gpg")
    }
}

#[test]
fn a_good_file_is_good_and_who_signed_it_is_said() {
    let signed = Signed::new(DAY, Some(DAY * 400));
    signed.verify().ok().prints("app.bin: it was signed on").prints("Release <release@example.org>");
    let document = &signed.project.run("--json verify app.bin --keyring keyring.gpg").ok().documents()[0];
    assert_eq!(document["key"]["user-id"], "Release <release@example.org>");
}

#[test]
fn an_armored_keyring_is_as_good() {
    let signed = Signed::new(DAY, None);
    let keyring = Keyring::read(&signed.project.path("keyring.gpg")).unwrap();
    signed.project.write("keyring.gpg", &keyring.to_armored());
    signed.verify().ok();
}

#[test]
fn a_tampered_package_is_refused() {
    let signed = Signed::new(DAY, None);
    signed.project.write("app.bin", "Content");
    signed.verify().exits(1).says("the content is not what Release <release@example.org> signed");
}

#[test]
fn a_signature_of_other_content_is_refused() {
    let signed = Signed::new(DAY, None);
    signed.project.write("other.bin", "other").write("other.bin.asc", &signed.project.read("app.bin.asc"));
    let run = signed.project.run("verify other.bin --keyring keyring.gpg");
    run.exits(1).says("the content is not what");
}

#[test]
fn an_unknown_key_is_refused() {
    let (signed, other) = (Signed::new(DAY, None), Signed::new(DAY, None));
    fs_err::copy(other.project.path("keyring.gpg"), signed.project.path("keyring.gpg")).unwrap();
    signed.verify().exits(1).says("signed by a key that is not in the keyring");
}

#[test]
fn an_expired_key_is_refused() {
    Signed::new(DAY * 30, Some(DAY * 10)).verify().exits(1).says("expired on");
}

#[test]
fn a_revoked_key_is_refused() {
    let Some(key) = crate::gnupg::key("Revoked <revoked@example.org>") else { return };
    let project = Project::empty();
    project.write("app.bin", "content").write("app.bin.asc", &key.sign(b"content"));
    fs_err::write(project.path("keyring.gpg"), &key.public).unwrap();
    project.run("verify app.bin --keyring keyring.gpg").ok();
    fs_err::write(project.path("keyring.gpg"), &key.revoked).unwrap();
    project.run("verify app.bin --keyring keyring.gpg").exits(1).says("was revoked on");
}

#[test]
fn a_gnupg_keybox_is_a_keyring() {
    let Some(key) = crate::gnupg::key("Keybox <keybox@example.org>") else { return };
    let project = Project::empty();
    project.write("app.bin", "content").write("app.bin.asc", &key.sign(b"content"));
    fs_err::write(project.path("keyring.gpg"), &key.keybox).unwrap();
    assert!(key.keybox[8..].starts_with(b"KBXf"));
    project.run("verify app.bin --keyring keyring.gpg").ok().prints("Keybox <keybox@example.org>");
}

#[test]
fn a_missing_signature_is_said() {
    let signed = Signed::new(DAY, None);
    fs_err::remove_file(signed.project.path("app.bin.asc")).unwrap();
    signed.verify().exits(1).says("is not signed: there is no");
}

#[test]
fn a_page_instead_of_a_signature_or_a_keyring_is_refused() {
    let signed = Signed::new(DAY, None);
    signed.project.write("keyring.html", "<!DOCTYPE html><html>Not found</html>");
    signed.project.run("verify app.bin --keyring keyring.html").exits(1).says("keyring.html");
    signed.project.write("app.bin.asc", "<!DOCTYPE html><html>Not found</html>");
    signed.verify().exits(1).says("app.bin does not verify");
}

#[test]
fn what_cannot_be_asked_for_is_a_usage_error() {
    let signed = Signed::new(DAY, None);
    signed
        .project
        .run("verify app.bin")
        .exits(2)
        .says("nothing says whose signatures to trust")
        .says("--keyring");
    signed.project.run("verify http://dist.example.org --keyring keyring.gpg").exits(2).says("plain http");
    signed.project.run("verify").exits(2);
    signed.project.run("verify missing.deb --keyring keyring.gpg").exits(1).says("missing.deb");
}

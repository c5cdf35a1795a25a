//! `[sign] command`: a release that a program signs. openssl plays the HSM.

use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, SystemTime};

use packhouse_sign::{Certificate, CommandInput, SignCommand, certify};

use crate::project::Project;

const SIGN: &str =
    "openssl pkeyutl -sign -inkey ../hsm.pem -pkeyopt rsa_padding_mode:pkcs1 -pkeyopt digest:sha512";

/// A project whose keyring has the key that `../hsm.pem` is the secret of; `None` where there is no openssl.
fn project() -> Option<(Project, Certificate)> {
    let [openssl] = packhouse_clients::find(["openssl"])?;
    let project = Project::new();
    let [secret, public] = ["hsm.pem", "public.pem"].map(|name| project.beside(name).display().to_string());
    openssl.run(["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:3072", "-out", &secret]);
    openssl.run(["pkey", "-in", &secret, "-pubout", "-out", &public]);
    let command = SignCommand {
        words: SIGN.split(' ').map(str::to_owned).collect(),
        input: CommandInput::Digest,
        limit: Duration::from_secs(60),
        environment: vec![("PATH".into(), std::env::var("PATH").unwrap())],
        directory: project.path(""),
    };
    let created = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let public = fs_err::read(public).unwrap();
    let certificate = certify(&public, "HSM <hsm@example.org>", created, None, &command).unwrap();
    fs_err::write(project.path("dist/trustedkeys.gpg"), certificate.to_binary()).unwrap();
    Some((project, certificate))
}

fn with_command(project: &Project, fingerprint: &str, command: &str) {
    project.set("sign", &format!("key = \"{fingerprint}\"\ncommand = {command}"));
    project.commit("sign by a command");
}

#[test]
fn a_release_is_signed_by_a_program() {
    let Some((project, certificate)) = project() else { return };
    with_command(&project, &certificate.fingerprint().to_string(), "\"false\"");
    // The keyring's certificate is known without asking the program.
    let exported = project.command("key export").output().unwrap();
    assert_eq!(exported.stdout, certificate.to_binary());
    project.edit("\"false\"", &format!("{SIGN:?}")).commit("a program that signs");
    project.run("release --all").ok().prints(&certificate.fingerprint().grouped());
    project.run("verify ../site").ok();
}

#[test]
fn the_certificate_of_a_services_key_is_made_by_one_command() {
    let Some((project, _)) = project() else { return };
    fs_err::remove_file(project.path("dist/trustedkeys.gpg")).unwrap();
    let mut command = project.command("key certify ../public.pem --expires 2y --user-id");
    command.arg("HSM <hsm@example.org>").arg("--").args(SIGN.split(' '));
    let certified = crate::project::Run::from(command.output().unwrap()).ok();
    let fingerprint = certified.stdout.trim();
    with_command(&project, fingerprint, &format!("{SIGN:?}"));
    project.run("release --all").ok().prints("HSM <hsm@example.org>, valid until");
    project.run("key list").ok().prints("HSM <hsm@example.org>");

    // It is not written over, and a program that signs with another key certifies nothing.
    let certify = |output: &str, sign: &str| {
        let mut command = project.command(&format!("key certify ../public.pem -o {output} --user-id HSM"));
        command.arg("--").args(sign.split(' '));
        crate::project::Run::from(command.output().unwrap())
    };
    certify("dist/trustedkeys.gpg", SIGN).exits(1).says("trustedkeys.gpg");
    certify("../other.gpg", "false").exits(1).says("the sign command `false` failed");
    assert!(!project.beside("other.gpg").exists());
}

#[test]
fn a_program_that_fails_stops_the_release_before_it_builds() {
    let Some((project, certificate)) = project() else { return };
    let fingerprint = certificate.fingerprint().to_string();
    with_command(&project, &fingerprint, r#"["sh", "-c", "echo the session has expired >&2; exit 4"]"#);
    project
        .run("release --all")
        .exits(1)
        .says("the sign command `sh` failed with exit status: 4; it said: the session has expired");
    assert!(project.packages().is_empty() && !project.site().exists());
}

#[test]
fn the_key_of_a_program_must_be_in_the_keyring() {
    let Some((project, certificate)) = project() else { return };
    let other = "1A2B3C4D1A2B3C4D1A2B3C4D1A2B3C4D1A2B3C4D";
    with_command(&project, other, &format!("{SIGN:?}"));
    project.run("release --all").exits(2).says("is not in").says("public key is taken from there");
    let fingerprint = certificate.fingerprint().to_string();
    project.edit(other, &fingerprint);
    fs_err::remove_file(project.path("dist/trustedkeys.gpg")).unwrap();
    project.run("release --all").exits(2).says("there is no dist/trustedkeys.gpg");
}

#[test]
fn a_program_gets_the_variables_that_the_project_names_and_no_others() {
    let Some((project, certificate)) = project() else { return };
    let script = project.beside("sign");
    fs_err::write(&script, format!("#!/bin/sh\nenv >> ../seen\nexec {SIGN}\n")).unwrap();
    fs_err::set_permissions(&script, std::fs::Permissions::from_mode(0o700)).unwrap();
    project.set("sign", "command-environment = [\"AWS_PROFILE\"]");
    with_command(&project, &certificate.fingerprint().to_string(), "\"../sign\"");
    let variables = [
        ("AWS_PROFILE", "release"),
        ("AWS_SECRET_ACCESS_KEY", "kanarie"),
        ("PACKHOUSE_SIGNING_PASSPHRASE", "kanarie"),
        ("GITHUB_TOKEN", "kanarie"),
    ];
    project.run_with(&variables, "release --all").ok();
    let seen = fs_err::read_to_string(project.beside("seen")).unwrap();
    assert!(seen.contains("AWS_PROFILE=release") && seen.contains("HOME="), "{seen}");
    assert!(!seen.contains("kanarie"), "{seen}");
}

/// A signer that is gone between the first and the second package (`FLT-21`): nothing is published, and the same
/// command goes on.
#[test]
fn a_signer_that_dies_on_the_way_leaves_nothing_published() {
    let Some((project, certificate)) = project() else { return };
    let script = project.beside("sign");
    let text = format!(
        "#!/bin/sh\necho x >> ../count\ntest -e ../plugged || test $(wc -l < ../count) -le 2 || \
         {{ echo no such card >&2; exit 1; }}\nexec {SIGN}\n"
    );
    fs_err::write(&script, text).unwrap();
    fs_err::set_permissions(&script, std::fs::Permissions::from_mode(0o700)).unwrap();
    with_command(&project, &certificate.fingerprint().to_string(), "\"../sign\"");
    project.run("release --all").exits(1).says("cannot be signed").says("no such card");
    assert!(!project.site().join("releases.json").exists());
    assert_eq!(project.packages().len(), 2);

    fs_err::write(project.beside("plugged"), "").unwrap();
    project.run("release --all").ok();
    project.run("verify ../site").ok();
}

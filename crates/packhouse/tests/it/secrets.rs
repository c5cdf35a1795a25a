//! Secrets reach neither a build nor anything that is written or printed.

use crate::project::{Project, Run, bytes};

const CANARY: &str = "kanarie-8131";

#[test]
fn a_builds_environment_has_none_of_the_callers_secrets() {
    let project = Project::with_targets(&["debian/12"]);
    project.set("build", "environment = { GREETING = \"hello\" }");
    project.build_with(&["env && mkdir out && env > out/hello"]).commit("env");
    let names = [
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "GITHUB_TOKEN",
        "GNUPGHOME",
        "GOOGLE_APPLICATION_CREDENTIALS",
        "AZURE_STORAGE_KEY",
        "PACKHOUSE_SIGNING_PASSPHRASE",
        "PACKHOUSE_SIGNING_PASSPHRASE_FILE",
        "SSH_AUTH_SOCK",
    ];
    let mut command = project.command("build --all");
    for name in names.into_iter().filter(|name| *name != "PACKHOUSE_SIGNING_PASSPHRASE_FILE") {
        command.env(name, CANARY);
    }
    Run::from(command.output().unwrap()).ok();
    let log = project.read("pkg/logs/debian-12.log");
    assert!(log.contains("GREETING=hello"), "{log}");
    for name in names {
        assert!(!log.contains(name), "{name} reached the build");
    }
}

#[test]
fn the_key_and_its_pass_phrase_are_nowhere() {
    let Some(key) = crate::gnupg::protected_key("Canary <canary@example.org>", CANARY) else { return };
    let secret = key.secret(CANARY);
    let line = secret.lines().nth(5).unwrap().to_owned();
    let project = Project::new();
    fs_err::write(project.path("dist/trustedkeys.gpg"), &key.public).unwrap();
    project.build_with(&["env; tr '\\0' ' ' </proc/$PPID/cmdline; mkdir -p out && env > out/hello"]);
    project.commit("keys");
    let variables = [
        ("PACKHOUSE_SIGNING_KEY", &*secret),
        ("PACKHOUSE_SIGNING_PASSPHRASE", CANARY),
        ("AWS_SECRET_ACCESS_KEY", CANARY),
        ("RUST_LOG", "trace"),
    ];
    for arguments in ["-v release --all", "--json release --all", "release --all --keep-failed"] {
        project.run_with(&variables, arguments).ok().hides(CANARY).hides(&line);
    }
    let wrong = [("PACKHOUSE_SIGNING_KEY", &*secret), ("PACKHOUSE_SIGNING_PASSPHRASE", "kanarie-8132")];
    project
        .run_with(&wrong, "-v release --all")
        .exits(1)
        .says("pass phrase")
        .hides("kanarie-8132")
        .hides(&line);

    let home = project.directory.path();
    for (name, bytes) in bytes(home) {
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains(CANARY), "the pass phrase is in {name}");
        assert!(!text.contains(&line), "the key is in {name}");
    }
}

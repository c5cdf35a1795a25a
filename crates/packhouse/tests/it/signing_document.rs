//! `packhouse key document`: what the page says is true, and its commands work.

use std::process::Command;

use packhouse_clients::{find, text};
use packhouse_sign::Keyring;

use crate::project::{Project, Run};

#[track_caller]
fn generate(project: &Project, user: &str, directory: &str) {
    let output = format!("../{directory}");
    let arguments = ["key", "generate", user, "--no-passphrase", "-o", &output];
    Run::from(project.command("").args(arguments).output().unwrap()).ok();
}

fn signing(targets: &[&str]) -> Project {
    let project = Project::with_targets(targets);
    generate(&project, "Release <release@example.org>", "keys");
    project.run("key add ../keys/public-key.asc").ok();
    project.set("sign", "key-file = \"../keys/signing-subkey.asc\"");
    project.set("publish", "public-url = \"https://dist.example.org/hello\"").commit("key");
    project
}

#[test]
fn the_commands_of_the_page_verify_a_package() {
    if find(["gpg", "gpgconf", "gpgv", "sqv"]).is_none() {
        return;
    }
    let project = signing(&["debian/12"]);
    project.run("release --all").ok();
    project.run("key document -o SIGNING.md").ok();
    let page = project.read("SIGNING.md");
    let (_, after) = page.split_once("## How to verify").unwrap();
    let (section, _) = after.split_once("\n## ").unwrap();
    let commands: Vec<&str> = section.lines().filter_map(|line| line.strip_prefix("$ ")).collect();
    assert!(commands.len() >= 6, "{section}");
    let mut programs = Vec::new();

    // The customer's directory, as after `curl`.
    let customer = tempfile::Builder::new().prefix("ph-").tempdir_in("/tmp").unwrap();
    let package = project.packages().remove(0);
    for ending in ["", ".asc"] {
        let name = format!("{package}{ending}");
        fs_err::copy(project.site().join("debian").join(&name), customer.path().join(&name)).unwrap();
    }
    let run = |command: &str| {
        let mut shell = Command::new("sh");
        let program = env!("CARGO_BIN_EXE_packhouse");
        let line = command.replace("packhouse ", &format!("{program} ")).replace("PACKAGE", &package);
        shell
            .args(["-c", &line])
            .current_dir(customer.path())
            .env("GNUPGHOME", customer.path())
            .env("LC_ALL", "C");
        let output = shell.output().unwrap();
        (output.status.success(), text(&output))
    };
    for command in &commands {
        programs.push(command.split(' ').next().unwrap().to_owned());
        if let Some(url) = command.strip_prefix("curl -fsSLO https://dist.example.org/hello/") {
            fs_err::copy(project.site().join(url), customer.path().join(url)).unwrap();
            continue;
        }
        let (is_good, text) = run(command);
        assert!(is_good, "{command}: {text}");
        if command.contains("--show-keys") {
            let fingerprint =
                Keyring::read(&customer.path().join("keyring.gpg")).unwrap().certificates()[0].fingerprint();
            assert!(
                page.contains(&fingerprint.grouped()) && text.contains(&fingerprint.to_string()),
                "{text}"
            );
        }
    }
    for program in ["packhouse", "sqv", "gpgv", "gpg", "curl"] {
        assert!(programs.iter().any(|name| name == program), "{program} is not on the page");
    }
    // And they notice.
    let path = customer.path().join(&package);
    let mut bytes = fs_err::read(&path).unwrap();
    bytes[100] ^= 1;
    fs_err::write(&path, bytes).unwrap();
    for command in commands.iter().filter(|command| command.contains("PACKAGE")) {
        assert!(!run(command).0, "{command} accepts a changed package");
    }
    let _ = Command::new("gpgconf").env("GNUPGHOME", customer.path()).args(["--kill", "all"]).output();
}

#[test]
fn the_page_says_what_each_key_does_and_follows_the_keyring() {
    let project = signing(&["debian/12", "rocky/9", "arch/rolling"]);
    generate(&project, "Next <next@example.org>", "next");
    generate(&project, "Stolen | key <stolen@example.org>", "stolen");
    project.run("key document -o SIGNING.md").ok();
    let before = project.read("SIGNING.md");
    let row = |page: &str, who: &str| {
        let row = page.lines().find(|line| line.starts_with("| ") && line.contains(who));
        row.unwrap_or_else(|| panic!("{who} is not in\n{page}")).to_owned()
    };
    assert!(row(&before, "release@example.org").ends_with("| signs |"));
    for sentence in [
        "| Release &lt;release@example.org&gt; |",
        "RSA of at least 2048 bits, Ed25519, NIST P-256",
        "SHA-256, SHA-384, SHA-512; never MD5 or SHA-1",
        "rpm packages also inside",
        "Packages of pacman also by a binary signature",
        "<https://dist.example.org/hello/keyring.gpg>",
        "git log -1 --show-signature -- SIGNING.md",
        "`dist/trustedkeys.gpg`",
    ] {
        assert!(before.contains(sentence), "{sentence}\n{before}");
    }
    project.run("key document --check SIGNING.md").ok();
    project.run("key document").ok().prints("## Who may sign");

    project.run("key add ../stolen/public-key.asc").ok();
    project.run("key document --check SIGNING.md").exits(1).says("does not say what the keyring says");
    project.run("key document --check MISSING.md").exits(1).says("write it anew");
    project.run("key rotate --key-file ../next/signing-subkey.asc --yes").ok();
    project.run("key revoke ../stolen/revocation.asc").ok();
    project.run("key document -o SIGNING.md").ok();
    let page = project.read("SIGNING.md");
    assert!(row(&page, "next@example.org").ends_with("| signs |"));
    assert!(row(&page, "release@example.org").ends_with("| signs until another has taken its place |"));
    assert!(row(&page, "Stolen \\| key").contains("**revoked** on"), "{page}");
    assert!(page.contains("One key is taking the place of another."));
    project.run("key rotate --finish --force --yes").ok();
    let page = project.run("key document").ok().stdout;
    assert!(row(&page, "release@example.org").ends_with("| signs no more; what it signed counts |"));
    let facts = project.run("--json key document").ok().documents().remove(0);
    assert_eq!(facts["keys"][0]["role"], "former");
    assert_eq!(facts["formats"], serde_json::json!(["deb", "pacman", "rpm"]));
}

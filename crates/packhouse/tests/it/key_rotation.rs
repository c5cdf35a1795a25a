//! One key takes the place of another: `KEY-15` and `KEY-16`.

use packhouse_clients::find;
use packhouse_sign::Keyring;

use crate::project::{Project, Run};

fn run(project: &Project, arguments: &[&str]) -> Run {
    Run::from(project.command("").args(arguments).output().unwrap())
}

#[track_caller]
fn generate(project: &Project, name: &str) {
    let user = format!("{name} <{name}@example.org>");
    let output = format!("../{name}");
    run(project, &["key", "generate", &user, "--no-passphrase", "-o", &output]).ok();
}

/// A project that signs with `old`, and a key `new` beside it.
fn project(targets: &[&str]) -> Project {
    let project = Project::with_targets(targets);
    generate(&project, "old");
    generate(&project, "new");
    project.run("key add ../old/public-key.asc").ok();
    project.set("sign", "key-file = \"../old/signing-subkey.asc\"   # CI has it").commit("old key");
    project
}

const ROTATE: &str = "key rotate --key-file ../new/signing-subkey.asc";

fn fingerprint(project: &Project, name: &str) -> String {
    let keyring = Keyring::read(&project.beside(name).join("public-key.gpg")).unwrap();
    keyring.certificates()[0].fingerprint().to_string()
}

/// Makes the site say that its packages were published so many days earlier.
fn age_the_site(project: &Project, days: i64) {
    let path = project.site().join("releases.json");
    let mut head: serde_json::Value = serde_json::from_slice(&fs_err::read(&path).unwrap()).unwrap();
    for package in head["packages"].as_array_mut().unwrap() {
        let published = package["published"].as_i64().unwrap();
        package["published"] = (published - days * 86_400).into();
    }
    fs_err::write(&path, serde_json::to_vec_pretty(&head).unwrap()).unwrap();
}

/// What a customer with this keyring finds about a file of the site.
fn customer(project: &Project, keyring: &std::path::Path, file: &str) -> Run {
    project.run(&format!("verify ../site/debian/{file} --keyring {}", keyring.display()))
}

#[test]
fn a_rotation_goes_from_one_key_to_the_other_in_steps() {
    let project = project(&["debian/12"]);
    project.run("release --all").ok();
    let first = project.packages().remove(0);
    let before = project.beside("before.gpg");
    fs_err::copy(project.site().join("keyring.gpg"), &before).unwrap();

    // Step 0: shown, and nothing is changed.
    project.run("key rotate").ok().prints("no key is being replaced").prints("next:");
    let text = project.read("dist/packhouse.toml");
    let shown = project.run(ROTATE).ok().prints("nothing was changed yet").prints("--yes does it");
    shown.prints("debian-12: `apt update` says NO_PUBKEY");
    assert_eq!(project.read("dist/packhouse.toml"), text);

    // Step 1: both sign.
    project.run(&format!("{ROTATE} --yes")).ok().prints("both keys sign from now on");
    let text = project.read("dist/packhouse.toml");
    assert!(text.contains("[sign]\nkey-file = \"../new/signing-subkey.asc\"\n"), "{text}");
    assert!(text.contains("retiring-key-file = \"../old/signing-subkey.asc\"\n"), "{text}");
    project.run(&format!("{ROTATE} --yes")).exits(2).says("a key is being replaced already");
    project.run("key rotate").ok().prints("nothing is published yet that both signed");
    project.run("key rotate --finish --yes").exits(2).says("no customer can have it");
    project.write("VERSION", "2").edit("literal = \"1.0.0\"", "literal = \"2.0.0\"").commit("new key, too");
    project.run("release --all").ok().prints("(new <new@example.org>");
    project
        .run("key rotate")
        .ok()
        .prints("customers are getting the new one")
        .prints("the window of 90 days");
    let second = project.packages().into_iter().find(|name| name.contains("2.0.0")).unwrap();

    // Keyrings of generation n-1, n and n+1 accept what both signed; the first package is the old key's.
    let after = project.beside("after.gpg");
    fs_err::copy(project.beside("new/public-key.gpg"), &after).unwrap();
    let both = project.site().join("keyring.gpg");
    for keyring in [&before, &both, &after] {
        customer(&project, keyring, &second).ok();
    }
    customer(&project, &before, &first).ok();
    customer(&project, &both, &first).ok();
    customer(&project, &after, &first).exits(1).says("a key that is not in the keyring");
    for keyring in [&before, &both] {
        project.run(&format!("verify ../site --keyring {}", keyring.display())).ok();
    }

    // Step 3: not before the window is over, unless by force.
    project.run("key rotate --finish --yes").exits(2).says("the window of 90 days is over on");
    age_the_site(&project, 91);
    project
        .run("key rotate")
        .ok()
        .prints("the window is over")
        .prints("1 packages that the old key signed alone");
    project.run("key rotate --finish").ok().prints("nothing was changed yet");
    let finished = project.run("key rotate --finish --yes").ok().prints("the new key signs alone");
    finished.prints("is trusted for the 1 packages on the site that it signed");
    let text = project.read("dist/packhouse.toml");
    assert!(
        !text.contains("retiring") && text.contains("key-file = \"../new/signing-subkey.asc\""),
        "{text}"
    );
    project.edit("literal = \"2.0.0\"", "literal = \"3.0.0\"").commit("new key alone");
    project.run("release --all").ok();
    let third = project.packages().into_iter().find(|name| name.contains("3.0.0")).unwrap();
    for keyring in [&both, &after] {
        customer(&project, keyring, &third).ok();
    }
    // Who did not follow is told so, and what to do.
    customer(&project, &before, &third).exits(1).says("fetch the vendor's current keyring");
    // The list of releases is the new key's, and earlier packages still verify.
    let list = fs_err::read_to_string(project.site().join("releases.asc")).unwrap();
    fs_err::write(project.beside("list"), list).unwrap();
    project.run("verify ../site").ok().prints("(new <new@example.org>");
    project.run("key rotate").ok().prints("is trusted for the 1 packages");
}

#[test]
fn the_number_of_days_and_pass_phrases_are_kept_in_the_project() {
    let project = project(&["debian/12"]);
    project.edit("   # CI has it", "\npassphrase-file = \"../old/phrase\"").commit("phrase");
    project.run(&format!("{ROTATE} --passphrase-file ../new/phrase --days 30 --yes")).ok();
    let text = project.read("dist/packhouse.toml");
    for line in [
        "key-file = \"../new/signing-subkey.asc\"",
        "passphrase-file = \"../new/phrase\"",
        "retiring-key-file = \"../old/signing-subkey.asc\"",
        "retiring-passphrase-file = \"../old/phrase\"",
        "retiring-days = 30",
    ] {
        assert_eq!(text.lines().filter(|found| *found == line).count(), 1, "{line}\n{text}");
    }
    let document = project.run("--json key rotate").ok().documents().remove(0);
    assert_eq!((&document["stage"], &document["days"]), (&"begun".into(), &30.into()));
    assert_eq!(document["new"]["fingerprint"], fingerprint(&project, "new"));
    assert_eq!(document["old"]["fingerprint"], fingerprint(&project, "old"));
    project.run("key rotate --finish --force --yes").ok();
    let text = project.read("dist/packhouse.toml");
    assert!(!text.contains("retiring") && text.contains("passphrase-file = \"../new/phrase\""), "{text}");
}

#[test]
fn keys_of_the_environment_rotate_by_the_environment() {
    let project = Project::with_targets(&["debian/12"]);
    generate(&project, "old");
    generate(&project, "new");
    project.run("key add ../old/public-key.asc").ok();
    project.commit("old key");
    let secret =
        |name: &str| fs_err::read_to_string(project.beside(name).join("signing-subkey.asc")).unwrap();
    let (old, new) = (secret("old"), secret("new"));
    let before = [("PACKHOUSE_SIGNING_KEY", &*old)];
    project
        .run_with(&before, "key rotate --public ../new/public-key.asc --yes")
        .ok()
        .prints("PACKHOUSE_RETIRING_KEY");
    project.commit("new key, too");
    let during = [("PACKHOUSE_SIGNING_KEY", &*new), ("PACKHOUSE_RETIRING_KEY", &*old)];
    project.run_with(&during, "release --all").ok().prints("(new <new@example.org>").hides("PRIVATE");
    project.run_with(&during, "key rotate").ok().prints("customers are getting the new one");
    let package = project.packages().remove(0);
    for name in ["old", "new"] {
        customer(&project, &project.beside(name).join("public-key.gpg"), &package).ok();
    }
    // The same key twice is no rotation.
    let twice = [("PACKHOUSE_SIGNING_KEY", &*new), ("PACKHOUSE_RETIRING_KEY", &*new)];
    project.run_with(&twice, "release --all").exits(2).says("the retiring key is the one that signs");
}

#[test]
fn a_new_key_that_could_not_sign_is_refused_before_anything_changes() {
    let project = project(&["debian/12"]);
    let text = project.read("dist/packhouse.toml");
    let keyring = fs_err::read(project.path("dist/trustedkeys.gpg")).unwrap();
    let refused = |arguments: &str, sentence: &str| {
        let run = project.run(&format!("key rotate {arguments} --yes"));
        assert!(matches!(run.status, Some(1 | 2)), "{arguments}: {}", run.stderr);
        run.says(sentence);
        assert_eq!(project.read("dist/packhouse.toml"), text);
        assert_eq!(fs_err::read(project.path("dist/trustedkeys.gpg")).unwrap(), keyring);
    };
    refused("--key-file ../old/signing-subkey.asc", "the new key is the one that signs");
    refused("--key-file ../missing.asc", "missing.asc");
    refused("--key-file ../new/public-key.asc", "public-key.asc");
    refused("--public ../new/public-key.asc", "of the new one only the public part is given");
    refused("--finish", "no key is being replaced");
    let day = std::time::Duration::from_secs(86_400);
    let created = std::time::SystemTime::now() - day * 20;
    let expired = packhouse_sign::generate("Old <o@example.org>", created, Some(day)).unwrap();
    let path = project.beside("expired.asc");
    fs_err::write(&path, expired.secret.expose()).unwrap();
    fs_err::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    refused("--key-file ../expired.asc", "expired on");
    project.edit("[sign]\n", "[sign] # x\n");
    project.write(
        "dist/packhouse.toml",
        &project.read("dist/packhouse.toml").replace("key-file", "\"key-file\""),
    );
    project
        .run(&format!("{ROTATE} --yes"))
        .exits(2)
        .says("cannot be changed line by line")
        .says("retiring-key-file = ");
}

#[test]
fn a_retiring_key_must_be_there_and_may_not_be_removed() {
    let project = project(&["debian/12"]);
    project.run(&format!("{ROTATE} --yes")).ok();
    project.commit("both");
    let old = fingerprint(&project, "old");
    project.run(&format!("key remove {old}")).exits(2).says("is a key that signs");
    fs_err::remove_file(project.beside("old/signing-subkey.asc")).unwrap();
    project.run("release --all").exits(1).says("the retiring key cannot be used");
    assert!(!project.site().join("releases.json").exists());
    for (from, to, sentence) in [
        ("retiring-key-file = \"../old/signing-subkey.asc\"", "retiring-days = 5", "no retiring key"),
        ("retiring-days = 5", "retiring-key = \"A\"\nretiring-key-file = \"b\"", "names two retiring keys"),
        ("retiring-key-file = \"b\"", "retiring-days = 0", "is no number of days"),
    ] {
        project.edit(from, to);
        project.run("release --all").exits(2).says(sentence);
    }
}

#[test]
fn key_15_a_superseded_key_keeps_what_it_signed_and_gpgv_takes_the_whole_keyring() {
    let Some([gpgv]) = find(["gpgv"]) else { return };
    let project = project(&["debian/12"]);
    project.run("release --all").ok();
    let first = project.packages().remove(0);
    project.run(&format!("{ROTATE} --yes")).ok();
    project.edit("literal = \"1.0.0\"", "literal = \"2.0.0\"").commit("both");
    project.run("release --all").ok();
    let keyring = project.site().join("keyring.gpg");
    for name in project.packages() {
        let file = project.site().join("debian").join(&name);
        let asc = format!("{}.asc", file.display());
        gpgv.run(["--keyring", keyring.to_str().unwrap(), &asc, file.to_str().unwrap()]);
    }
    // The revocation that came with the key says nothing of why, which is the worst: what it signed is lost.
    age_the_site(&project, 91);
    let hard = project.run("key rotate --finish --revocation ../new/revocation.asc --yes");
    hard.exits(2).says("revokes another key than the retiring one");
    std::thread::sleep(std::time::Duration::from_millis(1100)); // later than what the key signed, in whole seconds
    project.run("key rotate --finish --yes").ok();
    project.run("key revoke --key-file ../old/secret-key.asc --reason superseded").ok();
    project.edit("literal = \"2.0.0\"", "literal = \"3.0.0\"").commit("new alone");
    project.run("release --all").ok();
    customer(&project, &project.site().join("keyring.gpg"), &first).ok();
    project.run("verify ../site").ok();
}

#[test]
fn key_15_packages_with_room_for_one_signature_have_the_old_keys_until_the_window_ends() {
    let Some([rpmkeys]) = find(["rpmkeys"]) else { return };
    let project = project(&["fedora/44", "arch/rolling"]);
    project.run(&format!("{ROTATE} --yes")).ok();
    project.commit("both");
    project.run("release --all").ok();
    let built = fs_err::read(project.path("pkg/manifest.json")).unwrap();
    project.run("sign").ok();
    assert_eq!(fs_err::read(project.path("pkg/manifest.json")).unwrap(), built, "signed twice");

    let find = |ending: &str| {
        let names = crate::project::names(&project.path("pkg")).into_iter();
        project.path("pkg").join(names.filter(|name| name.ends_with(ending)).min().unwrap())
    };
    let rpm = find(".rpm").display().to_string();
    let database = |name: &str| {
        let path = project.beside(&format!("{name}-db")).display().to_string();
        let key = project.beside(name).join("public-key.asc").display().to_string();
        rpmkeys.run(["--dbpath", &path, "--import", &key]);
        let output = rpmkeys.command().args(["--dbpath", &path, "-Kv", &rpm]).output().unwrap();
        (output.status.success(), packhouse_clients::text(&output))
    };
    let (is_good, text) = database("old");
    assert!(is_good && text.contains("EdDSA") && text.contains("OK"), "{text}");
    let (is_good, text) = database("new");
    assert!(!is_good && text.contains("NOKEY"), "{text}");

    let package = fs_err::read(find(".pkg.tar.zst")).unwrap();
    let signature = fs_err::read(find(".pkg.tar.zst.sig")).unwrap();
    let verify = |name: &str| {
        let keyring = Keyring::read(&project.beside(name).join("public-key.gpg")).unwrap();
        packhouse_sign::verify_detached(&signature, &mut &package[..], &keyring, std::time::SystemTime::now())
    };
    assert!(verify("old").is_ok() && verify("new").is_err());

    // Once it has ended, the new key's.
    project.run("key rotate --finish --force --yes").ok();
    project.edit("literal = \"1.0.0\"", "literal = \"2.0.0\"").commit("new alone");
    project.run("release --all").ok();
    let names = crate::project::names(&project.path("pkg")).into_iter();
    let rpm = names.filter(|name| name.ends_with(".rpm")).max().unwrap();
    let path = project.beside("new-db").display().to_string();
    rpmkeys.run(["--dbpath", &path, "-K", project.path("pkg").join(rpm).to_str().unwrap()]);
}

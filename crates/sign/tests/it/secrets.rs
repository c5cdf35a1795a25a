//! `SEC-01`, `SEC-11`: nothing that we print holds a secret, and gpg's arguments and environment do not either.

use std::os::unix::fs::PermissionsExt as _;

use packhouse_clients::{find, text};
use packhouse_sign::{Error, KeySource, Keyring, Secret};

use crate::gnupg::{Home, at, keys};

const CANARY: &str = "canary-7f3a9c1e";

fn shown(error: &Error) -> String {
    let mut text = format!("{error} {error:?} {error:#?} {:?}", error.help());
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text.push_str(&format!(" {cause} {cause:?}"));
        source = cause.source();
    }
    text
}

#[test]
fn no_error_shows_a_passphrase_or_key_material() {
    let Some(keys) = keys() else { return };
    let good = String::from_utf8(keys.protected.secret.clone()).unwrap();
    let canary = || Some(Secret::new(CANARY));
    let half = &good[..good.len() / 2];
    let damaged = good.replacen("\n\n", &format!("\n\n{CANARY}\n"), 1);
    let several = good.repeat(2);
    let sources = [&good, half, &damaged, &several, CANARY, &good.replace("PRIVATE", "PUBLIC")];
    for armored in sources {
        let source = KeySource::Text { armored: Secret::new(armored), passphrase: canary() };
        let error = source.open(at(0)).unwrap_err();
        let shown = shown(&error);
        assert!(!shown.contains(CANARY), "{shown}");
        for line in good.lines().filter(|line| line.len() > 20 && !line.starts_with('-')) {
            assert!(!shown.contains(&line[..16]), "{shown}");
        }
        // The same text taken for a keyring or a signature.
        if let Err(error) = Keyring::parse(armored.as_bytes()) {
            assert!(!format!("{error:?}").contains(CANARY));
        }
    }
    let signer = KeySource::Text { armored: Secret::new(keys.rsa.secret.clone()), passphrase: canary() };
    let signer = signer.open(at(0)).unwrap();
    assert!(!format!("{signer:?}").contains(CANARY));
}

#[test]
fn gpg_gets_no_secret_in_its_arguments_or_its_environment() {
    let Some([env, _, _]) = find(["env", "bash", "gpg"]) else { return };
    let Some(keys) = keys() else { return };
    let home = Home::new();
    home.file("key.asc", &keys.protected.secret);
    home.gpg(&["--passphrase", crate::gnupg::PASSPHRASE, "--import", "key.asc"]);
    // A gpg that writes down how it was called and then does its work, and this test again under that PATH.
    let bin = home.path().join("bin");
    fs_err::create_dir_all(&bin).unwrap();
    let record = home.path().join("record");
    let wrapper = format!(
        "#!/bin/bash\nprintf '%s\\n' \"$@\" >> {record}\nenv >> {record}\nPATH=${{PATH#*:}} exec gpg \"$@\"\n",
        record = record.display()
    );
    fs_err::write(bin.join("gpg"), wrapper).unwrap();
    std::fs::set_permissions(bin.join("gpg"), std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let output = env
        .command()
        .args([
            &format!("PATH={path}"),
            &format!("PACKHOUSE_SIGNING_KEY={CANARY}"),
            "LD_LIBRARY_PATH=/nowhere",
        ])
        .arg(format!("TEST_GNUPG_HOME={}", home.path().display()))
        .arg(format!("TEST_FINGERPRINT={}", keys.protected.fingerprint))
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "secrets::child_that_signs_with_gpg", "--nocapture"])
        .output()
        .unwrap();
    assert!(text(&output).contains("1 passed"), "{}", text(&output));
    let record = fs_err::read_to_string(record).unwrap();
    assert!(record.contains("--detach-sign") && record.contains("GNUPGHOME="), "{record}");
    for secret in [CANARY, crate::gnupg::PASSPHRASE, "LD_LIBRARY_PATH", "TEST_FINGERPRINT"] {
        assert!(!record.contains(secret), "{secret} in {record}");
    }
}

/// Not a test by itself: signs in a process whose environment the test above chose.
#[test]
fn child_that_signs_with_gpg() {
    if std::env::var_os("TEST_FINGERPRINT").is_none() {
        return;
    }
    let variable = |name| std::env::var(name).unwrap();
    let source = KeySource::GnuPg {
        fingerprint: variable("TEST_FINGERPRINT"),
        passphrase: Some(Secret::new(crate::gnupg::PASSPHRASE)),
    };
    let home = variable("TEST_GNUPG_HOME");
    let signer = source.open_with_gnupg_home(Some(home.as_ref()), at(0)).unwrap();
    signer.detached(&mut &b"content"[..], at(0)).unwrap();
}

#[test]
fn debug_messages_of_dependencies_are_compiled_out() {
    // rPGP writes parsed secret keys at debug level; see Cargo.toml.
    assert!(log::STATIC_MAX_LEVEL <= log::LevelFilter::Warn);
}

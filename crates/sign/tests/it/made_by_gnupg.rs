//! We accept what gpg signs, and the keyrings it writes.

use packhouse_sign::{Algorithm, Keyring, verify_cleartext, verify_detached};

use crate::clients::TEXTS;
use crate::gnupg::{Home, NOW, at, keys};

#[test]
fn signatures_of_rsa_ed25519_and_subkeys_are_good() {
    let Some(keys) = keys() else { return };
    for key in [&keys.rsa, &keys.subkeys] {
        let home = Home::new();
        home.file("key.asc", &key.secret);
        home.gpg(&["--passphrase", "", "--import", "key.asc"]);
        let keyring = Keyring::parse(&key.public).unwrap();

        for arguments in [
            &["--armor", "--detach-sign"][..],
            &["--detach-sign"],
            &["--digest-algo", "SHA384", "--detach-sign"],
        ] {
            let signature = home.gpg_at(NOW, arguments, b"content");
            let verified = verify_detached(&signature, &mut &b"content"[..], &keyring, at(60)).unwrap();
            assert_eq!(verified.fingerprint.to_string(), key.fingerprint);
            assert_eq!(verified.created, at(0));
        }
        for text in TEXTS {
            let message = String::from_utf8(home.gpg_at(NOW, &["--clearsign"], text.as_bytes())).unwrap();
            let (read, _) = verify_cleartext(&message, &keyring, at(60)).unwrap();
            let lines: Vec<_> = text.lines().map(|line| line.trim_end_matches([' ', '\t'])).collect();
            assert_eq!(read.trim_end_matches('\n'), lines.join("\n").trim_end_matches('\n'), "{message}");
        }
    }
}

#[test]
fn a_keybox_of_one_and_of_five_keys_is_read() {
    let Some(keys) = keys() else { return };
    let home = Home::new();
    let five = [&keys.rsa, &keys.subkeys, &keys.protected, &keys.short];
    home.file("one", &keys.rsa.public);
    home.file("five", five.iter().flat_map(|key| key.public.clone()).collect::<Vec<u8>>());
    let fifth = packhouse_sign::generate("Fifth <5@example.org>", at(0), None).unwrap().certificate;
    home.file("fifth", fifth.to_binary());
    for (file, imports, count) in [("one.kbx", &["one"][..], 1), ("five.kbx", &["five", "fifth"], 5)] {
        let ring = format!("gnupg-kbx:{}", home.path().join(file).display());
        for import in imports {
            home.gpg(&["--no-default-keyring", "--keyring", &ring, "--import", import]);
        }
        let keyring = Keyring::read(&home.path().join(file)).unwrap();
        assert_eq!(keyring.certificates().len(), count);
        assert_eq!(keyring.certificates()[0].fingerprint().to_string(), keys.rsa.fingerprint);
        assert_eq!(keyring.certificates()[0].user_ids(), ["RSA <rsa@example.org>"]);

        // What gpg took from us it gives back as it was, and a deleted key is gone.
        if count == 5 {
            assert_eq!(keyring.find(&fifth.fingerprint()).unwrap().user_ids(), fifth.user_ids());
            home.gpg(&[
                "--no-default-keyring",
                "--keyring",
                &ring,
                "--yes",
                "--delete-keys",
                &keys.rsa.fingerprint,
            ]);
            assert_eq!(Keyring::read(&home.path().join(file)).unwrap().certificates().len(), 4);
        }
    }
}

#[test]
fn what_gpg_shows_of_a_key_is_what_we_show() {
    let Some(keys) = keys() else { return };
    let keyring = Keyring::parse(&keys.subkeys.public).unwrap();
    let [certificate] = keyring.certificates() else { panic!("one key was exported") };
    assert_eq!(certificate.user_ids(), ["Subkeys <subkeys@example.org>"]);
    assert_eq!(certificate.created(), at(0));
    // gpg counts a year as 365 days.
    assert_eq!(certificate.expires(), Some(at(2 * 365 * 86400)));
    assert_eq!(certificate.signs_until(at(0)).unwrap(), Some(at(365 * 86400)));
    assert_eq!(certificate.algorithm(), Algorithm::Ed25519);
    assert_eq!(certificate.fingerprints().len(), 3);
    assert!(!certificate.is_revoked());
    assert_eq!(
        Keyring::parse(&keys.rsa.public).unwrap().certificates()[0].algorithm(),
        Algorithm::Rsa { bits: 3072 }
    );
}

#[test]
fn an_extended_key_is_valid_again_with_the_new_export() {
    let Some(keys) = keys() else { return };
    let home = Home::new();
    home.file("key.asc", &keys.subkeys.secret);
    home.gpg(&["--passphrase", "", "--import", "key.asc"]);
    let signature = home.gpg_at(NOW, &["--detach-sign"], b"content");
    let three_years = 3 * 365 * 86400;
    let old = Keyring::parse(&keys.subkeys.public).unwrap();
    verify_detached(&signature, &mut &b"content"[..], &old, at(three_years)).unwrap_err();

    let year_later = NOW + 365 * 86400 - 10;
    home.gpg_at(
        year_later,
        &["--passphrase", "", "--quick-set-expire", &keys.subkeys.fingerprint, "5y"],
        b"",
    );
    home.gpg_at(
        year_later,
        &["--passphrase", "", "--quick-set-expire", &keys.subkeys.fingerprint, "5y", "*"],
        b"",
    );
    let new = Keyring::parse(&home.gpg(&["--export", &keys.subkeys.fingerprint])).unwrap();
    verify_detached(&signature, &mut &b"content"[..], &new, at(three_years)).unwrap();
    // Old and new copy in one file: the newer statement of the owner counts.
    let both = Keyring::parse(&[new.to_binary(), old.to_binary()].concat()).unwrap();
    assert_eq!(both.certificates().len(), 1);
    verify_detached(&signature, &mut &b"content"[..], &both, at(three_years)).unwrap();
}

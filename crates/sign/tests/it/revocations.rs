//! Revoking keys: `KEY-07` and `KEY-17` from the owner's side.

use packhouse_clients::{find, text};
use packhouse_sign::{
    Added, Error, KeySource, Keyring, Reason, RevocationCertificate, Secret, generate, revoke_subkey,
    verify_detached,
};

use crate::gnupg::{Home, at, keys};

const DATA: &[u8] = b"content";

#[test]
fn the_revocation_made_with_a_key_ends_it_here_and_for_gpg() {
    if find(["gpg", "gpgconf", "gpgv", "sqv"]).is_none() {
        return;
    }
    let key = generate("Release <release@example.org>", at(-100), None).unwrap();
    let mut keyring = Keyring::from_certificates([key.certificate.clone()]);
    let signer = KeySource::Text { armored: key.secret, passphrase: None }.open(at(-50)).unwrap();
    let signature = signer.detached(&mut &DATA[..], at(-50)).unwrap();

    let revocation = RevocationCertificate::parse(key.revocation.expose()).unwrap();
    assert_eq!(keyring.revoke(&revocation).unwrap(), key.certificate.fingerprint());
    let revoked = keyring.certificates()[0].revoked().unwrap();
    assert!(revoked.is_hard && revoked.reason == "no reason given");
    let refused = verify_detached(signature.as_bytes(), &mut &DATA[..], &keyring, at(0));
    assert!(matches!(refused, Err(Error::KeyRevoked { .. })));

    let home = Home::new();
    home.file("public.gpg", key.certificate.to_binary());
    home.file("revocation.asc", key.revocation.expose());
    home.gpg(&["--import", "public.gpg"]);
    home.gpg(&["--import", "revocation.asc"]);
    let listing = String::from_utf8(home.gpg(&["--with-colons", "--list-keys"])).unwrap();
    assert!(listing.lines().any(|line| line.starts_with("pub:r:")), "{listing}");
    // The keyring that we write with it says the same to gpg, and to sqv, which then refuses.
    let other = Home::new();
    other.file("keyring.gpg", keyring.to_binary());
    other.file("data", DATA);
    other.file("data.asc", &signature);
    let shown = String::from_utf8(other.gpg(&["--with-colons", "--show-keys", "keyring.gpg"])).unwrap();
    assert!(shown.starts_with("pub:r:"), "{shown}");
    let sqv = other.run("sqv", &["--keyring", "keyring.gpg", "data.asc", "data"]);
    assert!(!sqv.status.success(), "{}", text(&sqv));
    // Twice is once.
    keyring.revoke(&revocation).unwrap();
    let again = Keyring::parse(&keyring.to_binary()).unwrap();
    assert_eq!(again.to_binary(), keyring.to_binary());
}

#[test]
fn a_reason_decides_what_becomes_of_older_signatures() {
    for (reason, is_hard, word) in [
        (Reason::Unspecified, true, "no reason given"),
        (Reason::Compromised, true, "compromised"),
        (Reason::Superseded, false, "superseded"),
        (Reason::Retired, false, "no longer used"),
    ] {
        let key = generate("Release <release@example.org>", at(-100), None).unwrap();
        let signer = KeySource::Text { armored: key.secret.clone(), passphrase: None }.open(at(-50)).unwrap();
        let before = signer.detached(&mut &DATA[..], at(-50)).unwrap();
        let after = signer.detached(&mut &DATA[..], at(-10)).unwrap();
        let made = RevocationCertificate::make(&key.secret, None, reason, "new key", at(-20)).unwrap();
        let mut keyring = Keyring::from_certificates([key.certificate]);
        keyring.revoke(&RevocationCertificate::parse(made.to_armored().as_bytes()).unwrap()).unwrap();
        let verify = |signature: &str| verify_detached(signature.as_bytes(), &mut &DATA[..], &keyring, at(0));
        assert!(matches!(verify(&after), Err(Error::KeyRevoked { .. })), "{word}");
        assert_eq!(verify(&before).is_err(), is_hard, "{word}");
        let revoked = keyring.certificates()[0].revoked().unwrap();
        assert_eq!((revoked.reason, revoked.on), (format!("{word} (new key)"), at(-20)));
    }
}

#[test]
fn a_subkey_is_revoked_alone_and_another_can_sign_in_its_place() {
    let Some(keys) = keys() else { return };
    let secret = Secret::new(keys.subkeys.secret.clone());
    let mut keyring = Keyring::parse(&keys.subkeys.public).unwrap();
    let part = keyring.certificates()[0].signing_part(at(0)).unwrap();
    let revoked = revoke_subkey(&secret, None, &part.fingerprint, Reason::Compromised, "", at(0)).unwrap();
    assert_eq!(keyring.add(revoked), Added::Update);
    let certificate = &keyring.certificates()[0];
    assert!(certificate.revoked().is_none());
    let parts = certificate.parts(at(0));
    let own = parts.iter().find(|own| own.fingerprint == part.fingerprint).unwrap();
    assert_eq!(own.revoked.as_ref().unwrap().reason, "compromised");
    assert!(matches!(certificate.check_can_sign(at(0)), Err(Error::KeyRevoked { .. })));

    let home = Home::new();
    home.file("keyring.gpg", keyring.to_binary());
    let shown = String::from_utf8(home.gpg(&["--with-colons", "--show-keys", "keyring.gpg"])).unwrap();
    let row = shown.lines().find(|line| line.starts_with("sub:")).unwrap();
    assert!(row.starts_with("sub:r:") && !shown.starts_with("pub:r:"), "{shown}");

    let absent = revoke_subkey(&secret, None, &certificate.fingerprint(), Reason::Retired, "", at(0));
    assert!(matches!(absent, Err(Error::NoSuchSubkey { .. })));
}

#[test]
fn gpgs_revocation_is_read_once_its_guard_is_taken_off() {
    let Some(keys) = keys() else { return };
    let guarded = RevocationCertificate::parse(&keys.revocation).unwrap_err();
    assert!(guarded.to_string().contains("colon") && guarded.help().unwrap().contains("colon"));
    let open = String::from_utf8(keys.revocation.clone()).unwrap().replace(":-----BEGIN", "-----BEGIN");
    let revocation = RevocationCertificate::parse(open.as_bytes()).unwrap();
    let mut keyring = Keyring::parse(&keys.subkeys.public).unwrap();
    keyring.revoke(&revocation).unwrap();
    assert!(keyring.certificates()[0].is_revoked());
    // Of another keyring it is not the business.
    let mut other = Keyring::parse(&keys.rsa.public).unwrap();
    assert!(matches!(other.revoke(&revocation), Err(Error::RevokesAnotherKey { .. })));
    assert!(!other.certificates()[0].is_revoked());
}

#[test]
fn what_is_no_revocation_certificate_is_named() {
    let key = generate("Release <release@example.org>", at(-100), None).unwrap();
    let public = Keyring::from_certificates([key.certificate.clone()]);
    let signer = KeySource::Text { armored: key.secret.clone(), passphrase: None }.open(at(0)).unwrap();
    let two = [key.revocation.expose(), key.revocation.expose()].concat();
    for bad in [
        &b""[..],
        b"text",
        &public.to_binary(),
        public.to_armored().as_bytes(),
        key.secret.expose(),
        signer.detached(&mut &DATA[..], at(0)).unwrap().as_bytes(),
        &two,
        &[0xFF; 100],
        &vec![b'x'; 2 << 20],
    ] {
        let result = RevocationCertificate::parse(bad);
        assert!(matches!(result, Err(Error::NotARevocation { .. })), "{result:?}");
    }
}

#[test]
fn a_forged_revocation_that_names_the_key_revokes_nothing() {
    let (key, other) = (
        generate("Release <release@example.org>", at(-100), None).unwrap(),
        generate("Other <other@example.org>", at(-100), None).unwrap(),
    );
    let mut keyring = Keyring::from_certificates([key.certificate]);
    let forged = RevocationCertificate::parse(other.revocation.expose()).unwrap();
    assert!(matches!(keyring.revoke(&forged), Err(Error::RevokesAnotherKey { .. })));
    // Appended to the keyring file it is read over.
    let bytes = [keyring.to_armored().as_bytes(), other.revocation.expose()].concat();
    assert!(!Keyring::parse(&bytes).unwrap().certificates()[0].is_revoked());
}

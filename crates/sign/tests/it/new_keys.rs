//! Keys that Packhouse makes: what gpg, gpgv and sqv make of them.

use std::time::Duration;

use packhouse_clients::find;
use packhouse_sign::{
    Algorithm, Error, Generated, KeySource, Keyring, NewAlgorithm, NewKey, Secret, Shape, verify_detached,
};

use crate::gnupg::{Home, NOW, at};

const DAY: Duration = Duration::from_secs(86_400);
const USER: &str = "Release <release@example.org>";

fn recipe<'a>(algorithm: NewAlgorithm, shape: Shape, passphrase: Option<&'a Secret>) -> NewKey<'a> {
    NewKey {
        user_id: USER,
        algorithm,
        shape,
        created: at(-100),
        signs_for: Some(DAY * 730),
        primary_for: None,
        passphrase,
    }
}

fn text(secret: &Secret) -> String {
    String::from_utf8(secret.expose().to_vec()).unwrap()
}

/// The expiry columns of gpg's listing: of the primary key and of the subkey, in Unix seconds.
fn expiries(home: &Home, file: &str) -> Vec<(String, String, String)> {
    let listing = home.gpg(&["--with-colons", "--show-keys", file]);
    let listing = String::from_utf8(listing).unwrap();
    let rows = listing.lines().filter(|line| line.starts_with("pub:") || line.starts_with("sub:"));
    rows.map(|row| {
        let fields: Vec<&str> = row.split(':').collect();
        (
            fields[0].to_owned(),
            fields[6].to_owned(),
            fields[11].chars().filter(char::is_ascii_lowercase).collect(),
        )
    })
    .collect()
}

/// gpg imports the files of a new key, signs with them, and gpgv and sqv accept what it signed.
fn gpg_signs_with(generated: &Generated, passphrase: &str) {
    let keyring = Keyring::from_certificates([generated.certificate.clone()]);
    let part = generated.certificate.signing_part(at(0)).unwrap();
    for secret in [Some(&generated.secret), generated.signing_subkey.as_ref()].into_iter().flatten() {
        let home = Home::new();
        home.file("secret.asc", secret.expose());
        home.file("public.asc", keyring.to_armored());
        home.file("public.gpg", keyring.to_binary());
        home.file("data", "content");
        home.gpg(&["--passphrase", passphrase, "--import", "secret.asc"]);
        home.gpg(&["--import", "public.asc"]);
        home.gpg(&["--passphrase", passphrase, "--output", "data.sig", "--detach-sign", "data"]);
        home.accepts("gpgv", &["--keyring", "./public.gpg", "data.sig", "data"]);
        home.accepts("sqv", &["--keyring", "public.gpg", "data.sig", "data"]);
        let signature = fs_err::read(home.path().join("data.sig")).unwrap();
        let verified = verify_detached(&signature, &mut &b"content"[..], &keyring, at(0)).unwrap();
        assert_eq!(verified.signing_key, part.fingerprint);
    }
}

#[test]
fn an_ed25519_key_has_a_primary_that_certifies_and_a_subkey_that_signs_for_two_years() {
    if find(["gpg", "gpgconf", "gpgv", "sqv"]).is_none() {
        return;
    }
    let generated = recipe(NewAlgorithm::Ed25519, Shape::SigningSubkey, None).generate().unwrap();
    let parts = generated.certificate.parts(at(0));
    assert_eq!(parts.len(), 2);
    assert!(parts[0].is_primary && parts[0].is_for_certifying && !parts[0].is_for_signing);
    assert!(!parts[1].is_primary && !parts[1].is_for_certifying && parts[1].is_for_signing);
    assert!(parts[0].may_sign.is_err() && parts[1].may_sign.is_ok());
    assert_eq!((parts[0].expires, parts[1].expires), (None, Some(at(-100) + DAY * 730)));
    assert!(parts.iter().all(|part| part.algorithm == Algorithm::Ed25519 && part.created == at(-100)));

    let home = Home::new();
    let keyring = Keyring::from_certificates([generated.certificate.clone()]);
    home.file("public.gpg", keyring.to_binary());
    let end = (NOW - 100 + 730 * 86_400).to_string();
    let expected = [("pub", "", "c"), ("sub", &*end, "s")];
    let expected = expected.map(|(a, b, c)| (a.to_owned(), b.to_owned(), c.to_owned()));
    assert_eq!(expiries(&home, "public.gpg"), expected);
    gpg_signs_with(&generated, "");
}

#[test]
fn an_rsa_key_may_do_without_subkeys_and_then_the_primary_signs_and_expires() {
    if find(["gpg", "gpgconf", "gpgv", "sqv"]).is_none() {
        return;
    }
    let generated = recipe(NewAlgorithm::Rsa3072, Shape::Single, None).generate().unwrap();
    assert!(generated.signing_subkey.is_none());
    assert_eq!(generated.certificate.algorithm(), Algorithm::Rsa { bits: 3072 });
    let home = Home::new();
    home.file("public.gpg", Keyring::from_certificates([generated.certificate.clone()]).to_binary());
    let end = (NOW - 100 + 730 * 86_400).to_string();
    assert_eq!(expiries(&home, "public.gpg"), [("pub".to_owned(), end, "sc".to_owned())]);
    gpg_signs_with(&generated, "");
}

#[test]
fn a_pass_phrase_protects_every_secret_of_every_file() {
    if find(["gpg", "gpgconf", "gpgv", "sqv"]).is_none() {
        return;
    }
    let passphrase = Secret::new("correct horse");
    let generated =
        recipe(NewAlgorithm::Ed25519, Shape::SigningSubkey, Some(&passphrase)).generate().unwrap();
    gpg_signs_with(&generated, "correct horse");
    for secret in [&generated.secret, generated.signing_subkey.as_ref().unwrap()] {
        let open = |passphrase: Option<&str>| {
            let source = KeySource::Text { armored: secret.clone(), passphrase: passphrase.map(Secret::new) };
            source.open(at(0))
        };
        assert!(matches!(open(None), Err(Error::PassphraseNeeded { .. })));
        assert!(matches!(open(Some("wrong")), Err(Error::WrongPassphrase { .. })));
        open(Some("correct horse")).unwrap();
    }
}

#[test]
fn the_export_for_the_signing_machine_has_no_primary_secret() {
    if find(["gpg", "gpgconf"]).is_none() {
        return;
    }
    let generated = recipe(NewAlgorithm::Ed25519, Shape::SigningSubkey, None).generate().unwrap();
    let home = Home::new();
    home.file("ci.asc", generated.signing_subkey.as_ref().unwrap().expose());
    home.gpg(&["--import", "ci.asc"]);
    let listing = String::from_utf8(home.gpg(&["--with-colons", "--list-secret-keys"])).unwrap();
    let column = |kind: &str| {
        let row = listing.lines().find(|line| line.starts_with(kind)).unwrap();
        row.split(':').nth(14).unwrap().to_owned()
    };
    assert_eq!((column("sec:"), column("ssb:")), ("#".to_owned(), "+".to_owned()));
    // Nor can it make another subkey or a revocation.
    let made = packhouse_sign::RevocationCertificate::make(
        generated.signing_subkey.as_ref().unwrap(),
        None,
        packhouse_sign::Reason::Superseded,
        "",
        at(0),
    );
    assert!(matches!(made, Err(Error::NoPrimarySecret { .. })), "{made:?}");
}

#[test]
fn what_openpgp_cannot_express_is_refused() {
    let recipe = recipe(NewAlgorithm::Ed25519, Shape::SigningSubkey, None);
    for user_id in ["", " ", "a\nb", "a\u{1b}[2J"] {
        let made = NewKey { user_id, ..recipe }.generate();
        assert!(matches!(made, Err(Error::UserId { .. })), "{user_id:?}");
    }
    let year = DAY * 365;
    for (signs_for, primary_for) in
        [(Some(year * 100), None), (None, Some(year * 100)), (Some(year * 200), None)]
    {
        let made = NewKey { signs_for, primary_for, ..recipe }.generate();
        assert!(matches!(made, Err(Error::Time { what: "the end of the key" })));
    }
    let early = std::time::SystemTime::UNIX_EPOCH - DAY;
    assert!(matches!(NewKey { created: early, ..recipe }.generate(), Err(Error::Time { .. })));
}

#[test]
fn two_keys_of_one_recipe_have_nothing_in_common() {
    let recipe = recipe(NewAlgorithm::Ed25519, Shape::SigningSubkey, None);
    let (first, second) = (recipe.generate().unwrap(), recipe.generate().unwrap());
    assert_ne!(first.certificate.fingerprint(), second.certificate.fingerprint());
    assert_ne!(text(&first.secret), text(&second.secret));
}

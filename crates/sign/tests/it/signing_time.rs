//! From when on a key may sign: what signatures inside packages are dated by.

use packhouse_sign::{KeySource, Secret, generate};

use crate::gnupg::{Home, NOW, at};

const DAY: i64 = 24 * 60 * 60;

#[test]
fn a_key_signs_from_the_packages_time_on_or_from_its_own() {
    let key = generate("A <a@example.org>", at(0), None).unwrap();
    let signer = KeySource::Text { armored: key.secret, passphrase: None }.open(at(DAY)).unwrap();
    let first = |from, until| key.certificate.signs_first(&signer.signing_key(), at(from), at(until));
    assert_eq!(first(DAY, 2 * DAY), Some(at(DAY)));
    assert_eq!(first(-DAY, 2 * DAY), Some(at(0)), "not before the key existed");
    assert_eq!(first(-2 * DAY, -DAY), None);
    assert_eq!(first(2 * DAY, DAY), None, "a package from the future");
    let primary = key.certificate.fingerprint();
    assert_eq!(key.certificate.signs_first(&primary, at(DAY), at(DAY)), None, "it only certifies");
    assert_eq!(key.certificate.algorithm_number(&signer.signing_key()), Some(22));
}

/// gpg replaces a key's statements when it extends it: of the time before, none is left.
#[test]
fn an_extended_key_signs_from_its_extension_on() {
    if packhouse_clients::find(["gpg"]).is_none() {
        return;
    }
    let home = Home::new();
    let fingerprint = home.make_key("A <a@example.org>", "ed25519", "sign", "seconds=86400");
    let later = NOW + 10 * 24 * 60 * 60;
    home.gpg_at(later, &["--passphrase", "", "--quick-set-expire", &fingerprint, "2y"], b"");
    let secret = home.gpg(&["--armor", "--export-secret-keys", &fingerprint]);
    let until = at(11 * DAY);
    let signer = KeySource::Text { armored: Secret::new(secret), passphrase: None }.open(until).unwrap();
    let first = |from| signer.certificate().signs_first(&signer.signing_key(), at(from), until);
    assert_eq!(first(5 * DAY), Some(at(10 * DAY)));
    assert_eq!(first(10 * DAY + 7), Some(at(10 * DAY + 7)));
    // And it does sign then.
    signer.packet(&mut &b"a header"[..], first(5 * DAY).unwrap()).unwrap();
    signer.packet(&mut &b"a header"[..], at(5 * DAY)).unwrap_err();
}

//! `KEY-14`: what people take for a keyring.

use std::time::Instant;

use packhouse_sign::{Added, Error, Keyring, KeyringDefect, generate, verify_detached};
use pgp::crypto::hash::HashAlgorithm;
use pgp::packet::SignatureType;
use pgp::types::Tag;

use crate::forgery::{Forged, Recipe, armored, config, packet, raw_packet};
use crate::gnupg::{NOW, at, keys};

fn defect(bytes: &[u8]) -> KeyringDefect {
    match Keyring::parse(bytes) {
        Err(Error::KeyringUnreadable { path: None, reason }) => reason,
        other => panic!("expected a refusal, got {other:?}"),
    }
}

#[test]
fn a_secret_key_is_refused_loudly_in_every_shape() {
    let Some(keys) = keys() else { return };
    let secret = String::from_utf8(keys.rsa.secret.clone()).unwrap();
    let public = Keyring::parse(&keys.rsa.public).unwrap().to_armored();
    assert_eq!(defect(secret.as_bytes()), KeyringDefect::SecretKey);
    assert_eq!(defect(format!("{public}{secret}").as_bytes()), KeyringDefect::SecretKey);
    // Under another label, binary, and a lone subkey.
    let relabelled = secret.replace("PRIVATE", "PUBLIC");
    assert_eq!(defect(relabelled.as_bytes()), KeyringDefect::SecretKey);
    let key = Recipe::default().make();
    for tag in [Tag::SecretKey, Tag::SecretSubkey] {
        assert_eq!(defect(&[key.public(), raw_packet(tag, b"x")].concat()), KeyringDefect::SecretKey);
    }
    let error = Keyring::parse(secret.as_bytes()).unwrap_err();
    assert!(error.to_string().contains("SECRET"), "{error}");
    assert!(error.help().unwrap().contains("compromised"));
}

#[test]
fn what_is_no_keyring_is_named() {
    for (bytes, expected) in [
        (&b""[..], KeyringDefect::Empty),
        (b" \n\n", KeyringDefect::Empty),
        (b"<!DOCTYPE html><html></html>", KeyringDefect::WebPage),
        (b"\xef\xbb\xbf\n <html>", KeyringDefect::WebPage),
        (b"just text", KeyringDefect::NoKey { passed_over: vec![] }),
    ] {
        assert_eq!(defect(bytes), expected);
    }
    let key = Recipe::default().make();
    let signature = key.signature().over(b"x");
    for bytes in [
        armored("PGP SIGNATURE", &signature).into_bytes(),
        armored("PGP MESSAGE", &signature).into_bytes(),
        raw_packet(Tag::LiteralData, b"x"),
        key.public()[..100].to_vec(),
        [key.public(), vec![0]].concat(),
        b"\xff\xff\xff".to_vec(),
        b"caf\xe9".to_vec(),
    ] {
        assert!(matches!(defect(&bytes), KeyringDefect::Malformed { .. }), "{bytes:?}");
    }
    // Just a signature, or a key of version 3: packets, but no key.
    assert!(matches!(defect(&signature), KeyringDefect::NoKey { .. }));
    let version_3 = [&[3][..], &NOW.to_be_bytes(), &[0, 0, 1, 0, 8, 0xFF, 0, 2, 3]].concat();
    match defect(&raw_packet(Tag::PublicKey, &version_3)) {
        KeyringDefect::NoKey { passed_over } => assert_eq!(passed_over.len(), 1),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_keybox_without_keys_or_cut_off_is_refused() {
    let header = [&32u32.to_be_bytes()[..], &[1, 1, 0, 0], b"KBXf", &[0; 20]].concat();
    assert_eq!(defect(&header), KeyringDefect::Empty);
    assert!(matches!(defect(&header[..20]), KeyringDefect::Malformed { .. }));
}

#[test]
fn a_file_is_named_in_the_error() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("trustedkeys.gpg");
    fs_err::write(&path, "<html>").unwrap();
    let error = Keyring::read(&path).unwrap_err();
    assert_eq!(error.to_string(), format!("{} is not a usable keyring: it is a web page", path.display()));
    assert!(matches!(Keyring::read(&directory.path().join("absent")), Err(Error::Io(_))));
}

#[test]
fn armored_blocks_one_after_the_other_with_notes_between_are_one_keyring() {
    let first = generate("First <1@example.org>", at(0), None).unwrap().certificate;
    let second = generate("Second <2@example.org>", at(0), None).unwrap().certificate;
    let block = |certificate: &packhouse_sign::Certificate| {
        Keyring::from_certificates([certificate.clone()]).to_armored()
    };
    let text = format!(
        "the release key:\n{}\nthe next one:\r\n{}",
        block(&first),
        block(&second).replace('\n', "\r\n")
    );
    let keyring = Keyring::parse(text.as_bytes()).unwrap();
    let names: Vec<_> = keyring.certificates().iter().map(|certificate| certificate.user_id()).collect();
    assert_eq!(names, ["First <1@example.org>", "Second <2@example.org>"]);
    assert!(keyring.passed_over().is_empty());
    // The same key twice is one.
    let twice = Keyring::parse(format!("{text}{}", block(&first)).as_bytes()).unwrap();
    assert_eq!(twice.to_binary(), keyring.to_binary());
}

#[test]
fn a_key_that_nobody_knows_does_not_hide_the_others() {
    let key = Recipe::default().make();
    let unknown = [&[4][..], &NOW.to_be_bytes(), &[99, 1, 2, 3]].concat();
    let version_6 = [&[6][..], &NOW.to_be_bytes(), &[27, 0, 0, 0, 32], &[7; 32]].concat();
    let keyring =
        [raw_packet(Tag::PublicKey, &version_6), raw_packet(Tag::PublicKey, &unknown), key.public()].concat();
    let keyring = Keyring::parse(&keyring).unwrap();
    assert!(keyring.certificates().iter().any(|certificate| certificate.user_id().starts_with("Forged")));
    assert!(!keyring.passed_over().is_empty());
    verify_detached(&key.signature().over(b"x"), &mut &b"x"[..], &keyring, at(0)).unwrap();
}

#[test]
fn a_key_flooded_with_certifications_is_read_quickly_and_without_them() {
    let (key, stranger) = (Recipe::default().make(), Recipe::default().make());
    let user = &key.0.details.users[0];
    let maker = &stranger.0.primary_key;
    let third_party = config(SignatureType::CertGeneric, maker, HashAlgorithm::Sha512, NOW, vec![])
        .sign_certification_third_party(
            maker,
            &pgp::types::Password::empty(),
            key.0.primary_key.public_key(),
            Tag::UserId,
            &user.id,
        )
        .unwrap();
    let flood = packet(&third_party).repeat(100_000);
    // After the user id, where key servers put them; here that is the end, since subkeys are left out.
    let mut alone = key.0.clone();
    alone.secret_subkeys.clear();
    let public = pgp::ser::Serialize::to_bytes(&alone.to_public_key()).unwrap();
    let start = Instant::now();
    let keyring = Keyring::parse(&[public.clone(), flood].concat()).unwrap();
    assert_eq!(keyring.to_binary(), public);
    // Measured 0.3 s on two busy cores; a quadratic reader takes minutes.
    assert!(start.elapsed().as_secs() < 10, "{:?}", start.elapsed());

    // Certifications that claim to be its own cost a verification each: refused beyond any honest number.
    let own = packet(&user.signatures[0]).repeat(2_000);
    match defect(&[public, own].concat()) {
        KeyringDefect::NoKey { passed_over } => {
            assert!(passed_over[0].contains("flooded"), "{passed_over:?}")
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_keyring_of_a_thousand_keys_finds_each() {
    let certificates: Vec<_> = (0..1000)
        .map(|number| generate(&format!("Key {number}"), at(0), None).unwrap().certificate)
        .collect();
    let keyring = Keyring::parse(&Keyring::from_certificates(certificates.clone()).to_binary()).unwrap();
    assert_eq!(keyring.certificates().len(), 1000);
    for certificate in certificates.iter().step_by(97) {
        for fingerprint in certificate.fingerprints() {
            assert_eq!(keyring.find(&fingerprint).unwrap().fingerprint(), certificate.fingerprint());
        }
    }
}

/// Keys that differ in nothing but the second they were made, which gives each a fingerprint of its own.
fn many_keys(count: u32) -> Vec<u8> {
    let certificate = generate("One of many", at(0), None).unwrap().certificate.to_binary();
    // Header, version, then four bytes of time (RFC 9580, section 5.5.2.2).
    let time = certificate.windows(4).position(|bytes| bytes == NOW.to_be_bytes()).unwrap();
    let mut keyring = Vec::with_capacity(certificate.len() * count as usize);
    for number in 0..count {
        let start = keyring.len() + time;
        keyring.extend_from_slice(&certificate);
        keyring[start..start + 4].copy_from_slice(&(NOW - number).to_be_bytes());
    }
    keyring
}

#[test]
fn key_14_ten_thousand_keys_are_read_at_once() {
    let bytes = many_keys(10_000);
    let start = Instant::now();
    let keyring = Keyring::parse(&bytes).unwrap();
    assert_eq!(keyring.certificates().len(), 10_000);
    // A reader that compares each key with each takes minutes.
    assert!(start.elapsed().as_secs() < 10, "{:?}", start.elapsed());
    let last = keyring.certificates()[9_999].fingerprint();
    assert_eq!(keyring.find(&last).unwrap().fingerprint(), last);
}

#[test]
fn key_14_revocations_that_name_nobody_are_of_the_key_they_stand_behind() {
    let nameless = |key: &Forged| {
        let primary = &key.0.primary_key;
        let mut config = config(SignatureType::KeyRevocation, primary, HashAlgorithm::Sha512, NOW, vec![]);
        config.hashed_subpackets.remove(0);
        config.unhashed_subpackets.clear();
        let revocation = config.sign_key(primary, &pgp::types::Password::empty(), primary.public_key());
        packet(&revocation.unwrap())
    };
    let (key, other) = (Recipe::default().make(), Recipe::default().make());
    let revoked = |bytes: &[u8]| -> Vec<bool> {
        let keyring = Keyring::parse(bytes).unwrap();
        keyring.certificates().iter().map(|certificate| certificate.is_revoked()).collect()
    };
    assert_eq!(revoked(&[other.public(), key.public(), nameless(&key)].concat()), [false, true]);
    assert_eq!(revoked(&[key.public(), other.public(), nameless(&key)].concat()), [false, false]);

    // Tried on each of five thousand keys, five thousand of them would take an hour.
    let flood = nameless(&key).repeat(5_000);
    let start = Instant::now();
    let keyring = Keyring::parse(&[many_keys(5_000), flood].concat()).unwrap();
    assert!(keyring.certificates().iter().all(|certificate| !certificate.is_revoked()));
    assert!(start.elapsed().as_secs() < 20, "{:?}", start.elapsed());
}

#[test]
fn key_08_adding_keeps_the_union_and_takes_nothing_away() {
    let key = Recipe::default().make();
    let plain = key.keyring().certificates()[0].clone();
    let mut revoked = Recipe::default().make_with(key.0.primary_key.clone());
    revoked.revoke(None, NOW);
    let revoked = revoked.keyring().certificates()[0].clone();
    for order in [[&plain, &revoked], [&revoked, &plain]] {
        let mut keyring = Keyring::default();
        assert_eq!(keyring.add(order[0].clone()), Added::New);
        assert_eq!(keyring.add(order[1].clone()), Added::Update);
        assert_eq!(keyring.add(order[0].clone()), Added::Nothing);
        assert_eq!(keyring.add(order[1].clone()), Added::Nothing);
        let certificate = &keyring.certificates()[0];
        assert!(certificate.is_revoked());
        // The primary key, and the subkey of either copy.
        assert_eq!(certificate.fingerprints().len(), 3);
        assert_eq!(keyring.remove(&plain.fingerprint()).unwrap().fingerprint(), plain.fingerprint());
        assert!(keyring.certificates().is_empty() && keyring.remove(&plain.fingerprint()).is_none());
    }
}

#[test]
fn what_clients_choke_on_is_left_out_for_them_and_revocations_never_are() {
    let mut key = Recipe::default().make();
    // A statement with SHA-1 beside the good one; by RSA, since rPGP makes no such one with Ed25519.
    let rsa = Recipe { algorithm: pgp::composed::KeyType::Rsa(2048), ..Recipe::default() }.make();
    let weak = config(SignatureType::CertGeneric, &rsa.0.primary_key, HashAlgorithm::Sha1, NOW - 900, vec![])
        .sign_certification(
            &rsa.0.primary_key,
            rsa.0.primary_key.public_key(),
            &pgp::types::Password::empty(),
            Tag::UserId,
            &rsa.0.details.users[0].id,
        )
        .unwrap();
    let mut both = rsa.0.clone();
    both.details.users[0].signatures.push(weak);
    let certificate = Forged(both).keyring().certificates()[0].clone();
    assert_eq!(certificate.weak_hashes().into_iter().collect::<Vec<_>>(), ["SHA-1"]);
    certificate.check_can_sign(at(0)).unwrap();
    let slim = certificate.for_clients(at(0));
    assert!(slim.weak_hashes().is_empty());
    assert_eq!((slim.fingerprint(), slim.user_ids()), (certificate.fingerprint(), certificate.user_ids()));
    slim.check_can_sign(at(0)).unwrap();

    // An encryption subkey goes, the revoked key stays revoked.
    let encrypting = Recipe { subkey_signs: false, ..Recipe::default() }.make_with(key.0.primary_key.clone());
    key.0.secret_subkeys.extend(encrypting.0.secret_subkeys);
    key.revoke(None, NOW);
    let certificate = key.keyring().certificates()[0].clone();
    let slim = certificate.for_clients(at(0));
    assert_eq!((certificate.fingerprints().len(), slim.fingerprints().len()), (3, 2));
    assert!(slim.is_revoked());
}

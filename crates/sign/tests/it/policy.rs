//! What is refused although the mathematics are right: each row of `KEY-01…12` that concerns signatures.

use packhouse_sign::{Error, KeyDefect, Keyring, Verified, verify_cleartext, verify_detached};
use pgp::composed::KeyType;
use pgp::crypto::ecc_curve::ECCCurve;
use pgp::crypto::hash::HashAlgorithm as Hash;
use pgp::packet::{Notation, RevocationCode, SignatureType, SubpacketData};
use pgp::types::{Duration, Tag, Timestamp};

use crate::forgery::{Back, Forged, Recipe, armored, critical, raw_packet, regular};
use crate::gnupg::{Home, NOW, at, keys};

const DATA: &[u8] = b"content";

fn verify(signature: &[u8], keyring: &Keyring) -> Result<Verified, Error> {
    verify_detached(signature, &mut &DATA[..], keyring, at(0))
}

macro_rules! assert_refused {
    ($result:expr, $pattern:pat $(if $guard:expr)?) => {
        match $result {
            Err($pattern) $(if $guard)? => {}
            other => panic!("expected {}, got {other:?}", stringify!($pattern)),
        }
    };
}

fn defect(result: Result<Verified, Error>) -> KeyDefect {
    match result {
        Err(Error::NotASigningKey { defect, .. }) => defect,
        other => panic!("expected NotASigningKey, got {other:?}"),
    }
}

#[test]
fn the_forger_makes_good_signatures_too() {
    let key = Recipe::default().make();
    let verified = verify(&key.signature().over(DATA), &key.keyring()).unwrap();
    assert_eq!(verified.user_id, "Forged <forged@example.org>");
    verify(armored("PGP SIGNATURE", &key.signature().over(DATA)).as_bytes(), &key.keyring()).unwrap();
    let signing = Recipe { primary_signs: true, ..Recipe::default() }.make();
    verify(&signing.primary_signature().over(DATA), &signing.keyring()).unwrap();
    for curve in [ECCCurve::P256, ECCCurve::P384, ECCCurve::P521] {
        let key = Recipe { subkey: KeyType::ECDSA(curve), ..Recipe::default() }.make();
        verify(&key.signature().over(DATA), &key.keyring()).unwrap();
    }
}

#[test]
fn key_01_an_unknown_key_is_named() {
    let (key, other) = (Recipe::default().make(), Recipe::default().make());
    let issuer = other.keyring().certificates()[0].fingerprints()[1].to_string();
    assert_refused!(verify(&other.signature().over(DATA), &key.keyring()), Error::UnknownKey { issuer: named } if named == issuer);
    // Naming a known key does not help: then the mathematics decide.
    let own = pgp::types::KeyDetails::fingerprint(key.subkey());
    let lying = other.signature().over_with(DATA, |config| {
        config.hashed_subpackets[0] = regular(SubpacketData::IssuerFingerprint(own));
    });
    assert_refused!(verify(&lying, &key.keyring()), Error::BadSignature { .. });
}

#[test]
fn key_02_to_05_only_a_bound_and_consenting_signing_key_may_sign() {
    let encrypting = Recipe { subkey_signs: false, ..Recipe::default() }.make();
    assert_eq!(
        defect(verify(&encrypting.signature().over(DATA), &encrypting.keyring())),
        KeyDefect::OtherPurpose
    );
    let key = Recipe::default().make();
    assert_eq!(defect(verify(&key.primary_signature().over(DATA), &key.keyring())), KeyDefect::OtherPurpose);
    let rsa = KeyType::Rsa(2048); // rPGP makes no weak signature with Ed25519
    for (subkey, back) in [
        (KeyType::Ed25519Legacy, Back::None),
        (KeyType::Ed25519Legacy, Back::ByAnother),
        (rsa, Back::Hash(Hash::Sha1)),
    ] {
        let key = Recipe { subkey, back, ..Recipe::default() }.make();
        assert_eq!(defect(verify(&key.signature().over(DATA), &key.keyring())), KeyDefect::NoBackSignature);
    }
    // A binding that belongs to another subkey.
    let (mut key, other) = (Recipe::default().make(), Recipe::default().make());
    key.0.secret_subkeys[0].signatures = other.0.secret_subkeys[0].signatures.clone();
    // The binding is dropped as not its own, and a subkey without one is no part of the key.
    assert_refused!(verify(&key.signature().over(DATA), &key.keyring()), Error::UnknownKey { .. });
    let spare = Recipe::default().make_with(key.0.primary_key.clone());
    key.0.secret_subkeys[0].signatures = spare.0.secret_subkeys[0].signatures.clone();
    assert_eq!(defect(verify(&key.signature().over(DATA), &key.keyring())), KeyDefect::NotBound);
}

#[test]
fn key_05_a_stolen_subkey_does_not_speak_for_the_thief() {
    let victim = Recipe::default().make();
    let mut thief = Recipe::default().make();
    thief.adopt(&victim);
    let signature = victim.signature().over(DATA);
    assert_eq!(defect(verify(&signature, &thief.keyring())), KeyDefect::NoBackSignature);
    verify(&signature, &victim.keyring()).unwrap();
    // With both in the keyring, in either order, the signature is the victim's.
    for both in [[victim.public(), thief.public()], [thief.public(), victim.public()]] {
        let keyring = Keyring::parse(&both.concat()).unwrap();
        let owner = victim.keyring().certificates()[0].fingerprint();
        assert_eq!(verify(&signature, &keyring).unwrap().fingerprint, owner);
    }
}

#[test]
fn key_06_an_expired_key_or_subkey_vouches_for_nothing() {
    let expired = [
        Recipe { primary_lifetime: Some(1000), ..Recipe::default() },
        Recipe { subkey_lifetime: Some(1000), ..Recipe::default() },
    ];
    for recipe in expired {
        let key = recipe.make();
        let signature = key.signature().created(NOW - 500).over(DATA);
        assert_refused!(verify(&signature, &key.keyring()), Error::KeyExpired { on, .. } if on == at(0));
        // Asked about a moment before, it was good; a changed content is called changed nevertheless.
        verify_detached(&signature, &mut &DATA[..], &key.keyring(), at(-1)).unwrap();
        let changed = verify_detached(&signature, &mut &b"changed"[..], &key.keyring(), at(0));
        assert_refused!(changed, Error::BadSignature { .. });
    }
}

#[test]
fn key_07_a_hard_revocation_counts_for_ever_and_a_soft_one_from_then_on() {
    let cases = [
        (None, true),
        (Some(RevocationCode::NoReason), true),
        (Some(RevocationCode::KeyCompromised), true),
        (Some(RevocationCode::KeySuperseded), false),
        (Some(RevocationCode::KeyRetired), false),
    ];
    for (reason, is_hard) in cases {
        let mut key = Recipe::default().make();
        let (before, after) = (key.signature().created(NOW - 500).over(DATA), key.signature().over(DATA));
        key.revoke(reason, NOW - 100);
        assert!(key.keyring().certificates()[0].is_revoked());
        assert_refused!(verify(&after, &key.keyring()), Error::KeyRevoked { on, .. } if on == at(-100));
        assert_eq!(verify(&before, &key.keyring()).is_err(), is_hard, "{reason:?}");

        if let Some(reason) = reason {
            let mut key = Recipe::default().make();
            let (before, after) = (key.signature().created(NOW - 500).over(DATA), key.signature().over(DATA));
            key.revoke_subkey(reason, NOW - 100);
            assert_refused!(verify(&after, &key.keyring()), Error::KeyRevoked { .. });
            assert_eq!(verify(&before, &key.keyring()).is_err(), is_hard, "{reason:?}");
        }
    }
}

#[test]
fn key_07_the_only_user_id_revoked_leaves_no_self_signature() {
    let mut key = Recipe::default().make();
    let signature = key.signature().over(DATA);
    key.revoke_user(NOW - 100);
    assert_eq!(defect(verify(&signature, &key.keyring())), KeyDefect::NoSelfSignature);
}

#[test]
fn key_08_a_revocation_anywhere_in_the_keyring_counts() {
    let mut key = Recipe::default().make();
    let clean = key.public();
    let signature = key.signature().over(DATA);
    key.revoke(Some(RevocationCode::KeyCompromised), NOW - 100);
    let revoked = key.public();
    let revocation = crate::forgery::packet(&key.0.details.revocation_signatures[0]);
    let other = Recipe::default().make().public();
    for keyring in [
        [clean.clone(), revoked.clone()].concat(),
        [revoked, clean.clone()].concat(),
        [clean.clone(), revocation.clone()].concat(),
        [clean.clone(), other.clone(), revocation.clone()].concat(),
        [other, revocation, clean].concat(),
    ] {
        assert_refused!(verify(&signature, &Keyring::parse(&keyring).unwrap()), Error::KeyRevoked { .. });
    }
}

#[test]
fn key_08_the_revocation_file_of_gpg_counts_when_it_is_appended() {
    let Some(keys) = keys() else { return };
    let home = Home::new();
    home.file("key.asc", &keys.subkeys.secret);
    home.gpg(&["--passphrase", "", "--import", "key.asc"]);
    let signature = home.gpg_at(NOW, &["--detach-sign"], DATA);
    let public = String::from_utf8(home.gpg(&["--armor", "--export"])).unwrap();
    verify(&signature, &Keyring::parse(public.as_bytes()).unwrap()).unwrap();
    // gpg writes a colon before the first dash, so that it is not used by accident.
    let revocation = String::from_utf8(keys.revocation.clone()).unwrap().replace(":-----BEGIN", "-----BEGIN");
    let keyring = Keyring::parse(format!("{public}{revocation}").as_bytes()).unwrap();
    assert_refused!(verify(&signature, &keyring), Error::KeyRevoked { .. });
}

#[test]
fn key_09_weak_hashes_are_refused_by_name() {
    let Some(keys) = keys() else { return };
    let key = Forged::import(&keys.rsa.secret);
    let cases = [
        (Hash::Md5, "MD5"),
        (Hash::Sha1, "SHA-1"),
        (Hash::Ripemd160, "RIPEMD-160"),
        (Hash::Sha224, "SHA-224"),
    ];
    for (hash, name) in cases {
        let signature = key.primary_signature().hash(hash).over(DATA);
        assert_refused!(verify(&signature, &key.keyring()), Error::WeakHash { algorithm } if algorithm == name);
    }
    for hash in [Hash::Sha256, Hash::Sha384, Hash::Sha512] {
        verify(&key.primary_signature().hash(hash).over(DATA), &key.keyring()).unwrap();
    }
}

#[test]
fn key_09_a_key_held_together_by_sha_1_is_refused() {
    let Some(keys) = keys() else { return };
    let primary = || Forged::import(&keys.rsa.secret).0.primary_key.clone();
    let key = Recipe { self_hash: Hash::Sha1, created: NOW, ..Recipe::default() }.make_with(primary());
    let weak = defect(verify(&key.signature().over(DATA), &key.keyring()));
    assert!(matches!(weak, KeyDefect::WeakSelfSignature { .. }), "{weak:?}");
    let key = Recipe { binding_hash: Hash::Sha1, created: NOW, ..Recipe::default() }.make_with(primary());
    let weak = defect(verify(&key.signature().over(DATA), &key.keyring()));
    assert!(matches!(weak, KeyDefect::WeakBinding { .. }), "{weak:?}");
}

#[test]
fn key_09_short_keys_and_other_algorithms_are_refused() {
    let Some(keys) = keys() else { return };
    let short = Forged::import(&keys.short.secret);
    let signature = short.primary_signature().over(DATA);
    assert_refused!(verify(&signature, &short.keyring()), Error::WeakKey { algorithm, .. } if algorithm == "RSA-1024");
    // A short primary key is no better when a strong subkey signs.
    let key = Recipe { created: NOW, ..Recipe::default() }.make_with(short.0.primary_key.clone());
    assert_refused!(verify(&key.signature().over(DATA), &key.keyring()), Error::WeakKey { .. });

    for (subkey, name) in [(KeyType::ECDSA(ECCCurve::Secp256k1), "secp256k1"), (KeyType::Ed448, "Ed448")] {
        let key = Recipe { subkey, ..Recipe::default() }.make();
        let signature = key.signature().over(DATA);
        assert_refused!(verify(&signature, &key.keyring()), Error::WeakKey { algorithm, .. } if algorithm == name);
    }
}

#[test]
fn key_09_signatures_of_other_versions_are_refused() {
    let key = Recipe::default().make();
    // Version 3: type, time, key id, algorithms, two octets of the hash, two numbers.
    let version_3 = [&[3, 5, 0][..], &NOW.to_be_bytes(), &[1; 8], &[22, 10, 0, 0, 0, 1, 1, 0, 1, 1]].concat();
    assert_refused!(
        verify(&raw_packet(Tag::Signature, &version_3), &key.keyring()),
        Error::UnsupportedSignature { version: 3 }
    );
    for version in [2, 5, 7, 200] {
        let body = [&[version][..], &version_3[1..]].concat();
        assert_refused!(
            verify(&raw_packet(Tag::Signature, &body), &key.keyring()),
            Error::UnsupportedSignature { .. }
        );
    }
}

#[test]
fn key_10_a_signature_at_an_impossible_time_is_refused() {
    let key = Recipe::default().make();
    let made = |created| verify(&key.signature().created(created).over(DATA), &key.keyring());
    made(NOW + 300).unwrap();
    assert_refused!(made(NOW + 301), Error::SignatureFromTheFuture { created, .. } if created == at(301));
    made(NOW - 1000).unwrap();
    assert_refused!(made(NOW - 1001), Error::SignatureBeforeKey { .. });

    let until = |seconds| {
        let end = regular(SubpacketData::SignatureExpirationTime(Duration::from_secs(seconds)));
        verify(&key.signature().created(NOW - 100).with(end).over(DATA), &key.keyring())
    };
    until(101).unwrap();
    until(0).unwrap(); // never, RFC 9580, section 5.2.3.18
    assert_refused!(until(100), Error::SignatureExpired { on } if on == at(0));
}

#[test]
fn key_10_what_is_critical_and_unknown_is_refused() {
    let key = Recipe::default().make();
    let notation =
        || SubpacketData::Notation(Notation { readable: true, name: "a@b".into(), value: "c".into() });
    verify(&key.signature().with(regular(notation())).over(DATA), &key.keyring()).unwrap();
    assert_refused!(
        verify(&key.signature().with(critical(notation())).over(DATA), &key.keyring()),
        Error::UnknownCritical
    );
    let experimental = critical(SubpacketData::Experimental(101, "x".into()));
    assert_refused!(
        verify(&key.signature().with(experimental).over(DATA), &key.keyring()),
        Error::UnknownCritical
    );
    // The same in the key's own signature.
    let key = Recipe { more_in_self_signature: vec![critical(notation())], ..Recipe::default() }.make();
    assert_eq!(defect(verify(&key.signature().over(DATA), &key.keyring())), KeyDefect::NoSelfSignature);
}

#[test]
fn key_10_a_signature_says_once_when_it_was_made() {
    let key = Recipe::default().make();
    let time = |offset| regular(SubpacketData::SignatureCreationTime(Timestamp::from_secs(NOW - offset)));
    assert_refused!(
        verify(&key.signature().with(time(5)).over(DATA), &key.keyring()),
        Error::MalformedSignature { .. }
    );
    let without = key.signature().over_with(DATA, |config| drop(config.hashed_subpackets.remove(1)));
    assert_refused!(verify(&without, &key.keyring()), Error::MalformedSignature { .. });
    // Unsigned, it does not count.
    let unsigned = key.signature().over_with(DATA, |config| {
        let time = config.hashed_subpackets.remove(1);
        config.unhashed_subpackets.push(time);
    });
    assert_refused!(verify(&unsigned, &key.keyring()), Error::MalformedSignature { .. });
}

#[test]
fn key_11_only_document_signatures_of_type_0_are_detached() {
    let key = Recipe::default().make();
    for kind in [0x01, 0x02, 0x10, 0x13, 0x18, 0x1F, 0x20, 0x28, 0x30, 0x40, 0x50, 0x99] {
        let signature = key.signature().kind(SignatureType::from(kind)).over(DATA);
        assert_refused!(verify(&signature, &key.keyring()), Error::NotDetached { .. });
    }
    let signature = key.signature().over(DATA);
    for tag in [
        Tag::LiteralData,
        Tag::CompressedData,
        Tag::OnePassSignature,
        Tag::UserId,
        Tag::PublicKey,
        Tag::Padding,
    ] {
        for mixed in [
            raw_packet(tag, &signature),
            [raw_packet(tag, b"x"), signature.clone()].concat(),
            [signature.clone(), raw_packet(tag, b"x")].concat(),
        ] {
            assert_refused!(verify(&mixed, &key.keyring()), Error::NotDetached { .. });
            let armored = armored("PGP SIGNATURE", &mixed);
            assert_refused!(verify(armored.as_bytes(), &key.keyring()), Error::NotDetached { .. });
        }
    }
}

#[test]
fn key_11_what_gpg_makes_instead_of_a_detached_signature_is_refused() {
    let Some(keys) = keys() else { return };
    let home = Home::new();
    home.file("key.asc", &keys.rsa.secret);
    home.gpg(&["--passphrase", "", "--import", "key.asc"]);
    let keyring = Keyring::parse(&keys.rsa.public).unwrap();
    for arguments in [
        &["--sign"][..],
        &["--armor", "--sign"],
        &["--clearsign"],
        &["--textmode", "--detach-sign"],
        &["--sign", "-z", "0"],
    ] {
        assert_refused!(verify(&home.gpg_at(NOW, arguments, DATA), &keyring), Error::NotDetached { .. });
    }
    assert_refused!(verify(&keys.rsa.public, &keyring), Error::NotDetached { .. });
    let signature = String::from_utf8(home.gpg_at(NOW, &["--armor", "--detach-sign"], DATA)).unwrap();
    verify(signature.as_bytes(), &keyring).unwrap();
    verify(signature.replace('\n', "\r\n").as_bytes(), &keyring).unwrap();
    for bad in [format!("{signature}{signature}"), format!("note\n{signature}"), format!("{signature}note")] {
        assert_refused!(verify(bad.as_bytes(), &keyring), Error::MalformedSignature { .. });
    }
    for nothing in ["", "\n", "not a signature", "<html></html>"] {
        assert_refused!(verify(nothing.as_bytes(), &keyring), Error::NoSignature);
    }
    // A file signature is no cleartext signature either.
    let message = format!("-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\ncontent\n{signature}");
    assert_refused!(verify_cleartext(&message, &keyring, at(0)), Error::NotDetached { .. });
}

#[test]
fn key_12_with_several_signatures_one_is_good_and_none_is_bad() {
    let (key, second, unknown) =
        (Recipe::default().make(), Recipe::default().make(), Recipe::default().make());
    let keyring = Keyring::parse(&[key.public(), second.public()].concat()).unwrap();
    let good = || key.signature().over(DATA);
    let verify = |signatures: &[Vec<u8>]| verify(&signatures.concat(), &keyring);

    verify(&[good(), good()]).unwrap();
    verify(&[unknown.signature().over(DATA), good()]).unwrap();
    verify(&[good(), unknown.signature().over(DATA)]).unwrap();
    verify(&[second.signature().over(DATA), good()]).unwrap();
    // Refused for its date, but not in contradiction to the content: the day after a key has ended.
    verify(&[second.signature().created(NOW + 900).over(DATA), good()]).unwrap();
    for bad in [key.signature().over(b"other"), second.signature().over(b"other")] {
        assert_refused!(verify(&[good(), bad.clone()]), Error::BadSignature { .. });
        assert_refused!(verify(&[bad, good()]), Error::BadSignature { .. });
    }
    assert_refused!(
        verify(&[unknown.signature().over(DATA), second.signature().created(NOW + 900).over(DATA)]),
        Error::SignatureFromTheFuture { .. }
    );
    assert_refused!(verify(&[unknown.signature().over(DATA)]), Error::UnknownKey { .. });
    verify(&vec![good(); 16]).unwrap();
    assert_refused!(verify(&vec![good(); 17]), Error::TooLarge { .. });
    assert_refused!(verify(&vec![good(); 10_000]), Error::TooLarge { .. });
    assert_refused!(verify(&[vec![0xFF; 1 << 20]]), Error::TooLarge { .. });
}

#[test]
fn key_13_a_key_id_that_fits_two_keys_is_settled_by_the_mathematics() {
    let key = Recipe::default().make();
    let id = pgp::types::KeyDetails::legacy_key_id(key.subkey());
    let by_id = |maker: &Forged| {
        maker.signature().over_with(DATA, |config| {
            config.hashed_subpackets.remove(0);
            config.unhashed_subpackets = vec![regular(SubpacketData::IssuerKeyId(id))];
        })
    };
    verify(&by_id(&key), &key.keyring()).unwrap();
    assert_refused!(verify(&by_id(&Recipe::default().make()), &key.keyring()), Error::BadSignature { .. });
    let nameless = key.signature().over_with(DATA, |config| {
        config.hashed_subpackets.remove(0);
        config.unhashed_subpackets.clear();
    });
    assert_refused!(verify(&nameless, &key.keyring()), Error::MalformedSignature { .. });
}

#[test]
fn key_22_user_ids_cannot_write_to_the_terminal() {
    let Some(_) = keys() else { return };
    let home = Home::new();
    let user = "Evil \u{1b}[2J\u{202e}gro.elpmaxe <evil@example.org>";
    home.gpg(&[
        "--passphrase",
        "",
        "--utf8-strings",
        "--allow-freeform-uid",
        "--quick-gen-key",
        user,
        "ed25519",
        "cert,sign",
        "0",
    ]);
    let keyring = Keyring::parse(&home.gpg(&["--export"])).unwrap();
    let shown = keyring.certificates()[0].user_id();
    assert_eq!(shown, "Evil \u{fffd}[2J\u{fffd}gro.elpmaxe <evil@example.org>");
}

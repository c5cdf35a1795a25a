//! Two keys sign while one takes the place of the other: `KEY-15` and `KEY-16`.

use std::io::Read;

use packhouse_clients::find;
use packhouse_sign::{
    Certificate, Error, Fingerprint, KeySource, Keyring, Signer, both, generate, verify_cleartext,
    verify_detached,
};

use crate::gnupg::{Home, at};

const DATA: &[u8] = b"a package";

fn signer(user_id: &str) -> Box<dyn Signer> {
    let key = generate(user_id, at(-100), None).unwrap();
    KeySource::Text { armored: key.secret, passphrase: None }.open(at(0)).unwrap()
}

/// Old and new keys, and a signer for both.
struct Rotation {
    old: Certificate,
    new: Certificate,
    signer: Box<dyn Signer>,
}

fn rotation() -> Rotation {
    let (new, old) = (signer("New <new@example.org>"), signer("Old <old@example.org>"));
    Rotation { old: old.certificate().clone(), new: new.certificate().clone(), signer: both(new, old) }
}

impl Rotation {
    /// Of a customer who has not followed, one who has, and one who came after the window.
    fn keyrings(&self) -> [Keyring; 3] {
        [vec![self.old.clone()], vec![self.old.clone(), self.new.clone()], vec![self.new.clone()]]
            .map(Keyring::from_certificates)
    }
}

#[test]
fn key_15_and_16_every_generation_of_keyring_accepts_what_both_signed() {
    let rotation = rotation();
    let signature = rotation.signer.detached(&mut &DATA[..], at(0)).unwrap();
    let message = rotation.signer.cleartext("text\n", at(0)).unwrap();
    let shown = [&rotation.old, &rotation.new, &rotation.new];
    for (keyring, shown) in rotation.keyrings().iter().zip(shown) {
        let verified = verify_detached(signature.as_bytes(), &mut &DATA[..], keyring, at(0)).unwrap();
        assert_eq!(verified.fingerprint, shown.fingerprint());
        let (text, verified) = verify_cleartext(&message, keyring, at(0)).unwrap();
        assert_eq!((&*text, verified.fingerprint), ("text\n", shown.fingerprint()));
        // Content that was changed is not saved by there being two signatures.
        let changed = verify_detached(signature.as_bytes(), &mut &b"another"[..], keyring, at(0));
        assert!(matches!(changed, Err(Error::BadSignature { .. })), "{changed:?}");
    }
    let stranger = Keyring::from_certificates([signer("Else <else@example.org>").certificate().clone()]);
    let unknown = verify_detached(signature.as_bytes(), &mut &DATA[..], &stranger, at(0));
    assert!(matches!(unknown, Err(Error::UnknownKey { .. })));
}

#[test]
fn key_15_where_there_is_room_for_one_signature_it_is_the_old_keys() {
    let rotation = rotation();
    let packet = rotation.signer.packet(&mut &DATA[..], at(0)).unwrap();
    let [old, both, new] = rotation.keyrings();
    for keyring in [old, both] {
        let verified = verify_detached(&packet, &mut &DATA[..], &keyring, at(0)).unwrap();
        assert_eq!(verified.fingerprint, rotation.old.fingerprint());
    }
    assert!(matches!(verify_detached(&packet, &mut &DATA[..], &new, at(0)), Err(Error::UnknownKey { .. })));
    // To others it is the new key that signs.
    assert_eq!(rotation.signer.certificate().fingerprint(), rotation.new.fingerprint());
    assert_eq!(rotation.signer.signing_key(), rotation.new.fingerprints()[1]);
    assert_eq!(rotation.signer.packet_certificate().fingerprint(), rotation.old.fingerprint());
    assert_eq!(rotation.signer.packet_key(), rotation.old.fingerprints()[1]);
}

#[test]
fn key_15_the_old_keys_signature_is_the_last_one() {
    let Some([gpg]) = find(["gpg"]) else { return };
    let rotation = rotation();
    let home = Home::new();
    home.file("data.asc", rotation.signer.detached(&mut &DATA[..], at(0)).unwrap());
    let message = rotation.signer.cleartext("text\n", at(0)).unwrap();
    home.file("text.asc", &message[message.find("-----BEGIN PGP SIGNATURE").unwrap()..]);
    for name in ["data.asc", "text.asc"] {
        let mut command = gpg.command();
        command.env("GNUPGHOME", home.path()).current_dir(home.path());
        let listing = command.args(["--batch", "--list-packets", name]).output().unwrap().stdout;
        let listing = String::from_utf8(listing).unwrap();
        let issuers: Vec<&str> = listing.split("issuer fpr v4 ").skip(1).map(|rest| &rest[..40]).collect();
        let subkey = |certificate: &Certificate| certificate.fingerprints()[1].to_string();
        assert_eq!(issuers, [subkey(&rotation.new), subkey(&rotation.old)], "{name}: {listing}");
    }
}

#[test]
fn key_16_gpgv_and_sqv_accept_both_signatures_with_the_whole_keyring() {
    if find(["gpgv", "sqv"]).is_none() {
        return;
    }
    let rotation = rotation();
    let home = Home::new();
    home.file("data", DATA);
    home.file("data.asc", rotation.signer.detached(&mut &DATA[..], at(0)).unwrap());
    home.file("message", rotation.signer.cleartext("text\n", at(0)).unwrap());
    let [old, both, new] = rotation.keyrings();
    for (name, keyring) in [("old", old), ("both", both), ("new", new)] {
        home.file(name, keyring.to_binary());
        // sqv wants one good signature, gpgv every one: with one of the keys it says so by exit status 2.
        home.accepts("sqv", &["--keyring", name, "data.asc", "data"]);
        let keyring = format!("./{name}");
        for arguments in [&["data.asc", "data"][..], &["message"]] {
            let output = home.run("gpgv", &[&["--keyring", &keyring][..], arguments].concat());
            let text = packhouse_clients::text(&output);
            assert_eq!(output.status.code(), Some(if name == "both" { 0 } else { 2 }), "{name}: {text}");
            assert!(text.contains("Good signature") && !text.contains("BAD signature"), "{name}: {text}");
        }
    }
}

#[test]
fn large_data_is_read_once_and_a_failure_of_either_key_is_the_failure() {
    let rotation = rotation();
    let large = vec![7; 20_000_000];
    let signature = rotation.signer.detached(&mut &large[..], at(0)).unwrap();
    for keyring in rotation.keyrings() {
        verify_detached(signature.as_bytes(), &mut &large[..], &keyring, at(0)).unwrap();
    }

    struct Breaks(usize);
    impl Read for Breaks {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            self.0 = self.0.checked_sub(1).ok_or_else(|| std::io::Error::other("the disk broke"))?;
            Ok(buffer.len())
        }
    }
    let broken = rotation.signer.detached(&mut Breaks(100), at(0));
    assert!(matches!(broken, Err(Error::Io(_))), "{broken:?}");

    struct Refuses(Box<dyn Signer>);
    impl Signer for Refuses {
        fn certificate(&self) -> &Certificate {
            self.0.certificate()
        }
        fn signing_key(&self) -> Fingerprint {
            self.0.signing_key()
        }
        fn detached(&self, _: &mut dyn Read, _: std::time::SystemTime) -> Result<String, Error> {
            Err(Error::NoSignature)
        }
        fn packet(&self, _: &mut dyn Read, _: std::time::SystemTime) -> Result<Vec<u8>, Error> {
            Err(Error::NoSignature)
        }
        fn cleartext(&self, _: &str, _: std::time::SystemTime) -> Result<String, Error> {
            Err(Error::NoSignature)
        }
    }
    for pair in [
        both(Box::new(Refuses(signer("A <a@example.org>"))), signer("B <b@example.org>")),
        both(signer("A <a@example.org>"), Box::new(Refuses(signer("B <b@example.org>")))),
    ] {
        assert!(matches!(pair.detached(&mut &large[..], at(0)), Err(Error::NoSignature)));
        assert!(matches!(pair.cleartext("text", at(0)), Err(Error::NoSignature)));
    }
}

#[test]
fn both_make_the_same_bytes_twice() {
    let rotation = rotation();
    let sign = || rotation.signer.detached(&mut &DATA[..], at(0)).unwrap();
    assert_eq!(sign(), sign());
}

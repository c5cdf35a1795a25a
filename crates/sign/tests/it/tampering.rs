//! No single byte can change without being noticed, and none makes us panic.

use packhouse_sign::{Error, KeySource, Keyring, Signer, generate, verify_cleartext, verify_detached};

use crate::gnupg::at;

const DATA: &[u8] = b"Package: hello\nVersion: 1.0\n";

fn signer() -> (Box<dyn Signer>, Keyring) {
    let generated = generate("Example <release@example.org>", at(-10), None).unwrap();
    let keyring = Keyring::from_certificates([generated.certificate]);
    (KeySource::Text { armored: generated.secret, passphrase: None }.open(at(0)).unwrap(), keyring)
}

/// Every way to change one byte that differs enough to matter.
fn changes(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    (0..bytes.len()).flat_map(move |index| {
        [0x01, 0x20, 0x80, 0xFF].into_iter().map(move |mask| {
            let mut changed = bytes.to_vec();
            changed[index] ^= mask;
            changed
        })
    })
}

#[test]
fn every_changed_byte_of_the_content_is_noticed() {
    let (signer, keyring) = signer();
    let signature = signer.detached(&mut &DATA[..], at(0)).unwrap();
    let verify = |data: &[u8]| verify_detached(signature.as_bytes(), &mut &data[..], &keyring, at(0));
    verify(DATA).unwrap();
    for changed in changes(DATA) {
        assert!(matches!(verify(&changed), Err(Error::BadSignature { .. })));
    }
    for length in 0..DATA.len() {
        assert!(matches!(verify(&DATA[..length]), Err(Error::BadSignature { .. })));
    }
    assert!(matches!(verify(&[DATA, b"\n"].concat()), Err(Error::BadSignature { .. })));
}

#[test]
fn every_changed_byte_of_a_signature_is_refused_or_does_not_matter() {
    let (signer, keyring) = signer();
    let armored = signer.detached(&mut &DATA[..], at(0)).unwrap();
    let good = verify_detached(armored.as_bytes(), &mut &DATA[..], &keyring, at(0)).unwrap();
    let block: String = armored.lines().skip(2).take_while(|line| !line.starts_with(['=', '-'])).collect();
    let binary = pgp::base64::Base64Decoder::new(block.as_bytes());
    let binary: Vec<u8> = std::io::Read::bytes(binary).collect::<Result<_, _>>().unwrap();
    for original in [armored.as_bytes(), &binary] {
        for changed in changes(original) {
            // White space, a label's case and the unsigned area may change without harm; the verdict may not.
            if let Ok(verified) = verify_detached(&changed, &mut &DATA[..], &keyring, at(0)) {
                assert_eq!(verified, good);
            }
            // And what does not match never does.
            verify_detached(&changed, &mut &b"other"[..], &keyring, at(0)).unwrap_err();
        }
        for length in 0..original.len() {
            let _ = verify_detached(&original[..length], &mut &DATA[..], &keyring, at(0));
            verify_detached(&original[..length], &mut &b"other"[..], &keyring, at(0)).unwrap_err();
        }
    }
}

#[test]
fn every_changed_byte_of_a_cleartext_message_is_refused_or_does_not_matter() {
    let (signer, keyring) = signer();
    let text = "Origin: Example\n- dash\n";
    let message = signer.cleartext(text, at(0)).unwrap();
    for changed in changes(message.as_bytes()) {
        let Ok(changed) = String::from_utf8(changed) else { continue };
        if let Ok((verified, _)) = verify_cleartext(&changed, &keyring, at(0)) {
            assert_eq!(verified, text);
        }
    }
    for length in 0..message.len() - 1 {
        if let Ok((verified, _)) = verify_cleartext(&message[..length], &keyring, at(0)) {
            assert_eq!(verified, text);
        }
    }
}

#[test]
fn every_changed_byte_of_a_keyring_adds_no_trust() {
    let (signer, keyring) = signer();
    let signature = signer.detached(&mut &DATA[..], at(0)).unwrap();
    let own = keyring.certificates()[0].fingerprint();
    for changed in changes(&keyring.to_binary()) {
        if let Ok(keyring) = Keyring::parse(&changed)
            && let Ok(verified) = verify_detached(signature.as_bytes(), &mut &DATA[..], &keyring, at(0))
        {
            assert_eq!(verified.fingerprint, own);
        }
    }
}

#[test]
fn unreadable_data_is_an_error_of_its_own() {
    struct Broken;
    impl std::io::Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("the disk is gone"))
        }
    }
    let (signer, keyring) = signer();
    assert!(matches!(signer.detached(&mut Broken, at(0)), Err(Error::Io(_))));
    let signature = signer.detached(&mut &DATA[..], at(0)).unwrap();
    let result = verify_detached(signature.as_bytes(), &mut Broken, &keyring, at(0));
    assert!(matches!(result, Err(Error::Io(_))));
}

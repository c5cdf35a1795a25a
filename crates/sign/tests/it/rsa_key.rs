//! RSA keys of apk: openssl, which apk and abuild call, makes them, signs with them and verifies what they signed.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use packhouse_clients::{Client, find};
use packhouse_sign::{Error, RsaHash, RsaKey, RsaKeyDefect, RsaPublicKey, Secret};

const CONTROL: &[u8] = b"a control member";

/// Files of one directory, with openssl.
struct Openssl {
    openssl: Client,
    directory: tempfile::TempDir,
}

impl Openssl {
    fn new() -> Option<Openssl> {
        let [openssl] = find(["openssl"])?;
        Some(Openssl { openssl, directory: tempfile::tempdir().unwrap() })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        fs_err::write(self.path(name), bytes).unwrap();
        self.path(name)
    }

    fn run(&self, arguments: &[&str]) -> String {
        let output =
            self.openssl.command().args(arguments).current_dir(self.directory.path()).output().unwrap();
        assert!(output.status.success(), "openssl {arguments:?}: {}", packhouse_clients::text(&output));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn secret(&self, name: &str) -> Secret {
        Secret::new(fs_err::read(self.path(name)).unwrap())
    }
}

/// A key of ours: made once, because finding primes takes a second.
fn key() -> &'static RsaKey {
    static KEY: OnceLock<RsaKey> = OnceLock::new();
    KEY.get_or_init(|| RsaKey::generate(2048).unwrap())
}

fn defect(pem: Secret) -> RsaKeyDefect {
    match RsaKey::parse(&pem) {
        Err(Error::RsaKey { defect }) => defect,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("the key was read"),
    }
}

#[test]
fn openssl_verifies_what_a_generated_key_signs() {
    let Some(openssl) = Openssl::new() else { return };
    openssl.write("key.pub", key().public_key().to_pem());
    openssl.write("data", CONTROL);
    for (hash, digest) in [(RsaHash::Sha256, "-sha256"), (RsaHash::Sha1, "-sha1")] {
        openssl.write("signature", key().sign(hash, &mut &CONTROL[..]).unwrap());
        openssl.run(&["dgst", digest, "-verify", "key.pub", "-signature", "signature", "data"]);
    }
    // And reads the secret key as its own.
    openssl.write("key.rsa", key().to_pem().expose());
    assert_eq!(openssl.run(&["pkey", "-in", "key.rsa", "-check", "-noout"]).trim(), "Key is valid");
    let der = openssl.run(&["pkey", "-pubin", "-in", "key.pub", "-outform", "DER", "-out", "key.der"]);
    assert_eq!(der, "");
    let digest = openssl.run(&["dgst", "-sha256", "-r", "key.der"]);
    assert_eq!(digest.split(' ').next(), Some(&*key().public_key().fingerprint()));
}

#[test]
fn what_openssl_makes_is_read_and_signs_the_same() {
    let Some(openssl) = Openssl::new() else { return };
    openssl.run(&["genrsa", "-out", "pkcs8.rsa", "2048"]);
    openssl.run(&["rsa", "-in", "pkcs8.rsa", "-traditional", "-out", "pkcs1.rsa"]);
    openssl.run(&["rsa", "-in", "pkcs8.rsa", "-pubout", "-out", "key.pub"]);
    openssl.write("data", CONTROL);
    openssl.run(&["dgst", "-sha256", "-sign", "pkcs8.rsa", "-out", "signature", "data"]);
    let theirs = fs_err::read(openssl.path("signature")).unwrap();
    for name in ["pkcs8.rsa", "pkcs1.rsa"] {
        let key = RsaKey::parse(&openssl.secret(name)).unwrap();
        // PKCS #1 v1.5 has no salt.
        assert_eq!(key.sign(RsaHash::Sha256, &mut &CONTROL[..]).unwrap(), theirs, "{name}");
        assert_eq!(key.public_key().to_pem(), fs_err::read_to_string(openssl.path("key.pub")).unwrap());
        assert_eq!(key.public_key().bits(), 2048);
    }
    let public = RsaPublicKey::parse(&fs_err::read_to_string(openssl.path("key.pub")).unwrap()).unwrap();
    public.verify(RsaHash::Sha256, &mut &CONTROL[..], &theirs).unwrap();
}

#[test]
fn keys_that_cannot_be_used_are_named_with_the_fix() {
    let Some(openssl) = Openssl::new() else { return };
    openssl.run(&["genrsa", "-out", "short.rsa", "1024"]);
    openssl.run(&["genrsa", "-out", "good.rsa", "2048"]);
    openssl.run(&[
        "rsa",
        "-in",
        "good.rsa",
        "-aes128",
        "-passout",
        "pass:x",
        "-traditional",
        "-out",
        "old.rsa",
    ]);
    openssl.run(&["pkcs8", "-topk8", "-in", "good.rsa", "-passout", "pass:x", "-out", "new.rsa"]);
    openssl.run(&["rsa", "-in", "good.rsa", "-pubout", "-out", "key.pub"]);
    openssl.run(&["genpkey", "-algorithm", "ed25519", "-out", "ed25519"]);
    let good = fs_err::read_to_string(openssl.path("good.rsa")).unwrap();
    let damaged = good.replacen("\nMII", "\nMIJ", 1);
    for (pem, expected) in [
        (openssl.secret("short.rsa"), RsaKeyDefect::TooShort { bits: 1024 }),
        (openssl.secret("old.rsa"), RsaKeyDefect::Encrypted),
        (openssl.secret("new.rsa"), RsaKeyDefect::Encrypted),
        (openssl.secret("key.pub"), RsaKeyDefect::Public),
        (openssl.secret("ed25519"), RsaKeyDefect::Damaged),
        (Secret::new(damaged), RsaKeyDefect::Damaged),
        (Secret::new(&good[..good.len() / 2]), RsaKeyDefect::Damaged),
        (Secret::new(""), RsaKeyDefect::NotPem),
        (Secret::new("\u{0}\u{1}"), RsaKeyDefect::NotPem),
        (Secret::new("-----BEGIN PGP PRIVATE KEY BLOCK-----\n"), RsaKeyDefect::OpenPgp),
        (Secret::new("-----BEGIN CERTIFICATE-----\n"), RsaKeyDefect::OtherKind),
    ] {
        let found = defect(pem);
        assert_eq!(found, expected);
        assert!(Error::RsaKey { defect: found }.help().unwrap().contains("openssl"));
    }
    assert!(matches!(
        RsaKey::generate(1024),
        Err(Error::RsaKey { defect: RsaKeyDefect::TooShort { bits: 1024 } })
    ));
    openssl.run(&["rsa", "-in", "short.rsa", "-pubout", "-out", "short.pub"]);
    let short = fs_err::read_to_string(openssl.path("short.pub")).unwrap();
    let error = RsaPublicKey::parse(&short).unwrap_err();
    assert!(matches!(error, Error::RsaKey { defect: RsaKeyDefect::TooShort { bits: 1024 } }), "{error}");
}

#[test]
fn a_key_file_is_the_owners_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("release.rsa");
    fs_err::write(&path, key().to_pem().expose()).unwrap();
    let read = |path: &Path, mode| {
        fs_err::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        RsaKey::read(path)
    };
    assert!(matches!(read(&path, 0o644), Err(Error::KeyFile { .. })));
    assert_eq!(read(&path, 0o600).unwrap().public_key(), key().public_key());
}

#[test]
fn every_changed_bit_of_content_or_signature_is_found() {
    let public = key().public_key();
    let signature = key().sign(RsaHash::Sha256, &mut &CONTROL[..]).unwrap();
    assert_eq!(signature.len(), 256);
    let verify = |content: &[u8], signature: &[u8]| public.verify(RsaHash::Sha256, &mut &*content, signature);
    verify(CONTROL, &signature).unwrap();
    for bit in (0..signature.len() * 8).step_by(7) {
        let mut changed = signature.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        assert!(matches!(verify(CONTROL, &changed), Err(Error::BadRsaSignature)), "bit {bit}");
    }
    for bit in 0..CONTROL.len() * 8 {
        let mut changed = CONTROL.to_vec();
        changed[bit / 8] ^= 1 << (bit % 8);
        assert!(verify(&changed, &signature).is_err(), "bit {bit}");
    }
    assert!(verify(CONTROL, &[]).is_err());
    assert!(verify(CONTROL, &signature[1..]).is_err());
    assert!(public.verify(RsaHash::Sha1, &mut &CONTROL[..], &signature).is_err(), "another hash");
    let other = RsaKey::generate(2048).unwrap().public_key();
    assert!(other.verify(RsaHash::Sha256, &mut &CONTROL[..], &signature).is_err(), "another key");
}

#[test]
fn no_error_shows_the_key() {
    let pem = String::from_utf8(key().to_pem().expose().to_vec()).unwrap();
    let canary = "canary7f3a9c1e";
    let damaged = pem.replacen('\n', &format!("\n{canary}\n"), 1);
    let Err(error) = RsaKey::parse(&Secret::new(damaged)) else { panic!("it was read") };
    let shown = format!("{error} {error:?} {:?}", error.help());
    assert!(!shown.contains(canary), "{shown}");
    let shown = format!("{:?}", key().public_key());
    assert!(!shown.contains("MII") && shown.contains(&key().public_key().fingerprint()), "{shown}");
}

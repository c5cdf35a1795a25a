//! Opening keys: what is found early, so that no release fails at its last step.

use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use packhouse_clients::find;
use packhouse_sign::{
    Error, KeyDefect, KeyFileProblem, KeySource, Keyring, Secret, Signer, generate, verify_cleartext,
    verify_detached,
};
use pgp::packet::RevocationCode;

use crate::clients::TEXTS;
use crate::forgery::{Forged, Recipe};
use crate::gnupg::{Home, NOW, PASSPHRASE, at, keys};

fn text(armored: impl Into<Vec<u8>>) -> KeySource {
    KeySource::Text { armored: Secret::new(armored), passphrase: None }
}

fn open(source: KeySource) -> Result<Box<dyn Signer>, Error> {
    source.open(at(0))
}

fn write(path: &Path, mode: u32, bytes: &[u8]) {
    fs_err::write(path, bytes).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_key_file_must_be_its_owners_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("key.asc");
    let key = generate("Example <release@example.org>", at(-10), None).unwrap().secret;
    let try_open = |path: &Path| open(KeySource::File { path: path.to_owned(), passphrase: None });
    for mode in [0o600, 0o400] {
        write(&path, mode, key.expose());
        try_open(&path).unwrap();
        fs_err::remove_file(&path).unwrap();
    }
    for mode in [0o644, 0o666, 0o640, 0o604, 0o620, 0o601] {
        write(&path, mode, key.expose());
        let error = try_open(&path).unwrap_err();
        let expected = KeyFileProblem::OpenToOthers { mode };
        assert!(matches!(error, Error::KeyFile { problem, .. } if problem == expected), "{error}");
        assert_eq!(error.help().unwrap(), format!("chmod 600 {}", path.display()));
    }
    // A link is followed to what it names: Kubernetes mounts secrets so.
    let link = directory.path().join("link");
    symlink(&path, &link).unwrap();
    assert!(matches!(
        try_open(&link),
        Err(Error::KeyFile { problem: KeyFileProblem::OpenToOthers { .. }, .. })
    ));
    write(&path, 0o600, key.expose());
    try_open(&link).unwrap();

    let open_directory = directory.path().join("open");
    fs_err::create_dir_all(&open_directory).unwrap();
    std::fs::set_permissions(&open_directory, std::fs::Permissions::from_mode(0o777)).unwrap();
    let inside = open_directory.join("key.asc");
    write(&inside, 0o600, key.expose());
    assert!(matches!(try_open(&inside), Err(Error::KeyFile { problem: KeyFileProblem::OpenDirectory, .. })));

    assert!(matches!(
        try_open(directory.path()),
        Err(Error::KeyFile { problem: KeyFileProblem::NotAFile, .. })
    ));
    assert!(matches!(try_open(&directory.path().join("absent")), Err(Error::Io(_))));
    let large = directory.path().join("large");
    write(&large, 0o600, &vec![b'x'; (1 << 20) + 1]);
    assert!(matches!(try_open(&large), Err(Error::KeyFile { problem: KeyFileProblem::TooLarge, .. })));
}

#[test]
fn a_named_pipe_is_refused_and_not_waited_for() {
    let Some([mkfifo]) = find(["mkfifo"]) else { return };
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("pipe");
    mkfifo.run(["-m", "600", path.to_str().unwrap()]);
    let result = open(KeySource::File { path, passphrase: None });
    assert!(matches!(result, Err(Error::KeyFile { problem: KeyFileProblem::NotAFile, .. })));
}

#[test]
fn a_passphrase_file_ends_before_its_line_break() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("passphrase");
    for (content, passphrase) in [
        ("secret\n", "secret"),
        ("secret", "secret"),
        ("secret\r\n", "secret"),
        (" two \n\n", " two \n"),
        ("", ""),
    ] {
        write(&path, 0o600, content.as_bytes());
        assert_eq!(Secret::read_passphrase(&path).unwrap().expose(), passphrase.as_bytes());
    }
    write(&path, 0o644, b"secret");
    assert!(matches!(Secret::read_passphrase(&path), Err(Error::KeyFile { .. })));
}

#[test]
fn a_protected_key_wants_its_passphrase_and_no_other() {
    let Some(keys) = keys() else { return };
    let open = |passphrase: Option<&str>| {
        let armored = Secret::new(keys.protected.secret.clone());
        open(KeySource::Text { armored, passphrase: passphrase.map(Secret::new) })
    };
    let signer = open(Some(PASSPHRASE)).unwrap();
    let signature = signer.detached(&mut &b"x"[..], at(0)).unwrap();
    let keyring = Keyring::parse(&keys.protected.public).unwrap();
    verify_detached(signature.as_bytes(), &mut &b"x"[..], &keyring, at(0)).unwrap();
    assert!(matches!(open(None), Err(Error::PassphraseNeeded { .. })));
    for wrong in ["", "wrong", &format!("{PASSPHRASE}\n")] {
        assert!(matches!(open(Some(wrong)), Err(Error::WrongPassphrase { .. })), "{wrong:?}");
    }
}

#[test]
fn the_signing_subkey_signs_also_when_the_primary_secret_is_offline() {
    let Some(keys) = keys() else { return };
    for secret in [&keys.subkeys.secret, &keys.subkeys_only] {
        let signer = open(text(secret.clone())).unwrap();
        assert_eq!(signer.certificate().fingerprint().to_string(), keys.subkeys.fingerprint);
        assert_ne!(signer.signing_key(), signer.certificate().fingerprint());
        let signature = signer.detached(&mut &b"x"[..], at(0)).unwrap();
        let keyring = Keyring::parse(&keys.subkeys.public).unwrap();
        verify_detached(signature.as_bytes(), &mut &b"x"[..], &keyring, at(0)).unwrap();
    }
    // Binary, as `gpg --export-secret-keys` writes it without --armor.
    let key = Forged::import(&keys.subkeys.secret);
    open(text(pgp::ser::Serialize::to_bytes(&key.0).unwrap())).unwrap();
}

#[test]
fn what_is_not_one_secret_key_is_named() {
    let Some(keys) = keys() else { return };
    let both = [&keys.rsa.secret[..], &keys.subkeys.secret].concat();
    assert!(matches!(open(text(both)), Err(Error::SeveralSecretKeys { count: 2 })));
    let public = Keyring::parse(&keys.rsa.public).unwrap();
    let secret = String::from_utf8(keys.rsa.secret.clone()).unwrap();
    let middle = secret.len() / 2;
    for bad in [
        vec![],
        b"text".to_vec(),
        b"-----BEGIN OPENSSH PRIVATE KEY-----\n\nZm9v\n-----END OPENSSH PRIVATE KEY-----\n".to_vec(),
        public.to_binary(),
        public.to_armored().into_bytes(),
        secret.as_bytes()[..middle].to_vec(),
        [&secret.as_bytes()[..middle], &secret.as_bytes()[middle + 65..]].concat(),
        vec![0xFF; 100],
    ] {
        let result = open(text(bad));
        assert!(matches!(result, Err(Error::KeyUnreadable { .. })), "{result:?}");
    }
}

#[test]
fn a_key_that_may_not_sign_is_found_when_it_is_opened() {
    let lifetime = Recipe { primary_lifetime: Some(1000), ..Recipe::default() };
    assert!(matches!(open(text(lifetime.make().armored().expose())), Err(Error::KeyExpired { .. })));
    let lifetime = Recipe { subkey_lifetime: Some(1000), ..Recipe::default() };
    assert!(matches!(open(text(lifetime.make().armored().expose())), Err(Error::KeyExpired { .. })));

    let mut revoked = Recipe::default().make();
    revoked.revoke(Some(RevocationCode::KeyRetired), NOW - 10);
    assert!(matches!(open(text(revoked.armored().expose())), Err(Error::KeyRevoked { .. })));

    let encrypting = Recipe { subkey_signs: false, ..Recipe::default() }.make();
    assert!(matches!(
        open(text(encrypting.armored().expose())),
        Err(Error::NotASigningKey { defect: KeyDefect::OtherPurpose, .. })
    ));
    let early = generate("Example <x@example.org>", at(3600), None).unwrap();
    assert!(open(text(early.secret.expose())).is_err());

    // And again at each signature: the key may end between opening and the last package.
    let key = generate("Example <x@example.org>", at(-10), Some(std::time::Duration::from_secs(60))).unwrap();
    let signer = open(text(key.secret.expose())).unwrap();
    signer.detached(&mut &b""[..], at(0)).unwrap();
    assert!(matches!(signer.detached(&mut &b""[..], at(50)), Err(Error::KeyExpired { .. })));
}

#[test]
fn the_same_content_key_and_time_give_the_same_bytes() {
    let Some(keys) = keys() else { return };
    for secret in [&keys.rsa.secret, &keys.subkeys.secret] {
        let sign = || {
            let signer = open(text(secret.clone())).unwrap();
            (signer.detached(&mut &b"x"[..], at(0)).unwrap(), signer.cleartext("x\n", at(0)).unwrap())
        };
        assert_eq!(sign(), sign());
    }
}

fn gnupg(home: &Home, fingerprint: &str, passphrase: Option<&str>) -> Result<Box<dyn Signer>, Error> {
    let source =
        KeySource::GnuPg { fingerprint: fingerprint.into(), passphrase: passphrase.map(Secret::new) };
    source.open_with_gnupg_home(Some(home.path()), at(0))
}

#[test]
fn gnupg_makes_the_same_bytes_as_the_built_in_signer() {
    let Some(keys) = keys() else { return };
    for key in [&keys.rsa, &keys.subkeys] {
        let home = Home::new();
        home.file("key.asc", &key.secret);
        home.gpg(&["--passphrase", "", "--import", "key.asc"]);
        // Nothing of the user's configuration reaches the signature.
        home.file(
            "gpg.conf",
            "comment mine\nsig-notation a@example.org=b\ndigest-algo SHA256\nemit-version\n",
        );
        let theirs = gnupg(&home, &key.fingerprint, None).unwrap();
        let ours = open(text(key.secret.clone())).unwrap();
        assert_eq!(theirs.signing_key(), ours.signing_key());
        for content in [&b""[..], b"a package", &vec![7; 300_000]] {
            let signature = theirs.detached(&mut &content[..], at(0)).unwrap();
            assert_eq!(signature, ours.detached(&mut &content[..], at(0)).unwrap());
        }
        for text in TEXTS {
            let message = theirs.cleartext(text, at(0)).unwrap();
            assert_eq!(message, ours.cleartext(text, at(0)).unwrap());
            verify_cleartext(&message, &Keyring::parse(&key.public).unwrap(), at(0)).unwrap();
        }
    }
}

#[test]
fn gnupg_gets_a_passphrase_and_says_when_it_is_wrong() {
    let Some(keys) = keys() else { return };
    let home = Home::new();
    home.file("key.asc", &keys.protected.secret);
    home.gpg(&["--passphrase", PASSPHRASE, "--import", "key.asc"]);
    let wrong = gnupg(&home, &keys.protected.fingerprint, Some("wrong"));
    assert!(matches!(wrong, Err(Error::WrongPassphrase { .. })), "{wrong:?}");
    assert!(matches!(
        gnupg(&home, &keys.protected.fingerprint, Some("two\nlines")),
        Err(Error::GnuPg { .. })
    ));
    let signer = gnupg(&home, &keys.protected.fingerprint, Some(PASSPHRASE)).unwrap();
    let signature = signer.detached(&mut &b"x"[..], at(0)).unwrap();
    let keyring = Keyring::parse(&keys.protected.public).unwrap();
    verify_detached(signature.as_bytes(), &mut &b"x"[..], &keyring, at(0)).unwrap();
}

#[test]
fn gnupg_is_asked_for_a_whole_fingerprint_and_nothing_less() {
    let Some(keys) = keys() else { return };
    let home = Home::new();
    home.file("key.asc", &keys.rsa.secret);
    home.gpg(&["--passphrase", "", "--import", "key.asc"]);
    for name in ["", "rsa@example.org", "RSA", &keys.rsa.fingerprint[24..], "--default-key"] {
        assert!(matches!(gnupg(&home, name, None), Err(Error::NotAFingerprint { .. })), "{name}");
    }
    let absent = gnupg(&home, &keys.subkeys.fingerprint, None);
    assert!(matches!(absent, Err(Error::GnuPgUnknownKey { .. })), "{absent:?}");

    // Only the public key is there.
    home.file("public", &keys.subkeys.public);
    home.gpg(&["--import", "public"]);
    let without = gnupg(&home, &keys.subkeys.fingerprint, None);
    assert!(matches!(without, Err(Error::NotASigningKey { defect: KeyDefect::NoSecret, .. })), "{without:?}");
}

#[test]
fn gnupg_keys_that_are_revoked_or_without_a_primary_secret_are_known_as_such() {
    let Some(keys) = keys() else { return };
    let home = Home::new();
    home.file("key.asc", &keys.subkeys_only);
    home.gpg(&["--passphrase", "", "--import", "key.asc"]);
    let signer = gnupg(&home, &keys.subkeys.fingerprint, None).unwrap();
    let subkey = signer.signing_key();
    assert_ne!(subkey.to_string(), keys.subkeys.fingerprint);
    // The subkey may be named as well, and the encryption subkey may not sign.
    assert_eq!(gnupg(&home, &subkey.to_string(), None).unwrap().signing_key(), subkey);
    let encryption = signer.certificate().fingerprints()[2].to_string();
    let refused = gnupg(&home, &encryption, None);
    assert!(
        matches!(refused, Err(Error::NotASigningKey { defect: KeyDefect::OtherPurpose, .. })),
        "{refused:?}"
    );

    let revocation = String::from_utf8(keys.revocation.clone()).unwrap().replace(":-----BEGIN", "-----BEGIN");
    home.file("revocation", revocation);
    home.gpg(&["--import", "revocation"]);
    assert!(matches!(gnupg(&home, &keys.subkeys.fingerprint, None), Err(Error::KeyRevoked { .. })));
}

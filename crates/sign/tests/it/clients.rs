//! gpg, gpgv, sqv and rpm accept what we make.

use packhouse_clients::find;
use packhouse_sign::{KeySource, Keyring, Secret, Signer, generate, verify_cleartext, verify_detached};

use crate::gnupg::{Home, at, keys};

/// Texts that programs are known to disagree about.
pub const TEXTS: &[&str] = &[
    "",
    "\n",
    "one line",
    "Origin: Example\nSuite: stable\n",
    "blanks at the end \t \nand a tab\t\n   \n",
    "- dash\n-----BEGIN PGP SIGNATURE-----\n--\n",
    "CR LF\r\nlines\r\n",
    "no line break at the end\nhere",
    "\n\nempty lines around\n\n\n",
    "From the start of a line\n",
    "Grüße, 世界 \u{a0}\n",
];

fn signers() -> Option<Vec<(Box<dyn Signer>, Keyring)>> {
    let keys = keys()?;
    let generated = generate("Packhouse <packhouse@example.org>", at(-10), None).unwrap();
    let secrets =
        [generated.secret, Secret::new(keys.rsa.secret.clone()), Secret::new(keys.subkeys.secret.clone())];
    Some(
        secrets
            .into_iter()
            .map(|armored| {
                let signer = KeySource::Text { armored, passphrase: None }.open(at(0)).unwrap();
                let keyring = Keyring::from_certificates([signer.certificate().clone()]);
                (signer, keyring)
            })
            .collect(),
    )
}

#[test]
fn detached_signatures_are_good_to_gpg_gpgv_and_sqv() {
    if find(["gpgv", "sqv"]).is_none() {
        return;
    }
    let Some(signers) = signers() else { return };
    for (signer, keyring) in signers {
        let home = Home::new();
        home.file("keyring.gpg", keyring.to_binary());
        home.gpg(&["--import", "keyring.gpg"]);
        for content in [&b""[..], b"a package\n", b"\r\n \0\xff", &vec![7; 200_000]] {
            home.file("content", content);
            home.file("content.asc", signer.detached(&mut &content[..], at(0)).unwrap());
            home.accepts("gpgv", &["--keyring", "./keyring.gpg", "content.asc", "content"]);
            home.accepts("sqv", &["--keyring", "keyring.gpg", "content.asc", "content"]);
            home.accepts("gpg", &["--verify", "content.asc", "content"]);
            // The form that rpm and pacman keep.
            home.file("content.sig", signer.packet(&mut &content[..], at(0)).unwrap());
            home.accepts("gpgv", &["--keyring", "./keyring.gpg", "content.sig", "content"]);
            home.accepts("sqv", &["--keyring", "keyring.gpg", "content.sig", "content"]);
            home.accepts("gpg", &["--verify", "content.sig", "content"]);
        }
    }
}

#[test]
fn cleartext_signatures_are_good_to_gpg_and_gpgv_and_mean_the_same_text() {
    if find(["gpgv"]).is_none() {
        return;
    }
    let Some(signers) = signers() else { return };
    for (signer, keyring) in signers {
        let home = Home::new();
        home.file("keyring.gpg", keyring.to_binary());
        home.gpg(&["--import", "keyring.gpg"]);
        for text in TEXTS {
            let message = signer.cleartext(text, at(0)).unwrap();
            home.file("message", &message);
            home.accepts("gpg", &["--verify", "message"]);
            home.accepts("gpgv", &["--keyring", "./keyring.gpg", "--output", "text", "message"]);
            let gpgv_read = fs_err::read_to_string(home.path().join("text")).unwrap();
            fs_err::remove_file(home.path().join("text")).unwrap();
            let (verified, _) = verify_cleartext(&message, &keyring, at(0)).unwrap();
            // gpgv leaves the last line break to the framing.
            assert_eq!(gpgv_read.trim_end_matches('\n'), verified.trim_end_matches('\n'), "{text:?}");
        }
    }
}

#[test]
fn sqv_and_gpgv_read_our_keyrings_binary_and_armored() {
    if find(["gpgv", "sqv"]).is_none() {
        return;
    }
    let Some(signers) = signers() else { return };
    let all = Keyring::from_certificates(signers.iter().map(|(signer, _)| signer.certificate().clone()));
    let home = Home::new();
    home.file("all.gpg", all.to_binary());
    home.file("all.asc", all.to_armored());
    for (signer, _) in &signers {
        home.file("content", "content");
        home.file("content.asc", signer.detached(&mut &b"content"[..], at(0)).unwrap());
        home.accepts("sqv", &["--keyring", "all.gpg", "content.asc", "content"]);
        home.accepts("sqv", &["--keyring", "all.asc", "content.asc", "content"]);
        home.accepts("gpgv", &["--keyring", "./all.gpg", "content.asc", "content"]);
    }
    assert_eq!(Keyring::parse(&all.to_binary()).unwrap().to_binary(), all.to_binary());
    assert_eq!(Keyring::parse(all.to_armored().as_bytes()).unwrap().to_binary(), all.to_binary());
}

#[test]
fn a_generated_key_is_what_its_documentation_says_to_gpg() {
    if find(["gpg"]).is_none() {
        return;
    }
    let home = Home::new();
    let year = std::time::Duration::from_secs(365 * 86400);
    let generated = generate("Example <release@example.org>", at(0), Some(year)).unwrap();
    home.file("key.asc", generated.secret.expose());
    home.gpg(&["--import", "key.asc"]);
    let listing = String::from_utf8(home.gpg(&["--with-colons", "--list-secret-keys"])).unwrap();
    let records: Vec<Vec<&str>> = listing.lines().map(|line| line.split(':').collect()).collect();
    let record = |kind| records.iter().find(|record| record[0] == kind).unwrap();
    // doc/DETAILS: 4 algorithm (22 EdDSA), 6 creation, 7 expiry, 12 capabilities (lower case: of this key).
    for (kind, capability) in [("sec", "c"), ("ssb", "s")] {
        let record = record(kind);
        assert_eq!((record[3], record[5], record[6]), ("22", "1767225600", "1798761600"));
        let own: String = record[11].chars().filter(char::is_ascii_lowercase).collect();
        assert_eq!(own, capability);
    }
    assert_eq!(record("uid")[9], "Example <release@example.org>");
    // And gpg signs with it.
    let signature = home.gpg_at(crate::gnupg::NOW, &["--armor", "--detach-sign"], b"content");
    let keyring = Keyring::from_certificates([generated.certificate]);
    let verified = verify_detached(&signature, &mut &b"content"[..], &keyring, at(60)).unwrap();
    assert_eq!(verified.expires, Some(at(365 * 86400)));
    assert_ne!(verified.fingerprint, verified.signing_key);
}

#[test]
fn rpm_imports_an_armored_keyring() {
    if find(["rpm"]).is_none() {
        return;
    }
    let home = Home::new();
    let generated = generate("Example <release@example.org>", at(0), None).unwrap();
    home.file("key.asc", Keyring::from_certificates([generated.certificate]).to_armored());
    let database = home.path().join("rpmdb");
    let database = database.to_str().unwrap();
    home.accepts("rpm", &["--dbpath", database, "--initdb"]);
    home.accepts("rpm", &["--dbpath", database, "--import", "key.asc"]);
    let listed = home.accepts("rpm", &["--dbpath", database, "-qa", "gpg-pubkey", "--qf", "%{summary}\n"]);
    assert!(listed.contains("Example <release@example.org>"), "{listed}");
}

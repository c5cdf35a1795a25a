//! Keys made by the real gpg, each in a private home.

use std::path::PathBuf;
use std::process::Command;

/// What a test needs of a key that gpg made.
pub struct Key {
    home: tempfile::TempDir,
    /// The primary key's.
    pub fingerprint: String,
    /// A binary keyring.
    pub public: Vec<u8>,
    /// The same once the key is revoked.
    pub revoked: Vec<u8>,
    /// GnuPG's own keyring file.
    pub keybox: Vec<u8>,
}

/// Makes a key without expiry and without pass phrase; `None` where there is no gpg.
pub fn key(user_id: &str) -> Option<Key> {
    protected_key(user_id, "")
}

/// Makes a key with a pass phrase.
pub fn protected_key(user_id: &str, passphrase: &str) -> Option<Key> {
    make(user_id, passphrase, "ed25519")
}

/// Makes a key of this algorithm, as gpg calls it.
pub fn key_of(user_id: &str, algorithm: &str) -> Option<Key> {
    make(user_id, "", algorithm)
}

fn make(user_id: &str, passphrase: &str, algorithm: &str) -> Option<Key> {
    packhouse_clients::find(["gpg", "gpgconf"])?;
    // The agent's socket is in it: the path must be short.
    let home = tempfile::Builder::new().prefix("ph-").tempdir_in("/tmp").unwrap();
    let mut key = Key { home, fingerprint: String::new(), public: vec![], revoked: vec![], keybox: vec![] };
    key.gpg(&["--passphrase", passphrase, "--quick-gen-key", user_id, algorithm, "sign", "never"]);
    let listing = String::from_utf8(key.gpg(&["--with-colons", "--list-keys"])).unwrap();
    let line = listing.lines().find(|line| line.starts_with("fpr:")).unwrap();
    key.fingerprint = line.split(':').nth(9).unwrap().to_owned();
    key.public = key.gpg(&["--export"]);
    key.keybox = fs_err::read(key.home().join("pubring.kbx")).unwrap();
    // gpg makes a revocation with every key, and a colon before it against accidents.
    let made = key.home().join(format!("openpgp-revocs.d/{}.rev", key.fingerprint));
    let text = fs_err::read_to_string(made).unwrap().replace(":-----BEGIN", "-----BEGIN");
    fs_err::write(key.home().join("revocation"), text).unwrap();
    fs_err::create_dir(key.home().join("other")).unwrap();
    fs_err::write(key.home().join("public"), &key.public).unwrap();
    let ring = key.home().join("revoked.kbx").display().to_string();
    let other = ["--no-default-keyring", "--keyring", &ring];
    key.gpg(&[&other[..], &["--import", "public", "revocation"]].concat());
    key.revoked = key.gpg(&[&other[..], &["--export"]].concat());
    Some(key)
}

impl Key {
    /// The `GNUPGHOME` that has the secret key.
    pub fn home(&self) -> PathBuf {
        self.home.path().to_owned()
    }

    /// The armored secret key.
    pub fn secret(&self, passphrase: &str) -> String {
        let secret = ["--armor", "--passphrase", passphrase, "--export-secret-keys"];
        String::from_utf8(self.gpg(&secret)).unwrap()
    }

    /// The public key, armored, as rpm imports it.
    pub fn armored(&self) -> String {
        String::from_utf8(self.gpg(&["--armor", "--export"])).unwrap()
    }

    /// A detached, armored signature by gpg.
    pub fn sign(&self, content: &[u8]) -> String {
        fs_err::write(self.home().join("content"), content).unwrap();
        let arguments =
            ["--armor", "--local-user", &self.fingerprint, "--output", "-", "--detach-sign", "content"];
        String::from_utf8(self.gpg(&arguments)).unwrap()
    }

    #[track_caller]
    fn gpg(&self, arguments: &[&str]) -> Vec<u8> {
        let mut command = Command::new("gpg");
        command.current_dir(self.home.path()).env("GNUPGHOME", self.home.path()).env("LC_ALL", "C");
        command.args(["--batch", "--no-tty", "--quiet", "--pinentry-mode", "loopback"]).args(arguments);
        let output = command.output().unwrap();
        assert!(output.status.success(), "gpg {arguments:?}: {}", packhouse_clients::text(&output));
        output.stdout
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        let _ = Command::new("gpgconf").env("GNUPGHOME", self.home.path()).args(["--kill", "all"]).output();
    }
}

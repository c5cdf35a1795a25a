//! GnuPG for the tests: private homes, and keys that are made once.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use packhouse_clients::{find, text};

/// The time of every test, 2026-01-01: before the clock of the clients, which cannot be set.
pub const NOW: u32 = 1_767_225_600;

/// [`NOW`], or seconds before and after it.
pub fn at(offset: i64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(i64::from(NOW).saturating_add(offset).unsigned_abs())
}

/// The pass phrase of [`Keys::protected`].
pub const PASSPHRASE: &str = "correct horse, battery";

/// A home of its own for gpg and its agent, short enough for the agent's socket.
pub struct Home {
    directory: tempfile::TempDir,
}

impl Home {
    pub fn new() -> Self {
        // tempfile makes it with mode 0700, which gpg wants.
        Home { directory: tempfile::Builder::new().prefix("ph-").tempdir_in("/tmp").unwrap() }
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    pub fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> std::path::PathBuf {
        let path = self.path().join(name);
        fs_err::write(&path, bytes).unwrap();
        path
    }

    fn command(&self, program: &str, time: u32) -> Command {
        let [client] = find([program]).expect("checked by the test");
        let mut command = client.command();
        command.env("GNUPGHOME", self.path()).current_dir(self.path());
        if program == "gpg" {
            command.args(["--batch", "--no-tty", "--quiet", "--pinentry-mode", "loopback"]);
            command.args(["--faked-system-time", &format!("{time}!")]);
        }
        command
    }

    /// gpg at [`NOW`]; its standard output.
    #[track_caller]
    pub fn gpg(&self, arguments: &[&str]) -> Vec<u8> {
        self.gpg_at(NOW, arguments, b"")
    }

    /// gpg at a time, with standard input; its standard output.
    #[track_caller]
    pub fn gpg_at(&self, time: u32, arguments: &[&str], input: &[u8]) -> Vec<u8> {
        let mut command = self.command("gpg", time);
        command.args(arguments);
        let output = run(command, input);
        assert!(output.status.success(), "gpg {arguments:?}: {}", text(&output));
        output.stdout
    }

    /// Makes a key and returns its fingerprint.
    #[track_caller]
    pub fn make_key(&self, user_id: &str, algorithm: &str, usage: &str, expiry: &str) -> String {
        self.gpg(&["--passphrase", "", "--quick-gen-key", user_id, algorithm, usage, expiry]);
        self.fingerprint(user_id)
    }

    /// The fingerprint of the primary key of a user id.
    #[track_caller]
    pub fn fingerprint(&self, user_id: &str) -> String {
        let listing = self.gpg(&["--with-colons", "--list-keys", &format!("={user_id}")]);
        let listing = String::from_utf8(listing).unwrap();
        let line = listing.lines().find(|line| line.starts_with("fpr:")).expect("a key has a fingerprint");
        line.split(':').nth(9).unwrap().to_owned()
    }

    /// A program beside gpg (gpgv, sqv, …), in this home and at the real time.
    pub fn run(&self, program: &str, arguments: &[&str]) -> Output {
        let mut command = self.command(program, NOW);
        command.args(arguments);
        run(command, b"")
    }

    /// As [`Home::run`], and it must succeed.
    #[track_caller]
    pub fn accepts(&self, program: &str, arguments: &[&str]) -> String {
        let output = self.run(program, arguments);
        assert!(output.status.success(), "{program} {arguments:?}: {}", text(&output));
        text(&output)
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let mut command = Command::new("gpgconf");
        let _ = command.env("GNUPGHOME", self.path()).args(["--kill", "all"]).output();
    }
}

fn run(mut command: Command, input: &[u8]) -> Output {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    output
}

/// A key made by gpg, exported.
pub struct Exported {
    pub fingerprint: String,
    pub secret: Vec<u8>,
    pub public: Vec<u8>,
}

/// Keys that are made once for the whole test binary; their agent is gone when a test sees them.
pub struct Keys {
    /// RSA-3072, one key that certifies and signs, no expiry.
    pub rsa: Exported,
    /// An Ed25519 primary key that certifies, a signing and an encryption subkey, valid for two years.
    pub subkeys: Exported,
    /// The same without the primary secret: `--export-secret-subkeys`.
    pub subkeys_only: Vec<u8>,
    /// Ed25519, protected by [`PASSPHRASE`].
    pub protected: Exported,
    /// RSA-1024.
    pub short: Exported,
    /// The revocation certificate that gpg makes with every key, for `subkeys`.
    pub revocation: Vec<u8>,
}

/// The shared keys; `None` when gpg is not there, which has been said loudly then.
#[track_caller]
pub fn keys() -> Option<&'static Keys> {
    static KEYS: OnceLock<Keys> = OnceLock::new();
    find(["gpg", "gpgconf"])?;
    Some(KEYS.get_or_init(|| {
        let home = Home::new();
        let export = |fingerprint: String| Exported {
            secret: home.gpg(&["--passphrase", "", "--armor", "--export-secret-keys", &fingerprint]),
            public: home.gpg(&["--export", &fingerprint]),
            fingerprint,
        };
        let rsa = home.make_key("RSA <rsa@example.org>", "rsa3072", "cert,sign", "0");
        let subkeys = home.make_key("Subkeys <subkeys@example.org>", "ed25519", "cert", "2y");
        home.gpg(&["--passphrase", "", "--quick-add-key", &subkeys, "ed25519", "sign", "1y"]);
        home.gpg(&["--passphrase", "", "--quick-add-key", &subkeys, "cv25519", "encr", "1y"]);
        let short = home.make_key("Short <short@example.org>", "rsa1024", "cert,sign", "0");
        let subkeys_only = home.gpg(&["--passphrase", "", "--armor", "--export-secret-subkeys", &subkeys]);
        let revocation = fs_err::read(home.path().join(format!("openpgp-revocs.d/{subkeys}.rev"))).unwrap();

        let user = "Protected <protected@example.org>";
        home.gpg(&["--passphrase", PASSPHRASE, "--quick-gen-key", user, "ed25519", "cert,sign", "0"]);
        let fingerprint = home.fingerprint(user);
        let protected = Exported {
            secret: home.gpg(&["--passphrase", PASSPHRASE, "--armor", "--export-secret-keys", &fingerprint]),
            public: home.gpg(&["--export", &fingerprint]),
            fingerprint,
        };
        Keys {
            rsa: export(rsa),
            subkeys: export(subkeys),
            subkeys_only,
            protected,
            short: export(short),
            revocation,
        }
    }))
}

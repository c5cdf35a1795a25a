//! A signed site in a directory, and a machine that installs from it.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use packhouse_clients::{Client, find, text};
use packhouse_publish::{Head, ReleaseList, Sha256};
use packhouse_site::{KeyInfo, Location, SiteInfo, install_script};

/// A head with a package for each `(target, arch, channel, file name)`, sorted.
pub fn head(packages: &[(&str, &str, &str, &str)]) -> Head {
    let mut entries = Vec::new();
    let mut latest = Vec::new();
    for (target, arch, channel, file_name) in packages {
        let format = match file_name {
            name if name.contains(".pkg.tar") => "pacman",
            name if name.contains(".tar") => "tar",
            name => name.rsplit('.').next().unwrap(),
        };
        let (distribution, version) = target.split_once(' ').unwrap();
        let place = format!(
            r#""target": "{distribution}-{version}", "distribution": "{distribution}",
               "distribution_version": "{version}", "arch": "{arch}", "path": "{distribution}/{file_name}""#
        );
        let entry = format!(
            r#"{{{place}, "file_name": "{file_name}", "size": 38100000, "sha256": "{}", "format": "{format}",
                "version": "1.0", "built": 1700000000, "revision": "611a16f", "channels": ["{channel}"],
                "signature": {{"path": "{distribution}/{file_name}.asc", "fingerprint": "{FINGERPRINT}"}}}}"#,
            Sha256::of(file_name.as_bytes())
        );
        entries.push((format!("{distribution}/{file_name}"), entry));
        latest.push(format!(r#"{{{place}, "channel": "{channel}"}}"#));
    }
    entries.sort();
    let entries: Vec<_> = entries.into_iter().map(|(_, entry)| entry).collect();
    let json = format!(
        r#"{{"format": 1, "generation": 7, "name": "hello", "updated": 1700000100, "packages": [{}], "latest": [{}]}}"#,
        entries.join(","),
        latest.join(",")
    );
    Head::parse(json.as_bytes()).unwrap()
}

pub const FINGERPRINT: &str = "0123456789ABCDEF0123456789ABCDEF01234567";

pub fn info(location: Location, keyring: &[u8]) -> SiteInfo {
    SiteInfo {
        summary: "Says hello".into(),
        homepage: Some("https://example.org/hello".into()),
        location,
        keys: vec![KeyInfo {
            fingerprint: FINGERPRINT.into(),
            user_id: "Release <release@example.org>".into(),
            expires: Some(1_840_752_000),
        }],
        keyring_sha256: Sha256::of(keyring),
    }
}

/// An OpenPGP key of GnuPG's.
pub struct Key {
    gpg: Client,
    home: tempfile::TempDir,
    options: Vec<String>,
}

impl Key {
    /// A fresh key without an end.
    pub fn new() -> Option<Key> {
        Key::with(&[], "never")
    }

    /// A key that is valid for `expires` (`1y`), made and used under gpg's `options`.
    pub fn with(options: &[&str], expires: &str) -> Option<Key> {
        let [gpg] = find(["gpg"])?;
        let home = tempfile::tempdir().unwrap();
        fs_err::set_permissions(home.path(), PermissionsExt::from_mode(0o700)).unwrap();
        let key = Key { gpg, home, options: options.iter().map(|option| (*option).to_owned()).collect() };
        key.run(&["--quick-generate-key", "Hello <hello@example.org>", "ed25519", "sign", expires]);
        Some(key)
    }

    fn run(&self, arguments: &[&str]) -> Vec<u8> {
        let mut command = self.gpg.command();
        command.arg("--homedir").arg(self.home.path());
        command.args(["--batch", "--quiet", "--passphrase", "", "--pinentry-mode", "loopback"]);
        let output = command.args(&self.options).args(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", text(&output));
        output.stdout
    }

    pub fn keyring(&self) -> Vec<u8> {
        self.run(&["--export"])
    }

    /// What the site's maker knows of the key.
    fn info(&self) -> KeyInfo {
        let listing = String::from_utf8(self.run(&["--with-colons", "--list-keys"])).unwrap();
        let field = |record: &str, index: usize| {
            let line = listing.lines().find(|line| line.starts_with(record)).unwrap();
            line.split(':').nth(index).unwrap().to_owned()
        };
        KeyInfo {
            fingerprint: field("fpr:", 9),
            user_id: field("uid:", 9),
            expires: field("pub:", 6).parse().ok(),
        }
    }

    /// A text, signed in the clear.
    pub fn clearsign(&self, text: &str, options: &[&str]) -> Vec<u8> {
        let file = self.home.path().join("text");
        fs_err::write(&file, text).unwrap();
        self.run(&[options, &["--output", "-", "--clearsign", file.to_str().unwrap()]].concat())
    }

    pub fn sign(&self, file: &Path, options: &[&str]) {
        let signature = format!("{}.asc", file.display());
        let arguments =
            [options, &["--yes", "--armor", "-o", &signature, "--detach-sign", file.to_str().unwrap()]];
        self.run(&arguments.concat());
    }

    /// Revokes the key, with the certificate that GnuPG makes along with it.
    pub fn revoke(&self) {
        let directory = self.home.path().join("openpgp-revocs.d");
        let certificate = fs_err::read_dir(directory).unwrap().next().unwrap().unwrap().path();
        // A colon keeps people from importing it by accident.
        let certificate_text =
            fs_err::read_to_string(certificate).unwrap().replace(":-----BEGIN", "-----BEGIN");
        let usable = self.home.path().join("revocation");
        fs_err::write(&usable, certificate_text).unwrap();
        self.run(&["--import", usable.to_str().unwrap()]);
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        // Ends the agent that gpg started for this directory.
        let mut command = Command::new("gpgconf");
        let _ = command.arg("--homedir").arg(self.home.path()).args(["--kill", "all"]).output();
    }
}

/// What a run of the install script needs from a machine besides a verifier and a package manager.
const TOOLS: [&str; 19] = [
    "awk",
    "cat",
    "gzip",
    "chmod",
    "cp",
    "date",
    "env",
    "id",
    "mkdir",
    "mktemp",
    "rm",
    "sed",
    "sha256sum",
    "sh",
    "tail",
    "tar",
    "tr",
    "wc",
    "gpgv",
];

/// A site with one signed package, and a machine whose programs are a few real ones and stand-ins that record
/// how they are called.
pub struct Customer {
    directory: tempfile::TempDir,
    pub keyring: Vec<u8>,
    pub location: Location,
    keys: Vec<KeyInfo>,
    pub package: PathBuf,
    target: (String, String),
}

impl Customer {
    /// A machine with `os_release`, and a site with `file_name` for `target` and x86_64, signed by `key`.
    pub fn new(key: &Key, os_release: &str, target: &str, file_name: &str) -> Customer {
        let directory = tempfile::tempdir().unwrap();
        let (distribution, version) = target.split_once(' ').unwrap();
        let site = directory.path().join("the site");
        fs_err::create_dir_all(site.join(distribution)).unwrap();
        let package = site.join(distribution).join(file_name);
        fs_err::write(&package, "the package").unwrap();
        let keyring = key.keyring();
        fs_err::write(site.join("keyring.gpg"), &keyring).unwrap();
        fs_err::create_dir(directory.path().join("bin")).unwrap();
        fs_err::create_dir(directory.path().join("tmp")).unwrap();
        let customer = Customer {
            location: Location::Directory(site.to_str().unwrap().to_owned()),
            directory,
            keys: vec![key.info()],
            keyring,
            package,
            target: (format!("{distribution}-{version}"), target.to_owned()),
        };
        customer.point(format!("{file_name}\n"));
        customer.sign(key);
        customer.set_os_release(os_release);
        for tool in TOOLS {
            let Some([found]) = find([tool]) else { continue };
            symlink(found.command().get_program(), customer.program(tool)).unwrap();
        }
        for stand_in in ["apt-get", "dnf", "apk", "pacman"] {
            customer.add_stand_in(stand_in, "");
        }
        customer.add_stand_in("uname", "echo x86_64");
        customer
    }

    /// A Debian machine.
    pub fn debian(key: &Key) -> Customer {
        Customer::new(key, "ID=debian\nVERSION_ID=\"12\"\n", "debian 12", "hello_1.0_amd64.deb")
    }

    /// An Alpine machine; what the package depends on stands in its `.PKGINFO` as these lines do.
    pub fn alpine(key: &Key, depends: &str) -> Customer {
        let os_release = "ID=alpine\nVERSION_ID=3.22.1\n";
        let customer = Customer::new(key, os_release, "alpine 3.22", "hello-1.0-r0.apk");
        let control = customer.path("control");
        fs_err::create_dir(&control).unwrap();
        fs_err::write(control.join(".PKGINFO"), format!("pkgname = hello\n{depends}")).unwrap();
        fs_err::write(control.join("hello"), "hello").unwrap();
        // An apk is streams of gzip, one behind the other: control, data.
        let [tar] = find(["tar"]).unwrap();
        let mut apk = Vec::new();
        for member in [".PKGINFO", "hello"] {
            let mut command = tar.command();
            let output = command.arg("-C").arg(&control).args(["-czO", member]).output().unwrap();
            apk.extend(output.stdout);
        }
        fs_err::write(&customer.package, apk).unwrap();
        customer.sign(key);
        customer
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn program(&self, name: &str) -> PathBuf {
        self.path("bin").join(name)
    }

    /// A program that records its name and arguments, and then runs `script`.
    pub fn add_stand_in(&self, name: &str, script: &str) {
        let log = self.path("calls");
        let record = format!("echo {name} \"$@\" >>'{}'", log.display());
        let text = match name {
            "uname" => format!("#!/bin/sh\n{script}\n"),
            _ => format!("#!/bin/sh\n{record}\n{script}\n"),
        };
        // Written by a process of its own: a file that this one has open for writing is inherited by what other
        // tests start just then, and cannot be run as long ("Text file busy").
        let mut writer = Command::new("/bin/sh");
        writer.args(["-c", "printf %s \"$1\" >\"$2\" && chmod 755 \"$2\"", "sh"]).arg(text);
        assert!(writer.arg(self.program(name)).status().unwrap().success());
    }

    pub fn remove_program(&self, name: &str) {
        fs_err::remove_file(self.program(name)).unwrap();
    }

    pub fn add_program(&self, name: &str) -> bool {
        let Some([found]) = find([name]) else { return false };
        symlink(found.command().get_program(), self.program(name)).unwrap();
        true
    }

    pub fn set_os_release(&self, text: &str) {
        fs_err::write(self.path("os-release"), text).unwrap();
    }

    /// Signs the package and the list that names it.
    pub fn sign(&self, key: &Key) {
        key.sign(&self.package, &[]);
        self.set_list(&key.clearsign(&self.list(i64::from(u32::MAX)), &[]));
    }

    /// The list of releases, before it is signed.
    pub fn list(&self, expires: i64) -> String {
        let name = self.package.file_name().unwrap().to_str().unwrap();
        let head = head(&[(&self.target.1, "x86_64", "stable", name)]);
        let bytes = fs_err::read(&self.package).unwrap();
        let text = String::from_utf8(head.to_bytes()).unwrap();
        let text = text.replace("38100000", &bytes.len().to_string());
        let text = text.replace(&Sha256::of(name.as_bytes()).to_string(), &Sha256::of(&bytes).to_string());
        ReleaseList::new(Head::parse(text.as_bytes()).unwrap(), expires, None, Vec::new()).to_text()
    }

    /// Sets `releases.asc`.
    pub fn set_list(&self, text: &[u8]) {
        fs_err::write(self.package.ancestors().nth(2).unwrap().join("releases.asc"), text).unwrap();
    }

    /// Sets what the pointer holds.
    pub fn point(&self, text: impl AsRef<[u8]>) {
        let name = format!("{}.x86_64.latest.txt", self.target.0);
        fs_err::write(self.package.with_file_name(name), text).unwrap();
    }

    pub fn script(&self) -> String {
        let offers = [(self.target.1.as_str(), "x86_64", "stable", "hello_0.deb")];
        let info = SiteInfo { keys: self.keys.clone(), ..info(self.location.clone(), &self.keyring) };
        let script = install_script(&head(&offers), &info).unwrap();
        // The one thing that a test cannot put elsewhere by a variable.
        assert!(script.contains("=/etc/os-release"));
        let ours = self.path("os-release");
        script
            .replace("=/etc/os-release", &format!("='{}'", ours.display()))
            .replace("/usr/lib/os-release", "/nonexistent")
    }

    pub fn command(&self, shell: &str) -> Command {
        let mut command = Command::new(shell);
        command.env_clear().env("PATH", self.path("bin")).env("TMPDIR", self.path("tmp"));
        command.current_dir(self.directory.path()).stdin(Stdio::null());
        command
    }

    /// Runs the install script as a file.
    pub fn install(&self, arguments: &[&str]) -> Output {
        let script = self.path("install.sh");
        fs_err::write(&script, self.script()).unwrap();
        let output = self.command("/bin/dash").arg(script).args(arguments).output().unwrap();
        let left: Vec<_> = fs_err::read_dir(self.path("tmp")).unwrap().collect();
        assert!(left.is_empty(), "left behind: {left:?}");
        output
    }

    /// The programs that were called, one a line, with temporary names as `TMP`.
    pub fn calls(&self) -> String {
        let calls = fs_err::read_to_string(self.path("calls")).unwrap_or_default();
        let temporary = format!("{}/", self.path("tmp").display());
        let mut shown = String::new();
        for line in calls.lines() {
            match line.split_once(&temporary) {
                Some((before, after)) => {
                    let after = after.split_once('/').map_or("", |(_, name)| name);
                    shown.push_str(&format!("{before}TMP/{after}\n"));
                }
                None => shown.push_str(&format!("{line}\n")),
            }
        }
        shown
    }

    /// Asserts that nothing was installed and that the message says why.
    #[track_caller]
    pub fn refuses(&self, arguments: &[&str], why: &str) {
        let output = self.install(arguments);
        let said = text(&output);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(why), "{why:?} is not said: {said}");
        assert_eq!(self.calls(), "", "{said}");
    }
}

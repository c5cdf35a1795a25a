//! Signing by GnuPG: keys that stay in gpg-agent or on a smart card.
//!
//! Reference: gpg(1), GnuPG's doc/DETAILS (the colon listing). `gpg` is started, not linked: no library of
//! another licence, and agents, tokens and their prompts work as their owner has set them up.
//!
//! What gpg is told and why:
//! - `--no-options`: a `gpg.conf` with comments, notations or a default key would change what is signed.
//! - `--local-user FPR!`: this very key, by its whole fingerprint; never a name, never the default.
//! - `--faked-system-time T!`: the signature is dated as all others of the release, and the same twice.
//! - the pass phrase as the first line of standard input, the data after it: not in the arguments, not in the
//!   environment, in no file. gpg reads that line byte by byte and leaves the rest (`--passphrase-fd 0`).
//!
//! - `--status-fd 2`: why it failed, as a number between its words.
//!
//! gpg's words and numbers only choose what is shown, nothing is believed for them: what it returns is parsed and
//! verified here.

use std::ffi::{OsStr, OsString};
use std::io::{Read, Write as _};
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::SystemTime;

use pgp::packet::{Packet, Signature, SignatureType};
use rustix::termios::ttyname;

use super::{GnuPgProblem, Make};
use crate::error::KeyDefect;
use crate::hasher::{self, Hasher};
use crate::{Certificate, Error, Fingerprint, Keyring, Secret, armor, packets, policy, printable};

/// A key that GnuPG holds.
pub(super) struct GnuPg {
    certificate: Certificate,
    signing_key: Fingerprint,
    passphrase: Option<Secret>,
    home: Option<PathBuf>,
}

/// What gpg, gpg-agent and pinentry need of the environment; nothing else is passed on, least of all the
/// secrets that CI systems keep in it. Names from gpg(1), gpg-agent(1) and pinentry's sources.
const ENVIRONMENT: &[&str] = &[
    "HOME",
    "GNUPGHOME",
    "PATH",
    "USER",
    "LOGNAME",
    "TMPDIR",
    "GPG_TTY",
    "TERM",
    "DISPLAY",
    "XAUTHORITY",
    "WAYLAND_DISPLAY",
    "XDG_RUNTIME_DIR",
    "XDG_SESSION_TYPE",
    "DBUS_SESSION_BUS_ADDRESS",
    "PINENTRY_USER_DATA",
];

/// Finds the key and the part of it that signs.
pub(super) fn open(
    wanted: Fingerprint,
    passphrase: Option<Secret>,
    home: Option<&Path>,
    at: SystemTime,
) -> Result<GnuPg, Error> {
    if passphrase.as_ref().is_some_and(|passphrase| passphrase.expose().contains(&b'\n')) {
        let message = "a pass phrase of several lines cannot be given to it".into();
        return Err(Error::GnuPg { problem: GnuPgProblem::Passphrase, message });
    }
    let home = home.map(Path::to_owned);
    let exported = run(home.as_deref(), ["--export".as_ref(), wanted.to_string().as_ref()], |_| Ok(()))?;
    let keyring = match Keyring::parse(&exported.output) {
        Ok(keyring) => keyring,
        Err(Error::KeyringUnreadable { reason: crate::KeyringDefect::Empty, .. }) => {
            return Err(Error::GnuPgUnknownKey { fingerprint: wanted });
        }
        Err(error) => return Err(error),
    };
    let certificate = keyring.find(&wanted).ok_or(Error::GnuPgUnknownKey { fingerprint: wanted })?.clone();
    let fingerprint = certificate.fingerprint();

    let secrets = secrets(home.as_deref(), fingerprint)?;
    let usable = super::named_components(&certificate, wanted, at)?;
    let signing_key = usable
        .into_iter()
        .find(|usable| secrets.contains(usable))
        .ok_or(Error::NotASigningKey { fingerprint, defect: KeyDefect::NoSecret })?;

    let signer = GnuPg { certificate, signing_key, passphrase, home };
    if signer.passphrase.is_some() {
        // A wrong pass phrase is found now. Without one this would open the agent's prompt too early.
        let now = u32::try_from(policy::seconds(at))
            .map_err(|_| Error::Time { what: "the time of the signature" })?;
        signer.make(SignatureType::Binary, &mut std::io::empty(), now)?;
    }
    Ok(signer)
}

/// The fingerprints whose secrets GnuPG has, on disk or on a token.
///
/// Columns of `--with-colons` (doc/DETAILS): 1 record type, 10 fingerprint, 15 `#` for a missing secret.
fn secrets(home: Option<&Path>, fingerprint: Fingerprint) -> Result<Vec<Fingerprint>, Error> {
    let listing = run(
        home,
        ["--with-colons".as_ref(), "--list-secret-keys".as_ref(), fingerprint.to_string().as_ref()],
        |_| Ok(()),
    )?;
    let mut found = Vec::new();
    let mut is_present = false;
    for line in String::from_utf8_lossy(&listing.output).lines() {
        let fields: Vec<&str> = line.split(':').collect();
        match fields.first() {
            Some(&("sec" | "ssb")) => is_present = fields.get(14).is_none_or(|token| *token != "#"),
            Some(&"fpr") if is_present => {
                found.extend(fields.get(9).and_then(|field| field.parse::<Fingerprint>().ok()))
            }
            _ => {}
        }
    }
    Ok(found)
}

/// What `gpg` printed.
struct Ran {
    output: Vec<u8>,
    errors: String,
    is_success: bool,
}

/// Runs `gpg`, with standard input written by `feed`.
fn run<'a>(
    home: Option<&Path>,
    arguments: impl IntoIterator<Item = &'a OsStr>,
    feed: impl FnOnce(&mut std::process::ChildStdin) -> Result<(), Error>,
) -> Result<Ran, Error> {
    let mut command = Command::new("gpg");
    command.env_clear();
    // The one place where this crate looks at the environment: to hand it on, not to decide by it.
    let kept = ENVIRONMENT.iter().filter_map(|name| Some((name, std::env::var_os(name)?)));
    command.envs(kept).env("LC_ALL", "C").env("TZ", "UTC");
    if let Some(home) = home {
        command.env("GNUPGHOME", home);
    }
    if std::env::var_os("GPG_TTY").is_none()
        && let Some(terminal) = terminal()
    {
        command.env("GPG_TTY", terminal);
    }
    command
        .args([
            "--no-options",
            "--batch",
            "--no-tty",
            "--quiet",
            "--no-auto-check-trustdb",
            "--status-fd",
            "2",
        ])
        .args(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(Error::GnuPgMissing)?;

    let mut input = child.stdin.take().expect("standard input is a pipe");
    let output = child.stdout.take().expect("standard output is a pipe");
    let errors = child.stderr.take().expect("standard error is a pipe");
    // Both outputs are drained meanwhile, or gpg and we could wait for each other.
    let (fed, output, errors) = std::thread::scope(|scope| {
        let output = scope.spawn(move || read_bounded(output));
        let errors = scope.spawn(move || read_bounded(errors));
        let fed = feed(&mut input);
        drop(input);
        (fed, output.join().unwrap_or_default(), errors.join().unwrap_or_default())
    });
    let status = child.wait()?;
    match fed {
        // gpg ended before it had read everything: what it says about that matters, not our broken pipe.
        Err(Error::Io(error)) if error.kind() == std::io::ErrorKind::BrokenPipe && !status.success() => {}
        fed => fed?,
    }
    Ok(Ran { output, errors: String::from_utf8_lossy(&errors).into_owned(), is_success: status.success() })
}

/// The terminal that we run on, where a pinentry in it can ask: gpg's standard input is a pipe, so that gpg cannot
/// find it itself (gpg-agent(1), `GPG_TTY`).
fn terminal() -> Option<OsString> {
    let (input, errors, output) = (std::io::stdin(), std::io::stderr(), std::io::stdout());
    let name = ttyname(&input, Vec::new())
        .or_else(|_| ttyname(&errors, Vec::new()))
        .or_else(|_| ttyname(&output, Vec::new()));
    Some(OsString::from_vec(name.ok()?.into_bytes()))
}

fn read_bounded(mut from: impl Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    // An error ends the output, which is then refused by whoever parses it; the rest is read so that gpg can end.
    let _ = from.by_ref().take(policy::MAX_KEYRING_BYTES as u64).read_to_end(&mut bytes);
    let _ = std::io::copy(&mut from, &mut std::io::sink());
    bytes
}

impl Make for GnuPg {
    fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    fn signing_key(&self) -> Fingerprint {
        self.signing_key
    }

    fn make(&self, kind: SignatureType, data: &mut dyn Read, at: u32) -> Result<Signature, Error> {
        let fingerprint = self.certificate.fingerprint();
        let wrong = || Error::WrongSignatureMade { fingerprint };
        let user = format!("{}!", self.signing_key);
        let time = format!("{at}!");
        let hash = policy::SIGNING_HASH.to_string();
        let mut arguments = vec!["--local-user", &user, "--faked-system-time", &time, "--digest-algo", &hash];
        if self.passphrase.is_some() {
            arguments.extend(["--pinentry-mode", "loopback", "--passphrase-fd", "0"]);
        }
        if kind == SignatureType::Text {
            arguments.push("--textmode");
        }
        arguments.extend(["--detach-sign", "--output", "-"]);

        // The data is hashed on its way, so that gpg's signature can be checked against what we gave it.
        let config = pgp::packet::SignatureConfig::v4(kind, self.algorithm(), policy::SIGNING_HASH);
        let mut hasher = Hasher::new(&config).ok_or_else(wrong)?;
        let ran = run(self.home.as_deref(), arguments.iter().map(OsStr::new), |input| {
            if let Some(passphrase) = &self.passphrase {
                input.write_all(passphrase.expose())?;
                input.write_all(b"\n")?;
            }
            hasher::feed(data, |bytes| {
                hasher.update(bytes);
                Ok(input.write_all(bytes)?)
            })
        })?;
        if !ran.is_success {
            return Err(self.explain(&ran.errors));
        }

        let bytes =
            if armor::is_binary(&ran.output) { ran.output } else { return Err(self.explain(&ran.errors)) };
        let mut made = packets::split(&bytes);
        let (Some(Ok(packet)), None) = (made.next(), made.next()) else { return Err(wrong()) };
        let Some(Packet::Signature(signature)) = packet.parse() else { return Err(wrong()) };
        let config = signature.config().ok_or_else(wrong)?;
        let digest = hasher.finish(config).ok_or_else(wrong)?;
        let component = self.certificate.find_component(&self.signing_key).ok_or_else(wrong)?;
        let is_ours = config.typ == kind
            && config.hash_alg == policy::SIGNING_HASH
            && config.created().is_some_and(|created| created.as_secs() == at)
            && self.certificate.component_made(component, &signature, &digest);
        if is_ours { Ok(signature) } else { Err(wrong()) }
    }
}

impl GnuPg {
    fn algorithm(&self) -> pgp::crypto::public_key::PublicKeyAlgorithm {
        use pgp::types::KeyDetails as _;
        self.certificate.key.primary_key.algorithm()
    }

    /// gpg's last words that are about the failure, for people, and what to do about it.
    fn explain(&self, errors: &str) -> Error {
        let problem = last_failure(errors);
        if problem.map(|code| code & 0xFFFF) == Some(BAD_PASSPHRASE) {
            return Error::WrongPassphrase { fingerprint: self.certificate.fingerprint() };
        }
        let line = errors
            .lines()
            .rev()
            .find(|line| line.starts_with("gpg: ") && !line.contains("faked system time"));
        let message = line.map_or("nothing, and it made no signature", |line| &line["gpg: ".len()..]);
        Error::GnuPg {
            problem: problem.map_or(GnuPgProblem::Unknown, GnuPgProblem::of_code),
            message: printable(message).chars().take(300).collect(),
        }
    }
}

/// `GPG_ERR_BAD_PASSPHRASE` (libgpg-error, `err-codes.h.in`), whichever program it comes from.
const BAD_PASSPHRASE: u32 = 11;

/// The number of the last status line `[GNUPG:] FAILURE sign <number>`.
fn last_failure(errors: &str) -> Option<u32> {
    let mut failures = errors.lines().filter_map(|line| line.strip_prefix("[GNUPG:] FAILURE sign "));
    failures.next_back()?.trim().parse().ok()
}

//! What can go wrong with keys, keyrings and signatures.

use std::fmt;
use std::path::PathBuf;
use std::time::SystemTime;

use crate::Fingerprint;
pub use crate::signer::{CommandProblem, GnuPgProblem};

/// Why something could not be signed, or why a signature is not accepted.
///
/// The variants say what a caller can tell a user; what comes out of a key or a file (user ids, reasons for a
/// revocation, gpg's words) has its control characters replaced, so that it is safe on a terminal.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or the signed data could not be read; the source names it.
    #[error(transparent)]
    Io(#[from] std::io::Error),

    // ── signatures ──
    /// The signature file holds no signature.
    #[error("there is no signature in it")]
    NoSignature,
    /// The file holds something other than detached signatures of a document.
    #[error("it is not a detached signature but {found}")]
    NotDetached {
        /// What it is.
        found: String,
    },
    /// The text is not one message signed in the clear.
    #[error("it is not a cleartext-signed message: {reason}")]
    NotCleartext {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The signature is damaged.
    #[error("the signature is damaged: {reason}")]
    MalformedSignature {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A signature format other than version 4.
    #[error("the signature has version {version} of the format, and only version 4 is read everywhere")]
    UnsupportedSignature {
        /// The version number of the signature packet.
        version: u8,
    },
    /// More or larger than any honest file.
    #[error("{what} is larger than the {limit} that are read")]
    TooLarge {
        /// What it is.
        what: &'static str,
        /// The limit, with its unit.
        limit: String,
    },
    /// Made by a key that is not in the keyring.
    #[error("it was signed by a key that is not in the keyring: {issuer}")]
    UnknownKey {
        /// What the signature says of its maker: a fingerprint, or the shorter key id. Not proven.
        issuer: String,
    },
    /// The content is not what was signed.
    #[error("the content is not what {user_id} signed (key {fingerprint})")]
    BadSignature {
        /// The key that the signature names; the primary key's fingerprint.
        fingerprint: Fingerprint,
        /// Whose key it is.
        user_id: String,
    },
    /// The signature uses a hash for which collisions can be made, or one that customers' tools do not read.
    #[error("the signature relies on {algorithm}, which is not accepted")]
    WeakHash {
        /// The hash's name.
        algorithm: String,
    },
    /// The signature holds a critical part that we do not know.
    #[error("the signature holds a condition that its maker calls critical and that Packhouse does not know")]
    UnknownCritical,
    /// The signature is dated ahead of now.
    #[error("the signature was made in the future: {}, and now is {}", date_time(.created), date_time(.at))]
    SignatureFromTheFuture {
        /// When it says it was made.
        created: SystemTime,
        /// The time of the check.
        at: SystemTime,
    },
    /// The signature itself has an end, and it has passed.
    #[error("the signature was valid until {}", date_time(.on))]
    SignatureExpired {
        /// When it ended.
        on: SystemTime,
    },
    /// The signature is older than its key.
    #[error("the signature is dated {}, before its key {fingerprint} existed", date_time(.created))]
    SignatureBeforeKey {
        /// The primary key's fingerprint.
        fingerprint: Fingerprint,
        /// When the signature says it was made.
        created: SystemTime,
    },

    // ── keys ──
    /// The key has expired.
    #[error("the key {fingerprint} of {user_id} expired on {}", date(.on))]
    KeyExpired {
        /// The primary key's fingerprint.
        fingerprint: Fingerprint,
        /// Whose key it is.
        user_id: String,
        /// When it, or the subkey that signed, expired.
        on: SystemTime,
    },
    /// The key has been revoked.
    #[error("the key {fingerprint} of {user_id} was revoked on {}: {reason}", date(.on))]
    KeyRevoked {
        /// The primary key's fingerprint.
        fingerprint: Fingerprint,
        /// Whose key it is.
        user_id: String,
        /// When it, or the subkey that signed, was revoked.
        on: SystemTime,
        /// What its owner gave as the reason.
        reason: String,
    },
    /// The key is too short, or of an algorithm that customers' tools do not know.
    #[error("the key {fingerprint} is {algorithm}, which is not accepted")]
    WeakKey {
        /// The primary key's fingerprint.
        fingerprint: Fingerprint,
        /// Its algorithm and size.
        algorithm: String,
    },
    /// The key is not one that may sign documents.
    #[error("the key {fingerprint} may not sign: {defect}")]
    NotASigningKey {
        /// The primary key's fingerprint.
        fingerprint: Fingerprint,
        /// What it lacks.
        defect: KeyDefect,
    },

    // ── keyrings ──
    /// The keyring cannot be used.
    #[error("{} is not a usable keyring: {reason}", place(.path.as_ref()))]
    KeyringUnreadable {
        /// The file, when it came from one.
        path: Option<PathBuf>,
        /// What is wrong with it.
        reason: KeyringDefect,
    },

    // ── keys to sign with ──
    /// Something that should be a fingerprint is not.
    #[error("`{}` is not the fingerprint of a key", crate::printable(.given))]
    NotAFingerprint {
        /// The text as given, shortened.
        given: String,
    },
    /// A key file that others could read or replace.
    #[error("the secret in {} is not safe there: {problem}", .path.display())]
    KeyFile {
        /// The file.
        path: PathBuf,
        /// Why it is not used.
        problem: KeyFileProblem,
    },
    /// The secret key cannot be read.
    #[error("the signing key cannot be read: {reason}")]
    KeyUnreadable {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A public key of a key service cannot be read.
    #[error("the public key cannot be read: {reason}")]
    PublicKeyUnreadable {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// More than one key to choose from.
    #[error("{count} secret keys are in one file, and nothing says which of them signs")]
    SeveralSecretKeys {
        /// How many.
        count: usize,
    },
    /// The key is protected and no pass phrase was given.
    #[error("the signing key {fingerprint} needs its pass phrase")]
    PassphraseNeeded {
        /// The primary key's fingerprint.
        fingerprint: Fingerprint,
    },
    /// The pass phrase does not open the key.
    #[error("the pass phrase does not open the signing key {fingerprint}")]
    WrongPassphrase {
        /// The primary key's fingerprint.
        fingerprint: Fingerprint,
    },
    /// `gpg` is not there.
    #[error("gpg cannot be run")]
    GnuPgMissing(#[source] std::io::Error),
    /// GnuPG has no public key of this fingerprint.
    #[error("GnuPG has no key {fingerprint}")]
    GnuPgUnknownKey {
        /// The fingerprint that was asked for.
        fingerprint: Fingerprint,
    },
    /// `gpg` refused.
    #[error("gpg says: {message}")]
    GnuPg {
        /// What it was about.
        problem: GnuPgProblem,
        /// Its own words.
        message: String,
    },
    /// The program of `sign.command` could not be started.
    #[error("the sign command `{}` cannot be run", crate::printable(.program))]
    SignCommandNotRun {
        /// The program, as it was named.
        program: String,
        /// Why not.
        source: std::io::Error,
    },
    /// The program of `sign.command` made no signature that counts.
    #[error("the sign command `{program}` {problem}{}", words_of(.said))]
    SignCommand {
        /// The program, as it was named.
        program: String,
        /// What it did.
        problem: CommandProblem,
        /// The last lines of its standard error, shortened and printable; may be empty.
        said: String,
    },
    /// A new signature does not verify: a fault of the machine, of the token or of the program that made it.
    #[error("the signature just made by {fingerprint} does not match what it should sign")]
    WrongSignatureMade {
        /// The primary key's fingerprint.
        fingerprint: Fingerprint,
    },
    /// The secret RSA key for packages of apk, or a public one, cannot be used.
    #[error("the RSA key cannot be used: {defect}")]
    RsaKey {
        /// What is wrong with it.
        defect: RsaKeyDefect,
    },
    /// A new RSA signature does not verify: a fault of the machine.
    #[error("the RSA signature just made does not match what it should sign")]
    WrongRsaSignature,
    /// The RSA key did not sign this content.
    #[error("the content is not what the RSA key signed")]
    BadRsaSignature,
    /// A text that cannot be signed in the clear.
    #[error("the text cannot be signed in the clear: {reason}")]
    UnsignableText {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The file holds no revocation certificate.
    #[error("it is not a revocation certificate: {reason}")]
    NotARevocation {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A revocation that is by none of the keys it could be for.
    #[error("the revocation is by a key that is not in the keyring: {issuer}")]
    RevokesAnotherKey {
        /// Whom it names as its maker. Not proven.
        issuer: String,
    },
    /// Only the secret of the primary key can do this, and the file has a place for it and nothing there.
    #[error("the secret of the primary key {fingerprint} is not in the file")]
    NoPrimarySecret {
        /// The primary key's fingerprint.
        fingerprint: Fingerprint,
    },
    /// The certificate has no such subkey.
    #[error("the key {fingerprint} has no subkey {subkey}")]
    NoSuchSubkey {
        /// The primary key's fingerprint.
        fingerprint: Fingerprint,
        /// The one that was asked for.
        subkey: Fingerprint,
    },
    /// A user id that cannot be given to a new key.
    #[error("`{}` cannot be a key's user id", crate::printable(.given))]
    UserId {
        /// The text as given.
        given: String,
    },
    /// A time that OpenPGP cannot express.
    #[error("{what} lies outside 1970 to 2106, which is what OpenPGP can express")]
    Time {
        /// Which time.
        what: &'static str,
    },
}

/// Why a key may not sign.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyDefect {
    /// No self-signature is valid (missing, for another key, dated in the future, or its user id revoked).
    NoSelfSignature,
    /// There are self-signatures, but with a hash that is not accepted.
    WeakSelfSignature {
        /// The hash's name.
        algorithm: String,
    },
    /// The subkey is not bound to this primary key.
    NotBound,
    /// The subkey is bound, but with a hash that is not accepted.
    WeakBinding {
        /// The hash's name.
        algorithm: String,
    },
    /// The subkey does not confirm that it belongs to this primary key (the back-signature).
    NoBackSignature,
    /// Its owner made it for something else, as encryption or certification.
    OtherPurpose,
    /// The part of the key that may sign is not in the file or in GnuPG.
    NoSecret,
}

impl fmt::Display for KeyDefect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KeyDefect::NoSelfSignature => f.write_str("it has no valid self-signature"),
            KeyDefect::WeakSelfSignature { algorithm } => {
                write!(f, "its self-signature relies on {algorithm}, which is not accepted")
            }
            KeyDefect::NotBound => f.write_str("the subkey is not validly bound to it"),
            KeyDefect::WeakBinding { algorithm } => {
                write!(f, "its subkey is bound with {algorithm}, which is not accepted")
            }
            KeyDefect::NoBackSignature => f.write_str("the subkey does not confirm that it belongs to it"),
            KeyDefect::OtherPurpose => f.write_str("it was made for another purpose than signing"),
            KeyDefect::NoSecret => f.write_str("the secret of its signing part is not there"),
        }
    }
}

/// What is wrong with an RSA key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RsaKeyDefect {
    /// It is no PEM file.
    NotPem,
    /// It is protected by a pass phrase.
    Encrypted,
    /// It is a public key where a secret one is needed.
    Public,
    /// It is an OpenPGP key.
    OpenPgp,
    /// It is something else, as a certificate or a key of another algorithm.
    OtherKind,
    /// It is damaged, or of another algorithm.
    Damaged,
    /// It is shorter than is safe.
    TooShort {
        /// Its length.
        bits: usize,
    },
    /// It is longer than any tool makes one.
    TooLong {
        /// Its length.
        bits: usize,
    },
}

impl fmt::Display for RsaKeyDefect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RsaKeyDefect::NotPem => f.write_str("it is not in PEM, which starts with -----BEGIN"),
            RsaKeyDefect::Encrypted => f.write_str("it is protected by a pass phrase"),
            RsaKeyDefect::Public => f.write_str("it is a public key, which cannot sign"),
            RsaKeyDefect::OpenPgp => f.write_str("it is an OpenPGP key, which apk does not know"),
            RsaKeyDefect::OtherKind => f.write_str("it is no RSA key in PEM"),
            RsaKeyDefect::Damaged => f.write_str("it is damaged, or no RSA key"),
            RsaKeyDefect::TooShort { bits } => write!(f, "it has {bits} bits, and 2048 are the least"),
            RsaKeyDefect::TooLong { bits } => write!(f, "it has {bits} bits, and 4096 are the most"),
        }
    }
}

/// What is wrong with a keyring.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyringDefect {
    /// Nothing is in it.
    Empty,
    /// It is a web page.
    WebPage,
    /// Secret keys are in it.
    SecretKey,
    /// There are packets or text, but no public key that can be used.
    NoKey {
        /// Why the keys in it were passed over, if there were any.
        passed_over: Vec<String>,
    },
    /// More than a keyring should hold.
    TooLarge,
    /// It is damaged.
    Malformed {
        /// What is wrong with it.
        reason: &'static str,
    },
}

impl fmt::Display for KeyringDefect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KeyringDefect::Empty => f.write_str("it is empty"),
            KeyringDefect::WebPage => f.write_str("it is a web page"),
            KeyringDefect::SecretKey => f.write_str("it holds a SECRET key"),
            KeyringDefect::NoKey { passed_over } if passed_over.is_empty() => {
                f.write_str("there is no public key in it")
            }
            KeyringDefect::NoKey { passed_over } => {
                write!(f, "no key in it can be used ({})", passed_over.join("; "))
            }
            KeyringDefect::TooLarge => f.write_str("it is larger than a keyring can sensibly be"),
            KeyringDefect::Malformed { reason } => f.write_str(reason),
        }
    }
}

/// Why a file is not trusted with a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyFileProblem {
    /// Its mode lets others read or write it.
    OpenToOthers {
        /// The permission bits.
        mode: u32,
    },
    /// It belongs to another user, or a link on the way does.
    OtherOwner,
    /// Anybody could replace it.
    OpenDirectory,
    /// A directory, a named pipe or a device.
    NotAFile,
    /// Larger than a key can sensibly be.
    TooLarge,
}

impl fmt::Display for KeyFileProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KeyFileProblem::OpenToOthers { mode } => {
                write!(f, "its mode {mode:04o} opens it to other users")
            }
            KeyFileProblem::OtherOwner => f.write_str("it belongs to another user"),
            KeyFileProblem::OpenDirectory => f.write_str("anybody may replace files in its directory"),
            KeyFileProblem::NotAFile => f.write_str("it is not a regular file"),
            KeyFileProblem::TooLarge => f.write_str("it is larger than a key"),
        }
    }
}

impl Error {
    /// How to fix it, where that is known.
    pub fn help(&self) -> Option<String> {
        Some(match self {
            Error::NoSignature => "download the .asc again; it must begin with -----BEGIN PGP SIGNATURE-----".into(),
            Error::NotDetached { .. } => "sign with `gpg --armor --detach-sign FILE`".into(),
            Error::UnknownKey { .. } => {
                "fetch the vendor's current keyring; if the key should be trusted, add it to the keyring".into()
            }
            Error::BadSignature { .. } => {
                "do not install it; download file and signature again, and tell the vendor if it persists".into()
            }
            Error::WeakHash { .. } | Error::UnsupportedSignature { .. } => {
                "sign again with SHA-256 or SHA-512 and a version 4 key".into()
            }
            Error::SignatureFromTheFuture { .. } => "check the clocks of this machine and of the signer's".into(),
            Error::KeyExpired { fingerprint, .. } => format!(
                "its owner can extend it (`gpg --quick-set-expire {fingerprint} 2y`) and export the keyring anew; \
                 otherwise sign with a current key"
            ),
            Error::KeyRevoked { .. } => "sign with another key, and fetch the vendor's current keyring".into(),
            Error::WeakKey { .. } => "use an Ed25519 key, or RSA with 3072 bits or more".into(),
            Error::NotASigningKey { fingerprint, defect } => match defect {
                KeyDefect::WeakSelfSignature { .. } | KeyDefect::WeakBinding { .. } => format!(
                    "renew its self-signatures with a current GnuPG: `gpg --quick-set-expire {fingerprint} 2y`, \
                     the same with `'*'` after it, and export the keyring anew"
                ),
                KeyDefect::NoBackSignature => format!(
                    "add it with `gpg --edit-key {fingerprint} cross-certify save` and export the keyring anew"
                ),
                KeyDefect::OtherPurpose => {
                    format!("add a signing subkey: `gpg --quick-add-key {fingerprint} ed25519 sign 2y`")
                }
                _ => return None,
            },
            Error::KeyringUnreadable { reason, .. } => match reason {
                KeyringDefect::SecretKey => "take it out of every place that others can read, and consider the key \
                                             compromised; a keyring is made with `gpg --export FINGERPRINT…`"
                    .into(),
                KeyringDefect::WebPage => {
                    "the download was answered with a page: check the address and fetch the keyring again".into()
                }
                _ => "make it with `gpg --export FINGERPRINT… > trustedkeys.gpg`".into(),
            },
            Error::NotAFingerprint { .. } => {
                "give all 40 digits, as `gpg --list-secret-keys` prints them; names and short key ids can stand for \
                 several keys"
                    .into()
            }
            Error::KeyFile { path, problem } => match problem {
                KeyFileProblem::OpenToOthers { .. } => format!("chmod 600 {}", path.display()),
                KeyFileProblem::OtherOwner => format!("chown it to the user who signs: {}", path.display()),
                KeyFileProblem::OpenDirectory => "move it to a directory of your own, with mode 0700".into(),
                KeyFileProblem::NotAFile | KeyFileProblem::TooLarge => {
                    "name the file made by `gpg --armor --export-secret-keys FINGERPRINT`".into()
                }
            },
            Error::KeyUnreadable { .. } => {
                "export it with `gpg --armor --export-secret-keys FINGERPRINT`".into()
            }
            Error::RsaKey { defect: RsaKeyDefect::Encrypted } => {
                "open it once: `openssl pkey -in KEY -out OPENED.rsa`, with mode 0600 and a place that only you can read".into()
            }
            Error::RsaKey { .. } => "make one with `openssl genrsa -out you@example.org.rsa 4096`".into(),
            Error::BadRsaSignature => "do not install it; fetch the package again, and tell the vendor if it persists".into(),
            Error::PublicKeyUnreadable { .. } => {
                "export it as your key service does, or with `openssl pkey -pubout`: it begins with \
                 -----BEGIN PUBLIC KEY-----"
                    .into()
            }
            Error::SeveralSecretKeys { .. } => {
                "export one key alone: `gpg --armor --export-secret-keys FINGERPRINT`".into()
            }
            Error::PassphraseNeeded { .. } => {
                "put it into a file with mode 0600 and name that file in [sign] passphrase-file; on a terminal it is \
                 asked for"
                    .into()
            }
            Error::GnuPgMissing(_) => "install GnuPG (package `gnupg`), or sign with a key file".into(),
            Error::NotARevocation { .. } => "name the file that `packhouse key generate` called revocation.asc, or that \
                                             `gpg --gen-revoke FINGERPRINT` printed; of gpg's own `.rev` remove the \
                                             colon first"
                .into(),
            Error::RevokesAnotherKey { .. } => "revoke it in the keyring that has the key".into(),
            Error::NoPrimarySecret { .. } => {
                "use the whole secret key, from where it is kept offline, and not the export of its subkey".into()
            }
            Error::GnuPg { problem, .. } => problem.help().into(),
            Error::SignCommandNotRun { .. } => {
                "install it, or name it with its path in [sign] command; it is run without a shell".into()
            }
            Error::SignCommand { problem, .. } => problem.help().into(),
            Error::GnuPgUnknownKey { .. } => "`gpg --list-secret-keys` lists the keys there are".into(),
            _ => return None,
        })
    }
}

/// What a program said of its failure, if anything.
fn words_of(said: &str) -> String {
    if said.is_empty() { String::new() } else { format!("; it said: {said}") }
}

fn place(path: Option<&PathBuf>) -> String {
    path.map_or_else(|| "it".to_owned(), |path| path.display().to_string())
}

fn date(time: &SystemTime) -> String {
    format_time(time, "%Y-%m-%d")
}

pub(crate) fn date_time(time: &SystemTime) -> String {
    format_time(time, "%Y-%m-%d %H:%M:%S UTC")
}

fn format_time(time: &SystemTime, format: &str) -> String {
    jiff::Timestamp::try_from(*time)
        .map_or_else(|_| "an unknown time".into(), |time| time.strftime(format).to_string())
}

//! Making signatures: by the built-in OpenPGP, by GnuPG, or by a program of the user's.
//!
//! | key source | secret key | where it signs |
//! |---|---|---|
//! | [`KeySource::File`], [`KeySource::Text`] | exported by `gpg --export-secret-keys`, or by `generate` | in this process |
//! | [`KeySource::GnuPg`] | stays in gpg-agent or on a smart card | `gpg`, started for each signature |
//! | [`KeySource::Command`] | wherever the program finds it: a key service, an HSM, another machine | the program, started for each signature |
//!
//! All make the same: version 4 signatures with SHA-512, the given time, no notation and no salt, so that the
//! same content, key and time give the same bytes (with Ed25519 and RSA; GnuPG's ECDSA too, by RFC 6979; a program's
//! as that program does). A
//! signing subkey is taken before the primary key, the newest first; nothing ever signs with whichever key is
//! the default. Every new signature is checked against the digest before it is handed out, since what a failing
//! machine or token signs would be found by customers only.

mod both;
pub(crate) mod built_in;
mod child;
mod command;
mod gnupg;
mod packet;
mod problem;

use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use pgp::composed::DetachedSignature;
use pgp::packet::{Signature, SignatureType};
use pgp::ser::Serialize as _;

pub use both::both;
pub(crate) use command::About;
pub use command::{CommandInput, SignCommand};
pub(crate) use packet::statements;
pub use problem::{CommandProblem, GnuPgProblem};

use crate::cleartext::Lines;
use crate::{Certificate, Error, Fingerprint, Secret, armor, policy};

/// Where a signing key is.
#[derive(Clone)]
pub enum KeySource {
    /// An exported secret key, armored or binary, in a file that only its owner can read.
    File {
        /// The file.
        path: PathBuf,
        /// What opens the key, if it is protected.
        passphrase: Option<Secret>,
    },
    /// An exported secret key, armored, from an environment variable or a secret store.
    Text {
        /// The armored key.
        armored: Secret,
        /// What opens the key, if it is protected.
        passphrase: Option<Secret>,
    },
    /// A key that GnuPG has, in its own store or on a token.
    GnuPg {
        /// The whole fingerprint of the primary key or of a signing subkey. Never a name.
        fingerprint: String,
        /// Handed to gpg through a pipe; `None` lets gpg-agent ask or remember.
        passphrase: Option<Secret>,
    },
    /// A key that a program of the user's signs with.
    Command {
        /// The public part, from the keyring of those who may sign.
        certificate: Box<Certificate>,
        /// The whole fingerprint of the primary key or of a signing subkey.
        fingerprint: Fingerprint,
        /// The program.
        command: SignCommand,
    },
}

impl KeySource {
    /// The same key with this pass phrase, for one that was asked for; a program has none.
    #[must_use]
    pub fn with_passphrase(mut self, given: Secret) -> KeySource {
        match &mut self {
            KeySource::File { passphrase, .. }
            | KeySource::Text { passphrase, .. }
            | KeySource::GnuPg { passphrase, .. } => *passphrase = Some(given),
            KeySource::Command { .. } => {}
        }
        self
    }

    /// Opens the key and finds the part of it that may sign at that time.
    ///
    /// Called before anything is built, so that a release does not fail on its last step.
    ///
    /// # Errors
    /// A file that others can read, a missing or wrong pass phrase, a key that is expired, revoked, too weak or
    /// not made for signing, `gpg` not there or without that key.
    pub fn open(self, at: SystemTime) -> Result<Box<dyn Signer>, Error> {
        self.open_with_gnupg_home(None, at)
    }

    /// As [`KeySource::open`], with GnuPG's keys taken from another directory than its usual one.
    ///
    /// # Errors
    /// As [`KeySource::open`].
    pub fn open_with_gnupg_home(self, home: Option<&Path>, at: SystemTime) -> Result<Box<dyn Signer>, Error> {
        Ok(match self {
            KeySource::File { path, passphrase } => {
                Box::new(built_in::open(&Secret::read(&path)?, passphrase.as_ref(), at)?)
            }
            KeySource::Text { armored, passphrase } => {
                Box::new(built_in::open(&armored, passphrase.as_ref(), at)?)
            }
            KeySource::GnuPg { fingerprint, passphrase } => {
                Box::new(gnupg::open(fingerprint.parse()?, passphrase, home, at)?)
            }
            KeySource::Command { certificate, fingerprint, command } => {
                Box::new(command::open(*certificate, fingerprint, command, at)?)
            }
        })
    }
}

/// A key that is ready to sign.
pub trait Signer: Send + Sync {
    /// The public certificate of the key.
    fn certificate(&self) -> &Certificate;

    /// The key that signs: the primary key's fingerprint or a subkey's.
    fn signing_key(&self) -> Fingerprint;

    /// The public certificate of the key that makes [`Signer::packet`]: another one while that key is being replaced.
    fn packet_certificate(&self) -> &Certificate {
        self.certificate()
    }

    /// The key that makes [`Signer::packet`].
    fn packet_key(&self) -> Fingerprint {
        self.signing_key()
    }

    /// An ASCII-armored detached signature over everything that `data` yields, dated `at`.
    ///
    /// # Errors
    /// When the data cannot be read, the key may not sign at that time, or signing fails.
    fn detached(&self, data: &mut dyn Read, at: SystemTime) -> Result<String, Error>;

    /// One binary signature packet over everything that `data` yields, dated `at`: what rpm keeps in its header and
    /// pacman in a `.sig`, which have room for a single one.
    ///
    /// # Errors
    /// As [`Signer::detached`].
    fn packet(&self, data: &mut dyn Read, at: SystemTime) -> Result<Vec<u8>, Error>;

    /// The text, signed in the clear and dated `at`. Blanks at the ends of lines are dropped.
    ///
    /// # Errors
    /// As [`Signer::detached`]; [`Error::UnsignableText`] for a text that programs read differently.
    fn cleartext(&self, text: &str, at: SystemTime) -> Result<String, Error>;
}

/// Its certificate; there is nothing secret in it.
impl fmt::Debug for dyn Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer").field("certificate", self.certificate()).finish_non_exhaustive()
    }
}

/// What the kinds of signer differ in.
trait Make: Send + Sync {
    fn certificate(&self) -> &Certificate;
    fn signing_key(&self) -> Fingerprint;
    /// One signature packet of this type over the data, not yet checked against the key's state.
    fn make(&self, kind: SignatureType, data: &mut dyn Read, at: u32) -> Result<Signature, Error>;
}

impl<M: Make> Signer for M {
    fn certificate(&self) -> &Certificate {
        Make::certificate(self)
    }

    fn signing_key(&self) -> Fingerprint {
        Make::signing_key(self)
    }

    fn detached(&self, data: &mut dyn Read, at: SystemTime) -> Result<String, Error> {
        let signature = make_checked(self, SignatureType::Binary, data, at)?;
        Ok(to_armor(signature))
    }

    fn packet(&self, data: &mut dyn Read, at: SystemTime) -> Result<Vec<u8>, Error> {
        let signature = make_checked(self, SignatureType::Binary, data, at)?;
        let packet = DetachedSignature::new(signature).to_bytes();
        Ok(packet.expect("a signature that was made can be written"))
    }

    fn cleartext(&self, text: &str, at: SystemTime) -> Result<String, Error> {
        let lines = Lines::of(text)?;
        let signature = make_checked(self, SignatureType::Text, &mut &lines.signed_bytes()[..], at)?;
        Ok(lines.to_message(&policy::SIGNING_HASH.to_string(), &to_armor(signature)))
    }
}

/// The parts of a certificate that may sign at that time, the best first: the subkey that was named and no other, or
/// those of the primary key that was named.
fn named_components(
    certificate: &Certificate,
    wanted: Fingerprint,
    at: SystemTime,
) -> Result<Vec<Fingerprint>, Error> {
    match certificate.find_component(&wanted).filter(|_| wanted != certificate.fingerprint()) {
        Some(component) => {
            let now = policy::seconds(at);
            certificate.check_signing(component, now, now)?;
            Ok(vec![wanted])
        }
        None => Ok(certificate
            .signing_components(at)?
            .into_iter()
            .filter_map(|component| certificate.component_fingerprint(component))
            .collect()),
    }
}

fn make_checked(
    signer: &impl Make,
    kind: SignatureType,
    data: &mut dyn Read,
    at: SystemTime,
) -> Result<Signature, Error> {
    let certificate = signer.certificate();
    let seconds = policy::seconds(at);
    let date = u32::try_from(seconds).map_err(|_| Error::Time { what: "the time of the signature" })?;
    // Hours may lie between opening the key and the last signature of a release.
    let component = certificate.find_component(&signer.signing_key()).ok_or(Error::NotASigningKey {
        fingerprint: certificate.fingerprint(),
        defect: crate::KeyDefect::NoSecret,
    })?;
    certificate.check_signing(component, seconds, seconds)?;
    signer.make(kind, data, date)
}

fn to_armor(signature: Signature) -> String {
    let text = armor::write(&DetachedSignature::new(signature), pgp::armor::BlockType::Signature);
    String::from_utf8(text.to_vec()).expect("armor is ASCII")
}

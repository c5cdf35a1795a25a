//! OpenPGP signatures for packages: keys, keyrings and a policy for believing them.
//!
//! A *detached signature* is a small file beside another one (`app.deb.asc`) that says: the holder of this key
//! signed exactly these bytes, then. A *cleartext signature* wraps a text (`InRelease`) and says the same of it.
//! Whom to believe is decided by a *keyring*, a file of public keys; what makes a signature worth believing is
//! decided by a policy, which OpenPGP leaves to the program that verifies.
//!
//! Specifications: RFC 9580 (OpenPGP), RFC 4880 (its predecessor, which today's gpg, rpm and apt implement).
//! The mathematics and the packet formats are rPGP's (the `pgp` crate); the policy, the strict readers, the
//! keybox, the cleartext framing and the GnuPG driver are here.
//!
//! | to | use |
//! |---|---|
//! | open a key for signing | [`KeySource::open`], which gives a [`Signer`] |
//! | let two keys sign while one replaces the other | [`both`] |
//! | make a key | [`generate()`], or [`NewKey`] with all its choices; [`certify()`] for one that is in a key service or an HSM |
//! | end a key | [`RevocationCertificate`], [`revoke_subkey`] |
//! | read and write keyrings | [`Keyring`], made of [`Certificate`]s, made of [`Part`]s |
//! | verify | [`verify_detached`], [`verify_cleartext`], which give [`Verified`] or an [`Error`] that says why not |
//!
//! ```
//! use std::time::{Duration, SystemTime};
//! use packhouse_sign::{Error, KeySource, Keyring, generate, verify_detached};
//!
//! let release = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_348_346);
//! let key = generate("Example <release@example.org>", release, None)?;
//! let keyring = Keyring::from_certificates([key.certificate]);
//!
//! let signer = KeySource::Text { armored: key.secret, passphrase: None }.open(release)?;
//! let signature = signer.detached(&mut &b"a package"[..], release)?;
//!
//! let verified = verify_detached(signature.as_bytes(), &mut &b"a package"[..], &keyring, release)?;
//! assert_eq!(verified.user_id, "Example <release@example.org>");
//! let changed = verify_detached(signature.as_bytes(), &mut &b"another"[..], &keyring, release);
//! assert!(matches!(changed, Err(Error::BadSignature { .. })));
//! # Ok::<(), packhouse_sign::Error>(())
//! ```
//!
//! Not here: encryption, key servers, the web of trust, X.509, keys of versions 3 and 6, the clock (every time is
//! an argument), and files other than keys and keyrings.

mod algorithm;
mod armor;
mod certificate;
mod certify;
mod cleartext;
mod der;
mod error;
mod fingerprint;
mod generate;
mod hasher;
mod keyring;
mod packets;
mod part;
mod policy;
mod revoke;
mod rsa_key;
mod secret;
mod signer;
mod signing_time;
mod standing;
mod verify;

pub use algorithm::Algorithm;
pub use certificate::Certificate;
pub use certify::certify;
pub use error::{Error, KeyDefect, KeyFileProblem, KeyringDefect, RsaKeyDefect};
pub use fingerprint::Fingerprint;
pub use generate::{Generated, NewAlgorithm, NewKey, Shape, generate};
pub use keyring::{Added, Keyring, KeyringForm};
pub use part::{Part, Revoked};
pub use policy::{POLICY, Policy};
pub use revoke::{Reason, RevocationCertificate, revoke_subkey};
pub use rsa_key::{RsaHash, RsaKey, RsaPublicKey};
pub use secret::Secret;
pub use signer::{CommandInput, CommandProblem, GnuPgProblem, KeySource, SignCommand, Signer, both};
pub use verify::{Verified, verify_cleartext, verify_detached};

/// Text from outside for a terminal: control characters and those that reorder a line become `\u{fffd}`.
pub(crate) fn printable(text: &str) -> String {
    let is_unsafe = |character: char| {
        character.is_control()
            || matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().map(|character| if is_unsafe(character) { '\u{fffd}' } else { character }).collect()
}

//! The signatures that a package's own format has: in an rpm's header, in front of an apk, beside a pacman package.
//!
//! The detached signature covers the whole file, these among it, so that nothing rests on them here. But the
//! customer's package manager will judge them: one that is wrong, or by a key that is not in the keyring, is a
//! package that somebody else signed, and is refused.

use std::path::Path;

use anyhow::{Context as _, Result};
use fs_err as fs;
use packhouse_package::Format;
use packhouse_package::inspect::Input;
use packhouse_package::signing::{Embedded, NativeSignature, RsaHash};
use packhouse_sign::{RsaHash as Hash, RsaPublicKey, verify_detached};

use super::{Refused, Trust, shown};
use crate::ops::sign;

/// A pacman signature is a few hundred bytes; pacman takes no more than this.
const LARGEST_BESIDE: u64 = 16 * 1024;

/// A signature of the format's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Native {
    /// What it covers, as in `header`, `control` or `file`.
    pub covers: &'static str,
    /// Whose it is: a fingerprint, or the name of the file that customers have an RSA key in.
    pub key: String,
    /// Whether it was verified; for an apk's that takes its RSA key.
    pub is_verified: bool,
}

/// Checks every signature that a package's format has. `beside` is where the package lies, where files beside it
/// belong to it.
pub(super) fn check(
    format: Format,
    package: &mut dyn Input,
    beside: Option<&Path>,
    trust: &Trust,
) -> Result<Vec<Native>> {
    let mut found = Vec::new();
    if let Some(file) = beside
        && let Some(path) = sign::native::beside(file, format)
        && path.is_file()
    {
        let context = || format!("{} does not verify", shown(&path));
        if fs::metadata(&path)?.len() > LARGEST_BESIDE {
            let help = "do not install the package; fetch package and signature again";
            return Err(Refused::new(format!("{} is no signature", shown(&path)), help).into());
        }
        let mut data = fs::File::open(file)?;
        let verified = verify_detached(&fs::read(&path)?, &mut data, &trust.keyring, trust.at);
        let key = verified.with_context(context)?.fingerprint.to_string();
        found.push(Native { covers: "file", key, is_verified: true });
    }
    let embedded = format.get().signatures(package)?;
    if let Some(first) = embedded.first().filter(|_| embedded.iter().all(is_weak)) {
        let message = format!("its {} is signed with SHA-1 only, or in no way that is known", first.covers);
        return Err(Refused::new(message, "do not install it; its maker must sign it anew").into());
    }
    for signature in &embedded {
        let context =
            || format!("the signature of its {}, which is in it, does not verify", signature.covers);
        found.push(judge(signature, package, trust).with_context(context)?);
    }
    Ok(found)
}

/// Whether it proves nothing by itself, beside a better one that old clients cannot read.
fn is_weak(embedded: &Embedded) -> bool {
    matches!(
        embedded.signature,
        NativeSignature::Unknown { .. } | NativeSignature::Rsa { hash: RsaHash::Sha1, .. }
    )
}

fn judge(embedded: &Embedded, package: &mut dyn Input, trust: &Trust) -> Result<Native> {
    let covers = embedded.covers;
    let mut data = embedded.open(package)?;
    let unverified = |key: &str| Native { covers, key: key.to_owned(), is_verified: false };
    Ok(match &embedded.signature {
        NativeSignature::OpenPgp(packet) => {
            let verified = verify_detached(packet, &mut data, &trust.keyring, trust.at)?;
            Native { covers, key: verified.fingerprint.to_string(), is_verified: true }
        }
        NativeSignature::Rsa { key, hash, bytes } => {
            // SHA-1 proves nothing; SHA-512 nobody's apk is signed with, abuild knows no way to.
            match (&trust.apk_key, hash) {
                (Some(trusted), RsaHash::Sha256) => {
                    trusted.verify(Hash::Sha256, &mut data, bytes)?;
                    Native { is_verified: true, ..unverified(key) }
                }
                _ => unverified(key),
            }
        }
        NativeSignature::Unknown { key, .. } => unverified(key),
        // What a newer version of the package crate knows and this one does not.
        _ => unverified("unknown"),
    })
}

/// Reads the RSA key that apks are signed with.
pub(super) fn apk_key(path: &Path) -> Result<RsaPublicKey> {
    let context = || format!("{} is not the public key of an apk's signature", shown(path));
    RsaPublicKey::parse(&fs::read_to_string(path)?).with_context(context)
}

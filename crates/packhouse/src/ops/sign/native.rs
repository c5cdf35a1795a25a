//! Signatures in the form that a package's own tools read: in the package, or beside it.
//!
//! **Dates.** A signature in a package is part of its bytes, and a package that is signed twice is to be the same file. So
//! it is dated by the package, or from when on its key can sign where that is later ([`Certificate::signs_first`]), and
//! never by the clock. What is verified is whether the key may sign now.
//!
//! **Before it counts.** A signed copy is written beside the package, read back by the reader that takes it for hostile, and
//! each of its signatures is verified with the keyring. Only then it takes the package's place.
//!
//! [`Certificate::signs_first`]: packhouse_sign::Certificate::signs_first

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result, bail};
use fs_err as fs;
use packhouse_package::signing::{Embedded, NativeSignature, Scheme, SignedInside, Signing};
use packhouse_package::{Depth, Format};
use packhouse_project::SignaturesRead;
use packhouse_publish::Sha256;
use packhouse_sign::{Fingerprint, verify_detached};

use super::super::{Keys, UsageError, manifest};

/// RFC 9580, 9.1: EdDSA as RFC 4880bis named it, which is what Ed25519 keys of today's programs make.
const EDDSA: u8 = 22;
/// The largest signature beside a package that is read.
const LARGEST_SIGNATURE: u64 = 64 << 10;

/// What a package's signature in its own form came to.
pub(super) enum Outcome {
    /// Its format has none, or it had it already.
    AsItWas,
    /// A copy of the package with it, that is to take the package's place.
    Copy(SignedCopy),
    /// It stays without.
    Without(Without),
}

/// Why a package stays without a signature in its own form.
pub(super) struct Without {
    pub(super) reason: String,
    pub(super) fix: String,
}

/// A signed package beside the unsigned one.
pub(super) struct SignedCopy {
    path: PathBuf,
    pub(super) sha256: Sha256,
    pub(super) size: u64,
}

impl SignedCopy {
    /// Puts it in the package's place.
    pub(super) fn put_in_place(self, of: &Path) -> Result<()> {
        fs::rename(&self.path, of).context("the signed package was written but not put in place")
    }

    /// Removes it.
    pub(super) fn discard(self) {
        // What is left of it the next build removes.
        let _ = fs::remove_file(&self.path);
    }
}

/// Signs a package inside, as far as its format, its target and the keys let it.
///
/// # Errors
/// When it is not well formed, its key cannot be used for it, or the signature just made does not verify.
pub(super) fn sign(
    path: &Path,
    format: Format,
    reads: SignaturesRead,
    keys: &Keys,
    now: SystemTime,
) -> Result<Outcome> {
    let Signing::Inside(signing) = format.get().signing() else { return Ok(Outcome::AsItWas) };
    let mut file = fs::File::open(path)?;
    let signatures = match signing.scheme() {
        Scheme::OpenPgp => {
            if let Some(without) = refusal(format, signing, reads, keys)? {
                return Ok(Outcome::Without(without));
            }
            if is_signed_by_us(&format.get().signatures(&mut file)?, &mut file, keys, now)? {
                return Ok(Outcome::AsItWas);
            }
            let bytes = signing.to_sign(&mut file)?;
            let at = date(&mut file, format, keys, now)?;
            vec![NativeSignature::OpenPgp(keys.signer.packet(&mut &*bytes, at)?)]
        }
        Scheme::Rsa => {
            let Some(key) = &keys.apk else { return Ok(Outcome::Without(no_key(format))) };
            let signatures = key.sign(&signing.to_sign(&mut file)?, reads.rsa256)?;
            // Such a signature has neither date nor salt: it is there, or another is.
            if format.get().signatures(&mut file)?.iter().map(|found| &found.signature).eq(&signatures) {
                return Ok(Outcome::AsItWas);
            }
            signatures
        }
    };
    let copy = write_copy(path, &mut file, signing, &signatures)?;
    match verify(&copy.path, format, keys, now) {
        Ok(true) => Ok(Outcome::Copy(copy)),
        Ok(false) => {
            copy.discard();
            bail!("the signature just made is not in the package")
        }
        Err(error) => {
            copy.discard();
            Err(error.context("the signature just made is not to be trusted"))
        }
    }
}

/// Checks the signatures in a package that the keys can judge; whether there is one by them.
///
/// # Errors
/// When one of them is not good.
pub(in super::super) fn verify(path: &Path, format: Format, keys: &Keys, now: SystemTime) -> Result<bool> {
    let Signing::Inside(signing) = format.get().signing() else { return Ok(false) };
    let mut file = fs::File::open(path)?;
    let signatures = format.get().signatures(&mut file)?;
    match signing.scheme() {
        Scheme::OpenPgp => {
            for embedded in &signatures {
                let NativeSignature::OpenPgp(packet) = &embedded.signature else { continue };
                verify_detached(packet, &mut embedded.open(&mut file)?, &keys.keyring, now)?;
            }
            Ok(!signatures.is_empty())
        }
        Scheme::Rsa => match &keys.apk {
            Some(key) => key.verify(&signatures, &mut file),
            None => Ok(false),
        },
    }
}

/// The file of a signature beside a package, for a format that has one.
pub(in super::super) fn beside(path: &Path, format: Format) -> Option<PathBuf> {
    match format.get().signing() {
        Signing::Beside(ending) => Some(PathBuf::from(format!("{}{ending}", path.display()))),
        _ => None,
    }
}

/// Signs a package beside, unless there is a good signature by us already. Returns the signature's file and the primary
/// key's fingerprint.
///
/// # Errors
/// When it cannot be read or signed, or the signature just made does not verify.
pub(super) fn sign_beside(
    path: &Path,
    format: Format,
    keys: &Keys,
    now: SystemTime,
) -> Result<Option<(PathBuf, Fingerprint)>> {
    let Some(signature_path) = beside(path, format) else { return Ok(None) };
    let verify = |signature: &[u8]| -> Result<Fingerprint> {
        Ok(verify_detached(signature, &mut fs::File::open(path)?, &keys.keyring, now)?.fingerprint)
    };
    let ours = keys.signer.packet_certificate().fingerprint();
    if let Ok(known) = read_signature(&signature_path)
        && is_binary(&known)
        && verify(&known).is_ok_and(|fingerprint| fingerprint == ours)
    {
        return Ok(Some((signature_path, ours)));
    }
    let at = date(&mut fs::File::open(path)?, format, keys, now)?;
    let signature = keys.signer.packet(&mut fs::File::open(path)?, at)?;
    let fingerprint = verify(&signature).context("the signature just made is not to be trusted")?;
    manifest::write_whole(&signature_path, &signature)?;
    Ok(Some((signature_path, fingerprint)))
}

/// Reads a signature that lies beside a package.
pub(in super::super) fn read_signature(path: &Path) -> Result<Vec<u8>> {
    let length = fs::metadata(path)?.len();
    if length > LARGEST_SIGNATURE {
        bail!("{} is not a signature: it has {length} bytes", path.display());
    }
    Ok(fs::read(path)?)
}

/// pacman reads no armor. A packet's first byte has its highest bit set (RFC 9580, 4.2).
fn is_binary(signature: &[u8]) -> bool {
    signature.first().is_some_and(|byte| byte & 0x80 != 0)
}

/// Refuses a key with which a package of one of these formats could never be signed.
///
/// # Errors
/// Which format, and why.
pub(super) fn check_key(formats: impl IntoIterator<Item = Format>, keys: &Keys) -> Result<()> {
    for format in formats {
        if let Signing::Inside(signing) = format.get().signing()
            && signing.scheme() == Scheme::OpenPgp
        {
            refusal(format, signing, SignaturesRead::default(), keys)?;
        }
    }
    Ok(())
}

/// Why the format's clients could not verify what the key signs.
fn refusal(
    format: Format,
    signing: &dyn SignedInside,
    reads: SignaturesRead,
    keys: &Keys,
) -> Result<Option<Without>> {
    let certificate = keys.signer.packet_certificate();
    let Some(algorithm) = certificate.algorithm_number(&keys.signer.packet_key()) else { return Ok(None) };
    if let Some(reason) = signing.refuses_key(algorithm) {
        let message = format!(
            "the key {} cannot sign packages of {format}: {reason}",
            certificate.fingerprint().grouped()
        );
        return Err(UsageError::new(message, "sign with an RSA or Ed25519 key").into());
    }
    Ok((algorithm == EDDSA && !reads.eddsa).then(|| Without {
        reason: format!(
            "its {format} knows no Ed25519 keys and would take the package for a forged one, so that it has no signature \
             inside, only the one beside it"
        ),
        fix: "sign with an RSA key, which every rpm knows".into(),
    }))
}

fn no_key(format: Format) -> Without {
    Without {
        reason: format!(
            "{format} knows only RSA keys of its own, and the project has none: customers need --allow-untrusted"
        ),
        fix: "make one with `packhouse key generate --apk`, and name it as apk-key in [sign] of dist/packhouse.toml"
            .into(),
    }
}

/// Whether a package has signatures, each is good, and each is by the key that would sign.
fn is_signed_by_us(
    signatures: &[Embedded],
    file: &mut fs::File,
    keys: &Keys,
    now: SystemTime,
) -> Result<bool> {
    let ours = keys.signer.packet_certificate().fingerprint();
    for embedded in signatures {
        let NativeSignature::OpenPgp(packet) = &embedded.signature else { return Ok(false) };
        let verified = verify_detached(packet, &mut embedded.open(file)?, &keys.keyring, now);
        if verified.map_or(true, |verified| verified.fingerprint != ours) {
            return Ok(false);
        }
    }
    Ok(!signatures.is_empty())
}

/// The package's time, or from when on its key can sign where that is later.
fn date(file: &mut fs::File, format: Format, keys: &Keys, now: SystemTime) -> Result<SystemTime> {
    let built = format.get().inspect(file, Depth::Metadata)?.built;
    let built = built.map_or(now, |built| SystemTime::UNIX_EPOCH + Duration::from_secs(built));
    let first = keys.signer.packet_certificate().signs_first(&keys.signer.packet_key(), built, now);
    // Without any such moment the signer says what is wrong.
    Ok(first.unwrap_or(now))
}

/// Writes the signed package beside its place.
fn write_copy(
    path: &Path,
    file: &mut fs::File,
    signing: &dyn SignedInside,
    signatures: &[NativeSignature],
) -> Result<SignedCopy> {
    let unfinished = manifest::unfinished(path);
    let mut write = || -> Result<SignedCopy> {
        let mut out = fs::File::create(&unfinished)?;
        out.set_permissions(file.metadata()?.permissions())?;
        signing.write(file, signatures, &mut out)?;
        // Of what can be read again, from the page cache, and not of what was meant.
        let (sha256, size) = Sha256::of_reader(fs::File::open(&unfinished)?)?;
        Ok(SignedCopy { path: unfinished.clone(), sha256, size })
    };
    write().inspect_err(|_| {
        // What is left of it the next build removes.
        let _ = fs::remove_file(&unfinished);
    })
}

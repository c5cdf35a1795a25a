//! The RSA key that signs packages of apk, which knows no other.
//!
//! The environment's key is taken, else the one that `apk-key` in `[sign]` names. A project without one has packages that
//! apk takes with `--allow-untrusted` only; their detached signatures vouch for them.

use anyhow::{Context as _, Result};
use packhouse_package::signing::{Embedded, NativeSignature, RsaHash as Hash};
use packhouse_project::Plan;
use packhouse_sign::{RsaHash, RsaKey, RsaPublicKey};

use super::super::UsageError;
use crate::environment::{APK_KEY, Environment};

/// A key, and what customers have its public part as.
pub struct ApkKey {
    key: RsaKey,
    public: RsaPublicKey,
    name: String,
}

impl ApkKey {
    /// Opens the project's key; `None` when it has none.
    ///
    /// # Errors
    /// When it cannot be used, and when nothing says what customers have it as.
    pub fn open(plan: &Plan, environment: &Environment) -> Result<Option<ApkKey>> {
        let key = match (environment.secret(APK_KEY), &plan.apk_key) {
            (Some(pem), _) => {
                RsaKey::parse(&pem).with_context(|| format!("the key in ${APK_KEY} cannot be used"))?
            }
            (None, Some(path)) => RsaKey::read(path)
                .with_context(|| format!("the key of apk in {} cannot be used", path.display()))?,
            (None, None) => return Ok(None),
        };
        let Some(name) = plan.apk_key_name.clone() else {
            let message = format!("nothing says what customers have the key in ${APK_KEY} as");
            let help = "apk-key-name = \"release@example.org.rsa.pub\" in [sign] of dist/packhouse.toml: the public \
                        key's file in /etc/apk/keys of your customers";
            return Err(UsageError::new(message, help).into());
        };
        let public = key.public_key();
        Ok(Some(ApkKey { key, public, name }))
    }

    /// The file that customers have the public key in.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The public key, in PEM.
    pub fn public_pem(&self) -> String {
        self.public.to_pem()
    }

    /// Signs what a package says is to be signed: with SHA-256, and with SHA-1 behind it for clients that know no other.
    pub(in crate::ops) fn sign(&self, bytes: &[u8], reads_rsa256: bool) -> Result<Vec<NativeSignature>> {
        let hashes: &[(Hash, RsaHash)] = match reads_rsa256 {
            true => &[(Hash::Sha256, RsaHash::Sha256)],
            false => &[(Hash::Sha256, RsaHash::Sha256), (Hash::Sha1, RsaHash::Sha1)],
        };
        let sign = |(hash, rsa): &(Hash, RsaHash)| {
            let bytes = self.key.sign(*rsa, &mut &*bytes)?;
            Ok(NativeSignature::Rsa { key: self.name.clone(), hash: *hash, bytes })
        };
        hashes.iter().map(sign).collect()
    }

    /// Checks the signatures of a package; one by another key is not this one's to judge. Whether there is one by this key
    /// with SHA-256.
    ///
    /// # Errors
    /// When one by this key is not of what it covers.
    pub(in crate::ops) fn verify(
        &self,
        signatures: &[Embedded],
        file: &mut dyn packhouse_package::inspect::Input,
    ) -> Result<bool> {
        let mut is_signed = false;
        for embedded in signatures {
            let NativeSignature::Rsa { key, hash, bytes } = &embedded.signature else { continue };
            let hash = match hash {
                Hash::Sha256 => RsaHash::Sha256,
                Hash::Sha1 => RsaHash::Sha1,
                Hash::Sha512 => continue,
            };
            if *key == self.name {
                self.public.verify(hash, &mut embedded.open(file)?, bytes)?;
                is_signed |= hash == RsaHash::Sha256;
            }
        }
        Ok(is_signed)
    }
}

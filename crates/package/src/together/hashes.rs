//! Digests of a whole archive, before and after compression.

use sha2::{Digest as _, Sha256, Sha512};
use sha3::Sha3_256;

/// Which digests of an archive are wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Hashing {
    /// None.
    #[default]
    No,
    /// SHA-256: rpm's format 4.
    Sha256,
    /// SHA-256, SHA-512 and SHA3-256: rpm's format 6.
    All,
}

/// The digests of one stream of bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hashes {
    /// FIPS 180-4; empty when nothing was hashed.
    pub sha256: Vec<u8>,
    /// FIPS 180-4; empty unless all are wanted.
    pub sha512: Vec<u8>,
    /// FIPS 202; empty unless all are wanted.
    pub sha3_256: Vec<u8>,
}

/// Hashes a stream.
#[derive(Clone, Debug)]
pub(super) struct Hasher {
    sha256: Option<Sha256>,
    more: Option<(Sha512, Sha3_256)>,
}

impl Hasher {
    pub(super) fn new(wanted: Hashing) -> Hasher {
        Hasher {
            sha256: (wanted != Hashing::No).then(Sha256::new),
            more: (wanted == Hashing::All).then(|| (Sha512::new(), sha3::Digest::new())),
        }
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        if let Some(sha256) = &mut self.sha256 {
            sha256.update(bytes);
        }
        if let Some((sha512, sha3)) = &mut self.more {
            sha512.update(bytes);
            sha3::Digest::update(sha3, bytes);
        }
    }

    pub(super) fn finish(self) -> Hashes {
        let (sha512, sha3_256) = match self.more {
            Some((sha512, sha3)) => (sha512.finalize().to_vec(), sha3::Digest::finalize(sha3).to_vec()),
            None => Default::default(),
        };
        Hashes {
            sha256: self.sha256.map(|sha256| sha256.finalize().to_vec()).unwrap_or_default(),
            sha512,
            sha3_256,
        }
    }
}

impl Hashing {
    /// The digests of bytes at hand.
    pub fn of(self, bytes: &[u8]) -> Hashes {
        let mut hasher = Hasher::new(self);
        hasher.update(bytes);
        hasher.finish()
    }
}

//! How packages of a format are signed in the format's own way, and what the signatures of a package file cover.
//!
//! | format | where | by whom | covers |
//! |---|---|---|---|
//! | rpm | in the signature header | OpenPGP | the header, which names the sum of the payload |
//! | apk | in a member in front | a bare RSA key | the control member, which names the sum of the data member |
//! | pacman | in `.sig` beside the package | OpenPGP | the whole file |
//! | deb, tar, zip | nowhere: no client asks for it | | |
//!
//! Nothing here computes a signature or knows a key. [`PackageFormat::signing`](crate::PackageFormat::signing) says which
//! way is the format's; whoever holds the key signs the bytes that [`SignedInside::to_sign`] gives and hands the result to
//! [`SignedInside::write`]. [`PackageFormat::signatures`](crate::PackageFormat::signatures) reads what a file has, as
//! hostile input; whoever knows keys reads the bytes that each covers with [`Embedded::open`].
//!
//! A signature of a header or a control member vouches for the files only by the sums in it: it proves nothing of a package
//! that [`inspect`](crate::PackageFormat::inspect) with [`Depth::Contents`](crate::Depth::Contents) refuses.

use std::io::{self, Read, SeekFrom, Write};
use std::ops::Range;

use crate::Result;
use crate::inspect::Input;

/// The way in which packages of a format are signed.
#[derive(Clone, Copy)]
pub enum Signing {
    /// By nothing of its own; the detached signature that every package has must do.
    Detached,
    /// By one binary OpenPGP signature packet in a file beside the package, whose name is the package's and this ending.
    Beside(&'static str),
    /// In the package file.
    Inside(&'static dyn SignedInside),
}

/// A format whose packages hold their signatures.
pub trait SignedInside: Sync {
    /// What its clients verify.
    fn scheme(&self) -> Scheme;

    /// Why its clients could not verify a signature by an OpenPGP key of this algorithm (RFC 9580, 9.1); `None` when those
    /// of today can.
    fn refuses_key(&self, algorithm: u8) -> Option<&'static str>;

    /// The bytes that a signature has to cover, whether the package is signed already or not.
    ///
    /// # Errors
    /// When it is not well formed, and when the signature would not cover what the package installs.
    fn to_sign(&self, package: &mut dyn Input) -> Result<Vec<u8>>;

    /// Copies the package to `out` with `signatures` in place of those that it has; without any, as it was before it was
    /// signed.
    ///
    /// # Errors
    /// When it is not well formed, when the format has no place for such signatures, and when `out` fails.
    fn write(
        &self,
        package: &mut dyn Input,
        signatures: &[NativeSignature],
        out: &mut dyn Write,
    ) -> Result<()>;
}

/// What kind of signature a format's clients verify.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// An OpenPGP signature by a key of the keyring.
    OpenPgp,
    /// RSA PKCS #1 v1.5 by a key without a certificate.
    Rsa,
}

/// A signature that a format keeps in its packages.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NativeSignature {
    /// One OpenPGP signature packet, binary.
    OpenPgp(Vec<u8>),
    /// RSA PKCS #1 v1.5.
    Rsa {
        /// The file that customers have the public key in.
        key: String,
        /// What is signed is the hash of the covered bytes.
        hash: RsaHash,
        /// The signature, as long as the key.
        bytes: Vec<u8>,
    },
    /// Of a kind that Packhouse does not know.
    Unknown {
        /// The file that customers have the public key in.
        key: String,
        /// As the format names it.
        kind: String,
    },
}

/// With which hash an RSA key signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RsaHash {
    /// Not to be trusted any more.
    Sha1,
    /// What Packhouse signs with.
    Sha256,
    /// Longer.
    Sha512,
}

/// A signature of a package file, and which of its bytes it covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Embedded {
    /// The signature, not verified.
    pub signature: NativeSignature,
    /// What it covers in the format's words, as in `header` or `control`.
    pub covers: &'static str,
    /// The same as bytes of the file.
    pub range: Range<u64>,
}

impl Embedded {
    /// The bytes that it covers, from the file that it was read from.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn open<'a>(&self, package: &'a mut dyn Input) -> io::Result<impl Read + use<'a>> {
        package.seek(SeekFrom::Start(self.range.start))?;
        Ok(package.take(self.range.end - self.range.start))
    }
}

//! What a signature is computed over: the data, then the signature's own statements.
//!
//! Specification: RFC 9580, section 5.2.4.

use std::io::Read;

use pgp::packet::SignatureConfig;

use crate::Error;

/// A running hash for one signature.
///
/// rPGP exports the function that makes a hash but not the trait to name it by, so it lives in a closure.
pub(crate) struct Hasher(Run);

type Run = Box<dyn FnMut(Step<'_>) -> Option<Vec<u8>>>;

enum Step<'a> {
    Update(&'a [u8]),
    Finish(&'a SignatureConfig),
}

impl Hasher {
    /// `None` for a hash that rPGP does not compute.
    pub(crate) fn new(config: &SignatureConfig) -> Option<Self> {
        let mut hasher = Some(config.hash_alg.new_hasher().ok()?);
        Some(Hasher(Box::new(move |step| match step {
            Step::Update(bytes) => {
                hasher.as_mut()?.update(bytes);
                None
            }
            Step::Finish(config) => {
                let mut hasher = hasher.take()?;
                let length = config.hash_signature_data(&mut hasher).ok()?;
                hasher.update(&config.trailer(length).ok()?);
                Some(hasher.finalize().into_vec())
            }
        })))
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        (self.0)(Step::Update(bytes));
    }

    /// The digest that is signed; `None` when the signature contradicts itself.
    pub(crate) fn finish(mut self, config: &SignatureConfig) -> Option<Vec<u8>> {
        (self.0)(Step::Finish(config))
    }
}

/// The digest that a signature with these statements signs, over everything that `data` yields; `None` as in
/// [`Hasher::new`] and [`Hasher::finish`].
pub(crate) fn digest(config: &SignatureConfig, data: &mut dyn Read) -> Result<Option<Vec<u8>>, Error> {
    let Some(mut hasher) = Hasher::new(config) else { return Ok(None) };
    feed(data, |bytes| {
        hasher.update(bytes);
        Ok(())
    })?;
    Ok(hasher.finish(config))
}

/// Hands everything that `data` yields to `take`, piece by piece.
pub(crate) fn feed(
    data: &mut dyn Read,
    mut take: impl FnMut(&[u8]) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match data.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(length) => take(&buffer[..length])?,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
}

//! Values that a build may read and nothing else may show.

use zeroize::Zeroizing;

/// A secret of `[build] secrets`. Has no `Debug` and no `Display`; its memory is wiped when it is dropped.
#[derive(Clone)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes a value.
    pub fn new(value: Vec<u8>) -> Secret {
        Secret(Zeroizing::new(value))
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

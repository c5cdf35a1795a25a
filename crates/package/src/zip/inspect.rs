//! Reads an archive.

use crate::Result;
use crate::inspect::{Depth, Input, Inspection};

pub(super) fn inspect(_file: &mut dyn Input, _depth: Depth) -> Result<Inspection> {
    Err(std::io::Error::from(std::io::ErrorKind::Unsupported).into())
}

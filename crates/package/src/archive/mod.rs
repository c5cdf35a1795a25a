//! The containers inside package files: ar, tar, cpio, and compressed streams.

pub(crate) mod ar;
pub mod compress;
pub(crate) mod cpio;
pub(crate) mod tar;

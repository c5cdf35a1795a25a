//! The containers inside package files: ar, tar, cpio, and compressed streams.

pub mod ar;
pub mod compress;
pub mod cpio;
pub(crate) mod tar;

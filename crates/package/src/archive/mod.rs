//! The containers inside package files: ar, cpio, and compressed streams.

pub mod compress;
pub mod cpio;

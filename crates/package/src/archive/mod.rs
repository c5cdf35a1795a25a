//! The containers inside package files: ar, tar, cpio, and compressed streams.

pub(crate) mod ar;
pub(crate) mod ar_reader;
pub mod compress;
pub(crate) mod cpio;
pub(crate) mod cpio_reader;
pub(crate) mod decompress;
mod entries;
pub(crate) mod listed;
pub(crate) mod part;
pub(crate) mod tar;
pub(crate) mod tar_reader;

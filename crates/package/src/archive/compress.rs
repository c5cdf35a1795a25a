//! Compressed streams whose bytes do not depend on the number of threads.

/// How a payload is compressed, and how hard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    None,
    /// RFC 1952, level 1 to 9.
    Gzip(u8),
    /// xz, level 0 to 9.
    Xz(u8),
    /// RFC 8878, level 1 to 19.
    Zstd(u8),
}

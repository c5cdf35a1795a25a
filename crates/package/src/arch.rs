//! Architectures and how each world spells them.
//!
//! `uname -m`'s word names an architecture in pointers and manifests; deb, rpm and apk have their own spellings
//! (`dpkg-architecture -L`, rpm's `rpmrc.in`, apk-tools' `src/apk_arch.h`).

use std::fmt;

/// The processor architecture a package is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Arch {
    /// Runs anywhere: scripts, data.
    Noarch,
    /// 64-bit x86.
    X86_64,
    /// 32-bit x86.
    I686,
    /// 64-bit Arm.
    Aarch64,
    /// 32-bit Arm with hardware floating point.
    Armv7,
    /// 64-bit little-endian POWER.
    Ppc64le,
    /// 64-bit RISC-V.
    Riscv64,
    /// IBM Z.
    S390x,
}

/// How an architecture is spelled: `uname -m`, deb, rpm, apk, and the other spellings users write.
type Spelling = (Arch, &'static str, &'static str, &'static str, &'static str, &'static [&'static str]);

/// One row per architecture. Alpine's `armhf` is Arm version 6, Debian's is version 7: the word is Debian's here.
const SPELLINGS: [Spelling; 8] = [
    (Arch::Noarch, "noarch", "all", "noarch", "noarch", &["any"]),
    (Arch::X86_64, "x86_64", "amd64", "x86_64", "x86_64", &["x64", "x86-64"]),
    (Arch::I686, "i686", "i386", "i686", "x86", &["i586", "i486"]),
    (Arch::Aarch64, "aarch64", "arm64", "aarch64", "aarch64", &[]),
    (Arch::Armv7, "armv7l", "armhf", "armv7hl", "armv7", &[]),
    (Arch::Ppc64le, "ppc64le", "ppc64el", "ppc64le", "ppc64le", &[]),
    (Arch::Riscv64, "riscv64", "riscv64", "riscv64", "riscv64", &[]),
    (Arch::S390x, "s390x", "s390x", "s390x", "s390x", &[]),
];

impl Arch {
    /// Reads any spelling that `uname -m`, deb, rpm, apk or fpm users use; `None` for an unknown word.
    ///
    /// ```
    /// use packhouse_package::Arch;
    /// assert_eq!(Arch::parse("amd64"), Some(Arch::X86_64));
    /// assert_eq!(Arch::parse("all"), Some(Arch::Noarch));
    /// assert_eq!(Arch::parse("vax"), None);
    /// ```
    pub fn parse(word: &str) -> Option<Arch> {
        SPELLINGS
            .iter()
            .find(|(_, uname, deb, rpm, apk, others)| {
                [uname, deb, rpm, apk].contains(&&word) || others.contains(&word)
            })
            .map(|row| row.0)
    }

    /// `uname -m`'s word, as in `ubuntu-22.04.x86_64.latest.txt`.
    pub fn uname(self) -> &'static str {
        self.row().1
    }

    pub(crate) fn deb(self) -> &'static str {
        self.row().2
    }

    pub(crate) fn rpm(self) -> &'static str {
        self.row().3
    }

    pub(crate) fn apk(self) -> &'static str {
        self.row().4
    }

    fn row(self) -> &'static Spelling {
        SPELLINGS.iter().find(|row| row.0 == self).expect("every architecture has a row in SPELLINGS")
    }
}

impl fmt::Display for Arch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.uname())
    }
}

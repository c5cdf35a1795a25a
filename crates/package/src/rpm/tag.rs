//! Numbers of rpm's tags and flags, from its `include/rpm/rpmtag.h`, `rpmds.h` and `rpmfiles.h`.

/// Tags of the package header.
pub(super) mod header {
    pub(crate) const I18N_TABLE: u32 = 100;
    pub(crate) const NAME: u32 = 1000;
    pub(crate) const VERSION: u32 = 1001;
    pub(crate) const RELEASE: u32 = 1002;
    pub(crate) const EPOCH: u32 = 1003;
    pub(crate) const SUMMARY: u32 = 1004;
    pub(crate) const DESCRIPTION: u32 = 1005;
    pub(crate) const BUILD_TIME: u32 = 1006;
    pub(crate) const BUILD_HOST: u32 = 1007;
    pub(crate) const SIZE: u32 = 1009;
    pub(crate) const DISTRIBUTION: u32 = 1010;
    pub(crate) const VENDOR: u32 = 1011;
    pub(crate) const LICENSE: u32 = 1014;
    pub(crate) const PACKAGER: u32 = 1015;
    pub(crate) const GROUP: u32 = 1016;
    pub(crate) const URL: u32 = 1020;
    pub(crate) const OS: u32 = 1021;
    pub(crate) const ARCH: u32 = 1022;
    pub(crate) const FILE_SIZES: u32 = 1028;
    pub(crate) const FILE_MODES: u32 = 1030;
    pub(crate) const FILE_RDEVS: u32 = 1033;
    pub(crate) const FILE_MTIMES: u32 = 1034;
    pub(crate) const FILE_DIGESTS: u32 = 1035;
    pub(crate) const FILE_LINK_TOS: u32 = 1036;
    pub(crate) const FILE_FLAGS: u32 = 1037;
    pub(crate) const FILE_USER_NAME: u32 = 1039;
    pub(crate) const FILE_GROUP_NAME: u32 = 1040;
    pub(crate) const SOURCE_RPM: u32 = 1044;
    pub(crate) const FILE_VERIFY_FLAGS: u32 = 1045;
    pub(crate) const RPM_VERSION: u32 = 1064;
    pub(crate) const TRIGGER_SCRIPTS: u32 = 1065;
    pub(crate) const TRIGGER_NAME: u32 = 1066;
    pub(crate) const TRIGGER_VERSION: u32 = 1067;
    pub(crate) const TRIGGER_FLAGS: u32 = 1068;
    pub(crate) const TRIGGER_INDEX: u32 = 1069;
    pub(crate) const CHANGELOG_TIME: u32 = 1080;
    pub(crate) const CHANGELOG_NAME: u32 = 1081;
    pub(crate) const CHANGELOG_TEXT: u32 = 1082;
    pub(crate) const TRIGGER_SCRIPT_PROG: u32 = 1092;
    pub(crate) const FILE_DEVICES: u32 = 1095;
    pub(crate) const FILE_INODES: u32 = 1096;
    pub(crate) const FILE_LANGS: u32 = 1097;
    pub(crate) const PREFIXES: u32 = 1098;
    pub(crate) const DIR_INDEXES: u32 = 1116;
    pub(crate) const BASE_NAMES: u32 = 1117;
    pub(crate) const DIR_NAMES: u32 = 1118;
    pub(crate) const PAYLOAD_FORMAT: u32 = 1124;
    pub(crate) const PAYLOAD_COMPRESSOR: u32 = 1125;
    pub(crate) const PAYLOAD_FLAGS: u32 = 1126;
    pub(crate) const PLATFORM: u32 = 1132;
    pub(crate) const FILE_COLORS: u32 = 1140;
    pub(crate) const LONG_FILE_SIZES: u32 = 5008;
    pub(crate) const LONG_SIZE: u32 = 5009;
    pub(crate) const FILE_CAPS: u32 = 5010;
    pub(crate) const FILE_DIGEST_ALGO: u32 = 5011;
    pub(crate) const BUG_URL: u32 = 5012;
    pub(crate) const ENCODING: u32 = 5062;
    pub(crate) const PAYLOAD_DIGEST: u32 = 5092;
    pub(crate) const PAYLOAD_DIGEST_ALGO: u32 = 5093;
    pub(crate) const PAYLOAD_DIGEST_ALT: u32 = 5097;
    pub(crate) const PAYLOAD_SIZE: u32 = 5112;
    pub(crate) const PAYLOAD_SIZE_ALT: u32 = 5113;
    pub(crate) const RPM_FORMAT: u32 = 5114;
    pub(crate) const SOURCE_NEVR: u32 = 5120;
    pub(crate) const PAYLOAD_SHA512: u32 = 5121;
    pub(crate) const PAYLOAD_SHA512_ALT: u32 = 5122;
    pub(crate) const PAYLOAD_SHA3_256: u32 = 5123;
    pub(crate) const PAYLOAD_SHA3_256_ALT: u32 = 5124;
}

/// Tags of the signature header.
pub(super) mod signature {
    /// By EdDSA, and once by DSA; both cover the header.
    pub(crate) const DSA: u32 = 267;
    pub(crate) const RSA: u32 = 268;
    pub(crate) const SHA1: u32 = 269;
    pub(crate) const LONG_SIZE: u32 = 270;
    pub(crate) const LONG_ARCHIVE_SIZE: u32 = 271;
    pub(crate) const SHA256: u32 = 273;
    /// Any number of them, in base 64: format 6.
    pub(crate) const OPENPGP: u32 = 278;
    pub(crate) const SHA3_256: u32 = 279;
    pub(crate) const RESERVED: u32 = 999;
    pub(crate) const SIZE: u32 = 1000;
    /// Of header and payload, by RSA; of rpm 3.
    pub(crate) const PGP: u32 = 1002;
    /// The same by DSA.
    pub(crate) const GPG: u32 = 1005;
    /// Of PGP 5, which nobody writes.
    pub(crate) const PGP5: u32 = 1006;
    pub(crate) const PAYLOAD_SIZE: u32 = 1007;
    pub(crate) const RESERVED_SPACE: u32 = 1008;
}

/// `RPMSENSE_…`: what a dependency compares and when it must hold.
pub(super) mod sense {
    pub(crate) const LESS: u32 = 1 << 1;
    pub(crate) const GREATER: u32 = 1 << 2;
    pub(crate) const EQUAL: u32 = 1 << 3;
    pub(crate) const POSTTRANS: u32 = 1 << 5;
    pub(crate) const PRETRANS: u32 = 1 << 7;
    pub(crate) const INTERPRETER: u32 = 1 << 8;
    pub(crate) const PRE: u32 = 1 << 9;
    pub(crate) const POST: u32 = 1 << 10;
    pub(crate) const PREUN: u32 = 1 << 11;
    pub(crate) const POSTUN: u32 = 1 << 12;
    pub(crate) const VERIFY: u32 = 1 << 13;
    pub(crate) const TRIGGER_IN: u32 = 1 << 16;
    pub(crate) const TRIGGER_UN: u32 = 1 << 17;
    pub(crate) const TRIGGER_POSTUN: u32 = 1 << 18;
    pub(crate) const RPMLIB: u32 = 1 << 24;
    pub(crate) const TRIGGER_PREIN: u32 = 1 << 25;
    pub(crate) const CONFIG: u32 = 1 << 28;
}

/// `RPMFILE_…`: what a file is for.
pub(super) mod file {
    pub(crate) const CONFIG: u32 = 1 << 0;
    pub(crate) const DOCUMENTATION: u32 = 1 << 1;
    pub(crate) const NO_REPLACE: u32 = 1 << 4;
    pub(crate) const GHOST: u32 = 1 << 6;
    pub(crate) const LICENSE: u32 = 1 << 7;
}

/// `RPMVERIFY_…` of `rpmvf.h`: what `rpm --verify` compares.
pub(super) mod verify {
    pub(crate) const FILE_DIGEST: u32 = 1 << 0;
    pub(crate) const FILE_SIZE: u32 = 1 << 1;
    pub(crate) const LINK_TO: u32 = 1 << 2;
    pub(crate) const MTIME: u32 = 1 << 5;
}

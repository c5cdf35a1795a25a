//! What only an rpm can say.

use super::Verbatim;
use super::tag::sense;
use crate::together::Digest;
use crate::{Owner, PackagePath, Relation, Script};

/// What only an rpm can say; fpm's `--rpm-…` flags.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The version of the format.
    pub version: FormatVersion,
    /// Behind the release, as in `1.el9`; fpm's `--rpm-dist`.
    pub dist: Option<String>,
    /// The summary, when it differs from the package's.
    pub summary: Option<String>,
    /// The digest of each file.
    pub file_digest: FileDigest,
    /// Owns every entry that has no owner of its own.
    pub owner: Option<Owner>,
    /// Dependencies that only the rpm has, in addition to the common metadata's.
    pub dependencies: Vec<Dependency>,
    /// `DISTRIBUTION`.
    pub distribution: Option<String>,
    /// `BUGURL`.
    pub bug_url: Option<String>,
    /// The text of `%changelog` entries; one entry that names the version when `None`.
    pub changelog: Option<String>,
    /// Prefixes of a relocatable package.
    pub prefixes: Vec<String>,
    /// Runs before the transaction; must be Lua or tolerate an empty root.
    pub before_transaction: Option<Script>,
    /// Runs after the transaction.
    pub after_transaction: Option<Script>,
    /// Runs on `rpm --verify`.
    pub verify: Option<Script>,
    /// Scripts that other packages' installation and removal run.
    pub triggers: Vec<Trigger>,
    /// Scripts that other packages' files set off.
    pub file_triggers: Vec<FileTrigger>,
    /// Directories the package owns although the distribution has them (with everything below).
    pub own_directories: Vec<PackagePath>,
    /// Directories the package does not own although it alone has them.
    pub disown_directories: Vec<PackagePath>,
    /// `foo = 1.2.3` becomes `foo >= 1.2.3` and `foo < 1.2.4`.
    pub ignore_release_in_dependencies: bool,
    /// The header as it stands, and only the directories that the tree names.
    pub verbatim: Option<Verbatim>,
}

/// The version of the package format (rpm's `docs/manual/format_v4.md`, `format_v6.md`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FormatVersion {
    /// Read by every rpm from 4.6 on.
    #[default]
    V4,
    /// rpm 6's: no SHA-1 and no 32-bit sizes, the payload's digests by three algorithms. rpm 4.18 queries, checks
    /// and installs it, by the digests that it knows; older ones were not tried.
    V6,
}

/// The digest of each file in the header. rpm 4.11 knows all of them; FIPS systems refuse MD5 and SHA-1, which
/// are therefore for `packhouse fpm` only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FileDigest {
    /// SHA-256.
    #[default]
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
    /// MD5, which rpm has without saying so.
    Md5,
    /// SHA-1.
    Sha1,
}

impl FileDigest {
    /// What is read for it.
    pub(super) fn digests(self) -> &'static [Digest] {
        match self {
            FileDigest::Sha256 => &[Digest::Sha256],
            FileDigest::Sha384 => &[Digest::Sha384],
            FileDigest::Sha512 => &[Digest::Sha512],
            FileDigest::Md5 => &[Digest::Md5],
            FileDigest::Sha1 => &[Digest::Sha1],
        }
    }
}

/// A dependency of a special kind, as in `Requires(post): systemd`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dependency {
    /// Its kind.
    pub kind: DependencyKind,
    /// What it says.
    pub relation: Relation,
}

/// The kinds of dependency; some have a list in the common metadata, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DependencyKind {
    /// `Requires`
    Requires,
    /// `Requires(pre)`
    RequiresPre,
    /// `Requires(post)`
    RequiresPost,
    /// `Requires(preun)`
    RequiresPreun,
    /// `Requires(postun)`
    RequiresPostun,
    /// `Requires(pretrans)`
    RequiresPretrans,
    /// `Requires(posttrans)`
    RequiresPosttrans,
    /// `Requires(verify)`
    RequiresVerify,
    /// `Recommends`
    Recommends,
    /// `Suggests`
    Suggests,
    /// `Supplements`
    Supplements,
    /// `Enhances`
    Enhances,
    /// `Provides`
    Provides,
    /// `Conflicts`
    Conflicts,
    /// `Obsoletes`
    Obsoletes,
}

impl DependencyKind {
    /// The kind that a spec file's tag says, in lower case: `requires(post)`.
    ///
    /// ```
    /// use packhouse_package::rpm::DependencyKind;
    /// assert_eq!(DependencyKind::parse("requires(post)"), Some(DependencyKind::RequiresPost));
    /// assert_eq!(DependencyKind::parse("summary"), None);
    /// ```
    pub fn parse(tag: &str) -> Option<DependencyKind> {
        Some(match tag {
            "requires" => DependencyKind::Requires,
            "requires(pre)" => DependencyKind::RequiresPre,
            "requires(post)" => DependencyKind::RequiresPost,
            "requires(preun)" => DependencyKind::RequiresPreun,
            "requires(postun)" => DependencyKind::RequiresPostun,
            "requires(pretrans)" => DependencyKind::RequiresPretrans,
            "requires(posttrans)" => DependencyKind::RequiresPosttrans,
            "requires(verify)" => DependencyKind::RequiresVerify,
            "recommends" => DependencyKind::Recommends,
            "suggests" => DependencyKind::Suggests,
            "supplements" => DependencyKind::Supplements,
            "enhances" => DependencyKind::Enhances,
            "provides" => DependencyKind::Provides,
            "conflicts" => DependencyKind::Conflicts,
            "obsoletes" => DependencyKind::Obsoletes,
            _ => return None,
        })
    }

    /// When it must hold, as the flags of a dependency say it; `None` for what is no requirement.
    pub(super) fn when(self) -> Option<u32> {
        Some(match self {
            DependencyKind::Requires => 0,
            DependencyKind::RequiresPre => sense::PRE,
            DependencyKind::RequiresPost => sense::POST,
            DependencyKind::RequiresPreun => sense::PREUN,
            DependencyKind::RequiresPostun => sense::POSTUN,
            DependencyKind::RequiresPretrans => sense::PRETRANS,
            DependencyKind::RequiresPosttrans => sense::POSTTRANS,
            DependencyKind::RequiresVerify => sense::VERIFY,
            DependencyKind::Recommends
            | DependencyKind::Suggests
            | DependencyKind::Supplements
            | DependencyKind::Enhances
            | DependencyKind::Provides
            | DependencyKind::Conflicts
            | DependencyKind::Obsoletes => return None,
        })
    }
}

/// A trigger scriptlet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trigger {
    /// What sets it off.
    pub moment: TriggerMoment,
    /// The package that sets it off, with an optional version.
    pub package: Relation,
    /// What runs.
    pub script: Script,
}

/// What happens to the other package.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TriggerMoment {
    /// `%triggerprein`
    BeforeInstall,
    /// `%triggerin`
    AfterInstall,
    /// `%triggerun`
    BeforeUninstall,
    /// `%triggerpostun`
    AfterUninstall,
}

/// A file trigger scriptlet: gets the paths that set it off, one a line, on standard input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileTrigger {
    /// What happens to the files.
    pub moment: FileTriggerMoment,
    /// Absolute paths; a file whose path starts with one of them sets it off.
    pub paths: Vec<String>,
    /// Higher ones run first, those of 10,000 and more before the package's own scripts; rpm's default is
    /// [`FileTrigger::PRIORITY`].
    pub priority: u32,
    /// Runs once for all packages of a transaction, not once for each.
    pub once: bool,
    /// What runs.
    pub script: Script,
}

impl FileTrigger {
    /// `RPMTRIGGER_DEFAULT_PRIORITY`.
    pub const PRIORITY: u32 = 1_000_000;
}

/// What happens to the files of a file trigger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileTriggerMoment {
    /// `%filetriggerin`
    AfterInstall,
    /// `%filetriggerun`
    BeforeUninstall,
    /// `%filetriggerpostun`
    AfterUninstall,
}

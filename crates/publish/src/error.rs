//! What can go wrong while a site is read or written.

use std::io;
use std::path::PathBuf;

use crate::object::PathError;
use crate::{ObjectPath, Sha256, StorageError, StorageErrorKind, WebError};

/// An error of a function that the caller gave.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Why a site could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A kind of site that does not exist. The rest of the URL may hold a secret and is not kept.
    #[error("Packhouse cannot publish to `{scheme}://` sites")]
    Scheme {
        /// What stands before `://`.
        scheme: String,
    },
    /// A `file://` URL that names no absolute path on this machine.
    #[error("`{url}` does not name a directory of this machine")]
    FileUrl {
        /// The URL.
        url: String,
    },
    /// A URL that names no place in a bucket. What follows the scheme may hold a secret and is not kept.
    #[error("this `{scheme}://` URL is not a site: {reason}")]
    BucketUrl {
        /// What stands before `://`.
        scheme: &'static str,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The settings for reaching a bucket cannot work.
    #[error("the storage cannot be used: {reason}")]
    Credentials {
        /// Why; without any secret.
        reason: String,
    },
    /// A profile of AWS's tools that holds no keys.
    #[error("the AWS profile `{name}` gets its keys by `{kind}`, which only AWS's tools can")]
    Profile {
        /// The profile.
        name: String,
        /// The setting by which they would get them.
        kind: &'static str,
    },
    /// Storage did not do what it was asked.
    #[error("cannot {operation} `{path}` on {site}")]
    Storage {
        /// What was asked.
        operation: &'static str,
        /// The object, or where objects were looked for.
        path: String,
        /// The site.
        site: String,
        /// What was answered.
        source: StorageError,
    },
    /// The site is published, and CloudFront may serve what was there before.
    #[error("CloudFront's distribution {distribution} was not told to forget what changed ({count} paths)")]
    Invalidation {
        /// Its id.
        distribution: String,
        /// How many paths it should have forgotten.
        count: usize,
        /// What it said.
        source: StorageError,
    },
    /// Two publishers at once would overwrite each other there.
    #[error("{site} cannot be published to by several at once: {what}")]
    Unconditional {
        /// The site.
        site: String,
        /// What its storage did to the probe.
        what: &'static str,
    },
    /// A name that no object can have.
    #[error(transparent)]
    Path(#[from] PathError),
    /// A word that would become part of a name on the site.
    #[error("`{}` cannot be the {field} of a published package: {reason}", .value.escape_debug())]
    Name {
        /// Which field of the release.
        field: &'static str,
        /// Its value.
        value: String,
        /// What is wrong with it.
        reason: &'static str,
        /// Which characters it may have besides letters and digits.
        others: String,
    },
    /// Reading failed.
    #[error("cannot read `{}`", .path.display())]
    Read {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Writing failed. What was published before is untouched.
    #[error("cannot write `{}`", .path.display())]
    Write {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A directory, pipe or device where an object should be.
    #[error("`{}` is not a regular file", .path.display())]
    NotAFile {
        /// Where.
        path: PathBuf,
    },
    /// More than is read into memory.
    #[error("`{}` is larger than {limit} bytes", .path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The most that is read.
        limit: u64,
    },
    /// Another object has the name of an immutable one.
    #[error("`{path}` is already published with other bytes (sha256 {there} there, {here} here)")]
    Conflict {
        /// Its name.
        path: ObjectPath,
        /// The digest of what is on the site.
        there: Sha256,
        /// The digest of what should be published.
        here: Sha256,
    },
    /// A file on this machine is not the one that was recorded.
    #[error("`{}` changed since it was recorded (sha256 {expected} then, {found} now)", .path.display())]
    SourceChanged {
        /// The file.
        path: PathBuf,
        /// The digest that was recorded.
        expected: Sha256,
        /// The digest it has.
        found: Sha256,
    },
    /// What was just written reads differently.
    #[error(
        "`{path}` reads back differently from what was written (sha256 {expected} written, {found} read)"
    )]
    ReadBack {
        /// Its name.
        path: ObjectPath,
        /// What was written.
        expected: Sha256,
        /// What is there.
        found: Sha256,
    },
    /// A mutable object is not the one that was read: someone else replaced it.
    #[error("`{path}` was replaced by another publisher")]
    Changed {
        /// Its name.
        path: ObjectPath,
    },
    /// Others kept being faster.
    #[error("`{path}` kept changing: gave up after {attempts} attempts")]
    Busy {
        /// The contended object.
        path: ObjectPath,
        /// How often it was tried.
        attempts: u32,
    },
    /// Two packages of one publication have one name.
    #[error("the packages of `{first}` and `{second}` would both be `{path}`")]
    SameName {
        /// The name.
        path: ObjectPath,
        /// One target.
        first: String,
        /// The other.
        second: String,
    },
    /// A package is published under this name for another target.
    #[error("`{path}` is already published for {there}, and would now be published for {here}")]
    OtherTarget {
        /// The name.
        path: ObjectPath,
        /// Target and architecture of the published package.
        there: String,
        /// Target and architecture of this one.
        here: String,
    },
    /// The packages of two architectures have one name.
    #[error("the packages of {target} for {first} and for {second} would both be `{path}`")]
    OtherArch {
        /// The name.
        path: ObjectPath,
        /// Their target.
        target: String,
        /// One architecture; that of the published package where one is.
        first: String,
        /// The other.
        second: String,
    },
    /// A withdrawn package would be published again.
    #[error("`{path}` was withdrawn: {}", .reason.escape_debug())]
    Yanked {
        /// Its name.
        path: ObjectPath,
        /// Why it was.
        reason: String,
    },
    /// A package would be published that is being deleted.
    #[error("`{path}` is being pruned")]
    BeingDeleted {
        /// Its name.
        path: ObjectPath,
    },
    /// A change is about releases that the site does not have.
    #[error("the site has no {what}")]
    NothingSuch {
        /// What was looked for.
        what: String,
    },
    /// The site is another project's.
    #[error("the site holds the releases of `{there}`, not of `{here}`")]
    OtherProject {
        /// The project of the head.
        there: String,
        /// The project that is being published.
        here: String,
    },
    /// A signature is on the site that nobody committed, and it was not accepted.
    #[error("the site has a signature `{path}` that cannot be accepted")]
    ForeignSignature {
        /// Its name.
        path: ObjectPath,
        /// What the check said.
        source: BoxError,
    },
    /// There is no head.
    #[error("there is no `{}`: nothing was published there", crate::layout::HEAD)]
    NoHead,
    /// The head is not valid.
    #[error("`{}` is not a list of releases", crate::layout::HEAD)]
    Head {
        /// Where and why.
        source: serde_json::Error,
    },
    /// The head is of a newer kind.
    #[error("`{}` has format {format}, and this version of Packhouse knows format 1", crate::layout::HEAD)]
    HeadFormat {
        /// Its format.
        format: u64,
    },
    /// The head contradicts itself.
    #[error("`{}` contradicts itself: {reason}", crate::layout::HEAD)]
    HeadContents {
        /// How.
        reason: String,
    },
    /// The signed text is not a list of releases.
    #[error("`{}` is not a list of releases", crate::layout::RELEASES)]
    List {
        /// Why.
        source: BoxError,
    },
    /// The list kept changing while the site was looked at.
    #[error("`{}` kept changing while the site was looked at", crate::layout::RELEASES)]
    Restless,
    /// An address that is no site on the web. It may hold a secret and is not kept.
    #[error("this address is not verified: {reason}")]
    WebUrl {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Something on the web could not be fetched.
    #[error("cannot fetch `{url}`")]
    Web {
        /// Its address.
        url: String,
        /// Why.
        source: WebError,
    },
    /// The caller's function could not render the derived objects.
    #[error("the release is published, but the site's pages and pointers could not be renewed")]
    Render {
        /// What it said.
        source: BoxError,
    },
    /// The caller's function rendered an object that is not the caller's to write.
    #[error("`{path}` is not one of the objects that are derived from the head")]
    NotDerived {
        /// Its name.
        path: ObjectPath,
    },
    /// The runtime is shutting down.
    #[error("publishing was stopped")]
    Stopped,
}

impl Error {
    /// Whether it is the user's settings that are wrong, before anything was tried.
    pub fn is_configuration(&self) -> bool {
        matches!(
            self,
            Error::Scheme { .. }
                | Error::FileUrl { .. }
                | Error::BucketUrl { .. }
                | Error::Credentials { .. }
                | Error::Profile { .. }
                | Error::Unconditional { .. }
                | Error::WebUrl { .. }
        )
    }

    /// How to fix it, where that is known.
    pub fn help(&self) -> Option<String> {
        const AGAIN: &str = "then run the same command again: it finishes what is left";
        Some(match self {
            Error::Scheme { .. } | Error::FileUrl { .. } | Error::BucketUrl { .. } => {
                "name a directory (a path, `file:///absolute/path`) or a bucket: `s3://bucket/prefix`, \
                 `gs://bucket/prefix`, `az://container/prefix`"
                    .into()
            }
            Error::Credentials { .. } => {
                "docs/reference/storage.md lists what Packhouse looks at, in which order".into()
            }
            Error::Profile { name, .. } => format!(
                "put the keys into the environment: `eval \"$(aws configure export-credentials --profile {name} \
                 --format env)\"`"
            ),
            Error::Storage { source, .. } => return source.help(),
            Error::Invalidation { source, .. } => {
                let first = match source.kind() {
                    StorageErrorKind::Denied => "allow these credentials `cloudfront:CreateInvalidation`, then ",
                    StorageErrorKind::Clock => "set this machine's clock, then ",
                    StorageErrorKind::Other => "check `cloudfront` in [publish] of dist/packhouse.toml, then ",
                    _ => "",
                };
                format!("{first}run `packhouse repair`, which has it forget all that can change")
            }
            Error::Unconditional { .. } => "if nobody else publishes there meanwhile, say --single-writer; else use \
                 storage with conditional writes (docs/reference/storage.md)"
                .into(),
            Error::Name { others, .. } => format!(
                "use letters, digits and {}, beginning with a letter or digit",
                others.chars().map(|other| format!("`{other}`")).collect::<Vec<_>>().join(" ")
            ),
            Error::Write { path, source } => match source.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                    format!("make room on the file system of `{}`, {AGAIN}", path.display())
                }
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                    format!("make `{}` writable for this user, {AGAIN}", path.display())
                }
                io::ErrorKind::CrossesDevices => {
                    "keep the whole site on one file system: a published file is renamed into place".into()
                }
                _ => return None,
            },
            Error::Conflict { .. } => "a published package never changes; commit (or raise the version) so \
                 that the build gets another name"
                .into(),
            Error::SourceChanged { .. } => "build and sign it again".into(),
            Error::ReadBack { .. } => "check the disk; delete the object, which no release names".into(),
            Error::Changed { .. } | Error::Busy { .. } => "run the same command again".into(),
            Error::Yanked { .. } => {
                "build a new one; `packhouse yank --undo` offers the withdrawn one again".into()
            }
            Error::BeingDeleted { .. } => {
                "run `packhouse repair`, which finishes that, then the same command again".into()
            }
            Error::NothingSuch { .. } => "`packhouse site list` shows what it has".into(),
            Error::SameName { .. } | Error::OtherTarget { .. } => {
                "put `{target}` into the `format` of [version], so that each target's package has its own name"
                    .into()
            }
            Error::OtherArch { .. } => "a format whose file names carry no architecture, as apk's, has room for one on \
                 a site: publish each architecture to a site of its own"
                .into(),
            Error::OtherProject { .. } => "publish each project to a directory of its own".into(),
            Error::ForeignSignature { path, .. } => format!("delete `{path}`, which no release names, {AGAIN}"),
            Error::NoHead => "give the directory or URL that `packhouse publish` wrote to".into(),
            Error::List { .. } => "tell whoever runs the site; a newer list may need a newer Packhouse".into(),
            Error::Restless => "run the same command again".into(),
            Error::WebUrl { .. } => "give https://… without user, query or fragment; of a site that has only http, \
                 fetch the files and verify their directory"
                .into(),
            Error::Web { source, .. } => return source.help(),
            Error::HeadFormat { .. } => "install a newer Packhouse".into(),
            Error::Head { .. } | Error::HeadContents { .. } => {
                "bring the file back from a backup; nothing was changed".into()
            }
            _ => return None,
        })
    }
}

//! Walking a site as `packhouse verify` does: is everything there that the head and the pointers name?

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

use crate::{
    BoxError, Error, Event, Head, Listed, ObjectPath, Package, ReleaseList, Result, Sha256, Source, Store,
    layout,
};

/// Pointers are one file name; what is longer is not one.
const POINTER_LIMIT: u64 = 512;
/// Detached signatures are a few hundred bytes.
const SIGNATURE_LIMIT: u64 = 64 * 1024;
/// What is derived from the head is read into memory; the head itself is among it.
const DERIVED_LIMIT: u64 = 64 << 20;

/// How much of a site is walked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Every package.
    Everything,
    /// What pointers name: what customers are offered today.
    Newest,
}

/// Judges a signature beside a package, given the package, a local file that holds it, and the signature.
pub type SignatureCheck<'a> = &'a (dyn Fn(&Package, &Path, &[u8]) -> Result<(), BoxError> + Sync);

/// What a walk over a site found.
#[derive(Clone, Debug)]
pub struct SiteReport {
    /// The head that was walked.
    pub head: Head,
    /// Everything that is wrong, in the order of the walk.
    pub problems: Vec<Problem>,
    /// Objects beside the packages that no release names: what a publisher that died before its commit left.
    /// No customer is led to them.
    pub unlisted: Vec<ObjectPath>,
}

/// Something on a site that customers would meet.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// A named object is not there.
    Missing {
        /// Its name.
        path: ObjectPath,
    },
    /// An object cannot be read.
    Unreadable {
        /// Its name.
        path: ObjectPath,
        /// Why.
        reason: String,
    },
    /// A package has other bytes than the head says.
    Digest {
        /// Its name.
        path: ObjectPath,
        /// Size and digest in the head.
        expected: (u64, Sha256),
        /// Size and digest of what is there.
        found: (u64, Sha256),
    },
    /// The caller's check did not accept a signature.
    Signature {
        /// The package.
        path: ObjectPath,
        /// What the check said.
        reason: String,
    },
    /// A pointer names something else than the newest package.
    Pointer {
        /// The pointer.
        path: ObjectPath,
        /// The file that it should name.
        expected: String,
        /// The beginning of what it holds.
        found: String,
    },
    /// A pointer of which the head knows nothing.
    StrayPointer {
        /// The pointer.
        path: ObjectPath,
    },
    /// An object that is derived from the head is not what the signed list says.
    Derived {
        /// Its name.
        path: ObjectPath,
        /// Its digest in the list.
        expected: Sha256,
        /// The digest of what is there.
        found: Sha256,
    },
    /// The head is not the one that was signed.
    Unsigned,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Problem::Missing { path } => write!(f, "`{path}` is not there"),
            Problem::Unreadable { path, reason } => write!(f, "`{path}` cannot be read: {reason}"),
            Problem::Digest { path, expected, found } => write!(
                f,
                "`{path}` is not what was published: {} bytes, sha256 {} were, {} bytes, sha256 {} are there",
                expected.0, expected.1, found.0, found.1
            ),
            Problem::Signature { path, reason } => {
                write!(f, "`{path}` is not signed as it should be: {reason}")
            }
            Problem::Pointer { path, expected, found } => {
                write!(f, "`{path}` names `{}`, not `{expected}`", found.escape_debug())
            }
            Problem::StrayPointer { path } => write!(f, "`{path}` belongs to no release"),
            Problem::Derived { path, expected, found } => {
                write!(f, "`{path}` is not the one that was signed: sha256 {expected} was, {found} is there")
            }
            Problem::Unsigned => {
                write!(f, "`{}` does not say the same as `{}`", layout::RELEASES, layout::HEAD)
            }
        }
    }
}

impl Problem {
    /// How to fix it, where that is known.
    pub fn help(&self) -> Option<String> {
        Some(match self {
            Problem::Derived { .. } | Problem::Unsigned => {
                "unless somebody is just publishing, it was tampered with: `packhouse repair` renders it anew"
                    .into()
            }
            Problem::Missing { .. } | Problem::Pointer { .. } => {
                "run the same `packhouse publish` again: it finishes what is left".into()
            }
            Problem::Digest { .. } => "bring the published file back from `pkg/` or a backup".into(),
            Problem::StrayPointer { path } => format!("delete `{path}`"),
            _ => return None,
        })
    }
}

/// Walks a site: every package and signature that the head names is there with the size and digest it says,
/// every pointer names the newest package, and no pointer is left over.
///
/// `check_signature` is asked about packages whose digest is right; it blocks the calling task. Packages of a
/// bucket are copied into the directory `scratch` for it, one at a time.
///
/// The site may be published to meanwhile: when the head moves, the walk starts again. A publisher that is just
/// between its commit and its pointers shows as a [`Problem::Pointer`], as one that died there does.
///
/// # Errors
/// When the head is missing or cannot be trusted to say what there should be; everything else is a
/// [`Problem`].
pub async fn check_site(
    store: &Store,
    scratch: &Path,
    check_signature: SignatureCheck<'_>,
    on_event: &(dyn Fn(Event) + Sync),
) -> Result<SiteReport> {
    let source = Source::Store(store.clone());
    loop {
        let (head, version) = Head::read(store).await?.ok_or(Error::NoHead)?;
        let walk = Walk { source: &source, head: &head, scratch, check_signature, on_event };
        let report = walk.run(Scope::Everything).await?;
        match Head::read(store).await? {
            Some((_, now)) if now == version => return Ok(report),
            _ => {}
        }
    }
}

/// Walks a site by its signed list, which the caller has verified: as [`check_site`], and the head and everything
/// derived from it are those that were signed. No byte of a package is fetched beyond the size in the list.
///
/// On the web nobody can see what else lies there, so that neither stray pointers nor unlisted objects are found.
///
/// # Errors
/// When what is there cannot be listed; everything else is a [`Problem`].
pub async fn check_listed(
    source: &Source,
    list: &ReleaseList,
    scope: Scope,
    scratch: &Path,
    check_signature: SignatureCheck<'_>,
    on_event: &(dyn Fn(Event) + Sync),
) -> Result<SiteReport> {
    let walk = Walk { source, head: list.head(), scratch, check_signature, on_event };
    let mut report = walk.run(scope).await?;
    report.problems.extend(check_head(source, list.head()).await);
    for derived in &list.derived {
        let path = derived.path.clone();
        match source.read(&path, DERIVED_LIMIT).await {
            Ok(None) => report.problems.push(Problem::Missing { path }),
            Ok(Some(bytes)) => {
                let (expected, found) = (derived.sha256, Sha256::of(&bytes));
                if found != expected {
                    report.problems.push(Problem::Derived { path, expected, found });
                }
            }
            Err(error) => report.problems.push(unreadable(path, &error)),
        }
    }
    Ok(report)
}

async fn check_head(source: &Source, signed: &Head) -> Option<Problem> {
    let path = layout::head_path();
    match source.read(&path, DERIVED_LIMIT).await {
        Ok(None) => Some(Problem::Missing { path }),
        Ok(Some(bytes)) => match Head::parse(&bytes) {
            Ok(head) => (head != *signed).then_some(Problem::Unsigned),
            Err(error) => Some(unreadable(path, &error)),
        },
        Err(error) => Some(unreadable(path, &error)),
    }
}

/// One walk over a site as a head says it should be.
struct Walk<'a> {
    source: &'a Source,
    head: &'a Head,
    scratch: &'a Path,
    check_signature: SignatureCheck<'a>,
    on_event: &'a (dyn Fn(Event) + Sync),
}

impl Walk<'_> {
    async fn run(&self, scope: Scope) -> Result<SiteReport> {
        let newest: BTreeSet<&ObjectPath> = self.head.latest.iter().map(|latest| &latest.path).collect();
        let is_meant = |package: &&Package| scope == Scope::Everything || newest.contains(&package.path);
        let mut problems = Vec::new();
        for package in self.head.packages.iter().filter(is_meant) {
            (self.on_event)(Event::Started { path: package.path.clone(), size: package.size });
            problems.extend(self.check_package(package).await);
            (self.on_event)(Event::Done { path: package.path.clone() });
        }
        let unlisted = self.check_pointers(&mut problems).await?;
        Ok(SiteReport { head: self.head.clone(), problems, unlisted })
    }

    async fn check_package(&self, package: &Package) -> Option<Problem> {
        let path = package.path.clone();
        let local = match self.source.local_file(&path, package.size, self.scratch).await {
            Ok(Some(local)) => local,
            Ok(None) => return Some(Problem::Missing { path }),
            Err(error) => return Some(unreadable(path, &error)),
        };
        if (local.size, local.sha256) != (package.size, package.sha256) {
            let expected = (package.size, package.sha256);
            return Some(Problem::Digest { path, expected, found: (local.size, local.sha256) });
        }
        for signature in package.signatures() {
            let path = signature.path.clone();
            let bytes = match self.source.read(&path, SIGNATURE_LIMIT).await {
                Ok(Some(bytes)) => bytes,
                Ok(None) => return Some(Problem::Missing { path }),
                Err(error) => return Some(unreadable(path, &error)),
            };
            // Of two, it is said which.
            let path = if *signature == package.signature { package.path.clone() } else { path };
            if let Err(error) = (self.check_signature)(package, &local.file, &bytes) {
                return Some(Problem::Signature { path, reason: error.to_string() });
            }
        }
        None
    }

    /// Compares the pointers with the head, and returns what no release names.
    async fn check_pointers(&self, problems: &mut Vec<Problem>) -> Result<Vec<ObjectPath>> {
        for pointer in self.head.pointers() {
            let path = pointer.path.clone();
            match self.source.read(&path, POINTER_LIMIT).await {
                Ok(None) => problems.push(Problem::Missing { path }),
                Ok(Some(found)) if found == format!("{}\n", pointer.file_name).as_bytes() => {}
                Ok(Some(found)) => {
                    let found = String::from_utf8_lossy(&found).trim_end().to_owned();
                    problems.push(Problem::Pointer { path, expected: pointer.file_name, found });
                }
                Err(error) => problems.push(unreadable(path, &error)),
            }
        }
        let Some(listed) = self.source.list().await? else { return Ok(Vec::new()) };
        let strays = stray_pointers(self.head, &listed).into_iter();
        problems.extend(strays.map(|path| Problem::StrayPointer { path }));
        Ok(unlisted(self.head, &listed))
    }
}

/// Pointers beside the packages that the head does not have.
pub(crate) fn stray_pointers(head: &Head, listed: &[Listed]) -> Vec<ObjectPath> {
    let directories = directories(head);
    let wanted: BTreeSet<ObjectPath> = head.pointers().into_iter().map(|pointer| pointer.path).collect();
    let paths = listed.iter().map(|listed| &listed.path).filter(|path| is_pointer(path));
    paths.filter(|path| is_beside_packages(&directories, path) && !wanted.contains(path)).cloned().collect()
}

/// Objects beside the packages that are neither pointers nor known to the head.
pub(crate) fn unlisted(head: &Head, listed: &[Listed]) -> Vec<ObjectPath> {
    let is_retired =
        |path: &ObjectPath| head.retired.binary_search_by(|retired| retired.path.cmp(path)).is_ok();
    let directories = directories(head);
    let is_unknown =
        |path: &&ObjectPath| is_beside_packages(&directories, path) && !head.names(path) && !is_retired(path);
    let paths = listed.iter().map(|listed| &listed.path);
    paths.filter(|path| !is_pointer(path)).filter(is_unknown).cloned().collect()
}

/// The directories that packages lie in, or lay in.
fn directories(head: &Head) -> BTreeSet<&str> {
    let retired = head.retired.iter().filter_map(|retired| retired.path.as_str().split_once('/'));
    let packages = head.packages.iter().map(|package| package.distribution.as_str());
    packages.chain(retired.map(|(directory, _)| directory)).collect()
}

/// What lies beside the head belongs to people, and directories of other names to them too.
fn is_beside_packages(directories: &BTreeSet<&str>, path: &ObjectPath) -> bool {
    path.as_str().split_once('/').is_some_and(|(directory, _)| directories.contains(directory))
}

fn is_pointer(path: &ObjectPath) -> bool {
    let name = path.file_name();
    name.ends_with(".latest.txt") || name.contains(".latest-") && name.ends_with(".txt")
}

fn unreadable(path: ObjectPath, error: &Error) -> Problem {
    let mut reason = String::new();
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause {
        let between = if reason.is_empty() { "" } else { ": " };
        reason.push_str(&format!("{between}{next}"));
        cause = next.source();
    }
    let reason = if reason.is_empty() { error.to_string() } else { reason };
    Problem::Unreadable { path, reason }
}

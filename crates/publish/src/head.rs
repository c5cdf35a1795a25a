//! The head file of a site, `releases.json`: every release of every target.
//!
//! ```text
//! format       1. A reader refuses another number
//! generation   how often the file has changed; 1 is the first. It never goes back
//! name         the project
//! updated      when it last changed, in Unix seconds
//! packages[]   every published package, old ones too, sorted by `path`
//!   path                   where it lies on the site: `ubuntu/hello_1.0_amd64.deb`
//!   file_name              the last component of `path`
//!   size, sha256           of the package file
//!   target                 `ubuntu-22.04`
//!   distribution           `ubuntu`
//!   distribution_version   `22.04`
//!   arch                   what `uname -m` says there: `x86_64`
//!   format                 `deb`, `rpm`, …
//!   version                the project's version: `1.0`
//!   package_version        the package's own version, when it is known
//!   built                  when it was built, in Unix seconds
//!   revision               the source's revision
//!   channels[]             the channels it was published to, sorted
//!   signature.path         its detached signature on the site
//!   signature.fingerprint  the primary key of the key that made it
//!   native_signature       the same in the form that the format's own tools read, where that is a file beside the
//!                          package: pacman's `.sig`
//!   published              when it was published first, in Unix seconds
//!   yanked.reason, .at     when it was withdrawn: why, and when; no pointer names it
//!   rolled_back[]          the channels that went back to an earlier one; their pointers do not name it
//!   pinned                 `true` when it is never pruned
//! latest[]     what the pointers name, sorted; one entry for a target, architecture and channel
//!   target, distribution, distribution_version, arch, channel
//!   path                   one of `packages`
//! retired[]    objects that nothing names any more and that `prune` will delete, sorted by `path`
//!   path, since            since when nothing names it, in Unix seconds
//!   deleting               `true` while it is being deleted
//! pruned       the generation in which `prune` last finished deleting
//! ```
//!
//! Fields that this version does not know are kept as they are, so that an older Packhouse does not undo what
//! a newer one wrote; a change that an older one must not touch gets another `format`.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::name::{self, FILE_NAME, WORD};
use crate::store::Newer;
use crate::{Error, Object, ObjectPath, Result, Sha256, Store, Swapped, Version, layout};

const FORMAT: u64 = 1;

/// Reads the head again and again, without fetching and parsing what did not change: with ten thousand packages it
/// has megabytes.
pub(crate) struct HeadReader<'a> {
    store: &'a Store,
    known: Option<(Head, Version)>,
    /// The pointers of every head that was read or written.
    pointers: BTreeSet<ObjectPath>,
}

impl<'a> HeadReader<'a> {
    pub(crate) fn new(store: &'a Store) -> HeadReader<'a> {
        HeadReader { store, known: None, pointers: BTreeSet::new() }
    }

    pub(crate) fn store(&self) -> &'a Store {
        self.store
    }

    /// As [`Head::read`].
    pub(crate) async fn read(&mut self) -> Result<Option<(Head, Version)>> {
        let known = self.known.as_ref().map(|(_, version)| version);
        match self.store.read_newer(&layout::head_path(), known).await? {
            Newer::Same => {}
            Newer::Gone => self.known = None,
            Newer::Other(bytes, version) => self.remember(Head::parse(&bytes)?, version),
        }
        Ok(self.known.clone())
    }

    /// Replaces the head that has the version `expected`.
    pub(crate) async fn swap(&mut self, head: &Head, expected: Option<&Version>) -> Result<()> {
        if let Swapped::Written(version) = self.store.swap(&head.object(), expected).await? {
            self.remember(head.clone(), version);
        }
        Ok(())
    }

    fn remember(&mut self, head: Head, version: Version) {
        self.pointers.extend(head.former_pointers());
        self.pointers.extend(head.pointers().into_iter().map(|pointer| pointer.path));
        self.known = Some((head, version));
    }

    /// The pointers that this publisher knows of and that `head` does not have.
    pub(crate) fn former_pointers(&self, head: &Head) -> Vec<ObjectPath> {
        let now: BTreeSet<ObjectPath> = head.pointers().into_iter().map(|pointer| pointer.path).collect();
        self.pointers.difference(&now).cloned().collect()
    }
}

/// Everything a site offers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    format: u64,
    /// How often it has changed; 0 before the first publication.
    pub generation: u64,
    /// The project.
    pub name: String,
    /// When it last changed, in Unix seconds.
    pub updated: i64,
    /// Every published package, sorted by path.
    pub packages: Vec<Package>,
    /// What the pointers name, sorted.
    pub latest: Vec<Latest>,
    /// Objects that nothing names any more, sorted by path.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub retired: Vec<Retired>,
    /// The generation in which `prune` last finished deleting; 0 when it never did. Whoever made sure before that
    /// an object is there makes sure again.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub pruned: u64,
    /// Fields of newer versions.
    #[serde(flatten)]
    others: BTreeMap<String, Value>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_false(value: &bool) -> bool {
    !*value
}

/// One published package.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Package {
    /// Where it lies on the site: `<distribution>/<file_name>`.
    pub path: ObjectPath,
    /// The name of its file.
    pub file_name: String,
    /// Its size in bytes.
    pub size: u64,
    /// Its digest.
    pub sha256: Sha256,
    /// `<distribution>-<distribution_version>`.
    pub target: String,
    /// Such as `ubuntu` or `amazon-linux`.
    pub distribution: String,
    /// Such as `22.04`.
    pub distribution_version: String,
    /// What `uname -m` says on the machines it is for.
    pub arch: String,
    /// The package format: `deb`, `rpm`, `apk`, `pacman`, `tar`, `zip`.
    pub format: String,
    /// The project's version.
    pub version: String,
    /// The package's own version, as its format writes it, when it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package_version: Option<String>,
    /// When it was built, in Unix seconds.
    pub built: i64,
    /// The source's revision.
    pub revision: String,
    /// The channels it was published to.
    pub channels: BTreeSet<String>,
    /// Its detached signature.
    pub signature: Signature,
    /// Its signature as the format's own tools read it, where that is a file beside the package.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub native_signature: Option<Signature>,
    /// When it was published first, in Unix seconds; publishing sets it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published: Option<i64>,
    /// Why it was withdrawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub yanked: Option<Yanked>,
    /// The channels that went back to an earlier package.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub rolled_back: BTreeSet<String>,
    /// Whether it is never pruned.
    #[serde(default, skip_serializing_if = "is_false")]
    pub pinned: bool,
    /// Fields of newer versions.
    #[serde(flatten)]
    pub others: BTreeMap<String, Value>,
}

/// A signature beside a package.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature {
    /// Where it lies on the site: the package's path and an ending, `.asc` for the one that every package has.
    pub path: ObjectPath,
    /// The fingerprint of the primary key whose key made it, in upper-case hexadecimal digits.
    pub fingerprint: String,
    /// Fields of newer versions.
    #[serde(flatten)]
    pub others: BTreeMap<String, Value>,
}

/// That a package was withdrawn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Yanked {
    /// Why, for people.
    pub reason: String,
    /// When, in Unix seconds.
    pub at: i64,
    /// Fields of newer versions.
    #[serde(flatten)]
    pub others: BTreeMap<String, Value>,
}

/// An object that nothing names any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retired {
    /// Its name.
    pub path: ObjectPath,
    /// Since when, in Unix seconds.
    pub since: i64,
    /// Whether it is being deleted.
    #[serde(default, skip_serializing_if = "is_false")]
    pub deleting: bool,
    /// Fields of newer versions.
    #[serde(flatten)]
    pub others: BTreeMap<String, Value>,
}

/// The newest package of a target, architecture and channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Latest {
    /// `<distribution>-<distribution_version>`.
    pub target: String,
    /// Such as `ubuntu`.
    pub distribution: String,
    /// Such as `22.04`.
    pub distribution_version: String,
    /// What `uname -m` says there.
    pub arch: String,
    /// Such as `stable`.
    pub channel: String,
    /// The package.
    pub path: ObjectPath,
    /// Fields of newer versions.
    #[serde(flatten)]
    pub others: BTreeMap<String, Value>,
}

/// A pointer: a file that names the newest package.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pointer {
    /// Where it lies on the site.
    pub path: ObjectPath,
    /// The file it names, in the same directory.
    pub file_name: String,
}

impl Head {
    /// The head of a site on which nothing is published.
    pub fn new(name: impl Into<String>) -> Head {
        Head {
            format: FORMAT,
            generation: 0,
            name: name.into(),
            updated: 0,
            packages: Vec::new(),
            latest: Vec::new(),
            retired: Vec::new(),
            pruned: 0,
            others: BTreeMap::new(),
        }
    }

    /// Reads the head of a site and its version; `None` when nothing is published.
    ///
    /// # Errors
    /// When it cannot be read, is of a newer format, or contradicts itself.
    pub async fn read(store: &Store) -> Result<Option<(Head, Version)>> {
        match store.read(&layout::head_path()).await? {
            None => Ok(None),
            Some((bytes, version)) => Ok(Some((Head::parse(&bytes)?, version))),
        }
    }

    /// Parses and checks the bytes of a head.
    ///
    /// # Errors
    /// As [`Head::read`].
    pub fn parse(bytes: &[u8]) -> Result<Head> {
        #[derive(Deserialize)]
        struct Format {
            format: u64,
        }
        // The number first: of a newer format nothing else is known.
        let Format { format } = serde_json::from_slice(bytes).map_err(|source| Error::Head { source })?;
        if format != FORMAT {
            return Err(Error::HeadFormat { format });
        }
        let head: Head = serde_json::from_slice(bytes).map_err(|source| Error::Head { source })?;
        head.check()?;
        Ok(head)
    }

    /// Its bytes: indented JSON and a newline, the same for the same head.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec_pretty(self).expect("a head has only text keys");
        bytes.push(b'\n');
        bytes
    }

    /// The head as an object of the site.
    pub fn object(&self) -> Object {
        Object::mutable(layout::head_path(), "application/json", self.to_bytes())
    }

    /// The package at `path`.
    pub fn package(&self, path: &ObjectPath) -> Option<&Package> {
        self.packages
            .binary_search_by(|package| package.path.cmp(path))
            .ok()
            .map(|index| &self.packages[index])
    }

    /// Whether a package or a signature of the head has this name.
    pub fn names(&self, path: &ObjectPath) -> bool {
        let stem = path.as_str().rsplit_once('.').and_then(|(stem, _)| ObjectPath::new(stem).ok());
        let signed = stem.and_then(|stem| self.package(&stem));
        self.package(path).is_some()
            || signed.is_some_and(|package| package.signatures().any(|signature| signature.path == *path))
    }

    /// The newest package of a target (`ubuntu-22.04`), architecture and channel.
    pub fn latest(&self, target: &str, arch: &str, channel: &str) -> Option<&Package> {
        let wanted = (target, arch, channel);
        self.package(&self.latest.iter().find(|latest| latest.key() == wanted)?.path)
    }

    /// The pointers that the site must have, sorted by path.
    ///
    /// A package that runs anywhere is also the newest of every machine that has none of its own: customers
    /// look for a pointer by what `uname -m` says.
    pub fn pointers(&self) -> Vec<Pointer> {
        let mut pointers: Vec<_> = self.latest.iter().map(Latest::pointer).collect();
        for anywhere in self.latest.iter().filter(|latest| latest.arch == layout::ANY_MACHINE) {
            let has_own = |machine: &str| self.latest(&anywhere.target, machine, &anywhere.channel).is_some();
            let machines = layout::MACHINES.into_iter().filter(|machine| !has_own(machine));
            pointers.extend(
                machines.map(|machine| Latest { arch: machine.into(), ..anywhere.clone() }.pointer()),
            );
        }
        pointers.sort();
        pointers
    }

    /// Adds a package, or `channels` to one that is there, and makes it the newest where it is: of the
    /// packages of a target, architecture and channel the one with the latest time of building is the newest,
    /// and of two with the same time the one that was published last. So two publishers end with the same
    /// pointers whoever commits first, and publishing an old package again never moves one back.
    ///
    /// A withdrawn package is not published again. One that was rolled back stays so.
    pub(crate) fn add(&mut self, package: &Package, now: i64) -> Result<()> {
        self.retired.retain(|retired| package.paths().all(|path| *path != retired.path));
        match self.packages.binary_search_by(|other| other.path.cmp(&package.path)) {
            Err(index) => {
                let package = Package { published: package.published.or(Some(now)), ..package.clone() };
                self.packages.insert(index, package.clone());
                package.channels.iter().for_each(|channel| self.move_latest(&package, channel));
            }
            Ok(index) => {
                let known = &mut self.packages[index];
                // Whose package it is comes first: two of different targets or architectures seldom are equal.
                let path = package.path.clone();
                if known.target != package.target {
                    let shown = |package: &Package| format!("{} ({})", package.target, package.arch);
                    let (there, here) = (shown(known), shown(package));
                    return Err(Error::OtherTarget { path, there, here });
                }
                if known.arch != package.arch {
                    let (first, second) = (known.arch.clone(), package.arch.clone());
                    return Err(Error::OtherArch { path, target: known.target.clone(), first, second });
                }
                if known.sha256 != package.sha256 {
                    let (there, here) = (known.sha256, package.sha256);
                    return Err(Error::Conflict { path, there, here });
                }
                if let Some(Yanked { reason, .. }) = &known.yanked {
                    return Err(Error::Yanked { path, reason: reason.clone() });
                }
                known.signature.fingerprint.clone_from(&package.signature.fingerprint);
                match (&mut known.native_signature, &package.native_signature) {
                    (Some(known), Some(new)) => known.fingerprint.clone_from(&new.fingerprint),
                    // It was published before there was one.
                    (known @ None, Some(new)) => *known = Some(new.clone()),
                    (_, None) => {}
                }
                let new: Vec<_> = package.channels.difference(&known.channels).cloned().collect();
                known.channels.extend(new.iter().cloned());
                let known = known.clone();
                new.iter().for_each(|channel| self.move_latest(&known, channel));
            }
        }
        Ok(())
    }

    /// Finds the newest package of a target, architecture and channel anew, among those that pointers may name.
    pub(crate) fn choose_latest(&mut self, target: &str, arch: &str, channel: &str) {
        let key = (target, arch, channel);
        let candidates = self.packages.iter().filter(|package| {
            package.target == target && package.arch == arch && package.is_offered_in(channel)
        });
        let newest =
            candidates.max_by_key(|package| package.age_key()).map(|newest| Latest::of(newest, channel));
        match (self.latest.binary_search_by(|latest| latest.key().cmp(&key)), newest) {
            // Of two that are as new the pointer stays where it is.
            (Ok(index), Some(newest)) => {
                let now = self.package(&self.latest[index].path).filter(|now| now.is_offered_in(channel));
                let is_as_new = |now: &Package| {
                    self.package(&newest.path).is_some_and(|newest| newest.built == now.built)
                };
                if !now.is_some_and(is_as_new) {
                    self.latest[index].path = newest.path;
                }
            }
            (Err(index), Some(newest)) => self.latest.insert(index, newest),
            (Ok(index), None) => drop(self.latest.remove(index)),
            (Err(_), None) => {}
        }
    }

    /// The pointers that packages of the head had, or would have, and that the site must not have.
    pub fn former_pointers(&self) -> Vec<ObjectPath> {
        let now: BTreeSet<ObjectPath> = self.pointers().into_iter().map(|pointer| pointer.path).collect();
        let mut former = BTreeSet::new();
        for package in &self.packages {
            for channel in package.channels.iter().filter(|channel| !package.is_offered_in(channel)) {
                let latest = Latest::of(package, channel);
                if package.arch == layout::ANY_MACHINE {
                    let of = |machine: &str| Latest { arch: machine.into(), ..latest.clone() }.pointer().path;
                    former.extend(layout::MACHINES.into_iter().map(of));
                }
                former.insert(latest.pointer().path);
            }
        }
        former.difference(&now).cloned().collect()
    }

    fn move_latest(&mut self, package: &Package, channel: &str) {
        if self.latest(&package.target, &package.arch, channel).is_some_and(|now| now.built > package.built) {
            return;
        }
        let key = (package.target.as_str(), package.arch.as_str(), channel);
        match self.latest.binary_search_by(|latest| latest.key().cmp(&key)) {
            Ok(index) => self.latest[index].path = package.path.clone(),
            Err(index) => self.latest.insert(index, Latest::of(package, channel)),
        }
    }

    /// Whether it holds together: what it names exists in it, and every name is one that may be published.
    fn check(&self) -> Result<()> {
        let contradiction = |reason: String| Err(Error::HeadContents { reason });
        if !self.packages.is_sorted_by(|a, b| a.path < b.path) {
            return contradiction("`packages` is not sorted by `path`, or names one twice".into());
        }
        if !self.latest.is_sorted_by(|a, b| a.key() < b.key()) {
            return contradiction("`latest` is not sorted, or names a target twice".into());
        }
        self.packages.iter().try_for_each(Package::check)?;
        if !self.retired.is_sorted_by(|a, b| a.path < b.path) {
            return contradiction("`retired` is not sorted by `path`, or names one twice".into());
        }
        if let Some(both) = self.retired.iter().find(|retired| self.names(&retired.path)) {
            return contradiction(format!("`{}` is published and retired", both.path));
        }
        for latest in &self.latest {
            let Some(package) = self.package(&latest.path) else {
                return contradiction(format!("the latest of {} is not among the packages", latest.target));
            };
            let same = package.target == latest.target
                && package.distribution == latest.distribution
                && package.distribution_version == latest.distribution_version
                && package.arch == latest.arch
                && package.channels.contains(&latest.channel);
            if !same {
                return contradiction(format!("the latest of {} is another target's", latest.target));
            }
        }
        Ok(())
    }
}

impl Package {
    /// Refuses a package whose words could not be names on the site, or disagree with each other.
    ///
    /// # Errors
    /// [`Error::Name`], [`Error::HeadContents`].
    pub fn check(&self) -> Result<()> {
        name::check("distribution", &self.distribution, WORD)?;
        name::check("distribution's version", &self.distribution_version, WORD)?;
        name::check("architecture", &self.arch, "_")?;
        name::check("format", &self.format, WORD)?;
        name::check("file name", &self.file_name, FILE_NAME)?;
        self.signatures().try_for_each(|signature| name::check("fingerprint", &signature.fingerprint, ""))?;
        if self.channels.is_empty() {
            return Err(Error::HeadContents { reason: format!("`{}` is in no channel", self.path) });
        }
        self.channels.iter().try_for_each(|channel| name::check("channel", channel, WORD))?;
        let agree = [
            (self.path.as_str() == format!("{}/{}", self.distribution, self.file_name), "path"),
            (self.signature.path.as_str() == format!("{}.asc", self.path), "signature's path"),
            (self.target == format!("{}-{}", self.distribution, self.distribution_version), "target"),
            (
                self.native_signature.as_ref().is_none_or(|native| self.is_native(native)),
                "native signature's path",
            ),
            // These names are the site's own.
            (![".asc", ".sig", ".txt"].iter().any(|suffix| self.file_name.ends_with(suffix)), "file name"),
            (
                self.distribution != layout::HEAD && !layout::DERIVED.contains(&&*self.distribution),
                "distribution",
            ),
        ];
        match agree.into_iter().find(|(agrees, _)| !agrees) {
            Some((_, what)) => Err(Error::HeadContents { reason: format!("the {what} of `{}`", self.path) }),
            None => Ok(()),
        }
    }
}

impl Package {
    /// Its signatures, as objects beside it.
    pub fn signatures(&self) -> impl Iterator<Item = &Signature> {
        std::iter::once(&self.signature).chain(&self.native_signature)
    }

    pub(crate) fn signatures_mut(&mut self) -> impl Iterator<Item = &mut Signature> {
        std::iter::once(&mut self.signature).chain(&mut self.native_signature)
    }

    /// The names of its objects: the package and its signatures.
    pub fn paths(&self) -> impl Iterator<Item = &ObjectPath> {
        std::iter::once(&self.path).chain(self.signatures().map(|signature| &signature.path))
    }

    /// Whether it lies where a format's own signature does: the package's path and `.sig`.
    fn is_native(&self, signature: &Signature) -> bool {
        signature.path.as_str() == format!("{}.sig", self.path)
    }

    /// Whether a channel's pointer may name it.
    pub fn is_offered_in(&self, channel: &str) -> bool {
        self.yanked.is_none() && self.channels.contains(channel) && !self.rolled_back.contains(channel)
    }

    /// What newer packages have more of.
    pub(crate) fn age_key(&self) -> (i64, Option<i64>, &ObjectPath) {
        (self.built, self.published, &self.path)
    }
}

impl Latest {
    pub(crate) fn of(package: &Package, channel: &str) -> Latest {
        Latest {
            target: package.target.clone(),
            distribution: package.distribution.clone(),
            distribution_version: package.distribution_version.clone(),
            arch: package.arch.clone(),
            channel: channel.to_owned(),
            path: package.path.clone(),
            others: BTreeMap::new(),
        }
    }

    pub(crate) fn key(&self) -> (&str, &str, &str) {
        (&self.target, &self.arch, &self.channel)
    }

    /// The pointer that names it.
    pub fn pointer(&self) -> Pointer {
        let name =
            layout::pointer_name(&self.distribution, &self.distribution_version, &self.arch, &self.channel);
        let path = ObjectPath::new(format!("{}/{name}", self.distribution))
            .expect("the words of a checked package are names");
        Pointer { path, file_name: self.path.file_name().to_owned() }
    }
}

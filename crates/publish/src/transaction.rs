//! Publishing: content, commit, refresh (see the crate's page).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::head::HeadReader;
use crate::refresh::refresh;
use crate::{
    Body, BoxError, Created, Current, Error, Event, Head, Lifetime, Object, ObjectPath, Package, Pointer,
    Result, Signature, Standing, Store, Version, layout,
};

/// How many objects are copied at once: enough to hide the latency of a bucket and the `fsync` of a disk.
const AT_ONCE: usize = 4;
/// How often a compare-and-swap is tried. Each loss is another publisher's success, so that this many in a row
/// do not happen by accident.
pub(crate) const ATTEMPTS: u32 = 200;
/// Detached signatures are a few hundred bytes; more is not one.
const SIGNATURE_LIMIT: usize = 64 * 1024;

/// Judges a signature that is not the caller's, given the package's file and the signature; returns the
/// fingerprint of the primary key whose key made it.
pub type AdoptionCheck<'a> = &'a (dyn Fn(&Path, &[u8]) -> Result<String, BoxError> + Sync);

/// Everything that becomes visible together.
pub struct Publication<'a> {
    /// The project; a site holds one project's releases.
    pub name: &'a str,
    /// The packages.
    pub uploads: Vec<Upload>,
    /// The time that the head is given, in Unix seconds.
    pub now: i64,
    /// Is asked about a signature that is on the site already, is not the one in [`Upload::signature`], and
    /// that no release names yet: a publisher that died before its commit left it, or somebody planted it.
    pub check_signature: AdoptionCheck<'a>,
}

/// A package to publish. The caller has just read its file and verified its digest and its signatures; what is copied is
/// compared with the digest once more.
#[derive(Clone, Debug)]
pub struct Upload {
    /// What the head will say.
    pub package: Package,
    /// The package file on this machine.
    pub file: PathBuf,
    /// Its armored signature.
    pub signature: Vec<u8>,
    /// Its signature in the form of its format, where [`Package::native_signature`] names one.
    pub native_signature: Option<Vec<u8>>,
}

impl Upload {
    /// What the head will say of each signature, and the signature.
    fn signatures(&self) -> impl Iterator<Item = (&Signature, &Vec<u8>)> {
        self.package.signatures().zip(std::iter::once(&self.signature).chain(&self.native_signature))
    }
}

/// What a publication did.
#[derive(Clone, Debug)]
pub struct Published {
    /// The head that the site has now.
    pub head: Head,
    /// Whether this publication changed the head; if not, everything was published before.
    pub committed: bool,
    /// The objects that are new or were replaced, sorted by path, without the head.
    pub written: Vec<ObjectPath>,
    /// The pointers that moved.
    pub moved: Vec<Pointer>,
}

/// The head that publishing `packages` at the time `now` would give, if nothing else happened meanwhile.
///
/// # Errors
/// As [`publish`], for what can be said without the packages' files.
pub fn preview(head: &Head, packages: &[Package], now: i64) -> Result<Head> {
    let mut after = head.clone();
    for package in packages {
        package.check()?;
        after.add(package, now)?;
    }
    Ok(after)
}

/// Publishes packages, or finishes a publication that was cut short.
///
/// `render` makes the objects that are derived from the head (the names in [`layout::DERIVED`], those that the
/// site shall have, in the order in which they are to be written); this function adds the pointers. It is
/// called again whenever the head moved meanwhile, and blocks the calling task.
///
/// # Errors
/// Everything is checked before anything is written: [`Error::Name`], [`Error::SameName`], [`Error::OtherArch`], then
/// [`Error::Conflict`], [`Error::OtherTarget`], [`Error::OtherProject`] against the site. After that the storage may
/// fail, and a file may turn out to have changed ([`Error::SourceChanged`]); nothing has become visible then, and the
/// same call again does what is left.
pub async fn publish<R>(
    store: &Store,
    publication: &Publication<'_>,
    render: R,
    on_event: &(dyn Fn(Event) + Sync),
) -> Result<Published>
where
    R: Fn(&Head, &Current) -> Result<Vec<Object>, BoxError>,
{
    let mut contents = check_local(publication)?;
    store.announce(contents.iter().map(|content| &content.package.body));
    let mut heads = HeadReader::new(store);
    let mut looked = check_names(&mut heads, publication, &mut contents).await?;
    store.require_conditions().await?;
    // What a dead publisher left is in nobody's way, and whoever may only publish cannot always list.
    let _ = store.clean_up().await;

    let Creations { mut written, mut foreign } = create_all(store, &contents, on_event).await?;
    let mut packages = adopt_signatures(&mut heads, publication, &foreign).await?;
    let committed = loop {
        match commit(&mut heads, publication, &packages, looked, on_event).await? {
            Commit::Done(committed) => break committed,
            // Somebody pruned since we made sure that everything is there.
            Commit::LookAgain(generation) => {
                looked = generation;
                contents.iter_mut().for_each(|content| content.is_there = false);
                let again = create_all(store, &contents, on_event).await?;
                written.extend(again.written);
                foreign = again.foreign;
                packages = adopt_signatures(&mut heads, publication, &foreign).await?;
            }
        }
    };
    let (head, replaced, moved) = refresh(&mut heads, &render, on_event).await?;

    written.extend(replaced);
    written.sort();
    written.dedup();
    Ok(Published { head, committed, written, moved })
}

/// A package and its signatures, as objects.
struct Content {
    package: Object,
    size: u64,
    signatures: Vec<Object>,
    /// Whether the package was on the site when that was looked at last.
    is_there: bool,
}

/// Checks what can be checked without the site.
fn check_local(publication: &Publication<'_>) -> Result<Vec<Content>> {
    crate::name::check("project's name", publication.name, "._+-")?;
    let mut targets = BTreeMap::new();
    let mut contents = Vec::with_capacity(publication.uploads.len());
    for upload in &publication.uploads {
        let Upload { package, file, native_signature, .. } = upload;
        package.check()?;
        if package.native_signature.is_some() != native_signature.is_some() {
            let reason = format!("the native signature of `{}` is named or there, not both", package.path);
            return Err(Error::HeadContents { reason });
        }
        if let Some(other) = targets.insert(package.path.clone(), package) {
            let path = package.path.clone();
            if other.target == package.target && other.arch != package.arch {
                let (first, second) = (other.arch.clone(), package.arch.clone());
                return Err(Error::OtherArch { path, target: package.target.clone(), first, second });
            }
            let (first, second) = (other.target.clone(), package.target.clone());
            return Err(Error::SameName { path, first, second });
        }
        if let Some((signature, _)) = upload.signatures().find(|(_, bytes)| bytes.len() > SIGNATURE_LIMIT) {
            let (path, limit) = (PathBuf::from(signature.path.as_str()), SIGNATURE_LIMIT as u64);
            return Err(Error::TooLarge { path, limit });
        }
        let object = |(signature, bytes): (&Signature, &Vec<u8>)| {
            Object::immutable(signature.path.clone(), "application/pgp-signature", bytes.clone())
        };
        contents.push(Content {
            package: Object {
                path: package.path.clone(),
                body: Body::File { path: file.clone(), sha256: package.sha256 },
                media_type: media_type(package),
                lifetime: Lifetime::Immutable,
            },
            size: package.size,
            signatures: upload.signatures().map(object).collect(),
            is_there: false,
        });
    }
    Ok(contents)
}

/// RFC 9110 content types; those of deb and rpm are what their distributions' mirrors send. apk and pacman have
/// none: what is told to be compressed, some servers and browsers unpack.
fn media_type(package: &Package) -> &'static str {
    let compression = package.file_name.rsplit('.').next().unwrap_or_default();
    match (package.format.as_str(), compression) {
        ("deb", _) => "application/vnd.debian.binary-package",
        ("rpm", _) => "application/x-rpm",
        ("zip", _) => "application/zip",
        // RFC 6713, RFC 8878.
        ("tar", "gz") => "application/gzip",
        ("tar", "zst") => "application/zstd",
        ("tar", "xz") => "application/x-xz",
        ("tar", "tar") => "application/x-tar",
        _ => "application/octet-stream",
    }
}

/// Looks at every name before anything is written. Returns the generation of the head it looked at.
async fn check_names(
    heads: &mut HeadReader<'_>,
    publication: &Publication<'_>,
    contents: &mut [Content],
) -> Result<u64> {
    let mut head = read_head(heads, publication.name).await?.0;
    let generation = head.generation;
    publication.uploads.iter().try_for_each(|upload| head.add(&upload.package, publication.now))?;
    let store = heads.store();
    let compare = |content: &Content| {
        let (path, body) = (content.package.path.clone(), content.package.body.clone());
        async move {
            match store.compare(&path, &body).await? {
                Standing::Different(there) => Err(Error::Conflict { path, there, here: body.sha256() }),
                standing => Ok(standing == Standing::Identical),
            }
        }
    };
    let comparisons: Vec<_> = contents.iter().map(compare).collect();
    let found: Vec<bool> = stream::iter(comparisons).buffered(AT_ONCE).try_collect().await?;
    contents.iter_mut().zip(found).for_each(|(content, is_there)| content.is_there = is_there);
    Ok(generation)
}

pub(crate) async fn read_head(heads: &mut HeadReader<'_>, name: &str) -> Result<(Head, Option<Version>)> {
    match heads.read().await? {
        None => Ok((Head::new(name), None)),
        Some((head, _)) if head.name != name => {
            Err(Error::OtherProject { there: head.name, here: name.to_owned() })
        }
        Some((head, version)) => Ok((head, Some(version))),
    }
}

/// What creating the immutable objects came to.
#[derive(Default)]
struct Creations {
    /// Those that were not there.
    written: Vec<ObjectPath>,
    /// Signatures that were there and are others than ours.
    foreign: Vec<ObjectPath>,
}

/// Creates the immutable objects.
async fn create_all(
    store: &Store,
    contents: &[Content],
    on_event: &(dyn Fn(Event) + Sync),
) -> Result<Creations> {
    let (told, mut events) = mpsc::unbounded_channel();
    let mut running = JoinSet::new();
    let mut all = Creations::default();
    let mut waiting = contents.iter();
    loop {
        while running.len() < AT_ONCE {
            let Some(content) = waiting.next() else { break };
            let task = Creation {
                store: store.clone(),
                package: content.package.clone(),
                size: content.size,
                signatures: content.signatures.clone(),
                is_there: content.is_there,
                told: told.clone(),
            };
            running.spawn(task.run());
        }
        tokio::select! {
            biased;
            Some(event) = events.recv() => on_event(event),
            finished = running.join_next() => match finished {
                None => break,
                Some(Ok(result)) => {
                    let Creations { written, foreign } = result?;
                    all.written.extend(written);
                    all.foreign.extend(foreign);
                }
                Some(Err(error)) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                Some(Err(_)) => return Err(Error::Stopped),
            },
        }
    }
    drop(told);
    while let Some(event) = events.recv().await {
        on_event(event);
    }
    Ok(all)
}

/// The creation of one package and its signatures.
struct Creation {
    store: Store,
    package: Object,
    size: u64,
    signatures: Vec<Object>,
    is_there: bool,
    told: mpsc::UnboundedSender<Event>,
}

impl Creation {
    async fn run(self) -> Result<Creations> {
        // The receiver outlives every creation; if it does not, nobody is listening.
        let tell = |event| {
            let _ = self.told.send(event);
        };
        let Creations { mut written, mut foreign } = Creations::default();
        let path = &self.package.path;
        tell(Event::Started { path: path.clone(), size: self.size });
        let (told, copied) = (self.told.clone(), path.clone());
        let on_bytes = move |bytes| {
            let _ = told.send(Event::Progress { path: copied.clone(), bytes });
        };
        let created = match self.is_there {
            true => Created::Identical,
            false => self.store.create_telling(&self.package, on_bytes).await?,
        };
        match created {
            Created::Identical => tell(Event::Unchanged { path: path.clone() }),
            Created::New => {
                written.push(path.clone());
                tell(Event::Done { path: path.clone() });
            }
        }
        for signature in &self.signatures {
            let path = &signature.path;
            match self.store.create(signature).await {
                Ok(Created::New) => {
                    written.push(path.clone());
                    tell(Event::Done { path: path.clone() });
                }
                Ok(Created::Identical) => tell(Event::Unchanged { path: path.clone() }),
                // Signing again gives another signature of the same bytes; the published one stays.
                Err(Error::Conflict { .. }) => {
                    foreign.push(path.clone());
                    tell(Event::Unchanged { path: path.clone() });
                }
                Err(error) => return Err(error),
            }
        }
        Ok(Creations { written, foreign })
    }
}

/// Records, for each package, the key of the signature that the site has.
async fn adopt_signatures(
    heads: &mut HeadReader<'_>,
    publication: &Publication<'_>,
    foreign: &[ObjectPath],
) -> Result<Vec<Package>> {
    let mut packages: Vec<_> = publication.uploads.iter().map(|upload| upload.package.clone()).collect();
    if foreign.is_empty() {
        return Ok(packages);
    }
    let (head, _) = read_head(heads, publication.name).await?;
    for (package, upload) in packages.iter_mut().zip(&publication.uploads) {
        let known = head.package(&package.path).cloned();
        for (index, (signature, bytes)) in upload.signatures().enumerate() {
            let path = signature.path.clone();
            if !foreign.contains(&path) {
                continue;
            }
            if let Some((there, _)) = heads.store().read(&path).await?
                && there != *bytes
            {
                let known = known.as_ref().and_then(|known| known.signatures().nth(index));
                let fingerprint = match known {
                    Some(known) => known.fingerprint.clone(),
                    None => (publication.check_signature)(&upload.file, &there)
                        .map_err(|source| Error::ForeignSignature { path, source })?,
                };
                if let Some(signature) = package.signatures_mut().nth(index) {
                    signature.fingerprint = fingerprint;
                }
            }
        }
    }
    Ok(packages)
}

/// What an attempt to commit came to.
enum Commit {
    /// The head says it; whether this changed it.
    Done(bool),
    /// Objects were deleted since `looked`: whoever commits must make sure again that its own are there, and then
    /// give this generation.
    LookAgain(u64),
}

/// Puts the packages into the head. `looked` is the generation after which it was made sure that they are there.
async fn commit(
    heads: &mut HeadReader<'_>,
    publication: &Publication<'_>,
    packages: &[Package],
    looked: u64,
    on_event: &(dyn Fn(Event) + Sync),
) -> Result<Commit> {
    for attempt in 1..=ATTEMPTS {
        let (old, version) = read_head(heads, publication.name).await?;
        for package in packages {
            let is_ours = |path| package.paths().any(|ours| ours == path);
            if old.retired.iter().any(|retired| retired.deleting && is_ours(&retired.path)) {
                return Err(Error::BeingDeleted { path: package.path.clone() });
            }
        }
        if old.pruned > looked {
            return Ok(Commit::LookAgain(old.generation));
        }
        let mut head = old.clone();
        packages.iter().try_for_each(|package| head.add(package, publication.now))?;
        if head == old && version.is_some() {
            return Ok(Commit::Done(false));
        }
        head.generation += 1;
        // A clock that is behind another publisher's does not turn the time back.
        head.updated = publication.now.max(old.updated);
        match heads.swap(&head, version.as_ref()).await {
            Ok(()) => {
                on_event(Event::Committed { generation: head.generation });
                return Ok(Commit::Done(true));
            }
            Err(Error::Changed { .. }) => {
                on_event(Event::Superseded { generation: old.generation });
                pause(attempt).await;
            }
            Err(error) => return Err(error),
        }
    }
    Err(Error::Busy { path: layout::head_path(), attempts: ATTEMPTS })
}

/// Waits a little before another attempt, longer each time and by chance, so that publishers that collided do
/// not collide again.
pub(crate) async fn pause(attempt: u32) {
    tokio::time::sleep(Duration::from_millis(crate::chance(1 << attempt.min(7)))).await;
}

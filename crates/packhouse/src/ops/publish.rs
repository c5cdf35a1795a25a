//! Puts the packages of `pkg/` on the distribution site, with everything that is derived from its releases.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::SystemTime;

use anyhow::{Context as _, Result};
use fs_err as fs;
use packhouse_project::Plan;
use packhouse_publish::{
    Access, BoxError, CloudFront, Current, Derived, Digesting, Event as PublishEvent, Head, Object,
    ObjectPath, Package, Pointer, Publication, ReleaseList, Sha256, Signature, Store, Upload, layout,
    publish as publish_to,
};
use packhouse_sign::{Verified, verify_detached};
use packhouse_site::{KeyInfo, Location, SiteInfo};

use super::cdn::Changes;
use super::manifest::{self, Built, Manifest};
use super::{Event, Keys, OnEvent, UsageError, sign, verify};
use crate::environment::Environment;

/// The site of a project that names none, in its own directory.
pub(super) const DEFAULT_SITE: &str = "pkg/site";

/// For how long the signed list of releases is to be believed. Whoever keeps serving an old list can hide a
/// release for that long at most.
const LIST_LIFE: i64 = 365 * 24 * 60 * 60;

/// What a user can say about publishing.
#[derive(Clone, Debug, Default)]
pub struct PublishOptions {
    /// The channel, instead of the one the packages were built for.
    pub channel: Option<String>,
    /// Nobody else publishes meanwhile: storage without conditional writes will do.
    pub single_writer: bool,
}

/// What publishing did.
#[derive(Debug)]
pub struct PublishReport {
    /// Where the site is.
    pub to: String,
    /// How a customer installs from it.
    pub install: String,
    /// The packages that are published now.
    pub packages: Vec<Built>,
    /// The channel they were published to.
    pub channels: BTreeSet<String>,
    /// The pointers that name these packages, and the files they name.
    pub pointers: Vec<Pointer>,
    /// Whether the site's releases changed; if not, all was published before.
    pub is_new: bool,
    /// Who signed.
    pub signed_by: Verified,
}

/// A site that can be published to.
pub struct Site {
    store: Store,
    to: String,
    cdn: Option<CloudFront>,
}

impl Site {
    /// Opens the plan's site.
    ///
    /// # Errors
    /// When it is somewhere Packhouse cannot publish to, customers cannot find it, or its CDN cannot be told.
    pub fn open(plan: &Plan, access: &Access) -> Result<Site> {
        let to = plan.publish_to.as_deref().unwrap_or(DEFAULT_SITE);
        let store = Store::open(to, &plan.root, access)?;
        let to = match store.directory() {
            Some(path) => without_steps_up(path).display().to_string(),
            None if plan.public_url.is_none() => {
                let help = "say in [publish] of dist/packhouse.toml where customers find it: public-url = \"https://…\"";
                return Err(UsageError::new(format!("{} has no public address", store.name()), help).into());
            }
            None => store.name(),
        };
        let cdn = match (&plan.cloudfront, &plan.public_url) {
            (Some(id), Some(url)) if store.directory().is_none() => Some(CloudFront::new(access, id, url)?),
            _ => None,
        };
        Ok(Site { store, to, cdn })
    }

    /// Whether it is a directory of this machine.
    pub fn is_local(&self) -> bool {
        self.store.directory().is_some()
    }

    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    /// The CDN that serves it.
    pub(super) fn cdn(&self) -> Option<&CloudFront> {
        self.cdn.as_ref()
    }

    /// Where it is.
    pub fn to(&self) -> &str {
        &self.to
    }
}

/// `/home/me/site` for `/home/me/project/../site`: the path is shown to people and written into the site's pages.
/// A path without `..` stays as it was given, links and all; one that cannot be resolved does, too.
fn without_steps_up(path: &Path) -> PathBuf {
    if !path.components().any(|component| component == Component::ParentDir) {
        return path.to_owned();
    }
    // The site itself may not exist yet.
    for known in path.ancestors() {
        if let (Ok(resolved), Ok(rest)) = (fs::canonicalize(known), path.strip_prefix(known)) {
            return resolved.join(rest);
        }
    }
    path.to_owned()
}

/// Publishes what `pkg/manifest.json` lists for the plan's targets.
///
/// # Errors
/// When nothing is built or signed, a signature is not to be trusted, or the site refuses.
pub async fn publish(
    plan: &Plan,
    options: &PublishOptions,
    environment: &Environment,
    on_event: OnEvent<'_>,
) -> Result<PublishReport> {
    let access = environment.access().single_writer(options.single_writer);
    let site = Site::open(plan, &access)?;
    let keys = Keys::open(plan, site.is_local(), environment, on_event)?;
    let built = sign::selected(plan)?;
    manifest(plan, &built, &site, &keys, options, environment, on_event).await
}

/// Publishes a manifest's packages to an opened site.
pub(super) async fn manifest(
    plan: &Plan,
    manifest: &Manifest,
    site: &Site,
    keys: &Keys,
    options: &PublishOptions,
    environment: &Environment,
    on_event: OnEvent<'_>,
) -> Result<PublishReport> {
    let now: SystemTime = environment.now.into();
    let directory = manifest::directory(&plan.root);
    let verified = verify_all(&manifest.packages, |built| upload(built, &directory, keys, options, now))?;
    let (uploads, mut signers): (Vec<Upload>, Vec<Verified>) = verified.into_iter().unzip();
    let signed_by = signers.pop().context("there is nothing to publish")?;
    on_event(Event::Publishing {
        packages: uploads.len(),
        bytes: uploads.iter().map(|upload| upload.package.size).sum(),
    });
    let channels: BTreeSet<String> =
        uploads.iter().flat_map(|upload| upload.package.channels.clone()).collect();
    let check_signature = |file: &Path, signature: &[u8]| -> Result<String, BoxError> {
        let mut data = fs::File::open(file)?;
        Ok(verify_detached(signature, &mut data, &keys.keyring, now)?.fingerprint.to_string())
    };
    let publication = Publication {
        name: &plan.name,
        uploads,
        now: environment.now.as_second(),
        check_signature: &check_signature,
    };
    let renderer = Renderer { plan, site, keys, now: environment.now.as_second() };
    let changes = Changes::default();
    let published =
        publish_to(&site.store, &publication, |head, current| renderer.rendered(head, current), &|event| {
            changes.note(&event);
            let is_package =
                |path: &ObjectPath| publication.uploads.iter().any(|upload| upload.package.path == *path);
            forward(event, is_package, on_event);
        })
        .await;
    // Also after a failure: the same command again does not change again what was changed.
    changes.tell_or_warn(site.cdn(), renderer.now, on_event).await;
    let published = published?;
    let channel = channels.first().map_or(layout::STABLE, String::as_str);
    let names: BTreeSet<&str> = manifest.packages.iter().map(|built| built.file.as_str()).collect();
    Ok(PublishReport {
        to: site.to.clone(),
        install: packhouse_site::install_command(&renderer.info(), channel)?,
        packages: manifest.packages.clone(),
        channels,
        pointers: published
            .head
            .pointers()
            .into_iter()
            .filter(|pointer| names.contains(&*pointer.file_name))
            .collect(),
        is_new: published.committed,
        signed_by,
    })
}

fn forward(event: PublishEvent, is_package: impl Fn(&ObjectPath) -> bool, on_event: OnEvent<'_>) {
    match event {
        PublishEvent::Progress { bytes, .. } => on_event(Event::Uploaded { bytes }),
        PublishEvent::Done { path } | PublishEvent::Unchanged { path } if is_package(&path) => {
            on_event(Event::PackageDone);
        }
        _ => {}
    }
}

/// Asks of each package, on as many threads as there are processors; the first error of their order.
fn verify_all<T: Send>(packages: &[Built], ask: impl Fn(&Built) -> Result<T> + Sync) -> Result<Vec<T>> {
    let threads = std::thread::available_parallelism().map_or(1, NonZeroUsize::get).min(packages.len());
    let next = AtomicUsize::new(0);
    let work = || {
        let mut answers = Vec::new();
        while let Some((number, built)) = {
            let number = next.fetch_add(1, Ordering::Relaxed);
            packages.get(number).map(|built| (number, built))
        } {
            answers.push((number, ask(built)));
        }
        answers
    };
    let mut answers: Vec<(usize, Result<T>)> = std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let joined = running.into_iter().map(|thread| thread.join());
        joined.flat_map(|answers| answers.unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
    });
    answers.sort_by_key(|(number, _)| *number);
    answers.into_iter().map(|(_, answer)| answer).collect()
}

/// A package that is ready to go: signed by a trusted key, over just these bytes.
fn upload(
    built: &Built,
    directory: &Path,
    keys: &Keys,
    options: &PublishOptions,
    now: SystemTime,
) -> Result<(Upload, Verified)> {
    let file = directory.join(&built.file);
    let format = built.format()?;
    let context = || format!("{} is not published: its signature is not to be trusted", built.file);
    let read = |beside: &Path| -> Result<(Signature, Vec<u8>, Verified)> {
        let bytes = sign::native::read_signature(beside).map_err(|_| {
            let message = format!("{} is not signed: there is no {}", built.file, beside.display());
            UsageError::new(message, "run `packhouse sign` first; `packhouse release` does it all")
        })?;
        // The digest, too: a package is read once before it is published.
        let mut data = Digesting::new(fs::File::open(&file)?);
        let verified = verify_detached(&bytes, &mut data, &keys.keyring, now).with_context(context)?;
        if data.finish().0 != built.digest()? {
            return Err(sign::not_listed(&file).into());
        }
        let name = beside.file_name().unwrap_or_default().to_string_lossy();
        let signature = Signature {
            path: ObjectPath::new(format!("{}/{name}", built.distribution))?,
            fingerprint: verified.fingerprint.to_string(),
            others: BTreeMap::new(),
        };
        Ok((signature, bytes, verified))
    };
    let (published, signature, verified) = read(&sign::signature_path(&file))?;
    // A package without one inside is vouched for by the one beside it; one that is there must be good.
    sign::native::verify(&file, format, keys, now).with_context(context)?;
    let native = sign::native::beside(&file, format).map(|beside| read(&beside)).transpose()?;
    let (published_native, native_signature) =
        native.map(|(published, signature, _)| (published, signature)).unzip();
    let path = ObjectPath::new(format!("{}/{}", built.distribution, built.file))?;
    let package = Package {
        signature: published,
        native_signature: published_native,
        path,
        file_name: built.file.clone(),
        size: built.size,
        sha256: built.digest()?,
        target: built.target.clone(),
        distribution: built.distribution.clone(),
        distribution_version: built.distribution_version.clone(),
        arch: built.arch.clone(),
        format: built.format.clone(),
        version: built.version.clone(),
        package_version: Some(built.package_version.clone()),
        built: i64::from(built.time),
        revision: built.revision.clone(),
        channels: BTreeSet::from([options.channel.clone().unwrap_or_else(|| built.channel.clone())]),
        published: None,
        yanked: None,
        rolled_back: BTreeSet::new(),
        pinned: false,
        others: BTreeMap::new(),
    };
    Ok((Upload { package, file, signature, native_signature }, verified))
}

/// Renders what is derived from the head.
pub(super) struct Renderer<'a> {
    pub(super) plan: &'a Plan,
    pub(super) site: &'a Site,
    pub(super) keys: &'a Keys,
    pub(super) now: i64,
}

impl Renderer<'_> {
    /// For [`packhouse_publish::publish()`] and its like.
    pub(super) fn rendered(&self, head: &Head, current: &Current) -> Result<Vec<Object>, BoxError> {
        self.render(head, current).map_err(|error| format!("{error:#}").into())
    }

    fn render(&self, head: &Head, current: &Current) -> Result<Vec<Object>> {
        let object = |name: &str, media_type, bytes: Vec<u8>| -> Result<Object> {
            Ok(Object::mutable(ObjectPath::new(name)?, media_type, bytes))
        };
        let keyrings = [
            object(layout::KEYRING, "application/pgp-keys", self.keys.keyring.to_binary())?,
            object(
                layout::ARMORED_KEYRING,
                "application/pgp-keys",
                self.keys.keyring.to_armored().into_bytes(),
            )?,
        ];
        let pages = packhouse_site::render(head, &self.info())?;
        let derived = |object: &Object| Derived { path: object.path.clone(), sha256: object.body.sha256() };
        let list = self.list(head, keyrings.iter().chain(&pages).map(derived).collect(), current)?;
        let list = object(layout::RELEASES, "text/plain; charset=utf-8", list.into_bytes())?;
        // Keys come before what they verify, and pages after the list that covers them.
        Ok(keyrings.into_iter().chain([list]).chain(pages).collect())
    }

    fn info(&self) -> SiteInfo {
        let keys =
            self.keys.keyring.certificates().iter().filter(|key| key.check_can_sign(at(self.now)).is_ok());
        SiteInfo {
            summary: self.plan.summary.clone(),
            homepage: self.plan.homepage.clone(),
            location: match &self.plan.public_url {
                Some(url) => Location::Url(url.clone()),
                None => Location::Directory(self.site.to.clone()),
            },
            keys: keys
                .map(|key| KeyInfo {
                    fingerprint: key.fingerprint().to_string(),
                    user_id: key.user_id(),
                    expires: key.expires().map(unix),
                })
                .collect(),
            keyring_sha256: Sha256::of(&self.keys.keyring.to_binary()),
        }
    }

    /// The signed list: the one that is there while it says the same and half of its life is left, so that
    /// publishing the same again changes nothing.
    fn list(&self, head: &Head, derived: Vec<Derived>, current: &Current) -> Result<String> {
        let site = self.plan.public_url.as_ref().map(|url| url.trim_end_matches('/').to_owned());
        let until = |expires| ReleaseList::new(head.clone(), expires, site.clone(), derived.clone());
        if let Some(text) = current.bytes(layout::RELEASES).and_then(|bytes| std::str::from_utf8(bytes).ok())
            && let Ok((there, verified)) = verify::open_list(text, &self.keys.keyring, at(self.now))
            // Another key signs now: those who will have only its public part must be able to read the list.
            && verified.fingerprint == self.keys.signer.certificate().fingerprint()
            && there.expires - self.now > LIST_LIFE / 2
            && there == until(there.expires)
        {
            return Ok(text.to_owned());
        }
        Ok(self.keys.signer.cleartext(&until(self.now + LIST_LIFE).to_text(), at(self.now))?)
    }
}

fn unix(time: SystemTime) -> i64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

fn at(seconds: i64) -> SystemTime {
    SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(seconds.unsigned_abs())
}

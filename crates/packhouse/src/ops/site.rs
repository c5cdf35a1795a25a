//! Looks at a site: what it offers, whether everything is there, and what a release would change.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use packhouse_package::Signing;
use packhouse_project::Plan;
use packhouse_publish::{
    Access, Head, ObjectPath, Package, Pointer, Sha256, Signature, SiteReport, Store, check_site, layout,
    preview,
};
use serde::Serialize;

use super::manifest::{Built, Manifest};
use super::publish::{DEFAULT_SITE, Site};
use super::verify::Scratch;
use crate::environment::Environment;

/// Opens the site named on the command line, or the plan's.
fn open(plan: Option<&Plan>, named: Option<&str>, environment: &Environment) -> Result<Store> {
    let access: Access = environment.access();
    let store = match (named, plan) {
        (Some(named), _) => Store::open(named, &environment.current_directory, &access)?,
        (None, Some(plan)) => {
            Store::open(plan.publish_to.as_deref().unwrap_or(DEFAULT_SITE), &plan.root, &access)?
        }
        (None, None) => Store::open(DEFAULT_SITE, &environment.current_directory, &access)?,
    };
    Ok(store)
}

/// Where a site is, and its list of releases.
///
/// # Errors
/// When it cannot be read, or nothing was published there.
pub async fn site_head(
    plan: Option<&Plan>,
    named: Option<&str>,
    environment: &Environment,
) -> Result<(String, Head)> {
    let store = open(plan, named, environment)?;
    let head = Head::read(&store).await?.ok_or(packhouse_publish::Error::NoHead)?.0;
    Ok((store.name(), head))
}

/// Walks a site: everything that its list of releases and its pointers name is there with the right digest, and
/// nothing else is. Signatures are [`verify`](super::verify())'s business.
///
/// # Errors
/// When the list cannot be read; what is wrong otherwise is in the report.
pub async fn site_check(
    plan: Option<&Plan>,
    named: Option<&str>,
    environment: &Environment,
) -> Result<(String, SiteReport)> {
    let store = open(plan, named, environment)?;
    let scratch = Scratch::new(environment)?;
    let report = check_site(&store, scratch.path(), &|_, _, _| Ok(()), &|_| {}).await?;
    Ok((store.name(), report))
}

/// What publishing the plan's packages would do to the site.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct SitePlan {
    /// Where the site is.
    pub to: String,
    /// Its generation; 0 when nothing was published yet.
    pub generation: u64,
    /// What is planned for each target.
    pub packages: Vec<PlannedPackage>,
    /// Objects that would be new.
    pub added: Vec<ObjectPath>,
    /// Objects that would be replaced.
    pub replaced: Vec<ObjectPath>,
    /// Objects that would be removed: a release never removes a package, only `prune` does.
    pub removed: Vec<ObjectPath>,
    /// Pointers that would name another package.
    pub moved: Vec<MovedPointer>,
}

/// A target's package.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct PlannedPackage {
    /// As in `ubuntu-22.04`.
    pub target: String,
    /// Its path on the site.
    pub path: ObjectPath,
    /// Whether the site has it.
    pub published: bool,
    /// Whether `pkg/` has it.
    pub built: bool,
}

/// A pointer's change.
#[derive(Clone, Debug, Serialize)]
pub struct MovedPointer {
    /// The pointer.
    pub path: ObjectPath,
    /// What it names now.
    pub from: Option<String>,
    /// What it would name.
    pub to: String,
}

/// Compares a plan with its site; changes nothing.
///
/// # Errors
/// When the site cannot be read, is another project's, or would refuse.
pub async fn plan_site(plan: &Plan, environment: &Environment) -> Result<SitePlan> {
    let site = Site::open(plan, &environment.access())?;
    let store = site.store();
    let found = Head::read(store).await?.map(|(head, _)| head);
    if let Some(head) = found.as_ref().filter(|head| head.name != plan.name) {
        let (there, here) = (head.name.clone(), plan.name.clone());
        return Err(packhouse_publish::Error::OtherProject { there, here }.into());
    }
    let before = found.clone().unwrap_or_else(|| Head::new(&plan.name));
    let manifest = Manifest::read(&plan.root)?;
    let mut packages = Vec::new();
    let mut planned = Vec::new();
    for target in &plan.targets {
        let built = manifest.iter().flat_map(|manifest| &manifest.packages);
        let built = built.into_iter().find(|built| built.file == target.file_name);
        // What holds its signature has other bytes once it is signed.
        let is_final = |built: &&Built| {
            built.signature.is_some() || !matches!(target.format.get().signing(), Signing::Inside(_))
        };
        let digest = built.filter(is_final).map(|built| (built.sha256.as_str(), built.size));
        let package = package(plan, target, digest, &before)?;
        planned.push(PlannedPackage {
            target: package.target.clone(),
            path: package.path.clone(),
            published: before.package(&package.path).is_some(),
            built: built.is_some(),
        });
        packages.push(package);
    }
    let after = preview(&before, &packages, environment.now.as_second())?;
    let names = |head: &Head| -> BTreeMap<ObjectPath, String> {
        let named = |pointer: Pointer| (pointer.path, pointer.file_name);
        head.pointers().into_iter().map(named).collect()
    };
    let (now, then) = (names(&before), names(&after));
    let changed = then.iter().filter(|(path, name)| now.get(*path) != Some(*name));
    let moved: Vec<MovedPointer> = changed
        .map(|(path, to)| MovedPointer { path: path.clone(), from: now.get(path).cloned(), to: to.clone() })
        .collect();
    let new = after.packages.iter().filter(|package| before.package(&package.path).is_none());
    let mut added: Vec<ObjectPath> = new.flat_map(Package::paths).cloned().collect();
    let mut replaced = Vec::new();
    let (new_pointers, old_pointers): (Vec<_>, Vec<_>) =
        moved.iter().partition(|pointer| pointer.from.is_none());
    added.extend(new_pointers.into_iter().map(|pointer| pointer.path.clone()));
    replaced.extend(old_pointers.into_iter().map(|pointer| pointer.path.clone()));
    if after != before {
        for name in [layout::HEAD, layout::RELEASES, layout::DOWNLOAD_PAGE] {
            let path = ObjectPath::new(name)?;
            if found.is_some() { &mut replaced } else { &mut added }.push(path);
        }
        if found.is_none() {
            for name in [layout::KEYRING, layout::ARMORED_KEYRING, layout::INSTALL_SCRIPT] {
                added.push(ObjectPath::new(name)?);
            }
        }
    }
    added.sort();
    replaced.sort();
    Ok(SitePlan {
        to: site.to().to_owned(),
        generation: before.generation,
        packages: planned,
        added,
        replaced,
        removed: Vec::new(),
        moved,
    })
}

/// What the list would say of a target's package. Of one that is not built the digest is not known; on the site it
/// is that of the same name.
fn package(
    plan: &Plan,
    target: &packhouse_project::TargetPlan,
    built: Option<(&str, u64)>,
    head: &Head,
) -> Result<Package> {
    let path = ObjectPath::new(format!("{}/{}", target.target.distribution, target.file_name))?;
    let there = head.package(&path);
    let (sha256, size) = match (built, there) {
        (Some((sha256, size)), _) => (sha256.parse().context("a digest in pkg/manifest.json")?, size),
        (None, Some(there)) => (there.sha256, there.size),
        (None, None) => (Sha256::of(b""), 0),
    };
    let planned = |ending: &str| -> Result<Signature> {
        let path = ObjectPath::new(format!("{path}{ending}"))?;
        Ok(Signature { path, fingerprint: "0".repeat(40), others: BTreeMap::new() })
    };
    let signature = there.map_or_else(|| planned(".asc"), |there| Ok(there.signature.clone()))?;
    let native_signature = match target.format.get().signing() {
        Signing::Beside(ending) => {
            let known = there.and_then(|there| there.native_signature.clone());
            Some(known.map_or_else(|| planned(ending), Ok)?)
        }
        _ => None,
    };
    Ok(Package {
        file_name: target.file_name.clone(),
        size,
        sha256,
        target: target.target.to_string(),
        distribution: target.target.distribution.clone(),
        distribution_version: target.target.version.clone(),
        arch: target.spec.metadata.arch.uname().to_owned(),
        format: target.format.get().name().to_owned(),
        version: target.tag.version.clone(),
        package_version: None,
        built: i64::from(plan.time.as_unix()),
        revision: target.tag.revision.clone().unwrap_or_default(),
        channels: [plan.channel.clone()].into(),
        signature,
        native_signature,
        path,
        published: None,
        yanked: None,
        rolled_back: Default::default(),
        pinned: false,
        others: BTreeMap::new(),
    })
}

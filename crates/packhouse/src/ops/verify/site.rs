//! A whole site: the signed list, and everything that it names.

use std::path::Path;

use anyhow::{Context as _, Result};
use packhouse_publish::{
    BoxError, Error, ObjectPath, Package, Scope, SiteReport, Source, check_listed, layout,
};
use packhouse_sign::Keyring;

use super::list::{self, ListProof, Opened};
use super::{Refused, Scratch, Trust, VerifyOptions, file};
use crate::environment::Environment;
use crate::ops::{Event, OnEvent};

/// How often the list may change while it is looked at.
const ATTEMPTS: usize = 3;
/// A keyring of ten thousand keys takes some 4 MiB.
const KEYRING_LIMIT: u64 = 16 << 20;

/// What was shown about a site.
#[derive(Debug)]
pub struct SiteProof {
    /// Where it is.
    pub site: String,
    /// Its list of releases.
    pub list: ListProof,
    /// How many packages were looked at.
    pub packages: usize,
    /// Whether these are all.
    pub scope: Scope,
    /// Objects that no release names.
    pub unlisted: Vec<String>,
    /// Whether the install script and the page are those that were signed; a list of an older Packhouse does not say.
    pub covers_derived: bool,
}

/// Checks a whole site: the signed list of releases, every package and signature it names, every pointer, and what
/// people get: keyrings, install script, page.
pub(super) async fn verify(
    source: &Source,
    options: &VerifyOptions,
    trust: &Trust,
    environment: &Environment,
    on_event: OnEvent<'_>,
) -> Result<SiteProof> {
    let scratch = Scratch::new(environment)?;
    let scope = if options.quick { Scope::Newest } else { Scope::Everything };
    for _ in 0..ATTEMPTS {
        let bytes = read_list(source).await?;
        let from = match source {
            Source::Web(web) => Some(web.url().to_owned()),
            Source::Store(_) => None,
        };
        let opened = Opened::new(bytes.clone(), from, trust)?;
        let proof = opened.check(options, trust, environment)?;
        let check = |package: &Package, file: &Path, signature: &[u8]| check(package, file, signature, trust);
        let report = check_listed(source, &opened.list, scope, scratch.path(), &check, &|_| {}).await?;
        // Somebody published meanwhile, and what was found may be of both states.
        if read_list(source).await? != bytes {
            continue;
        }
        let mut problems: Vec<String> = report.problems.iter().map(ToString::to_string).collect();
        problems.extend(check_keyrings(source).await.err().map(|error| format!("{error:#}")));
        if !problems.is_empty() {
            let message = format!("the site does not verify:\n  {}", problems.join("\n  "));
            let help = report.problems.iter().find_map(packhouse_publish::Problem::help);
            return Err(match help {
                Some(help) => Refused::new(message, help).into(),
                None => anyhow::Error::msg(message),
            });
        }
        if let Some(message) = opened.remember(options, environment) {
            on_event(Event::Notice { message });
        }
        return Ok(summary(source, &opened, proof, &report, scope));
    }
    Err(Error::Restless.into())
}

fn summary(
    source: &Source,
    opened: &Opened,
    list: ListProof,
    report: &SiteReport,
    scope: Scope,
) -> SiteProof {
    let newest: std::collections::BTreeSet<&ObjectPath> =
        report.head.latest.iter().map(|latest| &latest.path).collect();
    SiteProof {
        site: source.name(),
        list,
        packages: match scope {
            Scope::Everything => report.head.packages.len(),
            Scope::Newest => newest.len(),
        },
        scope,
        unlisted: report.unlisted.iter().map(ToString::to_string).collect(),
        covers_derived: !opened.list.derived.is_empty(),
    }
}

/// A package whose digest is the listed one: its signature, and what it says it is.
fn check(package: &Package, file: &Path, signature: &[u8], trust: &Trust) -> Result<(), BoxError> {
    let judge = || -> Result<()> {
        let read = file::read(file, &package.file_name, signature, None, trust)?;
        match &read.identity {
            Some(identity) => list::check_identity(package, identity),
            None => Ok(()),
        }
    };
    judge().map_err(|error| file::with_causes(&error).into())
}

async fn read_list(source: &Source) -> Result<Vec<u8>> {
    let path = ObjectPath::new(layout::RELEASES)?;
    if let Some(bytes) = source.read(&path, list::LIMIT).await? {
        return Ok(bytes);
    }
    let head = source.read(&ObjectPath::new(layout::HEAD)?, list::LIMIT).await?;
    let Some(_) = head else { return Err(Error::NoHead.into()) };
    let help = "an unsigned site proves nothing; whoever runs it can renew the list with `packhouse repair`";
    Err(Refused::new(format!("the site has no signed list of releases, `{}`", layout::RELEASES), help).into())
}

/// Both forms of the published keyring hold the same keys, and can be read.
async fn check_keyrings(source: &Source) -> Result<()> {
    let mut fingerprints = Vec::new();
    for name in [layout::KEYRING, layout::ARMORED_KEYRING] {
        let found = source.read(&ObjectPath::new(name)?, KEYRING_LIMIT).await?;
        let bytes = found.with_context(|| format!("`{name}` is not there"))?;
        let keyring = Keyring::parse(&bytes).with_context(|| format!("`{name}` is not a keyring"))?;
        let keys: Vec<_> =
            keyring.certificates().iter().map(|certificate| certificate.fingerprint()).collect();
        fingerprints.push(keys);
    }
    if fingerprints[0] != fingerprints[1] {
        anyhow::bail!("`{}` and `{}` hold different keys", layout::KEYRING, layout::ARMORED_KEYRING);
    }
    Ok(())
}

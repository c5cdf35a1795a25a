//! The signed list of releases: whether it is to be believed, and what it says of a package.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context as _, Result};
use fs_err as fs;
use packhouse_publish::{ObjectPath, Package, ReleaseList, Sha256, Web, is_web, layout};
use packhouse_sign::{Keyring, Verified, verify_cleartext};

use super::seen::{Memory, Seen};
use super::{Identity, Refused, Trust, VerifyOptions, shown};
use crate::environment::Environment;

/// Ten thousand packages take some 8 MiB; a signed text is at most this long.
pub(super) const LIMIT: u64 = 32 << 20;

/// A list whose signature is good.
pub(super) struct Opened {
    pub(super) list: ReleaseList,
    pub(super) verified: Verified,
    /// The address of the site that it was fetched from.
    pub(super) from: Option<String>,
}

/// What was shown about a list of releases.
#[derive(Clone, Debug)]
pub struct ListProof {
    /// The project.
    pub name: String,
    /// How often the site had changed.
    pub generation: u64,
    /// Until when it is to be believed, in Unix seconds.
    pub expires: i64,
    /// The site's own address, where the list says one.
    pub site: Option<String>,
    /// The address it was fetched from, on the web.
    pub from: Option<String>,
    /// Who signed it.
    pub verified: Verified,
    /// Whether it is as new as what was seen before.
    pub memory: Memory,
}

/// Verifies the text of a list, and reads it. Whether it is too old is [`Opened::check`]'s question.
pub(in crate::ops) fn open_list(
    text: &str,
    keyring: &Keyring,
    at: SystemTime,
) -> Result<(ReleaseList, Verified)> {
    let context = || format!("`{}` does not verify", layout::RELEASES);
    let (signed, verified) = verify_cleartext(text, keyring, at).with_context(context)?;
    Ok((ReleaseList::parse(&signed)?, verified))
}

impl Opened {
    pub(super) fn new(bytes: Vec<u8>, from: Option<String>, trust: &Trust) -> Result<Opened> {
        let text =
            String::from_utf8(bytes).ok().with_context(|| format!("`{}` is not text", layout::RELEASES))?;
        let (list, verified) = open_list(&text, &trust.keyring, trust.at)?;
        Ok(Opened { list, verified, from })
    }

    /// Whether it is the list that was meant, and no old one: its project, its number, what was seen before, and last
    /// its expiry, as TUF orders the questions.
    pub(super) fn check(
        &self,
        options: &VerifyOptions,
        trust: &Trust,
        environment: &Environment,
    ) -> Result<ListProof> {
        let head = self.list.head();
        if let Some(wanted) = trust.name.as_ref().filter(|wanted| **wanted != head.name) {
            let message = format!("the list of releases is that of `{}`, not of `{wanted}`", head.name);
            return Err(Refused::new(message, "give the list of the right project with --releases").into());
        }
        if let Some(least) = options.min_generation.filter(|least| head.generation < *least) {
            let message = format!("the list of releases is generation {}, below {least}", head.generation);
            return Err(Refused::new(message, "it is an old state of the site; fetch it again").into());
        }
        let memory = match self.seen(options, environment) {
            Some(seen) => seen.compare(&self.list, environment.now.as_second())?,
            None => Memory::None,
        };
        if unix(self.list.expires) <= trust.at {
            let when = super::super::day(unix(self.list.expires));
            let message = format!("`{}` has expired on {when}", layout::RELEASES);
            let help = "fetch it again; if the site has no other, its maker renews it by publishing again";
            return Err(Refused::new(message, help).into());
        }
        Ok(ListProof {
            name: head.name.clone(),
            generation: head.generation,
            expires: self.list.expires,
            site: self.list.site.clone(),
            from: self.from.clone(),
            verified: self.verified.clone(),
            memory,
        })
    }

    /// Remembers it, once everything that was asked about it has held. That this does not work makes nothing of what
    /// was shown untrue: the reason is returned.
    pub(super) fn remember(&self, options: &VerifyOptions, environment: &Environment) -> Option<String> {
        let seen = self.seen(options, environment)?;
        let failed = seen.remember(&self.list, environment.now.as_second()).err()?;
        Some(format!("what was seen is not remembered: {failed:#}"))
    }

    /// The address that was asked for decides, since the user chose it; a list from elsewhere is known by its own.
    fn seen(&self, options: &VerifyOptions, environment: &Environment) -> Option<Seen> {
        if options.at.is_some() {
            return None;
        }
        Seen::of(self.from.as_deref().or(self.list.site.as_deref())?, environment)
    }

    /// What it says of the package in the file called `name`, which lies at `path` where that is known.
    pub(super) fn package(
        &self,
        name: &str,
        path: Option<&ObjectPath>,
        digest: Option<Sha256>,
        options: &VerifyOptions,
    ) -> Result<&Package> {
        let head = self.list.head();
        let at_path = path.and_then(|path| head.package(path));
        let mut named: Vec<&Package> =
            head.packages.iter().filter(|package| package.file_name == name).collect();
        // Of two distributions' packages with one name the wanted target decides, then the bytes.
        if let Some(target) = options.target.as_ref().filter(|_| named.len() > 1) {
            named.retain(|package| package.target == *target);
        }
        let same = named.iter().find(|package| Some(package.sha256) == digest);
        at_path.or(same.copied()).or(named.first().copied()).ok_or_else(|| {
            let message = format!(
                "the list of releases of `{}` (generation {}) has no `{}`",
                head.name,
                head.generation,
                name.escape_debug()
            );
            let help =
                "it was never published under this name, or its list is another: name that with --releases";
            Refused::new(message, help).into()
        })
    }
}

/// What a package must be besides being listed: not withdrawn, for the wanted target, in the wanted channel.
pub(super) fn check_package(package: &Package, options: &VerifyOptions) -> Result<()> {
    let name = &package.file_name;
    if let Some(yanked) = &package.yanked {
        let day = super::super::day(unix(yanked.at));
        let message = format!("`{name}` was withdrawn on {day}: {}", yanked.reason.escape_debug());
        return Err(Refused::new(message, "do not install it; take a newer one").into());
    }
    if let Some(target) = options.target.as_ref().filter(|target| **target != package.target) {
        let message = format!("`{name}` is for {}, not for {target}", package.target);
        return Err(Refused::new(message, "fetch the package of the target that you want").into());
    }
    if let Some(channel) = options.channel.as_ref().filter(|channel| !package.is_offered_in(channel)) {
        let channels: Vec<&str> = package.channels.iter().map(String::as_str).collect();
        let message = match package.rolled_back.contains(channel) {
            true => format!("`{name}` was taken back from the channel {channel}"),
            false => format!("`{name}` is in {}, not in the channel {channel}", channels.join(", ")),
        };
        return Err(Refused::new(message, "fetch what the channel's pointer names").into());
    }
    Ok(())
}

/// That what a package says of itself is what the list says of it.
pub(super) fn check_identity(package: &Package, identity: &Identity) -> Result<()> {
    let arch = packhouse_package::Arch::parse(&package.arch).map(|arch| identity.format.get().arch(arch));
    let format = identity.format.get().name();
    let differs = [
        ("format", format, package.format.as_str()),
        ("arch", &identity.arch, arch.unwrap_or(&identity.arch)),
    ];
    match differs.into_iter().find(|(_, own, listed)| own != listed) {
        None => Ok(()),
        Some((what, own, listed)) => {
            let message = format!("`{}` has the {what} {own}, and is listed as {listed}", package.file_name);
            Err(Refused::new(message, "do not install it; tell whoever runs the site").into())
        }
    }
}

/// That a file is what the list says, to the byte.
pub(super) fn check_bytes(package: &Package, size: u64, sha256: Sha256) -> Result<()> {
    if (size, sha256) == (package.size, package.sha256) {
        return Ok(());
    }
    let message = format!(
        "`{}` is signed, and is not the file of this name that was published: {} bytes, sha256 {} were, {size} \
         bytes, sha256 {sha256} are there",
        package.file_name, package.size, package.sha256
    );
    Err(Refused::new(message, "it is another package, or another build of it; do not install it").into())
}

/// Reads the list that the user names: a file, or an address on the web.
pub(super) async fn named(at: &str, trust: &Trust, environment: &Environment) -> Result<Opened> {
    if !is_web(at) {
        let path = environment.current_directory.join(at.strip_prefix("file://").unwrap_or(at));
        return Opened::new(read_file(&path)?, None, trust);
    }
    let (web, path) = Web::open_at(at, 1)?;
    let bytes = web.read(&path, LIMIT).await?.with_context(|| format!("{at} is not there"))?;
    Opened::new(bytes, Some(web.url().to_owned()), trust)
}

/// The list beside a file or above it, as on a site.
pub(super) fn near(file: &Path) -> Option<PathBuf> {
    let beside = file.parent()?;
    let candidates = [Some(beside), beside.parent()];
    candidates
        .into_iter()
        .flatten()
        .map(|directory| directory.join(layout::RELEASES))
        .find(|list| list.is_file())
}

pub(super) fn read_file(path: &Path) -> Result<Vec<u8>> {
    let length = fs::metadata(path)?.len();
    if length > LIMIT {
        let message = format!("{} is no list of releases: it has {length} bytes", shown(path));
        return Err(Refused::new(message, "name the site's releases.asc").into());
    }
    Ok(fs::read(path)?)
}

pub(super) fn unix(seconds: i64) -> SystemTime {
    SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
}

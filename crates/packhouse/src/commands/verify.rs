//! `packhouse verify`

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::SystemTime;

use anyhow::Result;
use clap::Args;
use packhouse_publish::Scope;
use packhouse_sign::Verified;
use serde_json::{Value, json};

use super::Context;
use crate::ops::{self, FileProof, ListProof, Memory, Proof, SiteProof, UsageError, VerifyOptions, day};
use crate::output::escape;

#[derive(Args)]
#[command(
    after_help = "Examples:\n  packhouse verify app_1.0_amd64.deb --keyring trustedkeys.gpg\n  packhouse verify app.tar.gz --keyring trustedkeys.gpg --releases releases.asc\n  packhouse verify https://dist.example.com/app --keyring trustedkeys.gpg\n  packhouse verify pkg/site"
)]
pub(super) struct Verify {
    /// A package or any other signed file, its address, or a site: its address, its directory, s3://, gs:// or az://
    #[arg(value_name = "FILE|URL|SITE")]
    subject: String,
    /// Whom to trust [default: the project's keyring]
    #[arg(long, value_name = "KEYRING")]
    keyring: Option<PathBuf>,
    /// The file's signature [default: the file's name and .asc]
    #[arg(long, value_name = "FILE")]
    signature: Option<PathBuf>,
    /// The RSA key that apks are signed with, as customers have it in /etc/apk/keys
    #[arg(long, value_name = "FILE")]
    apk_key: Option<PathBuf>,
    /// The signed list of releases that must name the file [default: releases.asc beside or above it]
    #[arg(long, value_name = "FILE|URL")]
    releases: Option<String>,
    /// The project whose releases these must be [default: this project, when its keyring is used]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// The target that the package must be for: ubuntu-22.04
    #[arg(long, value_name = "TARGET")]
    target: Option<String>,
    /// The channel that must offer the package
    #[arg(long, value_name = "CHANNEL")]
    channel: Option<String>,
    /// Refuse a list of releases of an earlier generation
    #[arg(long, value_name = "N")]
    min_generation: Option<u64>,
    /// Judge as of this time instead of now, as in 2026-05-19 or 2026-05-19T12:00:00Z
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// Of a site, only the newest packages instead of all
    #[arg(long)]
    quick: bool,
}

impl Verify {
    pub(super) fn run(self, context: &Context) -> Result<ExitCode> {
        let environment = &context.environment;
        let root = ops::find_project(context.directory.as_deref(), environment)?;
        let options = VerifyOptions {
            subject: self.subject,
            keyring: self.keyring,
            signature: self.signature,
            apk_key: self.apk_key,
            releases: self.releases,
            name: self.name,
            // Also written as `ubuntu/22.04`.
            target: self.target.map(|target| target.replace('/', "-")),
            channel: self.channel,
            min_generation: self.min_generation,
            at: self.at.as_deref().map(moment).transpose()?,
            quick: self.quick,
        };
        let on_event = |event| context.output.event(event);
        let proof = context.block_on(ops::verify(&options, &root, environment, &on_event))?;
        match &proof {
            Proof::File(proof) => show_file(proof, context),
            Proof::Site(proof) => show_site(proof, context),
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn show_file(proof: &FileProof, context: &Context) {
    let identity = proof.identity.as_ref();
    context.output.json(&json!({
        "verified": proof.name,
        "bound": proof.is_bound(),
        "unproven": proof.unproven(),
        "package": identity.map(|identity| json!({
            "format": identity.format.get().name(),
            "name": identity.name,
            "version": identity.version,
            "arch": identity.arch,
        })),
        "release": proof.listed.as_ref().map(|(list, package)| json!({
            "list": about_list(list),
            "target": package.target,
            "arch": package.arch,
            "channels": package.channels,
            "version": package.version,
            "sha256": package.sha256,
        })),
        "native": proof.native.iter().map(|native| json!({
            "covers": native.covers, "key": native.key, "verified": native.is_verified,
        })).collect::<Vec<_>>(),
        "key": key(&proof.verified),
    }));
    if context.output.style().json {
        return;
    }
    let mut facts = Vec::new();
    if let Some(identity) = identity {
        facts.push(format!("{} {} ({})", identity.name, identity.version, identity.arch));
    }
    if let Some((list, package)) = &proof.listed {
        let channels: Vec<&str> = package.channels.iter().map(String::as_str).collect();
        let channels = channels.join(" and ");
        facts.push(format!(
            "for {}, in {channels}, of release list {} of {}",
            package.target, list.generation, list.name
        ));
    }
    facts.extend(proof.target.as_ref().map(|target| format!("for {target}")));
    let facts = if facts.is_empty() { String::new() } else { format!("{}; ", facts.join(", ")) };
    let unproven = match proof.unproven()[..] {
        [] => String::new(),
        ref unproven => format!("; not proven without --releases: {}", unproven.join(", ")),
    };
    let line = format!("{}: {facts}{}{unproven}", proof.name, sentence(&proof.verified, "it"));
    context.output.result(&escape::line(&line));
    for native in proof.native.iter().filter(|native| !native.is_verified) {
        context.output.note(&format!(
            "note: the signature of its {} by {} was not verified; --apk-key names the key",
            native.covers,
            escape::line(&native.key)
        ));
    }
    if let Some((list, _)) = &proof.listed {
        note_memory(list, context);
    }
}

fn show_site(proof: &SiteProof, context: &Context) {
    let is_whole = proof.scope == Scope::Everything;
    let mut document = json!({
        "verified": proof.site,
        "packages": proof.packages,
        "complete": is_whole,
        "pages": proof.covers_derived,
        "unlisted": proof.unlisted,
        "key": key(&proof.list.verified),
    });
    if let (Value::Object(document), Value::Object(list)) = (&mut document, about_list(&proof.list)) {
        document.extend(list);
    }
    context.output.json(&document);
    if !context.output.style().json {
        let which = if is_whole { "" } else { "newest " };
        context.output.result(&format!(
            "{}: {} {which}{} and every pointer are as published; {}",
            proof.site,
            proof.packages,
            if proof.packages == 1 { "package" } else { "packages" },
            sentence(&proof.list.verified, "the list of releases")
        ));
    }
    note_memory(&proof.list, context);
    if !proof.covers_derived {
        context.output.note(
            "note: the list does not say what install.sh and index.html should be: they were not checked",
        );
    }
    for name in &proof.unlisted {
        context.output.note(&format!("note: {} is there and no release names it", escape::line(name)));
    }
}

fn note_memory(list: &ListProof, context: &Context) {
    if let (Some(site), Some(from)) = (&list.site, &list.from)
        && site != from
    {
        context.output.note(&format!(
            "note: the list is that of {}: {from} is a mirror of it, or shows another site's list",
            escape::line(site)
        ));
    }
    if list.memory == Memory::First {
        context.output.note(&format!(
            "note: nothing was seen of this site before; from now on it must not fall below generation {}",
            list.generation
        ));
    }
}

fn sentence(verified: &Verified, what: &str) -> String {
    let until = verified.expires.map(|expires| format!(", valid until {}", day(expires))).unwrap_or_default();
    format!(
        "{what} was signed on {} by {} ({}{until})",
        day(verified.created),
        verified.fingerprint.grouped(),
        verified.user_id
    )
}

fn about_list(list: &ListProof) -> Value {
    json!({
        "name": list.name,
        "generation": list.generation,
        "expires": list.expires,
        "site": list.site,
        "seen-before": match list.memory {
            Memory::Kept { generation } => Some(generation),
            Memory::First | Memory::None => None,
        },
        "remembered": list.memory != Memory::None,
    })
}

fn key(verified: &Verified) -> Value {
    json!({
        "fingerprint": verified.fingerprint.to_string(),
        "signing-key": verified.signing_key.to_string(),
        "user-id": verified.user_id,
        "signed": day(verified.created),
        "expires": verified.expires.map(day),
    })
}

/// A day, which begins at midnight UTC, or a time.
fn moment(text: &str) -> Result<SystemTime> {
    let of_day =
        |day: jiff::civil::Date| day.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|day| day.timestamp());
    let time = text.parse().ok().or_else(|| text.parse().ok().and_then(of_day));
    time.map(SystemTime::from).ok_or_else(|| {
        let help = "write it as in 2026-05-19 or 2026-05-19T12:00:00Z";
        UsageError::new(format!("`{text}` is no time"), help).into()
    })
}

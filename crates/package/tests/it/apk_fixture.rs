//! What the tests of apks share: a package with everything in it, and reading it with GNU tar and gzip.
#![expect(clippy::unwrap_used, reason = "a fixture that cannot be made is a failed test")]

use std::collections::BTreeMap;
use std::io::{Cursor, Read as _};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use packhouse_package::{
    Account, AccountKind, Capabilities, Elements, Entry, Error, Format, Kind, LinkId, Mark, Moment, Options,
    Package, Resources, Script, Services, Setup, Version,
};

use crate::deb_fixture;

/// A package called `orchestrator` with these files.
pub fn package(version: &str, files: &[(&str, Entry)]) -> Package {
    Package { options: Options::default(), ..deb_fixture::package(version, files) }
}

/// A version tagged with four elements.
pub fn tagged(version: &str, target: &str, built: &str, revision: &str) -> Version {
    Version {
        elements: Some(Elements {
            version: version.into(),
            target: target.into(),
            built: built.into(),
            revision: Some(revision.into()),
        }),
        ..Version::new(format!("{version}-{target}-{built}-{revision}"))
    }
}

fn file(bytes: &[u8], mode: u16, link: Option<u64>) -> Entry {
    let mut entry = Entry::bytes(bytes.to_vec(), mode);
    if let Kind::File { link: of_file, .. } = &mut entry.kind {
        *of_file = link.map(|inode| LinkId { device: 1, inode });
    }
    entry
}

/// One entry of every kind.
pub fn everything() -> Package {
    let long = format!("usr/share/orchestrator/{}/{}", "d".repeat(60), "e".repeat(60));
    let mut ping = file(b"#!/bin/sh\n", 0o755, None);
    ping.capabilities = Capabilities::parse("cap_net_raw=ep");
    let mut state = Entry::directory();
    state.mode = 0o750;
    state.owner.user = "orc".into();
    state.owner.group = "orc".into();
    let mut ghost = Entry::bytes(*b"", 0o644);
    ghost.kind = Kind::Ghost;
    let mut settings = file(b"level = 1\n", 0o644, None);
    settings.mark = Mark::Config;
    let mut package = package(
        "1.0",
        &[
            ("usr/bin/orchestrator", file(b"#!/bin/sh\necho running\n", 0o755, Some(7))),
            ("usr/bin/orchestratord", file(b"#!/bin/sh\necho running\n", 0o755, Some(7))),
            ("usr/bin/orc", Entry::symlink("orchestrator")),
            ("usr/bin/ping", ping),
            ("usr/bin/set-id", file(b"x", 0o4755, None)),
            ("etc/orchestrator.conf", file(b"TOKEN=\n", 0o640, None)),
            ("etc/init.d/orchestrator", file(b"#!/sbin/openrc-run\n", 0o755, None)),
            ("opt/orchestrator/conf/settings.toml", settings),
            ("opt/orchestrator/conf/bin/tool", file(b"tool\n", 0o755, None)),
            ("usr/share/orchestrator/empty", file(b"", 0o644, None)),
            ("usr/share/orchestrator/\u{e4} blank \\ 'quote'", file(b"q\n", 0o644, None)),
            (&long, file(b"long\n", 0o644, None)),
            (&format!("{long}-link"), Entry::symlink("t".repeat(300))),
            ("var/lib/orchestrator", state),
            ("var/lib/orchestrator/state.db", ghost),
        ],
    );
    package.metadata.version = tagged("1.0.0~rc.1", "alpine-3.20", "2305191200", "01fd6b4");
    package.metadata.relations.depends = deb_fixture::relations(&["openssl >= 3", "so:libz.so.1"]);
    package.metadata.relations.conflicts = deb_fixture::relations(&["orchestrator-old"]);
    package.metadata.relations.provides = deb_fixture::relations(&["monitor-runner = 1"]);
    package.metadata.relations.replaces = deb_fixture::relations(&["orchestrator-old"]);
    for moment in Moment::ALL {
        package.scripts.insert(moment, Script::shell(format!("echo {} \"$*\" >>/log\n", moment.name())));
    }
    package.setup = Setup {
        services: Services {
            units: vec!["orchestrator.service".into()],
            enable: true,
            start: true,
            restart_after_upgrade: true,
        },
        accounts: vec![Account {
            name: "orc".into(),
            kind: AccountKind::User {
                comment: "Runs monitors".into(),
                home: "/var/lib/orchestrator".into(),
                shell: None,
            },
            groups: Vec::new(),
        }],
    };
    package
}

pub fn bytes(package: &Package, threads: usize) -> Result<Vec<u8>, Error> {
    let mut out = Cursor::new(Vec::new());
    let resources = Resources { threads: NonZeroUsize::new(threads).unwrap() };
    Format::Apk.get().write(package, resources, &mut out)?;
    Ok(out.into_inner())
}

/// Writes the package below `directory` and returns its path.
pub fn write(package: &Package, directory: &Path) -> PathBuf {
    let name = Format::Apk.get().file_name(&package.metadata, &package.options).unwrap();
    let path = directory.join(name);
    fs_err::write(&path, bytes(package, 2).unwrap()).unwrap();
    path
}

/// The gzip members of a file, each as it stands.
pub fn members(apk: &[u8]) -> Vec<&[u8]> {
    let mut members = Vec::new();
    let mut rest = apk;
    while !rest.is_empty() {
        let mut decoder = flate2::bufread::GzDecoder::new(rest);
        std::io::copy(&mut decoder, &mut std::io::sink()).unwrap();
        let behind = decoder.into_inner();
        members.push(&rest[..rest.len() - behind.len()]);
        rest = behind;
    }
    members
}

/// A gzip member's content.
pub fn unpacked(member: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(member).read_to_end(&mut bytes).unwrap();
    bytes
}

/// The files of the control segment, by name.
pub fn control(apk: &[u8]) -> BTreeMap<String, String> {
    let segment = unpacked(members(apk)[0]);
    let mut archive = tar::Archive::new(&segment[..]);
    let entries = archive.entries().unwrap().map(|entry| {
        let mut entry = entry.unwrap();
        let name = String::from_utf8(entry.path_bytes().into_owned()).unwrap();
        let mut text = String::new();
        entry.read_to_string(&mut text).unwrap();
        (name, text)
    });
    entries.collect()
}

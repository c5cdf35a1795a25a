//! What the tests of debs share: a package with everything in it, and writing it.
#![expect(clippy::unwrap_used, reason = "a fixture that cannot be made is a failed test")]

use std::io::Cursor;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use packhouse_package::archive::compress::Compression;
use packhouse_package::{
    Arch, Entry, Error, FileTree, Format, Mark, Metadata, Options, Package, PackageName, PackagePath,
    Relation, Relations, Resources, Scripts, Timestamp, Version,
};

pub fn path(text: &str) -> PackagePath {
    PackagePath::new(text).unwrap()
}

pub fn relations(texts: &[&str]) -> Vec<Relation> {
    texts.iter().map(|text| Relation::parse(text).unwrap()).collect()
}

/// A package called `orchestrator` with these files.
pub fn package(version: &str, files: &[(&str, Entry)]) -> Package {
    let mut tree = FileTree::new();
    for (name, entry) in files {
        tree.insert(path(name), entry.clone()).unwrap();
    }
    tree.complete();
    Package {
        metadata: Metadata {
            name: PackageName::new("orchestrator").unwrap(),
            version: Version::new(version),
            arch: Arch::Noarch,
            summary: "Runs monitors and forwards what they measure".into(),
            description: "It runs monitors.\n\n  * as often as asked\n".into(),
            homepage: Some("https://example.org".into()),
            vendor: Some("Example, Inc.".into()),
            maintainer: "Example, Inc. <support@metrist.io>".into(),
            license: Some("Apache-2.0".into()),
            category: Some("net".into()),
            relations: Relations::default(),
            changelog: Vec::new(),
        },
        files: tree,
        scripts: Scripts::new(),
        setup: packhouse_package::Setup::default(),
        timestamp: Timestamp::from_unix(1_684_497_600).unwrap(),
        options: Options { compression: Some(Compression::Gzip(6)), ..Options::default() },
    }
}

/// Its usual files: a program, a link, a configuration file, documentation.
pub fn files() -> Vec<(&'static str, Entry)> {
    let mut guide = Entry::bytes(*b"# Guide\n", 0o644);
    guide.mark = Mark::Documentation;
    vec![
        ("usr/bin/orchestrator", Entry::bytes(*b"#!/bin/sh\necho running\n", 0o755)),
        ("usr/bin/orc", Entry::symlink("orchestrator")),
        ("etc/default/orchestrator", Entry::bytes(*b"TOKEN=\n", 0o644)),
        ("usr/share/doc/orchestrator/guide.md", guide),
        ("var/lib/orchestrator", Entry::directory()),
    ]
}

pub fn bytes(package: &Package, threads: usize) -> Result<Vec<u8>, Error> {
    let mut out = Cursor::new(Vec::new());
    let resources = Resources { threads: NonZeroUsize::new(threads).unwrap() };
    Format::Deb.get().write(package, resources, &mut out)?;
    Ok(out.into_inner())
}

/// Writes the package below `directory` and returns its path.
pub fn write(package: &Package, directory: &Path) -> PathBuf {
    let name = Format::Deb.get().file_name(&package.metadata, &package.options).unwrap();
    let path = directory.join(name);
    fs_err::write(&path, bytes(package, 2).unwrap()).unwrap();
    path
}

/// `examples/write.rs`, which `cargo test` builds beside the tests.
pub fn example() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let example = test.parent().and_then(Path::parent).unwrap().join("examples/write");
    assert!(example.exists(), "build it: cargo build -p packhouse-package --example write");
    example
}

//! Packages a directory: `cargo run --example write -- FORMAT DIRECTORY OUT [COMPRESSION [LEVEL]]`.
//!
//! What is in DIRECTORY goes below the package's root: `DIRECTORY/usr/bin/x` becomes `/usr/bin/x`.

use std::error::Error;
use std::path::Path;

use fs_err as fs;
use packhouse_package::archive::compress::Compression;
use packhouse_package::{
    Arch, FileTree, Format, Metadata, Options, Package, PackageName, Relations, Resources, Scripts,
    Timestamp, Version,
};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (format, directory, out) = match &arguments[..] {
        [format, directory, out, ..] => (Format::parse(format).ok_or("no such format")?, directory, out),
        _ => return Err("usage: write FORMAT DIRECTORY OUT [COMPRESSION [LEVEL]]".into()),
    };
    let mut options = Options::default();
    if let Some(word) = arguments.get(3) {
        let compression = Compression::parse(word).ok_or("no such compression")?;
        options.compression = Some(match arguments.get(4) {
            Some(level) => compression.with_level(level.parse()?).ok_or("no such level")?,
            None => compression,
        });
    }

    let mut files = FileTree::new();
    files.add_directory(Path::new(directory), None, &[])?;
    files.complete();
    let package = Package {
        metadata: Metadata {
            name: PackageName::new("example")?,
            version: Version::new("1.0"),
            arch: Arch::X86_64,
            summary: "A directory in a package".into(),
            description: "Made by the example of packhouse-package.".into(),
            homepage: None,
            vendor: None,
            maintainer: "Somebody <somebody@example.org>".into(),
            license: Some("Apache-2.0".into()),
            category: None,
            relations: Relations::default(),
            changelog: Vec::new(),
        },
        files,
        scripts: Scripts::new(),
        setup: packhouse_package::Setup::default(),
        timestamp: Timestamp::from_unix(1_684_497_600).ok_or("not a time")?,
        options,
    };
    let mut file = fs::OpenOptions::new().read(true).write(true).create(true).truncate(true).open(out)?;
    format.get().write(&package, Resources::all(), &mut file)?;
    Ok(())
}

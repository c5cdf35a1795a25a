//! Packages a directory, to be measured by `cargo xtask bench`: `write COMPRESSION:LEVEL DIRECTORY FILE…`.
//!
//! The format follows from the file's ending; several files are written together.
#![expect(clippy::print_stdout, reason = "an example says what it did")]

use std::error::Error;
use std::path::Path;

use fs_err as fs;
use packhouse_package::archive::compress::Compression;
use packhouse_package::{
    Arch, FileTree, Format, Metadata, Options, Package, PackageName, Relations, Resources, Scripts, Setup,
    Timestamp, Version,
};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [compression, directory, outputs @ ..] = &arguments[..] else {
        return Err("usage: write COMPRESSION:LEVEL DIRECTORY FILE…".into());
    };
    let (name, level) = compression.split_once(':').ok_or("a compression is as in `zstd:3`")?;
    let compression = Compression::parse(name).ok_or("no such compression")?;
    let compression = compression.with_level(level.parse()?).ok_or("no such level")?;
    let mut files = FileTree::new();
    files.add_directory(Path::new(directory), None, &[])?;
    files.complete();
    let package = Package {
        metadata: Metadata {
            name: PackageName::new("bench")?,
            version: Version::new("1.0.0"),
            arch: Arch::X86_64,
            summary: "A bench".into(),
            description: String::new(),
            homepage: None,
            vendor: None,
            maintainer: "A <a@example.com>".into(),
            license: Some("MIT".into()),
            category: None,
            relations: Relations::default(),
            changelog: Vec::new(),
        },
        files,
        scripts: Scripts::default(),
        setup: Setup::default(),
        timestamp: Timestamp::from_unix(1_700_000_000)?,
        options: Options { compression: Some(compression), ..Options::default() },
    };
    for output in outputs {
        let ending = output.rsplit('.').next().unwrap_or_default();
        let format = Format::parse(ending).ok_or("no such format")?;
        let mut file = fs::File::create(output)?;
        format.get().write(&package, Resources::all(), &mut file)?;
        println!("{output}: {} bytes", file.metadata()?.len());
    }
    Ok(())
}

//! Packages a directory, to be measured by `cargo xtask bench`: `write_together COMPRESSION:LEVEL DIRECTORY FILE…`.
//!
//! The format follows from the file's ending; several files are written together.
#![expect(clippy::print_stdout, reason = "an example says what it did")]

use std::error::Error;
use std::path::Path;

use fs_err as fs;
use packhouse_package::archive::compress::Compression;
use packhouse_package::together::{Job, write_all};
use packhouse_package::{
    Arch, FileTree, Format, Metadata, Options, Package, PackageName, Relations, Resources, Scripts, Setup,
    Timestamp, Version,
};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [compression, directory, outputs @ ..] = &arguments[..] else {
        return Err("usage: write_together COMPRESSION:LEVEL DIRECTORY FILE…".into());
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
        timestamp: Timestamp::from_unix(1_700_000_000).ok_or("no such time")?,
        options: Options { compression: Some(compression), ..Options::default() },
    };
    let format = |output: &String| Format::parse(output.rsplit('.').next().unwrap_or_default());
    let formats: Vec<Format> = outputs.iter().map(format).collect::<Option<_>>().ok_or("no such format")?;
    let open = |output: &String| {
        fs::OpenOptions::new().read(true).write(true).create(true).truncate(true).open(output)
    };
    let mut files: Vec<fs::File> = outputs.iter().map(open).collect::<Result<_, _>>()?;
    let jobs = formats.into_iter().zip(&mut files);
    let jobs = jobs.map(|(format, out)| Job { format, package: &package, out }).collect();
    let (results, report) = write_all(jobs, Resources::all());
    results.into_iter().collect::<Result<Vec<()>, _>>()?;
    println!("{report:?}");
    Ok(())
}

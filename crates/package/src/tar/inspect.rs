//! Reads an archive, as hostile input. It says nothing about itself: name and version are in the file's name only.

use std::io::{BufReader, SeekFrom};

use sha2::{Digest as _, Sha256};

use crate::archive::decompress::Decoder;
use crate::archive::part::{Part, hexadecimal};
use crate::archive::tar_reader::{End, EntryKind, Reader};
use crate::inspect::{Depth, Input, Inspection};
use crate::{Format, Result};

const ARCHIVE: Part = Part { format: "tar", name: "archive" };

pub(super) fn inspect(file: &mut dyn Input, depth: Depth) -> Result<Inspection> {
    file.seek(SeekFrom::Start(0))?;
    let from = BufReader::with_capacity(64 << 10, file);
    // Nothing says how much it is: what the stream's length allows.
    let decoder = Decoder::detect(from, ARCHIVE, u64::MAX)?;
    let method = decoder.method();
    let mut tar = Reader::new(decoder, ARCHIVE, End::Blocks);
    let mut inspection = nameless(Format::Tar, method.name());
    if depth == Depth::Metadata {
        // What is no tar is told from what is one.
        tar.next()?;
        return Ok(inspection);
    }
    let mut files = Vec::new();
    while let Some(entry) = tar.next()? {
        let digest = match entry.kind {
            EntryKind::File => {
                let mut sha256 = Sha256::new();
                tar.feed(|piece| sha256.update(piece))?;
                Some(hexadecimal(&sha256.finalize()))
            }
            _ => None,
        };
        // `./` is the directory that is unpacked into.
        if !entry.path.is_empty() {
            files.push(entry.to_inspected(digest));
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    inspection.files = Some(files);
    Ok(inspection)
}

/// What is known of an archive that has no metadata.
pub(crate) fn nameless(format: Format, compression: &str) -> Inspection {
    Inspection {
        format,
        format_version: String::new(),
        name: String::new(),
        version: String::new(),
        arch: String::new(),
        summary: String::new(),
        description: String::new(),
        homepage: None,
        vendor: None,
        maintainer: None,
        license: None,
        category: None,
        built: None,
        installed_size: None,
        relations: Default::default(),
        fields: Default::default(),
        scripts: Default::default(),
        compression: compression.to_owned(),
        signatures: Vec::new(),
        files: None,
    }
}

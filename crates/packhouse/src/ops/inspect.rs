//! Reads a package of any format.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use fs_err as fs;
use packhouse_package::{Depth, Inspection, inspect_file};

/// A package that was read.
#[derive(Debug)]
pub struct Inspected {
    /// The file.
    pub file: PathBuf,
    /// Its length in bytes.
    pub size: u64,
    /// What it says.
    pub inspection: Inspection,
}

/// Reads a package.
///
/// # Errors
/// When it cannot be read, is no package, or is not well formed.
pub fn inspect(file: &Path, depth: Depth) -> Result<Inspected> {
    let mut opened = fs::File::open(file)?;
    let size = opened.metadata()?.len();
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let inspection = inspect_file(&mut opened, &name, depth)
        .with_context(|| format!("`{}` cannot be read as a package", file.display()))?;
    Ok(Inspected { file: file.to_owned(), size, inspection })
}

//! The `.changes` file of `--deb-generate-changes` (deb-changes(5)): what an upload to an archive consists of.

use std::path::Path;

use fs_err as fs;
use md5::{Digest as _, Md5};
use sha1::Sha1;
use sha2::Sha256;

use super::log::Result;
use super::output::Context;

/// What it says of the package.
pub(super) struct Values {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) architecture: String,
    pub(super) maintainer: String,
    pub(super) distribution: String,
    pub(super) description: String,
    pub(super) priority: String,
    pub(super) date: String,
}

/// Writes `NAME.changes` into the current directory, for the deb at `path`, which the user calls `shown`.
pub(super) fn write(values: &Values, shown: &str, path: &Path, context: &Context<'_>) -> Result<()> {
    let bytes = fs::read(path)?;
    let hexadecimal = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let md5 = hexadecimal(&Md5::digest(&bytes));
    let sha1 = hexadecimal(&Sha1::digest(&bytes));
    let sha256 = hexadecimal(&Sha256::digest(&bytes));
    let size = bytes.len();
    let Values { name, version, architecture, maintainer, distribution, description, priority, date } =
        values;
    let text = format!(
        "Format: 1.8\nDate: {date}\nSource: {name}\nBinary: {name}\nArchitecture: {architecture}\n\
         Version: {version}\nDistribution: {distribution}\nUrgency: medium\nMaintainer: {maintainer}\n\
         Description: {description}\nChanges:\n {name} ({version}) {distribution}; urgency=medium\n \
         \u{20}* Package created with FPM.\nChecksums-Sha1:\n {sha1} {size} {shown}\nChecksums-Sha256:\n \
         {sha256} {size} {shown}\nFiles:\n {md5} {size} default {priority} {shown}\n"
    );
    let file = Path::new(shown).file_name().unwrap_or_default().to_string_lossy().into_owned();
    let changes = format!("{}.changes", file.strip_suffix(".deb").unwrap_or(&file));
    fs::write(context.environment.current_directory.join(&changes), text)?;
    context.log.result("Created changes", &changes);
    Ok(())
}

//! The outputs `tar` and `zip`: the files, and nothing of the metadata.

use std::path::Path;

use packhouse_package::archive::compress::Compression;
use packhouse_package::{Entry, FileTree, Format, Moment, Options, tar};

use super::super::draft::Draft;
use super::super::log::Result;
use super::super::name::Tokens;
use super::{Context, Output};

pub(super) struct Archive {
    format: Format,
    kind: &'static str,
    draft: Draft,
    full_version: String,
}

impl Archive {
    pub(super) fn new(kind: &str, draft: Draft) -> Archive {
        let (format, kind) = if kind == "zip" { (Format::Zip, "zip") } else { (Format::Tar, "tar") };
        Archive { format, kind, full_version: draft.full_version(), draft }
    }
}

impl Output for Archive {
    fn tokens(&self) -> Tokens<'_> {
        super::tokens(&self.draft, self.kind, &self.full_version)
    }

    fn write(mut self: Box<Self>, path: &Path, shown: &str, context: &Context<'_>) -> Result<()> {
        let mut files = std::mem::take(&mut self.draft.files);
        super::forget_owners(&mut files);
        if self.format == Format::Tar {
            put_scripts(&mut files, &self.draft)?;
        }
        files.complete();
        // By the name's end, in the levels of tar's own switches.
        let compression = match () {
            () if self.format == Format::Zip => Compression::Gzip(9),
            () if shown.ends_with(".tar.gz") || shown.ends_with(".tgz") => Compression::Gzip(6),
            () if shown.ends_with(".tar.xz") => Compression::Xz(6),
            () if shown.ends_with(".tar.zst") => Compression::Zstd(3),
            () if shown.ends_with(".tar.bz2") => super::compression("bzip2", None, 9)?,
            () => Compression::None,
        };
        let tar = tar::Options { is_rooted: true };
        let options = Options { compression: Some(compression), tar, ..Options::default() };
        let mut package = super::package(&self.draft, files, options, context.time);
        // A zip's writer looks at the version, which is not in the archive.
        package.metadata.version.version = "1".into();
        super::write_package(self.format, &package, path)
    }
}

/// The scripts as files, for whoever unpacks the archive.
pub(super) fn put_scripts(files: &mut FileTree, draft: &Draft) -> Result<()> {
    for (moment, name) in [
        (Moment::BeforeInstall, "before_install"),
        (Moment::AfterInstall, "after_install"),
        (Moment::BeforeRemove, "before_remove"),
        (Moment::AfterRemove, "after_remove"),
    ] {
        if let Some(script) = draft.scripts.get(&moment) {
            let entry = Entry::bytes(script.clone().into_bytes(), 0o755);
            files.insert(super::path(format!(".scripts/{name}"))?, entry)?;
        }
    }
    Ok(())
}

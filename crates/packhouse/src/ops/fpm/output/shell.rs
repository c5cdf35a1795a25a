//! The output `sh`: an installer for bash with a tar archive of the files behind it.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use fs_err as fs;
use packhouse_package::archive::compress::Compression;
use packhouse_package::{Entry, Format, Moment, Options, Resources, tar};

use super::super::draft::Draft;
use super::super::log::Result;
use super::super::name::Tokens;
use super::{Context, Output};

/// The installer; `@BEFORE_INSTALL@` stands for the script that runs first.
const INSTALLER: &str = include_str!("shell/installer.sh");

pub(super) struct Shell {
    draft: Draft,
    full_version: String,
}

impl Shell {
    pub(super) fn new(draft: Draft) -> Shell {
        Shell { full_version: draft.full_version(), draft }
    }
}

impl Output for Shell {
    fn tokens(&self) -> Tokens<'_> {
        super::tokens(&self.draft, "sh", &self.full_version)
    }

    fn is_checked(&self) -> bool {
        false
    }

    fn write(mut self: Box<Self>, path: &Path, _shown: &str, context: &Context<'_>) -> Result<()> {
        let mut files = std::mem::take(&mut self.draft.files);
        super::forget_owners(&mut files);
        if let Some(script) = self.draft.scripts.get(&Moment::AfterInstall) {
            let entry = Entry::bytes(script.clone().into_bytes(), 0o755);
            files.insert(super::path(".fpm/after_install")?, entry)?;
        }
        files.complete();
        let before = self.draft.scripts.get(&Moment::BeforeInstall).map(String::as_str).unwrap_or_default();
        let installer = INSTALLER.replace("@BEFORE_INSTALL@\n", before);
        let tar = tar::Options { is_rooted: true };
        let options = Options { compression: Some(Compression::None), tar, ..Options::default() };
        let package = super::package(&self.draft, files, options, context.time);
        super::write_beside(path, |file| {
            file.write_all(installer.as_bytes())?;
            Ok(Format::Tar.get().write(&package, Resources::all(), file)?)
        })?;
        let mode = fs::metadata(path)?.permissions().mode();
        // As `chmod +x`, for whoever may read it.
        let executable = mode | ((mode & 0o444) >> 2);
        Ok(fs::set_permissions(path, std::fs::Permissions::from_mode(executable))?)
    }
}

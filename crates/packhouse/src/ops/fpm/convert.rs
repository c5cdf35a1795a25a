//! Packages as inputs.

use std::path::{Path, PathBuf};

use packhouse_project::fpm::CommandLine;

use super::draft::Draft;
use super::log::{Log, Result};
use crate::environment::Environment;

/// A directory for what is unpacked; gone when it is dropped.
pub(super) struct Scratch(#[expect(dead_code)] PathBuf);

impl Scratch {
    pub(super) fn new(_line: &CommandLine, environment: &Environment) -> Scratch {
        Scratch(environment.scratch())
    }
}

pub(super) fn read(
    _path: &Path,
    _from: &str,
    _draft: &mut Draft,
    _line: &CommandLine,
    _environment: &Environment,
    _scratch: &Scratch,
    _log: &Log<'_>,
) -> Result<()> {
    Err(anyhow::anyhow!("not yet").into())
}

pub(super) fn translate(_draft: &mut Draft, _from: &str, _to: &str, _log: &Log<'_>) {}

//! rpm's package format, version 4.

mod options;

pub use options::{Dependency, DependencyKind, FileDigest, Options, Trigger, TriggerMoment};

use crate::format::Output;
use crate::{Arch, Metadata, Package, PackageFormat, Resources, Result};

/// The rpm format.
pub struct Rpm;

impl PackageFormat for Rpm {
    fn name(&self) -> &'static str {
        "rpm"
    }

    fn arch(&self, arch: Arch) -> &'static str {
        arch.rpm()
    }

    fn file_name(&self, _metadata: &Metadata, _options: &crate::Options) -> Result<String> {
        unimplemented!()
    }

    fn write(&self, _package: &Package, _resources: Resources, _out: &mut dyn Output) -> Result<()> {
        unimplemented!()
    }
}

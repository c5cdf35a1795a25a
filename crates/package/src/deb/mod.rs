//! Debian's package format.

mod options;

pub use options::{Options, Systemd, SystemdUnit, Trigger};

use crate::format::Output;
use crate::{Arch, Metadata, Package, PackageFormat, Resources, Result};

/// The deb format.
pub struct Deb;

impl PackageFormat for Deb {
    fn name(&self) -> &'static str {
        "deb"
    }

    fn arch(&self, arch: Arch) -> &'static str {
        arch.deb()
    }

    fn file_name(&self, _metadata: &Metadata, _options: &crate::Options) -> Result<String> {
        unimplemented!()
    }

    fn write(&self, _package: &Package, _resources: Resources, _out: &mut dyn Output) -> Result<()> {
        unimplemented!()
    }
}

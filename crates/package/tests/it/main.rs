//! Behaviour of the package writers, judged by the distributions' own tools.

mod changed_files;
mod compressed_streams;
mod deb_fixture;
mod deb_hostile_input;
mod deb_lifecycle;
mod deb_reference;
mod deb_reproducible;
mod memory;
mod rpm_dump;
mod rpm_fixture;
mod rpm_format;
mod rpm_lifecycle;
mod rpm_lint;
mod rpm_pretrans;
mod rpm_reference;
mod together;
mod version_order;

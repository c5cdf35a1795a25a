//! Behaviour of the package writers, judged by the distributions' own tools.

mod compressed_streams;
mod deb_fixture;
mod deb_hostile_input;
mod deb_lifecycle;
mod deb_memory;
mod deb_reference;
mod deb_reproducible;
mod rpm_dump;
mod rpm_fixture;
mod rpm_format;
mod rpm_lifecycle;
mod rpm_lint;
mod rpm_memory;
mod rpm_reference;

//! Behaviour of the package writers, judged by the distributions' own tools.

mod compressed_streams;
mod rpm_dump;
mod rpm_fixture;
mod rpm_format;
mod rpm_lifecycle;
mod rpm_lint;
mod rpm_memory;
mod rpm_reference;

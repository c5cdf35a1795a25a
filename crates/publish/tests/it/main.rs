//! How the crate behaves as a whole, one file a behaviour.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

mod bad_answers;
mod checks_a_site;
mod cloudfront;
mod conformance;
mod crashes;
mod documented_format;
mod full_disk;
mod head_is_strict;
mod injector;
mod interleavings;
mod kills;
mod many_publishers;
mod moto;
mod native_signatures;
mod publishes_once;
mod server;
mod site;
mod store_operations;
mod web;

//! What a build gets and what it leaves.
#![expect(clippy::unwrap_used, reason = "a fixture that cannot be made is a failed test")]

mod docker_container;
mod engines;
mod host;
mod source;

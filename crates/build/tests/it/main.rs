//! What a build gets and what it leaves.
#![expect(clippy::unwrap_used, reason = "a fixture that cannot be made is a failed test")]

mod host;
mod source;

//! What a project's files mean, in packages that the real tools read.
#![expect(clippy::unwrap_used, reason = "a fixture that cannot be made is a failed test")]

mod fpm_flags;
mod package_keys;

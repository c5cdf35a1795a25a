//! The install script and the download page as customers meet them, one file a behaviour.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

mod customer;
mod download_page;
mod install_script;
mod installs;
mod refuses;

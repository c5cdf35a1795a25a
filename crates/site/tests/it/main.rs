//! The install script and the download page as customers meet them, one file a behaviour.

mod customer;
mod download_page;
mod install_script;
mod installs;
mod refuses;

//! `fpm.cmd`: a target's packaging, written as arguments for the program fpm.
//!
//! The file is split into words as a POSIX shell would ([`words`]), each flag is looked up in one table
//! ([`flags`]) that tells what it means and whether it makes sense in a target, and the meanings are gathered
//! in [`Arguments`]. Nothing is executed or expanded: `$(…)`, variables and globs stay as they are written.
//!
//! The same table is read by [`command_line`], for the command `packhouse fpm`, which takes every flag.

mod arguments;
pub mod command_line;
pub mod flags;
mod other_flags;
#[cfg(test)]
mod reference;
pub mod template;
pub mod words;

pub use arguments::{Arguments, parse, resolve};
pub use command_line::CommandLine;

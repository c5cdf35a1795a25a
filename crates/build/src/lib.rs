//! Runs a project's build: one [`Job`] in, one directory with its results out.
//!
//! A job runs in a **private copy** of the project's source ([`source`]): what Git tracks plus what it does
//! not ignore. So several jobs run side by side, and the caller's tree is never touched. The copy lies at a
//! path that depends on the job alone, because compilers write paths into what they make: the same commit
//! gives the same bytes wherever it was cloned.
//!
//! The only engine so far is [`engine::host`], which runs the commands on this machine.

pub mod engine;
mod error;
mod event;
pub mod job;
pub mod source;

pub use error::Error;
pub use event::Event;
pub use job::Job;
pub use source::{Revision, Source};

/// What this crate's functions return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

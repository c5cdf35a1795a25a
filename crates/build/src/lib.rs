//! Runs a project's build: one [`Job`] in, one directory with its results out.
//!
//! A job runs in a **private copy** of the project's source ([`source`]): what Git tracks plus what it does
//! not ignore. So several jobs run side by side, and the caller's tree is never touched. The copy lies at a
//! path that depends on the job alone, because compilers write paths into what they make: the same commit
//! gives the same bytes wherever it was cloned.
//!
//! An [`engine`] runs it: [`engine::host`] on this machine, [`engine::container`] in a container that is made from the
//! target's base image ([`image`]), by `docker` or `podman` ([`client`]).

pub mod client;
pub mod engine;
mod error;
mod event;
pub mod image;
pub mod job;
pub mod leftovers;
mod log;
pub mod registry;
mod secret;
pub mod source;
mod unpack;

pub use client::Client;
pub use error::{Error, Kept};
pub use event::{Event, OnEvent};
pub use image::{BaseImage, Image, ImageBuild};
pub use job::{ContainerJob, Job, Platform, SecretSource};
pub use secret::Secret;
pub use source::{AskedChanges, AskedRevision, Revision, Source};

/// What this crate's functions return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

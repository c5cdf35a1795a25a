//! Engines: where a job runs.

pub mod host;

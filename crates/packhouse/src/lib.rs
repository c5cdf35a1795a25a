//! Builds a project for many Linux distributions, packages, signs and publishes it.
//!
//! The program `packhouse` is a thin skin over [`ops`]: its commands turn arguments into options, call one
//! operation, and hand what it tells to [`output`], the only code that prints.

pub mod commands;
pub mod environment;
pub mod ops;
pub mod output;

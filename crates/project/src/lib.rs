//! What is to be released: a project's `dist/` tree, read whole and turned into a plan.
//!
//! Three steps, three types: [`ProjectFile`] is what the user wrote, every value with its place in its file;
//! [`Project`] is that plus the targets found on disk; [`Plan`] is what it means, one resolved
//! [`TargetPlan`] a target, with nothing left to look up.
//!
//! Whoever writes a tree wants to hear everything that is wrong with it at once: reading goes on after a
//! [`Problem`] and reports all of them together, each with file, line, reason and fix.
//!
//! | module | reads |
//! |---|---|
//! | [`file`](mod@file) | `dist/packhouse.toml` and `target.toml` |
//! | [`fpm`] | `fpm.cmd` |
//! | [`target`] | the directories `dist/<distribution>/<version>/` |
//! | [`version`] | `mix.exs`, `Cargo.toml`, `package.json`, `pyproject.toml`, `VERSION` |
//! | [`distribution`] | what Packhouse knows of distributions (`distributions.toml`) |

pub mod channel;
mod client;
mod container;
pub mod distribution;
mod error;
pub mod file;
pub mod fpm;
mod plan;
mod project;
mod reader;
mod retiring;
pub mod scaffold;
mod signing;
mod spec;
pub mod target;
pub mod version;

pub use client::{Client, Refusal, Refused};
pub use error::{Place, Problem, Problems, SourceFile};
pub use file::ProjectFile;
pub use plan::{EngineName, Facts, Plan, SignaturesRead, TargetPlan};
pub use project::{PROJECT_FILE, Project, Selection};
pub use retiring::{RETIRING_DAYS, Retiring, with_sign_keys};
pub use signing::{SigningCommand, SigningKey};
pub use target::Target;

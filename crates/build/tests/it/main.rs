//! What a build gets and what it leaves.

mod host;
mod source;

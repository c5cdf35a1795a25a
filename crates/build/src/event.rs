//! What happens while a job runs, for whoever shows it.

/// Something that happened to a job.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// Another run builds the same job; this one waits for it.
    Waiting,
    /// The source is being copied.
    Copying,
    /// A command starts.
    Command {
        /// Which one, from 1.
        number: usize,
        /// Of how many.
        total: usize,
        /// As the project wrote it.
        command: String,
    },
}

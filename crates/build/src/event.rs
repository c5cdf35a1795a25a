//! What happens while a job runs, for whoever shows it.

/// A function that is told what happens, from any thread.
pub type OnEvent<'a> = &'a (dyn Fn(Event) + Sync);

/// Something that happened to a job.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// Another run builds the same job; this one waits for it.
    Waiting,
    /// A base image is looked for, pulled, built or pushed.
    Image {
        /// What is done, as in `pulling registry.example.com/base:12-latest`.
        activity: String,
    },
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
    /// The results are being copied.
    Collecting,
    /// Something the user should know, whatever comes of it.
    Notice {
        /// A sentence.
        message: String,
    },
}

//! What is told while publishing.

use crate::ObjectPath;

/// One thing that happened; the order among objects of one step is not fixed.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Event {
    /// An object is being looked at and, if it is not there, copied.
    Started {
        /// Its name.
        path: ObjectPath,
        /// Its size in bytes.
        size: u64,
    },
    /// More of an object was copied.
    Progress {
        /// Its name.
        path: ObjectPath,
        /// How many bytes since the last such event.
        bytes: u64,
    },
    /// An object is on the site and was read back.
    Done {
        /// Its name.
        path: ObjectPath,
    },
    /// An object was on the site already.
    Unchanged {
        /// Its name.
        path: ObjectPath,
    },
    /// The head was replaced: the release is out.
    Committed {
        /// The site's new generation.
        generation: u64,
    },
    /// Another publisher was faster; the change is applied to its head.
    Superseded {
        /// The generation that was expected to be current.
        generation: u64,
    },
    /// A derived object was written.
    Replaced {
        /// Its name.
        path: ObjectPath,
    },
    /// A pointer names another package now.
    PointerMoved {
        /// The pointer.
        path: ObjectPath,
        /// The package file it names.
        file_name: String,
    },
    /// A pointer to nothing that is offered any more was removed.
    PointerRemoved {
        /// The pointer.
        path: ObjectPath,
    },
    /// An object that nothing names was deleted.
    Deleted {
        /// Its name.
        path: ObjectPath,
    },
}

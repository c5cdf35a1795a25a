//! What happens during an operation, for whoever shows it.

use std::time::Duration;

use serde::Serialize;

/// A function that is told what happens, from any thread.
pub type OnEvent<'a> = &'a (dyn Fn(Event) + Sync + Send);

/// Something that happened.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum Event {
    /// What is going to be done.
    Planned {
        /// The project.
        name: String,
        /// Its version.
        version: String,
        /// The short Git revision.
        revision: Option<String>,
        /// Where it will be published, if it will.
        to: Option<String>,
        /// The channel.
        channel: String,
        /// The targets, in order.
        targets: Vec<String>,
        /// How many are worked on at a time.
        at_a_time: usize,
    },
    /// Something the user should know, whatever comes of it.
    Notice {
        /// A sentence.
        message: String,
    },
    /// Something beside the work failed: the work is done, and the user has something to do. Also told to those who
    /// want quiet.
    Warning {
        /// What failed, and why.
        message: String,
        /// What to do.
        help: Option<String>,
    },
    /// A target has come further.
    Target {
        /// Which one.
        target: String,
        /// How far.
        #[serde(flatten)]
        stage: Stage,
    },
    /// Publishing begins.
    Publishing {
        /// How many packages.
        packages: usize,
        /// Their size together.
        bytes: u64,
    },
    /// Bytes of packages have reached the site.
    Uploaded {
        /// How many since the last time.
        bytes: u64,
    },
    /// A package is on the site.
    PackageDone,
}

/// How far a target is.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "stage", rename_all = "kebab-case")]
pub enum Stage {
    /// Its build is under way.
    Building {
        /// What is running.
        activity: String,
    },
    /// It is built.
    Built {
        /// How long that took; nothing for a staged tree.
        #[serde(serialize_with = "seconds")]
        took: Option<Duration>,
    },
    /// Its base image is being pushed.
    Pushing {
        /// To this name.
        reference: String,
    },
    /// Its base image is in the registry.
    Pushed {
        /// Its name, with the tag of the week.
        reference: String,
        /// The registry's digest of it.
        digest: String,
    },
    /// Its package is being written.
    Packaging {
        /// The format.
        format: &'static str,
    },
    /// Its package is written.
    Packaged {
        /// The format.
        format: &'static str,
        /// The package's file.
        file: String,
        /// Its size in bytes.
        size: u64,
        /// How its payload is compressed.
        compression: String,
    },
    /// Its package is signed.
    Signed {
        /// By this primary key.
        fingerprint: String,
    },
    /// It failed.
    Failed {
        /// What went wrong, cause by cause.
        error: String,
        /// How long it took to go wrong.
        #[serde(serialize_with = "seconds")]
        took: Option<Duration>,
    },
}

fn seconds<S: serde::Serializer>(took: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    took.map(|took| took.as_secs_f64()).serialize(serializer)
}

//! Publishing to a distribution site: the only code that touches the bucket.
//!
//! A site is a set of [`Object`]s in a [`Store`]. An object is either *immutable* (created once; the same
//! bytes again are fine, other bytes are refused) or *mutable* (replaced only by compare-and-swap); there is
//! no third kind. What the site offers is said by one small mutable object, the [`Head`] in `releases.json`.
//! [`publish`] works in three steps:
//!
//! 1. **content**: packages and their signatures are created and read back; nobody looks at them yet;
//! 2. **commit**: the changed head is swapped in. This one write *is* the release;
//! 3. **refresh**: what is derived from the head (signed list, keyring, page, install script) is rendered
//!    and swapped, pointers last, until it agrees with a head that did not move meanwhile.
//!
//! A reader that starts at a pointer therefore always finds what it names, whichever step a publisher died
//! in, and the same publication again does what is left. [`check_site`] walks a site the way `packhouse
//! verify` needs it.
//!
//! The crate does not build, sign or render: signatures come with the packages, and derived objects from a
//! function that the caller gives.

mod amend;
mod change;
mod check;
mod digest;
mod error;
mod event;
mod head;
mod list;
mod name;
mod object;
mod prune;
mod refresh;
mod source;
mod store;
mod transaction;
mod web;

pub mod layout;

pub use amend::{amend, repair};
pub use change::Selection;
pub use check::{Problem, Scope, SignatureCheck, SiteReport, check_listed, check_site};
pub use digest::{Digesting, Sha256};
pub use error::{BoxError, Error};
pub use event::Event;
pub use head::{Head, Latest, Package, Pointer, Retired, Signature, Yanked};
pub use list::{Derived, ReleaseList};
pub use object::{Body, Lifetime, Object, ObjectPath, PathError};
pub use prune::{PrunePlan, Pruned, Retention, plan_prune, prune};
pub use refresh::Current;
pub use source::{Source, is_web};
pub use store::{
    Access, CloudFront, ConditionalWrites, Created, Listed, LocalFile, ObjectStorage, Standing, StorageError,
    StorageErrorKind, Store, Swapped, Version,
};
pub use transaction::{AdoptionCheck, Publication, Published, Upload, preview, publish};
pub use web::{Web, WebError};

/// What this crate's functions return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A number below `limit`, by chance: std's per-map hash seed, which needs no clock and no further crate.
pub(crate) fn chance(limit: u64) -> u64 {
    use std::hash::BuildHasher as _;
    std::collections::hash_map::RandomState::new().hash_one(limit) % limit.max(1)
}

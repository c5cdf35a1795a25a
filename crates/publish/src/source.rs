//! Where a site is read from to be verified: its storage, or the web.

use std::path::Path;

use crate::store::LocalFile;
use crate::{Access, Error, Listed, ObjectPath, Result, Store, Web};

/// A site that is only read.
#[derive(Clone, Debug)]
pub enum Source {
    /// Its storage: everything in it can be listed.
    Store(Store),
    /// What the public gets: one can only ask for what one knows.
    Web(Web),
}

impl Source {
    /// The site at `to`: what [`Store::open`] takes, or an address that [`Web::open`] takes.
    ///
    /// # Errors
    /// As these two.
    pub fn open(to: &str, base: &Path, access: &Access) -> Result<Source> {
        match is_web(to) {
            true => Ok(Source::Web(Web::open(to)?)),
            false => Ok(Source::Store(Store::open(to, base, access)?)),
        }
    }

    /// Where it is, for people.
    pub fn name(&self) -> String {
        match self {
            Source::Store(store) => store.name(),
            Source::Web(web) => web.url().to_owned(),
        }
    }

    /// Reads a small object of at most `limit` bytes; `None` when it is not there.
    ///
    /// # Errors
    /// When it cannot be read or is larger.
    pub async fn read(&self, path: &ObjectPath, limit: u64) -> Result<Option<Vec<u8>>> {
        match self {
            Source::Web(web) => web.read(path, limit).await,
            Source::Store(store) => match store.read(path).await? {
                Some((bytes, _)) if bytes.len() as u64 > limit => {
                    Err(Error::TooLarge { path: path.as_str().into(), limit })
                }
                found => Ok(found.map(|(bytes, _)| bytes)),
            },
        }
    }

    /// As [`Store::local_file`]; of the web no more than `limit` bytes are taken.
    pub(crate) async fn local_file(
        &self,
        path: &ObjectPath,
        limit: u64,
        scratch: &Path,
    ) -> Result<Option<LocalFile>> {
        match self {
            Source::Web(web) => web.download(path, limit, scratch).await,
            Source::Store(store) => store.local_file(path, scratch).await,
        }
    }

    /// Everything that is there, where that can be known.
    pub(crate) async fn list(&self) -> Result<Option<Vec<Listed>>> {
        match self {
            Source::Web(_) => Ok(None),
            Source::Store(store) => store.list("").await.map(Some),
        }
    }
}

/// Whether an address is on the web.
pub fn is_web(to: &str) -> bool {
    let scheme = to.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
    matches!(scheme.as_deref(), Some("https" | "http"))
}

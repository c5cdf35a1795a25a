//! What was seen of a site before, so that it never goes back.
//!
//! An old list of releases is as well signed as a new one: until it expires, only the memory of a newer one tells
//! them apart (TUF calls the attack *rollback*, the specification's section 5.3.3 has the same remedy). One small
//! file a site lies in the user's data directory:
//!
//! | field | meaning |
//! |---|---|
//! | `format` | 1 |
//! | `site` | the address that the list was asked for at, else the one that it gives as its own |
//! | `name` | the project |
//! | `published-at` | the address that the list gave as its own, if any |
//! | `generation`, `sha256` | the newest head seen there: how often it had changed, and its digest |
//! | `at` | when, in Unix seconds |
//!
//! A file that is gone means that nothing was seen. One that is damaged, or from the future, is not taken for that:
//! somebody may want it forgotten.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use fs_err as fs;
use packhouse_publish::{ReleaseList, Sha256};
use serde::{Deserialize, Serialize};

use super::Refused;
use crate::environment::Environment;

const FORMAT: u64 = 1;
/// No such file is larger.
const LIMIT: u64 = 64 * 1024;
/// A clock may have been set back by this much since, in seconds.
const CLOCK_SKEW: i64 = 300;

/// The memory of one site.
pub(super) struct Seen {
    path: PathBuf,
    site: String,
}

/// How a list compares with what was seen before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Memory {
    /// Nothing of this site was seen before.
    First,
    /// It is as new as what was seen, or newer.
    Kept {
        /// The newest generation seen before.
        generation: u64,
    },
    /// Nothing is remembered: the list has no address on the web, or the user no directory to keep it in, or a time
    /// of the past was asked about.
    None,
}

#[derive(Serialize, Deserialize)]
struct Record {
    format: u64,
    site: String,
    name: String,
    #[serde(rename = "published-at", default, skip_serializing_if = "Option::is_none")]
    published_at: Option<String>,
    generation: u64,
    sha256: Sha256,
    at: i64,
}

impl Seen {
    /// The memory of the site at this address; none without a home.
    pub(super) fn of(site: &str, environment: &Environment) -> Option<Seen> {
        let site = site.trim_end_matches('/').to_owned();
        let digest = Sha256::of(site.as_bytes()).to_string();
        let name = format!("{}.json", digest.get(..32)?);
        Some(Seen { path: environment.data_directory()?.join("seen").join(name), site })
    }

    /// Compares a verified list with what was seen.
    ///
    /// # Errors
    /// [`Refused`] when the site went back, shows another list under the same number, or became another project's;
    /// when the memory is damaged.
    pub(super) fn compare(&self, list: &ReleaseList, now: i64) -> Result<Memory> {
        let Some(known) = self.read()? else { return Ok(Memory::First) };
        let head = list.head();
        if known.at > now + CLOCK_SKEW {
            let message = format!("{} says that it was written in the future", self.path.display());
            return Err(self.refuse(message, "set this machine's clock; if the file is wrong").into());
        }
        if known.name != head.name {
            let message =
                format!("{} had releases of `{}`, and now has `{}`", self.site, known.name, head.name);
            return Err(self.refuse(message, "if the site really changed hands").into());
        }
        // Two sites of one project and key, a trial and the real one, have lists that are alike but for this.
        if let Some(before) = known.published_at.as_ref().filter(|before| list.site.as_ref() != Some(before))
        {
            let now = list.site.as_deref().unwrap_or("no address");
            let message = format!("{} had the list of {before}, and now has that of {now}", self.site);
            return Err(self.refuse(message, "if the site really moved").into());
        }
        if head.generation < known.generation {
            let message = format!(
                "the list of releases went back: it is generation {}, and {} had {} before",
                head.generation, self.site, known.generation
            );
            let first = "somebody serves an old state of the site; if it was set up anew";
            return Err(self.refuse(message, first).into());
        }
        let digest = digest(list);
        if head.generation == known.generation && digest != known.sha256 {
            let message = format!(
                "there are two lists of releases of generation {}: sha256 {} was seen before, {digest} is there",
                head.generation, known.sha256
            );
            return Err(self
                .refuse(message, "somebody shows you another site than others; if it was set up anew")
                .into());
        }
        Ok(Memory::Kept { generation: known.generation })
    }

    /// Remembers a list that was verified in every respect. One that another process remembered meanwhile and that
    /// is newer stays.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn remember(&self, list: &ReleaseList, now: i64) -> Result<()> {
        let directory = self.path.parent().context("a file lies in a directory")?;
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .with_context(|| format!("cannot make {}", directory.display()))?;
        let _lock = lock(&directory.join("lock"))?;
        let head = list.head();
        if self.read()?.is_some_and(|known| known.generation > head.generation) {
            return Ok(());
        }
        let record = Record {
            format: FORMAT,
            site: self.site.clone(),
            name: head.name.clone(),
            published_at: list.site.clone(),
            generation: head.generation,
            sha256: digest(list),
            at: now,
        };
        let mut text =
            serde_json::to_string_pretty(&record).expect("a record holds only strings and numbers");
        text.push('\n');
        let unfinished = self.path.with_extension("unfinished");
        // Left by one that was killed; nobody else writes it while the lock is held.
        let _ = fs::remove_file(&unfinished);
        let write = || -> std::io::Result<()> {
            let mut file =
                std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()
        };
        write().with_context(|| format!("cannot write {}", unfinished.display()))?;
        fs::rename(&unfinished, &self.path)?;
        Ok(())
    }

    fn read(&self) -> Result<Option<Record>> {
        let mut text = String::new();
        match fs::File::open(&self.path) {
            Ok(file) => file.take(LIMIT).read_to_string(&mut text)?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let record: Result<Record, _> = serde_json::from_str(&text);
        match record {
            Ok(record) if record.format == FORMAT && record.site == self.site => Ok(Some(record)),
            _ => {
                let message = format!(
                    "{}, where what was seen of {} is remembered, is damaged",
                    self.path.display(),
                    self.site
                );
                Err(self.refuse(message, "if you know why").into())
            }
        }
    }

    fn refuse(&self, message: String, when: &str) -> Refused {
        let path = self.path.display();
        Refused::new(message, format!("{when}, forget what was seen: rm {path}"))
    }
}

/// The head's digest: a list that was only signed anew, with a later expiry, is the same.
fn digest(list: &ReleaseList) -> Sha256 {
    Sha256::of(&list.head().to_bytes())
}

fn lock(path: &Path) -> Result<std::fs::File> {
    let context = || format!("cannot lock {}", path.display());
    let options = std::fs::OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).clone();
    let file = options.open(path).with_context(context)?;
    file.lock().with_context(context)?;
    Ok(file)
}

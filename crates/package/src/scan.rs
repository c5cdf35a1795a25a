//! Finds what is in a directory of the build machine. Nearly all of it is waiting for the kernel to look things up, so
//! several threads look into the directories of a large tree.

use std::ffi::OsStr;
use std::num::NonZeroUsize;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use fs_err as fs;

use crate::{Entry, Error, PackagePath};

/// So many entries are found before others help: starting a thread takes as long as looking at a hundred.
const ALONE: usize = 500;

/// More threads wait for each other in the kernel.
const MOST_THREADS: usize = 4;

/// A directory, and where it is in the package; `None` is the root.
struct Directory {
    on_disk: PathBuf,
    at: Option<PackagePath>,
}

/// What a directory holds, and those in it that are to be looked into.
type Contents = (Vec<(PackagePath, Entry)>, Vec<Directory>);

/// What the threads share.
#[derive(Default)]
struct State {
    waiting: Vec<Directory>,
    /// How many directories threads are looking into.
    under_way: usize,
    found: Vec<(PackagePath, Entry)>,
    /// Of the directory whose path is the first.
    failure: Option<(Option<PackagePath>, Error)>,
}

struct Scan<'a> {
    skip: &'a [&'a str],
    state: Mutex<State>,
    /// Directories wait, or there will be no more.
    changed: Condvar,
}

/// Everything below `directory`, which is `at` in the package, sorted by path; without what is called `skip`. Links
/// are not followed.
///
/// # Errors
/// As [`Entry::from_disk`]; a name that no package can hold. Of several errors, the one whose directory comes first.
pub(crate) fn below(
    directory: &Path,
    at: Option<&PackagePath>,
    skip: &[&str],
) -> Result<Vec<(PackagePath, Entry)>, Error> {
    let first = Directory { on_disk: directory.to_owned(), at: at.cloned() };
    let state = State { waiting: vec![first], ..State::default() };
    let scan = Scan { skip, state: Mutex::new(state), changed: Condvar::new() };
    if !scan.work(ALONE) {
        let threads = thread::available_parallelism().map_or(1, NonZeroUsize::get).min(MOST_THREADS);
        thread::scope(|scope| {
            for _ in 1..threads {
                scope.spawn(|| scan.work(usize::MAX));
            }
            scan.work(usize::MAX);
        });
    }
    let State { mut found, failure, .. } = scan.state.into_inner().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, error)) = failure {
        return Err(error);
    }
    found.sort_by(|(path, _), (other, _)| path.cmp(other));
    Ok(found)
}

impl Scan<'_> {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks into directories until there are no more, or `most` entries are found; whether it is the former.
    fn work(&self, most: usize) -> bool {
        let mut state = self.lock();
        loop {
            let Some(directory) = state.waiting.pop() else {
                if state.under_way == 0 {
                    self.changed.notify_all();
                    return true;
                }
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            if state.found.len() >= most {
                state.waiting.push(directory);
                return false;
            }
            state.under_way += 1;
            drop(state);
            let contents = look_into(&directory, self.skip);
            state = self.lock();
            state.under_way -= 1;
            match contents {
                Ok((found, directories)) => {
                    state.found.extend(found);
                    if !directories.is_empty() {
                        state.waiting.extend(directories);
                        self.changed.notify_all();
                    }
                }
                Err(error) if state.failure.as_ref().is_none_or(|(first, _)| directory.at < *first) => {
                    state.failure = Some((directory.at, error));
                }
                Err(_) => {}
            }
        }
    }
}

fn look_into(directory: &Directory, skip: &[&str]) -> Result<Contents, Error> {
    let is_skipped = |name: &OsStr| skip.iter().any(|skipped| name.as_bytes() == skipped.as_bytes());
    let mut items = Vec::new();
    for item in fs::read_dir(&directory.on_disk)? {
        let item = item?;
        let name = item.file_name();
        if !is_skipped(&name) {
            // By its name in the open directory: the kernel need not walk there again.
            items.push((name, item.metadata()?));
        }
    }
    items.sort_by(|(name, _), (other, _)| name.cmp(other));
    let (mut found, mut directories) = (Vec::with_capacity(items.len()), Vec::new());
    for (name, metadata) in items {
        let on_disk = directory.on_disk.join(&name);
        let path = match &directory.at {
            Some(at) => at.join(name.as_bytes()),
            None => PackagePath::new(name.as_bytes()),
        }
        .map_err(|source| Error::Path { on_disk: on_disk.clone(), source })?;
        let entry = Entry::described(&on_disk, &metadata)?;
        if entry.is_directory() {
            directories.push(Directory { on_disk, at: Some(path.clone()) });
        }
        found.push((path, entry));
    }
    Ok((found, directories))
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    /// 40 directories, one in the other or side by side, of 30 files each.
    fn tree() -> tempfile::TempDir {
        let tree = tempfile::tempdir().unwrap();
        for number in 0..40 {
            let directory = tree.path().join(format!("a{}/b{}/c{number}", number % 3, number % 7));
            fs::create_dir_all(&directory).unwrap();
            for file in 0..30 {
                fs::write(directory.join(file.to_string()), b"").unwrap();
            }
        }
        tree
    }

    #[test]
    fn several_threads_find_everything_once_and_in_order() {
        let tree = tree();
        let at = PackagePath::new("opt/x").unwrap();
        let found = below(tree.path(), Some(&at), &["7"]).unwrap();
        assert!(found.len() > 2 * ALONE, "{}", found.len());
        assert!(found.is_sorted_by(|(path, _), (next, _)| path < next));
        assert_eq!(found.iter().filter(|(_, entry)| entry.is_file()).count(), 40 * 29);
        for (path, entry) in found {
            let on_disk = tree.path().join(path.to_string().strip_prefix("/opt/x/").unwrap());
            assert_eq!(on_disk.is_dir(), entry.is_directory(), "{path}");
        }
    }

    #[test]
    fn of_several_errors_the_first_is_said() {
        let tree = tree();
        for name in ["a2/b2/x", "a1/b1/x", "a1/b1/c1/z", "a1/b1/w"] {
            UnixListener::bind(tree.path().join(name)).unwrap();
        }
        for _ in 0..10 {
            let error = below(tree.path(), None, &[]).unwrap_err();
            assert!(error.to_string().contains("a1/b1/w"), "{error}");
        }
    }
}

//! Finds what is in a directory of the build machine. Nearly all of it is waiting for the kernel to look things up, so
//! several threads look into the directories of a large tree.

use std::ffi::OsStr;
use std::fs::Metadata;
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

/// Makes an entry of what is at a path, not followed, whose metadata these are.
pub(crate) type Describe<'a> = &'a (dyn Fn(&Path, &Metadata) -> Result<Entry, Error> + Sync);

/// A directory, and where it is in the package; `None` is the root.
struct Directory {
    on_disk: PathBuf,
    at: Option<PackagePath>,
    /// Where what it holds goes in [`State::contents`].
    number: usize,
}

/// What a directory holds, sorted by name.
#[derive(Default)]
struct Contents {
    entries: Vec<(PackagePath, Entry)>,
    /// The number of the first directory among them; the others have the next ones.
    first: usize,
}

/// What the threads share.
#[derive(Default)]
struct State {
    waiting: Vec<Directory>,
    /// How many directories threads are looking into.
    under_way: usize,
    /// Of each directory, by its number.
    contents: Vec<Contents>,
    /// How many entries there are in these.
    found: usize,
    /// Of the directory whose path is the first.
    failure: Option<(Option<PackagePath>, Error)>,
}

struct Scan<'a> {
    skip: &'a [&'a str],
    describe: Describe<'a>,
    state: Mutex<State>,
    /// Directories wait, or there will be no more.
    changed: Condvar,
}

/// Everything below `directory`, which is `at` in the package, sorted by path; without what is called `skip`. Links
/// are not followed.
///
/// # Errors
/// As `describe`; a name that no package can hold. Of several errors, the one whose directory comes first.
pub(crate) fn below(
    directory: &Path,
    at: Option<&PackagePath>,
    skip: &[&str],
    describe: Describe<'_>,
) -> Result<Vec<(PackagePath, Entry)>, Error> {
    let first = Directory { on_disk: directory.to_owned(), at: at.cloned(), number: 0 };
    let contents = vec![Contents::default()];
    let state = State { waiting: vec![first], contents, ..State::default() };
    let scan = Scan { skip, describe, state: Mutex::new(state), changed: Condvar::new() };
    if !scan.work(ALONE) {
        let threads = thread::available_parallelism().map_or(1, NonZeroUsize::get).min(MOST_THREADS);
        thread::scope(|scope| {
            for _ in 1..threads {
                scope.spawn(|| scan.work(usize::MAX));
            }
            scan.work(usize::MAX);
        });
    }
    let State { mut contents, found, failure, .. } =
        scan.state.into_inner().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, error)) = failure {
        return Err(error);
    }
    let mut sorted = Vec::with_capacity(found);
    put(&mut contents, 0, &mut sorted);
    Ok(sorted)
}

/// Puts what the directory of this number holds, and what is below it, in the order of paths. That is nearly the order
/// in which directories are gone through; but `a/b` comes after `a-b` and `a.b`, because a slash does.
fn put(contents: &mut [Contents], number: usize, sorted: &mut Vec<(PackagePath, Entry)>) {
    let Contents { entries, first: mut next } = std::mem::take(&mut contents[number]);
    // Directories whose contents come later; of the last one, first.
    let mut later: Vec<(PackagePath, usize)> = Vec::new();
    for (path, entry) in entries {
        while let Some((_, number)) = later.pop_if(|(directory, _)| is_behind(&path, directory)) {
            put(contents, number, sorted);
        }
        if entry.is_directory() {
            later.push((path.clone(), next));
            next += 1;
        }
        sorted.push((path, entry));
    }
    for (_, number) in later.into_iter().rev() {
        put(contents, number, sorted);
    }
}

/// Whether `path`, which is not in `directory` and comes after it, comes after what is in it, too.
fn is_behind(path: &PackagePath, directory: &PackagePath) -> bool {
    match path.as_bytes().strip_prefix(directory.as_bytes()) {
        Some([next, ..]) => *next > b'/',
        _ => true,
    }
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
            if state.found >= most {
                state.waiting.push(directory);
                return false;
            }
            state.under_way += 1;
            drop(state);
            let contents = self.look_into(&directory);
            state = self.lock();
            state.under_way -= 1;
            match contents {
                Ok(entries) => {
                    state.found += entries.len();
                    let first = state.contents.len();
                    for (path, _) in entries.iter().filter(|(_, entry)| entry.is_directory()) {
                        let number = state.contents.len();
                        state.contents.push(Contents::default());
                        let on_disk = directory.on_disk.join(OsStr::from_bytes(path.file_name()));
                        state.waiting.push(Directory { on_disk, at: Some(path.clone()), number });
                    }
                    if state.contents.len() > first {
                        self.changed.notify_all();
                    }
                    state.contents[directory.number] = Contents { entries, first };
                }
                Err(error) if state.failure.as_ref().is_none_or(|(first, _)| directory.at < *first) => {
                    state.failure = Some((directory.at, error));
                }
                Err(_) => {}
            }
        }
    }

    fn look_into(&self, directory: &Directory) -> Result<Vec<(PackagePath, Entry)>, Error> {
        let is_skipped = |name: &OsStr| self.skip.iter().any(|skipped| name.as_bytes() == skipped.as_bytes());
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
        let mut found = Vec::with_capacity(items.len());
        for (name, metadata) in items {
            let on_disk = directory.on_disk.join(&name);
            let path = match &directory.at {
                Some(at) => at.join(name.as_bytes()),
                None => PackagePath::new(name.as_bytes()),
            }
            .map_err(|source| Error::Path { on_disk: on_disk.clone(), source })?;
            found.push((path, (self.describe)(&on_disk, &metadata)?));
        }
        Ok(found)
    }
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
        let found = below(tree.path(), Some(&at), &["7"], &Entry::described).unwrap();
        assert!(found.len() > 2 * ALONE, "{}", found.len());
        assert!(found.is_sorted_by(|(path, _), (next, _)| path < next));
        assert_eq!(found.iter().filter(|(_, entry)| entry.is_file()).count(), 40 * 29);
        for (path, entry) in found {
            let on_disk = tree.path().join(path.to_string().strip_prefix("/opt/x/").unwrap());
            assert_eq!(on_disk.is_dir(), entry.is_directory(), "{path}");
        }
    }

    #[test]
    fn what_is_below_a_directory_comes_behind_names_that_go_on_before_a_slash() {
        let tree = tempfile::tempdir().unwrap();
        let files = ["a/c/x", "a/c-d", "a/c.e/y", "a!/x", "a-/b/x", "a-/b.x", "a.b", "a.b-", "a0/x", "ab"];
        for file in files {
            fs::create_dir_all(tree.path().join(file).parent().unwrap()).unwrap();
            fs::write(tree.path().join(file), b"").unwrap();
        }
        let found = below(tree.path(), None, &[], &Entry::described).unwrap();
        assert!(found.is_sorted_by(|(path, _), (next, _)| path < next), "{found:?}");
        let directories = ["a", "a/c", "a/c.e", "a!", "a-", "a-/b", "a0"];
        assert_eq!(found.len(), files.len() + directories.len());
    }

    #[test]
    fn of_several_errors_the_first_is_said() {
        let tree = tree();
        for name in ["a2/b2/x", "a1/b1/x", "a1/b1/c1/z", "a1/b1/w"] {
            UnixListener::bind(tree.path().join(name)).unwrap();
        }
        for _ in 0..10 {
            let error = below(tree.path(), None, &[], &Entry::described).unwrap_err();
            assert!(error.to_string().contains("a1/b1/w"), "{error}");
        }
    }
}

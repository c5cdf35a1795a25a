//! What a list of files must be that is there as a whole: an rpm's header, a zip's directory. (A tar's reader checks
//! each entry as it comes.)

use std::collections::{BTreeMap, BTreeSet};

use super::part::{Part, shown};
use crate::Result;

/// What lies above the files, each counted once.
const MOST_DIRECTORIES: u64 = 1 << 20;

/// No path comes twice, and none lies below a link or a file. Each with whether it is a directory; either all are
/// absolute, or none is.
///
/// # Errors
/// Naming the path where it is not so, and when there are too many directories.
pub(crate) fn check_tree<'a>(part: Part, paths: impl Iterator<Item = (&'a [u8], bool)>) -> Result<()> {
    let mut kinds: BTreeMap<&[u8], bool> = BTreeMap::new();
    for (path, is_directory) in paths {
        if kinds.insert(path, is_directory).is_some() {
            return Err(part.malformed(format!("`{}` comes twice", shown(path))));
        }
    }
    let mut checked: BTreeSet<&[u8]> = BTreeSet::new();
    for path in kinds.keys() {
        // From the nearest directory up, until one that was looked at before.
        let slashes = path.iter().enumerate().skip(1).rev().filter(|(_, byte)| **byte == b'/');
        for above in slashes.map(|(slash, _)| &path[..slash]) {
            if !checked.insert(above) {
                break;
            }
            if checked.len() as u64 > MOST_DIRECTORIES {
                return Err(part.beyond("directories above files", MOST_DIRECTORIES));
            }
            if kinds.get(above) == Some(&false) {
                let (path, above) = (shown(path), shown(above));
                return Err(part.malformed(format!("`{path}` lies below `{above}`, which is no directory")));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PART: Part = Part { format: "zip", name: "central directory" };

    #[test]
    fn directories_without_number_are_given_up_and_shared_ones_are_looked_at_once() {
        let deep = |first: u32| format!("{first}{}", "/d".repeat(2000)).into_bytes();
        let different: Vec<Vec<u8>> = (0..525).map(deep).collect();
        let error = check_tree(PART, different.iter().map(|path| (&path[..], false))).unwrap_err();
        assert!(matches!(error, crate::Error::BeyondLimit { limit: MOST_DIRECTORIES, .. }), "{error}");
        // Looking at all directories of each would compare terabytes.
        let same: Vec<Vec<u8>> =
            (0..50_000).map(|n| [&deep(0)[..], format!("/{n}").as_bytes()].concat()).collect();
        check_tree(PART, same.iter().map(|path| (&path[..], false))).unwrap();
    }
}

//! Versions in Alpine's grammar (apk-package(5), "PACKAGE NAMES AND VERSIONS"; apk-tools' `src/version.c`).
//!
//! `number{.number}…{letter}{_suffix{number}}…-r{number}`. A suffix is one of `alpha`, `beta`, `pre`, `rc` (before
//! the release), `cvs`, `svn`, `git`, `hg`, `p` (after it). There is no room for a target's name or a Git revision,
//! and no epoch, so what a package is tagged with is said in numbers:
//!
//! | element | becomes | as in |
//! |---|---|---|
//! | version `1.0.0~rc.1` | the version, its pre-release part a suffix | `1.0.0_rc1` |
//! | built `2305191200` | the first `_p` | `_p2305191200` |
//! | target `alpine-3.20` | the second `_p` (see [`target_number`]) | `_p320` |
//! | release | `-r`, 0 unless given | `-r0` |
//! | revision | not here: `commit` in `.PKGINFO` | |
//!
//! The time comes before everything that is no part of the version, and every version has it, so that a later
//! build of the same version sorts higher.
//!
//! What apk 2 and apk 3 both take is written: no `~hash`, which only apk 3 knows, and numbers of at most 17 digits,
//! which apk 2 counts to.

use crate::{Elements, Error, Metadata, Result, Version};

/// Suffixes that sort before the version they stand behind, as projects write them; longest first.
const PRE_RELEASES: [&str; 4] = ["alpha", "beta", "pre", "rc"];

const POST_RELEASES: [&str; 5] = ["cvs", "svn", "git", "hg", "p"];

/// apk 2 refuses longer numbers (`get_token` in its `src/version.c`).
const MOST_DIGITS: usize = 17;

/// `NAME-VERSION.apk`, which is where a repository's index expects a package (apk-mkndx(8), `--pkgname-spec`).
pub(super) fn file_name(metadata: &Metadata) -> Result<String> {
    Ok(format!("{}-{}.apk", metadata.name, spell(&metadata.version)?))
}

/// The version as `.PKGINFO` has it, with the release.
///
/// # Errors
/// When Alpine's grammar cannot say it.
pub(super) fn spell(version: &Version) -> Result<String> {
    let given = version.version.as_str();
    let refuse = |reason| Error::Version { version: given.to_owned(), format: "apk", reason };
    if version.epoch.is_some_and(|epoch| epoch != 0) {
        return Err(refuse("apk has no epoch; go on with a higher version instead"));
    }
    let own = match &version.elements {
        Some(elements) => elements.version.as_str(),
        None => given,
    };
    let (own, release) = match own.rsplit_once("-r") {
        Some((before, number)) if is_number(number) => (before, Some(number)),
        _ => (own, None),
    };
    let release = version.release.as_deref().or(release).unwrap_or("0");
    let mut text = normalize(own).map_err(refuse)?;
    if let Some(elements) = &version.elements {
        // apk takes `_alpha_p1` for newer than `_alpha1_p1`: it compares kinds of tokens before it looks into them.
        if text.contains('_') && text.ends_with(|c: char| c.is_ascii_alphabetic()) {
            text.push('0');
        }
        text.push_str(&tag(elements).map_err(refuse)?);
    }
    // abuild takes a number only (`pkgrel`), apk as well.
    if !is_number(release) {
        return Err(refuse("apk's release is a number, as in `-r0`"));
    }
    Ok(format!("{text}-r{release}"))
}

/// When it was built, and for which target.
fn tag(elements: &Elements) -> Result<String, &'static str> {
    let built: String = elements.built.chars().filter(char::is_ascii_digit).collect();
    if !is_number(&built) {
        return Err("apk's versions say the time it was built in 1 to 17 digits");
    }
    Ok(format!("_p{built}_p{}", target_number(&elements.target)?))
}

/// A target in digits, different for different targets, since the packages of all of them lie in one directory.
///
/// The numbers of its version, from the second on in two digits at least, so that 3.2 is not 32: `3.20` → `320`.
/// Letters become what a telephone's keys would dial: `wolfi-20230201` → `9653420230201`, `edge` → `3343`. Alpine
/// goes without saying, because the format is its own.
fn target_number(target: &str) -> Result<String, &'static str> {
    let mut number = String::new();
    let mut is_behind_number = false;
    for part in target.strip_prefix("alpine-").unwrap_or(target).split(['-', '.', '_']) {
        let is_digits = part.chars().all(|c| c.is_ascii_digit());
        if is_behind_number && is_digits && part.len() == 1 {
            number.push('0');
        }
        number.extend(part.chars().filter_map(dialled));
        is_behind_number = is_digits;
    }
    if is_number(&number) { Ok(number) } else { Err("apk's versions say the target in 1 to 17 digits") }
}

/// ITU-T E.161.
fn dialled(c: char) -> Option<char> {
    Some(match c.to_ascii_lowercase() {
        '0'..='9' => c,
        'a'..='c' => '2',
        'd'..='f' => '3',
        'g'..='i' => '4',
        'j'..='l' => '5',
        'm'..='o' => '6',
        'p'..='s' => '7',
        't'..='v' => '8',
        'w'..='z' => '9',
        _ => return None,
    })
}

/// A project's version in Alpine's grammar, without a release.
///
/// # Errors
/// Which part cannot be said, and what to do.
pub(super) fn normalize(given: &str) -> Result<String, &'static str> {
    let behind_v = given.strip_prefix('v').filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    let given = behind_v.unwrap_or(given);
    let numbers = given.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(given.len());
    // A separator in front of a suffix is the suffix's: `1.0.rc1`.
    let numbers = given[..numbers].trim_end_matches('.').len();
    let (mut text, mut rest) = (given[..numbers].to_owned(), &given[numbers..]);
    for number in text.split('.') {
        if !is_number(number) {
            return Err("it starts with numbers of 1 to 17 digits between full stops, as in `1.2.3`");
        }
    }
    let mut behind_letter = rest.chars();
    if let Some(letter @ 'a'..='z') = behind_letter.next()
        && !behind_letter.as_str().starts_with(|c: char| c.is_ascii_alphanumeric())
    {
        text.push(letter);
        rest = behind_letter.as_str();
    }
    while !rest.is_empty() {
        let (suffix, behind) = suffix(rest)?;
        text.push_str(&suffix);
        rest = behind;
    }
    Ok(text)
}

/// The suffix that `text` starts with, and what is behind it.
fn suffix(text: &str) -> Result<(String, &str), &'static str> {
    let unknown = Err(
        "behind the numbers apk knows `alpha`, `beta`, `pre` and `rc`, and after a release `cvs`, `svn`, `git`, `hg` \
         and `p`, each with a number, as in `1.0.0-rc.1` or `1.0.0_p1`",
    );
    if text.starts_with('+') {
        return Err("apk has no build metadata (`+…`); leave it out");
    }
    let word_and_rest = text.trim_start_matches(['-', '~', '_', '.']);
    let has_separator = word_and_rest.len() + 1 == text.len();
    let length = word_and_rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(word_and_rest.len());
    let (word, rest) = word_and_rest.split_at(length);
    let word = word.to_ascii_lowercase();
    let is_known =
        PRE_RELEASES.contains(&word.as_str()) || (has_separator && POST_RELEASES.contains(&word.as_str()));
    if !is_known || word_and_rest.len() + 1 < text.len() {
        return unknown;
    }
    // Semantic Versioning separates the number: `rc.1`.
    let behind =
        rest.strip_prefix(['.', '-']).filter(|behind| behind.starts_with(|c: char| c.is_ascii_digit()));
    let rest = behind.unwrap_or(rest);
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let (number, rest) = rest.split_at(digits);
    if !number.is_empty() && !is_number(number) {
        return Err("apk counts to numbers of 17 digits");
    }
    Ok((format!("_{word}{number}"), rest))
}

fn is_number(text: &str) -> bool {
    (1..=MOST_DIGITS).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether `text` is a version that apk takes as it stands, in what apk 2 and apk 3 have in common.
pub(super) fn is_valid(text: &str) -> bool {
    let version = match text.rsplit_once("-r") {
        Some((before, number)) if is_number(number) => before,
        _ => text,
    };
    normalize(version).is_ok_and(|normal| normal == version)
}

/// Whether `text` ends in a release, as in `1.2-r3`.
pub(super) fn has_release(text: &str) -> bool {
    text.rsplit_once("-r").is_some_and(|(_, number)| is_number(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn elements(version: &str, target: &str, built: &str) -> Version {
        Version {
            elements: Some(Elements {
                version: version.into(),
                target: target.into(),
                built: built.into(),
                revision: Some("01fd6b4".into()),
            }),
            ..Version::new(format!("{version}-{target}-{built}-01fd6b4"))
        }
    }

    #[test]
    fn versions_of_projects_become_alpines() {
        for (given, expected) in [
            ("1.2.3", "1.2.3-r0"),
            ("v1.2", "1.2-r0"),
            ("1.0.0~rc.1", "1.0.0_rc1-r0"),
            ("1.0.0-rc.1", "1.0.0_rc1-r0"),
            ("1.0.0-RC1", "1.0.0_rc1-r0"),
            ("1.0rc1", "1.0_rc1-r0"),
            ("1.0.0~beta2", "1.0.0_beta2-r0"),
            ("1.0.0-alpha", "1.0.0_alpha-r0"),
            ("1.0.0-pre-3", "1.0.0_pre3-r0"),
            ("1.0.2k", "1.0.2k-r0"),
            ("1.0_p1", "1.0_p1-r0"),
            ("1.0_rc1_git20230519", "1.0_rc1_git20230519-r0"),
            ("1.0-r7", "1.0-r7"),
            ("20230519", "20230519-r0"),
        ] {
            assert_eq!(spell(&Version::new(given)).unwrap(), expected, "{given}");
        }
        let released = Version { release: Some("3".into()), ..Version::new("1.0") };
        assert_eq!(spell(&released).unwrap(), "1.0-r3");
    }

    #[test]
    fn the_four_elements_become_numbers() {
        for (version, target, expected) in [
            ("0.1.0", "alpine-3.20", "0.1.0_p2305191200_p320-r0"),
            ("0.1.0", "alpine-3.2", "0.1.0_p2305191200_p302-r0"),
            ("1.0.0~alpha", "alpine-3.20", "1.0.0_alpha0_p2305191200_p320-r0"),
            ("1.0.2k", "alpine-3.20", "1.0.2k_p2305191200_p320-r0"),
            ("1.0.0~rc.1", "alpine-edge", "1.0.0_rc1_p2305191200_p3343-r0"),
            ("0.1.0", "wolfi-20230201", "0.1.0_p2305191200_p9653420230201-r0"),
        ] {
            assert_eq!(spell(&elements(version, target, "2305191200")).unwrap(), expected, "{target}");
        }
    }

    #[test]
    fn targets_do_not_share_a_number() {
        let targets = [
            "alpine-3.2",
            "alpine-3.20",
            "alpine-3.21",
            "alpine-32.0",
            "alpine-edge",
            "wolfi-3.20",
            "wolfi-latest",
        ];
        let numbers: std::collections::BTreeSet<String> =
            targets.iter().map(|target| target_number(target).unwrap()).collect();
        assert_eq!(numbers.len(), targets.len());
    }

    #[test]
    fn what_alpine_cannot_say_is_refused() {
        for wrong in [
            "",
            "abc",
            "v",
            ".1",
            "1..2",
            "1.0-dev",
            "1.0.0-rc.1.2",
            "1.0+build5",
            "1.0~~rc1",
            "1.0-2",
            "1.0p1",
            "1.0b2",
            "1 0",
            "1.0\npkgname = evil",
            "1.0/..",
            "ä",
            "123456789012345678",
            "1.0_p123456789012345678",
        ] {
            assert!(spell(&Version::new(wrong)).is_err(), "{wrong}");
        }
        assert!(spell(&Version { epoch: Some(1), ..Version::new("1.0") }).is_err());
        assert!(spell(&Version { release: Some("1.el9".into()), ..Version::new("1.0") }).is_err());
        assert!(spell(&elements("1.0", "a-very-long-target-name", "2305191200")).is_err());
    }
}

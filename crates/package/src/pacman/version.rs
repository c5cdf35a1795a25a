//! pacman's spelling of versions: `[EPOCH:]VERSION-RELEASE` (PKGBUILD(5), `epoch`, `pkgver`, `pkgrel`).
//!
//! libalpm splits at the first `:` and the last `-` (`parseEVR` in `lib/libalpm/version.c`), so the version itself has
//! neither. It also passes versions to the functions of `.INSTALL` as words of a shell's command line without quoting
//! them (`_alpm_runscriptlet` in `lib/libalpm/trans.c`): characters that mean something to a shell, which makepkg
//! allows, are refused here.

use crate::{Error, Result, Version};

/// The whole version, as in `.PKGINFO`: `-` becomes `_`, the release is 1 unless given, an epoch of 0 is left out.
///
/// # Errors
/// When a character is left that pacman does not allow, or the release is no number.
pub(super) fn full(version: &Version) -> Result<String> {
    let refuse = |version: &str, reason| Error::Version { version: version.into(), format: "pacman", reason };
    let spelled = version.version.replace('-', "_");
    if !is_version(&spelled) {
        let reason = "it starts with a letter or digit, and has only these and `.`, `_`, `+`, `~`, `^` (`-` becomes `_`)";
        return Err(refuse(&version.version, reason));
    }
    let release = version.release.as_deref().unwrap_or("1");
    if !is_release(release) {
        return Err(refuse(
            release,
            "a release is a number, as in `2`, or two, as in `2.1` (PKGBUILD(5), pkgrel)",
        ));
    }
    Ok(match version.epoch {
        None | Some(0) => format!("{spelled}-{release}"),
        Some(epoch) => format!("{epoch}:{spelled}-{release}"),
    })
}

/// Whether it is `[EPOCH:]VERSION[-RELEASE]`, which a relation compares with (`lint_pkgbuild/fullpkgver.sh`).
pub(super) fn is_full(version: &str) -> bool {
    let (epoch, rest) = version.split_once(':').unwrap_or(("0", version));
    let (version, release) = rest.rsplit_once('-').unwrap_or((rest, "1"));
    is_number(epoch) && is_version(version) && is_release(release)
}

fn is_version(version: &str) -> bool {
    let is_known = |c: char| c.is_ascii_alphanumeric() || "._+~^".contains(c);
    version.starts_with(|c: char| c.is_ascii_alphanumeric()) && version.chars().all(is_known)
}

fn is_release(release: &str) -> bool {
    match release.split_once('.') {
        Some((number, second)) => is_number(number) && is_number(second),
        None => is_number(release),
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.len() <= 10 && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spelled(epoch: Option<u32>, version: &str, release: Option<&str>) -> Result<String> {
        full(&Version { epoch, release: release.map(str::to_owned), ..Version::new(version) })
    }

    #[test]
    fn versions_are_spelled_as_pkgbuild_5_says() {
        let tagged = spelled(None, "0.1.0-arch-rolling-2305191200-01fd6b4", None).unwrap();
        assert_eq!(tagged, "0.1.0_arch_rolling_2305191200_01fd6b4-1");
        assert_eq!(spelled(Some(2), "1.0", Some("3.1")).unwrap(), "2:1.0-3.1");
        assert_eq!(spelled(Some(0), "1.0", None).unwrap(), "1.0-1");
    }

    #[test]
    fn what_pacman_or_its_shell_would_misread_is_refused() {
        for version in
            ["", "-1", "1:2", "1/2", "1 2", "1;reboot", "$(reboot)", "1`x`", "ä", "1*", "1\n2", "~1", "1'"]
        {
            assert!(spelled(None, version, None).is_err(), "{version}");
        }
        for release in ["", "1.el7", "1-2", "1.", ".1", "1.2.3", "a"] {
            assert!(spelled(None, "1", Some(release)).is_err(), "{release}");
        }
        for (version, is_right) in [
            ("1", true),
            ("1:1.0-2", true),
            ("1-64", true),
            ("1-2-3", false),
            ("a:1", false),
            ("", false),
            ("1-a", false),
        ] {
            assert_eq!(is_full(version), is_right, "{version}");
        }
    }
}

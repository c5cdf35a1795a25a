//! Every flag of fpm 1.17.0, and what it means in a target's `fpm.cmd`.
//!
//! One row a flag: its names, whether it takes a value, and its [`Role`] in a target. Flags that would name
//! what Packhouse names itself (input, output file, version) or that have no meaning here are refused with the
//! reason and the fix, never silently dropped.

/// A flag of fpm.
#[derive(Debug)]
pub struct Flag {
    /// Its long name, without dashes.
    pub long: &'static str,
    /// Its one-letter name.
    pub short: Option<char>,
    /// Whether it takes a value.
    pub value: Value,
    /// What it does in a target.
    pub role: Role,
}

/// Whether a flag takes a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    /// A switch; a package type's switch can be turned off with `--no-`.
    Switch,
    /// One value; the last one given counts.
    One,
    /// A value each time; all count.
    Many,
}

/// What a flag does in a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It shapes the package.
    Honoured,
    /// It does not shape the package, and does no harm.
    NoEffect,
    /// It cannot apply: why, and what to do instead.
    Refused(&'static str),
}

/// The flag called `name`: `--long`, `--no-long` (then also `true`) or `-s`.
pub fn find(name: &str) -> Option<(&'static Flag, bool)> {
    if let Some(long) = name.strip_prefix("--") {
        if let Some(flag) = FLAGS.iter().find(|flag| flag.long == long) {
            return Some((flag, false));
        }
        let positive = long.strip_prefix("no-")?;
        let flag = FLAGS.iter().find(|flag| flag.long == positive)?;
        return (flag.value == Value::Switch && is_of_a_type(flag)).then_some((flag, true));
    }
    let mut letters = name.strip_prefix('-')?.chars();
    let letter = letters.next()?;
    let flag = FLAGS.iter().find(|flag| flag.short == Some(letter))?;
    letters.next().is_none().then_some((flag, false))
}

/// As [`find`], with the flags of types that a target cannot have.
pub fn find_of_any_type(name: &str) -> Option<(&'static Flag, bool)> {
    let other = |long: &str| super::other_flags::OTHER_FLAGS.iter().find(|flag| flag.long == long);
    find(name).or_else(|| {
        let long = name.strip_prefix("--")?;
        let negative = || long.strip_prefix("no-").and_then(other).filter(|flag| flag.value == Value::Switch);
        other(long).map(|flag| (flag, false)).or_else(|| negative().map(|flag| (flag, true)))
    })
}

/// Every flag's names, one a line, for a help text.
pub fn list() -> String {
    let mut text = String::from("\nFlags:\n");
    for flag in FLAGS.iter().chain(super::other_flags::OTHER_FLAGS) {
        let short = flag.short.map(|letter| format!("-{letter}, ")).unwrap_or_default();
        let value = if flag.value == Value::Switch { "" } else { " VALUE" };
        text.push_str(&format!("    {short}--{}{value}\n", flag.long));
    }
    text
}

fn is_of_a_type(flag: &Flag) -> bool {
    ["deb-", "rpm-", "pacman-"].iter().any(|prefix| flag.long.starts_with(prefix))
}

const fn flag(long: &'static str, value: Value, role: Role) -> Flag {
    Flag { long, short: None, value, role }
}

const fn short(letter: char, long: &'static str, value: Value, role: Role) -> Flag {
    Flag { long, short: Some(letter), value, role }
}

use Role::{Honoured, NoEffect, Refused};
use Value::{Many, One, Switch};

const OF_THE_BUILD: Role = Refused(
    "Packhouse puts the package together; name files in [[files]] of dist/packhouse.toml, or lay them into inc/",
);
const OWNERS: Role = Refused(
    "the owners of files on the build machine mean nothing to a customer; set `owner` and `group` in [[files]]",
);
const GENERATORS: Role = Refused(
    "rpmbuild's dependency generators are not part of Packhouse; name what the package needs with -d",
);
const LANGUAGES: Role =
    Refused("only packages of other languages' package managers have it; a target packages files");

/// All of them; general ones first.
pub const FLAGS: &[Flag] = &[
    short('t', "output-type", One, Honoured),
    short('s', "input-type", One, Honoured),
    short('C', "chdir", One, OF_THE_BUILD),
    flag("prefix", One, Honoured),
    short('p', "package", One, Refused("Packhouse names the package by its version; leave it out")),
    short('f', "force", Switch, NoEffect),
    short('n', "name", One, Honoured),
    flag("log", One, NoEffect),
    flag("verbose", Switch, NoEffect),
    flag("debug", Switch, NoEffect),
    flag("debug-workspace", Switch, NoEffect),
    short(
        'v',
        "version",
        One,
        Refused(
            "the version comes from [version] in dist/packhouse.toml; for a fixed one: literal = \"1.2.3\"",
        ),
    ),
    flag("iteration", One, Honoured),
    flag("epoch", One, Honoured),
    flag("license", One, Honoured),
    flag("vendor", One, Honoured),
    flag("category", One, Honoured),
    short('d', "depends", Many, Honoured),
    flag("no-depends", Switch, Honoured),
    flag("no-auto-depends", Switch, NoEffect),
    flag("provides", Many, Honoured),
    flag("conflicts", Many, Honoured),
    flag("replaces", Many, Honoured),
    flag("config-files", Many, Honoured),
    flag("directories", Many, Honoured),
    short('a', "architecture", One, Honoured),
    short('m', "maintainer", One, Honoured),
    short('S', "package-name-suffix", One, Refused("fpm ignores it for files, too; use -n")),
    short('e', "edit", Switch, Refused("a release does not stop for an editor")),
    short('x', "exclude", Many, Honoured),
    flag("exclude-file", One, Honoured),
    flag("description", One, Honoured),
    flag("url", One, Honoured),
    flag("inputs", One, OF_THE_BUILD),
    flag("before-install", One, Honoured),
    flag("after-install", One, Honoured),
    flag("before-remove", One, Honoured),
    flag("after-remove", One, Honoured),
    flag("before-upgrade", One, Honoured),
    flag("after-upgrade", One, Honoured),
    flag("pre-install", One, Honoured),
    flag("post-install", One, Honoured),
    flag("pre-uninstall", One, Honoured),
    flag("post-uninstall", One, Honoured),
    flag("template-scripts", Switch, Honoured),
    flag("template-value", Many, Honoured),
    flag("workdir", One, NoEffect),
    flag("source-date-epoch-from-changelog", Switch, LANGUAGES),
    flag(
        "source-date-epoch-default",
        One,
        Refused("the time of a release is its commit's; set SOURCE_DATE_EPOCH for another"),
    ),
    flag("fpm-options-file", Many, Honoured),
    short('h', "help", Switch, Refused("`packhouse help` tells about Packhouse")),
    // deb
    flag("deb-compression", One, Honoured),
    flag("deb-compression-level", One, Honoured),
    flag("deb-priority", One, Honoured),
    flag("deb-recommends", Many, Honoured),
    flag("deb-suggests", Many, Honoured),
    flag("deb-pre-depends", Many, Honoured),
    flag(
        "deb-build-depends",
        Many,
        Refused("only source packages have build dependencies (Debian Policy 5.3)"),
    ),
    flag("deb-field", Many, Honoured),
    flag(
        "deb-custom-control",
        One,
        Refused("its name and version would contradict the package's; add fields with --deb-field"),
    ),
    flag("deb-dist", One, Honoured),
    flag("deb-changelog", One, Honoured),
    flag("deb-upstream-changelog", One, Honoured),
    flag("deb-generate-changes", Switch, Refused("a .changes file is for uploads to Debian's archive")),
    flag("deb-installed-size", One, Honoured),
    flag("deb-user", One, Honoured),
    flag("deb-group", One, Honoured),
    flag("deb-use-file-permissions", Switch, OWNERS),
    flag("deb-no-default-config-files", Switch, Honoured),
    flag("deb-auto-config-files", Switch, Honoured),
    flag("deb-init", Many, Honoured),
    flag("deb-default", Many, Honoured),
    flag(
        "deb-upstart",
        Many,
        Refused("no supported distribution starts services with upstart; use --deb-systemd"),
    ),
    flag("deb-systemd", Many, Honoured),
    flag("deb-systemd-path", One, Honoured),
    flag("deb-systemd-enable", Switch, Honoured),
    flag("deb-systemd-auto-start", Switch, Honoured),
    flag("deb-systemd-restart-after-upgrade", Switch, Honoured),
    flag("deb-after-purge", One, Honoured),
    flag("deb-maintainerscripts-force-errorchecks", Switch, Honoured),
    flag("deb-meta-file", Many, Honoured),
    flag("deb-config", One, Honoured),
    flag("deb-templates", One, Honoured),
    flag("deb-shlibs", One, Honoured),
    flag("deb-interest", Many, Honoured),
    flag("deb-activate", Many, Honoured),
    flag("deb-interest-noawait", Many, Honoured),
    flag("deb-activate-noawait", Many, Honoured),
    flag("deb-ignore-iteration-in-dependencies", Switch, Honoured),
    // rpm
    flag("rpm-os", One, Honoured),
    flag("rpm-compression", One, Honoured),
    flag("rpm-compression-level", One, Honoured),
    flag("rpm-digest", One, Honoured),
    flag("rpm-dist", One, Honoured),
    flag("rpm-user", One, Honoured),
    flag("rpm-group", One, Honoured),
    flag("rpm-defattrfile", One, Honoured),
    flag("rpm-defattrdir", One, Honoured),
    flag("rpm-attr", Many, Honoured),
    flag("rpm-use-file-permissions", Switch, OWNERS),
    flag("rpm-auto-add-directories", Switch, NoEffect), // Packhouse's rpm always owns its directories
    flag("rpm-auto-add-exclude-directories", Many, Honoured),
    flag("rpm-summary", One, Honoured),
    flag("rpm-changelog", One, Honoured),
    flag("rpm-tag", Many, Honoured),
    flag("rpm-rpmbuild-define", Many, Honoured),
    flag("rpm-init", Many, Honoured),
    flag("rpm-pretrans", One, Honoured),
    flag("rpm-posttrans", One, Honoured),
    flag("rpm-verifyscript", One, Honoured),
    flag("rpm-trigger-before-install", Many, Honoured),
    flag("rpm-trigger-after-install", Many, Honoured),
    flag("rpm-trigger-before-uninstall", Many, Honoured),
    flag("rpm-trigger-after-target-uninstall", Many, Honoured),
    flag("rpm-autoreqprov", Switch, GENERATORS),
    flag("rpm-autoreq", Switch, GENERATORS),
    flag("rpm-autoprov", Switch, GENERATORS),
    flag("rpm-filter-from-provides", Many, GENERATORS),
    flag("rpm-filter-from-requires", Many, GENERATORS),
    flag(
        "rpm-macro-expansion",
        Switch,
        Refused("macros would run on the build machine; scripts are packaged as they are written"),
    ),
    flag("rpm-sign", Switch, Refused("packages are signed as [sign] in dist/packhouse.toml says")),
    flag("rpm-ignore-iteration-in-dependencies", Switch, Honoured),
    flag("rpm-verbatim-gem-dependencies", Switch, LANGUAGES),
    flag("rpm-old-perl-dependency-name", Switch, LANGUAGES),
    // pacman
    flag("pacman-compression", One, Honoured),
    flag("pacman-user", One, Honoured),
    flag("pacman-group", One, Honoured),
    flag("pacman-use-file-permissions", Switch, OWNERS),
    flag("pacman-optional-depends", Many, Honoured),
];

/// Beginnings of the flags of inputs and outputs that a target cannot have.
pub const OTHER_TYPES: &[&str] = &[
    "cpan-",
    "freebsd-",
    "gem-",
    "npm-",
    "osxpkg-",
    "p5p-",
    "pear-",
    "pleaserun-",
    "python-",
    "snap-",
    "solaris-",
    "virtualenv-",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_stands_twice() {
        for (index, flag) in FLAGS.iter().enumerate() {
            for other in &FLAGS[index + 1..] {
                assert_ne!(flag.long, other.long);
                assert!(flag.short.is_none() || flag.short != other.short, "{}", flag.long);
            }
        }
    }

    #[test]
    fn flags_of_other_types_are_found_where_they_are_wanted() {
        assert!(find("--gem-bin-path").is_none());
        assert_eq!(find_of_any_type("--gem-bin-path").unwrap().0.value, Value::One);
        assert!(find_of_any_type("--no-gem-prerelease").unwrap().1);
        assert!(find_of_any_type("--no-gem-bin-path").is_none());
        for flag in super::super::other_flags::OTHER_FLAGS {
            let is_known = OTHER_TYPES.iter().any(|prefix| flag.long.starts_with(prefix));
            assert!(is_known || flag.long == "packhouse-sign", "{}", flag.long);
        }
    }

    #[test]
    fn flags_are_found_by_every_name() {
        assert_eq!(find("--depends").unwrap().0.long, "depends");
        assert_eq!(find("-d").unwrap().0.long, "depends");
        assert!(find("--no-deb-auto-config-files").unwrap().1);
        assert!(!find("--no-depends").unwrap().1, "a flag of its own");
        assert!(find("--no-verbose").is_none(), "general switches have no negative form");
        assert!(find("--nope").is_none());
    }
}

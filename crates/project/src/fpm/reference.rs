//! `docs/reference/fpm-cmd.md`, written from the table of flags; `UPDATE_DOCS=1` replaces it.

use std::fmt::Write as _;
use std::path::Path;

use fs_err as fs;

use super::flags::{FLAGS, Flag, OTHER_TYPES, Role, Value};

/// What each honoured flag does, in the words of the page.
const MEANINGS: &[(&str, &str)] = &[
    (
        "output-type",
        "the package's format: `deb`, `rpm`, `apk`, `pacman`, `tar` or `zip`. The one flag that every target must have",
    ),
    ("input-type", "only `dir`, which it is anyway"),
    ("prefix", "a directory that everything is put below"),
    ("name", "instead of `name`"),
    ("iteration", "instead of `[version] release`"),
    ("epoch", "instead of `[version] epoch`"),
    ("license", "instead of `license`"),
    ("vendor", "instead of `vendor`"),
    ("category", "instead of `category`"),
    ("depends", "added to `depends`"),
    ("no-depends", "no `depends` at all, wherever they are written"),
    ("provides", "added to `provides`"),
    ("conflicts", "added to `conflicts`"),
    ("replaces", "added to `replaces`"),
    ("config-files", "added to `config-files`"),
    (
        "directories",
        "rpm: a directory that the package owns, with those below it, although the distribution has it",
    ),
    ("architecture", "instead of `architecture`; `native` is the build's"),
    ("maintainer", "instead of `maintainer`"),
    ("exclude", "added to `exclude`"),
    ("exclude-file", "a file of patterns, one a line, added to `exclude`"),
    ("description", "instead of `summary` (its first line) and `description` (the rest)"),
    ("url", "instead of `homepage`"),
    ("before-install", "this script instead of `before-install.sh`"),
    ("after-install", "this script instead of `after-install.sh`"),
    ("before-remove", "this script instead of `before-remove.sh`"),
    ("after-remove", "this script instead of `after-remove.sh`"),
    ("before-upgrade", "this script instead of `before-upgrade.sh`"),
    ("after-upgrade", "this script instead of `after-upgrade.sh`"),
    ("pre-install", "the old name of `--before-install`"),
    ("post-install", "the old name of `--after-install`"),
    ("pre-uninstall", "the old name of `--before-remove`"),
    ("post-uninstall", "the old name of `--after-remove`"),
    ("template-scripts", "`<%= name %>` and its like are filled in, in maintainer scripts"),
    ("template-value", "`NAME=VALUE`: a further value for scripts; switches `--template-scripts` on"),
    ("fpm-options-file", "a file with further arguments"),
    ("deb-compression", "instead of `[package] compression`, for a deb"),
    ("deb-compression-level", "instead of `[package] compression-level`, for a deb"),
    ("deb-priority", "the field `Priority`; `optional` by default"),
    ("deb-recommends", "added to `recommends`, for a deb"),
    ("deb-suggests", "added to `suggests`, for a deb"),
    ("deb-pre-depends", "added to `pre-depends`, for a deb"),
    ("deb-field", "`Name: value`: a further control field"),
    ("deb-dist", "the suite in the changelog entry; `unstable` by default"),
    ("deb-changelog", "the text of `changelog.Debian.gz`; an entry is generated without it"),
    ("deb-upstream-changelog", "the text of `changelog.gz`"),
    ("deb-installed-size", "the installed size in KiB, instead of the computed one"),
    ("deb-user", "owns what has no owner of its own"),
    ("deb-group", "the group of what has no group of its own"),
    ("deb-no-default-config-files", "what is below `/etc` is not configuration just for that"),
    (
        "deb-auto-config-files",
        "files of `--deb-init` and `--deb-default` are configuration; on by default, `--no-deb-auto-config-files` switches it off",
    ),
    ("deb-init", "put into `/etc/init.d`"),
    ("deb-default", "put into `/etc/default`"),
    ("deb-systemd", "a unit, put into `--deb-systemd-path`, with the maintainer scripts' code for it"),
    ("deb-systemd-path", "`/lib/systemd/system` by default"),
    ("deb-systemd-enable", "enable the units after a first installation"),
    ("deb-systemd-auto-start", "start the units after a first installation"),
    ("deb-systemd-restart-after-upgrade", "restart the units after an upgrade; on by default"),
    ("deb-after-purge", "a script that runs when the package is purged"),
    ("deb-maintainerscripts-force-errorchecks", "generated maintainer scripts stop at a failing command"),
    ("deb-meta-file", "a further member of the control archive"),
    ("deb-config", "debconf's `config`"),
    ("deb-templates", "debconf's `templates`"),
    ("deb-shlibs", "the text of the `shlibs` member"),
    ("deb-interest", "a trigger (deb-triggers(5))"),
    ("deb-activate", "a trigger (deb-triggers(5))"),
    ("deb-interest-noawait", "a trigger (deb-triggers(5))"),
    ("deb-activate-noawait", "a trigger (deb-triggers(5))"),
    ("deb-ignore-iteration-in-dependencies", "`foo = 1.2.3` becomes `foo (>= 1.2.3), foo (<< 1.2.4)`"),
    ("rpm-os", "only `linux`, which it is anyway"),
    ("rpm-compression", "instead of `[package] compression`, for an rpm; `xzmt` is `xz`"),
    ("rpm-compression-level", "instead of `[package] compression-level`, for an rpm"),
    ("rpm-digest", "of the files: `sha256` (default), `sha384` or `sha512`; older ones are refused"),
    ("rpm-dist", "behind the release, as in `1.el9`"),
    ("rpm-user", "owns what has no owner of its own"),
    ("rpm-group", "the group of what has no group of its own"),
    ("rpm-defattrfile", "the mode of files; `-` keeps theirs"),
    ("rpm-defattrdir", "the mode of directories; `-` keeps theirs"),
    ("rpm-attr", "`MODE,USER,GROUP:PATH`; `-` keeps what is there"),
    ("rpm-auto-add-exclude-directories", "a directory that the package does not own"),
    ("rpm-summary", "the summary, for an rpm"),
    ("rpm-changelog", "a file with the changelog"),
    ("rpm-tag", "`Tag: value`: a relation (`Requires(post): systemd`), `Distribution`, `BugURL` or `Prefix`"),
    ("rpm-rpmbuild-define", "only definitions that switch off what Packhouse never does (`_build_id_links`)"),
    ("rpm-init", "put into `/etc/init.d` under the package's name"),
    ("rpm-pretrans", "a script that runs before the transaction"),
    ("rpm-posttrans", "a script that runs after the transaction"),
    ("rpm-verifyscript", "a script that `rpm --verify` runs"),
    ("rpm-trigger-before-install", "`PACKAGE: FILE` or `[-p INTERPRETER]PACKAGE: FILE`"),
    ("rpm-trigger-after-install", "the same"),
    ("rpm-trigger-before-uninstall", "the same"),
    ("rpm-trigger-after-target-uninstall", "the same"),
    ("rpm-ignore-iteration-in-dependencies", "`foo = 1.2.3` becomes `foo >= 1.2.3` and `foo < 1.2.4`"),
    ("pacman-compression", "instead of `[package] compression`, for a package of pacman's"),
    ("pacman-user", "owns what has no owner of its own"),
    ("pacman-group", "the group of what has no group of its own"),
    ("pacman-optional-depends", "`PACKAGE: REASON`: an `optdepend`"),
];

const INTRODUCTION: &str = "\
# `fpm.cmd`

<!-- Written from crates/project/src/fpm/flags.rs; UPDATE_DOCS=1 cargo test -p packhouse-project writes it anew. -->

A target's packaging, as arguments for [fpm](https://fpm.readthedocs.io/) 1.17.0. The file is required, and the
shortest is the package's format, as in `-t deb`. This is a target's `fpm.cmd`, complete:

```sh
-t deb
--category devel
-d \"libc6 (>= 2.34)\" -d libgcc-s1   # as many lines as you like
--after-remove cleanup.sh
```

- The text is split into words as a shell would: quotes, backslashes, comments and several lines work. Nothing is
  expanded or run: `$(…)`, variables and globs stay as they are written.
- A flag takes its value as `--flag value` or `--flag=value`, a short one also as `-fvalue`. Package types' switches
  have a negative form, `--no-deb-…`.
- A file that a flag names is looked for in the target's directory, then in the project's, and must be inside it.
- **Precedence.** Flags that can be given several times *add* to the lists of
  [`dist/packhouse.toml`](packhouse-toml.md) and `target.toml`; flags with one value *replace* the value there, and
  the last one counts.
- Flags for the other format do nothing: an rpm has no use for `--deb-priority`.
- Every other flag is an error with its line and, where one is near, the flag that was meant. That includes other
  package types' (";

fn render() -> String {
    let mut page = INTRODUCTION.to_owned();
    let types: Vec<String> = OTHER_TYPES.iter().map(|prefix| format!("`--{prefix}…`")).collect();
    let _ = writeln!(page, "{}).", types.join(", "));
    let sections = [("Any package", ""), ("deb", "deb-"), ("rpm", "rpm-")];
    for (title, prefix) in sections {
        let _ = writeln!(page, "\n## {title}\n\n| flag | value | meaning in a target |\n|---|---|---|");
        for flag in FLAGS.iter().filter(|flag| section(flag) == prefix) {
            let _ = writeln!(page, "| {} | {} | {} |", names(flag), values(flag), meaning(flag));
        }
    }
    page
}

fn section(flag: &Flag) -> &'static str {
    ["deb-", "rpm-"].into_iter().find(|prefix| flag.long.starts_with(prefix)).unwrap_or("")
}

fn names(flag: &Flag) -> String {
    match flag.short {
        Some(letter) => format!("`--{}`, `-{letter}`", flag.long),
        None => format!("`--{}`", flag.long),
    }
}

fn values(flag: &Flag) -> &'static str {
    match flag.value {
        Value::Switch => "",
        Value::One => "one",
        Value::Many => "several",
    }
}

fn meaning(flag: &Flag) -> String {
    let found = MEANINGS.iter().find(|(long, _)| *long == flag.long);
    match (flag.role, found) {
        (Role::Honoured, Some((_, meaning))) => (*meaning).to_owned(),
        (Role::NoEffect, None) => "*no effect*: accepted, and the package is the same without it".to_owned(),
        (Role::Refused(reason), None) => format!("**refused**: {reason}"),
        (role, _) => panic!("--{} is {role:?}: MEANINGS disagrees", flag.long),
    }
}

#[test]
fn the_page_of_flags_says_what_the_table_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/fpm-cmd.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, render()).unwrap();
    }
    let there = fs::read_to_string(&path).unwrap_or_default();
    assert!(there == render(), "docs/reference/fpm-cmd.md is stale: UPDATE_DOCS=1 cargo test writes it anew");
}

//! The environment: every variable Packhouse looks at, read once and in one place.
//!
//! Below this nothing reads variables, the clock or the current directory.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use packhouse_sign::Secret;

/// The time that packages carry, in Unix seconds (<https://reproducible-builds.org/specs/source-date-epoch/>);
/// the commit's time when unset.
pub const SOURCE_DATE_EPOCH: &str = "SOURCE_DATE_EPOCH";
/// The armored secret key that signs, instead of the one that the project names.
pub const SIGNING_KEY: &str = "PACKHOUSE_SIGNING_KEY";
/// The pass phrase of the signing key.
pub const SIGNING_PASSPHRASE: &str = "PACKHOUSE_SIGNING_PASSPHRASE";
/// A file with the pass phrase of the signing key.
pub const SIGNING_PASSPHRASE_FILE: &str = "PACKHOUSE_SIGNING_PASSPHRASE_FILE";
/// What CI is building, as GitHub Actions sets it: `refs/heads/main`. Decides the channel.
pub const GITHUB_REF: &str = "GITHUB_REF";
/// Where the development key is kept: `$XDG_DATA_HOME/packhouse`, by default `~/.local/share/packhouse`.
pub const XDG_DATA_HOME: &str = "XDG_DATA_HOME";
/// The user's directory.
pub const HOME: &str = "HOME";
/// Where private copies of the source are built; `/tmp` when unset.
pub const TMPDIR: &str = "TMPDIR";
/// `packhouse fpm`: further arguments, in front of the command line's.
pub const FPMOPTS: &str = "FPMOPTS";
/// `packhouse fpm`: the maintainer's name, where no flag says who that is; only with `DEBEMAIL`.
pub const DEBFULLNAME: &str = "DEBFULLNAME";
/// `packhouse fpm`: the maintainer's address.
pub const DEBEMAIL: &str = "DEBEMAIL";
/// `packhouse fpm`: the maintainer, at this host, where nothing else says who that is.
pub const USER: &str = "USER";
/// No colours when set (<https://no-color.org>).
pub const NO_COLOR: &str = "NO_COLOR";

/// The variables, the clock and the current directory, as they were when the program started.
pub struct Environment {
    variables: Vec<(String, String)>,
    /// Absolute.
    pub current_directory: PathBuf,
    /// Now.
    pub now: Timestamp,
    /// The user's number; part of the name of the directory for builds.
    pub user: u32,
    /// This machine's name.
    pub host: String,
    /// Its kernel's word for the architecture, as in `x86_64`.
    pub machine: String,
}

impl Environment {
    /// Looks around. Variables that are not UTF-8 are left out: none that matters can be.
    ///
    /// # Errors
    /// When the current directory is gone.
    pub fn gather() -> std::io::Result<Environment> {
        let variables = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        let system = rustix::system::uname();
        Ok(Environment {
            variables,
            host: system.nodename().to_string_lossy().into_owned(),
            machine: system.machine().to_string_lossy().into_owned(),
            current_directory: std::env::current_dir()?,
            now: Timestamp::now(),
            user: rustix::process::geteuid().as_raw(),
        })
    }

    /// A variable; an empty one counts as unset.
    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.variables.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// A variable that holds a secret.
    pub fn secret(&self, name: &str) -> Option<Secret> {
        self.get(name).map(|value| Secret::new(value.as_bytes()))
    }

    /// Every variable; the host engine picks those that a build may see.
    pub fn variables(&self) -> &[(String, String)] {
        &self.variables
    }

    /// The directory for builds, an absolute path.
    pub fn scratch(&self) -> PathBuf {
        self.current_directory
            .join(self.get(TMPDIR).unwrap_or("/tmp"))
            .join(format!("packhouse-{}", self.user))
    }

    /// The directory for what Packhouse keeps of this user's.
    pub fn data_directory(&self) -> Option<PathBuf> {
        let base = match self.get(XDG_DATA_HOME) {
            Some(directory) if directory.starts_with('/') => PathBuf::from(directory),
            _ => Path::new(self.get(HOME)?).join(".local/share"),
        };
        Some(base.join("packhouse"))
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use fs_err as fs;

    use super::*;

    const INTRODUCTION: &str = "\
# Environment variables

<!-- Written from crates/packhouse/src/environment.rs; UPDATE_DOCS=1 cargo test -p packhouse writes it anew. -->

Packhouse looks at these and at no others. An empty variable counts as unset. Programs that it runs for you (`docker`,
`podman`, `git`, `gpg`) look at their own.

| variable | meaning |
|---|---|
";

    const BUILDS: &str = "
## What a build sees

On the host engine a build's commands get `[build] environment` and, of the caller's variables, only those below:
where tools are and keep their caches, proxies. Keys, pass phrases and credentials of the release are not among them.
`LC_ALL` is `C.UTF-8`, `TZ` is `UTC`, and `SOURCE_DATE_EPOCH` the time that packages carry, unless `[build] environment`
says otherwise. In [a container](engines.md#who-and-where) it gets none of the caller's variables.

";

    const SECRETS: &str = "
Secrets in the environment can be read by the user's other processes. Where files are possible, prefer `[sign]
key-file` and `PACKHOUSE_SIGNING_PASSPHRASE_FILE`; see
[Sign with your own key](../guides/sign-with-your-own-key.md).
";

    /// The constants above, with what is said of them.
    fn table(source: &str) -> String {
        let mut table = String::new();
        let mut said = String::new();
        for line in source.lines() {
            if let Some(text) = line.strip_prefix("/// ") {
                said = format!("{said} {text}");
            } else if let Some((_, value)) =
                line.strip_prefix("pub const ").and_then(|it| it.split_once("\""))
            {
                let name = value.trim_end_matches("\";");
                let _ = writeln!(table, "| `{name}` | {} |", said.trim().trim_end_matches('.'));
                said.clear();
            } else {
                said.clear();
            }
        }
        table
    }

    fn passed_on(source: &str) -> String {
        let list = source.split_once("PASSED_ON: &[&str] = &[").and_then(|(_, rest)| rest.split_once("];"));
        let (list, _) = list.expect("the host engine has a list of variables");
        let names: Vec<String> = list.split('"').skip(1).step_by(2).map(|name| format!("`{name}`")).collect();
        format!("{}.\n", names.join(", "))
    }

    #[test]
    fn the_page_of_variables_says_what_the_code_says() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let host = fs::read_to_string(root.join("crates/build/src/engine/host.rs")).unwrap();
        let table = table(include_str!("environment.rs"));
        let page = [INTRODUCTION, &table, SECRETS, BUILDS, &passed_on(&host)].concat();
        let path = root.join("docs/reference/environment.md");
        if std::env::var_os("UPDATE_DOCS").is_some() {
            fs::write(&path, &page).unwrap();
        }
        let there = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            there == page,
            "docs/reference/environment.md is stale: UPDATE_DOCS=1 cargo test writes it anew"
        );
    }
}

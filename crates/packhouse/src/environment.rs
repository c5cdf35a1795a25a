//! The environment: every variable Packhouse looks at, read once and in one place.
//!
//! Below this nothing reads variables, the clock or the current directory.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use packhouse_publish::Access;
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
/// The RSA key, in PEM, that signs packages of apk, instead of the one that the project names; with `apk-key-name`.
pub const APK_KEY: &str = "PACKHOUSE_APK_KEY";
/// The armored secret key that is being replaced and still signs; goes before the project's.
pub const RETIRING_KEY: &str = "PACKHOUSE_RETIRING_KEY";
/// The pass phrase of the retiring key.
pub const RETIRING_PASSPHRASE: &str = "PACKHOUSE_RETIRING_PASSPHRASE";
/// A file with the pass phrase of the retiring key.
pub const RETIRING_PASSPHRASE_FILE: &str = "PACKHOUSE_RETIRING_PASSPHRASE_FILE";
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
/// An S3 access key's two halves, and the token of a session; before profiles.
pub const AWS_ACCESS_KEY_ID: &str = "AWS_ACCESS_KEY_ID";
/// See `AWS_ACCESS_KEY_ID`.
pub const AWS_SECRET_ACCESS_KEY: &str = "AWS_SECRET_ACCESS_KEY";
/// See `AWS_ACCESS_KEY_ID`.
pub const AWS_SESSION_TOKEN: &str = "AWS_SESSION_TOKEN";
/// The profile of `~/.aws/config` and `~/.aws/credentials`; `default` when unset.
pub const AWS_PROFILE: &str = "AWS_PROFILE";
/// Another name for `AWS_PROFILE`.
pub const AWS_DEFAULT_PROFILE: &str = "AWS_DEFAULT_PROFILE";
/// Another file than `~/.aws/config`.
pub const AWS_CONFIG_FILE: &str = "AWS_CONFIG_FILE";
/// Another file than `~/.aws/credentials`.
pub const AWS_SHARED_CREDENTIALS_FILE: &str = "AWS_SHARED_CREDENTIALS_FILE";
/// The bucket's region; else the profile's, else `us-east-1`.
pub const AWS_REGION: &str = "AWS_REGION";
/// Another name for `AWS_REGION`.
pub const AWS_DEFAULT_REGION: &str = "AWS_DEFAULT_REGION";
/// The server of storage that speaks like S3: `https://…`, or `http://…` on a trusted network.
pub const AWS_ENDPOINT_URL_S3: &str = "AWS_ENDPOINT_URL_S3";
/// The same for all of AWS's services; `AWS_ENDPOINT_URL_S3` comes first.
pub const AWS_ENDPOINT_URL: &str = "AWS_ENDPOINT_URL";
/// The server that speaks like CloudFront; before `AWS_ENDPOINT_URL`.
pub const AWS_ENDPOINT_URL_CLOUDFRONT: &str = "AWS_ENDPOINT_URL_CLOUDFRONT";
/// A file of certificates to trust besides the system's.
pub const AWS_CA_BUNDLE: &str = "AWS_CA_BUNDLE";
/// A file with a web identity token (EKS, OIDC in CI), with `AWS_ROLE_ARN` and `AWS_ROLE_SESSION_NAME`.
pub const AWS_WEB_IDENTITY_TOKEN_FILE: &str = "AWS_WEB_IDENTITY_TOKEN_FILE";
/// The role that a web identity takes.
pub const AWS_ROLE_ARN: &str = "AWS_ROLE_ARN";
/// What that session is called in logs.
pub const AWS_ROLE_SESSION_NAME: &str = "AWS_ROLE_SESSION_NAME";
/// Where a web identity is exchanged for keys.
pub const AWS_ENDPOINT_URL_STS: &str = "AWS_ENDPOINT_URL_STS";
/// Where a container of ECS gets keys.
pub const AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: &str = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI";
/// Where a pod of EKS gets keys, with `AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE`.
pub const AWS_CONTAINER_CREDENTIALS_FULL_URI: &str = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
/// The token for that.
pub const AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE";
/// Google's application default credentials; else those of `gcloud auth application-default login`, else the machine's.
pub const GOOGLE_APPLICATION_CREDENTIALS: &str = "GOOGLE_APPLICATION_CREDENTIALS";
/// An emulator of Google Cloud Storage, without credentials.
pub const STORAGE_EMULATOR_HOST: &str = "STORAGE_EMULATOR_HOST";
/// Azure's storage account.
pub const AZURE_STORAGE_ACCOUNT: &str = "AZURE_STORAGE_ACCOUNT";
/// Another name for `AZURE_STORAGE_ACCOUNT`.
pub const AZURE_STORAGE_ACCOUNT_NAME: &str = "AZURE_STORAGE_ACCOUNT_NAME";
/// Its key.
pub const AZURE_STORAGE_KEY: &str = "AZURE_STORAGE_KEY";
/// Another name for `AZURE_STORAGE_KEY`.
pub const AZURE_STORAGE_ACCOUNT_KEY: &str = "AZURE_STORAGE_ACCOUNT_KEY";
/// Another name for `AZURE_STORAGE_KEY`.
pub const AZURE_STORAGE_ACCESS_KEY: &str = "AZURE_STORAGE_ACCESS_KEY";
/// A shared access signature instead of a key.
pub const AZURE_STORAGE_SAS_TOKEN: &str = "AZURE_STORAGE_SAS_TOKEN";
/// Account, key and endpoint in one.
pub const AZURE_STORAGE_CONNECTION_STRING: &str = "AZURE_STORAGE_CONNECTION_STRING";
/// Another server than the account's.
pub const AZURE_STORAGE_ENDPOINT: &str = "AZURE_STORAGE_ENDPOINT";
/// An identity of Microsoft Entra, with `AZURE_TENANT_ID` and a secret or a federated token.
pub const AZURE_CLIENT_ID: &str = "AZURE_CLIENT_ID";
/// Its tenant.
pub const AZURE_TENANT_ID: &str = "AZURE_TENANT_ID";
/// Its secret.
pub const AZURE_CLIENT_SECRET: &str = "AZURE_CLIENT_SECRET";
/// A file with its federated token.
pub const AZURE_FEDERATED_TOKEN_FILE: &str = "AZURE_FEDERATED_TOKEN_FILE";
/// No colours when set (<https://no-color.org>).
pub const NO_COLOR: &str = "NO_COLOR";

/// What [`Environment::access`] hands over.
const FOR_STORAGE: &[&str] = &[
    AWS_ACCESS_KEY_ID,
    AWS_SECRET_ACCESS_KEY,
    AWS_SESSION_TOKEN,
    AWS_PROFILE,
    AWS_DEFAULT_PROFILE,
    AWS_CONFIG_FILE,
    AWS_SHARED_CREDENTIALS_FILE,
    AWS_REGION,
    AWS_DEFAULT_REGION,
    AWS_ENDPOINT_URL_S3,
    AWS_ENDPOINT_URL,
    AWS_ENDPOINT_URL_CLOUDFRONT,
    AWS_CA_BUNDLE,
    AWS_WEB_IDENTITY_TOKEN_FILE,
    AWS_ROLE_ARN,
    AWS_ROLE_SESSION_NAME,
    AWS_ENDPOINT_URL_STS,
    AWS_CONTAINER_CREDENTIALS_RELATIVE_URI,
    AWS_CONTAINER_CREDENTIALS_FULL_URI,
    AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE,
    GOOGLE_APPLICATION_CREDENTIALS,
    STORAGE_EMULATOR_HOST,
    AZURE_STORAGE_ACCOUNT,
    AZURE_STORAGE_ACCOUNT_NAME,
    AZURE_STORAGE_KEY,
    AZURE_STORAGE_ACCOUNT_KEY,
    AZURE_STORAGE_ACCESS_KEY,
    AZURE_STORAGE_SAS_TOKEN,
    AZURE_STORAGE_CONNECTION_STRING,
    AZURE_STORAGE_ENDPOINT,
    AZURE_CLIENT_ID,
    AZURE_TENANT_ID,
    AZURE_CLIENT_SECRET,
    AZURE_FEDERATED_TOKEN_FILE,
];

/// What a sign command gets besides what the project names: where programs and their files are, and the terminal
/// that it may ask on.
const FOR_SIGN_COMMANDS: &[&str] =
    &["GPG_TTY", HOME, "LANG", "LC_ALL", "LOGNAME", "PATH", "TERM", TMPDIR, USER, "XDG_RUNTIME_DIR"];

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
    /// Asks the user for a secret; `None` where there is no terminal or nobody is to be asked.
    pub ask: Option<Ask>,
}

/// Asks the user for a secret, with these words.
pub type Ask = Box<dyn Fn(&str) -> std::io::Result<Secret> + Send + Sync>;

impl Environment {
    /// Looks around. Variables that are not UTF-8 are left out: none that matters can be.
    ///
    /// From here on the process may hold secrets, so that nothing dumps its memory any more: no core file (the limit),
    /// no handler of crashes, and no debugger or reader of `/proc/PID/mem` and `/proc/PID/environ` of the same user
    /// (`PR_SET_DUMPABLE`, proc(5)). Programs that it starts are as they would be without: `execve` resets the flag,
    /// and the limit is the soft one, which they may raise.
    ///
    /// # Errors
    /// When the current directory is gone.
    pub fn gather() -> std::io::Result<Environment> {
        forbid_dumps();
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
            ask: None,
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

    /// How buckets are reached.
    pub fn access(&self) -> Access {
        let known = FOR_STORAGE.iter().filter_map(|name| Some((*name, self.get(name)?)));
        Access::new(known, self.get(HOME).map(PathBuf::from))
    }

    /// The whole environment of a sign command: what every one gets, and the variables that the project names.
    pub fn for_sign_command(&self, named: &[String]) -> Vec<(String, String)> {
        let wanted =
            |name: &str| FOR_SIGN_COMMANDS.contains(&name) || named.iter().any(|known| known == name);
        self.variables.iter().filter(|(name, _)| wanted(name)).cloned().collect()
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

/// Both are hardening: where the system refuses one, a release is still made.
fn forbid_dumps() {
    use rustix::process::{DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit};
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), ..getrlimit(Resource::Core) });
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use fs_err as fs;

    use super::*;

    const INTRODUCTION: &str = "\
# Environment variables

<!-- Written from crates/packhouse/src/environment.rs; UPDATE_DOCS=1 cargo test -p packhouse writes it anew. -->

Packhouse looks at these and at no others. An empty variable counts as unset. Programs that it runs for you look at their
own: `docker` and `podman` at all but `PACKHOUSE_…`, `git` and `gpg` at those that they need to find their files
and the user, [a sign command](sign-command.md) at those that the project names; so does the library that connects to buckets, at `HTTPS_PROXY`, `HTTP_PROXY`,
`ALL_PROXY`, `NO_PROXY`, `SSL_CERT_FILE` and `SSL_CERT_DIR`. [Storage](storage.md) says how buckets are reached.

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
Packhouse's own environment and memory cannot be read by the user's other processes, and a crash leaves no core file
(`PR_SET_DUMPABLE`). That ends at Packhouse: the shell or the CI that set a variable still has it, and so have its other
children. Where files are possible, prefer `[sign] key-file` and `PACKHOUSE_SIGNING_PASSPHRASE_FILE`; see
[Sign with your own key](../guides/sign-with-your-own-key.md). Pages of memory are not locked: keep swap encrypted or off
where keys are used. `root` reads everything.
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

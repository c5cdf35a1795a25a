//! A project's source: which files belong to it, and what Git knows of them.
//!
//! Git is asked by running `git` with the user's and the system's configuration switched off where it could
//! run programs (`core.fsmonitor`, hooks): a checked-out tree is input, not code. It is started and answers later, so
//! that others work meanwhile: most of what it takes is starting. Only the branch is read from the file HEAD.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io::{self, Read as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use fs_err as fs;
use serde::Serialize;

use crate::{Error, Result};

/// The directory that holds what earlier builds left; of it only what Git tracks is part of the source.
const OUTPUT: &str = "pkg";

/// The working tree of a project.
#[derive(Clone, Debug)]
pub struct Source {
    root: PathBuf,
    /// Where the project lies in Git's working tree; `None` outside Git.
    in_git: Option<PathBuf>,
}

/// The commit a source was checked out from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Revision {
    /// The whole object name.
    pub commit: String,
    /// As `git rev-parse --short` writes it.
    pub short: String,
    /// When it was committed, in Unix seconds.
    pub time: i64,
    /// The checked-out branch; `None` on a detached HEAD.
    pub branch: Option<String>,
    /// The newest tag that the commit holds, once [`Source::tag`] was asked.
    pub tag: Option<String>,
}

/// A question for the checked-out commit that Git is working on.
#[derive(Debug)]
pub struct AskedRevision<'a> {
    source: &'a Source,
    /// `None` outside Git.
    log: Option<Asked>,
}

/// A question whether the project's files differ from the commit's, which Git is working on: it looks at every file.
#[derive(Debug)]
pub struct AskedChanges {
    /// Where the project lies in Git's working tree, and what was asked; `None` outside Git.
    status: Option<(PathBuf, Asked)>,
}

/// What is checked out.
enum Checkout {
    Branch(String),
    Detached,
}

impl Source {
    /// The working tree below `root`, an absolute path.
    ///
    /// # Errors
    /// When Git has to be asked whether it ignores `root`, and refuses to look at the repository
    /// (`safe.directory`).
    pub fn open(root: &Path) -> Result<Source> {
        let top = root.ancestors().find(|directory| directory.join(".git").exists());
        let mut source = Source {
            root: root.into(),
            in_git: top.and_then(|top| root.strip_prefix(top).ok()).map(Path::to_owned),
        };
        // A scratch directory inside a checkout is ignored; its top never is.
        if top.is_some_and(|top| top != root) && source.is_ignored()? {
            source.in_git = None;
        }
        Ok(source)
    }

    /// git-check-ignore(1): 0 is yes, 1 is no.
    fn is_ignored(&self) -> Result<bool> {
        let arguments = ["check-ignore", "--quiet", "."];
        let output = ask_git(&self.root, &arguments)?.output()?;
        match output.status.code() {
            Some(0) => Ok(true),
            Some(1) => Ok(false),
            _ => Err(refused(&arguments.join(" "), &output.stderr)),
        }
    }

    /// Begins to ask for the commit that is checked out. Its tag is looked for in [`Source::tag`].
    ///
    /// # Errors
    /// When there is no Git.
    pub fn ask_revision(&self) -> Result<AskedRevision<'_>> {
        let log = ["log", "-1", "--no-show-signature", "--abbrev=7", "--format=%H %h %ct", "HEAD"];
        let log = self.in_git.as_ref().map(|_| ask_git(&self.root, &log)).transpose()?;
        Ok(AskedRevision { source: self, log })
    }

    /// The commit that is checked out; `None` outside Git and before the first commit.
    ///
    /// # Errors
    /// When Git fails.
    pub fn revision(&self) -> Result<Option<Revision>> {
        self.ask_revision()?.answer()
    }

    /// Begins to ask whether the project's files differ from the commit's.
    ///
    /// # Errors
    /// When there is no Git.
    pub fn ask_changes(&self) -> Result<AskedChanges> {
        let Some(place) = &self.in_git else { return Ok(AskedChanges { status: None }) };
        let status = ["status", "--porcelain=v2", "--no-renames", "-z", "--untracked-files=all", "--", "."];
        Ok(AskedChanges { status: Some((place.clone(), ask_git(&self.root, &status)?)) })
    }

    /// The checked-out branch by the file HEAD, which saves a process; else as Git says.
    fn checkout(&self) -> Result<Checkout> {
        if let Some(checkout) = self.head_file() {
            return Ok(checkout);
        }
        let arguments = ["symbolic-ref", "--quiet", "HEAD"];
        let output = ask_git(&self.root, &arguments)?.output()?;
        // 1 is that it is detached (git-symbolic-ref(1)).
        match output.status.code() {
            Some(0) => {
                let name = String::from_utf8_lossy(&output.stdout);
                let name = name.trim_end();
                Ok(Checkout::Branch(name.strip_prefix(BRANCHES).unwrap_or(name).to_owned()))
            }
            Some(1) => Ok(Checkout::Detached),
            _ => Err(refused(&arguments.join(" "), &output.stderr)),
        }
    }

    /// What HEAD says (gitrepository-layout(5)), if it is one of the two usual things.
    fn head_file(&self) -> Option<Checkout> {
        let place = self.in_git.as_ref()?;
        let top = self.root.ancestors().nth(place.components().count())?;
        let mut directory = top.join(".git");
        if directory.is_file() {
            // A linked working tree, or a submodule.
            let text = fs::read_to_string(&directory).ok()?;
            directory = top.join(text.strip_prefix("gitdir: ")?.trim_end_matches('\n'));
        }
        let head = directory.join("HEAD");
        // It was a link to the branch once.
        if !fs::symlink_metadata(&head).ok()?.is_file() {
            return None;
        }
        let text = fs::read_to_string(&head).ok()?;
        let text = text.strip_suffix('\n')?;
        match text.strip_prefix("ref: ") {
            // Reftables have a file HEAD, too, that says this and means nothing.
            Some("refs/heads/.invalid") => None,
            Some(name) => Some(Checkout::Branch(name.strip_prefix(BRANCHES)?.to_owned())),
            None => text.bytes().all(|byte| byte.is_ascii_hexdigit()).then_some(Checkout::Detached),
        }
    }

    /// The newest tag that the checked-out commit holds; `None` when there is none.
    pub fn tag(&self) -> Option<String> {
        self.in_git.as_ref()?;
        self.git_line(&["describe", "--tags", "--abbrev=0"]).ok()
    }

    /// Copies the source to `destination`, a directory that exists: files with modes and times, symbolic
    /// links as links.
    ///
    /// # Errors
    /// When a file cannot be read or written.
    pub fn copy_to(&self, destination: &Path) -> Result<()> {
        for path in self.all()? {
            copy(&self.root.join(&path), &destination.join(&path))?;
        }
        Ok(())
    }

    /// Writes the source as a tar stream, everything owned by `user` and `group`: what [`copy_to`](Self::copy_to)
    /// copies, with every directory before what is in it.
    ///
    /// # Errors
    /// When a file cannot be read, changes its size meanwhile, or the stream cannot be written.
    pub fn write_tar(&self, (user, group): (u64, u64), out: impl io::Write) -> Result<()> {
        let mut builder = tar::Builder::new(out);
        let mut directories = BTreeSet::new();
        let header = |metadata: &std::fs::Metadata, kind: tar::EntryType| {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(kind);
            header.set_mode(if kind.is_dir() { 0o755 } else { metadata.mode() & 0o777 });
            header.set_uid(user);
            header.set_gid(group);
            header.set_mtime(u64::try_from(metadata.mtime()).unwrap_or(0));
            header.set_size(if kind.is_file() { metadata.len() } else { 0 });
            header
        };
        for path in self.all()? {
            let from = self.root.join(&path);
            let metadata = fs::symlink_metadata(&from)?;
            let above: Vec<&Path> = path.ancestors().skip(1).filter(|path| *path != Path::new("")).collect();
            for directory in above.into_iter().rev().chain(metadata.is_dir().then_some(&*path)) {
                if directories.insert(directory.to_owned()) {
                    let metadata = fs::metadata(self.root.join(directory))?;
                    let mut header = header(&metadata, tar::EntryType::Directory);
                    builder.append_data(&mut header, directory, io::empty())?;
                }
            }
            if metadata.is_symlink() {
                let mut header = header(&metadata, tar::EntryType::Symlink);
                builder.append_link(&mut header, &path, fs::read_link(&from)?)?;
            } else if metadata.is_file() {
                let file = fs::File::open(&from)?;
                let mut header = header(&metadata, tar::EntryType::Regular);
                // Whatever is written to it meanwhile, the stream has as many bytes as it says.
                let mut content = Exact { file: file.take(metadata.len()), left: metadata.len() };
                builder.append_data(&mut header, &path, &mut content)?;
            }
        }
        builder.into_inner()?.flush()?;
        Ok(())
    }

    /// Every file, relative to the root; outside Git every directory, too.
    fn all(&self) -> Result<Vec<PathBuf>> {
        if self.in_git.is_some() {
            return self.files();
        }
        let mut all = Vec::new();
        for item in fs::read_dir(&self.root)? {
            let item = item?;
            if item.file_name() != OUTPUT {
                walk(&self.root, PathBuf::from(item.file_name()), &mut all)?;
            }
        }
        Ok(all)
    }

    /// What Git tracks plus what it does not ignore, relative to the root; submodules too.
    ///
    /// Go projects keep source in `pkg/`: what Git tracks there is the project's, the rest earlier builds'.
    fn files(&self) -> Result<Vec<PathBuf>> {
        let mut files = self.untracked()?;
        files.extend(tracked(&self.root)?);
        let mut all = Vec::with_capacity(files.len());
        for path in files {
            match fs::symlink_metadata(self.root.join(&path)) {
                Ok(metadata) if metadata.is_dir() => all.extend(self.repository(&path)?),
                Ok(_) => all.push(path),
                // Deleted in the working tree, not yet in the index.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                // A directory that was replaced by a file.
                Err(error) if error.kind() == io::ErrorKind::NotADirectory => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(all)
    }

    /// The files of a submodule or another repository inside this one; none when it is not checked out.
    fn repository(&self, path: &Path) -> Result<Vec<PathBuf>> {
        let root = self.root.join(path);
        if !root.join(".git").exists() {
            return Ok(Vec::new()); // Git would answer for the repository around it
        }
        let files = Source { root, in_git: Some(PathBuf::new()) }.files()?;
        Ok(files.into_iter().map(|file| path.join(file)).collect())
    }

    /// Files that are neither tracked nor ignored, except what earlier builds left.
    fn untracked(&self) -> Result<Vec<PathBuf>> {
        let mut files = list(&self.root, &["--others", "--exclude-standard"])?;
        files.retain(|path| !path.starts_with(OUTPUT));
        Ok(files)
    }

    fn git(&self, arguments: &[&str]) -> Result<Vec<u8>> {
        run_git(&self.root, arguments)
    }

    fn git_line(&self, arguments: &[&str]) -> Result<String> {
        Ok(String::from_utf8_lossy(&self.git(arguments)?).trim_end().to_owned())
    }
}

impl AskedRevision<'_> {
    /// The commit that is checked out; `None` outside Git and before the first commit.
    ///
    /// # Errors
    /// When Git fails.
    pub fn answer(self) -> Result<Option<Revision>> {
        let Some(log) = self.log else { return Ok(None) };
        let head = match log.answer() {
            Ok(head) => head,
            Err(error) => {
                let status = ["status", "--porcelain=v2", "--branch", "--no-ahead-behind", "-z", "-uno"];
                let status = self.source.git(&status)?;
                let is_initial =
                    status.split(|byte| *byte == 0).any(|line| line == b"# branch.oid (initial)");
                return if is_initial { Ok(None) } else { Err(error) };
            }
        };
        let head = String::from_utf8_lossy(&head);
        let mut words = head.trim_end().split(' ');
        let mut word = || words.next().unwrap_or_default();
        let (commit, short, time) = (word(), word(), word());
        Ok(Some(Revision {
            commit: commit.into(),
            short: short.into(),
            time: time.parse().unwrap_or(0),
            branch: match self.source.checkout()? {
                Checkout::Branch(branch) => Some(branch),
                Checkout::Detached => None,
            },
            tag: None,
        }))
    }
}

impl AskedChanges {
    /// Whether the project's files differ from the commit's; outside Git they do not.
    ///
    /// # Errors
    /// When Git fails.
    pub fn answer(self) -> Result<bool> {
        let Some((place, status)) = self.status else { return Ok(false) };
        // git-status(1), "Porcelain Format Version 2": names are those in the working tree.
        let status = status.answer()?;
        let output = place.join(OUTPUT);
        let is_change = |line: &[u8]| match line.strip_prefix(b"? ") {
            Some(untracked) => !Path::new(OsStr::from_bytes(untracked)).starts_with(&output),
            None => !line.starts_with(b"# "),
        };
        Ok(status.split(|byte| *byte == 0).filter(|line| !line.is_empty()).any(is_change))
    }
}

/// What the names of branches begin with.
const BRANCHES: &str = "refs/heads/";

fn tracked(directory: &Path) -> Result<Vec<PathBuf>> {
    list(directory, &["--cached", "--deduplicate"])
}

fn list(directory: &Path, which: &[&str]) -> Result<Vec<PathBuf>> {
    let listing = run_git(directory, &[&["ls-files", "-z"], which, &["--", "."]].concat())?;
    let names = listing.split(|byte| *byte == 0).filter(|name| !name.is_empty());
    Ok(names.map(|name| PathBuf::from(OsStr::from_bytes(name))).collect())
}

/// What `git --version` prints, as in `2.39.5`.
///
/// # Errors
/// When there is no Git.
pub fn git_version() -> Result<String> {
    let output = git().arg("--version").output().map_err(no_git)?;
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.trim().trim_start_matches("git version ").to_owned())
}

/// What Git gets of the environment: where its configuration is, and how it reaches a remote, which a partial clone
/// may have to ask for files. Nothing else, least of all the secrets that CI systems keep there, and none of what would
/// point it at another repository or change what arguments mean: hooks and `git rebase --exec` set those
/// (`git rev-parse --local-env-vars`). Names from git(1), ssh(1) and curl(1).
const ENVIRONMENT: &[&str] = &[
    "ALL_PROXY",
    "GIT_CEILING_DIRECTORIES",
    "GIT_CONFIG_GLOBAL",
    "GIT_CONFIG_NOSYSTEM",
    "GIT_CONFIG_SYSTEM",
    "GIT_DISCOVERY_ACROSS_FILESYSTEM",
    "GIT_EXEC_PATH",
    "GIT_SSH",
    "GIT_SSH_COMMAND",
    "GIT_SSL_CAINFO",
    "HOME",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "LD_LIBRARY_PATH",
    "LOGNAME",
    "NO_PROXY",
    "PATH",
    "SSH_AUTH_SOCK",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "TMPDIR",
    "USER",
    "XDG_CONFIG_HOME",
    "all_proxy",
    "http_proxy",
    "https_proxy",
    "no_proxy",
];

/// Git without a repository yet.
fn git() -> Command {
    let mut command = Command::new(program());
    // This crate looks at the environment here only: to hand it on, not to decide by it.
    let kept = ENVIRONMENT.iter().filter_map(|name| Some((name, std::env::var_os(name)?)));
    command.env_clear().envs(kept).env("LC_ALL", "C").env("GIT_OPTIONAL_LOCKS", "0");
    command
}

/// Where `git` is. By its name and with an environment of its own, std would look for it in a copy of this process
/// (fork(2)), which takes a tenth of what packaging a small package does; by its path, it uses posix_spawn(3).
fn program() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let is_program = |path: &PathBuf| {
        path.is_absolute() && path.is_file() && rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok()
    };
    let mut programs = std::env::split_paths(&path).map(|directory| directory.join("git"));
    programs.find(is_program).unwrap_or_else(|| "git".into())
}

fn git_command(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = git();
    command
        .current_dir(directory)
        .args(["-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null"])
        .args(arguments);
    command
}

/// A `git` that was started.
#[derive(Debug)]
struct Asked {
    arguments: String,
    child: Child,
}

impl Asked {
    fn output(self) -> Result<Output> {
        self.child.wait_with_output().map_err(no_git)
    }

    /// What it prints.
    fn answer(self) -> Result<Vec<u8>> {
        let Asked { arguments, child } = self;
        let output = child.wait_with_output().map_err(no_git)?;
        if output.status.success() { Ok(output.stdout) } else { Err(refused(&arguments, &output.stderr)) }
    }
}

fn ask_git(directory: &Path, arguments: &[&str]) -> Result<Asked> {
    let mut command = git_command(directory, arguments);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    Ok(Asked { arguments: arguments.join(" "), child: command.spawn().map_err(no_git)? })
}

fn run_git(directory: &Path, arguments: &[&str]) -> Result<Vec<u8>> {
    ask_git(directory, arguments)?.answer()
}

fn refused(arguments: &str, said: &[u8]) -> Error {
    Error::Git { command: arguments.to_owned(), message: String::from_utf8_lossy(said).trim().to_owned() }
}

fn no_git(source: io::Error) -> Error {
    Error::Program { program: "git".into(), source }
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    if let Some(parent) = to.parent() {
        fs::create_dir_all(parent)?;
    }
    let metadata = fs::symlink_metadata(from)?;
    if metadata.is_symlink() {
        fs::os::unix::fs::symlink(fs::read_link(from)?, to)?;
    } else if metadata.is_dir() {
        fs::create_dir_all(to)?;
    } else if metadata.is_file() {
        fs::copy(from, to)?;
        // Compilers that compare times (cargo, make) then see a copy as old as the original.
        let file = fs::OpenOptions::new().write(true).open(to).or_else(|_| fs::File::open(to))?;
        file.set_modified(metadata.modified()?)?;
    }
    Ok(())
}

/// Lists `path`, relative to `root`, and everything below it.
fn walk(root: &Path, path: PathBuf, all: &mut Vec<PathBuf>) -> Result<()> {
    let is_directory = fs::symlink_metadata(root.join(&path))?.is_dir();
    all.push(path.clone());
    if is_directory {
        for item in fs::read_dir(root.join(&path))? {
            walk(root, path.join(item?.file_name()), all)?;
        }
    }
    Ok(())
}

/// The contents of a file that must have as many bytes as when it was looked at.
struct Exact {
    file: io::Take<fs::File>,
    left: u64,
}

impl io::Read for Exact {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.file.read(buffer)?;
        self.left -= length as u64;
        if length == 0 && self.left > 0 && !buffer.is_empty() {
            let path = self.file.get_ref().path().display().to_string();
            return Err(io::Error::other(format!("{path} became shorter while it was copied")));
        }
        Ok(length)
    }
}

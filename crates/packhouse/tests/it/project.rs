//! A project in a directory of its own, and the program run in it.
//!
//! Nothing of the user's takes part: no Git configuration, no keys, no variables.

use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// When the commits of the tests were made: 2026-05-19 12:00:00 UTC, in a name `2605191200`.
pub const COMMIT_TIME: u32 = 1_779_192_000;

/// A project in Git; its site is `site` beside it.
pub struct Project {
    /// Everything that the test may touch.
    pub directory: tempfile::TempDir,
}

/// What a run of the program left.
pub struct Run {
    /// Its exit status; `None` when a signal ended it.
    pub status: Option<i32>,
    /// What it printed as its result.
    pub stdout: String,
    /// What else it printed.
    pub stderr: String,
}

/// The project file of the tests, with the site beside the project.
const PROJECT_FILE: &str = r#"
name = "hello"
summary = "Says hello"
description = "Says hello to everybody who asks."
maintainer = "Hello <hello@example.org>"
license = "MIT"
homepage = "https://hello.example.org"

[version]
literal = "1.0.0"

[build]
engine = "host"
commands = ["mkdir -p out && printf '#!/bin/sh\necho hello\n' > out/hello"]

[[files]]
source = "out/hello"
destination = "/usr/bin/hello"
mode = "0755"

[publish]
to = "../site"
"#;

impl Project {
    /// `hello` 1.0.0 for debian/12 and rocky/8, committed on `main`.
    pub fn new() -> Project {
        Project::with_targets(&["debian/12", "rocky/8"])
    }

    /// `hello` 1.0.0 for these targets, committed on `main`.
    pub fn with_targets(targets: &[&str]) -> Project {
        let project = Project::empty();
        project.write("dist/packhouse.toml", PROJECT_FILE);
        for target in targets {
            project.add_target(target);
        }
        project.commit("hello");
        project
    }

    /// A directory in Git with nothing in it.
    pub fn empty() -> Project {
        let project = Project { directory: tempfile::tempdir().unwrap() };
        for directory in ["home", "tmp", "gnupg", "project"] {
            fs_err::create_dir(project.beside(directory)).unwrap();
        }
        fs_err::set_permissions(project.beside("gnupg"), std::fs::Permissions::from_mode(0o700)).unwrap();
        project.git(&["init", "--quiet", "--initial-branch=main"]);
        project
    }

    /// The three elements of a target.
    pub fn add_target(&self, target: &str) -> &Project {
        let format = match target.split('/').next() {
            Some("debian" | "ubuntu") => "deb",
            Some("alpine" | "wolfi") => "apk",
            Some("arch") => "pacman",
            Some("linux") => "tar",
            _ => "rpm",
        };
        self.write(&format!("dist/{target}/Dockerfile"), "FROM scratch\n");
        self.write(&format!("dist/{target}/fpm.cmd"), &format!("-t {format}\n"));
        self.write(&format!("dist/{target}/inc/.gitkeep"), "")
    }

    /// A path of the project.
    pub fn path(&self, path: &str) -> PathBuf {
        self.directory.path().join("project").join(path)
    }

    /// A path beside the project.
    pub fn beside(&self, path: &str) -> PathBuf {
        self.directory.path().join(path)
    }

    /// The site that the project publishes to.
    pub fn site(&self) -> PathBuf {
        self.beside("site")
    }

    /// Writes a file of the project.
    pub fn write(&self, path: &str, text: &str) -> &Project {
        let path = self.path(path);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, text).unwrap();
        self
    }

    /// Replaces a part of the project file, which must be there.
    #[track_caller]
    pub fn edit(&self, from: &str, to: &str) -> &Project {
        let text = self.read("dist/packhouse.toml");
        assert!(text.contains(from), "{from} is not in the project file");
        self.write("dist/packhouse.toml", &text.replacen(from, to, 1))
    }

    /// Adds lines to a section of the project file.
    #[track_caller]
    pub fn set(&self, section: &str, lines: &str) -> &Project {
        let text = self.read("dist/packhouse.toml");
        let header = format!("[{section}]\n");
        if text.contains(&header) {
            self.edit(&header, &format!("{header}{lines}\n"))
        } else {
            self.write("dist/packhouse.toml", &format!("{text}\n{header}{lines}\n"))
        }
    }

    /// Makes the build run these commands.
    pub fn build_with(&self, commands: &[&str]) -> &Project {
        let text = self.read("dist/packhouse.toml");
        let lines = text.lines().map(|line| match line.starts_with("commands = ") {
            true => format!("commands = {commands:?}\n"),
            false => format!("{line}\n"),
        });
        self.write("dist/packhouse.toml", &lines.collect::<String>())
    }

    /// The text of a file of the project.
    #[track_caller]
    pub fn read(&self, path: &str) -> String {
        fs_err::read_to_string(self.path(path)).unwrap()
    }

    /// Commits everything, at [`COMMIT_TIME`].
    pub fn commit(&self, message: &str) -> &Project {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "--message", message]);
        self
    }

    /// Runs Git in the project.
    #[track_caller]
    pub fn git(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("git");
        let date = format!("{COMMIT_TIME} +0000");
        command.current_dir(self.path("")).args([
            "-c",
            "user.name=Test",
            "-c",
            "user.email=test@example.org",
        ]);
        command.args(arguments);
        for (name, value) in self.environment() {
            command.env(name, value);
        }
        command.env("GIT_AUTHOR_DATE", &date).env("GIT_COMMITTER_DATE", &date);
        let output = command.output().unwrap();
        assert!(output.status.success(), "git {arguments:?}: {}", packhouse_clients::text(&output));
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    /// The short name of the commit.
    pub fn revision(&self) -> String {
        self.git(&["rev-parse", "--short=7", "HEAD"])
    }

    /// Another clone of the project, in a directory and with a home of its own.
    pub fn clone_elsewhere(&self) -> Project {
        let other = Project { directory: tempfile::tempdir().unwrap() };
        for directory in ["home", "tmp", "gnupg"] {
            fs_err::create_dir(other.beside(directory)).unwrap();
        }
        let from = self.path("").display().to_string();
        self.git(&["clone", "--quiet", &from, &other.path("").display().to_string()]);
        other
    }

    fn environment(&self) -> BTreeMap<&'static str, String> {
        let beside = |name: &str| self.beside(name).display().to_string();
        BTreeMap::from([
            ("HOME", beside("home")),
            ("XDG_DATA_HOME", beside("home/.local/share")),
            ("TMPDIR", beside("tmp")),
            ("GNUPGHOME", beside("gnupg")),
            ("GIT_CONFIG_NOSYSTEM", "1".into()),
        ])
    }

    /// The program, to be run in the project with nothing but a private environment.
    pub fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_packhouse"));
        self.prepare(&mut command).args(arguments.split_whitespace());
        command
    }

    /// Gives a command the project's directory and environment.
    pub fn prepare<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command
            .current_dir(self.path(""))
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .envs(self.environment())
            .stdin(Stdio::null())
    }

    /// Runs the program in the project.
    pub fn run(&self, arguments: &str) -> Run {
        Run::from(self.command(arguments).output().unwrap())
    }

    /// Runs the program with further variables.
    pub fn run_with(&self, variables: &[(&str, &str)], arguments: &str) -> Run {
        let mut command = self.command(arguments);
        Run::from(command.envs(variables.iter().copied()).output().unwrap())
    }

    /// The packages in `pkg/`: their names.
    pub fn packages(&self) -> Vec<String> {
        let is_package = |name: &String| name.ends_with(".deb") || name.ends_with(".rpm");
        files(&self.path("pkg")).into_keys().filter(is_package).collect()
    }
}

impl From<Output> for Run {
    fn from(output: Output) -> Run {
        Run {
            status: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Run {
    /// Expects success.
    #[track_caller]
    pub fn ok(self) -> Run {
        self.exits(0)
    }

    /// Expects this exit status.
    #[track_caller]
    pub fn exits(self, status: i32) -> Run {
        assert_eq!(self.status, Some(status), "\n--- stdout\n{}\n--- stderr\n{}", self.stdout, self.stderr);
        self
    }

    /// Expects a sentence among what was printed besides the result.
    #[track_caller]
    pub fn says(self, sentence: &str) -> Run {
        assert!(self.stderr.contains(sentence), "nothing says `{sentence}` in\n{}", self.stderr);
        self
    }

    /// Expects a sentence in the result.
    #[track_caller]
    pub fn prints(self, sentence: &str) -> Run {
        assert!(self.stdout.contains(sentence), "nothing says `{sentence}` in\n{}", self.stdout);
        self
    }

    /// Expects that a text is nowhere in what was printed.
    #[track_caller]
    pub fn hides(self, text: &str) -> Run {
        assert!(!self.stdout.contains(text) && !self.stderr.contains(text), "`{text}` was printed");
        self
    }

    /// The documents of `--json`: every line is one.
    #[track_caller]
    pub fn documents(&self) -> Vec<serde_json::Value> {
        let parse = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        self.stdout.lines().map(parse).collect()
    }
}

/// Every file below a directory, by its path there, with what it holds and when it was changed.
pub fn files(directory: &Path) -> BTreeMap<String, (Vec<u8>, i64, i64)> {
    let mut found = BTreeMap::new();
    let mut left = vec![directory.to_path_buf()];
    while let Some(next) = left.pop() {
        for item in fs_err::read_dir(&next).into_iter().flatten() {
            let path = item.unwrap().path();
            let metadata = fs_err::symlink_metadata(&path).unwrap();
            if metadata.is_dir() {
                left.push(path);
            } else {
                let name = path.strip_prefix(directory).unwrap().to_str().unwrap().to_owned();
                let bytes = fs_err::read(&path).unwrap_or_default();
                found.insert(name, (bytes, metadata.mtime(), metadata.mtime_nsec()));
            }
        }
    }
    found
}

/// The names of all files below a directory.
pub fn names(directory: &Path) -> Vec<String> {
    files(directory).into_keys().collect()
}

/// What all files below a directory hold.
pub fn bytes(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    files(directory).into_iter().map(|(name, (bytes, ..))| (name, bytes)).collect()
}

/// The machine's word for its architecture, as it stands in a pointer's name.
pub fn arch() -> &'static str {
    std::env::consts::ARCH
}

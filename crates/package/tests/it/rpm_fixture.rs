//! Small packages, and a scratch root in which the real rpm installs them.
#![expect(clippy::unwrap_used, reason = "a fixture that cannot be made is a failed test")]

use std::fs::Permissions;
use std::io::Cursor;
use std::num::NonZeroUsize;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use fs_err as fs;
use packhouse_clients::Client;
use packhouse_package::{
    Arch, Entry, FileTree, Format, Metadata, Moment, Options, Package, PackageName, PackagePath, Relations,
    Resources, Script, Timestamp, Version,
};

pub const TIMESTAMP: i64 = 1_700_000_000;

pub fn path(path: &str) -> PackagePath {
    PackagePath::new(path).unwrap()
}

/// A package called `hello` without files.
pub fn package(version: &str) -> Package {
    Package {
        metadata: Metadata {
            name: PackageName::new("hello").unwrap(),
            version: Version::new(version),
            arch: Arch::X86_64,
            summary: "Says hello".into(),
            description: "Hello says hello\nto everyone.".into(),
            homepage: Some("https://example.com".into()),
            vendor: Some("ACME".into()),
            maintainer: "Jane Doe <jane@example.com>".into(),
            license: Some("MIT".into()),
            category: Some("Tools".into()),
            relations: Relations::default(),
            changelog: Vec::new(),
        },
        files: FileTree::new(),
        scripts: Default::default(),
        setup: packhouse_package::Setup::default(),
        timestamp: Timestamp::from_unix(TIMESTAMP).unwrap(),
        options: Options::default(),
    }
}

/// Puts a file into a package and completes its directories.
pub fn add(package: &mut Package, at: &str, text: &str) {
    package.files.insert(path(at), Entry::bytes(text.as_bytes(), 0o644)).unwrap();
    package.files.complete();
}

/// One thread, so that tests run side by side.
pub fn one_thread() -> Resources {
    Resources { threads: NonZeroUsize::MIN }
}

pub fn bytes(package: &Package) -> Vec<u8> {
    try_bytes(package).unwrap()
}

pub fn try_bytes(package: &Package) -> packhouse_package::Result<Vec<u8>> {
    let mut out = Cursor::new(Vec::new());
    Format::Rpm.get().write(package, one_thread(), &mut out)?;
    Ok(out.into_inner())
}

/// Writes the package into `directory`, by its own file name.
pub fn write(package: &Package, directory: &Path) -> PathBuf {
    let name = Format::Rpm.get().file_name(&package.metadata, &package.options).unwrap();
    let file = directory.join(name);
    fs::write(&file, bytes(package)).unwrap();
    file
}

/// A root directory with a shell in it, and an rpm database.
pub struct Root {
    rpm: Client,
    directory: tempfile::TempDir,
}

impl Root {
    pub fn new(rpm: &Client) -> Root {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        for below in ["usr/bin", "usr/sbin", "usr/lib", "usr/lib64", "etc", "tmp", "var/tmp", "dev"] {
            fs::create_dir_all(root.join(below)).unwrap();
        }
        for link in ["bin", "sbin", "lib", "lib64"] {
            fs::os::unix::fs::symlink(Path::new("usr").join(link), root.join(link)).unwrap();
        }
        for program in ["/bin/dash", "/bin/cat", "/bin/mktemp", "/bin/rm"] {
            copy_with_libraries(Path::new(program), root);
        }
        fs::os::unix::fs::symlink("dash", root.join("usr/bin/sh")).unwrap();
        fs::write(root.join("etc/passwd"), "root:x:0:0::/:/bin/sh\n").unwrap();
        fs::write(root.join("etc/group"), "root:x:0:\n").unwrap();
        fs::write(root.join("dev/null"), "").unwrap();
        Root { rpm: rpm.clone(), directory }
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Runs rpm in the root.
    pub fn command(&self) -> Command {
        let mut command = self.rpm.command();
        command.arg("--root").arg(self.path()).arg("--nosignature");
        // sqlite would wait for the disk after every step.
        command.args(["--define", "_db_backend sqlite", "--define", "_flush_io 0"]);
        command
    }

    #[track_caller]
    pub fn run<A: AsRef<std::ffi::OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> String {
        let output = self.output(arguments);
        assert!(output.status.success(), "{}", packhouse_clients::text(&output));
        packhouse_clients::text(&output)
    }

    pub fn output<A: AsRef<std::ffi::OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Output {
        let mut command = self.command();
        command.args(arguments);
        // Debian's rpm asks for this before it installs anything.
        if command.get_args().any(|argument| argument == "-i" || argument == "-U") {
            command.arg("--force-debian");
        }
        command.output().unwrap()
    }

    /// `rpm ACTION PACKAGE` for a package that is written first; returns what its scripts logged.
    #[track_caller]
    pub fn act(&self, action: &str, package: &Package) -> String {
        let directory = tempfile::tempdir().unwrap();
        let file = write(package, directory.path());
        self.run([action.as_ref(), "--nodeps".as_ref(), "--oldpackage".as_ref(), file.as_os_str()]);
        self.take_log()
    }

    /// What scripts logged to `/log` since the last time.
    pub fn take_log(&self) -> String {
        let log = self.path().join("log");
        let text = fs::read_to_string(&log).unwrap_or_default();
        let _ = fs::remove_file(&log);
        text
    }

    pub fn exists(&self, at: &str) -> bool {
        fs::symlink_metadata(self.path().join(at.trim_start_matches('/'))).is_ok()
    }

    pub fn read(&self, at: &str) -> String {
        fs::read_to_string(self.path().join(at.trim_start_matches('/'))).unwrap()
    }

    pub fn write(&self, at: &str, text: &str) {
        fs::write(self.path().join(at.trim_start_matches('/')), text).unwrap();
    }
}

/// Copies a program to the same place in `root`, with the libraries that ldd names.
pub fn copy_with_libraries(program: &Path, root: &Path) {
    let output = Command::new("ldd").arg(program).output().unwrap();
    let listing = String::from_utf8(output.stdout).unwrap();
    let libraries = listing.split_whitespace().filter(|word| word.starts_with('/'));
    for file in libraries.map(PathBuf::from).chain([program.to_owned()]) {
        let to = root.join(file.strip_prefix("/").unwrap());
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(&file, &to).unwrap();
        fs::set_permissions(&to, Permissions::from_mode(0o755)).unwrap();
    }
}

/// A script that writes what runs, and by which arguments, to `/log`.
pub fn logging(moment: Moment, version: &str) -> Script {
    Script::parse(format!("#!/bin/sh -e\necho {} of {version}: \"$@\" >>/log\n", moment.name()).as_bytes())
        .unwrap()
}

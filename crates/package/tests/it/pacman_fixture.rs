//! What the tests of pacman's packages share: writing them, and a root that pacman works in.
#![expect(clippy::unwrap_used, reason = "a fixture that cannot be made is a failed test")]

use std::io::Cursor;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::Output;

use packhouse_clients::Client;
use packhouse_package::{Error, Format, Package, Resources};

pub use crate::deb_fixture::{files, package, path};

pub fn bytes(package: &Package, threads: usize) -> Result<Vec<u8>, Error> {
    let mut out = Cursor::new(Vec::new());
    let resources = Resources { threads: NonZeroUsize::new(threads).unwrap() };
    Format::Pacman.get().write(package, resources, &mut out)?;
    Ok(out.into_inner())
}

/// Writes the package below `directory` and returns its path.
pub fn write(package: &Package, directory: &Path) -> PathBuf {
    let name = Format::Pacman.get().file_name(&package.metadata, &package.options).unwrap();
    let path = directory.join(name);
    fs_err::write(&path, bytes(package, 2).unwrap()).unwrap();
    path
}

/// A root with an empty pacman database, and a shell for pacman to run scripts with.
pub struct Root {
    pub directory: tempfile::TempDir,
    pacman: Client,
}

impl Root {
    pub fn new() -> Option<Root> {
        let [pacman] = packhouse_clients::find(["pacman"])?;
        let directory = tempfile::tempdir().unwrap();
        let root = Root { directory, pacman };
        for path in ["var/lib/pacman", "var/cache/pacman/pkg", "etc", "usr/bin", "usr/lib", "dev"] {
            fs_err::create_dir_all(root.path(path)).unwrap();
        }
        for link in ["bin", "lib", "lib64"] {
            let target = if link == "bin" { "usr/bin" } else { "usr/lib" };
            fs_err::os::unix::fs::symlink(target, root.path(link)).unwrap();
        }
        fs_err::write(root.path("etc/pacman.conf"), root.configuration()).unwrap();
        // Scripts write to it; that it is a file does not matter.
        fs_err::write(root.path("dev/null"), "").unwrap();
        for program in ["bash", "sh", "rm", "cat", "mktemp"] {
            root.add_program(program);
        }
        Some(root)
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.directory.path().join("root").join(path)
    }

    fn configuration(&self) -> String {
        let root = self.path("");
        let root = root.display();
        format!(
            "[options]\nRootDir = {root}\nDBPath = {root}var/lib/pacman/\nCacheDir = {root}var/cache/pacman/pkg/\n\
             LogFile = {root}var/pacman.log\nGPGDir = {root}etc/gnupg/\nHookDir = {root}etc/hooks/\n\
             Architecture = x86_64\nSigLevel = Never\nLocalFileSigLevel = Never\n"
        )
    }

    /// Copies a program of this machine with the libraries that it needs.
    fn add_program(&self, name: &str) {
        let output = std::process::Command::new("sh")
            .args(["-c", "p=$(command -v \"$1\"); echo \"$p\"; ldd \"$p\" | grep -o '/[^ ]*'", "sh", name])
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        for (number, source) in text.lines().enumerate() {
            let directory = if number == 0 { "usr/bin" } else { "usr/lib" };
            // A link to another shell becomes a copy of that.
            let destination = self.path(directory).join(Path::new(source).file_name().unwrap());
            if !destination.exists() {
                fs_err::copy(source, destination).unwrap();
            }
        }
    }

    pub fn pacman(&self, arguments: &[&str]) -> Output {
        let mut command = self.pacman.command();
        command.arg("--config").arg(self.path("etc/pacman.conf"));
        command.args(["--noconfirm", "--color", "never"]);
        // Libraries lie where the loader of a Debian does not look.
        command.env("LD_LIBRARY_PATH", "/usr/lib").args(arguments).output().unwrap()
    }

    #[track_caller]
    pub fn succeed(&self, arguments: &[&str]) -> String {
        let output = self.pacman(arguments);
        let text = packhouse_clients::text(&output);
        assert!(output.status.success(), "{arguments:?}: {text}");
        text
    }

    /// Installs the package; returns what pacman printed.
    #[track_caller]
    pub fn install(&self, package: &Package) -> String {
        self.succeed(&["-U", write(package, self.directory.path()).to_str().unwrap()])
    }

    /// What the scripts wrote since the last look.
    pub fn take_log(&self) -> String {
        let text = fs_err::read_to_string(self.path("log")).unwrap_or_default();
        let _ = fs_err::remove_file(self.path("log"));
        text.lines().collect::<Vec<_>>().join("; ")
    }
}

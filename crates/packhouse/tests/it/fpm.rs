//! `packhouse fpm`: what fpm made of the same command lines (1.17.0, run beside it when these were written), and where
//! ours differs on purpose (docs/reference/fpm.md).

mod beside_fpm;
mod converts;
mod outputs;
mod says;

use std::path::PathBuf;
use std::process::Command;

use fs_err as fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

/// A directory with what command lines name.
pub struct Fpm {
    directory: tempfile::TempDir,
}

/// What a run left.
pub struct Run {
    pub status: Option<i32>,
    /// The messages, without their times.
    pub stdout: String,
    pub stderr: String,
}

/// The time of everything that is made: 2023-11-14.
const EPOCH: &str = "1700000000";

impl Fpm {
    pub fn new() -> Fpm {
        let fpm = Fpm { directory: tempfile::tempdir().unwrap() };
        for (path, text, mode) in [
            ("root/usr/bin/app", "hi\n", 0o755),
            ("root/etc/app/app.conf", "x=1\n", 0o644),
            ("root/opt/app/su", "suid\n", 0o4755),
            ("root/opt/app/with space", "a b\n", 0o640),
            ("root/opt/app/hard1", "h\n", 0o644),
            ("root/usr/share/doc/app/README", "doc\n", 0o644),
            ("file1", "f1\n", 0o644),
            ("sub/a/f3", "f3\n", 0o644),
            ("app.service", "[Service]\nExecStart=/usr/bin/app\n", 0o644),
            ("before.sh", "#!/bin/sh\necho before <%= name %>\n", 0o644),
            ("after.sh", "#!/bin/bash\necho after ${x%%.*}\n", 0o644),
        ] {
            let path = fpm.path(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        }
        fs::create_dir_all(fpm.path("root/opt/app/private/empty")).unwrap();
        let private = fpm.path("root/opt/app/private");
        fs::set_permissions(private, std::fs::Permissions::from_mode(0o700)).unwrap();
        fs::hard_link(fpm.path("root/opt/app/hard1"), fpm.path("root/opt/app/hard2")).unwrap();
        symlink("app", fpm.path("root/usr/bin/link")).unwrap();
        fpm
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.directory.path().join(path)
    }

    /// Runs `packhouse fpm` with words separated by blanks; `~` stands for a blank inside one.
    pub fn run(&self, words: &str) -> Run {
        self.run_with(words, &[("SOURCE_DATE_EPOCH", EPOCH)])
    }

    pub fn run_with(&self, words: &str, variables: &[(&str, &str)]) -> Run {
        let words = words.split_whitespace().map(|word| word.replace('~', " "));
        let output = Command::new(env!("CARGO_BIN_EXE_packhouse"))
            .arg("fpm")
            .args(words)
            .current_dir(self.directory.path())
            .env_clear()
            .env("HOME", self.path("nowhere"))
            .env("USER", "joe")
            .envs(variables.iter().copied())
            .output()
            .unwrap();
        let stdout = String::from_utf8(output.stdout).unwrap();
        let without_time = |line: &str| match line.split_once("\", :message=>") {
            Some((_, rest)) => format!("{{:message=>{rest}\n"),
            None => format!("{line}\n"),
        };
        Run {
            status: output.status.code(),
            stdout: stdout.lines().map(without_time).collect(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Runs it, and shows the package that it made.
    #[track_caller]
    pub fn listing(&self, words: &str, file: &str) -> String {
        let run = self.run(words);
        assert_eq!(run.status, Some(0), "{}{}", run.stdout, run.stderr);
        self.inspect(file)
    }

    #[track_caller]
    pub fn inspect(&self, file: &str) -> String {
        let output = Command::new(env!("CARGO_BIN_EXE_packhouse"))
            .args(["-v", "inspect", file])
            .current_dir(self.directory.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        // The size depends on the compressor's version.
        let (_, text) = text.split_once('\n').unwrap();
        text.lines().map(|line| format!("{}\n", line.trim_end())).collect()
    }

    pub fn read(&self, file: &str) -> Vec<u8> {
        fs::read(self.path(file)).unwrap()
    }
}

//! Targets: a target is a directory `dist/<distribution>/<version>/` with three elements.

use std::fmt;
use std::path::{Path, PathBuf};

use fs_err as fs;

use crate::{Problem, Problems};

/// What a release is made for: a distribution and its version. Architecture is the build's.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Target {
    /// As in `amazon-linux`.
    pub distribution: String,
    /// As in `22.04`.
    pub version: String,
}

impl Target {
    /// Its directory, relative to the project.
    pub fn directory(&self) -> PathBuf {
        Path::new("dist").join(&self.distribution).join(&self.version)
    }

    /// Whether `words` name it: `["ubuntu", "22.04"]`, `["ubuntu/22.04"]` or `["ubuntu-22.04"]`.
    pub fn is_named(&self, words: &[String]) -> bool {
        match words {
            [distribution, version] => *distribution == self.distribution && *version == self.version,
            [name] => *name == self.to_string() || *name == format!("{}/{}", self.distribution, self.version),
            _ => false,
        }
    }

    /// Checks a distribution's or a version's name: it becomes part of paths, file names and versions.
    pub fn is_name(name: &str) -> bool {
        name.starts_with(|c: char| c.is_ascii_alphanumeric())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'))
    }

    /// Finds the targets of the project at `root`: every directory two levels below `dist/` that has at least
    /// one of a target's elements. Directories without any (such as `dist/scripts`) are something else.
    pub(crate) fn find_all(root: &Path, problems: &mut Problems) -> Vec<Target> {
        let mut targets = Vec::new();
        for distribution in directories(&root.join("dist"), problems) {
            for version in directories(&root.join("dist").join(&distribution), problems) {
                let target = Target { distribution: distribution.clone(), version };
                let directory = root.join(target.directory());
                if ELEMENTS.iter().any(|element| directory.join(element.name).exists()) {
                    target.check(root, problems);
                    targets.push(target);
                }
            }
        }
        targets
    }

    fn check(&self, root: &Path, problems: &mut Problems) {
        let directory = self.directory();
        for element in ELEMENTS {
            let path = directory.join(element.name);
            let there = root.join(&path);
            let is_right = if element.is_directory { there.is_dir() } else { there.is_file() };
            if !is_right {
                let kind = if element.is_directory { "directory" } else { "file" };
                let problem = Problem::with(&path, format!("target {self} lacks this {kind}"));
                problems.push(problem.help(element.fix));
            }
        }
        for name in [&self.distribution, &self.version] {
            if !Target::is_name(name) {
                let problem =
                    Problem::with(&directory, format!("`{name}` cannot be part of a target's name"));
                problems.push(problem.help("use letters, digits, `-`, `.` and `_`"));
            }
        }
    }
}

struct Element {
    name: &'static str,
    is_directory: bool,
    fix: &'static str,
}

const ELEMENTS: [Element; 3] = [
    Element {
        name: "Dockerfile",
        is_directory: false,
        fix: "write the Dockerfile of the base image that this target is built in",
    },
    Element {
        name: "fpm.cmd",
        is_directory: false,
        fix: "write the fpm arguments of this target, at least the package's format, as in `-t deb`",
    },
    Element {
        name: "inc",
        is_directory: true,
        fix: "make the directory of files to package as they stand; an empty one needs a `.gitkeep`",
    },
];

fn directories(path: &Path, problems: &mut Problems) -> Vec<String> {
    let Ok(items) = fs::read_dir(path) else { return Vec::new() };
    let mut names = Vec::new();
    for item in items.flatten().filter(|item| item.path().is_dir()) {
        match item.file_name().into_string() {
            Ok(name) if name.starts_with('.') => {}
            Ok(name) => names.push(name),
            Err(name) => problems.push(Problem::with(path.join(name), "the name is not UTF-8")),
        }
    }
    names.sort();
    names
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.distribution, self.version)
    }
}

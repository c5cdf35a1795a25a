//! Packages written together are what they are alone; what they have in common is read and compressed once.
#![expect(clippy::unwrap_used, reason = "a package that cannot be made is a failed test")]

use std::num::NonZeroUsize;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use fs_err as fs;
use packhouse_package::archive::compress::Compression;
use packhouse_package::together::{Job, Report, write_all};
use packhouse_package::{Content, Entry, Error, Format, Package, Resources, Version};

use crate::rpm_fixture::{add, package, path};

/// A package of the files on disk below `tree`, and of some that only it has.
fn target(tree: &Path, version: &str, compression: Compression) -> Package {
    let mut package = package(version);
    package.files.add_directory(tree, None, &[]).unwrap();
    package.files.complete();
    package.options.compression = Some(compression);
    package
}

fn tree(directory: &Path) -> std::path::PathBuf {
    let tree = directory.join("tree");
    let text = "a line that comes again and again, with differences\n".repeat(30_000);
    for (name, length) in [("opt/hello/large", text.len()), ("opt/hello/a/small", 700), ("usr/bin/hello", 0)]
    {
        let at = tree.join(name);
        fs::create_dir_all(at.parent().unwrap()).unwrap();
        fs::write(at, &text[..length]).unwrap();
    }
    for number in 0..40 {
        fs::write(tree.join(format!("opt/hello/a/{number}")), &text[..number * 100]).unwrap();
    }
    tree
}

fn resources() -> Resources {
    Resources { threads: NonZeroUsize::new(2).unwrap() }
}

fn together(directory: &Path, packages: &[(Format, &Package)]) -> (Vec<Result<Vec<u8>, Error>>, Report) {
    let mut files: Vec<fs::File> = (0..packages.len())
        .map(|number| {
            let mut options = fs::OpenOptions::new();
            options.read(true).write(true).create(true).truncate(true);
            options.open(directory.join(format!("out-{number}"))).unwrap()
        })
        .collect();
    let jobs = packages.iter().zip(&mut files);
    let jobs = jobs.map(|((format, package), out)| Job { format: *format, package, out }).collect();
    let (results, report) = write_all(jobs, resources());
    let read =
        |(file, result): (fs::File, Result<(), Error>)| result.map(|()| fs::read(file.path()).unwrap());
    (files.into_iter().zip(results).map(read).collect(), report)
}

fn alone(format: Format, package: &Package) -> Vec<u8> {
    let mut out = std::io::Cursor::new(Vec::new());
    format.get().write(package, Resources { threads: NonZeroUsize::MIN }, &mut out).unwrap();
    out.into_inner()
}

#[test]
fn a_package_is_the_same_alone_and_together_and_all_is_done_once() {
    let directory = tempfile::tempdir().unwrap();
    let tree = tree(directory.path());
    for compression in [Compression::None, Compression::GZIP, Compression::XZ, Compression::Zstd(3)] {
        let packages: Vec<(Format, Package)> =
            [Format::Deb, Format::Deb, Format::Rpm, Format::Rpm, Format::Deb]
                .into_iter()
                .zip(["1", "2", "3", "4", "5"])
                .map(|(format, version)| (format, target(&tree, version, compression)))
                .collect();
        let packages: Vec<(Format, &Package)> = packages.iter().map(|(format, one)| (*format, one)).collect();
        let (together, report) = together(directory.path(), &packages);
        for ((format, package), together) in packages.iter().zip(together) {
            assert!(together.unwrap() == alone(*format, package), "{format} {compression:?}");
        }
        let bytes_read = report.bytes_read;
        assert_eq!(report, Report { files_read: 43, bytes_read, streams_compressed: 2 }, "{compression:?}");
    }
}

#[test]
fn a_pacman_package_and_an_rpm_are_read_once() {
    let directory = tempfile::tempdir().unwrap();
    let tree = tree(directory.path());
    let formats = [Format::Pacman, Format::Rpm];
    let packages = formats.map(|format| (format, target(&tree, "1", Compression::Zstd(3))));
    let packages: Vec<(Format, &Package)> = packages.iter().map(|(format, one)| (*format, one)).collect();
    let (together, report) = together(directory.path(), &packages);
    for ((format, package), together) in packages.iter().zip(together) {
        assert!(together.unwrap() == alone(*format, package), "{format}");
    }
    let bytes_read = report.bytes_read;
    assert_eq!(report, Report { files_read: 43, bytes_read, streams_compressed: 2 });
}

#[test]
fn equal_files_on_other_paths_are_the_same_payload_and_different_ones_are_not() {
    let directory = tempfile::tempdir().unwrap();
    let tree = tree(directory.path());
    let with = |version: &str, text: &str| {
        let file = directory.path().join(format!("inc-{version}"));
        fs::write(&file, text).unwrap();
        let mut package = target(&tree, version, Compression::Zstd(3));
        package.files.insert(path("etc/hello.conf"), Entry::from_disk(&file).unwrap()).unwrap();
        package.files.complete();
        package
    };
    let (a, b, c) = (with("1", "same"), with("2", "same"), with("3", "else"));
    let packages = [(Format::Deb, &a), (Format::Deb, &b), (Format::Deb, &c)];
    let (together, report) = together(directory.path(), &packages);
    assert_eq!(report.streams_compressed, 2);
    for ((format, package), together) in packages.iter().zip(together) {
        assert!(together.unwrap() == alone(*format, package));
    }
}

#[test]
fn a_package_that_cannot_be_written_does_not_keep_the_others_from_it() {
    let directory = tempfile::tempdir().unwrap();
    let tree = tree(directory.path());
    let good = target(&tree, "1", Compression::Zstd(3));
    let mut nameless = target(&tree, "2", Compression::Zstd(3));
    nameless.metadata.version = Version::new("no digits: \n");
    let mut vanished = target(&tree, "3", Compression::Zstd(3));
    let gone = directory.path().join("gone");
    fs::write(&gone, "x").unwrap();
    vanished.files.insert(path("opt/gone"), Entry::from_disk(&gone).unwrap()).unwrap();
    fs::remove_file(&gone).unwrap();
    let packages =
        [(Format::Deb, &nameless), (Format::Rpm, &vanished), (Format::Deb, &good), (Format::Rpm, &good)];
    let (together, _) = together(directory.path(), &packages);
    let kinds: Vec<bool> = together.iter().map(Result::is_ok).collect();
    assert_eq!(kinds, [false, false, true, true]);
    assert!(together[1].as_ref().unwrap_err().to_string().contains("gone"), "{together:?}");
    assert!(*together[2].as_ref().unwrap() == alone(Format::Deb, &good));
    assert!(*together[3].as_ref().unwrap() == alone(Format::Rpm, &good));
}

#[test]
fn a_file_is_opened_once_for_a_deb_and_an_rpm() {
    let Some([strace]) = packhouse_clients::find(["strace"]) else { return };
    let directory = tempfile::tempdir().unwrap();
    tree(directory.path());
    let log = directory.path().join("log");
    let output = strace
        .command()
        .args(["-f", "-e", "trace=openat", "-o"])
        .arg(&log)
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "together::writes_a_deb_and_an_rpm"])
        .env("PACKHOUSE_TEST_TOGETHER", directory.path())
        .output()
        .unwrap();
    let log = fs::read_to_string(log).unwrap_or_default();
    if !output.status.success() && log.is_empty() {
        return; // a container that does not allow ptrace
    }
    let opened = log.lines().filter(|line| line.contains("/tree/opt/hello/large\"")).count();
    assert_eq!(opened, 1, "{log}");
}

/// Not a test by itself.
#[test]
fn writes_a_deb_and_an_rpm() {
    let Some(directory) = std::env::var_os("PACKHOUSE_TEST_TOGETHER") else { return };
    let directory = Path::new(&directory);
    let package = target(&directory.join("tree"), "1", Compression::GZIP);
    let (together, report) = together(directory, &[(Format::Deb, &package), (Format::Rpm, &package)]);
    assert!(together.iter().all(Result::is_ok));
    assert_eq!((report.files_read, report.streams_compressed), (43, 2));
}

#[test]
fn readers_take_a_payload_that_is_head_and_tail() {
    let Some([dpkg_deb, ar, bsdtar]) = packhouse_clients::find(["dpkg-deb", "ar", "bsdtar"]) else { return };
    let directory = tempfile::tempdir().unwrap();
    let tree = tree(directory.path());
    for (compression, checker) in
        [(Compression::Gzip(6), "gzip"), (Compression::XZ, "xz"), (Compression::Zstd(3), "zstd")]
    {
        let Some([checker]) = packhouse_clients::find([checker]) else { return };
        let deb = directory.path().join("hello.deb");
        fs::write(&deb, alone(Format::Deb, &target(&tree, "1", compression))).unwrap();
        let listed = dpkg_deb.command().arg("--contents").arg(&deb).output().unwrap();
        let listed = packhouse_clients::text(&listed);
        assert!(listed.contains("./opt/hello/large") && listed.contains("changelog.Debian.gz"), "{listed}");
        let name = format!("data.tar{}", compression.suffix());
        let extracted = ar.command().arg("x").arg(&deb).arg(&name).current_dir(&directory).status();
        assert!(extracted.unwrap().success());
        let data = directory.path().join(&name);
        for command in [
            checker.command().arg("-t").arg(&data),
            bsdtar.command().arg("-tf").arg(&data).stdout(std::process::Stdio::null()),
        ] {
            let output = command.output().unwrap();
            assert!(output.status.success(), "{compression:?}: {}", packhouse_clients::text(&output));
        }
    }
}

#[test]
fn hard_links_are_installed_as_one_file() {
    let Some([dpkg_deb, rpm2cpio, cpio]) = packhouse_clients::find(["dpkg-deb", "rpm2cpio", "cpio"]) else {
        return;
    };
    let directory = tempfile::tempdir().unwrap();
    let tree = directory.path().join("tree");
    fs::create_dir_all(tree.join("opt/a")).unwrap();
    fs::write(tree.join("opt/a/first"), vec![b'x'; 5_000]).unwrap();
    fs::write(tree.join("opt/between"), "between").unwrap();
    for name in ["opt/b", "opt/c"] {
        fs::hard_link(tree.join("opt/a/first"), tree.join(name)).unwrap();
    }
    let mut package = target(&tree, "1", Compression::GZIP);
    add(&mut package, "/opt/z", "z");
    let assert_linked = |root: &Path| {
        let inode = |name: &str| fs::metadata(root.join(name)).unwrap().ino();
        assert_eq!(fs::read(root.join("opt/b")).unwrap(), vec![b'x'; 5_000]);
        assert!(inode("opt/a/first") == inode("opt/b") && inode("opt/b") == inode("opt/c"));
        assert_ne!(inode("opt/b"), inode("opt/between"));
    };

    let (file, root) = (directory.path().join("hello.deb"), directory.path().join("deb"));
    let deb = alone(Format::Deb, &package);
    fs::write(&file, &deb).unwrap();
    assert!(dpkg_deb.command().arg("-x").arg(&file).arg(&root).status().unwrap().success());
    assert_linked(&root);
    let size = dpkg_deb.command().arg("-f").arg(&file).arg("Installed-Size").output().unwrap();
    // 5 + 1 + 1 for the files, 2 for the documents; a directory each, the root among them: /, opt, opt/a, usr,
    // usr/share, usr/share/doc, usr/share/doc/hello.
    assert_eq!(packhouse_clients::text(&size).trim(), "16");
    let sums = dpkg_deb.command().args(["--info"]).arg(&file).arg("md5sums").output().unwrap();
    let sums = packhouse_clients::text(&sums);
    let of = |name: &str| sums.lines().find(|line| line.ends_with(name)).unwrap()[..32].to_owned();
    assert!(of("opt/a/first") == of("opt/b") && of("opt/b") == of("opt/c"));
    assert_ne!(of("opt/between"), of("opt/b"));

    let (file, root) = (directory.path().join("hello.rpm"), directory.path().join("rpm"));
    fs::write(&file, alone(Format::Rpm, &package)).unwrap();
    fs::create_dir(&root).unwrap();
    let archive = rpm2cpio.command().arg(&file).output().unwrap().stdout;
    fs::write(directory.path().join("cpio"), archive).unwrap();
    let input = fs::File::open(directory.path().join("cpio")).unwrap().into_file();
    assert!(
        cpio.command().args(["-id", "--quiet"]).current_dir(&root).stdin(input).status().unwrap().success()
    );
    assert_linked(&root);
}

#[test]
fn rpm_installs_hard_links_as_one_file_and_verifies_them() {
    let Some([rpm]) = packhouse_clients::find(["rpm"]) else { return };
    let directory = tempfile::tempdir().unwrap();
    let tree = directory.path().join("tree");
    fs::create_dir_all(tree.join("opt/a")).unwrap();
    fs::write(tree.join("opt/a/first"), vec![b'x'; 5_000]).unwrap();
    fs::write(tree.join("opt/between"), "between").unwrap();
    fs::hard_link(tree.join("opt/a/first"), tree.join("opt/c")).unwrap();
    let package = target(&tree, "1", Compression::GZIP);
    let root = crate::rpm_fixture::Root::new(&rpm);
    root.act("-i", &package);
    assert_eq!(root.run(["-V", "hello", "--nodeps"]), "");
    let size = root.run(["-q", "--qf", "%{SIZE}", "hello"]);
    assert_eq!(size.trim(), "5007");
    let links = root.run(["-q", "--qf", "[%{FILENAMES} %{FILENLINKS}\\n]", "hello"]);
    assert!(links.contains("/opt/a/first 2") && links.contains("/opt/between 1"), "{links}");
}

#[test]
fn what_is_in_memory_is_packaged_like_what_is_on_disk() {
    let directory = tempfile::tempdir().unwrap();
    let tree = tree(directory.path());
    let on_disk = target(&tree, "1", Compression::Zstd(3));
    let mut in_memory = on_disk.clone();
    for (_, entry) in in_memory.files.iter_mut() {
        if let packhouse_package::Kind::File { content, .. } = &mut entry.kind {
            let Content::Path(at) = &*content else { continue };
            *content = Content::Bytes(fs::read(at).unwrap().into());
        }
    }
    for format in [Format::Deb, Format::Rpm] {
        assert!(alone(format, &on_disk) == alone(format, &in_memory), "{format}");
    }
}

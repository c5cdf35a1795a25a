//! Names, files and options that are out to break a deb.
#![expect(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use packhouse_package::deb::Trigger;
use packhouse_package::{Change, Content, Entry, Error, Kind, Mark, Owner, Package, PackagePath};

use crate::deb_fixture::{bytes, files, package, path, relations, write};

#[test]
fn every_name_that_linux_allows_arrives() {
    let Some([dpkg_deb]) = packhouse_clients::find(["dpkg-deb"]) else { return };
    let long = format!("opt/{}/{}", "d".repeat(200), "f".repeat(255));
    let names: Vec<Vec<u8>> = vec![
        b"opt/with blank".to_vec(),
        b"opt/-rf".to_vec(),
        b"opt/$(reboot)`reboot`".to_vec(),
        b"opt/\"quotes'".to_vec(),
        b"opt/back\\slash".to_vec(),
        b"opt/latin1-\xe4".to_vec(),
        "opt/snow-\u{2603}".into(),
        b"opt/*?[a]".to_vec(),
        long.into_bytes(),
        [b"opt/".to_vec(), vec![b'x'; 93]].concat(),
        [b"opt/".to_vec(), vec![b'y'; 94]].concat(),
        [b"opt/".to_vec(), vec![b'z'; 95]].concat(),
    ];
    let mut package = package("1.0-1", &[]);
    for name in &names {
        let entry = Entry::bytes(name.clone(), 0o644);
        package.files.insert(PackagePath::new(name).unwrap(), entry).unwrap();
    }
    let target = "t".repeat(300);
    package.files.insert(path("opt/link"), Entry::symlink(target.clone())).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let deb = write(&package, directory.path());
    let root = directory.path().join("root");
    dpkg_deb.run([Path::new("-x"), &deb, &root]);
    for name in &names {
        let file = root.join(std::ffi::OsStr::from_bytes(name));
        assert_eq!(&fs_err::read(file).unwrap(), name);
    }
    assert_eq!(fs_err::read_link(root.join("opt/link")).unwrap().to_str(), Some(&*target));
}

/// A package with the file `usr/bin/x` on disk, and that file.
fn on_disk(directory: &Path) -> (Package, std::path::PathBuf) {
    let file = directory.join("x");
    fs_err::write(&file, vec![b'x'; 1 << 20]).unwrap();
    let entry = Entry::from_disk(&file).unwrap();
    (package("1.0-1", &[("usr/bin/x", entry)]), file)
}

#[test]
fn a_file_that_grew_or_shrank_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    for length in [0, (1 << 20) - 1, (1 << 20) + 1] {
        let (package, file) = on_disk(directory.path());
        fs_err::write(&file, vec![b'y'; length]).unwrap();
        match bytes(&package, 1) {
            Err(Error::Changed { path, change: Change::Size { expected, found } }) => {
                assert_eq!((path, expected, found), (file, 1 << 20, length as u64));
            }
            other => panic!("{length}: {other:?}"),
        }
    }
}

#[test]
fn a_file_that_became_a_pipe_or_a_link_is_an_error_and_does_not_hang() {
    let Some([mkfifo]) = packhouse_clients::find(["mkfifo"]) else { return };
    let directory = tempfile::tempdir().unwrap();
    let (package, file) = on_disk(directory.path());
    fs_err::remove_file(&file).unwrap();
    mkfifo.run([&file]);
    assert!(matches!(bytes(&package, 1), Err(Error::SpecialFile { .. })));
    fs_err::remove_file(&file).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", &file).unwrap();
    let error = bytes(&package, 1).unwrap_err();
    assert!(error.to_string().contains(file.to_str().unwrap()), "{error}");
    fs_err::remove_file(&file).unwrap();
    assert!(matches!(bytes(&package, 1), Err(Error::Io(_))));
}

#[test]
fn a_full_disk_is_an_error() {
    struct Full(u64);
    impl std::io::Write for Full {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len() as u64;
            if self.0 > 100_000 { Err(std::io::ErrorKind::StorageFull.into()) } else { Ok(bytes.len()) }
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    impl std::io::Read for Full {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Ok(0)
        }
    }
    impl std::io::Seek for Full {
        fn seek(&mut self, _: std::io::SeekFrom) -> std::io::Result<u64> {
            Ok(0)
        }
    }
    use packhouse_package::archive::compress::Compression;
    let mut package =
        package("1.0-1", &[("opt/noise", Entry::bytes(crate::memory::noise(3_000_000), 0o644))]);
    for compression in [Compression::None, Compression::Gzip(1), Compression::Xz(0), Compression::Zstd(1)] {
        package.options.compression = Some(compression);
        let resources = packhouse_package::Resources::all();
        let result = packhouse_package::Format::Deb.get().write(&package, resources, &mut Full(0));
        assert!(
            matches!(&result, Err(Error::Io(error)) if error.kind() == std::io::ErrorKind::StorageFull),
            "{compression:?}: {result:?}"
        );
    }
}

#[test]
fn options_that_would_break_the_control_archive_are_refused() {
    type Change = fn(&mut Package);
    let changes: [(&str, Change); 14] = [
        ("a field's name", |p| p.options.deb.fields.push(("A: b\nEvil".into(), "x".into()))),
        ("a field that is fixed", |p| p.options.deb.fields.push(("package".into(), "x".into()))),
        ("a priority", |p| p.options.deb.priority = Some("high\nEssential: yes".into())),
        ("a trigger's directive", |p| {
            p.options.deb.triggers.push(Trigger { directive: "explode", name: "x".into() });
        }),
        ("a trigger's name", |p| {
            p.options.deb.triggers.push(Trigger { directive: "activate", name: "x\nactivate y".into() });
        }),
        ("a member's name", |p| p.options.deb.control_members.push(("../x".into(), vec![]))),
        ("a member twice", |p| p.options.deb.control_members.push(("control".into(), vec![]))),
        ("md5sums", |p| p.options.deb.control_members.push(("md5sums".into(), vec![]))),
        ("a script as member", |p| p.options.deb.control_members.push(("preinst".into(), vec![]))),
        ("an owner", |p| p.options.deb.owner = Some(Owner::new("u".repeat(32), "g"))),
        ("a version", |p| p.metadata.version.version = "1_0".into()),
        ("a relation", |p| p.metadata.relations.depends = relations(&["a b"])),
        ("a summary", |p| p.metadata.summary = "x\nEssential: yes".into()),
        ("a conffile's name", |p| {
            p.files.insert(PackagePath::new("etc/blank ").unwrap(), Entry::bytes(*b"", 0o644)).unwrap();
        }),
    ];
    for (what, change) in changes {
        let mut package = package("1.0-1", &files());
        change(&mut package);
        assert!(bytes(&package, 1).is_err(), "{what}");
    }
}

#[test]
fn conffiles_are_regular_files_below_etc_or_marked_unless_excluded() {
    let Some([dpkg_deb]) = packhouse_clients::find(["dpkg-deb"]) else { return };
    let file = || Entry::bytes(*b"x", 0o644);
    let mut marked = file();
    marked.mark = Mark::Config;
    let mut package = package(
        "1.0-1",
        &[
            ("etc/b", file()),
            ("etc/a/deep", file()),
            ("etc/link", Entry::symlink("b")),
            ("etc/init.d/excluded", file()),
            ("etcetera/x", file()),
            ("opt/x/x.conf", marked),
        ],
    );
    package.files.entry_mut(&path("/etc/init.d/excluded")).unwrap().mark = Mark::NotConfig;
    let directory = tempfile::tempdir().unwrap();
    let deb = write(&package, directory.path());
    let member = |name: &str| dpkg_deb.run([Path::new("-I"), &deb, Path::new(name)]);
    assert_eq!(member("conffiles"), "/etc/a/deep\n/etc/b\n/opt/x/x.conf\n");
    let sums = member("md5sums");
    let summed: Vec<&str> = sums.lines().map(|line| &line[34..]).collect();
    assert!(summed.contains(&"etc/init.d/excluded") && !summed.contains(&"etc/b"), "{sums}");
}

#[test]
fn a_documentation_directory_that_is_a_link_is_left_alone() {
    let package = package("1.0-1", &[("usr/share/doc/orchestrator", Entry::symlink("other"))]);
    assert!(bytes(&package, 1).is_ok());
}

#[test]
fn a_tree_without_its_directories_is_completed() {
    let Some([dpkg_deb]) = packhouse_clients::find(["dpkg-deb"]) else { return };
    let mut package = package("1.0-1", &[]);
    package.files.insert(path("opt/a/b/c"), Entry::bytes(*b"x", 0o644)).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let listing = dpkg_deb.run([Path::new("-c"), &write(&package, directory.path())]);
    for directory in ["./opt/\n", "./opt/a/\n", "./opt/a/b/\n"] {
        assert!(listing.contains(directory), "{listing}");
    }
    let entry = package.files.entry(&path("opt/a/b/c")).unwrap();
    assert!(matches!(&entry.kind, Kind::File { content: Content::Bytes(_), .. }));
}

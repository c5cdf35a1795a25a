//! Trees that are not as a build should leave them (security.md, IN-05 and IN-06), in debs and rpms: what a package
//! cannot or must not hold is refused, and its harmless twin is taken.
#![expect(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

use std::io::Cursor;
use std::num::NonZeroUsize;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;

use fs_err as fs;
use packhouse_package::assemble::{Attributes, FileRule, FileRules, Payload, Source, Spec};
use packhouse_package::{
    Capabilities, Depth, Entry, Error, FileTree, Format, Kind, Package, PackagePath, Resources, Result,
    inspect_file,
};

use crate::rpm_fixture::package;

fn path(path: &str) -> PackagePath {
    PackagePath::new(path).unwrap()
}

fn read(directory: &Path) -> Result<FileTree> {
    let mut tree = FileTree::new();
    tree.add_directory(directory, None, &[])?;
    Ok(tree)
}

/// The tree as a deb and as an rpm.
fn write(directory: &Path) -> Result<Vec<Vec<u8>>> {
    let mut package = package("1");
    package.files = read(directory)?;
    package.files.complete();
    [Format::Deb, Format::Rpm].into_iter().map(|format| bytes(&package, format)).collect()
}

fn bytes(package: &Package, format: Format) -> Result<Vec<u8>> {
    let mut out = Cursor::new(Vec::new());
    format.get().write(package, Resources { threads: NonZeroUsize::MIN }, &mut out)?;
    Ok(out.into_inner())
}

fn run(program: &str, arguments: &[&str]) -> bool {
    Command::new(program).args(arguments).output().is_ok_and(|output| output.status.success())
}

#[test]
fn devices_pipes_and_sockets_are_refused_by_name() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    fs::write(at("file"), "x").unwrap();
    write(directory.path()).unwrap();
    assert!(run("mkfifo", &[at("pipe").to_str().unwrap()]));
    let _socket = UnixListener::bind(at("socket")).unwrap();
    let mut special = vec![("pipe", "a named pipe"), ("socket", "a socket")];
    // Only root may make one.
    for (name, kind, minor) in [("null", "c", "3"), ("memory", "b", "0")] {
        if run("mknod", &[at(name).to_str().unwrap(), kind, "1", minor]) {
            special.push((name, "a device"));
        }
    }
    for (name, what) in special {
        let error = Entry::from_disk(&at(name)).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("`{}` is {what}, which a package does not hold", at(name).display())
        );
        assert!(error.help().unwrap().contains("systemd-tmpfiles"));
        assert!(matches!(read(directory.path()), Err(Error::SpecialFile { .. })));
        fs::remove_file(at(name)).unwrap();
    }
    write(directory.path()).unwrap();
}

#[test]
fn set_id_and_capabilities_are_the_projects_to_give() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("program");
    fs::write(&file, "x").unwrap();
    for mode in [0o4755, 0o2755, 0o6755] {
        fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
        assert!(matches!(read(directory.path()), Err(Error::SetId { .. })), "{mode:o}");
    }
    // A set-group-id directory is inherited from where one works, and says nothing.
    fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o2755)).unwrap();
    fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
    write(directory.path()).unwrap();

    let Some([setcap]) = packhouse_clients::find(["setcap"]) else { return };
    let mut command = setcap.command();
    if !command.args(["cap_net_raw=ep", file.to_str().unwrap()]).output().unwrap().status.success() {
        // This file system or user cannot set them.
        return;
    }
    let error = read(directory.path()).unwrap_err();
    assert!(matches!(error, Error::CapabilitiesOnDisk { .. }), "{error}");
    assert!(error.help().unwrap().contains("capabilities = "));

    // As the project says so, both are carried, and nothing else is.
    setcap.run(["-r", file.to_str().unwrap()]);
    let rule = FileRule {
        source: Source::Build("program".into()),
        destination: path("usr/bin/program"),
        attributes: Attributes {
            mode: Some(0o4755),
            capabilities: Capabilities::parse("cap_net_raw=ep"),
            ..Attributes::default()
        },
    };
    let package = package("1");
    let spec = Spec {
        metadata: package.metadata,
        rules: FileRules { files: vec![rule], ..FileRules::default() },
        scripts: Default::default(),
        setup: Default::default(),
        timestamp: package.timestamp,
        options: Default::default(),
    };
    let package = Package::assemble(&spec, &Payload::Build(directory.path().into())).unwrap();
    let entry = package.files.entry(&path("usr/bin/program")).unwrap();
    assert_eq!((entry.mode, entry.capabilities), (0o4755, Capabilities::parse("cap_net_raw=ep")));
}

#[test]
fn modes_times_owners_and_attributes_of_the_machine_are_not_in_the_package() {
    let plain = tempfile::tempdir().unwrap();
    let odd = tempfile::tempdir().unwrap();
    for directory in [plain.path(), odd.path()] {
        fs::create_dir(directory.join("dir")).unwrap();
        for name in ["dir/file", "1900", "2106"] {
            fs::write(directory.join(name), "x").unwrap();
        }
    }
    let at = |name: &str| odd.path().join(name);
    fs::set_permissions(at("dir/file"), std::fs::Permissions::from_mode(0o666)).unwrap();
    fs::set_permissions(at("dir"), std::fs::Permissions::from_mode(0o1777)).unwrap();
    assert!(run("touch", &["-d", "1900-01-01", at("1900").to_str().unwrap()]));
    assert!(run("touch", &["-d", "2106-02-08", at("2106").to_str().unwrap()]));
    // Not every file system has them.
    run("setfattr", &["-n", "user.note", "-v", "x", at("dir/file").to_str().unwrap()]);
    let _ = std::os::unix::fs::chown(at("dir/file"), Some(1234), Some(1234));
    assert_eq!(write(plain.path()).unwrap(), write(odd.path()).unwrap());
}

#[test]
fn a_file_that_cannot_be_read_is_an_error_that_names_it() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("secret");
    fs::write(&file, "x").unwrap();
    fs::set_permissions(&file, std::fs::Permissions::from_mode(0o000)).unwrap();
    let is_root = fs::metadata("/proc/self").unwrap().uid() == 0;
    match write(directory.path()) {
        Err(error) => assert!(!is_root && format!("{error:?}").contains("secret"), "{error:?}"),
        Ok(_) => assert!(is_root, "only root reads it"),
    }
    fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    write(directory.path()).unwrap();
    // A file that is gone when it is its turn, for every user.
    let mut package = package("1");
    package.files = read(directory.path()).unwrap();
    fs::remove_file(&file).unwrap();
    for format in [Format::Deb, Format::Rpm] {
        let error = bytes(&package, format).unwrap_err();
        assert!(error.to_string().contains("secret"), "{error}");
    }
}

#[test]
fn links_are_kept_as_they_stand_and_never_followed() {
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret"), "secret").unwrap();
    let directory = tempfile::tempdir().unwrap();
    let absolute = outside.path().to_str().unwrap().to_owned();
    let links = [
        ("loop", "loop"),
        ("self", "."),
        ("up", "../../../../../../etc/shadow"),
        ("dangling", "nowhere"),
        ("absolute", absolute.as_str()),
    ];
    for (name, target) in links {
        symlink(target, directory.path().join(name)).unwrap();
    }
    let tree = read(directory.path()).unwrap();
    assert_eq!(tree.len(), links.len(), "nothing behind a link is in the tree");
    for (name, target) in links {
        let Kind::Symlink { target: kept } = &tree.entry(&path(name)).unwrap().kind else { panic!("{name}") };
        assert_eq!(kept, target.as_bytes());
    }
    for package in write(directory.path()).unwrap() {
        assert!(!package.windows(6).any(|window| window == b"secret"));
    }
    // Nothing is put below a link, which would leave the package's root when it is unpacked.
    let mut tree = tree;
    let error = tree.insert(path("absolute/x"), Entry::bytes(*b"", 0o644)).unwrap_err();
    assert!(matches!(error, Error::BelowFile { .. }), "{error}");
}

#[test]
fn names_of_one_file_in_another_directory_are_not_a_way_out() {
    let outside = tempfile::tempdir_in("/tmp").unwrap();
    let directory = tempfile::tempdir_in("/tmp").unwrap();
    fs::write(outside.path().join("original"), "shared").unwrap();
    fs::hard_link(outside.path().join("original"), directory.path().join("one")).unwrap();
    // Its other name is not in the tree: it is a file as any.
    let tree = read(directory.path()).unwrap();
    assert!(tree.hard_links().is_empty());
    write(directory.path()).unwrap();
    fs::hard_link(directory.path().join("one"), directory.path().join("two")).unwrap();
    let tree = read(directory.path()).unwrap();
    assert_eq!(tree.hard_links().into_iter().collect::<Vec<_>>(), [(&path("two"), &path("one"))]);
    // Below /etc an edit of one name must not be an edit of the other.
    fs::create_dir(directory.path().join("etc")).unwrap();
    fs::hard_link(directory.path().join("one"), directory.path().join("etc/three")).unwrap();
    let tree = read(directory.path()).unwrap();
    assert_eq!(tree.hard_links().len(), 1);
}

/// IN-07: deeper than a process has files open; and deeper than a path can be, where no name reaches.
#[test]
fn a_tree_of_two_thousand_levels_is_packaged_and_a_deeper_one_refused() {
    use rustix::fs::{Mode, OFlags, mkdirat, open, openat};
    let directory = tempfile::tempdir().unwrap();
    for (levels, status) in [(2000, 0), (2100, 1)] {
        let tree = directory.path().join("tree");
        fs::create_dir(&tree).unwrap();
        let mut at = open(&tree, OFlags::DIRECTORY, Mode::empty()).unwrap();
        for _ in 0..levels {
            mkdirat(&at, "d", Mode::RWXU).unwrap();
            at = openat(&at, "d", OFlags::DIRECTORY, Mode::empty()).unwrap();
        }
        let output = Command::new("sh")
            .args(["-c", "ulimit -n 64; exec \"$@\"", "sh"])
            .arg(crate::deb_fixture::example())
            .args(["tar".as_ref(), tree.as_os_str(), directory.path().join("x.tar").as_os_str()])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(status), "{levels}: {}", packhouse_clients::text(&output));
        assert!(run("rm", &["-r", tree.to_str().unwrap()]));
    }
}

#[test]
fn a_sparse_file_of_5_gib_is_written_whole_or_refused() {
    let directory = tempfile::tempdir().unwrap();
    let file = fs::File::create(directory.path().join("sparse")).unwrap();
    file.set_len(5 << 30).unwrap();
    let mut package = package("1");
    package.files = read(directory.path()).unwrap();
    package.options.compression = Some(
        packhouse_package::archive::compress::Compression::parse("zstd").unwrap().with_level(1).unwrap(),
    );
    let size = package.files.iter().map(|(_, entry)| match entry.kind {
        Kind::File { size, .. } => size,
        _ => 0,
    });
    assert_eq!(size.sum::<u64>(), 5 << 30);
    let Some([dpkg_deb, rpm]) = packhouse_clients::find(["dpkg-deb", "rpm"]) else { return };
    let deb = directory.path().join("sparse.deb");
    fs::write(&deb, bytes(&package, Format::Deb).unwrap()).unwrap();
    let listing = dpkg_deb.run(["-c".as_ref(), deb.as_os_str()]);
    assert!(listing.contains("5368709120"), "{listing}");
    let file = directory.path().join("sparse.rpm");
    fs::write(&file, bytes(&package, Format::Rpm).unwrap()).unwrap();
    let checked = rpm.run(["-Kv".as_ref(), "--nosignature".as_ref(), file.as_os_str()]);
    assert!(checked.contains("Payload SHA256 digest: OK"), "{checked}");
    // Its ratio is a bomb's, and it is read: it takes time, no memory.
    for package in [deb, file] {
        let mut package = fs::File::open(package).unwrap();
        let files = inspect_file(&mut package, "", Depth::Contents).unwrap().files.unwrap();
        assert!(files.iter().any(|file| file.size == 5 << 30));
    }
    // A stream that a deb cannot say the length of is refused (see `deb/write.rs`, `SIZE_LIMIT`).
}

//! Plain archives as the programs unpack them that people have: GNU tar, bsdtar, unzip, Python.
#![expect(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

use std::io::Cursor;
use std::num::NonZeroUsize;
use std::path::Path;

use packhouse_package::archive::compress::Compression;
use packhouse_package::{
    Capabilities, Entry, Error, Format, Kind, LinkId, Options, Owner, Package, PackagePath, Resources,
};

use crate::deb_fixture::{files, package, path};

fn bytes(format: Format, package: &Package, threads: usize) -> Result<Vec<u8>, Error> {
    let mut out = Cursor::new(Vec::new());
    let resources = Resources { threads: NonZeroUsize::new(threads).unwrap() };
    format.get().write(package, resources, &mut out)?;
    Ok(out.into_inner())
}

/// A package with what both archives hold.
fn everything() -> Package {
    let mut package = package("1.0", &files());
    let mut linked = Entry::bytes(*b"twice\n", 0o755);
    if let Kind::File { link, .. } = &mut linked.kind {
        *link = Some(LinkId { device: 1, inode: 2 });
    }
    let mut ghost = Entry::bytes(*b"", 0o644);
    ghost.kind = Kind::Ghost;
    let text: Vec<u8> = (0..400_000_u32).flat_map(|n| n.to_string().into_bytes()).collect();
    let deep = format!("opt/{}/leaf", vec!["d".repeat(60); 5].join("/"));
    for (name, entry) in [
        ("usr/bin/one", linked.clone()),
        ("usr/bin/two", linked),
        ("usr/bin/su", Entry::bytes(*b"su\n", 0o4755)),
        ("opt/h\u{e9}llo w\u{f6}rld.txt", Entry::bytes(*b"unicode\n", 0o640)),
        ("opt/empty", Entry::bytes(*b"", 0o644)),
        ("opt/large", Entry::bytes(text, 0o600)),
        (&deep, Entry::bytes(*b"deep\n", 0o644)),
        ("opt/link to", Entry::symlink("h\u{e9}llo w\u{f6}rld.txt")),
        ("opt/made", ghost),
    ] {
        package.files.insert(path(name), entry).unwrap();
    }
    package.files.complete();
    package
}

/// Every entry below `directory`: type, mode, size, time, target, name.
fn listing(directory: &Path) -> String {
    let format = "%y %m %T@ %s %l %P\\n";
    let find = std::process::Command::new("find")
        .arg(directory)
        .args(["-mindepth", "1", "(", "-type", "d", "-printf", "d %m %P\\n", ")", "-o", "-printf", format])
        .output()
        .unwrap();
    let mut lines: Vec<String> = String::from_utf8_lossy(&find.stdout).lines().map(str::to_owned).collect();
    lines.sort();
    lines.join("\n")
}

/// What [`listing`] should say of a package.
fn expected(package: &Package) -> String {
    let time = package.timestamp.as_unix();
    let mut lines: Vec<String> = Vec::new();
    for (path, entry) in package.files.iter() {
        let name = String::from_utf8_lossy(path.as_bytes()).into_owned();
        let mode = entry.mode;
        lines.push(match &entry.kind {
            Kind::File { size, .. } => format!("f {mode:o} {time}.0000000000 {size}  {name}"),
            Kind::Directory => format!("d {mode:o} {name}"),
            Kind::Symlink { target } => {
                let target = String::from_utf8_lossy(target);
                format!("l 777 {time}.0000000000 {} {target} {name}", target.len())
            }
            Kind::Ghost => continue,
        });
    }
    lines.sort();
    lines.join("\n")
}

#[test]
fn gnu_tar_and_bsdtar_unpack_what_was_packaged() {
    let Some([tar, bsdtar]) = packhouse_clients::find(["tar", "bsdtar"]) else { return };
    let package = everything();
    let directory = tempfile::tempdir().unwrap();
    for compression in Format::Tar.get().compressions() {
        let mut package = package.clone();
        package.options.compression = Some(*compression);
        let name = Format::Tar.get().file_name(&package.metadata, &package.options).unwrap();
        assert_eq!(name, format!("orchestrator-1.0.noarch.tar{}", compression.suffix()));
        let archive = directory.path().join(&name);
        fs_err::write(&archive, bytes(Format::Tar, &package, 2).unwrap()).unwrap();
        for (number, client) in [&tar, &bsdtar].into_iter().enumerate() {
            let unpacked = directory.path().join(format!("{name}-{number}"));
            fs_err::create_dir(&unpacked).unwrap();
            let output =
                client.command().arg("-xpf").arg(&archive).arg("-C").arg(&unpacked).output().unwrap();
            assert_eq!(packhouse_clients::text(&output), "");
            assert_eq!(listing(&unpacked), expected(&package));
        }
    }
}

#[test]
fn owners_links_and_capabilities_are_in_a_tar() {
    let Some([tar, bsdtar]) = packhouse_clients::find(["tar", "bsdtar"]) else { return };
    let mut package = everything();
    let mut ping = Entry::bytes(*b"ping\n", 0o755);
    ping.capabilities = Capabilities::parse("cap_net_raw=ep");
    ping.owner = Owner { user: "daemon".into(), group: "adm".into() };
    package.files.insert(path("usr/bin/ping"), ping).unwrap();
    package.options.compression = Some(Compression::None);
    let directory = tempfile::tempdir().unwrap();
    let archive = directory.path().join("x.tar");
    fs_err::write(&archive, bytes(Format::Tar, &package, 1).unwrap()).unwrap();
    let archive = archive.to_str().unwrap();
    let listed = tar.run(["--xattrs", "--xattrs-include=*", "-tvvf", archive]);
    // Columns are as wide as their widest value.
    let listed: String =
        listed.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ") + "\n").collect();
    for line in [
        "-rwxr-xr-x* daemon/adm 5 2023-05-19 12:00 usr/bin/ping\nx: 20 security.capability\n",
        "hrwxr-xr-x root/root 0 2023-05-19 12:00 usr/bin/two link to usr/bin/one\n",
        "drwxr-xr-x root/root 0 2023-05-19 12:00 etc/\n",
    ] {
        assert!(listed.contains(line), "{listed}");
    }
    assert!(listed.starts_with("drwxr-xr-x root/root 0 2023-05-19 12:00 etc/\n"), "{listed}");
    assert!(!listed.contains("opt/made"));
    let names = bsdtar.run(["-tf", archive]);
    assert_eq!(names.lines().count(), expected(&package).lines().count());
}

#[test]
fn unzip_bsdtar_and_python_unpack_what_was_packaged() {
    let Some([unzip, zipinfo, bsdtar, python]) =
        packhouse_clients::find(["unzip", "zipinfo", "bsdtar", "python3"])
    else {
        return;
    };
    let directory = tempfile::tempdir().unwrap();
    for compression in [Compression::GZIP, Compression::Gzip(1), Compression::None] {
        let mut package = everything();
        package.options.compression = Some(compression);
        let archive = directory.path().join("x.zip");
        fs_err::write(&archive, bytes(Format::Zip, &package, 2).unwrap()).unwrap();
        for (number, client) in [&unzip, &bsdtar].into_iter().enumerate() {
            let unpacked = directory.path().join(format!("{compression:?}-{number}"));
            fs_err::create_dir(&unpacked).unwrap();
            let mut command = client.command();
            // -K keeps set-user-id; names are UTF-8, whatever the locale.
            command.env("LC_ALL", "C.UTF-8");
            match number {
                0 => command.args(["-q", "-K"]).arg(&archive).arg("-d").arg(&unpacked),
                _ => command.arg("-xpf").arg(&archive).arg("-C").arg(&unpacked),
            };
            assert_eq!(packhouse_clients::text(&command.output().unwrap()), "");
            let found = listing(&unpacked);
            if number == 0 {
                // unzip gives links the time of their unpacking.
                let without_link_times = |text: &str| {
                    text.lines()
                        .filter(|line| !line.starts_with('l'))
                        .map(|line| format!("{line}\n"))
                        .collect::<String>()
                };
                assert_eq!(without_link_times(&found), without_link_times(&expected(&package)));
            } else {
                assert_eq!(found, expected(&package));
            }
        }
        let script = "import sys, zipfile; z = zipfile.ZipFile(sys.argv[1]); assert z.testzip() is None; \
                      print(z.read('opt/large')[-6:].decode(), z.getinfo('opt/héllo wörld.txt').file_size, \
                      z.getinfo('usr/bin/su').date_time)";
        let mut command = python.command();
        let output = command.env("PYTHONUTF8", "1").args(["-c", script]).arg(&archive).output().unwrap();
        assert_eq!(packhouse_clients::text(&output), "399999 8 (2023, 5, 19, 12, 0, 0)\n");
        let listed = zipinfo.run(["-l", archive.to_str().unwrap()]);
        assert!(listed.contains("-rwsr-xr-x  4.5 unx        3 bx"), "{listed}");
        assert!(listed.contains("lrwxrwxrwx  4.5 unx"), "{listed}");
    }
}

#[test]
fn seventy_thousand_files_are_counted_in_64_bits() {
    let Some([unzip, python]) = packhouse_clients::find(["unzip", "python3"]) else { return };
    let mut package = package("1.0", &[]);
    for number in 0..70_000 {
        package.files.insert(path(&format!("d/{number}")), Entry::bytes(*b"", 0o644)).unwrap();
    }
    let directory = tempfile::tempdir().unwrap();
    let archive = directory.path().join("x.zip");
    fs_err::write(&archive, bytes(Format::Zip, &package, 1).unwrap()).unwrap();
    let tested = unzip.run(["-tq", archive.to_str().unwrap()]);
    assert!(tested.starts_with("No errors detected"), "{tested}");
    let script = "import sys, zipfile; print(len(zipfile.ZipFile(sys.argv[1]).namelist()))";
    assert_eq!(python.run(["-c", script, archive.to_str().unwrap()]), "70000\n");
}

#[test]
fn a_file_beyond_4_gib_and_what_follows_it_are_found() {
    let Some([zipinfo, python]) = packhouse_clients::find(["zipinfo", "python3"]) else { return };
    let directory = tempfile::tempdir().unwrap();
    let large = directory.path().join("large");
    fs_err::File::create(&large).unwrap().set_len((4 << 30) + 1).unwrap();
    let mut package = package("1.0", &[("z/last", Entry::bytes(*b"last\n", 0o644))]);
    package.files.insert(path("a/large"), Entry::from_disk(&large).unwrap()).unwrap();
    package.options.compression = Some(Compression::Gzip(1));
    let archive = directory.path().join("x.zip");
    let mut out = fs_err::File::create(&archive).unwrap();
    Format::Zip.get().write(&package, Resources::all(), &mut out).unwrap();
    let listed = zipinfo.run(["-l", archive.to_str().unwrap()]);
    assert!(listed.contains(" 4294967297 b"), "{listed}");
    let script = "import sys, zipfile; z = zipfile.ZipFile(sys.argv[1]); print(z.read('z/last'), \
                  z.getinfo('a/large').file_size, len(z.open('a/large').read(1000000)))";
    let printed = python.run(["-c", script, archive.to_str().unwrap()]);
    assert_eq!(printed, "b'last\\n' 4294967297 1000000\n");
}

#[test]
fn what_a_zip_cannot_hold_is_refused() {
    let refused = |name: &[u8], entry: Entry| {
        let mut package = package("1.0", &[]);
        package.files.insert(PackagePath::new(name).unwrap(), entry).unwrap();
        bytes(Format::Zip, &package, 1).unwrap_err().to_string()
    };
    assert!(refused(b"a\xff", Entry::bytes(*b"", 0o644)).contains("UTF-8"));
    assert!(refused(b"a\\b", Entry::bytes(*b"", 0o644)).contains("some readers take"));
    let mut ping = Entry::bytes(*b"", 0o755);
    ping.capabilities = Capabilities::parse("cap_net_raw=ep");
    assert!(refused(b"ping", ping).contains("no place for capabilities"));
    let mut package = package("1.0", &files());
    package.options = Options { compression: Some(Compression::ZSTD), ..Options::default() };
    assert_eq!(
        bytes(Format::Zip, &package, 1).unwrap_err().to_string(),
        "zip cannot take the compression `zstd`: readers of zip know gzip's deflate, and none"
    );
}

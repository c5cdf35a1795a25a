//! What is in an rpm: a golden listing, digests that every rpm checks, the same bytes everywhere.
#![expect(clippy::unwrap_used, reason = "a package that cannot be made is a failed test")]

use std::io::Cursor;
use std::num::NonZeroUsize;
use std::path::Path;
use std::process::Command;

use fs_err as fs;
use packhouse_package::archive::compress::Compression;
use packhouse_package::rpm::FileDigest;
use packhouse_package::{Arch, Change, Entry, Error, Format, Moment, Package, Relation, Resources};

use crate::rpm_dump::{dump, listing};
use crate::rpm_fixture::{Root, add, bytes, logging, package, path, try_bytes, write};

fn small() -> Package {
    let mut package = package("1.0-ubuntu-22.04");
    add(&mut package, "/usr/bin/hello", "echo hello\n");
    package.files.entry_mut(&path("/usr/bin/hello")).unwrap().mode = 0o755;
    add(&mut package, "/etc/default/hello", "A=1\n");
    add(&mut package, "/usr/share/doc/hello/README", "Read me.\n");
    add(&mut package, "/opt/hello/file", "");
    package.files.insert(path("/opt/hello/link"), Entry::symlink("file")).unwrap();
    package.metadata.relations.depends = vec![Relation::parse("openssl >= 1.1").unwrap()];
    package.scripts.insert(Moment::AfterRemove, logging(Moment::AfterRemove, "1"));
    package
}

#[test]
fn the_headers_of_a_small_package() {
    let dumped = dump(&bytes(&small()));
    insta::assert_snapshot!("rpm_signatures", listing(&dumped.signatures));
    insta::assert_snapshot!("rpm_header", listing(&dumped.header));
}

#[test]
fn the_scriptlets_read_well_and_shellcheck_agrees() {
    let Some([rpm, shellcheck]) = packhouse_clients::find(["rpm", "shellcheck"]) else { return };
    let mut package = small();
    package.scripts = Moment::ALL.into_iter().map(|moment| (moment, logging(moment, "1"))).collect();
    let directory = tempfile::tempdir().unwrap();
    let file = write(&package, directory.path());
    let scripts = rpm.run(["-qp".as_ref(), "--nosignature".as_ref(), "--scripts".as_ref(), file.as_os_str()]);
    insta::assert_snapshot!("rpm_scripts", scripts);
    for tag in ["PREIN", "POSTIN", "PREUN", "POSTUN"] {
        let format = format!("%{{{tag}}}\n");
        let text = rpm.run([
            "-qp".as_ref(),
            "--nosignature".as_ref(),
            "--qf".as_ref(),
            format.as_ref(),
            file.as_os_str(),
        ]);
        let scriptlet = directory.path().join(tag);
        fs::write(&scriptlet, text).unwrap();
        shellcheck.run(["-s".as_ref(), "sh".as_ref(), scriptlet.as_os_str()]);
    }
}

#[test]
fn rpm_checks_digests_of_header_and_payload_with_every_compression() {
    let Some([rpm, rpm2cpio]) = packhouse_clients::find(["rpm", "rpm2cpio"]) else { return };
    let directory = tempfile::tempdir().unwrap();
    let mut archives = Vec::new();
    for compression in [Compression::None, Compression::Gzip(1), Compression::Xz(1), Compression::Zstd(1)] {
        let mut package = small();
        package.options.compression = Some(compression);
        let file = write(&package, directory.path());
        let checked = rpm.run(["-Kv".as_ref(), "--nosignature".as_ref(), file.as_os_str()]);
        for line in ["Header SHA256 digest: OK", "Header SHA1 digest: OK", "Payload SHA256 digest: OK"] {
            assert!(checked.contains(line), "{compression:?}: {checked}");
        }
        let root = Root::new(&rpm);
        root.act("-i", &package);
        assert_eq!(root.read("/usr/bin/hello"), "echo hello\n");
        archives.push(rpm2cpio.command().arg(&file).output().unwrap().stdout);
    }
    archives.dedup();
    assert_eq!(archives.len(), 1);
    assert!(archives[0].starts_with(b"070701"));
}

/// rpm 4.11 (CentOS 7, Amazon Linux 2) takes the first it finds of signature, SHA-1 and MD5; rpm 4.14 and later
/// want a digest of the payload, and in FIPS mode anything but MD5 and SHA-1.
#[test]
fn digests_for_old_and_fips_systems_are_there() {
    let dumped = dump(&bytes(&small()));
    for tag in [269, 273, 1000, 1007, 1008] {
        assert!(dumped.signatures.contains_key(&tag), "{tag}");
    }
    assert!(!dumped.signatures.contains_key(&1004));
    assert!(dumped.header.contains_key(&5092) && dumped.header.contains_key(&5097));
    assert_eq!(dumped.header[&5011], "int32 0x8");
    for (digest, number) in [(FileDigest::Sha384, "int32 0x9"), (FileDigest::Sha512, "int32 0xa")] {
        let mut package = small();
        package.options.rpm.file_digest = digest;
        assert_eq!(dump(&bytes(&package)).header[&5011], number);
        let Some([rpm]) = packhouse_clients::find(["rpm"]) else { return };
        let root = Root::new(&rpm);
        root.act("-i", &package);
        assert_eq!(root.run(["-V", "--nodeps", "hello"]), "");
    }
}

#[test]
fn a_flipped_byte_is_noticed() {
    let Some([rpm]) = packhouse_clients::find(["rpm"]) else { return };
    let directory = tempfile::tempdir().unwrap();
    let file = write(&small(), directory.path());
    let good = fs::read(&file).unwrap();
    let dumped = dump(&good);
    for position in [dumped.header_at + 600, dumped.payload_at + 40] {
        let mut bad = good.clone();
        bad[position] ^= 1;
        fs::write(&file, bad).unwrap();
        let checked = rpm.command().arg("-K").arg("--nosignature").arg(&file).output().unwrap();
        assert!(!checked.status.success(), "byte {position}");
    }
}

#[test]
fn a_signature_can_be_added_in_place() {
    let Some([gpg, rpmsign, rpm]) = packhouse_clients::find(["gpg", "rpmsign", "rpm"]) else { return };
    let home = tempfile::tempdir().unwrap();
    let gpg_run = |arguments: &[&str]| {
        let output = gpg.command().env("GNUPGHOME", home.path()).args(arguments).output().unwrap();
        assert!(output.status.success(), "{}", packhouse_clients::text(&output));
        output.stdout
    };
    let user = "Test <test@example.com>";
    gpg_run(&["--batch", "--passphrase", "", "--quick-generate-key", user, "rsa3072", "sign", "never"]);
    let key = home.path().join("key.asc");
    fs::write(&key, gpg_run(&["--armor", "--export"])).unwrap();
    let file = write(&small(), home.path());
    let unsigned = fs::read(&file).unwrap();

    let mut sign = rpmsign.command();
    let program = gpg.command().get_program().to_owned();
    sign.args(["--define", &format!("__gpg {}", program.display())]);
    sign.env("GNUPGHOME", home.path())
        .args(["--define", &format!("_gpg_name {user}"), "--addsign"])
        .arg(&file);
    let output = sign.output().unwrap();
    assert!(output.status.success(), "{}", packhouse_clients::text(&output));
    let signed = fs::read(&file).unwrap();
    let header_at = dump(&unsigned).header_at;
    assert_eq!(header_at, dump(&signed).header_at);
    assert_eq!(unsigned[header_at..], signed[header_at..]);

    let root = Root::new(&rpm);
    let import = rpm.command().arg("--root").arg(root.path()).arg("--import").arg(&key).output().unwrap();
    assert!(import.status.success(), "{}", packhouse_clients::text(&import));
    let checked = rpm.run(["--root".as_ref(), root.path().as_os_str(), "-Kv".as_ref(), file.as_os_str()]);
    assert!(checked.contains("Header V4 RSA/SHA") && !checked.contains("NOKEY"), "{checked}");
}

#[test]
fn file_names_and_architectures_are_rpms() {
    let name = |package: &Package| Format::Rpm.get().file_name(&package.metadata, &package.options);
    let mut package = package("0.1.0-rocky-8-2305191200-01fd6b4");
    assert_eq!(name(&package).unwrap(), "hello-0.1.0_rocky_8_2305191200_01fd6b4-1.x86_64.rpm");
    package.metadata.version.epoch = Some(1);
    package.metadata.version.release = Some("2-a".into());
    package.metadata.arch = Arch::Noarch;
    package.options.rpm.dist = Some("el8".into());
    assert_eq!(name(&package).unwrap(), "hello-0.1.0_rocky_8_2305191200_01fd6b4-2_a.el8.noarch.rpm");
    for version in ["1/2", "1 2", "ü", "1:2", "%1"] {
        package.metadata.version.version = version.into();
        assert!(matches!(name(&package), Err(Error::Version { .. })), "{version}");
    }
}

/// Builds the same package as the tree in `directory`.
fn from_disk(directory: &Path) -> Package {
    let mut package = package("1");
    package.files.add_directory(directory, None, &[]).unwrap();
    package.files.complete();
    package.options.compression = Some(Compression::Zstd(3));
    package
}

/// Not a test by itself: makes a tree and its package in the current directory, in a process of its own.
#[test]
fn writes_a_tree_and_its_package() {
    if std::env::var_os("PACKHOUSE_TEST_REVERSED").is_none() {
        return;
    }
    let here = std::env::current_dir().unwrap();
    let setting = |name| std::env::var(name).unwrap().parse::<u64>().unwrap();
    let mut files: Vec<(String, String)> = (0..200)
        .map(|i| (format!("tree/opt/hello/{}/{i}", i % 7), format!("{i}\n").repeat(i * 100)))
        .chain([("tree/etc/hello/b".into(), "b".into()), ("tree/etc/hello.conf".into(), "a".into())])
        .collect();
    if setting("PACKHOUSE_TEST_REVERSED") == 1 {
        files.reverse();
    }
    for (name, text) in &files {
        let file = here.join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, text).unwrap();
        let modified =
            std::time::UNIX_EPOCH + std::time::Duration::from_secs(setting("PACKHOUSE_TEST_MODIFIED"));
        fs::File::options().write(true).open(&file).unwrap().file().set_modified(modified).unwrap();
    }
    let threads = NonZeroUsize::new(setting("PACKHOUSE_TEST_THREADS") as usize).unwrap();
    let mut out = Cursor::new(Vec::new());
    // A relative path one time, an absolute one the other.
    let tree = if threads.get() == 1 { "tree".into() } else { here.join("tree") };
    Format::Rpm.get().write(&from_disk(&tree), Resources { threads }, &mut out).unwrap();
    fs::write("package", out.into_inner()).unwrap();
}

#[test]
fn the_bytes_do_not_depend_on_the_machine() {
    let built: Vec<Vec<u8>> = [
        ["022", "UTC", "C", "0", "1000000", "1"],
        ["077", "Asia/Kathmandu", "tr_TR.UTF-8", "1", "1900000000", "3"],
    ]
    .into_iter()
    .map(|[umask, zone, locale, reversed, modified, threads]| {
        let directory = tempfile::tempdir().unwrap();
        let test = "rpm_format::writes_a_tree_and_its_package";
        let output = Command::new("sh")
            .args(["-c", "umask \"$1\"; exec \"$2\" --exact \"$3\"", "sh", umask])
            .arg(std::env::current_exe().unwrap())
            .arg(test)
            .env("TZ", zone)
            .env("LC_ALL", locale)
            .env("PACKHOUSE_TEST_REVERSED", reversed)
            .env("PACKHOUSE_TEST_MODIFIED", modified)
            .env("PACKHOUSE_TEST_THREADS", threads)
            .current_dir(directory.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", packhouse_clients::text(&output));
        fs::read(directory.path().join("package")).unwrap()
    })
    .collect();
    assert!(built[0] == built[1]);
}

#[test]
fn a_file_that_grows_or_shrinks_while_it_is_packaged_is_an_error() {
    for now in ["short", "much longer than before"] {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("opt/hello/file");
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, "ten bytes.").unwrap();
        let package = from_disk(directory.path());
        fs::write(&file, now).unwrap();
        let error = try_bytes(&package).unwrap_err();
        let is_size = |change: &Change| matches!(change, Change::Size { expected: 10, .. });
        assert!(
            matches!(&error, Error::Changed { path, change } if *path == file && is_size(change)),
            "{error:?}"
        );
    }
}

#[test]
fn what_takes_a_files_place_is_neither_followed_nor_waited_for() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("opt/hello/file");
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(&file, "ten bytes.").unwrap();
    let package = from_disk(directory.path());
    fs::remove_file(&file).unwrap();
    fs::write(directory.path().join("secret"), "ten bytes.").unwrap();
    fs::os::unix::fs::symlink(directory.path().join("secret"), &file).unwrap();
    assert!(matches!(try_bytes(&package), Err(Error::Io(_))));
    fs::remove_file(&file).unwrap();
    assert!(Command::new("mkfifo").arg(&file).status().unwrap().success());
    assert!(matches!(try_bytes(&package), Err(Error::SpecialFile { .. })));
    fs::remove_file(&file).unwrap();
    assert!(matches!(try_bytes(&package), Err(Error::Io(_))));
}

/// Fails after so many bytes, as a full disk does.
struct Full(Cursor<Vec<u8>>, usize);

impl std::io::Write for Full {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match self.0.position() as usize + bytes.len() > self.1 {
            true => Err(std::io::ErrorKind::StorageFull.into()),
            false => self.0.write(bytes),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl std::io::Read for Full {
    fn read(&mut self, bytes: &mut [u8]) -> std::io::Result<usize> {
        std::io::Read::read(&mut self.0, bytes)
    }
}

impl std::io::Seek for Full {
    fn seek(&mut self, position: std::io::SeekFrom) -> std::io::Result<u64> {
        self.0.seek(position)
    }
}

#[test]
fn a_full_disk_is_the_error_that_is_reported() {
    let mut package = small();
    let noise: Vec<u8> =
        (0u64..2_000_000).map(|i| (i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8).collect();
    package.files.insert(path("/opt/hello/noise"), Entry::bytes(noise, 0o644)).unwrap();
    package.options.compression = Some(Compression::None);
    let mut out = Full(Cursor::new(Vec::new()), 100_000);
    let error = Format::Rpm.get().write(&package, crate::rpm_fixture::one_thread(), &mut out).unwrap_err();
    assert!(
        matches!(&error, Error::Io(error) if error.kind() == std::io::ErrorKind::StorageFull),
        "{error:?}"
    );
}

#[test]
fn hostile_names_stay_names() {
    let Some([rpm]) = packhouse_clients::find(["rpm"]) else { return };
    let root = Root::new(&rpm);
    let mut package = package("1");
    let names = ["$(touch x)", "a b", "*?[x]{y}", "%{nil}%n", "-rf", "'\"\\", "é"];
    for name in names {
        add(&mut package, &format!("/opt/hello/{name}/{name}"), name);
    }
    package.files.insert(path("/opt/hello/link"), Entry::symlink("../../../etc/shadow")).unwrap();
    root.act("-i", &package);
    for name in names {
        assert_eq!(root.read(&format!("/opt/hello/{name}/{name}")), name);
    }
    assert_eq!(root.run(["-V", "--nodeps", "hello"]), "");
    root.run(["-e", "hello"]);
    assert!(!root.exists("/opt/hello"));
}

#[test]
fn a_name_that_is_not_utf8_is_packaged_without_an_encoding() {
    let mut package = small();
    assert_eq!(dump(&bytes(&package)).header[&5062], "text \"utf-8\"");
    let name = packhouse_package::PackagePath::new(b"opt/hello/\xff").unwrap();
    package.files.insert(name, Entry::bytes(&b""[..], 0o644)).unwrap();
    assert!(!dump(&bytes(&package)).header.contains_key(&5062));
}

#[test]
fn a_package_without_files_is_one() {
    let Some([rpm]) = packhouse_clients::find(["rpm"]) else { return };
    let root = Root::new(&rpm);
    root.act("-i", &package("1"));
    assert_eq!(root.run(["-ql", "hello"]), "(contains no files)\n");
}

/// The layout of a package with a file of 5 GiB, from a sparse file. Slow: all of it is hashed.
#[test]
fn a_file_of_5_gib_is_packaged() {
    let Some([rpm, rpm2archive]) = packhouse_clients::find(["rpm", "rpm2archive"]) else { return };
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("opt/hello/large");
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::File::create(&file).unwrap().file().set_len(5 << 30).unwrap();
    let mut package = from_disk(directory.path());
    package.options.compression = Some(Compression::Zstd(1));
    let packed = write(&package, directory.path());
    assert!(fs::metadata(&packed).unwrap().len() < 10 << 20);
    let format = "[%{FILENAMES} %{LONGFILESIZES}\n]%{LONGSIZE} %{LONGARCHIVESIZE}\n";
    let listing = rpm.run([
        "-qp".as_ref(),
        "--nosignature".as_ref(),
        "--qf".as_ref(),
        format.as_ref(),
        packed.as_os_str(),
    ]);
    assert_eq!(listing, "/opt/hello 0\n/opt/hello/large 5368709120\n5368709120 5368709276\n");
    rpm.run(["-K".as_ref(), "--nosignature".as_ref(), packed.as_os_str()]);
    // rpm2cpio refuses such packages, because cpio cannot hold the file.
    let unpacked = Command::new("sh")
        .args(["-c", "TZ=UTC; export TZ; \"$0\" -n - <\"$1\" | tar -tv"])
        .arg(rpm2archive.command().get_program())
        .arg(&packed)
        .output()
        .unwrap();
    let unpacked = packhouse_clients::text(&unpacked);
    assert!(unpacked.contains("5368709120 2023-11-14 22:13 ./opt/hello/large"), "{unpacked}");
}

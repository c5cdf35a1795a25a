//! What every format must do, in one suite: a format is a row of facts in [`FORMATS`], and nothing else here knows
//! one by its name.
//!
//! Each test writes packages, reads them back by [`inspect_file`], which tells the format by content, and compares.
#![expect(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

mod hostile;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Cursor;
use std::num::NonZeroUsize;
use std::path::Path;

use packhouse_package::archive::compress::Compression;
use packhouse_package::inspect::{InspectedFile, InspectedKind};
use packhouse_package::signing::{NativeSignature, RsaHash, Scheme, Signing};
use packhouse_package::{
    Arch, Capabilities, Change, Depth, Entry, Error, FileTree, Format, Inspection, Kind, LinkId, Mark,
    Moment, Named, Owner, Package, PackagePath, Resources, Script, Version, inspect_file,
};

use crate::deb_fixture::{package, path, relations};

/// What a format supports.
pub struct Facts {
    pub format: Format,
    /// It says name, version and the rest; otherwise it is only an archive of the files.
    pub has_metadata: bool,
    /// It says more than a line about the package.
    pub has_description: bool,
    /// It has no place for these fields.
    pub lacks: &'static [&'static str],
    /// A version has an epoch; otherwise one is refused, or left out where there are no versions.
    pub has_epoch: bool,
    /// Architectures have files of their own names.
    pub names_arch: bool,
    /// Directories of the system are among the files.
    pub lists_system_directories: bool,
    /// Files have owners, by name.
    pub has_owners: bool,
    /// Names of one file are one file.
    pub has_hard_links: bool,
    pub capabilities: Support,
    pub ghosts: Support,
    /// Configuration files are marked.
    pub marks_config: bool,
    /// Bytes that a name cannot have, besides NUL and `/`.
    pub forbidden: fn(u8) -> bool,
    /// Names are any bytes, not only UTF-8.
    pub takes_any_bytes: bool,
    /// The longest path that it surely holds, in bytes.
    pub longest_path: usize,
    pub signed: Signed,
}

/// How packages are signed in the format's own way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signed {
    /// Not at all.
    Detached,
    /// In a file whose name ends so.
    Beside(&'static str),
    /// In the package, by a signature of this kind.
    Inside(Scheme),
}

/// How something is in a package.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Support {
    /// As itself.
    Held,
    /// By a script that makes it so.
    Scripted,
    /// Not at all; it is left out, as documented.
    LeftOut,
    /// Not at all, and a package with it is refused.
    Refused,
}

/// The formats, one row each.
pub const FORMATS: [Facts; 6] = [
    Facts {
        format: Format::Deb,
        has_metadata: true,
        has_description: true,
        lacks: &[],
        has_epoch: true,
        names_arch: true,
        lists_system_directories: true,
        has_owners: true,
        has_hard_links: true,
        capabilities: Support::Scripted,
        ghosts: Support::Scripted,
        marks_config: true,
        forbidden: |byte| byte == b'\n',
        takes_any_bytes: true,
        longest_path: 4094,
        signed: Signed::Detached,
    },
    Facts {
        format: Format::Rpm,
        has_metadata: true,
        has_description: true,
        lacks: &[],
        has_epoch: true,
        names_arch: true,
        lists_system_directories: false,
        has_owners: true,
        has_hard_links: true,
        capabilities: Support::Held,
        ghosts: Support::Held,
        marks_config: true,
        forbidden: |_| false,
        takes_any_bytes: true,
        longest_path: 4094,
        signed: Signed::Inside(Scheme::OpenPgp),
    },
    Facts {
        format: Format::Apk,
        has_metadata: true,
        has_description: false,
        lacks: &["vendor", "category"],
        has_epoch: false,
        names_arch: false,
        lists_system_directories: true,
        has_owners: true,
        has_hard_links: true,
        capabilities: Support::Held,
        ghosts: Support::Scripted,
        marks_config: false,
        forbidden: |byte| byte.is_ascii_control(),
        takes_any_bytes: true,
        longest_path: 4084,
        signed: Signed::Inside(Scheme::Rsa),
    },
    Facts {
        format: Format::Pacman,
        has_metadata: true,
        has_description: false,
        lacks: &["vendor"],
        has_epoch: true,
        names_arch: true,
        lists_system_directories: true,
        // systemd-tmpfiles gives them away.
        has_owners: false,
        has_hard_links: true,
        capabilities: Support::Held,
        ghosts: Support::Scripted,
        marks_config: true,
        forbidden: |byte| byte == b'\n',
        takes_any_bytes: true,
        longest_path: 4094,
        signed: Signed::Beside(".sig"),
    },
    Facts {
        format: Format::Tar,
        has_metadata: false,
        has_description: false,
        lacks: &[],
        has_epoch: false,
        names_arch: true,
        lists_system_directories: true,
        has_owners: true,
        has_hard_links: true,
        capabilities: Support::Held,
        ghosts: Support::LeftOut,
        marks_config: false,
        forbidden: |_| false,
        takes_any_bytes: true,
        longest_path: 4094,
        signed: Signed::Detached,
    },
    Facts {
        format: Format::Zip,
        has_metadata: false,
        has_description: false,
        lacks: &[],
        has_epoch: false,
        names_arch: true,
        lists_system_directories: true,
        has_owners: false,
        has_hard_links: false,
        capabilities: Support::Refused,
        ghosts: Support::LeftOut,
        marks_config: false,
        forbidden: |byte| byte == b'\\',
        takes_any_bytes: false,
        longest_path: 4094,
        signed: Signed::Detached,
    },
];

impl Facts {
    /// A package in its default compression.
    fn package(&self, version: &str, files: &[(&str, Entry)]) -> Package {
        let mut package = package(version, files);
        package.options.compression = Some(self.format.get().compressions()[0]);
        package
    }

    /// The same in the one that costs least.
    fn cheap(&self, version: &str, files: &[(&str, Entry)]) -> Package {
        let mut package = package(version, files);
        let compressions = self.format.get().compressions();
        let is_none = compressions.contains(&Compression::None);
        package.options.compression = Some(if is_none { Compression::None } else { Compression::Gzip(1) });
        package
    }

    fn write(&self, package: &Package, threads: usize) -> Result<Vec<u8>, Error> {
        let mut out = Cursor::new(Vec::new());
        let resources = Resources { threads: NonZeroUsize::new(threads).unwrap() };
        self.format.get().write(package, resources, &mut out)?;
        Ok(out.into_inner())
    }

    #[track_caller]
    fn read(&self, bytes: Vec<u8>, depth: Depth) -> Inspection {
        match inspect_file(&mut Cursor::new(bytes), "", depth) {
            Ok(inspection) => inspection,
            Err(error) => panic!("{}: {error}", self.format),
        }
    }

    #[track_caller]
    fn written_and_read(&self, package: &Package) -> Inspection {
        match self.write(package, 1) {
            Ok(bytes) => self.read(bytes, Depth::Contents),
            Err(error) => panic!("{}: {error}", self.format),
        }
    }
}

fn linked(number: u64) -> Entry {
    let mut entry = Entry::bytes(*b"twice\n", 0o755);
    if let Kind::File { link, .. } = &mut entry.kind {
        *link = Some(LinkId { device: 1, inode: number });
    }
    entry
}

/// A package with everything that every format has or leaves out; what some refuse is added by its test.
fn everything(facts: &Facts) -> Package {
    let mut config = Entry::bytes(*b"PORT=80\n", 0o640);
    config.owner = Owner { user: "root".into(), group: "adm".into() };
    let mut marked = Entry::bytes(*b"marked\n", 0o644);
    marked.mark = Mark::Config;
    let mut guide = Entry::bytes(*b"# Guide\n", 0o644);
    guide.mark = Mark::Documentation;
    let mut owned = Entry::directory();
    (owned.mode, owned.owner) = (0o2770, Owner { user: "daemon".into(), group: "daemon".into() });
    let large: Vec<u8> = (0..120_000_u32).flat_map(|n| n.to_string().into_bytes()).collect();
    let deep = format!("opt/{}/leaf", vec!["d".repeat(60); 10].join("/"));
    let mut package = facts.package(
        "1.2.3",
        &[
            ("usr/bin/hello", Entry::bytes(*b"#!/bin/sh\necho hello\n", 0o755)),
            ("usr/bin/su", Entry::bytes(*b"su\n", 0o4755)),
            ("usr/bin/hi", Entry::symlink("hello")),
            ("usr/bin/dangling", Entry::symlink("../nowhere/at all")),
            ("usr/lib/hello/one", linked(1)),
            ("usr/lib/hello/two", linked(1)),
            ("usr/lib/hello.d/empty", Entry::bytes(*b"", 0o644)),
            ("usr/share/doc/orchestrator/guide.md", guide),
            ("etc/hello.conf", config),
            ("opt/h\u{e9}llo w\u{f6}rld \u{2603}.txt", Entry::bytes(*b"unicode\n", 0o600)),
            ("opt/large", Entry::bytes(large, 0o644)),
            ("opt/marked", marked),
            (&deep, Entry::bytes(*b"deep\n", 0o644)),
            ("var/lib/hello", owned),
            ("var/lib/empty", Entry::directory()),
        ],
    );
    let metadata = &mut package.metadata;
    metadata.arch = Arch::X86_64;
    metadata.version.epoch = facts.has_epoch.then_some(3);
    metadata.version.release = Some("2".into());
    metadata.relations.depends = relations(&["openssl >= 1.1", "zlib"]);
    metadata.relations.suggests = relations(&["curl"]);
    metadata.relations.conflicts = relations(&["old < 1"]);
    metadata.relations.replaces = relations(&["old < 1"]);
    metadata.relations.provides = relations(&["monitor = 1"]);
    for moment in Moment::ALL {
        package.scripts.insert(moment, Script::shell(format!("echo 'at {}'\n", moment.name())));
    }
    package
}

/// Compares what was read with what was written; a format may add files of its own below these directories.
#[track_caller]
fn compare_files(facts: &Facts, package: &Package, found: &[InspectedFile]) {
    const ADDED: [&str; 5] = [
        "/usr/share/doc/orchestrator",
        "/usr/share/licenses",
        "/usr/lib/tmpfiles.d",
        "/usr/lib/sysusers.d",
        "/etc/apk/protected_paths.d",
    ];
    let format = facts.format;
    let sorted = found.windows(2).all(|pair| pair[0].path < pair[1].path);
    assert!(sorted, "{format}: files are sorted and none comes twice");
    let mut found: BTreeMap<&[u8], &InspectedFile> =
        found.iter().map(|file| (&file.path[..], file)).collect();
    let links = package.files.hard_links();
    for (path, entry) in package.files.iter() {
        let absolute = [b"/", path.as_bytes()].concat();
        let Some(file) = found.remove(&absolute[..]) else {
            let is_left_out = match entry.kind {
                Kind::Ghost => facts.ghosts != Support::Held,
                Kind::Directory => !facts.lists_system_directories && entry.owner == Owner::default(),
                _ => false,
            };
            assert!(is_left_out, "{format}: no {path}");
            continue;
        };
        match (&entry.kind, &file.kind) {
            (Kind::File { size, .. }, InspectedKind::File) => {
                assert!(!(facts.has_hard_links && links.contains_key(path)), "{format}: {path} is a link");
                assert_eq!(file.size, *size, "{format}: {path}");
                assert_eq!(file.digest.as_deref(), Some(&sha256(entry)[..]), "{format}: {path}");
            }
            (Kind::File { .. }, InspectedKind::HardLink(first)) => {
                assert!(facts.has_hard_links, "{format}: {path}");
                assert_eq!(*first, [b"/", links[path].as_bytes()].concat(), "{format}: {path}");
            }
            (Kind::Directory, InspectedKind::Directory) => {}
            (Kind::Symlink { target }, InspectedKind::Symlink(found)) => {
                assert_eq!(target, found, "{format}: {path}")
            }
            (Kind::Ghost, _) => assert!(file.marks.contains(&"ghost"), "{format}: {path}"),
            (_, kind) => panic!("{format}: {path} is {kind:?}"),
        }
        if !matches!(entry.kind, Kind::Symlink { .. }) {
            assert_eq!(file.mode, entry.mode, "{format}: the mode of {path}");
        }
        if facts.has_owners {
            let owner = Owner::new(file.user.clone(), file.group.clone());
            assert_eq!(owner, entry.owner, "{format}: the owner of {path}");
        }
        if facts.marks_config {
            assert_eq!(
                file.marks.contains(&"config"),
                entry.is_config(path),
                "{format}: {path} {:?}",
                file.marks
            );
        }
        if facts.capabilities == Support::Held {
            assert_eq!(file.capabilities, entry.capabilities, "{format}: {path}");
        }
    }
    for path in found.keys() {
        let path = String::from_utf8_lossy(path);
        let is_added =
            ADDED.iter().any(|directory| path.starts_with(directory) || directory.starts_with(&*path));
        assert!(is_added, "{format}: {path} was not packaged");
    }
}

fn sha256(entry: &Entry) -> String {
    use sha2::Digest as _;
    let Kind::File { content: packhouse_package::Content::Bytes(bytes), .. } = &entry.kind else {
        panic!("a file of bytes")
    };
    sha2::Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn a_package_knows_the_names_that_its_file_may_have() {
    for facts in FORMATS {
        let format = facts.format.get();
        for (version, epoch) in [("1.0", None), ("1.0.2605191200", None), ("2", Some(1))] {
            let mut package = facts.package(version, &[]);
            package.metadata.version.epoch = epoch.filter(|_| facts.has_epoch);
            let name = format.file_name(&package.metadata, &package.options).unwrap();
            let inspection = facts.read(facts.write(&package, 1).unwrap(), Depth::Metadata);
            if !facts.has_metadata {
                assert_eq!(inspection.named(&name), Named::Unsaid, "{name}");
                continue;
            }
            assert_eq!(inspection.named(&name), Named::Rightly, "{name}");
            let other = name.replacen("orchestrator", "orchestratos", 1);
            assert_eq!(inspection.named(&other), Named::Wrongly { expected: name.clone() }, "{name}");
            let older = name.replacen(['1', '2'], "0", 1);
            for wrong in [&older, &format!("x{name}"), &format!("{name}.bak"), ""] {
                assert!(matches!(inspection.named(wrong), Named::Wrongly { .. }), "{wrong}");
            }
        }
    }
}

#[test]
fn every_compression_holds_everything_and_gives_it_back() {
    for facts in &FORMATS {
        let mut package = everything(facts);
        for compression in facts.format.get().compressions() {
            package.options.compression = Some(*compression);
            let inspection = facts.written_and_read(&package);
            assert_eq!(inspection.format, facts.format, "told by content");
            assert_eq!(inspection.compression, compression.name(), "{}", facts.format);
            compare_files(facts, &package, inspection.files.as_deref().unwrap());
            compare_metadata(facts, &package, &inspection);
            let shallow = facts.read(facts.write(&package, 1).unwrap(), Depth::Metadata);
            let without_files = |inspection: Inspection| Inspection { files: None, ..inspection };
            assert_eq!(without_files(shallow), without_files(inspection), "{}", facts.format);
        }
    }
}

#[track_caller]
fn compare_metadata(facts: &Facts, package: &Package, inspection: &Inspection) {
    let (format, metadata) = (facts.format, &package.metadata);
    if !facts.has_metadata {
        assert_eq!((&inspection.name[..], inspection.scripts.len()), ("", 0), "{format}");
        return;
    }
    assert_eq!(inspection.name, "orchestrator", "{format}");
    assert!(
        inspection.version.contains("1.2.3") && inspection.version.ends_with('2'),
        "{}",
        inspection.version
    );
    assert_eq!(inspection.arch, format.get().arch(Arch::X86_64));
    assert_eq!(inspection.summary, metadata.summary, "{format}");
    if facts.has_description {
        assert_eq!(inspection.description.trim(), metadata.description.trim(), "{format}");
    }
    for (field, written, read) in [
        ("homepage", &metadata.homepage, &inspection.homepage),
        ("vendor", &metadata.vendor, &inspection.vendor),
        ("category", &metadata.category, &inspection.category),
        ("maintainer", &Some(metadata.maintainer.clone()), &inspection.maintainer),
    ] {
        if !facts.lacks.contains(&field) {
            assert_eq!(written, read, "{format}: {field}");
        }
    }
    for relation in ["depends", "provides"] {
        assert!(
            inspection.relations.contains_key(relation),
            "{format}: {relation} {:?}",
            inspection.relations
        );
    }
    let scripts: String = inspection.scripts.values().map(|script| script.text.as_str()).collect();
    for moment in Moment::ALL {
        assert!(scripts.contains(&format!("at {}", moment.name())), "{format}: {}", moment.name());
    }
    assert!(
        inspection.installed_size.is_none_or(|size| size > 500_000),
        "{format}: {:?}",
        inspection.installed_size
    );
}

#[test]
fn capabilities_and_ghosts_are_as_each_format_can_have_them() {
    for facts in &FORMATS {
        let mut ping = Entry::bytes(*b"ping\n", 0o755);
        ping.capabilities = Capabilities::parse("cap_net_raw=ep");
        let package = facts.package("1", &[("usr/bin/ping", ping)]);
        match facts.capabilities {
            Support::Refused => {
                let error = facts.write(&package, 1).unwrap_err().to_string();
                assert!(
                    error.starts_with(facts.format.get().name()) && error.contains("/usr/bin/ping"),
                    "{error}"
                );
            }
            _ => compare_files(facts, &package, facts.written_and_read(&package).files.as_deref().unwrap()),
        }
        let mut ghost = Entry::bytes(*b"", 0o644);
        ghost.kind = Kind::Ghost;
        let mut package = facts.package("1", &[("usr/bin/hello", Entry::bytes(*b"x", 0o755))]);
        package.files.insert(path("var/cache/hello/made"), ghost).unwrap();
        package.files.complete();
        let inspection = facts.written_and_read(&package);
        compare_files(facts, &package, inspection.files.as_deref().unwrap());
        let scripts: String = inspection.scripts.values().map(|script| script.text.as_str()).collect();
        let is_scripted = scripts.contains("/var/cache/hello/made");
        assert_eq!(is_scripted, facts.ghosts == Support::Scripted, "{}: {scripts}", facts.format);
    }
}

#[test]
fn bytes_do_not_depend_on_threads() {
    for facts in &FORMATS {
        let mut package = everything(facts);
        for compression in facts.format.get().compressions() {
            package.options.compression = Some(*compression);
            let once = facts.write(&package, 1).unwrap();
            for threads in [2, 16] {
                assert!(facts.write(&package, threads).unwrap() == once, "{} {compression:?}", facts.format);
            }
        }
    }
}

#[test]
fn bytes_do_not_depend_on_the_order_and_times_of_files() {
    fn tree(directory: &Path, names: &[&str]) {
        for name in names {
            let file = directory.join(name);
            fs_err::create_dir_all(file.parent().unwrap()).unwrap();
            fs_err::write(&file, format!("content of {name}\n").repeat(100)).unwrap();
        }
        fs_err::hard_link(directory.join("a/one"), directory.join("a/two")).unwrap();
    }
    let mut names = ["a/one", "a.b/c", "a/b/c", "opt/\u{e4}", "usr/B", "usr/a"];
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    tree(first.path(), &names);
    names.reverse();
    tree(second.path(), &names);
    fs_err::File::options()
        .write(true)
        .open(second.path().join("usr/a"))
        .unwrap()
        .file()
        .set_modified(std::time::UNIX_EPOCH)
        .unwrap();
    for facts in &FORMATS {
        let written = |directory: &Path| {
            let mut package = facts.package("1", &[]);
            package.files.add_directory(directory, None, &[]).unwrap();
            facts.write(&package, 2).unwrap()
        };
        assert!(written(first.path()) == written(second.path()), "{}", facts.format);
    }
}

#[test]
fn a_file_that_changed_since_it_was_found_is_an_error() {
    for facts in &FORMATS {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("opt-file");
        fs_err::write(&file, "before").unwrap();
        let mut package = facts.cheap("1", &[]);
        package.files.add_directory(directory.path(), None, &[]).unwrap();
        assert!(facts.write(&package, 1).is_ok(), "{}", facts.format);
        for text in ["grown beyond", "less", ""] {
            fs_err::write(&file, text).unwrap();
            let error = facts.write(&package, 1).unwrap_err();
            let is_named = matches!(
                &error,
                Error::Changed { path, change: Change::Size { expected: 6, found } }
                    if *path == file && (*found > 6) == (text.len() > 6)
            );
            assert!(is_named, "{} {text}: {error:?}", facts.format);
        }
        for make in ["mkfifo", "ln -s /etc/passwd"] {
            fs_err::remove_file(&file).unwrap();
            let script = format!("{make} \"$1\"");
            let status = std::process::Command::new("sh").args(["-c", &script, "sh"]).arg(&file).status();
            assert!(status.unwrap().success());
            assert!(facts.write(&package, 1).is_err(), "{}: {make}", facts.format);
        }
    }
}

#[test]
fn devices_sockets_and_pipes_are_refused_wherever_they_are_found() {
    let directory = tempfile::tempdir().unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(directory.path().join("socket")).unwrap();
    let status = std::process::Command::new("mkfifo").arg(directory.path().join("pipe")).status();
    assert!(status.unwrap().success());
    for (path, what) in [
        (directory.path().join("socket"), "a socket"),
        (directory.path().join("pipe"), "a named pipe"),
        ("/dev/null".into(), "a device"),
    ] {
        let error = Entry::from_disk(&path).unwrap_err();
        assert!(matches!(&error, Error::SpecialFile { what: found, .. } if *found == what), "{error:?}");
    }
    assert!(FileTree::new().add_directory(directory.path(), None, &[]).is_err());
}

#[test]
fn names_of_files_are_unique_and_safe() {
    for facts in &FORMATS {
        let format = facts.format.get();
        let mut names = BTreeSet::new();
        for compression in format.compressions() {
            for (version, release, arch) in [
                ("1.0", None, Arch::X86_64),
                ("1.0", Some("2"), Arch::X86_64),
                ("1.1", None, Arch::X86_64),
                ("1.1", None, Arch::Noarch),
                ("1.1", None, Arch::Aarch64),
            ] {
                let mut package = facts.package(version, &[]);
                package.options.compression = Some(*compression);
                let release = release.map(str::to_owned);
                (package.metadata.version, package.metadata.arch) =
                    (Version { release, ..Version::new(version) }, arch);
                let name = format.file_name(&package.metadata, &package.options).unwrap();
                let is_plain = |c: char| c.is_ascii_alphanumeric() || "+-._~^:".contains(c);
                assert!(name.starts_with("orchestrator") && name.chars().all(is_plain), "{name}");
                assert!(format.endings().iter().any(|ending| name.ends_with(ending)), "{name}");
                names.insert(name);
            }
        }
        let distinct = if facts.names_arch { 5 } else { 3 };
        assert!(names.len() >= distinct, "{}: {names:?}", facts.format);
        let mut package = facts.package("1.0", &[]);
        let plain = facts.read(facts.write(&package, 1).unwrap(), Depth::Metadata);
        package.metadata.version.epoch = Some(1);
        match facts.write(&package, 1) {
            Err(error) => assert!(!facts.has_epoch && error.to_string().contains("epoch"), "{error}"),
            Ok(bytes) => {
                let epoch = facts.read(bytes, Depth::Metadata);
                let expected =
                    if facts.has_epoch { format!("1:{}", plain.version) } else { plain.version.clone() };
                assert_eq!(epoch.version, expected, "{}", facts.format);
            }
        }
    }
}

#[test]
fn a_name_has_any_byte_or_is_refused_by_name() {
    for facts in &FORMATS {
        for byte in (1..=255_u8).filter(|byte| *byte != b'/') {
            let name = PackagePath::new([b"opt/x", &[byte][..], b"y"].concat()).unwrap();
            let mut package = facts.cheap("1", &[]);
            package.files.insert(name.clone(), Entry::bytes(*b"z", 0o644)).unwrap();
            package.files.complete();
            let is_forbidden = (facts.forbidden)(byte) || (!facts.takes_any_bytes && !byte.is_ascii());
            match facts.write(&package, 1) {
                Ok(bytes) => {
                    assert!(!is_forbidden, "{}: {name} was packaged", facts.format);
                    let inspection = facts.read(bytes, Depth::Contents);
                    compare_files(facts, &package, inspection.files.as_deref().unwrap());
                }
                Err(error) => {
                    assert!(is_forbidden, "{}: {error}", facts.format);
                    let is_named = matches!(
                        &error,
                        Error::FileName { path, format, .. }
                            if *path == name && *format == facts.format.get().name()
                    );
                    assert!(is_named, "{error:?}");
                }
            }
        }
    }
}

#[test]
fn paths_of_four_thousand_bytes_are_packaged_and_longer_ones_or_refused_by_name() {
    for facts in &FORMATS {
        for length in [4000, 4084, 4094] {
            let deep = vec!["d".repeat(200); 25].join("/");
            let name = PackagePath::new(&deep[..length]).unwrap();
            let mut package = facts.cheap("1", &[]);
            package.files.insert(name, Entry::bytes(*b"z", 0o644)).unwrap();
            package.files.complete();
            match facts.write(&package, 1) {
                Ok(bytes) => {
                    let inspection = facts.read(bytes, Depth::Contents);
                    compare_files(facts, &package, inspection.files.as_deref().unwrap());
                }
                Err(error) => {
                    let is_named = matches!(error, Error::FileName { .. });
                    assert!(is_named && length > facts.longest_path, "{}: {error}", facts.format);
                }
            }
        }
    }
}

#[test]
fn no_file_and_twenty_thousand_files_are_packages() {
    for facts in &FORMATS {
        let empty = facts.cheap("1", &[]);
        // An empty tar is nothing but zeros, which no content tells.
        let mut written = Cursor::new(facts.write(&empty, 1).unwrap());
        let inspection = facts.format.get().inspect(&mut written, Depth::Contents).unwrap();
        compare_files(facts, &empty, inspection.files.as_deref().unwrap());
        let mut package = facts.cheap("1", &[]);
        for number in 0..20_000 {
            let name = path(&format!("opt/d{}/f{number}", number % 100));
            package.files.insert(name, Entry::bytes(number.to_string().into_bytes(), 0o644)).unwrap();
        }
        package.files.complete();
        let inspection = facts.written_and_read(&package);
        assert!(inspection.files.unwrap().len() >= 20_000, "{}", facts.format);
    }
}

/// IN-07: dependencies without number; and a text that would be megabytes in every index that lists the package.
#[test]
fn sixty_five_thousand_dependencies_are_read_and_a_text_without_end_is_refused() {
    for facts in FORMATS.iter().filter(|facts| facts.has_metadata) {
        let names: Vec<String> = (0..65_536).map(|number| format!("dependency-{number}")).collect();
        let mut package = facts.cheap("1", &[]);
        package.metadata.relations.depends = relations(&names.iter().map(String::as_str).collect::<Vec<_>>());
        let depends = &facts.written_and_read(&package).relations["depends"];
        assert!(depends.len() >= names.len(), "{}: {}", facts.format, depends.len());
        let mut package = facts.cheap("1", &[]);
        package.metadata.description = "x".repeat(300 << 20);
        let error = facts.write(&package, 1).unwrap_err();
        assert!(matches!(error, Error::TooLarge { limit: 1_048_576, .. }), "{}: {error}", facts.format);
        assert!(error.to_string().contains("description"), "{error}");
    }
}

/// IN-06: names that differ only to those who look closely, that look like options, and as long as a name can be.
#[test]
fn names_that_are_nearly_alike_look_like_options_or_are_long_arrive() {
    let long = format!("opt/{}", "n".repeat(255));
    let names = [
        "opt/Readme",
        "opt/README",
        "opt/\u{e9}",
        "opt/e\u{301}",
        "opt/-rf",
        "opt/--help",
        "opt/a",
        "opt/a.",
        "opt/a ",
        "opt/ a",
        "opt/CON",
        "opt/~",
        "opt/$(touch PWNED)",
        "opt/%(touch PWNED)",
        "opt/.gitkeep",
        "opt/d/.gitkeep",
        &long,
    ];
    for facts in &FORMATS {
        let mut package = facts.cheap("1", &[]);
        for name in names {
            package.files.insert(path(name), Entry::bytes(name.as_bytes().to_vec(), 0o644)).unwrap();
        }
        package.files.complete();
        compare_files(facts, &package, facts.written_and_read(&package).files.as_deref().unwrap());
    }
}

/// One that nobody made: the writer looks at its kind, and verifies nothing.
fn signature(scheme: Scheme) -> NativeSignature {
    match scheme {
        // Version 4, over a document, EdDSA, SHA-256, no subpackets, the start of the hash, and nothing.
        Scheme::OpenPgp => NativeSignature::OpenPgp(vec![0x88, 10, 4, 0, 22, 8, 0, 0, 0, 0, 1, 2]),
        Scheme::Rsa => {
            NativeSignature::Rsa { key: "a.rsa.pub".into(), hash: RsaHash::Sha256, bytes: vec![7; 256] }
        }
    }
}

#[test]
fn packages_are_signed_in_their_formats_way_and_changed_in_nothing_else() {
    let package = package("1.0", &[("opt/f", Entry::bytes(*b"content", 0o644))]);
    for facts in FORMATS {
        let (unsigned, format, signed) = (facts.write(&package, 1).unwrap(), facts.format, facts.signed);
        let signatures = |bytes: &[u8]| format.get().signatures(&mut Cursor::new(bytes)).unwrap();
        assert_eq!(signatures(&unsigned), [], "{format}");
        let (scheme, inside) = match (format.get().signing(), signed) {
            (Signing::Detached, Signed::Detached) => continue,
            (Signing::Beside(ending), Signed::Beside(expected)) => {
                assert_eq!(ending, expected);
                continue;
            }
            (Signing::Inside(inside), Signed::Inside(scheme)) => (scheme, inside),
            _ => panic!("{format} is signed otherwise"),
        };
        assert_eq!(inside.scheme(), scheme, "{format}");
        let with = |bytes: &[u8], signatures: &[NativeSignature]| -> packhouse_package::Result<Vec<u8>> {
            let mut out = Vec::new();
            inside.write(&mut Cursor::new(bytes), signatures, &mut out)?;
            Ok(out)
        };
        let to_sign = |bytes: &[u8]| inside.to_sign(&mut Cursor::new(bytes)).unwrap();
        let made = signature(scheme);
        let package = with(&unsigned, std::slice::from_ref(&made)).unwrap();
        let found = signatures(&package);
        assert_eq!(found.iter().map(|found| &found.signature).collect::<Vec<_>>(), [&made], "{format}");
        let range = found[0].range.start as usize..found[0].range.end as usize;
        assert_eq!(package[range], to_sign(&unsigned), "{format}");
        assert_eq!(to_sign(&package), to_sign(&unsigned), "{format}");
        assert!(with(&package, &[]).unwrap() == unsigned, "{format}");
        // A reader sees the same package, and its signature.
        let read = |bytes: &[u8]| inspect_file(&mut Cursor::new(bytes), "", Depth::Contents).unwrap();
        let (mut before, after) = (read(&unsigned), read(&package));
        assert_eq!(after.signatures.len(), 1, "{format}");
        before.signatures.clone_from(&after.signatures);
        assert_eq!(before, after, "{format}");
        // Of the other kind, and of half a package.
        let other = if scheme == Scheme::Rsa { Scheme::OpenPgp } else { Scheme::Rsa };
        let error = with(&unsigned, &[signature(other)]).unwrap_err();
        assert!(matches!(error, Error::Unsignable { .. }) && error.help().is_some(), "{format}: {error}");
        for length in [0, 1, 100, to_sign(&unsigned).len()] {
            let half = &unsigned[..length.min(unsigned.len() - 1)];
            assert!(inside.to_sign(&mut Cursor::new(half)).is_err(), "{format}: {length} bytes");
            assert!(with(half, &[]).is_err(), "{format}: {length} bytes");
        }
    }
}

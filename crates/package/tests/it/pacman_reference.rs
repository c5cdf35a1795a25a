//! The same tree and metadata by makepkg. Every difference is listed with its reason.
#![expect(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

use std::collections::BTreeMap;
use std::path::Path;

use packhouse_package::{ChangelogEntry, Entry, Kind, LinkId, Moment, Package, Script};

use crate::pacman_fixture::{files, package, path, write};

/// Lines of `.PKGINFO` and `.BUILDINFO` that only one of the two has, by their keys.
const EXPECTED_DIFFERENCES: [(&str, &str); 9] = [
    ("#", "comments: who wrote it"),
    ("xdata", "pkgtype=pkg, which makepkg writes since 6.1; 6.0 reads on without a word"),
    ("pkgbuild_sha256sum", "there is no PKGBUILD; the digest of nothing"),
    ("builddir", "of no machine"),
    ("startdir", "of no machine"),
    ("buildtool", "the writer"),
    ("buildtoolver", "of the layout, not of the program"),
    ("buildenv", "of makepkg.conf"),
    ("options", "of makepkg.conf"),
];

/// The listing of the members that neither can have alike: their sizes and digests follow from the above.
const OWN_MEMBERS: [&str; 5] = [".BUILDINFO", ".CHANGELOG", ".INSTALL", ".MTREE", ".PKGINFO"];

/// A tree with all that makepkg packages.
fn everything() -> Package {
    let mut package = package("1.2.3", &files());
    let mut linked = Entry::bytes(*b"twice\n", 0o755);
    if let Kind::File { link, .. } = &mut linked.kind {
        *link = Some(LinkId { device: 1, inode: 2 });
    }
    package.files.insert(path("usr/bin/one"), linked.clone()).unwrap();
    package.files.insert(path("usr/bin/two"), linked).unwrap();
    package.files.insert(path("usr/bin/su"), Entry::bytes(*b"su\n", 0o4755)).unwrap();
    package.files.insert(path("opt/a b#*=[\\x"), Entry::bytes(*b"", 0o600)).unwrap();
    package.files.complete();
    package.metadata.version.epoch = Some(2);
    package.metadata.changelog.push(ChangelogEntry {
        version: "1.2.3".into(),
        time: package.timestamp,
        author: "Ada".into(),
        changes: vec!["It runs".into()],
    });
    package.scripts.insert(Moment::AfterInstall, Script::shell("echo\n"));
    package.metadata.relations.depends = crate::deb_fixture::relations(&["bash", "glibc >= 2.3"]);
    package.metadata.relations.suggests = crate::deb_fixture::relations(&["vim: to edit"]);
    package.metadata.relations.provides = crate::deb_fixture::relations(&["monitor = 1"]);
    package.metadata.relations.conflicts = crate::deb_fixture::relations(&["old < 1"]);
    package.metadata.relations.replaces = crate::deb_fixture::relations(&["old < 1"]);
    package
}

/// Lays the files out as makepkg's `$pkgdir` should have them, by a shell function.
fn recipe(package: &Package, directory: &Path) -> String {
    let mut function = String::new();
    let links = package.files.hard_links();
    for (number, (path, entry)) in package.files.iter().enumerate() {
        let name = String::from_utf8(path.as_bytes().to_vec()).unwrap();
        let mode = entry.mode;
        function += &match &entry.kind {
            Kind::Directory => format!("  install -d -m {mode:o} \"$pkgdir\"/'{name}'\n"),
            Kind::Symlink { target } => {
                format!("  ln -s '{}' \"$pkgdir\"/'{name}'\n", String::from_utf8_lossy(target))
            }
            Kind::File { .. } if links.contains_key(path) => {
                let first = String::from_utf8_lossy(links[path].as_bytes());
                format!("  ln \"$pkgdir\"/'{first}' \"$pkgdir\"/'{name}'\n")
            }
            Kind::File { content: packhouse_package::Content::Bytes(bytes), .. } => {
                fs_err::write(directory.join(format!("file-{number}")), bytes).unwrap();
                format!("  install -m {mode:o} \"$startdir/file-{number}\" \"$pkgdir\"/'{name}'\n")
            }
            _ => panic!("{name}"),
        };
    }
    format!(
        "pkgname=orchestrator\npkgver=1.2.3\npkgrel=1\nepoch=2\npkgdesc='{}'\narch=(any)\nurl='{}'\n\
         license=('Apache-2.0')\ngroups=('net')\ninstall=x.install\nchangelog=x.changelog\n\
         depends=(bash 'glibc>=2.3')\noptdepends=('vim: to edit')\nprovides=('monitor=1')\n\
         conflicts=('old<1')\nreplaces=('old<1')\nbackup=('etc/default/orchestrator')\n\
         options=(!strip docs !zipman emptydirs !purge)\npackage() {{\n{function}}}\n",
        package.metadata.summary,
        package.metadata.homepage.as_deref().unwrap(),
    )
}

fn lines(text: &str) -> BTreeMap<String, Vec<String>> {
    let mut lines: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in text.lines() {
        let key = if line.starts_with('#') { "#" } else { line.split(" = ").next().unwrap() };
        lines.entry(key.to_owned()).or_default().push(line.to_owned());
    }
    lines
}

#[test]
fn a_package_differs_from_makepkgs_only_as_argued() {
    let Some([makepkg, bsdtar, fakeroot]) = packhouse_clients::find(["makepkg", "bsdtar", "fakeroot"]) else {
        return;
    };
    let _ = fakeroot;
    let package = everything();
    let directory = tempfile::tempdir().unwrap();
    let ours = write(&package, directory.path());
    let build = directory.path().join("build");
    fs_err::create_dir(&build).unwrap();
    fs_err::write(build.join("PKGBUILD"), recipe(&package, &build)).unwrap();
    let member =
        |archive: &Path, name: &str| bsdtar.run(["-xOf".as_ref(), archive.as_os_str(), name.as_ref()]);
    fs_err::write(build.join("x.install"), member(&ours, ".INSTALL")).unwrap();
    fs_err::write(build.join("x.changelog"), member(&ours, ".CHANGELOG")).unwrap();
    // makepkg refuses to run as root.
    let is_root = rustix::process::geteuid().is_root();
    let mut command = makepkg.command();
    if is_root {
        std::process::Command::new("chown").args(["-R", "65534"]).arg(directory.path()).status().unwrap();
        command = std::process::Command::new("setpriv");
        command.args(["--reuid=65534", "--clear-groups", "makepkg"]);
    }
    let output = command
        .args(["-f", "-d", "--nosign"])
        .current_dir(&build)
        .env("HOME", &build)
        .env("LC_ALL", "C")
        .env("PKGEXT", ".pkg.tar.zst")
        .env("PACKAGER", &package.metadata.maintainer)
        .env("SOURCE_DATE_EPOCH", package.timestamp.as_unix().to_string())
        .output()
        .unwrap();
    let theirs = build.join("orchestrator-2:1.2.3-1-any.pkg.tar.zst");
    assert!(theirs.exists(), "{}", packhouse_clients::text(&output));
    // Our compression is gzip in these tests; the names agree up to that.
    let stem =
        |path: &Path| path.file_name().unwrap().to_string_lossy().split(".pkg").next().unwrap().to_owned();
    assert_eq!(stem(&ours), stem(&theirs));

    for name in [".PKGINFO", ".BUILDINFO"] {
        let (ours, theirs) = (lines(&member(&ours, name)), lines(&member(&theirs, name)));
        let keys: std::collections::BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
        for key in keys {
            if !EXPECTED_DIFFERENCES.iter().any(|(expected, _)| expected == key) {
                assert_eq!(ours.get(key), theirs.get(key), "{name}: {key}");
            }
        }
    }
    // Every line of .MTREE about a file, with words in one order and what `/set` says in it.
    let mtree = |archive: &Path| {
        let packed = directory.path().join("mtree");
        let mut command = bsdtar.command();
        let bytes = command.arg("-xOf").arg(archive).arg(".MTREE").output().unwrap().stdout;
        fs_err::write(&packed, bytes).unwrap();
        let listed = bsdtar.run(["-tvf".as_ref(), packed.as_os_str()]);
        let plain = |line: &&str| !OWN_MEMBERS.iter().any(|member| line.ends_with(&format!("./{member}")));
        listed.lines().filter(plain).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(mtree(&ours), mtree(&theirs));
    let listing = |archive: &Path| {
        let text = bsdtar.run(["-tvf".as_ref(), archive.as_os_str()]);
        let plain = |line: &&str| !OWN_MEMBERS.iter().any(|member| line.ends_with(member));
        let mut lines: Vec<String> = text.lines().filter(plain).map(str::to_owned).collect();
        let members: Vec<String> =
            bsdtar.run(["-tf".as_ref(), archive.as_os_str()]).lines().take(5).map(str::to_owned).collect();
        assert_eq!(members, OWN_MEMBERS, "the order of the members");
        // A shell's glob puts `a.b` and `a/b` in another order than bytes do.
        lines.sort();
        lines
    };
    assert_eq!(listing(&ours), listing(&theirs));
}

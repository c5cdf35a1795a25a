//! What the deb writer puts in, the reader gets out, and dpkg-deb agrees.
#![expect(clippy::unwrap_used, reason = "a test that panics is a failed test")]

use std::io::Cursor;
use std::process::Command;

use packhouse_clients::find;
use packhouse_package::archive::compress::Compression;
use packhouse_package::inspect::{Depth, InspectedFile, InspectedKind, Inspection};
use packhouse_package::{Format, Moment, Package, Script, inspect_file};

use crate::deb_fixture::{bytes, files, package, relations};

/// Everything that a deb can say.
fn full() -> Package {
    let mut package = package("1.2.0", &files());
    package.metadata.relations.depends = relations(&["libc6 >= 2.31", "adduser"]);
    package.metadata.relations.recommends = relations(&["curl"]);
    package.metadata.relations.conflicts = relations(&["monitor < 2"]);
    package.scripts.insert(Moment::AfterInstall, Script::parse(b"#!/bin/sh\necho installed\n").unwrap());
    package
}

fn read(bytes: &[u8], depth: Depth) -> Inspection {
    inspect_file(&mut Cursor::new(bytes), "", depth).unwrap()
}

fn file<'a>(inspection: &'a Inspection, path: &str) -> &'a InspectedFile {
    let files = inspection.files.as_ref().unwrap();
    files.iter().find(|file| file.path == path.as_bytes()).unwrap()
}

#[test]
fn what_the_writer_puts_in_the_reader_gets_out() {
    for compression in [Compression::None, Compression::Gzip(1), Compression::Xz(0), Compression::Zstd(1)] {
        let mut package = full();
        package.options.compression = Some(compression);
        let inspection = read(&bytes(&package, 1).unwrap(), Depth::Contents);
        assert_eq!(inspection.format, Format::Deb);
        assert_eq!(inspection.format_version, "2.0");
        assert_eq!(inspection.compression, compression.name());
        assert_eq!((inspection.name.as_str(), inspection.version.as_str()), ("orchestrator", "1.2.0"));
        assert_eq!(inspection.arch, "all");
        assert_eq!(inspection.summary, package.metadata.summary);
        assert_eq!(inspection.description, "It runs monitors.\n\n  * as often as asked");
        assert_eq!(inspection.homepage, package.metadata.homepage);
        assert_eq!(inspection.vendor, package.metadata.vendor);
        assert_eq!(inspection.maintainer.as_ref(), Some(&package.metadata.maintainer));
        assert_eq!(inspection.license, package.metadata.license);
        assert_eq!(inspection.category, package.metadata.category);
        assert_eq!(inspection.relations["depends"], ["libc6 (>= 2.31)", "adduser"]);
        assert_eq!(inspection.relations["recommends"], ["curl"]);
        assert_eq!(inspection.relations["conflicts"], ["monitor (<< 2)"]);
        assert_eq!(inspection.fields["Priority"], "optional");
        let script = &inspection.scripts["postinst"];
        assert_eq!(script.interpreter, "/bin/sh");
        assert!(script.text.contains("echo installed"), "{}", script.text);
        let program = file(&inspection, "/usr/bin/orchestrator");
        assert_eq!((program.mode, program.size), (0o755, 23));
        assert_eq!((program.user.as_str(), program.group.as_str()), ("root", "root"));
        assert_eq!(program.modified, 1_684_497_600);
        // printf '#!/bin/sh\necho running\n' | sha256sum
        let digest = "3f5e4b0f29e8fe3240d177f1d61a0fd806928a944dc6251d944e7ac06b81b6b2";
        assert_eq!(program.digest.as_deref(), Some(digest));
        assert_eq!(file(&inspection, "/usr/bin/orc").kind, InspectedKind::Symlink(b"orchestrator".to_vec()));
        assert_eq!(file(&inspection, "/etc/default/orchestrator").marks, ["config"]);
        assert_eq!(file(&inspection, "/var/lib/orchestrator").kind, InspectedKind::Directory);
    }
}

#[test]
fn metadata_is_the_same_without_the_files() {
    let bytes = bytes(&full(), 1).unwrap();
    let contents = read(&bytes, Depth::Contents);
    assert_eq!(read(&bytes, Depth::Metadata), Inspection { files: None, ..contents });
}

#[test]
fn dpkg_deb_says_the_same() {
    let Some([dpkg_deb]) = find(["dpkg-deb"]) else { return };
    let directory = tempfile::tempdir().unwrap();
    let deb = crate::deb_fixture::write(&full(), directory.path());
    let inspection = inspect_file(&mut fs_err::File::open(&deb).unwrap(), "", Depth::Contents).unwrap();
    let field = |name: &str| {
        let output = dpkg_deb.command().arg("--field").arg(&deb).arg(name).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    };
    assert_eq!(field("Package"), inspection.name);
    assert_eq!(field("Version"), inspection.version);
    assert_eq!(field("Depends"), inspection.relations["depends"].join(", "));
    assert_eq!(field("Installed-Size"), (inspection.installed_size.unwrap() / 1024).to_string());
    let output = dpkg_deb.command().arg("--contents").arg(&deb).output().unwrap();
    let listing = String::from_utf8(output.stdout).unwrap();
    let mut listed: Vec<&str> =
        listing.lines().map(|line| line.split_whitespace().nth(5).unwrap().trim_end_matches('/')).collect();
    listed.sort();
    let files = inspection.files.unwrap();
    let mut found: Vec<String> = files
        .iter()
        .map(|file| format!(".{}", String::from_utf8_lossy(&file.path)).trim_end_matches('/').to_owned())
        .collect();
    found.sort();
    assert_eq!(found, listed);
}

/// dpkg-deb's own packages, in each of its compressions.
#[test]
fn what_dpkg_deb_builds_is_read() {
    let Some([dpkg_deb]) = find(["dpkg-deb"]) else { return };
    let directory = tempfile::tempdir().unwrap();
    let tree = directory.path().join("tree");
    fs_err::create_dir_all(tree.join("DEBIAN")).unwrap();
    fs_err::create_dir_all(tree.join("usr/share/doc/hello")).unwrap();
    let control = "Package: hello\nVersion: 1:2.10-3\nArchitecture: all\nMaintainer: A <a@example.org>\n\
                   Description: greets\n in\n .\n two paragraphs\n";
    fs_err::write(tree.join("DEBIAN/control"), control).unwrap();
    fs_err::write(tree.join("DEBIAN/triggers"), "interest-noawait /usr/lib/hello\n").unwrap();
    let long = tree.join("usr/share/doc/hello").join("n".repeat(150));
    fs_err::write(&long, "long\n").unwrap();
    fs_err::hard_link(&long, tree.join("usr/share/doc/hello/other")).unwrap();
    for compression in ["none", "gzip", "xz", "zstd"] {
        let deb = directory.path().join("hello.deb");
        let mut command: Command = dpkg_deb.command();
        command.args(["--root-owner-group", "--build", &format!("-Z{compression}")]).arg(&tree).arg(&deb);
        let output = command.output().unwrap();
        if !output.status.success() && compression == "zstd" {
            // Debian's dpkg-deb before 1.21.18 has no zstd.
            continue;
        }
        assert!(output.status.success(), "{output:?}");
        let inspection = inspect_file(&mut fs_err::File::open(&deb).unwrap(), "", Depth::Contents).unwrap();
        assert_eq!(inspection.version, "1:2.10-3");
        assert_eq!(inspection.compression, compression);
        assert_eq!(inspection.description, "in\n\ntwo paragraphs");
        assert_eq!(inspection.scripts["triggers"].text, "interest-noawait /usr/lib/hello\n");
        let links = inspection.files.unwrap();
        let links: Vec<_> =
            links.iter().filter(|file| matches!(file.kind, InspectedKind::HardLink(_))).collect();
        assert_eq!(links.len(), 1, "{links:?}");
    }
}

//! What the rpm writer and rpmbuild put in, the reader gets out, and rpm agrees.
#![expect(clippy::unwrap_used, reason = "a test that panics is a failed test")]

use std::io::Cursor;
use std::path::{Path, PathBuf};

use fs_err as fs;
use packhouse_clients::{Client, find};
use packhouse_package::archive::compress::Compression;
use packhouse_package::inspect::{Depth, InspectedFile, InspectedKind, Inspection};
use packhouse_package::{Entry, Format, Moment, Package, Script, inspect_file};

use crate::deb_fixture::relations;
use crate::rpm_fixture::{add, bytes, package, path, write};

fn read(bytes: &[u8], depth: Depth) -> Inspection {
    inspect_file(&mut Cursor::new(bytes), "", depth).unwrap()
}

fn file<'a>(inspection: &'a Inspection, path: &str) -> &'a InspectedFile {
    let files = inspection.files.as_ref().unwrap();
    files.iter().find(|file| file.path == path.as_bytes()).unwrap()
}

fn full() -> Package {
    let mut package = package("1.2.3");
    package.metadata.version.epoch = Some(2);
    package.metadata.relations.depends = relations(&["openssl >= 1.1", "(a or b)"]);
    package.metadata.relations.pre_depends = relations(&["shadow-utils"]);
    package.metadata.relations.conflicts = relations(&["monitor < 2"]);
    package.scripts.insert(Moment::AfterInstall, Script::parse(b"#!/bin/sh\necho installed\n").unwrap());
    package.files.insert(path("usr/bin/hi"), Entry::symlink("hello")).unwrap();
    package.files.insert(path("usr/bin/hello"), Entry::bytes(*b"#!/bin/sh\n", 0o755)).unwrap();
    package.files.insert(path("var/lib/hello"), Entry::directory()).unwrap();
    add(&mut package, "etc/hello.conf", "a = 1\n");
    package
}

#[test]
fn what_the_writer_puts_in_the_reader_gets_out() {
    for compression in [Compression::None, Compression::Gzip(1), Compression::Xz(0), Compression::Zstd(1)] {
        let mut package = full();
        package.options.compression = Some(compression);
        let inspection = read(&bytes(&package), Depth::Contents);
        assert_eq!(inspection.format, Format::Rpm);
        assert_eq!(inspection.compression, compression.name());
        assert_eq!((inspection.name.as_str(), inspection.version.as_str()), ("hello", "2:1.2.3-1"));
        assert_eq!(inspection.arch, "x86_64");
        assert_eq!(inspection.summary, package.metadata.summary);
        assert_eq!(inspection.description, package.metadata.description);
        assert_eq!(inspection.homepage, package.metadata.homepage);
        assert_eq!(inspection.vendor, package.metadata.vendor);
        assert_eq!(inspection.maintainer.as_ref(), Some(&package.metadata.maintainer));
        assert_eq!(inspection.license, package.metadata.license);
        assert_eq!(inspection.category, package.metadata.category);
        assert_eq!(inspection.built, Some(1_700_000_000));
        assert_eq!(inspection.relations["pre-depends"], ["shadow-utils"]);
        assert_eq!(inspection.relations["conflicts"], ["monitor < 2"]);
        let depends = &inspection.relations["depends"];
        for expected in ["(a or b)", "openssl >= 1.1", "/bin/sh (post, interp)"] {
            assert!(depends.iter().any(|found| found == expected), "{expected}: {depends:?}");
        }
        let script = &inspection.scripts["%post"];
        assert_eq!(script.interpreter, "/bin/sh");
        assert!(script.text.contains("echo installed"), "{}", script.text);
        let program = file(&inspection, "/usr/bin/hello");
        assert_eq!((program.mode, program.size, program.modified), (0o755, 10, 1_700_000_000));
        assert_eq!(file(&inspection, "/usr/bin/hi").kind, InspectedKind::Symlink(b"hello".to_vec()));
        assert_eq!(file(&inspection, "/etc/hello.conf").marks, ["config", "noreplace"]);
        assert_eq!(file(&inspection, "/var/lib/hello").kind, InspectedKind::Directory);
        // The header says everything about the files that the payload shows.
        assert_eq!(read(&bytes(&package), Depth::Metadata), inspection);
    }
}

/// Asks rpm for a format.
fn query(rpm: &Client, package: &Path, format: &str) -> String {
    rpm.run(["-qp", "--nosignature", "--queryformat", format, package.to_str().unwrap()])
}

/// Compares everything that rpm lists line by line.
fn assert_rpm_agrees(rpm: &Client, package: &Path) -> Inspection {
    let inspection = inspect_file(&mut fs::File::open(package).unwrap(), "", Depth::Contents).unwrap();
    assert_eq!(query(rpm, package, "%{NAME}"), inspection.name);
    assert_eq!(query(rpm, package, "%{EVR}"), inspection.version);
    assert_eq!(query(rpm, package, "%{SUMMARY}"), inspection.summary);
    assert_eq!(query(rpm, package, "%{DESCRIPTION}"), inspection.description);
    assert_eq!(query(rpm, package, "%{BUILDHOST}"), inspection.fields["BUILDHOST"]);
    let dump = query(
        rpm,
        package,
        "[%{FILENAMES}|%{FILEMODES:octal}|%{FILEUSERNAME}|%{FILEGROUPNAME}|%{FILEMTIMES}|%{FILEDIGESTS}|%{FILECAPS}|%{FILEFLAGS:fflags}\n]",
    );
    let mut listed: Vec<String> = dump.lines().map(str::to_owned).collect();
    listed.sort();
    let letters = [
        ("config", 'c'),
        ("documentation", 'd'),
        ("ghost", 'g'),
        ("license", 'l'),
        ("missingok", 'm'),
        ("noreplace", 'n'),
        ("readme", 'r'),
        ("artifact", 'a'),
    ];
    let files = inspection.files.as_ref().unwrap();
    let mut found: Vec<String> = files
        .iter()
        .map(|entry| {
            let kind = match entry.kind {
                InspectedKind::Directory => 0o040_000,
                InspectedKind::Symlink(_) => 0o120_000,
                _ => 0o100_000,
            };
            let digest = match &entry.kind {
                InspectedKind::HardLink(target) => {
                    file(&inspection, std::str::from_utf8(target).unwrap()).digest.clone()
                }
                _ => entry.digest.clone(),
            };
            let capabilities = entry.capabilities.map(|it| it.to_string()).unwrap_or_default();
            let flags: String = letters
                .iter()
                .filter(|(mark, _)| entry.marks.contains(mark))
                .map(|(_, letter)| letter)
                .collect();
            format!(
                "{}|{:o}|{}|{}|{}|{}|{}|{}",
                String::from_utf8_lossy(&entry.path),
                kind | u32::from(entry.mode),
                entry.user,
                entry.group,
                entry.modified,
                digest.unwrap_or_default(),
                capabilities,
                flags
            )
        })
        .collect();
    found.sort();
    let sorted = |line: &String| {
        let (rest, flags) = line.rsplit_once('|').unwrap();
        let mut flags: Vec<char> = flags.chars().collect();
        flags.sort();
        format!("{rest}|{}", flags.into_iter().collect::<String>())
    };
    assert_eq!(
        found.iter().map(sorted).collect::<Vec<_>>(),
        listed.iter().map(|line| sorted(&line.replace("(none)", ""))).collect::<Vec<_>>()
    );
    for (list, option) in [
        ("provides", "--provides"),
        ("conflicts", "--conflicts"),
        ("replaces", "--obsoletes"),
        ("recommends", "--recommends"),
        ("supplements", "--supplements"),
    ] {
        let listed = rpm.run(["-qp", "--nosignature", option, package.to_str().unwrap()]);
        let found = inspection.relations.get(list).cloned().unwrap_or_default();
        assert_eq!(found, listed.lines().map(str::trim).collect::<Vec<_>>(), "{list}");
    }
    let listed = rpm.run(["-qp", "--nosignature", "--requires", package.to_str().unwrap()]);
    let mut listed: Vec<&str> = listed.lines().map(str::trim).collect();
    let none = Vec::new();
    let lists = ["depends", "pre-depends"].map(|list| inspection.relations.get(list).unwrap_or(&none));
    let mut found: Vec<&str> = lists
        .into_iter()
        .flatten()
        .map(|text| match text.strip_suffix(')').and_then(|it| it.rsplit_once(" (")) {
            Some((rest, _)) if !text.starts_with('(') => rest,
            _ => text,
        })
        .collect();
    found.sort();
    found.dedup();
    listed.sort();
    listed.dedup();
    assert_eq!(found, listed);
    inspection
}

#[test]
fn rpm_says_the_same_of_our_packages() {
    let Some([rpm]) = find(["rpm"]) else { return };
    let directory = tempfile::tempdir().unwrap();
    assert_rpm_agrees(&rpm, &write(&full(), directory.path()));
}

const SPEC: &str = r#"
Name: everything
Version: 1.0~rc1
Release: 2
Epoch: 3
Summary: Everything that a spec file can say
License: MIT
URL: https://example.org
Vendor: Example
Packager: A <a@example.org>
Group: Tools
BuildArch: noarch
Requires: openssl >= 1.1
Requires(pre): shadow-utils
Requires(post,postun): systemd
Requires: (a >= 1 or (b and c))
Provides: thing = 3
Conflicts: monitor < 2
Obsoletes: everything-old < 1
Recommends: curl
Supplements: (d and e)
%description
In two
lines, in UTF-8: ä.

%prep
%build
%install
mkdir -p %{buildroot}/etc %{buildroot}/usr/bin %{buildroot}/usr/share/doc/everything %{buildroot}/var/lib/everything
echo a = 1 > %{buildroot}/etc/everything.conf
echo b > %{buildroot}/etc/missing.conf
echo program > %{buildroot}/usr/bin/everything
ln %{buildroot}/usr/bin/everything %{buildroot}/usr/bin/again
ln %{buildroot}/usr/bin/everything %{buildroot}/usr/bin/more
ln -s everything %{buildroot}/usr/bin/link
echo read me > %{buildroot}/usr/share/doc/everything/README
echo licence > %{buildroot}/usr/share/doc/everything/LICENSE

%pre
echo pre
%post -p /sbin/ldconfig
%preun
echo preun
%postun
echo postun
%pretrans -p <lua>
print("pretrans")
%posttrans
echo posttrans
%verifyscript
echo verify
%triggerin -- httpd < 2.0, nginx
echo triggered
%triggerpostun -p /usr/bin/perl -- apache
print "gone";
%filetriggerin -P 500 -- /usr/lib/everything
echo files came
%transfiletriggerpostun -- /usr/lib/everything
echo files went

%files
%dir %attr(0750,daemon,daemon) /var/lib/everything
%config(noreplace) /etc/everything.conf
%config(missingok) /etc/missing.conf
%attr(4755,root,root) /usr/bin/everything
%attr(4755,root,root) /usr/bin/again
%attr(4755,root,root) /usr/bin/more
/usr/bin/link
%doc /usr/share/doc/everything/README
%license /usr/share/doc/everything/LICENSE
%ghost /var/lib/everything/state
%changelog
* Fri May 19 2023 A <a@example.org> - 1.0
- first
"#;

fn rpmbuild(rpmbuild: &Client, directory: &Path, defines: &[&str]) -> PathBuf {
    let spec = directory.join("everything.spec");
    fs::write(&spec, SPEC).unwrap();
    let mut command = rpmbuild.command();
    command.arg("-bb").arg("--define").arg(format!("_topdir {}", directory.display()));
    command.args(["--define", "_build_id_links none", "--define", "__os_install_post %{nil}"]);
    command.args(["--define", "_docdir /usr/share/doc", "--nodeps"]);
    for define in defines {
        command.args(["--define", define]);
    }
    let output = command.arg(&spec).output().unwrap();
    assert!(output.status.success(), "{}", packhouse_clients::text(&output));
    directory.join("RPMS/noarch/everything-1.0~rc1-2.noarch.rpm")
}

#[test]
fn rpm_says_the_same_of_what_rpmbuild_builds() {
    let Some([rpm, builder]) = find(["rpm", "rpmbuild"]) else { return };
    for payload in ["w9.gzdio", "w3.zstdio", "w2.xzdio", "w.ufdio", "w2.lzdio"] {
        let directory = tempfile::tempdir().unwrap();
        let define = format!("_binary_payload {payload}");
        let package = rpmbuild(&builder, directory.path(), &[&define]);
        let inspection = assert_rpm_agrees(&rpm, &package);
        assert_eq!(inspection.relations["pre-depends"], ["shadow-utils"], "{payload}");
        assert!(inspection.relations["depends"].contains(&"systemd (post, postun)".to_owned()));
        let scripts: Vec<&str> = inspection.scripts.keys().map(String::as_str).collect();
        assert_eq!(
            scripts,
            [
                "%filetriggerin -P 500 -- /usr/lib/everything",
                "%post",
                "%posttrans",
                "%postun",
                "%pre",
                "%pretrans",
                "%preun",
                "%transfiletriggerpostun -- /usr/lib/everything",
                "%triggerin -- httpd < 2.0, nginx",
                "%triggerpostun -- apache",
                "%verifyscript",
            ]
        );
        assert_eq!(inspection.scripts["%post"].interpreter, "/sbin/ldconfig");
        assert_eq!(inspection.scripts["%pretrans"].interpreter, "<lua>");
        assert_eq!(inspection.scripts["%triggerpostun -- apache"].interpreter, "/usr/bin/perl");
        assert_eq!(inspection.fields["CHANGELOG"], "* Fri May 19 2023 A <a@example.org> - 1.0\n- first");
        let kinds = ["again", "everything", "more"]
            .map(|name| file(&inspection, &format!("/usr/bin/{name}")).kind.clone());
        let link = InspectedKind::HardLink(b"/usr/bin/again".to_vec());
        assert_eq!(kinds, [InspectedKind::File, link.clone(), link]);
        assert_eq!(file(&inspection, "/var/lib/everything/state").marks, ["ghost"]);
    }
}

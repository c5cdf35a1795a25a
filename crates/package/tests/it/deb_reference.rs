//! Debs as the distribution's own tools see them: a golden listing, dpkg-deb's own deb of the same tree,
//! dpkg-gencontrol's size, and lintian.
#![expect(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

use std::collections::BTreeMap;
use std::path::Path;

use packhouse_package::archive::compress::Compression;
use packhouse_package::deb::Trigger;
use packhouse_package::{Entry, Kind, Mark, Moment, Owner, Package, Script, Services};

use crate::deb_fixture::{files, package, relations, write};

fn services() -> Services {
    Services {
        units: vec!["orchestrator.service".into()],
        enable: true,
        start: true,
        restart_after_upgrade: true,
    }
}

/// A package that uses everything.
fn everything() -> Package {
    let mut package = package("1.2.3~rc1-4", &files());
    let mut owned = Entry::bytes(*b"secret\n", 0o640);
    owned.owner = Owner { user: "root".into(), group: "adm".into() };
    package.files.insert(crate::deb_fixture::path("var/lib/orchestrator/state"), owned).unwrap();
    package.metadata.version.epoch = Some(1);
    package.metadata.relations.depends = relations(&["openssl ~> 1.1.1", "adduser", "bad != 2"]);
    package.metadata.relations.pre_depends = relations(&["dpkg >= 1.17.14"]);
    package.metadata.relations.recommends = relations(&["ca-certificates | ca-cacert"]);
    package.metadata.relations.suggests = relations(&["curl"]);
    package.metadata.relations.enhances = relations(&["monitoring"]);
    package.metadata.relations.conflicts = relations(&["old < 1"]);
    package.metadata.relations.replaces = relations(&["old < 1"]);
    package.metadata.relations.provides = relations(&["monitor = 1"]);
    for moment in Moment::ALL {
        package.scripts.insert(moment, Script::shell(format!("echo {}\n", moment.name())));
    }
    let deb = &mut package.options.deb;
    deb.fields =
        vec![("Bugs".into(), "https://example.org/bugs".into()), ("Priority".into(), "extra".into())];
    deb.upstream_changelog = Some("1.2.3: everything is new".into());
    deb.control_members = vec![("isinstallable".into(), b"#!/bin/sh\n".to_vec())];
    deb.config = Some(Script::parse(b"#!/bin/sh -e\n. /usr/share/debconf/confmodule\n").unwrap());
    deb.templates = Some("Template: orchestrator/token\nType: string\nDescription: Token".into());
    deb.shlibs = Some("liborchestrator 1 orchestrator (>= 1)".into());
    deb.triggers = vec![Trigger { directive: "interest-noawait", name: "/usr/lib/orchestrator".into() }];
    deb.after_purge = Some(Script::shell("rm -rf /var/lib/orchestrator\n"));
    package.setup.services = services();
    package
}

/// Every file of an unpacked control archive.
fn control_files(directory: &Path) -> BTreeMap<String, String> {
    fs_err::read_dir(directory)
        .unwrap()
        .map(|item| {
            let path = item.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, fs_err::read_to_string(path).unwrap())
        })
        .collect()
}

#[test]
fn a_deb_with_everything_reads_as_it_should() {
    let Some([dpkg_deb]) = packhouse_clients::find(["dpkg-deb"]) else { return };
    let directory = tempfile::tempdir().unwrap();
    let deb = write(&everything(), directory.path());
    assert_eq!(deb.file_name().unwrap(), "orchestrator_1.2.3~rc1-4_all.deb");
    let control = directory.path().join("control");
    dpkg_deb.run([Path::new("-e"), &deb, &control]);
    let mut text = format!("--- contents\n{}", dpkg_deb.run([Path::new("-c"), &deb]));
    for (name, content) in control_files(&control) {
        // The scripts have a golden text of their own (`deb::scripts`).
        if !["preinst", "postinst", "prerm", "postrm"].contains(&name.as_str()) {
            text.push_str(&format!("--- {name}\n{content}"));
        }
    }
    insta::assert_snapshot!(text);
}

#[test]
fn the_control_archive_is_compressed_as_the_files_are() {
    let Some([dpkg_deb, ar, md5sum]) = packhouse_clients::find(["dpkg-deb", "ar", "md5sum"]) else { return };
    // Several pieces, which are moved where the control archive has the length that it happens to have.
    let mut package = package("1.0-1", &files());
    let noise = Entry::bytes(crate::memory::noise(3_500_000), 0o644);
    package.files.insert(crate::deb_fixture::path("opt/noise"), noise).unwrap();
    for (compression, gzip_control, control, data) in [
        (Compression::None, false, "control.tar.gz", "data.tar"),
        (Compression::Gzip(1), false, "control.tar.gz", "data.tar.gz"),
        (Compression::Xz(0), false, "control.tar.xz", "data.tar.xz"),
        (Compression::Xz(0), true, "control.tar.gz", "data.tar.xz"),
        (Compression::Zstd(1), false, "control.tar.zst", "data.tar.zst"),
        (Compression::Zstd(10), false, "control.tar.zst", "data.tar.zst"),
    ] {
        package.options.compression = Some(compression);
        package.options.deb.gzip_control = gzip_control;
        let directory = tempfile::tempdir().unwrap();
        let deb = write(&package, directory.path());
        let members = ar.run([Path::new("t"), &deb]);
        assert_eq!(members.lines().collect::<Vec<_>>(), ["debian-binary", control, data]);
        let tree = directory.path().join("tree");
        dpkg_deb.run([Path::new("-R"), &deb, &tree]);
        let list = tree.join("DEBIAN/md5sums");
        assert!(fs_err::read_to_string(&list).unwrap().contains("  opt/noise\n"), "{control}");
        let checked =
            md5sum.command().args(["--strict", "-c"]).arg(&list).current_dir(&tree).output().unwrap();
        assert!(checked.status.success(), "{}", packhouse_clients::text(&checked));
    }
}

/// Where our deb differs from dpkg-deb's of the same tree, and why.
const EXPECTED_DIFFERENCES: [(&str, &str); 3] = [
    (
        "/usr/share/doc/orchestrator/changelog.Debian.gz",
        "Policy 12.7 wants one; dpkg-deb adds nothing to a tree",
    ),
    ("/usr/share/doc/orchestrator/copyright", "Policy 12.5 wants one; dpkg-deb adds nothing to a tree"),
    (
        "Installed-Size",
        "dpkg-deb writes what it is given; dpkg-gencontrol computes it, and counts DEBIAN as well",
    ),
];

#[test]
fn dpkg_deb_makes_the_same_of_the_same_tree() {
    let Some([dpkg_deb, md5sum]) = packhouse_clients::find(["dpkg-deb", "md5sum"]) else { return };
    let directory = tempfile::tempdir().unwrap();
    let mut package = package("1.0-1", &files());
    for moment in Moment::ALL {
        package.scripts.insert(moment, Script::shell("exit 0\n"));
    }
    let ours = write(&package, directory.path());

    // The tree on disk, with our control files without what dpkg-deb does not know.
    let tree = directory.path().join("tree");
    fs_err::create_dir(&tree).unwrap();
    dpkg_deb.run([Path::new("-e"), &ours, &tree.join("DEBIAN")]);
    for (path, entry) in package.files.iter() {
        let file = tree.join(path.to_string().trim_start_matches('/'));
        match &entry.kind {
            Kind::Directory => fs_err::create_dir_all(&file).unwrap(),
            Kind::Symlink { target } => {
                std::os::unix::fs::symlink(String::from_utf8_lossy(target).as_ref(), &file).unwrap();
            }
            Kind::File { content: packhouse_package::Content::Bytes(bytes), .. } => {
                fs_err::write(&file, bytes).unwrap();
                let mode = std::os::unix::fs::PermissionsExt::from_mode(u32::from(entry.mode));
                fs_err::set_permissions(&file, mode).unwrap();
            }
            Kind::File { .. } | Kind::Ghost => unreachable!("the fixture's files are in memory"),
        }
    }
    for directory in [&tree, &tree.join("DEBIAN"), &tree.join("var/lib/orchestrator")] {
        fs_err::set_permissions(directory, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    }
    let theirs = directory.path().join("theirs.deb");
    let output = dpkg_deb
        .command()
        .args(["--root-owner-group", "-Zgzip", "-b"])
        .args([&tree, &theirs])
        .env("SOURCE_DATE_EPOCH", package.timestamp.as_unix().to_string())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", packhouse_clients::text(&output));

    // Times differ where the tree is older than SOURCE_DATE_EPOCH only: dpkg-deb clamps, we set.
    let listing = |deb: &Path| -> Vec<String> {
        let text = dpkg_deb.run([Path::new("-c"), deb]);
        let expected = |line: &&str| !EXPECTED_DIFFERENCES.iter().any(|(path, _)| line.ends_with(path));
        text.lines().filter(expected).map(str::to_owned).collect()
    };
    let (mut ours_listed, mut theirs_listed) = (listing(&ours), listing(&theirs));
    let order = ours_listed.clone();
    ours_listed.sort();
    theirs_listed.sort();
    assert_eq!(ours_listed, theirs_listed);
    let path = |line: &String| line[line.find("./").unwrap()..].split(" -> ").next().unwrap().to_owned();
    let paths: Vec<String> = order.iter().map(path).collect();
    assert!(paths.iter().map(|path| path.trim_end_matches('/')).is_sorted(), "{paths:?}");

    let control = |deb: &Path| {
        let to = directory.path().join(deb.file_stem().unwrap());
        dpkg_deb.run([Path::new("-e"), deb, &to]);
        control_files(&to)
    };
    assert_eq!(control(&ours), control(&theirs));

    let unpacked = directory.path().join("unpacked");
    dpkg_deb.run([Path::new("-x"), &ours, &unpacked]);
    let sums = directory.path().join("sums");
    fs_err::write(&sums, &control(&ours)["md5sums"]).unwrap();
    let output =
        md5sum.command().args(["--strict", "-c"]).arg(&sums).current_dir(&unpacked).output().unwrap();
    assert!(output.status.success(), "{}", packhouse_clients::text(&output));
    // Owners by name are in the tar; dpkg-deb -c shows them, and lists root for both.
    assert!(order.iter().all(|line| line.contains(" root/root ")), "{order:?}");
}

#[test]
fn installed_size_is_what_dpkg_gencontrol_computes() {
    let Some([dpkg_gencontrol, dpkg_deb]) = packhouse_clients::find(["dpkg-gencontrol", "dpkg-deb"]) else {
        return;
    };
    let directory = tempfile::tempdir().unwrap();
    let mut files = files();
    files.push(("opt/large", Entry::bytes(vec![b'x'; 5000], 0o644)));
    let package = package("1.0-1", &files);
    let deb = write(&package, directory.path());
    let source = directory.path().join("source");
    fs_err::create_dir_all(source.join("debian")).unwrap();
    fs_err::write(
        source.join("debian/control"),
        "Source: orchestrator\nMaintainer: a <a@example.org>\n\nPackage: orchestrator\nArchitecture: all\n\
         Description: x\n y\n",
    )
    .unwrap();
    fs_err::write(
        source.join("debian/changelog"),
        "orchestrator (1.0-1) unstable; urgency=low\n\n  * x\n\n -- a <a@example.org>  Fri, 19 May 2023 12:00:00 +0000\n",
    )
    .unwrap();
    let tree = source.join("debian/orchestrator");
    dpkg_deb.run([Path::new("-x"), &deb, &tree]);
    let output = dpkg_gencontrol
        .command()
        .args([&format!("-P{}", tree.display()), "-O"])
        .current_dir(&source)
        .output()
        .unwrap();
    let theirs = String::from_utf8(output.stdout.clone()).unwrap();
    let size =
        |text: &str| text.lines().find_map(|line| line.strip_prefix("Installed-Size: ").map(str::to_owned));
    let ours = dpkg_deb.run([Path::new("-f"), &deb]);
    assert!(size(&ours).is_some());
    assert_eq!(size(&ours), size(&theirs), "{}", packhouse_clients::text(&output));
}

#[test]
fn dpkg_deb_reads_every_compression() {
    let Some([dpkg_deb]) = packhouse_clients::find(["dpkg-deb"]) else { return };
    let directory = tempfile::tempdir().unwrap();
    let mut package = package("1.0-1", &files());
    let mut listings = Vec::new();
    for compression in [
        None,
        Some(Compression::None),
        Some(Compression::GZIP),
        Some(Compression::XZ),
        Some(Compression::ZSTD),
    ] {
        package.options.compression = compression;
        listings.push(dpkg_deb.run([Path::new("-c"), &write(&package, directory.path())]));
    }
    assert!(
        listings.iter().all(|listing| listing.contains("./usr/bin/orchestrator") && listing == &listings[0])
    );
}

/// What lintian says about a package, and why it stays.
const EXPECTED_TAGS: [(&str, &str); 9] = [
    ("bogus-mail-host-in-debian-changelog", "the comma in the maintainer's name, see malformed-contact"),
    ("command-with-path-in-maintainer-script", "the interpreter of the project's own `#!` line"),
    (
        "maintainer-script-calls-systemctl",
        "to reload, as debhelper does, and where init-system-helpers are missing",
    ),
    ("initial-upload-closes-no-bugs", "about uploads to Debian; the changelog is the vendor's"),
    ("malformed-contact", "a company's name with a comma; dpkg and apt take Maintainer as it is"),
    ("too-many-contacts", "the same comma"),
    (
        "copyright-without-copyright-notice",
        "the metadata does not name a copyright holder, and we invent none",
    ),
    ("no-manual-page", "whether a program has a manual page is the project's business"),
    ("unknown-field", "License and Vendor: fpm writes them, dpkg keeps them, people look for them"),
];

#[test]
fn lintian_says_nothing_without_a_reason() {
    let Some([lintian]) = packhouse_clients::find(["lintian"]) else { return };
    let directory = tempfile::tempdir().unwrap();
    let mut files = files();
    let unit = "[Unit]\nDescription=Orchestrator\nDocumentation=https://example.org\n\n\
                [Service]\nExecStart=/usr/bin/orchestrator\n\n[Install]\nWantedBy=multi-user.target\n";
    files.push(("lib/systemd/system/orchestrator.service", Entry::bytes(unit.as_bytes(), 0o644)));
    let mut license = Entry::bytes(*b"A licence.\n", 0o644);
    license.mark = Mark::License;
    files.push(("usr/share/doc/orchestrator/NOTICE", license));
    let mut package = package("1.0-1", &files);
    package.metadata.relations.depends = relations(&["adduser"]);
    for moment in Moment::ALL {
        package.scripts.insert(moment, Script::parse(b"#!/bin/sh -e\n:\n").unwrap());
    }
    package.setup.services = services();
    // lintian of Debian 12 does not know data.tar.zst, which its own dpkg reads.
    package.options.compression = Some(Compression::Xz(0));
    let deb = write(&package, directory.path());
    let output = lintian.command().args(["--allow-root", "--pedantic"]).arg(&deb).output().unwrap();
    let said = packhouse_clients::text(&output);
    let is_expected = |line: &str| EXPECTED_TAGS.iter().any(|(tag, _)| line.split(' ').nth(2) == Some(tag));
    let unexpected: Vec<&str> = said
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with("N: ") && !is_expected(line))
        .collect();
    assert!(unexpected.is_empty(), "{}", unexpected.join("\n"));
}

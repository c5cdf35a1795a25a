//! The same tree and metadata by rpmbuild, tag by tag. Every difference is listed with its reason.
#![expect(clippy::unwrap_used, reason = "a package that cannot be made is a failed test")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use fs_err as fs;
use packhouse_clients::Client;
use packhouse_package::archive::compress::Compression;
use packhouse_package::rpm::{self, DependencyKind, Trigger, TriggerMoment};
use packhouse_package::{Entry, Mark, Moment, Package, Relation, Script};

use crate::rpm_dump::{Dump, dump};
use crate::rpm_fixture::{TIMESTAMP, bytes, logging, package, path};

/// Tags of the package header that differ from rpmbuild's.
const EXPECTED_DIFFERENCES: &[(u32, &str)] = &[
    (63, "the region's trailer says how long the index is"),
    (1064, "RPMVERSION: the writer, and not the rpm of the machine"),
    (1122, "OPTFLAGS: flags of a compiler that was not called by us"),
    (1132, "PLATFORM: of the package, and not of the machine that built it"),
    (1141, "FILECLASS: what file(1) of the machine says; only `rpm -q --fileclass` shows it"),
    (1142, "CLASSDICT: the texts for FILECLASS"),
    (1143, "FILEDEPENDSX: from which file an automatic dependency comes; there are none"),
    (1144, "FILEDEPENDSN: the same"),
    (1145, "DEPENDSDICT: the same"),
    (5092, "PAYLOADDIGEST: zlib's bytes differ from zlib-rs'; the archive within is the same"),
];

/// Tags of the signature header that differ.
const EXPECTED_SIGNATURE_DIFFERENCES: &[(u32, &str)] = &[
    (62, "the region's trailer says how long the index is"),
    (269, "SHA-1 of a header that differs"),
    (273, "SHA-256 of the same"),
    (1000, "the length of header and payload"),
    (1004, "MD5 of header and payload, which nobody needs (see rpm/write.rs)"),
    (1008, "room for a signature: a few bytes more"),
];

fn relations(texts: &[&str]) -> Vec<Relation> {
    texts.iter().map(|text| Relation::parse(text).unwrap()).collect()
}

fn script(text: &str) -> Script {
    Script::parse(text.as_bytes()).unwrap()
}

/// A tree on disk below `root`, and the package that holds it.
fn everything(root: &Path) -> Package {
    let mut package = package("1.2.3~rc1");
    package.metadata.version.epoch = Some(2);
    package.options.compression = Some(Compression::Gzip(9));
    for (at, text) in [
        ("etc/hello.conf", "a = 1\n"),
        ("etc/hello.d/b.conf", ""),
        ("usr/bin/hello", "echo hello\n"),
        ("usr/lib/hello/data", &*"0123456789".repeat(100_000)),
        ("usr/lib/hello/elf32", "\x7fELF\x01\x01\x01 not quite"),
        ("usr/lib/hello/elf64", "\x7fELF\x02\x01\x01 not quite"),
        ("usr/lib/hello/sub/déjà vu", "text\n"),
        ("usr/share/doc/hello/README", "text\n"),
        ("usr/share/licenses/hello/LICENSE", "text\n"),
        ("usr/share/man/man1/hello.1", "text\n"),
    ] {
        fs::create_dir_all(root.join(at).parent().unwrap()).unwrap();
        fs::write(root.join(at), text).unwrap();
    }
    fs::copy("/bin/dash", root.join("usr/lib/hello/elf64")).unwrap();
    fs::os::unix::fs::symlink("data", root.join("usr/lib/hello/link")).unwrap();
    package.files.add_directory(root, None, &[]).unwrap();
    package.files.entry_mut(&path("/usr/share/licenses/hello/LICENSE")).unwrap().mark = Mark::License;
    package.files.insert(path("/var/lib/hello"), Entry { mode: 0o750, ..Entry::directory() }).unwrap();
    package.files.complete();

    let of = &mut package.metadata.relations;
    of.depends = relations(&["foo >= 1", "foo >= 1", "zed", "(a or b)", "bar != 3"]);
    of.recommends = relations(&["r = 1"]);
    of.suggests = relations(&["s"]);
    of.enhances = relations(&["e"]);
    of.conflicts = relations(&["c < 2"]);
    of.replaces = relations(&["o < 3"]);
    of.provides = relations(&["p = 4"]);
    package.scripts = Moment::ALL.into_iter().map(|moment| (moment, logging(moment, "1"))).collect();
    let dependency = |kind, text| rpm::Dependency { kind, relation: Relation::parse(text).unwrap() };
    let trigger = |moment, package, text| Trigger {
        moment,
        package: Relation::parse(package).unwrap(),
        script: script(text),
    };
    package.options.rpm = rpm::Options {
        distribution: Some("Foo".into()),
        bug_url: Some("https://bugs.example.com".into()),
        prefixes: vec!["/usr".into()],
        dist: Some("el9".into()),
        dependencies: vec![
            dependency(DependencyKind::Supplements, "t"),
            dependency(DependencyKind::RequiresPost, "foo >= 1"),
            dependency(DependencyKind::RequiresPre, "bash"),
            dependency(DependencyKind::RequiresPretrans, "bash"),
        ],
        before_transaction: Some(script("#!/usr/bin/perl -w\nprint 1;\n")),
        after_transaction: Some(script("#!/sbin/ldconfig\n")),
        verify: Some(script("echo verify\n")),
        triggers: vec![
            trigger(TriggerMoment::AfterInstall, "bash >= 1", "echo in\n"),
            trigger(TriggerMoment::BeforeUninstall, "zsh > 2", "#!/bin/bash\necho un\n"),
            trigger(TriggerMoment::BeforeInstall, "foo", "echo prein\n"),
            trigger(TriggerMoment::AfterUninstall, "bash", "echo postun\n"),
        ],
        changelog: Some(CHANGELOG.into()),
        ..Default::default()
    };
    package
}

const CHANGELOG: &str = "\
* Tue Jan 02 2024 A B <a@example.com> - 1.2.3-1
- Second
* Mon Jan 01 2024 A B <a@example.com> - 1.2.2-1
- First
  more
";

/// The scriptlets that Packhouse generates are taken over, so that only the rest is compared.
fn spec(ours: &Dump) -> String {
    let text = |tag: u32| {
        let shown = ours.header[&tag].strip_prefix("text ").unwrap();
        let text = shown.trim_matches('"').replace("\\n", "\n").replace("\\\"", "\"").replace("\\'", "'");
        text.replace("\\\\", "\\").replace('%', "%%")
    };
    format!(
        "\
Name: hello
Version: 1.2.3~rc1
Release: 1.el9
Epoch: 2
Summary: Says hello
License: MIT
Vendor: ACME
Packager: Jane Doe <jane@example.com>
URL: https://example.com
Group: Tools
Distribution: Foo
BugURL: https://bugs.example.com
Prefix: /usr
Requires: foo >= 1, foo >= 1, zed
Requires(post): foo >= 1
Requires(pre): bash
Requires(pretrans): bash
Requires: (a or b)
Conflicts: bar = 3
Recommends: r = 1
Suggests: s
Supplements: t
Enhances: e
Conflicts: c < 2
Obsoletes: o < 3
Provides: p = 4
%global __requires_exclude ^.*(libc|libm|libgcc|ld-linux|rtld|/bin/sh).*$
%description
Hello says hello
to everyone.
%pre
{}
%post
{}
%preun
{}
%postun
{}
%pretrans -p \"/usr/bin/perl -w\"
print 1;
%posttrans -p /sbin/ldconfig
%verifyscript
echo verify
%triggerin -- bash >= 1
echo in
%triggerun -p /bin/bash -- zsh > 2
echo un
%triggerprein -- foo
echo prein
%triggerpostun -- bash
echo postun
%files
%defattr(-,root,root)
%config(noreplace) /etc/hello.conf
%dir /etc/hello.d
%config(noreplace) /etc/hello.d/b.conf
/usr/bin/hello
/usr/lib/hello
/usr/share/doc/hello
/usr/share/man/man1/hello.1
%dir /usr/share/licenses/hello
%license /usr/share/licenses/hello/LICENSE
%dir %attr(0750,root,root) /var/lib/hello
%changelog
{CHANGELOG}",
        text(1023),
        text(1024),
        text(1025),
        text(1026)
    )
}

fn build_with_rpmbuild(rpmbuild: &Client, directory: &Path, root: &Path, spec: &str) -> Vec<u8> {
    fs::write(directory.join("hello.spec"), spec).unwrap();
    fs::create_dir_all(root.join("var/lib/hello")).unwrap();
    let mut command: Command = rpmbuild.command();
    command.args(["-bb", "--quiet", "--noclean", "--target", "x86_64", "--buildroot"]).arg(root);
    for define in [
        &*format!("_topdir {}", directory.join("top").display()),
        "_build_id_links none",
        "debug_package %{nil}",
        "__os_install_post %{nil}",
        "__spec_install_pre %{nil}",
        "use_source_date_epoch_as_buildtime 1",
        "clamp_mtime_to_source_date_epoch 1",
        "_buildhost reproducible",
        "_binary_payload w9.gzdio",
    ] {
        command.args(["--define", define]);
    }
    command.env("SOURCE_DATE_EPOCH", TIMESTAMP.to_string()).arg(directory.join("hello.spec"));
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", packhouse_clients::text(&output));
    let built: PathBuf = directory.join("top/RPMS/x86_64/hello-1.2.3~rc1-1.el9.x86_64.rpm");
    fs::read(built).unwrap()
}

/// Compares two headers; what differs must be listed, and what is listed must differ.
fn assert_differences(
    ours: &BTreeMap<u32, String>,
    theirs: &BTreeMap<u32, String>,
    expected: &[(u32, &str)],
) {
    let expected: BTreeSet<u32> = expected.iter().map(|(tag, _)| *tag).collect();
    let tags: BTreeSet<&u32> = ours.keys().chain(theirs.keys()).collect();
    for tag in tags {
        let (ours, theirs) = (ours.get(tag), theirs.get(tag));
        let is_as_expected = (ours != theirs) == expected.contains(tag);
        assert!(is_as_expected, "tag {tag}:\nours   {ours:?}\ntheirs {theirs:?}");
    }
}

#[test]
fn a_package_is_what_rpmbuild_makes_but_for_listed_differences() {
    let Some([rpmbuild]) = packhouse_clients::find(["rpmbuild"]) else { return };
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("root");
    let package = everything(&root);
    let ours = bytes(&package);
    let ours_dumped = dump(&ours);
    let theirs = build_with_rpmbuild(&rpmbuild, directory.path(), &root, &spec(&ours_dumped));
    let theirs_dumped = dump(&theirs);
    assert_differences(&ours_dumped.header, &theirs_dumped.header, EXPECTED_DIFFERENCES);
    assert_differences(&ours_dumped.signatures, &theirs_dumped.signatures, EXPECTED_SIGNATURE_DIFFERENCES);
    assert_eq!(ours[..96], theirs[..96], "the lead");
}

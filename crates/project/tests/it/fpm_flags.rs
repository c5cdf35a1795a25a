//! Every flag that is honoured reaches the package, with the meaning that `docs/reference/fpm-cmd.md` gives it.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::Command;

use packhouse_package::assemble::Payload;
use packhouse_package::{Arch, Package, Resources, Timestamp};
use packhouse_project::{Facts, Project, Selection};

const SETTINGS: &str = "name = \"hello\"\nsummary = \"Says hello\"\nmaintainer = \"A <a@example.com>\"\n\
    [version]\nliteral = \"1.0\"\nformat = \"{version}\"\n";

const SCRIPT: &str = "#!/bin/sh\n: marked <%= name %>\n";

/// A project whose only target has these arguments, packaged.
fn package(arguments: &str) -> (tempfile::TempDir, PathBuf) {
    let tree = tempfile::tempdir().unwrap();
    let root = tree.path();
    let write = |path: &str, text: &str| {
        let path = root.join(path);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, text).unwrap();
    };
    write("dist/packhouse.toml", SETTINGS);
    write("dist/x/1/Dockerfile", "FROM x\n");
    write("dist/x/1/fpm.cmd", arguments);
    write("dist/x/1/inc/etc/hello.conf", "x\n");
    write("dist/x/1/inc/usr/bin/hello", "#!/bin/sh\n");
    write("dist/x/1/inc/usr/share/hello/a.txt", "a\n");
    write("dist/x/1/inc/usr/share/hello/b.bak", "b\n");
    write("dist/x/1/inc/var/log/hello/.gitkeep", "");
    write("dist/x/1/script.sh", SCRIPT);
    write("dist/x/1/hello.service", "[Service]\nExecStart=/usr/bin/hello\n");
    write("dist/x/1/hello.default", "A=1\n");
    write("dist/x/1/hello.init", "#!/bin/sh\n");
    write("dist/x/1/excludes.txt", " usr/share/hello/*.bak \n\n");
    write("dist/x/1/meta", "meta\n");
    write("dist/x/1/templates", "Template: hello/x\nType: string\nDescription: x\n");
    write(
        "dist/x/1/deb.changelog",
        "hello (1.0) stable; urgency=low\n\n  * Marked.\n\n -- A <a@example.com>  Mon, 01 Jan 2024 00:00:00 +0000\n",
    );
    write("dist/x/1/rpm.changelog", "* Mon Jan 01 2024 A <a@example.com> - 1.0-1\n- Marked.\n");
    write("dist/x/1/more.cmd", "-d more\n");
    let facts = Facts {
        revision: None,
        reference: None,
        channel: None,
        time: Timestamp::from_unix(1_700_000_000).unwrap(),
        arch: Arch::X86_64,
        engine: None,
        publish_to: None,
    };
    let plan = Project::open(root).and_then(|project| project.plan(&Selection::All, &facts));
    let plan = plan.unwrap_or_else(|problems| {
        panic!("{arguments}: {:#?}", problems.iter().map(ToString::to_string).collect::<Vec<_>>())
    });
    let target = &plan.targets[0];
    let empty = root.join("empty");
    std::fs::create_dir(&empty).unwrap();
    let package = Package::assemble(&target.spec, &Payload::Build(empty.clone())).unwrap();
    let path = root.join(&target.file_name);
    let mut file = std::fs::OpenOptions::new().read(true).write(true).create_new(true).open(&path).unwrap();
    let resources = Resources { threads: NonZeroUsize::MIN };
    target.format.get().write(&package, resources, &mut file).unwrap();
    (tree, path)
}

fn sh(command: &str, file: &Path) -> String {
    let output =
        Command::new("sh").args(["-c", command, "sh"]).arg(file).env("LC_ALL", "C").output().unwrap();
    assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned() + "\n" + &file.file_name().unwrap().to_string_lossy()
}

/// Checks each row: the arguments, what reads the package (with it as `$1`), what must be in its output; with a
/// `!` in front, what must not.
fn check(rows: &[(&str, &str, &[&str])]) {
    let mut wrong = Vec::new();
    for (arguments, command, wanted) in rows {
        let (_tree, file) = package(arguments);
        let output = sh(command, &file);
        for wanted in *wanted {
            let is_there = |text: &str| output.contains(text);
            let is_right = wanted.strip_prefix('!').map_or_else(|| is_there(wanted), |text| !is_there(text));
            if !is_right {
                wrong.push(format!("{arguments}\n  {command}\n  wanted {wanted}, got:\n{output}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

const FIELDS: &str = "dpkg-deb -f \"$1\"";
const LIST: &str = "dpkg-deb -c \"$1\"";
macro_rules! member {
    ($name:literal) => {
        concat!("dpkg-deb --ctrl-tarfile \"$1\" | tar -xOf - ./", $name)
    };
}

#[test]
fn what_a_deb_is_told_it_says() {
    if packhouse_clients::find(["dpkg-deb", "tar"]).is_none() {
        return;
    }
    check(&[
        (
            "-t deb",
            FIELDS,
            &[
                "Package: hello\nVersion: 1.0\nArchitecture: amd64",
                "!Vendor",
                "!Depends",
                "hello_1.0_amd64.deb",
            ],
        ),
        ("-t deb -n other", FIELDS, &["Package: other\n", "other_1.0"]),
        ("-t deb -a all", FIELDS, &["Architecture: all\n", "_all.deb"]),
        ("-t deb -a native", FIELDS, &["Architecture: amd64\n"]),
        ("-t deb --epoch 2 --iteration 3", FIELDS, &["Version: 2:1.0-3\n", "hello_1.0-3_amd64.deb"]),
        (
            "-t deb --license MIT --vendor V --category net",
            FIELDS,
            &["License: MIT\n", "Vendor: V\n", "Section: net\n"],
        ),
        (
            "-t deb --url https://x.y/ -m 'B <b@x.y>'",
            FIELDS,
            &["Homepage: https://x.y/\n", "Maintainer: B <b@x.y>\n"],
        ),
        ("-t deb --description 'One\nTwo\n\nThree'", FIELDS, &["Description: One\n Two\n .\n Three\n"]),
        (
            "-t deb -d a -d 'b >= 1' -d 'c (<< 2)' -d 'd | e' -d 'f < 3' -d 'g ~> 1.2'",
            FIELDS,
            &["Depends: a, b (>= 1), c (<< 2), d | e, f (<< 3), g (>= 1.2), g (<< 2"],
        ),
        ("-t deb -d a --no-depends", FIELDS, &["!Depends"]),
        (
            "-t deb --provides p --conflicts c --replaces r",
            FIELDS,
            &["Provides: p\n", "Conflicts: c\n", "Replaces: r\n"],
        ),
        (
            "-t deb --deb-recommends a --deb-suggests b --deb-pre-depends c",
            FIELDS,
            &["Recommends: a\n", "Suggests: b\n", "Pre-Depends: c\n"],
        ),
        (
            "-t deb --deb-priority extra --deb-field 'Bugs: https://x' --deb-installed-size 99",
            FIELDS,
            &["Priority: extra\n", "Bugs: https://x\n", "Installed-Size: 99\n"],
        ),
        ("-t deb --fpm-options-file more.cmd", FIELDS, &["Depends: more\n"]),
        (
            "-t deb -d 'a = 1.2.3' --deb-ignore-iteration-in-dependencies",
            FIELDS,
            &["a (>= 1.2.3), a (<< 1.2.4)"],
        ),
        ("-t deb", member!("conffiles"), &["/etc/hello.conf\n"]),
        (
            "-t deb --config-files /usr/share/hello",
            member!("conffiles"),
            &["/usr/share/hello/a.txt\n", "/usr/share/hello/b.bak\n"],
        ),
        (
            "-t deb --config-files usr/share/hello/a.txt",
            member!("conffiles"),
            &["/usr/share/hello/a.txt\n", "!b.bak"],
        ),
        ("-t deb --deb-no-default-config-files", "dpkg-deb -I \"$1\"", &["!conffiles"]),
        ("-t deb -x 'usr/share/hello/*.bak'", LIST, &["hello/a.txt", "!b.bak"]),
        ("-t deb --exclude-file excludes.txt", LIST, &["hello/a.txt", "!b.bak"]),
        ("-t deb --prefix /opt/x", LIST, &["./opt/x/usr/bin/hello", "! ./usr/bin"]),
        ("-t deb --deb-user u1 --deb-group g1", LIST, &["u1/g1"]),
        (
            "-t deb --deb-init hello.init --deb-default hello.default",
            LIST,
            &["-rwxr-xr-x root/root", "./etc/init.d/hello\n", "./etc/default/hello\n"],
        ),
        (
            "-t deb --deb-init hello.init --deb-default hello.default",
            member!("conffiles"),
            &["/etc/default/hello\n", "/etc/init.d/hello\n"],
        ),
        (
            "-t deb --deb-default hello.default --no-deb-auto-config-files",
            member!("conffiles"),
            &["!default"],
        ),
        ("-t deb --deb-systemd hello.service", LIST, &["/systemd/system/hello.service\n"]),
        (
            "-t deb --deb-systemd hello.service --deb-systemd-path usr/lib/systemd/user",
            LIST,
            &["./usr/lib/systemd/user/hello.service\n"],
        ),
        (
            "-t deb --deb-systemd hello.service",
            member!("postinst"),
            &["update-state hello.service", "was-enabled hello.service", "!invoke start"],
        ),
        (
            "-t deb --deb-systemd hello.service --deb-systemd-enable --deb-systemd-auto-start",
            member!("postinst"),
            &["enable", "start"],
        ),
        ("-t deb --after-install script.sh", member!("postinst"), &[": marked <%= name %>"]),
        ("-t deb --post-install script.sh --template-scripts", member!("postinst"), &[": marked hello"]),
        ("-t deb --after-remove script.sh --template-value name=x", member!("postrm"), &[": marked x"]),
        ("-t deb --before-install script.sh", member!("preinst"), &["marked"]),
        ("-t deb --before-upgrade script.sh", member!("preinst"), &["marked"]),
        ("-t deb --after-upgrade script.sh", member!("postinst"), &["marked"]),
        (
            "-t deb --before-remove script.sh --deb-maintainerscripts-force-errorchecks",
            member!("prerm"),
            &["marked", "set -e"],
        ),
        ("-t deb --deb-after-purge script.sh", member!("postrm"), &["purge", "marked"]),
        ("-t deb --deb-meta-file meta", member!("meta"), &["meta\n"]),
        ("-t deb --deb-config script.sh --deb-templates templates", member!("config"), &["marked"]),
        (
            "-t deb --deb-config script.sh --deb-templates templates",
            member!("templates"),
            &["Template: hello/x\n"],
        ),
        ("-t deb --deb-shlibs 'libhello 1 hello'", member!("shlibs"), &["libhello 1 hello\n"]),
        (
            "-t deb --deb-interest /a --deb-activate b --deb-interest-noawait c --deb-activate-noawait d",
            member!("triggers"),
            &["interest /a\n", "activate b\n", "interest-noawait c\n", "activate-noawait d\n"],
        ),
        (
            "-t deb --deb-changelog deb.changelog",
            "dpkg-deb --fsys-tarfile \"$1\" | tar -xOf - ./usr/share/doc/hello/changelog.Debian.gz 2>/dev/null | gzip -dc || dpkg-deb --fsys-tarfile \"$1\" | tar -xOf - ./usr/share/doc/hello/changelog.gz | gzip -dc",
            &["Marked"],
        ),
        (
            "-t deb --deb-upstream-changelog deb.changelog",
            "dpkg-deb --fsys-tarfile \"$1\" | tar -xOf - ./usr/share/doc/hello/changelog.gz | gzip -dc",
            &["Marked"],
        ),
        (
            "-t deb --deb-dist trixie",
            "dpkg-deb --fsys-tarfile \"$1\" | tar -xOf - ./usr/share/doc/hello/changelog.Debian.gz 2>/dev/null | gzip -dc || dpkg-deb --fsys-tarfile \"$1\" | tar -xOf - ./usr/share/doc/hello/changelog.gz | gzip -dc",
            &[") trixie;"],
        ),
        ("-t deb --deb-compression xz --deb-compression-level 1", "ar t \"$1\"", &["data.tar.xz"]),
        ("-t deb --deb-compression gz", "ar t \"$1\"", &["data.tar.gz"]),
        ("-t deb --deb-compression none", "ar t \"$1\"", &["data.tar\n"]),
        ("-t deb --deb-compression zst", "ar t \"$1\"", &["data.tar.zst"]),
    ]);
}

const TAGS: &str = "rpm -qp --nosignature --qf '%{NAME}|%{EPOCH}|%{VERSION}|%{RELEASE}|%{ARCH}|%{OS}|%{GROUP}|%{LICENSE}|%{VENDOR}|%{PACKAGER}|%{URL}|%{SUMMARY}|%{DISTRIBUTION}|%{BUGURL}|%{PAYLOADCOMPRESSOR}|%{FILEDIGESTALGO}|%{PREFIXES}\n%{DESCRIPTION}\n' \"$1\"";
const RPM_LIST: &str = "rpm -qplv --nosignature \"$1\"";
const SCRIPTS: &str = "rpm -qp --nosignature --scripts --triggers \"$1\"";
const RELATIONS: &str = "for of in requires provides conflicts obsoletes recommends suggests; do rpm -qp --nosignature --$of \"$1\" | sed \"s/^/$of /\"; done";

#[test]
fn what_an_rpm_is_told_it_says() {
    if packhouse_clients::find(["rpm"]).is_none() {
        return;
    }
    check(&[
        (
            "-t rpm",
            TAGS,
            &[
                "hello|(none)|1.0|1|x86_64|linux|",
                "|A <a@example.com>|",
                "|Says hello|",
                "hello-1.0-1.x86_64.rpm",
            ],
        ),
        ("-t rpm -a all --rpm-os linux", TAGS, &["|noarch|linux|", ".noarch.rpm"]),
        (
            "-t rpm --epoch 2 --iteration 3 --rpm-dist el9",
            TAGS,
            &["hello|2|1.0|3.el9|", "hello-1.0-3.el9.x86_64.rpm"],
        ),
        (
            "-t rpm --category G --license MIT --vendor V -m M --url https://x.y/",
            TAGS,
            &["|G|MIT|V|M|https://x.y/|"],
        ),
        ("-t rpm --description 'One\nTwo' --rpm-summary S", TAGS, &["|S|", "Two"]),
        ("-t rpm --rpm-tag 'Distribution: D' --rpm-tag 'BugURL: https://b'", TAGS, &["|D|https://b|"]),
        ("-t rpm --rpm-digest sha512", TAGS, &["|10|"]),
        ("-t rpm --rpm-compression xz", TAGS, &["|xz|"]),
        ("-t rpm --rpm-compression xzmt --rpm-compression-level 1", TAGS, &["|xz|"]),
        ("-t rpm --rpm-compression gzip", TAGS, &["|gzip|"]),
        (
            "-t rpm -d a -d 'b >= 1' --provides p --conflicts c --replaces r",
            RELATIONS,
            &["requires a\n", "requires b >= 1\n", "provides p\n", "conflicts c\n", "obsoletes r\n"],
        ),
        ("-t rpm -d a --no-depends", RELATIONS, &["!requires a\n"]),
        (
            "-t rpm --rpm-tag 'Requires(post): q' --rpm-tag 'Recommends: s, t'",
            RELATIONS,
            &["requires q\n", "recommends s\n", "recommends t\n"],
        ),
        (
            "-t rpm -d 'a = 1.2.3' --rpm-ignore-iteration-in-dependencies",
            RELATIONS,
            &["requires a >= 1.2.3\n", "requires a < 1.2.4\n"],
        ),
        ("-t rpm", "rpm -qpc --nosignature \"$1\"", &["/etc/hello.conf\n", "!a.txt"]),
        (
            "-t rpm --config-files /usr/share/hello",
            "rpm -qpc --nosignature \"$1\"",
            &["/usr/share/hello/a.txt\n"],
        ),
        ("-t rpm --directories /opt/own --rpm-user u1 --rpm-group g1", RPM_LIST, &["u1", "g1"]),
        ("-t rpm --rpm-attr 0640,u2,g2:/usr/bin/hello", RPM_LIST, &["-rw-r-----", "u2", "g2"]),
        ("-t rpm --rpm-attr -,u2,-:/usr/bin/hello", RPM_LIST, &["u2"]),
        ("-t rpm --rpm-defattrfile 0600 --rpm-defattrdir 0711", RPM_LIST, &["-rw-------", "drwx--x--x"]),
        (
            "-t rpm --rpm-auto-add-exclude-directories /usr/share/hello",
            RPM_LIST,
            &["hello/a.txt", "!/usr/share/hello\n"],
        ),
        ("-t rpm", RPM_LIST, &["/usr/share/hello\n", "/var/log/hello\n"]),
        ("-t rpm --rpm-init hello.init", RPM_LIST, &["/etc/init.d/hello\n"]),
        (
            "-t rpm -x usr/share/hello/b.bak --prefix /opt/x",
            RPM_LIST,
            &["/opt/x/usr/share/hello/a.txt", "!b.bak"],
        ),
        ("-t rpm --after-install script.sh", SCRIPTS, &["postinstall scriptlet (using /bin/sh)", "marked"]),
        ("-t rpm --before-remove script.sh --template-scripts", SCRIPTS, &["preuninstall", "marked hello"]),
        (
            "-t rpm --rpm-pretrans script.sh --rpm-posttrans script.sh --rpm-verifyscript script.sh",
            SCRIPTS,
            &["pretrans", "posttrans", "verify"],
        ),
        (
            "-t rpm --rpm-trigger-after-install 'httpd: script.sh' --rpm-trigger-before-uninstall '[-p /bin/bash]x: script.sh'",
            SCRIPTS,
            &["triggerin scriptlet (using /bin/sh) -- httpd", "triggerun scriptlet (using /bin/bash) -- x"],
        ),
        ("-t rpm --rpm-changelog rpm.changelog", "rpm -qp --nosignature --changelog \"$1\"", &["- Marked."]),
        ("-t rpm --rpm-auto-add-directories --rpm-rpmbuild-define '_build_id_links none'", TAGS, &["hello|"]),
    ]);
}

//! What rpmlint says of a service's package.

use std::collections::BTreeSet;

use fs_err as fs;
use packhouse_package::{Arch, Entry, Mark, Moment, Script};

use crate::rpm_fixture::{add, package, path, write};

/// rpmlint's checks that speak up, each with the reason why we leave it at that.
const EXPECTED: &[(&str, &str)] = &[
    ("invalid-license", "rpmlint knows licences only from a distribution's configuration"),
    (
        "no-manual-page-for-binary",
        "rpmlint 2.4 says so even when the page is there (`man_basenames` holds sections)",
    ),
    ("no-signature", "signing is a later stage"),
    ("only-non-binary-in-usr-lib", "systemd wants units of packages there"),
];

#[test]
fn rpmlint_says_nothing_that_is_not_expected() {
    let Some([rpmlint]) = packhouse_clients::find(["rpmlint"]) else { return };
    let mut package = package("1.2.3");
    package.metadata.arch = Arch::Noarch;
    package.options.rpm.summary = Some("Greets politely".into());
    package.metadata.description =
        "Hello says hello to everyone who asks for it, and to those who do not.".into();
    add(&mut package, "/usr/bin/hello", "#!/bin/sh\necho hello\n");
    package.files.entry_mut(&path("/usr/bin/hello")).unwrap().mode = 0o755;
    add(
        &mut package,
        "/usr/lib/systemd/system/hello.service",
        "[Unit]\nDescription=Hello\n[Service]\nExecStart=/usr/bin/hello\n",
    );
    add(&mut package, "/etc/default/hello", "A=1\n");
    add(&mut package, "/etc/hello/hello.conf", "A=1\n");
    add(&mut package, "/usr/share/doc/hello/README", "Read me.\n");
    add(&mut package, "/usr/share/licenses/hello/LICENSE", "MIT\n");
    package.files.entry_mut(&path("/usr/share/licenses/hello/LICENSE")).unwrap().mark = Mark::License;
    package.files.insert(path("/usr/bin/hi"), Entry::symlink("hello")).unwrap();
    package.files.insert(path("/var/lib/hello"), Entry::directory()).unwrap();
    let script = |text: &str| Script::parse(text.as_bytes()).unwrap();
    package.scripts.insert(Moment::AfterInstall, script("#!/bin/sh -e\nsystemctl daemon-reload || :\n"));
    package.scripts.insert(Moment::AfterUpgrade, script("#!/bin/sh -e\nsystemctl try-restart hello || :\n"));
    package
        .scripts
        .insert(Moment::BeforeRemove, script("#!/bin/sh -e\nsystemctl disable --now hello || :\n"));
    let directory = tempfile::tempdir().unwrap();
    let file = write(&package, directory.path());
    // An own configuration, so that the machine's has no say.
    let configuration = directory.path().join("rpmlint.toml");
    fs::write(&configuration, "").unwrap();
    let output = rpmlint.command().arg("-c").arg(&configuration).arg(&file).output().unwrap();
    let printed = packhouse_clients::text(&output);
    let lines = printed.lines().filter(|line| line.starts_with("hello.noarch: "));
    let checks: BTreeSet<&str> = lines.filter_map(|line| line.split(' ').nth(2)).collect();
    let expected: BTreeSet<&str> = EXPECTED.iter().map(|(check, _)| *check).collect();
    assert_eq!(checks, expected, "{printed}");
}

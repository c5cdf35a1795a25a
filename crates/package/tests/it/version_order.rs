//! A later build is a newer package, for dpkg and for rpm, as our formats spell its version.
#![expect(clippy::unwrap_used, reason = "a package that cannot be named is a failed test")]

use packhouse_clients::Client;
use packhouse_package::{Format, Version};

use crate::rpm_fixture::package;

/// Versions by the default format `{version}-{target}-{built}-{revision}`, each later than the one above it.
const IN_ORDER: [(&str, &str, &str); 16] = [
    ("0.9.9", "2305191200", "ffffff9"),
    ("0.10.0", "2305191200", "0000001"),
    ("1.0.0~alpha", "2305191200", "01fd6b4"),
    ("1.0.0~alpha.1", "2305191200", "01fd6b4"),
    ("1.0.0~beta", "2305191200", "01fd6b4"),
    ("1.0.0~rc.1", "2305191200", "f1fd6b4"),
    ("1.0.0~rc.1", "2305191201", "01fd6b4"),
    ("1.0.0~rc.2", "2305191200", "0000000"),
    ("1.0.0~rc.10", "2305191200", "0000000"),
    ("1.0.0", "2305191200", "e1fd6b4"),
    ("1.0.0", "2305191201", "1e1fd6b"),
    ("1.0.0", "2305200000", "0000000"),
    ("1.0.0", "2312312359", "fffffff"),
    ("1.0.0", "2401010000", "0000000"),
    ("1.0.1", "2305191200", "abcdef0"),
    ("1.10.0", "2305191200", "0abcdef"),
];

/// The same build of targets whose names look like versions, dates or revisions themselves.
const TARGETS: [&str; 5] = ["ubuntu-22.04", "debian-12", "amazon-linux-2", "rocky-9", "opensuse-leap-15.5"];

/// `[version]-[release]` as it stands in the file name.
fn spelled(format: Format, version: &str) -> String {
    let mut metadata = package("1").metadata;
    metadata.version = Version::new(version);
    let name = format.get().file_name(&metadata, &Default::default()).unwrap();
    match format {
        Format::Deb => name.split('_').nth(1).unwrap().to_owned(),
        _ => name.strip_prefix("hello-").unwrap().strip_suffix(".x86_64.rpm").unwrap().to_owned(),
    }
}

/// Compares every build of a target with every later one.
fn assert_in_order(format: Format, is_newer: impl Fn(&[(String, String)]) -> Vec<bool>) {
    for target in TARGETS {
        let all = IN_ORDER.map(|(version, built, revision)| {
            spelled(format, &format!("{version}-{target}-{built}-{revision}"))
        });
        let mut pairs = Vec::new();
        for (index, old) in all.iter().enumerate() {
            pairs.extend(all[index + 1..].iter().map(|new| (old.clone(), new.clone())));
        }
        let newer = is_newer(&pairs);
        assert_eq!(newer.len(), pairs.len());
        let wrong: Vec<_> = pairs.iter().zip(newer).filter(|(_, is_newer)| !is_newer).collect();
        assert!(wrong.is_empty(), "{format}: {wrong:#?}");
    }
}

#[test]
fn dpkg_takes_a_later_build_for_newer() {
    let Some([dpkg]) = packhouse_clients::find(["dpkg"]) else { return };
    let compare = |old: &str, new: &str| {
        let arguments = ["--compare-versions", old, "lt", new];
        let output = dpkg.command().args(arguments).output().unwrap();
        assert!(output.stderr.is_empty(), "{}", packhouse_clients::text(&output));
        output.status.success()
    };
    assert_in_order(Format::Deb, |pairs| pairs.iter().map(|(old, new)| compare(old, new)).collect());
}

fn rpm_compares(rpm: &Client, pairs: &[(String, String)]) -> Vec<bool> {
    let calls: String =
        pairs.iter().map(|(old, new)| format!("print(rpm.vercmp('{old}', '{new}') .. ' ')\n")).collect();
    let printed = rpm.run(["--eval", &format!("%{{lua:{calls}}}")]);
    printed.split_whitespace().map(|result| result == "-1").collect()
}

#[test]
fn rpm_takes_a_later_build_for_newer() {
    let Some([rpm]) = packhouse_clients::find(["rpm"]) else { return };
    assert_in_order(Format::Rpm, |pairs| rpm_compares(&rpm, pairs));
}

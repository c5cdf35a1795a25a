//! `kill -9` at every system call that changes something.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use packhouse_publish::{Access, Head, Problem, Sha256, Store, check_site};

use crate::site::{files, publisher};

/// The calls by which the publisher changes a file system. A kill comes before the call's effect, so that each
/// call is also the point after the one before it.
const CALLS: [&str; 12] = [
    "mkdir", "mkdirat", "chmod", "fchmod", "flock", "write", "fsync", "link", "linkat", "rename", "renameat",
    "unlink",
];

struct Fixture {
    directory: tempfile::TempDir,
}

impl Fixture {
    /// Two releases of two targets; a package of the second is large enough to be written in pieces.
    fn new() -> Fixture {
        let directory = tempfile::tempdir().unwrap();
        for (name, contents) in [
            ("a_1.deb", "a1".to_owned()),
            ("b-1.rpm", "b1".to_owned()),
            ("a_2.deb", "a2".repeat(300_000)),
            ("b-2.rpm", "b2".to_owned()),
        ] {
            fs_err::write(directory.path().join(name), &contents).unwrap();
            fs_err::write(directory.path().join(format!("{name}.asc")), format!("signature of {name}"))
                .unwrap();
        }
        Fixture { directory }
    }

    fn arguments(&self, site: &Path, release: u32) -> Vec<PathBuf> {
        let words =
            [site.to_str().unwrap(), &(1_700_000_000 + release).to_string(), "stable"].map(PathBuf::from);
        let file = |name: String| self.directory.path().join(name);
        let deb = ["ubuntu".into(), "22.04".into(), file(format!("a_{release}.deb"))];
        let rpm = ["rocky".into(), "8".into(), file(format!("b-{release}.rpm"))];
        words.into_iter().chain(deb).chain(rpm).collect()
    }

    fn publish(&self, site: &Path, release: u32) {
        let mut command = Command::new(publisher());
        command.args(self.arguments(site, release)).stdout(Stdio::null());
        assert!(command.status().unwrap().success());
    }

    /// Whether the publisher was killed; if not, it finished.
    fn publish_and_kill(&self, strace: &packhouse_clients::Client, site: &Path, call: &str, at: u32) -> bool {
        let mut command = strace.command();
        command
            // Not `--seccomp-bpf`, with which strace 6.1 only ever injects at the first call.
            .args(["-f", "-qqq", "-o", "/dev/null"])
            .args(["-e", &format!("trace={call}"), "-e", &format!("inject={call}:signal=SIGKILL:when={at}")])
            .arg(publisher())
            .args(self.arguments(site, 2))
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let output = command.output().unwrap();
        let killed = output.status.signal() == Some(9) || output.status.code() == Some(137);
        assert!(killed || output.status.success(), "{call} {at}: {}", packhouse_clients::text(&output));
        killed
    }
}

/// What a customer sees: each pointer names the old or the new package, whole and signed.
fn check_as_a_customer(site: &Path, point: &str) {
    for (pointer, names) in [
        ("ubuntu/ubuntu-22.04.x86_64.latest.txt", ["a_1.deb", "a_2.deb"]),
        ("rocky/rocky-8.x86_64.latest.txt", ["b-1.rpm", "b-2.rpm"]),
    ] {
        let Ok(text) = fs_err::read_to_string(site.join(pointer)) else {
            assert!(point.starts_with("first"), "{point}: {pointer} is gone");
            continue;
        };
        let name = text.strip_suffix('\n').unwrap_or_else(|| panic!("{point}: {pointer} is torn"));
        assert!(names.contains(&name), "{point}: {pointer} names {name}");
        let package = site.join(pointer).with_file_name(name);
        let expected = match name {
            "a_1.deb" => Sha256::of(b"a1"),
            "b-1.rpm" => Sha256::of(b"b1"),
            "a_2.deb" => Sha256::of("a2".repeat(300_000).as_bytes()),
            _ => Sha256::of(b"b2"),
        };
        assert_eq!(Sha256::of(&fs_err::read(&package).unwrap()), expected, "{point}: {name}");
        let signature = fs_err::read_to_string(format!("{}.asc", package.display())).unwrap();
        assert_eq!(signature, format!("signature of {name}"), "{point}");
    }
}

/// What `packhouse verify` sees: nothing but pointers that are behind.
async fn check_as_verify(site: &Path, point: &str) {
    let store = Store::open(site.to_str().unwrap(), site, &Access::default()).unwrap();
    if Head::read(&store).await.unwrap_or_else(|error| panic!("{point}: {error}")).is_none() {
        assert!(point.starts_with("first"), "{point}: the head is gone");
        return;
    }
    let report = check_site(&store, site, &|_, _, _| Ok(()), &|_| {}).await.unwrap();
    for problem in report.problems {
        let behind = match &problem {
            Problem::Pointer { .. } => true,
            Problem::Missing { path } => path.as_str().ends_with(".latest.txt") && point.starts_with("first"),
            _ => false,
        };
        assert!(behind, "{point}: {problem}");
    }
}

async fn kill_everywhere(name: &str, prepare: impl Fn(&Fixture, &Path)) {
    let Some([strace]) = packhouse_clients::find(["strace"]) else { return };
    let fixture = Fixture::new();
    let undisturbed = fixture.directory.path().join("undisturbed");
    prepare(&fixture, &undisturbed);
    fixture.publish(&undisturbed, 2);
    let expected = files(&undisturbed);

    let mut points = BTreeMap::new();
    for call in CALLS {
        for at in 1.. {
            let point = format!("{name}, killed at {call} {at}");
            let site = fixture.directory.path().join("site");
            prepare(&fixture, &site);
            if !fixture.publish_and_kill(&strace, &site, call, at) {
                fs_err::remove_dir_all(&site).unwrap();
                break;
            }
            *points.entry(call).or_insert(0) += 1;
            check_as_a_customer(&site, &point);
            check_as_verify(&site, &point).await;
            fixture.publish(&site, 2);
            assert!(files(&site) == expected, "{point}: the rerun left another site");
            let private = fs_err::read_dir(site.join(".packhouse")).unwrap().count();
            assert_eq!(private, 1, "{point}: something unfinished was left");
            fs_err::remove_dir_all(&site).unwrap();
        }
    }
    let total: u32 = points.values().sum();
    assert!(total >= 60, "strace does not see the publisher's calls: {points:?}");
    for call in ["write", "fsync", "flock"] {
        assert!(points.contains_key(call), "{points:?}");
    }
}

#[tokio::test]
async fn a_kill_at_any_step_of_the_first_publication_leaves_nothing_or_everything() {
    kill_everywhere("first", |_, _| {}).await;
}

#[tokio::test]
async fn a_kill_at_any_step_of_an_upgrade_leaves_the_old_or_the_new_state() {
    kill_everywhere("second", |fixture, site| fixture.publish(site, 1)).await;
}

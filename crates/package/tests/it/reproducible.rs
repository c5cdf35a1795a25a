//! The same package is the same file, whoever writes it, where and when.
#![expect(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

use std::path::Path;
use std::process::Command;

use packhouse_package::archive::compress::Compression;
use packhouse_package::{Entry, Format, Kind};

use crate::deb_fixture::{bytes, example, files, package};

/// Makes the same tree, in this order, with this time.
fn make_tree(directory: &Path, names: &[&str], time: &str) {
    for name in names {
        let file = directory.join(name);
        fs_err::create_dir_all(file.parent().unwrap()).unwrap();
        fs_err::write(&file, format!("content of {name}\n").repeat(1000)).unwrap();
    }
    let status = Command::new("find").arg(directory).args(["-exec", "touch", "-d", time, "{}", "+"]).status();
    assert!(status.unwrap().success());
}

/// How the machine is when a package is written: shell text in front of the command, its environment, its directory.
struct Machine {
    prepare: &'static str,
    environment: [(&'static str, &'static str); 6],
    directory: &'static str,
}

const MACHINES: [Machine; 3] = [
    Machine {
        prepare: "umask 022; exec",
        environment: [
            ("TZ", "UTC"),
            ("LC_ALL", "C"),
            ("HOME", "/root"),
            ("USER", "root"),
            ("SOURCE_DATE_EPOCH", "1"),
            ("COLUMNS", "80"),
        ],
        directory: "/",
    },
    // One processor, another kernel, another user.
    Machine {
        prepare: "umask 077; exec setarch --uname-2.6 taskset 1 setpriv --reuid 65534 --regid 65534 --clear-groups",
        environment: [
            ("TZ", "Pacific/Kiritimati"),
            ("LC_ALL", "tr_TR.UTF-8"),
            ("HOME", "/nonexistent"),
            ("USER", "nobody"),
            ("SOURCE_DATE_EPOCH", "2000000000"),
            ("COLUMNS", "7"),
        ],
        directory: "/usr",
    },
    // Another day, a machine of another name.
    Machine {
        prepare: "umask 000; exec unshare --uts -- sh -c 'hostname elsewhere && exec faketime \"2031-05-05 01:02:03\" \"$@\"' sh",
        environment: [
            ("TZ", "America/St_Johns"),
            ("LC_ALL", "de_DE.UTF-8"),
            ("HOME", "/tmp"),
            ("USER", "build"),
            ("SOURCE_DATE_EPOCH", "x"),
            ("COLUMNS", "200"),
        ],
        directory: "/tmp",
    },
];

/// REP-01 and REP-03.
#[test]
fn bytes_do_not_depend_on_the_machine_the_user_the_day_or_the_order_of_directories() {
    let programs = ["faketime", "setpriv", "setarch", "taskset", "unshare", "hostname"];
    if packhouse_clients::find(programs).is_none() || !rustix::process::geteuid().is_root() {
        return; // only root becomes another user
    }
    let names = ["usr/bin/a", "usr/bin/B", "etc/x.conf", "usr/lib/a.b/c", "usr/lib/a/c", "opt/\u{e4}"];
    let mut reversed = names;
    reversed.reverse();
    for format in Format::ALL {
        let mut results = Vec::new();
        for (machine, (order, time)) in
            MACHINES.iter().zip([(names, "2001-01-01"), (reversed, "2020-02-02"), (reversed, "2030-03-03")])
        {
            // The second in memory, where there is such a file system: directories come in another order there.
            let shared = Path::new("/dev/shm");
            let is_second = results.len() == 1 && shared.is_dir();
            let directory =
                if is_second { tempfile::tempdir_in(shared) } else { tempfile::tempdir() }.unwrap();
            let open = std::os::unix::fs::PermissionsExt::from_mode(0o777);
            fs_err::set_permissions(directory.path(), open).unwrap();
            let tree = directory.path().join("tree");
            make_tree(&tree, &order, time);
            let file = directory.path().join("package");
            // Where another user can run it.
            let program = directory.path().join("write");
            fs_err::copy(example(), &program).unwrap();
            let output = Command::new("sh")
                .args(["-c", &format!("{} \"$@\"", machine.prepare), "sh"])
                .arg(&program)
                .args([format.to_string().as_ref(), tree.as_os_str(), file.as_os_str()])
                .envs(machine.environment)
                .current_dir(machine.directory)
                .output()
                .unwrap();
            assert!(output.status.success(), "{}", packhouse_clients::text(&output));
            results.push(fs_err::read(file).unwrap());
        }
        assert!(results[0] == results[1] && results[0] == results[2], "{format}");
        let text = String::from_utf8_lossy(&results[0]);
        let is_of_machine = ["/tmp", "elsewhere"].iter().any(|word| text.contains(word));
        assert!(!is_of_machine, "a path or the name of this machine is in the {format}");
    }
}

/// REP-08: Debian's tool, which cleans up behind other writers, finds nothing to clean.
#[test]
fn strip_nondeterminism_changes_nothing() {
    let Some([strip]) = packhouse_clients::find(["strip-nondeterminism"]) else { return };
    let directory = tempfile::tempdir().unwrap();
    for (format, name, kind) in
        [(Format::Zip, "x.zip", "zip"), (Format::Tar, "x.tar.gz", "gzip"), (Format::Apk, "x.apk", "gzip")]
    {
        // It gives every member of a zip the mode of a file or a program, and would spoil the link.
        let mut files = files();
        files.retain(|(_, entry)| format != Format::Zip || !matches!(entry.kind, Kind::Symlink { .. }));
        let mut package = package("1.0-1", &files);
        package.options.compression = None;
        package.metadata.version = packhouse_package::Version::new("1.0");
        let mut out = std::io::Cursor::new(Vec::new());
        format.get().write(&package, packhouse_package::Resources::all(), &mut out).unwrap();
        let file = directory.path().join(name);
        fs_err::write(&file, out.get_ref()).unwrap();
        let time = package.timestamp.as_unix().to_string();
        strip.run([
            "--type".as_ref(),
            kind.as_ref(),
            "--timestamp".as_ref(),
            time.as_ref(),
            file.as_os_str(),
        ]);
        assert!(fs_err::read(&file).unwrap() == out.into_inner(), "{format}");
    }
}

#[test]
fn bytes_do_not_depend_on_threads() {
    let mut files = files();
    let text = "a line that is repeated with differences ".repeat(200_000);
    files.push(("opt/text", Entry::bytes(text.into_bytes(), 0o644)));
    let mut package = package("1.0-1", &files);
    for compression in [None, Some(Compression::Zstd(1)), Some(Compression::Gzip(1)), Some(Compression::None)]
    {
        package.options.compression = compression;
        let once = bytes(&package, 1).unwrap();
        for threads in [2, 16] {
            assert!(once == bytes(&package, threads).unwrap(), "{compression:?} with {threads} threads");
        }
    }
}

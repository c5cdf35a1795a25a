//! The same package is the same file, whoever writes it, where and when.
#![expect(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

use std::path::Path;
use std::process::Command;

use packhouse_package::Entry;
use packhouse_package::archive::compress::Compression;

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

#[test]
fn bytes_do_not_depend_on_umask_locale_time_zone_directory_order_or_times() {
    let names = ["usr/bin/a", "usr/bin/B", "etc/x.conf", "usr/lib/a.b/c", "usr/lib/a/c", "opt/\u{e4}"];
    let mut reversed = names;
    reversed.reverse();
    let mut results = Vec::new();
    for (order, time, umask, zone, locale, cwd) in [
        (names, "2001-01-01", "022", "UTC", "C", "/"),
        (reversed, "2020-02-02", "077", "Pacific/Kiritimati", "tr_TR.UTF-8", "/usr"),
        (reversed, "2030-03-03", "000", "America/St_Johns", "de_DE.UTF-8", "/tmp"),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let tree = directory.path().join("tree");
        make_tree(&tree, &order, time);
        let deb = directory.path().join("x.deb");
        let script = format!("umask {umask}; exec \"$@\"");
        let status = Command::new("sh")
            .args(["-c", &script, "sh"])
            .arg(example())
            .args(["deb".as_ref(), tree.as_os_str(), deb.as_os_str(), "zstd".as_ref()])
            .env("TZ", zone)
            .env("LC_ALL", locale)
            .env("SOURCE_DATE_EPOCH", "1")
            .current_dir(cwd)
            .status();
        assert!(status.unwrap().success());
        results.push(fs_err::read(deb).unwrap());
    }
    assert!(results[0] == results[1] && results[0] == results[2]);
    let text = String::from_utf8_lossy(&results[0]);
    assert!(!text.contains("/tmp"), "a path of this machine is in the package");
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

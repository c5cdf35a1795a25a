//! A file system without room.

use std::path::Path;
use std::process::Command;

use packhouse_publish::{Access, Error, Store};

use crate::site::{Site, files, publish_to};

/// A small tmpfs, unmounted when dropped.
struct Small<'a>(&'a Path);

impl Small<'_> {
    fn mount(at: &Path) -> Option<Small<'_>> {
        fs_err::create_dir_all(at).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=400k", "tmpfs"]).arg(at);
        let mounted = mount.output().is_ok_and(|output| output.status.success());
        if !mounted {
            // libtest captures `eprintln!`, so that it would be silent.
            use std::io::Write as _;
            let _ = std::io::stderr().write_all(b"skipped: full_disk.rs may not mount a tmpfs here\n");
            assert!(
                std::env::var_os("PACKHOUSE_REQUIRE_CLIENTS").is_none()
                    || !rustix::process::geteuid().is_root()
            );
        }
        mounted.then_some(Small(at))
    }
}

impl Drop for Small<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0).status();
    }
}

#[tokio::test]
async fn a_full_disk_leaves_the_site_as_it_was_and_making_room_lets_the_same_command_finish() {
    let site = Site::new();
    let mount_point = site.directory.path().join("small");
    let Some(_mounted) = Small::mount(&mount_point) else { return };
    let store = Store::open("small/site", site.directory.path(), &Access::default()).unwrap();
    publish_to(&store, vec![site.upload("ubuntu 22.04", "hello_1.deb", "1")]).await.unwrap();
    let root = mount_point.join("site");
    let before = files(&root);

    let mut new = site.upload("ubuntu 22.04", "hello_2.deb", &"2".repeat(90_000));
    new.package.built += 1;
    new.signature = b"signature".to_vec();
    // From no room at all to just too little, so that each write of the publication is the one that fails.
    let ballast = mount_point.join("ballast");
    let mut failures = 0;
    for pages in (1..=100).rev() {
        let _ = fs_err::write(&ballast, vec![0; pages * 4096]);
        match publish_to(&store, vec![new.clone()]).await {
            Ok(_) => break,
            Err(error) => {
                failures += 1;
                let Error::Write { path, source } = &error else { panic!("{error:?}") };
                assert_eq!(source.kind(), std::io::ErrorKind::StorageFull, "{error}");
                assert!(path.starts_with(&root));
                assert!(error.help().unwrap().starts_with("make room"), "{error}");
                let now = files(&root);
                for (name, bytes) in &before {
                    let committed = name.parent() == Some(Path::new(""));
                    assert!(committed || now[name] == *bytes, "{} changed", name.display());
                }
                let head = packhouse_publish::Head::parse(&now[Path::new("releases.json")]).unwrap();
                for package in &head.packages {
                    assert_eq!(now[Path::new(package.path.as_str())].len() as u64, package.size);
                }
            }
        }
        let _ = fs_err::remove_file(&ballast);
    }
    assert!(failures > 5, "{failures}");
    let _ = fs_err::remove_file(&ballast);
    publish_to(&store, vec![new]).await.unwrap();
    assert_eq!(
        fs_err::read_to_string(root.join("ubuntu/ubuntu-22.04.x86_64.latest.txt")).unwrap(),
        "hello_2.deb\n"
    );
}

//! Each operation of a store.

use std::os::unix::fs::PermissionsExt as _;

use packhouse_publish::{Access, Body, Created, Error, Lifetime, Object, Sha256, Swapped};

use crate::site::{Site, object_path};

fn immutable(text: &str) -> Object {
    Object::immutable(object_path("ubuntu/a.deb"), "text/plain", text)
}

fn mutable(text: &str) -> Object {
    Object::mutable(object_path("latest.txt"), "text/plain", text)
}

#[tokio::test]
async fn an_immutable_object_is_created_once_and_never_replaced() {
    let site = Site::new();
    assert_eq!(site.store.create(&immutable("one")).await.unwrap(), Created::New);
    assert_eq!(site.store.create(&immutable("one")).await.unwrap(), Created::Identical);
    let error = site.store.create(&immutable("two")).await.unwrap_err();
    let (one, two) = (Sha256::of(b"one"), Sha256::of(b"two"));
    assert!(
        matches!(&error, Error::Conflict { there, here, .. } if *there == one && *here == two),
        "{error}"
    );
    assert_eq!(
        error.to_string(),
        format!("`ubuntu/a.deb` is already published with other bytes (sha256 {one} there, {two} here)")
    );
    assert_eq!(site.text("ubuntu/a.deb"), "one");
}

#[tokio::test]
async fn published_files_are_readable_by_everyone_and_nothing_unfinished_stays() {
    let site = Site::new();
    site.store.create(&immutable("one")).await.unwrap();
    site.store.swap(&mutable("x"), None).await.unwrap();
    site.store.create(&immutable("two")).await.unwrap_err();
    let mode = |name| fs_err::metadata(site.path(name)).unwrap().permissions().mode() & 0o7777;
    assert_eq!([mode("ubuntu/a.deb"), mode("latest.txt"), mode("ubuntu")], [0o644, 0o644, 0o755]);
    let private: Vec<_> =
        fs_err::read_dir(site.path(".packhouse")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(private, ["lock"]);
}

#[tokio::test]
async fn a_mutable_object_is_replaced_only_if_nobody_else_did() {
    let site = Site::new();
    let Swapped::Written(first) = site.store.swap(&mutable("1"), None).await.unwrap() else { panic!() };
    let error = site.store.swap(&mutable("2"), None).await.unwrap_err();
    assert!(matches!(error, Error::Changed { .. }), "{error}");
    site.store.swap(&mutable("2"), Some(&first)).await.unwrap();
    let error = site.store.swap(&mutable("3"), Some(&first)).await.unwrap_err();
    assert!(matches!(error, Error::Changed { .. }), "{error}");
    let (bytes, second) = site.store.read(&object_path("latest.txt")).await.unwrap().unwrap();
    assert_eq!(bytes, b"2");
    assert_eq!(site.store.swap(&mutable("2"), Some(&second)).await.unwrap(), Swapped::Identical);
}

#[tokio::test]
async fn a_file_that_changed_since_it_was_recorded_is_not_published() {
    let site = Site::new();
    let path = site.directory.path().join("a.deb");
    fs_err::write(&path, "tampered").unwrap();
    let object = Object {
        path: object_path("ubuntu/a.deb"),
        body: Body::File { path, sha256: Sha256::of(b"built") },
        media_type: "text/plain",
        lifetime: Lifetime::Immutable,
    };
    let error = site.store.create(&object).await.unwrap_err();
    assert!(matches!(error, Error::SourceChanged { .. }), "{error}");
    assert!(!site.path("ubuntu/a.deb").exists());
}

#[tokio::test]
async fn listing_finds_objects_by_prefix_and_deleting_removes_them() {
    let site = Site::new();
    assert_eq!(site.store.list("").await.unwrap(), []);
    for name in ["ubuntu/b", "ubuntu/a", "ubuntux", "debian/c"] {
        site.store.create(&Object::immutable(object_path(name), "text/plain", "12")).await.unwrap();
    }
    let list = async |prefix| {
        let found = site.store.list(prefix).await.unwrap();
        found.into_iter().map(|listed| format!("{} {}", listed.path, listed.size)).collect::<Vec<_>>()
    };
    assert_eq!(list("").await, ["debian/c 2", "ubuntu/a 2", "ubuntu/b 2", "ubuntux 2"]);
    assert_eq!(list("ubuntu").await, ["ubuntu/a 2", "ubuntu/b 2", "ubuntux 2"]);
    assert_eq!(list("ubuntu/b").await, ["ubuntu/b 2"]);
    assert_eq!(list("../").await, [""; 0]);
    site.store.delete(&object_path("ubuntu/a")).await.unwrap();
    site.store.delete(&object_path("ubuntu/a")).await.unwrap();
    assert_eq!(list("ubuntu/").await, ["ubuntu/b 2"]);
}

#[tokio::test]
async fn a_pipe_or_directory_where_an_object_should_be_is_refused_at_once() {
    let site = Site::new();
    fs_err::create_dir_all(site.path("ubuntu")).unwrap();
    let pipe = site.path("ubuntu/a.deb");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let error = site.store.create(&immutable("one")).await.unwrap_err();
    assert!(matches!(error, Error::NotAFile { .. }), "{error}");
    let error = site.store.read(&object_path("ubuntu")).await.unwrap_err();
    assert!(matches!(error, Error::NotAFile { .. }), "{error}");
}

#[tokio::test]
async fn a_path_that_cannot_be_written_is_named_with_the_fix() {
    let site = Site::new();
    // /proc is read-only in the sense that matters, also for root.
    let store =
        packhouse_publish::Store::open("/proc/packhouse", site.directory.path(), &Access::default()).unwrap();
    let error = store.create(&immutable("one")).await.unwrap_err();
    assert!(matches!(error, Error::Write { .. }), "{error}");
    assert_eq!(error.to_string(), "cannot write `/proc/packhouse`");
}

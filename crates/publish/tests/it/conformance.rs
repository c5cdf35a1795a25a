//! One suite that every kind of storage passes.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use packhouse_publish::{
    Access, Body, ConditionalWrites, Created, Error, Lifetime, Object, Sha256, Standing, Store, Swapped,
};

use crate::moto::moto_store;
use crate::server::{Dialect, Server, StrippingProxy, access, open};
use crate::site::object_path;

/// Names that packages have and that storage libraries like to re-encode.
const AWKWARD: &str = "ubuntu/a_1:1.0~rc1+b^c%20_amd64.deb";

fn immutable(path: &str, text: &str) -> Object {
    Object::immutable(object_path(path), "application/x-test", text)
}

fn mutable(path: &str, text: &str) -> Object {
    Object::mutable(object_path(path), "text/plain", text)
}

fn large(directory: &Path, fill: u8) -> (Object, Vec<u8>) {
    // Five parts, the last one short.
    let bytes: Vec<u8> = (0..(33 << 20)).map(|index: u32| fill ^ (index / 1000).to_le_bytes()[0]).collect();
    let path = directory.join(format!("large-{fill}"));
    fs_err::write(&path, &bytes).unwrap();
    let object = Object {
        path: object_path("ubuntu/large_1.deb"),
        body: Body::File { path, sha256: Sha256::of(&bytes) },
        media_type: "application/vnd.debian.binary-package",
        lifetime: Lifetime::Immutable,
    };
    (object, bytes)
}

/// The suite. `store` is empty.
async fn conforms(store: &Store) {
    conforms_alone(store).await;
    races(store).await;
    assert!(store.list("").await.unwrap().iter().all(|listed| !listed.path.as_str().contains(".packhouse")));
    store.clean_up().await.unwrap();
}

/// What storage does for one publisher.
async fn conforms_alone(store: &Store) {
    let scratch = tempfile::tempdir().unwrap();
    store.require_conditions().await.unwrap();
    assert_eq!(store.conditional_writes().await.unwrap(), ConditionalWrites::Honoured);
    immutable_objects(store).await;
    mutable_objects(store).await;
    small_files(store, scratch.path()).await;
    large_objects(store, scratch.path()).await;
    listing_and_deleting(store).await;
}

async fn immutable_objects(store: &Store) {
    for path in [AWKWARD, "a", "ubuntu/a b/ü"] {
        assert_eq!(store.read(&object_path(path)).await.unwrap(), None);
        assert_eq!(store.create(&immutable(path, "one")).await.unwrap(), Created::New, "{path}");
        assert_eq!(store.create(&immutable(path, "one")).await.unwrap(), Created::Identical);
        let error = store.create(&immutable(path, "two")).await.unwrap_err();
        let (one, two) = (Sha256::of(b"one"), Sha256::of(b"two"));
        assert!(
            matches!(&error, Error::Conflict { there, here, .. } if *there == one && *here == two),
            "{error}"
        );
        assert_eq!(store.read(&object_path(path)).await.unwrap().unwrap().0, b"one");
        assert_eq!(store.digest(&object_path(path)).await.unwrap(), Some((one, 3)));
    }
    assert_eq!(store.create(&immutable("empty", "")).await.unwrap(), Created::New);
    assert_eq!(store.digest(&object_path("empty")).await.unwrap(), Some((Sha256::of(b""), 0)));
    let body = |text: &str| Body::Bytes(text.into());
    assert_eq!(store.compare(&object_path("a"), &body("one")).await.unwrap(), Standing::Identical);
    let other = Standing::Different(Sha256::of(b"one"));
    assert_eq!(store.compare(&object_path("a"), &body("two")).await.unwrap(), other);
    assert_eq!(store.compare(&object_path("b"), &body("two")).await.unwrap(), Standing::Missing);
}

async fn mutable_objects(store: &Store) {
    let path = "head.json";
    let Swapped::Written(first) = store.swap(&mutable(path, "1"), None).await.unwrap() else { panic!() };
    let error = store.swap(&mutable(path, "2"), None).await.unwrap_err();
    assert!(matches!(error, Error::Changed { .. }), "{error}");
    let (bytes, read) = store.read(&object_path(path)).await.unwrap().unwrap();
    assert_eq!((bytes.as_slice(), &read), (&b"1"[..], &first));
    store.swap(&mutable(path, "2"), Some(&first)).await.unwrap();
    let error = store.swap(&mutable(path, "3"), Some(&first)).await.unwrap_err();
    assert!(matches!(error, Error::Changed { .. }), "{error}");
    assert_eq!(store.read(&object_path(path)).await.unwrap().unwrap().0, b"2");
    // What was deleted meanwhile is not there to be replaced.
    let (_, version) = store.read(&object_path(path)).await.unwrap().unwrap();
    store.delete(&object_path(path)).await.unwrap();
    let error = store.swap(&mutable(path, "4"), Some(&version)).await.unwrap_err();
    assert!(matches!(error, Error::Changed { .. }), "{error}");
    assert_eq!(store.read(&object_path(path)).await.unwrap(), None);
}

/// Files that go in one request, and are read in several pieces.
async fn small_files(store: &Store, scratch: &Path) {
    let file = |name: &str, bytes: &[u8], sha256| {
        let path = scratch.join(name);
        fs_err::write(&path, bytes).unwrap();
        Object { body: Body::File { path, sha256 }, ..immutable(&format!("small/{name}"), "") }
    };
    for (name, size) in [("none", 0), ("one", 1), ("pieces", 600_000)] {
        let bytes: Vec<u8> = (0..size).map(|index: u32| index.to_le_bytes()[1]).collect();
        let object = file(name, &bytes, Sha256::of(&bytes));
        assert_eq!(store.create(&object).await.unwrap(), Created::New, "{name}");
        assert_eq!(store.create(&object).await.unwrap(), Created::Identical, "{name}");
        assert_eq!(store.compare(&object.path, &object.body).await.unwrap(), Standing::Identical);
        let there = store.digest(&object.path).await.unwrap();
        assert_eq!(there, Some((Sha256::of(&bytes), bytes.len() as u64)), "{name}");
        let other = file(name, b"other", Sha256::of(b"other"));
        let error = store.create(&other).await.unwrap_err();
        assert!(matches!(error, Error::Conflict { .. }), "{error}");
    }
    // A file that is not what was announced leaves nothing, and the name is free.
    let changed = file("changed", b"changed", Sha256::of(b"signed"));
    match store.create(&changed).await.unwrap_err() {
        Error::SourceChanged { expected, found, .. } => {
            assert_eq!((expected, found), (Sha256::of(b"signed"), Sha256::of(b"changed")));
        }
        error => panic!("{error}"),
    }
    assert_eq!(store.digest(&changed.path).await.unwrap(), None);
    let signed = file("changed", b"signed", Sha256::of(b"signed"));
    assert_eq!(store.create(&signed).await.unwrap(), Created::New);
}

async fn large_objects(store: &Store, scratch: &Path) {
    let (object, bytes) = large(scratch, 1);
    let told = Arc::new(AtomicU64::new(0));
    let counter = told.clone();
    let tell = move |bytes| {
        counter.fetch_add(bytes, Ordering::Relaxed);
    };
    assert_eq!(store.create_telling(&object, tell).await.unwrap(), Created::New);
    assert_eq!(told.load(Ordering::Relaxed), bytes.len() as u64);
    let found = store.digest(&object.path).await.unwrap();
    assert_eq!(found, Some((Sha256::of(&bytes), bytes.len() as u64)));
    assert_eq!(store.create(&object).await.unwrap(), Created::Identical);
    assert_eq!(store.compare(&object.path, &object.body).await.unwrap(), Standing::Identical);
    let error = store.create(&large(scratch, 2).0).await.unwrap_err();
    assert!(matches!(error, Error::Conflict { .. }), "{error}");
    let copy = store.local_file(&object.path, scratch).await.unwrap().unwrap();
    assert!(fs_err::read(&copy.file).unwrap() == bytes);
    assert_eq!((copy.sha256, copy.size), (Sha256::of(&bytes), bytes.len() as u64));
    // A file that is not what was announced leaves nothing.
    let mut changed = large(scratch, 3).0;
    changed.path = object_path("ubuntu/changed_1.deb");
    changed.body = Body::File { path: scratch.join("large-3"), sha256: Sha256::of(b"other") };
    let error = store.create(&changed).await.unwrap_err();
    assert!(matches!(error, Error::SourceChanged { .. }), "{error}");
    assert_eq!(store.digest(&changed.path).await.unwrap(), None);
}

async fn listing_and_deleting(store: &Store) {
    for name in ["list/b", "list/a", "listx"] {
        store.create(&immutable(name, "12")).await.unwrap();
    }
    let list = async |prefix| {
        let found = store.list(prefix).await.unwrap();
        found.into_iter().map(|listed| format!("{} {}", listed.path, listed.size)).collect::<Vec<_>>()
    };
    assert_eq!(list("list").await, ["list/a 2", "list/b 2", "listx 2"]);
    assert_eq!(list("list/b").await, ["list/b 2"]);
    assert_eq!(list("nothing/").await, [""; 0]);
    assert_eq!(list("../").await, [""; 0]);
    assert!(list("ubuntu/").await.contains(&format!("{AWKWARD} 3")));
    for _ in 0..2 {
        store.delete(&object_path("list/a")).await.unwrap();
    }
    assert_eq!(list("list/").await, ["list/b 2"]);
}

/// Sixteen at once: of creators one wins, and of those that add to a list none is lost.
async fn races(store: &Store) {
    let winners = Arc::new(AtomicU32::new(0));
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..16 {
        let (store, winners) = (store.clone(), winners.clone());
        tasks.spawn(async move {
            match store.create(&immutable("raced", &number.to_string())).await {
                Ok(_) => {
                    winners.fetch_add(1, Ordering::Relaxed);
                }
                Err(Error::Conflict { .. }) => {}
                Err(error) => panic!("{error}"),
            }
            loop {
                let there = store.read(&object_path("guests")).await.unwrap();
                let (guests, version) = match &there {
                    None => ("", None),
                    Some((bytes, version)) => (std::str::from_utf8(bytes).unwrap(), Some(version)),
                };
                match store.swap(&mutable("guests", &format!("{guests}{number} ")), version).await {
                    Ok(_) => break,
                    Err(Error::Changed { .. }) => tokio::task::yield_now().await,
                    Err(error) => panic!("{error}"),
                }
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    assert_eq!(winners.load(Ordering::Relaxed), 1);
    let (guests, _) = store.read(&object_path("guests")).await.unwrap().unwrap();
    let guests = String::from_utf8(guests).unwrap();
    let mut guests: Vec<u32> = guests.split_whitespace().map(|number| number.parse().unwrap()).collect();
    guests.sort_unstable();
    assert_eq!(guests, (0..16).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_conforms() {
    let directory = tempfile::tempdir().unwrap();
    conforms(&Store::open("site", directory.path(), &Access::default()).unwrap()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_conforms() {
    conforms(&Store::in_memory()).await;
    let storage = Arc::new(object_store::memory::InMemory::new());
    conforms(&Store::over(storage, "memory", "below/a prefix")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn storage_that_speaks_like_s3_conforms() {
    let server = Server::start(Dialect::S3).await;
    conforms(&server.store("dist/x")).await;
    conforms(&server.store("")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn storage_that_speaks_like_googles_conforms() {
    let server = Server::start(Dialect::Google).await;
    conforms(&server.store("dist/x")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn storage_that_speaks_like_azures_conforms() {
    let server = Server::start(Dialect::Azure).await;
    conforms(&server.store("dist/x")).await;
}

/// The judge for races: a server that somebody else wrote. Starting it takes seconds, so one test asks it all.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn moto_conforms_and_behind_a_proxy_that_strips_conditions_is_refused() {
    let Some(moto) = packhouse_clients::moto() else { return };
    conforms(&moto_store(&moto, "dist/x")).await;
    sixteen_processes(&moto).await;

    let proxy = StrippingProxy::before(moto.endpoint()).await;
    let stripped = access(Dialect::S3, &proxy.endpoint());
    refuses_without_a_promise("careless", &stripped).await;
}

/// Another server that somebody else wrote. Two of its conditional writes that meet may both win.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s3s_fs_conforms_where_nobody_else_publishes() {
    let Some(server) = packhouse_clients::s3s_fs("AKIDEXAMPLE", "wJalrXUtnFEMI/SECRET") else { return };
    let access = access(Dialect::S3, &server.endpoint());
    conforms_alone(&open(Dialect::S3, "dist/x", &access)).await;
}

/// Sixteen programs that publish different targets to one new site.
async fn sixteen_processes(moto: &packhouse_clients::S3Server) {
    let packages = tempfile::tempdir().unwrap();
    let mut children = Vec::new();
    for number in 0..16 {
        let file = packages.path().join(format!("hello_{number}.deb"));
        fs_err::write(&file, number.to_string()).unwrap();
        fs_err::write(format!("{}.asc", file.display()), "signature").unwrap();
        let mut command = std::process::Command::new(crate::site::publisher());
        command.args(["s3://bucket/many", "1700000000", "stable", "ubuntu", &number.to_string()]).arg(file);
        command.env("AWS_ENDPOINT_URL_S3", moto.endpoint());
        command.env("AWS_ACCESS_KEY_ID", "a").env("AWS_SECRET_ACCESS_KEY", "b");
        children.push(command.stdout(std::process::Stdio::null()).spawn().unwrap());
    }
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let store = moto_store(moto, "many");
    let (head, _) = packhouse_publish::Head::read(&store).await.unwrap().unwrap();
    assert_eq!((head.generation, head.packages.len(), head.latest.len()), (16, 16, 16));
    for pointer in head.pointers() {
        let (text, _) = store.read(&pointer.path).await.unwrap().unwrap();
        assert_eq!(text, format!("{}\n", pointer.file_name).as_bytes());
    }
}

async fn refuses_without_a_promise(site: &str, access: &Access) {
    let store = open(Dialect::S3, site, access);
    let error = store.require_conditions().await.unwrap_err();
    assert!(matches!(error, Error::Unconditional { .. }), "{error}");
    assert!(error.help().unwrap().contains("--single-writer"), "{error}");
    assert!(matches!(store.conditional_writes().await.unwrap(), ConditionalWrites::Ignored { .. }));
    assert_eq!(store.list("").await.unwrap(), [], "the probe left something");

    let promised = open(Dialect::S3, site, &access.clone().single_writer(true));
    promised.require_conditions().await.unwrap();
    let scratch = tempfile::tempdir().unwrap();
    immutable_objects(&promised).await;
    mutable_objects(&promised).await;
    large_objects(&promised, scratch.path()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn storage_that_ignores_conditions_is_refused_unless_there_is_a_single_writer() {
    let server = Server::start(Dialect::S3).await;
    server.ignore_conditions();
    refuses_without_a_promise("careless", &server.access()).await;
}

#[tokio::test]
async fn a_bucket_is_probed_once_and_remembers() {
    let server = Server::start(Dialect::S3).await;
    server.store("x").require_conditions().await.unwrap();
    assert!(server.requests().len() > 6);
    server.store("x").require_conditions().await.unwrap();
    assert_eq!(server.requests(), ["GET /bucket/x/.packhouse/conditional-writes.json"]);
    // The answer is about a server, not about the objects: a copy of the bucket elsewhere is asked again.
    let other = Server::start(Dialect::S3).await;
    let copied = server.objects.lock().unwrap().entries["x/.packhouse/conditional-writes.json"].bytes.clone();
    let key = "x/.packhouse/conditional-writes.json";
    other.objects.lock().unwrap().put(key, copied, Default::default(), "\"1\"".into());
    other.store("x").require_conditions().await.unwrap();
    assert!(other.requests().len() > 6);
}

#[tokio::test]
async fn objects_have_content_types_and_are_cached_as_long_as_they_may_be() {
    for dialect in [Dialect::S3, Dialect::Google, Dialect::Azure] {
        let server = Server::start(dialect).await;
        let store = server.store("x");
        let scratch = tempfile::tempdir().unwrap();
        store.create(&immutable("a.deb", "a")).await.unwrap();
        store.create(&large(scratch.path(), 1).0).await.unwrap();
        store.swap(&mutable("b.txt", "b"), None).await.unwrap();
        let header = |key: &str, name: &str| server.header(&format!("x/{key}"), name).unwrap_or_default();
        let for_ever = "public, max-age=31536000, immutable";
        assert_eq!(header("a.deb", "cache-control"), for_ever, "{dialect:?}");
        assert_eq!(header("a.deb", "content-type"), "application/x-test");
        assert_eq!(header("ubuntu/large_1.deb", "cache-control"), for_ever, "{dialect:?}");
        assert_eq!(header("ubuntu/large_1.deb", "content-type"), "application/vnd.debian.binary-package");
        assert_eq!(header("b.txt", "cache-control"), "public, max-age=60, must-revalidate");
        assert_eq!(header("b.txt", "content-type"), "text/plain");
    }
}

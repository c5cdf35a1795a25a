//! A server that fails: each request of a publication meets each fault once.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use packhouse_publish::{Error, StorageErrorKind, Upload};

use crate::server::{Dialect, Fault, Server};
use crate::site::{Site, publish_to};

/// What is over a moment later.
const PASSING: [Fault; 8] = [
    Fault::Status(500, "InternalError"),
    Fault::Status(503, "SlowDown"),
    Fault::Status(429, "TooManyRequests"),
    Fault::Status(408, "RequestTimeout"),
    Fault::Reset,
    Fault::ResetAfter,
    Fault::StatusAfter(500, "InternalError"),
    Fault::Truncated,
];

fn uploads(site: &Site, number: i64) -> Vec<Upload> {
    let mut upload = site.upload("ubuntu 22.04", &format!("a_{number}.deb"), &number.to_string());
    upload.package.built += number;
    vec![upload]
}

async fn first_release(site: &Site) -> Server {
    let server = Server::start(Dialect::S3).await;
    publish_to(&server.store("x"), uploads(site, 1)).await.unwrap();
    server.requests();
    server
}

fn contents(server: &Server) -> BTreeMap<String, Vec<u8>> {
    let objects = server.objects.lock().unwrap();
    let entries = objects.entries.iter().filter(|(key, _)| !key.contains("/.packhouse/"));
    entries.map(|(key, entry)| (key.clone(), entry.bytes.clone())).collect()
}

/// What a customer sees: the pointer names a package that is there.
fn look(server: &Server, point: &str) {
    let site = contents(server);
    let pointer = &site["x/ubuntu/ubuntu-22.04.x86_64.latest.txt"];
    let name = std::str::from_utf8(pointer).unwrap().trim_end();
    assert!(site.contains_key(&format!("x/ubuntu/{name}")), "{point}: {name}");
    assert!(site.contains_key(&format!("x/ubuntu/{name}.asc")), "{point}: {name}.asc");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_passes_is_waited_out_at_every_request() {
    let site = Site::new();
    let server = first_release(&site).await;
    publish_to(&server.store("x"), uploads(&site, 2)).await.unwrap();
    let (expected, requests) = (contents(&server), server.requests().len());
    assert!(requests > 20, "{requests}");
    let mut tasks = tokio::task::JoinSet::new();
    for at in 0..requests {
        let expected = expected.clone();
        tasks.spawn(async move {
            let site = Site::new();
            for fault in PASSING {
                let point = format!("request {at}, {fault:?}");
                let server = first_release(&site).await;
                let count = AtomicUsize::new(0);
                let failing = fault.clone();
                server.fail(move |_| (count.fetch_add(1, Ordering::Relaxed) == at).then(|| failing.clone()));
                let published = publish_to(&server.store("x"), uploads(&site, 2)).await;
                published.unwrap_or_else(|error| panic!("{point}: {error:?}"));
                assert_eq!(contents(&server), expected, "{point}");
            }
        });
        if tasks.len() == 4 {
            tasks.join_next().await.unwrap().unwrap();
        }
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_stays_is_one_clear_error_and_an_unharmed_site() {
    let site = Site::new();
    let cases = [
        (Fault::Status(503, "SlowDown"), StorageErrorKind::Unavailable, "503 SlowDown"),
        (Fault::Reset, StorageErrorKind::Unreachable, "nobody answered"),
        (Fault::Status(403, "AccessDenied"), StorageErrorKind::Denied, "403 AccessDenied"),
        (Fault::Status(403, "RequestTimeTooSkewed"), StorageErrorKind::Clock, "403 RequestTimeTooSkewed"),
        (Fault::Status(301, "PermanentRedirect"), StorageErrorKind::OtherRegion, ""),
        (Fault::Status(404, "NoSuchBucket"), StorageErrorKind::NoBucket, "404 NoSuchBucket"),
    ];
    for (fault, kind, says) in cases {
        // From the first request on, from the package on, from the head on.
        for from in
            ["GET /bucket/x/releases.json", "PUT /bucket/x/ubuntu/a_2.deb", "PUT /bucket/x/releases.json"]
        {
            let point = format!("{fault:?} from {from}");
            let server = first_release(&site).await;
            let before = contents(&server);
            let (failing, begun) = (fault.clone(), AtomicUsize::new(0));
            server.fail(move |request| {
                let text = format!("{} {}", request.method, request.target);
                if text == from {
                    begun.store(1, Ordering::Relaxed);
                }
                (begun.load(Ordering::Relaxed) == 1).then(|| failing.clone())
            });
            let error = publish_to(&server.store("x"), uploads(&site, 2)).await.unwrap_err();
            let Error::Storage { source, .. } = &error else { panic!("{point}: {error:?}") };
            assert_eq!(source.kind(), kind, "{point}: {source}");
            assert!(source.to_string().contains(says), "{point}: {source}");
            assert!(error.help().is_some(), "{point}");
            for shown in [format!("{error} {error:?} {source}"), error.help().unwrap()] {
                assert!(!shown.contains("SECRET") && !shown.contains("AKIDEXAMPLE"), "{shown}");
            }
            look(&server, &point);
            for (name, bytes) in &before {
                assert_eq!(contents(&server)[name], *bytes, "{point}: {name} changed");
            }
            server.fail(|_| None);
            publish_to(&server.store("x"), uploads(&site, 2)).await.unwrap();
            look(&server, &point);
        }
    }
}

#[tokio::test]
async fn a_server_that_says_nothing_is_given_up() {
    let site = Site::new();
    let server = first_release(&site).await;
    server.fail(|_| Some(Fault::Stall(Duration::from_secs(60))));
    let begun = std::time::Instant::now();
    let error = publish_to(&server.store("x"), uploads(&site, 2)).await.unwrap_err();
    assert!(begun.elapsed() < Duration::from_secs(40), "{:?}", begun.elapsed());
    let Error::Storage { source, .. } = &error else { panic!("{error:?}") };
    assert_eq!(source.kind(), StorageErrorKind::Unreachable, "{source}");
    assert!(error.help().unwrap().contains("network"), "{error}");
}

fn large_upload(site: &Site) -> Upload {
    let mut upload = site.upload("ubuntu 22.04", "large_1.deb", &"large".repeat(7 << 20));
    upload.package.built += 5;
    upload.signature = b"signature".to_vec();
    upload
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_upload_survives_every_fault_that_passes() {
    let site = Site::new();
    let steps = ["POST ?uploads", "PUT partNumber=1", "PUT partNumber=3", "POST uploadId="];
    for step in steps {
        for fault in PASSING {
            let point = format!("{step}, {fault:?}");
            let server = Server::start(Dialect::S3).await;
            server.store("x").require_conditions().await.unwrap();
            let (method, target) = step.split_once(' ').unwrap();
            let meant = move |request: &crate::server::Request| {
                let is_upload = request.target.contains("large_1.deb?");
                request.method == method && is_upload && request.target.contains(target)
            };
            server.fail_once(meant, fault);
            let published = publish_to(&server.store("x"), vec![large_upload(&site)]).await;
            published.unwrap_or_else(|error| panic!("{point}: {error:?}"));
            let there = contents(&server)["x/ubuntu/large_1.deb"].len();
            assert_eq!(there, 35 << 20, "{point}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupted_large_upload_is_given_up_at_once_or_cleaned_up_a_day_later() {
    let site = Site::new();
    let server = Server::start(Dialect::S3).await;
    let store = server.store("x");
    // A failure gives it up.
    server.fail(|request| {
        request.target.contains("partNumber=2").then_some(Fault::Status(403, "AccessDenied"))
    });
    let error = publish_to(&store, vec![large_upload(&site)]).await.unwrap_err();
    assert!(matches!(error, Error::Storage { .. }), "{error:?}");
    assert!(server.objects.lock().unwrap().uploads.is_empty());
    assert!(!contents(&server).contains_key("x/ubuntu/large_1.deb"));
    // A death does not: the stub's clock says that the one was begun a minute ago, and the others days.
    server.fail(|_| None);
    let upload = |key: &str, begun: &str| crate::server::Upload {
        key: key.into(),
        begun: begun.into(),
        ..crate::server::Upload::default()
    };
    {
        let mut objects = server.objects.lock().unwrap();
        objects.uploads.insert("young".into(), upload("x/ubuntu/large_1.deb", "2026-11-27T04:59:00.000Z"));
        objects.uploads.insert("old".into(), upload("x/ubuntu/large_1.deb", "2026-11-24T04:59:00.000Z"));
        objects.uploads.insert("other".into(), upload("xy/large_1.deb", "2026-11-24T04:59:00.000Z"));
    }
    assert_eq!(store.clean_up().await.unwrap(), 1);
    let left: Vec<String> = server.objects.lock().unwrap().uploads.keys().cloned().collect();
    assert_eq!(left, ["other", "young"], "only what is old and below the prefix");
    publish_to(&store, vec![large_upload(&site)]).await.unwrap();
}

#[tokio::test]
async fn bytes_that_were_damaged_on_the_way_are_noticed() {
    let site = Site::new();
    let server = Server::start(Dialect::S3).await;
    let store = server.store("x");
    store.require_conditions().await.unwrap();
    let objects = server.objects.clone();
    // The server damages what it stores, and gives an ETag of that.
    server.fail(move |request| {
        if request.method == "PUT" && request.target.ends_with("a_2.deb.asc") {
            let mut objects = objects.lock().unwrap();
            let entry = objects.entries.get_mut("x/ubuntu/a_2.deb").unwrap();
            entry.bytes = b"3".to_vec();
            entry.e_tag = crate::server::md5_tag(b"3");
        }
        None
    });
    publish_to(&store, uploads(&site, 2)).await.unwrap();
    let scratch = tempfile::tempdir().unwrap();
    let report =
        packhouse_publish::check_site(&store, scratch.path(), &|_, _, _| Ok(()), &|_| {}).await.unwrap();
    assert!(report.problems[0].to_string().contains("is not what was published"), "{:?}", report.problems);
    // And the same name is not taken for published.
    let error = publish_to(&store, uploads(&site, 2)).await.unwrap_err();
    assert!(matches!(error, Error::Conflict { .. }), "{error:?}");
}

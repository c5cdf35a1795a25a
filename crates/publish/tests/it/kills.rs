//! A publisher that dies at an operation of its storage: at each of them, before it is done and after.

use std::sync::Arc;

use object_store::memory::InMemory;
use packhouse_publish::{
    Error, Head, Problem, Retention, Selection, Store, Upload, amend, check_site, prune, repair,
};

use crate::injector::Injector;
use crate::site::{Site, derived, object_path, publish_to};

const NOW: i64 = 1_700_000_100;
const DAY: i64 = 24 * 60 * 60;

/// Something that is done to a site.
#[derive(Clone, Copy, Debug)]
enum Deed {
    Publish(i64),
    Promote,
    Yank,
    RollBack,
    Retire,
    Delete,
    Repair,
}

fn uploads(site: &Site, number: i64) -> Vec<Upload> {
    let one = |target: &str, file: &str, channel: &str| {
        let mut upload = site.upload(target, file, &format!("{file} of {number}"));
        upload.package.built += number;
        upload.package.version = number.to_string();
        upload.package.channels = [channel.to_owned()].into();
        upload
    };
    vec![
        one("ubuntu 22.04", &format!("a_{number}.deb"), "stable"),
        one("rocky 8", &format!("b-{number}.rpm"), "preview"),
    ]
}

async fn perform(site: &Site, store: &Store, deed: Deed) -> Result<(), Error> {
    let change = |head: &mut Head| {
        let second = Selection { targets: None, release: Some("2".into()) };
        let first = Selection { targets: None, release: Some("1".into()) };
        match deed {
            Deed::Promote => head.promote(&second, "preview", "stable").map(drop),
            Deed::Yank => head.yank(&second, "it was wrong", NOW).map(drop),
            Deed::RollBack => head.roll_back(&first, "stable").map(drop),
            _ => Ok(()),
        }
    };
    let retention = |grace| Retention { keep: 1, keep_for: 0, grace, selection: Selection::default() };
    match deed {
        Deed::Publish(number) => publish_to(store, uploads(site, number)).await.map(drop),
        Deed::Promote | Deed::Yank | Deed::RollBack => {
            amend(store, "hello", NOW, change, derived, &|_| {}).await.map(drop)
        }
        Deed::Retire => prune(store, "hello", &retention(DAY), NOW, derived, &|_| {}).await.map(drop),
        Deed::Delete => {
            prune(store, "hello", &retention(DAY), NOW + 2 * DAY, derived, &|_| {}).await.map(drop)
        }
        Deed::Repair => repair(store, "hello", NOW, derived, &|_| {}).await.map(drop),
    }
}

/// Everything on the site by name and contents, without the private directory.
async fn contents(store: &Store) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    for listed in store.list("").await.unwrap() {
        let (bytes, _) = store.read(&listed.path).await.unwrap().unwrap();
        all.push((listed.path.to_string(), bytes));
    }
    all
}

/// What a customer sees: pointers that name packages which are there, whole and signed.
async fn look(store: &Store, point: &str) {
    for listed in store.list("").await.unwrap() {
        let pointer = listed.path.to_string();
        if !pointer.contains(".latest") {
            continue;
        }
        let (text, _) = store.read(&listed.path).await.unwrap().unwrap();
        let text = String::from_utf8(text).unwrap();
        let name = text.strip_suffix('\n').unwrap_or_else(|| panic!("{point}: {pointer} is torn"));
        let path = format!("{}/{name}", pointer.split_once('/').unwrap().0);
        let number = name.chars().find(char::is_ascii_digit).unwrap();
        let package = store.read(&object_path(&path)).await.unwrap();
        let (package, _) = package.unwrap_or_else(|| panic!("{point}: {pointer} names {name}"));
        assert_eq!(package, format!("{name} of {number}").as_bytes(), "{point}");
        let signature = store.read(&object_path(&format!("{path}.asc"))).await.unwrap();
        assert!(signature.is_some(), "{point}: {name} is not signed");
    }
    let scratch = tempfile::tempdir().unwrap();
    match check_site(store, scratch.path(), &|_, _, _| Ok(()), &|_| {}).await {
        Err(Error::NoHead) => {}
        Err(error) => panic!("{point}: {error}"),
        Ok(report) => {
            for problem in report.problems {
                // Pointers may be behind; nothing that is named may be missing or wrong.
                let is_pointer = |path: &packhouse_publish::ObjectPath| path.as_str().ends_with(".txt");
                let behind = match &problem {
                    Problem::Pointer { .. } | Problem::StrayPointer { .. } => true,
                    Problem::Missing { path } => is_pointer(path),
                    _ => false,
                };
                assert!(behind, "{point}: {problem}");
            }
        }
    }
}

async fn kill_everywhere(before: &[Deed], deed: Deed) {
    let site = Site::new();
    let start = Arc::new(InMemory::new());
    for earlier in before {
        perform(&site, &Store::over(start.clone(), "memory", ""), *earlier).await.unwrap();
    }
    let undisturbed = Arc::new(start.fork());
    perform(&site, &Store::over(undisturbed.clone(), "memory", ""), deed).await.unwrap();
    let expected = contents(&Store::over(undisturbed, "memory", "")).await;
    let mut points = 0;
    for at in 1.. {
        let mut alive = 0;
        for done in [false, true] {
            let point = format!("{before:?}, {deed:?}, killed at operation {at}, done: {done}");
            let storage = Arc::new(start.fork());
            let dying = Arc::new(Injector::dying(storage.clone(), at, done));
            let result = perform(&site, &Store::over(dying.clone(), "memory", ""), deed).await;
            if !dying.is_dead() {
                result.unwrap_or_else(|error| panic!("{point}: {error}"));
                alive += 1;
                continue;
            }
            points += 1;
            let store = Store::over(storage, "memory", "");
            look(&store, &point).await;
            perform(&site, &store, deed).await.unwrap_or_else(|error| panic!("{point}: {error}"));
            look(&store, &point).await;
            assert_eq!(contents(&store).await, expected, "{point}: the rerun left another site");
        }
        if alive == 2 {
            break;
        }
    }
    assert!(points > 10, "{deed:?}: {points}");
}

#[tokio::test]
async fn publishing_can_be_cut_short_anywhere() {
    kill_everywhere(&[], Deed::Publish(1)).await;
    kill_everywhere(&[Deed::Publish(1)], Deed::Publish(2)).await;
}

#[tokio::test]
async fn promotion_withdrawal_and_going_back_can_be_cut_short_anywhere() {
    let two = [Deed::Publish(1), Deed::Publish(2)];
    for deed in [Deed::Promote, Deed::Yank, Deed::RollBack] {
        kill_everywhere(&two, deed).await;
    }
    // Of a target nothing is left that could be named: its pointer goes.
    kill_everywhere(&[Deed::Publish(2)], Deed::Yank).await;
}

#[tokio::test]
async fn pruning_can_be_cut_short_anywhere() {
    let three = [Deed::Publish(1), Deed::Publish(2), Deed::Publish(3)];
    kill_everywhere(&three, Deed::Retire).await;
    kill_everywhere(&[three.as_slice(), &[Deed::Retire]].concat(), Deed::Delete).await;
    kill_everywhere(&three, Deed::Repair).await;
}

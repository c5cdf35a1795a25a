//! Sixteen publishers in bad weather: publishing, promoting, withdrawing, going back and pruning at once, with
//! connections that break, answers that get lost and publishers that die; and a customer who looks all the time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use futures_util::StreamExt as _;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore as _, ObjectStoreExt as _};
use packhouse_publish::{
    BoxError, Error, Event, Head, Publication, Retention, Selection, Store, Upload, amend, check_site, prune,
    publish, repair,
};

use crate::injector::{Injector, Weather};
use crate::site::{Site, derived};

/// For how long a customer may hold on to what a pointer said, in the test's seconds.
const GRACE: i64 = 500;

struct World {
    storage: Arc<InMemory>,
    site: Site,
    clock: AtomicI64,
    over: AtomicBool,
}

impl World {
    fn now(&self) -> i64 {
        self.clock.fetch_add(10, Ordering::Relaxed)
    }

    fn upload(&self, target: &str, number: i64, channel: &str) -> Upload {
        let file = format!("hello_{number}-{}.deb", target.replace(' ', "-"));
        let mut upload = self.site.upload(target, &file, &number.to_string());
        upload.package.built += number;
        upload.package.version = number.to_string();
        upload.package.channels = [channel.to_owned()].into();
        upload
    }
}

/// One thing that a publisher does.
async fn act(world: &World, store: &Store, publisher: u64, step: u64, dice: u64) -> Result<(), Error> {
    let now = world.now();
    let quiet = |_: Event| {};
    let own = format!("debian {publisher}");
    let channel = if dice.is_multiple_of(3) { "preview" } else { "stable" };
    let change = |result: Result<Vec<_>, Error>| match result {
        // Nothing there to change yet is an answer, too.
        Ok(_) | Err(Error::NothingSuch { .. }) => Ok(()),
        Err(error) => Err(error),
    };
    match dice % 10 {
        0..=4 => {
            let number = i64::try_from(step * 16 + publisher).unwrap();
            let target = if dice.is_multiple_of(2) { own.as_str() } else { "ubuntu shared" };
            let upload = world.upload(target, number, channel);
            let path = upload.package.path.clone();
            let check = |_: &std::path::Path, _: &[u8]| -> Result<String, BoxError> { Ok("A".repeat(40)) };
            let publication =
                Publication { name: "hello", uploads: vec![upload], now, check_signature: &check };
            let published = publish(store, &publication, derived, &quiet).await?;
            let is_known = published.head.package(&path).is_some()
                || published.head.retired.iter().any(|retired| retired.path == path)
                || published.head.pruned > 0;
            assert!(is_known, "{path} was reported as published");
        }
        5 => {
            let all = Selection::default();
            let promote = |head: &mut Head| change(head.promote(&all, "preview", "stable"));
            amend(store, "hello", now, promote, derived, &quiet).await?;
        }
        6 => {
            let some = Selection { targets: None, release: Some((step * 16 + 3).to_string()) };
            let yank = |head: &mut Head| change(head.yank(&some, "it was wrong", now));
            amend(store, "hello", now, yank, derived, &quiet).await?;
        }
        7 => {
            let some = Selection { targets: Some(["ubuntu-shared".to_owned()].into()), release: None };
            let oldest = |head: &mut Head| {
                let first = head.packages.iter().find(|package| some.takes(package));
                let release = first.map(|package| package.file_name.clone());
                change(head.roll_back(&Selection { release, ..some.clone() }, "stable"))
            };
            amend(store, "hello", now, oldest, derived, &quiet).await?;
        }
        8 => {
            let retention =
                Retention { keep: 1, keep_for: 30, grace: GRACE, selection: Selection::default() };
            match prune(store, "hello", &retention, now, derived, &quiet).await {
                Err(Error::NoHead) => {}
                other => drop(other?),
            }
        }
        _ => match repair(store, "hello", now, derived, &quiet).await {
            Err(Error::NoHead) => {}
            other => drop(other?),
        },
    }
    Ok(())
}

async fn publisher(world: Arc<World>, number: u64, seed: u64, weather: Weather) {
    let mut dice = seed.wrapping_mul(31).wrapping_add(number.wrapping_mul(0x2545_F491_4F6C_DD1D)) | 1;
    for step in 0..3 {
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        // A publisher that died is replaced by another one, which does the next thing.
        let injector = Arc::new(Injector::new(world.storage.clone(), weather, dice));
        let store = Store::over(injector.clone(), "memory", "");
        match act(&world, &store, number, step, dice).await {
            Ok(()) => {}
            // What bad weather, and meeting others, may come to.
            Err(Error::Storage { .. } | Error::BeingDeleted { .. } | Error::Yanked { .. }) => {}
            Err(Error::NoHead) => {}
            Err(error) => panic!("seed {seed}, publisher {number}: {error}"),
        }
    }
}

/// Reads like `install.sh`: a pointer, the package it names, its signature. None may be missing.
async fn customer(world: Arc<World>, seed: u64) -> u64 {
    let mut looked = 0;
    while !world.over.load(Ordering::Relaxed) {
        let listed: Vec<_> = world.storage.list(None).collect().await;
        for meta in listed.into_iter().flatten() {
            let pointer = meta.location.to_string();
            if !pointer.contains(".latest") {
                continue;
            }
            let began = world.clock.load(Ordering::Relaxed);
            let Ok(found) = world.storage.get(&meta.location).await else { continue };
            let text = String::from_utf8(found.bytes().await.unwrap().to_vec()).unwrap();
            let name = text.strip_suffix('\n').unwrap_or_else(|| panic!("seed {seed}: {pointer} is torn"));
            let directory = pointer.split_once('/').unwrap().0;
            tokio::task::yield_now().await;
            for suffix in ["", ".asc"] {
                let path = format!("{directory}/{name}{suffix}");
                let there = world.storage.head(&Path::parse(&path).unwrap()).await;
                let in_time = world.clock.load(Ordering::Relaxed) - began < GRACE;
                assert!(there.is_ok() || !in_time, "seed {seed}: {pointer} names {path}, which is not there");
            }
            looked += 1;
        }
        // The clock stands still as long as anybody is busy, and publishers wait for it.
        tokio::time::sleep(std::time::Duration::from_micros(100)).await;
    }
    looked
}

async fn round(seed: u64, weather: Weather) -> u64 {
    let site = Site::new();
    let clock = AtomicI64::new(1_700_000_000);
    let world =
        Arc::new(World { storage: Arc::new(InMemory::new()), site, clock, over: AtomicBool::new(false) });
    let looking = tokio::spawn(customer(world.clone(), seed));
    let mut publishers = tokio::task::JoinSet::new();
    for number in 0..16 {
        publishers.spawn(publisher(world.clone(), number, seed, weather));
    }
    while let Some(done) = publishers.join_next().await {
        done.unwrap();
    }
    // The next run of anything repairs; afterwards nothing is missing, and pointers say what the head says.
    let store = Store::over(world.storage.clone(), "memory", "");
    if Head::read(&store).await.unwrap().is_some() {
        let now = world.now();
        repair(&store, "hello", now, derived, &|_| {}).await.unwrap();
        let scratch = tempfile::tempdir().unwrap();
        let report = check_site(&store, scratch.path(), &|_, _, _| Ok(()), &|_| {}).await.unwrap();
        assert_eq!(report.problems, [], "seed {seed}");
        let signed = store.read(&crate::site::object_path("releases.asc")).await.unwrap().unwrap().0;
        assert_eq!(signed, format!("generation {}\n", report.head.generation).as_bytes(), "seed {seed}");
        // And everything that nothing names can be pruned away, and only that.
        let retention = Retention { keep: 1, keep_for: 0, grace: 0, selection: Selection::default() };
        prune(&store, "hello", &retention, now + GRACE, derived, &|_| {}).await.unwrap();
        let report = check_site(&store, scratch.path(), &|_, _, _| Ok(()), &|_| {}).await.unwrap();
        assert_eq!((report.problems, report.unlisted), (vec![], vec![]), "seed {seed}");
        assert_eq!(report.head.retired, [], "seed {seed}");
    }
    world.over.store(true, Ordering::Relaxed);
    looking.await.unwrap()
}

fn rounds(few: u64) -> u64 {
    if std::env::var_os("PACKHOUSE_TEST_THOROUGH").is_some() { few * 50 } else { few }
}

#[tokio::test(start_paused = true)]
async fn sixteen_publishers_lose_nothing_and_no_customer_is_led_astray() {
    let weather = Weather { yields: 60, ..Weather::default() };
    let mut looked = 0;
    for seed in 0..rounds(24) {
        looked += round(seed, weather).await;
    }
    assert!(looked > 500, "{looked}");
}

#[tokio::test(start_paused = true)]
async fn nor_when_connections_break_answers_get_lost_and_publishers_die() {
    let weather = Weather { yields: 60, breaks: 5, loses_answers: 4, kills: 6 };
    for seed in 1000..1000 + rounds(12) {
        round(seed, weather).await;
    }
}

//! Sixteen publishers at once.

use std::process::{Command, Stdio};

use packhouse_publish::{Error, Head, Publication, publish};

use crate::site::{Site, derived, publish_to, publisher};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixteen_tasks_that_publish_different_targets_lose_nothing() {
    let site = Site::new();
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..16 {
        let upload =
            site.upload(&format!("ubuntu {number}"), &format!("hello_{number}.deb"), &number.to_string());
        let store = site.store.clone();
        tasks.spawn(async move { publish_to(&store, vec![upload]).await });
    }
    while let Some(result) = tasks.join_next().await {
        assert!(result.unwrap().unwrap().committed);
    }
    let (head, _) = Head::read(&site.store).await.unwrap().unwrap();
    assert_eq!((head.generation, head.packages.len()), (16, 16));
    for pointer in head.pointers() {
        assert_eq!(site.text(pointer.path.as_str()), format!("{}\n", pointer.file_name));
    }
    assert_eq!(site.text("releases.asc"), "generation 16\n", "no older state over a newer one");
}

#[tokio::test]
async fn sixteen_processes_that_publish_different_targets_lose_nothing() {
    let site = Site::new();
    let mut children = Vec::new();
    for number in 0..16 {
        let file = site.directory.path().join(format!("hello_{number}.deb"));
        fs_err::write(&file, number.to_string()).unwrap();
        fs_err::write(format!("{}.asc", file.display()), "signature").unwrap();
        let mut command = Command::new(publisher());
        command.arg(site.path("")).args(["1700000000", "stable", "ubuntu", &number.to_string()]).arg(file);
        children.push(command.stdout(Stdio::null()).spawn().unwrap());
    }
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let (head, _) = Head::read(&site.store).await.unwrap().unwrap();
    assert_eq!((head.generation, head.packages.len(), head.latest.len()), (16, 16, 16));
    assert_eq!(site.text("releases.asc"), "generation 16\n");
    for pointer in head.pointers() {
        assert_eq!(site.text(pointer.path.as_str()), format!("{}\n", pointer.file_name));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_sixteen_that_publish_other_bytes_under_one_name_exactly_one_wins() {
    let site = Site::new();
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..16 {
        let mut upload = site.upload("ubuntu 22.04", "hello_1.deb", &format!("contents {number}"));
        upload.signature = b"a signature by another key".to_vec();
        let store = site.store.clone();
        tasks.spawn(async move { (number, publish_to(&store, vec![upload]).await) });
    }
    let mut winners = Vec::new();
    while let Some(result) = tasks.join_next().await {
        match result.unwrap() {
            (number, Ok(_)) => winners.push(number),
            (_, Err(Error::Conflict { .. })) => {}
            (number, Err(error)) => panic!("{number}: {error}"),
        }
    }
    assert_eq!(winners.len(), 1);
    assert_eq!(site.text("ubuntu/hello_1.deb"), format!("contents {}", winners[0]));
    let (head, _) = Head::read(&site.store).await.unwrap().unwrap();
    assert_eq!((head.generation, head.packages.len()), (1, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixteen_that_publish_the_same_all_succeed_and_change_the_site_once() {
    let site = Site::new();
    let upload = site.upload("ubuntu 22.04", "hello_1.deb", "same");
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let (store, upload) = (site.store.clone(), upload.clone());
        tasks.spawn(async move { publish_to(&store, vec![upload]).await });
    }
    while let Some(result) = tasks.join_next().await {
        assert_eq!(result.unwrap().unwrap().head.generation, 1);
    }
}

#[tokio::test]
async fn a_publisher_that_slept_after_its_commit_moves_nothing_back() {
    let site = Site::new();
    let slow = site.upload("ubuntu 22.04", "hello_1.deb", "1");
    let mut fast = site.upload("ubuntu 22.04", "hello_2.deb", "2");
    fast.package.built += 1;
    // Three others publish while the slow one holds what it has read and is about to write.
    let calls = std::cell::Cell::new(0);
    let render = |head: &Head, current: &packhouse_publish::Current| {
        calls.set(calls.get() + 1);
        if calls.get() == 1 {
            let (store, fast) = (site.store.clone(), fast.clone());
            let others = [site.upload("debian 12", "a.deb", "a"), fast, site.upload("rocky 9", "b.rpm", "b")];
            let overtake = move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
                for other in others {
                    runtime.block_on(publish_to(&store, vec![other])).unwrap();
                }
            };
            std::thread::spawn(overtake).join().unwrap();
        }
        // What the slow one renders at first is of the old head.
        derived(head, current)
    };
    let publication = Publication {
        name: "hello",
        uploads: vec![slow],
        now: 1_700_000_100,
        check_signature: &|_, _| Ok(String::new()),
    };
    let published = publish(&site.store, &publication, render, &|_| {}).await.unwrap();
    assert_eq!(published.head.generation, 4);
    assert_eq!(calls.get(), 2);
    assert_eq!(site.text("releases.asc"), "generation 4\n");
    assert_eq!(site.text("ubuntu/ubuntu-22.04.x86_64.latest.txt"), "hello_2.deb\n");
}

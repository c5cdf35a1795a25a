//! What is special about containers: who builds, what is left behind, what is pinned.

use std::collections::BTreeMap;

use packhouse_build::engine::Engine as _;
use packhouse_build::engine::container::Containers;
use packhouse_build::{ContainerJob, Error, Event, Kept, Secret, SecretSource};
use packhouse_clients::container_engine;

use crate::engines::{Place, text};

/// The containers and images that a place's job made.
fn label(place: &Place) -> String {
    format!("packhouse.target={}", place.job(&[]).container.unwrap().target)
}

/// Builds the base image of a container, and returns its name.
async fn build_base(engine: &Containers, place: &Place, container: &ContainerJob) -> String {
    let tag = container.image.latest();
    let build = packhouse_build::ImageBuild {
        image: &container.image,
        target: &container.target,
        tags: std::slice::from_ref(&tag),
        platform: None,
        is_fresh: false,
    };
    engine.client.build_image(&build, &place.log(), &|_| {}).await.unwrap();
    tag
}

#[tokio::test]
async fn a_build_is_nobody_special_and_has_a_home_and_a_name() {
    let Some(docker) = container_engine("docker") else { return };
    let place = Place::new();
    let commands = [
        "mkdir out; id -u >out/who; id -un >>out/who; hostname >>out/who",
        "touch ~/x; cd; pwd >$OLDPWD/out/home",
        "mkdir -p deps/cache && touch deps/cache/x; if touch /etc/x || touch /x; then exit 1; fi",
    ];
    let workspace = place.run(&place.containers(&docker), &place.job(&commands)).await.unwrap();
    assert_eq!(text(&workspace.path().join("out/who")), "1000\npackhouse\npackhouse\n");
    assert_eq!(text(&workspace.path().join("out/home")), "/packhouse/home\n");
}

#[tokio::test]
async fn the_user_of_the_image_is_respected_root_as_well() {
    let Some(docker) = container_engine("docker") else { return };
    for (user, home) in [("builder", "/home/builder"), ("root", "/root")] {
        let place = Place::new();
        let image = place.image();
        fs_err::write(
            image.directory.join("Dockerfile"),
            format!("FROM debian:12\nRUN useradd --create-home --uid 4711 builder\nUSER {user}\n"),
        )
        .unwrap();
        let engine = place.containers(&docker);
        let mut job = place.job(&["mkdir out; echo $(id -un) $HOME >out/who"]);
        let container = job.container.as_mut().unwrap();
        container.image.repository = format!("localhost/packhouse-test/{user}");
        let tag = build_base(&engine, &place, container).await;
        let workspace = place.run(&engine, &job).await.unwrap();
        assert_eq!(text(&workspace.path().join("out/who")), format!("{user} {home}\n"));
        engine.client.remove_image(&tag).await.unwrap();
    }
}

/// A number that no user database has: it has a home, and caches that another number made.
#[tokio::test]
async fn any_number_has_a_home_and_caches() {
    let Some(docker) = container_engine("docker") else { return };
    let place = Place::new();
    let mut engine = place.containers(&docker);
    engine.keep_caches = true;
    let command = "mkdir -p out ~/.cache/tool && echo $(id -u) $(id -g) $HOME >out/who && mkdir -p deps/cache/deep && \
                   echo $(id -u) >>deps/cache/deep/users && cat deps/cache/deep/users && ln -sf /etc/passwd deps/cache/link";
    for (user, uid) in [("4711:4712", "4711 4712"), ("5000", "5000 0")] {
        let image = place.image();
        let dockerfile = format!("FROM debian:12\nUSER {user}\n");
        fs_err::write(image.directory.join("Dockerfile"), dockerfile).unwrap();
        let mut job = place.job(&[command]);
        let container = job.container.as_mut().unwrap();
        container.image.repository = "localhost/packhouse-test/number".into();
        let tag = build_base(&engine, &place, container).await;
        let workspace = place.run(&engine, &job).await.unwrap();
        assert_eq!(text(&workspace.path().join("out/who")), format!("{uid} /packhouse/home\n"));
        engine.client.remove_image(&tag).await.unwrap();
    }
    assert!(text(&place.log()).contains("\n4711\n5000\n"), "{}", text(&place.log()));
    let filter = format!("label={}", label(&place));
    let volumes = docker.run(&["volume", "ls", "--quiet", "--filter", &filter]);
    docker.run(&["volume", "rm", volumes.trim()]);
}

#[tokio::test]
async fn a_run_that_is_given_up_leaves_nothing() {
    let Some(docker) = container_engine("docker") else { return };
    let place = Place::new();
    let engine = place.containers(&docker);
    let job = place.job(&["touch started; sleep 600"]);
    let begun = async {
        loop {
            let is_running =
                place.events.lock().unwrap().iter().any(|it| matches!(it, Event::Command { .. }));
            if is_running && !docker.containers(&label(&place)).is_empty() {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::select! {
        _ = place.run(&engine, &job) => panic!("it sleeps"),
        () = begun => {}
    }
    assert_eq!(docker.containers(&label(&place)), [""; 0]);
}

#[tokio::test]
async fn containers_of_killed_runs_are_removed_by_the_next_and_no_others() {
    let Some(docker) = container_engine("docker") else { return };
    let place = Place::new();
    let boot = text(std::path::Path::new("/proc/sys/kernel/random/boot_id"));
    let namespace = fs_err::read_link("/proc/self/ns/pid").unwrap().display().to_string();
    let namespace: String = namespace.chars().filter(char::is_ascii_digit).collect();
    let create = |run: String| {
        let run = format!("packhouse.run={run}");
        docker.run(&["create", "--label", &run, "--label", &label(&place), "debian:12", "true"])
    };
    create(format!("{}/{namespace}/{}/1", boot.trim(), std::process::id()));
    let elsewhere = create(format!("another-boot/{namespace}/1/1"));
    place.containers(&docker).check().await.unwrap();
    assert_eq!(docker.containers(&label(&place)), [elsewhere.trim()]);
    docker.run(&["rm", elsewhere.trim()]);
}

#[tokio::test]
async fn a_secret_is_a_file_of_memory_and_nowhere_else() {
    let Some(docker) = container_engine("docker") else { return };
    let place = Place::new();
    let mut engine = place.containers(&docker);
    engine.options.keep_failed = true;
    let source = SecretSource::Variable("TOKEN".into());
    engine.secrets = BTreeMap::from([(source.clone(), Secret::new(b"hush-hush\n".to_vec()))]);
    let mut job = place.job(&[
        "stat -c '%a %U' /run/secrets/TOKEN; stat -f -c %T /run/secrets; wc -c </run/secrets/TOKEN",
        "sleep 2; if env | grep hush; then exit 9; fi; exit 3",
    ]);
    job.container.as_mut().unwrap().secrets = BTreeMap::from([("TOKEN".into(), source)]);
    // While it runs the engine knows nothing of the value, and neither does any process's list of arguments.
    let seen = async {
        let container = loop {
            let log = fs_err::read_to_string(place.log()).unwrap_or_default();
            match docker.containers(&label(&place)).pop() {
                Some(container) if log.contains("tmpfs") => break container,
                _ => tokio::time::sleep(std::time::Duration::from_millis(20)).await,
            }
        };
        let mut seen = docker.run(&["inspect", &container]);
        seen += &packhouse_clients::text(&docker.command(&["logs", &container]).output().unwrap());
        for process in fs_err::read_dir("/proc").unwrap().filter_map(Result::ok) {
            let arguments = fs_err::read(process.path().join("cmdline")).unwrap_or_default();
            seen += &String::from_utf8_lossy(&arguments);
        }
        seen
    };
    let (result, seen) = tokio::join!(place.run(&engine, &job), seen);
    assert!(!seen.contains("hush-hush"), "{seen}");
    let error = result.unwrap_err();
    let Error::Command { number: 2, kept: Some(kept), .. } = error else { panic!("{error}") };
    let Kept::Image { enter, remove } = *kept else { panic!("{kept:?}") };
    let log = text(&place.log());
    assert!(log.contains("400 packhouse\ntmpfs\n10\n"), "{log}");
    assert!(!log.contains("hush-hush"), "{log}");
    // The failed build is there to look around in, without the secret.
    let image = enter.rsplit(' ').next().unwrap();
    assert_eq!(enter, format!("docker run --rm -it {image}"));
    let looked = docker.run(&["run", "--rm", image, "-c", "pwd; id -un; ls deep; ls -A /run/secrets"]);
    assert_eq!(looked, "/packhouse/build\npackhouse\nlink\nprogram\n");
    let inspected = docker.run(&["image", "inspect", image]) + &docker.run(&["history", "--no-trunc", image]);
    assert!(!inspected.contains("hush-hush"), "{inspected}");
    let saved = docker.command(&["save", image]).output().unwrap().stdout;
    assert!(saved.len() > 10_000_000 && !saved.windows(9).any(|it| it == b"hush-hush"), "no layer has it");
    assert_eq!(remove, format!("docker image rm {image}"));
    docker.run(&["image", "rm", image]);
    assert_eq!(docker.containers(&label(&place)), [""; 0]);
}

#[tokio::test]
async fn caches_are_kept_when_that_is_wanted_and_only_then() {
    let Some(docker) = container_engine("docker") else { return };
    let place = Place::new();
    let mut engine = place.containers(&docker);
    let job = place.job(&[
        "ls -A deps/cache 2>/dev/null; mkdir -p deps/cache out && touch deps/cache/kept && touch deps/other",
    ]);
    for (keeps, sees) in [(false, false), (true, false), (true, true), (false, false)] {
        engine.keep_caches = keeps;
        place.run(&engine, &job).await.unwrap();
        assert_eq!(text(&place.log()).contains("\nkept\n"), sees, "{}", text(&place.log()));
    }
    let filter = format!("label={}", label(&place));
    let volumes = docker.run(&["volume", "ls", "--quiet", "--filter", &filter]);
    assert_eq!(volumes.lines().count(), 1, "{volumes}");
    docker.run(&["volume", "rm", volumes.trim()]);
}

#[tokio::test]
async fn what_a_build_leaves_cannot_reach_outside() {
    let Some(docker) = container_engine("docker") else { return };
    for (command, why) in [
        ("mkdir out; mkfifo out/pipe", "a package cannot hold a device or a pipe"),
        ("mkfifo out", "a package cannot hold a device or a pipe"),
    ] {
        let place = Place::new();
        let error = place.run(&place.containers(&docker), &place.job(&[command])).await.unwrap_err();
        assert!(matches!(error, Error::Output { .. }), "{error:?}");
        assert!(error.to_string().contains(why), "{error}");
        assert_eq!(docker.containers(&label(&place)), [""; 0]);
    }
    // A link is a link, wherever it leads: nothing behind it is taken.
    let place = Place::new();
    let job =
        place.job(&["mkdir out; ln -s /etc out/etc; ln -s ../../../.. out/up; ln -s /etc/passwd out/p"]);
    let workspace = place.run(&place.containers(&docker), &job).await.unwrap();
    for link in ["etc", "up", "p"] {
        assert!(fs_err::symlink_metadata(workspace.path().join("out").join(link)).unwrap().is_symlink());
    }
}

#[tokio::test]
async fn an_image_that_is_missing_old_or_for_another_machine_is_told() {
    let Some(docker) = container_engine("docker") else { return };
    let place = Place::new();
    let mut engine = place.containers(&docker);
    let mut job = place.job(&["true"]);
    job.container.as_mut().unwrap().image.version = "nowhere".into();
    let error = place.run(&engine, &job).await.unwrap_err();
    assert!(matches!(error, Error::NoBaseImage { reason: None, .. }), "{error:?}");
    let help = error.help().unwrap();
    assert!(help.contains("`packhouse base test-") && help.contains("--build-base`"), "{help}");

    let mut job = place.job(&["true"]);
    job.container.as_mut().unwrap().platform.name = "linux/arm64".into();
    let error = place.run(&engine, &job).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "localhost/packhouse-test/debian:12-latest is an image for amd64, and the package is to be for arm64"
    );

    engine.now = i64::from(u32::MAX);
    place.run(&engine, &place.job(&["true"])).await.unwrap();
    let notices: Vec<Event> = place.events.into_inner().unwrap();
    let is_told = |event: &Event| matches!(event, Event::Notice { message } if message.contains("days old"));
    assert!(notices.iter().any(is_told), "{notices:?}");
}

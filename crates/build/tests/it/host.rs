//! Jobs on this machine.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use packhouse_build::engine::host::Host;
use packhouse_build::engine::{Engine as _, EngineOptions, Workspace};
use packhouse_build::{Error, Job, Source};

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Place {
        let place = Place(tempfile::tempdir().unwrap());
        fs_err::create_dir(place.0.path().join("source")).unwrap();
        fs_err::write(place.0.path().join("source/file"), "x").unwrap();
        place
    }

    fn log(&self) -> PathBuf {
        self.0.path().join("logs/a.log")
    }

    fn host(&self) -> Host {
        Host {
            options: EngineOptions {
                scratch: self.0.path().join("scratch"),
                time: 1_700_000_000,
                keep_failed: false,
            },
            environment: vec![
                ("PATH".into(), "/usr/bin:/bin".into()),
                ("AWS_SECRET_ACCESS_KEY".into(), "secret".into()),
                ("PACKHOUSE_SIGNING_KEY".into(), "secret".into()),
                ("NVM_DIR".into(), "/nvm".into()),
            ],
        }
    }

    async fn run(&self, project: &str, commands: &[&str]) -> Result<Workspace, Error> {
        let source = Source::open(&self.0.path().join("source")).unwrap();
        self.host().run(&job(project, commands), &source, &self.log(), &|_| {}).await
    }
}

fn job(project: &str, commands: &[&str]) -> Job {
    Job {
        project: project.into(),
        commands: commands.iter().map(|command| (*command).to_owned()).collect(),
        environment: BTreeMap::new(),
        container: None,
    }
}

fn text(path: &Path) -> String {
    fs_err::read_to_string(path).unwrap()
}

#[tokio::test]
async fn a_build_gets_the_time_of_the_release_and_no_secret() {
    let place = Place::new();
    let workspace = place.run("hello", &["env > env.txt"]).await.unwrap();
    let environment = text(&workspace.path().join("env.txt"));
    assert!(environment.contains("SOURCE_DATE_EPOCH=1700000000\n"), "{environment}");
    assert!(environment.contains("NVM_DIR=/nvm\n"), "{environment}");
    assert!(!environment.contains("secret"), "{environment}");
}

#[tokio::test]
async fn jobs_of_a_project_with_a_dot_in_its_name_run_side_by_side() {
    let place = Place::new();
    let first = place.run("hello.app", &["true"]).await.unwrap();
    let second =
        tokio::time::timeout(std::time::Duration::from_secs(20), place.run("hello.app", &["true", "true"]));
    let second = second.await.expect("the first job's lock is not the second's").unwrap();
    assert_ne!(first.path(), second.path());
}

#[tokio::test]
async fn the_same_job_waits_and_can_be_given_up() {
    let place = Place::new();
    let _first = place.run("hello", &["true"]).await.unwrap();
    let second = tokio::time::timeout(std::time::Duration::from_millis(50), place.run("hello", &["true"]));
    assert!(second.await.is_err(), "it waits, and this thread goes on");
}

#[tokio::test]
async fn a_failure_tells_which_command_and_shows_the_end_of_the_log() {
    let place = Place::new();
    let error =
        place.run("hello", &["true", "printf '\\033[31mbad\\033[0m \\377\\n'; exit 3", "false"]).await;
    let Err(Error::Command { number, total, status, tail, log, .. }) = error else {
        panic!("{error:?}");
    };
    assert_eq!((number, total, status.code()), (2, 3, Some(3)));
    assert_eq!(tail.last().unwrap(), "bad \u{fffd}");
    assert_eq!(log, place.log());
}

#[tokio::test]
async fn a_build_that_removes_its_directory_is_told_so() {
    let place = Place::new();
    let error = place.run("hello", &["rm -rf \"$PWD\"", "true"]).await.unwrap_err();
    assert!(matches!(error, Error::WorkspaceGone { .. }), "{error}");
}

#[tokio::test]
async fn what_a_command_leaves_running_ends_with_it() {
    let place = Place::new();
    let workspace = place.run("hello", &["sleep 600 & echo $! > pid"]).await.unwrap();
    let pid = text(&workspace.path().join("pid"));
    // The signal is sent; the kernel takes a moment, and a killed process is a zombie until somebody reaps it.
    let stat = format!("/proc/{}/stat", pid.trim());
    let runs = || fs_err::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z "));
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while runs() {
        assert!(std::time::Instant::now() < deadline, "it still runs");
        std::thread::yield_now();
    }
}

#[tokio::test]
async fn a_scratch_directory_that_is_a_link_is_refused() {
    let place = Place::new();
    std::os::unix::fs::symlink("/tmp", place.0.path().join("scratch")).unwrap();
    let error = place.run("hello", &["true"]).await.unwrap_err();
    assert!(matches!(error, Error::UnsafeScratch { .. }), "{error}");
}

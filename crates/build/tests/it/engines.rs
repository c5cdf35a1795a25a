//! What every engine promises: the same tests for the host, Docker and Podman.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use packhouse_build::engine::container::Containers;
use packhouse_build::engine::host::Host;
use packhouse_build::engine::{Engine, EngineOptions, Workspace};
use packhouse_build::{BaseImage, Client, ContainerJob, Error, Event, Job, Platform, Source};
use packhouse_clients::{ContainerEngine, container_engine};

/// A source, a place for results, and an engine.
pub struct Place {
    pub directory: tempfile::TempDir,
    pub events: Mutex<Vec<Event>>,
}

impl Place {
    pub fn new() -> Place {
        let directory = tempfile::tempdir().unwrap();
        let source = directory.path().join("source");
        for path in ["source", "source/deep", "source/dist"] {
            fs_err::create_dir(directory.path().join(path)).unwrap();
        }
        fs_err::write(source.join("file"), "from the source").unwrap();
        fs_err::write(source.join("deep/program"), "#!/bin/sh\necho ran\n").unwrap();
        let executable = std::fs::Permissions::from_mode(0o755);
        fs_err::set_permissions(source.join("deep/program"), executable).unwrap();
        std::os::unix::fs::symlink("../file", source.join("deep/link")).unwrap();
        fs_err::write(source.join("dist/Dockerfile"), "FROM debian:12\n").unwrap();
        Place { directory, events: Mutex::default() }
    }

    pub fn log(&self) -> PathBuf {
        self.directory.path().join("build.log")
    }

    pub fn image(&self) -> BaseImage {
        BaseImage {
            repository: "localhost/packhouse-test/debian".into(),
            is_local: true,
            version: "12".into(),
            is_preview: false,
            directory: self.directory.path().join("source/dist"),
        }
    }

    /// A job that hands over `out`, for an engine of containers.
    pub fn job(&self, commands: &[&str]) -> Job {
        Job {
            project: "hello".into(),
            commands: commands.iter().map(|command| (*command).to_owned()).collect(),
            environment: BTreeMap::from([("JOB".into(), "two\nlines".into())]),
            container: Some(ContainerJob {
                // Jobs of other tests are other containers.
                target: format!("test-{}", self.directory.path().file_name().unwrap().to_str().unwrap()),
                image: self.image(),
                platform: Platform { name: "linux/amd64".into(), is_named: false },
                outputs: ["out", "not-made"].map(PathBuf::from).into(),
                caches: ["deps/cache"].map(PathBuf::from).into(),
                secrets: BTreeMap::new(),
            }),
        }
    }

    fn options(&self) -> EngineOptions {
        EngineOptions {
            scratch: self.directory.path().join("scratch"),
            time: 1_700_000_000,
            keep_failed: false,
        }
    }

    pub fn containers(&self, engine: &ContainerEngine) -> Containers {
        engine.run(&["tag", "debian:12", "localhost/packhouse-test/debian:12-latest"]);
        let client = match engine.name {
            "docker" => Client::docker(self.environment(engine)),
            _ => Client::podman(self.environment(engine)),
        };
        Containers {
            client,
            options: self.options(),
            now: 1_700_000_000,
            keep_caches: false,
            secrets: BTreeMap::new(),
        }
    }

    fn environment(&self, engine: &ContainerEngine) -> Vec<(String, String)> {
        let mut environment = engine.environment();
        environment.push(("AWS_SECRET_ACCESS_KEY".into(), "the-callers-secret".into()));
        environment.push(("PACKHOUSE_SIGNING_KEY".into(), "the-callers-secret".into()));
        environment
    }

    pub async fn run(&self, engine: &dyn Engine, job: &Job) -> Result<Workspace, Error> {
        let source = Source::open(&self.directory.path().join("source")).unwrap();
        let on_event = |event| self.events.lock().unwrap().push(event);
        engine.check().await.unwrap();
        engine.run(job, &source, &self.log(), &on_event).await
    }
}

pub fn text(path: &Path) -> String {
    fs_err::read_to_string(path).unwrap()
}

fn host(place: &Place) -> Option<Box<dyn Engine>> {
    Some(Box::new(Host {
        options: place.options(),
        environment: vec![
            ("PATH".into(), "/usr/bin:/bin".into()),
            ("AWS_SECRET_ACCESS_KEY".into(), "the-callers-secret".into()),
        ],
    }))
}

fn docker(place: &Place) -> Option<Box<dyn Engine>> {
    Some(Box::new(place.containers(&container_engine("docker")?)))
}

fn podman(place: &Place) -> Option<Box<dyn Engine>> {
    Some(Box::new(place.containers(&container_engine("podman")?)))
}

/// What was built comes back with its modes, links and times; what was not made is left out.
async fn source_goes_in_and_results_come_out(place: Place, engine: Box<dyn Engine>) {
    let commands = [
        "mkdir -p out/sub && deep/program >out/ran && cat deep/link >out/linked",
        "cp -p deep/program out/sub/program && ln -s ../ran out/sub/link && ln out/ran out/again",
        "touch -d @1234567890 out/ran && chmod 0400 out/linked && chmod 0555 out/sub",
        "env | sort >out/environment; umask >out/umask; test -t 0 || wc -c >out/input",
    ];
    let workspace = place.run(engine.as_ref(), &place.job(&commands)).await.unwrap();
    let out = workspace.path().join("out");
    assert_eq!((text(&out.join("ran")), text(&out.join("again"))), ("ran\n".into(), "ran\n".into()));
    assert_eq!(text(&out.join("linked")), "from the source");
    assert_eq!(fs_err::read_link(out.join("sub/link")).unwrap(), Path::new("../ran"));
    let metadata = |name: &str| fs_err::metadata(out.join(name)).unwrap();
    assert_eq!(metadata("sub/program").permissions().mode() & 0o777, 0o755);
    let modified = metadata("ran").modified().unwrap().duration_since(std::time::UNIX_EPOCH).unwrap();
    assert_eq!(modified.as_secs(), 1_234_567_890);
    assert!(!workspace.path().join("not-made").exists());

    let environment = text(&out.join("environment"));
    for line in ["LC_ALL=C.UTF-8", "TZ=UTC", "SOURCE_DATE_EPOCH=1700000000", "JOB=two", "lines"] {
        assert!(environment.lines().any(|found| found == line), "{line} is not in\n{environment}");
    }
    assert!(!environment.contains("the-callers-secret"), "{environment}");
    assert_eq!(text(&out.join("input")).trim(), "0", "nothing can be read from the terminal");

    let path = workspace.path().to_owned();
    drop(workspace);
    assert!(!path.exists());
}

async fn a_failure_tells_which_command_and_shows_the_end_of_the_log(place: Place, engine: Box<dyn Engine>) {
    let job = place.job(&["true", "printf 'a\\nb\\n'; echo '\u{1b}[31mbad\u{1b}[0m' >&2; exit 3", "false"]);
    let error = place.run(engine.as_ref(), &job).await.map(drop);
    let Err(Error::Command { number, total, status, tail, log, kept, .. }) = error else {
        panic!("{error:?}");
    };
    assert_eq!((number, total, status.code()), (2, 3, Some(3)));
    let last: Vec<&str> = tail.iter().rev().take(3).map(String::as_str).collect();
    assert!(["a", "b", "bad"].iter().all(|line| last.contains(line)), "{tail:?}");
    assert_eq!((log, kept), (place.log(), None));
}

macro_rules! for_every_engine {
    ($($test:ident),*) => {
        for_every_engine!(@ host $($test)*);
        for_every_engine!(@ docker $($test)*);
        for_every_engine!(@ podman $($test)*);
    };
    (@ $engine:ident $($test:ident)*) => {
        mod $engine {
            $(#[tokio::test]
            async fn $test() {
                let place = super::Place::new();
                let Some(engine) = super::$engine(&place) else { return };
                super::$test(place, engine).await;
            })*
        }
    };
}

for_every_engine!(
    source_goes_in_and_results_come_out,
    a_failure_tells_which_command_and_shows_the_end_of_the_log
);

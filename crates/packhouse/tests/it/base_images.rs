//! `packhouse base`: built, tagged, pushed, recorded, pulled.

use std::os::unix::fs::PermissionsExt as _;

use std::io::Write as _;
use std::process::{Command, Stdio};

use packhouse_clients::{ContainerEngine, container_engine, find};

use crate::containers::{dockerfile, is_running, project, remove_images, wait_until};
use crate::project::{Project, Run};
use crate::registry::{Registry, Relay, forward};

/// A project of this name whose base images are kept in a registry.
fn pushing(name: &str, host: &str) -> Option<Project> {
    let project = project(name, "docker", &["debian/12"])?;
    project
        .set("base-image", &format!("repository = \"{host}/{name}/dist-{{distribution}}\""))
        .commit("registry");
    Some(project)
}

/// Removes what the engine has of a registry.
fn remove(docker: &ContainerEngine, host: &str) {
    let reference = format!("reference={host}/*/*");
    let listed = docker.run(&["image", "ls", "--quiet", "--no-trunc", "--filter", &reference]);
    for id in listed.split_whitespace() {
        let _ = docker.command(&["image", "rm", "--force", id]).output();
    }
}

#[test]
fn both_tags_are_pushed_recorded_and_pulled_again() {
    let Some(docker) = container_engine("docker") else { return };
    let Some(registry) = Registry::start("") else { return };
    let host = registry.host();
    let Some(project) = pushing("pushed", &host) else { return };
    let run = project.run("base debian 12 --push").ok();
    let lines: Vec<(&str, &str)> = run.stdout.lines().map(|line| line.split_once("  ").unwrap()).collect();
    let week = jiff::Timestamp::now().strftime("%Y.%W").to_string();
    assert_eq!(lines[0].0, format!("{host}/pushed/dist-debian:12-{week}"));
    assert_eq!(lines[1].0, format!("{host}/pushed/dist-debian:12-latest"));
    let digest = lines[0].1;
    assert!(digest.starts_with("sha256:") && lines[1].1 == digest, "{lines:?}");

    let record: serde_json::Value = serde_json::from_str(&project.read("pkg/base-images.json")).unwrap();
    let image = &record["images"][0];
    assert_eq!((&image["target"], &image["digest"]), (&"debian-12".into(), &digest.into()));
    assert_eq!(image["processor"], if cfg!(target_arch = "x86_64") { "amd64" } else { "arm64" });
    let dockerfile_digest = image["dockerfile"].as_str().unwrap().to_owned();
    assert_eq!(dockerfile_digest.len(), 64);

    // Another machine: the image is not there, and is pulled.
    remove(&docker, &host);
    project.run("build debian 12").ok().says(&format!("pulling {host}/pushed/dist-debian:12-latest"));
    assert_eq!(project.packages().len(), 1);

    // What the image was built from is known wherever it was pulled.
    dockerfile(
        &project,
        "debian/12",
        &format!("{}ENV CHANGED=yes\n", project.read("dist/debian/12/Dockerfile")),
    );
    project.run("build debian 12").ok().says("was built from another").says("`packhouse base debian-12`");
    project.run("base debian 12").ok();
    assert!(!project.run("build debian 12").ok().stderr.contains("was built from another"));

    // Off the stable branches the tags say so.
    let run = project.run("base debian 12 --channel preview").ok();
    assert!(run.stdout.contains(&format!("dist-debian:12-{week}-preview  ")), "{}", run.stdout);
    assert!(run.stdout.contains("dist-debian:12-latest-preview  "), "{}", run.stdout);
    remove(&docker, &host);
}

#[test]
fn refreshing_takes_the_newest_image_that_the_dockerfile_names() {
    let Some(docker) = container_engine("docker") else { return };
    let Some(registry) = Registry::start("") else { return };
    let host = registry.host();
    let Some(project) = pushing("refreshed", &host) else { return };
    // Somebody else pushes a newer version of the image that the Dockerfile starts from.
    let upstream = project.beside("upstream");
    fs_err::create_dir(&upstream).unwrap();
    let publish = |text: &str| {
        fs_err::write(upstream.join("text"), text).unwrap();
        fs_err::write(
            upstream.join("Dockerfile"),
            "FROM scratch\nCOPY text /text\nLABEL packhouse.test=refreshed\n",
        )
        .unwrap();
        let tag = format!("{host}/up/stream:1");
        docker.run(&["build", "--tag", &tag, &upstream.display().to_string()]);
        docker.run(&["push", &tag]);
    };
    publish("new");
    publish("old");
    project
        .write("dist/debian/12/Dockerfile", &format!("FROM {host}/up/stream:1\n"))
        .commit("from a registry");
    let text = || {
        let latest = format!("{host}/refreshed/dist-debian:12-latest");
        let id = docker.run(&["create", &latest, "x"]);
        let text = docker.run(&["cp", &format!("{}:/text", id.trim()), "-"]);
        docker.run(&["rm", id.trim()]);
        text.contains("new")
    };
    project.run("base debian 12").ok();
    assert!(!text(), "the old one is what the engine has");
    publish("new");
    // What the engine knows by that name is old again; the registry has the new one.
    fs_err::write(upstream.join("text"), "old").unwrap();
    docker.run(&["build", "--tag", &format!("{host}/up/stream:1"), &upstream.display().to_string()]);
    project.run("base debian 12").ok();
    assert!(!text(), "nobody asked for the new one");
    project.run("base debian 12 --refresh").ok();
    assert!(text(), "the new one was pulled");
    remove(&docker, &host);
    remove_images(&docker, "refreshed");
}

#[test]
fn credentials_are_the_engines_own() {
    let Some(docker) = container_engine("docker") else { return };
    let settings = "auth: {htpasswd: {realm: test, path: '{directory}/htpasswd'}}\n";
    let Some(registry) = Registry::start(settings) else { return };
    let host = registry.host();
    let Some(project) = pushing("locked", &host) else { return };
    // It refuses: to ask once is enough.
    let refused = project
        .run("base debian 12 --push")
        .exits(1)
        .says(&format!("cannot push {host}/locked/dist-debian:12-"))
        .says("no basic auth credentials")
        .says("docker login");
    assert!(!refused.stderr.contains("tried"), "{}", refused.stderr);
    // A credential helper, as registries of clouds have them
    // (https://docs.docker.com/reference/cli/docker/login/#credential-helpers).
    let helper = project.beside("home/docker-credential-packhouse");
    let answer = r#"#!/bin/sh
cat >>"$0.asked"
echo '{"ServerURL": "", "Username": "ann", "Secret": "pw"}'
"#;
    fs_err::write(&helper, answer).unwrap();
    fs_err::set_permissions(&helper, std::fs::Permissions::from_mode(0o755)).unwrap();
    fs_err::create_dir(project.beside("home/.docker")).unwrap();
    let config = format!("{{\"credHelpers\": {{\"{host}\": \"packhouse\"}}}}");
    fs_err::write(project.beside("home/.docker/config.json"), config).unwrap();
    let path = format!("{}:{}", project.beside("home").display(), std::env::var("PATH").unwrap());
    project.run_with(&[("PATH", &path)], "base debian 12 --push").ok().hides("pw\"");
    assert!(
        fs_err::read_to_string(project.beside("home/docker-credential-packhouse.asked"))
            .unwrap()
            .contains(&host)
    );
    remove(&docker, &host);
}

#[test]
fn a_registry_that_is_down_or_dies_in_a_push_is_tried_again() {
    let Some(docker) = container_engine("docker") else { return };
    // Down: tried three times.
    let Some(project) = pushing("down", "127.0.0.1:1") else { return };
    project
        .run("base debian 12 --push")
        .exits(1)
        .says("cannot push 127.0.0.1:1/down/dist-debian:12-")
        .says("(tried 3 times)")
        .says("connection refused")
        .says("run the same command again");
    remove(&docker, "127.0.0.1:1");
    // Dies in the middle of a push, and is there again.
    let Some(registry) = Registry::start("") else { return };
    let host = format!("127.0.0.1:{}", forward(&registry.host(), 1));
    let Some(project) = pushing("dying", &host) else { return };
    project.run("base debian 12 --push").ok();
    remove(&docker, &host);
}

/// The registry takes the first layer and is gone: what is on it is no image, what is here is one, and the same command
/// finishes the work. (Docker itself goes on trying for more than a minute.)
#[test]
fn a_registry_that_dies_for_good_in_a_push_has_no_half_image() {
    let Some(docker) = container_engine("docker") else { return };
    let Some(registry) = Registry::start("") else { return };
    let relay = Relay::start(&registry.host(), Some("201 Created"));
    let host = relay.host();
    let Some(project) = pushing("dead", &host) else { return };
    project
        .run("base debian 12 --push")
        .exits(1)
        .says(&format!("cannot push {host}/dead/dist-debian:12-"))
        .says(&format!("{host}: connect: connection refused"))
        .says("the images are built: run the same command again")
        .says("pkg/logs/base-debian-12.log");
    assert!(relay.is_dead(), "a layer was taken");
    let files = registry.files();
    let has = |part: &str| files.iter().any(|file| file.contains(part));
    assert!(has("/dist-debian/_layers/") && !has("/_manifests/"), "a layer and no image: {files:?}");
    let id = || {
        docker.run(&[
            "image",
            "inspect",
            "--format",
            "{{.Id}}",
            &format!("{host}/dead/dist-debian:12-latest"),
        ])
    };
    let before = id();

    relay.revive();
    project.run("base debian 12 --push").ok();
    assert_eq!(id(), before, "what was built is what was pushed");
    let files = registry.files();
    for tag in ["12-latest", &format!("12-{}", jiff::Timestamp::now().strftime("%Y.%W"))] {
        let link = format!("/dist-debian/_manifests/tags/{tag}/current/link");
        assert!(files.iter().any(|file| file.ends_with(&link)), "{tag}: {files:?}");
    }
    remove(&docker, &host);
}

/// Podman compresses layers on their way, so that only the registry's answer has the digest that it goes by.
#[test]
fn the_recorded_digest_is_the_registrys_with_podman_too() {
    let Some(podman) = container_engine("podman") else { return };
    let Some([curl]) = find(["curl"]) else { return };
    let Some(registry) = Registry::start("") else { return };
    let host = registry.host();
    let Some(project) = pushing("by-podman", &host) else { return };
    let settings = project.beside("registries.conf");
    fs_err::write(&settings, format!("[[registry]]\nlocation = \"{host}\"\ninsecure = true\n")).unwrap();
    let mut command = project.command("base debian 12 --push --engine podman");
    command.envs(podman.variables.iter().cloned()).env("CONTAINERS_REGISTRIES_CONF", &settings);
    let run = Run::from(command.output().unwrap()).ok();
    let (_, digest) = run.stdout.lines().next().unwrap().split_once("  ").unwrap();
    let url = format!("http://{host}/v2/by-podman/dist-debian/manifests/12-latest");
    let accept = "Accept: application/vnd.oci.image.manifest.v1+json";
    let answer = curl.run(["--silent", "--fail", "--head", "--header", accept, &url]);
    assert!(
        answer.to_lowercase().contains(&format!("docker-content-digest: {digest}\r\n")),
        "{digest}: {answer}"
    );
    assert!(project.read("pkg/base-images.json").contains(&format!("\"digest\": \"{digest}\"")));
    remove_images(&podman, "by-podman");
}

/// A `PATH` whose `docker` builds with BuildKit: by its plugin `buildx`, or by itself as Debian's does.
fn with_buildkit() -> Option<String> {
    let path = std::env::var("PATH").unwrap();
    let builds = |path: &String| {
        let mut command = Command::new("docker");
        command.args(["build", "--quiet", "-"]).env("PATH", path).env("DOCKER_BUILDKIT", "1");
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(b"FROM scratch\nLABEL packhouse.test=buildkit\n").unwrap();
        child.wait().unwrap().success()
    };
    let found = [path.clone(), format!("/usr/bin:{path}")].into_iter().find(builds);
    if found.is_none() {
        let _ = find(["docker-buildx"]);
    }
    found
}

#[test]
fn buildkit_builds_base_images_as_the_classic_builder_does() {
    let Some(docker) = container_engine("docker") else { return };
    let Some(path) = with_buildkit() else { return };
    let buildkit = [("PATH", path.as_str()), ("DOCKER_BUILDKIT", "1")];
    let Some(project) = project("buildkit", "docker", &["debian/12"]) else { return };
    // A build that was killed may have finished after an earlier run had cleaned up.
    remove_images(&docker, "buildkit");
    let run = project.run_with(&buildkit, "build debian 12 --build-base").ok();
    let log = project.read("pkg/logs/base-debian-12.log");
    assert!(log.contains("\n#1 [internal] load build definition"), "BuildKit: {log}");
    assert_eq!(project.packages().len(), 1, "{}", run.stderr);
    let record: serde_json::Value = serde_json::from_str(&project.read("pkg/base-images.json")).unwrap();
    let labels =
        "{{index .Config.Labels \"packhouse.dockerfile\"}} {{index .Config.Labels \"packhouse.target\"}}";
    let id = record["images"][0]["id"].as_str().unwrap();
    let kept = docker.run(&["image", "inspect", "--format", labels, id]);
    assert_eq!(kept.trim(), format!("{} debian-12", record["images"][0]["dockerfile"].as_str().unwrap()));
    project.run_with(&buildkit, "base debian 12 --refresh").ok();

    let good = project.read("dist/debian/12/Dockerfile");
    dockerfile(&project, "debian/12", &format!("{good}RUN echo no such package; exit 4\n"));
    project
        .run_with(&buildkit, "base debian 12")
        .exits(1)
        .says("cannot build localhost/packhouse/buildkit-debian:12-")
        .says("no such package\n");

    // Given up, or killed: BuildKit's containers are processes only.
    let sleep = format!("sleep 7{}", std::process::id());
    dockerfile(&project, "debian/12", &format!("{good}RUN {sleep}\n"));
    for signal in ["TERM", "KILL"] {
        let mut command = project.command("base debian 12");
        command.envs(buildkit).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        wait_until("the command of the Dockerfile runs", || is_running(&sleep));
        let id = child.id().to_string();
        assert!(Command::new("kill").args([&format!("-{signal}"), &id]).status().unwrap().success());
        child.wait().unwrap();
        wait_until("it runs no more", || !is_running(&sleep));
    }
    remove_images(&docker, "buildkit");
}

#[test]
fn without_a_repository_nothing_is_pushed() {
    if container_engine("docker").is_none() {
        return;
    }
    let Some(project) = project("private", "docker", &["debian/12"]) else { return };
    project.run("base debian 12 --push").exits(2).says("[base-image] repository");
}

#[test]
fn a_dockerfile_that_fails_shows_its_end() {
    let Some(docker) = container_engine("docker") else { return };
    let Some(project) = project("broken", "docker", &["debian/12"]) else { return };
    let text = project.read("dist/debian/12/Dockerfile");
    dockerfile(&project, "debian/12", &format!("{text}RUN echo no such package; exit 4\n"));
    project
        .run("base debian 12")
        .exits(1)
        .says("cannot build localhost/packhouse/broken-debian:12-")
        .says("      no such package\n")
        .says("pkg/logs/base-debian-12.log");
    crate::containers::remove_images(&docker, "broken");
}

#[test]
fn two_targets_have_two_base_images() {
    let project = Project::with_targets(&["debian/12", "ubuntu/12"]);
    project.set("base-image", "repository = \"registry.example.org/hello\"").commit("one repository");
    project
        .run("build --all")
        .exits(2)
        .says("the base images of debian-12 and ubuntu-12 would both be registry.example.org/hello:12-latest")
        .says("put {distribution} into [base-image] repository");
}

//! Builds in containers, as their users meet them: `packhouse build --engine docker`.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use packhouse_clients::{ContainerEngine, container_engine, find};

use crate::project::{Project, bytes};

/// A base image of one program, built in a moment.
const DOCKERFILE: &str =
    "FROM scratch\nCOPY busybox /bin/busybox\nRUN [\"/bin/busybox\", \"--install\", \"-s\", \"/bin\"]\n";

/// A project of this name whose targets are built in containers of this engine.
pub fn project(name: &str, engine: &str, targets: &[&str]) -> Option<Project> {
    find(["busybox"])?;
    let project = Project::with_targets(targets);
    project.edit("name = \"hello\"", &format!("name = \"{name}\""));
    project.edit("engine = \"host\"", &format!("engine = \"{engine}\""));
    for target in targets {
        // Each test has images of its own to remove, although the commands are the same.
        dockerfile(&project, target, &format!("{DOCKERFILE}LABEL packhouse.test={name}\n"));
    }
    project.commit("in containers");
    Some(project)
}

/// Gives a target another Dockerfile, with `busybox` beside it.
pub fn dockerfile(project: &Project, target: &str, text: &str) {
    project.write(&format!("dist/{target}/Dockerfile"), text);
    fs_err::copy("/bin/busybox", project.path(&format!("dist/{target}/busybox"))).unwrap();
}

/// Removes the images of a project.
pub fn remove_images(engine: &ContainerEngine, project: &str) {
    for id in &images(engine, project) {
        let _ = engine.command(&["image", "rm", "--force", id]).output();
    }
}

fn images(engine: &ContainerEngine, project: &str) -> Vec<String> {
    let label = format!("label=packhouse.test={project}");
    let listed = engine.run(&["image", "ls", "--all", "--quiet", "--no-trunc", "--filter", &label]);
    // Images of the same second are listed in any order.
    let mut ids: Vec<String> = listed.lines().map(str::to_owned).collect();
    ids.sort();
    ids
}

fn containers(engine: &ContainerEngine, project: &str) -> Vec<String> {
    engine.containers(&format!("packhouse.project={project}"))
}

#[test]
fn targets_are_built_side_by_side_and_twice_the_same() {
    let Some(docker) = container_engine("docker") else { return };
    let Some(project) = project("side-by-side", "docker", &["debian/12", "rocky/8"]) else { return };
    project.build_with(&["mkdir -p out; (hostname; pwd; id; env) | sort >out/hello; echo built"]).commit("x");
    // Nothing is there yet, and the error says both ways on.
    project
        .run("build debian 12")
        .exits(1)
        .says("there is no base image localhost/packhouse/side-by-side-debian:12-latest")
        .says("`packhouse base debian-12`")
        .says("`packhouse build debian-12 --build-base`");
    project.run("build --all --build-base -j 2").ok();
    let first = bytes(&project.path("pkg"));
    for target in ["debian-12", "rocky-8"] {
        assert!(project.read(&format!("pkg/logs/{target}.log")).ends_with("\nbuilt\n"));
    }
    assert_eq!(project.packages().len(), 2);
    fs_err::remove_dir_all(project.path("pkg")).unwrap();
    project.run("build --all").ok();
    for (name, package) in bytes(&project.path("pkg")).iter().filter(|(name, _)| !name.contains('/')) {
        if name.ends_with(".deb") || name.ends_with(".rpm") {
            assert!(first[name] == *package, "{name} is another package in another container");
        }
    }
    assert_eq!(containers(&docker, "side-by-side"), [""; 0]);
    remove_images(&docker, "side-by-side");
}

#[test]
fn a_failed_build_shows_its_end_and_how_to_enter_it() {
    let Some(docker) = container_engine("docker") else { return };
    let Some(project) = project("failing", "docker", &["debian/12"]) else { return };
    project.build_with(&["mkdir out; echo half >out/hello", "echo what went wrong; exit 7"]).commit("fails");
    let run = project.run("build debian 12 --build-base --keep-failed").exits(1);
    let run = run
        .says("command 2 of 2 failed with exit status 7: echo what went wrong; exit 7")
        .says("      what went wrong\n")
        .says("pkg/logs/debian-12.log");
    let (_, after) = run.stderr.split_once("look around in the failed build with `").unwrap();
    let (enter, _) = after.split_once('`').unwrap();
    assert_eq!(enter, "docker run --rm -it packhouse-failed:failing-debian-12");
    let looked = docker.run(&["run", "--rm", "packhouse-failed:failing-debian-12", "-c", "cat out/hello"]);
    assert_eq!(looked, "half\n");
    assert_eq!(containers(&docker, "failing"), [""; 0]);
    remove_images(&docker, "failing");
}

#[test]
fn whatever_ends_a_build_leaves_no_container_volume_or_image() {
    for engine in ["docker", "podman"] {
        let Some(client) = container_engine(engine) else { return };
        let name = format!("ended-{engine}");
        let Some(project) = project(&name, engine, &["debian/12"]) else { return };
        project.build_with(&["echo begun; sleep 600 & sleep 600"]).commit("hangs");
        let run = |arguments: &str| {
            let mut command = project.command(arguments);
            command.envs(client.variables.iter().cloned());
            command
        };
        assert!(run("base debian 12").output().unwrap().status.success());
        let before = images(&client, &name);
        for signal in ["INT", "TERM", "HUP", "KILL"] {
            let log = project.path("pkg/logs/debian-12.log");
            let _ = fs_err::remove_file(&log);
            let mut child =
                run("build debian 12").stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
            wait_until("the build is under way", || {
                fs_err::read_to_string(&log).is_ok_and(|log| log.contains("\nbegun\n"))
            });
            assert_eq!(containers(&client, &name).len(), 1);
            let id = child.id().to_string();
            assert!(Command::new("kill").args([&format!("-{signal}"), &id]).status().unwrap().success());
            child.wait().unwrap();
            if signal != "KILL" {
                assert_eq!(containers(&client, &name), [""; 0], "{engine}, SIG{signal}");
            }
            wait_until("the container is gone", || containers(&client, &name).is_empty());
        }
        assert_eq!(images(&client, &name), before);
        let volumes = client.run(&["volume", "ls", "--quiet"]);
        assert!(!volumes.contains(&name), "{volumes}");
        remove_images(&client, &name);
    }
}

/// A base image that is being built is given up with the program that builds it.
#[test]
fn a_base_image_that_is_given_up_leaves_no_container() {
    let Some(docker) = container_engine("docker") else { return };
    let Some(project) = project("half-base", "docker", &["debian/12"]) else { return };
    // Found by its command: the classic builder gives containers no label.
    let sleep = format!("sleep 6{}", std::process::id());
    dockerfile(&project, "debian/12", &format!("{DOCKERFILE}RUN {sleep}\n"));
    project.commit("sleeps");
    let is_running = || docker.run(&["ps", "--all", "--no-trunc"]).contains(&sleep);
    for signal in ["TERM", "KILL"] {
        let mut command = project.command("base debian 12");
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        wait_until("the command of the Dockerfile runs", is_running);
        let id = child.id().to_string();
        assert!(Command::new("kill").args([&format!("-{signal}"), &id]).status().unwrap().success());
        child.wait().unwrap();
        wait_until("its container is gone", || !is_running());
    }
}

#[test]
fn podman_builds_as_docker_does() {
    let Some(podman) = container_engine("podman") else { return };
    let Some(project) = project("with-podman", "podman", &["debian/12"]) else { return };
    let mut command = project.command("build debian 12 --build-base");
    let run = crate::project::Run::from(command.envs(podman.variables.iter().cloned()).output().unwrap());
    run.ok();
    assert_eq!(project.packages().len(), 1);
    assert_eq!(containers(&podman, "with-podman"), [""; 0]);
    remove_images(&podman, "with-podman");
}

#[test]
fn secrets_are_looked_for_before_anything_is_built() {
    if container_engine("docker").is_none() {
        return;
    }
    let Some(project) = project("secretive", "docker", &["debian/12"]) else { return };
    project.set("build", "secrets = { TOKEN = \"env:THE_TOKEN\" }").commit("secrets");
    project
        .run("build debian 12")
        .exits(2)
        .says("the secret `TOKEN` has no value: THE_TOKEN is not set")
        .says("set THE_TOKEN");
    project.edit("env:THE_TOKEN", "THE_TOKEN");
    project.run("build debian 12").exits(2).says("`THE_TOKEN` does not say where the secret is");
    project.edit("\"THE_TOKEN\"", "\"env:THE_TOKEN\"");
    project.run("build debian 12 --engine host").exits(2).says("a build on the host gets no secrets");
}

#[test]
fn an_engine_that_is_away_is_told_with_the_fix() {
    if find(["docker"]).is_none() {
        return;
    }
    let Some(project) = project("away", "docker", &["debian/12"]) else { return };
    let nowhere = [("DOCKER_HOST", "tcp://127.0.0.1:1")];
    project
        .run_with(&nowhere, "build debian 12")
        .exits(1)
        .says("docker has no engine to work with")
        .says("DOCKER_HOST");
    project.run_with(&[("PATH", "/nowhere")], "build debian 12").exits(1);
}

#[track_caller]
pub fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < Duration::from_secs(60), "not within a minute: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// An engine reached over TCP that sees none of the client's files: they lie in a file system of memory that only
/// the client's mount namespace has, and the engine's own socket is hidden from it.
#[test]
fn an_engine_over_tcp_needs_none_of_the_clients_files() {
    let Some(docker) = container_engine("docker") else { return };
    let Some([unshare, _]) = find(["unshare", "mount"]) else { return };
    let Some(project) = project("remote", "docker", &["debian/12"]) else { return };
    project.build_with(&["mkdir out; cat dist/debian/12/fpm.cmd >out/hello"]).commit("remote");
    let port = crate::registry::forward("/var/run/docker.sock", 0);
    let script = r#"set -eu
        mkdir "$1/own"
        mount -t tmpfs own "$1/own"
        mount -t tmpfs hidden /run
        cp -a "$1/project" "$1/own/project"
        mkdir "$1/own/tmp"
        cd "$1/own/project"
        export TMPDIR="$1/own/tmp"
        "$2" build debian 12 --build-base
        cp pkg/*.deb "$1""#;
    let directory = project.beside("").canonicalize().unwrap();
    let mut command = unshare.command();
    command.args(["--mount", "sh", "-c", script, "sh"]).arg(&directory).arg(env!("CARGO_BIN_EXE_packhouse"));
    project.prepare(&mut command).env("DOCKER_HOST", format!("tcp://127.0.0.1:{port}"));
    crate::project::Run::from(command.output().unwrap()).ok();
    assert!(!directory.join("own/project").exists(), "nobody else sees the client's files");
    let is_package = |path: &Path| path.extension().is_some_and(|end| end == "deb");
    let found = fs_err::read_dir(&directory).unwrap().filter(|it| is_package(&it.as_ref().unwrap().path()));
    assert_eq!(found.count(), 1);
    assert_eq!(containers(&docker, "remote"), [""; 0]);
    remove_images(&docker, "remote");
}

//! Builds in containers, as their users meet them: `packhouse build --engine docker`.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use packhouse_clients::{Client, ContainerEngine, container_engine, find};

use crate::project::{Project, Run, bytes};
use crate::registry::Relay;

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
    let looked = at_a_terminal(enter, "cat out/hello; echo $HOME; touch ~/x && echo home; exit\n");
    for line in ["half", "/packhouse/home", "home"] {
        assert!(looked.lines().any(|found| found.trim() == line), "{line} is not in {looked}");
    }
    let (_, after) = run.stderr.split_once(&format!("`{enter}`")).unwrap();
    let remove = after.split('`').nth(1).unwrap();
    assert_eq!(remove, "docker image rm packhouse-failed:failing-debian-12");
    assert!(Command::new("sh").args(["-c", remove]).output().unwrap().status.success());
    assert_eq!(containers(&docker, "failing"), [""; 0]);

    // A cache is there as well, whatever it is called.
    project
        .set("build", "caches = [\"my deps\"]")
        .build_with(&["echo kept >'my deps/x'; exit 7"])
        .commit("cache");
    let run = project.run("build debian 12 --keep-failed --cache").exits(1);
    let (_, after) = run.stderr.split_once("look around in the failed build with `").unwrap();
    let (enter, _) = after.split_once('`').unwrap();
    let looked = at_a_terminal(enter, "cat 'my deps/x'; exit\n");
    assert!(looked.lines().any(|found| found.trim() == "kept"), "{looked}");
    docker.run(&["image", "rm", "packhouse-failed:failing-debian-12"]);
    let volumes = docker.run(&["volume", "ls", "--quiet", "--filter", "label=packhouse.cache=failing"]);
    docker.run(&["volume", "rm", volumes.trim()]);
    remove_images(&docker, "failing");
}

/// Runs a command at a terminal (script(1)), types, and returns what was shown.
fn at_a_terminal(command: &str, typed: &str) -> String {
    let mut script = Command::new("script");
    script.args(["--quiet", "--return", "--command", command, "/dev/null"]);
    let mut child =
        script.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut terminal = child.stdin.take().unwrap();
    terminal.write_all(typed.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    drop(terminal);
    assert!(output.status.success(), "{command}: {}", packhouse_clients::text(&output));
    packhouse_clients::text(&output)
}

/// A connection that breaks is not a command that fails.
#[test]
fn a_connection_that_breaks_is_told_and_leaves_no_container() {
    let Some(docker) = container_engine("docker") else { return };
    let Some(project) = project("broken-line", "docker", &["debian/12"]) else { return };
    project.build_with(&["echo begun; sleep 600"]).commit("hangs");
    project.run("base debian 12").ok();
    let relay = Relay::start("/var/run/docker.sock", None);
    let mut command = project.command("build debian 12");
    command.env("DOCKER_HOST", format!("tcp://{}", relay.host()));
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let log = project.path("pkg/logs/debian-12.log");
    wait_until("the build is under way", || {
        fs_err::read_to_string(&log).is_ok_and(|log| log.contains("\nbegun\n"))
    });
    relay.die();
    Run::from(child.wait_with_output().unwrap())
        .exits(1)
        .says("the container, or the connection to docker, was lost during command 1 of 1: echo begun; sleep 600")
        .says("run the same command again");
    wait_until("the container is gone", || containers(&docker, "broken-line").is_empty());
    remove_images(&docker, "broken-line");
}

#[test]
fn whatever_ends_a_build_leaves_no_container_volume_or_image() {
    for engine in ["docker", "podman"] {
        let Some(client) = container_engine(engine) else { return };
        let name = format!("ended-{engine}");
        let Some(project) = project(&name, engine, &["debian/12"]) else { return };
        let text = project.read("dist/debian/12/Dockerfile");
        dockerfile(&project, "debian/12", &format!("{text}VOLUME /extra\n"));
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
            let running = containers(&client, &name);
            assert_eq!(running.len(), 1);
            // Nothing of this machine is mounted, only what the image itself asks for, which goes with the container.
            let format = "{{range .Mounts}}{{.Type}} {{.Name}}{{end}}";
            let mounts = client.run(&["inspect", "--format", format, &running[0]]);
            let (kind, volume) = mounts.trim().split_once(' ').unwrap();
            assert_eq!((kind, volume.len()), ("volume", 64), "{mounts}");
            let id = child.id().to_string();
            assert!(Command::new("kill").args([&format!("-{signal}"), &id]).status().unwrap().success());
            child.wait().unwrap();
            if signal != "KILL" {
                assert_eq!(containers(&client, &name), [""; 0], "{engine}, SIG{signal}");
            }
            wait_until("the container is gone", || containers(&client, &name).is_empty());
            let is_there = || client.run(&["volume", "ls", "--quiet"]).contains(volume);
            wait_until("its volume is gone", || !is_there());
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
    let run = Run::from(command.envs(podman.variables.iter().cloned()).output().unwrap());
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
    project.edit("env:THE_TOKEN", "file:/dev/zero");
    project.run("build debian 12").exits(2).says("the secret `TOKEN` has no value: /dev/zero is too large");
    project.edit("file:/dev/zero", "THE_TOKEN");
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

/// Whether a process of this command runs on this machine.
pub fn is_running(command: &str) -> bool {
    let words = command.replace(' ', "\0");
    let mut processes = fs_err::read_dir("/proc").unwrap().filter_map(Result::ok);
    processes.any(|it| {
        fs_err::read(it.path().join("cmdline")).is_ok_and(|line| line.starts_with(words.as_bytes()))
    })
}

#[track_caller]
pub fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
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
    let mut command = hidden(&unshare, &project);
    command.env("DOCKER_HOST", format!("tcp://127.0.0.1:{port}"));
    Run::from(command.output().unwrap()).ok();
    let directory = project.beside("");
    assert!(!directory.join("own/project").exists(), "nobody else sees the client's files");
    assert_eq!(packages(&directory), 1);
    assert_eq!(containers(&docker, "remote"), [""; 0]);
    remove_images(&docker, "remote");
}

/// Builds the project where nobody else sees its files, and puts the package beside it.
fn hidden(unshare: &Client, project: &Project) -> Command {
    let script = r#"set -eu
        mkdir -p "$1/own"
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
    project.prepare(&mut command);
    command
}

fn packages(directory: &Path) -> usize {
    let is_package = |path: &Path| path.extension().is_some_and(|end| end == "deb");
    fs_err::read_dir(directory).unwrap().filter(|it| is_package(&it.as_ref().unwrap().path())).count()
}

/// An engine reached over ssh, by a server and keys of the test's own. The client has neither its socket nor a file
/// in common with it, and the server has none of the client's.
#[test]
fn an_engine_over_ssh_needs_none_of_the_clients_files() {
    let Some(docker) = container_engine("docker") else { return };
    let Some([unshare, _, sshd, keygen, _]) = find(["unshare", "mount", "sshd", "ssh-keygen", "ssh"]) else {
        return;
    };
    let Some(project) = project("by-ssh", "docker", &["debian/12"]) else { return };
    project.build_with(&["mkdir out; cat dist/debian/12/fpm.cmd >out/hello"]).commit("remote");
    let server = SshServer::start(&project, &unshare, &sshd, &keygen);
    let path = format!("{}:{}", project.beside("ssh").display(), std::env::var("PATH").unwrap());
    let remote = [("PATH", path.as_str()), ("DOCKER_HOST", &server.host)];

    let mut command = hidden(&unshare, &project);
    Run::from(command.envs(remote).output().unwrap()).ok();
    let directory = project.beside("");
    assert!(!directory.join("own/project").exists(), "nobody else sees the client's files");
    assert_eq!(packages(&directory), 1);
    assert_eq!(containers(&docker, "by-ssh"), [""; 0]);

    // A client that is killed takes its container along.
    project.build_with(&["echo begun; sleep 600"]).commit("hangs");
    let mut command = project.command("build debian 12");
    let mut child = command.envs(remote).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let log = project.path("pkg/logs/debian-12.log");
    wait_until("the build is under way", || {
        fs_err::read_to_string(&log).is_ok_and(|log| log.contains("\nbegun\n"))
    });
    child.kill().unwrap();
    child.wait().unwrap();
    wait_until("the container is gone", || containers(&docker, "by-ssh").is_empty());

    // A key that the server does not know.
    fs_err::write(project.beside("ssh/authorized"), "").unwrap();
    project
        .run_with(&remote, "build debian 12")
        .exits(1)
        .says("docker has no engine to work with")
        .says("Permission denied (publickey)")
        .says("name another engine with DOCKER_HOST");
    remove_images(&docker, "by-ssh");
}

/// OpenSSH's server for one test, with keys and settings in the directory `ssh` beside the project. There too is a
/// program `ssh` that knows them: Docker calls the first of that name on `PATH`.
struct SshServer {
    host: String,
    child: std::process::Child,
}

impl SshServer {
    fn start(project: &Project, unshare: &Client, sshd: &Client, keygen: &Client) -> SshServer {
        let place = project.beside("ssh");
        fs_err::create_dir(&place).unwrap();
        let place = place.canonicalize().unwrap();
        let path = |name: &str| place.join(name).display().to_string();
        for key in ["host", "user"] {
            keygen.run(["-q", "-t", "ed25519", "-N", "", "-f", &path(key)]);
        }
        let read = |name: &str| fs_err::read_to_string(place.join(name)).unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        fs_err::copy(place.join("user.pub"), place.join("authorized")).unwrap();
        fs_err::write(place.join("known"), format!("[127.0.0.1]:{port} {}", read("host.pub"))).unwrap();
        // sshd_config(5), ssh_config(5)
        let settings = format!(
            "ListenAddress 127.0.0.1:{port}\nHostKey {}\nAuthorizedKeysFile {}\nPidFile none\nStrictModes no\n\
             UsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nMaxStartups 100\n\
             PermitRootLogin prohibit-password\nPermitUserRC no\n",
            path("host"),
            path("authorized")
        );
        fs_err::write(place.join("sshd_config"), settings).unwrap();
        let settings = format!(
            "IdentityFile {}\nIdentitiesOnly yes\nUserKnownHostsFile {}\nGlobalKnownHostsFile /dev/null\n\
             StrictHostKeyChecking yes\nBatchMode yes\n",
            path("user"),
            path("known")
        );
        fs_err::write(place.join("ssh_config"), settings).unwrap();
        let wrapper = "#!/bin/sh\nPATH=/usr/bin:/bin exec ssh -F \"${0%/*}/ssh_config\" \"$@\"\n";
        fs_err::write(place.join("ssh"), wrapper).unwrap();
        fs_err::set_permissions(place.join("ssh"), std::fs::Permissions::from_mode(0o755)).unwrap();
        // The server wants a directory /run/sshd, which is there only where the service was started: it gets a /run of
        // its own, with nothing else in it than the engine's socket.
        let script = r#"set -eu
            mkdir -p "$1/run/sshd"
            : >"$1/run/docker.sock"
            mount --bind /run/docker.sock "$1/run/docker.sock"
            mount --rbind "$1/run" /run
            exec "$2" -D -e -f "$1/sshd_config""#;
        let mut command = unshare.command();
        command.args(["--mount", "sh", "-c", script, "sh"]).arg(&place).arg(sshd.path());
        let log = fs_err::File::create(place.join("log")).unwrap().into_parts().0;
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let server = SshServer { host: format!("ssh://127.0.0.1:{port}"), child: command.spawn().unwrap() };
        let is_listening = || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok();
        wait_until("the server listens", is_listening);
        server
    }
}

impl Drop for SshServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

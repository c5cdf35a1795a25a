//! What an engine's program is asked to do, by a program that writes down how it was called: what no engine here can
//! do (another architecture), and what none may be asked (to mount something of this machine).

use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

use crate::containers::{is_running, project, wait_until};
use crate::project::Project;

/// Answers as Docker or Podman would for an image of this processor, and writes its arguments down, a call a line.
const STUB: &str = r#"#!/bin/sh
printf '%s|' "$@" | tr '\n' ' ' >>"$0.calls"
echo >>"$0.calls"
case "$1 $2" in
"image inspect") echo '[{"Id": "sha256:0123", "Created": "2026-01-01T00:00:00Z", "Architecture": "arm64"}]' ;;
"info --format") echo "1.0 linux/x86_64" ;;
"run --interactive") echo "packhouse 1000 1000 own"; cat >/dev/null ;;
"cp -") cat >/dev/null ;;
cp*) mkdir -p "$0.out"; touch "$0.out/hello"; tar -C "$0.out" -c hello ;;
"exec --workdir") case "$*" in *"number=0"*) echo 0 ;; esac ;;
esac
"#;

/// Puts a program in the engine's place, and returns the `PATH` on which it is first.
fn stub(project: &Project, engine: &str, text: &str) -> String {
    let stub = project.beside(&format!("home/{engine}"));
    fs_err::write(&stub, text).unwrap();
    fs_err::set_permissions(&stub, std::fs::Permissions::from_mode(0o755)).unwrap();
    format!("{}:{}", project.beside("home").display(), std::env::var("PATH").unwrap())
}

/// Runs a build with a stub for the engine, and returns how it was called.
fn calls(project: &Project, engine: &str, arguments: &str) -> Vec<String> {
    let path = stub(project, engine, STUB);
    let caller = [("PATH", path.as_str()), ("PACKHOUSE_SIGNING_KEY", "not for engines")];
    project.run_with(&caller, &format!("build debian 12 --engine {engine} {arguments}")).ok();
    let calls = fs_err::read_to_string(project.beside(&format!("home/{engine}.calls"))).unwrap();
    calls.lines().map(str::to_owned).collect()
}

#[test]
fn another_architecture_is_another_platform_for_the_engine() {
    for engine in ["docker", "podman"] {
        let Some(project) = project("other-platform", engine, &["debian/12"]) else { return };
        let calls = calls(&project, engine, "--arch aarch64");
        let run = calls.iter().find(|call| call.starts_with("run|")).unwrap();
        assert!(run.contains("|--platform|linux/arm64|"), "{run}");
        assert!(run.contains("|--pull=never|") && run.contains("|sha256:0123|-c|"), "pinned: {run}");
        assert!(run.contains("|--user|1000:1000|"), "{run}");
        assert!(project.packages()[0].ends_with("_arm64.deb"), "{:?}", project.packages());
        let path = stub(&project, engine, STUB);
        let base = format!("base debian 12 --engine {engine} --arch aarch64");
        project.run_with(&[("PATH", &path)], &base).ok();
        let calls = fs_err::read_to_string(project.beside(&format!("home/{engine}.calls"))).unwrap();
        let build = calls.lines().find(|call| call.starts_with("build|")).unwrap();
        assert!(build.contains("|--platform|linux/arm64|"), "{build}");
    }
}

#[test]
fn without_a_word_the_package_is_for_what_the_image_is_for() {
    let Some(project) = project("images-own", "docker", &["debian/12"]) else { return };
    let calls = calls(&project, "docker", "");
    assert!(project.packages()[0].ends_with("_arm64.deb"), "{:?}", project.packages());
    assert!(!calls.iter().any(|call| call.contains("--platform")), "{calls:?}");
}

#[test]
fn nothing_of_this_machine_is_mounted() {
    let Some(project) = project("unmounted", "docker", &["debian/12"]) else { return };
    project.set("build", "caches = [\"deps\"]").commit("caches");
    let plain = calls(&project, "docker", "");
    for word in ["|--volume|", "|-v|", "|--mount|", "|--privileged|", "|--tmpfs|"] {
        assert!(!plain.iter().any(|call| call.contains(word)), "{word} in {plain:?}");
    }
    // A cache is a volume of the engine's, not a directory of this machine's.
    let cached = calls(&project, "docker", "--cache");
    let run = cached.iter().rfind(|call| call.starts_with("run|")).unwrap();
    assert!(run.contains("|--volume|packhouse-cache-unmounted-debian-12-"), "{run}");
    let place = project.beside("").display().to_string();
    assert!(!run.contains(&place), "{run}");
}

/// A builder of BuildKit's own, in a container, that gives nothing to the engine unless it is told to
/// (<https://docs.docker.com/build/builders/drivers/docker-container/#loading-to-local-image-store>).
#[test]
fn an_image_that_the_builder_kept_to_itself_is_told_with_the_fix() {
    let Some(project) = project("not-loaded", "docker", &["debian/12"]) else { return };
    let path = stub(
        &project,
        "docker",
        "#!/bin/sh\ncase \"$1 $2\" in\n\"image inspect\") echo \"Error: No such image: $3\" >&2; exit 1 ;;\n\
         \"info --format\") echo \"1.0 linux/x86_64\" ;;\nesac\n",
    );
    project
        .run_with(&[("PATH", &path)], "base debian 12")
        .exits(1)
        .says("localhost/packhouse/not-loaded-debian:12-")
        .says("was built, and docker does not have it")
        .says("unset BUILDX_BUILDER");
}

#[test]
fn a_socket_that_is_not_for_this_user_is_told_with_the_fix() {
    let Some(project) = project("not-allowed", "docker", &["debian/12"]) else { return };
    let path = stub(
        &project,
        "docker",
        "#!/bin/sh\necho 'permission denied while trying to connect to the Docker daemon socket at \
         unix:///var/run/docker.sock' >&2\nexit 1\n",
    );
    for command in ["build debian 12", "base debian 12"] {
        project
            .run_with(&[("PATH", &path)], command)
            .exits(1)
            .says("docker has no engine to work with: permission denied while trying to connect")
            .says("add this user to the group `docker`");
    }
}

/// An engine that answers nothing any more cannot keep the program, and no program of its is left running.
#[test]
fn an_engine_that_hangs_is_given_up() {
    let Some(project) = project("hanging", "docker", &["debian/12"]) else { return };
    project.build_with(&["true"]).commit("nothing");
    let sleep = format!("sleep 8{}", std::process::id());
    let hangs = STUB
        .replace(
            "cat >/dev/null ;;\n\"cp -\")",
            &format!("exec {sleep} ;;\n\"rm --force\") exec {sleep} ;;\n\"cp -\")"),
        )
        .replace("echo 0 ;; esac", &format!("echo 0 ;; *) echo begun >\"$0.begun\"; exec {sleep} ;; esac"));
    let path = stub(&project, "docker", &hangs);
    let mut command = project.command("build debian 12");
    let mut child = command.env("PATH", path).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    wait_until("the build is under way", || project.beside("home/docker.begun").exists());
    assert!(is_running(&sleep));
    assert!(Command::new("kill").arg(child.id().to_string()).status().unwrap().success());
    wait_until("it is given up", || child.try_wait().unwrap().is_some());
    let calls = fs_err::read_to_string(project.beside("home/docker.calls")).unwrap();
    assert!(calls.contains("\nrm|--force|--volumes|packhouse-"), "{calls}");
    wait_until("nothing runs any more", || !is_running(&sleep));
}

/// What registries answer when trying again is no help.
#[test]
fn a_registry_that_refuses_is_told_with_the_fix_and_asked_once() {
    let Some(project) = project("refused", "docker", &["debian/12"]) else { return };
    project.set("base-image", "repository = \"registry.example.org/dist-{distribution}\"").commit("registry");
    for (said, fix) in [
        // Amazon's, https://docs.aws.amazon.com/AmazonECR/latest/userguide/common-errors-docker.html
        (
            "name unknown: The repository with name 'x' does not exist in the registry",
            "aws ecr create-repository",
        ),
        ("denied: Your authorization token has expired. Reauthenticate and try again.", "`docker login`"),
        ("http: server gave HTTP response to HTTPS client", "`insecure-registries`"),
    ] {
        let pushes = format!("esac\nif [ \"$1\" = push ]; then echo \"{said}\" >&2; exit 1; fi\n");
        let stub_text = STUB.trim_end().strip_suffix("esac").unwrap().to_owned() + &pushes;
        let path = stub(&project, "docker", &stub_text);
        let run = project.run_with(&[("PATH", &path)], "base debian 12 --push").exits(1);
        let run = run.says("cannot push registry.example.org/dist-debian:12-").says(said).says(fix);
        assert!(!run.stderr.contains("tried"), "{}", run.stderr);
    }
}

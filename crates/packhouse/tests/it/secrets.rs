//! Secrets reach neither a build nor anything that is written or printed.

use crate::project::{Project, Run, bytes};

const CANARY: &str = "kanarie-8131";

#[test]
fn a_builds_environment_has_none_of_the_callers_secrets() {
    let project = Project::with_targets(&["debian/12"]);
    project.set("build", "environment = { GREETING = \"hello\" }");
    project.build_with(&["env && mkdir out && env > out/hello"]).commit("env");
    let names = [
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "GITHUB_TOKEN",
        "GNUPGHOME",
        "GOOGLE_APPLICATION_CREDENTIALS",
        "AZURE_STORAGE_KEY",
        "PACKHOUSE_SIGNING_PASSPHRASE",
        "PACKHOUSE_SIGNING_PASSPHRASE_FILE",
        "SSH_AUTH_SOCK",
    ];
    let mut command = project.command("build --all");
    for name in names.into_iter().filter(|name| *name != "PACKHOUSE_SIGNING_PASSPHRASE_FILE") {
        command.env(name, CANARY);
    }
    Run::from(command.output().unwrap()).ok();
    let log = project.read("pkg/logs/debian-12.log");
    assert!(log.contains("GREETING=hello"), "{log}");
    for name in names {
        assert!(!log.contains(name), "{name} reached the build");
    }
}

#[test]
fn the_key_and_its_pass_phrase_are_nowhere() {
    let Some(key) = crate::gnupg::protected_key("Canary <canary@example.org>", CANARY) else { return };
    let secret = key.secret(CANARY);
    let line = secret.lines().nth(5).unwrap().to_owned();
    let project = Project::new();
    fs_err::write(project.path("dist/trustedkeys.gpg"), &key.public).unwrap();
    project.build_with(&["env; tr '\\0' ' ' </proc/$PPID/cmdline; mkdir -p out && env > out/hello"]);
    project.commit("keys");
    let variables = [
        ("PACKHOUSE_SIGNING_KEY", &*secret),
        ("PACKHOUSE_SIGNING_PASSPHRASE", CANARY),
        ("AWS_SECRET_ACCESS_KEY", CANARY),
        ("RUST_LOG", "trace"),
    ];
    for arguments in ["-v release --all", "--json release --all", "release --all --keep-failed"] {
        project.run_with(&variables, arguments).ok().hides(CANARY).hides(&line);
    }
    let wrong = [("PACKHOUSE_SIGNING_KEY", &*secret), ("PACKHOUSE_SIGNING_PASSPHRASE", "kanarie-8132")];
    project
        .run_with(&wrong, "-v release --all")
        .exits(1)
        .says("pass phrase")
        .hides("kanarie-8132")
        .hides(&line);

    let home = project.directory.path();
    for (name, bytes) in bytes(home) {
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains(CANARY), "the pass phrase is in {name}");
        assert!(!text.contains(&line), "the key is in {name}");
    }
}

#[test]
fn a_secret_on_the_command_line_is_refused_with_advice_and_not_repeated() {
    let project = Project::new();
    for (arguments, advice) in [
        (format!("sign --passphrase {CANARY}"), "a pass phrase is never an argument"),
        (format!("release --all --passphrase={CANARY}"), "a pass phrase is never an argument"),
        (format!("publish --secret-key {CANARY}"), "a secret is never an argument"),
        (format!("publish --token={CANARY}"), "a secret is never an argument"),
        (format!("sign --key {CANARY}"), "the key that signs is named in [sign]"),
    ] {
        project.run(&arguments).exits(2).says(advice).hides(CANARY);
    }
    let run = project.run("sign --color=pink").exits(2);
    assert!(!run.stderr.contains("argument, where"), "{}", run.stderr);
}

/// Nobody may look into the memory of a process that holds keys: not a debugger or a reader of /proc of the same user,
/// not the handler of a crash. Seen from outside: `/proc/PID` is root's then, and not the user's (proc(5)).
#[test]
fn a_process_that_holds_secrets_is_not_dumped_and_its_builds_are_as_always() {
    const NOBODY: u32 = 65534;
    let Some([setpriv]) = packhouse_clients::find(["setpriv"]) else { return };
    let project = Project::with_targets(&["debian/12"]);
    let script = "ulimit -c unlimited; echo limit $(ulimit -c); echo owner $(stat -c %u /proc/self/environ); \
                  touch ../started; while test ! -e ../seen; do sleep 0.05; done; mkdir out; touch out/hello";
    project.build_with(&[script]).commit("build that waits");
    let is_root = rustix::process::geteuid().is_root();
    let packhouse = project.beside("packhouse");
    fs_err::copy(env!("CARGO_BIN_EXE_packhouse"), &packhouse).unwrap();
    let mut command = match is_root {
        true => {
            let directory = project.directory.path().display().to_string();
            let status = std::process::Command::new("chown").args(["-R", "65534", &directory]).status();
            assert!(status.unwrap().success());
            let mut command = setpriv.command();
            command.args(["--reuid=65534", "--clear-groups", "sh", "-c"]);
            command
        }
        false => {
            let mut command = std::process::Command::new("sh");
            command.arg("-c");
            command
        }
    };
    command.arg("ulimit -c unlimited; exec ../packhouse build --all");
    let mut child = project.prepare(&mut command).spawn().unwrap();
    let started = project.beside("tmp");
    let begun = || crate::project::names(&started).into_iter().find(|name| name.ends_with("started"));
    let place = (0..600).find_map(|_| {
        std::thread::sleep(std::time::Duration::from_millis(50));
        begun()
    });
    let place = place.expect("the build starts");
    use std::os::unix::fs::MetadataExt as _;
    let process = std::path::PathBuf::from(format!("/proc/{}", child.id()));
    assert_eq!(fs_err::metadata(process.join("environ")).unwrap().uid(), 0, "others may read its memory");
    let limits = fs_err::read_to_string(process.join("limits")).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().nth(4), Some("0"), "{core}");
    assert_eq!(core.split_whitespace().nth(5), Some("unlimited"), "{core}");
    if let Some([gcore]) = packhouse_clients::find(["gcore"]).filter(|_| is_root) {
        let mut dump = setpriv.command();
        dump.args(["--reuid=65534", "--clear-groups"]).arg(gcore.path());
        dump.arg("-o").arg(project.beside("core")).arg(child.id().to_string());
        let output = dump.output().unwrap();
        assert!(!output.status.success(), "{}", packhouse_clients::text(&output));
    }
    fs_err::write(started.join(place).with_file_name("seen"), "").unwrap();
    assert!(child.wait().unwrap().success());
    let user = if is_root { NOBODY } else { rustix::process::geteuid().as_raw() };
    let log = project.read("pkg/logs/debian-12.log");
    assert!(log.contains("limit unlimited") && log.contains(&format!("owner {user}")), "{log}");
}

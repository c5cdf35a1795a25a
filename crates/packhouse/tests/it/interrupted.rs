//! Ctrl-C, and the other ways of giving up a release.

use std::io::Read as _;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::project::{Project, names};

/// A release whose build waits in a grandchild, and tells its process id before.
struct Waiting {
    project: Project,
    child: Child,
    builder: u32,
}

impl Waiting {
    /// Returns when the build is under way.
    fn new() -> Waiting {
        let project = Project::with_targets(&["debian/12"]);
        let fifo = project.beside("fifo");
        assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        // The shell of the command is not what hangs: a child of a child is.
        project.build_with(&[&format!(
            "sh -c 'sh -c \"echo \\$\\$ >{}; exec sleep 600\"; true'; true",
            fifo.display()
        )]);
        project.commit("hangs");
        let mut command = project.command("release --all");
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let builder = fs_err::read_to_string(&fifo).unwrap().trim().parse().unwrap();
        Waiting { project, child, builder }
    }

    /// Sends a signal to the program alone, as `kill` does; returns when it has ended.
    fn signal(mut self, signal: &str) -> (Project, Option<i32>, String, Duration) {
        let started = Instant::now();
        let id = self.child.id().to_string();
        assert!(
            std::process::Command::new("kill").args([&format!("-{signal}"), &id]).status().unwrap().success()
        );
        let status = self.child.wait().unwrap();
        let took = started.elapsed();
        let mut said = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert!(ended(self.builder), "the build goes on after {signal}");
        (self.project, status.code(), said, took)
    }
}

/// Whether a process has ended; what was killed may need a moment to be gone.
fn ended(process: u32) -> bool {
    let is_gone = || {
        let stat = fs_err::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        stat.is_empty() || stat.contains(") Z ") || stat.contains(") X ")
    };
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(10) {
        if is_gone() {
            return true;
        }
        std::thread::yield_now();
    }
    false
}

#[test]
fn a_signal_ends_the_release_and_everything_it_started_and_publishes_nothing() {
    for signal in ["INT", "TERM", "HUP"] {
        let (project, status, said, took) = Waiting::new().signal(signal);
        assert_eq!(status, Some(1), "{said}");
        assert!(said.contains(&format!("interrupted by SIG{signal}")), "{said}");
        assert!(took < Duration::from_secs(5), "{took:?}");
        assert!(names(&project.site()).is_empty() && project.packages().is_empty());
        // The private copy is gone, and the next run is not in its way.
        let left = names(&project.beside("tmp")).into_iter().filter(|name| !name.ends_with(".lock"));
        assert_eq!(left.count(), 0);
        project.build_with(&["mkdir out; touch out/hello"]).commit("mended").run("release --all").ok();
    }
}

#[test]
fn what_a_command_leaves_running_does_not_outlive_it() {
    let project = Project::with_targets(&["debian/12"]);
    let fifo = project.beside("fifo");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let command =
        format!("(sh -c 'echo $$ >{}; exec sleep 600' &) ; mkdir out; touch out/hello", fifo.display());
    project.build_with(&[&command]).commit("daemon");
    let mut child =
        project.command("build --all").stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let daemon = fs_err::read_to_string(&fifo).unwrap().trim().parse().unwrap_or(u32::MAX);
    assert!(child.wait().unwrap().success());
    assert!(ended(daemon), "the daemon of the build goes on");
}

#[test]
fn a_build_cannot_read_from_the_terminal() {
    let project = Project::with_targets(&["debian/12"]);
    project.build_with(&["read answer && exit 1; mkdir out; touch out/hello"]).commit("asks");
    // Its standard input stays open, and is not the build's.
    let mut command = project.command("build --all");
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let input = child.stdin.take();
    assert!(child.wait().unwrap().success());
    drop(input);
}

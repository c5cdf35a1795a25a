//! A pseudo-terminal: the program on one end, the test as its user on the other.

use std::ffi::OsString;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::ffi::OsStringExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, tcgetattr};

/// How long anything may take before a test gives up.
const PATIENCE: Duration = Duration::from_secs(30);

/// A program on a terminal.
pub struct Terminal {
    user: OwnedFd,
    program: OwnedFd,
    child: Child,
    shown: String,
}

impl Terminal {
    /// Runs a command with the terminal as its three standard streams.
    pub fn run(mut command: Command) -> Terminal {
        let user = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&user).unwrap();
        unlockpt(&user).unwrap();
        let program: OwnedFd =
            fs_err::OpenOptions::new().read(true).write(true).open(name(&user)).unwrap().into_file().into();
        let stream = || Stdio::from(program.try_clone().unwrap());
        let child = command.stdin(stream()).stdout(stream()).stderr(stream()).spawn().unwrap();
        Terminal { user, program, child, shown: String::new() }
    }

    /// The name of the terminal's device.
    pub fn name(&self) -> PathBuf {
        name(&self.user)
    }

    /// The number of the process.
    pub fn process(&self) -> rustix::process::Pid {
        rustix::process::Pid::from_child(&self.child)
    }

    /// Waits until a text is shown that was not shown before the last call.
    #[track_caller]
    pub fn wait_for(&mut self, text: &str) -> &mut Terminal {
        let from = self.shown.len();
        let begun = Instant::now();
        while !self.shown[from..].contains(text) {
            assert!(begun.elapsed() < PATIENCE, "`{text}` is not shown, but\n{}", self.shown);
            self.read();
        }
        self
    }

    /// Types on the keyboard.
    pub fn type_in(&mut self, keys: &str) -> &mut Terminal {
        rustix::io::write(&self.user, keys.as_bytes()).unwrap();
        self
    }

    /// Whether what is typed is shown.
    pub fn echoes(&self) -> bool {
        let modes = tcgetattr(&self.program).unwrap().local_modes;
        modes.contains(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG)
    }

    /// Waits for the end: the exit status, and everything that was shown.
    #[track_caller]
    pub fn ends(mut self) -> (Option<i32>, String) {
        let begun = Instant::now();
        let status = loop {
            self.read();
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(begun.elapsed() < PATIENCE, "it does not end:\n{}", self.shown);
        };
        self.read();
        assert!(self.echoes(), "the terminal is left without echo");
        (status.code(), self.shown)
    }

    /// Takes what is shown now, or waits a little for it.
    fn read(&mut self) {
        let little = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };
        while poll(&mut [PollFd::new(&self.user.as_fd(), PollFlags::IN)], Some(&little)).unwrap() > 0 {
            let mut bytes = [0; 4096];
            let Ok(length @ 1..) = rustix::io::read(&self.user, &mut bytes) else { return };
            self.shown.push_str(&String::from_utf8_lossy(&bytes[..length]));
        }
    }
}

fn name(user: &OwnedFd) -> PathBuf {
    OsString::from_vec(ptsname(user, Vec::new()).unwrap().into_bytes()).into()
}

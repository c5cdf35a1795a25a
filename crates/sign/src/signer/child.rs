//! A program of the user's that is asked for a signature: started, fed, listened to, and given up.
//!
//! It may be anything: it may print without end, never end, not read what it is given, or leave a daemon behind
//! that keeps our pipes open (`ssh` with `ControlPersist` does). Nothing of that may make a release wait for ever
//! or fill its memory.

use std::io::{ErrorKind, Read, Write as _};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

use crate::Error;

/// The most that a program may print: sixteen times an armored signature by RSA-16384.
pub(super) const MAX_OUTPUT: usize = 64 * 1024;

/// How much of the end of its messages is kept.
const MAX_MESSAGES: usize = 4 * 1024;

/// How long pipes may stay open that a program has left to others when it ended.
const AFTERWARDS: Duration = Duration::from_secs(1);

/// What a program left.
pub(crate) struct Ran {
    /// Its standard output.
    pub(super) output: Vec<u8>,
    /// The end of its standard error.
    pub(super) messages: Vec<u8>,
    /// How it ended.
    pub(super) ending: Ending,
}

/// How a program ended.
pub(crate) enum Ending {
    /// By itself.
    Exited(ExitStatus),
    /// It was killed at the time limit.
    TooLong,
    /// It was killed because it printed more than [`MAX_OUTPUT`].
    TooMuch,
}

/// Where the program reads.
pub(super) struct Input {
    pipe: ChildStdin,
    deadline: Instant,
    is_gone: bool,
    is_late: bool,
}

/// Starts a program with pipes to us.
///
/// It stays in our process group: a program that asks for a PIN on the terminal must be in the foreground, and
/// Ctrl-C is for it, too.
pub(super) fn start(command: &mut Command) -> std::io::Result<Child> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()
}

/// Lets a program run for at most `limit`, with standard input written by `feed`.
pub(super) fn run(
    mut child: Child,
    limit: Duration,
    feed: impl FnOnce(&mut Input) -> Result<(), Error>,
) -> Result<Ran, Error> {
    let deadline = Instant::now() + limit;
    let pipe = child.stdin.take().expect("standard input is a pipe");
    let output = Listener::to(child.stdout.take().expect("standard output is a pipe"), Keep::Start);
    let messages = Listener::to(child.stderr.take().expect("standard error is a pipe"), Keep::End);

    let mut input = Input { pipe, deadline, is_gone: false, is_late: false };
    let fed = input.unblock().and_then(|()| feed(&mut input));
    if let Err(error) = fed {
        end(&mut child);
        return Err(error);
    }
    drop(input);
    let ending = wait(&mut child, &output, deadline)?;
    let patience = Instant::now() + AFTERWARDS;
    if matches!(ending, Ending::Exited(_)) {
        while !(output.is_done() && messages.is_done()) && Instant::now() < patience {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    Ok(Ran { output: output.take(), messages: messages.take(), ending })
}

fn wait(child: &mut Child, output: &Listener, deadline: Instant) -> Result<Ending, Error> {
    let mut pause = Duration::from_micros(200);
    loop {
        if output.is_too_much() {
            end(child);
            return Ok(Ending::TooMuch);
        }
        if let Some(status) = child.try_wait()? {
            // What it printed last may still be on its way.
            return Ok(if output.is_too_much() { Ending::TooMuch } else { Ending::Exited(status) });
        }
        if Instant::now() >= deadline {
            end(child);
            return Ok(Ending::TooLong);
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(20));
    }
}

/// Kills and reaps; both fail only when it has gone already.
fn end(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

impl Input {
    /// A program that does not read must not stop us at a full pipe. The flag is of our end alone.
    fn unblock(&self) -> Result<(), Error> {
        let flags = fcntl_getfl(&self.pipe).map_err(std::io::Error::from)?;
        fcntl_setfl(&self.pipe, flags | OFlags::NONBLOCK).map_err(std::io::Error::from)?;
        Ok(())
    }

    /// Writes everything, unless the program has stopped reading or its time is over: its answer, or that there is
    /// none, says the rest.
    pub(super) fn write(&mut self, mut bytes: &[u8]) -> Result<(), Error> {
        while !bytes.is_empty() && !self.is_gone && !self.is_late {
            match self.pipe.write(bytes) {
                Ok(length) => bytes = &bytes[length..],
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.wait_for_room()?,
                Err(error) if error.kind() == ErrorKind::BrokenPipe => self.is_gone = true,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn wait_for_room(&mut self) -> Result<(), Error> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        let left = Timespec::try_from(left).map_err(std::io::Error::other)?;
        match poll(&mut [PollFd::new(&self.pipe, PollFlags::OUT)], Some(&left)) {
            Ok(0) => self.is_late = true,
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(std::io::Error::from(error).into()),
        }
        Ok(())
    }
}

/// Which part of what is printed matters.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keep {
    Start,
    End,
}

/// Reads a pipe in a thread that nobody waits for.
struct Listener(Arc<Mutex<Heard>>);

#[derive(Default)]
struct Heard {
    bytes: Vec<u8>,
    is_too_much: bool,
    is_done: bool,
}

impl Listener {
    fn to(mut pipe: impl Read + Send + 'static, keep: Keep) -> Listener {
        let heard = Arc::new(Mutex::new(Heard::default()));
        let listener = Listener(heard.clone());
        std::thread::spawn(move || {
            let listener = Listener(heard);
            let mut buffer = [0; 8 * 1024];
            loop {
                let length = match pipe.read(&mut buffer) {
                    Ok(0) => break,
                    Ok(length) => length,
                    Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                    Err(_) => break,
                };
                let mut heard = listener.heard();
                heard.bytes.extend_from_slice(&buffer[..length]);
                match keep {
                    Keep::Start if heard.bytes.len() > MAX_OUTPUT => {
                        heard.bytes.truncate(MAX_OUTPUT);
                        heard.is_too_much = true;
                        break;
                    }
                    Keep::End if heard.bytes.len() > MAX_MESSAGES => {
                        let surplus = heard.bytes.len() - MAX_MESSAGES;
                        heard.bytes.drain(..surplus);
                    }
                    _ => {}
                }
            }
            listener.heard().is_done = true;
        });
        listener
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_done(&self) -> bool {
        self.heard().is_done
    }

    fn is_too_much(&self) -> bool {
        self.heard().is_too_much
    }

    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut self.heard().bytes)
    }
}

//! Asks for a secret on the terminal, without echo.
//!
//! Specification: POSIX.1-2024, chapter 11 (General Terminal Interface). Echo, lines and signals of the terminal are
//! switched off meanwhile, so that Ctrl-C arrives as a byte and the terminal is as it was when we end; a signal from
//! elsewhere (`kill`, a closed window) ends the question, too, and only then the program.

use std::io::{Error, ErrorKind, IsTerminal as _, Result, Write as _};
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::mpsc;

use packhouse_sign::Secret;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};

/// The longest answer. Room for it is taken at once: a growing Vec would leave copies behind that nobody wipes.
const LONGEST: usize = 1024;

/// Whether there is somebody to ask: who types and reads at a terminal.
pub(super) fn is_possible() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Asks, and returns what was typed up to the end of the line.
pub(super) fn ask(question: &str) -> Result<Secret> {
    let stdin = std::io::stdin();
    let terminal = std::os::fd::AsFd::as_fd(&stdin);
    let signals = Signals::watch()?;
    let _quiet = Quiet::new(terminal)?;
    let mut stderr = std::io::stderr();
    stderr.write_all(question.as_bytes())?;
    stderr.flush()?;
    let answer = read(terminal, &signals);
    let _ = stderr.write_all(b"\n");
    answer
}

fn read(terminal: BorrowedFd<'_>, signals: &Signals) -> Result<Secret> {
    let given_up = || Error::new(ErrorKind::Interrupted, "the question was given up");
    let mut answer = Secret::with_room(LONGEST);
    loop {
        let tenth = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
        let ready = match poll(&mut [PollFd::new(&terminal, PollFlags::IN)], Some(&tenth)) {
            Ok(ready) => ready,
            Err(rustix::io::Errno::INTR) => 0,
            Err(error) => return Err(error.into()),
        };
        if signals.came() {
            return Err(given_up());
        }
        if ready == 0 {
            continue;
        }
        let mut byte = [0];
        if rustix::io::read(terminal, &mut byte)? == 0 {
            return Err(given_up());
        }
        match byte[0] {
            b'\r' | b'\n' => return Ok(answer),
            // Ctrl-C, Ctrl-D, Ctrl-\ and Ctrl-Z: whatever ends a program or a text elsewhere.
            0x03 | 0x04 | 0x1A | 0x1C => return Err(given_up()),
            // Ctrl-U.
            0x15 => answer.clear(),
            // Backspace, as the one and the other terminal has it: the last character, not its last byte.
            0x08 | 0x7F => answer.pop_character(),
            byte => {
                if !answer.push(byte) {
                    return Err(Error::new(ErrorKind::InvalidInput, "that is longer than a pass phrase"));
                }
            }
        }
    }
}

/// The terminal without echo, until dropped.
struct Quiet<'a> {
    terminal: BorrowedFd<'a>,
    before: Termios,
}

impl Quiet<'_> {
    fn new(terminal: BorrowedFd<'_>) -> Result<Quiet<'_>> {
        let before = tcgetattr(terminal)?;
        let mut modes = before.clone();
        let off = LocalModes::ECHO
            | LocalModes::ECHONL
            | LocalModes::ICANON
            | LocalModes::ISIG
            | LocalModes::IEXTEN;
        modes.local_modes.remove(off);
        modes.special_codes[SpecialCodeIndex::VMIN] = 1;
        modes.special_codes[SpecialCodeIndex::VTIME] = 0;
        // What was typed before the question was no answer to it.
        tcsetattr(terminal, OptionalActions::Flush, &modes)?;
        Ok(Quiet { terminal, before })
    }
}

impl Drop for Quiet<'_> {
    fn drop(&mut self) {
        let _ = tcsetattr(self.terminal, OptionalActions::Flush, &self.before);
    }
}

/// Signals that end programs, looked out for while a question stands.
struct Signals(Arc<AtomicU8>);

const ASKING: u8 = 0;
const ANSWERED: u8 = 1;
const SIGNALLED: u8 = 2;

impl Signals {
    /// Starts to look out. Whatever handles these signals in this program (`Context::block_on`) sees them as well; in
    /// a command where nothing does, the program ends by them later, as it would have without us.
    fn watch() -> Result<Signals> {
        let is_handled_elsewhere = tokio::runtime::Handle::try_current().is_ok();
        let state = Arc::new(AtomicU8::new(ASKING));
        let shared = state.clone();
        let (ready, wait) = mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let Ok(runtime) = runtime.map_err(|error| ready.send(Err(error))) else { return };
            let number = runtime.block_on(next_signal(&ready));
            let before = shared.compare_exchange(ASKING, SIGNALLED, Ordering::SeqCst, Ordering::SeqCst);
            if before == Err(ANSWERED)
                && !is_handled_elsewhere
                && let Some(number) = number
            {
                std::process::exit(128 + number);
            }
        });
        wait.recv().unwrap_or_else(|_| Err(Error::other("signals cannot be watched")))?;
        Ok(Signals(state))
    }

    fn came(&self) -> bool {
        self.0.load(Ordering::SeqCst) == SIGNALLED
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        let _ = self.0.compare_exchange(ASKING, ANSWERED, Ordering::SeqCst, Ordering::SeqCst);
    }
}

/// Waits for a signal that ends programs, and says when it has begun to.
async fn next_signal(ready: &mpsc::Sender<Result<()>>) -> Option<i32> {
    use tokio::signal::unix::{SignalKind, signal};
    let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
    let streams = kinds.map(signal).into_iter().collect::<Result<Vec<_>>>();
    let mut streams = match streams {
        Ok(streams) => streams,
        Err(error) => {
            let _ = ready.send(Err(error));
            return None;
        }
    };
    let _ = ready.send(Ok(()));
    let [interrupt, terminate, hangup] = &mut streams[..] else { return None };
    let kind = tokio::select! {
        _ = interrupt.recv() => kinds[0],
        _ = terminate.recv() => kinds[1],
        _ = hangup.recv() => kinds[2],
    };
    Some(kind.as_raw_value())
}

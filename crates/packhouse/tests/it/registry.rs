//! A registry of images for tests, and what can stand between it and the engine.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use packhouse_clients::find;

/// Debian's `docker-registry` on a port of its own; ended when dropped.
pub struct Registry {
    child: Child,
    port: u16,
    directory: tempfile::TempDir,
}

impl Registry {
    /// Starts a registry, with `settings` added to its configuration.
    pub fn start(settings: &str) -> Option<Registry> {
        find(["docker-registry"])?;
        let directory = tempfile::tempdir().unwrap();
        // Free a moment ago; nobody else asks for ports here.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let path = directory.path().join("config.yml");
        let root = directory.path().join("images").display().to_string();
        let text = format!(
            "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {root}}}}}\n\
             http: {{addr: '127.0.0.1:{port}'}}\n{}",
            settings.replace("{directory}", &directory.path().display().to_string())
        );
        fs_err::write(directory.path().join("htpasswd"), HTPASSWD).unwrap();
        fs_err::write(&path, text).unwrap();
        let mut command = Command::new("docker-registry");
        command.arg("serve").arg(&path).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let registry = Registry { child: command.spawn().unwrap(), port, directory };
        let is_listening = || TcpStream::connect(("127.0.0.1", port)).is_ok();
        crate::containers::wait_until("the registry listens", is_listening);
        Some(registry)
    }

    /// As repositories begin: `127.0.0.1:PORT`.
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// What it keeps: the paths of all its files
    /// (<https://pkg.go.dev/github.com/docker/distribution/registry/storage>).
    pub fn files(&self) -> Vec<String> {
        crate::project::names(&self.directory.path().join("images"))
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The user `ann`, whose password is `pw`.
const HTPASSWD: &str = "ann:$2b$05$abcdefghijklmnopqrstuuHIrMEWpUCQe2YqFR3sXwQ75u4od..9q\n";

/// Forwards connections on a port of its own to `to`: the path of a socket, or an address. Of the first `broken`
/// connections that send more than 64 kB each is reset there.
pub fn forward(to: &str, broken: usize) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let to = to.to_owned();
    let left = Arc::new(std::sync::atomic::AtomicUsize::new(broken));
    std::thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let left = left.clone();
            let limit = move || {
                left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
            };
            if to.starts_with('/') {
                let Ok(server) = UnixStream::connect(&to) else { continue };
                let (from, into) = (server.try_clone().unwrap(), client.try_clone().unwrap());
                std::thread::spawn(move || copy(client, server, |it| it.shutdown(Shutdown::Write), &limit));
                std::thread::spawn(move || copy(from, into, |it| it.shutdown(Shutdown::Write), &|| false));
            } else {
                let Ok(server) = TcpStream::connect(&to) else { continue };
                let (from, into) = (server.try_clone().unwrap(), client.try_clone().unwrap());
                std::thread::spawn(move || copy(client, server, |it| it.shutdown(Shutdown::Both), &limit));
                std::thread::spawn(move || copy(from, into, |it| it.shutdown(Shutdown::Write), &|| false));
            }
        }
    });
    port
}

/// Stands on a port of its own before a registry or an engine, until it dies: then every connection breaks, and
/// nobody listens there.
pub struct Relay {
    to: String,
    port: u16,
    line: Arc<Line>,
}

#[derive(Default)]
struct Line {
    is_dead: AtomicBool,
    open: Mutex<Vec<TcpStream>>,
}

impl Relay {
    /// Forwards to the path of a socket, or to an address. Dies once `last_word` was passed on.
    pub fn start(to: &str, last_word: Option<&'static str>) -> Relay {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let relay = Relay { to: to.to_owned(), port, line: Arc::default() };
        relay.listen(listener, last_word);
        relay
    }

    /// As repositories begin: `127.0.0.1:PORT`.
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub fn is_dead(&self) -> bool {
        self.line.is_dead.load(Ordering::SeqCst)
    }

    pub fn die(&self) {
        self.line.die(self.port);
    }

    /// Listens again, and lives from now on.
    pub fn revive(&self) {
        let bind = || TcpListener::bind(("127.0.0.1", self.port));
        crate::containers::wait_until("the port is free", || bind().is_ok());
        self.line.is_dead.store(false, Ordering::SeqCst);
        self.listen(bind().unwrap(), None);
    }

    fn listen(&self, listener: TcpListener, last_word: Option<&'static str>) {
        let (to, port, line) = (self.to.clone(), self.port, self.line.clone());
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if line.is_dead.load(Ordering::SeqCst) {
                    return;
                }
                line.open.lock().unwrap().push(client.try_clone().unwrap());
                let end = {
                    let line = line.clone();
                    move || line.die(port)
                };
                if to.starts_with('/') {
                    let Ok(server) = UnixStream::connect(&to) else { continue };
                    let other = server.try_clone().unwrap();
                    pass(client, (other, server), |it| it.shutdown(Shutdown::Write), (last_word, end));
                } else {
                    let Ok(server) = TcpStream::connect(&to) else { continue };
                    let other = server.try_clone().unwrap();
                    pass(client, (other, server), |it| it.shutdown(Shutdown::Both), (last_word, end));
                }
            }
        });
    }
}

impl Line {
    fn die(&self, port: u16) {
        self.is_dead.store(true, Ordering::SeqCst);
        for connection in self.open.lock().unwrap().drain(..) {
            let _ = connection.shutdown(Shutdown::Both);
        }
        // Whoever waits for the next connection sees that it is over.
        let _ = TcpStream::connect(("127.0.0.1", port));
    }
}

/// Passes on what both sides say, and calls the end when the server has said its last word.
fn pass<S: Read + Write + Send + 'static>(
    client: TcpStream,
    (mut from, server): (S, S),
    shut: impl Fn(&S) -> std::io::Result<()> + Send + 'static,
    (last_word, end): (Option<&'static str>, impl Fn() + Send + 'static),
) {
    let mut into = client.try_clone().unwrap();
    std::thread::spawn(move || copy(client, server, shut, &|| false));
    std::thread::spawn(move || {
        let mut buffer = vec![0; 16 * 1024];
        while let Ok(length) = from.read(&mut buffer) {
            if length == 0 || into.write_all(&buffer[..length]).is_err() {
                break;
            }
            let is_last = |word: &str| buffer[..length].windows(word.len()).any(|it| it == word.as_bytes());
            if last_word.is_some_and(is_last) {
                end();
            }
        }
        let _ = into.shutdown(Shutdown::Write);
    });
}

/// Copies until the end, and passes the end on; or gives up after 64 kB if `is_broken` says so.
fn copy<R: Read, W: Write>(
    mut from: R,
    mut to: W,
    end: impl Fn(&W) -> std::io::Result<()>,
    is_broken: &dyn Fn() -> bool,
) {
    let mut buffer = vec![0; 16 * 1024];
    let mut sent = 0;
    while let Ok(length) = from.read(&mut buffer) {
        if length == 0 || to.write_all(&buffer[..length]).is_err() {
            break;
        }
        let before = sent;
        sent += length;
        if before <= 64 * 1024 && sent > 64 * 1024 && is_broken() {
            break;
        }
    }
    let _ = end(&to);
}

//! S3 servers that somebody else wrote: Moto's, with honest conditional writes, and s3s-fs, which is quick.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

/// A running server with a bucket named `bucket`; it ends with the value.
pub struct S3Server {
    process: Child,
    port: u16,
    /// Where its objects are, for one that keeps them in files.
    _directory: Option<TempDir>,
}

impl Drop for S3Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Starts Moto's server, which takes seconds, or says loudly that the calling test is skipped and returns `None`.
///
/// # Panics
/// When it is missing and `PACKHOUSE_REQUIRE_CLIENTS` is set, or does not start.
#[track_caller]
pub fn moto() -> Option<S3Server> {
    let [program] = crate::find(["moto_server"])?;
    Some(start("moto_server", None, make_bucket, |port| {
        let mut command = program.command();
        command.args(["-H", "127.0.0.1", "-p", &port.to_string()]);
        command
    }))
}

/// Starts s3s-fs for a client with that access key, or says loudly that the calling test is skipped and returns `None`.
/// Two of its conditional writes that meet may both win, so that it is no judge for races.
///
/// # Panics
/// As [`moto`].
#[track_caller]
pub fn s3s_fs(key: &str, secret: &str) -> Option<S3Server> {
    let [program] = crate::find(["s3s-fs"])?;
    let directory = tempfile::tempdir().expect("there is room for the server's files");
    std::fs::create_dir(directory.path().join("bucket")).expect("a bucket is a directory");
    let files = directory.path().to_owned();
    let answers = |port| TcpStream::connect(("127.0.0.1", port)).ok().map(drop);
    Some(start("s3s-fs", Some(directory), answers, |port| {
        let mut command = program.command();
        command
            .args([
                "--host",
                "127.0.0.1",
                "--port",
                &port.to_string(),
                "--access-key",
                key,
                "--secret-key",
                secret,
            ])
            .arg(&files);
        command
    }))
}

fn start(
    name: &str,
    mut directory: Option<TempDir>,
    is_ready: impl Fn(u16) -> Option<()>,
    command: impl Fn(u16) -> Command,
) -> S3Server {
    // Between the search for a port and the server's own bind another process may take it; then it ends at once.
    for _ in 0..3 {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let port = listener.local_addr().expect("a bound listener has an address").port();
        drop(listener);
        let mut command = command(port);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut process = command.spawn().expect("the client was found");
        for _ in 0..600 {
            if !matches!(process.try_wait(), Ok(None)) {
                break;
            }
            if is_ready(port).is_some() {
                return S3Server { process, port, _directory: directory.take() };
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        let _ = process.kill();
        let _ = process.wait();
    }
    panic!("{name} does not start")
}

impl S3Server {
    /// `http://127.0.0.1:…`
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

fn make_bucket(port: u16) -> Option<()> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    let request = "PUT /bucket HTTP/1.1\r\nhost: localhost\r\nauthorization: AWS4-HMAC-SHA256 \
                   Credential=a/20261127/us-east-1/s3/aws4_request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    answer.starts_with(b"HTTP/1.1 200").then_some(())
}

//! Moto's S3 server: object storage that somebody else wrote, with honest conditional writes.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::time::Duration;

/// A running server with a bucket named `bucket`; it ends with the value.
pub struct Moto {
    process: Child,
    port: u16,
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Starts it, which takes seconds, or says loudly that the calling test is skipped and returns `None`.
///
/// # Panics
/// When it is missing and `PACKHOUSE_REQUIRE_CLIENTS` is set, or does not start.
#[track_caller]
pub fn moto() -> Option<Moto> {
    let [program] = crate::find(["moto_server"])?;
    // Between the search for a port and the server's own bind another process may take it; then it ends at once.
    for _ in 0..3 {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let port = listener.local_addr().expect("a bound listener has an address").port();
        drop(listener);
        let mut command = program.command();
        command.args(["-H", "127.0.0.1", "-p", &port.to_string()]);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut process = command.spawn().expect("the client was found");
        for _ in 0..600 {
            if !matches!(process.try_wait(), Ok(None)) {
                break;
            }
            if make_bucket(port).is_some() {
                return Some(Moto { process, port });
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        let _ = process.kill();
        let _ = process.wait();
    }
    panic!("moto_server does not start")
}

impl Moto {
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

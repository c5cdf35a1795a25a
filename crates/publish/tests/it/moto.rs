//! Moto's S3 server, a program that the tests did not write.

use std::process::{Child, Stdio};
use std::time::Duration;

use packhouse_publish::{Access, Store};

use crate::server::{Dialect, access, open};

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

impl Moto {
    /// Starts it, or says loudly that the test is skipped.
    #[track_caller]
    pub fn start() -> impl Future<Output = Option<Moto>> {
        let found = packhouse_clients::find(["moto_server"]);
        async move {
            let [program] = found?;
            // Between this and the server's own bind another process may take the port; then it ends at once.
            for _ in 0..3 {
                let port = {
                    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
                    listener.local_addr().unwrap().port()
                };
                let mut command = program.command();
                command.args(["-H", "127.0.0.1", "-p", &port.to_string()]);
                command.stdout(Stdio::null()).stderr(Stdio::null());
                let mut process = command.spawn().unwrap();
                // Python takes its time when the machine is busy.
                for _ in 0..600 {
                    if process.try_wait().unwrap().is_some() {
                        break;
                    }
                    if make_bucket(port).await {
                        return Some(Moto { process, port });
                    }
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                let _ = process.kill();
                let _ = process.wait();
            }
            panic!("moto_server does not start");
        }
    }

    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub fn access(&self) -> Access {
        access(Dialect::S3, &self.endpoint())
    }

    pub fn store(&self, site: &str) -> Store {
        open(Dialect::S3, site, &self.access())
    }
}

async fn make_bucket(port: u16) -> bool {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let Ok(mut stream) = tokio::net::TcpStream::connect(("127.0.0.1", port)).await else { return false };
    let request = "PUT /bucket HTTP/1.1\r\nhost: localhost\r\nauthorization: AWS4-HMAC-SHA256 \
                   Credential=a/20261127/us-east-1/s3/aws4_request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    if stream.write_all(request.as_bytes()).await.is_err() {
        return false;
    }
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    answer.starts_with(b"HTTP/1.1 200")
}

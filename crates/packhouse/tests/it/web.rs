//! A web server for a directory, in the test's own process.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// Serves the files of a directory; it ends with the test's process.
pub struct WebServer {
    /// Its address, without a slash at the end.
    pub url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl WebServer {
    pub fn of(directory: &Path) -> WebServer {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let (directory, log): (PathBuf, _) = (directory.into(), asked.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = BufReader::new(stream.unwrap());
                let mut line = String::new();
                stream.read_line(&mut line).unwrap();
                let mut header = String::new();
                while stream.read_line(&mut header).unwrap() > 2 {
                    header.clear();
                }
                let path = line.split(' ').nth(1).unwrap().trim_start_matches('/').to_owned();
                let found = fs_err::read(directory.join(path.replace("%2B", "+"))).ok();
                log.lock().unwrap().push(path);
                let (status, body) = found.map_or((404, Vec::new()), |body| (200, body));
                let length = body.len();
                let head =
                    format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
                // A client that has seen enough goes away.
                let _ = stream.get_mut().write_all(&[head.as_bytes(), &body].concat());
            }
        });
        WebServer { url, asked }
    }

    /// What was asked for since the last call.
    pub fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }
}

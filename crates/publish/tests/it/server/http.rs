//! HTTP/1.1 as far as storage's clients go: requests with a length, one after the other on a connection.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::Fault;

#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    /// As it was sent.
    pub target: String,
    /// The path, decoded, without the first slash.
    pub path: String,
    pub query: Vec<(String, String)>,
    /// Names in lower case.
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

impl Request {
    /// What follows the bucket.
    pub fn key(&self) -> &str {
        self.path.split_once('/').map_or("", |(_, key)| key)
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }
}

#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
    /// For HEAD: the length that a GET would have.
    pub length: Option<usize>,
}

impl Answer {
    pub fn new(status: u16) -> Answer {
        Answer { status, headers: BTreeMap::new(), body: Vec::new(), length: None }
    }

    pub fn header(mut self, name: &str, value: impl Into<String>) -> Answer {
        self.headers.insert(name.to_owned(), value.into());
        self
    }

    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Answer {
        self.body = body.into();
        self
    }
}

type Respond = dyn Fn(Request) -> (Option<Answer>, Option<Fault>) + Send + Sync;

pub async fn serve(listener: TcpListener, respond: Arc<Respond>) {
    while let Ok((stream, _)) = listener.accept().await {
        let respond = respond.clone();
        tokio::spawn(async move {
            let mut stream = BufReader::new(stream);
            while let Some(request) = read_request(&mut stream).await {
                let is_head = request.method == "HEAD";
                let (answer, fault) = respond(request);
                let answer = match (answer, fault) {
                    (_, Some(Fault::Reset | Fault::ResetAfter)) => return,
                    (_, Some(Fault::Stall(time))) => {
                        tokio::time::sleep(time).await;
                        return;
                    }
                    (_, Some(Fault::Status(status, code) | Fault::StatusAfter(status, code))) => {
                        super::refusal(status, code)
                    }
                    (Some(answer), Some(Fault::Truncated)) => {
                        let half = answer.body.len() / 2;
                        let text = head(&answer, is_head);
                        let _ = stream.get_mut().write_all(text.as_bytes()).await;
                        let _ = stream.get_mut().write_all(&answer.body[..half]).await;
                        return;
                    }
                    (Some(answer), None) => answer,
                    (None, _) => return,
                };
                let text = head(&answer, is_head);
                let stream = stream.get_mut();
                if stream.write_all(text.as_bytes()).await.is_err() {
                    return;
                }
                if !is_head && stream.write_all(&answer.body).await.is_err() {
                    return;
                }
            }
        });
    }
}

fn head(answer: &Answer, is_head: bool) -> String {
    let length = if is_head { answer.length.unwrap_or(0) } else { answer.body.len() };
    let mut text = format!("HTTP/1.1 {} X\r\ncontent-length: {length}\r\n", answer.status);
    text.push_str("date: Fri, 27 Nov 2026 05:00:00 GMT\r\n");
    for (name, value) in &answer.headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str("\r\n");
    text
}

async fn read_request(stream: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut line = String::new();
    stream.read_line(&mut line).await.ok().filter(|read| *read > 0)?;
    let mut words = line.split_whitespace();
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok()?;
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':')?;
        headers.insert(name.trim().to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let query = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (decode(name), decode(value)))
        .collect();
    let path = decode(path.trim_start_matches('/'));
    Some(Request { method, path, query, headers, body, target })
}

pub fn decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'%' => {
                let digits = [rest.next().unwrap(), rest.next().unwrap()];
                bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap());
            }
            other => bytes.push(other),
        }
    }
    String::from_utf8(bytes).unwrap()
}

/// Hands every request to `upstream` (`http://host:port`) without the headers that are conditions.
pub async fn strip_conditions(listener: TcpListener, upstream: String) {
    let upstream = upstream.trim_start_matches("http://").to_owned();
    while let Ok((stream, _)) = listener.accept().await {
        let upstream = upstream.clone();
        tokio::spawn(async move {
            let mut stream = BufReader::new(stream);
            let Some(request) = read_request(&mut stream).await else { return };
            let mut there = TcpStream::connect(&upstream).await.unwrap();
            let mut text = format!("{} {} HTTP/1.1\r\n", request.method, request.target);
            for (name, value) in &request.headers {
                if !["if-match", "if-none-match", "connection"].contains(&name.as_str()) {
                    text.push_str(&format!("{name}: {value}\r\n"));
                }
            }
            text.push_str("connection: close\r\n\r\n");
            there.write_all(text.as_bytes()).await.unwrap();
            there.write_all(&request.body).await.unwrap();
            let mut answer = Vec::new();
            let _ = there.read_to_end(&mut answer).await;
            // The answer says that the connection ends.
            let _ = stream.get_mut().write_all(&answer).await;
        });
    }
}

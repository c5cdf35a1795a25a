//! Hostile and broken servers: `RPL-15` and `RPL-17`.

use std::path::Path;
use std::time::{Duration, Instant};

use packhouse_publish::{Error, Sha256, Web, WebError};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;

use crate::site::object_path;

/// What a server does once it was asked.
#[derive(Clone)]
enum Answer {
    /// These bytes, and the end.
    Bytes(Vec<u8>),
    /// These bytes, and then others without end, so many each time and so far apart.
    Endless(Vec<u8>, usize, Duration),
    /// Nothing.
    Silence,
}

/// A server that answers each path by this table; it ends with the test.
async fn serve(answers: Vec<(&'static str, Answer)>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let answers = answers.clone();
            tokio::spawn(async move {
                let mut stream = BufReader::new(stream);
                let mut asked = String::new();
                stream.read_line(&mut asked).await?;
                let mut line = String::new();
                while stream.read_line(&mut line).await? > 2 {
                    line.clear();
                }
                let path = asked.split(' ').nth(1).unwrap_or_default();
                let found = answers.into_iter().find(|(known, _)| *known == path);
                let missing = Answer::Bytes(b"HTTP/1.1 404 X\r\ncontent-length: 0\r\n\r\n".to_vec());
                match found.map_or(missing, |(_, answer)| answer) {
                    Answer::Bytes(bytes) => stream.write_all(&bytes).await?,
                    Answer::Endless(bytes, size, pause) => {
                        stream.write_all(&bytes).await?;
                        loop {
                            stream.write_all(&vec![b'x'; size]).await?;
                            stream.flush().await?;
                            tokio::time::sleep(pause).await;
                        }
                    }
                    Answer::Silence => tokio::time::sleep(Duration::from_secs(60)).await,
                }
                stream.shutdown().await
            });
        }
    });
    format!("http://{address}/site")
}

fn bytes(text: &str) -> Answer {
    Answer::Bytes(text.into())
}

fn redirect(to: &str) -> Answer {
    bytes(&format!("HTTP/1.1 302 X\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n"))
}

/// Asks a server that answers `/site/a` like this for at most 1000 bytes of it.
async fn read(answer: Answer) -> Result<Option<Vec<u8>>, WebError> {
    read_of(vec![("/site/a", answer)]).await
}

async fn read_of(answers: Vec<(&'static str, Answer)>) -> Result<Option<Vec<u8>>, WebError> {
    let web = Web::open(&serve(answers).await).unwrap().impatient();
    let directory = tempfile::tempdir().unwrap();
    // Both ways of fetching end alike, and a failed download leaves nothing.
    let copied = web.download(&object_path("a"), 1000, directory.path()).await;
    let found = web.read(&object_path("a"), 1000).await;
    match (&copied, &found) {
        (Ok(Some(copied)), Ok(Some(read))) => {
            assert_eq!(fs_err::read(&copied.file).unwrap(), *read);
            assert_eq!((copied.sha256, copied.size), (Sha256::of(read), read.len() as u64));
        }
        (copied, found) => {
            assert_eq!(format!("{copied:?}").split('{').next(), format!("{found:?}").split('{').next());
            assert_eq!(fs_err::read_dir(directory.path()).unwrap().count(), 0, "something is left");
        }
    }
    match found {
        Ok(found) => Ok(found),
        Err(Error::Web { source, .. }) => Err(source),
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn what_is_there_is_read_and_what_is_not_is_missing() {
    let good = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";
    assert_eq!(read(bytes(good)).await.unwrap().unwrap(), b"hello");
    let unannounced = "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nhello";
    assert_eq!(read(bytes(unannounced)).await.unwrap().unwrap(), b"hello");
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    assert_eq!(read(bytes(chunked)).await.unwrap().unwrap(), b"hello");
    assert!(read_of(vec![]).await.unwrap().is_none());
    for status in [403, 500, 206] {
        let answer = bytes(&format!("HTTP/1.1 {status} X\r\ncontent-length: 5\r\n\r\nhello"));
        assert!(matches!(read(answer).await, Err(WebError::Status { status: there }) if there == status));
    }
}

#[tokio::test]
async fn rpl_15_redirects_are_few_plain_and_stay_where_it_is_safe() {
    let good = bytes("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello");
    let hops = |count: usize| {
        let names = ["/site/a", "/1", "/2", "/3", "/4", "/5", "/6"];
        let mut answers: Vec<_> = (0..count).map(|hop| (names[hop], redirect(names[hop + 1]))).collect();
        answers.push((names[count], good.clone()));
        answers
    };
    assert_eq!(read_of(hops(5)).await.unwrap().unwrap(), b"hello");
    assert!(matches!(read_of(hops(6)).await, Err(WebError::Redirect { .. })));
    assert!(matches!(read(redirect("/site/a")).await, Err(WebError::Redirect { .. })), "a loop");
    for to in [
        "http://dist.example.org/a",
        "ftp://127.0.0.1/a",
        "file:///etc/passwd",
        "http://user@127.0.0.1/a",
        "/b%0d%0aX: y",
        "/b%0a",
        "/b\tc",
        "/b c",
        "/ü",
        "http://",
    ] {
        let found = read(redirect(to)).await;
        assert!(matches!(found, Err(WebError::Redirect { .. })), "{to:?}: {found:?}");
    }
    let nowhere = bytes("HTTP/1.1 302 X\r\ncontent-length: 0\r\n\r\n");
    assert!(matches!(read(nowhere).await, Err(WebError::Redirect { .. })));
}

#[tokio::test]
async fn rpl_17_an_endless_body_ends_at_its_limit() {
    let begin = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n".to_vec();
    let found = read(Answer::Endless(begin, 512, Duration::ZERO)).await;
    assert!(matches!(found, Err(WebError::TooLarge { limit: 1000 })), "{found:?}");
    // What is announced as too long is not begun.
    let announced = b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n".to_vec();
    let found = read(Answer::Endless(announced, 1, Duration::from_secs(10))).await;
    assert!(matches!(found, Err(WebError::TooLarge { limit: 1000 })), "{found:?}");
}

#[tokio::test]
async fn rpl_17_a_server_that_is_slow_or_silent_is_given_up() {
    let begun = Instant::now();
    assert!(matches!(read(Answer::Silence).await, Err(WebError::TooSlow { received: 0, .. })));
    let begin = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n".to_vec();
    let found = read(Answer::Endless(begin, 1, Duration::from_millis(100))).await;
    assert!(matches!(found, Err(WebError::TooSlow { .. })), "{found:?}");
    assert!(begun.elapsed() < Duration::from_secs(20));
}

#[tokio::test]
async fn rpl_17_a_wrong_length_or_a_compressed_answer_is_refused() {
    let short = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhello";
    let found = read(bytes(short)).await;
    assert!(matches!(found, Err(WebError::CutOff { received: 5, announced: 9 })), "{found:?}");
    let gzip = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-encoding: gzip\r\n\r\nhello";
    assert!(matches!(read(bytes(gzip)).await, Err(WebError::Encoded)));
    let cut = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n";
    assert!(matches!(read(bytes(cut)).await, Err(WebError::Connection { .. })));
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named() {
    let web = Web::open("http://127.0.0.1:9/site").unwrap().impatient();
    let error = web.download(&object_path("a"), 1, Path::new("/nonexistent")).await.unwrap_err();
    assert!(matches!(error, Error::Write { .. }), "{error}");
    let error = web.read(&object_path("a"), 1).await.unwrap_err();
    assert_eq!(error.to_string(), "cannot fetch `http://127.0.0.1:9/site/a`");
}

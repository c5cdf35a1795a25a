//! A site as the public sees it: read over HTTPS, with no credentials and no way to write.
//!
//! Whoever answers may be hostile (a mirror, a CDN, whoever sits between), so that nothing is believed here:
//!
//! | danger | what is done |
//! |---|---|
//! | an endless body | every read has a limit; a package's is the size in the signed list |
//! | a byte a minute | a connection that stays below [`Patience::floor`] on average is given up |
//! | a redirect elsewhere | at most five, never away from https, and the address must be plain (CVE-2019-3462) |
//! | a name from outside | what is asked for is named by the caller; no header names a file |
//! | compressed answers | refused: what is signed is the bytes themselves |
//!
//! Plain http is for this machine's own servers only. All that matters is signed, but an http site tells everybody
//! on the way what is fetched and lets them hold it back unseen.
//!
//! Proxies (`HTTPS_PROXY`, `NO_PROXY`) and certificates (`SSL_CERT_FILE`) are the HTTP library's business, as in
//! `store/access`; a server on this machine is asked directly.

use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use reqwest::header::{ACCEPT_ENCODING, CONTENT_ENCODING, LOCATION};
use reqwest::{Client, Response, StatusCode, Url};

use crate::digest::Hasher;
use crate::store::{LocalFile, install_tls};
use crate::{Error, ObjectPath, Result};

/// More hops than any honest site needs.
const MOST_REDIRECTS: usize = 5;

/// How long an answer may take.
#[derive(Clone, Copy, Debug)]
struct Patience {
    connect: Duration,
    /// Until something comes, and what a slow start is forgiven.
    grace: Duration,
    /// Bytes a second, on average, once the grace is over.
    floor: u64,
}

/// A site on the web, or any directory of files there.
#[derive(Clone, Debug)]
pub struct Web {
    client: Client,
    /// Ends with a slash.
    base: Url,
    patience: Patience,
}

/// Why an address was not fetched.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WebError {
    /// The server said something else than that here it is.
    #[error("the server answered {status}")]
    Status {
        /// Its answer.
        status: u16,
    },
    /// More came, or was announced, than there should be.
    #[error("there is more of it than {limit} bytes")]
    TooLarge {
        /// How many there should be at most.
        limit: u64,
    },
    /// The connection ended early.
    #[error("the answer ended after {received} bytes of {announced}")]
    CutOff {
        /// What came.
        received: u64,
        /// What was announced.
        announced: u64,
    },
    /// Nothing came, or next to nothing.
    #[error("the server is too slow: {received} bytes in {seconds} s")]
    TooSlow {
        /// What came.
        received: u64,
        /// In how long.
        seconds: u64,
    },
    /// A redirect that is not followed.
    #[error("the server redirects {reason}")]
    Redirect {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// An answer in another coding than it was asked for in.
    #[error("the server sends it compressed, which was not asked for")]
    Encoded,
    /// No connection, no certificate, a broken answer.
    #[error("{reason}")]
    Connection {
        /// The causes, one after the other.
        reason: String,
    },
}

impl WebError {
    /// How to fix it, where that is known.
    pub fn help(&self) -> Option<String> {
        Some(match self {
            WebError::Status { .. } | WebError::CutOff { .. } | WebError::TooSlow { .. } => {
                "try again; if it persists, tell whoever runs the site".into()
            }
            WebError::TooLarge { .. } => "do not use it: it is not what was published under this name".into(),
            WebError::Redirect { .. } => {
                "give the address that the site really has; a mirror that needs other redirects can be copied and \
                 its directory verified"
                    .into()
            }
            WebError::Encoded => "tell whoever runs the site: files that are signed are served as they are".into(),
            WebError::Connection { .. } => {
                "check the address and this machine's network: HTTPS_PROXY, SSL_CERT_FILE".into()
            }
        })
    }
}

impl Web {
    /// The directory at `url`. Nothing is asked yet.
    ///
    /// # Errors
    /// [`Error::WebUrl`] for an address that is not `https://…`, or `http://` of this machine, or that holds what is
    /// no part of a place: a user, a query, a fragment.
    pub fn open(url: &str) -> Result<Web> {
        let mut base = parse(url)?;
        if !base.path().ends_with('/') {
            let path = format!("{}/", base.path());
            base.set_path(&path);
        }
        install_tls();
        let patience =
            Patience { connect: Duration::from_secs(15), grace: Duration::from_secs(30), floor: 1024 };
        let mut client = Client::builder()
            .user_agent(concat!("packhouse/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .connect_timeout(patience.connect);
        if is_loopback(&base) {
            client = client.no_proxy();
        }
        let client = client.build().map_err(|error| failed(&base, connection(&error)))?;
        Ok(Web { client, base, patience })
    }

    /// The directory `above` levels above the object at `url`, and the object's path from there.
    ///
    /// # Errors
    /// As [`Web::open`], and when there are not so many levels or the path is no object's.
    pub fn open_at(url: &str, above: usize) -> Result<(Web, ObjectPath)> {
        let parsed = parse(url)?;
        let refuse = |reason| Error::WebUrl { reason };
        let raw: Vec<&str> = parsed.path().split('/').skip(1).collect();
        let at = raw.len().checked_sub(above).ok_or(refuse("no site lies so far above it"))?;
        let name = "its last part is not the name of a file on a site";
        let path = raw[at..].join("/");
        // Encoded, a slash would count as none above.
        let decoded =
            decoded(&path).filter(|_| !path.to_ascii_lowercase().contains("%2f")).ok_or(refuse(name))?;
        let path = ObjectPath::new(decoded).map_err(|_| refuse(name))?;
        let mut base = parsed.clone();
        base.set_path(&format!("/{}", raw[..at].join("/")));
        Ok((Web::open(base.as_str())?, path))
    }

    /// Gives up after a second or so: for tests.
    #[must_use]
    pub fn impatient(mut self) -> Web {
        self.patience =
            Patience { connect: self.patience.connect, grace: Duration::from_secs(1), floor: 1024 };
        self
    }

    /// Where it is, without a slash at its end.
    pub fn url(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }

    /// Reads a small object; `None` when it is not there.
    ///
    /// # Errors
    /// [`Error::Web`], also when there is more of it than `limit` bytes.
    pub async fn read(&self, path: &ObjectPath, limit: u64) -> Result<Option<Vec<u8>>> {
        let url = self.address(path);
        let mut bytes = Vec::new();
        let keep = |piece: &[u8]| -> std::io::Result<()> {
            bytes.extend_from_slice(piece);
            Ok(())
        };
        let found = self.fetch(&url, limit, keep).await.map_err(|error| failed(&url, error))?;
        Ok(found.then_some(bytes))
    }

    /// Copies an object of at most `limit` bytes into the directory `scratch`, under its last name, and digests it on
    /// the way; `None` when it is not there. The copy is gone with the value.
    ///
    /// # Errors
    /// [`Error::Web`], [`Error::Write`]; nothing is left of it then.
    pub async fn download(&self, path: &ObjectPath, limit: u64, scratch: &Path) -> Result<Option<LocalFile>> {
        let url = self.address(path);
        let file = scratch.join(path.file_name());
        let writing = |source| Error::Write { path: file.clone(), source };
        let mut copy = fs_err::File::create(&file).map_err(writing)?;
        // It removes the file when it is dropped, whatever happens.
        let mut local = LocalFile::copy(file.clone());
        let mut hasher = Hasher::default();
        let keep = |piece: &[u8]| {
            hasher.update(piece);
            copy.write_all(piece)
        };
        let found = match self.fetch(&url, limit, keep).await {
            Err(Failure::Write(source)) => return Err(writing(source)),
            found => found.map_err(|error| failed(&url, error))?,
        };
        (local.sha256, local.size) = hasher.finish();
        Ok(found.then_some(local))
    }

    /// The address of an object. What a path may not have is percent-encoded, `+` as well, which some stores take
    /// for a space.
    fn address(&self, path: &ObjectPath) -> Url {
        use std::fmt::Write as _;
        let mut encoded = String::from(self.base.path());
        for byte in path.as_str().bytes() {
            match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'/' | b'.' | b'_' | b'~' | b'-' | b':' => {
                    encoded.push(byte.into());
                }
                other => {
                    let _ = write!(encoded, "%{other:02X}");
                }
            }
        }
        let mut url = self.base.clone();
        url.set_path(&encoded);
        url
    }

    /// Passes what is at `url` to `keep`, at most `limit` bytes of it; whether it is there.
    async fn fetch(
        &self,
        url: &Url,
        limit: u64,
        mut keep: impl FnMut(&[u8]) -> std::io::Result<()>,
    ) -> Result<bool, Failure> {
        let begun = Instant::now();
        let mut pace = Pace { begun, received: 0, patience: self.patience };
        let Some(mut response) = self.answer(url, &pace).await? else { return Ok(false) };
        if response.headers().get(CONTENT_ENCODING).is_some_and(|coding| coding != "identity") {
            return Err(WebError::Encoded.into());
        }
        let announced = response.content_length();
        if announced.is_some_and(|announced| announced > limit) {
            return Err(WebError::TooLarge { limit }.into());
        }
        loop {
            let piece = match pace.wait(response.chunk()).await? {
                Ok(piece) => piece,
                // What the library knows of it is that the body broke off.
                Err(error) => {
                    let received = pace.received;
                    return Err(match announced {
                        Some(announced) if received < announced => {
                            WebError::CutOff { received, announced }.into()
                        }
                        _ => connection(&error).into(),
                    });
                }
            };
            let Some(piece) = piece else { return Ok(true) };
            pace.received += piece.len() as u64;
            if pace.received > limit {
                return Err(WebError::TooLarge { limit }.into());
            }
            keep(&piece).map_err(Failure::Write)?;
        }
    }

    /// Follows redirects to an answer; `None` for what is not there.
    async fn answer(&self, url: &Url, pace: &Pace) -> Result<Option<Response>, Failure> {
        let mut at = url.clone();
        for _ in 0..=MOST_REDIRECTS {
            let request = self.client.get(at.clone()).header(ACCEPT_ENCODING, "identity").send();
            let response = pace.wait(request).await?.map_err(|error| connection(&error))?;
            match response.status() {
                StatusCode::OK => return Ok(Some(response)),
                StatusCode::NOT_FOUND | StatusCode::GONE => return Ok(None),
                status if status.is_redirection() => at = next(&at, &response)?,
                status => return Err(WebError::Status { status: status.as_u16() }.into()),
            }
        }
        Err(WebError::Redirect { reason: "more than five times" }.into())
    }
}

/// How fast an answer comes.
struct Pace {
    begun: Instant,
    received: u64,
    patience: Patience,
}

impl Pace {
    /// Waits as long as what has come so far allows.
    async fn wait<T>(&self, work: impl Future<Output = T>) -> Result<T, WebError> {
        let allowed = self.patience.grace + Duration::from_secs(self.received / self.patience.floor);
        let left = allowed.saturating_sub(self.begun.elapsed());
        tokio::time::timeout(left, work).await.map_err(|_| WebError::TooSlow {
            received: self.received,
            seconds: self.begun.elapsed().as_secs(),
        })
    }
}

enum Failure {
    Web(WebError),
    Write(std::io::Error),
}

impl From<WebError> for Failure {
    fn from(error: WebError) -> Failure {
        Failure::Web(error)
    }
}

fn failed(url: &Url, failure: impl Into<Failure>) -> Error {
    let url = url.to_string();
    match failure.into() {
        Failure::Web(source) => Error::Web { url, source },
        Failure::Write(error) => {
            Error::Web { url, source: WebError::Connection { reason: error.to_string() } }
        }
    }
}

/// Where a redirect leads. Its text must be a plain address: the `url` crate drops tabs and line breaks where other
/// programs keep them.
fn next(from: &Url, response: &Response) -> Result<Url, WebError> {
    let refuse = |reason| WebError::Redirect { reason };
    let location = response.headers().get(LOCATION).ok_or(refuse("without saying where"))?;
    let text = location.to_str().ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_graphic()));
    let text = text.ok_or(refuse("to an address with characters that addresses do not have"))?;
    let lower = text.to_ascii_lowercase();
    if ["%00", "%0a", "%0d", "%09"].iter().any(|control| lower.contains(control)) {
        return Err(refuse("to an address with control characters"));
    }
    let to = from.join(text).map_err(|_| refuse("to what is no address"))?;
    if !to.username().is_empty() || to.password().is_some() {
        return Err(refuse("to an address with a user or a password"));
    }
    let is_allowed =
        to.scheme() == "https" || is_loopback(from) && from.scheme() == "http" && is_loopback(&to);
    match is_allowed && matches!(to.scheme(), "https" | "http") {
        true => Ok(to),
        false => Err(refuse("away from https")),
    }
}

fn parse(text: &str) -> Result<Url> {
    let refuse = |reason| Error::WebUrl { reason };
    if text.bytes().any(|byte| !byte.is_ascii_graphic()) {
        return Err(refuse("it has a character that addresses do not have"));
    }
    let url = Url::parse(text).map_err(|_| refuse("it is no address"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refuse("it holds a user or a password"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(refuse("it has a query or a fragment"));
    }
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_loopback(&url) => Ok(url),
        "http" => Err(refuse("plain http is for servers of this machine only")),
        _ => Err(refuse("it does not start with https://")),
    }
}

/// A path without its percent-encoding.
fn decoded(path: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                u8::try_from(digit()? << 4 | digit()?).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

fn is_loopback(url: &Url) -> bool {
    match url.host_str() {
        Some("localhost" | "[::1]") => true,
        Some(host) => host.parse::<std::net::Ipv4Addr>().is_ok_and(|address| address.is_loopback()),
        None => false,
    }
}

/// What the library says, without the address, which is in the error around it.
fn connection(error: &reqwest::Error) -> WebError {
    let mut reason = String::new();
    let mut cause: Option<&dyn std::error::Error> = std::error::Error::source(error);
    while let Some(next) = cause {
        if !reason.is_empty() {
            reason.push_str(": ");
        }
        reason.push_str(&next.to_string());
        cause = next.source();
    }
    match reason.is_empty() {
        true => WebError::Connection { reason: "the connection failed".into() },
        false => WebError::Connection { reason },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_https_or_this_machine() {
        for good in [
            "https://dist.example.org",
            "https://dist.example.org/a/b/",
            "http://127.0.0.1:8000/x",
            "http://localhost/",
            "http://[::1]:1/",
        ] {
            assert!(Web::open(good).is_ok(), "{good}");
        }
        for bad in [
            "http://dist.example.org",
            "http://127.0.0.1.example.org/",
            "http://localhost.example.org/",
            "ftp://dist.example.org",
            "https://user:hunter2@dist.example.org/",
            "https://dist.example.org/?token=hunter2",
            "https://dist.example.org/#x",
            "https://dist.example.org/a\nb",
            "https://dist.example.org/a b",
            "https:///",
            "dist.example.org",
        ] {
            let error = Web::open(bad).unwrap_err();
            assert!(error.is_configuration() && !format!("{error:?}").contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn an_object_has_one_address() {
        let web = Web::open("https://dist.example.org/a").unwrap();
        let address = |path: &str| web.address(&ObjectPath::new(path).unwrap()).to_string();
        assert_eq!(
            address("debian/a_1.0+b~c^d:2_all.deb"),
            "https://dist.example.org/a/debian/a_1.0%2Bb~c%5Ed:2_all.deb"
        );
        assert_eq!(address("x/ü%"), "https://dist.example.org/a/x/%C3%BC%25");
        let (web, path) = Web::open_at("https://dist.example.org/a/debian/x%2B1.deb", 2).unwrap();
        assert_eq!((web.url(), path.as_str()), ("https://dist.example.org/a", "debian/x+1.deb"));
        let (web, path) = Web::open_at("https://dist.example.org/x.deb", 1).unwrap();
        assert_eq!((web.url(), path.as_str()), ("https://dist.example.org", "x.deb"));
        for bad in ["/a/", "/a/%2e%2e%2fb", "/a/x%0ay", "/a/x%00", "/-rf", "/a/%ff", "/x%zz"] {
            assert!(Web::open_at(&format!("https://dist.example.org{bad}"), 1).is_err(), "{bad}");
        }
    }
}

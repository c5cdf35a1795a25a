//! Object storage in the test's own process: just enough HTTP, the conditional semantics of three vendors over one
//! map of objects, faults to order, and a proxy that strips conditions.

mod azure;
mod google;
mod http;
mod s3;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use packhouse_publish::{Access, Sha256, Store};

pub use http::{Answer, Request, serve};

/// Whose storage it speaks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    S3,
    Google,
    Azure,
}

/// What happens to a request instead of the right answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// This status, and nothing was done.
    Status(u16, &'static str),
    /// The connection breaks, and nothing was done.
    Reset,
    /// It is done, and the connection breaks before the answer.
    ResetAfter,
    /// It is done, and the answer is this status.
    StatusAfter(u16, &'static str),
    /// Nothing comes for so long.
    Stall(Duration),
    /// The answer ends half-way.
    Truncated,
}

type Decide = dyn Fn(&Request) -> Option<Fault> + Send + Sync;

pub struct Entry {
    pub bytes: Vec<u8>,
    pub headers: BTreeMap<String, String>,
    pub generation: u64,
    pub e_tag: String,
}

#[derive(Default)]
pub struct Objects {
    pub entries: BTreeMap<String, Entry>,
    pub uploads: BTreeMap<String, Upload>,
    pub generation: u64,
}

#[derive(Default)]
pub struct Upload {
    pub key: String,
    pub headers: BTreeMap<String, String>,
    pub parts: BTreeMap<usize, Vec<u8>>,
    pub begun: String,
}

impl Objects {
    pub fn put(
        &mut self,
        key: &str,
        bytes: Vec<u8>,
        headers: BTreeMap<String, String>,
        e_tag: String,
    ) -> &Entry {
        self.generation += 1;
        let entry = Entry { bytes, headers, generation: self.generation, e_tag };
        self.entries.insert(key.to_owned(), entry);
        &self.entries[key]
    }
}

/// A running server; it ends with the value.
pub struct Server {
    pub dialect: Dialect,
    pub objects: Arc<Mutex<Objects>>,
    address: std::net::SocketAddr,
    /// Whether it accepts conditions and ignores them.
    ignores_conditions: Arc<Mutex<bool>>,
    decide: Arc<Mutex<Box<Decide>>>,
    log: Arc<Mutex<Vec<String>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    pub async fn start(dialect: Dialect) -> Server {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        // Google's generations are microseconds.
        let objects = Objects { generation: 1_700_000_000_000_000, ..Objects::default() };
        let objects = Arc::new(Mutex::new(objects));
        let ignores_conditions = Arc::<Mutex<bool>>::default();
        let decide: Arc<Mutex<Box<Decide>>> = Arc::new(Mutex::new(Box::new(|_| None)));
        let log = Arc::<Mutex<Vec<String>>>::default();
        let (state, ignores, faults, lines) =
            (objects.clone(), ignores_conditions.clone(), decide.clone(), log.clone());
        let answer = move |mut request: Request| {
            lines.lock().unwrap().push(format!("{} {}", request.method, request.target));
            let fault = faults.lock().unwrap()(&request);
            if let Some(Fault::Status(..) | Fault::Reset | Fault::Stall(_)) = &fault {
                return (None, fault);
            }
            if *ignores.lock().unwrap() {
                request.headers.retain(|name, _| !name.starts_with("if-") && !name.contains("-if-"));
            }
            let mut objects = state.lock().unwrap();
            let answer = match dialect {
                Dialect::S3 => s3::answer(&mut objects, &request),
                Dialect::Google => google::answer(&mut objects, &request),
                Dialect::Azure => azure::answer(&mut objects, &request),
            };
            (Some(answer), fault)
        };
        let task = tokio::spawn(http::serve(listener, Arc::new(answer)));
        Server { dialect, objects, address, ignores_conditions, decide, log, task }
    }

    pub fn ignore_conditions(&self) {
        *self.ignores_conditions.lock().unwrap() = true;
    }

    /// Asks `decide` about each request from now on.
    pub fn fail(&self, decide: impl Fn(&Request) -> Option<Fault> + Send + Sync + 'static) {
        *self.decide.lock().unwrap() = Box::new(decide);
    }

    /// The first request that `meant` takes gets `fault`.
    pub fn fail_once(&self, meant: impl Fn(&Request) -> bool + Send + Sync + 'static, fault: Fault) {
        let left = Mutex::new(Some(fault));
        self.fail(move |request| if meant(request) { left.lock().unwrap().take() } else { None });
    }

    pub fn requests(&self) -> Vec<String> {
        std::mem::take(&mut *self.log.lock().unwrap())
    }

    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn access(&self) -> Access {
        access(self.dialect, &self.endpoint()).impatient()
    }

    pub fn store(&self, site: &str) -> Store {
        open(self.dialect, site, &self.access())
    }

    pub fn header(&self, key: &str, name: &str) -> Option<String> {
        self.objects.lock().unwrap().entries.get(key)?.headers.get(name).cloned()
    }
}

/// What reaches a server of this dialect.
pub fn access(dialect: Dialect, endpoint: &str) -> Access {
    let variables = match dialect {
        Dialect::S3 => vec![
            ("AWS_ENDPOINT_URL_S3", endpoint),
            ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
            ("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/SECRET"),
        ],
        Dialect::Google => vec![("STORAGE_EMULATOR_HOST", endpoint)],
        Dialect::Azure => vec![
            ("AZURE_STORAGE_ENDPOINT", endpoint),
            ("AZURE_STORAGE_ACCOUNT", "packhouse"),
            ("AZURE_STORAGE_KEY", "c2VjcmV0LWtleS1vZi10aGUtYWNjb3VudA=="),
        ],
    };
    Access::new(variables, None)
}

pub fn open(dialect: Dialect, site: &str, access: &Access) -> Store {
    let scheme = match dialect {
        Dialect::S3 => "s3",
        Dialect::Google => "gs",
        Dialect::Azure => "az",
    };
    Store::open(&format!("{scheme}://bucket/{site}"), std::path::Path::new("/"), access).unwrap()
}

/// A proxy that hands requests on without their conditions: storage that accepts and ignores them.
pub struct StrippingProxy {
    address: std::net::SocketAddr,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for StrippingProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl StrippingProxy {
    pub async fn before(upstream: String) -> StrippingProxy {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        StrippingProxy { address, task: tokio::spawn(http::strip_conditions(listener, upstream)) }
    }

    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }
}

/// An opaque tag, as Azure gives.
pub fn opaque_tag(objects: &Objects) -> String {
    format!("\"0x8D{:013X}\"", objects.generation + 1)
}

/// A query's value.
pub fn query<'a>(request: &'a Request, name: &str) -> Option<&'a str> {
    request.query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

/// The headers that storage keeps with an object; `meta` is the prefix of those that users make.
pub fn kept_headers(request: &Request, renamed: &[(&str, &str)]) -> BTreeMap<String, String> {
    let mut kept = BTreeMap::new();
    for (from, to) in renamed {
        if let Some(value) = request.headers.get(*from) {
            kept.insert((*to).to_owned(), value.clone());
        }
    }
    kept
}

/// A listing in S3's words, of everything below a prefix, all on one page.
pub fn list_page(objects: &Objects, request: &Request) -> Answer {
    let prefix = query(request, "prefix").unwrap_or_default();
    let mut page = String::from("<ListBucketResult><IsTruncated>false</IsTruncated>");
    for (key, entry) in objects.entries.iter().filter(|(key, _)| key.starts_with(prefix)) {
        page.push_str(&format!(
            "<Contents><Key>{}</Key><LastModified>2026-11-27T04:00:00.000Z</LastModified><ETag>{}</ETag>\
             <Size>{}</Size></Contents>",
            escape(key),
            escape(&entry.e_tag),
            entry.bytes.len()
        ));
    }
    page.push_str("</ListBucketResult>");
    Answer::new(200).body(page)
}

pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}

pub fn refusal(status: u16, code: &str) -> Answer {
    Answer::new(status)
        .body(format!("<Error><Code>{code}</Code><Message>The stub says {code}.</Message></Error>"))
}

/// The text of an XML element.
pub fn elements(text: &str, name: &str) -> Vec<String> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let pieces = text.split(&open).skip(1);
    pieces.filter_map(|piece| piece.split_once(&close)).map(|(inside, _)| inside.to_owned()).collect()
}

/// The MD5 digest as S3 makes ETags of it; SHA-256's first half would do, were it not for the check.
pub fn md5_tag(bytes: &[u8]) -> String {
    use md5::{Digest as _, Md5};
    let digest = Md5::digest(bytes);
    format!("\"{}\"", digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}

/// The ETag of a multipart upload.
pub fn multipart_tag(parts: &BTreeMap<usize, Vec<u8>>) -> String {
    use md5::{Digest as _, Md5};
    let digests: Vec<u8> = parts.values().flat_map(|part| Md5::digest(part).to_vec()).collect();
    let whole = md5_tag(&digests);
    format!("{}-{}\"", whole.trim_end_matches('"'), parts.len())
}

pub fn digest(bytes: &[u8]) -> Sha256 {
    Sha256::of(bytes)
}

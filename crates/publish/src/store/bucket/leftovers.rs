//! What killed publishers left unfinished in a bucket: uploads that were never completed, and copies under names
//! of their own. They are invisible to customers, but cost money.
//!
//! A live publisher's look just the same, so only what is older than [a day](AGE) counts, by the storage's clock
//! and not this machine's. Azure drops unfinished blocks after a week by itself; Google needs a lifecycle rule
//! (docs/reference/storage.md).

use std::sync::Arc;
use std::time::Duration;

use http_body_util::BodyExt as _;
use object_store::client::{HttpClient, HttpRequest};
use object_store::path::Path as Key;
use object_store::signer::{SignedUrlOptions, Signer};
use object_store::{Error as Refusal, ObjectStoreExt as _};

use super::{Bucket, repeating};
use crate::{Result, layout};

/// How old something unfinished must be to be nobody's any more, in seconds.
const AGE: i64 = 24 * 60 * 60;

/// Asks S3 for unfinished uploads, which `object_store` has no word for: it signs the question.
pub(in crate::store) struct S3Uploads {
    pub(in crate::store) signer: Arc<dyn Signer>,
    pub(in crate::store) http: HttpClient,
}

/// An unfinished upload.
struct Unfinished {
    key: String,
    id: String,
    begun: i64,
}

impl Bucket {
    /// Gives up what is unfinished and old. Returns how many there were.
    pub(in crate::store) async fn clean_up(&self) -> Result<usize> {
        let mut removed = 0;
        for (name, age) in self.private_objects().await? {
            if age > AGE {
                self.delete_named(&name).await?;
                removed += 1;
            }
        }
        let Some(uploads) = &self.uploads else { return Ok(removed) };
        let (unfinished, now) = uploads
            .list(&self.prefix)
            .await
            .map_err(|refusal| self.failed("list the unfinished uploads of", &self.prefix, &refusal))?;
        for upload in unfinished {
            let is_ours = self.prefix.is_empty() || upload.key.starts_with(&format!("{}/", self.prefix));
            let Ok(key) = Key::parse(&upload.key) else { continue };
            if is_ours && now - upload.begun > AGE {
                let abort = || self.storage.abort_multipart(&key, &upload.id);
                repeating!(self, "give up an upload of", &upload.key, abort())?;
                removed += 1;
            }
        }
        Ok(removed)
    }

    /// The unfinished objects of the private directory and their ages in seconds: differences of times that the storage gave.
    async fn private_objects(&self) -> Result<Vec<(String, i64)>> {
        let mut found = self.list_named(layout::PRIVATE_DIRECTORY).await?;
        let is_ours = |name: &str| ["/upload-", "/probe-"].iter().any(|kind| name.contains(kind));
        found.retain(|meta| is_ours(self.name(meta)));
        if found.is_empty() {
            return Ok(Vec::new());
        }
        // A fresh object's time is the storage's present.
        let name = Bucket::private_name("probe");
        let key = self.key(&name)?;
        repeating!(self, "write", &name, self.storage.put(&key, "now".into()))?;
        let now = self.head(&name).await?.map(|meta| meta.last_modified);
        self.delete_named(&name).await?;
        let now =
            now.unwrap_or_else(|| found.iter().map(|meta| meta.last_modified).max().unwrap_or_default());
        let age = |meta: &object_store::ObjectMeta| (now - meta.last_modified).num_seconds();
        Ok(found.iter().map(|meta| (self.name(meta).to_owned(), age(meta))).collect())
    }
}

impl S3Uploads {
    /// Every unfinished upload below `prefix`, and the time there.
    async fn list(&self, prefix: &str) -> Result<(Vec<Unfinished>, i64), Refusal> {
        let broken = |source: String| Refusal::Generic { store: "S3", source: source.into() };
        let mut found = Vec::new();
        let mut markers: Vec<(String, String)> = Vec::new();
        let mut now = 0;
        // A thousand a page.
        for _ in 0..100 {
            let mut query =
                vec![("uploads".to_owned(), String::new()), ("prefix".to_owned(), prefix.to_owned())];
            query.append(&mut markers);
            let options = SignedUrlOptions::default().with_query(query);
            let life = Duration::from_secs(300);
            let url = self.signer.signed_url_opts(http::Method::GET, &Key::default(), life, &options).await?;
            let request = http::Request::get(url.as_str())
                .body(object_store::client::HttpRequestBody::empty())
                .map_err(|error| broken(error.to_string()))?;
            let answer = self.http.execute(HttpRequest::from(request)).await;
            let answer = answer.map_err(|error| Refusal::Generic { store: "S3", source: Box::new(error) })?;
            let date = answer.headers().get("date").and_then(|date| date.to_str().ok()).map(str::to_owned);
            now = date.and_then(|date| unix_of_date(&date)).unwrap_or(now);
            let status = answer.status();
            let body = answer.into_body().collect().await;
            let body = body.map_err(|error| Refusal::Generic { store: "S3", source: Box::new(error) })?;
            let body = String::from_utf8_lossy(&body.to_bytes()).into_owned();
            if !status.is_success() {
                return Err(broken(format!("non-2xx status code: {status}: {body}")));
            }
            let page: Page = quick_xml::de::from_str(&body)
                .map_err(|error| broken(format!("its list of uploads: {error}")))?;
            found.extend(page.uploads.into_iter().filter_map(|upload| {
                let begun = upload.initiated.parse::<chrono::DateTime<chrono::Utc>>().ok()?.timestamp();
                Some(Unfinished { key: upload.key, id: upload.upload_id, begun })
            }));
            match (page.is_truncated, page.next_key_marker, page.next_upload_id_marker) {
                (true, Some(key), Some(id)) => {
                    markers = vec![("key-marker".into(), key), ("upload-id-marker".into(), id)];
                }
                _ => break,
            }
        }
        Ok((found, now))
    }
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Page {
    #[serde(default)]
    is_truncated: bool,
    next_key_marker: Option<String>,
    next_upload_id_marker: Option<String>,
    #[serde(rename = "Upload", default)]
    uploads: Vec<Listed>,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    key: String,
    upload_id: String,
    initiated: String,
}

/// The Unix seconds of an HTTP date (RFC 9110, section 5.6.7).
fn unix_of_date(date: &str) -> Option<i64> {
    chrono::DateTime::parse_from_rfc2822(date).ok().map(|time| time.timestamp())
}

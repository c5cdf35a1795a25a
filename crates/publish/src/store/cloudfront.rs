//! Amazon CloudFront in front of a site: telling it to forget what changed.
//!
//! One request, `CreateInvalidation` of the API of 2020-05-31
//! (<https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_CreateInvalidation.html>), signed with version 4
//! of AWS's signatures by the credentials that S3 is used with.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use http_body_util::BodyExt as _;
use object_store::aws::{AwsAuthorizer, AwsCredentialProvider};
use object_store::client::{HttpClient, HttpRequest, HttpRequestBody};
use object_store::{Error as Refusal, RetryConfig};

use super::Access;
use super::access::Aws;
use super::bucket::fault::{explain, is_passing};
use crate::{Error, ObjectPath, Result, Sha256, StorageError, layout};

/// CloudFront is one service for the whole world, which lives there.
const REGION: &str = "us-east-1";
const ENDPOINT: &str = "https://cloudfront.amazonaws.com";

/// How many files of a distribution may be in the middle of being forgotten
/// (<https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/invalidation-specifying-objects.html>).
/// Where more changed, all below the site is meant, which counts as one.
const LIMIT: usize = 3000;

/// The distribution of Amazon's CDN that serves a site.
pub struct CloudFront {
    distribution: String,
    /// The path that the site has there, without a slash at the end.
    prefix: String,
    endpoint: String,
    credentials: AwsCredentialProvider,
    http: HttpClient,
    retry: RetryConfig,
    secrets: Vec<String>,
}

impl CloudFront {
    /// The distribution with the id `distribution`, which serves the site at `public_url`. Nothing is asked yet.
    ///
    /// # Errors
    /// [`Error::Credentials`] and [`Error::Profile`] for access that cannot work.
    pub fn new(access: &Access, distribution: &str, public_url: &str) -> Result<CloudFront> {
        let Aws { credentials, http, endpoint, secrets } = access.aws_service("cloudfront")?;
        Ok(CloudFront {
            distribution: distribution.to_owned(),
            prefix: url_path(public_url).to_owned(),
            endpoint: endpoint.unwrap_or_else(|| ENDPOINT.into()).trim_end_matches('/').to_owned(),
            credentials,
            http,
            retry: access.retry(),
            secrets,
        })
    }

    /// Has the objects `changed` forgotten, so that whoever asks next gets the new ones. CloudFront takes a while to
    /// do it everywhere; nobody waits for that. Without objects nothing is sent.
    ///
    /// `occasion` must differ between two changes of the same objects: what was forgotten on the same occasion is
    /// not forgotten again.
    ///
    /// # Errors
    /// [`Error::Invalidation`]: the site is as it should be, and CloudFront may serve what was there before.
    pub async fn forget(&self, changed: &BTreeSet<ObjectPath>, occasion: &str) -> Result<()> {
        if changed.is_empty() {
            return Ok(());
        }
        let paths = self.paths(changed);
        let body = batch(&paths, occasion);
        let begun = Instant::now();
        let mut pause = self.retry.backoff.init_backoff;
        let mut retries = 0;
        loop {
            let Err(refused) = self.send(&body).await else { return Ok(()) };
            let is_last = retries == self.retry.max_retries || begun.elapsed() > self.retry.retry_timeout;
            if is_last || !refused.may_pass {
                let (distribution, count) = (self.distribution.clone(), paths.len());
                return Err(Error::Invalidation { distribution, count, source: refused.error });
            }
            retries += 1;
            let chance = crate::chance(u64::try_from(pause.as_millis()).unwrap_or(u64::MAX) / 2 + 1);
            tokio::time::sleep(pause / 2 + Duration::from_millis(chance)).await;
            pause = pause.mul_f64(self.retry.backoff.base).min(self.retry.backoff.max_backoff);
        }
    }

    /// The paths of a distribution's objects, sorted.
    fn paths(&self, changed: &BTreeSet<ObjectPath>) -> Vec<String> {
        let mut paths: Vec<String> =
            changed.iter().map(|path| format!("{}/{}", self.prefix, encoded(path.as_str()))).collect();
        if changed.iter().any(|path| path.as_str() == layout::DOWNLOAD_PAGE) {
            // The same page under the directory's name is another object to CloudFront.
            paths.insert(0, format!("{}/", self.prefix));
        }
        match paths.len() > LIMIT {
            true => vec![format!("{}/*", self.prefix)],
            false => paths,
        }
    }

    async fn send(&self, body: &str) -> Result<(), Refused> {
        let broken = |source: String| Refusal::Generic { store: "CloudFront", source: source.into() };
        let mut secrets = self.secrets.clone();
        let sent = async {
            let credential = self.credentials.get_credential().await?;
            secrets.extend([credential.key_id.clone(), credential.secret_key.clone()]);
            secrets.extend(credential.token.clone());
            let request = http::Request::post(format!(
                "{}/2020-05-31/distribution/{}/invalidation",
                self.endpoint, self.distribution
            ))
            .header(http::header::CONTENT_TYPE, "application/xml")
            .body(HttpRequestBody::from(body.to_owned()))
            .map_err(|error| broken(error.to_string()))?;
            let mut request = HttpRequest::from(request);
            AwsAuthorizer::new(&credential, "cloudfront", REGION).try_authorize(&mut request, None)?;
            let answer = self.http.execute(request).await;
            let answer =
                answer.map_err(|error| Refusal::Generic { store: "CloudFront", source: Box::new(error) })?;
            let status = answer.status();
            if status.is_success() {
                return Ok(());
            }
            let body = answer.into_body().collect().await;
            let body =
                body.map_err(|error| Refusal::Generic { store: "CloudFront", source: Box::new(error) })?;
            let body = String::from_utf8_lossy(&body.to_bytes()).into_owned();
            Err(broken(format!("non-2xx status code: {status}: {body}")))
        };
        let sent: object_store::Result<()> = sent.await;
        sent.map_err(|refusal| Refused { may_pass: is_passing(&refusal), error: explain(&refusal, &secrets) })
    }
}

impl std::fmt::Debug for CloudFront {
    /// Only which it is: what it is reached with is nobody's business.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CloudFront({})", self.distribution)
    }
}

struct Refused {
    error: StorageError,
    may_pass: bool,
}

/// The `InvalidationBatch`.
fn batch(paths: &[String], occasion: &str) -> String {
    let digest = Sha256::of(paths.join("\n").as_bytes()).to_string();
    let mut text = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <InvalidationBatch xmlns=\"http://cloudfront.amazonaws.com/doc/2020-05-31/\">\n<Paths>\n",
    );
    let _ = writeln!(text, "<Quantity>{}</Quantity>\n<Items>", paths.len());
    for path in paths {
        let _ = writeln!(text, "<Path>{}</Path>", quick_xml::escape::escape(path.as_str()));
    }
    let reference = format!("packhouse-{occasion}-{}", digest.get(..16).unwrap_or(&digest));
    let reference = quick_xml::escape::escape(reference.as_str());
    let _ = write!(
        text,
        "</Items>\n</Paths>\n<CallerReference>{reference}</CallerReference>\n</InvalidationBatch>\n"
    );
    text
}

/// What CloudFront wants encoded in a path: what is not ASCII, and the characters that RFC 1738, section 2.2, calls
/// unsafe. It forgets nothing where another character is encoded
/// (<https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/invalidation-specifying-objects.html>).
fn encoded(path: &str) -> String {
    let is_unsafe = |byte: u8| b"<>\"#%{}|\\^~[]`".contains(&byte);
    let mut text = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_graphic() && !is_unsafe(byte) {
            text.push(char::from(byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

/// `/orchestrator` of `https://dist.example.com/orchestrator/`.
fn url_path(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    rest.find('/').and_then(|at| rest.get(at..)).unwrap_or_default().trim_end_matches('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_encoded_as_cloudfront_wants_it() {
        assert_eq!(encoded("debian/a_1.0~rc1+b:2^3_all.deb"), "debian/a_1.0%7Erc1+b:2%5E3_all.deb");
        assert_eq!(encoded("debian/ü b%.deb"), "debian/%C3%BC%20b%25.deb");
    }

    #[test]
    fn the_site_has_the_path_of_its_address() {
        for (url, path) in [
            ("https://dist.example.com", ""),
            ("https://dist.example.com/", ""),
            ("https://dist.example.com/a/b/", "/a/b"),
            ("https://dist.example.com/a?b/c", "/a"),
        ] {
            assert_eq!(url_path(url), path, "{url}");
        }
    }

    #[test]
    fn thousands_of_changes_are_one_path() {
        let access = Access::new([("AWS_ACCESS_KEY_ID", "A"), ("AWS_SECRET_ACCESS_KEY", "B")], None);
        let cdn = CloudFront::new(&access, "E2ABCDEF", "https://dist.example.com/a").unwrap();
        let names = |count| (0..count).map(|n| ObjectPath::new(format!("x/{n}")).unwrap()).collect();
        assert_eq!(cdn.paths(&names(3000)).len(), 3000);
        assert_eq!(cdn.paths(&names(3001)), ["/a/*"]);
    }
}

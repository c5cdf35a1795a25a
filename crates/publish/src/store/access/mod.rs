//! How to get at a bucket: the variables and profile files that everybody's tools use, as values.
//!
//! Nothing here looks at the environment: the program hands over the variables it knows ([`Access::new`]), and
//! the user's directory. The value has no `Debug`, and what it holds never reaches an error.

mod azure;
mod google;
mod s3;
mod signing;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Once};
use std::time::Duration;

use object_store::client::{HttpConnector as _, ReqwestConnector};
use object_store::{BackoffConfig, Certificate, ClientOptions, RetryConfig};

use super::bucket::{Bucket, ObjectStorage};
use super::location::{Kind, Place};
use crate::{Error, Result};

pub(super) use s3::Aws;

/// What a publisher may use to reach buckets, and how it behaves there.
#[derive(Clone, Default)]
pub struct Access {
    variables: BTreeMap<String, String>,
    home: Option<PathBuf>,
    single_writer: bool,
    impatient: bool,
}

impl Access {
    /// Access by the variables that AWS's, Google's and Azure's own tools know (`AWS_PROFILE`,
    /// `GOOGLE_APPLICATION_CREDENTIALS`, `AZURE_STORAGE_ACCOUNT`, …; the reference lists them) and by the profile
    /// files in the user's directory `home`. Empty variables count as unset.
    pub fn new(
        variables: impl IntoIterator<Item = (impl Into<String>, impl Into<String>)>,
        home: Option<PathBuf>,
    ) -> Access {
        let variables = variables.into_iter().map(|(name, value)| (name.into(), value.into()));
        Access {
            variables: variables.filter(|(_, value)| !value.is_empty()).collect(),
            home,
            ..Access::default()
        }
    }

    /// The caller promises that nobody else writes to the site meanwhile, so that storage without conditional
    /// writes will do.
    #[must_use]
    pub fn single_writer(mut self, promised: bool) -> Access {
        self.single_writer = promised;
        self
    }

    /// Gives up after a second or so instead of minutes when storage does not answer: for tests, and for looking
    /// whether anybody is there.
    #[must_use]
    pub fn impatient(mut self) -> Access {
        self.impatient = true;
        self
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }

    fn first(&self, names: &[&str]) -> Option<&str> {
        names.iter().find_map(|name| self.get(name))
    }

    /// A file of the user's, such as `.aws/config`.
    fn home_file(&self, name: &str) -> Option<PathBuf> {
        self.home.as_ref().map(|home| home.join(name))
    }

    /// Every value that must not be shown. Most are harmless; none is worth telling apart.
    fn secrets(&self) -> Vec<String> {
        let harmless =
            ["REGION", "PROFILE", "FILE", "ENDPOINT", "HOST", "ACCOUNT", "ACCOUNT_NAME", "BUNDLE", "URL"];
        let is_secret = |name: &str| !harmless.iter().any(|harmless| name.ends_with(harmless));
        self.variables.iter().filter(|(name, _)| is_secret(name)).map(|(_, value)| value.clone()).collect()
    }

    /// Connects to a bucket; nothing is asked yet.
    pub(super) fn bucket(&self, place: &Place) -> Result<Bucket> {
        install_tls();
        let mut bucket = match place.kind {
            Kind::S3 => s3::connect(self, place)?,
            Kind::Google => google::connect(self, place)?,
            Kind::Azure => azure::connect(self, place)?,
        };
        bucket.single_writer = self.single_writer;
        Ok(bucket)
    }

    /// What AWS's service `name` is reached with; nothing is asked yet.
    pub(super) fn aws_service(&self, name: &str) -> Result<Aws> {
        install_tls();
        s3::service(self, name)
    }

    /// How connections are made. Proxies (`HTTPS_PROXY`, `NO_PROXY`) and the system's certificates
    /// (`SSL_CERT_FILE`) are the HTTP library's own business.
    fn client(&self, endpoint: Option<&str>) -> Result<ClientOptions> {
        let seconds =
            |patient, impatient| Duration::from_secs(if self.impatient { impatient } else { patient });
        let mut options = ClientOptions::new()
            .with_user_agent(http::HeaderValue::from_static(concat!("packhouse/", env!("CARGO_PKG_VERSION"))))
            .with_allow_http(endpoint.is_some_and(|endpoint| endpoint.starts_with("http://")))
            .with_connect_timeout(seconds(10, 1))
            // A part of 8 MiB at 70 kB/s.
            .with_timeout(seconds(120, 2));
        if let Some(bundle) = self.get("AWS_CA_BUNDLE") {
            let path = Path::new(bundle);
            let pem = fs_err::read(path).map_err(|source| Error::Read { path: path.into(), source })?;
            let certificates = Certificate::from_pem_bundle(&pem)
                .map_err(|_| credentials(format!("AWS_CA_BUNDLE: {bundle} holds no certificates")))?;
            for certificate in certificates {
                options = options.with_root_certificate(certificate);
            }
        }
        Ok(options)
    }

    /// Exponential, with jitter: 5xx and 429 answers, connections that cannot be made or break.
    pub(super) fn retry(&self) -> RetryConfig {
        let (init, max, retries, timeout) = if self.impatient { (5, 50, 3, 2) } else { (200, 10_000, 8, 90) };
        RetryConfig {
            backoff: BackoffConfig {
                init_backoff: Duration::from_millis(init),
                max_backoff: Duration::from_millis(max),
                base: 2.0,
            },
            max_retries: retries,
            retry_timeout: Duration::from_secs(timeout),
        }
    }
}

/// Ring does TLS, for the whole process, once.
pub(crate) fn install_tls() {
    static ONCE: Once = Once::new();
    // Someone else's choice is as good.
    ONCE.call_once(|| drop(rustls::crypto::ring::default_provider().install_default()));
}

fn credentials(reason: String) -> Error {
    Error::Credentials { reason }
}

/// The error of a builder; what it says names settings, and may repeat their values.
fn unusable(what: &str, refusal: &object_store::Error, access: &Access) -> Error {
    let mut reason = format!("{what}: {refusal}");
    for secret in access.secrets().iter().filter(|secret| secret.len() >= 4) {
        reason = reason.replace(secret.as_str(), "…");
    }
    credentials(reason)
}

fn bucket(access: &Access, place: &Place, endpoint: &str, storage: Arc<dyn ObjectStorage>) -> Bucket {
    let mut bucket = Bucket::new(place.url(), place.prefix.clone(), storage);
    bucket.endpoint = format!("{endpoint} {}", place.bucket);
    bucket.secrets = access.secrets();
    bucket
}

fn http_client(options: &ClientOptions) -> object_store::Result<object_store::client::HttpClient> {
    ReqwestConnector::default().connect(options)
}

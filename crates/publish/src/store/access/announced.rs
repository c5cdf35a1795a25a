//! An HTTP client that sends nothing but what was announced.
//!
//! `object_store` hashes every body for the signature of its request and leaves the digest in `x-amz-content-sha256`
//! (AWS's "Authenticating Requests"). Compared with [what the digest should be](Announced), it proves that a file is
//! still what it was when its signature was verified, without hashing it once more.

use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService,
    ReqwestConnector,
};

use crate::Sha256;
use crate::store::bucket::{Announced, OtherBytes};

/// Connects clients that compare.
#[derive(Debug)]
pub(super) struct Comparing;

impl HttpConnector for Comparing {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        ReqwestConnector::default().connect(options).map(|client| HttpClient::new(Service(client)))
    }
}

#[derive(Debug)]
struct Service(HttpClient);

#[async_trait::async_trait]
impl HttpService for Service {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        if let Some(Announced(expected)) = request.extensions().get() {
            // Of this sort, a request is not made again.
            let refuse = |error: Box<dyn std::error::Error + Send + Sync>| {
                Err(HttpError::new_boxed(HttpErrorKind::Unknown, error))
            };
            let signed = request.headers().get("x-amz-content-sha256");
            let signed = signed.and_then(|digest| digest.to_str().ok()?.parse::<Sha256>().ok());
            match signed {
                Some(found) if found == *expected => {}
                Some(found) => return refuse(Box::new(OtherBytes { found })),
                None => return refuse("a request without the digest of its body is not sent".into()),
            }
        }
        self.0.execute(request).await
    }
}

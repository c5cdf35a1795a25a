//! An HTTP client that signs S3 requests with digests that are known.
//!
//! `object_store` hashes every body for the signature of its request, and once more for a checksum that S3 is to
//! verify. A file was just hashed, when it was read to be sent: its request is signed here with [that digest](Digests),
//! which the server compares with what arrives (AWS's "Authenticating Requests"), and has its MD5 digest, which a
//! server makes anyway, in `Content-MD5`. A bucket with Object Lock wants one of the checksums.

use std::fmt;

use http::HeaderValue;
use object_store::ClientOptions;
use object_store::aws::{AwsAuthorizer, AwsCredentialProvider};
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService,
    ReqwestConnector,
};

use crate::store::bucket::Digests;

/// Connects such clients; what they are given is signed by somebody else, but for requests with [`Digests`].
pub(super) struct Signing {
    pub(super) credentials: AwsCredentialProvider,
    pub(super) region: String,
}

impl HttpConnector for Signing {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let http = ReqwestConnector::default().connect(options)?;
        let (credentials, region) = (self.credentials.clone(), self.region.clone());
        Ok(HttpClient::new(Service { http, signing: Signing { credentials, region } }))
    }
}

impl fmt::Debug for Signing {
    /// Nothing of what it signs with.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signing")
    }
}

#[derive(Debug)]
struct Service {
    http: HttpClient,
    signing: Signing,
}

#[async_trait::async_trait]
impl HttpService for Service {
    async fn call(&self, mut request: HttpRequest) -> Result<HttpResponse, HttpError> {
        if let Some(Digests { sha256, md5 }) = request.extensions().get().copied() {
            let failed = |refusal: object_store::Error| HttpError::new(HttpErrorKind::Unknown, refusal);
            let credential = self.signing.credentials.get_credential().await.map_err(failed)?;
            let md5 = HeaderValue::from_str(&base64(&md5)).expect("base64 is ASCII");
            request.headers_mut().insert("content-md5", md5);
            let authorizer = AwsAuthorizer::new(&credential, "s3", &self.signing.region);
            authorizer.try_authorize(&mut request, Some(sha256.as_bytes())).map_err(failed)?;
        }
        self.http.execute(request).await
    }
}

/// RFC 4648, section 4.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let bits = (0..3).fold(0, |bits, at| bits << 8 | u32::from(group.get(at).copied().unwrap_or(0)));
        for digit in 0..4 {
            match digit <= group.len() {
                true => text.push(char::from(DIGITS[(bits >> (18 - 6 * digit) & 63) as usize])),
                false => text.push('='),
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_its_specification() {
        // RFC 4648, section 10.
        let examples = [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")];
        for (text, encoded) in examples {
            assert_eq!(base64(text.as_bytes()), encoded);
        }
        assert_eq!(base64(&[0xfb, 0xff]), "+/8=");
    }
}

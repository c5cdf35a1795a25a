//! What storage said when it did not do what it was asked: bounded, without secrets, sorted by what helps.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use object_store::Error as Refusal;
use object_store::client::{HttpError, HttpErrorKind};

/// Why storage did not answer as it should.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StorageError {
    kind: StorageErrorKind,
    message: String,
}

/// The sorts of refusals that differ in what helps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StorageErrorKind {
    /// Nobody answered: no connection, a broken one, or a timeout.
    Unreachable,
    /// It answered that it is overloaded or broken (429, 5xx), also after a while.
    Unavailable,
    /// The credentials are missing, wrong or may not do this (401, 403).
    Denied,
    /// There is no such bucket or container.
    NoBucket,
    /// The bucket is in another region.
    OtherRegion,
    /// The storage's clock and this machine's are too far apart for a signature to count.
    Clock,
    /// Anything else.
    Other,
}

impl StorageError {
    /// Which sort it is.
    pub fn kind(&self) -> StorageErrorKind {
        self.kind
    }

    pub(crate) fn help(&self) -> Option<String> {
        const AGAIN: &str = "run the same command again: it finishes what is left";
        Some(match self.kind {
            StorageErrorKind::Unreachable => {
                format!("check the network and the endpoint, then {AGAIN}")
            }
            StorageErrorKind::Unavailable => format!("wait for the storage to recover, then {AGAIN}"),
            StorageErrorKind::Denied => "check the credentials and that they may read, write, list and delete \
                 there: AWS_PROFILE or AWS_ACCESS_KEY_ID, GOOGLE_APPLICATION_CREDENTIALS, AZURE_STORAGE_ACCOUNT and \
                 a key (docs/reference/storage.md)"
                .into(),
            StorageErrorKind::NoBucket => {
                "make the bucket first, or check its name, region and endpoint".into()
            }
            StorageErrorKind::OtherRegion => "set AWS_REGION to the bucket's region".into(),
            StorageErrorKind::Clock => format!("set this machine's clock, then {AGAIN}"),
            StorageErrorKind::Other => return None,
        })
    }
}

impl fmt::Display for StorageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for StorageError {}

/// How often a request that may be repeated is made. `object_store` repeats 5xx answers and refused connections
/// itself; this is for what it leaves alone, since it cannot know that a conditional write is safe to repeat.
pub(super) const TRIES: u32 = 4;

/// Whether the same request may succeed a moment later.
pub(in crate::store) fn is_passing(refusal: &Refusal) -> bool {
    matches!(refusal, Refusal::Generic { .. })
        && matches!(sort(refusal), StorageErrorKind::Unreachable | StorageErrorKind::Unavailable)
}

/// How long to wait before try number `attempt` (from 1): up to 0.2, 0.4, 0.8 … seconds, by chance, so that
/// publishers that were refused together do not come back together.
pub(super) async fn back_off(attempt: u32) {
    let longest = 100_u64 << attempt.min(7);
    tokio::time::sleep(Duration::from_millis(crate::chance(longest))).await;
}

/// What `refusal` means for people. `secrets` never appear in it.
pub(in crate::store) fn explain(refusal: &Refusal, secrets: &[String]) -> StorageError {
    let kind = sort(refusal);
    let deepest = chain(refusal).last().map(ToString::to_string).unwrap_or_default();
    let message = match answer(refusal) {
        Some((status, body)) => match element(&body, "Message") {
            Some(message) => {
                let code = element(&body, "Code").unwrap_or_default();
                format!("it answered {status} {code}: {message}")
            }
            None => format!("it answered {status}"),
        },
        None => match kind {
            StorageErrorKind::Unreachable => format!("nobody answered: {deepest}"),
            _ => deepest,
        },
    };
    StorageError { kind, message: clean(&message, secrets) }
}

fn clean(message: &str, secrets: &[String]) -> String {
    let mut message = message.to_owned();
    for secret in secrets.iter().filter(|secret| secret.len() >= 4) {
        message = message.replace(secret.as_str(), "…");
    }
    // A URL's query may be a signature.
    let words: Vec<&str> = message
        .split_whitespace()
        .map(|word| match word.split_once('?') {
            Some((url, _)) if url.contains("://") => url,
            _ => word,
        })
        .collect();
    let mut message: String = words.join(" ").chars().filter(|character| !character.is_control()).collect();
    if message.len() > 400 {
        let end = (0..=400).rev().find(|&end| message.is_char_boundary(end)).unwrap_or(0);
        message.truncate(end);
        message.push('…');
    }
    message
}

fn sort(refusal: &Refusal) -> StorageErrorKind {
    let body = answer(refusal).map(|(_, body)| body).unwrap_or_default();
    let code = element(&body, "Code").unwrap_or_default();
    match (code.as_str(), answer(refusal).map(|(status, _)| status)) {
        ("NoSuchBucket" | "ContainerNotFound", _) => StorageErrorKind::NoBucket,
        ("RequestTimeTooSkewed", _) => StorageErrorKind::Clock,
        ("PermanentRedirect" | "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException", _)
        | (_, Some(300..=399)) => StorageErrorKind::OtherRegion,
        (_, Some(401 | 403)) => StorageErrorKind::Denied,
        (_, Some(408 | 429 | 500..=599)) => StorageErrorKind::Unavailable,
        // `InternalError` and `SlowDown` may come inside a 200 (S3's CompleteMultipartUpload).
        ("InternalError" | "SlowDown" | "ServiceUnavailable", _) => StorageErrorKind::Unavailable,
        // CloudFront answers these with 400.
        ("TooManyInvalidationsInProgress" | "Throttling", _) => StorageErrorKind::Unavailable,
        (_, Some(_)) => StorageErrorKind::Other,
        (_, None) => without_an_answer(refusal),
    }
}

fn without_an_answer(refusal: &Refusal) -> StorageErrorKind {
    match refusal {
        Refusal::PermissionDenied { .. } | Refusal::Unauthenticated { .. } => {
            return StorageErrorKind::Denied;
        }
        _ => {}
    }
    for cause in chain(refusal) {
        if let Some(http) = cause.downcast_ref::<HttpError>() {
            return match http.kind() {
                HttpErrorKind::Unknown => StorageErrorKind::Other,
                _ => StorageErrorKind::Unreachable,
            };
        }
        if cause.downcast_ref::<std::io::Error>().is_some() {
            return StorageErrorKind::Unreachable;
        }
        if cause.to_string().starts_with("Received redirect without LOCATION") {
            return StorageErrorKind::OtherRegion;
        }
    }
    StorageErrorKind::Other
}

fn chain<'a>(refusal: &'a Refusal) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    let first: &'a (dyn StdError + 'static) = refusal;
    std::iter::successors(Some(first), |error: &&'a (dyn StdError + 'static)| (*error).source())
}

/// The status and body that were answered. The type that holds them is private to `object_store`; its text is not.
pub(super) fn answer(refusal: &Refusal) -> Option<(u16, String)> {
    chain(refusal).find_map(|cause| {
        let text = cause.to_string();
        let (_, rest) = text.split_once("non-2xx status code: ")?;
        let status = rest.get(..3)?.parse().ok()?;
        Some((status, rest.to_owned()))
    })
}

/// The text of an XML element of an error document; they are flat.
fn element(body: &str, name: &str) -> Option<String> {
    let (_, rest) = body.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once('<')?;
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

//! What `publish.to` names: a directory of this machine, or a bucket and a prefix in it.

use std::path::{Path, PathBuf};

use crate::{Error, ObjectPath, Result};

/// Where a site is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Location {
    Directory(PathBuf),
    Bucket(Place),
}

/// A bucket (Azure: a container) and what every key of the site begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) kind: Kind,
    pub(super) bucket: String,
    /// Without a slash at either end; empty for the whole bucket.
    pub(super) prefix: String,
}

/// Whose storage it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    S3,
    Google,
    Azure,
}

impl Kind {
    fn scheme(self) -> &'static str {
        match self {
            Kind::S3 => "s3",
            Kind::Google => "gs",
            Kind::Azure => "az",
        }
    }
}

impl Place {
    /// The URL as it is shown: it never holds a secret, since one with a user or a query is refused.
    pub(super) fn url(&self) -> String {
        let slash = if self.prefix.is_empty() { "" } else { "/" };
        format!("{}://{}{slash}{}", self.kind.scheme(), self.bucket, self.prefix)
    }
}

impl Location {
    /// A path is relative to `base`.
    pub(super) fn parse(to: &str, base: &Path) -> Result<Location> {
        let Some((scheme, rest)) = to.split_once("://") else {
            // Joined to `base`, nothing would be all of it.
            return match to {
                "" => Err(Error::FileUrl { url: String::new() }),
                path => Ok(Location::Directory(base.join(path))),
            };
        };
        let kind = match scheme.to_ascii_lowercase().as_str() {
            "file" => return file_url(to, rest).map(Location::Directory),
            "s3" => Kind::S3,
            "gs" => Kind::Google,
            "az" => Kind::Azure,
            _ => return Err(Error::Scheme { scheme: scheme.escape_debug().to_string() }),
        };
        place(kind, rest).map(Location::Bucket)
    }
}

fn place(kind: Kind, rest: &str) -> Result<Place> {
    let wrong = |reason| Err(Error::BucketUrl { scheme: kind.scheme(), reason });
    if rest.contains(['@', '?', '#']) {
        return wrong("it has a user, a query or a fragment, where keys and tokens do not belong");
    }
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let good = |character: char| character.is_ascii_alphanumeric() || "-._$".contains(character);
    if bucket.is_empty() || !bucket.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '$') {
        return wrong("it names no bucket");
    }
    if bucket.len() > 222 || !bucket.chars().all(good) {
        return wrong("the bucket's name has a character that no bucket's has");
    }
    let prefix = prefix.trim_end_matches('/');
    if !prefix.is_empty() && ObjectPath::new(prefix).is_err() {
        return wrong("what follows the bucket is no path");
    }
    Ok(Place { kind, bucket: bucket.to_owned(), prefix: prefix.to_owned() })
}

/// The path of a `file://` URL (RFC 8089): no host or `localhost`, percent-encoded.
fn file_url(url: &str, rest: &str) -> Result<PathBuf> {
    use std::os::unix::ffi::OsStringExt as _;
    let wrong = || Error::FileUrl { url: url.escape_debug().to_string() };
    let path = rest.strip_prefix("localhost").unwrap_or(rest);
    if !path.starts_with('/') {
        return Err(wrong());
    }
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let mut digit =
                    || rest.next().and_then(|digit| char::from(digit).to_digit(16)).ok_or_else(wrong);
                let (high, low) = (digit()?, digit()?);
                u8::try_from(high << 4 | low).map_err(|_| wrong())?
            }
            other => other,
        });
    }
    if bytes.contains(&0) {
        return Err(wrong());
    }
    Ok(PathBuf::from(std::ffi::OsString::from_vec(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(to: &str) -> Result<Location> {
        Location::parse(to, Path::new("/project"))
    }

    #[test]
    fn a_site_is_a_path_or_a_file_url() {
        let directory = |path: &str| Location::Directory(path.into());
        assert_eq!(parse("site").unwrap(), directory("/project/site"));
        assert_eq!(parse("/srv/site").unwrap(), directory("/srv/site"));
        assert_eq!(parse("file:///srv/my%20site").unwrap(), directory("/srv/my site"));
        assert_eq!(parse("FILE://localhost/srv").unwrap(), directory("/srv"));
        for bad in
            ["", "file://other-host/srv", "file://relative", "file:///%zz", "file:///a%00b", "file:///%4"]
        {
            assert!(matches!(parse(bad), Err(Error::FileUrl { .. })), "{bad}");
        }
    }

    #[test]
    fn a_site_is_a_bucket_and_a_prefix() {
        for (to, kind, bucket, prefix) in [
            ("s3://dist.metrist.io/orchestrator", Kind::S3, "dist.metrist.io", "orchestrator"),
            ("S3://b", Kind::S3, "b", ""),
            ("gs://b/", Kind::Google, "b", ""),
            ("az://$web/a/b/", Kind::Azure, "$web", "a/b"),
        ] {
            let place = Place { kind, bucket: bucket.into(), prefix: prefix.into() };
            assert_eq!(parse(to).unwrap(), Location::Bucket(place), "{to}");
        }
        for bad in
            ["s3://", "s3:///a", "s3://a b", "s3://b//a", "s3://b/../a", "s3://b/.packhouse", "s3://b/a\n"]
        {
            assert!(matches!(parse(bad), Err(Error::BucketUrl { .. })), "{bad}");
        }
    }

    #[test]
    fn what_may_be_a_secret_is_not_repeated() {
        for to in ["s3://key:hunter2@bucket/x", "az://c/x?sig=hunter2", "ftp://key:hunter2@host/x"] {
            let error = parse(to).unwrap_err();
            let said = format!("{error} {error:?} {:?}", error.help());
            assert!(!said.contains("hunter2"), "{said}");
        }
        assert!(parse("ftp://x/").unwrap_err().help().unwrap().contains("s3://"));
    }
}

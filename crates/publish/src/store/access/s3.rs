//! Amazon S3 and what speaks like it: MinIO, Ceph, R2, Garage, …
//!
//! Credentials are looked for where AWS's tools look, in their order: the variables, a web identity token
//! (`AWS_WEB_IDENTITY_TOKEN_FILE`, as in EKS and with OIDC in CI), the profile files, a container's or an EC2
//! instance's service.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use http::HeaderMap;
use object_store::aws::{
    AmazonS3Builder, AmazonS3ConfigKey, AwsCredentialProvider, Checksum, S3ConditionalPut,
};
use object_store::client::HttpClient;

use super::signing::Signing;
use super::{Access, bucket, credentials, http_client, unusable};
use crate::store::bucket::{Bucket, S3Uploads};
use crate::store::location::Place;
use crate::{Error, Result};

pub(super) fn connect(access: &Access, place: &Place) -> Result<Bucket> {
    let profile = Profile::read(access)?;
    let region = access
        .first(&["AWS_REGION", "AWS_DEFAULT_REGION"])
        .or_else(|| profile.get("region"))
        .unwrap_or("us-east-1");
    let endpoint = access
        .first(&["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"])
        .or_else(|| profile.get("s3.endpoint_url"))
        .or_else(|| profile.get("endpoint_url"));
    let options = access.client(endpoint)?;
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(&place.bucket)
        .with_region(region)
        .with_retry(access.retry())
        .with_client_options(options.clone())
        .with_conditional_put(S3ConditionalPut::ETagMatch)
        // Many servers do not know `DeleteObjects`.
        .with_disable_bulk_delete(true);
    if let Some(endpoint) = endpoint {
        builder = builder.with_endpoint(endpoint);
    }
    builder = with_credentials(builder, access, &profile)?;
    let failed = |refusal: object_store::Error| unusable("S3", &refusal, access);
    let plain = builder.clone();
    // The server refuses what did not arrive as it was sent; the digest is computed for the signature anyway.
    builder = builder.with_checksum_algorithm(Checksum::SHA256);
    let storage = Arc::new(builder.clone().build().map_err(failed)?);
    let signing = Signing { credentials: Arc::clone(storage.credentials()), region: region.to_owned() };
    let files = plain.with_unsigned_payload(true).with_http_connector(signing);
    // object_store completes multipart uploads unconditionally; a header on every request of a client that does
    // nothing else makes it a condition.
    let mut absent = HeaderMap::new();
    absent.insert(http::header::IF_NONE_MATCH, http::HeaderValue::from_static("*"));
    let conditional = builder.with_client_options(options.clone().with_default_headers(absent));
    let mut bucket = bucket(access, place, endpoint.unwrap_or(region), storage.clone());
    bucket.completes_if_absent = Some(Arc::new(conditional.build().map_err(failed)?));
    bucket.files = Some(Arc::new(files.build().map_err(failed)?));
    bucket.uploads = Some(S3Uploads { signer: storage, http: http_client(&options).map_err(failed)? });
    bucket.secrets.extend(profile.secrets());
    Ok(bucket)
}

/// What another of AWS's services is reached with.
pub(in crate::store) struct Aws {
    pub(in crate::store) credentials: AwsCredentialProvider,
    pub(in crate::store) http: HttpClient,
    /// Another server than the service's own.
    pub(in crate::store) endpoint: Option<String>,
    /// What must never be shown.
    pub(in crate::store) secrets: Vec<String>,
}

/// The service `name`, in lower case as in the profile files, by the credentials that S3 is used with.
pub(super) fn service(access: &Access, name: &str) -> Result<Aws> {
    let profile = Profile::read(access)?;
    let variable = format!("AWS_ENDPOINT_URL_{}", name.to_ascii_uppercase());
    let endpoint = access
        .first(&[&variable, "AWS_ENDPOINT_URL"])
        .or_else(|| profile.get(&format!("{name}.endpoint_url")))
        .or_else(|| profile.get("endpoint_url"));
    let options = access.client(endpoint)?;
    let failed = |refusal: object_store::Error| unusable(name, &refusal, access);
    // Only the client of a bucket, of whichever, finds credentials.
    let builder = AmazonS3Builder::new()
        .with_bucket_name(name)
        .with_retry(access.retry())
        .with_client_options(options.clone());
    let client = with_credentials(builder, access, &profile)?.build().map_err(failed)?;
    Ok(Aws {
        credentials: Arc::clone(client.credentials()),
        http: http_client(&options).map_err(failed)?,
        endpoint: endpoint.map(str::to_owned),
        secrets: access.secrets().into_iter().chain(profile.secrets()).collect(),
    })
}

fn with_credentials(
    mut builder: AmazonS3Builder,
    access: &Access,
    profile: &Profile,
) -> Result<AmazonS3Builder> {
    if let Some(keys) = Keys::find(access, profile)? {
        builder = builder.with_access_key_id(keys.id).with_secret_access_key(keys.secret);
        if let Some(token) = keys.token {
            builder = builder.with_token(token);
        }
    } else {
        for (variable, key) in [
            ("AWS_WEB_IDENTITY_TOKEN_FILE", AmazonS3ConfigKey::WebIdentityTokenFile),
            ("AWS_ROLE_ARN", AmazonS3ConfigKey::RoleArn),
            ("AWS_ROLE_SESSION_NAME", AmazonS3ConfigKey::RoleSessionName),
            ("AWS_ENDPOINT_URL_STS", AmazonS3ConfigKey::StsEndpoint),
            ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", AmazonS3ConfigKey::ContainerCredentialsRelativeUri),
            ("AWS_CONTAINER_CREDENTIALS_FULL_URI", AmazonS3ConfigKey::ContainerCredentialsFullUri),
            ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", AmazonS3ConfigKey::ContainerAuthorizationTokenFile),
        ] {
            if let Some(value) = access.get(variable) {
                builder = builder.with_config(key, value);
            }
        }
    }
    Ok(builder)
}

struct Keys {
    id: String,
    secret: String,
    token: Option<String>,
}

impl Keys {
    fn find(access: &Access, profile: &Profile) -> Result<Option<Keys>> {
        let owned = |value: Option<&str>| value.map(str::to_owned);
        let of = |id: Option<&str>, secret: Option<&str>, token: Option<&str>, from: &str| match (id, secret)
        {
            (Some(id), Some(secret)) => {
                Ok(Some(Keys { id: id.to_owned(), secret: secret.to_owned(), token: owned(token) }))
            }
            (None, None) => Ok(None),
            _ => Err(credentials(format!("{from} has one of an access key's two halves"))),
        };
        // A profile that is asked for by name comes before keys that happen to be set (as in AWS's tools since
        // version 2 of their reference), but not before the variables of a session.
        let variables = of(
            access.get("AWS_ACCESS_KEY_ID"),
            access.get("AWS_SECRET_ACCESS_KEY"),
            access.get("AWS_SESSION_TOKEN"),
            "the environment",
        )?;
        if variables.is_some() || access.get("AWS_WEB_IDENTITY_TOKEN_FILE").is_some() {
            return Ok(variables);
        }
        let keys = of(
            profile.get("aws_access_key_id"),
            profile.get("aws_secret_access_key"),
            profile.get("aws_session_token"),
            &format!("the profile `{}`", profile.name),
        )?;
        if keys.is_none() {
            profile.refuse_what_it_needs_aws_for()?;
        }
        Ok(keys)
    }
}

/// A profile of `~/.aws/config` and `~/.aws/credentials`.
struct Profile {
    name: String,
    values: BTreeMap<String, String>,
}

impl Profile {
    fn read(access: &Access) -> Result<Profile> {
        let named = access.first(&["AWS_PROFILE", "AWS_DEFAULT_PROFILE"]);
        let name = named.unwrap_or("default").to_owned();
        let file = |variable, standard| {
            access.get(variable).map(PathBuf::from).or_else(|| access.home_file(standard))
        };
        let mut values = BTreeMap::new();
        let mut known = false;
        let config = text(file("AWS_CONFIG_FILE", ".aws/config"))?;
        let sections = sections(&config);
        // In `config` every profile but the default one says that it is one.
        for heading in [format!("profile {name}"), name.clone()] {
            if heading != name && name == "default" {
                continue;
            }
            if let Some(found) = sections.get(&heading) {
                known = true;
                values.extend(found.clone());
            }
        }
        if let Some(services) =
            values.get("services").and_then(|name| sections.get(&format!("services {name}")))
        {
            values.extend(services.clone());
        }
        let credentials_file = text(file("AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials"))?;
        if let Some(found) = self::sections(&credentials_file).get(&name) {
            known = true;
            values.extend(found.clone());
        }
        if named.is_some() && !known {
            return Err(credentials(format!("there is no AWS profile `{name}`")));
        }
        Ok(Profile { name, values })
    }

    fn get(&self, key: &str) -> Option<&str> {
        self.values.get(key).map(String::as_str).filter(|value| !value.is_empty())
    }

    fn secrets(&self) -> impl Iterator<Item = String> {
        ["aws_access_key_id", "aws_secret_access_key", "aws_session_token"]
            .into_iter()
            .filter_map(|key| self.get(key).map(str::to_owned))
    }

    /// Some profiles only say how AWS's own tools get at keys.
    fn refuse_what_it_needs_aws_for(&self) -> Result<()> {
        let kinds = ["role_arn", "sso_session", "sso_start_url", "credential_process", "login_session"];
        match kinds.into_iter().find(|kind| self.get(kind).is_some()) {
            None => Ok(()),
            Some(kind) => Err(Error::Profile { name: self.name.clone(), kind }),
        }
    }
}

fn text(path: Option<PathBuf>) -> Result<String> {
    let Some(path) = path else { return Ok(String::new()) };
    match fs_err::read_to_string(&path) {
        Ok(text) => Ok(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        Err(source) => Err(Error::Read { path, source }),
    }
}

/// The sections of a profile file
/// (<https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html>): `[heading]`, `key = value`, and below a
/// key without a value indented keys, which are named `key.inner`. Comments start a line, or follow a blank.
fn sections(text: &str) -> BTreeMap<String, BTreeMap<String, String>> {
    let mut sections = BTreeMap::<String, BTreeMap<String, String>>::new();
    let mut heading = None;
    let mut outer = String::new();
    for line in text.lines() {
        let content = line.trim();
        if content.is_empty() || content.starts_with(['#', ';']) {
            continue;
        }
        if let Some(inside) = content.strip_prefix('[') {
            let inside = inside.split(']').next().unwrap_or_default();
            heading = Some(inside.split_whitespace().collect::<Vec<_>>().join(" "));
            continue;
        }
        let (Some(heading), Some((key, value))) = (&heading, content.split_once('=')) else { continue };
        let value = value.split([' ', '\t']).map(str::trim).collect::<Vec<_>>().join(" ");
        let value =
            value.split(" #").next().unwrap_or_default().split(" ;").next().unwrap_or_default().trim();
        let key = key.trim().to_ascii_lowercase();
        let name = match line.starts_with([' ', '\t']) && !outer.is_empty() {
            true => format!("{outer}.{key}"),
            false => {
                outer = if value.is_empty() { key.clone() } else { String::new() };
                key
            }
        };
        sections.entry(heading.clone()).or_default().insert(name, value.to_owned());
    }
    sections
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = "\
# what everybody has
[default]
region = eu-west-1
[profile release]
region=eu-north-1   # near
services = here
s3 =
  addressing_style = path
aws_access_key_id = FROMCONFIG
[ services   here ]
s3 =
    endpoint_url = http://127.0.0.1:9
[profile sso]
sso_session = x
";

    fn access(directory: &std::path::Path, variables: &[(&str, &str)]) -> Access {
        Access::new(variables.iter().copied(), Some(directory.into()))
    }

    fn home() -> tempfile::TempDir {
        let home = tempfile::tempdir().unwrap();
        fs_err::create_dir(home.path().join(".aws")).unwrap();
        fs_err::write(home.path().join(".aws/config"), CONFIG).unwrap();
        let keys = "[release]\naws_access_key_id = AK\naws_secret_access_key = S=K/+\n[half]\naws_access_key_id = A\n";
        fs_err::write(home.path().join(".aws/credentials"), keys).unwrap();
        home
    }

    #[test]
    fn a_profile_is_read_from_both_files() {
        let home = home();
        let access = access(home.path(), &[("AWS_PROFILE", "release")]);
        let profile = Profile::read(&access).unwrap();
        assert_eq!(profile.get("region"), Some("eu-north-1"));
        assert_eq!(profile.get("s3.endpoint_url"), Some("http://127.0.0.1:9"));
        let keys = Keys::find(&access, &profile).unwrap().unwrap();
        assert_eq!((keys.id.as_str(), keys.secret.as_str(), keys.token), ("AK", "S=K/+", None));
        assert!(access.bucket(&place()).is_ok());
    }

    fn place() -> Place {
        Place { kind: crate::store::location::Kind::S3, bucket: "b".into(), prefix: String::new() }
    }

    #[test]
    fn variables_come_before_profiles() {
        let home = home();
        let variables =
            [("AWS_PROFILE", "release"), ("AWS_ACCESS_KEY_ID", "V"), ("AWS_SECRET_ACCESS_KEY", "W")];
        let access = access(home.path(), &variables);
        let keys = Keys::find(&access, &Profile::read(&access).unwrap()).unwrap().unwrap();
        assert_eq!((keys.id.as_str(), keys.secret.as_str()), ("V", "W"));
    }

    #[test]
    fn a_profile_that_cannot_be_used_says_why_and_what_instead() {
        let home = home();
        let error = |name| {
            let access = access(home.path(), &[("AWS_PROFILE", name)]);
            access.bucket(&place()).map(|_| ()).unwrap_err()
        };
        assert_eq!(
            error("nobody").to_string(),
            "the storage cannot be used: there is no AWS profile `nobody`"
        );
        assert!(error("half").to_string().ends_with("has one of an access key's two halves"));
        let sso = error("sso");
        assert_eq!(
            sso.to_string(),
            "the AWS profile `sso` gets its keys by `sso_session`, which only AWS's tools can"
        );
        assert!(sso.help().unwrap().contains("aws configure export-credentials --profile sso --format env"));
    }
}

//! Google Cloud Storage, by its XML API, with application default credentials: the file that
//! `GOOGLE_APPLICATION_CREDENTIALS` names, else what `gcloud auth application-default login` left, else the
//! service of the machine it runs on.

use std::sync::Arc;

use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};

use super::{Access, bucket, unusable};
use crate::Result;
use crate::store::bucket::Bucket;
use crate::store::location::Place;

pub(super) fn connect(access: &Access, place: &Place) -> Result<Bucket> {
    // The emulator's variable of Google's own libraries; it has no credentials.
    let emulator = access.get("STORAGE_EMULATOR_HOST").map(|host| match host.contains("://") {
        true => host.to_owned(),
        false => format!("http://{host}"),
    });
    let mut builder = GoogleCloudStorageBuilder::new()
        .with_bucket_name(&place.bucket)
        .with_retry(access.retry())
        .with_client_options(access.client(emulator.as_deref())?);
    if let Some(emulator) = &emulator {
        builder = builder
            .with_config(GoogleConfigKey::BaseUrl, emulator)
            .with_config(GoogleConfigKey::SkipSignature, "true")
            .with_service_account_key(
                r#"{"private_key":"","private_key_id":"","client_email":"","disable_oauth":true}"#,
            );
    } else {
        let standard = access.home_file(".config/gcloud/application_default_credentials.json");
        let standard = standard.filter(|path| path.is_file()).map(|path| path.to_string_lossy().into_owned());
        let named = access.get("GOOGLE_APPLICATION_CREDENTIALS").map(str::to_owned);
        if let Some(path) = named.or(standard) {
            builder = builder.with_application_credentials(path);
        }
    }
    let storage = builder.build().map_err(|refusal| unusable("Google Cloud Storage", &refusal, access))?;
    let endpoint = emulator.as_deref().unwrap_or("https://storage.googleapis.com");
    Ok(bucket(access, place, endpoint, Arc::new(storage)))
}

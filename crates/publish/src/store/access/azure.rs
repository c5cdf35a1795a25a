//! Azure Blob Storage: an account by name with a key, a shared access signature, or an identity of Microsoft Entra
//! (a secret, a federated token as in CI, the machine's own).

use std::sync::Arc;

use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};

use super::{Access, bucket, credentials, unusable};
use crate::Result;
use crate::store::bucket::Bucket;
use crate::store::location::Place;

pub(super) fn connect(access: &Access, place: &Place) -> Result<Bucket> {
    let connection = connection(access.get("AZURE_STORAGE_CONNECTION_STRING").unwrap_or_default());
    let part =
        |name: &str| connection.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    let account =
        access.first(&["AZURE_STORAGE_ACCOUNT", "AZURE_STORAGE_ACCOUNT_NAME"]).or(part("AccountName"));
    let account = account.ok_or_else(|| credentials("AZURE_STORAGE_ACCOUNT names no account".into()))?;
    let endpoint = access.get("AZURE_STORAGE_ENDPOINT").or(part("BlobEndpoint"));
    let mut builder = MicrosoftAzureBuilder::new()
        .with_container_name(&place.bucket)
        .with_account(account)
        .with_retry(access.retry())
        .with_client_options(access.client(endpoint)?);
    if let Some(endpoint) = endpoint {
        builder = builder.with_endpoint(endpoint.trim_end_matches('/').to_owned());
    }
    let key = access.first(&["AZURE_STORAGE_KEY", "AZURE_STORAGE_ACCOUNT_KEY", "AZURE_STORAGE_ACCESS_KEY"]);
    for (value, setting) in [
        (key.or(part("AccountKey")), AzureConfigKey::AccessKey),
        (access.get("AZURE_STORAGE_SAS_TOKEN").or(part("SharedAccessSignature")), AzureConfigKey::SasKey),
        (access.get("AZURE_CLIENT_ID"), AzureConfigKey::ClientId),
        (access.get("AZURE_CLIENT_SECRET"), AzureConfigKey::ClientSecret),
        (access.get("AZURE_TENANT_ID"), AzureConfigKey::AuthorityId),
        (access.get("AZURE_FEDERATED_TOKEN_FILE"), AzureConfigKey::FederatedTokenFile),
    ] {
        if let Some(value) = value {
            builder = builder.with_config(setting, value);
        }
    }
    let mut hidden: Vec<String> = connection.iter().map(|(_, value)| value.clone()).collect();
    hidden.retain(|value| value != account && Some(value.as_str()) != endpoint);
    let storage = builder.build().map_err(|refusal| {
        match hidden.iter().any(|it| refusal.to_string().contains(it)) {
            true => credentials("the parts of AZURE_STORAGE_CONNECTION_STRING do not fit together".into()),
            false => unusable("Azure", &refusal, access),
        }
    })?;
    let shown = endpoint.map_or_else(|| format!("{account}.blob.core.windows.net"), str::to_owned);
    let mut bucket = bucket(access, place, &shown, Arc::new(storage));
    bucket.secrets.extend(hidden);
    Ok(bucket)
}

/// The parts of a connection string: `AccountName=…;AccountKey=…==;BlobEndpoint=…`.
fn connection(text: &str) -> Vec<(String, String)> {
    text.split(';')
        .filter_map(|part| part.split_once('='))
        .map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
        .collect()
}

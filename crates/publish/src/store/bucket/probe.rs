//! Does this storage honour the conditions of a write, or only accept them?
//!
//! Some servers answer 200 to `If-None-Match: *` over an existing object, and so two publishers would both win.
//! So each bucket is asked once, by writes that must be refused, and the answer is kept in
//! `.packhouse/conditional-writes.json` beside the name of the server that gave it. Only good news is kept: bad
//! news may get better.

use std::sync::atomic::Ordering;

use object_store::{
    CopyMode, CopyOptions, Error as Refusal, ObjectStore as _, PutMode, PutOptions, PutPayload, UpdateVersion,
};
use serde::{Deserialize, Serialize};

use super::{Bucket, StorageErrorKind, fault, is_condition, repeating};
use crate::store::ConditionalWrites;
use crate::{Error, Result, layout};

#[derive(Serialize, Deserialize, PartialEq, Eq)]
struct Verdict {
    format: u32,
    storage: String,
    conditional_writes: bool,
}

impl Bucket {
    /// Makes sure that conditions hold, or that nobody needs them.
    pub(in crate::store) async fn require_conditions(&self) -> Result<()> {
        match self.conditional_writes().await? {
            ConditionalWrites::Honoured => Ok(()),
            _ if self.single_writer => {
                self.conditions.store(false, Ordering::Relaxed);
                Ok(())
            }
            ConditionalWrites::Ignored { what } => Err(Error::Unconditional { site: self.url.clone(), what }),
        }
    }

    /// Asks, unless the answer is known.
    pub(in crate::store) async fn conditional_writes(&self) -> Result<ConditionalWrites> {
        let known = format!("{}/conditional-writes.json", layout::PRIVATE_DIRECTORY);
        let verdict = Verdict { format: 1, storage: self.endpoint.clone(), conditional_writes: true };
        if let Some((bytes, _)) = self.read_named(&known).await?
            && serde_json::from_slice::<Verdict>(&bytes).is_ok_and(|there| there == verdict)
        {
            return Ok(ConditionalWrites::Honoured);
        }
        let name = Bucket::private_name("probe");
        let found = self.probe(&name).await;
        let deleted = self.delete_named(&name).await;
        if let ConditionalWrites::Ignored { what } = found? {
            return Ok(ConditionalWrites::Ignored { what });
        }
        deleted?;
        let bytes = serde_json::to_vec(&verdict).expect("a verdict has only text keys");
        let key = self.key(&known)?;
        let write = || self.storage.put_opts(&key, bytes.clone().into(), PutOptions::default());
        repeating!(self, "write", &known, write())?;
        Ok(ConditionalWrites::Honoured)
    }

    async fn probe(&self, name: &str) -> Result<ConditionalWrites> {
        let ignored = |what| Ok(ConditionalWrites::Ignored { what });
        let Attempt::Done(first) = self.try_put(name, PutMode::Create, "first").await? else {
            return ignored("`If-None-Match: *` is refused where no object is");
        };
        if let Attempt::Done(_) = self.try_put(name, PutMode::Create, "second").await? {
            return ignored("`If-None-Match: *` replaced an object");
        }
        // No storage has given this ETag or generation to a new object.
        let stale = UpdateVersion {
            e_tag: Some("\"00000000000000000000000000000000\"".into()),
            version: Some("1".into()),
        };
        if let Attempt::Done(_) = self.try_put(name, PutMode::Update(stale), "third").await? {
            return ignored("`If-Match` with another ETag replaced an object");
        }
        if let Attempt::Refused = self.try_put(name, PutMode::Update(first), "fourth").await? {
            return ignored("`If-Match` is refused with the right ETag");
        }
        match self.large_ones_replace(name).await? {
            true => ignored("`If-None-Match: *` of a large upload replaced an object"),
            false => Ok(ConditionalWrites::Honoured),
        }
    }

    /// Whether a large upload is shown although an object has its name.
    async fn large_ones_replace(&self, name: &str) -> Result<bool> {
        let key = self.key(name)?;
        let Some(conditional) = &self.completes_if_absent else {
            let options = CopyOptions::new().with_mode(CopyMode::Create);
            return match self.storage.copy_opts(&key, &key, options).await {
                Ok(()) => Ok(true),
                Err(refusal) if is_condition(&refusal) => Ok(false),
                Err(refusal) => Err(self.failed("copy", name, &refusal)),
            };
        };
        let failed = |refusal: Refusal| self.failed("upload", name, &refusal);
        let id = self.storage.create_multipart(&key).await.map_err(failed)?;
        let part =
            self.storage.put_part(&key, &id, 0, PutPayload::from_static(b"fifth")).await.map_err(failed)?;
        let completed = conditional.complete_multipart(&key, &id, vec![part]).await;
        if completed.is_err() {
            let _ = self.storage.abort_multipart(&key, &id).await;
        }
        match completed {
            Ok(_) => Ok(true),
            Err(refusal) if is_condition(&refusal) || refused_as_unknown(&refusal) => Ok(false),
            Err(refusal) => Err(failed(refusal)),
        }
    }

    async fn try_put(&self, name: &str, mode: PutMode, text: &'static str) -> Result<Attempt> {
        let key = self.key(name)?;
        let mut attempt = 1;
        loop {
            let options = PutOptions { mode: mode.clone(), ..PutOptions::default() };
            let put = self.storage.put_opts(&key, PutPayload::from_static(text.as_bytes()), options).await;
            match put {
                Ok(done) => {
                    return Ok(Attempt::Done(UpdateVersion { e_tag: done.e_tag, version: done.version }));
                }
                Err(refusal) if is_condition(&refusal) || refused_as_unknown(&refusal) => {
                    // Ours, whose answer got lost.
                    if let Some((there, version)) = self.read_named(name).await?
                        && there == text.as_bytes()
                    {
                        let (e_tag, version) = (version.e_tag, version.version);
                        return Ok(Attempt::Done(UpdateVersion { e_tag, version }));
                    }
                    return Ok(Attempt::Refused);
                }
                Err(refusal) if fault::is_passing(&refusal) && attempt < fault::TRIES => {
                    fault::back_off(attempt).await;
                    attempt += 1;
                }
                Err(refusal) => return Err(self.failed("write", name, &refusal)),
            }
        }
    }
}

enum Attempt {
    Done(UpdateVersion),
    Refused,
}

/// A server that says it does not know such conditions, rather than ignoring them (400, 501).
fn refused_as_unknown(refusal: &Refusal) -> bool {
    let kind = fault::explain(refusal, &[]).kind();
    kind != StorageErrorKind::NoBucket && matches!(fault::answer(refusal), Some((400 | 501, _)))
        || matches!(refusal, Refusal::NotImplemented { .. } | Refusal::NotSupported { .. })
}

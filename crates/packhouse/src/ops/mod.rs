//! What the commands do, as functions: one file an operation.
//!
//! Operations take options and an [`Environment`](crate::environment::Environment), tell what happens through
//! an [`Event`] function, and return values; they never print. A newcomer starts at [`release()`].

mod amend;
mod base;
mod build;
mod cdn;
mod diff;
mod doctor;
mod engine;
mod event;
mod fpm;
mod inspect;
mod key;

mod manifest;
mod plan;
mod promote;
mod prune;
mod publish;
mod release;
mod repair;
mod rollback;
mod sign;
mod signer;
mod site;
mod usage;
mod verify;
mod yank;

pub use amend::{AmendOptions, Amended};
pub use base::{BaseFailure, BaseOptions, BaseReport, BuiltImage, base};
pub use build::{BuildOptions, BuildReport, Failure, build};
pub use diff::{Change, ChangedFile, Difference, Lists, ScriptChange, diff};
pub use doctor::{Check, State, doctor};
pub use engine::plan_build;
pub use event::{Event, OnEvent, Stage};
pub use fpm::{
    Detail as FpmDetail, Failure as FpmFailure, Level as FpmLevel, Message as FpmMessage,
    VERSION as FPM_VERSION, asks_for_help as fpm_asks_for_help, fpm,
};
pub use inspect::{Inspected, inspect};
pub use key::{
    AddedKey, BeginOptions, CertifyOptions, DocumentedKey, ExportFor, ExportOptions, Finding,
    GenerateOptions, GeneratedFiles, KeyList, KeyReport, KeyRole, LastUse, ListedKey, ListedPart, NewApkKey,
    NewSigner, RevokeOptions, RevokedKey, Ring, RotatedKey, Rotation, RotationStage, Severity, SigningFacts,
    Validity, add_keys, begin_rotation, certify_key, check_keyring, export_for, export_keys, finish_rotation,
    generate_apk_key, generate_key, list_keys, package_keyring, remove_key, revoke_key, rotation,
    signing_facts, write_document,
};
pub use manifest::{Built, Manifest};
pub use plan::{PlanOptions, Planned, find_project, plan};
pub use promote::promote;
pub use prune::{PruneOptions, pin, prune, prune_plan};
pub use publish::{PublishOptions, PublishReport, Site, publish};
pub use release::{ReleaseOptions, ReleaseReport, Unpublished, release};
pub use repair::{Repaired, repair};
pub use rollback::roll_back;
pub use sign::{check_targets, sign_files, sign_manifest};
pub use signer::{ApkKey, DevelopmentKey, Keys, signing_certificate};
pub use site::{MovedPointer, PlannedPackage, SitePlan, plan_site, site_check, site_head};
pub use usage::UsageError;
pub use verify::{
    FileProof, Identity, ListProof, Memory, Native, Proof, Refused, SiteProof, VerifyOptions, verify,
};
pub use yank::yank;

/// A day in UTC, as in `2028-05-01`.
pub fn day(time: std::time::SystemTime) -> String {
    match jiff::Timestamp::try_from(time) {
        Ok(time) => time.strftime("%Y-%m-%d").to_string(),
        Err(_) => "a day out of reach".into(),
    }
}

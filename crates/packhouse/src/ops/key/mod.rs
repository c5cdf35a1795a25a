//! The keyring of those who may sign, and the keys in it: one file an operation.

mod add;
mod certify;
mod check;
mod document;
mod export;
mod generate;
mod keyring_file;
mod list;
mod remove;
mod revoke;
mod rotate;
mod validity;

pub use add::{AddedKey, add_keys};
pub use certify::{CertifyOptions, certify_key};
pub use check::{Finding, KeyReport, Severity, check_keyring};
pub use document::{DocumentedKey, KeyRole, SigningFacts, signing_facts, write_document};
pub use export::{ExportFor, ExportOptions, export_for, export_keys};
pub use generate::{GenerateOptions, GeneratedFiles, NewApkKey, generate_apk_key, generate_key};
pub use keyring_file::Ring;
pub use list::{KeyList, LastUse, ListedKey, ListedPart, list_keys};
pub use remove::remove_key;
pub use revoke::{RevokeOptions, RevokedKey, revoke_key};
pub use rotate::{
    BeginOptions, NewSigner, RotatedKey, Rotation, RotationStage, begin_rotation, finish_rotation, rotation,
};
pub use validity::Validity;

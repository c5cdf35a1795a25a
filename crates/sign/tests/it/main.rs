//! What Packhouse's signatures are worth: to real clients, against attackers, and in careless hands.

#![expect(clippy::unwrap_used, reason = "also in the functions that tests share")]

mod clients;
mod forgery;
mod gnupg;
mod key_sources;
mod keyrings;
mod made_by_gnupg;
mod new_keys;
mod policy;
mod revocations;
mod rotation;
mod rsa_key;
mod secrets;
mod sign_command;
mod signature_set;
mod signing_time;
mod tampering;

//! What Packhouse's signatures are worth: to real clients, against attackers, and in careless hands.

mod clients;
mod forgery;
mod gnupg;
mod key_sources;
mod keyrings;
mod made_by_gnupg;
mod policy;
mod secrets;
mod tampering;

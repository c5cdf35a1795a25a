//! The program as its users meet it: arguments, files, exit statuses and words.
//!
//! One file a behaviour. [`project`] makes a project in a directory of its own, with a private home, and runs
//! the program there.
#![expect(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

mod acceptance;
mod apk_targets;
mod base_images;
mod canaries;
mod channels;
mod cloudfront;
mod containers;
mod doctor;
mod engine_arguments;
mod every_format;
mod existing_tree;
mod failing_targets;
mod fpm;
mod gnupg;
mod gnupg_agent;
mod help_examples;
mod inspect_and_diff;
mod interrupted;
mod json;
mod key_rotation;
mod keyring;
mod keys;
mod modes;
mod names;
mod native_signatures;
mod private_copy;
mod problems;
mod project;
mod prompt;
mod published_once;
mod publishing;
mod registry;
mod reproducible;
mod secrets;
mod sign_command;
mod signing_document;
mod site_commands;
mod starting;
mod terminal;
mod verify_file;
mod verify_keys;
mod verify_native;
mod verify_replay;
mod verify_site;
mod verify_tampering;
mod versions;
mod web;

//! Every reader of the package crate, one target: `FUZZ_READER` names the reader.
//!
//! A reader is a row in `packhouse_package::fuzz::READERS`; nothing here changes when one comes.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use packhouse_package::fuzz::READERS;

static READER: LazyLock<fn(&[u8])> = LazyLock::new(|| {
    let name = std::env::var("FUZZ_READER").expect("FUZZ_READER names a reader");
    let found = READERS.iter().find(|(known, _)| *known == name);
    found.unwrap_or_else(|| panic!("there is no reader {name}")).1
});

fuzz_target!(|bytes: &[u8]| READER(bytes));

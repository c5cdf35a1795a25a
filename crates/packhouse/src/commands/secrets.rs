//! Secrets are no arguments: what is given on a command line stands in the process list, in the shell's history and
//! in CI's logs.

use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::environment::{SIGNING_KEY, SIGNING_PASSPHRASE, SIGNING_PASSPHRASE_FILE};

/// What to do instead, for somebody who tried to give a secret as an option.
pub(super) fn advice(error: &clap::Error) -> Option<String> {
    let Some(ContextValue::String(argument)) = error.get(ContextKind::InvalidArg) else { return None };
    if error.kind() != ErrorKind::UnknownArgument || !argument.starts_with('-') {
        return None;
    }
    let argument = argument.to_lowercase();
    let is_about = |words: &[&str]| words.iter().any(|word| argument.contains(word));
    if is_about(&["pass", "pin"]) {
        return Some(format!(
            "help: a pass phrase is never an argument, where others can read it: put it into a file with mode 0600 and \
             name that in [sign] passphrase-file or ${SIGNING_PASSPHRASE_FILE}, set ${SIGNING_PASSPHRASE}, or \
             be asked for it on a terminal"
        ));
    }
    if is_about(&["secret", "token", "credential", "access-key", "private"]) {
        return Some(format!(
            "help: a secret is never an argument, where others can read it: a signing key comes from [sign] or \
             ${SIGNING_KEY}, the keys of a bucket from the environment or from profile files"
        ));
    }
    if is_about(&["key"]) {
        return Some(format!(
            "help: the key that signs is named in [sign] of dist/packhouse.toml, or put into ${SIGNING_KEY}"
        ));
    }
    None
}

//! What goes wrong with keys that are elsewhere, in a form that has a fix.

use std::fmt;
use std::time::SystemTime;

use crate::Fingerprint;
use crate::error::date_time;

/// What `gpg` failed of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GnuPgProblem {
    /// Somebody closed the question for the pass phrase or the PIN, or nobody answered it.
    Cancelled,
    /// There is no program that asks.
    NoPinentry,
    /// There is no terminal or screen to ask on.
    NoTerminal,
    /// The agent does not let others hand over the pass phrase.
    NoLoopback,
    /// The agent does not run.
    NoAgent,
    /// The card or token is not there, or was taken out.
    NoCard,
    /// The program for cards is not installed.
    NoCardDaemon,
    /// The PIN is wrong, or was wrong too often.
    Pin,
    /// The secret key is not there.
    NoSecretKey,
    /// A pass phrase that gpg cannot take.
    Passphrase,
    /// Anything else.
    Unknown,
}

impl GnuPgProblem {
    /// By the number that gpg prints behind `FAILURE` (GnuPG, doc/DETAILS): its lower 16 bits are a code of libgpg-error
    /// (`err-codes.h.in`), from 32768 on one of the system's.
    pub(super) fn of_code(code: u32) -> GnuPgProblem {
        match code & 0xFFFF {
            62 | 99 | 114 | 198 => GnuPgProblem::Cancelled,
            85 | 86 => GnuPgProblem::NoPinentry,
            0x8066 => GnuPgProblem::NoTerminal,
            60 => GnuPgProblem::NoLoopback,
            77 | 78 | 115 => GnuPgProblem::NoAgent,
            91 | 108..=113 => GnuPgProblem::NoCard,
            119 | 120 => GnuPgProblem::NoCardDaemon,
            87 | 130 | 178 => GnuPgProblem::Pin,
            17 => GnuPgProblem::NoSecretKey,
            _ => GnuPgProblem::Unknown,
        }
    }

    pub(crate) fn help(self) -> &'static str {
        match self {
            GnuPgProblem::Cancelled => {
                "answer the question for the pass phrase; where nobody is there to answer, name a file with it in \
                 [sign] passphrase-file"
            }
            GnuPgProblem::NoPinentry => {
                "install a program that asks for pass phrases (package `pinentry-curses` or `pinentry-tty`), or name a \
                 file with the pass phrase in [sign] passphrase-file"
            }
            GnuPgProblem::NoTerminal => {
                "run it on a terminal (`export GPG_TTY=$(tty)`), or name a file with the pass phrase in [sign] \
                 passphrase-file"
            }
            GnuPgProblem::NoLoopback => {
                "take `no-allow-loopback-pinentry` out of gpg-agent.conf and run `gpgconf --kill gpg-agent`, or unlock \
                 the key there and give no pass phrase here"
            }
            GnuPgProblem::NoAgent => "`gpgconf --launch gpg-agent` starts it, or says why it does not start",
            GnuPgProblem::NoCard => {
                "put the card or token in, look with `gpg --card-status`, and run the same command again: it goes on \
                 from here"
            }
            GnuPgProblem::NoCardDaemon => "install it: package `scdaemon`; the key is on a card",
            GnuPgProblem::Pin => {
                "`gpg --card-status` shows how many tries are left; do not spend the last one"
            }
            GnuPgProblem::NoSecretKey => "`gpg --list-secret-keys` lists the keys there are",
            GnuPgProblem::Passphrase => "change it with `gpg --change-passphrase FINGERPRINT`",
            GnuPgProblem::Unknown => {
                "try `gpg --detach-sign` by hand; without a terminal, unlock the key in gpg-agent beforehand or give its \
                 pass phrase in a file"
            }
        }
    }
}

/// What a program did that should have signed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CommandProblem {
    /// It says so by its exit status.
    Failed {
        /// `exit status: 1`, or the signal that ended it.
        status: String,
    },
    /// It had not ended when its time was over.
    TooLong {
        /// The time that it had.
        limit: std::time::Duration,
    },
    /// It printed more than any signature has.
    TooMuch {
        /// How many bytes it may print.
        limit: usize,
    },
    /// It succeeded and printed nothing.
    Nothing,
    /// What it printed has not the form of a signature's value.
    NotAValue {
        /// The key's algorithm.
        algorithm: String,
        /// What is wanted: `64 bytes`.
        expected: String,
        /// How many bytes it printed.
        found: usize,
    },
    /// It printed an OpenPGP signature where the value alone is wanted.
    PacketForValue,
    /// What it printed is not one OpenPGP signature.
    NoSignature,
    /// The signature is of a file, and wanted was one of a text, or the other way round.
    OtherType {
        /// Whether one of a text was wanted.
        is_text: bool,
    },
    /// The signature has another hash than SHA-512.
    OtherHash {
        /// The hash's name.
        algorithm: String,
    },
    /// The signature is dated otherwise than it should be.
    OtherTime {
        /// The date that it has.
        made: SystemTime,
        /// The date that it should have.
        wanted: SystemTime,
    },
    /// The signature expires, or holds a condition that not every reader knows.
    Conditions,
    /// The signature is not by that key, or not over what the program was given.
    DoesNotVerify {
        /// The key that it should be by.
        key: Fingerprint,
    },
}

impl fmt::Display for CommandProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CommandProblem::Failed { status } => write!(f, "failed with {status}"),
            CommandProblem::TooLong { limit } => write!(f, "was ended after {} seconds", limit.as_secs()),
            CommandProblem::TooMuch { limit } => {
                write!(f, "printed more than {limit} bytes, which is no signature")
            }
            CommandProblem::Nothing => f.write_str("succeeded and printed no signature"),
            CommandProblem::NotAValue { algorithm, expected, found } => write!(
                f,
                "printed {found} bytes that are no signature value of {algorithm}, which is {expected}"
            ),
            CommandProblem::PacketForValue => {
                f.write_str("printed an OpenPGP signature, where the signature's value alone is wanted")
            }
            CommandProblem::NoSignature => f.write_str("printed something else than one OpenPGP signature"),
            CommandProblem::OtherType { is_text: true } => {
                f.write_str("signed as a file what should be signed as a text")
            }
            CommandProblem::OtherType { is_text: false } => {
                f.write_str("signed as a text what should be signed as a file")
            }
            CommandProblem::OtherHash { algorithm } => write!(f, "signed with {algorithm} instead of SHA-512"),
            CommandProblem::OtherTime { made, wanted } => write!(
                f,
                "made a signature dated {}, and the release is dated {}",
                date_time(made),
                date_time(wanted)
            ),
            CommandProblem::Conditions => {
                f.write_str("made a signature that expires or holds conditions, which customers' programs read differently")
            }
            CommandProblem::DoesNotVerify { key } => write!(
                f,
                "made a signature that is not one by {key} over what it was given"
            ),
        }
    }
}

impl CommandProblem {
    pub(crate) fn help(&self) -> &'static str {
        match self {
            CommandProblem::Failed { .. } => {
                "run it by hand: docs/reference/sign-command.md says what it gets"
            }
            CommandProblem::TooLong { .. } => "raise [sign] command-timeout if it may take that long",
            CommandProblem::TooMuch { .. } | CommandProblem::Nothing => {
                "it must print the signature, and nothing else, on its standard output"
            }
            CommandProblem::NotAValue { .. } => {
                "print the value as bytes or in base64; for a program that prints OpenPGP signatures, set \
                 command-input = \"data\""
            }
            CommandProblem::PacketForValue => "set [sign] command-input = \"data\" for a program as gpg",
            CommandProblem::NoSignature => {
                "it must print what `gpg --detach-sign` prints; for a program that signs digests, set \
                 command-input = \"digest\""
            }
            CommandProblem::OtherType { .. } => {
                "it must look at $PACKHOUSE_SIGN_TYPE: for `text`, `gpg --textmode --detach-sign`"
            }
            CommandProblem::OtherHash { .. } => "with gpg: --digest-algo SHA512",
            CommandProblem::OtherTime { .. } => {
                "check both machines' clocks, or date it: gpg --faked-system-time \"$PACKHOUSE_SIGN_TIME!\""
            }
            CommandProblem::Conditions => "with gpg: --no-options, so that no gpg.conf adds to signatures",
            CommandProblem::DoesNotVerify { .. } => {
                "does it sign with the key that [sign] key names? A digest must be signed as it is: RSA by PKCS #1 v1.5 \
                 as a SHA-512 digest, Ed25519 as the message"
            }
        }
    }
}

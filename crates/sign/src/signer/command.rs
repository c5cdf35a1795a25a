//! Signing by a program that the user names: the door to key services (KMS), hardware (HSM) and other machines.
//!
//! docs/reference/sign-command.md describes the protocol for those who write such a program. In short:
//!
//! | [`CommandInput`] | standard input | standard output |
//! |---|---|---|
//! | `Digest` | the 64 bytes of the SHA-512 digest that OpenPGP signs (RFC 9580, section 5.2.4) | the signature's value, from which the packet is made here |
//! | `Data` | the content itself | an OpenPGP signature, armored or binary, as of `gpg --detach-sign` |
//!
//! A value is what the algorithm yields and what services and `openssl pkeyutl` print, as bytes or in base64:
//! PKCS #1 v1.5 for RSA (RFC 8017, section 8.2), `R ‖ S` for Ed25519 over the digest as its message (RFC 9580,
//! section 5.2.3.3; RFC 8032, section 5.1.6), DER (RFC 3279, section 2.2.3) or `r ‖ s` for ECDSA.
//!
//! The certificate comes from the keyring, so that a program cannot say whose key it is. Nothing it prints counts
//! before it was verified against that certificate and what it was given.

use std::io::Read;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, SystemTime};

use pgp::packet::{Packet, Signature, SignatureConfig, SignatureType};
use pgp::types::{EcdsaPublicParams, Mpi, PublicParams, SignatureBytes};

use super::child::{self, Ending, MAX_OUTPUT, Ran};
use super::{CommandProblem, Make, packet};
use crate::hasher::{self, Hasher};
use crate::standing::Component;
use crate::{Certificate, Error, Fingerprint, armor, der, packets, policy, printable};

/// A program that signs.
#[derive(Clone)]
pub struct SignCommand {
    /// The program and its arguments; no shell reads them. A program with a `/` in it is relative to `directory`.
    pub words: Vec<String>,
    /// What it gets.
    pub input: CommandInput,
    /// How long one signature may take.
    pub limit: Duration,
    /// Its whole environment, to which what is to be signed is added (`PACKHOUSE_SIGN_…`).
    pub environment: Vec<(String, String)>,
    /// Where it runs.
    pub directory: PathBuf,
}

/// What a program gets to sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandInput {
    /// The digest; it answers with the value of a signature.
    Digest,
    /// The content; it answers with an OpenPGP signature.
    Data,
}

/// A key that a program signs with.
pub(super) struct External {
    certificate: Certificate,
    signing_key: Fingerprint,
    command: SignCommand,
}

/// Finds the part of the certificate that signs, and tries it over no bytes: a login that has ended, a key that is
/// another one, a time limit that is too short show now and not after the build.
pub(super) fn open(
    certificate: Certificate,
    wanted: Fingerprint,
    command: SignCommand,
    at: SystemTime,
) -> Result<External, Error> {
    let signing_key = *super::named_components(&certificate, wanted, at)?
        .first()
        .ok_or(Error::WrongSignatureMade { fingerprint: wanted })?;
    let signer = External { certificate, signing_key, command };
    let date =
        u32::try_from(policy::seconds(at)).map_err(|_| Error::Time { what: "the time of the signature" })?;
    signer.make(SignatureType::Binary, &mut std::io::empty(), date)?;
    Ok(signer)
}

impl Make for External {
    fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    fn signing_key(&self) -> Fingerprint {
        self.signing_key
    }

    fn make(&self, kind: SignatureType, data: &mut dyn Read, at: u32) -> Result<Signature, Error> {
        let wrong = || Error::WrongSignatureMade { fingerprint: self.certificate.fingerprint() };
        let component = self.certificate.find_component(&self.signing_key).ok_or_else(wrong)?;
        let config =
            packet::statements(kind, self.certificate.component_key(component), at).ok_or_else(wrong)?;
        match self.command.input {
            CommandInput::Digest => self.make_of_value(component, config, data),
            CommandInput::Data => self.take_packet(component, config, data, at),
        }
    }
}

impl External {
    fn about(&self, component: Component<'_>, config: &SignatureConfig) -> About {
        About {
            key: self.signing_key,
            algorithm: policy::algorithm_name(self.certificate.parameters(component)),
            kind: config.typ,
            time: config.created().map_or(0, |time| time.as_secs()),
        }
    }

    /// Hands over the digest and makes the packet of the value that comes back.
    fn make_of_value(
        &self,
        component: Component<'_>,
        config: SignatureConfig,
        data: &mut dyn Read,
    ) -> Result<Signature, Error> {
        let wrong = || Error::WrongSignatureMade { fingerprint: self.certificate.fingerprint() };
        let digest = hasher::digest(&config, data)?.ok_or_else(wrong)?;
        let about = self.about(component, &config);
        let (value, ran) = self.command.value(&about, self.certificate.parameters(component), &digest)?;
        let signature = packet::with_old_header(config, [digest[0], digest[1]], value).ok_or_else(wrong)?;
        match self.certificate.component_made(component, &signature, &digest) {
            true => Ok(signature),
            false => Err(self.command.refuse(CommandProblem::DoesNotVerify { key: self.signing_key }, &ran)),
        }
    }

    /// Hands over the data and takes the packet that comes back.
    fn take_packet(
        &self,
        component: Component<'_>,
        config: SignatureConfig,
        data: &mut dyn Read,
        at: u32,
    ) -> Result<Signature, Error> {
        let wrong = || Error::WrongSignatureMade { fingerprint: self.certificate.fingerprint() };
        let mut hasher = Hasher::new(&config).ok_or_else(wrong)?;
        let ran = self.command.run(&self.about(component, &config), |input| {
            hasher::feed(data, |bytes| {
                hasher.update(bytes);
                input.write(bytes)
            })
        })?;
        let refuse = |problem| self.command.refuse(problem, &ran);
        let signature = only_signature(&ran.output).map_err(refuse)?;
        let made = signature.config().ok_or_else(|| refuse(NO_SIGNATURE))?;
        if made.typ != config.typ {
            return Err(refuse(CommandProblem::OtherType { is_text: config.typ == SignatureType::Text }));
        }
        if made.hash_alg != policy::SIGNING_HASH {
            return Err(refuse(CommandProblem::OtherHash { algorithm: policy::hash_name(made.hash_alg) }));
        }
        let created = made.created().map_or(0, |time| time.as_secs());
        if u64::from(created.abs_diff(at)) > policy::CLOCK_SKEW.as_secs() {
            return Err(refuse(CommandProblem::OtherTime {
                made: policy::moment(created.into()),
                wanted: policy::moment(at.into()),
            }));
        }
        if !policy::knows_every_critical_subpacket(&signature)
            || signature.signature_expiration_time().is_some()
        {
            return Err(refuse(CommandProblem::Conditions));
        }
        let digest = hasher.finish(made).ok_or_else(wrong)?;
        match self.certificate.component_made(component, &signature, &digest) {
            true => Ok(signature),
            false => Err(refuse(CommandProblem::DoesNotVerify { key: self.signing_key })),
        }
    }
}

/// What a program is told besides its input: nothing of it is secret.
pub(crate) struct About {
    pub(crate) key: Fingerprint,
    pub(crate) algorithm: String,
    pub(crate) kind: SignatureType,
    pub(crate) time: u32,
}

impl About {
    fn variables(&self) -> [(&'static str, String); 5] {
        let kind = if self.kind == SignatureType::Text { "text" } else { "binary" };
        [
            ("PACKHOUSE_SIGN_KEY", self.key.to_string()),
            ("PACKHOUSE_SIGN_ALGORITHM", self.algorithm.clone()),
            ("PACKHOUSE_SIGN_HASH", "SHA512".to_owned()),
            ("PACKHOUSE_SIGN_TYPE", kind.to_owned()),
            ("PACKHOUSE_SIGN_TIME", self.time.to_string()),
        ]
    }
}

impl SignCommand {
    /// The value of a signature over this digest, by a key of these parameters. Not verified.
    pub(crate) fn value(
        &self,
        about: &About,
        parameters: &PublicParams,
        digest: &[u8],
    ) -> Result<(SignatureBytes, Ran), Error> {
        let ran = self.run(about, |input| input.write(digest))?;
        let value = value(parameters, &ran.output).map_err(|problem| self.refuse(problem, &ran))?;
        Ok((value, ran))
    }

    fn run(
        &self,
        about: &About,
        feed: impl FnOnce(&mut child::Input) -> Result<(), Error>,
    ) -> Result<Ran, Error> {
        let not_run = |source| Error::SignCommandNotRun { program: self.program(), source };
        let Some((program, arguments)) = self.words.split_first() else {
            return Err(not_run(std::io::ErrorKind::InvalidInput.into()));
        };
        let mut command = match program.contains('/') {
            true => Command::new(self.directory.join(program)),
            false => Command::new(program),
        };
        command.args(arguments).current_dir(&self.directory).env_clear();
        command.envs(self.environment.iter().map(|(name, value)| (name, value))).envs(about.variables());
        let started = child::start(&mut command).map_err(not_run)?;
        let ran = child::run(started, self.limit, feed)?;
        match &ran.ending {
            Ending::Exited(status) if !status.success() => {
                Err(self.refuse(CommandProblem::Failed { status: status.to_string() }, &ran))
            }
            Ending::Exited(_) if ran.output.is_empty() => Err(self.refuse(CommandProblem::Nothing, &ran)),
            Ending::Exited(_) => Ok(ran),
            Ending::TooLong => Err(self.refuse(CommandProblem::TooLong { limit: self.limit }, &ran)),
            Ending::TooMuch => Err(self.refuse(CommandProblem::TooMuch { limit: MAX_OUTPUT }, &ran)),
        }
    }

    fn program(&self) -> String {
        self.words.first().map(|word| printable(word)).unwrap_or_default()
    }

    /// A refusal that its messages say nothing of.
    pub(crate) fn refuse_unheard(&self, problem: CommandProblem) -> Error {
        Error::SignCommand { program: self.program(), problem, said: String::new() }
    }

    pub(super) fn refuse(&self, problem: CommandProblem, ran: &Ran) -> Error {
        Error::SignCommand { program: self.program(), problem, said: last_lines(&ran.messages) }
    }
}

/// The last lines that were printed, for people: at most three and 500 characters.
fn last_lines(messages: &[u8]) -> String {
    let text = String::from_utf8_lossy(messages);
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let last = lines[lines.len().saturating_sub(3)..].join(" / ");
    let surplus = last.chars().count().saturating_sub(500);
    printable(&last.chars().skip(surplus).collect::<String>())
}

const NO_SIGNATURE: CommandProblem = CommandProblem::NoSignature;

/// The one OpenPGP signature of version 4 that was printed, armored or binary.
fn only_signature(output: &[u8]) -> Result<Signature, CommandProblem> {
    let body = match armor::is_binary(output) {
        true => output.to_vec(),
        false => {
            let text = std::str::from_utf8(output).map_err(|_| NO_SIGNATURE)?;
            let armored = armor::read(text).map_err(|_| NO_SIGNATURE)?;
            match <[_; 1]>::try_from(armored.blocks) {
                Ok([block]) if block.label == armor::SIGNATURE && !armored.has_text_outside => {
                    block.body.to_vec()
                }
                _ => return Err(NO_SIGNATURE),
            }
        }
    };
    let mut made = packets::split(&body);
    let (Some(Ok(packet)), None) = (made.next(), made.next()) else { return Err(NO_SIGNATURE) };
    match packet.parse() {
        Some(Packet::Signature(signature)) => Ok(signature),
        _ => Err(NO_SIGNATURE),
    }
}

/// The value of a signature by a key of these parameters, as it was printed.
fn value(parameters: &PublicParams, output: &[u8]) -> Result<SignatureBytes, CommandProblem> {
    if output.starts_with(b"-----BEGIN PGP") {
        return Err(CommandProblem::PacketForValue);
    }
    let refuse = |expected: String| CommandProblem::NotAValue {
        algorithm: policy::algorithm_name(parameters),
        expected,
        found: output.len(),
    };
    let of_length = |length| of_length(output, length).ok_or_else(|| refuse(format!("{length} bytes")));
    Ok(match parameters {
        PublicParams::RSA(_) => {
            let value = of_length(usize::from(policy::rsa_bits(parameters)).div_ceil(8))?;
            SignatureBytes::Mpis(vec![Mpi::from_slice(&value)])
        }
        PublicParams::EdDSALegacy(_) => SignatureBytes::Mpis(halves(&of_length(64)?)),
        PublicParams::Ed25519(_) => SignatureBytes::Native(of_length(64)?.into()),
        PublicParams::ECDSA(curve) => {
            let length = match curve {
                EcdsaPublicParams::P256 { .. } => 64,
                EcdsaPublicParams::P384 { .. } => 96,
                EcdsaPublicParams::P521 { .. } => 132,
                _ => return Err(refuse("of a curve that is supported".into())),
            };
            let mpis = of_length(length).map(|value| halves(&value));
            let mpis = mpis.or_else(|_| {
                let decoded = armor::base64(output);
                der_integers(decoded.as_deref().unwrap_or(output))
                    .ok_or_else(|| refuse(format!("a DER sequence of two integers, or {length} bytes")))
            });
            SignatureBytes::Mpis(mpis?)
        }
        _ => return Err(refuse("of an algorithm that is supported".into())),
    })
}

/// The output when it has that length, or what it is the base64 of.
fn of_length(output: &[u8], length: usize) -> Option<Vec<u8>> {
    if output.len() == length {
        return Some(output.to_vec());
    }
    armor::base64(output).filter(|decoded| decoded.len() == length)
}

fn halves(value: &[u8]) -> Vec<Mpi> {
    value.chunks(value.len() / 2).map(Mpi::from_slice).collect()
}

/// `SEQUENCE { INTEGER r, INTEGER s }` (RFC 3279, section 2.2.3).
fn der_integers(der: &[u8]) -> Option<Vec<Mpi>> {
    let (sequence, after) = der::element(0x30, der)?;
    let (r, rest) = der::element(0x02, sequence)?;
    let (s, rest) = der::element(0x02, rest)?;
    (after.is_empty() && rest.is_empty()).then(|| vec![Mpi::from_slice(r), Mpi::from_slice(s)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn der_of_two_integers_is_read_and_nothing_else_is() {
        let good = [0x30, 0x07, 0x02, 0x02, 0x00, 0x81, 0x02, 0x01, 0x05];
        let mpis = der_integers(&good).unwrap();
        assert_eq!(mpis, [Mpi::from_slice(&[0x81]), Mpi::from_slice(&[5])]);
        let long = [&[0x30, 0x81, 0x07][..], &good[2..]].concat();
        assert_eq!(der_integers(&long).unwrap(), mpis);
        for length in 0..good.len() {
            assert!(der_integers(&good[..length]).is_none(), "{length}");
        }
        assert!(der_integers(&[&good[..], &[0]].concat()).is_none());
    }

    #[test]
    fn the_last_lines_are_short_and_have_no_controls() {
        assert_eq!(last_lines(b"one\ntwo\n\nthree\nfour \n"), "two / three / four");
        assert_eq!(last_lines(b"\x1b[31mred"), "\u{fffd}[31mred");
        assert_eq!(last_lines(&[b'x'; 4000]).len(), 500);
        assert_eq!(last_lines(b""), "");
    }
}

//! `KEY-20`: what a signer gives back is verified before it is stored.

use std::io::{Cursor, Read};
use std::num::NonZeroUsize;
use std::time::Duration;

use packhouse_package::signing::NativeSignature;
use packhouse_package::{
    Arch, FileTree, Metadata, Options, Package, PackageName, Relations, Resources, Scripts, Setup, Timestamp,
    Version,
};
use packhouse_sign::{Certificate, Error as SignError, KeySource, Keyring, Signer, generate};

use super::*;

/// When the packages of these tests were built, after their keys were made.
const BUILT: u64 = 1_767_225_600;

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

fn now() -> SystemTime {
    at(BUILT + 1_000)
}

fn signer(name: &str) -> Box<dyn Signer> {
    let key = generate(name, at(BUILT - 1_000), None).unwrap();
    KeySource::Text { armored: key.secret, passphrase: None }.open(now()).unwrap()
}

type Gives = Box<dyn Fn(&mut dyn Read) -> Vec<u8> + Send + Sync>;

/// A signer that claims to be one key and gives back whatever it wants.
struct Liar {
    claims: Box<dyn Signer>,
    gives: Gives,
}

impl Signer for Liar {
    fn certificate(&self) -> &Certificate {
        self.claims.certificate()
    }

    fn signing_key(&self) -> Fingerprint {
        self.claims.signing_key()
    }

    fn detached(&self, data: &mut dyn Read, at: SystemTime) -> Result<String, SignError> {
        self.claims.detached(data, at)
    }

    fn packet(&self, data: &mut dyn Read, _at: SystemTime) -> Result<Vec<u8>, SignError> {
        Ok((self.gives)(data))
    }

    fn cleartext(&self, text: &str, at: SystemTime) -> Result<String, SignError> {
        self.claims.cleartext(text, at)
    }
}

fn package(format: Format) -> Vec<u8> {
    let package = Package {
        metadata: Metadata {
            name: PackageName::new("hello").unwrap(),
            version: Version::new("1.0"),
            arch: Arch::X86_64,
            summary: "Says hello".into(),
            description: String::new(),
            homepage: None,
            vendor: None,
            maintainer: "A <a@example.org>".into(),
            license: None,
            category: None,
            relations: Relations::default(),
            changelog: Vec::new(),
        },
        files: FileTree::new(),
        scripts: Scripts::new(),
        setup: Setup::default(),
        timestamp: Timestamp::from_unix(BUILT.cast_signed()).unwrap(),
        options: Options::default(),
    };
    let mut out = Cursor::new(Vec::new());
    format.get().write(&package, Resources { threads: NonZeroUsize::MIN }, &mut out).unwrap();
    out.into_inner()
}

fn keys(signer: Box<dyn Signer>) -> Keys {
    let keyring = Keyring::from_certificates([signer.certificate().clone()]);
    Keys { signer, keyring, apk: None }
}

#[test]
fn a_signer_that_lies_leaves_nothing_behind() {
    let other = || signer("Other <other@example.org>");
    for format in [Format::Rpm, Format::Pacman] {
        let gifts: [Gives; 6] = [
            Box::new(|_| Vec::new()),
            Box::new(|_| b"ok\n".to_vec()),
            Box::new(|_| vec![0x89; 200 << 20]),
            // Another key's, of the right bytes.
            Box::new(move |data| other().packet(data, at(BUILT)).unwrap()),
            // Two where one belongs.
            Box::new(move |data| {
                let mut bytes = Vec::new();
                data.read_to_end(&mut bytes).unwrap();
                let sign = |signer: Box<dyn Signer>| signer.packet(&mut &bytes[..], at(BUILT)).unwrap();
                [sign(signer("A <a@example.org>")), sign(signer("B <b@example.org>"))].concat()
            }),
            // Armored.
            Box::new(|data| signer("A <a@example.org>").detached(data, at(BUILT)).unwrap().into_bytes()),
        ];
        for (number, gives) in gifts.into_iter().enumerate() {
            refuses(format, Liar { claims: signer("Liar <liar@example.org>"), gives }, number);
        }
        // Its own, over other bytes.
        let claims = signer("Liar <liar@example.org>");
        let wrong = claims.packet(&mut &b"another header"[..], at(BUILT)).unwrap();
        refuses(format, Liar { claims, gives: Box::new(move |_| wrong.clone()) }, 6);
    }
}

#[track_caller]
fn refuses(format: Format, liar: Liar, number: usize) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("hello");
    let unsigned = package(format);
    fs::write(&path, &unsigned).unwrap();
    let signed = sign_files(std::slice::from_ref(&path), &keys(Box::new(liar)), now(), &|_| {});
    assert!(signed.is_err(), "{format} {number}");
    assert!(fs::read(&path).unwrap() == unsigned, "{format} {number}: the package changed");
    let left: Vec<_> =
        fs::read_dir(directory.path()).unwrap().map(|item| item.unwrap().file_name()).collect();
    assert_eq!(left, ["hello"], "{format} {number}");
}

#[test]
fn a_signature_is_dated_by_its_package_and_not_by_the_clock() {
    for format in [Format::Rpm, Format::Pacman] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("hello");
        fs::write(&path, package(format)).unwrap();
        let keys = keys(signer("A <a@example.org>"));
        sign_files(std::slice::from_ref(&path), &keys, now(), &|_| {}).unwrap();
        let verified = match native::beside(&path, format) {
            Some(beside) => {
                let signature = fs::read(beside).unwrap();
                verify_detached(&signature, &mut fs::File::open(&path).unwrap(), &keys.keyring, now())
            }
            None => {
                let mut file = fs::File::open(&path).unwrap();
                let found = format.get().signatures(&mut file).unwrap().remove(0);
                let NativeSignature::OpenPgp(packet) = &found.signature else { panic!("{found:?}") };
                verify_detached(packet, &mut found.open(&mut file).unwrap(), &keys.keyring, now())
            }
        };
        assert_eq!(verified.unwrap().created, at(BUILT), "{format}");
    }
}

/// Its commit was made where the clock was ahead.
#[test]
fn a_package_from_the_future_is_dated_by_the_clock() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("hello");
    fs::write(&path, package(Format::Rpm)).unwrap();
    let keys = keys(signer("A <a@example.org>"));
    let early = at(BUILT - 500);
    sign_files(std::slice::from_ref(&path), &keys, early, &|_| {}).unwrap();
    let mut file = fs::File::open(&path).unwrap();
    let found = Format::Rpm.get().signatures(&mut file).unwrap().remove(0);
    let NativeSignature::OpenPgp(packet) = &found.signature else { panic!("{found:?}") };
    let verified = verify_detached(packet, &mut found.open(&mut file).unwrap(), &keys.keyring, early);
    assert_eq!(verified.unwrap().created, early);
}

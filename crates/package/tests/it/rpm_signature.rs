//! Signatures in the signature header: made by gpg and rpmsign, judged by rpm.
#![expect(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

use std::io::{Cursor, Read as _};
use std::path::PathBuf;
use std::process::{Command, Output};

use fs_err as fs;
use packhouse_clients::{Client, find, text};
use packhouse_package::archive::compress::Compression;
use packhouse_package::rpm::FormatVersion;
use packhouse_package::signing::{Embedded, NativeSignature, RsaHash, SignedInside, Signing};
use packhouse_package::{Depth, Error, Format, Package};
use sha2::{Digest as _, Sha256};

use crate::rpm_fixture::{add, bytes, package};

const FILE: &str = "hello.rpm";

/// A home of gpg with a key, and a database of rpm that knows it.
struct Signer {
    gpg: Client,
    rpmkeys: Client,
    directory: tempfile::TempDir,
}

impl Signer {
    fn new(algorithm: &str) -> Option<Signer> {
        let [gpg, rpmkeys] = find(["gpg", "rpmkeys"])?;
        let directory = tempfile::Builder::new().prefix("ph-").tempdir_in("/tmp").unwrap();
        let signer = Signer { gpg, rpmkeys, directory };
        signer.gpg(&["--passphrase", "", "--quick-gen-key", "A <a@example.org>", algorithm, "sign", "never"]);
        let key = signer.path("key.asc");
        signer.gpg(&["--armor", "--output", key.to_str().unwrap(), "--export"]);
        Some(signer)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn gpg(&self, arguments: &[&str]) -> Vec<u8> {
        let mut command = self.gpg.command();
        command.env("GNUPGHOME", self.directory.path()).current_dir(self.directory.path());
        command.args(["--batch", "--no-tty", "--quiet", "--pinentry-mode", "loopback"]).args(arguments);
        let output = command.output().unwrap();
        assert!(output.status.success(), "gpg {arguments:?}: {}", text(&output));
        output.stdout
    }

    /// One signature packet over what is to be signed.
    fn packet(&self, unsigned: &[u8]) -> NativeSignature {
        fs::write(self.path("header"), to_sign(unsigned).unwrap()).unwrap();
        NativeSignature::OpenPgp(self.gpg(&["--digest-algo", "SHA512", "--detach-sign", "-o", "-", "header"]))
    }

    fn command(&self, client: &Client) -> Command {
        let mut command = client.command();
        command.env("GNUPGHOME", self.directory.path()).env("HOME", self.directory.path());
        command.current_dir(self.directory.path());
        command
    }

    fn rpmkeys(&self, database: &str, arguments: &[&str]) -> Output {
        let mut command = self.command(&self.rpmkeys);
        command.arg("--dbpath").arg(self.path(database)).args(arguments).output().unwrap()
    }

    /// What rpm says of a package, once it has the key.
    fn check(&self, signed: &[u8]) -> Output {
        fs::write(self.path(FILE), signed).unwrap();
        let imported = self.rpmkeys("db", &["--import", "key.asc"]);
        assert!(imported.status.success(), "{}", text(&imported));
        self.rpmkeys("db", &["--define", "_pkgverify_level all", "--checksig", "-v", FILE])
    }

    #[track_caller]
    fn accepts(&self, signed: &[u8], words: &str) {
        let checked = self.check(signed);
        let said = text(&checked);
        assert!(checked.status.success() && said.contains(words), "{said}");
        assert!(said.lines().any(|line| line.contains(words) && line.ends_with(": OK")), "{said}");
        // Whoever does not have the key is told so.
        let unknown = self.rpmkeys("empty", &["--checksig", "-v", FILE]);
        assert!(!unknown.status.success() && text(&unknown).contains("NOKEY"), "{}", text(&unknown));
    }

    #[track_caller]
    fn refuses(&self, package: &[u8]) {
        let checked = self.check(package);
        assert!(!checked.status.success(), "{}", text(&checked));
    }
}

fn signing() -> &'static dyn SignedInside {
    match Format::Rpm.get().signing() {
        Signing::Inside(signing) => signing,
        _ => panic!("an rpm holds its signatures"),
    }
}

fn to_sign(package: &[u8]) -> Result<Vec<u8>, Error> {
    signing().to_sign(&mut Cursor::new(package))
}

fn with(package: &[u8], signatures: &[NativeSignature]) -> Result<Vec<u8>, Error> {
    let mut out = Vec::new();
    signing().write(&mut Cursor::new(package), signatures, &mut out)?;
    Ok(out)
}

fn signatures(package: &[u8]) -> Result<Vec<Embedded>, Error> {
    Format::Rpm.get().signatures(&mut Cursor::new(package))
}

/// Uncompressed, so that another greeting is as long.
fn hello() -> Package {
    let mut package = package("1.0");
    package.options.compression = Some(Compression::None);
    add(&mut package, "opt/hello/greeting", "Hello\n");
    package
}

fn hello_6() -> Package {
    let mut package = hello();
    package.options.rpm.version = FormatVersion::V6;
    package
}

#[test]
fn rpm_accepts_rsa_and_eddsa_signatures_of_both_formats() {
    for (algorithm, words) in [("rsa2048", "RSA/SHA512 Signature"), ("ed25519", "EdDSA/SHA512 Signature")] {
        let Some(signer) = Signer::new(algorithm) else { return };
        for package in [hello(), hello_6()] {
            let unsigned = bytes(&package);
            let signed = with(&unsigned, &[signer.packet(&unsigned)]).unwrap();
            signer.accepts(&signed, words);
            // rpm is told to want signatures.
            signer.refuses(&unsigned);
            let inspection = Format::Rpm.get().inspect(&mut Cursor::new(&signed), Depth::Contents).unwrap();
            let [signature] = &inspection.signatures[..] else { panic!("{:?}", inspection.signatures) };
            assert_eq!(signature.covers, "header");
            assert_eq!(signature.algorithm.replace('-', ""), words.replace(" Signature", ""));
        }
    }
}

/// `TAM-08`, `TAM-10`.
#[test]
fn rpm_refuses_a_stripped_signature_another_payload_and_a_changed_header() {
    let Some(signer) = Signer::new("ed25519") else { return };
    for package in [hello(), hello_6()] {
        let unsigned = bytes(&package);
        let signed = with(&unsigned, &[signer.packet(&unsigned)]).unwrap();
        signer.accepts(&signed, "EdDSA");
        let [found, ..] = &signatures(&signed).unwrap()[..] else { panic!("signed") };
        let (start, payload) = (found.range.start as usize, found.range.end as usize);

        signer.refuses(&with(&signed, &[]).unwrap());
        let mut other = package.clone();
        add(&mut other, "opt/hello/greeting", "Hallo\n");
        let other = bytes(&other);
        let tampered = [&signed[..payload], &other[payload..]].concat();
        assert_eq!(tampered.len(), signed.len(), "the twin differs in contents only");
        signer.refuses(&tampered);
        let read = Format::Rpm.get().inspect(&mut Cursor::new(&tampered), Depth::Contents);
        assert!(matches!(read, Err(Error::Malformed { part: "payload", .. })), "{read:?}");
        // A header with its own digests right, which the signature is not of.
        let front = with(&other, std::slice::from_ref(&found.signature)).unwrap();
        signer.refuses(&front);
        for at in (start..payload).step_by(97) {
            let mut changed = signed.clone();
            changed[at] ^= 1;
            assert!(signatures(&changed).is_err(), "byte {at}");
        }
    }
}

#[test]
fn everything_but_the_signature_header_stays_where_it_is() {
    let Some(signer) = Signer::new("rsa4096") else { return };
    for package in [hello(), hello_6()] {
        let unsigned = bytes(&package);
        let signed = with(&unsigned, &[signer.packet(&unsigned)]).unwrap();
        assert_eq!(signed.len(), unsigned.len());
        let found = signatures(&signed).unwrap();
        let start = found[0].range.start as usize;
        assert_eq!(signed[start..], unsigned[start..]);
        assert_eq!(signed[..96], unsigned[..96]);
        assert_eq!(to_sign(&signed).unwrap(), unsigned[start..found[0].range.end as usize]);
        for signature in &found {
            let mut covered = Vec::new();
            signature.open(&mut Cursor::new(&signed)).unwrap().read_to_end(&mut covered).unwrap();
            assert_eq!(covered, to_sign(&unsigned).unwrap());
        }
        // Signing again replaces, and with nothing it takes away, without a trace.
        let again = with(&signed, &[signer.packet(&signed)]).unwrap();
        assert_eq!(again.len(), unsigned.len());
        signer.accepts(&again, "RSA");
        assert_eq!(with(&signed, &[]).unwrap(), unsigned);
    }
}

/// The same signature at the same place gives the same package.
#[test]
fn rpmsign_puts_a_signature_where_we_put_it() {
    let Some([rpmsign]) = find(["rpmsign"]) else { return };
    for algorithm in ["rsa2048", "ed25519"] {
        let Some(signer) = Signer::new(algorithm) else { return };
        let unsigned = bytes(&hello());
        fs::write(signer.path(FILE), &unsigned).unwrap();
        let sign = |arguments: &[&str]| {
            let mut command = signer.command(&rpmsign);
            command.args(["--define", "_gpg_name A <a@example.org>", "--define"]);
            command.arg(format!("__gpg {}", signer.gpg.path().display())).args(arguments).arg(FILE);
            let output = command.output().unwrap();
            assert!(output.status.success(), "{}", text(&output));
            fs::read(signer.path(FILE)).unwrap()
        };
        let theirs = sign(&["--addsign"]);
        let [found] = &signatures(&theirs).unwrap()[..] else { panic!("one") };
        let ours = with(&unsigned, std::slice::from_ref(&found.signature)).unwrap();
        assert_eq!(first_difference(&ours, &theirs), None);
        // And it takes ours for its own.
        fs::write(signer.path(FILE), with(&unsigned, &[signer.packet(&unsigned)]).unwrap()).unwrap();
        signer.accepts(&sign(&["--resign"]), "Signature");
        // Taking it away, it does not give the space back that the signature had.
        let bare = sign(&["--delsign"]);
        assert_eq!(signatures(&bare).unwrap(), []);
        let signed = with(&bare, &[signer.packet(&bare)]).unwrap();
        assert_eq!(signed.len(), bare.len());
        signer.accepts(&signed, "Signature");
    }
}

fn first_difference(a: &[u8], b: &[u8]) -> Option<usize> {
    let length = (a.len() != b.len()).then(|| a.len().min(b.len()));
    a.iter().zip(b).position(|(a, b)| a != b).or(length)
}

#[test]
fn what_rpmbuild_made_is_signed_as_well() {
    let Some([rpmbuild]) = find(["rpmbuild"]) else { return };
    let Some(signer) = Signer::new("rsa4096") else { return };
    let spec = "Name: hello\nVersion: 1\nRelease: 1\nSummary: s\nLicense: MIT\nBuildArch: noarch\n\
                %description\nd\n%install\nmkdir -p %{buildroot}/opt\necho x > %{buildroot}/opt/x\n%files\n/opt/x\n";
    fs::write(signer.path("hello.spec"), spec).unwrap();
    let mut command = signer.command(&rpmbuild);
    command.arg("--define").arg(format!("_topdir {}", signer.path("top").display()));
    let output =
        command.args(["--define", "_rpmfilename %{name}.rpm", "-bb", "hello.spec"]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    let unsigned = fs::read(signer.path("top/RPMS/hello.rpm")).unwrap();
    let signed = with(&unsigned, &[signer.packet(&unsigned)]).unwrap();
    assert_eq!(signed.len(), unsigned.len(), "rpmbuild reserves space as well");
    signer.accepts(&signed, "RSA");
    assert_eq!(first_difference(&with(&signed, &[]).unwrap(), &unsigned), None);
}

#[test]
fn what_rpm_could_not_verify_is_not_written() {
    let unsigned = bytes(&hello());
    for (algorithm, name) in [("nistp256", "ECDSA"), ("dsa2048", "DSA")] {
        let Some(signer) = Signer::new(algorithm) else { return };
        let error = with(&unsigned, &[signer.packet(&unsigned)]).unwrap_err();
        assert!(error.to_string().contains(name), "{error}");
        assert!(error.help().unwrap().contains("RSA or Ed25519"));
    }
    let long =
        NativeSignature::OpenPgp([&[0x89, 0x41, 0x00, 4, 0, 1, 8, 0, 0, 0, 0][..], &[0; 0x40f9]].concat());
    let rsa = NativeSignature::Rsa { key: "k".into(), hash: RsaHash::Sha256, bytes: vec![1] };
    for wrong in [NativeSignature::OpenPgp(Vec::new()), NativeSignature::OpenPgp(b"ok".to_vec()), long, rsa] {
        let error = with(&unsigned, &[wrong]).unwrap_err();
        assert!(matches!(error, Error::Unsignable { format: "rpm", .. }), "{error}");
    }
    assert!(signing().refuses_key(19).is_some() && signing().refuses_key(22).is_none());
    assert!(signing().refuses_key(1).is_none());
}

/// Two keys during a rotation: rpm 6 reads both, and rpm 4 has room for one.
#[test]
fn format_6_takes_several_signatures_and_format_4_one() {
    let (Some(one), Some(two)) = (Signer::new("rsa2048"), Signer::new("ed25519")) else { return };
    let (four, six) = (bytes(&hello()), bytes(&hello_6()));
    let both = |unsigned: &[u8]| [one.packet(unsigned), two.packet(unsigned)];
    let error = with(&four, &both(&four)).unwrap_err();
    assert!(error.to_string().contains("room for one"), "{error}");
    let signed = with(&six, &both(&six)).unwrap();
    assert_eq!(signed.len(), six.len());
    // In the new tag, and each in its old one.
    assert_eq!(signatures(&signed).unwrap().len(), 4);
    assert_eq!(with(&signed, &[]).unwrap(), six);
}

/// A copy of the package with these tags in its signature header.
fn with_tags(unsigned: &[u8], tags: &[(u32, u32, &[u8])]) -> Vec<u8> {
    assembled(unsigned, &to_sign(unsigned).unwrap(), tags)
}

/// The same, with another header of the same length.
fn assembled(unsigned: &[u8], header: &[u8], tags: &[(u32, u32, &[u8])]) -> Vec<u8> {
    let payload = 96 + 4384 + header.len();
    let mut all: Vec<(u32, u32, u32, Vec<u8>)> = tags
        .iter()
        .map(|(tag, kind, bytes)| {
            (*tag, *kind, if *kind == 7 { bytes.len() as u32 } else { 1 }, bytes.to_vec())
        })
        .collect();
    let digest: String = Sha256::digest(header).iter().map(|byte| format!("{byte:02x}")).collect();
    all.push((273, 6, 1, [digest.as_bytes(), b"\0"].concat()));
    all.sort();
    let (mut index, mut data) = (Vec::new(), Vec::new());
    for (tag, kind, count, bytes) in &all {
        if *kind == 4 {
            data.resize(data.len().next_multiple_of(4), 0);
        }
        index.extend([*tag, *kind, data.len() as u32, *count].map(u32::to_be_bytes).concat());
        data.extend(bytes);
    }
    let count = all.len() as u32 + 1;
    let region = [62, 7, data.len() as u32, 16].map(u32::to_be_bytes).concat();
    data.extend([62, 7, (count * 16).wrapping_neg(), 16].map(u32::to_be_bytes).concat());
    let lengths = [count, data.len() as u32].map(u32::to_be_bytes).concat();
    let signatures = [&b"\x8e\xad\xe8\x01\0\0\0\0"[..], &lengths, &region, &index, &data].concat();
    let mut bytes = [&unsigned[..96], &signatures].concat();
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    [&bytes[..], header, &unsigned[payload..]].concat()
}

/// `TAM-09`: what is not signed is not carried along, and a signature of the wrong type is none.
#[test]
fn a_signature_header_with_what_does_not_belong_there_is_refused() {
    let Some(signer) = Signer::new("rsa2048") else { return };
    let unsigned = bytes(&hello());
    let NativeSignature::OpenPgp(packet) = signer.packet(&unsigned) else { unreachable!() };
    let good = with_tags(&unsigned, &[(268, 7, &packet)]);
    signer.accepts(&good, "RSA");
    assert_eq!(signatures(&good).unwrap().len(), 1);
    let text = [&packet[..40], b"\0"].concat();
    let text: Vec<u8> = text.iter().map(|byte| if *byte == 0 { 0 } else { byte & 0x3f | 0x40 }).collect();
    let end = text.iter().position(|byte| *byte == 0).unwrap();
    for (tags, reason) in [
        (vec![(268, 7, &packet[..]), (1022, 6, b"x86_64\0")], "tag 1022 does not belong there"),
        (vec![(268, 7, &packet[..]), (5092, 6, b"x\0")], "tag 5092 does not belong there"),
        (vec![(262, 6, b"x\0")], "tag 262 does not belong there"),
        (vec![(268, 6, &text[..=end])], "tag 268 is of the type 6"),
        (vec![(267, 4, &[0, 0, 0, 1])], "tag 267 is of the type 4"),
        (vec![(278, 7, &packet[..])], "tag 278 is of the type 7"),
        (vec![(278, 8, b"!!\0")], "not base 64"),
    ] {
        let package = with_tags(&unsigned, &tags);
        let error = signatures(&package).unwrap_err();
        assert!(error.to_string().contains(reason), "{error}");
    }
    let many: Vec<(u32, u32, &[u8])> = (0..40).map(|number| (300 + number, 7, &b"x"[..])).collect();
    let error = signatures(&with_tags(&unsigned, &many)).unwrap_err();
    assert!(matches!(error, Error::BeyondLimit { what: "tags", limit: 32, .. }), "{error}");
    // What says of itself that it is larger than what rpm reads.
    let mut large = good.clone();
    large[96 + 12..96 + 16].copy_from_slice(&(65_u32 << 20).to_be_bytes());
    let error = signatures(&large).unwrap_err();
    assert!(matches!(error, Error::BeyondLimit { what: "bytes", .. }), "{error}");
}

/// A package of other tools without space: the headers move.
#[test]
fn a_signature_header_without_room_grows() {
    let Some(signer) = Signer::new("rsa4096") else { return };
    let unsigned = bytes(&hello());
    let tight = with_tags(&unsigned, &[]);
    assert!(tight.len() < unsigned.len());
    let signed = with(&tight, &[signer.packet(&tight)]).unwrap();
    assert!(signed.len() > tight.len());
    signer.accepts(&signed, "RSA");
    assert_eq!(to_sign(&signed).unwrap(), to_sign(&unsigned).unwrap());
}

/// As rpmbuild before 4.14 wrote them: the header's signature would not cover the payload.
#[test]
fn a_package_whose_header_does_not_name_its_payload_is_not_signed() {
    let unsigned = bytes(&hello());
    let mut header = to_sign(&unsigned).unwrap();
    // Its two sums become values of tags that nobody knows.
    for (from, to) in [(5092_u32, 5095_u32), (5097, 5098)] {
        let mut entries = (16..header.len()).step_by(16);
        let at = entries.find(|at| header[*at..].starts_with(&from.to_be_bytes())).unwrap();
        header[at..at + 4].copy_from_slice(&to.to_be_bytes());
    }
    let old = assembled(&unsigned, &header, &[]);
    for error in [to_sign(&old), with(&old, &[])] {
        let error = error.unwrap_err();
        assert!(matches!(error, Error::Unsignable { .. }), "{error}");
        assert!(error.to_string().contains("no sum of its payload"), "{error}");
    }
    assert_eq!(signatures(&old).unwrap(), [], "it can be read");
}
